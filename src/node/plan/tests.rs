//! Requests and what is to be done with them, without a node.

mod memcache;
mod redis;

use super::{Asker, Facts, Plan, PlanCx, Route, Sights, Words};
use crate::cluster::id::NodeId;
use crate::cluster::topology::Topology;
use crate::cluster::topology::tests::built;
use crate::consistency::Consistency;
use crate::node::Options;
use crate::node::msg::Flags;

/// Clusters, this node first. In the sharded ones `a` and `b` share the keys of this rack.
const ALONE: &[&str] = &["a d r 0"];
const SHARDED: &[&str] = &["a d r 0", "b d r 2147483648"];
const THREE_RACKS: &[&str] = &["a d r 0", "c d s 0", "e d t 0"];
const SHARDED_RACKS: &[&str] = &["a d r 0", "b d r 2147483648", "c d s 0", "e d s 2147483648"];
const TWO_DCS: &[&str] = &["a d r 0", "c x s 0"];

/// A client that speaks RESP2 and has said nothing of levels.
const CLIENT: Asker = Asker::Client {
    resp3: false,
    behind_multi: false,
    level: None,
};
const RESP3: Asker = Asker::Client {
    resp3: true,
    behind_multi: false,
    level: None,
};
const BEHIND_MULTI: Asker = Asker::Client {
    resp3: false,
    behind_multi: true,
    level: None,
};
/// A peer that wants something of this node's datastore.
const PEER: Asker = Asker::Peer {
    forward: false,
    is_modern: true,
};
/// One that wants something of the owners in this datacenter.
const FORWARDING: Asker = Asker::Peer {
    forward: true,
    is_modern: true,
};
const FORWARDING_C: Asker = Asker::Peer {
    forward: true,
    is_modern: false,
};

fn at(level: Consistency) -> Asker {
    Asker::Client {
        resp3: false,
        behind_multi: false,
        level: Some(level),
    }
}

/// What decides about requests of `asker` in a cluster.
struct Site {
    topology: Topology,
    options: Options,
    sights: Sights,
}

impl Site {
    fn new(members: &[&str], options: Options) -> Site {
        let topology = built(members).topology;
        let sights = Sights::new(&topology, &options);
        Site {
            topology,
            options,
            sights,
        }
    }

    fn cx(&self, asker: Asker) -> PlanCx<'_> {
        PlanCx {
            topology: &self.topology,
            facts: Facts::new(&self.topology, &self.options),
            sights: &self.sights,
            options: &self.options,
            asker,
        }
    }

    /// The request with keys of node 0 for the words `@a`, `@a2`, and of node 1 for `@b`, where they differ.
    fn words(&self, line: &str) -> Vec<Vec<u8>> {
        let cx = self.cx(CLIENT);
        let key_of = |node: u16, prefix: &str| {
            let rack = self.topology.my_rack();
            let owned = |key: &String| {
                let owner = self.topology.owner(rack, cx.token(key.as_bytes()));
                !cx.facts.needs_hash || owner == Some(NodeId(node))
            };
            let mut keys = (0..1000).map(|n| format!("{prefix}{n}"));
            keys.find(owned).unwrap()
        };
        let word = |word: &str| match word {
            "@a" => key_of(0, "x").into_bytes(),
            "@a2" => key_of(0, "y").into_bytes(),
            "@b" => key_of(1, "z").into_bytes(),
            other => other.as_bytes().to_vec(),
        };
        line.split(' ').map(word).collect()
    }
}

fn shown_route(route: &Route) -> String {
    let level = match route.level {
        Consistency::DcOne => String::new(),
        level => format!(" {level}"),
    };
    let flags = [
        (Flags::BESIDE_SCRIPTS, " beside scripts"),
        (Flags::UNIQUE, " unique"),
        (Flags::SILENT, " silent"),
        (Flags::QUIET, " quiet"),
    ];
    let flags: String = flags
        .into_iter()
        .filter_map(|(flag, text)| route.flags.has(flag).then_some(text))
        .collect();
    let class = format!("{:?}", route.class).to_lowercase();
    format!("{class} {:?}{level}{flags}", route.routing)
}

/// A plan in one line.
fn shown(plan: &Plan) -> String {
    match plan {
        Plan::Answer => "answer".to_owned(),
        Plan::Close => "close".to_owned(),
        Plan::Session(command) => format!("session: {}", command.full_name()),
        Plan::Store(route, reply) => format!("store: {} {reply:?}", shown_route(route)),
        Plan::Keyed(route, Words::AsTheyAre) => format!("keyed: {}", shown_route(route)),
        Plan::Keyed(route, Words::AbsoluteTimes) => format!("keyed, timed: {}", shown_route(route)),
        Plan::Keyed(route, Words::OwnersVersion) => {
            format!("keyed, versioned: {}", shown_route(route))
        }
        Plan::Split(route) => format!("split: {}", shown_route(route)),
        Plan::Fanout(route, fanout) => format!("fanout: {} {fanout:?}", shown_route(route)),
        Plan::TwoStep(route) => format!("two steps: {}", shown_route(route)),
        Plan::Refuse(why) => format!("refuse: {why:?}"),
    }
}

#[test]
fn a_plan_is_small() {
    assert!(size_of::<Plan>() <= 32, "{}", size_of::<Plan>());
}
