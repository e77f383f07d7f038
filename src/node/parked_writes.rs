//! Requests for the datastore that the node's state does not serve: refused, or parked until it does.
//!
//! In `WRITES_ONLY` the datastore's data is being replaced: reads are refused, writes are kept in the
//! order of their coming, and sent, before any later one, as soon as the state serves writes and the
//! datastore takes requests, also after other states in between. They have no time limit of their own
//! (the original closes the datastore's connection over them when the oldest is as old as `timeout`,
//! and all are lost), but limits there are:
//!
//! | limit | at the limit |
//! |---|---|
//! | a quarter of `max_msgs`, [`PARKED_BYTES`] | further writes are refused |
//! | [`PARKED_US`] | the oldest is refused |
//! | shutdown | all are refused |
//!
//! A client that leaves does not take its writes with it. A peer's later requests are answered past its
//! parked writes, as it matches replies by their ids; only a C node, which cannot, has to wait.

use super::ConnId;
use super::Node;
use super::flight::lost::Lost;
use super::flight::waiter::Waiter;
use super::ids::{FrontId, ReqId};
use super::msg::{Flags, OfFront, Queue};
use super::timers::Timer;
use super::upstream::Upstream;
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::cluster::peer_state::Gate;
use crate::log_at;
use crate::mbuf::{Chain, Raw};
use crate::proto::Class;
use crate::proto::Failure;
use std::collections::VecDeque;

/// Bytes of writes that may be parked.
pub const PARKED_BYTES: usize = 64 << 20;
/// How long a write may be parked, in µs: ten minutes.
pub const PARKED_US: u64 = 600_000_000;

/// The parked writes, the oldest first.
#[derive(Default)]
pub(super) struct ParkedWrites {
    queue: VecDeque<ParkedWrite>,
    bytes: usize,
}

struct ParkedWrite {
    entry: ReqId,
    pin: Option<FrontId>,
    since: u64,
    request: Chain,
    /// It is in no queue of this front, which is to get the answer.
    aside: Option<ConnId>,
}

impl ParkedWrites {
    /// Returns true if there are none.
    pub fn is_empty(&self) -> bool {
        self.queue.is_empty()
    }

    /// How many there are, and their bytes.
    pub fn len(&self) -> (usize, usize) {
        (self.queue.len(), self.bytes)
    }

    /// The number of them that are in no front's queue meanwhile.
    pub fn aside(&self) -> usize {
        let aside = self.queue.iter().filter(|write| write.aside.is_some());
        aside.count()
    }

    /// When the oldest has been parked for too long, in µs.
    pub fn next_us(&self) -> Option<u64> {
        self.queue.front().map(|write| write.since + PARKED_US)
    }

    fn pop(&mut self) -> Option<ParkedWrite> {
        let write = self.queue.pop_front()?;
        self.bytes -= write.request.len();
        Some(write)
    }
}

impl Node {
    /// Works out whether requests for the datastore have to be looked at before they are sent.
    pub(super) fn regate(&mut self) {
        let open = [Class::Read, Class::Write]
            .iter()
            .all(|&class| self.state.gate(class) == Gate::Serve);
        self.is_gated = !open || !self.parked_writes.is_empty() || self.busy.is_on();
    }

    /// Returns true if a request may enter the datastore now. If not, it has been taken care of.
    pub(super) fn passes_gate(
        &mut self,
        entry: ReqId,
        pin: Option<FrontId>,
        now: Now,
        raw: Raw<'_>,
    ) -> bool {
        let write = self
            .flight
            .get(entry)
            .is_some_and(|msg| msg.flags.has(Flags::WRITE));
        let class = if write { Class::Write } else { Class::Read };
        match self.state.gate(class) {
            Gate::Serve if !write || self.parked_writes.is_empty() => {
                return !self.refuses_as_busy(entry, now);
            }
            Gate::Serve | Gate::Hold => self.park_write(entry, pin, now, raw),
            Gate::Refuse => self.forbid(entry, now),
        }
        false
    }

    /// Answers a request that the state does not serve: by another rack if it may, else with an error.
    fn forbid(&mut self, entry: ReqId, now: Now) {
        let failure = Failure::StateForbids;
        self.lose_leg(entry, now, NodeId::ME, Lost::Refused, failure);
    }

    /// Parks a write.
    fn park_write(&mut self, entry: ReqId, pin: Option<FrontId>, now: Now, raw: Raw<'_>) {
        let full = self.parked_writes.queue.len() >= self.options.max_msgs / 4
            || self.parked_writes.bytes + raw.len() > PARKED_BYTES;
        let Some(msg) = self.flight.get_mut(entry).filter(|_| !full) else {
            self.stats.own.held_writes_refused += 1;
            return self.forbid(entry, now);
        };
        // As if it were in an upstream's queue: its front may leave, the message stays.
        msg.flags = msg.flags.with(Flags::QUEUED);
        let mut request = Chain::new();
        if raw.len() < self.pool.block_size() / 2 {
            // A small write must not keep the whole block it came in.
            raw.with_bytes(|bytes| self.pool.stow(bytes, &mut request));
        } else {
            raw.append_to(&mut request);
        }
        self.parked_writes.bytes += request.len();
        let aside = self.set_aside(entry);
        self.parked_writes.queue.push_back(ParkedWrite {
            aside,
            entry,
            pin,
            since: now.mono_us,
            request,
        });
        self.note_parked_writes();
        self.is_gated = true;
    }

    /// Notes when the oldest parked write has been parked for too long.
    fn note_parked_writes(&mut self) {
        let at = self.parked_writes.next_us();
        self.timers.set_or_stop(Timer::ParkedWrites, at);
    }

    /// Takes a write of a peer that matches replies by their ids out of the order of its answers.
    fn set_aside(&mut self, entry: ReqId) -> Option<ConnId> {
        let key = self.flight.get(entry)?.front()?;
        let front = &mut self
            .fronts
            .peer_mut(key)
            .filter(|peer| peer.is_modern())?
            .front;
        // It has just come, so it is the last one, and few are before it: parked ones are not.
        if front.queue.head() == Some(entry) {
            front.queue.pop(&mut self.flight.msgs)?;
            return Some(front.id);
        }
        let mut before = front.queue.head()?;
        loop {
            let next = Queue::<OfFront>::after(&self.flight.msgs, before)?;
            if next == entry {
                front.queue.remove_after(&mut self.flight.msgs, before)?;
                return Some(front.id);
            }
            before = next;
        }
    }

    /// Puts it into that order again, as the newest request; if the peer is gone the answer is dropped.
    fn put_back(&mut self, write: &ParkedWrite) {
        let (Some(id), Some(msg)) = (write.aside, self.flight.get_mut(write.entry)) else {
            return;
        };
        match self.fronts.get_mut(FrontId::of(id)) {
            Some(front) if front.id == id => front.queue.push(&mut self.flight.msgs, write.entry),
            _ => msg.waiter = Waiter::Nobody,
        }
    }

    /// Sends all parked writes, in order, if the state serves writes and the datastore takes them.
    pub(super) fn send_parked_writes(&mut self, now: Now) {
        let stores = self.upstreams.stores();
        if self.parked_writes.is_empty()
            || self.state.gate(Class::Write) != Gate::Serve
            || !stores.iter().any(Upstream::takes_requests)
        {
            return;
        }
        let parked = std::mem::take(&mut self.parked_writes);
        self.note_parked_writes();
        log_at!(
            Notice,
            "sending {} writes of {} bytes that were held",
            parked.queue.len(),
            parked.bytes
        );
        self.regate();
        for write in parked.queue {
            self.put_back(&write);
            let Some(msg) = self.flight.get_mut(write.entry) else {
                continue;
            };
            msg.flags = msg.flags.without(Flags::QUEUED);
            // Its time begins only now.
            msg.start = now.mono_us;
            // Its front may have left, and another may have its place.
            let pin = write.pin.filter(|_| !msg.is_over());
            self.send_to_store(write.entry, pin, now, Raw::from(&write.request));
        }
    }

    /// Refuses the writes that have been parked for too long.
    pub(super) fn expire_parked_writes(&mut self, now: Now) {
        while self
            .parked_writes
            .next_us()
            .is_some_and(|at| at <= now.mono_us)
        {
            self.refuse_oldest(now);
        }
    }

    /// Refuses all parked writes.
    pub(super) fn refuse_parked_writes(&mut self, now: Now) {
        while !self.parked_writes.is_empty() {
            self.refuse_oldest(now);
        }
    }

    fn refuse_oldest(&mut self, now: Now) {
        let Some(write) = self.parked_writes.pop() else {
            return;
        };
        self.note_parked_writes();
        self.stats.own.held_writes_refused += 1;
        self.put_back(&write);
        if let Some(msg) = self.flight.get_mut(write.entry) {
            msg.flags = msg.flags.without(Flags::QUEUED);
            self.forbid(write.entry, now);
        }
        self.regate();
    }
}
