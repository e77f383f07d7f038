//! Worlds in which something once went wrong, or nearly did, written by hand, step by step.

use crate::sim::link::Link;
use crate::sim::machine::Machine;
use crate::sim::random::Random;
use crate::sim::resp;
use dynomite::clock::Now;
use dynomite::cluster::topology::Topology;
use dynomite::config::Endpoint;
use dynomite::node::{Node, Options, limits};
use std::sync::Arc;

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
        ..Options::default()
    }
}

impl Rig {
    fn new(options: Options) -> Rig {
        let now = Now {
            mono_us: 1_000_000,
            wall_us: 1_700_000_000_000_000,
        };
        let mut rig = Rig {
            machine: Machine::new(
                Node::new(options, Arc::new(Topology::alone()), now),
                Random::new(1),
                false,
            ),
            links: Vec::new(),
            now,
            stores: Vec::new(),
            up: true,
        };
        rig.machine.driver.node.start(now);
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
            let mut dial = |_: Option<&Endpoint>, links: &mut Vec<Link>| {
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
            let next = self.machine.driver.node.next_deadline().min(until);
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
    rig.machine.driver.node.drain(rig.now);
    rig.settle();
    // `pass` looks at the deadlines.
    rig.pass(limits::DRAIN_US);
    assert!(rig.machine.driver.node.is_drained() && !rig.is_open(client));
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

fn tight() -> Options {
    Options {
        max_msgs: 40,
        ..options()
    }
}

/// Clients that had to wait at the limit of memory waited for it to fall below three quarters, which it
/// never did when one of them held the rest itself.
#[test]
fn clients_do_not_wait_for_ever_below_the_limit() {
    let mut rig = Rig::new(tight());
    // Unfinished, and just below the limit of 40 × 512 bytes.
    let long = resp::command(&[b"SET", b"key", &[b'v'; 18_000]]);
    let holder = rig.client(1 << 20);
    rig.send(holder, &long[..17_500]);
    let passing = rig.client(0);
    rig.send(passing, &resp::command(&[b"ECHO", &[b'e'; 6000]]));
    assert!(
        rig.machine
            .driver
            .node
            .operator()
            .stats(rig.now)
            .own
            .mbufs_in_use
            >= 40
    );
    let client = rig.client(1 << 20);
    rig.send(client, b"ECHO a\r\n");
    rig.links[passing].reset();
    rig.settle();
    assert!(
        rig.machine
            .driver
            .node
            .operator()
            .stats(rig.now)
            .own
            .mbufs_in_use
            >= 30
    );
    rig.pass(2_000_000);
    assert_eq!(rig.received(client), b"$1\r\na\r\n");
    rig.send(holder, &long[17_500..]);
    rig.pass(2_000_000);
    let store = rig.store();
    assert_eq!(rig.received(store), long);
}

/// With all memory held by clients that do not read their replies, one bystander a second was refused.
#[test]
fn who_does_not_read_makes_room_for_the_others() {
    let mut rig = Rig::new(tight());
    let client = rig.client(1 << 20);
    let deaf = rig.client(0);
    rig.send(deaf, &resp::command(&[b"ECHO", &[b'e'; 15_000]]));
    rig.send(deaf, &resp::command(&[b"ECHO", &[b'e'; 15_000]]));
    rig.send(client, b"ECHO a\r\n");
    assert_eq!(rig.received(client), b"", "no memory");
    rig.pass(4_000_000);
    assert_eq!(rig.received(client), b"$1\r\na\r\n");
    assert!(rig.is_open(client) && !rig.is_open(deaf));
    assert_eq!(
        rig.machine
            .driver
            .node
            .operator()
            .stats(rig.now)
            .own
            .memory_limit_hits,
        1
    );
}

/// Back on its own datastore connection, a client's request overtook those still on the other one.
#[test]
fn a_client_does_not_overtake_itself_on_another_datastore_connection() {
    let mut rig = Rig::new(Options {
        datastore_connections: 2,
        ..options()
    });
    // The first client's own connection is the first one.
    let client = rig.client(1 << 20);
    let (own, other) = (rig.stores[0], rig.stores[1]);
    rig.links[own].reset();
    rig.settle();
    rig.send(client, &get("1"));
    rig.pass(2_000_000);
    let own = rig.store();
    assert!(own != other && rig.is_open(own), "connected again");
    rig.send(client, &get("2"));
    assert_eq!(rig.received(own), b"");
    assert_eq!(rig.received(other), [get("1"), get("2")].concat());
    rig.send(other, b"+1\r\n+2\r\n");
    rig.send(client, &get("3"));
    assert_eq!(rig.received(own), get("3"), "nothing is under way");
    assert_eq!(rig.received(client), b"+1\r\n+2\r\n");
}

/// Without `preconnect`, one connection was made and the others never.
#[test]
fn every_datastore_connection_is_made_when_it_is_needed() {
    let mut rig = Rig::new(Options {
        datastore_connections: 3,
        preconnect: false,
        ..options()
    });
    assert_eq!(rig.stores.len(), 0);
    for key in ["a", "b", "c", "d"] {
        let client = rig.client(1 << 20);
        rig.send(client, &get(key));
    }
    assert_eq!(rig.stores.len(), 3);
}

/// It was dropped and the connection kept, so that the next such reply was given to the next request.
#[test]
fn a_reply_that_nobody_asked_for_ends_the_datastore_connection() {
    let mut rig = Rig::new(options());
    let client = rig.client(1 << 20);
    let store = rig.store();
    rig.send(store, b"-ERR max number of clients reached\r\n");
    assert!(!rig.is_open(store));
    rig.pass(2_000_000);
    // The request is there, but the datastore cannot have seen all of it.
    let store = rig.store();
    rig.links[store].room = 10;
    rig.send(client, &get("key"));
    rig.send(store, b"$4\r\nmine\r\n");
    assert!(!rig.is_open(store));
    assert_eq!(
        rig.received(client),
        b"-ERR Storage: Datastore refused connection\r\n"
    );
}
