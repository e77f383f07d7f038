use super::{ME, Rig, THREE_RACKS, key_of};
use crate::node::Options;

const VALUE: &str = "$1\r\nv\r\n";

#[test]
fn a_read_lost_with_its_connection_is_answered_by_the_next_rack() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    rig.asks(client, &["GET k", "GET l"]);
    assert_eq!(rig.sees(ME), ["GET k", "GET l"]);
    rig.loses(ME);
    assert_eq!(rig.sees(1), ["GET k", "GET l"]);
    rig.loses(1);
    assert_eq!(rig.sees(2), ["GET k", "GET l"]);
    assert_eq!(rig.hears(client), "");
    rig.says(2, VALUE);
    rig.says(2, "$-1\r\n");
    assert_eq!(rig.hears(client), format!("{VALUE}$-1\r\n"));
    assert_eq!(rig.node.operator().stats(rig.now).own.read_failovers, 4);
    rig.assert_at_rest();
}

#[test]
fn with_no_rack_left_the_client_gets_the_error() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    rig.asks(client, &["GET k"]);
    for node in [ME, 1, 2] {
        rig.loses(node);
    }
    assert_eq!(
        rig.hears(client),
        "-ERR Peer: Peer Node refused connection\r\n"
    );
    rig.assert_at_rest();
}

#[test]
fn only_reads_at_dc_one_that_any_rack_may_answer_are_sent_again() {
    for (lines, off) in [
        (&["SET k v"][..], false),
        (&["INCR k"], false),
        (&["HSCAN k 0"], false),
        (&["PING"], false),
        (&["GET k"], true),
    ] {
        let options = Options {
            read_failover: !off,
            ..Options::default()
        };
        let mut rig = Rig::new(&THREE_RACKS, options);
        let client = rig.client();
        rig.asks(client, lines);
        rig.sees(1);
        rig.loses(ME);
        assert_eq!(
            rig.hears(client),
            "-ERR Storage: Datastore refused connection\r\n",
            "{lines:?}"
        );
        assert_eq!(rig.sees(1), [""; 0], "{lines:?}");
    }
}

#[test]
fn a_read_that_takes_too_long_goes_on_for_what_is_left_of_its_time() {
    let options = Options {
        timeout_us: 500_000,
        ..Options::default()
    };
    let mut rig = Rig::new(&THREE_RACKS, options);
    let client = rig.client();
    rig.asks(client, &["GET k"]);
    rig.wait(499);
    assert_eq!(rig.sees(1), [""; 0]);
    rig.wait(1);
    assert_eq!(rig.sees(1), ["GET k"]);
    // The peer is granted 200 ms more than the datastore, since the request came in.
    rig.wait(199);
    assert_eq!(rig.hears(client), "");
    rig.wait(1);
    assert_eq!(
        rig.hears(client),
        "-ERR Peer: Peer Node refused connection\r\n"
    );
    // Late replies go nowhere.
    rig.says(1, VALUE);
    rig.says(ME, VALUE);
    assert_eq!(rig.hears(client), "");
    rig.assert_at_rest();
}

#[test]
fn a_second_attempt_behind_younger_requests_is_given_up_in_time() {
    let members = ["a d r1 0", "b d r2 0"];
    let options = Options {
        timeout_us: 500_000,
        ..Options::default()
    };
    let mut rig = Rig::new(&members, options);
    let (client, other) = (rig.client(), rig.client());
    rig.asks(client, &["GET old"]);
    rig.wait(300);
    rig.asks(
        other,
        &["dyno_config:conn_consistency dc_quorum", "GET young"],
    );
    rig.hears(other);
    rig.wait(200);
    assert_eq!(rig.sees(1), ["GET young", "GET old"]);
    rig.wait(200);
    assert_eq!(
        rig.hears(client),
        "-ERR Peer: Peer Node refused connection\r\n"
    );
    rig.says(1, VALUE);
    assert_eq!(rig.hears(other), "");
    rig.says(ME, VALUE);
    rig.says(ME, VALUE);
    assert_eq!(rig.hears(other), VALUE);
    rig.says(1, VALUE);
    rig.assert_at_rest();
}

/// The check of the bookkeeping looked for its time among those of other requests only.
#[test]
fn a_second_attempt_is_given_up_in_time_once_a_younger_request_before_it_is_answered() {
    let options = Options {
        timeout_us: 500_000,
        ..Options::default()
    };
    let mut rig = Rig::new(&["a d r1 0", "b d r2 0"], options);
    let (client, other) = (rig.client(), rig.client());
    rig.asks(client, &["GET old"]);
    rig.wait(300);
    let level = "dyno_config:conn_consistency dc_quorum";
    rig.asks(other, &[level, "GET young"]);
    rig.wait(200);
    assert_eq!(rig.sees(1), ["GET young", "GET old"]);
    rig.says(1, VALUE);
    rig.node.check().unwrap();
    rig.wait(199);
    assert_eq!(rig.hears(client), "");
    rig.wait(1);
    assert_eq!(
        rig.hears(client),
        "-ERR Peer: Peer Node refused connection\r\n"
    );
    rig.node.check().unwrap();
}

/// It was given up with the one before it, which had more time left.
#[test]
fn a_second_attempt_is_given_up_in_time_behind_one_that_is_due_later() {
    let members = ["a d r1 0", "b d r1 2147483648", "c d r2 0"];
    let options = Options {
        timeout_us: 500_000,
        ..Options::default()
    };
    let mut rig = Rig::new(&members, options);
    let (old, young) = (rig.client(), rig.client());
    let (of_a, of_b) = (key_of(&rig, ME), key_of(&rig, 1));
    rig.asks(old, &[&format!("GET {of_a}")]);
    rig.wait(300);
    rig.asks(young, &[&format!("GET {of_b}")]);
    rig.loses(1);
    rig.loses(ME);
    let both = [format!("GET {of_b}"), format!("GET {of_a}")];
    assert_eq!(rig.sees(2), both);
    let error = "-ERR Peer: Peer Node refused connection\r\n";
    // Each is granted 700 ms since it came in.
    rig.wait(400);
    assert_eq!(
        (rig.hears(old), rig.hears(young)),
        (error.into(), String::new())
    );
    rig.wait(300);
    assert_eq!(rig.hears(young), error);
    rig.says(2, VALUE);
    rig.says(2, VALUE);
    rig.assert_at_rest();
}

#[test]
fn a_peer_without_its_datastore_is_passed_over() {
    // The key belongs to b, and in the other rack to c.
    let members = ["a d r1 0", "b d r1 2147483648", "c d r2 0"];
    let mut rig = Rig::new(&members, Options::default());
    let client = rig.client();
    let key = key_of(&rig, 1);
    rig.asks(client, &[&format!("GET {key}")]);
    rig.says(1, "-ERR Storage: Datastore refused connection\r\n");
    assert_eq!(rig.sees(2), [format!("GET {key}")]);
    rig.says(2, VALUE);
    assert_eq!(rig.hears(client), VALUE);
    // An answer that is an error is an answer.
    rig.asks(client, &[&format!("GET {key}")]);
    rig.says(1, "-WRONGTYPE no string\r\n");
    assert_eq!(rig.hears(client), "-WRONGTYPE no string\r\n");
    rig.assert_at_rest();
}

#[test]
fn pieces_of_a_split_request_are_sent_again_too() {
    let members = ["a d r1 0", "b d r1 2147483648", "c d r2 0"];
    let mut rig = Rig::new(&members, Options::default());
    let client = rig.client();
    let (mine, foreign) = (key_of(&rig, ME), key_of(&rig, 1));
    rig.asks(client, &[&format!("MGET {mine} {foreign} {mine}")]);
    rig.says(ME, "*2\r\n$1\r\n1\r\n$1\r\n3\r\n");
    rig.loses(1);
    rig.says(2, "*1\r\n$1\r\n2\r\n");
    assert_eq!(rig.hears(client), "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n");
    rig.assert_at_rest();
}

#[test]
fn nobody_asks_again_for_a_client_that_has_left() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    rig.asks(client, &["GET k"]);
    rig.loses(ME);
    rig.leaves(client);
    rig.loses(1);
    assert_eq!(rig.sees(2), [""; 0]);
    rig.assert_at_rest();
}
