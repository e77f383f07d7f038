//! The memcached protocols, as memcached 1.6 speaks them: the text protocol, and for clients the binary one.
//!
//! | part | content |
//! |---|---|
//! | [`command`] | the one table of commands: server and class of each |
//! | [`call`] | a request that has been understood, its canonical line, its keys |
//! | [`request`] | the end of a request: a resumable, in-place parser |
//! | [`mod@line`] | a request's line: a call, or the answer to a refused one |
//! | [`meta`] | the meta commands and their flags |
//! | [`number`], [`base64`] | numbers and base64 keys as memcached reads them |
//! | [`errors`] | the error lines that clients match on |
//! | [`binary`] | requests and responses of the binary protocol, in words of the text protocol |
//! | [`reply`] | the end of a reply: a resumable, in-place parser |
//! | [`head`] | the lines of a reply that announce data |
//! | [`reply_line`] | the first line of a reply: its code and the words behind it |
//! | [`blocks`] | the values of a reply one by one; joining replies |
//! | [`varying`] | the parts of replies in which equal replicas differ |
//! | [`unique`] | versions of items, marked with where they come from |
//! | [`rewrite`] | requests in a form that has the same effect on every replica |
//! | [`naming`] | keys that must not appear in a reply as memcached would write them |

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
pub mod reply_line;
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
