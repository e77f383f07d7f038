//! Clients that leave early, ask for much, read nothing or come in crowds.

use crate::common::*;
use std::time::Instant;

const HELLO: &str = "$5\\r\\nhello\\r\\n";

fn pair() -> (Redis, Node) {
    let redis = Redis::start();
    assert_eq!(redis.client().ask("set s hello"), b"+OK\r\n");
    let node = Setup::before(&redis).start();
    (redis, node)
}

#[test]
fn a_client_that_has_ended_its_stream_still_gets_its_replies() {
    let (_redis, node) = pair();
    let mut client = node.client();
    for i in 0..1000 {
        // Some are answered by Redis, some by the proxy.
        client.send(&match i % 3 {
            0 => words("get s"),
            1 => words(&format!("echo {i}")),
            _ => words("nosuch"),
        });
    }
    // And one that will never be complete.
    client.send(b"*2\r\n$3\r\nget\r\n$5\r\nhal");
    client.half_close();
    for i in 0..1000 {
        let reply = shown(&client.reply());
        match i % 3 {
            0 => assert_eq!(reply, HELLO),
            1 => assert!(reply.ends_with(&format!("\\r\\n{i}\\r\\n")), "{reply}"),
            _ => assert!(reply.starts_with("-ERR unknown command"), "{reply}"),
        }
    }
    assert_eq!(shown(&client.until_closed()), "");
}

#[test]
fn thirty_thousand_pipelined_requests_are_answered_in_order() {
    const COUNT: usize = 30_000;
    let (redis, node) = pair();
    redis.client().ask("set n 0");
    let mut client = node.client();
    let pipeline = [words("incr n"), words("get s")].concat().repeat(COUNT / 2);
    let sender = client.send_aside(vec![pipeline]);
    node.client().expect_open();
    for i in 1..=COUNT / 2 {
        assert_eq!(shown(&client.reply()), format!(":{i}\\r\\n"));
        assert_eq!(shown(&client.reply()), HELLO);
    }
    sender.join().expect("the sender");
}

#[test]
fn what_a_client_asked_for_before_it_left_is_executed_and_nobody_hears_of_it() {
    let store = FakeStore::new();
    let node = Setup::before_fake(&store).with("timeout", 20_000).start();
    let mut conn = store.accept();
    let mut gone = node.client();
    for word in ["one", "two", "three"] {
        gone.send(&words(&format!("set k {word}")));
        assert_eq!(conn.request_text(), format!("set k {word}"));
    }
    gone.abort();
    node.await_stat("client_connections", |n| n == 0);
    // A newcomer takes the place of the one that left.
    let mut client = node.client();
    client.send(&words("get mine"));
    assert_eq!(conn.request_text(), "get mine");
    conn.send(b"+OK\r\n+OK\r\n+OK\r\n$4\r\nmine\r\n");
    assert_eq!(shown(&client.reply()), "$4\\r\\nmine\\r\\n");
    client.expect_open();
    assert_eq!(node.stat("client_dropped_requests"), 3);
}

/// One that writes, reads nothing and leaves makes its kernel send a reset behind its requests.
#[test]
fn requests_in_front_of_a_reset_are_executed() {
    let store = FakeStore::new();
    let node = Setup::before_fake(&store).with("timeout", 20_000).start();
    let mut conn = store.accept();
    for i in 0..50 {
        let mut gone = node.client();
        gone.send(&words(&format!("set k {i}")));
        gone.abort();
        assert_eq!(conn.request_text(), format!("set k {i}"));
        conn.send(b"+OK\r\n");
    }
}

#[test]
fn quit_answers_what_came_before_it_and_ignores_what_follows() {
    let (redis, node) = pair();
    let mut client = node.client();
    client.send(
        &[
            words("get s"),
            words("quit"),
            words("set s changed"),
            words("get s"),
        ]
        .concat(),
    );
    assert_eq!(shown(&client.until_closed()), format!("{HELLO}+OK\\r\\n"));
    let mut client = node.client();
    // More behind it than the kernel holds for one read.
    client.send(&[words("quit"), words("set s changed").repeat(2_000)].concat());
    assert_eq!(shown(&client.until_closed()), "+OK\\r\\n");
    assert_eq!(shown(&redis.client().ask("get s")), HELLO);
}

#[test]
fn quit_waits_for_earlier_requests() {
    let store = FakeStore::new();
    let node = Setup::before_fake(&store).with("timeout", 20_000).start();
    let mut conn = store.accept();
    let mut client = node.client();
    client.send(&[words("get slow"), words("quit")].concat());
    assert_eq!(conn.request_text(), "get slow");
    node.client().expect_open();
    conn.send(b"$4\r\nslow\r\n");
    assert_eq!(shown(&client.until_closed()), "$4\\r\\nslow\\r\\n+OK\\r\\n");
}

/// A client that asks for a great deal and reads nothing: it is not read any further, others are
/// served, and when it leaves its memory comes back.
#[test]
fn a_client_that_reads_nothing_is_not_read_either() {
    const VALUE: usize = 64 << 10;
    let (redis, node) = pair();
    let value = vec![b'v'; VALUE];
    redis.client().ask_args(&[b"set", b"large", &value]);
    let before = node.resident();
    let greedy = node.client();
    // Each request is 27 bytes and asks for 64 KB.
    let sender = greedy.send_aside(vec![words("get large").repeat(1_000); 100]);
    node.await_stat("reads_paused", |n| n > 0);
    let mut other = node.client();
    for _ in 0..100 {
        assert_eq!(shown(&other.ask("get s")), HELLO);
    }
    drop(other);
    let held = node.resident().saturating_sub(before);

    assert!(held < 400 << 20, "{held} bytes");
    greedy.shutdown();
    sender.join().expect("the sender");
    drop(greedy);
    node.await_stat("client_connections", |n| n == 0);
    let deadline = Instant::now() + PATIENCE;
    while node.resident() > before + (16 << 20) {
        assert!(
            Instant::now() < deadline,
            "{} bytes stay",
            node.resident() - before
        );
        node.client().expect_open();
    }
}

/// With all buffers full of unread replies, the clients that hold the most are closed.
#[test]
fn clients_that_read_nothing_do_not_stop_the_others() {
    const VALUE: usize = 100 << 10;
    let redis = Redis::start();
    let value = vec![b'v'; VALUE];
    let mut direct = redis.client();
    direct.ask_args(&[b"set", b"large", &value]);
    direct.ask("set s hello");
    // A hundred thousand buffers of 512 bytes: 50 MB.
    let node = Setup::before(&redis)
        .with("mbuf_size", 512)
        .with("max_msgs", 100_000)
        .with("timeout", 60_000)
        .start();
    let greedy: Vec<Client> = (0..3)
        .map(|_| {
            let mut client = node.client();
            client.send(&words("get large").repeat(300));
            client
        })
        .collect();
    node.await_stat("mbufs_peak", |n| n > 100_000);
    let mut other = node.client();
    for _ in 0..10 {
        assert_eq!(shown(&other.ask("get s")), HELLO);
    }
    assert!(node.stat("memory_limit_hits") > 0);
    drop(greedy);
}

#[test]
fn ten_thousand_idle_clients_are_held_and_served() {
    const COUNT: usize = 10_000;
    let files = dynomite::process::limits::raise_nofile();
    if files < COUNT as u64 + 200 {
        eprintln!("skipped: only {files} open files are allowed");
        return;
    }
    let redis = Redis::start();
    redis.client().ask("set s hello");
    // A Unix socket needs no ports, of which there are not enough for everybody.
    let node = Setup::before(&redis).on_unix_socket().start();
    let mut clients: Vec<Client> = (0..COUNT).map(|_| node.client()).collect();
    for client in clients.iter_mut() {
        assert_eq!(shown(&client.ask("get s")), HELLO);
    }
    assert_eq!(node.stat("client_connections"), COUNT as i64);
    // All at once.
    for client in clients.iter_mut() {
        client.send(&words("get s"));
    }
    for client in clients.iter_mut() {
        assert_eq!(shown(&client.reply()), HELLO);
    }
    drop(clients);
    node.await_stat("client_connections", |n| n == 0);
    node.client().expect_open();
}

#[test]
fn one_client_too_many_is_told_so() {
    let redis = Redis::start();
    let node = Setup::before(&redis).with("client_connections", 2).start();
    let (mut a, mut b) = (node.client(), node.client());
    a.expect_open();
    b.expect_open();
    let mut refused = node.client();
    assert_eq!(
        shown(&refused.until_closed()),
        "-ERR max number of clients reached\\r\\n"
    );
    a.expect_open();
    b.expect_open();
    assert_eq!(node.stat("clients_refused"), 1);
    drop(a);
    node.await_stat("client_connections", |n| n == 1);
    node.client().expect_open();
}

/// Out of descriptors, clients wait in the kernel's queue until others leave.
#[test]
fn without_descriptors_newcomers_wait_for_others_to_leave() {
    const FILES: u32 = 40;
    let redis = Redis::start();
    let node = Setup::before(&redis).with_files(FILES).start();
    // Statistics need a descriptor of their own, so they are asked for beforehand.
    let mut clients: Vec<Client> = (0..FILES).map(|_| node.client()).collect();
    clients[0].expect_open();
    let mut last = clients.pop().expect("the last one");
    last.send(&words("echo waiting"));
    clients[1].expect_open();
    clients.truncate(10);
    assert_eq!(shown(&last.reply()), "$7\\r\\nwaiting\\r\\n");
    clients[9].expect_open();
    assert!(node.stat("accepts_paused") > 0);
}

/// Clients had taken them all, so the datastore could not be connected to again, nor statistics asked
/// for, until some left.
#[test]
fn clients_leave_descriptors_for_the_datastore() {
    const FILES: u32 = 200;
    let mut redis = Redis::start();
    let node = Setup::before(&redis).with_files(FILES).start();
    let mut clients: Vec<Client> = (0..FILES).map(|_| node.client()).collect();
    clients[0].expect_open();
    node.await_stat("accepts_paused", |n| n > 0);
    assert_eq!(clients[0].ask("set s hello"), b"+OK\r\n");
    redis.kill();
    eventually("the datastore is missed", || {
        clients[0].ask("get s")[0] == b'-'
    });
    redis.restart();
    eventually("and found again", || {
        clients[0].ask("set s again") == b"+OK\r\n"
    });
    // Clients that wait are served when others leave.
    let mut last = clients.pop().expect("the last one");
    clients.truncate(10);
    assert_eq!(shown(&last.ask("get s")), "$5\\r\\nagain\\r\\n");
}

/// The same bytes to Redis and to the node.
#[test]
fn replies_can_be_turned_off_and_skipped() {
    let (redis, node) = pair();
    for lines in [
        &["client reply skip", "get s", "echo a"][..],
        &[
            "client reply off",
            "get s",
            "echo a",
            "nosuch",
            "client reply on",
            "echo b",
        ],
        &[
            "client reply off",
            "client reply skip",
            "get s",
            "client reply on",
            "get s",
        ],
        &["client reply skip", "client reply skip", "echo a", "echo b"],
        &["client reply skip", "nosuch", "get s"],
        &["client reply skip", "set s hello", "get s"],
        &["client reply bad", "echo a"],
        &["client reply off", "quit"],
        &["client reply off", "reset", "echo a"],
        &["client reply off", "hello 2 bad", "client reply on"],
    ] {
        let bytes: Vec<u8> = lines.iter().flat_map(|line| words(line)).collect();
        let [ours, theirs] = [node.client(), redis.client()].map(|mut client| {
            client.send(&bytes);
            client.half_close();
            shown(&client.until_closed())
        });
        assert_eq!(ours, theirs, "{lines:?}");
    }
}

#[test]
fn each_connection_has_its_own_name_protocol_and_consistency() {
    let (_redis, node) = pair();
    let (mut a, mut b) = (node.client(), node.client());
    assert_eq!(shown(&a.ask("client setname alice")), "+OK\\r\\n");
    assert_eq!(a.ask("hello 3")[0], b'%');
    assert_eq!(shown(&a.ask("get nope")), "_\\r\\n");
    assert_eq!(shown(&b.ask("get nope")), "$-1\\r\\n");
    assert_eq!(shown(&b.ask("client getname")), "$-1\\r\\n");
    for level in [
        "DC_ONE",
        "dc_quorum",
        "Dc_Safe_Quorum",
        "DC_EACH_SAFE_QUORUM",
    ] {
        let line = format!("dyno_config:conn_consistency {level}");
        assert_eq!(shown(&a.ask(&line)), "+OK\\r\\n", "{level}");
        assert_eq!(shown(&a.ask("get s")), HELLO, "{level}");
        assert_eq!(shown(&b.ask("get s")), HELLO, "{level}");
    }
    assert_eq!(shown(&a.ask("reset")), "+RESET\\r\\n");
    assert_eq!(shown(&a.ask("get nope")), "$-1\\r\\n");
    assert_eq!(shown(&a.ask("client getname")), "$-1\\r\\n");
}

/// Requests of many clients at once share one connection to Redis.
#[test]
fn many_clients_at_once_get_their_own_answers() {
    let (_redis, node) = pair();
    let threads: Vec<_> = (0..20)
        .map(|n| {
            let mut client = node.client();
            std::thread::spawn(move || {
                for i in 0..200 {
                    let value = format!("{n}-{i}-{}", "x".repeat(i * 7 % 300));
                    let key = format!("key{n}");
                    assert_eq!(
                        client.ask_args(&[b"set", key.as_bytes(), value.as_bytes()]),
                        b"+OK\r\n"
                    );
                    let reply = client.ask(&format!("get {key}"));
                    assert_eq!(
                        shown(&reply),
                        format!("${}\\r\\n{value}\\r\\n", value.len())
                    );
                }
            })
        })
        .collect();
    for thread in threads {
        thread.join().expect("every answer is right");
    }
}

/// The commands of the transaction were run one by one, outside of any.
#[test]
fn what_is_pipelined_behind_a_refused_multi_is_not_run() {
    let (redis, node) = pair();
    let mut direct = redis.client();
    for pieces in [1, 7, 1000] {
        let mut client = node.client();
        let lines = [
            "set before 1",
            "multi",
            "set a 1",
            "incr b",
            "select 0",
            "no-such-command",
            "exec",
            "set after 1",
        ];
        let bytes: Vec<u8> = lines.iter().flat_map(|line| words(line)).collect();
        for piece in bytes.chunks(pieces) {
            client.send(piece);
        }
        let not_run = "-ERR Dynomite: not run, because it follows a MULTI that was refused: transactions are not supported\\r\\n";
        for (line, reply) in lines.iter().zip([
            "+OK\\r\\n",
            "-ERR unknown command \\'multi\\': transactions are not supported by Dynomite\\r\\n",
            not_run,
            not_run,
            not_run,
            not_run,
            "-EXECABORT Transaction discarded because of: transactions are not supported by Dynomite\\r\\n",
            "+OK\\r\\n",
        ]) {
            assert_eq!(shown(&client.reply()), reply, "{line}");
        }
        for end in ["discard", "reset", "exec"] {
            client.ask("multi");
            client.send(b"set a 1\r\n");
            assert_eq!(shown(&client.reply()), not_run, "inline");
            client.ask(end);
            assert_eq!(shown(&client.ask("get before")), "$1\\r\\n1\\r\\n");
        }
    }
    assert_eq!(shown(&direct.ask("exists a b")), ":0\\r\\n");
    assert_eq!(shown(&direct.ask("exists before after")), ":2\\r\\n");
}

/// An operator lists the clients and closes the unwanted ones.
#[test]
fn clients_are_listed_paused_and_closed_by_another() {
    let (_redis, node) = pair();
    let (mut operator, mut client) = (node.client(), node.client());
    let addr = client.local_addr().expect("over TCP");
    client.ask("client setname worker");
    assert_eq!(shown(&client.ask("get s")), HELLO);
    let list = shown(&operator.ask("client list"));
    let line = list
        .split("\\n")
        .find(|line| line.contains(" name=worker "));
    let line = line.unwrap_or_else(|| panic!("{list}"));
    assert!(line.contains(&format!(" addr={addr} ")), "{line}");
    assert!(line.contains(" cmd=get "), "{line}");
    // The pause ends by itself.
    assert_eq!(operator.ask("client pause 100"), b"+OK\r\n");
    client.send(&words("get s"));
    assert_eq!(shown(&client.reply()), HELLO);
    assert_eq!(operator.ask("client pause 3600000 write"), b"+OK\r\n");
    client.send(&words("set paused 1"));
    assert_eq!(operator.ask("exists paused"), b":0\r\n");
    assert_eq!(operator.ask("client unpause"), b"+OK\r\n");
    assert_eq!(client.reply(), b"+OK\r\n");
    assert_eq!(operator.ask(&format!("client kill addr {addr}")), b":1\r\n");
    assert_eq!(shown(&client.until_closed()), "");
    assert_eq!(
        operator.ask(&format!("client kill {addr}")),
        b"-ERR No such client\r\n"
    );
    operator.expect_open();
}
