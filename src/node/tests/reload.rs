//! Settings that change while requests are under way.

use super::*;
use crate::consistency::Consistency;
use crate::proto::Class;
use std::time::Duration;

const ME: u16 = 0;
const FAR: u16 = 1;
const TWO_DCS: [&str; 2] = ["a d1 r 0", "b d2 r 0"];

#[test]
fn a_shorter_timeout_is_one_for_requests_under_way() {
    let mut rig = Rig::new(&["a d r 0"], Options::default());
    let client = rig.client();
    rig.asks(client, &["GET k"]);
    assert_eq!(rig.sees(ME), ["GET k"]);
    rig.wait(1000);
    assert_eq!(rig.hears(client), "");
    rig.node.operator().set_timeout(Duration::from_millis(1500));
    rig.wait(499);
    assert_eq!(rig.hears(client), "");
    rig.wait(1);
    assert!(rig.hears(client).starts_with("-ERR Storage"));
}

#[test]
fn a_longer_timeout_is_one_for_requests_under_way() {
    let mut rig = Rig::new(&["a d r 0"], Options::default());
    let client = rig.client();
    rig.asks(client, &["GET k"]);
    rig.node.operator().set_timeout(Duration::from_secs(8));
    rig.wait(7999);
    assert_eq!(rig.hears(client), "");
    rig.says(ME, "+late\r\n");
    assert_eq!(rig.hears(client), "+late\r\n");
}

#[test]
fn a_lower_rate_holds_and_a_higher_lets_go() {
    let mut rig = Rig::new(&TWO_DCS, Options::default());
    rig.node.operator().set_conn_msg_rate(1, rig.now);
    let client = rig.client();
    rig.asks(client, &["SET a 1", "SET b 1", "SET c 1"]);
    assert_eq!(rig.sees(FAR).len(), 1);
    rig.node.operator().set_conn_msg_rate(1000, rig.now);
    rig.wait(1);
    assert_eq!(rig.sees(FAR).len(), 2);
}

#[test]
fn limits_and_levels_are_for_what_comes_later() {
    let mut rig = Rig::new(&["a d r 0", "b d r2 0", "c d r3 0"], Options::default());
    let first = rig.client();
    let second = rig.client();
    rig.node.operator().set_client_connections(1);
    assert!(rig.node.accepted(Kind::Client, None, rig.now).is_err());
    let before = rig
        .node
        .operator()
        .set_consistency(Class::Write, Consistency::DcQuorum);
    assert_eq!(before, Consistency::DcOne);
    rig.asks(second, &["SET k v"]);
    rig.says(ME, "+OK\r\n");
    assert_eq!(rig.hears(second), "", "one of three is no quorum");
    rig.says(FAR, "+OK\r\n");
    assert_eq!(rig.hears(second), "+OK\r\n");
    rig.asks(first, &["GET k"]);
    rig.says(ME, "+v\r\n");
    assert_eq!(rig.hears(first), "+v\r\n", "reads are as they were");
}
