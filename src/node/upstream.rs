//! A connection requests are sent on: what the datastore and a peer have in common.

use super::anew::Anew;
use super::card::Exchange;
use super::ids::{ReqId, SlotId};
use super::msg::{Flags, Msg, Msgs, OfUpstream, Queue};
use super::native::Resp3;
use super::outbox::{Listed, Outbox};
use super::pacing::Holding;
use super::peer::PeerWire;
use super::tally::Tally;
use super::timers::Timer;
use super::{ConnId, Kind, Node, limits};
use crate::clock::Now;
use crate::cluster::backoff::Backoff;
use crate::cluster::id::NodeId;
use crate::cluster::throttle::Throttle;
use crate::cluster::topology::Distance;
use crate::cluster::window::Window;
use crate::config::Endpoint;
use crate::mbuf::{Chain, Inbound, Raw};
use crate::proto::Failure;
use crate::proto::store::Replies;
use std::collections::{HashSet, VecDeque};

/// A connection requests are sent on. Many fronts share it; replies come in the order of requests.
pub(super) struct Upstream {
    pub id: ConnId,
    /// The node at its other end; for the datastore, this one.
    pub node: NodeId,
    pub distance: Distance,
    /// Where it is at.
    pub endpoint: Endpoint,
    pub state: State,
    /// A peer has said what it is. Until then nothing but that question is sent to it: what may be
    /// asked how depends on it.
    pub known: bool,
    /// Replies on this connection may be in RESP3, because some have been asked for.
    pub resp3: Resp3,
    /// What the peer has told of itself.
    pub exchange: Exchange,
    pub inbound: Inbound,
    pub wire: Wire,
    /// Requests on their way out.
    pub out: Chain,
    /// Requests that must not leave yet ([`super::pacing`]), in order, and their bytes.
    pub held: VecDeque<Chain>,
    pub held_bytes: usize,
    pub throttle: Option<Throttle>,
    /// How much may be under way; only to a C node.
    pub window: Option<Window>,
    /// Whether fronts wait for it because of that.
    pub holding: Holding,
    /// Requests whose reply is still to come, written or not, in order.
    pub queue: Queue<OfUpstream>,
    /// Bytes of them, as they came in.
    queue_bytes: u64,
    /// Those at its end that are not wholly written.
    unwritten: Unwritten,
    /// The message before the one that was taken last from behind others: where the next one is likely
    /// to stand. A peer that holds writes answers everything else past them.
    hint: Option<ReqId>,
    /// The first read and the first write in the queue that has not been told that it took too
    /// long. Two, because they are granted different times.
    pub due: [Option<ReqId>; 2],
    /// Of reads and of writes, those in the queue that have been told that it took too long.
    pub overdue: [Overdue; 2],
    pub listed: Listed,
    /// What the connection was worth so far, and what waits for it to be made anew.
    pub anew: Anew,
    /// An operator keeps requests from this peer.
    pub barred: bool,
    /// An operator wants this connection to be made anew: no more requests, and closed after the last
    /// reply.
    pub renewing: bool,
    /// What was counted on it since start, whatever the connection.
    pub tally: Tally,
    /// Bytes of all requests ever put into its queue on this connection.
    pub queued: u64,
    /// Where the last of those that were answered ends.
    pub answered: u64,
    /// Bytes of those that were written.
    pub written: u64,
    /// Where the latest request ends that has left the queue: what was written up to there is done with.
    left: u64,
    /// When bytes up to which offset had been written; for latencies. The oldest first.
    marks: VecDeque<(u64, u64)>,
    /// When the last byte arrived, the connection was made or its queue began, in µs.
    pub heard: u64,
    /// When the kernel had last taken [`limits::FLOW`] bytes, or all there were, in µs.
    pub flowed: u64,
    /// Bytes it has taken since then.
    trickle: usize,
    pub backoff: Backoff,
}

/// Requests that have been told that it took too long, and whose reply is still to come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Overdue {
    pub count: u32,
    /// When the first of them began to wait, in µs.
    pub since: u64,
}

/// Requests at the end of a queue that are not wholly written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Unwritten {
    count: u32,
    first: Option<ReqId>,
}

/// What an upstream speaks.
pub(super) enum Wire {
    /// Replies of a datastore.
    Store(Replies),
    /// The peers' protocol.
    Peer(Box<PeerWire>),
}

/// The life of an upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    /// Not wanted yet: the first request connects (`preconnect: false`).
    Idle,
    /// Being made since this time. Requests for the datastore wait for the first attempt; later
    /// ones fail at once, so that a node that is gone costs clients nothing but an error.
    Connecting { since: u64, first: bool },
    /// In use.
    Up,
    /// Lost; tried again at this time.
    Down { retry_at: u64 },
    /// It led to a node that is no member any more; its place may be taken by another.
    Gone,
}

/// Why an upstream is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Loss {
    /// It ended the stream.
    Eof,
    /// It answered nothing for too long.
    TimedOut,
    /// Reading, writing or connecting failed.
    Error,
    /// An operator wants it to be made anew.
    Asked,
    /// What came was no reply, or one to no request: what is at the other end cannot be trusted.
    Nonsense,
}

/// Which of the two due marks is a message's.
pub(super) fn lane(msg: &Msg) -> usize {
    usize::from(msg.flags.has(Flags::WRITE))
}

/// The message from `at` on behind which the one with this id stands.
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
    pub fn new(
        id: ConnId,
        node: NodeId,
        distance: Distance,
        endpoint: Endpoint,
        wire: Wire,
        backoff: Backoff,
    ) -> Upstream {
        Upstream {
            id,
            node,
            distance,
            endpoint,
            state: State::Idle,
            known: false,
            resp3: Resp3::default(),
            exchange: Exchange::default(),
            inbound: Inbound::default(),
            wire,
            out: Chain::new(),
            held: VecDeque::new(),
            held_bytes: 0,
            throttle: None,
            window: None,
            holding: Holding::default(),
            queue: Queue::default(),
            queue_bytes: 0,
            unwritten: Unwritten::default(),
            hint: None,
            due: [None; 2],
            overdue: [Overdue::default(); 2],
            listed: Listed::default(),
            anew: Anew::default(),
            barred: false,
            renewing: false,
            tally: Tally::default(),
            queued: 0,
            answered: 0,
            written: 0,
            left: 0,
            marks: VecDeque::with_capacity(16),
            heard: 0,
            flowed: 0,
            trickle: 0,
            backoff,
        }
    }

    /// Has its output written.
    #[inline]
    pub fn flush(&mut self, out: &mut Outbox) {
        out.flush_upstream(&mut self.listed, self.id);
    }

    /// Sets how many messages may leave in a second.
    pub fn throttled(mut self, throttle: Throttle) -> Upstream {
        self.throttle = Some(throttle);
        self
    }

    /// Whether a read has waited too long, and nothing has come since it was made.
    pub fn is_silent(&self) -> bool {
        let [reads, _] = self.overdue;
        reads.count > 0 && self.heard <= reads.since
    }

    /// Whether it leads to the datastore.
    pub fn is_store(&self) -> bool {
        self.id.kind == Kind::Store
    }

    /// Whether a request may be put into its queue now.
    #[inline]
    pub fn takes_requests(&self) -> bool {
        match self.state {
            State::Up => (self.known || self.anew.is_awaited()) && !self.barred && !self.renewing,
            State::Connecting { first, .. } if self.is_store() => first,
            State::Connecting { .. } => self.anew.is_awaited() && !self.barred,
            State::Idle => self.is_store(),
            State::Down { .. } | State::Gone => false,
        }
    }

    /// Whether it is being made, or nobody knows yet what is at its other end.
    pub fn is_underway(&self) -> bool {
        match self.state {
            State::Connecting { .. } => true,
            State::Up => !self.known,
            State::Idle | State::Down { .. } | State::Gone => false,
        }
    }

    /// Bytes that wait to be written.
    pub fn backlog(&self) -> usize {
        self.unwritten() + self.anew.bytes()
    }

    /// Bytes of requests in its queue that are not written.
    fn unwritten(&self) -> usize {
        self.out.len() + self.held_bytes
    }

    /// Whether every request of which a byte was written has been answered.
    pub fn owes_nothing(&self) -> bool {
        self.written == self.left
    }

    /// Whether it waits for nothing and nothing waits for it.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.anew.is_empty()
    }

    /// Returns true if so much waits to be written, or for a reply of a C node, that fronts have to wait while the
    /// other end moves.
    #[inline]
    pub fn is_backlogged(&self) -> bool {
        self.backlog() >= limits::UPSTREAM_QUEUE || self.fills_window()
    }

    /// Whether so much waits to be written that fronts should wait too. A peer that takes nothing,
    /// or next to nothing, must not hold up clients that could do without it.
    #[inline]
    pub fn is_congested(&self, now: Now) -> bool {
        self.backlog() >= limits::UPSTREAM_QUEUE
            && (self.is_store() || now.mono_us.saturating_sub(self.flowed) < limits::STALLED_US)
            || self.window.is_some() && self.is_behind(now)
    }

    /// Requests in its queue of which nobody knows when they will leave it: all on a peer that has
    /// said nothing for a while, else those that have been told that it took too long.
    pub fn stranded(&self, now: Now) -> u32 {
        let quiet = now.mono_us.saturating_sub(self.heard);
        match !self.is_store() && quiet >= limits::STALLED_US {
            true => self.queue.len(),
            false => self.expired(),
        }
    }

    /// Requests in its queue that have been told that it took too long.
    pub fn expired(&self) -> u32 {
        self.overdue.iter().map(|overdue| overdue.count).sum()
    }

    /// Whether no more may be put into the queue of a peer that takes nothing.
    pub fn is_overrun(&self) -> bool {
        !self.is_store() && self.backlog() >= 2 * limits::UPSTREAM_QUEUE
    }

    /// The next message of this lane from `entry` on that has not expired: an attempt that was given up
    /// early ([`super::failover`]) may stand behind younger ones.
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

    /// Moves the due mark of a message's lane past it, if it stands there.
    pub fn pass(&mut self, msgs: &Msgs, entry: ReqId) {
        let Some(lane) = msgs.get(entry).map(lane) else {
            return;
        };
        if self.due[lane] == Some(entry) {
            let next = Queue::<OfUpstream>::after(msgs, entry);
            self.due[lane] = Self::next_in_lane(msgs, next, lane);
        }
    }

    /// Counts a message no more that leaves the queue.
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

    /// Takes the request with this id off the queue, wherever it stands.
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
        // Not the message that leaves: that stands behind it.
        self.hint = Some(before);
        self.queue.remove_after(msgs, before)
    }

    /// Takes the first request off the queue if it has been told that it took too long and was sent
    /// before the one that ends at `end`.
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

    /// What in its figures is not so: they are kept beside the queue, and have to agree with it.
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
                return Some("a message in its queue does not know that".into());
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
        let held: usize = self.held.iter().map(Chain::len).sum();
        let is_idle = !matches!(self.state, State::Up | State::Connecting { .. });
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
                held == self.held_bytes,
                format!("{held} bytes are held, and {}", self.held_bytes),
            ),
            (
                self.queued == self.written + self.unwritten() as u64 && end <= self.queued,
                format!(
                    "{} bytes queued, {} written, {} waiting, the last message ends at {end}",
                    self.queued,
                    self.written,
                    self.unwritten()
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
                !is_idle || self.queue.is_empty() && self.backlog() == 0,
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

    /// Puts a request into the queue.
    #[inline]
    fn push(&mut self, msgs: &mut Msgs, entry: ReqId, len: u32) {
        self.queue.push(msgs, entry);
        self.queue_bytes += u64::from(len);
        if self.unwritten.count == 0 {
            self.unwritten.first = Some(entry);
        }
        self.unwritten.count += 1;
    }

    /// Counts those no more that have been wholly written.
    #[inline]
    fn note_written(&mut self, msgs: &Msgs) {
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

    /// Forgets the connection of a datastore, but not the requests of which nothing was written: they go out
    /// on the next one.
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

    /// All that was on a connection which is gone has left the queue.
    pub fn is_emptied(&mut self) {
        self.left = 0;
    }

    /// Forgets what was learnt on the connection, and what has arrived on it.
    fn forget_connection(&mut self) {
        self.inbound.clear();
        self.marks.clear();
        self.known = false;
        self.resp3 = Resp3::default();
        self.exchange.reset();
        self.renewing = false;
        self.window = None;
        self.answered = 0;
        match &mut self.wire {
            Wire::Store(parser) => parser.reset(),
            Wire::Peer(wire) => wire.reset(),
        }
    }

    /// Forgets everything that was on the connection but its queue.
    pub fn reset(&mut self) {
        self.out.clear();
        self.held.clear();
        self.held_bytes = 0;
        self.due = [None; 2];
        self.overdue = [Overdue::default(); 2];
        (self.queued, self.written, self.left) = (0, 0, 0);
        self.unwritten = Unwritten::default();
        self.forget_connection();
    }

    /// Forgets that it has failed before.
    pub fn try_at_once(&mut self) {
        self.backoff.succeeded();
    }

    /// What a request gets when this connection breaks under it.
    pub fn broken(&self) -> Failure {
        if self.is_store() {
            Failure::StorageRefused
        } else {
            Failure::PeerRefused
        }
    }
}

impl Node {
    /// Puts a request, whose bytes for this connection are `raw`, into its queue.
    #[inline]
    pub(super) fn put_upstream(&mut self, slot: SlotId, entry: ReqId, now: Now, raw: Raw<'_>) {
        let Some(upstream) = self.upstreams.get_mut(slot) else {
            return;
        };
        let Some(msg) = self.flight.get_mut(entry) else {
            return;
        };
        if msg.flags.has(Flags::QUEUED) {
            return self.contradiction("a request that waits for a reply is sent again");
        }
        upstream.put(now, raw);
        msg.end = upstream.queued;
        msg.flags = msg.flags.with(Flags::QUEUED);
        if upstream.queue.is_empty() {
            // Until now there was nothing it could have said.
            upstream.heard = now.mono_us;
        }
        let (lane, start, len) = (lane(msg), msg.start, msg.len);
        upstream.push(&mut self.flight.msgs, entry, len);
        if upstream.due[lane].is_none() {
            upstream.due[lane] = Some(entry);
            let due = start + self.granted[upstream.distance as usize][lane];
            self.timers.advance(Timer::Upstreams, due);
        }
        if let Some(at) = upstream.held_until() {
            self.timers.advance(Timer::Upstreams, at);
        }
        upstream.flush(&mut self.out);
        if upstream.is_backlogged() {
            self.note_backlog(slot);
        }
    }

    /// Notes that `n` bytes went out.
    pub(super) fn upstream_wrote(&mut self, slot: SlotId, now: Now, n: usize) {
        let Some(upstream) = self.upstreams.get_mut(slot) else {
            return;
        };
        upstream.written += n as u64;
        upstream.note_written(&self.flight.msgs);
        upstream.trickle += n;
        if upstream.trickle >= limits::FLOW || upstream.out.is_empty() {
            upstream.flowed = now.mono_us;
            upstream.trickle = 0;
        }
        upstream.marks.push_back((upstream.written, now.mono_us));
        let waiting = u64::from(upstream.queue.len());
        let hist = &mut self.stats.hist;
        match upstream.distance {
            Distance::Me => hist.server_in_queue.record(waiting),
            Distance::SameRack | Distance::SameDc => hist.peer_in_queue.record(waiting),
            Distance::OtherDc => hist.remote_peer_in_queue.record(waiting),
        }
    }
}
