//! Peak memory of the process; the current figures are in [`super::figures`].

use crate::sys;

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
        let now = crate::process::figures::figures().resident_bytes;
        assert!(now >= 64 << 20, "{now} bytes with {} held", held.len());
        assert!(super::peak_rss_kib() >= 64 << 10);
    }
}
