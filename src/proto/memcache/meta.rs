//! The meta commands and their flags, read as memcached 1.6.18 reads them.

use super::{base64, errors, number};

/// Most words of a meta command, name and key included.
pub(super) const MAX_WORDS: usize = 19;
/// Longest opaque token in bytes, its letter included.
pub(super) const MAX_OPAQUE: usize = 32;
/// Longest token with a number, its letter included; longer ones can only be padded. Keeps the canonical line
/// of any meta command far below what memcached takes in pieces.
const MAX_NUMBER: usize = 64;

/// Which of the meta commands that belong to a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// `mg`.
    Get,
    /// `ms`.
    Set,
    /// `md`.
    Delete,
    /// `ma`.
    Arithmetic,
}

/// The flags of a line.
#[derive(Debug, Default)]
pub(super) struct Flags<'a> {
    /// Those that go to the datastore: without `q`, and without `P` and `L`, which are for proxies. Flags
    /// without a token are cut to their letter, as memcached does not look further.
    pub kept: Vec<&'a [u8]>,
    /// True if there was a `q`.
    pub quiet: bool,
    /// The letter behind `M`.
    pub mode: Option<u8>,
    /// True if the opaque token is too long.
    pub long_opaque: bool,
}

/// Reads flags. The error is the text memcached has for it in `mg` and `ms`: it stops at a flag that stands
/// twice or that it does not know, and of other errors it reports the last one.
pub(super) fn flags<'a>(tokens: &[&'a [u8]], key: &[u8]) -> Result<Flags<'a>, &'static str> {
    let mut flags = Flags::default();
    let mut error = None;
    let mut seen = 0u128;
    for token in tokens {
        let Some((letter, rest)) = token.split_first() else {
            continue;
        };
        if *letter >= 127 || seen & 1 << letter != 0 {
            return Err(errors::DUPLICATE_FLAG);
        }
        seen |= 1 << letter;
        let mut keep = *token;
        let problem = match letter {
            b'q' => {
                flags.quiet = true;
                continue;
            }
            b'P' | b'L' => continue,
            b'v' | b'f' | b's' | b't' | b'c' | b'k' | b'l' | b'h' | b'u' | b'I' => {
                keep = token.get(..1).unwrap_or_default();
                None
            }
            b'b' => {
                keep = token.get(..1).unwrap_or_default();
                base64::decode(key).is_none().then_some(errors::BAD_BASE64)
            }
            b'O' => {
                flags.long_opaque = token.len() > MAX_OPAQUE;
                None
            }
            b'T' | b'N' | b'R' => is_no_number(number::signed(rest)).then_some(errors::BAD_TOKEN),
            // memcached forgets to say what is wrong here.
            b'F' => {
                is_no_number(number::unsigned(rest)).then_some(error.unwrap_or(errors::BAD_LINE))
            }
            b'C' => is_no_number(number::unsigned_long(rest)).then_some(errors::BAD_TOKEN),
            b'J' => is_no_number(number::unsigned_long(rest)).then_some(errors::BAD_INITIAL),
            b'D' => is_no_number(number::unsigned_long(rest)).then_some(errors::BAD_META_DELTA),
            b'M' => {
                flags.mode = rest.first().copied();
                (rest.len() != 1).then_some(errors::BAD_MODE_LENGTH)
            }
            _ => return Err(errors::INVALID_FLAG),
        };
        error = problem.or(error);
        if keep.len() > MAX_NUMBER && *letter != b'O' {
            error = error.or(Some(errors::BAD_TOKEN));
        }
        flags.kept.push(keep);
    }
    match error {
        Some(error) => Err(error),
        None => Ok(flags),
    }
}

fn is_no_number<T>(value: Option<T>) -> bool {
    value.is_none()
}

/// Returns true if `ms` has this mode.
#[inline]
pub(super) fn is_set_mode(mode: u8) -> bool {
    matches!(mode, b'E' | b'A' | b'P' | b'R' | b'S')
}

/// Returns true if `ma` has this mode.
#[inline]
pub(super) fn is_arithmetic_mode(mode: u8) -> bool {
    matches!(mode, b'I' | b'+' | b'D' | b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Flags<'_>, &'static str> {
        let tokens: Vec<&[u8]> = text.split(' ').map(str::as_bytes).collect();
        flags(&tokens, b"YWJj")
    }

    #[test]
    fn keeps_what_the_datastore_has_to_see() {
        let flags = read("vx f k b q Oabc T30 P9 Lx MS").unwrap();
        let kept: Vec<&[u8]> = vec![b"v", b"f", b"k", b"b", b"Oabc", b"T30", b"MS"];
        assert_eq!(
            (flags.kept, flags.quiet, flags.mode),
            (kept, true, Some(b'S'))
        );
    }

    #[test]
    fn tells_the_error_memcached_tells() {
        let cases = [
            ("v v", errors::DUPLICATE_FLAG),
            ("v Tx v", errors::DUPLICATE_FLAG),
            ("z Tx", errors::INVALID_FLAG),
            ("Tx MM1", errors::BAD_MODE_LENGTH),
            ("MM1 Tx", errors::BAD_TOKEN),
            ("Fx", errors::BAD_LINE),
            ("Jx Fx", errors::BAD_INITIAL),
            ("Fx Jx", errors::BAD_INITIAL),
            ("D-1", errors::BAD_META_DELTA),
            ("\u{e9}", errors::DUPLICATE_FLAG),
        ];
        for (text, error) in cases {
            assert_eq!(read(text).unwrap_err(), error, "{text}");
        }
        assert_eq!(flags(&[b"b"], b"abc").unwrap_err(), errors::BAD_BASE64);
    }
}
