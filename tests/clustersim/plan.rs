//! The plan of one cluster: who is where, and who owns what. Owners are found by looking at every token,
//! apart from the program's own code, so that a mistake there is not repeated here.

use crate::random::Random;
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

/// Who is in the cluster.
#[derive(Clone, Debug)]
pub struct Plan {
    pub nodes: Vec<Place>,
    /// Racks of each datacenter.
    pub racks: Vec<usize>,
}

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
        Plan { nodes, racks }
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
        Plan {
            nodes,
            racks: shape.iter().map(|racks| racks.len()).collect(),
        }
    }

    fn member(&self, node: usize) -> Member {
        let place = &self.nodes[node];
        Member {
            name: format!("n{node}"),
            endpoint: Endpoint::Tcp {
                host: format!("n{node}"),
                port: 1 + node as u16,
            },
            dc: format!("dc{}", place.dc),
            rack: format!("rack{}", place.rack),
            tokens: place.tokens.iter().map(|t| Token::of_hash(*t)).collect(),
        }
    }

    /// The cluster as one node sees it.
    pub fn topology(&self, me: usize, random: &mut Random) -> Arc<Topology> {
        let mut others: Vec<usize> = (0..self.nodes.len()).filter(|&n| n != me).collect();
        if !others.is_empty() {
            let at = random.below(others.len());
            others.rotate_left(at);
        }
        let seeds = others.iter().map(|&other| self.member(other)).collect();
        Arc::new(Topology::build(self.member(me), seeds).unwrap().topology)
    }

    /// The same for a node that has been told a wrong place for everybody's tokens.
    pub fn misled(&self, me: usize, random: &mut Random) -> Arc<Topology> {
        let mut wrong = self.clone();
        for place in &mut wrong.nodes {
            for token in &mut place.tokens {
                *token = random.next() as u32;
            }
        }
        wrong.topology(me, random)
    }

    /// The node an endpoint belongs to.
    pub fn node_at(endpoint: &Endpoint) -> Option<usize> {
        match endpoint {
            Endpoint::Tcp { host, port } if host.starts_with('n') => Some(usize::from(*port) - 1),
            _ => None,
        }
    }

    /// The owner of a key in a rack.
    pub fn owner(&self, dc: usize, rack: usize, key: &str) -> usize {
        let at = hash(HashKind::Murmur, key.as_bytes());
        let tokens = self
            .nodes
            .iter()
            .enumerate()
            .filter(|(_, place)| place.dc == dc && place.rack == rack)
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

    /// Who may own a key in a rack.
    pub fn owners_in(&self, dc: usize, rack: usize, key: &str) -> Vec<usize> {
        vec![self.owner(dc, rack, key)]
    }

    /// Who may own a key in a datacenter.
    pub fn owners_ever(&self, dc: usize, key: &str) -> Vec<usize> {
        let racks = 0..self.racks[dc];
        racks
            .flat_map(|rack| self.owners_in(dc, rack, key))
            .collect()
    }

    /// Whether a node may be asked for a key.
    pub fn may_own(&self, node: usize, key: &str) -> bool {
        self.owns(node, key)
    }

    /// Whether a node owns a key.
    pub fn owns(&self, node: usize, key: &str) -> bool {
        let place = &self.nodes[node];
        self.owner(place.dc, place.rack, key) == node
    }
}
