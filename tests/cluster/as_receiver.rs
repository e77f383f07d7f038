//! A peer sends anything at all: each request is answered exactly once, in order, with
//! its id, and nothing a peer can write brings the node down.
//!
//! The rows are inputs whose effect on the C original is known. Where it blocked the connection or
//! crashed, this program goes on or closes.

use super::raw::{FORWARD, Key, Peer, REQUEST, message};
use crate::common::{Cluster, Plan, Redis, Setup, eventually, new_key, shown, words};

const GET: &str = "*2\r\n$3\r\nGET\r\n$3\r\nfoo\r\n";
const BAR: &str = "$3\r\nbar\r\n";

/// What comes back.
enum Then {
    /// Replies with these ids.
    Answers(&'static [u64]),
    /// Nothing, and the connection ends.
    Closes,
}
use Then::{Answers, Closes};

/// In an input `G` stands for a request for a key that holds `bar`.
#[rustfmt::skip]
const TABLE: &[(&str, &str, Then)] = &[
    ("canonical", "   $2014$ 9 3 0 1 1 *1 d *22\r\nG", Answers(&[9])),
    ("to be forwarded, by the owner", "   $2014$ 9 4 0 1 1 *1 d *22\r\nG", Answers(&[9])),
    ("no leading blanks", "$2014$ 9 3 0 1 1 *1 d *22\r\nG", Answers(&[9])),
    ("garbage in front", "hello world\r\n   $2014$ 9 3 0 1 1 *1 d *22\r\nG", Answers(&[9])),
    ("false magic in front", "$2014$x   $2014$ 9 3 0 1 1 *1 d *22\r\nG", Answers(&[9])),
    ("an id that is no number", "   $2014$ xx 3 0 1 1 *1 d *22\r\nG", Answers(&[])),
    ("two blanks", "   $2014$ 9  3 0 1 1 *1 d *22\r\nG", Answers(&[])),
    ("version 0", "   $2014$ 9 3 0 0 1 *1 d *22\r\nG", Answers(&[9])),
    ("version 2", "   $2014$ 9 3 0 2 1 *1 d *22\r\nG", Answers(&[9])),
    ("version 255", "   $2014$ 9 3 0 255 1 *1 d *22\r\nG", Answers(&[9])),
    ("version 99999", "   $2014$ 9 3 0 99999 1 *1 d *22\r\nG", Answers(&[9])),
    ("bits 2", "   $2014$ 9 3 2 1 1 *1 d *22\r\nG", Answers(&[9])),
    ("bits 4", "   $2014$ 9 3 4 1 1 *1 d *22\r\nG", Answers(&[9])),
    ("bits 8", "   $2014$ 9 3 8 1 1 *1 d *22\r\nG", Answers(&[9])),
    ("bits 16", "   $2014$ 9 3 16 1 1 *1 d *22\r\nG", Answers(&[9])),
    ("type 0", "   $2014$ 9 0 0 1 1 *1 d *22\r\nG", Answers(&[])),
    ("type 1", "   $2014$ 9 1 0 1 1 *1 d *22\r\nG", Answers(&[])),
    ("type 2", "   $2014$ 9 2 0 1 1 *1 d *22\r\nG", Answers(&[])),
    ("type 5", "   $2014$ 9 5 0 1 1 *1 d *22\r\nG", Answers(&[])),
    ("type 6", "   $2014$ 9 6 0 1 1 *1 d *22\r\nG", Answers(&[])),
    ("type 8", "   $2014$ 9 8 0 1 1 *1 d *22\r\nG", Answers(&[])),
    ("type 13", "   $2014$ 9 13 0 1 1 *1 d *22\r\nG", Answers(&[])),
    ("type 200", "   $2014$ 9 200 0 1 1 *1 d *22\r\nG", Answers(&[])),
    ("no data", "   $2014$ 9 3 0 1 1 *0  *22\r\nG", Answers(&[])),
    ("data of 5 bytes", "   $2014$ 9 3 0 1 1 *5 hello *22\r\nG", Answers(&[9])),
    ("data without star", "   $2014$ 9 3 0 1 1 1 d *22\r\nG", Answers(&[9])),
    ("junk behind the data", "   $2014$ 9 3 0 1 1 *1 dXYZ *22\r\nG", Answers(&[9])),
    ("no length", "   $2014$ 9 3 0 1 1 *1 d *\r\nG", Answers(&[9])),
    ("length 0", "   $2014$ 9 3 0 1 1 *1 d *0\r\nG", Answers(&[9])),
    ("a length too small", "   $2014$ 9 3 0 1 1 *1 d *3\r\nG", Answers(&[9])),
    ("a length too large", "   $2014$ 9 3 0 1 1 *1 d *9999\r\nG   $2014$ 10 3 0 1 1 *1 d *22\r\nG", Answers(&[9, 10])),
    ("LF only", "   $2014$ 9 3 0 1 1 *1 d *22\nG", Answers(&[])),
    ("id 0", "   $2014$ 0 3 0 1 1 *1 d *22\r\nG", Answers(&[0])),
    ("the largest id", "   $2014$ 18446744073709551615 3 0 1 1 *1 d *22\r\nG", Answers(&[u64::MAX])),
    ("an id that wraps", "   $2014$ 18446744073709551617 3 0 1 1 *1 d *22\r\nG", Answers(&[1])),
    ("two commands in one payload", "   $2014$ 9 3 0 1 1 *1 d *44\r\nGG", Answers(&[9])),
    ("three messages", "   $2014$ 9 3 0 1 1 *1 d *22\r\nG   $2014$ 10 3 0 1 1 *1 d *22\r\nG   $2014$ 11 3 0 1 1 *1 d *22\r\nG", Answers(&[9, 10, 11])),
    ("an id repeated", "   $2014$ 9 3 0 1 1 *1 d *22\r\nG   $2014$ 9 3 0 1 1 *1 d *22\r\nG", Answers(&[9, 9])),
    ("ids that fall", "   $2014$ 9 3 0 1 1 *1 d *22\r\nG   $2014$ 8 3 0 1 1 *1 d *22\r\nG", Answers(&[9, 8])),
    ("a payload that is no request", "   $2014$ 9 3 0 1 1 *1 d *5\r\nhello", Closes),
    ("gossip", "   $2014$ 9 7 0 1 1 *1 d *38\r\ndc1$rack9$12345,1790000000,4,127.0.0.99", Answers(&[])),
    ("gossip that is none", "   $2014$ 9 7 0 1 1 *1 d *5\r\nhello", Answers(&[])),
    ("gossip of commas", "   $2014$ 9 7 0 1 1 *1 d *3\r\n,,,", Answers(&[])),
    ("encrypted without a key", "   $2014$ 9 3 1 1 1 *1 d *16\r\n0123456789abcdef", Closes),
    ("a key that is too short", "   $2014$ 9 3 1 1 1 *5 hello *16\r\n0123456789abcdef", Closes),
];

/// A node that knows a key and holds `foo`.
fn node() -> (
    tempfile::TempDir,
    std::path::PathBuf,
    Redis,
    crate::common::Node,
    std::net::SocketAddr,
) {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let pem = new_key(dir.path(), "shared");
    let redis = Redis::start();
    redis.client().ask("set foo bar");
    let addresses = crate::common::Addresses::free(std::net::Ipv4Addr::LOCALHOST);
    let node = Setup::before(&redis)
        .at(addresses)
        .with("secure_server_option", "all")
        .with("pem_key_file", pem.display())
        .verbose()
        .start();
    (dir, pem, redis, node, addresses.peers)
}

#[test]
fn whatever_a_peer_sends_each_request_is_answered_once_and_in_order() {
    let (_dir, _pem, _redis, mut node, addr) = node();
    for (name, input, then) in TABLE {
        let input = input.replace('G', GET).into_bytes();
        // In one piece, byte by byte, and cut in the middle.
        for pieces in [1, 2, input.len()] {
            let mut peer = Peer::connect(addr);
            for piece in input.chunks(input.len().div_ceil(pieces)) {
                if peer.try_send(piece).is_err() {
                    break;
                }
            }
            match then {
                Answers(ids) => {
                    peer.send(&message(77, REQUEST, GET.as_bytes()));
                    for id in ids.iter().chain(&[77]) {
                        let reply = peer.message();
                        assert_eq!((reply.id, reply.kind), (*id, 5), "{name}");
                        assert_eq!(shown(&reply.payload), shown(BAR.as_bytes()), "{name}");
                        assert!(!reply.encrypted && reply.data == b"d", "{name}");
                    }
                    peer.half_close();
                    assert_eq!(peer.try_message().expect("no more"), None, "{name}");
                }
                Closes => assert_eq!(peer.try_message().expect("closed"), None, "{name}"),
            }
        }
    }
    node.expect_alive();
}

#[test]
fn the_bit_of_the_datacenter_is_echoed() {
    let (_dir, _pem, _redis, _node, addr) = node();
    let mut peer = Peer::connect(addr);
    for (bit, echoed) in [
        ("1", true),
        ("0", false),
        ("2", true),
        ("10", false),
        ("1", true),
    ] {
        peer.send(format!("   $2014$ 9 3 0 1 {bit} *1 d *22\r\n{GET}").as_bytes());
        assert_eq!(peer.message().same_dc, echoed, "{bit}");
    }
}

#[test]
fn commands_are_run_as_they_are_and_unknown_ones_answered() {
    let (_dir, _pem, redis, _node, addr) = node();
    let mut peer = Peer::connect(addr);
    for (line, reply) in [
        ("PING", "+PONG\r\n"),
        ("MGET foo b c", "*3\r\n$3\r\nbar\r\n$-1\r\n$-1\r\n"),
        ("SET a b", "+OK\r\n"),
        (
            "LPUSH foo x",
            "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n",
        ),
        ("SCRIPT LOAD x", ""),
        ("FOOBAR x", "-ERR unknown command 'FOOBAR'"),
        ("GET", "-ERR wrong number of arguments"),
        ("GET foo", BAR),
    ] {
        for kind in [REQUEST, FORWARD] {
            peer.send(&message(5, kind, &words(line)));
            let got = peer.message();
            assert_eq!((got.id, got.kind), (5, 5));
            let got = String::from_utf8_lossy(&got.payload).into_owned();
            assert!(got.starts_with(reply), "{line}: {got}");
        }
    }
    assert_eq!(redis.client().ask("get a"), b"$1\r\nb\r\n");
}

#[test]
fn a_requester_that_ends_its_stream_is_answered() {
    let (_dir, _pem, _redis, _node, addr) = node();
    let mut peer = Peer::connect(addr);
    let mut all = Vec::new();
    for id in 0..3000 {
        all.extend(message(id, REQUEST, GET.as_bytes()));
    }
    peer.send(&all);
    peer.half_close();
    for id in 0..3000 {
        assert_eq!(peer.message().id, id);
    }
    assert_eq!(peer.try_message().expect("it closes"), None);
}

/// A coordinator that died with replies unread made its kernel send a reset, at which everything that had
/// arrived was dropped: copies of writes that its clients had seen acknowledged.
#[test]
fn what_has_arrived_from_a_peer_that_dies_is_run() {
    let (_dir, _pem, redis, _node, addr) = node();
    let mut store = redis.client();
    for round in 0..10 {
        assert_eq!(store.ask("flushall"), b"+OK\r\n");
        let mut peer = Peer::connect(addr);
        // As much as the kernel here takes at once.
        let mut all = Vec::new();
        for id in 0..600 {
            all.extend(message(id, REQUEST, &words(&format!("set k{id} v"))));
        }
        peer.send(&all);
        match round % 2 {
            0 => peer.abort(),
            _ => drop(peer.message()),
        }
        eventually("all is run", || store.ask("dbsize") == b":600\r\n");
    }
}

#[test]
fn much_garbage_is_skipped() {
    let (_dir, _pem, _redis, _node, addr) = node();
    for length in [1, 16_310, 16_315, 16_320, 40_000] {
        let mut peer = Peer::connect(addr);
        peer.send(&vec![b'x'; length]);
        peer.send(&message(1, REQUEST, GET.as_bytes()));
        assert_eq!(peer.message().id, 1, "{length}");
    }
}

#[test]
fn encrypted_requests_are_answered_encrypted_and_keys_are_never_logged() {
    let (_dir, pem, redis, mut node, addr) = node();
    let key = Key(std::array::from_fn(|n| n as u8 + b'a'));
    let wrapped = key.wrapped(&pem);
    let mut peer = Peer::connect(addr);
    peer.send(&key.request(1, Some(&wrapped), GET.as_bytes()));
    let reply = peer.message();
    assert!(reply.encrypted && reply.data == b"d");
    assert_eq!(key.open(&reply.payload), BAR.as_bytes());
    // Without the key again, with it again, and in clear: always encrypted from here on.
    peer.send(&key.request(2, None, GET.as_bytes()));
    peer.send(&key.request(3, Some(&wrapped), GET.as_bytes()));
    peer.send(&message(4, REQUEST, GET.as_bytes()));
    for id in 2..=4 {
        let reply = peer.message();
        assert_eq!((reply.id, reply.encrypted), (id, true));
        assert_eq!(key.open(&reply.payload), BAR.as_bytes());
    }
    // Another key in the middle.
    let other = Key([b'#'; 32]);
    peer.send(&other.request(5, Some(&other.wrapped(&pem)), GET.as_bytes()));
    assert_eq!(other.open(&peer.message().payload), BAR.as_bytes());
    // Sizes around the ends of pieces, in both directions.
    for size in [
        0,
        1,
        15,
        16,
        16_200,
        16_290,
        16_300,
        16_310,
        16_320,
        16_321,
        32_640,
        1 << 20,
    ] {
        let value: Vec<u8> = (0..size).map(|n| b'a' + (n % 26) as u8).collect();
        let set = crate::common::command(&[b"set", b"v", &value]);
        peer.send(&other.request(6, None, &set));
        assert_eq!(other.open(&peer.message().payload), b"+OK\r\n");
        assert_eq!(
            redis.client().ask("strlen v"),
            format!(":{size}\r\n").as_bytes()
        );
        peer.send(&other.request(7, None, &words("get v")));
        let reply = other.open(&peer.message().payload);
        assert!(reply.ends_with(&[&value[..], b"\r\n"].concat()), "{size}");
    }
    node.expect_alive();
    let log = node.log();
    for key in [key, other] {
        for secret in spellings(&key.0[..16]) {
            assert!(!log.contains(&secret), "{secret} is in the log");
        }
    }
}

/// How a log could show bytes.
pub fn spellings(secret: &[u8]) -> Vec<String> {
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let spaced: Vec<String> = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    let numbers: Vec<String> = secret.iter().map(u8::to_string).collect();
    vec![
        hex.to_uppercase(),
        hex,
        spaced.join(" "),
        spaced.join(":"),
        numbers.join(", "),
        openssl::base64::encode_block(&secret[..15]),
        secret.escape_ascii().to_string(),
        String::from_utf8_lossy(secret).into_owned(),
    ]
}

#[test]
fn what_cannot_be_decrypted_closes_its_connection_and_no_other() {
    let (dir, pem, _redis, mut node, addr) = node();
    let mut good = Peer::connect(addr);
    let key = Key([7; 32]);
    good.send(&key.request(1, Some(&key.wrapped(&pem)), GET.as_bytes()));
    assert_eq!(key.open(&good.message().payload), BAR.as_bytes());
    let wrong = new_key(dir.path(), "wrong");
    let mut padding = key.request(2, Some(&key.wrapped(&pem)), GET.as_bytes());
    if let Some(last) = padding.last_mut() {
        *last ^= 0x5a;
    }
    for bad in [
        key.request(2, Some(&key.wrapped(&wrong)), GET.as_bytes()),
        key.request(2, None, GET.as_bytes()),
        key.request(2, Some(&[0; 128]), GET.as_bytes()),
        padding,
    ] {
        let mut peer = Peer::connect(addr);
        peer.send(&bad);
        assert_eq!(peer.try_message().expect("closed"), None, "{}", shown(&bad));
    }
    good.send(&key.request(3, None, GET.as_bytes()));
    assert_eq!(good.message().id, 3);
    eventually("the log says so", || node.log().contains("cannot be read"));
    node.expect_alive();
}

#[test]
fn a_node_may_refuse_what_is_not_encrypted() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let pem = new_key(dir.path(), "shared");
    let redis = Redis::start();
    redis.client().ask("set foo bar");
    let addresses = crate::common::Addresses::free(std::net::Ipv4Addr::LOCALHOST);
    let node = Setup::before(&redis)
        .at(addresses)
        .with("secure_server_option", "all")
        .with("pem_key_file", pem.display())
        .with_env("DYNOMITE_REFUSE_PLAINTEXT", 1)
        .start();
    let mut peer = Peer::connect(addresses.peers);
    peer.send(&message(1, REQUEST, GET.as_bytes()));
    assert_eq!(peer.try_message().expect("closed"), None);
    let key = Key([3; 32]);
    let mut peer = Peer::connect(addresses.peers);
    peer.send(&key.request(2, Some(&key.wrapped(&pem)), GET.as_bytes()));
    assert_eq!(key.open(&peer.message().payload), BAR.as_bytes());
    peer.send(&message(3, REQUEST, GET.as_bytes()));
    assert_eq!(peer.try_message().expect("closed"), None);
    eventually("the log says so", || {
        node.log()
            .contains("plaintext message where encryption is required")
    });
}

#[test]
fn an_encrypted_message_to_a_node_without_a_key_closes_its_connection() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let pem = new_key(dir.path(), "some");
    let cluster = Plan::of(1, 1, 2).start();
    let mut peer = Peer::connect(cluster.members[0].addresses.peers);
    let key = Key([9; 32]);
    peer.send(&key.request(1, Some(&key.wrapped(&pem)), GET.as_bytes()));
    assert_eq!(peer.try_message().expect("closed"), None);
    cluster.client(0).expect_open();
}

#[test]
fn type_3_is_run_here_and_type_4_in_every_rack_here() {
    let cluster = Plan::of(2, 2, 2).start();
    let set = |cluster: &Cluster, key: &str, kind: u32| {
        let mut peer = Peer::connect(cluster.members[0].addresses.peers);
        peer.send(&message(1, kind, &words(&format!("incr {key}"))));
        assert_eq!(shown(&peer.message().payload), ":1\\r\\n");
    };
    // The key of another node: a peer's request is not routed again.
    let key = cluster.key_of(1, "three");
    set(&cluster, &key, REQUEST);
    assert_eq!(cluster.calls("incr"), [1, 0, 0, 0, 0, 0, 0, 0]);
    cluster.forget_calls();
    let key = cluster.key_of(1, "four");
    set(&cluster, &key, FORWARD);
    let mut wanted = [0; 8];
    wanted[1] = 1;
    wanted[cluster.owner(0, 1, &key)] = 1;
    eventually("the owner in each rack runs it", || {
        cluster.calls("incr") == wanted
    });
}

#[test]
fn type_4_is_answered_with_the_own_racks_reply_or_error() {
    let mut cluster = Plan::of(1, 2, 2).start();
    let key = cluster.key_of(1, "k");
    cluster.kill(1);
    let mut peer = Peer::connect(cluster.members[0].addresses.peers);
    peer.send(&message(8, FORWARD, &words(&format!("set {key} v"))));
    let reply = peer.message();
    assert_eq!(reply.id, 8);
    assert_eq!(
        shown(&reply.payload),
        "-ERR Peer: Peer Node is not connected\\r\\n"
    );
    let mate = cluster.owner(0, 1, &key);
    eventually("the other rack has it", || {
        cluster.members[mate].held(&key) == super::bulk("v")
    });
    // The node's own datastore.
    cluster.kill_store(0);
    peer.send(&message(9, REQUEST, &words("get x")));
    assert_eq!(
        shown(&peer.message().payload),
        "-ERR Storage: Datastore refused connection\\r\\n"
    );
}
