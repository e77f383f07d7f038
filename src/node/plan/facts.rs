//! Facts about the topology that decisions about requests depend on, worked out when the topology changes.

use crate::cluster::id::DcId;
use crate::cluster::topology::Topology;
use crate::config::StoreKind;
use crate::node::Options;

/// Facts that follow from the topology and the options of the start.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(in crate::node) struct Facts {
    /// There are no other nodes: nothing has to be placed.
    pub alone: bool,
    /// There are more racks than this one, anywhere.
    pub replicated: bool,
    /// This datacenter has more racks than this one.
    pub has_other_racks: bool,
    /// Some rack has several nodes: a key has to be hashed to know its owner.
    pub needs_hash: bool,
    /// Not every request with a key goes on unchanged.
    pub needs_inspection: bool,
    /// Versions that clients of a memcached get are marked with the node they are from.
    pub marks_versions: bool,
}

impl Facts {
    /// The facts about this topology.
    pub fn new(topology: &Topology, options: &Options) -> Facts {
        let (nodes, racks) = (topology.nodes().len(), topology.racks().len());
        let own = topology.dc(DcId::LOCAL);
        Facts {
            alone: nodes == 1,
            replicated: racks > 1,
            has_other_racks: own.is_some_and(|dc| dc.racks().len() > 1),
            needs_hash: topology.needs_hash(),
            needs_inspection: nodes > 1 && (racks > 1 || options.admin_operation == 1),
            marks_versions: nodes > 1 && options.store == StoreKind::Memcache,
        }
    }
}
