use super::*;
use crate::cluster::topology::tests::built;

/// Two datacenters of three racks, of one node or two. `x` owns 1 to 100 of its rack, `y` the rest
/// (`w` and the remote racks have one node). This node is x2.
fn cluster() -> Topology {
    built(&[
        "x2 here r2 100",
        "y2 here r2 200",
        "x1 here r1 100",
        "y1 here r1 200",
        "w3 here r3 50",
        "f1 far s1 1",
        "f2 far s2 1",
        "f3 far s3 1",
    ])
    .topology
}

/// `name:how` with `=dc` if the reply counts, `!` if it cannot be reached, `^n` if racks were passed
/// over.
fn text(topology: &Topology, targets: &Targets) -> String {
    let one = |target: &Target| {
        let name = &topology.node(target.node).unwrap().member.name;
        let how = match target.how {
            How::Local => "local",
            How::Request => "3",
            How::Forward => "4",
        };
        let counts = match target.counts {
            Counts::In(dc) => format!("={}", topology.dc(dc).unwrap().name),
            Counts::Discarded => String::new(),
        };
        let reachable = if target.reachable { "" } else { "!" };
        let passed = match target.passed_over {
            0 => String::new(),
            racks => format!("^{racks}"),
        };
        format!("{name}:{how}{counts}{reachable}{passed}")
    };
    targets.iter().map(one).collect::<Vec<_>>().join(" ")
}

const NORMAL: Demand = Demand {
    routing: Routing::Normal,
    class: Class::Read,
    level: Consistency::DcOne,
    token: Token::of_hash(7),
    failover: true,
};

/// Where a demand goes while the named nodes cannot be reached.
fn placed(demand: Demand, down: &[&str]) -> String {
    let topology = cluster();
    let mut targets = Targets::default();
    let down = unreachable(&topology, down);
    targets.place(&topology, &demand, |node| !down.contains(&node));
    text(&topology, &targets)
}

fn unreachable(topology: &Topology, names: &[&str]) -> Vec<NodeId> {
    let find = |name: &&str| {
        let place = topology
            .nodes()
            .iter()
            .position(|node| node.member.name == *name);
        NodeId(u16::try_from(place.unwrap()).unwrap())
    };
    names.iter().map(find).collect()
}

const QUORUM: &str = "x1:3=here x2:local=here w3:3=here";
const EACH: &str = "x1:3=here x2:local=here w3:3=here f1:3=far f2:3=far f3:3=far";

#[test]
fn levels_choose_replicas() {
    use Class::{Read, Write};
    use Consistency::{DcEachSafeQuorum, DcOne, DcQuorum, DcSafeQuorum};
    let quorum_write = format!("{QUORUM} f2:4");
    for (level, class, expected) in [
        (DcOne, Read, "x2:local=here"),
        (DcOne, Write, "x1:3 x2:local=here w3:3 f2:4"),
        (DcQuorum, Read, QUORUM),
        (DcQuorum, Write, &quorum_write),
        (DcSafeQuorum, Read, QUORUM),
        (DcSafeQuorum, Write, &quorum_write),
        (DcEachSafeQuorum, Read, EACH),
        (DcEachSafeQuorum, Write, EACH),
    ] {
        let demand = Demand {
            level,
            class,
            ..NORMAL
        };
        assert_eq!(placed(demand, &[]), expected, "{level} {class:?}");
    }
}

#[test]
fn any_node_coordinates_for_any_owner() {
    let token = Token::of_hash(150);
    for (level, class, expected) in [
        (Consistency::DcOne, Class::Read, "y2:3=here"),
        (Consistency::DcOne, Class::Write, "y1:3 y2:3=here w3:3 f2:4"),
    ] {
        let demand = Demand {
            level,
            class,
            token,
            ..NORMAL
        };
        assert_eq!(placed(demand, &[]), expected);
    }
}

#[test]
fn classes_override_levels() {
    let everyone = "x1:3 y1:3 x2:local=here y2:3 w3:3 f1:3 f2:3 f3:3";
    for level in Consistency::ALL {
        for (routing, expected) in [
            (Routing::LocalNode, "x2:local=here"),
            (Routing::OwnRackOnly, "y2:3=here"),
            (Routing::AllNodesOwnRack, "x2:local=here y2:3=here"),
            (Routing::AllNodes, everyone),
        ] {
            let demand = Demand {
                routing,
                level,
                token: Token::of_hash(150),
                ..NORMAL
            };
            assert_eq!(placed(demand, &[]), expected, "{routing:?} {level}");
            assert_eq!(demand.effective_level(), Consistency::DcOne);
        }
    }
}

#[test]
fn what_cannot_be_reached_is_an_error_or_another_rack() {
    let read = NORMAL;
    let write = Demand {
        class: Class::Write,
        ..NORMAL
    };
    let strict = Demand {
        failover: false,
        ..NORMAL
    };
    let rack_only = Demand {
        routing: Routing::OwnRackOnly,
        ..NORMAL
    };
    let at = |demand, level| Demand { level, ..demand };
    let quorum = Consistency::DcQuorum;
    let each = Consistency::DcEachSafeQuorum;
    for (demand, down, expected) in [
        // A read tries this rack, then those after it, then those before it.
        (read, &["x2"][..], "w3:3=here^1"),
        (read, &["x2", "w3"], "x1:3=here^2"),
        (read, &["x2", "w3", "x1"], "x2:local=here!"),
        (read, &["x1"], "x2:local=here"),
        (strict, &["x2"], "x2:local=here!"),
        (rack_only, &["x2"], "x2:local=here!"),
        (
            at(read, quorum),
            &["x2"],
            "x1:3=here x2:local=here! w3:3=here",
        ),
        // A write's own copy has no substitute; the remote copy takes any rack.
        (write, &["x2"], "x1:3 x2:local=here! w3:3 f2:4"),
        (write, &["x1"], "x1:3! x2:local=here w3:3 f2:4"),
        (write, &["f2"], "x1:3 x2:local=here w3:3 f1:4^1"),
        (write, &["f2", "f1"], "x1:3 x2:local=here w3:3 f3:4^2"),
        (write, &["f1", "f2", "f3"], "x1:3 x2:local=here w3:3 f2:4!"),
        (
            at(write, each),
            &["f2"],
            "x1:3=here x2:local=here w3:3=here f1:3=far f2:3=far! f3:3=far",
        ),
    ] {
        assert_eq!(
            placed(demand, down),
            expected,
            "{demand:?} without {down:?}"
        );
    }
}

#[test]
fn what_a_peer_wants_forwarded_goes_to_every_rack_here() {
    let topology = cluster();
    let mut targets = Targets::default();
    for (hash, down, expected) in [
        (7, &[][..], "x1:3 x2:local=here w3:3"),
        (150, &[], "y1:3 y2:3=here w3:3"),
        (150, &["y1", "y2"], "y1:3! y2:3=here! w3:3"),
    ] {
        let down = unreachable(&topology, down);
        let reaches = |node| !down.contains(&node);
        targets.place_forward(&topology, Token::of_hash(hash), reaches);
        assert_eq!(text(&topology, &targets), expected);
    }
}

#[test]
fn replies_are_counted_by_datacenter() {
    let topology = cluster();
    let mut targets = Targets::default();
    for (level, counted) in [
        (Consistency::DcOne, [1, 0]),
        (Consistency::DcSafeQuorum, [3, 0]),
        (Consistency::DcEachSafeQuorum, [3, 3]),
    ] {
        let demand = Demand {
            level,
            class: Class::Write,
            ..NORMAL
        };
        // Nobody reachable: the replies that cannot come are counted all the same.
        targets.place(&topology, &demand, |_| false);
        let found = [0, 1].map(|dc| {
            let counts = Counts::In(DcId(dc));
            targets.iter().filter(|of| of.counts == counts).count()
        });
        assert_eq!(found, counted, "{level}");
    }
}

#[test]
fn a_cluster_of_many_racks_has_as_many_targets() {
    let racks: Vec<String> = (0..60).map(|n| format!("n{n} d r{n} 1")).collect();
    let racks: Vec<&str> = racks.iter().map(String::as_str).collect();
    let topology = built(&racks).topology;
    let mut targets = Targets::default();
    let write = Demand {
        class: Class::Write,
        ..NORMAL
    };
    targets.place(&topology, &write, |_| true);
    let nodes: Vec<NodeId> = targets.iter().map(|target| target.node).collect();
    assert_eq!(nodes, (0..60).map(NodeId).collect::<Vec<_>>());
    targets.place(&topology, &NORMAL, |_| true);
    assert_eq!(targets.len(), 1);
}

#[test]
fn the_scope_is_every_rack_that_may_see_the_request() {
    use Class::{Read, Write};
    use Consistency::{DcEachSafeQuorum, DcOne, DcQuorum, DcSafeQuorum};
    use Routing::{Normal, OwnRackOnly};
    for (routing, class, level, failover, scope) in [
        (Normal, Read, DcOne, false, Scope::OwnRack),
        (Normal, Read, DcOne, true, Scope::LocalDc),
        (Normal, Read, DcQuorum, false, Scope::LocalDc),
        (Normal, Read, DcSafeQuorum, true, Scope::LocalDc),
        (Normal, Read, DcEachSafeQuorum, true, Scope::Everywhere),
        (Normal, Write, DcOne, false, Scope::Everywhere),
        (Normal, Write, DcEachSafeQuorum, false, Scope::Everywhere),
        (OwnRackOnly, Read, DcEachSafeQuorum, true, Scope::OwnRack),
    ] {
        let demand = Demand {
            routing,
            class,
            level,
            failover,
            token: Token::of_hash(0),
        };
        assert_eq!(demand.scope(), scope, "{demand:?}");
    }
}
