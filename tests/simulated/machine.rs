//! A machine that runs one node: the driver of production, with links for sockets.
//!
//! Edge-triggered as the kernel is: the driver hears of a connection once after each edge. Which edges it hears of in a
//! turn, in which order, and whether connections are read and written one at a time or many by one call, is
//! chance.

use super::link::Link;
use super::random::Random;
use dynomite::clock::Now;
use dynomite::config::Endpoint;
use dynomite::driver::{APART, Attempt, Conn, Driver, Fault, Step, World};
use dynomite::node::{ConnId, Kind, Node};
use std::io::{self, ErrorKind, Read, Write};

/// How the event loop breaks on purpose, to see that it would be noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineCanary {
    /// The driver makes a mistake.
    Fault(Fault),
    /// The driver does not hear that a connection can be written again.
    LosesWritableEdge,
    /// A send in a batch claims to have taken everything.
    LiesOfShortSends,
    /// The results of a batch belong to other connections.
    SwapsResults,
    /// The node counts a request as overdue that is not.
    Miscounts,
}

/// A connection being made.
struct Attempted {
    id: ConnId,
    link: usize,
}

pub struct Machine {
    pub driver: Driver<usize>,
    /// Clients waiting to be accepted.
    pub backlog: Vec<usize>,
    /// Peers waiting to be accepted.
    pub peer_backlog: Vec<usize>,
    attempts: Vec<Attempted>,
    /// Connections were made, and what the node has to say on them was not written yet.
    has_made: bool,
    pub canary: Option<MachineCanary>,
    random: Random,
    pub trace: Vec<String>,
    pub tracing: bool,
}

/// What the world answers to an attempt to connect to an endpoint; `None` leaves it hanging.
pub type Dial<'a> = &'a mut dyn FnMut(Option<&Endpoint>, &mut Vec<Link>) -> (usize, Option<bool>);

/// What a driver sees of the world in one turn.
struct Turn<'a> {
    now: Now,
    links: &'a mut Vec<Link>,
    dial: Dial<'a>,
    attempts: &'a mut Vec<Attempted>,
    canary: Option<MachineCanary>,
    random: &'a mut Random,
    trace: Option<&'a mut Vec<String>>,
    /// Connections are read and written many by one call.
    batches: bool,
    /// Calls of the driver that are left until it is going in circles.
    left: usize,
    /// What the driver did wrong.
    wrong: Option<String>,
    /// Calls so far, to know which of two writes came first.
    calls: u64,
}

impl Machine {
    pub fn new(node: Node, random: Random, tracing: bool) -> Machine {
        Machine {
            driver: Driver::new(node),
            backlog: Vec::new(),
            peer_backlog: Vec::new(),
            attempts: Vec::new(),
            has_made: false,
            canary: None,
            random,
            trace: Vec::new(),
            tracing,
        }
    }

    fn conns(&self) -> impl Iterator<Item = (ConnId, &Conn<usize>)> {
        self.driver.conns().iter()
    }

    /// Connections to clients.
    pub fn clients(&self) -> usize {
        let clients = self.conns().filter(|(id, _)| id.kind == Kind::Client);
        clients.count()
    }

    /// Connections to peers that are made.
    pub fn peers(&self) -> usize {
        let peers = self.conns().filter(|(id, _)| id.kind == Kind::Peer);
        peers.filter(|(_, conn)| !conn.is_connecting()).count()
    }

    /// Returns true if something is to be done without any event.
    pub fn is_busy(&self) -> bool {
        let waits = [&self.backlog, &self.peer_backlog];
        let is_called = waits.iter().any(|waits| !waits.is_empty());
        self.has_made || self.driver.has_queued() || is_called
    }

    /// Loses power: all its connections are closed.
    pub fn fail(self, links: &mut [Link]) {
        let open = self.conns().map(|(_, conn)| conn.inner).collect::<Vec<_>>();
        for link in open
            .into_iter()
            .chain(self.backlog)
            .chain(self.peer_backlog)
        {
            links[link].closed = true;
        }
    }

    fn note(&mut self, text: impl FnOnce() -> String) {
        if self.tracing {
            self.trace.push(text());
        }
    }

    /// One turn of the event loop. `Err` is what the driver or the node did wrong.
    pub fn turn(&mut self, now: Now, links: &mut Vec<Link>, dial: Dial<'_>) -> Result<(), String> {
        self.has_made = false;
        for link in links.iter_mut() {
            link.writes = None;
            link.failed = false;
        }
        let mut turn = Turn {
            now,
            left: 500 + 30 * self.driver.conns().iter().count(),
            links,
            dial,
            attempts: &mut self.attempts,
            canary: self.canary,
            batches: self.random.chance(500),
            random: &mut self.random,
            trace: self.tracing.then_some(&mut self.trace),
            wrong: None,
            calls: 0,
        };
        turn.report(&mut self.driver);
        let clients = std::mem::take(&mut self.backlog).into_iter();
        let peers = std::mem::take(&mut self.peer_backlog).into_iter();
        let clients = clients.map(|link| (Kind::Client, link));
        for (kind, link) in clients.chain(peers.map(|link| (Kind::DnodeClient, link))) {
            match self.driver.node.accepted(kind, None, now) {
                Ok(id) => {
                    turn.note(|| format!("accepted {id}"));
                    self.driver.accepted(&mut turn, id, link, now);
                }
                Err(text) => {
                    let _ = turn.links[link].write(text);
                    turn.links[link].closed = true;
                    turn.links[link].refused = true;
                }
            }
        }
        self.driver
            .finish(&mut turn, now)
            .map_err(|error| error.to_string())?;
        turn.look(&self.driver)?;
        for (id, conn) in self.driver.conns().iter() {
            links[conn.inner].untaken = self.driver.untaken(id);
        }
        if self.canary == Some(MachineCanary::Miscounts) && self.random.chance(20) {
            self.driver.node.miscount();
        }
        self.driver.node.check()
    }

    /// Ends attempts to connect. Returns the links that are connected now.
    pub fn finish_attempts(&mut self, now: Now, links: &mut [Link]) -> Vec<usize> {
        let mut made = Vec::new();
        for Attempted { id, link } in std::mem::take(&mut self.attempts) {
            if self.driver.conns().get(id).is_none() {
                continue;
            }
            if links[link].is_reset() {
                let error = ErrorKind::ConnectionRefused.into();
                self.driver.node.broken(id, now, &error);
                continue;
            }
            self.driver.connected(id, now);
            self.has_made = true;
            self.note(|| format!("connected {id}"));
            made.push(link);
        }
        made
    }
}

impl Turn<'_> {
    fn note(&mut self, text: impl FnOnce() -> String) {
        if let Some(trace) = &mut self.trace {
            trace.push(text());
        }
    }

    /// Reports some or all events to the driver, in no particular order.
    fn report(&mut self, driver: &mut Driver<usize>) -> bool {
        let some = self.random.chance(300);
        let mut ready = Vec::new();
        for (id, conn) in driver.conns().iter() {
            let is_ready = !conn.is_connecting() && self.links[conn.inner].edges.any();
            if is_ready && !(some && self.random.chance(500)) {
                ready.push((id, conn.inner));
            }
        }
        if ready.len() > 1 && self.random.chance(500) {
            let at = self.random.below(ready.len());
            ready.rotate_left(at);
        }
        for &(id, link) in &ready {
            let mut edges = std::mem::take(&mut self.links[link].edges);
            edges.writable &= self.canary != Some(MachineCanary::LosesWritableEdge);
            // A write after an edge has no place in the order of a turn's writes.
            let writes = self.links[link].writes;
            driver.ready(self, id, edges, self.now);
            self.links[link].writes = writes;
        }
        !ready.is_empty()
    }

    /// Counts a call that has to do with a connection.
    fn call(&mut self) -> u64 {
        assert!(self.left > 0, "the driver goes in circles");
        self.left -= 1;
        self.calls += 1;
        self.calls
    }

    /// What must be true at the end of a turn.
    fn look(self, driver: &Driver<usize>) -> Result<(), String> {
        if let Some(wrong) = self.wrong {
            return Err(wrong);
        }
        let writes = |kinds: [Kind; 2]| {
            let conns = driver.conns().iter();
            let conns = conns.filter(move |(id, _)| kinds.contains(&id.kind));
            conns.filter_map(|(_, conn)| self.links[conn.inner].writes)
        };
        let answers = writes([Kind::Client, Kind::DnodeClient]);
        let requests = writes([Kind::Store, Kind::Peer]);
        let last = answers.map(|writes| writes.last).max();
        let first = requests.map(|writes| writes.first).min();
        // A request that could not be written is answered at once.
        let has_failed = self.links.iter().any(|link| link.failed);
        match last.zip(first) {
            Some((last, first)) if last > first && !has_failed => {
                Err("an answer was written behind requests".into())
            }
            _ => Ok(()),
        }
    }
}

/// The result of a call in a batch.
fn result(outcome: io::Result<usize>) -> i32 {
    match outcome.map_err(|error| error.kind()) {
        Ok(n) => n as i32,
        Err(ErrorKind::WouldBlock) => -libc::EAGAIN,
        Err(ErrorKind::Interrupted) => -libc::EINTR,
        Err(ErrorKind::ConnectionReset) => -libc::ECONNRESET,
        Err(_) => -libc::EPIPE,
    }
}

impl World for Turn<'_> {
    type Conn = usize;
    type Stream = Link;

    /// Small, so that it is filled often.
    const ROOM: usize = 100;

    fn stream<'a>(&'a mut self, _: ConnId, link: &'a mut usize) -> &'a mut Link {
        let call = self.call();
        self.links[*link].call = call;
        &mut self.links[*link]
    }

    fn take_error(&mut self, _: &mut usize) -> io::Error {
        ErrorKind::ConnectionReset.into()
    }

    fn connect(&mut self, id: ConnId, endpoint: &Endpoint) -> Attempt<usize> {
        self.call();
        let (link, outcome) = (self.dial)(Some(endpoint), self.links);
        match outcome {
            Some(false) if self.random.chance(500) => {
                return Attempt::Failed(ErrorKind::ConnectionRefused.into());
            }
            Some(false) => self.links[link].reset(),
            Some(true) => {}
            None => return Attempt::Begun(link),
        }
        self.attempts.push(Attempted { id, link });
        Attempt::Begun(link)
    }

    fn close(&mut self, id: ConnId, link: Option<usize>) {
        self.call();
        self.attempts.retain(|attempt| attempt.id != id);
        match link {
            Some(link) => {
                self.links[link].closed = true;
                self.links[link].untaken = 0;
            }
            // An attempt that could not even begin has no link.
            None if matches!(id.kind, Kind::Store | Kind::Peer) => {}
            None => self.wrong = Some(format!("closes {id} twice")),
        }
    }

    fn glance(&mut self, driver: &mut Driver<usize>) -> io::Result<Option<Now>> {
        self.batches = self.random.chance(500);
        for link in self.links.iter_mut() {
            if link.has_flight() && self.random.chance(200) {
                link.deliver(self.random.between(1, 1000));
            }
        }
        Ok(self.report(driver).then_some(self.now))
    }

    fn can_batch(&self) -> bool {
        self.batches
    }

    fn send<'a>(
        &mut self,
        pieces: impl Iterator<Item = (Option<&'a usize>, &'a [u8])>,
        results: &mut Vec<i32>,
    ) {
        for (link, bytes) in pieces {
            let call = self.call();
            results.push(match link {
                None => APART,
                Some(_) if self.is_spent() => -libc::EINTR,
                Some(&link) => {
                    self.links[link].call = call;
                    match result(self.links[link].write(bytes)) {
                        sent @ 1.. if self.canary != Some(MachineCanary::LiesOfShortSends) => sent,
                        1.. => bytes.len() as i32,
                        failed => failed,
                    }
                }
            });
        }
    }

    fn receive<'a>(
        &mut self,
        rooms: impl Iterator<Item = (Option<&'a usize>, &'a mut [u8])>,
        results: &mut Vec<i32>,
    ) {
        for (link, room) in rooms {
            self.call();
            results.push(match link {
                None => APART,
                Some(_) if self.is_spent() => -libc::EINTR,
                Some(&link) => result(self.links[link].read(room)),
            });
        }
        if self.canary == Some(MachineCanary::SwapsResults) {
            results.rotate_left(1);
        }
    }

    fn watch(&mut self, step: Step) {
        self.note(|| match step {
            Step::Read(id, next) => format!("read {id}: {next:?}"),
            Step::Act(action) => format!("{action:?}"),
        });
    }

    fn has_fault(&mut self, fault: Fault) -> bool {
        self.canary == Some(MachineCanary::Fault(fault))
            && (fault != Fault::ForgetsToFlush || self.random.chance(20))
    }
}

impl Turn<'_> {
    /// Returns true if nothing more is read or written many by one call: sometimes the kernel takes nothing any more.
    fn is_spent(&mut self) -> bool {
        self.batches &= !self.random.chance(5);
        !self.batches
    }
}
