//! What once went wrong, or nearly: each told by hand, step by step.

use crate::link::Link;
use crate::machine::Machine;
use crate::random::Random;
use crate::resp;
use dynomite::clock::Now;
use dynomite::node::{Options, limits};

/// A node with its datastore connections, and clients that do as the test says.
struct Rig {
    machine: Machine,
    links: Vec<Link>,
    now: Now,
    /// Links to the datastore, the newest last.
    stores: Vec<usize>,
    /// Whether the datastore can be connected to.
    up: bool,
}

fn options() -> Options {
    Options {
        listen: "127.0.0.1:8102".into(),
        timeout_us: 5_000_000,
        retry_ceiling_us: 30_000_000,
        datastore_connections: 1,
        preconnect: true,
        client_connections: 0,
        max_msgs: 200_000,
        mbuf_size: 512,
    }
}

impl Rig {
    fn new(options: Options) -> Rig {
        let now = Now {
            mono_us: 1_000_000,
            wall_us: 1_700_000_000_000_000,
        };
        let mut rig = Rig {
            machine: Machine::new(options, now, Random::new(1), false),
            links: Vec::new(),
            now,
            stores: Vec::new(),
            up: true,
        };
        rig.machine.node.start(now);
        rig.settle();
        rig
    }

    /// Turns until nothing happens by itself any more.
    fn settle(&mut self) {
        for _ in 0..10_000 {
            for link in &mut self.links {
                link.deliver(usize::MAX);
            }
            let up = self.up;
            let mut dial = |links: &mut Vec<Link>| {
                links.push(Link::new(1 << 30, Random::new(2)));
                (links.len() - 1, Some(up))
            };
            self.machine
                .turn(self.now, &mut self.links, &mut dial)
                .unwrap();
            let made = self.machine.finish_attempts(self.now, &mut self.links);
            let idle = made.is_empty()
                && !self.machine.is_busy()
                && self
                    .links
                    .iter()
                    .all(|link| link.closed || !link.edges.any());
            self.stores.extend(made);
            if idle {
                self.machine
                    .settle(self.now, &mut self.links, &mut dial)
                    .unwrap();
                return;
            }
        }
        panic!("no end of turns");
    }

    /// A new client whose replies find this much room.
    fn client(&mut self, room: usize) -> usize {
        self.links.push(Link::new(room, Random::new(3)));
        self.machine.backlog.push(self.links.len() - 1);
        self.settle();
        self.links.len() - 1
    }

    fn send(&mut self, link: usize, bytes: &[u8]) {
        self.links[link].flight.push(bytes);
        self.settle();
    }

    /// What was written to a connection since the last time.
    fn received(&mut self, link: usize) -> Vec<u8> {
        let bytes = self.links[link].written.view().to_vec();
        self.links[link].written.clear();
        let n = self.links[link].waiting;
        self.links[link].take(n);
        self.settle();
        bytes
    }

    fn store(&self) -> usize {
        *self.stores.last().unwrap()
    }

    fn is_open(&self, link: usize) -> bool {
        !self.links[link].closed
    }

    /// Lets time pass, with a turn at every deadline.
    fn pass(&mut self, us: u64) {
        let until = self.now.mono_us + us;
        loop {
            let next = self.machine.node.next_deadline().min(until);
            assert!(next > self.now.mono_us, "the next deadline is past");
            self.now.wall_us += next - self.now.mono_us;
            self.now.mono_us = next;
            self.settle();
            if next == until {
                return;
            }
        }
    }
}

fn get(key: &str) -> Vec<u8> {
    resp::command(&[b"GET", key.as_bytes()])
}

#[test]
fn a_lost_datastore_does_not_make_a_stopping_node_spin() {
    let mut rig = Rig::new(options());
    // Something is under way to a client that does not read, so that stopping takes its time.
    let client = rig.client(0);
    rig.send(client, b"ECHO a\r\n");
    rig.up = false;
    let store = rig.store();
    rig.links[store].reset();
    rig.settle();
    rig.machine.node.drain(rig.now);
    rig.settle();
    // `pass` looks at the deadlines.
    rig.pass(limits::DRAIN_US);
    assert!(rig.machine.node.is_drained() && !rig.is_open(client));
}

/// The parser had already passed the first buffer of an unfinished message, and was given that one again.
#[test]
fn a_long_message_in_many_pieces_does_not_end_the_process() {
    let mut rig = Rig::new(options());
    let client = rig.client(1 << 20);
    let value = vec![b'v'; 20_000];
    let request = resp::command(&[b"SET", b"key", &value]);
    for piece in request.chunks(700) {
        rig.send(client, piece);
    }
    let store = rig.store();
    assert_eq!(rig.received(store), request);
    let reply = resp::Reply::Array(vec![
        resp::Reply::Bulk(value.clone()),
        resp::Reply::Simple("x".repeat(9000)),
    ]);
    for piece in reply.encode(false).chunks(700) {
        rig.send(store, piece);
    }
    assert_eq!(rig.received(client), reply.encode(false));
    let line = format!("ECHO {}\r\n", "y".repeat(9000));
    for piece in line.as_bytes().chunks(700) {
        rig.send(client, piece);
    }
    assert_eq!(rig.received(client).len(), "$9000\r\n\r\n".len() + 9000);
}
