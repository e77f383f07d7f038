//! RESP, the Redis serialization protocol.

pub mod reply;
pub mod request;
