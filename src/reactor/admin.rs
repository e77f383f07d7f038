//! HTTP connections on the stats port: their sockets, and what the endpoint may ask.

use super::Reactor;
use super::accept::ListenerKind;
use super::kernel::Driver;
use super::reload::Configured;
use super::socket::Stream;
use super::token::Name;
use crate::admin::{Caller, ConnId, Control, Outcome, Policy};
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::cluster::route::Access;
use crate::log_at;
use crate::node::Node;
use crate::node::control::SETTABLE;
use crate::node::health::Check;
use crate::process::{figures, memory};
use crate::stats::{Identity, Report, info, prometheus};
use mio::Registry;
use slab::Slab;
use std::io;
use std::net::{IpAddr, SocketAddr};

/// The sockets of HTTP connections. Few (the endpoint has a limit), so they are found by search.
#[derive(Debug, Default)]
pub(super) struct Sockets {
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

/// The node and what is around it, as the endpoint sees them.
struct View<'a> {
    driver: &'a mut Driver,
    configured: &'a mut Configured,
    identity: &'a Identity,
    policy: Policy,
    is_listening: bool,
    is_accepting: bool,
}

impl Control for View<'_> {
    fn node(&mut self) -> &mut Node {
        &mut self.driver.node
    }

    fn identity(&self) -> &Identity {
        self.identity
    }

    fn policy(&self) -> Policy {
        self.policy
    }

    fn info(&mut self, now: Now) -> String {
        self.driver.node.count_poll();
        let mut held = self.driver.node.memory();
        held.dyn_memory_kib = memory::peak_rss_kib();
        info::render(&self.driver.node.stats(now), self.identity, now, &held)
    }

    fn metrics(&mut self, now: Now) -> String {
        let state = self.driver.node.state();
        let states = SETTABLE.map(|other| (other.name(), other == state));
        prometheus::render(&Report {
            stats: &self.driver.node.stats(now),
            peers: &self.driver.node.peers(now),
            who: self.identity,
            memory: &self.driver.node.memory(),
            process: &figures::figures(),
            states: &states,
            consistency: [Access::Read, Access::Write]
                .map(|access| self.driver.node.consistency(access)),
        })
    }

    fn doors(&self) -> Vec<Check> {
        let check = |name, good: bool, why: &str| Check {
            name,
            trouble: (!good).then(|| why.to_owned()),
        };
        vec![
            check("listening", self.is_listening, "clients cannot connect"),
            check(
                "accepting",
                self.is_accepting,
                "no connections are accepted: file descriptors ran out",
            ),
        ]
    }

    fn reload(&mut self, now: Now) -> Result<Vec<String>, Vec<String>> {
        let reloaded = self.configured.reload(&mut self.driver.node, now)?;
        let applied = reloaded.applied.iter().map(ToString::to_string);
        let waiting = reloaded.waiting.iter();
        let waiting = waiting.map(|change| format!("{change}, at the next start"));
        Ok(applied.chain(waiting).collect())
    }

    fn address_of(&mut self, node: NodeId) -> Option<IpAddr> {
        let (of, conns) = (&self.driver.node, self.driver.conns());
        let stream = |id| Some(&conns.get(id)?.inner);
        let addr = if node == NodeId::ME {
            let peers = 1..of.topology().nodes().len() as u16;
            let mut ids = peers.flat_map(|peer| of.conns_of(NodeId(peer)));
            ids.find_map(|id| stream(id)?.local_addr())
        } else {
            let mut ids = of.conns_of(node);
            ids.find_map(|id| stream(id)?.peer_addr())
        };
        addr.map(|addr| addr.ip())
    }
}

impl Reactor {
    /// Takes in an HTTP connection.
    pub(super) fn admit_admin(&mut self, stream: Stream, addr: Option<SocketAddr>, now: Now) {
        let caller = Caller::new(addr, stream.local_addr());
        // A sixteenth of the descriptors: statistics must not take those of clients and peers.
        self.admin.limit((super::accept::files() / 16).max(16));
        let admission = self.admin.accepted(caller, now);
        if let Some(evicted) = admission.evicted {
            self.admins.close(evicted);
        }
        if let Err(error) = self
            .admins
            .insert(admission.id, stream, self.kernel.registry())
        {
            log_at!(Warn, "stats connection not accepted: {error}");
            self.admin.closed(admission.id);
        }
    }

    /// Acts on what the kernel says about an HTTP connection.
    fn admin_ready(&mut self, key: u32, generation: u32, now: Now) {
        let Some(socket) = self
            .admins
            .sockets
            .get_mut(key as usize)
            .filter(|socket| socket.generation == generation)
        else {
            return;
        };
        let mut view = View {
            driver: &mut self.driver,
            configured: &mut self.configured,
            identity: &self.identity,
            policy: self.policy,
            is_listening: self.kernel.listeners.get(ListenerKind::Clients).is_some(),
            is_accepting: self.kernel.listeners.paused_until.is_none(),
        };
        match self
            .admin
            .drive(socket.id, now, &mut socket.stream, &mut view)
        {
            Outcome::Wait => {}
            Outcome::Again => self.kernel.arrived.admins.push((key, generation)),
            Outcome::Close => {
                let id = socket.id;
                self.admins.close(id);
                self.kernel.listeners.resume();
            }
        }
    }

    /// Serves HTTP connections that are ready, or had more than one turn's worth.
    pub(super) fn drive_admins(&mut self, now: Now) {
        for (key, generation) in std::mem::take(&mut self.kernel.arrived.admins) {
            self.admin_ready(key, generation, now);
        }
    }

    /// Closes HTTP connections whose time is over.
    pub(super) fn admin_tick(&mut self, now: Now) {
        for id in self.admin.tick(now) {
            self.admins.close(id);
            self.kernel.listeners.resume();
        }
    }
}
