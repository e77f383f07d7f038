//! The limits of a node, and what happens at each.
//!
//! | limit | at the limit |
//! |---|---|
//! | [`CLIENT_MSGS`] | the client is not read until half of its requests are answered |
//! | [`CLIENT_SHARE`] | the next request of the client waits until half of these replies have come |
//! | [`CLIENT_OUT`] | the client is not read until it has taken half of its replies |
//! | [`CLIENT_OUT_MAX`] | the client is closed: it asks and never reads |
//! | [`ARGUMENTS`] | a request that has more gets an error, unless it passes whole to the only datastore there is |
//! | [`UPSTREAM_QUEUE`] | those that feed this datastore or peer wait; once a peer has taken less than [`FLOW`] in [`STALLED_US`] they do not, and at twice the limit it counts as unreachable |
//! | `max_msgs` | all clients wait; requests that wait for a peer which has said nothing for [`STALLED_US`] do not count, nor do those that were answered without their reply |
//! | as many of the latter on one connection | it is closed |
//! | the pool's bytes (`max_msgs` × `mbuf_size`) | connections that hold much wait before others do; at the limit all clients wait, and at twice as many all peers; whoever holds the most loses it: the largest unfinished request is refused, or the connection with the most unread replies closed ([`super::memory`]) |
//! | three quarters of them | a request that announces more is refused |
//! | [`REPLY_MOST`], or twice the memory's limit, at least [`REPLY_LEAST`] | a connection to the datastore on which a reply grows larger, or comes that was not asked for, is closed |
//! | [`MAX_PAYLOAD`](crate::proto::dnode::MAX_PAYLOAD), [`MAX_GARBAGE`](crate::proto::dnode::MAX_GARBAGE) | a connection with a peer that brings a larger message, or more that is none, is closed |
//! | [`UNASKED`] | a connection to a peer that has brought more such replies is closed |
//! | [`DNODE_CLIENTS`], fewer where descriptors are few | the least useful connection from a peer makes room ([`super::admission`]) |
//! | [`PARKED_BYTES`](super::parked_writes::PARKED_BYTES), [`PARKED_US`](super::parked_writes::PARKED_US) | writes that the node's state does not serve yet are refused |
//! | `client_connections` | a client that has asked for nothing since it connected makes room ([`super::admission`]); without such a new client gets an error and is closed |
//! | [`INCOMPLETE_US`] | a client that began a request and fell silent gets an error and is closed |
//! | [`PATIENCE_US`](crate::proto::redis::session::refused_multi::PATIENCE_US) | a client that goes on behind a refused `MULTI` without ending its transaction gets an error and is closed |
//! | [`UNREAD_US`] | a connection that is not read any more, or would not be, because it ended its stream or has asked for too much, and takes nothing of its replies is closed |
//! | [`UNREAD_FEW_US`] | any connection that takes nothing of its replies is closed |
//! | [`PEER_QUIET_US`] | a peer that does one or the other is closed |
//! | [`DRAIN_US`] | at shutdown, clients still waiting are closed |
//!
//! Waiting costs a client nothing but time: its bytes stay in the kernel, and TCP makes it slow
//! down. Each kind of waiting has a counter.

/// Requests one client may have unanswered.
pub const CLIENT_MSGS: u32 = 4096;
/// Arguments of a request that is looked at one by one, or that is sent to a peer, which takes no more.
pub const ARGUMENTS: u32 = 1_048_576;
/// Reply bytes that one client may await at a time, as estimated from its latest replies: all clients share
/// the connection they come on, and wait behind them. One reply is awaited in any case.
pub const CLIENT_SHARE: u64 = 4 << 20;
/// Bytes that the first replies to a client are expected to have.
pub const FIRST_REPLIES: u32 = 64 << 10;
/// Reply bytes that may wait for one client before reading from it stops, those that wait for an earlier
/// reply included.
pub const CLIENT_OUT: usize = 16 << 20;
/// Reply bytes that may wait for one client at all.
pub const CLIENT_OUT_MAX: usize = 1 << 30;
/// Bytes of one reply of the datastore that may be held with any limit of memory, and that may be held
/// at all.
pub const REPLY_LEAST: usize = 64 << 20;
pub const REPLY_MOST: usize = 1 << 30;
/// Request bytes that may wait to be written to one datastore or peer connection.
pub const UPSTREAM_QUEUE: usize = 8 << 20;
/// How long a peer may take less than [`FLOW`] before those that feed it stop waiting for it, in µs; and how
/// long it may be silent before requests that wait for it no longer count towards `max_msgs`.
pub const STALLED_US: u64 = 1_000_000;
/// How long a connection must have been there to be made anew at once when it is lost, unless a reply has come
/// on it, in µs. One that is closed as soon as it is made is tried again later and later.
pub const WORKED_US: u64 = 1_000_000;
/// Bytes that a peer has to take of a long queue to be waited for.
pub const FLOW: usize = 64 << 10;
/// Replies to no request of this node that one connection to a peer may bring.
pub const UNASKED: u32 = 1000;
/// Connections from peers at a time.
pub const DNODE_CLIENTS: usize = 4096;
/// How long a begun request may stay incomplete without a byte arriving, in µs.
pub const INCOMPLETE_US: u64 = 30_000_000;
/// How long replies may wait for a client that takes none of them and is not read any more, in µs.
pub const UNREAD_US: u64 = 20_000_000;
/// How long replies may wait for a client that takes none of them and has not asked for too much, in µs.
pub const UNREAD_FEW_US: u64 = 60_000_000;
/// The first two for a peer, in µs. With the default `timeout` no request between nodes is waited for that
/// long, so whatever a peer that was only paused has still to say, nobody waits for any more.
pub const PEER_QUIET_US: u64 = 60_000_000;
/// How long clients wait at the limit of memory while requests are under way that may free some, in µs.
pub const STRAINED_US: u64 = 20_000_000;
/// Bytes that a connection must hold to be closed at once when twice the limit of memory is in use.
pub const SHED_MIN: usize = 64 << 10;
/// How long requests in flight get to finish at shutdown, in µs.
pub const DRAIN_US: u64 = 5_000_000;
/// How often quiet connections and the pool are looked after, in µs.
pub const SWEEP_US: u64 = 1_000_000;
/// Room kept for converting the next reply for a RESP3 client, in bytes.
pub const CONVERTED_KEPT: usize = 64 << 10;
