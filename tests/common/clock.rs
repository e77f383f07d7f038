//! A machine's clock that is wrong, for the processes that a test starts.

use std::path::PathBuf;
use std::process::Command;

/// What the C library is asked for the time of day by `clock_gettime`, `gettimeofday` and `time`. `AHEAD` is defined
/// on the command line. It asks the kernel itself, since a program's allocator may ask for the time before the next
/// library's functions can be looked up.
const SOURCE: &str = r"
#define _GNU_SOURCE
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t clock, struct timespec *at) {
    int failed = syscall(SYS_clock_gettime, clock, at);
    if (!failed && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) at->tv_sec += AHEAD;
    return failed;
}

int gettimeofday(struct timeval *restrict at, void *restrict zone) {
    struct timespec now;
    (void)zone;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}

time_t time(time_t *at) {
    struct timespec now;
    if (clock_gettime(CLOCK_REALTIME, &now)) return -1;
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
";

/// A library that puts the time of day forward or back in every process that loads it first. Clocks that only measure
/// durations stay right.
#[derive(Debug)]
pub struct WrongClock {
    dir: tempfile::TempDir,
}

impl WrongClock {
    /// One that is ahead by so many seconds, or behind. It is compiled by the C compiler that links Rust programs.
    #[track_caller]
    pub fn ahead(seconds: i64) -> WrongClock {
        let clock = WrongClock {
            dir: tempfile::tempdir().expect("a temporary directory"),
        };
        let source = clock.dir.path().join("clock.c");
        std::fs::write(&source, SOURCE).expect("a file in a fresh directory");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .arg(clock.library())
            .arg(format!("-DAHEAD=({seconds})"))
            .arg(&source)
            .status();
        let compiled = compiled.expect("cc must be in PATH, as for building");
        assert!(compiled.success(), "cc does not compile the wrong clock");
        clock
    }

    fn library(&self) -> PathBuf {
        self.dir.path().join("clock.so")
    }

    /// The variable of the environment that gives this clock to a process.
    pub fn env(&self) -> (String, String) {
        (
            "LD_PRELOAD".to_owned(),
            self.library().display().to_string(),
        )
    }
}
