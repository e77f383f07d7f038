//! Bytes between one connection's socket and the node.

use super::Reactor;
use super::batch::Ahead;
use crate::clock::Now;
use crate::node::{ConnId, Kind, Next};
use mio::event::Event;
use std::io;

/// Reads from a client that has broken its connection, at most.
const READS_BEFORE_ERROR: usize = 64;

impl Reactor {
    /// Acts on what the kernel says about a connection.
    pub(super) fn ready(&mut self, id: ConnId, event: &Event, now: Now) {
        let Some(socket) = self.sockets.get(id) else {
            return; // Closed earlier in the same turn.
        };
        if socket.connecting {
            return self.finish_connect(id, event, now);
        }
        if event.is_error() {
            if id.kind == Kind::Client && event.is_readable() {
                // Requests that arrived before the error are executed.
                for _ in 0..READS_BEFORE_ERROR {
                    if self.receive(id, now) != Some(Next::Again) {
                        break;
                    }
                }
            }
            let socket = self.sockets.get(id);
            let error = socket
                .and_then(|socket| socket.stream.take_error().ok().flatten())
                .unwrap_or(io::ErrorKind::ConnectionReset.into());
            self.node.broken(id, now, &error);
            return;
        }
        if event.is_read_closed() && !std::mem::replace(&mut socket.ended, true) {
            self.node.ended(id);
        }
        if event.is_writable() && std::mem::take(&mut socket.blocked) {
            socket.blocked = self.node.transmit(id, now, &mut socket.stream);
        }
        if event.is_readable() || event.is_read_closed() {
            match id.kind {
                Kind::Client if self.batch.is_on() => self.batch.note_ready(id),
                _ => self.read(id, now),
            }
        }
    }

    /// Reads once from a connection.
    pub(super) fn read(&mut self, id: ConnId, now: Now) {
        if let Some(next) = self.receive(id, now) {
            self.after_read(id, next);
        }
    }

    /// Lets the node read once from a connection that is there.
    pub(super) fn receive(&mut self, id: ConnId, now: Now) -> Option<Next> {
        let socket = self.sockets.get(id)?;
        let Some(left) = self.batch.take_left(id) else {
            return Some(self.node.receive(id, now, &mut socket.stream));
        };
        let mut ahead = Ahead::of(&left, &mut socket.stream);
        let next = self.node.receive(id, now, &mut ahead);
        self.batch.leave(id, ahead.rest());
        Some(next)
    }

    /// Has a connection read again without an event where none would come.
    pub(super) fn after_read(&mut self, id: ConnId, next: Next) {
        let Some(socket) = self.sockets.get(id) else {
            return;
        };
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
    pub(super) fn read_queued(&mut self, now: Now) {
        std::mem::swap(&mut self.run, &mut self.running);
        while let Some(id) = self.running.pop() {
            if let Some(socket) = self.sockets.get(id)
                && std::mem::take(&mut socket.queued)
            {
                self.read(id, now);
            }
        }
    }

    /// Writes what a connection has to say, as far as the kernel takes it.
    pub(super) fn flush(&mut self, id: ConnId, now: Now) {
        let socket = self.sockets.get(id);
        if let Some(socket) = socket.filter(|socket| socket.is_writable()) {
            socket.blocked = self.node.transmit(id, now, &mut socket.stream);
        }
    }
}
