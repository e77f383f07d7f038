//! The exchange of cards with peers ([`crate::proto::dnode::card`]), and what follows from them.
//!
//! A new connection to a peer that knows cards counts as there when its card has come: what must agree is
//! known before the first request is sent. From then on cards are exchanged every [`PERIOD_US`]; each
//! exchange is also a sample of the peer's clock.
//!
//! # Times of expiry and clocks
//!
//! For Redis, a relative expiry becomes absolute by this node's clock, so that the key expires on all replicas at the
//! same moment ([`super::replicate`]). That does harm where a replica's clock is off. So a replica gets an
//! absolute time only if its clock is known to be within a second of this node's
//! ([`crate::cluster::skew`]). Every other replica, and every C node, whose clock is unknown, gets a
//! relative time; the key then expires there later by as long as the request was under way.
//! A request for another datacenter is passed on there, so it has an absolute time only if all nodes of that
//! datacenter keep time. The datastore of this node is taken to have this node's clock. For memcached all
//! times stay relative.

use super::agreement::{Finding, Setting, differences, listed};
use super::flight::waiter::Waiter;
use super::ids::{FrontId, SlotId};
use super::msg::{Msg, NO_COMMAND};
use super::upstream::{Loss, State, Upstream, Wire};
use super::{Node, Options, frame};
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::cluster::skew::Skew;
use crate::cluster::topology::{Distance, Topology};
use crate::log_at;
use crate::mbuf::{Chain, Raw};
use crate::proto::dnode::card::Field;
use crate::proto::dnode::{self, Broken, Card, Message};
use crate::proto::redis::command::command;
use crate::proto::redis::relative::relative;
use crate::proto::redis::request;
use openssl::sha::sha256;
use std::fmt::Write;
use std::rc::Rc;

/// How often cards are exchanged on a connection, in µs.
pub const PERIOD_US: u64 = 10_000_000;
/// How long the members that two nodes see may differ before it is said, in µs: a change of members does
/// not reach all nodes at once.
const RING_PATIENCE_US: u64 = 60_000_000;

/// The cards of a node.
#[derive(Default)]
pub(super) struct Cards {
    /// This node's own card, without the clock.
    pub own: Card,
    /// Some peer's clock has come into step or left it, or peers have changed.
    restep: bool,
}

/// What is known of the peer at the other end of a connection.
#[derive(Default)]
pub(super) struct Exchange {
    /// Its latest card.
    pub card: Option<Rc<Card>>,
    /// Its clock.
    pub skew: Option<Skew>,
    /// Its clock keeps step with this node's, as far as it is known.
    in_step: bool,
    /// All clocks behind it that a request may reach do: it may be sent absolute times.
    pub takes_absolute: bool,
    /// A card was sent on this connection.
    pub asked: bool,
    /// The id of the card that the peer has not answered yet. There is only one at a time.
    unanswered: Option<u64>,
    /// When the next card is due, in µs.
    next_at: u64,
    /// What does not match.
    findings: Vec<Finding>,
    /// Since when it has seen other members.
    ring_since: Option<u64>,
    /// Why there is no connection. Stays until there is one.
    pub trouble: Option<Finding>,
    /// Something has been read on this connection.
    pub heard: bool,
}

impl Exchange {
    /// Forgets what belongs to one connection.
    pub fn reset(&mut self) {
        self.card = None;
        self.asked = false;
        self.unanswered = None;
        self.skew = None;
        self.findings.clear();
        self.heard = false;
    }

    /// What does not match, and why there is no connection.
    pub fn all_findings(&self) -> impl Iterator<Item = &Finding> {
        self.trouble.iter().chain(&self.findings)
    }
}

/// What a node says of itself.
pub(super) fn own_card(options: &Options, topology: &Topology) -> Card {
    let tag = options.hash_tag.map(|tag| tag.escape_ascii().to_string());
    let pem = options.key_pair.as_ref().map(|pair| pair.fingerprint());
    let card = Card::default()
        .with(Field::Program, env!("CARGO_PKG_VERSION"))
        .with(Field::Hash, options.hash.name())
        .with(Field::HashTag, tag.unwrap_or_default())
        .with(Field::MbufSize, options.mbuf_size.to_string())
        .with(Field::DataStore, options.store.name())
        .with(Field::Secure, options.secure_server_option.name())
        .with(Field::Pem, pem.unwrap_or_default())
        .with(Field::Ring, ring_digest(topology))
        .with(Field::Nodes, topology.nodes().len().to_string())
        .with(Field::Stats, options.stats_listen.as_str());
    match topology.node(NodeId::ME) {
        Some(me) => card
            .with(Field::Datacenter, me.member.dc.as_str())
            .with(Field::Rack, me.member.rack.as_str())
            .with(Field::Tokens, listed(&me.member.tokens)),
        None => card,
    }
}

/// A digest of where all members are and which tokens they have, the same for any order and their
/// addresses, which nodes may know by different names.
fn ring_digest(topology: &Topology) -> String {
    let places = topology.nodes().iter().map(|node| {
        let member = &node.member;
        format!("{}\n{}\n{}", member.dc, member.rack, listed(&member.tokens))
    });
    let mut places: Vec<String> = places.collect();
    places.sort_unstable();
    short_digest(places.join("\n\n").as_bytes())
}

/// The first 64 bits of a SHA-256, in hexadecimal.
fn short_digest(bytes: &[u8]) -> String {
    let mut text = String::new();
    for byte in sha256(bytes).iter().take(8) {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The settings by which a node decides where a key is; `None` if the card lacks one.
pub(super) fn placement_of(card: &Card) -> Option<[&str; 4]> {
    Some([
        card.get(Field::Ring)?,
        card.get(Field::Hash)?,
        card.get(Field::HashTag)?,
        card.get(Field::DataStore)?,
    ])
}

/// What speaks in this way, if it is known and no node's `dyn_listen`.
fn protocol_of(first: &[u8]) -> Option<&'static str> {
    let begins = |words: &[&[u8]]| words.iter().any(|word| first.starts_with(word));
    if begins(&[b"ERROR\r", b"CLIENT_ERROR", b"SERVER_ERROR", b"END\r"]) {
        Some("memcached's protocol")
    } else if begins(&[b"-", b"+", b":", b"*", b"$-"]) {
        Some("Redis' protocol")
    } else if begins(&[b"HTTP/"]) {
        Some("HTTP")
    } else if begins(&[b"SSH-"]) {
        Some("SSH")
    } else if begins(&[b"\x15\x03", b"\x16\x03"]) {
        Some("TLS")
    } else {
        None
    }
}

impl Node {
    /// What this node says of itself has changed.
    pub(super) fn renew_card(&mut self) {
        self.cards.own = own_card(&self.options, &self.topology);
        self.cards.restep = true;
        // The peers compare it with what they see.
        for peer in self.upstreams.iter_mut() {
            peer.exchange.next_at = 0;
        }
        self.restep();
    }

    /// Writes what a front has to say at the end of the turn.
    fn flush_front(&mut self, key: FrontId) {
        if let Some(front) = self.fronts.get_mut(key) {
            front.flush(&mut self.out);
        }
    }

    /// A card for the peer at the other end of a connection.
    fn card_for(&self, slot: SlotId, now: Now) -> Vec<u8> {
        let card = self.cards.own.clone();
        let card = card.with(Field::Clock, now.wall_us.to_string());
        let node = self.upstreams.get(slot).map(|peer| peer.node);
        let Some(node) = node.and_then(|node| self.topology.node(node)) else {
            return card.encode();
        };
        card.with(Field::YourDatacenter, node.member.dc.as_str())
            .with(Field::YourRack, node.member.rack.as_str())
            .with(Field::YourTokens, listed(&node.member.tokens))
            .encode()
    }

    /// Sends this node's card to a peer that knows cards, which answers with its own.
    pub(super) fn send_card(&mut self, slot: SlotId, now: Now) {
        let text = self.card_for(slot, now);
        let id = self.next_wire_id();
        let Some(peer) = self.upstreams.get_mut(slot) else {
            return;
        };
        peer.exchange.next_at = now.mono_us + PERIOD_US;
        peer.exchange.asked = true;
        peer.exchange.unanswered = Some(id);
        let same_dc = peer.distance.is_same_dc();
        let Wire::Peer(wire) = &mut peer.wire else {
            return;
        };
        let header = dnode::Header {
            same_dc,
            ..frame::header(dnode::Kind::Card, id)
        };
        let (mut payload, mut out) = (Chain::new(), Chain::new());
        self.pool.copy(&text, &mut payload);
        if wire.is_sealed() {
            if !wire.encrypt(header, Raw::from(&payload), &self.pool, &mut out) {
                return self.lose_upstream(slot, now, Loss::Error);
            }
        } else {
            frame::plain(header, Raw::from(&payload), &self.pool, &mut out);
        }
        let mut msg = Msg::new(Waiter::Nobody, NO_COMMAND, text.len(), now.mono_us);
        msg.wire_id = id;
        let entry = self.flight.insert(msg);
        self.put_upstream(slot, entry, now, Raw::from(&out));
    }

    /// Sends cards that are due. A peer that has not answered the last one gets none: each would wait in the
    /// queue of the connection.
    pub(super) fn send_cards(&mut self, now: Now) {
        for slot in self.upstreams.slots() {
            let due = self.upstreams.get(slot).is_some_and(|peer| {
                let is_up = peer.is_up() && !peer.renewing;
                let exchange = &peer.exchange;
                let is_free = exchange.card.is_some() && exchange.unanswered.is_none();
                is_up && is_free && exchange.next_at <= now.mono_us
            });
            if due && !self.is_draining() {
                self.send_card(slot, now);
            }
        }
        self.restep();
    }

    /// Answers a peer's card with this node's.
    pub(super) fn answer_card(&mut self, key: FrontId, now: Now, message: &Message<impl Sized>) {
        let card = Card::parse(&message.payload.to_vec());
        let own = self.cards.own.clone();
        let text = own.with(Field::Clock, now.wall_us.to_string()).encode();
        let mut payload = Chain::new();
        self.pool.copy(&text, &mut payload);
        let Some(peer) = self.fronts.peer_mut(key) else {
            return;
        };
        peer.card = Some(Box::new(card));
        if peer.front.lost {
            return;
        }
        let header = frame::header(dnode::Kind::Card, message.id);
        if !peer.send(header, Raw::from(&payload), &self.pool) {
            return self.close_front(key, false);
        }
        self.flush_front(key);
    }

    /// A peer's messages cannot be read. A peer that knows cards gets the reason before the connection
    /// closes. Otherwise `false`.
    pub(super) fn refuse_peer(&mut self, key: FrontId, broken: Broken) -> bool {
        let mut payload = Chain::new();
        let card = Card::default().with(Field::Refused, broken.to_string());
        self.pool.copy(&card.encode(), &mut payload);
        let Some(peer) = self.fronts.peer_mut(key) else {
            return false;
        };
        if !peer.knows_cards() || peer.front.lost || !peer.front.queue.is_empty() {
            return false;
        }
        let header = frame::header(dnode::Kind::Card, 0);
        frame::plain(header, Raw::from(&payload), &self.pool, &mut peer.front.out);
        peer.front.broken = true;
        peer.front.inbound.clear();
        peer.front.stop();
        self.flush_front(key);
        true
    }

    /// Looks at the first bytes of a new connection. `false` if they show that no node is at its other
    /// end; it is closed then.
    pub(super) fn is_node(&mut self, slot: SlotId, now: Now, data: &Chain) -> bool {
        let Some(peer) = self.upstreams.get_mut(slot) else {
            return false;
        };
        if std::mem::replace(&mut peer.exchange.heard, true) {
            return true;
        }
        let mut first = [0; 16];
        let len = data.gather(0, &mut first);
        let Some(protocol) = protocol_of(first.get(..len).unwrap_or_default()) else {
            return true;
        };
        let text = format!(
            "{} speaks {protocol}, not the protocol between nodes: an entry of dyn_seeds needs the port of the node's dyn_listen",
            peer.endpoint
        );
        self.note_trouble(slot, Finding::new(Setting::Address, text));
        self.lose_upstream(slot, now, Loss::Nonsense);
        false
    }

    /// A peer's card has come: the answer to this node's, or why the peer closes the connection.
    pub(super) fn card_received(&mut self, slot: SlotId, now: Now, message: &Message<impl Sized>) {
        let card = Card::parse(&message.payload.to_vec());
        if let Some(reason) = card.get(Field::Refused) {
            let setting = match reason.contains("plaintext") || reason.contains("no pem_key_file") {
                true => Setting::Secure,
                false => Setting::Pem,
            };
            let text = format!("it refuses this node's messages: {reason}");
            return self.note_trouble(slot, Finding::new(setting, text));
        }
        let Some(peer) = self.upstreams.get_mut(slot) else {
            return;
        };
        // Another message may have this id, but no request that this could answer.
        if peer.exchange.unanswered != Some(message.id) {
            if let Wire::Peer(wire) = &mut peer.wire {
                wire.unasked += 1;
            }
            return;
        }
        let Some(entry) = peer.take(&mut self.flight.msgs, message.id) else {
            return;
        };
        peer.exchange.unanswered = None;
        peer.heard = now.mono_us;
        let start = self.flight.get(entry).map_or(now.mono_us, |msg| msg.start);
        self.flight.leave_queue(entry);
        self.flight.retire(entry);
        if let Some(wall_us) = card.clock_us() {
            let sample = Skew::of(start, now.mono_us, wall_us);
            let known = peer.exchange.skew;
            peer.exchange.skew = Some(known.map_or(sample, |known| known.and(sample)));
        }
        peer.exchange.card = Some(Rc::new(card));
        peer.exchange.trouble = None;
        self.compare(slot, now);
        self.peer_known(slot, now);
    }

    /// The peer sends no card: it is a C node, or an older version of this program.
    pub(super) fn peer_has_no_card(&mut self, slot: SlotId) {
        if let Some(peer) = self.upstreams.get_mut(slot) {
            peer.exchange.trouble = None;
            self.cards.restep |= std::mem::take(&mut peer.exchange.in_step);
        }
        self.restep();
    }

    /// Works out what does not match between this node and a peer, and says what is new.
    fn compare(&mut self, slot: SlotId, now: Now) {
        let Some(peer) = self.upstreams.get(slot) else {
            return;
        };
        let Some(card) = &peer.exchange.card else {
            return;
        };
        // A node that is still to become a member is listed nowhere yet.
        let member = self.topology.node(peer.node).map(|node| &node.member);
        let mut found = member.map_or_else(Vec::new, |member| {
            differences(&self.cards.own, card, member)
        });
        let mut ring_since = peer.exchange.ring_since;
        let sees = |card: &Card| card.get(Field::Ring).map(str::to_owned);
        if sees(card).is_none_or(|ring| sees(&self.cards.own) == Some(ring)) {
            ring_since = None;
        } else if now.mono_us - *ring_since.get_or_insert(now.mono_us) >= RING_PATIENCE_US {
            let count = |card: &Card| card.get(Field::Nodes).unwrap_or("?").to_owned();
            let text = format!(
                "it sees other members than this node ({} there, {} here), or other racks or tokens of them",
                count(card),
                count(&self.cards.own)
            );
            found.push(Finding::new(Setting::Ring, text));
        }
        let known = &peer.exchange.findings;
        let was_off = known.iter().any(|known| known.setting == Setting::Clock);
        let off = peer.exchange.skew.filter(|skew| skew.is_off(now, was_off));
        if let Some(skew) = off {
            let offset = skew.offset_us(now);
            let way = if offset < 0 { "behind" } else { "ahead of" };
            let seconds = offset.unsigned_abs() as f64 / 1e6;
            let text = format!("its clock is {seconds:.1} s {way} this node's");
            found.push(Finding::new(Setting::Clock, text));
        }
        let in_step = peer.exchange.skew.is_some() && off.is_none();
        let name = peer_name(peer, member);
        let Some(peer) = self.upstreams.get_mut(slot) else {
            return;
        };
        self.cards.restep |= peer.exchange.in_step != in_step;
        peer.exchange.in_step = in_step;
        peer.exchange.ring_since = ring_since;
        let before = std::mem::replace(&mut peer.exchange.findings, found);
        let after = &peer.exchange.findings;
        let has =
            |all: &[Finding], one: &Finding| all.iter().any(|other| other.setting == one.setting);
        for new in after.iter().filter(|new| !has(&before, new)) {
            if new.setting.misplaces() {
                log_at!(Alert, "peer {name}: {}", new.text);
            } else {
                log_at!(Warn, "peer {name}: {}", new.text);
            }
        }
        for old in before.iter().filter(|old| !has(after, old)) {
            log_at!(Notice, "peer {name}: {} matches again", old.setting.name());
        }
        self.restep();
    }

    /// Works out anew which peers may be sent absolute times.
    fn restep(&mut self) {
        if !std::mem::take(&mut self.cards.restep) {
            return;
        }
        let in_step: Vec<bool> = (0..self.topology.nodes().len() as u16)
            .map(|node| {
                let all = self.upstreams.to(NodeId(node));
                node == NodeId::ME.0 || all.iter().any(|peer| peer.exchange.in_step)
            })
            .collect();
        let mut dcs = vec![true; self.topology.dcs().len()];
        for (node, in_step) in self.topology.nodes().iter().zip(&in_step) {
            if let Some(dc) = dcs.get_mut(node.dc.index()) {
                *dc &= in_step;
            }
        }
        for peer in self.upstreams.iter_mut() {
            let dc = self.topology.node(peer.node).map(|node| node.dc.index());
            let dc = dc.and_then(|dc| dcs.get(dc)).copied().unwrap_or(false);
            peer.exchange.takes_absolute =
                peer.exchange.in_step && (peer.distance != Distance::OtherDc || dc);
        }
    }

    /// A request whose time was made absolute by this node's clock, with one that counts from now, and the
    /// row of its command. `None` if there is no such time in it.
    #[cold]
    pub(super) fn relative(&self, row: u16, raw: Raw<'_>, now: Now) -> Option<(u16, Chain)> {
        raw.with_bytes(|bytes| {
            let args: Vec<&[u8]> = request::arguments(bytes).collect();
            let changed = relative(command(row)?, &args, now.unix_millis())?;
            Some((changed.command.index(), self.encoded(&changed)))
        })
    }

    /// Notes why a connection to a peer does not come up, and says so if it is new.
    pub(super) fn note_trouble(&mut self, slot: SlotId, finding: Finding) {
        let Some(peer) = self.upstreams.get_mut(slot).filter(|peer| !peer.is_store()) else {
            return;
        };
        let known = peer.exchange.trouble.replace(finding.clone());
        if known.as_ref() == Some(&finding) {
            return;
        }
        let Some(peer) = self.upstreams.get(slot) else {
            return;
        };
        let member = self.topology.node(peer.node).map(|node| &node.member);
        let name = peer_name(peer, member);
        match finding.setting {
            Setting::Connection => log_at!(Notice, "peer {name}: {}", finding.text),
            _ => log_at!(Warn, "peer {name}: {}", finding.text),
        }
    }

    /// A connection to a peer is given up because the peer answers nothing.
    pub(super) fn note_silent(&mut self, slot: SlotId) {
        if self
            .upstreams
            .get(slot)
            .is_some_and(|peer| !peer.is_store())
        {
            let text = "it accepts connections and answers nothing: it hangs, or the port is not that of its dyn_listen";
            self.note_trouble(slot, Finding::new(Setting::Connection, text));
        }
    }

    /// What a peer has sent cannot be read.
    pub(super) fn note_unreadable(&mut self, slot: SlotId, broken: Broken) {
        let setting = match broken {
            Broken::Decrypt => Setting::MbufSize,
            Broken::KeyUnwrap | Broken::KeyLength { .. } => Setting::Pem,
            Broken::NoKeyFile => Setting::Secure,
            _ => Setting::Connection,
        };
        let text = format!("its answers cannot be read: {broken}");
        self.note_trouble(slot, Finding::new(setting, text));
    }

    /// A connection to a peer is lost for this reason. What is known better is kept.
    pub(super) fn note_lost(&mut self, slot: SlotId, why: &str) {
        let Some(peer) = self.upstreams.get(slot).filter(|peer| !peer.is_store()) else {
            return;
        };
        let trouble = peer.exchange.trouble.as_ref();
        if trouble.is_some_and(|trouble| trouble.setting != Setting::Connection)
            && peer.state.is_connected()
        {
            return;
        }
        let text = match peer.state {
            State::Handshake if peer.is_encrypted() => format!(
                "it closed a new connection without an answer ({why}): either the port is not that of its dyn_listen, or it cannot read what this node encrypts; compare pem_key_file and secure_server_option of both"
            ),
            State::Handshake => format!(
                "it closed a new connection without an answer ({why}): either the port is not that of its dyn_listen, or it requires encryption, which secure_server_option of this node does not provide"
            ),
            State::Up => format!("the connection was lost: {why}"),
            _ => format!("it cannot be reached: {why}"),
        };
        let setting = match peer.state {
            State::Handshake => Setting::Address,
            _ => Setting::Connection,
        };
        self.note_trouble(slot, Finding::new(setting, text));
    }
}

/// A peer as messages name it: `10.0.0.2:8101 (rack rack1, datacenter dc1)`.
fn peer_name(peer: &Upstream, member: Option<&crate::cluster::member::Member>) -> String {
    match member {
        Some(member) => format!(
            "{} (rack {}, datacenter {})",
            peer.endpoint, member.rack, member.dc
        ),
        None => peer.endpoint.to_string(),
    }
}
