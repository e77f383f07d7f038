//! Replies that only the datastore can give in RESP3: those of scripts and functions.
//!
//! What a script returns (maps, sets, doubles, booleans, big numbers) cannot be told from its RESP2 form. So
//! where a client speaks RESP3 the datastore does too, for this one request: on the connection that all
//! clients share, `HELLO 3` goes in front of it and `HELLO 2` behind, in one piece, so that requests keep
//! their order and nobody else's gets in between. A datastore that does not know `HELLO` (Redis before 6)
//! answers all three in RESP2. Peers of ours are asked for such a reply by a mark in the header
//! ([`WANTS_RESP3`](crate::proto::dnode::WANTS_RESP3)); what C nodes answer in RESP2 goes through
//! [`crate::proto::redis::resp3`].

use super::Node;
use super::flight::waiter::{Task, Waiter};
use super::ids::{ReqId, SlotId};
use super::msg::{Flags, Msg, NO_COMMAND};
use crate::clock::Now;
use crate::mbuf::{Chain, Raw};
use crate::proto::redis::command::command;
use crate::proto::redis::resp3::Form;

/// What the datastore is told in front of such a request and behind it, and the task that waits for its reply.
const BEFORE: (&[u8], Task) = (b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n", Task::Resp3On);
const BEHIND: (&[u8], Task) = (b"*2\r\n$5\r\nHELLO\r\n$1\r\n2\r\n", Task::Resp3Off);

/// Whether a connection to the datastore speaks RESP3.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Resp3 {
    /// It was never asked to.
    #[default]
    Never,
    /// Some replies may be in RESP3.
    Allowed,
    /// The last `HELLO 3` was obeyed.
    Obeyed,
    /// The `HELLO 2` behind it was not.
    Stuck,
}

impl Resp3 {
    /// Returns true if replies in RESP3 are to be understood.
    #[inline]
    pub fn is_allowed(self) -> bool {
        self != Resp3::Never
    }

    /// Returns true if replies come in RESP3 to requests that are to be answered in RESP2.
    #[inline]
    pub fn is_stuck(self) -> bool {
        self == Resp3::Stuck
    }
}

/// Returns true if only the datastore can give this command's replies in RESP3.
pub(super) fn is_native(row: u16) -> bool {
    command(row).is_some_and(|command| command.fixed_form() == Some(Form::Native))
}

impl Node {
    /// Puts a request with these flags into the queue of a datastore connection, in RESP3 if that is wanted.
    #[inline]
    pub(super) fn put_store(
        &mut self,
        slot: SlotId,
        entry: ReqId,
        flags: Flags,
        now: Now,
        raw: Raw<'_>,
    ) {
        match flags.has(Flags::IN_RESP3) {
            false => self.put_upstream(slot, entry, now, raw),
            true => self.put_in_resp3(slot, entry, now, raw),
        }
    }

    #[cold]
    fn put_in_resp3(&mut self, slot: SlotId, entry: ReqId, now: Now, raw: Raw<'_>) {
        self.put_hello(slot, now, BEFORE);
        self.put_upstream(slot, entry, now, raw);
        self.put_hello(slot, now, BEHIND);
    }

    fn put_hello(&mut self, slot: SlotId, now: Now, (text, task): (&[u8], Task)) {
        if let Some(store) = self.upstreams.get_mut(slot)
            && store.resp3 == Resp3::Never
        {
            store.resp3 = Resp3::Allowed;
        }
        let mut request = Chain::new();
        self.pool.copy(text, &mut request);
        let msg = Msg::new(Waiter::Task(task), NO_COMMAND, request.len(), now.mono_us);
        let entry = self.flight.insert(msg);
        self.put_upstream(slot, entry, now, Raw::from(&request));
    }

    /// The datastore has answered `HELLO`.
    pub(super) fn hear_hello(&mut self, slot: SlotId, task: Task, is_error: bool) {
        let Some(store) = self.upstreams.get_mut(slot) else {
            return;
        };
        store.resp3 = match (task, store.resp3, is_error) {
            (Task::Resp3On, Resp3::Allowed, false) => Resp3::Obeyed,
            (Task::Resp3Off, Resp3::Obeyed, false) => Resp3::Allowed,
            (Task::Resp3Off, Resp3::Obeyed, true) => Resp3::Stuck,
            (_, state, _) => state,
        };
    }
}
