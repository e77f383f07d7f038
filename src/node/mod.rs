//! One node as a pure state machine.
//!
//! No socket, no clock, no file: time comes in as an argument, bytes come in through [`Read`] and go
//! out through [`Write`]. The same code runs under the reactor in production and under a seeded
//! simulator in the tests.
//!
//! # The verbs, and their order
//!
//! The driver calls [`Node::accepted`], [`Node::receive`], [`Node::connected`], [`Node::broken`] and
//! [`Node::tick`] as the world turns. When it has told everything of one turn, it
//!
//! 1. calls [`Node::end_turn`],
//! 2. carries out every [`Action`] from [`Node::next_action`],
//! 3. calls [`Node::transmit`] once for every connection from [`Node::next_dirty`],
//!
//! and repeats 2 and 3 until both are empty; then it sleeps until [`Node::next_deadline`] at the
//! latest. A connection whose `transmit` says there is more is called again when it can be written.
//! Ids carry a generation: a verb for a connection that is no more does nothing.
//!
//! # Who closed, and what becomes of the requests
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
//! | it does not read its replies ([`limits::CLIENT_OUT_MAX`]) | run; answers are dropped | is closed |
//! | shutdown | run, and are answered, for [`limits::DRAIN_US`] | closes when the last answer is out |
//!
//! A datastore connection:
//!
//! | event | its requests | the connection |
//! |---|---|---|
//! | a request takes longer than `timeout` | that one gets `Storage: Datastore refused connection`; its late reply is dropped | lives |
//! | nothing has come for two timeouts while expired requests wait | all get that error | closed, tried again after 1, 2, 4, … s up to `server_retry_timeout` |
//! | end of stream, an error, bytes that are no reply, a reply to no request or to one not yet written | all get that error | the same |
//! | not there | new ones get that error at once | the same |
//! | being made for the first time | wait for it, at most `timeout` | |

mod answer;
mod client;
mod housekeeping;
pub mod limits;
mod msg;
mod report;
mod store;

use crate::clock::Now;
use crate::config::Settings;
use crate::log_at;
use crate::mbuf::{Pool, Writer};
use crate::proto::redis::command;
use crate::stats::Stats;
use crate::sys;
use client::{Client, Reading};
use msg::Msgs;
use slab::Slab;
use std::collections::VecDeque;
use std::fmt;
use std::io::{self, IoSlice, Read, Write};
use std::net::SocketAddr;
use store::{Loss, Store};

/// Most slices one gathering write takes.
const SLICES_PER_WRITE: usize = 64;

/// What kind of connection an id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A client, accepted on `listen`.
    Client,
    /// The datastore, connected to.
    Store,
}

/// Names a connection between the node and its driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId {
    /// What it is.
    pub kind: Kind,
    /// Its place among connections of its kind; reused.
    pub key: u32,
    /// Tells it from earlier ones in the same place.
    pub generation: u32,
}

impl ConnId {
    /// The name of an accepted connection in the log: `<CONN_CLIENT 3 #17 from '10.0.0.1:40000'>`,
    /// the original's form with our place and number for its address and descriptor. Without an
    /// address, as over a Unix socket, there is no `from`.
    pub fn told(self, from: Option<SocketAddr>) -> Told {
        Told { id: self, from }
    }
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.told(None).fmt(f)
    }
}

/// A connection as the log names it: [`ConnId::told`].
#[derive(Clone, Copy, Debug)]
pub struct Told {
    id: ConnId,
    from: Option<SocketAddr>,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.id.kind {
            Kind::Client => "CONN_CLIENT",
            Kind::Store => "CONN_SERVER",
        };
        write!(f, "<{kind} {} #{}", self.id.key, self.id.generation)?;
        if let Some(from) = self.from {
            write!(f, " from '{from}'")?;
        }
        f.write_str(">")
    }
}

/// What the driver is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Connect to the datastore; report by [`Node::connected`] or [`Node::broken`].
    Connect(ConnId),
    /// Close the socket; the node has forgotten the connection. No report.
    Close(ConnId),
    /// Read from this connection again: an earlier `receive` said [`Next::Paused`].
    Resume(ConnId),
}

/// What the reader of a connection should do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Wait until there is something to read.
    Wait,
    /// There may be more: read again, after others have had their turn.
    Again,
    /// Do not read until [`Action::Resume`].
    Paused,
}

/// What a node needs to know of its configuration. Times in µs.
#[derive(Clone, Debug)]
pub struct Options {
    /// Our end of client connections, as `CLIENT INFO` tells it.
    pub listen: String,
    /// `timeout`.
    pub timeout_us: u64,
    /// `server_retry_timeout`.
    pub retry_ceiling_us: u64,
    /// `datastore_connections`, at least 1.
    pub datastore_connections: usize,
    /// `preconnect`.
    pub preconnect: bool,
    /// `client_connections`; 0 is no limit.
    pub client_connections: usize,
    /// `max_msgs`.
    pub max_msgs: usize,
    /// `mbuf_size`.
    pub mbuf_size: usize,
}

impl From<&Settings> for Options {
    fn from(settings: &Settings) -> Options {
        Options {
            listen: settings.listen.target.to_string(),
            timeout_us: settings.timeout.as_micros() as u64,
            retry_ceiling_us: settings.server_retry_timeout.as_micros() as u64,
            datastore_connections: usize::from(settings.datastore_connections),
            preconnect: settings.preconnect,
            client_connections: settings.client_connections as usize,
            max_msgs: settings.max_msgs,
            mbuf_size: settings.mbuf_size,
        }
    }
}

/// One node.
pub struct Node {
    options: Options,
    pool: Pool,
    /// The block small reads go into, whatever connection they are for.
    shared: Option<Writer>,
    clients: Slab<Client>,
    stores: Vec<Store>,
    msgs: Msgs,
    stats: Stats,
    /// Requests per row of the command table.
    per_command: Vec<u64>,
    actions: VecDeque<Action>,
    dirty: Vec<ConnId>,
    /// Clients that wait for the node's pressure to fall.
    waiting: Vec<ConnId>,
    /// Blocks in use when the last sweep found that nothing would free any.
    stuck_at: Option<usize>,
    /// A reply on its way from RESP2 to RESP3; empty in between.
    converted: Vec<u8>,
    generation: u32,
    next_sweep: u64,
    /// While shutting down: when clients that still wait are closed.
    drain_until: Option<u64>,
    /// The datastore's version, as clients are told it.
    store_version: String,
}

impl Node {
    /// A node that has not begun yet.
    pub fn new(options: Options, now: Now) -> Node {
        let pool = Pool::new(
            options.mbuf_size,
            options.max_msgs.saturating_mul(options.mbuf_size),
        );
        let stores = (0..options.datastore_connections.max(1))
            .map(|slot| {
                Store::new(ConnId {
                    kind: Kind::Store,
                    key: slot as u32,
                    generation: 0,
                })
            })
            .collect();
        Node {
            pool,
            shared: None,
            clients: Slab::new(),
            stores,
            msgs: Msgs::new(),
            stats: Stats::new(now),
            per_command: vec![0; command::COUNT],
            actions: VecDeque::new(),
            dirty: Vec::new(),
            waiting: Vec::new(),
            stuck_at: None,
            converted: Vec::new(),
            generation: 0,
            next_sweep: now.mono_us + limits::SWEEP_US,
            drain_until: None,
            store_version: String::from("7.0.15"),
            options,
        }
    }

    /// Begins: connects to the datastore, unless that is to wait for the first request.
    pub fn start(&mut self, now: Now) {
        if self.options.preconnect {
            for slot in 0..self.stores.len() {
                self.connect_store(slot, now, true);
            }
        }
    }

    /// A client has connected, from this address if it has one. An error is the text to send before
    /// closing it.
    pub fn accepted(
        &mut self,
        addr: Option<SocketAddr>,
        now: Now,
    ) -> Result<ConnId, &'static [u8]> {
        let limit = self.options.client_connections;
        if limit > 0 && self.clients.len() >= limit {
            self.stats.own.clients_refused += 1;
            return Err(b"-ERR max number of clients reached\r\n");
        }
        self.generation = self.generation.wrapping_add(1);
        let entry = self.clients.vacant_entry();
        let id = ConnId {
            kind: Kind::Client,
            key: entry.key() as u32,
            generation: self.generation,
        };
        let mut client = Client::new(id, addr, now);
        client.store = (entry.key() % self.stores.len().max(1)) as u16;
        entry.insert(client);
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
            Kind::Client => self.receive_client(id.key, now, reader),
            Kind::Store => self.receive_store(id.key as usize, now, reader),
        }
    }

    /// A connection asked for by [`Action::Connect`] is there.
    pub fn connected(&mut self, id: ConnId, now: Now) {
        if self.knows(id) {
            self.store_connected(id.key as usize, now);
        }
    }

    /// A connection failed, or could not be made. The driver has closed it or will.
    pub fn broken(&mut self, id: ConnId, now: Now, error: &io::Error) {
        if !self.knows(id) {
            return;
        }
        let client = self.clients.get(id.key as usize);
        let from = client
            .filter(|client| client.id == id)
            .and_then(|client| client.addr);
        log_at!(Notice, "close {}: {}", id.told(from), sys::reason(error));
        match id.kind {
            Kind::Client => self.close_client(id.key, false),
            Kind::Store => self.lose_store(id.key as usize, now, Loss::Error),
        }
    }

    /// Whether a connection has bytes to be written.
    pub fn has_output(&self, id: ConnId) -> bool {
        self.knows(id)
            && match id.kind {
                Kind::Client => self
                    .clients
                    .get(id.key as usize)
                    .is_some_and(|client| !client.out.is_empty()),
                Kind::Store => self
                    .stores
                    .get(id.key as usize)
                    .is_some_and(|store| !store.out.is_empty()),
            }
    }

    /// Writes what a connection has to say, as far as it goes. Returns whether something is left.
    pub fn transmit(&mut self, id: ConnId, now: Now, writer: &mut impl Write) -> bool {
        while self.has_output(id) {
            let chain = match id.kind {
                Kind::Client => &self.clients[id.key as usize].out,
                Kind::Store if self.stores[id.key as usize].state != store::State::Up => {
                    return false;
                }
                Kind::Store => &self.stores[id.key as usize].out,
            };
            let result = match chain.as_contiguous() {
                Some(slice) => writer.write(slice),
                None => {
                    let mut parts = [IoSlice::new(&[]); SLICES_PER_WRITE];
                    let n = chain.io_slices(&mut parts);
                    writer.write_vectored(&parts[..n])
                }
            };
            match result {
                Ok(0) => {
                    self.broken(id, now, &io::ErrorKind::WriteZero.into());
                    return false;
                }
                Ok(n) => self.wrote(id, now, n),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return true,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.broken(id, now, &error);
                    return false;
                }
            }
        }
        if id.kind == Kind::Client && self.knows(id) {
            self.close_if_settled(id.key);
        }
        false
    }

    /// Drops bytes that were written.
    fn wrote(&mut self, id: ConnId, now: Now, n: usize) {
        match id.kind {
            Kind::Client => {
                if let Some(client) = self.clients.get_mut(id.key as usize) {
                    client.out.advance(n);
                }
                self.resume_if_drained(id.key);
            }
            Kind::Store => {
                if let Some(store) = self.stores.get_mut(id.key as usize) {
                    store.out.advance(n);
                }
                self.store_wrote(id.key as usize, now, n);
            }
        }
    }

    /// Ends a turn: lets clients go on that waited for pressure to fall.
    pub fn end_turn(&mut self) {
        if !self.waiting.is_empty() && self.is_relaxed() {
            self.resume_waiting();
        }
    }

    /// Lets all clients go on that wait for pressure to fall.
    fn resume_waiting(&mut self) {
        for id in self.waiting.drain(..) {
            if let Some(client) = self.clients.get_mut(id.key as usize)
                && client.id == id
                && client.reading == Reading::Waiting
            {
                client.reading = Reading::On;
                self.actions.push_back(Action::Resume(id));
            }
        }
    }

    /// The next thing the driver is asked to do.
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The next connection to be flushed.
    #[inline]
    pub fn next_dirty(&mut self) -> Option<ConnId> {
        while let Some(id) = self.dirty.pop() {
            let flag = match id.kind {
                Kind::Client => self
                    .clients
                    .get_mut(id.key as usize)
                    .filter(|c| c.id == id)
                    .map(|c| &mut c.dirty),
                Kind::Store => self
                    .stores
                    .get_mut(id.key as usize)
                    .filter(|s| s.id == id)
                    .map(|s| &mut s.dirty),
            };
            if let Some(flag) = flag {
                *flag = false;
                return Some(id);
            }
        }
        None
    }

    /// Whether this id names a connection that is still there.
    #[inline]
    fn knows(&self, id: ConnId) -> bool {
        match id.kind {
            Kind::Client => self
                .clients
                .get(id.key as usize)
                .is_some_and(|client| client.id == id),
            Kind::Store => self.stores.get(id.key as usize).is_some_and(|store| {
                store.id == id
                    && !matches!(store.state, store::State::Idle | store::State::Down { .. })
            }),
        }
    }

    /// Whether so much is under way that this client should not be read.
    #[inline]
    fn is_strained(&self, client: u32) -> bool {
        self.is_exhausted()
            || self
                .clients
                .get(client as usize)
                .and_then(|client| self.stores.get(usize::from(client.store)))
                .is_some_and(Store::is_congested)
    }

    /// Whether a limit of the node as a whole is reached.
    #[inline]
    fn is_exhausted(&self) -> bool {
        self.msgs.len() >= self.options.max_msgs || self.pool.is_strained()
    }

    /// Whether clients that wait for pressure to fall may go on.
    fn is_relaxed(&self) -> bool {
        self.msgs.len() < self.options.max_msgs - self.options.max_msgs / 4
            && self.pool.is_relaxed()
            && !self.stores.iter().any(Store::is_congested)
    }

    /// Whether the node is shutting down.
    pub fn is_draining(&self) -> bool {
        self.drain_until.is_some()
    }
}
