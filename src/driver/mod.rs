//! One turn of the event loop, for every world a node runs in.
//!
//! A [`Driver`] holds a [`Node`] and its connections, and moves bytes and time between the two; it
//! decides nothing about requests. What differs between sockets and the links of a simulator is behind
//! [`World`], which is resolved at compile time. So the simulators, the fuzz targets and the tests that count
//! allocations exercise the loop that serves clients in production.
//!
//! One turn:
//!
//! 1. the world reports what has happened since the last turn: [`Driver::ready`] for each
//!    connection with an event, [`Driver::accepted`] and [`Driver::attempt`] for new ones;
//! 2. [`Driver::finish`] reads once from every connection that is ready ([`Next::Again`] queues it for
//!    the next turn, so that one busy client cannot starve the others);
//! 3. the node does what is due;
//! 4. what the node asks for is carried out, and every connection with answers is flushed by one gathering
//!    write, without waiting for the kernel to report that it is writable;
//! 5. if there were answers, the world looks for more events without waiting ([`World::glance`]), and they
//!    are read as in 2;
//! 6. every connection with requests is flushed.
//!
//! Answers come first because writing them is most of a turn: the clients that got theirs have sent the
//! next request by the time the last one is written, and one write to the datastore or to a peer
//! then carries all of them. A turn's own requests wait for that no longer than [`GLANCES`] turns would
//! have taken; a request that came alone is passed on at once.
//!
//! Events are edges: a short read means that the kernel's buffer was empty, and bytes that come later make a new
//! edge. Only the end of a stream that arrives together with data makes no edge of its own;
//! [`Conn::ended`] remembers it.
//!
//! | file | noun |
//! |---|---|
//! | `world` | what sockets and simulated links have in common |
//! | `conns` | the connections of a node, found by their ids |
//! | `turn` | the turn |
//! | `batch` | the first read from, and the first write to, many connections in one call |

mod batch;
mod conns;
mod turn;
mod world;

pub use conns::{Conn, Conns};
pub use world::{APART, Attempt, Edges, Fault, Step, World};

use crate::node::{ConnId, Next, Node};
use batch::Batch;

/// How often one turn looks for more events between its answers and its requests, at most.
pub const GLANCES: usize = 3;
/// Capacity that the tables keep after many connections have closed, in entries.
const KEPT: usize = 64;

/// A node with its connections. `C` is the [`World`]'s part of a connection.
pub struct Driver<C> {
    /// The node.
    pub node: Node,
    conns: Conns<C>,
    /// Connections to read in the next turn without waiting for an event.
    queued: Vec<ConnId>,
    /// The other end of `queued`, swapped each turn so that neither is allocated again.
    reading: Vec<ConnId>,
    batch: Batch,
}

impl<C> Driver<C> {
    /// A node without connections.
    pub fn new(node: Node) -> Driver<C> {
        Driver {
            node,
            conns: Conns::default(),
            queued: Vec::new(),
            reading: Vec::new(),
            batch: Batch::default(),
        }
    }

    /// Returns true if the next turn has reads to do without any event.
    pub fn has_queued(&self) -> bool {
        !self.queued.is_empty()
    }

    /// How many bytes of a connection have been read that its node, which has paused it, has not taken yet.
    pub fn untaken(&self, id: ConnId) -> usize {
        self.batch.untaken(id)
    }

    /// The connections.
    pub fn conns(&self) -> &Conns<C> {
        &self.conns
    }

    /// The connections, to be changed by their world.
    pub fn conns_mut(&mut self) -> &mut Conns<C> {
        &mut self.conns
    }

    /// Queues a connection for a read in the next turn.
    fn queue(&mut self, id: ConnId) {
        if let Some(conn) = self.conns.get_mut(id)
            && !std::mem::replace(&mut conn.queued, true)
        {
            self.queued.push(id);
        }
    }

    /// Has a connection read again without an event where none would come.
    fn after_read(&mut self, id: ConnId, next: Next) {
        let again = match next {
            Next::Again => true,
            // The end of the stream is still in the kernel; reading on finds it.
            Next::Wait => self.conns.get(id).is_some_and(|conn| conn.ended),
            Next::Paused => false,
        };
        if again {
            self.queue(id);
        }
    }

    /// Frees memory that many connections needed and few do not.
    fn shrink(&mut self) {
        self.conns.shrink();
        self.queued.shrink_to(KEPT);
        self.reading.shrink_to(KEPT);
        self.batch.shrink();
    }
}

#[cfg(test)]
mod tests;
