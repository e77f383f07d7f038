//! A model of the datastore: answers each request once, in order; and misbehaves on demand.
//!
//! Every request to Redis carries a tag, `c<client>.<seq>`, in its first argument, and the reply names it.
//! Memcached is a model that keeps its items ([`Memcached`]); a tag stands in every key
//! ([`crate::sim::tag`]). The ledger keeps what was executed under a tag and what was answered, so a reply that
//! reaches the wrong request is seen.

use crate::sim::link::Link;
use crate::sim::memcached::{self, Memcached, Outcome};
use crate::sim::random::Random;
use crate::sim::resp::{self, Reply};
use crate::sim::server::{Served, Server, ServerCanary};
use crate::sim::tag::{self, Tag};
use dynomite::config::StoreKind;
use std::collections::HashMap;

/// The tag in the first argument of a request to Redis.
pub fn parse_tag(bytes: &[u8]) -> Option<Tag> {
    tag::parse(std::str::from_utf8(bytes).ok()?.split(':').next()?)
}

/// A reply, for clients of either version of a protocol.
#[derive(Debug)]
pub enum Said {
    Redis(Reply),
    Memcache(Vec<u8>),
}

impl Said {
    pub fn encode(&self, resp3: bool) -> Vec<u8> {
        match self {
            Said::Redis(reply) => reply.encode(resp3),
            Said::Memcache(reply) => reply.clone(),
        }
    }
}

/// What became of one request at the datastore.
#[derive(Debug)]
pub struct Execution {
    pub times: u32,
    pub reply: Said,
    /// Bytes of the reply.
    pub length: usize,
    /// When, counted in executions.
    pub order: u64,
    /// A client that wants quiet replies gets none.
    pub nominal: bool,
    /// Versions in the reply, by the names of their items.
    pub versions: Vec<(String, u64)>,
}

/// Everything the datastore ever did.
#[derive(Default)]
pub struct Ledger {
    pub done: HashMap<Tag, Execution>,
    count: u64,
}

/// How it breaks on purpose, to see that it would be noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreCanary {
    Server(ServerCanary),
    /// It is as quiet as the client asks: the node has left the quiet flag in the requests.
    IsQuietAsTold,
}

const MAD_REDIS: &[&[u8]] = &[
    b"?what\r\n",
    b"$5\r\nabcdefgh\r\n",
    b"*-7\r\n",
    b"%1\r\n+a\r\n+b\r\n",
    b"\r\n",
    b"$999999999999\r\n",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
];
const MAD_MEMCACHE: &[&[u8]] = &[
    b"?what\r\n",
    b"VALUE k 0 3\r\nabcdefgh\r\nEND\r\n",
    b"VALUE k 0 x\r\n",
    b"VALUE k 0 99999999999999999999\r\n",
    b"VA x\r\n",
    b"\r\n",
    b"-ERR what\r\n",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
];

pub struct Store {
    random: Random,
    server: Server,
    pub mind: Mind,
}

/// What runs the requests.
pub struct Mind {
    random: Random,
    kind: StoreKind,
    cache: Memcached,
    is_quiet_as_told: bool,
    /// Longest value in a reply of Redis, or longest reply of memcached so far.
    pub longest: usize,
    pub ledger: Ledger,
}

impl Store {
    pub fn new(mut random: Random, calm: bool, kind: StoreKind) -> Store {
        let mut server = Server::new(random.fork(), calm);
        let (longest, madness) = match kind {
            StoreKind::Redis => (random.pick(&[10, 200, 3000, 60_000]), MAD_REDIS),
            StoreKind::Memcache => (0, MAD_MEMCACHE),
        };
        server.madness = madness;
        Store {
            server,
            mind: Mind {
                random: random.fork(),
                kind,
                cache: Memcached::default(),
                is_quiet_as_told: false,
                longest,
                ledger: Ledger::default(),
            },
            random,
        }
    }

    pub fn break_on_purpose(&mut self, canary: StoreCanary) {
        match canary {
            StoreCanary::Server(canary) => self.server.canary = Some(canary),
            StoreCanary::IsQuietAsTold => self.mind.is_quiet_as_told = true,
        }
    }

    /// Whether a connection can be made now; `None` if the attempt is left hanging.
    pub fn accepts(&self) -> Option<bool> {
        self.server.accepts()
    }

    pub fn connected(&mut self, link: usize) {
        self.server.connected(link);
    }

    /// From now on it behaves.
    pub fn calm_down(&mut self) {
        self.server.calm_down();
    }

    /// Changes its mood now and then. Returns what to trace.
    pub fn brood(&mut self, now: u64, timeout: u64, links: &mut [Link]) -> Option<String> {
        if self.server.recover(now) {
            return Some("the store is well".into());
        }
        if self.server.calm || !self.server.is_well() || !self.random.chance(4) {
            return None;
        }
        let length = self.random.below(4 * timeout as usize) as u64;
        let text = self.server.fall_ill(now, length, links);
        Some(format!("the store {text}"))
    }

    /// Does a little on one of its connections, at a time in seconds since the Unix epoch. Returns
    /// what to trace.
    pub fn act(&mut self, links: &mut [Link], secs: u64) -> Result<Option<String>, String> {
        let mind = &mut self.mind;
        let answered = self
            .server
            .act(links, &mut |input| mind.serve(input, secs))?;
        Ok((answered > 0).then(|| format!("the store answers {answered}")))
    }

    /// Returns true if it has nothing left to do.
    pub fn is_idle(&self, links: &[Link]) -> bool {
        self.server.is_idle(links)
    }
}

impl Mind {
    fn serve(&mut self, input: &[u8], secs: u64) -> Result<Option<Served>, String> {
        let sent = |why: String| format!("the store was sent {why}");
        let (length, reply) = match self.kind {
            StoreKind::Redis => match resp::request(input).map_err(sent)? {
                Some((args, length)) => (length, self.execute(&args)?),
                None => return Ok(None),
            },
            StoreKind::Memcache => match memcached::request(input).map_err(sent)? {
                Some((request, length)) => (length, self.run(request, secs)?),
                None => return Ok(None),
            },
        };
        Ok(Some(Served { length, reply }))
    }

    /// Takes note of what was done.
    fn enter(&mut self, tag: Tag, execution: Execution) -> Result<(), String> {
        self.ledger.count += 1;
        let order = self.ledger.count;
        let entry = self
            .ledger
            .done
            .entry(tag)
            .or_insert(Execution { order, ..execution });
        entry.times += 1;
        match entry.times {
            1 => Ok(()),
            _ => Err(format!("executed twice: {tag:?}")),
        }
    }

    /// Runs a request to memcached.
    fn run(&mut self, mut request: memcached::Request, secs: u64) -> Result<Vec<u8>, String> {
        if request.verb == "version" {
            return Ok(memcached::reply(&request, &[]));
        }
        if request.quiet {
            // It would be, and the next reply would be taken for that of this request.
            return Err(format!("the store was told to be quiet: {request:?}"));
        }
        let mut keys = Vec::new();
        for key in &request.keys {
            let key = tag::parse_key(key);
            keys.push(
                key.ok_or_else(|| format!("the store was sent a key without a tag: {request:?}"))?,
            );
        }
        let tag = keys[0].1;
        if let Some(data) = &request.data {
            let text = String::from_utf8_lossy(data);
            let written = text.trim_end_matches('x') == tag::text(tag);
            if !written && text.parse::<u64>().is_err() {
                return Err(format!("the store was sent what nobody wrote: {request:?}"));
            }
        }
        let name = |key: &[u8]| tag::parse_key(key).unwrap_or_default().0;
        let answers = match self.random.chance(20) {
            true => {
                let line = format!("SERVER_ERROR out of memory for {}", tag::text(tag));
                vec![Outcome::Error(line).into()]
            }
            false => self.cache.run(&request, secs, name),
        };
        let reply = match &answers[0].outcome {
            Outcome::Error(line) => format!("{line}\r\n").into_bytes(),
            _ => memcached::reply(&request, &answers),
        };
        self.longest = self.longest.max(reply.len());
        let told = keys
            .iter()
            .zip(&answers)
            .filter(|(_, answer)| answer.unique > 0);
        self.enter(
            tag,
            Execution {
                times: 0,
                length: reply.len(),
                order: 0,
                nominal: answers[0].outcome.is_nominal(&request.verb),
                versions: told
                    .map(|(key, answer)| (key.0.clone(), answer.unique))
                    .collect(),
                reply: Said::Memcache(reply.clone()),
            },
        )?;
        request.quiet = self.is_quiet_as_told && self.random.chance(100);
        Ok(match request.quiet {
            true => memcached::reply(&request, &answers),
            false => reply,
        })
    }
    fn execute(&mut self, args: &[Vec<u8>]) -> Result<Vec<u8>, String> {
        if args == [b"INFO".to_vec(), b"server".to_vec()] {
            // The node's own question, for a client's `HELLO`.
            return Ok(b"$21\r\nredis_version:7.4.1\r\n\r\n".to_vec());
        }
        let shown: Vec<_> = args
            .iter()
            .map(|arg| String::from_utf8_lossy(&arg[..arg.len().min(40)]).into_owned())
            .collect();
        let tag = args
            .get(1)
            .and_then(|arg| parse_tag(arg))
            .ok_or_else(|| format!("the store was sent a request without a tag: {shown:?}"))?;
        let reply = self.reply(&args[0].to_ascii_lowercase(), &args[1], tag);
        let encoded = reply.encode(false);
        self.enter(
            tag,
            Execution {
                times: 0,
                length: encoded.len(),
                order: 0,
                nominal: false,
                versions: Vec::new(),
                reply: Said::Redis(reply),
            },
        )
        .map_err(|why| format!("{why}, {shown:?}"))?;
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
