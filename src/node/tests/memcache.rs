//! A node before a memcached. Requests to several replicas are told with `|` for CR LF.

use super::{ME, Rig, THREE_RACKS, key_of};
use crate::config::StoreKind;
use crate::consistency::Consistency::{self, DcOne, DcQuorum, DcSafeQuorum};
use crate::node::Options;
use crate::proto::dnode::VERSION_ORIGINAL;

pub(super) const STORED: &str = "STORED\r\n";
const NOT_CONNECTED: &str = "SERVER_ERROR Peer: Peer Node is not connected\r\n";
pub(super) const NO_QUORUM: &str = "SERVER_ERROR Dynomite: Failed to achieve Quorum\r\n";

pub(super) fn at(level: Consistency) -> Options {
    Options {
        store: StoreKind::Memcache,
        read_consistency: level,
        write_consistency: level,
        ..Options::default()
    }
}

/// All nodes are asked this, and give this answer.
#[track_caller]
pub(super) fn all(rig: &mut Rig, nodes: &[u16], request: &str, reply: &str) {
    for &node in nodes {
        assert_eq!(rig.sees(node), [request], "node {node}");
        rig.says(node, reply);
    }
}

#[test]
fn a_write_goes_to_every_rack_and_its_own_replies() {
    let mut rig = Rig::new(&THREE_RACKS, at(DcOne));
    let client = rig.client();
    rig.asks(client, &["set k 1 0 2\r\nhi"]);
    all(&mut rig, &[1, 2, ME], "set k 1 0 2|hi", STORED);
    assert_eq!(rig.hears(client), STORED);
    rig.assert_at_rest();
}

#[test]
fn who_wants_no_reply_gets_none_and_shifts_nobodys() {
    let mut rig = Rig::new(&THREE_RACKS, at(DcOne));
    let client = rig.client();
    rig.asks(
        client,
        &["set k 0 0 1 noreply\r\nx", "delete k noreply", "get k"],
    );
    for node in [1, 2] {
        assert_eq!(rig.sees(node), ["set k 0 0 1|x", "delete k"]);
        rig.says(node, STORED);
        rig.says(node, "DELETED\r\n");
    }
    assert_eq!(rig.sees(ME), ["set k 0 0 1|x", "delete k", "get k"]);
    for reply in [STORED, "DELETED\r\n", "END\r\n"] {
        rig.says(ME, reply);
    }
    assert_eq!(rig.hears(client), "END\r\n");
    rig.assert_at_rest();
}

#[test]
fn quiet_meta_commands_hide_what_is_nominal_only() {
    let mut rig = Rig::new(&THREE_RACKS[..1], at(DcOne));
    let client = rig.client();
    rig.asks(
        client,
        &["mg a v q", "mg b v q", "ms c 1 q\r\nx", "md d q", "mn"],
    );
    assert_eq!(rig.sees(ME), ["mg a v", "mg b v", "ms c 1|x", "md d"]);
    for reply in ["EN\r\n", "VA 1\r\ny\r\n", "HD\r\n", "NF\r\n"] {
        rig.says(ME, reply);
    }
    assert_eq!(rig.hears(client), "VA 1\r\ny\r\nNF\r\nMN\r\n");
    rig.assert_at_rest();
}

/// It was made a moment by this node's clock, to which a memcached's seconds are shifted: an item with 90 s to live
/// had 91, and one with 3 s lived for 3.7.
#[test]
fn a_time_from_now_is_counted_by_each_replica() {
    let mut rig = Rig::new(&THREE_RACKS, at(DcOne));
    let client = rig.client();
    for (request, reply) in [
        ("touch k 10", "TOUCHED\r\n"),
        ("touch k -1", "TOUCHED\r\n"),
        ("touch k 1800000000", "TOUCHED\r\n"),
        ("set k 0 90 1\r\nx", STORED),
        ("gat 90 k", "END\r\n"),
        ("ms k 1 T90\r\nx", "HD\r\n"),
        ("mg k T90 N90", "HD\r\n"),
        ("md k I T90", "HD\r\n"),
        ("ma k N90 T90", "HD\r\n"),
    ] {
        rig.asks(client, &[request]);
        all(&mut rig, &[1, 2, ME], &request.replace("\r\n", "|"), reply);
        assert_eq!(rig.hears(client), reply, "{request}");
    }
    rig.assert_at_rest();
}

#[test]
fn keys_of_several_owners_come_back_in_the_clients_order() {
    let members = ["a d r1 0", "b d r1 2147483648"];
    let mut rig = Rig::new(&members, at(DcOne));
    let (mine, others) = (key_of(&rig, ME), key_of(&rig, 1));
    let client = rig.client();
    let value = |key: &str, text: &str| format!("VALUE {key} 0 {}\r\n{text}\r\n", text.len());
    rig.asks(client, &[&format!("get {others} {mine} nowhere {others}")]);
    let nowhere = rig.sees(1)[0].contains("nowhere");
    let (to_other, to_me) = if nowhere {
        (
            format!("get {others} nowhere {others}"),
            format!("get {mine}"),
        )
    } else {
        (
            format!("get {others} {others}"),
            format!("get {mine} nowhere"),
        )
    };
    assert_eq!(rig.sees(ME), [to_me]);
    assert!(!to_other.is_empty());
    rig.says(ME, &format!("{}END\r\n", value(&mine, "m")));
    assert_eq!(rig.hears(client), "", "a part is missing");
    rig.says(1, &format!("{0}{0}END\r\n", value(&others, "END\r\n")));
    let (mine, others) = (value(&mine, "m"), value(&others, "END\r\n"));
    assert_eq!(rig.hears(client), format!("{others}{mine}{others}END\r\n"));
    rig.assert_at_rest();
}

#[test]
fn a_part_that_fails_is_no_miss() {
    let members = ["a d r1 0", "b d r1 2147483648"];
    let mut rig = Rig::new(&members, at(DcOne));
    let keys = format!("get {} {}", key_of(&rig, ME), key_of(&rig, 1));
    let client = rig.client();
    rig.loses(1);
    rig.asks(client, &[&keys]);
    assert_eq!(rig.hears(client), NOT_CONNECTED);
    rig.says(ME, "END\r\n");
    rig.assert_at_rest();
}

#[test]
fn each_key_has_a_majority_of_its_own() {
    let mut rig = Rig::new(&THREE_RACKS, at(DcSafeQuorum));
    let client = rig.client();
    rig.asks(client, &["get a b"]);
    let value = |key: &str, text: &str| format!("VALUE {key} 0 1\r\n{text}\r\n");
    let (a, b) = (value("a", "1"), value("b", "1"));
    rig.says(ME, &format!("{a}{b}END\r\n"));
    rig.says(1, &format!("{a}END\r\n"));
    rig.says(2, &format!("{}{b}END\r\n", value("a", "2")));
    assert_eq!(rig.hears(client), format!("{a}{b}END\r\n"));
    rig.assert_at_rest();
}

#[test]
fn errors_are_no_replies_but_a_clients_own_mistake_is_one() {
    let mut rig = Rig::new(&THREE_RACKS, at(DcQuorum));
    let client = rig.client();
    rig.asks(client, &["set k 0 0 1\r\nx"]);
    rig.says(1, "SERVER_ERROR out of memory storing object\r\n");
    rig.says(2, STORED);
    assert_eq!(rig.hears(client), "");
    rig.says(ME, STORED);
    assert_eq!(rig.hears(client), STORED);
    let mistake = "CLIENT_ERROR cannot increment or decrement non-numeric value\r\n";
    rig.asks(client, &["incr k 1"]);
    rig.says(1, mistake);
    rig.says(2, mistake);
    assert_eq!(rig.hears(client), mistake);
    rig.says(ME, "2\r\n");
    rig.assert_at_rest();
}

#[test]
fn a_read_goes_on_to_the_next_rack_when_the_first_cannot_answer() {
    for request in ["get k", "gets k", "mg k v c"] {
        let mut rig = Rig::new(&THREE_RACKS, at(DcOne));
        let client = rig.client();
        rig.asks(client, &[request]);
        assert_eq!(rig.sees(ME), [request]);
        rig.loses(ME);
        assert_eq!(rig.sees(1), [request]);
        rig.says(1, "SERVER_ERROR Storage: Datastore refused connection\r\n");
        assert_eq!(rig.sees(2), [request]);
        rig.says(2, "END\r\n");
        assert_eq!(rig.hears(client), "END\r\n", "{request}");
        rig.assert_at_rest();
    }
}

#[test]
fn a_key_that_would_end_a_line_is_told_by_the_node() {
    // The key is `a`, CR LF, `b`.
    let mut rig = Rig::new(&THREE_RACKS, at(DcQuorum));
    let client = rig.client();
    rig.asks(
        client,
        &[
            "mg YQ0KYg== b v k s Oq",
            "ms YQ0KYg== 1 k b q\r\nx",
            "ma YQ0KYg== b k N0 q",
        ],
    );
    for node in [ME, 1, 2] {
        let sent = [
            "mg YQ0KYg== b v s Oq",
            "ms YQ0KYg== 1 b|x",
            "ma YQ0KYg== b N0",
        ];
        assert_eq!(rig.sees(node), sent);
        for reply in ["VA 1 s1 Oq\r\n7\r\n", "NS\r\n", "HD\r\n"] {
            rig.says(node, reply);
        }
    }
    assert_eq!(
        rig.hears(client),
        "VA 1 kYQ0KYg== b s1 Oq\r\n7\r\nNS kYQ0KYg== b\r\n"
    );
    rig.assert_at_rest();
}

#[test]
fn a_long_gat_is_sent_in_lines_that_memcached_takes() {
    for members in [&THREE_RACKS[..1], &THREE_RACKS] {
        let mut rig = Rig::new(members, at(DcOne));
        let client = rig.client();
        let keys: Vec<String> = (0..30).map(|n| format!("{}{n}", "k".repeat(200))).collect();
        rig.asks(client, &[&format!("gat 0 {}", keys.join(" ")), "mn"]);
        let mut wanted = String::new();
        for node in (0..members.len() as u16).rev() {
            let sent = rig.sees(node);
            assert_eq!(sent.len(), 3);
            for line in sent {
                assert!(line.len() <= 2046, "{line}");
                let found = line.split(' ').skip(2);
                let found: String = found
                    .map(|key| format!("VALUE {key} 0 1\r\nx\r\n"))
                    .collect();
                wanted = if node == ME { wanted + &found } else { wanted };
                rig.says(node, &format!("{found}END\r\n"));
            }
        }
        assert_eq!(rig.hears(client), format!("{wanted}END\r\nMN\r\n"));
        rig.assert_at_rest();
    }
}

#[test]
fn a_node_of_the_original_is_asked_in_words_it_knows() {
    let mut rig = Rig::beside(&["a d r1 0", "b d r1 2147483648"], &[1], at(DcOne));
    let key = key_of(&rig, 1);
    let client = rig.client();
    for (asked, sent, replies, answer) in [
        (
            format!("gat 100 {key}"),
            vec![format!("touch {key} 100"), format!("get {key}")],
            vec!["TOUCHED\r\n".to_owned(), format!("VALUE {key} 0 1\r\nx\r\nEND\r\n")],
            format!("VALUE {key} 0 1\r\nx\r\nEND\r\n"),
        ),
        (
            format!("ms {key} 2 T0 Oq1 k\r\nhi"),
            vec![format!("set {key} 0 0 2|hi")],
            vec![STORED.to_owned()],
            format!("HD Oq1 k{key}\r\n"),
        ),
        (
            format!("mg {key} v f Oz"),
            vec![format!("get {key}")],
            vec![format!("VALUE {key} 7 2\r\nhi\r\nEND\r\n")],
            "VA 2 f7 Oz\r\nhi\r\n".to_owned(),
        ),
        (
            format!("set {key} 0 0 1 noreply\r\nx"),
            vec![format!("set {key} 0 0 1|x")],
            vec![STORED.to_owned()],
            String::new(),
        ),
        (
            format!("mg {key} t"),
            vec![],
            vec![],
            "SERVER_ERROR Dynomite: command is unknown to a peer that runs the original Dynomite\r\n"
                .to_owned(),
        ),
    ] {
        rig.asks(client, &[&asked]);
        assert_eq!(rig.sees(1), sent, "{asked}");
        for reply in replies {
            rig.says_as(1, VERSION_ORIGINAL, &reply);
        }
        assert_eq!(rig.hears(client), answer, "{asked}");
    }
    rig.assert_at_rest();
}

/// Its value was passed over twice, and the request behind it with it, once the replies before it had come.
#[test]
fn a_refused_set_behind_as_many_requests_as_may_be_awaited_is_not_parsed_twice() {
    let mut rig = Rig::new(&["a d r1 0"], at(DcOne));
    let client = rig.client();
    let mut lines = vec!["get k"; 65];
    lines.extend(["ms k 1 Mz\r\nx", "get k", "mn"]);
    rig.asks(client, &lines);
    for _ in 0..66 {
        rig.says(ME, "END\r\n");
    }
    let refusal = "CLIENT_ERROR invalid mode for ms M token\r\n";
    let expected = format!("{}{refusal}END\r\nMN\r\n", "END\r\n".repeat(65));
    assert_eq!(rig.hears(client), expected);
    rig.assert_at_rest();
}
