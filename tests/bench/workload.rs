//! The table of workloads, and the bytes they consist of.

/// What a request does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    Get,
    Set,
    /// One request that sets this many keys.
    Mset(usize),
    /// In memcached's text protocol: `get` of this many different keys.
    TextGet(usize),
    /// In memcached's text protocol: `set`.
    TextSet,
}

/// One row of the cost table.
pub struct Workload {
    pub name: &'static str,
    pub verb: Verb,
    /// Requests sent at once on a connection before their replies are awaited.
    pub depth: usize,
    /// Length of a value in bytes.
    pub value: usize,
    /// Most that the processor time per request may be, as a multiple of twemproxy's.
    pub to_nutcracker: Option<f64>,
    /// The same to predixy's.
    pub to_predixy: Option<f64>,
}

/// A row with its targets to twemproxy and predixy.
pub const fn row(
    name: &'static str,
    verb: Verb,
    depth: usize,
    value: usize,
    to: (f64, Option<f64>),
) -> Workload {
    Workload {
        name,
        verb,
        depth,
        value,
        to_nutcracker: Some(to.0),
        to_predixy: to.1,
    }
}

const LARGE: usize = 200 * 1024;

/// The workloads of `cost`, with the targets of the project.
pub const WORKLOADS: &[Workload] = &[
    row("GET", Verb::Get, 1, 100, (0.80, Some(1.0))),
    row("SET", Verb::Set, 1, 100, (0.80, Some(1.0))),
    row("GET x16", Verb::Get, 16, 100, (0.28, Some(0.7))),
    row("SET x16", Verb::Set, 16, 100, (0.45, Some(0.8))),
    row("GET x64", Verb::Get, 64, 100, (0.10, Some(0.5))),
    row("SET x64", Verb::Set, 64, 100, (0.17, Some(0.7))),
    row("MSET 10 keys", Verb::Mset(10), 1, 100, (0.60, Some(1.0))),
    row("GET 200 KB", Verb::Get, 1, LARGE, (1.0, None)),
    row("SET 200 KB", Verb::Set, 1, LARGE, (1.0, None)),
];

/// The row of this name.
pub fn named(name: &str) -> Option<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name)
}

/// Requests that are sent together, and the one answer that is right.
pub struct Batch {
    pub requests: Vec<u8>,
    pub replies: Vec<u8>,
    pub count: usize,
}

impl Workload {
    /// Number of different keys: enough to miss no hash bucket, few enough to fill quickly.
    fn keys(&self) -> usize {
        if self.value > 10_000 { 50 } else { 1_000 }
    }

    /// The batches that the connections send in turn.
    pub fn batches(&self) -> Vec<Batch> {
        let mut random = Random(0x9e37_79b9_7f4a_7c15);
        let count = if self.value > 10_000 { 4 } else { 32 };
        (0..count)
            .map(|_| self.batch(self.depth, || random.below(self.keys())))
            .collect()
    }

    /// Batches that store every key that `batches` reads.
    pub fn filling(&self) -> Vec<Batch> {
        let verb = match self.verb {
            Verb::Get | Verb::Set | Verb::Mset(_) => Verb::Set,
            Verb::TextGet(_) | Verb::TextSet => Verb::TextSet,
        };
        let set = Workload { verb, ..*self };
        (0..self.keys()).map(|key| set.batch(1, || key)).collect()
    }

    fn batch(&self, depth: usize, mut key: impl FnMut() -> usize) -> Batch {
        let mut batch = Batch {
            requests: Vec::new(),
            replies: Vec::new(),
            count: depth,
        };
        let value = vec![b'x'; self.value];
        // Keys of one length for all; one name space per size, as all proxies share the store.
        let named = |key: usize| format!("k{:07}:{key:07}", self.value).into_bytes();
        for _ in 0..depth {
            match self.verb {
                Verb::Get => {
                    command(&mut batch.requests, &[b"GET", &named(key())]);
                    bulk(&mut batch.replies, &value);
                }
                Verb::Set => {
                    command(&mut batch.requests, &[b"SET", &named(key()), &value]);
                    batch.replies.extend_from_slice(b"+OK\r\n");
                }
                Verb::Mset(keys) => {
                    let names: Vec<Vec<u8>> = (0..keys).map(|_| named(key())).collect();
                    let mut words: Vec<&[u8]> = vec![b"MSET"];
                    words.extend(names.iter().flat_map(|name| [name.as_slice(), &value]));
                    command(&mut batch.requests, &words);
                    batch.replies.extend_from_slice(b"+OK\r\n");
                }
                Verb::TextGet(keys) => {
                    let first = key();
                    batch.requests.extend_from_slice(b"get");
                    for n in 0..keys {
                        let name = named((first + n) % self.keys());
                        batch.requests.push(b' ');
                        batch.requests.extend_from_slice(&name);
                        batch.replies.extend_from_slice(b"VALUE ");
                        batch.replies.extend_from_slice(&name);
                        text_block(&mut batch.replies, " 0", &value);
                    }
                    batch.requests.extend_from_slice(b"\r\n");
                    batch.replies.extend_from_slice(b"END\r\n");
                }
                Verb::TextSet => {
                    batch.requests.extend_from_slice(b"set ");
                    batch.requests.extend_from_slice(&named(key()));
                    text_block(&mut batch.requests, " 0 0", &value);
                    batch.replies.extend_from_slice(b"STORED\r\n");
                }
            }
        }
        batch
    }
}

/// The rest of a line of memcached's protocol behind the key, and the value.
fn text_block(out: &mut Vec<u8>, words: &str, value: &[u8]) {
    out.extend_from_slice(format!("{words} {}\r\n", value.len()).as_bytes());
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

fn bulk(out: &mut Vec<u8>, bytes: &[u8]) {
    out.extend_from_slice(format!("${}\r\n", bytes.len()).as_bytes());
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

fn command(out: &mut Vec<u8>, words: &[&[u8]]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        bulk(out, word);
    }
}

/// Xorshift: the same keys in every run.
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }
}
