//! The loop, turned by hand.

use super::*;
use crate::config::{Overrides, parse};
use crate::node::{Action, ConnId, Kind};
use std::collections::VecDeque;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;

mod crowd;

/// A reactor that listens on Unix sockets in `dir`, in front of `servers`.
fn reactor(dir: &std::path::Path, servers: &str) -> Reactor {
    reactor_with(dir, servers, "")
}

/// The same with more lines of configuration.
fn reactor_with(dir: &std::path::Path, servers: &str, more: &str) -> Reactor {
    let dir = dir.display();
    let text = format!(
        "d:\n  listen: {dir}/listen\n  dyn_listen: {dir}/peers\n  stats_listen: {dir}/stats\n  \
         tokens: '1'\n  backlog: 1024\n  servers: {servers}\n{more}"
    );
    let settings = parse(&text, "test.yml", &Overrides::default())
        .unwrap()
        .settings;
    let identity = Identity {
        source: "here".into(),
        version: "v0".into(),
        rack: "r".into(),
        dc: "d".into(),
        pool_name: "d".into(),
        server_name: "s".into(),
        started: Now::default(),
        ..Identity::default()
    };
    Reactor::new(&settings, identity, Sources::default()).unwrap()
}

fn connections(reactor: &mut Reactor) -> u64 {
    let now = reactor.kernel.now();
    reactor
        .driver
        .node
        .operator()
        .stats(now)
        .pool
        .client_connections
}

/// What did not fit into one turn used to wait for the next event, whatever that was.
#[test]
fn what_is_left_to_accept_is_accepted_without_another_event() {
    let dir = tempfile::tempdir().unwrap();
    let mut reactor = reactor(dir.path(), "/nowhere:1");
    let clients: Vec<_> = (0..300)
        .map(|_| UnixStream::connect(dir.path().join("listen")).unwrap())
        .collect();
    reactor.turn(&mut |_| {}).unwrap();
    while reactor.timeout().is_zero() {
        reactor.turn(&mut |_| {}).unwrap();
    }
    assert_eq!(connections(&mut reactor), clients.len() as u64);
}

/// `localhost` may be `::1` first, and Redis on `127.0.0.1` only.
#[test]
fn every_address_of_the_datastore_is_tried() {
    let dir = tempfile::tempdir().unwrap();
    let mut reactor = reactor(dir.path(), "/nowhere:1");
    // Bound and not listening: the port is ours, and refuses.
    let closed = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).unwrap();
    let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
    closed.bind(&any.into()).unwrap();
    let nobody = closed.local_addr().unwrap().as_socket().unwrap();
    let store = TcpListener::bind("127.0.0.1:0").unwrap();
    let now = reactor.kernel.now();
    // The attempt at /nowhere has failed; the node tries again, with these addresses.
    let mut later = now;
    later.mono_us += 10_000_000;
    reactor.driver.node.tick(later);
    let Some(Action::Connect(id)) = reactor.driver.node.next_action() else {
        panic!("no attempt");
    };
    let addresses = VecDeque::from([nobody, nobody, store.local_addr().unwrap()]);
    reactor
        .kernel
        .connect_on(&mut reactor.driver, id, addresses, now);
    let is_connecting = |reactor: &Reactor| {
        let conn = reactor.driver.conns().get(id);
        conn.is_some_and(|conn| conn.is_connecting())
    };
    while is_connecting(&reactor) {
        reactor.turn(&mut |_| {}).unwrap();
    }
    let stream = &reactor.driver.conns().get(id).expect("a connection").inner;
    assert!(stream.is_connected());
    assert!(reactor.kernel.untried.is_empty());
    assert_eq!(
        reactor.driver.node.operator().stats(now).server.server_err,
        1,
        "the one at /nowhere"
    );
}

/// It took the place of the connection that had been made meanwhile, or of none for ever.
#[test]
fn an_answer_of_the_resolver_that_comes_too_late_connects_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = store.local_addr().unwrap().port();
    // A name to us, and an address to every resolver.
    let mut reactor = reactor(dir.path(), &format!("127.1:{port}:1"));
    let Some(id) = (0..10).find_map(|generation| {
        let id = ConnId {
            kind: Kind::Store,
            key: 0,
            generation,
        };
        reactor.driver.node.endpoint(id).is_some().then_some(id)
    }) else {
        panic!("no attempt is under way");
    };
    // The node gives up.
    let mut later = reactor.kernel.now();
    later.mono_us += 6_000_000;
    reactor.driver.node.tick(later);
    assert!(reactor.driver.node.endpoint(id).is_none());
    while !std::mem::take(&mut reactor.kernel.arrived.woken) {
        reactor.kernel.wait(Duration::from_secs(1)).unwrap();
        reactor.kernel.report(&mut reactor.driver, later);
    }
    reactor.kernel.take_answers(&mut reactor.driver, later);
    assert!(reactor.driver.conns().get(id).is_none());
}
