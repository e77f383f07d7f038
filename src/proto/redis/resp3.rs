//! Turns RESP2 replies into RESP3 for clients that sent `HELLO 3`.
//!
//! Datastores and peers are spoken to in RESP2; the RESP3 form of a reply follows from the command and
//! its arguments. Only of scripts and functions that is not so: those are asked for in RESP3 where the node is
//! no C node ([`Form::Native`]), and such a reply passes as it is. Nulls become `_` everywhere. Beyond that a command has a
//! [`Form`], chosen when the request is parsed; each form is a small tree of shapes laid over
//! the reply. Where a reply does not fit its shape (an error, an integer where a double was
//! expected) that part passes as it is. Source: Redis 7.0.15 asked in both protocols, which is
//! also what the tests do.

mod form;
mod shape;

pub use form::{Form, form};
pub(super) use form::{FormRule, vemb, vsim};

use self::shape::Shape;
use super::cursor::{Cursor, Head};
use super::encode::header;
use super::keys::is;
use std::iter::Empty;

/// Returns true if a reply passes unchanged, from its first bytes. Two bytes decide for everything that is
/// not an array; fewer, or an array, are answered `false`, which is always safe.
#[inline]
pub fn is_identity(form: Form, start: &[u8]) -> bool {
    match start {
        [b':', ..] => form != Form::Bool,
        [b'+' | b'-', ..] => true,
        [b'$', b'-', ..] => false,
        [b'$', _, ..] => !matches!(form, Form::Double | Form::Verbatim),
        _ => false,
    }
}

/// Appends the RESP3 form of a reply to `out`.
///
/// `reply` is one complete, valid RESP2 reply and nothing else. If it is not, it is appended
/// unchanged.
pub fn convert(form: Form, reply: &[u8], out: &mut Vec<u8>) {
    let start = out.len();
    let mut walk = Walk {
        cursor: Cursor::of(reply),
        out: &mut *out,
    };
    let whole = walk.shaped(form.shape()).is_some() && walk.cursor.is_done();
    if !whole {
        out.truncate(start);
        out.extend_from_slice(reply);
    }
}

/// A place in the reply, and where the converted part goes. `None` from any step means that the
/// reply is not valid. Recursion follows the shape, which is a few levels deep, never the reply.
struct Walk<'a, 'b> {
    cursor: Cursor<'a, Empty<&'a [u8]>>,
    out: &'b mut Vec<u8>,
}

impl<'a> Walk<'a, '_> {
    fn peek(&self) -> Option<Head> {
        self.cursor.clone().head()
    }

    /// Passes over a line and writes this one.
    fn replaced(&mut self, line: &[u8]) -> Option<()> {
        self.cursor.skip()?;
        self.out.extend_from_slice(line);
        Some(())
    }

    fn shaped(&mut self, shape: &Shape) -> Option<()> {
        match shape {
            Shape::Plain => self.plain(),
            Shape::Double => self.leaf(|bytes, out| {
                out.push(b',');
                out.extend_from_slice(bytes);
            }),
            Shape::Bool => match self.cursor.rest() {
                [b':', b'1', b'\r', ..] => self.replaced(b"#t\r\n"),
                [b':', b'0', b'\r', ..] => self.replaced(b"#f\r\n"),
                _ => self.plain(),
            },
            Shape::Verbatim => self.leaf(|bytes, out| {
                header(out, b'=', bytes.len() as i64 + 4);
                out.extend_from_slice(b"txt:");
                out.extend_from_slice(bytes);
            }),
            Shape::Gauge => {
                let inner = match self.peek()? {
                    Head::List(..) => &Shape::Map(&Shape::Plain),
                    _ => &Shape::Double,
                };
                self.shaped(inner)
            }
            _ => {
                let before = self.cursor.clone();
                let done = match self.cursor.head()? {
                    Head::List(b'*', count) => self.inside(shape, usize::try_from(count).ok()?)?,
                    _ => false,
                };
                if done {
                    return Some(());
                }
                self.cursor = before;
                self.plain()
            }
        }
    }

    /// An array of `count` elements whose header has been read. Returns true if the shape is one for that count;
    /// if not, nothing was written.
    fn inside(&mut self, shape: &Shape, count: usize) -> Option<bool> {
        let number = count as i64;
        match shape {
            Shape::Set => {
                header(self.out, b'~', number);
                (0..count).try_for_each(|_| self.plain())
            }
            Shape::Each(inner) => {
                header(self.out, b'*', number);
                (0..count).try_for_each(|_| self.shaped(inner))
            }
            Shape::Second(inner) => {
                header(self.out, b'*', number);
                (0..count).try_for_each(|at| match at {
                    1 => self.shaped(inner),
                    _ => self.plain(),
                })
            }
            Shape::LastArray(inner) => {
                header(self.out, b'*', number);
                (0..count).try_for_each(|at| match self.peek()? {
                    Head::List(b'*', _) if at + 1 == count => self.shaped(inner),
                    _ => self.plain(),
                })
            }
            Shape::Map(inner) if count.is_multiple_of(2) => {
                header(self.out, b'%', number / 2);
                (0..count / 2).try_for_each(|_| {
                    self.plain()?;
                    self.shaped(inner)
                })
            }
            Shape::Named(list) if count.is_multiple_of(2) => {
                header(self.out, b'%', number / 2);
                (0..count / 2).try_for_each(|_| {
                    let inner = self.named(list)?;
                    self.plain()?;
                    self.shaped(inner)
                })
            }
            Shape::Pairs(inner) if count.is_multiple_of(2) => {
                header(self.out, b'*', number / 2);
                (0..count / 2).try_for_each(|_| {
                    header(self.out, b'*', 2);
                    self.plain()?;
                    self.shaped(inner)
                })
            }
            Shape::Triples(inner) if count.is_multiple_of(3) => {
                header(self.out, b'%', number / 3);
                (0..count / 3).try_for_each(|_| {
                    self.plain()?;
                    header(self.out, b'*', 2);
                    self.shaped(inner)?;
                    self.plain()
                })
            }
            Shape::Entries => {
                header(self.out, b'%', number);
                (0..count).try_for_each(|_| {
                    if self.cursor.head()? != Head::List(b'*', 2) {
                        return None;
                    }
                    self.plain()?;
                    self.plain()
                })
            }
            _ => return Some(false),
        }?;
        Some(true)
    }

    /// The shape listed for the name that comes next.
    fn named(&self, list: &'static [(&'static str, &'static Shape)]) -> Option<&'static Shape> {
        let mut cursor = self.cursor.clone();
        let Head::Bulk(b'$', len) = cursor.head()? else {
            return Some(&Shape::Plain);
        };
        let name = cursor.rest().get(..usize::try_from(len).ok()?)?;
        let found = list.iter().find(|(listed, _)| is(name, listed));
        Some(found.map_or(&Shape::Plain, |(_, shape)| shape))
    }

    /// A bulk string by `write`, which leaves out the last CR LF; anything else as it is.
    fn leaf(&mut self, write: impl Fn(&[u8], &mut Vec<u8>)) -> Option<()> {
        let before = self.cursor.clone();
        let Head::Bulk(b'$', len) = self.cursor.head()? else {
            self.cursor = before;
            return self.plain();
        };
        let bytes = self.cursor.rest().get(..usize::try_from(len).ok()?)?;
        self.cursor.content(len, |_| {})?;
        write(bytes, self.out);
        self.out.extend_from_slice(b"\r\n");
        Some(())
    }

    /// One element with all it contains, only nulls changed. Copies whole stretches between nulls.
    fn plain(&mut self) -> Option<()> {
        let mut from = self.cursor.rest();
        let mut left: u64 = 1;
        while left > 0 {
            left -= 1;
            let before = self.cursor.rest();
            match self.cursor.head()? {
                Head::Null => {
                    self.out
                        .extend_from_slice(from.get(..from.len() - before.len())?);
                    self.out.extend_from_slice(b"_\r\n");
                    from = self.cursor.rest();
                }
                Head::Bulk(_, len) => self.cursor.content(len, |_| {})?,
                Head::List(_, count) => left = left.checked_add(count)?,
                Head::Line(_) => self.cursor.line(|_| {})?,
            }
        }
        self.out
            .extend_from_slice(from.get(..from.len() - self.cursor.rest().len())?);
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A reply as a tree: what it is in RESP2, and with only its nulls changed.
    fn reply() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
        let same = |bytes: Vec<u8>| (bytes.clone(), bytes);
        let leaf = prop_oneof![
            Just((b"$-1\r\n".to_vec(), b"_\r\n".to_vec())),
            Just((b"*-1\r\n".to_vec(), b"_\r\n".to_vec())),
            any::<i64>().prop_map(move |n| same(format!(":{n}\r\n").into_bytes())),
            Just(same(b"+fine\r\n".to_vec())),
            Just(same(b"-ERR not so\r\n".to_vec())),
            proptest::collection::vec(any::<u8>(), 0..9).prop_map(move |bytes| {
                let mut out = Vec::new();
                crate::proto::redis::encode::bulk(&mut out, &bytes);
                same(out)
            }),
        ];
        leaf.prop_recursive(6, 60, 6, |inner| {
            proptest::collection::vec(inner, 0..6).prop_map(|list| {
                let head = format!("*{}\r\n", list.len()).into_bytes();
                let (mut two, mut three) = (head.clone(), head);
                for (a, b) in list {
                    two.extend(a);
                    three.extend(b);
                }
                (two, three)
            })
        })
    }

    const FORMS: [Form; 26] = [
        Form::Plain,
        Form::Map,
        Form::Maps,
        Form::Set,
        Form::Double,
        Form::Doubles,
        Form::FlatScore,
        Form::ScorePairs,
        Form::FieldPairs,
        Form::KeyScores,
        Form::Positions,
        Form::GeoMembers,
        Form::Streams,
        Form::StreamInfo,
        Form::Functions,
        Form::FunctionStats,
        Form::MemoryStats,
        Form::Histograms,
        Form::Verbatim,
        Form::Native,
        Form::Docs,
        Form::Bool,
        Form::Bools,
        Form::ScoreMap,
        Form::ScoreMaps,
        Form::ScoredAttributes,
    ];

    /// As the documentation of Redis 8 shows them; the tests' datastore is older.
    #[test]
    fn replies_of_newer_commands() {
        for (line, resp2, resp3) in [
            ("vadd k fp32 x e", ":1\r\n", "#t\r\n"),
            ("vrem k e", ":0\r\n", "#f\r\n"),
            ("vrem k e", "-ERR x\r\n", "-ERR x\r\n"),
            ("bf.madd k a b", "*2\r\n:1\r\n:0\r\n", "*2\r\n#t\r\n#f\r\n"),
            ("vemb k e", "*1\r\n$3\r\n0.5\r\n", "*1\r\n,0.5\r\n"),
            (
                "vemb k e raw",
                "*2\r\n+q8\r\n$1\r\nx\r\n",
                "*2\r\n+q8\r\n$1\r\nx\r\n",
            ),
            ("vsim k ele e", "*1\r\n$1\r\na\r\n", "*1\r\n$1\r\na\r\n"),
            (
                "vsim k ele e withscores",
                "*2\r\n$1\r\na\r\n$1\r\n1\r\n",
                "%1\r\n$1\r\na\r\n,1\r\n",
            ),
            (
                "vsim k ele withscores WITHATTRIBS count 2 withscores",
                "*6\r\n$1\r\na\r\n$1\r\n1\r\n$-1\r\n$1\r\nb\r\n$3\r\n0.5\r\n$2\r\n{}\r\n",
                "%2\r\n$1\r\na\r\n*2\r\n,1\r\n_\r\n$1\r\nb\r\n*2\r\n,0.5\r\n$2\r\n{}\r\n",
            ),
            (
                "vlinks k e withscores",
                "*1\r\n*2\r\n$1\r\na\r\n$1\r\n1\r\n",
                "*1\r\n%1\r\n$1\r\na\r\n,1\r\n",
            ),
            (
                "increx k byfloat 0.5",
                "*2\r\n$3\r\n1.5\r\n$3\r\n0.5\r\n",
                "*2\r\n,1.5\r\n,0.5\r\n",
            ),
            ("increx k", "*2\r\n:2\r\n:1\r\n", "*2\r\n:2\r\n:1\r\n"),
            (
                "zrank z a withscore",
                "*2\r\n:0\r\n$3\r\n1.5\r\n",
                "*2\r\n:0\r\n,1.5\r\n",
            ),
            (
                "vinfo k",
                "*2\r\n$4\r\nsize\r\n:3\r\n",
                "%1\r\n$4\r\nsize\r\n:3\r\n",
            ),
        ] {
            let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let command = crate::proto::redis::lookup::lookup(args[0]).unwrap();
            let form = form(command, &args);
            let mut out = Vec::new();
            convert(form, resp2.as_bytes(), &mut out);
            assert_eq!(String::from_utf8_lossy(&out), resp3, "{line}");
            let passes = is_identity(form, &resp2.as_bytes()[..2]);
            assert!(!passes || resp2 == resp3, "{line}");
        }
    }

    proptest! {
        #[test]
        fn nulls_change_at_every_depth((two, three) in reply()) {
            let mut out = Vec::new();
            convert(Form::Plain, &two, &mut out);
            prop_assert_eq!(out, three);
        }

        #[test]
        fn what_is_called_unchanged_is((two, _) in reply()) {
            for form in FORMS {
                let mut out = Vec::new();
                convert(form, &two, &mut out);
                prop_assert!(!is_identity(form, &two) || out == two, "{:?}", form);
            }
        }

        #[test]
        fn a_cut_or_spoilt_reply_passes_as_it_is((two, _) in reply(), cut in any::<prop::sample::Index>(), extra in any::<u8>()) {
            let cut = &two[..cut.index(two.len())];
            let longer = [&two[..], &[extra]].concat();
            for form in FORMS {
                for bytes in [cut, &longer] {
                    let mut out = Vec::new();
                    convert(form, bytes, &mut out);
                    prop_assert_eq!(&out, bytes, "{:?}", form);
                }
            }
        }
    }
}
