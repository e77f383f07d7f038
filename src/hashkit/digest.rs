//! 64-bit digests of replies.
//!
//! Replies are compared by 64-bit digests of exactly their payload bytes, upper and lower case
//! being different. Digests never leave the process. For honest data two different replies have one
//! digest about once in 2^64; they do not withstand an attacker who searches for such a pair.
//!
//! The bytes come in pieces, and where they are cut does not matter.
//!
//! The protocol decides which parts of a reply count, and builds its digests from [`Hasher`] and [`combine`].

/// The digest of a reply that comes in these pieces.
pub fn digest<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> u64 {
    let mut hasher = Hasher::default();
    pieces.for_each(|piece| hasher.write(piece));
    hasher.finish()
}

// Random odd numbers without further meaning.
const KEY_A: u64 = 0x9e37_79b9_7f4a_7c15;
const KEY_B: u64 = 0xd1b5_4a32_d192_ed03;

/// Bytes hashed at a time.
const BLOCK: usize = 16;

/// Folds a 128-bit product into 64 bits (the mixing step of wyhash). The factors are added to the
/// halves, so that a zero does not wipe out what came before.
#[inline]
fn fold(a: u64, b: u64) -> u64 {
    let product = u128::from(a) * u128::from(b);
    (a ^ product as u64) ^ (b ^ (product >> 64) as u64)
}

/// The digest of two, in this order.
#[inline]
pub fn combine(a: u64, b: u64) -> u64 {
    fold(a ^ KEY_A, b ^ KEY_B)
}

/// An incremental digest.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hasher {
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

    /// Adds bytes.
    pub fn write(&mut self, mut bytes: &[u8]) {
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

    /// Returns the digest of all bytes added.
    pub fn finish(mut self) -> u64 {
        // The length tells zeros that were sent from those that fill up the block.
        let unused = self.tail.iter_mut().skip(self.tail_len);
        unused.for_each(|byte| *byte = 0);
        let block = self.tail;
        self.block(&block);
        fold(self.state ^ KEY_B, self.length ^ KEY_A)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::HashSet;

    fn of(text: &[u8]) -> u64 {
        digest(std::iter::once(text))
    }

    #[test]
    fn different_bytes_have_different_digests() {
        let mut seen = HashSet::new();
        let mut add = |bytes: &[u8]| assert!(seen.insert(of(bytes)), "{bytes:?}");
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
            .map(|number| of(&number.to_le_bytes()))
            .collect();
        for bit in 0..64 {
            let ones = all.iter().filter(|digest| **digest >> bit & 1 == 1).count();
            assert!((400..600).contains(&ones), "bit {bit}: {ones} of 1000");
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
                prop_assert_eq!(digest(pieces.iter().copied()), of(whole));
            }
        }
    }
}
