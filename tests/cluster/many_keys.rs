//! Requests with several keys.

use super::{at_level, expect};
use crate::common::{Cluster, Plan, eventually};

const HALF: u32 = 1 << 31;

/// Two racks of unequal size and tokens, and a datacenter with others again.
fn uneven() -> Cluster {
    Plan::by_tokens(&[vec![&[0], &[HALF, 100]], vec![&[1 << 30, 3 << 30, 0]]]).start()
}

#[test]
fn a_request_is_split_by_the_owners_in_every_rack() {
    let cluster = uneven();
    let levels = [
        "dc_one",
        "dc_quorum",
        "dc_safe_quorum",
        "dc_each_safe_quorum",
    ];
    for (round, level) in levels.iter().enumerate() {
        let through = round % cluster.members.len();
        let mut client = at_level(cluster.client(through), level);
        let keys: Vec<String> = (0..20).map(|n| format!("{level}:{n}")).collect();
        let pairs: Vec<String> = keys.iter().map(|key| format!("{key} <{key}>")).collect();
        expect(&mut client, &format!("mset {}", pairs.join(" ")), "+OK\r\n");
        for key in &keys {
            let held = super::bulk(&format!("<{key}>"));
            let owners = cluster.owners(key);
            let wanted: Vec<&str> = (0..6)
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
        // Every other key, one that is not there, and one twice.
        let asked: Vec<&str> = keys
            .iter()
            .step_by(2)
            .map(String::as_str)
            .chain(["missing", &keys[3], &keys[3]])
            .collect();
        let mut reply = format!("*{}\r\n", asked.len());
        for key in &asked {
            match *key {
                "missing" => reply += "$-1\r\n",
                key => reply += &format!("${}\r\n<{key}>\r\n", key.len() + 2),
            }
        }
        for through in 0..6 {
            let mut client = at_level(cluster.client(through), level);
            expect(&mut client, &format!("mget {}", asked.join(" ")), &reply);
            expect(
                &mut client,
                &format!("exists {}", asked.join(" ")),
                ":12\r\n",
            );
            expect(
                &mut client,
                &format!("touch {}", asked.join(" ")),
                ":12\r\n",
            );
        }
        let (first, second) = keys.split_at(10);
        expect(
            &mut client,
            &format!("del {} missing", first.join(" ")),
            ":10\r\n",
        );
        expect(
            &mut client,
            &format!("unlink {} missing", second.join(" ")),
            ":10\r\n",
        );
        for node in 0..6 {
            let store = &cluster.members[node].store;
            eventually("nothing is left anywhere", || {
                store.client().ask("dbsize") == b":0\r\n"
            });
        }
    }
}

#[test]
fn what_cannot_be_split_needs_one_owner_in_every_rack() {
    let cluster = Plan::of(1, 2, 2).with("hash_tag", "'{}'").start();
    let (a, b) = (cluster.key_of(0, "a"), cluster.key_of(1, "b"));
    let mut client = cluster.client(0);
    let crossslot = "-CROSSSLOT Keys in request don't hash to the same node. Keys with the same hash tag are on one node: see hash_tag in dynomite.yml(5).\r\n";
    let spans = "-ERR Dynomite: Keys in the script cannot span multiple nodes. Keys with the same hash tag are on one node: see hash_tag in dynomite.yml(5).\r\n";
    let sorted = |option: &str| {
        format!(
            "-ERR {option} option of SORT denied in Cluster mode when keys formed by the pattern may be in different slots. Keys with the same hash tag are on one node: see hash_tag in dynomite.yml(5).\r\n"
        )
    };
    let wrong_type = "-WRONGTYPE Key is not a valid HyperLogLog string value.\r\n";
    for (line, refused, served) in [
        ("rename K L", crossslot, "-ERR no such key\r\n"),
        ("sinterstore K L L", crossslot, ":0\r\n"),
        ("sunion K L", crossslot, "*0\r\n"),
        ("msetnx K 1 L 1", crossslot, ":1\r\n"),
        ("pfcount K L", crossslot, wrong_type),
        ("sort Kx by L*", sorted("BY").as_str(), "*0\r\n"),
        (
            "sort_ro Kx by nosort get L*",
            sorted("GET").as_str(),
            "*0\r\n",
        ),
        ("sort Kx by L*->f store Kx", sorted("BY").as_str(), ":0\r\n"),
        ("eval return{1} 2 K L", spans, "*1\r\n:1\r\n"),
        (
            "evalsha 0 2 K L",
            spans,
            "-NOSCRIPT No matching script. Please use EVAL.\r\n",
        ),
    ] {
        let with = |k: &str, l: &str| line.replace('K', k).replace('L', l);
        expect(&mut client, &with(&a, &b), refused);
        // The same tag puts them on one node.
        expect(&mut client, &with("{tag}k", "{tag}l"), served);
    }
}

#[test]
fn a_hash_tag_decides_the_place_and_an_empty_one_is_none() {
    let cluster = Plan::of(1, 2, 2).with("hash_tag", "'{}'").start();
    for (key, hashed) in [
        ("{user1}.name", "user1"),
        ("x{user2}y{z}", "user2"),
        ("a{}b", "a{}b"),
        ("{}", "{}"),
        ("open{only", "open{only"),
        ("close}only", "close}only"),
    ] {
        let owners = cluster.owners(hashed);
        for level in ["dc_one", "dc_quorum"] {
            let mut client = at_level(cluster.client(3), level);
            expect(&mut client, &format!("set {key} {level}"), "+OK\r\n");
            let held = super::bulk(level);
            let wanted: Vec<&str> = (0..4)
                .map(|n| {
                    if owners.contains(&n) {
                        held.as_str()
                    } else {
                        "$-1\\r\\n"
                    }
                })
                .collect();
            cluster.await_held(key, &wanted);
            let mut client = at_level(cluster.client(0), level);
            let reply = format!("${}\r\n{level}\r\n", level.len());
            expect(&mut client, &format!("get {key}"), &reply);
        }
    }
}

#[test]
fn values_of_mget_have_a_majority_each() {
    let cluster = Plan::of(1, 3, 1).start();
    for (member, values) in cluster.members.iter().zip(["a x p", "b x q", "b y p"]) {
        let [x, y, z] = values.split(' ').collect::<Vec<_>>()[..] else {
            unreachable!()
        };
        member
            .store
            .client()
            .ask(&format!("mset k1 {x} k2 {y} k3 {z}"));
    }
    for level in ["dc_quorum", "dc_safe_quorum"] {
        let mut client = at_level(cluster.client(0), level);
        expect(
            &mut client,
            "mget k1 k2 k3",
            "*3\r\n$1\r\nb\r\n$1\r\nx\r\n$1\r\np\r\n",
        );
    }
    // A value without a majority.
    for (member, value) in cluster.members.iter().zip(["a", "b", "c"]) {
        member.store.client().ask(&format!("set k4 {value}"));
    }
    let mut client = at_level(cluster.client(0), "dc_safe_quorum");
    expect(
        &mut client,
        "mget k1 k4",
        "-ERR Dynomite: Failed to achieve Quorum\r\n",
    );
    // Keys deleted where they are: their number is compared, not made up.
    let mut client = at_level(cluster.client(0), "dc_quorum");
    expect(&mut client, "del k1 k2 k3 k4", ":4\r\n");
}
