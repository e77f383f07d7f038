//! Lines in canonical form, read in one pass: the hot paths.
//!
//! What passes here may be forwarded as it stands. Everything else is left to [`super::line`], which reads
//! any line; both agree on what passes here.

use super::command::{self, Command};
use super::cursor::{Cursor, canonical, canonical_signed};
use super::line::MAX_VALUE;
use super::meta;
use crate::proto::redis::request::Span;

/// A line in canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Direct {
    pub command: &'static Command,
    /// The first key.
    pub key: Span,
    /// How many keys there are.
    pub keys: u32,
    /// Whether replicas that are sent it as it stands end up alike and answer alike.
    pub plain: bool,
    /// The value's length, if a value follows.
    pub value: Option<u32>,
}

/// Reads a line without its CR LF.
#[inline]
pub(super) fn read(line: &[u8]) -> Option<Direct> {
    match line {
        [b'g', b'e', b't', b' ', ..] => retrieval(line, 4, &command::GET, true),
        [b's', b'e', b't', b' ', ..] => storage(line, 4, &command::SET),
        [b'g', b'e', b't', b's', b' ', ..] => retrieval(line, 5, &command::GETS, false),
        [b'm', b'g', b' ', ..] => meta_get(line),
        [b'm', b's', b' ', ..] => meta_set(line),
        [b'm', b'd', b' ', ..] => meta_delete(line),
        [b'm', b'a', b' ', ..] => meta_arithmetic(line),
        [b'd', b'e', b'l', b'e', b't', b'e', b' ', ..] => delete(line),
        [b'i', b'n', b'c', b'r', b' ', ..] => arithmetic(line, &command::INCR),
        [b'd', b'e', b'c', b'r', b' ', ..] => arithmetic(line, &command::DECR),
        [b't', b'o', b'u', b'c', b'h', b' ', ..] => touch(line),
        [b'a', b'd', b'd', b' ', ..] => storage(line, 4, &command::ADD),
        [b'c', b'a', b's', b' ', ..] => storage(line, 4, &command::CAS),
        [b'r', b'e', b'p', b'l', b'a', b'c', b'e', b' ', ..] => storage(line, 8, &command::REPLACE),
        [b'a', b'p', b'p', b'e', b'n', b'd', b' ', ..] => storage(line, 7, &command::APPEND),
        [b'p', b'r', b'e', b'p', b'e', b'n', b'd', b' ', ..] => storage(line, 8, &command::PREPEND),
        _ => None,
    }
}

fn one(command: &'static Command, key: Span, plain: bool, value: Option<u32>) -> Option<Direct> {
    Some(Direct {
        command,
        key,
        keys: 1,
        plain,
        value,
    })
}

#[inline]
fn retrieval(line: &[u8], at: usize, command: &'static Command, plain: bool) -> Option<Direct> {
    let mut cursor = Cursor::new(line, at);
    let key = cursor.key()?;
    let mut keys = 1;
    while !cursor.is_done() {
        cursor.key()?;
        keys += 1;
    }
    Some(Direct {
        command,
        key,
        keys,
        plain,
        value: None,
    })
}

#[inline]
fn storage(line: &[u8], at: usize, command: &'static Command) -> Option<Direct> {
    let mut cursor = Cursor::new(line, at);
    let key = cursor.key()?;
    cursor.number(u64::from(u32::MAX))?;
    let exptime = cursor.signed()?;
    let value = cursor.number(u64::from(MAX_VALUE))? as u32;
    let has_unique = *command == command::CAS;
    if has_unique {
        cursor.number(u64::MAX)?;
    }
    cursor.done()?;
    one(command, key, exptime == 0 && !has_unique, Some(value))
}

fn delete(line: &[u8]) -> Option<Direct> {
    let mut cursor = Cursor::new(line, 7);
    let key = cursor.key()?;
    cursor.done()?;
    one(&command::DELETE, key, true, None)
}

fn arithmetic(line: &[u8], command: &'static Command) -> Option<Direct> {
    let mut cursor = Cursor::new(line, 5);
    let key = cursor.key()?;
    cursor.number(u64::MAX)?;
    cursor.done()?;
    one(command, key, true, None)
}

fn touch(line: &[u8]) -> Option<Direct> {
    let mut cursor = Cursor::new(line, 6);
    let key = cursor.key()?;
    let exptime = cursor.signed()?;
    cursor.done()?;
    one(&command::TOUCH, key, exptime == 0, None)
}

fn meta_get(line: &[u8]) -> Option<Direct> {
    let mut cursor = Cursor::new(line, 3);
    let key = cursor.key()?;
    let plain = flags(&mut cursor, 2, |flag| match flag {
        // The version, the time left, the time since the last access and whether there was one differ from
        // replica to replica.
        [b'c' | b't' | b'l' | b'h'] => Some(false),
        [b'v' | b'f' | b's' | b'k' | b'u'] => Some(true),
        _ => opaque(flag),
    })?;
    one(&command::META_GET, key, plain, None)
}

fn meta_set(line: &[u8]) -> Option<Direct> {
    let mut cursor = Cursor::new(line, 3);
    let key = cursor.key()?;
    let value = cursor.number(u64::from(MAX_VALUE))? as u32;
    let plain = flags(&mut cursor, 3, |flag| match flag {
        [b'k'] => Some(true),
        [b'c'] => Some(false),
        [b'F', number @ ..] => canonical(number, u64::from(u32::MAX)).map(|_| true),
        [b'T', number @ ..] => canonical_signed(number).map(|exptime| exptime == 0),
        [b'M', mode] => meta::is_set_mode(*mode).then_some(true),
        _ => opaque(flag),
    })?;
    one(&command::META_SET, key, plain, Some(value))
}

fn meta_delete(line: &[u8]) -> Option<Direct> {
    let mut cursor = Cursor::new(line, 3);
    let key = cursor.key()?;
    let plain = flags(&mut cursor, 2, |flag| match flag {
        [b'k'] => Some(true),
        _ => opaque(flag),
    })?;
    one(&command::META_DELETE, key, plain, None)
}

fn meta_arithmetic(line: &[u8]) -> Option<Direct> {
    let mut cursor = Cursor::new(line, 3);
    let key = cursor.key()?;
    let plain = flags(&mut cursor, 2, |flag| match flag {
        [b'k' | b'v'] => Some(true),
        [b'c' | b't'] => Some(false),
        [b'J' | b'D', number @ ..] => canonical(number, u64::MAX).map(|_| true),
        [b'T' | b'N', number @ ..] => canonical_signed(number).map(|exptime| exptime == 0),
        [b'M', mode] => meta::is_arithmetic_mode(*mode).then_some(true),
        _ => opaque(flag),
    })?;
    one(&command::META_ARITHMETIC, key, plain, None)
}

/// An opaque token that is not too long.
fn opaque(flag: &[u8]) -> Option<bool> {
    (flag.first() == Some(&b'O') && flag.len() <= meta::MAX_OPAQUE).then_some(true)
}

/// Walks over flags, none of which may stand twice, after `before` other words. `judge` tells whether one is
/// plain, if it is canonical. The result: whether all are plain.
fn flags(
    cursor: &mut Cursor<'_>,
    before: usize,
    judge: impl Fn(&[u8]) -> Option<bool>,
) -> Option<bool> {
    let (mut plain, mut seen) = (true, 0u128);
    let mut words = before;
    while !cursor.is_done() {
        let flag = cursor.word()?;
        plain &= judge(flag)?;
        words += 1;
        let bit = 1u128.checked_shl(u32::from(*flag.first()?))?;
        if seen & bit != 0 || words > meta::MAX_WORDS {
            return None;
        }
        seen |= bit;
    }
    Some(plain)
}
