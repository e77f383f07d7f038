//! Where things stand in the file, and the YAML the original refuses.
//!
//! `serde_yaml` tells the place of a node only together with an error, so a place is found by
//! reading the file once more and refusing the node in question. That costs one reading for each
//! place, which only a file with something wrong in it pays.

use super::problem::{Place, Problem};
use super::yaml::{Shape, Shapes, no_document};
use serde::de::DeserializeSeed;
use std::cell::Cell;

/// Most bytes read again to find places. A reload stands in the way of requests, so it must not take
/// long whatever the file is: this much takes a fraction of a second. For a file of usual size that is
/// thousands of places; of a huge one the last problems have none.
const MAX_READ: usize = 4 << 20;

/// The text of a file and how to find places in it.
pub struct Places<'a> {
    text: &'a str,
    /// Bytes that may still be read again.
    left: Cell<usize>,
}

/// As much has been read again as may be.
struct Spent;

impl<'a> Places<'a> {
    /// Over the file's text, without a byte order mark.
    pub fn new(text: &'a str) -> Places<'a> {
        Places {
            text,
            left: Cell::new(MAX_READ),
        }
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// A problem at a node.
    pub fn problem(&self, text: impl Into<String>, node: usize) -> Problem {
        Problem {
            text: text.into(),
            place: self.place(node),
        }
    }

    /// The place of a node, if it can be found at a reasonable cost.
    pub fn place(&self, node: usize) -> Option<Place> {
        self.locate(node).ok().flatten().map(|(place, _)| place)
    }

    /// The place of a node, and its distance from the start in characters; nothing for a number beyond
    /// the last one.
    fn locate(&self, node: usize) -> Result<Option<(Place, usize)>, Spent> {
        // Never more than there is.
        let cost = self.text.len().max(1);
        self.left
            .set(self.left.get().checked_sub(cost).ok_or(Spent)?);
        let found = || {
            let document = serde_yaml::Deserializer::from_str(self.text).next()?;
            let shapes = Shapes {
                next: &Cell::new(0),
                stop: node,
            };
            let refusal = shapes.deserialize(document).err()?;
            let location = refusal.location()?;
            let place = Place {
                line: location.line(),
                column: location.column(),
            };
            Some((place, location.index()))
        };
        Ok(found())
    }

    /// The shape of the one document there is; a YAML error or another number of documents is a
    /// problem.
    pub(super) fn document(&self, file: &str) -> Result<Shape, Problem> {
        let mut only = Shape::Nothing;
        let mut found = 0;
        for document in serde_yaml::Deserializer::from_str(self.text) {
            let shapes = Shapes {
                next: &Cell::new(0),
                stop: usize::MAX,
            };
            let shape = match shapes.deserialize(document) {
                Ok(shape) => shape,
                Err(error) => return Err(self.syntax(&error)),
            };
            if !matches!(shape, Shape::Nothing) {
                found += 1;
                only = shape;
            }
        }
        if found == 1 {
            Ok(only)
        } else {
            Err(Problem::new(no_document(file, found)))
        }
    }

    /// A YAML error in the original's words and numbers (2 characters, 3 scanner, 4 parser), with
    /// the parser's own words after them.
    pub(super) fn syntax(&self, error: &serde_yaml::Error) -> Problem {
        let place = error.location().map(|at| Place {
            line: at.line(),
            column: at.column(),
        });
        let words = error.to_string();
        let at = error
            .location()
            .and_then(|at| self.text.chars().nth(at.index()));
        // An alias without its anchor, a tag that does not suit its value.
        let refused = match at {
            Some('*') => Some(disallowed("alias", 18)),
            Some('!') => Some(disallowed("tag", 20)),
            _ => None,
        };
        if let Some(text) = refused {
            return Problem { text, place };
        }
        // "PROBLEM at line L column C, CONTEXT at line L column C": where the context begins is often the
        // line to be mended.
        let (words, rest) = words.split_once(" at line ").unwrap_or((&words, ""));
        let context = rest.find(", ").and_then(|at| rest.get(at..));
        let context = context.unwrap_or_default();
        let number = if words.contains("control characters") {
            2
        } else if error.to_string().contains("while parsing") {
            4
        } else {
            3
        };
        Problem {
            text: format!(
                "conf: failed (err {number}) to get the next yaml document: {words}{context}"
            ),
            place,
        }
    }

    /// Everything in the document that the original refuses although it is YAML.
    pub(super) fn disallowed(&self) -> Vec<Problem> {
        let mut found = self.directives();
        for (index, what, number) in candidates(self.text) {
            match self.node_at(index) {
                Ok(Some(place)) => {
                    found.push(Problem {
                        text: disallowed(what, number),
                        place: Some(place),
                    });
                    break;
                }
                // It stands inside a value.
                Ok(None) => {}
                Err(Spent) => {
                    let before: String = self.text.chars().take(index).collect();
                    found.push(Problem {
                        text: "conf: what begins with one of & * ! { needs quotes".to_owned(),
                        place: Some(Place::after(&before)),
                    });
                    break;
                }
            }
        }
        found
    }

    /// `%YAML` and `%TAG`, which can only stand before the root node.
    fn directives(&self) -> Vec<Problem> {
        let Ok(Some((root, _))) = self.locate(0) else {
            return Vec::new();
        };
        self.text
            .lines()
            .zip(1..)
            .take_while(|(_, line)| *line < root.line)
            .filter_map(|(text, line)| {
                let (what, number) = match text.strip_prefix('%')? {
                    rest if rest.starts_with("YAML") => ("version directive", 3),
                    _ => ("tag directive", 4),
                };
                let place = Some(Place { line, column: 1 });
                Some(Problem {
                    text: disallowed(what, number),
                    place,
                })
            })
            .collect()
    }

    /// The place of the node that starts `index` characters into the text, if one does.
    fn node_at(&self, index: usize) -> Result<Option<Place>, Spent> {
        // A node stands later than all with a smaller number, and a number beyond the last node
        // has no place, so the node is found by halving.
        // No text has more than two nodes to a character.
        let (mut low, mut high) = (0, index * 2 + 8);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.locate(middle)? {
                Some((place, at)) if at == index => return Ok(Some(place)),
                Some((_, at)) if at < index => low = middle + 1,
                _ => high = middle,
            }
        }
        Ok(None)
    }
}

fn disallowed(what: &str, number: u8) -> String {
    // What is meant by these is mostly the text: `hash_tag: {}`, `listen: *:8102`.
    let hint = match number {
        12 => ", a text that begins with { needs quotes",
        18 => ", a text that begins with * needs quotes",
        _ => "",
    };
    format!("conf: {what} token ({number}) is disallowed{hint}")
}

/// Characters that would be refused if a node started with them, by their distance from the start
/// in characters: where a node can start, which is at the beginning of a line or behind what divides
/// nodes, outside comments.
fn candidates(text: &str) -> Vec<(usize, &'static str, u8)> {
    let mut found = Vec::new();
    let mut before = '\n';
    // The last character of this line that is no blank.
    let mut last = None;
    let mut comment = false;
    for (index, c) in text.chars().enumerate() {
        comment = match c {
            '\n' | '\r' => false,
            '#' => comment || before.is_whitespace(),
            _ => comment,
        };
        let divided = matches!(last, None | Some('[' | ',' | '{' | ':' | '-' | '?'));
        let starts_word = before.is_whitespace() || Some(before) == last;
        if divided && starts_word && !comment {
            match c {
                '&' => found.push((index, "anchor", 19)),
                '*' => found.push((index, "alias", 18)),
                '!' => found.push((index, "tag", 20)),
                '{' => found.push((index, "flow mapping start", 12)),
                _ => {}
            }
        }
        last = match c {
            '\n' | '\r' => None,
            c if c.is_whitespace() => last,
            c => Some(c),
        };
        before = c;
    }
    found
}
