//! The lines of a reply that announce data.

use std::ops::Range;

/// Longest key in bytes.
pub const MAX_KEY_LEN: usize = 250;
/// Longest line that announces data, in bytes. memcached has 1,024 for a line of a meta command; a
/// `VALUE` line has at most 301.
pub const MAX_HEAD_LEN: usize = 1024;
/// Most bytes of data: memcached's greatest item (`-I 1g`) and some more.
pub const MAX_DATA_LEN: u64 = (1 << 30) + (1 << 20);

/// A line that announces data.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::proto) struct Head {
    /// Bytes of the line with its CR LF.
    pub line: usize,
    /// `VALUE`: the place of the key.
    pub key: Range<usize>,
    /// `VALUE`: the client's flags.
    pub flags: u32,
    /// Bytes of the data without the CR LF behind it.
    pub data: usize,
    /// `VALUE`: the item's version, if it was asked for.
    pub unique: Option<u64>,
}

impl Head {
    /// Bytes of the line, the data, and both their ends.
    pub fn block(&self) -> usize {
        self.line + self.data + 2
    }
}

/// Why there is no line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proto) enum NoHead {
    /// It does not end here.
    Cut,
    /// It is wrong, for this reason.
    Bad(&'static str),
}

const BAD_LINE: NoHead = NoHead::Bad("bad VALUE line");
const BAD_LENGTH: NoHead = NoHead::Bad("bad length of data");

/// Digits at `line[at..]`, at least one and at most `most`; the number and the place behind it.
#[inline]
fn number(line: &[u8], at: usize, most: usize) -> Result<(u64, usize), NoHead> {
    let mut value = 0u64;
    let mut next = at;
    while let Some(byte) = line.get(next) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return if next > at {
                Ok((value, next))
            } else {
                Err(BAD_LINE)
            };
        }
        if next - at == most {
            return Err(BAD_LINE);
        }
        value = value
            .checked_mul(10)
            .and_then(|value| value.checked_add(u64::from(digit)))
            .ok_or(BAD_LINE)?;
        next += 1;
    }
    Err(NoHead::Cut)
}

/// The blank at `line[at]`; the place behind it.
#[inline]
fn blank(line: &[u8], at: usize) -> Result<usize, NoHead> {
    match line.get(at) {
        Some(b' ') => Ok(at + 1),
        Some(_) => Err(BAD_LINE),
        None => Err(NoHead::Cut),
    }
}

/// The CR LF at `line[at..]`; the place behind it.
#[inline]
fn end(line: &[u8], at: usize) -> Result<usize, NoHead> {
    match (line.get(at), line.get(at + 1)) {
        (Some(b'\r'), Some(b'\n')) => Ok(at + 2),
        (Some(b'\r'), None) | (None, _) => Err(NoHead::Cut),
        _ => Err(BAD_LINE),
    }
}

fn data_len(value: u64) -> Result<usize, NoHead> {
    if value > MAX_DATA_LEN {
        return Err(BAD_LENGTH);
    }
    usize::try_from(value).map_err(|_| BAD_LENGTH)
}

/// Reads `VALUE <key> <flags> <bytes> [<unique>]`, with single blanks and digits only, as memcached
/// writes it. `bytes` begins with `VALUE ` and may go on behind the line.
#[inline]
pub(in crate::proto) fn value(bytes: &[u8]) -> Result<Head, NoHead> {
    const KEY: usize = b"VALUE ".len();
    let most = bytes.len().min(KEY + MAX_KEY_LEN + 1);
    let words = bytes.get(KEY..most).unwrap_or_default();
    let Some(len) = memchr::memchr3(b' ', b'\r', b'\n', words) else {
        return Err(if words.len() > MAX_KEY_LEN {
            BAD_LINE
        } else {
            NoHead::Cut
        });
    };
    let key = KEY..KEY + len;
    if len == 0 {
        return Err(BAD_LINE);
    }
    let at = blank(bytes, key.end)?;
    let (flags, at) = number(bytes, at, 10)?;
    let flags = u32::try_from(flags).map_err(|_| BAD_LINE)?;
    let at = blank(bytes, at)?;
    let (data, at) = number(bytes, at, 10)?;
    let data = data_len(data)?;
    let (unique, at) = match bytes.get(at) {
        Some(b' ') => {
            let (unique, at) = number(bytes, at + 1, 20)?;
            (Some(unique), at)
        }
        _ => (None, at),
    };
    Ok(Head {
        line: end(bytes, at)?,
        key,
        flags,
        data,
        unique,
    })
}

/// Reads `VA <bytes> <flags>*`. `bytes` begins with `VA ` and may go on behind the line.
pub(in crate::proto) fn meta_value(bytes: &[u8]) -> Result<Head, NoHead> {
    let (data, at) = number(bytes, b"VA ".len(), 10)?;
    let data = data_len(data)?;
    let flags = bytes
        .get(at..bytes.len().min(MAX_HEAD_LEN))
        .unwrap_or_default();
    let Some(len) = memchr::memchr2(b'\r', b'\n', flags) else {
        return Err(if bytes.len() >= MAX_HEAD_LEN {
            NoHead::Bad("line too long")
        } else {
            NoHead::Cut
        });
    };
    if len > 0 && flags.first() != Some(&b' ') {
        return Err(BAD_LINE);
    }
    Ok(Head {
        line: end(bytes, at + len)?,
        key: 0..0,
        flags: 0,
        data,
        unique: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn value_lines_are_read_as_memcached_writes_them() {
        let line = b"VALUE key 4294967295 12 18446744073709551615\r\nabc";
        let head = value(line).unwrap();
        assert_eq!(&line[head.key.clone()], b"key");
        assert_eq!(
            (head.line, head.flags, head.data, head.unique),
            (line.len() - 3, u32::MAX, 12, Some(u64::MAX))
        );
        assert_eq!(head.block(), line.len() - 3 + 14);
        let longest = format!(
            "VALUE {} 4294967295 1073741824 {}\r\n",
            "k".repeat(250),
            u64::MAX
        );
        assert_eq!(value(longest.as_bytes()).unwrap().line, 301);
        assert_eq!(meta_value(b"VA 0\r\n\r\n").unwrap().block(), 8);
        assert_eq!(meta_value(b"VA 2 kk t-1 Oab\r\nab").unwrap().data, 2);
    }

    #[test]
    fn every_beginning_of_a_line_is_cut_and_never_wrong() {
        let line = b"VALUE key 5 12 77\r\n";
        for end in 6..line.len() {
            assert_eq!(value(&line[..end]), Err(NoHead::Cut), "{end}");
        }
        let line = b"VA 12 f5 kkey\r\n";
        for end in 3..line.len() {
            assert_eq!(meta_value(&line[..end]), Err(NoHead::Cut), "{end}");
        }
    }

    #[test]
    fn wrong_lines_are_wrong() {
        let long = format!("VALUE {} 0 1\r\n", "k".repeat(251));
        for line in [
            "VALUE  0 1\r\n",
            "VALUE k\r\n",
            "VALUE k 0\r\n",
            "VALUE k -1 1\r\n",
            "VALUE k 0 -1\r\n",
            "VALUE k 4294967296 1\r\n",
            "VALUE k 0 1 \r\n",
            "VALUE k 0 1 -2\r\n",
            "VALUE k 0 1 18446744073709551616\r\n",
            "VALUE k 0 1 2 3\r\n",
            "VALUE k  0 1\r\n",
            "VALUE k 0 1\n",
            "VALUE k 0 1\rx",
            "VALUE k 0 2000000000\r\n",
            "VALUE a\rb 0 1\r\n",
            &long,
        ] {
            assert!(
                matches!(value(line.as_bytes()), Err(NoHead::Bad(_))),
                "{line:?}"
            );
        }
        let long = format!("VA 1 {}", "k".repeat(MAX_HEAD_LEN));
        for line in [
            "VA \r\n",
            "VA -1\r\n",
            "VA 1x\r\n",
            "VA 1\n",
            "VA x\r\n",
            &long,
        ] {
            assert!(
                matches!(meta_value(line.as_bytes()), Err(NoHead::Bad(_))),
                "{line:?}"
            );
        }
    }
}
