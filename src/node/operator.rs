//! What an operator may ask of a running node and tell it: the one port of the admin endpoint, of a reloaded
//! configuration and of lists of members.
//!
//! | group | methods | what is behind it |
//! |---|---|---|
//! | control | `set_state`, `set_consistency`, `set_timeout_factor`, `bar_peer`, `renew_peer`, `reset_histograms` | [`super::control`], which says when each takes effect |
//! | reload | `set_timeout`, `set_client_connections`, `set_server_retry_timeout`, `set_conn_msg_rate` | `reload` |
//! | members | `topology`, `set_members` | `members` |
//! | report | `stats`, `peers`, `memory`, `health`, `warnings`, cards, the counters of its callers | `report`, `tally`, [`super::health`], [`super::agreement`], `card` |
//!
//! None of it costs more because more requests are in flight.

use super::agreement::Warning;
use super::health::Check;
use super::{ConnId, Node};
use crate::clock::Now;
use crate::cluster::change::Change;
use crate::cluster::id::NodeId;
use crate::cluster::member::{Member, TopologyError};
use crate::cluster::peer_state::PeerState;
use crate::cluster::topology::Topology;
use crate::consistency::Consistency;
use crate::proto::Class;
use crate::proto::dnode::Card;
use crate::stats::{Memory, OwnStats, Peer, Stats};
use std::sync::Arc;
use std::time::Duration;

/// A node as its operator sees it.
pub struct Operator<'a>(&'a mut Node);

impl Node {
    /// The port of its operator.
    pub fn operator(&mut self) -> Operator<'_> {
        Operator(self)
    }
}

/// Control.
impl Operator<'_> {
    /// The state of this node.
    pub fn state(&self) -> PeerState {
        self.0.state()
    }

    /// Changes the state to one of [`SETTABLE`](super::control::SETTABLE). Returns what it was; `None` and no change
    /// for another one.
    pub fn set_state(&mut self, state: PeerState, now: Now) -> Option<PeerState> {
        self.0.set_state(state, now)
    }

    /// Returns true if the node is shutting down.
    pub fn is_draining(&self) -> bool {
        self.0.is_draining()
    }

    /// The level of requests whose client has chosen none.
    pub fn consistency(&self, class: Class) -> Consistency {
        self.0.consistency(class)
    }

    /// Changes that level. Returns what it was.
    pub fn set_consistency(&mut self, class: Class, level: Consistency) -> Consistency {
        self.0.set_consistency(class, level)
    }

    /// What every request timeout is multiplied by, 1 to 10.
    pub fn timeout_factor(&self) -> u32 {
        self.0.timeout_factor
    }

    /// Changes that factor; one out of range is taken into it. Returns what it was.
    pub fn set_timeout_factor(&mut self, factor: u32) -> u32 {
        self.0.set_timeout_factor(factor)
    }

    /// The state of a peer as far as this node knows: [`PeerState::Normal`] while requests are sent
    /// to it, [`PeerState::Reset`] while its connections are made anew, else [`PeerState::Down`].
    pub fn peer_state(&self, node: NodeId) -> PeerState {
        self.0.upstreams.peer_state(node)
    }

    /// Returns true if no requests are sent to a peer because an operator wants that.
    pub fn is_barred(&self, node: NodeId) -> bool {
        self.0.upstreams.is_admin_down(node)
    }

    /// Keeps requests from a peer, or no longer. Returns what was so before.
    pub fn bar_peer(&mut self, node: NodeId, barred: bool) -> bool {
        self.0.upstreams.set_admin_down(node, barred)
    }

    /// Makes the connections to a peer anew: those that wait for replies when they have come, those
    /// that wait to be tried again at once.
    pub fn renew_peer(&mut self, node: NodeId, now: Now) {
        self.0.renew_peer(node, now);
    }

    /// Forgets the samples of all histograms.
    pub fn reset_histograms(&mut self) {
        self.0.reset_histograms();
    }
}

/// Reload.
impl Operator<'_> {
    /// `timeout`: at once, also for requests under way.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.0.set_timeout(timeout);
    }

    /// `client_connections`: for clients to come. Those that are there stay; 0 is no limit.
    pub fn set_client_connections(&mut self, most: u32) {
        self.0.set_client_connections(most);
    }

    /// `server_retry_timeout`: from the next failure on.
    pub fn set_server_retry_timeout(&mut self, ceiling: Duration) {
        self.0.set_server_retry_timeout(ceiling);
    }

    /// `conn_msg_rate`: at once.
    pub fn set_conn_msg_rate(&mut self, rate: u32, now: Now) {
        self.0.set_conn_msg_rate(rate, now);
    }

    /// `local_scan`: for requests to come.
    pub fn set_local_scan(&mut self, is_local: bool) {
        self.0.set_local_scan(is_local);
    }

    /// `enable_flush`: for requests to come.
    pub fn set_enable_flush(&mut self, is_enabled: bool) {
        self.0.set_enable_flush(is_enabled);
    }

    /// `read_failover`: for requests to come.
    pub fn set_read_failover(&mut self, is_enabled: bool) {
        self.0.set_read_failover(is_enabled);
    }
}

/// Members.
impl Operator<'_> {
    /// The members by which requests go.
    pub fn topology(&self) -> &Arc<Topology> {
        self.0.topology()
    }

    /// Other members besides this node. Returns what is different; with no difference nothing is done.
    /// Requests go by the new list when its new peers are connected, or after two seconds; four, if the list
    /// changes again meanwhile.
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

    /// The connections to a peer; none for this node.
    pub fn conns_of(&self, node: NodeId) -> impl Iterator<Item = ConnId> {
        self.0.conns_of(node)
    }
}

/// Report.
impl Operator<'_> {
    /// Everything counted so far.
    pub fn stats(&mut self, now: Now) -> Stats {
        self.0.stats(now)
    }

    /// What is known of each peer, in the order of the topology.
    pub fn peers(&mut self, now: Now) -> Vec<Peer> {
        self.0.peers(now)
    }

    /// What it holds in memory, but for what only the operating system knows.
    pub fn memory(&self) -> Memory {
        self.0.memory()
    }

    /// Everything that must be so for the node to serve, as of now; the datastore as far as it is watched.
    pub fn health(&mut self, now: Now) -> Vec<Check> {
        self.0.watch_store(now);
        self.0.health()
    }

    /// Everything that does not match between this node and others.
    pub fn warnings(&self) -> Vec<Warning> {
        self.0.warnings()
    }

    /// This node's own card.
    pub fn own_card(&self) -> &Card {
        self.0.own_card()
    }

    /// The card of a peer, of whichever connection has one.
    pub fn card_of(&self, node: NodeId) -> Option<&Card> {
        self.0.card_of(node)
    }

    /// The counters of what is done around the node.
    pub fn own_stats(&mut self) -> &mut OwnStats {
        self.0.own_stats()
    }

    /// Counts a poll of the statistics.
    pub fn count_poll(&mut self) {
        self.0.count_poll();
    }

    /// Counts a change by an operator, or one that was refused.
    pub fn count_change(&mut self, made: bool) {
        self.0.count_change(made);
    }
}
