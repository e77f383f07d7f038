//! A connection to the datastore: from replies to answers, and its life.

use super::client::Raw;
use super::msg::{Flags, Msgs, NONE, OfStore, Queue};
use super::{Action, ConnId, Next, Node, limits};
use crate::clock::Now;
use crate::log_at;
use crate::mbuf::{Chain, Inbound};
use crate::proto::redis::command::Class;
use crate::proto::redis::errors;
use crate::proto::redis::reply::{Parser, Status};
use std::collections::VecDeque;
use std::io::{self, Read};

/// Why a connection is given up whose replies do not match its requests.
const UNASKED: &str = "an answer that nobody asked for";
/// First wait before a lost connection is tried again, in µs; doubles up to the configured ceiling.
const FIRST_RETRY_US: u64 = 1_000_000;

/// A connection to the datastore. All clients share it; replies come in the order of requests.
pub(super) struct Store {
    pub id: ConnId,
    pub state: State,
    inbound: Inbound,
    parser: Parser,
    /// Requests on their way out.
    pub out: Chain,
    /// Requests whose reply is still to come, written or not, in order.
    pub queue: Queue<OfStore>,
    /// The first in the queue that has not been told that it took too long.
    due: u32,
    /// It stands in the list of connections to be flushed.
    pub dirty: bool,
    /// Bytes ever put into `out` of this connection.
    queued: u64,
    /// Bytes of those that were written.
    pub written: u64,
    /// When bytes up to which offset had been written; for latencies. The oldest first.
    marks: VecDeque<(u64, u64)>,
    /// When the last reply byte arrived, or the connection was made, in µs.
    heard: u64,
    retry_us: u64,
}

/// The life of a datastore connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not wanted yet: the first request connects (`preconnect: false`).
    Idle,
    /// Being made since this time. Requests wait for the first attempt; later ones fail at once, so
    /// that a datastore that is gone costs clients nothing but an error.
    Connecting { since: u64, first: bool },
    /// In use.
    Up,
    /// Lost; tried again at this time.
    Down { retry_at: u64 },
}

/// Why a datastore connection is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// It ended the stream.
    Eof,
    /// It answered nothing for too long.
    TimedOut,
    /// Reading, writing or connecting failed, or what came was no reply.
    Error,
}

impl Store {
    pub fn new(id: ConnId) -> Store {
        Store {
            id,
            state: State::Idle,
            inbound: Inbound::default(),
            parser: Parser::default(),
            out: Chain::new(),
            queue: Queue::default(),
            due: NONE,
            dirty: false,
            queued: 0,
            written: 0,
            marks: VecDeque::new(),
            heard: 0,
            retry_us: FIRST_RETRY_US,
        }
    }

    /// Whether a request may be put into its queue, if need be after asking for the connection.
    fn takes_requests(&self) -> bool {
        matches!(
            self.state,
            State::Idle | State::Up | State::Connecting { first: true, .. }
        )
    }

    /// Whether so much waits to be written that clients should wait too.
    pub fn is_congested(&self) -> bool {
        self.out.len() >= limits::STORE_QUEUE
    }

    /// Takes the first request off the queue.
    fn pop(&mut self, msgs: &mut Msgs) -> Option<u32> {
        let entry = self.queue.pop(msgs)?;
        if self.due == entry {
            self.due = self.queue.head().unwrap_or(NONE);
        }
        Some(entry)
    }

    /// When the bytes up to `end` were written.
    fn written_at(&mut self, end: u64) -> Option<u64> {
        while self.marks.front().is_some_and(|&(upto, _)| upto < end) {
            self.marks.pop_front();
        }
        self.marks.front().map(|&(_, at)| at)
    }

    /// Requests not written yet, and their bytes.
    pub fn unsent(&self, msgs: &mut Msgs) -> (u64, u64) {
        let mut count = 0;
        let mut entry = self.queue.head();
        while let Some(key) = entry {
            count += u64::from(
                msgs.get(key as usize)
                    .is_some_and(|msg| msg.end > self.written),
            );
            entry = Queue::<OfStore>::after(msgs, key);
        }
        (count, self.out.len() as u64)
    }

    /// Requests whose reply is still to come, and their bytes.
    pub fn outstanding(&self, msgs: &mut Msgs) -> (u64, u64) {
        let mut bytes = 0;
        let mut entry = self.queue.head();
        while let Some(key) = entry {
            bytes += msgs.get(key as usize).map_or(0, |msg| u64::from(msg.len));
            entry = Queue::<OfStore>::after(msgs, key);
        }
        (u64::from(self.queue.len()), bytes)
    }
}

impl Node {
    /// The datastore connection a client's next request goes to: always the same one, so that its
    /// requests keep their order; another one only while that one is down. Back to its own it goes when
    /// nothing is under way on the other, or it would overtake itself.
    #[inline]
    fn store_for(&mut self, client: u32) -> usize {
        let count = self.stores.len();
        if count <= 1 {
            return 0;
        }
        let takes =
            |stores: &[Store], slot: usize| stores.get(slot).is_some_and(Store::takes_requests);
        let own = client as usize % count;
        let Some(client) = self.clients.get_mut(client as usize) else {
            return own;
        };
        // The request to be sent stands in the queue already.
        if client.queue.len() <= 1 || !takes(&self.stores, client.store.into()) {
            let slot = (own..count)
                .chain(0..own)
                .find(|&slot| takes(&self.stores, slot))
                .unwrap_or(own);
            client.store = slot as u16;
        }
        client.store.into()
    }

    /// Puts a request into the queue of a datastore connection, or answers it if there is none.
    #[inline]
    pub(super) fn send_to_store(
        &mut self,
        entry: u32,
        client: u32,
        now: Now,
        class: Class,
        raw: Raw<'_>,
    ) {
        let slot = self.store_for(client);
        if self
            .stores
            .get(slot)
            .is_some_and(|store| store.state == State::Idle)
        {
            self.connect_store(slot, now, true);
        }
        let Some(store) = self
            .stores
            .get_mut(slot)
            .filter(|store| store.takes_requests())
        else {
            return self.finish(entry, now, errors::STORAGE_REFUSED.as_bytes());
        };
        let Some(msg) = self.msgs.get_mut(entry as usize) else {
            return;
        };
        let len = raw.len() as u64;
        raw.append_to(&mut store.out);
        store.queued += len;
        msg.end = store.queued;
        msg.flags = msg.flags.with(Flags::AT_STORE);
        store.queue.push(&mut self.msgs, entry);
        if store.due == NONE {
            store.due = entry;
        }
        if !store.dirty {
            store.dirty = true;
            self.dirty.push(store.id);
        }
        let stats = &mut self.stats.server;
        match class {
            Class::Read => {
                stats.read_requests += 1;
                stats.read_request_bytes += len;
            }
            Class::Write => {
                stats.write_requests += 1;
                stats.write_request_bytes += len;
            }
        }
    }

    /// Reads from a datastore connection once and hands out what is complete.
    pub(super) fn receive_store(&mut self, slot: usize, now: Now, reader: &mut impl Read) -> Next {
        let Some(store) = self
            .stores
            .get_mut(slot)
            .filter(|store| store.state == State::Up)
        else {
            return Next::Wait;
        };
        let fill = match store.inbound.fill(
            &self.pool,
            &mut self.shared,
            store.parser.expected(),
            reader,
        ) {
            Ok(fill) => fill,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Next::Wait,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Next::Again,
            Err(error) => {
                log_at!(Warn, "{} recv failed: {error}", store.id);
                self.lose_store(slot, now, Loss::Error);
                return Next::Wait;
            }
        };
        if fill.bytes == 0 {
            log_at!(Notice, "{} recv eof", store.id);
            self.lose_store(slot, now, Loss::Eof);
            return Next::Wait;
        }
        store.heard = now.mono_us;
        self.stats
            .hist
            .server_out_queue
            .record(u64::from(store.queue.len()));
        let mut parser = std::mem::take(&mut store.parser);
        let mut data = fill.data;
        let mut garbage = None;
        while let Some(slice) = data.pop() {
            let mut at = 0;
            let status = loop {
                match parser.parse(slice.get(at..).unwrap_or(&[]), 0) {
                    Status::Complete(len) => {
                        if !self.hand_out(slot, now, Raw::Whole(&slice, at, at + len)) {
                            break Status::Garbage(UNASKED);
                        }
                        at += len;
                    }
                    other => break other,
                }
            };
            let mut rest = Chain::new();
            rest.push_range(&slice, at, slice.len());
            rest.append(&mut data);
            data = rest;
            if let Status::Garbage(reason) = status {
                garbage = Some(reason);
                break;
            }
            if data.as_contiguous().is_some() || data.is_empty() {
                break;
            }
            match parser.find(&data) {
                Status::Complete(len) => {
                    let raw = data.split_to(len);
                    if !self.hand_out(slot, now, Raw::Spread(&raw)) {
                        garbage = Some(UNASKED);
                        break;
                    }
                }
                Status::Incomplete => break,
                Status::Garbage(reason) => {
                    garbage = Some(reason);
                    break;
                }
            }
        }
        let Some(store) = self.stores.get_mut(slot) else {
            return Next::Wait;
        };
        if let Some(reason) = garbage {
            log_at!(
                Alert,
                "{} cannot be understood ({reason}), closing",
                store.id
            );
            self.lose_store(slot, now, Loss::Error);
            return Next::Wait;
        }
        store.parser = parser;
        store.inbound.keep(data, &self.pool);
        if fill.full { Next::Again } else { Next::Wait }
    }

    /// Gives one reply to the request it belongs to: the oldest outstanding one. `false` if nobody has
    /// asked: then requests and replies are out of step, and the connection cannot be trusted any more.
    #[inline]
    fn hand_out(&mut self, slot: usize, now: Now, raw: Raw<'_>) -> bool {
        let Some(store) = self.stores.get_mut(slot) else {
            return false;
        };
        let in_step = store
            .queue
            .head()
            .and_then(|entry| self.msgs.get(entry as usize))
            .is_some_and(|msg| msg.end <= store.written);
        if !in_step {
            return false;
        }
        let Some(entry) = store.pop(&mut self.msgs) else {
            return false;
        };
        let Some(msg) = self.msgs.get_mut(entry as usize) else {
            return false;
        };
        msg.flags = msg.flags.without(Flags::AT_STORE);
        let (start, end, to_write, expired, orphan) = (
            msg.start,
            msg.end,
            msg.flags.has(Flags::WRITE),
            msg.flags.has(Flags::EXPIRED),
            msg.client == NONE,
        );
        if let Some(written) = store.written_at(end) {
            self.stats
                .hist
                .server_latency
                .record(now.mono_us.saturating_sub(written));
            self.stats
                .hist
                .server_queue_wait
                .record(written.saturating_sub(start));
        }
        self.count_reply(to_write, raw.len() as u64);
        if expired {
            self.stats.own.late_replies_dropped += 1;
        }
        if orphan {
            self.msgs.remove(entry as usize);
        } else if !expired {
            self.finish_raw(entry, now, raw);
        }
        true
    }

    /// The datastore connection in this slot is there.
    pub(super) fn store_connected(&mut self, slot: usize, now: Now) {
        let Some(store) = self.stores.get_mut(slot) else {
            return;
        };
        log_at!(Notice, "{} connected", store.id);
        store.state = State::Up;
        store.heard = now.mono_us;
        store.retry_us = FIRST_RETRY_US;
        if !store.out.is_empty() && !store.dirty {
            store.dirty = true;
            self.dirty.push(store.id);
        }
    }

    /// Asks for the connection of this slot to be made.
    pub(super) fn connect_store(&mut self, slot: usize, now: Now, first: bool) {
        let Some(store) = self.stores.get_mut(slot) else {
            return;
        };
        self.generation = self.generation.wrapping_add(1);
        store.id.generation = self.generation;
        store.state = State::Connecting {
            since: now.mono_us,
            first,
        };
        self.actions.push_back(Action::Connect(store.id));
    }

    /// Gives up a datastore connection: every request on it fails, and it is tried again later.
    pub(super) fn lose_store(&mut self, slot: usize, now: Now, loss: Loss) {
        let Some(store) = self.stores.get_mut(slot) else {
            return;
        };
        let (unsent, _) = store.unsent(&mut self.msgs);
        let outstanding = u64::from(store.queue.len()) - unsent;
        log_at!(
            Warn,
            "close {} Dropped {unsent} outqueue & {outstanding} inqueue requests",
            store.id
        );
        let stats = &mut self.stats.server;
        match loss {
            Loss::Eof => stats.server_eof += 1,
            Loss::TimedOut => stats.server_timedout += 1,
            Loss::Error => stats.server_err += 1,
        }
        stats.server_dropped_requests += unsent;
        stats.server_ejected_at = now.unix_millis();
        self.stats.pool.server_ejects += 1;
        store.out.clear();
        store.inbound.clear();
        store.parser = Parser::default();
        store.marks.clear();
        store.due = NONE;
        (store.queued, store.written) = (0, 0);
        store.state = State::Down {
            retry_at: now.mono_us + store.retry_us,
        };
        store.retry_us =
            (store.retry_us * 2).min(self.options.retry_ceiling_us.max(FIRST_RETRY_US));
        self.actions.push_back(Action::Close(store.id));
        while let Some(entry) = self
            .stores
            .get_mut(slot)
            .and_then(|store| store.pop(&mut self.msgs))
        {
            let Some(msg) = self.msgs.get_mut(entry as usize) else {
                continue;
            };
            msg.flags = msg.flags.without(Flags::AT_STORE);
            if msg.client == NONE {
                self.msgs.remove(entry as usize);
            } else if !msg.flags.has(Flags::EXPIRED) {
                self.finish(entry, now, errors::STORAGE_REFUSED.as_bytes());
            }
        }
    }

    /// Notes that `n` bytes went out on a datastore connection.
    pub(super) fn store_wrote(&mut self, slot: usize, now: Now, n: usize) {
        let Some(store) = self.stores.get_mut(slot) else {
            return;
        };
        store.written += n as u64;
        store.marks.push_back((store.written, now.mono_us));
        self.stats
            .hist
            .server_in_queue
            .record(u64::from(store.queue.len()));
    }

    /// What a datastore connection waits for next, as a time in µs.
    pub(super) fn store_deadline(&self, slot: usize) -> Option<u64> {
        let store = self.stores.get(slot)?;
        match store.state {
            State::Idle => None,
            // While shutting down it is not tried again.
            State::Down { retry_at } => (!self.is_draining()).then_some(retry_at),
            State::Connecting { since, .. } => Some(since + self.options.timeout_us),
            State::Up => {
                let due = self
                    .msgs
                    .get(store.due as usize)
                    .map(|msg| msg.start + self.options.timeout_us);
                let dead = (!store.queue.is_empty())
                    .then(|| self.dead_at(slot))
                    .flatten();
                [due, dead].into_iter().flatten().min()
            }
        }
    }

    /// When a silent datastore connection with expired requests counts as dead: nothing has come for
    /// two timeouts, and the oldest request has waited as long.
    fn dead_at(&self, slot: usize) -> Option<u64> {
        let store = self.stores.get(slot)?;
        let head = self.msgs.get(store.queue.head()? as usize)?;
        head.flags
            .has(Flags::EXPIRED)
            .then(|| head.start.max(store.heard) + 2 * self.options.timeout_us)
    }

    /// Does what is due on a datastore connection.
    pub(super) fn tick_store(&mut self, slot: usize, now: Now) {
        let Some(state) = self.stores.get(slot).map(|store| store.state) else {
            return;
        };
        match state {
            State::Idle => {}
            State::Down { retry_at } => {
                if retry_at <= now.mono_us && !self.is_draining() {
                    self.connect_store(slot, now, false);
                }
            }
            State::Connecting { since, .. } => {
                if since + self.options.timeout_us <= now.mono_us {
                    log_at!(Warn, "{} connect timed out", self.stores[slot].id);
                    self.lose_store(slot, now, Loss::TimedOut);
                }
            }
            State::Up => {
                self.expire(slot, now);
                if self.dead_at(slot).is_some_and(|at| at <= now.mono_us) {
                    log_at!(Warn, "{} answers nothing, closing", self.stores[slot].id);
                    self.lose_store(slot, now, Loss::TimedOut);
                }
            }
        }
    }

    /// Answers requests that have waited too long. Their replies, should they still come, are
    /// dropped; the connection lives on for the others.
    fn expire(&mut self, slot: usize, now: Now) {
        while let Some(store) = self.stores.get_mut(slot) {
            let entry = store.due;
            let Some(msg) = self.msgs.get_mut(entry as usize) else {
                return;
            };
            if msg.start + self.options.timeout_us > now.mono_us {
                return;
            }
            msg.flags = msg.flags.with(Flags::EXPIRED);
            let orphan = msg.client == NONE;
            log_at!(
                Warn,
                "request on {} timedout, timeout was {}",
                store.id,
                self.options.timeout_us / 1000
            );
            store.due = Queue::<OfStore>::after(&mut self.msgs, entry).unwrap_or(NONE);
            self.stats.own.requests_timedout += 1;
            self.stats.server.server_timedout_requests += 1;
            self.stats.server.server_dropped_requests += 1;
            if !orphan {
                self.finish(entry, now, errors::STORAGE_REFUSED.as_bytes());
            }
        }
    }
}
