//! Signals, handled in the event loop.
//!
//! | signal | action of the caller |
//! |---|---|
//! | HUP | reopens the log file, reads the configuration again |
//! | USR1 | reopens the log file, and nothing else: for logrotate |
//! | INT, TERM | stops gracefully; at the second one exits at once with 1 |
//! | USR2 | nothing but the line in the log |
//! | TTIN, TTOU | raises, lowers the log level |
//! | PIPE | ignored |
//! | all others | the system's default |
//!
//! Signals of one kind that arrive before they are read count as one.

use std::io;

use mio::event::Source;
use mio::{Interest, Registry, Token};

use crate::sys;

/// A signal the node acts on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Signal {
    /// Reopen the log file, read the configuration again.
    Hup,
    /// Stop.
    Int,
    /// Stop.
    Term,
    /// Reopen the log file.
    Usr1,
    /// Nothing but a log line.
    Usr2,
    /// Raise the log level.
    Ttin,
    /// Lower the log level.
    Ttou,
}

struct Row {
    signal: Signal,
    number: i32,
    name: &'static str,
    action: &'static str,
}

const TABLE: [Row; 7] = [
    Row {
        signal: Signal::Hup,
        number: libc::SIGHUP,
        name: "SIGHUP",
        action: ", reopening log file, reading the configuration again",
    },
    Row {
        signal: Signal::Int,
        number: libc::SIGINT,
        name: "SIGINT",
        action: ", exiting",
    },
    Row {
        signal: Signal::Term,
        number: libc::SIGTERM,
        name: "SIGTERM",
        action: ", exiting",
    },
    Row {
        signal: Signal::Usr1,
        number: libc::SIGUSR1,
        name: "SIGUSR1",
        action: ", reopening log file",
    },
    Row {
        signal: Signal::Usr2,
        number: libc::SIGUSR2,
        name: "SIGUSR2",
        action: "",
    },
    Row {
        signal: Signal::Ttin,
        number: libc::SIGTTIN,
        name: "SIGTTIN",
        action: ", up logging level",
    },
    Row {
        signal: Signal::Ttou,
        number: libc::SIGTTOU,
        name: "SIGTTOU",
        action: ", down logging level",
    },
];

impl Signal {
    /// The line to log on arrival, e.g. `signal 15 (SIGTERM) received, exiting`: the C original's words,
    /// followed by actions that the original does not take.
    pub fn text(self) -> String {
        match TABLE.iter().find(|row| row.signal == self) {
            Some(row) => format!(
                "signal {} ({}) received{}",
                row.number, row.name, row.action
            ),
            None => String::new(),
        }
    }
}

/// The signals that arrived, as an event source: readable when [`Signals::pending`] has something.
pub struct Signals(signal_hook_mio::v1_0::Signals);

impl Signals {
    /// Takes over the signals of the table and ignores SIGPIPE.
    ///
    /// # Errors
    /// When the pipe behind it cannot be made or a handler cannot be installed.
    pub fn new() -> io::Result<Signals> {
        sys::ignore_sigpipe();
        signal_hook_mio::v1_0::Signals::new(TABLE.map(|row| row.number)).map(Signals)
    }

    /// The signals that arrived since the last call, each kind once, in no particular order.
    pub fn pending(&mut self) -> impl Iterator<Item = Signal> + '_ {
        self.0.pending().filter_map(|number| {
            TABLE
                .iter()
                .find(|row| row.number == number)
                .map(|row| row.signal)
        })
    }
}

impl Source for Signals {
    fn register(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.0.register(registry, token, interest)
    }

    fn reregister(
        &mut self,
        registry: &Registry,
        token: Token,
        interest: Interest,
    ) -> io::Result<()> {
        self.0.reregister(registry, token, interest)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.0.deregister(registry)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lines_begin_as_the_originals() {
        assert_eq!(
            Signal::Usr1.text(),
            format!(
                "signal {} (SIGUSR1) received, reopening log file",
                libc::SIGUSR1
            )
        );
        for (signal, text) in [
            (
                Signal::Hup,
                "signal 1 (SIGHUP) received, reopening log file, reading the configuration again",
            ),
            (Signal::Int, "signal 2 (SIGINT) received, exiting"),
            (Signal::Term, "signal 15 (SIGTERM) received, exiting"),
            (
                Signal::Ttin,
                "signal 21 (SIGTTIN) received, up logging level",
            ),
            (
                Signal::Ttou,
                "signal 22 (SIGTTOU) received, down logging level",
            ),
        ] {
            assert_eq!(signal.text(), text);
        }
    }

    #[test]
    fn a_signal_wakes_the_poll() {
        let mut poll = mio::Poll::new().unwrap();
        let mut signals = Signals::new().unwrap();
        poll.registry()
            .register(&mut signals, Token(3), Interest::READABLE)
            .unwrap();
        signal_hook::low_level::raise(libc::SIGUSR2).unwrap();
        let mut events = mio::Events::with_capacity(4);
        while events.is_empty() {
            // The signal itself may interrupt the wait.
            match poll.poll(&mut events, None) {
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                result => result.unwrap(),
            }
        }
        assert!(events.iter().all(|e| e.token() == Token(3)));
        assert_eq!(signals.pending().collect::<Vec<_>>(), [Signal::Usr2]);
        assert_eq!(signals.pending().count(), 0);
    }
}
