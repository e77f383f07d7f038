//! A reply of the text protocol as a response of the binary protocol.

use super::header::{Header, Response};
use super::line::MAX_COPIED;
use super::opcode::{Mode, Op, Opcode, lookup};
use super::status::Status;
use crate::mbuf::{Chain, Pool};
use crate::proto::memcache::base64;
use crate::proto::memcache::head::{self, MAX_HEAD_LEN};
use crate::proto::memcache::reply_line::ReplyLine;

/// The version in the response for an item that a classic command has stored, whose reply contains none: no item will ever have it.
const NO_VERSION: u64 = u64::MAX;

/// The part of a request that its response needs, as one number that is never 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked(u64);

impl Asked {
    const SET: u64 = 1 << 63;

    /// Of a request with this header.
    pub fn of(header: &Header) -> Asked {
        Asked(Asked::SET | u64::from(header.opcode) << 32 | u64::from(header.opaque))
    }

    /// The number.
    pub fn number(self) -> u64 {
        self.0
    }

    /// From the number; `None` for any other.
    pub fn from_number(number: u64) -> Option<Asked> {
        (number & Asked::SET != 0).then_some(Asked(number))
    }

    fn opcode(self) -> u8 {
        (self.0 >> 32) as u8
    }

    fn opaque(self) -> u32 {
        self.0 as u32
    }
}

/// A response with a status and its text.
pub fn plain(header: &Header, status: Status) -> Vec<u8> {
    failure(header, status, status.text())
}

/// A response with a status and another text.
pub fn failure(header: &Header, status: Status, text: &[u8]) -> Vec<u8> {
    let response = Response {
        value: text.len() as u32,
        ..Response::new(header.opcode, header.opaque, status)
    };
    [&response.bytes()[..], text].concat()
}

/// Translates a text reply to a response and appends it to `out`; nothing if the client does not want it. A value is
/// not copied, unless it is short.
pub fn append(asked: Asked, reply: &Chain, pool: &Pool, out: &mut Chain) {
    let Some(row) = lookup(asked.opcode()) else {
        return;
    };
    let first: &[u8] = reply
        .slices()
        .next()
        .map(|slice| &slice[..])
        .unwrap_or_default();
    let mut room;
    let start = if first.len() >= reply.len().min(MAX_HEAD_LEN) {
        first
    } else {
        room = [0; MAX_HEAD_LEN];
        let n = reply.gather(0, &mut room);
        room.get(..n).unwrap_or_default()
    };
    let writer = Writer {
        asked,
        row,
        reply,
        pool,
        out,
    };
    writer.write(start);
}

struct Writer<'a> {
    asked: Asked,
    row: &'static Opcode,
    reply: &'a Chain,
    pool: &'a Pool,
    out: &'a mut Chain,
}

/// The flags of an item in a meta reply.
#[derive(Default)]
struct Flags<'a> {
    flags: u32,
    unique: u64,
    key: &'a [u8],
    base64: bool,
}

/// The flags of a meta reply.
fn flags<'a>(line: &ReplyLine<'a>) -> Flags<'a> {
    let mut found = Flags::default();
    for word in line.flags() {
        match word.split_first() {
            Some((b'f', digits)) => found.flags = number(digits) as u32,
            Some((b'c', digits)) => found.unique = number(digits),
            Some((b'k', key)) => found.key = key,
            Some((b'b', [])) => found.base64 = true,
            _ => {}
        }
    }
    found
}

/// The number that digits are, up to the first byte that is none.
fn number(digits: &[u8]) -> u64 {
    let digits = digits.iter().take_while(|byte| byte.is_ascii_digit());
    digits.fold(0u64, |value, digit| {
        value
            .wrapping_mul(10)
            .wrapping_add(u64::from(digit.wrapping_sub(b'0')))
    })
}

impl Writer<'_> {
    fn response(&self, status: Status) -> Response {
        Response::new(self.asked.opcode(), self.asked.opaque(), status)
    }

    fn write(mut self, start: &[u8]) {
        let reply = ReplyLine::of(start);
        let (line, code) = (&reply, reply.code());
        let status = match (code, self.row.op) {
            (b"SERVER_ERROR" | b"CLIENT_ERROR" | b"ERROR", _) => return self.error(line.line),
            (b"VALUE", Op::Get | Op::GetAndTouch) => return self.value(start),
            (b"VA", Op::Get | Op::GetAndTouch) => return self.meta_value(start),
            (b"END" | b"EN", Op::Get | Op::GetAndTouch | Op::Touch) => return self.miss(line),
            (b"HD", Op::Touch) => return self.touched(line),
            (b"VA", Op::Arithmetic(_)) => return self.count(line),
            (b"STAT" | b"END", Op::Stat) => return self.statistics(),
            (b"VERSION", Op::Version) => return self.version(line),
            (b"OK", Op::Flush) => Status::Success,
            (b"HD", Op::Store(_) | Op::Join(_) | Op::Delete | Op::Arithmetic(_)) => Status::Success,
            (b"STORED", Op::Store(_) | Op::Join(_)) => Status::Success,
            (b"NS" | b"NOT_STORED", Op::Store(Mode::Add)) | (b"EX", _) => Status::Exists,
            (b"NS" | b"NOT_STORED", Op::Store(Mode::Replace)) | (b"NF", _) => Status::NotFound,
            (b"NS" | b"NOT_STORED", _) => Status::NotStored,
            _ => Status::Internal,
        };
        if status != Status::Success {
            return self.failure(status);
        }
        if !self.row.quiet {
            // A delete has no version.
            let unique = match self.row.op {
                Op::Delete | Op::Flush => 0,
                _ if code == b"STORED" => NO_VERSION,
                _ => flags(line).unique,
            };
            let response = Response {
                unique,
                ..self.response(status)
            };
            self.pool.copy(&response.bytes(), self.out);
        }
    }

    fn failure(&mut self, status: Status) {
        self.failure_with(status, status.text());
    }

    fn failure_with(&mut self, status: Status, text: &[u8]) {
        let response = Response {
            value: text.len() as u32,
            ..self.response(status)
        };
        self.pool.copy(&response.bytes(), self.out);
        self.pool.copy(text, self.out);
    }

    /// An error line.
    fn error(&mut self, line: &[u8]) {
        if line.starts_with(b"SERVER_ERROR object too large") {
            return self.failure(Status::TooLarge);
        }
        if line.starts_with(b"SERVER_ERROR out of memory") {
            return self.failure(Status::OutOfMemory);
        }
        if line.starts_with(b"CLIENT_ERROR cannot increment or decrement") {
            return self.failure(Status::NotANumber);
        }
        let reply = ReplyLine::of(line);
        let (word, text) = (reply.code(), reply.text());
        let status = match (word, self.row.op) {
            (b"SERVER_ERROR", _) if text.ends_with(b" runs the original Dynomite") => {
                Status::NotSupported
            }
            (b"SERVER_ERROR", _) => Status::TemporaryFailure,
            (b"CLIENT_ERROR", Op::Flush | Op::Stat) => Status::NotSupported,
            (b"CLIENT_ERROR", _) => Status::Invalid,
            _ => Status::UnknownCommand,
        };
        let text = if text.is_empty() { status.text() } else { text };
        self.failure_with(status, text);
    }

    /// An item whose data begins at byte `line` of the reply.
    fn item(&mut self, item: &Flags<'_>, line: usize, data: usize) {
        let decoded = item.base64.then(|| base64::decode(item.key)).flatten();
        let key = if self.row.keyed {
            decoded.as_deref().unwrap_or(item.key)
        } else {
            b""
        };
        let response = Response {
            extras: 4,
            key: key.len() as u16,
            value: data as u32,
            unique: item.unique,
            ..self.response(Status::Success)
        };
        self.pool.copy(&response.bytes(), self.out);
        self.pool.copy(&item.flags.to_be_bytes(), self.out);
        self.pool.copy(key, self.out);
        let mut at = 0;
        let end = line + data;
        for slice in self.reply.slices() {
            let (from, to) = (line.saturating_sub(at), end.saturating_sub(at));
            if from < slice.len() && from < to {
                if data <= MAX_COPIED {
                    let to = to.min(slice.len());
                    self.pool
                        .copy(slice.get(from..to).unwrap_or_default(), self.out);
                } else {
                    self.out.push_range(slice, from, to);
                }
            }
            at += slice.len();
        }
    }

    fn value(&mut self, start: &[u8]) {
        let Ok(head) = head::value(start) else {
            return self.failure(Status::Internal);
        };
        let item = Flags {
            flags: head.flags,
            unique: head.unique.unwrap_or_default(),
            key: start.get(head.key.clone()).unwrap_or_default(),
            base64: false,
        };
        self.item(&item, head.line, head.data);
    }

    fn meta_value(&mut self, start: &[u8]) {
        let Ok(head) = head::meta_value(start) else {
            return self.failure(Status::Internal);
        };
        self.item(&flags(&ReplyLine::of(start)), head.line, head.data);
    }

    fn miss(&mut self, line: &ReplyLine<'_>) {
        if self.row.quiet {
            return;
        }
        if !self.row.keyed {
            return self.failure(Status::NotFound);
        }
        let item = flags(line);
        let decoded = item.base64.then(|| base64::decode(item.key)).flatten();
        let key = decoded.as_deref().unwrap_or(item.key);
        let response = Response {
            key: key.len() as u16,
            ..self.response(Status::NotFound)
        };
        self.pool.copy(&response.bytes(), self.out);
        self.pool.copy(key, self.out);
    }

    fn touched(&mut self, line: &ReplyLine<'_>) {
        let item = flags(line);
        let response = Response {
            extras: 4,
            unique: item.unique,
            ..self.response(Status::Success)
        };
        self.pool.copy(&response.bytes(), self.out);
        self.pool.copy(&item.flags.to_be_bytes(), self.out);
    }

    fn count(&mut self, line: &ReplyLine<'_>) {
        if self.row.quiet {
            return;
        }
        let response = Response {
            value: 8,
            unique: flags(line).unique,
            ..self.response(Status::Success)
        };
        self.pool.copy(&response.bytes(), self.out);
        self.pool.copy(&number(line.rest).to_be_bytes(), self.out);
    }

    fn version(&mut self, line: &ReplyLine<'_>) {
        self.failure_with(Status::Success, line.text());
    }

    /// A response for each statistic, and one without a key behind the last.
    fn statistics(&mut self) {
        let text = self.reply.to_vec();
        for line in text.split(|byte| *byte == b'\n') {
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            let mut words = line.splitn(3, |byte| *byte == b' ');
            if words.next() != Some(b"STAT") {
                if !line.is_empty() && line != b"END" {
                    return self.error(line);
                }
                continue;
            }
            let (key, value) = (
                words.next().unwrap_or_default(),
                words.next().unwrap_or_default(),
            );
            let response = Response {
                key: key.len() as u16,
                value: value.len() as u32,
                ..self.response(Status::Success)
            };
            let parts = [&response.bytes()[..], key, value];
            parts.iter().for_each(|part| self.pool.copy(part, self.out));
        }
        let last = self.response(Status::Success);
        self.pool.copy(&last.bytes(), self.out);
    }
}
