//! Whole nodes in virtual time: the input is a story of what happens to them.
//!
//! The first three bytes choose the cluster, its configuration, and a seed for the model of the kernel. Each step
//! after them begins with a byte: a client, a datastore, a peer, an operator or the clock does something, and the
//! world runs until nothing moves any more ([`World::flow`](world::World::flow)). Nodes are real; machines, links and the
//! network are those of the simulators (`tests/simulated`).
//!
//! What must be true:
//!
//! | when | what |
//! |---|---|
//! | after each turn of a node | [`Node::check`](dynomite::node::Node::check) finds no contradiction; the next deadline is ahead |
//! | a client gets bytes | they are the reply to its oldest unanswered request; there are never more replies than requests |
//! | a datastore gets bytes | they are requests in canonical form, and no write comes twice |
//! | at the end, when nothing fails any more | every request of a connected client has its reply; no message, buffer or connection is left over |
//!
//! A story may also put any bytes into a connection. Afterwards less is checked: replies to a client that has sent
//! any bytes are not; after any bytes from a datastore or a peer, only the number of replies is.

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

/// Steps of a story, at most.
const STEPS: usize = 400;

/// Nodes in front of Redis.
pub fn redis(input: &[u8]) {
    run(StoreKind::Redis, input, None).unwrap_or_else(|why| panic!("{why}"));
}

/// Nodes in front of memcached.
pub fn memcached(input: &[u8]) {
    run(StoreKind::Memcache, input, None).unwrap_or_else(|why| panic!("{why}"));
}

/// # Errors
/// The first check that failed, and the time.
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

/// A bug put in on purpose, to prove that the checks find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Canary {
    /// A node counts a request as overdue that is not.
    Miscounts,
    /// Bytes of a reply are written to a client twice.
    RepliesTwice,
    /// A reply to a client is lost.
    LosesReply,
    /// A reply names another request.
    SwapsReplies,
    /// A request is sent to a datastore twice.
    RunsTwice,
    /// The event loop does not call [`tick`](dynomite::node::Node::tick).
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

/// The seeds alone find each of them.
#[test]
fn every_deliberate_fault_is_noticed() {
    let seeds = crate::fuzz::corpus::load("node_life");
    for canary in Canary::ALL {
        let noticed = seeds
            .iter()
            .any(|seed| run(StoreKind::Redis, seed, Some(canary)).is_err());
        assert!(noticed, "{canary:?} was not noticed");
    }
}
