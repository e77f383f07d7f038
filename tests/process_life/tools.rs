//! The operator's tools of `contrib/tools`.

use crate::process::{Client, Conf, Node, Outcome, free_address, redis_behind, run};
use std::fs;
use std::process::Command;

fn tool(name: &str, node: &Conf, arguments: &[&str]) -> Outcome {
    let (host, port) = node.get("listen").rsplit_once(':').unwrap();
    run(Command::new("python3")
        .arg(format!(
            "{}/contrib/tools/{name}",
            env!("CARGO_MANIFEST_DIR")
        ))
        .args(["-H", host, "-P", port])
        .args(arguments))
}

fn has_python() -> bool {
    let there = crate::service::has("python3");
    if !there {
        eprintln!("skipped: there is no python3");
    }
    there
}

/// A node that clients reach by port.
fn conf(dir: &std::path::Path) -> Conf {
    Conf::new(dir)
        .set("listen", free_address())
        .set("stats_listen", free_address())
}

#[test]
fn check_tells_whether_a_node_serves() {
    if !has_python() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let conf = conf(dir.path());
    let redis = redis_behind(&conf);
    let mut node = Node::start(conf.clone());
    let stats = conf.get("stats_listen");
    let well = tool("dynomite-check", &conf, &["-s", stats, "-p", "0"]);
    assert_eq!(well.code(), Some(0), "{well:?}");
    assert!(well.stdout.contains("\nversion v") && well.stdout.contains("\nserver_ejects 0\n"));
    // Nothing of it stays.
    let mut client = node.client();
    client.ask(&["DBSIZE"], ":0\r\n");

    let alone = tool("dynomite-check", &conf, &["-s", stats, "-p", "2"]);
    assert_eq!(alone.code(), Some(1), "{alone:?}");
    assert!(
        alone.stdout.contains("FAILED: 2 peer connections"),
        "{alone:?}"
    );

    drop(redis);
    let lost = tool("dynomite-check", &conf, &["-s", stats, "-T", "1"]);
    assert_eq!(lost.code(), Some(1), "{lost:?}");
    assert!(lost.stdout.contains("FAILED: SET "), "{lost:?}");
    node.stop();
    let gone = tool("dynomite-check", &conf, &["-s", ""]);
    assert_eq!(gone.code(), Some(1), "{gone:?}");
    assert!(gone.stdout.starts_with("FAILED: "), "{gone:?}");
}

#[test]
fn check_speaks_memcached_where_the_node_does() {
    if !has_python() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let memcached = crate::common::Memcached::start();
    let conf = conf(dir.path())
        .set("data_store", 1)
        .set("servers", format!("{}:1", memcached.socket().display()));
    let _node = Node::start(conf.clone());
    let stats = conf.get("stats_listen");
    let well = tool("dynomite-check", &conf, &["-s", stats, "-p", "0"]);
    assert_eq!(well.code(), Some(0), "{well:?}");
    assert!(
        well.stdout.contains("\nok: delete dynomite-check:"),
        "{well:?}"
    );
    drop(memcached);
    let lost = tool("dynomite-check", &conf, &["-s", stats, "-T", "1"]);
    assert_eq!(lost.code(), Some(1), "{lost:?}");
    assert!(lost.stdout.contains("FAILED: set "), "{lost:?}");
}

#[test]
fn purge_deletes_what_the_node_owns_and_only_in_admin_mode() {
    if !has_python() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // Half of the ring belongs to a node that is not there.
    let other = free_address();
    let conf = conf(dir.path())
        .set("tokens", "'0'")
        .set("dyn_seeds", format!("{other}:localrack:localdc:2147483648"));
    let redis = redis_behind(&conf);
    let mut store = Client::connect(&redis.socket().display().to_string()).unwrap();
    let keys: Vec<String> = (0..250).map(|n| format!("key {n}")).collect();
    for key in &keys {
        store.ask(&["SET", key, "v"], "+OK\r\n");
    }
    let file = dir.path().join("keys");
    fs::write(&file, keys.join("\n") + "\n\nabsent-1\nabsent-2").unwrap();
    let file = file.display().to_string();
    let size = |store: &mut Client| {
        store.send(b"*1\r\n$6\r\nDBSIZE\r\n");
        let mut line = String::new();
        while !line.ends_with("\r\n") {
            let mut byte = [0];
            std::io::Read::read_exact(store, &mut byte).unwrap();
            line.push(byte[0].into());
        }
        line[1..].trim().parse::<usize>().unwrap()
    };

    // Everywhere else the deletions would be those of all replicas.
    let mut node = Node::start(conf.clone());
    let refused = tool("dynomite-purge", &conf, &["-f", &file]);
    assert_eq!(refused.code(), Some(2), "{refused:?}");
    assert!(refused.stderr.contains("nothing is deleted"), "{refused:?}");
    assert_eq!(size(&mut store), keys.len());
    node.stop();

    let mut node = Node::start_with(conf.clone(), |command| {
        command.args(["-x", "1"]);
    });
    let purged = tool("dynomite-purge", &conf, &["-f", &file, "-r", "0"]);
    assert_eq!(purged.code(), Some(0), "{purged:?}");
    let left = size(&mut store);
    let deleted = keys.len() - left;
    assert!(deleted > 50 && left > 50, "{deleted} deleted, {left} left");
    let counted = format!("deleted {deleted}, absent ");
    assert!(purged.stdout.starts_with(&counted), "{purged:?}");
    assert!(purged.stdout.ends_with(", failed 0\n"), "{purged:?}");

    // Once more: nothing of the node's own is left.
    let again = tool("dynomite-purge", &conf, &["-f", &file]);
    assert_eq!(again.code(), Some(0), "{again:?}");
    assert!(again.stdout.starts_with("deleted 0, "), "{again:?}");
    assert_eq!(size(&mut store), left);
    node.stop();
    let nobody = tool("dynomite-purge", &conf, &["-f", &file]);
    assert_eq!(nobody.code(), Some(1), "{nobody:?}");
}
