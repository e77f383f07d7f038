//! What an operator may tell a running node, and what it tells him of itself in return.
//!
//! | verb | takes effect |
//! |---|---|
//! | [`Operator::set_consistency`](super::operator::Operator::set_consistency) | for requests read from now on, of clients that have chosen no level |
//! | [`Operator::set_timeout_factor`](super::operator::Operator::set_timeout_factor) | at once, also for requests under way |
//! | [`Operator::set_state`](super::operator::Operator::set_state) | at once; what waited for a state that serves writes goes out first |
//! | [`Operator::bar_peer`](super::operator::Operator::bar_peer) | for requests placed from now on; replies to earlier ones still count |
//! | [`Operator::renew_peer`](super::operator::Operator::renew_peer) | for requests placed from now on; each connection is closed when its last reply has come |
//! | [`Operator::reset_histograms`](super::operator::Operator::reset_histograms) | at once |
//!
//! None of it outlives the process.

use super::timers::Timer;
use super::upstream::{Loss, State};
use super::{ConnId, Node};
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::cluster::peer_state::{Gate, PeerState};
use crate::cluster::route::Target;
use crate::cluster::timeout::FACTORS;
use crate::config::Endpoint;
use crate::consistency::Consistency;
use crate::proto::{Class, Failure};

/// The states an operator may choose.
pub const SETTABLE: [PeerState; 4] = [
    PeerState::Standby,
    PeerState::WritesOnly,
    PeerState::Normal,
    PeerState::Resuming,
];

impl Node {
    /// Where the datastore is.
    pub fn datastore(&self) -> &Endpoint {
        &self.options.datastore
    }

    /// The level of requests whose client has chosen none.
    pub(super) fn consistency(&self, class: Class) -> Consistency {
        match class {
            Class::Read => self.options.read_consistency,
            Class::Write => self.options.write_consistency,
        }
    }

    /// Changes that level. Returns what it was.
    pub(super) fn set_consistency(&mut self, class: Class, level: Consistency) -> Consistency {
        let place = match class {
            Class::Read => &mut self.options.read_consistency,
            Class::Write => &mut self.options.write_consistency,
        };
        std::mem::replace(place, level)
    }

    /// Changes that factor; one outside of [`FACTORS`] is taken into them. Returns what it was.
    pub(super) fn set_timeout_factor(&mut self, factor: u32) -> u32 {
        let factor = factor.clamp(*FACTORS.start(), *FACTORS.end());
        self.granted = self.options.granted(factor);
        // Everything due is looked at again: it may be due earlier than was known.
        self.timers.set(Timer::Upstreams, 0);
        std::mem::replace(&mut self.timeout_factor, factor)
    }

    /// The state of this node.
    pub(super) fn state(&self) -> PeerState {
        self.state
    }

    /// Changes the state to one of [`SETTABLE`]. Returns what it was; `None` and no change for
    /// another one.
    pub(super) fn set_state(&mut self, state: PeerState, now: Now) -> Option<PeerState> {
        if !SETTABLE.contains(&state) {
            return None;
        }
        let old = std::mem::replace(&mut self.state, state);
        self.regate();
        self.release_held(now);
        Some(old)
    }

    /// Notes whether requests for the datastore have to be looked at before they are sent.
    pub(super) fn regate(&mut self) {
        let open = [Class::Read, Class::Write]
            .iter()
            .all(|&class| self.state.gate(class) == Gate::Serve);
        self.is_gated = !open || !self.held.is_empty() || self.busy.is_on();
    }

    /// Forgets the samples of all histograms.
    pub(super) fn reset_histograms(&mut self) {
        self.stats.hist.reset();
    }

    /// Makes the connections to a peer anew: those that wait for replies when they have come, those
    /// that wait to be tried again at once.
    pub(super) fn renew_peer(&mut self, node: NodeId, now: Now) {
        for slot in self.upstreams.slots_of(node) {
            let Some(peer) = self.upstreams.get_mut(slot).filter(|peer| !peer.is_store()) else {
                continue;
            };
            match peer.state {
                State::Handshake | State::Up => {
                    peer.renewing = true;
                    self.upstreams.renewing = true;
                }
                State::Down { .. } => {
                    peer.try_at_once();
                    self.connect_upstream(slot, now, false);
                }
                State::Idle | State::Connecting { .. } | State::Gone => {}
            }
        }
    }

    /// Closes the connections that are to be made anew and wait for no reply any more.
    pub(super) fn renew_idle(&mut self, now: Now) {
        if !self.upstreams.renewing {
            return;
        }
        self.upstreams.renewing = false;
        for slot in self.upstreams.slots() {
            let Some(peer) = self.upstreams.get(slot).filter(|peer| peer.renewing) else {
                continue;
            };
            if !peer.queue.is_empty() {
                self.upstreams.renewing = true;
                continue;
            }
            self.lose_upstream(slot, now, Loss::Asked);
            let peer = self.upstreams.get_mut(slot);
            // Else that is under way.
            if let Some(peer) = peer.filter(|peer| matches!(peer.state, State::Down { .. })) {
                peer.try_at_once();
                self.connect_upstream(slot, now, false);
            }
        }
    }

    /// The failure of a target that could not be reached.
    pub(super) fn unreachable(&self, target: &Target) -> Failure {
        if self.upstreams.is_admin_down(target.node) {
            Failure::PeerDown
        } else {
            super::collect::unreachable(target)
        }
    }

    /// The connections of this node to a peer that are there.
    pub(super) fn conns_of(&self, node: NodeId) -> impl Iterator<Item = ConnId> {
        self.upstreams
            .to_peer(node)
            .filter(|peer| peer.state.is_connected())
            .map(|peer| peer.id)
    }
}
