//! Turns RESP2 replies into RESP3 for clients that said `HELLO 3`.
//!
//! Datastores and peers are spoken to in RESP2; what a reply looks like in RESP3 follows from the command and
//! its arguments. Only of scripts and functions that is not so: those are asked for in RESP3 where the node is
//! no C node ([`Form::Native`]), and such a reply passes as it is. Nulls become `_` everywhere. Beyond that a command has a
//! [`Form`], chosen when the request is parsed; each form is a small tree of shapes laid over
//! the reply. Where a reply does not fit its shape (an error, an integer where a double was
//! expected) that part passes as it is. Source: Redis 7.0.15 asked in both protocols, which is
//! also what the tests do.

use memchr::memchr;

use super::command::Command;
use super::encode::header;
use super::keys::{integer, is};

/// What becomes of a command's reply.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Only nulls change.
    #[default]
    Plain,
    /// A flat array of names and values.
    Map,
    /// An array of such arrays.
    Maps,
    /// `SMEMBERS` and its like.
    Set,
    /// A score.
    Double,
    /// 1 or 0 for yes or no.
    Bool,
    /// An array of them.
    Bools,
    /// An array of scores.
    Doubles,
    /// `[member, score]`, or empty.
    FlatScore,
    /// Members and scores in turn become pairs.
    ScorePairs,
    /// Fields and values in turn become pairs.
    FieldPairs,
    /// Elements and scores in turn become a map.
    ScoreMap,
    /// An array of such arrays.
    ScoreMaps,
    /// Elements, scores and attributes in turn become a map to pairs.
    ScoredAttributes,
    /// `[key, [[member, score], …]]`.
    KeyScores,
    /// An array of coordinates.
    Positions,
    /// Members of a search, each with coordinates at its end if they were asked for.
    GeoMembers,
    /// An array of streams with their entries becomes a map.
    Streams,
    /// `XINFO STREAM`, with or without `FULL`.
    StreamInfo,
    /// `FUNCTION LIST`.
    Functions,
    /// `FUNCTION STATS`.
    FunctionStats,
    /// `MEMORY STATS`.
    MemoryStats,
    /// `LATENCY HISTOGRAM`.
    Histograms,
    /// `COMMAND DOCS`.
    Docs,
    /// Text for people.
    Verbatim,
    /// What a script or function returns: only the datastore knows. Of a RESP2 reply only nulls change.
    Native,
}

macro_rules! arguments {
    ($inner:expr) => {
        Shape::Each(&Shape::Named(&[
            ("flags", &Shape::Set),
            ("arguments", &$inner),
        ]))
    };
}

/// The document of a command; that of a container's subcommand holds no more subcommands.
const DOCUMENT: Shape = Shape::Named(&[
    ("doc_flags", &Shape::Set),
    ("history", &Shape::Set),
    ("arguments", &ARGUMENTS),
    ("subcommands", &Shape::Map(&SUBCOMMAND)),
]);
const SUBCOMMAND: Shape = Shape::Named(&[
    ("doc_flags", &Shape::Set),
    ("history", &Shape::Set),
    ("arguments", &ARGUMENTS),
]);
/// Arguments may be made of arguments. Redis' own are so at most four levels deep; what is deeper passes
/// as it is.
const ARGUMENTS: Shape = arguments!(arguments!(arguments!(arguments!(arguments!(Shape::Plain)))));

/// How a command's form follows from its arguments: a column of the command table.
#[derive(Clone, Copy, Debug)]
pub(super) enum FormRule {
    /// It does not.
    Is(Form),
    /// The second form from this number of arguments on, below it the first.
    Args(u8, Form, Form),
    /// The form if this word is at or behind an argument; else plain.
    Word(u8, &'static [u8], Form),
    /// The form if this word follows the keys counted by argument 1; else plain.
    Counted(&'static [u8], Form),
    /// As this says of the whole request.
    By(fn(&[&[u8]]) -> Form),
}

/// Of `VSIM key (ELE|FP32|VALUES) … [WITHSCORES] [WITHATTRIBS]`.
pub(super) fn vsim(args: &[&[u8]]) -> Form {
    let options = args.get(4..).unwrap_or_default();
    let has = |name: &str| options.iter().any(|word| is(word, name));
    match (has("withscores"), has("withattribs")) {
        (true, true) => Form::ScoredAttributes,
        (true, false) => Form::ScoreMap,
        (false, true) => Form::Map,
        (false, false) => Form::Plain,
    }
}

/// Of `VEMB key element [RAW]`.
pub(super) fn vemb(args: &[&[u8]]) -> Form {
    match args.len() {
        3 => Form::Doubles,
        _ => Form::Plain,
    }
}

/// One node of what a form does to a reply.
enum Shape {
    Plain,
    Set,
    Double,
    /// The integers 1 and 0.
    Bool,
    Verbatim,
    /// A flat array becomes a map from every third element to a pair, whose first is by the shape.
    Triples(&'static Shape),
    /// An array, each element by the shape.
    Each(&'static Shape),
    /// A flat array of names and values becomes a map; values by the shape.
    Map(&'static Shape),
    /// The same; values by the shape of their name, plain if not listed.
    Named(&'static [(&'static str, &'static Shape)]),
    /// A flat array becomes an array of pairs; every second one by the shape.
    Pairs(&'static Shape),
    /// An array whose second element is by the shape.
    Second(&'static Shape),
    /// An array whose last element is by the shape if it is an array itself.
    LastArray(&'static Shape),
    /// An array of `[key, value]` becomes a map.
    Entries,
    /// A double, or a map if it is an array.
    Gauge,
}

impl Form {
    fn shape(self) -> &'static Shape {
        use Shape::*;
        match self {
            Form::Plain | Form::Native => &Plain,
            Form::Map => &Map(&Plain),
            Form::Maps => &Each(&Map(&Plain)),
            Form::Set => &Set,
            Form::Double => &Double,
            Form::Bool => &Bool,
            Form::Bools => &Each(&Bool),
            Form::ScoreMap => &Map(&Double),
            Form::ScoreMaps => &Each(&Map(&Double)),
            Form::ScoredAttributes => &Triples(&Double),
            Form::Doubles => &Each(&Double),
            Form::FlatScore => &Second(&Double),
            Form::ScorePairs => &Pairs(&Double),
            Form::FieldPairs => &Pairs(&Plain),
            Form::KeyScores => &Second(&Each(&Second(&Double))),
            Form::Positions => &Each(&Each(&Double)),
            Form::GeoMembers => &Each(&LastArray(&Each(&Double))),
            Form::Streams => &Entries,
            Form::StreamInfo => &Named(&[(
                "groups",
                &Each(&Named(&[("consumers", &Each(&Map(&Plain)))])),
            )]),
            Form::Functions => &Each(&Named(&[("functions", &Each(&Named(&[("flags", &Set)])))])),
            Form::FunctionStats => &Named(&[
                ("running_script", &Map(&Plain)),
                ("engines", &Map(&Map(&Plain))),
            ]),
            Form::MemoryStats => &Map(&Gauge),
            Form::Histograms => &Map(&Named(&[("histogram_usec", &Map(&Plain))])),
            Form::Docs => &Map(&DOCUMENT),
            Form::Verbatim => &Verbatim,
        }
    }
}

/// The form of a request's reply. `args` is the whole request, name first.
pub fn form(command: &Command, args: &[&[u8]]) -> Form {
    let (from, word, form) = match command.form {
        FormRule::Is(form) => return form,
        FormRule::Args(count, below, form) => {
            return if args.len() >= usize::from(count) {
                form
            } else {
                below
            };
        }
        FormRule::Word(from, word, form) => (usize::from(from), word, form),
        FormRule::By(rule) => return rule(args),
        FormRule::Counted(word, form) => {
            let count = args.get(1).and_then(|text| integer(text)).unwrap_or(0);
            let count = usize::try_from(count).unwrap_or(0);
            (count.saturating_add(2), word, form)
        }
    };
    let options = args.get(from..).unwrap_or_default();
    if options.iter().any(|arg| arg.eq_ignore_ascii_case(word)) {
        form
    } else {
        Form::Plain
    }
}

impl Command {
    /// The form of its replies if the arguments do not matter; otherwise ask [`form`].
    #[inline]
    pub fn fixed_form(&self) -> Option<Form> {
        match self.form {
            FormRule::Is(form) => Some(form),
            _ => None,
        }
    }
}

/// Whether a reply passes unchanged, from its first bytes. Two bytes decide for everything that is
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
        rest: reply,
        out: &mut *out,
    };
    let whole = walk.shaped(form.shape()).is_some() && walk.rest.is_empty();
    if !whole {
        out.truncate(start);
        out.extend_from_slice(reply);
    }
}

/// A place in the reply, and where the converted part goes. `None` from any step means that the
/// reply is not valid. Recursion follows the shape, which is a few levels deep, never the reply.
struct Walk<'a, 'b> {
    rest: &'a [u8],
    out: &'b mut Vec<u8>,
}

/// An element's first line.
struct Head<'a> {
    kind: u8,
    line: &'a [u8],
    /// Length of a bulk string or an array; -1 for null; 0 for the rest.
    count: i64,
}

impl<'a> Walk<'a, '_> {
    fn peek(&self) -> Option<Head<'a>> {
        let end = memchr(b'\n', self.rest)? + 1;
        let line = self.rest.get(..end)?;
        let kind = *line.first()?;
        let count = match kind {
            b'$' | b'*' => integer(line.get(1..end.checked_sub(2)?)?)?,
            b'+' | b'-' | b':' => 0,
            _ => return None,
        };
        Some(Head { kind, line, count })
    }

    fn skip(&mut self, bytes: usize) -> Option<&'a [u8]> {
        let (head, rest) = self.rest.split_at_checked(bytes)?;
        self.rest = rest;
        Some(head)
    }

    /// Takes a bulk string, header and end included, and returns its payload.
    fn payload(&mut self, head: &Head<'a>) -> Option<&'a [u8]> {
        self.skip(head.line.len())?;
        let bytes = self.skip(usize::try_from(head.count).ok()?)?;
        self.skip(2)?;
        Some(bytes)
    }

    /// Passes over a line and writes this one.
    fn replaced(&mut self, line: &[u8]) -> Option<()> {
        self.skip(self.peek()?.line.len())?;
        self.out.extend_from_slice(line);
        Some(())
    }

    /// Enters an array and returns how many elements it has, `None` inside if it is no array.
    fn enter(&mut self) -> Option<Option<usize>> {
        let head = self.peek()?;
        if head.kind != b'*' || head.count < 0 {
            return Some(None);
        }
        self.skip(head.line.len())?;
        Some(Some(usize::try_from(head.count).ok()?))
    }

    fn shaped(&mut self, shape: &Shape) -> Option<()> {
        match shape {
            Shape::Plain => self.plain(),
            Shape::Double => self.leaf(|bytes, out| {
                out.push(b',');
                out.extend_from_slice(bytes);
            }),
            Shape::Bool => match self.peek()?.line {
                b":1\r\n" => self.replaced(b"#t\r\n"),
                b":0\r\n" => self.replaced(b"#f\r\n"),
                _ => self.plain(),
            },
            Shape::Verbatim => self.leaf(|bytes, out| {
                header(out, b'=', bytes.len() as i64 + 4);
                out.extend_from_slice(b"txt:");
                out.extend_from_slice(bytes);
            }),
            Shape::Gauge => {
                let inner = match self.peek()?.kind {
                    b'*' => &Shape::Map(&Shape::Plain),
                    _ => &Shape::Double,
                };
                self.shaped(inner)
            }
            _ => {
                let before = self.rest;
                match self.enter()? {
                    None => self.plain(),
                    Some(count) => self.inside(shape, count, before),
                }
            }
        }
    }

    /// An array of `count` elements whose header, the first line of `before`, has been taken.
    fn inside(&mut self, shape: &Shape, count: usize, before: &'a [u8]) -> Option<()> {
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
                (0..count).try_for_each(|at| match self.peek()?.kind {
                    b'*' if at + 1 == count => self.shaped(inner),
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
                    if self.enter()?? != 2 {
                        return None;
                    }
                    self.plain()?;
                    self.plain()
                })
            }
            _ => {
                self.rest = before;
                self.plain()
            }
        }
    }

    /// The shape listed for the name that comes next.
    fn named(&self, list: &'static [(&'static str, &'static Shape)]) -> Option<&'static Shape> {
        let head = self.peek()?;
        if head.kind != b'$' || head.count < 0 {
            return Some(&Shape::Plain);
        }
        let from = head.line.len();
        let name = self
            .rest
            .get(from..from + usize::try_from(head.count).ok()?)?;
        let found = list.iter().find(|(listed, _)| is(name, listed));
        Some(found.map_or(&Shape::Plain, |(_, shape)| shape))
    }

    /// A bulk string by `write`, which leaves out the last CR LF; anything else as it is.
    fn leaf(&mut self, write: impl Fn(&[u8], &mut Vec<u8>)) -> Option<()> {
        let head = self.peek()?;
        if head.kind != b'$' || head.count < 0 {
            return self.plain();
        }
        let bytes = self.payload(&head)?;
        write(bytes, self.out);
        self.out.extend_from_slice(b"\r\n");
        Some(())
    }

    /// One element with all it contains, only nulls changed. Copies whole stretches between nulls.
    fn plain(&mut self) -> Option<()> {
        let mut from = self.rest;
        let mut left: u64 = 1;
        while left > 0 {
            left -= 1;
            let head = self.peek()?;
            match head.kind {
                b'$' | b'*' if head.count < 0 => {
                    self.out
                        .extend_from_slice(from.get(..from.len() - self.rest.len())?);
                    self.out.extend_from_slice(b"_\r\n");
                    self.skip(head.line.len())?;
                    from = self.rest;
                }
                b'$' => {
                    self.payload(&head)?;
                }
                b'*' => {
                    self.skip(head.line.len())?;
                    left = left.checked_add(u64::try_from(head.count).ok()?)?;
                }
                _ => {
                    self.skip(head.line.len())?;
                }
            }
        }
        self.out
            .extend_from_slice(from.get(..from.len() - self.rest.len())?);
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
