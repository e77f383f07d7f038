//! Which connections keep their places when there are more than places.
//!
//! Any program that can reach a port can connect to it and send nothing. Such connections must not keep out
//! the peers and clients that the places are for. When all places are taken, a newcomer gets that of the connection
//! which is least useful:
//!
//! | port | its place is taken first | its place is never taken |
//! |---|---|---|
//! | `dyn_listen` | 1. from an address of no member, without a complete request yet; 2. the same with one, if it has been quiet for [`QUIET_US`] or its address has more connections than the newcomer's; 3. from a member's address, without a complete request; 4. the same with one, quiet for [`PEER_QUIET_US`] | by a stranger: that of a connection from a member's address |
//! | `listen` | without a complete request for [`QUIET_US`], or with a few bytes of one for [`CRUMBS_US`] | of a client that has asked for anything |
//!
//! Among equals the address with the most connections loses one, and of its connections the one quiet
//! longest. Members' addresses are those of the list of members, names by what they were resolved to.
//! A member may connect from another of its addresses, or from behind a translation of addresses; then
//! it counts as a stranger, but it sends its first request at once, and has few connections.
//!
//! [`PEER_QUIET_US`]: super::limits::PEER_QUIET_US

use super::front::Front;
use super::ids::FrontId;
use super::{ConnId, Kind, Node, limits};
use crate::clock::Now;
use crate::cluster::topology::Topology;
use crate::config::Endpoint;
use crate::log_at;
use std::collections::{HashMap, HashSet};
use std::net::{IpAddr, SocketAddr};

/// How long a connection without a complete request may say nothing before its place is given to a
/// client that has none, in µs.
pub const QUIET_US: u64 = 10_000_000;
/// The same for a client that has begun a request and keeps adding a few bytes to it, in µs.
pub const CRUMBS_US: u64 = 60_000_000;
/// The most bytes of such a request.
const CRUMBS: usize = 1024;
/// How long a stranger may be connected to `dyn_listen` without a complete request once such
/// connections hold a quarter of the places, in µs.
pub const FIRST_REQUEST_US: u64 = 30_000_000;
/// Connections chosen at one look, so that a crowd of newcomers does not cost a look each.
const CHOSEN: usize = 256;

/// A connection whose place may be given away.
#[derive(Clone, Copy, Debug)]
struct Candidate {
    id: ConnId,
    grade: Grade,
    /// Connections from its address.
    crowd: usize,
    /// When its last byte arrived, in µs.
    heard: u64,
}

/// How useful a peer's connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    SilentStranger,
    Stranger,
    SilentMember,
    Member,
}

impl Grade {
    fn of(is_member: bool, has_asked: bool) -> Grade {
        match (is_member, has_asked) {
            (false, false) => Grade::SilentStranger,
            (false, true) => Grade::Stranger,
            (true, false) => Grade::SilentMember,
            (true, true) => Grade::Member,
        }
    }
}

/// Decides which connections keep their places.
pub(super) struct Admission {
    /// Most connections from peers.
    peer_places: usize,
    /// Addresses of members that need no look-up, and those that names were resolved to.
    members: HashSet<IpAddr>,
    resolved: HashMap<Endpoint, Vec<IpAddr>>,
    /// Peers' connections chosen to lose their places, the next one last; and clients'.
    peers: Vec<Candidate>,
    clients: Vec<ConnId>,
    /// Clients are not looked through again before this time, in µs.
    next_look: u64,
}

impl Default for Admission {
    fn default() -> Admission {
        Admission {
            peer_places: limits::DNODE_CLIENTS,
            members: HashSet::new(),
            resolved: HashMap::new(),
            peers: Vec::new(),
            clients: Vec::new(),
            next_look: 0,
        }
    }
}

impl Admission {
    /// Learns the members' addresses from the topologies in use and to come; forgets those of nodes that
    /// are in neither.
    pub fn look_at(&mut self, topology: &Topology, next: Option<&Topology>) {
        let nodes = || {
            topology
                .nodes()
                .iter()
                .chain(next.into_iter().flat_map(Topology::nodes))
        };
        let endpoints = || nodes().map(|node| &node.member.endpoint);
        let current: HashSet<&Endpoint> = endpoints().collect();
        self.resolved.retain(|name, _| current.contains(name));
        let literal = endpoints().filter_map(|endpoint| match endpoint {
            Endpoint::Tcp { host, .. } => host.parse::<IpAddr>().ok(),
            Endpoint::Unix(_) => None,
        });
        let resolved = self.resolved.values().flatten().copied();
        self.members = literal
            .chain(resolved)
            .map(|ip| ip.to_canonical())
            .collect();
        self.peers.clear();
    }

    /// Returns true if a connection comes from a member's address. One without an address is from this machine.
    fn is_member(&self, addr: Option<SocketAddr>) -> bool {
        addr.is_none_or(|addr| self.members.contains(&addr.ip().to_canonical()))
    }
}

/// The address a connection is counted under.
fn ip(front: &Front) -> Option<IpAddr> {
    front.addr.map(|addr| addr.ip().to_canonical())
}

impl Node {
    /// How many connections from peers there may be at a time: at most
    /// [`limits::DNODE_CLIENTS`], fewer where descriptors are few.
    pub fn limit_dnode_clients(&mut self, places: usize) {
        self.admission.peer_places = places.clamp(1, limits::DNODE_CLIENTS);
    }

    /// The name of a member was resolved to these addresses.
    pub fn member_resolved(&mut self, endpoint: &Endpoint, addresses: &[SocketAddr]) {
        let ips = addresses.iter().map(SocketAddr::ip).collect();
        self.admission.resolved.insert(endpoint.clone(), ips);
        self.look_at_members();
    }

    /// Learns which addresses are members'.
    pub(super) fn look_at_members(&mut self) {
        let next = self.prepared.as_ref().map(|prepared| &*prepared.topology);
        self.admission.look_at(&self.topology, next);
    }

    /// Makes room for another connection from a peer if there is none. `false`: every place is held by
    /// a connection that is more useful than one from this address.
    pub(super) fn make_room_for_peer(&mut self, addr: Option<SocketAddr>, now: Now) -> bool {
        if self.fronts.peers.len() < self.admission.peer_places {
            return true;
        }
        for fresh in [false, true] {
            if fresh {
                self.choose_peers();
            }
            while let Some(candidate) = self.admission.peers.pop() {
                if self.may_replace(candidate, addr, now) {
                    self.evict_peer(candidate);
                    return true;
                }
            }
        }
        false
    }

    /// Returns true if a newcomer may have the place of this connection, which may have said something since
    /// it was chosen.
    fn may_replace(&self, of: Candidate, newcomer: Option<SocketAddr>, now: Now) -> bool {
        let is_member = self.admission.is_member(newcomer);
        let key = FrontId::of(of.id);
        let Some(peer) = self.fronts.peer(key).filter(|peer| peer.front.id == of.id) else {
            return false;
        };
        let quiet = now.mono_us.saturating_sub(peer.front.heard);
        let grade = Grade::of(
            self.admission.is_member(peer.front.addr),
            peer.front.has_asked,
        );
        match grade {
            Grade::SilentStranger => true,
            Grade::Stranger => is_member || quiet >= QUIET_US || of.crowd > self.crowd_of(newcomer),
            Grade::SilentMember => is_member,
            Grade::Member => is_member && quiet >= limits::PEER_QUIET_US,
        }
    }

    /// Connections to `dyn_listen` from the address of this one.
    fn crowd_of(&self, addr: Option<SocketAddr>) -> usize {
        let wanted = addr.map(|addr| addr.ip().to_canonical());
        let peers = self.fronts.peers.iter();
        peers.filter(|(_, peer)| ip(&peer.front) == wanted).count()
    }

    /// Chooses the least useful connections from peers.
    fn choose_peers(&mut self) {
        let mut crowds: HashMap<Option<IpAddr>, usize> = HashMap::new();
        for (_, peer) in &self.fronts.peers {
            *crowds.entry(ip(&peer.front)).or_default() += 1;
        }
        let candidates = self.fronts.peers.iter().map(|(_, peer)| Candidate {
            id: peer.front.id,
            grade: Grade::of(
                self.admission.is_member(peer.front.addr),
                peer.front.has_asked,
            ),
            crowd: crowds.get(&ip(&peer.front)).copied().unwrap_or(1),
            heard: peer.front.heard,
        });
        let mut chosen: Vec<Candidate> = candidates.collect();
        chosen.sort_unstable_by_key(|of| (of.grade, std::cmp::Reverse(of.crowd), of.heard));
        chosen.truncate(CHOSEN);
        chosen.reverse();
        self.admission.peers = chosen;
    }

    fn evict_peer(&mut self, candidate: Candidate) {
        let key = FrontId::of(candidate.id);
        if let Some(front) = self.fronts.get(key) {
            log_at!(
                Warn,
                "{} is closed to make room: connections from peers are at their limit of {}",
                front.log_name(),
                self.admission.peer_places
            );
        }
        self.stats.own.peers_evicted += 1;
        self.close_front(key, false);
    }

    /// Closes a client that holds a place and has asked for nothing, so that another can have its
    /// place. `false` if there is none such.
    pub fn make_room_for_client(&mut self, now: Now) -> bool {
        let is_idle = |front: &Front| {
            let age = now.mono_us.saturating_sub(front.since);
            let quiet = now.mono_us.saturating_sub(front.heard);
            let crumbs = age >= CRUMBS_US && front.inbound.len() <= CRUMBS;
            !front.has_asked && (quiet >= QUIET_US || crumbs)
        };
        if self.admission.clients.is_empty() && self.admission.next_look <= now.mono_us {
            self.admission.next_look = now.mono_us + limits::SWEEP_US;
            let idle = self.fronts.clients.iter().map(|(_, client)| &client.front);
            let mut idle: Vec<&Front> = idle.filter(|front| is_idle(front)).collect();
            idle.sort_unstable_by_key(|front| std::cmp::Reverse(front.heard));
            self.admission.clients = idle.iter().map(|front| front.id).collect();
        }
        while let Some(id) = self.admission.clients.pop() {
            let key = FrontId::of(id);
            let front = self.fronts.get(key).filter(|front| front.id == id);
            if let Some(front) = front.filter(|front| is_idle(front)) {
                log_at!(
                    Warn,
                    "{} is closed to make room: it has asked for nothing since it connected",
                    front.log_name()
                );
                self.stats.own.clients_evicted += 1;
                self.close_front(key, false);
                return true;
            }
        }
        false
    }

    /// Closes strangers on `dyn_listen` that have asked for nothing, if they are many.
    pub(super) fn close_silent_strangers(&mut self, now: Now) {
        self.admission.peers.clear();
        self.admission.clients.clear();
        let is_silent = |front: &Front| !front.has_asked && !self.admission.is_member(front.addr);
        let fronts = self.fronts.peers.iter().map(|(_, peer)| &peer.front);
        let silent: Vec<(ConnId, u64)> = fronts
            .filter(|front| is_silent(front))
            .map(|front| (front.id, front.since))
            .collect();
        if silent.len() <= self.admission.peer_places / 4 {
            return;
        }
        let mut closed = 0;
        for (id, since) in silent {
            debug_assert_eq!(id.kind, Kind::DnodeClient);
            if now.mono_us.saturating_sub(since) >= FIRST_REQUEST_US {
                self.close_front(FrontId::of(id), false);
                closed += 1;
            }
        }
        if closed > 0 {
            self.stats.own.peers_evicted += closed;
            log_at!(
                Warn,
                "{closed} connections to dyn_listen from addresses of no member are closed: they have said nothing"
            );
        }
    }
}
