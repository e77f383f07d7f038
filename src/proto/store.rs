//! The parsers of whatever the datastore speaks: one choice for clients, the datastore and peers.

use super::dnode::payload::{Direction, Found, Payload, RequestShape};
use super::{memcache, redis};
use crate::config::StoreKind;
use crate::mbuf::Chain;

/// Rows in the table of commands.
pub fn commands(store: StoreKind) -> usize {
    match store {
        StoreKind::Redis => redis::command::COUNT,
        StoreKind::Memcache => memcache::command::COUNT,
    }
}

/// Finds the ends of requests.
#[derive(Clone, Debug)]
pub enum Requests {
    /// Redis' arrays of bulk strings.
    Redis(redis::request::Parser),
    /// memcached's lines and values.
    Memcache(memcache::request::Parser),
}

/// What is learned of a request beside its length.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Shape {
    /// Nothing.
    #[default]
    Unknown,
    /// Of Redis.
    Redis(RequestShape),
    /// Of memcached.
    Memcache(memcache::request::Request),
}

impl Requests {
    /// Idle, for requests to this datastore.
    pub fn new(store: StoreKind) -> Requests {
        match store {
            StoreKind::Redis => Requests::Redis(Default::default()),
            StoreKind::Memcache => Requests::Memcache(Default::default()),
        }
    }
}

fn of_memcache(request: Option<memcache::request::Request>) -> Shape {
    request.map_or(Shape::Unknown, Shape::Memcache)
}

/// The same find with another shape.
#[inline]
fn shaped<S, T>(found: Found<S>, shape: impl FnOnce(S) -> T) -> Found<T> {
    match found {
        Found::Complete(len, of) => Found::Complete(len, shape(of)),
        Found::Incomplete => Found::Incomplete,
        Found::Bad(why) => Found::Bad(why),
    }
}

impl Payload for Requests {
    const DIRECTION: Direction = Direction::Requests;
    type Shape = Shape;

    #[inline]
    fn parse(&mut self, data: &[u8]) -> Found<Shape> {
        match self {
            Requests::Redis(parser) => shaped(Payload::parse(parser, data), Shape::Redis),
            Requests::Memcache(parser) => shaped(Payload::parse(parser, data), of_memcache),
        }
    }

    fn find(&mut self, data: &Chain) -> Found<Shape> {
        match self {
            Requests::Redis(parser) => shaped(Payload::find(parser, data), Shape::Redis),
            Requests::Memcache(parser) => shaped(Payload::find(parser, data), of_memcache),
        }
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

    /// From now on replies of Redis may be in RESP3 too, or only in RESP2.
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

impl Payload for Replies {
    const DIRECTION: Direction = Direction::Replies;
    type Shape = ();

    #[inline]
    fn parse(&mut self, data: &[u8]) -> Found<()> {
        match self {
            Replies::Redis(parser) => Payload::parse(parser, data),
            Replies::Memcache(parser) => Payload::parse(parser, data),
        }
    }

    fn find(&mut self, data: &Chain) -> Found<()> {
        match self {
            Replies::Redis(parser) => Payload::find(parser, data),
            Replies::Memcache(parser) => Payload::find(parser, data),
        }
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
