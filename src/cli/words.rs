//! A step in front of `getopts` that makes it read a command line as GNU `getopt_long` does.
//!
//! It cuts the line into pieces of one option, or one bundle of short options, with its value; so
//! that each piece is judged in the order of the line and the last of several wins. Long options
//! may be abbreviated as long as only one is meant. Operands, and everything after `--`, are
//! dropped: both programs ignore them.

use std::ffi::OsString;

/// What this step must know of an option.
#[derive(Clone, Copy, Debug)]
pub struct Shape {
    /// The letter.
    pub short: char,
    /// The long name.
    pub long: &'static str,
    /// Whether a value follows.
    pub takes_value: bool,
}

/// Why a command line cannot be cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A long option that is unknown, or short for several; without dashes and value.
    Long(String),
    /// A word that is not UTF-8, as far as it can be shown.
    NotUtf8(String),
}

/// Cuts `args`, without the program's name, into the pieces to give to `getopts` one by one. A
/// value that is missing is left missing. The pieces end at the first refusal.
pub fn pieces<'a>(
    mut args: impl Iterator<Item = OsString> + 'a,
    options: &'a [Shape],
) -> impl Iterator<Item = Result<Vec<String>, Refusal>> + 'a {
    let mut ended = false;
    std::iter::from_fn(move || {
        while !ended {
            let word = match utf8(args.next()?) {
                Ok(word) => word,
                Err(refusal) => {
                    ended = true;
                    return Some(Err(refusal));
                }
            };
            let (word, takes_value) = match word.strip_prefix("--") {
                Some("") => {
                    ended = true;
                    continue;
                }
                Some(long) => match whole(long, options) {
                    Some(found) => found,
                    None => {
                        ended = true;
                        let name = long.split('=').next().unwrap_or(long);
                        return Some(Err(Refusal::Long(name.to_owned())));
                    }
                },
                None if word.starts_with('-') && word.len() > 1 => {
                    let takes_value = ends_in_option_with_value(&word, options);
                    (word, takes_value)
                }
                None => continue,
            };
            let mut piece = vec![word];
            match takes_value.then(|| args.next().map(utf8)).flatten() {
                Some(Ok(value)) => piece.push(value),
                Some(Err(refusal)) => {
                    ended = true;
                    return Some(Err(refusal));
                }
                None => {}
            }
            return Some(Ok(piece));
        }
        None
    })
}

fn utf8(word: OsString) -> Result<String, Refusal> {
    word.into_string()
        .map_err(|word| Refusal::NotUtf8(word.to_string_lossy().into_owned()))
}

/// A long option's word with its name in full, and whether its value is the next word.
fn whole(long: &str, options: &[Shape]) -> Option<(String, bool)> {
    let (name, value) = match long.split_once('=') {
        Some((name, value)) => (name, Some(value)),
        None => (long, None),
    };
    let exact = options.iter().find(|option| option.long == name);
    let mut meant = options
        .iter()
        .filter(|option| option.long.starts_with(name));
    let option = match (exact, meant.next(), meant.next()) {
        (Some(option), _, _) | (None, Some(option), None) => option,
        _ => return None,
    };
    Some(match value {
        Some(value) => (format!("--{}={value}", option.long), false),
        None => (format!("--{}", option.long), option.takes_value),
    })
}

/// Whether the value of a bundle's last option is the next word: the first letter that takes a
/// value is also the last of the word.
fn ends_in_option_with_value(word: &str, options: &[Shape]) -> bool {
    let takes_value = |letter| {
        options
            .iter()
            .any(|option| option.short == letter && option.takes_value)
    };
    let mut letters = word.chars().skip(1);
    letters.any(takes_value) && letters.next().is_none()
}
