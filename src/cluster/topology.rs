//! One state of the cluster: datacenters, racks and nodes.
//!
//! Each node builds its own from the members it knows; there is no agreement protocol. So that nodes
//! with the same members build the same topology, nothing here depends on the order of the
//! members, except the numbers, which never leave the node:
//!
//! * The local datacenter is number 0, the others follow in order of first appearance.
//! * The racks of a datacenter are sorted by the length of their names, then by their bytes. (The
//!   original compares names of unequal length in a way that is no order; for equal lengths the two
//!   agree.) The order decides which rack of a remote datacenter receives its one copy of a write.
//! * Of two nodes of a rack that claim one token, the one with the smaller address text keeps it.
//!
//! A topology never changes. A change of members makes another with the next version, and a request
//! in flight keeps the one it started with.

use super::id::{DcId, NodeId, RackId};
use super::member::{Member, TopologyError, Warning, check, suspicions};
use super::ring::Ring;
use crate::config::{Endpoint, Settings};
use crate::hashkit::Token;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::ops::Range;

/// How far away a node is: decides encryption, the header's same-datacenter bit and time limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Distance {
    /// This node: its own datastore.
    Me,
    /// Another node of this rack.
    SameRack,
    /// Another rack of this datacenter.
    SameDc,
    /// Another datacenter.
    OtherDc,
}

impl Distance {
    /// The same-datacenter bit of messages to the node.
    pub fn is_same_dc(self) -> bool {
        self != Distance::OtherDc
    }
}

/// A member with its place in the topology.
#[derive(Clone, Debug)]
pub struct Node {
    /// The member as it is announced.
    pub member: Member,
    /// Its datacenter.
    pub dc: DcId,
    /// Its rack.
    pub rack: RackId,
    /// Distance from this node.
    pub distance: Distance,
}

/// A rack: one copy of all the data.
#[derive(Clone, Debug)]
pub struct Rack {
    /// Its name.
    pub name: String,
    /// Its datacenter.
    pub dc: DcId,
    /// Its nodes, in the order of the members.
    pub nodes: Vec<NodeId>,
    /// Its tokens.
    pub ring: Ring,
}

/// A datacenter.
#[derive(Clone, Debug)]
pub struct Dc {
    /// Its name.
    pub name: String,
    /// The numbers of its racks.
    racks: Range<u16>,
    /// The rack that receives the datacenter's one copy of a write: of its n racks the one at this
    /// node's rack's place modulo n. Its own rack, in the local datacenter.
    pub preselected: RackId,
}

impl Dc {
    /// Its racks in sorted order; never none.
    pub fn racks(&self) -> impl ExactSizeIterator<Item = RackId> + Clone + use<> {
        self.racks.clone().map(RackId)
    }
}

/// Racks that together must hold a request's keys on one node each, see [`Topology::rings`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// The rack of this node.
    OwnRack,
    /// Every rack of this datacenter.
    LocalDc,
    /// Every rack of every datacenter.
    Everywhere,
}

/// One state of the cluster. See the [module](self) for the rules.
#[derive(Clone, Debug)]
pub struct Topology {
    version: u64,
    nodes: Vec<Node>,
    racks: Vec<Rack>,
    dcs: Vec<Dc>,
    my_rack: RackId,
    needs_hash: bool,
    own_rack: Vec<RackId>,
    local_dc: Vec<RackId>,
    everywhere: Vec<RackId>,
}

/// A topology and the warnings about it.
#[derive(Clone, Debug)]
pub struct Built {
    /// The topology.
    pub topology: Topology,
    /// Things that are probably mistakes; requests are routed all the same.
    pub warnings: Vec<Warning>,
}

impl Topology {
    /// Builds the first state: this node, then `seeds` in their order. Members are taken
    /// as they are, even one that looks like this node (the configuration drops those).
    ///
    /// # Errors
    /// [`TopologyError`]: these members cannot form a cluster.
    pub fn build(me: Member, seeds: Vec<Member>) -> Result<Built, TopologyError> {
        assemble(1, me, seeds)
    }

    /// A cluster of one node.
    pub fn alone() -> Topology {
        let me = Member {
            name: String::new(),
            endpoint: Endpoint::Tcp {
                host: "127.0.0.1".into(),
                port: 8101,
            },
            dc: "localdc".into(),
            rack: "localrack".into(),
            tokens: vec![Token::default()],
        };
        match Topology::build(me, Vec::new()) {
            Ok(built) => built.topology,
            // One node with one token breaks no rule.
            Err(error) => unreachable!("{error}"),
        }
    }

    /// Builds the first state from the configuration: this node and its `dyn_seeds`.
    ///
    /// # Errors
    /// As [`build`](Topology::build).
    pub fn from_settings(settings: &Settings) -> Result<Built, TopologyError> {
        let seeds = settings.dyn_seeds.iter().map(Member::from).collect();
        Topology::build(Member::me(settings), seeds)
    }

    /// Builds the state after this one, with other members besides this node. Nodes keep their numbers if
    /// the list begins as the old one did.
    ///
    /// # Errors
    /// As [`build`](Topology::build); this state stays usable.
    pub fn succeed(&self, me: Member, seeds: Vec<Member>) -> Result<Built, TopologyError> {
        assemble(self.version + 1, me, seeds)
    }

    /// Grows by one with each successor; the first is 1.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// All nodes by their numbers, this node first.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// All racks by their numbers.
    pub fn racks(&self) -> &[Rack] {
        &self.racks
    }

    /// All datacenters by their numbers, the local one first.
    pub fn dcs(&self) -> &[Dc] {
        &self.dcs
    }

    /// A node; `None` for a number of another topology.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.index())
    }

    /// A rack; `None` for a number of another topology.
    pub fn rack(&self, id: RackId) -> Option<&Rack> {
        self.racks.get(id.index())
    }

    /// A datacenter; `None` for a number of another topology.
    pub fn dc(&self, id: DcId) -> Option<&Dc> {
        self.dcs.get(id.index())
    }

    /// The rack of this node.
    pub fn my_rack(&self) -> RackId {
        self.my_rack
    }

    /// How far a node is; one that is not known here counts as farthest.
    pub fn distance(&self, id: NodeId) -> Distance {
        self.node(id)
            .map_or(Distance::OtherDc, |node| node.distance)
    }

    /// Returns true if keys must be hashed at all: false as long as every rack of every datacenter has one
    /// node. Any token will do then.
    #[inline]
    pub fn needs_hash(&self) -> bool {
        self.needs_hash
    }

    /// The owner of a token in a rack; `None` only for a rack of another topology.
    #[inline]
    pub fn owner(&self, rack: RackId, token: Token) -> Option<NodeId> {
        self.racks
            .get(rack.index())
            .map(|rack| rack.ring.owner(token))
    }

    /// Returns true if this node owns the token in its rack.
    pub fn is_mine(&self, token: Token) -> bool {
        self.owner(self.my_rack, token) == Some(NodeId::ME)
    }

    /// Returns the racks that determine how the keys are divided within a scope. Racks whose nodes
    /// divide the keys like those of another rack are left out, and so are racks of one node; there
    /// are none if no rack of the scope divides the keys.
    pub fn rings(&self, scope: Scope) -> &[RackId] {
        match scope {
            Scope::OwnRack => &self.own_rack,
            Scope::LocalDc => &self.local_dc,
            Scope::Everywhere => &self.everywhere,
        }
    }
}

/// Racks by the length of the name, then its bytes.
type RackKey<'a> = (usize, &'a str);

fn assemble(version: u64, me: Member, seeds: Vec<Member>) -> Result<Built, TopologyError> {
    let mut members = vec![me];
    members.extend(seeds);
    check(&members)?;
    let mut warnings = suspicions(&members);

    // Datacenters in order of appearance, each with its racks sorted, each with its nodes.
    let mut dc_numbers: HashMap<&str, usize> = HashMap::new();
    let mut plan: Vec<(&str, BTreeMap<RackKey<'_>, Vec<NodeId>>)> = Vec::new();
    for (member, id) in members.iter().zip((0..).map(NodeId)) {
        let number = *dc_numbers.entry(&member.dc).or_insert_with(|| {
            plan.push((&member.dc, BTreeMap::new()));
            plan.len() - 1
        });
        if let Some((_, racks)) = plan.get_mut(number) {
            let key = (member.rack.len(), member.rack.as_str());
            racks.entry(key).or_default().push(id);
        }
    }

    let mut places = vec![(DcId::LOCAL, RackId::default()); members.len()];
    let mut racks: Vec<Rack> = Vec::new();
    let mut dcs: Vec<Dc> = Vec::new();
    let mut my_place = 0;
    for ((dc_name, its_racks), dc) in plan.into_iter().zip((0..).map(DcId)) {
        let first = racks.len() as u16;
        for ((_, name), nodes) in its_racks {
            let rack = RackId(racks.len() as u16);
            for node in &nodes {
                if let Some(place) = places.get_mut(node.index()) {
                    *place = (dc, rack);
                }
            }
            if nodes.contains(&NodeId::ME) {
                my_place = rack.0;
            }
            // `None` cannot happen: each rack has a node, and each node a token.
            if let Some(ring) = ring(&members, &nodes, &mut warnings) {
                racks.push(Rack {
                    name: name.to_owned(),
                    dc,
                    nodes,
                    ring,
                });
            }
        }
        let end = racks.len() as u16;
        let preselected = RackId(first + my_place.checked_rem(end - first).unwrap_or(0));
        dcs.push(Dc {
            name: dc_name.to_owned(),
            racks: first..end,
            preselected,
        });
    }

    let my_rack = RackId(my_place);
    let distance = |id: NodeId, dc: DcId, rack: RackId| {
        if id == NodeId::ME {
            Distance::Me
        } else if rack == my_rack {
            Distance::SameRack
        } else if dc == DcId::LOCAL {
            Distance::SameDc
        } else {
            Distance::OtherDc
        }
    };
    let nodes = members
        .into_iter()
        .zip(places)
        .zip((0..).map(NodeId))
        .map(|((member, (dc, rack)), id)| Node {
            member,
            dc,
            rack,
            distance: distance(id, dc, rack),
        })
        .collect();
    let local = dcs.first().map(Dc::racks).into_iter().flatten();
    let topology = Topology {
        version,
        nodes,
        my_rack,
        needs_hash: racks.iter().any(|rack| rack.ring.needs_hash()),
        own_rack: different_rings(&racks, [my_rack]),
        local_dc: different_rings(&racks, local),
        everywhere: different_rings(&racks, (0..racks.len() as u16).map(RackId)),
        racks,
        dcs,
    };
    Ok(Built { topology, warnings })
}

/// The ring of these nodes, of which the one with the smaller address wins a contested token.
fn ring(members: &[Member], nodes: &[NodeId], warnings: &mut Vec<Warning>) -> Option<Ring> {
    let mut by_address: Vec<(String, NodeId, &Member)> = nodes
        .iter()
        .filter_map(|node| {
            let member = members.get(node.index())?;
            Some((member.endpoint.to_string(), *node, member))
        })
        .collect();
    by_address.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
    let entries: Vec<(Token, NodeId)> = by_address
        .iter()
        .flat_map(|(_, node, member)| member.tokens.iter().map(|token| (*token, *node)))
        .collect();
    let (ring, clashes) = Ring::build(&entries)?;
    let text = |node: NodeId| members.get(node.index()).map(Member::to_string);
    warnings.extend(clashes.into_iter().map(|clash| Warning::SharedToken {
        token: clash.token,
        owner: text(clash.owner).unwrap_or_default(),
        loser: text(clash.loser).unwrap_or_default(),
    }));
    Some(ring)
}

/// Returns one rack for each way in which these racks divide the keys.
fn different_rings(racks: &[Rack], among: impl IntoIterator<Item = RackId>) -> Vec<RackId> {
    let mut seen = HashSet::new();
    among
        .into_iter()
        .filter(|id| {
            racks
                .get(id.index())
                .is_some_and(|rack| rack.ring.needs_hash() && seen.insert(rack.ring.shape()))
        })
        .collect()
}

#[cfg(test)]
pub(crate) mod tests;
