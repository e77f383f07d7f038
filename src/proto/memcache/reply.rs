//! Finding where a reply of a memcached ends: a resumable, in-place parser.
//!
//! A reply is told by itself, without knowing the request: one line; or `VALUE` lines, each with its
//! data, up to `END`; or `STAT` lines up to `END`; or a `VA` line with its data. An error line in
//! place of one of a list's lines ends the list: memcached may run out of memory in the middle of
//! one. Data is skipped by its length, so it may look like anything.
//!
//! Lines end with CR LF and begin with one of the words memcached is known to say. Anything else is
//! garbage after which the stream cannot be trusted: the connection has to be closed.

use super::head::{self, Head, MAX_HEAD_LEN, NoHead};
use crate::mbuf::Chain;

/// Longest line without data in bytes: an error's text, a statistic.
pub const MAX_LINE_LEN: usize = 1 << 16;
/// How many bytes of a reply [`is_error`] looks at, at most.
pub const ERROR_WORD: usize = b"SERVER_ERROR ".len();

/// What became of the bytes given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// A reply of this many bytes ends here; the parser is ready for the next one.
    Complete(usize),
    /// Everything was looked at, more is needed.
    Incomplete,
    /// This is no reply, for this reason.
    Garbage(&'static str),
}

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
    /// None: what is under way is all.
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

/// What a line is, as far as its first word tells.
enum Line {
    /// It is cut too early to be told.
    Cut,
    /// The reply's last, with this many bytes.
    Last(usize),
    /// One with text behind its first word, of so many bytes; whether it is the reply's last.
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

/// A line that has but one word, of so many bytes; what stands behind it.
fn alone(len: usize, behind: &[u8]) -> Line {
    match behind {
        [b'\r', b'\n', ..] => Line::Last(len + 2),
        [b'\r'] => Line::Cut,
        _ => Line::Bad("text behind a reply of one word"),
    }
}

impl Parser {
    /// Whether no reply is under way.
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
    /// position are passed over. A line that announces data, and the first word of any other, is not
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
                    Line::Bad(why) => return Status::Garbage(why),
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
                    _ => return Status::Garbage("data not ended by CR LF"),
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
                        _ => return Status::Garbage("line not ended by CR LF"),
                    },
                    None => {
                        p = data.len();
                        if base + p - self.line > MAX_LINE_LEN {
                            return Status::Garbage("line too long");
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
            // Whether the slice begins where the parser is, or the parser goes on inside it.
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

/// Whether a reply that begins so is an error that says nothing about the data: `SERVER_ERROR` and
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
mod tests {
    use super::*;
    use crate::mbuf::Pool;
    use proptest::prelude::*;

    fn whole(input: &[u8]) -> Status {
        Parser::default().parse(input, 0)
    }

    #[test]
    fn complete_replies() {
        let longest = format!(
            "VALUE {} 4294967295 3 {}\r\nabc\r\nEND\r\n",
            "k".repeat(250),
            u64::MAX
        );
        for reply in [
            "END\r\n",
            "VALUE k 0 3\r\nabc\r\nEND\r\n",
            "VALUE k 0 0\r\n\r\nEND\r\n",
            "VALUE k 5 5 77\r\nEND\r\n\r\nVALUE k 0 1\r\nx\r\nEND\r\n",
            &longest,
            "VALUE k 0 1\r\nx\r\nSERVER_ERROR out of memory writing get response\r\n",
            "VALUE k 0 1\r\nx\r\nERROR\r\n",
            "STAT pid 5\r\nSTAT version 1.6.18\r\nEND\r\n",
            "STAT x\r\nSERVER_ERROR out of memory\r\n",
            "VA 3\r\nabc\r\n",
            "VA 0 kk t-1 Oxyz\r\n\r\n",
            "HD\r\n",
            "HD f5 t-1 c77 Oabc kkey b\r\n",
            "EN\r\n",
            "EN kk\r\n",
            "NF\r\n",
            "NS O5\r\n",
            "EX\r\n",
            "MN\r\n",
            "STORED\r\n",
            "NOT_STORED\r\n",
            "EXISTS\r\n",
            "NOT_FOUND\r\n",
            "DELETED\r\n",
            "TOUCHED\r\n",
            "OK\r\n",
            "RESET\r\n",
            "VERSION 1.6.18\r\n",
            "0\r\n",
            "18446744073709551615\r\n",
            "ERROR\r\n",
            "ERROR text\r\n",
            "CLIENT_ERROR bad data chunk\r\n",
            "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n",
            "SERVER_ERROR object too large for cache\r\n",
            "SERVER_ERROR\r\n",
        ] {
            let stream = format!("{reply}STORED\r\n");
            assert_eq!(
                whole(stream.as_bytes()),
                Status::Complete(reply.len()),
                "{reply:?}"
            );
            for end in 0..reply.len() {
                let mut parser = Parser::default();
                let cut = parser.parse(&reply.as_bytes()[..end], 0);
                assert_eq!(cut, Status::Incomplete, "{:?}", &reply[..end]);
                assert_eq!(parser.is_idle(), end == 0 || parser.pos == 0);
                for earlier in 0..end {
                    let earlier = parser.parse(&reply.as_bytes()[..earlier], 0);
                    assert_eq!(earlier, Status::Incomplete);
                }
                let rest = parser.parse(stream.as_bytes(), 0);
                assert_eq!(rest, Status::Complete(reply.len()), "{reply:?} {end}");
                assert!(parser.is_idle() && parser.expected() == 0);
            }
        }
    }

    #[test]
    fn garbage_is_named() {
        for reply in [
            "\r\n",
            "\n",
            " END\r\n",
            "END\n",
            "END \r\n",
            "end\r\n",
            "STORED\n",
            "STORED now\r\n",
            "STORED\rx",
            "-1\r\n",
            "+1\r\n",
            "1 \r\n",
            "1a\r\n",
            "123456789012345678901\r\n",
            "+OK\r\n",
            "-ERR x\r\n",
            "$1\r\nx\r\n",
            "VALUE k 0 1\r\nab\r\n",
            "VALUE k 0 1\r\nx\r\nSTORED\r\n",
            "VALUE k 0 1\r\nx\r\nSTAT x\r\n",
            "VALUE k 0 1\r\nx\r\n1\r\n",
            "VALUE k -1 1\r\n",
            "VALUE\r\n",
            "VA\r\n",
            "VA 1\r\nab\r\n",
            "STAT x\r\nVALUE k 0 1\r\n",
            "STAT x\r\nOK\r\n",
            "STAT x\n",
            "ERRORS\r\n",
            "CLIENT_ERROR a\nb\r\n",
            "SERVER_ERROR a\rb\r\n",
            "HDX\r\n",
            "ME k exp=-1\r\n",
            "BUSY x\r\n",
            "\x01\0\0\x04\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0",
        ] {
            assert!(
                matches!(whole(reply.as_bytes()), Status::Garbage(_)),
                "{reply:?}: {:?}",
                whole(reply.as_bytes())
            );
        }
        let long = format!("SERVER_ERROR {}", "x".repeat(MAX_LINE_LEN));
        assert_eq!(whole(long.as_bytes()), Status::Garbage("line too long"));
    }

    #[test]
    fn what_is_missing_of_data_is_known() {
        let mut parser = Parser::default();
        let start = b"VALUE k 0 100\r\n0123456789";
        assert_eq!(parser.parse(start, 0), Status::Incomplete);
        assert_eq!(parser.expected(), 90);
        assert!(!parser.is_idle());
    }

    #[test]
    fn errors_that_say_nothing_about_the_data_are_errors() {
        for (reply, expected) in [
            ("SERVER_ERROR out of memory\r\n", true),
            ("SERVER_ERROR\r\n", true),
            ("ERROR\r\n", true),
            ("ERROR text\r\n", true),
            ("CLIENT_ERROR bad data chunk\r\n", false),
            ("ERRORS\r\n", false),
            ("END\r\n", false),
            ("VALUE ERROR 0 1\r\n", false),
            ("STORED\r\n", false),
            ("", false),
        ] {
            let start = &reply.as_bytes()[..reply.len().min(ERROR_WORD)];
            assert_eq!(is_error(start), expected, "{reply:?}");
        }
    }

    /// Any reply that memcached could give.
    fn any_reply() -> impl Strategy<Value = Vec<u8>> {
        let data = || proptest::collection::vec(any::<u8>(), 0..100);
        let value = ("[!-~]{1,250}", any::<u32>(), any::<Option<u64>>(), data()).prop_map(
            |(key, flags, unique, data)| {
                let unique = unique.map_or(String::new(), |unique| format!(" {unique}"));
                let line = format!("VALUE {key} {flags} {}{unique}\r\n", data.len());
                [line.as_bytes(), &data, b"\r\n"].concat()
            },
        );
        let values = proptest::collection::vec(value, 0..4);
        prop_oneof![
            values.prop_map(|values| [values.concat(), b"END\r\n".to_vec()].concat()),
            proptest::collection::vec("STAT [!-~]{1,20} [ -~]{0,20}\r\n", 1..5)
                .prop_map(|lines| format!("{}END\r\n", lines.concat()).into_bytes()),
            (data(), "( [fkOst][!-~]{0,20}){0,4}").prop_map(|(data, flags)| {
                let line = format!("VA {}{flags}\r\n", data.len());
                [line.as_bytes(), &data, b"\r\n"].concat()
            }),
            "(HD|EN|NF|NS|EX)( [fkOstc][!-~]{0,20}){0,4}\r\n".prop_map(String::into_bytes),
            any::<u64>().prop_map(|n| format!("{n}\r\n").into_bytes()),
            "(CLIENT_ERROR|SERVER_ERROR|VERSION) [ -~]{0,40}\r\n".prop_map(String::into_bytes),
            prop::sample::select(vec!["STORED", "NOT_FOUND", "DELETED", "MN", "ERROR", "OK"])
                .prop_map(|word| format!("{word}\r\n").into_bytes()),
        ]
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
        fn never_panics(junk in proptest::collection::vec(prop_oneof![
            prop::sample::select(vec!["VALUE ", "k ", "VA ", "END", "STAT ", "HD", " ", "\r\n", "\r", "1", "0"])
                .prop_map(|word| word.as_bytes().to_vec()),
            proptest::collection::vec(any::<u8>(), 1..3),
        ], 0..60)) {
            let junk = junk.concat();
            let mut parser = Parser::default();
            let mut at = 0;
            while let Status::Complete(len) = parser.parse(&junk[at..], 0) {
                at += len;
            }
        }
    }
}
