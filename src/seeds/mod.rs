//! Providers: sources of lists of nodes while a node runs.
//!
//! | provider | asks |
//! |---|---|
//! | `florida` | an HTTP server |
//! | `dns` | TXT records |
//! | `file` | a file |
//!
//! Asking blocks, for seconds where time limits allow it and longer where the system's resolver does,
//! so it is done on a thread of its own. Lists are evaluated elsewhere
//! ([`cluster::seeds`](crate::cluster::seeds)). The settings are read once, at start.

pub mod dns;
mod file;
mod florida;
pub mod http;

use crate::config::{Note, SeedProvider, Settings};
use std::time::Duration;

/// How often a file is checked, unless the interval is shorter.
const LOOK: Duration = Duration::from_secs(1);

/// A provider and its settings.
#[derive(Debug)]
pub struct Provider {
    kind: Kind,
    /// Between two polls.
    pub interval: Duration,
    /// How long a node that is no longer listed stays.
    pub grace: Duration,
}

#[derive(Debug)]
enum Kind {
    Florida(florida::Florida),
    Dns(dns::Dns),
    File(file::File),
}

/// The result of asking once.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// The text of a list.
    List(String),
    /// Why there is none: the same words for the same reason.
    Failed(String),
    /// Nothing has happened since the last answer.
    Same,
}

impl Provider {
    /// The provider that the settings name, `None` for `simple_provider`; and notes for the log.
    pub fn new(settings: &Settings) -> (Option<Provider>, Vec<Note>) {
        let mut notes = Vec::new();
        let interval = settings.seeds_interval_ms;
        let grace = settings.seeds_grace_ms;
        let kind = match settings.dyn_seed_provider {
            SeedProvider::Simple => return (None, Vec::new()),
            SeedProvider::Florida => Kind::Florida(florida::Florida::new(settings)),
            SeedProvider::Dns => Kind::Dns(dns::Dns::new(settings, &mut notes)),
            SeedProvider::File => {
                Kind::File(file::File::new(settings.seeds_file.clone(), interval))
            }
        };
        let provider = Provider {
            kind,
            interval,
            grace,
        };
        notes.push(Note::new(
            crate::logging::Level::Notice,
            format!("seeds: asking {} every {interval:?}", provider.source()),
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
            Err(why) => Asked::Failed(format!("{}: {why}", self.source())),
        }
    }

    /// How long to wait before asking again.
    pub fn pause(&self) -> Duration {
        match self.kind {
            Kind::File(_) => self.interval.min(LOOK),
            _ => self.interval,
        }
    }

    /// The source of the list, for messages.
    fn source(&self) -> String {
        match &self.kind {
            Kind::Florida(florida) => florida.source(),
            Kind::Dns(dns) => dns.source(),
            Kind::File(file) => file.source(),
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::cluster::seeds::GRACE;
    use crate::config::{Overrides, parse};

    /// The settings of a file with these lines.
    pub fn settings(lines: &str) -> Settings {
        let base = "d:\n  listen: h:1\n  dyn_listen: h:2\n  tokens: 1\n  servers: h:3:1\n";
        let text = format!("{base}{lines}");
        let parsed = parse(&text, "test.yml", &Overrides::default());
        parsed.unwrap().settings
    }

    #[test]
    fn the_settings_say_how_often_and_how_long() {
        let made = |lines: &str| {
            Provider::new(&settings(&format!(
                "  dyn_seed_provider: file_provider\n{lines}"
            )))
        };
        let (provider, notes) = made("");
        let provider = provider.unwrap();
        assert_eq!(provider.interval, Duration::from_secs(30));
        assert_eq!(provider.grace, GRACE);
        assert_eq!(provider.pause(), LOOK);
        assert_eq!(notes.len(), 1, "{notes:?}");
        let (provider, _) = made("  seeds_interval_ms: 20\n  seeds_grace_ms: 0\n");
        let provider = provider.unwrap();
        assert_eq!(provider.interval, Duration::from_millis(20));
        assert_eq!(provider.pause(), Duration::from_millis(20));
        assert_eq!(provider.grace, Duration::ZERO);
        assert!(Provider::new(&settings("")).0.is_none());
    }
}
