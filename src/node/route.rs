//! From a request to the connections it goes out on.

use super::Node;
use super::ask::Ask;
use super::flight::lost::{Fate, Lost};
use super::frame::Frames;
use super::ids::{FrontId, ReqId, SlotId};
use super::legacy_rewrite::LegacyRewrite;
use super::msg::{Flags, Msg};
use super::plan::{self, Asker, Route, demand};
use super::upstream::{State, Upstream, Wire};
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::cluster::route::{Counts, How, Routing, Target, Targets, first_rack_candidates};
use crate::cluster::topology::Distance;
use crate::config::SecureOption;
use crate::consistency::Consistency;
use crate::hashkit::Token;
use crate::mbuf::{Chain, Raw};
use crate::proto::Failure;
use crate::proto::dnode;
use crate::proto::redis::command::{Class, is_by_hash};
use crate::proto::redis::request::Span;
use std::time::Duration;

/// Longest key that is hashed without a copy when it straddles two buffers, in bytes.
const KEY_ROOM: usize = 512;

impl Node {
    /// The place of a key on the ring; any place if the ring has one node.
    #[inline]
    pub(super) fn token(&self, key: &[u8]) -> Token {
        plan::token(self.facts, &self.options, key)
    }

    /// The same for a key inside a request.
    #[inline]
    pub(super) fn token_of(&self, raw: Raw<'_>, key: Span) -> Token {
        match self.facts.needs_hash {
            true => self.hashed(raw, key),
            false => Token::default(),
        }
    }

    fn hashed(&self, raw: Raw<'_>, key: Span) -> Token {
        match raw {
            Raw::Whole(slice, from, to) => self.token(key.of(slice.get(from..to).unwrap_or(&[]))),
            Raw::Spread(chain) => {
                let mut room = [0; KEY_ROOM];
                match room.get_mut(..key.len as usize) {
                    Some(room) => {
                        chain.gather(key.at as usize, room);
                        self.token(room)
                    }
                    None => {
                        let mut copy = vec![0; key.len as usize];
                        chain.gather(key.at as usize, &mut copy);
                        self.token(&copy)
                    }
                }
            }
        }
    }

    /// Divides a request by the owners of its keys.
    pub(super) fn divide(&mut self, asker: Asker, route: &Route, tokens: &[Token]) {
        let mut split = std::mem::take(&mut self.split);
        let racks = self.plan_cx(asker).racks(route);
        split.divide(&self.topology, tokens, racks);
        self.split = split;
    }

    /// Sends a client's request, or a piece of one, where it belongs. `pin` is the front whose
    /// requests keep their order.
    #[inline]
    pub(super) fn place(&mut self, entry: ReqId, pin: FrontId, now: Now, ask: &Ask<'_>) {
        self.stats.count_level(ask.route.class, ask.route.level);
        if self.facts.alone {
            return self.send_to_store(entry, Some(pin), now, ask.raw);
        }
        let demand = demand(&self.options, &ask.route, ask.token);
        let mut targets = std::mem::take(&mut self.targets);
        let first_rack = demand.routing == Routing::FirstRack;
        let answers = |node: NodeId| self.reaches(node, pin, now) && !self.is_silent(node, pin);
        let passes_silent_ones = match first_rack {
            // If none says anything, the first is waited for.
            true => first_rack_candidates(&self.topology, ask.token).any(answers),
            // A majority would wait for the first rack's version.
            false => {
                demand.class == Class::Read
                    && demand.level != Consistency::DcOne
                    && self.tells_versions(entry)
            }
        };
        targets.place(&self.topology, &demand, |node| match passes_silent_ones {
            true => answers(node),
            false => self.reaches(node, pin, now),
        });
        let may_fail_over = self.may_fail_over(&demand);
        if may_fail_over {
            self.keep_request(entry, ask.raw);
        }
        self.dispatch(entry, pin, now, &targets, demand.effective_level(), ask.raw);
        if first_rack
            && may_fail_over
            && let Some(first) = targets.first()
        {
            self.watch_first(entry, pin, first.node);
        }
        self.targets = targets;
    }

    /// Whether a request's replies tell versions.
    fn tells_versions(&self, entry: ReqId) -> bool {
        let msg = self.flight.get(entry);
        msg.is_some_and(|msg| msg.flags.has(Flags::UNIQUE))
    }

    /// Sends a peer's request where it belongs: to this node's datastore, or, if it is to be
    /// forwarded, to the owner in every rack of this datacenter.
    pub(super) fn place_peer(
        &mut self,
        entry: ReqId,
        pin: FrontId,
        now: Now,
        forward: bool,
        ask: &Ask<'_>,
    ) {
        if !forward {
            return self.send_to_store(entry, Some(pin), now, ask.raw);
        }
        let mut targets = std::mem::take(&mut self.targets);
        targets.place_forward(&self.topology, ask.token, |node| {
            self.reaches(node, pin, now)
        });
        self.dispatch(entry, pin, now, &targets, Consistency::DcOne, ask.raw);
        self.targets = targets;
    }

    /// Whether a front's request can be sent to a node now: to the datastore on any connection, to a
    /// peer on the front's own.
    pub(super) fn reaches(&self, node: NodeId, pin: FrontId, now: Now) -> bool {
        if node == NodeId::ME {
            let stores = self.upstreams.stores();
            return stores.iter().any(Upstream::takes_requests);
        }
        self.upstreams
            .pick(node, pin.number())
            .and_then(|slot| self.upstreams.get(slot))
            .is_some_and(|peer| !peer.is_overrun() || peer.is_congested(now))
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

    /// Sends a request to its targets. The message itself goes to the one whose reply is the answer;
    /// the others get copies, or, if several replies make the answer, parts.
    fn dispatch(
        &mut self,
        entry: ReqId,
        pin: FrontId,
        now: Now,
        targets: &Targets,
        level: Consistency,
        raw: Raw<'_>,
    ) {
        let mut frames = Frames::new(self.next_wire_id(), raw);
        let judged = level != Consistency::DcOne;
        if let [target] = **targets
            && target.reachable
            && !judged
        {
            self.stats.own.read_failovers += u64::from(target.passed_over > 0);
            return self.send(entry, pin, now, &target, &mut frames);
        }
        if judged {
            self.collect_quorum(entry, targets, level, raw);
        }
        // The message itself may be answered, and its place be another's, before the last copy is made.
        let Some(template) = self.flight.get(entry).map(Msg::copy) else {
            return;
        };
        let mut unreachable = None;
        let mut part = 0;
        for target in targets.iter() {
            match target.counts {
                Counts::Discarded => {
                    self.send_unawaited(template.copy(), pin, now, target, &mut frames);
                }
                Counts::In(_) if judged => {
                    self.send_part(entry, part, pin, now, target, &mut frames);
                    part += 1;
                }
                Counts::In(_) if target.reachable => {
                    self.stats.own.read_failovers += u64::from(target.passed_over > 0);
                    self.send(entry, pin, now, target, &mut frames);
                }
                Counts::In(_) => unreachable = Some(*target),
            }
        }
        if let Some(target) = unreachable
            && self.flight.lost(entry, Lost::Unreachable) == Fate::Awaited
        {
            self.finish_failed(entry, now, self.unreachable(&target));
        }
    }

    /// Sends a message whose reply nobody waits for, if its target can be reached.
    pub(super) fn send_unawaited(
        &mut self,
        msg: Msg,
        pin: FrontId,
        now: Now,
        target: &Target,
        frames: &mut Frames<'_>,
    ) {
        let entry = self.flight.insert(msg);
        if !target.reachable {
            let failure = self.unreachable(target);
            return self.lose_leg(entry, now, target.node, Lost::Unreachable, failure);
        }
        self.stats.pool.remote_peer_failover_requests += u64::from(target.passed_over > 0);
        self.send(entry, pin, now, target, frames);
    }

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
            match self.legacy_rewrite(row, raw, now) {
                LegacyRewrite::AsItStands => {}
                LegacyRewrite::Requests {
                    before,
                    request,
                    after,
                } => {
                    for request in &before {
                        self.send_extra(slot, now, kind, request);
                    }
                    self.note_rewritten(entry, raw);
                    (other, more) = (request, after);
                }
                LegacyRewrite::Reworded(request) => other = request,
                LegacyRewrite::Refused(line) => {
                    return self.refuse(entry, now, Lost::Refused, line);
                }
            }
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
            ..super::frame::header(kind, frames.id)
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
            super::frame::plain(header, raw, &self.pool, &mut own);
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

    /// Whether connections to nodes of this distance are encrypted.
    pub(super) fn is_secured(&self, distance: Distance) -> bool {
        match self.options.secure_server_option {
            SecureOption::None => false,
            SecureOption::Datacenter => distance == Distance::OtherDc,
            SecureOption::Rack => matches!(distance, Distance::SameDc | Distance::OtherDc),
            SecureOption::All => distance != Distance::Me,
        }
    }

    /// The next id towards peers.
    pub(super) fn next_wire_id(&mut self) -> u64 {
        self.wire_id += 1;
        self.wire_id
    }
}

/// How long a message may wait on an upstream, in µs: by distance, for reads and for writes.
pub(super) fn granted(timeout_us: u64, factor: u32) -> [[u64; 2]; 4] {
    let timeout = Duration::from_micros(timeout_us);
    [
        Distance::Me,
        Distance::SameRack,
        Distance::SameDc,
        Distance::OtherDc,
    ]
    .map(|distance| {
        [Class::Read, Class::Write].map(|class| {
            crate::cluster::timeout::request_timeout(timeout, factor, distance, class).as_micros()
                as u64
        })
    })
}
