//! What is done by the clock: timeouts, reconnects, quiet connections, shutdown.

use super::front::{Front, Reading};
use super::timers::Timer;
use super::upstream::Upstream;
use super::{Node, limits};
use crate::clock::Now;
use crate::log_at;
use crate::mbuf::Pool;
use crate::proto::Failure;

impl Node {
    /// When [`Node::tick`] is due next, in µs of the monotonic clock.
    pub fn next_deadline(&self) -> u64 {
        self.timers.next()
    }

    /// Does everything that is due. Returns how many bytes of buffers were given back, so that the
    /// driver may inform the allocator.
    pub fn tick(&mut self, now: Now) -> usize {
        if self.timers.is_due(Timer::Upstreams, now) || self.timers.is_due(Timer::Retries, now) {
            for slot in self.upstreams.slots() {
                if self
                    .upstream_deadline(slot)
                    .is_some_and(|at| at <= now.mono_us)
                {
                    self.tick_upstream(slot, now);
                }
            }
            self.expire_retries(now);
            let deadlines = self
                .upstreams
                .slots()
                .filter_map(|slot| self.upstream_deadline(slot));
            self.timers.set_or_stop(Timer::Upstreams, deadlines.min());
            self.timers
                .set_or_stop(Timer::Retries, self.flight.retries.next_us());
        }
        if self.timers.is_due(Timer::ParkedWrites, now) {
            self.expire_parked_writes(now);
        }
        if self.timers.is_due(Timer::Scripts, now) {
            self.look_for_scripts(now);
        }
        if self.timers.is_due(Timer::Probe, now) {
            self.probe_store(now);
        }
        if self.timers.is_due(Timer::ClientPause, now) {
            self.unpause_clients();
        }
        if self.timers.is_due(Timer::Drain, now) {
            self.drain_over = true;
            self.close_all();
        }
        if !self.timers.is_due(Timer::Sweep, now) {
            return 0;
        }
        self.timers
            .set(Timer::Sweep, now.mono_us + limits::SWEEP_US);
        self.sweep(now)
    }

    /// Looks after quiet connections and gives memory back.
    fn sweep(&mut self, now: Now) -> usize {
        let (mut stalled, mut deaf) = (Vec::new(), Vec::new());
        for (key, front) in self.fronts.iter_mut() {
            let quiet = tidy(front, &self.pool, now);
            let (incomplete, unread) = match key.is_peer() {
                false => (limits::INCOMPLETE_US, limits::UNREAD_US),
                true => (limits::PEER_QUIET_US, limits::PEER_QUIET_US),
            };
            if quiet >= incomplete && !front.inbound.is_empty() && front.reading == Reading::On {
                stalled.push(key);
            }
            let is_done = front.closing || front.ended;
            let is_unread = (is_done || front.reading == Reading::Full || front.is_full())
                && !front.out.is_empty()
                && now.mono_us.saturating_sub(front.taken.max(front.heard)) >= unread;
            if is_unread || front.is_stuck_for(limits::UNREAD_FEW_US, now) {
                deaf.push(key);
            }
        }
        for key in deaf {
            if let Some(front) = self.fronts.get(key) {
                log_at!(
                    Warn,
                    "{} does not read its replies, closing",
                    front.log_name()
                );
            }
            self.close_front(key, false);
        }
        for key in stalled {
            if !key.is_peer() {
                self.refuse_unfinished(key, now, Failure::NotInTime);
            } else if let Some(front) = self.fronts.get(key) {
                log_at!(
                    Warn,
                    "{} has fallen silent in the middle of a message, closing",
                    front.log_name()
                );
                self.close_front(key, false);
            }
        }
        self.close_silent_strangers(now);
        self.relieve(now);
        self.retire();
        self.upstreams.iter_mut().for_each(Upstream::trim_throttled);
        self.send_cards(now);
        self.stats.hist.roll(now);
        let mut freed = self.pool.trim();
        if self.flight.msgs.is_empty() && self.flight.msgs.capacity() > 1024 {
            freed += self.flight.msgs.capacity() * size_of::<super::msg::Msg>();
            self.flight.msgs.shrink_to_fit();
        }
        let clients = &mut self.fronts.clients;
        if clients.capacity() > 64 && clients.len() < clients.capacity() / 4 {
            clients.shrink_to_fit();
            self.out.shrink();
            self.pressure.clients.shrink_to(64);
            freed += size_of::<super::client::Client>();
        }
        freed
    }

    /// Begins to shut down: nothing more is read; clients close as their answers are out.
    pub fn drain(&mut self, now: Now) {
        self.timers
            .set(Timer::Drain, now.mono_us + limits::DRAIN_US);
        self.refuse_parked_writes(now);
        for key in self.fronts.ids() {
            if let Some(front) = self.fronts.get_mut(key) {
                front.stop();
            }
            self.close_if_settled(key);
        }
    }

    /// Returns true if a node that shuts down has no client left, and no peer that may not have got a write
    /// yet; or its time is over.
    pub fn is_drained(&self) -> bool {
        let owed = |peer: &Upstream| {
            !peer.is_store() && peer.state.is_connected() && !peer.queue.is_empty()
        };
        self.is_draining()
            && self.fronts.is_empty()
            && (self.drain_over || !self.upstreams.iter().any(owed))
    }

    /// Closes every front as it is.
    fn close_all(&mut self) {
        for key in self.fronts.ids() {
            self.close_front(key, false);
        }
    }
}

/// Packs what little of each block a quiet front holds. Returns how long it has
/// been quiet, in µs.
fn tidy(front: &mut Front, pool: &Pool, now: Now) -> u64 {
    let quiet = now.mono_us.saturating_sub(front.heard);
    if quiet >= limits::SWEEP_US && !(front.inbound.is_empty() && front.out.is_empty()) {
        front.inbound.compact(pool);
        front.out.pack(pool);
    }
    quiet
}
