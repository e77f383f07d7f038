//! A connection that requests are sent on: what the datastore and a peer have in common.

use super::anew::Anew;
use super::pacing::Backpressure;
use super::queue::{Overdue, Unwritten};
use super::state::State;
use crate::clock::Now;
use crate::cluster::backoff::Backoff;
use crate::cluster::id::NodeId;
use crate::cluster::throttle::Throttle;
use crate::cluster::topology::Distance;
use crate::cluster::window::Window;
use crate::config::Endpoint;
use crate::mbuf::{Chain, Inbound};
use crate::node::card::Exchange;
use crate::node::ids::ReqId;
use crate::node::msg::{Msgs, OfUpstream, Queue};
use crate::node::native::Resp3;
use crate::node::outbox::{Listed, Outbox};
use crate::node::peer::PeerWire;
use crate::node::tally::Tally;
use crate::node::{ConnId, Kind, limits};
use crate::proto::Failure;
use crate::proto::store::Replies;
use std::collections::VecDeque;

/// A connection that requests are sent on. Many fronts share it; replies come in the order of requests.
pub(in crate::node) struct Upstream {
    pub id: ConnId,
    /// The node at the other end; for the datastore, this one.
    pub node: NodeId,
    pub distance: Distance,
    /// Remote address.
    pub endpoint: Endpoint,
    pub state: State,
    /// Replies on this connection may be in RESP3, because some have been asked for.
    pub resp3: Resp3,
    /// The exchange of cards with the peer.
    pub exchange: Exchange,
    pub inbound: Inbound,
    pub wire: Wire,
    /// Requests on their way out.
    pub out: Chain,
    /// Requests that must not leave yet ([`super::pacing`]), in order, and their bytes.
    pub throttled: VecDeque<Chain>,
    pub throttled_bytes: usize,
    pub throttle: Option<Throttle>,
    /// How much may be under way; only to a C node.
    pub window: Option<Window>,
    /// Whether fronts wait for it because of that.
    pub backpressure: Backpressure,
    /// Requests whose reply is still to come, written or not, in order.
    pub queue: Queue<OfUpstream>,
    /// Their bytes, as they came in.
    pub(super) queue_bytes: u64,
    /// Those at the end of the queue that are not wholly written.
    pub(super) unwritten: Unwritten,
    /// The message before the one that was last taken from behind others: the next one to be taken is likely to be
    /// near. A peer that parks writes answers everything else past them.
    pub(super) hint: Option<ReqId>,
    /// The first read and the first write in the queue that have not expired. Two, because they are granted different
    /// times.
    pub due: [Option<ReqId>; 2],
    /// Of reads and of writes, those in the queue that have expired.
    pub overdue: [Overdue; 2],
    pub listed: Listed,
    /// The connection's record so far, and the requests that wait for it to be made anew.
    pub anew: Anew,
    /// An operator keeps requests from this peer.
    pub admin_down: bool,
    /// An operator wants this connection to be made anew: no more requests, and closed after the last
    /// reply.
    pub renewing: bool,
    /// Counts since the start, over all connections of this slot to this node.
    pub tally: Tally,
    /// Bytes of all requests ever put into the queue on this connection.
    pub queued: u64,
    /// Offset of the end of the last answered request.
    pub answered: u64,
    /// Bytes of those that were written.
    pub written: u64,
    /// Offset of the end of the latest request that has left the queue: all written up to there is done with.
    pub(super) left: u64,
    /// Offsets and when the bytes up to there had been written, in µs; for latencies. The oldest first.
    pub(super) marks: VecDeque<(u64, u64)>,
    /// When the last byte arrived, the connection was made or its queue began, in µs.
    pub heard: u64,
    /// When the kernel had last taken [`limits::FLOW`] bytes, or all there were, in µs.
    pub flowed: u64,
    /// Bytes it has taken since then.
    trickle: usize,
    pub backoff: Backoff,
}

/// The protocol on a connection.
pub(in crate::node) enum Wire {
    /// Replies of a datastore.
    Store(Replies),
    /// The peers' protocol.
    Peer(Box<PeerWire>),
}

impl Upstream {
    /// A connection that is not made yet.
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
            resp3: Resp3::default(),
            exchange: Exchange::default(),
            inbound: Inbound::default(),
            wire,
            out: Chain::new(),
            throttled: VecDeque::new(),
            throttled_bytes: 0,
            throttle: None,
            window: None,
            backpressure: Backpressure::default(),
            queue: Queue::default(),
            queue_bytes: 0,
            unwritten: Unwritten::default(),
            hint: None,
            due: [None; 2],
            overdue: [Overdue::default(); 2],
            listed: Listed::default(),
            anew: Anew::default(),
            admin_down: false,
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

    /// Sets how many messages may leave in a second.
    pub fn with_throttle(mut self, throttle: Throttle) -> Upstream {
        self.throttle = Some(throttle);
        self
    }

    /// Has its output written.
    #[inline]
    pub fn flush(&mut self, out: &mut Outbox) {
        out.flush_upstream(&mut self.listed, self.id);
    }

    /// The connection is there. It is `Up` if nothing has to be asked first.
    pub fn connected(&mut self, now: Now, out: &mut Outbox) {
        self.state = match self.wire {
            Wire::Store(_) => State::Up,
            Wire::Peer(_) => State::Handshake,
        };
        self.anew.connected(now);
        self.heard = now.mono_us;
        self.flowed = now.mono_us;
        if self.state == State::Up {
            self.backoff.succeeded();
        }
        if !self.out.is_empty() {
            self.flush(out);
        }
    }

    /// The node's own question is answered: the connection is `Up`. Returns false if it was not in its handshake.
    pub fn shaken(&mut self) -> bool {
        let is_first = self.state == State::Handshake;
        if is_first {
            self.state = State::Up;
            self.backoff.succeeded();
        }
        is_first
    }

    /// Returns true if a read has waited too long, and nothing has come since it was made.
    pub fn is_silent(&self) -> bool {
        let [reads, _] = self.overdue;
        reads.count > 0 && self.heard <= reads.since
    }

    /// Returns true if it leads to the datastore.
    #[inline]
    pub fn is_store(&self) -> bool {
        self.id.kind == Kind::Store
    }

    /// Returns true if there is a connection, or one is being made.
    #[inline]
    pub fn is_there(&self) -> bool {
        !matches!(self.state, State::Idle | State::Down { .. } | State::Gone)
    }

    /// Returns true if it is in use.
    #[inline]
    pub fn is_up(&self) -> bool {
        self.state == State::Up
    }

    /// Returns true if a request may be put into its queue now.
    #[inline]
    pub fn takes_requests(&self) -> bool {
        match self.state {
            State::Up => !self.admin_down && !self.renewing,
            State::Handshake => self.anew.is_awaited() && !self.admin_down && !self.renewing,
            State::Connecting { first, .. } if self.is_store() => first,
            State::Connecting { .. } => self.anew.is_awaited() && !self.admin_down,
            State::Idle => self.is_store(),
            State::Down { .. } | State::Gone => false,
        }
    }

    /// Returns true if it is being made, or in its handshake.
    pub fn is_underway(&self) -> bool {
        matches!(self.state, State::Connecting { .. } | State::Handshake)
    }

    /// Returns true if requests for it are parked until the handshake is over.
    #[inline]
    pub fn is_parking(&self) -> bool {
        !self.is_up() && self.anew.is_awaited()
    }

    /// Bytes that wait to be written.
    pub fn backlog(&self) -> usize {
        self.unwritten_bytes() + self.anew.bytes()
    }

    /// Bytes of requests in its queue that are not written.
    pub(super) fn unwritten_bytes(&self) -> usize {
        self.out.len() + self.throttled_bytes
    }

    /// Returns true if every request of which a byte was written has been answered.
    pub fn owes_nothing(&self) -> bool {
        self.written == self.left
    }

    /// Returns true if it waits for nothing and nothing waits for it.
    pub fn is_idle(&self) -> bool {
        self.queue.is_empty() && self.anew.is_empty()
    }

    /// Returns true if so much waits to be written, or for a reply of a C node, that fronts have to wait while the
    /// other end moves.
    #[inline]
    pub fn is_backlogged(&self) -> bool {
        self.backlog() >= limits::UPSTREAM_QUEUE || self.fills_window()
    }

    /// Returns true if fronts should wait for it now. A peer that takes nothing, or next to nothing, must not hold up
    /// clients that could do without it.
    #[inline]
    pub fn is_congested(&self, now: Now) -> bool {
        self.backlog() >= limits::UPSTREAM_QUEUE
            && (self.is_store() || now.mono_us.saturating_sub(self.flowed) < limits::STALLED_US)
            || self.window.is_some() && self.is_behind(now)
    }

    /// Returns true if no more may be put into the queue of a peer that takes nothing.
    pub fn is_overrun(&self) -> bool {
        !self.is_store() && self.backlog() >= 2 * limits::UPSTREAM_QUEUE
    }

    /// Requests in its queue that may never be answered: all of a peer that has been silent for a while, else
    /// those that have expired.
    pub fn stranded(&self, now: Now) -> u32 {
        let quiet = now.mono_us.saturating_sub(self.heard);
        match !self.is_store() && quiet >= limits::STALLED_US {
            true => self.queue.len(),
            false => self.expired(),
        }
    }

    /// Notes that `n` bytes of its output were written.
    #[inline]
    pub fn wrote(&mut self, msgs: &Msgs, now: Now, n: usize) {
        self.out.advance(n);
        self.written += n as u64;
        self.note_written(msgs);
        self.trickle += n;
        if self.trickle >= limits::FLOW || self.out.is_empty() {
            self.flowed = now.mono_us;
            self.trickle = 0;
        }
        self.marks.push_back((self.written, now.mono_us));
    }

    /// Forgets what was learnt on the connection, and what has arrived on it.
    pub(super) fn forget_connection(&mut self) {
        self.inbound.clear();
        self.marks.clear();
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

    /// Gives up the connection and forgets everything that was on it but its queue. `next` is its state from now on.
    pub fn reset(&mut self, next: State) {
        self.state = next;
        self.out.clear();
        self.throttled.clear();
        self.throttled_bytes = 0;
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

    /// The failure of a request whose connection breaks.
    pub fn broken(&self) -> Failure {
        if self.is_store() {
            Failure::StorageRefused
        } else {
            Failure::PeerRefused
        }
    }
}
