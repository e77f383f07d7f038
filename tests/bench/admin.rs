//! What a client's request costs while the statistics port is asked much too often: 200 connections that
//! say nothing, `/ping` several thousand times a second (50,000 in a whole run), a scrape of `/metrics`
//! every 10 ms; with one request on each of 50 connections, with 16, and with 10,000 in flight. All of the process' time is put down to the clients' requests.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Result;
use crate::args::Args;
use crate::client::Clients;
use crate::cost::{CONNECTIONS, batches_per};
use crate::procfs::{Bystanders, cpu_ns};
use crate::proxy::{Proxy, Running};
use crate::redis::Redis;
use crate::report::{Report, median};
use crate::workload::{self, Verb, Workload};

/// Connections that say nothing.
const SILENT: usize = 200;
/// `/ping` in all rounds together.
const PINGS: usize = 50_000;
/// Time between two scrapes.
const SCRAPE: Duration = Duration::from_millis(10);
/// Requests on one connection: the endpoint's limit.
const BATCH: usize = 100;
/// The most that a client's request may cost with all that, as a multiple of what it costs without.
const MOST: f64 = 1.05;
/// Shortest turn: the pings of one are spread over it.
const TURN: Duration = Duration::from_secs(2);
/// What is measured.
const ROWS: [&str; 2] = ["GET", "GET x16"];
/// And with 10,000 requests in flight: so many on each of [`CONNECTIONS`].
const IN_FLIGHT: Workload = Workload {
    name: "GET x200",
    verb: Verb::Get,
    depth: 200,
    value: 100,
    to_nutcracker: None,
    to_predixy: None,
};

/// What was asked of the statistics port in one turn.
#[derive(Default)]
struct Asked {
    pings: AtomicUsize,
    scrapes: AtomicUsize,
}

/// Measures and reports.
pub fn run(
    args: &Args,
    proxies: &[Proxy],
    store: &Redis,
    scratch: &Path,
    report: &mut Report,
) -> Result<()> {
    let proxy = proxies
        .iter()
        .find(|proxy| proxy.under_test())
        .ok_or("no proxy under test")?;
    let running = proxy.start(store.address, scratch)?;
    let bystanders = Bystanders::watch(vec![running.pid(), store.pid()])?;
    let turn = if args.turn < Duration::from_millis(400) {
        args.turn
    } else {
        TURN
    };
    let (mut rows, mut figures) = (Vec::new(), serde_json::Map::new());
    let named = ROWS.iter().filter_map(|name| workload::named(name));
    for workload in named.chain([&IN_FLIGHT]) {
        let name = workload.name;
        eprintln!("admin: {name}");
        let mut clients = Clients::connect(running.address, CONNECTIONS)?;
        let filling = workload.filling();
        clients.drive(0, &filling, filling.len())?;
        let batches = workload.batches();
        let total = batches_per(turn, &mut clients, &batches)?;
        let share = PINGS / args.rounds;
        let pace = (share, turn.mul_f64(BATCH as f64 / share as f64));
        let mut measure = |asked: Option<&Asked>| -> Result<f64> {
            // They are there before the clock starts, as they would be for days.
            let silent = match asked {
                Some(_) => silent(running.stats)?,
                None => Vec::new(),
            };
            let before = cpu_ns(running.pid())?;
            let (requests, _) =
                with_load(&running, asked, pace, || clients.drive(0, &batches, total))?;
            std::thread::sleep(Duration::from_millis(5));
            let used = cpu_ns(running.pid())? - before;
            drop(silent);
            Ok(used as f64 / requests as f64)
        };
        measure(None)?;
        let asked = Asked::default();
        let (mut quiet, mut busy) = (Vec::new(), Vec::new());
        for round in 0..args.rounds {
            // The order alternates, so that a trend of the machine favours neither.
            if round % 2 == 0 {
                quiet.push(measure(None)?);
                busy.push(measure(Some(&asked))?);
            } else {
                busy.push(measure(Some(&asked))?);
                quiet.push(measure(None)?);
            }
        }
        let ratio = median(busy.iter().zip(&quiet).map(|(busy, quiet)| busy / quiet));
        let us = |all: &[f64]| median(all.iter().copied()) / 1e3;
        let (pings, scrapes) = (
            asked.pings.load(Ordering::Relaxed),
            asked.scrapes.load(Ordering::Relaxed),
        );
        rows.push(vec![
            name.to_string(),
            format!("{:.3}", us(&quiet)),
            format!("{:.3}", us(&busy)),
            pings.to_string(),
            scrapes.to_string(),
            report.judge(&format!("admin load on {name}"), ratio, Some(MOST)),
        ]);
        figures.insert(
            name.to_string(),
            json!({ "quiet_us": us(&quiet), "busy_us": us(&busy), "ratio": ratio, "pings": pings, "scrapes": scrapes }),
        );
    }
    let head = ["workload", "quiet", "busy", "/ping", "scrapes", "ratio"].map(String::from);
    let title = "Processor time of dynomite per client request in µs, with and without a busy statistics port";
    report.table(title, &head, &rows);
    report.record("admin", figures.into());
    report.bystanders("admin", bystanders.share()?);
    running.stop()?;
    Ok(())
}

/// Runs `work`, if `asked` is given beside requests to the statistics port, which must all be answered:
/// so many `/ping`, a batch of them in each pause.
fn with_load<T>(
    running: &Running,
    asked: Option<&Asked>,
    (share, pause): (usize, Duration),
    work: impl FnOnce() -> Result<T>,
) -> Result<T> {
    let Some(asked) = asked else {
        return work();
    };
    let stats = running.stats;
    // A turn that lasts longer than planned has no more of them than another.
    let upto = asked.pings.load(Ordering::Relaxed) + share;
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let pinging = scope.spawn(|| {
            every(&stop, pause, || {
                match asked.pings.load(Ordering::Relaxed) < upto {
                    true => ping(stats, asked),
                    false => Ok(()),
                }
            })
        });
        let scraping = scope.spawn(|| {
            let mut reader = None;
            every(&stop, SCRAPE, || scrape(stats, &mut reader, asked))
        });
        let done = work();
        stop.store(true, Ordering::Relaxed);
        for thread in [pinging, scraping] {
            thread.join().map_err(|_| "a thread ended".to_string())??;
        }
        done
    })
}

/// Connections that say nothing, all of them accepted.
fn silent(stats: SocketAddr) -> Result<Vec<TcpStream>> {
    let connect = || TcpStream::connect(stats).map_err(|e| format!("connect {stats}: {e}"));
    let silent = (0..SILENT).map(|_| connect()).collect::<Result<_>>()?;
    // They are accepted in order.
    ping(stats, &Asked::default())?;
    Ok(silent)
}

/// Does something at this pace until it is stopped.
fn every(stop: &AtomicBool, pause: Duration, mut act: impl FnMut() -> Result<()>) -> Result<()> {
    let mut next = Instant::now();
    while !stop.load(Ordering::Relaxed) {
        act()?;
        next += pause;
        std::thread::sleep(next.saturating_duration_since(Instant::now()));
    }
    Ok(())
}

/// A batch of `/ping` on a connection of its own.
fn ping(stats: SocketAddr, asked: &Asked) -> Result<()> {
    let fail = |e: std::io::Error| format!("/ping: {e}");
    let mut stream = TcpStream::connect(stats).map_err(fail)?;
    let one = "GET /ping HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let last = "GET /ping HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    let text = one.repeat(BATCH - 1) + last;
    stream.write_all(text.as_bytes()).map_err(fail)?;
    let mut answers = String::new();
    stream.read_to_string(&mut answers).map_err(fail)?;
    let good = answers.matches("\r\n\r\nOK\r\n").count();
    if good != BATCH {
        return Err(format!("{good} of {BATCH} /ping were answered"));
    }
    asked.pings.fetch_add(BATCH, Ordering::Relaxed);
    Ok(())
}

/// One scrape, on a connection that is kept, as Prometheus keeps it.
fn scrape(
    stats: SocketAddr,
    kept: &mut Option<(BufReader<TcpStream>, usize)>,
    asked: &Asked,
) -> Result<()> {
    let fail = |e: std::io::Error| format!("/metrics: {e}");
    let (reader, count) = match kept {
        Some(kept) => kept,
        None => kept.insert((BufReader::new(TcpStream::connect(stats).map_err(fail)?), 0)),
    };
    let request = b"GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    reader.get_mut().write_all(request).map_err(fail)?;
    let (mut line, mut length) = (String::new(), 0);
    while line != "\r\n" {
        line.clear();
        if reader.read_line(&mut line).map_err(fail)? == 0 {
            return Err("/metrics: the connection ended".to_string());
        }
        if let Some(value) = line.strip_prefix("Content-Length: ") {
            length = value.trim().parse().map_err(|e| format!("/metrics: {e}"))?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).map_err(fail)?;
    *count += 1;
    if *count == BATCH {
        *kept = None;
    }
    asked.scrapes.fetch_add(1, Ordering::Relaxed);
    Ok(())
}
