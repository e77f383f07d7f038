//! What the kernel knows about a process.

use std::fs;

use crate::Result;

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

/// The same from `/proc/PID/stat`, at the kernel's fixed 100 ticks per second.
fn cpu_ticks_ns(pid: u32) -> Result<u64> {
    const TICK_NS: u64 = 10_000_000;
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
