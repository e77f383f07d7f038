//! Finding where a request ends: a resumable, in-place parser.
//!
//! A header contains the length of a request. The lengths are checked as soon as the header is complete, so that the
//! node does not wait for a body that it would refuse; the rest is skipped by its length.

use super::header::{self, Header};
use super::opcode::{Op, Opcode, lookup};
use super::response::Asked;
use super::status::Status;
use crate::mbuf::Chain;
use crate::proto::memcache::line::{MAX_KEY, MAX_VALUE};
use crate::proto::{Framer, Parse};

/// A delimited request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its length in bytes.
    pub len: usize,
    /// Its header.
    pub header: Header,
    /// How it is treated.
    pub kind: Kind,
}

/// The treatment of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// To be served; all of it is there, and its lengths are those of the command.
    Served(&'static Opcode),
    /// To be answered with this status; its body comes as [`Kind::Skipped`].
    Answer(Status),
    /// Bytes of a body that is skipped: nothing to answer.
    Skipped,
}

/// Result of a search for the end of a request.
pub type Found = Parse<Request, Fatal>;

/// Why a connection is to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fatal {
    /// The bytes are no request; closed without an answer.
    NoRequest,
    /// A request whose lengths are not those of its command; it is answered with this status.
    Answer(Header, Status),
}

impl Fatal {
    /// The answer before the connection is closed.
    pub fn reply(self) -> Vec<u8> {
        match self {
            Fatal::NoRequest => Vec::new(),
            Fatal::Answer(header, status) => super::response::plain(&header, status),
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// In a header.
    #[default]
    Header,
    /// In the body of a request that is served.
    Body(Header, &'static Opcode),
    /// In a body that is skipped, with this many bytes still to come.
    Skip(usize),
}

/// The state between two pieces of one connection's requests.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    phase: Phase,
    /// Bytes of this request that were looked at.
    seen: usize,
}

impl Framer for Parser {
    type Message = Request;
    type Broken = Fatal;

    #[inline]
    fn parse(&mut self, data: &[u8]) -> Found {
        self.parse(data)
    }

    fn find(&mut self, data: &Chain) -> Found {
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
        self.phase == Phase::Header && self.seen == 0
    }

    /// Bytes of a request that are known to be missing, and to be kept when they come; 0 if unknown.
    pub fn expected(&self) -> usize {
        match self.phase {
            Phase::Body(header, _) => len_of(&header).saturating_sub(self.seen),
            Phase::Header | Phase::Skip(_) => 0,
        }
    }

    /// The request whose body is under way.
    pub fn asked(&self) -> Option<Asked> {
        match &self.phase {
            Phase::Body(header, _) => Some(Asked::of(header)),
            Phase::Header | Phase::Skip(_) => None,
        }
    }

    /// Looks for the end of the request that begins at the first byte of `data`.
    #[inline]
    pub fn parse(&mut self, data: &[u8]) -> Found {
        let head = |head: &mut [u8; header::LEN]| {
            if let Some(start) = data.get(..header::LEN) {
                head.copy_from_slice(start);
            }
        };
        self.advance(data.len(), head)
    }

    /// The same over slice borders.
    pub fn find(&mut self, data: &Chain) -> Found {
        self.advance(data.len(), |head| {
            data.gather(0, head);
        })
    }

    #[inline]
    fn advance(&mut self, len: usize, head: impl FnOnce(&mut [u8; header::LEN])) -> Found {
        if self.phase == Phase::Header {
            if len < header::LEN {
                self.seen = len;
                return Found::Incomplete;
            }
            let mut bytes = [0; header::LEN];
            head(&mut bytes);
            let Some(header) = Header::read(&bytes) else {
                return Found::Bad(Fatal::NoRequest);
            };
            match judge(&header) {
                Ok(Kind::Served(row)) => self.phase = Phase::Body(header, row),
                Ok(kind) => {
                    let found = self.complete(header::LEN, header, kind);
                    self.skip(header.body as usize);
                    return found;
                }
                Err(status) => return Found::Bad(Fatal::Answer(header, status)),
            }
        }
        match self.phase {
            Phase::Body(header, row) if len >= len_of(&header) => {
                self.complete(len_of(&header), header, Kind::Served(row))
            }
            Phase::Skip(left) if len > 0 => {
                let now = left.min(len);
                let found = self.complete(now, Header::default(), Kind::Skipped);
                self.skip(left - now);
                found
            }
            _ => {
                self.seen = len;
                Found::Incomplete
            }
        }
    }

    fn complete(&mut self, len: usize, header: Header, kind: Kind) -> Found {
        *self = Parser::default();
        Found::Complete(Request { len, header, kind })
    }

    /// Begins to skip bytes.
    fn skip(&mut self, left: usize) {
        if left > 0 {
            self.phase = Phase::Skip(left);
        }
    }
}

/// Bytes of a request.
fn len_of(header: &Header) -> usize {
    header::LEN + header.body as usize
}

/// Checks a header's lengths, in memcached's order. The error is the status before the connection is closed.
fn judge(header: &Header) -> Result<Kind, Status> {
    let Some(value) = header.value() else {
        return Err(Status::UnknownCommand);
    };
    if usize::from(header.key) > MAX_KEY {
        return Err(Status::Invalid);
    }
    let Some(row) = lookup(header.opcode) else {
        return Ok(Kind::Answer(Status::UnknownCommand));
    };
    if !row.fits(header) {
        return Err(Status::Invalid);
    }
    Ok(match row.op {
        Op::Sasl => Kind::Answer(Status::UnknownCommand),
        _ if value > MAX_VALUE => Kind::Answer(Status::TooLarge),
        _ => Kind::Served(row),
    })
}
