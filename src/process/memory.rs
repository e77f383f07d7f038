//! How much memory the process holds.

use crate::sys;

/// Resident set size now, in KiB; `None` where the system does not tell (Linux:
/// `/proc/self/statm`).
pub fn rss_kib() -> Option<u64> {
    let statm = std::fs::read_to_string("/proc/self/statm").ok()?;
    let pages: u64 = statm.split(' ').nth(1)?.parse().ok()?;
    Some(pages * sys::page_size() / 1024)
}

/// The largest resident set so far, in KiB (`ru_maxrss`): the field `dyn_memory` of `/info`.
pub fn peak_rss_kib() -> u64 {
    sys::peak_rss_kib()
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn touched_memory_is_seen() {
        let held = vec![1u8; 64 << 20];
        let now = super::rss_kib().unwrap();
        assert!(now >= 64 << 10, "{now} KiB with {} bytes held", held.len());
        assert!(super::peak_rss_kib() >= 64 << 10);
    }
}
