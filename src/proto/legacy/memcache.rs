//! Requests and replies between this implementation and a C node in front of memcached.
//!
//! A C replica closes the connection, and so fails everything outstanding on it, at a command or a
//! form its parser does not know; and a request with `noreply` puts its datastore's replies out of
//! step. What it takes goes to it as it stands; of the rest, what classic commands can say is
//! translated, and the reply back, so that the client gets exactly what memcached would have said to
//! its own request ([`reply`]). What they cannot say is refused: an item's age, what is left of its
//! life, who may recache it.
//!
//! Two things a translation cannot carry: that an item was stored under a key in base64 (memcached
//! answers in the form in which it was stored, the translation in the one in which it is asked for),
//! and that a read was not to count as one (flag `u`).
//!
//! A C requester in turn sends classic commands only, whose replies it can read. Of errors it knows
//! `ERROR`, alone in its line, and `CLIENT_ERROR` and `SERVER_ERROR` with any text; anything else it
//! cannot read closes its connection to us.

use crate::mbuf::{Chain, Pool};
use crate::proto::memcache::blocks::Blocks;
use crate::proto::memcache::call::{Body, Call, Meta};
use crate::proto::memcache::command::{self, Command};
use crate::proto::memcache::head::{Head, MAX_KEY_LEN};
use crate::proto::memcache::meta::Verb;
use crate::proto::memcache::{base64, number, rewrite};

/// The version in the reply for an item that a C node has stored: memcached's classic commands return none, and no
/// item will ever have this one.
const NO_VERSION: u64 = u64::MAX;

/// Longest opaque flag in bytes that memcached returns, its letter included.
const MAX_OPAQUE_LEN: usize = 32;

/// Longest time that counts from now, in seconds: 30 days. A greater one is seconds since the Unix
/// epoch (memcached's protocol.txt, *Expiration times*).
const LONGEST_RELATIVE: i32 = 60 * 60 * 24 * 30;
/// A moment in January 1970, as a time that memcached takes for absolute. It puts the same in place of
/// a negative time: long expired.
const LONG_AGO: i32 = LONGEST_RELATIVE + 1;

/// An expiration time without a sign, of the same meaning.
fn readable(exptime: i32) -> i32 {
    if exptime < 0 { LONG_AGO } else { exptime }
}

/// Returns true if an item with this expiration time has expired at `now_secs`, seconds since the Unix epoch.
fn is_past(exptime: i32, now_secs: u64) -> bool {
    exptime < 0 || exptime > LONGEST_RELATIVE && u64::from(exptime.unsigned_abs()) <= now_secs
}

/// The request with expiration times that a C node reads: without a sign. `None` if it can stay as it is.
///
/// `append` and `prepend` ignore theirs.
pub fn unsigned<'a>(call: &Call<'a>) -> Option<Call<'a>> {
    let mut changed = call.clone();
    match &mut changed.body {
        Body::Store { exptime, .. } | Body::Touch { exptime, .. } if *exptime < 0 => {
            let ignored = call.command.ignores_exptime;
            *exptime = if ignored { 0 } else { LONG_AGO };
        }
        _ => return None,
    }
    Some(changed)
}

/// How a request can be sent to a C node.
#[derive(Debug, PartialEq, Eq)]
pub enum Form<'a> {
    /// It is sent unchanged.
    Plain,
    /// As these requests, one after the other on one connection.
    Translated {
        /// At least one.
        calls: Vec<Call<'a>>,
        /// Which of them has the data block, and the reply that is turned back by [`reply`]. The
        /// others' replies are dropped. It is the last, but for one that fetches items whose life it
        /// ends.
        answer: usize,
    },
    /// Not at all.
    Refused(Refusal),
}

impl<'a> Form<'a> {
    fn translated(call: Call<'a>) -> Form<'a> {
        Form::Translated {
            calls: vec![call],
            answer: 0,
        }
    }
}

/// Why a request cannot be sent to a C node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It knows no such command, and no equivalent.
    Command,
    /// A key has bytes that it must not see.
    Key,
}

impl Refusal {
    /// The error line for the client, complete with CR LF.
    pub fn line(self) -> &'static str {
        match self {
            Refusal::Command => {
                "SERVER_ERROR Dynomite: command is unknown to a peer that runs the original Dynomite\r\n"
            }
            Refusal::Key => {
                "SERVER_ERROR Dynomite: key is not fit for a peer that runs the original Dynomite\r\n"
            }
        }
    }
}

/// Returns true if a C node takes the key: without blanks and control bytes.
fn is_fit(key: &[u8]) -> bool {
    (1..=MAX_KEY_LEN).contains(&key.len()) && key.iter().all(|byte| *byte > b' ' && *byte != 0x7f)
}

/// How a request can be sent to a C node at `now_secs`, seconds since the Unix epoch. New words are
/// written to `text`.
pub fn form<'a>(call: &Call<'a>, now_secs: u64, text: &'a mut Vec<u8>) -> Form<'a> {
    let keys = match &call.body {
        Body::Get { keys, .. } => keys.as_slice(),
        Body::Store { key, .. }
        | Body::Delete { key }
        | Body::Arithmetic { key, .. }
        | Body::Touch { key, .. } => std::slice::from_ref(key),
        Body::Meta(meta) => return meta_form(call, meta, now_secs, text),
        Body::Words(_) | Body::Flush { .. } => return Form::Refused(Refusal::Command),
    };
    if !keys.iter().all(|key| is_fit(key)) {
        return Form::Refused(Refusal::Key);
    }
    match &call.body {
        &Body::Get {
            exptime: Some(exptime),
            ref keys,
        } => {
            let command = if call.command.tells_versions {
                &command::GETS
            } else {
                &command::GET
            };
            fetch_and_touch(call, command, keys, exptime, now_secs)
        }
        _ => unsigned(call).map_or(Form::Plain, Form::translated),
    }
}

/// A `get`, with a `touch` for each key.
fn fetch_and_touch<'a>(
    call: &Call<'a>,
    command: &'static Command,
    keys: &[&'a [u8]],
    exptime: i32,
    now_secs: u64,
) -> Form<'a> {
    let exptime = readable(exptime);
    let get = Body::Get {
        exptime: None,
        keys: keys.to_vec(),
    };
    let mut calls = vec![as_call(call, command, get)];
    let touches = keys.iter().map(|&key| {
        let body = Body::Touch { key, exptime };
        as_call(call, &command::TOUCH, body)
    });
    let answer = if is_past(exptime, now_secs) {
        calls.extend(touches);
        0
    } else {
        // The answer shows that they are done.
        calls.splice(0..0, touches);
        calls.len() - 1
    };
    Form::Translated { calls, answer }
}

fn as_call<'a>(call: &Call<'a>, command: &'static Command, body: Body<'a>) -> Call<'a> {
    Call {
        command,
        body,
        quiet: call.quiet,
    }
}

/// The flags of a meta command, as far as classic commands can express them.
struct Asked {
    /// `b`
    binary: bool,
    /// `c`
    unique: bool,
    /// `T`
    exptime: Option<i32>,
    /// `F`
    flags: u32,
    /// `M`
    mode: u8,
    /// `C`
    compare: Option<u64>,
    /// `I`
    stale: bool,
    /// `D`
    delta: u64,
}

/// `None` if classic commands cannot express the flags.
fn asked(verb: Verb, meta: &Meta<'_>) -> Option<Asked> {
    let mut asked = Asked {
        binary: false,
        unique: false,
        exptime: None,
        flags: 0,
        mode: 0,
        compare: None,
        stale: false,
        delta: 1,
    };
    for flag in &meta.flags {
        let (&letter, token) = flag.split_first()?;
        match (letter, verb) {
            // For proxies between client and memcached, which ignores them.
            (b'P' | b'L', _) | (b'k', _) => {}
            (b'O', _) if flag.len() <= MAX_OPAQUE_LEN => {}
            (b'b', _) => asked.binary = true,
            (b'c', Verb::Get) => asked.unique = true,
            // A C node returns none: see [`NO_VERSION`].
            (b'c', Verb::Set | Verb::Arithmetic) => {}
            (b'v' | b'f' | b's' | b'u', Verb::Get) | (b'v', Verb::Arithmetic) => {}
            (b'T', Verb::Get | Verb::Set) => asked.exptime = Some(number::signed(token)?),
            (b'F', Verb::Set) => asked.flags = number::unsigned(token)?,
            (b'I', Verb::Set) => asked.stale = true,
            (b'C', Verb::Set) => asked.compare = Some(number::unsigned_long(token)?),
            (b'M', Verb::Set | Verb::Arithmetic) => match token {
                [mode] => asked.mode = *mode,
                _ => return None,
            },
            (b'D', Verb::Arithmetic) => asked.delta = number::unsigned_long(token)?,
            // Memcached accepts and ignores these.
            (b'C' | b'D' | b'F' | b'I' | b'J' | b'M', Verb::Get) => {}
            (
                b'D' | b'J' | b'N' | b'R' | b'f' | b'h' | b'l' | b's' | b't' | b'u' | b'v',
                Verb::Set,
            ) => {}
            (b'D' | b'F' | b'J' | b'M' | b'N' | b'R' | b'T', Verb::Delete) => {}
            (b'c' | b'f' | b'h' | b'l' | b's' | b't' | b'u' | b'v', Verb::Delete) => {}
            (b'F' | b'I' | b'J' | b'R' | b'f' | b'h' | b'l' | b's' | b'u', Verb::Arithmetic) => {}
            _ => return None,
        }
    }
    Some(asked)
}

fn meta_form<'a>(
    call: &Call<'a>,
    meta: &Meta<'a>,
    now_secs: u64,
    text: &'a mut Vec<u8>,
) -> Form<'a> {
    let Some(verb) = call.command.meta else {
        return Form::Refused(Refusal::Command);
    };
    let Some(asked) = asked(verb, meta) else {
        return Form::Refused(Refusal::Command);
    };
    let key = if asked.binary {
        match base64::decode(meta.key) {
            Some(key) => *text = key,
            None => return Form::Refused(Refusal::Key),
        }
        text.as_slice()
    } else {
        meta.key
    };
    if !is_fit(key) {
        return Form::Refused(Refusal::Key);
    }
    let (command, body) = match verb {
        Verb::Get => {
            let command = if asked.unique {
                &command::GETS
            } else {
                &command::GET
            };
            if let Some(exptime) = asked.exptime {
                return fetch_and_touch(call, command, &[key], exptime, now_secs);
            }
            let get = Body::Get {
                exptime: None,
                keys: vec![key],
            };
            (command, get)
        }
        // What is no more is as good as what is stale: whoever asks for it makes it anew.
        Verb::Set if rewrite::is_stale(call) => (&command::DELETE, Body::Delete { key }),
        Verb::Set => {
            let (Some((command, unique)), Some(len)) = (mode(&asked), meta.len) else {
                return Form::Refused(Refusal::Command);
            };
            let body = Body::Store {
                key,
                flags: asked.flags,
                exptime: readable(asked.exptime.unwrap_or(0)),
                len,
                unique,
            };
            (command, body)
        }
        Verb::Delete => (&command::DELETE, Body::Delete { key }),
        Verb::Arithmetic => {
            let command = match asked.mode {
                0 | b'I' | b'+' => &command::INCR,
                b'D' | b'-' => &command::DECR,
                _ => return Form::Refused(Refusal::Command),
            };
            let delta = asked.delta;
            (command, Body::Arithmetic { key, delta })
        }
    };
    Form::translated(as_call(call, command, body))
}

/// The classic command of an `ms`, and the version that it compares.
fn mode(asked: &Asked) -> Option<(&'static Command, Option<u64>)> {
    let command = match (asked.mode, asked.compare) {
        // It would store in place of a newer version, too.
        (0 | b'S' | b'R', Some(_)) if asked.stale => return None,
        (0 | b'S' | b'R', unique @ Some(_)) => return Some((&command::CAS, unique)),
        (0 | b'S', None) => &command::SET,
        (b'R', None) => &command::REPLACE,
        // It compares nothing: either there is no item, or nothing is stored.
        (b'E', _) => &command::ADD,
        (b'A', None) => &command::APPEND,
        (b'P', None) => &command::PREPEND,
        _ => return None,
    };
    Some((command, None))
}

/// Turns the reply of a C node to the request of a [`Form::Translated`] that has the answer into the one to `call`,
/// the original request.
///
/// # Errors
/// It is no reply to that request; the text is the reason.
pub fn reply(call: &Call<'_>, classic: &Chain, pool: &Pool) -> Result<Chain, &'static str> {
    let (Body::Meta(meta), Some(verb)) = (&call.body, call.command.meta) else {
        return Ok(shared(classic));
    };
    let mut start = [0; 32];
    let n = classic.gather(0, &mut start);
    let start = start.get(..n).unwrap_or_default();
    let errors = [&b"ERROR"[..], b"CLIENT_ERROR ", b"SERVER_ERROR "];
    if errors.iter().any(|word| start.starts_with(word)) {
        return Ok(shared(classic));
    }
    let code = match (verb, start) {
        (Verb::Get, b"END\r\n") => "EN",
        (Verb::Get, _) => return value(meta, classic, pool),
        (Verb::Set, b"STORED\r\n") | (Verb::Delete, b"DELETED\r\n") => "HD",
        (Verb::Set, b"DELETED\r\n") if rewrite::is_stale(call) => "HD",
        (Verb::Set, b"NOT_STORED\r\n") => "NS",
        (Verb::Set, b"EXISTS\r\n") => "EX",
        (Verb::Set | Verb::Delete | Verb::Arithmetic, b"NOT_FOUND\r\n") => "NF",
        (Verb::Arithmetic, line) => {
            let digits = line.strip_suffix(b"\r\n").unwrap_or_default();
            if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
                return Err("reply of a peer is no number");
            }
            let mut out = Vec::new();
            if meta.token(b'v').is_none() {
                return Ok(line_of("HD", verb, meta, None, pool));
            }
            out.extend_from_slice(digits);
            out.extend_from_slice(b"\r\n");
            let mut reply = line_of(&format!("VA {}", digits.len()), verb, meta, None, pool);
            pool.copy(&out, &mut reply);
            return Ok(reply);
        }
        _ => return Err("reply of a peer does not belong to its request"),
    };
    Ok(line_of(code, verb, meta, None, pool))
}

fn shared(chain: &Chain) -> Chain {
    let mut shared = Chain::new();
    shared.append_shared(chain);
    shared
}

/// The line of an answer: its code, and the words for the flags; of an item, if there is one.
fn line_of(code: &str, verb: Verb, meta: &Meta<'_>, item: Option<&Head>, pool: &Pool) -> Chain {
    let key = meta.is_base64().then(|| base64::decode(meta.key));
    let key = key.flatten().map(|key| base64::encode(&key));
    let is_done = code == "HD" || code.starts_with("VA");
    // memcached's `ma` returns one only where it has done something.
    let tells_version = match verb {
        Verb::Set => true,
        Verb::Arithmetic => is_done,
        Verb::Get | Verb::Delete => false,
    };
    let mut line = code.as_bytes().to_vec();
    let mut add = |words: &[&[u8]]| words.iter().for_each(|word| line.extend_from_slice(word));
    for flag in &meta.flags {
        match (flag.first(), item) {
            (Some(b'O'), _) => add(&[b" ", flag]),
            (Some(b'k'), _) => match &key {
                Some(key) => add(&[b" k", key, b" b"]),
                None => add(&[b" k", meta.key]),
            },
            (Some(b's'), Some(item)) => add(&[b" s", item.data.to_string().as_bytes()]),
            (Some(b'f'), Some(item)) => add(&[b" f", item.flags.to_string().as_bytes()]),
            (Some(b'c'), Some(item)) => {
                let unique = item.unique.unwrap_or_default();
                add(&[b" c", unique.to_string().as_bytes()]);
            }
            (Some(b'c'), None) if tells_version => {
                let unique = if is_done { NO_VERSION } else { 0 };
                add(&[b" c", unique.to_string().as_bytes()]);
            }
            _ => {}
        }
    }
    add(&[b"\r\n"]);
    let mut chain = Chain::new();
    pool.copy(&line, &mut chain);
    chain
}

/// The answer to `mg` of an item that is there.
fn value(meta: &Meta<'_>, classic: &Chain, pool: &Pool) -> Result<Chain, &'static str> {
    const NO_VALUE: &str = "reply of a peer is no value";
    let mut blocks = Blocks::new(classic);
    let (item, mut block) = blocks.next_with_head().ok_or(NO_VALUE)?;
    if blocks.into_rest().len() != b"END\r\n".len() {
        return Err(NO_VALUE);
    }
    if meta.token(b'v').is_none() {
        return Ok(line_of("HD", Verb::Get, meta, Some(&item), pool));
    }
    let mut reply = line_of(
        &format!("VA {}", item.data),
        Verb::Get,
        meta,
        Some(&item),
        pool,
    );
    block.advance(item.line);
    reply.append(&mut block);
    Ok(reply)
}

#[cfg(test)]
mod tests;
