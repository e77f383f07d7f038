//! Versions of items (memcached's *cas unique*) in a cluster.
//!
//! A version belongs to the memcached that gave it: another replica has the same item under another
//! number. So each that is handed to a client is marked with where it comes from, in its upper bits,
//! and a compare-and-swap goes there first.

use super::varying::{Part, Scanner};
use crate::mbuf::{Chain, Pool};

/// Bits of a version that are the memcached's own. It counts changes since its start: at a million a
/// second these last for eight years.
const OWN_BITS: u32 = 48;

/// A version in two: its mark, 0 if it has none, and the memcached's own number.
pub fn split(unique: u64) -> (u16, u64) {
    ((unique >> OWN_BITS) as u16, unique & ((1 << OWN_BITS) - 1))
}

/// The reply with `mark` in all versions that a client may name later: of `VALUE` lines, and the flag
/// `c` of `HD` and `VA` lines. One that fills the mark's bits already stays as it is, and so does
/// everything if `mark` is 0.
pub fn mark(reply: &Chain, mark: u16, pool: &Pool) -> Chain {
    let mut marked = Chain::new();
    if mark == 0 {
        marked.append_shared(reply);
        return marked;
    }
    let mut scanner = Scanner::default();
    // The digits of the version under way.
    let mut digits = Vec::new();
    for slice in reply.slices() {
        let mut at = 0;
        while let Some(rest @ [_, ..]) = slice.get(at..) {
            let (part, len) = scanner.run(rest);
            if part == Part::Unique {
                digits.extend_from_slice(rest.get(..len).unwrap_or_default());
            } else {
                flush(&mut digits, mark, pool, &mut marked);
                marked.push_range(slice, at, at + len);
            }
            at += len;
        }
    }
    flush(&mut digits, mark, pool, &mut marked);
    marked
}

/// Appends the version with these digits, if there are any, marked.
fn flush(digits: &mut Vec<u8>, mark: u16, pool: &Pool, out: &mut Chain) {
    if digits.is_empty() {
        return;
    }
    let own = std::str::from_utf8(digits)
        .ok()
        .and_then(|text| text.parse::<u64>().ok())
        .filter(|own| own >> OWN_BITS == 0);
    match own {
        Some(own) => {
            let unique = u64::from(mark) << OWN_BITS | own;
            pool.copy(unique.to_string().as_bytes(), out);
        }
        None => pool.copy(digits, out),
    }
    digits.clear();
}
