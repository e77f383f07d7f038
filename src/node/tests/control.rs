//! What operators change while requests are under way.

use super::*;
use crate::cluster::peer_state::PeerState;
use crate::consistency::Consistency;
use crate::node::limits::DRAIN_US;
use crate::node::parked_writes::{PARKED_BYTES, PARKED_US};
use crate::proto::Class;

pub const FORBIDDEN: &str =
    "-ERR Dynomite: Dynomite's current state does not allow this request\r\n";
pub const REFUSED: &str = "-ERR Storage: Datastore refused connection\r\n";
const ALONE: [&str; 1] = ["a d r1 0"];

pub fn alone() -> (Rig, ConnId) {
    let mut rig = Rig::new(&ALONE, Options::default());
    let client = rig.client();
    (rig, client)
}

pub fn set(rig: &mut Rig, state: PeerState) {
    assert!(rig.node.operator().set_state(state, rig.now).is_some());
    rig.turn();
}

#[test]
fn standby_refuses_reads_writes_and_ping() {
    let (mut rig, client) = alone();
    set(&mut rig, PeerState::Standby);
    rig.asks(client, &["get k", "set k v", "ping", "echo x"]);
    let expected = format!("{FORBIDDEN}{FORBIDDEN}{FORBIDDEN}$1\r\nx\r\n");
    assert_eq!(rig.hears(client), expected);
    assert!(rig.sees(ME).is_empty());
    rig.assert_at_rest();
    set(&mut rig, PeerState::Normal);
    rig.asks(client, &["get k"]);
    assert_eq!(rig.sees(ME), ["get k"]);
}

#[test]
fn what_was_sent_before_a_state_is_still_answered() {
    let (mut rig, client) = alone();
    rig.asks(client, &["get k"]);
    set(&mut rig, PeerState::Standby);
    rig.says(ME, "$1\r\nv\r\n");
    assert_eq!(rig.hears(client), "$1\r\nv\r\n");
}

#[test]
fn writes_only_holds_writes_in_order_and_refuses_reads() {
    let (mut rig, client) = alone();
    let other = rig.client();
    set(&mut rig, PeerState::WritesOnly);
    rig.asks(client, &["set a 1"]);
    rig.asks(other, &["set b 2", "get b"]);
    rig.asks(client, &["incr a"]);
    assert!(rig.sees(ME).is_empty());
    let own = rig.node.operator().stats(rig.now).own;
    assert_eq!((own.writes_held, own.held_writes_refused), (3, 0));
    // The read is refused, behind the write that waits.
    assert_eq!(rig.hears(other), "");
    set(&mut rig, PeerState::Resuming);
    assert_eq!(rig.sees(ME), ["set a 1", "set b 2", "incr a"]);
    rig.asks(client, &["get a", "set c 3"]);
    assert_eq!(rig.sees(ME), ["set c 3"]);
    for reply in ["+OK\r\n", "+OK\r\n", ":2\r\n", "+OK\r\n"] {
        rig.says(ME, reply);
    }
    assert_eq!(
        rig.hears(client),
        format!("+OK\r\n:2\r\n{FORBIDDEN}+OK\r\n")
    );
    assert_eq!(rig.hears(other), format!("+OK\r\n{FORBIDDEN}"));
    assert_eq!(rig.node.operator().stats(rig.now).own.writes_held, 0);
    rig.assert_at_rest();
}

/// The original stalls: nothing is flushed, and what comes later queues behind it.
#[test]
fn writes_only_to_normal_sends_what_was_held_and_stalls_nothing() {
    let (mut rig, client) = alone();
    set(&mut rig, PeerState::WritesOnly);
    rig.asks(client, &["set a 1"]);
    set(&mut rig, PeerState::Normal);
    rig.asks(client, &["get a"]);
    assert_eq!(rig.sees(ME), ["set a 1", "get a"]);
    rig.says(ME, "+OK\r\n");
    rig.says(ME, "$1\r\n1\r\n");
    assert_eq!(rig.hears(client), "+OK\r\n$1\r\n1\r\n");
    rig.assert_at_rest();
}

#[test]
fn writes_are_held_through_states_that_do_not_serve_them() {
    let (mut rig, client) = alone();
    set(&mut rig, PeerState::WritesOnly);
    rig.asks(client, &["set a 1"]);
    set(&mut rig, PeerState::Standby);
    rig.asks(client, &["set b 2"]);
    assert!(rig.sees(ME).is_empty());
    set(&mut rig, PeerState::WritesOnly);
    rig.asks(client, &["set c 3"]);
    set(&mut rig, PeerState::Normal);
    assert_eq!(rig.sees(ME), ["set a 1", "set c 3"]);
    rig.says(ME, "+OK\r\n");
    rig.says(ME, "+OK\r\n");
    assert_eq!(rig.hears(client), format!("+OK\r\n{FORBIDDEN}+OK\r\n"));
}

/// The original closes the datastore's connection after `timeout`, and everything held is lost.
#[test]
fn held_writes_outlast_the_timeout_and_get_their_own_when_they_are_sent() {
    let (mut rig, client) = alone();
    set(&mut rig, PeerState::WritesOnly);
    rig.asks(client, &["set a 1"]);
    rig.wait(PARKED_US / 1000 - 1_000);
    assert_eq!(rig.hears(client), "");
    set(&mut rig, PeerState::Normal);
    rig.wait(4_000);
    assert_eq!(rig.hears(client), "", "its time has begun anew");
    rig.says(ME, "+OK\r\n");
    assert_eq!(rig.hears(client), "+OK\r\n");
    rig.assert_at_rest();
}

#[test]
fn a_write_held_for_too_long_is_refused_and_only_that() {
    let (mut rig, client) = alone();
    let other = rig.client();
    set(&mut rig, PeerState::WritesOnly);
    rig.asks(client, &["set a 1"]);
    rig.wait(PARKED_US / 2000);
    rig.asks(other, &["set b 2"]);
    assert!(rig.node.next_deadline() <= rig.now.mono_us + PARKED_US);
    rig.wait(PARKED_US / 2000);
    assert_eq!(rig.hears(client), FORBIDDEN);
    assert_eq!(rig.hears(other), "");
    set(&mut rig, PeerState::Normal);
    assert_eq!(rig.sees(ME), ["set b 2"]);
    assert_eq!(
        rig.node.operator().stats(rig.now).own.held_writes_refused,
        1
    );
}

#[test]
fn beyond_the_limits_only_the_excess_is_refused() {
    let options = Options {
        max_msgs: 40,
        ..Options::default()
    };
    let mut rig = Rig::new(&ALONE, options);
    let client = rig.client();
    set(&mut rig, PeerState::WritesOnly);
    for n in 0..12 {
        rig.asks(client, &[&format!("set k{n} v")]);
    }
    let own = rig.node.operator().stats(rig.now).own;
    assert_eq!((own.writes_held, own.held_writes_refused), (10, 2));
    set(&mut rig, PeerState::Normal);
    assert_eq!(rig.sees(ME).len(), 10);
    for _ in 0..10 {
        rig.says(ME, "+OK\r\n");
    }
    let expected = "+OK\r\n".repeat(10) + &FORBIDDEN.repeat(2);
    assert_eq!(rig.hears(client), expected);

    let (mut rig, client) = alone();
    set(&mut rig, PeerState::WritesOnly);
    let big = "x".repeat(PARKED_BYTES / 2);
    for _ in 0..2 {
        rig.asks(client, &[&format!("set k {big}")]);
    }
    let own = rig.node.operator().stats(rig.now).own;
    assert_eq!((own.writes_held, own.held_writes_refused), (1, 1));
    assert!(own.writes_held_bytes as usize <= PARKED_BYTES);
}

#[test]
fn a_client_that_leaves_does_not_take_its_held_write_with_it() {
    let (mut rig, client) = alone();
    set(&mut rig, PeerState::WritesOnly);
    rig.asks(client, &["set a 1"]);
    rig.leaves(client);
    // Another in its place.
    let next = rig.client();
    rig.asks(next, &["set b 2"]);
    set(&mut rig, PeerState::Normal);
    assert_eq!(rig.sees(ME), ["set a 1", "set b 2"]);
    rig.says(ME, "+OK\r\n");
    rig.says(ME, "+OK\r\n");
    assert_eq!(rig.hears(next), "+OK\r\n");
    rig.assert_at_rest();
}

#[test]
fn held_writes_wait_for_a_datastore_that_is_away() {
    let (mut rig, client) = alone();
    set(&mut rig, PeerState::WritesOnly);
    rig.asks(client, &["set a 1"]);
    rig.loses(ME);
    set(&mut rig, PeerState::Normal);
    // A later write must not overtake it.
    rig.asks(client, &["set a 2", "get a"]);
    assert_eq!(rig.hears(client), "");
    rig.wait(1_500);
    assert_eq!(rig.sees(ME), ["set a 1", "set a 2"]);
    rig.says(ME, "+OK\r\n");
    rig.says(ME, "+OK\r\n");
    assert_eq!(rig.hears(client), format!("+OK\r\n+OK\r\n{REFUSED}"));
    rig.assert_at_rest();
}

#[test]
fn held_writes_are_refused_at_shutdown() {
    let (mut rig, client) = alone();
    set(&mut rig, PeerState::WritesOnly);
    rig.asks(client, &["set a 1"]);
    rig.node.drain(rig.now);
    rig.turn();
    assert_eq!(rig.hears(client), FORBIDDEN);
    assert!(rig.node.is_drained(), "without waiting for {DRAIN_US} µs");
}

#[test]
fn states_that_only_peers_are_in_cannot_be_set() {
    let (mut rig, _) = alone();
    for state in PeerState::all() {
        let settable = rig.node.operator().set_state(state, rig.now).is_some();
        assert_eq!(settable, matches!(state.number(), 1..=4), "{state}");
    }
}

#[test]
fn a_read_of_a_node_in_standby_is_answered_by_another_rack() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    set(&mut rig, PeerState::Standby);
    rig.asks(client, &["get k"]);
    assert!(rig.sees(ME).is_empty());
    rig.says(1, "$1\r\nv\r\n");
    assert_eq!(rig.hears(client), "$1\r\nv\r\n");
    // The node goes on coordinating: a write reaches the others, though this rack's reply is an error.
    rig.asks(client, &["set k v"]);
    assert_eq!(
        (rig.sees(1), rig.sees(2)),
        (vec!["set k v".into()], vec!["set k v".into()])
    );
    assert_eq!(rig.hears(client), FORBIDDEN);
    rig.says(1, "+OK\r\n");
    rig.says(2, "+OK\r\n");
    rig.assert_at_rest();
}

#[test]
fn a_quorum_does_without_a_node_in_standby_and_waits_for_no_held_write() {
    for state in [PeerState::Standby, PeerState::WritesOnly] {
        let options = Options {
            write_consistency: Consistency::DcSafeQuorum,
            ..Options::default()
        };
        let mut rig = Rig::new(&THREE_RACKS, options);
        let client = rig.client();
        set(&mut rig, state);
        rig.asks(client, &["set k v"]);
        rig.says(1, "+OK\r\n");
        rig.says(2, "+OK\r\n");
        assert_eq!(rig.hears(client), "+OK\r\n", "{state}");
        set(&mut rig, PeerState::Normal);
        let held = state == PeerState::WritesOnly;
        assert_eq!(rig.sees(ME).len(), usize::from(held));
        if held {
            rig.says(ME, "+OK\r\n");
        }
        rig.assert_at_rest();
    }
}

#[test]
fn levels_apply_to_clients_that_have_chosen_none() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    let old = rig
        .node
        .operator()
        .set_consistency(Class::Read, Consistency::DcQuorum);
    assert_eq!(old, Consistency::DcOne);
    assert_eq!(
        rig.node.operator().consistency(Class::Read),
        Consistency::DcQuorum
    );
    assert_eq!(
        rig.node.operator().consistency(Class::Write),
        Consistency::DcOne
    );
    rig.asks(client, &["get k"]);
    for node in 0..3 {
        assert_eq!(rig.sees(node), ["get k"]);
        rig.says(node, "$1\r\nv\r\n");
    }
    assert_eq!(rig.hears(client), "$1\r\nv\r\n");
    let placed = rig.node.operator().stats(rig.now).placed;
    assert_eq!(placed[0][Consistency::DcQuorum as usize], 1);
    rig.assert_at_rest();
}

#[test]
fn the_timeout_factor_counts_for_requests_queued_afterwards_and_for_those_that_wait() {
    let options = Options {
        timeout_us: 1_000_000,
        ..Options::default()
    };
    let mut rig = Rig::new(&ALONE, options);
    let client = rig.client();
    rig.asks(client, &["get a"]);
    assert_eq!(rig.node.operator().set_timeout_factor(3), 1);
    rig.wait(2_900);
    assert_eq!(rig.hears(client), "");
    assert_eq!(rig.node.operator().set_timeout_factor(2), 3);
    assert!(rig.node.next_deadline() <= rig.now.mono_us);
    rig.wait(0);
    assert_eq!(rig.hears(client), REFUSED);
    // Late, so that the connection does not count as dead.
    rig.says(ME, "$-1\r\n");
    rig.asks(client, &["get b"]);
    rig.wait(1_900);
    assert_eq!(rig.hears(client), "");
    rig.wait(200);
    assert_eq!(rig.hears(client), REFUSED);
}

#[test]
fn a_peer_that_is_down_by_order_gets_nothing_until_it_is_up() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    let peer = NodeId(1);
    assert_eq!(rig.node.operator().peer_state(peer), PeerState::Normal);
    assert!(!rig.node.operator().bar_peer(peer, true));
    assert_eq!(rig.node.operator().peer_state(peer), PeerState::Down);
    rig.asks(client, &["set k v"]);
    assert!(rig.sees(1).is_empty());
    assert_eq!((rig.sees(ME).len(), rig.sees(2).len()), (1, 1));
    rig.says(ME, "+OK\r\n");
    rig.says(2, "+OK\r\n");
    assert_eq!(rig.hears(client), "+OK\r\n");
    let of_peer = |rig: &mut Rig| rig.node.operator().peers(rig.now)[0].stats.clone();
    assert_eq!(
        (of_peer(&mut rig).barred, of_peer(&mut rig).dropped),
        (1, 1)
    );
    assert_eq!(of_peer(&mut rig).up, 1, "the connection stays");
    assert!(rig.node.operator().bar_peer(peer, false));
    rig.asks(client, &["set k w"]);
    assert_eq!(rig.sees(1), ["set k w"]);
}

#[test]
fn what_only_a_barred_peer_can_answer_gets_an_error_that_says_so() {
    let mut rig = Rig::new(&["a d r 0", "b d r 2147483648"], Options::default());
    let client = rig.client();
    let key = key_of(&rig, 1);
    rig.asks(client, &[&format!("get {key}")]);
    rig.node.operator().bar_peer(NodeId(1), true);
    rig.asks(client, &[&format!("get {key}")]);
    // What was sent before is still answered.
    rig.says(1, "$1\r\nv\r\n");
    let down = "-ERR Peer: Peer Node is down\r\n";
    assert_eq!(rig.hears(client), format!("$1\r\nv\r\n{down}"));
    // Also in a quorum.
    let own = "dyno_config:conn_consistency dc_quorum";
    rig.asks(client, &[own]);
    rig.hears(client);
    rig.asks(client, &[&format!("set {key} v")]);
    assert_eq!(rig.hears(client), down);
    rig.assert_at_rest();
}

#[test]
fn a_reset_makes_the_connection_anew_after_the_last_reply_and_fails_nothing_that_can_go_elsewhere()
{
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    rig.asks(client, &["set k v"]);
    rig.says(ME, "+OK\r\n");
    let before = rig.asked[&1].conn;
    rig.node.operator().renew_peer(NodeId(1), rig.now);
    rig.turn();
    assert_eq!(rig.node.operator().peer_state(NodeId(1)), PeerState::Reset);
    assert_eq!(rig.asked[&1].conn, before, "a reply is awaited");
    // Reads that would go there go on to the next rack.
    rig.node.operator().set_state(PeerState::Standby, rig.now);
    rig.asks(client, &["get k"]);
    rig.says(2, "+OK\r\n");
    rig.says(2, "$1\r\nv\r\n");
    assert_eq!(rig.hears(client), "+OK\r\n$1\r\nv\r\n");
    rig.says(1, "+OK\r\n");
    assert_ne!(rig.asked[&1].conn, before, "made anew");
    assert_eq!(rig.sees(1), ["PING"]);
    rig.says(1, "+PONG\r\n");
    assert_eq!(rig.node.operator().peer_state(NodeId(1)), PeerState::Normal);
    let pool = rig.node.operator().stats(rig.now).pool;
    assert_eq!(
        (pool.peer_connections, pool.peer_err, pool.peer_eof),
        (2, 0, 0)
    );
    rig.assert_at_rest();
}

#[test]
fn a_reset_tries_a_lost_peer_at_once() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let before = rig.asked[&1].conn;
    rig.loses(1);
    assert_eq!(rig.asked[&1].conn, before);
    rig.node.operator().renew_peer(NodeId(1), rig.now);
    rig.turn();
    assert_ne!(rig.asked[&1].conn, before);
}

#[test]
fn histograms_of_operators_are_cleared_and_of_prometheus_are_not() {
    let (mut rig, client) = alone();
    rig.asks(client, &["get k"]);
    rig.says(ME, "$-1\r\n");
    rig.node.operator().reset_histograms();
    let hist = rig.node.operator().stats(rig.now).hist;
    assert_eq!(hist.read_latency.count(), 0);
    assert_eq!(
        hist.read_latency.since_start().counts.iter().sum::<u64>(),
        1
    );
}
