//! The connections of a node, found by the ids it gave them.

use crate::node::{ConnId, Kind};

/// A connection and its readiness.
#[derive(Debug)]
pub struct Conn<C> {
    /// The world's part: a socket, or the number of a link.
    pub inner: C,
    /// Distinguishes it from earlier connections in the same place.
    generation: u32,
    /// It is in the queue of connections to be read.
    pub(super) queued: bool,
    /// The last write did not take everything; the writable edge is awaited.
    pub(super) blocked: bool,
    /// The peer has ended its stream: read on until that shows, no further edge will come.
    pub(super) ended: bool,
    /// The connection is still being made.
    pub(super) connecting: bool,
}

impl<C> Conn<C> {
    pub(super) fn new(id: ConnId, inner: C, connecting: bool) -> Conn<C> {
        Conn {
            inner,
            generation: id.generation,
            queued: false,
            blocked: false,
            ended: false,
            connecting,
        }
    }

    /// Returns true if the kernel may take bytes for it.
    #[inline]
    pub(super) fn is_writable(&self) -> bool {
        !self.blocked && !self.connecting
    }

    /// Returns true while the connection is being made.
    pub fn is_connecting(&self) -> bool {
        self.connecting
    }
}

/// All kinds of connections, by the place of their [`Table`].
const KINDS: [Kind; 4] = [Kind::Client, Kind::Store, Kind::DnodeClient, Kind::Peer];

/// The connections of a node.
#[derive(Debug)]
pub struct Conns<C>([Table<C>; KINDS.len()]);

impl<C> Default for Conns<C> {
    fn default() -> Conns<C> {
        Conns(KINDS.map(|_| Table(Vec::new())))
    }
}

impl<C> Conns<C> {
    /// The connection of this id.
    #[inline]
    pub fn get(&self, id: ConnId) -> Option<&Conn<C>> {
        let place = self.0[id.kind as usize].0.get(id.key as usize)?;
        place
            .as_ref()
            .filter(|conn| conn.generation == id.generation)
    }

    /// The connection of this id, to be changed.
    #[inline]
    pub fn get_mut(&mut self, id: ConnId) -> Option<&mut Conn<C>> {
        let place = self.0[id.kind as usize].0.get_mut(id.key as usize)?;
        place
            .as_mut()
            .filter(|conn| conn.generation == id.generation)
    }

    /// All connections, ordered by kind and place.
    pub fn iter(&self) -> impl Iterator<Item = (ConnId, &Conn<C>)> {
        let tables = KINDS.iter().zip(&self.0);
        tables.flat_map(|(&kind, table)| {
            table.0.iter().zip(0..).filter_map(move |(place, key)| {
                let conn = place.as_ref()?;
                let generation = conn.generation;
                let id = ConnId {
                    kind,
                    key,
                    generation,
                };
                Some((id, conn))
            })
        })
    }

    /// Puts a connection into its place.
    pub(super) fn insert(&mut self, id: ConnId, conn: Conn<C>) {
        let (table, key) = (&mut self.0[id.kind as usize].0, id.key as usize);
        if table.len() <= key {
            table.resize_with(key + 1, || None);
        }
        table[key] = Some(conn);
    }

    /// Takes a connection out of its place.
    pub fn take(&mut self, id: ConnId) -> Option<C> {
        self.get(id)?;
        let place = self.0[id.kind as usize].0.get_mut(id.key as usize)?;
        place.take().map(|conn| conn.inner)
    }

    /// Returns the memory of empty places at the ends.
    pub(super) fn shrink(&mut self) {
        self.0.iter_mut().for_each(Table::shrink);
    }
}

/// Connections of one kind, each in the place its id names.
#[derive(Debug)]
struct Table<C>(Vec<Option<Conn<C>>>);

impl<C> Table<C> {
    fn shrink(&mut self) {
        while self.0.last().is_some_and(Option::is_none) {
            self.0.pop();
        }
        if self.0.len() < self.0.capacity() / 4 {
            self.0.shrink_to_fit();
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
}
