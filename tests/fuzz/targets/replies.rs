//! Replies of either datastore, however they arrive.

use dynomite::mbuf::{Chain, Pool};
use dynomite::proto::{Framer, Parse};

use super::pieces;

/// How long the replies are that the input begins with: found alike in one piece and in many.
pub fn lengths<P: Framer<Message = usize> + Default>(input: &[u8]) -> Vec<usize> {
    let whole = in_one_piece::<P>(input);
    let cut = in_pieces::<P>(input);
    assert_eq!(cut, whole, "cut up, other replies are found");
    whole
}

/// The same, in one piece only.
pub fn in_one_piece<P: Framer<Message = usize> + Default>(input: &[u8]) -> Vec<usize> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Parse::Complete(length) = P::default().parse(&input[at..]) {
        assert!(length > 0 && at + length <= input.len());
        at += length;
        found.push(length);
    }
    found
}

fn in_pieces<P: Framer<Message = usize> + Default>(input: &[u8]) -> Vec<usize> {
    let pool = Pool::new(64, usize::MAX);
    let (mut chain, mut parser, mut found) = (Chain::new(), P::default(), Vec::new());
    for piece in pieces::cut(input) {
        pieces::push(&pool, &mut chain, piece);
        loop {
            match parser.find(&chain) {
                Parse::Complete(length) => {
                    chain.advance(length);
                    found.push(length);
                }
                Parse::Incomplete => break,
                Parse::Bad(_) => return found,
            }
        }
    }
    found
}
