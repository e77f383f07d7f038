//! HTTP connections on the stats port: their sockets, and the service behind them.

use super::kernel::Driver;
use super::reload::Configured;
use super::socket::Stream;
use super::token::Name;
use crate::admin::{Admin, Caller, ConnId, Control, Outcome, Policy};
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::log_at;
use crate::node::Operator;
use crate::node::operator::Check;
use crate::node::operator::SETTABLE;
use crate::process::{figures, memory};
use crate::proto::Class;
use crate::stats::{Identity, Report, info, prometheus};
use mio::Registry;
use slab::Slab;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// The sockets of HTTP connections. Few (the endpoint has a limit), so they are found by search.
#[derive(Debug, Default)]
struct Sockets {
    sockets: Slab<HttpSocket>,
    generation: u32,
}

#[derive(Debug)]
struct HttpSocket {
    id: ConnId,
    stream: Stream,
    generation: u32,
}

impl Sockets {
    fn insert(&mut self, id: ConnId, mut stream: Stream, registry: &Registry) -> io::Result<()> {
        self.generation = self.generation.wrapping_add(1);
        let entry = self.sockets.vacant_entry();
        let token = Name::Admin(entry.key() as u32, self.generation).token();
        stream.register(registry, token)?;
        entry.insert(HttpSocket {
            id,
            stream,
            generation: self.generation,
        });
        Ok(())
    }

    fn get(&mut self, key: u32, generation: u32) -> Option<&mut HttpSocket> {
        let socket = self.sockets.get_mut(key as usize);
        socket.filter(|socket| socket.generation == generation)
    }

    fn close(&mut self, id: ConnId) {
        let key = self
            .sockets
            .iter()
            .find(|(_, socket)| socket.id == id)
            .map(|(key, _)| key);
        if let Some(socket) = key.map(|key| self.sockets.remove(key)) {
            socket.stream.close();
        }
    }
}

/// State of the client listener, for `/readyz`.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doors {
    /// There is a listener for them.
    pub is_listening: bool,
    /// Connections are accepted.
    pub is_accepting: bool,
}

/// The node, the configuration and the listeners, as the HTTP endpoint sees them.
struct View<'a> {
    driver: &'a mut Driver,
    configured: &'a mut Configured,
    identity: &'a Identity,
    policy: Policy,
    doors: Doors,
}

impl Control for View<'_> {
    fn operator(&mut self) -> Operator<'_> {
        self.driver.node.operator()
    }

    fn identity(&self) -> &Identity {
        self.identity
    }

    fn policy(&self) -> Policy {
        self.policy
    }

    fn info(&mut self, now: Now) -> String {
        let mut node = self.driver.node.operator();
        node.count_poll();
        let mut held = node.memory();
        held.dyn_memory_kib = memory::peak_rss_kib();
        info::render(&node.stats(now), self.identity, now, &held)
    }

    fn metrics(&mut self, now: Now) -> String {
        let mut node = self.driver.node.operator();
        let state = node.state();
        let states = SETTABLE.map(|other| (other.name(), other == state));
        prometheus::render(&Report {
            stats: &node.stats(now),
            peers: &node.peers(now),
            who: self.identity,
            memory: &node.memory(),
            process: &figures::figures(),
            states: &states,
            consistency: [Class::Read, Class::Write].map(|class| node.consistency(class)),
        })
    }

    fn listener_checks(&self) -> Vec<Check> {
        let check = |name, good: bool, why: &str| Check {
            name,
            trouble: (!good).then(|| why.to_owned()),
        };
        vec![
            check(
                "listening",
                self.doors.is_listening,
                "clients cannot connect",
            ),
            check(
                "accepting",
                self.doors.is_accepting,
                "no connections are accepted: file descriptors ran out",
            ),
        ]
    }

    fn reload(&mut self, now: Now) -> Result<Vec<String>, Vec<String>> {
        let reloaded = self
            .configured
            .reload(&mut self.driver.node.operator(), now)?;
        let applied = reloaded.applied.iter().map(ToString::to_string);
        let waiting = reloaded.waiting.iter();
        let waiting = waiting.map(|change| format!("{change}, at the next start"));
        Ok(applied.chain(waiting).collect())
    }

    fn address_of(&mut self, node: NodeId) -> Option<IpAddr> {
        let of = self.driver.node.operator();
        let ids: Vec<_> = if node == NodeId::ME {
            let peers = 1..of.topology().nodes().len() as u16;
            peers.flat_map(|peer| of.conns_of(NodeId(peer))).collect()
        } else {
            of.conns_of(node).collect()
        };
        let conns = self.driver.conns();
        let mut streams = ids.iter().filter_map(|id| Some(&conns.get(*id)?.inner));
        let addr = match node {
            NodeId::ME => streams.find_map(Stream::local_addr),
            _ => streams.find_map(Stream::peer_addr),
        };
        addr.map(|addr| addr.ip())
    }
}

/// The endpoint with its sockets.
pub(super) struct Endpoint {
    admin: Admin,
    policy: Policy,
    identity: Identity,
    sockets: Sockets,
}

impl Endpoint {
    pub fn new(policy: Policy, identity: Identity) -> Endpoint {
        Endpoint {
            admin: Admin::new(),
            policy,
            identity,
            sockets: Sockets::default(),
        }
    }

    /// How many HTTP connections there are.
    pub fn len(&self) -> usize {
        self.admin.len()
    }

    /// When it has to do something at the latest, in µs, if there is anything.
    pub fn next_deadline(&self) -> Option<u64> {
        self.admin.next_deadline()
    }

    /// Adds an HTTP connection.
    pub fn admit(
        &mut self,
        stream: Stream,
        addr: Option<SocketAddr>,
        registry: &Registry,
        now: Now,
    ) {
        let caller = Caller::new(addr, stream.local_addr());
        // A sixteenth of the descriptors: statistics must not take those of clients and peers.
        self.admin.limit((super::accept::files() / 16).max(16));
        let admission = self.admin.accepted(caller, now);
        if let Some(evicted) = admission.evicted {
            self.sockets.close(evicted);
        }
        if let Err(error) = self.sockets.insert(admission.id, stream, registry) {
            log_at!(Warn, "stats connection not accepted: {error}");
            self.admin.closed(admission.id);
        }
    }

    /// Serves the HTTP connections that are ready. Those that have more than one turn's worth are put back.
    /// Returns true if one was closed.
    pub fn serve(
        &mut self,
        driver: &mut Driver,
        configured: &mut Configured,
        ready: &mut Vec<(u32, u32)>,
        doors: Doors,
        now: Now,
    ) -> bool {
        let mut closed = false;
        for (key, generation) in std::mem::take(ready) {
            let Some(socket) = self.sockets.get(key, generation) else {
                continue;
            };
            let mut view = View {
                driver,
                configured,
                identity: &self.identity,
                policy: self.policy,
                doors,
            };
            let (id, stream) = (socket.id, &mut socket.stream);
            match self.admin.drive(id, now, stream, &mut view) {
                Outcome::Wait => {}
                Outcome::Again => ready.push((key, generation)),
                Outcome::Close => {
                    self.sockets.close(id);
                    closed = true;
                }
            }
        }
        closed
    }

    /// Closes HTTP connections that have reached their time limit. Returns true if there were any.
    pub fn tick(&mut self, now: Now) -> bool {
        let mut closed = false;
        for id in self.admin.tick(now) {
            self.sockets.close(id);
            closed = true;
        }
        closed
    }
}
