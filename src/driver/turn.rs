//! The turn.

use super::batch::Ahead;
use super::world::{Attempt, Edges, Fault, Step, World};
use super::{Conn, Driver, GLANCES};
use crate::clock::Now;
use crate::node::{Action, ConnId, Kind, Next};
use std::io;

/// Reads from a client that has broken its connection, at most.
const READS_BEFORE_ERROR: usize = 64;

impl<C> Driver<C> {
    /// Begins: the node asks for its first connections.
    pub fn start<W: World<Conn = C>>(&mut self, world: &mut W, now: Now) {
        self.node.start(now);
        self.answer(world, now);
    }

    /// Adds a connection that the node has accepted.
    pub fn accepted<W: World<Conn = C>>(&mut self, world: &mut W, id: ConnId, conn: C, now: Now) {
        // It may be in the place of one that the node has given up in the same turn, to make room.
        self.act_all(world, now);
        self.conns.insert(id, Conn::new(id, conn, false));
    }

    /// Records how an attempt to connect has begun.
    pub fn attempt(&mut self, id: ConnId, attempt: Attempt<C>, now: Now) {
        match attempt {
            Attempt::Begun(conn) => self.conns.insert(id, Conn::new(id, conn, true)),
            Attempt::Later => {}
            Attempt::Failed(error) => self.node.broken(id, now, &error),
        }
    }

    /// An attempt to connect has succeeded.
    pub fn connected(&mut self, id: ConnId, now: Now) {
        if let Some(conn) = self.conns.get_mut(id) {
            conn.connecting = false;
            self.node.connected(id, now);
        }
    }

    /// Acts on an event of a connection that is made.
    pub fn ready<W: World<Conn = C>>(&mut self, world: &mut W, id: ConnId, edges: Edges, now: Now) {
        let Some(conn) = self.conns.get_mut(id) else {
            return; // Closed earlier in the same turn.
        };
        if edges.error {
            return self.failed(world, id, edges, now);
        }
        if edges.ended && !std::mem::replace(&mut conn.ended, true) {
            self.node.ended(id);
        }
        if edges.writable && std::mem::take(&mut conn.blocked) {
            let stream = world.stream(id, &mut conn.inner);
            conn.blocked = self.node.transmit(id, now, stream);
        }
        if edges.readable || edges.ended {
            match id.kind {
                Kind::Client if world.can_batch() => self.batch.ready.push(id),
                _ => self.read(world, id, now),
            }
        }
    }

    /// A connection has failed.
    fn failed<W: World<Conn = C>>(&mut self, world: &mut W, id: ConnId, edges: Edges, now: Now) {
        if id.kind == Kind::Client && edges.readable {
            // Requests that arrived before the error are executed.
            for _ in 0..READS_BEFORE_ERROR {
                if self.receive(world, id, now) != Some(Next::Again) {
                    break;
                }
            }
        }
        let error = match self.conns.get_mut(id) {
            Some(conn) => world.take_error(&mut conn.inner),
            None => io::ErrorKind::ConnectionReset.into(),
        };
        self.node.broken(id, now, &error);
    }

    /// Ends a turn whose events have been reported: reads what is ready, lets the node do what is due, and writes
    /// answers, then requests.
    ///
    /// # Errors
    /// Those of [`World::glance`].
    pub fn finish<W: World<Conn = C>>(&mut self, world: &mut W, now: Now) -> io::Result<()> {
        self.read_all(world, now);
        if self.node.next_deadline() <= now.mono_us
            && !world.has_fault(Fault::NeverTicks)
            && self.node.tick(now) > 0
        {
            self.shrink();
            world.has_shrunk();
        }
        self.settle(world, now)
    }

    /// Reads once from every connection that is ready, or was not read to its end in the last turn.
    pub fn read_all<W: World<Conn = C>>(&mut self, world: &mut W, now: Now) {
        self.read_ready(world, now);
        std::mem::swap(&mut self.queued, &mut self.reading);
        while let Some(id) = self.reading.pop() {
            if let Some(conn) = self.conns.get_mut(id)
                && std::mem::take(&mut conn.queued)
            {
                self.read(world, id, now);
            }
        }
    }

    /// Carries out the node's actions and writes its output: answers, then requests.
    ///
    /// # Errors
    /// Those of [`World::glance`].
    pub fn settle<W: World<Conn = C>>(&mut self, world: &mut W, mut now: Now) -> io::Result<()> {
        if world.has_fault(Fault::RequestsFirst) {
            self.write_requests(world, now);
        }
        let mut glances = 0;
        while self.answer(world, now) && self.node.has_dirty_upstreams() && glances < GLANCES {
            let Some(later) = world.glance(self)? else {
                break;
            };
            glances += 1;
            now = later;
            self.read_ready(world, now);
        }
        loop {
            self.write_requests(world, now);
            // A write that failed is the answer to a request.
            self.answer(world, now);
            if !self.node.has_dirty_upstreams() {
                return Ok(());
            }
        }
    }

    /// Carries out the node's actions and writes answers until there are none. Returns true if there were any.
    fn answer<W: World<Conn = C>>(&mut self, world: &mut W, now: Now) -> bool {
        self.node.end_turn(now);
        let mut answered = false;
        loop {
            let mut idle = !self.act_all(world, now);
            while let Some(id) = self.node.next_dirty_front() {
                idle = false;
                answered = true;
                self.batch.dirty.push(id);
            }
            self.write_dirty(world, now);
            if idle {
                return answered;
            }
        }
    }

    /// Writes requests to the datastore and to peers.
    fn write_requests<W: World<Conn = C>>(&mut self, world: &mut W, now: Now) {
        while let Some(id) = self.node.next_dirty_upstream() {
            self.batch.dirty.push(id);
        }
        self.write_dirty(world, now);
    }

    /// Carries out all of the node's actions. Returns true if there were any.
    fn act_all<W: World<Conn = C>>(&mut self, world: &mut W, now: Now) -> bool {
        let mut acted = false;
        while let Some(action) = self.node.next_action() {
            acted = true;
            self.act(world, action, now);
        }
        acted
    }

    /// Carries out one action.
    fn act<W: World<Conn = C>>(&mut self, world: &mut W, action: Action, now: Now) {
        world.watch(Step::Act(action));
        match action {
            Action::Close(id) => {
                self.batch.take_rest(id);
                let conn = self.conns.take(id);
                world.close(id, conn);
            }
            Action::Resume(id) => {
                if !world.has_fault(Fault::LosesResume) {
                    self.queue(id);
                }
            }
            Action::Connect(id) => {
                if let Some(endpoint) = self.node.endpoint(id) {
                    let attempt = world.connect(id, endpoint);
                    self.attempt(id, attempt, now);
                }
            }
        }
    }

    /// Reads once from a connection.
    pub(super) fn read<W: World<Conn = C>>(&mut self, world: &mut W, id: ConnId, now: Now) {
        if let Some(next) = self.receive(world, id, now) {
            self.after_read(id, next);
        }
    }

    /// Lets the node read once from a connection, unless it is closed.
    fn receive<W: World<Conn = C>>(&mut self, world: &mut W, id: ConnId, now: Now) -> Option<Next> {
        let conn = self.conns.get_mut(id)?;
        let stream = world.stream(id, &mut conn.inner);
        let next = match self.batch.take_rest(id) {
            None => self.node.receive(id, now, stream),
            Some(rest) => {
                let mut ahead = Ahead::of(&rest, stream);
                let next = self.node.receive(id, now, &mut ahead);
                self.batch.keep_rest(id, ahead.rest());
                next
            }
        };
        world.watch(Step::Read(id, next));
        Some(next)
    }

    /// Writes the output of a connection, as far as the kernel takes it.
    pub(super) fn flush<W: World<Conn = C>>(&mut self, world: &mut W, id: ConnId, now: Now) {
        let conn = self.conns.get_mut(id);
        if let Some(conn) = conn.filter(|conn| conn.is_writable())
            && !world.has_fault(Fault::ForgetsToFlush)
        {
            let stream = world.stream(id, &mut conn.inner);
            conn.blocked = self.node.transmit(id, now, stream);
        }
    }
}
