//! The nodes one request goes to.
//!
//! | level | read | write, this datacenter | write, each other datacenter |
//! |---|---|---|---|
//! | `DC_ONE` | owner in this rack | owner in every rack; this rack's reply counts | one copy, to the preselected rack |
//! | `DC_QUORUM`, `DC_SAFE_QUORUM` | owner in every rack of this datacenter | the same, all count | the same as `DC_ONE` |
//! | `DC_EACH_SAFE_QUORUM` | owner in every rack of every datacenter | all count | owner in every rack, all count |
//!
//! That is what the C original does, in the same order (this datacenter first, racks sorted), with
//! these differences:
//!
//! * At `DC_EACH_SAFE_QUORUM` it sends each rack of another datacenter a message that the receiver
//!   spreads over its whole datacenter, so that every replica there executes the request as many
//!   times as there are racks. Here each owner is addressed directly ([`How::Request`]).
//! * A `DC_ONE` read whose owner in this rack cannot answer goes to the owner in another rack of
//!   this datacenter, if the [`Demand`] allows it. There it ends in an error.
//! * A counted target that cannot be reached is in the list and counts as an error: the judge never waits
//!   for a reply that cannot come.

use super::id::{DcId, NodeId, RackId};
use super::topology::{Scope, Topology};
use crate::consistency::Consistency;
use crate::hashkit::Token;
use crate::proto::Class;

/// The nodes that a command may go to, whatever its key. The original's `ROUTING_…` classes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Routing {
    /// By key and consistency level.
    #[default]
    Normal,
    /// This node's datastore only.
    LocalNode,
    /// The owner in this rack only, at every level, and never another rack's (a cursor of `HSCAN`
    /// means nothing to another store).
    OwnRackOnly,
    /// A read of the owner in this datacenter's first rack, or the first that can be reached, whichever
    /// rack this node is in: all nodes of the datacenter ask the same one.
    FirstRack,
    /// Every node of this rack; all replies count, for the caller to join. The original has the
    /// class and gives it to no command.
    AllNodesOwnRack,
    /// Every node of every rack and datacenter; this node's reply counts.
    AllNodes,
}

/// A request, as far as placement is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Demand {
    /// The command's class.
    pub routing: Routing,
    /// Read or write.
    pub class: Class,
    /// The level in force for this class of request on the client's connection.
    pub level: Consistency,
    /// Of the (first) key; any token if the cluster does not need hashes
    /// ([`Topology::needs_hash`]) or the command has no key.
    pub token: Token,
    /// True if another rack of this datacenter may serve a `DC_ONE` read when the owner in
    /// this rack cannot answer. With several keys, only if they have one owner in each of those
    /// racks too; [`Demand::scope`] takes that into account.
    pub failover: bool,
}

impl Demand {
    /// The level that decides the answer: `DC_ONE` (the counted reply is the answer) for every
    /// class but [`Routing::Normal`].
    pub fn effective_level(&self) -> Consistency {
        match self.routing {
            Routing::Normal => self.level,
            _ => Consistency::DcOne,
        }
    }

    /// The racks that may see this request: its keys must have one owner in each of them. A request
    /// by keys of several owners is split by it ([`super::split`]).
    pub fn scope(&self) -> Scope {
        let each = self.level == Consistency::DcEachSafeQuorum;
        match (self.routing, self.class) {
            (Routing::Normal, Class::Write) => Scope::Everywhere,
            (Routing::Normal, Class::Read) if each => Scope::Everywhere,
            (Routing::Normal, Class::Read) if self.level == Consistency::DcOne => {
                if self.failover {
                    Scope::LocalDc
                } else {
                    Scope::OwnRack
                }
            }
            (Routing::Normal, Class::Read) => Scope::LocalDc,
            (Routing::FirstRack, _) => Scope::LocalDc,
            _ => Scope::OwnRack,
        }
    }
}

/// How a target gets its request. The numbers are those of the peer protocol's message types.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum How {
    /// Into this node's datastore.
    #[default]
    Local,
    /// As type 3: the receiver executes it on its own datastore, nothing else.
    Request,
    /// As type 4: the receiver sends it to the owner in every rack of its datacenter.
    Forward,
}

/// How a target's reply counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Counts {
    /// It is discarded.
    #[default]
    Discarded,
    /// It counts among the replies of this datacenter.
    In(DcId),
}

/// One node that gets the request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Target {
    /// The node.
    pub node: NodeId,
    /// In which form.
    pub how: How,
    /// How its reply counts.
    pub counts: Counts,
    /// True if it can be sent. If not, a counted target is an error of its datacenter from the
    /// start, and a discarded one is dropped, for the caller's statistics.
    pub reachable: bool,
    /// How many racks were skipped because they could not be reached; 0 without failover.
    pub passed_over: u16,
}

/// The targets of one request, in the order of sending; at most as many as the cluster has nodes. Meant to be
/// reused, so that it takes no memory for each request.
#[derive(Clone, Debug, Default)]
pub struct Targets {
    list: Vec<Target>,
}

impl std::ops::Deref for Targets {
    type Target = [Target];

    fn deref(&self) -> &[Target] {
        &self.list
    }
}

/// The placement of one request, while it is computed.
struct Placing<'a, R> {
    topology: &'a Topology,
    token: Token,
    reaches: R,
    list: &'a mut Vec<Target>,
}

impl Targets {
    /// Replaces the list by the targets of a client's request.
    ///
    /// `reaches` says whether a request can be sent to a node now: for this node, whether its
    /// datastore takes it; for a peer, whether a connection is established. It may be asked more
    /// than once for a node.
    pub fn place(
        &mut self,
        topology: &Topology,
        demand: &Demand,
        reaches: impl Fn(NodeId) -> bool,
    ) {
        let mut placing = self.start(topology, demand.token, reaches);
        match demand.routing {
            Routing::LocalNode => placing.add_me(),
            Routing::OwnRackOnly => placing.add_owner(topology.my_rack(), Counts::In(DcId::LOCAL)),
            Routing::FirstRack => placing.add_first(
                first_rack_candidates(topology, demand.token),
                demand.failover,
                How::Request,
                Counts::In(DcId::LOCAL),
            ),
            Routing::AllNodesOwnRack => {
                placing.add_all_of(topology.my_rack(), |_| Counts::In(DcId::LOCAL));
            }
            Routing::AllNodes => {
                let mine = |node| match node {
                    NodeId::ME => Counts::In(DcId::LOCAL),
                    _ => Counts::Discarded,
                };
                for dc in topology.dcs() {
                    for rack in dc.racks() {
                        placing.add_all_of(rack, mine);
                    }
                }
            }
            Routing::Normal => placing.add_by_level(demand),
        }
    }

    /// Replaces the list by the targets of a peer's request of type 4, read or write: the owner in
    /// every rack of this datacenter, of which only this rack's reply counts.
    pub fn place_forward(
        &mut self,
        topology: &Topology,
        token: Token,
        reaches: impl Fn(NodeId) -> bool,
    ) {
        self.start(topology, token, reaches)
            .add_local_racks(Consistency::DcOne);
    }

    fn start<'a, R: Fn(NodeId) -> bool>(
        &'a mut self,
        topology: &'a Topology,
        token: Token,
        reaches: R,
    ) -> Placing<'a, R> {
        self.list.clear();
        Placing {
            topology,
            token,
            reaches,
            list: &mut self.list,
        }
    }
}

impl<R: Fn(NodeId) -> bool> Placing<'_, R> {
    fn push(&mut self, node: NodeId, how: How, counts: Counts) {
        let target = Target {
            reachable: (self.reaches)(node),
            ..target(node, how, counts)
        };
        self.list.push(target);
    }

    fn add_me(&mut self) {
        self.push(NodeId::ME, How::Local, Counts::In(DcId::LOCAL));
    }

    fn add_owner(&mut self, rack: RackId, counts: Counts) {
        if let Some(owner) = self.topology.owner(rack, self.token) {
            self.push(owner, How::Request, counts);
        }
    }

    fn add_all_of(&mut self, rack: RackId, counts: impl Fn(NodeId) -> Counts) {
        let nodes = self.topology.rack(rack).map(|rack| rack.nodes.as_slice());
        for node in nodes.unwrap_or_default() {
            self.push(*node, How::Request, counts(*node));
        }
    }

    fn add_by_level(&mut self, demand: &Demand) {
        let write = demand.class == Class::Write;
        match demand.level {
            Consistency::DcOne if !write => {
                // As a rule the owner in this rack serves it.
                let counts = Counts::In(DcId::LOCAL);
                let owner = self.topology.owner(self.topology.my_rack(), self.token);
                if let Some(owner) = owner.filter(|owner| (self.reaches)(*owner)) {
                    self.list.push(target(owner, How::Request, counts));
                    return;
                }
                return self.add_first(
                    read_candidates(self.topology, self.token),
                    demand.failover,
                    How::Request,
                    counts,
                );
            }
            level => self.add_local_racks(level),
        }
        let topology = self.topology;
        for (dc, id) in topology.dcs().iter().zip((0..).map(DcId)).skip(1) {
            if demand.level == Consistency::DcEachSafeQuorum {
                for rack in dc.racks() {
                    self.add_owner(rack, Counts::In(id));
                }
            } else if write {
                let candidates = forward_candidates(topology, id, self.token);
                self.add_first(candidates, true, How::Forward, Counts::Discarded);
            }
        }
    }

    /// The owner in every rack of this datacenter; at `DC_ONE` only this rack's reply counts.
    fn add_local_racks(&mut self, level: Consistency) {
        let topology = self.topology;
        let Some(dc) = topology.dc(DcId::LOCAL) else {
            return;
        };
        for rack in dc.racks() {
            let counts = if level != Consistency::DcOne || rack == topology.my_rack() {
                Counts::In(DcId::LOCAL)
            } else {
                Counts::Discarded
            };
            self.add_owner(rack, counts);
        }
    }

    /// The first candidate that can be reached; the very first if none can, or without failover.
    fn add_first(
        &mut self,
        mut candidates: impl Iterator<Item = NodeId> + Clone,
        failover: bool,
        how: How,
        counts: Counts,
    ) {
        let found = candidates
            .clone()
            .zip(0..)
            .take(if failover { usize::MAX } else { 1 })
            .find(|(node, _)| (self.reaches)(*node));
        if let Some((node, passed_over)) = found {
            self.list.push(Target {
                passed_over,
                ..target(node, how, counts)
            });
        } else if let Some(node) = candidates.next() {
            self.push(node, how, counts);
        }
    }
}

/// A node that can be reached.
fn target(node: NodeId, how: How, counts: Counts) -> Target {
    Target {
        node,
        how: if node == NodeId::ME { How::Local } else { how },
        counts,
        reachable: true,
        passed_over: 0,
    }
}

/// The owners that can serve a read, best first: this rack's, then those of the datacenter's racks
/// after it in order, then of those before it, so that the load of a failed rack is not all put on
/// one. The caller that must try again after a reply that is an error takes the next.
pub fn read_candidates(
    topology: &Topology,
    token: Token,
) -> impl Iterator<Item = NodeId> + Clone + use<'_> {
    let mine = topology.my_rack();
    let racks = topology.dc(DcId::LOCAL).map(|dc| dc.racks());
    let after = racks.clone().into_iter().flatten();
    let before = racks.into_iter().flatten();
    after
        .filter(move |rack| *rack >= mine)
        .chain(before.filter(move |rack| *rack < mine))
        .filter_map(move |rack| topology.owner(rack, token))
}

/// The same in an order that is one for all nodes of the datacenter: by the order of its racks.
pub fn first_rack_candidates(
    topology: &Topology,
    token: Token,
) -> impl Iterator<Item = NodeId> + Clone + use<'_> {
    topology
        .dc(DcId::LOCAL)
        .into_iter()
        .flat_map(|dc| dc.racks())
        .filter_map(move |rack| topology.owner(rack, token))
}

/// The owners in another datacenter that can spread a write there, best first: the preselected
/// rack's, then those of the other racks in order, as the original tries them.
pub fn forward_candidates(
    topology: &Topology,
    dc: DcId,
    token: Token,
) -> impl Iterator<Item = NodeId> + Clone + use<'_> {
    topology
        .dc(dc)
        .into_iter()
        .flat_map(|dc| {
            let others = dc.racks().filter(|rack| *rack != dc.preselected);
            std::iter::once(dc.preselected).chain(others)
        })
        .filter_map(move |rack| topology.owner(rack, token))
}

#[cfg(test)]
mod tests;
