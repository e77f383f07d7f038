//! The worlds that are run, each made from a number.

use std::fmt::Debug;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// What runs did.
pub trait Total: Default + Debug {
    /// Takes in what another run did.
    fn add(&mut self, other: &Self);
    /// Returns true if everything that a run can do has been done somewhere.
    fn did_everything(&self) -> bool;
}

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    let number = text.parse();
    Some(number.unwrap_or_else(|_| panic!("{name}={text}: want a number")))
}

/// Runs one world. A panic in it is its error.
pub fn guarded<S>(seed: u64, run: impl FnOnce() -> Result<S, String>) -> Result<S, String> {
    catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().cloned();
        let text = text.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()));
        Err(format!(
            "seed {seed} panicked: {}\nrun again: SIM_SEED={seed} make sim",
            text.unwrap_or_default()
        ))
    })
}

/// Runs the world of `SIM_SEED`, or `SIM_SEEDS` of them (1000) from `SIM_FIRST` (1) on: `run` gets the number, and
/// whether to keep a trace. The first that fails is run again with its trace; with `SIM_SURVEY` all are
/// run, and those that fail reported in a line each.
pub fn run_all<S: Total>(run: impl Fn(u64, bool) -> Result<S, String>) {
    let seeds = match number("SIM_SEED") {
        Some(seed) => seed..seed + 1,
        None => {
            let first = number("SIM_FIRST").unwrap_or(1);
            first..number("SIM_SEEDS").unwrap_or(1000) + first
        }
    };
    let several = seeds.end - seeds.start > 1;
    let survey = number("SIM_SURVEY").is_some();
    let mut all = S::default();
    let mut failed = 0;
    for seed in seeds {
        match run(seed, !several) {
            Ok(one) => all.add(&one),
            Err(why) if survey => {
                failed += 1;
                let line = why.lines().find(|line| line.starts_with("seed "));
                println!("{}", line.unwrap_or(&why));
            }
            Err(why) => {
                let traced = run(seed, true).err();
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

/// Runs the worlds of these numbers; panics with the trace of the first that fails.
pub fn run_these<S>(seeds: &[u64], run: impl Fn(u64, bool) -> Result<S, String>) {
    for &seed in seeds {
        if let Err(why) = run(seed, false) {
            panic!("{}", run(seed, true).err().unwrap_or(why));
        }
    }
}
