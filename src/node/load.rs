//! How much is under way, and which fronts should not be read because of it: pure, from the state as it is now.

use super::flight::Flight;
use super::front::Fronts;
use super::ids::FrontId;
use super::options::Options;
use super::plan::Facts;
use super::upstream::Upstreams;
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::cluster::topology::Distance;
use crate::mbuf::Pool;

/// Bytes that a connection may hold without regard to its share.
pub const SMALL: usize = 64 << 10;
/// The share of one connection, as a multiple of the memory that is free besides the reserve ([`memory`](super::memory)).
const SHARE: usize = 8;

/// Everything that the load depends on.
pub(super) struct Load<'a> {
    pub options: &'a Options,
    pub facts: Facts,
    pub pool: &'a Pool,
    pub fronts: &'a Fronts,
    pub upstreams: &'a Upstreams,
    pub flight: &'a Flight,
    pub now: Now,
}

impl Load<'_> {
    /// Returns true if so much is under way that this front should not be read.
    #[inline]
    pub fn is_strained(&self, key: FrontId) -> bool {
        if key.is_peer() {
            return self.is_strained_for_peer(key);
        }
        if self.is_exhausted() {
            return true;
        }
        if !self.facts.alone {
            return self.upstreams.congested(self.now).next().is_some();
        }
        let stores = self.upstreams.slots_of(NodeId::ME);
        let slot = match stores.len() {
            ..=1 => stores.first(),
            // Its own; none if it has not asked for anything yet.
            _ => self.fronts.get(key).and_then(|front| front.store),
        };
        let store = slot.and_then(|slot| self.upstreams.get(slot));
        store.is_some_and(|store| store.is_congested(self.now))
    }

    /// The same for a peer.
    pub fn is_strained_for_peer(&self, key: FrontId) -> bool {
        let peer = self.fronts.peer(key);
        let forwards = peer.is_some_and(super::dnode_client::DnodeClient::is_of_other_dc);
        self.pool.is_overfull()
            || self.upstreams.congested(self.now).any(|upstream| {
                upstream.is_store() || forwards && upstream.distance != Distance::OtherDc
            })
    }

    /// Returns true if a limit of the node as a whole is reached.
    #[inline]
    pub fn is_exhausted(&self) -> bool {
        self.has_under_way(self.options.max_msgs) || self.is_out_of_memory()
    }

    /// Returns true if so many requests are under way. Requests that wait for a peer which is stopped, or have been
    /// answered without some reply, are not among them: no client should wait for those.
    #[inline]
    fn has_under_way(&self, many: usize) -> bool {
        self.flight.msgs.len() >= many && {
            let upstreams = self.upstreams.iter();
            let stranded = upstreams.map(|of| of.stranded(self.now) as usize);
            let idle = stranded.sum::<usize>() + self.flight.judges.answered();
            self.flight.msgs.len().saturating_sub(idle) >= many
        }
    }

    /// Returns true if clients that wait for pressure to fall may go on.
    pub fn is_relaxed(&self) -> bool {
        !self.has_under_way(self.options.max_msgs - self.options.max_msgs / 4)
            && self.has_memory_again()
            && self.upstreams.congested(self.now).next().is_none()
    }

    /// Blocks in use, but for unfinished requests of peers.
    fn used(&self) -> usize {
        let used = self.pool.in_use();
        if used < self.pool.limit() / 4 * 3 {
            return used;
        }
        let peers = self.fronts.peers.iter();
        let unfinished = peers.map(|(_, peer)| peer.front.inbound.len() / self.pool.block_size());
        used.saturating_sub(unfinished.sum())
    }

    /// Returns true if small requests of clients have to wait for memory.
    fn is_out_of_memory(&self) -> bool {
        self.pool.is_strained() && self.used() >= self.pool.limit()
    }

    /// Returns true if there is memory again for small requests that have waited.
    fn has_memory_again(&self) -> bool {
        self.pool.is_ample() || self.used() < self.pool.limit() - self.pool.limit() / 16
    }

    /// Returns true if this front holds more than its share.
    #[inline]
    pub fn exceeds_share(&self, key: FrontId) -> bool {
        !self.pool.is_ample() && self.holds_too_much(key)
    }

    fn holds_too_much(&self, key: FrontId) -> bool {
        let Some(front) = self.fronts.get(key) else {
            return false;
        };
        let held = front.inbound.len() + front.untaken();
        if held <= SMALL {
            return false;
        }
        let limit = self.pool.limit();
        let (used, most) = match key.is_peer() {
            true => (self.pool.in_use(), 2 * limit),
            false => (self.used(), limit),
        };
        held / self.pool.block_size() > SHARE * most.saturating_sub(used + limit / 8)
    }
}

/// Returns true if a request of which this many bytes are there and this many announced will never fit.
#[inline]
pub(super) fn is_too_large(pool: &Pool, held: usize, expected: usize) -> bool {
    let bytes = held.saturating_add(expected);
    bytes > SMALL && bytes / pool.block_size() > pool.limit() / 4 * 3
}
