//! From a reply to the client's output, in the order of the client's requests.

use super::client::{Client, reply_flags};
use super::flight::waiter::Waiter;
use super::front::{Front, Reading};
use super::ids::{FrontId, ReqId};
use super::memcache;
use super::msg::{Flags, Msg, NO_COMMAND};
use super::{Node, limits};
use crate::clock::Now;
use crate::log_at;
use crate::mbuf::{Chain, Raw};
use crate::proto::redis::resp3;
use crate::proto::{Failure, failure};

/// Bytes of a reply up to which it is copied if it has to wait for an earlier one: it would keep the block
/// that it came in from being used.
const STOWED: usize = 512;

impl Node {
    /// Answers a request with a reply made here.
    pub(super) fn finish(&mut self, entry: ReqId, now: Now, reply: &[u8]) {
        let mut chain = Chain::new();
        self.pool.copy(reply, &mut chain);
        self.finish_raw(entry, now, Raw::from(&chain));
    }

    /// Answers a request with a failure.
    pub(super) fn finish_failed(&mut self, entry: ReqId, now: Now, failure: Failure) {
        self.finish(entry, now, failure.line(self.options.store).as_bytes());
    }

    /// Answers a request. If it is its front's oldest, the reply goes straight to the output, and
    /// with it what was only waiting for it.
    #[inline]
    pub(super) fn finish_raw(&mut self, entry: ReqId, now: Now, raw: Raw<'_>) {
        let Some(msg) = self.flight.get_mut(entry) else {
            return;
        };
        if msg.flags.has_any(Flags::BEFORE_ANSWER) {
            if msg.is_answered() {
                return self.contradiction("a request that was answered is answered again");
            }
            let request = std::mem::take(&mut msg.reply);
            let carried = msg.flags.has(Flags::CARRIED);
            msg.flags = msg.flags.without(Flags::CARRIED.with(Flags::KEPT));
            if carried {
                return self.finish_carried(entry, now, &request, raw);
            }
        }
        if msg.parent().is_some() {
            return self.collect(entry, now, raw);
        }
        let (key, form) = match msg.waiter {
            Waiter::Front(front, form) => (Some(front), form),
            _ => (None, resp3::Form::Plain),
        };
        if let Some(key) = key
            && msg.flags.has(Flags::BESIDE_SCRIPTS)
            && key.is_peer()
        {
            self.reply_beside_scripts(entry, key, raw);
        }
        let Some(msg) = self.flight.get_mut(entry) else {
            return;
        };
        let front = key.and_then(|key| Some((key, self.fronts.get_mut(key)?)));
        let Some((key, front)) = front else {
            // Whoever asked is gone.
            self.flight.retire(entry);
            return;
        };
        if failure::is_error_reply(self.options.store, raw) {
            if key.is_peer() {
                self.stats.pool.peer_forward_error += 1;
            } else {
                self.stats.pool.forward_error += 1;
            }
        }
        if msg.flags.has(Flags::QUIET) && memcache::is_nominal(msg.command, raw) {
            msg.flags = msg.flags.with(Flags::SILENT);
        }
        front.expect_like(raw.len());
        let first = front.queue.head() == Some(entry);
        let is_client = !key.is_peer();
        if first && is_client && !msg.flags.has(Flags::RESP3) && msg.front_id == 0 {
            if !msg.flags.has(Flags::SILENT) {
                raw.append_to(&mut front.out);
            }
        } else if msg.flags.has(Flags::SILENT) {
            // Nobody will hear it.
        } else if msg.flags.has(Flags::RESP3) && !resp3::is_identity(form, raw.start(&mut [0; 2])) {
            let converted = &mut self.converted;
            raw.with_bytes(|reply| resp3::convert(form, reply, converted));
            self.pool.copy(converted, &mut msg.reply);
            converted.clear();
            converted.shrink_to(limits::CONVERTED_KEPT);
        } else if is_client && msg.front_id != 0 {
            memcache::respond(msg.front_id, raw, &self.pool, &mut msg.reply);
        } else if raw.len() <= STOWED {
            raw.pieces()
                .for_each(|piece| self.pool.stow(piece, &mut msg.reply));
        } else {
            raw.append_to(&mut msg.reply);
        }
        let is_first = msg.answer();
        debug_assert!(is_first, "looked at above");
        front.answered += 1;
        front.waiting += msg.reply.len();
        if first {
            self.release(now, key);
        } else {
            self.resume_if_drained(key);
        }
    }

    /// Gives a peer an answer that must not wait for a script's, which comes first in the order of its
    /// requests. A C node gets its answers in that order only.
    fn reply_beside_scripts(&mut self, entry: ReqId, key: FrontId, raw: Raw<'_>) {
        let (Some(peer), Some(msg)) = (self.fronts.peer_mut(key), self.flight.get_mut(entry))
        else {
            return;
        };
        let front = &peer.front;
        if !peer.is_modern() || front.queue.head() == Some(entry) || front.lost {
            return;
        }
        if !peer.reply(msg.front_id, raw, &self.pool) {
            return self.close_front(key, false);
        }
        // Nothing more is to be said when its turn comes.
        msg.flags = msg.flags.with(Flags::SILENT);
        peer.front.flush(&mut self.out);
    }

    /// Puts every answer that is known and due into the front's output.
    fn release(&mut self, now: Now, key: FrontId) {
        match key.is_peer() {
            false => self.release_to_client(now, key),
            true if self.release_to_peer(key) => {}
            true => return self.close_front(key, false),
        }
        if let Some(front) = self.fronts.get_mut(key) {
            if front.out.is_scattered(&self.pool) {
                front.out.pack(&self.pool);
            }
            front.flush(&mut self.out);
        }
        self.resume_if_drained(key);
    }

    #[inline]
    fn release_to_client(&mut self, now: Now, key: FrontId) {
        let Some(Client { front, .. }) = self.fronts.client_mut(key) else {
            return;
        };
        let hist = &mut self.stats.hist;
        while let Some(entry) = front.queue.head() {
            let Some(msg) = self.flight.get_mut(entry).filter(|msg| msg.is_answered()) else {
                return;
            };
            let latency = match msg.flags.has(Flags::WRITE) {
                false => &mut hist.read_latency,
                true => &mut hist.write_latency,
            };
            latency.record(now.mono_us.saturating_sub(msg.start));
            front.waiting -= msg.reply.len();
            front.answered -= 1;
            match msg.flags.has(Flags::SILENT) {
                false => front.out.append(&mut msg.reply),
                true => msg.reply.clear(),
            }
            if msg.flags.has(Flags::LAST) {
                front.stop();
            }
            front.queue.pop(&mut self.flight.msgs);
            self.flight.leave_front(entry);
        }
    }

    /// Returns false if a reply cannot be encrypted: the connection is of no more use.
    fn release_to_peer(&mut self, key: FrontId) -> bool {
        let Some(peer) = self.fronts.peer_mut(key) else {
            return true;
        };
        while let Some(entry) = peer.front.queue.head() {
            let Some(msg) = self.flight.get_mut(entry).filter(|msg| msg.is_answered()) else {
                break;
            };
            let reply = std::mem::take(&mut msg.reply);
            let wanted = !msg.flags.has(Flags::SILENT) && !peer.front.lost;
            if wanted && !peer.reply(msg.front_id, Raw::from(&reply), &self.pool) {
                return false;
            }
            let front = &mut peer.front;
            front.waiting -= reply.len();
            front.answered -= 1;
            if msg.flags.has(Flags::LAST) {
                front.stop();
            }
            front.queue.pop(&mut self.flight.msgs);
            self.flight.leave_front(entry);
        }
        true
    }

    /// Answers a client's newest request with a reply made here, in its turn. `last`: the
    /// connection closes behind it.
    pub(super) fn answer(&mut self, key: FrontId, now: Now, reply: &[u8], last: bool) {
        let Some(client) = self.fronts.client_mut(key) else {
            return;
        };
        let flags = reply_flags(&mut client.session);
        self.push_answer(key, now, reply, flags, last);
    }

    /// The same when it is known already how the reply is to be delivered.
    pub(super) fn push_answer(
        &mut self,
        key: FrontId,
        now: Now,
        reply: &[u8],
        flags: Flags,
        last: bool,
    ) {
        let Some(front) = self.fronts.get_mut(key) else {
            return;
        };
        let mut msg = Msg::answered(key, NO_COMMAND, flags, now.mono_us);
        if last {
            // Whatever follows is not read; earlier answers still go out.
            msg.flags = msg.flags.with(Flags::LAST);
            front.reading = Reading::Off;
        }
        if failure::is_error(self.options.store, reply) {
            self.stats.pool.forward_error += 1;
        }
        self.pool.copy(reply, &mut msg.reply);
        front.answered += 1;
        front.waiting += msg.reply.len();
        let entry = self.flight.insert(msg);
        front.queue.push(&mut self.flight.msgs, entry);
        if front.queue.head() == Some(entry) {
            self.release(now, key);
        } else if front.untaken() > limits::CLIENT_OUT_MAX {
            self.close_overdrawn(key);
        }
    }

    /// Reads a front again whose own load has drained, and closes one that has more replies to take than any may have.
    #[inline]
    pub(super) fn resume_if_drained(&mut self, key: FrontId) {
        let Some(front) = self.fronts.get_mut(key) else {
            return;
        };
        match front.reading {
            Reading::Full if front.has_drained() => {
                front.reading = Reading::On;
                self.out.resume(front.id);
            }
            Reading::Ordered if front.steps.is_none() && front.may_ask_on() => {
                self.in_order.push(front.id);
            }
            _ => {}
        }
        if front.untaken() > limits::CLIENT_OUT_MAX {
            self.close_overdrawn(key);
        }
    }

    #[cold]
    fn close_overdrawn(&mut self, key: FrontId) {
        if let Some(front) = self.fronts.get(key) {
            log_at!(
                Warn,
                "{} has {} bytes of replies to take, closing",
                front.log_name(),
                front.untaken()
            );
        }
        self.close_front(key, false);
    }

    /// Closes a front: what it still waits for is executed, and nobody hears of it.
    pub(super) fn close_front(&mut self, key: FrontId, orderly: bool) {
        let Some(mut front) = self.fronts.remove(key) else {
            return;
        };
        let dropped = front.queue.len();
        log_at!(
            Notice,
            "close {} Dropped {dropped} requests",
            front.log_name()
        );
        let pool = &mut self.stats.pool;
        let (connections, eof, err) = if key.is_peer() {
            (
                &mut pool.dnode_client_connections,
                &mut pool.dnode_client_eof,
                &mut pool.dnode_client_err,
            )
        } else {
            pool.client_dropped_requests += u64::from(dropped);
            (
                &mut pool.client_connections,
                &mut pool.client_eof,
                &mut pool.client_err,
            )
        };
        *connections -= 1;
        *(if orderly { eof } else { err }) += 1;
        self.abandon(&mut front);
        self.out.close(front.id);
    }

    /// Takes a front's name off the requests it waits for.
    fn abandon(&mut self, front: &mut Front) {
        while let Some(entry) = front.queue.pop(&mut self.flight.msgs) {
            if let Some(msg) = self.flight.get_mut(entry)
                && !msg.flags.has(Flags::KEPT)
            {
                msg.reply.clear();
            }
            self.flight.leave_front(entry);
        }
    }
}
