//! What of the configuration can change while the node runs.

use super::Node;
use super::timers::Timer;
use crate::clock::Now;
use crate::cluster::backoff::Backoff;
use crate::cluster::throttle::Throttle;
use crate::stats::OwnStats;
use std::time::Duration;

impl Node {
    /// `timeout`: at once, also for requests under way.
    pub(super) fn set_timeout(&mut self, timeout: Duration) {
        self.options.timeout_us = timeout.as_micros() as u64;
        self.granted = self.options.granted(self.timeout_factor);
        // Everything due is looked at again: it may be due earlier than was known.
        self.timers.set(Timer::Upstreams, 0);
    }

    /// `client_connections`: for clients to come. Those that are there stay; 0 is no limit.
    pub(super) fn set_client_connections(&mut self, most: u32) {
        self.options.client_connections = most as usize;
    }

    /// `server_retry_timeout`: from the next failure on.
    pub(super) fn set_server_retry_timeout(&mut self, ceiling: Duration) {
        self.options.retry_ceiling_us = ceiling.as_micros() as u64;
        for store in self
            .upstreams
            .iter_mut()
            .filter(|upstream| upstream.is_store())
        {
            store.backoff = Backoff::new(ceiling);
        }
    }

    /// `conn_msg_rate`: at once.
    pub(super) fn set_conn_msg_rate(&mut self, rate: u32, now: Now) {
        self.options.conn_msg_rate = rate;
        for upstream in self.upstreams.iter_mut() {
            if let Some(throttle) = &mut upstream.throttle {
                *throttle = Throttle::new(rate, now.mono_us);
            }
        }
        self.timers.set(Timer::Upstreams, 0);
    }

    /// `local_scan`: for requests to come.
    pub fn set_local_scan(&mut self, is_local: bool) {
        self.options.local_scan = is_local;
        self.look_at_commands();
    }

    /// `enable_flush`: for requests to come.
    pub fn set_enable_flush(&mut self, is_enabled: bool) {
        self.options.enable_flush = is_enabled;
    }

    /// `read_failover`: for requests to come.
    pub fn set_read_failover(&mut self, is_enabled: bool) {
        self.options.read_failover = is_enabled;
    }

    /// The counters of [`OwnStats`], for what its driver does.
    pub(super) fn own_stats(&mut self) -> &mut OwnStats {
        &mut self.stats.own
    }
}
