//! Nodes of either program that go away.

use super::{at_level, bulk, expect, mixed, other};
use crate::common::{Plan, eventually, shown, words};

const NOT_CONNECTED: &str = "-ERR Peer: Peer Node is not connected\r\n";
const REFUSED: &str = "-ERR Peer: Peer Node refused connection\r\n";

#[test]
fn a_killed_owner_is_an_error_at_once_until_it_is_back() {
    let Some(program) = other() else { return };
    for others in [[0], [1]] {
        let mut cluster = mixed(Plan::of(1, 1, 2), &others, &program).start();
        let key = cluster.key_of(1, "k");
        let mut client = cluster.client(0);
        expect(&mut client, &format!("set {key} v"), "+OK\r\n");
        cluster.pause(1);
        client.send(&words(&format!("get {key}")));
        client.send(&words(&format!("get {key}")));
        cluster.members[0]
            .node()
            .await_stat("peer_out_queue", |n| n >= 2);
        cluster.kill(1);
        assert_eq!(shown(&client.reply()), shown(REFUSED.as_bytes()));
        assert_eq!(shown(&client.reply()), shown(REFUSED.as_bytes()));
        expect(&mut client, &format!("get {key}"), NOT_CONNECTED);
        cluster.restart(1);
        eventually("it is asked again", || {
            shown(&client.ask(&format!("get {key}"))) == bulk("v")
        });
    }
}

#[test]
fn one_of_three_racks_may_be_gone_and_two_may_not() {
    let Some(program) = other() else { return };
    for others in [&[0][..], &[1], &[1, 2], &[0, 2]] {
        let mut cluster = mixed(Plan::of(1, 3, 1), others, &program).start();
        let mut clients =
            ["dc_quorum", "dc_safe_quorum"].map(|level| at_level(cluster.client(0), level));
        cluster.kill(1);
        for client in &mut clients {
            expect(client, "set k v", "+OK\r\n");
            expect(client, "get k", "$1\r\nv\r\n");
        }
        cluster.kill(2);
        for client in &mut clients {
            expect(client, "set k v", NOT_CONNECTED);
            expect(client, "get k", NOT_CONNECTED);
        }
        cluster.restart(1);
        for client in &mut clients {
            expect(client, "set k w", "+OK\r\n");
            expect(client, "get k", "$1\r\nw\r\n");
        }
    }
}

#[test]
fn the_error_of_a_replicas_datastore_comes_through() {
    let Some(program) = other() else { return };
    for others in [[0], [1]] {
        let mut cluster = mixed(Plan::of(1, 1, 2), &others, &program).start();
        let key = cluster.key_of(1, "k");
        let mut client = cluster.client(0);
        expect(&mut client, &format!("lpush {key} v"), ":1\r\n");
        let wrong = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";
        expect(&mut client, &format!("get {key}"), wrong);
        cluster.kill_store(1);
        let storage = "-ERR Storage: Datastore refused connection\r\n";
        expect(&mut client, &format!("get {key}"), storage);
        cluster.restart_store(1);
        expect(&mut client, &format!("get {key}"), "$-1\r\n");
    }
}

#[test]
fn another_datacenters_rack_takes_over_from_the_preselected_one() {
    let Some(program) = other() else { return };
    for others in [&[2, 3][..], &[0, 1], &[0, 3], &[1, 2]] {
        let mut cluster = mixed(Plan::of(2, 2, 1), others, &program).start();
        let mut client = cluster.client(0);
        cluster.kill(2);
        expect(&mut client, "set one v", "+OK\r\n");
        let (v, none) = (bulk("v"), "$-1\\r\\n");
        cluster.await_held("one", &[&v, &v, none, &v]);
        cluster.kill(3);
        expect(&mut client, "set two v", "+OK\r\n");
        cluster.await_held("two", &[&v, &v, none, none]);
        cluster.restart(2);
        expect(&mut client, "set three v", "+OK\r\n");
        cluster.await_held("three", &[&v, &v, &v, none]);
    }
}
