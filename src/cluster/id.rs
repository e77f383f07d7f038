//! Small numbers for nodes, racks and datacenters.
//!
//! They count from 0 within one [`Topology`](super::topology::Topology) and mean nothing in
//! another, except that a node keeps its number while members are only added at the end.

/// A node, by its place in the list of members; this node is 0.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub u16);

/// A rack. The racks of a datacenter have consecutive numbers in their sorted order, and those of
/// the local datacenter come first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RackId(pub u16);

/// A datacenter. The local one is 0, the others follow in the order they first appear among the
/// members.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DcId(pub u16);

impl NodeId {
    /// This node.
    pub const ME: NodeId = NodeId(0);

    /// As the index of a table with a row for each node.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl RackId {
    /// As the index of a table with a row for each rack.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}

impl DcId {
    /// The datacenter of this node.
    pub const LOCAL: DcId = DcId(0);

    /// As the index of a table with a row for each datacenter.
    #[inline]
    pub const fn index(self) -> usize {
        self.0 as usize
    }
}
