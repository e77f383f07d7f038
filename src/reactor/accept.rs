//! Taking in connections.
//!
//! Out of file descriptors, nothing is accepted for [`ACCEPT_PAUSE_US`] or until a connection
//! closes; whoever waits, waits in the kernel's queue. Nothing spins, and nobody who is connected
//! notices. Clients never get the last descriptors: those are for the datastore and the peers, which
//! could otherwise not be connected to again, and for statistics.

use super::Reactor;
use super::listener::Listener;
use super::socket::{Socket, Stream};
use super::table::Name;
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
/// Descriptors kept for what the process has open besides connections of the node: the log, listeners,
/// the kernel's events, a few requests for statistics.
const KEPT_FILES: usize = 48;

/// Whom a listener is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Door {
    /// `listen`.
    Clients,
    /// `dyn_listen`.
    Peers,
    /// `stats_listen`.
    Stats,
}

impl Door {
    /// Those first that are few and everybody needs.
    const ALL: [Door; 3] = [Door::Peers, Door::Stats, Door::Clients];

    /// What its events are called.
    pub(super) fn name(self) -> Name {
        match self {
            Door::Clients => Name::Clients,
            Door::Peers => Name::Peers,
            Door::Stats => Name::Stats,
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
    fn door(&mut self, door: Door) -> Option<&mut Listener> {
        self.listeners[door as usize].as_mut()
    }

    /// Notes that somebody knocks.
    pub(super) fn knocked(&mut self, door: Door) {
        if let Some(listener) = self.door(door) {
            listener.ready = true;
        }
    }

    /// Whether connections are left over from this turn, which no event will tell of.
    pub(super) fn has_more_to_accept(&self) -> bool {
        self.accept_paused_until.is_none()
            && self
                .listeners
                .iter()
                .flatten()
                .any(|listener| listener.ready)
    }

    /// Accepts what waits at the listeners, a turn's worth of each.
    pub(super) fn accept_all(&mut self, now: Now) {
        for door in Door::ALL {
            for _ in 0..ACCEPTS_PER_TURN {
                if self.accept_paused_until.is_some() {
                    return;
                }
                if !self.door(door).is_some_and(|listener| listener.ready) {
                    break;
                }
                let is_short = door == Door::Clients && !self.has_files_for_clients();
                if is_short && !self.node.make_room_for_client(now) {
                    let error = io::Error::from_raw_os_error(libc::EMFILE);
                    self.accept_failed(door, &error, now);
                    break;
                }
                let Some(listener) = self.door(door) else {
                    break;
                };
                match (listener.accept(), door) {
                    (Ok((stream, addr)), Door::Clients | Door::Peers) => {
                        self.welcome(door, stream, addr, now)
                    }
                    (Ok((stream, addr)), Door::Stats) => self.welcome_admin(stream, addr, now),
                    (Err(error), _) => self.accept_failed(door, &error, now),
                }
            }
        }
    }

    /// Whether there are descriptors for another client that nobody else may need: each connection
    /// that this node makes has one whether it is there or not, and so has one of each peer to it. Clients
    /// may have half of them in any case.
    fn has_files_for_clients(&self) -> bool {
        let [clients, peers, made] = self.node.sockets();
        let kept = KEPT_FILES + made + peers.max(made) + self.admin.len();
        let files = files();
        clients < files.saturating_sub(kept).max(files / 2)
    }

    /// Leaves descriptors for the rest: connections from peers may have a quarter of them, or twice as
    /// many as this node makes.
    fn limit_peers(&mut self) {
        let [_, _, made] = self.node.sockets();
        self.node.limit_dnode_clients((files() / 4).max(2 * made));
    }

    /// Takes in a client or a peer.
    fn welcome(&mut self, door: Door, mut stream: Stream, addr: Option<SocketAddr>, now: Now) {
        let kind = match door {
            Door::Peers => {
                self.limit_peers();
                Kind::DnodeClient
            }
            _ => Kind::Client,
        };
        let accepted = self.node.accepted(kind, addr, now);
        let name = self.listeners[door as usize]
            .as_ref()
            .map_or("", |listener| listener.name.as_str());
        match accepted {
            Ok(id) => match Socket::register(
                stream,
                self.poll.registry(),
                Name::Conn(id).token(),
                id.generation,
            ) {
                Ok(socket) => {
                    log_at!(Notice, "{name} accepted {}", id.told(addr));
                    self.sockets.insert(id, socket);
                }
                Err(error) => {
                    self.node.broken(id, now, &error);
                    // There is nothing that could still be read.
                    self.node.receive(id, now, &mut io::empty());
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

    fn accept_failed(&mut self, door: Door, error: &io::Error, now: Now) {
        let Some(listener) = self.door(door) else {
            return;
        };
        match (error.kind(), error.raw_os_error()) {
            (ErrorKind::WouldBlock, _) => listener.ready = false,
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
                log_at!(
                    Alert,
                    "accept on {} failed: {}, pausing",
                    listener.name,
                    sys::reason(error)
                );
                self.node.count_accept_pause();
                self.accept_paused_until = Some(now.mono_us + ACCEPT_PAUSE_US);
            }
        }
    }
}
