//! Much at a time: every key is on every replica afterwards, and memory stays bounded.
//!
//! `DYNOMITE_LONG_TESTS` makes the runs ten times as long.

use crate::common::{Cluster, Node, Plan, Store, command, eventually};
use std::collections::BTreeMap;
use std::process::{Command, Stdio};

/// What a node may hold in memory here, in bytes: the queues of a few connections, and the program.
const RESIDENT: usize = 400 << 20;

fn times() -> usize {
    match std::env::var_os("DYNOMITE_LONG_TESTS") {
        Some(_) => 10,
        None => 1,
    }
}

/// Runs redis-benchmark to its end.
#[track_caller]
fn benchmark(node: &Node, args: &str) {
    let ended = Command::new("redis-benchmark")
        .args([
            "-h",
            &node.addr.ip().to_string(),
            "-p",
            &node.addr.port().to_string(),
            "-q",
        ])
        .args(args.split(' '))
        .stdout(Stdio::null())
        .stdin(Stdio::null())
        .status()
        .expect("redis-benchmark must be in PATH for these tests");
    assert!(ended.success(), "{args}: {ended}");
}

/// Everything a redis-server holds.
fn contents(store: &Store) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut client = store.client();
    let lines = |reply: &[u8]| -> Vec<Vec<u8>> {
        let lines = reply.split(|&byte| byte == b'\n').skip(1);
        let lines = lines.filter(|line| !line.starts_with(b"$") && !line.is_empty());
        lines.map(|line| line[..line.len() - 1].to_vec()).collect()
    };
    let keys = lines(&client.ask("keys *"));
    let mut all = BTreeMap::new();
    for some in keys.chunks(1000) {
        let mut request: Vec<&[u8]> = vec![b"mget"];
        request.extend(some.iter().map(Vec::as_slice));
        let values = lines(&client.ask_args(&request));
        assert_eq!(values.len(), some.len());
        all.extend(some.iter().cloned().zip(values));
    }
    all
}

/// Waits until nothing moves any more, and compares the racks.
#[track_caller]
fn expect_equal_racks(cluster: &Cluster) -> usize {
    let racks: Vec<(usize, usize)> = cluster.members.iter().map(|m| (m.dc, m.rack)).collect();
    let size_of = |&(dc, rack): &(usize, usize)| -> i64 {
        let nodes = cluster
            .members
            .iter()
            .filter(|m| (m.dc, m.rack) == (dc, rack));
        let sizes = nodes.map(|m| m.store.client().ask("dbsize"));
        let number = |reply: Vec<u8>| String::from_utf8_lossy(&reply[1..]).trim().parse::<i64>();
        sizes.map(|reply| number(reply).expect("a number")).sum()
    };
    eventually("all racks have as many keys", || {
        racks.iter().all(|rack| size_of(rack) == size_of(&racks[0]))
    });
    eventually("nothing is under way", || {
        cluster.members.iter().all(|member| {
            let node = member.node();
            [
                "peer_in_queue",
                "peer_out_queue",
                "remote_peer_in_queue",
                "remote_peer_out_queue",
            ]
            .iter()
            .all(|name| node.stat(name) == 0)
        })
    });
    let of_rack = |&(dc, rack): &(usize, usize)| -> BTreeMap<Vec<u8>, Vec<u8>> {
        let nodes = cluster
            .members
            .iter()
            .filter(|m| (m.dc, m.rack) == (dc, rack));
        nodes.flat_map(|member| contents(&member.store)).collect()
    };
    let first = of_rack(&racks[0]);
    for rack in &racks {
        assert!(of_rack(rack) == first, "rack {rack:?} holds something else");
    }
    for member in &cluster.members {
        let resident = member.node().resident();
        assert!(resident < RESIDENT, "{resident} bytes");
    }
    first.len()
}

#[test]
fn redis_benchmark_with_pipelines_leaves_every_key_on_every_replica() {
    let cluster = Plan::of(2, 2, 2).start();
    let count = 10_000 * times();
    for (node, pipeline) in [(0, 10), (5, 50), (2, 500)] {
        let node = cluster.members[node].node();
        benchmark(
            node,
            &format!("-t set -n {count} -r {count} -P {pipeline} -c 20 -d 100"),
        );
        let keys = expect_equal_racks(&cluster);
        assert!(keys > count / 2, "{keys}");
    }
    let node = cluster.members[7].node();
    benchmark(
        node,
        &format!("-t set,get,incr,lpush,sadd,hset -n {count} -P 50 -c 20"),
    );
    for member in &cluster.members {
        assert_eq!(member.node().stat("peer_eof"), 0);
        assert_eq!(member.node().stat("dnode_client_err"), 0);
        assert_eq!(member.node().stat("forward_error"), 0);
    }
}

#[test]
fn every_value_of_many_clients_is_on_every_replica() {
    let cluster = Plan::of(2, 3, 1).start();
    let rounds = 100 * times();
    std::thread::scope(|scope| {
        for through in 0..6 {
            let cluster = &cluster;
            scope.spawn(move || {
                let mut client = cluster.client(through);
                for round in 0..rounds {
                    // Each key is written by one client only, many times.
                    let mut requests = Vec::new();
                    for n in 0..50 {
                        let key = format!("{through}:{n}");
                        let value = format!("{through}.{n}.{round}").repeat(1 + n * 7);
                        requests.extend(command(&[b"set", key.as_bytes(), value.as_bytes()]));
                    }
                    client.send(&requests);
                    for _ in 0..50 {
                        assert_eq!(client.reply(), b"+OK\r\n");
                    }
                }
            });
        }
    });
    assert_eq!(expect_equal_racks(&cluster), 300);
}

#[test]
fn a_stopped_peer_costs_bounded_memory_and_no_errors_of_others() {
    let cluster = Plan::of(2, 2, 1).start();
    let mut client = cluster.client(0);
    for node in [1, 2, 3] {
        cluster.pause(node);
    }
    let value = vec![b'v'; 100_000];
    let rounds = 1500;
    for round in 0..rounds {
        let key = format!("k{}", round % 10);
        let reply = client.ask_args(&[b"set", key.as_bytes(), &value]);
        assert_eq!(reply, b"+OK\r\n", "round {round}");
    }
    let resident = cluster.members[0].node().resident();
    assert!(resident < 150 << 20, "{resident} bytes");
    for node in [1, 2, 3] {
        cluster.resume(node);
    }
    cluster.await_connected();
    eventually("all take part again", || {
        client.ask("set k back") == b"+OK\r\n"
            && (1..4).all(|node| cluster.members[node].held("k") == super::bulk("back"))
    });
}

/// Small copies for them filled the node's requests, and all clients waited until they were given up, for
/// almost a minute.
#[test]
fn small_copies_for_stopped_peers_hold_up_nobody() {
    let cluster = Plan::of(1, 3, 1).with("max_msgs", 100_000).start();
    for node in [1, 2] {
        cluster.pause(node);
    }
    let mut client = cluster.client(0);
    let sets: Vec<u8> = (0..100)
        .flat_map(|n| command(&[b"set", format!("k{n}").as_bytes(), b"v"]))
        .collect();
    for _ in 0..800 {
        client.send(&sets);
        for _ in 0..100 {
            assert_eq!(client.reply(), b"+OK\r\n");
        }
    }
    for node in [1, 2] {
        cluster.resume(node);
    }
    cluster.await_connected();
    eventually("all take part again", || {
        client.ask("set k back") == b"+OK\r\n"
            && (1..3).all(|node| cluster.members[node].held("k") == super::bulk("back"))
    });
}
