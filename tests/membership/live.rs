//! Lists that change while nodes run.

use crate::common::{Addresses, Node, Redis, Setup, eventually};
use crate::membership::world::{INTERVAL, World, key_of, logged};
use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, TcpStream};

const HALF: u32 = 1 << 31;

/// Writes through a node, which must say OK.
#[track_caller]
fn set(world: &World, through: usize, key: &str, value: &str) {
    let reply = world.client(through).ask(&format!("set {key} {value}"));
    assert_eq!(reply, b"+OK\r\n", "{key}");
}

#[test]
fn item_8_a_new_node_rack_and_datacenter_are_routed_to_at_once() {
    let mut world = World::new().with_cluster(&[("dc1", "r1", 0)]);
    // A node: half of the keys of its rack are its from now on.
    let node = world.spot("dc1", "r1", HALF);
    world.start(node);
    world.list(&[0, node]);
    world.await_nodes(&[0], 2);
    let key = key_of(HALF, &[0, HALF], "node");
    for through in [0, node] {
        set(&world, through, &key, "a");
        world.await_held(node, &key, "a");
        assert_eq!(world.held(0, &key), "$-1\\r\\n");
    }

    // A rack: a copy of everything.
    let rack = world.spot("dc1", "r2", 0);
    world.start(rack);
    world.list(&[0, node, rack]);
    world.await_nodes(&[0, node], 3);
    for (through, value) in [(0, "b"), (node, "c"), (rack, "d")] {
        set(&world, through, &key, value);
        world.await_held(node, &key, value);
        world.await_held(rack, &key, value);
    }

    // A datacenter of two racks: both have a copy, whichever of them receives it.
    let far = [world.spot("dc2", "r1", 0), world.spot("dc2", "r2", 0)];
    for n in far {
        world.start(n);
    }
    world.list(&[0, node, rack, far[0], far[1]]);
    world.await_nodes(&[0, node, rack, far[0], far[1]], 5);
    for (through, value) in [(0, "e"), (far[1], "f")] {
        set(&world, through, &key, value);
        for n in [node, rack, far[0], far[1]] {
            world.await_held(n, &key, value);
        }
    }
}

#[test]
fn item_9_an_address_changes_one_peer_though_racks_and_tokens_are_the_same_everywhere() {
    let places = [
        ("dc1", "rack1", 0),
        ("dc2", "rack1", 0),
        ("dc3", "rack1", 0),
    ];
    let mut world = World::new().with_cluster(&places);
    let old = world.start_elsewhere(1).expect("it ran");
    world.list(&[0, 1, 2]);
    for n in [0, 2] {
        world.logged(
            n,
            &format!("rack1:dc2 is now at {}", world.spots[1].at.peers),
        );
        world
            .node(n)
            .await_stat("members_moved", |moved| moved == 1);
        world
            .node(n)
            .await_stat("peer_connections", |peers| peers == 2);
        assert_eq!(world.node(n).log().matches(" is now at ").count(), 1);
        assert_eq!(world.node(n).stat("peer_eof"), 0);
    }
    old.kill();
    set(&world, 0, "after", "x");
    for n in 0..3 {
        world.await_held(n, "after", "x");
    }
}

#[test]
fn item_10_the_own_entry_is_never_dialled_under_any_spelling() {
    let mut world = World::new();
    let (a, b) = (world.spot("dc1", "r1", 5), world.spot("dc2", "r1", 5));
    let port = world.spots[a].at.peers.port();
    // The other twin has the same rack and token; its own entry has an odd spelling, too.
    for own in [
        format!("localhost:{port}"),
        "0.0.0.0:1".to_owned(),
        "[::1]:8101".to_owned(),
    ] {
        world.write(&format!("{own}:r1:dc1:005\n{}\n", world.entry(b)));
        world.start(a);
        let node = world.node(a);
        assert_eq!(node.stat("members_added"), 1);
        eventually("it connects to its store and its peer", || {
            node.log().matches(" connecting..... to '").count() == 2
        });
        let log = node.log();
        assert!(!log.contains(&format!("to '{own}'")), "{log}");
        assert_eq!(node.stat("dnode_client_connections"), 0);
        world.spots[a].node = None;
    }
}

#[test]
fn item_11_another_port_is_another_address() {
    let mut world = World::new().with_cluster(&[("d", "r1", 0), ("d", "r2", 0)]);
    let old = world.spots[1].node.take().expect("it runs");
    let IpAddr::V4(ip) = world.spots[1].at.peers.ip() else {
        unreachable!("addresses of tests")
    };
    world.spots[1].at = Addresses::free(ip);
    world.start(1);
    world.list(&[0, 1]);
    world.logged(0, &format!("r2:d is now at {}", world.spots[1].at.peers));
    world.await_nodes(&[0], 2);
    old.kill();
    set(&world, 0, "k", "v");
    world.await_held(1, "k", "v");
}

#[test]
fn item_12_a_node_that_is_no_longer_listed_goes_after_the_grace_period() {
    let mut world = World::new().with_grace(15 * INTERVAL);
    for (rack, token) in [("r1", 0), ("r2", 0), ("r3", 0)] {
        world.spot("d", rack, token);
    }
    world.list(&[0, 1, 2]);
    world.start(0);
    world.start(1);
    world.start(2);
    world.node(0).await_stat("peer_connections", |n| n == 2);
    world.list(&[0, 1]);
    world.logged(0, "r3:d is no longer listed");
    world.logged(0, "r3:d leaves");
    world.node(0).await_stat("peer_connections", |n| n == 1);
    assert_eq!(world.node(0).stat("members_removed"), 1);
    set(&world, 0, "k", "v");
    world.await_held(1, "k", "v");
    assert_eq!(world.held(2, "k"), "$-1\\r\\n");
    // It is a cluster of its own to itself, but comes back when it is listed.
    world.list(&[0, 1, 2]);
    world.node(0).await_stat("peer_connections", |n| n == 2);
}

#[test]
fn item_12_a_list_that_would_remove_more_than_half_is_refused_with_an_alert() {
    let mut world = World::new();
    let me = world.spot("d", "r", 0);
    let entry = |n: u16| format!("127.0.0.1:{n}:r{n}:d:0\n");
    world.write(&(1..=4).map(entry).collect::<String>());
    world.start(me);
    assert_eq!(world.node(me).stat("members_added"), 4);
    for (few, text) in [(vec![1], "remove 3 of 4"), (vec![5, 6], "remove 4 of 4")] {
        world.write(&few.into_iter().map(entry).collect::<String>());
        world.logged(me, text);
    }
    world.write("");
    world.logged(me, "it is empty");
    std::fs::remove_file(world.file()).expect("a file of ours");
    world.logged(me, "No such file or directory");
    assert_eq!(world.node(me).stat("members_removed"), 0);
    world.write(&(1..=2).map(entry).collect::<String>());
    world.node(me).await_stat("members_removed", |n| n == 2);
}

#[test]
fn seeds_of_the_configuration_stay_whatever_the_list_says() {
    let mut world = World::new();
    let (a, b, c) = (
        world.spot("d", "r1", 0),
        world.spot("d", "r2", 0),
        world.spot("d", "r3", 0),
    );
    world.list(&[c]);
    world.start(b);
    world.start(c);
    let seeds = format!("\n  - {}", world.entry(b));
    let node = world.setup(a).with("dyn_seeds", seeds).start();
    node.await_stat("peer_connections", |n| n == 2);
    world.write("127.0.0.1:1:r4:d:0\n");
    logged(&node, "r4:d joins");
    logged(&node, "r3:d leaves");
    assert_eq!(node.client().ask("set k v"), b"+OK\r\n");
    world.await_held(b, "k", "v");
}

#[test]
fn a_file_that_comes_later_is_found() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let file = dir.path().join("seeds.list");
    let store = Redis::start();
    let node = Setup::before(&store)
        .with("dyn_seed_provider", "file_provider")
        .with_env("DYNOMITE_SEEDS_FILE", file.display())
        .with_env("DYNOMITE_SEEDS_INTERVAL_MS", INTERVAL)
        .start();
    logged(&node, "No such file or directory");
    let nobody = Addresses::free(Ipv4Addr::new(127, 77, 77, 77)).peers;
    std::fs::write(&file, format!("# by hand\n{nobody}:r2:d:0\n")).expect("a file");
    logged(&node, "r2:d joins");
    eventually("it is counted", || node.stat("members_added") == 1);
}

/// What the node answers to a request on its statistics port.
fn asked(node: &Node, path: &str) -> String {
    let mut stream = TcpStream::connect(node.stats_addr).expect("it listens");
    write!(stream, "GET {path} HTTP/1.0\r\n\r\n").expect("it reads");
    let mut reply = String::new();
    stream.read_to_string(&mut reply).expect("text");
    reply
}

#[test]
fn item_15_a_state_that_an_operator_has_set_survives_gossip_and_every_round() {
    let mut world = World::new().with_cluster(&[("dc1", "r1", 0), ("dc1", "r2", 0)]);
    assert!(asked(world.node(0), "/state/standby").contains(" 200 OK"));
    // A C node's gossip about itself, with all that another C node needs to consider it NORMAL.
    let entry = "dc1$r2$0,1795352269,4,127.0.0.12";
    let frame = format!("   $2014$ 0 7 0 1 1 *1 a *{}\r\n{entry}", entry.len());
    let mut peer = TcpStream::connect(world.spots[0].at.peers).expect("it listens");
    peer.write_all(frame.as_bytes()).expect("it reads");
    // A round of the provider, with a change to show that it has been.
    let third = world.spot("dc1", "r3", 0);
    world.start(third);
    world.list(&[0, 1, third]);
    world.await_nodes(&[0], 3);
    assert!(asked(world.node(0), "/state/get_state").contains("STANDBY"));
    let reply = world.client(0).ask("get k");
    assert_eq!(reply, b"$-1\r\n", "reads are answered by another rack");
    assert!(asked(world.node(0), "/state/normal").contains(" 200 OK"));
    set(&world, 0, "k", "v");
    world.await_held(0, "k", "v");
}
