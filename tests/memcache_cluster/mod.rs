//! Clusters of real nodes, each before a memcached of its own.

mod faults;
mod many_keys;
mod one_reply;
mod reads;
mod times;
mod turmoil;
mod versions;
mod writes;

use crate::common::{Cluster, eventually, shown};

const LEVELS: [&str; 4] = [
    "dc_one",
    "dc_quorum",
    "dc_safe_quorum",
    "dc_each_safe_quorum",
];

/// Waits until every owner of a key gives this reply to `get`.
#[track_caller]
fn await_everywhere(cluster: &Cluster, key: &str, reply: &str) {
    let reply = shown(reply.as_bytes());
    for owner in cluster.owners(key) {
        eventually(&format!("node {owner} holds {key}: {reply}"), || {
            cluster.members[owner].held(key) == reply
        });
    }
}

/// That no other node has a key.
#[track_caller]
fn assert_nowhere_else(cluster: &Cluster, key: &str) {
    let owners = cluster.owners(key);
    for (node, member) in cluster.members.iter().enumerate() {
        if !owners.contains(&node) {
            assert_eq!(member.held(key), "END\\r\\n", "{key} on node {node}");
        }
    }
}

/// Lets the `cas` ids of the memcacheds be different ones.
fn spread_ids(cluster: &Cluster) {
    for (n, member) in cluster.members.iter().enumerate() {
        let mut store = member.store.memcached().client();
        for _ in 0..=100 * n {
            store.set("spread", "x");
        }
    }
}
