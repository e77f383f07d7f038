//! How long an upstream is waited for: requests that take too long, connections that are not made,
//! and those that have fallen silent.

use super::Node;
use super::flight::lost::{Fate, Lost};
use super::ids::{ReqId, SlotId};
use super::timers::Timer;
use super::upstream::{Loss, State, Upstream, lane};
use crate::clock::Now;
use crate::cluster::topology::Distance;
use crate::log_at;

impl Node {
    /// How long a message may wait on an upstream, in µs.
    fn granted(&self, distance: Distance, lane: usize) -> u64 {
        self.granted[distance as usize][lane]
    }

    /// The same for a read.
    pub(super) fn granted_read(&self, distance: Distance) -> u64 {
        self.granted(distance, 0)
    }

    /// What an upstream waits for next, as a time in µs.
    pub(super) fn upstream_deadline(&self, slot: SlotId) -> Option<u64> {
        let upstream = self.upstreams.get(slot)?;
        match upstream.state {
            State::Idle | State::Gone => None,
            // While shutting down it is not tried again.
            State::Down { retry_at } => (!self.is_draining()).then_some(retry_at),
            State::Connecting { since, .. } => {
                let connected = Some(since + self.connect_patience());
                [
                    connected,
                    self.due_at(upstream),
                    self.parked_until(upstream),
                ]
                .into_iter()
                .flatten()
                .min()
            }
            State::Handshake | State::Up => {
                let throttled_until = upstream.throttled_until();
                let unused_at = self.unused_at(slot);
                let parked_until = self.parked_until(upstream);
                [
                    self.due_at(upstream),
                    self.dead_at(slot),
                    throttled_until,
                    unused_at,
                    parked_until,
                ]
                .into_iter()
                .flatten()
                .min()
            }
        }
    }

    /// Lets the node be ticked in time for an upstream whose state has changed.
    pub(super) fn note_deadline(&mut self, slot: SlotId) {
        let at = self.upstream_deadline(slot);
        self.timers
            .advance(Timer::Upstreams, at.unwrap_or(u64::MAX));
    }

    /// When the next request on an upstream has waited too long.
    fn due_at(&self, upstream: &Upstream) -> Option<u64> {
        let due = (0..2).filter_map(|lane| {
            let msg = self.flight.get(upstream.due[lane]?)?;
            Some(msg.start + self.granted(upstream.distance, lane))
        });
        due.min()
    }

    /// How long a connection may take to be made, in µs.
    pub(super) fn connect_patience(&self) -> u64 {
        self.options.timeout_us.max(1_000_000)
    }

    /// When a silent connection with expired requests counts as dead: nothing has come for as long
    /// again as the first of them was granted. It need not be the oldest request of all, as a read
    /// behind a write, which is granted far more.
    fn dead_at(&self, slot: SlotId) -> Option<u64> {
        let upstream = self.upstreams.get(slot)?;
        let overdue = (0..2).zip(&upstream.overdue);
        let dead = overdue.filter(|(_, overdue)| overdue.count > 0);
        dead.map(|(lane, overdue)| {
            overdue.since.max(upstream.heard) + 2 * self.granted(upstream.distance, lane)
        })
        .min()
    }

    /// Returns true if a connection has something to say and no use: it has not even answered what it is, or
    /// owes replies to as many expired requests as may be under way at all.
    fn is_useless(&self, slot: SlotId) -> bool {
        self.upstreams.get(slot).is_some_and(|upstream| {
            let expired = upstream.expired() as usize;
            expired > 0 && (!upstream.is_up() || expired >= self.options.max_msgs)
        })
    }

    /// Returns true if parked requests have waited for as long as they may.
    fn has_parked_too_long(&self, slot: SlotId, now: Now) -> bool {
        let upstream = self.upstreams.get(slot);
        let until = upstream.and_then(|upstream| self.parked_until(upstream));
        until.is_some_and(|at| at <= now.mono_us)
    }

    /// Until when parked requests wait, in µs.
    fn parked_until(&self, upstream: &Upstream) -> Option<u64> {
        upstream.parked_until(self.granted_read(upstream.distance))
    }

    /// Does what is due on an upstream.
    pub(super) fn tick_upstream(&mut self, slot: SlotId, now: Now) {
        let Some(upstream) = self.upstreams.get_mut(slot) else {
            return;
        };
        match upstream.state {
            State::Idle | State::Gone => {}
            State::Down { retry_at } => {
                if retry_at <= now.mono_us && !self.is_draining() {
                    self.connect_upstream(slot, now, false);
                }
            }
            State::Connecting { since, .. } => {
                let id = upstream.id;
                self.expire(slot, now);
                if since + self.connect_patience() <= now.mono_us
                    || self.has_parked_too_long(slot, now)
                {
                    log_at!(Warn, "{id} connect timed out");
                    self.note_lost(slot, "connecting took too long");
                    self.lose_upstream(slot, now, Loss::TimedOut);
                }
            }
            State::Handshake | State::Up => {
                upstream.release(now);
                if !upstream.out.is_empty() {
                    upstream.flush(&mut self.out);
                }
                let id = upstream.id;
                if self.close_unused(slot, now) {
                    return;
                }
                self.expire(slot, now);
                let dead = self.dead_at(slot).is_some_and(|at| at <= now.mono_us);
                if dead || self.is_useless(slot) || self.has_parked_too_long(slot, now) {
                    log_at!(Warn, "{id} answers nothing, closing");
                    self.note_silent(slot);
                    self.lose_upstream(slot, now, Loss::TimedOut);
                }
            }
        }
    }

    /// Answers requests that have waited too long. Their replies, should they still come, are
    /// dropped; the connection lives on for the others.
    fn expire(&mut self, slot: SlotId, now: Now) {
        for lane in 0..2 {
            while let Some(upstream) = self.upstreams.get_mut(slot) {
                let granted = self.granted[upstream.distance as usize][lane];
                let is_due = |entry: &ReqId| {
                    let msg = self.flight.get(*entry);
                    msg.is_some_and(|msg| msg.start + granted <= now.mono_us)
                };
                let Some(entry) = upstream.due[lane].filter(is_due) else {
                    break;
                };
                self.expire_one(slot, entry, granted, now);
            }
        }
    }

    /// Answers one request that has waited too long on this upstream, for so many µs.
    pub(super) fn expire_one(&mut self, slot: SlotId, entry: ReqId, waited: u64, now: Now) {
        let (Some(upstream), Some(msg)) =
            (self.upstreams.get_mut(slot), self.flight.get_mut(entry))
        else {
            return;
        };
        if msg.is_expired() {
            // Not to be looked at for ever.
            upstream.pass(&self.flight.msgs, entry);
            return self.contradiction("a request that has expired expires again");
        }
        let overdue = &mut upstream.overdue[lane(msg)];
        if overdue.count == 0 {
            overdue.since = msg.start;
        }
        overdue.count += 1;
        log_at!(
            Warn,
            "request on {} timedout, timeout was {}",
            upstream.id,
            waited / 1000
        );
        upstream.tally.timeouts += 1;
        let fate = self.flight.lost(entry, Lost::TimedOut);
        debug_assert_eq!(fate, Fate::Awaited, "looked at above");
        upstream.pass(&self.flight.msgs, entry);
        let (node, failure) = (upstream.node, upstream.broken());
        self.stats.count_timeout(upstream.distance);
        if !self.answer_before_step(entry, now, failure) && !self.expires_as_busy(slot, entry, now)
        {
            self.fail(entry, now, node, failure);
        }
    }
}
