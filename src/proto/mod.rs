//! Bytes to messages and back, one module per protocol.

pub mod redis;
