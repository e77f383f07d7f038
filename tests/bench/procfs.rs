//! What the kernel knows about a process.

use std::fs;

use crate::Result;

/// What the kernel counts in where it does not count nanoseconds: 100 ticks a second on every machine.
const TICK_NS: u64 = 10_000_000;

/// Processor time, user and system, that the threads of `pid` have used so far, in nanoseconds.
///
/// From the scheduler's own account (`schedstat`), which is exact to the nanosecond once the threads
/// sleep; where the kernel keeps none, from the clock ticks of `stat`.
pub fn cpu_ns(pid: u32) -> Result<u64> {
    let tasks =
        fs::read_dir(format!("/proc/{pid}/task")).map_err(|e| format!("/proc/{pid}/task: {e}"))?;
    let mut sum = 0;
    for task in tasks.flatten() {
        let Ok(text) = fs::read_to_string(task.path().join("schedstat")) else {
            continue;
        };
        sum += text
            .split_whitespace()
            .next()
            .and_then(|word| word.parse::<u64>().ok())
            .unwrap_or(0);
    }
    if sum > 0 { Ok(sum) } else { cpu_ticks_ns(pid) }
}

/// The same from `/proc/PID/stat`.
fn cpu_ticks_ns(pid: u32) -> Result<u64> {
    let path = format!("/proc/{pid}/stat");
    let text = fs::read_to_string(&path).map_err(|e| format!("{path}: {e}"))?;
    // The second field may hold spaces; it ends at the last parenthesis.
    let rest = text.rsplit_once(')').map_or("", |(_, rest)| rest);
    let fields: Vec<&str> = rest.split_whitespace().collect();
    let ticks = |n: usize| fields.get(n).and_then(|field| field.parse::<u64>().ok());
    match (ticks(11), ticks(12)) {
        (Some(user), Some(system)) => Ok((user + system) * TICK_NS),
        _ => Err(format!("{path}: unknown form")),
    }
}

/// Resident memory of `pid` in bytes, exact where `smaps_rollup` exists.
pub fn rss_bytes(pid: u32) -> Result<u64> {
    for (file, field) in [("smaps_rollup", "Rss:"), ("status", "VmRSS:")] {
        let Ok(text) = fs::read_to_string(format!("/proc/{pid}/{file}")) else {
            continue;
        };
        let line = text.lines().find(|line| line.starts_with(field));
        if let Some(kib) = line.and_then(|line| line.split_whitespace().nth(1)?.parse::<u64>().ok())
        {
            return Ok(kib * 1024);
        }
    }
    Err(format!("/proc/{pid}: no resident size"))
}

/// How much of the machine's processor time went to something that is not part of a measurement.
pub struct Bystanders {
    ours: Vec<u32>,
    /// At the start: all processor time, that in use, and that in use by us.
    start: [u64; 3],
}

impl Bystanders {
    /// Starts watching; the processes `ours`, and this one, are the measurement.
    pub fn watch(mut ours: Vec<u32>) -> Result<Bystanders> {
        ours.push(std::process::id());
        let start = readings(&ours)?;
        Ok(Bystanders { ours, start })
    }

    /// The share of others since the start, of all the machine's processor time, from 0 to 1. What a
    /// virtual machine's host took away counts as well.
    pub fn share(&self) -> Result<f64> {
        let now = readings(&self.ours)?;
        let [total, busy, ours] =
            std::array::from_fn(|n| now[n].saturating_sub(self.start[n]) as f64);
        Ok((busy - ours).max(0.0) / total.max(1.0))
    }
}

/// All processor time of the machine so far, that in use, and that in use by the processes `ours`.
fn readings(ours: &[u32]) -> Result<[u64; 3]> {
    let columns = machine_ns()?;
    let total: u64 = columns.iter().sum();
    let idle: u64 = columns.iter().skip(3).take(2).sum();
    let ours = ours.iter().map(|pid| cpu_ns(*pid)).sum::<Result<u64>>()?;
    Ok([total, total - idle, ours])
}

/// The columns of the first line of `/proc/stat` in nanoseconds: user, nice, system, idle, iowait, irq,
/// softirq, steal.
fn machine_ns() -> Result<Vec<u64>> {
    let text = fs::read_to_string("/proc/stat").map_err(|e| format!("/proc/stat: {e}"))?;
    let line = text.lines().next().unwrap_or_default();
    Ok(line
        .split_whitespace()
        .skip(1)
        .take(8)
        .filter_map(|word| word.parse().ok())
        .map(|t: u64| t * TICK_NS)
        .collect())
}
