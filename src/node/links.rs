//! The verbs of the node for the connections it makes: put a request on one, connect, lose, park.
//!
//! [`Upstreams`](super::upstream::Upstreams) keeps the connections; here is what follows for requests, timers and
//! statistics.

use super::Node;
use super::flight::lost::{Fate, Lost};
use super::frame::Frames;
use super::ids::{ReqId, SlotId};
use super::msg::Flags;
use super::timers::Timer;
use super::upstream::{Loss, Parked, State};
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::cluster::topology::Distance;
use crate::cluster::window::Window;
use crate::log_at;
use crate::mbuf::Raw;
use crate::proto::{Failure, dnode};
use std::collections::VecDeque;

impl Node {
    /// Puts a request, whose bytes for this connection are `raw`, into its queue.
    #[inline]
    pub(super) fn put_upstream(&mut self, slot: SlotId, entry: ReqId, now: Now, raw: Raw<'_>) {
        let Some(upstream) = self.upstreams.get_mut(slot) else {
            return;
        };
        let Some(put) = upstream.put(&mut self.flight.msgs, entry, now, raw) else {
            return self.contradiction("a request that waits for a reply is sent again");
        };
        if let Some((lane, start)) = put.first_due {
            let due = start + self.granted[upstream.distance as usize][lane];
            self.timers.advance(Timer::Upstreams, due);
        }
        if let Some(at) = upstream.throttled_until() {
            self.timers.advance(Timer::Upstreams, at);
        }
        upstream.flush(&mut self.out);
        if upstream.is_backlogged() {
            self.upstreams.note_backlog(slot);
        }
    }

    /// Notes that `n` bytes went out.
    pub(super) fn upstream_wrote(&mut self, slot: SlotId, now: Now, n: usize) {
        let Some(upstream) = self.upstreams.get_mut(slot) else {
            return;
        };
        upstream.wrote(&self.flight.msgs, now, n);
        let waiting = u64::from(upstream.queue.len());
        let hist = &mut self.stats.hist;
        match upstream.distance {
            Distance::Me => hist.server_in_queue.record(waiting),
            Distance::SameRack | Distance::SameDc => hist.peer_in_queue.record(waiting),
            Distance::OtherDc => hist.remote_peer_in_queue.record(waiting),
        }
    }

    /// The connection is there.
    pub(super) fn upstream_connected(&mut self, slot: SlotId, now: Now) {
        let Some(upstream) = self.upstreams.get_mut(slot) else {
            return;
        };
        log_at!(Notice, "{} connected", upstream.id);
        upstream.connected(now, &mut self.out);
        match upstream.is_up() {
            true => self.send_parked_writes(now),
            false => self.peer_connected(slot, now),
        }
        // Requests that expired while it was being made say how long it may be silent.
        self.note_deadline(slot);
    }

    /// The handshake with a peer is over.
    #[inline]
    pub(super) fn peer_known(&mut self, slot: SlotId, now: Now) {
        if let Some(peer) = self.upstreams.get_mut(slot)
            && peer.shaken()
        {
            self.stats.pool.peer_connections += 1;
            if !peer.is_modern() {
                self.open_window(slot, now);
            }
            self.send_parked(slot, now);
        }
    }

    /// Limits what may be under way on this connection to a C node.
    fn open_window(&mut self, slot: SlotId, now: Now) {
        let Some(peer) = self.upstreams.get_mut(slot) else {
            return;
        };
        // One node of another datacenter passes on what that gets to each rack.
        let copies = match peer.distance {
            Distance::OtherDc => {
                let node = self.topology.node(peer.node);
                let dc = node.and_then(|node| self.topology.dc(node.dc));
                dc.map_or(1, |dc| dc.racks().len())
            }
            _ => 1,
        };
        let connections = self.options.connections(peer.distance);
        let timeout_us = self.options.timeout_us;
        peer.window = Some(Window::new(timeout_us, connections, copies, now.mono_us));
        self.upstreams.note_backlog(slot);
    }

    /// Has the connection of this slot made.
    pub(super) fn connect_upstream(&mut self, slot: SlotId, now: Now, first: bool) {
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        if let Some(id) = self.upstreams.connect(slot, generation, first, now) {
            let until = now.mono_us + self.connect_patience();
            self.timers.advance(Timer::Upstreams, until);
            self.out.connect(id);
        }
    }

    /// Gives up a connection. If it has worked and nothing was outstanding, it is made anew at once
    /// ([`anew`](super::upstream)); else every request on it fails, and it is tried again later.
    pub(super) fn lose_upstream(&mut self, slot: SlotId, now: Now, loss: Loss) {
        let is_retired = self.is_retired(slot);
        let is_side = self.upstreams.is_side(slot);
        self.forget_busy(slot);
        self.forget_version_of(slot);
        if !is_retired && !is_side && self.make_anew(slot, now, loss) {
            return;
        }
        let Some(upstream) = self.upstreams.get_mut(slot) else {
            return;
        };
        let (unsent, _) = upstream.unsent();
        let outstanding = u64::from(upstream.queue.len()) - unsent;
        log_at!(
            Warn,
            "close {} Dropped {unsent} outqueue & {outstanding} inqueue requests",
            upstream.id
        );
        self.stats
            .count_loss(upstream.distance, loss, upstream.is_up(), unsent, now);
        upstream.tally.lost(loss, unsent);
        // The clock's last digits are as good as chance; only this node connects to the datastore.
        let noise = match upstream.is_store() {
            true => 0,
            false => now.mono_us ^ u64::from(upstream.id.key) << 8,
        };
        let wait = upstream.backoff.failed(noise).as_micros() as u64;
        let next = match () {
            () if is_retired => State::Gone,
            // Made again when it is needed again.
            () if is_side => State::Idle,
            () => {
                let retry_at = now.mono_us + wait;
                self.timers.advance(Timer::Upstreams, retry_at);
                State::Down { retry_at }
            }
        };
        upstream.reset(next);
        let (node, failure) = (upstream.node, upstream.broken());
        self.out.close(upstream.id);
        while let Some(entry) = self
            .upstreams
            .get_mut(slot)
            .and_then(|upstream| upstream.pop_lost(&mut self.flight.msgs))
        {
            self.lose_leg(entry, now, node, Lost::Disconnected, failure);
        }
        self.fail_parked(slot, now);
    }

    /// Makes a lost connection anew at once, if it is one of those. Returns false if not; nothing has changed then.
    fn make_anew(&mut self, slot: SlotId, now: Now, loss: Loss) -> bool {
        let is_draining = self.is_draining();
        let Some(upstream) = self.upstreams.get_mut(slot) else {
            return false;
        };
        if is_draining || !upstream.is_made_anew(now, loss) {
            return false;
        }
        log_at!(Notice, "close {}, made anew at once", upstream.id);
        self.stats.count_loss(upstream.distance, loss, true, 0, now);
        upstream.tally.lost(loss, 0);
        upstream.await_anew(&mut self.flight.msgs, now);
        self.out.close(upstream.id);
        self.connect_upstream(slot, now, true);
        self.note_deadline(slot);
        true
    }

    /// Closes the connections that are to be made anew and wait for no reply any more.
    pub(super) fn renew_idle(&mut self, now: Now) {
        if !self.upstreams.renewing {
            return;
        }
        self.upstreams.renewing = false;
        for slot in self.upstreams.slots() {
            let Some(peer) = self.upstreams.get(slot).filter(|peer| peer.renewing) else {
                continue;
            };
            if !peer.queue.is_empty() {
                self.upstreams.renewing = true;
                continue;
            }
            self.lose_upstream(slot, now, Loss::Asked);
            let peer = self.upstreams.get_mut(slot);
            // Else that is under way.
            if let Some(peer) = peer.filter(|peer| matches!(peer.state, State::Down { .. })) {
                peer.try_at_once();
                self.connect_upstream(slot, now, false);
            }
        }
    }

    /// Closes a connection that leads to no member, and on which nothing is under way.
    pub(super) fn close_retired(&mut self, slot: SlotId) {
        let Some(upstream) = self.upstreams.get_mut(slot) else {
            return;
        };
        log_at!(Notice, "close {}: no member any more", upstream.id);
        self.stats.pool.peer_connections -= u64::from(upstream.is_up());
        if !matches!(upstream.state, State::Idle | State::Down { .. }) {
            self.out.close(upstream.id);
        }
        upstream.reset(State::Gone);
    }

    /// Parks a request for a peer that is awaited.
    pub(super) fn park(&mut self, slot: SlotId, entry: ReqId, kind: dnode::Kind, raw: Raw<'_>) {
        let (Some(upstream), Some(msg)) =
            (self.upstreams.get_mut(slot), self.flight.get_mut(entry))
        else {
            return;
        };
        msg.flags = msg.flags.with(Flags::PARKED);
        upstream.park(entry, kind, raw);
        self.upstreams.note_backlog(slot);
        self.note_deadline(slot);
    }

    /// The handshake with the peer is over: sends the parked requests.
    fn send_parked(&mut self, slot: SlotId, now: Now) {
        for parked in self.take_parked(slot) {
            let mut frames = Frames::new(self.next_wire_id(), Raw::from(&parked.request));
            self.send_to_peer(slot, parked.entry, now, parked.kind, &mut frames);
        }
    }

    /// The peer could not be reached anew: the parked requests fail. Nothing of them was sent.
    fn fail_parked(&mut self, slot: SlotId, now: Now) {
        let Some(node) = self.upstreams.get(slot).map(|upstream| upstream.node) else {
            return;
        };
        for Parked { entry, .. } in self.take_parked(slot) {
            let failure = Failure::PeerNotConnected;
            self.lose_leg(entry, now, node, Lost::Unreachable, failure);
        }
    }

    /// Ends the wait for a peer. Returns the requests that were parked.
    fn take_parked(&mut self, slot: SlotId) -> VecDeque<Parked> {
        let upstream = self.upstreams.get_mut(slot);
        let parked = upstream.map(|upstream| upstream.take_parked());
        let parked = parked.unwrap_or_default();
        for Parked { entry, .. } in &parked {
            if let Some(msg) = self.flight.get_mut(*entry) {
                msg.flags = msg.flags.without(Flags::PARKED);
            }
        }
        parked
    }

    /// A leg to this node is lost. If its waiter has no answer yet, that is `failure`, unless another rack can give one.
    pub(super) fn lose_leg(
        &mut self,
        leg: ReqId,
        now: Now,
        node: NodeId,
        why: Lost,
        failure: Failure,
    ) {
        match self.flight.lost(leg, why) {
            Fate::Freed if why == Lost::Unreachable => self.count_unsendable(node),
            Fate::Freed => {}
            Fate::Awaited => self.fail(leg, now, node, failure),
            Fate::Answered if self.flight.first_step_of(leg).is_some() => {
                self.finish_failed(leg, now, failure);
            }
            Fate::Answered => {}
            Fate::Task(task) => self.task_lost(task),
        }
    }
}
