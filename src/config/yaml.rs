//! The file as text: one pool of keys, each with its values as they were written.
//!
//! The shape is that of the C original: one document, a root mapping with one key (the pool's
//! name), below it `key: value` or `key:` and a list of values, nothing deeper. Values are never
//! typed: `0x10`, `yes`, `22:33` and `~` are text.
//!
//! `serde_yaml` types what it is asked for without a type and resolves anchors and aliases without
//! saying so, so the file is read three times, always through the same parser:
//! 1. [`Shape`] learns of every node whether it is a scalar, a list or a mapping;
//! 2. [`places`](super::place) looks for what the original refuses: anchors, aliases, tags,
//!    directives, flow mappings;
//! 3. [`Words`] reads every scalar as text, led by the shape.
//!
//! Nodes are numbered in the order they are written, the root being 0; a number is enough to find
//! the node's place again when something is wrong with it.

use super::place::Places;
use super::problem::Problem;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Error, IgnoredAny, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use std::cell::Cell;
use std::fmt;

/// A scalar as it was written, without quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The text.
    pub text: String,
    /// The node's number.
    pub node: usize,
}

/// One key and its values; a list has one value for each item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The key.
    pub key: Word,
    /// The values in order; none for `key: []`.
    pub values: Vec<Word>,
}

/// The whole file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pool {
    /// The root key.
    pub name: String,
    /// The keys in the order of the file.
    pub entries: Vec<Entry>,
    /// Known keys beside the pool, at root level.
    pub beside: Vec<Word>,
}

/// What a node is, with its number.
#[derive(Clone, Debug)]
pub(super) enum Shape {
    Scalar(usize),
    List(usize, Vec<Shape>),
    Mapping(usize, Vec<(Shape, Shape)>),
    /// There is no node at all.
    Nothing,
}

/// Reads the shape of a document. Refuses the node numbered `stop`, whose place the parser then
/// reports with the refusal: that is how places are found.
#[derive(Clone, Copy)]
pub(super) struct Shapes<'a> {
    pub next: &'a Cell<usize>,
    pub stop: usize,
}

impl Shapes<'_> {
    fn number<E: Error>(self) -> Result<usize, E> {
        let number = self.next.get();
        if number == self.stop {
            return Err(E::custom("stop here"));
        }
        self.next.set(number + 1);
        Ok(number)
    }
}

impl<'de> DeserializeSeed<'de> for Shapes<'_> {
    type Value = Shape;

    fn deserialize<D: Deserializer<'de>>(self, node: D) -> Result<Shape, D::Error> {
        node.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Shapes<'_> {
    type Value = Shape;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_bool<E: Error>(self, _: bool) -> Result<Shape, E> {
        self.number().map(Shape::Scalar)
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<Shape, E> {
        self.number().map(Shape::Scalar)
    }

    fn visit_i128<E: Error>(self, _: i128) -> Result<Shape, E> {
        self.number().map(Shape::Scalar)
    }

    fn visit_u64<E: Error>(self, _: u64) -> Result<Shape, E> {
        self.number().map(Shape::Scalar)
    }

    fn visit_u128<E: Error>(self, _: u128) -> Result<Shape, E> {
        self.number().map(Shape::Scalar)
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<Shape, E> {
        self.number().map(Shape::Scalar)
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Shape, E> {
        self.number().map(Shape::Scalar)
    }

    fn visit_unit<E: Error>(self) -> Result<Shape, E> {
        self.number().map(Shape::Scalar)
    }

    fn visit_none<E: Error>(self) -> Result<Shape, E> {
        Ok(Shape::Nothing)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Shape, A::Error> {
        let number = self.number()?;
        let mut items = Vec::new();
        while let Some(item) = list.next_element_seed(self)? {
            items.push(item);
        }
        Ok(Shape::List(number, items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Shape, A::Error> {
        let number = self.number()?;
        let mut entries = Vec::new();
        while let Some(entry) = map.next_entry_seed(self, self)? {
            entries.push(entry);
        }
        Ok(Shape::Mapping(number, entries))
    }

    // A tagged node: the tag first, then the node itself.
    fn visit_enum<A: EnumAccess<'de>>(self, tagged: A) -> Result<Shape, A::Error> {
        let (IgnoredAny, node) = tagged.variant()?;
        node.newtype_variant_seed(self)
    }
}

/// The text of a document's nodes.
enum Words {
    Scalar(Word),
    List(Vec<Words>),
    Mapping(Vec<(Words, Words)>),
}

/// Reads what a [`Shape`] says is there, scalars as text.
#[derive(Clone, Copy)]
struct Reading<'a>(&'a Shape);

impl<'de> DeserializeSeed<'de> for Reading<'_> {
    type Value = Words;

    fn deserialize<D: Deserializer<'de>>(self, node: D) -> Result<Words, D::Error> {
        match self.0 {
            Shape::Scalar(_) => node.deserialize_str(self),
            Shape::List(..) => node.deserialize_seq(self),
            Shape::Mapping(..) => node.deserialize_map(self),
            Shape::Nothing => Err(D::Error::custom("no document")),
        }
    }
}

impl<'de> Visitor<'de> for Reading<'_> {
    type Value = Words;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the same YAML as before")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Words, E> {
        let Shape::Scalar(node) = *self.0 else {
            return Err(E::custom("a scalar has appeared"));
        };
        Ok(Words::Scalar(Word {
            text: text.to_owned(),
            node,
        }))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Words, A::Error> {
        let Shape::List(_, shapes) = self.0 else {
            return Err(A::Error::custom("a list has appeared"));
        };
        let mut items = Vec::with_capacity(shapes.len());
        for shape in shapes {
            items.extend(list.next_element_seed(Reading(shape))?);
        }
        Ok(Words::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Words, A::Error> {
        let Shape::Mapping(_, shapes) = self.0 else {
            return Err(A::Error::custom("a mapping has appeared"));
        };
        let mut entries = Vec::with_capacity(shapes.len());
        for (key, value) in shapes {
            entries.extend(map.next_entry_seed(Reading(key), Reading(value))?);
        }
        Ok(Words::Mapping(entries))
    }
}

/// Reads the file's text into its [`Pool`]; `file` is the name messages use.
///
/// Errors carry the original's words for a structure it refuses. Accepted beyond the original:
/// `---`, `...`, and lists in brackets, which generators write for an empty list.
pub fn read(places: &Places<'_>, file: &str) -> Result<Pool, Vec<Problem>> {
    let shape = places.document(file).map_err(|problem| vec![problem])?;
    let disallowed = places.disallowed();
    if !disallowed.is_empty() {
        return Err(disallowed);
    }
    check(&shape, places, file)?;
    let words = serde_yaml::Deserializer::from_str(places.text())
        .next()
        .ok_or_else(|| vec![Problem::new(no_document(file, 0))])
        .and_then(|document| {
            Reading(&shape)
                .deserialize(document)
                .map_err(|error| vec![places.syntax(&error)])
        })?;
    Ok(pool(words))
}

/// The original's words for a file that does not hold exactly one document.
pub(super) fn no_document(file: &str, found: usize) -> String {
    format!("conf: '{file}' must contain only 1 document; found {found} documents")
}

/// What is behind most keys that stand at root level.
pub(super) const INDENTED: &str =
    "keys stand indented below the pool's name, each with a blank after its colon";

/// Refuses any shape but a pool of keys with values, reporting everything that is wrong.
fn check(root: &Shape, places: &Places<'_>, file: &str) -> Result<(), Vec<Problem>> {
    let mut problems = Vec::new();
    let mut refuse = |node: usize, what: &str| {
        if problems.len() < super::problem::MAX_PROBLEMS {
            problems.push(places.problem(format!("conf: '{file}' has {what}"), node));
        }
    };
    match root {
        Shape::Nothing => {}
        Shape::Scalar(node) => refuse(*node, "invalid empty \"key:\" at depth 0"),
        Shape::List(node, _) => refuse(*node, "sequence at depth 0 instead of 2"),
        Shape::Mapping(node, entries) => {
            let mut pools = 0;
            for (key, value) in entries {
                let Shape::Scalar(key) = *key else {
                    refuse(key.node(), "invalid \"key:value\" at depth 1");
                    continue;
                };
                match value {
                    Shape::Mapping(_, entries) => {
                        pools += 1;
                        if pools > 1 {
                            refuse(key, "more than one pool; only one is served");
                        }
                        check_pool(entries, &mut refuse);
                    }
                    Shape::List(node, _) => refuse(*node, "sequence at depth 1 instead of 2"),
                    // The text decides later whether it is a known key of an older version.
                    _ => {}
                }
            }
            if pools == 0 {
                let at = entries.first().map_or(*node, |(key, _)| key.node());
                refuse(
                    at,
                    &format!("invalid mapping \"key:\" at depth 1, {INDENTED}"),
                );
            }
        }
    }
    if problems.is_empty() {
        Ok(())
    } else {
        Err(problems)
    }
}

fn check_pool(entries: &[(Shape, Shape)], refuse: &mut impl FnMut(usize, &str)) {
    for (key, value) in entries {
        if !matches!(key, Shape::Scalar(_)) {
            refuse(key.node(), "invalid \"key:value\" at depth 2");
        }
        match value {
            Shape::Scalar(_) | Shape::Nothing => {}
            Shape::Mapping(node, _) => refuse(*node, "a depth greater than 2"),
            Shape::List(_, items) => {
                for item in items {
                    match item {
                        Shape::Scalar(_) | Shape::Nothing => {}
                        Shape::Mapping(node, _) => refuse(*node, "a depth greater than 2"),
                        Shape::List(node, _) => {
                            refuse(*node, "more than one sequence directive");
                        }
                    }
                }
            }
        }
    }
}

impl Shape {
    fn node(&self) -> usize {
        match self {
            Shape::Scalar(node) | Shape::List(node, _) | Shape::Mapping(node, _) => *node,
            Shape::Nothing => 0,
        }
    }
}

/// The pool in a document whose shape has been checked.
fn pool(words: Words) -> Pool {
    let mut pool = Pool {
        name: String::new(),
        entries: Vec::new(),
        beside: Vec::new(),
    };
    let Words::Mapping(roots) = words else {
        return pool;
    };
    for root in roots {
        match root {
            (Words::Scalar(name), Words::Mapping(entries)) => {
                pool.name = name.text;
                pool.entries = entries.into_iter().filter_map(entry).collect();
            }
            (Words::Scalar(key), _) => pool.beside.push(key),
            _ => {}
        }
    }
    pool
}

fn entry((key, value): (Words, Words)) -> Option<Entry> {
    let Words::Scalar(key) = key else {
        return None;
    };
    let values = match value {
        Words::Scalar(word) => vec![word],
        Words::List(items) => items
            .into_iter()
            .filter_map(|item| match item {
                Words::Scalar(word) => Some(word),
                _ => None,
            })
            .collect(),
        Words::Mapping(_) => Vec::new(),
    };
    Some(Entry { key, values })
}
