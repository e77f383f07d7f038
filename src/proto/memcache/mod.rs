//! The memcached protocols, as memcached 1.6 speaks them: the text protocol, and for clients the binary one.
//!
//! | part | what it knows |
//! |---|---|
//! | [`command`] | the one table of commands: what serves each, and its class |
//! | [`call`] | a request that has been understood, its canonical line, its keys |
//! | [`request`] | where a request ends: a resumable, in-place parser |
//! | [`mod@line`] | what a request's line asks for, or what is to be answered |
//! | [`meta`] | the meta commands and their flags |
//! | [`number`], [`base64`] | numbers and base64 keys as memcached reads them |
//! | [`errors`] | the error lines that clients match on |
//! | [`binary`] | requests and responses of the binary protocol, in words of the text protocol |
//! | [`reply`] | where a reply ends |
//! | [`head`] | the lines of a reply that announce data |
//! | [`blocks`] | the values of a reply one by one; joining replies |
//! | [`varying`] | what replicas in the same state say differently |
//! | [`unique`] | versions of items, marked with where they come from |
//! | [`rewrite`] | requests in a form that has the same effect on every replica |
//! | [`naming`] | keys that must not stand in a reply as memcached would put them there |

pub mod base64;
pub mod binary;
pub mod blocks;
pub mod call;
pub mod command;
mod cursor;
mod direct;
pub mod errors;
pub mod head;
pub mod line;
pub mod meta;
pub mod naming;
pub mod number;
pub mod reply;
pub mod request;
pub mod rewrite;
pub mod unique;
pub mod varying;
mod words;

#[cfg(test)]
pub(in crate::proto) mod against_memcached;
#[cfg(test)]
mod side_by_side;
#[cfg(test)]
mod test_server;
