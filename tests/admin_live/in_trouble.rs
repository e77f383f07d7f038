//! Statistics while the datastore is in trouble: the endpoint answers, and correctly.

use crate::admin_live::{moved, numbers};
use crate::common::{FakeStore, Setup};
use std::time::{SystemTime, UNIX_EPOCH};

#[test]
fn a_datastore_that_closes() {
    let store = FakeStore::new();
    let node = Setup::before_fake(&store).start();
    let mut conn = store.accept();
    let mut client = node.client();
    let before = numbers(&node);
    client.send(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n*2\r\n$3\r\nGET\r\n$1\r\nb\r\n");
    conn.request();
    conn.request();
    conn.send(b"$1\r\n1\r\n");
    drop(conn);
    assert_eq!(client.reply(), b"$1\r\n1\r\n");
    assert_eq!(
        client.reply(),
        b"-ERR Storage: Datastore refused connection\r\n"
    );
    let after = numbers(&node);
    let seen = moved(&before, &after);
    for (name, by) in [
        ("server_eof", 1),
        ("server_ejects", 1),
        ("forward_error", 1),
        ("read_requests", 2),
        ("read_responses", 1),
    ] {
        assert_eq!(seen.get(name), Some(&by), "{name}: {seen:?}");
    }
    for name in ["server_err", "server_timedout", "out_queue", "in_queue"] {
        assert_eq!(seen.get(name), None, "{name}: {seen:?}");
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_millis();
    // Milliseconds, in spite of the text of -D.
    assert!(
        now.abs_diff(after["server_ejected_at"] as u128) < 60_000,
        "{}",
        after["server_ejected_at"]
    );

    // While it is away requests fail at once, and it is found again.
    assert_eq!(
        client.ask("get c"),
        b"-ERR Storage: Datastore refused connection\r\n"
    );
    assert_eq!(
        moved(&after, &numbers(&node)).get("forward_error"),
        Some(&1)
    );
    let mut conn = store.accept();
    loop {
        client.send(b"*2\r\n$3\r\nGET\r\n$1\r\nd\r\n");
        if numbers(&node)["out_queue"] == 1 {
            break;
        }
        client.reply();
    }
    conn.request();
    conn.send(b"$1\r\n2\r\n");
    assert_eq!(client.reply(), b"$1\r\n2\r\n");
}

#[test]
fn a_datastore_that_is_not_there() {
    // Bound and not listening: connections are refused, and no other process can take the port.
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    socket
        .bind(
            &"127.0.0.1:0"
                .parse::<std::net::SocketAddr>()
                .unwrap()
                .into(),
        )
        .unwrap();
    let addr = socket.local_addr().unwrap().as_socket().unwrap();
    let node = Setup::before_address(&format!("{addr}:1")).start();
    node.await_stat("server_err", |n| n > 0);
    let info = numbers(&node);
    assert_eq!(info["server_ejects"], info["server_err"]);
    assert_eq!((info["server_eof"], info["server_timedout"]), (0, 0));
    let mut client = node.client();
    assert_eq!(
        client.ask("get a"),
        b"-ERR Storage: Datastore refused connection\r\n"
    );
    assert_eq!(client.ask("echo x"), b"$1\r\nx\r\n");
}

#[test]
fn a_datastore_that_does_not_answer() {
    let store = FakeStore::new();
    let node = Setup::before_fake(&store).with("timeout", 100).start();
    let mut conn = store.accept();
    let mut client = node.client();
    let before = numbers(&node);
    client.send(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
    conn.request();
    assert_eq!(
        client.reply(),
        b"-ERR Storage: Datastore refused connection\r\n"
    );
    let seen = moved(&before, &numbers(&node));
    for name in [
        "server_timedout_requests",
        "server_dropped_requests",
        "forward_error",
    ] {
        assert_eq!(seen.get(name), Some(&1), "{name}: {seen:?}");
    }
    // The connection is given up when nothing comes at all.
    node.await_stat("server_timedout", |n| n == 1);
    let after = numbers(&node);
    assert_eq!(moved(&before, &after)["server_ejects"], 1);
    assert_eq!((after["out_queue"], after["in_queue"]), (0, 0));
}

#[test]
fn a_datastore_that_answers_rubbish() {
    let store = FakeStore::new();
    let node = Setup::before_fake(&store).start();
    let mut conn = store.accept();
    let mut client = node.client();
    let before = numbers(&node);
    client.send(b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n");
    conn.request();
    conn.send(b"rubbish\r\n");
    assert_eq!(
        client.reply(),
        b"-ERR Storage: Datastore refused connection\r\n"
    );
    let seen = moved(&before, &numbers(&node));
    assert_eq!(
        (seen.get("server_err"), seen.get("server_ejects")),
        (Some(&1), Some(&1)),
        "{seen:?}"
    );
}
