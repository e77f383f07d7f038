//! Every shape of a cluster: keys are where the ring says, and each write is applied once by each
//! owner, through whichever node and at whichever level it came.

use super::{at_level, bulk, expect};
use crate::common::{Cluster, Plan, eventually};
use std::collections::BTreeSet;

#[test]
fn three_racks_of_one_node() {
    serves(1, 3, 1);
}

#[test]
fn two_racks_of_two_nodes() {
    serves(1, 2, 2);
}

#[test]
fn two_datacenters_of_two_racks_of_two_nodes() {
    serves(2, 2, 2);
}

#[test]
fn two_datacenters_of_three_racks_of_one_node() {
    serves(2, 3, 1);
}

fn serves(dcs: usize, racks: usize, nodes: usize) {
    let cluster = Plan::of(dcs, racks, nodes).start();
    places_keys_by_the_ring(&cluster);
    applies_each_write_once(&cluster);
}

/// The keys a redis-server holds.
fn keys(cluster: &Cluster, node: usize) -> BTreeSet<String> {
    let reply = cluster.members[node].store.client().ask("keys *");
    let text = String::from_utf8_lossy(&reply).into_owned();
    text.lines()
        .skip(1)
        .filter(|line| !line.starts_with('$'))
        .map(str::to_owned)
        .collect()
}

fn places_keys_by_the_ring(cluster: &Cluster) {
    let names: Vec<String> = (0..60).map(|n| format!("placed:{n}")).collect();
    for (n, key) in names.iter().enumerate() {
        let mut client = cluster.client(n % cluster.members.len());
        expect(&mut client, &format!("set {key} {n}"), "+OK\r\n");
    }
    for node in 0..cluster.members.len() {
        let owned = |key: &&String| cluster.owners(key).contains(&node);
        let owned: BTreeSet<String> = names.iter().filter(owned).cloned().collect();
        assert!(!owned.is_empty(), "a key for every node");
        eventually("a redis-server holds what its node owns", || {
            keys(cluster, node) == owned
        });
    }
    for (n, key) in names.iter().enumerate() {
        for through in 0..cluster.members.len() {
            let mut client = cluster.client(through);
            let value = n.to_string();
            assert_eq!(
                super::shown(&client.ask(&format!("get {key}"))),
                bulk(&value)
            );
        }
    }
}

pub fn applies_each_write_once(cluster: &Cluster) {
    let mut count = 0;
    let key = "counted";
    let owners = cluster.owners(key);
    for level in [
        "dc_one",
        "dc_quorum",
        "dc_safe_quorum",
        "dc_each_safe_quorum",
    ] {
        for through in 0..cluster.members.len() {
            let mut client = at_level(cluster.client(through), level);
            count += 1;
            expect(&mut client, "incr counted", &format!(":{count}\r\n"));
            let held = bulk(&count.to_string());
            let wanted: Vec<&str> = (0..cluster.members.len())
                .map(|n| match owners.contains(&n) {
                    true => held.as_str(),
                    false => "$-1\\r\\n",
                })
                .collect();
            cluster.await_held(key, &wanted);
        }
    }
    let calls = cluster.calls("incr");
    for (node, calls) in calls.iter().enumerate() {
        let wanted = if owners.contains(&node) { count } else { 0 };
        assert_eq!(*calls, wanted, "INCR at node {node}");
    }
}
