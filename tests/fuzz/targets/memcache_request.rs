//! Requests of memcached clients.

use dynomite::mbuf::{Chain, Pool};
use dynomite::proto::memcache::call::{Call, Quiet};
use dynomite::proto::memcache::command::Serve;
use dynomite::proto::memcache::errors;
use dynomite::proto::memcache::line::{MAX_SENT, Outcome, read};
use dynomite::proto::memcache::request::{Kind, MAX_KEY, Parser, Request, Status};

use super::pieces;

/// Names, flags and marks of the protocol.
pub const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"\r",
    b"\n",
    b" ",
    b"\0",
    b"\t",
    b"get ",
    b"gets ",
    b"gat 0 ",
    b"set a 0 0 3\r\nabc\r\n",
    b"add ",
    b"append ",
    b"cas ",
    b"delete ",
    b"incr a ",
    b"touch a ",
    b"mg ",
    b"ms a 2 ",
    b"md ",
    b"ma ",
    b"mn\r\n",
    b"stats ",
    b"flush_all ",
    b"verbosity ",
    b"quit\r\n",
    b" noreply",
    b" HTTP/",
    b" v",
    b" k",
    b" q",
    b" b",
    b" T30",
    b" Oabc",
    b" MS",
    b"YWJj",
    b"\x80",
    b" 1073741824",
    b" 1073741825",
];

/// A row of requests: found alike however they arrive, forwarded only in canonical form, and read without a
/// panic.
pub fn all(input: &[u8]) {
    let whole = in_one_piece(input);
    assert_eq!(in_pieces(input), whole, "cut up, other requests are found");
    let mut at = 0;
    for request in whole {
        judge(&input[at..at + request.len], &request);
        at += request.len;
    }
}

/// Bytes that are passed over come as they arrived.
fn push(found: &mut Vec<Request>, request: Request) {
    match found.last_mut() {
        Some(last) if last.kind == Kind::Skipped && request.kind == Kind::Skipped => {
            last.len += request.len;
        }
        _ => found.push(request),
    }
}

fn in_one_piece(input: &[u8]) -> Vec<Request> {
    let (mut found, mut parser, mut at) = (Vec::new(), Parser::default(), 0);
    while let Status::Complete(request) = parser.parse(&input[at..], 0) {
        assert!(request.len > 0 && at + request.len <= input.len());
        at += request.len;
        push(&mut found, request);
    }
    found
}

fn in_pieces(input: &[u8]) -> Vec<Request> {
    let pool = Pool::new(64, usize::MAX);
    let (mut chain, mut parser, mut found) = (Chain::new(), Parser::default(), Vec::new());
    for piece in pieces::cut(input) {
        pieces::push(&pool, &mut chain, piece);
        loop {
            match parser.find(&chain) {
                Status::Complete(request) => {
                    chain.advance(request.len);
                    push(&mut found, request);
                }
                Status::Incomplete => break,
                Status::Bad(fatal) => {
                    assert!(fatal.reply().is_empty());
                    return found;
                }
            }
        }
    }
    found
}

fn judge(bytes: &[u8], request: &Request) {
    let line = &bytes[..request.line as usize];
    match request.kind {
        Kind::Direct {
            command, key, keys, ..
        } => {
            let Outcome::Call(call) = read(line) else {
                panic!("forwarded as it stands, but refused when it is read");
            };
            let mut again = Vec::new();
            call.encode(&mut again);
            assert_eq!(again, line, "forwarded as it stands, but not canonical");
            assert_eq!((call.command, call.quiet), (command, Quiet::No));
            assert_eq!(call.keys().next().as_deref(), Some(key.of(bytes)));
            assert_eq!(call.keys().count(), keys as usize);
            complete(&call, bytes, line);
        }
        Kind::Line => match read(line) {
            Outcome::Call(call) => {
                let mut canonical = Vec::new();
                call.encode(&mut canonical);
                let again = Call {
                    quiet: Quiet::No,
                    ..call.clone()
                };
                assert_eq!(read(&canonical), Outcome::Call(again), "not canonical");
                assert!(canonical.len() <= MAX_SENT || call.command.serve == Serve::Split);
                complete(&call, bytes, line);
            }
            Outcome::Answer { text, .. } => {
                assert!(text.ends_with(b"\r\n"));
                let ends = text.iter().filter(|byte| **byte == b'\n').count();
                assert_eq!((ends, bytes.len()), (1, line.len()));
            }
            Outcome::Quit => assert_eq!(bytes.len(), line.len()),
        },
        Kind::BadChunk { silent } => {
            assert!(!bytes.ends_with(b"\r\n"));
            let Outcome::Call(call) = read(line) else {
                panic!("a value that belongs to nothing");
            };
            assert_eq!(silent, call.quiet == Quiet::All);
        }
        Kind::TooLarge { silent } => {
            let text = errors::TOO_LARGE.as_bytes().into();
            assert_eq!(read(line), Outcome::Answer { text, silent });
        }
        Kind::Skipped => {}
    }
}

/// Nothing in a call that goes on can end a line, and its value is there.
fn complete(call: &Call<'_>, bytes: &[u8], line: &[u8]) {
    let mut canonical = Vec::new();
    call.encode(&mut canonical);
    let text = canonical.strip_suffix(b"\r\n").expect("a line");
    assert!(!text.iter().any(|byte| matches!(byte, 0 | b'\r' | b'\n')));
    assert!(call.keys().all(|key| (1..=MAX_KEY).contains(&key.len())));
    match call.data_len() {
        Some(len) => {
            assert_eq!(bytes.len(), line.len() + len as usize + 2);
            assert!(bytes.ends_with(b"\r\n"));
        }
        None => assert_eq!(bytes.len(), line.len()),
    }
}
