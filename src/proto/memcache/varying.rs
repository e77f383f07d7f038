//! The parts of replies in which replicas in the same state differ.
//!
//! Each memcached numbers the versions of its items by itself: the fifth word of a `VALUE` line and
//! the flag `c` of a meta command's answer. Of the meta commands' other answers, the seconds left
//! (`t`) and since the last access (`l`), and whether an item was fetched before (`h`), tell of one
//! memcached's clock and readers. The digits of these do not count when replies are compared. That
//! an item lives for ever (`t-1`) does.
//!
//! Who won the right to recache an item (`W`), or lost it (`Z`), and that it is stale (`X`) does count,
//! although a read marks the replica it went to only: a majority has to settle it, so that
//! two clients cannot both win.

/// The digest of a reply without the parts in which replicas differ. The reply comes in pieces, cut anywhere.
pub fn digest<'a>(pieces: impl Iterator<Item = &'a [u8]> + Clone) -> u64 {
    crate::hashkit::digest::digest(counted(pieces))
}

/// The pieces of a reply, cut anywhere, without what varies in it.
pub fn counted<'a, I>(pieces: I) -> Counted<'a, I>
where
    I: Iterator<Item = &'a [u8]> + Clone,
{
    Counted {
        pieces,
        piece: &[],
        scanner: Scanner::default(),
    }
}

/// See [`counted`].
#[derive(Clone, Debug)]
pub struct Counted<'a, I> {
    pieces: I,
    piece: &'a [u8],
    scanner: Scanner,
}

impl<'a, I: Iterator<Item = &'a [u8]>> Iterator for Counted<'a, I> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        loop {
            while self.piece.is_empty() {
                self.piece = self.pieces.next()?;
            }
            let (part, len) = self.scanner.run(self.piece);
            let (run, rest) = self.piece.split_at(len.min(self.piece.len()));
            self.piece = rest;
            if part == Part::Fixed {
                return Some(run);
            }
        }
    }
}

/// The kinds of bytes of a reply.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    /// Counts in a comparison.
    Fixed,
    /// A version that a client may name in a request.
    Unique,
    /// Another number that varies.
    Varying,
}

/// The kind of a line, by its first word.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Kind {
    #[default]
    Unknown,
    Value,
    /// `VA`: flags, and data.
    MetaValue,
    /// `HD`: flags.
    MetaDone,
    /// Another answer with flags: nothing was done, so no version is worth being marked.
    MetaOther,
}

/// Goes over a reply byte by byte, data excepted.
#[derive(Clone, Debug)]
pub(super) struct Scanner {
    kind: Kind,
    /// The line's first word, as far as it was seen; its last eight bytes.
    name: u64,
    /// Which word of the line.
    word: u8,
    /// Where in the word: 0 at its first byte, 1 behind it.
    inside: bool,
    /// The kind of digits here.
    digits: Part,
    /// The number of data bytes, from the line.
    data: u64,
    /// Bytes that count whatever they are: data, or all that is left.
    skip: u64,
}

impl Default for Scanner {
    fn default() -> Self {
        Scanner {
            kind: Kind::Unknown,
            name: 0,
            word: 0,
            inside: false,
            digits: Part::Fixed,
            data: 0,
            skip: 0,
        }
    }
}

const fn name(text: &[u8]) -> u64 {
    let mut name = 0;
    let mut at = 0;
    while at < text.len() {
        name = name << 8 | text[at] as u64;
        at += 1;
    }
    name
}

const VALUE: u64 = name(b"VALUE");
const VA: u64 = name(b"VA");
const HD: u64 = name(b"HD");
const EN: u64 = name(b"EN");
const NF: u64 = name(b"NF");
const NS: u64 = name(b"NS");
const EX: u64 = name(b"EX");

impl Scanner {
    /// How many bytes at the beginning of `piece` belong to the same part, which it is; goes past
    /// them. `piece` must not be empty.
    pub fn run(&mut self, piece: &[u8]) -> (Part, usize) {
        let mut part = None;
        let mut at = 0;
        while let Some(&byte) = piece.get(at) {
            let here = if self.skip == 0 && byte.is_ascii_digit() {
                self.digits
            } else {
                Part::Fixed
            };
            if part.is_some_and(|part| part != here) {
                break;
            }
            part = Some(here);
            if self.skip > 0 {
                let n = (piece.len() - at).min(usize::try_from(self.skip).unwrap_or(usize::MAX));
                at += n;
                self.skip -= n as u64;
            } else {
                self.step(byte);
                at += 1;
            }
        }
        (part.unwrap_or(Part::Fixed), at)
    }

    fn step(&mut self, byte: u8) {
        match byte {
            b' ' | b'\r' if self.word == 0 => {
                self.kind = match self.name {
                    VALUE => Kind::Value,
                    VA => Kind::MetaValue,
                    HD => Kind::MetaDone,
                    EN | NF | NS | EX => Kind::MetaOther,
                    _ => {
                        // Nothing here varies, nor does anything behind it.
                        self.skip = u64::MAX;
                        return;
                    }
                };
                self.next_word();
            }
            b' ' => self.next_word(),
            b'\n' => {
                let skip = match self.kind {
                    Kind::Value => self.data.saturating_add(2),
                    _ => u64::MAX,
                };
                *self = Scanner {
                    skip,
                    ..Scanner::default()
                };
            }
            _ if self.word == 0 => self.name = self.name << 8 | u64::from(byte),
            _ => {
                let is_length = (self.kind, self.word) == (Kind::Value, 3);
                if is_length && byte.is_ascii_digit() {
                    self.data = self
                        .data
                        .saturating_mul(10)
                        .saturating_add(u64::from(byte - b'0'));
                }
                let is_flag = self.kind != Kind::Value && !self.inside;
                self.digits = match byte {
                    b'c' if is_flag && self.kind == Kind::MetaOther => Part::Varying,
                    b'c' if is_flag => Part::Unique,
                    b't' | b'l' | b'h' if is_flag => Part::Varying,
                    b'0'..=b'9' => self.digits,
                    _ => Part::Fixed,
                };
                self.inside = true;
            }
        }
    }

    fn next_word(&mut self) {
        self.word = self.word.saturating_add(1);
        self.inside = false;
        self.digits = if (self.kind, self.word) == (Kind::Value, 4) {
            Part::Unique
        } else {
            Part::Fixed
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn kept(reply: &[u8]) -> Vec<u8> {
        counted(std::iter::once(reply)).collect::<Vec<_>>().concat()
    }

    #[test]
    fn only_what_varies_is_left_out() {
        for (reply, expected) in [
            (
                "VALUE 1 2 3 44\r\n123\r\nVALUE c5 0 2 5\r\n9\n\r\nEND\r\n",
                "VALUE 1 2 3 \r\n123\r\nVALUE c5 0 2 \r\n9\n\r\nEND\r\n",
            ),
            (
                "VALUE k 0 11\r\nVALUE k 0 1 \r\nEND\r\n",
                "VALUE k 0 11\r\nVALUE k 0 1 \r\nEND\r\n",
            ),
            (
                "HD t55 c66 l7 h1 s5 f5 O55 kt5 W\r\n",
                "HD t c l h s5 f5 O55 kt5 W\r\n",
            ),
            ("HD t-1\r\n", "HD t-1\r\n"),
            (
                "VA 2 t5 c10 Oc5 kc6 b X Z\r\nc5\r\n",
                "VA 2 t c Oc5 kc6 b X Z\r\nc5\r\n",
            ),
            ("VA 9\r\n\r\nHD c5\r\n\r\n", "VA 9\r\n\r\nHD c5\r\n\r\n"),
            ("NS c0 k5\r\n", "NS c k5\r\n"),
            ("EN O5\r\n", "EN O5\r\n"),
            ("12345\r\n", "12345\r\n"),
            (
                "STAT c 5 5 5 5\r\nSTAT HD c5\r\nEND\r\n",
                "STAT c 5 5 5 5\r\nSTAT HD c5\r\nEND\r\n",
            ),
            ("SERVER_ERROR c5 t5\r\n", "SERVER_ERROR c5 t5\r\n"),
        ] {
            let kept = String::from_utf8(kept(reply.as_bytes())).unwrap();
            assert_eq!(kept, expected, "{reply:?}");
        }
    }

    #[test]
    fn a_reply_without_numbers_that_vary_stays_in_one_piece() {
        for reply in [
            "STORED\r\n",
            "VALUE k 0 3\r\nabc\r\nEND\r\n",
            "HD f5 k7\r\n",
        ] {
            let pieces: Vec<&[u8]> = counted(std::iter::once(reply.as_bytes())).collect();
            assert_eq!(pieces, [reply.as_bytes()]);
        }
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(
            data in proptest::collection::vec(prop_oneof![Just(b'\r'), Just(b'\n'), Just(b' '), any::<u8>()], 0..60),
            unique in any::<u64>(),
            cut in 1usize..9,
        ) {
            for (head, end) in [
                (format!("VALUE key 5 {} {unique}\r\n", data.len()), "\r\nEND\r\n"),
                (format!("VA {} c{unique} t{unique} kt5\r\n", data.len()), "\r\n"),
                (format!("HD h1 l5 s5 c{unique}\r\n"), ""),
                ("SERVER_ERROR t5 c5\r\n".to_owned(), ""),
            ] {
                let data: &[u8] = if end.is_empty() { b"" } else { &data };
                let reply = [head.as_bytes(), data, end.as_bytes()].concat();
                let pieces: Vec<&[u8]> = reply.chunks(cut).chain([&b""[..]]).collect();
                let cut = counted(pieces.iter().copied()).collect::<Vec<_>>().concat();
                prop_assert_eq!(&cut, &kept(&reply));
                // The same by a plain search in the line, which has no such words elsewhere.
                let mut expected = head.clone();
                for word in [format!(" {unique}\r"), format!(" c{unique}"), format!(" t{unique}"), " h1".into(), " l5".into()] {
                    let bare = word.replace(|c: char| c.is_ascii_digit(), "");
                    if !head.starts_with("SERVER") {
                        expected = expected.replacen(&word, &bare, 1);
                    }
                }
                prop_assert_eq!(cut, [expected.as_bytes(), data, end.as_bytes()].concat());
            }
        }

        #[test]
        fn never_panics(junk in proptest::collection::vec(any::<u8>(), 0..100), cut in 1usize..9) {
            let pieces: Vec<&[u8]> = junk.chunks(cut).collect();
            let kept: usize = counted(pieces.iter().copied()).map(<[u8]>::len).sum();
            prop_assert!(kept <= junk.len());
        }
    }
}
