//! A request that has been understood.

use super::base64;
use super::command::Command;
use super::line::MAX_SENT;
use super::meta::Verb;
use super::reply_line::code;
use crate::proto::Class;
use std::borrow::Cow;

/// One request, as it goes to a datastore: in canonical form, never with `noreply` or the meta flag
/// `q`, so that each is answered exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// Its row.
    pub command: &'static Command,
    /// The operation and its arguments.
    pub body: Body<'a>,
    /// The answers that the client does not want.
    pub quiet: Quiet,
}

/// The answers that a client does not want.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quiet {
    /// It wants all.
    #[default]
    No,
    /// `noreply`: it wants none.
    All,
    /// The meta flag `q`: it does not want the normal answer of the command.
    Nominal,
}

/// The operation of a request and its arguments, without the data block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// `get`, `gets`, `gat`, `gats`.
    Get {
        /// `gat` and `gats`: the new expiration time.
        exptime: Option<i32>,
        /// At least one, each of 1 to 250 bytes.
        keys: Vec<&'a [u8]>,
    },
    /// `set`, `add`, `replace`, `append`, `prepend`, `cas`.
    Store {
        key: &'a [u8],
        flags: u32,
        exptime: i32,
        /// Bytes of the value, without the CR LF behind it.
        len: u32,
        /// `cas`: the version that is to be replaced.
        unique: Option<u64>,
    },
    /// `delete`.
    Delete { key: &'a [u8] },
    /// `incr`, `decr`.
    Arithmetic { key: &'a [u8], delta: u64 },
    /// `touch`.
    Touch { key: &'a [u8], exptime: i32 },
    /// `mg`, `ms`, `md`, `ma`.
    Meta(Meta<'a>),
    /// `version`, `stats`: the words after the name.
    Words(Vec<&'a [u8]>),
    /// `flush_all`.
    Flush { delay: Option<i32> },
}

/// A meta command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta<'a> {
    /// The key as in the line: in base64 if there is a flag `b`.
    pub key: &'a [u8],
    /// `ms`: bytes of the value, without the CR LF behind it.
    pub len: Option<u32>,
    /// Each with its token, in the client's order, without `q`. No letter occurs twice.
    pub flags: Vec<&'a [u8]>,
}

impl Meta<'_> {
    /// Returns true if the key is in base64.
    pub fn is_base64(&self) -> bool {
        self.token(b'b').is_some()
    }

    /// The token behind the letter of a flag; empty for flags that are only a letter.
    pub fn token(&self, letter: u8) -> Option<&[u8]> {
        self.flags
            .iter()
            .find_map(|flag| flag.strip_prefix(&[letter]))
    }
}

impl<'a> Call<'a> {
    /// Appends the canonical line with CR LF. A data block is not part of it.
    pub fn encode(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.command.name.as_bytes());
        match &self.body {
            Body::Get { exptime, keys } => {
                if let Some(exptime) = exptime {
                    push_number(out, *exptime);
                }
                keys.iter().for_each(|key| push_word(out, key));
            }
            Body::Store {
                key,
                flags,
                exptime,
                len,
                unique,
            } => {
                push_word(out, key);
                push_number(out, *flags);
                push_number(out, *exptime);
                push_number(out, *len);
                if let Some(unique) = unique {
                    push_number(out, *unique);
                }
            }
            Body::Delete { key } => push_word(out, key),
            Body::Arithmetic { key, delta } => {
                push_word(out, key);
                push_number(out, *delta);
            }
            Body::Touch { key, exptime } => {
                push_word(out, key);
                push_number(out, *exptime);
            }
            Body::Meta(meta) => {
                push_word(out, meta.key);
                if let Some(len) = meta.len {
                    push_number(out, len);
                }
                meta.flags.iter().for_each(|flag| push_word(out, flag));
            }
            Body::Words(words) => words.iter().for_each(|word| push_word(out, word)),
            Body::Flush { delay } => {
                if let Some(delay) = delay {
                    push_number(out, *delay);
                }
            }
        }
        out.extend_from_slice(b"\r\n");
    }

    /// The class: that of its row, but an `mg` that sets an expiration time or creates what is
    /// missing does.
    pub fn class(&self) -> Class {
        match &self.body {
            Body::Meta(meta) if meta.token(b'T').is_some() || meta.token(b'N').is_some() => {
                Class::Write
            }
            _ => self.command.class,
        }
    }

    /// The keys as memcached stores them, which is as they are hashed; in the client's order.
    pub fn keys(&self) -> impl Iterator<Item = Cow<'_, [u8]>> {
        let (one, many) = match &self.body {
            Body::Get { keys, .. } => (None, keys.as_slice()),
            Body::Store { key, .. }
            | Body::Delete { key }
            | Body::Arithmetic { key, .. }
            | Body::Touch { key, .. } => (Some(Cow::Borrowed(*key)), &[][..]),
            Body::Meta(meta) => {
                let decoded = if meta.is_base64() {
                    base64::decode(meta.key)
                } else {
                    None
                };
                let key = decoded.map_or(Cow::Borrowed(meta.key), Cow::Owned);
                (Some(key), &[][..])
            }
            Body::Words(_) | Body::Flush { .. } => (None, &[][..]),
        };
        one.into_iter()
            .chain(many.iter().map(|key| Cow::Borrowed(*key)))
    }

    /// Bytes of the value that follows, without the CR LF behind it; `None` if none follows.
    pub fn data_len(&self) -> Option<u32> {
        match &self.body {
            Body::Store { len, .. } => Some(*len),
            Body::Meta(meta) => meta.len,
            _ => None,
        }
    }

    /// The keys of a `gat` or `gats` in as many parts as it has to be sent in, by how many keys each has: its line
    /// must not be longer than [`MAX_SENT`]. A `get` or `gets` may be of any length.
    pub fn fitting(&self, keys: impl Iterator<Item = &'a [u8]>) -> Vec<usize> {
        let is_bound = matches!(
            self.body,
            Body::Get {
                exptime: Some(_),
                ..
            }
        );
        let (mut parts, mut count, mut len) = (Vec::new(), 0, Self::LONGEST_START);
        for key in keys {
            if is_bound && len + 1 + key.len() > MAX_SENT {
                parts.push(std::mem::take(&mut count));
                len = Self::LONGEST_START;
            }
            count += 1;
            len += 1 + key.len();
        }
        parts.push(count);
        parts
    }

    /// Returns true if it is a `gat` or `gats` whose line is longer than [`MAX_SENT`]: memcached may refuse it.
    pub fn is_too_long(&self) -> bool {
        let Body::Get {
            exptime: Some(_),
            keys,
        } = &self.body
        else {
            return false;
        };
        let words: usize = keys.iter().map(|key| 1 + key.len()).sum();
        words + Self::LONGEST_START > MAX_SENT && {
            let mut line = Vec::new();
            self.encode(&mut line);
            line.len() > MAX_SENT
        }
    }

    /// Bytes of the name, the longest expiration time, and the line end.
    const LONGEST_START: usize = "gats -2147483648\r\n".len();

    /// The same for some of the keys of a `get`, `gets`, `gat` or `gats`; any other call as it is.
    pub fn with_keys(&self, keys: Vec<&'a [u8]>) -> Call<'a> {
        let mut call = Call {
            command: self.command,
            body: Body::Words(Vec::new()),
            quiet: self.quiet,
        };
        call.body = match &self.body {
            Body::Get { exptime, .. } => Body::Get {
                exptime: *exptime,
                keys,
            },
            other => other.clone(),
        };
        call
    }
}

/// Returns true if memcached would keep this reply to a request with the meta flag `q` to itself. `reply_start`: its
/// first bytes, at least two.
///
/// As memcached 1.6.18: it keeps a miss of `mg` and a success of the others to itself. (It lets one success
/// of `ma` be heard, which cannot be distinguished from the others: a value that was created by the flag `N`.)
pub fn is_suppressed(command: &Command, reply_start: &[u8]) -> bool {
    let code = code(reply_start);
    match command.meta {
        Some(Verb::Get) => code == b"EN",
        Some(Verb::Arithmetic) => code == b"HD" || code == b"VA",
        Some(Verb::Set | Verb::Delete) => code == b"HD",
        None => false,
    }
}

fn push_word(out: &mut Vec<u8>, word: &[u8]) {
    out.push(b' ');
    out.extend_from_slice(word);
}

fn push_number(out: &mut Vec<u8>, value: impl itoa::Integer) {
    push_word(out, itoa::Buffer::new().format(value).as_bytes());
}

#[cfg(test)]
mod tests {
    use super::super::line::{Outcome, read};
    use super::*;

    fn call(line: &str) -> Call<'_> {
        match read(line.as_bytes()) {
            Outcome::Call(call) => call,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn lines_become_canonical() {
        for (line, canonical) in [
            ("  get  a   b ", "get a b"),
            ("gat +7 a b", "gat 7 a b"),
            ("set a 4294967297 -0 03 noreply", "set a 1 0 3"),
            (
                "cas a 0 -1 3 018446744073709551615 x",
                "cas a 0 -1 3 18446744073709551615",
            ),
            ("delete a 0 noreply", "delete a"),
            ("incr a 007 8", "incr a 7"),
            ("touch a 2147483648 x", "touch a -2147483648"),
            ("mg YWJj vv q b k P1 O1 T+5", "mg YWJj v b k O1 T+5"),
            ("ms a +2 q MS", "ms a 2 MS"),
            ("version 1 2", "version"),
            ("stats  items 5", "stats items"),
            ("flush_all noreply", "flush_all"),
            ("flush_all 05 noreply", "flush_all 5"),
        ] {
            let mut out = Vec::new();
            call(line).encode(&mut out);
            assert_eq!(String::from_utf8(out).unwrap(), format!("{canonical}\r\n"));
        }
    }

    #[test]
    fn keys_are_told_as_they_are_stored() {
        let keys = |line: &str| call(line).keys().map(Cow::into_owned).collect::<Vec<_>>();
        assert_eq!(keys("get a b a"), [b"a", b"b", b"a"]);
        assert_eq!(keys("cas a 0 0 1 1"), [b"a"]);
        assert_eq!(keys("mg YWJj v"), [b"YWJj"]);
        assert_eq!(keys("mg YWJj b"), [b"abc"]);
        assert!(keys("stats").is_empty() && keys("flush_all").is_empty());
        assert_eq!(call("ms a 5").data_len(), Some(5));
        assert_eq!(call("set a 0 0 7").data_len(), Some(7));
        assert_eq!(call("mg a v").data_len(), None);
    }

    #[test]
    fn an_mg_that_sets_a_time_or_creates_is_a_write() {
        for (line, class) in [
            ("mg a v", Class::Read),
            ("mg a v R5 OT", Class::Read),
            ("mg a T5", Class::Write),
            ("mg a v N5", Class::Write),
            ("get a", Class::Read),
            ("gat 5 a", Class::Write),
            ("md a", Class::Write),
        ] {
            assert_eq!(call(line).class(), class, "{line}");
        }
    }

    #[test]
    fn a_long_gat_is_sent_in_parts_that_fit() {
        let fitting = |line: &str| {
            let call = call(line);
            let Body::Get { keys, .. } = &call.body else {
                panic!("{line}");
            };
            let parts = call.fitting(keys.iter().copied());
            assert_eq!(parts.iter().sum::<usize>(), keys.len());
            let mut rest = &keys[..];
            for part in &parts {
                let (now, later) = rest.split_at(*part);
                let mut out = Vec::new();
                call.with_keys(now.to_vec()).encode(&mut out);
                assert!(out.len() <= MAX_SENT || call.command.name.starts_with("get"));
                rest = later;
            }
            parts
        };
        assert_eq!(fitting("gat 0 a b c"), [3]);
        let keys = vec!["k".repeat(250); 20].join(" ");
        assert_eq!(fitting(&format!("gat -2147483648 {keys}")), [8, 8, 4]);
        assert_eq!(fitting(&format!("gats 0 {keys}")), [8, 8, 4]);
        assert_eq!(fitting(&format!("get {keys}")), [20]);
    }

    #[test]
    fn a_retrieval_is_split_by_keys() {
        let mut out = Vec::new();
        call("gats 5 a b c")
            .with_keys(vec![b"c", b"a"])
            .encode(&mut out);
        assert_eq!(out, b"gats 5 c a\r\n");
    }
}
