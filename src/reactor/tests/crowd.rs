//! Many clients on sockets that take few bytes at a time, read and written together and one by one.

use super::super::socket::Stream;
use super::*;
use crate::driver::{Conn, World};
use socket2::SockRef;
use std::io::{self, Read, Write};
use std::path::Path;

/// Chance that a number fixes.
struct Random(u64);

impl Random {
    /// A number from `low` up to, and without, `high`.
    fn between(&mut self, low: usize, high: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        low + (self.0 >> 33) as usize % (high - low)
    }
}

/// A client that asks for echoes of random lengths, in pieces of random lengths.
struct Client {
    stream: UnixStream,
    number: usize,
    /// Not sent yet.
    asks: Vec<u8>,
    /// Not received yet.
    awaits: Vec<u8>,
}

impl Client {
    fn new(dir: &Path, number: usize, random: &mut Random) -> Client {
        let stream = UnixStream::connect(dir.join("listen")).unwrap();
        stream.set_nonblocking(true).unwrap();
        let (mut asks, mut awaits) = (Vec::new(), Vec::new());
        for request in 0..random.between(1, 6) {
            // Less than a landing room, about one, one piece of output, more than is written together.
            let len = [10, 100, 2000, 2100, 6000, 12_000, 40_000][random.between(0, 7)];
            let len = len + random.between(0, 100);
            let text: Vec<u8> = (0..len)
                .map(|i| b'a' + ((number * 31 + request * 7 + i * i / 3) % 26) as u8)
                .collect();
            let bulk = [format!("${len}\r\n").as_bytes(), &text, b"\r\n"].concat();
            asks.extend(b"*2\r\n$4\r\nECHO\r\n");
            asks.extend(&bulk);
            awaits.extend(&bulk);
        }
        Client {
            stream,
            number,
            asks,
            awaits,
        }
    }

    /// Sends and receives a little, or as much as goes. Whether anything was moved.
    fn go_on(&mut self, little: bool, random: &mut Random) -> bool {
        let mut most = || match little {
            true => random.between(0, 3000),
            false => usize::MAX,
        };
        let (sends, takes) = (most(), most().min(1 << 16));
        let piece = &self.asks[..self.asks.len().min(sends)];
        let sent = self.stream.write(piece).unwrap_or(0);
        self.asks.drain(..sent);
        let mut room = vec![0; takes];
        let got = match self.stream.read(&mut room) {
            Ok(0) if takes > 0 => panic!("client {} was closed", self.number),
            Ok(got) => got,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => 0,
            Err(error) => panic!("client {}: {error}", self.number),
        };
        assert!(
            self.awaits.starts_with(&room[..got]),
            "client {} got what it did not ask for, or not in its place",
            self.number
        );
        self.awaits.drain(..got);
        sent + got > 0
    }
}

/// What happened among the reactor's clients.
#[derive(Debug, Default)]
struct Seen {
    /// The kernel took less than there was to be written.
    blocked: bool,
    /// The node left something of what was read together.
    left: bool,
}

/// Makes the kernel take few bytes at a time from the reactor's end of a client's connection.
fn narrow(stream: &Stream) {
    match stream {
        Stream::Unix(unix) => SockRef::from(unix).set_send_buffer_size(1).unwrap(),
        Stream::Tcp(_) => panic!("clients come by a Unix socket"),
    }
}

/// A client asks for echoes until nothing more is taken from it, reads none, and leaves.
fn glutton(reactor: &mut Reactor, dir: &Path, ticker: &mut UnixStream) {
    let mut stream = UnixStream::connect(dir.join("listen")).unwrap();
    stream.set_nonblocking(true).unwrap();
    let text = "x".repeat(990);
    let ask = format!("*2\r\n$4\r\nECHO\r\n$990\r\n{text}\r\n").into_bytes();
    let (mut at, mut idle) = (0, 0);
    while idle < 20 {
        let sent = stream.write(&ask[at..]).unwrap_or(0);
        at = (at + sent) % ask.len();
        idle = if sent > 0 { 0 } else { idle + 1 };
        tick(reactor, ticker);
    }
}

/// A turn that waits for nothing, because of what this client asks.
fn tick(reactor: &mut Reactor, ticker: &mut UnixStream) {
    ticker
        .write_all(b"*2\r\n$4\r\nECHO\r\n$1\r\nt\r\n")
        .unwrap();
    reactor.turn(&mut |_| {}).unwrap();
    let _ = ticker.read(&mut [0; 4096]);
}

/// The connections of clients.
fn clients_of(reactor: &Reactor) -> impl Iterator<Item = (ConnId, &Conn<Stream>)> {
    let all = reactor.driver.conns().iter();
    all.filter(|(id, _)| id.kind == Kind::Client)
}

/// Lets 70 clients, more than two batches of them, come, ask, be answered and go.
fn crowd(reactor: &mut Reactor, dir: &Path, random: &mut Random) -> Seen {
    let mut seen = Seen::default();
    let mut clients: Vec<Client> = Vec::new();
    let (mut ids, mut made, mut idle) = (Vec::new(), 0, 0);
    let mut ticker = UnixStream::connect(dir.join("listen")).unwrap();
    ticker.set_nonblocking(true).unwrap();
    glutton(reactor, dir, &mut ticker);
    while made < 140 || !clients.is_empty() {
        while clients.len() < 70 && made < 140 {
            clients.push(Client::new(dir, made, random));
            made += 1;
        }
        // A few leave in the middle, without having read their replies.
        if random.between(0, 40) == 0 && !clients.is_empty() {
            clients.swap_remove(random.between(0, clients.len()));
        }
        let mut moved = false;
        for client in &mut clients {
            moved |= client.go_on(made < 140 || idle == 0, random);
        }
        clients.retain(|client| !client.awaits.is_empty());
        tick(reactor, &mut ticker);
        for (id, conn) in clients_of(reactor) {
            if !ids.contains(&id) {
                narrow(&conn.inner);
                ids.push(id);
            }
            seen.blocked |= reactor.driver.node.has_output(id);
            seen.left |= reactor.driver.untaken(id) > 0;
        }
        idle = if moved { 0 } else { idle + 1 };
        if idle > 100 {
            let waits: Vec<_> = clients
                .iter()
                .map(|client| (client.number, client.asks.len(), client.awaits.len()))
                .collect();
            panic!("clients wait for ever, with so much to be sent and to come: {waits:?}");
        }
    }
    drop(ticker);
    while clients_of(reactor).next().is_some() {
        reactor.turn(&mut |_| {}).unwrap();
    }
    for id in ids {
        let kept = reactor.driver.untaken(id);
        assert_eq!(kept, 0, "bytes of {id}, which is gone, are kept");
    }
    seen
}

#[test]
fn whatever_the_kernel_takes_each_of_a_crowd_gets_its_own_bytes_in_order() {
    for io_uring in [true, false] {
        for mbuf_size in [512, 16_384] {
            let dir = tempfile::tempdir().unwrap();
            let more = format!("  mbuf_size: {mbuf_size}\n");
            let mut reactor = reactor_with(dir.path(), "/nowhere:1", &more);
            if io_uring {
                reactor.kernel.start_ring();
            }
            let mut random = Random(1);
            let seen = crowd(&mut reactor, dir.path(), &mut random);
            assert!(seen.blocked, "the kernel always took everything");
            if io_uring && !reactor.kernel.can_batch() {
                eprintln!("skipped: no io_uring here");
            } else {
                assert_eq!(
                    seen.left,
                    io_uring && mbuf_size < Kernel::ROOM,
                    "{mbuf_size}"
                );
            }
        }
    }
}
