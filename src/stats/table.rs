//! The one table of metrics: name, kind and description of each, and the struct that counts it.
//!
//! Names, order and descriptions of [`PoolStats`] and [`ServerStats`] are those the C original
//! prints for `-D` and answers for `/info`; monitoring depends on them, spelling mistakes included.
//! [`OwnStats`] and [`PeerStats`] hold what the original does not count; they never enter those two lists.
//!
//! Each row also says which series it is in `/metrics`; the families of those are in
//! [`families`](super::families).
//!
//! A counter is bumped where the event happens, directly on its field: `stats.pool.client_eof +=
//! 1`. All values are plain `u64`s of the one thread that does the work.

/// How a metric behaves over time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only rises, from 0 at start.
    Counter,
    /// Rises and falls.
    Gauge,
    /// Milliseconds since the Unix epoch of the latest occurrence; 0 for never.
    Timestamp,
}

/// One row of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Metric {
    /// The field's name, and the key in `/info`.
    pub name: &'static str,
    /// How its value behaves.
    pub kind: Kind,
    /// What `-D` prints.
    pub description: &'static str,
    /// Its series in `/metrics`.
    pub export: Export,
}

/// How a row appears in `/metrics`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Export {
    /// As the series of this [family](super::families) with these labels, written as in the text.
    Series {
        /// The name of the family; for the two parts of a summary with `_sum` or `_count`.
        name: &'static str,
        /// The labels besides those every series of the family has.
        labels: &'static str,
    },
    /// Not exported, and why: the family that shows it better, or that it is always 0.
    Beside(&'static str),
}

const fn series(name: &'static str, labels: &'static str) -> Export {
    Export::Series { name, labels }
}

const fn beside(why: &'static str) -> Export {
    Export::Beside(why)
}

/// Declares a struct of metrics and, from the same rows, its table and its values in order.
macro_rules! metrics {
    ($(#[$doc:meta])* $struct:ident { $($name:ident: $kind:ident = $description:literal => $export:expr,)* }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq)]
        pub struct $struct {
            $(
                #[doc = concat!(stringify!($kind), ": `", $description, "`.")]
                pub $name: u64,
            )*
        }

        impl $struct {
            /// How many metrics there are.
            pub const LEN: usize = [$(stringify!($name)),*].len();

            /// The rows, in the order of [`Self::values`].
            pub const TABLE: [Metric; Self::LEN] = [$(Metric {
                name: stringify!($name),
                kind: Kind::$kind,
                description: $description,
                export: $export,
            }),*];

            /// The value of this name, to be changed.
            pub fn get_mut(&mut self, name: &str) -> Option<&mut u64> {
                match name {
                    $(stringify!($name) => Some(&mut self.$name),)*
                    _ => None,
                }
            }

            /// The values now, in the order of [`Self::TABLE`].
            pub fn values(&self) -> [u64; Self::LEN] {
                [$(self.$name),*]
            }
        }
    };
}

metrics! {
    /// Events on the client and peer side of the node. The pool object of `/info`.
    PoolStats {
        client_eof: Counter = "# eof on client connections" => series("dynomite_client_connections_closed_total", "reason=\"eof\""),
        client_err: Counter = "# errors on client connections" => series("dynomite_client_connections_closed_total", "reason=\"error\""),
        client_connections: Gauge = "# active client connections" => series("dynomite_client_connections", ""),
        client_read_requests: Counter = "# client read requests" => series("dynomite_client_requests_total", "class=\"read\""),
        client_write_requests: Counter = "# client write responses" => series("dynomite_client_requests_total", "class=\"write\""),
        client_dropped_requests: Counter = "# client dropped requests" => series("dynomite_client_requests_dropped_total", ""),
        client_non_quorum_w_responses: Counter = "# client non quorum write responses" => series("dynomite_client_requests_without_quorum_total", "class=\"write\""),
        client_non_quorum_r_responses: Counter = "# client non quorum read responses" => series("dynomite_client_requests_without_quorum_total", "class=\"read\""),
        server_ejects: Counter = "# times backend server was ejected" => beside("the sum of dynomite_datastore_connections_lost_total"),
        dnode_client_eof: Counter = "# eof on dnode client connections" => series("dynomite_inbound_peer_connections_closed_total", "reason=\"eof\""),
        dnode_client_err: Counter = "# errors on dnode client connections" => series("dynomite_inbound_peer_connections_closed_total", "reason=\"error\""),
        dnode_client_connections: Gauge = "# active dnode client connections" => series("dynomite_inbound_peer_connections", ""),
        dnode_client_in_queue: Gauge = "# dnode client requests in incoming queue" => beside("always 0"),
        dnode_client_in_queue_bytes: Gauge = "current dnode client request bytes in incoming queue" => beside("always 0"),
        dnode_client_out_queue: Gauge = "# dnode client requests in outgoing queue" => series("dynomite_inbound_peer_queue_requests", ""),
        dnode_client_out_queue_bytes: Gauge = "current dnode client request bytes in outgoing queue" => beside("always 0"),
        peer_dropped_requests: Counter = "# local dc peer dropped requests" => beside("in dynomite_peer_requests_dropped_total"),
        peer_timedout_requests: Counter = "# local dc peer timedout requests" => series("dynomite_request_timeouts_total", "target=\"local_dc\""),
        remote_peer_dropped_requests: Counter = "# remote dc peer dropped requests" => beside("in dynomite_peer_requests_dropped_total"),
        remote_peer_timedout_requests: Counter = "# remote dc peer timedout requests" => series("dynomite_request_timeouts_total", "target=\"remote_dc\""),
        remote_peer_failover_requests: Counter = "# remote dc peer failover requests" => series("dynomite_remote_dc_failovers_total", ""),
        peer_eof: Counter = "# eof on peer connections" => beside("in dynomite_peer_connections_lost_total"),
        peer_err: Counter = "# errors on peer connections" => beside("in dynomite_peer_connections_lost_total"),
        peer_timedout: Counter = "# timeouts on local dc peer connections" => beside("in dynomite_peer_connections_lost_total"),
        remote_peer_timedout: Counter = "# timeouts on remote dc peer connections" => beside("in dynomite_peer_connections_lost_total"),
        peer_connections: Gauge = "# active peer connections" => beside("the sum of dynomite_peer_connections"),
        peer_forward_error: Gauge = "# times we encountered a peer forwarding error" => series("dynomite_inbound_peer_error_replies_total", ""),
        peer_requests: Counter = "# peer requests" => beside("the sum of dynomite_peer_requests_total"),
        peer_request_bytes: Counter = "total peer request bytes" => beside("the sum of dynomite_peer_request_bytes_total"),
        peer_responses: Counter = "# peer respones" => series("dynomite_peer_replies_used_total", ""),
        peer_response_bytes: Counter = "total peer response bytes" => series("dynomite_peer_reply_bytes_used_total", ""),
        peer_ejected_at: Timestamp = "timestamp when peer was ejected" => series("dynomite_peer_connection_last_lost_timestamp_seconds", ""),
        peer_ejects: Counter = "# times a peer was ejected" => beside("in dynomite_peer_connections_lost_total"),
        peer_in_queue: Gauge = "# local dc peer requests in incoming queue" => beside("in dynomite_peer_queue_requests"),
        remote_peer_in_queue: Gauge = "# remote dc peer requests in incoming queue" => beside("in dynomite_peer_queue_requests"),
        peer_in_queue_bytes: Gauge = "current peer request bytes in incoming queue" => beside("in dynomite_peer_queue_bytes"),
        remote_peer_in_queue_bytes: Gauge = "current peer request bytes in incoming queue to remote DC" => beside("in dynomite_peer_queue_bytes"),
        peer_out_queue: Gauge = "# local dc peer requests in outgoing queue" => beside("in dynomite_peer_queue_requests"),
        remote_peer_out_queue: Gauge = "# remote dc peer requests in outgoing queue" => beside("in dynomite_peer_queue_requests"),
        peer_out_queue_bytes: Gauge = "current peer request bytes in outgoing queue" => beside("in dynomite_peer_queue_bytes"),
        remote_peer_out_queue_bytes: Gauge = "current peer request bytes in outgoing queue to remote DC" => beside("in dynomite_peer_queue_bytes"),
        peer_mismatch_requests: Counter = "current dnode peer mismatched messages" => series("dynomite_peer_replies_out_of_order_total", ""),
        forward_error: Counter = "# times we encountered a forwarding error" => series("dynomite_client_error_replies_total", ""),
        fragments: Counter = "# fragments created from a multi-vector request" => series("dynomite_request_fragments_total", ""),
        stats_count: Counter = "# stats request" => series("dynomite_info_polls_total", ""),
    }
}

metrics! {
    /// Events on the datastore side. The innermost object of `/info`.
    ServerStats {
        server_eof: Counter = "# eof on server connections" => series("dynomite_datastore_connections_lost_total", "reason=\"eof\""),
        server_err: Counter = "# errors on server connections" => series("dynomite_datastore_connections_lost_total", "reason=\"error\""),
        server_timedout: Counter = "# timeouts on server connections" => series("dynomite_datastore_connections_lost_total", "reason=\"timeout\""),
        server_ejected_at: Timestamp = "timestamp when server was ejected in usec since epoch" => series("dynomite_datastore_connection_last_lost_timestamp_seconds", ""),
        server_dropped_requests: Counter = "# server dropped requests" => series("dynomite_datastore_requests_dropped_total", ""),
        server_timedout_requests: Counter = "# server timedout requests" => series("dynomite_request_timeouts_total", "target=\"datastore\""),
        read_requests: Counter = "# read requests" => series("dynomite_datastore_requests_total", "class=\"read\""),
        read_request_bytes: Counter = "total read request bytes" => series("dynomite_datastore_request_bytes_total", "class=\"read\""),
        write_requests: Counter = "# write requests" => series("dynomite_datastore_requests_total", "class=\"write\""),
        write_request_bytes: Counter = "total write request bytes" => series("dynomite_datastore_request_bytes_total", "class=\"write\""),
        read_responses: Counter = "# read respones" => series("dynomite_datastore_replies_total", "class=\"read\""),
        read_response_bytes: Counter = "total read response bytes" => series("dynomite_datastore_reply_bytes_total", "class=\"read\""),
        write_responses: Counter = "# write respones" => series("dynomite_datastore_replies_total", "class=\"write\""),
        write_response_bytes: Counter = "total write response bytes" => series("dynomite_datastore_reply_bytes_total", "class=\"write\""),
        in_queue: Gauge = "# requests in incoming queue" => series("dynomite_datastore_queue_requests", "queue=\"unsent\""),
        in_queue_bytes: Gauge = "current request bytes in incoming queue" => series("dynomite_datastore_queue_bytes", "queue=\"unsent\""),
        out_queue: Gauge = "# requests in outgoing queue" => series("dynomite_datastore_queue_requests", "queue=\"awaited\""),
        out_queue_bytes: Gauge = "current request bytes in outgoing queue" => series("dynomite_datastore_queue_bytes", "queue=\"awaited\""),
        redis_req_get: Counter = "# Redis get" => series("dynomite_datastore_commands_total", "group=\"get\""),
        redis_req_set: Counter = "# Redis set" => series("dynomite_datastore_commands_total", "group=\"set\""),
        redis_req_del: Counter = "# Redis del" => series("dynomite_datastore_commands_total", "group=\"del\""),
        redis_req_incr_decr: Counter = "# Redis incr or decr" => series("dynomite_datastore_commands_total", "group=\"incr_decr\""),
        redis_req_keys: Counter = "# Redis keys" => series("dynomite_datastore_commands_total", "group=\"keys\""),
        redis_req_mget: Counter = "# Redis mget" => series("dynomite_datastore_commands_total", "group=\"mget\""),
        redis_req_scan: Counter = "# Redis scan" => series("dynomite_datastore_commands_total", "group=\"scan\""),
        redis_req_sort: Counter = "# Redis sort" => series("dynomite_datastore_commands_total", "group=\"sort\""),
        redis_req_lreqm: Counter = "# Redis lreqm" => series("dynomite_datastore_commands_total", "group=\"lreqm\""),
        redis_req_sunion: Counter = "# Redis sunion" => series("dynomite_datastore_commands_total", "group=\"sunion\""),
        redis_req_ping: Counter = "# Redis ping" => series("dynomite_datastore_commands_total", "group=\"ping\""),
        redis_req_lists: Counter = "# Redis lists" => series("dynomite_datastore_commands_total", "group=\"lists\""),
        redis_req_sets: Counter = "# Redis sets" => series("dynomite_datastore_commands_total", "group=\"sets\""),
        redis_req_hashes: Counter = "# Redis hashes" => series("dynomite_datastore_commands_total", "group=\"hashes\""),
        redis_req_sortedsets: Counter = "# Redis sortedsets" => series("dynomite_datastore_commands_total", "group=\"sortedsets\""),
        redis_req_other: Counter = "# Redis other" => series("dynomite_datastore_commands_total", "group=\"other\""),
    }
}

metrics! {
    /// Counters that the C original lacks. The `dynomite_rs` object of `/info`.
    OwnStats {
        accepts_paused: Counter = "# times accepting was paused for want of descriptors" => series("dynomite_accept_pauses_total", ""),
        clients_refused: Counter = "# client connections closed at once because the limit was reached" => series("dynomite_client_connections_refused_total", ""),
        clients_evicted: Counter = "# client connections closed to make room because they had asked for nothing" => series("dynomite_client_connections_evicted_total", ""),
        peers_refused: Counter = "# connections to dyn_listen closed at once because the limit was reached" => series("dynomite_inbound_peer_connections_refused_total", ""),
        peers_evicted: Counter = "# connections to dyn_listen closed to make room or because they had said nothing" => series("dynomite_inbound_peer_connections_evicted_total", ""),
        reads_paused: Counter = "# times reading from a connection was paused by back-pressure" => series("dynomite_read_pauses_total", ""),
        requests_timedout: Counter = "# client requests answered with a timeout error" => beside("the sum of dynomite_request_timeouts_total"),
        late_replies_dropped: Counter = "# replies that came after their request was given up" => series("dynomite_late_replies_dropped_total", ""),
        writes_lost_unreachable: Counter = "# writes that a replica missed: its node could not be reached" => series("dynomite_replica_writes_lost_total", "reason=\"unreachable\""),
        writes_lost_not_sent: Counter = "# writes that a replica missed: they could not be put into the queue of a connection" => series("dynomite_replica_writes_lost_total", "reason=\"not_sent\""),
        writes_lost_disconnected: Counter = "# writes that a replica may have missed: the connection was lost before the reply" => series("dynomite_replica_writes_lost_total", "reason=\"disconnected\""),
        writes_lost_timed_out: Counter = "# writes that a replica may have missed: no reply came in time" => series("dynomite_replica_writes_lost_total", "reason=\"timed_out\""),
        writes_lost_refused: Counter = "# writes that a replica missed: its node or datastore did not serve them" => series("dynomite_replica_writes_lost_total", "reason=\"refused\""),
        contradictions: Counter = "# times the node found its own bookkeeping contradicting itself, and did not act on it" => series("dynomite_internal_contradictions_total", ""),
        protocol_errors: Counter = "# client connections closed for malformed input" => series("dynomite_client_protocol_errors_total", ""),
        unknown_commands: Counter = "# client requests with an unknown or unsupported command" => series("dynomite_client_unknown_commands_total", ""),
        store_reply_errors: Counter = "# error replies from the datastore" => beside("the sum of dynomite_datastore_error_replies_total"),
        read_failovers: Counter = "# reads served by another rack because this rack's owner could not answer" => series("dynomite_read_failovers_total", ""),
        log_lines_suppressed: Counter = "# log lines held back because their statement repeats itself" => series("dynomite_log_lines_unwritten_total", "reason=\"repeated\""),
        log_lines_lost: Counter = "# log lines lost because the log is written too slowly or not at all" => series("dynomite_log_lines_unwritten_total", "reason=\"lost\""),
        members_added: Counter = "# nodes that joined by a list of seeds" => series("dynomite_members_changed_total", "change=\"added\""),
        members_removed: Counter = "# nodes that left by a list of seeds" => series("dynomite_members_changed_total", "change=\"removed\""),
        members_moved: Counter = "# nodes that got another address by a list of seeds" => series("dynomite_members_changed_total", "change=\"moved\""),
        seed_lists_refused: Counter = "# lists of seeds that were not used or could not be had" => series("dynomite_seed_lists_refused_total", ""),
        reloads: Counter = "# times the configuration was read again" => series("dynomite_reloads_total", "outcome=\"done\""),
        reloads_refused: Counter = "# times the configuration was not read again because something was wrong" => series("dynomite_reloads_total", "outcome=\"refused\""),
        mbufs_in_use: Gauge = "# mbufs in use" => series("dynomite_mbufs_in_use", ""),
        mbufs_peak: Gauge = "# mbufs in use at the highest point since start" => series("dynomite_mbufs_peak", ""),
        memory_limit_hits: Counter = "# times the limit on mbufs was reached" => series("dynomite_mbuf_limit_hits_total", ""),
        datastore_connections: Gauge = "# established connections to the datastore" => series("dynomite_datastore_connections", ""),
        state: Gauge = "state of this node: 1 standby, 2 writes_only, 3 resuming, 4 normal" => beside("dynomite_node_state, one series per state"),
        timeout_factor: Gauge = "what request timeouts are multiplied by" => series("dynomite_timeout_factor", ""),
        log_level: Gauge = "log level" => series("dynomite_log_level", ""),
        writes_held: Gauge = "# writes held until the state of this node serves them" => series("dynomite_writes_held", ""),
        writes_held_bytes: Gauge = "bytes of the writes held" => series("dynomite_writes_held_bytes", ""),
        held_writes_refused: Counter = "# writes refused because too many were held, or for too long" => series("dynomite_held_writes_refused_total", ""),
        changes: Counter = "# changes made over the statistics port" => series("dynomite_admin_changes_total", "outcome=\"made\""),
        changes_refused: Counter = "# changes asked for over the statistics port and refused" => series("dynomite_admin_changes_total", "outcome=\"refused\""),
        outvoted: Gauge = "whether this node looks for keys elsewhere than most nodes do, and is not ready for it" => series("dynomite_node_outvoted", ""),
        listed_wrongly: Gauge = "# connected nodes that list this one with another datacenter, rack or other tokens" => series("dynomite_inbound_peer_mismatch", "problem=\"listed_wrongly\""),
        strangers: Gauge = "# connected nodes that are no members here" => series("dynomite_inbound_peer_mismatch", "problem=\"not_a_member\""),
    }
}

metrics! {
    /// Counters of each peer; in no list of `/info`. In `/metrics` each has the labels
    /// `peer`, `dc` and `rack`.
    PeerStats {
        up: Gauge = "whether a connection to the peer is there and the peer has answered on it" => series("dynomite_peer_up", ""),
        barred: Gauge = "whether an operator keeps requests from the peer (/peer/down)" => series("dynomite_peer_barred", ""),
        connections: Gauge = "# established connections to the peer" => series("dynomite_peer_connections", ""),
        requests: Counter = "# requests put into the queue of the peer" => series("dynomite_peer_requests_total", ""),
        request_bytes: Counter = "bytes of these requests, without the header of the peers' protocol" => series("dynomite_peer_request_bytes_total", ""),
        replies: Counter = "# replies of the peer" => series("dynomite_peer_latency_seconds_count", ""),
        latency_us: Counter = "microseconds between request written and reply read, all replies together" => series("dynomite_peer_latency_seconds_sum", ""),
        timeouts: Counter = "# requests the peer did not answer in time" => series("dynomite_peer_request_timeouts_total", ""),
        dropped: Counter = "# requests that could not be sent or were lost unsent" => series("dynomite_peer_requests_dropped_total", ""),
        lost_eof: Counter = "# connections the peer closed" => series("dynomite_peer_connections_lost_total", "reason=\"eof\""),
        lost_error: Counter = "# connections that failed or could not be made" => series("dynomite_peer_connections_lost_total", "reason=\"error\""),
        lost_timeout: Counter = "# connections given up because the peer was silent" => series("dynomite_peer_connections_lost_total", "reason=\"timeout\""),
        unsent: Gauge = "# requests waiting to be written to the peer" => series("dynomite_peer_queue_requests", "queue=\"unsent\""),
        unsent_bytes: Gauge = "their bytes" => series("dynomite_peer_queue_bytes", "queue=\"unsent\""),
        awaited: Gauge = "# requests written to the peer whose reply is still to come" => series("dynomite_peer_queue_requests", "queue=\"awaited\""),
        awaited_bytes: Gauge = "their bytes" => series("dynomite_peer_queue_bytes", "queue=\"awaited\""),
        window: Gauge = "# requests that may await a reply of the peer, if it is a C node; else 0: any number" => series("dynomite_peer_window_requests", ""),
        pauses: Counter = "# times that clients had to wait because the peer, a C node, was slower" => series("dynomite_peer_client_pauses_total", ""),
        paused_us: Counter = "microseconds they waited, all times together" => series("dynomite_peer_client_paused_seconds_total", ""),
        mismatch_datacenter: Gauge = "whether the peer says it is of another datacenter than it is listed with" => series("dynomite_peer_mismatch", "setting=\"datacenter\""),
        mismatch_rack: Gauge = "whether the peer says it is in another rack than it is listed with" => series("dynomite_peer_mismatch", "setting=\"rack\""),
        mismatch_tokens: Gauge = "whether the peer says it has other tokens than it is listed with, or has one of another node's" => series("dynomite_peer_mismatch", "setting=\"tokens\""),
        mismatch_hash: Gauge = "whether the peer has another hash" => series("dynomite_peer_mismatch", "setting=\"hash\""),
        mismatch_hash_tag: Gauge = "whether the peer has another hash_tag" => series("dynomite_peer_mismatch", "setting=\"hash_tag\""),
        mismatch_data_store: Gauge = "whether the peer has another data_store" => series("dynomite_peer_mismatch", "setting=\"data_store\""),
        mismatch_mbuf_size: Gauge = "whether the peer has another mbuf_size and encryption is in use" => series("dynomite_peer_mismatch", "setting=\"mbuf_size\""),
        mismatch_secure_server_option: Gauge = "whether the peer encrypts to other nodes than this one does, or one requires it and the other does not" => series("dynomite_peer_mismatch", "setting=\"secure_server_option\""),
        mismatch_pem_key_file: Gauge = "whether the peer has another key" => series("dynomite_peer_mismatch", "setting=\"pem_key_file\""),
        mismatch_ring: Gauge = "whether the peer has seen other members for a minute" => series("dynomite_peer_mismatch", "setting=\"ring\""),
        mismatch_clock: Gauge = "whether the clock of the peer is off by more than a second" => series("dynomite_peer_mismatch", "setting=\"clock\""),
        mismatch_address: Gauge = "whether the address of the peer is not that of a dyn_listen" => series("dynomite_peer_mismatch", "setting=\"address\""),
    }
}
