//! What is done to processes, and waiting for what comes of it.

use super::PATIENCE;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long to wait before something is looked at again.
const POLL: Duration = Duration::from_millis(5);

/// Waits until `condition` holds. `what` says which, if it does not come to hold.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(POLL);
    }
}

/// Stops a process of ours where it is; its sockets stay open. Returns when it stands.
#[track_caller]
pub fn pause(pid: u32) {
    signal("-STOP", pid);
    eventually("the process stands", || state(pid) == Some('T'));
}

/// Lets a paused process go on.
#[track_caller]
pub fn resume(pid: u32) {
    signal("-CONT", pid);
}

/// Sends a signal, written as `kill` wants it.
#[track_caller]
pub fn signal(name: &str, pid: u32) {
    let sent = Command::new("kill").args([name, &pid.to_string()]).status();
    assert!(sent.is_ok_and(|status| status.success()), "kill {name}");
}

/// The letter `ps` shows.
fn state(pid: u32) -> Option<char> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// Returns true if a program is installed in this version; else says which one is.
pub fn is_installed(program: &str, option: &str, wanted: &str) -> bool {
    let output = Command::new(program).arg(option).output();
    let output =
        output.unwrap_or_else(|e| panic!("{program} must be in PATH for these tests: {e}"));
    let version = String::from_utf8_lossy(&output.stdout).into_owned();
    let is_wanted = version.contains(wanted);
    if !is_wanted {
        eprintln!("not compared with {program} {wanted}: installed is {version}");
    }
    is_wanted
}
