//! The limit of log lines per statement.
//!
//! A statement in a loop (descriptors exhausted, a datastore that refuses) must not fill a disk.
//! Per statement and second, 10 errors or warnings and 100 other lines pass; suppressed lines are
//! counted, and reported in one line when the statement's second is over. A log level above 5 is a
//! request to see everything: only errors and warnings are limited then.

use std::collections::HashMap;

use super::log_line::Site;

/// Lines of one statement per second, errors and warnings.
pub const FAILURES_PER_SECOND: u32 = 10;
/// Lines of one statement per second, all others at level 5 and below.
pub const OTHERS_PER_SECOND: u32 = 100;
/// Statements counted. There are fewer in the program; more would pass unlimited.
const SITES: usize = 4096;
/// The level up to which all lines are limited.
const QUIET_LEVEL: u8 = 5;
const SECOND_MS: u64 = 1000;

#[derive(Debug)]
struct Count {
    since_ms: u64,
    written: u32,
    suppressed: u64,
}

/// The decision about a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Write it.
    Write,
    /// Report this many suppressed lines of the statement, then write it.
    WriteAfter(u64),
    /// Suppress it; it is counted.
    Suppress,
}

/// The counts of all statements.
#[derive(Debug, Default)]
pub struct Limiter {
    sites: HashMap<Site, Count>,
}

impl Limiter {
    /// Decides about a line of `site` at `now_ms` (any clock that does not go backwards), while the
    /// log level is `level`.
    pub fn admit(&mut self, site: Site, severity: log::Level, level: u8, now_ms: u64) -> Verdict {
        let most = match severity {
            log::Level::Error | log::Level::Warn => FAILURES_PER_SECOND,
            _ if level <= QUIET_LEVEL => OTHERS_PER_SECOND,
            _ => return Verdict::Write,
        };
        if self.sites.len() >= SITES && !self.sites.contains_key(&site) {
            return Verdict::Write;
        }
        let count = self.sites.entry(site).or_insert(Count {
            since_ms: now_ms,
            written: 0,
            suppressed: 0,
        });
        if now_ms.saturating_sub(count.since_ms) >= SECOND_MS {
            let suppressed = count.suppressed;
            *count = Count {
                since_ms: now_ms,
                written: 1,
                suppressed: 0,
            };
            return if suppressed > 0 {
                Verdict::WriteAfter(suppressed)
            } else {
                Verdict::Write
            };
        }
        if count.written < most {
            count.written += 1;
            Verdict::Write
        } else {
            count.suppressed += 1;
            Verdict::Suppress
        }
    }

    /// Returns the statements whose second is over while lines are suppressed, and the number of lines. `None`
    /// as `now_ms` returns all of them.
    pub fn overdue(&mut self, now_ms: Option<u64>) -> Vec<(Site, u64)> {
        let mut reports = Vec::new();
        for (site, count) in &mut self.sites {
            let over = now_ms.is_none_or(|now| now.saturating_sub(count.since_ms) >= SECOND_MS);
            if count.suppressed > 0 && over {
                reports.push((*site, std::mem::take(&mut count.suppressed)));
            }
        }
        reports
    }

    /// Returns true if there are suppressed lines that have not been reported.
    pub fn has_suppressed(&self) -> bool {
        self.sites.values().any(|count| count.suppressed > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use log::Level::{Debug, Error, Info, Warn};

    const SITE: Site = Site {
        module: "m",
        line: 1,
    };
    const OTHER: Site = Site {
        module: "m",
        line: 2,
    };

    fn written(limiter: &mut Limiter, severity: log::Level, level: u8, lines: u32) -> u32 {
        (0..lines)
            .filter(|_| limiter.admit(SITE, severity, level, 0) != Verdict::Suppress)
            .count() as u32
    }

    #[test]
    fn how_many_pass_depends_on_severity_and_level() {
        for (severity, level, passed) in [
            (Error, 5, 10),
            (Warn, 11, 10),
            (Info, 5, 100),
            (Info, 6, 1000),
            (Debug, 11, 1000),
        ] {
            assert_eq!(
                written(&mut Limiter::default(), severity, level, 1000),
                passed,
                "{severity} at {level}"
            );
        }
    }

    #[test]
    fn suppressed_lines_are_reported_once_the_second_is_over() {
        let mut limiter = Limiter::default();
        written(&mut limiter, Error, 5, 25);
        assert_eq!(
            limiter.admit(OTHER, Error, 5, 0),
            Verdict::Write,
            "another statement has its own count"
        );
        assert_eq!(limiter.admit(SITE, Error, 5, 999), Verdict::Suppress);
        assert_eq!(limiter.admit(SITE, Error, 5, 1000), Verdict::WriteAfter(16));
        assert_eq!(limiter.admit(SITE, Error, 5, 2000), Verdict::Write);
    }

    #[test]
    fn a_statement_that_falls_silent_is_told_of_too() {
        let mut limiter = Limiter::default();
        written(&mut limiter, Error, 5, 12);
        assert_eq!(limiter.overdue(Some(999)), []);
        assert_eq!(limiter.overdue(Some(1000)), [(SITE, 2)]);
        assert_eq!(limiter.overdue(Some(9000)), []);
        written(&mut limiter, Error, 5, 13);
        assert_eq!(
            limiter.overdue(None),
            [(SITE, 13)],
            "the second is still the first one's"
        );
    }
}
