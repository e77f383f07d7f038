//! What is counted of each peer by itself.

use super::Node;
use super::agreement::Setting;
use super::refusals::Errors;
use super::upstream::Loss;
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::stats::{ErrorWord, Peer, PeerStats};

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
    fn add_to(&self, stats: &mut PeerStats) {
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

    /// What is known of each peer, in the order of the topology.
    pub fn peers(&mut self, now: Now) -> Vec<Peer> {
        let topology = std::sync::Arc::clone(&self.topology);
        let nodes = (0..).map(NodeId).zip(topology.nodes()).skip(1);
        nodes
            .map(|(id, node)| {
                let mut stats = PeerStats::default();
                let mut errors = [0; ErrorWord::COUNT];
                for slot in self.upstreams.slots_of(id) {
                    let Some(peer) = self.upstreams.get(slot) else {
                        continue;
                    };
                    peer.tally.add_to(&mut stats);
                    let counts = peer.tally.errors_by_word.counts();
                    for (sum, count) in errors.iter_mut().zip(counts) {
                        *sum += count;
                    }
                    stats.up |= u64::from(peer.is_up());
                    stats.barred |= u64::from(peer.admin_down);
                    stats.connections += u64::from(peer.state.is_connected());
                    stats.window += peer
                        .window
                        .as_ref()
                        .map_or(0, |window| window.size().into());
                    let [unsent, unsent_bytes, awaited, awaited_bytes] = peer.queue_lengths();
                    stats.unsent += unsent;
                    stats.unsent_bytes += unsent_bytes;
                    stats.awaited += awaited;
                    stats.awaited_bytes += awaited_bytes;
                }
                for finding in self.findings(id) {
                    if let Some(value) = mismatch(&mut stats, finding.setting) {
                        *value = 1;
                    }
                }
                Peer {
                    clock: self.clock_of(id, now),
                    peer: node.member.endpoint.to_string(),
                    dc: node.member.dc.clone(),
                    rack: node.member.rack.clone(),
                    stats,
                    errors,
                }
            })
            .collect()
    }
}

/// The figure that tells of a mismatch; none for a connection that is only not there, which `up` tells.
fn mismatch(stats: &mut PeerStats, setting: Setting) -> Option<&mut u64> {
    Some(match setting {
        Setting::Connection => return None,
        Setting::Datacenter => &mut stats.mismatch_datacenter,
        Setting::Rack => &mut stats.mismatch_rack,
        Setting::Tokens => &mut stats.mismatch_tokens,
        Setting::Hash => &mut stats.mismatch_hash,
        Setting::HashTag => &mut stats.mismatch_hash_tag,
        Setting::DataStore => &mut stats.mismatch_data_store,
        Setting::MbufSize => &mut stats.mismatch_mbuf_size,
        Setting::Secure => &mut stats.mismatch_secure_server_option,
        Setting::Pem => &mut stats.mismatch_pem_key_file,
        Setting::Ring => &mut stats.mismatch_ring,
        Setting::Clock => &mut stats.mismatch_clock,
        Setting::Address => &mut stats.mismatch_address,
    })
}
