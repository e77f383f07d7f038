//! A request by several keys: its pieces, and the values they bring.

use crate::clock::Now;
use crate::cluster::merge::{self, Merge};
use crate::consistency::Consistency;
use crate::hashkit::Token;
use crate::hashkit::digest::digest;
use crate::mbuf::{Chain, Raw};
use crate::node::Node;
use crate::node::ask::Ask;
use crate::node::flight::judge::join::{Answer, Join};
use crate::node::flight::judge::{Judge, Lists};
use crate::node::flight::waiter::Waiter;
use crate::node::ids::{FrontId, ReqId};
use crate::node::msg::Msg;
use crate::proto::Failure;
use crate::proto::memcache::blocks::{self, END, Unjoined};
use crate::proto::memcache::call::{Body, Call};
use crate::proto::memcache::command::{Serve, command};
use crate::proto::memcache::line::{self, Outcome};
use crate::proto::memcache::varying;

impl Node {
    /// Splits a client's request by its keys' owners, and into lines that are not too long, and sends the pieces.
    pub(super) fn split_get(
        &mut self,
        entry: ReqId,
        key: FrontId,
        now: Now,
        ask: &Ask<'_>,
        call: &Call<'_>,
        tokens: &[Token],
    ) {
        let Some(asker) = self.client_asker(key) else {
            return;
        };
        self.divide(asker, &ask.route, tokens);
        self.send_lines(entry, now, ask, call, tokens, |node, msg, ask| {
            node.count_request(ask);
            node.place(msg, key, now, ask);
        });
    }

    /// Divides a peer's request, and forwards each of the pieces.
    pub(super) fn split_forwarded_get(
        &mut self,
        key: FrontId,
        now: Now,
        id: u64,
        ask: &Ask<'_>,
        call: &Call<'_>,
        tokens: &[Token],
    ) {
        let Some(entry) = self.enqueue_peer(key, now, id, Some(ask), ask.raw.len()) else {
            return;
        };
        self.divide(self.peer_asker(key, true), &ask.route, tokens);
        self.send_lines(entry, now, ask, call, tokens, |node, msg, ask| {
            node.place_peer(msg, key, now, true, ask);
        });
    }

    /// Sends the pieces into which a request has been divided, each in lines that are not too long.
    fn send_lines(
        &mut self,
        entry: ReqId,
        now: Now,
        ask: &Ask<'_>,
        call: &Call<'_>,
        tokens: &[Token],
        send: impl Fn(&mut Node, ReqId, &Ask<'_>),
    ) {
        let Body::Get { keys, .. } = &call.body else {
            return self.finish_failed(entry, now, Failure::Internal);
        };
        let key_at = |at: &u32| keys.get(*at as usize).copied().unwrap_or_default();
        let mut pieces: Vec<Vec<u32>> = Vec::new();
        for mut piece in self.split.pieces() {
            for part in call.fitting(piece.iter().map(key_at)) {
                let (now, later) = piece.split_at_checked(part).unwrap_or((piece, &[]));
                pieces.push(now.to_vec());
                piece = later;
            }
        }
        let mut piece_of = vec![0; keys.len()];
        for (number, piece) in (0..).zip(&pieces) {
            for &at in piece {
                if let Some(place) = piece_of.get_mut(at as usize) {
                    *place = number;
                }
            }
        }
        let Ok(count) = u16::try_from(pieces.len()) else {
            return self.finish_failed(entry, now, Failure::PayloadTooLarge);
        };
        let join = Join::Blocks {
            keys: keys.iter().map(|key| key.to_vec()).collect(),
            piece_of,
        };
        self.flight.give_judge(entry, Judge::joining(count, join));
        for (part, piece) in (0..).zip(&pieces) {
            let fragment = call.with_keys(piece.iter().map(key_at).collect());
            let chain = self.rewritten(&fragment, 0, Raw::EMPTY);
            let Some(mut msg) = self.flight.get(entry).map(Msg::copy) else {
                return;
            };
            let token = piece.first().and_then(|&at| tokens.get(at as usize));
            msg.waiter = Waiter::Part(entry, part);
            msg.set_token(token.copied().unwrap_or_default());
            let msg = self.flight.insert(msg);
            self.stats.pool.fragments += 1;
            let ask = Ask {
                token: token.copied().unwrap_or_default(),
                raw: Raw::from(&chain),
                ..*ask
            };
            send(self, msg, &ask);
        }
    }
}

/// The lists of values that replies to a request are, if it names several keys.
pub(in crate::node) fn lists(row: u16, raw: Raw<'_>) -> Lists {
    if !command(row).is_some_and(|command| command.serve == Serve::Split) {
        return Lists::No;
    }
    raw.with_bytes(|line| {
        // A name and one key, as most requests are.
        if line.iter().filter(|byte| **byte == b' ').count() < 2 {
            return Lists::No;
        }
        match line::read(line) {
            Outcome::Call(Call {
                body: Body::Get { keys, .. },
                ..
            }) if keys.len() > 1 => Lists::Values(keys.iter().map(|key| key.to_vec()).collect()),
            _ => Lists::No,
        }
    })
}

/// The values of all keys, in the order of the request, of the pieces they belong to.
pub(in crate::node) fn joined(replies: &[Chain], keys: &[Vec<u8>], piece_of: &[u32]) -> Answer {
    let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    match blocks::join(replies, &keys, piece_of) {
        Ok(reply) => Answer::reply(reply, true),
        Err(Unjoined::Line(line)) => Answer::reply(line, true),
        Err(Unjoined::Nonsense) => Answer::failure(Failure::Internal, true),
    }
}

/// An answer of these values.
fn ended(body: Chain, agreed: bool) -> Answer {
    Answer {
        tail: END,
        ..Answer::reply(body, agreed)
    }
}

/// An answer of which every key has its own majority, of the replies of one datacenter; `None` if
/// they have no quorum.
pub(in crate::node) fn merged(
    level: Consistency,
    replies: &[&Chain],
    keys: &[Vec<u8>],
    versions: bool,
) -> Option<Answer> {
    let keys: Vec<&[u8]> = keys.iter().map(Vec::as_slice).collect();
    let good: Vec<Vec<Option<Chain>>> = replies
        .iter()
        .filter_map(|reply| blocks::by_key(reply, &keys))
        .collect();
    let digests: Vec<Vec<u64>> = good
        .iter()
        .map(|values| values.iter().map(digest_of).collect())
        .collect();
    let digests: Vec<&[u64]> = digests.iter().map(Vec::as_slice).collect();
    let mut chosen = Vec::new();
    let merge = merge::merge(level, replies.len(), &digests, &mut chosen);
    // Of each key the first rack's version is told, unless it or a majority has none.
    let is_against = |at: usize, from: usize| {
        let of = |reply: usize| digests.get(reply).and_then(|values| values.get(at));
        let has = |reply: usize| {
            let values = good.get(reply).and_then(|values| values.get(at));
            values.is_some_and(Option::is_some)
        };
        versions && has(0) && has(from) && of(0) != of(from)
    };
    if merge == Merge::Impossible {
        let first = good.first().filter(|_| level == Consistency::DcQuorum)?;
        let mut body = Chain::new();
        for block in first.iter().flatten() {
            body.append_shared(block);
        }
        return Some(ended(body, false));
    }
    let mut body = Chain::new();
    let mut agreed = merge == Merge::Agreed;
    for (at, &from) in chosen.iter().enumerate() {
        let mut from = usize::from(from);
        if is_against(at, from) {
            if level != Consistency::DcQuorum {
                return None;
            }
            (from, agreed) = (0, false);
        }
        let block = good.get(from).and_then(|values| values.get(at));
        if let Some(block) = block.and_then(Option::as_ref) {
            body.append_shared(block);
        }
    }
    Some(ended(body, agreed))
}

/// The digest of a key's value, or of its absence.
fn digest_of(block: &Option<Chain>) -> u64 {
    match block {
        Some(block) => varying::digest(block.slices().map(|slice| &slice[..])),
        None => digest(std::iter::empty()),
    }
}
