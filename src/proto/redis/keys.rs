//! The keys of a command: key specifications, and finding keys in a request by them.
//!
//! A specification is Redis' own (`COMMAND INFO`, tenth element): where to begin and how to go on
//! from there, with the access to the key. One list per command drives routing, the key check of
//! commands by several keys, `COMMAND INFO` and `COMMAND GETKEYS`. Four commands hide keys behind
//! options that a specification cannot express; they have their own way of finding them
//! (`Finder`).

use super::command::Command;

/// The access of a command to a key. The letters are those `COMMAND GETKEYSANDFLAGS` prints.
pub mod flag {
    /// Reads the value or its size; changes nothing.
    pub const RO: u16 = 1;
    /// Reads or changes the stored data.
    pub const RW: u16 = 1 << 1;
    /// Overwrites without looking.
    pub const OW: u16 = 1 << 2;
    /// Removes the key.
    pub const RM: u16 = 1 << 3;
    /// Returns, copies or uses the user's data.
    pub const ACCESS: u16 = 1 << 4;
    /// Updates data.
    pub const UPDATE: u16 = 1 << 5;
    /// Adds data without changing existing data.
    pub const INSERT: u16 = 1 << 6;
    /// Deletes contents.
    pub const DELETE: u16 = 1 << 7;
    /// Looks like a key but is none (a shard channel).
    pub const NOT_KEY: u16 = 1 << 8;
    /// The specification may miss some keys.
    pub const INCOMPLETE: u16 = 1 << 9;
    /// The access depends on the arguments.
    pub const VARIABLE_FLAGS: u16 = 1 << 10;

    /// The names Redis prints, lowest bit first.
    pub const NAMES: [&str; 11] = [
        "RO",
        "RW",
        "OW",
        "RM",
        "access",
        "update",
        "insert",
        "delete",
        "not_key",
        "incomplete",
        "variable_flags",
    ];
}

/// Where the first key of a specification is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begin {
    /// At this argument.
    Index(u8),
    /// Behind this word, searched from an argument on (negative: backwards from the end).
    Keyword(&'static str, i8),
    /// Not expressible.
    Unknown,
}

/// Where the keys after the first are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Find {
    /// Up to `last` (relative to the first; negative: counted from the end), every `step`;
    /// `limit` 2 takes the first half of what follows.
    Range { last: i8, step: u8, limit: u8 },
    /// The first argument says how many keys follow it, every `step` arguments.
    KeyNum { step: u8 },
    /// Not expressible.
    Unknown,
}

/// One key specification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeySpec {
    /// The access to these keys, bits of [`flag`].
    pub flags: u16,
    /// Where they begin.
    pub begin: Begin,
    /// How they go on.
    pub find: Find,
}

/// One key of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key {
    /// Which argument it is; 0 is the command's name.
    pub index: usize,
    /// The access to it, bits of [`flag`].
    pub flags: u16,
}

/// How a command's keys are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Finder {
    /// By its specifications.
    Specs,
    /// `SORT`: the key, and what follows the last `STORE`.
    Sort,
    /// `GEORADIUS`, `GEORADIUSBYMEMBER`: the key, and what follows `STORE` or `STOREDIST` among
    /// the options, which begin at this argument.
    GeoStore(u8),
    /// `COPY`: as specified, but the second key may be in another database.
    Copy,
    /// `XREAD`, `XREADGROUP`: the first half of what follows `STREAMS`.
    Streams,
}

/// The access of a command to its keys where that depends on the arguments ([`flag::VARIABLE_FLAGS`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeyUse {
    /// It does not.
    Fixed,
    /// `SET`: overwrites, and with `GET` reads as well.
    SetAndGet,
    /// `BITFIELD`: reads, unless one of its operations, three words each, is another than `GET`.
    Fields,
}

impl KeyUse {
    /// Returns the access of the request to a key with these flags, bits of [`flag`].
    pub(super) fn settle(self, flags: u16, request: &[&[u8]]) -> u16 {
        use flag::{ACCESS, OW, RO, RW, UPDATE};
        let behind = |at: usize| request.iter().skip(at);
        match self {
            _ if flags & flag::VARIABLE_FLAGS == 0 => flags,
            KeyUse::Fixed => flags,
            KeyUse::SetAndGet if behind(3).any(|word| is(word, "get")) => RW | ACCESS | UPDATE,
            KeyUse::SetAndGet => OW | UPDATE,
            KeyUse::Fields if behind(2).step_by(3).all(|word| is(word, "get")) => RO | ACCESS,
            KeyUse::Fields => RW | ACCESS | UPDATE,
        }
    }
}

/// Why the keys of a request cannot be found. [`super::errors::keys`] has the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeysError {
    /// The number of keys is not a canonical decimal integer of 64 bits.
    NotAnInteger,
    /// The number of keys is below zero.
    Negative,
    /// The number of keys is zero and the command needs one.
    Zero,
    /// More keys announced than arguments present.
    TooMany,
    /// The request does not have the command's shape.
    Syntax,
    /// Streams and IDs do not pair up.
    Unbalanced,
    /// A key is in another database than number 0, which is the only one that is served.
    OtherDatabase,
}

pub(super) const fn one(at: u8, flags: u16) -> KeySpec {
    span(at, 0, 1, flags)
}

pub(super) const fn span(at: u8, last: i8, step: u8, flags: u16) -> KeySpec {
    let find = Find::Range {
        last,
        step,
        limit: 0,
    };
    KeySpec {
        flags,
        begin: Begin::Index(at),
        find,
    }
}

pub(super) const fn counted(at: u8, flags: u16) -> KeySpec {
    counted_by(at, 1, flags)
}

pub(super) const fn counted_by(at: u8, step: u8, flags: u16) -> KeySpec {
    KeySpec {
        flags,
        begin: Begin::Index(at),
        find: Find::KeyNum { step },
    }
}

pub(super) const fn after(
    word: &'static str,
    from: i8,
    last: i8,
    limit: u8,
    flags: u16,
) -> KeySpec {
    let find = Find::Range {
        last,
        step: 1,
        limit,
    };
    KeySpec {
        flags,
        begin: Begin::Keyword(word, from),
        find,
    }
}

pub(super) const fn unknown(flags: u16) -> KeySpec {
    KeySpec {
        flags,
        begin: Begin::Unknown,
        find: Find::Unknown,
    }
}

/// First key, last key and step as the pre-7.0 `COMMAND INFO` fields put them: specifications at
/// fixed places merged where they touch, (0, 0, 0) if there are none.
pub(super) const fn legacy_range(specs: &[KeySpec]) -> (u8, i8, u8) {
    let (mut first, mut last, mut step) = (0, 0, 0);
    let mut end = 0;
    let mut i = 0;
    while i < specs.len() {
        if let (
            Begin::Index(at),
            Find::Range {
                last: to, step: by, ..
            },
        ) = (specs[i].begin, specs[i].find)
        {
            if first != 0 && (end < 0 || end + 1 != at as i8 || by != 1) {
                return (first, last, step);
            }
            end = if to < 0 { to } else { to + at as i8 };
            last = end;
            if first == 0 {
                first = at;
                step = by;
            }
        }
        i += 1;
    }
    (first, last, step)
}

/// Reads a decimal integer the way Redis reads one in an argument: an optional minus, no leading
/// zero, no plus, nothing around it, at most 64 bits.
pub fn integer(text: &[u8]) -> Option<i64> {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    match digits {
        [] => return None,
        [b'0'] if digits.len() != text.len() => return None,
        [b'0', _, ..] => return None,
        _ if !digits.iter().all(u8::is_ascii_digit) => return None,
        _ => {}
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}

impl Command {
    /// Finds the keys of a request, in the order Redis lists them, and appends them to `out`.
    ///
    /// `args` is the whole request, name first, whose count the command accepts
    /// ([`Command::accepts`]). For a subcommand's row the container's name counts as argument 0.
    ///
    /// # Errors
    /// The arguments do not determine the keys; `out` is unchanged then. A count of zero keys
    /// is an error for every command that counts them.
    pub fn keys(&self, args: &[&[u8]], out: &mut Vec<Key>) -> Result<(), KeysError> {
        let start = out.len();
        let found = match self.finder {
            Finder::Specs => by_specs(self.specs, args, out),
            Finder::Sort => sort(args, out),
            Finder::GeoStore(options) => geo_store(usize::from(options), args, out),
            Finder::Copy if copies_elsewhere(args) => Err(KeysError::OtherDatabase),
            Finder::Copy => by_specs(self.specs, args, out),
            Finder::Streams => streams(args, out).map(|_| ()),
        };
        if found.is_err() {
            out.truncate(start);
        }
        found
    }

    /// Returns true if an `XREAD` or `XREADGROUP` asks to wait (`BLOCK` before `STREAMS`).
    pub(super) fn blocks(&self, args: &[&[u8]]) -> bool {
        self.finder == Finder::Streams && stream_options(args).blocks
    }
}

fn by_specs(specs: &[KeySpec], args: &[&[u8]], out: &mut Vec<Key>) -> Result<(), KeysError> {
    for spec in specs {
        if spec.flags & flag::NOT_KEY != 0 {
            continue;
        }
        let Some(first) = begin(spec, args) else {
            continue;
        };
        match spec.find {
            Find::Range { last, step, limit } => {
                let last = if last >= 0 {
                    first + last as usize
                } else if limit > 1 {
                    let half = (args.len().saturating_sub(first)) / usize::from(limit);
                    (first + half).saturating_sub(last.unsigned_abs() as usize)
                } else {
                    args.len().saturating_sub(last.unsigned_abs() as usize)
                };
                let last = last.min(args.len().saturating_sub(1));
                push(out, first, last, step, spec.flags);
            }
            Find::KeyNum { step } => {
                let count = integer(args.get(first).ok_or(KeysError::Syntax)?)
                    .ok_or(KeysError::NotAnInteger)?;
                if count < 0 {
                    return Err(KeysError::Negative);
                }
                if count == 0 {
                    return Err(KeysError::Zero);
                }
                let count = usize::try_from(count).map_err(|_| KeysError::TooMany)?;
                if count > (args.len() - first - 1) / usize::from(step) {
                    return Err(KeysError::TooMany);
                }
                push(
                    out,
                    first + 1,
                    first + count * usize::from(step),
                    step,
                    spec.flags,
                );
            }
            Find::Unknown => {}
        }
    }
    Ok(())
}

fn push(out: &mut Vec<Key>, first: usize, last: usize, step: u8, flags: u16) {
    let step = usize::from(step.max(1));
    out.extend(
        (first..last + 1)
            .step_by(step)
            .map(|index| Key { index, flags }),
    );
}

fn begin(spec: &KeySpec, args: &[&[u8]]) -> Option<usize> {
    match spec.begin {
        Begin::Index(at) => (usize::from(at) < args.len()).then_some(usize::from(at)),
        Begin::Keyword(word, from) => {
            let found = if from >= 0 {
                let from = from as usize;
                let rest = args.get(from..)?;
                from + rest.iter().position(|arg| is(arg, word))?
            } else {
                let end = args.len().checked_sub(from.unsigned_abs() as usize)?;
                args.get(..=end)?.iter().rposition(|arg| is(arg, word))?
            };
            (found > 0 && found + 1 < args.len()).then_some(found + 1)
        }
        Begin::Unknown => None,
    }
}

pub(super) fn is(arg: &[u8], word: &str) -> bool {
    arg.eq_ignore_ascii_case(word.as_bytes())
}

fn sort(args: &[&[u8]], out: &mut Vec<Key>) -> Result<(), KeysError> {
    let (source, target) = (flag::RO | flag::ACCESS, flag::OW | flag::UPDATE);
    let mut store = None;
    let mut at = 2;
    while let Some(arg) = args.get(at) {
        // Arguments of other options are skipped, so a pattern that reads STORE is none.
        if is(arg, "limit") {
            at += 2;
        } else if is(arg, "get") || is(arg, "by") {
            at += 1;
        } else if is(arg, "store") {
            at += 1;
            // One with nothing behind it names no key; Redis has the error for it.
            store = (at < args.len()).then_some(at);
        }
        at += 1;
    }
    push(out, 1, 1, 1, source);
    if let Some(at) = store {
        push(out, at, at, 1, target);
    }
    Ok(())
}

/// Returns true if a `COPY` names a database other than number 0.
fn copies_elsewhere(args: &[&[u8]]) -> bool {
    let options = args.get(3..).unwrap_or_default();
    options.windows(2).any(|words| match words {
        [word, number] => is(word, "db") && integer(number).is_some_and(|number| number != 0),
        _ => false,
    })
}

fn geo_store(options: usize, args: &[&[u8]], out: &mut Vec<Key>) -> Result<(), KeysError> {
    push(out, 1, 1, 1, flag::RO | flag::ACCESS);
    let mut at = options;
    while let Some(arg) = args.get(at) {
        if is(arg, "count") {
            at += 1;
        } else if is(arg, "store") || is(arg, "storedist") {
            at += 1;
            // As in `sort`.
            if at < args.len() {
                push(out, at, at, 1, flag::OW | flag::UPDATE);
            }
        }
        at += 1;
    }
    Ok(())
}

/// The options of an `XREAD` or `XREADGROUP`.
#[derive(Default)]
struct StreamOptions {
    /// The place of `STREAMS`.
    streams: Option<usize>,
    /// `BLOCK` was seen before it.
    blocks: bool,
    /// `COUNT` was, without a number.
    bad_count: bool,
}

fn stream_options(args: &[&[u8]]) -> StreamOptions {
    let mut options = StreamOptions::default();
    let mut at = 1;
    while let Some(arg) = args.get(at) {
        if is(arg, "block") {
            options.blocks = true;
            at += 2;
        } else if is(arg, "count") {
            let count = args.get(at + 1);
            options.bad_count |= count.is_some_and(|count| integer(count).is_none());
            at += 2;
        } else if ["claim", "maxcount", "maxsize"]
            .iter()
            .any(|name| is(arg, name))
        {
            at += 2;
        } else if is(arg, "group") {
            at += 3;
        } else if is(arg, "noack") {
            at += 1;
        } else {
            options.streams = is(arg, "streams").then_some(at);
            break;
        }
    }
    options
}

fn streams(args: &[&[u8]], out: &mut Vec<Key>) -> Result<(), KeysError> {
    let options = stream_options(args);
    // Redis reads its options in their order.
    if options.bad_count {
        return Err(KeysError::NotAnInteger);
    }
    let at = options.streams.ok_or(KeysError::Syntax)?;
    let rest = args.len() - at - 1;
    if rest == 0 {
        return Err(KeysError::Syntax);
    }
    if !rest.is_multiple_of(2) {
        return Err(KeysError::Unbalanced);
    }
    push(out, at + 1, at + rest / 2, 1, flag::RO | flag::ACCESS);
    Ok(())
}
