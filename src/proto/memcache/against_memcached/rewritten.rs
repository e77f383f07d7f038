//! Rewritten requests have the replies and the effect of the original ones.

use super::{Client, Server, call, fixed, shown};
use crate::proto::legacy::memcache::unsigned;
use crate::proto::memcache::call::Call;
use crate::proto::memcache::rewrite::{effect, needs_one, stale, strict, unique, with_unique};

/// All of the item `k` that another memcached would have, too.
fn state(client: &mut Client) -> String {
    super::state(client, "mg k s v f k t u")
}

fn prepare(client: &mut Client, before: &str) {
    client.ask("flush_all");
    client.ask("delete k");
    if !before.is_empty() {
        client.ask(before);
    }
}

const BEFORE: [&str; 4] = [
    "",
    "set k 5 0 2\r\n10",
    "set k 5 5000 2\r\n10",
    "ms k 3 F7 T9000\r\nold",
];

#[test]
fn a_time_without_a_sign_is_answered_like_the_negative_one() {
    let server = Server::start();
    let mut client = Client::of(&server);
    for before in BEFORE {
        for text in [
            "set k 1 -1 1",
            "set k 1 -2147483648 1",
            "add k 1 -5 1",
            "replace k 1 -1 1",
            "append k 1 -1 1",
            "prepend k 1 -1 1",
            "touch k -1",
        ] {
            let original = call(text);
            let other = unsigned(&original).expect("it has a sign");
            assert!(!shown(&other).contains(" -"));
            let [plain, moved] = [&original, &other].map(|request| {
                prepare(&mut client, before);
                let reply = client.send(request, b"x");
                (fixed(&reply), state(&mut client))
            });
            assert_eq!(plain, moved, "{before}; {text}");
        }
    }
}

/// A stale item is told of as such, once to somebody who is to make it anew (flag `W`).
#[test]
fn a_stale_item_is_the_same_on_another_replica() {
    let servers = [Server::start(), Server::start()];
    let mut clients = servers.each_ref().map(Client::of);
    for flags in ["", " MS F7", " MR T100", " k Oq"] {
        twin("set k 5 5000 2\r\n10", &mut clients);
        let old = version(&mut clients[0]).expect("an item");
        for client in &mut clients {
            client.ask("set k 5 5000 2\r\n11");
        }
        let text = format!("ms k 1 C{old} I{flags}");
        let original = call(&text);
        let first = strict(&original).expect("it has the flag");
        assert!(clients[0].send(&first, b"x").starts_with(b"EX"));
        let reply = clients[0].send(&original, b"x");
        let mut words = Vec::new();
        let effect = stale(&original, &reply, &mut words).expect("it was stored");
        assert_eq!(fixed(&clients[1].send(&effect, b"x")), fixed(&reply));
        for mark in ["X W", "Z X"] {
            let [one, other] = clients.each_mut().map(state);
            assert_eq!(one, other, "{text}");
            assert!(one.contains(mark), "{text}: {one}");
        }
    }
}

/// The version of `k`, if it is there.
fn version(client: &mut Client) -> Option<u64> {
    let reply = client.ask("mg k c");
    let digits = reply.strip_prefix("HD c")?.strip_suffix("\\r\\n")?;
    Some(digits.parse().unwrap())
}

fn twin(before: &str, clients: &mut [Client; 2]) {
    // So that a version of one is none of the other.
    clients[1].ask("set other 0 0 1\r\nx");
    clients
        .iter_mut()
        .for_each(|client| prepare(client, before));
}

#[test]
fn an_effect_makes_another_replica_equal_and_is_answered_alike() {
    let servers = [Server::start(), Server::start()];
    let mut clients = servers.each_ref().map(Client::of);
    let mut done = 0;
    for before in BEFORE {
        for (text, matches) in [
            ("cas k 3 100 1 0", true),
            ("cas k 3 0 1 0", true),
            ("cas k 3 0 1 0", false),
            ("ms k 1 C0 F9 T0 k Oopaque", true),
            ("ms k 1 C0 MR c", true),
            ("ms k 1 C0 MS", true),
            ("ms k 1 MA C0 c", true),
            ("ms k 1 MP C0 k", true),
            ("ms k 1 ME C0", true),
            ("ms k 1 C0 c", false),
            ("md k C0 k O1", true),
            ("md k I C0 T100000", true),
            ("md k C0", false),
            ("ma k C0 v c t", true),
            ("ma k v N100000 J7 C0", true),
            ("ma k C0 MD D3 T100000", true),
            ("ma k C0 v", false),
        ] {
            twin(before, &mut clients);
            let original = call(text);
            assert!(needs_one(&original) && unique(&original) == Some(0));
            let own = version(&mut clients[0]).filter(|_| matches);
            let mut words = Vec::new();
            let first = with_unique(&original, own.unwrap_or(u64::MAX >> 1), &mut words);
            assert_eq!(unique(&first), Some(own.unwrap_or(u64::MAX >> 1)));
            let reply = clients[0].send(&first, b"x");
            match effect(&first, &reply) {
                Some(effect) => {
                    assert!(!needs_one(&effect), "{text}");
                    let other = clients[1].send(&effect, b"x");
                    assert_eq!(fixed(&other), fixed(&reply), "{before}; {text}");
                    done += 1;
                }
                None => assert!(
                    own.is_none() || reply.starts_with(b"CLIENT_ERROR") || text.contains("ME"),
                    "{before}; {text}"
                ),
            }
            let [one, other] = clients.each_mut().map(state);
            assert_eq!(one, other, "{before}; {text}");
        }
    }
    assert!(done > 30, "{done}");
}

#[test]
fn what_compares_nothing_needs_no_first_replica() {
    let plain: fn(&str) -> Call<'_> = call;
    for text in [
        "set k 0 0 1",
        "mg k C5 v",
        "ms k 1 T5",
        "md k I",
        "ma k D5",
        "get k",
    ] {
        assert!(!needs_one(&plain(text)), "{text}");
        assert_eq!(effect(&plain(text), b"STORED\r\n"), None, "{text}");
    }
}
