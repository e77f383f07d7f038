//! Replies of the datastore.

use dynomite::mbuf::{Chain, Pool};
use dynomite::proto::redis::command::commands;
use dynomite::proto::redis::reply::{Parser, Status};
use dynomite::proto::redis::resp3::{self, Form};

use super::pieces;

/// A row of replies: found alike however they arrive, and turned into RESP3 in every form there is.
pub fn all(input: &[u8]) {
    let whole = in_one_piece(input);
    assert_eq!(in_pieces(input), whole, "cut up, other replies are found");
    let mut at = 0;
    for length in whole {
        convert(&input[at..at + length]);
        at += length;
    }
    // Not a reply, perhaps; it has to survive that.
    convert(input);
}

fn in_one_piece(input: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Status::Complete(length) = Parser::default().parse(&input[at..], 0) {
        assert!(length > 0 && at + length <= input.len());
        at += length;
        found.push(length);
    }
    found
}

fn in_pieces(input: &[u8]) -> Vec<usize> {
    let pool = Pool::new(64, usize::MAX);
    let (mut chain, mut parser, mut found) = (Chain::new(), Parser::default(), Vec::new());
    for piece in pieces::cut(input) {
        pieces::push(&pool, &mut chain, piece);
        loop {
            match parser.find(&chain) {
                Status::Complete(length) => {
                    chain.advance(length);
                    found.push(length);
                }
                Status::Incomplete => break,
                Status::Garbage(_) => return found,
            }
        }
    }
    found
}

fn convert(reply: &[u8]) {
    let mut done: Vec<Form> = Vec::new();
    let rows = commands()
        .iter()
        .flat_map(|row| std::iter::once(row).chain(row.children()));
    for form in rows.filter_map(|row| row.fixed_form()) {
        if done.contains(&form) {
            continue;
        }
        done.push(form);
        let mut out = b"before".to_vec();
        resp3::convert(form, reply, &mut out);
        let made = out
            .strip_prefix(b"before")
            .expect("what was there before is kept");
        if resp3::is_identity(form, reply) && in_one_piece(reply) == [reply.len()] {
            assert_eq!(made, reply, "{form:?} was said to change nothing");
        }
    }
}
