//! A model of a datastore: keeps what it is told, answers in order, and misbehaves as told.
//!
//! Every key a client sends is `{name}c<client>.<seq>`. Nodes hash the name only, and the store keeps values
//! by the name; the rest tells which request it was, so that the ledger knows who was executed where, how
//! often, and what was answered.

use crate::link::Link;
use crate::plan::Plan;
use crate::random::Random;
use crate::resp::{self, Reply};
use std::collections::{BTreeSet, HashMap};

/// Which request: client and running number.
pub type Tag = (u32, u32);

/// The name and the tag in a key as it was sent.
pub fn parse_key(bytes: &[u8]) -> Option<(String, Tag)> {
    let text = std::str::from_utf8(bytes).ok()?.strip_prefix('{')?;
    let (name, tag) = text.split_once('}')?;
    let (client, seq) = tag.strip_prefix('c')?.split_once('.')?;
    Some((name.into(), (client.parse().ok()?, seq.parse().ok()?)))
}

#[derive(Clone, Debug)]
enum Value {
    Text(Vec<u8>),
    Number(i64),
    Set(BTreeSet<Vec<u8>>),
}

/// What became of one request for one key.
#[derive(Clone, Debug)]
pub struct Done {
    pub times: u32,
    /// When, counted in requests.
    pub order: u64,
    pub reply: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Well,
    /// Reads and answers nothing until then.
    Stalled(u64),
    /// Refuses connections until then.
    Dead(u64),
}

/// How it breaks on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreCanary {
    SwapsReplies,
    ExecutesTwice,
    SkipsReply,
    /// Says `OK` and does nothing.
    Lies,
}

struct Conn {
    link: usize,
    input: Vec<u8>,
    output: Vec<u8>,
    swapped: Option<Vec<u8>>,
}

pub struct Store {
    /// The node it belongs to.
    node: usize,
    random: Random,
    conns: Vec<Conn>,
    mood: Mood,
    pub calm: bool,
    pub canary: Option<StoreCanary>,
    executed: u64,
    data: HashMap<String, Value>,
    pub done: HashMap<(Tag, String), Done>,
}

impl Store {
    pub fn new(node: usize, random: Random, calm: bool) -> Store {
        Store {
            node,
            random,
            conns: Vec::new(),
            mood: Mood::Well,
            calm,
            canary: None,
            executed: 0,
            data: HashMap::new(),
            done: HashMap::new(),
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
            swapped: None,
        });
    }

    /// From now on it behaves.
    pub fn calm_down(&mut self) {
        self.calm = true;
        self.mood = Mood::Well;
    }

    /// Answers nothing until it is told to.
    pub fn stall(&mut self) {
        self.mood = Mood::Stalled(u64::MAX);
    }

    /// Sets a value behind everybody's back.
    pub fn put(&mut self, name: &str, value: &str) {
        self.data.insert(name.into(), Value::Text(value.into()));
    }

    /// Whether it is well again at this time. Returns what to trace.
    pub fn recover(&mut self, now: u64) -> Option<String> {
        match self.mood {
            Mood::Stalled(until) | Mood::Dead(until) if until <= now => {
                self.mood = Mood::Well;
                Some(format!("store {} is well", self.node))
            }
            _ => None,
        }
    }

    /// Falls ill for some time.
    pub fn fall_ill(&mut self, now: u64, length: u64, links: &mut [Link]) -> String {
        if self.random.chance(600) {
            self.mood = Mood::Stalled(now + length);
            return format!("store {} stalls for {length} µs", self.node);
        }
        self.mood = Mood::Dead(now + length);
        for conn in self.conns.drain(..) {
            if self.random.chance(500) {
                links[conn.link].reset();
            } else {
                links[conn.link].fin_sent = true;
            }
        }
        format!("store {} dies for {length} µs", self.node)
    }

    /// Does a little on one of its connections. Returns what to trace.
    pub fn act(&mut self, links: &mut [Link], plan: &Plan) -> Result<Option<String>, String> {
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
                    self.execute(&args, plan)?;
                }
            }
            return Ok(None);
        }
        let unread = link.written.len();
        if unread > 0 {
            let n = match self.random.below(4) {
                0 => 1 + self.random.below(unread),
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
        while executed < most {
            let Some((args, length)) = resp::request(&self.conns[at].input)
                .map_err(|why| format!("store {} was sent {why}", self.node))?
            else {
                break;
            };
            self.conns[at].input.drain(..length);
            executed += 1;
            let reply = match self.canary {
                Some(StoreCanary::Lies) if args.len() == 3 && self.random.chance(20) => {
                    b"+OK\r\n".to_vec()
                }
                _ => self.execute(&args, plan)?,
            };
            match self.canary {
                Some(StoreCanary::ExecutesTwice) if self.random.chance(20) => {
                    self.execute(&args, plan)?;
                }
                Some(StoreCanary::SkipsReply) if self.random.chance(20) => continue,
                Some(StoreCanary::SwapsReplies)
                    if self.conns[at].swapped.is_none() && self.random.chance(100) =>
                {
                    self.conns[at].swapped = Some(reply);
                    continue;
                }
                _ => {}
            }
            let conn = &mut self.conns[at];
            conn.output.extend_from_slice(&reply);
            if let Some(held) = conn.swapped.take() {
                conn.output.extend_from_slice(&held);
            }
        }
        let conn = &mut self.conns[at];
        let ready = conn.output.len();
        if ready > 0 {
            let n = match self.random.below(4) {
                0 => 1 + self.random.below(ready),
                _ => ready,
            };
            links[conn.link].flight.push(&conn.output[..n]);
            conn.output.drain(..n);
        }
        Ok((executed > 0).then(|| format!("store {} answers {executed}", self.node)))
    }

    /// Whether it has nothing left to do.
    pub fn is_idle(&self, links: &[Link]) -> bool {
        let stalled = matches!(self.mood, Mood::Stalled(_));
        stalled
            || self.conns.iter().all(|conn| {
                let link = &links[conn.link];
                link.closed
                    || conn.input.is_empty() && conn.output.is_empty() && link.written.len() == 0
            })
    }

    /// Runs a request, and looks at whether it may be here at all.
    fn execute(&mut self, args: &[Vec<u8>], plan: &Plan) -> Result<Vec<u8>, String> {
        let me = self.node;
        let shown = || {
            let text = |arg: &Vec<u8>| String::from_utf8_lossy(&arg[..arg.len().min(30)]).into();
            let args: Vec<String> = args.iter().map(text).collect();
            format!("store {me}: {}", args.join(" "))
        };
        let name = String::from_utf8_lossy(&args[0]).to_ascii_lowercase();
        if name == "ping" {
            return Ok(match args.get(1) {
                Some(text) => Reply::Bulk(text.clone()).encode(false),
                None => b"+PONG\r\n".to_vec(),
            });
        }
        if name == "eval" {
            // What a C node would not know comes inside a script, until it is known that it is none.
            let inner = args.get(4..).filter(|inner| !inner.is_empty());
            let inner = inner.ok_or_else(|| format!("no request: {}", shown()))?;
            return Ok(Reply::Bulk(self.execute(inner, plan)?).encode(false));
        }
        if name == "dbsize" {
            return Ok(Reply::Int(self.data.len() as i64).encode(false));
        }
        let alone = plan.racks.iter().sum::<usize>() == 1;
        if args.iter().any(|arg| arg == b"EX") && !alone {
            return Err(format!("every replica has a clock of its own: {}", shown()));
        }
        let step = if name == "mset" { 2 } else { 1 };
        let last = match name.as_str() {
            "mset" | "mget" | "del" | "exists" => args.len(),
            _ => 2,
        };
        self.executed += 1;
        let mut replies = Vec::new();
        for at in (1..last).step_by(step) {
            let (key, tag) = args
                .get(at)
                .and_then(|key| parse_key(key))
                .ok_or_else(|| format!("no such key: {}", shown()))?;
            if !plan.owns(self.node, &key) {
                return Err(format!("does not own {key}: {}", shown()));
            }
            let seen = self.done.entry((tag, key.clone())).or_insert(Done {
                times: 0,
                order: self.executed,
                reply: Vec::new(),
            });
            seen.times += 1;
            if seen.times > 1 {
                return Err(format!("executed twice: {}", shown()));
            }
            let reply = self.one(&name, &key, args.get(at + 1));
            if let Some(done) = self.done.get_mut(&(tag, key)) {
                done.reply = reply.encode(false);
            }
            replies.push(reply);
        }
        let reply = match name.as_str() {
            "mget" => Reply::Array(replies),
            "mset" => Reply::Simple("OK".into()),
            "del" | "exists" => Reply::Int(
                replies
                    .iter()
                    .filter(|reply| matches!(reply, Reply::Int(1)))
                    .count() as i64,
            ),
            _ => replies.remove(0),
        };
        Ok(reply.encode(false))
    }

    fn one(&mut self, name: &str, key: &str, value: Option<&Vec<u8>>) -> Reply {
        let value = || value.cloned().unwrap_or_default();
        if !self.calm && name == "get" && self.random.chance(20) {
            return Reply::Error("LOADING the data".into());
        }
        let found = self.data.get_mut(key);
        match (name, found) {
            ("set" | "mset", _) => {
                self.data.insert(key.into(), Value::Text(value()));
                Reply::Simple("OK".into())
            }
            ("get" | "mget", Some(Value::Text(text))) => Reply::Bulk(text.clone()),
            ("get" | "mget", Some(Value::Number(n))) => Reply::Bulk(n.to_string().into_bytes()),
            ("get", Some(Value::Set(_))) => Reply::Error("WRONGTYPE".into()),
            ("get" | "mget", _) => Reply::Null,
            ("incr", Some(Value::Number(n))) => {
                *n += 1;
                Reply::Int(*n)
            }
            ("incr", None) => {
                self.data.insert(key.into(), Value::Number(1));
                Reply::Int(1)
            }
            ("incr", _) => Reply::Error("ERR value is not an integer".into()),
            ("del", found) => {
                let there = found.is_some();
                self.data.remove(key);
                Reply::Int(there.into())
            }
            ("exists", found) => Reply::Int(found.is_some().into()),
            ("sadd", Some(Value::Set(set))) => Reply::Int(set.insert(value()).into()),
            ("sadd", None) => {
                let set = BTreeSet::from([value()]);
                self.data.insert(key.into(), Value::Set(set));
                Reply::Int(1)
            }
            ("smembers", Some(Value::Set(set))) => {
                // In an order of its own.
                let mut members: Vec<Reply> = set.iter().cloned().map(Reply::Bulk).collect();
                let at = self.node % members.len().max(1);
                members.rotate_left(at);
                Reply::Set(members)
            }
            ("spop", Some(Value::Set(set))) => {
                let at = self.random.below(set.len());
                let member = set.iter().nth(at).cloned().unwrap_or_default();
                set.remove(&member);
                if set.is_empty() {
                    self.data.remove(key);
                }
                Reply::Bulk(member)
            }
            ("spop", None) => Reply::Null,
            ("srem", Some(Value::Set(set))) => {
                let there = set.remove(&value());
                if set.is_empty() {
                    self.data.remove(key);
                }
                Reply::Int(there.into())
            }
            ("srem", None) => Reply::Int(0),
            ("smembers", None) => Reply::Set(Vec::new()),
            (_, _) => Reply::Error("WRONGTYPE".into()),
        }
    }

    /// How many different keys it was ever asked about.
    pub fn names(&self) -> usize {
        let names: std::collections::HashSet<_> = self.done.keys().map(|(_, name)| name).collect();
        names.len()
    }

    /// When it ran a request for a key, if it did.
    pub fn order(&self, tag: Tag, key: &str) -> Option<u64> {
        let done = self.done.get(&(tag, key.to_string()));
        done.map(|done| done.order)
    }

    /// What it answered to a request for a key, if it did.
    pub fn answered(&self, tag: Tag, key: &str) -> Option<&[u8]> {
        self.done
            .get(&(tag, key.to_string()))
            .map(|done| done.reply.as_slice())
    }
}
