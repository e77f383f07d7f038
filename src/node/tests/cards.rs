//! What nodes tell each other of themselves, and what follows from it.

use super::{ME, Rig, THREE_RACKS};
use crate::consistency::Consistency;
use crate::node::agreement::Setting;
use crate::node::limits;
use crate::node::{Kind, Options};
use crate::proto::dnode::card::Field;
use crate::proto::dnode::{self, Card};
use crate::stats::PeerStats;
use std::io;

/// Two minutes, in µs.
const FAR_OFF: i64 = 120_000_000;
/// Three nodes of one rack.
const ONE_RACK: [&str; 3] = ["a d r 0", "b d r 1431655765", "c d r 2863311530"];
/// Two racks here and two in another datacenter, of one node each.
const TWO_DCS: [&str; 4] = ["a d r1 0", "b d r2 0", "x e q1 0", "y e q2 0"];

impl Rig {
    /// The clock of a peer is ahead by so much from now on, and the node has measured that.
    fn clock_is_ahead(&mut self, node: u16, us: i64) {
        self.clocks.insert(self.place(node), us);
        self.wait(11_000);
    }

    /// A peer's card says so from now on, beside the time, and the node has seen it.
    fn card_says(&mut self, node: u16, card: Card) {
        self.cards.insert(self.place(node), card);
        self.wait(11_000);
    }

    /// The card that a node would show which has this node's settings and is where it is listed.
    fn right_card(&self, node: u16) -> Card {
        let listed = &self.node.topology.nodes()[usize::from(node)].member;
        let tokens = crate::node::agreement::listed(&listed.tokens);
        let own = self.node.cards.own.clone();
        own.with(Field::Datacenter, listed.dc.as_str())
            .with(Field::Rack, listed.rack.as_str())
            .with(Field::Tokens, tokens)
    }

    fn all_show_right_cards(&mut self) {
        for node in 1..super::member_count(self) {
            self.cards.insert(self.place(node), self.right_card(node));
        }
        self.wait(11_000);
    }

    /// What is said to be wrong: peer and setting.
    fn warned(&mut self) -> Vec<(String, Setting)> {
        let warnings = self.node.operator().warnings();
        let told = warnings.into_iter();
        told.map(|warning| (warning.peer, warning.finding.setting))
            .collect()
    }

    fn peer_stats(&mut self, node: u16) -> PeerStats {
        let place = usize::from(node) - 1;
        self.node.operator().peers(self.now)[place].stats.clone()
    }

    /// Why the node is not ready.
    fn not_ready(&mut self) -> Option<String> {
        let checks = self.node.operator().checks();
        let check = checks.into_iter().find(|check| check.name == "agreement");
        check.unwrap().trouble
    }

    /// The sentence about a peer's setting.
    fn sentence(&mut self, setting: Setting) -> String {
        let warnings = self.node.operator().warnings();
        let found = warnings.into_iter().find(|w| w.finding.setting == setting);
        found.expect("nothing is wrong").finding.text
    }
}

/// With the coordinator two minutes behind, `SETEX k 60` was answered OK and no store had the key; two minutes
/// ahead, they kept it for three minutes.
#[test]
fn a_clock_two_minutes_off_costs_no_key() {
    for ahead in [-FAR_OFF, FAR_OFF] {
        let mut rig = Rig::new(&THREE_RACKS, Options::default());
        let client = rig.client();
        rig.clock_is_ahead(2, ahead);
        for (line, absolute, relative) in [
            ("EXPIRE k 10", "PEXPIREAT k {T}", "PEXPIRE k 10000"),
            ("SETEX k 10 v", "SET k v PXAT {T}", "SET k v PX 10000"),
            (
                "SET k v NX EX 10",
                "SET k v NX PXAT {T}",
                "SET k v NX PX 10000",
            ),
            ("GETEX k EX 10", "GETEX k PXAT {T}", "GETEX k PX 10000"),
            (
                "RESTORE k 10000 p",
                "RESTORE k {T} p ABSTTL",
                "RESTORE k 10000 p",
            ),
            (
                "HEXPIRE k 10 FIELDS 1 f",
                "HPEXPIREAT k {T} FIELDS 1 f",
                "HPEXPIRE k 10000 FIELDS 1 f",
            ),
            (
                "HSETEX k EX 10 FIELDS 1 f v",
                "HSETEX k PXAT {T} FIELDS 1 f v",
                "HSETEX k PX 10000 FIELDS 1 f v",
            ),
            (
                "MSETEX 1 k v EX 10",
                "MSETEX 1 k v PXAT {T}",
                "MSETEX 1 k v PX 10000",
            ),
            // A moment that the client has named stays that moment.
            (
                "EXPIREAT k 1700000100",
                "EXPIREAT k 1700000100",
                "EXPIREAT k 1700000100",
            ),
        ] {
            let moment = (rig.now.unix_millis() + 10_000).to_string();
            rig.asks(client, &[line]);
            let absolute = absolute.replace("{T}", &moment);
            // The datastore has the clock of this machine.
            assert_eq!(rig.sees(ME), [absolute.as_str()], "{line}");
            assert_eq!(rig.sees(1), [absolute.as_str()], "{line}");
            assert_eq!(rig.sees(2), [relative], "{line}");
        }
        // The clock is set right: all are told the moment again.
        rig.clock_is_ahead(2, 0);
        rig.asks(client, &["SETEX k 10 v"]);
        assert!(rig.sees(2).last().unwrap().contains("PXAT"));
    }
}

/// Before memcached no node's clock is in any time.
#[test]
fn a_clock_two_minutes_off_costs_no_item() {
    for ahead in [-FAR_OFF, FAR_OFF] {
        let options = Options {
            store: crate::config::StoreKind::Memcache,
            ..Options::default()
        };
        let mut rig = Rig::new(&THREE_RACKS, options);
        let client = rig.client();
        rig.clock_is_ahead(1, ahead);
        for (line, sent) in [
            ("set k 0 10 1\r\nv", "set k 0 10 1|v"),
            ("touch k 10", "touch k 10"),
            ("ms k 1 T10\r\nv", "ms k 1 T10|v"),
        ] {
            rig.asks(client, &[line]);
            for node in [ME, 1, 2] {
                assert_eq!(rig.sees(node), [sent]);
            }
        }
    }
}

/// A C node's clock is not known: what counts from now is right whatever it is.
#[test]
fn a_c_node_is_told_how_long_and_not_until_when() {
    let mut rig = Rig::beside(&THREE_RACKS, &[2], Options::default());
    let client = rig.client();
    rig.asks(client, &["SETEX k 10 v", "EXPIRE k 10"]);
    assert_eq!(rig.sees(2), ["SET k v PX 10000", "PEXPIRE k 10000"]);
    assert_eq!(rig.sees(1)[0], "SET k v PXAT 1700000010000");
}

/// What one node of another datacenter gets, it passes on as it is to the others there.
#[test]
fn another_datacenter_is_told_until_when_only_if_all_its_clocks_are_right() {
    let mut rig = Rig::new(&TWO_DCS, Options::default());
    let client = rig.client();
    for (node, ahead, relative) in [(3, FAR_OFF, true), (3, 0, false), (2, FAR_OFF, true)] {
        rig.clock_is_ahead(node, ahead);
        rig.sees(ME);
        rig.asks(client, &["SETEX k 10 v"]);
        let sent = [rig.sees(2), rig.sees(3)].concat();
        assert_eq!(sent.len(), 1);
        assert_eq!(sent[0] == "SET k v PX 10000", relative, "{sent:?}");
        assert!(rig.sees(1)[0].contains("PXAT"));
    }
}

#[test]
fn a_clock_that_is_off_is_shown() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    assert_eq!(rig.node.operator().peers(rig.now)[1].clock, Some((0, 0)));
    rig.clock_is_ahead(2, -FAR_OFF);
    assert_eq!(
        rig.node.operator().peers(rig.now)[1].clock,
        Some((-FAR_OFF, 0))
    );
    assert_eq!(rig.warned(), [("c:8101".to_owned(), Setting::Clock)]);
    assert_eq!(
        rig.sentence(Setting::Clock),
        "its clock is 120.0 s behind this node's"
    );
    assert_eq!(rig.peer_stats(2).mismatch_clock, 1);
    assert_eq!(rig.peer_stats(1).mismatch_clock, 0);
    rig.clock_is_ahead(2, 300_000);
    assert_eq!(rig.warned(), []);
}

/// A mistyped token in one node's seeds: 132 of 300 keys were missing by way of that node, and nothing said so.
#[test]
fn a_mistyped_token_is_told_and_the_node_that_has_it_is_not_ready() {
    let mut rig = Rig::new(&ONE_RACK, Options::default());
    rig.all_show_right_cards();
    assert_eq!(rig.warned(), []);
    assert_eq!(rig.not_ready(), None);
    // The two others agree with each other, and not with this node about b.
    let seen = |card: Card| card.with(Field::Ring, "theirs");
    let b = rig.right_card(1).with(Field::Tokens, "1431655760");
    let c = rig.right_card(2);
    rig.card_says(2, seen(c));
    assert_eq!(
        rig.not_ready(),
        None,
        "to see other members is no contradiction"
    );
    rig.card_says(1, seen(b));
    assert_eq!(rig.warned(), [("b:8101".to_owned(), Setting::Tokens)]);
    let text = "it says that its tokens are 1431655760, this node lists it with 1431655765: keys are looked for on the wrong node";
    assert_eq!(rig.sentence(Setting::Tokens), text);
    assert_eq!(rig.peer_stats(1).mismatch_tokens, 1);
    let why = rig.not_ready().expect("it misplaces keys");
    assert!(
        why.contains("2 of the 2 other nodes") && why.ends_with(text),
        "{why}"
    );
    assert_eq!(rig.node.operator().stats(rig.now).own.outvoted, 1);
    // A minute later it is said of both that they see other members.
    rig.wait(50_000);
    rig.wait(11_000);
    assert!(rig.warned().contains(&("c:8101".to_owned(), Setting::Ring)));
    rig.all_show_right_cards();
    assert_eq!((rig.warned(), rig.not_ready()), (vec![], None));
}

/// A mistyped token of another node must not take out all the others.
#[test]
fn the_majority_stays_ready() {
    let mut rig = Rig::new(&ONE_RACK, Options::default());
    rig.all_show_right_cards();
    let wrong = rig
        .right_card(1)
        .with(Field::Tokens, "5")
        .with(Field::Ring, "its own");
    rig.card_says(1, wrong);
    assert_eq!(rig.warned(), [("b:8101".to_owned(), Setting::Tokens)]);
    assert_eq!(rig.not_ready(), None);
}

#[test]
fn of_two_nodes_nobody_knows_who_is_right() {
    let mut rig = Rig::new(&ONE_RACK[..2], Options::default());
    let other = rig.right_card(1).with(Field::Hash, "md5");
    rig.card_says(1, other);
    assert_eq!(rig.warned(), [("b:8101".to_owned(), Setting::Hash)]);
    assert_eq!(rig.not_ready(), None);
}

/// Where every rack has one node, tokens and hashes divide nothing.
#[test]
fn what_divides_no_keys_makes_no_node_unready() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    for node in [1, 2] {
        let other = rig.right_card(node).with(Field::Hash, "md5");
        rig.card_says(node, other);
    }
    assert_eq!(rig.warned().len(), 2);
    assert_eq!(rig.not_ready(), None);
    for node in [1, 2] {
        let other = rig.right_card(node).with(Field::DataStore, "memcache");
        rig.card_says(node, other);
    }
    assert!(rig.not_ready().is_some());
}

#[test]
fn two_nodes_with_one_token_are_told() {
    let mut rig = Rig::new(&["a d r 0", "b d r 7", "c d r 7"], Options::default());
    let both = [
        ("b:8101".to_owned(), Setting::Tokens),
        ("c:8101".to_owned(), Setting::Tokens),
    ];
    assert_eq!(rig.warned(), both);
    assert!(
        rig.sentence(Setting::Tokens)
            .contains("it has token 7, and so has c:8101 r:d")
    );
    assert_eq!(rig.peer_stats(2).mismatch_tokens, 1);
}

/// A node with a mistyped token of its own hears of it from those that list it.
#[test]
fn a_node_that_is_listed_otherwise_than_it_is_hears_of_it() {
    let mut rig = Rig::new(&ONE_RACK, Options::default());
    let addr = "10.0.0.9:4000".parse().unwrap();
    let peer = rig
        .node
        .accepted(Kind::DnodeClient, Some(addr), rig.now)
        .unwrap();
    let card = rig.right_card(1);
    rig.says_raw(
        peer,
        dnode::Kind::Card,
        5,
        dnode::VERSION,
        &card.clone().with(Field::YourTokens, "0").encode(),
    );
    rig.turn();
    assert_eq!(rig.warned(), []);
    let answer = rig.hears(peer);
    assert!(
        answer.starts_with("   $2014$ 5 32 0 3 1 *1 d *"),
        "{answer}"
    );
    assert!(answer.contains("\nhash murmur\n") && answer.contains("\nclock 1700000000000000\n"));

    rig.says_raw(
        peer,
        dnode::Kind::Card,
        6,
        dnode::VERSION,
        &card.clone().with(Field::YourTokens, "1").encode(),
    );
    assert_eq!(rig.warned(), [("10.0.0.9".to_owned(), Setting::Tokens)]);
    assert_eq!(rig.node.operator().stats(rig.now).own.listed_wrongly, 1);
    // A node that nobody has listed here.
    rig.says_raw(
        peer,
        dnode::Kind::Card,
        7,
        dnode::VERSION,
        &card.with(Field::Tokens, "99").encode(),
    );
    assert_eq!(rig.warned(), [("10.0.0.9".to_owned(), Setting::Ring)]);
    assert_eq!(rig.node.operator().stats(rig.now).own.strangers, 1);
}

/// The clients' port as a seed's port: the connection was made and given up for ever, and nothing said why.
#[test]
fn what_is_no_node_is_named_for_what_it_is() {
    for (answer, protocol) in [
        ("-ERR unknown command '$2014$'\r\n", "Redis' protocol"),
        ("ERROR\r\n", "memcached's protocol"),
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "HTTP"),
        ("SSH-2.0-OpenSSH_9\r\n", "SSH"),
    ] {
        let mut rig = Rig::new(&THREE_RACKS, Options::default());
        rig.loses(1);
        rig.wait(2_000);
        let conn = rig.asked(1).conn;
        rig.reads(conn, answer.as_bytes());
        rig.turn();
        let text = format!(
            "b:8101 speaks {protocol}, not the protocol between nodes: an entry of dyn_seeds needs the port of the node's dyn_listen"
        );
        assert_eq!(rig.sentence(Setting::Address), text);
        assert_eq!(rig.peer_stats(1).mismatch_address, 1);
        assert!(!rig.node.knows(conn));
    }
}

#[test]
fn why_a_new_connection_is_closed_stays_known_while_it_is_tried_again() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    rig.loses(1);
    rig.wait(2_000);
    let conn = rig.asked(1).conn;
    rig.node.receive(conn, rig.now, &mut io::empty());
    rig.turn();
    let text = rig.sentence(Setting::Address);
    assert!(
        text.contains("closed a new connection without an answer (end of stream)"),
        "{text}"
    );
    // Whoever answers at last has no trouble.
    rig.wait(10_000);
    rig.says(1, "+PONG\r\n");
    assert_eq!(rig.warned(), []);
    assert_eq!(rig.peer_stats(1).up, 1);
}

#[test]
fn a_peer_that_refuses_says_why() {
    for (reason, setting) in [
        (
            "plaintext message where encryption is required",
            Setting::Secure,
        ),
        (
            "peer encrypts, but no pem_key_file is in use here",
            Setting::Secure,
        ),
        (
            "session key cannot be unwrapped: is the peer's pem_key_file the same?",
            Setting::Pem,
        ),
    ] {
        let mut rig = Rig::new(&THREE_RACKS, Options::default());
        rig.loses(1);
        rig.wait(2_000);
        let conn = rig.asked(1).conn;
        let card = Card::default().with(Field::Refused, reason);
        rig.says_raw(conn, dnode::Kind::Card, 0, dnode::VERSION, &card.encode());
        rig.node.receive(conn, rig.now, &mut io::empty());
        rig.turn();
        assert_eq!(
            rig.sentence(setting),
            format!("it refuses this node's messages: {reason}")
        );
    }
}

/// A node that requires encryption tells the peer that does not encrypt, unless that is a C node.
#[test]
fn who_refuses_says_why() {
    for (version, told) in [
        (dnode::VERSION, true),
        (dnode::VERSION_MODERN, false),
        (dnode::VERSION_ORIGINAL, false),
    ] {
        let options = Options {
            refuse_plaintext: true,
            ..Options::default()
        };
        let mut rig = Rig::new(&["a d r 0"], options);
        let peer = rig.node.accepted(Kind::DnodeClient, None, rig.now).unwrap();
        rig.says_raw(
            peer,
            dnode::Kind::Request,
            1,
            version,
            &super::encoded("PING"),
        );
        rig.turn();
        let answer = rig.hears(peer);
        assert_eq!(
            answer.ends_with("\r\nrefused plaintext message where encryption is required\n"),
            told
        );
        assert_eq!(answer.is_empty(), !told);
        assert!(!rig.node.knows(peer), "closed");
    }
}

/// Whatever kind of message it is, nothing of it is carried out.
#[test]
fn a_node_that_requires_encryption_takes_no_kind_of_message_in_clear() {
    use dnode::Kind::{Card as CardKind, Forward, Gossip, Request};
    for kind in [Request, Forward, Gossip, CardKind] {
        let options = Options {
            refuse_plaintext: true,
            ..Options::default()
        };
        let mut rig = Rig::new(&["a d r 0"], options);
        let peer = rig.node.accepted(Kind::DnodeClient, None, rig.now).unwrap();
        let text = match kind {
            CardKind => Card::default().encode(),
            _ => super::encoded("SET k v"),
        };
        rig.says_raw(peer, kind, 1, dnode::VERSION_MODERN, &text);
        rig.turn();
        assert!(!rig.node.knows(peer), "{kind:?}");
        assert!(rig.sees(ME).is_empty(), "{kind:?}");
        assert_eq!(rig.hears(peer), "", "{kind:?}");
    }
}

/// It decides what it sends itself: a peer replies in clear to what it is asked in clear.
#[test]
fn a_node_that_requires_encryption_reads_the_replies_to_what_it_sends_in_clear() {
    let options = Options {
        refuse_plaintext: true,
        write_consistency: Consistency::DcSafeQuorum,
        ..Options::default()
    };
    let mut rig = Rig::new(&THREE_RACKS, options);
    let client = rig.client();
    rig.asks(client, &["SET k v"]);
    for node in [ME, 1, 2] {
        assert_eq!(rig.sees(node), ["SET k v"]);
        rig.says(node, "+OK\r\n");
    }
    assert_eq!(rig.hears(client), "+OK\r\n");
    assert_eq!(rig.node.operator().peers(rig.now)[0].stats.up, 1);
    rig.assert_at_rest();
}

#[test]
fn a_whole_datacenter_that_cannot_be_reached_is_told() {
    let mut rig = Rig::new(&TWO_DCS, Options::default());
    rig.loses(2);
    assert!(
        !rig.node
            .operator()
            .warnings()
            .iter()
            .any(|warning| warning.peer.is_empty())
    );
    rig.loses(3);
    let warnings = rig.node.operator().warnings();
    let of_dc = warnings
        .iter()
        .find(|warning| warning.peer.is_empty())
        .unwrap();
    assert_eq!(
        (of_dc.dc.as_str(), of_dc.finding.text.as_str()),
        ("e", "none of its 2 nodes can be reached")
    );
}

/// Neither a C node nor an older version of this program is ever sent a card.
#[test]
fn who_does_not_know_cards_gets_none() {
    for version in [dnode::VERSION_ORIGINAL, dnode::VERSION_MODERN] {
        let mut rig = Rig::new(&THREE_RACKS, Options::default());
        rig.loses(1);
        rig.wait(2_000);
        // A card would end the test: such a peer could not answer it.
        let place = rig.place(1);
        rig.says_as(1, version, "+PONG\r\n");
        rig.wait(30_000);
        assert!(rig.asked_cards.iter().all(|(at, _)| *at != place));
        assert_eq!(
            rig.node.operator().card_of(crate::cluster::id::NodeId(1)),
            None
        );
        assert_eq!(rig.peer_stats(1).up, 1);
    }
}

/// Nothing is sent to a peer before its card has come, and one that never comes ends the connection.
#[test]
fn a_peer_counts_as_there_when_its_card_has_come() {
    let options = Options {
        write_consistency: Consistency::DcOne,
        timeout_us: 100_000,
        ..Options::default()
    };
    let mut rig = Rig::new(&THREE_RACKS, options);
    rig.loses(1);
    rig.wait(2_000);
    let conn = rig.asked(1).conn;
    let id = rig.asked(1).waiting.pop_front().unwrap().0;
    rig.mute_cards = true;
    rig.says_raw(conn, dnode::Kind::Reply, id, dnode::VERSION, b"+PONG\r\n");
    rig.turn();
    assert_eq!(rig.peer_stats(1).up, 0);
    rig.wait(2_000);
    assert!(!rig.node.knows(conn));
    rig.mute_cards = false;
}

/// A peer that had been silent for ten seconds was sent another card; its answer to the first was taken for
/// one to nothing, and the first stayed in the queue for as long as the connection.
#[test]
fn a_card_that_is_answered_late_is_not_left_over() {
    let options = Options {
        timeout_us: 20_000_000,
        ..Options::default()
    };
    let mut rig = Rig::new(&THREE_RACKS, options);
    let conn = rig.asked(1).conn;
    rig.mute_cards = true;
    rig.wait(10_000);
    rig.wait(10_000);
    rig.mute_cards = false;
    rig.turn();
    assert!(rig.node.knows(conn), "silent, but not for long enough");
    rig.assert_at_rest();
    assert!(rig.peer_stats(1).up > 0);
}

/// Cards that nobody asked for were looked at for ever.
#[test]
fn a_peer_that_sends_cards_all_the_time_is_closed() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let conn = rig.asked(1).conn;
    for _ in 0..=limits::UNASKED {
        assert!(rig.node.knows(conn));
        rig.says_raw(conn, dnode::Kind::Card, 1, dnode::VERSION, b"rack x\n");
    }
    assert!(!rig.node.knows(conn));
    assert_eq!(rig.warned().len(), 1, "only that it is not connected");
}
