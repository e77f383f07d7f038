//! The statistics of a node, and the counters of its driver.

use super::Operator;
use crate::clock::Now;
use crate::cluster::topology::Distance;
use crate::config::StoreKind;
use crate::logging;
use crate::proto::redis::command;
use crate::proto::redis::req_stats::ReqStats;
use crate::stats::{Memory, Stats};

impl Operator<'_> {
    /// Everything counted so far, as of this moment. Costs the same however much is in flight.
    pub fn stats(&mut self, now: Now) -> Stats {
        self.0.stats.hist.roll(now);
        let mut stats = self.0.stats.clone();
        for upstream in self.0.upstreams.iter() {
            let lengths = upstream.queue_lengths();
            let (server, pool) = (&mut stats.server, &mut stats.pool);
            let gauges = match upstream.distance {
                Distance::Me => [
                    &mut server.in_queue,
                    &mut server.in_queue_bytes,
                    &mut server.out_queue,
                    &mut server.out_queue_bytes,
                ],
                Distance::SameRack | Distance::SameDc => [
                    &mut pool.peer_in_queue,
                    &mut pool.peer_in_queue_bytes,
                    &mut pool.peer_out_queue,
                    &mut pool.peer_out_queue_bytes,
                ],
                Distance::OtherDc => [
                    &mut pool.remote_peer_in_queue,
                    &mut pool.remote_peer_in_queue_bytes,
                    &mut pool.remote_peer_out_queue,
                    &mut pool.remote_peer_out_queue_bytes,
                ],
            };
            for (gauge, length) in gauges.into_iter().zip(lengths) {
                *gauge += length;
            }
        }
        for (_, peer) in &self.0.fronts.peers {
            stats.pool.dnode_client_out_queue += u64::from(peer.front.queue.len());
        }
        // Nothing of memcached's is counted by command, in the original neither.
        let counted = match self.0.options.store {
            StoreKind::Redis => self.0.per_command.as_slice(),
            StoreKind::Memcache => &[],
        };
        for (index, &count) in counted.iter().enumerate() {
            let Some(command) = u16::try_from(index).ok().and_then(command::command) else {
                continue;
            };
            for column in command.stat.columns() {
                if let Some(value) = ReqStats::NAMES
                    .get(column)
                    .and_then(|name| stats.server.get_mut(name))
                {
                    *value += count;
                }
            }
        }
        let stores = self.0.upstreams.stores().iter();
        let up = stores.filter(|store| store.is_up()).count();
        let (held, held_bytes) = self.0.parked_writes.len();
        stats.own.datastore_connections = up as u64;
        stats.own.state = u64::from(self.0.state.number());
        stats.own.timeout_factor = u64::from(self.0.timeout_factor);
        stats.own.log_level = u64::from(logging::level());
        (stats.own.log_lines_lost, stats.own.log_lines_suppressed) = logging::unwritten();
        stats.own.writes_held = held as u64;
        stats.own.writes_held_bytes = held_bytes as u64;
        self.0.flight.lost_writes.report(&mut stats.own);
        stats.own.outvoted = u64::from(self.is_outvoted().is_some());
        [stats.own.listed_wrongly, stats.own.strangers] = self.inbound_mismatches();
        stats.own.mbufs_in_use = self.0.pool.in_use() as u64;
        stats.own.mbufs_peak = self.0.pool.peak() as u64;
        stats
    }

    /// What it holds in memory, but for what only the operating system knows.
    pub fn memory(&self) -> Memory {
        let msgs = self.0.flight.msgs.capacity() as u64;
        let free = self.0.pool.free() as u64;
        Memory {
            alloc_msgs: msgs,
            free_msgs: msgs - self.0.flight.msgs.len() as u64,
            alloc_mbufs: self.0.pool.in_use() as u64 + free,
            free_mbufs: free,
            dyn_memory_kib: 0,
        }
    }

    /// Counts a poll of the statistics.
    pub fn count_poll(&mut self) {
        self.0.stats.pool.stats_count += 1;
    }

    /// Counts a change by an operator, or one that was refused.
    pub fn count_change(&mut self, made: bool) {
        let own = &mut self.0.stats.own;
        *(match made {
            true => &mut own.changes,
            false => &mut own.changes_refused,
        }) += 1;
    }

    /// Counts a pause in accepting because descriptors ran out.
    pub fn count_accept_pause(&mut self) {
        self.0.stats.own.accepts_paused += 1;
    }
}
