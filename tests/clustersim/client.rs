//! A model of a client: sends requests that name themselves, and waits for an answer to each.

use crate::judge::{self, Asked, What, World};
use crate::link::{Bytes, Link};
use crate::random::Random;
use crate::resp;
use dynomite::consistency::Consistency;
use std::collections::VecDeque;

/// How a client's life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Closes when everything has been answered.
    Polite,
    /// Ends its stream behind the last request, and reads on.
    Half,
    /// Is gone at once, whatever is under way.
    Abort,
}

#[derive(Debug)]
struct Request {
    asked: Asked,
    /// Where it ends in the client's stream.
    end: u64,
    /// When the node had read all of it.
    read_at: Option<u64>,
}

pub struct Client {
    pub number: u32,
    /// The node it speaks to.
    pub node: usize,
    pub link: usize,
    random: Random,
    depth: usize,
    left: u32,
    seq: u32,
    longest: usize,
    names: usize,
    /// In force for reads and for writes.
    levels: [Consistency; 2],
    ending: Option<Ending>,
    unsent: Bytes,
    made: u64,
    waiting: VecDeque<Request>,
    inbox: Vec<u8>,
    slow: bool,
    /// No answer so far may have been later than this, nor the ones that wait behind it.
    due: u64,
    pub gone: bool,
    /// Requests that were answered.
    pub answered: usize,
    /// Answers that are errors of the cluster.
    pub errors: usize,
    /// Requests it sent, for what the datastores must hold in the end.
    pub sent: Vec<Asked>,
}

impl Client {
    pub fn new(
        mut random: Random,
        number: u32,
        node: usize,
        link: usize,
        levels: [Consistency; 2],
    ) -> Client {
        let random = &mut random;
        let depth = random.pick(&[1, 3, 16]);
        Client {
            number,
            node,
            link,
            depth,
            left: random.between(1, if depth > 2 { 40 } else { 10 }) as u32,
            seq: 0,
            longest: random.pick(&[1, 1, 100, 3000]),
            names: random.pick(&[1, 3, 20]),
            levels,
            ending: None,
            unsent: Bytes::default(),
            made: 0,
            waiting: VecDeque::new(),
            inbox: Vec::new(),
            slow: random.chance(100),
            due: 0,
            gone: false,
            answered: 0,
            errors: 0,
            sent: Vec::new(),
            random: random.fork(),
        }
    }

    /// Makes one more request.
    fn make(&mut self) {
        let random = &mut self.random;
        let tag = (self.number, self.seq);
        let (family, what) = match random.below(23) {
            0..=5 => ('s', What::Set),
            6..=9 => ('s', What::Get),
            10..=11 => ('n', What::Incr),
            12 => ('n', What::Get),
            13 => ('s', What::Del),
            14 => ('s', What::Exists),
            15..=16 => ('s', What::Mget),
            17 => ('s', What::Mset),
            18 => ('m', random.pick(&[What::Sadd, What::Smembers])),
            19 => ('s', What::SetEx),
            20..=21 => ('p', random.pick(&[What::Sadd, What::Sadd, What::Spop])),
            _ => match random.chance(300) {
                true => ('s', What::Level(random.pick(&Consistency::ALL))),
                false => ('s', random.pick(&[What::Echo, What::Dbsize])),
            },
        };
        let count = match what {
            What::Del | What::Exists | What::Mget | What::Mset => random.between(1, 5),
            _ => 1,
        };
        let mut names: Vec<String> = Vec::new();
        for _ in 0..count {
            let name = format!("{family}{}", random.below(self.names));
            if !names.contains(&name) {
                names.push(name);
            }
        }
        let tail = format!("c{}.{}", tag.0, tag.1);
        let mut value = tail.clone().into_bytes();
        value.resize(value.len() + random.below(self.longest), b'x');
        let mut args: Vec<Vec<u8>> = vec![what.word().as_bytes().to_vec()];
        match what {
            What::Level(level) => {
                args.push(level.name().into());
                self.levels = [level; 2];
            }
            What::Echo => args.push(value),
            What::Dbsize => {}
            _ => {
                for name in &names {
                    args.push(format!("{{{name}}}{tail}").into_bytes());
                    if matches!(what, What::Set | What::SetEx | What::Mset | What::Sadd) {
                        args.push(value.clone());
                    }
                }
            }
        }
        if what == What::SetEx {
            args.extend([b"EX".to_vec(), b"1000".to_vec()]);
        }
        let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
        let bytes = resp::command(&args);
        self.unsent.push(&bytes);
        self.made += bytes.len() as u64;
        let asked = Asked {
            tag,
            what,
            names,
            level: self.levels[usize::from(what.is_write())],
        };
        self.sent.push(asked.clone());
        self.waiting.push_back(Request {
            asked,
            end: self.made,
            read_at: None,
        });
        self.seq += 1;
    }

    /// Hurries to its end.
    pub fn calm_down(&mut self) {
        self.left = 0;
        self.slow = false;
    }

    /// Does a little. Returns what to trace.
    pub fn act(&mut self, link: &mut Link) -> Option<String> {
        if self.gone || link.closed {
            return None;
        }
        if link.is_reset() {
            self.gone = true;
            return Some(format!("client {} is gone", self.number));
        }
        if link.waiting > 0 && !(self.slow && self.random.chance(900)) {
            link.take(link.waiting);
        }
        while self.left > 0 && self.waiting.len() < self.depth {
            self.left -= 1;
            self.make();
        }
        if self.left == 0 && self.ending.is_none() && self.random.chance(300) {
            let ending = match self.random.below(10) {
                0..=1 => Ending::Half,
                2..=3 => Ending::Abort,
                _ => Ending::Polite,
            };
            self.ending = Some(ending);
            if ending == Ending::Abort {
                link.reset();
            }
            return Some(format!("client {} ends: {ending:?}", self.number));
        }
        let n = match self.random.below(3) {
            0 if self.unsent.len() > 0 => 1 + self.random.below(self.unsent.len()),
            _ => self.unsent.len(),
        };
        if n > 0 {
            self.unsent.move_to(&mut link.flight, n);
            return Some(format!("client {} sends {n}", self.number));
        }
        let over = match self.ending {
            Some(Ending::Half) => true,
            Some(Ending::Polite) => self.waiting.is_empty(),
            _ => false,
        };
        if over && !link.fin_sent {
            link.fin_sent = true;
            return Some(format!("client {} ends its stream", self.number));
        }
        None
    }

    /// Judges what the node has written since the last time.
    pub fn judge(&mut self, link: &mut Link, world: &World<'_>) -> Result<(), String> {
        for request in &mut self.waiting {
            if request.read_at.is_none() && request.end <= link.read {
                request.read_at = Some(world.now);
            }
        }
        if link.written.len() > 0 {
            self.inbox.extend_from_slice(link.written.view());
            link.written.clear();
            let mut at = 0;
            while let Some(length) = resp::delimit(&self.inbox[at..])? {
                let reply = &self.inbox[at..at + length];
                let text = String::from_utf8_lossy(&reply[..reply.len().min(80)]).into_owned();
                if world.tight && reply == b"-ERR Dynomite: out of buffers\r\n" {
                    // What it was sending is given up, and the connection with it.
                    self.waiting.clear();
                    self.calm_down();
                    at += length;
                    continue;
                }
                let Some(request) = self.waiting.pop_front() else {
                    return Err(format!("was sent {text:?} and waits for nothing"));
                };
                if request.read_at.is_none() {
                    return Err(format!("was sent {text:?} before it asked"));
                }
                self.answered += 1;
                let granted = judge::granted(&request.asked, world);
                self.due = self.due.max(request.read_at.unwrap_or(0) + granted);
                self.errors += usize::from(judge::is_error(reply));
                judge::answer(&request.asked, reply, self.node, world)
                    .map_err(|why| format!("{:?} was answered {text:?}: {why}", request.asked))?;
                at += length;
            }
            self.inbox.drain(..at);
        }
        if link.closed {
            self.gone = true;
            let politely = self.waiting.is_empty() && link.fin_sent;
            if !politely && !link.is_reset() && !world.disturbed {
                return Err(format!("was closed, {} unanswered", self.waiting.len()));
            }
            return Ok(());
        }
        let overdue = self.waiting.front().filter(|request| {
            let granted = judge::granted(&request.asked, world);
            let due = request.read_at.map(|at| self.due.max(at + granted));
            due.is_some_and(|due| world.now > due)
        });
        match overdue {
            Some(request) if !link.blocked && !link.is_reset() && !link.edges.any() => {
                Err(format!("no answer in time: {request:?}"))
            }
            _ => Ok(()),
        }
    }

    /// What it waits for.
    pub fn describe(&self) -> String {
        format!(
            "client {} at node {}: {} left, {} unsent, {:?}, waits for {} requests, first {:?}",
            self.number,
            self.node,
            self.left,
            self.unsent.len(),
            self.ending,
            self.waiting.len(),
            self.waiting.front()
        )
    }

    /// Whether it has sent all it wants to.
    pub fn is_quiet(&self) -> bool {
        self.ending.is_some() && self.unsent.len() == 0
    }

    /// Requests it sent and got no answer to yet.
    pub fn unanswered(&self) -> usize {
        self.waiting.len()
    }
}
