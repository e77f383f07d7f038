//! The datastore's connections: from replies to answers.

use super::flight::waiter::{Task, Waiter};
use super::ids::{ReqId, SlotId};
use super::msg::Flags;
use super::upstream::{Loss, Wire};
use super::{Next, Node, limits};
use crate::clock::Now;
use crate::config::StoreKind;
use crate::log_at;
use crate::mbuf::Raw;
use crate::proto::framer::{Sink, Taken, drain};
use crate::proto::store::Replies;
use crate::proto::{Framer, failure};
use crate::sys;
use std::io::{self, Read};
use std::time::Duration;

/// So many replies still to come keep a datastore busy for longer than a [`Node::pause`].
const MANY_AWAITED: u32 = 16;
/// Fewer replies than this in one read come one by one.
const FEW_REPLIES: u32 = 128;
/// The longest [`Node::pause`], in µs.
const LONGEST_PAUSE: u32 = 250;

/// Why a connection is given up whose replies do not match its requests.
const UNASKED: &str = "an answer that nobody asked for";
/// Why one is given up that goes on in RESP3.
const STUCK: &str = "HELLO 3 was obeyed and HELLO 2 was not";

/// The node as the receiver of a datastore's replies.
struct StoreReplies<'a> {
    node: &'a mut Node,
    slot: SlotId,
    now: Now,
    /// [`UNASKED`] after a reply without a request.
    unasked: Option<&'static str>,
}

impl Sink<usize> for StoreReplies<'_> {
    #[inline(always)]
    fn take(&mut self, _: usize, raw: Raw<'_>) -> Taken {
        if self.node.hand_out(self.slot, self.now, raw) {
            return Taken::Next;
        }
        self.unasked = Some(UNASKED);
        Taken::Stop
    }
}

impl Node {
    /// Reads from a datastore connection once and hands out what is complete.
    pub(super) fn receive_store(&mut self, slot: SlotId, now: Now, reader: &mut impl Read) -> Next {
        let Some(store) = self.upstreams.get_mut(slot).filter(|store| store.is_up()) else {
            return Next::Wait;
        };
        let Wire::Store(parser) = &mut store.wire else {
            return Next::Wait;
        };
        let fill = match store
            .inbound
            .fill(&self.pool, &mut self.shared, parser.expected(), reader)
        {
            Ok(fill) => fill,
            Err(error) => return self.upstream_read_failed(slot, now, &error),
        };
        if fill.bytes == 0 {
            log_at!(Notice, "{} recv eof", store.id);
            self.lose_upstream(slot, now, Loss::Eof);
            return Next::Wait;
        }
        store.heard = now.mono_us;
        parser.allow_resp3(store.resp3.is_allowed());
        let fresh = Replies::new(self.options.store);
        let mut parser = std::mem::replace(parser, fresh);
        let awaited = store.queue.len();
        self.stats.hist.server_out_queue.record(u64::from(awaited));
        let mut sink = StoreReplies {
            node: self,
            slot,
            now,
            unasked: None,
        };
        let mut data = fill.data;
        let broken = drain(&mut parser, &mut data, &mut sink);
        let mut garbage = broken.or(sink.unasked);
        let reply_limit = self.reply_limit();
        let Some(store) = self.upstreams.get_mut(slot) else {
            return Next::Wait;
        };
        if store.resp3.is_stuck() {
            garbage = garbage.or(Some(STUCK));
        }
        if let Some(reason) = garbage {
            log_at!(
                Alert,
                "{} cannot be understood ({reason}), closing",
                store.id
            );
            self.lose_upstream(slot, now, Loss::Nonsense);
            return Next::Wait;
        }
        let is_over = match () {
            _ if data.is_empty() => None,
            _ if store.queue.is_empty() => Some(UNASKED),
            _ if data.len() > reply_limit => Some("a reply is larger than may be held"),
            _ => None,
        };
        if let Some(reason) = is_over {
            log_at!(
                Alert,
                "{} cannot be understood ({reason}; limit {reply_limit} bytes), closing",
                store.id
            );
            self.lose_upstream(slot, now, Loss::Nonsense);
            return Next::Wait;
        }
        store.wire = Wire::Store(parser);
        store.inbound.keep(data, &self.pool);
        let left = store.queue.len();
        self.store_spoke(slot);
        let trickles = !fill.full && awaited.saturating_sub(left) < FEW_REPLIES;
        if self.options.store == StoreKind::Memcache && trickles && left >= MANY_AWAITED {
            self.pause_us = self.pause_us.max(left.min(LONGEST_PAUSE));
        }
        if fill.full { Next::Again } else { Next::Wait }
    }

    /// Bytes of one reply of the datastore that may be held while the rest of it is still to come: twice the
    /// limit of memory, but at least [`limits::REPLY_LEAST`] and at most [`limits::REPLY_MOST`].
    pub(super) fn reply_limit(&self) -> usize {
        let memory = self.pool.limit().saturating_mul(self.pool.block_size());
        memory
            .saturating_mul(2)
            .clamp(limits::REPLY_LEAST, limits::REPLY_MOST)
    }

    /// How long to let replies gather before the next turn, asked once a turn: memcached writes the
    /// reply to each `get` by itself, which would cost a turn, and often a write to a client, for each.
    ///
    /// Only while many are due, and a microsecond for each of those, a few hundred at most: less than
    /// memcached needs for them, so that it has enough to do meanwhile.
    pub fn pause(&mut self) -> Option<Duration> {
        let us = std::mem::take(&mut self.pause_us);
        (us > 0).then(|| Duration::from_micros(us.into()))
    }

    /// What to do after a read that brought an error.
    pub(super) fn upstream_read_failed(
        &mut self,
        slot: SlotId,
        now: Now,
        error: &io::Error,
    ) -> Next {
        match error.kind() {
            io::ErrorKind::WouldBlock => Next::Wait,
            io::ErrorKind::Interrupted => Next::Again,
            _ => {
                if let Some(upstream) = self.upstreams.get(slot) {
                    log_at!(Warn, "{} recv failed: {}", upstream.id, sys::reason(error));
                }
                self.note_lost(slot, &sys::reason(error).to_string());
                self.lose_upstream(slot, now, Loss::Error);
                Next::Wait
            }
        }
    }

    /// Gives one reply to the request it belongs to: the oldest outstanding one. Returns false if nothing
    /// has asked: then requests and replies are out of step, and the connection cannot be trusted any
    /// more.
    #[inline]
    fn hand_out(&mut self, slot: SlotId, now: Now, raw: Raw<'_>) -> bool {
        let Some(store) = self.upstreams.get_mut(slot) else {
            return false;
        };
        let head = store.queue.head().and_then(|entry| self.flight.get(entry));
        if head.is_none_or(|msg| msg.end > store.written) {
            return false;
        }
        let Some(entry) = store.pop(&mut self.flight.msgs) else {
            return false;
        };
        self.answered(slot, entry, now, raw);
        true
    }

    /// A reply has come for a message that has left its upstream's queue.
    #[inline]
    pub(super) fn answered(&mut self, slot: SlotId, entry: ReqId, now: Now, raw: Raw<'_>) {
        let (Some(upstream), Some(msg)) =
            (self.upstreams.get_mut(slot), self.flight.get_mut(entry))
        else {
            return;
        };
        msg.flags = msg.flags.without(Flags::QUEUED);
        if msg.waiter == Waiter::Task(Task::StoreProbe) {
            return self.take_probe_answer(slot, entry, raw);
        }
        upstream.anew.answered(msg.command);
        let expired = msg.is_expired();
        let (over, kept, node) = (msg.is_over(), msg.flags.has(Flags::KEPT), upstream.node);
        let unique = msg.flags.has(Flags::UNIQUE);
        let absolute = msg.flags.has(Flags::ABSOLUTE);
        let waiter = msg.waiter;
        let used = waiter.is_asked_for();
        if let Some(written) = upstream.written_at(msg.end) {
            let (wait, latency) = (
                written.saturating_sub(msg.start),
                now.mono_us.saturating_sub(written),
            );
            self.stats.time_reply(upstream.distance, wait, latency);
            upstream.tally.answered(latency);
        }
        let write = msg.flags.has(Flags::WRITE);
        self.stats
            .count_reply(upstream.distance, write, used, raw.len() as u64);
        let is_error = failure::is_error_reply(self.options.store, raw);
        let refused = is_error && self.is_read_refused(slot, now, raw);
        if is_error && kept && write && !expired && self.resend_script(slot, entry, now, raw) {
            return;
        }
        if is_error && write && (refused || self.is_unserved(raw)) {
            self.flight.refused(entry);
        }
        if is_error && absolute {
            self.note_old_datastore(raw);
        }
        if expired && self.flight.first_step_of(entry).is_some() {
            // Late, but not for the other replicas.
            return self.finish_raw(entry, now, raw);
        }
        if expired {
            self.stats.own.late_replies_dropped += 1;
        }
        if let Waiter::Task(task) = waiter {
            self.flight.leave_front(entry);
            self.task_answered(task, slot, now, raw);
        } else if over {
            self.flight.retire(entry);
        } else if !expired && unique && !is_error {
            let marked = self.marked(node, raw);
            self.finish_raw(entry, now, Raw::from(&marked));
        } else if !expired {
            let unserved = kept && is_error && (refused || self.is_unserved(raw));
            if !(unserved && self.fail_over(entry, now, node)) {
                self.finish_raw(entry, now, raw);
            }
        }
    }
}
