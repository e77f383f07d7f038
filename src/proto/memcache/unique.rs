//! Versions of items (memcached's *cas unique*) in a cluster.
//!
//! A version belongs to the memcached that gave it: another replica has the same item under another
//! number. So each that is handed to a client is marked with where it comes from, in its upper bits,
//! and a compare-and-swap goes there first.

use super::varying::{Part, Scanner};
use crate::mbuf::{Chain, Pool, Slice};

/// Bits of a version that are the memcached's own. It counts changes since its start: at a million a
/// second these last for eight years.
const OWN_BITS: u32 = 48;

/// Bytes of a reply up to which it is copied: in one piece it is cheaper than in three.
const COPIED: usize = 512;

/// A version in two: its mark, 0 if it has none, and the memcached's own number.
pub fn split(unique: u64) -> (u16, u64) {
    ((unique >> OWN_BITS) as u16, unique & ((1 << OWN_BITS) - 1))
}

/// The reply with `mark` in all versions that a client may name later: of `VALUE` lines, and the flag
/// `c` of `HD` and `VA` lines. One that fills the mark's bits already stays as it is, and so does
/// everything if `mark` is 0.
pub fn mark(reply: &Chain, mark: u16, pool: &Pool) -> Chain {
    if mark == 0 {
        let mut unmarked = Chain::new();
        unmarked.append_shared(reply);
        return unmarked;
    }
    replaced(reply, pool, |own| u64::from(mark) << OWN_BITS | own)
}

/// The reply with a version that matches no item in place of those that [`mark`] would mark: for
/// that of a replica that is no longer reachable by its mark.
pub fn void(reply: &Chain, pool: &Pool) -> Chain {
    replaced(reply, pool, |_| u64::MAX)
}

/// The reply with other versions.
fn replaced(reply: &Chain, pool: &Pool, other: impl Fn(u64) -> u64) -> Chain {
    let mut marked = Chain::new();
    let mut scanner = Scanner::default();
    let mut version = Version::default();
    let is_short = reply.len() <= COPIED;
    for slice in reply.slices() {
        let mut at = 0;
        while let Some(rest @ [_, ..]) = slice.get(at..) {
            let (part, len) = scanner.run(rest);
            if part == Part::Unique {
                version.add(slice, at, at + len);
            } else {
                version.flush(&other, pool, &mut marked);
                match is_short {
                    true => pool.copy(rest.get(..len).unwrap_or_default(), &mut marked),
                    false => marked.push_range(slice, at, at + len),
                }
            }
            at += len;
        }
    }
    version.flush(&other, pool, &mut marked);
    marked
}

/// The version under way.
#[derive(Default)]
struct Version {
    /// Its digits as they came.
    digits: Chain,
    /// Its number so far; `None` if that is too large.
    number: Option<u64>,
}

impl Version {
    /// Adds the digits `from..to` of a slice.
    fn add(&mut self, slice: &Slice, from: usize, to: usize) {
        if self.digits.is_empty() {
            self.number = Some(0);
        }
        self.digits.push_range(slice, from, to);
        for byte in slice.get(from..to).unwrap_or_default() {
            let digit = byte.wrapping_sub(b'0');
            let number = self.number.filter(|_| digit < 10);
            let number = number.and_then(|number| number.checked_mul(10));
            self.number = number.and_then(|number| number.checked_add(u64::from(digit)));
        }
    }

    /// Appends the other version in place of this one, if there is one.
    fn flush(&mut self, other: impl Fn(u64) -> u64, pool: &Pool, out: &mut Chain) {
        if self.digits.is_empty() {
            return;
        }
        match self.number.filter(|own| own >> OWN_BITS == 0) {
            Some(own) => {
                let mut text = itoa::Buffer::new();
                pool.copy(text.format(other(own)).as_bytes(), out);
                self.digits.clear();
            }
            None => out.append(&mut self.digits),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn chain(pool: &Pool, bytes: &[u8], cut: usize) -> Chain {
        let mut chain = Chain::new();
        for piece in bytes.chunks(cut) {
            let mut writer = pool.writer();
            writer.spare()[..piece.len()].copy_from_slice(piece);
            chain.push(writer.commit(piece.len()));
        }
        chain
    }

    fn marked(reply: &str, number: u16, cut: usize) -> String {
        let pool = Pool::new(128, 1 << 20);
        let chain = chain(&pool, reply.as_bytes(), cut);
        String::from_utf8(mark(&chain, number, &pool).to_vec()).unwrap()
    }

    #[test]
    fn versions_are_marked_and_nothing_else() {
        let three = |own: u64| 3 << 48 | own;
        for (reply, expected) in [
            (
                "VALUE a 5 2 77\r\n77\r\nVALUE 77 77 1 78\r\nx\r\nEND\r\n".to_owned(),
                format!(
                    "VALUE a 5 2 {}\r\n77\r\nVALUE 77 77 1 {}\r\nx\r\nEND\r\n",
                    three(77),
                    three(78)
                ),
            ),
            (
                "HD c5 t5 kc5 Oc5\r\n".to_owned(),
                format!("HD c{} t5 kc5 Oc5\r\n", three(5)),
            ),
            (
                "VA 2 k5 c1 c5x\r\nc5\r\n".to_owned(),
                format!("VA 2 k5 c{} c{}x\r\nc5\r\n", three(1), three(5)),
            ),
            ("NS c0\r\n".to_owned(), "NS c0\r\n".to_owned()),
            ("EX c0 k5\r\n".to_owned(), "EX c0 k5\r\n".to_owned()),
            (
                "VALUE a 5 2\r\n77\r\nEND\r\n".to_owned(),
                "VALUE a 5 2\r\n77\r\nEND\r\n".to_owned(),
            ),
            ("77\r\n".to_owned(), "77\r\n".to_owned()),
            (
                format!("HD c{}\r\n", u64::MAX),
                format!("HD c{}\r\n", u64::MAX),
            ),
            (
                format!("HD c{}\r\n", 1u64 << 48),
                format!("HD c{}\r\n", 1u64 << 48),
            ),
            (
                "HD c99999999999999999999999\r\n".to_owned(),
                "HD c99999999999999999999999\r\n".to_owned(),
            ),
        ] {
            for cut in 1..reply.len() {
                assert_eq!(marked(&reply, 3, cut.min(128)), expected, "{reply:?} {cut}");
            }
            assert_eq!(marked(&reply, 0, 128), reply);
        }
    }

    #[test]
    fn values_are_not_copied() {
        let pool = Pool::new(1 << 16, 1 << 20);
        let value = "v".repeat(60_000);
        let reply = format!("VALUE a 5 60000 77\r\n{value}\r\nEND\r\n");
        let chain = chain(&pool, reply.as_bytes(), 1 << 16);
        let before = pool.in_use();
        let marked = mark(&chain, 9, &pool);
        assert!(pool.in_use() <= before + 1);
        assert_eq!(marked.slice_count(), 3);
    }

    #[test]
    fn a_void_version_is_nobodys() {
        let pool = Pool::new(128, 1 << 20);
        let reply = chain(&pool, b"VALUE a 5 2 77\r\n77\r\nEND\r\n", 5);
        let expected = format!("VALUE a 5 2 {}\r\n77\r\nEND\r\n", u64::MAX);
        assert_eq!(void(&reply, &pool).to_vec(), expected.into_bytes());
    }

    proptest! {
        #[test]
        fn a_mark_is_taken_off_again(number in 1u16.., own in 0u64..1 << 48) {
            let reply = marked(&format!("HD c{own}\r\n"), number, 64);
            let unique = reply.strip_prefix("HD c").unwrap().trim_end().parse().unwrap();
            prop_assert_eq!(split(unique), (number, own));
            prop_assert_eq!(split(own), (0, own));
        }
    }
}
