//! A client of a story, and the checks on its replies.

use super::Canary;
use super::store;
use super::story::Story;
use super::words::{self, Replies};
use crate::simulated::link::Link;
use crate::simulated::tag::{self, Tag};
use crate::simulated::{memcached, resp};
use dynomite::config::StoreKind;
use std::collections::VecDeque;

struct Request {
    tag: Tag,
    replies: Replies,
    is_incr: bool,
}

pub struct Client {
    number: u32,
    pub node: usize,
    pub link: usize,
    kind: StoreKind,
    sent: u32,
    waiting: VecDeque<Request>,
    /// Bytes of requests that are still to be sent.
    pub unsent: Vec<u8>,
    inbox: Vec<u8>,
    /// It reads its replies.
    pub reads: bool,
    /// It has sent bytes that may be any number of requests: its replies cannot be checked any more.
    pub has_sent_raw: bool,
    /// A reply that names no request may have been one to a quiet request: only the number of replies is
    /// checked.
    order_is_unknown: bool,
    replies: u32,
    pub gone: bool,
}

const NAMES: [&str; 4] = ["a", "b", "cc", "user:1000"];
const SIZES: [usize; 6] = [0, 1, 20, 300, 5_000, 70_000];

impl Client {
    pub fn new(number: u32, node: usize, link: usize, kind: StoreKind) -> Client {
        Client {
            number,
            node,
            link,
            kind,
            sent: 0,
            waiting: VecDeque::new(),
            unsent: Vec::new(),
            inbox: Vec::new(),
            reads: true,
            has_sent_raw: false,
            order_is_unknown: false,
            replies: 0,
            gone: false,
        }
    }

    /// Makes one request, or several of one kind.
    pub fn ask(&mut self, story: &mut Story<'_>) {
        let command = story.below(256);
        let shape = story.byte();
        let count = [1, 1, 2, 30][usize::from(shape & 3)];
        let size = SIZES[usize::from(shape >> 2 & 7) % SIZES.len()];
        // Many large values only cost time.
        let count = if size > 300 { 1 } else { count };
        for _ in 0..count {
            let tag = (self.number, self.sent);
            self.sent += 1;
            let names = [usize::from(shape >> 5 & 3), usize::from(shape >> 6 & 3)];
            let keys = names.map(|name| tag::key(NAMES[name], tag));
            // With two equal keys a datastore would count the request twice.
            let other = match names[0] == names[1] {
                true => tag::key("other", tag),
                false => keys[1].clone(),
            };
            let value = vec![b'v'; size];
            let (bytes, replies) = words::request(
                self.kind,
                command,
                shape & 128 != 0,
                [&keys[0], &other],
                &value,
            );
            self.unsent.extend_from_slice(&bytes);
            self.waiting.push_back(Request {
                tag,
                replies,
                is_incr: bytes.windows(4).any(|word| word == b"INCR"),
            });
        }
    }

    /// Appends any bytes.
    pub fn send_raw(&mut self, bytes: &[u8]) {
        self.has_sent_raw = true;
        self.unsent.extend_from_slice(bytes);
    }

    /// Checks what was written to it. `forged`: the story has put bytes into a connection of a datastore or a
    /// peer, so that replies may be wrong.
    pub fn look(
        &mut self,
        link: &mut Link,
        forged: bool,
        canary: Option<Canary>,
    ) -> Result<(), String> {
        if self.reads && link.waiting > 0 {
            link.take(link.waiting);
        }
        if link.written.len() > 0 {
            let times = match canary {
                Some(Canary::RepliesTwice) => 2,
                Some(Canary::LosesReply) => 0,
                _ => 1,
            };
            for _ in 0..times {
                self.inbox.extend_from_slice(link.written.view());
            }
            link.written.clear();
            self.read_replies(forged)?;
        }
        self.gone |= link.closed || link.is_reset();
        Ok(())
    }

    fn read_replies(&mut self, forged: bool) -> Result<(), String> {
        let delimit = match self.kind {
            StoreKind::Redis => resp::delimit,
            StoreKind::Memcache => memcached::delimit,
        };
        let mut at = 0;
        while !self.has_sent_raw {
            let rest = &self.inbox[at..];
            let length = match delimit(rest) {
                Ok(Some(length)) => length,
                Ok(None) => break,
                Err(_) if forged => {
                    self.has_sent_raw = true;
                    break;
                }
                Err(why) => return Err(why),
            };
            let reply = rest[..length].to_vec();
            self.check_reply(&reply, forged)?;
            at += length;
        }
        match self.has_sent_raw {
            true => self.inbox.clear(),
            false => drop(self.inbox.drain(..at)),
        }
        Ok(())
    }

    fn check_reply(&mut self, reply: &[u8], forged: bool) -> Result<(), String> {
        let text = || String::from_utf8_lossy(&reply[..reply.len().min(100)]).into_owned();
        self.replies += 1;
        if self.replies > self.sent {
            return Err(format!(
                "asked {} times, and is skips {:?}",
                self.sent,
                text()
            ));
        }
        let named = match forged {
            true => None,
            false => named(reply),
        };
        if self.order_is_unknown {
            return Ok(());
        }
        // Quiet requests without a reply.
        while let Some(named) = named
            && let Some(first) = self.waiting.front()
            && first.tag != named
            && first.replies == Replies::AtMostOne
        {
            self.waiting.pop_front();
        }
        if named.is_none()
            && self
                .waiting
                .front()
                .is_some_and(|first| first.replies == Replies::AtMostOne)
        {
            self.order_is_unknown = true;
            return Ok(());
        }
        let Some(first) = self.waiting.pop_front() else {
            return Err(format!("waits for nothing, and is skips {:?}", text()));
        };
        if let Some(named) = named
            && named != first.tag
        {
            return Err(format!("{:?} is answered by {:?}", first.tag, text()));
        }
        let is_number = reply.first() == Some(&b':');
        if !forged
            && first.is_incr
            && is_number
            && reply != format!(":{}\r\n", store::number(first.tag)).as_bytes()
            && reply != b":7\r\n"
        {
            return Err(format!("{:?} is answered by {:?}", first.tag, text()));
        }
        Ok(())
    }

    /// The number of replies that must still come.
    pub fn missing(&self) -> usize {
        if self.gone || self.has_sent_raw || self.order_is_unknown {
            return 0;
        }
        let sure = self.waiting.iter().filter(|of| of.replies == Replies::One);
        sure.count()
    }

    pub fn describe(&self) -> String {
        let Client { number, node, .. } = self;
        let first = self.waiting.front().map(|of| of.tag);
        format!(
            "client {number} at node {node} has {} of {} replies, and waits for {first:?}",
            self.replies, self.sent
        )
    }
}

/// The request that a reply names.
fn named(reply: &[u8]) -> Option<Tag> {
    let text = String::from_utf8_lossy(reply);
    let mut words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '.');
    words.find_map(tag::parse)
}
