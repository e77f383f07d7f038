//! The judge of one request's replies.
//!
//! Of the n replies that count in a datacenter, a quorum is q = n/2 + 1. Errors are no replies: a
//! failure to reach a replica or its datastore, or an error line of the datastore. Anything else is
//! a good reply, nil and 0 as well, and is represented by a digest of its bytes.
//!
//! | replies of a datacenter | `DC_QUORUM` | `DC_SAFE_QUORUM`, `DC_EACH_SAFE_QUORUM` |
//! |---|---|---|
//! | q equal ones | the earliest of them | the same |
//! | fewer than q good ones possible | the first error | the same |
//! | q good ones, but no q equal ones possible | the first good one | no quorum |
//!
//! A datacenter's verdict is given as soon as no further reply can change it, not earlier and not
//! later. At `DC_ONE` the first reply is the answer. At `DC_EACH_SAFE_QUORUM` each datacenter is
//! judged by itself, values are not compared between them, and the first datacenter in order that
//! has no agreement gives the verdict, once those before it have agreed; if all agree, the local
//! one gives it.
//!
//! The C original compares only the first three replies, and two equal ones are enough for it;
//! that is the same for up to three racks. Its single-rack datacenters never agree; here one reply
//! agrees with itself.

use super::id::DcId;
use super::inline::InlineList;
use crate::consistency::Consistency;

/// Datacenters judged without memory of their own.
const INLINE_DCS: usize = 4;

/// Different values, over all datacenters, without memory of their own. Replicas that agree have
/// one value in each datacenter.
const INLINE_VALUES: usize = 8;

/// A reply, as far as judging is concerned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reply {
    /// A good one, by its [digest](crate::hashkit::digest).
    Good(u64),
    /// An error, or a target that could not be sent.
    Error,
}

/// The verdict so far. Targets are the numbers that came with the replies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// More replies are needed, and can still come.
    Pending,
    /// The client gets the reply of this target.
    Answer {
        /// Whose reply.
        target: u16,
        /// A quorum agreed. If not, the reply counts as a non-quorum one in the statistics.
        agreed: bool,
    },
    /// There are too few good replies for a quorum: the client gets this target's error, the first.
    /// Counts as a non-quorum one in the statistics.
    Error {
        /// Whose error.
        target: u16,
    },
    /// There are enough good replies, but too few equal ones: the client gets the error "Failed to
    /// achieve Quorum". Counts as a non-quorum one in the statistics.
    NoQuorum,
}

/// The replies of one datacenter.
#[derive(Clone, Copy, Debug, Default)]
struct Tally {
    /// The number of expected replies.
    expected: u16,
    good: u16,
    bad: u16,
    /// Size of the largest set of equal replies, and the target of the earliest in it.
    most_equal: u16,
    equal_target: u16,
    /// Targets, if there are any.
    first_good: u16,
    first_error: u16,
}

/// One value in one datacenter.
#[derive(Clone, Copy, Debug, Default)]
struct Value {
    digest: u64,
    dc: DcId,
    count: u16,
    /// Of the earliest reply with it.
    target: u16,
}

/// The state of one datacenter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    Pending,
    Agreed(u16),
    /// With the first good reply.
    Disagreed(u16),
    /// With the first error.
    Failed(u16),
}

/// Judges the replies to one request. See the [module](self) for the rules.
#[derive(Clone, Debug)]
pub struct Quorum {
    level: Consistency,
    whole: bool,
    tallies: InlineList<Tally, INLINE_DCS>,
    values: InlineList<Value, INLINE_VALUES>,
}

impl Quorum {
    /// The judge of a request at this level. `expected` is the number of replies of each datacenter, the local
    /// one first; the caller reports unreachable targets as errors. Datacenters with 0 are left out of the
    /// judgement.
    pub fn new(level: Consistency, expected: impl IntoIterator<Item = u16>) -> Quorum {
        let mut tallies = InlineList::default();
        for replies in expected {
            let at_most = match level {
                Consistency::DcOne => 1,
                _ => u16::MAX,
            };
            tallies.push(Tally {
                expected: replies.min(at_most),
                ..Tally::default()
            });
        }
        Quorum {
            level,
            whole: true,
            tallies,
            values: InlineList::default(),
        }
    }

    /// The same judge for replies that are lists of values. Lists that differ as wholes may still have a
    /// majority for each value ([`super::merge`]), so it reports a disagreement only when the last reply is
    /// in.
    pub fn of_lists(mut self) -> Quorum {
        self.whole = false;
        self
    }

    /// Takes the reply of a target (the caller's number for it) in a datacenter. Replies that are
    /// not expected change nothing: of another datacenter, beyond the expected number, after the
    /// verdict.
    pub fn reply(&mut self, dc: DcId, target: u16, reply: Reply) -> Verdict {
        let Some(tally) = self.tallies.as_mut_slice().get_mut(dc.index()) else {
            return self.verdict();
        };
        if tally.good + tally.bad >= tally.expected {
            return self.verdict();
        }
        match reply {
            Reply::Error => {
                if tally.bad == 0 {
                    tally.first_error = target;
                }
                tally.bad += 1;
            }
            Reply::Good(digest) => {
                if tally.good == 0 {
                    tally.first_good = target;
                }
                tally.good += 1;
                let value = count(&mut self.values, dc, digest, target);
                if value.count > tally.most_equal {
                    tally.most_equal = value.count;
                    tally.equal_target = value.target;
                }
            }
        }
        self.verdict()
    }

    /// The verdict now; once it is not [`Verdict::Pending`] it stays the same.
    pub fn verdict(&self) -> Verdict {
        let mut answer = None;
        let mut disagreement = None;
        for tally in self.tallies.as_slice() {
            if tally.expected == 0 {
                continue;
            }
            match self.standing(tally) {
                Standing::Pending => return Verdict::Pending,
                Standing::Agreed(target) => {
                    answer.get_or_insert(Verdict::Answer {
                        target,
                        agreed: true,
                    });
                }
                // An error, whatever earlier disagreements could be merged into.
                Standing::Failed(target) => return Verdict::Error { target },
                Standing::Disagreed(target) if self.whole => return self.disagreed(target),
                // Lists: the others must be in too before they can be merged.
                Standing::Disagreed(target) => {
                    disagreement.get_or_insert(self.disagreed(target));
                }
            }
        }
        disagreement.or(answer).unwrap_or(Verdict::NoQuorum)
    }

    fn disagreed(&self, target: u16) -> Verdict {
        match self.level {
            Consistency::DcOne | Consistency::DcQuorum => Verdict::Answer {
                target,
                agreed: false,
            },
            Consistency::DcSafeQuorum | Consistency::DcEachSafeQuorum => Verdict::NoQuorum,
        }
    }

    fn standing(&self, tally: &Tally) -> Standing {
        let quorum = tally.expected / 2 + 1;
        let pending = tally.expected.saturating_sub(tally.good + tally.bad);
        if tally.most_equal >= quorum {
            Standing::Agreed(tally.equal_target)
        } else if tally.good + pending < quorum {
            Standing::Failed(tally.first_error)
        } else if tally.good < quorum {
            Standing::Pending
        } else if pending == 0 || (self.whole && tally.most_equal + pending < quorum) {
            Standing::Disagreed(tally.first_good)
        } else {
            Standing::Pending
        }
    }
}

/// Returns the number of replies that are a quorum of `replies`.
pub fn quorum_of(replies: usize) -> usize {
    replies / 2 + 1
}

fn count(
    values: &mut InlineList<Value, INLINE_VALUES>,
    dc: DcId,
    digest: u64,
    target: u16,
) -> Value {
    let same = |value: &&mut Value| value.digest == digest && value.dc == dc;
    if let Some(value) = values.as_mut_slice().iter_mut().find(same) {
        value.count += 1;
        return *value;
    }
    let value = Value {
        digest,
        dc,
        count: 1,
        target,
    };
    values.push(value);
    value
}

#[cfg(test)]
mod tests;
