//! Micro-benchmarks: what one call of a hot routine costs.
//!
//! `cargo bench --bench micro [part of a name]...`. Each entry is run in batches that last about a millisecond;
//! the figure is the median batch, with the fastest and slowest beside it to show how quiet the machine
//! was. Results pass through [`black_box`], so that nothing measured can be left out by the compiler.

use dynomite::clock::Now;
use dynomite::cluster::id::NodeId;
use dynomite::cluster::ring::Ring;
use dynomite::cluster::topology::Topology;
use dynomite::config::StoreKind;
use dynomite::hashkit::digest::digest;
use dynomite::hashkit::{HashKind, Token, hash};
use dynomite::mbuf::{Chain, Pool};
use dynomite::node::{self, Action, Node, Options};
use dynomite::proto::dnode::{Data, Decoder, Header, Kind, MAX_ENCODED, Security};
use dynomite::proto::redis::{lookup, reply, request};
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Batches per entry; an odd number has a middle.
const BATCHES: usize = 101;

/// How long one batch ought to last.
const BATCH: Duration = Duration::from_millis(1);

/// A routine under measurement: its name, the bytes one call goes through (0: not shown), and the call.
struct Entry {
    name: String,
    bytes: usize,
    call: Box<dyn FnMut()>,
}

fn entry<T>(name: impl Into<String>, bytes: usize, mut call: impl FnMut() -> T + 'static) -> Entry {
    Entry {
        name: name.into(),
        bytes,
        call: Box::new(move || drop(black_box(call()))),
    }
}

/// Every entry there is.
fn entries() -> Vec<Entry> {
    let mut all = parsers();
    all.extend(chains());
    all.extend(peers());
    all.extend(ring());
    all.extend(figures());
    all
}

/// `SET` of a 16-byte key to a value of this length.
fn set(value: usize) -> Vec<u8> {
    let mut text =
        format!("*3\r\n$3\r\nSET\r\n$16\r\nk000000000000001\r\n${value}\r\n").into_bytes();
    text.resize(text.len() + value, b'x');
    text.extend_from_slice(b"\r\n");
    text
}

/// A bulk string of this length.
fn bulk(value: usize) -> Vec<u8> {
    let mut text = format!("${value}\r\n").into_bytes();
    text.resize(text.len() + value, b'x');
    text.extend_from_slice(b"\r\n");
    text
}

/// Redis requests and replies.
fn parsers() -> Vec<Entry> {
    let get = b"*2\r\n$3\r\nGET\r\n$16\r\nk000000000000001\r\n".to_vec();
    let mut all = Vec::new();
    for (name, text) in [("GET", get), ("SET of 100 bytes", set(100))] {
        all.push(entry(format!("parse {name}"), text.len(), move || {
            request::Parser::default().parse(black_box(&text), 0)
        }));
    }
    for (name, text) in [("+OK", b"+OK\r\n".to_vec()), ("100 bytes", bulk(100))] {
        all.push(entry(
            format!("parse reply {name}"),
            text.len(),
            move || reply::Parser::default().parse(black_box(&text), 0),
        ));
    }
    all.push(entry("look a command up", 0, || {
        lookup::lookup(black_box(b"GET")).map(|command| command.arity)
    }));
    all
}

/// Buffers and slices of them.
fn chains() -> Vec<Entry> {
    let mut all = Vec::new();
    for length in [40, 150, 1024] {
        let (pool, bytes) = (Pool::new(16_384, 1 << 24), vec![b'x'; length]);
        let name = format!("copy {length} bytes into a chain");
        all.push(entry(name, length, move || {
            let mut chain = Chain::new();
            pool.copy(black_box(&bytes), &mut chain);
            chain.len()
        }));
    }
    let pool = Pool::new(16_384, 1 << 24);
    let mut whole = Chain::new();
    pool.copy(&[b'x'; 1600], &mut whole);
    all.push(entry("share a chain and cut 16 slices off", 0, move || {
        let mut chain = Chain::new();
        chain.append_shared(black_box(&whole));
        (0..16).map(|_| chain.split_to(100).len()).sum::<usize>()
    }));
    all
}

/// The peers' protocol, and what replies are compared by.
fn peers() -> Vec<Entry> {
    let mut room = [0; MAX_ENCODED];
    let write = entry("write a dnode header", 0, move || {
        let header = black_box(Header::new(Kind::Request, 123_456_789, 150));
        header.encode(Data::None, &mut room).len()
    });
    let (pool, mut text) = (Pool::new(16_384, 1 << 24), Vec::new());
    let mut room = [0; MAX_ENCODED];
    for id in 0..16 {
        let header = Header::new(Kind::Request, 123_456_789 + id, set(100).len());
        text.extend_from_slice(header.encode(Data::None, &mut room));
        text.extend(set(100));
    }
    let mut stream = Chain::new();
    pool.copy(&text, &mut stream);
    let mut decoder = Decoder::requests(
        StoreKind::Redis,
        Security {
            key_pair: None,
            mbuf_size: 16_384,
            refuse_plaintext: false,
        },
    );
    let read = entry("read 16 dnode requests", text.len(), move || {
        let mut data = Chain::new();
        data.append_shared(black_box(&stream));
        let mut messages = 0;
        while let Ok(Some(message)) = decoder.next(&mut data, &pool) {
            messages += message.payload.len();
        }
        messages
    });
    let value = bulk(100);
    let compare = entry("digest of a reply of 100 bytes", value.len(), move || {
        digest(std::iter::once(black_box(value.as_slice())))
    });
    vec![write, read, compare]
}

/// From a key to its owner.
fn ring() -> Vec<Entry> {
    let mut all = Vec::new();
    for length in [16, 100] {
        let key = vec![b'k'; length];
        all.push(entry(
            format!("murmur of a {length}-byte key"),
            length,
            move || hash(HashKind::Murmur, black_box(&key)),
        ));
    }
    for nodes in [3u16, 100] {
        let token = |node: u16| Token::of_hash(u32::from(node) * (u32::MAX / u32::from(nodes)));
        let entries: Vec<_> = (0..nodes).map(|node| (token(node), NodeId(node))).collect();
        let Some((ring, _)) = Ring::build(&entries) else {
            continue;
        };
        let mut at = 0u32;
        all.push(entry(
            format!("owner of a token among {nodes}"),
            0,
            move || {
                at = at.wrapping_add(0x9e37_79b9);
                ring.owner(Token::of_hash(black_box(at)))
            },
        ));
    }
    all
}

/// What `/metrics` asks a node for, with nothing under way and with very much.
fn figures() -> Vec<Entry> {
    let mut all = Vec::new();
    for requests in [0, 10_000] {
        let (mut node, now) = (in_flight(requests), Now::default());
        let name = format!("figures with {requests} requests in flight");
        all.push(entry(name, 0, move || {
            let stats = node.operator().stats(black_box(now));
            assert_eq!(stats.server.out_queue, requests as u64);
            (stats.own.mbufs_in_use, node.operator().peers(now).len())
        }));
    }
    all
}

/// A node whose datastore has not answered so many requests yet.
fn in_flight(requests: usize) -> Node {
    let now = Now {
        mono_us: 1,
        ..Now::default()
    };
    let topology = Arc::new(Topology::alone());
    let mut node = Node::new(Options::default(), topology, now);
    node.start(now);
    if let Some(Action::Connect(id)) = node.next_action() {
        node.connected(id, now);
    }
    let get = b"*2\r\n$3\r\nGET\r\n$16\r\nk000000000000001\r\n";
    for _ in 0..requests {
        let client = node.accepted(node::Kind::Client, None, now);
        let id = client.expect("no limit");
        node.receive(id, now, &mut &get[..]);
    }
    while let Some(id) = node.next_dirty_upstream() {
        node.transmit(id, now, &mut std::io::sink());
    }
    node
}

/// Nanoseconds per call of one entry: fastest, median and slowest batch.
fn measure(call: &mut dyn FnMut()) -> (f64, f64, f64) {
    let mut batch = |calls: u32| {
        let start = Instant::now();
        for _ in 0..calls {
            call();
        }
        start.elapsed()
    };
    let mut calls = 1;
    while batch(calls) < BATCH && calls < 1 << 28 {
        calls *= 2;
    }
    let mut times: Vec<f64> = (0..BATCHES)
        .map(|_| batch(calls).as_nanos() as f64 / f64::from(calls))
        .collect();
    times.sort_by(f64::total_cmp);
    (times[0], times[BATCHES / 2], times[BATCHES - 1])
}

fn main() {
    let words: Vec<String> = std::env::args().skip(1).collect();
    // Test runners start benchmarks too, without `--bench`.
    if !words.iter().any(|word| word == "--bench") {
        return;
    }
    let wanted: Vec<&String> = words.iter().filter(|word| !word.starts_with('-')).collect();
    println!(
        "{:<40} {:>10} {:>10} {:>10} {:>10}",
        "nanoseconds per call", "fastest", "median", "slowest", "GB/s"
    );
    for Entry {
        name,
        bytes,
        mut call,
    } in entries()
    {
        if !wanted.is_empty() && !wanted.iter().any(|part| name.contains(part.as_str())) {
            continue;
        }
        let (fastest, median, slowest) = measure(&mut call);
        let rate = if bytes > 0 {
            format!("{:.2}", bytes as f64 / median)
        } else {
            String::new()
        };
        println!("{name:<40} {fastest:>10.1} {median:>10.1} {slowest:>10.1} {rate:>10}");
    }
}
