//! The port of a running node for its operator: the admin endpoint, a reloaded configuration and lists of members go
//! through it.
//!
//! | file | noun |
//! |---|---|
//! | `control` | state, levels, timeouts, connections to peers; says when each takes effect |
//! | `reload` | the settings that can change while the node runs |
//! | `report`, `peers` | statistics, of the node and of each peer |
//! | `health` | whether the node can serve its clients, and if not, why |
//! | `agreement` | the mismatches between this node and others |
//!
//! None of it costs more because more requests are in flight.

mod agreement;
mod control;
mod health;
mod peers;
mod reload;
mod report;

pub use control::SETTABLE;
pub use health::Check;

use super::Node;
use crate::clock::Now;
use crate::cluster::change::Change;
use crate::cluster::member::{Member, TopologyError};
use crate::cluster::topology::Topology;
use std::sync::Arc;

/// A node as its operator sees it.
pub struct Operator<'a>(&'a mut Node);

impl Node {
    /// The port of its operator.
    pub fn operator(&mut self) -> Operator<'_> {
        Operator(self)
    }
}

/// Members.
impl Operator<'_> {
    /// The members by which requests go.
    pub fn topology(&self) -> &Arc<Topology> {
        &self.0.topology
    }

    /// Sets the members besides this node. Returns the differences; without one nothing is done. Requests
    /// go by the new list when its new peers are connected, or after two seconds; four, if the list changes again
    /// meanwhile.
    ///
    /// # Errors
    /// The list is no cluster; the old one stays.
    pub fn set_members(
        &mut self,
        members: Vec<Member>,
        now: Now,
    ) -> Result<Vec<Change>, TopologyError> {
        self.0.set_members(members, now)
    }
}
