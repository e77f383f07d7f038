//! The connections that a node makes, each in its slot: to its datastore, and to its peers.
//!
//! [`Upstreams`] owns them, and knows which of them lead to which node, which have so large a backlog that fronts
//! may have to wait, and which is the second connection to the datastore. It reaches nothing of the node: what
//! a method needs besides, it is given; what follows from its result is the node's to do
//! ([`links`](super::links)).
//!
//! The life of a connection:
//!
//! ```text
//! Idle ──► Connecting ──► Handshake ──► Up ──► Down ──► Connecting ...
//!              │              └──────────┬────►
//!              └─────────────────────────┘
//! ```
//!
//! In `Handshake` the node asks its own question; what may be sent on the connection depends on the answer. A peer is
//! asked who it is, and then for its card ([`card`](super::card)). A datastore is asked nothing so far and is
//! `Up` at once.
//!
//! | file | noun |
//! |---|---|
//! | `connection` | one connection |
//! | `state` | its life, and how it is lost |
//! | `queue` | its requests, in order |
//! | `pacing` | when a request may leave |
//! | `anew` | a connection lost while idle, made anew at once |

mod anew;
mod connection;
mod pacing;
mod queue;
mod state;

pub(super) use anew::Parked;
pub(super) use connection::{Upstream, Wire};
pub(super) use queue::lane;
pub(super) use state::{Loss, State};

use super::ids::{Id, SlotId, Slots};
use super::options::Options;
use super::peer::PeerWire;
use super::{ConnId, Kind};
use crate::clock::Now;
use crate::cluster::backoff::{Backoff, PEER_CEILING};
use crate::cluster::id::NodeId;
use crate::cluster::peer_state::PeerState;
use crate::cluster::throttle::Throttle;
use crate::cluster::topology::{self, Distance, Topology};
use crate::proto::store::Replies;
use std::time::Duration;

/// The number of no node: of connections that lead to no member.
pub(super) const NOBODY: NodeId = NodeId(u16::MAX);

/// All connections that a node makes.
#[derive(Default)]
pub(super) struct Upstreams {
    slots: Vec<Upstream>,
    /// The slots that lead to each node, by its number.
    links: Vec<Slots>,
    /// The slots with so large a backlog that fronts may have to wait, and maybe a few that had one earlier in this
    /// turn. A read of a client looks at these instead of at every connection of the cluster.
    backlogged: Vec<SlotId>,
    /// The number of C nodes that fronts wait for now ([`pacing`]).
    slow: u32,
    /// Some connection to a peer is to be made anew, as an operator wants.
    pub renewing: bool,
    /// The second connection to the datastore ([`side`](super::side)), once there has been one.
    side: Option<SlotId>,
}

impl Upstreams {
    /// Connections to the datastore and to each peer, none of them made yet.
    pub fn new(options: &Options, topology: &Topology, now: Now) -> Upstreams {
        let mut upstreams = Upstreams::default();
        for (node, number) in topology.nodes().iter().zip((0..).map(NodeId)) {
            let count = options.connections(node.distance);
            let slots = upstreams.add(options, number, node, count, now);
            upstreams.links.push(slots);
        }
        upstreams
    }

    /// Adds connections to a node, not made yet, in slots that are free side by side or behind all others.
    pub fn add(
        &mut self,
        options: &Options,
        number: NodeId,
        node: &topology::Node,
        count: usize,
        now: Now,
    ) -> Slots {
        let slots = self.free(count);
        for slot in slots.clone() {
            let upstream = new_upstream(options, slot, number, node, now);
            match self.slots.get_mut(slot.place()) {
                Some(place) => *place = upstream,
                None => self.slots.push(upstream),
            }
        }
        slots
    }

    /// So many slots side by side: free ones, or those behind all others.
    fn free(&self, count: usize) -> Slots {
        let end = self.slots.len();
        let fits = |at: &usize| {
            let places = self.slots.get(*at..*at + count);
            places.is_some_and(|places| places.iter().all(|place| place.state == State::Gone))
        };
        Slots::new((0..end).find(fits).unwrap_or(end), count)
    }

    /// The connection in this slot.
    #[inline]
    pub fn get(&self, slot: SlotId) -> Option<&Upstream> {
        self.slots.get(slot.place())
    }

    /// The connection in this slot, to be changed.
    #[inline]
    pub fn get_mut(&mut self, slot: SlotId) -> Option<&mut Upstream> {
        self.slots.get_mut(slot.place())
    }

    /// All slots.
    #[inline]
    pub fn slots(&self) -> Slots {
        Slots::new(0, self.slots.len())
    }

    /// All connections, slot by slot.
    #[inline]
    pub fn iter(&self) -> std::slice::Iter<'_, Upstream> {
        self.slots.iter()
    }

    /// The same, to be changed.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Upstream> {
        self.slots.iter_mut()
    }

    /// The number of slots.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// The slots of the connections to a node.
    #[inline]
    pub fn slots_of(&self, node: NodeId) -> Slots {
        self.links.get(node.index()).cloned().unwrap_or_default()
    }

    /// The connections to a node.
    #[inline]
    pub fn to(&self, node: NodeId) -> &[Upstream] {
        let slots = self.links.get(node.index());
        let places = slots.and_then(|slots| self.slots.get(slots.places()));
        places.unwrap_or_default()
    }

    /// The same, to be changed.
    fn to_mut(&mut self, node: NodeId) -> &mut [Upstream] {
        let slots = self.links.get(node.index());
        let places = slots.and_then(|slots| self.slots.get_mut(slots.places()));
        places.unwrap_or_default()
    }

    /// The connections to this node's datastore that clients are served on.
    #[inline]
    pub fn stores(&self) -> &[Upstream] {
        self.to(NodeId::ME)
    }

    /// The connections to a peer; none for this node.
    pub fn to_peer(&self, node: NodeId) -> impl Iterator<Item = &Upstream> {
        self.to(node).iter().filter(|upstream| !upstream.is_store())
    }

    /// Returns true if the connection in this slot takes a request now.
    #[inline]
    pub fn takes_requests(&self, slot: SlotId) -> bool {
        self.get(slot).is_some_and(Upstream::takes_requests)
    }

    /// Returns true if requests for the peer in this slot are parked.
    #[inline]
    pub fn is_parking(&self, slot: SlotId) -> bool {
        self.get(slot).is_some_and(Upstream::is_parking)
    }

    /// The connection to a peer for requests with this affinity, if it takes requests now. The same affinity always
    /// gets the same connection, so that requests keep their order.
    #[inline]
    pub fn pick(&self, node: NodeId, affinity: u32) -> Option<SlotId> {
        let slot = self.links.get(node.index())?.nth_round(affinity)?;
        self.takes_requests(slot).then_some(slot)
    }

    /// The connection in this slot is being made from now on; `first` if requests may wait for it. Returns its id.
    pub fn connect(
        &mut self,
        slot: SlotId,
        generation: u32,
        first: bool,
        now: Now,
    ) -> Option<ConnId> {
        let upstream = self.get_mut(slot)?;
        upstream.id.generation = generation;
        // Its old id may still be in the list.
        upstream.listed.forget();
        upstream.state = State::Connecting {
            since: now.mono_us,
            first,
        };
        Some(upstream.id)
    }

    /// The slots of another topology take the place of those of the old one. Returns the new number of each old
    /// node, or [`NOBODY`].
    pub fn relink(&mut self, links: Vec<Slots>) -> impl Fn(NodeId) -> NodeId + use<> {
        let mut numbers = vec![NOBODY; self.slots.len()];
        for (slots, node) in links.iter().zip((0..).map(NodeId)) {
            if let Some(places) = numbers.get_mut(slots.places()) {
                places.fill(node);
            }
        }
        if let Some(place) = self.side.and_then(|slot| numbers.get_mut(slot.place())) {
            *place = NodeId::ME;
        }
        let old = std::mem::replace(&mut self.links, links);
        for (upstream, &number) in self.slots.iter_mut().zip(&numbers) {
            upstream.node = number;
        }
        move |node| {
            let slot = old.get(node.index()).and_then(Slots::first);
            let number = slot.and_then(|slot| numbers.get(slot.place()));
            number.copied().unwrap_or(NOBODY)
        }
    }

    /// The connections that lead to a node of `topology`, if one of the current topology has its address and place.
    pub fn link_to(&self, current: &Topology, node: &topology::Node) -> Option<Slots> {
        known_link(current, &self.links, node)
    }

    /// The upstreams that fronts should wait for.
    #[inline]
    pub fn congested(&self, now: Now) -> impl Iterator<Item = &Upstream> {
        let upstreams = self.backlogged.iter().filter_map(|slot| self.get(*slot));
        upstreams.filter(move |upstream| upstream.is_congested(now))
    }

    /// Notes a connection if its backlog is so large that fronts may have to wait for it. To be called whenever
    /// its backlog may have grown.
    #[cold]
    pub fn note_backlog(&mut self, slot: SlotId) {
        if self.get(slot).is_some_and(Upstream::is_backlogged) && !self.backlogged.contains(&slot) {
            self.backlogged.push(slot);
        }
    }

    /// Forgets the connections whose backlog has shrunk.
    #[inline]
    pub fn forget_backlogs(&mut self) {
        if !self.backlogged.is_empty() {
            let slots = &self.slots;
            self.backlogged.retain(|slot| {
                let upstream = slots.get(slot.place());
                upstream.is_some_and(Upstream::is_backlogged)
            });
        }
    }

    /// Returns true if a connection is noted as having a large backlog.
    pub fn is_noted(&self, slot: SlotId) -> bool {
        self.backlogged.contains(&slot)
    }

    /// The second connection to the datastore, once there has been one.
    pub fn side(&self) -> Option<SlotId> {
        self.side
    }

    /// Adds the second connection to the datastore, not made yet.
    pub fn add_side(&mut self, options: &Options, me: &topology::Node, now: Now) -> SlotId {
        let slot = SlotId::new(self.slots.len());
        let upstream = new_upstream(options, slot, NodeId::ME, me, now);
        self.slots.push(upstream);
        self.side = Some(slot);
        slot
    }

    /// Returns true if this slot is the second connection's.
    #[inline]
    pub fn is_side(&self, slot: SlotId) -> bool {
        self.side == Some(slot)
    }

    /// The state of a peer, from its connections: [`PeerState::Normal`] while it takes requests, [`PeerState::Reset`]
    /// while its connections are made anew, else [`PeerState::Down`].
    pub fn peer_state(&self, node: NodeId) -> PeerState {
        let any = |is: fn(&Upstream) -> bool| self.to_peer(node).any(is);
        if any(Upstream::takes_requests) {
            PeerState::Normal
        } else if !any(|peer| peer.admin_down) && any(|peer| peer.renewing) {
            PeerState::Reset
        } else {
            PeerState::Down
        }
    }

    /// Returns true if an operator has taken a peer down.
    pub fn is_admin_down(&self, node: NodeId) -> bool {
        self.to_peer(node).any(|peer| peer.admin_down)
    }

    /// Takes a peer down, or up again: while it is down, it gets no requests. Returns the old setting.
    pub fn set_admin_down(&mut self, node: NodeId, down: bool) -> bool {
        let before = self.is_admin_down(node);
        for peer in self.to_mut(node).iter_mut().filter(|peer| !peer.is_store()) {
            peer.admin_down = down;
        }
        before
    }
}

/// A connection to a node, not made yet.
fn new_upstream(
    options: &Options,
    slot: SlotId,
    number: NodeId,
    node: &topology::Node,
    now: Now,
) -> Upstream {
    let (kind, wire, endpoint, ceiling) = match node.distance {
        Distance::Me => (
            Kind::Store,
            Wire::Store(Replies::new(options.store)),
            &options.datastore,
            Duration::from_micros(options.retry_ceiling_us),
        ),
        _ => (
            Kind::Peer,
            Wire::Peer(Box::new(PeerWire::new(options))),
            &node.member.endpoint,
            PEER_CEILING,
        ),
    };
    let id = ConnId {
        kind,
        key: slot.key(),
        generation: 0,
    };
    let backoff = Backoff::new(ceiling);
    let upstream = Upstream::new(id, number, node.distance, endpoint.clone(), wire, backoff);
    match node.distance {
        Distance::OtherDc => {
            upstream.with_throttle(Throttle::new(options.conn_msg_rate, now.mono_us))
        }
        _ => upstream,
    }
}

/// The connections that lead to a node which is in a topology with these links, at the same address and place.
pub(super) fn known_link(
    topology: &Topology,
    links: &[Slots],
    node: &topology::Node,
) -> Option<Slots> {
    let known = topology.nodes().iter().position(|old| {
        old.member.endpoint == node.member.endpoint
            && old.member.dc == node.member.dc
            && old.member.rack == node.member.rack
            && (old.distance == Distance::Me) == (node.distance == Distance::Me)
    });
    links.get(known?).cloned()
}

#[cfg(test)]
impl Upstreams {
    /// The slots of all nodes, by their numbers.
    pub fn links(&self) -> &[Slots] {
        &self.links
    }
}

#[cfg(test)]
impl std::ops::Index<usize> for Upstreams {
    type Output = Upstream;

    fn index(&self, place: usize) -> &Upstream {
        &self.slots[place]
    }
}

#[cfg(test)]
impl std::ops::IndexMut<usize> for Upstreams {
    fn index_mut(&mut self, place: usize) -> &mut Upstream {
        &mut self.slots[place]
    }
}

#[cfg(test)]
mod tests;
