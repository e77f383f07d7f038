//! When a request may leave: the rate of `conn_msg_rate`, and the window of a C node.
//!
//! Requests that must not leave yet are *throttled*: they wait in order. The rate lets them leave by the clock, the window
//! when replies come. Fronts that feed a C node wait once as many requests are throttled for it as may be under way, so
//! that they are as fast as it is. They do not wait for one that has gone silent ([`limits::STALLED_US`]): further requests
//! are throttled until the C node goes on, or until it counts as unreachable ([`limits`]). Nor do they wait longer than
//! that without being read once, so that a C node with much to make up for does not look like an outage to them.

use super::Upstreams;
use super::connection::Upstream;
use crate::clock::Now;
use crate::cluster::throttle::Throttle;
use crate::log_at;
use crate::mbuf::{Chain, Raw};
use crate::node::ids::{ReqId, SlotId};
use crate::node::limits;
use crate::node::msg::Msgs;
use crate::node::outbox::Outbox;
use crate::node::timers::{Timer, TimerTable};

/// How often, in µs, the log reports that fronts wait for one C node.
const LOG_EVERY_US: u64 = 60_000_000;

/// Throttled requests for which memory is kept.
const THROTTLED_KEPT: usize = 8192;

/// For how long, in µs, fronts that have waited for [`limits::STALLED_US`] are read all the same.
const BREAK_US: u64 = 10_000;

/// Whether fronts wait for a C node.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::node) struct Backpressure {
    /// Since when, in µs.
    since: Option<u64>,
    /// Since when they have been read all the same, in µs.
    broken_off: Option<u64>,
    /// When the log last reported it, in µs.
    logged: Option<u64>,
}

impl Upstream {
    /// Appends a request's bytes to the output, or to the throttled requests.
    #[inline]
    pub(super) fn write(&mut self, now: Now, raw: Raw<'_>) {
        let is_paced = self.throttle.is_some() || self.window.is_some();
        if is_paced && (!self.throttled.is_empty() || !self.may_leave(now)) {
            let mut chain = Chain::new();
            raw.append_to(&mut chain);
            self.queued += chain.len() as u64;
            self.throttled_bytes += chain.len();
            self.throttled.push_back(chain);
            return;
        }
        self.queued += raw.len() as u64;
        if self.out.is_empty() {
            self.flowed = now.mono_us;
        }
        raw.append_to(&mut self.out);
    }

    /// Returns true if the next request may leave. It then counts as having left.
    fn may_leave(&mut self, now: Now) -> bool {
        self.is_window_open()
            && match &mut self.throttle {
                Some(throttle) => throttle.take(now.mono_us).is_ok(),
                None => true,
            }
    }

    /// Returns true if the window admits a request.
    fn is_window_open(&self) -> bool {
        let under_way = self.queued - self.throttled_bytes as u64 - self.answered;
        match &self.window {
            Some(window) => window.admits(self.under_way(), under_way),
            None => true,
        }
    }

    /// Requests that have left, or may as soon as the kernel takes them, and have no reply yet.
    fn under_way(&self) -> u32 {
        self.queue.len().saturating_sub(self.throttled.len() as u32)
    }

    /// When the rate lets the first throttled request leave, in µs.
    pub fn throttled_until(&self) -> Option<u64> {
        let throttle = self.throttle.as_ref();
        let throttle = throttle.filter(|_| !self.throttled.is_empty() && self.is_window_open());
        throttle.map(Throttle::next_us)
    }

    /// Moves throttled requests to the output as far as rate and window allow.
    pub fn release(&mut self, now: Now) {
        while !self.throttled.is_empty() && self.may_leave(now) {
            if let Some(mut chain) = self.throttled.pop_front() {
                self.throttled_bytes -= chain.len();
                if self.out.is_empty() {
                    self.flowed = now.mono_us;
                }
                self.out.append(&mut chain);
            }
        }
    }

    /// Frees the memory of a list that was much longer than it is now.
    pub fn trim_throttled(&mut self) {
        if self.throttled.len() < self.throttled.capacity() / 8 {
            self.throttled.shrink_to(THROTTLED_KEPT);
        }
    }

    /// Returns true if fronts should wait for this C node.
    #[inline]
    pub fn is_behind(&self, now: Now) -> bool {
        self.is_throttling(now) && self.backpressure.broken_off.is_none()
    }

    /// Returns true for a C node that replies, with as much throttled for it as may be under way.
    fn is_throttling(&self, now: Now) -> bool {
        self.fills_window() && now.mono_us.saturating_sub(self.heard) < limits::STALLED_US
    }

    /// Returns true for a C node with as much throttled for it as may be under way.
    #[inline]
    pub fn fills_window(&self) -> bool {
        self.window
            .as_ref()
            .is_some_and(|window| self.throttled.len() >= window.size() as usize)
    }

    /// A C node has replied to a message that has left the queue.
    pub fn note_reply(&mut self, msgs: &Msgs, entry: ReqId, now: Now) {
        let Some(end) = msgs.get(entry).map(|msg| msg.end) else {
            return;
        };
        self.answered = self.answered.max(end);
        let under_way = self.under_way() + 1;
        if let (Some(written), Some(window)) = (self.written_at(end), &mut self.window) {
            window.replied(written, now.mono_us, under_way);
        }
    }
}

impl Upstreams {
    /// Moves a peer's throttled requests to its output as far as rate and window allow, after replies have come.
    pub fn release(&mut self, slot: SlotId, now: Now, timers: &mut TimerTable, out: &mut Outbox) {
        let Some(peer) = self.get_mut(slot) else {
            return;
        };
        if peer.throttled.is_empty() || peer.window.is_none() {
            return;
        }
        peer.release(now);
        if let Some(at) = peer.throttled_until() {
            timers.advance(Timer::Upstreams, at);
        }
        if !peer.out.is_empty() {
            peer.flush(out);
        }
    }

    /// A front begins to wait: counts and logs it for each C node that is the reason.
    pub fn front_waits(&mut self, now: Now) {
        for peer in &mut self.slots {
            if peer.backpressure.since.is_some() || !peer.is_behind(now) {
                continue;
            }
            peer.backpressure.since = Some(now.mono_us);
            peer.tally.pauses += 1;
            self.slow += 1;
            let logged = peer.backpressure.logged;
            if logged.is_none_or(|at| now.mono_us.saturating_sub(at) >= LOG_EVERY_US) {
                peer.backpressure.logged = Some(now.mono_us);
                log_at!(
                    Notice,
                    "the C node {} is slower than the clients of this node: clients wait for it",
                    peer.endpoint
                );
            }
        }
    }

    /// Ends the backpressure of C nodes that have caught up, counts its time, and lets fronts be read once that have
    /// waited for long.
    #[inline]
    pub fn settle_backpressure(&mut self, now: Now) {
        if self.slow > 0 {
            self.settle_slow(now);
        }
    }

    #[cold]
    fn settle_slow(&mut self, now: Now) {
        for peer in &mut self.slots {
            let Some(since) = peer.backpressure.since else {
                continue;
            };
            let waited = now.mono_us.saturating_sub(since);
            let is_over = match peer.backpressure.broken_off {
                _ if !peer.is_throttling(now) => true,
                Some(at) => now.mono_us.saturating_sub(at) >= BREAK_US,
                None => {
                    if waited >= limits::STALLED_US {
                        peer.backpressure.broken_off = Some(now.mono_us);
                    }
                    false
                }
            };
            if is_over {
                peer.backpressure.since = None;
                peer.backpressure.broken_off = None;
                peer.tally.paused_us += waited;
                self.slow -= 1;
            }
        }
    }
}
