//! Finding the pieces of a ciphertext that was not cut where it should have been.
//!
//! Two facts make it possible. A CBC stream decrypted past its end goes wrong in one block only, so
//! one pass over everything leaves just the first block of each piece to be put right. And the
//! plaintext must be exactly one payload, so a wrong guess shows sooner or later. Guesses are made
//! from the longest possible piece downwards, because C nodes cut short by no more than a token.

use super::cipher::BLOCK;
use super::payload::{Found, Payload};

/// Most guesses of where a piece ends that are followed up for one payload.
const MAX_GUESSES: usize = 2000;

/// A piece without its padding; `None` if that is wrong.
pub(super) fn unpadded(piece: &[u8]) -> Option<&[u8]> {
    let pad = usize::from(*piece.last()?);
    if !(1..=BLOCK).contains(&pad) {
        return None;
    }
    let (plain, padding) = piece.split_at_checked(piece.len().checked_sub(pad)?)?;
    padding
        .iter()
        .all(|&byte| usize::from(byte) == pad)
        .then_some(plain)
}

/// A piece under way.
struct Piece<P> {
    start: usize,
    /// Where it ends in the next guess; 0 when all were made.
    end: usize,
    /// Plaintext and parser as they were before it.
    plain_len: usize,
    parser: P,
}

/// The payload whose ciphertext is `cipher`, and what `parser` learned of it. `stream` is `cipher`
/// decrypted as if it were one piece, `longest` the length of a full piece of ciphertext.
pub(super) fn assemble<P: Payload>(
    parser: &P,
    cipher: &[u8],
    stream: &[u8],
    iv: &[u8; BLOCK],
    longest: usize,
) -> Option<(Vec<u8>, P::Shape)> {
    let total = cipher.len();
    let first_end = |start: usize| total.min(start + longest);
    let mut plain = Vec::with_capacity(total);
    let mut guesses = 0;
    let mut open = vec![Piece {
        start: 0,
        end: first_end(0),
        plain_len: 0,
        parser: parser.clone(),
    }];
    while let Some(piece) = open.last_mut() {
        if piece.end <= piece.start {
            open.pop();
            continue;
        }
        let (start, end) = (piece.start, piece.end);
        piece.end -= BLOCK;
        plain.truncate(piece.plain_len);
        if !ends_in_padding(cipher, stream, iv, start, end) {
            continue;
        }
        guesses += 1;
        if guesses > MAX_GUESSES {
            return None;
        }
        decrypt_onto(&mut plain, cipher, stream, iv, start, end);
        let pad = plain.last().map_or(0, |&pad| usize::from(pad));
        // A full piece holds a full buffer: sixteen bytes of padding, no fewer.
        if end - start == longest && pad != BLOCK {
            continue;
        }
        plain.truncate(plain.len() - pad);
        let mut parser = piece.parser.clone();
        match parser.parse(&plain) {
            Found::Complete(len, shape) if end == total && len == plain.len() => {
                return Some((plain, shape));
            }
            Found::Incomplete if end < total => {
                open.push(Piece {
                    start: end,
                    end: first_end(end),
                    plain_len: plain.len(),
                    parser,
                });
            }
            _ => {}
        }
    }
    None
}

/// Whether a piece from `start` to `end` ends in valid padding.
fn ends_in_padding(
    cipher: &[u8],
    stream: &[u8],
    iv: &[u8; BLOCK],
    start: usize,
    end: usize,
) -> bool {
    let last = end - BLOCK;
    let mut block = [0; BLOCK];
    block.copy_from_slice(stream.get(last..end).unwrap_or(&[0; BLOCK]));
    if last == start {
        restart(&mut block, cipher, iv, start);
    }
    unpadded(&block).is_some()
}

/// Appends the piece's plaintext, padding included.
fn decrypt_onto(
    plain: &mut Vec<u8>,
    cipher: &[u8],
    stream: &[u8],
    iv: &[u8; BLOCK],
    start: usize,
    end: usize,
) {
    let at = plain.len();
    plain.extend_from_slice(stream.get(start..end).unwrap_or_default());
    if let Some(first) = plain
        .get_mut(at..)
        .and_then(|piece| piece.first_chunk_mut())
    {
        restart(first, cipher, iv, start);
    }
}

/// Turns the block at `start`, decrypted as if it followed its neighbour, into a piece's first.
fn restart(block: &mut [u8; BLOCK], cipher: &[u8], iv: &[u8; BLOCK], start: usize) {
    let Some(before) = start
        .checked_sub(BLOCK)
        .and_then(|at| cipher.get(at..start))
    else {
        return;
    };
    for ((byte, before), iv) in block.iter_mut().zip(before).zip(iv) {
        *byte ^= before ^ iv;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_checked_in_full() {
        assert_eq!(unpadded(b"abc\x01"), Some(&b"abc"[..]));
        assert_eq!(unpadded(&[16; 16]), Some(&b""[..]));
        for bad in [
            &b""[..],
            b"abc\x00",
            b"abc\x11",
            b"\x02",
            b"abc\x03\x02",
            b"\x03\x03",
        ] {
            assert_eq!(unpadded(bad), None, "{bad:?}");
        }
    }
}
