//! RESP, the Redis serialization protocol.
//!
//! | part | content |
//! |---|---|
//! | [`command`], [`lookup`] | the one table of commands: server, arity, class and keys of each |
//! | [`flags`], [`req_stats`] | Redis' flags and categories; the counters a command moves |
//! | [`refusal`] | why a command is refused |
//! | [`join`] | how the replies of several nodes become one |
//! | [`keys`] | where the keys of a request are |
//! | [`patterns`] | names of further keys that a datastore makes while it runs a request |
//! | [`errors`] | every error line the proxy writes |
//! | [`inline`] | commands typed by hand |
//! | [`encode`] | canonical requests and replies |
//! | [`request`], [`reply`] | where a message ends: resumable, in place |
//! | [`cursor`] | a reply, element by element |
//! | [`resp3`] | RESP2 replies in RESP3 |
//! | [`rewrite`], [`relative`] | writes with relative times made absolute, and the way back |
//! | [`effect`] | the effect of a request, as requests for the other replicas |
//! | [`alike`], [`digest`] | the parts of replies that count in a comparison; their digests |
//! | [`session`] | one client's connection state, and the commands the proxy answers itself |

pub mod alike;
pub mod command;
pub mod cursor;
pub mod digest;
pub mod effect;
pub mod encode;
pub mod errors;
mod expiry;
pub mod flags;
pub mod inline;
pub mod join;
mod key_specs;
pub mod keys;
pub mod lookup;
pub mod patterns;
pub mod refusal;
pub mod relative;
pub mod reply;
pub mod req_stats;
pub mod request;
pub mod resp3;
mod resume;
pub mod rewrite;
mod row;
pub mod session;
mod subcommands;
mod table;

#[cfg(test)]
mod against_redis;
