//! Digests of the parts of a Redis reply that count in a comparison ([`Alike`]).
//!
//! A reply is walked once. Where order counts, the digests of the elements are combined one after the other;
//! where it does not, they are added up, so that their number and multiplicity still count. Numbers, texts
//! and nulls of RESP3 count as the RESP2 that Redis would have written in their place, so that a reply of a
//! C node can be compared with one of ours.

use crate::hashkit::digest::{Hasher, combine, digest as digest_of_bytes};
use crate::proto::redis::alike::Alike;
use crate::proto::redis::cursor::{Cursor, Head, MAX_SHORT};

/// Deepest nesting that is walked; a deeper reply is its bytes.
const MAX_DEPTH: u32 = 128;
/// Bytes of a verbatim string before its text.
const FORMAT: u64 = 4;

/// Kinds of nulls, of integers that are not negative, and of lists. (Others are the type byte.)
const NULL: u64 = 1;
const SOME_INTEGER: u64 = 2;
const LIST: u64 = 3;

/// The digest of a reply that comes in these pieces. One that is not one whole reply is its bytes.
pub fn digest<'a>(pieces: impl Iterator<Item = &'a [u8]> + Clone, alike: Alike) -> u64 {
    let walked = match alike {
        Alike::Bytes | Alike::Values => None,
        _ => walk(pieces.clone(), alike),
    };
    walked.unwrap_or_else(|| digest_of_bytes(pieces))
}

fn walk<'a>(pieces: impl Iterator<Item = &'a [u8]>, alike: Alike) -> Option<u64> {
    let mut walk = Walk {
        cursor: Cursor::new(pieces),
    };
    let digest = walk.value(alike, MAX_DEPTH)?;
    walk.cursor.is_done().then_some(digest)
}

/// A text of this kind.
fn text(kind: u8, bytes: &[u8]) -> u64 {
    let mut hasher = begin(kind);
    hasher.write(bytes);
    hasher.finish()
}

/// Begins the digest of a part of this kind.
fn begin(kind: u8) -> Hasher {
    let mut hasher = Hasher::default();
    hasher.write(&[kind]);
    hasher
}

struct Walk<'a, I> {
    cursor: Cursor<'a, I>,
}

impl<'a, I: Iterator<Item = &'a [u8]>> Walk<'a, I> {
    fn value(&mut self, alike: Alike, depth: u32) -> Option<u64> {
        let only_kind = alike == Alike::Kind;
        match self.cursor.head()? {
            Head::Null => Some(NULL),
            Head::List(_, count) => self.list(alike, count, depth.checked_sub(1)?),
            Head::Bulk(kind, count) => {
                let (kind, count) = match kind {
                    b'=' => {
                        self.cursor.bytes(FORMAT, |_| {})?;
                        (b'$', count.checked_sub(FORMAT)?)
                    }
                    b'!' => (b'-', count),
                    _ => (kind, count),
                };
                let mut hasher = begin(kind);
                self.cursor.content(count, |piece| hasher.write(piece))?;
                Some(match kind {
                    b'$' if only_kind => u64::from(kind),
                    _ => hasher.finish(),
                })
            }
            Head::Line(kind @ (b':' | b'#')) => {
                let mut room = [0; MAX_SHORT];
                let number = match (kind, self.cursor.short_line(&mut room)?) {
                    (b'#', b"t") => b"1",
                    (b'#', b"f") => b"0",
                    (b'#', _) => return None,
                    (_, number) => number,
                };
                let negative = number.first() == Some(&b'-');
                if (only_kind || alike == Alike::Integer) && !negative {
                    return Some(SOME_INTEGER);
                }
                Some(text(b':', number))
            }
            Head::Line(kind) => {
                let mut hasher = begin(match kind {
                    b',' | b'(' => b'$',
                    other => other,
                });
                self.cursor.line(|piece| hasher.write(piece))?;
                Some(hasher.finish())
            }
        }
    }

    /// The elements of an array.
    fn list(&mut self, alike: Alike, count: u64, depth: u32) -> Option<u64> {
        let mut digest = combine(LIST, count);
        match alike {
            Alike::Kind => {
                for _ in 0..count {
                    self.value(Alike::Kind, depth)?;
                }
            }
            Alike::Groups(size) => {
                let size = u64::from(size.max(1));
                let mut left = count;
                while left > 0 {
                    let together = left.min(size);
                    let mut group = together;
                    for _ in 0..together {
                        group = combine(group, self.value(Alike::Bytes, depth)?);
                    }
                    digest = digest.wrapping_add(group);
                    left -= together;
                }
            }
            Alike::Bag => {
                for _ in 0..count {
                    let element = self.value(Alike::Bag, depth)?;
                    // Not the element itself: lists of lists are no lists of their elements.
                    digest = digest.wrapping_add(combine(element, LIST));
                }
                digest = combine(digest, count);
            }
            Alike::Fields(fields) => {
                let mut next = Alike::Bytes;
                for at in 0..count {
                    let element =
                        self.value(if at % 2 == 0 { Alike::Bytes } else { next }, depth)?;
                    digest = combine(digest, element);
                    let listed =
                        |(name, _): &&(&str, Alike)| text(b'$', name.as_bytes()) == element;
                    if at % 2 == 0 {
                        next = fields.iter().find(listed).map_or(Alike::Bytes, |of| of.1);
                    }
                }
            }
            _ => {
                for at in 0..count {
                    let inner = match alike {
                        Alike::Each(inner) => *inner,
                        Alike::Tuple(places) => usize::try_from(at)
                            .ok()
                            .and_then(|at| places.get(at).copied())
                            .unwrap_or(Alike::Bytes),
                        _ => Alike::Bytes,
                    };
                    digest = combine(digest, self.value(inner, depth)?);
                }
            }
        }
        Some(digest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn of(reply: &str, alike: Alike) -> u64 {
        digest(std::iter::once(reply.as_bytes()), alike)
    }

    /// A reply written short: `[` and `]` around an array, `(` and `)` around a map of RESP3, other words as bulk
    /// strings but for `nil` and what begins with a type.
    fn reply(words: &str) -> String {
        let mut open: Vec<(String, u32, char)> = vec![(String::new(), 0, ' ')];
        for word in words.split_whitespace() {
            let done = match word {
                "[" | "(" => {
                    open.push((String::new(), 0, word.chars().next().unwrap()));
                    continue;
                }
                "]" | ")" => {
                    let (body, count, kind) = open.pop().unwrap();
                    match kind {
                        '[' => format!("*{count}\r\n{body}"),
                        _ => format!("%{}\r\n{body}", count / 2),
                    }
                }
                "nil" => "$-1\r\n".to_owned(),
                typed if typed.starts_with([':', '+', '-', ',', '#', '_']) => {
                    format!("{typed}\r\n")
                }
                bulk => format!("${}\r\n{bulk}\r\n", bulk.len()),
            };
            let (body, count, _) = open.last_mut().unwrap();
            body.push_str(&done);
            *count += 1;
        }
        open.pop().unwrap().0
    }

    #[test]
    fn equal_data_agree_and_others_do_not() {
        use Alike::*;
        for (alike, a, b, agree) in [
            (Groups(1), "[ x y z ]", "[ z x y ]", true),
            (Groups(1), "[ x x y ]", "[ x y y ]", false),
            (Groups(1), "[ x y ]", "[ x y y ]", false),
            (Groups(1), "[ nil :1 ]", "[ :1 nil ]", true),
            (Groups(1), "[ :1 ]", "[ 1 ]", false),
            (Groups(2), "[ f 1 g 2 ]", "[ g 2 f 1 ]", true),
            (Groups(2), "[ f 1 g 2 ]", "[ f 2 g 1 ]", false),
            (Groups(2), "[ f 1 g 2 ]", "[ 1 f 2 g ]", false),
            (Groups(1), "-WRONGTYPE", "[ x ]", false),
            (Kind, ":100", ":99", true),
            (Kind, ":100", ":-1", false),
            (Kind, ":-2", ":-1", false),
            (Kind, "a", "bb", true),
            (Kind, "a", "nil", false),
            (Kind, "[ a ]", "[ b ]", true),
            (Kind, "[ a ]", "[ ]", false),
            (Kind, "[ :1 ]", ":1", false),
            (Kind, "+a", "+b", false),
            (Kind, "a", ":0", false),
            (Each(&Integer), "[ :5 :-2 ]", "[ :6 :-2 ]", true),
            (Each(&Integer), "[ :5 :-2 ]", "[ :6 :-1 ]", false),
            (Each(&Integer), "[ a ]", "[ b ]", false),
            (Bag, "[ a [ b c ] ]", "[ [ c b ] a ]", true),
            (Bag, "[ a [ b c ] ]", "[ [ a b ] c ]", false),
            (Bag, "[ a b ]", "[ a b b ]", false),
            (Bag, "[ [ ] ]", "[ ]", false),
            (Bag, "[ a ]", "[ [ a ] ]", false),
            (Bag, "( +double ,3.5 )", "[ +double 3.5 ]", true),
            (Bag, "( a #t b _ )", "[ b nil a :1 ]", true),
            (Bag, "( a #t )", "[ a :0 ]", false),
            (Bag, "a", "b", false),
            (Bag, ":1", ":2", false),
            (
                Alike::XPENDING,
                "[ [ 1-1 c :100 :1 ] ]",
                "[ [ 1-1 c :7 :1 ] ]",
                true,
            ),
            (
                Alike::XPENDING,
                "[ [ 1-1 c :100 :1 ] ]",
                "[ [ 1-1 c :100 :2 ] ]",
                false,
            ),
            (
                Alike::XPENDING,
                "[ [ 1-1 c :100 :1 ] ]",
                "[ [ 1-2 c :100 :1 ] ]",
                false,
            ),
            (
                Alike::XPENDING,
                "[ :1 1-1 1-1 [ [ c 1 ] ] ]",
                "[ :2 1-1 1-1 [ [ c 1 ] ] ]",
                false,
            ),
            (
                Alike::XPENDING,
                "[ :1 1-1 1-1 [ [ a 1 ] [ b 1 ] [ c 1 ] [ d 1 ] ] ]",
                "[ :1 1-1 1-1 [ [ a 1 ] [ b 1 ] [ c 2 ] [ d 1 ] ] ]",
                false,
            ),
            (
                Alike::CONSUMERS,
                "[ [ name c pending :1 idle :5 ] ]",
                "[ [ name c pending :1 idle :9 ] ]",
                true,
            ),
            (
                Alike::CONSUMERS,
                "[ [ name c pending :1 idle :5 ] ]",
                "[ [ name c pending :2 idle :5 ] ]",
                false,
            ),
            (
                Alike::CONSUMERS,
                "[ [ name idle pending :1 ] ]",
                "[ [ name idle pending :2 ] ]",
                false,
            ),
            (
                Alike::STREAM,
                "[ length :1 radix-tree-keys :1 groups :1 ]",
                "[ length :1 radix-tree-keys :2 groups :1 ]",
                true,
            ),
            (
                Alike::STREAM,
                "[ length :1 groups :1 ]",
                "[ length :1 groups :2 ]",
                false,
            ),
            (
                Alike::STREAM,
                "[ groups [ [ name g pel [ [ 1-1 c :9 :1 ] ] consumers [ [ name c seen-time :9 pel [ [ 1-1 :9 :1 ] ] ] ] ] ] ]",
                "[ groups [ [ name g pel [ [ 1-1 c :8 :1 ] ] consumers [ [ name c seen-time :8 pel [ [ 1-1 :8 :1 ] ] ] ] ] ] ]",
                true,
            ),
            (
                Alike::STREAM,
                "[ groups [ [ name g consumers [ [ name c seen-time :9 pel [ [ 1-1 :9 :1 ] ] ] ] ] ] ]",
                "[ groups [ [ name g consumers [ [ name c seen-time :9 pel [ [ 1-1 :9 :2 ] ] ] ] ] ] ]",
                false,
            ),
        ] {
            let same = of(&reply(a), alike) == of(&reply(b), alike);
            assert_eq!(same, agree, "{a} {b} by {alike:?}");
        }
    }

    #[test]
    fn a_text_in_resp3_is_what_it_is_in_resp2() {
        for (three, two) in [
            ("=8\r\ntxt:some\r\n", "$4\r\nsome\r\n"),
            ("(12345\r\n", "$5\r\n12345\r\n"),
            ("_\r\n", "*-1\r\n"),
            ("!5\r\nERR x\r\n", "-ERR x\r\n"),
            ("~2\r\n:1\r\n:2\r\n", "*2\r\n:2\r\n:1\r\n"),
        ] {
            assert_eq!(of(three, Alike::Bag), of(two, Alike::Bag), "{three:?}");
        }
    }

    #[test]
    fn what_is_no_whole_reply_is_its_bytes() {
        for text in [
            "",
            "*",
            "*1",
            "*1\r\n",
            "*x\r\n",
            "*\r\n",
            "*99999999999999999999999\r\n",
            "*1\n$1\r\nx\r\n",
            "*1\r\n$18446744073709551615\r\nx\r\n",
            "*1\r\n$1\r\nx\r\n*0\r\n",
            "*2\r\n$1\r\nx\r\n",
            "$1\r\nxyz",
            "#x\r\n",
            "=2\r\nab\r\n",
            "%9223372036854775808\r\n",
        ] {
            for alike in [Alike::Groups(1), Alike::Kind, Alike::Bag, Alike::STREAM] {
                assert_eq!(
                    of(text, alike),
                    of(text, Alike::Bytes),
                    "{text:?} {alike:?}"
                );
            }
        }
        let deep = "*1\r\n".repeat(100_000) + ":1\r\n";
        assert_eq!(of(&deep, Alike::Bag), of(&deep, Alike::Bytes));
    }

    proptest! {
        #[test]
        fn cuts_do_not_matter(
            bytes in proptest::collection::vec(any::<u8>(), 0..60),
            cuts in proptest::collection::vec(0usize..200, 0..8),
        ) {
            let text = [b"*3\r\n$80\r\n".as_slice(), &[b'p'; 80], b"\r\n:1\r\n%1\r\n+a\r\n,1\r\n"].concat();
            for whole in [bytes.as_slice(), &text] {
                let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (whole.len() + 1)).collect();
                cuts.extend([0, whole.len()]);
                cuts.sort_unstable();
                let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &whole[cut[0]..cut[1]]).collect();
                for alike in [Alike::Groups(1), Alike::Kind, Alike::Bag, Alike::STREAM] {
                    let one = digest(std::iter::once(whole), alike);
                    prop_assert_eq!(digest(pieces.iter().copied(), alike), one);
                }
            }
        }
    }
}
