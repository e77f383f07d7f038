//! A `DC_ONE` read that was lost on its way, sent to the next rack.
//!
//! A read is placed on the owner in this rack, or, while that one cannot be reached, on the first
//! rack's that can. When the connection it went out on is lost, when it takes too long there, or when
//! the peer answers that its datastore cannot, it goes on to the next of
//! [`read_candidates`]. The client gets an answer in place of
//! an error, within the time it would have waited anyway: each attempt is granted what is left of the
//! time since the request came in. Writes are never sent twice: the first attempt may have been run.
//!
//! A read of the first rack's, which all nodes of the datacenter ask for versions of values, goes on to the
//! next one when half of its time is over: most often both are equally far away, and nothing would be left for
//! the second when the first has had all of it. While nothing comes from the one it waited for, others do not
//! wait for that one.
//!
//! Until the answer is known the request's slices wait where the answer will, in `Msg::reply`. The
//! second attempt is a part of the first, which waits for it as for any part; so the first may stand
//! in its upstream's queue for a late reply while the second is under way.

use super::Node;
use super::busy::is_busy_line;
use super::flight::judge::Judge;
use super::flight::judge::join::Join;
use super::flight::waiter::Waiter;
use super::frame::Frames;
use super::ids::{FrontId, ReqId, SlotId};
use super::msg::{Flags, Msg};
use super::replicate::local_or_request;
use super::timers::Timer;
use super::upstream::Upstream;
use crate::clock::Now;
use crate::cluster::id::{DcId, NodeId};
use crate::cluster::route::{
    Counts, Demand, Routing, Target, first_rack_candidates, read_candidates,
};
use crate::config::StoreKind;
use crate::consistency::Consistency;
use crate::hashkit::Token;
use crate::mbuf::{Chain, Raw};
use crate::proto::redis::command::command;
use crate::proto::redis::request;
use crate::proto::{Class, Failure};
use std::collections::VecDeque;
use std::sync::Arc;

/// When an attempt has to be given up of which its upstream's due marks know nothing, or find it late: those
/// follow the queue's order, in which a second attempt stands behind younger requests.
#[derive(Clone, Copy, Debug)]
struct Due {
    at: u64,
    slot: SlotId,
    entry: ReqId,
    wire_id: u64,
}

/// The attempts under way, with some that are over: each kind in the order of their times, which nearly is that
/// of their making.
#[derive(Debug, Default)]
pub(super) struct Retries {
    /// First attempts, that may go on to the next rack.
    firsts: VecDeque<Due>,
    /// Second ones.
    seconds: VecDeque<Due>,
}

/// Inserts an attempt behind those that are due no later.
fn insert(attempts: &mut VecDeque<Due>, due: Due) {
    let place = attempts.partition_point(|other| other.at <= due.at);
    attempts.insert(place, due);
}

impl Retries {
    /// When the first of them has to be given up, in µs.
    pub fn next_us(&self) -> Option<u64> {
        let fronts = [self.firsts.front(), self.seconds.front()];
        fronts.into_iter().flatten().map(|due| due.at).min()
    }
}

impl Node {
    /// Whether a request may be sent again elsewhere.
    pub(super) fn may_fail_over(&self, demand: &Demand) -> bool {
        self.facts.has_other_racks
            && demand.failover
            && matches!(demand.routing, Routing::Normal | Routing::FirstRack)
            && demand.class == Class::Read
            && demand.level == Consistency::DcOne
    }

    /// Keeps a request's bytes until it is answered.
    pub(super) fn keep_request(&mut self, entry: ReqId, raw: Raw<'_>) {
        if let Some(msg) = self.flight.get_mut(entry) {
            msg.flags = msg.flags.with(Flags::KEPT);
            raw.append_to(&mut msg.reply);
        }
    }

    /// Answers a message that failed on this node's connection: by another rack if it may, else with
    /// `failure`.
    pub(super) fn fail(&mut self, entry: ReqId, now: Now, node: NodeId, failure: Failure) {
        if !self.fail_over(entry, now, node) {
            self.finish_failed(entry, now, failure);
        }
    }

    /// Who is to be asked next for a read that this node has not answered, and until when, in µs; for
    /// which front. `None` if there is nobody, or nobody waits any more, or it is no such read.
    fn next_to_ask(
        &self,
        entry: ReqId,
        now: Now,
        failed: NodeId,
    ) -> Option<(FrontId, NodeId, u64)> {
        let msg = self.flight.get(entry)?;
        if !msg.flags.has(Flags::KEPT) || msg.flags.has(Flags::WRITE) {
            return None;
        }
        let pin = self.flight.front_of(entry)?;
        let start = msg.start;
        let token = self.token_of_kept(msg)?;
        let topology = Arc::clone(&self.topology);
        let candidates: Vec<NodeId> = if msg.flags.has(Flags::UNIQUE) {
            first_rack_candidates(&topology, token).collect()
        } else {
            read_candidates(&topology, token).collect()
        };
        // One that is no member any more comes before all others.
        let tried = candidates.iter().position(|node| *node == failed);
        let next = candidates
            .into_iter()
            .skip(tried.map_or(0, |at| at + 1))
            .map(|node| (node, start + self.granted_read(topology.distance(node))))
            .find(|&(node, at)| at > now.mono_us && self.reaches(node, pin, now));
        next.map(|(node, at)| (pin, node, at))
    }

    /// Sends a read that this node has not answered to the next one that may. `false` if there is
    /// none; nothing is changed then.
    pub(super) fn fail_over(&mut self, entry: ReqId, now: Now, failed: NodeId) -> bool {
        let Some((pin, node, at)) = self.next_to_ask(entry, now, failed) else {
            return false;
        };
        let Some(mut copy) = self.flight.get(entry).map(Msg::copy) else {
            return false;
        };
        let mut request = Chain::new();
        if let Some(msg) = self.flight.get_mut(entry) {
            request.append(&mut msg.reply);
            msg.flags = msg.flags.without(Flags::KEPT.with(Flags::CARRIED));
        }
        self.flight.give_judge(entry, Judge::joining(1, Join::Only));
        let wire_id = self.next_wire_id();
        copy.waiter = Waiter::Part(entry, 0);
        copy.wire_id = wire_id;
        copy.flags = copy.flags.with(Flags::KEPT);
        copy.reply.append_shared(&request);
        let child = self.flight.insert(copy);
        self.stats.own.read_failovers += 1;
        let target = Target {
            node,
            how: local_or_request(node),
            counts: Counts::In(DcId::LOCAL),
            reachable: true,
            passed_over: 1,
        };
        let mut frames = Frames::new(wire_id, Raw::from(&request));
        self.send(child, pin, now, &target, &mut frames);
        if let Some(slot) = self.slot_used(node, pin) {
            self.watch(Due {
                at,
                slot,
                entry: child,
                wire_id,
            });
        }
        true
    }

    /// Notes that a read which was sent to this node goes on to the next rack when half of its time is over.
    pub(super) fn watch_first(&mut self, entry: ReqId, pin: FrontId, node: NodeId) {
        let granted = self.granted_read(self.topology.distance(node));
        let own_id = self.next_wire_id();
        let (Some(slot), Some(msg)) = (self.slot_used(node, pin), self.flight.get_mut(entry))
        else {
            return;
        };
        if !msg.flags.has(Flags::QUEUED.with(Flags::KEPT)) {
            return;
        }
        if node == NodeId::ME {
            // A datastore is told none.
            msg.wire_id = own_id;
        }
        let due = Due {
            at: msg.start + granted / 2,
            slot,
            entry,
            wire_id: msg.wire_id,
        };
        while let Some(first) = self.flight.retries.firsts.front().copied() {
            if self.is_under_way(first) {
                break;
            }
            self.flight.retries.firsts.pop_front();
        }
        insert(&mut self.flight.retries.firsts, due);
        self.timers.advance(Timer::Retries, due.at);
    }

    /// The connection on which a front's request to a node has just been sent.
    fn slot_used(&self, node: NodeId, pin: FrontId) -> Option<SlotId> {
        let slots = self.upstreams.slots_of(node);
        match node {
            NodeId::ME if slots.len() > 1 => self.fronts.get(pin).and_then(|front| front.store),
            NodeId::ME => slots.first(),
            _ => self.upstreams.pick(node, pin.number()),
        }
    }

    /// Whether reads wait in vain for a node: they took too long, and nothing has come from it since they
    /// were sent.
    pub(super) fn is_silent(&self, node: NodeId, pin: FrontId) -> bool {
        let upstream = self
            .slot_used(node, pin)
            .and_then(|slot| self.upstreams.get(slot));
        upstream.is_some_and(Upstream::is_silent)
    }

    /// Whether a reply says that the datastore could not be asked, or is busy running a script.
    pub(super) fn is_unserved(&self, raw: Raw<'_>) -> bool {
        if is_busy_line(raw) {
            return true;
        }
        [Failure::StorageRefused, Failure::StateForbids]
            .map(|failure| failure.line(self.options.store))
            .iter()
            .any(|text| raw.len() == text.len() && raw.with_bytes(|bytes| bytes == text.as_bytes()))
    }

    /// The token of a kept request's first key.
    fn token_of_kept(&self, msg: &Msg) -> Option<Token> {
        msg.token()
            .or_else(|| self.token_again(msg.command, Raw::from(&msg.reply)))
    }

    /// The token of a request's first key, as it counts now: when the request came in, members may have
    /// been others, of whom none had to be chosen by a hash.
    pub(super) fn token_again(&self, row: u16, raw: Raw<'_>) -> Option<Token> {
        if !self.facts.needs_hash {
            return Some(Token::default());
        }
        if self.options.store == StoreKind::Memcache {
            return self.memcache_token(raw);
        }
        let row = command(row)?;
        raw.with_bytes(|bytes| {
            let args: Vec<&[u8]> = request::arguments(bytes).collect();
            let mut keys = Vec::new();
            row.keys(&args, &mut keys).ok()?;
            Some(self.token(args.get(keys.first()?.index)?))
        })
    }

    /// Takes note of a second attempt, and forgets earlier ones that are over.
    fn watch(&mut self, due: Due) {
        while let Some(first) = self.flight.retries.seconds.front().copied() {
            if self.is_under_way(first) {
                break;
            }
            self.flight.retries.seconds.pop_front();
        }
        insert(&mut self.flight.retries.seconds, due);
        self.timers.advance(Timer::Retries, due.at);
    }

    /// Whether an attempt still waits for its reply.
    fn is_under_way(&self, due: Due) -> bool {
        self.flight.get(due.entry).is_some_and(|msg| {
            msg.wire_id == due.wire_id
                && msg.waiter.is_asked_for()
                && msg.flags.has(Flags::QUEUED)
                && !msg.is_expired()
        })
    }

    /// Gives up attempts that have waited too long.
    pub(super) fn expire_retries(&mut self, now: Now) {
        while let Some(due) = self.flight.retries.seconds.front().copied() {
            if due.at > now.mono_us && self.is_under_way(due) {
                break;
            }
            self.flight.retries.seconds.pop_front();
            self.expire_attempt(due, now);
        }
        while let Some(due) = self.flight.retries.firsts.front().copied() {
            if due.at > now.mono_us && self.is_under_way(due) {
                break;
            }
            self.flight.retries.firsts.pop_front();
            let node = self.upstreams.get(due.slot).map(|at| at.node);
            let next = node.and_then(|node| self.next_to_ask(due.entry, now, node));
            // With nobody else to ask it waits for all of its time.
            if next.is_some() {
                self.expire_attempt(due, now);
            }
        }
    }

    fn expire_attempt(&mut self, due: Due, now: Now) {
        let start = self.flight.get(due.entry).map(|msg| msg.start);
        if let Some(start) = start
            && self.is_under_way(due)
        {
            self.expire_one(due.slot, due.entry, due.at - start, now);
        }
    }
}
