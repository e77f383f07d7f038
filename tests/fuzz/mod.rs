//! Fuzz targets: each parser and a whole node answer any bytes; they never panic, hang or
//! contradict themselves.
//!
//! One table of targets (`targets.rs`), run in two ways:
//!
//! - **Mutations**, under the plain test runner, so that they run wherever the other tests run. Each target goes through
//!   its committed seeds (`tests/fuzz/seeds/<target>/`) and then through mutations of them, in an order that a
//!   number fixes.
//! - **Coverage guided**, under libFuzzer (`contrib/fuzz-coverage`, `coverage.rs`): an input that reaches new code is kept
//!   and mutated on. It needs clang; nothing else here does.
//!
//! ```text
//! make test                      a short run of every target
//! make fuzz                      a long run; FUZZ_SECONDS=600 make fuzz for a longer one
//! FUZZ_SEED=7 make fuzz          other mutations
//! FUZZ_TRACE=1 make fuzz         keep each input in target/fuzz before it is run, for a crash that ends
//!                                the process at once
//! make fuzz-coverage TARGET=node_life FUZZ_SECONDS=600
//!                                one target under libFuzzer; its log and what it finds go to target/fuzz/
//! make fuzz-merge TARGET=node_life
//!                                add the smallest inputs that reach new code to the seeds
//! FUZZ_INPUT=file cargo test --test worlds -- --nocapture --exact fuzz::targets::node_life
//!                                one input of one target; whole nodes print what happens
//! ```
//!
//! A failing input is printed as hex and kept in `target/fuzz/`; add it to the seeds with the fix. A
//! new target is one row of the table in `targets.rs` and its directory of seeds, which stays small
//! ([`corpus::MOST_BYTES`]).

mod corpus;
#[cfg(fuzzing)]
mod coverage;
mod drive;
mod mutate;
mod targets;

use drive::Budget;
use targets::Target;

/// Runs a target for as long as the environment says.
fn run(target: &Target) {
    #[cfg(fuzzing)]
    coverage::run(target);
    #[cfg(not(fuzzing))]
    run_mutations(target);
}

/// Runs a target over its seeds and over mutations of them.
#[cfg_attr(fuzzing, allow(dead_code))]
fn run_mutations(target: &Target) {
    let name = target.name;
    if let Some(path) = std::env::var_os("FUZZ_INPUT") {
        let input = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        return (target.run)(&input);
    }
    let seeds = corpus::load(name);
    assert!(
        seeds.len() >= 20,
        "{name}: {} seeds in {:?}",
        seeds.len(),
        corpus::directories(name)
    );
    match drive::run(target, &seeds, &Budget::from_environment()) {
        Ok(runs) => println!(
            "{name}: {} seeds, {runs} mutations, nothing found",
            seeds.len()
        ),
        Err(failure) => panic!("{failure}"),
    }
}

/// What is merged from coverage-guided runs could be anything.
#[test]
fn seeds_stay_small() {
    for name in targets::NAMES {
        let files = corpus::directories(name)
            .into_iter()
            .take(1)
            .flat_map(corpus::files);
        let bytes: u64 = files
            .map(|path| path.metadata().expect("a file").len())
            .sum();
        let most = corpus::MOST_BYTES;
        assert!(
            bytes <= most,
            "{name}: {bytes} bytes of seeds, and {most} are allowed"
        );
    }
}

/// The harness notices: a target that fails on a rare input must be reported, with that input.
#[test]
fn canary_is_caught() {
    fn sings(input: &[u8]) {
        assert!(
            !input.windows(4).any(|bytes| bytes == b"*9\r\n"),
            "the canary sang"
        );
    }
    let canary = Target {
        name: "canary",
        run: sings,
        words: &[b"*", b"9\r\n"],
    };
    let seeds = vec![b"*1\r\n$4\r\nPING\r\n".to_vec(), b"hello".to_vec()];
    let budget = Budget {
        runs: Some(1_000_000),
        ..Budget::default()
    };
    let failure =
        drive::run(&canary, &seeds, &budget).expect_err("a million mutations did not find it");
    assert_eq!(
        failure.input, b"*9\r\n",
        "the input is cut down to what matters"
    );
    assert!(failure.to_string().contains("2a390d0a"), "{failure}");
}

/// The same number gives the same inputs, so that a failure can be run again.
#[test]
fn mutations_repeat_with_the_seed() {
    let seeds = vec![b"GET k\r\n".to_vec(), b"*1\r\n$4\r\nPING\r\n".to_vec()];
    let inputs = |seed| {
        let mut mutator = mutate::Mutator::new(seed, &seeds, &[b"\r\n"]);
        (0..200).map(|_| mutator.next_input()).collect::<Vec<_>>()
    };
    assert_eq!(inputs(1), inputs(1));
    assert_ne!(inputs(1), inputs(2));
}
