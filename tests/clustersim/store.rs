//! A model of a datastore: keeps its data, answers in order, and misbehaves on demand.
//!
//! Every key a client sends is `{name}c<client>.<seq>`. Nodes hash the name only, and the store keeps values
//! by the name; the rest identifies the request, so that the ledger knows which were executed where, how
//! often, and what was answered.

use crate::clustersim::link::Link;
use crate::clustersim::memcached::{self, Answer, Memcached, Outcome};
use crate::clustersim::plan::Plan;
use crate::clustersim::random::Random;
use crate::clustersim::resp::{self, Reply};
use crate::clustersim::server::{Served, Server, ServerCanary};
use crate::clustersim::tag::{Tag, parse_key};
use dynomite::config::StoreKind;
use std::collections::{BTreeSet, HashMap};

#[derive(Clone, Debug)]
enum Value {
    Text(Vec<u8>),
    Number(i64),
    Set(BTreeSet<Vec<u8>>),
}

/// What became of one request for one key.
#[derive(Clone, Debug, Default)]
pub struct Done {
    /// The commands it came as.
    verbs: Vec<String>,
    /// When, counted in requests.
    pub order: u64,
    /// The reply: of Redis its bytes, of memcached what it means ([`told`]).
    pub reply: Vec<u8>,
    /// The version of the item in the reply, if any.
    pub unique: u64,
}

/// How it breaks on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreCanary {
    Server(ServerCanary),
    /// Says that it has stored a value and has not.
    Lies,
    /// A memcached that is as quiet as the client asks: the node has left the quiet flag in the requests.
    IsQuietAsTold,
    /// A memcached that stores any version it is asked for.
    IgnoresVersions,
}

pub struct Store {
    pub server: Server,
    mind: Mind,
}

/// What runs the requests.
struct Mind {
    /// The node it belongs to.
    node: usize,
    kind: StoreKind,
    random: Random,
    calm: bool,
    canary: Option<StoreCanary>,
    executed: u64,
    data: HashMap<String, Value>,
    cache: Memcached,
    done: HashMap<(Tag, String), Done>,
    tracing: bool,
    /// What was run since the last time.
    trace: String,
}

/// What a reply of memcached says of one key, in a form that is the same for all commands and
/// replicas. Errors of the server's begin with `-`.
pub fn told(outcome: &Outcome) -> Vec<u8> {
    match outcome {
        Outcome::Value { flags, data } => {
            [format!("VALUE {flags} ").as_bytes(), data.as_slice()].concat()
        }
        Outcome::Error(line) if line.starts_with("CLIENT_ERROR") => line.clone().into_bytes(),
        Outcome::Error(line) => format!("-{line}").into_bytes(),
        other => format!("{other:?}").into_bytes(),
    }
}

impl Store {
    pub fn new(node: usize, mut random: Random, calm: bool, kind: StoreKind) -> Store {
        Store {
            server: Server::new(random.fork(), calm),
            mind: Mind {
                node,
                kind,
                random,
                calm,
                canary: None,
                executed: 0,
                data: HashMap::new(),
                cache: Memcached::default(),
                done: HashMap::new(),
                tracing: false,
                trace: String::new(),
            },
        }
    }

    /// Tells from now on what it runs.
    pub fn trace(&mut self) {
        self.mind.tracing = true;
    }

    /// It never misbehaves.
    pub fn be_calm(&mut self) {
        self.server.calm = true;
        self.mind.calm = true;
    }

    pub fn break_on_purpose(&mut self, canary: StoreCanary) {
        self.mind.canary = Some(canary);
        if let StoreCanary::Server(canary) = canary {
            self.server.canary = Some(canary);
        }
    }

    /// From now on it behaves.
    pub fn calm_down(&mut self) {
        self.server.calm_down();
        self.mind.calm = true;
    }

    /// Sets a value behind everybody's back.
    pub fn put(&mut self, name: &str, value: &str) {
        self.mind.cache.put(name, value);
        self.mind
            .data
            .insert(name.into(), Value::Text(value.into()));
    }

    /// Whether it is well again at this time. Returns what to trace.
    pub fn recover(&mut self, now: u64) -> Option<String> {
        let well = self.server.recover(now);
        well.then(|| format!("store {} is well", self.mind.node))
    }

    /// Falls ill for some time. Returns what to trace.
    pub fn fall_ill(&mut self, now: u64, length: u64, links: &mut [Link]) -> String {
        let text = self.server.fall_ill(now, length, links);
        format!("store {} {text}", self.mind.node)
    }

    /// Does a little on one of its connections, at a time in seconds since the Unix epoch. Returns
    /// what to trace.
    pub fn act(
        &mut self,
        links: &mut [Link],
        plan: &Plan,
        secs: u64,
    ) -> Result<Option<String>, String> {
        let mind = &mut self.mind;
        let mut serve = |input: &[u8]| mind.serve(input, plan, secs);
        let answered = self.server.act(links, &mut serve)?;
        let ran = std::mem::take(&mut self.mind.trace);
        Ok((answered > 0).then(|| format!("store {} answers {answered}:{ran}", self.mind.node)))
    }

    /// How many different keys it was ever asked about.
    pub fn names(&self) -> usize {
        let names: std::collections::HashSet<_> =
            self.mind.done.keys().map(|(_, name)| name).collect();
        names.len()
    }

    /// What became of a request for a key, if it came here.
    pub fn done(&self, tag: Tag, key: &str) -> Option<&Done> {
        self.mind.done.get(&(tag, key.to_string()))
    }

    /// What it answered to a request for a key, if it did.
    pub fn answered(&self, tag: Tag, key: &str) -> Option<&[u8]> {
        self.done(tag, key).map(|done| done.reply.as_slice())
    }

    /// The flags and the value that a memcached has under a name at a time.
    pub fn peek(&self, name: &str, secs: u64) -> Option<(u32, &[u8])> {
        self.mind.cache.peek(name, secs)
    }
}

/// Returns true if replicas get the time at which a key expires, not its time to live. They are where there are several, all of
/// whose clocks the nodes know: what goes to another datacenter may be passed on to a node there that has not
/// been reached yet.
fn wants_moments(plan: &Plan) -> bool {
    matches!(plan.racks[..], [racks] if racks > 1)
}

impl Mind {
    fn serve(&mut self, input: &[u8], plan: &Plan, secs: u64) -> Result<Option<Served>, String> {
        let node = self.node;
        let sent = |why: String| format!("store {node} was sent {why}");
        let lies = self.canary == Some(StoreCanary::Lies) && self.random.chance(20);
        let (length, reply) = match self.kind {
            StoreKind::Redis => match resp::request(input).map_err(sent)? {
                Some((args, length)) if lies && args.len() == 3 => (length, b"+OK\r\n".to_vec()),
                Some((args, length)) => (length, self.execute(&args, plan)?),
                None => return Ok(None),
            },
            StoreKind::Memcache => match memcached::request(input).map_err(sent)? {
                Some((request, length)) if lies && request.verb == "set" => {
                    (length, b"STORED\r\n".to_vec())
                }
                Some((request, length)) => (length, self.run(request, plan, secs)?),
                None => return Ok(None),
            },
        };
        Ok(Some(Served { length, reply }))
    }

    /// Takes note of a request for one key, and looks at whether it may be here at all.
    fn enter(
        &mut self,
        verb: &str,
        key: &str,
        tag: Tag,
        plan: &Plan,
        shown: &dyn Fn() -> String,
    ) -> Result<(), String> {
        if !plan.may_own(self.node, key) {
            return Err(format!("does not own {key}: {}", shown()));
        }
        let done = self.done.entry((tag, key.into())).or_default();
        if done.verbs.is_empty() {
            done.order = self.executed;
        }
        // What a C node does not know comes to it in two steps.
        let in_two = |a: &str, b: &str| a == "touch" && matches!(b, "get" | "gets");
        let again = done
            .verbs
            .iter()
            .find(|other| !in_two(verb, other) && !in_two(other, verb));
        if again.is_some() {
            return Err(format!("executed twice: {}", shown()));
        }
        done.verbs.push(verb.into());
        if self.tracing {
            self.trace += &format!(" {verb} {key} of {tag:?}");
        }
        Ok(())
    }

    /// Runs a request to memcached.
    fn run(
        &mut self,
        mut request: memcached::Request,
        plan: &Plan,
        secs: u64,
    ) -> Result<Vec<u8>, String> {
        let me = self.node;
        let asked = request.clone();
        let shown = || format!("store {me}: {asked:?}").chars().take(300).collect();
        if request.verb == "version" {
            let answers = self.cache.run(&request, secs, |_| String::new());
            return Ok(memcached::reply(&request, &answers));
        }
        if request.quiet {
            return Err(format!("told to be quiet: {}", shown()));
        }
        self.executed += 1;
        let mut keys = Vec::new();
        for key in &request.keys {
            let key = parse_key(key).ok_or_else(|| format!("no such key: {}", shown()))?;
            self.enter(&request.verb, &key.0, key.1, plan, &shown)?;
            keys.push(key);
        }
        if self.canary == Some(StoreCanary::IgnoresVersions) && request.verb == "cas" {
            request.verb = "set".into();
        }
        let refuses = !self.calm && request.verb == "get" && self.random.chance(20);
        let answers: Vec<Answer> = match refuses {
            true => {
                let error = Outcome::Error("SERVER_ERROR out of memory reading request".into());
                keys.iter().map(|_| error.clone().into()).collect()
            }
            false => self
                .cache
                .run(&request, secs, |key| parse_key(key).unwrap_or_default().0),
        };
        for ((name, tag), answer) in keys.into_iter().zip(&answers) {
            let tells = matches!(request.verb.as_str(), "gets" | "gats")
                || request.verb == "mg" && request.token('c').is_some();
            if let Some(done) = self.done.get_mut(&(tag, name))
                && (request.verb != "touch" || done.verbs.len() == 1)
            {
                done.reply = told(&answer.outcome);
                done.unique = if tells { answer.unique } else { 0 };
            }
        }
        request.quiet = self.canary == Some(StoreCanary::IsQuietAsTold) && self.random.chance(100);
        Ok(match &answers[0].outcome {
            Outcome::Error(line) => format!("{line}\r\n").into_bytes(),
            _ => memcached::reply(&request, &answers),
        })
    }

    /// Runs a request to Redis, and looks at whether it may be here at all.
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
        let relative = [&b"EX"[..], b"PX"];
        if args.iter().any(|arg| relative.contains(&&arg[..])) && wants_moments(plan) {
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
            self.enter(&name, &key, tag, plan, &shown)?;
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
}
