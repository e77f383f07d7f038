//! Finding headers in a stream of bytes.
//!
//! [`canonical`] reads a header as nodes write it, when all of it is there. [`Scanner`] reads
//! everything a C node reads, from pieces cut anywhere; it keeps what it needs of the bytes it has
//! seen, so they may be dropped.

use super::header::{Header, Kind};
use super::keys::MAX_WRAPPED;

/// The beginning of a header, behind optional spaces.
const MAGIC: &[u8; 7] = b"$2014$ ";
/// Longest header in bytes, its data section included; a longer one is taken for garbage. (C nodes
/// take what fits a receive buffer, and never write more than 206.)
pub const MAX_HEADER: u32 = 1024;

/// Reads a header as nodes write it, with a data section of one byte, at the beginning of `bytes`:
/// the header and its length. `None` if it is another, or not all there.
#[inline]
pub fn canonical(bytes: &[u8]) -> Option<(Header, usize)> {
    let rest = bytes.strip_prefix(b"   $2014$ ")?;
    let (id, rest) = number(rest)?;
    let [
        b' ',
        kind @ b'0'..=b'9',
        b' ',
        bits @ b'0'..=b'9',
        b' ',
        rest @ ..,
    ] = rest
    else {
        return None;
    };
    let (version, rest) = number(rest)?;
    let [
        b' ',
        same_dc @ (b'0' | b'1'),
        b' ',
        b'*',
        b'1',
        b' ',
        _,
        b' ',
        b'*',
        rest @ ..,
    ] = rest
    else {
        return None;
    };
    let (payload_len, rest) = number(rest)?;
    let [b'\r', b'\n', rest @ ..] = rest else {
        return None;
    };
    let header = Header {
        id,
        kind: Kind::from_number(u64::from(kind - b'0')),
        encrypted: *bits == b'1',
        version: u32::try_from(version).unwrap_or(u32::MAX),
        same_dc: *same_dc == b'1',
        payload_len,
    };
    Some((header, bytes.len() - rest.len()))
}

/// One to nineteen digits, which cannot overflow, and the rest.
#[inline]
fn number(bytes: &[u8]) -> Option<(u64, &[u8])> {
    let mut value = 0;
    let mut rest = bytes;
    while let [digit @ b'0'..=b'9', tail @ ..] = rest {
        value = value * 10 + u64::from(digit - b'0');
        rest = tail;
        if bytes.len() - rest.len() == 19 {
            break;
        }
    }
    (rest.len() < bytes.len()).then_some((value, rest))
}

/// Where in a header the scanner is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    /// Looking for the magic, of which this many bytes were seen.
    Magic(u8),
    Id,
    Kind,
    Bits,
    Version,
    SameDc,
    DataLen,
    Data,
    /// Behind the data, before the star.
    Star,
    PayloadLen,
    /// Behind the carriage return.
    LineFeed,
}

/// The effect of one byte.
enum Step {
    On,
    Done,
    /// The byte cannot be where it is.
    Wrong,
}

/// The result of a scan.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scan {
    /// A header ends behind this many of them.
    Header(Header, usize),
    /// All were taken, more are needed.
    Incomplete,
}

/// The state between two pieces of a stream.
#[derive(Clone, Debug)]
pub struct Scanner {
    at: At,
    /// Bytes of this header, its magic included.
    len: u32,
    /// The number under way, and how many digits it has.
    number: u64,
    digits: u32,
    header: Header,
    data_len: u32,
    data_left: u32,
    data: [u8; MAX_WRAPPED],
    garbage: u64,
}

impl Default for Scanner {
    fn default() -> Self {
        Scanner {
            at: At::Magic(0),
            len: 0,
            number: 0,
            digits: 0,
            header: Header::new(Kind::Other(0), 0, 0),
            data_len: 0,
            data_left: 0,
            data: [0; MAX_WRAPPED],
            garbage: 0,
        }
    }
}

impl Scanner {
    /// Returns true if no part of a header was seen.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.at == At::Magic(0)
    }

    /// Bytes skipped so far that belonged to no header, not counting spaces.
    pub fn garbage(&self) -> u64 {
        self.garbage
    }

    /// Length of the last header's data section.
    pub fn data_len(&self) -> u32 {
        self.data_len
    }

    /// The last header's data section, if it is `len` bytes long, at most [`MAX_WRAPPED`].
    pub fn wrapped_key(&self, len: usize) -> Option<&[u8]> {
        (self.data_len as usize == len)
            .then(|| self.data.get(..len))
            .flatten()
    }

    /// Forgets the last header's data section, because a header was read without the scanner.
    #[inline]
    pub fn forget_data(&mut self) {
        self.data_len = 1;
    }

    /// Reads on. Bytes that belong to no header are skipped.
    pub fn feed(&mut self, bytes: &[u8]) -> Scan {
        let mut rest = bytes;
        loop {
            if self.is_idle() {
                let gap = memchr::memchr(b'$', rest).unwrap_or(rest.len());
                let (passed, tail) = rest.split_at(gap);
                if passed.iter().any(|&byte| byte != b' ') {
                    self.garbage += passed.len() as u64;
                }
                rest = tail;
                self.len = 0;
            }
            let Some((&byte, tail)) = rest.split_first() else {
                return Scan::Incomplete;
            };
            rest = tail;
            match self.step(byte) {
                Step::On => self.len += 1,
                Step::Done => {
                    self.at = At::Magic(0);
                    return Scan::Header(self.header, bytes.len() - rest.len());
                }
                Step::Wrong => self.start_over(byte),
            }
            if self.len > MAX_HEADER {
                self.start_over(byte);
            }
        }
    }

    /// The header under way is none, as this byte shows, which may begin another.
    fn start_over(&mut self, byte: u8) {
        // The magic has one beginning that is also an end: its dollar signs.
        let seen = match (self.at, byte) {
            (_, b'$') => 1,
            (At::Magic(6), b'2') => 2,
            _ => 0,
        };
        self.garbage += u64::from(self.len + 1).saturating_sub(seen);
        self.at = At::Magic(seen as u8);
        self.len = seen as u32;
    }

    #[inline]
    fn step(&mut self, byte: u8) -> Step {
        match self.at {
            At::Magic(seen) => {
                if MAGIC.get(usize::from(seen)) != Some(&byte) {
                    return Step::Wrong;
                }
                self.go(if seen == 6 {
                    At::Id
                } else {
                    At::Magic(seen + 1)
                });
            }
            At::Id => match byte {
                // Ids wrap modulo 2^64, as in the original.
                b'0'..=b'9' => {
                    self.digits += 1;
                    self.number = self
                        .number
                        .wrapping_mul(10)
                        .wrapping_add(u64::from(byte - b'0'));
                }
                b' ' if self.digits > 0 => {
                    self.header.id = self.number;
                    self.go(At::Kind);
                }
                _ => return Step::Wrong,
            },
            At::Kind | At::Bits | At::Version | At::SameDc => match byte {
                b'0'..=b'9' => self.digit(byte),
                b' ' if self.digits > 0 => self.take_field(),
                _ => return Step::Wrong,
            },
            At::DataLen => match byte {
                b'*' if self.digits == 0 && self.data_left == 0 => self.data_left = 1,
                b'0'..=b'9' => self.digit(byte),
                b' ' if (1..=u64::from(MAX_HEADER)).contains(&self.number) => {
                    self.data_len = self.number as u32;
                    self.data_left = self.data_len;
                    self.go(At::Data);
                }
                _ => return Step::Wrong,
            },
            At::Data => {
                if let Some(slot) = self.data.get_mut((self.data_len - self.data_left) as usize) {
                    *slot = byte;
                }
                self.data_left -= 1;
                if self.data_left == 0 {
                    self.go(At::Star);
                }
            }
            At::Star => {
                if byte == b'*' {
                    self.go(At::PayloadLen);
                }
            }
            At::PayloadLen => match byte {
                b'0'..=b'9' => self.digit(byte),
                b'\r' => {
                    self.header.payload_len = self.number;
                    self.go(At::LineFeed);
                }
                _ => return Step::Wrong,
            },
            At::LineFeed => {
                return if byte == b'\n' {
                    Step::Done
                } else {
                    Step::Wrong
                };
            }
        }
        Step::On
    }

    fn go(&mut self, to: At) {
        self.at = to;
        self.number = 0;
        self.digits = 0;
    }

    /// A digit of a number too large for 64 bits leaves it at the largest.
    fn digit(&mut self, byte: u8) {
        self.digits += 1;
        self.number = self
            .number
            .saturating_mul(10)
            .saturating_add(u64::from(byte - b'0'));
    }

    /// A number ended with its space.
    fn take_field(&mut self) {
        let value = self.number;
        match self.at {
            At::Kind => {
                self.header.kind = Kind::from_number(value);
                self.go(At::Bits);
            }
            At::Bits => {
                self.header.encrypted = value & 15 == 1;
                self.go(At::Version);
            }
            At::Version => {
                self.header.version = u32::try_from(value).unwrap_or(u32::MAX);
                self.go(At::SameDc);
            }
            _ => {
                // The original keeps a digit at a time, so the last one counts.
                self.header.same_dc = !value.is_multiple_of(10);
                self.data_left = 0;
                self.go(At::DataLen);
            }
        }
    }
}
