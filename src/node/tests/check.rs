//! That a request is answered once and expires once, and that a node's bookkeeping is looked through.

use super::memcache::at;
use super::{ME, Rig, THREE_RACKS};
use crate::consistency::Consistency::DcOne;
use crate::node::flight::waiter::Waiter;
use crate::node::front::Reading;
use crate::node::ids::{FrontId, Id, SlotId};
use crate::node::msg::{Flags, Msg};
use crate::node::outbox::Outbox;
use crate::node::timers::Timer;
use crate::node::upstream::State;
use crate::node::{Node, Options};

const TWO_RACKS: [&str; 2] = ["a d r1 0", "b d r2 0"];
const STORAGE: &str = "SERVER_ERROR Storage: Datastore refused connection\r\n";
const REFUSED: &str = "SERVER_ERROR Peer: Peer Node refused connection\r\n";

fn patient(timeout_ms: u64) -> Options {
    Options {
        timeout_us: timeout_ms * 1000,
        ..at(DcOne)
    }
}

/// A read of versions goes on to the next rack at half of its time; when the time of the one before it was
/// over, it expired a second time, and its error was appended to the answer that waited in line.
#[test]
fn a_read_that_was_given_up_early_does_not_expire_again() {
    let mut rig = Rig::new(&TWO_RACKS, patient(1000));
    let client = rig.client();
    rig.asks(
        client,
        &["get k", "gets k", "get other", "incr counter 1", "mn"],
    );
    rig.wait(500);
    assert_eq!(rig.sees(1), ["incr counter 1", "gets k"]);
    // Its answer has to wait for that to `get k`.
    rig.says(1, "5\r\n");
    rig.says(1, "END\r\n");
    assert_eq!(rig.hears(client), "");
    rig.wait(500);
    assert_eq!(rig.sees(1), ["get k", "get other"]);
    rig.node.check().unwrap();
    rig.says(1, "END\r\n");
    rig.says(1, "VALUE other 0 1\r\nx\r\nEND\r\n");
    let answers = [
        "END\r\n",
        "END\r\n",
        "VALUE other 0 1\r\nx\r\nEND\r\n",
        STORAGE,
        "MN\r\n",
    ];
    assert_eq!(rig.hears(client), answers.concat());
    let stats = rig.node.operator().stats(rig.now);
    assert_eq!(stats.own.requests_timedout, 4);
    // Late replies are nobody's.
    for reply in ["END\r\n", "END\r\n", "END\r\n", "5\r\n"] {
        rig.says(ME, reply);
    }
    assert_eq!(rig.hears(client), "");
    rig.node.check().unwrap();
    rig.assert_at_rest();
    // Nothing is overdue that could make the idle connection look dead.
    rig.wait(60_000);
    rig.asks(client, &["get k"]);
    assert_eq!(rig.sees(ME), ["get k"]);
}

/// The same when nobody is left to be asked.
#[test]
fn each_of_several_requests_gets_one_error() {
    let mut rig = Rig::new(&TWO_RACKS, patient(1000));
    let client = rig.client();
    rig.asks(client, &["get k", "gets k", "get other", "mn"]);
    for _ in 0..6 {
        rig.wait(250);
        rig.node.check().unwrap();
    }
    let errors = rig.hears(client);
    let lines: Vec<&str> = errors.split_inclusive('\n').collect();
    assert_eq!(lines.len(), 4, "{errors}");
    assert!(
        lines[..3]
            .iter()
            .all(|line| [STORAGE, REFUSED].contains(line)),
        "{errors}"
    );
    assert_eq!(lines[3], "MN\r\n");
}

/// What would put replies out of step is left undone, counted and reported.
#[test]
fn a_second_answer_goes_nowhere_and_is_counted() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    rig.asks(client, &["GET a", "GET b"]);
    let key = FrontId::of(client);
    let entry = rig.node.fronts.get(key).unwrap().queue.tail().unwrap();
    let now = rig.now;
    rig.node.finish(entry, now, b"+first\r\n");
    assert!(rig.node.check().is_ok());
    rig.node.finish(entry, now, b"+second\r\n");
    assert_eq!(rig.node.operator().stats(now).own.contradictions, 1);
    assert!(rig.node.check().is_err());
    rig.says(ME, "$1\r\na\r\n");
    assert_eq!(rig.hears(client), "$1\r\na\r\n+first\r\n");
}

#[test]
fn a_second_expiry_goes_nowhere_and_is_counted() {
    let mut rig = Rig::new(&["a d r1 0"], Options::default());
    let client = rig.client();
    rig.asks(client, &["GET a"]);
    let entry = rig.node.upstreams[0].queue.head().unwrap();
    let now = rig.now;
    for _ in 0..2 {
        rig.node.expire_one(SlotId::new(0), entry, 1, now);
    }
    rig.turn();
    assert_eq!(
        rig.hears(client),
        "-ERR Storage: Datastore refused connection\r\n"
    );
    let own = rig.node.operator().stats(now).own;
    assert_eq!((own.contradictions, own.requests_timedout), (1, 1));
}

#[test]
fn a_request_is_not_put_into_two_queues() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    rig.asks(client, &["GET a"]);
    let entry = rig.node.upstreams[0].queue.head().unwrap();
    let now = rig.now;
    rig.node
        .put_upstream(SlotId::new(1), entry, now, crate::mbuf::Raw::EMPTY);
    assert_eq!(rig.node.operator().stats(now).own.contradictions, 1);
    assert!(rig.node.upstreams[1].queue.is_empty());
}

/// One figure that is wrong: what it is, and how it becomes so.
type Wrong = (&'static str, fn(&mut Node));

/// Each figure that stands beside a queue is compared with it.
#[test]
fn every_wrong_figure_is_found() {
    let cases: &[Wrong] = &[
        ("messages have expired", |node| {
            node.upstreams[0].overdue[0].count += 1;
        }),
        ("are due next", |node| node.upstreams[0].due[0] = None),
        ("are due next", |node| {
            node.upstreams[0].due[1] = node.upstreams[0].due[0];
        }),
        ("bytes queued", |node| node.upstreams[0].written += 1),
        ("bytes queued", |node| node.upstreams[0].out.clear()),
        ("before", |node| node.timers.stop(Timer::Upstreams)),
        ("Members is needed: false", |node| {
            node.timers.set(Timer::Members, 1);
        }),
        ("no timer", |node| node.timers.set(Timer::ParkedWrites, 1)),
        ("in no list", |node| {
            node.upstreams[1].flush(&mut Outbox::default());
        }),
        ("in no list", |node| {
            let front = &mut node.fronts.clients[0].front;
            front.flush(&mut Outbox::default());
        }),
        ("bytes of replies", |node| {
            node.fronts.clients[0].front.waiting += 1;
        }),
        ("lets it go on", |node| {
            node.fronts.clients[0].front.reading = Reading::Full;
        }),
        ("lets it go on", |node| {
            node.fronts.clients[0].front.reading = Reading::Waiting;
        }),
        ("lets it go on", |node| {
            node.fronts.clients[0].front.reading = Reading::Ordered;
        }),
        ("messages are sent", |node| {
            let mut msg = Msg::new(Waiter::front(FrontId::client(0)), 0, 0, 0);
            msg.flags = Flags::QUEUED;
            node.flight.insert(msg);
        }),
        ("are awaited", |node| {
            let front = Waiter::front(FrontId::client(0));
            node.flight.insert(Msg::new(front, 0, 0, 0));
        }),
        ("is a part of none", |node| {
            let parent = node.upstreams[0].queue.head().unwrap();
            let msg = Msg::new(Waiter::Part(parent, 0), 0, 0, 0);
            node.flight.insert(msg);
        }),
        ("nobody needs", |node| {
            node.flight.insert(Msg::new(Waiter::Nobody, 0, 0, 0));
        }),
        ("is not marked as queued", |node| {
            let entry = node.upstreams[0].queue.head().unwrap();
            let msg = node.flight.get_mut(entry).unwrap();
            msg.flags = msg.flags.without(Flags::QUEUED);
        }),
        ("are shown", |node| node.stats.pool.client_connections += 1),
        ("are shown", |node| {
            node.upstreams[1].state = State::Handshake
        }),
        ("messages have expired", Node::miscount),
        ("by itself", |node| node.contradiction("a test")),
    ];
    for (number, (wanted, wrong)) in cases.iter().enumerate() {
        let mut rig = Rig::new(&TWO_RACKS, Options::default());
        let client = rig.client();
        rig.deaf.push(rig.node.upstreams[0].id);
        rig.asks(client, &["GET a", "GET b", "GET c"]);
        rig.node.check().unwrap();
        wrong(&mut rig.node);
        let found = rig.node.check().unwrap_err();
        assert!(found.contains(wanted), "case {number}: {found}");
    }
}
