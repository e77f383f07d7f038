//! The file's text as a tree of nodes, each with its place.
//!
//! One pass over the events of the parser that the C original reads its file with ([`sys::yaml`](crate::sys::yaml)).
//! Values are never typed: `0x10`, `yes`, `22:33` and `~` are text. What the original refuses although it is
//! YAML is refused here too: anchors, aliases, tags, directives, flow mappings, several documents.

use super::problem::{Place, Problem};
use crate::sys::yaml::{Error, Event, Kind, Mark, Parser};
use std::sync::Arc;

/// Most levels of nesting that are read; a configuration has three.
const MAX_DEPTH: usize = 64;

/// A scalar as it was written, without quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Word {
    /// The text.
    pub text: String,
    /// The position at which it begins.
    pub place: Place,
}

/// One node of the document.
#[derive(Debug)]
pub(super) enum Node {
    Scalar(Word),
    List(Place, Vec<Node>),
    Mapping(Place, Vec<(Node, Node)>),
}

impl Node {
    /// The position at which the node begins.
    pub fn place(&self) -> Place {
        match self {
            Node::Scalar(word) => word.place.clone(),
            Node::List(place, _) | Node::Mapping(place, _) => place.clone(),
        }
    }
}

/// A list or a mapping whose end has not been read. A mapping's keys and values alternate.
struct Open {
    place: Place,
    is_mapping: bool,
    children: Vec<Node>,
}

impl Open {
    fn close(self) -> Node {
        if !self.is_mapping {
            return Node::List(self.place, self.children);
        }
        let mut children = self.children.into_iter();
        let mut entries = Vec::with_capacity(children.len() / 2);
        while let (Some(key), Some(value)) = (children.next(), children.next()) {
            entries.push((key, value));
        }
        Node::Mapping(self.place, entries)
    }
}

/// A file's text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Source<'a> {
    /// The text, without a byte order mark.
    pub text: &'a str,
    /// The file's name in messages.
    pub name: &'a str,
    /// The same, if places have to name it.
    pub named: Option<&'a Arc<str>>,
}

impl Source<'_> {
    fn place(&self, mark: Mark) -> Place {
        Place {
            file: self.named.cloned(),
            line: mark.line + 1,
            column: mark.column + 1,
        }
    }

    /// The character at a mark.
    fn byte_at(&self, mark: Mark) -> Option<u8> {
        self.text.as_bytes().get(mark.index).copied()
    }
}

/// The root of the document in a file; nothing if it has none.
///
/// # Errors
/// A YAML error, several documents, or what the original refuses: all directives, and the first node of that
/// kind.
pub(super) fn document(source: &Source<'_>) -> Result<Option<Node>, Vec<Problem>> {
    let mut documents = 0;
    let (mut directives, mut disallowed) = (Vec::new(), None);
    let mut open: Vec<Open> = Vec::new();
    let mut root = None;
    for event in Parser::new(source.text) {
        let event = event.map_err(|error| vec![syntax(source, &error)])?;
        let place = source.place(event.start);
        if disallowed.is_none() {
            disallowed = disallowed_node(source, &event);
        }
        let node = match event.kind {
            Kind::Other => continue,
            Kind::Document { has_directives } => {
                documents += 1;
                if has_directives {
                    directives.extend(directive_lines(source, event.start, event.end));
                }
                continue;
            }
            Kind::List | Kind::Mapping { .. } => {
                if open.len() == MAX_DEPTH {
                    let text = format!("conf: '{}' has a depth greater than 2", source.name);
                    return Err(vec![Problem::at(text, place)]);
                }
                open.push(Open {
                    place,
                    is_mapping: event.kind != Kind::List,
                    children: Vec::new(),
                });
                continue;
            }
            Kind::End => open.pop().map(Open::close),
            Kind::Scalar(text) => Some(Node::Scalar(Word { text, place })),
            // A text that looks like an alias, `*:8102`, often makes the rest unreadable.
            Kind::Alias => return Err(directives.into_iter().chain(disallowed).collect()),
        };
        match open.last_mut() {
            Some(parent) => parent.children.extend(node),
            None => root = node,
        }
    }
    if documents > 1 {
        return Err(vec![no_document(source, documents)]);
    }
    let refused: Vec<Problem> = directives.into_iter().chain(disallowed).collect();
    if refused.is_empty() {
        Ok(root)
    } else {
        Err(refused)
    }
}

/// The original's words for a file that does not hold exactly one document.
pub(super) fn no_document(source: &Source<'_>, found: usize) -> Problem {
    Problem::new(format!(
        "conf: '{}' must contain only 1 document; found {found} documents",
        source.name
    ))
}

/// A YAML error in the original's words and numbers (2 characters, 3 scanner, 4 parser), with the parser's
/// own words after them.
fn syntax(source: &Source<'_>, error: &Error) -> Problem {
    const CHARACTERS: u8 = 2;
    let place = match error.number {
        CHARACTERS => {
            let before = source.text.get(..error.offset).unwrap_or_default();
            Place::after(before, source.named.cloned())
        }
        _ => source.place(error.mark),
    };
    match source.byte_at(error.mark) {
        // An alias without a name, a tag whose handle is not declared.
        Some(b'*') => return Problem::at(disallowed("alias", 18), place),
        Some(b'!') => return Problem::at(disallowed("tag", 20), place),
        _ => {}
    }
    let (number, mut words) = (error.number, error.problem.clone());
    if let Some((context, mark)) = &error.context {
        words.push_str(&format!(", {context}"));
        // Where the context begins is often the line to be mended.
        if mark.index != 0 && *mark != error.mark {
            let (line, column) = (mark.line + 1, mark.column + 1);
            words.push_str(&format!(" at line {line} column {column}"));
        }
    }
    let text = format!("conf: failed (err {number}) to get the next yaml document: {words}");
    Problem::at(text, place)
}

/// The node that an event begins, if the original refuses it.
fn disallowed_node(source: &Source<'_>, event: &Event) -> Option<Problem> {
    let is_flow_mapping = event.kind == Kind::Mapping { is_flow: true };
    if !event.has_properties && !is_flow_mapping {
        return None;
    }
    let (what, number) = match source.byte_at(event.start)? {
        b'*' => ("alias", 18),
        b'&' => ("anchor", 19),
        b'!' => ("tag", 20),
        b'{' => ("flow mapping start", 12),
        // A pair in a list in brackets.
        _ => return None,
    };
    let text = disallowed(what, number);
    Some(Problem::at(text, source.place(event.start)))
}

/// The directives between two marks.
fn directive_lines(source: &Source<'_>, begin: Mark, end: Mark) -> impl Iterator<Item = Problem> {
    let lines = source.text.lines().zip(0..);
    let lines = lines.filter(move |(_, line)| (begin.line..=end.line).contains(line));
    lines.filter_map(|(text, line)| {
        let (what, number) = match text.strip_prefix('%')? {
            rest if rest.starts_with("YAML") => ("version directive", 3),
            _ => ("tag directive", 4),
        };
        let place = Place {
            file: source.named.cloned(),
            line: line + 1,
            column: 1,
        };
        Some(Problem::at(disallowed(what, number), place))
    })
}

fn disallowed(what: &str, number: u8) -> String {
    // These are mostly meant as text: `hash_tag: {}`, `listen: *:8102`.
    let hint = match number {
        12 => ", a text that begins with { needs quotes",
        18 => ", a text that begins with * needs quotes",
        _ => "",
    };
    format!("conf: {what} token ({number}) is disallowed{hint}")
}
