//! The world: the event loop, its listeners and sockets.
//!
//! The loop moves bytes and time between the kernel and the [`Node`]; it decides nothing about
//! requests. One turn:
//!
//! 1. wait for events, at most until the next deadline of node or admin endpoint;
//! 2. read both clocks, once;
//! 3. accept, and read once from every socket that is ready ([`Next::Again`] queues it for the next
//!    turn, so that one busy client cannot starve the others);
//! 4. let the node do what is due;
//! 5. carry out what the node asks for, and flush every connection with output by one gathering
//!    write, without waiting for the kernel to say that it can be written.
//!
//! Every socket is registered once for both directions, edge-triggered, and never again. A short
//! read means that the kernel's buffer was empty; whatever comes later makes a new edge. Only the end
//! of a stream that arrives together with data makes no edge of its own: that is what
//! [`Socket::ended`] remembers.
//!
//! Out of file descriptors, the loop stops accepting for [`ACCEPT_PAUSE_US`] or until a connection
//! closes, and goes on serving; nothing spins.

mod admin;
mod listener;
mod resolver;
mod socket;
mod table;

use crate::admin::Admin;
use crate::clock::Now;
use crate::config::{Endpoint, Settings};
use crate::log_at;
use crate::node::{Action, ConnId, Kind, Next, Node, Options};
use crate::process::signals::{Signal, Signals};
use crate::stats::Identity;
use crate::sys;
use listener::Listener;
use mio::event::Event;
use mio::net::{TcpStream, UnixStream};
use mio::{Events, Interest, Poll, Waker};
use resolver::Resolver;
use socket::{Socket, Stream};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use table::{Name, Table};

/// Events taken from the kernel at once.
const EVENTS: usize = 1024;
/// What one connection's socket takes in the reactor's tables, in bytes.
pub const SOCKET_BYTES: usize = size_of::<Option<Socket>>();
/// Connections accepted from one listener in one turn.
const ACCEPTS_PER_TURN: usize = 128;
/// How long no connection is accepted after descriptors ran out, in µs.
const ACCEPT_PAUSE_US: u64 = 100_000;

/// One event loop with its node and all its sockets.
pub struct Reactor {
    poll: Poll,
    node: Node,
    admin: Admin,
    identity: Identity,
    clients_listener: Option<Listener>,
    stats_listener: Option<Listener>,
    datastore: Endpoint,
    clients: Table,
    stores: Table,
    admins: admin::Sockets,
    /// HTTP connections to be driven in the next turn without waiting for an event.
    admin_run: Vec<(u32, u32)>,
    /// Sockets to be read in the next turn without waiting for an event.
    run: Vec<ConnId>,
    /// The other end of `run`, swapped each turn so that neither is allocated anew.
    running: Vec<ConnId>,
    accept_paused_until: Option<u64>,
    resolver: Resolver,
    signals: Signals,
    /// A signal has arrived. Asking `signals` costs a system call.
    signalled: bool,
    started: Instant,
}

/// Why the loop has ended.
#[derive(Debug)]
pub enum Ended {
    /// SIGTERM or SIGINT, and everything in flight is finished or given up.
    Stopped,
    /// A second such signal: at once.
    Killed,
}

/// What a signal asks of the process outside the loop.
pub type OnSignal<'a> = dyn FnMut(Signal) + 'a;

fn named(what: &str, endpoint: &Endpoint, error: &io::Error) -> String {
    format!(
        "bind on {what} to addr '{endpoint}' failed: {}",
        sys::reason(error)
    )
}

impl Reactor {
    /// Opens the listeners in the original's order (statistics first, so that the endpoint tells of
    /// the rest) and begins to connect to the datastore.
    ///
    /// # Errors
    /// The line to log: which address, and why not.
    pub fn new(settings: &Settings, identity: Identity) -> Result<Reactor, String> {
        let setup = |error: io::Error| format!("event loop failed: {}", sys::reason(&error));
        let poll = Poll::new().map_err(setup)?;
        let registry = poll.registry();
        let stats = &settings.stats_listen.target;
        let stats_listener =
            Listener::open(stats, libc::SOMAXCONN as u32, registry, Name::Stats.token()).map_err(
                |error| format!("{}\nFailed to create stats!!!", named("m", stats, &error)),
            )?;
        log_at!(Notice, "m listening on '{stats}'");
        let waker = Arc::new(Waker::new(registry, Name::Waker.token()).map_err(setup)?);
        let resolver = Resolver::start(waker).map_err(setup)?;
        let mut signals = Signals::new().map_err(setup)?;
        registry
            .register(&mut signals, Name::Signals.token(), Interest::READABLE)
            .map_err(setup)?;
        let started = Instant::now();
        let now = clock(started);
        let mut reactor = Reactor {
            node: Node::new(Options::from(settings), now),
            admin: Admin::new(),
            identity,
            clients_listener: None,
            stats_listener: Some(stats_listener),
            datastore: settings.datastore.endpoint.clone(),
            clients: Table::default(),
            stores: Table::default(),
            admins: admin::Sockets::default(),
            admin_run: Vec::new(),
            run: Vec::new(),
            running: Vec::new(),
            accept_paused_until: None,
            resolver,
            signals,
            signalled: false,
            started,
            poll,
        };
        reactor.node.start(now);
        reactor.settle(now);
        let listen = &settings.listen.target;
        let listener = Listener::open(
            listen,
            settings.backlog,
            reactor.poll.registry(),
            Name::Clients.token(),
        )
        .map_err(|error| named("p", listen, &error))?;
        log_at!(
            Notice,
            "p listening on '{listen}' in redis pool '{}'",
            settings.pool_name
        );
        reactor.clients_listener = Some(listener);
        Ok(reactor)
    }

    /// Where clients connect; differs from the configuration for a port the kernel chose.
    pub fn client_addr(&self) -> Option<SocketAddr> {
        self.clients_listener
            .as_ref()
            .and_then(Listener::local_addr)
    }

    /// Runs until a signal ends it.
    ///
    /// # Errors
    /// The kernel refuses to wait for events.
    pub fn run(&mut self, on_signal: &mut OnSignal<'_>) -> io::Result<Ended> {
        let mut events = Events::with_capacity(EVENTS);
        loop {
            let timeout = self.timeout();
            match self.poll.poll(&mut events, Some(timeout)) {
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Err(error),
                _ => {}
            }
            let now = clock(self.started);
            for event in &events {
                self.dispatch(event, now);
            }
            if let Some(ended) = self.take_signals(now, on_signal) {
                return Ok(ended);
            }
            self.accept_all(now);
            self.read_queued(now);
            self.admin_queued(now);
            self.tick(now);
            self.settle(now);
            if self.node.is_drained() {
                return Ok(Ended::Stopped);
            }
        }
    }

    /// How long to wait for events.
    fn timeout(&self) -> Duration {
        if !self.run.is_empty() || !self.admin_run.is_empty() {
            return Duration::ZERO;
        }
        let mut deadline = self.node.next_deadline();
        for other in [self.admin.next_deadline(), self.accept_paused_until]
            .into_iter()
            .flatten()
        {
            deadline = deadline.min(other);
        }
        let now = clock(self.started).mono_us;
        // Rounded up: the kernel waits in whole milliseconds, and must not wake us too early.
        Duration::from_millis(deadline.saturating_sub(now).div_ceil(1000))
    }

    /// Acts on one event.
    fn dispatch(&mut self, event: &Event, now: Now) {
        match Name::of(event.token()) {
            Some(Name::Conn(id)) => self.ready(id, event, now),
            Some(Name::Admin(key, generation)) => self.admin_ready(key, generation, now),
            Some(Name::Clients) => {
                if let Some(listener) = &mut self.clients_listener {
                    listener.ready = true;
                }
            }
            Some(Name::Stats) => {
                if let Some(listener) = &mut self.stats_listener {
                    listener.ready = true;
                }
            }
            Some(Name::Waker) => {
                while let Some((id, found)) = self.resolver.next_answer() {
                    let made = found.and_then(|addr| self.open_tcp(id, addr));
                    self.report(id, now, made);
                }
            }
            Some(Name::Signals) => self.signalled = true,
            None => {}
        }
    }

    /// Acts on what the kernel says about a connection.
    fn ready(&mut self, id: ConnId, event: &Event, now: Now) {
        let Some(socket) =
            table(&mut self.clients, &mut self.stores, id.kind).get(id.key, id.generation)
        else {
            return; // Closed earlier in the same turn.
        };
        if socket.connecting {
            return self.finish_connect(id, event, now);
        }
        if event.is_error() {
            let error = socket
                .stream
                .take_error()
                .ok()
                .flatten()
                .unwrap_or(io::ErrorKind::ConnectionReset.into());
            self.node.broken(id, now, &error);
            return;
        }
        socket.ended |= event.is_read_closed();
        if event.is_writable() && std::mem::take(&mut socket.blocked) {
            socket.blocked = self.node.transmit(id, now, &mut socket.stream);
        }
        if event.is_readable() || event.is_read_closed() {
            self.read(id, now);
        }
    }

    /// Reads once from a connection.
    fn read(&mut self, id: ConnId, now: Now) {
        let Some(socket) =
            table(&mut self.clients, &mut self.stores, id.kind).get(id.key, id.generation)
        else {
            return;
        };
        let next = self.node.receive(id, now, &mut socket.stream);
        let again = match next {
            Next::Again => true,
            // The end of the stream is still in the kernel; reading on finds it.
            Next::Wait => socket.ended,
            Next::Paused => false,
        };
        if again && !socket.queued {
            socket.queued = true;
            self.run.push(id);
        }
    }

    /// Reads from the sockets that had more than one turn's worth.
    fn read_queued(&mut self, now: Now) {
        std::mem::swap(&mut self.run, &mut self.running);
        while let Some(id) = self.running.pop() {
            if let Some(socket) =
                table(&mut self.clients, &mut self.stores, id.kind).get(id.key, id.generation)
                && std::mem::take(&mut socket.queued)
            {
                self.read(id, now);
            }
        }
    }

    /// Lets node and admin endpoint do what is due.
    fn tick(&mut self, now: Now) {
        if self.node.next_deadline() <= now.mono_us && self.node.tick(now) > 0 {
            self.clients.shrink();
            self.run.shrink_to(64);
            self.running.shrink_to(64);
            sys::malloc_trim();
        }
        self.admin_tick(now);
        if self.accept_paused_until.is_some_and(|at| at <= now.mono_us) {
            self.accept_paused_until = None;
        }
    }

    /// Carries out what the node asks for, and flushes what it has to say.
    fn settle(&mut self, now: Now) {
        self.node.end_turn();
        loop {
            let mut idle = true;
            while let Some(action) = self.node.next_action() {
                idle = false;
                self.act(action, now);
            }
            while let Some(id) = self.node.next_dirty() {
                idle = false;
                if let Some(socket) =
                    table(&mut self.clients, &mut self.stores, id.kind).get(id.key, id.generation)
                    && !socket.blocked
                    && !socket.connecting
                {
                    socket.blocked = self.node.transmit(id, now, &mut socket.stream);
                }
            }
            if idle {
                return;
            }
        }
    }

    fn act(&mut self, action: Action, now: Now) {
        match action {
            Action::Close(id) => {
                if let Some(socket) =
                    table(&mut self.clients, &mut self.stores, id.kind).take(id.key, id.generation)
                {
                    socket.stream.close();
                    // A descriptor is free again.
                    self.accept_paused_until = None;
                }
            }
            Action::Resume(id) => {
                if let Some(socket) =
                    table(&mut self.clients, &mut self.stores, id.kind).get(id.key, id.generation)
                    && !std::mem::replace(&mut socket.queued, true)
                {
                    self.run.push(id);
                }
            }
            Action::Connect(id) => {
                let made = match (&self.datastore, resolver::literal(&self.datastore)) {
                    (Endpoint::Unix(path), _) => UnixStream::connect(path)
                        .and_then(|stream| self.adopt(id, Stream::Unix(stream))),
                    (_, Some(addr)) => self.open_tcp(id, addr),
                    (endpoint, None) => return self.resolver.ask(id, endpoint),
                };
                self.report(id, now, made);
            }
        }
    }

    /// Begins a TCP connection.
    fn open_tcp(&mut self, id: ConnId, addr: SocketAddr) -> io::Result<()> {
        let stream = TcpStream::connect(addr)?;
        stream.set_nodelay(true)?;
        socket2::SockRef::from(&stream).set_keepalive(true)?;
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
        self.stores.insert(id.key, socket);
        Ok(())
    }

    /// Tells the node of a connection that could not even be begun.
    fn report(&mut self, id: ConnId, now: Now, made: io::Result<()>) {
        if let Err(error) = made {
            self.node.broken(id, now, &error);
        }
    }

    /// Looks how a connection attempt ended.
    fn finish_connect(&mut self, id: ConnId, event: &Event, now: Now) {
        let Some(socket) = self.stores.get(id.key, id.generation) else {
            return;
        };
        match socket.stream.take_error() {
            Ok(Some(error)) | Err(error) => self.node.broken(id, now, &error),
            Ok(None) if event.is_writable() && socket.stream.is_connected() => {
                socket.connecting = false;
                self.node.connected(id, now);
            }
            Ok(None) => {}
        }
    }

    /// Accepts what waits at the listeners.
    fn accept_all(&mut self, now: Now) {
        if self.accept_paused_until.is_some() {
            return;
        }
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(listener) = self
                .clients_listener
                .as_mut()
                .filter(|listener| listener.ready)
            else {
                break;
            };
            match listener.accept() {
                Ok((stream, addr)) => self.welcome(stream, addr, now),
                Err(error) => {
                    if accept_failed(listener, "p", &error) {
                        return self.pause_accepting(now);
                    }
                }
            }
        }
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(listener) = self
                .stats_listener
                .as_mut()
                .filter(|listener| listener.ready)
            else {
                break;
            };
            match listener.accept() {
                Ok((stream, _)) => self.welcome_admin(stream, now),
                Err(error) => {
                    if accept_failed(listener, "m", &error) {
                        return self.pause_accepting(now);
                    }
                }
            }
        }
        let waits =
            |listener: &Option<Listener>| listener.as_ref().is_some_and(|listener| listener.ready);
        if waits(&self.clients_listener) || waits(&self.stats_listener) {
            // More than one turn's worth: come back at once.
            self.accept_paused_until = Some(now.mono_us);
        }
    }

    /// Takes in a client.
    fn welcome(&mut self, mut stream: Stream, addr: Option<SocketAddr>, now: Now) {
        match self.node.accepted(addr, now) {
            Ok(id) => match Socket::register(
                stream,
                self.poll.registry(),
                Name::Conn(id).token(),
                id.generation,
            ) {
                Ok(socket) => {
                    log_at!(
                        Notice,
                        "accepted {id}{}",
                        addr.map_or_else(String::new, |addr| format!(" from '{addr}'"))
                    );
                    self.clients.insert(id.key, socket);
                }
                Err(error) => self.node.broken(id, now, &error),
            },
            Err(text) => {
                log_at!(Warn, "client refused: too many clients");
                // The socket is new, so a line fits; a client that is gone needs none.
                let _ = stream.write(text);
            }
        }
    }

    fn pause_accepting(&mut self, now: Now) {
        self.node.count_accept_pause();
        self.accept_paused_until = Some(now.mono_us + ACCEPT_PAUSE_US);
    }

    /// Acts on signals. SIGTERM and SIGINT begin to stop; a second one stops at once.
    fn take_signals(&mut self, now: Now, on_signal: &mut OnSignal<'_>) -> Option<Ended> {
        if !std::mem::take(&mut self.signalled) {
            return None;
        }
        let pending: Vec<Signal> = self.signals.pending().collect();
        for signal in pending {
            log_at!(Always, "{}", signal.text());
            match signal {
                Signal::Int | Signal::Term if self.node.is_draining() => {
                    return Some(Ended::Killed);
                }
                Signal::Int | Signal::Term => {
                    self.clients_listener = None;
                    // What has arrived already is still served.
                    self.read_queued(now);
                    self.node.drain(now);
                }
                _ => {}
            }
            on_signal(signal);
        }
        None
    }
}

/// The table sockets of this kind are in.
fn table<'a>(clients: &'a mut Table, stores: &'a mut Table, kind: Kind) -> &'a mut Table {
    match kind {
        Kind::Client => clients,
        Kind::Store => stores,
    }
}

/// Whether accepting has to pause after this error; otherwise it is noted on the listener.
fn accept_failed(listener: &mut Listener, what: &str, error: &io::Error) -> bool {
    match error.raw_os_error() {
        _ if error.kind() == io::ErrorKind::WouldBlock => {
            listener.ready = false;
            false
        }
        Some(libc::EMFILE | libc::ENFILE | libc::ENOBUFS | libc::ENOMEM) => {
            log_at!(
                Alert,
                "accept on {what} failed: {}, pausing",
                sys::reason(error)
            );
            true
        }
        // The connection in question died before it was accepted, or the call was interrupted.
        _ => false,
    }
}

/// Both clocks.
fn clock(started: Instant) -> Now {
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    // Never 0, so that 0 can mean "never".
    Now {
        mono_us: started.elapsed().as_micros() as u64 + 1,
        wall_us: wall.as_micros() as u64,
    }
}
