//! What a client of Redis asks for.

use super::{Answer, Client, Mode};
use crate::sim::resp;

/// The beginning of a request that never ends.
pub(super) const HALF: &[u8] = b"*2\r\n$3\r\nGET\r\n$100\r\nhalf a ";
/// A request that must not reach the datastore; a datastore would complain that it has no tag.
pub(super) const BEHIND_THE_END: &[u8] = b"*2\r\n$3\r\nGET\r\n$1\r\na\r\n";
/// What breaks the protocol, and the words of the error.
pub(super) const BAD: &[(&[u8], &str)] = &[
    (b"*1\r\n$x\r\n", "invalid bulk length"),
    (b"*x\r\n", "invalid multibulk length"),
    (b"*1\r\n:1\r\n", "expected '$'"),
    (b"*2\r\n$3\r\nGETxx", "Protocol error"),
    (b"set \"a\r\n", "unbalanced quotes"),
    (b"POST / HTTP/1.1\r\n", ""),
];

impl Client {
    /// Makes one more request.
    pub(super) fn make_redis(&mut self) {
        let random = &mut self.random;
        let tag = format!("c{}.{}", self.number, self.seq);
        let key = format!("{tag}:{}", random.below(5));
        let value = {
            let n = if random.chance(100) { self.longest } else { 5 };
            vec![b'x'; random.below(n)]
        };
        let key = key.as_bytes();
        let args: Vec<&[u8]> = match random.below(20) {
            0..=3 => vec![b"GET", key],
            4..=7 => vec![b"SET", key, &value],
            8 => vec![b"INCR", key],
            9 => vec![b"APPEND", key, &value],
            10 => vec![b"MGET", key, b"other", b"third"],
            11 => vec![b"MSET", key, &value, b"other", &value],
            12 => vec![b"HGETALL", key],
            13 => vec![b"SMEMBERS", key],
            14 => vec![b"LRANGE", key, b"0", b"-1"],
            15 => vec![b"PING", key],
            _ => return self.make_odd(&tag),
        };
        let bytes = resp::command(&args);
        self.queue(&bytes, Answer::OfStore, false);
    }

    /// Makes a request that the node answers itself, or of an unusual form.
    fn make_odd(&mut self, tag: &str) {
        let kind = self.random.below(12);
        let bulk = |text: &str| format!("${}\r\n{text}\r\n", text.len()).into_bytes();
        match kind {
            0 => {
                let line = format!("get {tag}:0\r\n");
                self.queue(line.as_bytes(), Answer::OfStore, false);
            }
            1 => {
                let line = format!("SET \"{tag}:\\x41\" 'a b'\n");
                self.queue(line.as_bytes(), Answer::OfStore, false);
            }
            2 | 3 => {
                let bytes = resp::command(&[b"echo", tag.as_bytes()]);
                self.queue(&bytes, Answer::Exactly(bulk(tag)), false);
            }
            4 => {
                let bytes = resp::command(&[b"nosuch", tag.as_bytes()]);
                self.queue(&bytes, Answer::ErrorWith(tag.into()), false);
            }
            5 => {
                let bytes = resp::command(&[b"get"]);
                self.queue(&bytes, Answer::ErrorWith("'get' command".into()), false);
            }
            6 => {
                // Nothing to answer, and no request: it does not use up a SKIP either.
                let bytes = self
                    .random
                    .pick(&[b"\r\n".as_slice(), b"*0\r\n", b"*-1\r\n"]);
                self.unsent.push(bytes);
                self.made += bytes.len() as u64;
            }
            7 => {
                let bytes = resp::command(&[b"select", b"0"]);
                self.queue(&bytes, Answer::Exactly(b"+OK\r\n".to_vec()), false);
            }
            8 if self.mode == Mode::On => {
                let bytes = resp::command(&[b"client", b"reply", b"skip"]);
                self.queue(&bytes, Answer::Silence, false);
                self.skip = true;
            }
            9 if self.random.chance(300) => {
                let bytes = resp::command(&[b"client", b"reply", b"off"]);
                self.queue(&bytes, Answer::Silence, false);
                self.mode = Mode::Off;
                self.skip = false;
            }
            9 | 10 if self.mode == Mode::Off => {
                let bytes = resp::command(&[b"client", b"reply", b"on"]);
                self.mode = Mode::On;
                self.skip = false;
                self.queue(&bytes, Answer::Exactly(b"+OK\r\n".to_vec()), false);
            }
            11 => {
                let version = self.random.pick(&[b"2", b"3"]);
                let bytes = resp::command(&[b"hello", version]);
                // Silent or not, the protocol changes.
                self.resp3 = version == b"3";
                self.queue(&bytes, Answer::Any, false);
            }
            _ => {
                let key = format!("{tag}:9");
                let bytes = resp::command(&[b"del", key.as_bytes()]);
                self.queue(&bytes, Answer::OfStore, false);
            }
        }
    }
}
