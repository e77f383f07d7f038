//! When a request may leave: the rate of `conn_msg_rate`, and the window of a C node.
//!
//! What may not leave yet is held, in order. The rate lets it go by the clock, the window when replies come. Fronts that
//! feed a C node wait once as many requests are held for it as may be under way, so that they are as fast as it is. They
//! do not wait for one that says nothing any more ([`limits::STALLED_US`]): what they send then is held until the C node
//! goes on, or until it counts as unreachable ([`limits`]). Nor do they wait longer than that without being read once,
//! so that a C node that has much to make up for does not look like an outage to them.

use super::ids::{ReqId, SlotId};
use super::msg::Msgs;
use super::timers::Timer;
use super::upstream::Upstream;
use super::{Node, limits};
use crate::clock::Now;
use crate::cluster::throttle::Throttle;
use crate::cluster::topology::Distance;
use crate::cluster::window::Window;
use crate::log_at;
use crate::mbuf::{Chain, Raw};

/// How often, in µs, the log tells of fronts that wait for one C node.
const LOG_EVERY_US: u64 = 60_000_000;

/// Held requests for which memory is kept.
const HELD_KEPT: usize = 8192;

/// For how long, in µs, fronts that have waited for [`limits::STALLED_US`] are read all the same.
const BREAK_US: u64 = 10_000;

/// Whether fronts wait for a C node.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Holding {
    /// Since when, in µs.
    since: Option<u64>,
    /// Since when they have been read all the same, in µs.
    broken_off: Option<u64>,
    /// When the log last told of it, in µs.
    logged: Option<u64>,
}

impl Upstream {
    /// Puts a request's bytes behind those that wait, or behind those held back.
    #[inline]
    pub fn put(&mut self, now: Now, raw: Raw<'_>) {
        let is_paced = self.throttle.is_some() || self.window.is_some();
        if is_paced && (!self.held.is_empty() || !self.may_leave(now)) {
            let mut chain = Chain::new();
            raw.append_to(&mut chain);
            self.queued += chain.len() as u64;
            self.held_bytes += chain.len();
            self.held.push_back(chain);
            return;
        }
        self.queued += raw.len() as u64;
        if self.out.is_empty() {
            self.flowed = now.mono_us;
        }
        raw.append_to(&mut self.out);
    }

    /// Whether the next request may leave. If so, it counts as having left.
    fn may_leave(&mut self, now: Now) -> bool {
        self.is_window_open()
            && match &mut self.throttle {
                Some(throttle) => throttle.take(now.mono_us).is_ok(),
                None => true,
            }
    }

    /// Whether the window lets a request leave.
    fn is_window_open(&self) -> bool {
        let under_way = self.queued - self.held_bytes as u64 - self.answered;
        match &self.window {
            Some(window) => window.admits(self.under_way(), under_way),
            None => true,
        }
    }

    /// Requests that have left, or may as soon as the kernel takes them, and have no reply yet.
    fn under_way(&self) -> u32 {
        self.queue.len().saturating_sub(self.held.len() as u32)
    }

    /// When the first of the requests that the rate holds back may go, in µs.
    pub fn held_until(&self) -> Option<u64> {
        let throttle = self.throttle.as_ref();
        let throttle = throttle.filter(|_| !self.held.is_empty() && self.is_window_open());
        throttle.map(Throttle::next_us)
    }

    /// Lets held requests go as far as rate and window allow.
    pub fn let_go(&mut self, now: Now) {
        while !self.held.is_empty() && self.may_leave(now) {
            if let Some(mut chain) = self.held.pop_front() {
                self.held_bytes -= chain.len();
                if self.out.is_empty() {
                    self.flowed = now.mono_us;
                }
                self.out.append(&mut chain);
            }
        }
    }

    /// Gives back the memory of a list that was much longer than it is now.
    pub fn trim_held(&mut self) {
        if self.held.len() < self.held.capacity() / 8 {
            self.held.shrink_to(HELD_KEPT);
        }
    }

    /// Whether fronts should wait for this C node.
    #[inline]
    pub fn is_behind(&self, now: Now) -> bool {
        self.holds_much(now) && self.holding.broken_off.is_none()
    }

    /// Whether it is a C node that replies, and as much is held for it as may be under way.
    fn holds_much(&self, now: Now) -> bool {
        self.fills_window() && now.mono_us.saturating_sub(self.heard) < limits::STALLED_US
    }

    /// Returns true for a C node for which as much is held as may be under way.
    #[inline]
    pub fn fills_window(&self) -> bool {
        self.window
            .as_ref()
            .is_some_and(|window| self.held.len() >= window.size() as usize)
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

impl Node {
    /// The peer at the other end of this connection is a C node.
    pub(super) fn open_window(&mut self, slot: SlotId, now: Now) {
        let Some(peer) = self.upstreams.get_mut(slot) else {
            return;
        };
        // What another datacenter gets, one of its nodes passes on to each rack.
        let copies = match peer.distance {
            Distance::OtherDc => {
                let node = self.topology.node(peer.node);
                let dc = node.and_then(|node| self.topology.dc(node.dc));
                dc.map_or(1, |dc| dc.racks().len())
            }
            _ => 1,
        };
        let connections = self.options.connections(peer.distance);
        peer.window = Some(Window::new(
            self.options.timeout_us,
            connections,
            copies,
            now.mono_us,
        ));
        self.note_backlog(slot);
    }

    /// Replies of this peer have come: what it held back may go.
    pub(super) fn send_held(&mut self, slot: SlotId, now: Now) {
        let Some(peer) = self.upstreams.get_mut(slot) else {
            return;
        };
        if peer.held.is_empty() || peer.window.is_none() {
            return;
        }
        peer.let_go(now);
        if let Some(at) = peer.held_until() {
            self.timers.advance(Timer::Upstreams, at);
        }
        if !peer.out.is_empty() {
            peer.flush(&mut self.out);
        }
    }

    /// A front begins to wait: counts it for those C nodes that are the reason.
    pub(super) fn note_holders(&mut self, now: Now) {
        for peer in self.upstreams.iter_mut() {
            if peer.holding.since.is_some() || !peer.is_behind(now) {
                continue;
            }
            peer.holding.since = Some(now.mono_us);
            peer.tally.pauses += 1;
            self.holders += 1;
            let logged = peer.holding.logged;
            if logged.is_none_or(|at| now.mono_us.saturating_sub(at) >= LOG_EVERY_US) {
                peer.holding.logged = Some(now.mono_us);
                log_at!(
                    Notice,
                    "the C node {} is slower than the clients of this node: clients wait for it",
                    peer.endpoint
                );
            }
        }
    }

    /// Counts the time for which C nodes have let fronts wait, of those that do no more, and lets fronts be read once
    /// that have waited for long.
    pub(super) fn settle_holders(&mut self, now: Now) {
        for peer in self.upstreams.iter_mut() {
            let Some(since) = peer.holding.since else {
                continue;
            };
            let waited = now.mono_us.saturating_sub(since);
            let is_over = match peer.holding.broken_off {
                _ if !peer.holds_much(now) => true,
                Some(at) => now.mono_us.saturating_sub(at) >= BREAK_US,
                None => {
                    if waited >= limits::STALLED_US {
                        peer.holding.broken_off = Some(now.mono_us);
                    }
                    false
                }
            };
            if is_over {
                peer.holding.since = None;
                peer.holding.broken_off = None;
                peer.tally.paused_us += waited;
                self.holders -= 1;
            }
        }
    }
}
