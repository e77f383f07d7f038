//! Scripts this node has seen, for datastores that have lost them.
//!
//! `EVALSHA` goes to every rack, by the script's hash alone. A datastore that was started anew has no scripts;
//! it says so, and of all that say so only the one in the client's own rack is heard: in the other racks the
//! write would be missing, time after time, without a word. So every node of a cluster with several racks
//! remembers the scripts that pass through it, from clients and from peers, and where its datastore or a peer
//! of this datacenter has not got one, it is sent the script itself, as `EVAL`. Nothing has been run there, so
//! nothing is run twice. A message to another datacenter, which goes to several racks there, is not sent again:
//! that is for the node there to do.
//!
//! | limit | at the limit |
//! |---|---|
//! | [`MOST_BYTES`], [`MOST_SCRIPTS`] | the oldest is forgotten |
//! | [`LONGEST`] | a longer script is not remembered |
//!
//! What is not remembered is an error for the client or a write missed in another rack, as it would be anyway.
//! `SCRIPT FLUSH` has all forgotten.

use super::Node;
use super::frame::Frames;
use super::ids::{ReqId, SlotId};
use super::msg::Flags;
use crate::clock::Now;
use crate::config::StoreKind;
use crate::hashkit::digest::digest;
use crate::log_at;
use crate::mbuf::{Chain, Raw};
use crate::proto::dnode::Kind;
use crate::proto::redis::command::{Command, Script, command, is_by_hash};
use crate::proto::redis::lookup::lookup;
use crate::proto::redis::{encode, request};
use openssl::sha::sha1;
use std::collections::{HashMap, HashSet, VecDeque};

/// Bytes of scripts that are remembered.
const MOST_BYTES: usize = 8 << 20;
/// How many are.
const MOST_SCRIPTS: usize = 4096;
/// The longest that is, in bytes.
const LONGEST: usize = 1 << 20;
/// What Redis says of a hash it does not know; has been the same since Redis 2.6.
const UNKNOWN: &[u8] = b"-NOSCRIPT No matching script. Please use EVAL.\r\n";

/// Scripts by their hashes.
#[derive(Default)]
pub(super) struct Scripts {
    bodies: HashMap<[u8; 20], Vec<u8>>,
    /// Of all there are: a digest that is cheaper than the hash, to know one again.
    known: HashSet<u64>,
    /// The oldest first.
    order: VecDeque<([u8; 20], u64)>,
    bytes: usize,
}

impl Scripts {
    /// Remembers a script.
    fn learn(&mut self, body: &[u8]) {
        let mark = digest(std::iter::once(body));
        if body.len() > LONGEST || !self.known.insert(mark) {
            return;
        }
        let hash = sha1(body);
        self.bytes += body.len();
        self.bodies.insert(hash, body.to_vec());
        self.order.push_back((hash, mark));
        while self.bytes > MOST_BYTES || self.order.len() > MOST_SCRIPTS {
            let Some((hash, mark)) = self.order.pop_front() else {
                break;
            };
            self.known.remove(&mark);
            let body = self.bodies.remove(&hash);
            self.bytes -= body.map_or(0, |body| body.len());
        }
    }

    /// The script with this hash, given in hexadecimal digits.
    fn find(&self, digits: &[u8]) -> Option<&[u8]> {
        let mut hash = [0; 20];
        if digits.len() != 2 * hash.len() {
            return None;
        }
        for (byte, pair) in hash.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        self.bodies.get(&hash).map(Vec::as_slice)
    }
}

impl Node {
    /// Takes note of a script in a request that is served, and of those that are no more.
    pub(super) fn note_script(&mut self, command: &Command, args: &[&[u8]]) {
        if !self.facts.replicated {
            return;
        }
        let body = match command.script {
            Script::Text(at) => args.get(usize::from(at)),
            Script::Forgotten => {
                self.scripts = Scripts::default();
                None
            }
            Script::None | Script::Hash(_) => None,
        };
        if let Some(body) = body {
            self.scripts.learn(body);
        }
    }

    /// Keeps an `EVALSHA` that may have to be sent again with its script.
    pub(super) fn keep_evalsha(&mut self, entry: ReqId, raw: Raw<'_>) {
        let msg = self.flight.get(entry);
        let is_redis = self.options.store == StoreKind::Redis;
        if self.facts.replicated && is_redis && msg.is_some_and(|msg| !msg.flags.has(Flags::KEPT)) {
            self.keep_request(entry, raw);
        }
    }

    /// Sends a request once more, with its script, if this reply says that the script is not known there and it
    /// is known here. The message has left the queue of its upstream.
    pub(super) fn resend_script(
        &mut self,
        slot: SlotId,
        entry: ReqId,
        now: Now,
        reply: Raw<'_>,
    ) -> bool {
        let Some(msg) = self.flight.get_mut(entry) else {
            return false;
        };
        if !is_by_hash(msg.command)
            || reply.len() != UNKNOWN.len()
            || reply.start(&mut [0; UNKNOWN.len()]) != UNKNOWN
        {
            return false;
        }
        let Some(Script::Hash(name)) = command(msg.command).map(|row| row.script) else {
            return false;
        };
        let asked = msg.reply.to_vec();
        let args: Vec<&[u8]> = request::arguments(&asked).collect();
        let [_, hash, rest @ ..] = args.as_slice() else {
            return false;
        };
        let (Some(body), Some(row), Some(upstream)) = (
            self.scripts.find(hash),
            lookup(name.as_bytes()),
            self.upstreams.get(slot),
        ) else {
            return false;
        };
        let mut text = Vec::new();
        let words: Vec<&[u8]> = [name.as_bytes(), body]
            .into_iter()
            .chain(rest.iter().copied())
            .collect();
        encode::command(&mut text, &words);
        let mut chain = Chain::new();
        self.pool.copy(&text, &mut chain);
        let raw = Raw::from(&chain);
        log_at!(Notice, "{} has no such script, and gets it", upstream.id);
        msg.flags = msg.flags.without(Flags::KEPT);
        let flags = msg.flags;
        msg.reply.clear();
        msg.command = row.index();
        // Its place is behind all others now.
        msg.start = now.mono_us;
        if upstream.is_store() {
            self.put_store(slot, entry, flags, now, raw);
        } else {
            let mut frames = Frames::new(self.next_wire_id(), raw);
            self.send_to_peer(slot, entry, now, Kind::Request, &mut frames);
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(body: &[u8]) -> String {
        sha1(body)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    #[test]
    fn scripts_are_found_by_their_hash_and_the_oldest_go() {
        let mut scripts = Scripts::default();
        scripts.learn(b"return 1");
        assert_eq!(
            hash(b"return 1"),
            "e0e1f9fabfc9d4800c877a703b823ac0578ff8db"
        );
        let upper = hash(b"return 1").to_uppercase();
        assert_eq!(scripts.find(upper.as_bytes()), Some(&b"return 1"[..]));
        for wrong in ["", "e0", "zz", &"z".repeat(40), &"é".repeat(20)] {
            assert_eq!(scripts.find(wrong.as_bytes()), None, "{wrong}");
        }
        scripts.learn(&vec![b'x'; LONGEST + 1]);
        assert_eq!(scripts.order.len(), 1);
        for n in 0..20 {
            scripts.learn(&vec![n; LONGEST]);
            scripts.learn(&vec![n; LONGEST]);
            assert!(scripts.bytes <= MOST_BYTES);
        }
        assert_eq!(scripts.find(upper.as_bytes()), None);
        assert!(scripts.find(hash(&vec![19; LONGEST]).as_bytes()).is_some());
        for n in 0..2 * MOST_SCRIPTS {
            scripts.learn(n.to_string().as_bytes());
        }
        assert_eq!(scripts.order.len(), MOST_SCRIPTS);
        assert_eq!(scripts.known.len(), MOST_SCRIPTS);
        assert_eq!(scripts.bodies.len(), MOST_SCRIPTS);
        let bytes: usize = scripts.bodies.values().map(Vec::len).sum();
        assert_eq!(scripts.bytes, bytes);
    }
}
