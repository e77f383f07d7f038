//! One line of the log: `[YYYY-MM-DD HH:MM:SS.mmm] <module>:<line> <message>` and a line feed; with
//! `DYNOMITE_LOG_SEVERITY=1`, `... <module>:<line> <severity>: <message>`.
//!
//! The layout is the C original's, in local time; its second field was a function, ours is the last
//! part of the module's path, so that tools that split on the first colon go on working. Nothing is
//! cut.
//!
//! Control characters of the message are escaped (`\n`, `\r`, `\t`, `\x1b`, `\u{85}`), because
//! parts of it come from clients and peers: a key cannot forge a line or drive a terminal. A
//! backslash itself is left as it is; a line is for reading, not for decoding.

use std::fmt::{self, Arguments, Write};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::sys;

/// The statement that logs a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Site {
    /// The module's path, e.g. `dynomite::reactor::listener`.
    pub module: &'static str,
    /// The line in its file.
    pub line: u32,
}

/// How serious a line is, in one word.
fn word(severity: log::Level) -> &'static str {
    match severity {
        log::Level::Error => "error",
        log::Level::Warn => "warning",
        log::Level::Info => "info",
        log::Level::Debug | log::Level::Trace => "debug",
    }
}

/// The line, with its line feed, as of `wall`; it shows `severity` if there is one.
pub fn line(
    wall: SystemTime,
    severity: Option<log::Level>,
    site: Site,
    message: &Arguments<'_>,
) -> String {
    let mut text = String::with_capacity(128);
    stamp(&mut text, wall);
    let module = site.module.rsplit("::").next().unwrap_or_default();
    // Writing to a String cannot fail; a Display that fails leaves a shorter line.
    let _ = write!(text, " {module}:{} ", site.line);
    if let Some(severity) = severity {
        let _ = write!(text, "{}: ", word(severity));
    }
    let _ = write!(Escaped(&mut text), "{message}");
    text.push('\n');
    text
}

fn stamp(text: &mut String, wall: SystemTime) {
    let since = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    let millis = since.subsec_millis();
    let _ = match sys::local_time(since.as_secs()) {
        Some(t) => write!(
            text,
            "[{:04}-{:02}-{:02} {:02}:{:02}:{:02}.{millis:03}]",
            t.year, t.month, t.day, t.hour, t.minute, t.second
        ),
        None => write!(text, "[0000-00-00 00:00:00.{millis:03}]"),
    };
}

/// Escapes control characters on the way into a string.
struct Escaped<'a>(&'a mut String);

impl Write for Escaped<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        let mut rest = part;
        while let Some(at) = rest.find(char::is_control) {
            let (plain, from) = rest.split_at(at);
            self.0.push_str(plain);
            let mut chars = from.chars();
            if let Some(c) = chars.next() {
                match c {
                    '\n' | '\r' | '\t' => self.0.extend(c.escape_default()),
                    c if c.is_ascii() => write!(self.0, "\\x{:02x}", u32::from(c))?,
                    c => self.0.extend(c.escape_unicode()),
                }
            }
            rest = chars.as_str();
        }
        self.0.push_str(rest);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(millis: u64, message: &str) -> String {
        let site = Site {
            module: "dynomite::reactor::listener",
            line: 42,
        };
        line(
            UNIX_EPOCH + Duration::from_millis(millis),
            None,
            site,
            &format_args!("{message}"),
        )
    }

    #[test]
    fn has_the_originals_layout() {
        let text = at(1_688_299_200_007, "accepted <CONN_CLIENT>");
        let (stamp, rest) = text.split_at(26);
        assert_eq!(rest, "listener:42 accepted <CONN_CLIENT>\n");
        let shape: String = stamp
            .chars()
            .map(|c| if c.is_ascii_digit() { '9' } else { c })
            .collect();
        assert_eq!(shape, "[9999-99-99 99:99:99.999] ");
        assert!(
            stamp.starts_with("[2023-07-0") && stamp.ends_with(".007] "),
            "{stamp}"
        );
    }

    #[test]
    fn a_message_cannot_forge_a_line() {
        let text = at(0, "key 'a\r\n[2026\t\u{1b}[2J\u{0}\u{7f}\u{85}é\\n'");
        assert!(
            text.ends_with("key 'a\\r\\n[2026\\t\\x1b[2J\\x00\\x7f\\u{85}é\\n'\n"),
            "{text}"
        );
        assert_eq!(text.matches('\n').count(), 1);
    }

    #[test]
    fn long_lines_are_whole() {
        assert_eq!(
            at(0, &"x".repeat(100_000)).len(),
            26 + "listener:42 ".len() + 100_000 + 1
        );
    }
}
