//! The way of a request through the types: a `GET`, a `SET` at quorum, and a copy that is lost.
//!
//! [`node`](crate::node) is one state machine, driven by [`driver`](crate::driver). It owns five sub-machines that know
//! nothing of each other; they return small values, and `Node` decides what follows:
//!
//! | sub-machine | owns | says |
//! |---|---|---|
//! | `front::Fronts` | connections that requests come in on | what is complete, who must wait |
//! | `plan` (pure, owns nothing) | | what a request is and who gets it: `Plan` |
//! | `flight::Flight` | a row for each request, copy and part | who waits for it (`Waiter`), what is left of it (`Fate`) |
//! | `upstream::Upstreams` | connections that requests go out on | which one takes a request, what is congested, what is lost |
//! | `timers::TimerTable`, `outbox::Outbox` | deadlines; what the driver is to do | when to be called, what to flush, connect, close |
//!
//! Every id is a type of its own (`FrontId`, `SlotId`, `ReqId`, `JudgeId`), so none is taken for another.
//!
//! # A GET, one node
//!
//! ```text
//! epoll edge
//!  └ Driver::ready ─► Batch            first reads of many clients in one call
//!     └ Node::receive ─► receive_client
//!        └ Inbound::fill               bytes into the shared block: a Chain of Slices
//!        └ Parser::parse ─► Request    a view of those bytes
//!        └ plan::redis ─► Plan::Keyed(Route, Words)
//!        └ enqueue ─► Flight::insert   a row: Waiter::Front(front, form)
//!        └ place ─► send_to_store
//!           └ Upstreams::get_mut(slot) ─► Upstream::put ─► Outbox
//! Driver: Node::transmit               the slice goes out as it came in; nothing was copied
//!
//! reply
//!  └ Node::receive ─► receive_store
//!     └ Replies::parse                 where the reply ends
//!     └ Upstream::pop                  the oldest request gets it
//!     └ answered ─► finish_raw ─► release
//!        └ Front::out                  the reply's slice, in the order of the client's requests
//!        └ Flight::leave_front         the row is free
//! Driver: Node::transmit
//! ```
//!
//! Where every rack is one node, that is all of it. Else `place` asks
//! [`Targets::place`](crate::cluster::route::Targets::place) for the owner of the key's token in each rack that the
//! level needs; at `DC_ONE` a read has one target, and the row itself goes to it. A row that may go on to another rack
//! keeps its request (`failover`).
//!
//! # A SET at DC_QUORUM, three racks
//!
//! ```text
//! place ─► Targets: one per rack, Counts::In(dc) or Counts::Discarded (another datacenter's)
//! collect_quorum ─► Judge::of_quorum in Flight, by the level
//! send_part, for each rack
//!  └ Flight::insert                    a row of its own: Waiter::Part(parent, n)
//!  └ send_to_store | send_to_peer      a peer gets a dnode frame; encrypted to another rack if configured
//!
//! each reply ─► answered ─► finish_raw ─► collect
//!  └ Flight::take_part                 the part's row is free; its request and its judge are known
//!  └ Flight::judge                     a digest of the reply goes into the Quorum: wait | this reply | no quorum
//! answer ─► finish_raw(parent) ─► release, as above; later replies are only counted
//! ```
//!
//! The client is answered when a majority agrees. The remaining parts stay in the queues of their connections
//! until their reply has come or the connection is lost: what is in a queue is a row of `Flight`.
//!
//! # A copy that is lost
//!
//! A *leg* is what was sent, or should have been sent, to one node. There are five ways to lose one:
//!
//! | where | reason |
//! |---|---|
//! | `route`: no connection to the node takes requests | `Lost::Unreachable` |
//! | `links`: the peer was awaited and could not be reached anew | `Lost::Unreachable` |
//! | `send`: it could not be put into a queue | `Lost::NotSent` |
//! | `links::lose_upstream`: the connection broke under it | `Lost::Disconnected` |
//! | `deadline`: no reply in time; it may come still | `Lost::TimedOut` |
//! | `parked_writes`, `busy`: the node or its datastore did not serve it | `Lost::Refused` |
//!
//! All of them leave by `Flight::lost(leg, why)`, which counts writes by reason
//! (`dynomite_replica_writes_lost_total`) and returns a `Fate`: the row is free; somebody waits and needs an answer or
//! another leg; whoever waited has been answered; or a task of the node itself waited. The leg's row has the token of
//! its key, and the caller knows the node: what is to be kept for a replica that has missed a write is made here.
