use super::{ME, Rig, member_count};
use crate::node::Options;
use crate::proto::dnode::Kind;

/// Three nodes in this rack, the second of which has the lowest token, one in another, and one in
/// another datacenter.
const CLUSTER: [&str; 5] = [
    "a d r1 2000",
    "b d r1 1000",
    "c d r1 3000",
    "x d r2 0",
    "y e q1 0",
];
const NOT_CONNECTED: &str = "-ERR Peer: Peer Node is not connected\r\n";

fn flushing() -> Options {
    Options {
        enable_flush: true,
        ..Options::default()
    }
}

/// Asks, and lets each node of the first list answer; returns what the client gets. The second list
/// is of nodes whose answer nobody waits for.
#[track_caller]
fn answer(rig: &mut Rig, line: &str, replies: &[(u16, &str)], unawaited: &[u16]) -> String {
    let client = rig.client();
    rig.asks(client, &[line]);
    let asked: Vec<u16> = (0..member_count(rig))
        .filter(|node| !rig.kinds(*node).is_empty())
        .collect();
    let mut expected: Vec<u16> = replies.iter().map(|(node, _)| *node).collect();
    expected.extend(unawaited);
    expected.sort_unstable();
    assert_eq!(asked, expected, "{line}");
    for (node, reply) in replies {
        assert_eq!(rig.sees(*node), [line]);
        assert_eq!(rig.kinds(*node), [Kind::Request]);
        rig.says(*node, reply);
    }
    let heard = rig.hears(client);
    for node in unawaited {
        assert_eq!(rig.sees(*node), [line]);
        rig.says(*node, "+OK\r\n");
    }
    assert_eq!(rig.hears(client), "");
    rig.leaves(client);
    rig.assert_at_rest();
    heard
}

#[test]
fn the_nodes_of_this_rack_answer_together() {
    let mut rig = Rig::new(&CLUSTER, Options::default());
    for (line, [a, b, c], expected) in [
        ("DBSIZE", [":1\r\n", ":20\r\n", ":300\r\n"], ":321\r\n"),
        (
            "KEYS *",
            [
                "*1\r\n$1\r\nk\r\n",
                "*0\r\n",
                "*2\r\n$1\r\nl\r\n$1\r\nm\r\n",
            ],
            "*3\r\n$1\r\nk\r\n$1\r\nl\r\n$1\r\nm\r\n",
        ),
        ("KEYS *", ["*0\r\n"; 3], "*0\r\n"),
        ("KEYS *", ["*0\r\n", "-ERR x\r\n", "*0\r\n"], "-ERR x\r\n"),
        (
            "RANDOMKEY",
            ["$-1\r\n", "$-1\r\n", "$1\r\nk\r\n"],
            "$1\r\nk\r\n",
        ),
        (
            "RANDOMKEY",
            ["-ERR x\r\n", "$1\r\nk\r\n", "$-1\r\n"],
            "$1\r\nk\r\n",
        ),
        (
            "RANDOMKEY",
            ["$-1\r\n", "-ERR x\r\n", "$-1\r\n"],
            "-ERR x\r\n",
        ),
        ("RANDOMKEY", ["$-1\r\n"; 3], "$-1\r\n"),
        (
            "SCRIPT EXISTS p q",
            [
                "*2\r\n:1\r\n:1\r\n",
                "*2\r\n:0\r\n:1\r\n",
                "*2\r\n:1\r\n:1\r\n",
            ],
            "*2\r\n:0\r\n:1\r\n",
        ),
        (
            "SCRIPT EXISTS p",
            ["*1\r\n:1\r\n", "*0\r\n", "*1\r\n:1\r\n"],
            "-ERR unknown: Unknown Error\r\n",
        ),
    ] {
        let heard = answer(&mut rig, line, &[(ME, a), (2, c), (1, b)], &[]);
        assert_eq!(heard, expected, "{line}");
    }
}

/// It was a key of the node that answered first, which is the one that was asked.
#[test]
fn a_random_key_is_of_any_node() {
    let mut rig = Rig::new(&CLUSTER, Options::default());
    let mut found = std::collections::BTreeMap::new();
    for _ in 0..300 {
        let replies = [(ME, "$1\r\na\r\n"), (2, "$1\r\nc\r\n"), (1, "$1\r\nb\r\n")];
        let heard = answer(&mut rig, "RANDOMKEY", &replies, &[]);
        *found.entry(heard).or_insert(0) += 1;
    }
    assert_eq!(found.len(), 3, "{found:?}");
    assert!(found.values().all(|count| *count > 50), "{found:?}");
}

#[test]
fn scripts_and_functions_are_changed_on_all_nodes() {
    let mut rig = Rig::new(&CLUSTER, Options::default());
    const OK: &str = "+OK\r\n";
    for (line, replies, expected) in [
        ("SCRIPT LOAD x", ["$1\r\nh\r\n"; 4], "$1\r\nh\r\n"),
        (
            "SCRIPT FLUSH ASYNC",
            [OK, OK, "-ERR x\r\n", OK],
            "-ERR x\r\n",
        ),
        ("FUNCTION DELETE l", [OK; 4], OK),
    ] {
        let replies: Vec<(u16, &str)> = (0..).zip(replies).collect();
        assert_eq!(answer(&mut rig, line, &replies, &[4]), expected, "{line}");
    }
    // A node of another datacenter may be missing, none of this one.
    rig.loses(4);
    let replies = [(0, OK), (1, OK), (2, OK), (3, OK)];
    assert_eq!(answer(&mut rig, "SCRIPT FLUSH", &replies, &[]), OK);
    rig.loses(3);
    let heard = answer(&mut rig, "SCRIPT FLUSH", &replies[..3], &[]);
    assert_eq!(heard, NOT_CONNECTED);
    rig.loses(1);
    assert_eq!(
        answer(&mut rig, "DBSIZE", &[(0, ":1\r\n"), (2, ":1\r\n")], &[]),
        NOT_CONNECTED
    );
}

#[test]
fn everything_is_emptied_only_if_the_operator_allowed_it() {
    const OK: &str = "+OK\r\n";
    let mut rig = Rig::new(&CLUSTER, Options::default());
    let heard = answer(&mut rig, "FLUSHALL", &[], &[]);
    assert!(
        heard.starts_with("-ERR unknown command 'flushall': "),
        "{heard}"
    );

    let mut rig = Rig::new(&CLUSTER, flushing());
    for line in ["FLUSHALL", "FLUSHDB ASYNC"] {
        let replies = [(0, OK), (1, OK), (2, OK), (3, OK), (4, OK)];
        assert_eq!(answer(&mut rig, line, &replies, &[]), OK);
    }
    let replies = [(0, OK), (1, OK), (2, OK), (3, OK), (4, "-ERR x\r\n")];
    assert_eq!(answer(&mut rig, "FLUSHALL", &replies, &[]), "-ERR x\r\n");
    rig.loses(4);
    assert_eq!(
        answer(&mut rig, "FLUSHALL", &replies[..4], &[]),
        NOT_CONNECTED
    );
}

/// What a datastore answers that has these keys left, one for each request.
fn page(cursor: u64, key: &str) -> String {
    let cursor = cursor.to_string();
    let (a, b) = (cursor.len(), key.len());
    format!("*2\r\n${a}\r\n{cursor}\r\n*1\r\n${b}\r\n{key}\r\n")
}

#[test]
fn a_scan_walks_the_rack_in_the_order_of_tokens() {
    let mut rig = Rig::new(&CLUSTER, Options::default());
    let client = rig.client();
    let mut cursor = 0u64;
    for (node, inner, next) in [
        (1, 0, 7),
        (1, 7, (1u64 << 48) - 1),
        (1, (1u64 << 48) - 1, 0),
        (ME, 0, 0),
        (2, 0, 3),
        (2, 3, 0),
    ] {
        rig.asks(client, &[&format!("SCAN {cursor} MATCH * COUNT 5")]);
        assert_eq!(rig.sees(node), [format!("SCAN {inner} MATCH * COUNT 5")]);
        rig.says(node, &page(next, "k"));
        let heard = rig.hears(client);
        let digits = heard.lines().nth(2).unwrap();
        assert_eq!(heard, page(digits.parse().unwrap(), "k"));
        cursor = digits.parse().unwrap();
    }
    assert_eq!(cursor, 0, "the end of the last node is the end");
    rig.assert_at_rest();
}

#[test]
fn cursors_of_nobody_are_refused() {
    let mut rig = Rig::new(&CLUSTER, Options::default());
    let client = rig.client();
    for cursor in [
        &(3u64 << 48).to_string(),
        "18446744073709551615",
        "18446744073709551616",
        "-1",
        "+1",
        "x",
    ] {
        rig.asks(client, &[&format!("SCAN {cursor}")]);
        assert_eq!(rig.hears(client), "-ERR invalid cursor\r\n", "{cursor}");
    }
    // A datastore's cursor that would be another node's.
    rig.asks(client, &["SCAN 0"]);
    rig.says(1, &page(1 << 48, "k"));
    assert_eq!(rig.hears(client), "-ERR unknown: Unknown Error\r\n");
    rig.asks(client, &["SCAN 0"]);
    rig.says(1, "-ERR syntax error\r\n");
    assert_eq!(rig.hears(client), "-ERR syntax error\r\n");
    rig.assert_at_rest();
}

#[test]
fn this_node_alone_answers_if_the_operator_wants_so() {
    for (local_scan, admin_operation) in [(true, 0), (false, 2)] {
        let options = Options {
            local_scan,
            admin_operation,
            ..Options::default()
        };
        let mut rig = Rig::new(&CLUSTER, options);
        for (line, reply) in [
            ("DBSIZE", ":1\r\n"),
            ("KEYS *", "*0\r\n"),
            ("RANDOMKEY", "$-1\r\n"),
            ("SCAN 844424930131968", "*2\r\n$1\r\n0\r\n*0\r\n"),
        ] {
            assert_eq!(answer(&mut rig, line, &[(ME, reply)], &[]), reply, "{line}");
        }
    }
    // So it does anyway for what tells of itself.
    let mut rig = Rig::new(&CLUSTER, Options::default());
    for line in ["PING", "INFO", "CONFIG GET x", "LASTSAVE", "ROLE"] {
        assert_eq!(
            answer(&mut rig, line, &[(ME, "+x\r\n")], &[]),
            "+x\r\n",
            "{line}"
        );
    }
}
