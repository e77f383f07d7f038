//! Requests in flight: a row for each request and for each of its copies and parts, the judges that make one
//! answer of several replies, and the reads that may go on to another rack.
//!
//! # A row and who needs it
//!
//! | a row is needed by | until |
//! |---|---|
//! | the front in whose queue it stands | its answer is out, or the front closes |
//! | the request that it is a part of, or a task of the node itself | its own reply is known |
//! | its judge | every part's reply is known |
//! | the queue of a connection, or the writes that are held | its reply has come, or the connection is lost |
//!
//! When nobody needs it any more it is freed, by [`Flight::retire`] and nowhere else. What is sent and brings no reply leaves by [`Flight::lost`].

pub(super) mod judge;
pub(super) mod judges;
pub(super) mod lost;
pub(super) mod msg;
pub(super) mod waiter;

use super::failover::Retries;
use super::ids::{FrontId, JudgeId, ReqId};
use crate::config::StoreKind;
use crate::mbuf::Raw;
use judge::Judge;
use judge::join::Answer;
use judges::Judges;
use lost::LostWrites;
use msg::{Flags, Msg, Msgs};
use waiter::Waiter;

/// A part whose reply has come, and the request and the judge that wait for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Part {
    pub parent: ReqId,
    pub judge: JudgeId,
    part: u16,
}

/// A part of a request was answered before: its reply must go nowhere.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct AnsweredTwice;

/// All requests in flight.
#[derive(Default)]
pub(super) struct Flight {
    pub msgs: Msgs,
    pub judges: Judges,
    pub retries: Retries,
    pub lost_writes: LostWrites,
}

impl Flight {
    /// Takes in a row.
    #[inline]
    pub fn insert(&mut self, msg: Msg) -> ReqId {
        self.msgs.insert(msg)
    }

    /// The row of this request.
    #[inline]
    pub fn get(&self, id: ReqId) -> Option<&Msg> {
        self.msgs.get(id)
    }

    /// The row of this request, to be changed.
    #[inline]
    pub fn get_mut(&mut self, id: ReqId) -> Option<&mut Msg> {
        self.msgs.get_mut(id)
    }

    /// Returns true if nobody waits for this row: it may be freed.
    #[inline]
    pub fn is_over(&self, id: ReqId) -> bool {
        self.get(id).is_some_and(Msg::is_over)
    }

    /// Frees a row that nobody needs. Returns false if somebody does.
    #[inline]
    pub fn retire(&mut self, id: ReqId) -> bool {
        let is_over = self.is_over(id);
        if is_over {
            self.msgs.remove(id);
        }
        is_over
    }

    /// The front waits for this row no more: it has its answer, or is gone.
    #[inline]
    pub fn leave_front(&mut self, id: ReqId) {
        if let Some(msg) = self.msgs.get_mut(id) {
            msg.waiter = Waiter::Nobody;
            if msg.is_over() {
                self.msgs.remove(id);
            }
        }
    }

    /// The row has left the queue of a connection, or the writes that are held.
    #[inline]
    pub fn leave_queue(&mut self, id: ReqId) {
        if let Some(msg) = self.msgs.get_mut(id) {
            msg.flags = msg.flags.without(Flags::QUEUED);
        }
    }

    /// The front that waits for a row, through all it is a part of.
    pub fn front_of(&self, mut id: ReqId) -> Option<FrontId> {
        loop {
            match self.get(id)?.waiter {
                Waiter::Part(parent, _) => id = parent,
                Waiter::Front(front, _) => return Some(front),
                Waiter::Nobody | Waiter::Task(_) => return None,
            }
        }
    }

    /// The request that a row is the first step of, if it is one ([`super::replicate`]).
    pub fn first_step_of(&self, id: ReqId) -> Option<ReqId> {
        let parent = self.get(id)?.parent()?;
        let judge = self.get(parent)?.judge?;
        self.judges.is_step(judge).then_some(parent)
    }

    /// Lets a judge put a request's answer together.
    pub fn give_judge(&mut self, id: ReqId, judge: Judge) {
        let judge = self.judges.insert(judge);
        if let Some(msg) = self.msgs.get_mut(id) {
            debug_assert_eq!(msg.judge, None);
            msg.judge = Some(judge);
        }
    }

    /// The reply to a part has come: its row is free, unless its reply still comes on another way. Returns what waits
    /// for the reply, if anything does.
    pub fn take_part(&mut self, id: ReqId) -> Result<Option<Part>, AnsweredTwice> {
        let Some(msg) = self.msgs.get_mut(id) else {
            return Ok(None);
        };
        if !msg.answer() {
            return Err(AnsweredTwice);
        }
        let waiter = std::mem::replace(&mut msg.waiter, Waiter::Nobody);
        self.retire(id);
        let Waiter::Part(parent, part) = waiter else {
            return Ok(None);
        };
        let judge = self.get(parent).and_then(|parent| parent.judge);
        Ok(judge.map(|judge| Part {
            parent,
            judge,
            part,
        }))
    }

    /// Has the reply to a part judged. Returns the answer to its request, if this reply decides it.
    pub fn judge(&mut self, part: Part, store: StoreKind, raw: Raw<'_>) -> Option<Answer> {
        let (answer, is_over) = self.judges.reply(part.judge, part.part, store, raw);
        if is_over && let Some(parent) = self.msgs.get_mut(part.parent) {
            parent.judge = None;
        }
        answer
    }
}

#[cfg(test)]
mod tests;
