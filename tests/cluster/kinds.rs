//! Requests of unusual form, over nodes that have to forward them.

use super::{at_level, bulk, expect};
use crate::common::{Cluster, Plan, Redis, Setup, command, eventually, shown, words};

/// That exactly the owners of a key have it.
#[track_caller]
fn await_placed(cluster: &Cluster, key: &str) {
    let owners = cluster.owners(key);
    for (node, member) in cluster.members.iter().enumerate() {
        let wanted: &[u8] = if owners.contains(&node) {
            b":1\r\n"
        } else {
            b":0\r\n"
        };
        eventually(&format!("{key} is where it belongs, {node}"), || {
            member.store.client().ask(&format!("exists {key}")) == wanted
        });
    }
}

/// Asserts that no datastore has a key.
#[track_caller]
fn await_gone(cluster: &Cluster, key: &str) {
    for owner in cluster.owners(key) {
        eventually(&format!("{key} is gone, {owner}"), || {
            cluster.members[owner]
                .store
                .client()
                .ask(&format!("exists {key}"))
                == b":0\r\n"
        });
    }
}

#[test]
fn keys_that_are_not_the_first_argument_decide_the_place_in_every_datacenter() {
    let cluster = Plan::of(2, 2, 2).start();
    let store = "redis.call('set',KEYS[1],'v')";
    for (n, line) in [
        "bitop or K K",
        "xgroup create K g $ mkstream",
        "zunionstore K 1 K",
        "bitfield K set u8 0 7",
        "xadd K 1-1 f v",
        "sort K store K",
        "lmpop 1 K left",
        "zmpop 1 K min",
        "copy K K replace",
    ]
    .iter()
    .enumerate()
    {
        for owner in [0, 1] {
            let key = cluster.key_of(owner, &format!("n{n}o{owner}k"));
            for through in [0, 3, 5] {
                let prepared = match line.split(' ').next() {
                    Some("bitop") => format!("set {key} v"),
                    Some("zunionstore" | "zmpop") => format!("zadd {key} 1 a 2 b 3 c 4 d"),
                    Some("sort" | "lmpop") => format!("rpush {key} 1 2 3 4"),
                    Some("copy") => format!("set {key} v"),
                    _ => "echo x".to_owned(),
                };
                let mut client = cluster.client(through);
                client.ask(&prepared);
                let reply = client.ask(&line.replace('K', &key));
                // What a redis-server says to it does not matter here, only where.
                assert!(
                    !reply.starts_with(b"-ERR Peer"),
                    "{line}: {}",
                    shown(&reply)
                );
                await_placed(&cluster, &key);
                if line.starts_with("xadd") || line.starts_with("xgroup") {
                    client.ask(&format!("del {key}"));
                    // Through another node the next one could overtake it.
                    await_gone(&cluster, &key);
                }
            }
        }
    }
    for through in 0..8 {
        let key = cluster.key_of(through, &format!("script{through}k"));
        let reply = cluster.client((through + 3) % 8).ask_args(&[
            b"eval",
            store.as_bytes(),
            b"1",
            key.as_bytes(),
        ]);
        assert!(!reply.starts_with(b"-ERR"), "{}", shown(&reply));
        await_placed(&cluster, &key);
    }
}

#[test]
fn inline_commands_are_forwarded_in_canonical_form() {
    let cluster = Plan::of(2, 2, 2).start();
    let mut client = cluster.client(0);
    for n in 0..10 {
        client.send(format!("set \"in line {n}\" 'a value'\r\n").as_bytes());
        assert_eq!(client.reply(), b"+OK\r\n");
        let key = format!("in line {n}");
        for owner in cluster.owners(&key) {
            let mut store = cluster.members[owner].store.client();
            eventually("each owner has it", || {
                store.ask_args(&[b"get", key.as_bytes()]) == b"$7\r\na value\r\n"
            });
        }
    }
}

#[test]
fn an_empty_key_and_bytes_of_all_kinds_are_placed_and_found() {
    let cluster = Plan::of(2, 2, 2).start();
    let long = vec![b'k'; 40_000];
    for key in [&b""[..], b"\r\n", b"\0\xff", b" ", b"{}", &long] {
        for level in ["dc_one", "dc_quorum", "dc_each_safe_quorum"] {
            for through in 0..8 {
                let value = format!("{level}{through}");
                let mut client = at_level(cluster.client(through), level);
                assert_eq!(
                    client.ask_args(&[b"set", key, value.as_bytes()]),
                    b"+OK\r\n"
                );
                assert_eq!(shown(&client.ask_args(&[b"get", key])), bulk(&value));
                // One copy in each rack.
                let holders = || {
                    let held = cluster.members.iter().filter(|member| {
                        let reply = member.store.client().ask_args(&[b"get", key]);
                        shown(&reply) == bulk(&value)
                    });
                    held.count()
                };
                eventually("four racks, four copies", || holders() == 4);
            }
        }
        let mut client = cluster.client(2);
        assert_eq!(
            client.ask_args(&[b"mget", key, b"other"]).first(),
            Some(&b'*')
        );
        assert_eq!(client.ask_args(&[b"del", key, b"other"]), b":1\r\n");
    }
}

#[test]
fn values_larger_than_every_queue() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let pem = crate::common::new_key(dir.path(), "shared");
    let cluster = Plan::of(2, 2, 1)
        .with("secure_server_option", "datacenter")
        .with("pem_key_file", pem.display())
        .with("timeout", 20_000)
        .start();
    let value: Vec<u8> = (0..20 << 20).map(|n: u32| (n % 251) as u8).collect();
    let mut wanted = format!("${}\r\n", value.len()).into_bytes();
    wanted.extend(&value);
    wanted.extend(b"\r\n");
    for (through, level) in [(0, "dc_one"), (1, "dc_quorum"), (3, "dc_each_safe_quorum")] {
        let mut client = at_level(cluster.client(through), level);
        let key = format!("large{level}");
        assert_eq!(
            client.ask_args(&[b"set", key.as_bytes(), &value]),
            b"+OK\r\n"
        );
        assert!(client.ask(&format!("get {key}")) == wanted, "{level}");
        for member in &cluster.members {
            eventually("each rack has it", || {
                let reply = member.store.client().ask(&format!("strlen {key}"));
                reply == format!(":{}\r\n", value.len()).as_bytes()
            });
        }
    }
}

#[test]
fn resp3_is_spoken_over_forwarded_split_and_compared_requests() {
    let cluster = Plan::of(1, 3, 2).start();
    for level in ["dc_one", "dc_quorum", "dc_safe_quorum"] {
        for through in 0..6 {
            let mut client = at_level(cluster.client(through), level);
            assert_eq!(client.ask("hello 3").first(), Some(&b'%'));
            let name = |key: &str| format!("{level}{through}{key}");
            let (h, s, a, b, c) = (name("h"), name("s"), name("a"), name("b"), name("c"));
            expect(&mut client, &format!("hset {h} f v"), ":1\r\n");
            expect(
                &mut client,
                &format!("hgetall {h}"),
                "%1\r\n$1\r\nf\r\n$1\r\nv\r\n",
            );
            expect(&mut client, &format!("sadd {s} m"), ":1\r\n");
            expect(&mut client, &format!("smembers {s}"), "~1\r\n$1\r\nm\r\n");
            expect(&mut client, &format!("mset {a} 1 {b} 2"), "+OK\r\n");
            let mget = "*3\r\n$1\r\n1\r\n_\r\n$1\r\n2\r\n";
            expect(&mut client, &format!("mget {a} {c} {b}"), mget);
            expect(&mut client, &format!("get {c}"), "_\r\n");
            expect(&mut client, &format!("del {a} {b} {c}"), ":2\r\n");
        }
    }
}

#[test]
fn replies_that_are_not_wanted_are_not_sent_however_they_come_about() {
    let cluster = Plan::of(1, 2, 2).start();
    for level in ["dc_one", "dc_quorum"] {
        let mut client = at_level(cluster.client(0), level);
        let mut requests = Vec::new();
        requests.extend(words("client reply off"));
        for n in 0..20 {
            requests.extend(words(&format!(
                "mset {level}a{n} 1 {level}b{n} 2 {level}c{n} 3"
            )));
            requests.extend(words(&format!("incr {level}d{n}")));
        }
        requests.extend(words("client reply on"));
        requests.extend(words(&format!(
            "mget {level}a7 {level}b7 {level}c7 {level}d7"
        )));
        requests.extend(words("client reply skip"));
        requests.extend(words(&format!("del {level}a7 {level}b7 {level}c7")));
        requests.extend(words(&format!("exists {level}a7 {level}b7 {level}d7")));
        client.send(&requests);
        assert_eq!(client.reply(), b"+OK\r\n");
        let values = "*4\\r\\n$1\\r\\n1\\r\\n$1\\r\\n2\\r\\n$1\\r\\n3\\r\\n$1\\r\\n1\\r\\n";
        assert_eq!(shown(&client.reply()), values);
        assert_eq!(client.reply(), b":1\r\n");
        client.expect_open();
    }
}

#[test]
fn many_keys_many_times_and_in_one_pipeline() {
    let cluster = Plan::of(2, 2, 2).start();
    let mut client = at_level(cluster.client(6), "dc_quorum");
    let keys: Vec<String> = (0..2000).map(|n| format!("many{n}")).collect();
    let mut mset: Vec<&[u8]> = vec![b"mset"];
    let mut mget: Vec<&[u8]> = vec![b"mget"];
    for key in &keys {
        mset.extend([key.as_bytes(), key.as_bytes()]);
        mget.push(key.as_bytes());
    }
    let mut wanted = b"*2000\r\n".to_vec();
    for key in &keys {
        wanted.extend(format!("${}\r\n{key}\r\n", key.len()).as_bytes());
    }
    let mut requests = command(&mset);
    for _ in 0..20 {
        requests.extend(command(&mget));
    }
    let sender = client.send_aside(vec![requests]);
    assert_eq!(client.reply(), b"+OK\r\n");
    for n in 0..20 {
        assert!(client.reply() == wanted, "{n}");
    }
    sender.join().expect("it sent all");
}

#[test]
fn seeds_that_cannot_be_found_or_reached_stop_nothing() {
    let redis = Redis::start();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = closed.local_addr().expect("a bound socket").port();
    drop(closed);
    let seeds = format!(
        "\n  - no-such-host.invalid:8101:rack1:dc:0\n  - 127.0.0.1:{port}:rack2:dc:0\n  \
         - no-such-host.invalid:8101:rack1:other:0"
    );
    let mut node = Setup::before(&redis)
        .with("datacenter", "dc")
        .with("rack", "rack0")
        .with("dyn_seeds", seeds)
        .start();
    let mut client = node.client();
    expect(&mut client, "set k v", "+OK\r\n");
    expect(&mut client, "get k", "$1\r\nv\r\n");
    let mut client = at_level(client, "dc_quorum");
    expect(
        &mut client,
        "get k",
        "-ERR Peer: Peer Node is not connected\r\n",
    );
    node.expect_alive();
}
