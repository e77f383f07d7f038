//! One node in memory: its clients, its datastore and its peers are played by the test, in buffers that
//! are made before anything is measured.
//!
//! Every call into the node goes through [`verbs`], so that a profiler can tell the node's work from the
//! test's.

pub mod pipe;
mod played;
pub mod verbs;

use dynomite::clock::Now;
use dynomite::cluster::member::Member;
use dynomite::cluster::topology::Topology;
use dynomite::config::{Endpoint, StoreKind};
use dynomite::consistency::Consistency;
use dynomite::hashkit::{HashKind, Token, hash};
use dynomite::node::{Action, ConnId, Kind, Node, Options};
use pipe::Pipe;
use played::Played;
use std::sync::Arc;

/// The cluster around the node, and its clients.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    pub store: StoreKind,
    /// Racks of one datacenter; this node is in the first one.
    pub racks: usize,
    /// Nodes of each rack.
    pub nodes: usize,
    /// Level of reads and writes.
    pub level: Consistency,
    pub clients: usize,
}

/// What a datastore answers: to a request that begins with this, that. The first that fits.
pub type Replies<'a> = &'a [(&'a [u8], &'a [u8])];

/// One node, and all that it is connected to.
pub struct Rig {
    pub node: Node,
    pub now: Now,
    topology: Arc<Topology>,
    clients: Vec<(ConnId, Pipe)>,
    /// The other ends of the connections the node makes, by their places.
    upstreams: Vec<Option<Played>>,
    store: StoreKind,
    /// Requests that datastores were asked to run since the start, copies included.
    pub asked: usize,
}

impl Rig {
    /// A node whose connections are all made, and whose peers have said what they are.
    pub fn new(setup: Setup) -> Rig {
        let now = Now {
            mono_us: 1_000_000,
            wall_us: 1_700_000_000_000_000,
        };
        let options = Options {
            store: setup.store,
            read_consistency: setup.level,
            write_consistency: setup.level,
            ..Options::default()
        };
        let topology = Arc::new(topology(setup.racks, setup.nodes));
        let mut rig = Rig {
            node: Node::new(options, topology.clone(), now),
            now,
            topology,
            clients: Vec::new(),
            upstreams: Vec::new(),
            store: setup.store,
            asked: 0,
        };
        rig.node.start(now);
        rig.settle(&[]);
        for _ in 0..setup.clients {
            let id = rig
                .node
                .accepted(Kind::Client, None, now)
                .expect("no limit");
            rig.clients.push((id, Pipe::new()));
        }
        rig
    }

    /// A key, always of the same length, that this node owns in its rack, or that another node does.
    pub fn key(&self, is_mine: bool) -> String {
        let mut keys = (0..100_000).map(|number| format!("key:{number:05}"));
        keys.find(|key| {
            let token = Token::of_hash(hash(HashKind::Murmur, key.as_bytes()));
            self.topology.is_mine(token) == is_mine
        })
        .expect("a node owns more than nothing")
    }

    /// Time passes. Every client sends this; everything is answered.
    pub fn round(&mut self, pass_us: u64, requests: &[u8], replies: Replies<'_>) {
        self.now.mono_us += pass_us;
        self.now.wall_us += pass_us;
        for (id, pipe) in &mut self.clients {
            pipe.fill(requests);
            while pipe.has_input() {
                verbs::receive(&mut self.node, *id, self.now, pipe);
            }
        }
        self.settle(replies);
        if self.node.next_deadline() <= self.now.mono_us {
            self.node.tick(self.now);
            self.settle(replies);
        }
    }

    /// What each client has been sent, handed to `look`; it is forgotten then.
    pub fn take_answers(&mut self, mut look: impl FnMut(&[u8])) {
        for (_, pipe) in &mut self.clients {
            look(pipe.written());
            pipe.clear_written();
        }
    }

    /// Turns until nothing happens any more.
    fn settle(&mut self, replies: Replies<'_>) {
        loop {
            verbs::end_turn(&mut self.node, self.now);
            let mut idle = true;
            while let Some(action) = verbs::next_action(&mut self.node) {
                idle = false;
                self.carry_out(action);
            }
            while let Some(id) = verbs::next_dirty(&mut self.node) {
                idle = false;
                self.flush(id);
            }
            for place in 0..self.upstreams.len() {
                idle &= !self.answer(place, replies);
            }
            if idle {
                return;
            }
        }
    }

    fn carry_out(&mut self, action: Action) {
        match action {
            Action::Connect(id) => {
                let place = id.key as usize;
                if self.upstreams.len() <= place {
                    self.upstreams.resize_with(place + 1, || None);
                }
                self.upstreams[place] = Some(Played::new(id, self.store));
                self.node.connected(id, self.now);
            }
            Action::Resume(id) => {
                let client = self.clients.iter_mut().find(|(it, _)| *it == id);
                let (id, pipe) = client.expect("only clients are resumed");
                while pipe.has_input() {
                    verbs::receive(&mut self.node, *id, self.now, pipe);
                }
            }
            Action::Close(id) => panic!("the node closes {id}"),
        }
    }

    fn flush(&mut self, id: ConnId) {
        let pipe = match id.kind {
            Kind::Client | Kind::DnodeClient => {
                let client = self.clients.iter_mut().find(|(it, _)| *it == id);
                &mut client.expect("a client").1
            }
            Kind::Store | Kind::Peer => {
                let upstream = self.upstreams[id.key as usize].as_mut();
                &mut upstream.expect("it was connected").pipe
            }
        };
        assert!(!verbs::transmit(&mut self.node, id, self.now, pipe));
    }

    /// The other end of a connection answers all that it was sent. Returns true if there was anything.
    fn answer(&mut self, place: usize, replies: Replies<'_>) -> bool {
        let Some(upstream) = &mut self.upstreams[place] else {
            return false;
        };
        if upstream.pipe.written().is_empty() {
            return false;
        }
        self.asked += upstream.answer(replies, self.now);
        while upstream.pipe.has_input() {
            verbs::receive(&mut self.node, upstream.id, self.now, &mut upstream.pipe);
        }
        true
    }
}

/// One datacenter of so many racks of so many nodes. All racks divide the keys alike.
fn topology(racks: usize, nodes: usize) -> Topology {
    if racks * nodes == 1 {
        return Topology::alone();
    }
    let mut members = Vec::new();
    for rack in 0..racks {
        for node in 0..nodes {
            let token = (u64::from(u32::MAX) * node as u64 / nodes as u64) as u32;
            members.push(Member {
                name: format!("10.0.{rack}.{node}"),
                endpoint: Endpoint::Tcp {
                    host: format!("10.{rack}.{}.{}", node / 250, node % 250),
                    port: 8101,
                },
                dc: "dc".into(),
                rack: format!("rack{rack}"),
                tokens: vec![Token::of_hash(token)],
            });
        }
    }
    let me = members.remove(0);
    Topology::build(me, members)
        .expect("members in order")
        .topology
}
