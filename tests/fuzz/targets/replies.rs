//! Replies of either datastore, however they arrive.

use dynomite::mbuf::{Chain, Pool};
use dynomite::proto::dnode::payload::{Found, Payload};

use super::pieces;

/// How long the replies are that the input begins with: found alike in one piece and in many.
pub fn lengths<P: Payload + Default>(input: &[u8]) -> Vec<usize> {
    let whole = in_one_piece::<P>(input);
    let cut = in_pieces::<P>(input);
    assert_eq!(cut, whole, "cut up, other replies are found");
    whole
}

/// The same, in one piece only.
pub fn in_one_piece<P: Payload + Default>(input: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Found::Complete(length, _) = P::default().parse(&input[at..]) {
        assert!(length > 0 && at + length <= input.len());
        at += length;
        found.push(length);
    }
    found
}

fn in_pieces<P: Payload + Default>(input: &[u8]) -> Vec<usize> {
    let pool = Pool::new(64, usize::MAX);
    let (mut chain, mut parser, mut found) = (Chain::new(), P::default(), Vec::new());
    for piece in pieces::cut(input) {
        pieces::push(&pool, &mut chain, piece);
        loop {
            match parser.find(&chain) {
                Found::Complete(length, _) => {
                    chain.advance(length);
                    found.push(length);
                }
                Found::Incomplete => break,
                Found::Bad(_) => return found,
            }
        }
    }
    found
}
