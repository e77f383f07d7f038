//! Bytes to messages and back, one module per protocol.

pub mod dnode;
pub mod redis;
