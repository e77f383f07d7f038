//! Requests of memcached's binary protocol.

use dynomite::mbuf::{Chain, Pool};
use dynomite::proto::memcache::binary::line;
use dynomite::proto::memcache::binary::opcode::Op;
use dynomite::proto::memcache::binary::request::{Found, Kind, Parser, Request};
use dynomite::proto::memcache::request as text;

use super::pieces;

/// Whole requests, and what may stand in one.
pub const WORDS: &[&[u8]] = &[
    b"\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01opaq\x00\x00\x00\x00\x00\x00\x00\x00k",
    b"\x80\x0a\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00opaq\x00\x00\x00\x00\x00\x00\x00\x00",
    b"\x80\x01\x00\x01\x08\x00\x00\x00\x00\x00\x00\x0a",
    b"\x80\x05\x00\x01\x14\x00\x00\x00\x00\x00\x00\x15",
    b"\x80\x1d\x00\x01\x04\x00\x00\x00\x00\x00\x00\x05",
    b"\x80",
    b"\x81",
    b"\x00",
    b"\x00\x00\x00\x00",
    b"\xff\xff\xff\xff",
    b"\x00\xfa",
    b"\x00\xfb",
    b"\x08",
    b"\x14",
    b"\r\n",
    b" ",
    b"k",
];

/// A row of requests: found alike however they arrive; what is asked for is one line of the text protocol that is served.
pub fn all(input: &[u8]) {
    let whole = in_one_piece(input);
    assert_eq!(in_pieces(input), whole, "cut up, other requests are found");
    let mut at = 0;
    for found in whole {
        let Found::Complete(request) = found else {
            break;
        };
        judge(&input[at..at + request.len], &request);
        at += request.len;
    }
}

/// Bytes that are passed over come as they arrived.
fn push(found: &mut Vec<Found>, next: Found) {
    match (found.last_mut(), next) {
        (Some(Found::Complete(last)), Found::Complete(next))
            if (last.kind, next.kind) == (Kind::Skipped, Kind::Skipped) =>
        {
            last.len += next.len;
        }
        _ => found.push(next),
    }
}

fn in_one_piece(input: &[u8]) -> Vec<Found> {
    let (mut found, mut parser, mut at) = (Vec::new(), Parser::default(), 0);
    loop {
        match parser.parse(&input[at..]) {
            Found::Complete(request) => {
                assert!(request.len > 0 && at + request.len <= input.len());
                at += request.len;
                push(&mut found, Found::Complete(request));
            }
            Found::Incomplete => return found,
            bad => {
                push(&mut found, bad);
                return found;
            }
        }
    }
}

fn in_pieces(input: &[u8]) -> Vec<Found> {
    let pool = Pool::new(64, usize::MAX);
    let (mut chain, mut parser, mut found) = (Chain::new(), Parser::default(), Vec::new());
    for piece in pieces::cut(input) {
        pieces::push(&pool, &mut chain, piece);
        loop {
            match parser.find(&chain) {
                Found::Complete(request) => {
                    chain.advance(request.len);
                    push(&mut found, Found::Complete(request));
                }
                Found::Incomplete => break,
                bad => {
                    push(&mut found, bad);
                    return found;
                }
            }
        }
    }
    found
}

fn judge(bytes: &[u8], request: &Request) {
    let Kind::Served(row) = request.kind else {
        return;
    };
    let Ok(Some(mut line)) = line::of(row, &request.header, bytes) else {
        return;
    };
    let has_value = matches!(row.op, Op::Store(_) | Op::Join(_));
    let value = request.header.value().expect("served") as usize;
    let mut all = line.bytes().to_vec();
    if has_value {
        all.extend_from_slice(&bytes[bytes.len() - value..]);
        all.extend_from_slice(b"\r\n");
        if value <= line::MAX_COPIED {
            line.push(&all[all.len() - value - 2..]);
            assert_eq!(line.bytes(), all, "there is no room for it");
        }
    }
    let text::Status::Complete(found) = text::Parser::default().parse(&all, 0) else {
        panic!("no request: {}", all.escape_ascii());
    };
    assert_eq!(
        found.len,
        all.len(),
        "more than one: {}",
        all.escape_ascii()
    );
    assert!(matches!(
        found.kind,
        text::Kind::Direct { .. } | text::Kind::Line
    ));
}
