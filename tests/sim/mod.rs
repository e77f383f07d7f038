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
//! What must be true is in `world.rs` (`look`, `at_rest`) and, for the replies of a client, in `client.rs`.

mod cases;
mod client;
mod store;
mod world;

use crate::simulated::{link, machine, memcached, random, resp, seeds, server, tag};
use dynomite::config::StoreKind;
use dynomite::driver::Fault;
use machine::MachineCanary;
use server::ServerCanary;
use store::StoreCanary;
use world::{Canary, Summary, World};

/// Runs one world; with a trace if asked.
fn run(seed: u64, canary: Canary, tracing: bool) -> Result<Summary, String> {
    seeds::guarded(seed, || World::new(seed, canary, tracing).run())
}

#[test]
fn nothing_goes_wrong_in_any_world() {
    seeds::run_all(|seed, tracing| run(seed, Canary::default(), tracing));
}

/// In each of these worlds a bug has shown itself once, of the node or of what judges it.
#[test]
fn worlds_that_have_shown_bugs_stay_right() {
    let seeds = [6322, 6662, 8046, 9637, 10380, 14102, 17934];
    seeds::run_these(&seeds, |seed, tracing| {
        run(seed, Canary::default(), tracing)
    });
}

/// Every deliberate fault is noticed in one of the first worlds.
#[test]
fn every_deliberate_fault_is_noticed() {
    let machines = [
        MachineCanary::Fault(Fault::LosesResume),
        MachineCanary::Fault(Fault::NeverTicks),
        MachineCanary::Fault(Fault::ForgetsToFlush),
        MachineCanary::Fault(Fault::RequestsFirst),
        MachineCanary::Fault(Fault::DropsRest),
        MachineCanary::LosesWritableEdge,
        MachineCanary::LiesOfShortSends,
        MachineCanary::SwapsResults,
        MachineCanary::Miscounts,
    ];
    for kind in [StoreKind::Redis, StoreKind::Memcache] {
        let stores = ServerCanary::ALL.map(StoreCanary::Server).into_iter();
        let quiet = (kind == StoreKind::Memcache).then_some(StoreCanary::IsQuietAsTold);
        let stores = stores.chain(quiet).map(|canary| Canary {
            store: Some(canary),
            machine: None,
            kind: Some(kind),
        });
        let machines = machines.iter().map(|&canary| Canary {
            store: None,
            machine: Some(canary),
            kind: Some(kind),
        });
        for canary in stores.chain(machines) {
            let noticed = (1..60).find(|&seed| run(seed, canary, false).is_err());
            assert!(noticed.is_some(), "{canary:?} was not noticed");
        }
    }
}
