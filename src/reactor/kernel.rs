//! The kernel as the world of a [`Driver`](crate::driver::Driver): events and sockets.
//!
//! Every socket is registered once for both directions, edge-triggered, and never again. Events of connections go to
//! the driver at once; those of anything else are noted, for the next turn at the latest.

use super::accept::Listeners;
use super::connect::Untried;
use super::process::Arrived;
use super::resolver::Resolver;
use super::socket::Stream;
use super::token::Name;
use crate::clock::Now;
use crate::config::Endpoint;
use crate::driver::{self, Attempt, Edges, World};
use crate::log_at;
use crate::node::ConnId;
use crate::sys;
use crate::sys::ring::Ring;
use mio::event::Event;
use mio::{Events, Poll, Registry};
use std::io;
use std::os::fd::AsRawFd;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// Events taken from the kernel at once.
const EVENTS: usize = 1024;

/// A node with its sockets.
pub(super) type Driver = driver::Driver<Stream>;

/// Poll, ring, resolver and listeners, and the events that concern no connection of the node.
pub(super) struct Kernel {
    poll: Poll,
    events: Events,
    /// How many connections are read and written by one call, where the kernel can do that.
    ring: Option<Ring>,
    pub listeners: Listeners,
    pub resolver: Resolver,
    pub untried: Untried,
    /// For the process.
    pub arrived: Arrived,
    started: Instant,
}

impl Kernel {
    /// Without listeners.
    pub fn new(poll: Poll, resolver: Resolver, started: Instant) -> Kernel {
        Kernel {
            poll,
            events: Events::with_capacity(EVENTS),
            ring: None,
            listeners: Listeners::default(),
            resolver,
            untried: Untried::new(),
            arrived: Arrived::default(),
            started,
        }
    }

    /// Asks the kernel whether it can read and write many connections by one call. To be called by the thread that
    /// runs the loop.
    pub fn start_ring(&mut self) {
        match Ring::new() {
            Ok(ring) => {
                log_at!(Notice, "io_uring in use");
                self.ring = Some(ring);
            }
            Err(error) => log_at!(Notice, "io_uring not to be had: {}", sys::reason(&error)),
        }
    }

    /// Gives up a ring that is spent.
    fn check_ring(&mut self) {
        if self.ring.as_ref().is_some_and(Ring::is_spent) {
            log_at!(
                Warn,
                "io_uring is no longer used: the kernel accepts nothing from it"
            );
            self.ring = None;
        }
    }

    /// Where sockets are registered.
    pub fn registry(&self) -> &Registry {
        self.poll.registry()
    }

    /// Both clocks.
    pub fn now(&self) -> Now {
        clock(self.started)
    }

    /// Waits for events. There are none, too, when a signal came first.
    ///
    /// # Errors
    /// The kernel refuses to report events.
    pub fn wait(&mut self, time: Duration) -> io::Result<()> {
        match self.poll.poll(&mut self.events, Some(time)) {
            Err(error) if error.kind() != io::ErrorKind::Interrupted => Err(error),
            _ => Ok(()),
        }
    }

    /// Reports the events of connections to the driver, and notes all others.
    pub fn report(&mut self, driver: &mut Driver, now: Now) {
        let events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        for event in &events {
            match Name::of(event.token()) {
                Some(Name::Conn(id)) => self.ready(driver, id, event, now),
                Some(Name::Admin(key, generation)) => self.arrived.http.push((key, generation)),
                Some(Name::Listener(which)) => self.listeners.mark_ready(which),
                Some(Name::Waker) => self.arrived.woken = true,
                Some(Name::Signals) => self.arrived.signalled = true,
                None => {}
            }
        }
        self.events = events;
    }

    /// Handles an event of a connection.
    #[inline]
    fn ready(&mut self, driver: &mut Driver, id: ConnId, event: &Event, now: Now) {
        let edges = Edges {
            readable: event.is_readable(),
            writable: event.is_writable(),
            ended: event.is_read_closed(),
            error: event.is_error(),
        };
        match driver.conns().get(id) {
            Some(conn) if conn.is_connecting() => self.finish_connect(driver, id, edges, now),
            Some(_) => driver.ready(self, id, edges, now),
            None => {} // Closed earlier in the same turn.
        }
    }
}

impl World for Kernel {
    type Conn = Stream;
    type Stream = Stream;

    #[inline]
    fn stream<'a>(&'a mut self, _: ConnId, stream: &'a mut Stream) -> &'a mut Stream {
        stream
    }

    fn take_error(&mut self, stream: &mut Stream) -> io::Error {
        let error = stream.take_error().ok().flatten();
        error.unwrap_or(io::ErrorKind::ConnectionReset.into())
    }

    fn connect(&mut self, id: ConnId, endpoint: &Endpoint) -> Attempt<Stream> {
        self.begin_connect(id, endpoint)
    }

    fn close(&mut self, id: ConnId, stream: Option<Stream>) {
        self.take_untried(id);
        if let Some(stream) = stream {
            stream.close();
            // A descriptor is free again.
            self.listeners.resume();
        }
    }

    fn glance(&mut self, driver: &mut Driver) -> io::Result<Option<Now>> {
        self.wait(Duration::ZERO)?;
        if self.events.is_empty() {
            return Ok(None);
        }
        let now = self.now();
        self.report(driver, now);
        Ok(Some(now))
    }

    #[inline]
    fn can_batch(&self) -> bool {
        self.ring.is_some()
    }

    fn send<'a>(
        &mut self,
        pieces: impl Iterator<Item = (Option<&'a Stream>, &'a [u8])>,
        results: &mut Vec<i32>,
    ) {
        if let Some(ring) = &mut self.ring {
            let pieces = pieces.map(|(stream, bytes)| (descriptor(stream), bytes));
            results.extend_from_slice(ring.send(pieces));
            self.check_ring();
        }
    }

    fn receive<'a>(
        &mut self,
        rooms: impl Iterator<Item = (Option<&'a Stream>, &'a mut [u8])>,
        results: &mut Vec<i32>,
    ) {
        if let Some(ring) = &mut self.ring {
            let rooms = rooms.map(|(stream, room)| (descriptor(stream), room));
            results.extend_from_slice(ring.receive(rooms));
            self.check_ring();
        }
    }

    fn has_shrunk(&mut self) {
        sys::malloc_trim();
    }
}

/// That of a socket; without one a number that the kernel knows for none, for which it reports
/// [`APART`](driver::APART).
#[inline]
fn descriptor(stream: Option<&Stream>) -> i32 {
    stream.map_or(-1, AsRawFd::as_raw_fd)
}

/// Both clocks.
pub(super) fn clock(started: Instant) -> Now {
    let wall = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap_or_default();
    // Never 0, so that 0 can mean "never".
    Now {
        mono_us: started.elapsed().as_micros() as u64 + 1,
        wall_us: wall.as_micros() as u64,
    }
}
