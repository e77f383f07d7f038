//! Finding where a reply of the datastore ends: a resumable, in-place parser for RESP2, and for RESP3 where
//! that was asked for.
//!
//! Works like [`super::request`]: length prefixes are walked, payloads skipped, nothing is copied.
//! Nested arrays are counted level by level, at most [`MAX_DEPTH`] deep (the C original lost count of
//! anything nested, and handed the rest of such a reply to the next client).
//!
//! The datastore is spoken to in RESP2 but for the requests that have to be answered in RESP3
//! ([`Parser::allow_resp3`]). Anything else is garbage after which the stream cannot be trusted: the
//! connection has to be closed. So are RESP3's pushes and attributes, which are never requested.

use super::resume::{Digits, Resumable, digits, find};
use crate::mbuf::Chain;
use crate::proto::{Framer, Parse};

/// Deepest nesting of arrays that is followed: twice what a script of Redis 7.0.15 can return before its
/// Lua stack is at its limit. A script's reply must not break the connection that all clients share.
pub const MAX_DEPTH: usize = 16_384;
/// Longest simple string or error in bytes: a script may return a value as one.
pub const MAX_LINE_LEN: usize = 512 << 20;
/// Largest bulk string in bytes.
pub const MAX_BULK_LEN: u64 = 1 << 31;

/// Result of a search for the end of a reply: its length in bytes, or why this is no reply.
pub type Status = Parse<usize, &'static str>;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Phase {
    /// At the type byte of an element.
    #[default]
    Element,
    /// Inside a simple string or error line.
    Line,
    /// Inside a bulk's payload, `skip` bytes before its end.
    Payload,
    /// At the CR LF behind a payload.
    End,
}

/// The state between two pieces of one reply.
#[derive(Clone, Debug, Default)]
pub struct Parser {
    phase: Phase,
    /// Bytes of this reply consumed so far.
    pos: usize,
    /// Payload bytes still to be skipped.
    skip: usize,
    /// Where the line under way began.
    line: usize,
    /// Elements still missing, per open array. Its memory is kept for the next reply.
    missing: Vec<u32>,
    /// True if replies may be in RESP3.
    resp3: bool,
}

/// `[-]digits CR LF` at `data[at..]`: the value and where the next byte is; `Ok(None)` if incomplete.
#[inline]
fn number(data: &[u8], at: usize) -> Result<Option<(i64, usize)>, ()> {
    let Digits {
        value, count, next, ..
    } = digits(data, at);
    // An i64 has at most 19 digits.
    if count > 19 {
        return Err(());
    }
    match (data.get(next), data.get(next + 1)) {
        (Some(b'\r'), Some(b'\n')) if count > 0 => Ok(Some((value, next + 2))),
        (Some(b'\r'), None) if count > 0 => Ok(None),
        (None, _) => Ok(None),
        _ => Err(()),
    }
}

/// Most elements of an array or a set, or pairs of a map.
fn most(kind: u8) -> i64 {
    let most = i64::from(u32::MAX);
    if kind == b'%' { most / 2 } else { most }
}

impl Resumable for Parser {
    type Found = Status;
    type Phase = Phase;
    /// The type, a sign, 19 digits, CR LF, and a byte to see that it is too long.
    const LINE: usize = 24;

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
        // A number too long is garbage already; other lines are walked wherever they are cut.
        None
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

impl Parser {
    /// From now on replies may be in RESP3 too, or only in RESP2.
    #[inline]
    pub fn allow_resp3(&mut self, allowed: bool) {
        self.resp3 = allowed;
    }

    /// Returns true if no reply is under way.
    pub fn is_idle(&self) -> bool {
        self.pos == 0 && self.phase == Phase::Element && self.missing.is_empty()
    }

    /// Payload bytes that are known to be missing; 0 if unknown.
    #[inline]
    pub fn expected(&self) -> usize {
        self.skip
    }

    /// Looks at `data`, whose first byte is byte `base` of the reply; bytes before the parser's
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
                Phase::Element => {
                    let Some(&kind) = data.get(p) else { break };
                    match kind {
                        b'=' | b'!' | b'_' | b'#' | b',' | b'(' | b'~' | b'%' if !self.resp3 => {
                            return Status::Bad("a reply in RESP3 that nobody asked for");
                        }
                        b'$' | b'=' | b'!' => match number(data, p + 1) {
                            Ok(Some((-1, next))) => p = next,
                            Ok(Some((len, next))) if (0..=MAX_BULK_LEN as i64).contains(&len) => {
                                self.skip = len as usize;
                                self.phase = Phase::Payload;
                                p = next;
                                continue;
                            }
                            Ok(None) => break,
                            _ => return Status::Bad("bad bulk length"),
                        },
                        b'+' | b'-' | b'_' | b'#' | b',' | b'(' => {
                            self.line = base + p;
                            self.phase = Phase::Line;
                            p += 1;
                            continue;
                        }
                        b':' => match number(data, p + 1) {
                            Ok(Some((_, next))) => p = next,
                            Ok(None) => break,
                            Err(()) => return Status::Bad("bad integer"),
                        },
                        b'*' | b'~' | b'%' => match number(data, p + 1) {
                            Ok(Some((n, next))) if (-1..=most(kind)).contains(&n) => {
                                p = next;
                                if n > 0 {
                                    if self.missing.len() == MAX_DEPTH {
                                        return Status::Bad("arrays nested too deeply");
                                    }
                                    let parts = if kind == b'%' { 2 * n } else { n };
                                    self.missing.push(parts as u32);
                                    continue;
                                }
                            }
                            Ok(None) => break,
                            _ => return Status::Bad("bad array length"),
                        },
                        _ => return Status::Bad("unknown reply type"),
                    }
                }
                Phase::Line => match memchr::memchr2(b'\r', b'\n', &data[p..]) {
                    Some(at) => match (data[p + at], data.get(p + at + 1)) {
                        (b'\r', Some(b'\n')) => p += at + 2,
                        (b'\r', None) => {
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
                Phase::Payload => {
                    let here = self.skip.min(data.len() - p);
                    p += here;
                    self.skip -= here;
                    if self.skip > 0 {
                        break;
                    }
                    self.phase = Phase::End;
                    continue;
                }
                Phase::End => match data.get(p..) {
                    Some([b'\r', b'\n', ..]) => p += 2,
                    Some([b'\r'] | []) | None => break,
                    Some(_) => return Status::Bad("bulk not ended by CR LF"),
                },
            }
            // An element ended here; so may the arrays around it.
            self.phase = Phase::Element;
            while let Some(missing) = self.missing.last_mut() {
                *missing -= 1;
                if *missing > 0 {
                    break;
                }
                self.missing.pop();
            }
            if self.missing.is_empty() {
                self.pos = 0;
                return Status::Complete(base + p);
            }
        }
        self.pos = base + p;
        Status::Incomplete
    }

    /// Looks for the end of the reply that begins at the first byte of `data`, over slice borders.
    pub fn find(&mut self, data: &Chain) -> Status {
        find(self, data).unwrap_or(Status::Incomplete)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mbuf::Pool;
    use proptest::prelude::*;

    fn whole(input: &[u8]) -> Status {
        Parser::default().parse(input, 0)
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
                Status::Complete(len) if len == bytes.len()
            ));
        }
    }

    #[test]
    fn complete_replies() {
        for reply in [
            "+OK\r\n",
            "-ERR\r\n",
            "-\r\n",
            "-FOO bar\r\n",
            ":0\r\n",
            ":-12\r\n",
            ":9223372036854775807\r\n",
            ":-9223372036854775808\r\n",
            "$-1\r\n",
            "$0\r\n\r\n",
            "$3\r\na\nb\r\n",
            "*0\r\n",
            "*-1\r\n",
            "*3\r\n:1\r\n*-1\r\n:3\r\n",
            "*2\r\n*1\r\n$1\r\na\r\n*1\r\n$1\r\nb\r\n",
            "*2\r\n*2\r\n:1\r\n:2\r\n*1\r\n:3\r\n",
            "*3\r\n:1\r\n*0\r\n:3\r\n",
            "*1\r\n*1\r\n*1\r\n*1\r\n:1\r\n",
        ] {
            let stream = format!("{reply}+NEXT\r\n");
            assert_eq!(
                whole(stream.as_bytes()),
                Status::Complete(reply.len()),
                "{reply:?}"
            );
        }
    }

    fn in_resp3() -> Parser {
        let mut parser = Parser::default();
        parser.allow_resp3(true);
        parser
    }

    #[test]
    fn resp3_is_understood_where_it_is_allowed() {
        for reply in [
            "_\r\n",
            "#t\r\n",
            ",1.5e300\r\n",
            ",-inf\r\n",
            "(-1234567890123456789012345678901234567890\r\n",
            "=7\r\ntxt:a\n\r\r\n",
            "!5\r\nERR x\r\n",
            "~0\r\n",
            "%0\r\n",
            "%1\r\n+a\r\n~2\r\n:1\r\n_\r\n",
            "*2\r\n%2\r\n:1\r\n:2\r\n:3\r\n*1\r\n#f\r\n$1\r\nx\r\n",
        ] {
            let stream = format!("{reply}+NEXT\r\n");
            let complete = Status::Complete(reply.len());
            assert_eq!(
                in_resp3().parse(stream.as_bytes(), 0),
                complete,
                "{reply:?}"
            );
            assert!(
                matches!(whole(stream.as_bytes()), Status::Bad(_)),
                "{reply:?}"
            );
            for cut in 0..reply.len() {
                let mut parser = in_resp3();
                let head = parser.parse(&stream.as_bytes()[..cut], 0);
                assert_eq!(head, Status::Incomplete, "{reply:?} {cut}");
                assert_eq!(
                    parser.parse(stream.as_bytes(), 0),
                    complete,
                    "{reply:?} {cut}"
                );
            }
        }
        // Pushes and attributes are never requested; a map has twice as many elements as pairs.
        for reply in [
            ">1\r\n:1\r\n",
            "|1\r\n:1\r\n:2\r\n:3\r\n",
            "%4294967295\r\n",
            "%-2\r\n",
            "=x\r\n",
        ] {
            let status = in_resp3().parse(reply.as_bytes(), 0);
            assert!(matches!(status, Status::Bad(_)), "{reply:?}");
        }
    }

    #[test]
    fn garbage_is_named() {
        for reply in [
            "+a\rb\r\n",
            "+OK\n",
            ":+5\r\n",
            ":12a\r\n",
            ":\r\n",
            "$2\r\nabc\r\n",
            "$\r\n",
            "$-10\r\n",
            "*1\r\n$-10\r\n",
            "*-2\r\n",
            "_\r\n",
            "#t\r\n",
            ",1\r\n",
            "(1\r\n",
            "=7\r\ntxt:abc\r\n",
            "~0\r\n",
            "%0\r\n",
            ">0\r\n",
            "|0\r\n",
            "!1\r\nx\r\n",
            "hello\r\n",
            "*1\r\n/x\r\n",
            "$99999999999999999999\r\n",
        ] {
            assert!(
                matches!(whole(reply.as_bytes()), Status::Bad(_)),
                "{reply:?}: {:?}",
                whole(reply.as_bytes())
            );
        }
        let deep = "*1\r\n".repeat(MAX_DEPTH + 1);
        assert!(matches!(whole(deep.as_bytes()), Status::Bad(_)));
    }

    fn any_reply() -> impl Strategy<Value = Vec<u8>> {
        let leaf = prop_oneof![
            Just(b"+OK\r\n".to_vec()),
            Just(b"$-1\r\n".to_vec()),
            Just(b"*-1\r\n".to_vec()),
            any::<i64>().prop_map(|n| format!(":{n}\r\n").into_bytes()),
            "-[A-Z ]{0,40}\r\n".prop_map(String::into_bytes),
            proptest::collection::vec(any::<u8>(), 0..100).prop_map(|value| {
                [
                    format!("${}\r\n", value.len()).into_bytes(),
                    value,
                    b"\r\n".to_vec(),
                ]
                .concat()
            }),
        ];
        leaf.prop_recursive(4, 30, 5, |inner| {
            proptest::collection::vec(inner, 0..5).prop_map(|items| {
                [format!("*{}\r\n", items.len()).into_bytes(), items.concat()].concat()
            })
        })
    }

    proptest! {
        #[test]
        fn cuts_change_nothing(replies in proptest::collection::vec(any_reply(), 1..6), block in 64usize..200, cut in 1usize..70) {
            let stream = replies.concat();
            let pool = Pool::new(block, 1 << 20);
            let mut data = Chain::new();
            let mut parser = Parser::default();
            let mut got = Vec::new();
            for piece in stream.chunks(cut.min(block)) {
                let mut writer = pool.writer();
                writer.spare()[..piece.len()].copy_from_slice(piece);
                data.push(writer.commit(piece.len()));
                while let Status::Complete(len) = parser.find(&data) {
                    got.push(data.split_to(len).to_vec());
                }
            }
            prop_assert_eq!(got, replies);
            prop_assert!(parser.is_idle());
        }

        #[test]
        fn never_panics(junk in proptest::collection::vec(prop_oneof![Just(b'*'), Just(b'$'), Just(b'%'), Just(b'='), Just(b'\r'), Just(b'\n'), Just(b'1'), any::<u8>()], 0..200)) {
            for resp3 in [false, true] {
                let mut parser = Parser::default();
                parser.allow_resp3(resp3);
                let mut at = 0;
                while let Status::Complete(len) = parser.parse(&junk[at..], 0) {
                    at += len;
                }
            }
        }
    }
}
