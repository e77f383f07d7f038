//! Tests that ask a real memcached and compare.

use super::call::Call;
use super::line::{self, Outcome};
use super::reply::{Parser, Status};
use super::test_server::Server;
use super::varying::counted;
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::{SystemTime, UNIX_EPOCH};

mod replies;
mod rewritten;
mod translated;

/// A connection to a [`Server`].
pub(super) struct Client(UnixStream);

impl Client {
    pub(super) fn of(server: &Server) -> Client {
        Client(server.connect())
    }

    /// Sends bytes and returns the bytes of one reply, as the parser finds it.
    pub(super) fn raw(&mut self, bytes: &[u8]) -> Vec<u8> {
        self.0.write_all(bytes).expect("the server reads");
        let (mut reply, mut parser) = (Vec::new(), Parser::default());
        let mut piece = [0; 4096];
        loop {
            let n = self.0.read(&mut piece).expect("the server answers");
            assert_ne!(n, 0, "the server closed the connection");
            reply.extend_from_slice(&piece[..n]);
            match parser.parse(&reply, 0) {
                Status::Complete(len) => {
                    assert_eq!(len, reply.len(), "{}", reply.escape_ascii());
                    return reply;
                }
                Status::Incomplete => {}
                Status::Bad(why) => panic!("{why}: {}", reply.escape_ascii()),
            }
        }
    }

    /// The reply to a line, with a data block if it is not empty, as text.
    pub(super) fn ask(&mut self, line: &str) -> String {
        let reply = self.raw(format!("{line}\r\n").as_bytes());
        reply.escape_ascii().to_string()
    }

    /// The reply to a request with its data, if it has any.
    pub(super) fn send(&mut self, call: &Call<'_>, data: &[u8]) -> Vec<u8> {
        self.raw(&encoded(call, Some(data)))
    }
}

/// What of a reply counts, as text.
fn fixed(reply: &[u8]) -> String {
    let counts: Vec<&[u8]> = counted(std::iter::once(reply)).collect();
    counts.concat().escape_ascii().to_string()
}

/// The reply to an `mg`, with the time that is left (flag `t`) so coarse that a few seconds between
/// two questions do not show.
fn state(client: &mut Client, question: &str) -> String {
    let state = client.ask(question);
    let Some((head, rest)) = state.split_once(" t") else {
        return state;
    };
    let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '-');
    let (digits, rest) = rest.split_at(digits.unwrap_or(rest.len()));
    let left: i64 = digits.parse().expect("a number of seconds");
    let left = if left > 0 { (left + 50) / 100 } else { left };
    format!("{head} t{left}{rest}")
}

/// Seconds since the Unix epoch.
pub(super) fn now_secs() -> u64 {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    now.expect("a clock").as_secs()
}

/// The request that a line is.
pub(in crate::proto) fn call(text: &str) -> Call<'_> {
    match line::read(text.as_bytes()) {
        Outcome::Call(call) => call,
        other => panic!("{text}: {other:?}"),
    }
}

/// The line of a request, without its end.
pub(in crate::proto) fn shown(call: &Call<'_>) -> String {
    let line = encoded(call, None);
    String::from_utf8(line).unwrap().trim_end().to_owned()
}

fn encoded(call: &Call<'_>, data: Option<&[u8]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    call.encode(&mut bytes);
    if let Some(data) = data.filter(|_| call.data_len().is_some()) {
        bytes.extend_from_slice(data);
        bytes.extend_from_slice(b"\r\n");
    }
    bytes
}
