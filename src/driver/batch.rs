//! The first read from, and the first write to, many connections in one call.
//!
//! A proxy's requests are small, so that most of what one costs is entering the kernel. Where the world
//! can ([`World::can_batch`]), the first read from each client that is ready in a turn, and the
//! first write to each connection with output, are done together, [`BATCH`] at a time. What was read is then
//! given to the node as if it had read it itself ([`Ahead`]), and what was written is reported as if it had
//! written it ([`Done`]); whatever goes beyond that is read and written one connection at a time.
//!
//! The datastore and peers are read one at a time in any case: many replies come with each read already, and
//! are to stay in the block they land in.

use super::Driver;
use super::world::{APART, Fault, Step, World};
use crate::clock::Now;
use crate::node::ConnId;
use crate::sys::ring::BATCH;
use std::io::{self, ErrorKind, IoSlice, IoSliceMut, Read, Write};

/// Output longer than this is written apart, in bytes: its call costs little beside its bytes.
const LONG: usize = 16 * 1024;

/// Buffers for batched reads and writes.
#[derive(Default)]
pub(super) struct Batch {
    /// Where the bytes of clients land, [`World::ROOM`] for each. Empty until the first batch.
    landing: Vec<u8>,
    /// Clients that are ready to be read.
    pub ready: Vec<ConnId>,
    /// Connections with output to be written.
    pub dirty: Vec<ConnId>,
    /// Bytes that were read and not taken, because the node paused the client.
    rests: Vec<(ConnId, Vec<u8>)>,
    /// Results of the latest call.
    results: Vec<i32>,
}

impl Batch {
    /// Keeps the bytes of a connection that were read and not taken.
    #[inline]
    pub fn keep_rest(&mut self, id: ConnId, rest: &[u8]) {
        if !rest.is_empty() {
            self.rests.push((id, rest.to_vec()));
        }
    }

    /// The bytes of a connection that were read and not taken yet.
    #[inline]
    pub fn take_rest(&mut self, id: ConnId) -> Option<Vec<u8>> {
        let place = self.rests.iter().position(|(other, _)| *other == id)?;
        Some(self.rests.swap_remove(place).1)
    }

    /// How many bytes of a connection were read and not taken yet.
    pub fn untaken(&self, id: ConnId) -> usize {
        let rest = self.rests.iter().find(|(other, _)| *other == id);
        rest.map_or(0, |(_, rest)| rest.len())
    }

    /// Returns the memory of a crowd that has gone.
    pub fn shrink(&mut self) {
        self.ready.shrink_to(BATCH);
        self.dirty.shrink_to(BATCH);
        self.rests.shrink_to(0);
    }
}

/// Converts a result of the ring: a count of bytes, or a negated error number.
fn outcome(result: i32) -> io::Result<usize> {
    usize::try_from(result).map_err(|_| io::Error::from_raw_os_error(result.wrapping_neg()))
}

/// A stream whose first read is done already.
pub(super) struct Ahead<'a, S> {
    /// The result of that read, until it is returned.
    first: Option<io::Result<usize>>,
    /// Its bytes that have not been taken.
    bytes: &'a [u8],
    /// They filled their room: more may follow.
    full: bool,
    stream: &'a mut S,
}

impl<'a, S: Read> Ahead<'a, S> {
    /// `room` is where that read put its bytes.
    fn new(result: i32, room: &'a [u8], stream: &'a mut S) -> Ahead<'a, S> {
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

    /// A stream with `bytes`, which were read earlier, in front of it.
    pub fn of(bytes: &'a [u8], stream: &'a mut S) -> Ahead<'a, S> {
        Ahead {
            first: Some(Ok(bytes.len())),
            bytes,
            full: true,
            stream,
        }
    }

    /// The bytes that have not been taken.
    pub fn rest(&self) -> &'a [u8] {
        self.bytes
    }
}

impl<S: Read> Read for Ahead<'_, S> {
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
            // An error or the end of the stream shows again at the next read. An interruption does not: taken for
            // the end of the available bytes, it would leave bytes in the kernel with no edge to come.
            count += loop {
                match self.stream.read_vectored(parts) {
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    read => break read.unwrap_or(0),
                }
            };
        }
        Ok(count)
    }
}

/// A stream whose first write is done already.
struct Done<'a, S> {
    /// The result of that write, until it is returned.
    first: Option<i32>,
    stream: &'a mut S,
}

impl<S: Write> Write for Done<'_, S> {
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

impl<C> Driver<C> {
    /// Reads once from every client that is ready.
    pub(super) fn read_ready<W: World<Conn = C>>(&mut self, world: &mut W, now: Now) {
        let mut ready = std::mem::take(&mut self.batch.ready);
        for ids in ready.chunks(BATCH) {
            if ids.len() == 1 || !world.can_batch() {
                ids.iter().for_each(|&id| self.read(world, id, now));
                continue;
            }
            let (conns, rests) = (&self.conns, &self.batch.rests);
            self.batch.landing.resize(BATCH * W::ROOM, 0);
            let of = ids.iter().map(|&id| {
                let has_rest = rests.iter().any(|(other, _)| *other == id);
                let conn = conns.get(id).filter(|_| !has_rest);
                conn.map(|conn| &conn.inner)
            });
            let rooms = self.batch.landing.chunks_exact_mut(W::ROOM);
            self.batch.results.clear();
            world.receive(of.zip(rooms), &mut self.batch.results);
            self.hand_over(world, ids, now);
        }
        ready.clear();
        self.batch.ready = ready;
    }

    /// Passes the bytes read from each of these clients to the node.
    fn hand_over<W: World<Conn = C>>(&mut self, world: &mut W, ids: &[ConnId], now: Now) {
        let landing = std::mem::take(&mut self.batch.landing);
        let results = std::mem::take(&mut self.batch.results);
        for ((&id, &result), room) in ids.iter().zip(&results).zip(landing.chunks_exact(W::ROOM)) {
            if result == APART {
                self.read(world, id, now);
                continue;
            }
            let Some(conn) = self.conns.get_mut(id) else {
                continue; // Closed by a request of another client.
            };
            let drops_rest = world.has_fault(Fault::DropsRest);
            let mut ahead = Ahead::new(result, room, world.stream(id, &mut conn.inner));
            let next = self.node.receive(id, now, &mut ahead);
            if !drops_rest {
                self.batch.keep_rest(id, ahead.rest());
            }
            world.watch(Step::Read(id, next));
            self.after_read(id, next);
        }
        self.batch.landing = landing;
        self.batch.results = results;
    }

    /// Writes to every connection that was noted as having output.
    pub(super) fn write_dirty<W: World<Conn = C>>(&mut self, world: &mut W, now: Now) {
        let mut dirty = std::mem::take(&mut self.batch.dirty);
        for ids in dirty.chunks(BATCH) {
            if ids.len() == 1 || !world.can_batch() {
                ids.iter().for_each(|&id| self.flush(world, id, now));
                continue;
            }
            let (conns, node) = (&self.conns, &self.node);
            let pieces = ids.iter().map(|&id| {
                let conn = conns.get(id).filter(|conn| conn.is_writable());
                let bytes = node.first_output(id).filter(|bytes| bytes.len() <= LONG);
                match (conn, bytes) {
                    (Some(conn), Some(bytes)) => (Some(&conn.inner), bytes),
                    _ => (None, &[][..]),
                }
            });
            self.batch.results.clear();
            world.send(pieces, &mut self.batch.results);
            self.report(world, ids, now);
        }
        dirty.clear();
        self.batch.dirty = dirty;
    }

    /// Reports to the node how much was written to each of these connections, and writes on.
    fn report<W: World<Conn = C>>(&mut self, world: &mut W, ids: &[ConnId], now: Now) {
        let results = std::mem::take(&mut self.batch.results);
        for (&id, &result) in ids.iter().zip(&results) {
            if result == APART {
                self.flush(world, id, now);
            } else if let Some(conn) = self.conns.get_mut(id) {
                let mut done = Done {
                    first: Some(result),
                    stream: world.stream(id, &mut conn.inner),
                };
                conn.blocked = self.node.transmit(id, now, &mut done);
            }
        }
        self.batch.results = results;
    }
}

#[cfg(test)]
mod tests;
