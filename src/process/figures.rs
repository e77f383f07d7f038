//! Figures of this process from the operating system, for the `process_…` metrics.

use crate::stats::Process;
use crate::sys;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::sync::OnceLock;

/// The figures now; those that the system does not provide are 0.
pub fn figures() -> Process {
    let [virtual_bytes, resident_bytes] = sizes().unwrap_or_default();
    Process {
        cpu_us: sys::cpu_us(),
        resident_bytes,
        virtual_bytes,
        open_fds: open_fds().unwrap_or_default(),
        max_fds: sys::limit(sys::Resource::Nofile).map_or(0, |limit| limit.soft),
    }
}

/// Virtual and resident size in bytes (Linux: `/proc/self/statm`, in pages). The file stays open, so
/// that it can be read when descriptors have run out, which is when an operator needs it.
fn sizes() -> Option<[u64; 2]> {
    static STATM: OnceLock<File> = OnceLock::new();
    let file = match STATM.get() {
        Some(file) => file,
        None => {
            let file = File::open("/proc/self/statm").ok()?;
            STATM.get_or_init(|| file)
        }
    };
    let mut text = [0; 256];
    let n = file.read_at(&mut text, 0).ok()?;
    let statm = str::from_utf8(text.get(..n)?).ok()?;
    let mut pages = statm.split(' ').map(|n| n.parse::<u64>().ok());
    let mut bytes = || Some(pages.next()?? * sys::page_size());
    Some([bytes()?, bytes()?])
}

/// How many descriptors are open. Linux 6.2 and later report it as the size of the directory; elsewhere
/// its entries are counted, which takes a while if there are many.
fn open_fds() -> Option<u64> {
    const DIRECTORY: &str = "/proc/self/fd";
    match fs::metadata(DIRECTORY).ok()?.len() {
        0 => Some(fs::read_dir(DIRECTORY).ok()?.count() as u64),
        open => Some(open),
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_os = "linux")]
    #[test]
    fn the_system_knows_this_process() {
        let before = super::figures();
        let held: Vec<std::fs::File> = (0..20)
            .map(|_| std::fs::File::open("/dev/null").unwrap())
            .collect();
        let now = super::figures();
        assert!(now.open_fds >= held.len() as u64 && now.open_fds < now.max_fds);
        assert!(now.resident_bytes > 1 << 20 && now.virtual_bytes >= now.resident_bytes);
        assert!(before.cpu_us > 0 && now.cpu_us >= before.cpu_us);
    }
}
