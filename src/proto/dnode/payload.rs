//! Payloads of messages between nodes: the datastore's own requests and replies.

use crate::proto::Framer;
use crate::proto::store::{Replies, Request, Requests, Shape};

/// Direction of the messages on a connection. The node that opened it sends requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the requester to the replica.
    Requests,
    /// From the replica to the requester.
    Replies,
}

/// A parser of payloads, one for each direction.
pub trait Payload: Framer<Broken = &'static str> + Clone + std::fmt::Debug {
    /// The direction of its payloads.
    const DIRECTION: Direction;
    /// The properties of a payload besides its length.
    type Shape: Copy + Default + PartialEq + std::fmt::Debug;

    /// Returns the properties of a payload.
    fn shape(message: &Self::Message) -> Self::Shape;
}

impl Payload for Requests {
    const DIRECTION: Direction = Direction::Requests;
    type Shape = Shape;

    #[inline]
    fn shape(message: &Request) -> Shape {
        message.shape
    }
}

impl Payload for Replies {
    const DIRECTION: Direction = Direction::Replies;
    type Shape = ();

    #[inline]
    fn shape(_: &usize) {}
}
