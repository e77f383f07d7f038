//! The cluster without its network: its members, the placement of requests, the judgement of replies.
//!
//! Nothing here sees a socket, a clock or the bytes of a protocol. A request enters as a
//! [`Demand`](route::Demand), leaves as a list of [`Target`](route::Target)s, and its replies come
//! back one by one to a [`Quorum`](quorum::Quorum), reduced to digests.
//!
//! # The model
//!
//! A cluster is datacenters of racks of nodes. **Every rack holds all the data**, spread over its
//! nodes by token; a datacenter has as many replicas of a key as it has racks. Racks may differ in
//! their number of nodes and in their tokens.
//!
//! | file | noun |
//! |---|---|
//! | [`id`] | small numbers for nodes, racks and datacenters |
//! | [`topology`] | one state of the cluster: datacenters, racks and nodes |
//! | [`member`] | a node as it is announced |
//! | [`change`] | the differences between two lists of members |
//! | [`ring`] | the tokens of one rack |
//! | [`route`] | the nodes one request goes to |
//! | [`split`] | the pieces of a request with several keys |
//! | [`quorum`] | the judge of one request's replies |
//! | [`merge`] | merges replies that are lists of values, position by position |
//! | [`peer_state`] | the state of a node, and the requests it serves in that state |
//! | [`skew`] | the offset of a peer's clock from this node's |
//! | [`seeds`] | lists of other nodes from a provider, and the members that follow from them |
//! | [`timeout`] | the time limit of a request, by the distance of its target |
//! | [`backoff`] | the wait before another attempt to connect |
//! | [`throttle`] | the limit of messages per second |
//! | [`window`] | the limit of unanswered messages on a connection to a C node |

pub mod backoff;
pub mod change;
pub mod id;
mod inline;
pub mod member;
pub mod merge;
pub mod own_names;
pub mod peer_state;
pub mod quorum;
pub mod ring;
pub mod route;
pub mod seeds;
pub mod skew;
pub mod split;
pub mod throttle;
pub mod timeout;
pub mod topology;
pub mod window;
