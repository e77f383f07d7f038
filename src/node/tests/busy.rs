use super::{ME, Rig, THREE_RACKS};
use crate::node::Options;
use crate::node::side::IDLE_US;

const EVAL: &str = "EVAL loop 1 k";
const BUSY: &str =
    "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN NOSAVE.\r\n";
const REFUSED: &str = "-ERR Storage: Datastore refused connection\r\n";
const ALONE: [&str; 1] = ["a d r1 0"];
/// The place of the second connection of a node with one connection to its datastore and no peers.
const SIDE: u32 = 1;

/// A node whose datastore runs a script and is asked whether it is busy.
fn asked(options: Options) -> (Rig, super::ConnId) {
    let mut rig = Rig::new(&ALONE, options);
    let client = rig.client();
    rig.asks(client, &[EVAL]);
    rig.wait(1000);
    assert_eq!(rig.sees_at(SIDE), ["PING"]);
    (rig, client)
}

/// `SCRIPT KILL` stood in the queue behind the script that it was to end.
#[test]
fn what_ends_a_script_does_not_wait_behind_it() {
    for line in ["SCRIPT KILL", "FUNCTION KILL", "FUNCTION STATS"] {
        let mut rig = Rig::new(&ALONE, Options::default());
        let [client, operator] = [rig.client(), rig.client()];
        rig.asks(client, &[EVAL]);
        rig.asks(operator, &[line]);
        assert_eq!(rig.sees(ME), [EVAL]);
        assert_eq!(rig.sees_at(SIDE), [line]);
        rig.says_at(SIDE, "+OK\r\n");
        assert_eq!(rig.hears(operator), "+OK\r\n", "{line}");
        rig.says(ME, "-ERR killed\r\n");
        assert_eq!(rig.hears(client), "-ERR killed\r\n");
        rig.assert_at_rest();
    }
}

/// Whoever waited behind a script was told that the connection was refused, and the connection was closed.
#[test]
fn others_get_busy_while_a_script_runs_and_the_connection_lives() {
    let (mut rig, client) = asked(Options::default());
    let other = rig.client();
    rig.asks(other, &["SET a 1"]);
    assert_eq!(rig.sees(ME), [EVAL, "SET a 1"]);
    rig.says_at(SIDE, BUSY);
    // One that comes now is not sent at all.
    let third = rig.client();
    rig.asks(third, &["INCR b", "SCRIPT KILL"]);
    assert_eq!(rig.sees(ME), [""; 0]);
    assert_eq!(rig.hears(third), BUSY);
    assert_eq!(rig.sees_at(SIDE), ["SCRIPT KILL"]);
    rig.says_at(SIDE, "-UNKILLABLE x\r\n");
    assert_eq!(rig.hears(third), "-UNKILLABLE x\r\n");
    for _ in 0..60 {
        rig.wait(500);
        if !rig.sees_at(SIDE).is_empty() {
            rig.says_at(SIDE, BUSY);
        }
    }
    // The one that was sent in time gets it when its time is over; the script is only late.
    assert_eq!(rig.hears(other), BUSY);
    assert_eq!(rig.hears(client), REFUSED);
    rig.says(ME, "$4\r\nlate\r\n");
    rig.says(ME, "+OK\r\n");
    rig.asks(third, &["GET b"]);
    assert_eq!(rig.sees(ME), ["GET b"]);
    rig.says(ME, "$-1\r\n");
    assert_eq!(rig.hears(third), "$-1\r\n");
    rig.assert_at_rest();
}

#[test]
fn nothing_changes_while_the_datastore_does_not_say_that_it_is_busy() {
    for reply in [
        Some("+PONG\r\n"),
        Some("-NOAUTH x\r\n"),
        Some("-BUSYKEY x\r\n"),
        None,
    ] {
        let (mut rig, client) = asked(Options::default());
        if let Some(reply) = reply {
            rig.says_at(SIDE, reply);
        }
        let other = rig.client();
        rig.asks(other, &["GET a"]);
        assert_eq!(rig.sees(ME), [EVAL, "GET a"], "{reply:?}");
        for _ in 0..30 {
            rig.wait(1000);
        }
        assert_eq!(rig.hears(other), REFUSED, "{reply:?}");
        assert_eq!(rig.hears(client), REFUSED, "{reply:?}");
    }
}

#[test]
fn the_end_of_the_second_connection_ends_what_it_said() {
    let (mut rig, _) = asked(Options::default());
    rig.says_at(SIDE, BUSY);
    let datastore = |rig: &mut Rig| {
        let checks = rig.node.operator().checks();
        let check = checks.into_iter().find(|check| check.name == "datastore");
        check.and_then(|check| check.trouble).unwrap_or_default()
    };
    assert!(
        datastore(&mut rig).contains("BUSY"),
        "{}",
        datastore(&mut rig)
    );
    rig.loses_at(SIDE);
    assert_eq!(datastore(&mut rig), "");
    let other = rig.client();
    rig.asks(other, &["GET a"]);
    assert_eq!(rig.hears(other), "");
    assert_eq!(rig.sees(ME), [EVAL, "GET a"]);
    // It is asked again on a new one.
    rig.wait(1000);
    assert_eq!(rig.sees_at(SIDE), ["PING"]);
    rig.says_at(SIDE, BUSY);
    rig.asks(other, &["GET a"]);
    assert_eq!(rig.sees(ME), [""; 0]);
}

#[test]
fn the_second_connection_is_there_only_while_it_is_used() {
    let mut rig = Rig::new(&ALONE, Options::default());
    let client = rig.client();
    rig.asks(client, &["GET a", "EVAL quick 1 k"]);
    rig.says(ME, "$-1\r\n");
    rig.says(ME, ":1\r\n");
    rig.wait(5000);
    assert_eq!(
        rig.node.sockets()[2],
        1,
        "a script that is quick needs none"
    );
    rig.asks(client, &["SCRIPT KILL"]);
    assert_eq!(rig.node.sockets()[2], 2);
    rig.says_at(SIDE, "-NOTBUSY x\r\n");
    assert_eq!(
        rig.node.operator().stats(rig.now).own.datastore_connections,
        1,
        "clients cannot be served on it"
    );
    rig.wait(IDLE_US / 1000);
    assert!(!rig.node.knows(rig.conn_at(SIDE)), "it is closed");
    rig.asks(client, &["SCRIPT KILL"]);
    rig.says_at(SIDE, "+OK\r\n");
    assert!(rig.hears(client).ends_with(":1\r\n-NOTBUSY x\r\n+OK\r\n"));
    rig.assert_at_rest();
}

#[test]
fn a_read_goes_to_another_rack_while_a_script_runs_in_this_one() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    rig.asks(client, &[EVAL]);
    rig.says(1, ":1\r\n");
    rig.says(2, ":1\r\n");
    rig.wait(1000);
    let side = rig.node.upstreams.side().unwrap().key();
    assert_eq!(rig.sees_at(side), ["PING"]);
    rig.says_at(side, BUSY);
    let other = rig.client();
    rig.asks(other, &["GET a"]);
    assert_eq!(rig.sees(1), ["GET a"]);
    rig.says(1, "$1\r\n1\r\n");
    assert_eq!(rig.hears(other), "$1\r\n1\r\n");
    // A peer whose datastore is busy is passed over too.
    rig.asks(other, &["GET a"]);
    rig.says(1, BUSY);
    assert_eq!(rig.sees(2), ["GET a"]);
    rig.says(2, "$1\r\n2\r\n");
    assert_eq!(rig.hears(other), "$1\r\n2\r\n");
    rig.asks(other, &["SET a 1"]);
    assert_eq!(rig.hears(other), BUSY);
}

/// The members may change while it is there.
#[test]
fn the_second_connection_outlives_a_change_of_members() {
    let mut rig = Rig::new(&ALONE, Options::default());
    let client = rig.client();
    rig.asks(client, &["SCRIPT KILL"]);
    rig.node
        .operator()
        .set_members(vec![super::member("b d r2 0")], rig.now)
        .unwrap();
    rig.turn();
    rig.wait(3000);
    rig.says_at(SIDE, "+OK\r\n");
    assert_eq!(rig.hears(client), "+OK\r\n");
    rig.asks(client, &["FUNCTION STATS"]);
    assert_eq!(rig.sees_at(SIDE), ["FUNCTION STATS"]);
}

/// `NOTBUSY` of a node that runs nothing hid what the node said that runs the script.
#[test]
fn of_all_nodes_the_one_that_runs_the_script_is_heard() {
    const OK: &str = "+OK\r\n";
    const NOTBUSY: &str = "-NOTBUSY No scripts in execution right now.\r\n";
    const UNKILLABLE: &str = "-UNKILLABLE Sorry the script already executed write commands\r\n";
    for (replies, expected) in [
        ([NOTBUSY, NOTBUSY, OK], OK),
        ([OK, NOTBUSY, NOTBUSY], OK),
        ([UNKILLABLE, OK, NOTBUSY], OK),
        ([NOTBUSY; 3], NOTBUSY),
        ([NOTBUSY, UNKILLABLE, NOTBUSY], UNKILLABLE),
        ([REFUSED, NOTBUSY, UNKILLABLE], UNKILLABLE),
        ([NOTBUSY, REFUSED, NOTBUSY], REFUSED),
    ] {
        let mut rig = Rig::new(&THREE_RACKS, Options::default());
        let client = rig.client();
        rig.asks(client, &["SCRIPT KILL"]);
        let side = rig.node.upstreams.side().unwrap().key();
        assert_eq!(rig.sees_at(side), ["SCRIPT KILL"]);
        rig.says_at(side, replies[0]);
        for (node, reply) in (1..).zip(&replies[1..]) {
            assert_eq!(rig.sees(node), ["SCRIPT KILL"]);
            rig.says(node, reply);
        }
        assert_eq!(rig.hears(client), expected, "{replies:?}");
        rig.assert_at_rest();
    }
}
