//! Resident memory: of connections that idle after use, and after a spike has passed.

use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::Result;
use crate::args::Args;
use crate::client::Clients;
use crate::procfs::rss_bytes;
use crate::proxy::{Proxy, Running};
use crate::redis::Redis;
use crate::report::Report;
use crate::workload::{Batch, Verb, Workload};

/// Resident bytes that an idle connection may cost.
const PER_CONNECTION: f64 = 512.0;

/// Resident memory after a spike, as a multiple of that before.
const AFTER_SPIKE: f64 = 1.2;

/// Time for a proxy to come to rest before its memory is read.
const REST: Duration = Duration::from_secs(2);

const fn load(verb: Verb, depth: usize, value: usize) -> Workload {
    Workload {
        name: "",
        verb,
        depth,
        value,
        to_nutcracker: None,
        to_predixy: None,
    }
}

/// Opens many connections, one `SET` on each, and reads what they cost while they idle.
pub fn idle(
    args: &Args,
    proxies: &[Proxy],
    store: &Redis,
    scratch: &Path,
    report: &mut Report,
) -> Result<()> {
    /// Connections that are busy at the same time: few, or their buffers would be measured.
    const GROUP: usize = 50;
    let batches = load(Verb::Set, 1, 100).batches();
    let mut rows = Vec::new();
    let mut figures = serde_json::Map::new();
    for proxy in proxies {
        eprintln!("memory: {}", proxy.name);
        let running = proxy.start(store.address, scratch)?;
        let grown = (|| {
            let mut clients = Clients::connect(running.address, GROUP)?;
            clients.drive(0, &batches, 20 * GROUP)?;
            std::thread::sleep(REST);
            let before = rss_bytes(running.pid())?;
            while clients.len() < args.connections + GROUP {
                let first = clients.len();
                let count = GROUP.min(args.connections + GROUP - first);
                clients.grow(running.address, count)?;
                clients.drive(first, &batches, count)?;
            }
            std::thread::sleep(REST);
            Ok::<_, String>((before, rss_bytes(running.pid())?))
        })();
        let (before, after) =
            grown.map_err(|reason| format!("memory of {}: {reason}", proxy.name))?;
        let each = (after as f64 - before as f64) / args.connections as f64;
        let most = proxy.under_test().then_some(PER_CONNECTION);
        let cell = report.judge(
            &format!("bytes per idle connection of {}", proxy.name),
            each,
            most,
        );
        rows.push(vec![proxy.name.clone(), kib(before), kib(after), cell]);
        figures.insert(
            proxy.name.clone(),
            json!({ "before": before, "after": after, "per_connection": each }),
        );
    }
    let title = format!(
        "Resident memory of {} idle connections, each used once",
        args.connections
    );
    let head = ["proxy", "before, KiB", "after, KiB", "bytes per connection"].map(String::from);
    report.table(&title, &head, &rows);
    report.record("memory", figures.into());
    Ok(())
}

/// A proxy that has been through a spike.
struct Spiked {
    /// Spike and proxy.
    what: String,
    /// The most its resident memory may be afterwards, as a multiple of that before.
    most: Option<f64>,
    running: Running,
    start: u64,
    peak: u64,
    over: Instant,
}

/// A spike: its name and what puts a proxy through it.
type Spike = (&'static str, fn(&Running, usize) -> Result<()>);

const SPIKES: [Spike; 2] = [
    ("many pipelining clients", many_clients),
    ("1000 values of 1 MB", large_values),
];

/// Puts each proxy through each spike, waits, and reads what is left of it.
pub fn spike(
    args: &Args,
    proxies: &[Proxy],
    store: &Redis,
    scratch: &Path,
    report: &mut Report,
) -> Result<()> {
    // A fresh process for each spike, and one common wait instead of one each.
    let mut all_spiked = Vec::new();
    let mut rows = Vec::new();
    for (spike, put_through) in SPIKES {
        for proxy in proxies {
            let what = format!("{spike}: {}", proxy.name);
            eprintln!("spike: {what}");
            let running = proxy.start(store.address, scratch)?;
            std::thread::sleep(REST);
            let start = rss_bytes(running.pid())?;
            // A proxy that breaks under it is a result, and no reason to forget the others.
            if let Err(reason) = put_through(&running, args.connections) {
                if proxy.under_test() {
                    report.failed(&format!("{what}: {reason}"));
                }
                eprintln!("{what}: {reason}");
                rows.push(vec![
                    what,
                    kib(start),
                    String::new(),
                    String::new(),
                    "failed".to_string(),
                ]);
                continue;
            }
            let peak = rss_bytes(running.pid())?;
            let over = Instant::now();
            let most = proxy.under_test().then_some(AFTER_SPIKE);
            all_spiked.push(Spiked {
                what,
                most,
                running,
                start,
                peak,
                over,
            });
        }
    }
    eprintln!("spike: waiting {} s", args.settle.as_secs());
    let mut figures = serde_json::Map::new();
    for Spiked {
        what,
        most,
        running,
        start,
        peak,
        over,
    } in all_spiked
    {
        std::thread::sleep(args.settle.saturating_sub(over.elapsed()));
        let after = rss_bytes(running.pid())?;
        let ratio = after as f64 / start as f64;
        let cell = report.judge(&format!("memory after {what}"), ratio, most);
        let figure =
            json!({ "start": start, "end_of_spike": peak, "after": after, "ratio": ratio });
        rows.push(vec![what.clone(), kib(start), kib(peak), kib(after), cell]);
        figures.insert(what, figure);
    }
    let title = format!(
        "Resident memory {} s after a spike ({} clients, 16 GET each at once)",
        args.settle.as_secs(),
        args.connections
    );
    let head = [
        "spike",
        "start, KiB",
        "at its end, KiB",
        "after, KiB",
        "after to start",
    ]
    .map(String::from);
    report.table(&title, &head, &rows);
    report.record("spike", figures.into());
    Ok(())
}

/// Many clients at once, each with sixteen requests under way, twice.
fn many_clients(running: &Running, connections: usize) -> Result<()> {
    let get = load(Verb::Get, 16, 100);
    let mut clients = Clients::connect(running.address, 50)?;
    let filling = get.filling();
    clients.drive(0, &filling, filling.len())?;
    clients.grow(running.address, connections.saturating_sub(50))?;
    clients.drive(0, &get.batches(), 2 * connections)?;
    Ok(())
}

/// A thousand values of a megabyte in, then out again, twenty at once on each of fifty connections.
fn large_values(running: &Running, _: usize) -> Result<()> {
    const VALUE: usize = 1_000_000;
    let mut clients = Clients::connect(running.address, 50)?;
    let filling = load(Verb::Get, 1, VALUE).filling();
    clients.drive(0, &filling, filling.len())?;
    for verb in [Verb::Set, Verb::Get] {
        let batches: Vec<Batch> = load(verb, 20, VALUE).batches();
        clients.drive(0, &batches, 50)?;
    }
    Ok(())
}

fn kib(bytes: u64) -> String {
    (bytes / 1024).to_string()
}
