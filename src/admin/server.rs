//! All connections of the endpoint.
//!
//! # How the caller drives it
//!
//! 1. [`Admin::accepted`] for each new socket; it may name another connection to close.
//! 2. On every readable or writable event of a socket: [`Admin::drive`], which reads, answers and
//!    writes until the socket would block. [`Admin::receive`] and [`Admin::transmit`] are its two
//!    halves, for a caller that flushes elsewhere.
//! 3. [`Admin::tick`] at [`Admin::next_deadline`].
//!
//! Once an id was evicted, expired, answered [`Outcome::Close`] or given to [`Admin::closed`], it
//! is forgotten here and the caller drops the socket. Calls with such an id return `Close`.

use std::io::{Read, Write};

use slab::Slab;

use super::conn::Conn;
use super::{Caller, Control};
use crate::clock::Now;

/// Most connections at a time. At the limit one is closed for a new one: of those that never sent a
/// complete request the one silent longest; if there are none, of all.
pub const MAX_CONNS: usize = 256;
/// Rounds of reading and writing in one [`Admin::drive`].
const ROUNDS: usize = 8;

/// A connection; never the same for two connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnId {
    slot: usize,
    generation: u64,
}

/// What the caller does next with a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Wait for the next readiness event or the deadline.
    Wait,
    /// Call again without waiting for an event, in this turn or the next: after `receive` and
    /// `drive` the same function, after `transmit` `receive`.
    Again,
    /// Drop the socket. The id is forgotten.
    Close,
}

/// The admission of a new connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Admission {
    /// The new connection.
    pub id: ConnId,
    /// The connection that had to make room; its socket is to be dropped.
    pub evicted: Option<ConnId>,
}

/// The endpoint's connections.
#[derive(Debug)]
pub struct Admin {
    conns: Slab<(u64, Conn)>,
    generation: u64,
    /// Most connections.
    most: usize,
    /// A lower bound of all deadlines; `u64::MAX` for none.
    earliest_us: u64,
}

impl Default for Admin {
    fn default() -> Self {
        Admin {
            conns: Slab::new(),
            generation: 0,
            most: MAX_CONNS,
            earliest_us: u64::MAX,
        }
    }
}

impl Admin {
    /// Without connections.
    pub fn new() -> Admin {
        Admin::default()
    }

    /// How many connections there are, at most [`MAX_CONNS`].
    pub fn len(&self) -> usize {
        self.conns.len()
    }

    /// Returns true if there are none.
    pub fn is_empty(&self) -> bool {
        self.conns.is_empty()
    }

    /// Sets the limit of connections: at most [`MAX_CONNS`], fewer where descriptors are few.
    pub fn limit(&mut self, most: usize) {
        self.most = most.clamp(1, MAX_CONNS);
    }

    /// Adds a connection of `caller` accepted at `now`.
    pub fn accepted(&mut self, caller: Caller, now: Now) -> Admission {
        let evicted = if self.conns.len() < self.most {
            None
        } else {
            self.least_deserving()
        };
        if let Some(id) = evicted {
            self.closed(id);
        }
        self.generation += 1;
        let conn = Conn::new(caller, now);
        self.earliest_us = self.earliest_us.min(conn.deadline_us());
        let slot = self.conns.insert((self.generation, conn));
        Admission {
            id: ConnId {
                slot,
                generation: self.generation,
            },
            evicted,
        }
    }

    /// Forgets a connection whose socket is gone.
    pub fn closed(&mut self, id: ConnId) {
        if self.conn(id).is_some() {
            self.conns.remove(id.slot);
        }
    }

    /// Reads from `source` until it would block and answers what is complete. Bounded: see
    /// [`Outcome::Again`].
    pub fn receive(
        &mut self,
        id: ConnId,
        now: Now,
        source: &mut impl Read,
        control: &mut dyn Control,
    ) -> Outcome {
        self.with(id, |conn| conn.receive(now, source, control))
    }

    /// Writes to `sink` until it would block or nothing is left.
    pub fn transmit(&mut self, id: ConnId, now: Now, sink: &mut impl Write) -> Outcome {
        self.with(id, |conn| conn.transmit(now, sink))
    }

    /// Returns true if there is something to transmit.
    pub fn wants_write(&self, id: ConnId) -> bool {
        self.conn(id).is_some_and(Conn::wants_write)
    }

    /// Both halves until `socket` would block in both directions, or a bounded number of times.
    pub fn drive(
        &mut self,
        id: ConnId,
        now: Now,
        socket: &mut (impl Read + Write),
        control: &mut dyn Control,
    ) -> Outcome {
        for _ in 0..ROUNDS {
            let received = self.receive(id, now, socket, control);
            if received == Outcome::Close {
                return Outcome::Close;
            }
            let sent = if self.wants_write(id) {
                self.transmit(id, now, socket)
            } else {
                Outcome::Wait
            };
            match (received, sent) {
                (_, Outcome::Close) => return Outcome::Close,
                (Outcome::Wait, Outcome::Wait) => return Outcome::Wait,
                _ => {}
            }
        }
        Outcome::Again
    }

    /// Removes the connections that have timed out by `now`, and returns their ids.
    pub fn tick(&mut self, now: Now) -> Vec<ConnId> {
        let mut expired = Vec::new();
        if now.mono_us < self.earliest_us {
            return expired;
        }
        self.earliest_us = u64::MAX;
        for (slot, (generation, conn)) in &self.conns {
            if conn.deadline_us() <= now.mono_us {
                expired.push(ConnId {
                    slot,
                    generation: *generation,
                });
            } else {
                self.earliest_us = self.earliest_us.min(conn.deadline_us());
            }
        }
        for id in &expired {
            self.conns.remove(id.slot);
        }
        expired
    }

    /// When to call [`Admin::tick`], on the clock of [`Now::mono_us`]. It may be earlier than the
    /// earliest deadline, never later.
    pub fn next_deadline(&self) -> Option<u64> {
        (!self.conns.is_empty()).then_some(self.earliest_us)
    }

    fn conn(&self, id: ConnId) -> Option<&Conn> {
        self.conns
            .get(id.slot)
            .filter(|(generation, _)| *generation == id.generation)
            .map(|(_, conn)| conn)
    }

    fn with(&mut self, id: ConnId, act: impl FnOnce(&mut Conn) -> Outcome) -> Outcome {
        let Some((_, conn)) = self
            .conns
            .get_mut(id.slot)
            .filter(|(generation, _)| *generation == id.generation)
        else {
            return Outcome::Close;
        };
        let outcome = act(conn);
        self.earliest_us = self.earliest_us.min(conn.deadline_us());
        if outcome == Outcome::Close {
            self.conns.remove(id.slot);
        }
        outcome
    }

    fn least_deserving(&self) -> Option<ConnId> {
        let (slot, (generation, _)) = self
            .conns
            .iter()
            .min_by_key(|(_, (_, conn))| conn.merit())?;
        Some(ConnId {
            slot,
            generation: *generation,
        })
    }
}

#[cfg(test)]
mod tests;
