//! Problems of a configuration, and notes about it.

use crate::logging::Level;
use std::fmt;
use std::sync::Arc;

/// Most problems one load reports; the rest are only counted.
pub const MAX_PROBLEMS: usize = 50;

/// A position in a file. Lines and columns count from 1; the column counts characters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file's name, if it is not the only one.
    pub file: Option<Arc<str>>,
    /// Line.
    pub line: usize,
    /// Column.
    pub column: usize,
}

impl Place {
    /// The position after this beginning of a file.
    pub fn after(text: &str, file: Option<Arc<str>>) -> Place {
        let line = text.rsplit('\n').next().unwrap_or_default();
        Place {
            file,
            line: 1 + text.matches('\n').count(),
            column: 1 + line.chars().count(),
        }
    }
}

/// One reason why a configuration is refused: the original's words, then where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// What is wrong.
    pub text: String,
    /// Where, if it is at one place.
    pub place: Option<Place>,
}

impl Problem {
    /// A problem of the file as a whole.
    pub fn new(text: impl Into<String>) -> Problem {
        Problem {
            text: text.into(),
            place: None,
        }
    }

    /// A problem at a place.
    pub fn at(text: impl Into<String>, place: Place) -> Problem {
        Problem {
            text: text.into(),
            place: Some(place),
        }
    }
}

impl fmt::Display for Place {
    /// `line L, column C`, with the file before it if it has to be named.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Place { file, line, column } = self;
        if let Some(file) = file {
            write!(f, "{file}, ")?;
        }
        write!(f, "line {line}, column {column}")
    }
}

impl fmt::Display for Problem {
    /// The text, then ` (line L, column C)` where known.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        match &self.place {
            Some(place) => write!(f, " ({place})"),
            None => Ok(()),
        }
    }
}

/// Something to log once the log is open: a warning, a default applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Note {
    /// The level to log it at.
    pub level: Level,
    /// The line, without the log's prefix.
    pub text: String,
}

impl Note {
    /// A note at `level`.
    pub fn new(level: Level, text: impl Into<String>) -> Note {
        Note {
            level,
            text: text.into(),
        }
    }

    /// A warning.
    pub fn warn(text: impl Into<String>) -> Note {
        Note::new(Level::Warn, text)
    }
}
