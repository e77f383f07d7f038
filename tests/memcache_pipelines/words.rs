//! Keys, values and numbers of random requests.

use crate::memcache_pipelines::generate::Generator;

/// Some of them are none, or none that will do.
pub const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "7",
    "10",
    "255",
    "4294967295",
    "4294967296",
    "18446744073709551615",
    "18446744073709551616",
    "-1",
    "-",
    "+1",
    "x",
    "1x",
    "00",
    "0x1",
    "1.5",
    "99999999999999999999999",
];

/// Expiration times of which it does not matter in which second they are read.
pub const TIMES: &[&str] = &[
    "0",
    "0",
    "0",
    "0",
    "100",
    "5000",
    "2592000",
    "2592001",
    "2000000000",
    "-1",
    "-100",
];

/// Counters are `n0` and so on.
pub const COUNTERS: u64 = 3;

impl Generator {
    pub fn key(&mut self) -> Vec<u8> {
        let random = &mut self.random;
        match random.below(60) {
            0 => vec![b'k'; 240 + random.below(11) as usize],
            1 => b"t\tb".to_vec(),
            2 => "schlüssel".as_bytes().to_vec(),
            3 => b"\x01\x7f\xff{}".to_vec(),
            4 => b"noreply".to_vec(),
            _ => format!("k{}", random.below(12)).into_bytes(),
        }
    }

    pub fn long_key(&mut self) -> Vec<u8> {
        vec![b'k'; 251 + self.random.below(200) as usize]
    }

    /// Any key, also one that is too long.
    pub fn any_key(&mut self) -> Vec<u8> {
        match self.random.below(80) {
            0 => self.long_key(),
            1..9 => format!("n{}", self.random.below(COUNTERS)).into_bytes(),
            _ => self.key(),
        }
    }

    /// A key, and whether it is sent in base64.
    pub fn meta_key(&mut self) -> (Vec<u8>, bool) {
        match self.random.below(20) {
            // Also for keys that a plain line cannot hold.
            0 => (base64(b"k0"), true),
            1 => (base64(b"a key, of any bytes\0\xff"), true),
            2 => {
                let key = self.key();
                (base64(&key), true)
            }
            3 if self.random.once_in(4) => (b"!no base64!".to_vec(), true),
            3 => (base64(b"k1"), false),
            _ => (self.any_key(), false),
        }
    }

    /// A counter's key; seldom another one.
    pub fn counter(&mut self) -> Vec<u8> {
        match self.random.below(10) {
            0 => self.any_key(),
            n => format!("n{}", n % COUNTERS).into_bytes(),
        }
    }

    pub fn number(&mut self) -> Vec<u8> {
        match self.random.below(4) {
            0 => self
                .random
                .pick(NUMBERS)
                .trim_start_matches("1844674407370")
                .into(),
            _ => self.random.magnitude(1_000_000).to_string().into_bytes(),
        }
    }

    /// What a counter is set to.
    pub fn count(&mut self) -> Vec<u8> {
        let random = &mut self.random;
        match random.below(12) {
            0 => b"4611686018427387904".to_vec(),
            1 => random
                .pick(&["", "x", "-1", "18446744073709551616", " 1", "1x"])
                .as_bytes()
                .to_vec(),
            _ => random.magnitude(1_000_000_000).to_string().into_bytes(),
        }
    }

    pub fn flags(&mut self) -> Vec<u8> {
        match self.random.below(12) {
            0 => self.random.pick(NUMBERS).as_bytes().to_vec(),
            1..4 => self.random.below(1 << 32).to_string().into_bytes(),
            _ => b"0".to_vec(),
        }
    }

    pub fn time(&mut self) -> Vec<u8> {
        match self.random.below(80) {
            0 => self
                .random
                .pick(&["x", "", "1x", "99999999999"])
                .as_bytes()
                .to_vec(),
            _ => self.random.pick(TIMES).as_bytes().to_vec(),
        }
    }

    /// Never a number, nor what could be the blanks in front of one: a memcached would look for it in the
    /// memory behind.
    pub fn value(&mut self) -> Vec<u8> {
        let mut value = self.any_value();
        if let Some(first) = value.first_mut().filter(|byte| !byte.is_ascii_alphabetic()) {
            *first = b'v';
        }
        value
    }

    fn any_value(&mut self) -> Vec<u8> {
        let random = &mut self.random;
        match random.below(60) {
            0..4 => {
                let len = random.magnitude(4_000) as usize;
                random.bytes(len)
            }
            4..8 => b"END\r\n".to_vec(),
            8..10 => b"v\r\n".to_vec(),
            10..13 => Vec::new(),
            13..16 => b"VALUE k0 0 1\r\nx\r\nEND\r\n".to_vec(),
            16..18 => b"SERVER_ERROR no".to_vec(),
            18 => b"a 12".to_vec(),
            _ => {
                let len = random.magnitude(200) as usize;
                random.bytes(len)
            }
        }
    }
}

/// Returns true if a key is one of those that hold numbers.
pub fn is_counter(key: &[u8]) -> bool {
    key.len() == 2 && key[0] == b'n'
}

/// RFC 4648, with padding.
pub fn base64(bytes: &[u8]) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = Vec::new();
    for three in bytes.chunks(3) {
        let at = |n: usize| u32::from(three.get(n).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for n in 0..4 {
            out.push(match n <= three.len() {
                true => DIGITS[(bits >> (18 - 6 * n)) as usize & 63],
                false => b'=',
            });
        }
    }
    out
}
