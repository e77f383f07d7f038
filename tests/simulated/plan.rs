//! The plan of one cluster: its nodes, and the owners of keys. Owners are found by looking at every token,
//! apart from the program's own code, so that a mistake there is not repeated here.

use super::random::Random;
use dynomite::cluster::member::Member;
use dynomite::cluster::topology::Topology;
use dynomite::config::Endpoint;
use dynomite::hashkit::{HashKind, Token, hash};
use std::sync::Arc;

/// A node's place.
#[derive(Clone, Debug)]
pub struct Place {
    pub dc: usize,
    pub rack: usize,
    /// Its tokens; a hash of 0 aside, they are compared as numbers.
    tokens: Vec<u32>,
}

/// The members of the cluster.
#[derive(Clone, Debug)]
pub struct Plan {
    pub nodes: Vec<Place>,
    /// Racks of each datacenter.
    pub racks: Vec<usize>,
    /// Which nodes are members: at first, and after each change.
    epochs: Vec<Vec<bool>>,
    /// How often each node has got another address.
    moves: Vec<u16>,
}

/// Ports of nodes that have moved so often.
const MOVED: u16 = 1000;

impl Plan {
    /// A cluster; small ones are more likely.
    pub fn new(random: &mut Random) -> Plan {
        let dcs = random.pick(&[1, 1, 1, 2, 2, 3]);
        let mut nodes = Vec::new();
        let mut racks = Vec::new();
        let most_racks = if dcs > 1 { 2 } else { 3 };
        let large = random.chance(10);
        for dc in 0..dcs {
            let here = match large {
                true => 3,
                false => random.between(1, most_racks),
            };
            racks.push(here);
            for rack in 0..here {
                let count = match large {
                    true => 3,
                    false => random.pick(&[1, 1, 1, 2, 2, 3]),
                };
                let equal = random.chance(500);
                for at in 0..count {
                    let mut tokens = vec![match equal {
                        true => (u32::MAX / count as u32) * at as u32 + 77,
                        false => random.next() as u32,
                    }];
                    while random.chance(150) {
                        tokens.push(random.next() as u32);
                    }
                    nodes.push(Place { dc, rack, tokens });
                }
            }
        }
        Plan::with(nodes, racks)
    }

    fn with(nodes: Vec<Place>, racks: Vec<usize>) -> Plan {
        Plan {
            epochs: vec![vec![true; nodes.len()]],
            moves: vec![0; nodes.len()],
            nodes,
            racks,
        }
    }

    /// Another node, that is no member yet.
    pub fn add_spare(&mut self, random: &mut Random) {
        let Place { dc, rack, .. } = self.nodes[random.below(self.nodes.len())];
        let tokens = vec![random.next() as u32];
        self.nodes.push(Place { dc, rack, tokens });
        self.epochs[0].push(false);
        self.moves.push(0);
    }

    pub fn is_member(&self, node: usize) -> bool {
        self.epochs.last().is_some_and(|members| members[node])
    }

    /// Returns true if a node has ever been a member.
    pub fn was_member(&self, node: usize) -> bool {
        self.epochs.iter().any(|members| members[node])
    }

    /// Returns true if a node has ever been the only member.
    pub fn was_alone(&self, node: usize) -> bool {
        let is_alone = |members: &Vec<bool>| {
            (0..)
                .zip(members)
                .all(|(other, &is_member)| is_member == (other == node))
        };
        self.epochs.iter().any(is_alone)
    }

    /// Returns true if a rack would be left with a member if this one left.
    pub fn can_leave(&self, node: usize) -> bool {
        let at = |node: usize| (self.nodes[node].dc, self.nodes[node].rack);
        let mut others = (0..self.nodes.len()).filter(|&other| other != node);
        self.is_member(node) && others.any(|other| self.is_member(other) && at(other) == at(node))
    }

    /// From now on a node is a member, or is none.
    pub fn set_member(&mut self, node: usize, is_member: bool) {
        let mut members = self.epochs.last().cloned().unwrap_or_default();
        members[node] = is_member;
        self.epochs.push(members);
    }

    /// From now on a node has another address.
    pub fn move_away(&mut self, node: usize) {
        self.moves[node] += 1;
    }

    /// A given one: for each datacenter, for each rack, how many nodes.
    pub fn of(shape: &[&[usize]]) -> Plan {
        let mut nodes = Vec::new();
        for (dc, racks) in shape.iter().enumerate() {
            for (rack, &count) in racks.iter().enumerate() {
                for at in 0..count {
                    let token = (u32::MAX / count as u32) * at as u32 + 77;
                    nodes.push(Place {
                        dc,
                        rack,
                        tokens: vec![token],
                    });
                }
            }
        }
        Plan::with(nodes, shape.iter().map(|racks| racks.len()).collect())
    }

    fn member(&self, node: usize) -> Member {
        let place = &self.nodes[node];
        Member {
            name: format!("n{node}"),
            endpoint: Endpoint::Tcp {
                host: format!("n{node}"),
                port: 1 + node as u16 + MOVED * self.moves[node],
            },
            dc: format!("dc{}", place.dc),
            rack: format!("rack{}", place.rack),
            tokens: place.tokens.iter().map(|t| Token::of_hash(*t)).collect(),
        }
    }

    /// The cluster as one node sees it.
    pub fn topology(&self, me: usize, random: &mut Random) -> Arc<Topology> {
        let seeds = self.others(me, random);
        Arc::new(Topology::build(self.member(me), seeds).unwrap().topology)
    }

    /// The members besides one, in any order.
    pub fn others(&self, me: usize, random: &mut Random) -> Vec<Member> {
        let nodes = 0..self.nodes.len();
        let mut others: Vec<usize> = nodes.filter(|&n| n != me && self.is_member(n)).collect();
        if !others.is_empty() {
            let at = random.below(others.len());
            others.rotate_left(at);
        }
        others.iter().map(|&other| self.member(other)).collect()
    }

    /// The same for a node whose list has wrong tokens.
    pub fn misled(&self, me: usize, random: &mut Random) -> Arc<Topology> {
        let mut wrong = self.clone();
        for place in &mut wrong.nodes {
            for token in &mut place.tokens {
                *token = random.next() as u32;
            }
        }
        wrong.topology(me, random)
    }

    /// The node an endpoint belongs to, or once belonged to.
    pub fn node_at(endpoint: &Endpoint) -> Option<usize> {
        match endpoint {
            Endpoint::Tcp { host, port } if host.starts_with('n') => {
                Some(usize::from(*port % MOVED) - 1)
            }
            _ => None,
        }
    }

    /// Returns true if a node is at an endpoint now.
    pub fn is_at(&self, node: usize, endpoint: &Endpoint) -> bool {
        self.member(node).endpoint == *endpoint
    }

    /// The owner of a key in a rack.
    pub fn owner(&self, dc: usize, rack: usize, key: &str) -> usize {
        self.owner_at(self.epochs.len() - 1, dc, rack, key)
    }

    fn owner_at(&self, epoch: usize, dc: usize, rack: usize, key: &str) -> usize {
        let at = hash(HashKind::Murmur, key.as_bytes());
        let tokens = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(node, place)| {
                place.dc == dc && place.rack == rack && self.epochs[epoch][*node]
            })
            .flat_map(|(node, place)| place.tokens.iter().map(move |&token| (token, node)));
        let above = tokens.clone().filter(|&(token, _)| token >= at).min();
        above.or(tokens.min()).unwrap().1
    }

    /// The owners of a key in all racks of a datacenter.
    pub fn owners(&self, dc: usize, key: &str) -> Vec<usize> {
        (0..self.racks[dc])
            .map(|rack| self.owner(dc, rack, key))
            .collect()
    }

    /// The possible owners of a key in a rack.
    pub fn owners_in(&self, dc: usize, rack: usize, key: &str) -> Vec<usize> {
        let epochs = 0..self.epochs.len();
        let mut owners: Vec<usize> = epochs
            .map(|epoch| self.owner_at(epoch, dc, rack, key))
            .collect();
        owners.sort_unstable();
        owners.dedup();
        owners
    }

    /// The possible owners of a key in a datacenter.
    pub fn owners_ever(&self, dc: usize, key: &str) -> Vec<usize> {
        let racks = 0..self.racks[dc];
        racks
            .flat_map(|rack| self.owners_in(dc, rack, key))
            .collect()
    }

    /// Returns true if a node may be asked for a key.
    pub fn may_own(&self, node: usize, key: &str) -> bool {
        let place = &self.nodes[node];
        self.owners_in(place.dc, place.rack, key).contains(&node)
    }

    /// Returns true if a node owns a key.
    pub fn owns(&self, node: usize, key: &str) -> bool {
        let place = &self.nodes[node];
        self.owner(place.dc, place.rack, key) == node
    }
}
