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
    /// The peer listener.
    Peers,
    /// The statistics listener.
    Stats,
    /// The signals.
    Signals,
    /// The resolver has an answer.
    Waker,
}

/// The kinds of connection of a node, by the number in their tokens and of their [`Table`].
const KINDS: [Kind; 4] = [Kind::Client, Kind::Store, Kind::DnodeClient, Kind::Peer];
const ADMIN: usize = 8;
const SINGLE: usize = 9;
/// What there is one of, by the place in its token.
const SINGLES: [Name; 5] = [
    Name::Clients,
    Name::Peers,
    Name::Stats,
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

/// The sockets of all connections of a node.
#[derive(Debug, Default)]
pub struct Tables([Table; KINDS.len()]);

impl Tables {
    /// The socket of this connection.
    #[inline]
    pub fn get(&mut self, id: ConnId) -> Option<&mut Socket> {
        self.0[id.kind as usize].get(id.key, id.generation)
    }

    /// The same, to look at.
    #[inline]
    pub fn peek(&self, id: ConnId) -> Option<&Socket> {
        let socket = self.0[id.kind as usize].sockets.get(id.key as usize)?;
        let socket = socket.as_ref();
        socket.filter(|socket| socket.generation == id.generation)
    }

    /// Puts a socket into its place.
    pub fn insert(&mut self, id: ConnId, socket: Socket) {
        self.0[id.kind as usize].insert(id.key, socket);
    }

    /// Takes a socket out of its place.
    pub fn take(&mut self, id: ConnId) -> Option<Socket> {
        self.0[id.kind as usize].take(id.key, id.generation)
    }

    /// Gives back the memory of empty places at the ends.
    pub fn shrink(&mut self) {
        self.0.iter_mut().for_each(Table::shrink);
    }
}

/// Sockets of one kind, each in the place its id names.
#[derive(Debug, Default)]
struct Table {
    sockets: Vec<Option<Socket>>,
}

impl Table {
    /// The socket in this place, if it is of this generation.
    #[inline]
    fn get(&mut self, key: u32, generation: u32) -> Option<&mut Socket> {
        self.sockets
            .get_mut(key as usize)?
            .as_mut()
            .filter(|socket| socket.generation == generation)
    }

    /// Puts a socket into a place.
    fn insert(&mut self, key: u32, socket: Socket) {
        let key = key as usize;
        if self.sockets.len() <= key {
            self.sockets.resize_with(key + 1, || None);
        }
        self.sockets[key] = Some(socket);
    }

    /// Takes a socket out of its place.
    fn take(&mut self, key: u32, generation: u32) -> Option<Socket> {
        self.get(key, generation)?;
        self.sockets.get_mut(key as usize)?.take()
    }

    /// Gives back the memory of empty places at the end.
    fn shrink(&mut self) {
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
            Name::Clients,
            Name::Peers,
            Name::Stats,
            Name::Signals,
            Name::Waker,
        ] {
            assert_eq!(Name::of(name.token()), Some(name));
        }
    }
}
