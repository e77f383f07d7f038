//! A request's line, read as memcached 1.6.18 reads it: a call, or the answer to a line that is refused.
//!
//! Any line is accepted that memcached accepts, however odd, and what comes out is canonical. Texts and the
//! order of checks are memcached's (observed; its `protocol.txt`), but for these points, where a shared
//! connection to the datastore or the cluster asks for something else:
//!
//! - NUL and CR inside a line: memcached ends the line at a NUL and takes CR for a byte of a word. A line that
//!   would be served with or without what follows the NUL is refused with [`errors::BAD_LINE`]; a value that belongs to it is skipped.
//! - Commands of an operator (`slabs`, `lru`, `lru_crawler`, `watch`, `shutdown`, `cache_memlimit`, `me` and
//!   so on) are unknown, most forms of `stats` are refused, `verbosity` has no effect.
//! - `gat` and `gats` are as long as `get` may be: memcached takes those of more than [`MAX_SENT`] bytes or closes,
//!   depending on how they arrive, so they are sent to it in pieces ([`Call::fitting`]).
//! - Meta commands whose opaque token is too long are refused before they have an effect, not after it.
//! - A `set` of more than [`MAX_VALUE`] bytes leaves what is stored as it is, where memcached deletes it.

use super::call::{Body, Call, Meta, Quiet};
use super::command::{self, Command};
use super::words::{Words, split};
use super::{errors, meta, number};
use memchr::memchr2;
use std::borrow::Cow;

/// Longest key in bytes.
pub const MAX_KEY: usize = 250;
/// Longest value in bytes: the most that memcached can be configured for.
pub const MAX_VALUE: u32 = 1 << 30;
/// Longest line in bytes, line end included, that memcached takes however it arrives, `get` and `gets` apart.
/// Nothing longer is ever sent to it, as it might close the connection.
pub const MAX_SENT: usize = 2048;

/// The treatment of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome<'a> {
    /// It is to be served. Its data block, if it has one, follows.
    Call(Call<'a>),
    /// It has an answer already.
    Answer {
        /// Complete with CR LF.
        text: Cow<'static, [u8]>,
        /// True if the client does not want it.
        silent: bool,
    },
    /// The connection is closed without an answer, after earlier requests were answered.
    Quit,
}

/// The bytes that follow a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Follows {
    /// The next request.
    Nothing,
    /// A value of this many bytes, and CR LF.
    Value(u32),
    /// This many bytes that are to be skipped.
    Swallow(u32),
    /// As [`Follows::Swallow`], because the value is longer than [`MAX_VALUE`].
    TooLarge(u32),
}

/// A line and the bytes that follow it.
pub(super) struct Reading<'a> {
    pub outcome: Outcome<'a>,
    pub follows: Follows,
}

/// Reads a line, given with or without its line end.
pub fn read(line: &[u8]) -> Outcome<'_> {
    understand(line).outcome
}

/// Reads a line, and returns what follows it.
pub(super) fn understand(line: &[u8]) -> Reading<'_> {
    let text = without_end(line);
    let mut reading = dispatch(text);
    let odd = memchr2(0, b'\r', text).is_some();
    if odd && !matches!(reading.outcome, Outcome::Call(_)) {
        // To memcached a line is a C string.
        let seen = text.split(|byte| *byte == 0).next().unwrap_or_default();
        reading = dispatch(seen);
    }
    if let Outcome::Call(call) = &reading.outcome
        && odd
    {
        let silent = call.quiet == Quiet::All;
        if let Follows::Value(len) = reading.follows {
            reading.follows = Follows::Swallow(len + 2);
        }
        reading.outcome = answered(errors::BAD_LINE, silent);
    }
    reading
}

/// The line without its line end: LF, or CR LF.
pub(super) fn without_end(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    line.strip_suffix(b"\r").unwrap_or(line)
}

fn answered(text: &'static str, silent: bool) -> Outcome<'static> {
    Outcome::Answer {
        text: Cow::Borrowed(text.as_bytes()),
        silent,
    }
}

/// Reads the words of a line: a call, or the answer.
type Read<'a> = Result<(Body<'a>, Quiet, Follows), Reading<'a>>;

/// Reads the line of one command: a column of the table of commands.
pub(super) type Reader = for<'a> fn(&'static Command, &Words<'a>) -> Read<'a>;

/// An answer, with nothing behind the line.
fn refuse<'a, T>(text: &'static str, silent: bool) -> Result<T, Reading<'a>> {
    Err(Reading {
        outcome: answered(text, silent),
        follows: Follows::Nothing,
    })
}

fn noreply(silent: bool) -> Quiet {
    if silent { Quiet::All } else { Quiet::No }
}

fn dispatch(text: &[u8]) -> Reading<'_> {
    let words = Words::of(text);
    let name = words.get(0);
    let Some(command) = command::lookup(name) else {
        let outcome = if is_http(&words) {
            Outcome::Quit
        } else {
            answered(errors::ERROR, false)
        };
        return Reading {
            outcome,
            follows: Follows::Nothing,
        };
    };
    let read = (command.read)(command, &words);
    read.map_or_else(
        |reading| reading,
        |(body, quiet, follows)| Reading {
            outcome: Outcome::Call(Call {
                command,
                body,
                quiet,
            }),
            follows,
        },
    )
}

/// Returns true if an unknown command looks like a line of HTTP. memcached only gets to this question for names that
/// begin with none of these letters.
fn is_http(words: &Words<'_>) -> bool {
    let name = words.get(0);
    let elsewhere = matches!(
        name,
        [] | [_]
            | [b'g' | b's' | b'a' | b'c' | b'i' | b'd' | b't', ..]
            | [b'm', _]
            | b"bget"
            | b"lru"
            | b"lru_crawler"
            | b"watch"
            | b"extstore"
    );
    !elsewhere && words.last().starts_with(b"HTTP/")
}

/// Refuses keys that are too long.
fn key_of<'a>(words: &Words<'a>, silent: bool) -> Result<&'a [u8], Reading<'a>> {
    match words.get(1) {
        key if key.len() > MAX_KEY => refuse(errors::BAD_LINE, silent),
        key => Ok(key),
    }
}

/// Refuses other numbers of words than these.
fn want<'a>(words: &Words<'a>, counts: std::ops::RangeInclusive<usize>) -> Result<(), Reading<'a>> {
    if counts.contains(&words.count) {
        return Ok(());
    }
    refuse(errors::ERROR, false)
}

fn keys_behind<'a>(text: &'a [u8], skip: usize) -> Result<Vec<&'a [u8]>, Reading<'a>> {
    let keys: Vec<_> = split(text).skip(skip).collect();
    if keys.iter().any(|key| key.len() > MAX_KEY) {
        return refuse(errors::BAD_LINE, false);
    }
    Ok(keys)
}

pub(super) fn retrieval<'a>(_: &'static Command, words: &Words<'a>) -> Read<'a> {
    want(words, 2..=Words::MOST)?;
    let body = Body::Get {
        exptime: None,
        keys: keys_behind(words.line, 1)?,
    };
    Ok((body, Quiet::No, Follows::Nothing))
}

pub(super) fn touching_retrieval<'a>(_: &'static Command, words: &Words<'a>) -> Read<'a> {
    want(words, 2..=Words::MOST)?;
    let Some(exptime) = number::signed(words.get(1)) else {
        return refuse(errors::BAD_EXPTIME, false);
    };
    let keys = keys_behind(words.line, 2)?;
    if keys.is_empty() {
        return refuse("END\r\n", false);
    }
    let exptime = Some(exptime);
    Ok((Body::Get { exptime, keys }, Quiet::No, Follows::Nothing))
}

pub(super) fn storage<'a>(command: &'static Command, words: &Words<'a>) -> Read<'a> {
    let has_unique = command.compares;
    let least = 5 + usize::from(has_unique);
    want(words, least..=least + 1)?;
    let silent = words.noreply();
    let key = key_of(words, silent)?;
    let numbers = (
        number::unsigned(words.get(2)),
        number::signed(words.get(3)),
        number::signed(words.get(4)),
    );
    let (Some(flags), Some(exptime), Some(len)) = numbers else {
        return refuse(errors::BAD_LINE, silent);
    };
    let unique = number::unsigned_long(words.get(5));
    if has_unique && unique.is_none() {
        return refuse(errors::BAD_LINE, silent);
    }
    let len = value_len(len, silent)?;
    let body = Body::Store {
        key,
        flags,
        exptime,
        len,
        unique: unique.filter(|_| has_unique),
    };
    Ok((body, noreply(silent), Follows::Value(len)))
}

/// Refuses lengths that are none, and values that are too long.
fn value_len<'a>(len: i32, silent: bool) -> Result<u32, Reading<'a>> {
    match u32::try_from(len) {
        Ok(len) if len <= MAX_VALUE => Ok(len),
        Ok(len) if len <= i32::MAX as u32 - 2 => Err(Reading {
            outcome: answered(errors::TOO_LARGE, silent),
            follows: Follows::TooLarge(len + 2),
        }),
        _ => refuse(errors::BAD_LINE, silent),
    }
}

pub(super) fn delete<'a>(_: &'static Command, words: &Words<'a>) -> Read<'a> {
    want(words, 2..=4)?;
    let mut silent = false;
    if words.count > 2 {
        // An old form has a number there, which can only be zero.
        let zero = words.get(2) == b"0";
        silent = words.noreply();
        let valid = if words.count == 3 {
            zero || silent
        } else {
            zero && silent
        };
        if !valid {
            return refuse(errors::DELETE_USAGE, silent);
        }
    }
    let key = key_of(words, silent)?;
    Ok((Body::Delete { key }, noreply(silent), Follows::Nothing))
}

pub(super) fn arithmetic<'a>(_: &'static Command, words: &Words<'a>) -> Read<'a> {
    want(words, 3..=4)?;
    let silent = words.noreply();
    let key = key_of(words, silent)?;
    let Some(delta) = number::unsigned_long(words.get(2)) else {
        return refuse(errors::BAD_DELTA, silent);
    };
    Ok((
        Body::Arithmetic { key, delta },
        noreply(silent),
        Follows::Nothing,
    ))
}

pub(super) fn touch<'a>(_: &'static Command, words: &Words<'a>) -> Read<'a> {
    want(words, 3..=4)?;
    let silent = words.noreply();
    let key = key_of(words, silent)?;
    let Some(exptime) = number::signed(words.get(2)) else {
        return refuse(errors::BAD_EXPTIME, silent);
    };
    Ok((
        Body::Touch { key, exptime },
        noreply(silent),
        Follows::Nothing,
    ))
}

pub(super) fn stats<'a>(_: &'static Command, words: &Words<'a>) -> Read<'a> {
    let asked = match words.get(1) {
        b"" => Vec::new(),
        word @ (b"items" | b"slabs" | b"settings") => vec![word],
        other => {
            return Err(Reading {
                outcome: Outcome::Answer {
                    text: Cow::Owned(errors::stats_refused(other)),
                    silent: false,
                },
                follows: Follows::Nothing,
            });
        }
    };
    Ok((Body::Words(asked), Quiet::No, Follows::Nothing))
}

pub(super) fn flush<'a>(_: &'static Command, words: &Words<'a>) -> Read<'a> {
    want(words, 1..=3)?;
    let silent = words.noreply();
    let delay = if words.count == 1 + usize::from(silent) {
        None
    } else {
        match number::signed(words.get(1)) {
            Some(delay) => Some(delay),
            None => return refuse(errors::BAD_EXPTIME, silent),
        }
    };
    Ok((Body::Flush { delay }, noreply(silent), Follows::Nothing))
}

pub(super) fn verbosity<'a>(_: &'static Command, words: &Words<'a>) -> Read<'a> {
    want(words, 2..=3)?;
    let silent = words.noreply();
    match number::unsigned(words.get(1)) {
        Some(_) => refuse("OK\r\n", silent),
        None => refuse(errors::BAD_LINE, silent),
    }
}

pub(super) fn version<'a>(_: &'static Command, _: &Words<'a>) -> Read<'a> {
    Ok((Body::Words(Vec::new()), Quiet::No, Follows::Nothing))
}

pub(super) fn meta_noop<'a>(_: &'static Command, _: &Words<'a>) -> Read<'a> {
    refuse("MN\r\n", false)
}

pub(super) fn quit<'a>(_: &'static Command, _: &Words<'a>) -> Read<'a> {
    Err(Reading {
        outcome: Outcome::Quit,
        follows: Follows::Nothing,
    })
}

/// A meta command that has been read.
fn meta_call<'a>(
    key: &'a [u8],
    len: Option<u32>,
    flags: meta::Flags<'a>,
) -> (Body<'a>, Quiet, Follows) {
    let quiet = if flags.quiet {
        Quiet::Nominal
    } else {
        Quiet::No
    };
    let body = Body::Meta(Meta {
        key,
        len,
        flags: flags.kept,
    });
    (body, quiet, len.map_or(Follows::Nothing, Follows::Value))
}

/// The flags from word `from` on.
fn flags<'a>(words: &Words<'a>, key: &[u8], from: usize) -> Result<meta::Flags<'a>, &'static str> {
    meta::flags(words.all().get(from..).unwrap_or_default(), key)
}

pub(super) fn meta_get<'a>(_: &'static Command, words: &Words<'a>) -> Read<'a> {
    want(words, 2..=Words::MOST)?;
    let key = key_of(words, false)?;
    if words.count > meta::MAX_WORDS {
        return refuse(errors::META_GET_TOO_LONG, false);
    }
    match flags(words, key, 2) {
        Ok(flags) if flags.long_opaque => refuse(errors::OPAQUE_TOO_LONG, false),
        Ok(flags) => Ok(meta_call(key, None, flags)),
        Err(text) => refuse(text, false),
    }
}

pub(super) fn meta_set<'a>(_: &'static Command, words: &Words<'a>) -> Read<'a> {
    want(words, 2..=Words::MOST)?;
    let key = key_of(words, false)?;
    if words.count == 2 {
        return refuse(errors::BAD_LINE, false);
    }
    if words.count > meta::MAX_WORDS {
        return refuse(errors::META_TOO_LONG, false);
    }
    let len = match number::signed(words.get(2)).map(u32::try_from) {
        Some(Ok(len)) if len <= i32::MAX as u32 - 2 => len,
        _ => return refuse(errors::BAD_LINE, false),
    };
    // From here on a refused line has its value skipped.
    let text = match flags(words, key, 3) {
        Err(text) => text,
        Ok(flags) if flags.mode.is_some_and(|mode| !meta::is_set_mode(mode)) => {
            errors::BAD_SET_MODE
        }
        Ok(flags) if flags.long_opaque => errors::OPAQUE_TOO_LONG,
        Ok(flags) => {
            let len = value_len(len as i32, false)?;
            return Ok(meta_call(key, Some(len), flags));
        }
    };
    Err(Reading {
        outcome: answered(text, false),
        follows: Follows::Swallow(len + 2),
    })
}

pub(super) fn meta_delete<'a>(_: &'static Command, words: &Words<'a>) -> Read<'a> {
    let (key, flags) = meta_plain(words)?;
    if flags.long_opaque {
        return refuse(errors::OPAQUE_TOO_LONG, false);
    }
    Ok(meta_call(key, None, flags))
}

pub(super) fn meta_arithmetic<'a>(_: &'static Command, words: &Words<'a>) -> Read<'a> {
    let (key, flags) = meta_plain(words)?;
    if flags
        .mode
        .is_some_and(|mode| !meta::is_arithmetic_mode(mode))
    {
        return refuse(errors::BAD_ARITHMETIC_MODE, false);
    }
    if flags.long_opaque {
        return refuse(errors::OPAQUE_TOO_LONG, false);
    }
    Ok(meta_call(key, None, flags))
}

/// The common part of `md` and `ma`.
fn meta_plain<'a>(words: &Words<'a>) -> Result<(&'a [u8], meta::Flags<'a>), Reading<'a>> {
    want(words, 2..=Words::MOST)?;
    let key = key_of(words, false)?;
    if words.count > meta::MAX_WORDS {
        return refuse(errors::META_TOO_LONG, false);
    }
    match flags(words, key, 2) {
        Ok(flags) => Ok((key, flags)),
        Err(_) => refuse(errors::BAD_FLAGS, false),
    }
}
