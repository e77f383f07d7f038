//! A whole node, between a client that sends anything and a datastore that answers; and the other way round.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::Arc;

use dynomite::clock::Now;
use dynomite::cluster::topology::Topology;
use dynomite::config::{Endpoint, StoreKind};
use dynomite::driver::{Attempt, Driver, Edges};
use dynomite::node::{ConnId, Kind, Node, Options};
use dynomite::proto::memcache;
use dynomite::proto::redis::reply;
use dynomite::proto::store::{Request, Requests, Shape};
use dynomite::proto::{Framer, Parse};

use super::pieces;

const NOW: Now = Now {
    mono_us: 1_000_000,
    wall_us: 1_700_000_000_000_000,
};

/// A connection: each piece comes by a read of its own, then the stream ends, if it does.
#[derive(Default)]
struct Wire {
    pieces: VecDeque<Vec<u8>>,
    ends: bool,
    sent: Vec<u8>,
    open: bool,
    /// How often it was read.
    reads: usize,
}

impl Read for Wire {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let Some(mut piece) = self.pieces.pop_front() else {
            self.reads += usize::from(self.ends);
            return match self.ends {
                true => Ok(0),
                false => Err(ErrorKind::WouldBlock.into()),
            };
        };
        self.reads += 1;
        let taken = piece.len().min(room.len());
        room[..taken].copy_from_slice(&piece[..taken]);
        if taken < piece.len() {
            piece.drain(..taken);
            self.pieces.push_front(piece);
        }
        Ok(taken)
    }
}

impl Write for Wire {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.sent.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        let before = self.sent.len();
        for part in parts {
            self.sent.extend_from_slice(part);
        }
        Ok(self.sent.len() - before)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Wires by their numbers. The first is the datastore's.
#[derive(Default)]
struct Wires {
    wires: Vec<Wire>,
    /// Connections that the node asked for.
    asked: Vec<ConnId>,
}

impl Wires {
    fn add(&mut self) -> usize {
        self.wires.push(Wire {
            open: true,
            ..Wire::default()
        });
        self.wires.len() - 1
    }
}

impl dynomite::driver::World for Wires {
    type Conn = usize;
    type Stream = Wire;

    fn stream<'a>(&'a mut self, _: ConnId, wire: &'a mut usize) -> &'a mut Wire {
        &mut self.wires[*wire]
    }

    fn take_error(&mut self, _: &mut usize) -> io::Error {
        ErrorKind::ConnectionReset.into()
    }

    fn connect(&mut self, id: ConnId, _: &Endpoint) -> Attempt<usize> {
        self.asked.push(id);
        Attempt::Begun(self.add())
    }

    fn close(&mut self, _: ConnId, wire: Option<usize>) {
        let wire = &mut self.wires[wire.expect("known")];
        assert!(std::mem::take(&mut wire.open), "closed twice");
    }

    fn glance(&mut self, _: &mut Driver<usize>) -> io::Result<Option<Now>> {
        Ok(None)
    }
}

struct World {
    driver: Driver<usize>,
    /// By their numbers, the names of connections.
    ids: Vec<ConnId>,
    wires: Wires,
}

impl World {
    fn new(store: StoreKind, mbuf_size: usize) -> World {
        let options = Options {
            store,
            mbuf_size,
            ..Options::default()
        };
        let node = Node::new(options, Arc::new(Topology::alone()), NOW);
        let mut world = World {
            driver: Driver::new(node),
            ids: Vec::new(),
            wires: Wires::default(),
        };
        world.driver.start(&mut world.wires, NOW);
        world.turn();
        world
    }

    fn join(&mut self) -> usize {
        let id = self.driver.node.accepted(Kind::Client, None, NOW);
        let (id, wire) = (id.expect("no limit"), self.wires.add());
        self.driver.accepted(&mut self.wires, id, wire, NOW);
        self.ids.push(id);
        wire
    }

    /// A turn; connections asked for are made at once.
    fn turn(&mut self) {
        loop {
            self.driver.finish(&mut self.wires, NOW).expect("no error");
            if self.wires.asked.is_empty() {
                return;
            }
            for id in std::mem::take(&mut self.wires.asked) {
                self.ids.push(id);
                self.driver.connected(id, NOW);
            }
        }
    }

    /// Lets the node read a connection until it wants no more.
    fn read(&mut self, at: usize, mut then: impl FnMut(&mut World)) {
        let mut turns = 1_000 + 4 * self.wires.wires[at].pieces.len() + 300_000;
        loop {
            let wire = &self.wires.wires[at];
            if !wire.open || wire.pieces.is_empty() && !wire.ends {
                return;
            }
            let before = wire.reads;
            let edges = Edges {
                readable: true,
                ..Edges::default()
            };
            self.driver.ready(&mut self.wires, self.ids[at], edges, NOW);
            self.turn();
            then(self);
            if self.wires.wires[at].reads == before && !self.driver.has_queued() {
                return;
            }
            turns -= 1;
            assert!(turns > 0, "the connection does not end");
        }
    }
}

/// Any bytes of a client. However they arrive, the datastore is sent the same requests, all of them complete
/// and in canonical form, and the client gets the same answers.
pub fn client(input: &[u8]) {
    client_of(StoreKind::Redis, input);
}

/// The same of a client of memcached.
pub fn memcache_client(input: &[u8]) {
    client_of(StoreKind::Memcache, input);
}

fn client_of(store: StoreKind, input: &[u8]) {
    let whole = serve(store, vec![input], 16_384);
    let cut = serve(store, pieces::cut(input), 512);
    assert_eq!(whole.0, cut.0, "cut up, other requests are forwarded");
    assert_eq!(
        without_figures(without_protocol_error(&whole.1)),
        without_figures(without_protocol_error(&cut.1)),
        "cut up, the answers are others"
    );
}

/// Without digits, if there are figures of the client's buffers in it (`CLIENT INFO`, `CLIENT LIST`).
fn without_figures(sent: &[u8]) -> Vec<u8> {
    let has_figures = sent.windows(6).any(|bytes| bytes == b" qbuf=");
    let is_told = |byte: &&u8| !(has_figures && byte.is_ascii_digit());
    sent.iter().filter(is_told).copied().collect()
}

/// Where a stream that will never be a request is given up may differ, and so may whether it says so
/// before the end.
fn without_protocol_error(sent: &[u8]) -> &[u8] {
    // A request that needs more memory than there is: less where the blocks are small.
    const NO_ROOM: &[u8] = b"Dynomite: out of buffers";
    if let Some(sent) = sent
        .strip_suffix(b"\r\n")
        .and_then(|sent| sent.strip_suffix(NO_ROOM))
    {
        let text = sent.strip_suffix(b"SERVER_ERROR ");
        return text.or(sent.strip_suffix(b"-ERR ")).unwrap_or(sent);
    }
    if let Some(sent) = sent.strip_suffix(NO_ROOM) {
        return &sent[..sent.len().saturating_sub(24)];
    }
    let at = sent
        .windows(5)
        .rposition(|bytes| bytes == b"-ERR ")
        .filter(|&at| sent[at..].starts_with(b"-ERR Protocol error"));
    &sent[..at.unwrap_or(sent.len())]
}

fn serve(store: StoreKind, input: Vec<&[u8]>, mbuf_size: usize) -> (Vec<u8>, Vec<u8>) {
    let mut world = World::new(store, mbuf_size);
    let client = world.join();
    let wire = &mut world.wires.wires[client];
    wire.pieces = input.into_iter().map(<[u8]>::to_vec).collect();
    wire.ends = true;
    let mut answered = 0;
    world.read(client, |world| answer(store, world, &mut answered));
    assert!(!world.wires.wires[client].open, "left open");
    let memory = world.driver.node.operator().memory();
    assert_eq!(memory.alloc_msgs, memory.free_msgs, "a request is left");
    let store = std::mem::take(&mut world.wires.wires[0].sent);
    (store, std::mem::take(&mut world.wires.wires[client].sent))
}

/// The datastore answers what it was sent behind the first `answered` bytes.
fn answer(kind: StoreKind, world: &mut World, answered: &mut usize) {
    let store = &mut world.wires.wires[0];
    let mut replies = Vec::new();
    while *answered < store.sent.len() {
        let rest = &store.sent[*answered..];
        let Parse::Complete(Request { len, shape }) = Requests::new(kind).parse(rest) else {
            panic!("forwarded in part");
        };
        let reply = match (kind, rest) {
            (StoreKind::Redis, _) => format!("+at {answered}\r\n"),
            (_, [b'g', ..]) => "END\r\n".to_owned(),
            // With words that may stand around a key.
            (_, [b'm', ..]) => format!("HD s{answered} f0\r\n"),
            _ => format!("{answered}\r\n"),
        };
        if let Shape::Memcache(found) = shape {
            assert_eq!(
                canonical(&rest[..found.line as usize]),
                rest[..found.line as usize]
            );
        }
        replies.extend(reply.into_bytes());
        *answered += len;
    }
    if !replies.is_empty() {
        store.pieces.push_back(replies);
        world.read(0, |_| ());
        // The replies let the client's next requests go.
        answer(kind, world, answered);
    }
}

/// A line of memcached's as it is to be sent.
fn canonical(line: &[u8]) -> Vec<u8> {
    let memcache::line::Outcome::Call(call) = memcache::line::read(line) else {
        panic!("forwarded, but refused when it is read");
    };
    assert_eq!(call.quiet, memcache::call::Quiet::No);
    let mut line = Vec::new();
    call.encode(&mut line);
    line
}

/// Commands of the requests that wait for the datastore's bytes.
const ASKED: &[&str] = &[
    "GET a",
    "HGETALL a",
    "SMEMBERS a",
    "ZSCORE a b",
    "ZRANGE a 0 -1 WITHSCORES",
    "GEOPOS a b",
    "XREAD STREAMS a 0",
    "CONFIG GET a",
];

/// Any bytes of the datastore. However they arrive, the clients get the same answers, one each.
pub fn datastore(input: &[u8]) {
    let whole = hear(vec![input], 16_384);
    let cut = hear(pieces::cut(input), 512);
    assert_eq!(whole, cut, "cut up, the answers are others");
}

fn hear(input: Vec<&[u8]>, mbuf_size: usize) -> Vec<Vec<u8>> {
    let mut world = World::new(StoreKind::Redis, mbuf_size);
    let clients: Vec<usize> = (0..3).map(|_| world.join()).collect();
    for (at, client) in clients.iter().enumerate() {
        let mut lines = String::new();
        if at == 1 {
            lines += "HELLO 3\r\n";
        }
        for line in ASKED {
            lines += &format!("{line}\r\n");
        }
        let wire = &mut world.wires.wires[*client];
        wire.pieces.push_back(lines.into_bytes());
        world.read(*client, |_| ());
    }
    let store = &mut world.wires.wires[0];
    store.pieces = input.into_iter().map(<[u8]>::to_vec).collect();
    store.ends = true;
    // One of them does not wait.
    let gone = world.ids[clients[2]];
    world
        .driver
        .node
        .broken(gone, NOW, &ErrorKind::BrokenPipe.into());
    world.turn();
    world.read(0, |_| ());
    assert!(!world.wires.wires[0].open, "left open");
    let memory = world.driver.node.operator().memory();
    assert_eq!(memory.alloc_msgs, memory.free_msgs, "a request is left");
    let sent: Vec<_> = world
        .wires
        .wires
        .into_iter()
        .map(|wire| wire.sent)
        .collect();
    let (mut parser, mut at, mut count) = (reply::Parser::default(), 0, 0);
    let answers = &sent[clients[0]];
    while let reply::Status::Complete(length) = parser.parse(&answers[at..], 0) {
        at += length;
        count += 1;
    }
    assert_eq!((at, count), (answers.len(), ASKED.len()), "one answer each");
    sent
}
