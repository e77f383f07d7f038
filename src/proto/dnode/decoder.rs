//! A stream of bytes to messages, one direction of one connection.

use super::broken::Broken;
use super::card::MAX_CARD;
use super::cipher::Cipher;
use super::header::{Header, Kind, VERSION_ORIGINAL, WANTS_RESP3};
use super::keys::{KeyPair, SessionKey};
use super::payload::{Direction, Payload};
use super::scan::{self, Scan, Scanner};
use crate::config::StoreKind;
use crate::mbuf::{Chain, Pool};
use crate::proto::Parse;
use crate::proto::framer::frame;
use crate::proto::store::{Replies, Requests};
use std::rc::Rc;

/// Longest payload in bytes; a longer one breaks the connection. The limit of a Redis request.
pub const MAX_PAYLOAD: usize = 1 << 30;
/// Longest gossip payload in bytes, the largest `mbuf_size`; a longer one is skipped. (C nodes
/// write and read one buffer.)
pub const MAX_GOSSIP: usize = 512_000;
/// Most bytes skipped behind the header of a message of unknown kind on its word; where it claims
/// more, the next header is searched for at once.
pub const MAX_SKIP: usize = 16 << 20;

/// Most bytes that may be skipped between two messages; more break the connection.
pub const MAX_GARBAGE: u64 = 32 << 20;

/// The encryption settings of a decoder's connection.
#[derive(Clone, Debug)]
pub struct Security {
    /// The cluster's RSA key, if `pem_key_file` is in use.
    pub key_pair: Option<Rc<KeyPair>>,
    /// The cluster's `mbuf_size` in bytes.
    pub mbuf_size: usize,
    /// True if a plaintext message breaks the connection. (C nodes take any.)
    pub refuse_plaintext: bool,
}

/// One message.
#[derive(Debug)]
pub struct Message<S> {
    /// A request's id, or that of the request a reply answers.
    pub id: u64,
    /// A request, a reply, gossip or a card, as the direction has it; never [`Kind::Other`].
    pub kind: Kind,
    /// The sender's version; see [`super::VERSION`].
    pub version: u32,
    /// True if the reply is wanted in RESP3; see [`WANTS_RESP3`].
    pub wants_resp3: bool,
    /// True if sender and receiver are in the same datacenter; a reply must repeat it.
    pub same_dc: bool,
    /// True if it came encrypted. From then on the replies of this connection have to be.
    pub encrypted: bool,
    /// The payload in clear: exactly one request or reply; of gossip and of a card, any bytes. A card
    /// that cannot be decrypted, because the nodes' `mbuf_size` differs, is empty.
    pub payload: Chain,
    /// The properties of the payload; the default for gossip and cards.
    pub shape: S,
}

/// The next part of the stream.
#[derive(Clone, Copy, Debug)]
enum Phase {
    /// A header, or bytes before it.
    Head,
    /// A plaintext payload; where it ends is found by parsing.
    Plain(Header),
    /// A payload of known length.
    Counted(Header),
    /// This many bytes of no interest.
    Skip(u64),
    /// Nothing that can be read.
    Broken(Broken),
}

/// Decodes one direction of one connection.
///
/// Bytes are passed in as they arrive: [`Decoder::next`] is called with a chain that begins with
/// the bytes that the call before has left in it, until it returns no message. A header is taken out of the
/// chain even when it is incomplete; a payload stays until it is complete, and no byte of either is
/// looked at again because the rest was late (but for up to one header that a read has cut).
#[derive(Debug)]
pub struct Decoder<P: Payload> {
    phase: Phase,
    scanner: Scanner,
    /// Idle but for a plaintext payload under way.
    parser: P,
    security: Security,
    session: Option<Cipher>,
    /// Bytes skipped on the word of a header.
    skipped: u64,
    /// Bytes skipped before the latest message.
    passed: u64,
    /// The version in the latest header.
    version: u32,
}

impl Decoder<Requests> {
    /// A decoder of a requester's messages.
    pub fn requests(store: StoreKind, security: Security) -> Self {
        Decoder::new(Requests::new(store), security)
    }
}

impl Decoder<Replies> {
    /// A decoder of a replica's messages.
    pub fn replies(store: StoreKind, security: Security) -> Self {
        Decoder::new(Replies::new(store), security)
    }

    /// From now on replies may be in RESP3 too.
    pub fn allow_resp3(&mut self) {
        self.parser.allow_resp3(true);
    }
}

impl<P: Payload> Decoder<P> {
    /// A decoder of payloads that `parser`, which must be idle, finds the ends of.
    pub fn new(parser: P, security: Security) -> Self {
        Decoder {
            phase: Phase::Head,
            scanner: Scanner::default(),
            parser,
            security,
            session: None,
            skipped: 0,
            passed: 0,
            version: VERSION_ORIGINAL,
        }
    }

    /// Sets the session key: the requester's own, before it reads replies.
    ///
    /// # Errors
    /// [`Broken::Library`].
    pub fn set_session(&mut self, key: &SessionKey) -> Result<(), Broken> {
        self.session =
            Some(Cipher::new(key, self.security.mbuf_size).map_err(|_| Broken::Library)?);
        Ok(())
    }

    /// The session's cipher: the one set, or that of the last key the other side has announced. It
    /// also encrypts messages in the other direction.
    pub fn session(&mut self) -> Option<&mut Cipher> {
        self.session.as_mut()
    }

    /// The version in the latest header, even if its message was skipped; before the first one, that of a C node.
    pub fn version(&self) -> u32 {
        self.version
    }

    /// Bytes skipped so far that belonged to no message. They are never stored; [`MAX_GARBAGE`] of
    /// them may come between two messages. (A C node has no limit.)
    pub fn garbage(&self) -> u64 {
        self.scanner.garbage()
    }

    /// Returns true if no message is under way: the stream may end here.
    pub fn is_idle(&self) -> bool {
        matches!(self.phase, Phase::Head) && self.scanner.is_idle()
    }

    /// How many more bytes than `held` the message under way is known to need; 0 if unknown.
    pub fn expected(&self, held: usize) -> usize {
        match self.phase {
            Phase::Plain(_) => self.parser.expected(),
            Phase::Counted(header) => (header.payload_len as usize).saturating_sub(held),
            _ => 0,
        }
    }

    /// The next message, if all of it is there.
    ///
    /// # Errors
    /// The connection has to be closed; every further call returns the same error.
    #[inline]
    pub fn next(
        &mut self,
        data: &mut Chain,
        pool: &Pool,
    ) -> Result<Option<Message<P::Shape>>, Broken> {
        let outcome = self.advance(data, pool);
        if let Err(broken) = outcome {
            self.phase = Phase::Broken(broken);
        }
        outcome
    }

    /// Fails if too many bytes outside of messages have come since the latest one.
    fn check_garbage(&self) -> Result<(), Broken> {
        let passed = self.scanner.garbage() + self.skipped;
        match passed - self.passed > MAX_GARBAGE {
            true => Err(Broken::Garbage),
            false => Ok(()),
        }
    }

    fn advance(
        &mut self,
        data: &mut Chain,
        pool: &Pool,
    ) -> Result<Option<Message<P::Shape>>, Broken> {
        loop {
            match self.phase {
                Phase::Head => {
                    let Some(header) = self.header(data) else {
                        self.check_garbage()?;
                        return Ok(None);
                    };
                    self.version = header.version & !WANTS_RESP3;
                    self.phase = self.after(header)?;
                }
                Phase::Plain(header) => {
                    let Some((len, shape)) = self.plain(data)? else {
                        return Ok(None);
                    };
                    self.phase = Phase::Head;
                    self.passed = self.scanner.garbage() + self.skipped;
                    return Ok(Some(message(header, data.split_to(len), shape)));
                }
                Phase::Counted(header) => {
                    let len = header.payload_len as usize;
                    if data.len() < len {
                        return Ok(None);
                    }
                    let body = data.split_to(len);
                    self.phase = Phase::Head;
                    self.passed = self.scanner.garbage() + self.skipped;
                    return self.counted(header, body, pool).map(Some);
                }
                Phase::Skip(left) => {
                    let here = left.min(data.len() as u64);
                    data.advance(here as usize);
                    self.skipped += here;
                    self.check_garbage()?;
                    if here < left {
                        self.phase = Phase::Skip(left - here);
                        return Ok(None);
                    }
                    self.phase = Phase::Head;
                }
                Phase::Broken(broken) => return Err(broken),
            }
        }
    }

    /// The next header, taken out of `data` with all before it.
    #[inline]
    fn header(&mut self, data: &mut Chain) -> Option<Header> {
        loop {
            let first = data.slices().next()?;
            let whole = if self.scanner.is_idle() {
                scan::canonical(first)
            } else {
                None
            };
            let (header, len) = match whole {
                Some((header, len)) => {
                    self.scanner.forget_data();
                    (Some(header), len)
                }
                None => match self.scanner.feed(first) {
                    Scan::Header(header, len) => (Some(header), len),
                    Scan::Incomplete => (None, first.len()),
                },
            };
            data.advance(len);
            if header.is_some() {
                return header;
            }
        }
    }

    /// The phase after a header.
    #[inline]
    fn after(&mut self, header: Header) -> Result<Phase, Broken> {
        let counted = header.encrypted || matches!(header.kind, Kind::Gossip | Kind::Card);
        let known = match (P::DIRECTION, header.kind) {
            (Direction::Requests, Kind::Request | Kind::Forward) => true,
            (Direction::Requests, Kind::Gossip) => header.payload_len <= MAX_GOSSIP as u64,
            // C requesters take a type 0 for a reply.
            (Direction::Replies, Kind::Reply | Kind::Other(0)) => true,
            // Padding comes on top, once per piece.
            (_, Kind::Card) => header.payload_len <= 2 * MAX_CARD as u64,
            _ => false,
        };
        if !known {
            let sane = header.payload_len <= MAX_SKIP as u64;
            return Ok(if sane {
                Phase::Skip(header.payload_len)
            } else {
                Phase::Head
            });
        }
        if header.encrypted {
            self.check_cipher(&header)?;
        } else if self.security.refuse_plaintext {
            return Err(Broken::Plaintext);
        }
        Ok(if counted {
            Phase::Counted(header)
        } else {
            Phase::Plain(header)
        })
    }

    /// Takes the session key an encrypted message brings, and makes sure it can be decrypted.
    #[cold]
    fn check_cipher(&mut self, header: &Header) -> Result<(), Broken> {
        let Some(key_pair) = &self.security.key_pair else {
            return Err(Broken::NoKeyFile);
        };
        match self.scanner.wrapped_key(key_pair.wrapped_len()) {
            Some(wrapped) => {
                let key = key_pair.unwrap(wrapped).ok_or(Broken::KeyUnwrap)?;
                self.set_session(&key)?;
            }
            None if self.scanner.data_len() > 1 => {
                return Err(Broken::KeyLength {
                    len: self.scanner.data_len(),
                    own: key_pair.wrapped_len() as u32,
                });
            }
            None if self.session.is_none() => return Err(Broken::NoSessionKey),
            None => {}
        }
        match header.payload_len {
            len if len > MAX_PAYLOAD as u64 => Err(Broken::TooLong),
            len if len == 0 || len % 16 != 0 => Err(Broken::CipherLength(len)),
            _ => Ok(()),
        }
    }

    /// Looks for the end of a plaintext payload at the beginning of `data`.
    #[inline]
    fn plain(&mut self, data: &Chain) -> Result<Option<(usize, P::Shape)>, Broken> {
        match frame(&mut self.parser, data) {
            Parse::Complete(message) if P::len(&message) <= MAX_PAYLOAD => {
                Ok(Some((P::len(&message), P::shape(&message))))
            }
            Parse::Incomplete if data.len() <= MAX_PAYLOAD => Ok(None),
            Parse::Bad(why) => Err(Broken::Payload(why)),
            Parse::Complete(_) | Parse::Incomplete => Err(Broken::TooLong),
        }
    }

    /// Makes a message of a payload of known length.
    fn counted(
        &mut self,
        header: Header,
        body: Chain,
        pool: &Pool,
    ) -> Result<Message<P::Shape>, Broken> {
        if !header.encrypted {
            return Ok(message(header, body, P::Shape::default()));
        }
        let cipher = self.session.as_mut().ok_or(Broken::NoSessionKey)?;
        let (payload, shape) = match header.kind {
            Kind::Gossip => (cipher.decrypt_any(&body, pool)?, P::Shape::default()),
            Kind::Card => {
                let plain = match cipher.decrypt_any(&body, pool) {
                    Err(Broken::Decrypt) => Chain::new(),
                    other => other?,
                };
                (plain, P::Shape::default())
            }
            _ => cipher.decrypt(&body, &self.parser, pool)?,
        };
        Ok(message(header, payload, shape))
    }
}

#[inline]
fn message<S>(header: Header, payload: Chain, shape: S) -> Message<S> {
    let kind = match header.kind {
        Kind::Other(_) => Kind::Reply,
        kind => kind,
    };
    Message {
        id: header.id,
        kind,
        version: header.version & !WANTS_RESP3,
        wants_resp3: header.version & WANTS_RESP3 != 0,
        same_dc: header.same_dc,
        encrypted: header.encrypted,
        payload,
        shape,
    }
}
