//! What is done by the clock: timeouts, reconnects, quiet connections, shutdown.

use super::client::Reading;
use super::{Node, limits};
use crate::clock::Now;
use crate::log_at;

impl Node {
    /// When [`Node::tick`] is due next, in µs of the monotonic clock.
    pub fn next_deadline(&self) -> u64 {
        let stores = (0..self.stores.len())
            .filter_map(|slot| self.store_deadline(slot))
            .min();
        [stores, self.drain_until]
            .into_iter()
            .flatten()
            .fold(self.next_sweep, u64::min)
    }

    /// Does everything that is due. Returns how many bytes of buffers were given back, so that the
    /// driver may tell the allocator.
    pub fn tick(&mut self, now: Now) -> usize {
        for slot in 0..self.stores.len() {
            if self
                .store_deadline(slot)
                .is_some_and(|at| at <= now.mono_us)
            {
                self.tick_store(slot, now);
            }
        }
        if self.drain_until.is_some_and(|at| at <= now.mono_us) {
            self.close_all();
        }
        if now.mono_us < self.next_sweep {
            return 0;
        }
        self.next_sweep = now.mono_us + limits::SWEEP_US;
        self.sweep(now)
    }

    /// Looks after quiet connections and gives memory back.
    fn sweep(&mut self, now: Now) -> usize {
        let mut stalled = Vec::new();
        for (key, client) in &mut self.clients {
            if client.inbound.is_empty() && client.out.is_empty() {
                continue;
            }
            let quiet = now.mono_us.saturating_sub(client.heard);
            if quiet >= limits::SWEEP_US {
                client.inbound.compact(&self.pool);
                client.out.compact(limits::COMPACT_OUT, &self.pool);
            }
            if quiet >= limits::INCOMPLETE_US
                && !client.inbound.is_empty()
                && client.reading == Reading::On
            {
                stalled.push(key as u32);
            }
        }
        for key in stalled {
            self.refuse_stream(
                key,
                now,
                b"-ERR Protocol error: request not completed in time\r\n",
            );
        }
        self.relieve(now);
        self.stats.hist.roll(now);
        let mut freed = self.pool.trim();
        if self.msgs.is_empty() && self.msgs.capacity() > 1024 {
            freed += self.msgs.capacity() * size_of::<super::msg::Msg>();
            self.msgs.shrink_to_fit();
        }
        if self.clients.capacity() > 64 && self.clients.len() < self.clients.capacity() / 4 {
            self.clients.shrink_to_fit();
            self.dirty.shrink_to(64);
            self.waiting.shrink_to(64);
            freed += size_of::<super::client::Client>();
        }
        freed
    }

    /// Clients that wait are helped if nobody else does: below the limit they go on, so that memory held
    /// for long makes them slow and never stops them; at the limit, with nothing in flight that would free
    /// any, the client that holds the most has to go.
    fn relieve(&mut self, now: Now) {
        let held_before = self.stuck_at.take();
        if self.waiting.is_empty() {
            return;
        }
        if !self.is_exhausted() {
            return self.resume_waiting();
        }
        let mut waiting = std::mem::take(&mut self.waiting);
        waiting.retain(|&id| self.knows(id));
        self.waiting = waiting;
        let held = self.pool.in_use();
        if self.pool.is_strained() && self.msgs.is_empty() {
            // Once may be a moment in which replies are just being taken.
            match held_before {
                Some(before) if held >= before => self.free_the_most(now),
                _ => self.stuck_at = Some(held),
            }
        }
    }

    /// Gets rid of what the client that holds the most memory holds.
    fn free_the_most(&mut self, now: Now) {
        self.stats.own.memory_limit_hits += 1;
        let largest = self
            .clients
            .iter()
            .max_by_key(|(_, client)| client.inbound.len() + client.out.len())
            .map(|(key, _)| key as u32);
        let Some((key, client)) =
            largest.and_then(|key| Some((key, self.clients.get_mut(key as usize)?)))
        else {
            return;
        };
        if client.reading == Reading::Off || client.out.len() > client.inbound.len() {
            log_at!(
                Alert,
                "out of buffers: {} holds the most and is closed",
                client.id
            );
            self.close_client(key, false);
        } else {
            log_at!(
                Alert,
                "out of buffers: refusing the largest unfinished request"
            );
            client.inbound.clear();
            self.refuse_stream(key, now, b"-ERR Dynomite: out of buffers\r\n");
        }
    }

    /// Begins to shut down: nothing more is read; clients close as their answers are out.
    pub fn drain(&mut self, now: Now) {
        self.drain_until = Some(now.mono_us + limits::DRAIN_US);
        let keys: Vec<u32> = self.clients.iter().map(|(key, _)| key as u32).collect();
        for key in keys {
            if let Some(client) = self.clients.get_mut(key as usize) {
                client.reading = Reading::Off;
                client.closing = true;
            }
            self.close_if_settled(key);
        }
    }

    /// Whether a node that shuts down has no client left.
    pub fn is_drained(&self) -> bool {
        self.is_draining() && self.clients.is_empty()
    }

    /// Closes every client as it is.
    fn close_all(&mut self) {
        let keys: Vec<u32> = self.clients.iter().map(|(key, _)| key as u32).collect();
        for key in keys {
            self.close_client(key, false);
        }
    }
}
