//! Warming a node up while clients write: nothing that was acknowledged is lost, and nothing stalls.

use crate::admin_live::numbers;
use crate::common::{Addresses, Plan, Redis, Setup, eventually, words};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn a_warm_up_under_load_loses_no_write_and_stalls_nothing() {
    let redis = Redis::start();
    let node = Setup::before(&redis).start();
    let stop = AtomicBool::new(false);
    let acknowledged = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let (node, stop) = (&node, &stop);
                scope.spawn(move || {
                    let mut client = node.client();
                    let mut done = 0;
                    while !stop.load(Ordering::Relaxed) {
                        let reply = client.ask(&format!("set w{writer}:{done} {done}"));
                        // In no state of a warm-up is a write refused.
                        assert_eq!(reply, b"+OK\r\n");
                        done += 1;
                    }
                    done
                })
            })
            .collect();
        for _ in 0..5 {
            let before = numbers(&node)["write_responses"];
            node.await_stat("write_responses", |n| n > before + 50);
            node.told("/state/writes_only");
            node.await_stat("writes_held", |n| n == 4);
            // While writes wait, the node answers others.
            assert!(node.client().ask("echo x").starts_with(b"$1"));
            node.told("/state/resuming");
            node.told("/state/normal");
            assert_eq!(numbers(&node)["writes_held"], 0);
        }
        stop.store(true, Ordering::Relaxed);
        let done = writers.into_iter().map(|writer| writer.join().unwrap());
        done.collect::<Vec<i32>>()
    });
    let mut client = node.client();
    for (writer, done) in acknowledged.iter().enumerate() {
        assert!(*done > 0);
        for n in 0..*done {
            let value = client.ask(&format!("get w{writer}:{n}"));
            assert_eq!(
                value,
                format!("${}\r\n{n}\r\n", n.to_string().len()).into_bytes()
            );
        }
    }
    assert_eq!(numbers(&node)["held_writes_refused"], 0);
}

/// Under `DC_ONE` no reply depends on the copy; the original loses it.
#[test]
fn copies_for_a_node_in_writes_only_arrive_in_their_order() {
    let cluster = Plan::of(1, 2, 1).start();
    let far = cluster.members[1].node();
    far.told("/state/writes_only");
    let mut client = cluster.client(0);
    for n in 0..100 {
        assert_eq!(
            client.ask(&format!("append k {}", n % 10)),
            format!(":{}\r\n", n + 1).into_bytes()
        );
    }
    far.await_stat("writes_held", |n| n == 100);
    assert_eq!(cluster.members[1].held("k"), r"$-1\r\n");
    far.told("/state/normal");
    let expected = "0123456789".repeat(10);
    let value = format!(r"$100\r\n{expected}\r\n");
    cluster.await_held("k", &[&value, &value]);
}

/// Otherwise everything a peer asks would wait for the writes that are held, time out, and cost it the
/// connection.
#[test]
fn a_peers_requests_are_answered_past_its_held_writes() {
    let cluster = Plan::of(1, 1, 2).start();
    let (near, far) = (cluster.members[0].node(), cluster.members[1].node());
    let key = cluster.key_of(1, "k");
    let (mut writer, mut reader) = (near.client(), near.client());
    far.told("/state/writes_only");
    writer.send(&words(&format!("incr {key}")));
    far.await_stat("writes_held", |n| n == 1);
    let refused = "-ERR Dynomite: Dynomite's current state does not allow this request\r\n";
    for _ in 0..3 {
        assert_eq!(reader.ask(&format!("get {key}")), refused.as_bytes());
    }
    far.told("/state/normal");
    assert_eq!(writer.reply(), b":1\r\n");
    assert_eq!(reader.ask(&format!("get {key}")), b"$1\r\n1\r\n");
    assert_eq!(numbers(near)["peer_timedout_requests"], 0);
}

/// The peer is restarted while its write is held: the write is run, and no other client gets its answer.
#[test]
fn a_held_write_of_a_peer_that_left_is_run() {
    let mut cluster = Plan::of(1, 1, 2).start();
    let key = cluster.key_of(1, "k");
    cluster.members[1].node().told("/state/writes_only");
    let mut writer = cluster.client(0);
    writer.send(&words(&format!("incr {key}")));
    cluster.members[1]
        .node()
        .await_stat("writes_held", |n| n == 1);
    cluster.kill(0);
    cluster.restart(0);
    let mut client = cluster.client(0);
    cluster.members[1].node().told("/state/normal");
    assert_eq!(client.ask(&format!("incr {key}")), b":2\r\n");
    assert_eq!(client.ask(&format!("get {key}")), b"$1\r\n2\r\n");
}

#[test]
fn held_writes_outlast_a_datastore_that_restarts_meanwhile() {
    let mut cluster = Plan::of(1, 1, 1).with("server_retry_timeout", 100).start();
    let mut client = cluster.client(0);
    assert_eq!(client.ask("set a 0"), b"+OK\r\n");
    cluster.members[0].node().told("/state/writes_only");
    client.send(&words("set k v"));
    cluster.members[0]
        .node()
        .await_stat("writes_held", |n| n == 1);
    let member = &mut cluster.members[0];
    member.store.kill();
    member
        .node()
        .await_stat("datastore_connections", |n| n == 0);
    member.node().told("/state/normal");
    member.store.restart();
    assert_eq!(client.reply(), b"+OK\r\n");
    assert_eq!(client.ask("get k"), b"$1\r\nv\r\n");
}

/// One request with these fields of the head; the status.
fn status(node: &crate::common::Node, method: &str, fields: &str) -> u16 {
    let mut stream = TcpStream::connect(node.stats_addr).unwrap();
    let request = format!("{method} /state/standby HTTP/1.1\r\n{fields}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split(' ').nth(1).unwrap().parse().unwrap()
}

#[test]
fn a_page_in_an_operators_browser_cannot_change_the_node() {
    let redis = Redis::start();
    let node = Setup::before(&redis).start();
    for fields in [
        "Host: localhost:22222\r\nOrigin: https://evil.example\r\n",
        "Host: localhost:22222\r\nSec-Fetch-Site: cross-site\r\n",
        "Host: rebound.evil.example:22222\r\n",
        "Host: localhost\r\nOrigin: null\r\n",
    ] {
        for method in ["GET", "POST"] {
            assert_eq!(status(&node, method, fields), 403, "{method} {fields}");
        }
    }
    assert_eq!(node.told("/state/get_state"), "State: NORMAL\n");
    assert_eq!(numbers(&node)["changes_refused"], 8);
    eventually("the refusals are in the log", || {
        let log = node.log();
        log.contains("/state/standby of 127.0.0.1:") && log.contains("refused: ")
    });
    assert_eq!(status(&node, "POST", "Host: localhost\r\n"), 200);
    assert_eq!(node.told("/state/get_state"), "State: STANDBY\n");
}

/// Each of these changed the node.
#[test]
fn what_goes_round_the_guard_of_changes_is_refused() {
    let redis = Redis::start();
    let node = Setup::before(&redis).start();
    let name = node.info()["source"].as_str().unwrap().to_owned();
    let short = name.split('.').next().unwrap().to_owned();
    let is_refused = |request: String| {
        let mut stream = TcpStream::connect(node.stats_addr).unwrap();
        let request = format!("{request}Connection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.starts_with("HTTP/1.1 403 ")
    };
    let at = node.stats_addr;
    for (line, fields) in [
        (
            "GET /state/standby",
            format!("Host: {at}\r\nReferer: http://evil.example/\r\n"),
        ),
        (
            "POST /state/standby",
            format!("Host: {at}\r\nReferer: http://evil.example/\r\n"),
        ),
        (
            "GET /state/standby",
            format!("Host: {at}\r\nSec-Fetch-Mode: no-cors\r\n"),
        ),
        (
            "GET /state/standby",
            format!("Host: {at}\r\nUser-Agent: Mozilla/5.0\r\n"),
        ),
        (
            "POST /state/standby",
            format!("Host: {short}.evil.example:22222\r\n"),
        ),
        ("GET /%73tate/standby", format!("Host: {at}\r\n")),
        ("POST /state/%73tandby", format!("Host: {at}\r\n")),
        ("GET /state/standby?", format!("Host: {at}\r\n")),
        (
            "GET http://evil.example/state/standby",
            format!("Host: {at}\r\n"),
        ),
        ("POST http://evil.example/state/standby", String::new()),
    ] {
        assert!(
            is_refused(format!("{line} HTTP/1.1\r\n{fields}")),
            "{line} {fields}"
        );
    }
    assert_eq!(node.told("/state/get_state"), "State: NORMAL\n");
    assert_eq!(numbers(&node)["changes_refused"], 10);
    assert!(!is_refused(format!(
        "GET http://{at}/state/standby HTTP/1.1\r\nHost: {at}\r\n"
    )));
    assert_eq!(node.told("/state/get_state"), "State: STANDBY\n");
}

/// An address of this machine that is not loopback, if there is one.
fn outside() -> Option<std::net::IpAddr> {
    let socket = std::net::UdpSocket::bind("0.0.0.0:0").ok()?;
    // Nothing is sent: it only asks for the route.
    socket.connect("192.0.2.1:9").ok()?;
    let ip = socket.local_addr().ok()?.ip();
    (!ip.is_loopback() && !ip.is_unspecified()).then_some(ip)
}

#[test]
fn this_machine_may_call_itself_by_any_of_its_addresses() {
    let Some(ip) = outside() else {
        println!("this machine has no address but loopback: nothing was tested");
        return;
    };
    let redis = Redis::start();
    let probe = std::net::TcpListener::bind((ip, 0)).unwrap();
    let stats = probe.local_addr().unwrap();
    drop(probe);
    let free = Addresses::free(std::net::Ipv4Addr::LOCALHOST);
    let node = Setup::before(&redis)
        .at(Addresses { stats, ..free })
        .start();
    let host = format!("Host: {stats}\r\n");
    assert_eq!(status(&node, "GET", &host), 200);
}
