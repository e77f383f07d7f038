//! What the node counts and measures, and what renders it.
//!
//! One table of metrics ([`table`]) drives the structs that are bumped, the text of `-D`
//! ([`describe`]) and the JSON of `/info` ([`info`]). [`histogram`] measures.
//!
//! There is one [`Stats`], owned by the thread that does the work: a poll sees every event that
//! came before it, and nothing half-done.

pub mod describe;
pub mod histogram;
pub mod info;
pub mod table;

pub use describe::describe;
pub use histogram::{Histogram, Histograms};
pub use info::{Identity, Memory};
pub use table::{Kind, Metric, OwnStats, PoolStats, ServerStats};

use crate::clock::Now;

/// Everything one node counts.
#[derive(Clone, Debug, Default)]
pub struct Stats {
    /// Clients and peers.
    pub pool: PoolStats,
    /// The datastore.
    pub server: ServerStats,
    /// What the C original lacks.
    pub own: OwnStats,
    /// Latencies, sizes, queue lengths.
    pub hist: Histograms,
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
