//! The load generator: many connections in one thread, each with one batch under way (closed loop).

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};

use crate::Result;
use crate::workload::Batch;

/// A run in which nothing arrives for this long has failed.
pub const SILENCE: Duration = Duration::from_secs(20);

/// One socket and the bytes it has yet to send.
pub struct Connection {
    stream: TcpStream,
    unsent: Vec<u8>,
    sent: usize,
}

impl Connection {
    /// Connects, waiting until it is done: listen queues are shorter than ten thousand.
    pub fn open(address: SocketAddr, poll: &Poll, token: usize) -> Result<Connection> {
        let stream = std::net::TcpStream::connect_timeout(&address, Duration::from_secs(10))
            .map_err(|e| format!("connect {address}: {e}"))?;
        let prepared = stream
            .set_nodelay(true)
            .and_then(|()| stream.set_nonblocking(true));
        prepared.map_err(|e| format!("socket: {e}"))?;
        let mut stream = TcpStream::from_std(stream);
        poll.registry()
            .register(
                &mut stream,
                Token(token),
                Interest::READABLE | Interest::WRITABLE,
            )
            .map_err(|e| format!("epoll: {e}"))?;
        Ok(Connection {
            stream,
            unsent: Vec::new(),
            sent: 0,
        })
    }

    /// Sends what the socket takes and keeps the rest.
    pub fn send(&mut self, bytes: &[u8]) -> Result<()> {
        self.unsent.extend_from_slice(bytes);
        self.flush()
    }

    /// Goes on with what was kept.
    pub fn flush(&mut self) -> Result<()> {
        while let Some(rest) = self.unsent.get(self.sent..).filter(|rest| !rest.is_empty()) {
            match self.stream.write(rest) {
                Ok(written) => self.sent += written,
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(format!("write: {e}")),
            }
        }
        self.unsent.clear();
        self.sent = 0;
        Ok(())
    }

    /// Hands over all that has arrived, in pieces.
    pub fn receive(
        &mut self,
        room: &mut [u8],
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        loop {
            match self.stream.read(room) {
                Ok(0) => return Err("connection closed by the proxy".to_string()),
                Ok(read) => {
                    take(&room[..read])?;
                    // Edge-triggered: what arrives after a short read makes a new event.
                    if read < room.len() {
                        return Ok(());
                    }
                }
                Err(e) if e.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(e) if e.kind() == ErrorKind::Interrupted => {}
                Err(e) => return Err(format!("read: {e}")),
            }
        }
    }
}

/// Compares a piece of a reply with what is expected at `offset` of `expected`, which repeats for ever.
pub fn check(expected: &[u8], mut offset: usize, mut got: &[u8]) -> Result<()> {
    while !got.is_empty() {
        let want = &expected[offset % expected.len()..];
        let (piece, rest) = got.split_at(want.len().min(got.len()));
        if piece != &want[..piece.len()] {
            let shown = String::from_utf8_lossy(&piece[..piece.len().min(80)]).into_owned();
            return Err(format!("wrong reply: {shown:?} at byte {offset}"));
        }
        offset += piece.len();
        got = rest;
    }
    Ok(())
}

struct Client {
    connection: Connection,
    /// The batch under way and how much of its replies has arrived.
    batch: Option<(usize, usize)>,
}

/// A set of connections to one address.
pub struct Clients {
    poll: Poll,
    events: Events,
    clients: Vec<Client>,
    room: Vec<u8>,
    next_batch: usize,
}

impl Clients {
    /// A set with `count` connections.
    pub fn connect(address: SocketAddr, count: usize) -> Result<Clients> {
        let poll = Poll::new().map_err(|e| format!("epoll: {e}"))?;
        let mut set = Clients {
            poll,
            events: Events::with_capacity(1024),
            clients: Vec::new(),
            room: vec![0; 256 * 1024],
            next_batch: 0,
        };
        set.grow(address, count)?;
        Ok(set)
    }

    /// Opens `count` connections more.
    pub fn grow(&mut self, address: SocketAddr, count: usize) -> Result<()> {
        for _ in 0..count {
            let connection = Connection::open(address, &self.poll, self.clients.len())?;
            self.clients.push(Client {
                connection,
                batch: None,
            });
        }
        Ok(())
    }

    /// Lets the connections from number `first` on send `total` batches together, each its next one as soon
    /// as the last is answered. Returns the number of requests and the time they took.
    pub fn drive(
        &mut self,
        first: usize,
        batches: &[Batch],
        total: usize,
    ) -> Result<(u64, Duration)> {
        let start = Instant::now();
        let mut left = total;
        let mut requests = 0;
        let mut under_way = 0;
        for number in first..self.clients.len() {
            if left > 0 {
                left -= 1;
                under_way += 1;
                self.send_next(number, batches)?;
            }
        }
        while under_way > 0 {
            match self.poll.poll(&mut self.events, Some(SILENCE)) {
                Err(e) if e.kind() == ErrorKind::Interrupted => continue,
                Err(e) => return Err(format!("epoll: {e}")),
                Ok(()) if self.events.is_empty() => {
                    return Err(format!(
                        "no reply for {SILENCE:?}, {under_way} batches under way"
                    ));
                }
                Ok(()) => {}
            }
            let ready: Vec<_> = self
                .events
                .iter()
                .map(|e| (e.token().0, e.is_readable(), e.is_writable()))
                .collect();
            for (number, readable, writable) in ready {
                let client = &mut self.clients[number];
                if writable {
                    client.connection.flush()?;
                }
                let Some((batch, mut arrived)) = client.batch.filter(|_| readable) else {
                    continue;
                };
                let expected = &batches[batch].replies;
                client.connection.receive(&mut self.room, |piece| {
                    check(expected, arrived, piece)?;
                    arrived += piece.len();
                    Ok(())
                })?;
                if arrived < expected.len() {
                    client.batch = Some((batch, arrived));
                    continue;
                }
                if arrived > expected.len() {
                    return Err("more replies than requests".to_string());
                }
                client.batch = None;
                requests += batches[batch].count as u64;
                if left > 0 {
                    left -= 1;
                    self.send_next(number, batches)?;
                } else {
                    under_way -= 1;
                }
            }
        }
        Ok((requests, start.elapsed()))
    }

    fn send_next(&mut self, number: usize, batches: &[Batch]) -> Result<()> {
        let batch = self.next_batch % batches.len();
        self.next_batch += 1;
        let client = &mut self.clients[number];
        client.batch = Some((batch, 0));
        client.connection.send(&batches[batch].requests)
    }

    pub fn len(&self) -> usize {
        self.clients.len()
    }
}
