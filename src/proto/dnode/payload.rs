//! What payloads are made of: the datastore's own messages, found by its own parsers.

use crate::mbuf::Chain;
use crate::proto::memcache;
use crate::proto::redis::reply;
use crate::proto::redis::request::{self, Span};

/// Which way messages go on a connection. Who opened it sends requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// From the requester to the replica.
    Requests,
    /// From the replica to the requester.
    Replies,
}

/// What became of the bytes given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<S> {
    /// A payload of this many bytes ends here; the parser is ready for the next one.
    Complete(usize, S),
    /// Everything was looked at, more is needed.
    Incomplete,
    /// This is no payload, for this reason.
    Bad(&'static str),
}

/// A resumable parser that finds the end of a payload. One per datastore protocol and direction.
pub trait Payload: Clone + std::fmt::Debug {
    /// Which way its payloads go.
    const DIRECTION: Direction;
    /// What it learns of a payload beside its length.
    type Shape: Copy + Default + PartialEq + std::fmt::Debug;

    /// Looks at `data`, which begins with the payload and, if the parser is under way, has at least
    /// the bytes it had before.
    fn parse(&mut self, data: &[u8]) -> Found<Self::Shape>;
    /// The same over slices.
    fn find(&mut self, data: &Chain) -> Found<Self::Shape>;
    /// Returns true if no payload is under way.
    fn is_idle(&self) -> bool;
    /// Bytes known to be missing; 0 if unknown.
    fn expected(&self) -> usize;
}

/// What a Redis request looks like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestShape {
    /// Number of arguments, the command's name included.
    pub argc: u32,
    /// The command's name.
    pub name: Span,
    /// The first argument; empty if there is none.
    pub first: Span,
}

/// A request that is no array of bulk strings. Nodes send nothing else: a coordinator encodes a
/// command typed by hand anew.
const NOT_AN_ARRAY: &str = "not an array of bulk strings";

fn request_found(status: request::Status) -> Found<RequestShape> {
    match status {
        request::Status::Complete(request) => match request.kind {
            request::Kind::Array { argc, name, first } => {
                Found::Complete(request.len, RequestShape { argc, name, first })
            }
            request::Kind::Inline | request::Kind::Empty => Found::Bad(NOT_AN_ARRAY),
        },
        request::Status::Incomplete => Found::Incomplete,
        request::Status::Bad(error) => Found::Bad(request_error(error)),
    }
}

/// Why a request cannot be parsed, in words for the log.
fn request_error(error: request::ProtocolError) -> &'static str {
    use request::ProtocolError::*;
    match error {
        ArrayLength => "bad number of arguments",
        BulkLength => "bad argument length",
        ExpectedBulk(_) => NOT_AN_ARRAY,
        PayloadEnd => "argument not ended by CR LF",
        InlineTooLong | ArrayLineTooLong | BulkLineTooLong => "line too long",
        RequestTooLong => "request too long",
    }
}

impl Payload for request::Parser {
    const DIRECTION: Direction = Direction::Requests;
    type Shape = RequestShape;

    #[inline]
    fn parse(&mut self, data: &[u8]) -> Found<RequestShape> {
        match data.first() {
            Some(b'*') => request_found(self.parse(data, 0)),
            Some(_) => Found::Bad(NOT_AN_ARRAY),
            None => Found::Incomplete,
        }
    }

    fn find(&mut self, data: &Chain) -> Found<RequestShape> {
        match data.first_byte() {
            Some(b'*') => request_found(self.find(data)),
            Some(_) => Found::Bad(NOT_AN_ARRAY),
            None => Found::Incomplete,
        }
    }

    #[inline]
    fn is_idle(&self) -> bool {
        self.is_idle()
    }

    fn expected(&self) -> usize {
        self.expected()
    }
}

fn reply_found(status: reply::Status) -> Found<()> {
    match status {
        reply::Status::Complete(len) => Found::Complete(len, ()),
        reply::Status::Incomplete => Found::Incomplete,
        reply::Status::Garbage(why) => Found::Bad(why),
    }
}

impl Payload for reply::Parser {
    const DIRECTION: Direction = Direction::Replies;
    type Shape = ();

    #[inline]
    fn parse(&mut self, data: &[u8]) -> Found<()> {
        reply_found(self.parse(data, 0))
    }

    fn find(&mut self, data: &Chain) -> Found<()> {
        reply_found(self.find(data))
    }

    #[inline]
    fn is_idle(&self) -> bool {
        self.is_idle()
    }

    fn expected(&self) -> usize {
        self.expected()
    }
}

/// A value that no datastore takes. A coordinator answers it itself.
const VALUE_TOO_LONG: &str = "value too long";

fn memcache_found(status: memcache::request::Status) -> Found<Option<memcache::request::Request>> {
    use memcache::request::{Kind, Status};
    match status {
        Status::Complete(request) => match request.kind {
            Kind::TooLarge { .. } | Kind::Skipped => Found::Bad(VALUE_TOO_LONG),
            Kind::Direct { .. } | Kind::Line | Kind::BadChunk { .. } => {
                Found::Complete(request.len, Some(request))
            }
        },
        Status::Incomplete => Found::Incomplete,
        Status::Bad(_) => Found::Bad("line too long"),
    }
}

impl Payload for memcache::request::Parser {
    const DIRECTION: Direction = Direction::Requests;
    type Shape = Option<memcache::request::Request>;

    #[inline]
    fn parse(&mut self, data: &[u8]) -> Found<Self::Shape> {
        memcache_found(self.parse(data, 0))
    }

    fn find(&mut self, data: &Chain) -> Found<Self::Shape> {
        memcache_found(self.find(data))
    }

    #[inline]
    fn is_idle(&self) -> bool {
        self.is_idle()
    }

    fn expected(&self) -> usize {
        self.expected()
    }
}

fn memcache_reply_found(status: memcache::reply::Status) -> Found<()> {
    use memcache::reply::Status;
    match status {
        Status::Complete(len) => Found::Complete(len, ()),
        Status::Incomplete => Found::Incomplete,
        Status::Garbage(why) => Found::Bad(why),
    }
}

impl Payload for memcache::reply::Parser {
    const DIRECTION: Direction = Direction::Replies;
    type Shape = ();

    #[inline]
    fn parse(&mut self, data: &[u8]) -> Found<()> {
        memcache_reply_found(self.parse(data, 0))
    }

    fn find(&mut self, data: &Chain) -> Found<()> {
        memcache_reply_found(self.find(data))
    }

    #[inline]
    fn is_idle(&self) -> bool {
        self.is_idle()
    }

    fn expected(&self) -> usize {
        self.expected()
    }
}
