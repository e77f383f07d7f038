//! The one table of metric families in `/metrics`: name, type, labels and meaning of each.
//!
//! What a family shows comes from the rows of [`table`](super::table) that name it, from the
//! histograms of [`HISTOGRAMS`], or, for the few that are neither, from
//! [`prometheus`](super::prometheus) itself. Names follow the conventions of Prometheus: base units
//! (seconds, bytes), `_total` for counters; names beginning with `process_` are those that its client
//! libraries use.

use super::{Histogram, Histograms};

/// The types of families, in the words of the text format 0.0.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Type {
    /// Only rises, from 0 at start.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Cumulative buckets, sum and count.
    Histogram,
    /// Sum and count.
    Summary,
}

impl Type {
    /// Its word behind `# TYPE`.
    pub const fn word(self) -> &'static str {
        match self {
            Type::Counter => "counter",
            Type::Gauge => "gauge",
            Type::Histogram => "histogram",
            Type::Summary => "summary",
        }
    }
}

/// One family.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its whole name.
    pub name: &'static str,
    /// Its type.
    pub kind: Type,
    /// The labels of its series, without `le`.
    pub labels: &'static [&'static str],
    /// What it means, in one sentence.
    pub help: &'static str,
}

const PEER: &[&str] = &["peer", "dc", "rack"];

/// Every family, in the order of the text.
#[rustfmt::skip]
pub const FAMILIES: &[Family] = {
    use Type::{Counter, Gauge, Histogram, Summary};
    const fn f(name: &'static str, kind: Type, labels: &'static [&'static str], help: &'static str) -> Family {
        Family { name, kind, labels, help }
    }
    &[
        f("dynomite_build_info", Gauge, &["version"], "Always 1; the version is in the label."),
        f("dynomite_node_info", Gauge, &["dc", "rack", "datastore", "pool"], "Always 1; the labels identify this node."),
        f("dynomite_node_state", Gauge, &["state"], "1 for the state this node is in, 0 for the others."),
        f("dynomite_default_consistency", Gauge, &["class", "consistency"], "1 for the default consistency level, 0 for the others."),
        f("dynomite_timeout_factor", Gauge, &[], "The factor of every request timeout, 1 to 10."),
        f("dynomite_log_level", Gauge, &[], "Log level, 0 to 11."),
        f("dynomite_log_lines_unwritten_total", Counter, &["reason"], "Log lines that were not written: suppressed as repetitions, or lost because the log is written too slowly or not at all."),
        f("dynomite_writes_held", Gauge, &[], "Writes that wait because the state of this node is WRITES_ONLY."),
        f("dynomite_writes_held_bytes", Gauge, &[], "Their bytes."),
        f("dynomite_held_writes_refused_total", Counter, &[], "Writes refused because too many waited, or too long, in state WRITES_ONLY."),
        f("dynomite_admin_changes_total", Counter, &["outcome"], "Changes over the statistics port: made, or refused."),
        f("dynomite_reloads_total", Counter, &["outcome"], "Reloads of the configuration: done, or refused because of an error."),
        f("dynomite_members_changed_total", Counter, &["change"], "Nodes that joined, left or changed their address through a list of seeds."),
        f("dynomite_seed_lists_refused_total", Counter, &[], "Lists of seeds that were ignored or could not be fetched."),
        f("dynomite_info_polls_total", Counter, &[], "Polls of /info."),

        f("dynomite_client_connections", Gauge, &[], "Client connections."),
        f("dynomite_client_connections_closed_total", Counter, &["reason"], "Client connections that ended: by the client's end of stream, or by an error."),
        f("dynomite_client_connections_refused_total", Counter, &[], "Client connections closed at once because client_connections was reached."),
        f("dynomite_client_connections_evicted_total", Counter, &[], "Client connections that never sent a request and were closed to make room for others."),
        f("dynomite_accept_pauses_total", Counter, &[], "Pauses in accepting connections because file descriptors ran out."),
        f("dynomite_client_requests_total", Counter, &["class"], "Client requests with keys. Each piece of a divided request counts; PING does not."),
        f("dynomite_placed_requests_total", Counter, &["class", "consistency"], "Client requests sent to the datastore and to peers, by consistency level. Each piece of a divided request counts, and PING."),
        f("dynomite_client_request_duration_seconds", Histogram, &["class"], "Time from the complete request of a client to its reply. Class read includes what the node answers itself."),
        f("dynomite_client_write_size_bytes", Histogram, &[], "Size of each write request of a client."),
        f("dynomite_client_requests_dropped_total", Counter, &[], "Requests without a reply when their client's connection closed."),
        f("dynomite_client_requests_without_quorum_total", Counter, &["class"], "Requests whose replicas did not reach the quorum of their level."),
        f("dynomite_client_error_replies_total", Counter, &[], "Error replies to clients, including those of the datastore."),
        f("dynomite_client_protocol_errors_total", Counter, &[], "Client connections closed for malformed or stalled requests."),
        f("dynomite_client_unknown_commands_total", Counter, &[], "Client requests with an unknown command."),
        f("dynomite_request_fragments_total", Counter, &[], "Pieces of requests that were divided because several nodes own their keys."),
        f("dynomite_request_timeouts_total", Counter, &["target"], "Requests that timed out: at the datastore, at a peer of this datacenter, or at one of another."),
        f("dynomite_late_replies_dropped_total", Counter, &[], "Replies that came after their request had timed out."),
        f("dynomite_replica_writes_lost_total", Counter, &["reason"], "Writes that a replica missed or may have missed, one for each replica: its node could not be reached, the write could not be sent, the connection was lost before the reply, no reply came in time, or the node or its datastore did not serve it."),
        f("dynomite_internal_contradictions_total", Counter, &[], "Contradictions in the node's own bookkeeping, such as a request answered twice. Each is a bug; the node does not act on it."),
        f("dynomite_read_failovers_total", Counter, &[], "Reads answered by another rack because the owner in this one could not."),
        f("dynomite_remote_dc_failovers_total", Counter, &[], "Writes sent to another rack of a remote datacenter because the chosen one could not be reached."),
        f("dynomite_read_pauses_total", Counter, &[], "Times the node stopped reading from a client or peer because too much was under way."),
        f("dynomite_queue_length", Histogram, &["queue"], "Requests in a queue, sampled as requests are added and replies come."),

        f("dynomite_datastore_connections", Gauge, &[], "Established connections to the datastore."),
        f("dynomite_datastore_connections_lost_total", Counter, &["reason"], "Connections to the datastore that were lost or failed."),
        f("dynomite_datastore_connection_last_lost_timestamp_seconds", Gauge, &[], "When a connection to the datastore was last lost; 0 for never."),
        f("dynomite_datastore_requests_total", Counter, &["class"], "Requests of clients and peers to the datastore."),
        f("dynomite_datastore_request_bytes_total", Counter, &["class"], "Their bytes."),
        f("dynomite_datastore_replies_total", Counter, &["class"], "Replies of the datastore."),
        f("dynomite_datastore_reply_bytes_total", Counter, &["class"], "Their bytes."),
        f("dynomite_datastore_error_replies_total", Counter, &["error"], "Error replies of the datastore by their first word. OOM includes memcached's SERVER_ERROR out of memory; other is mostly a client's fault."),
        f("dynomite_datastore_requests_dropped_total", Counter, &[], "Requests to the datastore that timed out or were lost unsent."),
        f("dynomite_datastore_queue_requests", Gauge, &["queue"], "Requests to the datastore: not written yet, or awaited."),
        f("dynomite_datastore_queue_bytes", Gauge, &["queue"], "Their bytes."),
        f("dynomite_datastore_request_duration_seconds", Histogram, &[], "Time from writing a request to the datastore to reading its reply."),
        f("dynomite_datastore_queue_wait_seconds", Histogram, &[], "Time from the complete request to writing it to the datastore."),
        f("dynomite_datastore_commands_total", Counter, &["group"], "Requests to a Redis by group of commands; the groups overlap: sunion is in set and sets too, lreqm (LREM) in lists too."),

        f("dynomite_peer_up", Gauge, PEER, "1 while the peer is connected and has answered."),
        f("dynomite_peer_barred", Gauge, PEER, "1 while the peer is set down (/peer/down)."),
        f("dynomite_peer_connections", Gauge, PEER, "Established connections to the peer."),
        f("dynomite_peer_requests_total", Counter, PEER, "Requests to the peer."),
        f("dynomite_peer_request_bytes_total", Counter, PEER, "Their bytes, without the header of the peers' protocol."),
        f("dynomite_peer_latency_seconds", Summary, PEER, "Time from writing a request to the peer to reading its reply; the mean is sum divided by count."),
        f("dynomite_peer_request_timeouts_total", Counter, PEER, "Requests to the peer that timed out."),
        f("dynomite_peer_requests_dropped_total", Counter, PEER, "Requests that could not be sent to the peer, or were lost unsent with the connection."),
        f("dynomite_peer_connections_lost_total", Counter, &["peer", "dc", "rack", "reason"], "Connections to the peer that were lost or failed."),
        f("dynomite_peer_error_replies_total", Counter, &["peer", "dc", "rack", "error"], "Error replies of the peer by their first word: those of its datastore, and Storage if it cannot reach its datastore."),
        f("dynomite_peer_queue_requests", Gauge, &["peer", "dc", "rack", "queue"], "Requests to the peer: not written yet, or awaited."),
        f("dynomite_peer_queue_bytes", Gauge, &["peer", "dc", "rack", "queue"], "Their bytes."),
        f("dynomite_peer_window_requests", Gauge, PEER, "If the peer is a C node: how many requests may wait for its reply, on all connections together. Otherwise 0: no limit."),
        f("dynomite_peer_client_pauses_total", Counter, PEER, "Times that clients of this node waited because the peer, a C node, was slower."),
        f("dynomite_peer_client_paused_seconds_total", Counter, PEER, "The time that they waited."),
        f("dynomite_peer_request_duration_seconds", Histogram, &["distance"], "Time from writing a request to a peer to reading its reply, all peers of this datacenter or of others together."),
        f("dynomite_peer_queue_wait_seconds", Histogram, &["distance"], "Time from the complete request to writing it to a peer."),
        f("dynomite_peer_replies_used_total", Counter, &[], "Replies of peers that were used."),
        f("dynomite_peer_reply_bytes_used_total", Counter, &[], "Their bytes."),
        f("dynomite_peer_replies_out_of_order_total", Counter, &[], "Replies of peers that were not for the oldest outstanding request."),
        f("dynomite_peer_mismatch", Gauge, &["peer", "dc", "rack", "setting"], "1 while this node and the peer disagree about the setting; /readyz and the log say how."),
        f("dynomite_peer_clock_offset_seconds", Gauge, PEER, "How far the clock of the peer is ahead of this node's. Absent while unknown, and for C nodes."),
        f("dynomite_peer_clock_error_seconds", Gauge, PEER, "The error of that offset: half of the round trip of the measurement."),
        f("dynomite_inbound_peer_mismatch", Gauge, &["problem"], "Connected nodes that list this node with other settings, or that this node does not list."),
        f("dynomite_node_outvoted", Gauge, &[], "1 while this node looks for keys elsewhere than most nodes do; it is not ready then."),
        f("dynomite_peer_connection_last_lost_timestamp_seconds", Gauge, &[], "When a connection to a peer was last lost; 0 for never."),
        f("dynomite_inbound_peer_connections", Gauge, &[], "Connections from peers."),
        f("dynomite_inbound_peer_connections_closed_total", Counter, &["reason"], "Connections from peers that ended: by the peer's end of stream, or by an error."),
        f("dynomite_inbound_peer_connections_refused_total", Counter, &[], "Connections to dyn_listen closed at once because more useful ones take all places."),
        f("dynomite_inbound_peer_connections_evicted_total", Counter, &[], "Connections to dyn_listen closed to make room for others, or because many were silent."),
        f("dynomite_inbound_peer_queue_requests", Gauge, &[], "Requests of peers without a reply yet."),
        f("dynomite_inbound_peer_error_replies_total", Counter, &[], "Error replies to peers, including those of the datastore."),

        f("dynomite_mbufs_in_use", Gauge, &[], "Buffers that hold data."),
        f("dynomite_mbufs_free", Gauge, &[], "Buffers kept for reuse."),
        f("dynomite_mbufs_peak", Gauge, &[], "The most buffers in use at once since start."),
        f("dynomite_mbuf_limit_hits_total", Counter, &[], "Times a connection was closed or a request refused because all buffers were in use."),
        f("dynomite_messages_in_use", Gauge, &[], "Requests and their copies under way."),

        f("process_cpu_seconds_total", Counter, &[], "Processor time, user and system."),
        f("process_open_fds", Gauge, &[], "Open file descriptors."),
        f("process_max_fds", Gauge, &[], "The limit of open file descriptors."),
        f("process_virtual_memory_bytes", Gauge, &[], "Virtual memory."),
        f("process_resident_memory_bytes", Gauge, &[], "Resident memory."),
        f("process_start_time_seconds", Gauge, &[], "When the process started, in seconds since 1970."),
    ]
};

/// The unit of a histogram's samples, and so of its bounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Samples are whole µs, truncated; shown in seconds. Bounds are powers of two of a µs: what is
    /// below one is at most that long.
    Micros,
    /// Samples are numbers of things. Bounds are one less than powers of two.
    Count,
}

/// A histogram in `/metrics`.
pub struct Distribution {
    /// Its family.
    pub name: &'static str,
    /// Its labels, written as in the text.
    pub labels: &'static str,
    /// Where its samples are.
    pub pick: fn(&Histograms) -> &Histogram,
    /// The unit of the samples.
    pub unit: Unit,
    /// The bit lengths of its first and last bound.
    pub bounds: (usize, usize),
}

/// 32 µs to 33.6 s.
const TIMES: (usize, usize) = (5, 25);
/// 31 bytes to 128 MiB.
const SIZES: (usize, usize) = (5, 27);
/// 0 to 4095 requests.
const LENGTHS: (usize, usize) = (0, 12);

/// Every histogram of `/metrics`.
#[rustfmt::skip]
pub const HISTOGRAMS: &[Distribution] = {
    use Unit::{Count, Micros};
    const fn d(
        name: &'static str,
        labels: &'static str,
        unit: Unit,
        bounds: (usize, usize),
        pick: fn(&Histograms) -> &Histogram,
    ) -> Distribution {
        Distribution { name, labels, pick, unit, bounds }
    }
    &[
        d("dynomite_client_request_duration_seconds", "class=\"read\"", Micros, TIMES, |h| &h.read_latency),
        d("dynomite_client_request_duration_seconds", "class=\"write\"", Micros, TIMES, |h| &h.write_latency),
        d("dynomite_client_write_size_bytes", "", Count, SIZES, |h| &h.payload_size),
        d("dynomite_queue_length", "queue=\"client\"", Count, LENGTHS, |h| &h.client_out_queue),
        d("dynomite_queue_length", "queue=\"datastore_unsent\"", Count, LENGTHS, |h| &h.server_in_queue),
        d("dynomite_queue_length", "queue=\"datastore_awaited\"", Count, LENGTHS, |h| &h.server_out_queue),
        d("dynomite_queue_length", "queue=\"inbound_peer\"", Count, LENGTHS, |h| &h.dnode_client_out_queue),
        d("dynomite_queue_length", "queue=\"local_dc_peer_unsent\"", Count, LENGTHS, |h| &h.peer_in_queue),
        d("dynomite_queue_length", "queue=\"local_dc_peer_awaited\"", Count, LENGTHS, |h| &h.peer_out_queue),
        d("dynomite_queue_length", "queue=\"remote_dc_peer_unsent\"", Count, LENGTHS, |h| &h.remote_peer_in_queue),
        d("dynomite_queue_length", "queue=\"remote_dc_peer_awaited\"", Count, LENGTHS, |h| &h.remote_peer_out_queue),
        d("dynomite_datastore_request_duration_seconds", "", Micros, TIMES, |h| &h.server_latency),
        d("dynomite_datastore_queue_wait_seconds", "", Micros, TIMES, |h| &h.server_queue_wait),
        d("dynomite_peer_request_duration_seconds", "distance=\"local_dc\"", Micros, TIMES, |h| &h.cross_zone_latency),
        d("dynomite_peer_request_duration_seconds", "distance=\"remote_dc\"", Micros, TIMES, |h| &h.cross_region_rtt),
        d("dynomite_peer_queue_wait_seconds", "distance=\"local_dc\"", Micros, TIMES, |h| &h.cross_zone_queue_wait),
        d("dynomite_peer_queue_wait_seconds", "distance=\"remote_dc\"", Micros, TIMES, |h| &h.cross_region_queue_wait),
    ]
};

#[cfg(test)]
mod tests {
    use super::super::table::{Export, Kind, OwnStats, PeerStats, PoolStats, ServerStats};
    use super::*;
    use std::collections::HashSet;

    /// The names of the labels in a text of labels.
    fn names(labels: &str) -> Vec<&str> {
        let parts = labels.split(',').filter(|part| !part.is_empty());
        parts.map(|part| part.split_once('=').unwrap().0).collect()
    }

    #[test]
    fn families_are_named_once_and_as_the_conventions_say() {
        let mut seen = HashSet::new();
        for family in FAMILIES {
            assert!(seen.insert(family.name), "{} twice", family.name);
            assert!(
                family.name.starts_with("dynomite_") || family.name.starts_with("process_"),
                "{}",
                family.name
            );
            let total = family.name.ends_with("_total");
            assert_eq!(total, family.kind == Type::Counter, "{}", family.name);
            assert!(family.help.ends_with('.'), "{}", family.name);
            for unit in ["millis", "micros", "_us_", "_ms_", "_kb"] {
                assert!(!family.name.contains(unit), "{}", family.name);
            }
        }
    }

    #[test]
    fn every_row_of_the_table_is_in_a_family_that_has_its_labels() {
        let mut seen = HashSet::new();
        let mut shown = HashSet::new();
        let tables: [(&[super::super::Metric], &[&str]); 4] = [
            (&PoolStats::TABLE, &[]),
            (&ServerStats::TABLE, &[]),
            (&OwnStats::TABLE, &[]),
            (&PeerStats::TABLE, PEER),
        ];
        for (metric, common) in tables
            .iter()
            .flat_map(|(table, common)| table.iter().map(move |metric| (metric, common)))
        {
            let (name, labels) = match metric.export {
                Export::Beside(why) => {
                    assert!(!why.is_empty());
                    continue;
                }
                Export::Series { name, labels } => (name, labels),
            };
            assert!(seen.insert((name, labels)), "{name} {labels} twice");
            let base = name.trim_end_matches("_sum").trim_end_matches("_count");
            let family = FAMILIES.iter().find(|family| family.name == base);
            let family = family.unwrap_or_else(|| panic!("{base} is no family"));
            shown.insert(base);
            let mut expected: Vec<&str> = common.to_vec();
            expected.extend(names(labels));
            assert_eq!(family.labels, expected, "{name}");
            let rises = matches!(family.kind, Type::Counter | Type::Summary);
            // The original calls this one a gauge, though it only rises.
            if metric.name != "peer_forward_error" {
                assert_eq!(rises, metric.kind == Kind::Counter, "{name}");
            }
        }
        for distribution in HISTOGRAMS {
            let key = (distribution.name, distribution.labels);
            assert!(seen.insert(key), "{key:?} twice");
            let family = FAMILIES.iter().find(|f| f.name == distribution.name);
            let family = family.expect("a family");
            assert_eq!(family.kind, Type::Histogram);
            assert_eq!(family.labels, names(distribution.labels));
            shown.insert(distribution.name);
        }
        // References to other families in the rows are correct.
        for metric in tables.iter().flat_map(|(table, _)| table.iter()) {
            if let Export::Beside(why) = metric.export
                && let Some(at) = why.find("dynomite_")
            {
                let name = why[at..].split(',').next().unwrap();
                assert!(FAMILIES.iter().any(|f| f.name == name), "{why}");
            }
        }
        assert!(shown.len() > 50);
    }
}
