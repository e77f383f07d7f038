//! Expiration times: a relative one counts on every replica as in a plain memcached.

use super::{LEVELS, await_everywhere};
use crate::common::{Cluster, Plan, eventually, value};

/// Seconds that a key has left on a node's memcached; `None` without the key, -1 for ever.
fn left(cluster: &Cluster, node: usize, key: &str) -> Option<i64> {
    let reply = cluster.members[node]
        .store
        .memcached()
        .client()
        .ask(&format!("mg {key} t"));
    let text = String::from_utf8(reply).expect("text");
    text.trim().strip_prefix("HD t")?.parse().ok()
}

#[test]
fn a_relative_time_is_the_same_on_all_replicas() {
    for level in LEVELS {
        let cluster = Plan::of(2, 2, 1).of_memcached().at_level(level).start();
        let mut client = cluster.text_client(1);
        for (key, lines, least, most) in [
            ("set", &["set set 0 1000 1\r\nx"][..], 990, 1000),
            ("add", &["add add 0 1000 1\r\nx"], 990, 1000),
            (
                "touch",
                &["set touch 0 0 1\r\nx", "touch touch 500"],
                490,
                500,
            ),
            ("gat", &["set gat 0 0 1\r\nx", "gat 500 gat"], 490, 500),
            ("ms", &["ms ms 1 T700\r\nx"], 690, 700),
            ("mg", &["ms mg 1\r\nx", "mg mg T700"], 690, 700),
            ("ma", &["ma ma N700 J1"], 690, 700),
            (
                "month",
                &["set month 0 2592000 1\r\nx"],
                2_591_990,
                2_592_000,
            ),
            (
                "never",
                &["set never 0 1000 1\r\nx", "touch never 0"],
                -1,
                -1,
            ),
        ] {
            for line in lines {
                client.ask(line);
            }
            for node in 0..4 {
                eventually(
                    &format!("{key} has its time on node {node} at {level}"),
                    || left(&cluster, node, key).is_some_and(|left| (least..=most).contains(&left)),
                );
            }
        }
        // An absolute one: 2033. One that is over, and one before it began.
        client.expect("set far 0 2000000000 1\r\nx", "STORED\r\n");
        client.expect("set past 0 2592001 1\r\nx", "STORED\r\n");
        client.expect("set negative 0 -1 1\r\nx", "STORED\r\n");
        await_everywhere(&cluster, "far", &value("far", "x"));
        for node in 0..4 {
            assert!(
                left(&cluster, node, "far").is_some_and(|left| left > 1_000_000),
                "{node}"
            );
        }
        for key in ["past", "negative"] {
            client.expect(&format!("get {key}"), "END\r\n");
            await_everywhere(&cluster, key, "END\r\n");
        }
    }
}

/// Half of all items had a second more than they should have, as this node's seconds are not the memcached's.
#[test]
fn nothing_lives_longer_than_it_was_meant_to() {
    for plan in [Plan::of(1, 3, 1), Plan::of(1, 1, 2)] {
        let cluster = plan.of_memcached().start();
        let mut clients: Vec<_> = (0..cluster.members.len())
            .map(|node| cluster.text_client(node))
            .collect();
        clients[0].expect("ms begin 1 T1000\r\nx", "HD\r\n");
        let mut written = 0;
        // Over all of a memcached's second.
        while left(&cluster, cluster.owners("begin")[0], "begin").is_none_or(|left| left > 997) {
            let key = format!("k{written}");
            for (line, reply) in [
                (format!("ms {key} 1 T90\r\nx"), "HD\r\n"),
                (format!("set {key}c 0 90 1\r\nx"), "STORED\r\n"),
            ] {
                clients[written % 2].expect(&line, reply);
            }
            for client in &mut clients {
                for key in [&key, &format!("{key}c")] {
                    let reply = String::from_utf8(client.ask(&format!("mg {key} t"))).unwrap();
                    // It may not have come there yet.
                    if let Some(left) = reply.trim().strip_prefix("HD t") {
                        assert!(left.parse::<i64>().unwrap() <= 90, "{reply}");
                    }
                }
            }
            written += 1;
        }
        assert!(written > 10);
    }
}

/// It is gone when it says so, through every node.
#[test]
fn a_short_time_ends_everywhere() {
    let cluster = Plan::of(2, 2, 1)
        .of_memcached()
        .at_level("dc_quorum")
        .start();
    let mut client = cluster.text_client(0);
    client.expect("set k 0 1 1\r\nx", "STORED\r\n");
    client.expect("ms m 1 T1\r\nx", "HD\r\n");
    for through in 0..4 {
        let mut client = cluster.text_client(through);
        eventually("its time comes", || client.ask("get k m") == b"END\r\n");
    }
    await_everywhere(&cluster, "k", "END\r\n");
    await_everywhere(&cluster, "m", "END\r\n");
}
