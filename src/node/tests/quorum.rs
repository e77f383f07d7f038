use super::{ME, Rig, THREE_RACKS, key_of};
use crate::consistency::Consistency::{self, DcEachSafeQuorum, DcOne, DcQuorum, DcSafeQuorum};
use crate::node::{Options, limits};
use crate::proto::dnode::Kind;

const NOT_CONNECTED: &str = "-ERR Peer: Peer Node is not connected\r\n";
const OK: &str = "+OK\r\n";

fn at(level: Consistency) -> Options {
    Options {
        read_consistency: level,
        write_consistency: level,
        ..Options::default()
    }
}

#[test]
fn racks_that_cannot_be_reached_are_errors_from_the_start() {
    for (level, line, reply) in [
        (DcQuorum, "GET k", "$-1\r\n"),
        (DcSafeQuorum, "SET k v", OK),
    ] {
        let mut rig = Rig::new(&THREE_RACKS, at(level));
        let client = rig.client();
        rig.loses(1);
        rig.asks(client, &[line]);
        rig.says(2, reply);
        assert_eq!(rig.hears(client), "");
        rig.says(ME, reply);
        assert_eq!(rig.hears(client), reply, "two of three");
        rig.loses(2);
        rig.asks(client, &[line]);
        assert_eq!(rig.hears(client), NOT_CONNECTED, "{line}");
        rig.says(ME, reply);
        rig.assert_at_rest();
    }
}

#[test]
fn an_error_that_a_majority_gives_is_the_answer() {
    let mut rig = Rig::new(&THREE_RACKS, at(DcSafeQuorum));
    let client = rig.client();
    rig.asks(client, &["INCR k"]);
    rig.says(1, "-ERR value is not an integer or out of range\r\n");
    rig.says(ME, ":1\r\n");
    assert_eq!(rig.hears(client), "");
    rig.says(2, "-ERR value is not an integer or out of range\r\n");
    assert_eq!(
        rig.hears(client),
        "-ERR value is not an integer or out of range\r\n"
    );
    let stats = rig.node.operator().stats(rig.now).pool;
    assert_eq!(stats.client_non_quorum_w_responses, 1);
    rig.assert_at_rest();
}

/// Of a key with a time limit, PTTL was an error nearly always: no two datastores answer in one millisecond.
#[test]
fn replies_that_each_replica_makes_for_itself_agree_if_they_are_of_one_kind() {
    const NO_QUORUM: &str = "-ERR Dynomite: Failed to achieve Quorum\r\n";
    let (a, b, nil) = ("$1\r\na\r\n", "$1\r\nb\r\n", "$-1\r\n");
    for (line, replies, answer) in [
        ("PTTL k", [":103\r\n", ":102\r\n", ":101\r\n"], ":103\r\n"),
        ("PTTL k", [":-2\r\n", ":102\r\n", ":101\r\n"], ":102\r\n"),
        ("TTL k", [":-2\r\n", ":-1\r\n", ":101\r\n"], NO_QUORUM),
        ("SRANDMEMBER k", [nil, a, b], a),
        ("SRANDMEMBER k", [nil, a, nil], nil),
        ("HRANDFIELD k", [a, b, nil], a),
        (
            "OBJECT IDLETIME k",
            [":0\r\n", ":7\r\n", ":9\r\n"],
            ":0\r\n",
        ),
        ("GET k", [nil, a, b], NO_QUORUM),
    ] {
        let mut rig = Rig::new(&THREE_RACKS, at(DcSafeQuorum));
        let client = rig.client();
        rig.asks(client, &[line]);
        for (node, reply) in [ME, 1, 2].into_iter().zip(replies) {
            rig.says(node, reply);
        }
        assert_eq!(rig.hears(client), answer, "{line} {replies:?}");
        rig.assert_at_rest();
    }
}

#[test]
fn every_datacenter_is_asked_rack_by_rack() {
    let members = ["a d r1 0", "b d r2 0", "x e q1 0", "y e q2 0"];
    for line in ["GET k", "SET k v"] {
        let mut rig = Rig::new(&members, at(DcEachSafeQuorum));
        let client = rig.client();
        rig.asks(client, &[line]);
        for node in 0..4 {
            assert_eq!(rig.sees(node), [line]);
            assert_eq!(rig.kinds(node), [Kind::Request]);
        }
        for node in 0..4 {
            assert_eq!(rig.hears(client), "");
            rig.says(node, OK);
        }
        assert_eq!(rig.hears(client), OK);
        rig.loses(3);
        rig.asks(client, &[line]);
        rig.says(ME, OK);
        rig.says(1, OK);
        rig.says(2, OK);
        assert_eq!(rig.hears(client), NOT_CONNECTED, "one of two is no quorum");
        rig.assert_at_rest();
    }
}

#[test]
fn a_client_that_leaves_leaves_nothing_behind() {
    // Judged, split, split and judged, joined: in each case the parts come in later.
    let members = ["a d r1 0", "b d r1 2147483648", "c d r2 0", "e d r3 0"];
    for level in [DcOne, DcQuorum, DcSafeQuorum, DcEachSafeQuorum] {
        let mut rig = Rig::new(&members, at(level));
        let client = rig.client();
        let (mine, foreign) = (key_of(&rig, ME), key_of(&rig, 1));
        rig.asks(
            client,
            &[
                &format!("GET {foreign}"),
                &format!("SET {mine} v"),
                &format!("MGET {mine} {foreign}"),
                &format!("DEL {mine} {foreign}"),
                "DBSIZE",
                "SCAN 0",
                "SCRIPT LOAD x",
            ],
        );
        rig.leaves(client);
        for node in 0..4 {
            while !rig.kinds(node).is_empty() {
                rig.says(node, ":1\r\n");
            }
        }
        rig.assert_at_rest();
    }
}

#[test]
fn a_long_pipeline_is_answered_in_its_order_whoever_is_first() {
    let mut rig = Rig::new(&THREE_RACKS, at(DcSafeQuorum));
    let client = rig.client();
    for _ in 0..32 {
        // It gets small replies, and may await many.
        rig.asks(client, &["SET k v"]);
        rig.says(1, OK);
        rig.says(2, OK);
    }
    rig.hears(client);
    let count = 3000;
    let lines: Vec<String> = (0..count)
        .map(|number| format!("SET k{number} v"))
        .collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    rig.asks(client, &lines);
    let mut expected = String::new();
    for number in 0..count {
        let reply = format!("+{number}\r\n");
        rig.says(2, &reply);
        expected += &reply;
    }
    assert_eq!(rig.hears(client), "");
    for number in 0..count {
        rig.says(1, &format!("+{number}\r\n"));
    }
    assert_eq!(rig.hears(client), expected);
    rig.loses(ME);
    rig.assert_at_rest();
}

#[test]
fn a_node_that_stops_waits_for_peers_to_take_their_copies() {
    let mut rig = Rig::new(&THREE_RACKS, at(DcOne));
    let client = rig.client();
    rig.asks(client, &["SET k v"]);
    rig.node.drain(rig.now);
    rig.says(ME, OK);
    assert_eq!(rig.hears(client), OK);
    assert!(!rig.node.is_drained());
    rig.says(1, OK);
    rig.says(2, OK);
    assert!(rig.node.is_drained());
    // Not for ever.
    let mut rig = Rig::new(&THREE_RACKS, at(DcOne));
    let client = rig.client();
    rig.asks(client, &["SET k v"]);
    rig.node.drain(rig.now);
    rig.says(ME, OK);
    rig.wait(limits::DRAIN_US / 1000 - 1);
    assert!(!rig.node.is_drained());
    rig.wait(1);
    assert!(rig.node.is_drained());
}

/// The message of the refused owner is gone before the copies for the others are made.
#[test]
fn a_write_that_a_c_node_cannot_take_still_reaches_the_other_racks() {
    let members = ["a d r1 0", "b d r1 2147483648", "c d r2 0"];
    let mut rig = Rig::beside(&members, &[1], at(DcOne));
    let client = rig.client();
    // Longer than any key that the original takes, and owned by the C node in this rack.
    let key = (0..)
        .map(|n| format!("{n}{}", "k".repeat(16_400)))
        .find(|key| !rig.node.topology.is_mine(rig.node.token(key.as_bytes())))
        .unwrap();
    rig.asks(client, &[&format!("SET {key} v")]);
    let reply = rig.hears(client);
    assert!(reply.starts_with("-ERR Dynomite: key is"), "{reply}");
    assert_eq!(rig.sees(1), [""; 0]);
    assert_eq!(rig.sees(2).len(), 1);
    rig.says(2, OK);
    rig.assert_at_rest();
}
