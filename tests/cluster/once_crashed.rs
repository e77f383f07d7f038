//! What crashed or wedged the C original, each by its name. What is not here is elsewhere:
//! `a_hash_tag_decides_the_place_and_an_empty_one_is_none`, `script_load_reaches_every_node_that_lives`
//! and `dc_each_safe_quorum_with_a_dead_remote_datacenter_is_an_error_and_no_wait`.

use super::{at_level, expect};
use crate::common::{Cluster, Plan, command, eventually, shown, words};

/// That every node still runs and serves.
#[track_caller]
fn expect_all_alive(cluster: &Cluster) {
    for node in 0..cluster.members.len() {
        let mut client = cluster.client(node);
        client.expect_open();
        expect(&mut client, "set alive yes", "+OK\r\n");
    }
}

#[test]
fn inline_ping_at_a_quorum_level() {
    let cluster = Plan::of(1, 3, 1).start();
    for level in ["dc_quorum", "dc_safe_quorum", "dc_each_safe_quorum"] {
        let mut client = at_level(cluster.client(0), level);
        client.send(b"PING\r\nping\n");
        assert_eq!(client.reply(), b"+PONG\r\n");
        assert_eq!(client.reply(), b"+PONG\r\n");
        expect(&mut client, "ping", "+PONG\r\n");
    }
    expect_all_alive(&cluster);
}

#[test]
fn two_tokens_for_a_node() {
    let quarter = 1 << 30;
    let cluster = Plan::of(2, 2, 2)
        .with_tokens(0, &[0, 2 * quarter])
        .with_tokens(1, &[quarter, 3 * quarter])
        .with_tokens(6, &[5, 100, 2 * quarter + 7, 3 * quarter])
        .start();
    let mut client = cluster.client(3);
    for n in 0..40 {
        expect(&mut client, &format!("set k{n} {n}"), "+OK\r\n");
    }
    for n in 0..40 {
        let key = format!("k{n}");
        let (held, owners) = (super::bulk(&n.to_string()), cluster.owners(&key));
        let wanted: Vec<&str> = (0..8)
            .map(|n| match owners.contains(&n) {
                true => held.as_str(),
                false => "$-1\\r\\n",
            })
            .collect();
        cluster.await_held(&key, &wanted);
    }
    expect_all_alive(&cluster);
}

#[test]
fn multi_key_del_with_repairs_on() {
    let cluster = Plan::of(1, 3, 1)
        .with("read_repairs_enabled", "true")
        .with("read_consistency", "dc_safe_quorum")
        .with("write_consistency", "dc_safe_quorum")
        .start();
    let mut client = cluster.client(0);
    expect(&mut client, "mset a 1 b 2 c 3", "+OK\r\n");
    expect(&mut client, "del a b c d", ":3\r\n");
    expect(&mut client, "mget a b c", "*3\r\n$-1\r\n$-1\r\n$-1\r\n");
    expect_all_alive(&cluster);
}

#[test]
fn a_client_gone_while_its_replicas_are_asked() {
    let cluster = Plan::of(1, 3, 1).start();
    // The replicas differ, so every reply is waited for, and one does not come yet.
    for (member, value) in cluster.members.iter().zip(["a", "b", "c"]) {
        member.store.client().ask(&format!("set k {value}"));
    }
    cluster.pause_store(2);
    for n in 0..20 {
        let mut client = at_level(cluster.client(0), "dc_safe_quorum");
        for request in ["get k", "set w v", "mget k w", "append k x"] {
            client.send(&words(request));
        }
        if n % 2 == 0 {
            client.abort();
        }
    }
    cluster.resume_store(2);
    // Writes of clients that ended their stream are executed, everywhere. What of the others was read
    // before the reset is, too.
    eventually("all of them are applied", || {
        let calls = cluster.calls("append");
        calls[0] >= 10 && calls.iter().all(|count| *count == calls[0])
    });
    expect_all_alive(&cluster);
}

#[test]
fn mget_after_a_large_mset() {
    let cluster = Plan::of(1, 2, 2).start();
    let value = vec![b'v'; 300_000];
    let names: Vec<String> = (0..8).map(|n| format!("k{n}")).collect();
    let mut client = cluster.client(0);
    let mut request: Vec<&[u8]> = vec![b"mset"];
    for name in &names {
        request.extend([name.as_bytes(), &value]);
    }
    assert_eq!(client.ask_args(&request), b"+OK\r\n");
    for level in ["dc_one", "dc_quorum"] {
        for through in 0..4 {
            let mut client = at_level(cluster.client(through), level);
            let mut request: Vec<&[u8]> = vec![b"mget"];
            request.extend(names.iter().map(|name| name.as_bytes()));
            client.send(&command(&request));
            let mut wanted = b"*8\r\n".to_vec();
            for _ in 0..8 {
                wanted.extend(b"$300000\r\n");
                wanted.extend(&value);
                wanted.extend(b"\r\n");
            }
            eventually("the other rack has them", || {
                let reply = client.reply();
                let right = reply == wanted;
                if !right {
                    client.send(&command(&request));
                }
                right
            });
        }
    }
    expect_all_alive(&cluster);
}

#[test]
fn four_racks_that_disagree() {
    let cluster = Plan::of(1, 4, 1).start();
    let no_quorum = "-ERR Dynomite: Failed to achieve Quorum\r\n";
    for (values, safe) in [
        (["a", "b", "c", "d"], no_quorum),
        // Half is no majority.
        (["a", "a", "b", "b"], no_quorum),
        (["a", "b", "b", "b"], "$1\r\nb\r\n"),
        (["a", "a", "b", "a"], "$1\r\na\r\n"),
    ] {
        for (member, value) in cluster.members.iter().zip(values) {
            member.store.client().ask(&format!("set k {value}"));
        }
        for through in 0..4 {
            let mut client = at_level(cluster.client(through), "dc_safe_quorum");
            expect(&mut client, "get k", safe);
            let mut client = at_level(cluster.client(through), "dc_quorum");
            let reply = shown(&client.ask("get k"));
            let any = values.map(super::bulk);
            assert!(any.contains(&reply), "{values:?}: {reply}");
        }
    }
    expect_all_alive(&cluster);
}

#[test]
fn one_rack_at_the_safe_levels() {
    let cluster = Plan::of(1, 1, 2).start();
    for level in ["dc_quorum", "dc_safe_quorum", "dc_each_safe_quorum"] {
        let mut client = at_level(cluster.client(0), level);
        expect(&mut client, "mset a 1 b 2 c 3", "+OK\r\n");
        expect(
            &mut client,
            "mget a b c",
            "*3\r\n$1\r\n1\r\n$1\r\n2\r\n$1\r\n3\r\n",
        );
        expect(&mut client, "del a b c", ":3\r\n");
        expect(&mut client, "get a", "$-1\r\n");
        expect(&mut client, "smembers a", "*0\r\n");
    }
    expect_all_alive(&cluster);
}
