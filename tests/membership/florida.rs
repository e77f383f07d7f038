//! `florida_provider` in a running node.

use crate::common::{Addresses, Node, Redis, Setup, eventually};
use crate::membership::served::Florida;
use crate::membership::world::logged;
use std::net::Ipv4Addr;

const REQUEST: &str =
    "GET /REST/v1/admin/get_seeds HTTP/1.0\r\nHost: 127.0.0.1\r\nUser-Agent: HTMLGET 1.0\r\n\r\n";

fn asking(florida: &Florida, store: &Redis, interval: u32) -> Setup {
    Setup::before(store)
        .with_token(9)
        .with("dyn_seed_provider", "florida_provider")
        .with("gos_interval", 1000)
        .with_env("DYNOMITE_FLORIDA_PORT", florida.addr.port())
        .with_env("DYNOMITE_SEEDS_INTERVAL_MS", interval)
        .with_env("DYNOMITE_SEEDS_GRACE_MS", 0)
}

/// Addresses of this machine on which nothing listens.
fn nobody(n: u8) -> String {
    Addresses::free(Ipv4Addr::new(127, 77, 77, n))
        .peers
        .to_string()
}

#[track_caller]
fn await_polls(florida: &Florida, more: usize) {
    let before = florida.asked();
    eventually("it is asked again", || florida.asked() >= before + more);
}

#[test]
fn item_3_polls_go_on_without_gossip_and_an_unchanged_list_is_no_action() {
    let florida = Florida::new(&format!("{}:r2:d:1", nobody(1)));
    let store = Redis::start();
    let node = asking(&florida, &store, 10)
        .with("enable_gossip", "false")
        .start();
    // The first poll comes before the first client, and so before any gos_interval.
    assert!(florida.asked() >= 1);
    await_polls(&florida, 20);
    assert_eq!(node.stat("members_added"), 1);
    logged(&node, " joins");
    logged(&node, "the first list has 1 other nodes");
    let log = node.log();
    assert_eq!(log.matches(" joins").count(), 1, "{log}");
    assert_eq!(log.matches("the first list has 1 other nodes").count(), 1);
}

#[test]
fn item_4_the_default_request_is_byte_exact_and_a_path_will_do() {
    let florida = Florida::new("127.0.0.1:1:r2:d:1");
    let store = Redis::start();
    let node = asking(&florida, &store, 60_000).start();
    assert_eq!(florida.last(), REQUEST);
    drop(node);
    let _node = asking(&florida, &store, 60_000)
        .with_env("DYNOMITE_FLORIDA_IP", "127.1")
        .with_env("DYNOMITE_FLORIDA_REQUEST", "/seeds")
        .start();
    assert_eq!(
        florida.last(),
        "GET /seeds HTTP/1.0\r\nHost: 127.1\r\nUser-Agent: HTMLGET 1.0\r\n\r\n"
    );
}

#[test]
fn item_5_answers_of_all_servers_are_understood() {
    let florida = Florida::new("127.0.0.1:1:r2:d:1|127.0.0.1:1:r3:d:1");
    let store = Redis::start();
    let node = asking(&florida, &store, 10).start();
    // Each list moves the two nodes to another port.
    type Say = fn(&Florida, &str, &str);
    let says: [Say; 9] = [
        |f, a, b| f.bytes(&format!("HTTP/1.0 200 OK\r\n\r\n{a}|{b}")),
        |f, a, b| f.bytes(&format!("HTTP/1.0 200 OK\n\n{a}|{b}\n")),
        |f, a, b| f.list(&format!("|{a}||{b}|\r\n")),
        |f, a, b| f.list(&format!("{a}\r\n{b}\r\n")),
        |f, a, b| f.list(&format!("{b}\n{a}")),
        |f, a, b| {
            let body = format!("{a}|{b}");
            let length = body.len();
            f.kept(&format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n{body}"
            ));
        },
        |f, a, b| {
            let (x, y) = (a.len() + 1, b.len());
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            f.kept(&format!(
                "{head}{x:x}\r\n{a}|\r\n{y:X};q=1\r\n{b}\r\n0\r\n\r\n"
            ));
        },
        |f, a, b| f.bytes(&format!("HTTP/1.1 200\r\nServer: x\r\n\r\n{a} | {b} ")),
        |f, a, b| {
            f.bytes(&format!(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\n\r\n{a}|{b}"
            ))
        },
    ];
    for (n, say) in says.iter().enumerate() {
        let port = 2 + n;
        let a = format!("127.0.0.1:{port}:r2:d:1");
        let b = format!("127.0.0.1:{port}:r3:d:1");
        say(&florida, &a, &b);
        logged(&node, &format!("r2:d is now at 127.0.0.1:{port}"));
        logged(&node, &format!("r3:d is now at 127.0.0.1:{port}"));
    }
    assert_eq!(node.stat("members_removed"), 0);
    assert_eq!(node.stat("seed_lists_refused"), 0);
}

#[test]
fn item_6_what_is_no_list_is_refused_and_the_last_good_one_kept() {
    let good = "127.0.0.1:1:r2:d:1|127.0.0.1:1:r3:d:1";
    let florida = Florida::new(good);
    let store = Redis::start();
    let node = asking(&florida, &store, 10).start();
    let ok = "HTTP/1.0 200 OK\r\n\r\n";
    for (answer, reason) in [
        (
            "HTTP/1.0 500 No\r\n\r\nx".to_owned(),
            "answers HTTP/1.0 500 No",
        ),
        (
            "HTTP/1.0 404 Not Found\r\n\r\n".to_owned(),
            "answers HTTP/1.0 404",
        ),
        (ok.to_owned(), "it is empty"),
        (format!("{ok}\r\n"), "it is empty"),
        (
            format!("{ok}{good}|127.0.0.1:1:r4:d"),
            "'127.0.0.1:1:r4:d' has an invalid format",
        ),
        (
            format!("{ok}{good}|127.0.0.1:1:r4:d:abc"),
            "not a decimal number",
        ),
        (
            format!("{ok}{good}|127.0.0.1:2:r3:d:1"),
            "are the same datacenter, rack and token",
        ),
        (
            format!("{ok}[{{\"token\":\"1\"}}]"),
            "has an invalid format",
        ),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 500\r\n\r\n127.0.0.1:1:r2:d:1".into(),
            "cut short",
        ),
        ("hello\r\n".to_owned(), "is no HTTP: hello"),
    ] {
        florida.bytes(&answer);
        logged(&node, reason);
        await_polls(&florida, 3);
    }
    assert_eq!(node.stat("members_removed"), 0);
    assert!(node.stat("seed_lists_refused") >= 30);
    florida.list(good);
    logged(&node, "seeds: the list is good again");
    let log = node.log();
    // Once per change, not per poll.
    assert_eq!(log.matches("the list is not used").count(), 9, "{log}");
    assert_eq!(log.matches(" joins").count(), 2, "{log}");
}

#[test]
fn item_6_a_server_that_says_nothing_holds_up_neither_start_nor_requests_nor_stop() {
    let florida = Florida::new("");
    florida.kept("");
    let store = Redis::start();
    let mut node = asking(&florida, &store, 10).start();
    node.expect_alive();
    logged(&node, "timed out");
    node.expect_alive();
    assert!(node.stop().success());
}

#[test]
fn item_6_ten_thousand_failures_cost_nothing() {
    let closed = {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("a bound socket").port()
    };
    let store = Redis::start();
    let florida = Florida::new("127.0.0.1:1:r2:d:1");
    // There must have been a list: until then the waits are longer.
    let node = asking(&florida, &store, 1).start();
    florida.bytes("HTTP/1.0 500 No\r\n\r\n");
    node.await_stat("seed_lists_refused", |n| n >= 500);
    let before = (files(&node), node.resident());
    for failures in 1..=10 {
        node.await_stat("seed_lists_refused", |n| n >= 500 + 1000 * failures);
    }
    let after = (files(&node), node.resident());
    assert!(after.0 <= before.0 + 2, "{before:?} {after:?}");
    assert!(after.1 < before.1 + (4 << 20), "{before:?} {after:?}");

    // Nor do failures to connect, which come one at a time here.
    let alone = Setup::before(&store)
        .with("dyn_seed_provider", "florida_provider")
        .with_env("DYNOMITE_FLORIDA_PORT", closed)
        .with_env("DYNOMITE_SEEDS_INTERVAL_MS", 1)
        .start();
    alone.await_stat("seed_lists_refused", |n| n >= 10);
    let before = files(&alone);
    alone.await_stat("seed_lists_refused", |n| n >= 1000);
    assert!(files(&alone) <= before + 2);
    logged(&alone, "Connection refused");
    let log = alone.log();
    assert_eq!(log.matches("Connection refused").count(), 1, "{log}");
}

/// Its open files.
fn files(node: &Node) -> usize {
    let folder = std::fs::read_dir(format!("/proc/{}/fd", node.pid()));
    folder.expect("a running process").count()
}
