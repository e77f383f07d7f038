use super::{ME, Rig};
use crate::node::Options;

const NOT_RUN: &str = "-ERR Dynomite: not run, because it follows a MULTI that was refused: transactions are not supported\r\n";

/// A connection that goes back to its pool, or a person who has read the answer.
#[test]
fn who_waits_after_a_refused_multi_is_served_again() {
    let mut rig = Rig::new(&["a d r 0"], Options::default());
    let client = rig.client();
    rig.asks(client, &["MULTI"]);
    rig.hears(client);
    rig.wait(900);
    rig.asks(client, &["SET k v"]);
    assert_eq!(rig.hears(client), NOT_RUN);
    rig.wait(1_000);
    rig.asks(client, &["SET k v"]);
    assert_eq!(rig.sees(ME), ["SET k v"]);
    rig.says(ME, "+OK\r\n");
    assert_eq!(rig.hears(client), "+OK\r\n");
    rig.assert_at_rest();
}

#[test]
fn who_goes_on_for_long_behind_a_refused_multi_is_closed() {
    let mut rig = Rig::new(&["a d r 0"], Options::default());
    let client = rig.client();
    rig.asks(client, &["MULTI"]);
    for _ in 0..10 {
        rig.hears(client);
        rig.wait(490);
        rig.asks(client, &["SET k v"]);
        assert_eq!(rig.hears(client), NOT_RUN);
    }
    assert!(rig.node.knows(client));
    rig.wait(490);
    rig.asks(client, &["SET k v"]);
    assert_eq!(rig.hears(client), NOT_RUN);
    assert!(!rig.node.knows(client));
    assert_eq!(rig.sees(ME), [""; 0]);
    rig.assert_at_rest();
}

/// It had been sent the refusal only now, behind the reply that took so long, and its next request was run.
#[test]
fn who_has_not_got_the_refusal_of_its_multi_is_not_silent() {
    let mut rig = Rig::new(&["a d r 0"], Options::default());
    let client = rig.client();
    rig.asks(client, &["GET k", "MULTI"]);
    rig.wait(2_000);
    rig.asks(client, &["SET k 1"]);
    rig.wait(2_000);
    assert_eq!(rig.sees(ME), ["GET k"]);
    rig.says(ME, "$-1\r\n");
    let replies = rig.hears(client);
    assert!(replies.ends_with(NOT_RUN), "{replies}");
    rig.asks(client, &["SET k 2"]);
    assert_eq!(rig.hears(client), NOT_RUN);
    rig.wait(1_000);
    rig.asks(client, &["SET k 3"]);
    assert_eq!(rig.sees(ME), ["SET k 3"]);
    rig.says(ME, "+OK\r\n");
    assert_eq!(rig.hears(client), "+OK\r\n");
    rig.assert_at_rest();
}

/// It was this node that did not read on.
#[test]
fn a_client_that_is_kept_waiting_is_not_silent() {
    let mut rig = Rig::new(&["a d r1 0", "b d r2 0"], Options::default());
    let client = rig.client();
    rig.asks(client, &["SPOP s", "SADD s x"]);
    rig.wait(2_000);
    rig.says(ME, "$-1\r\n");
    assert_eq!(rig.sees(ME), ["SADD s x"]);
    rig.says(ME, ":1\r\n");
    rig.says(1, ":1\r\n");
    rig.asks(client, &["SPOP s", "MULTI", "SADD s x"]);
    rig.wait(2_000);
    rig.says(ME, "$-1\r\n");
    rig.hears(client);
    rig.asks(client, &["SADD s x"]);
    assert_eq!(rig.hears(client), NOT_RUN);
    assert_eq!(rig.sees(ME), [""; 0]);
    rig.assert_at_rest();
}
