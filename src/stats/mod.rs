//! The counters and histograms of a node, and their renderings.
//!
//! One table of metrics ([`table`]) drives the structs that are bumped, the text of `-D`
//! ([`mod@describe`]), the JSON of `/info` ([`info`]) and, by the table of [`families`], the text of
//! `/metrics` ([`prometheus`]) and its page ([`manual`]). [`alerts`] is the table of alerts.
//! [`histogram`] measures.
//!
//! There is one [`Stats`], owned by the thread that does the work: a poll sees every event that
//! came before it, and nothing half-done.

pub mod alerts;
pub mod describe;
pub mod error_word;
pub mod families;
pub mod histogram;
pub mod info;
pub mod manual;
pub mod prometheus;
pub mod table;

pub use describe::describe;
pub use error_word::ErrorWord;
pub use histogram::{Histogram, Histograms};
pub use info::{Identity, Memory};
pub use prometheus::{Process, Report};
pub use table::{Export, Kind, Metric, OwnStats, PeerStats, PoolStats, ServerStats};

use crate::clock::Now;
use crate::consistency::Consistency;

/// Everything one node counts.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Clients and peers.
    pub pool: PoolStats,
    /// The datastore.
    pub server: ServerStats,
    /// Counters that the C original lacks.
    pub own: OwnStats,
    /// Latencies, sizes, queue lengths.
    pub hist: Histograms,
    /// Client requests that were placed: reads and writes, by consistency level.
    pub placed: [[u64; Consistency::ALL.len()]; 2],
    /// Error replies of the datastore, by [`ErrorWord`].
    pub store_errors: [u64; ErrorWord::COUNT],
}

/// A peer and its figures.
#[derive(Clone, Debug, Default)]
pub struct Peer {
    /// Its address as it is announced.
    pub peer: String,
    /// Its datacenter.
    pub dc: String,
    /// Its rack.
    pub rack: String,
    /// The figures.
    pub stats: PeerStats,
    /// Its error replies, by [`ErrorWord`].
    pub errors: [u64; ErrorWord::COUNT],
    /// Offset of its clock from this node's (positive: ahead) and the error of that, in µs, if known.
    pub clock: Option<(i64, u64)>,
}

impl Stats {
    /// All zero; the first histogram window begins at `now`.
    pub fn new(now: Now) -> Stats {
        Stats {
            hist: Histograms::new(now),
            ..Stats::default()
        }
    }
}
