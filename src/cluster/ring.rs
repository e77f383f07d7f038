//! The tokens of one rack, and which node owns a position among them.
//!
//! A node with token T owns the positions after the previous token up to T itself: the owner of a
//! key is the node with the smallest token that is not below the key's; above the highest token the
//! ring starts again at the lowest. Every node of a cluster follows this rule, the C original
//! included (observed for every hash function and shape of rack tried).

use super::id::NodeId;
use crate::hashkit::{Signum, Token};

/// The ring of one rack. Never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ring {
    /// Sorted, without repetitions.
    positions: Vec<u64>,
    /// The owner at the same index of `positions`.
    owners: Vec<NodeId>,
    /// The owner of the lowest token.
    lowest: NodeId,
    single: bool,
}

/// Two nodes of a rack that claim one token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Clash {
    /// The token.
    pub token: Token,
    /// The node that keeps it.
    pub owner: NodeId,
    /// The node that lost it.
    pub loser: NodeId,
}

/// A token as one number of the same order: the sign above the magnitude.
#[inline]
fn position(token: Token) -> u64 {
    let signum: u64 = match token.signum() {
        Signum::Zero => 0,
        Signum::Positive => 1,
        Signum::Negative => 2,
    };
    signum << 32 | u64::from(token.value())
}

impl Ring {
    /// The ring of these tokens, in any order; `None` if there are none. Of two nodes with one
    /// token the earlier in `entries` keeps it, and the clash is reported. (The original's choice
    /// depends on its sort and differs from node to node.)
    pub fn build(entries: &[(Token, NodeId)]) -> Option<(Ring, Vec<Clash>)> {
        let mut sorted = entries.to_vec();
        // Stable, so that the earlier of two equals stays in front.
        sorted.sort_by_key(|(token, _)| *token);
        let mut clashes = Vec::new();
        sorted.dedup_by(|later, kept| {
            let same = later.0 == kept.0;
            if same && later.1 != kept.1 {
                clashes.push(Clash {
                    token: kept.0,
                    owner: kept.1,
                    loser: later.1,
                });
            }
            same
        });
        let (_, lowest) = *sorted.first()?;
        let ring = Ring {
            positions: sorted.iter().map(|(token, _)| position(*token)).collect(),
            owners: sorted.iter().map(|(_, node)| *node).collect(),
            lowest,
            single: sorted.iter().all(|(_, node)| *node == lowest),
        };
        Some((ring, clashes))
    }

    /// Returns true if the owner depends on the token. A rack with one node owns every key with it, and the
    /// key need not be hashed.
    pub fn needs_hash(&self) -> bool {
        !self.single
    }

    /// The node that owns `token`. Some ten nanoseconds: one binary search, and none for a rack
    /// with one node.
    #[inline]
    pub fn owner(&self, token: Token) -> NodeId {
        if self.single {
            return self.lowest;
        }
        let token = position(token);
        let index = self.positions.partition_point(|other| *other < token);
        self.owners.get(index).copied().unwrap_or(self.lowest)
    }

    /// Every node that owns something, once, in ring order from the lowest token: the same on every
    /// node of the rack.
    pub fn owners(&self) -> Vec<NodeId> {
        let mut seen = std::collections::HashSet::new();
        let mut owners = self.owners.clone();
        owners.retain(|node| seen.insert(*node));
        owners
    }

    /// The same for two rings exactly if they divide all keys alike, whatever their nodes are
    /// called: each token with the number of its owner, owners counted in ring order.
    pub(super) fn shape(&self) -> Vec<(u64, usize)> {
        let mut seen: std::collections::HashMap<NodeId, usize> = std::collections::HashMap::new();
        let numbered = self
            .positions
            .iter()
            .zip(&self.owners)
            .map(|(token, node)| {
                let next = seen.len();
                (*token, *seen.entry(*node).or_insert(next))
            });
        numbered.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn vectors() -> serde_json::Value {
        serde_json::from_str(include_str!("../../tests/data/hash-vectors.json")).unwrap()
    }

    fn ring(tokens: &[Token]) -> Ring {
        let entries: Vec<_> = tokens.iter().copied().zip((0..).map(NodeId)).collect();
        Ring::build(&entries).unwrap().0
    }

    fn index(value: &serde_json::Value) -> NodeId {
        NodeId(u16::try_from(value.as_u64().unwrap()).unwrap())
    }

    #[test]
    fn owners_are_the_originals() {
        let file = vectors();
        let mut compared = 0;
        for case in file["ring_lookup"].as_array().unwrap() {
            let tokens: Vec<Token> = case["tokens_in_file_order"]
                .as_array()
                .unwrap()
                .iter()
                .map(|text| Token::parse_original(text.as_str().unwrap()))
                .collect();
            let ring = ring(&tokens);
            for lookup in case["lookups"].as_array().unwrap() {
                let hash = u32::try_from(lookup["key_token"].as_u64().unwrap()).unwrap();
                assert_eq!(
                    ring.owner(Token::of_hash(hash)),
                    index(&lookup["owner_index"]),
                    "{hash} in {tokens:?}"
                );
                compared += 1;
            }
        }
        assert!(compared >= 40, "only {compared} lookups compared");
    }

    #[test]
    fn keys_land_where_the_original_puts_them() {
        let file = vectors();
        let ring = ring(&["0", "1431655765", "2863311530"].map(Token::parse_original));
        let keys = file["vectors"].as_array().unwrap();
        for vector in keys {
            let hash = vector["token"]["murmur"].as_u64().unwrap();
            assert_eq!(
                ring.owner(Token::of_hash(u32::try_from(hash).unwrap())),
                index(&vector["murmur_ring3_index"]),
                "{}",
                vector["label"]
            );
        }
        assert!(keys.len() >= 20);
    }

    #[test]
    fn a_rack_with_one_node_needs_no_hash() {
        let entries = |nodes: &[u16]| {
            let token = |text| Token::parse_original(text);
            ["9", "5", "70"]
                .map(token)
                .into_iter()
                .zip(nodes.iter().map(|node| NodeId(*node)))
                .collect::<Vec<_>>()
        };
        let (one, _) = Ring::build(&entries(&[4, 4, 4])).unwrap();
        assert!(!one.needs_hash());
        assert_eq!(one.owner(Token::of_hash(6)), NodeId(4));
        let (two, _) = Ring::build(&entries(&[4, 3, 4])).unwrap();
        assert!(two.needs_hash());
        assert_eq!(two.owner(Token::of_hash(6)), NodeId(4));
        assert_eq!(two.owner(Token::of_hash(5)), NodeId(3));
        assert_eq!(two.owner(Token::of_hash(71)), NodeId(3));
        assert_eq!(Ring::build(&[]), None);
    }

    #[test]
    fn the_earlier_of_two_claims_wins_and_is_reported() {
        let token = Token::of_hash(7);
        let claims = [(token, NodeId(2)), (token, NodeId(1)), (token, NodeId(2))];
        let (ring, clashes) = Ring::build(&claims).unwrap();
        assert_eq!(ring.owner(token), NodeId(2));
        assert_eq!(
            clashes,
            [Clash {
                token,
                owner: NodeId(2),
                loser: NodeId(1)
            }]
        );
    }

    #[test]
    fn shapes_compare_divisions_not_names() {
        let shape = |owners: [u16; 3]| {
            let entries: Vec<_> = (1..).map(Token::of_hash).zip(owners.map(NodeId)).collect();
            Ring::build(&entries).unwrap().0.shape()
        };
        assert_eq!(shape([1, 2, 3]), shape([7, 5, 6]));
        assert_eq!(shape([1, 2, 1]), shape([5, 0, 5]));
        assert_ne!(shape([1, 2, 1]), shape([1, 2, 2]));
    }

    /// Tokens and keys at and around each other and the ends of the ring, anywhere else, and many equal ones.
    fn position() -> impl Strategy<Value = u32> {
        let step = prop::sample::select(vec![0, 1, 2, u32::MAX, u32::MAX - 1]);
        let place = prop::sample::select(vec![0, 1 << 16, 1 << 31, 0x7fff_0000, 1_431_655_765]);
        prop_oneof![
            (place, step).prop_map(|(place, step): (u32, u32)| place.wrapping_add(step)),
            0u32..2000,
            any::<u32>(),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(96))]

        #[test]
        fn owners_are_found_as_by_looking_at_every_token(
            tokens in prop_oneof![
                prop::collection::vec((position(), 0u16..6), 1..40),
                prop::collection::vec((position(), 0u16..3000), 1000..3000),
                prop::collection::vec((position(), Just(7)), 1..9),
            ],
            keys in prop::collection::vec(position(), 20),
        ) {
            let entries: Vec<_> = tokens
                .iter()
                .map(|(value, node)| (Token::of_hash(*value), NodeId(*node)))
                .collect();
            let (ring, clashes) = Ring::build(&entries).unwrap();
            // Bare numbers from here on; of equal ones the first in the list counts.
            let expected = |key: u32| {
                // How far each token is above the key, or beyond it through the end of the ring.
                let (mut nearest, mut owner) = (u64::MAX, NodeId(u16::MAX));
                for &(token, node) in &tokens {
                    let way = (u64::from(token) + (1 << 32) - u64::from(key)) % (1 << 32);
                    if way < nearest {
                        (nearest, owner) = (way, NodeId(node));
                    }
                }
                owner
            };
            let around = tokens.iter().take(50).flat_map(|&(token, _)| {
                [token, token.wrapping_add(1), token.wrapping_sub(1)]
            });
            for key in keys.into_iter().chain(around).chain([0, 1, u32::MAX]) {
                let owner = ring.owner(Token::of_hash(key));
                prop_assert_eq!(owner, expected(key), "{}", key);
                prop_assert!(ring.needs_hash() || owner == NodeId(tokens[0].1));
            }
            // Each that owns a token that nobody before it has claimed, once, from the lowest token on.
            let mut owned = std::collections::BTreeMap::new();
            for &(token, node) in &tokens {
                let owner = *owned.entry(token).or_insert(node);
                let clash = Clash {
                    token: Token::of_hash(token),
                    owner: NodeId(owner),
                    loser: NodeId(node),
                };
                prop_assert!(owner == node || clashes.contains(&clash), "{:?}", clash);
            }
            let mut owners: Vec<NodeId> = Vec::new();
            for node in owned.into_values().map(NodeId) {
                if !owners.contains(&node) {
                    owners.push(node);
                }
            }
            prop_assert_eq!(ring.needs_hash(), owners.len() > 1);
            prop_assert_eq!(ring.owners(), owners);
        }
    }
}
