//! Requests of all kinds over nodes of both programs.

use super::{at_level, bulk, expect, mixed, other};
use crate::common::{Client, Cluster, Plan, command, shown, words};

/// Asserts that each owner holds this, and no other node anything.
#[track_caller]
fn await_owners(cluster: &Cluster, key: &str, value: Option<&str>) {
    let held = value.map_or("$-1\\r\\n".to_owned(), bulk);
    let owners = cluster.owners(key);
    let wanted: Vec<&str> = (0..cluster.members.len())
        .map(|n| {
            if owners.contains(&n) {
                held.as_str()
            } else {
                "$-1\\r\\n"
            }
        })
        .collect();
    cluster.await_held(key, &wanted);
}

/// Everything a cluster must do, through every node.
fn serves(cluster: &Cluster, others: &[usize]) {
    let mut count = 0;
    for level in [
        "dc_one",
        "dc_quorum",
        "dc_safe_quorum",
        "dc_each_safe_quorum",
    ] {
        for through in 0..cluster.members.len() {
            if level == "dc_each_safe_quorum" && others.contains(&through) {
                continue;
            }
            let mut client = at_level(cluster.client(through), level);
            count += 1;
            expect(&mut client, "incr counted", &format!(":{count}\r\n"));
            await_owners(cluster, "counted", Some(&count.to_string()));
            split(cluster, &mut client, &format!("{level}{through}:"));
            large(cluster, &mut client);
        }
    }
    assert_eq!(
        cluster.calls("incr").iter().sum::<u64>(),
        count * cluster.owners("counted").len() as u64
    );
}

/// Requests with several keys.
fn split(cluster: &Cluster, client: &mut Client, prefix: &str) {
    let keys: Vec<String> = (0..8).map(|n| format!("{prefix}{n}")).collect();
    let pairs: Vec<String> = keys.iter().map(|key| format!("{key} <{key}>")).collect();
    expect(client, &format!("mset {}", pairs.join(" ")), "+OK\r\n");
    for key in &keys {
        await_owners(cluster, key, Some(&format!("<{key}>")));
    }
    let mut values = String::from("*8\\r\\n");
    for key in &keys {
        values += &bulk(&format!("<{key}>"));
    }
    let all = keys.join(" ");
    assert_eq!(shown(&client.ask(&format!("mget {all}"))), values);
    expect(client, &format!("exists {all} {prefix}none"), ":8\r\n");
    expect(client, &format!("del {all} {prefix}none"), ":8\r\n");
    for key in &keys {
        await_owners(cluster, key, None);
    }
}

/// A value that takes many buffers.
fn large(cluster: &Cluster, client: &mut Client) {
    let value: Vec<u8> = (0..1 << 20).map(|n: u32| b'a' + (n % 23) as u8).collect();
    assert_eq!(client.ask_args(&[b"set", b"large", &value]), b"+OK\r\n");
    for owner in cluster.owners("large") {
        crate::common::eventually("each owner has it in full", || {
            cluster.members[owner].store.client().ask("strlen large") == b":1048576\r\n"
        });
    }
    let mut wanted = b"$1048576\r\n".to_vec();
    wanted.extend(&value);
    wanted.extend(b"\r\n");
    assert!(client.ask("get large") == wanted);
    client.ask("del large");
    for owner in cluster.owners("large") {
        crate::common::eventually("it is gone", || {
            cluster.members[owner].store.client().ask("strlen large") == b":0\r\n"
        });
    }
}

#[test]
fn three_racks() {
    let Some(program) = other() else { return };
    for others in [&[0][..], &[2], &[0, 1], &[1, 2]] {
        let cluster = mixed(Plan::of(1, 3, 1), others, &program).start();
        serves(&cluster, others);
    }
}

#[test]
fn two_racks_of_two_nodes() {
    let Some(program) = other() else { return };
    for others in [&[0][..], &[1, 2], &[0, 1, 3]] {
        let cluster = mixed(Plan::of(1, 2, 2), others, &program).start();
        serves(&cluster, others);
    }
}

#[test]
fn two_datacenters() {
    let Some(program) = other() else { return };
    for others in [
        &[0, 1, 2, 3][..],
        &[4, 5, 6, 7],
        &[0, 3, 5, 6],
        &[1, 2, 4, 7],
    ] {
        let cluster = mixed(Plan::of(2, 2, 2), others, &program).start();
        serves(&cluster, others);
    }
}

#[test]
fn commands_the_other_does_not_know_reach_it_or_are_refused_and_close_nothing() {
    let Some(program) = other() else { return };
    let cluster = mixed(Plan::of(1, 2, 2), &[1, 3], &program).start();
    let mut client = cluster.client(0);
    // One key for each kind of owner.
    let keys = [cluster.key_of(0, "a"), cluster.key_of(1, "b")];
    for key in &keys {
        for (line, reply) in [
            ("set K v", "+OK\r\n"),
            ("getex K ex 1000", "$1\r\nv\r\n"),
            ("getdel K", "$1\r\nv\r\n"),
            ("lpush K a b c", ":3\r\n"),
            ("lpos K b", ":1\r\n"),
            ("lpop K 2", "*2\r\n$1\r\nc\r\n$1\r\nb\r\n"),
            ("unlink K", ":1\r\n"),
            ("hset K f1 v1 f2 v2", ":2\r\n"),
            ("hstrlen K f1", ":2\r\n"),
            ("object encoding K", "$8\r\nlistpack\r\n"),
            ("del K", ":1\r\n"),
            ("zadd K 1 a 2 b", ":2\r\n"),
            ("zpopmin K", "*2\r\n$1\r\na\r\n$1\r\n1\r\n"),
            ("touch K", ":1\r\n"),
            ("del K", ":1\r\n"),
        ] {
            let reply = match line {
                "object encoding K" => continue,
                _ => reply,
            };
            expect(&mut client, &line.replace('K', key), reply);
        }
    }
    let [a, b] = &keys;
    expect(&mut client, &format!("mset {a} 1 {b} 2"), "+OK\r\n");
    expect(&mut client, &format!("touch {a} {b}"), ":2\r\n");
    expect(&mut client, &format!("unlink {a} {b}"), ":2\r\n");
    for key in &keys {
        await_owners(&cluster, key, None);
    }
    let before = cluster.members[0].node().stat("peer_eof");
    // A reply no script can hand on as it is: refused, or served, but nothing closes.
    for line in ["xadd K * f v", "xrange K - +", "bitfield K get u63 0"] {
        let reply = client.ask(&line.replace('K', b));
        assert!(!reply.is_empty(), "{line}");
    }
    expect(&mut client, &format!("set {b} v"), "+OK\r\n");
    assert_eq!(cluster.members[0].node().stat("peer_eof"), before);
}

#[test]
fn pipelines_of_ten_thousand_over_mixed_owners() {
    let Some(program) = other() else { return };
    for through in [0, 1] {
        let cluster = mixed(Plan::of(1, 2, 2), &[1, 2], &program).start();
        let mut client = cluster.client(through);
        let pieces: Vec<Vec<u8>> = (0..10_000)
            .map(|n| {
                let key = format!("k{}", n % 100);
                match n % 2 {
                    0 => command(&[b"set", key.as_bytes(), n.to_string().as_bytes()]),
                    _ => words(&format!("get k{}", (n - 1) % 100)),
                }
            })
            .collect();
        let pieces: Vec<Vec<u8>> = pieces.chunks(100).map(<[Vec<u8>]>::concat).collect();
        let sender = client.send_aside(pieces);
        for n in 0..10_000 {
            let wanted = match n % 2 {
                0 => "+OK\\r\\n".to_owned(),
                _ => bulk(&(n - 1).to_string()),
            };
            assert_eq!(shown(&client.reply()), wanted, "request {n}");
        }
        sender.join().expect("it sent all");
        for n in (0..100).step_by(2) {
            await_owners(&cluster, &format!("k{n}"), Some(&(9900 + n).to_string()));
        }
    }
}

#[test]
fn requests_of_two_clients_that_interleave_their_pieces() {
    let Some(program) = other() else { return };
    for through in [0, 1] {
        // The first to begin ends last: ids are out of order towards the peer.
        let cluster = mixed(Plan::of(1, 1, 2), &[1], &program).start();
        let key = cluster.key_of(1 - through, "k");
        let (mut a, mut b) = (cluster.client(through), cluster.client(through));
        for n in 0..50 {
            let request = words(&format!("set {key} a{n}"));
            let (begin, end) = request.split_at(15);
            a.send(begin);
            expect(&mut b, &format!("set {key} b{n}"), "+OK\r\n");
            a.send(end);
            assert_eq!(a.reply(), b"+OK\r\n");
            assert_eq!(shown(&b.ask(&format!("get {key}"))), bulk(&format!("a{n}")));
        }
    }
}

#[test]
fn scripts_are_loaded_on_all_nodes() {
    let Some(program) = other() else { return };
    let cluster = mixed(Plan::of(2, 2, 1), &[1, 2], &program).start();
    for (through, text) in [(0, "return 10"), (1, "return 20")] {
        let mut client = cluster.client(through);
        let reply = client.ask_args(&[b"script", b"load", text.as_bytes()]);
        let sha = String::from_utf8_lossy(&reply[5..45]).into_owned();
        for member in &cluster.members {
            crate::common::eventually("every store has the script", || {
                let exists = format!("script exists {sha}");
                member.store.client().ask(&exists) == b"*1\r\n:1\r\n"
            });
        }
        for other in 0..4 {
            let wanted = format!(":{}\r\n", &text[7..]);
            expect(
                &mut cluster.client(other),
                &format!("evalsha {sha} 1 k"),
                &wanted,
            );
        }
    }
}
