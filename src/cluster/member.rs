//! A node as it is announced, and the mistakes a list of nodes can hold.

use crate::config::{Endpoint, Seed, Settings};
use crate::hashkit::{MAX_TOKENS, Token};
use std::collections::HashMap;
use std::fmt;

/// Most members, this node included; more are refused.
pub const MAX_NODES: usize = 4096;

/// A node as it is announced: what a topology is built from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    /// The name operators use for it in `/peer/…`; usually the host.
    pub name: String,
    /// The address at which peers reach it (`dyn_listen`).
    pub endpoint: Endpoint,
    /// Its datacenter; compared exactly.
    pub dc: String,
    /// Its rack; compared exactly, within the datacenter.
    pub rack: String,
    /// Its tokens, 1 to [`MAX_TOKENS`]; the first is the one announced.
    pub tokens: Vec<Token>,
}

impl From<&Seed> for Member {
    fn from(seed: &Seed) -> Member {
        Member {
            name: seed.name.clone(),
            endpoint: seed.endpoint(),
            dc: seed.dc.clone(),
            rack: seed.rack.clone(),
            tokens: seed.tokens.clone(),
        }
    }
}

impl Member {
    /// This node, as its configuration describes it.
    pub fn me(settings: &Settings) -> Member {
        Member {
            name: settings.dyn_listen.name().to_owned(),
            endpoint: settings.dyn_listen.target.clone(),
            dc: settings.datacenter.clone(),
            rack: settings.rack.clone(),
            tokens: settings.tokens.clone(),
        }
    }
}

impl fmt::Display for Member {
    /// `address rack:dc`, for messages to the operator.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}:{}", self.endpoint, self.rack, self.dc)
    }
}

/// A probable mistake in a list of members. Nodes are given as text, ready for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Warning {
    /// Two nodes of a rack have one token; the loser does not get those keys.
    SharedToken {
        /// The token.
        token: Token,
        /// The node that keeps it.
        owner: String,
        /// The node that loses it.
        loser: String,
    },
    /// Two members have one address.
    SharedAddress {
        /// The earlier.
        first: String,
        /// The later.
        second: String,
    },
    /// A node has more than one token; a node of the C original exits when gossip brings it such a node.
    SeveralTokens {
        /// The first such node.
        node: String,
        /// How many such nodes there are.
        nodes: usize,
    },
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Warning::SharedToken {
                token,
                owner,
                loser,
            } => write!(
                f,
                "token {token} is claimed by {owner} and {loser}: its keys go to the former"
            ),
            Warning::SharedAddress { first, second } => {
                write!(f, "{first} and {second} are different nodes at one address")
            }
            Warning::SeveralTokens { node, nodes } => write!(
                f,
                "{nodes} nodes have several tokens, {node} among them: do not use this while nodes of the C original are in the cluster"
            ),
        }
    }
}

/// Why a list of members cannot form a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TopologyError {
    /// More than [`MAX_NODES`] members.
    TooManyNodes(usize),
    /// A member without a token, or with more than [`MAX_TOKENS`].
    Tokens {
        /// The member, as text.
        node: String,
        /// How many it has.
        tokens: usize,
    },
}

impl fmt::Display for TopologyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            TopologyError::TooManyNodes(nodes) => {
                write!(f, "{nodes} nodes are more than the {MAX_NODES} supported")
            }
            TopologyError::Tokens { node, tokens } => write!(
                f,
                "{node} has {tokens} tokens, which is not between 1 and {MAX_TOKENS}"
            ),
        }
    }
}

impl std::error::Error for TopologyError {}

/// Checks that these members can form a cluster.
pub(super) fn check(members: &[Member]) -> Result<(), TopologyError> {
    if members.len() > MAX_NODES {
        return Err(TopologyError::TooManyNodes(members.len()));
    }
    let bad = |member: &&Member| member.tokens.is_empty() || member.tokens.len() > MAX_TOKENS;
    match members.iter().find(bad) {
        Some(member) => Err(TopologyError::Tokens {
            node: member.to_string(),
            tokens: member.tokens.len(),
        }),
        None => Ok(()),
    }
}

/// Returns the probable mistakes that show without assigning members to racks.
pub(super) fn suspicions(members: &[Member]) -> Vec<Warning> {
    let mut warnings = Vec::new();
    let mut addresses: HashMap<&Endpoint, &Member> = HashMap::new();
    for member in members {
        if let Some(first) = addresses.get(&member.endpoint) {
            warnings.push(Warning::SharedAddress {
                first: first.to_string(),
                second: member.to_string(),
            });
        } else {
            addresses.insert(&member.endpoint, member);
        }
    }
    let mut several = members.iter().filter(|member| member.tokens.len() > 1);
    if let Some(first) = several.next() {
        warnings.push(Warning::SeveralTokens {
            node: first.to_string(),
            nodes: 1 + several.count(),
        });
    }
    warnings
}
