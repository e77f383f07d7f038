//! Which redis-servers a read touches.

use super::{at_level, expect};
use crate::common::{Plan, eventually};

#[test]
fn a_read_touches_as_many_racks_as_its_level_says_and_no_other_datacenter() {
    let cluster = Plan::of(2, 3, 1).start();
    expect(&mut cluster.client(0), "set k v", "+OK\r\n");
    cluster.await_held("k", &["$1\\r\\nv\\r\\n"; 6]);
    let all = [1, 1, 1, 1, 1, 1];
    for (level, through, touched) in [
        ("dc_one", 0, [1, 0, 0, 0, 0, 0]),
        ("dc_one", 4, [0, 0, 0, 0, 1, 0]),
        ("dc_quorum", 1, [1, 1, 1, 0, 0, 0]),
        ("dc_safe_quorum", 5, [0, 0, 0, 1, 1, 1]),
        ("dc_each_safe_quorum", 2, all),
    ] {
        // Looking at the stores is a read as well, of another command.
        cluster.forget_calls();
        let mut client = at_level(cluster.client(through), level);
        expect(&mut client, "strlen k", ":1\r\n");
        eventually("the replicas are asked", || {
            cluster.calls("strlen") == touched
        });
    }
}

#[test]
fn a_dc_one_read_goes_from_any_node_of_the_rack_to_its_owner_there() {
    let cluster = Plan::of(1, 2, 2).start();
    for through in 0..4 {
        for owner in 0..4 {
            let key = cluster.key_of(owner, "k");
            if cluster.members[through].rack != cluster.members[owner].rack {
                continue;
            }
            cluster.forget_calls();
            expect(
                &mut cluster.client(through),
                &format!("get {key}"),
                "$-1\r\n",
            );
            let mut touched = [0; 4];
            touched[owner] = 1;
            assert_eq!(cluster.calls("get"), touched, "{key} through {through}");
        }
    }
}

#[test]
fn commands_of_the_rack_never_leave_it() {
    let cluster = Plan::of(1, 3, 1).start();
    expect(&mut cluster.client(0), "hset h f v", ":1\r\n");
    eventually("all have it", || cluster.calls("hset") == [1, 1, 1]);
    for level in [
        "dc_one",
        "dc_quorum",
        "dc_safe_quorum",
        "dc_each_safe_quorum",
    ] {
        for (line, name, reply) in [
            ("hgetall h", "hgetall", "*2\r\n$1\r\nf\r\n$1\r\nv\r\n"),
            ("hkeys h", "hkeys", "*1\r\n$1\r\nf\r\n"),
            ("hvals h", "hvals", "*1\r\n$1\r\nv\r\n"),
        ] {
            cluster.forget_calls();
            let mut client = at_level(cluster.client(1), level);
            expect(&mut client, line, reply);
            assert_eq!(cluster.calls(name), [0, 1, 0], "{line} at {level}");
        }
    }
    // These are answered by this node, for any key.
    cluster.forget_calls();
    let mut client = at_level(cluster.client(2), "dc_quorum");
    expect(&mut client, "ping", "+PONG\r\n");
    client.send(b"PING\r\n");
    assert_eq!(client.reply(), b"+PONG\r\n");
    assert!(client.ask("info server").starts_with(b"$"));
    assert!(client.ask("scan 0").starts_with(b"*2"));
    assert!(client.ask("keys *").starts_with(b"*1"));
    for name in ["ping", "scan", "keys"] {
        let elsewhere: u64 = cluster.calls(name)[..2].iter().sum();
        assert_eq!(elsewhere, 0, "{name}");
    }
}

#[test]
fn a_connection_keeps_the_level_it_chose_and_others_do_not_see_it() {
    let cluster = Plan::of(1, 3, 1).start();
    // The stores differ, so that the level shows.
    for (member, value) in cluster.members.iter().zip(["a", "b", "c"]) {
        member.store.client().ask(&format!("set k {value}"));
    }
    let no_quorum = "-ERR Dynomite: Failed to achieve Quorum\r\n";
    let mut safe = at_level(cluster.client(0), "DC_SAFE_QUORUM");
    let mut one = cluster.client(0);
    expect(&mut safe, "get k", no_quorum);
    expect(&mut one, "get k", "$1\r\na\r\n");
    expect(&mut safe, "get k", no_quorum);
    let mut safe = at_level(safe, "dc_one");
    expect(&mut safe, "get k", "$1\r\na\r\n");
    // A client that asks for a level that does not exist would go on at another one.
    let mut safe = at_level(safe, "dc_safe_quorum");
    assert!(
        safe.ask("dyno_config:conn_consistency dc_two")
            .starts_with(b"-ERR")
    );
    assert!(safe.until_closed().is_empty());
}

#[test]
fn the_levels_of_the_configuration_hold_for_new_connections() {
    let cluster = Plan::of(1, 3, 1)
        .with("read_consistency", "DC_SAFE_QUORUM")
        .with("write_consistency", "dc_quorum")
        .start();
    cluster.forget_calls();
    expect(&mut cluster.client(0), "set k v", "+OK\r\n");
    for (member, value) in cluster.members.iter().zip(["a", "b", "c"]) {
        eventually("the write arrives", || member.calls("set") == 1);
        member.store.client().ask(&format!("set k {value}"));
    }
    let mut client = cluster.client(1);
    expect(
        &mut client,
        "get k",
        "-ERR Dynomite: Failed to achieve Quorum\r\n",
    );
}

#[test]
fn the_order_of_a_set_is_no_disagreement() {
    let cluster = Plan::of(1, 3, 1).start();
    // Not all integers, so that a redis-server keeps them in the order they came in.
    for (member, order) in cluster.members.iter().zip(["a b 3", "3 b a", "b a 3"]) {
        member.store.client().ask(&format!("sadd s {order}"));
    }
    for (n, odd) in ["x", "y", "z"].iter().enumerate() {
        cluster.members[n]
            .store
            .client()
            .ask(&format!("sadd t {odd}"));
    }
    let mut client = at_level(cluster.client(0), "dc_safe_quorum");
    let reply = client.ask("smembers s");
    let text = String::from_utf8_lossy(&reply).into_owned();
    let mut members: Vec<&str> = text.split("\r\n").filter(|line| line.len() == 1).collect();
    members.sort_unstable();
    assert_eq!(members, ["3", "a", "b"]);
    expect(
        &mut client,
        "smembers t",
        "-ERR Dynomite: Failed to achieve Quorum\r\n",
    );
}

#[test]
fn answers_without_a_quorum_are_counted() {
    let mut cluster = Plan::of(1, 3, 1).start();
    for (member, value) in cluster.members.iter().zip(["a", "bb", "ccc"]) {
        member.store.client().ask(&format!("set k {value}"));
    }
    let counted = |cluster: &crate::common::Cluster| {
        let names = [
            "client_non_quorum_r_responses",
            "client_non_quorum_w_responses",
        ];
        names.map(|name| cluster.members[0].node().stat(name))
    };
    for level in ["dc_quorum", "dc_safe_quorum"] {
        let before = counted(&cluster);
        let mut client = at_level(cluster.client(0), level);
        client.ask("get k");
        client.ask("append k .");
        let [reads, writes] = counted(&cluster);
        assert_eq!(
            [reads - before[0], writes - before[1]],
            [1, 1],
            "nothing agrees, {level}"
        );
    }
    cluster.kill(1);
    cluster.kill(2);
    let before = counted(&cluster);
    let mut client = at_level(cluster.client(0), "dc_quorum");
    client.ask("get k");
    client.ask("set k v");
    let [reads, writes] = counted(&cluster);
    assert_eq!([reads - before[0], writes - before[1]], [1, 1], "too few");
    let mut client = cluster.client(0);
    client.ask("get k");
    client.ask("set k v");
    assert_eq!(counted(&cluster), [reads, writes], "DC_ONE has no quorum");
}
