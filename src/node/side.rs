//! A second connection to the datastore, for what must not wait behind a script.
//!
//! While a script runs, Redis reads nothing more from the connection it came on, and that is the one all
//! clients share. On any other connection it still carries out the commands that may run beside a script
//! (`SCRIPT KILL`, `FUNCTION KILL`, `FUNCTION STATS`: [`Command::runs_beside_scripts`](crate::proto::redis::command::Command::runs_beside_scripts)) and answers
//! `BUSY` to all others. So these commands, and the node's own question whether the datastore is busy
//! ([`super::busy`]), have a connection of their own.
//!
//! It is made when it is first needed, takes a place among the upstreams only then, and is closed after
//! [`IDLE_US`] without a request. When it is lost, its requests get an error and nothing is tried again until
//! the next request. It does not count as a connection that clients can be served on.

use super::Node;
use super::ids::{ReqId, SlotId};
use super::upstream::State;
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::log_at;
use crate::mbuf::Raw;

/// How long it stays open without a request, in µs.
pub(super) const IDLE_US: u64 = 60_000_000;

impl Node {
    /// Puts a message into the queue of the second connection, which is made if it is not there.
    pub(super) fn send_aside(&mut self, entry: ReqId, now: Now, raw: Raw<'_>) {
        if let Some(slot) = self.side_slot(now) {
            self.put_upstream(slot, entry, now, raw);
        }
    }

    /// The slot of the second connection, which is there or being made afterwards. There is always one.
    pub(super) fn side_slot(&mut self, now: Now) -> Option<SlotId> {
        let slot = match self.upstreams.side() {
            Some(slot) => slot,
            None => {
                let me = self.topology.node(NodeId::ME)?;
                self.upstreams.add_side(&self.options, me, now)
            }
        };
        if self.upstreams.get(slot)?.state == State::Idle {
            self.connect_upstream(slot, now, true);
        }
        Some(slot)
    }

    /// When the second connection has been unused for too long, in µs; nothing for any other.
    pub(super) fn unused_at(&self, slot: SlotId) -> Option<u64> {
        let upstream = self
            .upstreams
            .get(slot)
            .filter(|_| self.upstreams.is_side(slot))?;
        (upstream.is_up() && upstream.queue.is_empty()).then_some(upstream.heard + IDLE_US)
    }

    /// Closes the second connection if it has been unused for too long. Returns true if it did.
    pub(super) fn close_unused(&mut self, slot: SlotId, now: Now) -> bool {
        if self.unused_at(slot).is_none_or(|at| at > now.mono_us) {
            return false;
        }
        let Some(upstream) = self.upstreams.get_mut(slot) else {
            return false;
        };
        log_at!(Info, "close {}: unused", upstream.id);
        self.out.close(upstream.id);
        upstream.reset(State::Idle);
        true
    }
}
