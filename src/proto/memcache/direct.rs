//! Lines in canonical form, read in one pass: the hot paths.
//!
//! Lines accepted here may be forwarded unchanged. All others are left to [`super::line`], which reads
//! any line; both agree on the lines accepted here.

use super::command::{self, Command};
use super::cursor::{Cursor, canonical, canonical_signed};
use super::line::MAX_VALUE;
use super::meta;
use super::request::Versions;
use crate::proto::redis::request::Span;

/// A line in canonical form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Direct {
    pub command: &'static Command,
    /// The first key.
    pub key: Span,
    /// How many keys there are.
    pub keys: u32,
    /// Its use of versions.
    pub versions: Versions,
    /// The value's length, if a value follows.
    pub value: Option<u32>,
}

/// Reads a line without its CR LF.
#[inline]
pub(super) fn read(line: &[u8]) -> Option<Direct> {
    match line {
        [b'g', b'e', b't', b' ', ..] => retrieval(line, 4, &command::GET, Versions::None),
        [b's', b'e', b't', b' ', ..] => storage(line, 4, &command::SET),
        [b'g', b'e', b't', b's', b' ', ..] => {
            retrieval(line, 5, &command::GETS, Versions::Returned)
        }
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

fn one(
    command: &'static Command,
    key: Span,
    versions: Versions,
    value: Option<u32>,
) -> Option<Direct> {
    Some(Direct {
        command,
        key,
        keys: 1,
        versions,
        value,
    })
}

#[inline]
fn retrieval(
    line: &[u8],
    at: usize,
    command: &'static Command,
    versions: Versions,
) -> Option<Direct> {
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
        versions,
        value: None,
    })
}

#[inline]
fn storage(line: &[u8], at: usize, command: &'static Command) -> Option<Direct> {
    let mut cursor = Cursor::new(line, at);
    let key = cursor.key()?;
    cursor.number(u64::from(u32::MAX))?;
    cursor.signed()?;
    let value = cursor.number(u64::from(MAX_VALUE))? as u32;
    let versions = if command.compares {
        cursor.number(u64::MAX)?;
        Versions::Compared
    } else {
        Versions::None
    };
    cursor.done()?;
    one(command, key, versions, Some(value))
}

fn delete(line: &[u8]) -> Option<Direct> {
    let mut cursor = Cursor::new(line, 7);
    let key = cursor.key()?;
    cursor.done()?;
    one(&command::DELETE, key, Versions::None, None)
}

fn arithmetic(line: &[u8], command: &'static Command) -> Option<Direct> {
    let mut cursor = Cursor::new(line, 5);
    let key = cursor.key()?;
    cursor.number(u64::MAX)?;
    cursor.done()?;
    one(command, key, Versions::None, None)
}

fn touch(line: &[u8]) -> Option<Direct> {
    let mut cursor = Cursor::new(line, 6);
    let key = cursor.key()?;
    cursor.signed()?;
    cursor.done()?;
    one(&command::TOUCH, key, Versions::None, None)
}

fn meta_get(line: &[u8]) -> Option<Direct> {
    let mut cursor = Cursor::new(line, 3);
    let key = cursor.key()?;
    let versions = flags(&mut cursor, 2, |flag| match flag {
        [b'c' | b't' | b'l' | b'h' | b'v' | b'f' | b's' | b'k' | b'u'] => Some(()),
        _ => opaque(flag),
    })?;
    one(&command::META_GET, key, versions, None)
}

fn meta_set(line: &[u8]) -> Option<Direct> {
    let mut cursor = Cursor::new(line, 3);
    let key = cursor.key()?;
    let value = cursor.number(u64::from(MAX_VALUE))? as u32;
    let versions = flags(&mut cursor, 3, |flag| match flag {
        [b'k' | b'c'] => Some(()),
        [b'F', number @ ..] => canonical(number, u64::from(u32::MAX)).map(drop),
        [b'T', number @ ..] => canonical_signed(number).map(drop),
        [b'M', mode] => meta::is_set_mode(*mode).then_some(()),
        _ => opaque(flag),
    })?;
    one(&command::META_SET, key, versions, Some(value))
}

fn meta_delete(line: &[u8]) -> Option<Direct> {
    let mut cursor = Cursor::new(line, 3);
    let key = cursor.key()?;
    let versions = flags(&mut cursor, 2, |flag| match flag {
        [b'k'] => Some(()),
        _ => opaque(flag),
    })?;
    one(&command::META_DELETE, key, versions, None)
}

fn meta_arithmetic(line: &[u8]) -> Option<Direct> {
    let mut cursor = Cursor::new(line, 3);
    let key = cursor.key()?;
    let versions = flags(&mut cursor, 2, |flag| match flag {
        [b'k' | b'v' | b'c' | b't'] => Some(()),
        [b'J' | b'D', number @ ..] => canonical(number, u64::MAX).map(drop),
        [b'T' | b'N', number @ ..] => canonical_signed(number).map(drop),
        [b'M', mode] => meta::is_arithmetic_mode(*mode).then_some(()),
        _ => opaque(flag),
    })?;
    one(&command::META_ARITHMETIC, key, versions, None)
}

/// An opaque token that is not too long.
fn opaque(flag: &[u8]) -> Option<()> {
    (flag.first() == Some(&b'O') && flag.len() <= meta::MAX_OPAQUE).then_some(())
}

/// Walks over flags, none of which may occur twice, after `before` other words. `judge` returns `Some` if a
/// flag is in canonical form. The flag `c` asks for the version.
fn flags(
    cursor: &mut Cursor<'_>,
    before: usize,
    judge: impl Fn(&[u8]) -> Option<()>,
) -> Option<Versions> {
    let (mut versions, mut seen) = (Versions::None, 0u128);
    let mut words = before;
    while !cursor.is_done() {
        let flag = cursor.word()?;
        judge(flag)?;
        words += 1;
        let letter = *flag.first()?;
        let bit = 1u128.checked_shl(u32::from(letter))?;
        if seen & bit != 0 || words > meta::MAX_WORDS {
            return None;
        }
        seen |= bit;
        if letter == b'c' {
            versions = Versions::Returned;
        }
    }
    Some(versions)
}
