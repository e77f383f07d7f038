//! Which parts of two replicas' replies must be equal for the replicas to agree: a column of the command table.
//!
//! Two replicas with the same data do not answer every command with the same bytes: sets come in any order,
//! times that are left or idle are each replica's own, as are encodings, memory and what `DUMP` writes.
//! Replies are compared by what follows from the data alone, so that equal data agree. What is left out of
//! the comparison may differ unseen, so as little is left out as that allows. The digests are made in
//! `digest.rs`.

/// The parts of a reply that count in a comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Alike {
    /// All of it.
    Bytes,
    /// All of it; and it is a list of values of which each may have a majority of its own (`MGET`).
    Values,
    /// What kind of reply it is: a bulk string is not null, an integer is not negative, an array has so many
    /// elements. For values drawn by chance, times and encodings.
    Kind,
    /// Of an integer that it is not negative, of anything else all.
    Integer,
    /// The elements of an array, in groups of this many, in any order: 1 for sets, 2 for fields with values.
    Groups(u8),
    /// Each element of an array by this.
    Each(&'static Alike),
    /// The elements of an array by their places, all of those behind.
    Tuple(&'static [Alike]),
    /// The values behind these names of an array of names and values by these, all of the others.
    Fields(&'static [(&'static str, Alike)]),
    /// The elements of arrays of any depth in any order, and in RESP3 what they are in RESP2: for scripts, which
    /// may return what other commands do, and from C nodes come in RESP2.
    Bag,
    /// What `SORT` returns: without sorting it may be a set in any order.
    Sort,
}

use Alike::*;

/// An entry in a group's list of pending ones: id, consumer, when or how long ago it was delivered, how often.
const PENDING: Alike = Each(&Tuple(&[Bytes, Bytes, Integer, Bytes]));
/// The same in a consumer's list.
const OWN_PENDING: Alike = Each(&Tuple(&[Bytes, Integer, Bytes]));
const CONSUMER: Alike = Fields(&[
    ("seen-time", Integer),
    ("active-time", Integer),
    ("pel", OWN_PENDING),
    ("pending", OWN_PENDING),
]);
const GROUP: Alike = Fields(&[
    ("pel", PENDING),
    ("pending", PENDING),
    ("consumers", Each(&CONSUMER)),
]);

impl Alike {
    /// `XPENDING`, both forms: only the long one has entries of four.
    pub const XPENDING: Alike = PENDING;
    /// `XINFO CONSUMERS`.
    pub const CONSUMERS: Alike = Each(&Fields(&[("idle", Integer), ("inactive", Integer)]));
    /// `XINFO STREAM`, with and without `FULL`. How the index is built depends on what was there before.
    pub const STREAM: Alike = Fields(&[
        ("radix-tree-keys", Integer),
        ("radix-tree-nodes", Integer),
        ("groups", Each(&GROUP)),
    ]);

    /// The same for a request with these arguments, name first.
    pub fn of(self, args: &[&[u8]]) -> Alike {
        match self {
            Sort => sort(args),
            other => other,
        }
    }
}

/// `SORT key … BY pattern` with a pattern that has no `*` does not sort.
fn sort(args: &[&[u8]]) -> Alike {
    let (mut sorts, mut limited, mut gets) = (true, false, 0u8);
    let mut options = args.get(2..).unwrap_or_default();
    loop {
        options = match options {
            [] => break,
            [word, pattern, rest @ ..] if word.eq_ignore_ascii_case(b"by") => {
                sorts = pattern.contains(&b'*');
                rest
            }
            [word, _, rest @ ..] if word.eq_ignore_ascii_case(b"get") => {
                gets = gets.saturating_add(1);
                rest
            }
            [word, _, _, rest @ ..] if word.eq_ignore_ascii_case(b"limit") => {
                limited = true;
                rest
            }
            [word, _, rest @ ..] if word.eq_ignore_ascii_case(b"store") => rest,
            [_, rest @ ..] => rest,
        };
    }
    match (sorts, limited) {
        (true, _) => Bytes,
        // Which elements these are is by chance, too.
        (false, true) => Kind,
        (false, false) => Groups(gets.max(1)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sort_says_by_its_arguments_whether_it_sorts() {
        for (line, alike) in [
            ("sort k", Bytes),
            ("sort k alpha limit 0 2", Bytes),
            ("sort k by w*", Bytes),
            ("sort k by w* get nosort get by", Bytes),
            ("sort k by nosort", Groups(1)),
            ("sort k by nosort get #", Groups(1)),
            ("sort k desc BY nosort get # GET a*", Groups(2)),
            ("sort_ro k by nosort limit 0 2 get #", Kind),
            ("sort k by nosort store limit", Groups(1)),
        ] {
            let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            assert_eq!(Sort.of(&args), alike, "{line}");
        }
        assert_eq!(Kind.of(&[]), Kind);
    }
}
