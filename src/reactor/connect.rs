//! Connecting to the datastore and to peers.
//!
//! A host name may stand for several addresses (`localhost` is often `::1` first, where a Redis may
//! not listen). They are tried in the resolver's order; only when the last one fails has the
//! connection failed. One that neither fails nor succeeds is given up by the node after its time, and the
//! next attempt begins behind it ([`super::known`]).

use super::Reactor;
use super::resolver;
use super::socket::{Socket, Stream};
use super::table::Name;
use crate::clock::Now;
use crate::config::Endpoint;
use crate::log_at;
use crate::node::{ConnId, Kind};
use mio::event::Event;
use mio::net::{TcpStream, UnixStream};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// After how long of silence, and how often then, an outgoing connection is probed.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Addresses not tried yet, of connections being made.
pub(super) type Untried = Vec<(ConnId, VecDeque<SocketAddr>)>;

impl Reactor {
    /// Begins to connect; how it went is told to the node, now or later.
    pub(super) fn connect(&mut self, id: ConnId, now: Now) {
        let Some(endpoint) = self.node.endpoint(id).cloned() else {
            return;
        };
        log_at!(Notice, "{id} connecting..... to '{endpoint}'");
        match &endpoint {
            Endpoint::Unix(path) => {
                let made = UnixStream::connect(path)
                    .and_then(|stream| self.adopt(id, Stream::Unix(stream)));
                if let Err(error) = made {
                    self.node.broken(id, now, &error);
                }
            }
            endpoint => match resolver::literal(endpoint) {
                Some(addr) => self.connect_to_one_of(id, VecDeque::from([addr]), now),
                None => self.resolver.ask(id, endpoint),
            },
        }
    }

    /// Goes on with what the resolver found.
    pub(super) fn take_answers(&mut self, now: Now) {
        while let Some((ids, found)) = self.resolver.next_answer() {
            let peer = ids.iter().find(|id| id.kind == Kind::Peer);
            let endpoint = peer.and_then(|id| self.node.endpoint(*id).cloned());
            if let (Some(endpoint), Ok(addresses)) = (endpoint, &found) {
                self.node.member_resolved(&endpoint, addresses);
            }
            for id in ids {
                // The answer may have taken so long that the node has given the attempt up, or that its
                // place has another socket by now.
                if self.node.endpoint(id).is_none() || self.sockets.get(id).is_some() {
                    continue;
                }
                match &found {
                    Ok(addresses) => self.connect_to_one_of(id, addresses.clone().into(), now),
                    Err(error) => self.node.broken(id, now, error),
                }
            }
        }
    }

    /// Begins to connect to the first address for which that is possible at all.
    pub(super) fn connect_to_one_of(
        &mut self,
        id: ConnId,
        mut addresses: VecDeque<SocketAddr>,
        now: Now,
    ) {
        let mut error = io::ErrorKind::AddrNotAvailable.into();
        while let Some(addr) = addresses.pop_front() {
            match self.open_tcp(id, addr) {
                Ok(()) => {
                    if let Some(endpoint) = self.node.endpoint(id) {
                        self.resolver.known.trying(endpoint, addr);
                    }
                    if !addresses.is_empty() {
                        self.untried.push((id, addresses));
                    }
                    return;
                }
                Err(e) => error = e,
            }
        }
        self.note_attempt(id, false);
        self.node.broken(id, now, &error);
    }

    /// Notes how an attempt to connect to a name has ended.
    fn note_attempt(&mut self, id: ConnId, well: bool) {
        if let Some(endpoint) = self.node.endpoint(id) {
            self.resolver.known.ended(endpoint, well);
        }
    }

    fn open_tcp(&mut self, id: ConnId, addr: SocketAddr) -> io::Result<()> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        let socket = socket2::SockRef::from(&stream);
        socket.set_keepalive(true)?;
        // Whoever is gone without a word is noticed although nothing is asked of it.
        let probes = socket2::TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE);
        socket.set_tcp_keepalive(&probes)?;
        self.adopt(id, Stream::Tcp(stream))
    }

    /// Takes an outgoing stream whose connection is being made into the table.
    fn adopt(&mut self, id: ConnId, stream: Stream) -> io::Result<()> {
        let mut socket = Socket::register(
            stream,
            self.poll.registry(),
            Name::Conn(id).token(),
            id.generation,
        )?;
        socket.connecting = true;
        self.sockets.insert(id, socket);
        Ok(())
    }

    /// The addresses this connection has not tried; they are forgotten.
    pub(super) fn take_untried(&mut self, id: ConnId) -> Option<VecDeque<SocketAddr>> {
        let at = self.untried.iter().position(|(of, _)| *of == id)?;
        Some(self.untried.swap_remove(at).1)
    }

    /// Looks how a connection attempt ended.
    pub(super) fn finish_connect(&mut self, id: ConnId, event: &Event, now: Now) {
        let Some(socket) = self.sockets.get(id) else {
            return;
        };
        match socket.stream.take_error() {
            Ok(Some(error)) | Err(error) => match self.take_untried(id) {
                Some(addresses) => {
                    drop(self.sockets.take(id));
                    self.connect_to_one_of(id, addresses, now);
                }
                None => {
                    self.note_attempt(id, false);
                    self.node.broken(id, now, &error);
                }
            },
            Ok(None) if event.is_writable() && socket.stream.is_connected() => {
                socket.connecting = false;
                // The other side may have spoken or closed already: no further edge will say so.
                socket.ended = event.is_read_closed();
                self.take_untried(id);
                self.note_attempt(id, true);
                self.node.connected(id, now);
                if event.is_readable() || event.is_read_closed() {
                    self.read(id, now);
                }
            }
            Ok(None) => {}
        }
    }
}
