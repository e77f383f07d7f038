//! A peer answers anything at all: the node's client gets exactly one reply to each request,
//! and never one that belongs to another.
//!
//! The rows are answers whose effect on the C original is known. Where its client read the next
//! request's reply, waited for ever or saw the node crash, here it gets an error in time.

use super::raw::{Key, Peer, REPLY, message};
use crate::common::{Client, Node, Redis, Setup, new_key, shown, words};
use std::net::TcpListener;

/// A key that belongs to the peer: its tokens end at half, this node's at 0.
const KEY: &str = "k0";

const REFUSED: &str = "-ERR Peer: Peer Node refused connection\r\n";

/// What the peer does to its end of the connection.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Then {
    /// Nothing; it stays.
    Stays,
    /// It closes.
    Closes,
    /// Nothing; the node closes it.
    IsClosed,
}
use Then::{Closes, IsClosed, Stays};

/// In an answer `A`, `B` and `C` stand for the ids of the requests, `+` and `-` behind one for the
/// next and the one before, and `=text` for the payload of a simple string and its length.
type Row = (&'static str, &'static str, Then, &'static [&'static str]);

#[rustfmt::skip]
const TABLE: &[Row] = &[
    ("canonical", "   $2014$ A 5 0 1 1 *1 d *4\r\n+X\r\n", Stays, &["+X\r\n"]),
    ("an id too low", "   $2014$ 0 5 0 1 1 *1 d *4\r\n+X\r\n", Stays, &[REFUSED]),
    ("an id too low, then the right one", "   $2014$ 0 5 0 1 1 *1 d *4\r\n+Y\r\n   $2014$ A 5 0 1 1 *1 d *4\r\n+X\r\n", Stays, &["+X\r\n"]),
    ("twice", "   $2014$ A 5 0 1 1 *1 d *4\r\n+X\r\n   $2014$ A 5 0 1 1 *1 d *4\r\n+Y\r\n", Stays, &["+X\r\n"]),
    ("an id too high", "   $2014$ 18446744073709551615 5 0 1 1 *1 d *4\r\n+X\r\n", Stays, &[REFUSED]),
    ("two in reverse order", "   $2014$ B 5 0 1 1 *1 d *4\r\n+2\r\n   $2014$ A 5 0 1 1 *1 d *4\r\n+1\r\n", Stays, &["+1\r\n", "+2\r\n"]),
    ("the middle one missing", "   $2014$ A 5 0 1 1 *1 d *4\r\n+1\r\n   $2014$ C 5 0 1 1 *1 d *4\r\n+3\r\n", Stays, &["+1\r\n", REFUSED, "+3\r\n"]),
    ("the first one missing", "   $2014$ B 5 0 1 1 *1 d *4\r\n+2\r\n   $2014$ C 5 0 1 1 *1 d *4\r\n+3\r\n", Stays, &[REFUSED, "+2\r\n", "+3\r\n"]),
    ("type 1", "   $2014$ A 1 0 1 1 *1 d *4\r\n+X\r\n", Stays, &[REFUSED]),
    ("type 2", "   $2014$ A 2 0 1 1 *1 d *4\r\n+X\r\n", Stays, &[REFUSED]),
    ("type 3", "   $2014$ A 3 0 1 1 *1 d *4\r\n+X\r\n", Stays, &[REFUSED]),
    ("type 4", "   $2014$ A 4 0 1 1 *1 d *4\r\n+X\r\n", Stays, &[REFUSED]),
    ("type 6", "   $2014$ A 6 0 1 1 *1 d *4\r\n+X\r\n", Stays, &[REFUSED]),
    ("type 7", "   $2014$ A 7 0 1 1 *1 d *4\r\n+X\r\n", Stays, &[REFUSED]),
    ("type 8", "   $2014$ A 8 0 1 1 *1 d *4\r\n+X\r\n", Stays, &[REFUSED]),
    ("type 13", "   $2014$ A 13 0 1 1 *1 d *4\r\n+X\r\n", Stays, &[REFUSED]),
    ("type 7, then 5", "   $2014$ A 7 0 1 1 *1 d *4\r\n+Y\r\n   $2014$ A 5 0 1 1 *1 d *4\r\n+X\r\n", Stays, &["+X\r\n"]),
    ("a length too large", "   $2014$ A 5 0 1 1 *1 d *999\r\n+X\r\n", Stays, &["+X\r\n"]),
    ("a length too small", "   $2014$ A 5 0 1 1 *1 d *1\r\n+X\r\n", Stays, &["+X\r\n"]),
    ("the bit of another datacenter", "   $2014$ A 5 0 1 0 *1 d *4\r\n+X\r\n", Stays, &["+X\r\n"]),
    ("version 7", "   $2014$ A 5 0 7 1 *1 d *4\r\n+X\r\n", Stays, &["+X\r\n"]),
    ("no leading blanks", "$2014$ A 5 0 1 1 *1 d *4\r\n+X\r\n", Stays, &["+X\r\n"]),
    ("garbage in front", "garbage\r\n   $2014$ A 5 0 1 1 *1 d *4\r\n+X\r\n", Stays, &["+X\r\n"]),
    ("an error", "   $2014$ A 5 0 1 1 *1 d *7\r\n-ERR e\r\n", Stays, &["-ERR e\r\n"]),
    ("nested arrays", "   $2014$ A 5 0 1 1 *1 d *24\r\n*2\r\n*1\r\n$1\r\na\r\n*1\r\n:7\r\n", Stays, &["*2\r\n*1\r\n$1\r\na\r\n*1\r\n:7\r\n"]),
    ("no reply by form", "   $2014$ A 5 0 1 1 *1 d *7\r\nhello\r\n", IsClosed, &[REFUSED]),
    ("an empty payload", "   $2014$ A 5 0 1 1 *1 d *0\r\n   $2014$ A 5 0 1 1 *1 d *4\r\n+X\r\n", IsClosed, &[REFUSED]),
    ("closed without a reply", "", Closes, &[REFUSED, REFUSED]),
    ("closed inside a reply", "   $2014$ A 5 0 1 1 *1 d *4\r\n+X\r", Closes, &[REFUSED]),
    ("closed behind a reply", "   $2014$ A 5 0 1 1 *1 d *4\r\n+X\r\n", Closes, &["+X\r\n", REFUSED]),
    ("encrypted to a node without a key", "   $2014$ A 5 1 1 1 *1 d *16\r\n0123456789abcdef", IsClosed, &[REFUSED]),
];

/// A node with one peer, played by the test.
struct Rig {
    _redis: Redis,
    listener: TcpListener,
    node: Node,
}

fn rig(dc: &str, with: impl Fn(Setup) -> Setup) -> Rig {
    let redis = Redis::start();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let addr = listener.local_addr().expect("a bound socket");
    let setup = Setup::before(&redis)
        .with("datacenter", "dc0")
        .with("rack", "rack0")
        .with("dyn_seeds", format!("\n  - {addr}:rack0:{dc}:2147483648"));
    let node = with(setup).start();
    Rig {
        _redis: redis,
        listener,
        node,
    }
}

/// Asks until the connection is in use, and answers.
fn settle(client: &mut Client, peer: &mut Peer) {
    client.send(&words(&format!("get {KEY}")));
    let request = peer.message();
    peer.send(&message(request.id, REPLY, b"+settled\r\n"));
    assert_eq!(client.reply(), b"+settled\r\n");
}

#[test]
fn whatever_a_peer_answers_the_client_gets_one_reply_per_request() {
    std::thread::scope(|scope| {
        // Half of the rows wait for a timeout.
        for part in 0..4 {
            scope.spawn(move || {
                let rig = rig("dc0", |setup| setup.with("timeout", 200));
                let mut peer = Peer::accept_as_original(&rig.listener);
                rig.node.await_stat("peer_connections", |n| n == 1);
                let mut client = rig.node.client();
                for row in TABLE.iter().skip(part).step_by(4) {
                    settle(&mut client, &mut peer);
                    if !answer(row, &mut client, &mut peer) {
                        drop(peer);
                        peer = Peer::accept_as_original(&rig.listener);
                        rig.node.await_stat("peer_connections", |n| n == 1);
                    }
                }
                settle(&mut client, &mut peer);
            });
        }
    });
}

/// Plays one row. Returns whether the connection is still of use.
fn answer((name, answer, then, replies): &Row, client: &mut Client, peer: &mut Peer) -> bool {
    let mut text = answer.to_string();
    for (n, letter) in ["A", "B", "C"].iter().enumerate().take(replies.len()) {
        client.send(&words(&format!("get {KEY}")));
        let request = peer.message();
        assert_eq!(
            shown(&request.payload),
            shown(&words(&format!("get {KEY}"))),
            "{n}"
        );
        text = text.replace(
            &format!("$2014$ {letter} "),
            &format!("$2014$ {} ", request.id),
        );
    }
    peer.send(text.as_bytes());
    if *then == Closes {
        peer.half_close();
    }
    for reply in *replies {
        assert_eq!(shown(&client.reply()), shown(reply.as_bytes()), "{name}");
    }
    if *then == IsClosed {
        assert_eq!(peer.try_message().expect("closed"), None, "{name}");
    }
    *then == Stays
}

#[test]
fn a_peer_is_sent_nothing_before_it_has_said_what_it_is() {
    let rig = rig("dc0", |setup| setup.with("timeout", 200));
    let mut client = rig.node.client();
    // Nothing the original could be asked, so that it matters.
    let line = format!("bitfield {KEY} get u63 0");
    let mut peer = Peer::accept(&rig.listener);
    let probe = peer.message();
    let not_connected = "-ERR Peer: Peer Node is not connected\r\n";
    super::expect(&mut client, &line, not_connected);
    super::expect(&mut client, &format!("get {KEY}"), not_connected);
    let pong = format!("   $2014$ {} 5 0 2 1 *1 d *7\r\n+PONG\r\n", probe.id);
    peer.send(pong.as_bytes());
    rig.node.await_stat("peer_connections", |n| n == 1);
    client.send(&words(&line));
    let request = peer.message();
    assert_eq!(request.payload, words(&line));
    let nine = format!("   $2014$ {} 5 0 2 1 *1 d *8\r\n*1\r\n:9\r\n", request.id);
    peer.send(nine.as_bytes());
    super::expect_reply(&mut client, "*1\r\n:9\r\n");
    // One that does not say it is closed, and asked again.
    drop(peer);
    let mut peer = Peer::accept(&rig.listener);
    assert_eq!(peer.message().payload, words("PING"));
    assert_eq!(peer.try_message().expect("closed"), None);
    super::expect(&mut client, &line, not_connected);
    let mut peer = Peer::accept_as_original(&rig.listener);
    rig.node.await_stat("peer_connections", |n| n == 1);
    assert!(
        client
            .ask(&line)
            .starts_with(b"-ERR Dynomite: reply of this command is unknown")
    );
    settle(&mut client, &mut peer);
}

#[test]
fn late_replies_go_to_nobody() {
    let rig = rig("dc0", |setup| setup.with("timeout", 200));
    let mut peer = Peer::accept_as_original(&rig.listener);
    rig.node.await_stat("peer_connections", |n| n == 1);
    let mut client = rig.node.client();
    let mut late = Vec::new();
    for round in 0..3 {
        client.send(&words(&format!("get {KEY}")));
        late.push(peer.message().id);
        assert_eq!(shown(&client.reply()), shown(REFUSED.as_bytes()));
        client.send(&words(&format!("get {KEY}")));
        let request = peer.message();
        for id in late.drain(..) {
            peer.send(&message(id, REPLY, b"+late\r\n"));
        }
        peer.send(&message(
            request.id,
            REPLY,
            format!(":{round}\r\n").as_bytes(),
        ));
        assert_eq!(shown(&client.reply()), format!(":{round}\\r\\n"));
    }
    assert_eq!(rig.node.stat("late_replies_dropped"), 3);
}

#[test]
fn the_key_travels_once_with_each_connection_and_never_into_the_log() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let pem = new_key(dir.path(), "shared");
    let rig = rig("dc9", |setup| {
        setup
            .with("secure_server_option", "datacenter")
            .with("pem_key_file", pem.display())
            .verbose()
    });
    let mut client = rig.node.client();
    let mut keys: Vec<[u8; 32]> = Vec::new();
    for round in 1..=2 {
        let mut peer = Peer::accept(&rig.listener);
        let probe = peer.message();
        assert!(probe.encrypted && probe.data.len() == 128, "{probe:?}");
        let key = Key::unwrap(&probe.data, &pem);
        assert_eq!(key.open(&probe.payload), words("PING"));
        peer.send(&message(probe.id, REPLY, b"+PONG\r\n"));
        rig.node.await_stat("peer_connections", |n| n == 1);
        let set = words(&format!("set {KEY} {round}"));
        client.send(&set);
        assert_eq!(client.reply(), b"+OK\r\n");
        let request = peer.message();
        assert!(request.encrypted && !request.same_dc && request.data == b"d");
        assert_eq!(request.kind, super::raw::FORWARD);
        assert_eq!(key.open(&request.payload), set);
        keys.push(key.0);
    }
    assert_ne!(keys[0], keys[1], "each connection has its own");
    let log = rig.node.log();
    assert!(!log.is_empty());
    for secret in keys
        .iter()
        .flat_map(|key| super::as_receiver::spellings(&key[..16]))
    {
        assert!(!log.contains(&secret), "{secret} is in the log");
    }
}

#[test]
fn a_client_whose_connection_to_a_peer_is_gone_goes_to_the_next_rack() {
    let redis = Redis::start();
    let listeners = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").expect("a port"));
    let addr = |n: usize| listeners[n].local_addr().expect("a bound socket");
    let node = Setup::before(&redis)
        .with("datacenter", "dc0")
        .with("rack", "rack0")
        .with("remote_peer_connections", 2)
        .with(
            "dyn_seeds",
            format!("\n  - {}:rack0:dc1:0\n  - {}:rack1:dc1:0", addr(0), addr(1)),
        )
        .start();
    let mut peers: Vec<Peer> = [0, 0, 1, 1]
        .iter()
        .map(|&n: &usize| Peer::accept_as_original(&listeners[n]))
        .collect();
    node.await_stat("peer_connections", |n| n == 4);
    // One of the two connections to the preselected rack ends, and is not made again.
    let [first, _other] = listeners;
    drop(first);
    drop(peers.remove(0));
    node.await_stat("peer_connections", |n| n == 3);
    // Clients use one or the other.
    let mut clients = [node.client(), node.client(), node.client(), node.client()];
    for client in &mut clients {
        assert_eq!(client.ask("set k v"), b"+OK\r\n");
    }
    assert_eq!(node.stat("remote_peer_dropped_requests"), 0);
    assert_eq!(node.stat("remote_peer_failover_requests"), 2);
    assert_eq!(peers[0].message().payload, words("set k v"));
    assert_eq!(peers[0].message().payload, words("set k v"));
}
