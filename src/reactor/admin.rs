//! HTTP connections on the stats port: their sockets, and what the endpoint may ask.

use super::Reactor;
use super::socket::Stream;
use super::table::Name;
use crate::admin::{ConnId, Control, Outcome};
use crate::clock::Now;
use crate::log_at;
use crate::node::Node;
use crate::process::memory;
use crate::stats::{Identity, info};
use mio::{Interest, Registry};
use slab::Slab;
use std::io;

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
        let both = Interest::READABLE | Interest::WRITABLE;
        match &mut stream {
            Stream::Tcp(tcp) => registry.register(tcp, token, both),
            Stream::Unix(unix) => registry.register(unix, token, both),
        }?;
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

/// The node as the endpoint sees it.
struct View<'a> {
    node: &'a mut Node,
    identity: &'a Identity,
}

impl Control for View<'_> {
    fn info(&mut self, now: Now) -> String {
        self.node.count_poll();
        let mut held = self.node.memory();
        held.dyn_memory_kib = memory::peak_rss_kib();
        info::render(&self.node.stats(now), self.identity, now, &held)
    }
}

impl Reactor {
    /// Takes in an HTTP connection.
    pub(super) fn welcome_admin(&mut self, stream: Stream, now: Now) {
        let admission = self.admin.accepted(now);
        if let Some(evicted) = admission.evicted {
            self.admins.close(evicted);
        }
        if let Err(error) = self
            .admins
            .insert(admission.id, stream, self.poll.registry())
        {
            log_at!(Warn, "stats connection not accepted: {error}");
            self.admin.closed(admission.id);
        }
    }

    /// Acts on what the kernel says about an HTTP connection.
    pub(super) fn admin_ready(&mut self, key: u32, generation: u32, now: Now) {
        let Some(socket) = self
            .admins
            .sockets
            .get_mut(key as usize)
            .filter(|socket| socket.generation == generation)
        else {
            return;
        };
        let mut view = View {
            node: &mut self.node,
            identity: &self.identity,
        };
        match self
            .admin
            .drive(socket.id, now, &mut socket.stream, &mut view)
        {
            Outcome::Wait => {}
            Outcome::Again => self.admin_run.push((key, generation)),
            Outcome::Close => {
                let id = socket.id;
                self.admins.close(id);
                self.accept_paused_until = None;
            }
        }
    }

    /// Goes on with HTTP connections that had more than one turn's worth.
    pub(super) fn admin_queued(&mut self, now: Now) {
        for (key, generation) in std::mem::take(&mut self.admin_run) {
            self.admin_ready(key, generation, now);
        }
    }

    /// Closes HTTP connections whose time is over.
    pub(super) fn admin_tick(&mut self, now: Now) {
        for id in self.admin.tick(now) {
            self.admins.close(id);
            self.accept_paused_until = None;
        }
    }
}
