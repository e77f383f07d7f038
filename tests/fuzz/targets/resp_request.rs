//! Requests of clients.

use dynomite::mbuf::{Chain, Pool};
use dynomite::proto::redis::request::{Kind, Parser, Request, Status, arguments};
use dynomite::proto::redis::{encode, inline, lookup};

use super::pieces;

/// A row of requests: found alike however they arrive, forwarded only in canonical form, and judged by the
/// command table without a panic.
pub fn all(input: &[u8]) {
    let whole = in_one_piece(input);
    assert_eq!(in_pieces(input), whole, "cut up, other requests are found");
    let mut at = 0;
    for request in whole {
        judge(&input[at..at + request.len], &request);
        at += request.len;
    }
}

fn in_one_piece(input: &[u8]) -> Vec<Request> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Status::Complete(request) = Parser::default().parse(&input[at..], 0) {
        assert!(request.len > 0 && at + request.len <= input.len());
        at += request.len;
        found.push(request);
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
                    found.push(request);
                }
                Status::Incomplete => break,
                Status::Bad(error) => {
                    let reply = error.reply();
                    assert!(reply.starts_with(b"-") && reply.ends_with(b"\r\n"));
                    return found;
                }
            }
        }
    }
    found
}

fn judge(bytes: &[u8], request: &Request) {
    match request.kind {
        Kind::Array { argc, name, .. } => {
            let args: Vec<&[u8]> = arguments(bytes).collect();
            assert_eq!(args.len(), argc as usize);
            assert_eq!(name.of(bytes), args[0]);
            let mut again = Vec::new();
            encode::command(&mut again, &args);
            assert_eq!(again, bytes, "forwarded as it stands, but not canonical");
            look_up(&args);
        }
        Kind::Inline => {
            let line = bytes.strip_suffix(b"\n").unwrap_or(bytes);
            let Ok(args) = inline::split(line.strip_suffix(b"\r").unwrap_or(line)) else {
                return;
            };
            if !args.is_empty() {
                look_up(&args.iter().map(Vec::as_slice).collect::<Vec<_>>());
            }
        }
        Kind::Empty => {}
    }
}

fn look_up(args: &[&[u8]]) {
    let mut error = Vec::new();
    let Some(command) = lookup::resolve(args, &mut error) else {
        assert_eq!(error.first(), Some(&b'-'));
        assert_eq!(
            error.iter().filter(|byte| **byte == b'\n').count(),
            1,
            "one line"
        );
        assert!(error.ends_with(b"\r\n"));
        return;
    };
    command.refine(args);
    let mut keys = Vec::new();
    let _ = command.keys(args, &mut keys);
}
