//! What each metric counts. A poll right after a reply sees the request, without waiting.

use crate::admin_live::{changes, moved, numbers};
use crate::common::{FakeStore, Redis, Setup, command, words};
use std::io::Write;

/// Requests, and everything they move beside bytes.
type Row = (&'static [&'static str], &'static [(&'static str, i64)]);

const READ: &[(&str, i64)] = &[
    ("client_read_requests", 1),
    ("read_requests", 1),
    ("read_responses", 1),
];
const WRITE: &[(&str, i64)] = &[
    ("client_write_requests", 1),
    ("write_requests", 1),
    ("write_responses", 1),
];

/// The classes of commands, as the C original has them. Each request alone moves what its row says,
/// and what every read or write moves.
#[rustfmt::skip]
const CLASSES: &[Row] = &[
    (&["get s"], &[("redis_req_get", 1)]),
    (&["set s 1", "setex s 100 1", "setrange s 0 1", "setbit s 0 0"], &[("redis_req_set", 1)]),
    // Sets: where the original counted them, and where they belong.
    (&["sadd t 1", "srem t 2", "sinter t t", "sdiff t t", "sinterstore u t", "sdiffstore u t", "sunionstore u t", "sscan t 0"], &[("redis_req_set", 1), ("redis_req_sets", 1)]),
    (&["sunion t t"], &[("redis_req_set", 1), ("redis_req_sets", 1), ("redis_req_sunion", 1)]),
    (&["del s"], &[("redis_req_del", 1)]),
    (&["incr n", "decr n"], &[("redis_req_incr_decr", 1)]),
    (&["mget s t2"], &[("redis_req_mget", 1)]),
    (&["sort l"], &[("redis_req_sort", 1)]),
    (&["lrange l 0 -1", "lset l 0 1", "ltrim l 0 -1", "lindex l 0", "lpushx l 1"], &[("redis_req_lists", 1)]),
    (&["lrem l 1 9"], &[("redis_req_lists", 1), ("redis_req_lreqm", 1)]),
    (&["hset h f 1", "hsetnx h f 1", "hincrby h f 1", "hincrbyfloat h f 1"], &[("redis_req_hashes", 1)]),
    (&["zadd z 1 a", "zrange z 0 -1", "zrangebyscore z 0 1", "zrem z b", "zrevrange z 0 -1", "zrevrangebyscore z 1 0", "zscan z 0", "zcount z 0 1", "zincrby z 1 a", "zlexcount z - +", "zrangebylex z - +", "zremrangebylex z [x [y", "zremrangebyrank z 5 6", "zremrangebyscore z 8 9", "zunionstore y 1 z", "zinterstore y 1 z"], &[("redis_req_sortedsets", 1)]),
    (&["incrby n 1", "lpush l 1", "rpush l 1", "llen l", "hget h f", "hmset h g 1", "smembers t", "mset a 1 b 2", "expire s 100", "ttl s", "exists s", "append a 1", "unlink b"], &[("redis_req_other", 1)]),
];

#[test]
fn every_command_counts_in_its_class_and_once_as_read_or_write() {
    let redis = Redis::start();
    let node = Setup::before(&redis).start();
    let mut client = node.client();
    for key in [
        "set s 1",
        "lpush l 2 1",
        "zadd z 1 b",
        "set n 1",
        "sadd t 9",
    ] {
        client.ask(key);
    }
    for (requests, classes) in CLASSES {
        for request in *requests {
            let before = numbers(&node);
            let reply = client.ask(request);
            assert_ne!(reply.first(), Some(&b'-'), "{request}");
            let mut seen = moved(&before, &numbers(&node));
            let sent = words(request).len() as i64;
            let answered = reply.len() as i64;
            let (kind, requests, responses) = if seen.contains_key("write_requests") {
                (WRITE, "write_request_bytes", "write_response_bytes")
            } else {
                (READ, "read_request_bytes", "read_response_bytes")
            };
            assert_eq!(seen.remove(requests), Some(sent), "{request}");
            assert_eq!(seen.remove(responses), Some(answered), "{request}");
            assert_eq!(seen, changes(&[kind, classes].concat()), "{request}");
        }
    }
}

#[test]
fn ping_reaches_the_datastore_and_is_no_request_of_a_client() {
    let redis = Redis::start();
    let node = Setup::before(&redis).start();
    let mut client = node.client();
    let before = numbers(&node);
    client.ask("ping");
    assert_eq!(
        moved(&before, &numbers(&node)),
        changes(&[
            ("read_requests", 1),
            ("read_request_bytes", "*1\r\n$4\r\nping\r\n".len() as i64),
            ("read_responses", 1),
            ("read_response_bytes", "+PONG\r\n".len() as i64),
            ("redis_req_ping", 1),
        ])
    );
}

#[test]
fn what_the_node_answers_itself_is_no_request_of_the_datastore() {
    let redis = Redis::start();
    let node = Setup::before(&redis).start();
    let mut client = node.client();
    let before = numbers(&node);
    for request in [
        "echo x",
        "select 0",
        "time",
        "client id",
        "command count",
        "reset",
    ] {
        client.ask(request);
    }
    assert_eq!(moved(&before, &numbers(&node)), changes(&[]));
}

#[test]
fn errors_are_counted_whoever_makes_them() {
    let redis = Redis::start();
    let node = Setup::before(&redis).start();
    let mut client = node.client();
    client.ask("lpush l 1");
    for request in ["incr l", "get", "no-such-command", "multi"] {
        let before = numbers(&node);
        assert_eq!(client.ask(request).first(), Some(&b'-'), "{request}");
        let seen = moved(&before, &numbers(&node));
        assert_eq!(seen.get("forward_error"), Some(&1), "{request}: {seen:?}");
        assert!(!seen.contains_key("client_err"), "{request}: {seen:?}");
    }
}

#[test]
fn clients_are_counted_by_how_they_leave() {
    let store = FakeStore::new();
    let node = Setup::before_fake(&store).start();
    let mut conn = store.accept();
    let before = numbers(&node);
    let mut clients: Vec<_> = (0..5).map(|_| node.client()).collect();
    for client in &mut clients {
        client.ask("echo x");
    }
    assert_eq!(
        moved(&before, &numbers(&node)),
        changes(&[("client_connections", 5)])
    );

    // Ends its stream.
    drop(clients.pop());
    node.await_stat("client_connections", |n| n == 4);
    // Says so before.
    clients.pop().unwrap().ask("quit");
    node.await_stat("client_connections", |n| n == 3);
    assert_eq!(
        moved(&before, &numbers(&node)),
        changes(&[("client_connections", 3), ("client_eof", 2)])
    );
    // Breaks the protocol.
    let mut broken = clients.pop().unwrap();
    broken.send(b"*x\r\n");
    broken.until_closed();
    node.await_stat("client_connections", |n| n == 2);
    let mut seen = moved(&before, &numbers(&node));
    assert_eq!(seen.remove("forward_error"), Some(1));
    assert_eq!(seen.remove("protocol_errors"), Some(1));
    assert_eq!(
        seen,
        changes(&[
            ("client_connections", 2),
            ("client_eof", 2),
            ("client_err", 1)
        ])
    );
    // Leaves while its requests are under way, by a reset.
    let mut hasty = std::net::TcpStream::connect(node.addr).unwrap();
    drop(clients);
    node.await_stat("client_eof", |n| n == 4);
    hasty
        .write_all(&[words("get a"), words("get b")].concat())
        .unwrap();
    conn.request();
    conn.request();
    let no_time = Some(std::time::Duration::ZERO);
    socket2::SockRef::from(&hasty).set_linger(no_time).unwrap();
    drop(hasty);
    node.await_stat("client_connections", |n| n == 0);
    let seen = moved(&before, &numbers(&node));
    assert_eq!(
        (seen["client_err"], seen["client_dropped_requests"]),
        (2, 2),
        "{seen:?}"
    );
}

#[test]
fn queues_show_what_is_under_way_and_are_empty_at_rest() {
    let store = FakeStore::new();
    let node = Setup::before_fake(&store).start();
    let mut conn = store.accept();
    let mut client = node.client();
    let before = numbers(&node);
    let request = command(&[b"SET", b"k", &[b'x'; 1000]]);
    client.send(&request);
    client.send(&request);
    conn.request();
    conn.request();
    let seen = moved(&before, &numbers(&node));
    assert_eq!(
        (seen["out_queue"], seen["out_queue_bytes"]),
        (2, 2 * request.len() as i64)
    );
    assert!(!seen.contains_key("in_queue"), "{seen:?}");
    conn.send(b"+OK\r\n+OK\r\n");
    client.reply();
    client.reply();
    let after = numbers(&node);
    for gauge in ["in_queue", "in_queue_bytes", "out_queue", "out_queue_bytes"] {
        assert_eq!(after[gauge], 0, "{gauge}");
    }
    // A store that does not read: what it was not sent waits in the other queue.
    let big = command(&[b"SET", b"k", &vec![b'x'; 4 << 20]]);
    client.send_aside(vec![big.clone(), big.clone(), big]);
    node.await_stat("in_queue", |n| n > 0);
    assert!(numbers(&node)["in_queue_bytes"] > 0);
    for _ in 0..3 {
        conn.request();
        conn.send(b"+OK\r\n");
        client.reply();
    }
    let after = numbers(&node);
    for gauge in ["in_queue", "in_queue_bytes", "out_queue", "out_queue_bytes"] {
        assert_eq!(after[gauge], 0, "{gauge}");
    }
}

#[test]
fn requests_are_measured() {
    let redis = Redis::start();
    let node = Setup::before(&redis).start();
    let mut client = node.client();
    let idle = numbers(&node);
    for name in [
        "latency_max",
        "latency_999th",
        "latency_mean",
        "payload_size_max",
        "99_server_latency",
    ] {
        assert_eq!(idle[name], 0, "{name} without a request");
    }
    let request = command(&[b"SET", b"k", &[b'v'; 5000]]);
    client.send(&request);
    client.reply();
    let after = numbers(&node);
    assert_eq!(after["payload_size_max"], request.len() as i64);
    assert!(
        after["latency_max"] > 0 && after["latency_mean"] > 0,
        "{after:?}"
    );
    assert!(
        after["dyn_memory"] > 1000 && after["dyn_memory"] < 1_000_000,
        "KiB: {}",
        after["dyn_memory"]
    );
    assert!(
        after["alloc_mbufs"] >= after["free_mbufs"] && after["alloc_msgs"] >= after["free_msgs"]
    );
}

#[test]
fn who_it_is_is_told_as_the_configuration_says() {
    let redis = Redis::start();
    let node = Setup::before_address(&format!("'{}:1 sto\"re\\'", redis.socket().display()))
        .with("rack", "'r\"1'")
        .with("datacenter", "'d\\c'")
        .start();
    let info = node.info();
    assert_eq!(info["service"], "dynomite");
    assert_eq!(info["version"], concat!("v", env!("CARGO_PKG_VERSION")));
    assert_eq!(
        (&info["rack"], &info["dc"]),
        (&"r\"1".into(), &"d\\c".into())
    );
    let source = std::process::Command::new("hostname")
        .output()
        .unwrap()
        .stdout;
    assert_eq!(info["source"], String::from_utf8(source).unwrap().trim());
    assert!(info["dyn_o_mite"]["sto\"re\\"].is_object(), "{info}");
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap()
        .as_secs();
    assert!(now.abs_diff(info["timestamp"].as_u64().unwrap()) < 60);
    assert!(info["uptime"].as_u64().unwrap() < 60);
    // Only polls count polls.
    assert_eq!(info["dyn_o_mite"]["stats_count"], 1);
    assert_eq!(node.info()["dyn_o_mite"]["stats_count"], 2);
}
