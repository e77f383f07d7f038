//! The number that stands for a reply's bytes.
//!
//! Replies are compared by 64-bit digests of exactly their payload bytes, upper and lower case
//! being different. Digests never leave the process. For honest data two different replies have one
//! digest about once in 2^64; nothing here withstands somebody who searches for such a pair.
//!
//! The bytes come in pieces, and where they are cut does not matter.
//!
//! Some commands may answer the same elements in another order (`SMEMBERS`). For these
//! [`digest`] adds up the digests of the elements, so their order does not matter either, and
//! their number and multiplicity do.

/// What about the order of a reply's elements is part of its value.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Everything: the reply is its bytes.
    #[default]
    Kept,
    /// Nothing: a set of elements.
    Elements,
    /// That elements 1 and 2, 3 and 4, … belong together: fields with their values.
    Pairs,
    /// Nothing, nor their values: a bulk string is not null, an integer is not negative, an array has so
    /// many elements. For replies that two replicas with the same data give differently.
    Kind,
}

/// The digest of a reply that comes in these pieces.
///
/// `order` has an effect on a RESP array whose elements are not arrays themselves (`*2`, then `$3`
/// and its bytes, or single lines); everything else, malformed replies included, is its bytes. A
/// reply with order and the same one without have different digests.
pub fn digest<'a>(pieces: impl Iterator<Item = &'a [u8]> + Clone, order: Order) -> u64 {
    let sum = match order {
        Order::Kept => None,
        Order::Elements => sum_of_elements(pieces.clone(), 1),
        Order::Pairs => sum_of_elements(pieces.clone(), 2),
        Order::Kind => kind(pieces.clone()),
    };
    sum.unwrap_or_else(|| {
        let mut hasher = Hasher::default();
        pieces.for_each(|piece| hasher.write(piece));
        hasher.finish()
    })
}

// Random odd numbers without further meaning.
const KEY_A: u64 = 0x9e37_79b9_7f4a_7c15;
const KEY_B: u64 = 0xd1b5_4a32_d192_ed03;
const KEY_SUM: u64 = 0x8cb9_2ba7_2f3d_8dd7;

/// Bytes hashed at a time.
const BLOCK: usize = 16;

/// Folds a 128-bit product into 64 bits (the mixing step of wyhash). The factors are added to the
/// halves, so that a zero does not wipe out what came before.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (a ^ product as u64) ^ (b ^ (product >> 64) as u64)
}

/// A digest in the making.
#[derive(Clone, Copy, Debug, Default)]
struct Hasher {
    state: u64,
    length: u64,
    /// The bytes after the last whole block.
    tail: [u8; BLOCK],
    tail_len: usize,
}

impl Hasher {
    #[inline]
    fn block(&mut self, block: &[u8; BLOCK]) {
        let words = u128::from_le_bytes(*block);
        self.state = fold(
            self.state ^ words as u64 ^ KEY_A,
            (words >> 64) as u64 ^ KEY_B,
        );
    }

    fn write(&mut self, mut bytes: &[u8]) {
        self.length += bytes.len() as u64;
        if self.tail_len > 0 {
            let room = BLOCK - self.tail_len;
            let (head, rest) = bytes.split_at(room.min(bytes.len()));
            self.keep(head);
            if self.tail_len < BLOCK {
                return;
            }
            let block = self.tail;
            self.block(&block);
            self.tail_len = 0;
            bytes = rest;
        }
        let (blocks, rest) = bytes.as_chunks::<BLOCK>();
        blocks.iter().for_each(|block| self.block(block));
        self.keep(rest);
    }

    /// Adds at most what the tail has room for.
    fn keep(&mut self, bytes: &[u8]) {
        let room = self.tail.iter_mut().skip(self.tail_len);
        for (place, byte) in room.zip(bytes) {
            *place = *byte;
            self.tail_len += 1;
        }
    }

    fn finish(mut self) -> u64 {
        // The length tells zeros that were sent from those that fill up the block.
        let unused = self.tail.iter_mut().skip(self.tail_len);
        unused.for_each(|byte| *byte = 0);
        let block = self.tail;
        self.block(&block);
        fold(self.state ^ KEY_B, self.length ^ KEY_A)
    }
}

/// Reads pieces as if they were one.
struct Reader<'a, I> {
    pieces: I,
    piece: &'a [u8],
}

/// The number in the first line of an array or a bulk string.
enum Length {
    Of(u64),
    /// `-1`: there is no value, and nothing after the line.
    Nil,
}

impl<'a, I: Iterator<Item = &'a [u8]>> Reader<'a, I> {
    /// At least one byte, unless all are read.
    fn fill(&mut self) -> Option<&'a [u8]> {
        while self.piece.is_empty() {
            self.piece = self.pieces.next()?;
        }
        Some(self.piece)
    }

    fn byte(&mut self) -> Option<u8> {
        let (byte, rest) = self.fill()?.split_first()?;
        self.piece = rest;
        Some(*byte)
    }

    /// Hashes so many bytes; `None` if there are fewer.
    fn bytes(&mut self, mut count: u64, hasher: &mut Hasher) -> Option<()> {
        while count > 0 {
            let piece = self.fill()?;
            let most = usize::try_from(count).unwrap_or(usize::MAX);
            let (here, rest) = piece.split_at(most.min(piece.len()));
            hasher.write(here);
            self.piece = rest;
            count -= here.len() as u64;
        }
        Some(())
    }

    /// Hashes the rest of a line, its end included.
    fn line(&mut self, hasher: &mut Hasher) -> Option<()> {
        loop {
            let piece = self.fill()?;
            let end = memchr::memchr(b'\n', piece);
            let (here, rest) = piece.split_at(end.map_or(piece.len(), |end| end + 1));
            hasher.write(here);
            self.piece = rest;
            if end.is_some() {
                return Some(());
            }
        }
    }

    /// Hashes the rest of a line that is a length.
    fn length(&mut self, hasher: &mut Hasher) -> Option<Length> {
        let mut length = 0u64;
        let mut digits = 0;
        loop {
            let byte = self.byte()?;
            hasher.write(&[byte]);
            match byte {
                b'0'..=b'9' => {
                    length = length
                        .checked_mul(10)?
                        .checked_add(u64::from(byte - b'0'))?;
                    digits += 1;
                }
                b'-' if digits == 0 => {
                    self.line(hasher)?;
                    return Some(Length::Nil);
                }
                b'\r' if digits > 0 => {
                    hasher.write(b"\n");
                    return (self.byte()? == b'\n').then_some(Length::Of(length));
                }
                _ => return None,
            }
        }
    }

    /// Hashes one element, which must not be an array.
    fn element(&mut self, hasher: &mut Hasher) -> Option<()> {
        let kind = self.byte()?;
        hasher.write(&[kind]);
        match kind {
            b'$' => match self.length(hasher)? {
                Length::Of(length) => self.bytes(length.checked_add(2)?, hasher),
                Length::Nil => Some(()),
            },
            b'+' | b'-' | b':' => self.line(hasher),
            _ => None,
        }
    }
}

/// The digest of what kind of reply this is; `None` if it is to be compared as it stands.
fn kind<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Option<u64> {
    let mut reader = Reader { pieces, piece: &[] };
    let mut hasher = Hasher::default();
    let kind = reader.byte()?;
    hasher.write(&[kind]);
    match kind {
        b'$' | b':' => {
            if reader.byte()? == b'-' {
                return None;
            }
        }
        b'*' => reader.line(&mut hasher)?,
        _ => return None,
    }
    Some(fold(hasher.finish() ^ KEY_SUM, KEY_B))
}

/// The sum of the digests of an array's elements, `group` at a time; `None` if the bytes are
/// anything but one whole array without arrays in it.
fn sum_of_elements<'a>(pieces: impl Iterator<Item = &'a [u8]>, group: u64) -> Option<u64> {
    let mut reader = Reader { pieces, piece: &[] };
    if reader.byte()? != b'*' {
        return None;
    }
    let Length::Of(elements) = reader.length(&mut Hasher::default())? else {
        return None;
    };
    let mut sum = 0u64;
    let mut left = elements;
    while left > 0 {
        let mut hasher = Hasher::default();
        let together = left.min(group);
        for _ in 0..together {
            reader.element(&mut hasher)?;
        }
        sum = sum.wrapping_add(hasher.finish());
        left -= together;
    }
    let whole = reader.fill().is_none();
    whole.then(|| fold(sum ^ KEY_SUM, elements ^ KEY_A.wrapping_mul(group)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn of(text: &[u8], order: Order) -> u64 {
        digest(std::iter::once(text), order)
    }

    fn array(elements: &[&str]) -> Vec<u8> {
        let mut text = format!("*{}\r\n", elements.len());
        for element in elements {
            text += &match *element {
                "nil" => "$-1\r\n".to_owned(),
                number if number.starts_with(':') => format!("{number}\r\n"),
                bulk => format!("${}\r\n{bulk}\r\n", bulk.len()),
            };
        }
        text.into_bytes()
    }

    #[test]
    fn different_bytes_have_different_digests() {
        let mut seen = HashSet::new();
        let mut add = |bytes: &[u8]| assert!(seen.insert(of(bytes, Order::Kept)), "{bytes:?}");
        // Lengths of zeros, single bits, single bytes, words that differ in case, counters.
        for length in 0..100 {
            add(&vec![0; length]);
        }
        for bit in 0..8 * 64 {
            let mut bytes = [0xa5; 64];
            bytes[bit / 8] ^= 1 << (bit % 8);
            add(&bytes);
        }
        for text in [
            "A",
            "a",
            "$1\r\nA\r\n",
            "$1\r\na\r\n",
            "$-1\r\n",
            "$0\r\n\r\n",
        ] {
            add(text.as_bytes());
        }
        for number in 1..200_000u32 {
            add(format!(":{number}\r\n").as_bytes());
            add(&[number.to_le_bytes(), [0; 4], number.to_be_bytes()].concat());
        }
    }

    #[test]
    fn every_bit_of_a_digest_depends_on_the_input() {
        let all: Vec<u64> = (0..1000u32)
            .map(|number| of(&number.to_le_bytes(), Order::Kept))
            .collect();
        for bit in 0..64 {
            let ones = all.iter().filter(|digest| **digest >> bit & 1 == 1).count();
            assert!((400..600).contains(&ones), "bit {bit}: {ones} of 1000");
        }
    }

    #[test]
    fn order_matters_as_much_as_it_should() {
        use Order::{Elements, Kept, Pairs};
        let same = |a: &[&str], b: &[&str]| {
            [Kept, Elements, Pairs].map(|order| of(&array(a), order) == of(&array(b), order))
        };
        for (a, b, equal) in [
            (&["x", "y", "z"][..], &["x", "y", "z"][..], [true; 3]),
            (&["x", "y", "z"], &["z", "x", "y"], [false, true, false]),
            (
                &["f", "1", "g", "2"],
                &["g", "2", "f", "1"],
                [false, true, true],
            ),
            (
                &["f", "1", "g", "2"],
                &["f", "2", "g", "1"],
                [false, true, false],
            ),
            (&["x", "y"], &["x", "Y"], [false; 3]),
            (&["x", "x", "y"], &["x", "y", "y"], [false; 3]),
            (&["x", "y"], &["x", "y", "y"], [false; 3]),
            (&["xy", ""], &["x", "y"], [false; 3]),
            (&["nil", ":1"], &[":1", "nil"], [false, true, false]),
            (&["nil"], &[""], [false; 3]),
            (&[], &["x"], [false; 3]),
            (&[":1"], &["1"], [false; 3]),
        ] {
            assert_eq!(same(a, b), equal, "{a:?} {b:?}");
        }
    }

    #[test]
    fn what_is_no_plain_array_is_its_bytes() {
        for text in [
            "",
            "*",
            "*1",
            "*-1\r\n",
            "*1\r\n",
            "*x\r\n",
            "*\r\n",
            "*99999999999999999999999\r\n",
            "*1\n$1\r\nx\r\n",
            "*1\r\n$18446744073709551615\r\nx\r\n",
            "*1\r\n$1\r\nx\r\n*0\r\n",
            "*2\r\n$1\r\nx\r\n",
            "*1\r\n*1\r\n$1\r\nx\r\n",
            "$1\r\nx\r\n",
            ":5\r\n",
            "+OK\r\n",
            "-WRONGTYPE\r\n",
        ] {
            let kept = of(text.as_bytes(), Order::Kept);
            for order in [Order::Elements, Order::Pairs] {
                assert_eq!(of(text.as_bytes(), order), kept, "{text:?} {order:?}");
            }
        }
        // These are arrays.
        for elements in [&[][..], &["x"], &["nil", ":1"]] {
            let text = array(elements);
            assert_ne!(of(&text, Order::Elements), of(&text, Order::Kept));
        }
    }

    #[test]
    fn replies_of_one_kind_are_alike() {
        for (a, b, alike) in [
            (":100\r\n", ":99\r\n", true),
            (":100\r\n", ":-1\r\n", false),
            (":-2\r\n", ":-1\r\n", false),
            (":-2\r\n", ":-2\r\n", true),
            ("$1\r\na\r\n", "$2\r\nbb\r\n", true),
            ("$1\r\na\r\n", "$-1\r\n", false),
            ("*1\r\n$1\r\na\r\n", "*1\r\n$1\r\nb\r\n", true),
            ("*1\r\n$1\r\na\r\n", "*0\r\n", false),
            ("*1\r\n:1\r\n", ":1\r\n", false),
            ("+a\r\n", "+b\r\n", false),
            ("$0\r\n\r\n", ":0\r\n", false),
        ] {
            let [x, y] = [a, b].map(|text| of(text.as_bytes(), Order::Kind));
            assert_eq!(x == y, alike, "{a:?} {b:?}");
        }
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(
            bytes in proptest::collection::vec(any::<u8>(), 0..80),
            cuts in proptest::collection::vec(0usize..200, 0..8),
        ) {
            let text = [b"*2\r\n$80\r\n".as_slice(), &[b'p'; 80], b"\r\n:1\r\n"].concat();
            for whole in [bytes.as_slice(), &text] {
                let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (whole.len() + 1)).collect();
                cuts.extend([0, whole.len()]);
                cuts.sort_unstable();
                let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &whole[cut[0]..cut[1]]).collect();
                for order in [Order::Kept, Order::Elements, Order::Pairs, Order::Kind] {
                    let cut = digest(pieces.iter().copied(), order);
                    prop_assert_eq!(cut, of(whole, order));
                }
            }
        }
    }
}
