//! Connecting to the datastore and to peers.
//!
//! A host name may stand for several addresses (`localhost` is often `::1` first, where a Redis may
//! not listen). They are tried in the resolver's order; only when the last one fails has the
//! connection failed. One that neither fails nor succeeds is given up by the node after its time, and the
//! next attempt begins behind it ([`super::known`]).

use super::kernel::{Driver, Kernel};
use super::resolver;
use super::socket::Stream;
use super::token::Name;
use crate::clock::Now;
use crate::config::Endpoint;
use crate::driver::{Attempt, Edges};
use crate::log_at;
use crate::node::{ConnId, Kind};
use mio::net::{TcpStream, UnixStream};
use std::collections::VecDeque;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

/// After how long of silence, and how often then, an outgoing connection is probed.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// Addresses not tried yet, of connections being made.
pub(super) type Untried = Vec<(ConnId, VecDeque<SocketAddr>)>;

impl Kernel {
    /// Begins to connect.
    pub(super) fn begin_connect(&mut self, id: ConnId, endpoint: &Endpoint) -> Attempt<Stream> {
        log_at!(Notice, "{id} connecting..... to '{endpoint}'");
        match endpoint {
            Endpoint::Unix(path) => {
                let stream = UnixStream::connect(path).map(Stream::Unix);
                match stream.and_then(|stream| self.register(id, stream)) {
                    Ok(stream) => Attempt::Begun(stream),
                    Err(error) => Attempt::Failed(error),
                }
            }
            endpoint => match resolver::literal(endpoint) {
                Some(addr) => self.connect_to_one_of(id, endpoint, VecDeque::from([addr])),
                None => {
                    self.resolver.ask(id, endpoint);
                    Attempt::Later
                }
            },
        }
    }

    /// Connects to the addresses that the resolver found.
    pub(super) fn take_answers(&mut self, driver: &mut Driver, now: Now) {
        while let Some((ids, found)) = self.resolver.next_answer() {
            let peer = ids.iter().find(|id| id.kind == Kind::Peer);
            let endpoint = peer.and_then(|id| driver.node.endpoint(*id).cloned());
            if let (Some(endpoint), Ok(addresses)) = (endpoint, &found) {
                driver.node.member_resolved(&endpoint, addresses);
            }
            for id in ids {
                // The answer may have taken so long that the node has given the attempt up, or that its
                // place has another socket by now.
                if driver.conns().get(id).is_some() {
                    continue;
                }
                match &found {
                    Ok(addresses) => self.connect_on(driver, id, addresses.clone().into(), now),
                    Err(error) => driver.node.broken(id, now, error),
                }
            }
        }
    }

    /// Connects to the first of these addresses that can be tried, for a connection that is still wanted.
    pub(super) fn connect_on(
        &mut self,
        driver: &mut Driver,
        id: ConnId,
        addresses: VecDeque<SocketAddr>,
        now: Now,
    ) {
        if let Some(endpoint) = driver.node.endpoint(id) {
            let attempt = self.connect_to_one_of(id, endpoint, addresses);
            driver.attempt(id, attempt, now);
        }
    }

    /// Begins to connect to the first address for which that is possible at all.
    fn connect_to_one_of(
        &mut self,
        id: ConnId,
        endpoint: &Endpoint,
        mut addresses: VecDeque<SocketAddr>,
    ) -> Attempt<Stream> {
        let mut error = io::ErrorKind::AddrNotAvailable.into();
        while let Some(addr) = addresses.pop_front() {
            match self.open_tcp(id, addr) {
                Ok(stream) => {
                    self.resolver.known.trying(endpoint, addr);
                    if !addresses.is_empty() {
                        self.untried.push((id, addresses));
                    }
                    return Attempt::Begun(stream);
                }
                Err(e) => error = e,
            }
        }
        self.resolver.known.ended(endpoint, false);
        Attempt::Failed(error)
    }

    /// Notes how an attempt to connect to a name has ended.
    fn note_attempt(&mut self, driver: &Driver, id: ConnId, well: bool) {
        if let Some(endpoint) = driver.node.endpoint(id) {
            self.resolver.known.ended(endpoint, well);
        }
    }

    fn open_tcp(&self, id: ConnId, addr: SocketAddr) -> io::Result<Stream> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        let socket = socket2::SockRef::from(&stream);
        socket.set_keepalive(true)?;
        // A peer that is gone without a word is noticed although nothing is asked of it.
        let probes = socket2::TcpKeepalive::new()
            .with_time(KEEPALIVE)
            .with_interval(KEEPALIVE);
        socket.set_tcp_keepalive(&probes)?;
        self.register(id, Stream::Tcp(stream))
    }

    /// Registers a stream under the name of its connection.
    pub(super) fn register(&self, id: ConnId, mut stream: Stream) -> io::Result<Stream> {
        stream.register(self.registry(), Name::Conn(id).token())?;
        Ok(stream)
    }

    /// The addresses this connection has not tried; they are forgotten.
    pub(super) fn take_untried(&mut self, id: ConnId) -> Option<VecDeque<SocketAddr>> {
        let at = self.untried.iter().position(|(of, _)| *of == id)?;
        Some(self.untried.swap_remove(at).1)
    }

    /// Looks how a connection attempt ended.
    pub(super) fn finish_connect(
        &mut self,
        driver: &mut Driver,
        id: ConnId,
        edges: Edges,
        now: Now,
    ) {
        let Some(stream) = driver.conns().get(id).map(|conn| &conn.inner) else {
            return;
        };
        match stream.take_error() {
            Ok(Some(error)) | Err(error) => match self.take_untried(id) {
                Some(addresses) => {
                    drop(driver.conns_mut().take(id));
                    self.connect_on(driver, id, addresses, now);
                }
                None => {
                    self.note_attempt(driver, id, false);
                    driver.node.broken(id, now, &error);
                }
            },
            Ok(None) if edges.writable && stream.is_connected() => {
                self.take_untried(id);
                self.note_attempt(driver, id, true);
                driver.connected(id, now);
                // The other side may have sent something or closed already: no further edge will say so.
                let arrived = Edges {
                    readable: edges.readable,
                    ended: edges.ended,
                    ..Edges::default()
                };
                driver.ready(self, id, arrived, now);
            }
            Ok(None) => {}
        }
    }
}
