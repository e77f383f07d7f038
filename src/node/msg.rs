//! A request in flight, and the two queues it stands in.

use crate::mbuf::Chain;
use crate::proto::redis::resp3::Form;

/// "No message" and "no client".
pub const NONE: u32 = u32::MAX;

/// A request between its last byte's arrival and its answer's departure. 72 bytes, in a slab.
///
/// It stands in the queue of its client, which decides the order of answers, and in the queue of the
/// datastore connection it was sent on, which decides whose answer a reply is. It leaves each when
/// that one is done with it, and is freed when it stands in neither.
#[derive(Debug)]
pub struct Msg {
    /// The client that waits for the answer; [`NONE`] when it is gone or has been answered.
    pub client: u32,
    next_of_client: u32,
    next_of_store: u32,
    /// Bytes of the request.
    pub len: u32,
    /// How the reply is changed for a RESP3 client.
    pub form: Form,
    /// What is known about it.
    pub flags: Flags,
    /// When it was complete, in µs.
    pub start: u64,
    /// Where it ends in the stream of bytes written to its datastore connection.
    pub end: u64,
    /// The answer, while an earlier request of the client is still waiting for its own.
    pub reply: Chain,
}

/// Facts about a message, one bit each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flags(u8);

impl Flags {
    /// The answer is known.
    pub const DONE: Flags = Flags(1);
    /// The client wants no answer (`CLIENT REPLY OFF` or `SKIP`).
    pub const SILENT: Flags = Flags(2);
    /// The connection closes once the answer is out.
    pub const LAST: Flags = Flags(4);
    /// The client has been told that it took too long; the reply is still to come.
    pub const EXPIRED: Flags = Flags(8);
    /// The client speaks RESP3.
    pub const RESP3: Flags = Flags(16);
    /// It stands in the queue of a datastore connection.
    pub const AT_STORE: Flags = Flags(32);
    /// It may change data; its reply counts as that of a write.
    pub const WRITE: Flags = Flags(64);

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

    /// Whether all of the other set are in this one.
    pub fn has(self, other: Flags) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Msg {
    /// A request of `client`, complete at `start`, in no queue yet.
    pub fn new(client: u32, len: usize, start: u64) -> Msg {
        Msg {
            client,
            next_of_client: NONE,
            next_of_store: NONE,
            len: len.try_into().unwrap_or(u32::MAX),
            form: Form::default(),
            flags: Flags::default(),
            start,
            end: 0,
            reply: Chain::new(),
        }
    }
}

/// All messages in flight.
pub type Msgs = slab::Slab<Msg>;

/// Which of its two links a queue strings messages on.
pub trait Link {
    /// The link of this kind.
    fn next(msg: &mut Msg) -> &mut u32;
}

/// The order of one client's requests.
#[derive(Debug)]
pub enum OfClient {}

/// The order of requests on one datastore connection.
#[derive(Debug)]
pub enum OfStore {}

impl Link for OfClient {
    fn next(msg: &mut Msg) -> &mut u32 {
        &mut msg.next_of_client
    }
}

impl Link for OfStore {
    fn next(msg: &mut Msg) -> &mut u32 {
        &mut msg.next_of_store
    }
}

/// A queue of messages, strung on links inside them: it owns no memory, whatever its length.
#[derive(Debug)]
pub struct Queue<L> {
    head: u32,
    tail: u32,
    len: u32,
    link: std::marker::PhantomData<L>,
}

impl<L> Default for Queue<L> {
    fn default() -> Self {
        Queue {
            head: NONE,
            tail: NONE,
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
    pub fn head(&self) -> Option<u32> {
        (self.head != NONE).then_some(self.head)
    }

    /// Appends a message, which must stand in no queue of this kind.
    #[inline]
    pub fn push(&mut self, msgs: &mut Msgs, key: u32) {
        match msgs.get_mut(self.tail as usize) {
            Some(tail) if self.len > 0 => *L::next(tail) = key,
            _ => self.head = key,
        }
        self.tail = key;
        self.len += 1;
    }

    /// Takes the first.
    #[inline]
    pub fn pop(&mut self, msgs: &mut Msgs) -> Option<u32> {
        let key = self.head()?;
        self.head = msgs
            .get_mut(key as usize)
            .map_or(NONE, |msg| std::mem::replace(L::next(msg), NONE));
        self.len -= 1;
        if self.head == NONE {
            self.tail = NONE;
        }
        Some(key)
    }

    /// The one after `key`.
    pub fn after(msgs: &mut Msgs, key: u32) -> Option<u32> {
        let next = *L::next(msgs.get_mut(key as usize)?);
        (next != NONE).then_some(next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_stays_within_two_cache_lines() {
        assert!(size_of::<Msg>() <= 80, "{}", size_of::<Msg>());
    }

    #[test]
    fn two_queues_share_messages_without_disturbing_each_other() {
        let mut msgs = Msgs::new();
        let keys: Vec<u32> = (0..4)
            .map(|i| msgs.insert(Msg::new(i, 0, 0)) as u32)
            .collect();
        let (mut client, mut store) = (Queue::<OfClient>::default(), Queue::<OfStore>::default());
        for &key in &keys {
            client.push(&mut msgs, key);
        }
        for &key in keys.iter().rev() {
            store.push(&mut msgs, key);
        }
        assert_eq!(client.pop(&mut msgs), Some(keys[0]));
        assert_eq!(store.pop(&mut msgs), Some(keys[3]));
        assert_eq!(Queue::<OfClient>::after(&mut msgs, keys[1]), Some(keys[2]));
        client.push(&mut msgs, keys[0]);
        let order: Vec<u32> = std::iter::from_fn(|| client.pop(&mut msgs)).collect();
        assert_eq!(order, [keys[1], keys[2], keys[3], keys[0]]);
        assert!(client.is_empty() && store.len() == 3);
    }
}
