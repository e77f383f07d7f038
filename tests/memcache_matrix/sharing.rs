//! What no client does to others: they share one connection to the memcached.

use super::Bench;
use crate::common::*;

/// Each is one line for a node, and several for a memcached, if it got them.
#[test]
fn no_command_reaches_the_memcached_inside_a_key() {
    let bench = Bench::new();
    for hostile in [
        "delete zb\nflush_all\r\n",
        "get zb\nflush_all\r\n",
        "delete zb\rflush_all\r\n",
        "delete zb\r\rflush_all\r\n",
        "delete zb\0flush_all\r\n",
        "mg zb\nflush_all\r\n",
        "set zb\nflush_all 0 0 1\r\nx\r\n",
        "set zb\0 0 0 9\r\nflush_all\r\n",
        "set zb 0 0 1\0\r\nflush_all\r\n",
        "get a\0flush_all\r\n",
        "touch zb 0\nflush_all\r\n",
        "incr zb 1\nflush_all\r\n",
        "gat 0 zb\nflush_all\r\n",
        "ms zb S1\nflush_all\r\n",
        "mg zb O\nflush_all\r\n",
        "mg zb O\rflush_all\r\n",
        "mg zb O\0flush_all\r\n",
        "delete zb\nversion\r\n",
        "mg Cg== b v\r\n",
        "ms YQpmbHVzaF9hbGwK 1 b\r\nx\r\n",
        "mg DQpmbHVzaF9hbGwNCg== b v k\r\n",
    ] {
        Bench::prepare(&bench.behind);
        let flushed = bench.behind.stat("cmd_flush");
        let mut other = bench.node.text_client();
        let said = Bench::transcript(bench.node.text_client(), &[hostile.as_bytes().to_vec()])
            .unwrap_or_else(|error| panic!("{hostile:?}: {error}"));
        let now = bench.behind.stat("cmd_flush");
        assert_eq!(now, flushed, "{hostile:?}: {}", shown(&said.bytes));
        other.expect("get a", "VALUE a 5 3\r\nabc\r\nEND\r\n");
        other.expect("incr n 1", "11\r\n");
    }
    // None of them cost the node its connection.
    assert_eq!(bench.node.stat("server_eof"), 0);
    assert_eq!(bench.node.stat("server_err"), 0);
}

/// memcached reports the key of an item that `ms` has not made as it stores it: lines of their own, if it has
/// line ends.
#[test]
fn a_key_of_several_lines_is_told_in_one() {
    let bench = Bench::new();
    Bench::prepare(&bench.behind);
    let mut client = bench.node.text_client();
    let mut other = bench.node.text_client();
    for key in [
        "DQo=",
        "DQ==",
        "eApFTkQK",
        "eA0KU1RPUkVEDQpWQUxVRQ==",
        "YQ0KVkFMVUUgYSAwIDENCnoNCkVORA0K",
    ] {
        for (line, reply) in [
            ("ma KEY b N0 J7 k v", "VA 1 kKEY b\r\n7\r\n"),
            ("mg KEY b k v", "VA 1 kKEY b\r\n7\r\n"),
            ("mg KEY b s k f", "HD s1 kKEY b f0\r\n"),
            ("md KEY b k O1", "HD kKEY b O1\r\n"),
            ("mg KEY b N0 k", "HD kKEY b W\r\n"),
            ("mg KEY b k", "HD kKEY b Z\r\n"),
            ("ms KEY 1 b k\r\n9", "HD kKEY b\r\n"),
            ("mg KEY b k v", "VA 1 kKEY b\r\n9\r\n"),
            // It grows, and so is another item.
            ("ma KEY b k v", "VA 2 kKEY b\r\n10\r\n"),
            ("mg KEY b k v", "VA 2 kKEY b\r\n10\r\n"),
            ("ms KEY 1 b MA k\r\nx", "HD kKEY b\r\n"),
            ("mg KEY b Ok k v", "VA 3 Ok kKEY b\r\n10x\r\n"),
            ("md KEY k b", "HD kKEY b\r\n"),
            ("mg KEY O1 b k", "EN O1 kKEY b\r\n"),
            ("md KEY b k q\r\nmg KEY b k q\r\nmn", "NF kKEY b\r\n"),
            ("mg a s k", "MN\r\n"),
        ] {
            let line = line.replace("KEY", key);
            client.expect(&line, &reply.replace("KEY", key));
            other.expect("get a", "VALUE a 5 3\r\nabc\r\nEND\r\n");
        }
        client.expect_reply("HD s3 ka\r\n");
    }
    assert_eq!(bench.node.stat("server_err"), 0);
}

/// An error that `noreply` would suppress must reach its client, and only it.
#[test]
fn noreply_shifts_no_reply() {
    let bench = Bench::new();
    Bench::prepare(&bench.behind);
    let mut clients: Vec<TextClient> = (0..4).map(|_| bench.node.text_client()).collect();
    let silent = [
        "set zz 0 0 1 noreply\r\nx",
        "add zz 0 0 1 noreply\r\nx",
        "replace nope 0 0 1 noreply\r\nx",
        "append zz 0 0 1 noreply\r\nx",
        "cas zz 0 0 1 999999999 noreply\r\nx",
        "delete nope noreply",
        "delete zz noreply",
        "incr nope 1 noreply",
        "incr n 1 noreply",
        "decr n 1 noreply",
        "touch a 100 noreply",
        "ms zz 1 q\r\nx",
        "mg nope q",
        "md zz q",
        "ma n q",
        "verbosity 1 noreply",
        "flush_all noreply",
    ];
    for (round, line) in silent.iter().enumerate().cycle().take(200) {
        // Nothing is awaited between what the one sends and the others ask.
        clients[round % 4].send(format!("{line}\r\n").as_bytes());
        for (n, client) in clients.iter_mut().enumerate() {
            client.expect(
                &format!("md nope O{n}x{round} k"),
                &format!("NF O{n}x{round} knope\r\n"),
            );
            client.expect("get a", "VALUE a 5 3\r\nabc\r\nEND\r\n");
        }
    }
}

/// Errors that memcached sends in spite of `noreply` come from the line, not from the datastore.
#[test]
fn pipelines_of_noreply_and_errors_keep_their_order() {
    let bench = Bench::new();
    Bench::prepare(&bench.behind);
    let mut client = bench.node.text_client();
    let mut requests = Vec::new();
    for n in 0..500 {
        requests.extend(format!("set k{n} 0 0 4 noreply\r\n{n:04}\r\n").bytes());
        requests.extend(b"foo\r\n");
        requests.extend(format!("get k{n}\r\n").bytes());
        requests.extend(b"incr n 0 noreply\r\nincr n x\r\n");
    }
    let sender = client.raw().send_aside(vec![requests]);
    for n in 0..500 {
        client.expect_reply("ERROR\r\n");
        client.expect_reply(&value(&format!("k{n}"), &format!("{n:04}")));
        client.expect_reply("CLIENT_ERROR invalid numeric delta argument\r\n");
    }
    sender.join().expect("the sender");
    client.expect_open();
}

/// A client that goes away in the middle of a value, or before its reply.
#[test]
fn a_client_that_goes_away_costs_nobody_anything() {
    let bench = Bench::new();
    Bench::prepare(&bench.behind);
    let mut other = bench.node.text_client();
    for n in 0..50 {
        for said in [
            &b"set a 0 0 1000\r\nonly this"[..],
            b"get a",
            b"get a n a n\r\nset a 9 9 9",
            b"set big 0 0 900000\r\n",
            b"mg a v k\r\nma n\r\nms q 5\r\nab",
        ] {
            let mut client = bench.node.text_client();
            client.send(said);
            match n % 2 {
                0 => drop(client),
                _ => client.abort(),
            }
            other.expect("get a", "VALUE a 5 3\r\nabc\r\nEND\r\n");
        }
    }
    // The incomplete ones have left nothing.
    other.expect("get big q", "END\r\n");
}

/// With its memcached gone each request is refused, and none later answered.
#[test]
fn a_memcached_that_is_gone_or_stands_is_an_error_line() {
    const GONE: &str = "SERVER_ERROR Storage: Datastore refused connection\r\n";
    let mut behind = Memcached::start();
    let node = Setup::before_memcached(&behind)
        .with("timeout", 500)
        .start();
    let mut client = node.text_client();
    client.set("a", "x");
    pause(behind.pid());
    client.expect("get a", GONE);
    client.expect("set a 0 0 1\r\ny", GONE);
    client.send(b"set a 0 0 1 noreply\r\nz\r\n");
    client.expect("get a b c", GONE);
    client.expect("mn", "MN\r\n");
    resume(behind.pid());
    eventually("it is served again", || {
        client.ask("touch a 0") == b"TOUCHED\r\n"
    });
    client.expect_open();
    behind.kill();
    eventually("its end is noticed", || {
        client.ask("get a") == GONE.as_bytes()
    });
    client.expect("incr a 1", GONE);
    client.expect("foo", "ERROR\r\n");
    behind.restart();
    eventually("it is served again", || client.ask("get a") == b"END\r\n");
    client.set("a", "back");
    client.expect("get a", &value("a", "back"));
}
