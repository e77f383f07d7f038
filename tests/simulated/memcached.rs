//! A memcached, as simple as can be: what it understands, what it keeps and what it says, after
//! memcached's `protocol.txt` and what memcached 1.6.18 was seen to answer.
//!
//! It is strict about form: what a node sends has to be canonical, so anything else is an error of the
//! node's and none of the client's.

use std::collections::HashMap;

/// Longest time that counts from now, in seconds.
pub const LONGEST_RELATIVE: i64 = 30 * 24 * 60 * 60;
/// Longest line that memcached takes in pieces, `get` and `gets` apart.
const LONGEST_LINE: usize = 2048;
const NOT_A_NUMBER: &str = "CLIENT_ERROR cannot increment or decrement non-numeric value";

/// A request that was read.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub verb: String,
    /// As they were sent, but not in base64.
    pub keys: Vec<Vec<u8>>,
    /// The words behind the key, or in front of several keys: numbers, or flags of a meta command.
    pub words: Vec<String>,
    pub data: Option<Vec<u8>>,
    /// It has `noreply`, or the flag `q`.
    pub quiet: bool,
}

/// What became of one key of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    Stored,
    NotStored,
    Exists,
    NotFound,
    Deleted,
    Touched,
    Number(u64),
    Value {
        flags: u32,
        data: Vec<u8>,
    },
    Miss,
    /// An error line, without its end.
    Error(String),
}

/// An outcome, and the properties of the item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub outcome: Outcome,
    /// Its version; 0 if there is none, or the reply has none.
    pub unique: u64,
    /// Seconds that are left of its life.
    pub left: i64,
}

impl From<Outcome> for Answer {
    fn from(outcome: Outcome) -> Answer {
        Answer {
            outcome,
            unique: 0,
            left: -1,
        }
    }
}

impl Outcome {
    /// Returns true if the item is there, or the change is done.
    fn is_done(&self) -> bool {
        use Outcome::*;
        matches!(self, Stored | Deleted | Touched | Number(_) | Value { .. })
    }

    /// Returns true if a client that asked with `q` gets no reply.
    pub fn is_nominal(&self, verb: &str) -> bool {
        match verb {
            "mg" => *self == Outcome::Miss,
            _ => self.is_done(),
        }
    }
}

/// Where the first line of `bytes` ends, CR LF included.
fn line_end(bytes: &[u8]) -> Option<usize> {
    let at = bytes.iter().position(|byte| *byte == b'\n')?;
    Some(at + 1)
}

fn base64(text: &str) -> Option<Vec<u8>> {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let (mut bits, mut count, mut out) = (0u32, 0, Vec::new());
    for byte in text.trim_end_matches('=').bytes() {
        bits = bits << 6 | digits.iter().position(|digit| *digit == byte)? as u32;
        count += 6;
        if count >= 8 {
            count -= 8;
            out.push((bits >> count) as u8);
        }
    }
    Some(out)
}

/// Some bytes in base64.
pub fn to_base64(bytes: &[u8]) -> String {
    let digits = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::new();
    for part in bytes.chunks(3) {
        let all = part
            .iter()
            .fold(0u32, |all, byte| all << 8 | u32::from(*byte));
        let all = all << (8 * (3 - part.len()));
        for place in 0..4 {
            match place <= part.len() {
                true => out.push(digits[(all >> (18 - 6 * place)) as usize & 63] as char),
                false => out.push('='),
            }
        }
    }
    out
}

/// The first request in `bytes`, and its length.
pub fn request(bytes: &[u8]) -> Result<Option<(Request, usize)>, String> {
    let Some(end) = line_end(bytes) else {
        return match bytes.len() > 1 << 20 {
            true => Err("a line without an end".into()),
            false => Ok(None),
        };
    };
    let line = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let wrong = |why: &str| format!("{why}: {:?}", line.chars().take(80).collect::<String>());
    let text = line.strip_suffix("\r\n").ok_or_else(|| wrong("no CR"))?;
    let mut words = text.split(' ');
    let verb = words.next().unwrap_or_default().to_string();
    let mut words: Vec<String> = words.map(String::from).collect();
    if words.iter().any(|word| word.is_empty() || word.len() > 250) {
        return Err(wrong("blanks or long words"));
    }
    if end > LONGEST_LINE && !matches!(verb.as_str(), "get" | "gets") {
        return Err(wrong("a long line"));
    }
    let is_meta = matches!(verb.as_str(), "mg" | "ms" | "md" | "ma");
    let mut request = Request::default();
    let count = match verb.as_str() {
        "get" | "gets" => words.len(),
        "gat" | "gats" => words.len().saturating_sub(1),
        "version" => 0,
        _ => 1,
    };
    if words.len() < count || count == 0 && verb != "version" {
        return Err(wrong("no key"));
    }
    let first = usize::from(matches!(verb.as_str(), "gat" | "gats"));
    let keys: Vec<String> = words.drain(first..first + count).collect();
    let unwanted = if is_meta { "q" } else { "noreply" };
    let before = words.len();
    words.retain(|word| word != unwanted);
    request.quiet = words.len() < before;
    let (least, length) = match verb.as_str() {
        "get" | "gets" | "delete" | "version" => (0..=0, None),
        "gat" | "gats" | "incr" | "decr" | "touch" => (1..=1, None),
        "set" | "add" | "replace" | "append" | "prepend" => (3..=3, words.get(2)),
        "cas" => (4..=4, words.get(2)),
        "ms" => (1..=17, words.first()),
        "mg" | "md" | "ma" => (0..=17, None),
        _ => return Err(wrong("an unknown command")),
    };
    if !least.contains(&words.len()) {
        return Err(wrong("another number of words"));
    }
    let mut length_in_all = end;
    if let Some(length) = length {
        let length: usize = length.parse().map_err(|_| wrong("no length"))?;
        length_in_all = end + length + 2;
        let Some(data) = bytes.get(end..length_in_all) else {
            return Ok(None);
        };
        if !data.ends_with(b"\r\n") {
            return Err(wrong("a value does not end where it should"));
        }
        request.data = Some(data[..length].to_vec());
    }
    let numbers = if is_meta { 0 } else { words.len() };
    if words[..numbers]
        .iter()
        .any(|word| word.parse::<i128>().is_err())
    {
        return Err(wrong("no number"));
    }
    let is_base64 = is_meta && words.iter().any(|word| word == "b");
    for key in keys {
        request.keys.push(match is_base64 {
            true => base64(&key).ok_or_else(|| wrong("no base64"))?,
            false => key.into_bytes(),
        });
    }
    if verb == "ms" {
        words.remove(0);
    }
    request.verb = verb;
    request.words = words;
    Ok(Some((request, length_in_all)))
}

impl Request {
    /// What stands behind the letter of a flag.
    pub fn token(&self, letter: char) -> Option<&str> {
        self.words.iter().find_map(|word| word.strip_prefix(letter))
    }

    fn number(&self, at: usize) -> i64 {
        self.words
            .get(at)
            .and_then(|word| word.parse().ok())
            .unwrap_or_default()
    }

    /// The expiration time it has, if it has one.
    pub fn exptime(&self) -> Option<i64> {
        match self.verb.as_str() {
            "gat" | "gats" | "touch" => Some(self.number(0)),
            "set" | "add" | "replace" | "cas" => Some(self.number(1)),
            "mg" | "ms" => self.token('T').and_then(|token| token.parse().ok()),
            "ma" => self.token('N').and_then(|token| token.parse().ok()),
            _ => None,
        }
    }
}

#[derive(Clone, Debug)]
struct Item {
    flags: u32,
    data: Vec<u8>,
    unique: u64,
    /// In seconds since the Unix epoch.
    expires: Option<u64>,
}

/// What one memcached keeps.
#[derive(Default)]
pub struct Memcached {
    items: HashMap<String, Item>,
    changes: u64,
    now: u64,
}

impl Memcached {
    /// Runs a request at a time in seconds since the Unix epoch. `name` says under what a key is kept.
    /// Returns an answer for each key.
    pub fn run(
        &mut self,
        request: &Request,
        now: u64,
        name: impl Fn(&[u8]) -> String,
    ) -> Vec<Answer> {
        self.now = now;
        let names = request.keys.iter().map(|key| name(key));
        names.map(|name| self.one(request, &name)).collect()
    }

    /// Sets a value behind everybody's back.
    pub fn put(&mut self, name: &str, value: &str) {
        self.store(name, 0, value.into(), None);
    }

    /// The value and the flags under a name, if it has not expired at a time.
    pub fn peek(&self, name: &str, now: u64) -> Option<(u32, &[u8])> {
        let item = self.items.get(name)?;
        let lives = item.expires.is_none_or(|at| at > now);
        lives.then_some((item.flags, item.data.as_slice()))
    }

    fn store(&mut self, name: &str, flags: u32, data: Vec<u8>, expires: Option<u64>) -> Answer {
        self.changes += 1;
        let unique = self.changes;
        let item = Item {
            flags,
            data,
            unique,
            expires,
        };
        self.items.insert(name.into(), item);
        Answer {
            unique,
            ..Outcome::Stored.into()
        }
    }

    /// When something expires that has this time.
    fn moment(&self, exptime: i64) -> Option<u64> {
        match exptime {
            0 => None,
            ..0 => Some(0),
            _ if exptime <= LONGEST_RELATIVE => Some(self.now + exptime as u64),
            _ => Some(exptime as u64),
        }
    }

    fn one(&mut self, request: &Request, name: &str) -> Answer {
        let now = self.now;
        if self
            .items
            .get(name)
            .and_then(|item| item.expires)
            .is_some_and(|at| at <= now)
        {
            self.items.remove(name);
        }
        let found = self.items.get(name).cloned();
        let expires = request.exptime().map(|exptime| self.moment(exptime));
        let data = request.data.clone().unwrap_or_default();
        match request.verb.as_str() {
            "get" | "gets" | "gat" | "gats" | "mg" => {
                let Some(item) = found else {
                    return Outcome::Miss.into();
                };
                if let (Some(expires), Some(item)) = (expires, self.items.get_mut(name)) {
                    item.expires = expires;
                }
                let left = item.expires.map_or(-1, |at| (at - now) as i64);
                Answer {
                    outcome: Outcome::Value {
                        flags: item.flags,
                        data: item.data,
                    },
                    unique: item.unique,
                    left,
                }
            }
            "touch" => match self.items.get_mut(name) {
                Some(item) => {
                    item.expires = expires.flatten();
                    Outcome::Touched.into()
                }
                None => Outcome::NotFound.into(),
            },
            "delete" | "md" => {
                let Some(item) = found else {
                    return Outcome::NotFound.into();
                };
                if compared(request).is_some_and(|unique| unique != item.unique) {
                    return Outcome::Exists.into();
                }
                self.items.remove(name);
                Outcome::Deleted.into()
            }
            "incr" | "decr" | "ma" => self.add(request, name, found, expires.flatten()),
            _ => {
                let (mode, flags) = match request.verb.as_str() {
                    "ms" => (
                        request.token('M').unwrap_or("S").to_ascii_uppercase(),
                        request
                            .token('F')
                            .and_then(|token| token.parse().ok())
                            .unwrap_or(0),
                    ),
                    verb => (verb.to_string(), request.number(0) as u32),
                };
                let expires = expires.flatten();
                match (mode.as_str(), found, compared(request)) {
                    ("cas" | "S", None, Some(_)) => Outcome::NotFound.into(),
                    ("cas" | "S", Some(item), Some(unique)) if unique != item.unique => {
                        Outcome::Exists.into()
                    }
                    ("add" | "E", Some(_), _) => Outcome::NotStored.into(),
                    ("replace" | "R" | "append" | "A" | "prepend" | "P", None, _) => {
                        Outcome::NotStored.into()
                    }
                    ("append" | "A", Some(item), _) => {
                        let data = [item.data, data].concat();
                        self.store(name, item.flags, data, item.expires)
                    }
                    ("prepend" | "P", Some(item), _) => {
                        let data = [data, item.data].concat();
                        self.store(name, item.flags, data, item.expires)
                    }
                    _ => self.store(name, flags, data, expires),
                }
            }
        }
    }

    fn add(
        &mut self,
        request: &Request,
        name: &str,
        found: Option<Item>,
        expires: Option<u64>,
    ) -> Answer {
        let is_meta = request.verb == "ma";
        let Some(item) = found else {
            if !is_meta || request.token('N').is_none() {
                return Outcome::NotFound.into();
            }
            let initial = request
                .token('J')
                .and_then(|token| token.parse().ok())
                .unwrap_or(0u64);
            let Answer { unique, .. } = self.store(name, 0, initial.to_string().into(), expires);
            return Answer {
                unique,
                ..Outcome::Number(initial).into()
            };
        };
        if is_meta && compared(request).is_some_and(|unique| unique != item.unique) {
            return Outcome::Exists.into();
        }
        let text = String::from_utf8_lossy(&item.data).into_owned();
        let Ok(old) = text.trim_end_matches(' ').parse::<u64>() else {
            return Outcome::Error(NOT_A_NUMBER.into()).into();
        };
        let delta: u64 = match is_meta {
            true => request
                .token('D')
                .and_then(|token| token.parse().ok())
                .unwrap_or(1),
            false => request.words[0].parse().unwrap_or(0),
        };
        let down = request.verb == "decr" || matches!(request.token('M'), Some("D" | "-"));
        let new = match down {
            true => old.saturating_sub(delta),
            false => old.wrapping_add(delta),
        };
        // A value never gets shorter.
        let text = format!("{new:<width$}", width = item.data.len());
        let Answer { unique, .. } = self.store(name, item.flags, text.into(), item.expires);
        Answer {
            unique,
            ..Outcome::Number(new).into()
        }
    }
}

/// The version that a request compares with.
fn compared(request: &Request) -> Option<u64> {
    match request.verb.as_str() {
        "cas" => request.words[3].parse().ok(),
        "ms" | "md" | "ma" => request.token('C')?.parse().ok(),
        _ => None,
    }
}

/// The words memcached has for these answers to a request. Nothing for what it is to be quiet about.
pub fn reply(request: &Request, answers: &[Answer]) -> Vec<u8> {
    let verb = request.verb.as_str();
    let is_meta = matches!(verb, "mg" | "ms" | "md" | "ma");
    if request.quiet && (!is_meta || answers[0].outcome.is_nominal(verb)) {
        return Vec::new();
    }
    if verb == "version" {
        return b"VERSION 1.6.18\r\n".to_vec();
    }
    if let "get" | "gets" | "gat" | "gats" = verb {
        let mut out = Vec::new();
        for (key, answer) in request.keys.iter().zip(answers) {
            let Outcome::Value { flags, data } = &answer.outcome else {
                continue;
            };
            out.extend_from_slice(b"VALUE ");
            out.extend_from_slice(key);
            out.extend_from_slice(format!(" {flags} {}", data.len()).as_bytes());
            if verb.ends_with('s') {
                out.extend_from_slice(format!(" {}", answer.unique).as_bytes());
            }
            out.extend_from_slice(&[b"\r\n", data.as_slice(), b"\r\n"].concat());
        }
        out.extend_from_slice(b"END\r\n");
        return out;
    }
    let answer = &answers[0];
    let mut line = match &answer.outcome {
        Outcome::Error(line) => return format!("{line}\r\n").into_bytes(),
        _ if is_meta => return meta_reply(request, answer),
        Outcome::Stored => "STORED".into(),
        Outcome::NotStored => "NOT_STORED".into(),
        Outcome::Exists => "EXISTS".into(),
        Outcome::NotFound | Outcome::Miss => "NOT_FOUND".into(),
        Outcome::Deleted => "DELETED".into(),
        Outcome::Touched => "TOUCHED".into(),
        Outcome::Number(n) => n.to_string(),
        Outcome::Value { .. } => String::new(),
    };
    line += "\r\n";
    line.into_bytes()
}

fn meta_reply(request: &Request, answer: &Answer) -> Vec<u8> {
    let with_value = request.words.iter().any(|word| word == "v");
    let data = match &answer.outcome {
        Outcome::Value { data, .. } if with_value => Some(data.clone()),
        Outcome::Number(n) if with_value => Some(n.to_string().into_bytes()),
        _ => None,
    };
    let mut line = match (&answer.outcome, &data) {
        (_, Some(data)) => format!("VA {}", data.len()),
        (Outcome::Miss, _) => "EN".into(),
        (Outcome::NotStored, _) => "NS".into(),
        (Outcome::Exists, _) => "EX".into(),
        (Outcome::NotFound, _) => "NF".into(),
        _ => "HD".into(),
    };
    let is_base64 = request.words.iter().any(|word| word == "b");
    for word in &request.words {
        match (word.as_bytes()[0], &answer.outcome) {
            (b'O', _) => line += &format!(" {word}"),
            (b'k', _) if is_base64 => line += &format!(" k{}", to_base64(&request.keys[0])),
            (b'k', _) => line += &format!(" k{}", String::from_utf8_lossy(&request.keys[0])),
            (b'b', _) => line += " b",
            (b'f', Outcome::Value { flags, .. }) => line += &format!(" f{flags}"),
            (b's', Outcome::Value { data, .. }) => line += &format!(" s{}", data.len()),
            (b't', Outcome::Value { .. }) => line += &format!(" t{}", answer.left),
            (b'c', Outcome::Value { .. } | Outcome::Number(_)) => {
                line += &format!(" c{}", answer.unique);
            }
            (b'c', _) if request.verb == "ms" => line += &format!(" c{}", answer.unique),
            _ => {}
        }
    }
    let mut out = line.into_bytes();
    out.extend_from_slice(b"\r\n");
    if let Some(data) = data {
        out.extend_from_slice(&data);
        out.extend_from_slice(b"\r\n");
    }
    out
}

/// How long the first reply in `bytes` is; `None` if it is not complete.
pub fn delimit(bytes: &[u8]) -> Result<Option<usize>, String> {
    let mut at = 0;
    loop {
        let Some(end) = line_end(&bytes[at..]) else {
            return Ok(None);
        };
        let line = String::from_utf8_lossy(&bytes[at..at + end]).into_owned();
        let first = at == 0;
        at += end;
        let text = line
            .strip_suffix("\r\n")
            .ok_or_else(|| format!("a line without CR: {line:?}"))?;
        let words: Vec<&str> = text.split(' ').collect();
        let place = match words[0] {
            "VALUE" => 3,
            "VA" if first => 1,
            "END" => return Ok(Some(at)),
            word if !is_known(word) => return Err(format!("no reply: {text:?}")),
            _ if first => return Ok(Some(at)),
            _ => return Err(format!("behind values stands {text:?}")),
        };
        let length = words.get(place).and_then(|word| word.parse::<usize>().ok());
        at += length.ok_or_else(|| format!("no length: {text:?}"))? + 2;
        if at > bytes.len() {
            return Ok(None);
        }
        if &bytes[at - 2..at] != b"\r\n" {
            return Err(format!("a value does not end where it should: {text:?}"));
        }
        if place == 1 {
            return Ok(Some(at));
        }
    }
}

fn is_known(word: &str) -> bool {
    let words = "STORED NOT_STORED EXISTS NOT_FOUND DELETED TOUCHED ERROR CLIENT_ERROR SERVER_ERROR HD EN NF \
                 NS EX MN OK VERSION";
    words.split(' ').any(|known| known == word) || word.parse::<u64>().is_ok()
}

/// Reads a reply to a request, other than an error line: an answer for each key.
pub fn answers(verb: &str, keys: &[Vec<u8>], bytes: &[u8]) -> Result<Vec<Answer>, String> {
    let end = line_end(bytes).unwrap_or(bytes.len());
    let line = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let text = line.trim_end();
    if is_error(bytes) {
        return Ok(keys
            .iter()
            .map(|_| Outcome::Error(text.into()).into())
            .collect());
    }
    if let "get" | "gets" | "gat" | "gats" = verb {
        return values(keys, bytes);
    }
    let mut words = text.split(' ');
    let word = words.next().unwrap_or_default();
    let flag = |letter: char| {
        text.split(' ')
            .skip(1)
            .find_map(|word| word.strip_prefix(letter))
    };
    let data = &bytes[end..bytes.len().max(end + 2) - 2];
    let number = |text: &str| text.trim().parse::<u64>().ok().map(Outcome::Number);
    let outcome = match (verb, word) {
        ("mg", "VA") => flag('f').and_then(|flags| flags.parse().ok()).map(|flags| {
            let data = data.to_vec();
            Outcome::Value { flags, data }
        }),
        ("ma", "VA") => number(&String::from_utf8_lossy(data)),
        ("incr" | "decr", word) if word.parse::<u64>().is_ok() => number(word),
        ("mg", "EN") => Some(Outcome::Miss),
        ("ms", "HD") => Some(Outcome::Stored),
        ("md", "HD") => Some(Outcome::Deleted),
        ("ms", "NS") => Some(Outcome::NotStored),
        ("ms" | "md" | "ma", "EX") | ("cas", "EXISTS") => Some(Outcome::Exists),
        ("ms" | "md" | "ma", "NF") => Some(Outcome::NotFound),
        ("cas" | "delete" | "touch" | "incr" | "decr", "NOT_FOUND") => Some(Outcome::NotFound),
        ("delete", "DELETED") => Some(Outcome::Deleted),
        ("touch", "TOUCHED") => Some(Outcome::Touched),
        ("set" | "add" | "replace" | "append" | "prepend" | "cas", "STORED") => {
            Some(Outcome::Stored)
        }
        ("add" | "replace" | "append" | "prepend", "NOT_STORED") => Some(Outcome::NotStored),
        _ => None,
    };
    let outcome = outcome.ok_or_else(|| format!("no reply to {verb}: {text:?}"))?;
    Ok(vec![Answer {
        unique: flag('c').and_then(|token| token.parse().ok()).unwrap_or(0),
        ..outcome.into()
    }])
}

/// The values of some keys, of a reply in which they stand in the order of the keys.
fn values(keys: &[Vec<u8>], bytes: &[u8]) -> Result<Vec<Answer>, String> {
    let mut found: Vec<Answer> = Vec::new();
    let mut at = 0;
    loop {
        let end = at + line_end(&bytes[at..]).ok_or("no END")?;
        let line = String::from_utf8_lossy(&bytes[at..end]).into_owned();
        let words: Vec<&str> = line.trim_end().split(' ').collect();
        let Some(key) = words.get(1).filter(|_| words[0] == "VALUE") else {
            while found.len() < keys.len() {
                found.push(Outcome::Miss.into());
            }
            return Ok(found);
        };
        loop {
            let wanted = keys
                .get(found.len())
                .ok_or_else(|| format!("nobody asked for {line:?}"))?;
            if wanted == key.as_bytes() {
                break;
            }
            found.push(Outcome::Miss.into());
        }
        let number = |at: usize| words.get(at).and_then(|word| word.parse::<u64>().ok());
        let length = number(3).ok_or("no length")? as usize;
        let outcome = Outcome::Value {
            flags: number(2).ok_or("no flags")? as u32,
            data: bytes[end..end + length].to_vec(),
        };
        found.push(Answer {
            unique: number(4).unwrap_or(0),
            ..outcome.into()
        });
        at = end + length + 2;
    }
}

/// Returns true if a reply is an error line.
pub fn is_error(reply: &[u8]) -> bool {
    [&b"ERROR\r\n"[..], b"CLIENT_ERROR ", b"SERVER_ERROR "]
        .iter()
        .any(|word| reply.starts_with(word))
}
