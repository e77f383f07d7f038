//! The JSON document of `/info`.
//!
//! Keys, their order and the line layout are the C original's: string members are written
//! `"k":"v",` without a line end, number members `"k":n,` with one, an object opens with `"name":
//! {`, the last number has no comma and the document ends `}}}`. Differences: strings are escaped,
//! and one object, `dynomite_rs`, with [`OwnStats`] precedes the pool object. It comes first so
//! that an operator whose root key is also `dynomite_rs` still gets his pool from parsers that keep
//! the last of two equal keys.
//!
//! The usual sidecar (dynomite-manager) casts every value below the pool object to a 64-bit integer
//! and throws on anything else: nothing but integers may ever be added there.

use std::fmt::Write;

use super::table::{Metric, OwnStats, PoolStats, ServerStats};
use super::{Histogram, Histograms, Stats};
use crate::clock::Now;

/// The identity of the node; fixed at start.
#[derive(Clone, Debug, Default)]
pub struct Identity {
    /// The machine's host name, `unknown` if it has none.
    pub source: String,
    /// The program's version.
    pub version: String,
    /// The node's rack.
    pub rack: String,
    /// The node's datacenter.
    pub dc: String,
    /// The root key of the configuration file: the name of the pool object.
    pub pool_name: String,
    /// The datastore's name: the name of the innermost object.
    pub server_name: String,
    /// When the node started.
    pub started: Now,
    /// The port clients connect to; 0 if that is a Unix socket.
    pub client_port: u16,
    /// Opening and closing character of hash tags.
    pub hash_tag: Option<[u8; 2]>,
    /// The public host name of this node, if the environment sets it.
    pub public_host: Option<String>,
    /// The public address, if the environment sets it.
    pub public_ip: Option<String>,
}

/// The five memory fields.
#[derive(Clone, Copy, Debug, Default)]
pub struct Memory {
    /// Message objects ever allocated.
    pub alloc_msgs: u64,
    /// Of those, free now.
    pub free_msgs: u64,
    /// Mbufs ever allocated.
    pub alloc_mbufs: u64,
    /// Of those, free now.
    pub free_mbufs: u64,
    /// Peak resident set size in KiB.
    pub dyn_memory_kib: u64,
}

/// The value of the field `service`.
const SERVICE: &str = "dynomite";

/// The figure of a histogram that a field shows.
enum Show {
    Max,
    PerMille(u32),
    Mean,
}

type Pick = fn(&Histograms) -> &Histogram;

/// The fields that summarise histograms, in order.
const SUMMARY: [(&str, Pick, Show); 30] = [
    ("latency_max", |h| &h.read_latency, Show::Max),
    ("latency_999th", |h| &h.read_latency, Show::PerMille(999)),
    ("latency_99th", |h| &h.read_latency, Show::PerMille(990)),
    ("latency_95th", |h| &h.read_latency, Show::PerMille(950)),
    ("latency_mean", |h| &h.read_latency, Show::Mean),
    ("payload_size_max", |h| &h.payload_size, Show::Max),
    (
        "payload_size_999th",
        |h| &h.payload_size,
        Show::PerMille(999),
    ),
    (
        "payload_size_99th",
        |h| &h.payload_size,
        Show::PerMille(990),
    ),
    (
        "payload_size_95th",
        |h| &h.payload_size,
        Show::PerMille(950),
    ),
    ("payload_size_mean", |h| &h.payload_size, Show::Mean),
    (
        "average_cross_region_rtt",
        |h| &h.cross_region_rtt,
        Show::Mean,
    ),
    (
        "99_cross_region_rtt",
        |h| &h.cross_region_rtt,
        Show::PerMille(990),
    ),
    (
        "average_cross_zone_latency",
        |h| &h.cross_zone_latency,
        Show::Mean,
    ),
    (
        "99_cross_zone_latency",
        |h| &h.cross_zone_latency,
        Show::PerMille(990),
    ),
    ("average_server_latency", |h| &h.server_latency, Show::Mean),
    (
        "99_server_latency",
        |h| &h.server_latency,
        Show::PerMille(990),
    ),
    (
        "average_cross_region_queue_wait",
        |h| &h.cross_region_queue_wait,
        Show::Mean,
    ),
    (
        "99_cross_region_queue_wait",
        |h| &h.cross_region_queue_wait,
        Show::PerMille(990),
    ),
    (
        "average_cross_zone_queue_wait",
        |h| &h.cross_zone_queue_wait,
        Show::Mean,
    ),
    (
        "99_cross_zone_queue_wait",
        |h| &h.cross_zone_queue_wait,
        Show::PerMille(990),
    ),
    (
        "average_server_queue_wait",
        |h| &h.server_queue_wait,
        Show::Mean,
    ),
    (
        "99_server_queue_wait",
        |h| &h.server_queue_wait,
        Show::PerMille(990),
    ),
    (
        "client_out_queue_99",
        |h| &h.client_out_queue,
        Show::PerMille(990),
    ),
    (
        "server_in_queue_99",
        |h| &h.server_in_queue,
        Show::PerMille(990),
    ),
    (
        "server_out_queue_99",
        |h| &h.server_out_queue,
        Show::PerMille(990),
    ),
    (
        "dnode_client_out_queue_99",
        |h| &h.dnode_client_out_queue,
        Show::PerMille(990),
    ),
    (
        "peer_in_queue_99",
        |h| &h.peer_in_queue,
        Show::PerMille(990),
    ),
    (
        "peer_out_queue_99",
        |h| &h.peer_out_queue,
        Show::PerMille(990),
    ),
    (
        "remote_peer_out_queue_99",
        |h| &h.remote_peer_out_queue,
        Show::PerMille(990),
    ),
    (
        "remote_peer_in_queue_99",
        |h| &h.remote_peer_in_queue,
        Show::PerMille(990),
    ),
];

/// The body of `/info` as of `now`, ending in a line feed.
pub fn render(stats: &Stats, who: &Identity, now: Now, memory: &Memory) -> String {
    let mut doc = Document {
        text: String::with_capacity(6 * 1024),
    };
    doc.text.push('{');
    doc.string("service", SERVICE);
    doc.string("source", &who.source);
    doc.string("version", &who.version);
    doc.number(
        "uptime",
        now.mono_us.saturating_sub(who.started.mono_us) / 1_000_000,
    );
    doc.number("timestamp", now.unix_secs());
    doc.string("rack", &who.rack);
    doc.string("dc", &who.dc);
    // `/info` shows reads and writes together.
    let mut hist = stats.hist.clone();
    hist.read_latency.absorb(&stats.hist.write_latency);
    for (name, pick, show) in &SUMMARY {
        let histogram = pick(&hist);
        let value = match show {
            Show::Max => histogram.max(),
            Show::PerMille(per_mille) => histogram.percentile(*per_mille),
            Show::Mean => histogram.mean(),
        };
        doc.number(name, value);
    }
    doc.number("alloc_msgs", memory.alloc_msgs);
    doc.number("free_msgs", memory.free_msgs);
    doc.number("alloc_mbufs", memory.alloc_mbufs);
    doc.number("free_mbufs", memory.free_mbufs);
    doc.number("dyn_memory", memory.dyn_memory_kib);

    doc.open("dynomite_rs");
    doc.metrics(&OwnStats::TABLE, &stats.own.values());
    doc.end_numbers();
    doc.text.push_str("},\n");

    doc.open(&who.pool_name);
    doc.metrics(&PoolStats::TABLE, &stats.pool.values());
    doc.open(&who.server_name);
    doc.metrics(&ServerStats::TABLE, &stats.server.values());
    doc.end_numbers();
    doc.text.push_str("}}}\n");
    doc.text
}

/// A JSON text in the original's layout.
struct Document {
    text: String,
}

impl Document {
    fn string(&mut self, key: &str, value: &str) {
        self.quoted(key);
        self.text.push(':');
        self.quoted(value);
        self.text.push(',');
    }

    fn number(&mut self, key: &str, value: u64) {
        self.quoted(key);
        // Writing to a String cannot fail.
        let _ = writeln!(self.text, ":{value},");
    }

    fn metrics(&mut self, table: &[Metric], values: &[u64]) {
        for (metric, &value) in table.iter().zip(values) {
            self.number(metric.name, value);
        }
    }

    fn open(&mut self, name: &str) {
        self.quoted(name);
        self.text.push_str(": {");
    }

    /// Takes back the comma after the last number.
    fn end_numbers(&mut self) {
        if self.text.ends_with(",\n") {
            self.text.truncate(self.text.len() - 2);
            self.text.push('\n');
        }
    }

    fn quoted(&mut self, text: &str) {
        let _ = write!(self.text, "{}", serde_json::Value::from(text));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn identity() -> Identity {
        Identity {
            source: "h1".into(),
            version: "v1".into(),
            rack: "rack1".into(),
            dc: "dc1".into(),
            pool_name: "dyn_o_mite".into(),
            server_name: "127.0.0.1:23010".into(),
            started: Now {
                mono_us: 1_000_000,
                wall_us: 5_000_000_000,
            },
            ..Identity::default()
        }
    }

    fn at(mono_us: u64) -> Now {
        Now {
            mono_us,
            wall_us: 5_000_000_000 + mono_us,
        }
    }

    /// The keys of a text in the layout above, in the order they are written.
    fn keys(text: &str) -> Vec<String> {
        text.split(['\n', ','])
            .flat_map(|part| part.split('{'))
            .filter_map(|part| {
                part.strip_prefix('"')?
                    .rsplit_once("\":")
                    .map(|(key, _)| key.to_owned())
            })
            .collect()
    }

    #[test]
    fn keys_come_in_the_originals_order_and_ours_before_the_pool() {
        let text = render(
            &Stats::default(),
            &identity(),
            at(2_000_000),
            &Memory::default(),
        );
        let got = keys(&text);
        let own: Vec<&str> = std::iter::once("dynomite_rs")
            .chain(OwnStats::TABLE.iter().map(|m| m.name))
            .collect();
        let start = got.iter().position(|k| k == "dynomite_rs").unwrap();
        assert_eq!(got[start..start + own.len()], own);
        assert_eq!(got[start + own.len()], "dyn_o_mite");
        let theirs: Vec<&str> = got[..start]
            .iter()
            .chain(&got[start + own.len()..])
            .map(String::as_str)
            .collect();
        let expected: Vec<&str> = include_str!("../../tests/data/info_keys.txt")
            .lines()
            .collect();
        assert_eq!(theirs, expected);
    }

    #[test]
    fn the_layout_is_the_originals() {
        let mut stats = Stats::default();
        stats.pool.client_eof = 6;
        stats.server.redis_req_other = u64::MAX;
        stats.hist.read_latency.record(20);
        let memory = Memory {
            dyn_memory_kib: 15144,
            ..Memory::default()
        };
        let text = render(&stats, &identity(), at(7_999_999), &memory);
        assert!(text.starts_with(
            "{\"service\":\"dynomite\",\"source\":\"h1\",\"version\":\"v1\",\"uptime\":6,\n\
             \"timestamp\":5007,\n\"rack\":\"rack1\",\"dc\":\"dc1\",\"latency_max\":20,\n\"latency_999th\":20,\n"
        ));
        assert!(text.contains("\"dyn_memory\":15144,\n\"dynomite_rs\": {\"accepts_paused\":0,\n"));
        assert!(
            text.contains("\"strangers\":0\n},\n\"dyn_o_mite\": {\"client_eof\":6,\n"),
            "{text}"
        );
        assert!(text.contains("\"stats_count\":0,\n\"127.0.0.1:23010\": {\"server_eof\":0,\n"));
        assert!(text.ends_with(&format!("\"redis_req_other\":{}\n}}}}}}\n", u64::MAX)));
    }

    #[test]
    fn hostile_names_are_escaped() {
        let hostile = "a\"b\\c\n\u{0}\u{1b}é{}:,";
        let who = Identity {
            source: hostile.into(),
            rack: hostile.into(),
            dc: hostile.into(),
            pool_name: hostile.into(),
            server_name: format!("{hostile}2"),
            ..identity()
        };
        let text = render(&Stats::default(), &who, at(0), &Memory::default());
        let parsed: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(parsed["rack"], hostile);
        assert_eq!(parsed["dc"], hostile);
        assert_eq!(parsed["source"], hostile);
        assert_eq!(parsed[hostile]["stats_count"], 0);
        assert_eq!(parsed[hostile][format!("{hostile}2")]["in_queue"], 0);
    }

    #[test]
    fn below_the_pool_object_there_are_only_integers() {
        fn integers(value: &Value) -> usize {
            match value {
                Value::Object(members) => members.values().map(integers).sum(),
                Value::Number(n) => {
                    assert!(n.is_u64(), "{n}");
                    1
                }
                other => panic!("{other} is no integer"),
            }
        }
        let text = render(&Stats::default(), &identity(), at(0), &Memory::default());
        let parsed: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(integers(&parsed["dyn_o_mite"]), 45 + 34);
        assert_eq!(integers(&parsed["dynomite_rs"]), OwnStats::LEN);
        for (key, value) in parsed.as_object().unwrap() {
            let string = ["service", "source", "version", "rack", "dc"].contains(&key.as_str());
            assert_eq!(value.is_string(), string, "{key}");
        }
    }
}
