//! What providers of seeds answer: lists, HTTP, DNS.

use super::pieces::cut;
use dynomite::cluster::seeds::read;
use dynomite::cluster::topology::Topology;
use dynomite::seeds::dns::packet::Question;
use dynomite::seeds::http;
use std::io::{self, Read};

/// The marks of the three.
pub const WORDS: &[&[u8]] = &[
    b"|",
    b"\r\n",
    b"\n",
    b":",
    b",",
    b"127.0.0.1:8101:rack:dc:5",
    b"[::1]:8101:r:d:0,1",
    b":localrack:localdc:0",
    b"0.0.0.0",
    b"4294967296",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.0 200 OK\n\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"Content-Length: 3\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"\r\n\r\n",
    b"3\r\na|b\r\n",
    b"0\r\n\r\n",
    b"ffffffffffffffff\r\n",
    b"\0\x07\x81\x80\0\x01\0\x01\0\0\0\0\x01a\0\0\x10\0\x01",
    b"\xc0\x0c\0\x10\0\x01\0\0\0\x3c\0\x02\x01x",
];

pub fn all(input: &[u8]) {
    list(input);
    answer(input);
    records(input);
}

/// A list is refused in one line, or has nodes that differ in their places, without this one.
fn list(input: &[u8]) {
    let topology = Topology::alone();
    let me = &topology.nodes()[0].member;
    match read(&String::from_utf8_lossy(input), me) {
        Err(refused) => {
            let line = refused.to_string();
            assert!(!line.contains(char::is_control), "{line:?}");
            assert!(line.len() < 10_000, "a long line");
        }
        Ok(members) => {
            let mut places: Vec<_> = members
                .iter()
                .flat_map(|m| m.tokens.iter().map(|token| (&m.dc, &m.rack, *token)))
                .collect();
            let all = places.len();
            assert!(!places.contains(&(&me.dc, &me.rack, me.tokens[0])));
            places.sort_unstable();
            places.dedup();
            assert_eq!(places.len(), all, "a place twice");
        }
    }
}

/// Bytes in the given pieces.
struct Pieces<'a>(Vec<&'a [u8]>);

impl Read for Pieces<'_> {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        while let Some(piece) = self.0.first_mut() {
            if piece.is_empty() {
                self.0.remove(0);
                continue;
            }
            return piece.read(out);
        }
        Ok(0)
    }
}

/// An answer is the same however it arrives.
fn answer(input: &[u8]) {
    let mut whole = input;
    let limit = 10_000;
    let once = http::body(&mut whole, limit);
    assert_eq!(once, http::body(&mut Pieces(cut(input)), limit));
    match once {
        Ok(body) => assert!(body.len() <= limit),
        Err(line) => assert!(!line.contains(char::is_control), "{line:?}"),
    }
}

fn records(input: &[u8]) {
    let question = Question::txt("a", 7).expect("a name");
    let _ = question.answered(input);
}
