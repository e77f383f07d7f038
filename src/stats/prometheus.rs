//! The text of `/metrics`, in Prometheus' text format 0.0.4.
//!
//! All that is shown is current at the moment of the scrape. Histograms count since start, whatever
//! window `/info` shows, as a scraper expects.

use std::fmt::Write;
use std::sync::LazyLock;

use super::families::{Distribution, FAMILIES, Family, HISTOGRAMS, Type, Unit};
use super::table::{Export, Kind, Metric, OwnStats, PeerStats, PoolStats, ServerStats};
use super::{ErrorWord, Identity, Memory, Peer, Stats};
use crate::consistency::Consistency;

/// The value of `Content-Type`.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Figures of the process from the operating system.
#[derive(Clone, Copy, Debug, Default)]
pub struct Process {
    /// Processor time, user and system, in µs.
    pub cpu_us: u64,
    /// Resident memory in bytes.
    pub resident_bytes: u64,
    /// Virtual memory in bytes.
    pub virtual_bytes: u64,
    /// Open file descriptors.
    pub open_fds: u64,
    /// The limit on them.
    pub max_fds: u64,
}

/// Everything that is shown.
#[derive(Clone, Copy, Debug)]
pub struct Report<'a> {
    /// The figures of the node.
    pub stats: &'a Stats,
    /// The figures of each peer.
    pub peers: &'a [Peer],
    /// The identity of the node.
    pub who: &'a Identity,
    /// The memory it holds.
    pub memory: &'a Memory,
    /// The figures of the process.
    pub process: &'a Process,
    /// All states of a node, and true for the current one.
    pub states: &'a [(&'static str, bool)],
    /// The default levels of reads and of writes.
    pub consistency: [Consistency; 2],
}

/// The two classes of requests, in the order of [`Stats::placed`].
const CLASSES: [&str; 2] = ["read", "write"];

/// The text.
pub fn render(report: &Report<'_>) -> String {
    let mut text = Text(String::with_capacity(64 * 1024));
    let stats = report.stats;
    let tables: [&[u64]; 3] = [
        &stats.pool.values(),
        &stats.server.values(),
        &stats.own.values(),
    ];
    let peers: Vec<(String, [u64; PeerStats::LEN])> = report
        .peers
        .iter()
        .map(|peer| (peer_labels(peer), peer.stats.values()))
        .collect();
    for plan in PLANS.iter() {
        text.0.push_str(&plan.head);
        for (table, index, metric) in &plan.rows {
            let value = tables.get(*table).and_then(|values| values.get(*index));
            text.row(plan.family, "", metric, value.copied().unwrap_or(0));
        }
        if !plan.of_peers.is_empty() {
            for (labels, values) in &peers {
                for (index, metric) in &plan.of_peers {
                    let value = values.get(*index).copied().unwrap_or(0);
                    text.row(plan.family, labels, metric, value);
                }
            }
        }
        for shown in &plan.histograms {
            text.histogram(shown, stats);
        }
        text.special(plan.family, report);
    }
    text.0
}

/// The constant parts of the text, and the rows and histograms of each family: built once.
static PLANS: LazyLock<Vec<Plan>> = LazyLock::new(|| FAMILIES.iter().map(Plan::of).collect());

struct Plan {
    family: &'static Family,
    /// The two lines before its series.
    head: String,
    /// Its rows: the table's number, the row's, the row.
    rows: Vec<(usize, usize, &'static Metric)>,
    of_peers: Vec<(usize, &'static Metric)>,
    histograms: Vec<Shown>,
}

/// A histogram and the names of its series up to the value.
struct Shown {
    distribution: &'static Distribution,
    /// By the bit length up to which they count.
    buckets: Vec<(usize, String)>,
    all: String,
    sum: String,
    count: String,
}

/// The tables, in the order of [`Plan::rows`].
const TABLES: [&[Metric]; 3] = [&PoolStats::TABLE, &ServerStats::TABLE, &OwnStats::TABLE];

impl Plan {
    fn of(family: &'static Family) -> Plan {
        let Family {
            name, kind, help, ..
        } = family;
        let rows = TABLES.iter().enumerate().flat_map(|(table, rows)| {
            let rows = rows.iter().enumerate();
            rows.map(move |(index, metric)| (table, index, metric))
        });
        let of_peers = const { &PeerStats::TABLE }.iter().enumerate();
        let histograms = HISTOGRAMS.iter().filter(|shown| shown.name == *name);
        Plan {
            family,
            head: format!("# HELP {name} {help}\n# TYPE {name} {}\n", kind.word()),
            rows: rows
                .filter(|(.., metric)| part_of(family, metric).is_some())
                .collect(),
            of_peers: of_peers
                .filter(|(_, metric)| part_of(family, metric).is_some())
                .collect(),
            histograms: histograms.map(Shown::of).collect(),
        }
    }
}

impl Shown {
    fn of(distribution: &'static Distribution) -> Shown {
        let Distribution {
            name, labels, unit, ..
        } = distribution;
        let (first, last) = distribution.bounds;
        let comma = if labels.is_empty() { "" } else { "," };
        let bucket = |bound: &str| format!("{name}_bucket{{{labels}{comma}le=\"{bound}\"}}");
        let bounds = (first..=last).map(|power| {
            let bound = match unit {
                Unit::Micros => seconds(1 << power),
                Unit::Count => ((1u64 << power) - 1).to_string(),
            };
            (power, bucket(&bound))
        });
        let braced = match labels.is_empty() {
            true => String::new(),
            false => format!("{{{labels}}}"),
        };
        Shown {
            distribution,
            buckets: bounds.collect(),
            all: bucket("+Inf"),
            sum: format!("{name}_sum{braced}"),
            count: format!("{name}_count{braced}"),
        }
    }
}

/// The suffix of a row in this family: empty, or `_sum` or `_count` of a summary; `None` if the row belongs to
/// another family.
fn part_of(family: &Family, metric: &Metric) -> Option<&'static str> {
    let Export::Series { name, .. } = metric.export else {
        return None;
    };
    name.strip_prefix(family.name).filter(|part| {
        let is_part = family.kind == Type::Summary && matches!(*part, "_sum" | "_count");
        part.is_empty() || is_part
    })
}

/// The labels that every series of a peer has.
fn peer_labels(peer: &Peer) -> String {
    labels(&[("peer", &peer.peer), ("dc", &peer.dc), ("rack", &peer.rack)])
}

/// Label pairs as in the text, values escaped.
fn labels(pairs: &[(&str, &str)]) -> String {
    let mut text = String::new();
    for (name, value) in pairs {
        if !text.is_empty() {
            text.push(',');
        }
        // Writing to a String cannot fail.
        let _ = write!(text, "{name}=\"");
        for char in value.chars() {
            match char {
                '\\' => text.push_str("\\\\"),
                '"' => text.push_str("\\\""),
                '\n' => text.push_str("\\n"),
                char => text.push(char),
            }
        }
        text.push('"');
    }
    text
}

/// µs as seconds.
fn seconds(us: u64) -> String {
    let (whole, rest) = (us / 1_000_000, us % 1_000_000);
    if rest == 0 {
        return whole.to_string();
    }
    format!("{whole}.{rest:06}")
        .trim_end_matches('0')
        .to_owned()
}

/// The text while it is written.
struct Text(String);

// Writing to a String cannot fail, so what `write!` returns is dropped.
impl Text {
    fn sample(&mut self, name: &str, labels: &[&str], value: impl std::fmt::Display) {
        self.0.push_str(name);
        let mut open = '{';
        for part in labels.iter().filter(|part| !part.is_empty()) {
            self.0.push(open);
            self.0.push_str(part);
            open = ',';
        }
        if open == ',' {
            self.0.push('}');
        }
        let _ = writeln!(self.0, " {value}");
    }

    /// A sample whose name and labels are ready.
    fn number(&mut self, series: &str, value: u64) {
        self.0.push_str(series);
        self.0.push(' ');
        self.0.push_str(itoa::Buffer::new().format(value));
        self.0.push('\n');
    }

    /// A row of this family.
    fn row(&mut self, family: &Family, common: &str, metric: &Metric, value: u64) {
        let Export::Series { name, labels } = metric.export else {
            return;
        };
        let labels = &[common, labels];
        let is_sum = family.kind == Type::Summary && name.ends_with("_sum");
        match metric.kind {
            Kind::Timestamp => self.sample(name, labels, seconds(value.saturating_mul(1000))),
            _ if is_sum || name.ends_with("_seconds_total") => {
                self.sample(name, labels, seconds(value))
            }
            _ => self.sample(name, labels, itoa::Buffer::new().format(value)),
        }
    }

    fn histogram(&mut self, shown: &Shown, stats: &Stats) {
        let all = (shown.distribution.pick)(&stats.hist).since_start();
        let mut buckets = shown.buckets.iter().peekable();
        let mut below = 0;
        for (power, count) in all.counts.iter().enumerate() {
            below += count;
            if let Some((_, series)) = buckets.next_if(|(bound, _)| *bound == power) {
                self.number(series, below);
            }
        }
        self.number(&shown.all, below);
        self.0.push_str(&shown.sum);
        self.0.push(' ');
        match shown.distribution.unit {
            Unit::Micros => self.0.push_str(&seconds(all.sum)),
            Unit::Count => self.0.push_str(itoa::Buffer::new().format(all.sum)),
        }
        self.0.push('\n');
        self.number(&shown.count, below);
    }

    /// Error replies by their word.
    fn errors(&mut self, name: &str, common: &str, counts: &[u64; ErrorWord::COUNT]) {
        for (word, count) in ErrorWord::ALL.into_iter().zip(counts) {
            self.sample(name, &[common, &labels(&[("error", word.name())])], count);
        }
    }

    /// The families that come from no table.
    fn special(&mut self, family: &Family, report: &Report<'_>) {
        let name = family.name;
        let (who, process) = (report.who, report.process);
        let value = match name {
            "dynomite_build_info" => {
                return self.sample(name, &[&labels(&[("version", &who.version)])], 1);
            }
            "dynomite_node_info" => {
                let labels = labels(&[
                    ("dc", &who.dc),
                    ("rack", &who.rack),
                    ("datastore", &who.server_name),
                    ("pool", &who.pool_name),
                ]);
                return self.sample(name, &[&labels], 1);
            }
            "dynomite_node_state" => {
                for (state, is_it) in report.states {
                    self.sample(name, &[&labels(&[("state", state)])], u8::from(*is_it));
                }
                return;
            }
            "dynomite_default_consistency" => {
                for (class, chosen) in CLASSES.iter().zip(report.consistency) {
                    for level in Consistency::ALL {
                        let labels = labels(&[("class", class), ("consistency", level.name())]);
                        self.sample(name, &[&labels], u8::from(level == chosen));
                    }
                }
                return;
            }
            "dynomite_placed_requests_total" => {
                for (class, counts) in CLASSES.iter().zip(&report.stats.placed) {
                    for (level, count) in Consistency::ALL.iter().zip(counts) {
                        let labels = labels(&[("class", class), ("consistency", level.name())]);
                        self.sample(name, &[&labels], count);
                    }
                }
                return;
            }
            "dynomite_datastore_error_replies_total" => {
                return self.errors(name, "", &report.stats.store_errors);
            }
            "dynomite_peer_error_replies_total" => {
                for peer in report.peers {
                    self.errors(name, &peer_labels(peer), &peer.errors);
                }
                return;
            }
            "dynomite_peer_clock_offset_seconds" | "dynomite_peer_clock_error_seconds" => {
                for peer in report.peers {
                    let Some((offset, error)) = peer.clock else {
                        continue;
                    };
                    let labels =
                        labels(&[("peer", &peer.peer), ("dc", &peer.dc), ("rack", &peer.rack)]);
                    let sign = if offset < 0 { "-" } else { "" };
                    match name {
                        "dynomite_peer_clock_error_seconds" => {
                            self.sample(name, &[&labels], seconds(error))
                        }
                        _ => self.sample(
                            name,
                            &[&labels],
                            format!("{sign}{}", seconds(offset.unsigned_abs())),
                        ),
                    }
                }
                return;
            }
            "dynomite_mbufs_free" => report.memory.free_mbufs,
            "dynomite_messages_in_use" => {
                let memory = report.memory;
                memory.alloc_msgs.saturating_sub(memory.free_msgs)
            }
            "process_cpu_seconds_total" => {
                return self.sample(name, &[], seconds(process.cpu_us));
            }
            "process_open_fds" => process.open_fds,
            "process_max_fds" => process.max_fds,
            "process_virtual_memory_bytes" => process.virtual_bytes,
            "process_resident_memory_bytes" => process.resident_bytes,
            "process_start_time_seconds" => {
                return self.sample(name, &[], seconds(who.started.wall_us));
            }
            _ => return,
        };
        self.sample(name, &[], value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Now;
    use std::collections::{HashMap, HashSet};

    fn text(stats: &Stats, peers: &[Peer]) -> String {
        let who = Identity {
            dc: "d\"1\\\n".into(),
            version: "v1".into(),
            started: Now {
                mono_us: 0,
                wall_us: 1_500_000,
            },
            ..Identity::default()
        };
        render(&Report {
            stats,
            peers,
            who: &who,
            memory: &Memory::default(),
            process: &Process {
                cpu_us: 2_050_000,
                ..Process::default()
            },
            states: &[("NORMAL", true), ("STANDBY", false)],
            consistency: [Consistency::DcOne, Consistency::DcQuorum],
        })
    }

    #[test]
    fn every_family_has_a_head_and_series() {
        let peer = Peer {
            peer: "h:1".into(),
            clock: Some((0, 0)),
            ..Peer::default()
        };
        let text = text(&Stats::default(), &[peer]);
        let mut current = "";
        let mut series = HashMap::new();
        let mut seen = HashSet::new();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("# TYPE ") {
                current = rest.split_once(' ').unwrap().0;
                series.insert(current, 0);
            } else if !line.starts_with('#') {
                assert!(line.starts_with(current), "{line} after {current}");
                let (name, _) = line.rsplit_once(' ').unwrap();
                assert!(seen.insert(name), "{name} twice");
                *series.get_mut(current).unwrap() += 1;
            }
        }
        for family in FAMILIES {
            assert!(series[family.name] > 0, "{} has no series", family.name);
        }
        assert_eq!(series.len(), FAMILIES.len());
    }

    #[test]
    fn values_are_in_base_units_and_labels_are_escaped() {
        let mut stats = Stats::default();
        stats.pool.peer_ejected_at = 1_795_352_779_790;
        stats.placed[1][Consistency::DcQuorum as usize] = 7;
        let mut peer = Peer {
            peer: "h:1".into(),
            dc: "d".into(),
            rack: "r".into(),
            ..Peer::default()
        };
        peer.stats.latency_us = 1_500_001;
        peer.clock = Some((-119_500_000, 250));
        let text = text(&stats, &[peer]);
        for line in [
            "dynomite_build_info{version=\"v1\"} 1",
            "dynomite_node_info{dc=\"d\\\"1\\\\\\n\",rack=\"\",datastore=\"\",pool=\"\"} 1",
            "dynomite_node_state{state=\"NORMAL\"} 1",
            "dynomite_node_state{state=\"STANDBY\"} 0",
            "dynomite_default_consistency{class=\"write\",consistency=\"DC_QUORUM\"} 1",
            "dynomite_placed_requests_total{class=\"write\",consistency=\"DC_QUORUM\"} 7",
            "dynomite_peer_connection_last_lost_timestamp_seconds 1795352779.79",
            "dynomite_peer_clock_offset_seconds{peer=\"h:1\",dc=\"d\",rack=\"r\"} -119.5",
            "dynomite_peer_clock_error_seconds{peer=\"h:1\",dc=\"d\",rack=\"r\"} 0.00025",
            "dynomite_peer_latency_seconds_sum{peer=\"h:1\",dc=\"d\",rack=\"r\"} 1.500001",
            "dynomite_peer_queue_bytes{peer=\"h:1\",dc=\"d\",rack=\"r\",queue=\"awaited\"} 0",
            "dynomite_datastore_commands_total{group=\"incr_decr\"} 0",
            "process_cpu_seconds_total 2.05",
            "process_start_time_seconds 1.5",
        ] {
            assert!(text.contains(&format!("\n{line}\n")), "{line}\n{text}");
        }
    }

    #[test]
    fn buckets_are_cumulative_and_outlive_a_reset() {
        let mut stats = Stats::default();
        for us in [0, 31, 32, 63, 64, 40_000_000] {
            stats.hist.server_latency.record(us);
        }
        stats.hist.reset();
        stats.hist.server_latency.record(64);
        stats.hist.client_out_queue.record(0);
        stats.hist.client_out_queue.record(2);
        let text = text(&stats, &[]);
        let name = "dynomite_datastore_request_duration_seconds";
        for (bound, below) in [
            ("0.000032", 2),
            ("0.000064", 4),
            ("0.000128", 6),
            ("33.554432", 6),
            ("+Inf", 7),
        ] {
            let line = format!("\n{name}_bucket{{le=\"{bound}\"}} {below}\n");
            assert!(text.contains(&line), "{line}");
        }
        assert!(text.contains(&format!("\n{name}_sum 40.000254\n{name}_count 7\n")));
        for (bound, below) in [("0", 1), ("1", 1), ("3", 2), ("4095", 2)] {
            let line = format!(
                "dynomite_queue_length_bucket{{queue=\"client\",le=\"{bound}\"}} {below}\n"
            );
            assert!(text.contains(&line), "{line}");
        }
    }
}
