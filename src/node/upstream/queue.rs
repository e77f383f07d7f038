//! A connection's queue: requests whose reply is still to come, written or not, in order.

use super::connection::Upstream;
use crate::clock::Now;
use crate::mbuf::{Chain, Raw};
use crate::node::ids::ReqId;
use crate::node::msg::{Flags, Msg, Msgs, OfUpstream, Queue};
use std::collections::HashSet;

/// Expired requests in a queue: they took too long, their front has its answer, and their reply is still to come.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::node) struct Overdue {
    pub count: u32,
    /// When the first of them began to wait, in µs.
    pub since: u64,
}

/// Requests at the end of a queue that are not wholly written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Unwritten {
    count: u32,
    first: Option<ReqId>,
}

/// A request has been put into a queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::node) struct Put {
    /// The lane that had no due mark before, and when this request began to wait, in µs.
    pub first_due: Option<(usize, u64)>,
}

/// The lane of a message: 0 for reads, 1 for writes. Each lane has its due mark.
pub(in crate::node) fn lane(msg: &Msg) -> usize {
    usize::from(msg.flags.has(Flags::WRITE))
}

/// The message before the one with this id, from `at` on.
fn before(msgs: &Msgs, mut at: ReqId, wire_id: u64) -> Option<ReqId> {
    loop {
        let next = Queue::<OfUpstream>::after(msgs, at)?;
        if msgs.get(next)?.wire_id == wire_id {
            return Some(at);
        }
        at = next;
    }
}

impl Upstream {
    /// The next message of this lane from `next` on that has not expired: an attempt that was given up early
    /// ([`failover`](crate::node::failover)) may be behind younger ones.
    fn next_in_lane(msgs: &Msgs, mut next: Option<ReqId>, wanted: usize) -> Option<ReqId> {
        while let Some(entry) = next {
            let msg = msgs.get(entry)?;
            if lane(msg) == wanted && !msg.is_expired() {
                break;
            }
            next = Queue::<OfUpstream>::after(msgs, entry);
        }
        next
    }

    /// Puts a request, whose bytes for this connection are `raw`, into the queue. `None` if it is in a queue already.
    #[inline]
    pub fn put(&mut self, msgs: &mut Msgs, entry: ReqId, now: Now, raw: Raw<'_>) -> Option<Put> {
        let msg = msgs
            .get_mut(entry)
            .filter(|msg| !msg.flags.has(Flags::QUEUED))?;
        self.write(now, raw);
        msg.end = self.queued;
        msg.flags = msg.flags.with(Flags::QUEUED);
        if self.queue.is_empty() {
            // The silence before does not count.
            self.heard = now.mono_us;
        }
        let (lane, start, len) = (lane(msg), msg.start, msg.len);
        self.push(msgs, entry, len);
        let is_first = self.due[lane].is_none();
        if is_first {
            self.due[lane] = Some(entry);
        }
        Some(Put {
            first_due: is_first.then_some((lane, start)),
        })
    }

    /// Requests in the queue that have expired.
    pub fn expired(&self) -> u32 {
        self.overdue.iter().map(|overdue| overdue.count).sum()
    }

    /// Moves the due mark of a message's lane past the message, if the mark is on it.
    pub fn pass(&mut self, msgs: &Msgs, entry: ReqId) {
        let Some(lane) = msgs.get(entry).map(lane) else {
            return;
        };
        if self.due[lane] == Some(entry) {
            let next = Queue::<OfUpstream>::after(msgs, entry);
            self.due[lane] = Self::next_in_lane(msgs, next, lane);
        }
    }

    /// Takes a message that leaves the queue out of the counts.
    #[inline]
    fn leave(&mut self, msgs: &Msgs, entry: ReqId) {
        let Some(msg) = msgs.get(entry) else {
            return;
        };
        self.left = self.left.max(msg.end);
        self.queue_bytes -= u64::from(msg.len);
        if msg.is_expired() {
            let overdue = &mut self.overdue[lane(msg)];
            // All are forgotten before the queue of a lost connection is emptied.
            overdue.count = overdue.count.saturating_sub(1);
        }
    }

    /// Takes the first request off the queue.
    #[inline]
    pub fn pop(&mut self, msgs: &mut Msgs) -> Option<ReqId> {
        let entry = self.queue.head()?;
        self.pass(msgs, entry);
        self.leave(msgs, entry);
        if self.hint == Some(entry) {
            self.hint = None;
        }
        self.queue.pop(msgs)
    }

    /// Takes the request with this id off the queue, from any place.
    pub fn take(&mut self, msgs: &mut Msgs, wire_id: u64) -> Option<ReqId> {
        let head = self.queue.head()?;
        if msgs.get(head)?.wire_id == wire_id {
            return self.pop(msgs);
        }
        let start = self.hint.unwrap_or(head);
        let before = before(msgs, start, wire_id).or_else(|| before(msgs, head, wire_id))?;
        let entry = Queue::<OfUpstream>::after(msgs, before)?;
        self.pass(msgs, entry);
        self.leave(msgs, entry);
        // Not the message that leaves, which is behind it.
        self.hint = Some(before);
        self.queue.remove_after(msgs, before)
    }

    /// Takes the first request off the queue if it has expired and was sent before the one that ends at `end`.
    pub fn pop_expired(&mut self, msgs: &mut Msgs, end: u64) -> Option<ReqId> {
        let head = msgs.get(self.queue.head()?)?;
        (head.is_expired() && head.end < end)
            .then(|| self.pop(msgs))
            .flatten()
    }

    /// When the bytes up to `end` were written.
    #[inline]
    pub fn written_at(&mut self, end: u64) -> Option<u64> {
        while self.marks.front().is_some_and(|&(upto, _)| upto < end) {
            self.marks.pop_front();
        }
        self.marks.front().map(|&(_, at)| at)
    }

    /// Checks the counts that are kept beside the queue against the queue. Returns the first contradiction.
    pub fn contradiction(&self, msgs: &Msgs) -> Option<String> {
        let mut overdue = [0; 2];
        let mut due = [None; 2];
        let (mut end, mut last, mut hint) = (0, None, self.hint.is_none());
        let mut ids = HashSet::new();
        let (mut bytes, mut unwritten) = (0, Unwritten::default());
        for (count, (key, msg)) in (1..).zip(self.queue.iter(msgs)) {
            let lane = lane(msg);
            if msg.is_expired() {
                overdue[lane] += 1;
            } else if due[lane].is_none() {
                due[lane] = Some(key);
            }
            if !msg.flags.has(Flags::QUEUED) {
                return Some("a message in its queue is not marked as queued".into());
            }
            if msg.end <= end {
                return Some(format!("a message ends at {} behind one at {end}", msg.end));
            }
            if !self.is_store() && !ids.insert(msg.wire_id) {
                return Some(format!(
                    "two messages in its queue have the id {}",
                    msg.wire_id
                ));
            }
            hint |= self.hint == Some(key);
            bytes += u64::from(msg.len);
            if msg.end > self.written {
                unwritten.count += 1;
                if unwritten.first.is_none() {
                    unwritten.first = Some(key);
                }
            }
            (end, last) = (msg.end, Some((count, key)));
        }
        let (counted, tail) = last.map_or((0, None), |(count, key)| (count, Some(key)));
        let counts = self.overdue.map(|overdue| overdue.count);
        let throttled: usize = self.throttled.iter().map(Chain::len).sum();
        let wrong = [
            (
                counted == self.queue.len() && tail == self.queue.tail(),
                format!("{counted} messages in a queue of {}", self.queue.len()),
            ),
            (
                bytes == self.queue_bytes,
                format!(
                    "{bytes} bytes of requests in its queue, and {} are counted",
                    self.queue_bytes
                ),
            ),
            (
                unwritten == self.unwritten,
                format!(
                    "{unwritten:?} at the end of its queue, and {:?} noted",
                    self.unwritten
                ),
            ),
            (
                overdue == counts,
                format!("{overdue:?} messages have expired, and {counts:?} are counted"),
            ),
            (
                due == self.due,
                format!("{due:?} are due next, and {:?} are noted", self.due),
            ),
            (hint, "its hint is not in its queue".into()),
            (
                throttled == self.throttled_bytes,
                format!(
                    "{throttled} bytes are throttled, and {} are counted",
                    self.throttled_bytes
                ),
            ),
            (
                self.queued == self.written + self.unwritten_bytes() as u64 && end <= self.queued,
                format!(
                    "{} bytes queued, {} written, {} waiting, the last message ends at {end}",
                    self.queued,
                    self.written,
                    self.unwritten_bytes()
                ),
            ),
            (
                self.left <= self.written,
                format!(
                    "answered up to {}, and written up to {}",
                    self.left, self.written
                ),
            ),
            (
                self.is_there() || self.queue.is_empty() && self.backlog() == 0,
                "there is something for a connection that is not there".into(),
            ),
        ];
        wrong
            .into_iter()
            .find(|(is_so, _)| !is_so)
            .map(|(_, why)| why)
    }

    /// Requests not written yet, and their bytes.
    pub fn unsent(&self) -> (u64, u64) {
        (u64::from(self.unwritten.count), self.backlog() as u64)
    }

    /// Requests and bytes not written yet, then those written and awaiting their reply.
    pub fn queue_lengths(&self) -> [u64; 4] {
        let (unsent, unsent_bytes) = self.unsent();
        [
            unsent,
            unsent_bytes,
            u64::from(self.queue.len()) - unsent,
            self.queue_bytes.saturating_sub(unsent_bytes),
        ]
    }

    /// Appends a request to the queue.
    #[inline]
    fn push(&mut self, msgs: &mut Msgs, entry: ReqId, len: u32) {
        self.queue.push(msgs, entry);
        self.queue_bytes += u64::from(len);
        if self.unwritten.count == 0 {
            self.unwritten.first = Some(entry);
        }
        self.unwritten.count += 1;
    }

    /// Takes the requests that have been wholly written out of the unwritten ones.
    #[inline]
    pub(super) fn note_written(&mut self, msgs: &Msgs) {
        if self.written == self.queued {
            self.unwritten = Unwritten::default();
            return;
        }
        // Each request is passed once, and only where the kernel does not take all there is.
        while let Some(first) = self.unwritten.first
            && msgs.get(first).is_some_and(|msg| msg.end <= self.written)
        {
            self.unwritten.first = Queue::<OfUpstream>::after(msgs, first);
            self.unwritten.count -= 1;
        }
    }

    /// Forgets the connection, but not the requests of which nothing was written: they go out on the next one.
    pub fn keep_unwritten(&mut self, msgs: &mut Msgs) {
        let gone = std::mem::take(&mut self.written);
        self.queued -= gone;
        self.left = 0;
        let mut entry = self.queue.head();
        while let Some(key) = entry {
            if let Some(msg) = msgs.get_mut(key) {
                msg.end = msg.end.saturating_sub(gone);
            }
            entry = Queue::<OfUpstream>::after(msgs, key);
        }
        self.forget_connection();
    }

    /// Empties the queue of a connection that was lost, request by request.
    pub fn pop_lost(&mut self, msgs: &mut Msgs) -> Option<ReqId> {
        let entry = self.pop(msgs);
        if entry.is_none() {
            self.left = 0;
        }
        entry
    }
}
