//! The one exit of a leg that brings no reply.
//!
//! A *leg* is what is sent to one node: a request itself, one of its copies, or one of its parts. Each leg either
//! gets its reply or is lost, for one of the reasons below, and [`Flight::lost`] is told of it. That a replica has
//! missed a write is known here and nowhere else.

use super::Flight;
use super::msg::{Flags, Msg};
use super::waiter::{Task, Waiter};
use crate::node::ids::ReqId;
use crate::stats::OwnStats;

/// Why a leg brings no reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::node) enum Lost {
    /// Its node could not be reached: nothing was sent.
    Unreachable,
    /// It could not be put into the queue of a connection: nothing was sent.
    NotSent,
    /// Its connection broke. What was written may have been run.
    Disconnected,
    /// No reply has come in time. It may come still, and so the leg keeps its place in the queue.
    TimedOut,
    /// The node, or the datastore behind it, did not serve it.
    Refused,
}

impl Lost {
    /// The reasons, in the order of their numbers.
    const ALL: [Lost; 5] = [
        Lost::Unreachable,
        Lost::NotSent,
        Lost::Disconnected,
        Lost::TimedOut,
        Lost::Refused,
    ];
}

/// What is to be done about a leg that was lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use = "somebody may wait for the leg"]
pub(in crate::node) enum Fate {
    /// Nothing: nobody waited for it, and its row is free.
    Freed,
    /// Somebody waits for it, and needs an answer or another leg.
    Awaited,
    /// Whoever waited was answered when it timed out; its row is still needed.
    Answered,
    /// A task of the node itself waited for it; its row is free.
    Task(Task),
}

/// How many writes were lost, by reason.
#[derive(Debug, Default)]
pub(in crate::node) struct LostWrites([u64; Lost::ALL.len()]);

impl LostWrites {
    /// Puts the counts into the statistics.
    pub fn report(&self, stats: &mut OwnStats) {
        for (why, count) in Lost::ALL.into_iter().zip(self.0) {
            *match why {
                Lost::Unreachable => &mut stats.writes_lost_unreachable,
                Lost::NotSent => &mut stats.writes_lost_not_sent,
                Lost::Disconnected => &mut stats.writes_lost_disconnected,
                Lost::TimedOut => &mut stats.writes_lost_timed_out,
                Lost::Refused => &mut stats.writes_lost_refused,
            } = count;
        }
    }
}

impl Flight {
    /// A leg will have no reply, or none in time.
    pub fn lost(&mut self, leg: ReqId, why: Lost) -> Fate {
        let Some(msg) = self.msgs.get_mut(leg) else {
            return Fate::Freed;
        };
        // One that has timed out was lost then.
        let was_expired = msg.is_expired();
        if msg.flags.has(Flags::WRITE) && !was_expired {
            self.lost_writes.0[why as usize] += 1;
        }
        match why {
            Lost::TimedOut if was_expired => return Fate::Answered,
            Lost::TimedOut => {
                let is_first = msg.expire();
                debug_assert!(is_first, "looked at above");
                return Fate::Awaited;
            }
            _ => msg.flags = msg.flags.without(Flags::QUEUED),
        }
        if let Waiter::Task(task) = msg.waiter {
            msg.waiter = Waiter::Nobody;
            self.retire(leg);
            return Fate::Task(task);
        }
        if self.retire(leg) {
            return Fate::Freed;
        }
        match was_expired {
            true => Fate::Answered,
            false => Fate::Awaited,
        }
    }

    /// A leg's reply says that it was not served: a replica has missed it if it is a write. It is answered as by
    /// any reply.
    #[cold]
    pub fn refused(&mut self, leg: ReqId) {
        let is_write = |msg: &Msg| msg.flags.has(Flags::WRITE) && !msg.is_expired();
        if self.get(leg).is_some_and(is_write) {
            self.lost_writes.0[Lost::Refused as usize] += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::node::ids::FrontId;

    fn leg(flight: &mut Flight, waiter: Waiter, flags: Flags) -> ReqId {
        let mut msg = Msg::new(waiter, 0, 0, 0);
        msg.flags = flags;
        flight.insert(msg)
    }

    fn counts(flight: &Flight) -> [u64; 5] {
        let mut own = OwnStats::default();
        flight.lost_writes.report(&mut own);
        [
            own.writes_lost_unreachable,
            own.writes_lost_not_sent,
            own.writes_lost_disconnected,
            own.writes_lost_timed_out,
            own.writes_lost_refused,
        ]
    }

    #[test]
    fn a_leg_is_lost_once_and_freed_when_nobody_needs_it() {
        let front = Waiter::front(FrontId::client(0));
        let nobody = Waiter::Nobody;
        let task = Waiter::Task(Task::Busy);
        let queued = Flags::WRITE.with(Flags::QUEUED);
        for (why, waiter, flags, fate, count) in [
            (
                Lost::Unreachable,
                nobody,
                Flags::WRITE,
                Fate::Freed,
                [1, 0, 0, 0, 0],
            ),
            (
                Lost::NotSent,
                front,
                Flags::WRITE,
                Fate::Awaited,
                [0, 1, 0, 0, 0],
            ),
            (
                Lost::Disconnected,
                nobody,
                queued,
                Fate::Freed,
                [0, 0, 1, 0, 0],
            ),
            (
                Lost::Disconnected,
                front,
                queued,
                Fate::Awaited,
                [0, 0, 1, 0, 0],
            ),
            (
                Lost::TimedOut,
                front,
                queued,
                Fate::Awaited,
                [0, 0, 0, 1, 0],
            ),
            (
                Lost::Refused,
                nobody,
                Flags::WRITE,
                Fate::Freed,
                [0, 0, 0, 0, 1],
            ),
            (
                Lost::Disconnected,
                task,
                Flags::QUEUED,
                Fate::Task(Task::Busy),
                [0; 5],
            ),
            // Nobody misses a read.
            (
                Lost::Disconnected,
                nobody,
                Flags::QUEUED,
                Fate::Freed,
                [0; 5],
            ),
        ] {
            let mut flight = Flight::default();
            let id = leg(&mut flight, waiter, flags);
            assert_eq!(flight.lost(id, why), fate, "{why:?}");
            assert_eq!(counts(&flight), count, "{why:?}");
            let is_free = matches!(fate, Fate::Freed | Fate::Task(_));
            assert_eq!(flight.msgs.is_empty(), is_free, "{why:?}");
        }
    }

    #[test]
    fn a_leg_that_timed_out_is_not_lost_again_with_its_connection() {
        let mut flight = Flight::default();
        let id = leg(
            &mut flight,
            Waiter::Nobody,
            Flags::WRITE.with(Flags::QUEUED),
        );
        assert_eq!(flight.lost(id, Lost::TimedOut), Fate::Awaited);
        assert_eq!(flight.lost(id, Lost::TimedOut), Fate::Answered);
        assert_eq!(flight.msgs.len(), 1, "its reply may still come");
        assert_eq!(flight.lost(id, Lost::Disconnected), Fate::Freed);
        assert_eq!(counts(&flight), [0, 0, 0, 1, 0]);
    }
}
