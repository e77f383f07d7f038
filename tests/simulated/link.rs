//! A connection in memory: what the kernel and the network are to a real one.
//!
//! [`Read`] and [`Write`] are the node's end. Like a socket watched edge-triggered: bytes arrive in pieces of
//! any size, each piece makes an edge; a read takes all that has arrived and fits; a write takes what there
//! is room for, and says so when there is none.

use super::random::Random;
use dynomite::driver::Edges;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};

/// Bytes with a beginning that is taken off cheaply.
#[derive(Default)]
pub struct Bytes {
    all: Vec<u8>,
    start: usize,
}

impl Bytes {
    pub fn len(&self) -> usize {
        self.all.len() - self.start
    }

    pub fn push(&mut self, bytes: &[u8]) {
        self.all.extend_from_slice(bytes);
    }

    pub fn view(&self) -> &[u8] {
        &self.all[self.start..]
    }

    pub fn drop_front(&mut self, n: usize) {
        self.start += n;
        if self.start == self.all.len() {
            self.all.clear();
            self.start = 0;
        }
    }

    /// Moves the first `n` bytes to the end of `other`.
    pub fn move_to(&mut self, other: &mut Bytes, n: usize) {
        other.all.extend_from_slice(&self.view()[..n]);
        self.drop_front(n);
    }

    pub fn clear(&mut self) {
        self.all.clear();
        self.start = 0;
    }
}

/// When a link was written in a turn, in calls of the driver.
#[derive(Clone, Copy, Debug)]
pub struct Writes {
    pub first: u64,
    pub last: u64,
}

pub struct Link {
    /// From the peer, on its way.
    pub flight: Bytes,
    /// From the peer, there to be read.
    arrived: Bytes,
    /// The peer has ended its stream; that comes behind what is on its way.
    pub fin_sent: bool,
    fin_arrived: bool,
    reset: bool,
    /// Bytes that have been read.
    pub read: u64,
    /// Bytes that have been read and that the node has not taken yet.
    pub untaken: usize,
    /// Written by the node and not looked at by the peer's model yet.
    pub written: Bytes,
    /// Of the bytes written, how many still take up room.
    pub waiting: usize,
    /// Bytes there is room for.
    pub room: usize,
    /// A write of the node found no room, and it waits for an edge.
    pub blocked: bool,
    /// The node has closed its end.
    pub closed: bool,
    /// The node had no room for this connection.
    pub refused: bool,
    /// What the kernel has to report.
    pub edges: Edges,
    /// The driver's latest call that has to do with it.
    pub call: u64,
    /// When it was written in this turn.
    pub writes: Option<Writes>,
    /// A write has failed in this turn.
    pub failed: bool,
    random: Random,
}

impl Link {
    pub fn new(room: usize, random: Random) -> Link {
        Link {
            flight: Bytes::default(),
            arrived: Bytes::default(),
            fin_sent: false,
            fin_arrived: false,
            reset: false,
            read: 0,
            untaken: 0,
            written: Bytes::default(),
            waiting: 0,
            room,
            blocked: false,
            closed: false,
            refused: false,
            edges: Edges::default(),
            call: 0,
            writes: None,
            failed: false,
            random,
        }
    }

    /// Lets up to `n` bytes on their way arrive, and the end of the stream behind the last.
    pub fn deliver(&mut self, n: usize) {
        if self.reset {
            return;
        }
        let n = n.min(self.flight.len());
        if n > 0 {
            self.flight.move_to(&mut self.arrived, n);
            self.edges.readable = true;
        }
        if self.fin_sent && self.flight.len() == 0 && !self.fin_arrived {
            self.fin_arrived = true;
            self.edges.ended = true;
        }
    }

    /// Bytes the node has taken.
    pub fn taken(&self) -> u64 {
        self.read - self.untaken as u64
    }

    /// Bytes from the peer that the node has not read.
    pub fn unread(&self) -> usize {
        self.flight.len() + self.arrived.len()
    }

    /// Returns true if something is on its way.
    pub fn has_flight(&self) -> bool {
        !self.reset && (self.flight.len() > 0 || self.fin_sent && !self.fin_arrived)
    }

    /// The peer takes `n` of the bytes that wait.
    pub fn take(&mut self, n: usize) {
        self.waiting -= n.min(self.waiting);
        if self.blocked && self.waiting < self.room {
            self.blocked = false;
            self.edges.writable = true;
        }
    }

    /// The peer is gone: all bytes on their way in either direction are lost.
    pub fn reset(&mut self) {
        self.reset = true;
        self.edges.error = true;
        self.edges.ended = true;
        self.flight.clear();
        self.arrived.clear();
    }

    pub fn is_reset(&self) -> bool {
        self.reset
    }
}

impl Read for Link {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        assert!(
            !out.is_empty(),
            "a read of nothing looks like the end of the stream"
        );
        if self.random.chance(5) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.reset {
            return Err(io::ErrorKind::ConnectionReset.into());
        }
        if self.arrived.len() == 0 && !self.fin_arrived {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let n = self.arrived.len().min(out.len());
        out[..n].copy_from_slice(&self.arrived.view()[..n]);
        self.arrived.drop_front(n);
        self.read += n as u64;
        Ok(n)
    }

    fn read_vectored(&mut self, parts: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut total = 0;
        for part in parts {
            if total > 0 && self.arrived.len() == 0 {
                break;
            }
            let n = match self.read(part) {
                Ok(n) => n,
                Err(_) if total > 0 => {
                    // Only what a read can suffer before it has taken anything.
                    let n = self.arrived.len().min(part.len());
                    part[..n].copy_from_slice(&self.arrived.view()[..n]);
                    self.arrived.drop_front(n);
                    self.read += n as u64;
                    n
                }
                Err(error) => return Err(error),
            };
            total += n;
            if n < part.len() {
                break;
            }
        }
        Ok(total)
    }
}

impl Write for Link {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        assert!(
            !bytes.is_empty(),
            "a write of nothing looks like a broken connection"
        );
        assert!(!self.closed, "written to after it was closed");
        if self.random.chance(5) {
            return Err(io::ErrorKind::Interrupted.into());
        }
        if self.reset {
            self.failed = true;
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        let free = self.room.saturating_sub(self.waiting);
        if free == 0 {
            self.blocked = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let mut n = bytes.len().min(free);
        if self.random.chance(100) {
            n = self.random.between(1, n);
        }
        let writes = self.writes.get_or_insert(Writes {
            first: self.call,
            last: self.call,
        });
        writes.last = self.call;
        self.written.push(&bytes[..n]);
        self.waiting += n;
        Ok(n)
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let mut total = 0;
        for part in parts {
            if total > 0 && self.waiting >= self.room {
                break;
            }
            match self.write(part) {
                Ok(n) => {
                    total += n;
                    if n < part.len() {
                        break;
                    }
                }
                Err(_) if total > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
