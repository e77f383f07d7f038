//! One answer from several replies: the quorum of replicas, and the parts of a join.
//!
//! | file | noun |
//! |---|---|
//! | `compare` | how the replies of two replicas are compared |
//! | `join` | the replies of several nodes as one |
//! | `lists` | replies that are lists, of whose values each has its own majority |
//! | `prefer` | the replica whose version is the answer's |

mod compare;
pub(in crate::node) mod join;
mod lists;
mod prefer;

pub(in crate::node) use compare::{Compare, Lists, rules};

use super::judges::Spare;
use crate::cluster::id::DcId;
use crate::cluster::quorum::{Quorum, Reply, Verdict};
use crate::config::StoreKind;
use crate::consistency::Consistency;
use crate::mbuf::{Chain, Raw};
use crate::node::memcache;
use crate::node::replicate::Step;
use crate::proto::{Failure, failure};
use join::{Answer, Join};
use lists::merged;
pub(super) use prefer::Preference;
use prefer::Told;

/// Puts one answer together. Lives until every part has come in, answered or not, so that no part
/// ever outlives what it belongs to.
pub(in crate::node) struct Judge {
    /// Parts that are still to come.
    pub(super) missing: u16,
    /// The answer has been given.
    pub(super) done: bool,
    /// What has come, by part.
    replies: Vec<Chain>,
    method: Method,
    /// The request is the first of two steps: its reply says what the second is.
    pub(super) step: Option<Box<Step>>,
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
        /// The replies carry versions, each replica its own.
        versions: bool,
        /// The replica whose version is the answer's, if they do.
        prefer: Preference,
    },
    /// Replies to different pieces, or of different nodes, are joined.
    Join(Join),
}

impl Judge {
    /// For a request whose replies to so many parts are joined.
    pub fn joining(parts: u16, join: Join) -> Judge {
        Judge {
            missing: parts,
            done: false,
            replies: (0..parts).map(|_| Chain::new()).collect(),
            method: Method::Join(join),
            step: None,
        }
    }

    /// For a request that is the first of two steps.
    pub fn of_step(step: Step) -> Judge {
        Judge {
            step: Some(Box::new(step)),
            ..Judge::joining(1, Join::Only)
        }
    }

    /// A judge of replicas' replies from the datacenters in `spare`, in whose memory it works. `all_dcs`: the number
    /// of datacenters. `agreed`: see [`Method::Quorum`]. `versions`: the replies carry versions.
    pub fn of_quorum(
        spare: Spare,
        all_dcs: usize,
        level: Consistency,
        rules: (Compare, Lists),
        agreed: Option<u64>,
        versions: bool,
    ) -> Judge {
        let Spare {
            quorum: place,
            dcs,
            mut replies,
            mut prefer,
        } = spare;
        let (compare, lists) = rules;
        replies.resize_with(dcs.len(), Chain::new);
        prefer.reset(if versions { dcs.len() } else { 0 });
        let expected =
            (0..all_dcs as u16).map(|dc| dcs.iter().filter(|at| at.0 == dc).count() as u16);
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
        Judge {
            missing: dcs.len() as u16,
            done: false,
            replies,
            method: Method::Quorum {
                quorum,
                level,
                compare,
                lists,
                agreed,
                versions,
                prefer,
                dcs,
            },
            step: None,
        }
    }

    /// The memory of a finished judge, for the next one.
    pub(super) fn into_spare(self) -> Option<Spare> {
        let Method::Quorum {
            quorum,
            mut dcs,
            prefer,
            ..
        } = self.method
        else {
            return None;
        };
        let mut replies = self.replies;
        replies.clear();
        dcs.clear();
        Some(Spare {
            quorum: Some(quorum),
            dcs,
            replies,
            prefer,
        })
    }

    /// The answer has been given; later replies are only counted.
    pub(super) fn settle(&mut self) {
        self.done = true;
        self.replies.iter_mut().for_each(Chain::clear);
    }

    /// Takes in the reply to a part. Returns the answer, if this reply decides it.
    pub(super) fn reply(&mut self, part: u16, store: StoreKind, raw: Raw<'_>) -> Option<Answer> {
        self.missing -= 1;
        match self.done {
            true => None,
            false => self.take(store, part, raw),
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
                versions,
                prefer,
            } => {
                let reply = match agreed {
                    _ if is_error => Reply::Error,
                    Some(agreed) if part == 0 => Reply::Good(*agreed),
                    _ => Reply::Good(compare.digest(raw)),
                };
                let dc = dcs.get(usize::from(part)).copied()?;
                if *versions {
                    prefer.note(part, reply, memcache::is_miss(raw));
                }
                match quorum.reply(dc, part, reply) {
                    Verdict::Pending => None,
                    Verdict::Answer { agreed: false, .. } | Verdict::NoQuorum
                        if !matches!(lists, Lists::No) =>
                    {
                        Some(merged(*level, lists, &self.replies, dcs, *versions))
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
                        let told = versions.then(|| prefer.told(target, agreed));
                        let (target, agreed) = match told {
                            None => (target, agreed),
                            Some(Told::Wait) => return None,
                            Some(Told::Agreed(part)) => (part, true),
                            // For one key, perhaps; each of the others has its own majority.
                            Some(Told::Alone(_)) if !matches!(lists, Lists::No) => {
                                return Some(merged(*level, lists, &self.replies, dcs, true));
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
