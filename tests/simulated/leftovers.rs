//! What a node still holds when nothing is under way.

use super::machine::Machine;
use dynomite::clock::Now;

/// What is not zero though it should be, with its name.
pub fn leftovers(machine: &mut Machine, now: Now) -> Vec<(&'static str, u64)> {
    let stats = machine.driver.node.operator().stats(now);
    let memory = machine.driver.node.operator().memory();
    let pool = &stats.pool;
    let gauges = [
        ("client_connections", pool.client_connections),
        (
            "peer_connections",
            pool.peer_connections.abs_diff(machine.peers() as u64),
        ),
        ("in_queue", stats.server.in_queue),
        ("in_queue_bytes", stats.server.in_queue_bytes),
        ("out_queue", stats.server.out_queue),
        ("out_queue_bytes", stats.server.out_queue_bytes),
        ("peer_in_queue", pool.peer_in_queue),
        ("peer_in_queue_bytes", pool.peer_in_queue_bytes),
        ("peer_out_queue", pool.peer_out_queue),
        ("peer_out_queue_bytes", pool.peer_out_queue_bytes),
        ("remote_peer_in_queue", pool.remote_peer_in_queue),
        (
            "remote_peer_in_queue_bytes",
            pool.remote_peer_in_queue_bytes,
        ),
        ("remote_peer_out_queue", pool.remote_peer_out_queue),
        (
            "remote_peer_out_queue_bytes",
            pool.remote_peer_out_queue_bytes,
        ),
        ("dnode_client_out_queue", pool.dnode_client_out_queue),
        ("messages", memory.alloc_msgs - memory.free_msgs),
        // The one that all connections read into, and the one for texts made by the node.
        (
            "blocks",
            (memory.alloc_mbufs - memory.free_mbufs).saturating_sub(2),
        ),
    ];
    gauges.into_iter().filter(|(_, value)| *value > 0).collect()
}
