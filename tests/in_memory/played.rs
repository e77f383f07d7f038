//! The other end of a connection that the node makes: a datastore, or a peer in front of one.
//!
//! It allocates nothing once it has been asked a few times.

use super::Replies;
use super::pipe::Pipe;
use dynomite::clock::Now;
use dynomite::config::StoreKind;
use dynomite::node::{ConnId, Kind};
use dynomite::proto::dnode::card::Field;
use dynomite::proto::dnode::{self, Card, Data, Header, MAX_PLAIN};

/// What follows the two numbers of the magic in each message between nodes.
const MAGIC: &[u8] = b"   $2014$ ";

/// Answers the questions of a node's own, in every case.
const OWN_REQUESTS: Replies<'static> = &[
    (b"*1\r\n$4\r\nPING", b"+PONG\r\n"),
    (
        b"incr dynomite-peer",
        b"CLIENT_ERROR invalid numeric delta argument\r\n",
    ),
];

pub struct Played {
    pub id: ConnId,
    pub pipe: Pipe,
    store: StoreKind,
}

impl Played {
    pub fn new(id: ConnId, store: StoreKind) -> Played {
        Played {
            id,
            pipe: Pipe::new(),
            store,
        }
    }

    /// Answers all that has been written to it, and returns how many requests for a datastore that were.
    pub fn answer(&mut self, replies: Replies<'_>, now: Now) -> usize {
        let written = self.pipe.take_written();
        let (mut at, mut asked) = (0, 0);
        while at < written.len() {
            let rest = &written[at..];
            let length = match self.id.kind {
                Kind::Peer => self.answer_frame(rest, replies, now),
                _ => {
                    let length = request_length(self.store, rest);
                    self.pipe.fill(reply_to(&rest[..length], replies));
                    length
                }
            };
            asked += 1;
            at += length;
        }
        self.pipe.restore(written, at);
        asked
    }

    /// Answers the first message between nodes in these bytes, and returns its length.
    fn answer_frame(&mut self, bytes: &[u8], replies: Replies<'_>, now: Now) -> usize {
        let head = position(bytes, b"\r\n") + 2;
        let text = std::str::from_utf8(&bytes[..head - 2]).expect("a header is text");
        assert!(text.as_bytes().starts_with(MAGIC), "{text:?}");
        let mut words = text[MAGIC.len()..].split(' ');
        let mut number = || words.next().and_then(|word| word.parse::<u64>().ok());
        let (id, kind) = (number().expect("an id"), number().expect("a kind"));
        let (_, length) = text.rsplit_once('*').expect("a length");
        let end = head + length.parse::<usize>().expect("a length");
        if dnode::Kind::from_number(kind) == dnode::Kind::Card {
            let card = Card::default().with(Field::Clock, now.wall_us.to_string());
            self.send_frame(dnode::Kind::Card, id, &card.encode());
        } else {
            let reply = reply_to(&bytes[head..end], replies);
            self.send_frame(dnode::Kind::Reply, id, reply);
        }
        end
    }

    fn send_frame(&mut self, kind: dnode::Kind, id: u64, payload: &[u8]) {
        let header = Header {
            version: dnode::VERSION,
            ..Header::new(kind, id, payload.len())
        };
        self.pipe
            .fill(header.encode(Data::None, &mut [0; MAX_PLAIN]));
        self.pipe.fill(payload);
    }
}

/// What is answered to a request.
fn reply_to<'a>(request: &[u8], replies: Replies<'a>) -> &'a [u8] {
    let mut all = OWN_REQUESTS.iter().chain(replies);
    let found = all.find(|(start, _)| request.starts_with(start));
    match found {
        Some((_, reply)) => reply,
        None => panic!("no reply to {:?}", request.escape_ascii().to_string()),
    }
}

/// How long the first request in these bytes is, all of which are there.
fn request_length(store: StoreKind, bytes: &[u8]) -> usize {
    match store {
        StoreKind::Redis => {
            let mut at = position(bytes, b"\r\n") + 2;
            for _ in 0..number(&bytes[1..at - 2]) {
                let line = at + position(&bytes[at..], b"\r\n");
                at = line + 2 + number(&bytes[at + 1..line]) + 2;
            }
            at
        }
        StoreKind::Memcache => {
            let line = position(bytes, b"\r\n");
            let mut words = bytes[..line].split(|byte| *byte == b' ');
            match words.next() {
                Some(b"set") => line + 2 + number(words.nth(3).expect("a length")) + 2,
                Some(b"ms") => line + 2 + number(words.nth(1).expect("a length")) + 2,
                _ => line + 2,
            }
        }
    }
}

fn position(bytes: &[u8], wanted: &[u8]) -> usize {
    let mut windows = bytes.windows(wanted.len());
    windows
        .position(|window| window == wanted)
        .expect("requests are written whole")
}

fn number(digits: &[u8]) -> usize {
    let text = std::str::from_utf8(digits).expect("digits");
    text.parse().expect("a number")
}
