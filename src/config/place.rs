//! Where things stand in the file, and the YAML the original refuses.
//!
//! `serde_yaml` tells the place of a node only together with an error, so a place is found by
//! reading the file once more and refusing the node in question. That costs one reading for each
//! place, which only a file with something wrong in it pays.

use super::problem::{Place, Problem};
use super::yaml::{Shape, Shapes, no_document};
use serde::de::DeserializeSeed;
use std::cell::Cell;

/// Most characters that only look like refused YAML and turn out to stand inside a value.
const MAX_LOOK_ALIKES: usize = 64;

/// The text of a file and how to find places in it.
pub struct Places<'a> {
    text: &'a str,
}

impl<'a> Places<'a> {
    /// Over the file's text, without a byte order mark.
    pub fn new(text: &'a str) -> Places<'a> {
        Places { text }
    }

    pub(super) fn text(&self) -> &'a str {
        self.text
    }

    /// A problem at a node.
    pub fn problem(&self, text: impl Into<String>, node: usize) -> Problem {
        Problem {
            text: text.into(),
            place: self.locate(node).map(|(place, _)| place),
        }
    }

    /// The place of a node, and its distance from the start in characters.
    fn locate(&self, node: usize) -> Option<(Place, usize)> {
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
        let mut look_alikes = 0;
        for (index, what, number) in candidates(self.text) {
            match self.node_at(index) {
                Some(place) => {
                    found.push(Problem {
                        text: disallowed(what, number),
                        place: Some(place),
                    });
                    break;
                }
                None => look_alikes += 1,
            }
            if look_alikes > MAX_LOOK_ALIKES {
                found.push(Problem::new(format!(
                    "conf: more than {MAX_LOOK_ALIKES} values contain a word that starts with one of & * ! {{"
                )));
                break;
            }
        }
        found
    }

    /// `%YAML` and `%TAG`, which can only stand before the root node.
    fn directives(&self) -> Vec<Problem> {
        let Some((root, _)) = self.locate(0) else {
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
    fn node_at(&self, index: usize) -> Option<Place> {
        // A node stands later than all with a smaller number, and a number beyond the last node
        // has no place, so the node is found by halving.
        // No text has more than two nodes to a character.
        let (mut low, mut high) = (0, index * 2 + 8);
        while low < high {
            let middle = low + (high - low) / 2;
            match self.locate(middle) {
                Some((place, at)) if at == index => return Some(place),
                Some((_, at)) if at < index => low = middle + 1,
                _ => high = middle,
            }
        }
        None
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
/// in characters: the first of a word, outside comments.
fn candidates(text: &str) -> Vec<(usize, &'static str, u8)> {
    let mut found = Vec::new();
    let mut before = '\n';
    let mut comment = false;
    for (index, c) in text.chars().enumerate() {
        comment = match c {
            '\n' | '\r' => false,
            '#' => comment || before.is_whitespace(),
            _ => comment,
        };
        let starts_word = before.is_whitespace() || matches!(before, '[' | ',' | '{' | ':');
        if starts_word && !comment {
            match c {
                '&' => found.push((index, "anchor", 19)),
                '*' => found.push((index, "alias", 18)),
                '!' => found.push((index, "tag", 20)),
                '{' => found.push((index, "flow mapping start", 12)),
                _ => {}
            }
        }
        before = c;
    }
    found
}
