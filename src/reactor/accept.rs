//! Accepting connections.
//!
//! Out of file descriptors, nothing is accepted for [`ACCEPT_PAUSE_US`] or until a connection
//! closes; new connections wait in the kernel's queue. Nothing spins, and those that are connected do not
//! notice. Clients never get the last descriptors: those are for the datastore and the peers, which
//! could otherwise not be connected to again, and for statistics.

use super::Reactor;
use super::listener::Listener;
use super::socket::Stream;
use crate::clock::Now;
use crate::log_at;
use crate::node::Kind;
use crate::sys::{self, Resource};
use std::io::{self, ErrorKind, Write};
use std::net::SocketAddr;

/// Connections accepted from one listener in one turn.
const ACCEPTS_PER_TURN: usize = 128;
/// How long no connection is accepted after descriptors ran out, in µs.
const ACCEPT_PAUSE_US: u64 = 100_000;
/// Descriptors reserved for other open files than the node's connections: the log, listeners,
/// the kernel's events, a few requests for statistics.
const KEPT_FILES: usize = 48;

/// The kinds of listeners.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ListenerKind {
    /// `listen`.
    Clients,
    /// `dyn_listen`.
    Peers,
    /// `stats_listen`.
    Stats,
}

impl ListenerKind {
    /// Accept order: peers and statistics, which are few, before clients.
    const ALL: [ListenerKind; 3] = [
        ListenerKind::Peers,
        ListenerKind::Stats,
        ListenerKind::Clients,
    ];
}

/// All listeners, and the pause in accepting.
#[derive(Default)]
pub(super) struct Listeners {
    /// By [`ListenerKind`]; those of clients and peers are gone while shutting down.
    open: [Option<Listener>; 3],
    /// Nothing is accepted until then, in µs, or until a connection closes.
    pub paused_until: Option<u64>,
}

impl Listeners {
    /// Adds a listener.
    pub fn insert(&mut self, which: ListenerKind, listener: Listener) {
        self.open[which as usize] = Some(listener);
    }

    /// Closes a listener.
    pub fn close(&mut self, which: ListenerKind) {
        self.open[which as usize] = None;
    }

    /// A listener, while it is open.
    pub fn get(&self, which: ListenerKind) -> Option<&Listener> {
        self.open[which as usize].as_ref()
    }

    /// Notes that there are connections to accept.
    pub fn mark_ready(&mut self, which: ListenerKind) {
        self.set_ready(which, true);
    }

    fn set_ready(&mut self, which: ListenerKind, ready: bool) {
        if let Some(listener) = &mut self.open[which as usize] {
            listener.ready = ready;
        }
    }

    fn is_ready(&self, which: ListenerKind) -> bool {
        self.paused_until.is_none() && self.get(which).is_some_and(|listener| listener.ready)
    }

    /// Returns true if connections are left to accept which no event will report.
    pub fn any_ready(&self) -> bool {
        ListenerKind::ALL.iter().any(|&which| self.is_ready(which))
    }

    /// Accepts again: a descriptor is free.
    pub fn resume(&mut self) {
        self.paused_until = None;
    }

    /// Accepts again when the pause is over.
    pub fn tick(&mut self, now: Now) {
        if self.paused_until.is_some_and(|at| at <= now.mono_us) {
            self.paused_until = None;
        }
    }
}

/// How many descriptors this process may have.
pub(super) fn files() -> usize {
    let files = sys::limit(Resource::Nofile).ok();
    files.map_or(usize::MAX, |files| {
        usize::try_from(files.soft).unwrap_or(usize::MAX)
    })
}

impl Reactor {
    /// Accepts waiting connections, up to [`ACCEPTS_PER_TURN`] from each listener.
    pub(super) fn accept_all(&mut self, now: Now) {
        for which in ListenerKind::ALL {
            for _ in 0..ACCEPTS_PER_TURN {
                if !self.kernel.listeners.is_ready(which) {
                    break;
                }
                let is_short = which == ListenerKind::Clients && !self.has_files_for_clients();
                if is_short && !self.driver.node.make_room_for_client(now) {
                    let error = io::Error::from_raw_os_error(libc::EMFILE);
                    self.accept_failed(which, &error, now);
                    break;
                }
                let Some(listener) = self.kernel.listeners.get(which) else {
                    break;
                };
                match (listener.accept(), which) {
                    (Ok((stream, addr)), ListenerKind::Clients | ListenerKind::Peers) => {
                        self.admit(which, stream, addr, now)
                    }
                    (Ok((stream, addr)), ListenerKind::Stats) => {
                        let registry = self.kernel.registry();
                        self.process.endpoint.admit(stream, addr, registry, now);
                    }
                    (Err(error), _) => self.accept_failed(which, &error, now),
                }
            }
        }
    }

    /// Returns true if there are descriptors for another client that nothing else may need: each connection
    /// that this node makes has one whether it is there or not, and so has one of each peer to it. Clients
    /// may have half of them in any case.
    fn has_files_for_clients(&self) -> bool {
        let [clients, peers, made] = self.driver.node.sockets();
        let kept = KEPT_FILES + made + peers.max(made) + self.process.endpoint.len();
        let files = files();
        clients < files.saturating_sub(kept).max(files / 2)
    }

    /// Leaves descriptors for the rest: connections from peers may have a quarter of them, or twice as
    /// many as this node makes.
    fn limit_peers(&mut self) {
        let node = &mut self.driver.node;
        let [_, _, made] = node.sockets();
        node.limit_dnode_clients((files() / 4).max(2 * made));
    }

    /// Adds a client or a peer.
    fn admit(
        &mut self,
        which: ListenerKind,
        mut stream: Stream,
        addr: Option<SocketAddr>,
        now: Now,
    ) {
        let kind = match which {
            ListenerKind::Peers => {
                self.limit_peers();
                Kind::DnodeClient
            }
            _ => Kind::Client,
        };
        let accepted = self.driver.node.accepted(kind, addr, now);
        let listener = self.kernel.listeners.get(which);
        let name = listener.map_or("", |listener| listener.name.as_str());
        match accepted {
            Ok(id) => match self.kernel.register(id, stream) {
                Ok(stream) => {
                    log_at!(Notice, "{name} accepted {}", id.log_name(addr));
                    self.driver.accepted(&mut self.kernel, id, stream, now);
                }
                Err(error) => {
                    let node = &mut self.driver.node;
                    node.broken(id, now, &error);
                    // There is nothing that could still be read.
                    node.receive(id, now, &mut io::empty());
                }
            },
            Err(text) => {
                log_at!(Warn, "{name} refused a connection: their limit is reached");
                // The socket is new, so a line fits; a client that is gone needs none.
                let _ = stream.write(text);
                stream.close();
            }
        }
    }

    fn accept_failed(&mut self, which: ListenerKind, error: &io::Error, now: Now) {
        let listeners = &mut self.kernel.listeners;
        match (error.kind(), error.raw_os_error()) {
            (ErrorKind::WouldBlock, _) => listeners.set_ready(which, false),
            // The call was interrupted, or the connection in question died in the queue: accept(2)
            // has Linux pass on the errors of the network.
            (ErrorKind::Interrupted | ErrorKind::ConnectionAborted, _)
            | (
                _,
                Some(
                    libc::ENETDOWN
                    | libc::EPROTO
                    | libc::ENOPROTOOPT
                    | libc::EHOSTDOWN
                    | libc::EHOSTUNREACH
                    | libc::EOPNOTSUPP
                    | libc::ENETUNREACH,
                ),
            ) => {}
            // No descriptors, no memory, or something that trying again at once will not mend.
            _ => {
                let listener = listeners.get(which);
                let name = listener.map_or("", |listener| listener.name.as_str());
                log_at!(
                    Alert,
                    "accept on {name} failed: {}, pausing",
                    sys::reason(error)
                );
                listeners.paused_until = Some(now.mono_us + ACCEPT_PAUSE_US);
                self.driver.node.operator().count_accept_pause();
            }
        }
    }
}
