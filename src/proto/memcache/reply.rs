//! Finding where a reply of a memcached ends: a resumable, in-place parser.
//!
//! A reply is recognized without its request: one line; or `VALUE` lines, each with its
//! data, up to `END`; or `STAT` lines up to `END`; or a `VA` line with its data. An error line in
//! place of one of a list's lines ends the list: memcached may run out of memory in the middle of
//! one. Data is skipped by its length, so it may look like anything.
//!
//! Lines end with CR LF and begin with one of the words memcached is known to say. Anything else is
//! garbage after which the stream cannot be trusted: the connection has to be closed.

use super::head::{self, Head, MAX_HEAD_LEN, NoHead};
use crate::mbuf::Chain;
use crate::proto::{Framer, Parse};

/// Longest line without data in bytes: an error's text, a statistic.
pub const MAX_LINE_LEN: usize = 1 << 16;
/// How many bytes of a reply [`is_error`] looks at, at most.
pub const ERROR_WORD: usize = b"SERVER_ERROR ".len();

/// Result of a search for the end of a reply: its length in bytes, or why this is no reply.
pub type Status = Parse<usize, &'static str>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// At the beginning of a line.
    #[default]
    Line,
    /// In the text of a line whose first word is known.
    Text,
    /// Inside data, `skip` bytes before its end.
    Data,
    /// At the CR LF behind data.
    End,
}

/// The list that a reply is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum List {
    /// It has but begun.
    #[default]
    Unknown,
    /// `VALUE` lines.
    Values,
    /// `STAT` lines.
    Stats,
    /// None: the current line or block is the whole reply.
    No,
}

/// The state between two pieces of one reply.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    phase: Phase,
    list: List,
    /// Bytes of this reply consumed so far.
    pos: usize,
    /// Data bytes still to be skipped.
    skip: usize,
    /// Where the text under way began.
    line: usize,
}

/// The kind of a line, by its first word.
enum Line {
    /// It is cut too early to be recognized.
    Cut,
    /// The reply's last, with this many bytes.
    Last(usize),
    /// One with text behind its first word of `word` bytes; `last`: it is the reply's last.
    Text { word: usize, last: bool },
    /// One with data behind it.
    Data(Head, List),
    /// None, for this reason.
    Bad(&'static str),
}

const UNKNOWN: Line = Line::Bad("unknown reply");

/// Longest first word: a number of 64 bits.
const MAX_WORD_LEN: usize = 20;

fn head(found: Result<Head, NoHead>, list: List) -> Line {
    match found {
        Ok(head) => Line::Data(head, list),
        Err(NoHead::Cut) => Line::Cut,
        Err(NoHead::Bad(why)) => Line::Bad(why),
    }
}

/// Looks at the line that `rest` begins with, in a reply that is such a list so far.
#[inline]
fn line(rest: &[u8], list: List) -> Line {
    match rest {
        [b'V', b'A', b'L', b'U', b'E', b' ', ..] => match list {
            List::Unknown | List::Values => head(head::value(rest), List::Values),
            _ => UNKNOWN,
        },
        [b'E', b'N', b'D', b'\r', b'\n', ..] => Line::Last(b"END\r\n".len()),
        _ => by_word(rest, list),
    }
}

fn by_word(rest: &[u8], list: List) -> Line {
    let start = rest.get(..MAX_WORD_LEN + 1).unwrap_or(rest);
    let Some(len) = start
        .iter()
        .position(|byte| matches!(byte, b' ' | b'\r' | b'\n'))
    else {
        return if start.len() > MAX_WORD_LEN {
            UNKNOWN
        } else {
            Line::Cut
        };
    };
    let (word, behind) = rest.split_at(len);
    let text = Line::Text {
        word: len,
        last: true,
    };
    match (word, list) {
        (b"ERROR" | b"CLIENT_ERROR" | b"SERVER_ERROR", _) => text,
        (b"END", _) => alone(len, behind),
        (b"STAT", List::Unknown | List::Stats) => Line::Text {
            word: len,
            last: false,
        },
        (b"VA", List::Unknown) if behind.first() == Some(&b' ') => {
            head(head::meta_value(rest), List::No)
        }
        (b"HD" | b"EN" | b"NF" | b"NS" | b"EX" | b"VERSION", List::Unknown) => text,
        (
            b"STORED" | b"NOT_STORED" | b"EXISTS" | b"NOT_FOUND" | b"DELETED" | b"TOUCHED" | b"OK"
            | b"RESET" | b"MN",
            List::Unknown,
        ) => alone(len, behind),
        (digits, List::Unknown) if len > 0 && digits.iter().all(u8::is_ascii_digit) => {
            alone(len, behind)
        }
        _ => UNKNOWN,
    }
}

/// A line of one word of `len` bytes; `behind` are the bytes behind the word.
fn alone(len: usize, behind: &[u8]) -> Line {
    match behind {
        [b'\r', b'\n', ..] => Line::Last(len + 2),
        [b'\r'] => Line::Cut,
        _ => Line::Bad("text behind a reply of one word"),
    }
}

impl Parser {
    /// Returns true if no reply is under way.
    #[inline]
    pub fn is_idle(&self) -> bool {
        self.pos == 0 && self.phase == Phase::Line && self.list == List::Unknown
    }

    /// Data bytes that are known to be missing; 0 if unknown.
    #[inline]
    pub fn expected(&self) -> usize {
        self.skip
    }

    /// Looks at `data`, whose first byte is byte `base` of the reply; bytes before the parser's
    /// position are skipped. A line that announces data, and the first word of any other, is not
    /// looked at until it is there as a whole.
    #[inline]
    pub fn parse(&mut self, data: &[u8], base: usize) -> Status {
        let mut p = self.pos.saturating_sub(base);
        loop {
            let Some(rest) = data.get(p..) else {
                // The first slice of a message that was looked at further already.
                return Status::Incomplete;
            };
            match self.phase {
                Phase::Line => match line(rest, self.list) {
                    Line::Last(len) => return self.complete(base + p + len),
                    Line::Data(head, list) => {
                        p += head.line;
                        (self.skip, self.list) = (head.data, list);
                        self.phase = Phase::Data;
                    }
                    Line::Text { word, last } => {
                        self.line = base + p;
                        p += word;
                        self.list = if last { List::No } else { List::Stats };
                        self.phase = Phase::Text;
                    }
                    Line::Cut => break,
                    Line::Bad(why) => return Status::Bad(why),
                },
                Phase::Data => {
                    let here = self.skip.min(rest.len());
                    p += here;
                    self.skip -= here;
                    if self.skip > 0 {
                        break;
                    }
                    self.phase = Phase::End;
                }
                Phase::End => match rest {
                    [b'\r', b'\n', ..] => {
                        p += 2;
                        if self.list == List::No {
                            return self.complete(base + p);
                        }
                        self.phase = Phase::Line;
                    }
                    [b'\r'] | [] => break,
                    _ => return Status::Bad("data not ended by CR LF"),
                },
                Phase::Text => match memchr::memchr2(b'\r', b'\n', rest) {
                    Some(at) => match (rest.get(at), rest.get(at + 1)) {
                        (Some(b'\r'), Some(b'\n')) => {
                            p += at + 2;
                            if self.list == List::No {
                                return self.complete(base + p);
                            }
                            self.phase = Phase::Line;
                        }
                        (Some(b'\r'), None) => {
                            p += at;
                            break;
                        }
                        _ => return Status::Bad("line not ended by CR LF"),
                    },
                    None => {
                        p = data.len();
                        if base + p - self.line > MAX_LINE_LEN {
                            return Status::Bad("line too long");
                        }
                        break;
                    }
                },
            }
        }
        self.pos = base + p;
        Status::Incomplete
    }

    #[inline]
    fn complete(&mut self, len: usize) -> Status {
        (self.pos, self.phase, self.list) = (0, Phase::Line, List::Unknown);
        Status::Complete(len)
    }

    /// Looks for the end of the reply that begins at the first byte of `data`, over slice borders.
    pub fn find(&mut self, data: &Chain) -> Status {
        let mut base = 0;
        for slice in data.slices() {
            let end = base + slice.len();
            // The parser goes on at the beginning of the slice or inside it.
            if self.pos < end {
                match self.parse(slice, base) {
                    Status::Incomplete => {}
                    found => return found,
                }
            }
            // Something short is cut by the slice's end; as often as slices are shorter than it.
            while self.pos < end {
                let (at, phase) = (self.pos, self.phase);
                let mut window = [0; MAX_HEAD_LEN];
                let n = data.gather(at, &mut window);
                match self.parse(window.get(..n).unwrap_or_default(), at) {
                    Status::Incomplete if (self.pos, self.phase) == (at, phase) => {
                        return Status::Incomplete;
                    }
                    Status::Incomplete => {}
                    found => return found,
                }
            }
            base = end;
        }
        Status::Incomplete
    }
}

impl Framer for Parser {
    type Message = usize;
    type Broken = &'static str;

    #[inline]
    fn parse(&mut self, data: &[u8]) -> Status {
        self.parse(data, 0)
    }

    fn find(&mut self, data: &Chain) -> Status {
        self.find(data)
    }

    #[inline]
    fn len(message: &usize) -> usize {
        *message
    }

    #[inline]
    fn is_idle(&self) -> bool {
        self.is_idle()
    }

    #[inline]
    fn expected(&self) -> usize {
        self.expected()
    }
}

/// Returns true if a reply that begins so is an error that says nothing about the data: `SERVER_ERROR` and
/// `ERROR`. `CLIENT_ERROR` is what every replica says to the same request.
///
/// [`ERROR_WORD`] bytes are enough, and a reply that has fewer is given as a whole.
#[inline]
pub fn is_error(start: &[u8]) -> bool {
    [&b"SERVER_ERROR"[..], b"ERROR"].iter().any(|word| {
        start
            .strip_prefix(*word)
            .is_some_and(|rest| matches!(rest.first(), Some(b' ' | b'\r') | None))
    })
}

#[cfg(test)]
mod tests;
