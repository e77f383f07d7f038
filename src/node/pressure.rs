//! The fronts that wait when too much is under way, and when they go on.
//!
//! A front that waits is not read; its bytes stay in the kernel. What a front waits for depends on who
//! asks, so that nodes never wait for each other in a circle:
//!
//! | front | waits for | needed for its answers |
//! |---|---|---|
//! | a client | the limits of the node; the queues of all upstreams, C nodes' windows ([`upstream`](super::upstream)) among them | anything |
//! | a peer of another datacenter | twice the pool's limit; the queues of the datastore and of peers in this datacenter | those, as it may ask to forward |
//! | a peer of this datacenter | twice the pool's limit; the queue of the datastore | the datastore |
//!
//! So clients wait before peers do, and a peer waits for nothing that may wait for it. What one peer
//! has under way is bounded by the limit of its own connection.

use super::ids::FrontId;
use super::load::Load;
use super::memory::Memory;
use super::{ConnId, Node};
use crate::clock::Now;

/// The fronts that wait for the pressure to fall.
#[derive(Default)]
pub(super) struct Pressure {
    /// Clients that wait.
    pub clients: Vec<ConnId>,
    /// Peers that wait.
    pub peers: Vec<ConnId>,
    /// Fronts that wait for memory of their share.
    pub memory: Memory,
}

impl Pressure {
    /// Returns true if no front waits for a limit of the node.
    pub fn is_idle(&self) -> bool {
        self.clients.is_empty() && self.peers.is_empty()
    }

    /// Notes that a front waits.
    pub fn wait(&mut self, id: ConnId) {
        match FrontId::of(id).is_peer() {
            true => self.peers.push(id),
            false => self.clients.push(id),
        }
    }

    /// Returns true if a front is noted as waiting.
    pub fn is_awaited_by(&self, id: ConnId) -> bool {
        let waiting = match FrontId::of(id).is_peer() {
            true => &self.peers,
            false => &self.clients,
        };
        waiting.contains(&id) || self.memory.is_awaited_by(id)
    }
}

impl Node {
    /// The load of this moment.
    #[inline]
    pub(super) fn load(&self, now: Now) -> Load<'_> {
        Load {
            options: &self.options,
            facts: self.facts,
            pool: &self.pool,
            fronts: &self.fronts,
            upstreams: &self.upstreams,
            flight: &self.flight,
            now,
        }
    }

    /// Ends a turn: lets fronts go on that waited for a write in two steps or for pressure to fall, and a
    /// change of members take effect.
    pub fn end_turn(&mut self, now: Now) {
        self.go_on_in_order(now);
        self.shed(now);
        self.switch_if_prepared(now);
        self.renew_idle(now);
        self.feed_starved(now);
        self.upstreams.settle_backpressure(now);
        self.upstreams.forget_backlogs();
        if !self.pressure.clients.is_empty() && self.load(now).is_relaxed() {
            self.resume_clients();
        }
        if !self.pressure.peers.is_empty() {
            for id in std::mem::take(&mut self.pressure.peers) {
                if !self.load(now).is_strained_for_peer(FrontId::of(id)) {
                    self.fronts.go_on(id, &mut self.out);
                } else if self.knows(id) {
                    self.pressure.peers.push(id);
                }
            }
        }
    }

    /// Lets all clients go on that wait for pressure to fall.
    fn resume_clients(&mut self) {
        for id in std::mem::take(&mut self.pressure.clients) {
            self.fronts.go_on(id, &mut self.out);
        }
    }

    /// Lets all fronts go on that wait for pressure to fall.
    pub(super) fn resume_waiting(&mut self) {
        self.resume_clients();
        for id in std::mem::take(&mut self.pressure.peers) {
            self.fronts.go_on(id, &mut self.out);
        }
    }
}
