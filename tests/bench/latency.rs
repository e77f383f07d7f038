//! Latency at a fixed rate that every proxy can sustain: half of what nutcracker manages at most.

use std::path::Path;
use std::time::Duration;

use serde_json::json;

use crate::Result;
use crate::args::Args;
use crate::client::Clients;
use crate::cost::{CONNECTIONS, batches_per};
use crate::paced::Paced;
use crate::procfs::Bystanders;
use crate::proxy::{Kind, Proxy, Running};
use crate::redis::Redis;
use crate::report::{Report, median};
use crate::workload;

/// Parts of all requests that were answered within the time reported.
const QUANTILES: [(&str, f64); 3] = [("p50", 0.5), ("p99", 0.99), ("p99.9", 0.999)];

/// Rounds here for each of the other experiments' rounds: the slowest thousandth of the requests is what
/// the machine's other work touches most, and a median over many short rounds forgives it.
const STRETCH: usize = 5;

/// Measures GET and SET and reports.
pub fn run(
    args: &Args,
    proxies: &[Proxy],
    store: &Redis,
    scratch: &Path,
    report: &mut Report,
) -> Result<()> {
    let running = proxies
        .iter()
        .map(|proxy| proxy.start(store.address, scratch))
        .collect::<Result<Vec<_>>>()?;
    let pids = running
        .iter()
        .map(Running::pid)
        .chain([store.pid()])
        .collect();
    let bystanders = Bystanders::watch(pids)?;
    let mut figures = serde_json::Map::new();
    for name in ["GET", "SET"].into_iter().filter(|name| args.wants(name)) {
        let workload = workload::named(name).ok_or("no such workload")?;
        eprintln!("latency: {name}");
        let one = measure(args, workload, proxies, &running, store, report)
            .map_err(|reason| format!("latency of {name}: {reason}"))?;
        figures.insert(name.to_string(), one);
    }
    report.record("latency", figures.into());
    report.bystanders("latency", bystanders.share()?);
    Ok(())
}

fn measure(
    args: &Args,
    workload: &workload::Workload,
    proxies: &[Proxy],
    running: &[Running],
    store: &Redis,
    report: &mut Report,
) -> Result<serde_json::Value> {
    let batches = workload.batches();
    let filling = workload.filling();
    Clients::connect(store.address, CONNECTIONS)?.drive(0, &filling, filling.len())?;
    let reference = proxies
        .iter()
        .position(|proxy| proxy.kind == Kind::Nutcracker)
        .unwrap_or(0);
    let mut clients = Clients::connect(running[reference].address, CONNECTIONS)?;
    let total = batches_per(args.turn, &mut clients, &batches)?;
    let (requests, took) = clients.drive(0, &batches, total)?;
    drop(clients);
    let rate = requests as f64 / took.as_secs_f64() / 2.0;

    let mut paced = Vec::new();
    for running in running {
        let mut clients = Paced::connect(running.address, CONNECTIONS)?;
        clients.run(&batches, rate, Duration::from_millis(200))?;
        paced.push(clients);
    }
    // samples[proxy][quantile] over the rounds, in microseconds
    let mut samples = vec![vec![Vec::new(); QUANTILES.len()]; paced.len()];
    for round in 0..args.rounds * STRETCH {
        for place in 0..paced.len() {
            let number = (place + round) % paced.len();
            let sorted = paced[number]
                .run(&batches, rate, args.turn)
                .map_err(|reason| format!("{}: {reason}", proxies[number].name))?;
            for (quantile, (_, part)) in QUANTILES.iter().enumerate() {
                let rank =
                    ((sorted.len() as f64 * part) as usize).min(sorted.len().saturating_sub(1));
                samples[number][quantile].push(sorted.get(rank).copied().unwrap_or(0) as f64 / 1e3);
            }
        }
    }
    let middle = |number: usize, quantile: usize| median(samples[number][quantile].iter().copied());
    let mut head = vec!["proxy".to_string()];
    head.extend(QUANTILES.iter().map(|(name, _)| name.to_string()));
    head.push("dynomite's p99.9 to it".to_string());
    let mut rows = Vec::new();
    let mut figures =
        serde_json::Map::from_iter([("requests_per_second".to_string(), json!(rate))]);
    for (number, proxy) in proxies.iter().enumerate() {
        let mut row = vec![proxy.name.clone()];
        row.extend((0..QUANTILES.len()).map(|quantile| format!("{:.0}", middle(number, quantile))));
        if number > 0 {
            let pairs = samples[0][2].iter().zip(&samples[number][2]);
            let ratio = median(pairs.map(|(ours, theirs)| ours / theirs));
            let most = (proxy.kind == Kind::Nutcracker).then_some(1.0);
            row.push(report.judge(
                &format!("p99.9 of {} to {}", workload.name, proxy.name),
                ratio,
                most,
            ));
        }
        rows.push(row);
        let quantiles = QUANTILES
            .iter()
            .enumerate()
            .map(|(q, (name, _))| (name.to_string(), json!(middle(number, q))));
        figures.insert(
            proxy.name.clone(),
            serde_json::Map::from_iter(quantiles).into(),
        );
    }
    let title = format!(
        "Latency in µs of {} at {rate:.0} requests per second (half of nutcracker's most), from the time each \
         request was due",
        workload.name
    );
    report.table(&title, &head, &rows);
    Ok(figures.into())
}
