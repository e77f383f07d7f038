//! The command line of the benchmark.

use std::path::{Path, PathBuf};
use std::time::Duration;

use getopts::Options;

use crate::Result;
use crate::proxy::{Kind, Proxy, UNDER_TEST};

/// One of the things that can be measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Experiment {
    Cost,
    Latency,
    Memory,
    Spike,
    Copies,
    Cluster,
    Memcache,
    Admin,
}

/// Every experiment by name; the flag says whether it runs when none is named.
const EXPERIMENTS: &[(&str, Experiment, bool)] = &[
    ("cost", Experiment::Cost, true),
    ("latency", Experiment::Latency, true),
    ("memory", Experiment::Memory, true),
    ("spike", Experiment::Spike, true),
    ("copies", Experiment::Copies, false),
    ("cluster", Experiment::Cluster, true),
    ("memcache", Experiment::Memcache, true),
    ("admin", Experiment::Admin, true),
];

/// What was asked for.
pub struct Args {
    pub experiments: Vec<Experiment>,
    /// Workloads to keep, by a part of their name; empty keeps all.
    pub only: Vec<String>,
    pub rounds: usize,
    /// Length of one proxy's turn in a round, as nutcracker needs it.
    pub turn: Duration,
    /// Connections of the memory experiments.
    pub connections: usize,
    /// Pause between a spike and the look at what is left of it.
    pub settle: Duration,
    /// End with a failure when a target is missed.
    pub strict: bool,
    pub redis_server: PathBuf,
    pub memcached: PathBuf,
    pub json: PathBuf,
    dynomite: PathBuf,
    nutcracker: PathBuf,
    rivals: Vec<(String, PathBuf)>,
}

impl Args {
    /// Reads the words after the program's name.
    pub fn parse(words: &[String]) -> Result<Args> {
        let mut options = Options::new();
        options.optflag("", "bench", "given by cargo");
        options.optflag("h", "help", "this help");
        options.optflag(
            "q",
            "quick",
            "three short rounds, a tenth of the connections, 5 s to settle",
        );
        options.optflag("", "strict", "exit 1 when a target is missed");
        options.optopt(
            "",
            "dynomite",
            "the proxy under test (default: the one cargo has just built)",
            "PATH",
        );
        options.optopt(
            "",
            "nutcracker",
            "twemproxy, the reference (default: nutcracker)",
            "PATH",
        );
        options.optopt(
            "",
            "redis-server",
            "the store (default: redis-server)",
            "PATH",
        );
        options.optopt(
            "",
            "memcached",
            "the store of the experiment of that name (default: memcached)",
            "PATH",
        );
        options.optmulti(
            "",
            "rival",
            "one more proxy; the name says its kind: *predixy*, *dynomite*",
            "NAME=PATH",
        );
        options.optmulti(
            "",
            "only",
            "keep the workloads whose name contains this",
            "TEXT",
        );
        options.optopt("", "rounds", "rounds of each measurement (default 7)", "N");
        options.optopt(
            "",
            "turn-ms",
            "length of one proxy's turn in a round (default 400)",
            "N",
        );
        options.optopt(
            "",
            "connections",
            "connections of the memory experiments (default 10000)",
            "N",
        );
        options.optopt(
            "",
            "settle",
            "seconds between a spike and the look at its rest (default 60)",
            "N",
        );
        options.optopt(
            "",
            "json",
            "where the figures go (default target/bench/e2e.json)",
            "PATH",
        );
        let brief = "usage: e2e [options] [cost] [latency] [memory] [spike] [copies] [cluster] [memcache] [admin]";
        let given = options
            .parse(words)
            .map_err(|e| format!("{e}\n{}", options.usage(brief)))?;
        if given.opt_present("help") {
            println!("{}", options.usage(brief));
            std::process::exit(0);
        }
        let quick = given.opt_present("quick");
        let number = |name: &str, normal: u64, short: u64| -> Result<u64> {
            given
                .opt_get_default(name, if quick { short } else { normal })
                .map_err(|_| format!("--{name} wants a number"))
        };
        let path = |name: &str, default: &str| {
            PathBuf::from(given.opt_str(name).unwrap_or(default.to_string()))
        };
        let mut experiments = Vec::new();
        for name in &given.free {
            let known = EXPERIMENTS.iter().find(|(known, ..)| known == name);
            experiments.push(
                known
                    .ok_or(format!(
                        "unknown experiment {name}\n{}",
                        options.usage(brief)
                    ))?
                    .1,
            );
        }
        if experiments.is_empty() {
            experiments = EXPERIMENTS
                .iter()
                .filter(|(.., default)| *default)
                .map(|(_, e, _)| *e)
                .collect();
        }
        let mut rivals = Vec::new();
        for rival in given.opt_strs("rival") {
            let (name, path) = rival
                .split_once('=')
                .ok_or(format!("--rival {rival}: want NAME=PATH"))?;
            rivals.push((name.to_string(), PathBuf::from(path)));
        }
        Ok(Args {
            experiments,
            only: given.opt_strs("only"),
            rounds: number("rounds", 7, 3)?.max(1) as usize,
            turn: Duration::from_millis(number("turn-ms", 400, 150)?.clamp(10, 60_000)),
            connections: number("connections", 10_000, 1_000)?.clamp(1, 25_000) as usize,
            settle: Duration::from_secs(number("settle", 60, 5)?.min(3_600)),
            strict: given.opt_present("strict"),
            redis_server: path("redis-server", "redis-server"),
            memcached: path("memcached", "memcached"),
            json: path(
                "json",
                concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench/e2e.json"),
            ),
            dynomite: path("dynomite", env!("CARGO_BIN_EXE_dynomite")),
            nutcracker: path("nutcracker", "nutcracker"),
            rivals,
        })
    }

    /// The proxies of this run: the one under test, nutcracker, then the rivals in the order given.
    pub fn proxies(&self) -> Result<Vec<Proxy>> {
        let mut proxies = vec![
            Proxy::new(UNDER_TEST, Kind::Dynomite, find(&self.dynomite)?),
            Proxy::new("nutcracker", Kind::Nutcracker, find(&self.nutcracker)?),
        ];
        for (name, path) in &self.rivals {
            let kind = Kind::of_name(name).ok_or(format!(
                "rival {name}: the name must contain predixy, dynomite or nutcracker"
            ))?;
            if proxies.iter().any(|proxy| proxy.name == *name) {
                return Err(format!("rival {name}: this name is taken"));
            }
            proxies.push(Proxy::new(name, kind, find(path)?));
        }
        Ok(proxies)
    }

    /// Returns true if the workload of this name was asked for.
    pub fn wants(&self, workload: &str) -> bool {
        self.only.is_empty()
            || self
                .only
                .iter()
                .any(|part| workload.contains(part.as_str()))
    }
}

/// A program by path, or by name along `PATH` and in the directories for daemons.
pub fn find(program: &Path) -> Result<PathBuf> {
    let missing = || format!("{}: no such program", program.display());
    if program.components().count() > 1 {
        return program.canonicalize().map_err(|_| missing());
    }
    let path = std::env::var("PATH").unwrap_or_default() + ":/usr/local/sbin:/usr/sbin:/sbin";
    path.split(':')
        .map(|dir| Path::new(dir).join(program))
        .find(|file| file.is_file())
        .ok_or_else(missing)
}
