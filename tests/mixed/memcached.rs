//! Clusters before memcacheds. The original crashes at the first `get` of a client of its own, and
//! hands a client's `noreply` on as it is; a client of ours may ask for anything.

use super::{mixed, other};
use crate::common::frames::{Request, ask, get, set};
use crate::common::{Cluster, Plan, TextClient, eventually};
use std::path::Path;

/// A value as a reply.
fn value(key: &str, flags: u32, text: &str) -> String {
    format!("VALUE {key} {flags} {}\r\n{text}\r\nEND\r\n", text.len())
}

/// That each of these nodes' memcacheds answers so.
#[track_caller]
fn await_all(cluster: &Cluster, nodes: &[usize], line: &str, reply: &str) {
    for &node in nodes {
        eventually(
            &format!("node {node} answers {line:?} with {reply:?}"),
            || {
                let mut store = cluster.members[node].store.memcached().client();
                store.ask(line) == reply.as_bytes()
            },
        );
    }
}

fn cluster(program: &Path, others: &[usize], racks: usize, nodes: usize) -> Cluster {
    mixed(Plan::of(1, racks, nodes).of_memcached(), others, program).start()
}

/// Everything a client of ours may want, of keys with these owners.
fn serves(cluster: &Cluster, client: &mut TextClient, key: &str) {
    let owners = cluster.owners(key);
    client.expect(&format!("set {key} 7 0 3\r\nabc"), "STORED\r\n");
    await_all(
        cluster,
        &owners,
        &format!("get {key}"),
        &value(key, 7, "abc"),
    );
    client.expect(&format!("get {key}"), &value(key, 7, "abc"));
    client.expect(&format!("gat 1000 {key}"), &value(key, 7, "abc"));
    client.expect(
        &format!("mg {key} v f k Oq"),
        &format!("VA 3 f7 k{key} Oq\r\nabc\r\n"),
    );
    client.send(format!("set {key} 0 0 2 noreply\r\n10\r\n").as_bytes());
    client.send(format!("incr {key} 5 noreply\r\n").as_bytes());
    client.expect(&format!("incr {key} 1"), "16\r\n");
    await_all(
        cluster,
        &owners,
        &format!("get {key}"),
        &value(key, 0, "16"),
    );
    client.expect(&format!("ms {key} 2 T-1\r\nxy"), "HD\r\n");
    await_all(cluster, &owners, &format!("get {key}"), "END\r\n");
    client.expect(&format!("set {key} 0 -1 1\r\nx"), "STORED\r\n");
    await_all(cluster, &owners, &format!("get {key}"), "END\r\n");
    client.expect(&format!("ms {key} 1 q\r\nz\r\nmd {key} q\r\nmn"), "MN\r\n");
    await_all(cluster, &owners, &format!("get {key}"), "END\r\n");
    client.expect(&format!("add {key} 0 0 1\r\nx"), "STORED\r\n");
    client.expect(&format!("append {key} 0 0 1\r\ny"), "STORED\r\n");
    await_all(
        cluster,
        &owners,
        &format!("get {key}"),
        &value(key, 0, "xy"),
    );
    client.expect(&format!("delete {key}"), "DELETED\r\n");
    await_all(cluster, &owners, &format!("get {key}"), "END\r\n");
}

#[test]
fn three_racks() {
    let Some(program) = other() else { return };
    for others in [&[1][..], &[2], &[1, 2]] {
        let cluster = cluster(&program, others, 3, 1);
        let mut client = cluster.text_client(0);
        serves(&cluster, &mut client, "k");
    }
}

#[test]
fn keys_that_nodes_of_the_original_own() {
    let Some(program) = other() else { return };
    let cluster = cluster(&program, &[1], 1, 2);
    let mut client = cluster.text_client(0);
    let (mine, its) = (cluster.key_of(0, "a"), cluster.key_of(1, "b"));
    serves(&cluster, &mut client, &its);
    for key in [&mine, &its] {
        client.expect(&format!("set {key} 0 0 1\r\nx"), "STORED\r\n");
    }
    let block = |key: &str| format!("VALUE {key} 0 1\r\nx\r\n");
    client.expect(
        &format!("get {its} nowhere {mine}"),
        &format!("{}{}END\r\n", block(&its), block(&mine)),
    );
    let refused =
        "SERVER_ERROR Dynomite: command is unknown to a peer that runs the original Dynomite\r\n";
    client.expect(&format!("mg {its} t"), refused);
    client.expect(&format!("get {its}"), &format!("{}END\r\n", block(&its)));
}

#[test]
fn versions_of_a_node_of_the_original() {
    let Some(program) = other() else { return };
    // The first rack's is the original; it is what gives versions.
    let cluster = cluster(&program, &[0], 2, 1);
    let (mut one, mut two) = (cluster.text_client(1), cluster.text_client(1));
    one.expect("set k 0 0 1\r\na", "STORED\r\n");
    let (first, second) = (one.cas_id("k"), two.cas_id("k"));
    assert_eq!(first, second);
    one.expect(&format!("cas k 0 0 1 {first}\r\nb"), "STORED\r\n");
    two.expect(&format!("cas k 0 0 1 {second}\r\nc"), "EXISTS\r\n");
    await_all(&cluster, &[0, 1], "get k", &value("k", 0, "b"));
}

#[test]
fn clients_of_the_original_write_to_ours() {
    let Some(program) = other() else { return };
    let cluster = cluster(&program, &[0], 2, 2);
    let mut client = cluster.text_client(0);
    for n in 0..20 {
        let key = format!("k{n}");
        client.expect(&format!("set {key} 0 0 2\r\n10"), "STORED\r\n");
        client.expect(&format!("incr {key} 5"), "15\r\n");
        client.expect(&format!("touch {key} 1000"), "TOUCHED\r\n");
        let owners = cluster.owners(&key);
        await_all(
            &cluster,
            &owners,
            &format!("get {key}"),
            &value(&key, 0, "15"),
        );
        let mut ours = cluster.text_client(1);
        ours.expect(&format!("get {key}"), &value(&key, 0, "15"));
        client.expect(&format!("delete {key}"), "DELETED\r\n");
    }
}

/// A client of the binary protocol, whose keys a node of the original owns.
#[test]
fn the_binary_protocol_before_a_node_of_the_original() {
    let Some(program) = other() else { return };
    for (others, racks, nodes) in [(&[1][..], 1, 2), (&[1], 2, 1)] {
        let cluster = cluster(&program, others, racks, nodes);
        let key = match nodes {
            1 => "k".to_owned(),
            _ => cluster.key_of(1, "b"),
        };
        let owners = cluster.owners(&key);
        let key = key.as_bytes();
        let mut client = cluster.client(0);
        let stored = ask(&mut client, &set(key, b"10"));
        assert_eq!(stored.status(), 0);
        let found = ask(&mut client, &get(key));
        assert!(found.status() == 0 && found.bytes.ends_with(b"10"));
        // The version of the reply is good for one comparison.
        let swap = Request {
            unique: found.unique,
            ..set(key, b"20")
        };
        assert_eq!(ask(&mut client, &swap).status(), 0);
        assert_eq!(ask(&mut client, &swap).status(), 2);
        let count = |time: u32| Request {
            opcode: 0x05,
            extras: [&[0, 0, 0, 0, 0, 0, 0, 1][..], &[0; 8], &time.to_be_bytes()].concat(),
            ..get(key)
        };
        let counted = ask(&mut client, &count(u32::MAX));
        assert!(counted.status() == 0 && counted.bytes.ends_with(&[0, 21]));
        let append = Request {
            opcode: 0x0e,
            extras: vec![],
            ..set(key, b"!")
        };
        assert_eq!(ask(&mut client, &append).status(), 0);
        let key = String::from_utf8_lossy(key);
        await_all(
            &cluster,
            &owners,
            &format!("get {key}"),
            &value(&key, 0, "21!"),
        );
        let delete = Request {
            opcode: 0x04,
            ..get(key.as_bytes())
        };
        assert_eq!(ask(&mut client, &delete).status(), 0);
        await_all(&cluster, &owners, &format!("get {key}"), "END\r\n");
        if nodes > 1 {
            // What it cannot be asked, in words.
            let told = ask(&mut client, &count(0));
            assert_eq!(told.status(), 0x83);
            assert!(
                told.bytes
                    .ends_with(b"a peer that runs the original Dynomite")
            );
        }
    }
}

/// The question by which it is recognized.
#[test]
fn a_node_of_the_original_is_recognized_without_a_miss() {
    let Some(program) = other() else { return };
    let cluster = cluster(&program, &[1], 2, 1);
    let mut client = cluster.text_client(0);
    client.expect("set k 0 0 1\r\nx", "STORED\r\n");
    for member in &cluster.members {
        let store = member.store.memcached();
        eventually("the item is there", || store.stat("cmd_set") == 1);
        for name in ["get_misses", "incr_misses", "incr_hits", "touch_misses"] {
            assert_eq!(store.stat(name), 0, "{name}");
        }
    }
}
