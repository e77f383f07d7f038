//! Names of what a node keeps in tables, each of a type of its own.
//!
//! An id is a number of 32 bits that is never 0, so that an `Option` of one takes no more room than the id. Ids
//! are used again once what they named is gone; where something may outlive what it names, a
//! [`ConnId`] with its generation tells.

use super::{ConnId, Kind};
use slab::Slab;
use std::marker::PhantomData;
use std::num::NonZeroU32;

/// The name of a row in a [`Table`].
pub trait Id: Copy {
    /// The id of the row at this place.
    fn new(place: usize) -> Self;
    /// The row's place.
    fn place(self) -> usize;
}

/// A place as the number of an id. A table of 2³² - 1 rows would need more memory than any machine has.
#[inline]
fn number(place: usize) -> NonZeroU32 {
    NonZeroU32::MIN.saturating_add(place as u32)
}

/// The place of the number in an id.
#[inline]
fn place(number: NonZeroU32) -> usize {
    (number.get() - 1) as usize
}

/// Makes a type of id.
macro_rules! id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub struct $name(NonZeroU32);

        impl Id for $name {
            #[inline]
            fn new(place: usize) -> $name {
                $name(number(place))
            }

            #[inline]
            fn place(self) -> usize {
                place(self.0)
            }
        }
    };
}

id! {
    /// A message in flight: a request, or one of its copies or parts.
    ReqId
}
id! {
    /// A judge, which makes one answer of several replies.
    JudgeId
}
id! {
    /// The place of a connection that this node makes, to its datastore or to a peer. The place stays when the
    /// connection is lost.
    SlotId
}

impl SlotId {
    /// The slot of a connection that this node makes.
    #[inline]
    pub fn of(id: ConnId) -> SlotId {
        SlotId::new(id.key as usize)
    }

    /// The same slot as a part of a [`ConnId`].
    pub fn key(self) -> u32 {
        self.0.get() - 1
    }
}

/// Set in the number of a peer's front, so that one number names a front of either kind.
const PEER: u32 = 1 << 31;

/// A connection that requests come in on: a client's or a peer's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct FrontId(NonZeroU32);

impl FrontId {
    /// The client at this place.
    #[inline]
    pub fn client(place: usize) -> FrontId {
        FrontId(number(place))
    }

    /// The peer at this place.
    #[inline]
    pub fn peer(place: usize) -> FrontId {
        FrontId(number(place | PEER as usize))
    }

    /// The front of an accepted connection.
    #[inline]
    pub fn of(id: ConnId) -> FrontId {
        match id.kind {
            Kind::DnodeClient => FrontId::peer(id.key as usize),
            _ => FrontId::client(id.key as usize),
        }
    }

    /// Returns true if it is a peer's.
    #[inline]
    pub fn is_peer(self) -> bool {
        self.number() & PEER != 0
    }

    /// Its place among fronts of its kind.
    #[inline]
    pub fn place(self) -> usize {
        (self.number() & !PEER) as usize
    }

    /// A number that stays the same as long as the front: by it the front's requests keep to one of several
    /// connections, and so keep their order.
    #[inline]
    pub fn number(self) -> u32 {
        self.0.get() - 1
    }
}

/// Rows by their ids.
#[derive(Debug)]
pub struct Table<I, T> {
    rows: Slab<T>,
    id: PhantomData<I>,
}

impl<I, T> Default for Table<I, T> {
    fn default() -> Self {
        Table {
            rows: Slab::new(),
            id: PhantomData,
        }
    }
}

impl<I: Id, T> Table<I, T> {
    /// Takes in a row.
    #[inline]
    pub fn insert(&mut self, row: T) -> I {
        I::new(self.rows.insert(row))
    }

    /// The row of this id, if there is one.
    #[inline]
    pub fn get(&self, id: I) -> Option<&T> {
        self.rows.get(id.place())
    }

    /// The row of this id, to be changed.
    #[inline]
    pub fn get_mut(&mut self, id: I) -> Option<&mut T> {
        self.rows.get_mut(id.place())
    }

    /// Takes out the row of this id.
    #[inline]
    pub fn remove(&mut self, id: I) -> Option<T> {
        self.rows.try_remove(id.place())
    }

    /// All rows with their ids.
    pub fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        self.rows.iter().map(|(place, row)| (I::new(place), row))
    }

    /// All rows, to be changed.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = (I, &mut T)> {
        let rows = self.rows.iter_mut();
        rows.map(|(place, row)| (I::new(place), row))
    }

    /// How many rows there are.
    #[inline]
    pub fn len(&self) -> usize {
        self.rows.len()
    }

    /// Returns true if there is none.
    pub fn is_empty(&self) -> bool {
        self.rows.is_empty()
    }

    /// Rows for which there is memory.
    pub fn capacity(&self) -> usize {
        self.rows.capacity()
    }

    /// Gives back memory that no row needs.
    pub fn shrink_to_fit(&mut self) {
        self.rows.shrink_to_fit();
    }
}

/// Slots side by side: those of all connections to one node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Slots {
    first: u32,
    end: u32,
}

impl Slots {
    /// So many slots from this place on.
    pub fn new(first: usize, count: usize) -> Slots {
        Slots {
            first: first as u32,
            end: (first + count) as u32,
        }
    }

    /// How many there are.
    #[inline]
    pub fn len(&self) -> usize {
        (self.end - self.first) as usize
    }

    /// The one at this place, round and round.
    #[inline]
    pub fn nth_round(&self, at: u32) -> Option<SlotId> {
        let count = self.end - self.first;
        (count > 0).then(|| SlotId::new((self.first + at % count) as usize))
    }

    /// The first.
    #[inline]
    pub fn first(&self) -> Option<SlotId> {
        (self.first < self.end).then(|| SlotId::new(self.first as usize))
    }

    /// All of them, from this one on and round.
    pub fn from(&self, slot: SlotId) -> impl Iterator<Item = SlotId> + use<> {
        let at = slot.key();
        let places = (at..self.end).chain(self.first..at);
        places.map(|at| SlotId::new(at as usize))
    }

    /// The slots as places in a list of all connections.
    #[inline]
    pub fn places(&self) -> std::ops::Range<usize> {
        self.first as usize..self.end as usize
    }
}

impl Iterator for Slots {
    type Item = SlotId;

    #[inline]
    fn next(&mut self) -> Option<SlotId> {
        let slot = self.first()?;
        self.first += 1;
        Some(slot)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_id_takes_as_much_room_as_one() {
        assert_eq!(size_of::<Option<ReqId>>(), 4);
        assert_eq!(size_of::<Option<FrontId>>(), 4);
        assert_eq!(size_of::<Option<SlotId>>(), 4);
    }

    #[test]
    fn an_id_names_the_same_place_there_and_back() {
        for at in [0, 1, 77, PEER as usize - 2] {
            assert_eq!(ReqId::new(at).place(), at);
            let (client, peer) = (FrontId::client(at), FrontId::peer(at));
            assert_eq!((client.place(), peer.place()), (at, at));
            assert_eq!((client.is_peer(), peer.is_peer()), (false, true));
        }
    }

    #[test]
    fn slots_are_counted_round_and_round() {
        let mut slots = Slots::new(3, 2);
        let places = [0, 1, 2].map(|at| slots.nth_round(at).map(Id::place));
        assert_eq!(places, [Some(3), Some(4), Some(3)]);
        assert_eq!(slots.by_ref().count(), 2);
        assert_eq!((slots.len(), slots.first()), (0, None));
        assert_eq!(slots.nth_round(0), None);
    }
}
