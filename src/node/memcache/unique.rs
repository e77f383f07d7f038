//! Versions of values, and the replica they belong to.

use super::answer::first_line;
use crate::clock::Now;
use crate::cluster::id::{NodeId, RackId};
use crate::cluster::route::first_rack_candidates;
use crate::cluster::topology::Topology;
use crate::hashkit::{self, HashKind};
use crate::mbuf::Chain;
use crate::node::Node;
use crate::node::front::Raw;
use crate::node::members::NOBODY;
use crate::node::replicate::Rules;
use crate::node::route::Ask;
use crate::proto::memcache::call::Call;
use crate::proto::memcache::{rewrite, unique};
use std::sync::Arc;

/// The marks of racks, which every node of the cluster gives alike: numbers from 1 on that follow
/// from the names of datacenter and rack, so that they stay when racks are added or taken away.
#[derive(Debug, Default)]
pub(in crate::node) struct Marks {
    /// By the number of the rack on this node.
    marks: Vec<u16>,
}

impl Marks {
    pub fn new(topology: &Topology) -> Marks {
        let name = |at: usize| {
            let rack = topology.racks().get(at);
            let dc = rack.and_then(|rack| topology.dc(rack.dc));
            let names = rack.zip(dc);
            names.map_or(String::new(), |(rack, dc)| {
                format!("{}\0{}", dc.name, rack.name)
            })
        };
        let count = topology.racks().len();
        let mut sorted: Vec<usize> = (0..count).collect();
        sorted.sort_by_key(|&at| name(at));
        let mut marks = vec![0; count];
        for rack in sorted.into_iter().take(usize::from(u16::MAX)) {
            let hash = hashkit::hash(HashKind::Fnv1a32, name(rack).as_bytes());
            let mut mark = (hash % u32::from(u16::MAX)) as u16 + 1;
            while marks.contains(&mark) {
                mark = mark % u16::MAX + 1;
            }
            if let Some(place) = marks.get_mut(rack) {
                *place = mark;
            }
        }
        Marks { marks }
    }

    /// The mark of a node's rack; 0 if there is none.
    fn of(&self, topology: &Topology, node: NodeId) -> u16 {
        let rack = topology.node(node).map(|node| node.rack.index());
        let mark = rack.and_then(|rack| self.marks.get(rack));
        mark.copied().unwrap_or_default()
    }

    /// The rack with this mark.
    fn rack(&self, mark: u16) -> Option<RackId> {
        let at = self.marks.iter().position(|of| *of == mark && mark > 0)?;
        Some(RackId(at as u16))
    }
}

impl Node {
    /// Runs a compare-and-swap on the replica whose version it names, and lets the others know.
    pub(super) fn compare_and_swap(
        &mut self,
        entry: u32,
        pin: u32,
        now: Now,
        ask: &Ask<'_>,
        call: &Call<'_>,
    ) {
        let topology = Arc::clone(&self.topology);
        let (mark, id) = rewrite::unique(call).map_or((0, 0), unique::split);
        let rack = self.marks.rack(mark);
        let Some(owner) = rack.and_then(|rack| topology.owner(rack, ask.token)) else {
            // A version that no rack has given.
            let mut candidates = first_rack_candidates(&topology, ask.token);
            let first = candidates.clone().next().unwrap_or_default();
            let reached = candidates.find(|&node| self.reaches(node, pin, now));
            let owner = reached.unwrap_or(first);
            return self.take_first_step(entry, pin, now, ask, Rules::Memcache, owner);
        };
        let mut text = Vec::new();
        let call = rewrite::with_unique(call, id, &mut text);
        let chain = self.rewritten(&call, first_line(ask.raw).len(), ask.raw);
        let ask = Ask {
            raw: Raw::from(&chain),
            ..*ask
        };
        self.take_first_step(entry, pin, now, &ask, Rules::Memcache, owner);
    }

    /// A node's reply with the versions it tells marked with its rack. Those of a node that is no
    /// member any more match nothing.
    pub(in crate::node) fn marked(&self, node: NodeId, raw: Raw<'_>) -> Chain {
        let mut reply = Chain::new();
        raw.append_to(&mut reply);
        if node == NOBODY {
            return unique::void(&reply, &self.pool);
        }
        unique::mark(&reply, self.marks.of(&self.topology, node), &self.pool)
    }
}
