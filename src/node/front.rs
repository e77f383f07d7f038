//! A connection requests come in on: what a client and a peer have in common.

use super::client::Client;
use super::dnode_client::DnodeClient;
use super::ids::{FrontId, SlotId};
use super::msg::{OfFront, Queue};
use super::outbox::{Listed, Outbox};
use super::{ConnId, LogName, Next, Node, limits};
use crate::clock::Now;
use crate::log_at;
use crate::mbuf::{Chain, Inbound};
use crate::sys;
use slab::Slab;
use std::io;
use std::net::SocketAddr;

/// A connection requests come in on.
pub(super) struct Front {
    pub id: ConnId,
    pub inbound: Inbound,
    /// Replies on their way out.
    pub out: Chain,
    /// Bytes of the replies that wait for an earlier one.
    pub waiting: usize,
    /// Answers in the queue that wait for an earlier one.
    pub answered: u32,
    /// Requests without an answer yet, in the order of their arrival.
    pub queue: Queue<OfFront>,
    pub reading: Reading,
    pub listed: Listed,
    /// Close once the queue and the output are empty.
    pub closing: bool,
    /// It has ended its stream, though not all of that may have been read.
    pub ended: bool,
    /// It broke the protocol, or its connection broke: its end counts as an error.
    pub broken: bool,
    /// A complete request of its has come.
    pub has_asked: bool,
    /// Its reading was paused since its last byte arrived, so that its silence says nothing.
    pub was_paused: bool,
    /// The marks of the keys of its writes in two steps of which the first is under way.
    #[expect(clippy::box_collection, reason = "few fronts ever have any")]
    pub steps: Option<Box<Vec<u64>>>,
    /// Nothing that is written to it arrives any more; it is only read to its end.
    pub lost: bool,
    /// The datastore connection its latest request went to.
    pub store: Option<SlotId>,
    /// How large a reply of its is expected to be, in bytes: as the largest of late.
    reply_size: u32,
    /// Where it connected from.
    pub addr: Option<SocketAddr>,
    /// When it connected, in µs.
    pub since: u64,
    /// When the last byte arrived, in µs.
    pub heard: u64,
    /// When the last byte was taken, in µs.
    pub taken: u64,
    /// Since when the kernel has taken nothing of its replies, in µs; 0 if it would.
    pub stuck: u64,
}

/// The state of reading from a front.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reading {
    /// Bytes are taken as they come.
    On,
    /// Too much of its own is under way; goes on when that has shrunk.
    Full,
    /// The node as a whole is under pressure; goes on with all others.
    Waiting,
    /// The next request, which has been read, must not overtake a write in two steps ([`super::order`]), or
    /// waits until fewer replies are awaited, or for the end of a pause ([`super::clients`]).
    Ordered,
    /// Nothing more is wanted: it ended its stream, or it is being closed.
    Off,
}

impl Front {
    pub fn new(id: ConnId, addr: Option<SocketAddr>, now: Now) -> Front {
        Front {
            id,
            inbound: Inbound::default(),
            out: Chain::new(),
            waiting: 0,
            answered: 0,
            queue: Queue::default(),
            reading: Reading::On,
            listed: Listed::default(),
            closing: false,
            ended: false,
            broken: false,
            has_asked: false,
            was_paused: false,
            steps: None,
            lost: false,
            store: None,
            reply_size: limits::FIRST_REPLIES,
            addr,
            since: now.mono_us,
            heard: now.mono_us,
            taken: now.mono_us,
            stuck: 0,
        }
    }

    /// Has its output written.
    #[inline]
    pub fn flush(&mut self, out: &mut Outbox) {
        out.flush_front(&mut self.listed, self.id);
    }

    /// Its name in the log.
    pub fn log_name(&self) -> LogName {
        self.id.log_name(self.addr)
    }

    /// Returns true if everything it asked for has been answered and taken.
    pub fn is_settled(&self) -> bool {
        self.queue.is_empty() && self.out.is_empty()
    }

    /// Bytes of replies that it has not taken, whether they may go out already or not.
    pub fn untaken(&self) -> usize {
        self.out.len() + self.waiting
    }

    /// Notes how large a reply is. What is large counts at once, what is small little by little.
    #[inline]
    pub fn expect_like(&mut self, reply: usize) {
        let size = u32::try_from(reply).unwrap_or(u32::MAX);
        self.reply_size =
            size.max(self.reply_size - self.reply_size.saturating_sub(size).div_ceil(8));
    }

    /// Bytes of the replies that it awaits, as far as can be expected.
    #[inline]
    fn awaited(&self) -> u64 {
        u64::from(self.queue.len().saturating_sub(self.answered)) * u64::from(self.reply_size)
    }

    /// Returns true if it awaits so many bytes of replies that its next request should wait.
    #[inline]
    pub fn awaits_its_share(&self) -> bool {
        self.awaited() > limits::CLIENT_SHARE
    }

    /// Returns true if it awaits so few that it may send more requests.
    pub fn may_ask_on(&self) -> bool {
        self.queue.len() == self.answered || self.awaited() <= limits::CLIENT_SHARE / 2
    }

    /// Returns true if it has taken nothing of its replies for so many µs.
    pub fn is_stuck_for(&self, us: u64, now: Now) -> bool {
        self.stuck > 0 && now.mono_us.saturating_sub(self.stuck) >= us
    }

    /// Returns true if so much of its own is under way that it should not be read.
    pub fn is_full(&self) -> bool {
        self.queue.len() >= limits::CLIENT_MSGS || self.untaken() >= limits::CLIENT_OUT
    }

    /// Returns true if enough has drained for a full front to be read again.
    pub fn has_drained(&self) -> bool {
        self.queue.len() <= limits::CLIENT_MSGS / 2 && self.untaken() <= limits::CLIENT_OUT / 2
    }

    /// Nothing more is read from it; it closes when the last answer is out.
    pub fn stop(&mut self) {
        self.reading = Reading::Off;
        self.closing = true;
    }
}

/// All fronts.
#[derive(Default)]
pub(super) struct Fronts {
    pub clients: Slab<Client>,
    pub peers: Slab<DnodeClient>,
}

impl Fronts {
    /// Lets a front that waits be read again.
    pub fn go_on(&mut self, id: ConnId, out: &mut Outbox) {
        if let Some(front) = self.get_mut(FrontId::of(id))
            && front.id == id
            && front.reading == Reading::Waiting
        {
            front.reading = Reading::On;
            out.resume(id);
        }
    }

    /// The client of this id; none if it is a peer's.
    #[inline]
    pub fn client(&self, id: FrontId) -> Option<&Client> {
        // A peer's number is beyond every place.
        self.clients.get(id.number() as usize)
    }

    /// The client of this id, to be changed.
    #[inline]
    pub fn client_mut(&mut self, id: FrontId) -> Option<&mut Client> {
        self.clients.get_mut(id.number() as usize)
    }

    /// The peer of this id; none if it is a client's.
    pub fn peer(&self, id: FrontId) -> Option<&DnodeClient> {
        id.is_peer().then(|| self.peers.get(id.place())).flatten()
    }

    /// The peer of this id, to be changed.
    pub fn peer_mut(&mut self, id: FrontId) -> Option<&mut DnodeClient> {
        id.is_peer()
            .then(|| self.peers.get_mut(id.place()))
            .flatten()
    }

    /// The front of this id.
    pub fn get(&self, id: FrontId) -> Option<&Front> {
        match id.is_peer() {
            false => self.client(id).map(|client| &client.front),
            true => self.peers.get(id.place()).map(|peer| &peer.front),
        }
    }

    /// The front of this id, to be changed.
    #[inline]
    pub fn get_mut(&mut self, id: FrontId) -> Option<&mut Front> {
        match id.is_peer() {
            false => self.client_mut(id).map(|client| &mut client.front),
            true => self.peers.get_mut(id.place()).map(|peer| &mut peer.front),
        }
    }

    /// Takes a front out.
    pub fn remove(&mut self, id: FrontId) -> Option<Front> {
        match id.is_peer() {
            false => Some(self.clients.try_remove(id.place())?.front),
            true => Some(self.peers.try_remove(id.place())?.front),
        }
    }

    /// Returns true if there is no front.
    pub fn is_empty(&self) -> bool {
        self.clients.is_empty() && self.peers.is_empty()
    }

    /// All fronts with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (FrontId, &Front)> {
        let clients = self.clients.iter();
        let peers = self.peers.iter();
        clients
            .map(|(place, client)| (FrontId::client(place), &client.front))
            .chain(peers.map(|(place, peer)| (FrontId::peer(place), &peer.front)))
    }

    /// The same, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (FrontId, &mut Front)> {
        let clients = self.clients.iter_mut();
        let peers = self.peers.iter_mut();
        clients
            .map(|(place, client)| (FrontId::client(place), &mut client.front))
            .chain(peers.map(|(place, peer)| (FrontId::peer(place), &mut peer.front)))
    }

    /// The ids of all fronts.
    pub fn ids(&self) -> Vec<FrontId> {
        self.iter().map(|(id, _)| id).collect()
    }
}

impl Node {
    /// Returns what the reader of a front is to do if it must not read now; pauses the reading of a front that is full
    /// or has to wait.
    pub(super) fn read_paused(&mut self, key: FrontId, now: Now) -> Option<Next> {
        let load = self.load(now);
        let strained = load.is_strained(key);
        let starved = !strained && load.exceeds_share(key);
        let front = self.fronts.get_mut(key)?;
        match front.reading {
            Reading::On if front.is_full() => {
                front.reading = Reading::Full;
                front.was_paused = true;
                self.stats.own.reads_paused += 1;
            }
            Reading::On if strained => {
                front.reading = Reading::Waiting;
                front.was_paused = true;
                let id = front.id;
                self.upstreams.front_waits(now);
                self.pressure.wait(id);
                self.stats.own.reads_paused += 1;
            }
            Reading::On if starved => {
                front.reading = Reading::Waiting;
                front.was_paused = true;
                let id = front.id;
                self.pressure.memory.starve(id, self.pool.in_use(), now);
                self.stats.own.reads_paused += 1;
            }
            Reading::On => return None,
            _ => {}
        }
        Some(Next::Paused)
    }

    /// Handles a failed read, and returns what the reader is to do next.
    pub(super) fn read_failed(&mut self, key: FrontId, error: &io::Error) -> Next {
        let lost = self.fronts.get(key).is_some_and(|front| front.lost);
        match error.kind() {
            io::ErrorKind::WouldBlock if !lost => Next::Wait,
            io::ErrorKind::Interrupted => Next::Again,
            _ => {
                if let Some(front) = self.fronts.get(key) {
                    log_at!(
                        Notice,
                        "{} recv failed: {}",
                        front.log_name(),
                        sys::reason(error)
                    );
                }
                self.close_front(key, false);
                Next::Wait
            }
        }
    }

    /// Ends a read: keeps what no request was made of.
    pub(super) fn keep_rest(&mut self, key: FrontId, rest: Chain, full: bool) -> Next {
        let Some(front) = self.fronts.get_mut(key) else {
            return Next::Wait;
        };
        if front.reading == Reading::Off {
            front.inbound.clear();
            self.close_if_settled(key);
            return Next::Paused;
        }
        front.inbound.keep(rest, &self.pool);
        let is_held = front.reading == Reading::Ordered;
        let again = full || front.lost;
        let waiting = u64::from(front.queue.len());
        if key.is_peer() {
            self.stats.hist.dnode_client_out_queue.record(waiting);
        } else {
            self.stats.hist.client_out_queue.record(waiting);
        }
        match again {
            _ if is_held => Next::Paused,
            true => Next::Again,
            false => Next::Wait,
        }
    }

    /// Returns true if nothing more is read from the front.
    #[inline]
    pub(super) fn reads_off(&self, key: FrontId) -> bool {
        self.fronts
            .get(key)
            .is_none_or(|front| front.reading == Reading::Off)
    }

    /// The connection of a peer is lost. What has arrived on it is still read: the peer may be gone for good,
    /// and its clients have seen those writes acknowledged.
    pub(super) fn read_out(&mut self, key: FrontId) {
        let Some(front) = self.fronts.get_mut(key) else {
            return;
        };
        if front.reading == Reading::Off {
            return self.close_front(key, false);
        }
        front.lost = true;
        front.broken = true;
        front.out.clear();
        let id = front.id;
        if front.reading == Reading::On {
            self.out.resume(id);
        }
        self.resume_if_drained(key);
    }

    /// The front ended its stream: what it asked for is still answered.
    pub(super) fn front_ended(&mut self, key: FrontId) {
        let Some(front) = self.fronts.get_mut(key) else {
            return;
        };
        log_at!(Notice, "{} recv eof", front.log_name());
        front.inbound.clear();
        front.stop();
        self.close_if_settled(key);
    }

    /// Closes a front that waits for nothing more, if it is to be closed.
    pub(super) fn close_if_settled(&mut self, key: FrontId) {
        if let Some(front) = self.fronts.get(key)
            && front.closing
            && front.is_settled()
        {
            self.close_front(key, !front.broken);
        }
    }
}
