//! Finding the pieces of a ciphertext that a C node has cut elsewhere than at the size of a buffer.
//!
//! Two facts make it possible. A CBC stream decrypted past its end goes wrong in one block only, so
//! one pass over everything leaves just the first block of each piece to be put right. And the
//! plaintext must be exactly one payload, so a wrong guess shows sooner or later.
//!
//! A full piece where one is due is never doubted if it parses: its sixteen bytes of padding are no
//! accident, but for those of the payload's own end.
//! Otherwise guesses are made from the longest possible piece downwards. A short piece may end where
//! a C node ends one early, in front of a length line or of an argument; only the first may end
//! anywhere, because the rest of a relayed message's first buffer can have held anything. If there is
//! more than one way to a payload, none is taken: a message refused is better than one made up.

use crate::proto::Parse;
use crate::proto::dnode::cipher::{BLOCK, unpadded};
use crate::proto::dnode::payload::Payload;

/// Most guesses of where a piece ends that are followed up for one payload.
const MAX_GUESSES: usize = 2000;

/// A piece under way.
struct Piece<P> {
    start: usize,
    /// Where it ends in the next guess; not beyond `start` when all were made.
    end: usize,
    /// Plaintext and parser as they were before it.
    plain_len: usize,
    parser: P,
}

/// A payload as it is received.
pub(in crate::proto) struct Sealed<'a> {
    pub cipher: &'a [u8],
    /// `cipher` decrypted as if it were one piece.
    pub stream: &'a [u8],
    pub iv: &'a [u8; BLOCK],
    /// Length of a full piece of ciphertext.
    pub full: usize,
}

/// The plaintext and its properties, found by `parser` (idle); `None` if there is none, or no certain one.
pub(in crate::proto) fn assemble<P: Payload>(
    parser: &P,
    sealed: &Sealed<'_>,
) -> Option<(Vec<u8>, P::Shape)> {
    let total = sealed.cipher.len();
    let mut plain = Vec::with_capacity(total);
    let mut guesses = 0;
    let mut answer: Option<(Vec<u8>, P::Shape)> = None;
    let mut open = vec![Piece {
        start: 0,
        end: total.min(sealed.full),
        plain_len: 0,
        parser: parser.clone(),
    }];
    while let Some(piece) = open.last_mut() {
        if piece.end <= piece.start {
            open.pop();
            continue;
        }
        let (start, end, first) = (piece.start, piece.end, piece.plain_len == 0);
        let Some(pad) = sealed.padding(start, end) else {
            piece.end -= BLOCK;
            continue;
        };
        // Where the payload ends the last, short piece may have a whole block of padding too.
        let full = end - start == sealed.full;
        piece.end = if full && end < total {
            start
        } else {
            end - BLOCK
        };
        plain.truncate(piece.plain_len);
        guesses += 1;
        if guesses > MAX_GUESSES {
            return None;
        }
        sealed.open(&mut plain, start, end);
        plain.truncate(plain.len() - pad);
        let mut parser = piece.parser.clone();
        let found = parser.parse(&plain);
        let before_a_token = parser.expected() == 0 || plain.ends_with(b"\r\n");
        match found {
            Parse::Complete(message) if end == total && P::len(&message) == plain.len() => {
                if answer.as_ref().is_some_and(|(other, _)| *other != plain) {
                    return None;
                }
                answer = Some((plain.clone(), P::shape(&message)));
                if full {
                    open.pop();
                }
            }
            Parse::Incomplete if end < total && (first || before_a_token || full) => {
                let next_end = total.min(end + sealed.full);
                open.push(Piece {
                    start: end,
                    end: next_end,
                    plain_len: plain.len(),
                    parser,
                });
            }
            _ => {}
        }
    }
    answer
}

impl Sealed<'_> {
    /// Bytes of padding of a piece from `start` to `end`, if it ends in valid padding. A full piece
    /// holds a full buffer and has a whole block of it.
    fn padding(&self, start: usize, end: usize) -> Option<usize> {
        let last = end.checked_sub(BLOCK)?;
        let mut block: [u8; BLOCK] = *self.stream.get(last..end)?.first_chunk()?;
        if last == start {
            self.restart(&mut block, start);
        }
        let pad = BLOCK - unpadded(&block)?.len();
        (end - start < self.full || pad == BLOCK).then_some(pad)
    }

    /// Appends the plaintext of a piece, padding included.
    fn open(&self, plain: &mut Vec<u8>, start: usize, end: usize) {
        let at = plain.len();
        plain.extend_from_slice(self.stream.get(start..end).unwrap_or_default());
        if let Some(first) = plain
            .get_mut(at..)
            .and_then(|piece| piece.first_chunk_mut())
        {
            self.restart(first, start);
        }
    }

    /// Turns the block at `start`, decrypted as if it followed its neighbour, into a piece's first.
    fn restart(&self, block: &mut [u8; BLOCK], start: usize) {
        let Some(before) = start
            .checked_sub(BLOCK)
            .and_then(|at| self.cipher.get(at..start))
        else {
            return;
        };
        for ((byte, before), iv) in block.iter_mut().zip(before).zip(self.iv) {
            *byte ^= before ^ iv;
        }
    }
}
