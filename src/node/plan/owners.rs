//! Whether one node owns several keys. This is the only definition of “the same node”.

use super::{Asker, PlanCx, Route};
use crate::cluster::id::RackId;
use crate::cluster::split::same_owner;
use crate::cluster::topology::Scope;
use crate::hashkit::Token;

impl<'a> PlanCx<'a> {
    /// The racks by whose owners keys are compared, and a request divided: those that may see the request.
    pub fn racks(&self, route: &Route) -> &'a [RackId] {
        let scope = match self.asker {
            Asker::Client { .. } => self.demand(route).scope(),
            // What a peer wants to be forwarded goes to every rack of this datacenter. Its keys have one owner for the
            // peer; others here while it goes by another list of members, or if it is a C node and racks have
            // different tokens.
            Asker::Peer { .. } => Scope::LocalDc,
        };
        self.topology.rings(scope)
    }

    /// Returns true if these keys have one owner in every rack that may see the request.
    pub fn have_one_owner(&self, route: &Route, tokens: &[Token]) -> bool {
        tokens.len() < 2
            || !self.facts.needs_hash
            || same_owner(self.topology, tokens, self.racks(route))
    }
}
