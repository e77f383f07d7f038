//! The end-to-end benchmark: proxies side by side, in one run, in front of one `redis-server`.
//!
//! ```text
//! make bench                                    everything
//! make bench BENCH="cost" QUICK=1               one experiment, short
//! make bench RIVALS="predixy=/path c-dynomite=/path"
//! ```
//!
//! | experiment | what it answers |
//! |---|---|
//! | `cost` | processor time of the proxy per request, requests per second |
//! | `latency` | p50, p99, p99.9 at a fixed rate of half of nutcracker's maximum |
//! | `memory` | resident bytes per idle connection that has been used |
//! | `spike` | resident memory a minute after many pipelining clients, and after large values |
//! | `cluster` | the same for three racks and for two datacenters, coordinator and replica (rivals: *dynomite*) |
//! | `memcache` | processor time per request in front of a `memcached`, all speaking its text protocol |
//! | `admin` | processor time per client request while the statistics port is asked much too often |
//! | `copies` | instructions and copied bytes per byte of a large value (needs valgrind; only on request) |
//!
//! Rounds of the proxies are interleaved (A B C, B C A, …) and ratios are taken within a round, so that a
//! noisy neighbour hits all of them; the figure is the median over the rounds. Everything runs on the
//! loopback and is bounded in count and time; only the processes started here are ended, by their id.

mod admin;
mod args;
mod child;
mod client;
mod cluster;
mod copies;
mod cost;
mod latency;
mod members;
mod memcache;
mod memory;
mod paced;
mod procfs;
mod proxy;
mod redis;
mod report;
mod workload;

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use args::{Args, Experiment};
use report::Report;

/// What an experiment that cannot go on says.
pub type Result<T> = std::result::Result<T, String>;

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` and test runners start benchmarks too, without `--bench`.
    if !words.iter().any(|word| word == "--bench") {
        println!("nothing to do: start this with `make bench` or `cargo bench --bench e2e`");
        return ExitCode::SUCCESS;
    }
    if std::env::var_os("E2E_LIMITS_RAISED").is_none() {
        return with_raised_limits(&words);
    }
    match Args::parse(&words).and_then(|args| run(&args)) {
        Ok(code) => code,
        Err(reason) => {
            eprintln!("e2e: {reason}");
            ExitCode::FAILURE
        }
    }
}

/// Starts this program again with as many file descriptors as the hard limit allows: the experiments with
/// ten thousand connections need them here and, inherited, in the proxies.
fn with_raised_limits(words: &[String]) -> ExitCode {
    let Ok(program) = std::env::current_exe() else {
        eprintln!("e2e: cannot find my own program file");
        return ExitCode::FAILURE;
    };
    let failed = Command::new("sh")
        .args(["-c", "ulimit -n \"$(ulimit -Hn)\"; exec \"$0\" \"$@\""])
        .arg(program)
        .args(words)
        .env("E2E_LIMITS_RAISED", "1")
        .exec();
    eprintln!("e2e: cannot start sh: {failed}");
    ExitCode::FAILURE
}

fn run(args: &Args) -> Result<ExitCode> {
    let scratch = tempfile::tempdir().map_err(|e| format!("temporary directory: {e}"))?;
    let store = redis::Redis::start(&args.redis_server, scratch.path())?;
    let proxies = args.proxies()?;
    let mut report = Report::new(args, &proxies);
    for experiment in &args.experiments {
        let measure = match experiment {
            Experiment::Cost => cost::run,
            Experiment::Latency => latency::run,
            Experiment::Memory => memory::idle,
            Experiment::Spike => memory::spike,
            Experiment::Copies => copies::run,
            Experiment::Cluster => cluster::run,
            Experiment::Memcache => memcache::run,
            Experiment::Admin => admin::run,
        };
        if let Err(reason) = measure(args, &proxies, &store, scratch.path(), &mut report) {
            report.failed(&reason);
        }
        // After every experiment, so that an interrupted run leaves what it knew.
        report.save(&args.json)?;
    }
    Ok(report.finish(args))
}
