//! The differences between two configurations, key by key.

use super::keys::{Effect, Key};
use super::table::{KEYS, Settings};
use std::fmt;

/// One difference between two configurations.
#[derive(Clone, Debug)]
pub struct Difference {
    /// The key's row.
    pub key: &'static Key,
    /// The old value, as the file would have it.
    pub from: String,
    /// The new value.
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

/// Returns the keys whose values differ, in the order of the table. Two ways to write the same value are no
/// difference.
pub fn differences(from: &Settings, to: &Settings) -> Vec<Difference> {
    let keys = KEYS.iter().filter(|key| key.effect != Effect::Nothing);
    let differences = keys.filter_map(|key| {
        let text = key.field?.text;
        let (from, to) = (text(from), text(to));
        (from != to).then_some(Difference { key, from, to })
    });
    differences.collect()
}

impl Settings {
    /// Takes from other settings the values that may change while a node runs.
    pub fn take_reloadable(&mut self, from: &Settings) {
        for key in KEYS.iter().filter(|key| key.effect == Effect::Reload) {
            if let Some(field) = key.field {
                (field.copy)(self, from);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::keys::Status;
    use crate::config::{Overrides, parse};

    const BASE: &str = "d:\n  listen: h:1\n  dyn_listen: h:2\n  tokens: '1'\n  servers: h:3:1\n";

    fn settings(text: &str) -> Settings {
        parse(text, "f", &Overrides::default()).unwrap().settings
    }

    #[test]
    fn every_key_that_is_honoured_has_a_setting_and_an_effect() {
        for key in KEYS {
            let is_honoured = matches!(key.status, Status::Live | Status::New);
            assert!(!is_honoured || key.field.is_some(), "{}", key.name);
            let has_effect = is_honoured || key.stands_for.is_some();
            // An address names no rack.
            let has_effect = has_effect && key.name != "dns_type";
            assert_eq!(key.effect != Effect::Nothing, has_effect, "{}", key.name);
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
            mbuf_size: 512\n  max_msgs: 100000\n  local_scan: true\n  enable_flush: true\n  \
            read_failover: false\n  refuse_plaintext: true\n  remote_admin: true\n  \
            unknown_paths_ok: true\n  io_uring: false\n  log_severity: true\n  \
            seeds_interval_ms: 18\n  seeds_grace_ms: 19\n  dns_name: n\n  dns_server: '::1'\n  \
            florida_ip: i\n  florida_port: 20\n  florida_request: /\n  seeds_file: f\n";
        let new = settings(other);
        let all = differences(&old, &new);
        let with_effect = KEYS.iter().filter(|key| key.effect != Effect::Nothing);
        let with_setting = with_effect.filter(|key| key.field.is_some());
        assert_eq!(all.len(), with_setting.count());
        let mut running = old.clone();
        running.take_reloadable(&new);
        for change in all {
            let name = change.key.name;
            let taken = !differences(&old, &running)
                .iter()
                .all(|d| d.key.name != name);
            assert_eq!(taken, change.key.effect == Effect::Reload, "{name}");
        }
        // Changes that wait for a restart are named every time.
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
