//! Thousands of lines, right ones and wrong ones.

use super::super::errors;
use super::*;
use std::collections::HashSet;

/// A small random generator (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % limit as u64) as usize
    }

    fn pick<'a>(&mut self, words: &[&'a str]) -> &'a str {
        words[self.below(words.len())]
    }

    fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }
}

/// No expiration time among them is so near that it could come while it is looked at.
const NUMBERS: &[&str] = &[
    "0",
    "100",
    "3",
    "10",
    "-1",
    "-0",
    "+5",
    "05",
    "\t5",
    "5\tx",
    "5x",
    "x",
    "-",
    "2147483645",
    "2147483647",
    "2147483648",
    "-2147483649",
    "4294967295",
    "4294967296",
    "4294967395",
    "9223372036854775807",
    "9223372036854775808",
    "18446744073709551615",
    "18446744073709551616",
    "-18446744073709551615",
    "-18446744073709551614",
    "18446744073709551615\t-",
    "-9223372036854775808",
    "-9223372036854775809",
    "99999999999999999999999",
    "0x10",
    "1e3",
    "noreply",
];

const FLAGS: &[&str] = &[
    "v",
    "f",
    "s",
    "t",
    "c",
    "k",
    "l",
    "h",
    "u",
    "q",
    "b",
    "I",
    "O1",
    "Oabc",
    "O",
    "T0",
    "T30",
    "T-1",
    "Tx",
    "T",
    "N30",
    "N0",
    "Nx",
    "R10",
    "Rx",
    "F1",
    "F4294967297",
    "Fx",
    "F-1",
    "C1",
    "Cx",
    "C",
    "MS",
    "ME",
    "MA",
    "MP",
    "MR",
    "MI",
    "M+",
    "MD",
    "M-",
    "Mx",
    "M",
    "MSS",
    "J5",
    "Jx",
    "D2",
    "Dx",
    "D-1",
    "Pa",
    "La",
    "P",
    "vx",
    "kk",
    "S1",
    "E1",
    "x",
    "z",
    "\x7f",
    "\u{e9}",
    "O1234567890123456789012345678901",
    "O12345678901234567890123456789012",
    "T\t7",
    "T+7",
    "D007",
    "noreply",
];

const GOOD_FLAGS: &[&str] = &[
    "v", "f", "s", "t", "c", "k", "l", "h", "u", "q", "b", "I", "O1", "Oabc", "T0", "T30", "T-1",
    "N30", "N0", "R10", "F7", "C1", "J5", "D2", "Pa", "La",
];

const NAMES: &[&str] = &[
    "get",
    "gets",
    "gat",
    "gats",
    "set",
    "add",
    "replace",
    "append",
    "prepend",
    "cas",
    "delete",
    "incr",
    "decr",
    "touch",
    "mg",
    "ms",
    "md",
    "ma",
    "mn",
    "version",
    "flush_all",
    "verbosity",
    "quit",
    "g",
    "GET",
    "mx",
    "mg2",
    "foo",
    "gett",
    "POST",
    "\t",
    "get\tx",
];

fn key(random: &mut Random) -> String {
    match random.below(24) {
        0 => "k".repeat(250),
        1 => "k".repeat(251),
        2 => "a\tb".into(),
        3 => "\u{e9}".into(),
        4 => random
            .pick(&[
                "YWJj",
                "YW!Jj",
                "YWI=",
                "YQ==",
                "Y===",
                "YWJjYQ==YWJj",
                "====",
                "YWJ",
            ])
            .into(),
        5 => "YWJj".into(),
        6..=10 => "n".into(),
        11..=14 => "nope".into(),
        _ => "a".into(),
    }
}

/// What is stored after it.
const LOOK: &[u8] = b"mg a v f t\r\nmg n v f t\r\nmg nope v f t\r\nmg YWJj b k v f t\r\n";

/// A line and what belongs behind it.
fn line(random: &mut Random) -> Vec<u8> {
    let name = random.pick(NAMES);
    let mut words = vec![name.to_owned()];
    let mut value = None;
    let number = |random: &mut Random| {
        if random.one_in(3) {
            random.pick(NUMBERS).to_owned()
        } else {
            match random.below(20) {
                1 | 2 => "60".into(),
                other => other.to_string(),
            }
        }
    };
    match name {
        "get" | "gets" | "gat" | "gats" => {
            if name.starts_with("gat") {
                words.push(number(random));
            }
            let count = if random.one_in(10) { 30 } else { 3 };
            (0..random.below(count) + 1).for_each(|_| words.push(key(random)));
        }
        "set" | "add" | "replace" | "append" | "prepend" | "cas" => {
            let len = random.below(4);
            value = Some(len);
            words.push(key(random));
            words.push(number(random));
            words.push(number(random));
            words.push(if random.one_in(4) {
                number(random)
            } else {
                len.to_string()
            });
            if name == "cas" {
                words.push(number(random));
            }
        }
        "incr" | "decr" | "touch" => {
            words.push(key(random));
            words.push(number(random));
        }
        "delete" => words.push(key(random)),
        "mg" | "ms" | "md" | "ma" => {
            words.push(key(random));
            if name == "ms" {
                let len = random.below(4);
                value = Some(len);
                words.push(if random.one_in(6) {
                    number(random)
                } else {
                    len.to_string()
                });
            }
            let count = if random.one_in(20) { 30 } else { 5 };
            let flags = if random.one_in(3) { FLAGS } else { GOOD_FLAGS };
            if words[1].starts_with('Y') && !random.one_in(5) {
                words.push("b".into());
            }
            (0..random.below(count)).for_each(|_| words.push(random.pick(flags).to_owned()));
        }
        "flush_all" | "verbosity" if random.one_in(2) => words.push(number(random)),
        _ => {}
    }
    match random.below(20) {
        0 => words.truncate(random.below(words.len()) + 1),
        1 => words.push("x".into()),
        2 => words.push("HTTP/1.1".into()),
        3 => words.push("0".into()),
        4..=6 => words.push("noreply".into()),
        7 => words.extend(["0".into(), "noreply".into()]),
        _ => {}
    }
    let mut line = Vec::new();
    if random.one_in(12) {
        line.extend(b"  ");
    }
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            line.extend(if random.one_in(12) { &b"   "[..] } else { b" " });
        }
        line.extend(word.bytes());
    }
    if random.one_in(12) {
        line.extend(b"  ");
    }
    // Another byte, one more or one less.
    if random.one_in(5) {
        let at = random.below(line.len());
        let byte = b" \t\x01\x7f\xe9-0129aMgTqOkb"[random.below(18)];
        match random.below(3) {
            0 => line[at] = byte,
            1 => line.insert(at, byte),
            _ => drop(line.remove(at)),
        }
    }
    line.extend(if random.one_in(8) {
        &b"\n"[..]
    } else {
        b"\r\n"
    });
    if let Some(len) = value {
        let len = if random.one_in(10) { len + 1 } else { len };
        line.extend(vec![b'x'; len]);
        line.extend(b"\r\n");
    }
    line
}

/// Why a line may be answered otherwise than by memcached.
fn is_deviation(bytes: &[u8], expected: &Heard, got: &Heard) -> bool {
    let line = bytes
        .split(|byte| *byte == b'\n')
        .next()
        .unwrap_or_default();
    let words: Vec<&[u8]> = line
        .split(|byte| *byte == b' ')
        .filter(|word| !word.is_empty())
        .collect();
    let refused = got.reply == errors::OPAQUE_TOO_LONG.as_bytes();
    // It says what is wrong with an `ma` after it was executed, if nothing else went wrong.
    let executes = words.first() == Some(&&b"ma"[..]) && refused;
    // A value created by a quiet `ma` is told; it looks like one that was changed, which is not.
    let quiet_creation = words.first() == Some(&&b"ma"[..])
        && words.iter().any(|word| word.starts_with(b"q"))
        && words.iter().any(|word| word.starts_with(b"N"))
        && got.reply.is_empty()
        && matches!(expected.reply.get(..2), Some(b"HD" | b"VA"));
    executes || quiet_creation
}

/// What memcached begins before it sees that it has to refuse it: keys in front of one that is too long are
/// touched, and an opaque token is looked at last. The proxy refuses before it asks for anything.
fn has_effect_though_refused(bytes: &[u8], got: &Heard) -> bool {
    let touches = bytes.trim_ascii_start().starts_with(b"gat");
    let refused = got.reply.starts_with(errors::BAD_LINE.as_bytes());
    let opaque = got.reply.starts_with(errors::OPAQUE_TOO_LONG.as_bytes());
    touches && refused || opaque
}

#[test]
fn any_line_is_answered_as_by_memcached() {
    if !super::is_reference() {
        return;
    }
    let pair = Pair::start();
    let (mut compared, mut deviations) = (0, 0);
    let mut answers = HashSet::new();
    for seed in 0..4000 {
        let mut random = Random(seed);
        let Some(bytes) = completed(&line(&mut random)) else {
            continue;
        };
        let (expected, got) = pair.hear(&bytes);
        if is_deviation(&bytes, &expected, &got) {
            deviations += 1;
            continue;
        }
        compared += 1;
        answers.insert(comparable(&expected).reply);
        assert_eq!(
            comparable(&got),
            comparable(&expected),
            "seed {seed}: {}",
            bytes.escape_ascii()
        );
        if has_effect_though_refused(&bytes, &got) {
            continue;
        }
        let [stored, kept] = [&pair.plain, &pair.behind].map(|server| hear(server, LOOK));
        assert_eq!(
            comparable(&kept),
            comparable(&stored),
            "seed {seed}: {}, and then",
            bytes.escape_ascii()
        );
    }
    assert!(
        compared > 3500 && deviations < 100,
        "{compared} compared, {deviations} deviations"
    );
    assert!(answers.len() > 100, "{} different answers", answers.len());
}
