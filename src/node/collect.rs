//! Several replies to one answer: the judge of replicas, and the parts a joiner waits for.

use super::Node;
use super::flight::lost::Lost;
use super::flight::waiter::Waiter;
use super::frame::Frames;
use super::ids::{FrontId, JudgeId, ReqId, Table};
use super::join::{Answer, Join};
use super::many;
use super::memcache;
use super::msg::{Flags, Msg};
use super::prefer::{Preference, Told};
use super::replicate::Step;
use crate::clock::Now;
use crate::cluster::id::{DcId, NodeId};
use crate::cluster::quorum::{Quorum, Reply, Verdict};
use crate::cluster::route::{Counts, Target, Targets};
use crate::config::StoreKind;
use crate::consistency::Consistency;
use crate::mbuf::{Chain, Raw};
use crate::proto::Failure;
use crate::proto::failure;
use crate::proto::redis::alike::Alike;
use crate::proto::redis::command::{Class, Command, command};
use crate::proto::redis::request;
use crate::proto::{self, redis};

/// The collectors at work, and the memory of finished judges: the next ones allocate nothing.
#[derive(Default)]
pub(super) struct Collectors {
    live: Table<JudgeId, Collector>,
    /// How many of them have given their answer and wait for the last parts.
    answered: usize,
    spare: Vec<Spare>,
}

/// How many judges' memory is kept, some 400 bytes each; that of more goes back to the allocator.
const SPARES: usize = 1024;

/// What a judge owned; empty but for its memory.
#[derive(Default)]
pub(super) struct Spare {
    quorum: Option<Box<Quorum>>,
    /// The datacenter of each part of the next judge.
    pub dcs: Vec<DcId>,
    replies: Vec<Chain>,
}

impl Collectors {
    /// Memory for another judge.
    pub fn spare(&mut self) -> Spare {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes in a collector.
    pub fn insert(&mut self, collector: Collector) -> JudgeId {
        self.live.insert(collector)
    }

    /// The collector of this id.
    pub fn get_mut(&mut self, id: JudgeId) -> Option<&mut Collector> {
        self.live.get_mut(id)
    }

    /// Whether this one waits for the first of two steps.
    pub fn is_step(&self, id: JudgeId) -> bool {
        let collector = self.live.get(id);
        collector.is_some_and(|collector| collector.step.is_some())
    }

    /// Gives the owners of first steps the numbers they have in another topology.
    pub fn translate(&mut self, number: impl Fn(NodeId) -> NodeId) {
        for (_, collector) in self.live.iter_mut() {
            if let Some(step) = &mut collector.step {
                step.owner = number(step.owner);
            }
        }
    }

    /// How many requests have their answer and are kept for parts that are still to come.
    pub fn answered(&self) -> usize {
        self.answered
    }

    /// The answer is given before the first of two steps has its reply.
    pub fn give_up_step(&mut self, id: JudgeId) -> Option<&mut Step> {
        let collector = self.live.get_mut(id)?;
        self.answered += usize::from(!std::mem::replace(&mut collector.done, true));
        let step = collector.step.as_deref_mut()?;
        step.is_given_up();
        Some(step)
    }

    /// Lets this one wait for a first step once more.
    pub fn wait_for_step(&mut self, id: JudgeId, step: Box<Step>) {
        if let Some(collector) = self.live.get_mut(id) {
            collector.step = Some(step);
        }
    }

    /// Those at work, with their ids: how many parts each waits for, and whether it has its answer.
    pub fn iter(&self) -> impl Iterator<Item = (JudgeId, u16, bool)> {
        let live = self.live.iter();
        live.map(|(id, of)| (id, of.missing, of.done))
    }

    /// Whether none is at work.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Ends a collector.
    fn remove(&mut self, id: JudgeId) {
        let Some(collector) = self.live.remove(id) else {
            return;
        };
        self.answered -= usize::from(collector.done);
        if let Method::Quorum {
            quorum, mut dcs, ..
        } = collector.method
            && self.spare.len() < SPARES
        {
            let mut replies = collector.replies;
            replies.clear();
            dcs.clear();
            self.spare.push(Spare {
                quorum: Some(quorum),
                dcs,
                replies,
            });
        }
    }
}

/// Puts one answer together. Lives until every part has come in, answered or not, so that no part
/// ever outlives what it belongs to.
pub(super) struct Collector {
    /// Parts that are still to come.
    missing: u16,
    /// The answer has been given.
    done: bool,
    /// What has come, by part.
    replies: Vec<Chain>,
    method: Method,
    /// The request is the first of two steps: its reply says what the second is.
    step: Option<Box<Step>>,
}

enum Method {
    /// Replicas are compared.
    Quorum {
        quorum: Box<Quorum>,
        level: Consistency,
        compare: Compare,
        lists: Lists,
        /// The datacenter of each part.
        dcs: Vec<DcId>,
        /// Part 0 was the first of two steps; this is the digest of the other parts' replies if they
        /// agree with it.
        agreed: Option<u64>,
        /// The replies tell versions, each replica its own.
        prefer: Option<Preference>,
    },
    /// Replies to different pieces, or of different nodes, are joined.
    Join(Join),
}

/// What of two replies has to be equal.
#[derive(Clone, Copy)]
pub(super) enum Compare {
    /// What the command's row says.
    Redis(Alike),
    /// What they say of values, but for what is each replica's own.
    Memcache,
}

impl Compare {
    fn digest(self, raw: Raw<'_>) -> u64 {
        match self {
            Compare::Redis(alike) => redis::digest::digest(raw.pieces(), alike),
            Compare::Memcache => proto::memcache::varying::digest(raw.pieces()),
        }
    }
}

/// Whether replies are lists of values, of which each may be judged by itself.
pub(super) enum Lists {
    No,
    /// Arrays of RESP.
    Arrays,
    /// Values of memcached for these keys.
    Values(Vec<Vec<u8>>),
}

/// The error of a target that could not be reached.
pub(super) fn unreachable(target: &Target) -> Failure {
    if target.node == NodeId::ME {
        Failure::StorageRefused
    } else {
        Failure::PeerNotConnected
    }
}

impl Node {
    /// Lets a request's answer be put together by this.
    pub(super) fn give_collector(&mut self, entry: ReqId, collector: Collector) {
        let collector = self.flight.judges.insert(collector);
        if let Some(msg) = self.flight.get_mut(entry) {
            debug_assert_eq!(msg.collector, None);
            msg.collector = Some(collector);
        }
    }

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
        let (compare, lists) = match self.options.store {
            StoreKind::Redis => rules(command(msg.command), raw),
            StoreKind::Memcache => (Compare::Memcache, memcache::lists(msg.command, raw)),
        };
        let unique = msg.flags.has(Flags::UNIQUE);
        let mut spare = self.flight.judges.spare();
        spare
            .dcs
            .extend(targets.iter().filter_map(|target| match target.counts {
                Counts::In(dc) => Some(dc),
                Counts::Discarded => None,
            }));
        let mut collector = self.quorum_collector(spare, level, compare, lists, None);
        if let Method::Quorum { prefer, dcs, .. } = &mut collector.method {
            *prefer = unique.then(|| Preference::of(dcs.len()));
        }
        let collector = self.flight.judges.insert(collector);
        if let Some(msg) = self.flight.get_mut(entry) {
            msg.collector = Some(collector);
        }
    }

    /// A judge of replies from the datacenters that stand in `spare`, in whose memory it works.
    /// `agreed`: see [`Method::Quorum`].
    pub(super) fn quorum_collector(
        &self,
        spare: Spare,
        level: Consistency,
        compare: Compare,
        lists: Lists,
        agreed: Option<u64>,
    ) -> Collector {
        let Spare {
            quorum: place,
            dcs,
            mut replies,
        } = spare;
        replies.resize_with(dcs.len(), Chain::new);
        let expected = (0..self.topology.dcs().len() as u16)
            .map(|dc| dcs.iter().filter(|at| at.0 == dc).count() as u16);
        let mut quorum = Quorum::new(level, expected);
        if !matches!(lists, Lists::No) {
            quorum = quorum.of_lists();
        }
        let quorum = match place {
            Some(mut place) => {
                *place = quorum;
                place
            }
            None => Box::new(quorum),
        };
        Collector {
            missing: dcs.len() as u16,
            done: false,
            replies,
            method: Method::Quorum {
                quorum,
                level,
                compare,
                lists,
                dcs,
                agreed,
                prefer: None,
            },
            step: None,
        }
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
        let Some(msg) = self.flight.get_mut(entry) else {
            return;
        };
        if !msg.answer() {
            return self.contradiction("a part of a request that was answered is answered again");
        }
        let waiter = std::mem::replace(&mut msg.waiter, Waiter::Nobody);
        self.flight.retire(entry);
        let Waiter::Part(parent, part) = waiter else {
            return;
        };
        let Some(place) = self.flight.get(parent).and_then(|parent| parent.collector) else {
            return;
        };
        let collector = self.flight.judges.get_mut(place);
        if let Some(step) = collector.and_then(|collector| collector.step.take()) {
            let Some(step) = self.repeat_first_step(parent, now, step, raw) else {
                return;
            };
            self.end_first_step(parent, now, *step, raw);
        }
        let class = self
            .flight
            .get(parent)
            .map_or(Class::Read, |parent| parent.class());
        let Some(collector) = self.flight.judges.get_mut(place) else {
            return;
        };
        collector.missing -= 1;
        let answer = if collector.done {
            None
        } else {
            collector.take(self.options.store, part, raw)
        };
        if collector.missing == 0 {
            self.flight.judges.remove(place);
            if let Some(parent) = self.flight.get_mut(parent) {
                parent.collector = None;
            }
        } else if answer.is_some() {
            collector.done = true;
            collector.replies.iter_mut().for_each(Chain::clear);
            self.flight.judges.answered += 1;
        }
        if let Some(mut answer) = answer {
            if !answer.agreed {
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
            self.finish_raw(parent, now, Raw::from(&reply));
        }
        // Also if the front it was for has closed meanwhile.
        self.flight.retire(parent);
    }
}

impl Collector {
    /// For a request whose replies to so many parts are joined.
    pub fn joining(parts: u16, join: Join) -> Collector {
        Collector {
            missing: parts,
            done: false,
            replies: (0..parts).map(|_| Chain::new()).collect(),
            method: Method::Join(join),
            step: None,
        }
    }

    /// For a request that is the first of two steps.
    pub fn of_step(step: Step) -> Collector {
        Collector {
            step: Some(Box::new(step)),
            ..Collector::joining(1, Join::Only)
        }
    }

    /// Takes in a part; the answer, if it is known now.
    fn take(&mut self, store: StoreKind, part: u16, raw: Raw<'_>) -> Option<Answer> {
        let slot = self.replies.get_mut(usize::from(part))?;
        raw.append_to(slot);
        let is_error = failure::is_error_reply(store, raw);
        match &mut self.method {
            Method::Quorum {
                quorum,
                level,
                compare,
                lists,
                dcs,
                agreed,
                prefer,
            } => {
                let reply = match agreed {
                    _ if is_error => Reply::Error,
                    Some(agreed) if part == 0 => Reply::Good(*agreed),
                    _ => Reply::Good(compare.digest(raw)),
                };
                let dc = dcs.get(usize::from(part)).copied()?;
                if let Some(prefer) = prefer {
                    prefer.note(part, reply, memcache::is_miss(raw));
                }
                match quorum.reply(dc, part, reply) {
                    Verdict::Pending => None,
                    Verdict::Answer { agreed: false, .. } | Verdict::NoQuorum
                        if !matches!(lists, Lists::No) =>
                    {
                        Some(many::merged(
                            *level,
                            lists,
                            &self.replies,
                            dcs,
                            prefer.is_some(),
                        ))
                    }
                    // A majority against the first step: only its reply is one to the request.
                    Verdict::Answer { target: 1.., .. } if agreed.is_some() => {
                        Some(if *level == Consistency::DcQuorum {
                            Answer::reply(std::mem::take(self.replies.first_mut()?), false)
                        } else {
                            Answer::failure(Failure::NoQuorum, false)
                        })
                    }
                    Verdict::Answer { target, agreed } => {
                        let told = prefer.as_ref().map(|prefer| prefer.told(target, agreed));
                        let (target, agreed) = match told {
                            None => (target, agreed),
                            Some(Told::Wait) => return None,
                            Some(Told::Agreed(part)) => (part, true),
                            // For one key, perhaps; each of the others has its own majority.
                            Some(Told::Alone(_)) if !matches!(lists, Lists::No) => {
                                return Some(many::merged(*level, lists, &self.replies, dcs, true));
                            }
                            Some(Told::Alone(part)) if *level == Consistency::DcQuorum => {
                                (part, false)
                            }
                            Some(Told::Alone(_)) => {
                                return Some(Answer::failure(Failure::NoQuorum, false));
                            }
                        };
                        let reply = self.replies.get_mut(usize::from(target))?;
                        Some(Answer::reply(std::mem::take(reply), agreed))
                    }
                    Verdict::Error { target } => Some(Answer::reply(
                        std::mem::take(self.replies.get_mut(usize::from(target))?),
                        false,
                    )),
                    Verdict::NoQuorum => Some(Answer::failure(Failure::NoQuorum, false)),
                }
            }
            Method::Join(join) => {
                let last = self.missing == 0;
                join.take(store, usize::from(part), last, &mut self.replies)
            }
        }
    }
}

/// How replies to a request to Redis are compared.
fn rules(row: Option<&Command>, request: Raw<'_>) -> (Compare, Lists) {
    let alike = match row.map_or(Alike::Bytes, |row| row.alike) {
        Alike::Sort => request.with_bytes(|bytes| {
            let args: Vec<&[u8]> = request::arguments(bytes).collect();
            Alike::Sort.of(&args)
        }),
        alike => alike,
    };
    let lists = match alike {
        Alike::Values => Lists::Arrays,
        _ => Lists::No,
    };
    (Compare::Redis(alike), lists)
}
