//! Several replies to one answer: the judge of replicas, and the joiner of pieces.

use super::Node;
use super::frame::Frames;
use super::front::Raw;
use super::msg::{Msg, NONE};
use super::route::Ask;
use crate::clock::Now;
use crate::cluster::digest::{Order, digest};
use crate::cluster::id::{DcId, NodeId};
use crate::cluster::merge::{self, Merge};
use crate::cluster::quorum::{Quorum, Reply, Verdict};
use crate::cluster::route::{Counts, Target, Targets};
use crate::consistency::Consistency;
use crate::hashkit::Token;
use crate::mbuf::Chain;
use crate::proto::redis::command::{Class, command};
use crate::proto::redis::keys::{Key, integer};
use crate::proto::redis::reply::{Parser, Status};
use crate::proto::redis::{encode, errors, resp3};

/// Puts one answer together. Lives until every part has come in, answered or not, so that no part
/// ever outlives what it belongs to.
pub(super) struct Collector {
    /// Parts that are still to come.
    missing: u16,
    /// The answer has been given.
    done: bool,
    /// What has come, by part.
    replies: Vec<Chain>,
    method: Method,
}

enum Method {
    /// Replicas are compared.
    Quorum {
        quorum: Box<Quorum>,
        level: Consistency,
        order: Order,
        /// The replies are lists of values, of which each may be judged by itself.
        lists: bool,
        /// The datacenter of each part.
        dcs: Vec<DcId>,
    },
    /// Pieces by different keys are joined.
    Join {
        how: Join,
        /// For each key, in the request's order, its piece.
        piece_of: Vec<u32>,
    },
}

/// How the replies to pieces are joined.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Join {
    /// One value for each key.
    Values,
    /// A number each.
    Sum,
    /// A status each.
    Ok,
}

/// The error of a target that could not be reached.
pub(super) fn unreachable_text(target: &Target) -> &'static str {
    if target.node == NodeId::ME {
        errors::STORAGE_REFUSED
    } else {
        errors::PEER_NOT_CONNECTED
    }
}

impl Node {
    /// Gives a request a judge for the replies of its replicas.
    pub(super) fn collect_quorum(&mut self, entry: u32, targets: &Targets, level: Consistency) {
        let Some(msg) = self.msgs.get_mut(entry as usize) else {
            return;
        };
        let row = command(msg.command);
        let lists = row.is_some_and(|row| row.name == "mget");
        let order = match row {
            Some(row) if row.name == "hgetall" => Order::Pairs,
            Some(row) if row.unordered => Order::Elements,
            _ => Order::Kept,
        };
        let dcs: Vec<DcId> = targets
            .iter()
            .filter_map(|target| match target.counts {
                Counts::In(dc) => Some(dc),
                Counts::Discarded => None,
            })
            .collect();
        let expected = (0..self.topology.dcs().len() as u16)
            .map(|dc| dcs.iter().filter(|at| at.0 == dc).count() as u16);
        let mut quorum = Quorum::new(level, expected);
        if lists {
            quorum = quorum.of_lists();
        }
        let collector = Collector {
            missing: dcs.len() as u16,
            done: false,
            replies: dcs.iter().map(|_| Chain::new()).collect(),
            method: Method::Quorum {
                quorum: Box::new(quorum),
                level,
                order,
                lists,
                dcs,
            },
        };
        msg.collector = self.collectors.insert(collector) as u32;
    }

    /// Sends one part of a judged request.
    pub(super) fn send_part(
        &mut self,
        parent: u32,
        part: u16,
        pin: u32,
        now: Now,
        target: &Target,
        frames: &mut Frames<'_>,
    ) {
        let Some(mut copy) = self.msgs.get(parent as usize).map(Msg::copy) else {
            return;
        };
        copy.parent = parent;
        copy.part = part;
        let child = self.msgs.insert(copy) as u32;
        if target.reachable {
            self.send(child, pin, now, target, frames);
        } else {
            self.finish(child, now, unreachable_text(target).as_bytes());
        }
    }

    /// Splits a request by its keys' owners and sends the pieces.
    #[expect(
        clippy::too_many_arguments,
        reason = "three lists that belong together for this call only"
    )]
    pub(super) fn split(
        &mut self,
        key: u32,
        now: Now,
        form: resp3::Form,
        ask: &Ask<'_>,
        args: &[&[u8]],
        keys: &[Key],
        tokens: &[Token],
    ) {
        let Some(entry) = self.enqueue(key, now, form, ask, ask.raw.len()) else {
            return;
        };
        let (command, class) = (ask.command, ask.class);
        let level = self.level_of(key, class);
        self.divide(key, command, class, tokens);
        let pieces: Vec<Vec<u32>> = self.split.pieces().map(<[u32]>::to_vec).collect();
        let (how, with_values) = match command.name {
            "mget" => (Join::Values, false),
            "mset" => (Join::Ok, true),
            _ => (Join::Sum, false),
        };
        let collector = Collector {
            missing: pieces.len() as u16,
            done: false,
            replies: pieces.iter().map(|_| Chain::new()).collect(),
            method: Method::Join {
                how,
                piece_of: self.split.piece_of().to_vec(),
            },
        };
        let collector = self.collectors.insert(collector) as u32;
        if let Some(msg) = self.msgs.get_mut(entry as usize) {
            msg.collector = collector;
        }
        for (part, piece) in pieces.iter().enumerate() {
            let mut words: Vec<&[u8]> = vec![command.name.as_bytes()];
            for &place in piece {
                let Some(at) = keys.get(place as usize).map(|key| key.index) else {
                    continue;
                };
                words.extend(args.get(at));
                if with_values {
                    words.extend(args.get(at + 1));
                }
            }
            let mut text = Vec::new();
            encode::command(&mut text, &words);
            let mut chain = Chain::new();
            self.pool.copy(&text, &mut chain);
            let Some(mut fragment) = self.msgs.get(entry as usize).map(Msg::copy) else {
                return;
            };
            fragment.parent = entry;
            fragment.part = part as u16;
            let fragment = self.msgs.insert(fragment) as u32;
            self.stats.pool.fragments += 1;
            let token = piece.first().and_then(|&place| tokens.get(place as usize));
            let ask = Ask {
                token: token.copied().unwrap_or_default(),
                raw: Raw::from(&chain),
                ..*ask
            };
            self.count_request(&ask);
            self.place(fragment, key, now, level, &ask);
        }
    }

    /// Takes in the reply to a part.
    pub(super) fn collect(&mut self, entry: u32, now: Now, raw: Raw<'_>) {
        let Some(msg) = self.msgs.get_mut(entry as usize) else {
            return;
        };
        let (parent, part) = (msg.parent, msg.part);
        msg.parent = NONE;
        if msg.is_over() {
            self.msgs.remove(entry as usize);
        }
        let Some(place) = self
            .msgs
            .get(parent as usize)
            .map(|parent| parent.collector as usize)
        else {
            return;
        };
        let Some(collector) = self.collectors.get_mut(place) else {
            return;
        };
        collector.missing -= 1;
        let class = self
            .msgs
            .get(parent as usize)
            .map_or(Class::Read, |parent| parent.class());
        let answer = if collector.done {
            None
        } else {
            collector.take(part, raw)
        };
        if collector.missing == 0 {
            self.collectors.remove(place);
            if let Some(parent) = self.msgs.get_mut(parent as usize) {
                parent.collector = NONE;
            }
        } else if answer.is_some() {
            collector.done = true;
            collector.replies.iter_mut().for_each(Chain::clear);
        }
        match answer {
            Some(mut answer) => {
                if !answer.agreed {
                    match class {
                        Class::Read => self.stats.pool.client_non_quorum_r_responses += 1,
                        Class::Write => self.stats.pool.client_non_quorum_w_responses += 1,
                    }
                }
                let mut reply = Chain::new();
                self.pool.copy(&answer.text, &mut reply);
                reply.append(&mut answer.reply);
                self.finish_raw(parent, now, Raw::from(&reply));
            }
            None if self.msgs.get(parent as usize).is_some_and(Msg::is_over) => {
                self.msgs.remove(parent as usize);
            }
            None => {}
        }
    }
}

/// What a collector answers: text made here, then bytes that came; either may be empty.
struct Answer {
    text: Vec<u8>,
    reply: Chain,
    agreed: bool,
}

impl Answer {
    fn reply(reply: Chain, agreed: bool) -> Answer {
        Answer {
            reply,
            text: Vec::new(),
            agreed,
        }
    }

    fn text(text: impl Into<Vec<u8>>, agreed: bool) -> Answer {
        Answer {
            reply: Chain::new(),
            text: text.into(),
            agreed,
        }
    }
}

impl Collector {
    /// Takes in a part; the answer, if it is known now.
    fn take(&mut self, part: u16, raw: Raw<'_>) -> Option<Answer> {
        let slot = self.replies.get_mut(usize::from(part))?;
        raw.append_to(slot);
        let is_error = raw.first_byte() == Some(b'-');
        match &mut self.method {
            Method::Quorum {
                quorum,
                level,
                order,
                lists,
                dcs,
            } => {
                let reply = if is_error {
                    Reply::Error
                } else {
                    Reply::Good(digest(raw.pieces(), *order))
                };
                let dc = dcs.get(usize::from(part)).copied()?;
                match quorum.reply(dc, part, reply) {
                    Verdict::Pending => None,
                    Verdict::Answer { agreed: false, .. } | Verdict::NoQuorum if *lists => {
                        Some(merged(*level, &self.replies, dcs))
                    }
                    Verdict::Answer { target, agreed } => Some(Answer::reply(
                        std::mem::take(self.replies.get_mut(usize::from(target))?),
                        agreed,
                    )),
                    Verdict::Error { target } => Some(Answer::reply(
                        std::mem::take(self.replies.get_mut(usize::from(target))?),
                        false,
                    )),
                    Verdict::NoQuorum => Some(Answer::text(errors::NO_QUORUM, false)),
                }
            }
            Method::Join { how, piece_of } => {
                if is_error {
                    return Some(Answer::reply(std::mem::take(slot), true));
                }
                (self.missing == 0).then(|| joined(*how, &mut self.replies, piece_of))
            }
        }
    }
}

/// The values of a reply that is an array, or nothing.
fn values(reply: &Chain) -> Vec<Chain> {
    let mut rest = Chain::new();
    rest.append_shared(reply);
    let mut head = [0; 24];
    let n = rest.gather(0, &mut head);
    let Some(end) = head.get(..n).and_then(|head| memchr::memchr(b'\n', head)) else {
        return Vec::new();
    };
    if head.first() != Some(&b'*') {
        return Vec::new();
    }
    rest.advance(end + 1);
    let mut values = Vec::new();
    let mut parser = Parser::default();
    while let Status::Complete(len) = parser.find(&rest) {
        values.push(rest.split_to(len));
    }
    values
}

/// An answer to `MGET` of which every value has its own majority: of the replies of one datacenter,
/// as at any level. If several datacenters count, each must have one; this one's is the answer.
fn merged(level: Consistency, replies: &[Chain], dcs: &[DcId]) -> Answer {
    let mut answer = None;
    for dc in dcs.chunk_by(PartialEq::eq) {
        let of_dc = |at: &&DcId| dc.first() == Some(*at);
        let its: Vec<&Chain> = replies
            .iter()
            .zip(dcs)
            .filter_map(|(reply, at)| of_dc(&at).then_some(reply))
            .collect();
        match merged_in(level, &its) {
            Some(merged) => answer = answer.or(Some(merged)),
            None => return Answer::text(errors::NO_QUORUM, false),
        }
    }
    answer.unwrap_or_else(|| Answer::text(errors::NO_QUORUM, false))
}

/// The same for the replies of one datacenter; `None` if they have no quorum.
fn merged_in(level: Consistency, replies: &[&Chain]) -> Option<Answer> {
    let lists: Vec<&Chain> = replies
        .iter()
        .filter(|reply| reply.first_byte() == Some(b'*'))
        .copied()
        .collect();
    let good: Vec<Vec<Chain>> = lists.iter().map(|list| values(list)).collect();
    let digests: Vec<Vec<u64>> = good
        .iter()
        .map(|values| {
            values
                .iter()
                .map(|value| digest(value.slices().map(|slice| &slice[..]), Order::Kept))
                .collect()
        })
        .collect();
    let digests: Vec<&[u64]> = digests.iter().map(Vec::as_slice).collect();
    let mut chosen = Vec::new();
    let merge = merge::merge(level, replies.len(), &digests, &mut chosen);
    if merge == Merge::Impossible {
        let first = lists.first().filter(|_| level == Consistency::DcQuorum)?;
        let mut reply = Chain::new();
        reply.append_shared(first);
        return Some(Answer::reply(reply, false));
    }
    let mut values: Vec<_> = good.into_iter().map(Vec::into_iter).collect();
    let mut body = Chain::new();
    for &from in &chosen {
        // Each list is walked in step; only the chosen one's value is used.
        for (index, list) in values.iter_mut().enumerate() {
            if let Some(mut value) = list.next()
                && index == usize::from(from)
            {
                body.append(&mut value);
            }
        }
    }
    Some(array(chosen.len(), body, merge == Merge::Agreed))
}

/// An array of so many elements, whose bytes are given.
fn array(count: usize, body: Chain, agreed: bool) -> Answer {
    let mut text = Vec::new();
    encode::array(&mut text, count);
    Answer {
        text,
        reply: body,
        agreed,
    }
}

/// The answer made of all pieces.
fn joined(how: Join, replies: &mut [Chain], piece_of: &[u32]) -> Answer {
    match how {
        Join::Ok => Answer::reply(
            replies.first_mut().map(std::mem::take).unwrap_or_default(),
            true,
        ),
        Join::Sum => {
            let sum: i64 = replies.iter().filter_map(number).sum();
            let mut text = Vec::new();
            encode::integer(&mut text, sum);
            Answer::text(text, true)
        }
        Join::Values => {
            let mut pieces: Vec<_> = replies
                .iter()
                .map(|reply| values(reply).into_iter())
                .collect();
            let mut body = Chain::new();
            for &piece in piece_of {
                match pieces.get_mut(piece as usize).and_then(Iterator::next) {
                    Some(mut value) => body.append(&mut value),
                    // A replica that gives fewer values than it was asked for.
                    None => return Answer::text(errors::INTERNAL, true),
                }
            }
            array(piece_of.len(), body, true)
        }
    }
}

/// The number in an integer reply.
fn number(reply: &Chain) -> Option<i64> {
    let text = reply.to_vec();
    integer(text.strip_prefix(b":")?.strip_suffix(b"\r\n")?)
}
