//! What is different between two configurations, key by key.

use super::keys::{Key, find};
use super::settings::Settings;
use std::fmt;
use std::time::Duration;

/// A key whose value is another.
#[derive(Clone, Copy, Debug)]
struct Row {
    name: &'static str,
    text: fn(&Settings) -> String,
}

/// One difference between two configurations.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The key's row.
    pub key: &'static Key,
    /// What it was, in the words of the file.
    pub from: String,
    /// What it is.
    pub to: String,
}

impl PartialEq for Difference {
    fn eq(&self, other: &Difference) -> bool {
        (self.key.name, &self.from, &self.to) == (other.key.name, &other.from, &other.to)
    }
}

impl Eq for Difference {}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Difference { key, from, to } = self;
        write!(f, "directive \"{}\" is '{to}', it was '{from}'", key.name)
    }
}

/// Every key that has an effect, as the settings have it.
const ROWS: &[Row] = &[
    row("listen", |s| s.listen.text.clone()),
    row("dyn_listen", |s| s.dyn_listen.text.clone()),
    row("stats_listen", |s| s.stats_listen.text.clone()),
    row("servers", |s| s.datastore.text.clone()),
    row("data_store", |s| (s.data_store as u8).to_string()),
    row("tokens", |s| {
        let texts: Vec<String> = s.tokens.iter().rev().map(ToString::to_string).collect();
        texts.join(",")
    }),
    row("dyn_seeds", |s| {
        let texts: Vec<&str> = s.dyn_seeds.iter().map(|seed| &*seed.text).collect();
        texts.join(" | ")
    }),
    row("dyn_seed_provider", |s| {
        s.dyn_seed_provider.name().to_owned()
    }),
    row("datacenter", |s| s.datacenter.clone()),
    row("rack", |s| s.rack.clone()),
    row("env", |s| s.env.clone()),
    row("hash", |s| s.hash.to_string()),
    row("hash_tag", |s| {
        let tag = s.hash_tag.unwrap_or_default();
        String::from_utf8_lossy(&tag).trim_matches('\0').to_owned()
    }),
    row("timeout", |s| millis(s.timeout)),
    row("preconnect", |s| s.preconnect.to_string()),
    row("server_retry_timeout", |s| millis(s.server_retry_timeout)),
    row("backlog", |s| s.backlog.to_string()),
    row("client_connections", |s| s.client_connections.to_string()),
    row("datastore_connections", |s| {
        s.datastore_connections.to_string()
    }),
    row("local_peer_connections", |s| {
        s.local_peer_connections.to_string()
    }),
    row("remote_peer_connections", |s| {
        s.remote_peer_connections.to_string()
    }),
    row("secure_server_option", |s| {
        s.secure_server_option.name().to_owned()
    }),
    row("pem_key_file", |s| s.pem_key_file.display().to_string()),
    row("read_consistency", |s| s.read_consistency.to_string()),
    row("write_consistency", |s| s.write_consistency.to_string()),
    row("conn_msg_rate", |s| s.conn_msg_rate.to_string()),
    row("mbuf_size", |s| s.mbuf_size.to_string()),
    row("max_msgs", |s| s.max_msgs.to_string()),
];

const fn row(name: &'static str, text: fn(&Settings) -> String) -> Row {
    Row { name, text }
}

fn millis(time: Duration) -> String {
    time.as_millis().to_string()
}

/// The keys whose effect is another, in the order of the table. Two ways to write the same are no
/// difference.
pub fn differences(from: &Settings, to: &Settings) -> Vec<Difference> {
    ROWS.iter()
        .filter_map(|row| {
            let (from, to) = ((row.text)(from), (row.text)(to));
            let key = find(row.name)?;
            (from != to).then_some(Difference { key, from, to })
        })
        .collect()
}

impl Settings {
    /// Takes from others what may change while a node runs.
    pub fn take_reloadable(&mut self, from: Settings) {
        self.timeout = from.timeout;
        self.client_connections = from.client_connections;
        self.server_retry_timeout = from.server_retry_timeout;
        self.conn_msg_rate = from.conn_msg_rate;
        self.read_consistency = from.read_consistency;
        self.write_consistency = from.write_consistency;
        self.dyn_seeds = from.dyn_seeds;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::{Effect, KEYS, Status};
    use crate::config::{Overrides, parse};

    const BASE: &str = "d:\n  listen: h:1\n  dyn_listen: h:2\n  tokens: '1'\n  servers: h:3:1\n";

    fn settings(text: &str) -> Settings {
        parse(text, "f", &Overrides::default()).unwrap().settings
    }

    #[test]
    fn every_key_that_has_an_effect_is_compared() {
        for key in KEYS.iter().filter(|key| key.status == Status::Live) {
            assert!(ROWS.iter().any(|row| row.name == key.name), "{}", key.name);
            assert_ne!(key.effect, Effect::Nothing, "{}", key.name);
        }
        for row in ROWS {
            assert_eq!(find(row.name).map(|key| key.status), Some(Status::Live));
        }
    }

    #[test]
    fn what_may_change_while_a_node_runs_is_taken_and_nothing_else() {
        let old = settings(BASE);
        let other = "d:\n  listen: h:4\n  dyn_listen: h:5\n  tokens: '2,3'\n  servers: h:6:1\n  \
            stats_listen: h:7\n  data_store: 1\n  dyn_seeds: a:1:r:d:9\n  \
            dyn_seed_provider: file_provider\n  datacenter: d\n  rack: r\n  env: e\n  \
            hash: md5\n  hash_tag: '{}'\n  timeout: 10\n  \
            preconnect: false\n  server_retry_timeout: 11\n  backlog: 12\n  client_connections: 13\n  \
            datastore_connections: 14\n  local_peer_connections: 15\n  remote_peer_connections: 16\n  \
            secure_server_option: all\n  pem_key_file: k\n  read_consistency: DC_QUORUM\n  \
            write_consistency: dc_quorum\n  conn_msg_rate: 17\n  \
            mbuf_size: 512\n  max_msgs: 100000\n";
        let new = settings(other);
        let all = differences(&old, &new);
        assert_eq!(all.len(), ROWS.len());
        let mut running = old.clone();
        running.take_reloadable(new.clone());
        for change in all {
            let name = change.key.name;
            let taken = !differences(&old, &running)
                .iter()
                .all(|d| d.key.name != name);
            assert_eq!(taken, change.key.effect == Effect::Reload, "{name}");
        }
        // What waits for a restart is named every time.
        let waiting = differences(&running, &new);
        assert!(
            waiting
                .iter()
                .all(|change| change.key.effect == Effect::Restart)
        );
        assert_eq!(
            waiting[0].to_string(),
            "directive \"listen\" is 'h:4', it was 'h:1'"
        );
    }

    #[test]
    fn other_ways_to_write_the_same_are_no_difference() {
        let old = settings(BASE);
        let same = settings(&format!(
            "{BASE}  read_consistency: dc_one\n  timeout: 5000\n  mbuf_size: 16384\n  redis: true\n"
        ));
        assert_eq!(differences(&old, &same), []);
    }
}
