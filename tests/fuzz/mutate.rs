//! The mutator: a seed, changed a little, in an order that a number fixes.

/// Inputs are cut to this many bytes: limits are reached by announcing sizes, not by sending them.
const LONGEST: usize = 64 * 1024;

/// Numbers at which parsers change their minds.
const NUMBERS: &[&str] = &[
    "-1",
    "0",
    "00",
    "01",
    "1",
    "2",
    "9",
    "10",
    "127",
    "128",
    "255",
    "256",
    "16383",
    "16384",
    "16385",
    "65535",
    "65536",
    "1048576",
    "1048577",
    "536870912",
    "536870913",
    "2147483647",
    "2147483648",
    "4294967295",
    "4294967296",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "+1",
    "1e9",
    "99999999999999999999999999999999",
];

/// A small random generator (SplitMix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `limit`; zero when the limit is.
    fn below(&mut self, limit: usize) -> usize {
        if limit == 0 {
            0
        } else {
            (self.next() % limit as u64) as usize
        }
    }

    fn pick<'a, T>(&mut self, all: &'a [T]) -> Option<&'a T> {
        all.get(self.below(all.len()))
    }
}

/// An endless row of inputs made from seeds.
pub struct Mutator<'a> {
    random: Random,
    seeds: &'a [Vec<u8>],
    words: &'a [&'a [u8]],
}

impl<'a> Mutator<'a> {
    pub fn new(seed: u64, seeds: &'a [Vec<u8>], words: &'a [&'a [u8]]) -> Mutator<'a> {
        Mutator {
            random: Random(seed),
            seeds,
            words,
        }
    }

    /// The next input: mostly one to four changes to a seed, now and then many.
    pub fn next_input(&mut self) -> Vec<u8> {
        let mut input = self.random.pick(self.seeds).cloned().unwrap_or_default();
        let changes = if self.random.below(16) == 0 {
            16
        } else {
            1 + self.random.below(4)
        };
        for _ in 0..changes {
            self.change(&mut input);
        }
        input.truncate(LONGEST);
        input
    }

    fn change(&mut self, input: &mut Vec<u8>) {
        let at = self.random.below(input.len() + 1);
        match self.random.below(9) {
            // flip a bit
            0 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte ^= 1 << self.random.below(8);
                }
            }
            // any byte instead
            1 => {
                if let Some(byte) = input.get_mut(at) {
                    *byte = self.random.next() as u8;
                }
            }
            // cut off
            2 => input.truncate(at),
            // take a piece out
            3 => {
                let end = self.end_of_piece(at, input.len());
                input.drain(at..end);
            }
            // a piece twice, or many times
            4 => {
                let end = self.end_of_piece(at, input.len());
                let times = if self.random.below(4) == 0 {
                    1 + self.random.below(64)
                } else {
                    1
                };
                let again = input[at..end].repeat(times);
                self.put(input, at, &again);
            }
            // a word of the format
            5 => {
                if let Some(word) = self.random.pick(self.words).copied() {
                    self.put(input, at, word);
                }
            }
            // another number
            6 => self.change_number(input, at),
            // the rest from another seed
            7 => {
                if let Some(other) = self.random.pick(self.seeds) {
                    let from = self.random.below(other.len() + 1);
                    input.truncate(at);
                    input.extend_from_slice(&other[from..]);
                }
            }
            // another seed in between
            _ => {
                if let Some(other) = self.random.pick(self.seeds).cloned() {
                    self.put(input, at, &other);
                }
            }
        }
    }

    fn end_of_piece(&mut self, at: usize, length: usize) -> usize {
        let longest = if self.random.below(4) == 0 { 256 } else { 8 };
        (at + 1 + self.random.below(longest)).min(length)
    }

    fn put(&mut self, input: &mut Vec<u8>, at: usize, piece: &[u8]) {
        if input.len() + piece.len() <= LONGEST {
            input.splice(at..at, piece.iter().copied());
        }
    }

    /// Replaces the digits at or after `at`.
    fn change_number(&mut self, input: &mut Vec<u8>, at: usize) {
        let Some(start) = input[at..]
            .iter()
            .position(u8::is_ascii_digit)
            .map(|offset| at + offset)
        else {
            return;
        };
        let length = input[start..]
            .iter()
            .take_while(|byte| byte.is_ascii_digit())
            .count();
        let text = String::from_utf8_lossy(&input[start..start + length]).into_owned();
        let new = match (self.random.below(3), text.parse::<u64>()) {
            (0, Ok(number)) => number.wrapping_add(1).to_string(),
            (1, Ok(number)) => number.wrapping_sub(1).to_string(),
            _ => self
                .random
                .pick(NUMBERS)
                .map_or(String::new(), |number| (*number).to_string()),
        };
        input.splice(start..start + length, new.bytes());
    }
}
