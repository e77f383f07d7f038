//! Requests to Redis by keys of several owners, and lists of values: divided on the way out, put together on
//! the way back. For memcached, see [`super::memcache`].

use super::Node;
use super::ask::Ask;
use super::flight::judge::Judge;
use super::flight::judge::join::Join;
use super::flight::waiter::Waiter;
use super::ids::{FrontId, ReqId};
use super::msg::Msg;
use super::plan::Keys;
use crate::clock::Now;
use crate::mbuf::{Chain, Raw};
use crate::proto::Failure;
use crate::proto::redis::command::Command;
use crate::proto::redis::encode;
use crate::proto::redis::join::JoinRule;

/// A request by several keys, and what its pieces are made of.
pub(super) struct Several<'a> {
    pub command: &'a Command,
    pub args: &'a [&'a [u8]],
    pub keys: &'a Keys,
}

impl Node {
    /// Splits a client's request by its keys' owners and sends the pieces.
    pub(super) fn split(&mut self, key: FrontId, now: Now, ask: &Ask<'_>, several: &Several<'_>) {
        let asker = self.client_asker(key);
        let (Some(asker), Some(entry)) = (asker, self.enqueue(key, now, ask)) else {
            return;
        };
        self.divide(asker, &ask.route, &several.keys.tokens);
        self.send_pieces(entry, now, ask, several, |node, fragment, ask| {
            node.count_request(ask);
            node.place(fragment, key, now, ask);
        });
    }

    /// Divides a peer's request, and forwards each of the pieces.
    pub(super) fn split_forwarded(
        &mut self,
        key: FrontId,
        now: Now,
        id: u64,
        ask: &Ask<'_>,
        several: &Several<'_>,
    ) {
        let Some(entry) = self.enqueue_peer(key, now, id, Some(ask), ask.raw.len()) else {
            return;
        };
        let asker = self.peer_asker(key, true);
        self.divide(asker, &ask.route, &several.keys.tokens);
        self.send_pieces(entry, now, ask, several, |node, fragment, ask| {
            node.place_peer(fragment, key, now, true, ask);
        });
    }

    /// Sends the pieces into which a request has been divided.
    fn send_pieces(
        &mut self,
        entry: ReqId,
        now: Now,
        ask: &Ask<'_>,
        several: &Several<'_>,
        send: impl Fn(&mut Node, ReqId, &Ask<'_>),
    ) {
        let &Several {
            command,
            args,
            keys: Keys { keys, tokens },
        } = several;
        let pieces: Vec<Vec<u32>> = self.split.pieces().map(<[u32]>::to_vec).collect();
        let Ok(count) = u16::try_from(pieces.len()) else {
            return self.finish_failed(entry, now, Failure::PayloadTooLarge);
        };
        let join = match command.join {
            JoinRule::Values => Join::Values(self.split.piece_of().to_vec()),
            JoinRule::Sum => Join::Sum,
            _ => Join::Same,
        };
        self.flight.give_judge(entry, Judge::joining(count, join));
        for (part, piece) in pieces.iter().enumerate() {
            let mut words: Vec<&[u8]> = vec![command.name.as_bytes()];
            for &place in piece {
                let Some(at) = keys.get(place as usize).map(|key| key.index) else {
                    continue;
                };
                words.extend(
                    args.get(at..at + command.args_per_key())
                        .unwrap_or_default(),
                );
            }
            let mut text = Vec::new();
            encode::command(&mut text, &words);
            let mut chain = Chain::new();
            self.pool.copy(&text, &mut chain);
            let Some(mut fragment) = self.flight.get(entry).map(Msg::copy) else {
                return;
            };
            let token = piece.first().and_then(|&place| tokens.get(place as usize));
            fragment.waiter = Waiter::Part(entry, part as u16);
            fragment.set_token(token.copied().unwrap_or_default());
            let fragment = self.flight.insert(fragment);
            self.stats.pool.fragments += 1;
            let ask = Ask {
                token: token.copied().unwrap_or_default(),
                raw: Raw::from(&chain),
                ..*ask
            };
            send(self, fragment, &ask);
        }
    }
}
