//! The state, levels and timeouts of a running node, and its connections to peers, as an operator sets them.
//!
//! | verb | takes effect |
//! |---|---|
//! | [`Operator::set_consistency`] | for requests read from now on, of clients that have chosen no level |
//! | [`Operator::set_timeout_factor`] | at once, also for requests under way |
//! | [`Operator::set_state`] | at once; what waited for a state that serves writes goes out first |
//! | [`Operator::bar_peer`] | for requests placed from now on; replies to earlier ones still count |
//! | [`Operator::renew_peer`] | for requests placed from now on; each connection is closed when its last reply has come |
//! | [`Operator::reset_histograms`] | at once |
//!
//! None of it outlives the process.

use super::Operator;
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::cluster::peer_state::PeerState;
use crate::cluster::timeout::FACTORS;
use crate::consistency::Consistency;
use crate::node::ConnId;
use crate::node::timers::Timer;
use crate::node::upstream::State;
use crate::proto::Class;

/// The states an operator may choose.
pub const SETTABLE: [PeerState; 4] = [
    PeerState::Standby,
    PeerState::WritesOnly,
    PeerState::Normal,
    PeerState::Resuming,
];

impl Operator<'_> {
    /// Returns true if the node is shutting down.
    pub fn is_draining(&self) -> bool {
        self.0.is_draining()
    }

    /// The factor of every request timeout, 1 to 10.
    pub fn timeout_factor(&self) -> u32 {
        self.0.timeout_factor
    }

    /// The state of a peer, from this node's connections to it.
    pub fn peer_state(&self, node: NodeId) -> PeerState {
        self.0.upstreams.peer_state(node)
    }

    /// Returns true if an operator keeps requests from a peer.
    pub fn is_barred(&self, node: NodeId) -> bool {
        self.0.upstreams.is_admin_down(node)
    }

    /// Keeps requests from a peer, or no longer. Returns the old setting.
    pub fn bar_peer(&mut self, node: NodeId, barred: bool) -> bool {
        self.0.upstreams.set_admin_down(node, barred)
    }

    /// The level of requests whose client has chosen none.
    pub fn consistency(&self, class: Class) -> Consistency {
        match class {
            Class::Read => self.0.options.read_consistency,
            Class::Write => self.0.options.write_consistency,
        }
    }

    /// Changes that level. Returns what it was.
    pub fn set_consistency(&mut self, class: Class, level: Consistency) -> Consistency {
        let place = match class {
            Class::Read => &mut self.0.options.read_consistency,
            Class::Write => &mut self.0.options.write_consistency,
        };
        std::mem::replace(place, level)
    }

    /// Changes that factor; one outside of [`FACTORS`] is taken into them. Returns what it was.
    pub fn set_timeout_factor(&mut self, factor: u32) -> u32 {
        let factor = factor.clamp(*FACTORS.start(), *FACTORS.end());
        self.0.granted = self.0.options.granted(factor);
        // Everything due is looked at again: it may be due earlier than was known.
        self.0.timers.set(Timer::Upstreams, 0);
        std::mem::replace(&mut self.0.timeout_factor, factor)
    }

    /// The state of this node.
    pub fn state(&self) -> PeerState {
        self.0.state
    }

    /// Changes the state to one of [`SETTABLE`]. Returns what it was; `None` and no change for
    /// another one.
    pub fn set_state(&mut self, state: PeerState, now: Now) -> Option<PeerState> {
        if !SETTABLE.contains(&state) {
            return None;
        }
        let old = std::mem::replace(&mut self.0.state, state);
        self.0.regate();
        self.0.send_parked_writes(now);
        Some(old)
    }

    /// Forgets the samples of all histograms.
    pub fn reset_histograms(&mut self) {
        self.0.stats.hist.reset();
    }

    /// Makes the connections to a peer anew: those that wait for replies when they have come, those
    /// that wait to be tried again at once.
    pub fn renew_peer(&mut self, node: NodeId, now: Now) {
        for slot in self.0.upstreams.slots_of(node) {
            let Some(peer) = self
                .0
                .upstreams
                .get_mut(slot)
                .filter(|peer| !peer.is_store())
            else {
                continue;
            };
            match peer.state {
                State::Handshake | State::Up => {
                    peer.renewing = true;
                    self.0.upstreams.renewing = true;
                }
                State::Down { .. } => {
                    peer.try_at_once();
                    self.0.connect_upstream(slot, now, false);
                }
                State::Idle | State::Connecting { .. } | State::Gone => {}
            }
        }
    }

    /// The connections of this node to a peer that are there.
    pub fn conns_of(&self, node: NodeId) -> impl Iterator<Item = ConnId> {
        self.0
            .upstreams
            .to_peer(node)
            .filter(|peer| peer.state.is_connected())
            .map(|peer| peer.id)
    }
}
