//! Providers: where lists of nodes come from while a node runs.
//!
//! | provider | asks |
//! |---|---|
//! | `florida` | an HTTP server |
//! | `dns` | TXT records |
//! | `file` | a file |
//!
//! Asking blocks, for seconds where time limits allow it and longer where the system's resolver does,
//! so it is done on a thread of its own. What a list means is decided elsewhere
//! ([`cluster::seeds`](crate::cluster::seeds)). Each of the environment variables is read once, at
//! start.

pub mod dns;
mod file;
mod florida;
pub mod http;

use crate::cluster::seeds::GRACE;
use crate::config::{Note, SeedProvider, digits};
use std::ffi::OsString;
use std::time::Duration;

/// Between two polls, unless `DYNOMITE_SEEDS_INTERVAL_MS` says otherwise: the original's.
pub const INTERVAL: Duration = Duration::from_secs(30);

/// How often a file is looked at, unless the interval is shorter.
const LOOK: Duration = Duration::from_secs(1);

/// A provider, with what it was told by the environment.
#[derive(Debug)]
pub struct Provider {
    kind: Kind,
    /// Between two polls.
    pub interval: Duration,
    /// How long a node stays that is no longer listed.
    pub grace: Duration,
}

#[derive(Debug)]
enum Kind {
    Florida(florida::Florida),
    Dns(dns::Dns),
    File(file::File),
}

/// What asking once has brought.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// The text of a list.
    List(String),
    /// None, and why: the same words for the same reason.
    Failed(String),
    /// Nothing has happened since the last answer.
    Same,
}

impl Provider {
    /// The provider of this kind, as the environment says; none for `simple_provider`. With it, what
    /// to log about the variables.
    pub fn new(
        kind: SeedProvider,
        variable: impl Fn(&str) -> Option<OsString>,
    ) -> (Option<Provider>, Vec<Note>) {
        let mut notes = Vec::new();
        let set = |name: &str| variable(name).filter(|value| !value.is_empty());
        let mut millis = |name: &str, default: Duration, least: u32| {
            let Some(text) = set(name) else {
                return default;
            };
            match text.to_str().and_then(digits).filter(|n| *n >= least) {
                Some(number) => Duration::from_millis(number.into()),
                None => {
                    notes.push(Note::warn(format!(
                        "{name} is not a number of milliseconds from {least} to 2147483647 and has no effect: {}",
                        text.to_string_lossy().escape_debug()
                    )));
                    default
                }
            }
        };
        let interval = millis("DYNOMITE_SEEDS_INTERVAL_MS", INTERVAL, 1);
        let grace = millis("DYNOMITE_SEEDS_GRACE_MS", GRACE, 0);
        let kind = match kind {
            SeedProvider::Simple => return (None, Vec::new()),
            SeedProvider::Florida => Kind::Florida(florida::Florida::new(&set, &mut notes)),
            SeedProvider::Dns => Kind::Dns(dns::Dns::new(&set, &mut notes)),
            SeedProvider::File => Kind::File(file::File::new(&set, interval)),
        };
        let provider = Provider {
            kind,
            interval,
            grace,
        };
        notes.push(Note::new(
            crate::logging::Level::Notice,
            format!("seeds: asking {} every {interval:?}", provider.told()),
        ));
        (Some(provider), notes)
    }

    /// Asks once. Blocks.
    pub fn ask(&mut self) -> Asked {
        let answer = match &mut self.kind {
            Kind::Florida(florida) => florida.ask(),
            Kind::Dns(dns) => dns.ask(),
            Kind::File(file) => return file.ask(),
        };
        match answer {
            Ok(list) => Asked::List(list),
            Err(why) => Asked::Failed(format!("{}: {why}", self.told())),
        }
    }

    /// How long to wait before asking again.
    pub fn pause(&self) -> Duration {
        match self.kind {
            Kind::File(_) => self.interval.min(LOOK),
            _ => self.interval,
        }
    }

    /// What is asked, for messages.
    fn told(&self) -> String {
        match &self.kind {
            Kind::Florida(florida) => florida.told(),
            Kind::Dns(dns) => dns.told(),
            Kind::File(file) => file.told(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_environment_says_how_often_and_how_long() {
        let made = |values: &'static [(&str, &str)]| {
            Provider::new(SeedProvider::File, |name| {
                let found = values.iter().find(|(known, _)| *known == name);
                found.map(|(_, value)| (*value).into())
            })
        };
        let (provider, notes) = made(&[]);
        let provider = provider.unwrap();
        assert_eq!((provider.interval, provider.grace), (INTERVAL, GRACE));
        assert_eq!(provider.pause(), LOOK);
        assert_eq!(notes.len(), 1, "{notes:?}");
        let (provider, _) = made(&[
            ("DYNOMITE_SEEDS_INTERVAL_MS", "20"),
            ("DYNOMITE_SEEDS_GRACE_MS", "0"),
        ]);
        let provider = provider.unwrap();
        assert_eq!(provider.interval, Duration::from_millis(20));
        assert_eq!(provider.pause(), Duration::from_millis(20));
        assert_eq!(provider.grace, Duration::ZERO);
        let (provider, notes) = made(&[("DYNOMITE_SEEDS_INTERVAL_MS", "0")]);
        assert_eq!(provider.unwrap().interval, INTERVAL);
        assert!(notes[0].text.contains("has no effect: 0"), "{notes:?}");
        assert!(Provider::new(SeedProvider::Simple, |_| None).0.is_none());
    }
}
