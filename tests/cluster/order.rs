//! Replies come in the order of the requests, and requests of one client keep theirs everywhere.

use super::{at_level, expect};
use crate::common::{Client, Cluster, Plan, command, shown, words};

/// A pipeline over keys of every owner: counters, so that every misplaced reply shows.
fn pipeline(client: &mut Client, prefix: &str, rounds: usize) {
    const KEYS: usize = 8;
    let mut requests = Vec::new();
    for round in 0..rounds {
        for key in 0..KEYS {
            let key = format!("{prefix}{key}");
            requests.extend(words(&format!("incr {key}")));
            if round % 16 == 3 {
                requests.extend(words(&format!("echo {prefix}{round}")));
                requests.extend(words(&format!(
                    "mget {prefix}0 {prefix}1 {prefix}2 {prefix}3"
                )));
            }
        }
    }
    let sender = client.send_aside(vec![requests]);
    for round in 0..rounds {
        for key in 0..KEYS {
            let count = format!(":{}\\r\\n", round + 1);
            assert_eq!(shown(&client.reply()), count, "{prefix}{key}");
            if round % 16 == 3 {
                assert_eq!(
                    shown(&client.reply()),
                    super::bulk(&format!("{prefix}{round}"))
                );
                let mut values = String::from("*4\\r\\n");
                for other in 0..4 {
                    values += &super::bulk(&(round + usize::from(other <= key)).to_string());
                }
                assert_eq!(shown(&client.reply()), values);
            }
        }
    }
    sender.join().expect("it sent all");
}

/// That every owner of the counters has counted this far.
fn await_counts(cluster: &Cluster, prefix: &str, rounds: usize) {
    let held = super::bulk(&rounds.to_string());
    for key in (0..8).map(|key| format!("{prefix}{key}")) {
        let owners = cluster.owners(&key);
        let wanted: Vec<&str> = (0..cluster.members.len())
            .map(|n| {
                if owners.contains(&n) {
                    held.as_str()
                } else {
                    "$-1\\r\\n"
                }
            })
            .collect();
        cluster.await_held(&key, &wanted);
    }
}

#[test]
fn pipelines_over_all_owners_are_answered_in_order() {
    let cluster = Plan::of(2, 2, 2).start();
    for (level, rounds) in [
        ("dc_one", 200),
        ("dc_quorum", 100),
        ("dc_each_safe_quorum", 50),
    ] {
        std::thread::scope(|scope| {
            for through in 0..4 {
                let cluster = &cluster;
                scope.spawn(move || {
                    let mut client = at_level(cluster.client(through), level);
                    pipeline(&mut client, &format!("{level}{through}:"), rounds);
                });
            }
        });
        for through in 0..4 {
            await_counts(&cluster, &format!("{level}{through}:"), rounds);
        }
    }
}

#[test]
fn several_connections_to_each_peer_and_datastore_keep_each_clients_order() {
    let cluster = Plan::of(1, 2, 2)
        .with_connections(3, 2)
        .with("datastore_connections", 3)
        .start();
    std::thread::scope(|scope| {
        for n in 0..6 {
            let cluster = &cluster;
            scope.spawn(move || {
                let mut client = cluster.client(n % 4);
                pipeline(&mut client, &format!("c{n}:"), 100);
            });
        }
    });
    for n in 0..6 {
        await_counts(&cluster, &format!("c{n}:"), 100);
    }
}

#[test]
fn the_last_of_many_writes_wins_in_every_rack() {
    let cluster = Plan::of(1, 3, 1).with_connections(4, 4).start();
    let mut client = cluster.client(0);
    let mut requests = Vec::new();
    for n in 0..2000 {
        requests.extend(command(&[b"set", b"k", n.to_string().as_bytes()]));
    }
    let sender = client.send_aside(vec![requests]);
    for _ in 0..2000 {
        assert_eq!(client.reply(), b"+OK\r\n");
    }
    sender.join().expect("it sent all");
    cluster.await_held("k", &["$4\\r\\n1999\\r\\n"; 3]);
}

#[test]
fn one_connection_in_time_sees_its_own_writes_through_any_node_of_its_rack() {
    let cluster = Plan::of(1, 2, 2).start();
    let (mut a, mut b) = (cluster.client(0), cluster.client(1));
    for n in 0..100 {
        expect(&mut a, &format!("set k{} {n}", n % 7), "+OK\r\n");
        let reply = super::bulk(&n.to_string()).replace("\\r\\n", "\r\n");
        expect(&mut b, &format!("get k{}", n % 7), &reply);
    }
}

#[test]
fn quit_comes_behind_what_other_nodes_still_answer() {
    let cluster = Plan::of(1, 2, 2).start();
    let mut client = at_level(cluster.client(0), "dc_quorum");
    let mut requests = Vec::new();
    for n in 0..100 {
        requests.extend(words(&format!("set q{n} v")));
    }
    requests.extend(words("quit"));
    client.send(&requests);
    assert_eq!(client.until_closed(), b"+OK\r\n".repeat(101));
}
