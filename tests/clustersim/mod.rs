//! A seeded simulator of whole clusters in virtual time.
//!
//! Every node is real; the network between nodes, the datastores and the clients are models. Nodes crash
//! and return, connections break, the network falls silent, datastores stall and die. Everything follows
//! from one number, so that a failure can be run again:
//!
//! ```text
//! make sim SEEDS=100000                     many worlds
//! SIM_SEED=4711 make sim                    one of them, with its trace if it fails
//! SIM_SURVEY=1 make sim SEEDS=100000        what is wrong in each that fails, in one line
//! ```
//!
//! What must be true is in `judge.rs` for the replies of a client, in `store.rs` (`execute`) for what a
//! datastore is asked, in `world.rs` (`look`) for every step, and in `rest.rs` (`at_rest`) for the end.
//!
//! There are four kinds of worlds. In some nothing breaks: nothing may fail, and every write must reach
//! every owner. In some of these, members come, go and move to another address meanwhile, which no client
//! may notice unless it needs the one that moves. In some only one rack breaks: a client that does not need it must not notice. In the others
//! everything may break: answers may be errors, but come in time, and nothing is made up, done twice or
//! left over.

mod cases;
mod client;
mod judge;
mod rest;
mod shifts;
mod store;
mod summary;
mod trouble;
mod versions;
mod world;

use crate::simulated::{
    leftovers, link, machine, memcached, network, plan, random, resp, seeds, server, tag,
};
use dynomite::config::StoreKind;
use summary::Summary;
use world::{Canary, World};

/// Runs one world; with a trace if asked.
fn run(seed: u64, canary: Option<(Canary, StoreKind)>, tracing: bool) -> Result<Summary, String> {
    seeds::guarded(seed, || World::new(seed, canary, tracing).run())
}

#[test]
fn nothing_goes_wrong_in_any_cluster() {
    seeds::run_all(|seed, tracing| run(seed, None, tracing));
}

/// In each of these worlds a bug has shown itself once, of the nodes or of what judges them.
#[test]
fn worlds_that_have_shown_bugs_stay_right() {
    let seeds = [
        31, 670, 3100, 3172, 3976, 5372, 6035, 7572, 8342, 9438, 9985, 11316, 12421, 13182, 13536,
        14783, 16914, 17626, 19486,
    ];
    seeds::run_these(&seeds, |seed, tracing| run(seed, None, tracing));
}

/// Every deliberate fault is noticed in one of the first worlds.
#[test]
fn every_deliberate_fault_is_noticed() {
    for kind in [StoreKind::Redis, StoreKind::Memcache] {
        for canary in Canary::all(kind) {
            let noticed = (1..80).find(|&seed| run(seed, Some((canary, kind)), false).is_err());
            assert!(
                noticed.is_some(),
                "{canary:?} was not noticed with {kind:?}"
            );
        }
    }
}
