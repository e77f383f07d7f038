//! The ids by which peers know requests: each reply reaches the one who asked, with the id it was asked by.

use super::control::set;
use super::{ME, Rig, encoded, key_of};
use crate::cluster::id::NodeId;
use crate::cluster::peer_state::PeerState;
use crate::mbuf::Chain;
use crate::mbuf::Raw;
use crate::node::{ConnId, Options, frame, limits};
use crate::proto::dnode::{self, Decoder};
use proptest::prelude::*;

const ONE_RACK: [&str; 2] = ["a d r 0", "b d r 2147483648"];
const TWO_RACKS: [&str; 2] = ["a d r1 0", "b d r2 0"];

/// What a reply has of its request.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Seen {
    id: u64,
    same_dc: bool,
    text: String,
}

impl Rig {
    /// A peer sends a request.
    fn peer_asks(&mut self, peer: ConnId, header: dnode::Header, line: &str) {
        let mut payload = Chain::new();
        self.pool.copy(&encoded(line), &mut payload);
        let mut out = Chain::new();
        frame::plain(header, Raw::from(&payload), &self.pool, &mut out);
        self.reads(peer, &out.to_vec());
        self.turn();
    }

    /// The replies that a peer has got since it was looked at.
    fn replies(&mut self, peer: ConnId) -> Vec<Seen> {
        let (options, mut bytes) = (&self.node.options, Chain::new());
        let mut decoder = Decoder::replies(options.store, options.security());
        self.pool
            .copy(&self.out.remove(&peer).unwrap_or_default(), &mut bytes);
        let mut replies = Vec::new();
        while let Some(message) = decoder.next(&mut bytes, &self.pool).unwrap() {
            replies.push(Seen {
                id: message.id,
                same_dc: message.same_dc,
                text: String::from_utf8(message.payload.to_vec()).unwrap(),
            });
        }
        replies
    }

    /// The other end of the connection to a node replies to the request with this id.
    fn replies_to(&mut self, node: u16, id: u64, text: &str) {
        let conn = self.asked(node).conn;
        self.says_raw(
            conn,
            dnode::Kind::Reply,
            id,
            dnode::VERSION,
            text.as_bytes(),
        );
        self.turn();
    }
}

fn bulk(text: &str) -> String {
    format!("${}\r\n{text}\r\n", text.len())
}

#[test]
fn a_reply_to_a_peer_has_the_id_of_its_request_whatever_that_is() {
    let ids = [
        1,
        0,
        7,
        7,
        6,
        0xffff,
        0x1_0003,
        1 << 32,
        (1 << 32) + 7,
        u64::MAX,
        u64::MAX - 1,
        2,
    ];
    for same_dc in [true, false] {
        let mut rig = Rig::new(&TWO_RACKS, Options::default());
        let peer = rig.peer();
        let mut expected = Vec::new();
        for (number, id) in ids.into_iter().enumerate() {
            // On this node's datastore, in every rack of this datacenter, and answered by this node itself.
            let (kind, line, text) = match number % 4 {
                0 => (
                    dnode::Kind::Request,
                    format!("GET k{number}"),
                    bulk(&number.to_string()),
                ),
                1 => (
                    dnode::Kind::Forward,
                    format!("SET k{number} v"),
                    "+OK\r\n".to_owned(),
                ),
                2 => (
                    dnode::Kind::Request,
                    format!("INCR k{number}"),
                    format!(":{number}\r\n"),
                ),
                _ => (dnode::Kind::Request, "GET".to_owned(), String::new()),
            };
            let header = dnode::Header {
                same_dc,
                ..frame::header(kind, id)
            };
            rig.peer_asks(peer, header, &line);
            expected.push(Seen { id, same_dc, text });
        }
        for reply in expected.clone() {
            match &*reply.text {
                "" => {}
                text => rig.says(ME, text),
            }
        }
        let mut got = rig.replies(peer);
        for reply in &mut got {
            if reply.text.starts_with("-ERR wrong number of arguments") {
                reply.text.clear();
            }
        }
        assert_eq!(got, expected);
    }
}

/// What is asked in place of a peer's write that is held must not be answered by whoever has taken the peer's place.
#[test]
fn the_answer_to_a_held_write_of_a_peer_that_is_gone_reaches_nobody() {
    let mut rig = Rig::new(&["a d r 0"], Options::default());
    let gone = rig.peer();
    set(&mut rig, PeerState::WritesOnly);
    rig.peer_asks(gone, frame::header(dnode::Kind::Request, 5), "SET k v");
    rig.leaves(gone);
    // What has arrived is read to its end.
    rig.reads(gone, b"x");
    let error = std::io::ErrorKind::ConnectionReset.into();
    let mut ended: &[u8] = &[];
    rig.node.receive(gone, rig.now, &mut ended);
    rig.node.broken(gone, rig.now, &error);
    rig.turn();
    assert!(!rig.node.knows(gone));
    let next = rig.peer();
    assert_eq!(next.key, gone.key, "the same place");
    rig.peer_asks(next, frame::header(dnode::Kind::Request, 6), "SET j v");
    set(&mut rig, PeerState::Normal);
    assert_eq!(rig.sees(ME), ["SET k v", "SET j v"]);
    rig.says(ME, "+FIRST\r\n");
    rig.says(ME, "+SECOND\r\n");
    let got: Vec<_> = rig
        .replies(next)
        .into_iter()
        .map(|reply| (reply.id, reply.text))
        .collect();
    assert_eq!(got, [(6, "+SECOND\r\n".to_owned())]);
    rig.assert_at_rest();
}

/// A C node matches replies by their order.
#[test]
fn a_c_node_gets_its_replies_in_order_though_a_write_of_it_is_held() {
    for (version, expected) in [
        (dnode::VERSION_ORIGINAL, [1, 2]),
        (dnode::VERSION_MODERN, [2, 1]),
    ] {
        let mut rig = Rig::new(&["a d r 0"], Options::default());
        let peer = rig.peer();
        set(&mut rig, PeerState::WritesOnly);
        for (id, line) in [(1, "SET k v"), (2, "GET k")] {
            let header = dnode::Header {
                version,
                ..frame::header(dnode::Kind::Request, id)
            };
            rig.peer_asks(peer, header, line);
        }
        set(&mut rig, PeerState::Normal);
        rig.says(ME, "+OK\r\n");
        let got: Vec<_> = rig
            .replies(peer)
            .into_iter()
            .map(|reply| reply.id)
            .collect();
        assert_eq!(got, expected, "version {version}");
    }
}

/// What a peer is may change while it is away: a C node must not get what only ours understands.
#[test]
fn what_a_peer_was_is_forgotten_with_its_connection() {
    let mut rig = Rig::new(&ONE_RACK, Options::default());
    let place = rig.place(1) as usize;
    assert!(rig.node.upstreams[place].is_modern());
    rig.loses(1);
    assert!(!rig.node.upstreams[place].is_modern());
    rig.wait(2_000);
    assert_eq!(rig.sees(1), ["PING"]);
    assert!(
        !rig.node.upstreams[place].is_modern(),
        "it has not answered yet"
    );
}

/// The script's reply comes behind it, and each has the id of its own request.
#[test]
fn what_ends_a_script_is_answered_before_it_by_its_own_id() {
    let mut rig = Rig::new(&["a d r 0"], Options::default());
    let peer = rig.peer();
    for (id, line) in [(71, "EVAL loop 1 k"), (72, "GET k"), (73, "SCRIPT KILL")] {
        rig.peer_asks(peer, frame::header(dnode::Kind::Request, id), line);
    }
    let ids = |rig: &mut Rig| -> Vec<(u64, String)> {
        let replies = rig.replies(peer).into_iter();
        replies.map(|reply| (reply.id, reply.text)).collect()
    };
    rig.says_at(1, "+OK\r\n");
    assert_eq!(ids(&mut rig), [(73, "+OK\r\n".into())]);
    rig.says(ME, "-ERR killed\r\n");
    rig.says(ME, "+v\r\n");
    let expected = [(71, "-ERR killed\r\n".into()), (72, "+v\r\n".into())];
    assert_eq!(ids(&mut rig), expected);
    rig.assert_at_rest();
}

/// A C node answers in order: what it has not come to yet, it may still answer, though it takes too long.
#[test]
fn what_a_c_node_has_not_come_to_is_not_left_out() {
    let mut rig = Rig::beside(&ONE_RACK, &[1], Options::default());
    let client = rig.client();
    let key = key_of(&rig, 1);
    rig.asks(client, &[&format!("SET {key} v"), &format!("GET {key}")]);
    // Only the read has waited too long.
    rig.wait(5_201);
    rig.says_as(1, dnode::VERSION_ORIGINAL, "+OK\r\n");
    let late = "-ERR Peer: Peer Node refused connection\r\n";
    assert_eq!(rig.hears(client), format!("+OK\r\n{late}"));
    assert_eq!(rig.node.upstreams[rig.place(1) as usize].queue.len(), 1);
    rig.says_as(1, dnode::VERSION_ORIGINAL, "$1\r\nv\r\n");
    assert_eq!(rig.hears(client), "");
    rig.assert_at_rest();
}

/// So many replies, late and newest first, were replies to no request if a peer of ours was taken for a C node.
#[test]
fn late_replies_of_a_peer_are_replies_to_requests() {
    let mut rig = Rig::new(&ONE_RACK, Options::default());
    let get = format!("GET {}", key_of(&rig, 1));
    let clients: Vec<_> = (0..20).map(|_| rig.client()).collect();
    for &client in &clients {
        rig.asks(client, &[&*get; 60]);
    }
    let mut ids: Vec<u64> = rig.asked(1).waiting.drain(..).map(|(id, ..)| id).collect();
    assert_eq!(ids.len(), 1200, "more than {}", limits::UNASKED);
    let newest = ids.pop().unwrap();
    rig.node.check().unwrap();
    rig.wait(4_000);
    rig.replies_to(1, newest, "+IN-TIME\r\n");
    rig.wait(1_201);
    while let Some(id) = ids.pop() {
        rig.replies_to(1, id, "+LATE\r\n");
    }
    assert_eq!(rig.node.operator().peers(rig.now)[0].stats.up, 1);
    assert_eq!(rig.node.operator().peers(rig.now)[0].stats.lost_error, 0);
    for client in clients {
        assert!(!rig.hears(client).contains("LATE"));
    }
    rig.assert_at_rest();
}

/// A request of a client to node 1, by its id there, and the key it asks for.
type Waiting = Vec<(u64, String)>;

/// Node 1 answers one of the requests that wait, with its key. Around it there may come a reply to no request, and
/// one to a request that is answered.
fn answer(rig: &mut Rig, waiting: &mut Waiting, pick: u16) {
    let come = rig.asked(1).waiting.drain(..);
    waiting.extend(come.map(|(id, _, line)| (id, line["GET ".len()..].to_owned())));
    if waiting.is_empty() {
        return;
    }
    let (id, key) = waiting.swap_remove(usize::from(pick) % waiting.len());
    if pick.is_multiple_of(5) {
        rig.replies_to(1, id + 1_000_000, "+NOBODYS\r\n");
    }
    rig.replies_to(1, id, &bulk(&key));
    if pick.is_multiple_of(7) {
        rig.replies_to(1, id, "+AGAIN\r\n");
    }
    rig.node.check().unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// A peer that holds some requests answers others past them, some of them late.
    #[test]
    fn replies_of_a_peer_reach_who_asked_in_whatever_order_they_come(
        asks in proptest::collection::vec((0usize..4, any::<bool>()), 1..25),
        picks in proptest::collection::vec(any::<u16>(), 25),
        early in 0usize..25,
        in_time in 0usize..25,
    ) {
        let mut rig = Rig::new(&ONE_RACK, Options::default());
        let keys: Vec<String> = (0..)
            .map(|number| format!("key:{number}"))
            .filter(|key| {
                let token = rig.node.token(key.as_bytes());
                let owner = rig.node.topology.owner(rig.node.topology.my_rack(), token);
                owner == Some(NodeId(1))
            })
            .take(asks.len())
            .collect();
        let clients: Vec<_> = (0..4).map(|_| rig.client()).collect();
        let mut asked = vec![Vec::new(); clients.len()];
        let (mut waiting, mut picks) = (Waiting::new(), picks.into_iter().cycle());
        for (number, ((client, is_answered), key)) in asks.into_iter().zip(keys).enumerate() {
            if number == early {
                // Those asked until now will be late, unless they are answered at once.
                for _ in 0..in_time {
                    answer(&mut rig, &mut waiting, picks.next().unwrap());
                }
                rig.wait(4_000);
            }
            rig.asks(clients[client], &[&format!("GET {key}")]);
            asked[client].push(key);
            if is_answered {
                answer(&mut rig, &mut waiting, picks.next().unwrap());
            }
        }
        answer(&mut rig, &mut waiting, picks.next().unwrap());
        rig.wait(1_201);
        while !waiting.is_empty() {
            answer(&mut rig, &mut waiting, picks.next().unwrap());
        }
        prop_assert_eq!(rig.node.operator().peers(rig.now)[0].stats.up, 1);
        for (client, keys) in clients.into_iter().zip(asked) {
            let got = rig.hears(client);
            let mut rest = &*got;
            for key in keys {
                let found = rest
                    .strip_prefix(&*bulk(&key))
                    .or_else(|| rest.strip_prefix("-ERR Peer: Peer Node refused connection\r\n"));
                prop_assert!(found.is_some(), "{}: {}", key, rest);
                rest = found.unwrap_or_default();
            }
            prop_assert_eq!(rest, "");
        }
        rig.assert_at_rest();
    }
}

#[test]
fn nothing_is_flushed_on_a_connection_that_is_gone() {
    let mut rig = Rig::new(&ONE_RACK, Options::default());
    let client = rig.client();
    rig.node
        .receive(client, rig.now, &mut &encoded("ECHO x")[..]);
    let error = std::io::ErrorKind::ConnectionReset.into();
    rig.node.broken(client, rig.now, &error);
    let next = rig.client();
    assert_eq!(client.key, next.key, "one place for both");
    assert_eq!(rig.node.next_dirty_front(), None);
}
