//! The loop, turned by hand.

use super::*;
use crate::config::{Overrides, parse};
use std::collections::VecDeque;
use std::net::TcpListener;
use std::os::unix::net::UnixStream;

/// A reactor that listens on Unix sockets in `dir`, in front of `servers`.
fn reactor(dir: &std::path::Path, servers: &str) -> Reactor {
    let dir = dir.display();
    let text = format!(
        "d:\n  listen: {dir}/listen\n  dyn_listen: {dir}/peers\n  stats_listen: {dir}/stats\n  \
         tokens: '1'\n  backlog: 1024\n  servers: {servers}\n"
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
    Reactor::new(
        &settings,
        identity,
        &Switches::default(),
        Sources::default(),
    )
    .unwrap()
}

fn connections(reactor: &mut Reactor) -> u64 {
    let now = clock(reactor.started);
    reactor.node.stats(now).pool.client_connections
}

/// What did not fit into one turn used to wait for the next event, whatever that was.
#[test]
fn what_is_left_to_accept_is_accepted_without_another_event() {
    let dir = tempfile::tempdir().unwrap();
    let mut reactor = reactor(dir.path(), "/nowhere:1");
    let clients: Vec<_> = (0..300)
        .map(|_| UnixStream::connect(dir.path().join("listen")).unwrap())
        .collect();
    let mut events = Events::with_capacity(EVENTS);
    reactor.turn(&mut events, &mut |_| {}).unwrap();
    while reactor.timeout().is_zero() {
        reactor.turn(&mut events, &mut |_| {}).unwrap();
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
    let now = clock(reactor.started);
    // The attempt at /nowhere has failed; the node tries again, with these addresses.
    let mut later = now;
    later.mono_us += 10_000_000;
    reactor.node.tick(later);
    let Some(Action::Connect(id)) = reactor.node.next_action() else {
        panic!("no attempt");
    };
    let addresses = VecDeque::from([nobody, nobody, store.local_addr().unwrap()]);
    reactor.connect_to_one_of(id, addresses, now);
    let mut events = Events::with_capacity(EVENTS);
    while reactor
        .sockets
        .get(id)
        .is_some_and(|socket| socket.connecting)
    {
        reactor.turn(&mut events, &mut |_| {}).unwrap();
    }
    let stream = &reactor.sockets.get(id).expect("a connection").stream;
    assert!(stream.is_connected());
    assert!(reactor.untried.is_empty());
    assert_eq!(
        reactor.node.stats(now).server.server_err,
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
            kind: crate::node::Kind::Store,
            key: 0,
            generation,
        };
        reactor.node.endpoint(id).is_some().then_some(id)
    }) else {
        panic!("no attempt is under way");
    };
    // The node gives up.
    let mut later = clock(reactor.started);
    later.mono_us += 6_000_000;
    reactor.node.tick(later);
    assert!(reactor.node.endpoint(id).is_none());
    let (mut events, mut answered) = (Events::with_capacity(EVENTS), false);
    while !answered {
        reactor.poll.poll(&mut events, None).unwrap();
        answered = events
            .iter()
            .any(|event| event.token() == Name::Waker.token());
    }
    reactor.take_answers(clock(reactor.started));
    assert!(reactor.sockets.get(id).is_none());
}
