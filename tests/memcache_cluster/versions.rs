//! `cas`: an id that one replica gave is good through every node, once.

use super::{LEVELS, await_everywhere, spread_ids};
use crate::common::{Cluster, Plan, eventually, shown, value};

fn cluster(level: &str, plan: Plan) -> Cluster {
    let cluster = plan.of_memcached().at_level(level).start();
    spread_ids(&cluster);
    cluster
}

/// Reads an id through one node and uses it through another.
fn check(cluster: &Cluster, reader: usize, writer: usize) {
    let key = format!("key{reader}x{writer}");
    let mut through = cluster.text_client(reader);
    through.set(&key, "first");
    await_everywhere(cluster, &key, &value(&key, "first"));
    let id = through.cas_id(&key);
    let mut writer = cluster.text_client(writer);
    writer.expect(&format!("cas {key} 0 0 6 {id}\r\nsecond"), "STORED\r\n");
    await_everywhere(cluster, &key, &value(&key, "second"));
    // The id is used up, for everybody.
    for client in [&mut writer, &mut through] {
        client.expect(&format!("cas {key} 0 0 5 {id}\r\nthird"), "EXISTS\r\n");
        client.expect(&format!("ms {key} 5 C{id}\r\nthird"), "EX\r\n");
        client.expect(&format!("md {key} C{id}"), "EX\r\n");
        client.expect(&format!("get {key}"), &value(&key, "second"));
    }
    await_everywhere(cluster, &key, &value(&key, "second"));
    // An id that a meta command gave.
    let reply = String::from_utf8(through.ask(&format!("mg {key} c"))).expect("text");
    let id = reply
        .trim()
        .strip_prefix("HD c")
        .unwrap_or_else(|| panic!("{reply}"));
    writer.expect(&format!("ms {key} 5 C{id}\r\nthird"), "HD\r\n");
    await_everywhere(cluster, &key, &value(&key, "third"));
    let id = through.cas_id(&key);
    writer.expect(
        &format!("cas {key} 0 0 6 {id} noreply\r\nfourth\r\nmn"),
        "MN\r\n",
    );
    await_everywhere(cluster, &key, &value(&key, "fourth"));
    let id = through.cas_id(&key);
    writer.expect(&format!("md {key} C{id}"), "HD\r\n");
    await_everywhere(cluster, &key, "END\r\n");
    writer.expect(&format!("cas {key} 0 0 1 {id}\r\nx"), "NOT_FOUND\r\n");
    await_everywhere(cluster, &key, "END\r\n");
}

#[test]
fn an_id_is_good_once_through_any_node_of_three_racks() {
    for level in LEVELS {
        let cluster = cluster(level, Plan::of(1, 3, 1));
        for reader in 0..3 {
            for writer in 0..3 {
                check(&cluster, reader, writer);
            }
        }
    }
}

#[test]
fn an_id_is_good_once_through_any_node_of_two_datacenters() {
    for level in ["dc_one", "dc_quorum"] {
        let cluster = cluster(level, Plan::of(2, 2, 2));
        for reader in 0..8 {
            check(&cluster, reader, (reader + 5) % 8);
            check(&cluster, reader, reader);
        }
    }
}

#[test]
fn of_many_who_use_the_same_id_one_succeeds() {
    for level in ["dc_one", "dc_quorum", "dc_safe_quorum"] {
        let cluster = cluster(level, Plan::of(1, 3, 1));
        for round in 0..20 {
            let key = format!("contended{round}");
            let mut client = cluster.text_client(round % 3);
            client.set(&key, "start");
            await_everywhere(&cluster, &key, &value(&key, "start"));
            let id = client.cas_id(&key);
            let replies: Vec<String> = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..3)
                    .map(|n| {
                        let mut client = cluster.text_client(n);
                        let line = format!("cas {key} 0 0 2 {id}\r\nn{n}");
                        scope.spawn(move || shown(&client.ask(&line)))
                    })
                    .collect();
                threads
                    .into_iter()
                    .map(|thread| thread.join().expect("an answer"))
                    .collect()
            });
            let winner = replies.iter().position(|reply| reply == "STORED\\r\\n");
            let winner = winner.unwrap_or_else(|| panic!("nobody: {replies:?}"));
            for (n, reply) in replies.iter().enumerate().filter(|(n, _)| *n != winner) {
                assert_eq!(reply, "EXISTS\\r\\n", "{n} at {level}: {replies:?}");
            }
            await_everywhere(&cluster, &key, &value(&key, &format!("n{winner}")));
        }
    }
}

/// In silence: nothing says that it stands.
#[test]
fn ids_are_told_while_the_memcached_of_the_first_rack_stands() {
    let plan = Plan::of(1, 2, 1).with("timeout", 500);
    let cluster = cluster("dc_one", plan);
    cluster.text_client(0).set("k", "v");
    await_everywhere(&cluster, "k", &value("k", "v"));
    for through in 0..2 {
        let mut client = cluster.text_client(through);
        let before = client.cas_id("k");
        cluster.pause_store(0);
        let meanwhile = client.cas_id("k");
        assert_ne!(before >> 48, meanwhile >> 48, "it is another node's");
        client.expect(&format!("cas k 0 0 1 {meanwhile}\r\nv"), "STORED\r\n");
        cluster.resume_store(0);
        cluster.await_store(0);
        eventually("it is asked again", || {
            client.cas_id("k") >> 48 == before >> 48
        });
    }
}

#[test]
fn counting_by_cas_loses_nothing() {
    for level in ["dc_one", "dc_quorum"] {
        count_by_cas(level);
    }
}

fn count_by_cas(level: &str) {
    let cluster = cluster(level, Plan::of(1, 3, 1));
    cluster.text_client(0).set("sum", "0");
    await_everywhere(&cluster, "sum", &value("sum", "0"));
    std::thread::scope(|scope| {
        for through in 0..3 {
            let cluster = &cluster;
            scope.spawn(move || {
                let mut client = cluster.text_client(through);
                let mut done = 0;
                while done < 20 {
                    let reply = String::from_utf8(client.ask("gets sum")).expect("text");
                    let mut lines = reply.split("\r\n");
                    let id = lines.next().and_then(|line| line.rsplit(' ').next());
                    let sum = lines.next().and_then(|line| line.parse::<u32>().ok());
                    let (Some(id), Some(sum)) = (id, sum) else {
                        panic!("{reply}");
                    };
                    let next = (sum + 1).to_string();
                    let line = format!("cas sum 0 0 {} {id}\r\n{next}", next.len());
                    match &client.ask(&line)[..] {
                        b"STORED\r\n" => done += 1,
                        reply => assert_eq!(shown(reply), "EXISTS\\r\\n"),
                    }
                }
            });
        }
    });
    // A replica may have kept one of two values that reached it from two nodes at once; a majority
    // or the one that gives the versions has not.
    for through in 0..3 {
        let reply = shown(&cluster.text_client(through).ask("gets sum"));
        assert!(reply.ends_with("\\r\\n60\\r\\nEND\\r\\n"), "{reply}");
    }
}

/// A set that names an older version stores a stale item (flag `I`); its readers see that, and one is to make
/// it anew. It never happened in a cluster of racks.
#[test]
fn a_late_set_makes_a_stale_item_in_every_rack() {
    for (level, plan) in [
        ("dc_one", Plan::of(1, 3, 1)),
        ("dc_quorum", Plan::of(1, 3, 1)),
        ("dc_safe_quorum", Plan::of(2, 2, 2)),
        ("dc_one", Plan::of(1, 1, 2)),
    ] {
        let cluster = cluster(level, plan);
        for through in 0..cluster.members.len() {
            let key = format!("key{through}");
            let mut client = cluster.text_client(through);
            client.set(&key, "first");
            await_everywhere(&cluster, &key, &value(&key, "first"));
            let old = client.cas_id(&key);
            client.set(&key, "second");
            await_everywhere(&cluster, &key, &value(&key, "second"));
            client.expect(&format!("ms {key} 4 I C{old} T100\r\nlate"), "HD\r\n");
            await_everywhere(&cluster, &key, &value(&key, "late"));
            client.expect(&format!("mg {key} v"), "VA 4 X W\r\nlate\r\n");
            client.expect(&format!("mg {key} v"), "VA 4 Z X\r\nlate\r\n");
            for owner in cluster.owners(&key) {
                let mut store = cluster.members[owner].store.memcached().client();
                let reply = String::from_utf8(store.ask(&format!("mg {key} s"))).unwrap();
                assert!(reply.contains(" X"), "{owner}: {reply}");
            }
            // It is made anew with the version it has now.
            let new = client.cas_id(&key);
            client.expect(&format!("ms {key} 5 I C{new}\r\nfresh"), "HD\r\n");
            await_everywhere(&cluster, &key, &value(&key, "fresh"));
            client.expect(&format!("mg {key} v"), "VA 5\r\nfresh\r\n");
        }
    }
}
