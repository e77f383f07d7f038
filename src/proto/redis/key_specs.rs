//! The lists of key specifications that commands share, named after what happens to the keys.
//!
//! Source: `COMMAND INFO` of Redis 7.0.15, with which the tests compare every row, and for newer commands
//! Redis' public table of commands.

use super::keys::flag::*;
use super::keys::{KeySpec, after, counted, counted_by, one, span, unknown};

/// No key.
pub(super) const NONE: &[KeySpec] = &[];
pub(super) const CHANNEL: &[KeySpec] = &[one(1, NOT_KEY)];
pub(super) const CHANNELS: &[KeySpec] = &[span(1, -1, 1, NOT_KEY)];
pub(super) const CREATED: &[KeySpec] = &[one(1, OW | INSERT)];
pub(super) const CREATED_PAIRS: &[KeySpec] = &[span(1, -1, 2, OW | INSERT)];
pub(super) const CUT: &[KeySpec] = &[one(1, RW | UPDATE | DELETE)];
pub(super) const EXTENDED: &[KeySpec] = &[one(1, RW | INSERT)];
pub(super) const GEORADIUS: &[KeySpec] = &[
    one(1, RO | ACCESS),
    after("STORE", 6, 0, 0, OW | UPDATE),
    after("STOREDIST", 6, 0, 0, OW | UPDATE),
];
#[rustfmt::skip]
pub(super) const GEORADIUSBYMEMBER: &[KeySpec] = &[one(1, RO | ACCESS), after("STORE", 5, 0, 0, OW | UPDATE), after("STOREDIST", 5, 0, 0, OW | UPDATE)];
pub(super) const INSPECTED: &[KeySpec] = &[one(1, RO)];
pub(super) const INSPECTED_ALL: &[KeySpec] = &[span(1, -1, 1, RO)];
pub(super) const MERGED: &[KeySpec] = &[one(1, RW | ACCESS | INSERT), span(2, -1, 1, RO | ACCESS)];
pub(super) const MIGRATE: &[KeySpec] = &[
    one(3, RW | ACCESS | DELETE),
    after("KEYS", -2, -1, 0, RW | ACCESS | DELETE | INCOMPLETE),
];
pub(super) const PROBED_ALL: &[KeySpec] = &[span(1, -1, 1, RW | ACCESS)];
pub(super) const READ: &[KeySpec] = &[one(1, RO | ACCESS)];
pub(super) const READ_ALL: &[KeySpec] = &[span(1, -1, 1, RO | ACCESS)];
pub(super) const READ_COUNTED: &[KeySpec] = &[counted(1, RO | ACCESS)];
pub(super) const READ_THEN_WRITTEN: &[KeySpec] = &[one(1, RO | ACCESS), one(2, OW | UPDATE)];
pub(super) const READ_TWO: &[KeySpec] = &[span(1, 1, 1, RO | ACCESS)];
pub(super) const READ_UPDATED: &[KeySpec] = &[one(1, RW | ACCESS | UPDATE)];
pub(super) const REDUCED: &[KeySpec] = &[one(1, RW | DELETE)];
pub(super) const REMOVED_ALL: &[KeySpec] = &[span(1, -1, 1, RM | DELETE)];
pub(super) const SCRIPT: &[KeySpec] = &[counted(2, RW | ACCESS | UPDATE)];
pub(super) const SCRIPT_READ: &[KeySpec] = &[counted(2, RO | ACCESS)];
pub(super) const SECOND_EXTENDED: &[KeySpec] = &[one(2, RW | INSERT)];
pub(super) const SECOND_INSPECTED: &[KeySpec] = &[one(2, RO)];
pub(super) const SECOND_PROBED: &[KeySpec] = &[one(2, RW | ACCESS)];
pub(super) const SECOND_READ: &[KeySpec] = &[one(2, RO | ACCESS)];
pub(super) const SECOND_REDUCED: &[KeySpec] = &[one(2, RW | DELETE)];
pub(super) const SECOND_TAKEN_COUNTED: &[KeySpec] = &[counted(2, RW | ACCESS | DELETE)];
pub(super) const SECOND_UPDATED: &[KeySpec] = &[one(2, RW | UPDATE)];
pub(super) const SECOND_WRITTEN_FROM_ALL: &[KeySpec] =
    &[one(2, OW | UPDATE), span(3, -1, 1, RO | ACCESS)];
pub(super) const SORT: &[KeySpec] = &[
    one(1, RO | ACCESS),
    unknown(RO | ACCESS),
    unknown(OW | UPDATE),
];
pub(super) const SORT_RO: &[KeySpec] = &[one(1, RO | ACCESS), unknown(RO | ACCESS)];
pub(super) const TAKEN: &[KeySpec] = &[one(1, RW | ACCESS | DELETE)];
pub(super) const TAKEN_BUT_LAST: &[KeySpec] = &[span(1, -2, 1, RW | ACCESS | DELETE)];
pub(super) const TAKEN_COUNTED: &[KeySpec] = &[counted(1, RW | ACCESS | DELETE)];
pub(super) const TAKEN_THEN_CREATED: &[KeySpec] =
    &[one(1, RW | ACCESS | DELETE), one(2, OW | INSERT)];
pub(super) const TAKEN_THEN_EXTENDED: &[KeySpec] =
    &[one(1, RW | ACCESS | DELETE), one(2, RW | INSERT)];
pub(super) const TAKEN_THEN_WRITTEN: &[KeySpec] =
    &[one(1, RW | ACCESS | DELETE), one(2, OW | UPDATE)];
pub(super) const UPDATED: &[KeySpec] = &[one(1, RW | UPDATE)];
pub(super) const UPDATED_FROM_ALL: &[KeySpec] = &[one(1, RW | UPDATE), span(2, -1, 1, RO | ACCESS)];
pub(super) const VARIABLE: &[KeySpec] = &[one(1, RW | ACCESS | UPDATE | VARIABLE_FLAGS)];
pub(super) const WRITTEN: &[KeySpec] = &[one(1, OW | UPDATE)];
pub(super) const WRITTEN_FROM_ALL: &[KeySpec] = &[one(1, OW | UPDATE), span(2, -1, 1, RO | ACCESS)];
pub(super) const WRITTEN_FROM_COUNTED: &[KeySpec] = &[one(1, OW | UPDATE), counted(2, RO | ACCESS)];
pub(super) const WRITTEN_FROM_ONE: &[KeySpec] = &[one(1, OW | UPDATE), one(2, RO | ACCESS)];
pub(super) const WRITTEN_PAIRS_COUNTED: &[KeySpec] = &[counted_by(1, 2, OW | UPDATE)];
pub(super) const WRITTEN_TRIPLES: &[KeySpec] = &[span(1, -1, 3, RW | UPDATE)];
pub(super) const WRITTEN_PAIRS: &[KeySpec] = &[span(1, -1, 2, OW | UPDATE)];
pub(super) const XREAD: &[KeySpec] = &[after("STREAMS", 1, -1, 2, RO | ACCESS)];
pub(super) const XREADGROUP: &[KeySpec] = &[after("STREAMS", 4, -1, 2, RO | ACCESS)];
/// Every argument but the last, which is a path (`JSON.MGET`).
pub(super) const READ_BUT_LAST: &[KeySpec] = &[span(1, -2, 1, RO | ACCESS)];
