//! Datastores that refuse: where that shows.

use crate::common::{Plan, eventually};

/// One rack of three refused every write for want of memory, and only its own Redis knew.
#[test]
fn a_rack_whose_redis_is_out_of_memory_is_seen_at_the_coordinator() {
    let cluster = Plan::of(1, 3, 1).start();
    let full = &cluster.members[2];
    let set = "config set maxmemory 1";
    assert_eq!(full.store.client().ask(set), b"+OK\r\n");
    let mut client = cluster.client(0);
    for _ in 0..20 {
        assert_eq!(client.ask("set k v"), b"+OK\r\n");
    }
    let coordinator = cluster.members[0].node();
    let peer = full.addresses.peers;
    let series = format!(
        "dynomite_peer_error_replies_total{{peer=\"{peer}\",dc=\"dc0\",rack=\"rack2\",error=\"OOM\"}} 20\n"
    );
    eventually("each is counted", || {
        coordinator.told("/metrics").contains(&series)
    });
    let own = "dynomite_datastore_error_replies_total{error=\"OOM\"} 20\n";
    assert!(full.node().told("/metrics").contains(own));
    for (node, line) in [
        (
            coordinator,
            format!("peer {peer} (rack rack2, dc dc0) passes on an error of its datastore: OOM "),
        ),
        (full.node(), "refuses requests: OOM ".to_owned()),
    ] {
        eventually("the log says so", || node.log().contains(&line));
        assert_eq!(node.log().matches(&line).count(), 1, "once a minute");
    }
}

#[test]
fn a_redis_that_wants_a_password_is_not_ready_and_reads_go_to_another_rack() {
    let cluster = Plan::of(1, 2, 1).start();
    assert_eq!(cluster.client(0).ask("set k v"), b"+OK\r\n");
    cluster.await_held("k", &["$1\\r\\nv\\r\\n"; 2]);
    let mut store = cluster.members[0].store.client();
    assert_eq!(store.ask("config set requirepass secret"), b"+OK\r\n");
    let node = cluster.members[0].node();
    // Redis lets connections that were there before go on.
    assert_eq!(store.ask("client kill type normal skipme yes"), b":1\r\n");
    eventually("the node has seen it", || {
        let (status, text) = node.get("/readyz");
        status == 503 && text.contains(" answers NOAUTH Authentication required.")
    });
    assert_eq!(cluster.client(0).ask("get k"), b"$1\r\nv\r\n");
    let nothing: &[&[u8]] = &[b"config", b"set", b"requirepass", b""];
    assert_eq!(store.ask_args(nothing), b"+OK\r\n");
    eventually("the node is ready", || node.get("/readyz").0 == 200);
}
