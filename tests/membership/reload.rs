//! The configuration, read again by a node that runs.

use crate::common::{Node, Redis, Setup, signal};
use crate::membership::world::{World, logged};

fn conf(node: &Node) -> std::path::PathBuf {
    node.dir().join("dynomite.yml")
}

fn text(node: &Node) -> String {
    std::fs::read_to_string(conf(node)).expect("its configuration")
}

/// Gives the node another configuration, and returns what it logs of it.
#[track_caller]
fn reload(node: &Node, text: &str, last: &str) -> String {
    let before = node.log().len();
    std::fs::write(conf(node), text).expect("its configuration");
    signal("-HUP", node.pid());
    crate::common::eventually(last, || node.log()[before..].contains(last));
    node.log()[before..].to_owned()
}

#[test]
fn what_can_change_does_and_what_needs_a_restart_is_named() {
    let store = Redis::start();
    let mut node = Setup::before(&store).with("timeout", 4000).start();
    let first = text(&node);
    let mut client = node.client();
    assert_eq!(client.ask("ping"), b"+PONG\r\n");

    let changed = first.replace("timeout: 4000", "timeout: 3000")
        + "  client_connections: 1\n  read_consistency: DC_QUORUM\n  conn_msg_rate: 10\n  \
           server_retry_timeout: 2000\n  backlog: 99\n  hash: md5\n";
    let log = reload(&node, &changed, "\"hash\" is");
    for line in [
        "conf: directive \"timeout\" is '3000', it was '4000'\n",
        "conf: directive \"client_connections\" is '1', it was '0'\n",
        "conf: directive \"read_consistency\" is 'DC_QUORUM', it was 'DC_ONE'\n",
        "conf: directive \"conn_msg_rate\" is '10', it was '50000'\n",
        "conf: directive \"server_retry_timeout\" is '2000', it was '10000'\n",
        "conf: directive \"hash\" is 'md5', it was 'murmur', at the next start\n",
        "conf: directive \"backlog\" is '99', it was '512', at the next start\n",
    ] {
        assert_eq!(log.matches(line).count(), 1, "{line} {log}");
    }
    // The client that is there stays, another is one too many.
    client.expect_open();
    assert!(node.client().until_closed().starts_with(b"-ERR"));

    // A second time only what waits for a restart is left to be said.
    let log = reload(&node, &changed, "\"hash\" is");
    assert!(
        !log.contains("client_connections") && log.contains("\"backlog\" is"),
        "{log}"
    );
    // Without it nothing is.
    let log = reload(
        &node,
        &changed.replace("  backlog: 99\n  hash: md5\n", ""),
        "nothing has",
    );
    assert!(!log.contains("directive"), "{log}");

    let log = reload(&node, &first, "\"client_connections\" is '0'");
    assert!(log.contains("\"timeout\" is '4000'"), "{log}");
    node.expect_alive();
    assert_eq!(node.stat("reloads"), 4);
    assert_eq!(node.stat("reloads_refused"), 0);
}

#[test]
fn a_file_that_overrides_is_read_again_too() {
    let store = Redis::start();
    let mut node = Setup::before(&store).with("timeout", 4000).start();
    let (main, local) = (text(&node), node.dir().join("dynomite.local.yml"));
    let flush = |node: &Node| {
        let mut client = node.client();
        let reply = client.ask("flushall");
        String::from_utf8_lossy(&reply).into_owned()
    };
    assert!(flush(&node).contains("DYNOMITE_ENABLE_FLUSH=1"));
    std::fs::write(
        &local,
        "d:\n  timeout: 3000\n  enable_flush: true\n  io_uring: false\n",
    )
    .expect("the file");
    let log = reload(&node, &main, "\"io_uring\" is");
    for line in [
        "dynomite.yml' and '",
        "dynomite.local.yml' overrides timeout",
        "conf: directive \"timeout\" is '3000', it was '4000'\n",
        "conf: directive \"enable_flush\" is 'true', it was 'false'\n",
        "conf: directive \"io_uring\" is 'false', it was 'true', at the next start\n",
    ] {
        assert_eq!(log.matches(line).count(), 1, "{line} {log}");
    }
    assert_eq!(flush(&node), "+OK\r\n");
    // Nothing of either takes effect if one is wrong.
    std::fs::write(&local, "d:\n  timeout: x\n").expect("the file");
    let log = reload(
        &node,
        &main.replace("timeout: 4000", "timeout: 2000"),
        "nothing is changed",
    );
    assert!(
        log.contains("dynomite.local.yml, line 2, column 12)"),
        "{log}"
    );
    // Without it the main file counts again.
    std::fs::remove_file(&local).expect("the file");
    let log = reload(&node, &main, "\"timeout\" is '4000', it was '3000'");
    assert!(log.contains("\"enable_flush\" is 'false'"), "{log}");
    assert!(flush(&node).contains("DYNOMITE_ENABLE_FLUSH=1"));
    node.expect_alive();
}

#[test]
fn nothing_changes_if_anything_is_wrong() {
    let store = Redis::start();
    let mut node = Setup::before(&store).start();
    let good = text(&node) + "  client_connections: 1\n";
    let first = text(&node);
    let kept = node.client();
    let bogus = good.clone() + "  bogus: 1\n  timeout: x\n";
    let log = reload(&node, &bogus, "nothing is changed");
    assert!(log.contains("\"bogus\" is unknown") && log.contains("\"timeout\" is not a number"));
    for bad in [
        "",
        "x",
        "\u{1}",
        &(good.clone() + "  secure_server_option: all\n"),
    ] {
        reload(&node, bad, "nothing is changed");
    }
    std::fs::remove_file(conf(&node)).expect("its configuration");
    signal("-HUP", node.pid());
    logged(&node, "No such file or directory");
    // What would be waited for is not opened.
    let made = std::process::Command::new("mkfifo")
        .arg(conf(&node))
        .status();
    assert!(made.is_ok_and(|status| status.success()));
    signal("-HUP", node.pid());
    logged(&node, "not a regular file");
    std::fs::remove_file(conf(&node)).expect("its configuration");
    node.expect_alive();
    node.await_stat("reloads_refused", |n| n == 7);
    assert_eq!(node.stat("reloads"), 0);
    drop(kept);
    reload(&node, &first, "nothing has changed");
}

#[test]
fn seeds_of_the_configuration_change_while_the_node_runs() {
    let mut world = World::new();
    let spots = [("r1", 0), ("r2", 0), ("r3", 0)].map(|(rack, token)| world.spot("d", rack, token));
    for &n in &spots[1..] {
        world.start(n);
    }
    let [a, b, c] = spots;
    let setup = world.setup(a).with("dyn_seed_provider", "simple_provider");
    let node = setup.start();
    let first = text(&node);
    let with = |nodes: &[usize]| {
        let seeds: Vec<String> = nodes
            .iter()
            .map(|&n| format!("  - {}\n", world.entry(n)))
            .collect();
        format!("{first}  dyn_seeds:\n{}", seeds.concat())
    };
    let log = reload(&node, &with(&[b]), "\"dyn_seeds\" is");
    assert!(log.contains("r2:d joins"), "{log}");
    node.await_stat("peer_connections", |n| n == 1);
    reload(&node, &with(&[b, c]), "\"dyn_seeds\" is");
    node.await_stat("peer_connections", |n| n == 2);
    let mut client = node.client();
    assert_eq!(client.ask("set k v"), b"+OK\r\n");
    world.await_held(b, "k", "v");
    world.await_held(c, "k", "v");

    // All at once is a mistake.
    let log = reload(&node, &first, "nothing is changed");
    assert!(
        log.contains("\"dyn_seeds\": it would remove 2 of 2 other nodes"),
        "{log}"
    );
    let log = reload(&node, &with(&[c]), "\"dyn_seeds\" is");
    assert!(log.contains("r2:d leaves"), "{log}");
    node.await_stat("peer_connections", |n| n == 1);
    assert_eq!(client.ask("set k w"), b"+OK\r\n");
    world.await_held(c, "k", "w");
    assert_eq!(world.held(b, "k"), "$1\\r\\nv\\r\\n");
}
