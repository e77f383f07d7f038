//! A model of a client: sends requests that name themselves, and waits for an answer to each.

mod memcache;
mod redis;

use crate::clustersim::judge::{self, Asked, Hearing, What, World};
use crate::clustersim::link::{Bytes, Link};
use crate::clustersim::memcached;
use crate::clustersim::random::Random;
use crate::clustersim::resp;
use crate::clustersim::versions::Versions;
use dynomite::config::StoreKind;
use dynomite::consistency::Consistency;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// How a client's life ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ending {
    /// Closes when everything has been answered.
    Polite,
    /// Ends its stream behind the last request, and reads on.
    Half,
    /// Vanishes at once, even with requests under way.
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
    kind: StoreKind,
    pub depth: usize,
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
    /// How many of those that wait may have been answered already, by errors that did not say whose they were.
    answered_to: BTreeSet<usize>,
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
    /// It does little else than to compare and swap.
    swaps: bool,
    /// The latest versions of items it received.
    known: BTreeMap<String, u64>,
    /// Compare-and-swaps that were done.
    pub swapped: Vec<Asked>,
}

impl Client {
    pub fn new(
        mut random: Random,
        number: u32,
        node: usize,
        link: usize,
        levels: [Consistency; 2],
        kind: StoreKind,
    ) -> Client {
        let random = &mut random;
        let depth = random.pick(&[1, 3, 16]);
        let swaps = kind == StoreKind::Memcache && random.chance(300);
        Client {
            number,
            node,
            link,
            kind,
            depth,
            left: random.between(1, if depth > 2 { 40 } else { 10 }) as u32,
            seq: 0,
            longest: random.pick(&[1, 1, 100, 3000]),
            names: if swaps { 1 } else { random.pick(&[1, 3, 20]) },
            levels,
            ending: None,
            unsent: Bytes::default(),
            made: 0,
            waiting: VecDeque::new(),
            answered_to: BTreeSet::from([0]),
            inbox: Vec::new(),
            slow: random.chance(100),
            due: 0,
            gone: false,
            answered: 0,
            errors: 0,
            sent: Vec::new(),
            swaps,
            known: BTreeMap::new(),
            swapped: Vec::new(),
            random: random.fork(),
        }
    }

    /// Makes one more request, or a few that belong together.
    fn make(&mut self) {
        match self.kind {
            StoreKind::Redis => self.make_redis(),
            StoreKind::Memcache => self.make_memcache(),
        }
    }

    /// Lets a request follow those that are to be sent.
    fn queue(&mut self, bytes: &[u8], asked: Asked) {
        self.unsent.push(bytes);
        self.made += bytes.len() as u64;
        self.sent.push(asked.clone());
        self.waiting.push_back(Request {
            asked,
            end: self.made,
            read_at: None,
        });
        self.seq += 1;
    }

    /// Takes the next request from the queue. What waits behind it may be as late as its answer.
    fn done_waiting(&mut self, world: &World<'_>) -> Option<Request> {
        let request = self.waiting.pop_front()?;
        let granted = judge::granted(&request.asked, world);
        self.due = self.due.max(request.read_at.unwrap_or(0) + granted);
        Some(request)
    }

    /// Waits no more for answers that will not come.
    fn forget_silent(&mut self, world: &World<'_>) {
        while self.waiting.front().is_some_and(|request| {
            request.asked.hearing == Hearing::Silent && request.read_at.is_some()
        }) {
            self.done_waiting(world);
        }
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
    pub fn judge(
        &mut self,
        link: &mut Link,
        world: &World<'_>,
        versions: &mut Versions,
    ) -> Result<(), String> {
        for request in &mut self.waiting {
            if request.read_at.is_none() && request.end <= link.taken() {
                request.read_at = Some(world.now);
            }
        }
        self.forget_silent(world);
        if link.written.len() > 0 {
            self.inbox.extend_from_slice(link.written.view());
            link.written.clear();
            let delimit = match self.kind {
                StoreKind::Redis => resp::delimit,
                StoreKind::Memcache => memcached::delimit,
            };
            let mut at = 0;
            while let Some(length) = delimit(&self.inbox[at..])? {
                let reply = self.inbox[at..at + length].to_vec();
                self.hear(&reply, world, versions)?;
                self.forget_silent(world);
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
        let mut due = self.due;
        let overdue = self.waiting.iter().find(|request| {
            let granted = judge::granted(&request.asked, world);
            due = due.max(request.read_at.unwrap_or(u64::MAX / 2) + granted);
            request.asked.hearing == Hearing::Plain
        });
        let overdue = overdue.filter(|_| world.now > due);
        match overdue {
            Some(request) if !link.blocked && !link.is_reset() && !link.edges.any() => {
                Err(format!("no answer in time: {request:?}"))
            }
            _ => Ok(()),
        }
    }

    /// Judges one reply.
    fn hear(
        &mut self,
        reply: &[u8],
        world: &World<'_>,
        versions: &mut Versions,
    ) -> Result<(), String> {
        let text = String::from_utf8_lossy(&reply[..reply.len().min(80)]).into_owned();
        if world.tight && judge::is_out_of_buffers(self.kind, reply) {
            // What it was sending is given up, and the connection with it.
            self.waiting.clear();
            self.calm_down();
            return Ok(());
        }
        if self.pass_over_quiet(reply, world)? {
            return Ok(());
        }
        let Some(request) = self.done_waiting(world) else {
            return Err(format!("was sent {text:?} and waits for nothing"));
        };
        if request.read_at.is_none() {
            return Err(format!("was sent {text:?} before it asked"));
        }
        self.answered += 1;
        self.errors += usize::from(judge::is_error(self.kind, reply));
        let asked = &request.asked;
        let of = |why: String| format!("{asked:?} was answered {text:?}: {why}");
        match self.kind {
            StoreKind::Redis => judge::answer(asked, reply, self.node, world).map_err(of),
            StoreKind::Memcache => {
                let told = judge::memcache::answer(asked, reply, self.node, world).map_err(of)?;
                self.learn(asked.clone(), &told, world, versions)
                    .map_err(of)
            }
        }
    }

    /// Skips quiet requests that got no reply before this one. Whether it was an error of
    /// one of those. An error does not say whose it is, so that several places in the queue may be where
    /// the answers are: all of them are kept in mind until a reply that has a name.
    fn pass_over_quiet(&mut self, reply: &[u8], world: &World<'_>) -> Result<bool, String> {
        let quiet = |request: &&Request| {
            request.asked.hearing == Hearing::Quiet && request.read_at.is_some()
        };
        let run: Vec<&Asked> = self
            .waiting
            .iter()
            .take_while(quiet)
            .map(|of| &of.asked)
            .collect();
        let silent = |from: usize, to: usize| {
            let mut between = run[from..to].iter();
            between.try_for_each(|asked| judge::memcache::silence(asked, self.node, world))
        };
        if !run.is_empty() && memcached::is_error(reply) {
            let accepts = |at: usize| {
                judge::memcache::answer(run[at], reply, self.node, world).is_ok()
                    && self
                        .answered_to
                        .iter()
                        .any(|&from| from <= at && silent(from, at).is_ok())
            };
            let possible: BTreeSet<usize> = (0..run.len())
                .filter(|&at| accepts(at))
                .map(|at| at + 1)
                .collect();
            let Some(&first) = possible.first() else {
                let reply = String::from_utf8_lossy(reply);
                return Err(format!("{reply:?}: none of the quiet"));
            };
            self.answered_to = possible.iter().map(|at| at - first).collect();
            self.answered += 1;
            for _ in 0..first {
                self.done_waiting(world);
            }
            return Ok(true);
        }
        let named = run.iter().position(|asked| asked.is_named_in(reply));
        let end = named.unwrap_or(run.len());
        // The latest place leaves the fewest to be silent.
        let from = self.answered_to.iter().filter(|&&at| at <= end).max();
        let from = from.ok_or("what was answered already is answered again")?;
        silent(*from, end)?;
        self.answered_to = BTreeSet::from([0]);
        for _ in 0..end {
            self.done_waiting(world);
        }
        Ok(false)
    }

    /// Records the versions it received, and its successful swaps.
    fn learn(
        &mut self,
        asked: Asked,
        told: &[memcached::Answer],
        world: &World<'_>,
        versions: &mut Versions,
    ) -> Result<(), String> {
        for (name, answer) in asked.names.iter().zip(told) {
            if answer.unique > 0 {
                versions.told(&asked, name, answer, self.node, world)?;
                self.known.insert(name.clone(), answer.unique);
            }
        }
        let outcome = told.first().map(|answer| &answer.outcome);
        if asked.what == What::Cas && outcome == Some(&memcached::Outcome::Stored) {
            versions.won(&asked)?;
            self.swapped.push(asked);
        }
        Ok(())
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

    /// Returns true if it has sent all it wants to.
    pub fn is_quiet(&self) -> bool {
        self.ending.is_some() && self.unsent.len() == 0
    }

    /// Requests it sent and got no answer to yet.
    pub fn unanswered(&self) -> usize {
        self.waiting.len()
    }
}
