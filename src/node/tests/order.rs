use super::{ME, Rig, THREE_RACKS};
use crate::consistency::Consistency;
use crate::node::Options;

const POPPED: &str = "$1\r\nm\r\n";
const NONE: [&str; 0] = [];

/// Members that were popped and added again in one pipeline were there on one replica and gone on the others.
#[test]
fn what_a_client_asks_behind_a_write_in_two_steps_does_not_overtake_it() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    let lines = ["SPOP s", "PING", "SET j v", "SADD s m", "GET k", "SET k v"];
    rig.asks(client, &lines);
    // The datastore of this node answers these in the order they were asked.
    assert_eq!(rig.sees(ME), ["SPOP s", "PING", "SET j v"]);
    assert_eq!(rig.sees(1), ["SET j v"]);
    rig.says(ME, POPPED);
    rig.says(ME, "+PONG\r\n");
    assert_eq!(rig.sees(1), ["SREM s m", "SADD s m", "SET k v"]);
    for reply in ["+OK\r\n", ":1\r\n", "$-1\r\n", "+OK\r\n"] {
        rig.says(ME, reply);
    }
    for node in [1, 2].repeat(4) {
        rig.says(node, ":1\r\n");
    }
    let answers = [
        POPPED,
        "+PONG\r\n",
        "+OK\r\n",
        ":1\r\n",
        "$-1\r\n",
        "+OK\r\n",
    ];
    assert_eq!(rig.hears(client), answers.concat());
    rig.assert_at_rest();
}

#[test]
fn only_what_could_overtake_it_waits() {
    use Consistency::{DcOne, DcSafeQuorum};
    for (level, line, waits) in [
        (DcOne, "SPOP s", false),
        (DcOne, "XADD x * f v", false),
        (DcOne, "XADD s 5-1 f v", true),
        (DcOne, "XADD x 5-1 f v", false),
        (DcOne, "SADD s m", true),
        (DcOne, "SADD t m", false),
        (DcOne, "SMOVE t s m", true),
        (DcOne, "DEL t u s", true),
        (DcOne, "DEL t u", false),
        (DcOne, "EVAL x 2 t s", true),
        (DcOne, "FLUSHALL", true),
        (DcOne, "SCRIPT LOAD x", false),
        (DcOne, "GET s", false),
        (DcSafeQuorum, "GET s", true),
        (DcSafeQuorum, "GET k", false),
        (DcSafeQuorum, "HGETALL s", false),
        (DcSafeQuorum, "SPOP s", false),
        (DcSafeQuorum, "PING", false),
    ] {
        let options = Options {
            read_consistency: level,
            write_consistency: level,
            enable_flush: true,
            ..Options::default()
        };
        let mut rig = Rig::new(&THREE_RACKS, options);
        let client = rig.client();
        rig.asks(client, &["SPOP s", line]);
        let mut expected = vec!["SPOP s"];
        expected.extend((!waits).then_some(line));
        assert_eq!(rig.sees(ME), expected, "{level} {line}");
        rig.says(ME, "$-1\r\n");
        if waits {
            assert_eq!(rig.sees(ME), [line], "{level} {line}");
        }
    }
}

#[test]
fn several_writes_in_two_steps_are_all_waited_for() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    rig.asks(
        client,
        &["SPOP s", "SPOP s", "SPOP t", "SADD s m", "SPOP s", "DEL s"],
    );
    assert_eq!(rig.sees(ME), ["SPOP s", "SPOP s", "SPOP t"]);
    rig.says(ME, POPPED);
    assert_eq!(rig.sees(ME), NONE);
    rig.says(ME, "$1\r\nn\r\n");
    assert_eq!(rig.sees(ME), ["SADD s m", "SPOP s"]);
    assert_eq!(rig.sees(1), ["SREM s m", "SREM s n", "SADD s m"]);
    rig.says(ME, "$-1\r\n");
    rig.says(ME, ":1\r\n");
    rig.says(ME, POPPED);
    assert_eq!(rig.sees(1), ["SREM s m", "DEL s"]);
    rig.says(ME, ":0\r\n");
    for node in [1, 2].repeat(5) {
        rig.says(node, ":1\r\n");
    }
    rig.assert_at_rest();
}

#[test]
fn what_waits_goes_on_when_the_first_step_fails() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    rig.asks(client, &["SPOP s", "SADD s m", "ECHO x"]);
    rig.loses(ME);
    let lost = "-ERR Storage: Datastore refused connection\r\n";
    assert_eq!(rig.hears(client), [lost, lost, "$1\r\nx\r\n"].concat());
    for node in [1, 2] {
        assert_eq!(rig.sees(node), ["SADD s m"]);
        rig.says(node, ":1\r\n");
    }
    rig.assert_at_rest();
}

#[test]
fn a_client_that_leaves_while_it_waits_leaves_nothing_behind() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    rig.asks(client, &["SPOP s", "SADD s m"]);
    rig.leaves(client);
    let other = rig.client();
    rig.asks(other, &["SPOP s", "SADD s o"]);
    rig.says(ME, POPPED);
    assert_eq!(rig.sees(ME), NONE, "another one in its place waits on");
    rig.says(ME, "$-1\r\n");
    assert_eq!(rig.sees(ME), ["SADD s o"]);
    rig.says(ME, ":1\r\n");
    for node in [1, 2].repeat(2) {
        rig.says(node, ":1\r\n");
    }
    rig.assert_at_rest();
}

#[test]
fn the_first_step_of_a_client_that_has_left_is_not_that_of_the_next_in_its_place() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    rig.asks(client, &["SPOP s"]);
    rig.leaves(client);
    let other = rig.client();
    assert_eq!(client.key, other.key, "one place for both");
    rig.asks(other, &["SPOP s"]);
    rig.says(ME, POPPED);
    rig.sees(ME);
    rig.asks(other, &["SADD s o"]);
    assert_eq!(rig.sees(ME), NONE, "its own first step is not over");
    rig.says(ME, "$-1\r\n");
    assert_eq!(rig.sees(ME), ["SADD s o"]);
    rig.says(ME, ":1\r\n");
    for node in [1, 2].repeat(2) {
        rig.says(node, ":1\r\n");
    }
    rig.assert_at_rest();
}

/// The members were gone on one replica and stayed on the others.
#[test]
fn a_first_step_that_is_late_still_has_its_second() {
    for level in Consistency::ALL {
        let options = Options {
            write_consistency: level,
            ..Options::default()
        };
        let mut rig = Rig::new(&THREE_RACKS, options);
        let client = rig.client();
        rig.asks(client, &["SPOP s", "SADD s x"]);
        rig.wait(5_001);
        let late = "-ERR Storage: Datastore refused connection\r\n";
        assert_eq!(rig.hears(client), late, "{level}");
        assert_eq!(rig.sees(ME), ["SPOP s", "SADD s x"], "{level}");
        rig.says(ME, POPPED);
        for node in [1, 2] {
            assert_eq!(rig.sees(node), ["SADD s x", "SREM s m"], "{level}");
            rig.says(node, ":1\r\n");
            rig.says(node, ":1\r\n");
        }
        rig.says(ME, ":1\r\n");
        assert_eq!(rig.hears(client), ":1\r\n", "{level}");
        rig.assert_at_rest();
    }
}

#[test]
fn a_first_step_that_is_late_and_lost_is_over() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    rig.asks(client, &["SPOP s"]);
    rig.wait(5_001);
    rig.loses(ME);
    assert_eq!(rig.sees(1), NONE);
    rig.leaves(client);
    rig.assert_at_rest();
}
