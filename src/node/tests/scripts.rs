use super::{ME, Rig, THREE_RACKS};
use crate::consistency::Consistency;
use crate::node::Options;

const NO_SCRIPT: &str = "-NOSCRIPT No matching script. Please use EVAL.\r\n";
const SHA: &str = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
const NONE: [&str; 0] = [];

fn evalsha() -> String {
    format!("EVALSHA {SHA} 1 k a")
}

/// A cluster whose nodes have seen the script.
fn knowing(members: &[&str], level: Consistency) -> Rig {
    let options = Options {
        write_consistency: level,
        ..Options::default()
    };
    let mut rig = Rig::new(members, options);
    let client = rig.client();
    rig.asks(client, &["EVAL 'return 1' 1 k"]);
    for node in 0..super::member_count(&rig) {
        if !rig.kinds(node).is_empty() {
            rig.says(node, ":1\r\n");
        }
    }
    assert_eq!(rig.hears(client), ":1\r\n");
    rig.leaves(client);
    rig
}

/// In a rack whose datastore had been started anew the write was missing, and nobody heard of it.
#[test]
fn a_datastore_that_has_lost_a_script_is_sent_it() {
    for level in Consistency::ALL {
        for lost in 0..3 {
            let mut rig = knowing(&THREE_RACKS, level);
            let client = rig.client();
            rig.asks(client, &[&evalsha()]);
            for node in 0..3 {
                assert_eq!(rig.sees(node), [evalsha()], "{level}");
                rig.says(node, if node == lost { NO_SCRIPT } else { ":2\r\n" });
            }
            assert_eq!(rig.sees(lost), ["EVAL return 1 1 k a"], "{level} {lost}");
            rig.says(lost, ":2\r\n");
            assert_eq!(rig.hears(client), ":2\r\n", "{level} {lost}");
            rig.assert_at_rest();
        }
    }
}

#[test]
fn a_peer_has_it_from_whoever_asks() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    rig.asks(client, &["SCRIPT LOAD 'return 1'"]);
    for node in 0..3 {
        rig.says(node, &format!("$40\r\n{SHA}\r\n"));
    }
    rig.hears(client);
    rig.asks(client, &[&evalsha()]);
    rig.leaves(client);
    for node in [1, 2, ME] {
        rig.says(node, NO_SCRIPT);
    }
    for node in [1, 2, ME] {
        assert_eq!(rig.sees(node), ["EVAL return 1 1 k a"]);
        rig.says(node, ":1\r\n");
    }
    rig.assert_at_rest();
}

#[test]
fn what_nobody_knows_is_an_error() {
    let mut rig = knowing(&THREE_RACKS, Consistency::DcOne);
    let client = rig.client();
    let unknown = format!("EVALSHA {} 1 k", "0".repeat(40));
    for line in [unknown.as_str(), "EVALSHA x 1 k"] {
        rig.asks(client, &[line]);
        for node in 0..3 {
            rig.says(node, NO_SCRIPT);
            assert_eq!(rig.sees(node), NONE);
        }
        assert_eq!(rig.hears(client), NO_SCRIPT);
    }
    // Nor is what a script says of its own accord a reason to run it again.
    rig.asks(client, &[&evalsha()]);
    for node in 0..3 {
        rig.says(node, "-NOSCRIPT I am one\r\n");
        assert_eq!(rig.sees(node), NONE);
    }
    assert_eq!(rig.hears(client), "-NOSCRIPT I am one\r\n");
    rig.asks(client, &["SCRIPT FLUSH"]);
    for node in 0..3 {
        rig.says(node, "+OK\r\n");
    }
    rig.hears(client);
    rig.asks(client, &[&evalsha()]);
    for node in 0..3 {
        rig.says(node, NO_SCRIPT);
        assert_eq!(rig.sees(node), NONE, "forgotten");
    }
    assert_eq!(rig.hears(client), NO_SCRIPT);
    rig.assert_at_rest();
}

/// It goes to several racks there, some of which may have run it.
#[test]
fn another_datacenter_is_not_sent_it_twice() {
    let mut rig = knowing(&["a d r1 0", "x e q1 0"], Consistency::DcOne);
    let client = rig.client();
    rig.asks(client, &[&evalsha()]);
    rig.says(1, NO_SCRIPT);
    rig.says(ME, ":1\r\n");
    assert_eq!(rig.sees(1), NONE);
    assert_eq!(rig.hears(client), ":1\r\n");
    rig.assert_at_rest();
}
