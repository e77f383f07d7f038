//! Upstreams without a node: states, choice of a connection, queue, backlog, links.

use super::{Loss, NOBODY, State, Upstream, Upstreams};
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::cluster::member::Member;
use crate::cluster::peer_state::PeerState;
use crate::cluster::topology::Topology;
use crate::config::Endpoint;
use crate::hashkit::parse_list;
use crate::mbuf::{Chain, Pool, Raw};
use crate::node::flight::Flight;
use crate::node::flight::waiter::Waiter;
use crate::node::ids::{Id, ReqId, SlotId};
use crate::node::limits;
use crate::node::msg::Msg;
use crate::node::options::Options;
use crate::node::outbox::Outbox;
use crate::proto::dnode;

const PEER: NodeId = NodeId(1);

/// Two connections to the datastore and two to each of two peers of the same rack.
struct Bench {
    options: Options,
    topology: Topology,
    upstreams: Upstreams,
    flight: Flight,
    pool: Pool,
    out: Outbox,
    wire_id: u64,
}

fn member(host: &str, token: &str) -> Member {
    Member {
        name: host.to_owned(),
        endpoint: Endpoint::Tcp {
            host: host.to_owned(),
            port: 8101,
        },
        dc: "d".into(),
        rack: "r".into(),
        tokens: vec![parse_list(token).unwrap()[0].token],
    }
}

fn topology(peers: [&str; 2]) -> Topology {
    let peers = peers.iter().zip(["2000", "3000"]);
    let peers = peers.map(|(host, token)| member(host, token)).collect();
    Topology::build(member("127.0.0.1", "1"), peers)
        .unwrap()
        .topology
}

impl Bench {
    fn new() -> Bench {
        let options = Options {
            datastore_connections: 2,
            local_peer_connections: 2,
            ..Options::default()
        };
        let topology = topology(["127.0.0.2", "127.0.0.3"]);
        Bench {
            upstreams: Upstreams::new(&options, &topology, at(0)),
            flight: Flight::default(),
            pool: Pool::new(options.mbuf_size, options.max_msgs),
            out: Outbox::default(),
            wire_id: 0,
            options,
            topology,
        }
    }

    fn first(&self, node: NodeId) -> SlotId {
        self.upstreams.slots_of(node).first().unwrap()
    }

    fn upstream(&mut self, node: NodeId) -> &mut Upstream {
        let slot = self.first(node);
        self.upstreams.get_mut(slot).unwrap()
    }

    /// Brings the first connection to a node to this state.
    fn bring(&mut self, node: NodeId, state: State) {
        let slot = self.first(node);
        self.upstreams.connect(slot, 1, true, at(0));
        self.upstream(node).state = state;
    }

    /// Puts a request of so many bytes into the queue of the first connection to a node.
    fn put(&mut self, node: NodeId, len: usize, now: Now) -> ReqId {
        let mut msg = Msg::new(Waiter::Nobody, 0, len, now.mono_us);
        self.wire_id += 1;
        msg.wire_id = self.wire_id;
        let entry = self.flight.insert(msg);
        let mut bytes = Chain::new();
        self.pool.copy(&vec![b'x'; len], &mut bytes);
        let slot = self.first(node);
        let upstream = self.upstreams.get_mut(slot).unwrap();
        let raw = Raw::from(&bytes);
        assert!(
            upstream
                .put(&mut self.flight.msgs, entry, now, raw)
                .is_some()
        );
        self.upstreams.note_backlog(slot);
        entry
    }

    fn wrote(&mut self, node: NodeId, n: usize, now: Now) {
        let slot = self.first(node);
        let upstream = self.upstreams.get_mut(slot).unwrap();
        upstream.wrote(&self.flight.msgs, now, n);
    }

    fn pop(&mut self, node: NodeId) -> Option<ReqId> {
        let slot = self.first(node);
        let upstream = self.upstreams.get_mut(slot).unwrap();
        upstream.pop(&mut self.flight.msgs)
    }

    fn check(&self) {
        for upstream in self.upstreams.iter() {
            assert_eq!(upstream.contradiction(&self.flight.msgs), None);
        }
    }
}

fn at(ms: u64) -> Now {
    Now {
        mono_us: ms * 1000,
        wall_us: 0,
    }
}

#[test]
fn each_state_takes_requests_or_not() {
    let connecting = |first| State::Connecting { since: 0, first };
    let down = State::Down { retry_at: 9 };
    // State; whether a datastore takes requests, a peer, a peer that is awaited.
    let rows = [
        (State::Idle, true, false, false),
        (connecting(true), true, false, true),
        (connecting(false), false, false, true),
        (State::Handshake, false, false, true),
        (State::Up, true, true, true),
        (down, false, false, false),
        (State::Gone, false, false, false),
    ];
    for (state, store, peer, awaited) in rows {
        let mut bench = Bench::new();
        bench.bring(NodeId::ME, state);
        bench.bring(PEER, state);
        assert_eq!(
            bench.upstream(NodeId::ME).takes_requests(),
            store,
            "{state:?}"
        );
        assert_eq!(bench.upstream(PEER).takes_requests(), peer, "{state:?}");
        bench.upstream(PEER).state = State::Up;
        let msgs = &mut bench.flight.msgs;
        let slot = bench.upstreams.slots_of(PEER).first().unwrap();
        bench
            .upstreams
            .get_mut(slot)
            .unwrap()
            .await_anew(msgs, at(0));
        bench.upstream(PEER).state = state;
        assert_eq!(bench.upstream(PEER).takes_requests(), awaited, "{state:?}");
        bench.upstreams.set_admin_down(PEER, true);
        assert!(!bench.upstream(PEER).takes_requests(), "{state:?}");
    }
}

#[test]
fn a_peer_has_a_handshake_and_a_datastore_has_none() {
    let mut bench = Bench::new();
    for node in [NodeId::ME, PEER] {
        bench.bring(
            node,
            State::Connecting {
                since: 0,
                first: true,
            },
        );
        let mut out = std::mem::take(&mut bench.out);
        bench.upstream(node).connected(at(1), &mut out);
    }
    assert_eq!(bench.upstream(NodeId::ME).state, State::Up);
    assert!(!bench.upstream(NodeId::ME).shaken());
    assert_eq!(bench.upstream(PEER).state, State::Handshake);
    assert!(bench.upstream(PEER).is_underway());
    assert!(bench.upstream(PEER).shaken());
    assert!(bench.upstream(PEER).is_up());
    assert!(!bench.upstream(PEER).shaken(), "once only");
}

#[test]
fn an_affinity_always_gets_the_same_connection_and_no_other() {
    let mut bench = Bench::new();
    let slots: Vec<SlotId> = bench.upstreams.slots_of(PEER).collect();
    assert_eq!(slots.len(), 2);
    for slot in &slots {
        bench.upstreams.get_mut(*slot).unwrap().state = State::Up;
    }
    for affinity in 0..4 {
        let picked = bench.upstreams.pick(PEER, affinity);
        assert_eq!(picked, Some(slots[affinity as usize % 2]));
    }
    bench.upstreams.get_mut(slots[0]).unwrap().state = State::Down { retry_at: 1 };
    assert_eq!(bench.upstreams.pick(PEER, 2), None, "its own is down");
    assert_eq!(bench.upstreams.pick(PEER, 3), Some(slots[1]));
    assert_eq!(bench.upstreams.pick(NOBODY, 0), None);
}

#[test]
fn the_state_of_a_peer_is_that_of_its_connections() {
    let mut bench = Bench::new();
    assert_eq!(bench.upstreams.peer_state(PEER), PeerState::Down);
    bench.bring(PEER, State::Up);
    assert_eq!(bench.upstreams.peer_state(PEER), PeerState::Normal);
    bench.upstream(PEER).renewing = true;
    assert_eq!(bench.upstreams.peer_state(PEER), PeerState::Reset);
    assert!(!bench.upstreams.set_admin_down(PEER, true));
    assert_eq!(bench.upstreams.peer_state(PEER), PeerState::Down);
    assert!(bench.upstreams.set_admin_down(PEER, false));
    // A node is no peer of its own.
    bench.bring(NodeId::ME, State::Up);
    assert_eq!(bench.upstreams.peer_state(NodeId::ME), PeerState::Down);
    assert!(!bench.upstreams.set_admin_down(NodeId::ME, true));
    assert!(!bench.upstreams.is_admin_down(NodeId::ME));
}

#[test]
fn fronts_wait_for_a_large_backlog_until_it_is_written() {
    let mut bench = Bench::new();
    bench.bring(NodeId::ME, State::Up);
    let half = limits::UPSTREAM_QUEUE / 2;
    bench.put(NodeId::ME, half, at(0));
    assert_eq!(bench.upstreams.congested(at(0)).count(), 0);
    bench.put(NodeId::ME, half, at(0));
    assert_eq!(bench.upstreams.congested(at(0)).count(), 1);
    bench.wrote(NodeId::ME, 1, at(1));
    assert_eq!(bench.upstreams.congested(at(1)).count(), 0);
    bench.upstreams.forget_backlogs();
    assert!(!bench.upstreams.is_noted(bench.first(NodeId::ME)));
    bench.check();
}

#[test]
fn fronts_do_not_wait_for_a_peer_that_takes_nothing() {
    let mut bench = Bench::new();
    bench.bring(PEER, State::Up);
    bench.put(PEER, limits::UPSTREAM_QUEUE, at(0));
    assert_eq!(bench.upstreams.congested(at(0)).count(), 1);
    let stalled = at(limits::STALLED_US / 1000);
    assert_eq!(bench.upstreams.congested(stalled).count(), 0);
    // The kernel takes a little now and then.
    bench.wrote(PEER, limits::FLOW - 1, stalled);
    bench.put(PEER, limits::FLOW, stalled);
    assert_eq!(bench.upstreams.congested(stalled).count(), 0, "a trickle");
    bench.wrote(PEER, 1, stalled);
    assert_eq!(bench.upstreams.congested(stalled).count(), 1, "it moves");
    bench.check();
}

#[test]
fn a_request_is_in_one_queue_at_a_time() {
    let mut bench = Bench::new();
    bench.bring(NodeId::ME, State::Up);
    let entry = bench.put(NodeId::ME, 10, at(0));
    let bytes = Chain::new();
    let msgs = &mut bench.flight.msgs;
    let slot = bench.upstreams.slots_of(NodeId::ME).first().unwrap();
    let store = bench.upstreams.get_mut(slot).unwrap();
    assert!(store.put(msgs, entry, at(0), Raw::from(&bytes)).is_none());
    bench.wrote(NodeId::ME, 10, at(1));
    assert_eq!(bench.pop(NodeId::ME), Some(entry));
    assert_eq!(bench.pop(NodeId::ME), None);
    bench.check();
}

#[test]
fn only_a_connection_that_worked_and_owes_nothing_is_made_anew() {
    // Loss; whether a reply has come; whether a request is written and unanswered; made anew.
    let rows = [
        (Loss::Eof, true, false, true),
        (Loss::Error, true, false, true),
        (Loss::Asked, true, false, true),
        (Loss::TimedOut, true, false, false),
        (Loss::Nonsense, true, false, false),
        (Loss::Eof, false, false, false),
        (Loss::Eof, true, true, false),
    ];
    for (loss, worked, owes, is_anew) in rows {
        let mut bench = Bench::new();
        bench.bring(NodeId::ME, State::Up);
        if worked {
            bench.upstream(NodeId::ME).anew.answered(1);
        }
        if owes {
            bench.put(NodeId::ME, 10, at(0));
            bench.wrote(NodeId::ME, 1, at(0));
        }
        let store = bench.upstream(NodeId::ME);
        assert_eq!(store.is_made_anew(at(1), loss), is_anew, "{loss:?}");
    }
    // One that was there for long enough has worked.
    let mut bench = Bench::new();
    bench.bring(NodeId::ME, State::Up);
    let later = at(limits::WORKED_US / 1000);
    assert!(bench.upstream(NodeId::ME).is_made_anew(later, Loss::Eof));
}

#[test]
fn unwritten_requests_of_a_datastore_outlive_their_connection() {
    let mut bench = Bench::new();
    bench.bring(NodeId::ME, State::Up);
    let answered = bench.put(NodeId::ME, 10, at(0));
    let waits = bench.put(NodeId::ME, 7, at(0));
    bench.wrote(NodeId::ME, 10, at(0));
    assert_eq!(bench.pop(NodeId::ME), Some(answered));
    let msgs = &mut bench.flight.msgs;
    let slot = bench.upstreams.slots_of(NodeId::ME).first().unwrap();
    bench
        .upstreams
        .get_mut(slot)
        .unwrap()
        .await_anew(msgs, at(1));
    bench.check();
    bench.bring(NodeId::ME, State::Up);
    bench.wrote(NodeId::ME, 7, at(2));
    assert_eq!(bench.pop(NodeId::ME), Some(waits));
    bench.check();
}

#[test]
fn parked_requests_come_back_in_order_and_are_counted_as_backlog() {
    let mut bench = Bench::new();
    bench.bring(PEER, State::Up);
    let slot = bench.first(PEER);
    let peer = bench.upstreams.get_mut(slot).unwrap();
    peer.await_anew(&mut bench.flight.msgs, at(0));
    peer.state = State::Connecting {
        since: 0,
        first: true,
    };
    assert!(peer.is_parking());
    let entries = [ReqId::new(4), ReqId::new(2)];
    for entry in entries {
        let mut bytes = Chain::new();
        bench.pool.copy(b"request", &mut bytes);
        peer.park(entry, dnode::Kind::Request, Raw::from(&bytes));
    }
    assert_eq!((peer.backlog(), peer.anew.len()), (14, 2));
    assert_eq!(peer.parked_until(5000), Some(5000));
    let parked: Vec<ReqId> = peer
        .take_parked()
        .iter()
        .map(|parked| parked.entry)
        .collect();
    assert_eq!(parked, entries);
    assert!(!peer.is_parking() && peer.anew.is_empty() && peer.backlog() == 0);
}

#[test]
fn members_keep_their_connections_and_slots_of_former_ones_are_used_again() {
    let mut bench = Bench::new();
    let kept: Vec<SlotId> = bench.upstreams.slots_of(NodeId(2)).collect();
    // The first peer leaves, another comes.
    let next = topology(["127.0.0.4", "127.0.0.3"]);
    let links: Vec<_> = next
        .nodes()
        .iter()
        .map(|node| bench.upstreams.link_to(&bench.topology, node))
        .collect();
    let is_known = |links: &[Option<_>]| links.iter().filter(|link| link.is_some()).count();
    assert_eq!(is_known(&links), 2, "this node and the peer that stays");
    let (options, slots) = (&bench.options, bench.upstreams.len());
    let links = next.nodes().iter().zip(links).map(|(node, link)| {
        let upstreams = &mut bench.upstreams;
        link.unwrap_or_else(|| upstreams.add(options, NOBODY, node, 2, at(0)))
    });
    let links = links.collect();
    assert_eq!(bench.upstreams.len(), slots + 2, "none was free");
    let translate = bench.upstreams.relink(links);
    let moved = translate(NodeId(2));
    assert_eq!(bench.upstreams.slots_of(moved).collect::<Vec<_>>(), kept);
    assert_eq!(translate(PEER), NOBODY);
    assert_eq!(translate(NodeId::ME), NodeId::ME);
    // Its connections lead to no member now. Once they are gone, their slots are free.
    let former = [slots - 4, slots - 3].map(SlotId::new);
    for slot in former {
        let upstream = bench.upstreams.get_mut(slot).unwrap();
        assert_eq!(upstream.node, NOBODY);
        upstream.reset(State::Gone);
    }
    let node = next.node(NodeId(1)).unwrap();
    let again = bench.upstreams.add(&bench.options, NOBODY, node, 2, at(0));
    assert_eq!(again.collect::<Vec<_>>(), former);
}
