//! Versions of memcached's items, told by several nodes. Requests are told with `|` for CR LF.

use super::memcache::{NO_QUORUM, STORED, all, at};
use super::{ME, Rig, THREE_RACKS, key_of};
use crate::cluster::id::NodeId;
use crate::consistency::Consistency::{DcOne, DcQuorum, DcSafeQuorum};
use crate::node::Options;

#[test]
fn a_majority_is_one_of_values_and_not_of_versions() {
    let mut rig = Rig::new(&THREE_RACKS, at(DcSafeQuorum));
    let client = rig.client();
    rig.asks(client, &["gets k"]);
    for (node, version) in [(1, 7), (2, 8)] {
        assert_eq!(rig.sees(node), ["gets k"]);
        rig.says(node, &format!("VALUE k 0 1 {version}\r\nx\r\nEND\r\n"));
    }
    assert_eq!(rig.hears(client), "", "the first rack gives the versions");
    rig.says(ME, "VALUE k 0 1 9\r\nx\r\nEND\r\n");
    let reply = rig.hears(client);
    let version: u64 = reply.split(['\r', ' ']).nth(4).unwrap().parse().unwrap();
    assert_eq!(version & ((1 << 48) - 1), 9, "{reply}");
    // It may know more than the others, or less: nobody is told a version of theirs.
    rig.asks(client, &["gets k"]);
    for (node, text) in [(1, "old"), (2, "old"), (ME, "new")] {
        rig.says(node, &format!("VALUE k 0 3 9\r\n{text}\r\nEND\r\n"));
    }
    assert_eq!(rig.hears(client), NO_QUORUM);
    rig.asks(client, &["get k"]);
    for (node, text) in [(ME, "a"), (1, "b"), (2, "c")] {
        rig.says(node, &format!("VALUE k 0 1\r\n{text}\r\nEND\r\n"));
    }
    assert_eq!(rig.hears(client), NO_QUORUM);
    rig.assert_at_rest();
}

#[test]
fn of_two_clients_with_one_version_one_wins_and_the_others_are_told_what_to_keep() {
    let mut rig = Rig::new(&["b d r2 0", "a d r1 0", "c d r3 0"], at(DcOne));
    let client = rig.client();
    rig.asks(client, &["gets k"]);
    assert_eq!(
        rig.sees(1),
        ["gets k"],
        "the first rack's, though it is not this node's"
    );
    rig.says(1, "VALUE k 5 1 42\r\nx\r\nEND\r\n");
    let reply = rig.hears(client);
    let version: u64 = reply.split(['\r', ' ']).nth(4).unwrap().parse().unwrap();
    assert_eq!(version & ((1 << 48) - 1), 42);
    assert_ne!(version >> 48, 0, "{reply}");
    let cas = format!("cas k 5 100 3 {version}\r\nnew");
    let other = rig.client();
    rig.asks(client, &[&cas]);
    rig.asks(other, &[&cas]);
    assert_eq!(rig.sees(1), ["cas k 5 100 3 42|new"; 2]);
    assert_eq!(rig.sees(ME), Vec::<String>::new());
    rig.says(1, STORED);
    all(&mut rig, &[ME, 2], "set k 5 100 3|new", STORED);
    rig.says(1, "EXISTS\r\n");
    assert_eq!(
        [rig.hears(client), rig.hears(other)],
        [STORED, "EXISTS\r\n"]
    );
    for node in [ME, 2] {
        assert_eq!(rig.sees(node), Vec::<String>::new(), "nothing was changed");
    }
    rig.assert_at_rest();
}

/// The line was parsed twice, and its value taken for the next request.
#[test]
fn a_value_behind_a_cas_is_passed_over_once() {
    let mut rig = Rig::new(&THREE_RACKS, at(DcQuorum));
    let client = rig.client();
    rig.asks(client, &["gets k"]);
    for node in [ME, 1, 2] {
        rig.says(node, "VALUE k 0 1 42\r\nx\r\nEND\r\n");
    }
    let version = version_of(&rig.hears(client));
    let cas = format!("cas k 0 0 1 {version}\r\ny");
    rig.asks(client, &[&cas, "ms k 2 Mx\r\nab", "get k"]);
    rig.says(ME, "EXISTS\r\n");
    for node in [ME, 1, 2] {
        rig.says(node, "END\r\n");
    }
    let refusal = "CLIENT_ERROR invalid mode for ms M token\r\n";
    assert_eq!(rig.hears(client), format!("EXISTS\r\n{refusal}END\r\n"));
    rig.assert_at_rest();
}

/// Else the write would be undone on the other replicas, by what the `cas` before it has done.
#[test]
fn what_stands_behind_a_cas_reaches_no_replica_before_its_effect() {
    let mut rig = Rig::new(&THREE_RACKS, at(DcQuorum));
    let client = rig.client();
    rig.asks(client, &["gets k"]);
    for node in [ME, 1, 2] {
        rig.says(node, "VALUE k 0 1 42\r\nx\r\nEND\r\n");
    }
    let version = version_of(&rig.hears(client));
    let cas = format!("cas k 0 0 1 {version} noreply\r\ny");
    rig.asks(client, &[&cas, "append k 0 0 1\r\nz", &cas, "mn"]);
    // More of it is not read either.
    rig.asks(client, &["get k"]);
    assert_eq!(rig.sees(ME), ["cas k 0 0 1 42|y"]);
    for node in [1, 2] {
        assert_eq!(rig.sees(node), Vec::<String>::new());
    }
    rig.says(ME, STORED);
    assert_eq!(rig.sees(ME), ["append k 0 0 1|z", "cas k 0 0 1 42|y"]);
    for node in [1, 2] {
        assert_eq!(rig.sees(node), ["set k 0 0 1|y", "append k 0 0 1|z"]);
        rig.says(node, STORED);
        rig.says(node, STORED);
    }
    assert_eq!(rig.hears(client), STORED);
    rig.says(ME, STORED);
    // The first step may fail, or change nothing.
    rig.says(ME, "EXISTS\r\n");
    for node in [ME, 1, 2] {
        assert_eq!(rig.sees(node), ["get k"]);
        rig.says(node, "END\r\n");
    }
    assert_eq!(rig.hears(client), "MN\r\nEND\r\n");
    let cas = format!("cas k 0 0 1 {version}\r\ny");
    rig.asks(client, &[&cas, "mn"]);
    assert_eq!(rig.hears(client), "");
    rig.loses(ME);
    assert!(rig.hears(client).ends_with("\r\nMN\r\n"));
    rig.asks(client, &[&cas, "mn"]);
    assert!(
        rig.hears(client).ends_with("\r\nMN\r\n"),
        "its owner is gone"
    );
    rig.assert_at_rest();
}

#[test]
fn a_version_that_nobody_gave_is_nobodys() {
    let mut rig = Rig::new(&THREE_RACKS, at(DcOne));
    let client = rig.client();
    rig.asks(client, &["cas k 0 0 1 42\r\nx"]);
    assert_eq!(rig.sees(ME), [format!("cas k 0 0 1 {}|x", u64::MAX)]);
    rig.says(ME, "NOT_FOUND\r\n");
    assert_eq!(rig.hears(client), "NOT_FOUND\r\n");
    rig.assert_at_rest();
}

/// A node alone had given version 1; another joined and got the key, somebody set it there: version 1 again, and
/// the `cas` was done.
#[test]
fn a_version_from_the_time_alone_does_not_match_what_a_node_that_joined_has_stored() {
    for larger in [
        ["a d r1 0", "b d r1 2147483648"],
        ["a d r1 0", "b d r2 2147483648"],
    ] {
        let mut rig = Rig::new(&larger[..1], at(DcOne));
        let later = Rig::new(&larger, at(DcOne));
        let replicated = later.node.facts.replicated;
        let key = if replicated {
            "k".to_owned()
        } else {
            key_of(&later, 1)
        };
        let owner = if replicated { ME } else { 1 };
        let client = rig.client();
        rig.asks(client, &[&format!("gets {key}")]);
        rig.says(ME, &format!("VALUE {key} 0 1 1\r\nx\r\nEND\r\n"));
        assert_eq!(version_of(&rig.hears(client)), 1, "as its memcached says");
        rig.becomes(&larger[1..]);
        rig.sees(1);
        rig.says(1, "END\r\n");
        for (asked, sent) in [
            (
                format!("cas {key} 0 0 1 1\r\ny"),
                format!("cas {key} 0 0 1 {}|y", u64::MAX),
            ),
            (
                format!("ms {key} 1 C1\r\ny"),
                format!("ms {key} 1 C{}|y", u64::MAX),
            ),
        ] {
            rig.asks(client, &[&asked]);
            assert_eq!(rig.sees(owner), [sent]);
            rig.says(owner, "EXISTS\r\n");
            assert_eq!(rig.hears(client), "EXISTS\r\n");
        }
        rig.assert_at_rest();
    }
}

/// In one rack of several nodes.
#[test]
fn a_version_is_marked_as_soon_as_there_are_two_nodes() {
    let members = ["a d r1 0", "b d r1 2147483648"];
    let mut rig = Rig::new(&members, at(DcOne));
    let client = rig.client();
    let mut versions = Vec::new();
    for node in [ME, 1] {
        let key = key_of(&rig, node);
        rig.asks(client, &[&format!("gets {key}")]);
        assert_eq!(rig.sees(node), [format!("gets {key}")]);
        rig.says(node, &format!("VALUE {key} 0 1 1\r\nx\r\nEND\r\n"));
        let version = version_of(&rig.hears(client));
        versions.push(version);
        for (asked, sent) in [
            (
                format!("cas {key} 0 9 1 {version}\r\ny"),
                "cas KEY 0 9 1 1|y",
            ),
            (format!("ms {key} 1 I C{version}\r\ny"), "ms KEY 1 I C1|y"),
            (format!("md {key} C{version}"), "md KEY C1"),
        ] {
            rig.asks(client, &[&asked]);
            assert_eq!(rig.sees(node), [sent.replace("KEY", &key)]);
            rig.says(node, "EXISTS\r\n");
            assert_eq!(rig.hears(client), "EXISTS\r\n");
        }
    }
    assert_ne!(versions[0], versions[1]);
    // The other's version.
    let key = key_of(&rig, 1);
    rig.asks(client, &[&format!("cas {key} 0 0 1 {}\r\ny", versions[0])]);
    assert_eq!(rig.sees(1), [format!("cas {key} 0 0 1 {}|y", versions[0])]);
    rig.says(1, "EXISTS\r\n");
    assert_eq!(rig.hears(client), "EXISTS\r\n");
    // Several keys, of both.
    let keys = [key_of(&rig, ME), key];
    rig.asks(client, &[&format!("gets {} {}", keys[0], keys[1])]);
    for node in [ME, 1] {
        let key = &keys[usize::from(node)];
        rig.says(node, &format!("VALUE {key} 0 1 1\r\nx\r\nEND\r\n"));
    }
    let reply = rig.hears(client);
    for (line, version) in [(0, versions[0]), (2, versions[1])] {
        let line = reply.split("\r\n").nth(line).unwrap();
        assert!(line.ends_with(&format!(" {version}")), "{reply}");
    }
    rig.assert_at_rest();
}

/// The flag was taken off, so that the client was told `EX` and nobody that anything was stale.
#[test]
fn a_set_that_comes_too_late_stores_a_stale_item_on_every_replica() {
    for (level, node_of_version) in [(DcOne, 1), (DcQuorum, 1), (DcSafeQuorum, 1)] {
        let mut rig = Rig::new(&["b d r2 0", "a d r1 0", "c d r3 0"], at(level));
        let client = rig.client();
        rig.asks(client, &["mg k c"]);
        for node in [ME, 1, 2] {
            if rig.sees(node) == ["mg k c"] {
                rig.says(node, "HD c5\r\n");
            }
        }
        let reply = rig.hears(client);
        let version: u64 = reply[4..].trim().parse().unwrap();
        let late = format!("ms k 3 I T9 C{version} Oq\r\nnew");
        rig.asks(client, &[&late, "set k 0 0 1\r\nz"]);
        assert_eq!(rig.sees(node_of_version), ["ms k 3 T9 C5 Oq|new"]);
        rig.says(node_of_version, "EX Oq\r\n");
        assert_eq!(rig.hears(client), "", "not yet");
        assert_eq!(rig.sees(node_of_version), ["ms k 3 I T9 C5 Oq|new"]);
        rig.says(node_of_version, "HD Oq\r\n");
        let behind = "set k 0 0 1|z".to_owned();
        for node in [ME, 2] {
            let stale = "ms k 3 I T9 C1 Oq|new".to_owned();
            assert_eq!(rig.sees(node), [stale, behind.clone()]);
            rig.says(node, "HD Oq\r\n");
            rig.says(node, STORED);
        }
        rig.says(1, STORED);
        assert_eq!(rig.hears(client), format!("HD Oq\r\n{STORED}"), "{level}");
        // One that is none too late, and one whose item is gone.
        for reply in ["HD\r\n", "NF\r\n", "SERVER_ERROR out of memory\r\n"] {
            rig.asks(client, &[&format!("ms k 1 C{version} I\r\nx")]);
            assert_eq!(rig.sees(1), ["ms k 1 C5|x"]);
            rig.says(1, reply);
            for node in [ME, 2] {
                let seen = rig.sees(node);
                assert_eq!(seen == ["ms k 1|x"], reply == "HD\r\n", "{seen:?}");
                if !seen.is_empty() {
                    rig.says(node, reply);
                }
            }
            assert_eq!(rig.hears(client), reply);
        }
        // A newer one than the item's.
        rig.asks(client, &[&format!("ms k 1 C{} I\r\nx", version + 100)]);
        for sent in ["ms k 1 C105|x", "ms k 1 C105 I|x"] {
            assert_eq!(rig.sees(1), [sent]);
            rig.says(1, "EX\r\n");
        }
        assert_eq!(rig.hears(client), "EX\r\n");
        // Its replica is lost in between.
        rig.asks(client, &[&late, "mn"]);
        rig.says(1, "EX Oq\r\n");
        rig.loses(1);
        assert!(rig.hears(client).ends_with("\r\nMN\r\n"));
        rig.assert_at_rest();
    }
}

/// A version for clients as one number.
fn version_of(reply: &str) -> u64 {
    let word = reply.split(['\r', ' ']).nth(4);
    word.and_then(|word| word.parse().ok()).expect(reply)
}

#[test]
fn a_version_is_that_of_the_node_that_gave_it_and_not_of_who_has_its_keys_later() {
    let members = ["b d r2 0", "a d r1 0"];
    let mut rig = Rig::new(&members, at(DcOne));
    let client = rig.client();
    // A key that the new node will have.
    let larger = ["b d r2 0", "a d r1 0", "c d r1 2147483648"];
    let later = Rig::new(&larger, at(DcOne));
    let its = |key: &String| {
        let topology = &later.node.topology;
        let rack = topology.node(NodeId(2)).unwrap().rack;
        topology.owner(rack, later.node.token(key.as_bytes())) == Some(NodeId(2))
    };
    let key = (0..).map(|n| format!("key{n}")).find(its).unwrap();
    rig.asks(client, &[&format!("gets {key}")]);
    rig.says(1, &format!("VALUE {key} 0 1 42\r\nx\r\nEND\r\n"));
    let version = version_of(&rig.hears(client));
    rig.becomes(&larger[1..]);
    rig.sees(2);
    rig.says(2, "END\r\n");
    assert_eq!(rig.node.operator().topology().nodes().len(), 3);
    // It may have an item of the same number, which is another one.
    let cas = format!("cas {key} 0 0 1 {version}\r\ny");
    rig.asks(client, &[&cas]);
    assert_eq!(rig.sees(1), Vec::<String>::new(), "it has the key no more");
    assert_eq!(rig.sees(2), [cas.replace("\r\n", "|")]);
    rig.says(2, "EXISTS\r\n");
    assert_eq!(rig.hears(client), "EXISTS\r\n");
    // What it gives itself is good there.
    rig.asks(client, &[&format!("gets {key}")]);
    rig.says(2, &format!("VALUE {key} 0 1 42\r\nx\r\nEND\r\n"));
    let own = version_of(&rig.hears(client));
    assert_ne!(own, version);
    rig.asks(client, &[&format!("cas {key} 0 0 1 {own}\r\ny")]);
    assert_eq!(rig.sees(2), [format!("cas {key} 0 0 1 42|y")]);
    rig.says(2, STORED);
    assert_eq!(rig.hears(client), STORED);
    assert_eq!(rig.sees(ME), [format!("set {key} 0 0 1|y")]);
    rig.says(ME, STORED);
    rig.assert_at_rest();
}

/// One key that the first rack has lost must not hide another that a majority has, nor fail them all.
#[test]
fn versions_of_several_keys_are_judged_one_by_one() {
    let value =
        |key: &str, text: &str, version: u32| format!("VALUE {key} 0 1 {version}\r\n{text}\r\n");
    for level in [DcQuorum, DcSafeQuorum] {
        let mut rig = Rig::new(&THREE_RACKS, at(level));
        let client = rig.client();
        rig.asks(client, &["gets a b"]);
        rig.says(ME, &format!("{}END\r\n", value("b", "2", 1)));
        for node in [1, 2] {
            let both = value("a", "1", 5) + &value("b", "2", 6);
            rig.says(node, &format!("{both}END\r\n"));
        }
        let reply = rig.hears(client);
        let lines: Vec<&str> = reply.split("\r\n").collect();
        assert!(lines[0].starts_with("VALUE a 0 1 "), "{level}: {reply}");
        assert!(lines[2].starts_with("VALUE b 0 1 "), "{level}: {reply}");
        // Of the first rack that has it.
        assert_eq!(version_of(lines[0]) & 0xffff, 5, "{reply}");
        assert_eq!(version_of(lines[2]) & 0xffff, 1, "{reply}");
        rig.assert_at_rest();
    }
    // The first rack has another value of one, so its version is told, or nothing; the others are whole.
    for (level, told) in [(DcQuorum, Some("3")), (DcSafeQuorum, None)] {
        let mut rig = Rig::new(&THREE_RACKS, at(level));
        let client = rig.client();
        rig.asks(client, &["gets a b"]);
        rig.says(ME, &format!("{}END\r\n", value("a", "3", 1)));
        for node in [1, 2] {
            let both = value("a", "1", 5) + &value("b", "2", 6);
            rig.says(node, &format!("{both}END\r\n"));
        }
        let reply = rig.hears(client);
        match told {
            None => assert_eq!(reply, NO_QUORUM),
            Some(text) => {
                let lines: Vec<&str> = reply.split("\r\n").collect();
                assert_eq!((lines[1], lines[3]), (text, "2"), "{reply}");
            }
        }
        rig.assert_at_rest();
    }
}

/// While the first rack's owner stands in silence.
#[test]
fn versions_are_asked_of_the_next_rack_in_time() {
    let options = Options {
        timeout_us: 500_000,
        ..at(DcOne)
    };
    for members in [
        &["b d r2 0", "a d r1 0"][..],
        &["b d r2 0", "a d r1 0", "c d r3 0"],
    ] {
        let mut rig = Rig::new(members, options.clone());
        let client = rig.client();
        rig.asks(client, &["gets k"]);
        assert_eq!(rig.sees(1), ["gets k"]);
        rig.wait(349);
        assert_eq!(rig.sees(ME), [""; 0]);
        rig.wait(1);
        assert_eq!(rig.sees(ME), ["gets k"]);
        rig.says(ME, "END\r\n");
        assert_eq!(rig.hears(client), "END\r\n");
        // Nobody else waits for it, until something comes.
        rig.asks(client, &["mg k c"]);
        assert_eq!(rig.sees(ME), ["mg k c"]);
        rig.says(ME, "EN\r\n");
        assert_eq!(rig.hears(client), "EN\r\n");
        rig.says(1, "END\r\n");
        rig.asks(client, &["gets k"]);
        assert_eq!(rig.sees(1), ["gets k"]);
        rig.says(1, "END\r\n");
        assert_eq!(rig.hears(client), "END\r\n");
        rig.assert_at_rest();
    }
}

/// At a quorum level its version is waited for, but not again and again.
#[test]
fn a_majority_waits_once_for_the_version_of_a_silent_rack() {
    let options = Options {
        timeout_us: 500_000,
        ..at(DcQuorum)
    };
    let mut rig = Rig::new(&["b d r2 0", "a d r1 0", "c d r3 0"], options);
    let client = rig.client();
    let value = |version: u32| format!("VALUE k 0 1 {version}\r\nx\r\nEND\r\n");
    for wait in [700, 0] {
        rig.asks(client, &["gets k"]);
        rig.says(ME, &value(5));
        rig.says(2, &value(6));
        if wait > 0 {
            rig.wait(wait - 1);
            assert_eq!(rig.hears(client), "");
            rig.wait(1);
        }
        assert_eq!(version_of(&rig.hears(client)) & 0xffff, 5);
    }
    // It is heard of again.
    rig.says(1, &value(4));
    rig.asks(client, &["gets k"]);
    for (node, version) in [(ME, 5), (2, 6), (1, 4)] {
        rig.says(node, &value(version));
    }
    assert_eq!(version_of(&rig.hears(client)) & 0xffff, 4);
    rig.assert_at_rest();
}

/// With nobody else to ask, it has all of its time.
#[test]
fn versions_are_waited_for_where_there_is_no_next_rack() {
    let options = Options {
        timeout_us: 500_000,
        ..at(DcOne)
    };
    let mut rig = Rig::new(&["b d r2 0", "a d r1 0"], options);
    let client = rig.client();
    rig.loses(ME);
    rig.asks(client, &["gets k"]);
    rig.wait(699);
    assert_eq!(rig.hears(client), "");
    rig.says(1, "VALUE k 0 1 9\r\nx\r\nEND\r\n");
    assert_eq!(version_of(&rig.hears(client)) & 0xffff, 9);
    rig.assert_at_rest();
}
