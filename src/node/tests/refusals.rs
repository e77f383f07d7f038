//! Datastores that answer, and refuse.

use super::{ME, Rig, THREE_RACKS};
use crate::config::StoreKind;
use crate::node::Options;
use crate::stats::ErrorWord;

const OOM: &str = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
const LOADING: &str = "-LOADING Redis is loading the dataset in memory\r\n";
const VALUE: &str = "$1\r\nv\r\n";

/// The error replies of this node's datastore and of each peer that are counted under this word.
fn counted(rig: &mut Rig, word: ErrorWord) -> Vec<u64> {
    let own = rig.node.operator().stats(rig.now).store_errors[word as usize];
    let peers = rig.node.operator().peers(rig.now);
    let of_peers = peers.iter().map(|peer| peer.errors[word as usize]);
    std::iter::once(own).chain(of_peers).collect()
}

/// What `/readyz` says of the datastore.
fn trouble(rig: &mut Rig) -> Option<String> {
    let checks = rig.node.operator().checks();
    let check = checks.into_iter().find(|check| check.name == "datastore");
    check.unwrap().trouble
}

/// The client was told OK, and nobody else noticed anything.
#[test]
fn a_replica_that_refuses_writes_is_counted_at_the_coordinator_by_peer_and_word() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    rig.asks(client, &["SET k v"]);
    rig.says(ME, "+OK\r\n");
    rig.says(1, "+OK\r\n");
    rig.says(2, OOM);
    assert_eq!(rig.hears(client), "+OK\r\n");
    assert_eq!(counted(&mut rig, ErrorWord::Oom), [0, 0, 1]);
    rig.asks(client, &["SET k v"]);
    rig.says(ME, "-MISCONF Redis is configured to save RDB snapshots\r\n");
    rig.says(1, "-ERR Storage: Datastore refused connection\r\n");
    rig.says(2, "-WRONGTYPE Operation against a key\r\n");
    assert_eq!(counted(&mut rig, ErrorWord::Misconf), [1, 0, 0]);
    assert_eq!(counted(&mut rig, ErrorWord::Storage), [0, 1, 0]);
    assert_eq!(counted(&mut rig, ErrorWord::Other), [0, 0, 1]);
    assert_eq!(trouble(&mut rig), None, "reads are served");
    rig.assert_at_rest();
}

#[test]
fn memcached_out_of_memory_is_counted() {
    let options = Options {
        store: StoreKind::Memcache,
        ..Options::default()
    };
    let mut rig = Rig::new(&THREE_RACKS, options);
    let client = rig.client();
    rig.asks(client, &["set k 0 0 1\r\nv"]);
    rig.says(ME, "STORED\r\n");
    rig.says(1, "SERVER_ERROR out of memory storing object\r\n");
    rig.says(2, "STORED\r\n");
    assert_eq!(counted(&mut rig, ErrorWord::Oom), [0, 1, 0]);
}

#[test]
fn a_read_that_a_datastore_cannot_serve_goes_to_the_next_rack() {
    for reply in [
        LOADING,
        "-NOAUTH Authentication required.\r\n",
        "-MASTERDOWN Link with MASTER is down and replica-serve-stale-data is set to 'no'.\r\n",
        "-BUSY Redis is busy running a script.\r\n",
    ] {
        let mut rig = Rig::new(&THREE_RACKS, Options::default());
        let client = rig.client();
        rig.asks(client, &["GET k"]);
        rig.says(ME, reply);
        assert_eq!(rig.sees(1), ["GET k"], "{reply}");
        rig.says(1, reply);
        assert_eq!(rig.sees(2), ["GET k"], "{reply}");
        rig.says(2, VALUE);
        assert_eq!(rig.hears(client), VALUE, "{reply}");
        rig.assert_at_rest();
    }
    for reply in ["-WRONGTYPE Operation\r\n", "-BUSYKEY Target key\r\n", OOM] {
        let mut rig = Rig::new(&THREE_RACKS, Options::default());
        let client = rig.client();
        rig.asks(client, &["GET k"]);
        rig.says(ME, reply);
        assert_eq!(rig.hears(client), reply);
        assert_eq!(rig.sees(1), [""; 0]);
    }
}

/// With nobody left to ask the client gets the datastore's own words.
#[test]
fn a_read_that_no_datastore_can_serve_gets_their_error() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    rig.asks(client, &["GET k"]);
    for node in [ME, 1, 2] {
        rig.says(node, LOADING);
    }
    assert_eq!(rig.hears(client), LOADING);
    rig.assert_at_rest();
}

#[test]
fn a_datastore_that_loads_is_not_ready_until_it_answers_that_it_serves() {
    let mut rig = Rig::new(&THREE_RACKS[..1], Options::default());
    let client = rig.client();
    rig.asks(client, &["GET k"]);
    rig.says(ME, LOADING);
    assert_eq!(rig.hears(client), LOADING);
    let words = "127.0.0.1:22122 answers LOADING Redis is loading the dataset in memory";
    let datastore = rig.node.options.datastore.to_string();
    let words = words.replace("127.0.0.1:22122", &datastore);
    assert_eq!(trouble(&mut rig), Some(words.clone()));
    for reply in [LOADING, "+PONG\r\n"] {
        assert_eq!(trouble(&mut rig), Some(words.clone()));
        rig.sees(ME);
        rig.wait(1000);
        assert_eq!(rig.sees(ME), ["PING"]);
        rig.says(ME, reply);
    }
    assert_eq!(trouble(&mut rig), None);
    rig.wait(1000);
    rig.wait(1000);
    assert_eq!(rig.sees(ME), [""; 0], "nobody wants to know");
    rig.assert_at_rest();
}

#[test]
fn the_datastore_is_asked_once_a_second_however_often_readiness_is() {
    let mut rig = Rig::new(&THREE_RACKS[..1], Options::default());
    let mut asked = 0;
    for _ in 0..50 {
        rig.node.watch_store(rig.now);
        rig.wait(100);
        let seen = rig.sees(ME);
        asked += seen.len();
        for _ in seen {
            rig.says(ME, "+PONG\r\n");
        }
    }
    assert_eq!(asked, 5);
    assert_eq!(trouble(&mut rig), None);
    let requests = rig.node.operator().stats(rig.now).server;
    assert_eq!(requests.read_responses, 0, "it is no client's request");
    // A minute after the last time nobody asks any more.
    for _ in 0..61 {
        rig.wait(1000);
        for _ in rig.sees(ME) {
            rig.says(ME, "+PONG\r\n");
        }
    }
    rig.wait(5000);
    assert_eq!(rig.sees(ME), [""; 0]);
}

#[test]
fn a_datastore_that_hangs_is_not_ready() {
    let mut rig = Rig::new(&THREE_RACKS[..1], Options::default());
    for _ in 0..4 {
        rig.node.watch_store(rig.now);
        rig.wait(1000);
    }
    assert_eq!(rig.sees(ME), ["PING"], "one question at a time");
    let trouble_now = trouble(&mut rig).unwrap();
    assert!(trouble_now.ends_with(" does not answer"), "{trouble_now}");
    rig.says(ME, "+PONG\r\n");
    rig.node.watch_store(rig.now);
    assert_eq!(trouble(&mut rig), None);
}
