//! A driver in a world of a few wires.

use super::{Attempt, Driver, World};
use crate::clock::Now;
use crate::cluster::topology::Topology;
use crate::config::Endpoint;
use crate::node::{ConnId, Kind, Node, Options};
use std::io::{self, Cursor, ErrorKind};
use std::sync::Arc;

type Wire = Cursor<Vec<u8>>;

/// Remembers what was closed, and whether there was a wire.
#[derive(Default)]
struct Wires(Vec<(ConnId, bool)>);

impl World for Wires {
    type Conn = Wire;
    type Stream = Wire;

    fn stream<'a>(&'a mut self, _: ConnId, wire: &'a mut Wire) -> &'a mut Wire {
        wire
    }

    fn take_error(&mut self, _: &mut Wire) -> io::Error {
        ErrorKind::ConnectionReset.into()
    }

    fn connect(&mut self, _: ConnId, _: &Endpoint) -> Attempt<Wire> {
        Attempt::Later
    }

    fn close(&mut self, id: ConnId, wire: Option<Wire>) {
        self.0.push((id, wire.is_some()));
    }

    fn glance(&mut self, _: &mut Driver<Wire>) -> io::Result<Option<Now>> {
        Ok(None)
    }
}

fn at(secs: u64) -> Now {
    Now {
        mono_us: secs * 1_000_000,
        ..Now::default()
    }
}

/// Its socket was dropped without being closed: the other side could get a reset instead of its last answer, and
/// accepting went on being paused although a descriptor was free.
#[test]
fn a_connection_whose_place_is_given_away_is_closed_before_the_next_one_is_in_it() {
    let options = Options {
        client_connections: 1,
        ..Options::default()
    };
    let node = Node::new(options, Arc::new(Topology::alone()), at(1));
    let (mut driver, mut wires) = (Driver::new(node), Wires::default());
    let mut accept = |secs| {
        let id = driver.node.accepted(Kind::Client, None, at(secs)).unwrap();
        driver.accepted(&mut wires, id, Wire::default(), at(secs));
        (id, wires.0.clone())
    };
    let (silent, _) = accept(1);
    let (newcomer, closed) = accept(60);
    assert_eq!(silent.key, newcomer.key, "one place for both");
    assert_eq!(closed, [(silent, true)]);
    assert!(driver.conns().get(newcomer).is_some());
    // A late event of the first is not taken for one of the second.
    assert!(driver.conns().get(silent).is_none());
    assert!(driver.conns_mut().get_mut(silent).is_none());
}

/// Nobody would ever take it.
#[test]
fn what_was_read_ahead_of_a_closed_connection_is_forgotten() {
    let node = Node::new(Options::default(), Arc::new(Topology::alone()), at(1));
    let (mut driver, mut wires) = (Driver::new(node), Wires::default());
    let id = driver.node.accepted(Kind::Client, None, at(1)).unwrap();
    driver.accepted(&mut wires, id, Wire::default(), at(1));
    driver.batch.keep_rest(id, b"read, and not taken");
    assert_eq!(driver.untaken(id), 19);
    let error = ErrorKind::ConnectionReset.into();
    driver.node.broken(id, at(1), &error);
    driver.finish(&mut wires, at(1)).unwrap();
    assert_eq!(wires.0, [(id, true)]);
    assert_eq!(driver.untaken(id), 0);
}
