//! The memcached ASCII protocol, as memcached 1.6 speaks it.
//!
//! | part | what it knows |
//! |---|---|
//! | [`command`] | the one table of commands: what serves each, and its class |
//! | [`call`] | a request that has been understood, and its canonical line |

pub mod call;
pub mod command;
