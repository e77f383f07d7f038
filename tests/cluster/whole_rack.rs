//! Requests that concern all nodes of a rack, and writes whose replicas have to agree on what only
//! one of them can know.

use super::{at_level, bulk, expect};
use crate::common::{Cluster, Plan, eventually, shown};
use std::collections::BTreeSet;

const LEVELS: [&str; 4] = [
    "dc_one",
    "dc_quorum",
    "dc_safe_quorum",
    "dc_each_safe_quorum",
];

/// What the owners' redis-servers say to a request, once they say the same.
#[track_caller]
fn await_agreed(cluster: &Cluster, key: &str, line: &str) -> String {
    let said = || -> Vec<String> {
        let owners = cluster.owners(key);
        let stores = owners.iter().map(|&owner| &cluster.members[owner].store);
        stores
            .map(|store| shown(&store.client().ask(line)))
            .collect()
    };
    eventually(&format!("replicas agree on {line}"), || {
        let all = said();
        all.iter().all(|one| *one == all[0])
    });
    said().remove(0)
}

#[test]
fn replicas_hold_the_same_after_writes_that_only_one_can_decide() {
    let cluster = Plan::of(2, 2, 2).start();
    for (round, level) in LEVELS.iter().enumerate() {
        for through in [0, 3, 6] {
            let mut client = at_level(cluster.client(through), level);
            let key = |name: &str| format!("{name}{round}{through}");
            let (s, x, e, t) = (key("s"), key("x"), key("e"), key("t"));
            expect(&mut client, &format!("sadd {s} a b c d e f g h"), ":8\r\n");
            let popped = shown(&client.ask(&format!("spop {s} 3")));
            assert!(popped.starts_with("*3"), "{popped}");
            assert!(client.ask(&format!("spop {s}")).starts_with(b"$1"));
            for owner in cluster.owners(&s) {
                eventually("each owner has four left", || {
                    cluster.members[owner]
                        .store
                        .client()
                        .ask(&format!("scard {s}"))
                        == b":4\r\n"
                });
            }
            await_agreed(&cluster, &s, &format!("sort {s} alpha"));
            let id = shown(&client.ask(&format!("xadd {x} * f v")));
            assert!(id.starts_with('$'), "{id}");
            for owner in cluster.owners(&x) {
                eventually("each owner has the entry", || {
                    cluster.members[owner]
                        .store
                        .client()
                        .ask(&format!("xlen {x}"))
                        == b":1\r\n"
                });
            }
            let entry = await_agreed(&cluster, &x, &format!("xrange {x} - +"));
            assert!(entry.contains(&id), "{entry}, {id}");
            expect(&mut client, &format!("set {e} v ex 1000"), "+OK\r\n");
            expect(&mut client, &format!("set {t} v"), "+OK\r\n");
            expect(&mut client, &format!("pexpire {t} 5000000"), ":1\r\n");
            let dumped = client.ask(&format!("dump {e}"));
            let start = dumped.iter().position(|&byte| byte == b'\n');
            let payload = &dumped[start.expect("a value") + 1..dumped.len() - 2];
            let r = key("r");
            let restored = client.ask_args(&[b"restore", r.as_bytes(), b"5000000", payload]);
            assert_eq!(shown(&restored), "+OK\\r\\n");
            for key in [&e, &t, &r] {
                for owner in cluster.owners(key) {
                    eventually("each owner has a time", || {
                        let line = format!("pexpiretime {key}");
                        let said = cluster.members[owner].store.client().ask(&line);
                        said.starts_with(b":1")
                    });
                }
                await_agreed(&cluster, key, &format!("pexpiretime {key}"));
            }
        }
    }
}

#[test]
fn the_keys_of_a_rack_are_counted_listed_and_scanned_through_any_node() {
    let mut cluster = Plan::of(1, 2, 3).start();
    let names: BTreeSet<String> = (0..300).map(|n| format!("key{n}")).collect();
    for name in &names {
        expect(&mut cluster.client(0), &format!("set {name} v"), "+OK\r\n");
    }
    for name in &names {
        for owner in cluster.owners(name) {
            eventually("both racks have all", || {
                cluster.members[owner].held(name) == bulk("v")
            });
        }
    }
    let lines = |reply: &[u8]| -> Vec<String> {
        let text = String::from_utf8_lossy(reply).into_owned();
        text.split("\r\n").map(str::to_owned).collect()
    };
    for through in 0..6 {
        let mut client = cluster.client(through);
        expect(&mut client, "dbsize", ":300\r\n");
        let listed = lines(&client.ask("keys key*"));
        let listed: BTreeSet<String> = listed
            .into_iter()
            .filter(|line| line.starts_with("key"))
            .collect();
        assert!(listed == names, "{} of 300", listed.len());
        // The cursor is taken from node to node of the rack.
        let rack: Vec<usize> = (0..6).filter(|n| n / 3 == through / 3).collect();
        let (mut cursor, mut found, mut turns) = ("0".to_owned(), BTreeSet::new(), 0);
        loop {
            let mut client = cluster.client(rack[turns % rack.len()]);
            let reply = lines(&client.ask(&format!("scan {cursor} count 20")));
            cursor = reply[2].clone();
            found.extend(reply.into_iter().filter(|line| line.starts_with("key")));
            turns += 1;
            assert!(turns < 1000, "it never ends");
            if cursor == "0" {
                break;
            }
        }
        assert!(found == names, "{} of 300", found.len());
    }
    // Not all, if a node of the rack is away: an error, no part passed off as the whole.
    cluster.kill(1);
    let mut client = cluster.client(0);
    for line in ["dbsize", "keys *"] {
        expect(
            &mut client,
            line,
            "-ERR Peer: Peer Node is not connected\r\n",
        );
    }
    expect(&mut cluster.client(4), "dbsize", ":300\r\n");
    // Emptying everything is not for everybody.
    for line in ["flushall", "flushdb"] {
        assert!(client.ask(line).starts_with(b"-"), "{line}");
    }
    expect(&mut cluster.client(4), "dbsize", ":300\r\n");
}
