//! What ours resolve or put together, over nodes of the other program.

use super::{at_level, bulk, expect, mixed, other};
use crate::common::{Cluster, Plan, eventually, shown};

/// What the owners' redis-servers say to a request, once all say the same and it is not nothing.
#[track_caller]
fn await_agreed(cluster: &Cluster, key: &str, line: &str, nothing: &[u8]) -> String {
    let owners = cluster.owners(key);
    let said = || -> Vec<Vec<u8>> {
        let stores = owners.iter().map(|&owner| &cluster.members[owner].store);
        stores.map(|store| store.client().ask(line)).collect()
    };
    eventually(&format!("replicas agree on {line}"), || {
        let all = said();
        all[0] != nothing && all.iter().all(|one| *one == all[0])
    });
    shown(&said()[0])
}

/// Waits until the key ends in all its owners' datastores within a second. A C node gets times that count from
/// now, as it would from a C coordinator, so its copies end a little later.
fn await_one_end(cluster: &Cluster, key: &str) {
    let owners = cluster.owners(key);
    eventually(&format!("replicas agree when {key} ends"), || {
        let ends = owners.iter().map(|&owner| {
            let reply = cluster.members[owner]
                .store
                .client()
                .ask(&format!("pexpiretime {key}"));
            let text = String::from_utf8_lossy(&reply);
            text.trim_start_matches(':')
                .trim_end()
                .parse::<i64>()
                .unwrap()
        });
        let ends: Vec<i64> = ends.collect();
        let (first, last) = (ends.iter().min().unwrap(), ends.iter().max().unwrap());
        *first > 0 && last - first < 1000
    });
}

#[test]
fn replicas_of_both_programs_hold_the_same() {
    let Some(program) = other() else { return };
    for others in [[1, 2], [0, 3]] {
        let cluster = mixed(Plan::of(2, 1, 2), &others, &program).start();
        let cluster_of_racks = mixed(Plan::of(1, 3, 1), &others[..1], &program).start();
        for cluster in [&cluster, &cluster_of_racks] {
            for (through, level) in [(0, "dc_one"), (1, "dc_quorum"), (2, "dc_one")] {
                if cluster.members[through].is_other() {
                    continue;
                }
                let mut client = at_level(cluster.client(through), level);
                for owner in 0..2 {
                    let key =
                        |name: &str| cluster.key_of(owner, &format!("{name}{through}{owner}x"));
                    let (s, x, e) = (key("s"), key("x"), key("e"));
                    expect(&mut client, &format!("sadd {s} a b c d e f g h"), ":8\r\n");
                    assert!(client.ask(&format!("spop {s} 3")).starts_with(b"*3"));
                    assert!(client.ask(&format!("spop {s}")).starts_with(b"$1"));
                    for owner in cluster.owners(&s) {
                        eventually("each owner has four left", || {
                            let mut store = cluster.members[owner].store.client();
                            store.ask(&format!("scard {s}")) == b":4\r\n"
                        });
                    }
                    await_agreed(cluster, &s, &format!("sort {s} alpha"), b"*0\r\n");
                    let id = shown(&client.ask(&format!("xadd {x} * f v")));
                    assert!(id.starts_with('$'), "{id}");
                    let entry = await_agreed(cluster, &x, &format!("xrange {x} - +"), b"*0\r\n");
                    assert!(entry.contains(&id), "{entry}, {id}");
                    expect(&mut client, &format!("set {e} v ex 1000"), "+OK\r\n");
                    await_one_end(cluster, &e);
                    expect(&mut client, &format!("getex {e} px 2000000"), "$1\r\nv\r\n");
                    await_one_end(cluster, &e);
                    expect(&mut client, &format!("expire {e} 3000"), ":1\r\n");
                    await_one_end(cluster, &e);
                }
            }
        }
    }
}

#[test]
fn a_rack_of_both_programs_is_counted_listed_and_scanned() {
    let Some(program) = other() else { return };
    let cluster = mixed(Plan::of(1, 1, 3), &[1], &program).start();
    let mut client = cluster.client(0);
    for n in 0..100 {
        expect(&mut client, &format!("set key{n} v"), "+OK\r\n");
    }
    for through in [0, 2] {
        let mut client = cluster.client(through);
        expect(&mut client, "dbsize", ":100\r\n");
        assert!(client.ask("keys key*").starts_with(b"*100\r\n"));
        let (mut cursor, mut found) = ("0".to_owned(), std::collections::BTreeSet::new());
        for _ in 0..1000 {
            let reply = client.ask(&format!("scan {cursor} count 10"));
            let text = String::from_utf8_lossy(&reply).into_owned();
            let lines: Vec<&str> = text.split("\r\n").collect();
            cursor = lines[2].to_owned();
            let keys = lines.iter().filter(|line| line.starts_with("key"));
            found.extend(keys.map(|key| (*key).to_owned()));
            if cursor == "0" {
                break;
            }
        }
        assert_eq!(found.len(), 100);
        // The other was asked, and still serves.
        let key = cluster.key_of(1, "key");
        assert_eq!(shown(&client.ask(&format!("get {key}"))), bulk("v"));
        assert_eq!(cluster.members[through].node().stat("peer_eof"), 0);
    }
}
