//! Processor time of each proxy per request, under as much load as fifty connections make.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::args::Args;
use crate::client::Clients;
use crate::procfs::{Bystanders, cpu_ns};
use crate::proxy::{Kind, Proxy, Running};
use crate::redis::Redis;
use crate::report::{Report, median};
use crate::workload::{Batch, WORKLOADS, Workload};
use crate::{Result, workload};

/// Connections that make the load.
pub const CONNECTIONS: usize = 50;

/// One proxy, or the store itself, under load.
struct Subject {
    name: String,
    kind: Option<Kind>,
    running: Option<Running>,
    clients: Clients,
}

/// What one turn of one subject showed.
#[derive(Clone, Copy)]
struct Sample {
    /// Nanoseconds of the proxy per request; zero for the store itself.
    proxy_ns: f64,
    store_ns: f64,
    per_second: f64,
}

/// What is to be measured, and how it is called.
pub struct Task<'a> {
    /// The key of the figures in the file.
    pub name: &'static str,
    /// Where this is measured, for the titles of the tables.
    pub place: &'static str,
    pub workloads: &'a [Workload],
    /// Address and process of the store behind all.
    pub store: (SocketAddr, u32),
}

/// Measures every wanted workload in front of a Redis and reports.
pub fn run(
    args: &Args,
    proxies: &[Proxy],
    store: &Redis,
    scratch: &Path,
    report: &mut Report,
) -> Result<()> {
    let task = Task {
        name: "cost",
        place: "",
        workloads: WORKLOADS,
        store: (store.address, store.pid()),
    };
    compare(args, &task, proxies, scratch, report)
}

/// Measures the wanted workloads of a task and reports.
pub fn compare(
    args: &Args,
    task: &Task,
    proxies: &[Proxy],
    scratch: &Path,
    report: &mut Report,
) -> Result<()> {
    let (address, store) = task.store;
    let mut subjects = vec![Subject {
        name: "direct".to_string(),
        kind: None,
        running: None,
        clients: Clients::connect(address, CONNECTIONS)?,
    }];
    for proxy in proxies {
        let running = proxy.start(address, scratch)?;
        let clients = Clients::connect(running.address, CONNECTIONS)?;
        subjects.push(Subject {
            name: proxy.name.clone(),
            kind: Some(proxy.kind),
            running: Some(running),
            clients,
        });
    }
    let pids = subjects
        .iter()
        .filter_map(|subject| subject.running.as_ref())
        .map(Running::pid);
    let bystanders = Bystanders::watch(pids.chain([store]).collect())?;
    let mut table = Table::new(&subjects);
    let wanted = |workload: &&Workload| args.wants(workload.name);
    for workload in task.workloads.iter().filter(wanted) {
        eprintln!("{}: {}", task.name, workload.name);
        let samples = measure(args, workload, &mut subjects, store)
            .map_err(|reason| format!("{} of {}: {reason}", task.name, workload.name))?;
        table.add(task, workload, &subjects, &samples, report);
    }
    table.finish(task, report);
    report.bystanders(task.name, bystanders.share()?);
    Ok(())
}

/// The samples of each subject, in the order of the rounds.
fn measure(
    args: &Args,
    workload: &Workload,
    subjects: &mut [Subject],
    store: u32,
) -> Result<Vec<Vec<Sample>>> {
    let batches = workload.batches();
    let filling = workload.filling();
    subjects[0].clients.drive(0, &filling, filling.len())?;
    let reference = subjects
        .iter()
        .position(|subject| subject.kind == Some(Kind::Nutcracker))
        .unwrap_or(0);
    let total = batches_per(args.turn, &mut subjects[reference].clients, &batches)?;
    let mut samples = vec![Vec::new(); subjects.len()];
    for subject in subjects.iter_mut() {
        // Warm caches, pools and the processor's clock; thrown away.
        turn(subject, &batches, total / 4 + 1, store)?;
    }
    for round in 0..args.rounds {
        for place in 0..subjects.len() {
            let number = (place + round) % subjects.len();
            samples[number].push(turn(&mut subjects[number], &batches, total, store)?);
        }
    }
    Ok(samples)
}

/// How many batches these clients get through in `time`, from a short trial.
pub fn batches_per(
    time: Duration,
    clients: &mut Clients,
    batches: &[workload::Batch],
) -> Result<usize> {
    let mut trial = 2 * clients.len();
    loop {
        let (_, took) = clients.drive(0, batches, trial)?;
        if took >= Duration::from_millis(50) || trial > 1 << 20 {
            let total = trial as f64 * time.as_secs_f64() / took.as_secs_f64();
            return Ok((total as usize).clamp(clients.len(), 1 << 22));
        }
        trial *= 2;
    }
}

fn turn(subject: &mut Subject, batches: &[Batch], total: usize, store: u32) -> Result<Sample> {
    let fail = |reason| format!("{}: {reason}", subject.name);
    let pid = subject.running.as_ref().map(Running::pid);
    let cpu = || Ok::<_, String>((pid.map_or(Ok(0), cpu_ns)?, cpu_ns(store)?));
    let before = cpu()?;
    let (requests, took) = subject.clients.drive(0, batches, total).map_err(fail)?;
    // The last reply is with us a moment before the proxy goes to sleep and its account is up to date.
    std::thread::sleep(Duration::from_millis(5));
    let after = cpu()?;
    Ok(Sample {
        proxy_ns: (after.0 - before.0) as f64 / requests as f64,
        store_ns: (after.1 - before.1) as f64 / requests as f64,
        per_second: requests as f64 / took.as_secs_f64(),
    })
}

/// The two tables that this experiment prints, being filled.
struct Table {
    cost_head: Vec<String>,
    cost: Vec<Vec<String>>,
    rate_head: Vec<String>,
    rate: Vec<Vec<String>>,
    json: serde_json::Map<String, serde_json::Value>,
}

impl Table {
    fn new(subjects: &[Subject]) -> Table {
        let names = || subjects.iter().map(|subject| subject.name.clone());
        let mut cost_head = vec!["workload".to_string()];
        cost_head.extend(names().skip(1));
        cost_head.extend(names().skip(2).map(|name| format!("to {name}")));
        let rate_head = std::iter::once("workload".to_string())
            .chain(names())
            .collect();
        Table {
            cost_head,
            cost: Vec::new(),
            rate_head,
            rate: Vec::new(),
            json: serde_json::Map::new(),
        }
    }

    fn add(
        &mut self,
        task: &Task,
        workload: &Workload,
        subjects: &[Subject],
        samples: &[Vec<Sample>],
        report: &mut Report,
    ) {
        let middle =
            |number: usize, pick: fn(&Sample) -> f64| median(samples[number].iter().map(pick));
        let mut cost = vec![workload.name.to_string()];
        let mut rate = vec![workload.name.to_string()];
        let mut figures = serde_json::Map::new();
        for (number, subject) in subjects.iter().enumerate() {
            let proxy_us = middle(number, |sample| sample.proxy_ns) / 1e3;
            let per_second = middle(number, |sample| sample.per_second);
            if number > 0 {
                cost.push(format!("{proxy_us:.3}"));
            }
            rate.push(format!("{per_second:.0}"));
            figures.insert(
                subject.name.clone(),
                json!({
                    "proxy_cpu_us": proxy_us,
                    "store_cpu_us": middle(number, |sample| sample.store_ns) / 1e3,
                    "requests_per_second": per_second,
                }),
            );
        }
        // Subject 1 is the proxy under test, all after it are what it is compared with.
        for (number, subject) in subjects.iter().enumerate().skip(2) {
            let pairs = samples[1].iter().zip(&samples[number]);
            let ratio = median(pairs.map(|(ours, theirs)| ours.proxy_ns / theirs.proxy_ns));
            let most = match subject.kind {
                Some(Kind::Nutcracker) => workload.to_nutcracker,
                Some(Kind::Predixy) => workload.to_predixy,
                Some(Kind::Dynomite) | None => None,
            };
            let what = format!("{} of {} to {}", task.name, workload.name, subject.name);
            cost.push(report.judge(&what, ratio, most));
            figures.insert(
                format!("to {}", subject.name),
                json!({ "ratio": ratio, "target": most }),
            );
        }
        self.json.insert(workload.name.to_string(), figures.into());
        self.cost.push(cost);
        self.rate.push(rate);
    }

    fn finish(self, task: &Task, report: &mut Report) {
        let place = task.place;
        let title = format!(
            "Processor time of the proxy per request{place} in µs (user + system), and dynomite's as a ratio"
        );
        report.table(&title, &self.cost_head, &self.cost);
        let title = format!("Requests per second{place}, closed loop, {CONNECTIONS} connections");
        report.table(&title, &self.rate_head, &self.rate);
        report.record(task.name, self.json.into());
    }
}
