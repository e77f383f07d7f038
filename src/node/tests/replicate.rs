use super::{ME, Rig, THREE_RACKS};
use crate::consistency::Consistency;
use crate::node::Options;
use crate::proto::dnode::Kind;

/// Three racks here and two in another datacenter, of one node each.
const TWO_DCS: [&str; 5] = ["a d r1 0", "b d r2 0", "c d r3 0", "x e q1 0", "y e q2 0"];
const POPPED: &str = "$1\r\nm\r\n";

fn at(level: Consistency) -> Options {
    Options {
        write_consistency: level,
        ..Options::default()
    }
}

/// What each node was sent since the test looked at it.
fn seen<const N: usize>(rig: &mut Rig) -> [String; N] {
    std::array::from_fn(|node| rig.sees(node as u16).join(" | "))
}

#[test]
fn every_replica_gets_the_same_moment() {
    let mut rig = Rig::new(&TWO_DCS, Options::default());
    let client = rig.client();
    for (line, sent) in [
        ("EXPIRE k 10", "PEXPIREAT k 1700000010000"),
        ("PEXPIRE k 10 NX", "PEXPIREAT k 1700000000010 NX"),
        ("SETEX k 10 v", "SET k v PXAT 1700000010000"),
        ("SET k v EX 10", "SET k v PXAT 1700000010000"),
        ("GETEX k PX 10", "GETEX k PXAT 1700000000010"),
        ("RESTORE k 10 p", "RESTORE k 1700000000010 p ABSTTL"),
        // Left to the datastore: wrong, or absolute already.
        ("SETEX k 0 v", "SETEX k 0 v"),
        ("EXPIREAT k 10", "EXPIREAT k 10"),
        ("SET k v", "SET k v"),
    ] {
        rig.asks(client, &[line]);
        let [a, b, c, x, y] = seen(&mut rig);
        assert_eq!([&a, &b, &c], [sent; 3], "{line}");
        // One message to the other datacenter, which spreads it there.
        assert_eq!(x + &y, sent, "{line}");
    }
    // Where there is one replica nothing is rewritten.
    let mut rig = Rig::new(&["a d r 0", "b d r 2147483648"], Options::default());
    let client = rig.client();
    let key = super::key_of(&rig, ME);
    rig.asks(client, &[&format!("SETEX {key} 10 v")]);
    assert_eq!(rig.sees(ME), [format!("SETEX {key} 10 v")]);
}

/// Before Redis 6.2 there was no PXAT: with one replica that old, every SETEX was an error.
#[test]
fn times_stay_relative_for_old_datastores() {
    const OK: &str = "+OK\r\n";
    const SYNTAX: &str = "-ERR syntax error\r\n";
    for old in [ME, 1] {
        let mut rig = Rig::new(&THREE_RACKS, Options::default());
        let client = rig.client();
        // An error of syntax that is the client's own says nothing.
        for line in ["SET k v EX 10 BOGUS", "SET k v NX XX EX 10"] {
            rig.asks(client, &[line]);
            for node in 0..3 {
                rig.says(node, SYNTAX);
            }
            assert_eq!(rig.hears(client), SYNTAX);
        }
        rig.asks(client, &["SETEX k 10 v"]);
        for node in 0..3 {
            let sent = rig.sees(node).pop();
            assert_eq!(sent.as_deref(), Some("SET k v PXAT 1700000010000"));
            rig.says(node, if node == old { SYNTAX } else { OK });
        }
        assert_eq!(rig.hears(client), if old == ME { SYNTAX } else { OK });
        for (line, sent) in [
            ("SETEX k 10 v", "SETEX k 10 v"),
            ("SET k v PX 10 NX", "SET k v PX 10 NX"),
            ("RESTORE k 10 p", "RESTORE k 10 p"),
            ("EXPIRE k 10", "PEXPIREAT k 1700000010000"),
        ] {
            rig.asks(client, &[line]);
            for node in 0..3 {
                assert_eq!(rig.sees(node), [sent]);
                rig.says(node, OK);
            }
            assert_eq!(rig.hears(client), OK, "{line}");
        }
        rig.assert_at_rest();
    }
}

#[test]
fn at_dc_one_the_others_get_the_effect_and_nobody_waits_for_it() {
    let mut rig = Rig::new(&TWO_DCS, Options::default());
    let client = rig.client();
    for (line, reply, effect) in [
        ("SPOP s", POPPED, "SREM s m"),
        ("SPOP s 2", "*2\r\n$1\r\nm\r\n$1\r\nn\r\n", "SREM s m n"),
        ("XADD x * f v", "$3\r\n5-1\r\n", "XADD x 5-1 f v"),
    ] {
        rig.asks(client, &[line]);
        assert_eq!(seen(&mut rig), [line, "", "", "", ""], "{line}");
        rig.says(ME, reply);
        assert_eq!(rig.hears(client), reply, "{line}");
        let [_, b, c, x, y] = seen(&mut rig);
        assert_eq!([&b, &c], [effect; 2], "{line}");
        assert_eq!(x + &y, effect, "{line}");
        let remote = if rig.kinds(3).is_empty() { 4 } else { 3 };
        assert_eq!(rig.kinds(remote), [Kind::Forward]);
        for node in [1, 2, remote] {
            rig.says(node, ":1\r\n");
        }
        rig.assert_at_rest();
    }
    // What changed nothing is not passed on.
    for (line, reply) in [
        ("SPOP s", "$-1\r\n"),
        ("SPOP s", "-WRONGTYPE x\r\n"),
        ("XADD x NOMKSTREAM * f v", "$-1\r\n"),
    ] {
        rig.asks(client, &[line]);
        rig.sees(ME);
        rig.says(ME, reply);
        assert_eq!(rig.hears(client), reply, "{line}");
        assert_eq!(seen::<5>(&mut rig), [""; 5], "{line}");
    }
    rig.assert_at_rest();
}

#[test]
fn at_quorum_a_majority_must_have_taken_the_effect() {
    use Consistency::{DcQuorum, DcSafeQuorum};
    const NO_QUORUM: &str = "-ERR Dynomite: Failed to achieve Quorum\r\n";
    for (level, replies, answer) in [
        (DcSafeQuorum, [":1\r\n", ":1\r\n"], POPPED),
        (DcSafeQuorum, [":0\r\n", ":1\r\n"], POPPED),
        (DcSafeQuorum, ["-ERR x\r\n", ":1\r\n"], POPPED),
        (DcSafeQuorum, ["-ERR x\r\n", ":0\r\n"], NO_QUORUM),
        (DcSafeQuorum, [":0\r\n", ":0\r\n"], NO_QUORUM),
        (DcQuorum, [":0\r\n", ":0\r\n"], POPPED),
        (DcQuorum, ["-ERR x\r\n", "-ERR y\r\n"], "-ERR x\r\n"),
    ] {
        let mut rig = Rig::new(&THREE_RACKS, at(level));
        let client = rig.client();
        rig.asks(client, &["SPOP s"]);
        assert_eq!(seen(&mut rig), ["SPOP s", "", ""]);
        rig.says(ME, POPPED);
        assert_eq!(seen(&mut rig), ["", "SREM s m", "SREM s m"]);
        assert_eq!(rig.hears(client), "", "one of three is no majority");
        rig.says(1, replies[0]);
        rig.says(2, replies[1]);
        assert_eq!(rig.hears(client), answer, "{level} {replies:?}");
        rig.assert_at_rest();
    }
}

#[test]
fn each_datacenter_must_have_taken_the_effect() {
    let mut rig = Rig::new(&TWO_DCS, at(Consistency::DcEachSafeQuorum));
    let client = rig.client();
    rig.asks(client, &["XADD x * f v"]);
    rig.says(ME, "$3\r\n5-1\r\n");
    let effect = "XADD x 5-1 f v";
    assert_eq!(seen(&mut rig), ["", effect, effect, effect, effect]);
    assert_eq!(rig.kinds(3), [Kind::Request]);
    rig.says(1, "$3\r\n5-1\r\n");
    rig.says(3, "$3\r\n5-1\r\n");
    assert_eq!(rig.hears(client), "");
    rig.says(4, "$3\r\n5-1\r\n");
    assert_eq!(rig.hears(client), "$3\r\n5-1\r\n");
    rig.says(2, "$3\r\n5-1\r\n");
    rig.assert_at_rest();
}

#[test]
fn at_quorum_another_rack_takes_the_first_step_while_this_one_cannot() {
    let mut rig = Rig::new(&THREE_RACKS, at(Consistency::DcSafeQuorum));
    let client = rig.client();
    rig.loses(ME);
    rig.asks(client, &["SPOP s"]);
    assert_eq!(rig.sees(1), ["SPOP s"]);
    rig.says(1, POPPED);
    assert_eq!(rig.sees(2), ["SREM s m"]);
    rig.says(2, ":1\r\n");
    assert_eq!(rig.hears(client), POPPED);
    rig.assert_at_rest();
    // At DC_ONE this rack's owner decides, as for any write.
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    rig.loses(ME);
    rig.asks(client, &["SPOP s"]);
    assert_eq!(
        rig.hears(client),
        "-ERR Storage: Datastore refused connection\r\n"
    );
    assert_eq!(rig.sees(1), [""; 0]);
    rig.assert_at_rest();
}

#[test]
fn the_effect_is_passed_on_though_the_client_has_left() {
    for level in Consistency::ALL {
        let mut rig = Rig::new(&THREE_RACKS, at(level));
        let client = rig.client();
        rig.asks(client, &["SPOP s"]);
        rig.leaves(client);
        rig.says(ME, POPPED);
        for node in [1, 2] {
            assert_eq!(rig.sees(node), ["SREM s m"], "{level}");
            rig.says(node, ":1\r\n");
        }
        rig.assert_at_rest();
    }
}

#[test]
fn a_first_step_that_fails_is_the_answer() {
    let mut rig = Rig::new(&THREE_RACKS, at(Consistency::DcQuorum));
    let client = rig.client();
    rig.asks(client, &["SPOP s"]);
    rig.loses(ME);
    assert_eq!(
        rig.hears(client),
        "-ERR Storage: Datastore refused connection\r\n"
    );
    assert_eq!(rig.sees(1), [""; 0]);
    rig.assert_at_rest();
}
