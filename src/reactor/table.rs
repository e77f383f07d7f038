//! Sockets by the ids the node gave them, and the tokens that name them to the kernel.

use super::socket::Socket;
use crate::node::{ConnId, Kind};
use mio::Token;

/// What a token names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Name {
    /// A connection of the node.
    Conn(ConnId),
    /// An HTTP connection.
    Admin(u32, u32),
    /// The client listener.
    Clients,
    /// The statistics listener.
    Stats,
    /// The signals.
    Signals,
    /// The resolver has an answer.
    Waker,
}

const CLIENT: usize = 0;
const STORE: usize = 1;
const ADMIN: usize = 2;
const SINGLE: usize = 3;

fn pack(kind: usize, key: u32, generation: u32) -> Token {
    Token(kind << 60 | (key as usize & 0x0fff_ffff) << 32 | generation as usize)
}

impl Name {
    /// The token of this name: kind, place and generation in one word.
    pub fn token(self) -> Token {
        match self {
            Name::Conn(ConnId {
                kind: Kind::Client,
                key,
                generation,
            }) => pack(CLIENT, key, generation),
            Name::Conn(ConnId {
                kind: Kind::Store,
                key,
                generation,
            }) => pack(STORE, key, generation),
            Name::Admin(key, generation) => pack(ADMIN, key, generation),
            Name::Clients => pack(SINGLE, 0, 0),
            Name::Stats => pack(SINGLE, 1, 0),
            Name::Signals => pack(SINGLE, 2, 0),
            Name::Waker => pack(SINGLE, 3, 0),
        }
    }

    /// The name behind a token made by [`Name::token`].
    pub fn of(token: Token) -> Option<Name> {
        let key = (token.0 >> 32) as u32 & 0x0fff_ffff;
        let generation = token.0 as u32;
        Some(match (token.0 >> 60, key) {
            (CLIENT, _) => Name::Conn(ConnId {
                kind: Kind::Client,
                key,
                generation,
            }),
            (STORE, _) => Name::Conn(ConnId {
                kind: Kind::Store,
                key,
                generation,
            }),
            (ADMIN, _) => Name::Admin(key, generation),
            (SINGLE, 0) => Name::Clients,
            (SINGLE, 1) => Name::Stats,
            (SINGLE, 2) => Name::Signals,
            (SINGLE, 3) => Name::Waker,
            _ => return None,
        })
    }
}

/// Sockets of one kind, each in the place its id names.
#[derive(Debug, Default)]
pub struct Table {
    sockets: Vec<Option<Socket>>,
}

impl Table {
    /// The socket in this place, if it is of this generation.
    #[inline]
    pub fn get(&mut self, key: u32, generation: u32) -> Option<&mut Socket> {
        self.sockets
            .get_mut(key as usize)?
            .as_mut()
            .filter(|socket| socket.generation == generation)
    }

    /// Puts a socket into a place.
    pub fn insert(&mut self, key: u32, socket: Socket) {
        let key = key as usize;
        if self.sockets.len() <= key {
            self.sockets.resize_with(key + 1, || None);
        }
        self.sockets[key] = Some(socket);
    }

    /// Takes a socket out of its place.
    pub fn take(&mut self, key: u32, generation: u32) -> Option<Socket> {
        self.get(key, generation)?;
        self.sockets.get_mut(key as usize)?.take()
    }

    /// Gives back the memory of empty places at the end.
    pub fn shrink(&mut self) {
        while self.sockets.last().is_some_and(Option::is_none) {
            self.sockets.pop();
        }
        if self.sockets.len() < self.sockets.capacity() / 4 {
            self.sockets.shrink_to_fit();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
            Name::Admin(255, u32::MAX),
            Name::Clients,
            Name::Stats,
            Name::Signals,
            Name::Waker,
        ] {
            assert_eq!(Name::of(name.token()), Some(name));
        }
    }
}
