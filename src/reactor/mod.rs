//! The world: the event loop, its listeners and sockets.
//!
//! The loop moves bytes and time between the kernel and the [`Node`]; it decides nothing about
//! requests. One turn:
//!
//! 1. wait for events, at most until the next deadline of node or admin endpoint;
//! 2. read both clocks, once;
//! 3. accept, and read once from every socket that is ready ([`Again`](crate::node::Next::Again) queues it for the next
//!    turn, so that one busy client cannot starve the others);
//! 4. let the node do what is due;
//! 5. carry out what the node asks for, and flush every connection with answers by one gathering
//!    write, without waiting for the kernel to say that it can be written;
//! 6. if that took a while, look for more events without waiting, and take them in as well;
//! 7. flush every connection with requests.
//!
//! Answers first, because writing them is most of a turn: the clients that got theirs have sent the
//! next request by the time the last one is written, and one write to the datastore or to a peer
//! then carries it all. A turn's own requests wait for that no longer than [`GLANCES`] turns would
//! have taken; a request that came alone is passed on at once.
//!
//! Every socket is registered once for both directions, edge-triggered, and never again. A short
//! read means that the kernel's buffer was empty; whatever comes later makes a new edge. Only the end
//! of a stream that arrives together with data makes no edge of its own: that is what
//! [`ended`](socket::Socket::ended) remembers.
//!
//! Taking connections in is `accept`, making them is `connect`; bytes from and to one connection are
//! `traffic`, from and to many at once `batch`. `seeds` and `reload` are what comes from
//! outside and is no request: lists of nodes, and the configuration read again.

mod accept;
mod admin;
mod batch;
mod connect;
mod known;
mod listener;
mod poller;
mod reload;
mod resolver;
mod seeds;
mod socket;
mod table;
mod traffic;

pub use reload::{ConfFile, Reloaded, Sources};

use crate::admin::{Admin, Policy};
use crate::clock::Now;
use crate::cluster::member::Member;
use crate::cluster::topology::Topology;
use crate::config::{self, Endpoint, Settings};
use crate::log_at;
use crate::node::{Action, ConnId, Node, Options, Switches};
use crate::process::notify::Heartbeat;
use crate::process::signals::{Signal, Signals};
use crate::proto::dnode::KeyPair;
use crate::stats::Identity;
use crate::sys;
use accept::Door;
use batch::Batch;
use listener::Listener;
use mio::event::Event;
use mio::{Events, Interest, Poll, Waker};
use reload::Configured;
use resolver::Resolver;
use seeds::Seeds;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use table::{Name, Tables};

/// Events taken from the kernel at once.
const EVENTS: usize = 1024;
/// What one connection's socket takes in the reactor's tables, in bytes.
pub const SOCKET_BYTES: usize = size_of::<Option<socket::Socket>>();

/// How often one turn looks for more events between its answers and its requests, at most.
const GLANCES: usize = 3;

/// One event loop with its node and all its sockets.
pub struct Reactor {
    poll: Poll,
    node: Node,
    admin: Admin,
    policy: Policy,
    identity: Identity,
    /// By [`Door`]; those of clients and peers are gone while shutting down.
    listeners: [Option<Listener>; 3],
    sockets: Tables,
    admins: admin::Sockets,
    /// HTTP connections to be driven in the next turn without waiting for an event.
    admin_run: Vec<(u32, u32)>,
    /// Sockets to be read in the next turn without waiting for an event.
    run: Vec<ConnId>,
    /// What clients are read and written with.
    batch: Batch,
    /// The other end of `run`, swapped each turn so that neither is allocated anew.
    running: Vec<ConnId>,
    /// Nothing is accepted until then, in µs, or until a connection closes.
    accept_paused_until: Option<u64>,
    resolver: Resolver,
    configured: Configured,
    untried: connect::Untried,
    signals: Signals,
    /// A signal has arrived. Asking `signals` costs a system call.
    signalled: bool,
    /// Tells the service manager, if there is one, that the loop turns.
    heartbeat: Option<Heartbeat>,
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

/// The original's words for a listener that could not be opened, then which key names it and why.
fn named(what: &str, key: &str, endpoint: &Endpoint, error: &io::Error) -> String {
    let why = match error.kind() {
        io::ErrorKind::AddrInUse => ": another process listens there",
        io::ErrorKind::AddrNotAvailable => ": this machine does not have that address",
        io::ErrorKind::PermissionDenied => ": this user may not listen there",
        _ => "",
    };
    format!(
        "bind on {what} to addr '{endpoint}' failed: {}, see \"{key}\"{why}",
        sys::reason(error)
    )
}

impl Reactor {
    /// Opens the listeners in the original's order (statistics first, so that the endpoint tells of
    /// the rest) and begins to connect to the datastore. With a provider of seeds clients are let in
    /// when it has answered, or after two seconds.
    ///
    /// # Errors
    /// The lines to log: which address, and why not.
    pub fn new(
        settings: &Settings,
        identity: Identity,
        switches: &Switches,
        sources: Sources,
    ) -> Result<Reactor, String> {
        let setup = |error: io::Error| format!("event loop failed: {}", sys::reason(&error));
        let key = config::load_key(settings).map_err(|problem| problem.to_string())?;
        let key_pair = key.map(|key| Rc::new(KeyPair::from(key)));
        let built = Topology::from_settings(settings).map_err(|error| error.to_string())?;
        let poll = Poll::new().map_err(setup)?;
        let registry = poll.registry();
        let stats = &settings.stats_listen.target;
        let stats_listener = Listener::open(
            "m",
            stats,
            libc::SOMAXCONN as u32,
            registry,
            Name::Stats.token(),
        )
        .map_err(|error| {
            let named = named("m", "stats_listen", stats, &error);
            format!("{named}\nFailed to create stats!!! The node does not start without \"stats_listen\"")
        })?;
        log_at!(Notice, "m listening on '{stats}'");
        let waker = Arc::new(Waker::new(registry, Name::Waker.token()).map_err(setup)?);
        let resolver = Resolver::start(Arc::clone(&waker)).map_err(setup)?;
        let mut signals = Signals::new().map_err(setup)?;
        registry
            .register(&mut signals, Name::Signals.token(), Interest::READABLE)
            .map_err(setup)?;
        let started = Instant::now();
        let seeds = Seeds::start(settings, sources.provider, waker, clock(started));
        let seeds = seeds.map_err(setup)?;
        let built = match seeds.members() {
            members if members.is_empty() => built,
            members => {
                let built = Topology::build(Member::me(settings), members);
                let built = built.map_err(|error| error.to_string())?;
                // Those of the configuration alone have been logged when it was checked.
                for warning in &built.warnings {
                    log_at!(Warn, "{warning}");
                }
                built
            }
        };
        let topology = Arc::new(built.topology);
        let now = clock(started);
        let mut reactor = Reactor {
            node: Node::new(Options::new(settings, key_pair, switches), topology, now),
            admin: Admin::new(),
            policy: Policy {
                remote: switches.remote_admin,
                lenient: switches.unknown_paths_ok,
            },
            identity,
            listeners: [None, None, Some(stats_listener)],
            sockets: Tables::default(),
            admins: admin::Sockets::default(),
            admin_run: Vec::new(),
            run: Vec::new(),
            running: Vec::new(),
            batch: Batch::new(switches.io_uring),
            accept_paused_until: None,
            resolver,
            configured: Configured::new(settings, sources.conf_file, seeds),
            untried: Vec::new(),
            signals,
            signalled: false,
            heartbeat: Heartbeat::from_env(),
            started,
            poll,
        };
        reactor.configured.seeds.count_early(&mut reactor.node);
        reactor.node.start(now);
        reactor.answer(now);
        reactor.open(
            Door::Clients,
            "CONN_PROXY",
            &settings.listen.target,
            settings,
        )?;
        reactor.open(
            Door::Peers,
            "CONN_PEER_PROXY",
            &settings.dyn_listen.target,
            settings,
        )?;
        Ok(reactor)
    }

    /// Opens the listener of clients or of peers.
    fn open(
        &mut self,
        door: Door,
        name: &str,
        endpoint: &Endpoint,
        settings: &Settings,
    ) -> Result<(), String> {
        let key = match door {
            Door::Peers => "dyn_listen",
            _ => "listen",
        };
        let name = format!("<{name} listening on '{endpoint}'>");
        let listener = Listener::open(
            &name,
            endpoint,
            settings.backlog,
            self.poll.registry(),
            door.name().token(),
        )
        .map_err(|error| named("p", key, endpoint, &error))?;
        log_at!(
            Notice,
            "{name} inited in {} <POOL '{}'>",
            settings.data_store.name(),
            settings.pool_name
        );
        self.listeners[door as usize] = Some(listener);
        Ok(())
    }

    /// Where clients connect; differs from the configuration for a port the kernel chose.
    pub fn client_addr(&self) -> Option<SocketAddr> {
        self.listeners[Door::Clients as usize]
            .as_ref()
            .and_then(Listener::local_addr)
    }

    /// Runs until a signal ends it.
    ///
    /// # Errors
    /// The kernel refuses to wait for events.
    pub fn run(&mut self, on_signal: &mut OnSignal<'_>) -> io::Result<Ended> {
        let mut events = Events::with_capacity(EVENTS);
        self.batch.start();
        loop {
            if let Some(ended) = self.turn(&mut events, on_signal)? {
                return Ok(ended);
            }
        }
    }

    /// One turn; `Some` is the end.
    fn turn(
        &mut self,
        events: &mut Events,
        on_signal: &mut OnSignal<'_>,
    ) -> io::Result<Option<Ended>> {
        if let Some(pause) = self.node.pause() {
            std::thread::sleep(pause);
        }
        self.wait(events, self.timeout())?;
        let now = clock(self.started);
        self.take_in(events, now);
        if let Some(ended) = self.take_signals(now, on_signal) {
            return Ok(Some(ended));
        }
        self.accept_all(now);
        self.read_queued(now);
        self.admin_queued(now);
        self.tick(now);
        self.settle(events, now)?;
        Ok(self.node.is_drained().then_some(Ended::Stopped))
    }

    /// Waits for events. None, too, when a signal came first.
    fn wait(&mut self, events: &mut Events, time: Duration) -> io::Result<()> {
        match self.poll.poll(events, Some(time)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    /// How long to wait for events.
    fn timeout(&self) -> Duration {
        let more = !self.run.is_empty() || !self.admin_run.is_empty();
        if more || self.signalled || self.has_more_to_accept() {
            return Duration::ZERO;
        }
        let mut deadline = self.node.next_deadline();
        let others = [
            self.admin.next_deadline(),
            self.accept_paused_until,
            self.heartbeat.as_ref().map(Heartbeat::next_deadline),
        ];
        for other in others.into_iter().flatten() {
            deadline = deadline.min(other);
        }
        let now = clock(self.started).mono_us;
        // Rounded up: the kernel waits in whole milliseconds, and must not wake us too early.
        Duration::from_millis(deadline.saturating_sub(now).div_ceil(1000))
    }

    /// Acts on what the kernel says.
    fn take_in(&mut self, events: &Events, now: Now) {
        for event in events {
            self.dispatch(event, now);
        }
        self.read_ready(now);
    }

    /// Acts on one event.
    fn dispatch(&mut self, event: &Event, now: Now) {
        match Name::of(event.token()) {
            Some(Name::Conn(id)) => self.ready(id, event, now),
            Some(Name::Admin(key, generation)) => self.admin_ready(key, generation, now),
            Some(Name::Clients) => self.knocked(Door::Clients),
            Some(Name::Peers) => self.knocked(Door::Peers),
            Some(Name::Stats) => self.knocked(Door::Stats),
            Some(Name::Waker) => {
                self.take_answers(now);
                self.configured.seeds.take_lists(&mut self.node, now);
            }
            Some(Name::Signals) => self.signalled = true,
            None => {}
        }
    }

    /// Lets node and admin endpoint do what is due.
    fn tick(&mut self, now: Now) {
        if self.node.next_deadline() <= now.mono_us && self.node.tick(now) > 0 {
            self.sockets.shrink();
            self.run.shrink_to(64);
            self.running.shrink_to(64);
            self.batch.shrink();
            sys::malloc_trim();
        }
        self.admin_tick(now);
        if self.accept_paused_until.is_some_and(|at| at <= now.mono_us) {
            self.accept_paused_until = None;
        }
        if let Some(heartbeat) = &mut self.heartbeat {
            heartbeat.tick(now.mono_us, || status(&mut self.node, now));
        }
    }

    /// Carries out what the node asks for, and flushes what it has to say.
    fn settle(&mut self, events: &mut Events, mut now: Now) -> io::Result<()> {
        for _ in 0..GLANCES {
            let took_a_while = self.answer(now);
            if !took_a_while || !self.node.has_dirty_upstreams() {
                break;
            }
            self.wait(events, Duration::ZERO)?;
            if events.is_empty() {
                break;
            }
            now = clock(self.started);
            self.take_in(events, now);
        }
        loop {
            while let Some(id) = self.node.next_dirty_upstream() {
                self.batch.note_dirty(id);
            }
            self.write_dirty(now);
            // A write that failed is an answer to somebody.
            self.answer(now);
            if !self.node.has_dirty_upstreams() {
                return Ok(());
            }
        }
    }

    /// Carries out what the node asks for, and flushes answers until there are none. Whether there
    /// was one.
    fn answer(&mut self, now: Now) -> bool {
        self.node.end_turn(now);
        let mut answered = false;
        loop {
            let mut idle = true;
            while let Some(action) = self.node.next_action() {
                idle = false;
                self.act(action, now);
            }
            while let Some(id) = self.node.next_dirty_front() {
                idle = false;
                answered = true;
                self.batch.note_dirty(id);
            }
            self.write_dirty(now);
            if idle {
                return answered;
            }
        }
    }

    fn act(&mut self, action: Action, now: Now) {
        match action {
            Action::Close(id) => {
                self.take_untried(id);
                self.batch.take_left(id);
                if let Some(socket) = self.sockets.take(id) {
                    socket.stream.close();
                    // A descriptor is free again.
                    self.accept_paused_until = None;
                }
            }
            Action::Resume(id) => {
                if let Some(socket) = self.sockets.get(id)
                    && !std::mem::replace(&mut socket.queued, true)
                {
                    self.run.push(id);
                }
            }
            Action::Connect(id) => self.connect(id, now),
        }
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
                    self.listeners[Door::Clients as usize] = None;
                    self.listeners[Door::Peers as usize] = None;
                    // What has arrived already is still served.
                    self.read_queued(now);
                    self.node.drain(now);
                }
                _ => {}
            }
            on_signal(signal);
            if signal == Signal::Hup && self.configured.has_file() {
                // What comes of it stands in the log.
                let _ = self.reload(now);
            }
        }
        None
    }
}

/// What `systemctl status` shows of a running node.
fn status(node: &mut Node, now: Now) -> String {
    let state = if node.is_draining() {
        "stopping"
    } else {
        node.state().name()
    };
    let pool = node.stats(now).pool;
    format!(
        "{state}; connections: {} of clients, {} of peers, {} to peers",
        pool.client_connections, pool.dnode_client_connections, pool.peer_connections
    )
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

#[cfg(test)]
mod tests;
