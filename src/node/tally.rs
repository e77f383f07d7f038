//! What is counted of each peer by itself.

use super::Node;
use super::refusals::Errors;
use super::upstream::Loss;
use crate::cluster::id::NodeId;
use crate::stats::PeerStats;

/// What happened on one upstream since start. Its connection comes and goes, the counts stay.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tally {
    requests: u64,
    request_bytes: u64,
    replies: u64,
    latency_us: u64,
    pub timeouts: u64,
    dropped: u64,
    eof: u64,
    errors: u64,
    silent: u64,
    /// Its error replies.
    pub errors_by_word: Errors,
    /// How often, and for how many µs, fronts have waited for a C node.
    pub pauses: u64,
    pub paused_us: u64,
}

impl Tally {
    /// A request of so many bytes was put into the queue.
    #[inline]
    pub fn sent(&mut self, bytes: u64) {
        self.requests += 1;
        self.request_bytes += bytes;
    }

    /// A reply has come, so many µs after its request was written.
    #[inline]
    pub fn answered(&mut self, latency_us: u64) {
        self.replies += 1;
        self.latency_us += latency_us;
    }

    /// The connection was given up with so many requests unwritten.
    pub fn lost(&mut self, loss: Loss, unsent: u64) {
        self.dropped += unsent;
        match loss {
            Loss::Eof => self.eof += 1,
            Loss::Error | Loss::Nonsense => self.errors += 1,
            Loss::TimedOut => self.silent += 1,
            Loss::Asked => {}
        }
    }

    /// Adds itself to the figures of its peer.
    pub(super) fn add_to(&self, stats: &mut PeerStats) {
        stats.requests += self.requests;
        stats.request_bytes += self.request_bytes;
        stats.replies += self.replies;
        stats.latency_us += self.latency_us;
        stats.timeouts += self.timeouts;
        stats.dropped += self.dropped;
        stats.lost_eof += self.eof;
        stats.lost_error += self.errors;
        stats.lost_timeout += self.silent;
        stats.pauses += self.pauses;
        stats.paused_us += self.paused_us;
    }
}

impl Node {
    /// Counts a copy that could not be sent to a peer.
    pub(super) fn count_unsendable(&mut self, node: NodeId) {
        self.stats.count_unsendable(self.topology.distance(node));
        let first = self.upstreams.slots_of(node).first();
        if let Some(peer) = first.and_then(|slot| self.upstreams.get_mut(slot)) {
            peer.tally.dropped += 1;
        }
    }
}
