//! Each kind of write, on every replica, once; and what is not answered shifts no answer.

use super::{LEVELS, assert_nowhere_else, await_everywhere};
use crate::common::{Memcached, Plan, shown, value, values};

const QUORUM: &str = "SERVER_ERROR Dynomite: Failed to achieve Quorum\r\n";

/// For a key: requests, their replies, and what is held afterwards, as a reply to `get`. `K` is the key.
type Script = &'static [(&'static str, &'static str)];

#[rustfmt::skip]
const SCRIPTS: &[(Script, &str)] = &[
    (&[("set K 7 0 3\r\nabc", "STORED\r\n")], "VALUE K 7 3\r\nabc\r\nEND\r\n"),
    (&[("set K 0 0 0\r\n", "STORED\r\n")], "VALUE K 0 0\r\n\r\nEND\r\n"),
    (&[("add K 0 0 1\r\na", "STORED\r\n"), ("add K 0 0 1\r\nb", "NOT_STORED\r\n")], "VALUE K 0 1\r\na\r\nEND\r\n"),
    (&[("replace K 0 0 1\r\na", "NOT_STORED\r\n"), ("set K 1 0 1\r\na", "STORED\r\n"), ("replace K 2 0 1\r\nb", "STORED\r\n")], "VALUE K 2 1\r\nb\r\nEND\r\n"),
    (&[("append K 0 0 1\r\na", "NOT_STORED\r\n"), ("set K 0 0 1\r\na", "STORED\r\n"), ("append K 0 0 2\r\nbc", "STORED\r\n"), ("prepend K 0 0 1\r\nz", "STORED\r\n")], "VALUE K 0 4\r\nzabc\r\nEND\r\n"),
    (&[("set K 0 0 1\r\na", "STORED\r\n"), ("delete K", "DELETED\r\n"), ("delete K", "NOT_FOUND\r\n")], "END\r\n"),
    (&[("set K 0 0 1\r\n5", "STORED\r\n"), ("incr K 10", "15\r\n"), ("decr K 1", "14\r\n"), ("incr K 1", "15\r\n")], "VALUE K 0 2\r\n15\r\nEND\r\n"),
    (&[("incr K 1", "NOT_FOUND\r\n"), ("touch K 0", "NOT_FOUND\r\n")], "END\r\n"),
    (&[("set K 0 0 1\r\nx", "STORED\r\n"), ("incr K 1", "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"), ("touch K 0", "TOUCHED\r\n")], "VALUE K 0 1\r\nx\r\nEND\r\n"),
    (&[("set K 0 0 1\r\nx", "STORED\r\n"), ("gat -1 K", "VALUE K 0 1\r\nx\r\nEND\r\n")], "END\r\n"),
    (&[("set K 0 0 1\r\nx", "STORED\r\n"), ("touch K -1", "TOUCHED\r\n")], "END\r\n"),
    (&[("set K 0 -1 1\r\nx", "STORED\r\n")], "END\r\n"),
    (&[("ms K 3 F7\r\nabc", "HD\r\n"), ("ms K 1 ME\r\nz", "NS\r\n"), ("ms K 1 MA O9 k\r\nd", "HD O9 kK\r\n")], "VALUE K 7 4\r\nabcd\r\nEND\r\n"),
    (&[("ma K N0 J13 v", "VA 2\r\n13\r\n"), ("ma K D2 v", "VA 2\r\n15\r\n"), ("ma K MD", "HD\r\n")], "VALUE K 0 2\r\n14\r\nEND\r\n"),
    (&[("ms K 1\r\nx", "HD\r\n"), ("md K O1", "HD O1\r\n"), ("md K O2", "NF O2\r\n")], "END\r\n"),
    (&[("mg K N0 v", "VA 0 W\r\n\r\n"), ("mg K v", "VA 0 Z\r\n\r\n")], "VALUE K 0 0\r\n\r\nEND\r\n"),
    // What is silent, up to a word that is not.
    (&[("set K 0 0 1 noreply\r\na\r\nappend K 0 0 1 noreply\r\nb\r\nmn", "MN\r\n")], "VALUE K 0 2\r\nab\r\nEND\r\n"),
    (&[("set K 0 0 1 noreply\r\n1\r\nincr K 1 noreply\r\ndecr K 9 noreply\r\nincr K 3 noreply\r\nmn", "MN\r\n")], "VALUE K 0 1\r\n3\r\nEND\r\n"),
    (&[("set K 0 0 1\r\nx", "STORED\r\n"), ("delete K noreply\r\ntouch K 0 noreply\r\nmn", "MN\r\n")], "END\r\n"),
    (&[("ms K 1 q\r\nx\r\nms K 1 q MP\r\ny\r\nma K q\r\nmd nope q\r\nmn", "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n"), ("mn", "NF\r\n")], "VALUE K 0 2\r\nyx\r\nEND\r\n"),
];

fn every_write_reaches_every_replica(plan: Plan, level: &str) {
    let cluster = plan.of_memcached().at_level(level).start();
    for (number, (script, held)) in SCRIPTS.iter().enumerate() {
        for through in 0..cluster.members.len() {
            let key = format!("key{number}x{through}");
            let mut client = cluster.text_client(through);
            for (line, reply) in *script {
                // "K" stands alone in every line.
                let line = with_key(line, &key);
                client.expect(&line, &with_key(reply, &key));
            }
            drop(client);
            await_everywhere(&cluster, &key, &with_key(held, &key));
            assert_nowhere_else(&cluster, &key);
        }
    }
}

fn with_key(text: &str, key: &str) -> String {
    text.replace(" K ", &format!(" {key} "))
        .replace(" K\r", &format!(" {key}\r"))
        .replace(" kK", &format!(" k{key}"))
        .split('\n')
        .map(|line| match line.strip_suffix(" K") {
            Some(start) => format!("{start} {key}"),
            None => line.to_owned(),
        })
        .collect::<Vec<_>>()
        .join("\n")
}

/// The scripts are right: a memcached alone answers so.
#[test]
fn every_script_is_what_a_memcached_says() {
    let memcached = Memcached::start();
    for (script, held) in SCRIPTS {
        let mut client = memcached.client();
        client.ask("delete K");
        for (line, reply) in *script {
            client.expect(line, reply);
        }
        memcached.client().expect("get K", held);
    }
}

#[test]
fn every_write_reaches_three_racks() {
    for level in LEVELS {
        every_write_reaches_every_replica(Plan::of(1, 3, 1), level);
    }
}

#[test]
fn every_write_reaches_two_datacenters_of_several_owners() {
    for level in ["dc_one", "dc_each_safe_quorum"] {
        every_write_reaches_every_replica(Plan::of(2, 2, 2), level);
    }
}

#[test]
fn writes_without_a_reply_shift_no_reply_of_anybody() {
    for level in LEVELS {
        let cluster = Plan::of(2, 2, 2).of_memcached().at_level(level).start();
        std::thread::scope(|scope| {
            for through in 0..cluster.members.len() {
                let cluster = &cluster;
                scope.spawn(move || {
                    let mut silent = cluster.text_client(through);
                    let mut other = cluster.text_client(through);
                    for round in 0..100 {
                        let key = format!("quiet{through}x{}", round % 7);
                        let mut lines = String::new();
                        lines += &format!("set {key} 0 0 3 noreply\r\n{:03}\r\n", round);
                        lines += &format!("incr {key} 0 noreply\r\ndelete nope{round} noreply\r\n");
                        lines += &format!(
                            "touch {key} 0 noreply\r\nms {key}m 1 q\r\nx\r\nmg nope{round} q\r\n"
                        );
                        silent.send(lines.as_bytes());
                        // Of every owner, so that each connection is used.
                        let mine = format!("loud{through}x{round}");
                        other.set(&mine, &format!("v{round}"));
                        other.expect(
                            &format!("mg {mine} k Oq{round}"),
                            &format!("HD k{mine} Oq{round}\r\n"),
                        );
                        other.expect(&format!("delete nope{round}"), "NOT_FOUND\r\n");
                        silent.expect(
                            &format!("md {key}z Or{round}"),
                            &format!("NF Or{round}\r\n"),
                        );
                    }
                });
            }
        });
        for through in 0..cluster.members.len() {
            for n in 0..7 {
                // Of 100 rounds the last that had this key.
                let last = (0..100)
                    .rev()
                    .find(|round| round % 7 == n)
                    .unwrap_or_default();
                let key = format!("quiet{through}x{n}");
                // An incr by nothing writes the number without its zeros, or leaves its room.
                let mut client = cluster.text_client(through);
                client.expect(&format!("incr {key} 1"), &format!("{}\r\n", last + 1));
            }
        }
    }
}

#[test]
fn counters_count_once_on_every_replica() {
    for level in LEVELS {
        let cluster = Plan::of(2, 2, 2).of_memcached().at_level(level).start();
        let keys: Vec<String> = (0..6).map(|n| format!("counter{n}")).collect();
        let mut client = cluster.text_client(0);
        for key in &keys {
            client.set(key, "1000000");
            await_everywhere(&cluster, key, &value(key, "1000000"));
        }
        std::thread::scope(|scope| {
            for through in 0..cluster.members.len() {
                let (cluster, keys) = (&cluster, &keys);
                scope.spawn(move || {
                    let mut client = cluster.text_client(through);
                    for round in 0..50 {
                        for key in keys {
                            match round % 3 {
                                0 => client.send(format!("incr {key} 3 noreply\r\n").as_bytes()),
                                1 => client.expect(&format!("ma {key} D3"), "HD\r\n"),
                                _ => {
                                    let reply = client.ask(&format!("incr {key} 3"));
                                    // Replicas that count in another order do not agree at
                                    // each moment; they do in the end.
                                    let excused =
                                        level.contains("safe") && reply == QUORUM.as_bytes();
                                    let counted = reply.starts_with(b"100") && reply.len() == 9;
                                    assert!(counted || excused, "{}", shown(&reply));
                                }
                            }
                        }
                    }
                    client.expect_open();
                });
            }
        });
        let total = 1_000_000 + 3 * 50 * cluster.members.len();
        for key in &keys {
            await_everywhere(&cluster, key, &value(key, &total.to_string()));
        }
    }
}

#[test]
fn large_values_and_bytes_of_all_kinds_reach_every_replica() {
    let cluster = Plan::of(2, 2, 1)
        .of_memcached()
        .at_level("dc_each_safe_quorum")
        .start();
    let bytes: Vec<u8> = (0..1_000_000u32).map(|n| (n % 251) as u8).collect();
    for len in [0, 1, 511, 512, 16_383, 16_384, 100_000, 1_000_000] {
        let key = format!("large{len}");
        let mut client = cluster.text_client(len % 4);
        client.send(format!("set {key} 0 0 {len}\r\n").as_bytes());
        client.send(&bytes[..len]);
        client.send(b"\r\n");
        client.expect_reply("STORED\r\n");
        let mut wanted = format!("VALUE {key} 0 {len}\r\n").into_bytes();
        wanted.extend_from_slice(&bytes[..len]);
        wanted.extend_from_slice(b"\r\nEND\r\n");
        assert!(client.ask(&format!("get {key}")) == wanted, "{len}");
        for member in &cluster.members {
            let held = member.store.memcached().client().ask(&format!("get {key}"));
            assert!(held == wanted, "{len}");
        }
    }
    let mut client = cluster.text_client(1);
    client.send(
        &[
            b"set large 0 0 2000000\r\n",
            &bytes[..],
            &bytes[..],
            b"\r\n",
        ]
        .concat(),
    );
    client.expect_reply("SERVER_ERROR object too large for cache\r\n");
    client.expect("get large large1", &values(&[("large1", "\0")]));
}
