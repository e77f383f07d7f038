//! The operator's tools of `contrib/tools`.

use crate::process_life::process::{Client, Conf, Node, Outcome, free_address, redis_behind, run};
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
    let there = crate::process_life::service::has("python3");
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

/// A node of a rack of three: its address for peers, its place, and the others as its seeds.
fn member(dir: &std::path::Path, at: &[String], me: usize, tokens: [&str; 3]) -> Conf {
    let seeds = (0..3).filter(|other| *other != me);
    let seeds = seeds.map(|other| format!("\n  - {}:r:d:{}", at[other], tokens[other]));
    conf(dir)
        .set("datacenter", "d")
        .set("rack", "r")
        .set("dyn_listen", &at[me])
        .set("tokens", format!("'{}'", tokens[me]))
        .set("dyn_seeds", seeds.collect::<String>())
}

/// Runs the tool on a node's statistics until what it prints is as it should be.
fn until(stats: &Conf, arguments: &[&str], is: impl Fn(&Outcome) -> bool) -> Outcome {
    let deadline = std::time::Instant::now() + std::time::Duration::from_secs(60);
    let address = stats.get("stats_listen").to_owned();
    let arguments = [&["-s", &address, "-T", "5"], arguments].concat();
    loop {
        let outcome = tool("dynomite-check", stats, &arguments);
        if is(&outcome) {
            return outcome;
        }
        assert!(std::time::Instant::now() < deadline, "{outcome:?}");
    }
}

/// A mistyped token, and a client port in place of a peer port, cost keys in silence.
#[test]
fn check_shows_which_node_of_a_cluster_differs() {
    if !has_python() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at: Vec<String> = (0..3).map(|_| free_address().to_string()).collect();
    let right = ["0", "1431655765", "2863311530"];
    let confs: Vec<Conf> = (0..3)
        .map(|me| {
            let home = dir.path().join(me.to_string());
            fs::create_dir(&home).unwrap();
            member(&home, &at, me, right)
        })
        .collect();
    let _stores: Vec<_> = confs.iter().map(redis_behind).collect();
    let mut nodes: Vec<Node> = confs.iter().cloned().map(Node::start).collect();
    let well = until(&confs[0], &["--cluster"], |outcome| {
        outcome.code() == Some(0)
    });
    assert!(
        well.stdout.ends_with("\nok: 3 nodes, all settings match\n"),
        "{well:?}"
    );
    for address in &at {
        let row = well.stdout.lines().find(|line| line.starts_with(address));
        assert!(row.is_some_and(|row| row.ends_with("s  ready")), "{well:?}");
    }

    // The first node has a wrong token of the second, and the port for clients of the third.
    nodes[0].stop();
    let wrong = confs[0].clone().set(
        "dyn_seeds",
        format!(
            "\n  - {}:r:d:1431655\n  - {}:r:d:{}",
            at[1],
            confs[2].get("listen"),
            right[2]
        ),
    );
    let _first = Node::start(wrong.clone());
    let bad = until(&wrong, &["--cluster"], |outcome| {
        outcome.stdout.contains("Redis' protocol") && outcome.stdout.contains("1431655:")
    });
    assert_eq!(bad.code(), Some(1), "{bad:?}");
    let lists = "it says that its tokens are 1431655765, this node lists it with 1431655:";
    for text in [
        lists,
        "speaks Redis' protocol, not the protocol between nodes",
        "address: correct the port in dyn_seeds",
        "tokens: compare 'tokens' in the file of that node",
    ] {
        assert!(bad.stdout.contains(text), "{text} is not in {bad:?}");
    }
    // Asked by way of another node, the first one is the one that differs.
    let other = until(&confs[1], &["--cluster"], |outcome| {
        outcome.stdout.contains(lists)
    });
    let blamed = format!("FAILED: {}: ring is '", at[0]);
    assert!(other.stdout.contains(&blamed), "{other:?}");
}

#[test]
fn check_explains_a_wrong_port_and_shows_whole_errors() {
    if !has_python() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let conf = conf(dir.path());
    let redis = redis_behind(&conf);
    let _node = Node::start(conf.clone());
    let (stats, listen, peers) = (
        conf.get("stats_listen"),
        conf.get("listen"),
        conf.get("dyn_listen"),
    );
    // Statistics asked of wrong ports: of clients, of peers, an unused one, and no port at all.
    for wrong in [listen, peers, &free_address().to_string(), "127.0.0.1"] {
        for more in [&[][..], &["--cluster"]] {
            let found = tool(
                "dynomite-check",
                &conf,
                &[&["-T", "1", "-s", wrong], more].concat(),
            );
            assert_eq!(found.code(), Some(1), "{found:?}");
            assert!(
                found.stdout.contains("FAILED: ")
                    && found.stdout.contains("-s needs HOST:PORT of stats_listen"),
                "{found:?}"
            );
            assert_eq!(found.stderr, "", "{found:?}");
        }
    }
    // Requests sent to a port that serves none.
    for wrong in [stats, peers] {
        let (host, port) = wrong.rsplit_once(':').unwrap();
        let found = tool(
            "dynomite-check",
            &conf,
            &["-T", "1", "-s", "", "-H", host, "-P", port],
        );
        assert_eq!(found.code(), Some(1), "{found:?}");
        assert!(
            found.stdout.starts_with(&format!("FAILED: {wrong}"))
                && found.stdout.contains("-P needs the port of listen"),
            "{found:?}"
        );
        assert_eq!(found.stderr, "");
    }
    drop(redis);
    let lost = tool("dynomite-check", &conf, &["-s", "", "-T", "1"]);
    assert!(
        lost.stdout
            .contains("-> ERR Storage: Datastore refused connection\n"),
        "{lost:?}"
    );
}

/// `dynomite-check | head -1` ended in a traceback.
#[test]
fn tools_end_quietly_when_nobody_reads_on() {
    if !has_python() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let conf = conf(dir.path());
    let _redis = redis_behind(&conf);
    let _node = Node::start(conf.clone());
    let (host, port) = conf.get("listen").rsplit_once(':').unwrap();
    let tools = concat!(env!("CARGO_MANIFEST_DIR"), "/contrib/tools");
    for line in [
        format!(
            "python3 -u {tools}/dynomite-check -H {host} -P {port} -s {} | true",
            conf.get("stats_listen")
        ),
        format!("python3 {tools}/dynomite-check -H {host} -P {port} -s '' | true"),
        format!("echo key | python3 {tools}/dynomite-purge --force -H {host} -P {port} | true"),
    ] {
        let outcome = run(Command::new("sh").args(["-c", &line]));
        assert_eq!(outcome.stderr, "", "{line}");
    }
}
