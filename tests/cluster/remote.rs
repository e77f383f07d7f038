//! Writes to another datacenter.

use super::{at_level, expect};
use crate::common::{Cluster, Plan, eventually, shown};

/// That these nodes hold a value, and the others do not.
#[track_caller]
fn await_value(cluster: &Cluster, key: &str, value: &str, nodes: &[usize]) {
    let held = super::bulk(value);
    let wanted: Vec<&str> = (0..cluster.members.len())
        .map(|n| match nodes.contains(&n) {
            true => held.as_str(),
            false => "$-1\\r\\n",
        })
        .collect();
    cluster.await_held(key, &wanted);
}

#[test]
fn another_datacenter_gets_one_message_through_its_preselected_rack_or_the_next() {
    let mut cluster = Plan::of(2, 3, 1).start();
    let requests =
        |cluster: &Cluster, node: usize| cluster.members[node].node().stat("peer_requests");
    // The rack with the number of the coordinator's rack.
    for through in 0..3 {
        let before: Vec<i64> = (0..6).map(|n| requests(&cluster, n)).collect();
        let key = format!("from{through}");
        expect(
            &mut cluster.client(through),
            &format!("set {key} v"),
            "+OK\r\n",
        );
        await_value(&cluster, &key, "v", &[0, 1, 2, 3, 4, 5]);
        for (node, before) in before.iter().enumerate() {
            // Two to the other racks and one across; the preselected one spreads it in its own.
            let sent = if node == through {
                3
            } else if node == through + 3 {
                2
            } else {
                0
            };
            assert_eq!(requests(&cluster, node) - before, sent, "{key} by {node}");
        }
    }
    let mut client = cluster.client(1);
    for (gone, left) in [
        (4, &[0, 1, 2, 3, 5][..]),
        (3, &[0, 1, 2, 5]),
        (5, &[0, 1, 2]),
    ] {
        cluster.kill(gone);
        let node = cluster.members[1].node();
        let stats = [
            "remote_peer_failover_requests",
            "remote_peer_dropped_requests",
        ];
        let before = stats.map(|name| node.stat(name));
        for level in ["dc_one", "dc_quorum", "dc_safe_quorum"] {
            client = at_level(client, level);
            let key = format!("without{gone}{level}");
            expect(&mut client, &format!("set {key} v"), "+OK\r\n");
            await_value(&cluster, &key, "v", left);
        }
        let after = stats.map(|name| node.stat(name));
        let counted = if left.len() > 3 { [3, 0] } else { [0, 3] };
        assert_eq!(
            [after[0] - before[0], after[1] - before[1]],
            counted,
            "{gone}"
        );
    }
    // A node that returns is used again, and what it missed it does not have.
    cluster.restart(4);
    client = at_level(client, "dc_one");
    expect(&mut client, "set back v", "+OK\r\n");
    await_value(&cluster, "back", "v", &[0, 1, 2, 4]);
    assert_eq!(cluster.members[4].held("without4dc_one"), "$-1\\r\\n");
}

#[test]
fn dc_each_safe_quorum_with_a_dead_remote_datacenter_is_an_error_and_no_wait() {
    let mut cluster = Plan::of(2, 3, 1).start();
    let mut client = at_level(cluster.client(0), "dc_each_safe_quorum");
    // One rack of three may be missing.
    cluster.kill(4);
    expect(&mut client, "incr n", ":1\r\n");
    await_value(&cluster, "n", "1", &[0, 1, 2, 3, 5]);
    expect(&mut client, "get n", "$1\r\n1\r\n");
    cluster.kill(3);
    let missing = "-ERR Peer: Peer Node is not connected\r\n";
    expect(&mut client, "incr n", missing);
    expect(&mut client, "get n", missing);
    cluster.kill(5);
    expect(&mut client, "incr n", missing);
    expect(&mut client, "get n", missing);
    for node in 0..3 {
        eventually("it is written where it can be", || {
            cluster.members[node].held("n") == "$1\\r\\n3\\r\\n"
        });
    }
    let mut other = cluster.client(0);
    expect(&mut other, "get n", "$1\r\n3\r\n");
}

#[test]
fn a_paused_remote_datacenter_does_not_delay_anybody_here() {
    let cluster = Plan::of(2, 3, 1).start();
    for node in 3..6 {
        cluster.pause(node);
    }
    for level in ["dc_one", "dc_quorum", "dc_safe_quorum"] {
        let mut client = at_level(cluster.client(0), level);
        for n in 0..50 {
            expect(&mut client, &format!("set {level}{n} v"), "+OK\r\n");
            expect(&mut client, &format!("get {level}{n}"), "$1\r\nv\r\n");
        }
    }
    for node in 3..6 {
        cluster.resume(node);
    }
    // What was on its way arrives.
    await_value(&cluster, "dc_one49", "v", &[0, 1, 2, 3, 4, 5]);
    assert_eq!(
        shown(&cluster.client(4).ask("get dc_quorum0")),
        "$1\\r\\nv\\r\\n"
    );
}

#[test]
fn the_rate_of_messages_to_another_datacenter_is_kept_without_loss_or_spinning() {
    let cluster = Plan::of(2, 1, 1).with("conn_msg_rate", 5).start();
    let mut client = cluster.client(0);
    let before = cpu_ticks(cluster.members[0].node().pid());
    for n in 0..15 {
        expect(
            &mut client,
            &format!("rpush list {n}"),
            &format!(":{}\r\n", n + 1),
        );
    }
    eventually("all arrive", || {
        cluster.members[1].store.client().ask("llen list") == b":15\r\n"
    });
    let mut wanted = "*15\\r\\n".to_owned();
    (0..15).for_each(|n| wanted += &super::bulk(&n.to_string()));
    assert_eq!(
        shown(&cluster.members[1].store.client().ask("lrange list 0 -1")),
        wanted
    );
    let spent = cpu_ticks(cluster.members[0].node().pid()) - before;
    assert!(spent < 60, "{spent} ticks of 10 ms");
}

/// Time a process has spent on a processor, in ticks of usually 10 ms.
fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it runs");
    let (_, rest) = stat.rsplit_once(") ").expect("a name in parentheses");
    let numbers = rest.split(' ').skip(11).take(2);
    numbers
        .map(|text| text.parse::<u64>().expect("a number"))
        .sum()
}
