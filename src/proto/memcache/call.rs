//! A request that has been understood.

use super::base64;
use super::command::{self, Command};
use crate::proto::Class;
use std::borrow::Cow;

/// One request, as it goes to a datastore: in canonical form, never with `noreply` or the meta flag
/// `q`, so that each is answered exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// Its row.
    pub command: &'static Command,
    /// What it asks for.
    pub body: Body<'a>,
    /// What of the answer the client does not want.
    pub quiet: Quiet,
}

/// What of an answer a client does not want to hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quiet {
    /// It wants to hear everything.
    #[default]
    No,
    /// `noreply`: nothing.
    All,
    /// The meta flag `q`: not what is normal for the command.
    Nominal,
}

/// What a request asks for. Lines are told without their data block.
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
    /// As it stands in the line: in base64 if there is a flag `b`.
    pub key: &'a [u8],
    /// `ms`: bytes of the value, without the CR LF behind it.
    pub len: Option<u32>,
    /// Each with its token, in the client's order, without `q`. No letter stands twice.
    pub flags: Vec<&'a [u8]>,
}

impl Meta<'_> {
    /// Whether the key is in base64.
    pub fn is_base64(&self) -> bool {
        self.token(b'b').is_some()
    }

    /// What stands behind the letter of a flag; empty for flags that are only a letter.
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

    /// Whether it changes data: as its row says, but an `mg` that sets an expiration time or creates what is
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

/// Whether memcached would keep this reply to a request with the meta flag `q` to itself. `reply_start`: its
/// first bytes, at least two.
///
/// As memcached 1.6.18: it keeps a miss of `mg` and a success of the others to itself. (It lets one success
/// of `ma` be heard, which cannot be told from the others: a value that was created by the flag `N`.)
pub fn is_suppressed(command: &Command, reply_start: &[u8]) -> bool {
    let code = reply_start.get(..2).unwrap_or_default();
    if *command == command::META_GET {
        code == b"EN"
    } else if *command == command::META_ARITHMETIC {
        code == b"HD" || code == b"VA"
    } else {
        (*command == command::META_SET || *command == command::META_DELETE) && code == b"HD"
    }
}

fn push_word(out: &mut Vec<u8>, word: &[u8]) {
    out.push(b' ');
    out.extend_from_slice(word);
}

fn push_number(out: &mut Vec<u8>, value: impl itoa::Integer) {
    push_word(out, itoa::Buffer::new().format(value).as_bytes());
}

impl PartialEq for Command {
    fn eq(&self, other: &Command) -> bool {
        self.index() == other.index()
    }
}

impl Eq for Command {}
