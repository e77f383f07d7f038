//! The tokens that name connections, listeners and the rest to the kernel.

use super::accept::ListenerKind;
use crate::node::{ConnId, Kind};
use mio::Token;

/// The thing a token names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// A connection of the node.
    Conn(ConnId),
    /// An HTTP connection.
    Admin(u32, u32),
    /// A listener.
    Listener(ListenerKind),
    /// The signals.
    Signals,
    /// The resolver has an answer.
    Waker,
}

/// The kinds of connection of a node, by the number in their tokens.
const KINDS: [Kind; 4] = [Kind::Client, Kind::Store, Kind::DnodeClient, Kind::Peer];
const ADMIN: usize = 8;
const SINGLE: usize = 9;
/// Singletons, by the number in their tokens.
const SINGLES: [Name; 5] = [
    Name::Listener(ListenerKind::Clients),
    Name::Listener(ListenerKind::Peers),
    Name::Listener(ListenerKind::Stats),
    Name::Signals,
    Name::Waker,
];

fn pack(kind: usize, key: u32, generation: u32) -> Token {
    Token(kind << 60 | (key as usize & 0x0fff_ffff) << 32 | generation as usize)
}

impl Name {
    /// The token of this name: kind, place and generation in one word.
    pub fn token(self) -> Token {
        match self {
            Name::Conn(id) => pack(id.kind as usize, id.key, id.generation),
            Name::Admin(key, generation) => pack(ADMIN, key, generation),
            single => {
                let place = SINGLES
                    .iter()
                    .position(|name| *name == single)
                    .unwrap_or_default();
                pack(SINGLE, place as u32, 0)
            }
        }
    }

    /// The name behind a token made by [`Name::token`].
    #[inline]
    pub fn of(token: Token) -> Option<Name> {
        let key = (token.0 >> 32) as u32 & 0x0fff_ffff;
        let generation = token.0 as u32;
        match token.0 >> 60 {
            ADMIN => Some(Name::Admin(key, generation)),
            SINGLE => SINGLES.get(key as usize).copied(),
            kind => KINDS.get(kind).map(|&kind| {
                Name::Conn(ConnId {
                    kind,
                    key,
                    generation,
                })
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_have_the_numbers_of_their_tables() {
        for (number, kind) in KINDS.into_iter().enumerate() {
            assert_eq!(kind as usize, number);
        }
    }

    #[test]
    fn tokens_name_what_they_were_made_of() {
        let conn = |kind, key, generation| {
            Name::Conn(ConnId {
                kind,
                key,
                generation,
            })
        };
        for name in [
            conn(Kind::Client, 0, 0),
            conn(Kind::Client, 0x0fff_ffff, u32::MAX),
            conn(Kind::Store, 254, 7),
            conn(Kind::DnodeClient, 1, 2),
            conn(Kind::Peer, 3, 4),
            Name::Admin(255, u32::MAX),
            Name::Listener(ListenerKind::Clients),
            Name::Listener(ListenerKind::Peers),
            Name::Listener(ListenerKind::Stats),
            Name::Signals,
            Name::Waker,
        ] {
            assert_eq!(Name::of(name.token()), Some(name));
        }
    }
}
