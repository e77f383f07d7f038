//! What a client of memcached asks for.

use super::{Answer, Client};
use crate::sim::memcached::to_base64;
use crate::sim::tag;

/// The beginning of a request that never ends.
pub(super) const HALF: &[u8] = b"set half 0 0 100\r\nhalf a ";
/// A request that must not reach the datastore; a datastore would complain that it has no tag.
pub(super) const BEHIND_THE_END: &[u8] = b"get a\r\n";
/// What breaks the protocol. memcached says nothing to it.
pub(super) const BAD: &[(&[u8], &str)] = &[
    (b"POST / HTTP/1.1\r\n", ""),
    (&[b'x'; 9000], ""),
    (&[b' '; 9000], ""),
];

const BAD_LINE: &[u8] = b"CLIENT_ERROR bad command line format\r\n";

impl Client {
    fn name(&mut self, family: char) -> String {
        format!("{family}{}", self.random.below(4))
    }

    /// The key of the request to be made next.
    fn key(&mut self, family: char) -> String {
        let name = self.name(family);
        tag::key(&name, (self.number, self.seq))
    }

    /// A value that names its writer.
    fn value(&mut self) -> Vec<u8> {
        let mut value = tag::text((self.number, self.seq)).into_bytes();
        let n = match self.random.chance(100) {
            true => self.longest,
            false => 5,
        };
        value.resize(value.len() + self.random.below(n), b'x');
        value
    }

    fn exptime(&mut self) -> i64 {
        self.random.pick(&[0, 0, 0, 100, 1, -1, 1_800_000_000])
    }

    /// Makes a request of these words and a value; one of four wants no reply, if it may.
    fn ask(&mut self, words: &str, value: Option<&[u8]>, may_be_silent: bool) {
        let silent = may_be_silent && self.random.chance(250);
        let mut bytes = words.as_bytes().to_vec();
        if silent {
            bytes.extend_from_slice(b" noreply");
        }
        let end = self.random.pick(&["\r\n", "\r\n", "\r\n", "\n", "  \r\n"]);
        bytes.extend_from_slice(end.as_bytes());
        if let Some(value) = value {
            bytes.extend_from_slice(value);
            bytes.extend_from_slice(b"\r\n");
        }
        let answer = match silent {
            true => Answer::Silence,
            false => Answer::OfStore,
        };
        self.queue(&bytes, answer, false);
    }

    pub(super) fn make_memcache(&mut self) {
        let kind = self.random.below(24);
        let family = if matches!(kind, 14..=16) { 'n' } else { 's' };
        let key = self.key(family);
        let value = self.value();
        let (n, exptime, flags) = (value.len(), self.exptime(), self.random.below(9));
        match kind {
            0..=4 => self.ask(
                &format!("set {key} {flags} {exptime} {n}"),
                Some(&value),
                true,
            ),
            5 => {
                let verb = self.random.pick(&["add", "replace", "append", "prepend"]);
                self.ask(
                    &format!("{verb} {key} {flags} {exptime} {n}"),
                    Some(&value),
                    true,
                );
            }
            6..=8 => {
                let verb = self.random.pick(&["get", "gets"]);
                self.ask(&format!("{verb} {key}"), None, false);
            }
            9..=11 => {
                let verb = self.random.pick(&["get", "gets", "gat", "gats"]);
                let mut words = verb.to_string();
                if verb.starts_with("ga") {
                    words += &format!(" {exptime}");
                }
                for _ in 0..self.random.between(2, 6) {
                    words += &format!(" {}", self.key('s'));
                }
                self.ask(&words, None, false);
            }
            12..=13 => {
                let name = self.name('s');
                let key = tag::key(&name, (self.number, self.seq));
                let unique = self.versions.get(&name).copied().unwrap_or(flags as u64);
                let words = format!("cas {key} {flags} {exptime} {n} {unique}");
                self.ask(&words, Some(&value), true);
            }
            14 => {
                let number = self.random.below(1000).to_string();
                let words = format!("set {key} 0 0 {}", number.len());
                self.ask(&words, Some(number.as_bytes()), true);
            }
            15..=16 => {
                let verb = self.random.pick(&["incr", "decr"]);
                self.ask(&format!("{verb} {key} {flags}"), None, true);
            }
            17 => self.ask(&format!("touch {key} {exptime}"), None, true),
            18 => self.ask(&format!("delete {key}"), None, true),
            19..=20 => {
                let (words, value) = self.meta(false);
                self.ask(&words, value.as_deref(), false);
            }
            21 => {
                for _ in 0..self.random.between(1, 4) {
                    let (words, value) = self.meta(true);
                    let mut bytes = format!("{words}\r\n").into_bytes();
                    if let Some(value) = value {
                        bytes.extend_from_slice(&[&value[..], b"\r\n"].concat());
                    }
                    self.queue(&bytes, Answer::Quiet, false);
                }
                self.queue(b"mn\r\n", Answer::Exactly(b"MN\r\n".to_vec()), false);
            }
            _ => self.make_odd_memcache(&key),
        }
    }

    /// The line and the value of a meta command.
    fn meta(&mut self, quiet: bool) -> (String, Option<Vec<u8>>) {
        let verb = self.random.pick(&["mg", "ms", "md", "ma"]);
        let mut key = self.key(if verb == "ma" { 'n' } else { 's' });
        let is_base64 = self.random.chance(200);
        if is_base64 {
            key = to_base64(key.as_bytes());
        }
        let value = (verb == "ms").then(|| self.value());
        let mut words = format!("{verb} {key}");
        if let Some(value) = &value {
            words += &format!(" {}", value.len());
        }
        let exptime = self.exptime();
        let choices: &[&str] = match verb {
            "mg" => &["v", "f", "s", "t", "c", "k", "T"],
            "ms" => &["k", "c", "T", "F7", "M", "C1"],
            "md" => &["k", "C1"],
            _ => &["v", "k", "c", "M", "D3", "N0 J5"],
        };
        for choice in choices {
            // The reply does not show whether an item was created.
            if !self.random.chance(300) || quiet && *choice == "N0 J5" {
                continue;
            }
            words += " ";
            words += &match (*choice, verb) {
                ("T", _) => format!("T{exptime}"),
                ("M", "ms") => format!("M{}", self.random.pick(&["E", "A", "P", "R", "S"])),
                ("M", _) => format!("M{}", self.random.pick(&["I", "D"])),
                _ => choice.to_string(),
            };
        }
        if is_base64 {
            words += " b";
        }
        words += &format!(" O{}", tag::text((self.number, self.seq)));
        if quiet {
            words += " q";
        }
        (words, value)
    }

    /// Makes a request that the node answers itself, or of an unusual form.
    fn make_odd_memcache(&mut self, key: &str) {
        let (request, answer): (String, &[u8]) = match self.random.below(9) {
            0 => ("mn\r\n".into(), b"MN\r\n"),
            1 => (format!("nosuch {key}\r\n"), b"ERROR\r\n"),
            2 => (format!("get {}\r\n", "k".repeat(251)), BAD_LINE),
            3 => (
                format!("set {key} 0 0 3\r\nabcde"),
                b"CLIENT_ERROR bad data chunk\r\n",
            ),
            4 => (
                "flush_all\r\n".into(),
                b"CLIENT_ERROR flush_all is disabled; start the nodes with DYNOMITE_ENABLE_FLUSH=1 to enable it\r\n",
            ),
            5 => ("verbosity 1\r\n".into(), b"OK\r\n"),
            6 => ("\r\n".into(), b"ERROR\r\n"),
            7 => {
                let answer = Answer::Told(b"VERSION 1.6.18\r\n");
                return self.queue(b"version\r\n", answer, false);
            }
            _ => {
                let line = format!("delete {key} 0 noreply\r\n");
                return self.queue(line.as_bytes(), Answer::Silence, false);
            }
        };
        self.queue(request.as_bytes(), Answer::Exactly(answer.to_vec()), false);
    }
}
