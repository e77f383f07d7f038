//! Connections that are lost while nothing is under way on them.

use super::{ME, Rig, THREE_RACKS};
use crate::node::Options;
use crate::node::{ConnId, Node};

const STORAGE: &str = "-ERR Storage: Datastore refused connection\r\n";
const NOT_CONNECTED: &str = "-ERR Peer: Peer Node is not connected\r\n";

fn id_of(rig: &Rig, slot: usize) -> ConnId {
    rig.node.upstreams[slot].id
}

/// What is asked for now, in the turn in which the connection ends, is not refused.
fn end(rig: &mut Rig, slot: usize) {
    let id = id_of(rig, slot);
    rig.node.ended(id);
    let mut nothing: &[u8] = &[];
    rig.node.receive(id, rig.now, &mut nothing);
}

#[test]
fn a_datastore_that_closes_an_idle_connection_costs_no_request() {
    let mut rig = Rig::new(&["a d r1 0"], Options::default());
    let client = rig.client();
    rig.asks(client, &["SET k v"]);
    rig.says(ME, "+OK\r\n");
    end(&mut rig, 0);
    rig.asks(client, &["GET k"]);
    assert_eq!(rig.sees(ME), ["GET k"]);
    rig.says(ME, "$1\r\nv\r\n");
    assert_eq!(rig.hears(client), "+OK\r\n$1\r\nv\r\n");
    rig.node.check().unwrap();
}

/// Which was read before the end of the stream, and stands in the output.
#[test]
fn a_request_of_which_nothing_was_written_goes_out_on_the_next_connection() {
    let mut rig = Rig::new(&["a d r1 0"], Options::default());
    let client = rig.client();
    rig.asks(client, &["SET k v"]);
    rig.says(ME, "+OK\r\n");
    let store = id_of(&rig, 0);
    rig.deaf.push(store);
    rig.asks(client, &["INCR n", "GET k"]);
    end(&mut rig, 0);
    rig.turn();
    rig.node.check().unwrap();
    assert_eq!(rig.sees(ME), ["INCR n", "GET k"]);
    rig.says(ME, ":1\r\n");
    rig.says(ME, "$1\r\nv\r\n");
    assert_eq!(rig.hears(client), "+OK\r\n:1\r\n$1\r\nv\r\n");
    rig.assert_at_rest();
}

/// It may have been run.
#[test]
fn a_request_that_was_written_is_not_run_twice() {
    let mut rig = Rig::new(&["a d r1 0"], Options::default());
    let client = rig.client();
    rig.asks(client, &["INCR n"]);
    rig.says(ME, ":1\r\n");
    rig.asks(client, &["INCR n"]);
    assert_eq!(rig.sees(ME), ["INCR n"]);
    end(&mut rig, 0);
    rig.turn();
    assert_eq!(rig.hears(client), format!(":1\r\n{STORAGE}"));
    rig.wait(2000);
    assert_eq!(rig.sees(ME), Vec::<String>::new());
    rig.node.check().unwrap();
}

/// Where the last connection's requests ended says nothing of the next one's.
#[test]
fn a_connection_that_followed_a_broken_one_is_made_anew_as_well() {
    let mut rig = Rig::new(&["a d r1 0"], Options::default());
    let client = rig.client();
    rig.asks(client, &["SET a-long-key with-a-long-value"]);
    rig.loses(ME);
    rig.node.check().unwrap();
    rig.wait(2000);
    rig.asks(client, &["GET k"]);
    rig.says(ME, "$-1\r\n");
    end(&mut rig, 0);
    rig.asks(client, &["GET l"]);
    rig.node.check().unwrap();
    assert_eq!(rig.sees(ME), ["GET l"]);
    rig.says(ME, "$-1\r\n");
    assert_eq!(rig.hears(client), format!("{STORAGE}$-1\r\n$-1\r\n"));
}

fn connects(node: &mut Node) -> usize {
    let mut count = 0;
    while let Some(action) = node.next_action() {
        count += usize::from(matches!(action, crate::node::Action::Connect(_)));
    }
    count
}

#[test]
fn what_closes_each_connection_at_once_does_not_keep_the_node_busy() {
    let mut rig = Rig::new(&["a d r1 0"], Options::default());
    rig.node.tick(rig.now);
    end(&mut rig, 0);
    assert_eq!(connects(&mut rig.node), 0, "it has never worked");
    rig.wait(1000);
    // Nor when the first reply is followed by the end, again and again: one attempt for each reply.
    let client = rig.client();
    rig.asks(client, &["GET k"]);
    rig.says(ME, "$-1\r\n");
    end(&mut rig, 0);
    rig.turn();
    end(&mut rig, 0);
    assert_eq!(connects(&mut rig.node), 0);
    rig.asks(client, &["GET k"]);
    assert_eq!(rig.hears(client), format!("$-1\r\n{STORAGE}"));
}

#[test]
fn a_connection_that_was_there_for_long_has_worked() {
    let mut rig = Rig::new(&["a d r1 0"], Options::default());
    for _ in 0..3 {
        rig.wait(300_000);
        end(&mut rig, 0);
        let client = rig.client();
        rig.asks(client, &["PING"]);
        assert_eq!(rig.hears(client), "");
        rig.says(ME, "+PONG\r\n");
        assert_eq!(rig.hears(client), "+PONG\r\n");
        rig.now.mono_us += 1;
        rig.leaves(client);
    }
}

#[test]
fn a_peer_that_closes_an_idle_connection_misses_no_copy() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    rig.wait(2000);
    let client = rig.client();
    end(&mut rig, 1);
    rig.asks(client, &["SET k v", "SET k w"]);
    rig.node.check().unwrap();
    // It has to say what it is first.
    assert_eq!(rig.sees(1), ["PING"]);
    rig.says(1, "+PONG\r\n");
    assert_eq!(rig.sees(1), ["SET k v", "SET k w"]);
    rig.node.check().unwrap();
    for node in [ME, 1, 2] {
        rig.says(node, "+OK\r\n");
        rig.says(node, "+OK\r\n");
    }
    assert_eq!(rig.hears(client), "+OK\r\n+OK\r\n");
    let stats = rig.node.operator().stats(rig.now);
    assert_eq!(stats.pool.peer_dropped_requests, 0);
    rig.assert_at_rest();
}

#[test]
fn what_waits_for_a_peer_that_does_not_come_back_is_answered_in_time() {
    let mut rig = Rig::new(&["a d r1 0", "b d r1 2147483648"], Options::default());
    let key = super::key_of(&rig, 1);
    rig.wait(2000);
    let (client, other) = (rig.client(), rig.client());
    end(&mut rig, 1);
    rig.asks(client, &[&format!("SET {key} v")]);
    rig.asks(other, &[&format!("GET {key}")]);
    rig.leaves(other);
    rig.node.check().unwrap();
    // It accepts connections, and says nothing.
    rig.wait(rig.node.granted[1][0] / 1000 - 1);
    assert_eq!(rig.hears(client), "");
    rig.wait(1);
    assert_eq!(rig.hears(client), NOT_CONNECTED);
    rig.node.check().unwrap();
    // From now on nobody waits.
    rig.asks(client, &[&format!("GET {key}")]);
    assert_eq!(rig.hears(client), NOT_CONNECTED);
    rig.assert_at_rest();
}

/// A read finds another rack.
#[test]
fn a_read_that_waits_in_vain_for_a_peer_goes_on_to_the_next_rack() {
    let members = ["a d r1 0", "b d r1 2147483648", "c d r2 0"];
    let mut rig = Rig::new(&members, Options::default());
    let key = super::key_of(&rig, 1);
    rig.wait(2000);
    let client = rig.client();
    end(&mut rig, 1);
    rig.asks(client, &[&format!("GET {key}")]);
    assert_eq!(rig.sees(1), ["PING"]);
    rig.loses(1);
    assert_eq!(rig.sees(2), [format!("GET {key}")]);
    rig.says(2, "$1\r\nv\r\n");
    assert_eq!(rig.hears(client), "$1\r\nv\r\n");
    rig.node.check().unwrap();
}
