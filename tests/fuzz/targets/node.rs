//! A whole node, between a client that sends anything and a datastore that answers; and the other way round.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, IoSlice, Read, Write};
use std::sync::Arc;

use dynomite::clock::Now;
use dynomite::cluster::topology::Topology;
use dynomite::config::StoreKind;
use dynomite::node::{Action, ConnId, Kind, Next, Node, Options};
use dynomite::proto::dnode::payload::{Found, Payload};
use dynomite::proto::memcache;
use dynomite::proto::redis::reply;
use dynomite::proto::store::{Requests, Shape};

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
    /// The node wants to read it again.
    resumed: bool,
}

impl Read for Wire {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        let Some(mut piece) = self.pieces.pop_front() else {
            return match self.ends {
                true => Ok(0),
                false => Err(ErrorKind::WouldBlock.into()),
            };
        };
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

struct World {
    node: Node,
    /// The first is the datastore.
    wires: Vec<(ConnId, Wire)>,
}

impl World {
    fn new(store: StoreKind, mbuf_size: usize) -> World {
        let options = Options {
            store,
            mbuf_size,
            ..Options::default()
        };
        let mut world = World {
            node: Node::new(options, Arc::new(Topology::alone()), NOW),
            wires: Vec::new(),
        };
        world.node.start(NOW);
        world.settle();
        world
    }

    fn join(&mut self) -> usize {
        let id = self
            .node
            .accepted(Kind::Client, None, NOW)
            .expect("no limit");
        self.add(id);
        self.wires.len() - 1
    }

    fn add(&mut self, id: ConnId) {
        let wire = Wire {
            open: true,
            ..Wire::default()
        };
        self.wires.push((id, wire));
    }

    fn settle(&mut self) {
        self.node.end_turn(NOW);
        loop {
            let mut idle = true;
            while let Some(action) = self.node.next_action() {
                idle = false;
                match action {
                    Action::Connect(id) => {
                        self.add(id);
                        self.node.connected(id, NOW);
                    }
                    Action::Close(id) => {
                        let (_, wire) = self.find(id);
                        assert!(std::mem::take(&mut wire.open), "closed twice");
                    }
                    Action::Resume(id) => self.find(id).1.resumed = true,
                }
            }
            while let Some(id) = self.node.next_dirty() {
                idle = false;
                let at = self.wires.iter().position(|(it, _)| *it == id);
                let (_, wire) = &mut self.wires[at.expect("known")];
                assert!(!self.node.transmit(id, NOW, wire));
            }
            if idle {
                return;
            }
        }
    }

    fn find(&mut self, id: ConnId) -> &mut (ConnId, Wire) {
        let found = self.wires.iter_mut().find(|(it, _)| *it == id);
        found.expect("known")
    }

    /// Lets the node read a connection until it wants no more.
    fn read(&mut self, at: usize, mut then: impl FnMut(&mut World)) {
        let mut turns = 1_000 + 4 * self.wires[at].1.pieces.len() + 300_000;
        loop {
            let (id, wire) = &mut self.wires[at];
            if !wire.open || wire.pieces.is_empty() && !wire.ends {
                return;
            }
            let next = self.node.receive(*id, NOW, wire);
            self.settle();
            then(self);
            let resumed = std::mem::take(&mut self.wires[at].1.resumed);
            if next == Next::Paused
                && !resumed
                && (self.wires[at].1.pieces.is_empty() || self.is_deaf(at))
            {
                return;
            }
            turns -= 1;
            assert!(turns > 0, "the connection does not end");
        }
    }

    /// Whether the node reads no more from a connection that has something to say.
    fn is_deaf(&mut self, at: usize) -> bool {
        let (id, wire) = &mut self.wires[at];
        let before = wire.pieces.len();
        self.node.receive(*id, NOW, wire) == Next::Paused && wire.pieces.len() == before
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
    let wire = &mut world.wires[client].1;
    wire.pieces = input.into_iter().map(<[u8]>::to_vec).collect();
    wire.ends = true;
    let mut answered = 0;
    world.read(client, |world| answer(store, world, &mut answered));
    assert!(!world.wires[client].1.open, "left open");
    let memory = world.node.memory();
    assert_eq!(memory.alloc_msgs, memory.free_msgs, "a request is left");
    let store = std::mem::take(&mut world.wires[0].1.sent);
    (store, std::mem::take(&mut world.wires[client].1.sent))
}

/// The datastore answers what it was sent behind the first `answered` bytes.
fn answer(kind: StoreKind, world: &mut World, answered: &mut usize) {
    let (_, store) = &mut world.wires[0];
    let mut replies = Vec::new();
    while *answered < store.sent.len() {
        let rest = &store.sent[*answered..];
        let Found::Complete(len, shape) = Requests::new(kind).parse(rest) else {
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
        let wire = &mut world.wires[*client].1;
        wire.pieces.push_back(lines.into_bytes());
        world.read(*client, |_| ());
    }
    let store = &mut world.wires[0].1;
    store.pieces = input.into_iter().map(<[u8]>::to_vec).collect();
    store.ends = true;
    // One of them does not wait.
    let gone = world.wires[clients[2]].0;
    world.node.broken(gone, NOW, &ErrorKind::BrokenPipe.into());
    world.settle();
    world.read(0, |_| ());
    assert!(!world.wires[0].1.open, "left open");
    let memory = world.node.memory();
    assert_eq!(memory.alloc_msgs, memory.free_msgs, "a request is left");
    let sent: Vec<_> = world.wires.into_iter().map(|(_, wire)| wire.sent).collect();
    let (mut parser, mut at, mut count) = (reply::Parser::default(), 0, 0);
    let answers = &sent[clients[0]];
    while let reply::Status::Complete(length) = parser.parse(&answers[at..], 0) {
        at += length;
        count += 1;
    }
    assert_eq!((at, count), (answers.len(), ASKED.len()), "one answer each");
    sent
}
