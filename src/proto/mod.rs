//! Bytes to messages and back, one module per protocol.

pub mod dnode;
pub mod failure;
pub mod framer;
pub mod legacy;
pub mod manual;
pub mod memcache;
pub mod redis;
pub mod store;

pub use failure::Failure;
pub use framer::{Framer, Parse};

/// Whether a request changes data; this decides to how many replicas it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Changes nothing: one replica, or a quorum of the local datacenter.
    Read,
    /// Goes to every rack of the local datacenter and one rack of each remote one.
    Write,
}
