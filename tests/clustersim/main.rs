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
//! What must be true is in `judge.rs` for what a client is told, in `store.rs` (`execute`) for what a
//! datastore is asked, in `world.rs` (`look`) for every step, and in `rest.rs` (`at_rest`) for the end.
//!
//! There are three kinds of worlds. In some nothing breaks: nothing may fail, and every write must reach
//! every owner. In some only one rack breaks: whoever does not need it must not notice. In the others
//! everything may break: answers may be errors, but come in time, and nothing is made up, done twice or
//! left over.

#[path = "../sim/link.rs"]
#[allow(dead_code)]
mod link;
#[path = "../sim/machine.rs"]
#[allow(dead_code)]
mod machine;
#[path = "../sim/random.rs"]
#[allow(dead_code)]
mod random;
#[path = "../sim/resp.rs"]
#[allow(dead_code)]
mod resp;

mod cases;
mod client;
mod judge;
mod network;
mod plan;
mod rest;
mod store;
mod summary;
mod trouble;
mod world;

use std::panic::{AssertUnwindSafe, catch_unwind};
use summary::Summary;
use world::{Canary, World};

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text}: want a number")),
    )
}

/// Runs one world; with a trace if asked.
fn run(seed: u64, canary: Option<Canary>, tracing: bool) -> Result<Summary, String> {
    catch_unwind(AssertUnwindSafe(|| World::new(seed, canary, tracing).run())).unwrap_or_else(
        |panic| {
            let text = panic.downcast_ref::<String>().cloned();
            let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()));
            Err(format!(
                "seed {seed} panicked: {}\nrun again: SIM_SEED={seed} make sim",
                text.unwrap_or_default()
            ))
        },
    )
}

#[test]
fn nothing_goes_wrong_in_any_cluster() {
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..number("SIM_SEEDS").unwrap_or(1000) + 1,
    };
    let several = seeds.end - seeds.start > 1;
    let mut all = Summary::default();
    let survey = number("SIM_SURVEY").is_some();
    let mut failed = 0;
    for seed in seeds {
        match run(seed, None, !several) {
            Ok(one) => all.add(&one),
            Err(why) if survey => {
                failed += 1;
                let line = why.lines().find(|line| line.starts_with("seed "));
                println!("{}", line.unwrap_or(&why));
            }
            Err(why) => {
                let traced = run(seed, None, true).err();
                panic!("{}", traced.unwrap_or(why));
            }
        }
    }
    println!("{all:?}");
    assert_eq!(failed, 0, "worlds failed");
    if several {
        // Otherwise the worlds have become too peaceful to prove anything.
        assert!(all.did_everything(), "{all:?}");
    }
}

/// Whatever is broken on purpose is noticed in one of the first worlds.
#[test]
fn what_is_broken_on_purpose_is_noticed() {
    for canary in Canary::ALL {
        let noticed = (1..80).find(|&seed| run(seed, Some(canary), false).is_err());
        assert!(noticed.is_some(), "{canary:?} was not noticed");
    }
}
