//! From templates to bytes.

use crate::common::command;
use crate::common::random::Random;
use crate::random_pipelines::templates::{SCRIPTS, TEMPLATES};

/// Largest value.
const LARGE: u64 = 300_000;
/// Largest request that is sent as an inline command.
const INLINE: usize = 4_000;

/// Makes requests.
pub struct Generator {
    pub random: Random,
}

impl Generator {
    pub fn new(random: Random) -> Generator {
        Generator { random }
    }

    /// Appends one request that has one reply.
    pub fn request(&mut self, out: &mut Vec<u8>) {
        let template = *self.random.pick(TEMPLATES);
        let mut args: Vec<Vec<u8>> = template.split(' ').map(|word| self.word(word)).collect();
        if self.random.once_in(2) {
            args[0].make_ascii_uppercase();
        }
        match self.random.below(40) {
            0 => drop(args.pop()),
            1 => args.push(b"7".to_vec()),
            _ => {}
        }
        if args.is_empty() {
            args.push(b"nosuch".to_vec());
        }
        // What Redis passes over without a word.
        match self.random.below(60) {
            0 => out.extend_from_slice(b"\r\n"),
            1 => out.extend_from_slice(b"*0\r\n"),
            2 => out.extend_from_slice(b"*-1\r\n"),
            3 => out.extend_from_slice(b"  \t \n"),
            _ => {}
        }
        let len: usize = args.iter().map(Vec::len).sum();
        if len < INLINE && self.random.once_in(10) {
            self.inline(&args, out);
        } else {
            let args: Vec<&[u8]> = args.iter().map(Vec::as_slice).collect();
            out.extend_from_slice(&command(&args));
        }
    }

    fn inline(&mut self, args: &[Vec<u8>], out: &mut Vec<u8>) {
        for (i, arg) in args.iter().enumerate() {
            if i > 0 {
                out.extend_from_slice(self.random.pick(&[" ", "  ", "\t"]).as_bytes());
            }
            let plain = !arg.is_empty() && arg.iter().all(u8::is_ascii_alphanumeric);
            let single = arg.iter().all(|b| b.is_ascii_graphic() || *b == b' ');
            match self.random.below(3) {
                0 if plain => out.extend_from_slice(arg),
                1 if single => {
                    out.push(b'\'');
                    for &byte in arg {
                        if byte == b'\'' {
                            out.push(b'\\');
                        }
                        out.push(byte);
                    }
                    // A backslash in front of the closing quote would hide it.
                    if arg.last() == Some(&b'\\') {
                        out.pop();
                    }
                    out.push(b'\'');
                }
                _ => {
                    out.push(b'"');
                    for &byte in arg {
                        match byte {
                            b'\n' => out.extend_from_slice(b"\\n"),
                            b'"' => out.extend_from_slice(b"\\\""),
                            byte if byte.is_ascii_alphanumeric() => out.push(byte),
                            byte => out.extend_from_slice(format!("\\x{byte:02x}").as_bytes()),
                        }
                    }
                    out.push(b'"');
                }
            }
        }
        out.extend_from_slice(self.random.pick(&["\r\n", "\n"]).as_bytes());
    }

    fn word(&mut self, word: &str) -> Vec<u8> {
        let Some(what) = word.strip_prefix('{').and_then(|w| w.strip_suffix('}')) else {
            return word.as_bytes().to_vec();
        };
        let random = &mut self.random;
        match what {
            "B" | "E" | "H" | "Z" => format!("{what}{}", random.below(3)).into_bytes(),
            "s" | "l" | "h" | "t" | "z" | "x" | "g" | "p" | "b" => self.key(what),
            "v" => self.value(),
            "w" => self.short(),
            "V" => self.large(),
            "i" => (random.below(26) as i64 - 5).to_string().into_bytes(),
            "n" => self.number(),
            "c" => random
                .pick(&[
                    "0",
                    "1",
                    "1.5",
                    "-2.25",
                    "3e5",
                    "inf",
                    "-inf",
                    "0.1",
                    "1e-7",
                    "17",
                    "x",
                    "123456789012345678",
                ])
                .as_bytes()
                .to_vec(),
            "m" => random.below(60).to_string().into_bytes(),
            "f" => format!("f{}", random.below(6)).into_bytes(),
            "M" => random
                .pick(&["a", "b", "c", "d", "withscores", ""])
                .as_bytes()
                .to_vec(),
            "P" => random
                .pick(&["Palermo", "Catania", "Rome", "withcoord"])
                .as_bytes()
                .to_vec(),
            "G" => random.pick(&["g1", "g2"]).as_bytes().to_vec(),
            "r" => format!("{}-{}", random.below(40), random.below(3)).into_bytes(),
            "lon" => random
                .pick(&["13.361389", "15.087269", "12.5", "200"])
                .as_bytes()
                .to_vec(),
            "lat" => random
                .pick(&["38.115556", "37.502669", "41.9"])
                .as_bytes()
                .to_vec(),
            "lua" => random.pick(SCRIPTS).as_bytes().to_vec(),
            // Of the first script, and of nothing.
            "sha" => random
                .pick(&[
                    "fd758d1589d044dd850a6f05d52f2eefd27f033f",
                    "0123456789012345678901234567890123456789",
                ])
                .as_bytes()
                .to_vec(),
            other => panic!("a template has {{{other}}}"),
        }
    }

    /// A key of a family; now and then of another one, or an odd one.
    fn key(&mut self, family: &str) -> Vec<u8> {
        let random = &mut self.random;
        match random.below(60) {
            0 => Vec::new(),
            1 => b"bin\0\r\n\xff".to_vec(),
            2 => vec![b'k'; random.magnitude(20_000) as usize],
            3..8 => {
                let other = random.pick(&["s", "l", "h", "t", "z", "x", "g", "p", "b"]);
                format!("{other}0").into_bytes()
            }
            _ => format!("{family}{}", random.below(3)).into_bytes(),
        }
    }

    fn short(&mut self) -> Vec<u8> {
        let random = &mut self.random;
        match random.below(8) {
            0 => Vec::new(),
            1 => {
                let len = random.below(40) as usize;
                random.bytes(len)
            }
            2 => self.number(),
            _ => random
                .pick(&["a", "b", "world", "two words", "$5\r\n", "*1\r\n"])
                .as_bytes()
                .to_vec(),
        }
    }

    fn value(&mut self) -> Vec<u8> {
        let random = &mut self.random;
        match random.below(8) {
            0 => {
                let len = random.magnitude(4_000) as usize;
                random.bytes(len)
            }
            1 => vec![b'v'; random.magnitude(2_000) as usize],
            _ => self.short(),
        }
    }

    fn large(&mut self) -> Vec<u8> {
        let len = self.random.magnitude(LARGE) as usize;
        if self.random.once_in(2) {
            // Bytes that differ, so that a misplaced piece shows.
            return self.random.bytes(len);
        }
        vec![b'L'; len]
    }

    fn number(&mut self) -> Vec<u8> {
        self.random
            .pick(&[
                "1",
                "2",
                "-3",
                "10",
                "9223372036854775807",
                "-9223372036854775808",
                "99999999999999999999",
                "1.5",
                "-0.25",
                "x",
                "",
                "01",
                "+1",
                " 1",
                "3e2",
            ])
            .as_bytes()
            .to_vec()
    }
}
