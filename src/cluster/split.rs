//! The pieces of a request with several keys.
//!
//! A piece is a set of keys that have one owner in every rack concerned, so it is an ordinary
//! request for every node that gets it, and is placed by the token of any of its keys. Where all
//! racks have the same tokens there is one piece for each owner in this rack. Where they differ
//! there are more; the original splits by its own rack only, and leaves keys with nodes of other
//! racks that do not own them.

use super::id::{NodeId, RackId};
use super::topology::Topology;
use crate::hashkit::Token;
use std::collections::HashMap;
use std::hash::{BuildHasherDefault, DefaultHasher};

/// A division of a request's keys, which are known by their places in the request. Meant to be
/// reused; it holds a few words for each key of the largest request it has seen, and the
/// parser bounds that.
#[derive(Clone, Debug, Default)]
pub struct Split {
    /// The piece of each key.
    piece_of: Vec<u32>,
    /// Places of keys, piece after piece.
    places: Vec<u32>,
    /// Where each piece ends in `places`.
    ends: Vec<u32>,
    /// While dividing: the piece of keys that were together so far and have this owner.
    /// Hashed without a secret, so that equal requests cost the same in every run: clients cannot choose these keys.
    refined: HashMap<(u32, NodeId), u32, BuildHasherDefault<DefaultHasher>>,
}

impl Split {
    /// Divides keys with these tokens so that each piece has one owner in each of the racks
    /// ([`Topology::rings`], or a single rack). Any tokens will do if the cluster needs no hashes.
    ///
    /// A list of more than 2^32 keys is cut there.
    pub fn divide(&mut self, topology: &Topology, tokens: &[Token], racks: &[RackId]) {
        self.piece_of.clear();
        self.piece_of.resize(tokens.len(), 0);
        let mut pieces = u32::from(!tokens.is_empty());
        for rack in racks {
            let Some(rack) = topology.rack(*rack) else {
                continue;
            };
            self.refined.clear();
            pieces = 0;
            for (piece, token) in self.piece_of.iter_mut().zip(tokens) {
                let owner = rack.ring.owner(*token);
                *piece = *self.refined.entry((*piece, owner)).or_insert_with(|| {
                    pieces += 1;
                    pieces - 1
                });
            }
        }
        self.collect(pieces);
    }

    /// Sorts the places by piece, counting.
    fn collect(&mut self, pieces: u32) {
        self.ends.clear();
        self.ends.resize(pieces as usize, 0);
        for piece in &self.piece_of {
            if let Some(count) = self.ends.get_mut(*piece as usize) {
                *count += 1;
            }
        }
        // From sizes to beginnings; filling the pieces moves each to its end.
        let mut total = 0;
        for end in &mut self.ends {
            total += std::mem::replace(end, total);
        }
        self.places.clear();
        self.places.resize(total as usize, 0);
        for (place, piece) in (0..).zip(&self.piece_of) {
            if let Some(end) = self.ends.get_mut(*piece as usize) {
                if let Some(slot) = self.places.get_mut(*end as usize) {
                    *slot = place;
                }
                *end += 1;
            }
        }
    }

    /// The pieces in the order of their first keys: the places of the keys in each, ascending.
    pub fn pieces(&self) -> impl ExactSizeIterator<Item = &[u32]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let piece = self.places.get(start..*end as usize).unwrap_or_default();
            start = *end as usize;
            piece
        })
    }

    /// For each key, in the request's order, the number of its piece.
    pub fn piece_of(&self) -> &[u32] {
        &self.piece_of
    }
}

/// Returns true if keys with these tokens have one owner in each of the racks: then a command that cannot
/// be split may run, else it is refused. True for no key and for one.
pub fn same_owner(topology: &Topology, tokens: &[Token], racks: &[RackId]) -> bool {
    let Some((first, others)) = tokens.split_first() else {
        return true;
    };
    racks.iter().all(|rack| {
        let owner = |token: &Token| topology.owner(*rack, *token);
        let first = owner(first);
        others.iter().all(|token| owner(token) == first)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cluster::topology::Scope;
    use crate::cluster::topology::tests::built;
    use proptest::prelude::*;

    fn tokens(hashes: &[u32]) -> Vec<Token> {
        hashes.iter().map(|hash| Token::of_hash(*hash)).collect()
    }

    fn pieces(split: &Split) -> Vec<&[u32]> {
        split.pieces().collect()
    }

    /// This rack has one node, the next two, a remote one two at other places.
    const UNEQUAL: [&str; 5] = [
        "a d r 1000",
        "b d s 100",
        "c d s 200",
        "e f q 150",
        "g f q 250",
    ];

    #[test]
    fn keys_are_together_while_every_rack_agrees() {
        let topology = built(&UNEQUAL).topology;
        // s: up to 100 and above 200 b, else c. q: up to 150 and above 250 e, else g.
        let keys = tokens(&[170, 50, 120, 60, 220, 180]);
        let mut split = Split::default();
        for (scope, expected) in [
            (Scope::OwnRack, &[&[0, 1, 2, 3, 4, 5][..]][..]),
            (Scope::LocalDc, &[&[0, 2, 5], &[1, 3, 4]]),
            (Scope::Everywhere, &[&[0, 5], &[1, 3], &[2], &[4]]),
        ] {
            let racks = topology.rings(scope);
            split.divide(&topology, &keys, racks);
            assert_eq!(pieces(&split), expected, "{scope:?}");
            assert_eq!(
                same_owner(&topology, &keys, racks),
                expected.len() == 1,
                "{scope:?}"
            );
        }
        assert_eq!(split.piece_of(), [0, 1, 2, 1, 3, 0]);
    }

    #[test]
    fn few_keys_are_one_piece_or_none() {
        let topology = built(&UNEQUAL).topology;
        let racks = topology.rings(Scope::Everywhere);
        let mut split = Split::default();
        split.divide(&topology, &tokens(&[7]), racks);
        assert_eq!(pieces(&split), [&[0][..]]);
        split.divide(&topology, &[], racks);
        assert_eq!(split.pieces().len(), 0);
        assert!(same_owner(&topology, &[], racks));
        assert!(same_owner(&topology, &tokens(&[7]), racks));
        // A rack of another topology divides nothing.
        split.divide(&topology, &tokens(&[7, 170]), &[RackId(77)]);
        assert_eq!(split.pieces().len(), 1);
    }

    proptest! {
        /// Two keys share a piece exactly if all racks give them one owner, with the racks that
        /// `rings` leaves out as well.
        #[test]
        fn pieces_are_the_classes_of_equal_owners(
            hashes in proptest::collection::vec(0u32..300, 0..40),
        ) {
            let topology = built(&UNEQUAL).topology;
            let keys = tokens(&hashes);
            let mut split = Split::default();
            split.divide(&topology, &keys, topology.rings(Scope::Everywhere));
            let owners = |key: usize| -> Vec<_> {
                let racks = (0..topology.racks().len() as u16).map(RackId);
                racks.map(|rack| topology.owner(rack, keys[key])).collect()
            };
            let piece_of = split.piece_of();
            for a in 0..keys.len() {
                for b in 0..keys.len() {
                    prop_assert_eq!(piece_of[a] == piece_of[b], owners(a) == owners(b));
                }
            }
            let mut all: Vec<u32> = split.pieces().flatten().copied().collect();
            for piece in split.pieces() {
                prop_assert!(piece.is_sorted() && !piece.is_empty());
            }
            all.sort_unstable();
            prop_assert_eq!(all, (0..keys.len() as u32).collect::<Vec<_>>());
        }
    }
}
