//! A connection that was lost while nothing was under way on it, made anew at once.
//!
//! Datastores close idle connections (Redis' `timeout`, memcached's `idle_timeout`, `CLIENT KILL`), and so do
//! balancers on the way. That is no failure of anybody: the connection is made anew at once, and requests wait
//! for it, so that none is refused and no copy lost. Only if that attempt fails, others follow at longer and
//! longer intervals, and requests fail meanwhile.
//!
//! | what was lost | is made anew at once |
//! |---|---|
//! | a connection on which a request has been answered, or that was there for [`limits::WORKED_US`] | yes |
//! | any other: whatever accepts connections only to close them must not keep the node busy | no |
//! | one on which a request was written that has no reply yet | no |
//! | one that was given up for its silence, or for what came on it | no |
//!
//! A request that was written and not answered may have been run. It gets an error, and is never sent again to
//! the same node; a `DC_ONE` read goes on to another rack ([`super::failover`]). One of which nothing was
//! written goes out on a datastore's new connection, in its place.
//!
//! What may be asked of a peer depends on what it is, and that is not known before it has answered the node's
//! own question. So requests for a peer are *parked* until then, for as long as a read may take.

use super::flight::lost::Lost;
use super::frame::Frames;
use super::ids::{ReqId, SlotId};
use super::msg::{Flags, NO_COMMAND};
use super::upstream::{Loss, State, Upstream};
use super::{Node, limits};
use crate::clock::Now;
use crate::log_at;
use crate::mbuf::{Chain, Raw};
use crate::proto::Failure;
use crate::proto::dnode;
use std::collections::VecDeque;

/// What an upstream's connection was worth so far, and what waits for it to be made anew.
#[derive(Default)]
pub(super) struct Anew {
    /// When the connection was made, in µs.
    since: u64,
    /// It has brought a reply to a request that was not the node's own.
    has_answered: bool,
    /// Since when a peer that was lost has been awaited, in µs.
    awaited: Option<u64>,
    /// What waits for that, in order.
    parked: VecDeque<Parked>,
    bytes: usize,
}

/// A request for a peer that is awaited.
struct Parked {
    entry: ReqId,
    kind: dnode::Kind,
    request: Chain,
}

impl Anew {
    /// The connection is there.
    pub fn connected(&mut self, now: Now) {
        self.since = now.mono_us;
        self.has_answered = false;
    }

    /// A reply has come to a request by this command.
    #[inline]
    pub fn answered(&mut self, command: u16) {
        self.has_answered |= command != NO_COMMAND;
    }

    /// Whether requests wait for the connection, or would.
    pub fn is_awaited(&self) -> bool {
        self.awaited.is_some()
    }

    /// How many requests wait.
    pub fn len(&self) -> usize {
        self.parked.len()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.parked.is_empty()
    }

    /// The bytes of those that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Upstream {
    /// Whether the connection was good for something until it was lost, and nothing was outstanding on it.
    fn was_idle(&self, now: Now) -> bool {
        let worked = self.anew.has_answered
            || now.mono_us.saturating_sub(self.anew.since) >= limits::WORKED_US;
        let owes_nothing = match self.is_store() {
            true => self.owes_nothing(),
            // What is not written yet was encrypted for the connection that is gone.
            false => self.queue.is_empty(),
        };
        self.state == State::Up && self.known && worked && owes_nothing
    }
}

impl Node {
    /// Makes a connection that was lost anew at once, if it is one of those. `false` if not; nothing is
    /// changed then.
    pub(super) fn make_anew(&mut self, slot: SlotId, now: Now, loss: Loss) -> bool {
        let draining = self.is_draining();
        let Some(upstream) = self.upstreams.get_mut(slot) else {
            return false;
        };
        let is_nobodys_fault = matches!(loss, Loss::Eof | Loss::Error | Loss::Asked);
        if draining || !is_nobodys_fault || !upstream.was_idle(now) {
            return false;
        }
        log_at!(Notice, "close {}, made anew at once", upstream.id);
        self.stats
            .count_loss(upstream.distance, loss, upstream.known, 0, now);
        upstream.tally.lost(loss, 0);
        upstream.keep_unwritten(&mut self.flight.msgs);
        if !upstream.is_store() {
            upstream.anew.awaited = Some(now.mono_us);
        }
        self.out.close(upstream.id);
        self.connect_upstream(slot, now, true);
        self.note_deadline(slot);
        true
    }

    /// Whether requests for this connection are parked.
    #[inline]
    pub(super) fn is_parking(&self, slot: SlotId) -> bool {
        self.upstreams
            .get(slot)
            .is_some_and(|upstream| !upstream.known && upstream.anew.is_awaited())
    }

    /// Lets a request wait for a peer that is awaited.
    pub(super) fn park(&mut self, slot: SlotId, entry: ReqId, kind: dnode::Kind, raw: Raw<'_>) {
        let (Some(upstream), Some(msg)) =
            (self.upstreams.get_mut(slot), self.flight.get_mut(entry))
        else {
            return;
        };
        msg.flags = msg.flags.with(Flags::PARKED);
        let mut request = Chain::new();
        raw.append_to(&mut request);
        let anew = &mut upstream.anew;
        if anew.parked.is_empty() {
            // Until now there was nothing it could have taken.
            upstream.flowed = upstream.flowed.max(anew.awaited.unwrap_or(0));
        }
        anew.bytes += request.len();
        anew.parked.push_back(Parked {
            entry,
            kind,
            request,
        });
        self.note_backlog(slot);
        self.note_deadline(slot);
    }

    /// Until when parked requests wait, in µs: the oldest for as long as a read may take.
    pub(super) fn parked_until(&self, upstream: &Upstream) -> Option<u64> {
        let since = upstream.anew.awaited?;
        Some(since + self.granted_read(upstream.distance))
    }

    /// Whether that time is over.
    pub(super) fn have_parked_too_long(&self, slot: SlotId, now: Now) -> bool {
        let upstream = self.upstreams.get(slot);
        let until = upstream.and_then(|upstream| self.parked_until(upstream));
        until.is_some_and(|at| at <= now.mono_us)
    }

    /// It is known what the peer is: what was parked is sent.
    pub(super) fn send_parked(&mut self, slot: SlotId, now: Now) {
        for parked in self.take_parked(slot) {
            let mut frames = Frames::new(self.next_wire_id(), Raw::from(&parked.request));
            self.send_to_peer(slot, parked.entry, now, parked.kind, &mut frames);
        }
    }

    /// The peer could not be reached anew: what was parked fails. Nothing of it was sent.
    pub(super) fn fail_parked(&mut self, slot: SlotId, now: Now) {
        let Some(node) = self.upstreams.get(slot).map(|upstream| upstream.node) else {
            return;
        };
        for Parked { entry, .. } in self.take_parked(slot) {
            let failure = Failure::PeerNotConnected;
            self.lose_leg(entry, now, node, Lost::Unreachable, failure);
        }
    }

    /// The peer is awaited no more.
    fn take_parked(&mut self, slot: SlotId) -> VecDeque<Parked> {
        let Some(upstream) = self.upstreams.get_mut(slot) else {
            return VecDeque::new();
        };
        let anew = &mut upstream.anew;
        anew.awaited = None;
        anew.bytes = 0;
        let parked = std::mem::take(&mut anew.parked);
        for Parked { entry, .. } in &parked {
            if let Some(msg) = self.flight.get_mut(*entry) {
                msg.flags = msg.flags.without(Flags::PARKED);
            }
        }
        parked
    }
}
