//! The system calls that neither the standard library nor a kept crate offers: with `ring` and `yaml`, the one
//! place outside `mbuf` with `unsafe`. Each function is safe to call from anywhere unless it says
//! otherwise.

pub mod ring;
pub mod yaml;

use std::ffi::CStr;
use std::fs::File;
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, BorrowedFd};

/// Turns the -1 of a C function into the error behind it.
fn check(result: libc::c_int) -> io::Result<libc::c_int> {
    if result == -1 {
        Err(io::Error::last_os_error())
    } else {
        Ok(result)
    }
}

/// The user this process acts as.
pub fn effective_uid() -> u32 {
    // SAFETY: takes nothing and cannot fail.
    unsafe { libc::geteuid() }
}

/// The text of an error as `strerror` has it, without the number Rust appends.
pub fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match (error.raw_os_error(), text.rfind(" (os error ")) {
        (Some(_), Some(end)) => text[..end].to_owned(),
        _ => text,
    }
}

/// A moment in the local time zone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalTime {
    /// Year, e.g. 2026.
    pub year: i32,
    /// Month, 1 to 12.
    pub month: i32,
    /// Day of the month, 1 to 31.
    pub day: i32,
    /// Hour, 0 to 23.
    pub hour: i32,
    /// Minute, 0 to 59.
    pub minute: i32,
    /// Second, 0 to 60.
    pub second: i32,
}

/// Local time (`TZ` honoured) of a number of seconds since the Unix epoch; `None` beyond the years
/// the C library can express.
pub fn local_time(unix_secs: u64) -> Option<LocalTime> {
    let secs = libc::time_t::try_from(unix_secs).ok()?;
    let mut tm = MaybeUninit::<libc::tm>::zeroed();
    // SAFETY: both pointers are to live values of the right type; localtime_r keeps neither.
    let filled = unsafe { libc::localtime_r(&secs, tm.as_mut_ptr()) };
    if filled.is_null() {
        return None;
    }
    // SAFETY: all-zero is a valid `tm` (integers and a nullable pointer) and localtime_r filled it
    // in.
    let tm = unsafe { tm.assume_init() };
    Some(LocalTime {
        year: tm.tm_year + 1900,
        month: tm.tm_mon + 1,
        day: tm.tm_mday,
        hour: tm.tm_hour,
        minute: tm.tm_min,
        second: tm.tm_sec,
    })
}

/// What `fork` returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fork {
    /// In the parent; the child's pid.
    Parent(u32),
    /// In the child.
    Child,
}

/// Splits the process in two. Refused while the process has more than one thread (where `/proc`
/// shows that), because only the calling thread survives in the child.
pub fn fork() -> io::Result<Fork> {
    if threads().is_some_and(|n| n > 1) {
        return Err(io::Error::other(
            "cannot fork a process with several threads",
        ));
    }
    // SAFETY: the process has one thread (checked above), so no lock or half-done update of another
    // thread is copied into the child.
    let pid = check(unsafe { libc::fork() })?;
    Ok(if pid == 0 {
        Fork::Child
    } else {
        Fork::Parent(pid.unsigned_abs())
    })
}

/// The number of threads of this process, if `/proc` shows it.
fn threads() -> Option<usize> {
    Some(std::fs::read_dir("/proc/self/task").ok()?.count())
}

/// Makes the calling process the leader of a new session without a terminal.
pub fn setsid() -> io::Result<()> {
    // SAFETY: no memory is involved.
    check(unsafe { libc::setsid() }).map(drop)
}

/// Sets the file mode creation mask.
pub fn umask(mask: libc::mode_t) {
    // SAFETY: no memory is involved; umask cannot fail.
    unsafe { libc::umask(mask) };
}

/// Ends the process at once: no destructors, no exit handlers.
pub fn exit_now(status: i32) -> ! {
    // SAFETY: _exit does not return and touches no memory of ours.
    unsafe { libc::_exit(status) }
}

/// Points standard input, output and error at `file`.
pub fn redirect_stdio(file: &File) -> io::Result<()> {
    for fd in 0..=2 {
        // SAFETY: `file` is open; descriptors 0 to 2 belong by convention to the
        // standard streams, which keep working on whatever is behind the number.
        check(unsafe { libc::dup2(file.as_raw_fd(), fd) })?;
    }
    Ok(())
}

/// Returns true if a process of this id exists (it may belong to another user).
pub fn process_exists(pid: u32) -> bool {
    let Ok(pid) = libc::pid_t::try_from(pid) else {
        return false;
    };
    if pid == 0 {
        return false;
    }
    // SAFETY: signal 0 only checks; no memory is involved.
    let result = check(unsafe { libc::kill(pid, 0) });
    !matches!(result, Err(e) if e.raw_os_error() == Some(libc::ESRCH))
}

/// Waits at most `millis` until `fd` can be written to without blocking. Returns true if it can.
pub fn poll_writable(fd: BorrowedFd<'_>, millis: u16) -> bool {
    let mut poll = libc::pollfd {
        fd: fd.as_raw_fd(),
        events: libc::POLLOUT,
        revents: 0,
    };
    // SAFETY: `poll` is one live pollfd, as the count says.
    let ready = unsafe { libc::poll(&mut poll, 1, i32::from(millis)) };
    ready == 1 && poll.revents & libc::POLLOUT != 0
}

/// A resource limit; `u64::MAX` stands for no limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limit {
    /// The limit in force.
    pub soft: u64,
    /// The most to which the process may raise it.
    pub hard: u64,
}

/// The limits this program touches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// Bytes of a core dump.
    Core,
    /// Open descriptors.
    Nofile,
}

/// The limit now in force.
pub fn limit(resource: Resource) -> io::Result<Limit> {
    let mut raw = libc::rlimit {
        rlim_cur: 0,
        rlim_max: 0,
    };
    // SAFETY: `raw` is a live rlimit for the call to fill in. The resource number's C type differs
    // between C libraries, so the constant is passed where its type is known.
    check(unsafe {
        match resource {
            Resource::Core => libc::getrlimit(libc::RLIMIT_CORE, &mut raw),
            Resource::Nofile => libc::getrlimit(libc::RLIMIT_NOFILE, &mut raw),
        }
    })?;
    Ok(Limit {
        soft: raw.rlim_cur,
        hard: raw.rlim_max,
    })
}

/// Sets a limit.
pub fn set_limit(resource: Resource, limit: Limit) -> io::Result<()> {
    let raw = libc::rlimit {
        rlim_cur: limit.soft,
        rlim_max: limit.hard,
    };
    // SAFETY: `raw` is a live rlimit that the call only reads.
    check(unsafe {
        match resource {
            Resource::Core => libc::setrlimit(libc::RLIMIT_CORE, &raw),
            Resource::Nofile => libc::setrlimit(libc::RLIMIT_NOFILE, &raw),
        }
    })
    .map(drop)
}

/// The resource usage of the whole process; `None` if the call fails.
fn usage() -> Option<libc::rusage> {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` is room for one rusage, which the call fills in.
    if unsafe { libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr()) } != 0 {
        return None;
    }
    // SAFETY: all-zero is a valid rusage (integers only) and the call succeeded.
    Some(unsafe { usage.assume_init() })
}

/// The largest resident set the process ever had, in KiB.
pub fn peak_rss_kib() -> u64 {
    let peak = usage().map_or(0, |usage| u64::try_from(usage.ru_maxrss).unwrap_or(0));
    // Linux and the BSDs count KiB, macOS bytes.
    if cfg!(target_os = "macos") {
        peak / 1024
    } else {
        peak
    }
}

/// Processor time the process has used, user and system, in µs.
pub fn cpu_us() -> u64 {
    let micros = |time: libc::timeval| {
        let (secs, rest) = (u64::try_from(time.tv_sec), u64::try_from(time.tv_usec));
        secs.unwrap_or(0) * 1_000_000 + rest.unwrap_or(0)
    };
    usage().map_or(0, |usage| micros(usage.ru_utime) + micros(usage.ru_stime))
}

/// Bytes in a page of memory.
pub fn page_size() -> u64 {
    // SAFETY: no memory is involved.
    u64::try_from(unsafe { libc::sysconf(libc::_SC_PAGESIZE) }).unwrap_or(4096)
}

/// Ignores SIGPIPE: writing to a closed socket is an error, not a death.
pub fn ignore_sigpipe() {
    // SAFETY: SIG_IGN installs no handler, so nothing of ours can run in a signal context.
    unsafe { libc::signal(libc::SIGPIPE, libc::SIG_IGN) };
}

/// Gives free memory of the allocator back to the system. Nothing happens unless the C library is
/// glibc.
pub fn malloc_trim() {
    // SAFETY: malloc_trim takes the allocator's own locks and moves no live allocation.
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    unsafe {
        libc::malloc_trim(0);
    }
}

/// The machine's host name, `unknown` if it has none.
pub fn hostname() -> String {
    let mut name = [0u8; 256];
    // SAFETY: the pointer and length describe `name`. One byte less leaves a NUL at the end even
    // where a long name is cut without one.
    let result = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) };
    match CStr::from_bytes_until_nul(&name) {
        Ok(name) if result == 0 && !name.is_empty() => name.to_string_lossy().into_owned(),
        _ => "unknown".to_owned(),
    }
}

/// The operating system, for the first line of the log: `<sysname> <release> <machine>`.
pub fn system() -> String {
    let mut uts = MaybeUninit::<libc::utsname>::zeroed();
    // SAFETY: `uts` is room for one utsname, which the call fills in.
    if unsafe { libc::uname(uts.as_mut_ptr()) } != 0 {
        return "unknown".to_owned();
    }
    // SAFETY: all-zero is a valid utsname (arrays of characters) and the call succeeded.
    let uts = unsafe { uts.assume_init() };
    let text = |field: &[libc::c_char]| -> String {
        field
            .iter()
            .map(|&c| c as u8)
            .take_while(|&c| c != 0)
            .map(char::from)
            .collect()
    };
    format!(
        "{} {} {}",
        text(&uts.sysname),
        text(&uts.release),
        text(&uts.machine)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_is_told_as_strerror_tells_it() {
        assert_eq!(
            reason(&io::Error::from_raw_os_error(libc::ENOENT)),
            "No such file or directory"
        );
        assert_eq!(
            reason(&io::Error::other("odd (os error 1)")),
            "odd (os error 1)"
        );
    }

    #[test]
    fn processes_exist_or_not() {
        assert!(process_exists(std::process::id()));
        assert!(process_exists(1));
        assert!(!process_exists(0));
        assert!(!process_exists(u32::MAX));
    }

    #[test]
    fn local_time_is_within_a_day_of_utc() {
        // Noon of 2 July 2023 UTC; any zone is on 1, 2 or 3 July.
        let time = local_time(1_688_299_200).unwrap();
        assert_eq!((time.year, time.month), (2023, 7));
        assert!((1..=3).contains(&time.day));
        assert_eq!(local_time(u64::MAX), None);
    }

    #[test]
    fn the_machine_has_a_name_and_a_kind() {
        assert!(!hostname().is_empty());
        assert_eq!(system().split(' ').count(), 3);
        assert!(peak_rss_kib() > 0);
    }
}
