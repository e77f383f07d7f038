//! Monitoring that asks much too often disturbs no client. What it costs is measured by
//! `make bench BENCH=admin`.

use crate::admin_live::numbers;
use crate::common::{Node, PATIENCE, Redis, Setup};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// How many `/ping` there are, and how many new clients of Redis meanwhile.
const PINGS: usize = 50_000;
const CLIENTS: usize = 5_000;
/// Requests on one connection: as many as the endpoint serves.
const BATCH: usize = 100;

/// So many `/ping` on a new connection, all answered.
fn ping(node: &Node, count: usize) {
    let mut stream = TcpStream::connect(node.stats_addr).expect("the statistics port");
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let request = "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let last = "GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let text = request.repeat(count - 1) + last;
    stream.write_all(text.as_bytes()).unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    assert_eq!(answers.matches("HTTP/1.1 200 OK\r\n").count(), count);
    assert_eq!(answers.matches("\r\n\r\nOK\r\n").count(), count);
}

#[test]
fn items_12_and_13_silent_connections_50000_pings_and_a_scrape_every_10_ms_fail_no_request() {
    let redis = Redis::start();
    let node = Setup::before(&redis).start();
    let before = numbers(&node);
    let silent: Vec<TcpStream> = (0..200)
        .map(|_| TcpStream::connect(node.stats_addr).unwrap())
        .collect();
    let (stop, scrapes, requests) = (
        AtomicBool::new(false),
        AtomicUsize::new(0),
        AtomicUsize::new(0),
    );
    std::thread::scope(|scope| {
        let pinging = scope.spawn(|| {
            for _ in 0..PINGS / BATCH {
                ping(&node, BATCH);
            }
        });
        let connecting: Vec<_> = (0..2)
            .map(|thread| {
                let node = &node;
                scope.spawn(move || {
                    for n in 0..CLIENTS / 2 {
                        let mut client = node.client();
                        let (key, value) = (format!("{thread}:{n}"), format!("v{thread}:{n}"));
                        assert_eq!(client.ask(&format!("set {key} {value}")), b"+OK\r\n");
                        let expected = format!("${}\r\n{value}\r\n", value.len());
                        assert_eq!(client.ask(&format!("get {key}")), expected.into_bytes());
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                let next = Instant::now() + Duration::from_millis(10);
                assert!(node.told("/metrics").ends_with('\n'));
                scrapes.fetch_add(1, Ordering::Relaxed);
                std::thread::sleep(next.saturating_duration_since(Instant::now()));
            }
        });
        scope.spawn(|| {
            let mut client = node.client();
            while !stop.load(Ordering::Relaxed) {
                assert_eq!(client.ask("set steady 1"), b"+OK\r\n");
                requests.fetch_add(1, Ordering::Relaxed);
            }
        });
        let results = [pinging]
            .into_iter()
            .chain(connecting)
            .map(|thread| thread.join());
        let results: Vec<_> = results.collect();
        stop.store(true, Ordering::Relaxed);
        assert!(results.iter().all(Result::is_ok));
    });
    drop(silent);
    assert!(scrapes.load(Ordering::Relaxed) > 10 && requests.load(Ordering::Relaxed) > 100);
    let after = numbers(&node);
    for name in [
        "forward_error",
        "client_err",
        "client_dropped_requests",
        "server_err",
        "protocol_errors",
    ] {
        assert_eq!(after[name], before[name], "{name}");
    }
    let steady = requests.load(Ordering::Relaxed) + CLIENTS;
    assert_eq!(
        after["write_responses"] - before["write_responses"],
        steady as i64
    );
}
