//! Walking over a complete reply, element by element, in whatever pieces its bytes come.
//!
//! Every step returns `None` where the bytes are no reply; later steps mean nothing then. Nothing is copied;
//! where a part of a chain is wanted, [`Cursor::at`] says where it begins and ends.

use super::keys::integer;
use crate::mbuf::Chain;
use std::iter::Empty;

/// Longest line that is a length, an integer, a boolean or null, in bytes, without its type and its end.
pub(super) const MAX_SHORT: usize = 32;

/// The first line of an element whose content comes behind it, or the type of one that is a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Head {
    /// An array, a set, or a map (its keys and values in turn): its type byte, and how many elements follow.
    List(u8, u64),
    /// A bulk string, a verbatim string or a bulk error: its type byte, and how many bytes follow, then CR LF.
    Bulk(u8, u64),
    /// The null bulk string, the null array, or the null of RESP3.
    Null,
    /// Any other: its type byte; the rest of the line follows.
    Line(u8),
}

/// A place in a reply.
#[derive(Clone, Debug)]
pub struct Cursor<'a, I> {
    pieces: I,
    /// The rest of the current piece.
    piece: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a, Empty<&'a [u8]>> {
    /// At the beginning of a reply in one piece.
    pub fn of(reply: &'a [u8]) -> Self {
        Cursor {
            pieces: std::iter::empty(),
            piece: reply,
            at: 0,
        }
    }

    /// All that is left.
    pub fn rest(&self) -> &'a [u8] {
        self.piece
    }
}

/// At the beginning of a reply in a chain.
pub fn over(reply: &Chain) -> Cursor<'_, impl Iterator<Item = &[u8]> + Clone> {
    Cursor::new(reply.slices().map(|slice| &slice[..]))
}

impl<'a, I: Iterator<Item = &'a [u8]>> Cursor<'a, I> {
    /// At the beginning of a reply in these pieces.
    pub fn new(pieces: I) -> Self {
        Cursor {
            pieces,
            piece: &[],
            at: 0,
        }
    }

    /// How many bytes of the reply have been passed.
    pub fn at(&self) -> usize {
        self.at
    }

    /// At least one byte, unless all are passed.
    fn fill(&mut self) -> Option<&'a [u8]> {
        while self.piece.is_empty() {
            self.piece = self.pieces.next()?;
        }
        Some(self.piece)
    }

    /// Returns true if there is nothing more.
    pub fn is_done(&mut self) -> bool {
        self.fill().is_none()
    }

    /// Passes bytes of the piece under way.
    fn pass(&mut self, bytes: usize) -> &'a [u8] {
        let (passed, rest) = self.piece.split_at(bytes.min(self.piece.len()));
        self.piece = rest;
        self.at += passed.len();
        passed
    }

    fn byte(&mut self) -> Option<u8> {
        let byte = *self.fill()?.first()?;
        self.pass(1);
        Some(byte)
    }

    fn newline(&mut self) -> Option<()> {
        ([self.byte()?, self.byte()?] == *b"\r\n").then_some(())
    }

    /// Skips bytes, and shows each piece of them.
    pub fn bytes(&mut self, mut count: u64, mut show: impl FnMut(&'a [u8])) -> Option<()> {
        while count > 0 {
            let most = self.fill()?.len();
            let here = self.pass(usize::try_from(count).unwrap_or(usize::MAX).min(most));
            show(here);
            count -= here.len() as u64;
        }
        Some(())
    }

    /// Passes the content of a [`Head::Bulk`] and its end, and shows each piece of it.
    pub fn content(&mut self, count: u64, show: impl FnMut(&'a [u8])) -> Option<()> {
        self.bytes(count, show)?;
        self.newline()
    }

    /// Passes the rest of a line and its end, and shows each piece of it.
    pub fn line(&mut self, mut show: impl FnMut(&'a [u8])) -> Option<()> {
        loop {
            let piece = self.fill()?;
            let end = memchr::memchr(b'\r', piece);
            show(self.pass(end.unwrap_or(piece.len())));
            if end.is_some() {
                return self.newline();
            }
        }
    }

    /// Skips the rest of a short line and its end. Returns its text.
    pub fn short_line<'r>(&mut self, room: &'r mut [u8; MAX_SHORT]) -> Option<&'r [u8]> {
        let mut len = 0;
        loop {
            match self.byte()? {
                b'\r' => break,
                byte => *room.get_mut(len)? = byte,
            }
            len += 1;
        }
        (self.byte()? == b'\n').then_some(room.get(..len)?)
    }

    /// Passes the type of an element, and its length if it has one.
    pub fn head(&mut self) -> Option<Head> {
        let kind = self.byte()?;
        let length = match kind {
            b'*' | b'~' | b'%' | b'$' | b'=' | b'!' => self.length()?,
            b'_' => {
                self.short_line(&mut [0; MAX_SHORT])?;
                None
            }
            b'+' | b'-' | b':' | b'#' | b',' | b'(' => return Some(Head::Line(kind)),
            _ => return None,
        };
        Some(match (kind, length) {
            (_, None) => Head::Null,
            (b'%', Some(pairs)) => Head::List(kind, pairs.checked_mul(2)?),
            (b'*' | b'~', Some(count)) => Head::List(kind, count),
            (_, Some(bytes)) => Head::Bulk(kind, bytes),
        })
    }

    /// Skips a line that is a length; the inner `None` stands for no value.
    fn length(&mut self) -> Option<Option<u64>> {
        let mut room = [0; MAX_SHORT];
        let line = self.short_line(&mut room)?;
        if line == b"-1" {
            return Some(None);
        }
        if !line.iter().all(u8::is_ascii_digit) {
            return None;
        }
        Some(Some(std::str::from_utf8(line).ok()?.parse().ok()?))
    }

    /// Passes one element with all that it contains.
    pub fn skip(&mut self) -> Option<()> {
        let mut left: u64 = 1;
        while left > 0 {
            left -= 1;
            match self.head()? {
                Head::List(_, count) => left = left.checked_add(count)?,
                Head::Bulk(_, count) => self.content(count, |_| {})?,
                Head::Line(_) => self.line(|_| {})?,
                Head::Null => {}
            }
        }
        Some(())
    }

    /// Passes the head of an array. Answers how many elements follow, `None` also if it is no array.
    pub fn array(&mut self) -> Option<u64> {
        match self.head()? {
            Head::List(b'*', count) => Some(count),
            _ => None,
        }
    }

    /// Passes an integer, `None` also if it is none.
    pub fn integer(&mut self) -> Option<i64> {
        match self.head()? {
            Head::Line(b':') => integer(self.short_line(&mut [0; MAX_SHORT])?),
            _ => None,
        }
    }

    /// Passes a bulk string. Answers its bytes in `room`, `None` also if it is none, or longer.
    pub fn text<'r>(&mut self, room: &'r mut [u8]) -> Option<&'r [u8]> {
        let Head::Bulk(b'$', count) = self.head()? else {
            return None;
        };
        let room = room.get_mut(..usize::try_from(count).ok()?)?;
        let mut filled = 0;
        self.content(count, |piece| {
            if let Some(place) = room.get_mut(filled..filled + piece.len()) {
                place.copy_from_slice(piece);
            }
            filled += piece.len();
        })?;
        Some(room)
    }
}

/// The elements of a reply that is an array, each as a chain that shares its bytes. Nothing if it is none, as
/// many as there are if it is cut.
pub fn elements(reply: &Chain) -> Vec<Chain> {
    let mut cursor = over(reply);
    let mut elements = Vec::new();
    let Some(count) = cursor.array() else {
        return elements;
    };
    let mut rest = Chain::new();
    rest.append_shared(reply);
    rest.advance(cursor.at());
    for _ in 0..count {
        let from = cursor.at();
        if cursor.skip().is_none() {
            break;
        }
        elements.push(rest.split_to(cursor.at() - from));
    }
    elements
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mbuf::Pool;
    use crate::proto::redis::reply::{Parser, Status};
    use proptest::prelude::*;

    /// The bytes as a chain of slices that end at the cuts.
    fn chain(bytes: &[u8], cuts: &[usize]) -> Chain {
        let pool = Pool::new(256, 1 << 20);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (bytes.len() + 1)).collect();
        cuts.extend([0, bytes.len()]);
        cuts.sort_unstable();
        let mut chain = Chain::new();
        for cut in cuts.windows(2) {
            let mut writer = pool.writer();
            let piece = &bytes[cut[0]..cut[1]];
            writer.spare()[..piece.len()].copy_from_slice(piece);
            chain.push(writer.commit(piece.len()));
        }
        chain
    }

    #[test]
    fn elements_are_found_and_nothing_else() {
        for (reply, expected) in [
            ("*0\r\n", &[][..]),
            ("*-1\r\n", &[]),
            ("$1\r\na\r\n", &[]),
            (
                "*3\r\n:1\r\n*1\r\n+a\r\n$-1\r\n",
                &[":1\r\n", "*1\r\n+a\r\n", "$-1\r\n"],
            ),
            ("*2\r\n$2\r\n\r\n\r\n_\r\n", &["$2\r\n\r\n\r\n", "_\r\n"]),
            ("*2\r\n:1\r\n$5\r\nab", &[":1\r\n"]),
            ("*1\r\n$1\r\nabc", &[]),
        ] {
            for cut in 0..reply.len() {
                let found: Vec<Vec<u8>> = elements(&chain(reply.as_bytes(), &[cut]))
                    .iter()
                    .map(Chain::to_vec)
                    .collect();
                let expected: Vec<&[u8]> = expected.iter().map(|text| text.as_bytes()).collect();
                assert_eq!(found, expected, "{reply:?} {cut}");
            }
        }
    }

    #[test]
    fn values_are_read_across_pieces() {
        for cut in 0..20 {
            let integer = chain(b":-12\r\n", &[cut]);
            assert_eq!(over(&integer).integer(), Some(-12));
            let text = chain(b"$5\r\nhello\r\n", &[cut]);
            assert_eq!(over(&text).text(&mut [0; 5]), Some(&b"hello"[..]));
            assert_eq!(over(&text).text(&mut [0; 4]), None);
            assert_eq!(over(&text).integer(), None);
        }
    }

    proptest! {
        /// What the parser takes for one reply is one element, and where a cursor stops is no reply.
        #[test]
        fn agrees_with_the_parser(
            words in proptest::collection::vec(prop_oneof![
                Just("*2\r\n"), Just("*0\r\n"), Just("*-1\r\n"), Just("%1\r\n"), Just("~1\r\n"), Just(":1\r\n"), Just("+a\r\n"),
                Just("$3\r\na\rb\r\n"), Just("$-1\r\n"), Just("=5\r\ntxt:a\r\n"), Just("_\r\n"), Just("#t\r\n"), Just("$2\r\nabc"), Just("x"),
            ], 1..12),
            cuts in proptest::collection::vec(0usize..200, 0..8),
        ) {
            let bytes = words.concat().into_bytes();
            let chain = chain(&bytes, &cuts);
            let mut parser = Parser::default();
            parser.allow_resp3(true);
            let mut cursor = over(&chain);
            let passed = cursor.skip().map(|()| cursor.at());
            match parser.find(&chain) {
                Status::Complete(len) => prop_assert_eq!(passed, Some(len)),
                Status::Incomplete | Status::Bad(_) => prop_assert_eq!(passed, None),
            }
        }
    }
}
