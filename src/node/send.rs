//! From a request and its target to the connection that it goes out on.

use super::Node;
use super::flight::lost::{Fate, Lost};
use super::frame::{self, Frames};
use super::ids::{FrontId, ReqId, SlotId};
use super::legacy_rewrite::LegacyRewrite;
use super::msg::Flags;
use super::upstream::{State, Upstream, Wire};
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::cluster::route::{How, Target};
use crate::cluster::topology::Distance;
use crate::mbuf::{Chain, Raw};
use crate::proto::Failure;
use crate::proto::dnode;
use crate::proto::redis::command::is_by_hash;

impl Node {
    /// Sends one message to one target.
    pub(super) fn send(
        &mut self,
        entry: ReqId,
        pin: FrontId,
        now: Now,
        target: &Target,
        frames: &mut Frames<'_>,
    ) {
        match target.how {
            How::Local => self.send_to_store(entry, Some(pin), now, frames.raw),
            How::Request | How::Forward => {
                let kind = if target.how == How::Forward {
                    dnode::Kind::Forward
                } else {
                    dnode::Kind::Request
                };
                match self.upstreams.pick(target.node, pin.number()) {
                    Some(slot) if self.upstreams.is_parking(slot) => {
                        self.park(slot, entry, kind, frames.raw)
                    }
                    Some(slot) => self.send_to_peer(slot, entry, now, kind, frames),
                    None => self.give_up(entry, now, Failure::PeerNotConnected),
                }
            }
        }
    }

    /// Puts a request into the queue of a datastore connection, or answers it if there is none.
    #[inline]
    pub(super) fn send_to_store(
        &mut self,
        entry: ReqId,
        pin: Option<FrontId>,
        now: Now,
        raw: Raw<'_>,
    ) {
        if self.is_gated && !self.passes_gate(entry, pin, now, raw) {
            return;
        }
        let Some(msg) = self.flight.get(entry) else {
            return;
        };
        let (flags, row) = (msg.flags, msg.command);
        let slot = match flags.has(Flags::BESIDE_SCRIPTS) {
            false => self.store_for(pin),
            true => self.side_slot(now),
        };
        let Some(slot) = slot else {
            return self.give_up(entry, now, Failure::StorageRefused);
        };
        if self
            .upstreams
            .get(slot)
            .is_some_and(|store| store.state == State::Idle)
        {
            self.connect_upstream(slot, now, true);
        }
        let write = flags.has(Flags::WRITE);
        let by_hash = is_by_hash(row);
        if let Some(count) = self.per_command.get_mut(usize::from(row)) {
            *count += 1;
        }
        self.stats.count_sent(Distance::Me, write, raw.len() as u64);
        if by_hash {
            self.keep_evalsha(entry, raw);
        }
        self.put_store(slot, entry, flags, now, raw);
    }

    /// The datastore connection a front's next request goes to: always the same one, so that its
    /// requests keep their order; another one only while that one is down. Back to its own it goes
    /// when nothing is under way on the other, or it would overtake itself: a request that a quorum
    /// has answered may still be on its way to the datastore.
    #[inline]
    fn store_for(&mut self, pin: Option<FrontId>) -> Option<SlotId> {
        let mut stores = self.upstreams.slots_of(NodeId::ME);
        let takes = |slot: SlotId| self.upstreams.takes_requests(slot);
        if stores.len() <= 1 {
            return stores.first().filter(|&slot| takes(slot));
        }
        let own = pin.and_then(|pin| stores.nth_round(pin.number()));
        let front = pin.and_then(|pin| self.fronts.get_mut(pin));
        let (Some(own), Some(front)) = (own, front) else {
            // It has closed meanwhile; there is no order left to keep.
            return stores.find(|&slot| takes(slot));
        };
        let is_done = |slot: SlotId| {
            let store = self.upstreams.get(slot);
            store.is_some_and(|store| store.queue.is_empty())
        };
        let moves = |current| current != own && is_done(current) || !takes(current);
        if front.store.is_none_or(moves) {
            let mut order = stores.from(own);
            front.store = order.find(|&slot| takes(slot)).or(Some(own));
        }
        front.store.filter(|&slot| takes(slot))
    }

    /// Puts a request into the queue of a connection to a peer.
    pub(super) fn send_to_peer(
        &mut self,
        slot: SlotId,
        entry: ReqId,
        now: Now,
        kind: dnode::Kind,
        frames: &mut Frames<'_>,
    ) {
        let Some(msg) = self.flight.get_mut(entry) else {
            return;
        };
        msg.wire_id = frames.id;
        let (row, write) = (msg.command, msg.flags.has(Flags::WRITE));
        let in_resp3 = msg.flags.has(Flags::IN_RESP3);
        let timed = msg.flags.has(Flags::TIMED);
        if is_by_hash(row) && kind == dnode::Kind::Request {
            self.keep_evalsha(entry, frames.raw);
        }
        let peer = self.upstreams.get(slot);
        let modern = peer.is_none_or(Upstream::is_modern);
        let mut raw = frames.raw;
        let (mut row, mut relative) = (row, Chain::new());
        if timed
            && peer.is_some_and(|peer| !peer.exchange.takes_absolute)
            && let Some(other) = self.relative(row, raw, now)
        {
            (row, relative) = other;
        }
        if !relative.is_empty() {
            raw = Raw::from(&relative);
        }
        let (mut other, mut more) = (Chain::new(), Vec::new());
        if !modern {
            (other, more) = match self.legacy_rewrite(row, raw, now) {
                LegacyRewrite::AsItStands => (Chain::new(), Vec::new()),
                LegacyRewrite::Reworded(request) => (request, Vec::new()),
                LegacyRewrite::Requests {
                    before,
                    request,
                    after,
                } => {
                    for request in &before {
                        self.send_extra(slot, now, kind, request);
                    }
                    self.note_rewritten(entry, raw);
                    (request, after)
                }
                LegacyRewrite::Refused(line) => {
                    return self.refuse(entry, now, Lost::Refused, line);
                }
            };
        }
        if !other.is_empty() {
            raw = Raw::from(&other);
        }
        let Some(upstream) = self.upstreams.get_mut(slot) else {
            return;
        };
        let distance = upstream.distance;
        let same_dc = distance.is_same_dc();
        let len = frames.raw.len() as u64;
        let mut header = dnode::Header {
            same_dc,
            ..frame::header(kind, frames.id)
        };
        let mut own = Chain::new();
        let Wire::Peer(wire) = &mut upstream.wire else {
            return;
        };
        if in_resp3 && modern {
            header.version |= dnode::WANTS_RESP3;
            wire.allow_resp3();
        }
        let sent: &Chain = if wire.is_sealed() {
            if !wire.encrypt(header, raw, &self.pool, &mut own) {
                return self.give_up(entry, now, Failure::PeerRefused);
            }
            &own
        } else if other.is_empty() && relative.is_empty() {
            frames.plain(header, &self.pool)
        } else {
            frame::plain(header, raw, &self.pool, &mut own);
            &own
        };
        self.stats.count_sent(distance, write, len);
        upstream.tally.sent(len);
        self.put_upstream(slot, entry, now, Raw::from(sent));
        for request in &more {
            self.send_extra(slot, now, kind, request);
        }
    }

    /// A message that could not be put into any queue is answered with an error, if anybody waits.
    pub(super) fn give_up(&mut self, entry: ReqId, now: Now, failure: Failure) {
        self.refuse(entry, now, Lost::NotSent, failure.line(self.options.store));
    }

    /// The same with an error line of its own.
    fn refuse(&mut self, entry: ReqId, now: Now, why: Lost, text: &str) {
        if self.flight.lost(entry, why) == Fate::Awaited {
            self.finish(entry, now, text.as_bytes());
        }
    }

    /// The next id towards peers.
    pub(super) fn next_wire_id(&mut self) -> u64 {
        self.wire_id += 1;
        self.wire_id
    }
}
