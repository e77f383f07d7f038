//! A cluster without its wires: who is in it, where a request goes, how the replies are judged.
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
//! | [`topology`] | one state of the cluster: who is in which rack of which datacenter |
//! | [`member`] | a node as it is announced |
//! | [`change`] | what is different between two lists of members |
//! | [`ring`] | the tokens of one rack |
//! | [`route`] | the nodes one request goes to |
//! | [`split`] | the pieces of a request with several keys |
//! | [`quorum`] | the judge of one request's replies |
//! | [`merge`] | the judge of replies that are lists of values, one position at a time |
//! | [`peer_state`] | what a node says of itself, and what it may do then |
//! | [`skew`] | how far a peer's clock is from this node's |
//! | [`seeds`] | lists of other nodes, and the members they come to |
//! | [`timeout`] | how long a request may wait, by where it went |
//! | [`backoff`] | how long to wait before connecting again |
//! | [`throttle`] | how many messages may leave in a second |
//! | [`window`] | how many messages a C node may owe replies to |

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
