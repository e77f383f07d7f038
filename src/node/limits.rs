//! The limits of a node, and what happens at each.
//!
//! | limit | at the limit |
//! |---|---|
//! | [`CLIENT_MSGS`] | the client is read no more until half of its requests are answered |
//! | [`CLIENT_OUT`] | the client is read no more until it has taken half of its replies |
//! | [`CLIENT_OUT_MAX`] | the client is closed: it asks and never reads |
//! | [`UPSTREAM_QUEUE`] | those that feed this datastore or peer wait; once a peer has taken nothing for [`STALLED_US`] they do not, and at twice the limit it counts as unreachable |
//! | `max_msgs` | all clients wait |
//! | the pool's bytes (`max_msgs` × `mbuf_size`) | all clients wait, and at twice as many all peers; if nothing is in flight, so that nothing will ever drain, whoever holds the most loses it: the largest unfinished request is refused, or the connection with the most unread replies closed |
//! | [`DNODE_CLIENTS`] | a new connection of a peer is closed |
//! | [`HOLD_BYTES`](super::hold::HOLD_BYTES), [`HOLD_US`](super::hold::HOLD_US) | writes that the node's state does not serve yet are refused |
//! | `client_connections` | a new client is told so and closed |
//! | [`INCOMPLETE_US`] | a client that began a request and fell silent is told so and closed |
//! | [`PATIENCE_US`](crate::proto::redis::session::refused_multi::PATIENCE_US) | a client that goes on behind a refused `MULTI` without ending its transaction is told so and closed |
//! | [`UNREAD_US`] | a connection that is read no more, because it ended its stream or has asked for too much, and takes nothing of its replies is closed |
//! | [`DRAIN_US`] | at shutdown, clients still waiting are closed |
//!
//! Waiting costs a client nothing but time: its bytes stay in the kernel, and TCP tells it to slow
//! down. Each kind of waiting has a counter.

/// Requests one client may have unanswered.
pub const CLIENT_MSGS: u32 = 4096;
/// Reply bytes that may wait for one client before it is read no more.
pub const CLIENT_OUT: usize = 16 << 20;
/// Reply bytes that may wait for one client at all.
pub const CLIENT_OUT_MAX: usize = 1 << 30;
/// Request bytes that may wait to be written to one datastore or peer connection.
pub const UPSTREAM_QUEUE: usize = 8 << 20;
/// How long a peer may take nothing before those that feed it stop waiting for it, in µs.
pub const STALLED_US: u64 = 1_000_000;
/// Connections from peers at a time; more are closed at once.
pub const DNODE_CLIENTS: usize = 4096;
/// How long a begun request may stay incomplete without a byte arriving, in µs.
pub const INCOMPLETE_US: u64 = 30_000_000;
/// How long replies may wait for somebody who takes none of them and is read no more, in µs.
pub const UNREAD_US: u64 = 20_000_000;
/// How long requests in flight get to finish at shutdown, in µs.
pub const DRAIN_US: u64 = 5_000_000;
/// How often quiet connections and the pool are looked after, in µs.
pub const SWEEP_US: u64 = 1_000_000;
/// Unsent reply bytes up to which a quiet client's output is moved together.
pub const COMPACT_OUT: usize = 4096;
/// Room kept for converting the next reply for a RESP3 client, in bytes.
pub const CONVERTED_KEPT: usize = 64 << 10;
