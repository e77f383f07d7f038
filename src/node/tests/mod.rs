//! One node among others that a test plays: it sees what the node sends to its datastore and to each
//! peer, and answers as it likes.

mod admission;
mod anew;
mod any_state;
mod arguments;
mod binary;
mod busy;
mod cards;
mod check;
mod clients;
mod control;
mod databases;
mod docs;
mod failover;
mod fanout;
mod ids;
mod limits;
mod members;
mod memcache;
mod memory;
mod native;
mod order;
mod own_order;
mod pacing;
mod patterns;
mod purge;
mod quorum;
mod refusals;
mod refused_multi;
mod reload;
mod replicate;
mod scripts;
mod versions;

use super::{Action, ConnId, Kind, Next, Node, Options};
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::cluster::member::Member;
use crate::cluster::topology::Topology;
use crate::config::Endpoint;
use crate::config::StoreKind;
use crate::hashkit::parse_list;
use crate::mbuf::{Chain, Pool, Raw};
use crate::node::frame;
use crate::proto::dnode::card::Field;
use crate::proto::dnode::{self, Card, Decoder};
use crate::proto::redis::{encode, inline, request};
use crate::proto::store::Requests;
use crate::proto::{Framer, Parse};
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
    /// What waits for an answer, by the place of the connection.
    asked: HashMap<u32, Asked>,
    /// Who takes nothing of what is written to it.
    deaf: Vec<ConnId>,
    /// What clients have sent and the node has not read.
    unread: HashMap<ConnId, Unread>,
    /// By how much the clock of each peer is ahead, in µs, and what else its card says.
    pub clocks: HashMap<u32, i64>,
    pub cards: HashMap<u32, Card>,
    /// Cards that the node has sent, not answered yet: place and id.
    asked_cards: Vec<(u32, u64)>,
    /// Cards are not answered until this ends.
    mute_cards: bool,
}

/// Bytes that come, and no end.
#[derive(Default)]
struct Unread(VecDeque<u8>);

impl io::Read for Unread {
    fn read(&mut self, room: &mut [u8]) -> io::Result<usize> {
        match self.0.read(room)? {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            n => Ok(n),
        }
    }
}

/// What takes no byte.
struct Full;

impl io::Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What takes so many bytes and no more.
struct Sip(usize);

impl io::Write for Sip {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match bytes.len().min(self.0) {
            0 => Err(io::ErrorKind::WouldBlock.into()),
            n => {
                self.0 -= n;
                Ok(n)
            }
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

struct Asked {
    conn: ConnId,
    decoder: Decoder<Requests>,
    /// Of requests in clear, to the datastore.
    parser: Requests,
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

/// A request as tests write it: its words, or its lines with `|` between them.
fn told(store: StoreKind, payload: &[u8]) -> String {
    match store {
        StoreKind::Redis => {
            let words = request::arguments(payload).map(|word| word.escape_ascii().to_string());
            words.collect::<Vec<_>>().join(" ")
        }
        StoreKind::Memcache => {
            let text = String::from_utf8(payload.to_vec()).unwrap();
            text.strip_suffix("\r\n").unwrap().replace("\r\n", "|")
        }
    }
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
            deaf: Vec::new(),
            unread: HashMap::new(),
            clocks: HashMap::new(),
            cards: HashMap::new(),
            asked_cards: Vec::new(),
            mute_cards: false,
        };
        rig.turn();
        let nodes = rig.node.topology.nodes().len() as u16;
        let peers: Vec<u16> = (1..nodes).filter(|node| rig.is_connected(*node)).collect();
        for node in peers {
            assert_eq!(rig.sees(node), [rig.probe()]);
            let version = if originals.contains(&node) {
                dnode::VERSION_ORIGINAL
            } else {
                dnode::VERSION
            };
            let reply = match rig.node.options.store {
                StoreKind::Redis => "+PONG\r\n",
                StoreKind::Memcache => "CLIENT_ERROR invalid numeric delta argument\r\n",
            };
            rig.says_as(node, version, reply);
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
                    let parser = Requests::new(self.node.options.store);
                    // Where this node refuses plaintext, its peers do not.
                    let mut security = self.node.options.security();
                    security.refuse_plaintext = false;
                    let asked = Asked {
                        conn: id,
                        decoder: Decoder::new(parser.clone(), security),
                        parser,
                        bytes: Chain::new(),
                        waiting: VecDeque::new(),
                        unseen: Vec::new(),
                    };
                    self.asked.insert(id.key, asked);
                    self.node.connected(id, self.now);
                }
                if let Action::Resume(id) = action {
                    self.hear_out(id);
                }
            }
            while let Some(id) = self.node.next_dirty() {
                busy = true;
                if self.deaf.contains(&id) {
                    self.node.transmit(id, self.now, &mut Full);
                    continue;
                }
                let mut bytes = Vec::new();
                self.node.transmit(id, self.now, &mut bytes);
                self.went_out(id, &bytes);
            }
            let cards = match self.mute_cards {
                true => Vec::new(),
                false => std::mem::take(&mut self.asked_cards),
            };
            for (place, id) in cards {
                busy = true;
                self.shows_card(place, id);
            }
            if !busy {
                return;
            }
        }
    }

    /// The peer at the other end of a connection answers a card with its own.
    fn shows_card(&mut self, place: u32, id: u64) {
        let Some(conn) = self.asked.get(&place).map(|asked| asked.conn) else {
            return;
        };
        let ahead = self.clocks.get(&place).copied().unwrap_or_default();
        let clock = self.now.wall_us.saturating_add_signed(ahead);
        let card = self.cards.get(&place).cloned().unwrap_or_default();
        let text = card.with(Field::Clock, clock.to_string()).encode();
        self.says_raw(conn, dnode::Kind::Card, id, dnode::VERSION, &text);
    }

    /// Bytes of a message of this kind come on a connection to a peer.
    fn says_raw(&mut self, conn: ConnId, kind: dnode::Kind, id: u64, version: u32, text: &[u8]) {
        let mut payload = Chain::new();
        self.pool.copy(text, &mut payload);
        let header = dnode::Header {
            version,
            ..frame::header(kind, id)
        };
        let mut out = Chain::new();
        frame::plain(header, Raw::from(&payload), &self.pool, &mut out);
        self.reads(conn, &out.to_vec());
    }

    /// The node reads these bytes from a connection.
    pub fn reads(&mut self, conn: ConnId, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.node.knows(conn) {
            self.node.receive(conn, self.now, &mut bytes);
        }
    }

    fn went_out(&mut self, id: ConnId, bytes: &[u8]) {
        if matches!(id.kind, Kind::Client | Kind::DnodeClient) {
            self.out.entry(id).or_default().extend_from_slice(bytes);
            return;
        }
        let asked = self.asked.get_mut(&id.key).unwrap();
        self.pool.copy(bytes, &mut asked.bytes);
        let (store, pool) = (self.node.options.store, &self.pool);
        let Asked {
            decoder,
            parser,
            bytes,
            waiting,
            unseen,
            ..
        } = asked;
        let mut take = |wire_id, kind, in_resp3, payload: &[u8]| {
            let text = told(store, payload);
            unseen.push(match in_resp3 {
                true => format!("in RESP3: {text}"),
                false => text.clone(),
            });
            waiting.push_back((wire_id, kind, text));
        };
        if id.kind == Kind::Store {
            while let Parse::Complete(request) = parser.find(bytes) {
                take(
                    0,
                    dnode::Kind::Request,
                    false,
                    &bytes.split_to(request.len).to_vec(),
                );
            }
            return;
        }
        while let Some(message) = decoder.next(bytes, pool).unwrap() {
            if message.kind == dnode::Kind::Card {
                self.asked_cards.push((id.key, message.id));
                continue;
            }
            let payload = message.payload.to_vec();
            take(message.id, message.kind, message.wants_resp3, &payload);
        }
    }

    /// What a new peer is asked.
    pub fn probe(&self) -> &'static str {
        match self.node.options.store {
            StoreKind::Redis => "PING",
            StoreKind::Memcache => "incr dynomite-peer -1",
        }
    }

    pub fn client(&mut self) -> ConnId {
        self.node.accepted(Kind::Client, None, self.now).unwrap()
    }

    /// A client sends these requests.
    pub fn asks(&mut self, client: ConnId, lines: &[&str]) {
        let store = self.node.options.store;
        let bytes = lines.iter().flat_map(|line| match store {
            StoreKind::Redis => encoded(line),
            StoreKind::Memcache => [line.as_bytes(), b"\r\n"].concat(),
        });
        self.unread.entry(client).or_default().0.extend(bytes);
        self.hear_out(client);
        self.turn();
    }

    /// Lets the node read what a client has sent, as far as it wants to.
    fn hear_out(&mut self, client: ConnId) {
        let unread = self.unread.entry(client).or_default();
        while self.node.knows(client)
            && self.node.receive(client, self.now, unread) != Next::Paused
            && !unread.0.is_empty()
        {}
    }

    /// A node that is deaf takes so many bytes of what is written to it.
    pub fn takes(&mut self, node: u16, bytes: usize) {
        let conn = self.asked(node).conn;
        self.node.transmit(conn, self.now, &mut Sip(bytes));
        self.turn();
    }

    /// What a client has got since it was looked at.
    pub fn hears(&mut self, client: ConnId) -> String {
        let bytes = self.out.remove(&client).unwrap_or_default();
        String::from_utf8(bytes).unwrap()
    }

    /// What was sent to a node since it was looked at.
    pub fn sees(&mut self, node: u16) -> Vec<String> {
        std::mem::take(&mut self.asked(node).unseen)
    }

    /// The same by the connection's place; nothing if there is none.
    pub fn sees_at(&mut self, place: u32) -> Vec<String> {
        let asked = self.asked.get_mut(&place);
        asked
            .map(|asked| std::mem::take(&mut asked.unseen))
            .unwrap_or_default()
    }

    /// The id of the latest connection in this place.
    pub fn conn_at(&self, place: u32) -> ConnId {
        self.asked[&place].conn
    }

    /// The place of the connection to a node, of the members to come if they have such a node.
    fn place(&self, node: u16) -> u32 {
        let coming = self.node.prepared.as_ref().map(|prepared| &prepared.links);
        let links = coming.map_or(self.node.upstreams.links(), |links| links);
        links[usize::from(node)].first().unwrap().key()
    }

    fn asked(&mut self, node: u16) -> &mut Asked {
        let place = self.place(node);
        self.asked.get_mut(&place).unwrap()
    }

    /// Whether this node has a connection to that one.
    pub fn is_connected(&self, node: u16) -> bool {
        self.asked.contains_key(&self.place(node))
    }

    /// The kinds of the messages that wait for an answer of a node.
    pub fn kinds(&self, node: u16) -> Vec<dnode::Kind> {
        let waiting = self
            .asked
            .get(&self.place(node))
            .map(|asked| &asked.waiting);
        let waiting = waiting.into_iter().flatten();
        waiting.map(|(_, kind, _)| *kind).collect()
    }

    /// A node answers its oldest request.
    pub fn says(&mut self, node: u16, reply: &str) {
        self.says_as(node, dnode::VERSION, reply);
    }

    /// The same by a node that writes this version into its replies.
    pub fn says_as(&mut self, node: u16, version: u32, reply: &str) {
        self.says_on(self.place(node), version, reply);
    }

    /// Who is at the other end of the connection in this place answers its oldest request.
    pub fn says_at(&mut self, place: u32, reply: &str) {
        self.says_on(place, dnode::VERSION, reply);
    }

    fn says_on(&mut self, place: u32, version: u32, reply: &str) {
        let asked = self.asked.get_mut(&place).unwrap();
        let (id, _, _) = asked.waiting.pop_front().expect("nothing was asked");
        asked.unseen.clear();
        let conn = asked.conn;
        if conn.kind == Kind::Store {
            self.reads(conn, reply.as_bytes());
        } else {
            self.says_raw(conn, dnode::Kind::Reply, id, version, reply.as_bytes());
        }
        self.turn();
    }

    /// The datastore answers its two oldest requests, with one write.
    pub fn says_both(&mut self, first: &str, second: &str) {
        let place = self.place(ME);
        let asked = self.asked.get_mut(&place).unwrap();
        asked.waiting.drain(..2);
        asked.unseen.clear();
        let conn = asked.conn;
        let bytes = [first, second].concat();
        let mut reader = bytes.as_bytes();
        while !reader.is_empty() {
            self.node.receive(conn, self.now, &mut reader);
        }
        self.turn();
    }

    /// The connection to a node is lost. It is not made again while the test does not let time pass.
    pub fn loses(&mut self, node: u16) {
        self.loses_at(self.place(node));
    }

    /// The same by the connection's place.
    pub fn loses_at(&mut self, place: u32) {
        // An idle one is made anew at once; that fails, too.
        loop {
            let conn = self.node.upstreams[place as usize].id;
            if !self.node.knows(conn) {
                break;
            }
            let error = io::ErrorKind::ConnectionReset.into();
            self.node.broken(conn, self.now, &error);
        }
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
        assert_eq!(
            self.node.flight.msgs.len(),
            0,
            "{:?}",
            self.node.flight.msgs
        );
        assert!(self.node.flight.judges.is_empty());
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
