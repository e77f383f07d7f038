//! Finding where a request ends: a resumable, in-place parser.
//!
//! A request is a line, and for some commands a value of announced length with CR LF behind it. The line's
//! end is searched once, however the bytes arrive; a canonical line is then read in one pass; a value is
//! skipped by its length and never looked at. Only a line that straddles two slices is copied, to be
//! read.
//!
//! The end of a request is where memcached 1.6.18 sees it (observed), as its clients were made for it:
//!
//! - A line ends with LF; one CR before it does not count.
//! - Behind a storage command that is refused for its key, its numbers or the number of its words, memcached
//!   takes the value for the next command. Only behind a refused `ms`, and one that is too large, it passes
//!   the value over.
//! - A value without CR LF behind it is as long as was announced, and two bytes; the next command begins
//!   there.
//! - A line that is too long closes the connection without an answer. memcached judges by what has arrived at
//!   once; here [`MAX_LINE`] and [`MAX_RETRIEVAL`] decide.

use super::call::Quiet;
use super::command::Command;
use super::direct;
use super::line::{Follows, Outcome, understand};
use crate::mbuf::Chain;
use crate::proto::{Framer, Parse};
use memchr::memchr;
use std::borrow::Cow;

pub use super::line::{MAX_KEY, MAX_VALUE};
pub use crate::proto::redis::request::Span;

/// Longest line in bytes, line end included, but for `get` and its kin.
pub const MAX_LINE: usize = 8 << 10;
/// Longest line of a `get`, `gets`, `gat` or `gats` in bytes, line end included.
pub const MAX_RETRIEVAL: usize = 1 << 20;

/// A delimited request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its length in bytes: the line, and the value with its CR LF if one belongs to it.
    pub len: usize,
    /// Length of its line in bytes, line end included; 0 if there is none.
    pub line: u32,
    /// What kind it is.
    pub kind: Kind,
}

/// The kinds of request on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// In canonical form and wholly validated: it may be forwarded unchanged. Lower-case name, single
    /// blanks, no control bytes, keys of at most [`MAX_KEY`] bytes, numbers in range and without leading
    /// zeros, CR LF behind the line and the value, to be answered exactly once.
    Direct {
        /// Its row.
        command: &'static Command,
        /// The first key, as it is hashed.
        key: Span,
        /// How many keys there are; at least 1.
        keys: u32,
        /// Its use of versions of items, which differ from replica to replica.
        versions: Versions,
    },
    /// To be read by [`super::line::read`], given the line. The line of a call is followed by its value, with
    /// CR LF; other lines by nothing.
    Line,
    /// A call whose value is not followed by CR LF. The answer is [`super::errors::BAD_CHUNK`].
    BadChunk {
        /// True if the client does not want it.
        silent: bool,
    },
    /// A line that announces a value longer than [`MAX_VALUE`]. The answer is
    /// [`super::errors::TOO_LARGE`]; the value comes as [`Kind::Skipped`].
    TooLarge {
        /// True if the client does not want it.
        silent: bool,
    },
    /// Bytes of a value that is skipped, as many as there were: nothing to answer.
    Skipped,
}

/// The use of versions of items (memcached's *cas unique*) in a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Versions {
    /// None: it may be sent to several replicas unchanged.
    None,
    /// Its reply contains a version.
    Returned,
    /// It is carried out only if the item has the version that it names.
    Compared,
}

/// Result of a search for the end of a request.
pub type Status = Parse<Request, Fatal>;

/// Why a connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fatal {
    /// A line longer than [`MAX_LINE`], or [`MAX_RETRIEVAL`].
    LineTooLong,
}

impl Fatal {
    /// The answer before the connection is closed: nothing, as from memcached.
    pub fn reply(self) -> Vec<u8> {
        match self {
            Fatal::LineTooLong => Vec::new(),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// In a line.
    #[default]
    Line,
    /// Behind the line of a request that has a value.
    Value {
        /// Length of the request in bytes.
        len: usize,
        line: u32,
        kind: Kind,
        silent: bool,
    },
    /// In a value that is skipped.
    Skip {
        /// Bytes of it that are still to come.
        left: usize,
    },
}

/// The state between two pieces of one connection's requests.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    phase: Phase,
    /// Bytes of this request that were looked at.
    pos: usize,
}

/// Received bytes, the first of which is a request's first.
trait Source {
    /// Bytes up to the last one that is there.
    fn len(&self) -> usize;
    /// The place of the first LF from `from` on.
    fn line_feed(&self, from: usize) -> Option<usize>;
    /// The first `len` bytes.
    fn head(&self, len: usize) -> Cow<'_, [u8]>;
    /// The bytes at `at` and behind it.
    fn pair(&self, at: usize) -> [u8; 2];
}

/// Contiguous bytes; those before `base` are not shown.
struct Piece<'a> {
    data: &'a [u8],
    base: usize,
}

impl Source for Piece<'_> {
    #[inline]
    fn len(&self) -> usize {
        self.base + self.data.len()
    }

    #[inline]
    fn line_feed(&self, from: usize) -> Option<usize> {
        memchr(b'\n', self.data.get(from..)?).map(|at| from + at)
    }

    #[inline]
    fn head(&self, len: usize) -> Cow<'_, [u8]> {
        Cow::Borrowed(self.data.get(..len).unwrap_or(self.data))
    }

    #[inline]
    fn pair(&self, at: usize) -> [u8; 2] {
        let byte = |at: usize| {
            let at = at.checked_sub(self.base)?;
            self.data.get(at).copied()
        };
        [at, at + 1].map(|at| byte(at).unwrap_or_default())
    }
}

impl Source for Chain {
    fn len(&self) -> usize {
        Chain::len(self)
    }

    fn line_feed(&self, from: usize) -> Option<usize> {
        let mut base = 0;
        for slice in self.slices() {
            if let Some(rest) = slice.get(from.saturating_sub(base)..)
                && let Some(at) = memchr(b'\n', rest)
            {
                return Some(base.max(from) + at);
            }
            base += slice.len();
        }
        None
    }

    fn head(&self, len: usize) -> Cow<'_, [u8]> {
        if let Some(head) = self.slices().next().and_then(|slice| slice.get(..len)) {
            return Cow::Borrowed(head);
        }
        let mut head = vec![0; len.min(Chain::len(self))];
        self.gather(0, &mut head);
        Cow::Owned(head)
    }

    fn pair(&self, at: usize) -> [u8; 2] {
        let mut pair = [0; 2];
        self.gather(at, &mut pair);
        pair
    }
}

impl Framer for Parser {
    type Message = Request;
    type Broken = Fatal;

    #[inline]
    fn parse(&mut self, data: &[u8]) -> Status {
        self.parse(data, 0)
    }

    fn find(&mut self, data: &Chain) -> Status {
        self.find(data)
    }

    #[inline]
    fn len(request: &Request) -> usize {
        request.len
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

impl Parser {
    /// Returns true if no request is under way.
    pub fn is_idle(&self) -> bool {
        self.phase == Phase::Line && self.pos == 0
    }

    /// Bytes of a value that are known to be missing, and to be kept when they come; 0 if unknown.
    #[inline]
    pub fn expected(&self) -> usize {
        match self.phase {
            Phase::Value { len, .. } => len - self.pos.min(len),
            Phase::Line | Phase::Skip { .. } => 0,
        }
    }

    /// Looks at `data`, whose first byte is byte `base` of the request; bytes before the parser's position
    /// are skipped. A line has to be shown from its beginning (`base` 0), and so has the CR LF behind a
    /// value.
    #[inline]
    pub fn parse(&mut self, data: &[u8], base: usize) -> Status {
        let shown_from = match self.phase {
            Phase::Value { len, .. } => len - 2,
            Phase::Line | Phase::Skip { .. } => 0,
        };
        if base > shown_from {
            return Status::Incomplete;
        }
        self.advance(&Piece { data, base })
    }

    /// Looks for the end of the request that begins at the first byte of `data`, over slice borders.
    pub fn find(&mut self, data: &Chain) -> Status {
        self.advance(data)
    }

    #[inline]
    fn advance(&mut self, source: &impl Source) -> Status {
        if self.phase == Phase::Line
            && let Some(status) = self.line(source)
        {
            return status;
        }
        match self.phase {
            Phase::Value {
                len,
                line,
                kind,
                silent,
            } if source.len() >= len => {
                let kind = if source.pair(len - 2) == *b"\r\n" {
                    kind
                } else {
                    Kind::BadChunk { silent }
                };
                self.complete(len, line, kind)
            }
            Phase::Skip { left } if source.len() > 0 => {
                let len = left.min(source.len());
                let status = self.complete(len, 0, Kind::Skipped);
                self.skip(left - len);
                status
            }
            _ => {
                self.pos = self.pos.max(source.len());
                Status::Incomplete
            }
        }
    }

    /// Looks for the line's end, and reads the line. `None`: more is needed.
    #[inline]
    fn line(&mut self, source: &impl Source) -> Option<Status> {
        let feed = source.line_feed(self.pos);
        let len = feed.map_or(source.len(), |at| at + 1);
        let most = MAX_LINE - usize::from(feed.is_none());
        if len > most && is_too_long(source, len, feed.is_none()) {
            return Some(Status::Bad(Fatal::LineTooLong));
        }
        feed?;
        let line = source.head(len);
        if let Some(text) = line.strip_suffix(b"\r\n")
            && let Some(direct) = direct::read(text)
        {
            let kind = Kind::Direct {
                command: direct.command,
                key: direct.key,
                keys: direct.keys,
                versions: direct.versions,
            };
            return match direct.value {
                None => Some(self.complete(len, len as u32, kind)),
                Some(value) => {
                    self.await_value(len, value, kind, false);
                    None
                }
            };
        }
        self.odd_line(&line)
    }

    /// Reads a line that is not in canonical form.
    #[cold]
    fn odd_line(&mut self, line: &[u8]) -> Option<Status> {
        let reading = understand(line);
        let silent = match &reading.outcome {
            Outcome::Call(call) => call.quiet == Quiet::All,
            Outcome::Answer { silent, .. } => *silent,
            Outcome::Quit => false,
        };
        let kind = match reading.follows {
            Follows::TooLarge(_) => Kind::TooLarge { silent },
            _ => Kind::Line,
        };
        if let Follows::Value(value) = reading.follows {
            self.await_value(line.len(), value, kind, silent);
            return None;
        }
        let status = self.complete(line.len(), line.len() as u32, kind);
        if let Follows::Swallow(bytes) | Follows::TooLarge(bytes) = reading.follows {
            self.skip(bytes as usize);
        }
        Some(status)
    }

    /// Goes on with a value.
    #[inline]
    fn await_value(&mut self, line: usize, value: u32, kind: Kind, silent: bool) {
        self.phase = Phase::Value {
            len: line + value as usize + 2,
            line: line as u32,
            kind,
            silent,
        };
    }

    /// Begins to skip bytes.
    fn skip(&mut self, left: usize) {
        if left > 0 {
            self.phase = Phase::Skip { left };
        }
    }

    #[inline]
    fn complete(&mut self, len: usize, line: u32, kind: Kind) -> Status {
        self.phase = Phase::Line;
        self.pos = 0;
        Status::Complete(Request { len, line, kind })
    }
}

/// Returns true if a line of more than [`MAX_LINE`] bytes is too long. memcached, too, takes none but `get` and `gets`,
/// behind not too many blanks.
#[cold]
fn is_too_long(source: &impl Source, len: usize, open: bool) -> bool {
    const BLANKS: usize = 100;
    let head = source.head(BLANKS + 5);
    let blanks = head.iter().take_while(|byte| **byte == b' ').count();
    let name = head.get(blanks..).unwrap_or_default();
    let names = [&b"get "[..], b"gets ", b"gat ", b"gats "];
    let retrieves = names.iter().any(|start| name.starts_with(start));
    blanks > BLANKS || !retrieves || len > MAX_RETRIEVAL - usize::from(open)
}

#[cfg(test)]
mod tests;
