//! One node among others that a test plays: it sees what the node sends to its datastore and to each
//! peer, and answers as it likes.

mod any_state;
mod control;
mod failover;
mod fanout;
mod purge;
mod quorum;
mod replicate;

use super::{Action, ConnId, Kind, Node, NodeId, Options};
use crate::clock::Now;
use crate::cluster::member::Member;
use crate::cluster::topology::Topology;
use crate::config::Endpoint;
use crate::hashkit::parse_list;
use crate::mbuf::{Chain, Pool};
use crate::node::frame;
use crate::node::front::Raw;
use crate::proto::dnode::{self, Decoder, Requests};
use crate::proto::redis::{encode, inline, request};
use std::collections::{HashMap, VecDeque};
use std::io;
use std::sync::Arc;

/// A node, whose connections are all made, and what went out on them.
pub struct Rig {
    pub node: Node,
    pub now: Now,
    pool: Pool,
    /// Bytes to clients, not looked at yet.
    out: HashMap<ConnId, Vec<u8>>,
    /// What waits for an answer, by node.
    asked: HashMap<u16, Asked>,
}

struct Asked {
    conn: ConnId,
    decoder: Requests,
    bytes: Chain,
    waiting: VecDeque<(u64, dnode::Kind, String)>,
    /// The same, as far as the test has not looked at it.
    unseen: Vec<String>,
}

/// A member from `host dc rack tokens`.
fn member(text: &str) -> Member {
    let words: Vec<&str> = text.split(' ').collect();
    let [name, dc, rack, tokens] = words[..] else {
        panic!("{text}");
    };
    Member {
        endpoint: Endpoint::Tcp {
            host: name.to_owned(),
            port: 8101,
        },
        name: name.to_owned(),
        dc: dc.to_owned(),
        rack: rack.to_owned(),
        tokens: parse_list(tokens)
            .unwrap()
            .iter()
            .map(|text| text.token)
            .collect(),
    }
}

/// Words as a request; quotes as in an inline command.
fn encoded(line: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    encode::command(&mut bytes, &inline::split(line.as_bytes()).unwrap());
    bytes
}

impl Rig {
    /// This node first; every peer says it is one of ours.
    pub fn new(members: &[&str], options: Options) -> Rig {
        Rig::beside(members, &[], options)
    }

    /// The same, but for the peers that are C nodes.
    pub fn beside(members: &[&str], originals: &[u16], options: Options) -> Rig {
        let mut members: Vec<Member> = members.iter().map(|text| member(text)).collect();
        let me = members.remove(0);
        let topology = Topology::build(me, members).unwrap().topology;
        let now = Now {
            mono_us: 1_000_000_000,
            wall_us: 1_700_000_000_000_000,
        };
        let mut node = Node::new(options, Arc::new(topology), now);
        node.start(now);
        let mut rig = Rig {
            pool: Pool::new(4096, 64 << 20),
            node,
            now,
            out: HashMap::new(),
            asked: HashMap::new(),
        };
        rig.turn();
        let peers: Vec<u16> = rig.asked.keys().copied().filter(|node| *node > 0).collect();
        for node in peers {
            assert_eq!(rig.sees(node), ["PING"]);
            let version = if originals.contains(&node) {
                dnode::VERSION_ORIGINAL
            } else {
                dnode::VERSION
            };
            rig.says_as(node, version, "+PONG\r\n");
        }
        rig
    }

    /// Does what the driver does at the end of a turn; connections asked for are made at once.
    pub fn turn(&mut self) {
        loop {
            self.node.end_turn(self.now);
            let mut busy = false;
            while let Some(action) = self.node.next_action() {
                busy = true;
                if let Action::Connect(id) = action {
                    let node = self.node.upstreams[id.key as usize].node.0;
                    let asked = Asked {
                        conn: id,
                        decoder: Decoder::requests(self.node.options.security()),
                        bytes: Chain::new(),
                        waiting: VecDeque::new(),
                        unseen: Vec::new(),
                    };
                    self.asked.insert(node, asked);
                    self.node.connected(id, self.now);
                }
            }
            while let Some(id) = self.node.next_dirty() {
                busy = true;
                let mut bytes = Vec::new();
                self.node.transmit(id, self.now, &mut bytes);
                self.went_out(id, &bytes);
            }
            if !busy {
                return;
            }
        }
    }

    fn went_out(&mut self, id: ConnId, bytes: &[u8]) {
        if id.kind == Kind::Client {
            self.out.entry(id).or_default().extend_from_slice(bytes);
            return;
        }
        let node = self.node.upstreams[id.key as usize].node.0;
        let asked = self.asked.get_mut(&node).unwrap();
        self.pool.copy(bytes, &mut asked.bytes);
        let mut take = |wire_id, kind, payload: &[u8]| {
            let words: Vec<_> = request::arguments(payload)
                .map(|word| word.escape_ascii().to_string())
                .collect();
            asked.unseen.push(words.join(" "));
            asked.waiting.push_back((wire_id, kind, words.join(" ")));
        };
        if id.kind == Kind::Store {
            let mut parser = request::Parser::default();
            while let request::Status::Complete(found) = parser.find(&asked.bytes) {
                let payload = asked.bytes.split_to(found.len).to_vec();
                take(0, dnode::Kind::Request, &payload);
            }
            return;
        }
        while let Some(message) = asked.decoder.next(&mut asked.bytes, &self.pool).unwrap() {
            take(message.id, message.kind, &message.payload.to_vec());
        }
    }

    pub fn client(&mut self) -> ConnId {
        self.node.accepted(Kind::Client, None, self.now).unwrap()
    }

    /// A client sends these requests.
    pub fn asks(&mut self, client: ConnId, lines: &[&str]) {
        let bytes: Vec<u8> = lines.iter().flat_map(|line| encoded(line)).collect();
        let mut reader = &bytes[..];
        while !reader.is_empty() {
            self.node.receive(client, self.now, &mut reader);
        }
        self.turn();
    }

    /// What a client has got since it was looked at.
    pub fn hears(&mut self, client: ConnId) -> String {
        let bytes = self.out.remove(&client).unwrap_or_default();
        String::from_utf8(bytes).unwrap()
    }

    /// What was sent to a node since it was looked at.
    pub fn sees(&mut self, node: u16) -> Vec<String> {
        std::mem::take(&mut self.asked.get_mut(&node).unwrap().unseen)
    }

    /// Whether this node has a connection to that one.
    pub fn is_connected(&self, node: u16) -> bool {
        self.asked.contains_key(&node)
    }

    /// The kinds of the messages that wait for an answer of a node.
    pub fn kinds(&self, node: u16) -> Vec<dnode::Kind> {
        let waiting = self.asked.get(&node).map(|asked| &asked.waiting);
        let waiting = waiting.into_iter().flatten();
        waiting.map(|(_, kind, _)| *kind).collect()
    }

    /// A node answers its oldest request.
    pub fn says(&mut self, node: u16, reply: &str) {
        self.says_as(node, dnode::VERSION, reply);
    }

    /// The same by a node that writes this version into its replies.
    pub fn says_as(&mut self, node: u16, version: u32, reply: &str) {
        let asked = self.asked.get_mut(&node).unwrap();
        let (id, _, _) = asked.waiting.pop_front().expect("nothing was asked");
        asked.unseen.clear();
        let mut payload = Chain::new();
        self.pool.copy(reply.as_bytes(), &mut payload);
        let mut out = Chain::new();
        if asked.conn.kind == Kind::Store {
            out.append(&mut payload);
        } else {
            let header = dnode::Header {
                version,
                ..frame::header(dnode::Kind::Reply, id)
            };
            frame::plain(header, Raw::from(&payload), &self.pool, &mut out);
        }
        let (conn, bytes) = (asked.conn, out.to_vec());
        let mut reader = &bytes[..];
        while !reader.is_empty() {
            self.node.receive(conn, self.now, &mut reader);
        }
        self.turn();
    }

    /// The connection to a node is lost. It is not made again while the test does not let time pass.
    pub fn loses(&mut self, node: u16) {
        let conn = self.asked[&node].conn;
        let error = io::ErrorKind::ConnectionReset.into();
        self.node.broken(conn, self.now, &error);
        self.turn();
    }

    /// A client closes, or the node does.
    pub fn leaves(&mut self, client: ConnId) {
        let error = io::ErrorKind::ConnectionReset.into();
        self.node.broken(client, self.now, &error);
        self.turn();
    }

    /// Time passes.
    pub fn wait(&mut self, ms: u64) {
        self.now.mono_us += ms * 1000;
        self.now.wall_us += ms * 1000;
        self.node.tick(self.now);
        self.turn();
    }

    /// Nothing is under way and nothing is kept.
    #[track_caller]
    pub fn assert_at_rest(&self) {
        assert_eq!(self.node.msgs.len(), 0, "{:?}", self.node.msgs);
        assert!(self.node.collectors.is_empty());
    }
}

/// Which node stands where in these tests: the first is this one.
pub const ME: u16 = NodeId::ME.0;

/// Three racks of one node each.
pub const THREE_RACKS: [&str; 3] = ["a d r1 0", "b d r2 0", "c d r3 0"];

/// A key that this node of this node's rack owns.
pub fn key_of(rig: &Rig, node: u16) -> String {
    let owner = |key: &String| {
        let token = rig.node.token(key.as_bytes());
        rig.node.topology.owner(rig.node.topology.my_rack(), token)
    };
    let mut keys = (0..).map(|number| format!("key:{number}"));
    keys.find(|key| owner(key) == Some(NodeId(node))).unwrap()
}

/// How many nodes the cluster has.
pub fn member_count(rig: &Rig) -> u16 {
    rig.node.topology.nodes().len() as u16
}
