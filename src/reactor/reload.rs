//! Reloading the configuration while the node runs.
//!
//! The whole file is checked first; if anything is wrong with it, nothing changes. Then every key that
//! can change at run time does ([`Effect::Reload`]); the others are named in the log, at every reload
//! until the node is restarted. A setting that an operator has changed over HTTP stays unless the file has
//! changed there since it was last read.

use super::seeds::{Seeds, change_members, tell};
use crate::clock::Now;
use crate::config::keys::Effect;
use crate::config::{self, Difference, KEYS, Overrides, Settings, differences};
use crate::log_at;
use crate::node::Operator;
use crate::proto::Class;
use crate::seeds::Provider;
use std::path::PathBuf;

/// The one key whose change can fail. It is applied before the others, so that a reload that fails
/// changes nothing.
const FIRST: &str = "dyn_seeds";

/// Applies the new value of a key.
type Apply = fn(&mut Operator<'_>, &Settings, Now);

/// How each key that can change at run time is applied, [`FIRST`] apart.
const APPLIED: &[(&str, Apply)] = &[
    ("timeout", |node, new, _| node.set_timeout(new.timeout)),
    ("client_connections", |node, new, _| {
        node.set_client_connections(new.client_connections);
    }),
    ("server_retry_timeout", |node, new, _| {
        node.set_server_retry_timeout(new.server_retry_timeout);
    }),
    ("conn_msg_rate", |node, new, now| {
        node.set_conn_msg_rate(new.conn_msg_rate, now);
    }),
    ("read_consistency", |node, new, _| {
        node.set_consistency(Class::Read, new.read_consistency);
    }),
    ("write_consistency", |node, new, _| {
        node.set_consistency(Class::Write, new.write_consistency);
    }),
    ("local_scan", |node, new, _| {
        node.set_local_scan(new.local_scan)
    }),
    ("enable_flush", |node, new, _| {
        node.set_enable_flush(new.enable_flush);
    }),
    ("read_failover", |node, new, _| {
        node.set_read_failover(new.read_failover);
    }),
];

// A key with Effect::Reload but no row here would be logged as applied and do nothing.
const _: () = {
    let mut n = 0;
    while n < KEYS.len() {
        let is_applied = is_same(KEYS[n].name, FIRST) || has_row(KEYS[n].name);
        let is_reloaded = matches!(KEYS[n].effect, Effect::Reload);
        assert!(
            is_applied == is_reloaded,
            "a key with Effect::Reload needs a row in APPLIED, and no other has one"
        );
        n += 1;
    }
};

const fn has_row(name: &str) -> bool {
    let mut n = 0;
    while n < APPLIED.len() {
        if is_same(APPLIED[n].0, name) {
            return true;
        }
        n += 1;
    }
    false
}

/// `==`, which constants cannot use.
const fn is_same(one: &str, other: &str) -> bool {
    let (one, other) = (one.as_bytes(), other.as_bytes());
    let mut n = 0;
    while n < one.len() && n < other.len() {
        if one[n] != other[n] {
            return false;
        }
        n += 1;
    }
    one.len() == other.len()
}

/// The configuration file, with the command line's overrides.
#[derive(Clone, Debug)]
pub struct ConfFile {
    /// The file.
    pub path: PathBuf,
    /// Settings from the command line.
    pub overrides: Overrides,
}

/// Sources of changes after the start.
#[derive(Debug, Default)]
pub struct Sources {
    /// Source of the list of nodes.
    pub provider: Option<Provider>,
    /// The configuration file to reload.
    pub conf_file: Option<ConfFile>,
}

/// Result of a reload.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// Changes in force now.
    pub applied: Vec<Difference>,
    /// Changes that take effect at the next start.
    pub waiting: Vec<Difference>,
}

/// The configuration in force, and the sources to reload it from.
pub(super) struct Configured {
    /// As far as they are in force.
    settings: Settings,
    file: Option<ConfFile>,
    pub seeds: Seeds,
}

impl Configured {
    pub fn new(settings: &Settings, file: Option<ConfFile>, seeds: Seeds) -> Configured {
        Configured {
            settings: settings.clone(),
            file,
            seeds,
        }
    }

    /// Returns true if there is a file to reload.
    pub fn has_file(&self) -> bool {
        self.file.is_some()
    }

    /// Reloads the configuration. Logs and counts the result.
    ///
    /// # Errors
    /// The problems, one line each; nothing has changed.
    pub fn reload(&mut self, node: &mut Operator<'_>, now: Now) -> Result<Reloaded, Vec<String>> {
        let result = self.reload_quietly(node, now);
        match &result {
            Ok(reloaded) => {
                node.own_stats().reloads += 1;
                for change in &reloaded.applied {
                    log_at!(Always, "conf: {change}");
                }
                for change in &reloaded.waiting {
                    log_at!(Warn, "conf: {change}, at the next start");
                }
                if *reloaded == Reloaded::default() {
                    log_at!(Notice, "conf: nothing has changed");
                }
            }
            Err(problems) => {
                node.own_stats().reloads_refused += 1;
                for problem in problems {
                    log_at!(Alert, "{problem}");
                }
                log_at!(
                    Alert,
                    "conf: the configuration is not read again, nothing is changed"
                );
            }
        }
        result
    }

    fn reload_quietly(
        &mut self,
        node: &mut Operator<'_>,
        now: Now,
    ) -> Result<Reloaded, Vec<String>> {
        let Some(file) = &self.file else {
            return Err(vec!["conf: there is no file to read again".to_owned()]);
        };
        let variables = |name: &str| std::env::var_os(name);
        let loaded = config::reload(&file.path, &file.overrides, &variables)
            .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())?;
        log_at!(Notice, "{}", loaded.files_line());
        let new = loaded.settings;
        let (applied, waiting): (Vec<_>, Vec<_>) = differences(&self.settings, &new)
            .into_iter()
            .partition(|change| change.key.effect == Effect::Reload);
        if applied.iter().any(|change| change.key.name == FIRST) {
            let members = self.seeds.reconfigure(&new);
            let members =
                members.map_err(|why| vec![format!("conf: directive \"dyn_seeds\": {why}")])?;
            if let Some(members) = members {
                change_members(node, members, now);
            }
        }
        for change in &applied {
            let row = APPLIED.iter().find(|(name, _)| *name == change.key.name);
            if let Some((_, apply)) = row {
                apply(node, &new, now);
            }
        }
        if !applied.is_empty() || !waiting.is_empty() {
            tell(&loaded.notes);
        }
        self.settings.take_reloadable(&new);
        Ok(Reloaded { applied, waiting })
    }
}
