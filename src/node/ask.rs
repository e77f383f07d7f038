//! A request, as far as placing it is concerned.

use super::plan::Route;
use crate::hashkit::Token;
use crate::mbuf::Raw;
use crate::proto::redis::command::Command;
use crate::proto::redis::lookup::lookup;
use crate::proto::redis::request::Span;

/// Longest command name there is, for looking one up in a spread request.
const NAME_ROOM: usize = 64;

/// A request, as far as placing it is concerned.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    /// How it is placed and counted, for any keys.
    pub route: Route,
    /// Of its first key.
    pub token: Token,
    /// Its bytes.
    pub raw: Raw<'a>,
}

/// The command of Redis that a request names.
#[inline]
pub(super) fn command_of(raw: Raw<'_>, name: Span) -> Option<&'static Command> {
    match raw {
        Raw::Whole(slice, from, to) => lookup(name.of(slice.get(from..to).unwrap_or(&[]))),
        Raw::Spread(chain) => {
            let mut room = [0; NAME_ROOM];
            let room = room.get_mut(..name.len as usize)?;
            let n = chain.gather(name.at as usize, room);
            lookup(room.get(..n).unwrap_or(&[]))
        }
    }
}
