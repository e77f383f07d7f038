//! Bytes to messages and back, one module per protocol.

pub mod dnode;
pub mod failure;
pub mod legacy;
pub mod manual;
pub mod memcache;
pub mod redis;
pub mod store;

pub use failure::Failure;

/// What became of the bytes given to a parser of requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Parse<R, B> {
    /// A request ends here; the parser is ready for the next one.
    Complete(R),
    /// Everything was looked at, more is needed.
    Incomplete,
    /// Nothing that follows can be understood; the connection is to be closed.
    Bad(B),
}

/// Whether a request changes data. Decides to how many replicas it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Changes nothing: one replica, or a quorum of the local datacenter.
    Read,
    /// Goes to every rack of the local datacenter and one rack of each remote one.
    Write,
}
