//! Whole nodes in virtual time: the input is a story of what happens to them.
//!
//! The first three bytes say how many nodes there are, what they are told by their configuration, and how the
//! kernel behaves. Each of the rest begins a step: somebody says something, breaks, or waits, and what that
//! starts runs its course ([`World::flow`](world::World::flow)). Nodes, network and event loop are those of the simulators
//! (`tests/simulated`); clients and datastores do what the story says.
//!
//! What must be true:
//!
//! | when | what |
//! |---|---|
//! | after each turn of a node | its bookkeeping agrees with itself ([`Node::check`](dynomite::node::Node::check)); it ends |
//! | whenever something is written to a client | it is a reply, to its oldest request without one; there are never more replies than requests |
//! | whenever something is written to a datastore | it is a request in canonical form, and no write comes twice |
//! | at the end, when everybody behaves again | every request of a client that is still there has its reply; nothing is left over |
//!
//! Once the story makes somebody send bytes as they stand, less can be asked for: a client that has is not
//! looked at any more, and after a peer or a datastore has, replies need not be the right ones.

mod client;
mod rest;
mod step;
mod store;
mod story;
mod words;
mod world;

use dynomite::config::StoreKind;
use story::Story;
pub use words::WORDS;
use world::World;

/// Longest story, in steps.
const STEPS: usize = 400;

/// Nodes in front of Redis.
pub fn redis(input: &[u8]) {
    run(StoreKind::Redis, input, None).unwrap_or_else(|why| panic!("{why}"));
}

/// Nodes in front of memcached.
pub fn memcached(input: &[u8]) {
    run(StoreKind::Memcache, input, None).unwrap_or_else(|why| panic!("{why}"));
}

/// The error says what was not right, and when.
fn run(kind: StoreKind, input: &[u8], canary: Option<Canary>) -> Result<(), String> {
    let mut story = Story::new(input);
    let header = [story.byte(), story.byte(), story.byte()];
    let mut world = World::new(kind, header, canary);
    let outcome = world.flow().and_then(|()| {
        for _ in 0..STEPS {
            if story.is_over() {
                break;
            }
            world.step(&mut story)?;
        }
        world.rest()
    });
    outcome.map_err(|why| format!("at {} µs: {why}", world.now.mono_us))
}

/// What is broken on purpose, to see that it would be noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Canary {
    /// A node counts a request as overdue that is not.
    Miscounts,
    /// Bytes of a reply are written to a client twice.
    RepliesTwice,
    /// A reply to a client is lost.
    LosesReply,
    /// A client gets another one's reply.
    SwapsReplies,
    /// A request is sent to a datastore twice.
    RunsTwice,
    /// An event loop does not wake its node when it is due.
    NeverTicks,
}

impl Canary {
    const ALL: [Canary; 6] = [
        Canary::Miscounts,
        Canary::RepliesTwice,
        Canary::LosesReply,
        Canary::SwapsReplies,
        Canary::RunsTwice,
        Canary::NeverTicks,
    ];
}

/// Each is noticed in one of the seeds.
#[test]
fn what_is_broken_on_purpose_is_noticed() {
    let seeds = crate::corpus::load("node_life");
    for canary in Canary::ALL {
        let noticed = seeds
            .iter()
            .any(|seed| run(StoreKind::Redis, seed, Some(canary)).is_err());
        assert!(noticed, "{canary:?} was not noticed");
    }
}
