//! A request, as far as placing it is concerned.

use super::msg::Flags;
use crate::cluster::route::Routing;
use crate::hashkit::Token;
use crate::mbuf::Raw;
use crate::proto::redis::command::{Class, Command, Serve};
use crate::proto::redis::flags::cat;
use crate::proto::redis::keys::KeysError;
use crate::proto::redis::lookup::lookup;
use crate::proto::redis::request::Span;

/// Longest command name there is, for looking one up in a spread request.
const NAME_ROOM: usize = 64;

/// A request, as far as placing it is concerned.
#[derive(Clone, Copy)]
pub(super) struct Ask<'a> {
    /// The command's row in its table.
    pub row: u16,
    /// Where it may go.
    pub routing: Routing,
    /// Whether it stands in the statistics as a request.
    pub counted: bool,
    /// The command's, or what its arguments make of it.
    pub class: Class,
    /// What else its messages are to know.
    pub flags: Flags,
    /// Of its first key.
    pub token: Token,
    /// Its bytes.
    pub raw: Raw<'a>,
}

impl<'a> Ask<'a> {
    /// A request to Redis.
    #[inline]
    pub fn redis(command: &Command, class: Class, token: Token, raw: Raw<'a>) -> Ask<'a> {
        Ask {
            row: command.index(),
            routing: match command.serve {
                Serve::LocalNode | Serve::RackNodes => Routing::LocalNode,
                Serve::AllNodes | Serve::AllNodesGuarded => Routing::AllNodes,
                _ if command.own_rack => Routing::OwnRackOnly,
                _ => Routing::Normal,
            },
            counted: command.counted,
            class,
            flags: match command.runs_beside_scripts() {
                true => Flags::BESIDE_SCRIPTS,
                false => Flags::default(),
            },
            token,
            raw,
        }
    }

    /// A request that every datastore refuses for its number of keys, for the local one to say why, if the
    /// row leaves that to it: `FCALL` looks for the function first, and an older Redis does not know the
    /// command at all.
    pub fn for_its_error(command: &Command, error: KeysError, raw: Raw<'a>) -> Option<Ask<'a>> {
        let is_refused = match error {
            KeysError::NotAnInteger | KeysError::Negative | KeysError::TooMany => true,
            // A script runs without keys.
            KeysError::Zero => command.categories & cat::SCRIPTING == 0,
            _ => false,
        };
        (is_refused && command.store_refuses).then(|| Ask {
            routing: Routing::LocalNode,
            ..Ask::redis(command, Class::Read, Token::default(), raw)
        })
    }
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
