//! A client of memcached's text protocol that sends and sees bytes.

use super::{Client, Transcript, shown};
use std::io;

/// A connection to the program in front of a memcached, or to a memcached.
#[derive(Debug)]
pub struct TextClient(Client);

impl TextClient {
    /// Speaks the protocol over this connection.
    pub fn over(client: Client) -> TextClient {
        TextClient(client)
    }

    /// The connection below.
    pub fn raw(&mut self) -> &mut Client {
        &mut self.0
    }

    /// Sends bytes.
    #[track_caller]
    pub fn send(&mut self, bytes: &[u8]) {
        self.0.send(bytes);
    }

    /// Sends a line and returns its reply. In the line `\r\n` may stand in front of a data block.
    #[track_caller]
    pub fn ask(&mut self, line: &str) -> Vec<u8> {
        self.send(line.as_bytes());
        self.send(b"\r\n");
        self.reply()
    }

    /// Asks, and compares the reply.
    #[track_caller]
    pub fn expect(&mut self, line: &str, reply: &str) {
        assert_eq!(shown(&self.ask(line)), shown(reply.as_bytes()), "{line}");
    }

    /// Compares the next reply.
    #[track_caller]
    pub fn expect_reply(&mut self, reply: &str) {
        assert_eq!(shown(&self.reply()), shown(reply.as_bytes()));
    }

    /// Stores a value under a key, without flags, for ever.
    #[track_caller]
    pub fn set(&mut self, key: &str, value: &str) {
        let line = format!("set {key} 0 0 {}\r\n{value}", value.len());
        self.expect(&line, "STORED\r\n");
    }

    /// The `cas` id of a key, from `gets`.
    #[track_caller]
    pub fn cas_id(&mut self, key: &str) -> u64 {
        let reply = self.ask(&format!("gets {key}"));
        let text = String::from_utf8_lossy(&reply);
        let first = text.lines().next().unwrap_or_default();
        let id = first.split(' ').nth(4).and_then(|word| word.parse().ok());
        id.unwrap_or_else(|| panic!("gets {key}: {}", shown(&reply)))
    }

    /// The bytes of the next reply: a line, or several lines up to `END`, with their data.
    #[track_caller]
    pub fn reply(&mut self) -> Vec<u8> {
        match self.try_reply() {
            Ok(Some(reply)) => reply,
            Ok(None) => panic!("closed where a reply was expected"),
            Err(error) => panic!("no reply: {error}"),
        }
    }

    /// The bytes of the next reply; `None` if the connection is closed in front of it.
    pub fn try_reply(&mut self) -> io::Result<Option<Vec<u8>>> {
        let mut reply = Vec::new();
        loop {
            let start = reply.len();
            if !self.0.read_line(&mut reply)? {
                return match start {
                    0 => Ok(None),
                    _ => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
            let line = String::from_utf8_lossy(&reply[start..]).into_owned();
            // A key may hold a tab.
            let mut words = line.trim_end_matches(['\r', '\n']).split(' ');
            let first = words.next();
            let len = match first {
                Some("VALUE") => words.nth(2),
                Some("VA") => words.next(),
                Some("STAT") => continue,
                _ => return Ok(Some(reply)),
            };
            let Some(len) = len.and_then(|text| text.parse::<usize>().ok()) else {
                return Ok(Some(reply));
            };
            reply.extend(self.0.try_take(len + 2)?);
            if first == Some("VA") {
                return Ok(Some(reply));
            }
        }
    }

    /// Everything up to the answer to a request of our own sent behind what was sent before, or
    /// until the connection is closed.
    pub fn transcript(&mut self) -> io::Result<Transcript> {
        self.0
            .transcript_up_to(b"md is-it-still-open Oyes\r\n", b"NF Oyes\r\n")
    }

    /// That nothing has been said, and the connection works.
    #[track_caller]
    pub fn expect_open(&mut self) {
        self.expect("md is-it-open Oopen", "NF Oopen\r\n");
    }

    /// Breaks the connection: the other side sees a reset.
    pub fn abort(self) {
        self.0.abort();
    }
}

/// The reply to `get`, or `gat`, of one key that holds this value without flags.
pub fn value(key: &str, value: &str) -> String {
    values(&[(key, value)])
}

/// The reply to `get` of several keys.
pub fn values(found: &[(&str, &str)]) -> String {
    let mut reply = String::new();
    for (key, value) in found {
        reply += &format!("VALUE {key} 0 {}\r\n{value}\r\n", value.len());
    }
    reply + "END\r\n"
}

/// A reply without what differs from one memcached to the next: `cas` ids, and the times that meta
/// commands tell.
pub fn without_ids(reply: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut rest = reply;
    while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
        let (line, after) = rest.split_at(end + 1);
        let text = line.trim_ascii_end();
        let words: Vec<&[u8]> = text.split(|&byte| byte == b' ').collect();
        for (n, word) in words.iter().enumerate() {
            if n > 0 {
                out.push(b' ');
            }
            let masked = match words[0] {
                b"VALUE" => n == 4,
                b"VA" => n > 1 && tells_id_or_time(word),
                b"HD" => n > 0 && tells_id_or_time(word),
                _ => false,
            };
            out.extend_from_slice(if masked { b"#" } else { word });
        }
        out.extend_from_slice(&line[text.len()..]);
        let len = match words[0] {
            b"VALUE" => words.get(3),
            b"VA" => words.get(1),
            _ => None,
        };
        let len = len
            .and_then(|word| std::str::from_utf8(word).ok()?.parse::<usize>().ok())
            .map_or(0, |len| (len + 2).min(after.len()));
        let (data, behind) = after.split_at(len);
        out.extend_from_slice(data);
        rest = behind;
    }
    out.extend_from_slice(rest);
    out
}

fn tells_id_or_time(flag: &[u8]) -> bool {
    matches!(flag, [b'c' | b't' | b'l', digits @ ..] if !digits.is_empty() && digits.iter().all(u8::is_ascii_digit))
}
