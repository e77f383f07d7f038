//! The replies of several nodes as one.

use crate::config::StoreKind;
use crate::mbuf::{Chain, Raw};
use crate::node::{docs, memcache, version};
use crate::proto::memcache::naming::Naming;
use crate::proto::redis::cursor::{self, Head, elements};
use crate::proto::redis::encode;
use crate::proto::{Failure, failure};

/// How replies are joined. Which commands are joined how is Redis' own advice for clusters (its
/// command tips `response_policy`), but for `SCAN` and `RANDOMKEY`.
///
/// Where one of the replies is an error, the first is the answer, at once; unless it says otherwise
/// here.
#[derive(Debug)]
pub(in crate::node) enum Join {
    /// There is but one.
    Only,
    /// One value for each key; for each key, in the request's order, its piece.
    Values(Vec<u32>),
    /// Values of memcached for each key that has one; for each key, in the request's order, its piece.
    Blocks {
        keys: Vec<Vec<u8>>,
        piece_of: Vec<u32>,
    },
    /// A number each: their sum.
    Sum,
    /// Each the same, a status or a name.
    Same,
    /// A list each: one after the other.
    Lists,
    /// A key or nil each: one of the keys, by this number. An error only if there is none.
    Any(u64),
    /// A list of 0 and 1 each: at every position the least.
    And,
    /// Enough that one has killed a script; else why one could not, if any has a script; else what kept one
    /// from being asked; that nothing runs only if all say so.
    Kill,
    /// The keys and the cursor of one node, which is the `node`th of `of`.
    Scan { node: u16, of: u16 },
    /// There is but one, which tells the datastore's version: the answer is this reply to `HELLO`, in which
    /// this version is corrected.
    Hello(Vec<u8>, String),
    /// There is but one, names and values in turn: parameters of the datastore, some of which are other
    /// ones behind a proxy.
    Settings,
    /// There is but one, names and documents in turn: what the datastore says of its commands; with or
    /// without those that no datastore knows.
    Docs { with_own: bool },
    /// There is but one, of memcached, and it lacks its key.
    Named(Naming),
}

/// Bits of a cursor of `SCAN` below the number of the node it belongs to. A cursor of Redis is an
/// index into a table of at most 2^(these) places.
pub(in crate::node) const CURSOR_BITS: u32 = 48;

/// What a collector answers: a failure, or text made here, bytes that came, and text behind them; any
/// may be empty.
pub(in crate::node) struct Answer {
    pub text: Vec<u8>,
    pub reply: Chain,
    pub tail: &'static [u8],
    pub failure: Option<Failure>,
    pub agreed: bool,
    /// The datastore's version, if this is how it became known.
    pub version: Option<String>,
}

impl Answer {
    pub fn reply(reply: Chain, agreed: bool) -> Answer {
        Answer {
            reply,
            text: Vec::new(),
            tail: b"",
            failure: None,
            agreed,
            version: None,
        }
    }

    pub fn text(text: impl Into<Vec<u8>>, agreed: bool) -> Answer {
        Answer {
            text: text.into(),
            ..Answer::reply(Chain::new(), agreed)
        }
    }

    pub fn failure(failure: Failure, agreed: bool) -> Answer {
        Answer {
            failure: Some(failure),
            ..Answer::reply(Chain::new(), agreed)
        }
    }
}

impl Join {
    /// Takes in a reply, which stands in its place among `replies`; `last` if none is missing now.
    /// The answer, if it is known.
    pub fn take(
        &self,
        store: StoreKind,
        part: usize,
        last: bool,
        replies: &mut [Chain],
    ) -> Option<Answer> {
        let reply = replies.get_mut(part)?;
        let is_error = failure::is_error_reply(store, Raw::from(&*reply));
        let ready = match self {
            Join::Any(_) | Join::Hello(..) => false,
            Join::Kill => !is_error,
            _ => is_error,
        };
        if ready {
            return Some(Answer::reply(std::mem::take(reply), true));
        }
        last.then(|| self.all(replies))
    }

    /// The answer made of all replies.
    fn all(&self, replies: &mut [Chain]) -> Answer {
        match self {
            Join::Only | Join::Same => Answer::reply(
                replies.first_mut().map(std::mem::take).unwrap_or_default(),
                true,
            ),
            Join::Any(chance) => {
                let is_key =
                    |reply: &Chain| matches!(cursor::over(reply).head(), Some(Head::Bulk(b'$', _)));
                let keys = replies.iter().filter(|reply| is_key(reply)).count() as u64;
                let Some(wanted) = chance.checked_rem(keys) else {
                    return first_error(replies);
                };
                let mut keys = replies.iter_mut().filter(|reply| is_key(reply));
                let chosen = keys.nth(wanted as usize).map(std::mem::take);
                Answer::reply(chosen.unwrap_or_default(), true)
            }
            Join::Kill => not_killed(replies),
            Join::Hello(hello, told) => {
                let info = replies.first().map(Chain::to_vec).unwrap_or_default();
                let (text, version) = version::correct(hello, told, &info);
                Answer {
                    version,
                    ..Answer::text(text, true)
                }
            }
            Join::Sum => {
                let sum: i64 = replies
                    .iter()
                    .filter_map(|reply| cursor::over(reply).integer())
                    .sum();
                let mut text = Vec::new();
                encode::integer(&mut text, sum);
                Answer::text(text, true)
            }
            Join::Lists => {
                let mut count = 0;
                let mut body = Chain::new();
                for mut value in replies.iter().flat_map(elements) {
                    body.append(&mut value);
                    count += 1;
                }
                array(count, body, true)
            }
            Join::And => and(replies),
            Join::Values(piece_of) => by_piece(replies, piece_of),
            Join::Blocks { keys, piece_of } => memcache::joined(replies, keys, piece_of),
            Join::Scan { node, of } => scan(replies, *node, *of),
            Join::Settings => settings(replies),
            Join::Docs { with_own } => docs::served(replies, *with_own),
            Join::Named(naming) => {
                let reply = replies.first_mut().map(std::mem::take).unwrap_or_default();
                let (text, reply) = naming.with_key(&reply);
                Answer {
                    text,
                    ..Answer::reply(reply, true)
                }
            }
        }
    }
}

/// The first error, or if there is none the first reply.
fn first_error(replies: &mut [Chain]) -> Answer {
    let error = replies
        .iter()
        .position(|reply| reply.first_byte() == Some(b'-'));
    let chosen = replies.get_mut(error.unwrap_or(0));
    Answer::reply(chosen.map(std::mem::take).unwrap_or_default(), true)
}

/// The error of the node that says most about a script which was to be killed.
fn not_killed(replies: &mut [Chain]) -> Answer {
    let begins = |reply: &Chain, word: &[u8]| {
        let mut start = [0; 16];
        let n = reply.gather(0, &mut start);
        start.get(..n).is_some_and(|start| start.starts_with(word))
    };
    let rank = |reply: &Chain| match reply {
        reply if begins(reply, b"-UNKILLABLE ") => 0,
        reply if begins(reply, b"-NOTBUSY ") => 2,
        _ => 1,
    };
    let told = replies.iter_mut().min_by_key(|reply| rank(reply));
    Answer::reply(told.map(std::mem::take).unwrap_or_default(), true)
}

/// The values of all keys, in the order of the request.
fn by_piece(replies: &[Chain], piece_of: &[u32]) -> Answer {
    let mut pieces: Vec<_> = replies
        .iter()
        .map(|reply| elements(reply).into_iter())
        .collect();
    let mut body = Chain::new();
    for &piece in piece_of {
        match pieces.get_mut(piece as usize).and_then(Iterator::next) {
            Some(mut value) => body.append(&mut value),
            // A replica that gives fewer values than it was asked for.
            None => return Answer::failure(Failure::Internal, true),
        }
    }
    array(piece_of.len(), body, true)
}

/// At every position the least of the numbers there.
fn and(replies: &[Chain]) -> Answer {
    let numbers = |reply: &Chain| -> Option<Vec<i64>> {
        let mut cursor = cursor::over(reply);
        let count = cursor.array()?;
        (0..count).map(|_| cursor.integer()).collect()
    };
    let mut least: Option<Vec<i64>> = None;
    for reply in replies {
        least = match (least, numbers(reply)) {
            (None, Some(found)) => Some(found),
            (Some(least), Some(found)) if least.len() == found.len() => Some(
                least
                    .into_iter()
                    .zip(found)
                    .map(|(a, b)| a.min(b))
                    .collect(),
            ),
            _ => return Answer::failure(Failure::Internal, true),
        };
    }
    let least = least.unwrap_or_default();
    let mut text = Vec::new();
    encode::array(&mut text, least.len());
    least
        .into_iter()
        .for_each(|number| encode::integer(&mut text, number));
    Answer::text(text, true)
}

/// The number in a bulk string.
fn cursor_of(reply: &Chain) -> Option<u64> {
    let mut room = [0; 20];
    let digits = cursor::over(reply).text(&mut room)?;
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// One node's part of a `SCAN`, with the number of the node that goes on in its cursor.
fn scan(replies: &[Chain], node: u16, of: u16) -> Answer {
    let mut parts = replies
        .first()
        .map(elements)
        .unwrap_or_default()
        .into_iter();
    let (Some(cursor), Some(mut keys)) = (parts.next(), parts.next()) else {
        return Answer::failure(Failure::Internal, true);
    };
    let next = match cursor_of(&cursor) {
        Some(0) if node + 1 >= of => 0,
        Some(0) => u64::from(node + 1) << CURSOR_BITS,
        Some(inner) if inner >> CURSOR_BITS == 0 => u64::from(node) << CURSOR_BITS | inner,
        // No store's cursor, or one so large that it cannot be told from the next node's.
        _ => return Answer::failure(Failure::Internal, true),
    };
    let mut text = Vec::new();
    encode::array(&mut text, 2);
    encode::bulk(&mut text, next.to_string().as_bytes());
    let mut reply = Chain::new();
    reply.append(&mut keys);
    Answer {
        text,
        ..Answer::reply(reply, true)
    }
}

/// The parameters of the local datastore with those values that hold for clients of the proxy: of its
/// databases only number 0 is served, and clients ask how many there are.
fn settings(replies: &mut [Chain]) -> Answer {
    const DATABASES: &[u8] = b"databases";
    const ONE: &[u8] = b"$1\r\n1\r\n";
    let Some(reply) = replies.first_mut() else {
        return Answer::failure(Failure::Internal, true);
    };
    let found = elements(reply);
    let mut names = found.iter().step_by(2);
    let Some(at) = names
        .position(|name| cursor::over(name).text(&mut [0; DATABASES.len()]) == Some(DATABASES))
    else {
        return Answer::reply(std::mem::take(reply), true);
    };
    let mut text = Vec::new();
    encode::array(&mut text, found.len());
    for (place, value) in found.iter().enumerate() {
        if place == 2 * at + 1 {
            text.extend_from_slice(ONE);
        } else {
            text.extend_from_slice(&value.to_vec());
        }
    }
    Answer::text(text, true)
}

/// An array of so many elements, whose bytes are given.
pub(in crate::node) fn array(count: usize, body: Chain, agreed: bool) -> Answer {
    let mut text = Vec::new();
    encode::array(&mut text, count);
    Answer {
        text,
        ..Answer::reply(body, agreed)
    }
}
