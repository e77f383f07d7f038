//! `get` of many keys: split by owner, joined in the client's order.

use super::LEVELS;
use crate::common::{Cluster, Plan, TextClient, bytes, shown, values};

/// Keys of every owner, some of which are missing.
fn fill(cluster: &Cluster, client: &mut TextClient) -> Vec<String> {
    let mut keys = Vec::new();
    for owner in 0..cluster.members.len() {
        for n in 0..5 {
            keys.push(cluster.key_of(owner, &format!("at{owner}n{n}x")));
        }
    }
    for key in &keys {
        if !is_missing(key) {
            client.set(key, &format!("<{key}>"));
        }
    }
    keys
}

fn is_missing(key: &str) -> bool {
    key.contains("n3x")
}

fn wanted(asked: &[&str]) -> String {
    let held: Vec<(&str, String)> = asked
        .iter()
        .filter(|key| !is_missing(key))
        .map(|key| (*key, format!("<{key}>")))
        .collect();
    let held: Vec<(&str, &str)> = held.iter().map(|(key, v)| (*key, v.as_str())).collect();
    values(&held)
}

#[test]
fn values_come_in_the_clients_order_with_one_end() {
    for level in LEVELS {
        let cluster = Plan::of(2, 2, 3).of_memcached().at_level(level).start();
        let keys = fill(&cluster, &mut cluster.text_client(0));
        for key in &keys {
            if !is_missing(key) {
                let value = format!("<{key}>");
                super::await_everywhere(&cluster, key, &values(&[(key, &value)]));
            }
        }
        for through in 0..cluster.members.len() {
            let mut client = cluster.text_client(through);
            let count = keys.len();
            let ask = |client: &mut TextClient, asked: &[&str]| {
                client.expect(&format!("get {}", asked.join(" ")), &wanted(asked));
            };
            // All; every second one; backwards; the same ones again and again; nothing but misses.
            let all: Vec<&str> = keys.iter().map(String::as_str).collect();
            ask(&mut client, &all);
            let mixed: Vec<&str> = (0..count).map(|n| all[n * 7 % count]).collect();
            ask(&mut client, &mixed);
            let backwards: Vec<&str> = all.iter().rev().copied().collect();
            ask(&mut client, &backwards);
            let repeated: Vec<&str> = (0..200).map(|n| all[n * n % count]).collect();
            ask(&mut client, &repeated);
            let twice = [all[0], all[0], all[1], all[0]];
            ask(&mut client, &twice);
            let missing: Vec<&str> = all.iter().filter(|key| is_missing(key)).copied().collect();
            ask(&mut client, &missing);
            ask(&mut client, &missing[..1]);
        }
    }
}

#[test]
fn gets_and_gat_are_split_as_well() {
    let cluster = Plan::of(1, 2, 3).of_memcached().start();
    let keys = fill(&cluster, &mut cluster.text_client(0));
    let all: Vec<&str> = keys.iter().map(String::as_str).collect();
    for through in 0..cluster.members.len() {
        let mut client = cluster.text_client(through);
        client.expect(&format!("gat 0 {}", all.join(" ")), &wanted(&all));
        for line in [
            format!("gets {}", all.join(" ")),
            format!("gats 0 {}", all.join(" ")),
        ] {
            // Without the ids, which every line has.
            let reply = String::from_utf8(client.ask(&line)).expect("text");
            let lines: Vec<String> = reply
                .split("\r\n")
                .map(|line| match line.starts_with("VALUE ") {
                    true => {
                        assert_eq!(line.split(' ').count(), 5, "{line}");
                        line.rsplit_once(' ')
                            .map_or(line, |(start, _)| start)
                            .to_owned()
                    }
                    false => line.to_owned(),
                })
                .collect();
            assert_eq!(lines.join("\r\n"), wanted(&all));
        }
    }
    // A time that has come, on every replica.
    let mut client = cluster.text_client(2);
    client.expect(&format!("gat -1 {}", all.join(" ")), &wanted(&all));
    for key in &all {
        super::await_everywhere(&cluster, key, "END\r\n");
    }
}

#[test]
fn values_that_look_like_replies_and_large_ones_are_joined() {
    let cluster = Plan::of(1, 1, 3).of_memcached().start();
    let mut client = cluster.text_client(0);
    let large = "L".repeat(200_000);
    let contents = [
        "END\r\n",
        "",
        "\r\nEND\r\n",
        "VALUE k 0 1\r\nx\r\nEND",
        "SERVER_ERROR no\r\n",
        &large,
    ];
    let mut held = Vec::new();
    for (n, content) in contents.iter().cycle().take(18).enumerate() {
        let key = cluster.key_of(n % 3, &format!("odd{n}x"));
        client.set(&key, content);
        held.push((key, *content));
    }
    let held: Vec<(&str, &str)> = held.iter().map(|(key, v)| (key.as_str(), *v)).collect();
    let keys: Vec<&str> = held.iter().map(|(key, _)| *key).collect();
    for through in 0..3 {
        let mut client = cluster.text_client(through);
        let reply = client.ask(&format!("get {}", keys.join(" ")));
        assert!(reply == values(&held).as_bytes(), "{}", shown(&reply));
        client.expect_open();
    }
}

#[test]
fn thousands_of_keys_byte_by_byte_and_in_pipelines() {
    let cluster = Plan::of(2, 1, 3).of_memcached().start();
    let mut client = cluster.text_client(0);
    let keys: Vec<String> = (0..2000).map(|n| format!("key{n}")).collect();
    let mut requests = Vec::new();
    for key in &keys {
        requests.extend(format!("set {key} 0 0 {} noreply\r\n{key}\r\n", key.len()).bytes());
    }
    client.send(&requests);
    client.expect("mn", "MN\r\n");
    let held: Vec<(&str, &str)> = keys
        .iter()
        .map(|key| (key.as_str(), key.as_str()))
        .collect();
    let line = format!("get {}\r\n", keys.join(" "));
    let mut pieces: Vec<Vec<u8>> = line.bytes().map(|byte| vec![byte]).collect();
    pieces.extend((0..20).map(|_| line.clone().into_bytes()));
    // What follows a long one is answered behind it.
    pieces.push(bytes("get nope\r\nfoo\r\n"));
    let sender = client.raw().send_aside(pieces);
    let wanted = values(&held);
    for n in 0..21 {
        assert!(client.reply() == wanted.as_bytes(), "{n}");
    }
    client.expect_reply("END\r\n");
    client.expect_reply("ERROR\r\n");
    sender.join().expect("the sender");
}

/// Longer than a line may be that memcached is sent.
#[test]
fn a_gat_of_any_length_is_served() {
    let cluster = Plan::of(2, 1, 3).of_memcached().start();
    let keys: Vec<String> = (0..1000).map(|n| format!("key{n}")).collect();
    let held: Vec<(&str, &str)> = keys.iter().map(|key| (key.as_str(), "x")).collect();
    let mut client = cluster.text_client(0);
    for key in &keys {
        client.send(format!("set {key} 0 0 1 noreply\r\nx\r\n").as_bytes());
    }
    let mut line = format!("gat 1000 {} nope", keys.join(" "));
    for _ in 0..2 {
        let reply = client.ask(&line);
        assert!(reply == values(&held).as_bytes(), "{}", shown(&reply));
        client.expect_open();
        line = line.replace("gat 1000", "gat -1");
    }
    for key in ["key0", "key500", "key999"] {
        super::await_everywhere(&cluster, key, "END\r\n");
    }
}

#[test]
fn an_owner_that_is_gone_is_an_error_and_not_a_miss() {
    const GONE: &str = "SERVER_ERROR Peer: Peer Node is not connected\r\n";
    let mut cluster = Plan::of(1, 1, 3).of_memcached().start();
    let keys = fill(&cluster, &mut cluster.text_client(0));
    cluster.kill(1);
    let mut client = cluster.text_client(0);
    let all: Vec<&str> = keys.iter().map(String::as_str).collect();
    client.expect(&format!("get {}", all.join(" ")), GONE);
    let kept: Vec<&str> = all
        .iter()
        .copied()
        .filter(|key| cluster.owner(0, 0, key) != 1)
        .collect();
    client.expect(&format!("get {}", kept.join(" ")), &wanted(&kept));
    cluster.restart(1);
    client.expect(&format!("get {}", all.join(" ")), &wanted(&all));
}
