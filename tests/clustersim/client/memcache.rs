//! What a client of memcached asks for.

use super::Client;
use crate::clustersim::judge::{Asked, Hearing, What};
use crate::clustersim::tag;
use crate::clustersim::versions::NOBODYS;

impl Client {
    fn exptime(&mut self) -> i64 {
        self.random.pick(&[0, 0, 0, 0, 1000, 2, -1, 1_800_000_000])
    }

    /// A value that names its writer.
    fn value(&mut self) -> Vec<u8> {
        let mut value = tag::text((self.number, self.seq)).into_bytes();
        value.resize(value.len() + self.random.below(self.longest), b'x');
        value
    }

    /// Makes a request: its words behind the key, and its value.
    fn ask(
        &mut self,
        what: What,
        verb: &'static str,
        names: &[String],
        words: &str,
        value: Option<&[u8]>,
        hearing: Hearing,
    ) {
        let tag = (self.number, self.seq);
        let keys: Vec<String> = names.iter().map(|name| tag::key(name, tag)).collect();
        let keys = keys.join(" ");
        let mut line = match verb {
            "gat" | "gats" => format!("{verb} {words} {keys}"),
            _ => format!("{verb} {keys} {words}"),
        };
        line = line.trim_end().to_string();
        match (verb.len(), hearing) {
            (2, Hearing::Quiet) => line += &format!(" q O{}", tag::text(tag)),
            (2, _) if self.random.chance(300) => line += &format!(" O{} k", tag::text(tag)),
            (_, Hearing::Silent) => line += " noreply",
            _ => {}
        }
        let mut bytes = format!("{line}\r\n").into_bytes();
        if let Some(value) = value {
            bytes.extend_from_slice(&[value, b"\r\n"].concat());
        }
        let asked = Asked {
            tag,
            what,
            names: names.to_vec(),
            level: self.levels[usize::from(what.is_write())],
            verb,
            unique: match what {
                What::Cas => self.known.get(&names[0]).copied().unwrap_or(NOBODYS),
                _ => 0,
            },
            hearing,
        };
        self.queue(&bytes, asked);
    }

    /// A name of a family: some are this client's own, so that no other client changes its item.
    fn name(&mut self, family: char) -> String {
        let at = self.random.below(self.names);
        match family == 's' && self.random.chance(300) {
            true => format!("o{}x{at}", self.number),
            false => format!("{family}{at}"),
        }
    }

    pub(super) fn make_memcache(&mut self) {
        let kind = match self.swaps {
            true => self.random.pick(&[0, 8, 14, 14, 15, 16]),
            false => self.random.below(24),
        };
        let family = if matches!(kind, 11..=13) { 'n' } else { 's' };
        let name = self.name(family);
        let one = [name.clone()];
        let silent = match self.random.chance(200) {
            true => Hearing::Silent,
            false => Hearing::Plain,
        };
        let (value, exptime) = (self.value(), self.exptime());
        let (n, flags) = (value.len(), self.random.below(5));
        match kind {
            0..=3 => {
                let words = format!("{flags} {exptime} {n}");
                self.ask(What::Store, "set", &one, &words, Some(&value), silent);
            }
            4 => {
                let verb = self.random.pick(&["add", "replace", "append", "prepend"]);
                let words = format!("{flags} {exptime} {n}");
                self.ask(What::Store, verb, &one, &words, Some(&value), silent);
            }
            5..=8 => {
                let mut names = one.to_vec();
                for _ in 0..self.random.pick(&[0, 0, 2, 5]) {
                    let name = self.name('s');
                    if !names.contains(&name) {
                        names.push(name);
                    }
                }
                let (what, verb) = self
                    .random
                    .pick(&[(What::Get, "get"), (What::Gets, "gets")]);
                self.ask(what, verb, &names, "", None, Hearing::Plain);
            }
            9 => {
                let verb = self.random.pick(&["gat", "gats"]);
                let names = [one[0].clone(), self.name('n')];
                let words = exptime.to_string();
                self.ask(What::Gat, verb, &names, &words, None, Hearing::Plain);
            }
            10 => match self.random.chance(500) {
                true => self.ask(
                    What::Touch,
                    "touch",
                    &one,
                    &exptime.to_string(),
                    None,
                    silent,
                ),
                false => self.ask(What::Del, "delete", &one, "", None, silent),
            },
            11 => {
                let number = self.random.below(1000).to_string();
                let words = format!("0 0 {}", number.len());
                let number = Some(number.as_bytes());
                self.ask(What::Store, "set", &one, &words, number, silent);
            }
            12 => {
                let verb = self.random.pick(&["incr", "incr", "decr"]);
                self.ask(What::Store, verb, &one, "3", None, silent);
            }
            13 => self.ask(What::Store, "ma", &one, "N0 J5 v", None, Hearing::Plain),
            14..=17 => self.swap(&name, &value, silent),
            18..=20 => self.meta(&name, &value, Hearing::Plain),
            21..=22 => {
                for _ in 0..self.random.between(1, 3) {
                    let (name, value) = (self.name('s'), self.value());
                    self.meta(&name, &value, Hearing::Quiet);
                }
                self.node_answers(What::Barrier, "mn");
            }
            _ => self.node_answers(What::Version, "version"),
        }
    }

    fn node_answers(&mut self, what: What, verb: &'static str) {
        self.ask(what, verb, &[], "", None, Hearing::Plain);
    }

    /// Asks for a version, or swaps by the one it knows.
    fn swap(&mut self, name: &str, value: &[u8], silent: Hearing) {
        let mut one = [name.to_string()];
        if !self.known.is_empty() && self.random.chance(900) {
            let at = self.random.below(self.known.len());
            one = [self.known.keys().nth(at).cloned().unwrap_or_default()];
        }
        let name = &one[0];
        let known = self.known.get(name).copied();
        if known.is_none() && self.random.chance(900) {
            return self.ask(What::Gets, "gets", &one, "", None, Hearing::Plain);
        }
        let unique = known.unwrap_or(NOBODYS);
        let n = value.len();
        match self.random.chance(700) {
            true => {
                let words = format!("1 0 {n} {unique}");
                self.ask(What::Cas, "cas", &one, &words, Some(value), silent);
            }
            false => {
                let words = format!("{n} C{unique} F1");
                self.ask(What::Cas, "ms", &one, &words, Some(value), Hearing::Plain);
            }
        }
        if self.random.chance(800) {
            self.known.remove(&one[0]);
        }
    }

    /// Makes a meta command.
    fn meta(&mut self, name: &str, value: &[u8], hearing: Hearing) {
        let one = [name.to_string()];
        let (exptime, n) = (self.exptime(), value.len());
        match self.random.below(5) {
            0 => self.ask(What::Get, "mg", &one, "v f", None, hearing),
            1 => self.ask(What::Gets, "mg", &one, "v f c", None, hearing),
            2 => self.ask(
                What::Gat,
                "mg",
                &one,
                &format!("v f T{exptime}"),
                None,
                hearing,
            ),
            3 => {
                let mode = self.random.pick(&["", "", " ME", " MR", " MA"]);
                let words = format!("{n} F3 T{exptime}{mode}");
                self.ask(What::Store, "ms", &one, &words, Some(value), hearing);
            }
            _ => self.ask(What::Del, "md", &one, "", None, hearing),
        }
    }
}
