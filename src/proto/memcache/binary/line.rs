//! A request as a line of the text protocol.
//!
//! Classic commands say what is needed of most items that are read. Those that write are meta commands, as only these
//! tell the new version, which the response does as well.

use super::header::{self, Header};
use super::opcode::{Mode, Op, Opcode};
use crate::proto::memcache::base64;
use crate::proto::memcache::line::MAX_KEY;

/// Longest key in bytes that has blanks or control bytes: its base64 form is a key to memcached, of [`MAX_KEY`] letters
/// at most.
pub const MAX_ODD_KEY: usize = MAX_KEY / 4 * 3;

/// Room for any line: a key, the longest flags, and a value of up to [`MAX_COPIED`] bytes.
const ROOM: usize = 1024;
/// Longest value in bytes that is copied behind its line: cheaper than slices of its own.
pub const MAX_COPIED: usize = 512;

/// A line under way. It owns its bytes, so that none has to be allocated.
pub struct Line {
    bytes: [u8; ROOM],
    len: usize,
}

impl Line {
    fn new() -> Line {
        Line {
            bytes: [0; ROOM],
            len: 0,
        }
    }

    /// Its bytes so far.
    pub fn bytes(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }

    /// Appends bytes. There is room for all that a request can ask for.
    pub fn push(&mut self, bytes: &[u8]) {
        if let Some(room) = self.bytes.get_mut(self.len..self.len + bytes.len()) {
            room.copy_from_slice(bytes);
            self.len += bytes.len();
        }
    }

    fn flag(&mut self, letter: &[u8], number: impl itoa::Integer) {
        self.push(letter);
        self.push(itoa::Buffer::new().format(number).as_bytes());
    }
}

/// Why there is no line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoLine {
    /// The key is longer than [`MAX_ODD_KEY`], and has blanks or control bytes.
    OddKey,
}

impl NoLine {
    /// The text for the client.
    pub fn text(self) -> &'static [u8] {
        match self {
            NoLine::OddKey => {
                b"Not supported: a key with spaces or control bytes is longer than 186 bytes"
            }
        }
    }
}

/// Returns true if a key can be written into a line unchanged.
fn is_fit(key: &[u8]) -> bool {
    key.iter().all(|byte| *byte > b' ')
}

/// An expiration time as the text protocol has it, whose numbers have 31 bits.
fn exptime(time: u32) -> i32 {
    // From 2038 on: for ever.
    i32::try_from(time).unwrap_or(0)
}

/// Numbers in a request's extras, in their order.
struct Extras<'a>(&'a [u8]);

impl Extras<'_> {
    fn long(&mut self) -> u64 {
        let Some((number, rest)) = self.0.split_first_chunk() else {
            return 0;
        };
        self.0 = rest;
        u64::from_be_bytes(*number)
    }

    fn word(&mut self) -> u32 {
        let Some((number, rest)) = self.0.split_first_chunk() else {
            return 0;
        };
        self.0 = rest;
        u32::from_be_bytes(*number)
    }
}

/// The line, with CR LF, of a request whose first bytes, up to and with its key, are these. `None` for a command
/// that no datastore is asked for.
///
/// # Errors
/// The text protocol cannot ask for this.
pub fn of(row: &Opcode, header: &Header, start: &[u8]) -> Result<Option<Line>, NoLine> {
    let body = start.get(header::LEN..).unwrap_or_default();
    let (extras, key) = body
        .split_at_checked(usize::from(header.extras))
        .unwrap_or_default();
    let key = key.get(..usize::from(header.key)).unwrap_or_default();
    let mut extras = Extras(extras);
    let fit = is_fit(key);
    if !fit && key.len() > MAX_ODD_KEY {
        return Err(NoLine::OddKey);
    }
    let mut line = Line::new();
    // A meta command, with its key.
    let meta = |line: &mut Line, name: &[u8]| {
        line.push(name);
        match fit {
            true => line.push(key),
            false => line.push(&base64::encode(key)),
        }
    };
    let base64 = |line: &mut Line| line.push(if fit { b"" } else { b" b" });
    match row.op {
        Op::Get if fit && !row.keyed => {
            line.push(b"gets ");
            line.push(key);
        }
        Op::GetAndTouch if fit && !row.keyed => {
            line.flag(b"gats ", exptime(extras.word()));
            line.push(b" ");
            line.push(key);
        }
        Op::Get | Op::GetAndTouch | Op::Touch => {
            meta(&mut line, b"mg ");
            base64(&mut line);
            if row.keyed {
                // A response to a miss repeats it, too.
                line.push(b" k");
            }
            line.push(b" f c");
            if row.op != Op::Touch {
                line.push(b" v");
            }
            if row.op != Op::Get {
                line.flag(b" T", exptime(extras.word()));
            }
        }
        Op::Store(mode) | Op::Join(mode)
            if fit && header.unique == 0 && is_huge(header) && mode != Mode::Set =>
        {
            line.push(classic_name(mode));
            line.push(key);
            line.flag(b" ", extras.word());
            line.flag(b" ", exptime(extras.word()));
            line.flag(b" ", header.value().unwrap_or_default());
        }
        Op::Store(mode) | Op::Join(mode) => {
            meta(&mut line, b"ms ");
            line.flag(b" ", header.value().unwrap_or_default());
            base64(&mut line);
            if matches!(row.op, Op::Store(_)) {
                line.flag(b" F", extras.word());
                line.flag(b" T", exptime(extras.word()));
            }
            let mode: &[u8] = match mode {
                // Where a version is named, it is all that counts.
                Mode::Add | Mode::Replace if header.unique != 0 => b"",
                Mode::Add => b" ME",
                Mode::Replace => b" MR",
                Mode::Append => b" MA",
                Mode::Prepend => b" MP",
                Mode::Set | Mode::Increment | Mode::Decrement => b"",
            };
            line.push(mode);
            finish_write(&mut line, row, header);
        }
        Op::Delete => {
            meta(&mut line, b"md ");
            base64(&mut line);
            if header.unique != 0 {
                line.flag(b" C", header.unique);
            }
        }
        Op::Arithmetic(mode) => {
            let (delta, initial, time) = (extras.long(), extras.long(), extras.word());
            meta(&mut line, b"ma ");
            base64(&mut line);
            line.push(if mode == Mode::Decrement {
                b" MD"
            } else {
                b" MI"
            });
            line.flag(b" D", delta);
            // This time means that no item is to be created.
            if time != u32::MAX {
                line.flag(b" J", initial);
                line.flag(b" N", exptime(time));
            }
            line.push(b" v");
            finish_write(&mut line, row, header);
        }
        Op::Flush => {
            line.push(b"flush_all");
            let delay = extras.word();
            if delay > 0 {
                line.flag(b" ", i32::try_from(delay).unwrap_or(i32::MAX));
            }
        }
        Op::Version => line.push(b"version"),
        Op::Stat => {
            line.push(b"stats");
            if !key.is_empty() {
                line.push(b" ");
            }
            match fit {
                true => line.push(key),
                // Something that is refused.
                false => line.push(b"?"),
            }
        }
        Op::Noop | Op::Quit | Op::Sasl | Op::Unknown => return Ok(None),
    }
    line.push(b"\r\n");
    Ok(Some(line))
}

/// Returns true if a value may be more than memcached takes, whose limit (`-I`) is 1 MB unless it was set. At a meta command
/// memcached deletes the item then, whatever the mode, which the binary protocol does at `set` only; so the others are
/// asked for by classic commands, which return no version.
fn is_huge(header: &Header) -> bool {
    const HUGE: u32 = (1 << 20) - 64;
    header.value().is_some_and(|value| value > HUGE)
}

/// The classic command of a mode, with the blank behind it.
fn classic_name(mode: Mode) -> &'static [u8] {
    match mode {
        Mode::Add => b"add ",
        Mode::Replace => b"replace ",
        Mode::Append => b"append ",
        Mode::Prepend => b"prepend ",
        Mode::Set | Mode::Increment | Mode::Decrement => b"set ",
    }
}

/// The use of versions in a write.
fn finish_write(line: &mut Line, row: &Opcode, header: &Header) {
    if !row.quiet {
        line.push(b" c");
    }
    if header.unique != 0 {
        line.flag(b" C", header.unique);
    }
}
