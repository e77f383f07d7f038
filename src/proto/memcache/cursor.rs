//! Walking over a request line in canonical form, word by word.

use crate::proto::redis::request::Span;

/// A place in a line. Every method returns `None` where the line is not in canonical form: words are separated
/// by exactly one space, without leading or trailing ones, and there is no control byte.
pub(super) struct Cursor<'a> {
    line: &'a [u8],
    /// The next word's first byte; beyond the line's length when there is none.
    at: usize,
}

impl<'a> Cursor<'a> {
    /// At byte `at` of a line without its line end.
    #[inline]
    pub(super) fn new(line: &'a [u8], at: usize) -> Cursor<'a> {
        Cursor { line, at }
    }

    /// Returns true if there is no further word.
    #[inline]
    pub(super) fn is_done(&self) -> bool {
        self.at > self.line.len()
    }

    /// `Some` if there is no further word.
    #[inline]
    pub(super) fn done(&self) -> Option<()> {
        self.is_done().then_some(())
    }

    /// The next word's place.
    #[inline]
    pub(super) fn span(&mut self) -> Option<Span> {
        let rest = self.line.get(self.at..)?;
        let len = rest.iter().position(|byte| *byte <= b' ');
        let len = match len {
            None => rest.len(),
            Some(len) if rest.get(len) == Some(&b' ') => len,
            Some(_) => return None,
        };
        if len == 0 {
            return None;
        }
        let span = Span {
            at: self.at as u32,
            len: len as u32,
        };
        self.at += len + 1;
        Some(span)
    }

    /// The next word.
    #[inline]
    pub(super) fn word(&mut self) -> Option<&'a [u8]> {
        let span = self.span()?;
        Some(span.of(self.line))
    }

    /// The next word's place, if it may be a key.
    #[inline]
    pub(super) fn key(&mut self) -> Option<Span> {
        self.span()
            .filter(|span| span.len as usize <= super::line::MAX_KEY)
    }

    /// The next word as a number: digits without leading zeros, at most `most`.
    #[inline]
    pub(super) fn number(&mut self, most: u64) -> Option<u64> {
        canonical(self.word()?, most)
    }

    /// The next word as a signed number of 32 bits.
    #[inline]
    pub(super) fn signed(&mut self) -> Option<i32> {
        canonical_signed(self.word()?)
    }
}

/// A number in digits without leading zeros, at most `most`.
#[inline]
pub(super) fn canonical(word: &[u8], most: u64) -> Option<u64> {
    if word.is_empty() || word.len() > 20 || (word.len() > 1 && word.first() == Some(&b'0')) {
        return None;
    }
    let mut value: u64 = 0;
    for byte in word {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(u64::from(digit))?;
    }
    (value <= most).then_some(value)
}

/// A signed number of 32 bits, with a sign only if it is less than zero.
#[inline]
pub(super) fn canonical_signed(word: &[u8]) -> Option<i32> {
    match word.strip_prefix(b"-") {
        Some(digits) => canonical(digits, 1 << 31)
            .filter(|value| *value > 0)
            .and_then(|value| i32::try_from(-(value as i64)).ok()),
        None => canonical(word, i32::MAX as u64).map(|value| value as i32),
    }
}
