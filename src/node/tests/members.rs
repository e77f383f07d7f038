use super::limits::{message_to_all, message_to_all_by};
use super::memcache::at;
use super::{ME, Rig, THREE_RACKS, encoded, key_of, member};
use crate::cluster::change::Change;
use crate::cluster::id::NodeId;
use crate::consistency::Consistency;
use crate::node::Options;
use crate::proto::dnode::VERSION_MODERN;

const OK: &str = "+OK\r\n";

/// Two nodes in this rack.
const ONE_RACK: [&str; 2] = ["a d r1 0", "b d r1 2147483648"];

impl Rig {
    /// The members besides this node are these.
    pub fn becomes(&mut self, others: &[&str]) -> Vec<Change> {
        let members = others.iter().map(|text| member(text)).collect();
        let changes = self.node.operator().set_members(members, self.now).unwrap();
        self.turn();
        changes
    }

    /// A new peer says that it is one of ours.
    fn welcomes(&mut self, node: u16) {
        assert_eq!(self.sees(node), ["PING"]);
        self.says(node, "+PONG\r\n");
    }
}

#[test]
fn the_same_members_in_another_order_change_nothing() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    assert_eq!(rig.becomes(&["c d r3 0", "b d r2 0"]), []);
    assert_eq!(rig.node.operator().topology().version(), 1);
}

#[test]
fn a_new_node_gets_its_keys_when_it_is_connected_and_not_before() {
    let mut rig = Rig::new(&ONE_RACK[..1], Options::default());
    let key = key_of(&Rig::new(&ONE_RACK, Options::default()), 1);
    let client = rig.client();
    let changes = rig.becomes(&ONE_RACK[1..]);
    assert_eq!(changes, [Change::Added(member(ONE_RACK[1]))]);
    let get = format!("GET {key}");
    rig.asks(client, &[&get]);
    assert_eq!(rig.sees(ME), [get.as_str()], "nobody else is there yet");
    rig.says(ME, OK);
    rig.welcomes(1);
    rig.asks(client, &[&get]);
    assert_eq!(rig.sees(1), [get.as_str()]);
    rig.says(1, OK);
    assert_eq!(rig.hears(client), OK.repeat(2));
    rig.assert_at_rest();
}

#[test]
fn a_new_node_that_does_not_answer_is_waited_for_so_long_only() {
    let mut rig = Rig::new(&ONE_RACK[..1], Options::default());
    rig.becomes(&ONE_RACK[1..]);
    rig.wait(1_900);
    assert_eq!(rig.node.operator().topology().nodes().len(), 1);
    rig.wait(200);
    assert_eq!(rig.node.operator().topology().nodes().len(), 2);
}

#[test]
fn a_node_that_leaves_still_answers_what_it_was_asked() {
    let mut rig = Rig::new(&ONE_RACK, Options::default());
    let key = key_of(&rig, 1);
    let client = rig.client();
    let get = format!("GET {key}");
    rig.asks(client, &[&get]);
    assert_eq!(rig.sees(1), [get.as_str()]);
    let place = rig.place(1);
    assert_eq!(rig.becomes(&[]), [Change::Removed(member(ONE_RACK[1]))]);
    rig.asks(client, &[&get]);
    assert_eq!(rig.sees(ME), [get.as_str()], "all keys are this node's now");
    rig.wait(1_500);
    rig.says_at(place, "$3\r\nold\r\n");
    rig.says(ME, "$3\r\nnew\r\n");
    assert_eq!(rig.hears(client), "$3\r\nold\r\n$3\r\nnew\r\n");
    assert_eq!(rig.node.operator().stats(rig.now).pool.peer_connections, 1);
    rig.wait(1_500);
    assert_eq!(
        rig.node.operator().stats(rig.now).pool.peer_connections,
        0,
        "closed when it was done"
    );
    rig.assert_at_rest();
}

#[test]
fn a_node_that_leaves_and_dies_is_not_connected_to_again() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    rig.asks(client, &["SET k v"]);
    let place = rig.place(1);
    rig.becomes(&["c d r3 0"]);
    rig.loses_at(place);
    rig.says(ME, OK);
    assert_eq!(rig.hears(client), OK);
    rig.sees(1);
    rig.says(1, OK);
    for _ in 0..20 {
        rig.wait(1_000);
        assert!(rig.node.next_action().is_none());
    }
    rig.assert_at_rest();
}

#[test]
fn a_node_that_moves_is_spoken_to_at_its_new_address_alone() {
    let mut rig = Rig::new(&THREE_RACKS, Options::default());
    let client = rig.client();
    let changes = rig.becomes(&["z d r2 0", "c d r3 0"]);
    assert_eq!(
        changes,
        [Change::Moved {
            from: member("b d r2 0"),
            to: member("z d r2 0")
        }]
    );
    rig.welcomes(1);
    rig.asks(client, &["SET k v"]);
    for node in [ME, 1, 2] {
        assert_eq!(rig.sees(node), ["SET k v"]);
        rig.says(node, OK);
    }
    let host = rig.node.upstreams[rig.place(1) as usize]
        .endpoint
        .to_string();
    assert_eq!(host, "z:8101");
    rig.wait(1_100);
    assert_eq!(rig.node.operator().stats(rig.now).pool.peer_connections, 2);
    rig.assert_at_rest();
}

#[test]
fn places_of_those_who_left_are_used_again() {
    let mut rig = Rig::new(&ONE_RACK, Options::default());
    for round in 0..100 {
        let host = format!("h{round} d r1 2147483648");
        rig.becomes(&[&host]);
        rig.welcomes(1);
        rig.wait(1_000);
    }
    assert!(
        rig.node.upstreams.len() <= 4,
        "{}",
        rig.node.upstreams.len()
    );
}

#[test]
fn a_write_in_two_steps_knows_who_took_the_first_when_numbers_change() {
    let options = Options {
        write_consistency: Consistency::DcSafeQuorum,
        ..Options::default()
    };
    let mut rig = Rig::new(&THREE_RACKS, options);
    let client = rig.client();
    rig.loses(0);
    rig.asks(client, &["SPOP s"]);
    assert_eq!(rig.sees(1), ["SPOP s"], "this rack's datastore is away");
    // Node 1 is number 2 now.
    rig.becomes(&["c d r3 0", "b d r2 0"]);
    rig.becomes(&["x d r4 0", "c d r3 0", "b d r2 0"]);
    rig.welcomes(1);
    rig.says(3, "$1\r\na\r\n");
    assert_eq!(rig.sees(1), ["SREM s a"]);
    assert_eq!(rig.sees(2), ["SREM s a"]);
    assert_eq!(rig.sees(3), Vec::<String>::new(), "it has done so");
    rig.says(1, ":1\r\n");
    rig.says(2, ":1\r\n");
    assert_eq!(rig.hears(client), "$1\r\na\r\n");
    rig.assert_at_rest();
}

/// The first change was in force as soon as the second was known, though nobody had been reached yet.
#[test]
fn another_change_does_not_make_the_first_one_hasty() {
    let mut rig = Rig::new(&ONE_RACK[..1], Options::default());
    let key = key_of(&Rig::new(&ONE_RACK, Options::default()), 1);
    let client = rig.client();
    rig.becomes(&ONE_RACK[1..]);
    rig.becomes(&[ONE_RACK[1], "z d r2 0"]);
    let get = format!("GET {key}");
    rig.asks(client, &[&get]);
    assert_eq!(rig.sees(ME), [get.as_str()], "nobody else is there yet");
    rig.says(ME, OK);
    assert_eq!(rig.hears(client), OK);
    // Back to what is in force: who was only about to be connected to is left alone.
    rig.becomes(&[]);
    assert_eq!(rig.node.operator().topology().nodes().len(), 1);
    for _ in 0..30 {
        rig.wait(1_000);
    }
    assert_eq!(rig.node.operator().stats(rig.now).pool.peer_connections, 0);
    rig.assert_at_rest();
}

/// The second step went to who had owned the key before: while no key had to be hashed, any place on the ring
/// was as good as its own.
#[test]
fn the_second_step_of_a_write_goes_to_who_owns_the_key_since_a_join() {
    const OF_RACK_2: [&str; 2] = ["b d r2 0", "c d r2 2147483648"];
    let rack_2 = Rig::new(&OF_RACK_2, Options::default());
    for owner in [0, 1] {
        let key = key_of(&rack_2, owner);
        let mut rig = Rig::new(&["a d r1 0", OF_RACK_2[0]], Options::default());
        let client = rig.client();
        let spop = format!("SPOP {key}");
        rig.asks(client, &[&spop]);
        assert_eq!(rig.sees(ME), [spop.as_str()]);
        rig.becomes(&OF_RACK_2);
        rig.welcomes(2);
        rig.says(ME, "$1\r\nm\r\n");
        assert_eq!(rig.hears(client), "$1\r\nm\r\n");
        let (new, other) = if owner == 0 { (1, 2) } else { (2, 1) };
        assert_eq!(rig.sees(new), [format!("SREM {key} m")]);
        assert_eq!(rig.sees(other), [""; 0]);
        rig.says(new, ":1\r\n");
        rig.assert_at_rest();
    }
}

/// A key that a node owns in its rack.
fn owned_by(rig: &Rig, node: u16) -> String {
    let topology = &rig.node.topology;
    let rack = topology.nodes()[usize::from(node)].rack;
    let owner = |key: &String| topology.owner(rack, rig.node.token(key.as_bytes()));
    let mut keys = (0..).map(|number| format!("key:{number}"));
    keys.find(|key| owner(key) == Some(NodeId(node))).unwrap()
}

/// It went whole to the owner of its first key, and the other key's owner never heard of the write.
#[test]
fn a_forwarded_write_of_several_keys_is_split_by_the_owners_of_this_list_of_members() {
    let members = ["me d r1 0", "a d r2 0", "b d r2 2147483648", "far e r1 0"];
    let mut rig = Rig::new(&members, Options::default());
    let (of_a, of_b) = (owned_by(&rig, 1), owned_by(&rig, 2));
    let peer = rig.peer();
    let line = format!("MSET {of_a} 1 {of_b} 2");
    rig.reads(peer, &message_to_all(7, &encoded(&line)));
    rig.turn();
    assert_eq!(rig.sees(1), [format!("mset {of_a} 1")]);
    assert_eq!(rig.sees(2), [format!("mset {of_b} 2")]);
    let here = rig.sees(ME);
    assert_eq!(here.len(), 2, "{here:?}");
    for node in [ME, ME, 1, 2] {
        rig.says(node, "+OK\r\n");
    }
    assert!(rig.hears(peer).ends_with("+OK\r\n"));
    rig.assert_at_rest();
}

/// The other key's owner never heard that the item is to live longer.
#[test]
fn a_forwarded_gat_of_several_keys_is_split_by_the_owners_of_this_list_of_members() {
    let members = ["me d r1 0", "a d r2 0", "b d r2 2147483648", "far e r1 0"];
    let mut rig = Rig::new(&members, at(Consistency::DcOne));
    let (of_a, of_b) = (owned_by(&rig, 1), owned_by(&rig, 2));
    let peer = rig.peer();
    let line = format!("gat 9 {of_b} {of_a} {of_b}\r\n");
    rig.reads(peer, &message_to_all(7, line.as_bytes()));
    rig.turn();
    assert_eq!(rig.sees(1), [format!("gat 9 {of_a}")]);
    assert_eq!(rig.sees(2), [format!("gat 9 {of_b} {of_b}")]);
    let (a, b) = (format!("gat 9 {of_a}"), format!("gat 9 {of_b} {of_b}"));
    assert_eq!(rig.sees(ME), [b, a]);
    let value = |key: &str| format!("VALUE {key} 0 1\r\n{}\r\n", &key[key.len() - 1..]);
    let (a, b) = (value(&of_a), value(&of_b));
    for (node, values) in [
        (2, [&b, &b].as_slice()),
        (1, &[&a]),
        (ME, &[&b, &b]),
        (ME, &[&a]),
    ] {
        let values: String = values.iter().copied().map(String::as_str).collect();
        rig.says(node, &format!("{values}END\r\n"));
    }
    let heard = rig.hears(peer);
    assert!(heard.ends_with(&format!("{b}{a}{b}END\r\n")), "{heard}");
    rig.assert_at_rest();
}

/// It ran at the owner of its first key, where the other one does not belong. What a C node forwards is run there,
/// because the C node has run it there itself.
#[test]
fn a_forwarded_write_that_cannot_be_split_is_refused_where_its_keys_have_different_owners() {
    let members = ["me d r1 0", "a d r2 0", "b d r2 2147483648", "far e r1 0"];
    let mut rig = Rig::new(&members, Options::default());
    let (of_a, of_b) = (owned_by(&rig, 1), owned_by(&rig, 2));
    let rename = format!("RENAME {of_a} {of_b}");
    let peer = rig.peer();
    rig.reads(
        peer,
        &message_to_all_by(VERSION_MODERN, 7, &encoded(&rename)),
    );
    rig.turn();
    for node in [ME, 1, 2] {
        assert_eq!(rig.sees(node), [""; 0]);
    }
    assert!(rig.hears(peer).contains("-CROSSSLOT "));
    rig.reads(peer, &message_to_all(8, &encoded(&rename)));
    rig.turn();
    assert_eq!(rig.sees(2), [""; 0]);
    for node in [ME, 1] {
        assert_eq!(rig.sees(node), [rename.as_str()]);
        rig.says(node, "+OK\r\n");
    }
    assert!(rig.hears(peer).ends_with("+OK\r\n"));
    rig.assert_at_rest();
}
