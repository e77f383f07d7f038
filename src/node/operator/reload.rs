//! The settings that can change while the node runs.

use super::Operator;
use crate::clock::Now;
use crate::cluster::backoff::Backoff;
use crate::cluster::throttle::Throttle;
use crate::node::timers::Timer;
use crate::stats::OwnStats;
use std::time::Duration;

impl Operator<'_> {
    /// `timeout`: at once, also for requests under way.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.0.options.timeout_us = timeout.as_micros() as u64;
        self.0.granted = self.0.options.granted(self.0.timeout_factor);
        // Everything due is looked at again: it may be due earlier than was known.
        self.0.timers.set(Timer::Upstreams, 0);
    }

    /// `client_connections`: for clients to come. Those that are there stay; 0 is no limit.
    pub fn set_client_connections(&mut self, most: u32) {
        self.0.options.client_connections = most as usize;
    }

    /// `server_retry_timeout`: from the next failure on.
    pub fn set_server_retry_timeout(&mut self, ceiling: Duration) {
        self.0.options.retry_ceiling_us = ceiling.as_micros() as u64;
        for store in self
            .0
            .upstreams
            .iter_mut()
            .filter(|upstream| upstream.is_store())
        {
            store.backoff = Backoff::new(ceiling);
        }
    }

    /// `conn_msg_rate`: at once.
    pub fn set_conn_msg_rate(&mut self, rate: u32, now: Now) {
        self.0.options.conn_msg_rate = rate;
        for upstream in self.0.upstreams.iter_mut() {
            if let Some(throttle) = &mut upstream.throttle {
                *throttle = Throttle::new(rate, now.mono_us);
            }
        }
        self.0.timers.set(Timer::Upstreams, 0);
    }

    /// `local_scan`: for requests to come.
    pub fn set_local_scan(&mut self, is_local: bool) {
        self.0.options.local_scan = is_local;
        self.0.look_at_commands();
    }

    /// `enable_flush`: for requests to come.
    pub fn set_enable_flush(&mut self, is_enabled: bool) {
        self.0.options.enable_flush = is_enabled;
    }

    /// `read_failover`: for requests to come.
    pub fn set_read_failover(&mut self, is_enabled: bool) {
        self.0.options.read_failover = is_enabled;
    }

    /// The counters of [`OwnStats`], for what its driver does.
    pub fn own_stats(&mut self) -> &mut OwnStats {
        &mut self.0.stats.own
    }
}
