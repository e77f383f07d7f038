//! Random requests of memcached's text protocol.
//!
//! Left out is what the program answers otherwise than memcached on purpose (`flush_all`, `me` and
//! the other commands of administration, CR and NUL in keys), what depends on how the bytes happen
//! to arrive (lines of more than 2 KB but for `get` and `gets`; a `get` of a key that is too long, at which
//! a memcached forgets the replies that it has yet to send), and what depends on the second.
//!
//! Counters have keys of their own, which nothing in a stream reads but `incr`, `decr` and `ma`: a memcached
//! changes a counter in place, with blanks behind it when it becomes shorter, unless a reply that holds it
//! has yet to be sent; then it makes a new item, and much shows which it was. They stay below 2^63: from
//! there on a memcached may say that a number is none, if there is a minus sign in the memory behind it.

use crate::common::random::Random;
use crate::memcache_pipelines::words::{NUMBERS, TIMES, is_counter};

/// Largest value: a memcached takes less than 1 MiB.
const LARGE: u64 = 1_100_000;

/// The last two are not for counters.
const STORES: &[&str] = &["set", "set", "set", "add", "replace", "append", "prepend"];

/// Flags of each meta command, some of which take a token that is drawn.
const GET_FLAGS: &[&str] = &[
    "c", "f", "h", "k", "l", "s", "t", "v", "v", "q", "O", "N", "R", "T", "E",
];
/// The first is not for counters.
const SET_FLAGS: &[&str] = &["M", "c", "k", "q", "I", "O", "C", "F", "T", "s"];
const DELETE_FLAGS: &[&str] = &["q", "k", "I", "O", "C", "T", "x"];
const ARITHMETIC_FLAGS: &[&str] = &[
    "q", "k", "v", "v", "t", "c", "O", "C", "N", "J", "D", "T", "M",
];

/// Makes requests.
pub struct Generator {
    pub random: Random,
}

impl Generator {
    pub fn new(random: Random) -> Generator {
        Generator { random }
    }

    /// Appends one request. It may have no reply, or more than one.
    pub fn request(&mut self, out: &mut Vec<u8>) {
        match self.random.below(40) {
            0..9 => self.get(out),
            9..19 => self.store(out),
            19..22 => self.arithmetic(out),
            22..25 => self.remove_or_touch(out),
            25..29 => self.meta_get(out),
            29..33 => self.meta_set(out),
            33..35 => self.meta_of(b"md", DELETE_FLAGS, out),
            35..38 => self.meta_of(b"ma", ARITHMETIC_FLAGS, out),
            38 if self.random.once_in(2) => self.large(out),
            38 => self.other(out),
            _ => self.wrong(out),
        }
    }

    fn get(&mut self, out: &mut Vec<u8>) {
        let name = *self.random.pick(&["get", "get", "gets", "gat", "gats"]);
        let touches = name.starts_with("gat");
        let mut words = vec![name.as_bytes().to_vec()];
        if touches {
            words.push(self.time());
        }
        let count = match self.random.below(4) {
            0 | 1 => 1,
            2 => 1 + self.random.below(10),
            _ if touches => 1 + self.random.below(30),
            _ => self.random.magnitude(200),
        };
        for _ in 0..count {
            words.push(self.key());
        }
        if self.random.once_in(60) {
            words.truncate(1);
        }
        self.line(&words, out);
    }

    fn store(&mut self, out: &mut Vec<u8>) {
        let cas = self.random.once_in(8);
        let key = self.any_key();
        let (value, stores) = match is_counter(&key) {
            true => (self.count(), &STORES[..5]),
            false => (self.value(), STORES),
        };
        let name = if cas {
            "cas"
        } else {
            *self.random.pick(stores)
        };
        let mut words = vec![
            name.as_bytes().to_vec(),
            key,
            self.flags(),
            self.time(),
            value.len().to_string().into_bytes(),
        ];
        if cas {
            // None of them was ever given to an item.
            let ids = [
                "999999999999",
                "1000000000001",
                "18446744073709551615",
                "x",
                "-1",
            ];
            words.push(self.random.pick(&ids).as_bytes().to_vec());
        }
        self.noreply(&mut words);
        let value = self.spoil_with(&mut words, value);
        self.line(&words, out);
        self.block(&value, out);
    }

    /// A value of any size; it has a key of its own, which no long list names.
    fn large(&mut self, out: &mut Vec<u8>) {
        let key = format!("large{}", self.random.below(2)).into_bytes();
        if self.random.once_in(2) {
            let words = [b"get".to_vec(), key.clone(), b"k1".to_vec(), key];
            return self.line(&words, out);
        }
        let len = self.random.magnitude(LARGE) as usize;
        // Bytes that differ, so that a misplaced piece shows.
        let value = self.random.bytes(len);
        let name = *self.random.pick(&["set", "add", "replace", "append"]);
        let zero = b"0".to_vec();
        let len = len.to_string().into_bytes();
        let mut words = vec![name.as_bytes().to_vec(), key, zero.clone(), zero, len];
        self.noreply(&mut words);
        self.line(&words, out);
        out.extend_from_slice(&value);
        out.extend_from_slice(b"\r\n");
    }

    fn arithmetic(&mut self, out: &mut Vec<u8>) {
        let name = *self.random.pick(&["incr", "decr"]);
        let mut words = vec![name.as_bytes().to_vec(), self.counter(), self.number()];
        self.noreply(&mut words);
        self.spoil(&mut words);
        self.line(&words, out);
    }

    fn remove_or_touch(&mut self, out: &mut Vec<u8>) {
        let key = self.any_key();
        let mut words = vec![b"delete".to_vec(), key];
        if self.random.once_in(2) {
            words[0] = b"touch".to_vec();
            words.push(self.time());
        } else if self.random.once_in(8) {
            words.push(self.random.pick(&["0", "1", "x"]).as_bytes().to_vec());
        }
        self.noreply(&mut words);
        self.spoil(&mut words);
        self.line(&words, out);
    }

    fn meta_get(&mut self, out: &mut Vec<u8>) {
        self.meta_of(b"mg", GET_FLAGS, out);
    }

    fn meta_set(&mut self, out: &mut Vec<u8>) {
        let (key, base64) = self.meta_key();
        let (value, flags) = match is_counter(&key) {
            true => (self.count(), &SET_FLAGS[1..]),
            false => (self.value(), SET_FLAGS),
        };
        let mut words = vec![b"ms".to_vec(), key, value.len().to_string().into_bytes()];
        words.extend(base64.then(|| b"b".to_vec()));
        self.meta_flags(flags, &mut words);
        let value = self.spoil_with(&mut words, value);
        self.line(&words, out);
        self.block(&value, out);
    }

    fn meta_of(&mut self, name: &[u8], flags: &[&str], out: &mut Vec<u8>) {
        let (key, base64) = match name {
            b"ma" if !self.random.once_in(4) => (self.counter(), false),
            _ => self.meta_key(),
        };
        let key = match name {
            b"mg" if is_counter(&key) => b"k1".to_vec(),
            _ => key,
        };
        let flags = match name {
            // It must not make a counter of what is read.
            b"ma" if !is_counter(&key) => &["q", "k", "v", "t", "c", "O", "C", "J", "D", "M"],
            _ => flags,
        };
        let mut words = vec![name.to_vec(), key];
        words.extend(base64.then(|| b"b".to_vec()));
        self.meta_flags(flags, &mut words);
        // Here memcached reports a new item although the request is quiet.
        if name == b"ma" && words.iter().any(|word| word.first() == Some(&b'N')) {
            words.retain(|word| word != b"q");
        }
        // An opaque token that is too long is refused here before anything is done, not after it.
        if matches!(name, b"mg" | b"ma") {
            let long = |word: &&mut Vec<u8>| word.first() == Some(&b'O');
            words
                .iter_mut()
                .filter(long)
                .for_each(|word| word.truncate(32));
        }
        self.spoil(&mut words);
        self.line(&words, out);
    }

    /// A few flags of these, each once but for one time in many.
    fn meta_flags(&mut self, flags: &[&str], words: &mut Vec<Vec<u8>>) {
        let mut chosen: Vec<&str> = Vec::new();
        for _ in 0..self.random.below(6) {
            let flag = *self.random.pick(flags);
            if !chosen.contains(&flag) || self.random.once_in(60) {
                chosen.push(flag);
            }
        }
        if self.random.once_in(60) {
            chosen.push(self.random.pick::<&str>(&["Z", "X", "W", "!", "1"]));
        }
        for flag in chosen {
            let random = &mut self.random;
            let token = match flag {
                "O" if random.once_in(100) => "o".repeat(33),
                "O" => format!("{:x}", random.below(1 << 40)),
                "C" => random
                    .pick(&["999999999999", "1000000000001", "x"])
                    .to_string(),
                "F" | "J" => random
                    .pick(&["0", "1", "77", "4294967295", "x"])
                    .to_string(),
                "D" => random
                    .pick(&["1", "2", "5", "1000000", "x", "-1"])
                    .to_string(),
                // Never what is left of a time that was set: that depends on the second.
                "R" => random
                    .pick(&["0", "50", "3000", "1000000", "-1"])
                    .to_string(),
                "N" | "T" => random.pick(TIMES).to_string(),
                "M" => random
                    .pick(&[
                        "S", "s", "A", "a", "P", "p", "R", "r", "E", "e", "I", "i", "D", "d", "+",
                        "-", "x", "",
                    ])
                    .to_string(),
                _ => String::new(),
            };
            words.push(format!("{flag}{token}").into_bytes());
        }
    }

    fn other(&mut self, out: &mut Vec<u8>) {
        let line = *self.random.pick::<&[u8]>(&[
            b"version",
            b"verbosity 1",
            b"verbosity 0 noreply",
            b"verbosity",
            b"mn",
            b"mn",
            b"",
            b"   ",
        ]);
        out.extend_from_slice(line);
        self.end(out);
    }

    /// What is no request.
    fn wrong(&mut self, out: &mut Vec<u8>) {
        let line = *self.random.pick::<&[u8]>(&[
            b"foo",
            b"foo bar",
            b"GET a",
            b"SET a 0 0 1",
            b"gett a",
            b"ge a",
            b"g",
            b"set",
            b"get",
            b"gets",
            b"gat",
            b"gat x a",
            b"delete",
            b"incr",
            b"incr n",
            b"touch",
            b"touch a",
            b"mg",
            b"ms",
            b"ms a",
            b"md",
            b"ma",
            b"cas a 0 0 1",
            b"set a 0 0 -1",
            b"set a 0 0 -2 noreply",
            b"set a 0 0 4294967295",
            b"set a 0 0 99999999999999999999",
            b"set a 0 0 x",
            b"set a 0 0",
            b"ms a -1",
            b"ms a x",
            b"ms a 99999999999999999999",
            b"*1",
            b"$4",
            b"{}",
            b"\xff\xfe",
            b"END",
            b"STORED",
            b"VALUE a 0 1",
        ]);
        out.extend_from_slice(line);
        self.end(out);
    }

    /// The same to a line with this value; returns the one to send. Behind a spoilt line it may be taken
    /// for requests, and a line of them must not be long.
    fn spoil_with(&mut self, words: &mut Vec<Vec<u8>>, value: Vec<u8>) -> Vec<u8> {
        if !self.spoil(words) {
            return value;
        }
        let len = value.len().to_string().into_bytes();
        for word in words.iter_mut().filter(|word| **word == len) {
            *word = b"5".to_vec();
        }
        b"short".to_vec()
    }

    /// Takes a word away, adds one, or puts another one in its place; seldom. Returns whether it did.
    fn spoil(&mut self, words: &mut Vec<Vec<u8>>) -> bool {
        let place = 1 + self.random.below(words.len() as u64 - 1) as usize;
        match self.random.below(120) {
            0 => drop(words.remove(place)),
            // In front of them it would make a length of a time, and a memcached swallow so much.
            1 => words.insert(place.max(4).min(words.len()), b"7".to_vec()),
            2 => words[place] = self.random.pick(NUMBERS).as_bytes().to_vec(),
            _ => return false,
        }
        true
    }

    fn noreply(&mut self, words: &mut Vec<Vec<u8>>) {
        match self.random.below(24) {
            0..4 => words.push(b"noreply".to_vec()),
            4 => words.push(
                self.random
                    .pick(&["NOREPLY", "norepl", "noreplyy", "0"])
                    .as_bytes()
                    .to_vec(),
            ),
            _ => {}
        }
    }

    fn line(&mut self, words: &[Vec<u8>], out: &mut Vec<u8>) {
        if self.random.once_in(40) {
            out.extend_from_slice(b"  ");
        }
        for (n, word) in words.iter().enumerate() {
            if n > 0 {
                out.push(b' ');
                if self.random.once_in(100) {
                    out.extend_from_slice(b"   ");
                }
            }
            out.extend_from_slice(word);
        }
        if self.random.once_in(40) {
            out.push(b' ');
        }
        self.end(out);
    }

    fn end(&mut self, out: &mut Vec<u8>) {
        let end: &[u8] = if self.random.once_in(20) {
            b"\n"
        } else {
            b"\r\n"
        };
        out.extend_from_slice(end);
    }

    /// A data block, seldom one that is too long or too short.
    fn block(&mut self, value: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(value);
        match self.random.below(100) {
            0 => out.extend_from_slice(b"and more\r\n"),
            1 => out.extend_from_slice(b"\r \r\n"),
            2 if value.len() > 10 => {
                // What follows is taken for the rest of the value, up to where it does not end.
                let keep = out.len() - 1 - self.random.below(8) as usize;
                out.truncate(keep);
                out.extend_from_slice(b"\r\n");
            }
            _ => out.extend_from_slice(b"\r\n"),
        }
    }
}
