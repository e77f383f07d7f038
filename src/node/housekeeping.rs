//! What is done by the clock: timeouts, reconnects, quiet connections, shutdown.

use super::front::{Front, Fronts, Reading};
use super::upstream::{State, Upstream};
use super::{Node, limits};
use crate::clock::Now;
use crate::log_at;
use crate::mbuf::Pool;
use crate::proto::Failure;

/// The pool at its limit, and fronts that wait for it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Stuck {
    /// The first sweep that found it so, in µs.
    since: u64,
    /// Blocks in use at the last sweep, if nothing was under way that would free any.
    idle_at: Option<usize>,
}

impl Node {
    /// When [`Node::tick`] is due next, in µs of the monotonic clock.
    pub fn next_deadline(&self) -> u64 {
        [
            Some(self.earliest),
            self.drain_until,
            self.prepared_until(),
            self.held.next_us(),
            self.store_probe.next_us(),
        ]
        .into_iter()
        .flatten()
        .fold(self.next_sweep, u64::min)
    }

    /// Does everything that is due. Returns how many bytes of buffers were given back, so that the
    /// driver may tell the allocator.
    pub fn tick(&mut self, now: Now) -> usize {
        if self.earliest <= now.mono_us {
            for slot in 0..self.upstreams.len() {
                if self
                    .upstream_deadline(slot)
                    .is_some_and(|at| at <= now.mono_us)
                {
                    self.tick_upstream(slot, now);
                }
            }
            self.expire_retries(now);
            let deadlines =
                (0..self.upstreams.len()).filter_map(|slot| self.upstream_deadline(slot));
            let deadlines = deadlines.chain(self.retries.next_us());
            self.earliest = deadlines.min().unwrap_or(u64::MAX);
        }
        self.expire_held(now);
        self.probe_store(now);
        if self.drain_until.is_some_and(|at| at <= now.mono_us) {
            self.drain_over = true;
            self.close_all();
        }
        if now.mono_us < self.next_sweep {
            return 0;
        }
        self.next_sweep = now.mono_us + limits::SWEEP_US;
        self.sweep(now)
    }

    /// Looks after quiet connections and gives memory back.
    fn sweep(&mut self, now: Now) -> usize {
        let (mut stalled, mut deaf) = (Vec::new(), Vec::new());
        for (key, front) in self.fronts.iter_mut() {
            let quiet = tidy(front, &self.pool, now);
            let (incomplete, unread) = match Fronts::is_peer(key) {
                false => (limits::INCOMPLETE_US, limits::UNREAD_US),
                true => (limits::PEER_QUIET_US, limits::PEER_QUIET_US),
            };
            if quiet >= incomplete && !front.inbound.is_empty() && front.reading == Reading::On {
                stalled.push(key);
            }
            if (front.closing || front.ended || front.reading == Reading::Full || front.is_full())
                && !front.out.is_empty()
                && now.mono_us.saturating_sub(front.taken.max(front.heard)) >= unread
            {
                deaf.push(key);
            }
        }
        for key in deaf {
            if let Some(front) = self.fronts.get(key) {
                log_at!(Warn, "{} does not read its replies, closing", front.told());
            }
            self.close_front(key, false);
        }
        for key in stalled {
            if !Fronts::is_peer(key) {
                let line = Failure::NotInTime.line(self.options.store);
                self.refuse_stream(key, now, line.as_bytes());
            } else if let Some(front) = self.fronts.get(key) {
                log_at!(
                    Warn,
                    "{} has fallen silent in the middle of a message, closing",
                    front.told()
                );
                self.close_front(key, false);
            }
        }
        self.relieve(now);
        self.retire();
        self.stats.hist.roll(now);
        let mut freed = self.pool.trim();
        if self.msgs.is_empty() && self.msgs.capacity() > 1024 {
            freed += self.msgs.capacity() * size_of::<super::msg::Msg>();
            self.msgs.shrink_to_fit();
        }
        let clients = &mut self.fronts.clients;
        if clients.capacity() > 64 && clients.len() < clients.capacity() / 4 {
            clients.shrink_to_fit();
            self.dirty_fronts.shrink_to(64);
            self.waiting.shrink_to(64);
            freed += size_of::<super::client::Client>();
        }
        freed
    }

    /// Fronts that wait are helped if nobody else does: below the limit they go on, so that memory
    /// held for long makes them slow and never stops them; at the limit, with nothing in flight that
    /// would free any or for [`limits::STRAINED_US`], the one that holds the most has to go.
    fn relieve(&mut self, now: Now) {
        let stuck = self.stuck.take();
        if self.waiting.is_empty() && self.waiting_peers.is_empty() {
            return;
        }
        if !self.is_exhausted(now) {
            return self.resume_waiting();
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|&id| self.knows(id));
        self.waiting = waiting;
        if !self.pool.is_strained() {
            return;
        }
        let mut stuck = stuck.unwrap_or(Stuck {
            since: now.mono_us,
            idle_at: None,
        });
        // Once may be a moment in which replies are just being taken.
        let held = self.pool.in_use();
        let idle = self.msgs.is_empty();
        let is_stuck = idle && stuck.idle_at.is_some_and(|before| held >= before);
        if is_stuck || now.mono_us - stuck.since >= limits::STRAINED_US {
            self.free_the_most(now);
            stuck.idle_at = None;
        } else {
            stuck.idle_at = idle.then_some(held);
        }
        self.stuck = Some(stuck);
    }

    /// With twice as much memory in use as may be, whoever holds much of it loses it at once: requests
    /// already under way go on bringing replies, however few more are let in.
    #[inline]
    pub(super) fn shed(&mut self, now: Now) {
        if self.pool.is_overfull()
            && self
                .holds_the_most()
                .is_some_and(|(_, held)| held >= limits::SHED_MIN)
        {
            self.free_the_most(now);
        }
    }

    /// The front that holds the most memory, and how much.
    fn holds_the_most(&self) -> Option<(u32, usize)> {
        let held = |front: &Front| front.inbound.len() + front.untaken();
        let fronts = self.fronts.iter();
        fronts
            .map(|(key, front)| (key, held(front)))
            .max_by_key(|of| of.1)
    }

    /// Gets rid of what the front that holds the most memory holds.
    fn free_the_most(&mut self, now: Now) {
        self.stats.own.memory_limit_hits += 1;
        let Some((key, _)) = self.holds_the_most() else {
            return;
        };
        let Some(front) = self.fronts.get_mut(key) else {
            return;
        };
        if Fronts::is_peer(key)
            || front.reading == Reading::Off
            || front.untaken() > front.inbound.len()
        {
            log_at!(
                Alert,
                "out of buffers: {} holds the most and is closed",
                front.told()
            );
            self.close_front(key, false);
        } else {
            log_at!(
                Alert,
                "out of buffers: refusing the largest unfinished request"
            );
            front.inbound.clear();
            let line = Failure::OutOfBuffers.line(self.options.store);
            self.refuse_stream(key, now, line.as_bytes());
        }
    }

    /// Begins to shut down: nothing more is read; clients close as their answers are out.
    pub fn drain(&mut self, now: Now) {
        self.drain_until = Some(now.mono_us + limits::DRAIN_US);
        self.refuse_held(now);
        for key in self.fronts.keys() {
            if let Some(front) = self.fronts.get_mut(key) {
                front.stop();
            }
            self.close_if_settled(key);
        }
    }

    /// Whether a node that shuts down has no client left, and no peer that may not have got a write
    /// yet; or its time is over.
    pub fn is_drained(&self) -> bool {
        let owed =
            |peer: &Upstream| !peer.is_store() && peer.state == State::Up && !peer.queue.is_empty();
        self.is_draining()
            && self.fronts.is_empty()
            && (self.drain_over || !self.upstreams.iter().any(owed))
    }

    /// Closes every front as it is.
    fn close_all(&mut self) {
        for key in self.fronts.keys() {
            self.close_front(key, false);
        }
    }
}

/// Moves the little that a quiet front holds to where it pins no buffer. Returns how long it has
/// been quiet, in µs.
fn tidy(front: &mut Front, pool: &Pool, now: Now) -> u64 {
    let quiet = now.mono_us.saturating_sub(front.heard);
    if quiet >= limits::SWEEP_US && !(front.inbound.is_empty() && front.out.is_empty()) {
        front.inbound.compact(pool);
        front.out.compact(limits::COMPACT_OUT, pool);
    }
    quiet
}
