//! Readiness for systemd (`sd_notify`). Nothing happens unless `NOTIFY_SOCKET` is set, and a
//! message that cannot be sent is not worth an error: the node serves all the same.

use sd_notify::NotifyState;

/// The listeners are up. `status` is shown by `systemctl status`.
pub fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(&one_line(status))]);
}

/// The node has begun to stop.
pub fn stopping(status: &str) {
    send(&[
        NotifyState::Stopping,
        NotifyState::Status(&one_line(status)),
    ]);
}

fn send(states: &[NotifyState<'_>]) {
    let _ = sd_notify::notify(states);
}

/// A line end inside a status would begin another variable of the protocol.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_status_stays_one_line() {
        assert_eq!(
            super::one_line("state NORMAL\nMAINPID=1\r"),
            "state NORMAL MAINPID=1 "
        );
    }
}
