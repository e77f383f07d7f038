//! Who waits for a reply.

use crate::node::ids::{FrontId, ReqId};
use crate::proto::redis::resp3::Form;

/// Who waits for the reply to a row's request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiter {
    /// Nobody: the reply is dropped.
    Nobody,
    /// The front in whose queue the row stands. A client that speaks RESP3 gets the reply in this form.
    Front(FrontId, Form),
    /// The request that this one is a part of, and which part it is.
    Part(ReqId, u16),
    /// The node itself.
    Task(Task),
}

/// What the node itself asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Task {
    /// Whether a script keeps the datastore busy ([`crate::node::busy`]).
    Busy,
    /// Whether the datastore serves ([`crate::node::store_probe`]).
    StoreProbe,
    /// That the datastore answers in RESP3 from now on ([`crate::node::native`]).
    Resp3On,
    /// That it does so no more.
    Resp3Off,
}

impl Waiter {
    /// A front, to which the reply goes as it is.
    #[inline]
    pub fn front(id: FrontId) -> Waiter {
        Waiter::Front(id, Form::Plain)
    }

    /// Returns true if it is a front or another request: somebody outside of this node in the end.
    #[inline]
    pub fn is_asked_for(self) -> bool {
        matches!(self, Waiter::Front(..) | Waiter::Part(..))
    }
}
