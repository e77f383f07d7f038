//! The one table of metrics: name, kind and description of each, and the struct that counts it.
//!
//! Names, order and descriptions of [`PoolStats`] and [`ServerStats`] are those the C original
//! prints for `-D` and answers for `/info`; monitoring depends on them, spelling mistakes included.
//! [`OwnStats`] holds what the original does not count; it never enters those two lists.
//!
//! A counter is bumped where the thing happens, directly on its field: `stats.pool.client_eof +=
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
}

/// Declares a struct of metrics and, from the same rows, its table and its values in order.
macro_rules! metrics {
    ($(#[$doc:meta])* $struct:ident { $($name:ident: $kind:ident = $description:literal,)* }) => {
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
    /// What happens on the client and peer side of the node. The pool object of `/info`.
    PoolStats {
        client_eof: Counter = "# eof on client connections",
        client_err: Counter = "# errors on client connections",
        client_connections: Gauge = "# active client connections",
        client_read_requests: Counter = "# client read requests",
        client_write_requests: Counter = "# client write responses",
        client_dropped_requests: Counter = "# client dropped requests",
        client_non_quorum_w_responses: Counter = "# client non quorum write responses",
        client_non_quorum_r_responses: Counter = "# client non quorum read responses",
        server_ejects: Counter = "# times backend server was ejected",
        dnode_client_eof: Counter = "# eof on dnode client connections",
        dnode_client_err: Counter = "# errors on dnode client connections",
        dnode_client_connections: Gauge = "# active dnode client connections",
        dnode_client_in_queue: Gauge = "# dnode client requests in incoming queue",
        dnode_client_in_queue_bytes: Gauge = "current dnode client request bytes in incoming queue",
        dnode_client_out_queue: Gauge = "# dnode client requests in outgoing queue",
        dnode_client_out_queue_bytes: Gauge = "current dnode client request bytes in outgoing queue",
        peer_dropped_requests: Counter = "# local dc peer dropped requests",
        peer_timedout_requests: Counter = "# local dc peer timedout requests",
        remote_peer_dropped_requests: Counter = "# remote dc peer dropped requests",
        remote_peer_timedout_requests: Counter = "# remote dc peer timedout requests",
        remote_peer_failover_requests: Counter = "# remote dc peer failover requests",
        peer_eof: Counter = "# eof on peer connections",
        peer_err: Counter = "# errors on peer connections",
        peer_timedout: Counter = "# timeouts on local dc peer connections",
        remote_peer_timedout: Counter = "# timeouts on remote dc peer connections",
        peer_connections: Gauge = "# active peer connections",
        peer_forward_error: Gauge = "# times we encountered a peer forwarding error",
        peer_requests: Counter = "# peer requests",
        peer_request_bytes: Counter = "total peer request bytes",
        peer_responses: Counter = "# peer respones",
        peer_response_bytes: Counter = "total peer response bytes",
        peer_ejected_at: Timestamp = "timestamp when peer was ejected",
        peer_ejects: Counter = "# times a peer was ejected",
        peer_in_queue: Gauge = "# local dc peer requests in incoming queue",
        remote_peer_in_queue: Gauge = "# remote dc peer requests in incoming queue",
        peer_in_queue_bytes: Gauge = "current peer request bytes in incoming queue",
        remote_peer_in_queue_bytes: Gauge = "current peer request bytes in incoming queue to remote DC",
        peer_out_queue: Gauge = "# local dc peer requests in outgoing queue",
        remote_peer_out_queue: Gauge = "# remote dc peer requests in outgoing queue",
        peer_out_queue_bytes: Gauge = "current peer request bytes in outgoing queue",
        remote_peer_out_queue_bytes: Gauge = "current peer request bytes in outgoing queue to remote DC",
        peer_mismatch_requests: Counter = "current dnode peer mismatched messages",
        forward_error: Counter = "# times we encountered a forwarding error",
        fragments: Counter = "# fragments created from a multi-vector request",
        stats_count: Counter = "# stats request",
    }
}

metrics! {
    /// What happens towards the datastore. The innermost object of `/info`.
    ServerStats {
        server_eof: Counter = "# eof on server connections",
        server_err: Counter = "# errors on server connections",
        server_timedout: Counter = "# timeouts on server connections",
        server_ejected_at: Timestamp = "timestamp when server was ejected in usec since epoch",
        server_dropped_requests: Counter = "# server dropped requests",
        server_timedout_requests: Counter = "# server timedout requests",
        read_requests: Counter = "# read requests",
        read_request_bytes: Counter = "total read request bytes",
        write_requests: Counter = "# write requests",
        write_request_bytes: Counter = "total write request bytes",
        read_responses: Counter = "# read respones",
        read_response_bytes: Counter = "total read response bytes",
        write_responses: Counter = "# write respones",
        write_response_bytes: Counter = "total write response bytes",
        in_queue: Gauge = "# requests in incoming queue",
        in_queue_bytes: Gauge = "current request bytes in incoming queue",
        out_queue: Gauge = "# requests in outgoing queue",
        out_queue_bytes: Gauge = "current request bytes in outgoing queue",
        redis_req_get: Counter = "# Redis get",
        redis_req_set: Counter = "# Redis set",
        redis_req_del: Counter = "# Redis del",
        redis_req_incr_decr: Counter = "# Redis incr or decr",
        redis_req_keys: Counter = "# Redis keys",
        redis_req_mget: Counter = "# Redis mget",
        redis_req_scan: Counter = "# Redis scan",
        redis_req_sort: Counter = "# Redis sort",
        redis_req_lreqm: Counter = "# Redis lreqm",
        redis_req_sunion: Counter = "# Redis sunion",
        redis_req_ping: Counter = "# Redis ping",
        redis_req_lists: Counter = "# Redis lists",
        redis_req_sets: Counter = "# Redis sets",
        redis_req_hashes: Counter = "# Redis hashes",
        redis_req_sortedsets: Counter = "# Redis sortedsets",
        redis_req_other: Counter = "# Redis other",
    }
}

metrics! {
    /// What the C original does not count. The `dynomite_rs` object of `/info`.
    OwnStats {
        accepts_paused: Counter = "# times accepting was paused for want of descriptors",
        clients_refused: Counter = "# client connections closed at once because the limit was reached",
        reads_paused: Counter = "# times reading from a connection was paused by back-pressure",
        requests_timedout: Counter = "# client requests answered with a timeout error",
        late_replies_dropped: Counter = "# replies that came after their request was given up",
        protocol_errors: Counter = "# client connections closed for malformed input",
        unknown_commands: Counter = "# client requests with an unknown or unsupported command",
        store_reply_errors: Counter = "# error replies from the datastore",
        read_failovers: Counter = "# reads served by another rack because this rack's owner could not answer",
        log_lines_suppressed: Counter = "# log lines held back by rate limit or lost to a slow log",
        members_added: Counter = "# nodes that joined by a list of seeds",
        members_removed: Counter = "# nodes that left by a list of seeds",
        members_moved: Counter = "# nodes that got another address by a list of seeds",
        seed_lists_refused: Counter = "# lists of seeds that were not used or could not be had",
        reloads: Counter = "# times the configuration was read again",
        reloads_refused: Counter = "# times the configuration was not read again because something was wrong",
        mbufs_in_use: Gauge = "# mbufs in use",
        mbufs_peak: Gauge = "# mbufs in use at the highest point since start",
        memory_limit_hits: Counter = "# times the limit on mbufs was reached",
    }
}
