//! Writes whose replicas would not stay equal if each ran the request as it came.
//!
//! Where a cluster has more than one rack, a time that counts from now is made an absolute one, here,
//! by this node's clock; the request then goes on like any other. A datastore older than Redis 6.2 does not
//! know `PXAT`; once one has said so, this node leaves to all what they would not understand. A replica
//! whose clock does not keep step with this node's, or may not, gets the time as one that counts from now
//! ([`super::card`]).
//!
//! What only a datastore can decide (`SPOP`, `XADD` with an id to be made) is done in two steps:
//!
//! 1. The request goes to one owner alone: the one in this rack; at a quorum level, while that one
//!    cannot be reached, the first rack's of this datacenter that can.
//! 2. What its reply says has been done goes to the other replicas, those in other datacenters
//!    included, as `SREM` of the members, as `XADD` with the id.
//!
//! | level | the client's answer |
//! |---|---|
//! | any, if step 1 failed or changed nothing | the reply of step 1, at once; there is no step 2 |
//! | `DC_ONE` | the reply of step 1, at once; nobody waits for step 2 |
//! | the others | the reply of step 1 as soon as replicas are a majority, as for any write: the one of step 1 counts, and each other whose reply says that it was in the same state (it had the members, it took the id). A failed replica is an error; one in another state is a replica that disagrees |
//!
//! When the replicas of step 2 disagree with that of step 1, `DC_QUORUM` gives the reply of step 1
//! all the same; the stricter levels give the quorum error. The effect stays where it was taken, as
//! with any write.
//!
//! Two nodes that do this to one key at the same time do not know of each other: one member may be popped in
//! two racks, and an entry of a stream is refused where one with a greater id has come before it.
//!
//! Each step is granted the time of a write. If the reply of step 1 is late, the client gets an error, and
//! step 2 is taken when the reply comes, with nobody waiting for it; a reply that is lost has no step 2, so
//! that the replica may have done what others have not: as with any write whose reply is lost. What the same
//! client asks behind step 1 waits where it would overtake step 2 ([`super::order`]).

use super::ask::Ask;
use super::flight::judge::{Compare, Judge, Lists};
use super::flight::waiter::Waiter;
use super::frame::Frames;
use super::ids::{FrontId, ReqId};
use super::memcache;
use super::msg::{Flags, Msg};
use super::order::{self, Begun};
use super::plan::{Route, demand};
use super::upstream::{NOBODY, Upstream};
use super::{Node, limits};
use crate::clock::Now;
use crate::cluster::id::{DcId, NodeId};
use crate::cluster::route::{Counts, How, Routing, Target, read_candidates};
use crate::consistency::Consistency;
use crate::hashkit::Token;
use crate::hashkit::digest::digest;
use crate::log_at;
use crate::mbuf::{Chain, Raw};
use crate::proto::Failure;
use crate::proto::redis::alike::Alike;
use crate::proto::redis::command::{Class, Command, command};
use crate::proto::redis::effect;
use crate::proto::redis::resp3::Form;
use crate::proto::redis::rewrite::{self, Absolute, Rewritten};
use crate::proto::redis::{encode, errors, request};
use std::sync::Arc;

/// The first step of a write in two.
pub(super) struct Step {
    rules: Rules,
    /// The request.
    request: Chain,
    /// What the same replica is asked in its place if the reply is that a version is another one.
    again: Option<Chain>,
    level: Consistency,
    /// The client's front.
    pin: FrontId,
    /// Who runs it.
    pub owner: NodeId,
    /// The front whose later requests wait for it.
    front: Option<Begun>,
}

/// Whose rules say what a reply means.
#[derive(Clone, Copy)]
pub(super) enum Rules {
    /// This command's of Redis.
    Redis(&'static Command),
    /// Those of memcached's compare-and-swap.
    Memcache,
    /// Those of one that names an older version, and stores a stale item.
    MemcacheStale,
}

/// What a first step has done, for the other replicas.
pub(super) struct Effect {
    /// The row of their command.
    pub row: u16,
    /// To be sent one after the other.
    pub requests: Vec<Chain>,
    /// The digest of the reply of a replica that was in the same state.
    pub agreed: u64,
}

impl Step {
    /// Nobody waits for the second step any more.
    pub(super) fn is_given_up(&mut self) {
        self.level = Consistency::DcOne;
    }
}

impl Node {
    /// Sends a client's write with its time, if it has one that counts from now, made absolute.
    pub(super) fn forward_absolute(
        &mut self,
        key: FrontId,
        now: Now,
        ask: &Ask<'_>,
        args: &[&[u8]],
    ) {
        let absolute = command(ask.route.row)
            .and_then(|command| rewrite::absolute(command, args, now.unix_millis()));
        match absolute {
            Some(rewritten) if !(rewritten.is_recent() && self.keeps_relative) => {
                self.forward_rewritten(key, now, ask, &rewritten);
            }
            _ => self.forward(key, now, ask),
        }
    }

    /// Sends a request in other words.
    fn forward_rewritten(
        &mut self,
        key: FrontId,
        now: Now,
        ask: &Ask<'_>,
        rewritten: &Absolute<'_>,
    ) {
        let mut chain = Chain::new();
        rewritten.write(&mut self.converted);
        self.pool.copy(&self.converted, &mut chain);
        self.converted.clear();
        self.converted.shrink_to(limits::CONVERTED_KEPT);
        let ask = Ask {
            route: Route {
                row: rewritten.command.index(),
                ..ask.route
            },
            raw: Raw::from(&chain),
            ..*ask
        };
        let Some(entry) = self.enqueue(key, now, &ask) else {
            return;
        };
        if let Some(msg) = self.flight.get_mut(entry) {
            msg.flags = msg.flags.with(Flags::TIMED);
            if rewritten.is_recent() && !rewritten.has_options() {
                msg.flags = msg.flags.with(Flags::ABSOLUTE);
            }
        }
        self.count_request(&ask);
        self.place(entry, key, now, &ask);
    }

    /// Looks at the error reply to a request with [`Flags::ABSOLUTE`]: what is rewritten has no error of
    /// syntax, unless for a datastore that does not know the words. It costs its client that error; the
    /// next ones go as they stand.
    pub(super) fn note_old_datastore(&mut self, reply: Raw<'_>) {
        const SYNTAX: &[u8] = errors::SYNTAX.as_bytes();
        if !self.keeps_relative && reply.start(&mut [0; SYNTAX.len()]) == SYNTAX {
            self.keeps_relative = true;
            log_at!(
                Warn,
                "a datastore is older than Redis 6.2: times to live set by SET, SETEX, PSETEX and RESTORE are not made absolute until the next start, so they end a little apart in different racks"
            );
        }
    }

    /// A rewritten request's bytes.
    pub(super) fn encoded(&self, rewritten: &Rewritten<'_>) -> Chain {
        let mut text = Vec::new();
        encode::command(&mut text, &rewritten.words);
        let mut chain = Chain::new();
        self.pool.copy(&text, &mut chain);
        chain
    }

    /// Sends a request to the owner in this rack, or, at a quorum level, to the first that can be
    /// reached.
    pub(super) fn step_anywhere(
        &mut self,
        key: FrontId,
        now: Now,
        ask: &Ask<'_>,
        command: &'static Command,
    ) {
        let level = ask.route.level;
        let topology = Arc::clone(&self.topology);
        let mut candidates = read_candidates(&topology, ask.token);
        let mut owner = candidates.next().unwrap_or_default();
        if !self.reaches(owner, key, now) && level != Consistency::DcOne {
            let other = candidates.find(|&node| self.reaches(node, key, now));
            owner = other.unwrap_or(owner);
        }
        let Some(entry) = self.enqueue(key, now, ask) else {
            return;
        };
        self.count_request(ask);
        self.take_first_step(entry, key, now, ask, Rules::Redis(command), owner, None);
    }

    /// Sends a request to the one owner that runs it as it stands. `again`: see [`Step`].
    #[expect(
        clippy::too_many_arguments,
        reason = "what a step is made of, for this call only"
    )]
    pub(super) fn take_first_step(
        &mut self,
        entry: ReqId,
        pin: FrontId,
        now: Now,
        ask: &Ask<'_>,
        rules: Rules,
        owner: NodeId,
        again: Option<Chain>,
    ) {
        let level = ask.route.level;
        let reachable = self.reaches(owner, pin, now);
        let mut request = Chain::new();
        ask.raw.append_to(&mut request);
        let mark = match rules {
            Rules::Redis(_) => ask.raw.with_bytes(|bytes| {
                let key = request::arguments(bytes).nth(1);
                key.map_or(order::ALL, order::mark_of)
            }),
            Rules::Memcache | Rules::MemcacheStale => order::ALL,
        };
        let front = self.step_begins(pin, mark);
        let step = Judge::of_step(Step {
            rules,
            request,
            again,
            level,
            pin,
            owner,
            front,
        });
        self.flight.give_judge(entry, step);
        let target = Target {
            node: owner,
            how: local_or_request(owner),
            counts: Counts::In(DcId::LOCAL),
            reachable,
            passed_over: 0,
        };
        let mut frames = Frames::new(self.next_wire_id(), ask.raw);
        self.send_part(entry, 0, pin, now, &target, &mut frames);
    }

    /// Answers a write whose first step takes too long. The step's reply is waited for all the same: should
    /// it have been done after all, the other replicas are to know. `false` if the message is no such step.
    pub(super) fn answer_before_step(&mut self, entry: ReqId, now: Now, failure: Failure) -> bool {
        let Some(parent) = self.flight.first_step_of(entry) else {
            return false;
        };
        let place = self.flight.get(parent).and_then(|msg| msg.judge);
        let step = place.and_then(|place| self.flight.judges.give_up_step(place));
        let front = step.and_then(|step| step.front.take());
        self.step_ends(front);
        self.finish_failed(parent, now, failure);
        true
    }

    /// Asks the replica of a first step again if its reply is that a version is another one, and that is not yet an
    /// answer. Gives the step back if it has come to its end.
    pub(super) fn repeat_first_step(
        &mut self,
        parent: ReqId,
        now: Now,
        mut step: Box<Step>,
        reply: Raw<'_>,
    ) -> Option<Box<Step>> {
        let owner = step.owner;
        let slot = self.upstreams.pick(owner, step.pin.number());
        let is_ours = owner == NodeId::ME
            || slot
                .and_then(|slot| self.upstreams.get(slot))
                .is_some_and(Upstream::is_modern);
        if step.again.is_none()
            || !memcache::is_other_version(reply)
            || owner == NOBODY
            || !is_ours
            || !self.reaches(owner, step.pin, now)
        {
            return Some(step);
        }
        let (request, parts) = (step.again.take()?, self.flight.get(parent));
        let Some((mut msg, place)) = parts.and_then(|parent| Some((parent.copy(), parent.judge?)))
        else {
            return Some(step);
        };
        let pin = step.pin;
        step.rules = Rules::MemcacheStale;
        step.request = Chain::new();
        step.request.append_shared(&request);
        self.flight.judges.wait_for_step(place, step);
        (msg.waiter, msg.start) = (Waiter::Part(parent, 0), now.mono_us);
        let target = Target {
            node: owner,
            how: local_or_request(owner),
            counts: Counts::In(DcId::LOCAL),
            reachable: true,
            passed_over: 0,
        };
        let mut frames = Frames::new(self.next_wire_id(), Raw::from(&request));
        self.send_awaited(msg, pin, now, &target, &mut frames);
        None
    }

    /// Ends the first step with its reply: sends what it has done to the other replicas. Afterwards the
    /// reply is one of those that `parent` waits for, or still the only one.
    pub(super) fn end_first_step(&mut self, parent: ReqId, now: Now, step: Step, reply: Raw<'_>) {
        let front = step.front;
        self.take_second_step(parent, now, step, reply);
        self.step_ends(front);
    }

    fn take_second_step(&mut self, parent: ReqId, now: Now, step: Step, reply: Raw<'_>) {
        let effect = match step.rules {
            Rules::Redis(command) => self.redis_effect(command, &step.request, reply),
            Rules::Memcache => self.memcache_effect(&step.request, false, reply),
            Rules::MemcacheStale => self.memcache_effect(&step.request, true, reply),
        };
        let Some(Effect {
            row,
            mut requests,
            agreed,
        }) = effect
        else {
            return;
        };
        let Some(request) = requests.pop() else {
            return;
        };
        let raw = Raw::from(&request);
        let Some(token) = self.token_again(row, raw) else {
            return;
        };
        let route = Route {
            row,
            routing: Routing::Normal,
            counted: true,
            class: Class::Write,
            level: step.level,
            flags: Flags::default(),
            form: Form::default(),
        };
        let mut targets = std::mem::take(&mut self.targets);
        let demand = demand(&self.options, &route, token);
        targets.place(&self.topology, &demand, |node| {
            self.reaches(node, step.pin, now)
        });
        let others = self.others(&targets, &step, token, now);
        self.targets = targets;
        let judged = step.level != Consistency::DcOne;
        if judged {
            self.judge_step(parent, &others, &step, agreed);
        }
        let msg_of = |raw: Raw<'_>| {
            let mut msg = Msg::new(Waiter::Nobody, row, raw.len(), now.mono_us);
            msg.flags = Flags::WRITE;
            msg.set_token(token);
            msg
        };
        // Of several the last one stands for all: those before it go the same way.
        for request in &requests {
            let mut frames = Frames::new(self.next_wire_id(), Raw::from(request));
            for target in &others {
                self.send_unawaited(msg_of(frames.raw), step.pin, now, target, &mut frames);
            }
        }
        let mut frames = Frames::new(self.next_wire_id(), raw);
        let mut part = 0;
        for target in &others {
            let mut msg = msg_of(raw);
            if judged && target.counts != Counts::Discarded {
                part += 1;
                msg.waiter = Waiter::Part(parent, part);
                self.send_awaited(msg, step.pin, now, target, &mut frames);
            } else {
                self.send_unawaited(msg, step.pin, now, target, &mut frames);
            }
        }
    }

    /// The targets of a write but the one that has done it already. In that one's datacenter, if it is
    /// another one, each replica is addressed itself: what is to be spread there would come back to it.
    fn others(&self, targets: &[Target], step: &Step, token: Token, now: Now) -> Vec<Target> {
        let topology = &self.topology;
        let dc_of = |node: NodeId| topology.node(node).map(|node| node.dc);
        let is_spread = |target: &&Target| {
            target.how == How::Forward && dc_of(target.node) == dc_of(step.owner)
        };
        let dc = targets
            .iter()
            .find(is_spread)
            .and_then(|target| dc_of(target.node));
        let racks = dc
            .and_then(|dc| topology.dc(dc))
            .into_iter()
            .flat_map(|dc| dc.racks());
        let replicas = racks.filter_map(|rack| topology.owner(rack, token));
        let addressed = replicas.map(|node| Target {
            node,
            how: How::Request,
            counts: Counts::Discarded,
            reachable: self.reaches(node, step.pin, now),
            passed_over: 0,
        });
        targets
            .iter()
            .filter(|target| !is_spread(target))
            .copied()
            .chain(addressed)
            .filter(|target| target.node != step.owner)
            .collect()
    }

    /// What a command of Redis has done, by its reply.
    fn redis_effect(&self, command: &Command, request: &Chain, reply: Raw<'_>) -> Option<Effect> {
        let asked = request.to_vec();
        let args: Vec<&[u8]> = request::arguments(&asked).collect();
        reply.with_bytes(|reply| {
            let effect = effect::effect(command, &args, reply)?;
            Some(Effect {
                row: effect.requests.first()?.command.index(),
                requests: effect
                    .requests
                    .iter()
                    .map(|one| self.encoded(one))
                    .collect(),
                agreed: digest(std::iter::once(&*effect.reply)),
            })
        })
    }

    /// Lets `parent` wait for a quorum of replicas, of which that of the first step is the first.
    fn judge_step(&mut self, parent: ReqId, others: &[Target], step: &Step, agreed: u64) {
        let Some(place) = self.flight.get(parent).and_then(|msg| msg.judge) else {
            return;
        };
        let others = others.iter().filter_map(|target| match target.counts {
            Counts::In(dc) => Some(dc),
            Counts::Discarded => None,
        });
        let owner = self.topology.node(step.owner).map(|node| node.dc);
        let mut spare = self.flight.judges.spare();
        spare.dcs.push(owner.unwrap_or(DcId::LOCAL));
        spare.dcs.extend(others);
        let compare = match step.rules {
            Rules::Redis(_) => Compare::Redis(Alike::Bytes),
            Rules::Memcache | Rules::MemcacheStale => Compare::Memcache,
        };
        let rules = (compare, Lists::No);
        let quorum = self.quorum_judge(spare, step.level, rules, Some(agreed), false);
        if let Some(judge) = self.flight.judges.get_mut(place) {
            *judge = quorum;
        }
    }
}

/// How a node of this datacenter is asked to run something itself.
pub(super) fn local_or_request(node: NodeId) -> How {
    if node == NodeId::ME {
        How::Local
    } else {
        How::Request
    }
}
