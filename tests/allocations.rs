//! In the steady state a request costs no allocation, and what a client costs in memory is known.
//!
//! A node is driven through connections in memory, in this thread. The allocator counts what this thread
//! asks it for; the harness itself works in buffers it made before.

use crate::in_memory::{Replies, Rig, Setup};
use dynomite::clock::Now;
use dynomite::cluster::topology::Topology;
use dynomite::config::{Endpoint, StoreKind};
use dynomite::consistency::Consistency;
use dynomite::driver::{APART, Attempt, Conn, Driver, Edges, World};
use dynomite::node::{ConnId, Kind, Node, Options};
use dynomite::proto::redis::encode;
use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{self, IoSlice, IoSliceMut, Read, Write};
use std::sync::Arc;

struct Counting;

thread_local! {
    static ALLOCATIONS: Cell<u64> = const { Cell::new(0) };
    static LIVE_BYTES: Cell<i64> = const { Cell::new(0) };
}

/// Counts a call that made `more` bytes out of `less`.
fn count(more: usize, less: usize) {
    // A thread on its way out has no counters any more.
    let _ = ALLOCATIONS.try_with(|count| count.set(count.get() + u64::from(more > 0)));
    let _ = LIVE_BYTES.try_with(|bytes| bytes.set(bytes.get() + more as i64 - less as i64));
}

// SAFETY: all is left to the system's allocator; counting touches nothing of it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: the caller's promise is passed on.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 0);
        // SAFETY: as above.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, old: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size, layout.size());
        // SAFETY: as above.
        unsafe { System.realloc(old, layout, size) }
    }

    unsafe fn dealloc(&self, old: *mut u8, layout: Layout) {
        count(0, layout.size());
        // SAFETY: as above.
        unsafe { System.dealloc(old, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The node's end of a connection: gives out what it was filled with, and counts what is written.
struct Pipe {
    input: Vec<u8>,
    at: usize,
    output: Vec<u8>,
    /// It takes nothing that is written to it.
    full: bool,
}

impl Pipe {
    fn new() -> Pipe {
        Pipe {
            input: Vec::with_capacity(64 << 10),
            at: 0,
            output: Vec::with_capacity(64 << 10),
            full: false,
        }
    }

    fn fill(&mut self, bytes: &[u8]) {
        if self.at == self.input.len() {
            self.input.clear();
            self.at = 0;
        }
        self.input.extend_from_slice(bytes);
    }
}

impl Read for Pipe {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = out.len().min(self.input.len() - self.at);
        if n == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        out[..n].copy_from_slice(&self.input[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }

    fn read_vectored(&mut self, parts: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
        let mut total = 0;
        for part in parts {
            match self.read(part) {
                Ok(n) => total += n,
                Err(_) if total > 0 => break,
                Err(error) => return Err(error),
            }
        }
        Ok(total)
    }
}

impl Write for Pipe {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_vectored(&[IoSlice::new(bytes)])
    }

    fn write_vectored(&mut self, parts: &[IoSlice<'_>]) -> io::Result<usize> {
        if self.full {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        for part in parts {
            self.output.extend_from_slice(part);
        }
        Ok(parts.iter().map(|part| part.len()).sum())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The world: connections are the numbers of pipes.
#[derive(Default)]
struct Pipes {
    pipes: Vec<Pipe>,
    /// Many are read and written by one call.
    batches: bool,
    /// The datastore's connection.
    store: Option<ConnId>,
}

/// The datastore's pipe; those of clients are behind it.
const STORE: usize = 0;

impl World for Pipes {
    type Conn = usize;
    type Stream = Pipe;

    fn stream<'a>(&'a mut self, _: ConnId, pipe: &'a mut usize) -> &'a mut Pipe {
        &mut self.pipes[*pipe]
    }

    fn take_error(&mut self, _: &mut usize) -> io::Error {
        io::ErrorKind::ConnectionReset.into()
    }

    fn connect(&mut self, id: ConnId, _: &Endpoint) -> Attempt<usize> {
        self.store = Some(id);
        Attempt::Begun(STORE)
    }

    fn close(&mut self, _: ConnId, _: Option<usize>) {}

    fn glance(&mut self, _: &mut Driver<usize>) -> io::Result<Option<Now>> {
        Ok(None)
    }

    fn can_batch(&self) -> bool {
        self.batches
    }

    fn send<'a>(
        &mut self,
        pieces: impl Iterator<Item = (Option<&'a usize>, &'a [u8])>,
        results: &mut Vec<i32>,
    ) {
        results.extend(pieces.map(|(pipe, bytes)| match pipe {
            Some(&pipe) => self.pipes[pipe].write(bytes).map_or(-1, |n| n as i32),
            None => APART,
        }));
    }

    fn receive<'a>(
        &mut self,
        rooms: impl Iterator<Item = (Option<&'a usize>, &'a mut [u8])>,
        results: &mut Vec<i32>,
    ) {
        results.extend(rooms.map(|(pipe, room)| match pipe {
            Some(&pipe) => self.pipes[pipe].read(room).map_or(-1, |n| n as i32),
            None => APART,
        }));
    }
}

struct Bench {
    driver: Driver<usize>,
    world: Pipes,
    now: Now,
    clients: Vec<(ConnId, usize)>,
    /// What the datastore is asked for a request, if that is not its own bytes.
    asked: Option<Vec<u8>>,
}

impl Bench {
    fn new(clients: usize) -> Bench {
        Bench::before(StoreKind::Redis, clients)
    }

    fn before(store: StoreKind, clients: usize) -> Bench {
        let now = Now {
            mono_us: 1,
            wall_us: 1_700_000_000_000_000,
        };
        let options = Options {
            store,
            ..Options::default()
        };
        let node = Node::new(options, Arc::new(Topology::alone()), now);
        let mut bench = Bench {
            driver: Driver::new(node),
            world: Pipes::default(),
            now,
            clients: Vec::new(),
            asked: None,
        };
        bench.world.pipes.push(Pipe::new());
        bench.driver.start(&mut bench.world, now);
        let store = bench.world.store.expect("asked for");
        bench.driver.connected(store, now);
        for _ in 0..clients {
            bench.world.pipes.push(Pipe::new());
            let id = bench.join(bench.world.pipes.len() - 1);
            bench.clients.push((id, bench.world.pipes.len() - 1));
        }
        bench
    }

    /// A client connects.
    fn join(&mut self, pipe: usize) -> ConnId {
        let (driver, now) = (&mut self.driver, self.now);
        let id = driver.node.accepted(Kind::Client, None, now);
        let id = id.expect("no limit");
        driver.accepted(&mut self.world, id, pipe, now);
        id
    }

    /// A client sends so many of these requests. They are read in the next turn.
    fn sends(&mut self, client: (ConnId, usize), request: &[u8], batch: usize) {
        let (id, pipe) = client;
        for _ in 0..batch {
            self.world.pipes[pipe].fill(request);
        }
        self.is_readable(id);
    }

    fn is_readable(&mut self, id: ConnId) {
        let edges = Edges {
            readable: true,
            ..Edges::default()
        };
        self.driver.ready(&mut self.world, id, edges, self.now);
    }

    /// Turns until everything has been read.
    fn turn(&mut self) {
        loop {
            let turned = self.driver.finish(&mut self.world, self.now);
            turned.expect("a world without errors");
            if !self.driver.has_queued() {
                return;
            }
        }
    }

    fn store(&mut self) -> &mut Pipe {
        &mut self.world.pipes[STORE]
    }

    /// Every client sends `batch` of these requests; all are answered with `reply`. The time passes.
    fn round(&mut self, request: &[u8], reply: &[u8], batch: usize) {
        self.now.mono_us += 50_000;
        self.now.wall_us += 50_000;
        for at in 0..self.clients.len() {
            self.sends(self.clients[at], request, batch);
        }
        self.turn();
        let asked = self.asked.as_deref().unwrap_or(request).len();
        let clients = self.clients.len();
        assert_eq!(self.store().output.len(), asked * batch * clients);
        self.store().output.clear();
        self.answer(reply, batch * clients);
    }

    /// The datastore replies so often.
    fn answer(&mut self, reply: &[u8], times: usize) {
        for _ in 0..times {
            self.store().fill(reply);
        }
        let id = self.world.store.expect("connected");
        self.is_readable(id);
        self.turn();
    }

    /// Takes what clients were written, and returns how much.
    fn taken(&mut self) -> usize {
        let mut total = 0;
        for pipe in &mut self.world.pipes[STORE + 1..] {
            total += pipe.output.len();
            pipe.output.clear();
        }
        total
    }
}

const GET: &[u8] = b"*2\r\n$3\r\nGET\r\n$3\r\nkey\r\n";
const VALUE: &[u8] = b"$100\r\n0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\r\n";
const SET: &[u8] = b"*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$100\r\n0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\r\n";
const MSET: &[u8] = b"*5\r\n$4\r\nMSET\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n";
const ZRANGE: &[u8] =
    b"*5\r\n$6\r\nZRANGE\r\n$3\r\nkey\r\n$1\r\n0\r\n$1\r\n1\r\n$10\r\nWITHSCORES\r\n";
const SCORES: &[u8] = b"*2\r\n$1\r\na\r\n$1\r\n1\r\n";
const OK: &[u8] = b"+OK\r\n";
const NULL: &[u8] = b"$-1\r\n";
const NULL3: &[u8] = b"_\r\n";

#[test]
fn a_request_costs_no_allocation_in_the_steady_state() {
    // what, request, the datastore's reply, what the client gets
    let cases = [
        ("GET", GET, VALUE, VALUE, false),
        ("SET", SET, OK, OK, false),
        ("MSET", MSET, OK, OK, false),
        // Its reply has another form in RESP3, which depends on its arguments.
        ("ZRANGE", ZRANGE, SCORES, SCORES, false),
        ("GET in RESP3", GET, VALUE, VALUE, true),
        ("GET of nothing in RESP3", GET, NULL, NULL3, true),
    ];
    for (what, request, reply, answer, resp3) in cases {
        let mut bench = Bench::new(50);
        if resp3 {
            for client in bench.clients.clone() {
                bench.sends(client, b"*2\r\n$5\r\nHELLO\r\n$1\r\n3\r\n", 1);
            }
            bench.turn();
            // Each has the datastore asked for its version.
            bench.store().output.clear();
            bench.answer(b"$21\r\nredis_version:7.4.1\r\n\r\n", 50);
            bench.taken();
        }
        costs_nothing(&mut bench, what, request, reply, answer);
    }
}

#[test]
fn nor_does_one_to_a_memcached() {
    let value = [b"VALUE key 0 100\r\n", &VALUE[6..], b"END\r\n"].concat();
    let set = [b"set key 0 0 100\r\n", &VALUE[6..]].concat();
    let several = [&value[..value.len() - 5], &value].concat();
    for (what, request, reply) in [
        ("get", &b"get key\r\n"[..], &value[..]),
        ("get of several", b"get key nothing key\r\n", &several),
        ("set", &set, b"STORED\r\n"),
        ("incr", b"incr key 7\r\n", b"12\r\n"),
        ("mg", b"mg key v f\r\n", b"EN\r\n"),
    ] {
        let mut bench = Bench::before(StoreKind::Memcache, 50);
        costs_nothing(&mut bench, what, request, reply, reply);
    }
}

/// A client of the binary protocol is asked for nothing more.
#[test]
fn nor_does_one_of_the_binary_protocol() {
    let request = |opcode: u8, extras: &[u8], value: &[u8]| {
        let body = (extras.len() + 3 + value.len()) as u32;
        let head = [0x80, opcode, 0, 3, extras.len() as u8, 0, 0, 0];
        let rest = [&b"opaq"[..], &[0; 8], extras, b"key", value].concat();
        [&head[..], &body.to_be_bytes(), &rest].concat()
    };
    let response = |opcode: u8, extras: u8, unique: u8, body: &[u8]| {
        let head = [0x81, opcode, 0, 0, extras, 0, 0, 0];
        let rest = [&b"opaq"[..], &[0, 0, 0, 0, 0, 0, 0, unique], body].concat();
        [&head[..], &(body.len() as u32).to_be_bytes(), &rest].concat()
    };
    let long = vec![b'x'; 800];
    let value = |value: &[u8]| {
        let head = format!("VALUE key 7 {} 9\r\n", value.len());
        [head.as_bytes(), value, b"\r\nEND\r\n"].concat()
    };
    let found = |value: &[u8]| response(0, 4, 9, &[&[0, 0, 0, 7], value].concat());
    let delta = [&5u64.to_be_bytes()[..], &[0; 12]].concat();
    let stored = [b"ms key 800 F0 T0\r\n", &long[..], b"\r\n"].concat();
    for (what, request, asked, reply, answer) in [
        (
            "get",
            request(0, b"", b""),
            b"gets key\r\n".to_vec(),
            value(b"short"),
            found(b"short"),
        ),
        (
            "get of much",
            request(0, b"", b""),
            b"gets key\r\n".to_vec(),
            value(&long),
            found(&long),
        ),
        (
            "set",
            request(1, &[0; 8], b"short"),
            b"ms key 5 F0 T0 c\r\nshort\r\n".to_vec(),
            b"HD c9\r\n".to_vec(),
            response(1, 0, 9, b""),
        ),
        (
            "setq of much",
            request(0x11, &[0; 8], &long),
            stored,
            b"HD\r\n".to_vec(),
            Vec::new(),
        ),
        (
            "incr",
            request(5, &delta, b""),
            b"ma key MI D5 J0 N0 v c\r\n".to_vec(),
            b"VA 1 c9\r\n5\r\n".to_vec(),
            response(5, 0, 9, &5u64.to_be_bytes()),
        ),
        (
            "delete",
            request(4, b"", b""),
            b"md key\r\n".to_vec(),
            b"HD\r\n".to_vec(),
            response(4, 0, 0, b""),
        ),
    ] {
        // A chain keeps room for a thousand slices, and a long value is one of its own.
        let clients = if what.ends_with("much") { 5 } else { 50 };
        let mut bench = Bench::before(StoreKind::Memcache, clients);
        bench.asked = Some(asked);
        costs_nothing(&mut bench, what, &request, &reply, &answer);
    }
}

/// A time to live is made absolute for the other racks.
#[test]
fn nor_does_a_write_with_a_time_to_live_that_goes_to_three_racks() {
    let ok: Replies<'_> = &[(b"", OK)];
    let one: Replies<'_> = &[(b"", b":1\r\n")];
    for (request, replies) in [
        ("SET {} value EX 100", ok),
        ("SET {} value NX PX 100000 GET", ok),
        ("SETEX {} 100 value", ok),
        ("EXPIRE {} 100", one),
        ("GETEX {} EX 100", ok),
        ("SET {} value", ok),
    ] {
        let encoded = |rig: &Rig| {
            let text = request.replace("{}", &rig.key(true));
            let words: Vec<&str> = text.split(' ').collect();
            let mut request = Vec::new();
            encode::command(&mut request, &words);
            request
        };
        costs_nothing_in_three_racks(StoreKind::Redis, request, encoded, replies, replies[0].1);
    }
}

/// Versions are marked with the node they are from, and the first rack's are the answer's.
#[test]
fn nor_does_one_to_a_memcached_that_goes_to_three_racks() {
    let stored = &b"STORED\r\n"[..];
    for (request, replied, answer) in [
        ("set {} 0 100 5\r\nvalue\r\n", "STORED\r\n", stored),
        ("set {} 0 0 5\r\nvalue\r\n", "STORED\r\n", stored),
        ("touch {} 100\r\n", "TOUCHED\r\n", b"TOUCHED\r\n"),
        ("get {}\r\n", "VALUE {} 0 5\r\nvalue\r\nEND\r\n", b""),
        ("gets {}\r\n", "VALUE {} 0 5 9\r\nvalue\r\nEND\r\n", b""),
    ] {
        let key = Rig::new(three_racks(StoreKind::Memcache, Consistency::DcOne)).key(true);
        let replied = replied.replace("{}", &key);
        let replies: Replies<'_> = &[(b"", replied.as_bytes())];
        let asked = |_: &Rig| request.replace("{}", &key).into_bytes();
        costs_nothing_in_three_racks(StoreKind::Memcache, request, asked, replies, answer);
    }
}

fn three_racks(store: StoreKind, level: Consistency) -> Setup {
    Setup {
        store,
        racks: 3,
        nodes: 1,
        level,
        clients: 5,
    }
}

/// `answer`: what a client gets, if it is always the same.
fn costs_nothing_in_three_racks(
    store: StoreKind,
    what: &str,
    request: impl Fn(&Rig) -> Vec<u8>,
    replies: Replies<'_>,
    answer: &[u8],
) {
    for level in [Consistency::DcOne, Consistency::DcQuorum] {
        for batch in [1, 16] {
            let mut rig = Rig::new(three_racks(store, level));
            let requests = request(&rig).repeat(batch);
            // More than two sweeps, with their trimming, and less than the time between two cards.
            let mut turn = || {
                rig.round(50_000, &requests, replies);
                rig.take_answers(|answers| match answer {
                    b"" => assert!(answers.ends_with(b"END\r\n"), "{what}"),
                    _ => assert_eq!(answers.len(), answer.len() * batch, "{what}"),
                });
            };
            (0..60).for_each(|_| turn());
            let before = ALLOCATIONS.get();
            (0..60).for_each(|_| turn());
            let allocations = ALLOCATIONS.get() - before;
            assert_eq!(allocations, 0, "{what}, {batch} at a time, {level:?}");
        }
    }
}

fn costs_nothing(bench: &mut Bench, what: &str, request: &[u8], reply: &[u8], answer: &[u8]) {
    for (batch, together) in [(1, true), (16, true), (64, false)] {
        bench.world.batches = together;
        // More than two sweeps, with their trimming.
        for _ in 0..45 {
            bench.round(request, reply, batch);
            bench.taken();
        }
        let rounds = 10_000usize.div_ceil(bench.clients.len() * batch);
        let before = ALLOCATIONS.get();
        for _ in 0..rounds {
            bench.round(request, reply, batch);
            assert_eq!(bench.taken(), bench.clients.len() * batch * answer.len());
        }
        let allocations = ALLOCATIONS.get() - before;
        assert_eq!(allocations, 0, "{what}, {batch} at a time, {rounds} rounds");
    }
}

/// What a node holds for a client that has been served and is idle, and for its socket.
#[test]
fn an_idle_client_costs_at_most_512_bytes() {
    let mut bench = Bench::new(1);
    bench.round(GET, VALUE, 1);
    bench.taken();
    // A number at which tables that grow by doubling are full.
    const CLIENTS: usize = 1 << 14;
    let before = LIVE_BYTES.get();
    let pipe = bench.clients[0].1;
    for _ in 0..CLIENTS - 1 {
        bench.clients[0] = (bench.join(pipe), pipe);
        bench.round(GET, VALUE, 1);
        assert_eq!(bench.taken(), VALUE.len());
    }
    let held = LIVE_BYTES.get() - before;
    // In the place of the socket is the number of a pipe here.
    let socket = dynomite::reactor::SOCKET_BYTES;
    let each = held as usize / CLIENTS + socket - size_of::<Option<Conn<usize>>>();
    println!("{each} bytes for a client, {socket} of them for its socket");
    assert!(each <= 512, "{each} bytes");
}

/// Ten thousand clients with deep pipelines come and go; a minute later their memory is gone as well.
#[test]
fn memory_comes_back_after_a_crowd_has_gone() {
    const CROWD: usize = 10_000;
    let mut bench = Bench::new(1);
    bench.round(GET, VALUE, 1);
    let before = LIVE_BYTES.get();
    let mut crowd = Vec::with_capacity(CROWD);
    // One pipe for all of them.
    let pipe = bench.world.pipes.len();
    bench.world.pipes.push(Pipe {
        full: true,
        ..Pipe::new()
    });
    for _ in 0..CROWD {
        let id = bench.join(pipe);
        crowd.push(id);
        bench.sends((id, pipe), GET, 32);
        bench.turn();
        bench.store().output.clear();
        // Half of the requests are answered, and the answers are not read.
        bench.answer(VALUE, 16);
    }
    assert!(
        bench.driver.node.operator().memory().alloc_mbufs > 500,
        "a peak"
    );
    // They are closed, even with requests under way.
    for id in crowd {
        let error = io::ErrorKind::ConnectionReset.into();
        bench.driver.node.broken(id, bench.now, &error);
    }
    bench.turn();
    bench.answer(OK, 16 * CROWD);
    bench.world.pipes.truncate(1);
    bench.world.pipes[STORE] = Pipe::new();
    for _ in 0..60 {
        bench.now.mono_us += 1_000_000;
        bench.now.wall_us += 1_000_000;
        bench.turn();
    }
    let memory = bench.driver.node.operator().memory();
    assert_eq!(memory.alloc_msgs - memory.free_msgs, 0);
    assert!(
        memory.alloc_mbufs <= 64 + 2,
        "{} blocks",
        memory.alloc_mbufs
    );
    let more = LIVE_BYTES.get() - before;
    // The reserve of 64 blocks, and little else.
    assert!(more < (64 + 8) * 16_500, "{more} bytes more than before");
}
