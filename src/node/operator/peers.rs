//! The statistics of each peer.

use super::Operator;
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::node::agreement::Setting;
use crate::stats::{ErrorWord, Peer, PeerStats};
use std::sync::Arc;

impl Operator<'_> {
    /// What is known of each peer, in the order of the topology.
    pub fn peers(&mut self, now: Now) -> Vec<Peer> {
        let topology = Arc::clone(&self.0.topology);
        let nodes = (0..).map(NodeId).zip(topology.nodes()).skip(1);
        nodes
            .map(|(id, node)| {
                let mut stats = PeerStats::default();
                let mut errors = [0; ErrorWord::COUNT];
                for slot in self.0.upstreams.slots_of(id) {
                    let Some(peer) = self.0.upstreams.get(slot) else {
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

/// The figure of a mismatch; none for a connection that is only not there, which `up` shows.
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
