//! What a client asks for is carried out in the order it asks: a read sees the writes before it.

use super::Rig;
use super::control::set;
use crate::cluster::peer_state::PeerState;
use crate::node::Options;

const NONE: [&str; 0] = [];
/// Nodes of two datacenters: messages to the other one leave at a limited rate.
const TWO_DCS: [&str; 2] = ["a d r 0", "b e r 0"];

fn with_stores(many: usize) -> Rig {
    let options = Options {
        datastore_connections: many,
        ..Options::default()
    };
    Rig::new(&["a d r 0"], options)
}

#[test]
fn a_clients_requests_take_one_of_several_datastore_connections() {
    let mut rig = with_stores(3);
    let clients = [rig.client(), rig.client(), rig.client()];
    for round in 0..4 {
        for (number, client) in clients.into_iter().enumerate() {
            rig.asks(
                client,
                &[&format!("SET k{number} {round}"), &format!("GET k{number}")],
            );
        }
        for place in 0..3 {
            // Each client's on a connection of its own, and nobody else's.
            assert_eq!(
                rig.sees_at(place),
                [format!("SET k{place} {round}"), format!("GET k{place}")],
            );
        }
        if round == 2 {
            for place in [0, 1, 2].repeat(6) {
                rig.says_at(place, "+x\r\n");
            }
        }
    }
}

/// A read took the connection that was there again, and saw less than the write before it, which was still on its way
/// on the other.
#[test]
fn a_client_goes_back_to_its_own_datastore_connection_when_nothing_is_left_on_the_other() {
    let mut rig = with_stores(2);
    let client = rig.client();
    rig.loses_at(0);
    rig.asks(client, &["SET k 1"]);
    assert_eq!(rig.sees_at(1), ["SET k 1"]);
    rig.wait(1_500);
    assert!(rig.node.upstreams[0].takes_requests(), "there again");
    rig.sees_at(0);
    rig.asks(client, &["GET k"]);
    assert_eq!(rig.sees_at(0), NONE);
    assert_eq!(rig.sees_at(1), ["GET k"]);
    rig.says_at(1, "+OK\r\n");
    rig.asks(client, &["GET k"]);
    assert_eq!(rig.sees_at(0), NONE, "the first GET is still on its way");
    rig.says_at(1, "$1\r\n1\r\n");
    rig.says_at(1, "$1\r\n1\r\n");
    rig.asks(client, &["SET k 2"]);
    assert_eq!(rig.sees_at(0), ["SET k 2"]);
    assert_eq!(rig.sees_at(1), NONE);
}

#[test]
fn held_writes_and_the_reads_behind_them_take_the_same_datastore_connection() {
    let mut rig = with_stores(2);
    let _first = rig.client();
    let client = rig.client();
    set(&mut rig, PeerState::WritesOnly);
    rig.asks(client, &["SET k 1", "SET k 2"]);
    set(&mut rig, PeerState::Normal);
    rig.asks(client, &["GET k"]);
    assert_eq!(rig.sees_at(0), NONE);
    assert_eq!(rig.sees_at(1), ["SET k 1", "SET k 2", "GET k"]);
}

/// What comes when the next message may leave, before those that were held back have left.
#[test]
fn a_request_does_not_overtake_those_that_the_rate_holds_back() {
    let mut rig = Rig::new(&TWO_DCS, Options::default());
    rig.node.operator().set_conn_msg_rate(1, rig.now);
    let client = rig.client();
    rig.asks(client, &["SET k 1", "SET k 2", "SET k 3"]);
    assert_eq!(rig.sees(1), ["SET k 1"]);
    for second in 2..5 {
        // The clock has not ticked yet.
        rig.now.mono_us += 1_000_000;
        rig.asks(client, &[&format!("SET k {}", second + 2)]);
        rig.wait(0);
        assert_eq!(rig.sees(1), [format!("SET k {second}")]);
    }
}
