//! The connections a node makes: to its datastore, and to its peers.

use super::flight::lost::{Fate, Lost};
use super::ids::{ReqId, SlotId, Slots};
use super::options::Options;
use super::peer::PeerWire;
use super::slots::Upstreams;
use super::timers::Timer;
use super::upstream::{Loss, State, Upstream, Wire};
use super::{ConnId, Kind, Node};
use crate::clock::Now;
use crate::cluster::backoff::{Backoff, PEER_CEILING};
use crate::cluster::id::NodeId;
use crate::cluster::throttle::Throttle;
use crate::cluster::topology::{self, Distance, Topology};
use crate::log_at;
use crate::proto::Failure;
use crate::proto::store::Replies;
use std::time::Duration;

/// The connections a node makes: the datastore's, then those to each peer; and which lead where.
pub(super) fn upstreams(
    options: &Options,
    topology: &Topology,
    now: Now,
) -> (Upstreams, Vec<Slots>) {
    let mut upstreams = Upstreams::default();
    let mut links = Vec::new();
    for (node, number) in topology.nodes().iter().zip((0..).map(NodeId)) {
        let first = upstreams.len();
        let kind = match node.distance {
            Distance::Me => Kind::Store,
            _ => Kind::Peer,
        };
        for _ in 0..options.connections(node.distance) {
            let id = ConnId {
                kind,
                key: upstreams.next_slot().key(),
                generation: 0,
            };
            upstreams.push(new_upstream(options, id, number, node, now));
        }
        links.push(Slots::new(first, upstreams.len() - first));
    }
    (upstreams, links)
}

/// A connection to a node, not made yet.
pub(super) fn new_upstream(
    options: &Options,
    id: ConnId,
    number: NodeId,
    node: &topology::Node,
    now: Now,
) -> Upstream {
    let (wire, endpoint, ceiling) = match id.kind {
        Kind::Store => (
            Wire::Store(Replies::new(options.store)),
            &options.datastore,
            Duration::from_micros(options.retry_ceiling_us),
        ),
        _ => (
            Wire::Peer(Box::new(PeerWire::new(options))),
            &node.member.endpoint,
            PEER_CEILING,
        ),
    };
    let upstream = Upstream::new(
        id,
        number,
        node.distance,
        endpoint.clone(),
        wire,
        Backoff::new(ceiling),
    );
    if node.distance == Distance::OtherDc {
        upstream.throttled(Throttle::new(options.conn_msg_rate, now.mono_us))
    } else {
        upstream
    }
}

impl Node {
    /// The connection is there.
    pub(super) fn upstream_connected(&mut self, slot: SlotId, now: Now) {
        let Some(upstream) = self.upstreams.get_mut(slot) else {
            return;
        };
        log_at!(Notice, "{} connected", upstream.id);
        upstream.state = State::Up;
        upstream.anew.connected(now);
        upstream.heard = now.mono_us;
        upstream.flowed = now.mono_us;
        if !upstream.out.is_empty() {
            upstream.flush(&mut self.out);
        }
        if upstream.is_store() {
            upstream.known = true;
            upstream.backoff.succeeded();
            self.release_held(now);
        } else {
            self.peer_connected(slot, now);
        }
        // Requests that expired while it was being made say how long it may be silent.
        self.note_deadline(slot);
    }

    /// It is known what the peer is.
    #[inline]
    pub(super) fn peer_known(&mut self, slot: SlotId, now: Now) {
        if let Some(peer) = self.upstreams.get_mut(slot)
            && !peer.known
        {
            peer.known = true;
            peer.backoff.succeeded();
            self.stats.pool.peer_connections += 1;
            if !peer.is_modern() {
                self.open_window(slot, now);
            }
            self.send_parked(slot, now);
        }
    }

    /// Asks for the connection of this slot to be made.
    pub(super) fn connect_upstream(&mut self, slot: SlotId, now: Now, first: bool) {
        let Some(upstream) = self.upstreams.get_mut(slot) else {
            return;
        };
        self.generation = self.generation.wrapping_add(1);
        upstream.id.generation = self.generation;
        // Under its old name it may stand in the list still.
        upstream.listed.forget();
        upstream.state = State::Connecting {
            since: now.mono_us,
            first,
        };
        let until = now.mono_us + self.options.timeout_us.max(1_000_000);
        self.timers.advance(Timer::Upstreams, until);
        self.out.connect(upstream.id);
    }

    /// Gives up a connection. If it has worked and nothing was outstanding, it is made anew at once
    /// ([`super::anew`]); else every request on it fails, and it is tried again later.
    pub(super) fn lose_upstream(&mut self, slot: SlotId, now: Now, loss: Loss) {
        let gone = self.is_retired(slot);
        let side = self.is_side(slot);
        self.forget_busy(slot);
        self.forget_version_of(slot);
        if !gone && !side && self.make_anew(slot, now, loss) {
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
            .count_loss(upstream.distance, loss, upstream.known, unsent, now);
        upstream.tally.lost(loss, unsent);
        upstream.reset();
        let (node, failure, id) = (upstream.node, upstream.broken(), upstream.id);
        // The clock's last digits are as good as chance; the datastore is nobody else's.
        let noise = match upstream.is_store() {
            true => 0,
            false => now.mono_us ^ u64::from(upstream.id.key) << 8,
        };
        let wait = upstream.backoff.failed(noise).as_micros() as u64;
        upstream.state = if gone {
            State::Gone
        } else if side {
            // Made again when it is needed again.
            State::Idle
        } else {
            self.timers.advance(Timer::Upstreams, now.mono_us + wait);
            State::Down {
                retry_at: now.mono_us + wait,
            }
        };
        self.out.close(id);
        while let Some(entry) = self
            .upstreams
            .get_mut(slot)
            .and_then(|upstream| upstream.pop(&mut self.flight.msgs))
        {
            self.lose_leg(entry, now, node, Lost::Disconnected, failure);
        }
        if let Some(upstream) = self.upstreams.get_mut(slot) {
            upstream.is_emptied();
        }
        self.fail_parked(slot, now);
    }

    /// Closes a connection that leads to nobody and on which nothing is under way.
    pub(super) fn dismiss(&mut self, slot: SlotId) {
        let Some(upstream) = self.upstreams.get_mut(slot) else {
            return;
        };
        log_at!(Notice, "close {}: no member any more", upstream.id);
        self.stats.pool.peer_connections -= u64::from(upstream.known);
        if !matches!(upstream.state, State::Idle | State::Down { .. }) {
            self.out.close(upstream.id);
        }
        upstream.reset();
        upstream.state = State::Gone;
    }

    /// A leg to this node is lost. If whoever waits for it has no answer yet, it is `failure`, unless another rack
    /// can give one.
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
