//! Where a request goes: from its plan to the nodes that get it.

use super::Node;
use super::ask::Ask;
use super::flight::lost::{Fate, Lost};
use super::frame::Frames;
use super::ids::{FrontId, ReqId};
use super::msg::{Flags, Msg};
use super::plan::{self, Asker, Route, demand};
use super::upstream::Upstream;
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::cluster::route::{Counts, Routing, Target, Targets, first_rack_candidates};
use crate::consistency::Consistency;
use crate::hashkit::Token;
use crate::mbuf::Raw;
use crate::proto::redis::request::Span;
use crate::proto::{Class, Failure};

/// Longest key that is hashed without a copy when it straddles two buffers, in bytes.
const KEY_ROOM: usize = 512;

impl Node {
    /// The failure of a target that could not be reached.
    pub(super) fn unreachable(&self, target: &Target) -> Failure {
        if self.upstreams.is_admin_down(target.node) {
            Failure::PeerDown
        } else {
            super::collect::unreachable(target)
        }
    }

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

    /// Sends a client's request, or a piece of one, to its owners. `pin` is the front whose
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

    /// Returns true if a request's reply carries versions of values.
    fn tells_versions(&self, entry: ReqId) -> bool {
        let msg = self.flight.get(entry);
        msg.is_some_and(|msg| msg.flags.has(Flags::UNIQUE))
    }

    /// Sends a peer's request to this node's datastore or, if it is to be forwarded, to the owner in every rack of
    /// this datacenter.
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

    /// Returns true if a front's request can be sent to a node now: to the datastore on any connection, to a
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

    /// Sends a message whose reply is not awaited, if its target can be reached.
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
}
