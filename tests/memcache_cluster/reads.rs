//! Reads by consistency level, over replicas that never have the same `cas` ids.

use super::{LEVELS, await_everywhere, spread_ids};
use crate::common::{Cluster, Plan, eventually, shown, value, values, without_ids};

const QUORUM: &str = "SERVER_ERROR Dynomite: Failed to achieve Quorum\r\n";

#[test]
fn ids_that_differ_are_no_disagreement() {
    for level in LEVELS {
        let cluster = Plan::of(2, 3, 1).of_memcached().at_level(level).start();
        spread_ids(&cluster);
        let mut client = cluster.text_client(0);
        client.set("k", "v");
        client.set("other", "w");
        await_everywhere(&cluster, "k", &value("k", "v"));
        await_everywhere(&cluster, "other", &value("other", "w"));
        for through in 0..cluster.members.len() {
            let mut client = cluster.text_client(through);
            client.expect("get k", &value("k", "v"));
            client.expect("get k nope other", &values(&[("k", "v"), ("other", "w")]));
            for (line, reply) in [
                ("gets k", "VALUE k 0 1 #\\r\\nv\\r\\nEND\\r\\n"),
                (
                    "gets other k",
                    "VALUE other 0 1 #\\r\\nw\\r\\nVALUE k 0 1 #\\r\\nv\\r\\nEND\\r\\n",
                ),
                ("gats 0 k", "VALUE k 0 1 #\\r\\nv\\r\\nEND\\r\\n"),
                ("mg k c v", "VA 1 #\\r\\nv\\r\\n"),
                ("mg k c v k f s O1", "VA 1 # kk f0 s1 O1\\r\\nv\\r\\n"),
                ("mg k c", "HD #\\r\\n"),
            ] {
                assert_eq!(
                    shown(&without_ids(&client.ask(line))),
                    reply,
                    "{line} at {level}"
                );
            }
        }
    }
}

/// What each level answers when the three replicas hold these values.
fn answers(level: &str, held: [&str; 3]) -> String {
    let cluster = Plan::of(1, 3, 1).of_memcached().at_level(level).start();
    spread_ids(&cluster);
    hold(&cluster, held);
    let mut client = cluster.text_client(0);
    let reply = shown(&client.ask("get k"));
    let with_id = shown(&without_ids(&client.ask("gets k"))).replace(" #", "");
    // The reply's id is the first rack's; with another value than a majority it has no quorum.
    let first = held.into_iter().find(|value| *value != "-");
    let of_first = first.map_or(String::new(), |text| shown(value("k", text).as_bytes()));
    match (reply.as_str(), level) {
        (told, _) if told == of_first || !told.starts_with("VALUE") => assert_eq!(with_id, told),
        (_, "dc_quorum") => assert_eq!(with_id, of_first),
        _ => assert_eq!(with_id, shown(QUORUM.as_bytes())),
    }
    client.expect_open();
    reply
}

fn hold(cluster: &Cluster, held: [&str; 3]) {
    for (member, value) in cluster.members.iter().zip(held) {
        if value != "-" {
            member.store.memcached().client().set("k", value);
        }
    }
}

#[test]
fn values_that_differ_are_judged_by_the_level() {
    let of = |text: &str| shown(value("k", text).as_bytes());
    let none = "END\\r\\n";
    assert_eq!(answers("dc_one", ["a", "b", "b"]), of("a"));
    assert_eq!(answers("dc_one", ["-", "b", "b"]), none);
    for level in ["dc_quorum", "dc_safe_quorum"] {
        assert_eq!(answers(level, ["a", "b", "b"]), of("b"));
        assert_eq!(answers(level, ["a", "a", "b"]), of("a"));
        assert_eq!(answers(level, ["a", "b", "a"]), of("a"));
        assert_eq!(answers(level, ["-", "b", "b"]), of("b"));
        assert_eq!(answers(level, ["a", "-", "-"]), none);
    }
    let first = answers("dc_quorum", ["a", "b", "c"]);
    assert!([of("a"), of("b"), of("c")].contains(&first), "{first}");
    for level in ["dc_safe_quorum", "dc_each_safe_quorum"] {
        assert_eq!(answers(level, ["a", "b", "c"]), shown(QUORUM.as_bytes()));
        assert_eq!(answers(level, ["a", "b", "-"]), shown(QUORUM.as_bytes()));
    }
}

#[test]
fn a_read_touches_as_many_racks_as_its_level_says() {
    for (level, through, touched) in [
        ("dc_one", 0, [1, 0, 0, 0, 0, 0]),
        ("dc_one", 4, [0, 0, 0, 0, 1, 0]),
        ("dc_quorum", 1, [1, 1, 1, 0, 0, 0]),
        ("dc_safe_quorum", 5, [0, 0, 0, 1, 1, 1]),
        ("dc_each_safe_quorum", 2, [1, 1, 1, 1, 1, 1]),
    ] {
        let cluster = Plan::of(2, 3, 1).of_memcached().at_level(level).start();
        let mut client = cluster.text_client(through);
        client.set("k", "v");
        await_everywhere(&cluster, "k", &value("k", "v"));
        let gets = || -> Vec<u64> {
            let stores = cluster
                .members
                .iter()
                .map(|member| member.store.memcached());
            stores.map(|store| store.stat("cmd_get")).collect()
        };
        let before = gets();
        client.expect("get k", &value("k", "v"));
        eventually(&format!("the replicas of {level} are asked"), || {
            let asked: Vec<u64> = gets()
                .iter()
                .zip(&before)
                .map(|(now, then)| now - then)
                .collect();
            asked == touched
        });
    }
}

#[test]
fn what_a_node_answers_itself_leaves_it_never() {
    let cluster = Plan::of(1, 3, 1)
        .of_memcached()
        .at_level("dc_safe_quorum")
        .start();
    for through in 0..3 {
        let mut client = cluster.text_client(through);
        client.expect("mn", "MN\r\n");
        client.expect("verbosity 1", "OK\r\n");
        client.expect("foo", "ERROR\r\n");
        assert!(client.ask("version").starts_with(b"VERSION 1."));
        assert!(client.ask("stats").starts_with(b"STAT pid "));
        let refused = client.ask("flush_all");
        assert!(refused.starts_with(b"CLIENT_ERROR flush_all is disabled"));
    }
}
