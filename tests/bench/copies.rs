//! How often a proxy touches the bytes of a large value in user space, by valgrind: instructions per byte
//! (cachegrind), and bytes that pass through `memcpy`, `memmove` and the like per byte (dhat).
//!
//! Each figure is the difference of a long and a short run, so start-up and end cancel out.

use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;

use crate::Result;
use crate::args::{Args, find};
use crate::client::Clients;
use crate::proxy::Proxy;
use crate::redis::Redis;
use crate::report::Report;
use crate::workload::{self, Workload};

/// A way to count, and the words after which valgrind prints the count.
struct Counter {
    column: &'static str,
    under: &'static [&'static str],
    mark: &'static str,
}

const COUNTERS: [Counter; 2] = [
    Counter {
        column: "instructions",
        under: &[
            "valgrind",
            "--tool=cachegrind",
            "--cache-sim=no",
            "--cachegrind-out-file=/dev/null",
        ],
        mark: "I   refs:",
    },
    Counter {
        column: "bytes copied",
        under: &[
            "valgrind",
            "--tool=dhat",
            "--mode=copy",
            "--dhat-out-file=/dev/null",
        ],
        mark: "Total:",
    },
];

/// Values in the short run; the long run has [`STRETCH`] times as many.
const SHORT: usize = 40;
const STRETCH: usize = 5;

/// Counts for 200 KB values and reports.
pub fn run(
    args: &Args,
    proxies: &[Proxy],
    store: &Redis,
    scratch: &Path,
    report: &mut Report,
) -> Result<()> {
    find(Path::new("valgrind")).map_err(|reason| format!("copies: {reason} (package valgrind)"))?;
    let mut rows = Vec::new();
    let mut figures = serde_json::Map::new();
    for name in ["GET 200 KB", "SET 200 KB"]
        .into_iter()
        .filter(|name| args.wants(name))
    {
        let workload = workload::named(name).ok_or("no such workload")?;
        for proxy in proxies {
            eprintln!("copies: {name} through {}", proxy.name);
            let mut row = vec![format!("{name}: {}", proxy.name)];
            for counter in &COUNTERS {
                let per_byte =
                    count(counter, workload, proxy, store.address, scratch).map_err(|reason| {
                        format!(
                            "{} of {name} through {}: {reason}",
                            counter.column, proxy.name
                        )
                    })?;
                row.push(format!("{per_byte:.4}"));
                figures.insert(
                    format!("{name}: {}: {} per byte", proxy.name, counter.column),
                    json!(per_byte),
                );
            }
            rows.push(row);
        }
    }
    let title = "User-space work per byte of a 200 KB value";
    let head = std::iter::once("workload").chain(COUNTERS.iter().map(|counter| counter.column));
    report.table(title, &head.map(String::from).collect::<Vec<_>>(), &rows);
    report.record("copies", figures.into());
    Ok(())
}

fn count(
    counter: &Counter,
    workload: &Workload,
    proxy: &Proxy,
    store: SocketAddr,
    scratch: &Path,
) -> Result<f64> {
    let filling = workload.filling();
    Clients::connect(store, 4)?.drive(0, &filling, filling.len())?;
    let mut counts = [0.0; 2];
    for (total, values) in counts.iter_mut().zip([SHORT, SHORT * STRETCH]) {
        let running = proxy.start_under(counter.under, store, scratch)?;
        Clients::connect(running.address, 4)?.drive(0, &workload.batches(), values)?;
        *total = printed(&running.stop()?, counter.mark)?;
    }
    Ok((counts[1] - counts[0]) / ((STRETCH - 1) * SHORT * workload.value) as f64)
}

/// The number with commas after `mark` in valgrind's summary.
fn printed(output: &str, mark: &str) -> Result<f64> {
    let word = output
        .lines()
        .find_map(|line| line.split_once(mark)?.1.split_whitespace().next());
    let digits = word.unwrap_or_default().replace(',', "");
    digits
        .parse()
        .map_err(|_| format!("no {mark:?} in valgrind's output"))
}
