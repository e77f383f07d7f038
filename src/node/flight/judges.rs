//! The judges of requests in flight.

use super::judge::Judge;
use super::judge::Preference;
use super::judge::join::Answer;
use crate::cluster::id::{DcId, NodeId};
use crate::cluster::quorum::Quorum;
use crate::config::StoreKind;
use crate::mbuf::{Chain, Raw};
use crate::node::ids::{JudgeId, Table};
use crate::node::replicate::Step;

/// The judges at work, and the memory of finished ones: the next ones allocate nothing.
#[derive(Default)]
pub(in crate::node) struct Judges {
    live: Table<JudgeId, Judge>,
    /// How many of them have given their answer and wait for the last parts.
    answered: usize,
    spare: Vec<Spare>,
}

/// How many judges' memory is kept, some 400 bytes each; that of more goes back to the allocator.
const SPARES: usize = 1024;

/// What a judge owned; empty but for its memory.
#[derive(Default)]
pub(in crate::node) struct Spare {
    pub(super) quorum: Option<Box<Quorum>>,
    /// The datacenter of each part of the next judge.
    pub dcs: Vec<DcId>,
    pub(super) replies: Vec<Chain>,
    pub(super) prefer: Preference,
}

impl Judges {
    /// Memory for another judge.
    pub fn spare(&mut self) -> Spare {
        self.spare.pop().unwrap_or_default()
    }

    /// Takes in a judge.
    pub fn insert(&mut self, judge: Judge) -> JudgeId {
        self.live.insert(judge)
    }

    /// The judge of this id.
    pub fn get_mut(&mut self, id: JudgeId) -> Option<&mut Judge> {
        self.live.get_mut(id)
    }

    /// Returns true if this one waits for the first of two steps.
    pub fn is_step(&self, id: JudgeId) -> bool {
        let judge = self.live.get(id);
        judge.is_some_and(|judge| judge.step.is_some())
    }

    /// Gives the owners of first steps the numbers they have in another topology.
    pub fn translate(&mut self, number: impl Fn(NodeId) -> NodeId) {
        for (_, judge) in self.live.iter_mut() {
            if let Some(step) = &mut judge.step {
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
        let judge = self.live.get_mut(id)?;
        self.answered += usize::from(!std::mem::replace(&mut judge.done, true));
        let step = judge.step.as_deref_mut()?;
        step.is_given_up();
        Some(step)
    }

    /// Lets this one wait for a first step once more.
    pub fn wait_for_step(&mut self, id: JudgeId, step: Box<Step>) {
        if let Some(judge) = self.live.get_mut(id) {
            judge.step = Some(step);
        }
    }

    /// Those at work, with their ids: how many parts each waits for, and whether it has its answer.
    pub fn iter(&self) -> impl Iterator<Item = (JudgeId, u16, bool)> {
        let live = self.live.iter();
        live.map(|(id, of)| (id, of.missing, of.done))
    }

    /// Returns true if none is at work.
    #[cfg(test)]
    pub fn is_empty(&self) -> bool {
        self.live.is_empty()
    }

    /// Ends a judge.
    pub(super) fn remove(&mut self, id: JudgeId) {
        let Some(judge) = self.live.remove(id) else {
            return;
        };
        self.answered -= usize::from(judge.done);
        if self.spare.len() < SPARES
            && let Some(spare) = judge.into_spare()
        {
            self.spare.push(spare);
        }
    }

    /// Takes in the reply to a part. Returns the answer, if this reply decides it, and whether the judge has ended.
    pub(super) fn reply(
        &mut self,
        id: JudgeId,
        part: u16,
        store: StoreKind,
        raw: Raw<'_>,
    ) -> (Option<Answer>, bool) {
        let Some(judge) = self.live.get_mut(id) else {
            return (None, false);
        };
        let answer = judge.reply(part, store, raw);
        let is_over = judge.missing == 0;
        if is_over {
            self.remove(id);
        } else if answer.is_some() {
            judge.settle();
            self.answered += 1;
        }
        (answer, is_over)
    }

    /// Takes the first of two steps that a judge waits for.
    pub fn take_step(&mut self, id: JudgeId) -> Option<Box<Step>> {
        self.live.get_mut(id)?.step.take()
    }
}
