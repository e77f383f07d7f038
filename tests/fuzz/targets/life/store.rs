//! A datastore of a story: answers at once or step by step, rightly or wrongly, and refuses, hangs or closes.

use super::Canary;
use super::words::{MEMCACHE_ERRORS, REDIS_ERRORS};
use crate::simulated::link::Link;
use crate::simulated::memcached::{self, Memcached};
use crate::simulated::resp::{self, Reply};
use crate::simulated::tag::{self, Tag};
use dynomite::config::StoreKind;
use std::collections::HashSet;

struct Conn {
    link: usize,
    input: Vec<u8>,
    /// The rest of a reply that was sent in part.
    rest: Vec<u8>,
}

pub struct Store {
    kind: StoreKind,
    conns: Vec<Conn>,
    /// It answers at once; otherwise one request a step.
    pub answers_at_once: bool,
    /// Accepts or refuses connections; `None` leaves attempts hanging.
    pub accepts: Option<bool>,
    cache: Memcached,
    /// Writes that were executed, each of which may come once.
    done: HashSet<(Tag, String)>,
    canary: Option<Canary>,
}

/// How the next request on a connection is answered.
#[derive(Clone, Copy, Debug)]
pub enum How {
    Right,
    /// By an error, or by a reply of another type.
    Wrong(usize),
    /// The first half of the right reply; the rest comes with the next answer.
    InPart,
}

impl Store {
    pub fn new(kind: StoreKind, canary: Option<Canary>) -> Store {
        Store {
            kind,
            conns: Vec::new(),
            answers_at_once: true,
            accepts: Some(true),
            cache: Memcached::default(),
            done: HashSet::new(),
            canary,
        }
    }

    pub fn connected(&mut self, link: usize) {
        self.conns.push(Conn {
            link,
            input: Vec::new(),
            rest: Vec::new(),
        });
    }

    /// The link of one of its connections.
    pub fn link(&self, number: usize) -> Option<usize> {
        let at = number % self.conns.len().max(1);
        self.conns.get(at).map(|conn| conn.link)
    }

    /// Reads and answers, if it answers at once. Returns true if anything happened.
    ///
    /// # Errors
    /// A node has sent what is no request in canonical form, or a write a second time.
    pub fn act(&mut self, links: &mut [Link], secs: u64) -> Result<bool, String> {
        let mut has_acted = false;
        self.conns.retain(|conn| {
            let link = &links[conn.link];
            !link.closed && !link.is_reset() && !link.fin_sent
        });
        for at in 0..self.conns.len() {
            let conn = &mut self.conns[at];
            let link = &mut links[conn.link];
            let n = link.written.len();
            if n > 0 && self.answers_at_once {
                has_acted = true;
                conn.input.extend_from_slice(link.written.view());
                link.written.clear();
                link.take(n);
            }
            if self.answers_at_once {
                while self.answer(at, How::Right, links, secs)? {
                    has_acted = true;
                }
            }
        }
        Ok(has_acted)
    }

    /// Answers the next request on one of its connections. Returns true if there was one.
    pub fn answer_one(
        &mut self,
        number: usize,
        how: How,
        links: &mut [Link],
        secs: u64,
    ) -> Result<bool, String> {
        let at = number % self.conns.len().max(1);
        let Some(conn) = self.conns.get_mut(at) else {
            return Ok(false);
        };
        let link = &mut links[conn.link];
        let n = link.written.len();
        if n > 0 {
            conn.input.extend_from_slice(link.written.view());
            link.written.clear();
            link.take(n);
        }
        self.answer(at, how, links, secs)
    }

    fn answer(
        &mut self,
        at: usize,
        how: How,
        links: &mut [Link],
        secs: u64,
    ) -> Result<bool, String> {
        let conn = &mut self.conns[at];
        let (link, rest) = (conn.link, std::mem::take(&mut conn.rest));
        links[link].flight.push(&rest);
        let input = std::mem::take(&mut conn.input);
        if self.canary == Some(Canary::RunsTwice) {
            self.serve(&input, secs)?;
        }
        let served = self.serve(&input, secs);
        let conn = &mut self.conns[at];
        conn.input = input;
        let Some((length, mut reply)) = served? else {
            return Ok(!rest.is_empty());
        };
        conn.input.drain(..length);
        match how {
            How::Right => {}
            How::Wrong(which) => {
                let wrong = match self.kind {
                    StoreKind::Redis => REDIS_ERRORS,
                    StoreKind::Memcache => MEMCACHE_ERRORS,
                };
                reply = wrong[which % wrong.len()].into();
            }
            How::InPart => conn.rest = reply.split_off(reply.len() / 2),
        }
        links[link].flight.push(&reply);
        Ok(true)
    }

    /// The length of the first request, and its reply.
    fn serve(&mut self, input: &[u8], secs: u64) -> Result<Option<(usize, Vec<u8>)>, String> {
        match self.kind {
            StoreKind::Redis => {
                let Some((args, length)) = resp::request(input)? else {
                    return Ok(None);
                };
                let reply = self.execute(&args)?;
                Ok(Some((length, reply.encode(false))))
            }
            StoreKind::Memcache => {
                let Some((request, length)) = memcached::request(input)? else {
                    return Ok(None);
                };
                let name = |key: &[u8]| match tag::parse_key(key) {
                    Some((name, _)) => name,
                    None => String::from_utf8_lossy(key).into_owned(),
                };
                let answers = self.cache.run(&request, secs, name);
                let error = answers.first().and_then(|answer| match &answer.outcome {
                    memcached::Outcome::Error(line) => Some(format!("{line}\r\n").into_bytes()),
                    _ => None,
                });
                let reply = error.unwrap_or_else(|| memcached::reply(&request, &answers));
                Ok(Some((length, reply)))
            }
        }
    }

    /// A reply that depends on the request alone, so that replicas agree. A value names the request.
    fn execute(&mut self, args: &[Vec<u8>]) -> Result<Reply, String> {
        let name =
            String::from_utf8_lossy(args.first().map_or(&[][..], |name| name)).to_ascii_lowercase();
        let tags: Vec<(String, Tag)> = args.iter().filter_map(|arg| tag::parse_key(arg)).collect();
        let value = |at: usize| match tags.get(at) {
            Some((_, (client, seq))) => {
                let seq = seq + u32::from(self.canary == Some(Canary::SwapsReplies));
                Reply::Bulk(tag::text((*client, seq)).into())
            }
            None => Reply::Null,
        };
        if matches!(name.as_str(), "set" | "incr" | "sadd" | "mset") {
            for (key, of) in &tags {
                if !self.done.insert((*of, key.clone())) {
                    return Err(format!("runs {name} of {of:?} twice"));
                }
            }
        }
        Ok(match name.as_str() {
            "ping" => match args.get(1) {
                Some(text) => Reply::Bulk(text.clone()),
                None => Reply::Simple("PONG".into()),
            },
            // Commands that a C node does not know come inside a script while the peer is unknown.
            "eval" if args.len() > 4 && args[1] != b"return 1" => {
                Reply::Bulk(self.execute(&args[4..])?.encode(false))
            }
            "get" | "getex" | "spop" | "hget" | "echo" => value(0),
            "mget" => Reply::Array((0..tags.len()).map(value).collect()),
            "smembers" => Reply::Set(vec![value(0)]),
            "zrange" => Reply::Array(vec![value(0), Reply::Bulk(b"1".to_vec())]),
            "sort" | "keys" | "exec" => Reply::Array(vec![value(0)]),
            "scan" => Reply::Array(vec![Reply::Bulk(b"0".to_vec()), Reply::Array(Vec::new())]),
            "incr" => Reply::Int(tags.first().map_or(1, |(_, of)| number(*of))),
            "del" | "exists" | "unlink" | "touch" => Reply::Int(tags.len() as i64),
            "xadd" => Reply::Bulk(b"1700000000000-0".to_vec()),
            "hincrbyfloat" => Reply::Bulk(b"1.5".to_vec()),
            "time" => Reply::Array(vec![
                Reply::Bulk(b"1700000000".to_vec()),
                Reply::Bulk(b"0".to_vec()),
            ]),
            "info" => Reply::Bulk(b"# Server\r\nredis_version:7.4.0\r\n".to_vec()),
            "evalsha" => Reply::Error("NOSCRIPT No matching script.".into()),
            "script" => Reply::Bulk(b"0123456789012345678901234567890123456789".to_vec()),
            "set" | "mset" | "setex" | "psetex" | "config" => Reply::Simple("OK".into()),
            _ => Reply::Int(1),
        })
    }
}

/// The reply to an `INCR`, which names the request too.
pub fn number((client, seq): Tag) -> i64 {
    i64::from(client) * 1_000_000 + i64::from(seq)
}
