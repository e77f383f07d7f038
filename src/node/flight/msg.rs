//! A request in flight, and the two queues it stands in.

use super::waiter::Waiter;
use crate::hashkit::Token;
use crate::mbuf::Chain;
use crate::node::ids::{FrontId, JudgeId, ReqId, Table};
use crate::proto::redis::command::Class;

/// No row of the command table: the node's own requests, and those that name no command.
pub const NO_COMMAND: u16 = u16::MAX;

/// A request between its last byte's arrival and its answer's departure. 96 bytes, in a slab.
///
/// It stands in the queue of the connection it came in on, its *front*, which decides the order of
/// answers, and in the queue of the connection it was sent on, its *upstream*, which decides whose
/// answer a reply is. It leaves each when that one is done with it.
///
/// A request that goes to several nodes has one message for each:
///
/// - whose reply is the answer: the request's own message;
/// - whose reply nobody waits for: a message without a waiter, dropped when its reply has come;
/// - whose reply is one of several that make the answer: a part of the request's own message. That one
///   stands in its front's queue (or is a part itself), in no upstream's, and has a *judge* until
///   every part has come in.
///
/// What the node itself asks its datastore for is a message that a task waits for.
#[derive(Debug)]
pub struct Msg {
    /// Who waits for the reply; nobody any more when a front is gone or has been answered.
    pub waiter: Waiter,
    next_of_front: Option<ReqId>,
    next_of_upstream: Option<ReqId>,
    /// What puts the answer together.
    pub judge: Option<JudgeId>,
    /// Bytes of the request.
    pub len: u32,
    /// Row of the command table.
    pub command: u16,
    /// The hash of its first key; 0 if it is not known.
    hash: u32,
    /// What is known about it.
    pub flags: Flags,
    /// When it was complete, in µs.
    pub start: u64,
    /// Where it ends in the stream of bytes written to its upstream.
    pub end: u64,
    /// The id its front, a peer, has given it and expects back; of a client of memcached's binary protocol, what
    /// the response has to know of the request. 0 of all other clients.
    pub front_id: u64,
    /// The id it has on its upstream, a peer.
    pub wire_id: u64,
    /// The answer, while an earlier request of the front is still waiting for its own; before, the
    /// request if it is [`Flags::KEPT`].
    pub reply: Chain,
}

/// Facts about a message, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u16);

impl Flags {
    /// The answer is known. Set by [`Msg::answer`] alone.
    const DONE: Flags = Flags(1);
    /// The client wants no answer (`CLIENT REPLY OFF` or `SKIP`).
    pub const SILENT: Flags = Flags(2);
    /// The connection closes once the answer is out.
    pub const LAST: Flags = Flags(4);
    /// The client has been told that it took too long; the reply is still to come. Set by
    /// [`Msg::expire`] alone.
    const EXPIRED: Flags = Flags(8);
    /// The client speaks RESP3.
    pub const RESP3: Flags = Flags(16);
    /// It stands in the queue of an upstream, or among the writes that are held.
    pub const QUEUED: Flags = Flags(32);
    /// It changes data.
    pub const WRITE: Flags = Flags(64);
    /// It was sent to a C node in other words; the reply has to be turned back.
    pub const CARRIED: Flags = Flags(128);
    /// The request's bytes stand where the answer will, for another attempt.
    pub const KEPT: Flags = Flags(256);

    /// The client does not want to hear a nominal answer (memcached's meta flag `q`).
    pub const QUIET: Flags = Flags(512);
    /// Its reply tells versions of values, which are marked with the node they are from.
    pub const UNIQUE: Flags = Flags(1024);
    /// A time in it was made absolute by words that a Redis older than 6.2 does not know.
    pub const ABSOLUTE: Flags = Flags(2048);
    /// The datastore carries it out while a script runs, on another connection than the script's; a peer gets the
    /// answer before the script's.
    pub const BESIDE_SCRIPTS: Flags = Flags(4096);
    /// Only the datastore knows the types of the reply ([`crate::proto::redis::resp3::Form::Native`]):
    /// it is asked in RESP3.
    pub const IN_RESP3: Flags = Flags(16384);
    /// It waits for a connection that is being made anew ([`crate::node::upstream`]).
    pub const PARKED: Flags = Flags(32768);

    /// What has to be looked at before an answer is taken: most messages have none of these.
    pub const BEFORE_ANSWER: Flags = Flags(Self::DONE.0 | Self::CARRIED.0 | Self::KEPT.0);
    /// A time in it was made absolute by this node's clock.
    pub const TIMED: Flags = Flags(8192);

    /// Both sets together.
    #[must_use]
    pub fn with(self, other: Flags) -> Flags {
        Flags(self.0 | other.0)
    }

    /// The set without the other.
    #[must_use]
    pub fn without(self, other: Flags) -> Flags {
        Flags(self.0 & !other.0)
    }

    /// What both sets have.
    #[must_use]
    pub fn and(self, other: Flags) -> Flags {
        Flags(self.0 & other.0)
    }

    /// Whether any of the other set is in this one.
    pub fn has_any(self, other: Flags) -> bool {
        self.0 & other.0 != 0
    }

    /// Whether all of the other set are in this one.
    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Msg {
    /// A request complete at `start`, in no queue yet.
    pub fn new(waiter: Waiter, command: u16, len: usize, start: u64) -> Msg {
        Msg {
            waiter,
            next_of_front: None,
            next_of_upstream: None,
            judge: None,
            len: len.try_into().unwrap_or(u32::MAX),
            command,
            hash: 0,
            flags: Flags::default(),
            start,
            end: 0,
            front_id: 0,
            wire_id: 0,
            reply: Chain::new(),
        }
    }

    /// A copy of this request for another node, in no queue, awaited by nobody.
    pub fn copy(&self) -> Msg {
        let mut copy = Msg::new(Waiter::Nobody, self.command, self.len as usize, self.start);
        let kept = Flags::WRITE
            .with(Flags::UNIQUE)
            .with(Flags::ABSOLUTE)
            .with(Flags::BESIDE_SCRIPTS)
            .with(Flags::TIMED)
            .with(Flags::IN_RESP3);
        copy.flags = self.flags.and(kept);
        copy.hash = self.hash;
        copy
    }

    /// A request of `front` that is answered at once, in no queue yet.
    pub fn answered(front: FrontId, command: u16, flags: Flags, start: u64) -> Msg {
        let mut msg = Msg::new(Waiter::front(front), command, 0, start);
        msg.flags = flags.with(Flags::DONE);
        msg
    }

    /// Whether the answer is known.
    pub fn is_answered(&self) -> bool {
        self.flags.has(Flags::DONE)
    }

    /// Notes that the answer is known. `false` if it was known already: then this answer must go nowhere.
    #[must_use = "a request is answered once"]
    pub fn answer(&mut self) -> bool {
        let is_first = !self.is_answered();
        self.flags = self.flags.with(Flags::DONE);
        is_first
    }

    /// Whether the client has been told that it took too long, while the reply is still to come.
    pub fn is_expired(&self) -> bool {
        self.flags.has(Flags::EXPIRED)
    }

    /// Notes that it took too long. `false` if that was noted already: then nobody must be told again.
    #[must_use = "a request expires once"]
    pub fn expire(&mut self) -> bool {
        let is_first = !self.is_expired();
        self.flags = self.flags.with(Flags::EXPIRED);
        is_first
    }

    /// The front in whose queue it stands.
    #[inline]
    pub fn front(&self) -> Option<FrontId> {
        match self.waiter {
            Waiter::Front(front, _) => Some(front),
            _ => None,
        }
    }

    /// The request that it is a part of.
    #[inline]
    pub fn parent(&self) -> Option<ReqId> {
        match self.waiter {
            Waiter::Part(parent, _) => Some(parent),
            _ => None,
        }
    }

    /// The place of its first key on the ring; `None` if it had none when it came in, or nothing had to be
    /// placed then.
    pub fn token(&self) -> Option<Token> {
        (self.hash != 0).then(|| Token::of_hash(self.hash))
    }

    /// Notes the place of its first key on the ring.
    #[inline]
    pub fn set_token(&mut self, token: Token) {
        self.hash = token.magnitude();
    }

    /// Read or write.
    pub fn class(&self) -> Class {
        if self.flags.has(Flags::WRITE) {
            Class::Write
        } else {
            Class::Read
        }
    }

    /// Whether nobody needs it any more.
    pub fn is_over(&self) -> bool {
        self.waiter == Waiter::Nobody
            && self.judge.is_none()
            && !self.flags.has_any(Flags::QUEUED.with(Flags::PARKED))
    }
}

/// All messages in flight.
pub type Msgs = Table<ReqId, Msg>;

/// Which of its two links a queue strings messages on.
pub trait Link {
    /// The link of this kind.
    fn next(msg: &mut Msg) -> &mut Option<ReqId>;
    /// The same, to be looked at.
    fn peek(msg: &Msg) -> Option<ReqId>;
}

/// The order of one front's requests.
#[derive(Debug)]
pub enum OfFront {}

/// The order of requests on one upstream.
#[derive(Debug)]
pub enum OfUpstream {}

impl Link for OfFront {
    fn next(msg: &mut Msg) -> &mut Option<ReqId> {
        &mut msg.next_of_front
    }

    fn peek(msg: &Msg) -> Option<ReqId> {
        msg.next_of_front
    }
}

impl Link for OfUpstream {
    fn next(msg: &mut Msg) -> &mut Option<ReqId> {
        &mut msg.next_of_upstream
    }

    fn peek(msg: &Msg) -> Option<ReqId> {
        msg.next_of_upstream
    }
}

/// A queue of messages, strung on links inside them: it owns no memory, whatever its length.
#[derive(Debug)]
pub struct Queue<L> {
    head: Option<ReqId>,
    tail: Option<ReqId>,
    len: u32,
    link: std::marker::PhantomData<L>,
}

impl<L> Default for Queue<L> {
    fn default() -> Self {
        Queue {
            head: None,
            tail: None,
            len: 0,
            link: std::marker::PhantomData,
        }
    }
}

impl<L: Link> Queue<L> {
    /// How many messages stand in it.
    pub fn len(&self) -> u32 {
        self.len
    }

    /// Whether none stands in it.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The first.
    pub fn head(&self) -> Option<ReqId> {
        self.head
    }

    /// The messages in it, as far as its length says; one that is not there ends it.
    pub fn iter<'a>(&self, msgs: &'a Msgs) -> impl Iterator<Item = (ReqId, &'a Msg)> + use<'a, L> {
        let mut next = self.head;
        (0..self.len).map_while(move |_| {
            let id = next?;
            let msg = msgs.get(id)?;
            next = L::peek(msg);
            Some((id, msg))
        })
    }

    /// The last.
    pub fn tail(&self) -> Option<ReqId> {
        self.tail
    }

    /// Appends a message, which must stand in no queue of this kind.
    #[inline]
    pub fn push(&mut self, msgs: &mut Msgs, id: ReqId) {
        match self.tail.and_then(|tail| msgs.get_mut(tail)) {
            Some(tail) => *L::next(tail) = Some(id),
            None => self.head = Some(id),
        }
        self.tail = Some(id);
        self.len += 1;
    }

    /// Takes the first.
    #[inline]
    pub fn pop(&mut self, msgs: &mut Msgs) -> Option<ReqId> {
        let id = self.head?;
        self.head = msgs.get_mut(id).and_then(|msg| L::next(msg).take());
        self.len -= 1;
        if self.head.is_none() {
            self.tail = None;
        }
        Some(id)
    }

    /// Takes out the one behind `before`.
    pub fn remove_after(&mut self, msgs: &mut Msgs, before: ReqId) -> Option<ReqId> {
        let id = Self::after(msgs, before)?;
        let next = msgs.get_mut(id).and_then(|msg| L::next(msg).take());
        *L::next(msgs.get_mut(before)?) = next;
        if self.tail == Some(id) {
            self.tail = Some(before);
        }
        self.len -= 1;
        Some(id)
    }

    /// The one after this one.
    pub fn after(msgs: &Msgs, id: ReqId) -> Option<ReqId> {
        L::peek(msgs.get(id)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_stays_within_two_cache_lines() {
        assert!(size_of::<Msg>() <= 96, "{}", size_of::<Msg>());
    }

    #[test]
    fn one_in_the_middle_can_be_taken_out() {
        let mut msgs = Msgs::default();
        let keys: Vec<ReqId> = (0..3)
            .map(|at| msgs.insert(Msg::new(Waiter::front(FrontId::client(at)), 0, 0, 0)))
            .collect();
        let mut queue = Queue::<OfUpstream>::default();
        for &key in &keys {
            queue.push(&mut msgs, key);
        }
        assert_eq!(queue.remove_after(&mut msgs, keys[1]), Some(keys[2]));
        assert_eq!(queue.remove_after(&mut msgs, keys[1]), None);
        queue.push(&mut msgs, keys[2]);
        assert_eq!(queue.remove_after(&mut msgs, keys[0]), Some(keys[1]));
        let order: Vec<ReqId> = std::iter::from_fn(|| queue.pop(&mut msgs)).collect();
        assert_eq!(order, [keys[0], keys[2]]);
    }

    #[test]
    fn two_queues_share_messages_without_disturbing_each_other() {
        let mut msgs = Msgs::default();
        let keys: Vec<ReqId> = (0..4)
            .map(|at| msgs.insert(Msg::new(Waiter::front(FrontId::client(at)), 0, 0, 0)))
            .collect();
        let (mut front, mut upstream) =
            (Queue::<OfFront>::default(), Queue::<OfUpstream>::default());
        for &key in &keys {
            front.push(&mut msgs, key);
        }
        for &key in keys.iter().rev() {
            upstream.push(&mut msgs, key);
        }
        assert_eq!(front.pop(&mut msgs), Some(keys[0]));
        assert_eq!(upstream.pop(&mut msgs), Some(keys[3]));
        assert_eq!(Queue::<OfFront>::after(&msgs, keys[1]), Some(keys[2]));
        front.push(&mut msgs, keys[0]);
        let order: Vec<ReqId> = std::iter::from_fn(|| front.pop(&mut msgs)).collect();
        assert_eq!(order, [keys[1], keys[2], keys[3], keys[0]]);
        assert!(front.is_empty() && upstream.len() == 3);
    }
}
