use super::*;
use crate::cluster::member::MAX_NODES;
use crate::config::{Endpoint, Overrides};
use crate::hashkit::{MAX_TOKENS, parse_list};

/// A member from `host dc rack tokens`, port 8101.
fn member(text: &str) -> Member {
    let mut words = text.split(' ');
    let mut word = || words.next().unwrap().to_owned();
    let name = word();
    Member {
        endpoint: Endpoint::Tcp {
            host: name.clone(),
            port: 8101,
        },
        name,
        dc: word(),
        rack: word(),
        tokens: parse_list(&word())
            .unwrap()
            .iter()
            .map(|text| text.token)
            .collect(),
    }
}

/// A cluster, this node first.
pub(crate) fn built(members: &[&str]) -> Built {
    let mut members: Vec<Member> = members.iter().map(|text| member(text)).collect();
    let me = members.remove(0);
    Topology::build(me, members).unwrap()
}

fn picture(topology: &Topology) -> String {
    let name = |node: &NodeId| topology.node(*node).unwrap().member.name.clone();
    let rack = |id: RackId| {
        let rack = topology.rack(id).unwrap();
        let nodes: Vec<String> = rack.nodes.iter().map(name).collect();
        format!("{}({})", rack.name, nodes.join(" "))
    };
    let dc = |dc: &Dc| {
        let racks: Vec<String> = dc.racks().map(rack).collect();
        let preselected = &topology.rack(dc.preselected).unwrap().name;
        format!("{}: {} > {preselected}", dc.name, racks.join(" "))
    };
    let dcs: Vec<String> = topology.dcs().iter().map(dc).collect();
    dcs.join("; ")
}

#[test]
fn item_8_a_cluster_that_grew_is_the_cluster_that_began_so() {
    let others = ["b d r0 1", "c m r5 1", "e m r 1", "f m r4 1"];
    let me = || member("a d r2 1");
    let all = others.map(member).to_vec();
    let begun = Topology::build(me(), all.clone()).unwrap().topology;
    let mut grown = Topology::build(me(), Vec::new()).unwrap().topology;
    for n in 1..=all.len() {
        grown = grown.succeed(me(), all[..n].to_vec()).unwrap().topology;
    }
    // The rack of the other datacenter that gets its copy of a write, too.
    assert_eq!(picture(&grown), picture(&begun));
    assert_eq!(grown.version(), 5);
}

#[test]
fn datacenters_appear_and_racks_are_sorted() {
    for (members, expected) in [
        (&["a d r 1"][..], "d: r(a) > r"),
        // The local datacenter is first whatever its name; the others as they appear.
        (
            &["a z r 1", "b m r 1", "c a r 1", "d m r 9"],
            "z: r(a) > r; m: r(b d) > r; a: r(c) > r",
        ),
        // Shorter names first, then by bytes; this node's place chooses the remote rack.
        (
            &["a d ccc 1", "b d b 1", "c d aa 1", "e f r2 1", "g f r1 1"],
            "d: b(b) aa(c) ccc(a) > ccc; f: r1(g) r2(e) > r1",
        ),
        (
            &["a d aa 1", "b d b 1", "c d ccc 1", "e f r2 1", "g f r1 1"],
            "d: b(b) aa(a) ccc(c) > aa; f: r1(g) r2(e) > r2",
        ),
        // One rack name in two datacenters is two racks; names are compared exactly.
        (
            &["a d r 1", "b e r 1", "c d R 1", "f D r 1"],
            "d: R(c) r(a) > r; e: r(b) > r; D: r(f) > r",
        ),
    ] {
        assert_eq!(picture(&built(members).topology), expected);
    }
}

#[test]
fn distance_is_seen_from_this_node() {
    let topology = built(&["a d r 1", "b d r 5", "c d s 1", "e f r 1"]).topology;
    let distances: Vec<Distance> = topology.nodes().iter().map(|node| node.distance).collect();
    assert_eq!(
        distances,
        [
            Distance::Me,
            Distance::SameRack,
            Distance::SameDc,
            Distance::OtherDc
        ]
    );
    assert_eq!(topology.distance(NodeId(99)), Distance::OtherDc);
}

#[test]
fn every_token_of_a_node_is_on_the_ring() {
    let topology = built(&["a d r 100,300", "b d r 200,400"]).topology;
    let owners: Vec<Option<NodeId>> = [50, 100, 101, 200, 201, 300, 301, 400, 401]
        .map(|hash| topology.owner(topology.my_rack(), Token::of_hash(hash)))
        .into();
    let expected = [0, 0, 1, 1, 0, 0, 1, 1, 0].map(|node| Some(NodeId(node)));
    assert_eq!(owners, expected);
    assert!(topology.is_mine(Token::of_hash(7)));
    assert!(!topology.is_mine(Token::of_hash(107)));
    assert_eq!(topology.owner(RackId(9), Token::of_hash(7)), None);
}

#[test]
fn likely_mistakes_are_told_and_survived() {
    let words = |members: &[&str]| -> Vec<String> {
        built(members)
            .warnings
            .iter()
            .map(Warning::to_string)
            .collect()
    };
    assert_eq!(words(&["a d r 1", "b d r 2", "c d s 1"]), [""; 0]);
    assert_eq!(
        words(&["b d r 1", "a d r 1", "c d s 1"]),
        ["token 1 is claimed by a:8101 r:d and b:8101 r:d: its keys go to the former"]
    );
    assert_eq!(
        words(&["a d r 1", "b d r 2", "b d r 3"]),
        ["b:8101 r:d and b:8101 r:d are different nodes at one address"]
    );
    assert_eq!(
        words(&["a d r 1", "b d r 2,3", "c d r 4,5"]),
        [
            "2 nodes have several tokens, b:8101 r:d among them: do not use this while nodes of the C original are in the cluster"
        ]
    );
    // A token written twice by one node harms nobody.
    assert_eq!(words(&["a d r 1,1"]).len(), 1);
}

#[test]
fn a_contested_token_has_one_owner_on_every_node() {
    let orders = [["a d r 5", "b d r 5"], ["b d r 5", "a d r 5"]];
    for members in orders {
        let topology = built(&members).topology;
        let owner = topology.owner(RackId(0), Token::of_hash(1)).unwrap();
        assert_eq!(topology.node(owner).unwrap().member.name, "a");
    }
}

#[test]
fn only_racks_that_divide_keys_differently_are_asked() {
    let rings = |members: &[&str]| {
        let topology = built(members).topology;
        let count = |scope| topology.rings(scope).len();
        let counts = [
            count(Scope::OwnRack),
            count(Scope::LocalDc),
            count(Scope::Everywhere),
        ];
        (counts, topology.needs_hash())
    };
    for (members, counts, needs_hash) in [
        (&["a d r 1"][..], [0, 0, 0], false),
        (&["a d r 1", "b d s 9", "c e r 4"], [0, 0, 0], false),
        // Every rack alike.
        (
            &[
                "a d r 1", "b d r 9", "c d s 1", "e d s 9", "f g r 9", "h g r 1",
            ],
            [1, 1, 1],
            true,
        ),
        // One node here, two there, three at other places.
        (&["a d r 1", "b d s 1", "c d s 9"], [0, 1, 1], true),
        (
            &["a d r 1", "b d s 1", "c d s 9", "e f r 2", "g f r 9"],
            [0, 1, 2],
            true,
        ),
    ] {
        assert_eq!(rings(members), (counts, needs_hash), "{members:?}");
    }
}

#[test]
fn what_is_no_cluster_is_refused() {
    let me = member("a d r 1");
    let bare = |tokens: usize| Member {
        tokens: vec![Token::of_hash(1); tokens],
        ..me.clone()
    };
    let refused = |seeds| Topology::build(me.clone(), seeds).err();
    assert_eq!(refused(vec![bare(MAX_TOKENS)]), None);
    assert_eq!(refused(vec![me.clone(); MAX_NODES - 1]), None);
    assert_eq!(
        refused(vec![me.clone(); MAX_NODES]),
        Some(TopologyError::TooManyNodes(MAX_NODES + 1))
    );
    for tokens in [0, MAX_TOKENS + 1] {
        let error = refused(vec![bare(tokens)]).unwrap();
        let words = format!("a:8101 r:d has {tokens} tokens, which is not between 1 and 1024");
        assert_eq!(error.to_string(), words);
    }
}

#[test]
fn a_successor_keeps_the_numbers_of_those_who_stay() {
    let first = built(&["a d r 1", "b d s 1"]).topology;
    let members = ["b d s 1", "c d q 1"].map(member).to_vec();
    let second = first.succeed(member("a d r 1"), members).unwrap().topology;
    assert_eq!((first.version(), second.version()), (1, 2));
    assert_eq!(second.node(NodeId(1)).unwrap().member.name, "b");
    assert_eq!(picture(&second), "d: q(c) r(a) s(b) > r");
    assert_eq!(picture(&first), "d: r(a) s(b) > r");
}

#[test]
fn a_configuration_is_a_cluster() {
    let text = "\
dyn_o_mite:
  listen: 127.0.0.1:8102
  dyn_listen: 127.0.0.1:8101
  datacenter: dc1
  rack: r2
  tokens: '1'
  servers:
  - 127.0.0.1:22122:1
  dyn_seeds:
  - 127.0.0.2:8101:r1:dc1:1
  - 127.0.0.3:8101:r1:dc2:1 third
";
    let settings = crate::config::parse(text, "node.yml", &Overrides::default())
        .unwrap()
        .settings;
    let built = Topology::from_settings(&settings).unwrap();
    assert_eq!(built.warnings, []);
    assert_eq!(
        picture(&built.topology),
        "dc1: r1(127.0.0.2) r2(127.0.0.1) > r2; dc2: r1(third) > r1"
    );
}
