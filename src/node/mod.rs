//! One node as a pure state machine.
//!
//! No socket, no clock, no file: time comes in as an argument, bytes come in through [`Read`] and go
//! out through [`Write`](std::io::Write). The same code runs under the reactor in production and under a seeded
//! simulator in the tests.
//!
//! # The verbs, and their order
//!
//! The driver calls [`Node::accepted`], [`Node::receive`], [`Node::ended`], [`Node::connected`],
//! [`Node::broken`] and [`Node::tick`] as events come. When it has reported everything of one turn, it
//!
//! 1. calls [`Node::end_turn`],
//! 2. carries out every [`Action`] from [`Node::next_action`],
//! 3. calls [`Node::transmit`] once for every connection from [`Node::next_dirty`],
//!
//! and repeats 2 and 3 until both are empty; then it sleeps until [`Node::next_deadline`] at the
//! latest. [`Driver`](crate::driver::Driver) is the driver in every world: it writes answers first
//! ([`Node::next_dirty_front`]) and reports what has come meanwhile before it passes requests on, so that fewer writes
//! carry them. A connection whose `transmit` says there is more is called again when it can be written.
//! Ids carry a generation: a verb for a connection that has gone does nothing.
//!
//! # How connections close, and what becomes of their requests
//!
//! A client connection:
//!
//! | event | requests without answer | the connection |
//! |---|---|---|
//! | client ends its stream | run, and are answered | closes when the last answer is out |
//! | reading or writing fails | run; answers are dropped | is gone |
//! | `QUIT` | earlier ones are answered first; later ones are not read | closes behind `+OK` |
//! | protocol error | earlier ones are answered first | closes behind the error |
//! | a begun request stalls ([`limits::INCOMPLETE_US`]) | are answered | closes behind an error |
//! | it goes on behind a refused `MULTI` without ending it ([`crate::proto::redis::session::refused_multi`]) | are answered | closes behind an error |
//! | it does not read its replies ([`limits::CLIENT_OUT_MAX`], [`limits::UNREAD_US`], [`limits::UNREAD_FEW_US`]) | run; answers are dropped | is closed |
//! | shutdown | run, and are answered, for [`limits::DRAIN_US`]; so long copies for peers may take too | closes when the last answer is out |
//!
//! A datastore connection:
//!
//! | event | its requests | the connection |
//! |---|---|---|
//! | a request takes longer than `timeout` | that one gets `Storage: Datastore refused connection`; its late reply is dropped | lives |
//! | nothing has come for two timeouts while expired requests wait | all get that error | closed, tried again after 1, 2, 4, … s up to `server_retry_timeout` |
//! | end of stream or an error, with nothing outstanding, on a connection that has worked ([`upstream`]) | those not yet written wait for the new one | made anew at once |
//! | end of stream, an error, bytes that are no reply, a reply to no request or to one not yet written | all get that error: what was written may have been run, and is never run twice | the same |
//! | not there | new ones get that error at once | the same |
//! | a script keeps the datastore busy ([`busy`]) | those that wait get Redis' `BUSY` when their time is over, new ones at once | lives |
//! | being made for the first time | wait for it, at most `timeout` | |
//!
//! A connection to a peer is like one to the datastore, with these differences: the error is `Peer:
//! Peer Node refused connection`, or `Peer: Peer Node is not connected` while there is none; the time
//! granted to a request depends on the distance and on whether it writes; nothing waits for the first
//! connect, and a new connection counts as there only when the peer has answered a question of the
//! node's own by which it knows what the peer understands, and then sent its card if it knows cards: one
//! that gets no answer is closed. On
//! either, a `DC_ONE` read gets the error only when no other rack can answer it (`failover`). A reply
//! whose id is not awaited is dropped; neither that nor what is no reply shows that the peer lives.
//! A connection that an operator wants to be made anew ([`operator`]) gets no more requests and closes
//! behind the last reply. A connection from a peer is like a client's, but that bytes which cannot be
//! read close it at once, that no request of its is ever refused by closing, and that one which fails
//! is read to its end all the same: what has arrived may be copies of writes that their clients were
//! seen acknowledged.
//!
//! # The files
//!
//! | file | noun |
//! |---|---|
//! | `conn` | what this node and its driver call a connection |
//! | `admission` | which connections keep their places when there are more than places |
//! | `front` | a connection requests come in on; `client` and `dnode_client` are the two kinds |
//! | `plan` | what a request is and which nodes get it: the decision, without side effects |
//! | `redis_client` | a client of Redis: its requests, planned and carried out; `clients` is what it asks about all of them; `version`: of its datastore |
//! | `upstream` | the connections that requests go out on; `links`: what follows for the node when one is made, used or lost; `store` and `peer` read replies |
//! | `card` | the settings that nodes exchange; `agreement`: the mismatches |
//! | `outbox` | what the driver is to do next |
//! | `output` | what is to be written to a connection |
//! | `flight` | requests in flight; `flight::msg`: one of them; `flight::waiter`: what waits for it; `flight::judge`: several replies to one answer; `flight::lost`: the exit of what brings no reply |
//! | `ids` | the names of fronts, slots, requests and judges, each of its own type, and tables by them |
//! | `ask` | a request, as far as placing it is concerned |
//! | `route` | where a request goes; `send`: the connection that it goes out on; `frame` is what a peer gets |
//! | `collect` | a request to several replicas: its parts sent, its answer given; `docs`: the replies about commands |
//! | `many` | requests by keys of several owners |
//! | `fanout` | a request that several nodes answer together |
//! | `members` | the members of the cluster, changed while requests are under way |
//! | `memcache` | memcached as the datastore |
//! | `replicate` | a write in a form that has the same effect on every replica |
//! | `order` | what a client asks behind a write in two steps |
//! | `legacy_rewrite` | requests that a C node does not know, rewritten for it |
//! | `failover` | a read lost on its way, sent to the next rack; `scripts`: a script, sent where it is not known |
//! | `native` | a reply in RESP3 that only the datastore can give |
//! | `pressure` | the fronts that wait because too much is under way; `load`: how much that is; `memory`: the share of each connection |
//! | `tasks` | what the node itself asks its datastore for |
//! | `busy` | whether a script keeps the datastore busy; `side`: the connection for what must not wait behind it |
//! | `operator` | the port for an operator: control, reload, statistics, health, agreement; `parked_writes` is what the node's state means for requests |
//! | `answer` | answers, in their order, to the front's output |
//! | `check` | whether the bookkeeping agrees with itself |
//! | `timers` | what is done by the clock, and when |
//! | `housekeeping` | what the clock does; `counting` and `tally` count |

mod admission;
pub mod agreement;
mod answer;
mod ask;
mod busy;
mod card;
mod check;
mod client;
mod clients;
mod collect;
mod conn;
mod counting;
mod deadline;
mod dnode_client;
mod docs;
mod failover;
mod fanout;
mod flight;
mod frame;
mod front;
mod housekeeping;
mod ids;
mod legacy_rewrite;
pub mod limits;
mod links;
mod load;
mod many;
mod members;
mod memcache;
mod memory;
mod native;
pub mod operator;
mod options;
mod order;
mod outbox;
mod output;
pub mod parked_writes;
mod peer;
mod plan;
mod pressure;
mod redis_client;
mod refusals;
mod replicate;
mod route;
mod scripts;
mod send;
mod side;
mod store;
mod store_probe;
mod tally;
mod tasks;
mod timers;
mod upstream;
mod version;

pub use conn::{Action, ConnId, Kind, LogName, Next};
pub use operator::Operator;
pub use options::Options;

use crate::clock::Now;
use crate::cluster::peer_state::PeerState;
use crate::cluster::route::Targets;
use crate::cluster::split::Split;
use crate::cluster::topology::Topology;
use crate::config::Endpoint;
use crate::log_at;
use crate::mbuf::{Pool, Writer};
use crate::proto::Failure;
use crate::proto::store::commands;
use crate::stats::Stats;
use crate::sys;
use admission::Admission;
use busy::Busy;
use card::Cards;
use client::Client;
use dnode_client::DnodeClient;
use flight::{Flight, msg};
use front::Fronts;
use ids::{FrontId, SlotId};
use members::Prepared;
use memcache::Marks;
use outbox::Outbox;
use parked_writes::ParkedWrites;
use pressure::Pressure;
use scripts::Scripts;
use std::io::{self, Read};
use std::net::SocketAddr;
use std::sync::Arc;
use store_probe::StoreProbe;
use timers::{Timer, TimerTable};
use upstream::{Loss, Upstreams};
use version::Version;

#[cfg(test)]
mod tests;

/// One node.
pub struct Node {
    options: Options,
    topology: Arc<Topology>,
    /// Facts about the topology for [`plan`], and the plans that follow from commands alone.
    facts: plan::Facts,
    sights: plan::Sights,
    pool: Pool,
    /// The block that small reads of all connections go into.
    shared: Option<Writer>,
    fronts: Fronts,
    admission: Admission,
    upstreams: Upstreams,
    /// The next topology, while its new peers are connected to.
    prepared: Option<Prepared>,
    flight: Flight,
    stats: Stats,
    /// Requests sent to the datastore, per row of the command table.
    per_command: Vec<u64>,
    /// Kept for their memory: where the latest request went, how it was split, its keys.
    targets: Targets,
    split: Split,
    keys: plan::Keys,
    /// What marks the versions of each node.
    marks: Marks,
    /// The card that it sends to its peers, and when.
    cards: Cards,
    /// What the driver is to do.
    out: Outbox,
    pressure: Pressure,
    scripts: Scripts,
    busy: Busy,
    /// Some datastore did not know the words for an absolute time: such a time stays as it is.
    keeps_relative: bool,
    /// See [`clients`].
    client_pause: Option<clients::Paused>,
    /// Clients whose next request need not wait for a write in two steps any more.
    in_order: Vec<ConnId>,
    /// Text on its way into a buffer, a reply in RESP3 or a request in other words; empty in between.
    converted: Vec<u8>,
    /// See [`Node::pause`].
    pause_us: u32,
    generation: u32,
    wire_id: u64,
    /// What an operator has said of this node; `is_gated`: requests for the datastore may not enter it
    /// unseen, for that reason or because it is busy.
    state: PeerState,
    is_gated: bool,
    parked_writes: ParkedWrites,
    timeout_factor: u32,
    /// How long a message may wait, in µs: by distance, for reads and for writes.
    granted: [[u64; 2]; 4],
    /// What is done by the clock.
    timers: TimerTable,
    /// The time to shut down in has passed.
    drain_over: bool,
    version: Version,
    store_probe: StoreProbe,
}

impl Node {
    /// A node of a cluster that has not begun yet.
    pub fn new(options: Options, topology: Arc<Topology>, now: Now) -> Node {
        let pool = Pool::new(
            options.mbuf_size,
            options.max_msgs.saturating_mul(options.mbuf_size),
        );
        let upstreams = Upstreams::new(&options, &topology, now);
        let mut node = Node {
            facts: plan::Facts::default(),
            sights: plan::Sights::default(),
            pool,
            shared: None,
            fronts: Fronts::default(),
            admission: Admission::default(),
            upstreams,
            prepared: None,
            flight: Flight::default(),
            stats: Stats::new(now),
            per_command: vec![0; commands(options.store)],
            targets: Targets::default(),
            split: Split::default(),
            keys: plan::Keys::default(),
            marks: Marks::default(),
            cards: Cards::default(),
            out: Outbox::default(),
            pressure: Pressure::default(),
            client_pause: None,
            in_order: Vec::new(),
            scripts: Scripts::default(),
            busy: Busy::default(),
            keeps_relative: false,
            converted: Vec::new(),
            pause_us: 0,
            generation: 0,
            wire_id: 0,
            state: PeerState::Normal,
            is_gated: false,
            parked_writes: ParkedWrites::default(),
            timeout_factor: 1,
            granted: options.granted(1),
            timers: TimerTable::default(),
            drain_over: false,
            version: Version::default(),
            store_probe: StoreProbe::default(),
            topology,
            options,
        };
        node.timers
            .set(Timer::Sweep, now.mono_us + limits::SWEEP_US);
        node.look_at_topology();
        node
    }

    /// Begins: connects to the peers, unless in admin mode, and to the datastore unless that is to wait for the first
    /// request.
    pub fn start(&mut self, now: Now) {
        for slot in self.upstreams.slots() {
            let wanted = match self.upstreams.get(slot) {
                Some(store) if store.is_store() => self.options.preconnect,
                _ => self.options.admin_operation == 0,
            };
            if wanted {
                self.connect_upstream(slot, now, true);
            }
        }
    }

    /// Where a connection that is to be made leads; nothing for one that is not wanted any more.
    pub fn endpoint(&self, id: ConnId) -> Option<&Endpoint> {
        let upstream = self.upstreams.get(SlotId::of(id))?;
        let made = matches!(id.kind, Kind::Store | Kind::Peer) && self.knows(id);
        made.then_some(&upstream.endpoint)
    }

    /// How many sockets it has of clients, of peers that have connected to it, and of connections it
    /// makes, those not counted that are not there now.
    pub fn sockets(&self) -> [usize; 3] {
        [
            self.fronts.clients.len(),
            self.fronts.peers.len(),
            self.upstreams.len(),
        ]
    }

    /// A client or a peer has connected, from this address if it has one. An error is the text to
    /// send before closing it.
    pub fn accepted(
        &mut self,
        kind: Kind,
        addr: Option<SocketAddr>,
        now: Now,
    ) -> Result<ConnId, &'static [u8]> {
        self.generation = self.generation.wrapping_add(1);
        let generation = self.generation;
        if kind == Kind::DnodeClient {
            if !self.make_room_for_peer(addr, now) {
                self.stats.own.peers_refused += 1;
                return Err(b"");
            }
            let entry = self.fronts.peers.vacant_entry();
            let id = ConnId {
                kind,
                key: entry.key() as u32,
                generation,
            };
            entry.insert(DnodeClient::new(id, addr, now, &self.options));
            self.stats.pool.dnode_client_connections += 1;
            return Ok(id);
        }
        let limit = self.options.client_connections;
        let is_full = limit > 0 && self.fronts.clients.len() >= limit;
        if is_full && !self.make_room_for_client(now) {
            self.stats.own.clients_refused += 1;
            return Err(Failure::TooManyClients.line(self.options.store).as_bytes());
        }
        let entry = self.fronts.clients.vacant_entry();
        let id = ConnId {
            kind: Kind::Client,
            key: entry.key() as u32,
            generation,
        };
        entry.insert(Client::new(id, addr, now, self.options.store));
        self.stats.pool.client_connections += 1;
        Ok(id)
    }

    /// Reads from a connection, once.
    #[inline]
    pub fn receive(&mut self, id: ConnId, now: Now, reader: &mut impl Read) -> Next {
        if !self.knows(id) {
            return Next::Wait;
        }
        match id.kind {
            Kind::Client => self.receive_client(FrontId::of(id), now, reader),
            Kind::Store => self.receive_store(SlotId::of(id), now, reader),
            Kind::DnodeClient => self.receive_dnode_client(FrontId::of(id), now, reader),
            Kind::Peer => self.receive_peer(SlotId::of(id), now, reader),
        }
    }

    /// The other end will send no more. What has been sent is still to be read, as far as it is
    /// wanted.
    pub fn ended(&mut self, id: ConnId) {
        if let Some(front) = self
            .fronts
            .get_mut(FrontId::of(id))
            .filter(|front| front.id == id)
        {
            front.ended = true;
        }
    }

    /// A connection asked for by [`Action::Connect`] is there.
    pub fn connected(&mut self, id: ConnId, now: Now) {
        if self.knows(id) {
            self.upstream_connected(SlotId::of(id), now);
        }
    }

    /// A connection failed, or could not be made. It is closed by [`Action::Close`]: one from a peer
    /// when what had arrived on it has been read.
    pub fn broken(&mut self, id: ConnId, now: Now, error: &io::Error) {
        if !self.knows(id) {
            return;
        }
        let from = match id.kind {
            Kind::Client | Kind::DnodeClient => self
                .fronts
                .get(FrontId::of(id))
                .and_then(|front| front.addr),
            Kind::Store | Kind::Peer => None,
        };
        let reason = sys::reason(error);
        match self.endpoint(id) {
            Some(endpoint) => log_at!(Warn, "close {id} to '{endpoint}': {reason}"),
            None => log_at!(Notice, "close {}: {reason}", id.log_name(from)),
        }
        match id.kind {
            Kind::Client => self.close_front(FrontId::of(id), false),
            Kind::DnodeClient => self.read_out(FrontId::of(id)),
            Kind::Store | Kind::Peer => {
                self.note_lost(SlotId::of(id), &sys::reason(error).to_string());
                self.lose_upstream(SlotId::of(id), now, Loss::Error);
            }
        }
    }

    /// The next thing the driver is asked to do.
    pub fn next_action(&mut self) -> Option<Action> {
        self.out.next_action()
    }

    /// Returns true if this id names a connection that is still there.
    #[inline]
    fn knows(&self, id: ConnId) -> bool {
        match id.kind {
            Kind::Client | Kind::DnodeClient => self
                .fronts
                .get(FrontId::of(id))
                .is_some_and(|front| front.id == id),
            Kind::Store | Kind::Peer => {
                let upstream = self.upstreams.get(SlotId::of(id));
                upstream.is_some_and(|upstream| upstream.id == id && upstream.is_there())
            }
        }
    }

    /// Returns true if the node is shutting down.
    pub fn is_draining(&self) -> bool {
        self.timers.is_set(Timer::Drain)
    }
}
