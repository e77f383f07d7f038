//! Daemon mode: the process that was started reports whether the daemon has started.

use crate::process_life::process::{Client, Conf, DYNOMITE, free_address, run, signal, until};
use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

/// A daemon, ended by its pid when dropped.
struct Daemon(u32);

impl Daemon {
    fn of(pid_file: &Path) -> Daemon {
        Daemon(fs::read_to_string(pid_file).unwrap().parse().unwrap())
    }

    fn is_gone(&self) -> bool {
        // Without a process that reaps orphans it stays as a zombie.
        fs::read_to_string(format!("/proc/{}/stat", self.0)).map_or(true, |stat| {
            stat.rsplit_once(") ")
                .is_none_or(|(_, state)| state.starts_with('Z'))
        })
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if !self.is_gone() {
            signal("KILL", self.0);
        }
    }
}

#[test]
fn the_parent_exits_0_when_the_daemon_serves() {
    let dir = tempfile::tempdir().unwrap();
    let conf = Conf::new(dir.path());
    conf.write();
    // Relative paths mean the directory of the caller.
    let outcome = run(Command::new(DYNOMITE)
        .args(["-d", "-c", "dynomite.yml", "-o", "d.log", "-p", "d.pid"])
        .current_dir(dir.path()));
    assert_eq!(
        (outcome.code(), &*outcome.stderr),
        (Some(0), ""),
        "{outcome:?}"
    );
    // No waiting: it serves when its parent has returned.
    let mut client = Client::connect(conf.get("listen")).unwrap();
    let pid_file = dir.path().join("d.pid");
    let daemon = Daemon::of(&pid_file);
    client.alive();
    for fd in 0..3 {
        let target = fs::read_link(format!("/proc/{}/fd/{fd}", daemon.0)).unwrap();
        assert_eq!(target, Path::new("/dev/null"));
    }
    assert_eq!(
        fs::read_link(format!("/proc/{}/cwd", daemon.0)).unwrap(),
        fs::canonicalize(dir.path()).unwrap()
    );
    let stat = fs::read_to_string(format!("/proc/{}/stat", daemon.0)).unwrap();
    let session: u32 = stat
        .rsplit_once(") ")
        .unwrap()
        .1
        .split(' ')
        .nth(3)
        .unwrap()
        .parse()
        .unwrap();
    assert_ne!(session, daemon.0, "it leads no session");
    assert_ne!(
        session,
        session_of(std::process::id()),
        "it has left its parent's session"
    );
    signal("TERM", daemon.0);
    until("the end of the daemon", || daemon.is_gone().then_some(()));
    assert!(!pid_file.exists());
    let log = fs::read_to_string(dir.path().join("d.log")).unwrap();
    assert!(log.ends_with(" done, rabbit done\n"), "{log}");
}

fn session_of(pid: u32) -> u32 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ")
        .unwrap()
        .1
        .split(' ')
        .nth(3)
        .unwrap()
        .parse()
        .unwrap()
}

/// The C original's parent exited 0 before the daemon had read its configuration.
#[test]
fn the_parent_exits_1_when_the_daemon_cannot_serve() {
    let dir = tempfile::tempdir().unwrap();
    let taken = TcpListener::bind(free_address()).unwrap();
    let taken_addr = taken.local_addr().unwrap().to_string();
    let in_use = format!("to addr '{taken_addr}' failed: Address already in use");
    let conf = || Conf::new(dir.path());
    for (conf, pid, reason) in [
        (conf().set("listen", &taken_addr), "d.pid", &*in_use),
        (conf().set("dyn_listen", &taken_addr), "d.pid", &*in_use),
        (conf().set("stats_listen", &taken_addr), "d.pid", &*in_use),
        (
            conf().set("bogus", 1),
            "d.pid",
            "directive \"bogus\" is unknown",
        ),
        (
            conf(),
            "no/d.pid",
            "no/d.pid' failed: No such file or directory",
        ),
    ] {
        for log in [&["-o", "d.log"][..], &[]] {
            let outcome = run(conf
                .command()
                .args(["-d", "-p", pid])
                .args(log)
                .current_dir(dir.path()));
            assert_eq!(outcome.code(), Some(1), "{reason}: {outcome:?}");
            assert!(
                outcome.stderr.contains(reason),
                "{reason}: {}",
                outcome.stderr
            );
            assert!(
                !dir.path().join(pid).exists(),
                "{reason}: the pid file is left behind"
            );
        }
    }
    let log = fs::read_to_string(dir.path().join("d.log")).unwrap();
    assert!(
        log.contains(&in_use) && log.contains("directive \"bogus\" is unknown"),
        "{log}"
    );
}
