//! The readiness of the node to serve its clients, and the reasons against it.

use super::Operator;
use crate::clock::Now;
use crate::cluster::id::{DcId, NodeId};
use crate::cluster::peer_state::{Gate, PeerState};
use crate::consistency::Consistency;
use crate::node::upstream::{State, Upstream};
use crate::proto::Class;

/// One thing that must be so for the node to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was looked at, in one word.
    pub name: &'static str,
    /// Why it is not as it should be; nothing if it is.
    pub trouble: Option<String>,
}

impl Operator<'_> {
    /// Everything that must be so for the node to serve, as of now; the datastore as far as it is watched.
    pub fn health(&mut self, now: Now) -> Vec<Check> {
        self.0.watch_store(now);
        self.checks()
    }

    /// Everything that must be so, as of now.
    ///
    /// - `state`: it serves reads and writes.
    /// - `draining`: the node is not shutting down.
    /// - `datastore`: a connection is there, or will be made for the first request (`preconnect: false`), and as far
    ///   as the datastore is watched it serves reads ([`store_probe`](crate::node::store_probe)).
    /// - `quorum`: for the keys at this node's tokens, as many racks can be reached as the default levels of clients
    ///   need.
    /// - `agreement`: it places keys as most nodes do ([`agreement`](crate::node::agreement)).
    pub(in crate::node) fn checks(&self) -> Vec<Check> {
        let check = |name, trouble| Check { name, trouble };
        vec![
            check("state", self.state_trouble()),
            check(
                "draining",
                self.is_draining()
                    .then(|| "the node is shutting down".to_owned()),
            ),
            check("datastore", self.datastore_trouble()),
            check("quorum", self.quorum_trouble()),
            self.agreement(),
        ]
    }

    fn state_trouble(&self) -> Option<String> {
        let serves = |class| self.0.state.gate(class) == Gate::Serve;
        let trouble = match (serves(Class::Read), serves(Class::Write)) {
            (true, true) => return None,
            (false, true) => "reads are refused",
            _ if self.0.state == PeerState::WritesOnly => "reads are refused, writes are held",
            _ => "reads and writes are refused",
        };
        Some(format!("in state {} {trouble}", self.0.state))
    }

    fn datastore_trouble(&self) -> Option<String> {
        let stores = self.0.upstreams.stores();
        let usable = |store: &Upstream| matches!(store.state, State::Up | State::Idle);
        let datastore = &self.0.options.datastore;
        if !stores.iter().any(usable) {
            return Some(format!("there is no connection to {datastore}"));
        }
        let trouble = self
            .0
            .busy
            .trouble()
            .or_else(|| self.0.store_probe.trouble())?;
        Some(format!("{datastore} {trouble}"))
    }

    fn quorum_trouble(&self) -> Option<String> {
        let accesses = [(Class::Read, "reads"), (Class::Write, "writes")];
        accesses
            .into_iter()
            .find_map(|(class, what)| self.level_trouble(self.consistency(class), what))
    }

    /// Why requests of this level for the keys at this node's tokens cannot be served.
    fn level_trouble(&self, level: Consistency, what: &str) -> Option<String> {
        let dcs = match level {
            Consistency::DcOne => return None,
            Consistency::DcQuorum | Consistency::DcSafeQuorum => 1,
            Consistency::DcEachSafeQuorum => self.0.topology.dcs().len(),
        };
        let me = self.0.topology.node(NodeId::ME)?;
        let places = (0..).map(DcId).zip(self.0.topology.dcs()).take(dcs);
        places
            .flat_map(|(_, dc)| me.member.tokens.iter().map(move |token| (dc, *token)))
            .find_map(|(dc, token)| {
                let racks = dc.racks();
                let needed = racks.len() / 2 + 1;
                let owners = racks.filter_map(|rack| self.0.topology.owner(rack, token));
                let reached = owners.filter(|node| self.is_reached(*node)).count();
                (reached < needed).then(|| {
                    format!(
                        "{what} are {level}, for which {needed} racks of {} are needed, and {reached} can be reached",
                        dc.name
                    )
                })
            })
    }

    fn is_reached(&self, node: NodeId) -> bool {
        let all = self.0.upstreams.to(node);
        all.iter().any(Upstream::takes_requests)
    }
}
