//! Reading from many clients, and writing to many connections, with one system call each way.
//!
//! Where the kernel has [`Ring`]s, the first read from each client that is ready in a turn, and the
//! first write to each connection with output, are asked for together, [`BATCH`] at a time. What came is then
//! handed to the node as if it had read it itself ([`Ahead`]), what was written reported as if it had
//! written it ([`Done`]); whatever goes beyond that is read and written the ordinary way. Where there are
//! none, or [`io_uring`](crate::node::Switches::io_uring) is off, everything is.
//!
//! The datastore and peers are read the ordinary way: many replies come with each read already, and
//! are to stay in the block they land in.

use super::Reactor;
use super::socket::Stream;
use crate::clock::Now;
use crate::log_at;
use crate::node::ConnId;
use crate::sys;
use crate::sys::ring::{BATCH, Ring};
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::os::fd::AsRawFd;

/// What is read at once from a client together with others, in bytes.
const ROOM: usize = 2048;
/// Output longer than this is written one by one: the call is not what they cost.
const LONG: usize = 16 * 1024;

/// The result of what is not asked for together with the rest, in whose place stands no descriptor.
const APART: i32 = -libc::EBADF;

/// What is needed to read and write together.
pub(super) struct Batch {
    wanted: bool,
    ring: Option<Ring>,
    /// Where a client's bytes land, [`ROOM`] for each.
    landing: Vec<u8>,
    /// Clients that are ready to be read.
    ready: Vec<ConnId>,
    /// Connections with something to be written.
    dirty: Vec<ConnId>,
    /// What was read and could not be taken yet: the node made the client wait.
    left: Vec<(ConnId, Vec<u8>)>,
    results: Vec<i32>,
}

impl Batch {
    /// Does nothing until it is started, and after that only if it is wanted.
    pub fn new(wanted: bool) -> Batch {
        Batch {
            wanted,
            ring: None,
            landing: Vec::new(),
            ready: Vec::new(),
            dirty: Vec::new(),
            left: Vec::new(),
            results: Vec::new(),
        }
    }

    /// Asks the kernel whether it can. To be called by the thread that runs the loop.
    pub fn start(&mut self) {
        if !self.wanted {
            return log_at!(Notice, "io_uring is switched off");
        }
        match Ring::new() {
            Ok(ring) => {
                log_at!(Notice, "io_uring in use");
                self.ring = Some(ring);
                self.landing.resize(BATCH * ROOM, 0);
            }
            Err(error) => log_at!(Notice, "io_uring not to be had: {}", sys::reason(&error)),
        }
    }

    /// Whether clients are read and written together.
    #[inline]
    pub fn is_on(&self) -> bool {
        self.ring.is_some()
    }

    /// Notes a client that is ready to be read.
    #[inline]
    pub fn note_ready(&mut self, id: ConnId) {
        self.ready.push(id);
    }

    /// Notes a connection with something to be written.
    #[inline]
    pub fn note_dirty(&mut self, id: ConnId) {
        self.dirty.push(id);
    }

    /// Keeps what was read from this connection and not taken.
    #[inline]
    pub fn leave(&mut self, id: ConnId, rest: &[u8]) {
        if !rest.is_empty() {
            self.left.push((id, rest.to_vec()));
        }
    }

    /// What was read from this connection and not taken yet.
    #[inline]
    pub fn take_left(&mut self, id: ConnId) -> Option<Vec<u8>> {
        let place = self.left.iter().position(|(other, _)| *other == id)?;
        Some(self.left.swap_remove(place).1)
    }

    /// Gives back the memory of a crowd that has gone.
    pub fn shrink(&mut self) {
        self.ready.shrink_to(BATCH);
        self.dirty.shrink_to(BATCH);
        self.left.shrink_to(0);
    }

    /// Gives up a ring that is spent.
    fn check(&mut self) {
        if self.ring.as_ref().is_some_and(Ring::is_spent) {
            log_at!(
                Warn,
                "io_uring is no longer used: the kernel accepts nothing from it"
            );
            self.ring = None;
        }
    }
}

/// The bytes of a result, or the error that it stands for.
fn outcome(result: i32) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(result.wrapping_neg()))
}

/// A stream whose first read has been done.
pub(super) struct Ahead<'a> {
    /// The error, or the number of bytes, until it is told.
    first: Option<io::Result<usize>>,
    /// Those bytes, or what is left of them.
    bytes: &'a [u8],
    /// They filled their room: more may follow.
    full: bool,
    stream: &'a mut Stream,
}

impl<'a> Ahead<'a> {
    /// `room` is where that read put its bytes.
    fn new(result: i32, room: &'a [u8], stream: &'a mut Stream) -> Ahead<'a> {
        let first = outcome(result);
        let bytes = room
            .get(..*first.as_ref().unwrap_or(&0))
            .unwrap_or_default();
        Ahead {
            full: bytes.len() == room.len(),
            first: Some(first),
            bytes,
            stream,
        }
    }

    /// The bytes, all of which are there, before whatever the stream has.
    pub fn of(bytes: &'a [u8], stream: &'a mut Stream) -> Ahead<'a> {
        Ahead {
            first: Some(Ok(bytes.len())),
            bytes,
            full: true,
            stream,
        }
    }

    /// What nobody has taken.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }
}

impl Read for Ahead<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        self.read_vectored(&mut [IoSliceMut::new(out)])
    }

    fn read_vectored(&mut self, mut parts: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        match self.first.take() {
            None if self.bytes.is_empty() => return self.stream.read_vectored(parts),
            Some(Err(error)) => return Err(error),
            Some(Ok(0)) => return Ok(0),
            None | Some(Ok(_)) => {}
        }
        let mut count = 0;
        while let Some(part) = parts.iter_mut().find(|part| !part.is_empty())
            && !self.bytes.is_empty()
        {
            let n = self.bytes.read(part)?;
            IoSliceMut::advance_slices(&mut parts, n);
            count += n;
        }
        let has_room = parts.iter().any(|part| !part.is_empty());
        if self.full && has_room {
            // What makes this read fail, or ends the stream, makes the next one do so too.
            count += self.stream.read_vectored(parts).unwrap_or(0);
        }
        Ok(count)
    }
}

/// A stream whose first write has been done.
struct Done<'a> {
    first: Option<i32>,
    stream: &'a mut Stream,
}

impl Write for Done<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.first.take() {
            Some(result) => outcome(result),
            None => self.stream.write(bytes),
        }
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        match self.first.take() {
            Some(result) => outcome(result),
            None => self.stream.write_vectored(parts),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Reactor {
    /// Reads once from every client that is ready.
    pub(super) fn read_ready(&mut self, now: Now) {
        let mut ready = std::mem::take(&mut self.batch.ready);
        for ids in ready.chunks(BATCH) {
            let (sockets, left) = (&self.sockets, &self.batch.left);
            match &mut self.batch.ring {
                Some(ring) if ids.len() > 1 => {
                    let fds = ids.iter().map(|&id| {
                        let is_left = left.iter().any(|(other, _)| *other == id);
                        let socket = sockets.peek(id).filter(|_| !is_left);
                        socket.map_or(-1, |socket| socket.stream.as_raw_fd())
                    });
                    let rooms = self.batch.landing.chunks_exact_mut(ROOM);
                    let results = ring.receive(fds.zip(rooms));
                    self.batch.results.clear();
                    self.batch.results.extend_from_slice(results);
                    self.batch.check();
                    self.hand_over(ids, now);
                }
                _ => ids.iter().for_each(|&id| self.read(id, now)),
            }
        }
        ready.clear();
        self.batch.ready = ready;
    }

    /// Gives the node what was read from each of these clients.
    fn hand_over(&mut self, ids: &[ConnId], now: Now) {
        let landing = std::mem::take(&mut self.batch.landing);
        let results = std::mem::take(&mut self.batch.results);
        for ((&id, &result), room) in ids.iter().zip(&results).zip(landing.chunks_exact(ROOM)) {
            if result == APART {
                self.read(id, now);
                continue;
            }
            let Some(socket) = self.sockets.get(id) else {
                continue; // Closed for what another client said.
            };
            let mut ahead = Ahead::new(result, room, &mut socket.stream);
            let next = self.node.receive(id, now, &mut ahead);
            self.batch.leave(id, ahead.rest());
            self.after_read(id, next);
        }
        self.batch.landing = landing;
        self.batch.results = results;
    }

    /// Writes to every connection that has something to be written.
    pub(super) fn write_dirty(&mut self, now: Now) {
        let mut dirty = std::mem::take(&mut self.batch.dirty);
        for ids in dirty.chunks(BATCH) {
            let (sockets, node) = (&self.sockets, &self.node);
            match &mut self.batch.ring {
                Some(ring) if ids.len() > 1 => {
                    let pieces = ids.iter().map(|&id| {
                        let socket = sockets.peek(id).filter(|socket| socket.is_writable());
                        let bytes = node.first_output(id).filter(|bytes| bytes.len() <= LONG);
                        match (socket, bytes) {
                            (Some(socket), Some(bytes)) => (socket.stream.as_raw_fd(), bytes),
                            _ => (-1, &[][..]),
                        }
                    });
                    let results = ring.send(pieces);
                    self.batch.results.clear();
                    self.batch.results.extend_from_slice(results);
                    self.batch.check();
                    self.report(ids, now);
                }
                _ => ids.iter().for_each(|&id| self.flush(id, now)),
            }
        }
        dirty.clear();
        self.batch.dirty = dirty;
    }

    /// Tells the node what was written to each of these connections, and writes on.
    fn report(&mut self, ids: &[ConnId], now: Now) {
        let results = std::mem::take(&mut self.batch.results);
        for (&id, &result) in ids.iter().zip(&results) {
            if result == APART {
                self.flush(id, now);
            } else if let Some(socket) = self.sockets.get(id) {
                let mut done = Done {
                    first: Some(result),
                    stream: &mut socket.stream,
                };
                socket.blocked = self.node.transmit(id, now, &mut done);
            }
        }
        self.batch.results = results;
    }
}
