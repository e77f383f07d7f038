//! One datacenter of two racks of two nodes, of which one owner is gone.

use super::{at_level, expect};
use crate::common::{Plan, eventually, shown};

const NOT_CONNECTED: &str = "-ERR Peer: Peer Node is not connected\r\n";

#[test]
fn the_own_racks_owner_killed() {
    let mut cluster = Plan::of(1, 2, 2).start();
    let gone = 1;
    let (lost, kept) = (cluster.key_of(gone, "k"), cluster.key_of(0, "k"));
    let mut client = cluster.client(0);
    expect(
        &mut client,
        &format!("mset {lost} old {kept} old"),
        "+OK\r\n",
    );
    let mate = cluster.owner(0, 1, &lost);
    eventually("the other rack has it", || {
        cluster.members[mate].held(&lost) == super::bulk("old")
    });
    cluster.kill(gone);
    // A write to the lost owner fails at each level: both racks are needed. The other rack has it.
    for level in ["dc_one", "dc_quorum", "dc_safe_quorum"] {
        client = at_level(client, level);
        expect(&mut client, &format!("set {lost} {level}"), NOT_CONNECTED);
        eventually("the other rack applies it", || {
            cluster.members[mate].held(&lost) == super::bulk(level)
        });
        expect(&mut client, &format!("set {kept} {level}"), "+OK\r\n");
        if level != "dc_one" {
            expect(&mut client, &format!("get {lost}"), NOT_CONNECTED);
        }
        // With several keys the request fails, and what can be done of it is done.
        expect(
            &mut client,
            &format!("mset {lost} m {kept} m"),
            NOT_CONNECTED,
        );
        let owner = cluster.owner(0, 0, &kept);
        eventually("the part with an owner is applied", || {
            cluster.members[owner].held(&kept) == super::bulk("m")
        });
    }
    // A read at DC_ONE is served by the other rack.
    client = at_level(client, "dc_one");
    expect(&mut client, &format!("get {lost}"), "$1\r\nm\r\n");
    expect(
        &mut client,
        &format!("mget {lost} {kept}"),
        "*2\r\n$1\r\nm\r\n$1\r\nm\r\n",
    );
    assert!(cluster.members[0].node().stat("read_failovers") > 0);
    // A client of the other rack notices nothing.
    let mut other = cluster.client(2);
    expect(&mut other, &format!("set {lost} new"), "+OK\r\n");
    expect(&mut other, &format!("get {lost}"), "$3\r\nnew\r\n");
    // What comes back serves what it had.
    cluster.restart(gone);
    expect(&mut client, &format!("get {lost}"), "$3\r\nold\r\n");
    expect(&mut client, &format!("set {lost} v"), "+OK\r\n");
    expect(&mut client, &format!("get {lost}"), "$1\r\nv\r\n");
}

#[test]
fn requests_under_way_when_their_owner_dies_are_answered() {
    let mut cluster = Plan::of(1, 2, 2).start();
    let lost = cluster.key_of(1, "k");
    let kept = cluster.key_of(0, "k");
    let mut client = cluster.client(0);
    cluster.pause(1);
    for key in [&lost, &kept, &lost] {
        client.send(&crate::common::words(&format!("set {key} v")));
    }
    client.send(&crate::common::words("echo behind"));
    let sent = cluster.members[0].node();
    sent.await_stat("peer_out_queue", |n| n >= 2);
    cluster.kill(1);
    let refused = shown(b"-ERR Peer: Peer Node refused connection\r\n");
    assert_eq!(shown(&client.reply()), refused);
    assert_eq!(shown(&client.reply()), "+OK\\r\\n");
    assert_eq!(shown(&client.reply()), refused);
    assert_eq!(shown(&client.reply()), super::bulk("behind"));
    expect(&mut client, &format!("set {lost} v"), NOT_CONNECTED);
}

#[test]
fn killing_and_pausing_a_minority_at_quorum_closes_no_client() {
    let mut cluster = Plan::of(1, 3, 1).start();
    let stop = std::sync::atomic::AtomicBool::new(false);
    let clients: Vec<_> = ["dc_quorum", "dc_safe_quorum", "dc_quorum", "dc_safe_quorum"]
        .into_iter()
        .map(|level| at_level(cluster.client(0), level))
        .collect();
    std::thread::scope(|scope| {
        let stop = &stop;
        for (n, mut client) in clients.into_iter().enumerate() {
            scope.spawn(move || {
                let mut count = 0;
                while !stop.load(std::sync::atomic::Ordering::Relaxed) {
                    count += 1;
                    // SET, because a replica that missed some would count on from another number.
                    expect(&mut client, &format!("set load{n} {count}"), "+OK\r\n");
                    let reply = super::bulk(&count.to_string()).replace("\\r\\n", "\r\n");
                    expect(&mut client, &format!("get load{n}"), &reply);
                }
                assert!(count > 0);
            });
        }
        for node in [1, 2] {
            cluster.kill(node);
            cluster.restart(node);
            // What it missed it gets anew.
            eventually("it takes part again", || {
                cluster.members[node].calls("set") > 0
                    && (0..4)
                        .all(|n| cluster.members[node].held(&format!("load{n}")) != "$-1\\r\\n")
            });
            cluster.pause(node);
            let other = 3 - node;
            let before = cluster.members[other].calls("set");
            eventually("the others go on", || {
                cluster.members[other].calls("set") > before + 100
            });
            cluster.resume(node);
            cluster.pause_store(node);
            let before = cluster.members[other].calls("set");
            eventually("the others go on", || {
                cluster.members[other].calls("set") > before + 100
            });
            cluster.resume_store(node);
            let before = cluster.members[node].calls("set");
            eventually("it catches up with what it was sent", || {
                cluster.members[node].calls("set") > before + 100
            });
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
