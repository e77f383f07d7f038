//! A request to several replicas: its parts sent, their replies judged, its answer given.

use super::Node;
use super::flight::judge::join::Answer;
use super::flight::judge::{self, Compare, Judge, Lists};
use super::flight::judges::Spare;
use super::flight::lost::Lost;
use super::flight::waiter::Waiter;
use super::frame::Frames;
use super::ids::{FrontId, ReqId};
use super::memcache;
use super::msg::{Flags, Msg};
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::cluster::route::{Counts, Target, Targets};
use crate::config::StoreKind;
use crate::consistency::Consistency;
use crate::mbuf::{Chain, Raw};
use crate::proto::Failure;
use crate::proto::redis::command::{Class, command};

/// The error of a target that could not be reached.
pub(super) fn unreachable(target: &Target) -> Failure {
    if target.node == NodeId::ME {
        Failure::StorageRefused
    } else {
        Failure::PeerNotConnected
    }
}

impl Node {
    /// Gives a request a judge for the replies of its replicas.
    pub(super) fn collect_quorum(
        &mut self,
        entry: ReqId,
        targets: &Targets,
        level: Consistency,
        raw: Raw<'_>,
    ) {
        let Some(msg) = self.flight.get(entry) else {
            return;
        };
        let rules = match self.options.store {
            StoreKind::Redis => judge::rules(command(msg.command), raw),
            StoreKind::Memcache => (Compare::Memcache, memcache::lists(msg.command, raw)),
        };
        let versions = msg.flags.has(Flags::UNIQUE);
        let mut spare = self.flight.judges.spare();
        let counted = targets.iter().filter_map(|target| match target.counts {
            Counts::In(dc) => Some(dc),
            Counts::Discarded => None,
        });
        spare.dcs.extend(counted);
        let judge = self.quorum_judge(spare, level, rules, None, versions);
        self.flight.give_judge(entry, judge);
    }

    /// A judge of replies from the datacenters in `spare`.
    pub(super) fn quorum_judge(
        &self,
        spare: Spare,
        level: Consistency,
        rules: (Compare, Lists),
        agreed: Option<u64>,
        versions: bool,
    ) -> Judge {
        let dcs = self.topology.dcs().len();
        Judge::of_quorum(spare, dcs, level, rules, agreed, versions)
    }

    /// Sends one part of a judged request.
    pub(super) fn send_part(
        &mut self,
        parent: ReqId,
        part: u16,
        pin: FrontId,
        now: Now,
        target: &Target,
        frames: &mut Frames<'_>,
    ) {
        if let Some(mut copy) = self.flight.get(parent).map(Msg::copy) {
            copy.waiter = Waiter::Part(parent, part);
            self.send_awaited(copy, pin, now, target, frames);
        }
    }

    /// Sends a message that its parent waits for; if its target cannot be reached, that is its answer.
    pub(super) fn send_awaited(
        &mut self,
        msg: Msg,
        pin: FrontId,
        now: Now,
        target: &Target,
        frames: &mut Frames<'_>,
    ) {
        let child = self.flight.insert(msg);
        if target.reachable {
            self.send(child, pin, now, target, frames);
        } else {
            let failure = self.unreachable(target);
            self.lose_leg(child, now, target.node, Lost::Unreachable, failure);
        }
    }

    /// Takes in the reply to a part.
    pub(super) fn collect(&mut self, entry: ReqId, now: Now, raw: Raw<'_>) {
        let Ok(part) = self.flight.take_part(entry) else {
            return self.contradiction("a part of a request that was answered is answered again");
        };
        let Some(part) = part else {
            return;
        };
        let parent = part.parent;
        if let Some(step) = self.flight.judges.take_step(part.judge) {
            let Some(step) = self.repeat_first_step(parent, now, step, raw) else {
                return;
            };
            self.end_first_step(parent, now, *step, raw);
        }
        if let Some(answer) = self.flight.judge(part, self.options.store, raw) {
            self.give_answer(parent, now, answer);
        }
        // Also if the front it was for has closed meanwhile.
        self.flight.retire(parent);
    }

    /// Answers a request with what its judge has decided.
    fn give_answer(&mut self, entry: ReqId, now: Now, mut answer: Answer) {
        if !answer.agreed {
            let class = self.flight.get(entry).map_or(Class::Read, Msg::class);
            match class {
                Class::Read => self.stats.pool.client_non_quorum_r_responses += 1,
                Class::Write => self.stats.pool.client_non_quorum_w_responses += 1,
            }
        }
        if let Some(failure) = answer.failure {
            answer.text = failure.line(self.options.store).into();
        }
        if let Some(version) = answer.version.take() {
            self.note_version(version);
        }
        let mut reply = Chain::new();
        self.pool.copy(&answer.text, &mut reply);
        reply.append(&mut answer.reply);
        self.pool.copy(answer.tail, &mut reply);
        self.finish_raw(entry, now, Raw::from(&reply));
    }
}
