//! Connections from peers: from their messages to requests.
//!
//! A peer's request of type 3 is run on this node's datastore, whichever node owns its key; one of type 4 is
//! sent to the owner in every rack of this datacenter, and answered with this rack's reply. Each is
//! answered exactly once, with its id, in order but for what must not wait behind a script ([`super::busy`]). A request
//! that cannot be served gets an error line, never a closed connection.

use super::ask::{Ask, command_of};
use super::flight::waiter::Waiter;
use super::front::Front;
use super::ids::{FrontId, ReqId};
use super::many::Several;
use super::msg::{Flags, Msg, NO_COMMAND};
use super::native::is_native;
use super::peer::OLD_PROBE;
use super::plan::redis;
use super::plan::{Asker, Plan, Why};
use super::{ConnId, Next, Node, Options, frame};
use crate::clock::Now;
use crate::hashkit::Token;
use crate::log_at;
use crate::mbuf::{Chain, Pool, Raw};
use crate::proto::dnode::{self, Card, Header, Kind, Message, VERSION_CARDS, VERSION_MODERN};
use crate::proto::legacy;
use crate::proto::redis::command::{Class, command};
use crate::proto::redis::request;
use crate::proto::store::{RequestShape, Requests, Shape};
use std::io::Read;
use std::net::SocketAddr;

/// A connection from a peer.
pub(super) struct DnodeClient {
    pub front: Front,
    decoder: dnode::Decoder<Requests>,
    /// The bit of its latest request; replies repeat it.
    same_dc: bool,
    /// A message of its was encrypted: then all replies are.
    sealed: bool,
    /// The version in its latest request.
    version: u32,
    /// Its latest request wants a reply in RESP3.
    wants_resp3: bool,
    /// The card it has sent.
    pub card: Option<Box<Card>>,
}

impl DnodeClient {
    pub fn new(id: ConnId, addr: Option<SocketAddr>, now: Now, options: &Options) -> DnodeClient {
        DnodeClient {
            front: Front::new(id, addr, now),
            decoder: dnode::Decoder::requests(options.store, options.security()),
            same_dc: true,
            sealed: false,
            version: dnode::VERSION_ORIGINAL,
            wants_resp3: false,
            card: None,
        }
    }

    /// Returns true if the peer reads cards, by the header of its latest message, also of one that cannot be read.
    pub fn knows_cards(&self) -> bool {
        self.decoder.version() >= VERSION_CARDS
    }

    /// Returns true if the peer matches replies by their ids; a C node expects them in the order of its requests.
    pub fn is_modern(&self) -> bool {
        self.version >= VERSION_MODERN
    }

    /// Returns true if the peer's latest request came from another datacenter; such requests may have to be forwarded.
    pub fn is_of_other_dc(&self) -> bool {
        !self.same_dc
    }

    /// Puts a reply to the request with this id into the output. `false` if it cannot be encrypted.
    pub fn reply(&mut self, id: u64, raw: Raw<'_>, pool: &Pool) -> bool {
        let padded = if raw.first_byte() == Some(b'-') && self.version < VERSION_MODERN {
            let mut chain = Chain::new();
            raw.append_to(&mut chain);
            Some(legacy::redis::pad_error(chain, pool))
        } else {
            None
        };
        let raw = padded.as_ref().map_or(raw, Raw::from);
        self.send(frame::header(Kind::Reply, id), raw, pool)
    }

    /// Puts a message into the output. `false` if it cannot be encrypted.
    pub fn send(&mut self, header: Header, raw: Raw<'_>, pool: &Pool) -> bool {
        let header = Header {
            same_dc: self.same_dc,
            ..header
        };
        let out = &mut self.front.out;
        if !self.sealed {
            frame::plain(header, raw, pool, out);
            return true;
        }
        self.decoder
            .session()
            .is_some_and(|cipher| frame::sealed(header, raw, cipher, None, pool, out))
    }
}

/// Returns true if the first message on a connection is the probe that an earlier version of this program sends.
/// Behind another message, or from a C node, it is a client's request for that key.
fn is_old_probe(message: &Message<Shape>) -> bool {
    let (question, _) = OLD_PROBE;
    message.kind == Kind::Request
        && message.version >= VERSION_MODERN
        && message.payload.len() == question.len()
        && message.payload.to_vec() == question
}

impl Node {
    /// Answers the probe of an earlier version.
    fn answer_old_probe(&mut self, key: FrontId, now: Now, id: u64) {
        self.note_request(key);
        if let Some(entry) = self.enqueue_peer(key, now, id, None, 0) {
            self.finish(entry, now, OLD_PROBE.1);
        }
    }

    /// Reads from a peer once and serves what is complete.
    pub(super) fn receive_dnode_client(
        &mut self,
        key: FrontId,
        now: Now,
        reader: &mut impl Read,
    ) -> Next {
        if let Some(next) = self.read_paused(key, now) {
            return next;
        }
        let Some(peer) = self.fronts.peer_mut(key) else {
            return Next::Wait;
        };
        let expected = peer.decoder.expected(peer.front.inbound.len());
        let fill = match peer
            .front
            .inbound
            .fill(&self.pool, &mut self.shared, expected, reader)
        {
            Ok(fill) => fill,
            Err(error) => return self.read_failed(key, &error),
        };
        if fill.bytes == 0 {
            self.front_ended(key);
            return Next::Paused;
        }
        peer.front.heard = now.mono_us;
        let mut data = fill.data;
        while let Some(peer) = self.fronts.peer_mut(key) {
            match peer.decoder.next(&mut data, &self.pool) {
                Ok(Some(message)) => {
                    peer.same_dc = message.same_dc;
                    peer.sealed |= message.encrypted;
                    peer.version = message.version;
                    peer.wants_resp3 = message.wants_resp3;
                    let is_first = !peer.front.has_asked;
                    if is_first && is_old_probe(&message) {
                        self.answer_old_probe(key, now, message.id);
                    } else {
                        self.serve_peer(key, now, &message);
                    }
                }
                Ok(None) => break,
                Err(broken) => {
                    log_at!(
                        Alert,
                        "{} sent what cannot be read ({broken}), closing",
                        peer.front.id
                    );
                    if !self.refuse_peer(key, broken) {
                        self.close_front(key, false);
                    }
                    return Next::Wait;
                }
            }
        }
        self.keep_rest(key, data, fill.full)
    }

    /// Notes that a peer has sent a complete request.
    fn note_request(&mut self, key: FrontId) {
        if let Some(front) = self.fronts.get_mut(key) {
            front.has_asked = true;
        }
    }

    /// Serves one message of a peer.
    fn serve_peer(&mut self, key: FrontId, now: Now, message: &Message<Shape>) {
        let forward = match message.kind {
            Kind::Request => false,
            Kind::Forward => true,
            Kind::Card => return self.answer_card(key, now, message),
            Kind::Gossip | Kind::Reply | Kind::Other(_) => return,
        };
        self.note_request(key);
        let raw = Raw::from(&message.payload);
        match message.shape {
            Shape::Redis(shape) => self.serve_peer_redis(key, now, message.id, forward, shape, raw),
            Shape::Memcache(request) => {
                self.serve_peer_memcache(key, now, message.id, forward, request, raw);
            }
            Shape::Unknown => {}
        }
    }

    /// Serves a request to Redis.
    fn serve_peer_redis(
        &mut self,
        key: FrontId,
        now: Now,
        id: u64,
        forward: bool,
        shape: RequestShape,
        raw: Raw<'_>,
    ) {
        let cx = self.plan_cx(self.peer_asker(key, forward));
        let plan = redis::at_sight(&cx, command_of(raw, shape.name), shape.argc);
        match plan {
            Some(Plan::Keyed(route, _)) => {
                let token = self.token_of(raw, shape.first);
                self.serve_peer_ask(key, now, id, true, &Ask { route, token, raw });
            }
            Some(Plan::Store(route, _)) => {
                let token = Token::default();
                self.serve_peer_ask(key, now, id, false, &Ask { route, token, raw });
            }
            Some(Plan::Refuse(why)) => self.refuse_peer_redis(key, now, id, why, &[], raw),
            _ => raw.with_bytes(|bytes| {
                request::with_arguments(bytes, |args| {
                    self.serve_peer_args(key, now, id, forward, args, raw);
                });
            }),
        }
    }

    /// Serves a peer's request that is not divided.
    #[inline]
    pub(super) fn serve_peer_ask(
        &mut self,
        key: FrontId,
        now: Now,
        id: u64,
        forward: bool,
        ask: &Ask<'_>,
    ) {
        if let Some(entry) = self.enqueue_peer(key, now, id, Some(ask), ask.raw.len()) {
            self.place_peer(entry, key, now, forward, ask);
        }
    }

    /// Answers a peer's request with an error.
    fn refuse_peer_redis(
        &mut self,
        key: FrontId,
        now: Now,
        id: u64,
        why: Why,
        args: &[&[u8]],
        raw: Raw<'_>,
    ) {
        let mut out = Vec::new();
        why.write(args, &mut out);
        if let Some(entry) = self.enqueue_peer(key, now, id, None, raw.len()) {
            self.finish(entry, now, &out);
        }
    }

    /// A peer as the asker of a request; `forward`: they are for the owners in this datacenter.
    #[inline]
    pub(super) fn peer_asker(&self, key: FrontId, forward: bool) -> Asker {
        Asker::Peer {
            forward,
            is_modern: self.fronts.peer(key).is_some_and(DnodeClient::is_modern),
        }
    }

    /// Serves a peer's request whose arguments have to be looked at.
    fn serve_peer_args(
        &mut self,
        key: FrontId,
        now: Now,
        id: u64,
        forward: bool,
        args: &[&[u8]],
        raw: Raw<'_>,
    ) {
        let mut keys = std::mem::take(&mut self.keys);
        let cx = self.plan_cx(self.peer_asker(key, forward));
        let plan = redis::plan(&cx, args, &mut keys);
        let token = keys.first();
        match plan {
            Plan::Keyed(route, _) | Plan::Store(route, _) | Plan::Split(route) => {
                let ask = Ask { route, token, raw };
                if let Some(command) = command(route.row) {
                    self.note_script(command, args);
                    self.watch_script(command, now);
                    if matches!(plan, Plan::Split(_)) {
                        let several = Several {
                            command,
                            args,
                            keys: &keys,
                        };
                        self.split_forwarded(key, now, id, &ask, &several);
                    } else {
                        let forward = matches!(plan, Plan::Keyed(..));
                        self.serve_peer_ask(key, now, id, forward, &ask);
                    }
                }
            }
            Plan::Refuse(why) => self.refuse_peer_redis(key, now, id, why, args, raw),
            // A peer's request has no such plan.
            _ => {}
        }
        self.keys = keys;
    }

    /// A message for a peer's request, in the peer's queue.
    pub(super) fn enqueue_peer(
        &mut self,
        key: FrontId,
        now: Now,
        id: u64,
        ask: Option<&Ask<'_>>,
        len: usize,
    ) -> Option<ReqId> {
        let peer = self.fronts.peer_mut(key)?;
        let mut msg = Msg::new(
            Waiter::front(key),
            ask.map_or(NO_COMMAND, |ask| ask.route.row),
            len,
            now.mono_us,
        );
        msg.front_id = id;
        if let Some(ask) = ask {
            msg.set_token(ask.token);
        }
        msg.flags = ask.map_or(Flags::default(), |ask| ask.route.flags);
        if ask.is_some_and(|ask| ask.route.class == Class::Write) {
            msg.flags = msg.flags.with(Flags::WRITE);
        }
        if peer.wants_resp3 && ask.is_some_and(|ask| is_native(ask.route.row)) {
            msg.flags = msg.flags.with(Flags::IN_RESP3);
        }
        let entry = self.flight.insert(msg);
        peer.front.queue.push(&mut self.flight.msgs, entry);
        Some(entry)
    }
}
