//! The event loop, its listeners and sockets.
//!
//! A [`Reactor`] waits for events, at most until the next deadline of node or admin endpoint, reads both clocks once,
//! and has the [`driver`](crate::driver) run the turn. It decides nothing about requests.
//!
//! `kernel` is the driver's world: epoll events, sockets, `io_uring`. `accept` accepts connections, `connect` makes
//! them. `process` handles what is not a request: signals, reloading the configuration
//! (`reload`), lists of nodes (`seeds`), HTTP (`endpoint`).

mod accept;
mod connect;
mod endpoint;
mod kernel;
mod known;
mod listener;
mod poller;
mod process;
mod reload;
mod resolver;
mod seeds;
mod socket;
mod token;

pub use reload::{ConfFile, Reloaded, Sources};

use crate::admin::Policy;
use crate::clock::Now;
use crate::cluster::member::Member;
use crate::cluster::topology::Topology;
use crate::config::{self, Endpoint, Settings};
use crate::log_at;
use crate::node::{Node, Options};
use crate::process::signals::{Signal, Signals};
use crate::proto::dnode::KeyPair;
use crate::stats::Identity;
use crate::sys;
use accept::ListenerKind;
use endpoint::Doors;
use kernel::{Driver, Kernel, clock};
use listener::Listener;
use mio::{Interest, Poll, Waker};
use process::Process;
use reload::Configured;
use resolver::Resolver;
use seeds::Seeds;
use std::io;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};
use token::Name;

/// Size of one connection's socket in the driver's tables, in bytes.
pub const SOCKET_BYTES: usize = size_of::<Option<crate::driver::Conn<socket::Stream>>>();

/// One event loop with its node and all its sockets.
pub struct Reactor {
    driver: Driver,
    kernel: Kernel,
    process: Process,
    /// Use `io_uring` if the kernel supports it.
    wants_ring: bool,
}

/// Why the loop has ended.
#[derive(Debug)]
pub enum Ended {
    /// SIGTERM or SIGINT, and everything in flight is finished or given up.
    Stopped,
    /// A second such signal: at once.
    Killed,
}

/// Called with each signal, for the part of its handling that lies outside the loop.
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
    /// Opens the listeners in the original's order (statistics first, so that the endpoint can report
    /// on the others) and begins to connect to the datastore. With a provider of seeds clients are let in
    /// when it has answered, or after two seconds.
    ///
    /// # Errors
    /// The lines to log: which address, and why not.
    pub fn new(
        settings: &Settings,
        identity: Identity,
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
            Name::Listener(ListenerKind::Stats).token(),
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
        let node = Node::new(Options::new(settings, key_pair), topology, now);
        let mut kernel = Kernel::new(poll, resolver, started);
        kernel.listeners.insert(ListenerKind::Stats, stats_listener);
        let policy = Policy {
            remote: settings.remote_admin,
            lenient: settings.unknown_paths_ok,
        };
        let configured = Configured::new(settings, sources.conf_file, seeds);
        let endpoint = endpoint::Endpoint::new(policy, identity);
        let mut reactor = Reactor {
            driver: Driver::new(node),
            kernel,
            process: Process::new(signals, configured, endpoint),
            wants_ring: settings.io_uring,
        };
        let mut operator = reactor.driver.node.operator();
        reactor.process.count_early(&mut operator);
        reactor.driver.start(&mut reactor.kernel, now);
        reactor.open(
            ListenerKind::Clients,
            "CONN_PROXY",
            &settings.listen.target,
            settings,
        )?;
        reactor.open(
            ListenerKind::Peers,
            "CONN_PEER_PROXY",
            &settings.dyn_listen.target,
            settings,
        )?;
        Ok(reactor)
    }

    /// Opens the listener of clients or of peers.
    fn open(
        &mut self,
        which: ListenerKind,
        name: &str,
        endpoint: &Endpoint,
        settings: &Settings,
    ) -> Result<(), String> {
        let key = match which {
            ListenerKind::Peers => "dyn_listen",
            _ => "listen",
        };
        let name = format!("<{name} listening on '{endpoint}'>");
        let listener = Listener::open(
            &name,
            endpoint,
            settings.backlog,
            self.kernel.registry(),
            Name::Listener(which).token(),
        )
        .map_err(|error| named("p", key, endpoint, &error))?;
        log_at!(
            Notice,
            "{name} inited in {} <POOL '{}'>",
            settings.data_store.name(),
            settings.pool_name
        );
        self.kernel.listeners.insert(which, listener);
        Ok(())
    }

    /// Where clients connect; differs from the configuration for a port the kernel chose.
    pub fn client_addr(&self) -> Option<SocketAddr> {
        self.kernel
            .listeners
            .get(ListenerKind::Clients)
            .and_then(Listener::local_addr)
    }

    /// Runs until a signal ends it.
    ///
    /// # Errors
    /// The kernel refuses to wait for events.
    pub fn run(&mut self, on_signal: &mut OnSignal<'_>) -> io::Result<Ended> {
        if self.wants_ring {
            self.kernel.start_ring();
        } else {
            log_at!(Notice, "io_uring is switched off");
        }
        loop {
            if let Some(ended) = self.turn(on_signal)? {
                return Ok(ended);
            }
        }
    }

    /// One turn; `Some` is the end.
    fn turn(&mut self, on_signal: &mut OnSignal<'_>) -> io::Result<Option<Ended>> {
        if let Some(pause) = self.driver.node.pause() {
            std::thread::sleep(pause);
        }
        self.kernel.wait(self.timeout())?;
        let now = self.kernel.now();
        self.kernel.report(&mut self.driver, now);
        if let Some(ended) = self.run_process(now, on_signal) {
            return Ok(Some(ended));
        }
        self.accept_all(now);
        self.driver.finish(&mut self.kernel, now)?;
        Ok(self.driver.node.is_drained().then_some(Ended::Stopped))
    }

    /// Runs the process' part of the turn, and carries out its orders.
    fn run_process(&mut self, now: Now, on_signal: &mut OnSignal<'_>) -> Option<Ended> {
        let listeners = &mut self.kernel.listeners;
        listeners.tick(now);
        let doors = Doors {
            is_listening: listeners.get(ListenerKind::Clients).is_some(),
            is_accepting: listeners.paused_until.is_none(),
        };
        let (driver, arrived) = (&mut self.driver, &mut self.kernel.arrived);
        let orders = self.process.turn(driver, arrived, doors, now, on_signal);
        if std::mem::take(&mut self.kernel.arrived.woken) {
            self.kernel.take_answers(&mut self.driver, now);
        }
        if orders.freed {
            self.kernel.listeners.resume();
        }
        if orders.stop {
            self.kernel.listeners.close(ListenerKind::Clients);
            self.kernel.listeners.close(ListenerKind::Peers);
            // Requests that have already arrived are still served.
            self.driver.read_all(&mut self.kernel, now);
            self.driver.node.drain(now);
        }
        orders.kill.then_some(Ended::Killed)
    }

    /// How long to wait for events.
    fn timeout(&self) -> Duration {
        let is_busy = self.driver.has_queued() || self.kernel.arrived.any();
        if is_busy || self.kernel.listeners.any_ready() {
            return Duration::ZERO;
        }
        let mut deadline = self.driver.node.next_deadline();
        deadline = deadline.min(self.process.next_deadline());
        if let Some(at) = self.kernel.listeners.paused_until {
            deadline = deadline.min(at);
        }
        let now = self.kernel.now().mono_us;
        // Rounded up: the kernel waits in whole milliseconds, and must not wake us too early.
        Duration::from_millis(deadline.saturating_sub(now).div_ceil(1000))
    }
}

#[cfg(test)]
mod tests;
