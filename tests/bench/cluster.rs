//! Processor time of a coordinator and of a replica per request, and requests per second, in clusters of one
//! kind of proxy each: the one under test, and the C original where `RIVALS` names it.
//!
//! Every turn is a bounded number of requests through one node, and ends when each store has run what it
//! must: a write that the coordinator has answered is still under way to the slower replicas. The original
//! gives a link up at 20,000 requests that wait for an answer, so a turn stays below that.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::Result;
use crate::args::Args;
use crate::client::{Clients, SILENCE};
use crate::cost::CONNECTIONS;
use crate::members::{Layout, Members, make_key};
use crate::procfs::{Bystanders, cpu_ns};
use crate::proxy::{Kind, Proxy};
use crate::redis::Redis;
use crate::report::{Report, median};
use crate::workload::{Batch, Verb, Workload};

/// Most requests of one turn.
const MOST: usize = 15_000;

const LAYOUTS: &[Layout] = &[
    Layout {
        name: "3 racks, DC_ONE",
        racks: &[3],
        consistency: "DC_ONE",
        encrypted: false,
    },
    Layout {
        name: "3 racks, DC_QUORUM",
        racks: &[3],
        consistency: "DC_QUORUM",
        encrypted: false,
    },
    Layout {
        name: "2 DCs encrypted",
        racks: &[1, 1],
        consistency: "DC_ONE",
        encrypted: true,
    },
];

/// A workload and what it may cost as a multiple of the C original's.
struct Row {
    layout: usize,
    verb: Verb,
    depth: usize,
    /// Most processor time of the coordinator, then of a replica.
    cost: Option<(f64, f64)>,
    /// Least requests per second.
    rate: Option<f64>,
}

const fn row(
    layout: usize,
    verb: Verb,
    depth: usize,
    cost: Option<(f64, f64)>,
    rate: Option<f64>,
) -> Row {
    Row {
        layout,
        verb,
        depth,
        cost,
        rate,
    }
}

const ONE_BY_ONE: Option<(f64, f64)> = Some((0.5, 0.5));
const PIPELINED: Option<(f64, f64)> = Some((0.15, 0.2));

/// The table, with the targets of the project.
const ROWS: &[Row] = &[
    row(0, Verb::Set, 1, ONE_BY_ONE, None),
    row(0, Verb::Set, 16, PIPELINED, Some(4.0)),
    row(0, Verb::Set, 64, None, Some(4.0)),
    row(0, Verb::Get, 1, None, None),
    row(0, Verb::Get, 16, None, None),
    row(0, Verb::Get, 64, None, None),
    row(1, Verb::Set, 1, ONE_BY_ONE, None),
    row(1, Verb::Set, 16, PIPELINED, Some(4.0)),
    row(1, Verb::Set, 64, None, Some(4.0)),
    row(1, Verb::Get, 1, ONE_BY_ONE, None),
    row(1, Verb::Get, 16, PIPELINED, None),
    row(1, Verb::Get, 64, None, None),
    row(2, Verb::Set, 1, None, None),
    row(2, Verb::Set, 16, None, None),
    row(2, Verb::Set, 64, None, None),
];

impl Row {
    fn verb_name(&self) -> &'static str {
        if self.verb == Verb::Get { "GET" } else { "SET" }
    }

    /// Returns true if other nodes than the one asked have work with it: a read at DC_ONE is none of theirs.
    fn is_replicated(&self) -> bool {
        let consistency = LAYOUTS.get(self.layout).map(|layout| layout.consistency);
        self.verb != Verb::Get || consistency != Some("DC_ONE")
    }

    /// A cell about the replicas.
    fn replica_cell(&self, text: impl FnOnce() -> String) -> String {
        self.is_replicated().then(text).unwrap_or_default()
    }

    fn name(&self) -> String {
        let depth = match self.depth {
            1 => String::new(),
            depth => format!(" x{depth}"),
        };
        let layout = LAYOUTS.get(self.layout).map_or("", |layout| layout.name);
        format!("{}{depth}, {layout}", self.verb_name())
    }

    fn workload(&self) -> Workload {
        Workload {
            name: "",
            verb: self.verb,
            depth: self.depth,
            value: 100,
            to_nutcracker: None,
            to_predixy: None,
        }
    }

    /// Batches of one turn: at the original's speed of the order of the time that a turn may take.
    fn batches(&self, turn: Duration) -> usize {
        let a_second = if self.depth == 1 { 10_000.0 } else { 35_000.0 };
        let requests = (a_second * turn.as_secs_f64()) as usize;
        (requests.min(MOST) / self.depth).max(CONNECTIONS)
    }
}

/// A cluster under load.
struct Subject<'a> {
    proxy: &'a Proxy,
    members: Members,
    clients: Clients,
}

impl<'a> Subject<'a> {
    fn start(proxy: &'a Proxy, layout: &Layout, bench: &Bench) -> Result<Subject<'a>> {
        let stores = bench.stores.get(..layout.nodes()).unwrap_or(&bench.stores);
        let members = Members::start(proxy, layout, stores, &bench.key, &bench.scratch)?;
        let clients = Clients::connect(members.coordinator, CONNECTIONS)?;
        Ok(Subject {
            proxy,
            members,
            clients,
        })
    }
}

/// What one turn of one subject showed.
#[derive(Clone, Copy)]
struct Sample {
    /// Nanoseconds of the coordinator per request.
    coordinator: f64,
    /// The same of one other node, the mean over them.
    replica: f64,
    /// A write counts when all stores have it.
    per_second: f64,
}

/// What all clusters of a run share.
struct Bench {
    stores: Vec<Redis>,
    key: PathBuf,
    scratch: PathBuf,
}

/// Measures every wanted row and reports.
pub fn run(
    args: &Args,
    proxies: &[Proxy],
    _store: &Redis,
    scratch: &Path,
    report: &mut Report,
) -> Result<()> {
    let kinds: Vec<&Proxy> = proxies
        .iter()
        .filter(|proxy| proxy.kind == Kind::Dynomite)
        .collect();
    let nodes = LAYOUTS.iter().map(Layout::nodes).max().unwrap_or(0);
    let bench = Bench {
        stores: (0..nodes)
            .map(|_| Redis::start(&args.redis_server, scratch))
            .collect::<Result<_>>()?,
        key: make_key(scratch)?,
        scratch: scratch.to_path_buf(),
    };
    let mut table = Table::new(&kinds);
    let mut others = Vec::new();
    for (number, layout) in LAYOUTS.iter().enumerate() {
        let rows = ROWS
            .iter()
            .filter(|row| row.layout == number && args.wants(&row.name()));
        let mut subjects: Vec<Option<Subject>> = kinds.iter().map(|_| None).collect();
        for row in rows {
            eprintln!("cluster: {}", row.name());
            start_missing(&mut subjects, &kinds, layout, &bench, report);
            let pids = subjects.iter().flatten().flat_map(|s| s.members.pids());
            let stores = bench.stores.iter().map(Redis::pid);
            let bystanders = Bystanders::watch(pids.chain(stores).collect())?;
            let samples = measure(args, row, &mut subjects, &bench, report);
            // Those of a cluster that has ended count for nothing any more.
            others.extend(bystanders.share());
            table.add(row, &kinds, &samples, report);
        }
    }
    table.finish(report);
    report.bystanders("cluster", median(others));
    Ok(())
}

/// Starts the clusters that are not there yet, or not any more.
fn start_missing<'a>(
    subjects: &mut [Option<Subject<'a>>],
    kinds: &[&'a Proxy],
    layout: &Layout,
    bench: &Bench,
    report: &mut Report,
) {
    for (subject, proxy) in subjects.iter_mut().zip(kinds) {
        if subject.is_none() {
            match Subject::start(proxy, layout, bench) {
                Ok(started) => *subject = Some(started),
                Err(reason) => note(proxy, &format!("{}: {reason}", layout.name), report),
            }
        }
    }
}

/// A cluster that breaks is a result; a failure of the run it is only for the one under test.
fn note(proxy: &Proxy, reason: &str, report: &mut Report) {
    if proxy.under_test() {
        report.failed(&format!("cluster of {}: {reason}", proxy.name));
    } else {
        eprintln!("cluster of {}: {reason}", proxy.name);
    }
}

/// The samples of each subject in the order of the rounds; none of a subject that broke, which is ended.
fn measure(
    args: &Args,
    row: &Row,
    subjects: &mut [Option<Subject>],
    bench: &Bench,
    report: &mut Report,
) -> Vec<Vec<Sample>> {
    let batches = row.workload().batches();
    let total = row.batches(args.turn);
    let mut samples = vec![Vec::new(); subjects.len()];
    for round in 0..=args.rounds {
        for place in 0..subjects.len() {
            let number = (place + round) % subjects.len();
            let Some(subject) = &mut subjects[number] else {
                continue;
            };
            match turn(subject, row, &batches, total, bench) {
                // The first warms caches and pools.
                Ok(_) if round == 0 => {}
                Ok(sample) => samples[number].push(sample),
                Err(reason) => {
                    note(subject.proxy, &format!("{}: {reason}", row.name()), report);
                    subjects[number] = None;
                    samples[number].clear();
                }
            }
        }
    }
    samples
}

fn turn(
    subject: &mut Subject,
    row: &Row,
    batches: &[Batch],
    total: usize,
    bench: &Bench,
) -> Result<Sample> {
    let pids = subject.members.pids();
    let stores = bench.stores.get(..pids.len()).unwrap_or(&bench.stores);
    if row.verb == Verb::Get {
        let filling = row.workload().filling();
        for store in stores {
            Clients::connect(store.address, CONNECTIONS)?.drive(0, &filling, filling.len())?;
        }
    }
    let calls = || -> Result<Vec<u64>> {
        let name = row.verb_name().to_lowercase();
        stores.iter().map(|store| store.calls(&name)).collect()
    };
    let cpu = || -> Result<Vec<u64>> { pids.iter().map(|pid| cpu_ns(*pid)).collect() };
    let calls_before = calls()?;
    let before = cpu()?;
    let start = Instant::now();
    let (requests, mut took) = subject.clients.drive(0, batches, total)?;
    match row.verb {
        Verb::Get | Verb::TextGet(_) => rest(calls)?,
        Verb::Set | Verb::Mset(_) | Verb::TextSet => {
            arrive(calls, &calls_before, requests)?;
            took = start.elapsed();
        }
    }
    // The last answers of the replicas are on their way to the coordinator.
    std::thread::sleep(Duration::from_millis(20));
    let used: Vec<f64> = cpu()?
        .iter()
        .zip(&before)
        .map(|(after, before)| (after - before) as f64 / requests as f64)
        .collect();
    let (coordinator, replicas) = used.split_first().ok_or("a cluster without nodes")?;
    Ok(Sample {
        coordinator: *coordinator,
        replica: replicas.iter().sum::<f64>() / replicas.len() as f64,
        per_second: requests as f64 / took.as_secs_f64(),
    })
}

/// Waits until every store has run each of `requests` once.
fn arrive(calls: impl Fn() -> Result<Vec<u64>>, before: &[u64], requests: u64) -> Result<()> {
    let deadline = Instant::now() + SILENCE;
    loop {
        let run: Vec<u64> = calls()?.iter().zip(before).map(|(a, b)| a - b).collect();
        if run.iter().all(|run| *run == requests) {
            return Ok(());
        }
        if Instant::now() > deadline || run.iter().any(|run| *run > requests) {
            return Err(format!("the stores ran {run:?} of {requests} writes"));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// Waits until the stores have nothing more to do.
fn rest(calls: impl Fn() -> Result<Vec<u64>>) -> Result<()> {
    let deadline = Instant::now() + SILENCE;
    let mut last = calls()?;
    let mut same = 0;
    while same < 3 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(10));
        let now = calls()?;
        same = if now == last { same + 1 } else { 0 };
        last = now;
    }
    Ok(())
}

/// The two tables that this experiment prints, being filled.
struct Table {
    cost_head: Vec<String>,
    cost: Vec<Vec<String>>,
    rate_head: Vec<String>,
    rate: Vec<Vec<String>>,
    json: Map<String, Value>,
}

impl Table {
    fn new(kinds: &[&Proxy]) -> Table {
        let mut cost_head = vec!["workload".to_string()];
        let mut rate_head = cost_head.clone();
        for proxy in kinds {
            cost_head.push(format!("{} coordinator", proxy.name));
            cost_head.push("replica".to_string());
            rate_head.push(proxy.name.clone());
        }
        for proxy in kinds.iter().skip(1) {
            cost_head.push(format!("coordinator to {}", proxy.name));
            cost_head.push("replica".to_string());
            rate_head.push(format!("to {}", proxy.name));
        }
        Table {
            cost_head,
            cost: Vec::new(),
            rate_head,
            rate: Vec::new(),
            json: Map::new(),
        }
    }

    fn add(&mut self, row: &Row, kinds: &[&Proxy], samples: &[Vec<Sample>], report: &mut Report) {
        let mut cost = vec![row.name()];
        let mut rate = vec![row.name()];
        let mut figures = Map::new();
        for (proxy, samples) in kinds.iter().zip(samples) {
            if samples.is_empty() {
                cost.extend(["failed", ""].map(String::from));
                rate.push("failed".to_string());
                figures.insert(proxy.name.clone(), json!("failed"));
                continue;
            }
            let middle = |pick: fn(&Sample) -> f64| median(samples.iter().map(pick));
            let coordinator = middle(|sample| sample.coordinator) / 1e3;
            let replica = middle(|sample| sample.replica) / 1e3;
            let per_second = middle(|sample| sample.per_second);
            cost.push(format!("{coordinator:.3}"));
            cost.push(row.replica_cell(|| format!("{replica:.3}")));
            rate.push(format!("{per_second:.0}"));
            figures.insert(
                proxy.name.clone(),
                json!({
                    "coordinator_cpu_us": coordinator,
                    "replica_cpu_us": replica,
                    "requests_per_second": per_second,
                }),
            );
        }
        let Some((ours, rivals)) = samples.split_first() else {
            return;
        };
        for (proxy, theirs) in kinds.iter().skip(1).zip(rivals) {
            // One that failed is compared with nothing.
            if ours.is_empty() || theirs.is_empty() {
                cost.extend([String::new(), String::new()]);
                rate.push(String::new());
                continue;
            }
            let ratio = |pick: fn(&Sample) -> f64| {
                median(ours.iter().zip(theirs).map(|(o, t)| pick(o) / pick(t)))
            };
            let what = |part: &str| format!("{part} of {} to {}", row.name(), proxy.name);
            let coordinator = ratio(|sample| sample.coordinator);
            let replica = ratio(|sample| sample.replica);
            let per_second = ratio(|sample| sample.per_second);
            let most = row.cost.unzip();
            cost.push(report.judge(&what("coordinator"), coordinator, most.0));
            cost.push(row.replica_cell(|| report.judge(&what("replica"), replica, most.1)));
            rate.push(report.judge_least(&what("rate"), per_second, row.rate));
            figures.insert(
                format!("to {}", proxy.name),
                json!({
                    "coordinator": { "ratio": coordinator, "target": most.0 },
                    "replica": { "ratio": replica, "target": most.1 },
                    "rate": { "ratio": per_second, "target": row.rate },
                }),
            );
        }
        self.json.insert(row.name(), figures.into());
        self.cost.push(cost);
        self.rate.push(rate);
    }

    fn finish(self, report: &mut Report) {
        let title =
            "Processor time of a node in a cluster per request in µs, and dynomite's as a ratio";
        report.table(title, &self.cost_head, &self.cost);
        let title = format!(
            "Requests per second through one node, closed loop, {CONNECTIONS} connections; writes in all stores"
        );
        report.table(&title, &self.rate_head, &self.rate);
        report.record("cluster", self.json.into());
    }
}
