//! Which statistics an event on an upstream moves.
//!
//! The datastore, peers in the same datacenter and peers in another have counters and histograms of
//! their own (the original's tables).

use super::upstream::Loss;
use crate::clock::Now;
use crate::cluster::topology::Distance;
use crate::consistency::Consistency;
use crate::proto::redis::command::Class;
use crate::stats::Stats;

impl Stats {
    /// An upstream was given up, with so many requests that had not been written. `was_counted`: it
    /// stands in `peer_connections`.
    pub(super) fn count_loss(
        &mut self,
        distance: Distance,
        loss: Loss,
        was_counted: bool,
        unsent: u64,
        now: Now,
    ) {
        let (server, pool) = (&mut self.server, &mut self.pool);
        let other_dc = distance == Distance::OtherDc;
        if distance == Distance::Me {
            match loss {
                Loss::Eof => server.server_eof += 1,
                Loss::TimedOut => server.server_timedout += 1,
                Loss::Error | Loss::Nonsense => server.server_err += 1,
                Loss::Asked => {}
            }
            server.server_dropped_requests += unsent;
            server.server_ejected_at = now.unix_millis();
            pool.server_ejects += 1;
            return;
        }
        match loss {
            Loss::Eof => pool.peer_eof += 1,
            Loss::TimedOut if other_dc => pool.remote_peer_timedout += 1,
            Loss::TimedOut => pool.peer_timedout += 1,
            Loss::Error | Loss::Nonsense => pool.peer_err += 1,
            Loss::Asked => {}
        }
        if other_dc {
            pool.remote_peer_dropped_requests += unsent;
        } else {
            pool.peer_dropped_requests += unsent;
        }
        pool.peer_ejected_at = now.unix_millis();
        pool.peer_ejects += 1;
        pool.peer_connections -= u64::from(was_counted);
    }

    /// A request took too long.
    pub(super) fn count_timeout(&mut self, distance: Distance) {
        self.own.requests_timedout += 1;
        match distance {
            Distance::Me => {
                self.server.server_timedout_requests += 1;
                self.server.server_dropped_requests += 1;
            }
            Distance::SameRack | Distance::SameDc => self.pool.peer_timedout_requests += 1,
            Distance::OtherDc => self.pool.remote_peer_timedout_requests += 1,
        }
    }

    /// A request was put into an upstream's queue: its bytes without any header.
    #[inline]
    pub(super) fn count_sent(&mut self, distance: Distance, write: bool, bytes: u64) {
        let server = &mut self.server;
        match (distance, write) {
            (Distance::Me, false) => {
                server.read_requests += 1;
                server.read_request_bytes += bytes;
            }
            (Distance::Me, true) => {
                server.write_requests += 1;
                server.write_request_bytes += bytes;
            }
            _ => {
                self.pool.peer_requests += 1;
                self.pool.peer_request_bytes += bytes;
            }
        }
    }

    /// A reply has come. `used`: a front or a task waits for it.
    #[inline]
    pub(super) fn count_reply(&mut self, distance: Distance, write: bool, used: bool, bytes: u64) {
        let server = &mut self.server;
        match (distance, write) {
            (Distance::Me, false) => {
                server.read_responses += 1;
                server.read_response_bytes += bytes;
            }
            (Distance::Me, true) => {
                server.write_responses += 1;
                server.write_response_bytes += bytes;
            }
            _ if used => {
                self.pool.peer_responses += 1;
                self.pool.peer_response_bytes += bytes;
            }
            _ => {}
        }
    }

    /// How long a request waited to be written, and then for its reply, in µs.
    #[inline]
    pub(super) fn time_reply(&mut self, distance: Distance, wait: u64, latency: u64) {
        let hist = &mut self.hist;
        let (waits, latencies) = match distance {
            Distance::Me => (&mut hist.server_queue_wait, &mut hist.server_latency),
            Distance::SameRack | Distance::SameDc => (
                &mut hist.cross_zone_queue_wait,
                &mut hist.cross_zone_latency,
            ),
            Distance::OtherDc => (
                &mut hist.cross_region_queue_wait,
                &mut hist.cross_region_rtt,
            ),
        };
        waits.record(wait);
        latencies.record(latency);
    }

    /// A client's request is placed at this level.
    #[inline]
    pub(super) fn count_level(&mut self, class: Class, level: Consistency) {
        let row = &mut self.placed[usize::from(class == Class::Write)];
        if let Some(count) = row.get_mut(level as usize) {
            *count += 1;
        }
    }

    /// A copy for a node of this distance could not be sent.
    pub(super) fn count_unsendable(&mut self, distance: Distance) {
        if distance == Distance::OtherDc {
            self.pool.remote_peer_dropped_requests += 1;
        } else {
            self.pool.peer_dropped_requests += 1;
        }
    }
}
