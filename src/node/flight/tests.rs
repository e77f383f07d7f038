//! Requests in flight without a node: who is left, and who gets an answer, after each row of events.

use super::judge::join::Join;
use super::judge::{Compare, Judge, Lists};
use super::lost::{Fate, Lost};
use super::msg::{Flags, Msg, NO_COMMAND};
use super::waiter::{Task, Waiter};
use super::{AnsweredTwice, Flight};
use crate::cluster::id::DcId;
use crate::config::StoreKind;
use crate::consistency::Consistency::{self, DcQuorum, DcSafeQuorum};
use crate::mbuf::{Chain, Pool, Raw};
use crate::node::ids::{FrontId, Id, ReqId};
use crate::proto::Failure;
use crate::proto::redis::alike::Alike;

/// Something that happens to the request or to one of its legs.
#[derive(Clone, Copy, Debug)]
enum Event {
    /// A leg's reply comes.
    Reply(usize, &'static str),
    /// A leg is lost while it is in a queue.
    Loses(usize, Lost),
    /// The front closes, or has its answer.
    FrontLeaves,
}
use Event::*;

/// What comes of an event.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// Nothing yet.
    Waits,
    /// The request's answer.
    Answer(String),
    /// The leg's failure has to be its reply, or another leg has to be sent.
    Awaited,
    /// The leg is gone, and nothing waited for it.
    Freed,
    /// Its front had its answer when it timed out.
    Late,
}

/// Events, and what comes of each.
type Events<'a> = &'a [(Event, Outcome)];

struct Bench {
    flight: Flight,
    pool: Pool,
    request: ReqId,
    legs: Vec<ReqId>,
}

impl Bench {
    /// A client's request with so many legs, judged by `judge`.
    fn new(legs: u16, judge: impl FnOnce(&mut Flight) -> Judge) -> Bench {
        let mut flight = Flight::default();
        let waiter = Waiter::front(FrontId::client(0));
        let request = flight.insert(Msg::new(waiter, NO_COMMAND, 0, 0));
        let judge = judge(&mut flight);
        flight.give_judge(request, judge);
        let legs = (0..legs).map(|part| {
            let waiter = Waiter::Part(request, part);
            let mut msg = Msg::new(waiter, NO_COMMAND, 0, 0);
            msg.flags = Flags::QUEUED.with(Flags::WRITE);
            flight.insert(msg)
        });
        Bench {
            legs: legs.collect(),
            request,
            pool: Pool::new(512, 1 << 20),
            flight,
        }
    }

    fn happens(&mut self, event: Event) -> Outcome {
        match event {
            Reply(leg, text) => self.replies(self.legs[leg], text),
            Loses(leg, why) => match self.flight.lost(self.legs[leg], why) {
                Fate::Freed => Outcome::Freed,
                Fate::Awaited => Outcome::Awaited,
                Fate::Answered => Outcome::Late,
                Fate::Task(task) => panic!("{task:?} waits for no leg of a client"),
            },
            FrontLeaves => {
                self.flight.leave_front(self.request);
                Outcome::Waits
            }
        }
    }

    fn replies(&mut self, leg: ReqId, text: &str) -> Outcome {
        self.flight.leave_queue(leg);
        let part = self.flight.take_part(leg).expect("it comes once");
        let Some(part) = part else {
            return Outcome::Freed;
        };
        let mut reply = Chain::new();
        self.pool.copy(text.as_bytes(), &mut reply);
        let answer = self.flight.judge(part, StoreKind::Redis, Raw::from(&reply));
        match answer {
            None => Outcome::Waits,
            Some(answer) => {
                let bytes = match answer.failure {
                    Some(failure) => failure.line(StoreKind::Redis).as_bytes().to_vec(),
                    None => [answer.text.as_slice(), &answer.reply.to_vec()].concat(),
                };
                Outcome::Answer(String::from_utf8(bytes).unwrap())
            }
        }
    }

    /// Rows that are left.
    fn left(&self) -> usize {
        self.flight.msgs.len()
    }
}

fn quorum(level: Consistency, legs: u16) -> impl FnOnce(&mut Flight) -> Judge {
    move |flight| {
        let mut spare = flight.judges.spare();
        spare.dcs.extend((0..legs).map(|_| DcId::LOCAL));
        let rules = (Compare::Redis(Alike::Bytes), Lists::No);
        Judge::of_quorum(spare, 1, level, rules, None, false)
    }
}

fn answer(text: &str) -> Outcome {
    Outcome::Answer(text.to_owned())
}

#[test]
fn a_request_at_quorum_is_answered_once_and_its_rows_are_freed_by_the_last_leg() {
    use Outcome::{Awaited, Late, Waits};
    const OK: &str = "+OK\r\n";
    let failed = "-ERR lost\r\n";
    // Events and what comes of each; the rows that are left after all.
    let no_quorum = answer(Failure::NoQuorum.line(StoreKind::Redis));
    let rows: &[(Consistency, Events, usize)] = &[
        (
            DcQuorum,
            &[
                (Reply(0, OK), Waits),
                (Reply(1, OK), answer(OK)),
                (Reply(2, OK), Waits),
                (FrontLeaves, Waits),
            ],
            0,
        ),
        // The client has its answer and goes; the last leg is still in a queue.
        (
            DcQuorum,
            &[
                (Reply(2, OK), Waits),
                (Reply(0, OK), answer(OK)),
                (FrontLeaves, Waits),
            ],
            2,
        ),
        // The front closes before any reply: all legs are still awaited by the request's judge.
        (
            DcQuorum,
            &[
                (FrontLeaves, Waits),
                (Reply(0, OK), Waits),
                (Reply(1, OK), answer(OK)),
                (Reply(2, OK), Waits),
            ],
            0,
        ),
        // A leg that is lost is awaited: its failure is its reply.
        (
            DcQuorum,
            &[
                (Loses(0, Lost::Disconnected), Awaited),
                (Reply(0, failed), Waits),
                (Reply(1, OK), Waits),
                (Reply(2, OK), answer(OK)),
                (FrontLeaves, Waits),
            ],
            0,
        ),
        // It times out, which is its reply, and then its connection breaks.
        (
            DcQuorum,
            &[
                (Loses(0, Lost::TimedOut), Awaited),
                (Loses(0, Lost::TimedOut), Late),
                (Reply(1, OK), Waits),
                (Reply(2, OK), answer(OK)),
            ],
            2,
        ),
        // Three different answers.
        (
            DcSafeQuorum,
            &[
                (Reply(0, ":1\r\n"), Waits),
                (Reply(1, ":2\r\n"), Waits),
                (Reply(2, ":3\r\n"), no_quorum),
                (FrontLeaves, Waits),
            ],
            0,
        ),
    ];
    for (level, events, left) in rows {
        let mut bench = Bench::new(3, quorum(*level, 3));
        for (at, (event, outcome)) in events.iter().enumerate() {
            let came = bench.happens(*event);
            assert_eq!(&came, outcome, "{level:?}, event {at}: {events:?}");
            bench.flight.retire(bench.request);
        }
        assert_eq!(bench.left(), *left, "{level:?}: {events:?}");
    }
}

#[test]
fn the_last_part_of_a_join_gives_the_answer() {
    let mut bench = Bench::new(2, |_| Judge::joining(2, Join::Sum));
    assert_eq!(bench.happens(Reply(1, ":40\r\n")), Outcome::Waits);
    assert_eq!(bench.happens(Reply(0, ":2\r\n")), answer(":42\r\n"));
    assert!(bench.flight.judges.is_empty());
    assert!(!bench.flight.retire(bench.request), "its front waits");
    bench.happens(FrontLeaves);
    assert_eq!(bench.left(), 0);
}

#[test]
fn a_part_is_answered_once() {
    let mut bench = Bench::new(3, quorum(DcQuorum, 3));
    // It is still in a queue, as one that timed out.
    let leg = bench.legs[0];
    assert!(bench.flight.take_part(leg).unwrap().is_some());
    assert_eq!(bench.flight.take_part(leg), Err(AnsweredTwice));
}

#[test]
fn each_waiter_learns_of_a_loss_in_its_way() {
    let front = Waiter::front(FrontId::client(3));
    let task = Task::StoreProbe;
    // Waiter; what it learns; rows that are left: what waits for an answer stays.
    let rows = [
        (Waiter::Nobody, Fate::Freed, 0),
        (front, Fate::Awaited, 1),
        (Waiter::Part(ReqId::new(9), 0), Fate::Awaited, 1),
        (Waiter::Task(task), Fate::Task(task), 0),
    ];
    for (waiter, fate, left) in rows {
        for why in [Lost::Disconnected, Lost::Unreachable, Lost::NotSent] {
            let mut flight = Flight::default();
            let mut msg = Msg::new(waiter, NO_COMMAND, 0, 0);
            msg.flags = Flags::QUEUED;
            let leg = flight.insert(msg);
            assert_eq!(flight.lost(leg, why), fate, "{waiter:?}, {why:?}");
            assert_eq!(flight.msgs.len(), left, "{waiter:?}, {why:?}");
        }
    }
}

#[test]
fn a_row_is_freed_when_nothing_needs_it_and_not_before() {
    let mut flight = Flight::default();
    let mut msg = Msg::new(Waiter::front(FrontId::client(0)), NO_COMMAND, 0, 0);
    msg.flags = Flags::QUEUED.with(Flags::PARKED);
    let id = flight.insert(msg);
    assert!(!flight.retire(id), "its front waits");
    flight.leave_front(id);
    assert!(!flight.retire(id), "it is in a queue and parked");
    flight.leave_queue(id);
    assert!(!flight.retire(id), "it is parked");
    let msg = flight.get_mut(id).unwrap();
    msg.flags = msg.flags.without(Flags::PARKED);
    assert!(flight.retire(id));
    assert!(flight.get(id).is_none() && !flight.retire(id));
}
