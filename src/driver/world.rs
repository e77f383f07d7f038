//! The world around a node, as its driver needs it.

use super::Driver;
use crate::clock::Now;
use crate::config::Endpoint;
use crate::node::{Action, ConnId, Next};
use std::io::{self, Read, Write};

/// The result of a piece of a batch that has no connection: `EBADF`, negated.
pub const APART: i32 = -libc::EBADF;

/// Sockets, or a simulation of them.
pub trait World: Sized {
    /// The world's part of a connection: a socket, or the number of a link.
    type Conn;
    /// The byte stream of a connection.
    type Stream: Read + Write;

    /// How much [`World::receive`] reads from one connection at most, in bytes.
    const ROOM: usize = 2048;

    /// The stream of a connection.
    fn stream<'a>(&'a mut self, id: ConnId, conn: &'a mut Self::Conn) -> &'a mut Self::Stream;

    /// Why an edge reported an error.
    fn take_error(&mut self, conn: &mut Self::Conn) -> io::Error;

    /// Begins to connect. The outcome is reported by [`Driver::connected`] or
    /// [`Node::broken`](crate::node::Node::broken).
    fn connect(&mut self, id: ConnId, endpoint: &Endpoint) -> Attempt<Self::Conn>;

    /// Closes a connection, or gives up an attempt to make one, for which there may be no stream yet.
    fn close(&mut self, id: ConnId, conn: Option<Self::Conn>);

    /// Looks for more events without waiting and reports them by [`Driver::ready`]. Returns the time if there
    /// were any.
    ///
    /// # Errors
    /// The kernel refuses to report events.
    fn glance(&mut self, driver: &mut Driver<Self::Conn>) -> io::Result<Option<Now>>;

    /// Returns true if many connections can be read, or written, by one call.
    fn can_batch(&self) -> bool {
        false
    }

    /// Sends each piece, as far as that goes without waiting. `results` are those of `send`, in the order of the
    /// pieces: a count of bytes, or an error's number, negated; [`APART`] for a piece without a connection.
    fn send<'a>(
        &mut self,
        pieces: impl Iterator<Item = (Option<&'a Self::Conn>, &'a [u8])>,
        results: &mut Vec<i32>,
    ) where
        Self::Conn: 'a,
    {
        results.extend(pieces.map(|_| APART));
    }

    /// Receives the bytes that have arrived into each room. `results` are those of `recv`, as for [`World::send`].
    fn receive<'a>(
        &mut self,
        rooms: impl Iterator<Item = (Option<&'a Self::Conn>, &'a mut [u8])>,
        results: &mut Vec<i32>,
    ) where
        Self::Conn: 'a,
    {
        results.extend(rooms.map(|_| APART));
    }

    /// The driver has returned memory of its own.
    fn has_shrunk(&mut self) {}

    /// Observes a step of the driver.
    #[inline]
    fn watch(&mut self, _step: Step) {}

    /// Returns true if the driver shall make this mistake now. Tests only: elsewhere it is a constant, and the
    /// driver is compiled without its faults.
    #[inline]
    fn has_fault(&mut self, _fault: Fault) -> bool {
        false
    }
}

/// How an attempt to connect has begun.
pub enum Attempt<C> {
    /// The connection is being made.
    Begun(C),
    /// The address has to be looked up first.
    Later,
    /// It has failed already.
    Failed(io::Error),
}

/// Events of a connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Edges {
    /// There are bytes to read.
    pub readable: bool,
    /// There is room to write.
    pub writable: bool,
    /// The other side has ended its stream.
    pub ended: bool,
    /// The connection has failed.
    pub error: bool,
}

impl Edges {
    /// Returns true if anything has happened.
    pub fn any(self) -> bool {
        self.readable || self.writable || self.ended || self.error
    }
}

/// Something a driver has done, as [`World::watch`] sees it.
#[derive(Clone, Copy, Debug)]
pub enum Step {
    /// It read a connection.
    Read(ConnId, Next),
    /// It carried out an action.
    Act(Action),
}

/// A mistake a driver makes on purpose, so that a test can see that its checks notice it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// A paused connection is not read again.
    LosesResume,
    /// The node is not told that time has passed.
    NeverTicks,
    /// A connection with output is passed over.
    ForgetsToFlush,
    /// Requests are written before answers.
    RequestsFirst,
    /// Bytes that a batch has read and the node has not taken are dropped.
    DropsRest,
}
