//! Daemon mode (`-d`).
//!
//! Two forks with a new session between them, so that the daemon leads no session and can never
//! acquire a terminal. The working directory is kept: relative `-o`, `-p`, `-c` and PEM paths go on
//! working. The umask becomes 022, standard input, output and error become `/dev/null`.
//!
//! The process that was started waits until the daemon reports through a pipe: it exits 0 when the
//! daemon serves; it prints the daemon's error on its own stderr and exits 1 when the start failed,
//! also when the daemon dies without a report. (The C original exits 0 as soon as it has forked.)

use std::fs::OpenOptions;
use std::io::{self, PipeReader, PipeWriter, Read, Write};

use crate::sys::{self, Fork, reason};

/// The first byte of a report: the daemon serves.
const READY: u8 = b'+';
/// The first byte of a report: the start failed; the message follows.
const FAILED: u8 = b'-';
/// The longest report that is read.
const LONGEST: u64 = 64 * 1024;

/// The daemon's report to the process that started it. Dropping it without a report counts as
/// failure.
#[derive(Debug)]
pub struct Report(PipeWriter);

impl Report {
    /// The listeners are up and the pid file is written: the waiting process exits 0.
    pub fn ready(self) {
        self.send(&[READY]);
    }

    /// The start failed: the waiting process prints `message` and a line feed, and exits 1.
    pub fn failed(self, message: &str) {
        let mut text = vec![FAILED];
        text.extend_from_slice(message.as_bytes());
        self.send(&text);
    }

    /// Errors are ignored: the waiting process is gone then.
    fn send(mut self, text: &[u8]) {
        let _ = self.0.write_all(text);
    }
}

/// Puts the process into the background. Returns only in the daemon; the calling process waits for
/// the daemon's report and exits.
///
/// Call it before any thread is started and before the pid file is written.
///
/// # Errors
/// `daemonize failed: <strerror>`, in the process that called; the process is unchanged then, apart
/// from what a fork that could not be completed left behind.
pub fn daemonize() -> Result<Report, String> {
    enter().map_err(|e| format!("daemonize failed: {}", reason(&e)))
}

fn enter() -> io::Result<Report> {
    let (reader, writer) = io::pipe()?;
    if let Fork::Parent(_) = sys::fork()? {
        drop(writer);
        let status = await_report(reader, &mut io::stderr());
        sys::exit_now(status);
    }
    // From here on the errors are reported through the pipe: the caller waits at its other end.
    drop(reader);
    let report = Report(writer);
    match detach() {
        Ok(()) => Ok(report),
        Err(e) => {
            report.failed(&format!("daemonize failed: {}", reason(&e)));
            sys::exit_now(1);
        }
    }
}

/// In the first child: becomes the daemon, or ends.
fn detach() -> io::Result<()> {
    sys::setsid()?;
    if let Fork::Parent(_) = sys::fork()? {
        sys::exit_now(0);
    }
    sys::umask(0o022);
    let null = OpenOptions::new()
        .read(true)
        .write(true)
        .open("/dev/null")?;
    sys::redirect_stdio(&null)
}

/// Reads the report to its end and returns the exit status; error messages go to `stderr`.
fn await_report(reader: PipeReader, stderr: &mut dyn Write) -> i32 {
    let mut report = Vec::new();
    let read = reader.take(LONGEST).read_to_end(&mut report);
    let message = match (read, report.split_first()) {
        (Ok(_), Some((&READY, _))) => return 0,
        (Ok(_), Some((&FAILED, message))) => String::from_utf8_lossy(message).into_owned(),
        (Err(e), _) => format!("dynomite: waiting for the daemon failed: {}", reason(&e)),
        _ => "dynomite: the daemon ended before it was ready".to_owned(),
    };
    let _ = writeln!(stderr, "{message}");
    1
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The exit status and stderr of the waiting process after what `daemon` reports.
    fn outcome(daemon: impl FnOnce(Report)) -> (i32, String) {
        let (reader, writer) = io::pipe().unwrap();
        daemon(Report(writer));
        let mut stderr = Vec::new();
        let status = await_report(reader, &mut stderr);
        (status, String::from_utf8(stderr).unwrap())
    }

    #[test]
    fn the_waiting_process_tells_what_became_of_the_daemon() {
        assert_eq!(outcome(Report::ready), (0, String::new()));
        assert_eq!(
            outcome(|r| r.failed("bind failed\nsecond")),
            (1, "bind failed\nsecond\n".into())
        );
        assert_eq!(
            outcome(drop),
            (1, "dynomite: the daemon ended before it was ready\n".into())
        );
    }

    #[test]
    fn a_daemon_whose_starter_is_gone_goes_on() {
        let (reader, writer) = io::pipe().unwrap();
        drop(reader);
        Report(writer).ready();
    }
}
