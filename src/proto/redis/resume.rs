//! The common parts of the resumable parsers of RESP: numbers, and crossing the borders of slices.

use crate::mbuf::Chain;

/// Room for a line that straddles two slices.
const WINDOW: usize = 32;

/// A parser that is fed contiguous pieces and goes on where it stopped.
///
/// Payloads may be cut anywhere. Lines have to be contiguous: [`find`] shows one that straddles two
/// slices in a small window.
pub(super) trait Resumable {
    /// The result of a search.
    type Found;
    /// The state between two pieces.
    type Phase: PartialEq;
    /// Longest line there may be, in bytes, and one more to see that it is longer; at most 32.
    const LINE: usize;

    /// Looks at a piece whose first byte is byte `base` of the message. `None`: more is needed.
    fn look(&mut self, piece: &[u8], base: usize) -> Option<Self::Found>;
    /// Bytes of the message consumed so far.
    fn position(&self) -> usize;
    /// The current state.
    fn phase(&self) -> Self::Phase;
    /// Returns true if that is a payload.
    fn is_in_payload(&self) -> bool;
    /// The result if [`Resumable::LINE`] bytes hold no line.
    fn too_long(&self) -> Option<Self::Found>;
}

/// Looks for the end of the message that begins at the first byte of `data`. `None`: more is needed.
pub(super) fn find<P: Resumable>(parser: &mut P, data: &Chain) -> Option<P::Found> {
    loop {
        let before = (parser.position(), parser.phase());
        let mut base = 0;
        for slice in data.slices() {
            let end = base + slice.len();
            let at = parser.position();
            if at < end || (at == end && parser.is_in_payload()) {
                let found = parser.look(slice, base);
                if found.is_some() {
                    return found;
                }
            }
            let at = parser.position();
            if at < end {
                // A line or a payload's end is cut by the slice's end.
                let mut window = [0; WINDOW];
                let window = window.get_mut(..P::LINE).unwrap_or_default();
                let n = data.gather(at, window);
                let found = parser.look(window.get(..n).unwrap_or_default(), at);
                if found.is_some() {
                    return found;
                }
                if parser.position() == at {
                    return if n == P::LINE {
                        parser.too_long()
                    } else {
                        None
                    };
                }
                break;
            }
            base = end;
        }
        if (parser.position(), parser.phase()) == before || parser.position() >= data.len() {
            return None;
        }
    }
}

/// A decimal number: `[-]digits`.
pub(super) struct Digits {
    /// Its value, modulo 2^64.
    pub value: i64,
    /// True if it has a sign.
    pub negative: bool,
    /// How many digits there are.
    pub count: usize,
    /// The place of the first digit, or where it would be.
    pub first: usize,
    /// The place behind the last digit.
    pub next: usize,
}

/// Reads a number at `data[at..]`.
#[inline]
pub(super) fn digits(data: &[u8], at: usize) -> Digits {
    let negative = data.get(at) == Some(&b'-');
    let first = at + usize::from(negative);
    let mut next = first;
    let mut value: i64 = 0;
    while let Some(&byte) = data.get(next) {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            break;
        }
        value = value.wrapping_mul(10).wrapping_add(i64::from(digit));
        next += 1;
    }
    // The smallest integer has no positive counterpart.
    let value = if negative {
        value.wrapping_neg()
    } else {
        value
    };
    Digits {
        value,
        negative,
        count: next - first,
        first,
        next,
    }
}
