use super::*;
use crate::admin::conn::tests::{Wire, at, here, node};
use crate::admin::conn::{IDLE_US, REQUEST_US};

const PING: &[u8] = b"GET /ping HTTP/1.1\r\n\r\n";

fn ping(admin: &mut Admin, id: ConnId, now: Now) -> Outcome {
    let mut wire = Wire::new(&[PING], false);
    let outcome = admin.drive(id, now, &mut wire, &mut node());
    assert_eq!(wire.answers(), [(200, "OK\r\n".to_owned())]);
    outcome
}

#[test]
fn any_number_of_silent_connections_leaves_room_for_a_request() {
    let mut admin = Admin::new();
    let mut now = 0;
    let polite = admin.accepted(here(), at(now)).id;
    assert_eq!(ping(&mut admin, polite, at(now)), Outcome::Wait);
    let mut silent = Vec::new();
    for _ in 0..3 * MAX_CONNS {
        now += 1;
        let Admission { id, evicted } = admin.accepted(here(), at(now));
        silent.push(id);
        if silent.len() < MAX_CONNS {
            assert_eq!(evicted, None);
        } else {
            assert_eq!(
                evicted,
                Some(silent[silent.len() - MAX_CONNS]),
                "the longest silent one goes"
            );
        }
        assert!(admin.len() <= MAX_CONNS);
    }
    assert_eq!(
        ping(&mut admin, *silent.last().unwrap(), at(now)),
        Outcome::Wait
    );
    assert_eq!(
        ping(&mut admin, polite, at(now)),
        Outcome::Wait,
        "one that had asked was kept"
    );
}

#[test]
fn idle_connections_make_room_when_all_have_asked() {
    let mut admin = Admin::new();
    let ids: Vec<ConnId> = (0..MAX_CONNS as u64)
        .map(|now| {
            let id = admin.accepted(here(), at(now)).id;
            ping(&mut admin, id, at(now));
            id
        })
        .collect();
    ping(&mut admin, ids[0], at(1000));
    assert_eq!(admin.accepted(here(), at(1001)).evicted, Some(ids[1]));
}

#[test]
fn a_forgotten_id_never_reaches_another_connection() {
    let mut admin = Admin::new();
    let first = admin.accepted(here(), at(0)).id;
    admin.closed(first);
    let second = admin.accepted(here(), at(0)).id;
    assert_ne!(first, second);
    assert_eq!(
        admin.receive(first, at(0), &mut Wire::new(&[PING], false), &mut node()),
        Outcome::Close
    );
    assert_eq!(
        admin.transmit(first, at(0), &mut Wire::new(&[], false)),
        Outcome::Close
    );
    assert!(!admin.wants_write(first));
    admin.closed(first);
    assert_eq!(ping(&mut admin, second, at(0)), Outcome::Wait);
}

#[test]
fn time_ends_what_says_nothing() {
    let mut admin = Admin::new();
    assert_eq!(admin.next_deadline(), None);
    let silent = admin.accepted(here(), at(0)).id;
    let idle = admin.accepted(here(), at(10)).id;
    ping(&mut admin, idle, at(10));
    assert_eq!(admin.next_deadline(), Some(REQUEST_US));
    assert_eq!(admin.tick(at(REQUEST_US - 1)), []);
    assert_eq!(admin.tick(at(REQUEST_US)), [silent]);
    assert_eq!(admin.next_deadline(), Some(10 + IDLE_US));
    assert_eq!(admin.tick(at(10 + IDLE_US)), [idle]);
    assert_eq!((admin.next_deadline(), admin.is_empty()), (None, true));
}

#[test]
fn closing_forgets_the_connection() {
    let mut admin = Admin::new();
    let id = admin.accepted(here(), at(0)).id;
    let mut wire = Wire::new(&[b"GET /ping HTTP/1.0\r\n\r\n"], false);
    assert_eq!(
        admin.drive(id, at(0), &mut wire, &mut node()),
        Outcome::Close
    );
    assert!(admin.is_empty());
}

#[test]
fn a_client_that_sends_without_end_gives_others_their_turn() {
    let mut admin = Admin::new();
    let id = admin.accepted(here(), at(0)).id;
    let flood = vec![b'x'; 8 << 20];
    let mut wire = Wire::new(&[&flood], false);
    assert_eq!(
        admin.drive(id, at(0), &mut wire, &mut node()),
        Outcome::Again
    );
    assert_eq!(wire.answers()[0].0, 414);
    while admin.drive(id, at(0), &mut wire, &mut node()) == Outcome::Again {}
    assert!(admin.is_empty(), "draining has an end");
}
