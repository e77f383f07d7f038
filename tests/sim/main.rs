//! A seeded simulator of one node in virtual time.
//!
//! Clients and a datastore are models; the connections between them and the node are in memory and deliver
//! in pieces of any size, stall, end and break. Everything follows from one number, so that a failure
//! can be run again:
//!
//! ```text
//! make sim SEEDS=100000     many worlds
//! SIM_SEED=4711 make sim    one of them, with its trace if it fails
//! ```
//!
//! What must be true is in `world.rs` (`look`, `at_rest`) and, for what a client is told, in `client.rs`.

mod cases;
mod client;
// Also the cluster simulator's, which uses more of them.
#[allow(dead_code)]
mod link;
#[allow(dead_code)]
mod machine;
mod random;
mod resp;
mod store;
mod world;

use machine::MachineCanary;
use std::panic::{AssertUnwindSafe, catch_unwind};
use store::StoreCanary;
use world::{Canary, Summary, World};

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name}={text}: want a number")),
    )
}

/// Runs one world; once more with a trace if it fails.
fn run(seed: u64, canary: Canary, tracing: bool) -> Result<Summary, String> {
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
fn nothing_goes_wrong_in_any_world() {
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => 1..number("SIM_SEEDS").unwrap_or(1000) + 1,
    };
    let several = seeds.end - seeds.start > 1;
    let mut all = Summary::default();
    for seed in seeds {
        match run(seed, Canary::default(), !several) {
            Ok(one) => all.add(&one),
            Err(why) => {
                let traced = run(seed, Canary::default(), true).err();
                panic!("{}", traced.unwrap_or(why));
            }
        }
    }
    println!("{all:?}");
    if several {
        // Otherwise the worlds have become too peaceful to prove anything.
        assert!(all.did_everything(), "{all:?}");
    }
}

/// Whatever is broken on purpose is noticed in one of the first worlds.
#[test]
fn what_is_broken_on_purpose_is_noticed() {
    let store = |canary| Canary {
        store: Some(canary),
        ..Canary::default()
    };
    let machine = |canary| Canary {
        machine: Some(canary),
        ..Canary::default()
    };
    for canary in [
        store(StoreCanary::SwapsReplies),
        store(StoreCanary::ExecutesTwice),
        store(StoreCanary::SkipsReply),
        machine(MachineCanary::LosesResume),
        machine(MachineCanary::LosesWritableEdge),
        machine(MachineCanary::NeverTicks),
        machine(MachineCanary::ForgetsToFlush),
    ] {
        let noticed = (1..60).find(|&seed| run(seed, canary, false).is_err());
        assert!(noticed.is_some(), "{canary:?} was not noticed");
    }
}
