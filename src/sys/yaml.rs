//! The events of a YAML text: `libyaml-rs`, the port of the parser with which the C original reads its
//! configuration. It accepts the same YAML 1.1 and finds the same errors in the same places, but its
//! interface is that of C.

use libyaml_rs as libyaml;
use std::ffi::{CStr, c_char};
use std::marker::PhantomData;
use std::mem::MaybeUninit;

/// A position in the text, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Bytes from the beginning of the text.
    pub index: usize,
    /// Lines.
    pub line: usize,
    /// Characters from the beginning of the line.
    pub column: usize,
}

impl From<libyaml::yaml_mark_t> for Mark {
    fn from(mark: libyaml::yaml_mark_t) -> Mark {
        Mark {
            index: mark.index as usize,
            line: mark.line as usize,
            column: mark.column as usize,
        }
    }
}

/// The kinds of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A document begins.
    Document {
        /// True if there are directives before it.
        has_directives: bool,
    },
    /// `*name`.
    Alias,
    /// A scalar, without quotes and with its escapes resolved.
    Scalar(String),
    /// A sequence begins.
    List,
    /// A mapping begins.
    Mapping {
        /// True if it is in braces, or a pair in a list in brackets.
        is_flow: bool,
    },
    /// The sequence or mapping that began last ends.
    End,
    /// Something without meaning for the document's nodes.
    Other,
}

/// One event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// Its kind.
    pub kind: Kind,
    /// True if the node that it begins has an anchor or a tag.
    pub has_properties: bool,
    /// Where it begins.
    pub start: Mark,
    /// Where it ends.
    pub end: Mark,
}

/// Why a text is not YAML.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    /// libyaml's number: 2 for characters, 3 for the scanner, 4 for the parser.
    pub number: u8,
    /// What is wrong.
    pub problem: String,
    /// Where; for characters, see `offset`.
    pub mark: Mark,
    /// The byte offset, if a character is wrong.
    pub offset: usize,
    /// What was being read, and where that begins.
    pub context: Option<(String, Mark)>,
}

/// Reads a text event by event, to its end or to the first error.
pub struct Parser<'a> {
    /// Initialized, and always at the same address: it refers to itself.
    raw: Box<MaybeUninit<libyaml::yaml_parser_t>>,
    is_over: bool,
    text: PhantomData<&'a str>,
}

impl<'a> Parser<'a> {
    /// A parser at the beginning of the text.
    pub fn new(text: &'a str) -> Parser<'a> {
        let mut raw = Box::new(MaybeUninit::uninit());
        let parser = raw.as_mut_ptr();
        // SAFETY: `parser` is memory for one parser, which the first call initializes whole (it cannot fail: this
        // allocator does not return without memory). The text is borrowed for as long as the parser lives.
        unsafe {
            let _ = libyaml::yaml_parser_initialize(parser);
            libyaml::yaml_parser_set_encoding(parser, libyaml::YAML_UTF8_ENCODING);
            libyaml::yaml_parser_set_input_string(parser, text.as_ptr(), text.len() as u64);
        }
        Parser {
            raw,
            is_over: false,
            text: PhantomData,
        }
    }

    fn error(&self) -> Error {
        // SAFETY: `new` has initialized the parser.
        let parser = unsafe { self.raw.assume_init_ref() };
        // SAFETY: null, or one of libyaml's constant texts.
        let (problem, context) = unsafe { (text(parser.problem), text(parser.context)) };
        Error {
            number: parser.error as u8,
            problem: problem.unwrap_or_default(),
            mark: parser.problem_mark.into(),
            offset: parser.problem_offset as usize,
            context: context.map(|context| (context, parser.context_mark.into())),
        }
    }
}

impl Iterator for Parser<'_> {
    type Item = Result<Event, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_over {
            return None;
        }
        let mut raw = MaybeUninit::uninit();
        // SAFETY: `new` has initialized the parser, and `raw` is memory for one event.
        if unsafe { libyaml::yaml_parser_parse(self.raw.as_mut_ptr(), raw.as_mut_ptr()) }.fail {
            self.is_over = true;
            return Some(Err(self.error()));
        }
        // SAFETY: without an error the event is initialized; it is deleted once, and not used afterwards.
        let event = unsafe {
            let event = event(raw.assume_init_ref());
            self.is_over = raw.assume_init_ref().type_ == libyaml::YAML_STREAM_END_EVENT;
            libyaml::yaml_event_delete(raw.as_mut_ptr());
            event
        };
        Some(Ok(event))
    }
}

impl Drop for Parser<'_> {
    fn drop(&mut self) {
        // SAFETY: `new` has initialized the parser, and nothing uses it after this.
        unsafe { libyaml::yaml_parser_delete(self.raw.as_mut_ptr()) }
    }
}

/// A copy of an event of libyaml's.
///
/// # Safety
/// It is as `yaml_parser_parse` has left it.
unsafe fn event(raw: &libyaml::yaml_event_t) -> Event {
    // SAFETY: the type says which part of the union is there; its pointers are null or point to what the event
    // owns.
    let (kind, has_properties) = unsafe {
        match raw.type_ {
            libyaml::YAML_DOCUMENT_START_EVENT => {
                let document = &raw.data.document_start;
                let tags = &document.tag_directives;
                let has_directives =
                    !document.version_directive.is_null() || tags.start != tags.end;
                (Kind::Document { has_directives }, false)
            }
            libyaml::YAML_ALIAS_EVENT => (Kind::Alias, true),
            libyaml::YAML_SCALAR_EVENT => {
                let scalar = &raw.data.scalar;
                let bytes = std::slice::from_raw_parts(scalar.value, scalar.length as usize);
                (
                    Kind::Scalar(String::from_utf8_lossy(bytes).into_owned()),
                    !scalar.anchor.is_null() || !scalar.tag.is_null(),
                )
            }
            libyaml::YAML_SEQUENCE_START_EVENT => {
                let list = &raw.data.sequence_start;
                (Kind::List, !list.anchor.is_null() || !list.tag.is_null())
            }
            libyaml::YAML_MAPPING_START_EVENT => {
                let mapping = &raw.data.mapping_start;
                let is_flow = mapping.style == libyaml::YAML_FLOW_MAPPING_STYLE;
                (
                    Kind::Mapping { is_flow },
                    !mapping.anchor.is_null() || !mapping.tag.is_null(),
                )
            }
            libyaml::YAML_SEQUENCE_END_EVENT | libyaml::YAML_MAPPING_END_EVENT => {
                (Kind::End, false)
            }
            _ => (Kind::Other, false),
        }
    };
    Event {
        kind,
        has_properties,
        start: raw.start_mark.into(),
        end: raw.end_mark.into(),
    }
}

/// A copy of a C string; none if it is null.
///
/// # Safety
/// It is null, or ends with a zero.
unsafe fn text(text: *const c_char) -> Option<String> {
    // SAFETY: as the function demands.
    (!text.is_null()).then(|| unsafe { CStr::from_ptr(text).to_string_lossy().into_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_have_their_marks() {
        let events: Vec<_> = Parser::new("a\u{e4}: [x, 'y\u{e4}']\n")
            .map(Result::unwrap)
            .map(|event| (event.kind, event.start.column, event.end.index))
            .collect();
        let scalar = |text: &str| Kind::Scalar(text.to_owned());
        assert_eq!(
            events[1..8],
            [
                (
                    Kind::Document {
                        has_directives: false
                    },
                    0,
                    0
                ),
                (Kind::Mapping { is_flow: false }, 0, 0),
                (scalar("a\u{e4}"), 0, 3),
                (Kind::List, 4, 6),
                (scalar("x"), 5, 7),
                (scalar("y\u{e4}"), 8, 14),
                (Kind::End, 12, 15),
            ]
        );
    }

    #[test]
    fn the_first_error_is_the_last_item() {
        let mut parser = Parser::new("a: b\n- c\n").skip_while(Result::is_ok);
        let error = parser.next().unwrap().unwrap_err();
        assert_eq!((error.number, error.mark.line), (4, 1));
        assert_eq!(error.problem, "did not find expected key");
        assert_eq!(error.context.unwrap().0, "while parsing a block mapping");
        assert_eq!(parser.next(), None);
        let error = Parser::new("a: \u{1}").find_map(Result::err).unwrap();
        assert_eq!((error.number, error.offset), (2, 3));
        // Events that are left unread are freed with the parser.
        drop(Parser::new("a: &x [b, c]\n").take(3).collect::<Vec<_>>());
    }
}
