//! Encrypted links, with each value of `secure_server_option`.

use super::{at_level, expect};
use crate::common::{Cluster, Plan, Setup, eventually, new_key, new_key_of, shown, words};
use std::path::Path;

fn secured(plan: Plan, option: &str, pem: &Path) -> Plan {
    plan.with("secure_server_option", option)
        .with("pem_key_file", pem.display())
}

#[test]
fn every_option_serves_every_level() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let pem = new_key(dir.path(), "shared");
    std::thread::scope(|scope| {
        for option in ["none", "rack", "datacenter", "all"] {
            let pem = &pem;
            scope.spawn(move || {
                let cluster = secured(Plan::of(2, 2, 2), option, pem).start();
                super::shapes::applies_each_write_once(&cluster);
                large_values(&cluster);
                pipeline(&cluster);
            });
        }
    });
}

#[test]
fn small_buffers_cut_often() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let pem = new_key(dir.path(), "shared");
    for size in [512, 1024] {
        let plan = Plan::of(2, 1, 1).with("mbuf_size", size);
        let cluster = secured(plan, "all", &pem).start();
        let mut client = at_level(cluster.client(0), "dc_each_safe_quorum");
        for length in (size - 120..size)
            .step_by(7)
            .chain((3 * size - 250..3 * size).step_by(9))
        {
            let value = vec![b'v'; length];
            let key = format!("k{length}");
            assert_eq!(
                client.ask_args(&[b"set", key.as_bytes(), &value]),
                b"+OK\r\n"
            );
            let wanted = [format!("${length}\r\n").as_bytes(), &value, b"\r\n"].concat();
            assert!(
                client.ask(&format!("get {key}")) == wanted,
                "{length} of {size}"
            );
        }
    }
}

/// Sizes around the ends of encrypted pieces, and many of them.
fn large_values(cluster: &Cluster) {
    let sizes = [
        1,
        16_270,
        16_280,
        16_281,
        16_290,
        16_300,
        16_320,
        16_336,
        32_600,
        32_640,
        65_537,
        1 << 20,
    ];
    for (through, level) in [
        (0, "dc_one"),
        (3, "dc_safe_quorum"),
        (5, "dc_each_safe_quorum"),
    ] {
        let mut client = at_level(cluster.client(through), level);
        for size in sizes {
            let value: Vec<u8> = (0..size).map(|n: u32| b'a' + (n % 23) as u8).collect();
            let key = format!("{level}{size}");
            assert_eq!(
                client.ask_args(&[b"set", key.as_bytes(), &value]),
                b"+OK\r\n"
            );
            let mut wanted = format!("${size}\r\n").into_bytes();
            wanted.extend(&value);
            wanted.extend(b"\r\n");
            assert!(client.ask(&format!("get {key}")) == wanted, "{key}");
            for owner in cluster.owners(&key) {
                eventually(&format!("{key} arrives whole"), || {
                    let mut store = cluster.members[owner].store.client();
                    store.ask(&format!("get {key}")) == wanted
                });
            }
        }
        // Many small elements, whose length lines fall on the ends of pieces.
        let elements: Vec<Vec<u8>> = (0..2000).map(|n| vec![b'e'; 1 + n % 59]).collect();
        let key = format!("list{level}");
        let mut push: Vec<&[u8]> = vec![b"rpush", key.as_bytes()];
        push.extend(elements.iter().map(Vec::as_slice));
        assert_eq!(client.ask_args(&push), b":2000\r\n");
        let mut wanted = b"*2000\r\n".to_vec();
        for element in &elements {
            wanted.extend(format!("${}\r\n", element.len()).as_bytes());
            wanted.extend(element);
            wanted.extend(b"\r\n");
        }
        assert!(client.ask(&format!("lrange {key} 0 -1")) == wanted);
    }
}

fn pipeline(cluster: &Cluster) {
    let mut client = cluster.client(6);
    let mut requests = Vec::new();
    for n in 0..2000 {
        requests.extend(words(&format!("incr piped{}", n % 20)));
    }
    let sender = client.send_aside(vec![requests]);
    for n in 0..2000 {
        assert_eq!(client.reply(), format!(":{}\r\n", n / 20 + 1).as_bytes());
    }
    sender.join().expect("it sent all");
    for n in 0..20 {
        let key = format!("piped{n}");
        for owner in cluster.owners(&key) {
            eventually("each owner counted all", || {
                cluster.members[owner].held(&key) == super::bulk("100")
            });
        }
    }
}

#[test]
fn a_node_with_another_key_is_an_error_and_disturbs_nobody_else() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let (pem, wrong) = (new_key(dir.path(), "shared"), new_key(dir.path(), "wrong"));
    let mut cluster = secured(Plan::of(1, 3, 1), "all", &pem).start();
    cluster.kill(2);
    cluster.set(2, "pem_key_file", &wrong.display().to_string());
    cluster.start_node(2);
    for level in ["dc_one", "dc_quorum", "dc_safe_quorum"] {
        let mut client = at_level(cluster.client(0), level);
        expect(&mut client, &format!("set {level} v"), "+OK\r\n");
        expect(&mut client, &format!("get {level}"), "$1\r\nv\r\n");
        let mut client = at_level(cluster.client(1), level);
        expect(&mut client, &format!("incr n{level}"), ":1\r\n");
    }
    eventually("the log says so", || {
        cluster.members[2].node().log().contains("cannot be read")
    });
    cluster.client(2).expect_open();
    // By itself it serves requests that need no other node.
    let reply = cluster.client(2).ask("set own v");
    assert_eq!(shown(&reply), "+OK\\r\\n");
}

/// Keys of other sizes than 1024 bits passed the test of the configuration, and the start refused them.
#[test]
fn larger_keys_encrypt_between_nodes_of_this_implementation() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    for bits in [2048, 4096] {
        let pem = new_key_of(dir.path(), "shared", bits);
        let cluster = secured(Plan::of(2, 2, 1), "all", &pem).start();
        let mut client = at_level(cluster.client(0), "dc_each_safe_quorum");
        expect(&mut client, &format!("set k{bits} v"), "+OK\r\n");
        cluster.await_held(&format!("k{bits}"), &["$1\\r\\nv\\r\\n"; 4]);
    }
}

#[test]
fn a_node_whose_key_has_another_size_names_both_sizes() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let small = new_key(dir.path(), "small");
    let large = new_key_of(dir.path(), "large", 2048);
    let mut cluster = secured(Plan::of(1, 2, 1), "all", &small).start();
    cluster.kill(1);
    cluster.set(1, "pem_key_file", &large.display().to_string());
    cluster.start_node(1);
    for (node, said) in [
        (0, "RSA key of 2048 bits, the key here has 1024"),
        (1, "RSA key of 1024 bits, the key here has 2048"),
    ] {
        eventually("the log says so", || {
            cluster.members[node].node().log().contains(said)
        });
    }
}

#[test]
fn encryption_is_turned_on_node_by_node() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let pem = new_key(dir.path(), "shared");
    // All know the key, and one after the other begins to use it.
    let mut cluster = secured(Plan::of(2, 2, 1), "none", &pem).start();
    for node in 0..4 {
        cluster.kill(node);
        cluster.set(node, "secure_server_option", "all");
        cluster.restart(node);
        for through in 0..4 {
            let mut client = at_level(cluster.client(through), "dc_each_safe_quorum");
            let key = format!("k{node}{through}");
            expect(&mut client, &format!("set {key} v"), "+OK\r\n");
            cluster.await_held(&key, &["$1\\r\\nv\\r\\n"; 4]);
        }
    }
    for member in &cluster.members {
        member.client().expect_open();
    }
}

#[test]
fn a_key_file_that_cannot_be_used_stops_the_start_and_is_named() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let path = dir.path().join("missing.pem");
    let redis = crate::common::Redis::start();
    let said = Setup::before(&redis)
        .with("secure_server_option", "all")
        .with("pem_key_file", path.display())
        .refuses();
    assert!(said.contains("missing.pem"), "{said}");
    std::fs::write(&path, "no key").expect("a file");
    let said = Setup::before(&redis)
        .with("secure_server_option", "all")
        .with("pem_key_file", path.display())
        .refuses();
    assert!(said.contains("missing.pem"), "{said}");
}
