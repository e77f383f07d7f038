//! A machine that runs one node: its sockets and its event loop, after the reactor's pattern.
//!
//! It follows the order of verbs that the node's documentation states, edge-triggered: a connection is read
//! again only after an edge, after `Next::Again`, or when asked to resume.

use super::link::Link;
use super::random::Random;
use dynomite::clock::Now;
use dynomite::config::Endpoint;
use dynomite::node::{Action, ConnId, Kind, Next, Node};
use std::collections::HashMap;
use std::io::{self, Write};

/// How the event loop breaks on purpose, to see that it would be noticed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MachineCanary {
    LosesResume,
    LosesWritableEdge,
    NeverTicks,
    ForgetsToFlush,
    /// The node counts a request as overdue that is not.
    Miscounts,
}

struct Socket {
    link: usize,
    blocked: bool,
    queued: bool,
    ended: bool,
    connecting: bool,
}

/// A connection being made.
struct Attempt {
    id: ConnId,
    link: usize,
}

pub struct Machine {
    pub node: Node,
    sockets: HashMap<ConnId, Socket>,
    /// With their links, in the order of their making, so that a run repeats.
    order: Vec<(ConnId, usize)>,
    run: Vec<ConnId>,
    /// Clients waiting to be accepted.
    pub backlog: Vec<usize>,
    /// Peers waiting to be accepted.
    pub peer_backlog: Vec<usize>,
    attempts: Vec<Attempt>,
    /// Connections were made, and what the node has to say on them was not written yet.
    has_made: bool,
    pub canary: Option<MachineCanary>,
    random: Random,
    /// Most actions and flushes one turn took.
    pub busiest: usize,
    pub trace: Vec<String>,
    pub tracing: bool,
}

/// What the world answers to an attempt to connect to an endpoint; `None` leaves it hanging.
pub type Dial<'a> = &'a mut dyn FnMut(Option<&Endpoint>, &mut Vec<Link>) -> (usize, Option<bool>);

impl Machine {
    pub fn new(node: Node, random: Random, tracing: bool) -> Machine {
        Machine {
            node,
            sockets: HashMap::new(),
            order: Vec::new(),
            run: Vec::new(),
            backlog: Vec::new(),
            peer_backlog: Vec::new(),
            attempts: Vec::new(),
            has_made: false,
            canary: None,
            random,
            busiest: 0,
            trace: Vec::new(),
            tracing,
        }
    }

    /// Connections to clients.
    pub fn clients(&self) -> usize {
        self.sockets
            .keys()
            .filter(|id| id.kind == Kind::Client)
            .count()
    }

    /// Connections to peers that are made.
    pub fn peers(&self) -> usize {
        self.sockets
            .iter()
            .filter(|(id, socket)| id.kind == Kind::Peer && !socket.connecting)
            .count()
    }

    /// Whether something is to be done without any event.
    pub fn is_busy(&self) -> bool {
        let waits = [&self.backlog, &self.peer_backlog];
        self.has_made || !self.run.is_empty() || waits.iter().any(|waits| !waits.is_empty())
    }

    /// Loses power: all its connections are closed.
    pub fn fail(self, links: &mut [Link]) {
        let open = self.sockets.values().map(|socket| socket.link);
        for link in open.chain(self.backlog).chain(self.peer_backlog) {
            links[link].closed = true;
        }
    }

    fn note(&mut self, text: impl FnOnce() -> String) {
        if self.tracing {
            self.trace.push(text());
        }
    }

    /// One turn of the event loop. `Err` is what the node did wrong.
    pub fn turn(&mut self, now: Now, links: &mut Vec<Link>, dial: Dial<'_>) -> Result<(), String> {
        // The kernel tells of some or all that is ready, in no particular order.
        let some = self.random.chance(300);
        let mut ready: Vec<ConnId> = Vec::new();
        for &(id, link) in &self.order {
            if links[link].edges.any() && !(some && self.random.chance(500)) {
                ready.push(id);
            }
        }
        if ready.len() > 1 && self.random.chance(500) {
            let at = self.random.below(ready.len());
            ready.rotate_left(at);
        }
        for id in ready {
            self.ready(id, now, links);
        }
        let clients = std::mem::take(&mut self.backlog).into_iter();
        let peers = std::mem::take(&mut self.peer_backlog).into_iter();
        let clients = clients.map(|link| (Kind::Client, link));
        for (kind, link) in clients.chain(peers.map(|link| (Kind::DnodeClient, link))) {
            match self.node.accepted(kind, None, now) {
                Ok(id) => {
                    self.note(|| format!("accepted {id}"));
                    self.insert(id, link, false);
                }
                Err(text) => {
                    let _ = links[link].write(text);
                    links[link].closed = true;
                    links[link].refused = true;
                }
            }
        }
        for id in std::mem::take(&mut self.run) {
            if let Some(socket) = self.sockets.get_mut(&id)
                && std::mem::take(&mut socket.queued)
            {
                self.read(id, now, links);
            }
        }
        if self.node.next_deadline() <= now.mono_us
            && self.canary != Some(MachineCanary::NeverTicks)
        {
            self.node.tick(now);
        }
        self.settle(now, links, dial)
    }

    /// Each connection may be flushed and closed or resumed a few times in a turn; more is a circle.
    fn most(&self) -> usize {
        // Attempts that fail at once have no socket.
        200 + 8 * self.sockets.len()
    }

    fn insert(&mut self, id: ConnId, link: usize, connecting: bool) {
        let socket = Socket {
            link,
            blocked: false,
            queued: false,
            ended: false,
            connecting,
        };
        self.sockets.insert(id, socket);
        self.order.push((id, link));
    }

    fn ready(&mut self, id: ConnId, now: Now, links: &mut [Link]) {
        let Some(socket) = self
            .sockets
            .get_mut(&id)
            .filter(|socket| !socket.connecting)
        else {
            return;
        };
        let link = &mut links[socket.link];
        let edges = std::mem::take(&mut link.edges);
        if edges.error {
            self.node
                .broken(id, now, &io::ErrorKind::ConnectionReset.into());
            return;
        }
        if edges.ended && !std::mem::replace(&mut socket.ended, true) {
            self.node.ended(id);
        }
        if edges.writable
            && self.canary != Some(MachineCanary::LosesWritableEdge)
            && std::mem::take(&mut socket.blocked)
        {
            socket.blocked = self.node.transmit(id, now, link);
        }
        if edges.readable || edges.ended {
            self.read(id, now, links);
        }
    }

    fn read(&mut self, id: ConnId, now: Now, links: &mut [Link]) {
        let Some(socket) = self.sockets.get_mut(&id) else {
            return;
        };
        let next = self.node.receive(id, now, &mut links[socket.link]);
        let again = match next {
            Next::Again => true,
            Next::Wait => socket.ended,
            Next::Paused => false,
        };
        if again && !std::mem::replace(&mut socket.queued, true) {
            self.run.push(id);
        }
        self.note(|| format!("read {id}: {next:?}"));
    }

    /// Carries out what the node asks for, and flushes what it has to say.
    pub fn settle(
        &mut self,
        now: Now,
        links: &mut Vec<Link>,
        dial: Dial<'_>,
    ) -> Result<(), String> {
        self.has_made = false;
        self.node.end_turn(now);
        let mut count = 0;
        let most = self.most();
        loop {
            let before = count;
            while let Some(action) = self.node.next_action() {
                count += 1;
                self.act(action, now, links, dial)?;
                if count > most.max(self.most()) {
                    return Err(format!("no end of actions: {action:?}"));
                }
            }
            while let Some(id) = self.node.next_dirty() {
                count += 1;
                if count > most.max(self.most()) {
                    return Err(format!("no end of flushes: {id}"));
                }
                let Some(socket) = self.sockets.get_mut(&id) else {
                    continue;
                };
                if self.canary == Some(MachineCanary::ForgetsToFlush) && self.random.chance(20) {
                    continue;
                }
                if !socket.blocked && !socket.connecting {
                    socket.blocked = self.node.transmit(id, now, &mut links[socket.link]);
                }
            }
            if count == before {
                break;
            }
        }
        self.busiest = self.busiest.max(count);
        if self.canary == Some(MachineCanary::Miscounts) && self.random.chance(20) {
            self.node.miscount();
        }
        self.node.check()
    }

    fn act(
        &mut self,
        action: Action,
        now: Now,
        links: &mut Vec<Link>,
        dial: Dial<'_>,
    ) -> Result<(), String> {
        self.note(|| format!("{action:?}"));
        match action {
            Action::Close(id) => {
                self.attempts.retain(|attempt| attempt.id != id);
                match self.sockets.remove(&id) {
                    Some(socket) => {
                        self.order.retain(|(other, _)| *other != id);
                        links[socket.link].closed = true;
                    }
                    // An attempt that could not even begin has no socket.
                    None if matches!(id.kind, Kind::Store | Kind::Peer) => {}
                    None => return Err(format!("closes {id} twice")),
                }
            }
            Action::Resume(id) => {
                let Some(socket) = self.sockets.get_mut(&id) else {
                    return Ok(()); // Closed in the same turn.
                };
                if self.canary == Some(MachineCanary::LosesResume) {
                    return Ok(());
                }
                if !std::mem::replace(&mut socket.queued, true) {
                    self.run.push(id);
                }
            }
            Action::Connect(id) => {
                let (link, outcome) = dial(self.node.endpoint(id), links);
                match outcome {
                    Some(false) if self.random.chance(500) => {
                        self.node
                            .broken(id, now, &io::ErrorKind::ConnectionRefused.into());
                    }
                    Some(false) => {
                        links[link].reset();
                        self.insert(id, link, true);
                        self.attempts.push(Attempt { id, link });
                    }
                    Some(true) => {
                        self.insert(id, link, true);
                        self.attempts.push(Attempt { id, link });
                    }
                    None => self.insert(id, link, true),
                }
            }
        }
        Ok(())
    }

    /// Ends attempts to connect. Returns the links that are connected now.
    pub fn finish_attempts(&mut self, now: Now, links: &mut [Link]) -> Vec<usize> {
        let mut made = Vec::new();
        for Attempt { id, link } in std::mem::take(&mut self.attempts) {
            let Some(socket) = self.sockets.get_mut(&id) else {
                continue;
            };
            if links[link].is_reset() {
                self.node
                    .broken(id, now, &io::ErrorKind::ConnectionRefused.into());
                continue;
            }
            socket.connecting = false;
            self.node.connected(id, now);
            self.has_made = true;
            self.note(|| format!("connected {id}"));
            made.push(link);
        }
        made
    }
}
