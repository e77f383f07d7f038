//! The one pool of keys that a file holds.
//!
//! The shape is that of the C original: a root mapping with one key (the pool's name), below it `key: value`
//! or `key:` and a list of values, nothing deeper. Accepted beyond the original: `---`, `...`, and lists in
//! brackets, which generators write for an empty list.

use super::problem::{MAX_PROBLEMS, Place, Problem};
use super::yaml::{self, Node, Source, Word};

/// One key and its values; a list has one value for each item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Word,
    /// The values in order; none for `key: []`.
    pub values: Vec<Word>,
}

/// The whole file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pool {
    /// The root key.
    pub name: String,
    /// The keys in the order of the file.
    pub entries: Vec<Entry>,
    /// Keys beside the pool, at root level, that have a value.
    pub beside: Vec<Word>,
}

/// The hint for keys at root level: most were meant to be indented.
pub(super) const INDENTED: &str =
    "keys stand indented below the pool's name, each with a blank after its colon";

/// A file that only overrides another may have no key at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Empty {
    Allowed,
    Refused,
}

/// Reads the pool of a file's text.
///
/// # Errors
/// The first YAML error, or all problems of its shape, in the original's words.
pub(super) fn read(source: &Source<'_>, empty: Empty) -> Result<Pool, Vec<Problem>> {
    let root = match yaml::document(source)? {
        Some(root) => root,
        None if empty == Empty::Allowed => return Ok(Pool::default()),
        None => return Err(vec![yaml::no_document(source, 0)]),
    };
    let mut problems = Vec::new();
    let pool = pool(root, empty, &mut |place, what| {
        if problems.len() < MAX_PROBLEMS {
            let text = format!("conf: '{}' has {what}", source.name);
            problems.push(Problem::at(text, place));
        }
    });
    if problems.is_empty() {
        Ok(pool)
    } else {
        Err(problems)
    }
}

fn pool(root: Node, empty: Empty, refuse: &mut impl FnMut(Place, &str)) -> Pool {
    let mut pool = Pool::default();
    let (root, entries) = match root {
        Node::Scalar(word) if word.text.is_empty() && empty == Empty::Allowed => return pool,
        Node::Scalar(word) => {
            refuse(word.place, "invalid empty \"key:\" at depth 0");
            return pool;
        }
        Node::List(place, _) => {
            refuse(place, "sequence at depth 0 instead of 2");
            return pool;
        }
        Node::Mapping(place, entries) => (place, entries),
    };
    let first = entries.first().map_or(root, |(key, _)| key.place());
    let mut pools = 0;
    for (key, value) in entries {
        let Node::Scalar(key) = key else {
            refuse(key.place(), "invalid \"key:value\" at depth 1");
            continue;
        };
        let below = match value {
            Node::Mapping(_, below) => below,
            Node::List(place, _) => {
                refuse(place, "sequence at depth 1 instead of 2");
                continue;
            }
            // A pool of which every key is commented out.
            Node::Scalar(word) if word.text.is_empty() && empty == Empty::Allowed => Vec::new(),
            // Whether it is a known key of an older version is checked later.
            Node::Scalar(_) => {
                pool.beside.push(key);
                continue;
            }
        };
        pools += 1;
        if pools > 1 {
            refuse(key.place, "more than one pool; only one is served");
        }
        pool.name = key.text;
        pool.entries = below
            .into_iter()
            .filter_map(|(key, value)| entry(key, value, refuse))
            .collect();
    }
    if pools == 0 {
        let what = format!("invalid mapping \"key:\" at depth 1, {INDENTED}");
        refuse(first, &what);
    }
    pool
}

fn entry(key: Node, value: Node, refuse: &mut impl FnMut(Place, &str)) -> Option<Entry> {
    let key = match key {
        Node::Scalar(key) => Some(key),
        _ => {
            refuse(key.place(), "invalid \"key:value\" at depth 2");
            None
        }
    };
    let values = match value {
        Node::Scalar(word) => vec![word],
        Node::Mapping(place, _) => {
            refuse(place, "a depth greater than 2");
            Vec::new()
        }
        Node::List(_, items) => items
            .into_iter()
            .filter_map(|item| match item {
                Node::Scalar(word) => Some(word),
                Node::Mapping(place, _) => {
                    refuse(place, "a depth greater than 2");
                    None
                }
                Node::List(place, _) => {
                    refuse(place, "more than one sequence directive");
                    None
                }
            })
            .collect(),
    };
    Some(Entry { key: key?, values })
}
