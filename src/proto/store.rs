//! The parsers of the datastore's protocol: one choice for clients, the datastore and peers.

use super::redis::request::Span;
use super::{Framer, Parse, memcache, redis};
use crate::config::StoreKind;
use crate::mbuf::Chain;

/// Rows in the table of commands.
pub fn commands(store: StoreKind) -> usize {
    match store {
        StoreKind::Redis => redis::command::COUNT,
        StoreKind::Memcache => memcache::command::COUNT,
    }
}

/// Finds the ends of requests between nodes.
#[derive(Clone, Debug)]
pub enum Requests {
    /// Redis' arrays of bulk strings.
    Redis(redis::request::Parser),
    /// memcached's lines and values.
    Memcache(memcache::request::Parser),
}

/// A complete request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Request {
    /// Its length in bytes.
    pub len: usize,
    /// Its other properties.
    pub shape: Shape,
}

/// The properties of a request besides its length.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Shape {
    /// Not known.
    #[default]
    Unknown,
    /// Of Redis.
    Redis(RequestShape),
    /// Of memcached.
    Memcache(memcache::request::Request),
}

/// The properties of a Redis request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RequestShape {
    /// Number of arguments, the command's name included.
    pub argc: u32,
    /// The command's name.
    pub name: Span,
    /// The first argument; empty if there is none.
    pub first: Span,
}

/// Why a Redis request that is no array of bulk strings is refused. Nodes send nothing else: a coordinator encodes a
/// command typed by hand anew.
const NOT_AN_ARRAY: &str = "not an array of bulk strings";
/// Why a value that no datastore takes is refused. A coordinator answers it itself.
const VALUE_TOO_LONG: &str = "value too long";

impl Requests {
    /// Idle, for requests to this datastore.
    pub fn new(store: StoreKind) -> Requests {
        match store {
            StoreKind::Redis => Requests::Redis(Default::default()),
            StoreKind::Memcache => Requests::Memcache(Default::default()),
        }
    }
}

#[inline]
fn redis_request(status: redis::request::Status) -> Parse<Request, &'static str> {
    use redis::request::Kind;
    match status {
        Parse::Complete(request) => match request.kind {
            Kind::Array { argc, name, first } => Parse::Complete(Request {
                len: request.len,
                shape: Shape::Redis(RequestShape { argc, name, first }),
            }),
            Kind::Inline | Kind::Empty => Parse::Bad(NOT_AN_ARRAY),
        },
        Parse::Incomplete => Parse::Incomplete,
        Parse::Bad(error) => Parse::Bad(request_error(error)),
    }
}

/// Why a request cannot be parsed, in words for the log.
fn request_error(error: redis::request::ProtocolError) -> &'static str {
    use redis::request::ProtocolError::*;
    match error {
        ArrayLength => "bad number of arguments",
        BulkLength => "bad argument length",
        ExpectedBulk(_) => NOT_AN_ARRAY,
        PayloadEnd => "argument not ended by CR LF",
        InlineTooLong | ArrayLineTooLong | BulkLineTooLong => "line too long",
        RequestTooLong => "request too long",
    }
}

#[inline]
fn memcache_request(status: memcache::request::Status) -> Parse<Request, &'static str> {
    use memcache::request::Kind;
    match status {
        Parse::Complete(request) => match request.kind {
            Kind::TooLarge { .. } | Kind::Skipped => Parse::Bad(VALUE_TOO_LONG),
            Kind::Direct { .. } | Kind::Line | Kind::BadChunk { .. } => Parse::Complete(Request {
                len: request.len,
                shape: Shape::Memcache(request),
            }),
        },
        Parse::Incomplete => Parse::Incomplete,
        Parse::Bad(_) => Parse::Bad("line too long"),
    }
}

/// Returns why a Redis request that begins with this byte cannot be parsed further, or that there is no byte yet.
#[inline]
fn no_array(first: Option<u8>) -> Option<Parse<Request, &'static str>> {
    match first {
        Some(b'*') => None,
        Some(_) => Some(Parse::Bad(NOT_AN_ARRAY)),
        None => Some(Parse::Incomplete),
    }
}

impl Framer for Requests {
    type Message = Request;
    type Broken = &'static str;

    #[inline]
    fn parse(&mut self, data: &[u8]) -> Parse<Request, &'static str> {
        match self {
            Requests::Redis(parser) => match no_array(data.first().copied()) {
                None => redis_request(parser.parse(data, 0)),
                Some(other) => other,
            },
            Requests::Memcache(parser) => memcache_request(parser.parse(data, 0)),
        }
    }

    fn find(&mut self, data: &Chain) -> Parse<Request, &'static str> {
        match self {
            Requests::Redis(parser) => match no_array(data.first_byte()) {
                None => redis_request(parser.find(data)),
                Some(other) => other,
            },
            Requests::Memcache(parser) => memcache_request(parser.find(data)),
        }
    }

    #[inline]
    fn len(message: &Request) -> usize {
        message.len
    }

    #[inline]
    fn is_idle(&self) -> bool {
        match self {
            Requests::Redis(parser) => parser.is_idle(),
            Requests::Memcache(parser) => parser.is_idle(),
        }
    }

    fn expected(&self) -> usize {
        match self {
            Requests::Redis(parser) => parser.expected(),
            Requests::Memcache(parser) => parser.expected(),
        }
    }
}

/// Finds the ends of replies.
#[derive(Clone, Debug)]
pub enum Replies {
    /// RESP2, and RESP3 if that is allowed.
    Redis(redis::reply::Parser),
    /// memcached's lines and values.
    Memcache(memcache::reply::Parser),
}

impl Replies {
    /// Idle, for replies of this datastore.
    pub fn new(store: StoreKind) -> Replies {
        match store {
            StoreKind::Redis => Replies::Redis(Default::default()),
            StoreKind::Memcache => Replies::Memcache(Default::default()),
        }
    }

    /// Sets whether replies of Redis may be in RESP3 too, or only in RESP2.
    #[inline]
    pub fn allow_resp3(&mut self, allowed: bool) {
        if let Replies::Redis(parser) = self {
            parser.allow_resp3(allowed);
        }
    }

    /// Forgets the reply under way.
    pub fn reset(&mut self) {
        match self {
            Replies::Redis(parser) => *parser = Default::default(),
            Replies::Memcache(parser) => *parser = Default::default(),
        }
    }
}

impl Framer for Replies {
    type Message = usize;
    type Broken = &'static str;

    #[inline]
    fn parse(&mut self, data: &[u8]) -> Parse<usize, &'static str> {
        match self {
            Replies::Redis(parser) => parser.parse(data, 0),
            Replies::Memcache(parser) => parser.parse(data, 0),
        }
    }

    fn find(&mut self, data: &Chain) -> Parse<usize, &'static str> {
        match self {
            Replies::Redis(parser) => parser.find(data),
            Replies::Memcache(parser) => parser.find(data),
        }
    }

    #[inline]
    fn len(message: &usize) -> usize {
        *message
    }

    #[inline]
    fn is_idle(&self) -> bool {
        match self {
            Replies::Redis(parser) => parser.is_idle(),
            Replies::Memcache(parser) => parser.is_idle(),
        }
    }

    fn expected(&self) -> usize {
        match self {
            Replies::Redis(parser) => parser.expected(),
            Replies::Memcache(parser) => parser.expected(),
        }
    }
}
