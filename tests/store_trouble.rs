//! A datastore that dies, stalls, answers late, wrong or not at all: every request gets a defined
//! answer, and no client gets another's.

use crate::common::*;
use std::time::{Duration, Instant};

const REFUSED: &str = "-ERR Storage: Datastore refused connection\\r\\n";

/// Long enough that nothing expires unless a test wants it to.
const CALM: u32 = 20_000;

/// A node in front of a datastore the test plays, with its connection to it.
fn pair(timeout_ms: u32) -> (FakeStore, Node, StoreConn) {
    let store = FakeStore::new();
    let node = Setup::before_fake(&store)
        .with("timeout", timeout_ms)
        .start();
    let conn = store.accept();
    (store, node, conn)
}

/// Sends a request and waits until the datastore has it.
#[track_caller]
fn ask(client: &mut Client, conn: &mut StoreConn, line: &str) {
    client.send(&words(line));
    assert_eq!(conn.request_text(), line);
}

#[test]
fn a_datastore_that_dies_fails_what_is_outstanding_and_is_tried_again() {
    let (store, node, mut conn) = pair(CALM);
    let (mut a, mut b) = (node.client(), node.client());
    ask(&mut a, &mut conn, "get one");
    a.send(&words("get two"));
    a.send(&words("echo three"));
    ask_second(&mut conn, "get two");
    ask(&mut b, &mut conn, "get other");
    drop(conn);
    assert_eq!(shown(&a.reply()), REFUSED);
    assert_eq!(shown(&a.reply()), REFUSED);
    assert_eq!(shown(&a.reply()), "$5\\r\\nthree\\r\\n");
    assert_eq!(shown(&b.reply()), REFUSED);
    // While there is no connection every request fails at once, and what the proxy answers works.
    assert_eq!(shown(&a.ask("get x")), REFUSED);
    assert_eq!(shown(&a.ask("ping")), REFUSED);
    a.expect_open();
    // The next attempt succeeds; both clients are served on it.
    let mut conn = store.accept();
    await_served(&node, &mut a, &mut conn);
    ask(&mut b, &mut conn, "get other");
    conn.send(b"$5\r\nother\r\n");
    assert_eq!(shown(&b.reply()), "$5\\r\\nother\\r\\n");
}

#[track_caller]
fn ask_second(conn: &mut StoreConn, line: &str) {
    assert_eq!(conn.request_text(), line);
}

/// Asks until a fresh connection is in use: the program learns of it a moment after the datastore.
#[track_caller]
fn await_served(node: &Node, client: &mut Client, conn: &mut StoreConn) {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let before = node.stat("read_requests");
        client.send(&words("get probe"));
        node.client().expect_open();
        if node.stat("read_requests") > before {
            break;
        }
        assert_eq!(shown(&client.reply()), REFUSED);
        assert!(Instant::now() < deadline);
    }
    assert_eq!(conn.request_text(), "get probe");
    conn.send(b"$-1\r\n");
    assert_eq!(shown(&client.reply()), "$-1\\r\\n");
}

/// The end of the stream may come together with the news that the connection is there.
#[test]
fn a_datastore_that_closes_at_once_is_noticed() {
    for _ in 0..20 {
        let store = FakeStore::new();
        let node = Setup::before_fake(&store).start();
        drop(store.accept());
        node.await_stat("server_ejects", |n| n == 1);
    }
}

#[test]
fn attempts_to_reconnect_are_spaced_out_up_to_the_ceiling() {
    let store = FakeStore::new();
    let node = Setup::before_fake(&store)
        .with("timeout", CALM)
        .with("server_retry_timeout", 2000)
        .start();
    // Each connection is closed at once. A connection that is made resets the waiting to its start,
    // so refused ones are what counts: nothing listens from here on.
    drop(store.accept());
    let addr = store.addr();
    drop(store);
    node.await_stat("server_ejects", |n| n >= 1);
    let began = Instant::now();
    node.await_stat("server_ejects", |n| n >= 3);
    // After 1 s, then after 2 s more.
    assert!(began.elapsed() > Duration::from_millis(2_500));
    let mut client = node.client();
    assert_eq!(shown(&client.ask("get x")), REFUSED);
    let store = FakeStore::bind(addr);
    let mut conn = store.accept();
    await_served(&node, &mut client, &mut conn);
}

#[test]
fn an_expired_request_gets_its_error_and_its_late_reply_is_dropped() {
    let (store, node, mut conn) = pair(800);
    let (mut a, mut b) = (node.client(), node.client());
    ask(&mut a, &mut conn, "get slow");
    ask(&mut b, &mut conn, "get late");
    assert_eq!(shown(&a.reply()), REFUSED);
    assert_eq!(shown(&b.reply()), REFUSED);
    // The connection lives: the late replies go nowhere, the next requests get their own.
    ask(&mut a, &mut conn, "get next");
    conn.send(b"$4\r\nslow\r\n$4\r\nlate\r\n$4\r\nnext\r\n");
    assert_eq!(shown(&a.reply()), "$4\\r\\nnext\\r\\n");
    ask(&mut b, &mut conn, "get mine");
    conn.send(b"$4\r\nmine\r\n");
    assert_eq!(shown(&b.reply()), "$4\\r\\nmine\\r\\n");
    assert_eq!(node.stat("late_replies_dropped"), 2);
    assert_eq!(node.stat("requests_timedout"), 2);
    assert!(!store.was_connected());
}

#[test]
fn each_request_has_its_own_deadline() {
    let (_store, node, mut conn) = pair(1_500);
    let mut client = node.client();
    ask(&mut client, &mut conn, "get first");
    // A later request, whose turn comes when the first has expired.
    std::thread::sleep(Duration::from_millis(700));
    ask(&mut client, &mut conn, "get second");
    assert_eq!(shown(&client.reply()), REFUSED);
    conn.send(b"$5\r\nfirst\r\n$6\r\nsecond\r\n");
    assert_eq!(shown(&client.reply()), "$6\\r\\nsecond\\r\\n");
}

#[test]
fn a_datastore_that_answers_nothing_any_more_is_given_up() {
    let (store, node, mut conn) = pair(300);
    let mut client = node.client();
    ask(&mut client, &mut conn, "get x");
    assert_eq!(shown(&client.reply()), REFUSED);
    // Two timeouts without a byte: closed, and made anew.
    conn.expect_closed();
    let mut conn = store.accept();
    await_served(&node, &mut client, &mut conn);
    assert_eq!(node.stat("server_timedout"), 1);
}

#[test]
fn a_reply_that_is_cut_short_fails_its_request_only_with_the_connection() {
    let (store, node, mut conn) = pair(CALM);
    let (mut a, mut b) = (node.client(), node.client());
    ask(&mut a, &mut conn, "get a");
    ask(&mut b, &mut conn, "get b");
    conn.send(b"$1\r\na\r\n$100\r\nhalf");
    assert_eq!(shown(&a.reply()), "$1\\r\\na\\r\\n");
    drop(conn);
    assert_eq!(shown(&b.reply()), REFUSED);
    let mut conn = store.accept();
    await_served(&node, &mut b, &mut conn);
}

/// What no RESP2 reply may look like.
const GARBAGE: &[&[u8]] = &[
    b"+a\rb\r\n",
    b"+OK\n",
    b":12a\r\n",
    b":\r\n",
    b"$2\r\nabc\r\n",
    b"$\r\n",
    b"$x\r\n",
    b"$-2\r\n",
    b"$99999999999\r\n",
    b"*-10\r\n",
    b"*x\r\n",
    b"*1\r\n$-10\r\n",
    b"*2\r\n:1\r\nplain\r\n",
    b"plain text\r\n",
    b"\r\n",
    b"_\r\n",
    b"#t\r\n",
    b",1.5\r\n",
    b"(123\r\n",
    b"=5\r\ntxt:x\r\n",
    b"~1\r\n:1\r\n",
    b"%1\r\n:1\r\n:2\r\n",
    b">1\r\n:1\r\n",
    b"|1\r\n:1\r\n:2\r\n:3\r\n",
    b"!5\r\nERR x\r\n",
    b"HTTP/1.1 400 Bad Request\r\n\r\n",
];

#[test]
fn bytes_that_are_no_reply_end_the_connection_and_nothing_else() {
    for (i, garbage) in GARBAGE.iter().enumerate() {
        let (_store, mut node, mut conn) = pair(CALM);
        let (mut a, mut b) = (node.client(), node.client());
        ask(&mut a, &mut conn, "get a");
        ask(&mut b, &mut conn, "get b");
        conn.send(b"$1\r\na\r\n");
        conn.send(garbage);
        assert_eq!(shown(&a.reply()), "$1\\r\\na\\r\\n");
        assert_eq!(shown(&b.reply()), REFUSED, "{i}: {}", shown(garbage));
        conn.expect_closed();
        assert_eq!(node.stat("server_err"), 1, "{}", shown(garbage));
        node.expect_alive();
    }
}

/// Odd, but replies.
#[test]
fn unusual_replies_pass_as_they_are() {
    let (_store, node, mut conn) = pair(CALM);
    let mut client = node.client();
    let long_error = [b"-".as_slice(), &[b'E'; 20_000], b"\r\n"].concat();
    let long_line = [b"+".as_slice(), &[b'x'; 200_000], b"\r\n"].concat();
    for reply in [
        &b"-ERR\r\n"[..],
        b"-\r\n",
        b"-FOO\r\n",
        b"-FOO bar\r\n",
        b"+\r\n",
        b":-0\r\n",
        b":9223372036854775807\r\n",
        b"$0\r\n\r\n",
        b"*0\r\n",
        b"*-1\r\n",
        b"*3\r\n:1\r\n*-1\r\n:3\r\n",
        b"*2\r\n*1\r\n$1\r\na\r\n$1\r\nb\r\n",
        b"*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        b"*2\r\n-ERR a\r\n+b\r\n",
        &long_error,
        &long_line,
    ] {
        let errors = node.stat("store_reply_errors");
        // The second one shows that the first ended where it should.
        ask(&mut client, &mut conn, "get x");
        ask(&mut client, &mut conn, "get y");
        conn.send(reply);
        conn.send(b"$4\r\nnext\r\n");
        assert!(client.reply() == reply, "{}", shown(reply));
        assert_eq!(
            shown(&client.reply()),
            "$4\\r\\nnext\\r\\n",
            "{}",
            shown(reply)
        );
        let error = i64::from(reply[0] == b'-');
        assert_eq!(node.stat("store_reply_errors"), errors + error);
    }
}

/// Requests and replies are out of step: the next reply might be another request's.
#[test]
fn a_reply_nobody_asked_for_ends_the_connection() {
    let (store, node, mut conn) = pair(CALM);
    let (mut a, mut b) = (node.client(), node.client());
    ask(&mut a, &mut conn, "get a");
    conn.send(b"$1\r\na\r\n$6\r\nsecond\r\n");
    assert_eq!(shown(&a.reply()), "$1\\r\\na\\r\\n");
    conn.expect_closed();
    let mut conn = store.accept();
    await_served(&node, &mut b, &mut conn);
    a.expect_open();
}

#[test]
fn replies_in_pieces_of_one_byte_are_whole() {
    let (_store, node, mut conn) = pair(CALM);
    let mut client = node.client();
    let reply = b"*3\r\n$5\r\nhello\r\n*2\r\n:1\r\n-ERR x\r\n$-1\r\n";
    ask(&mut client, &mut conn, "get x");
    for byte in reply {
        conn.send(&[*byte]);
        node.client().expect_open();
    }
    assert_eq!(shown(&client.reply()), shown(reply));
}

#[test]
fn a_datastore_that_is_not_there_at_the_start_is_found_later() {
    let store = FakeStore::new();
    let addr = store.addr();
    drop(store);
    let node = Setup::before_address(&format!("{addr}:1")).start();
    let mut client = node.client();
    node.await_stat("server_ejects", |n| n >= 1);
    assert_eq!(shown(&client.ask("get x")), REFUSED);
    let store = FakeStore::bind(addr);
    let mut conn = store.accept();
    await_served(&node, &mut client, &mut conn);
}

#[test]
fn without_preconnect_the_first_request_connects() {
    let store = FakeStore::new();
    let node = Setup::before_fake(&store).with("preconnect", false).start();
    let mut client = node.client();
    client.expect_open();
    assert!(!store.was_connected());
    client.send(&words("get x"));
    let mut conn = store.accept();
    assert_eq!(conn.request_text(), "get x");
    conn.send(b"$1\r\nv\r\n");
    assert_eq!(shown(&client.reply()), "$1\\r\\nv\\r\\n");
}

#[test]
fn requests_while_the_first_connection_is_made_wait_for_it() {
    // A listener whose queue is full keeps a connection in the making; here it is enough that the
    // request comes before the datastore accepts.
    let store = FakeStore::new();
    let node = Setup::before_fake(&store).with("timeout", CALM).start();
    let mut client = node.client();
    client.send(&words("get early"));
    let mut conn = store.accept();
    assert_eq!(conn.request_text(), "get early");
    conn.send(b"$5\r\nworth\r\n");
    assert_eq!(shown(&client.reply()), "$5\\r\\nworth\\r\\n");
}

#[test]
fn clients_spread_over_several_datastore_connections_and_keep_their_order() {
    const CONNECTIONS: usize = 3;
    let store = FakeStore::new();
    let node = Setup::before_fake(&store)
        .with("datastore_connections", CONNECTIONS)
        .with("timeout", CALM)
        .start();
    let mut conns: Vec<StoreConn> = (0..CONNECTIONS).map(|_| store.accept()).collect();
    let mut clients: Vec<Client> = (0..CONNECTIONS).map(|_| node.client()).collect();
    for (i, client) in clients.iter_mut().enumerate() {
        client.send(&words(&format!("get first{i}")));
        client.send(&words(&format!("get second{i}")));
    }
    // Each connection carries one client, in order.
    let mut used = Vec::new();
    for conn in &mut conns {
        let first = conn.request_text();
        let number = first
            .strip_prefix("get first")
            .expect("a first request")
            .to_owned();
        assert_eq!(conn.request_text(), format!("get second{number}"));
        used.push(number.parse::<usize>().expect("a number"));
    }
    let mut sorted = used.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [0, 1, 2]);
    // One dies: its client fails, the others do not notice.
    let dead = conns.remove(0);
    drop(dead);
    let victim = used.remove(0);
    assert_eq!(shown(&clients[victim].reply()), REFUSED);
    assert_eq!(shown(&clients[victim].reply()), REFUSED);
    for (conn, number) in conns.iter_mut().zip(&used) {
        conn.send(b":1\r\n:2\r\n");
        assert_eq!(shown(&clients[*number].reply()), ":1\\r\\n");
        assert_eq!(shown(&clients[*number].reply()), ":2\\r\\n");
    }
    // Until it is back, its client uses another.
    clients[victim].send(&words("get again"));
    let serving = conns.iter_mut().find_map(|conn| {
        conn.request_within(Duration::from_secs(1))
            .map(|text| (conn, text))
    });
    let (conn, text) = serving.expect("a connection that is up");
    assert_eq!(text, "get again");
    conn.send(b":3\r\n");
    assert_eq!(shown(&clients[victim].reply()), ":3\\r\\n");
}

/// A datastore that reads nothing: clients that feed it wait instead of filling memory, and go on
/// when it does.
#[test]
fn a_datastore_that_does_not_read_slows_its_clients_down() {
    const VALUE: usize = 256 << 10;
    const COUNT: usize = 400;
    let (_store, node, mut conn) = pair(CALM);
    let before = node.resident();
    let mut client = node.client();
    let value = vec![b'v'; VALUE];
    let request = command(&[b"set", b"k", &value]);
    let sender = client.send_aside(vec![request; COUNT]);
    // The reading stops somewhere; a hundred megabytes do not pile up.
    node.await_stat("reads_paused", |n| n > 0);
    let grown = node.resident().saturating_sub(before);
    assert!(grown < 48 << 20, "{grown} bytes");
    for _ in 0..COUNT {
        assert_eq!(conn.request()[2].len(), VALUE);
        conn.send(b"+OK\r\n");
    }
    for _ in 0..COUNT {
        assert_eq!(shown(&client.reply()), "+OK\\r\\n");
    }
    sender.join().expect("the sender");
}
