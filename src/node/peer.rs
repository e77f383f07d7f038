//! Connections to peers: from their replies to answers.

use super::flight::waiter::Waiter;
use super::ids::{ReqId, SlotId};
use super::msg::{Msg, NO_COMMAND};
use super::upstream::{Loss, Upstream, Wire};
use super::{Next, Node, Options, frame, limits};
use crate::clock::Now;
use crate::config::StoreKind;
use crate::log_at;
use crate::mbuf::{Chain, Pool, Raw};
use crate::proto::dnode::{
    self, Cipher, Header, KeyPair, Security, SessionKey, VERSION_CARDS, VERSION_MODERN,
    VERSION_ORIGINAL, WrappedKey,
};
use crate::proto::store::Replies;
use std::io::Read;
use std::rc::Rc;

/// The question of the handshake with a peer: every C node answers it, and shows by the version in its answer
/// that it is one.
///
/// A C node passes it on to its datastore, where it must not count as anything. memcached refuses an `incr` whose
/// amount is no number before it looks for the key (1.6.18, observed); one of our nodes refuses it itself.
fn probe(store: StoreKind) -> &'static [u8] {
    match store {
        StoreKind::Redis => b"*1\r\n$4\r\nPING\r\n",
        StoreKind::Memcache => b"incr dynomite-peer -1\r\n",
    }
}

/// What earlier versions of this program ask a peer in front of a memcached for, and the answer to it. Nothing is
/// stored there by them; the datastore would count a miss for each connection.
pub(super) const OLD_PROBE: (&[u8], &[u8]) = (b"get dynomite-peer\r\n", b"END\r\n");

/// The peers' protocol on one connection that this node has made.
pub(super) struct PeerWire {
    decoder: dnode::Decoder<Replies>,
    security: Security,
    store: StoreKind,
    secret: Option<Secret>,
    /// The version in the peer's latest reply; until there is one, it may be a C node.
    pub version: u32,
    /// Replies to no request of this node.
    pub unasked: u32,
}

/// The encryption of one connection. Fresh after each connect.
struct Secret {
    cipher: Cipher,
    /// The session key as the peer gets it, until it has been sent.
    wrapped: Option<Box<WrappedKey>>,
}

impl PeerWire {
    pub fn new(options: &Options) -> PeerWire {
        // Replies are in clear where requests are, and only the address shows which peer it is.
        let (mut security, store) = (options.security(), options.store);
        security.refuse_plaintext = false;
        PeerWire {
            decoder: dnode::Decoder::replies(store, security.clone()),
            security,
            store,
            secret: None,
            version: VERSION_ORIGINAL,
            unasked: 0,
        }
    }

    /// Forgets the connection, and what the peer is: it may be a C node next time, and a C node must
    /// never be sent what it does not know.
    pub fn reset(&mut self) {
        self.decoder = dnode::Decoder::replies(self.store, self.security.clone());
        self.secret = None;
        self.version = VERSION_ORIGINAL;
        self.unasked = 0;
    }

    /// Makes a session key, for a connection that is to be encrypted.
    pub fn seal(&mut self, key_pair: &Rc<KeyPair>) -> Result<(), String> {
        let failed = |error| format!("no session key: {error}");
        let key = SessionKey::random().map_err(failed)?;
        let wrapped = key_pair.wrap(&key).map_err(failed)?;
        let cipher = Cipher::new(&key, self.security.mbuf_size).map_err(failed)?;
        self.decoder
            .set_session(&key)
            .map_err(|broken| broken.to_string())?;
        self.secret = Some(Secret {
            cipher,
            wrapped: Some(Box::new(wrapped)),
        });
        Ok(())
    }

    /// From now on replies may be in RESP3 too.
    pub fn allow_resp3(&mut self) {
        self.decoder.allow_resp3();
    }

    /// Returns true if messages to this peer are encrypted.
    pub fn is_sealed(&self) -> bool {
        self.secret.is_some()
    }

    /// Appends an encrypted message.
    pub fn encrypt(&mut self, header: Header, raw: Raw<'_>, pool: &Pool, out: &mut Chain) -> bool {
        let Some(secret) = &mut self.secret else {
            return false;
        };
        let key = secret.wrapped.take();
        frame::sealed(header, raw, &mut secret.cipher, key.as_deref(), pool, out)
    }
}

impl Upstream {
    /// Returns true if messages to the peer are encrypted.
    pub fn is_encrypted(&self) -> bool {
        matches!(&self.wire, Wire::Peer(wire) if wire.is_sealed())
    }

    /// Returns true if the peer at the other end is known to be no C node.
    pub fn is_modern(&self) -> bool {
        match &self.wire {
            Wire::Store(_) => true,
            Wire::Peer(wire) => wire.version >= VERSION_MODERN,
        }
    }
}

impl Node {
    /// A connection to a peer is there: encrypts it if it has to be, and begins the handshake.
    pub(super) fn peer_connected(&mut self, slot: SlotId, now: Now) {
        let secured = self
            .upstreams
            .get(slot)
            .is_some_and(|peer| self.options.is_secured(peer.distance));
        let key_pair = self.options.key_pair.clone();
        let Some(Wire::Peer(wire)) = self.upstreams.get_mut(slot).map(|peer| &mut peer.wire) else {
            return;
        };
        if secured {
            let sealed = key_pair
                .ok_or_else(|| "no key".to_string())
                .and_then(|key| wire.seal(&key));
            if let Err(reason) = sealed {
                log_at!(Alert, "cannot encrypt a connection to a peer: {reason}");
                return self.lose_upstream(slot, now, Loss::Error);
            }
        }
        let mut probe = Chain::new();
        self.pool.copy(self::probe(self.options.store), &mut probe);
        let id = self.next_wire_id();
        let mut msg = Msg::new(Waiter::Nobody, NO_COMMAND, probe.len(), now.mono_us);
        msg.wire_id = id;
        let entry = self.flight.insert(msg);
        let mut frames = frame::Frames::new(id, Raw::from(&probe));
        self.send_to_peer(slot, entry, now, dnode::Kind::Request, &mut frames);
    }

    /// Closes a connection that has brought more answers to nothing than any may. `true` if it did.
    fn is_fed_up(&mut self, slot: SlotId, now: Now) -> bool {
        let Some(peer) = self.upstreams.get(slot) else {
            return true;
        };
        let Wire::Peer(wire) = &peer.wire else {
            return true;
        };
        if wire.unasked <= limits::UNASKED {
            return false;
        }
        log_at!(Alert, "{} sends replies to no request, closing", peer.id);
        self.note_lost(slot, "it sends replies to no request");
        self.lose_upstream(slot, now, Loss::Nonsense);
        true
    }

    /// A peer has answered for the first time on this connection, with this version: it is asked for its
    /// card if it knows what that is.
    #[cold]
    fn peer_answers(&mut self, slot: SlotId, now: Now, version: u32) {
        let is_asked = self
            .upstreams
            .get(slot)
            .is_some_and(|peer| peer.exchange.asked);
        if version >= VERSION_CARDS && !is_asked {
            return self.send_card(slot, now);
        }
        self.peer_has_no_card(slot);
        self.peer_known(slot, now);
    }

    /// A C node, which answers in order, has answered this request: those before it that have been
    /// told that it took too long will get no reply any more.
    fn forget_skipped(&mut self, slot: SlotId, entry: ReqId) {
        let Some(end) = self.flight.get(entry).map(|msg| msg.end) else {
            return;
        };
        while let Some(skipped) = self
            .upstreams
            .get_mut(slot)
            .and_then(|peer| peer.pop_expired(&mut self.flight.msgs, end))
        {
            self.flight.leave_queue(skipped);
            self.flight.retire(skipped);
        }
    }

    /// Reads from a peer's connection once and hands out what is complete.
    pub(super) fn receive_peer(&mut self, slot: SlotId, now: Now, reader: &mut impl Read) -> Next {
        let Some(peer) = self
            .upstreams
            .get_mut(slot)
            .filter(|peer| peer.state.is_connected())
        else {
            return Next::Wait;
        };
        let Wire::Peer(wire) = &mut peer.wire else {
            return Next::Wait;
        };
        let expected = wire.decoder.expected(peer.inbound.len());
        let fill = match peer
            .inbound
            .fill(&self.pool, &mut self.shared, expected, reader)
        {
            Ok(fill) => fill,
            Err(error) => return self.upstream_read_failed(slot, now, &error),
        };
        if fill.bytes == 0 {
            log_at!(Notice, "{} recv eof", peer.id);
            self.note_lost(slot, "end of stream");
            self.lose_upstream(slot, now, Loss::Eof);
            return Next::Wait;
        }
        self.stats
            .hist
            .peer_out_queue
            .record(u64::from(peer.queue.len()));
        let mut data = fill.data;
        if !self.is_node(slot, now, &data) {
            return Next::Wait;
        }
        loop {
            let Some(peer) = self.upstreams.get_mut(slot) else {
                return Next::Wait;
            };
            let Wire::Peer(wire) = &mut peer.wire else {
                return Next::Wait;
            };
            match wire.decoder.next(&mut data, &self.pool) {
                Ok(None) => {
                    // Nothing that is no reply shows that replies will come.
                    if !wire.decoder.is_idle() {
                        peer.heard = now.mono_us;
                    }
                    peer.inbound.keep(data, &self.pool);
                    self.upstreams
                        .release(slot, now, &mut self.timers, &mut self.out);
                    return if fill.full { Next::Again } else { Next::Wait };
                }
                Ok(Some(message)) => {
                    wire.version = message.version;
                    if message.kind == dnode::Kind::Card {
                        self.card_received(slot, now, &message);
                        if self.is_fed_up(slot, now) {
                            return Next::Wait;
                        }
                        continue;
                    }
                    if !peer.is_up() {
                        self.peer_answers(slot, now, message.version);
                    }
                    let Some(peer) = self.upstreams.get_mut(slot) else {
                        return Next::Wait;
                    };
                    let head = peer
                        .queue
                        .head()
                        .and_then(|entry| self.flight.get(entry))
                        .map(|msg| msg.wire_id);
                    if head.is_some_and(|id| id != message.id) {
                        self.stats.pool.peer_mismatch_requests += 1;
                    }
                    // A reply with an id that is not awaited is dropped: it must never go to another request.
                    if let Some(entry) = peer.take(&mut self.flight.msgs, message.id) {
                        peer.heard = now.mono_us;
                        if message.version < VERSION_MODERN {
                            peer.note_reply(&self.flight.msgs, entry, now);
                            self.forget_skipped(slot, entry);
                            // Its window may be smaller now.
                            self.upstreams.note_backlog(slot);
                        }
                        self.answered(slot, entry, now, Raw::from(&message.payload));
                    } else {
                        self.stats.own.late_replies_dropped += 1;
                        if let Wire::Peer(wire) = &mut peer.wire {
                            wire.unasked += 1;
                        }
                        if self.is_fed_up(slot, now) {
                            return Next::Wait;
                        }
                    }
                }
                Err(broken) => {
                    log_at!(
                        Alert,
                        "{} sent what cannot be read ({broken}), closing",
                        peer.id
                    );
                    self.note_unreadable(slot, broken);
                    self.lose_upstream(slot, now, Loss::Nonsense);
                    return Next::Wait;
                }
            }
        }
    }
}
