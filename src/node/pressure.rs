//! Who waits when too much is under way, and when they go on.
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

use super::front::Reading;
use super::ids::FrontId;
use super::{ConnId, Node};
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::cluster::topology::Distance;

impl Node {
    /// Whether so much is under way that this front should not be read.
    #[inline]
    pub(super) fn is_strained(&self, key: FrontId, now: Now) -> bool {
        if key.is_peer() {
            return self.is_strained_for_peer(key, now);
        }
        if self.is_exhausted(now) {
            return true;
        }
        if !self.facts.alone {
            return self.upstreams.congested(now).next().is_some();
        }
        let stores = self.upstreams.slots_of(NodeId::ME);
        let slot = match stores.len() {
            ..=1 => stores.first(),
            // Its own; none if it has not asked for anything yet.
            _ => self.fronts.get(key).and_then(|front| front.store),
        };
        let store = slot.and_then(|slot| self.upstreams.get(slot));
        store.is_some_and(|store| store.is_congested(now))
    }

    /// The same for a peer.
    fn is_strained_for_peer(&self, key: FrontId, now: Now) -> bool {
        let forwards = self
            .fronts
            .peer(key)
            .is_some_and(super::dnode_client::DnodeClient::is_of_other_dc);
        self.pool.is_overfull()
            || self.upstreams.congested(now).any(|upstream| {
                upstream.is_store() || forwards && upstream.distance != Distance::OtherDc
            })
    }

    /// Whether a limit of the node as a whole is reached.
    #[inline]
    pub(super) fn is_exhausted(&self, now: Now) -> bool {
        self.has_under_way(self.options.max_msgs, now) || self.is_out_of_memory()
    }

    /// Whether so many requests are under way. Those that wait for a peer which is stopped, or have been
    /// answered without some reply, are not among them: no client should wait for those.
    #[inline]
    fn has_under_way(&self, many: usize, now: Now) -> bool {
        self.flight.msgs.len() >= many && {
            let stranded = self.upstreams.iter().map(|of| of.stranded(now) as usize);
            let idle = stranded.sum::<usize>() + self.flight.judges.answered();
            self.flight.msgs.len().saturating_sub(idle) >= many
        }
    }

    /// Whether clients that wait for pressure to fall may go on.
    fn is_relaxed(&self, now: Now) -> bool {
        !self.has_under_way(self.options.max_msgs - self.options.max_msgs / 4, now)
            && self.has_memory_again()
            && self.upstreams.congested(now).next().is_none()
    }

    /// Notes that a front waits for the pressure to fall.
    pub(super) fn wait(&mut self, id: ConnId) {
        if FrontId::of(id).is_peer() {
            self.waiting_peers.push(id);
        } else {
            self.waiting.push(id);
        }
    }

    /// Ends a turn: lets fronts go on that waited for a write in two steps or for pressure to fall, and a
    /// change of members take effect.
    pub fn end_turn(&mut self, now: Now) {
        self.go_on_in_order(now);
        self.shed(now);
        self.switch_if_prepared(now);
        self.renew_idle(now);
        self.feed_starved();
        self.upstreams.settle_backpressure(now);
        self.upstreams.forget_backlogs();
        if !self.waiting.is_empty() && self.is_relaxed(now) {
            for id in std::mem::take(&mut self.waiting) {
                self.go_on(id);
            }
        }
        if !self.waiting_peers.is_empty() {
            for id in std::mem::take(&mut self.waiting_peers) {
                if !self.is_strained_for_peer(FrontId::of(id), now) {
                    self.go_on(id);
                } else if self.knows(id) {
                    self.waiting_peers.push(id);
                }
            }
        }
    }

    /// Lets all fronts go on that wait for pressure to fall.
    pub(super) fn resume_waiting(&mut self) {
        for id in std::mem::take(&mut self.waiting) {
            self.go_on(id);
        }
        for id in std::mem::take(&mut self.waiting_peers) {
            self.go_on(id);
        }
    }

    /// Lets a front go on.
    pub(super) fn go_on(&mut self, id: ConnId) {
        if let Some(front) = self.fronts.get_mut(FrontId::of(id))
            && front.id == id
            && front.reading == Reading::Waiting
        {
            front.reading = Reading::On;
            self.out.resume(id);
        }
    }
}
