//! The share of a connection in the pool's memory, and the choice of the one that loses it when there is too little.
//!
//! # What a connection may hold
//!
//! A connection holds its unfinished request and the replies that it has not taken. One that holds at
//! most [`SMALL`] bytes is read as long as the pool is below its limit. One that holds more is read only
//! while it holds at most eight times what is free besides a reserve of an eighth of the limit. So
//! one connection may fill three quarters of the memory, twenty get a twentieth each, and however many
//! there are, the reserve is left to small requests. Unfinished requests of peers have as much memory
//! again to themselves: a peer must not wait for what waits for it.
//!
//! # Which connection loses it
//!
//! | event | loser |
//! |---|---|
//! | a request announces more than three quarters of the limit | it is refused at once |
//! | connections have waited a second for memory of their own share | the one of them that holds the most; another a second later, if there still are some |
//! | small requests wait for memory, with nothing under way that would free any or for [`limits::STRAINED_US`], or for two seconds with replies that a front does not take | the connection that keeps the most blocks in use |
//! | twice the limit is in use | the same, at once |
//!
//! An unfinished request is refused, and a connection whose replies are most of what it holds is closed.
//! What counts are blocks, not bytes: a few bytes keep a whole block in use. Before anybody is chosen,
//! such leftovers are packed.

use super::front::{Front, Fronts, Reading};
use super::ids::FrontId;
pub use super::load::SMALL;
use super::msg::{Msgs, OfFront, Queue};
use super::{ConnId, Node, limits};
use crate::clock::Now;
use crate::log_at;
use crate::proto::Failure;

/// How long connections may wait for memory of their share before one of them loses what it holds, in µs.
const SHARE_WAIT_US: u64 = 1_000_000;
/// How long small requests wait for the memory of replies that a front does not take, in µs.
const UNTAKEN_WAIT_US: u64 = 2_000_000;
/// How long leftovers that were packed are left alone, in µs.
const PACKED_US: u64 = 100_000;

/// The fronts that wait for memory.
#[derive(Default)]
pub(super) struct Memory {
    /// Connections that wait for memory of their share, and since when in µs.
    starved: Vec<(ConnId, u64)>,
    /// Blocks in use when they were last looked at.
    used: usize,
    /// Since when small requests have waited, as sweeps have found it.
    stuck: Option<Stuck>,
    /// When leftovers may be packed again, in µs.
    next_pack: u64,
}

impl Memory {
    /// Notes that a front waits for memory of its share, with so many blocks in use.
    pub fn starve(&mut self, id: ConnId, in_use: usize, now: Now) {
        self.starved.push((id, now.mono_us));
        self.used = in_use;
    }

    /// Returns true if a connection waits for memory of its share.
    pub fn is_awaited_by(&self, id: ConnId) -> bool {
        self.starved.iter().any(|(waiting, _)| *waiting == id)
    }
}

/// The pool at its limit, and fronts that wait for it.
#[derive(Clone, Copy, Debug)]
struct Stuck {
    /// The first sweep that found it so, in µs.
    since: u64,
    /// Blocks in use at the last sweep, if nothing was under way that would free any.
    idle_at: Option<usize>,
}

/// Blocks that a front keeps in use, those of its unfinished request and those of its replies.
fn blocks(front: &Front, msgs: &mut Msgs) -> (usize, usize) {
    let mut replies = front.out.blocks();
    let mut entry = front.queue.head().filter(|_| front.waiting > 0);
    while let Some(key) = entry {
        replies += msgs.get(key).map_or(0, |msg| msg.reply.blocks());
        entry = Queue::<OfFront>::after(msgs, key);
    }
    (front.inbound.blocks(), replies)
}

/// The front that keeps the most blocks in use, and how many.
fn holds_the_most(fronts: &Fronts, msgs: &mut Msgs) -> Option<(FrontId, usize)> {
    let held = fronts.iter().map(|(key, front)| {
        let (request, replies) = blocks(front, msgs);
        (key, request + replies)
    });
    held.max_by_key(|of| of.1)
}

/// Returns true if the front that holds the most has taken none of its replies for a while.
fn takes_nothing(fronts: &Fronts, msgs: &mut Msgs, now: Now) -> bool {
    let most = holds_the_most(fronts, msgs).map(|(key, _)| key);
    let front = most.and_then(|key| fronts.get(key));
    front.is_some_and(|front| front.is_stuck_for(UNTAKEN_WAIT_US, now))
}

impl Node {
    /// Lets fronts go on that waited for memory of their share, if some has become free.
    #[inline]
    pub(super) fn feed_starved(&mut self, now: Now) {
        let memory = &self.pressure.memory;
        if !memory.starved.is_empty() && self.pool.in_use() < memory.used {
            self.feed(now);
        }
    }

    #[cold]
    fn feed(&mut self, now: Now) {
        self.pressure.memory.used = self.pool.in_use();
        for (id, since) in std::mem::take(&mut self.pressure.memory.starved) {
            if !self.load(now).exceeds_share(FrontId::of(id)) {
                self.fronts.go_on(id, &mut self.out);
            } else if self.knows(id) {
                self.pressure.memory.starved.push((id, since));
            }
        }
    }

    /// Packs leftovers: of fronts that do not take their replies, and of fronts that have begun requests.
    fn pack_leftovers(&mut self, now: Now) {
        if now.mono_us < self.pressure.memory.next_pack {
            return;
        }
        self.pressure.memory.next_pack = now.mono_us + PACKED_US;
        for (_, front) in self.fronts.iter_mut() {
            front.inbound.compact(&self.pool);
            front.out.pack(&self.pool);
        }
        for (_, msg) in self.flight.msgs.iter_mut() {
            msg.reply.pack(&self.pool);
        }
        for upstream in self.upstreams.iter_mut() {
            upstream.out.pack(&self.pool);
        }
    }

    /// Once a second: one of the connections that have waited for memory of their share loses what it
    /// holds, and small requests that wait are helped.
    pub(super) fn relieve(&mut self, now: Now) {
        self.pick_among_starved(now);
        self.help_waiting(now);
    }

    /// Connections that hold much and cannot go on are refused one by one, until the rest can.
    fn pick_among_starved(&mut self, now: Now) {
        let fronts = &self.fronts;
        let is_waiting = |id: ConnId| {
            let front = fronts.get(FrontId::of(id));
            front.is_some_and(|front| front.id == id && front.reading == Reading::Waiting)
        };
        self.pressure
            .memory
            .starved
            .retain(|(id, _)| is_waiting(*id));
        let over = |(_, since): &&(ConnId, u64)| now.mono_us - since >= SHARE_WAIT_US;
        if !self.pressure.memory.starved.iter().any(|of| over(&of)) {
            return;
        }
        let held = |id: ConnId| {
            let front = self.fronts.get(FrontId::of(id));
            front.map_or(0, |front| front.inbound.len())
        };
        let starved = self.pressure.memory.starved.iter();
        // Those whose unread replies are what they hold have their own time.
        let greedy = starved
            .map(|(id, _)| (*id, held(*id)))
            .filter(|(_, held)| *held > SMALL)
            .max_by_key(|(_, held)| *held);
        if let Some((id, _)) = greedy {
            self.stats.own.memory_limit_hits += 1;
            self.take_memory(FrontId::of(id), now, true);
        }
        // Regardless of what was in use when they were looked at last.
        self.pressure.memory.used = usize::MAX;
        self.feed_starved(now);
    }

    /// Fronts that wait are helped where nothing else helps them: below the limit they go on, so that memory
    /// held for long makes them slow and never stops them; at the limit one front has to make room.
    fn help_waiting(&mut self, now: Now) {
        let stuck = self.pressure.memory.stuck.take();
        if self.pressure.is_idle() {
            return;
        }
        if self.pool.is_strained() {
            self.pack_leftovers(now);
        }
        if !self.load(now).is_exhausted() {
            return self.resume_waiting();
        }
        let mut waiting = std::mem::take(&mut self.pressure.clients);
        waiting.retain(|&id| self.knows(id));
        self.pressure.clients = waiting;
        if !self.pool.is_strained() {
            return;
        }
        let mut stuck = stuck.unwrap_or(Stuck {
            since: now.mono_us,
            idle_at: None,
        });
        // Once may be a moment in which replies are just being taken.
        let held = self.pool.in_use();
        let idle = self.flight.msgs.is_empty();
        let is_stuck = idle && stuck.idle_at.is_some_and(|before| held >= before);
        let waited = now.mono_us - stuck.since;
        let is_due = waited >= limits::STRAINED_US
            || waited >= UNTAKEN_WAIT_US && takes_nothing(&self.fronts, &mut self.flight.msgs, now);
        if is_stuck || is_due {
            self.free_the_most(now);
            stuck.idle_at = None;
        } else {
            stuck.idle_at = idle.then_some(held);
        }
        self.pressure.memory.stuck = Some(stuck);
    }

    /// With twice the limit in use, fronts that hold much of it lose it at once: requests
    /// already under way go on bringing replies, however few more are let in.
    #[inline]
    pub(super) fn shed(&mut self, now: Now) {
        if self.pool.is_overfull() {
            self.shed_the_most(now);
        }
    }

    #[cold]
    fn shed_the_most(&mut self, now: Now) {
        self.pack_leftovers(now);
        let least = limits::SHED_MIN.div_ceil(self.pool.block_size());
        if self.pool.is_overfull()
            && holds_the_most(&self.fronts, &mut self.flight.msgs)
                .is_some_and(|(_, held)| held >= least)
        {
            self.free_the_most(now);
        }
    }

    /// Gets rid of what the front that holds the most memory holds.
    fn free_the_most(&mut self, now: Now) {
        self.stats.own.memory_limit_hits += 1;
        let Some((key, _)) = holds_the_most(&self.fronts, &mut self.flight.msgs) else {
            return;
        };
        let Some(front) = self.fronts.get(key) else {
            return;
        };
        let (request, replies) = blocks(front, &mut self.flight.msgs);
        self.take_memory(key, now, request >= replies);
    }

    /// Takes from a front what it holds: refuses its unfinished request, or closes it.
    fn take_memory(&mut self, key: FrontId, now: Now, is_request: bool) {
        let Some(front) = self.fronts.get_mut(key) else {
            return;
        };
        if key.is_peer() || front.reading == Reading::Off || !is_request {
            log_at!(
                Alert,
                "out of buffers: {} holds the most and is closed",
                front.log_name()
            );
            self.close_front(key, false);
        } else {
            log_at!(
                Alert,
                "out of buffers: refusing the largest unfinished request, of {}",
                front.log_name()
            );
            front.inbound.clear();
            self.refuse_unfinished(key, now, Failure::OutOfBuffers);
        }
    }
}
