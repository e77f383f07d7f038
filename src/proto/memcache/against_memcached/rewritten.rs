//! Rewritten requests have the replies and the effect of the original ones.

use super::{Client, Server, call, fixed, now_secs, shown};
use crate::proto::memcache::call::Call;
use crate::proto::memcache::rewrite::{absolute, effect, needs_one, unique, with_unique};

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
fn an_absolute_time_is_answered_like_the_relative_one() {
    let server = Server::start();
    let mut client = Client::of(&server);
    let mut rewritten = 0;
    let mut others = 0;
    for before in BEFORE {
        for text in [
            "set k 1 100000 1",
            "set k 1 2592000 1",
            "set k 1 2592001 1",
            "set k 1 -1 1",
            "set k 1 -2147483648 1",
            "set k 1 0 1",
            "add k 1 100000 1",
            "add k 1 -5 1",
            "replace k 1 100000 1",
            "replace k 1 -1 1",
            "append k 1 100000 1",
            "append k 1 -1 1",
            "prepend k 1 -1 1",
            "prepend k 1 0 1",
            "gat 100000 k",
            "gat -1 k",
            "gat 0 k",
            "gat 100000 k k",
            "touch k 100000",
            "touch k -1",
            "touch k 0",
            "mg k s v T100000",
            "mg k s v T-1",
            "mg k T0 v",
            "mg k N100000 v t",
            "mg k N-1 v s",
            "mg k N100000 T200000 s v",
            "mg k R100000 s",
            "ms k 1 T100000",
            "ms k 1 T-1 k",
            "ms k 1 T2592001",
            "ms k 1 T100000 ME",
            "ms k 1 T-1 MA",
            "md k I T100000",
            "md k I T-1 k",
            "ma k N100000 J5 v",
            "ma k N-1 J5 v",
            "ma k T100000 v",
            "ma k T-1 v",
        ] {
            let original = call(text);
            let mut words = Vec::new();
            let other = absolute(&original, now_secs(), &mut words);
            rewritten += usize::from(other.is_some());
            others += usize::from(other.is_none());
            let other = other.unwrap_or_else(|| original.clone());
            assert!(!shown(&other).contains(" -") && !shown(&other).contains("T-"));
            let [plain, moved] = [&original, &other].map(|request| {
                prepare(&mut client, before);
                let reply = client.send(request, b"x");
                (fixed(&reply), state(&mut client))
            });
            assert_eq!(plain, moved, "{before}; {text}");
        }
    }
    assert!(rewritten > 4 * 25 && others > 4 * 8, "{rewritten} {others}");
}

#[test]
fn a_delayed_flush_ends_at_an_absolute_moment_too() {
    let server = Server::start();
    let mut client = Client::of(&server);
    for (text, is_left) in [
        ("flush_all 100000", true),
        ("flush_all -1", false),
        ("flush_all 0", false),
        ("flush_all", false),
    ] {
        client.ask("set k 0 0 1\r\nx");
        let original = call(text);
        let mut words = Vec::new();
        let other = absolute(&original, now_secs(), &mut words);
        assert_eq!(other.is_some(), is_left, "{text}");
        let other = other.unwrap_or(original);
        assert_eq!(client.send(&other, b""), b"OK\r\n");
        let found = client.ask("get k").starts_with("VALUE");
        assert_eq!(found, is_left, "{text}");
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
