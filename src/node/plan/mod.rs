//! What a request is and which nodes get it: decided here, and only here, for clients and for peers.
//!
//! [`redis::plan`] looks at a request and at a [`PlanCx`], which holds everything else the decision depends on:
//! the topology, the options, and what is known of the connection the request came in on. It changes nothing. The
//! [`Plan`] says what the node is to do; `Node` carries it out.
//!
//! | file | noun |
//! |---|---|
//! | `facts` | what the decision needs to know of the topology |
//! | `redis` | the plan of a request to Redis |
//! | `memcache` | the plan of a request to memcached |
//! | `sights` | what a command alone says of the plans of its requests, so that most need no closer look |
//! | `order` | which plans keep their place behind earlier writes, or wait for the end of a pause |
//! | `why` | the words of a refusal |
//! | `owners` | whether one node owns several keys |

mod facts;
pub(super) mod memcache;
pub(super) mod order;
mod owners;
pub(super) mod redis;
mod sights;
#[cfg(test)]
mod tests;
mod why;

pub(super) use facts::Facts;
pub(super) use sights::Sights;

use super::Options;
use super::msg::Flags;
use crate::cluster::id::NodeId;
use crate::cluster::route::{Demand, Routing};
use crate::cluster::topology::Topology;
use crate::consistency::Consistency;
use crate::hashkit::{self, Token};
use crate::proto::redis::command::Command;
use crate::proto::redis::keys::{Key, KeysError};
use crate::proto::redis::lookup::Unresolved;
use crate::proto::redis::refusal;
use crate::proto::redis::resp3::Form;
use crate::proto::{Class, Failure};

/// The keys of a request and their places on the ring. Kept for its memory.
#[derive(Debug, Default)]
pub(super) struct Keys {
    /// Of Redis.
    pub keys: Vec<Key>,
    /// As many as there are keys; of a request to this node's datastore alone maybe only the first.
    pub tokens: Vec<Token>,
}

impl Keys {
    /// The token of the first key; any token if there is none.
    pub fn first(&self) -> Token {
        self.tokens.first().copied().unwrap_or_default()
    }

    fn clear(&mut self) {
        self.keys.clear();
        self.tokens.clear();
    }
}

/// A decision: what the node does with a request.
#[derive(Clone, Copy, Debug)]
pub(super) enum Plan {
    /// Answer it with the text that reading the request gave.
    Answer,
    /// Close the connection when all earlier requests are answered.
    Close,
    /// The session of the client answers, or, about all clients, the node.
    Session(&'static Command),
    /// Send it to the datastore of this node and to no other.
    Store(Route, StoreReply),
    /// Send it to the owners of its key, as its level says.
    Keyed(Route, Words),
    /// Divide it by the owners of its keys, and send each piece to its owners.
    Split(Route),
    /// Send it to nodes that answer it together.
    Fanout(Route, Fanout),
    /// Send it to one owner, and what it did there to the other replicas.
    TwoStep(Route),
    /// Answer it with an error.
    Refuse(Why),
}

impl Plan {
    /// How the request is placed, if it leaves this node.
    pub fn route(&self) -> Option<Route> {
        match *self {
            Plan::Store(route, _)
            | Plan::Keyed(route, _)
            | Plan::Split(route)
            | Plan::Fanout(route, _)
            | Plan::TwoStep(route) => Some(route),
            Plan::Answer | Plan::Close | Plan::Session(_) | Plan::Refuse(_) => None,
        }
    }
}

/// How a request is placed and counted, for any keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Route {
    /// The command's row in its table.
    pub row: u16,
    /// Where it may go.
    pub routing: Routing,
    /// It is counted in the statistics as a request.
    pub counted: bool,
    /// Read or write: the command's class, or what its arguments make of it.
    pub class: Class,
    /// The consistency level in force for its class.
    pub level: Consistency,
    /// Further facts for its messages.
    pub flags: Flags,
    /// The form of its reply in RESP3.
    pub form: Form,
}

/// How the reply of this node's datastore becomes the client's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreReply {
    /// The client gets it.
    AsItIs,
    /// The same. The request is not a read or write of the cluster: it removes what this node owns.
    OfPurge,
    /// Parameters that are different behind a proxy are taken out.
    Settings,
    /// Commands that are not served are taken out; with or without those that only this node knows.
    Docs { with_own: bool },
}

/// In which words a request by key goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Words {
    /// In its own.
    AsTheyAre,
    /// Times that count from now are made absolute, for all replicas to agree.
    AbsoluteTimes,
    /// The version that it names is the one that the owner of its key knows.
    OwnersVersion,
}

/// Which nodes answer a request together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fanout {
    /// All nodes of this rack.
    Rack,
    /// All nodes of the cluster; the replies of this datacenter count.
    Cluster,
    /// All nodes of the cluster; all replies count.
    Everywhere,
    /// The node that goes on with a cursor: the owner in this place of `of` in this rack's ring. `inner` is the
    /// cursor as its datastore knows it.
    Cursor {
        node: NodeId,
        place: u16,
        of: u16,
        inner: u64,
    },
}

/// Why a request is refused.
#[derive(Clone, Copy, Debug)]
pub(super) enum Why {
    /// This error line says it.
    Line(&'static str),
    /// It is not Redis but HTTP: the connection closes.
    Http,
    /// It follows a `MULTI` that was refused.
    BehindMulti,
    /// The table has no row for it.
    Unresolved(Unresolved),
    /// The command is not served, or not with these arguments.
    Unserved(&'static Command, refusal::Why),
    /// Its keys cannot be found.
    Keys(&'static Command, KeysError),
    /// The datastore would make keys from the pattern behind this option, and other nodes may own them.
    PatternSpansNodes(&'static str),
}

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Asker {
    /// A client of this node.
    Client {
        /// It speaks RESP3.
        resp3: bool,
        /// A transaction of its may still be coming in whose `MULTI` was refused.
        behind_multi: bool,
        /// The level it has chosen, if it has.
        level: Option<Consistency>,
    },
    /// A peer.
    Peer {
        /// The request is for the owner in every rack of this datacenter; else for this node's datastore.
        forward: bool,
        /// The peer is a node of this program, not a C node.
        is_modern: bool,
    },
}

/// Everything that a plan depends on besides the request.
#[derive(Clone, Copy)]
pub(super) struct PlanCx<'a> {
    pub topology: &'a Topology,
    pub facts: Facts,
    pub sights: &'a Sights,
    pub options: &'a Options,
    pub asker: Asker,
}

impl PlanCx<'_> {
    /// The consistency level in force for a class of requests.
    #[inline]
    pub fn level(&self, class: Class) -> Consistency {
        match self.asker {
            Asker::Client { level, .. } => level.unwrap_or(match class {
                Class::Read => self.options.read_consistency,
                Class::Write => self.options.write_consistency,
            }),
            Asker::Peer { .. } => Consistency::DcOne,
        }
    }

    /// The place of a key on the ring; any place if the ring has one node.
    #[inline]
    pub fn token(&self, key: &[u8]) -> Token {
        token(self.facts, self.options, key)
    }

    /// Returns true if admin mode keeps this command from being replicated.
    fn is_purge(&self, purges: bool) -> bool {
        self.options.admin_operation == 1 && purges
    }

    /// The plan of a request that removes keys in admin mode: here, if this node owns them all.
    fn purge(&self, route: Route, tokens: &[Token]) -> Plan {
        match tokens.iter().all(|token| self.topology.is_mine(*token)) {
            true => Plan::Store(route, StoreReply::OfPurge),
            false => Plan::Refuse(Why::Line(Failure::AdminMode.line(self.options.store))),
        }
    }

    /// A request with this route, as the cluster places it; its token does not matter.
    fn demand(&self, route: &Route) -> Demand {
        demand(self.options, route, Token::default())
    }
}

/// The place of a key on the ring; any place if the ring has one node.
#[inline]
pub(super) fn token(facts: Facts, options: &Options, key: &[u8]) -> Token {
    if !facts.needs_hash {
        return Token::default();
    }
    let tagged = hashkit::tagged(key, options.hash_tag);
    Token::of_hash(hashkit::hash(options.hash, tagged))
}

/// A request with this route, as the cluster places it by the token of its first key.
#[inline]
pub(super) fn demand(options: &Options, route: &Route, token: Token) -> Demand {
    Demand {
        routing: route.routing,
        class: route.class,
        level: route.level,
        token,
        failover: options.read_failover,
    }
}
