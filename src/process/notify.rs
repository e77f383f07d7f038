//! Messages to the service manager (`sd_notify(3)`): readiness, the node's state, the watchdog.
//!
//! Nothing happens unless `NOTIFY_SOCKET` is set, and a message that cannot be sent is no
//! error: the node serves all the same.
//!
//! Messages about start and end are sent once and wait for room. In between the event loop itself
//! sends a [`Heartbeat`]: a loop that hangs sends none, and a unit with `WatchdogSec=` is
//! restarted.

use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

/// Longest time between two looks at the node's state, and so the age of the `STATUS=` shown.
const STATUS_EVERY: Duration = Duration::from_secs(5);
/// Heartbeats sent within the time limit of the watchdog.
const PER_WATCHDOG: u32 = 3;

/// The listeners are up. `status` is shown by `systemctl status`.
pub fn ready(status: &str) {
    send(&format!("READY=1\nSTATUS={}", one_line(status)));
}

/// The node has begun to stop.
pub fn stopping(status: &str) {
    send(&format!("STOPPING=1\nSTATUS={}", one_line(status)));
}

/// Returns true if a service manager waits for the message that the node serves (`Type=notify`).
pub fn is_awaited() -> bool {
    Manager::from_env().is_some()
}

/// Sends, and waits for room.
fn send(message: &str) {
    if let Some(manager) = Manager::from_env() {
        manager.send(message);
    }
}

/// The heartbeat of a running event loop: `WATCHDOG=1` (as often as
/// `WATCHDOG_USEC` requires, see `sd_watchdog_enabled(3)`), and the node's state when that has changed.
#[derive(Debug)]
pub struct Heartbeat {
    manager: Manager,
    /// True if a watchdog waits for it.
    watched: bool,
    every_us: u64,
    next_us: u64,
    /// The latest `STATUS=`.
    status: String,
}

impl Heartbeat {
    /// One that is due at once; none if no service manager listens.
    pub fn from_env() -> Option<Heartbeat> {
        let manager = Manager::from_env()?;
        // The event loop never blocks; a message without room is sent again.
        manager.socket.set_nonblocking(true).ok()?;
        let watchdog = watchdog(|name| std::env::var(name).ok(), std::process::id());
        let every = watchdog.map_or(STATUS_EVERY, |limit| STATUS_EVERY.min(limit / PER_WATCHDOG));
        Some(Heartbeat {
            manager,
            watched: watchdog.is_some(),
            every_us: (every.as_micros() as u64).max(1000),
            next_us: 0,
            status: String::new(),
        })
    }

    /// When [`Heartbeat::tick`] is due next, in µs of the caller's monotonic clock.
    pub fn next_deadline(&self) -> u64 {
        self.next_us
    }

    /// Sends the messages due at `now_us`; `status` is called only if one is due.
    pub fn tick(&mut self, now_us: u64, status: impl FnOnce() -> String) {
        if now_us < self.next_us {
            return;
        }
        self.next_us = now_us + self.every_us;
        let status = one_line(&status());
        let changed = status != self.status;
        let message = match (self.watched, changed) {
            (true, false) => "WATCHDOG=1".to_owned(),
            (true, true) => format!("WATCHDOG=1\nSTATUS={status}"),
            (false, true) => format!("STATUS={status}"),
            (false, false) => return,
        };
        if self.manager.send(&message) {
            self.status = status;
        }
    }
}

/// The limit of this process's watchdog, if it has one. `WATCHDOG_PID` may name another process.
fn watchdog(env: impl Fn(&str) -> Option<String>, pid: u32) -> Option<Duration> {
    let limit: u64 = env("WATCHDOG_USEC")?.parse().ok()?;
    let meant = env("WATCHDOG_PID").is_none_or(|text| text.parse() == Ok(pid));
    (meant && limit > 0).then(|| Duration::from_micros(limit))
}

/// The socket on which the service manager listens.
#[derive(Debug)]
struct Manager {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl Manager {
    fn from_env() -> Option<Manager> {
        let name = std::env::var("NOTIFY_SOCKET").ok()?;
        let address = match name.strip_prefix('@') {
            Some(abstract_name) => SocketAddr::from_abstract_name(abstract_name),
            None => SocketAddr::from_pathname(&name),
        };
        Some(Manager {
            socket: UnixDatagram::unbound().ok()?,
            address: address.ok()?,
        })
    }

    /// Returns true if the message was sent.
    fn send(&self, message: &str) -> bool {
        self.socket
            .send_to_addr(message.as_bytes(), &self.address)
            .is_ok()
    }
}

/// A line end inside a status would begin another variable of the protocol.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_stays_one_line() {
        assert_eq!(
            one_line("state NORMAL\nMAINPID=1\r"),
            "state NORMAL MAINPID=1 "
        );
    }

    #[test]
    fn a_watchdog_is_this_process_or_nobody() {
        for (usec, pid, limit) in [
            (Some("3000000"), None, Some(3_000_000)),
            (Some("3000000"), Some("7"), Some(3_000_000)),
            (Some("3000000"), Some("8"), None),
            (Some("3000000"), Some("x"), None),
            (Some("0"), None, None),
            (Some("soon"), None, None),
            (None, Some("7"), None),
        ] {
            let env = |name: &str| {
                let value = if name == "WATCHDOG_PID" { pid } else { usec };
                value.map(str::to_owned)
            };
            let expected = limit.map(Duration::from_micros);
            assert_eq!(watchdog(env, 7), expected, "{usec:?} {pid:?}");
        }
    }

    /// A heartbeat towards `listener`.
    fn heartbeat(watched: bool) -> (Heartbeat, UnixDatagram, tempfile::TempDir) {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("notify");
        let listener = UnixDatagram::bind(&path).unwrap();
        listener.set_nonblocking(true).unwrap();
        let manager = Manager {
            socket: UnixDatagram::unbound().unwrap(),
            address: SocketAddr::from_pathname(&path).unwrap(),
        };
        manager.socket.set_nonblocking(true).unwrap();
        let heartbeat = Heartbeat {
            manager,
            watched,
            every_us: 100,
            next_us: 0,
            status: String::new(),
        };
        (heartbeat, listener, dir)
    }

    fn heard(listener: &UnixDatagram) -> Option<String> {
        let mut text = [0; 256];
        let n = listener.recv(&mut text).ok()?;
        Some(String::from_utf8_lossy(&text[..n]).into_owned())
    }

    #[test]
    fn the_watchdog_is_fed_when_due_and_a_status_told_once() {
        let (mut heartbeat, listener, _dir) = heartbeat(true);
        let mut at = |us| {
            heartbeat.tick(us, || "NORMAL".to_owned());
            (heard(&listener), heartbeat.next_deadline())
        };
        assert_eq!(at(5), (Some("WATCHDOG=1\nSTATUS=NORMAL".into()), 105));
        assert_eq!(at(104), (None, 105));
        assert_eq!(at(105), (Some("WATCHDOG=1".into()), 205));
    }

    #[test]
    fn without_a_watchdog_only_changes_are_told() {
        let (mut heartbeat, listener, _dir) = heartbeat(false);
        for (at, state, expected) in [
            (1, "NORMAL", Some("STATUS=NORMAL")),
            (101, "NORMAL", None),
            (201, "STANDBY", Some("STATUS=STANDBY")),
        ] {
            heartbeat.tick(at, || state.to_owned());
            assert_eq!(heard(&listener).as_deref(), expected, "{state} at {at}");
        }
    }

    /// A service manager that hangs must not hold up the loop.
    #[test]
    fn nobody_who_listens_is_waited_for() {
        let (mut heartbeat, listener, _dir) = heartbeat(true);
        // Far more than any queue of datagrams takes.
        for turn in 0..10_000 {
            heartbeat.tick(turn * 100, || turn.to_string());
        }
        while heard(&listener).is_some() {}
        heartbeat.tick(10_000_000, || "there again".to_owned());
        assert_eq!(
            heard(&listener).as_deref(),
            Some("WATCHDOG=1\nSTATUS=there again")
        );
    }
}
