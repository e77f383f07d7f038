//! A model of the datastore: answers each request once, in order, with a reply that names the request; and
//! misbehaves as told.
//!
//! Every request carries a tag, `c<client>.<seq>`, in its first argument. The ledger keeps what was executed
//! under a tag and what was answered, so a reply that reaches the wrong request is seen.

use crate::link::Link;
use crate::random::Random;
use crate::resp::{self, Reply};
use std::collections::HashMap;

/// Which request: client and running number.
pub type Tag = (u32, u32);

pub fn parse_tag(bytes: &[u8]) -> Option<Tag> {
    let text = std::str::from_utf8(bytes).ok()?.strip_prefix('c')?;
    let (client, seq) = text.split_once('.')?;
    let seq = seq.split(':').next()?;
    Some((client.parse().ok()?, seq.parse().ok()?))
}

/// What became of one request at the datastore.
#[derive(Debug)]
pub struct Execution {
    pub times: u32,
    pub reply: Reply,
    /// Bytes of the reply.
    pub length: usize,
    /// When, counted in executions.
    pub order: u64,
}

/// Everything the datastore ever did.
#[derive(Default)]
pub struct Ledger {
    pub done: HashMap<Tag, Execution>,
    count: u64,
}

/// What the datastore is up to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Well,
    /// Reads and answers nothing until then.
    Stalled(u64),
    /// Refuses connections until then.
    Dead(u64),
}

/// How it breaks on purpose, to see that it would be noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreCanary {
    SwapsReplies,
    ExecutesTwice,
    SkipsReply,
}

struct Conn {
    link: usize,
    input: Vec<u8>,
    output: Vec<u8>,
    /// End the stream once the output is on its way.
    ending: bool,
    /// A reply held back, to be sent behind the next one.
    swapped: Option<Vec<u8>>,
}

pub struct Store {
    random: Random,
    conns: Vec<Conn>,
    mood: Mood,
    /// Never misbehaves.
    pub calm: bool,
    /// Longest bulk in a reply.
    pub longest: usize,
    pub canary: Option<StoreCanary>,
    pub ledger: Ledger,
}

impl Store {
    pub fn new(mut random: Random, calm: bool) -> Store {
        let longest = random.pick(&[10, 200, 3000, 60_000]);
        Store {
            random,
            conns: Vec::new(),
            mood: Mood::Well,
            calm,
            longest,
            canary: None,
            ledger: Ledger::default(),
        }
    }

    /// Whether a connection can be made now; `None` if the attempt is left hanging.
    pub fn accepts(&self) -> Option<bool> {
        match self.mood {
            Mood::Well => Some(true),
            Mood::Stalled(_) => None,
            Mood::Dead(_) => Some(false),
        }
    }

    pub fn connected(&mut self, link: usize) {
        self.conns.push(Conn {
            link,
            input: Vec::new(),
            output: Vec::new(),
            ending: false,
            swapped: None,
        });
    }

    /// From now on it behaves.
    pub fn calm_down(&mut self) {
        self.calm = true;
        self.mood = Mood::Well;
    }

    /// Changes its mood now and then. Returns what to trace.
    pub fn brood(&mut self, now: u64, timeout: u64, links: &mut [Link]) -> Option<String> {
        match self.mood {
            Mood::Stalled(until) | Mood::Dead(until) if until <= now => {
                self.mood = Mood::Well;
                return Some("the store is well".into());
            }
            Mood::Well if !self.calm && self.random.chance(4) => {}
            _ => return None,
        }
        let length = self.random.below(4 * timeout as usize) as u64;
        if self.random.chance(600) {
            self.mood = Mood::Stalled(now + length);
            Some(format!("the store stalls for {length} µs"))
        } else {
            self.mood = Mood::Dead(now + length + 1_000_000);
            for conn in self.conns.drain(..) {
                if self.random.chance(500) {
                    links[conn.link].reset();
                } else {
                    links[conn.link].fin_sent = true;
                }
            }
            Some(format!("the store dies for {length} µs"))
        }
    }

    /// Does a little on one of its connections. Returns what to trace.
    pub fn act(&mut self, links: &mut [Link]) -> Result<Option<String>, String> {
        if self.conns.is_empty() || matches!(self.mood, Mood::Stalled(_)) {
            return Ok(None);
        }
        let at = self.random.below(self.conns.len());
        let link = &mut links[self.conns[at].link];
        if link.closed || link.is_reset() {
            // What had arrived before may still be executed; nobody hears of it.
            let mut conn = self.conns.swap_remove(at);
            if self.random.chance(500) {
                conn.input.extend_from_slice(link.written.view());
                while let Ok(Some((args, length))) = resp::request(&conn.input) {
                    conn.input.drain(..length);
                    self.execute(&args)?;
                }
            }
            return Ok(None);
        }
        let unread = link.written.len();
        if unread > 0 {
            let n = match self.random.below(4) {
                0 => 1 + self.random.below(unread.min(20)),
                1 => 1 + self.random.below(unread),
                _ => unread,
            };
            self.conns[at]
                .input
                .extend_from_slice(&link.written.view()[..n]);
            link.written.drop_front(n);
            link.take(n);
        }
        let mut executed = 0;
        let most = self.random.pick(&[0, 1, 3, 1000]);
        while executed < most && !self.conns[at].ending {
            let input = &self.conns[at].input;
            let Some((args, length)) =
                resp::request(input).map_err(|why| format!("the store was sent {why}"))?
            else {
                break;
            };
            self.conns[at].input.drain(..length);
            let mut reply = self.execute(&args)?;
            let conn = &mut self.conns[at];
            executed += 1;
            match self.canary {
                Some(StoreCanary::SwapsReplies)
                    if conn.swapped.is_none() && self.random.chance(30) =>
                {
                    conn.swapped = Some(reply);
                    continue;
                }
                Some(StoreCanary::SkipsReply) if self.random.chance(5) => continue,
                Some(StoreCanary::ExecutesTwice) if self.random.chance(5) => {
                    self.execute(&args)?;
                }
                _ => {}
            }
            let conn = &mut self.conns[at];
            if !self.calm && self.random.chance(3) {
                // Dies in the middle of a reply, or goes mad.
                if self.random.chance(500) {
                    reply.truncate(self.random.below(reply.len()));
                } else {
                    reply = self
                        .random
                        .pick(&[
                            b"?what\r\n".as_slice(),
                            b"$5\r\nabcdefgh\r\n",
                            b"*-7\r\n",
                            b"%1\r\n+a\r\n+b\r\n",
                            b"\r\n",
                            b"$999999999999\r\n",
                            b"HTTP/1.1 400 Bad Request\r\n\r\n",
                        ])
                        .to_vec();
                }
                conn.ending = true;
            }
            conn.output.extend_from_slice(&reply);
            if let Some(held) = conn.swapped.take() {
                conn.output.extend_from_slice(&held);
            }
        }
        let conn = &mut self.conns[at];
        let link = &mut links[conn.link];
        let ready = conn.output.len();
        if ready > 0 {
            let n = match self.random.below(4) {
                0 => 1 + self.random.below(ready.min(20)),
                1 => 1 + self.random.below(ready),
                _ => ready,
            };
            link.flight.push(&conn.output[..n]);
            conn.output.drain(..n);
        }
        if conn.ending && conn.output.is_empty() {
            link.fin_sent = true;
            self.conns.swap_remove(at);
        }
        Ok((executed > 0).then(|| format!("the store answers {executed}")))
    }

    /// Whether it has nothing left to do.
    pub fn is_idle(&self, links: &[Link]) -> bool {
        self.conns.iter().all(|conn| {
            let link = &links[conn.link];
            link.closed
                || conn.input.is_empty() && conn.output.is_empty() && link.written.len() == 0
        })
    }

    fn execute(&mut self, args: &[Vec<u8>]) -> Result<Vec<u8>, String> {
        let shown: Vec<_> = args
            .iter()
            .map(|arg| String::from_utf8_lossy(&arg[..arg.len().min(40)]).into_owned())
            .collect();
        let tag = args
            .get(1)
            .and_then(|arg| parse_tag(arg))
            .ok_or_else(|| format!("the store was sent a request without a tag: {shown:?}"))?;
        let reply = self.reply(&args[0].to_ascii_lowercase(), &args[1], tag);
        self.ledger.count += 1;
        let order = self.ledger.count;
        let encoded = reply.encode(false);
        let entry = self.ledger.done.entry(tag).or_insert(Execution {
            times: 0,
            reply,
            length: encoded.len(),
            order,
        });
        entry.times += 1;
        if entry.times > 1 {
            return Err(format!("executed twice: {shown:?}"));
        }
        Ok(encoded)
    }

    /// What is answered: something that no other request is answered, wherever the command leaves room for that.
    fn reply(&mut self, name: &[u8], key: &[u8], tag: Tag) -> Reply {
        let text = String::from_utf8_lossy(key).into_owned();
        if self.random.chance(20) {
            return Reply::Error(format!("WRONGTYPE {text}"));
        }
        let bulk = |random: &mut Random| {
            let mut bytes = format!("[{text}]").into_bytes();
            let length = if random.chance(50) { self.longest } else { 30 };
            let length = random.below(length);
            bytes.extend(std::iter::repeat_n(b'v', length));
            Reply::Bulk(bytes)
        };
        let random = &mut self.random;
        match name {
            b"get" if random.chance(150) => Reply::Null,
            b"get" | b"ping" => bulk(random),
            b"mget" => Reply::Array(vec![bulk(random), Reply::Null, bulk(random)]),
            b"lrange" => Reply::Array(vec![
                Reply::Array(vec![bulk(random), Reply::Array(vec![])]),
                Reply::Int(-1),
                bulk(random),
            ]),
            b"hgetall" => Reply::Map(vec![
                Reply::Bulk(b"field".to_vec()),
                bulk(random),
                Reply::Bulk(b"other".to_vec()),
                bulk(random),
            ]),
            b"smembers" => Reply::Set(vec![bulk(random), Reply::Bulk(b"member".to_vec())]),
            b"incr" | b"append" | b"del" => {
                Reply::Int(i64::from(tag.0) * 1_000_000 + i64::from(tag.1))
            }
            _ => Reply::Simple(format!("OK {text}")),
        }
    }
}
