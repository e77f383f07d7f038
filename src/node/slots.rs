//! The connections that a node makes, each in its slot: the datastore's first, then those to each peer.

use super::ids::{Id, SlotId, Slots};
use super::upstream::Upstream;

/// All connections that a node makes.
#[derive(Default)]
pub(super) struct Upstreams(Vec<Upstream>);

impl Upstreams {
    /// The connection in this slot.
    #[inline]
    pub fn get(&self, slot: SlotId) -> Option<&Upstream> {
        self.0.get(slot.place())
    }

    /// The connection in this slot, to be changed.
    #[inline]
    pub fn get_mut(&mut self, slot: SlotId) -> Option<&mut Upstream> {
        self.0.get_mut(slot.place())
    }

    /// The connections in these slots; none if one of them does not exist.
    #[inline]
    pub fn of(&self, slots: &Slots) -> &[Upstream] {
        self.0.get(slots.places()).unwrap_or_default()
    }

    /// All slots.
    #[inline]
    pub fn slots(&self) -> Slots {
        Slots::new(0, self.0.len())
    }

    /// All connections, slot by slot.
    #[inline]
    pub fn iter(&self) -> std::slice::Iter<'_, Upstream> {
        self.0.iter()
    }

    /// The same, to be changed.
    pub fn iter_mut(&mut self) -> std::slice::IterMut<'_, Upstream> {
        self.0.iter_mut()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Adds a connection behind all others, in the slot that [`Upstreams::next_slot`] has told.
    pub fn push(&mut self, upstream: Upstream) {
        self.0.push(upstream);
    }

    /// The slot behind all others.
    pub fn next_slot(&self) -> SlotId {
        SlotId::new(self.0.len())
    }

    /// The first slot of so many side by side that are free, or those behind all others.
    pub fn free(&self, count: usize, is_free: impl Fn(&Upstream) -> bool) -> Slots {
        let end = self.0.len();
        let fits = |at: &usize| {
            let places = self.0.get(*at..*at + count);
            places.is_some_and(|places| places.iter().all(&is_free))
        };
        Slots::new((0..end).find(fits).unwrap_or(end), count)
    }
}

#[cfg(test)]
impl std::ops::Index<usize> for Upstreams {
    type Output = Upstream;

    fn index(&self, place: usize) -> &Upstream {
        &self.0[place]
    }
}

#[cfg(test)]
impl std::ops::IndexMut<usize> for Upstreams {
    fn index_mut(&mut self, place: usize) -> &mut Upstream {
        &mut self.0[place]
    }
}
