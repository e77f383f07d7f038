//! Tests that ask a real memcached and compare.
//!
//! Two of them get the same: one what the client sends, the other what the proxy makes of it. The client has
//! to hear the same from both.

use super::blocks::END;
use super::call::{Body, Call, Quiet, is_suppressed};
use super::errors;
use super::line::{Outcome, read};
use super::request::{Kind, Parser, Status};
use super::test_server::Server;
use std::io::{ErrorKind, Read, Write};

mod lines;
mod matrix;

/// Asked behind everything else, and how that is answered.
const LAST: &[u8] = b"mg the-last-one k\r\n";
const LAST_REPLY: &[u8] = b"EN kthe-last-one\r\n";

/// Returns true if the installed memcached is of the version whose texts this program has. With another one a test that
/// compares texts says so and compares nothing.
fn is_reference() -> bool {
    let version = std::process::Command::new("memcached").arg("-V").output();
    let version = version.expect("memcached must be in PATH for these tests");
    let version = String::from_utf8_lossy(&version.stdout).into_owned();
    let is_reference = version.contains("memcached 1.6.18");
    if !is_reference {
        eprintln!("not compared with memcached 1.6.18: installed is {version}");
    }
    is_reference
}

/// What a memcached says to these bytes on a new connection, and whether it closes that.
fn hear(server: &Server, bytes: &[u8]) -> Heard {
    let mut stream = server.connect();
    // It may close before it has read everything.
    let _ = stream.write_all(bytes);
    let _ = stream.write_all(LAST);
    let mut heard = Heard::default();
    let mut room = vec![0; 1 << 16];
    loop {
        match stream.read(&mut room) {
            Ok(0) => heard.closed = true,
            Ok(n) => heard.reply.extend(&room[..n]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => heard.closed = true,
            Err(error) => panic!("{error}"),
        }
        if let Some(reply) = heard.reply.strip_suffix(LAST_REPLY) {
            heard.reply = reply.to_vec();
            return heard;
        }
        if heard.closed {
            return heard;
        }
    }
}

/// What a client hears.
#[derive(Clone, Default, PartialEq, Eq)]
struct Heard {
    reply: Vec<u8>,
    closed: bool,
}

impl std::fmt::Debug for Heard {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let end = if self.closed { ", closed" } else { "" };
        write!(f, "\"{}\"{end}", self.reply.escape_ascii())
    }
}

/// What the parser makes of a client's bytes, with a memcached behind it.
fn proxied(server: &Server, bytes: &[u8]) -> Heard {
    let mut heard = Heard::default();
    let (mut at, mut parser) = (0, Parser::default());
    let mut say = |text: &[u8], silent: bool| {
        if !silent {
            heard.reply.extend(text);
        }
    };
    let closed = loop {
        let request = match parser.parse(&bytes[at..], 0) {
            Status::Complete(request) => request,
            Status::Incomplete => break false,
            Status::Bad(fatal) => {
                say(&fatal.reply(), false);
                break true;
            }
        };
        let bytes = &bytes[at..at + request.len];
        at += request.len;
        let (line, value) = bytes.split_at(request.line as usize);
        match request.kind {
            Kind::Direct { .. } => say(&ask(server, bytes), false),
            Kind::Line => match read(line) {
                Outcome::Call(call) => say(&call_for(server, &call, value), false),
                Outcome::Answer { text, silent } => say(&text, silent),
                Outcome::Quit => break true,
            },
            Kind::BadChunk { silent } => say(errors::BAD_CHUNK.as_bytes(), silent),
            Kind::TooLarge { silent } => say(errors::TOO_LARGE.as_bytes(), silent),
            Kind::Skipped => {}
        }
    };
    heard.closed = closed;
    heard
}

/// Sends a call, and tells what the client hears of the reply.
fn call_for(server: &Server, call: &Call<'_>, value: &[u8]) -> Vec<u8> {
    if let Body::Get { keys, .. } = &call.body {
        let mut rest = keys.as_slice();
        let mut joined = Vec::new();
        for part in call.fitting(keys.iter().copied()) {
            let (now, later) = rest.split_at(part);
            rest = later;
            let reply = one_for(server, &call.with_keys(now.to_vec()), value);
            joined.extend(reply.strip_suffix(END).expect("values"));
        }
        return [&joined, END].concat();
    }
    one_for(server, call, value)
}

/// The same for a call that memcached takes in one line.
fn one_for(server: &Server, call: &Call<'_>, value: &[u8]) -> Vec<u8> {
    let mut canonical = Vec::new();
    call.encode(&mut canonical);
    let unbound = call.command.name.starts_with("get");
    assert!(unbound || canonical.len() <= super::line::MAX_SENT);
    canonical.extend(value);
    let reply = ask(server, &canonical);
    let hidden = match call.quiet {
        Quiet::No => false,
        Quiet::All => true,
        Quiet::Nominal => is_suppressed(call.command, &reply),
    };
    if hidden { Vec::new() } else { reply }
}

/// The reply to a canonical request, which has to be exactly one.
fn ask(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let heard = hear(server, bytes);
    let asked = &bytes[..bytes.len().min(300)];
    assert!(!heard.closed, "closed: {}", asked.escape_ascii());
    let mut at = 0;
    loop {
        let rest = &heard.reply[at..];
        let end = rest.windows(2).position(|pair| pair == b"\r\n");
        let Some(end) = end else {
            panic!("{}: {heard:?}", asked.escape_ascii());
        };
        let line = String::from_utf8_lossy(&rest[..end]);
        let words: Vec<&str> = line.split(' ').collect();
        let value = match words[0] {
            "VALUE" => words[3].parse::<usize>().expect("a length") + 2,
            "VA" => words[1].parse::<usize>().expect("a length") + 2,
            _ => 0,
        };
        at += end + 2 + value;
        if words[0] != "VALUE" && words[0] != "STAT" {
            break;
        }
    }
    assert_eq!(at, heard.reply.len(), "{}: {heard:?}", asked.escape_ascii());
    heard.reply
}

/// The client's bytes, gone on with until no request is under way. `None` if that takes too many bytes.
fn completed(bytes: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = bytes.to_vec();
    for _ in 0..30 {
        let (mut at, mut parser) = (0, Parser::default());
        while let Status::Complete(request) = parser.parse(&bytes[at..], 0) {
            at += request.len;
        }
        match parser.expected() {
            _ if parser.is_idle() => return Some(bytes),
            0..=2 => bytes.extend(b"\r\n"),
            missing if missing < 1 << 16 => {
                bytes.resize(bytes.len() + missing - 2, b'.');
                bytes.extend(b"\r\n");
            }
            _ => return None,
        }
    }
    None
}

/// The same, but for what differs between two memcached processes: `cas` versions and times.
fn comparable(heard: &Heard) -> Heard {
    let mut reply = Vec::new();
    for line in heard.reply.split_inclusive(|byte| *byte == b'\n') {
        let words: Vec<&[u8]> = line.split(|byte| *byte == b' ').collect();
        let meta = matches!(words[0], b"HD" | b"VA");
        for (index, word) in words.iter().enumerate() {
            let version = words[0] == b"VALUE" && index == 4;
            let told = meta && matches!(word.first(), Some(b'c' | b't' | b'l'));
            if version || told {
                reply.extend(word.iter().filter(|byte| !byte.is_ascii_digit()));
            } else {
                reply.extend(*word);
            }
            reply.push(b' ');
        }
    }
    Heard {
        reply,
        closed: heard.closed,
    }
}

/// Two servers that are kept alike.
struct Pair {
    plain: Server,
    behind: Server,
}

/// What is stored before each comparison. (A `flush_all` to come makes what an earlier one hid be seen again.)
const PREPARED: &[u8] =
    b"delete nope noreply\r\nflush_all\r\nset a 5 0 3\r\nabc\r\nset n 0 0 2\r\n10\r\nms YWJj 1 b\r\nx\r\n";

impl Pair {
    fn start() -> Pair {
        Pair {
            plain: Server::start(),
            behind: Server::start(),
        }
    }

    /// What the client hears from memcached, and what it hears through the proxy.
    fn hear(&self, bytes: &[u8]) -> (Heard, Heard) {
        for server in [&self.plain, &self.behind] {
            let reply = hear(server, PREPARED).reply;
            assert_eq!(reply, b"OK\r\nSTORED\r\nSTORED\r\nHD\r\n");
        }
        let expected = hear(&self.plain, bytes);
        (expected, proxied(&self.behind, bytes))
    }
}
