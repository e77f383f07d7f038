//! memcached's binary protocol, which clients may speak in place of the text protocol.
//!
//! The datastore and the peers get text only: a request is translated to the equivalent line,
//! and the reply to that line is translated to the response for the client. A connection's first
//! byte decides which protocol it speaks, as with memcached.
//!
//! | part | content |
//! |---|---|
//! | [`header`] | the 24 bytes in front of each request and response |
//! | [`opcode`] | the one table of opcodes |
//! | [`status`] | the statuses of responses, and their texts |
//! | [`request`] | where a request ends: a resumable, in-place parser |
//! | [`mod@line`] | a request as a line of the text protocol |
//! | [`response`] | a reply of the text protocol as a response |
//!
//! Differences from memcached 1.6.18, whose observed behaviour is followed otherwise:
//!
//! - A key with blanks or control bytes is asked for in base64, by a meta command, and memcached takes no more than
//!   250 letters of it: such a key of more than [`line::MAX_ODD_KEY`] bytes is refused with
//!   [`status::Status::NotSupported`].
//! - An `add` or `replace` of such a key whose value is too large deletes the item.
//! - The version in the response to a large value matches no item, except for `set` ([`mod@line`]).
//! - An expiration time from 2038 on is none at all.
//! - Behind a command that is not known, exactly its own body is skipped.
//! - `getk`, `gatk` and `touch`, and any `get` of such an odd key, count as the one read of a stale item that is to make it anew.
//! - Failures of the cluster's own have the statuses [`status::Status::TemporaryFailure`] and
//!   [`status::Status::NotSupported`], with the text that a client of the text protocol gets.

pub mod header;
pub mod line;
pub mod opcode;
pub mod request;
pub mod response;
pub mod status;

#[cfg(test)]
mod tests;

/// The first byte of a request.
pub const MAGIC: u8 = 0x80;
