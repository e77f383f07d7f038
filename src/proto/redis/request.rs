//! Finding where a request ends: a resumable, in-place parser.
//!
//! The parser never copies and never looks at a byte twice. It walks length prefixes, skips payloads
//! by their length, and remembers where the command name and the first argument are. Bytes that pass
//! are canonical RESP (no leading zeros, CR LF everywhere, lengths within limits), so they may be
//! forwarded as they stand; an inline command is only delimited here and has to be encoded anew.
//!
//! It is fed contiguous pieces. A length line must be contiguous; a payload need not be. The caller
//! ([`Parser::find`]) bridges a line that straddles two slices with a window of a few bytes.
//!
//! Grammar and limits are those of Redis' protocol specification; error texts are those of Redis
//! 7.0's `processMultibulkBuffer` and `processInlineBuffer`. It is stricter in one point: Redis skips
//! two bytes after a payload unseen, here they must be CR LF, because the bytes go on to a connection
//! that all clients share.

use super::errors;
use super::inline::MAX_LINE as MAX_LINE_LEN;
use super::resume::{Digits, Resumable, digits, find};
use crate::mbuf::Chain;
use crate::proto::{Framer, Parse};

/// Most arguments of one request, its name included (Redis' limit since 7.0; before it was 1,048,576).
pub const MAX_ARGUMENTS: u64 = i32::MAX as u64;
/// Largest argument in bytes (Redis' default `proto-max-bulk-len`).
pub const MAX_ARGUMENT_LEN: u64 = 512 << 20;
/// Largest request in bytes (Redis' default `client-query-buffer-limit`).
pub const MAX_REQUEST_LEN: usize = 1 << 30;

/// Where an argument lies, counted from the first byte of its request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// Offset of its first byte.
    pub at: u32,
    /// Its length in bytes.
    pub len: u32,
}

impl Span {
    /// The argument's bytes in a contiguous request; empty if it does not lie inside.
    #[inline]
    pub fn of(self, request: &[u8]) -> &[u8] {
        request
            .get(self.at as usize..(self.at as usize + self.len as usize))
            .unwrap_or(&[])
    }
}

/// A delimited request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    /// Its length in bytes.
    pub len: usize,
    /// What kind it is.
    pub kind: Kind,
}

/// The kinds of request on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// An array of bulk strings in canonical form.
    Array {
        /// Number of bulks, the command name included; at least 1.
        argc: u32,
        /// The command name.
        name: Span,
        /// The first argument; empty if there is none.
        first: Span,
    },
    /// A line, to be split by [`super::inline`].
    Inline,
    /// An array of no elements: nothing to answer. (So is an inline command of blanks only.)
    Empty,
}

/// Result of a search for the end of a request.
pub type Status = Parse<Request, ProtocolError>;

/// How a client broke the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProtocolError {
    /// The number of elements is no number or out of range.
    ArrayLength,
    /// The length of an element is no number or out of range.
    BulkLength,
    /// An element does not begin with `$` but with this byte.
    ExpectedBulk(u8),
    /// A payload is not followed by CR LF.
    PayloadEnd,
    /// A line longer than [`MAX_LINE_LEN`] before the first element.
    InlineTooLong,
    /// The line with the number of elements is longer than [`MAX_LINE_LEN`].
    ArrayLineTooLong,
    /// The line with an element's length is longer than [`MAX_LINE_LEN`].
    BulkLineTooLong,
    /// A request longer than [`MAX_REQUEST_LEN`].
    RequestTooLong,
}

impl ProtocolError {
    /// The error line for the client, complete with CR LF.
    pub fn reply(self) -> Vec<u8> {
        let text = match self {
            ProtocolError::ArrayLength => errors::BAD_MULTIBULK,
            ProtocolError::BulkLength => errors::BAD_BULK,
            ProtocolError::ExpectedBulk(got) => {
                let mut line = Vec::new();
                errors::expected_bulk(got, &mut line);
                return line;
            }
            ProtocolError::PayloadEnd => errors::NO_BULK_END,
            ProtocolError::InlineTooLong => errors::LONG_INLINE,
            ProtocolError::ArrayLineTooLong => errors::LONG_MULTIBULK,
            ProtocolError::BulkLineTooLong => errors::LONG_BULK,
            ProtocolError::RequestTooLong => errors::LONG_REQUEST,
        };
        text.as_bytes().to_vec()
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// At the first byte of a request.
    #[default]
    Start,
    /// Inside an inline command's line.
    Line,
    /// At the `$` of an element.
    Length,
    /// Inside a payload, `skip` bytes before its end.
    Payload,
    /// At the CR LF behind a payload.
    End,
}

/// The state between two pieces of one request.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    phase: Phase,
    /// Bytes of this request consumed so far.
    pos: usize,
    /// Payload bytes still to be skipped.
    skip: usize,
    /// Elements announced.
    argc: u32,
    /// Elements begun.
    seen: u32,
    name: Span,
    first: Span,
}

/// A decimal length line.
enum Line {
    /// The value, and where the next byte after CR LF is.
    Number(i64, usize),
    /// The line is not complete.
    Partial,
    /// The line is complete and no canonical number.
    Bad,
    /// The line is longer than [`MAX_LINE_LEN`], and not complete.
    TooLong,
}

/// Reads `[-]digits CR LF` at `data[at..]`.
#[inline]
fn length_line(data: &[u8], at: usize) -> Line {
    let Digits {
        value,
        negative,
        count,
        first,
        next,
    } = digits(data, at);
    // Twelve digits do not overflow, and no length is longer.
    let canonical =
        (1..=12).contains(&count) && (data.get(first) != Some(&b'0') || (count == 1 && !negative));
    match (data.get(next), data.get(next + 1)) {
        (Some(b'\r'), Some(b'\n')) if canonical => Line::Number(value, next + 2),
        (Some(b'\r'), None) | (None, _) if canonical || count == 0 => Line::Partial,
        // As Redis, wait for the line's end before judging it.
        _ if memchr::memchr(b'\r', data.get(at..).unwrap_or_default()).is_none() => {
            if data.len() - at <= MAX_LINE_LEN {
                Line::Partial
            } else {
                Line::TooLong
            }
        }
        _ => Line::Bad,
    }
}

impl Resumable for Parser {
    type Found = Status;
    type Phase = Phase;
    /// `$`, a sign, 12 digits, CR LF.
    const LINE: usize = 16;

    fn look(&mut self, piece: &[u8], base: usize) -> Option<Status> {
        Some(self.parse(piece, base)).filter(|status| *status != Status::Incomplete)
    }

    fn position(&self) -> usize {
        self.pos
    }

    fn phase(&self) -> Phase {
        self.phase
    }

    fn is_in_payload(&self) -> bool {
        self.phase == Phase::Payload
    }

    fn too_long(&self) -> Option<Status> {
        Some(Status::Bad(match self.phase {
            Phase::Start => ProtocolError::ArrayLineTooLong,
            _ => ProtocolError::BulkLineTooLong,
        }))
    }
}

impl Framer for Parser {
    type Message = Request;
    type Broken = ProtocolError;

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
        self.phase == Phase::Start
    }

    /// Payload bytes that are known to be missing; 0 if unknown.
    #[inline]
    pub fn expected(&self) -> usize {
        self.skip
    }

    /// Looks at `data`, whose first byte is byte `base` of the request; bytes before the parser's
    /// position are skipped.
    #[inline]
    pub fn parse(&mut self, data: &[u8], base: usize) -> Status {
        let mut p = self.pos - base;
        if p > data.len() {
            // The first slice of a message that was looked at further already.
            return Status::Incomplete;
        }
        loop {
            match self.phase {
                Phase::Length => match data.get(p) {
                    Some(b'$') => match length_line(data, p + 1) {
                        Line::Number(len, next) => {
                            if !(0..=MAX_ARGUMENT_LEN as i64).contains(&len) {
                                return Status::Bad(ProtocolError::BulkLength);
                            }
                            let end = base + next + len as usize;
                            if end > MAX_REQUEST_LEN {
                                return Status::Bad(ProtocolError::RequestTooLong);
                            }
                            let span = Span {
                                at: (base + next) as u32,
                                len: len as u32,
                            };
                            match self.seen {
                                0 => self.name = span,
                                1 => self.first = span,
                                _ => {}
                            }
                            self.seen += 1;
                            p = next;
                            self.skip = len as usize;
                            self.phase = Phase::Payload;
                        }
                        Line::Partial => break,
                        Line::Bad => return Status::Bad(ProtocolError::BulkLength),
                        Line::TooLong => return Status::Bad(ProtocolError::BulkLineTooLong),
                    },
                    Some(&other) => return Status::Bad(ProtocolError::ExpectedBulk(other)),
                    None => break,
                },
                Phase::Payload => {
                    let here = self.skip.min(data.len() - p);
                    p += here;
                    self.skip -= here;
                    if self.skip > 0 {
                        break;
                    }
                    self.phase = Phase::End;
                }
                Phase::End => {
                    match data.get(p..) {
                        Some([b'\r', b'\n', ..]) => p += 2,
                        Some([b'\r'] | []) | None => break,
                        Some(_) => return Status::Bad(ProtocolError::PayloadEnd),
                    }
                    if self.seen == self.argc {
                        let kind = Kind::Array {
                            argc: self.argc,
                            name: self.name,
                            first: self.first,
                        };
                        return self.complete(base + p, kind);
                    }
                    self.phase = Phase::Length;
                }
                Phase::Start => match data.get(p) {
                    Some(b'*') => match length_line(data, p + 1) {
                        Line::Number(n, next) if n <= 0 => {
                            return self.complete(base + next, Kind::Empty);
                        }
                        Line::Number(n, next) if n as u64 <= MAX_ARGUMENTS => {
                            self.argc = n as u32;
                            self.phase = Phase::Length;
                            p = next;
                        }
                        Line::Partial => break,
                        Line::Number(..) | Line::Bad => {
                            return Status::Bad(ProtocolError::ArrayLength);
                        }
                        Line::TooLong => return Status::Bad(ProtocolError::ArrayLineTooLong),
                    },
                    Some(_) => self.phase = Phase::Line,
                    None => break,
                },
                Phase::Line => match memchr::memchr(b'\n', &data[p..]) {
                    Some(at) => {
                        let end = base + p + at;
                        if end > MAX_LINE_LEN {
                            return Status::Bad(ProtocolError::InlineTooLong);
                        }
                        return self.complete(end + 1, Kind::Inline);
                    }
                    None => {
                        p = data.len();
                        if base + p > MAX_LINE_LEN {
                            return Status::Bad(ProtocolError::InlineTooLong);
                        }
                        break;
                    }
                },
            }
        }
        self.pos = base + p;
        Status::Incomplete
    }

    fn complete(&mut self, len: usize, kind: Kind) -> Status {
        *self = Parser::default();
        Status::Complete(Request { len, kind })
    }

    /// Looks for the end of the request that begins at the first byte of `data`, over slice borders.
    pub fn find(&mut self, data: &Chain) -> Status {
        find(self, data).unwrap_or(Status::Incomplete)
    }
}

/// The arguments of a complete, canonical array request, name first.
///
/// Stops early on anything else, so it never panics whatever it is given.
pub fn arguments(request: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut left = match length_line(request, 1) {
        Line::Number(_, next) if request.first() == Some(&b'*') => {
            request.get(next..).unwrap_or(&[])
        }
        _ => &[],
    };
    std::iter::from_fn(move || {
        if left.first() != Some(&b'$') {
            return None;
        }
        let Line::Number(len, next) = length_line(left, 1) else {
            return None;
        };
        let end = next.checked_add(usize::try_from(len).ok()?)?;
        let argument = left.get(next..end)?;
        left = left.get(end + 2..).unwrap_or(&[]);
        Some(argument)
    })
}

/// Runs `f` on the [`arguments`] of a request. Sixteen of them need no memory.
pub fn with_arguments<T>(request: &[u8], f: impl FnOnce(&[&[u8]]) -> T) -> T {
    let mut few: [&[u8]; 16] = [&[]; 16];
    let mut rest = arguments(request);
    let mut count = 0;
    for (room, argument) in few.iter_mut().zip(&mut rest) {
        *room = argument;
        count += 1;
    }
    match rest.next() {
        None => f(few.get(..count).unwrap_or_default()),
        Some(next) => {
            let many: Vec<_> = few.into_iter().chain([next]).chain(rest).collect();
            f(&many)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_number_of_arguments_is_handed_on() {
        for count in [0, 1, 15, 16, 17, 40] {
            let words: Vec<String> = (0..count).map(|number| number.to_string()).collect();
            let mut bytes = Vec::new();
            super::super::encode::command(&mut bytes, &words);
            let found = with_arguments(&bytes, |args| {
                let args = args
                    .iter()
                    .map(|arg| String::from_utf8_lossy(arg).into_owned());
                args.collect::<Vec<_>>()
            });
            assert_eq!(found, words);
        }
    }
    use crate::mbuf::Pool;
    use proptest::prelude::*;

    fn chain(pool: &Pool, pieces: &[&[u8]]) -> Chain {
        let mut chain = Chain::new();
        for piece in pieces {
            let mut writer = pool.writer();
            writer.spare()[..piece.len()].copy_from_slice(piece);
            chain.push(writer.commit(piece.len()));
        }
        chain
    }

    #[test]
    fn a_piece_before_the_parsers_position_is_passed_over() {
        let bytes = b"*2\r\n$3\r\nGET\r\n$9\r\n123456789\r\n";
        for cut in 0..bytes.len() {
            let mut parser = Parser::default();
            assert_eq!(parser.parse(&bytes[..cut], 0), Status::Incomplete);
            for earlier in 0..cut {
                assert_eq!(parser.parse(&bytes[..earlier], 0), Status::Incomplete);
            }
            assert!(matches!(
                parser.parse(bytes, 0),
                Status::Complete(Request { len, .. }) if len == bytes.len()
            ));
        }
    }

    #[test]
    fn judges_as_redis_does() {
        use ProtocolError::*;
        /// Length and whether there is something to answer; or what is wrong, if it is not only incomplete.
        type Verdict = Result<(usize, bool), Option<ProtocolError>>;
        let cases: &[(&[u8], Verdict)] = &[
            (b"*1\r\n$4\r\nPING\r\n", Ok((14, true))),
            (b"*0\r\n", Ok((4, false))),
            (b"*-1\r\n", Ok((5, false))),
            (b"\r\n", Ok((2, true))),
            (b"PING\r\n", Ok((6, true))),
            (b"PING\n", Ok((5, true))),
            (b"PING", Err(None)),
            (b"*1\n$4\nPING\n", Err(None)),
            (b"*A\r\n", Err(Some(ArrayLength))),
            (b"*\r\n", Err(Some(ArrayLength))),
            (b"*02\r\n", Err(Some(ArrayLength))),
            (b"*+1\r\n", Err(Some(ArrayLength))),
            (b"*1048577\r\n", Err(None)),
            (b"*2147483648\r\n", Err(Some(ArrayLength))),
            (b"*4294967298\r\n$3\r\n", Err(Some(ArrayLength))),
            (b"*99999999999999999999999\r\n", Err(Some(ArrayLength))),
            (b"*1\r\n*-1\r\n", Err(Some(ExpectedBulk(b'*')))),
            (b"*1\r\n$-1\r\n", Err(Some(BulkLength))),
            (b"*2\r\n$03\r\nGET\r\n", Err(Some(BulkLength))),
            (
                b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$629145600\r\nabc",
                Err(Some(BulkLength)),
            ),
            (b"*1\r\n$4294967295\r\nabc\r\n", Err(Some(BulkLength))),
            (
                b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nvXX",
                Err(Some(PayloadEnd)),
            ),
            (
                b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\rX",
                Err(Some(PayloadEnd)),
            ),
            (b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100\r\nabc", Err(None)),
        ];
        for (input, expected) in cases {
            let got = match Parser::default().parse(input, 0) {
                Status::Complete(request) => Ok((request.len, request.kind != Kind::Empty)),
                Status::Incomplete => Err(None),
                Status::Bad(error) => Err(Some(error)),
            };
            assert_eq!(got, *expected, "{:?}", String::from_utf8_lossy(input));
        }
    }

    #[test]
    fn a_line_without_end_is_refused_at_its_limit() {
        let long = vec![b'x'; MAX_LINE_LEN + 1];
        assert_eq!(
            Parser::default().parse(&long, 0),
            Status::Bad(ProtocolError::InlineTooLong)
        );
    }

    fn any_request() -> impl Strategy<Value = Vec<u8>> {
        let argument = proptest::collection::vec(any::<u8>(), 0..40);
        let array = proptest::collection::vec(argument, 1..6).prop_map(|args| {
            let mut out = format!("*{}\r\n", args.len()).into_bytes();
            for arg in &args {
                out.extend(format!("${}\r\n", arg.len()).bytes());
                out.extend(arg);
                out.extend(b"\r\n");
            }
            out
        });
        let inline = "[a-z]{1,10}( [a-z]{1,5}){0,3}\r\n".prop_map(String::into_bytes);
        // Mostly good requests, now and then junk.
        prop_oneof![6 => array, 2 => inline, 1 => Just(b"\r\n".to_vec()), 1 => Just(b"*-1\r\n".to_vec()),
            1 => proptest::collection::vec(any::<u8>(), 1..30)]
    }

    /// Everything a stream yields when it is parsed in one piece.
    fn whole(stream: &[u8]) -> Vec<Status> {
        let (mut out, mut at) = (Vec::new(), 0);
        loop {
            let status = Parser::default().parse(&stream[at..], 0);
            out.push(status);
            match status {
                Status::Complete(request) => at += request.len,
                _ => return out,
            }
        }
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(requests in proptest::collection::vec(any_request(), 1..8), cuts in proptest::collection::vec(1usize..50, 1..40)) {
            let stream = requests.concat();
            let expected = whole(&stream);
            // Delivered in contiguous growing prefixes, as a small unfinished message is.
            let (mut got, mut at, mut parser) = (Vec::new(), 0, Parser::default());
            let mut end = 0;
            let mut pieces: Vec<&[u8]> = Vec::new();
            for cut in cuts.iter().cycle() {
                let next = (end + cut).min(stream.len());
                pieces.push(&stream[end..next]);
                end = next;
                loop {
                    let status = parser.parse(&stream[at..end], 0);
                    match status {
                        Status::Complete(request) => { at += request.len; got.push(status); }
                        Status::Bad(_) => { got.push(status); break; }
                        Status::Incomplete => { if end == stream.len() { got.push(status); } break; }
                    }
                }
                if end == stream.len() || matches!(got.last(), Some(Status::Bad(_))) { break; }
            }
            prop_assert_eq!(&got, &expected);

            // Delivered as slices of separate blocks.
            let pool = Pool::new(64, 1 << 20);
            let mut data = Chain::new();
            let (mut got, mut parser) = (Vec::new(), Parser::default());
            'all: for (i, piece) in pieces.iter().enumerate() {
                data.append(&mut chain(&pool, &[piece]));
                loop {
                    let status = parser.find(&data);
                    match status {
                        Status::Complete(request) => { data.advance(request.len); got.push(status); }
                        Status::Bad(_) => { got.push(status); break 'all; }
                        Status::Incomplete => { if i + 1 == pieces.len() { got.push(status); } break; }
                    }
                }
            }
            // Over slice borders an overlong junk line is judged early; the verdict may differ there only.
            let junk = |s: &Status| matches!(s, Status::Bad(_) | Status::Incomplete);
            prop_assert_eq!(got.len(), expected.len());
            for (g, e) in got.iter().zip(&expected) {
                prop_assert!(g == e || (junk(g) && junk(e)), "{:?} {:?}", g, e);
            }
        }

        #[test]
        fn arguments_are_what_was_sent(args in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..40), 1..6)) {
            let mut out = format!("*{}\r\n", args.len()).into_bytes();
            for arg in &args {
                out.extend(format!("${}\r\n", arg.len()).bytes());
                out.extend(arg);
                out.extend(b"\r\n");
            }
            prop_assert_eq!(arguments(&out).map(<[u8]>::to_vec).collect::<Vec<_>>(), args);
        }

        #[test]
        fn arguments_of_junk_end(junk in proptest::collection::vec(any::<u8>(), 0..60)) {
            arguments(&junk).count();
        }
    }
}
