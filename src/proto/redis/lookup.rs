//! From a command's name to its row, in any case of letters.
//!
//! A name of up to sixteen bytes is loaded into one 128-bit word, lower-cased there, hashed by a
//! multiplication and looked up in a table of 1024 slots that the compiler filled; one comparison
//! of that word decides. The few longer names are compared one by one.

use super::command::{Command, TABLE, TOP};
use super::errors;

const SLOTS: usize = 1024;
const EMPTY: u16 = u16::MAX;
/// Names longer than a word.
const LONG: usize = 16;

/// Lower-cased names by index; zero for one that is too long to be looked up here.
static WORDS: [u128; TOP] = {
    let mut words = [0; TOP];
    let mut i = 0;
    while i < TOP {
        words[i] = word_of(TABLE_NAMES[i]);
        i += 1;
    }
    words
};

const TABLE_NAMES: [&[u8]; TOP] = {
    let mut names: [&[u8]; TOP] = [b""; TOP];
    let mut i = 0;
    while i < TOP {
        names[i] = super::table::ROWS[i].name.as_bytes();
        i += 1;
    }
    names
};

static INDEX: [u16; SLOTS] = {
    let mut index = [EMPTY; SLOTS];
    let mut i = 0;
    while i < TOP {
        if TABLE_NAMES[i].len() <= LONG {
            let mut slot = slot_of(word_of(TABLE_NAMES[i]));
            while index[slot] != EMPTY {
                slot = (slot + 1) % SLOTS;
            }
            index[slot] = i as u16;
        }
        i += 1;
    }
    index
};

const fn word_of(name: &[u8]) -> u128 {
    let (mut word, mut i) = (0, 0);
    while i < name.len() && name.len() <= LONG {
        word |= (name[i] as u128) << (8 * i);
        i += 1;
    }
    word
}

const fn slot_of(word: u128) -> usize {
    let folded = (word as u64) ^ ((word >> 64) as u64).rotate_left(29);
    (folded.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 54) as usize
}

/// The same word as `word_of` by at most two loads.
#[inline]
fn load(name: &[u8]) -> u128 {
    let len = name.len();
    if let (Some(head), Some(tail)) = (name.first_chunk::<8>(), name.last_chunk::<8>()) {
        let head = u128::from(u64::from_le_bytes(*head));
        let tail = u128::from(u64::from_le_bytes(*tail));
        // Where the loads overlap they agree.
        return head | tail << (8 * (len - 8));
    }
    if let (Some(head), Some(tail)) = (name.first_chunk::<4>(), name.last_chunk::<4>()) {
        let head = u64::from(u32::from_le_bytes(*head));
        let tail = u64::from(u32::from_le_bytes(*tail));
        return u128::from(head | tail << (8 * (len - 4)));
    }
    match *name {
        [a] => u128::from(a),
        [a, b] => u128::from(u16::from_le_bytes([a, b])),
        [a, b, c] => u128::from(u32::from_le_bytes([a, b, c, 0])),
        _ => 0,
    }
}

/// Sets bit 0x20 of every byte that is an ASCII capital.
#[inline]
fn lower(word: u128) -> u128 {
    const fn all(byte: u8) -> u128 {
        u128::from_le_bytes([byte; 16])
    }
    let low = word & all(0x7f);
    let from_a = low + all(0x80 - b'A');
    let past_z = low + all(0x7f - b'Z');
    word | ((from_a ^ past_z) & !word & all(0x80)) >> 2
}

/// Finds a command by the first word of a request. Any bytes may be asked for.
///
/// The row of a container (`CONFIG`) has to be asked for its subcommand:
/// [`Command::child`].
#[inline]
pub fn lookup(name: &[u8]) -> Option<&'static Command> {
    if name.len() > LONG {
        return long(name);
    }
    let word = lower(load(name));
    let mut slot = slot_of(word);
    loop {
        let index = usize::from(*INDEX.get(slot % SLOTS)?);
        // An empty slot's index has no word, which ends the search.
        if *WORDS.get(index)? == word {
            let found = TABLE.get(index)?;
            // A name with NUL bytes at its end loads as the same word.
            return (found.name.len() == name.len()).then_some(found);
        }
        slot += 1;
    }
}

/// Why a request belongs to no row.
#[derive(Clone, Copy, Debug)]
pub enum Unresolved {
    /// There is no such command.
    Command,
    /// This container has no such subcommand.
    Subcommand(&'static Command),
    /// Wrong number of arguments for the command.
    Arity(&'static Command),
}

impl Unresolved {
    /// Appends the error line for the client that sent this request.
    pub fn write(self, args: &[&[u8]], out: &mut Vec<u8>) {
        match self {
            Unresolved::Command => errors::unknown_command(args, out),
            Unresolved::Subcommand(container) => {
                let word = args.get(1).copied().unwrap_or_default();
                errors::unknown_subcommand(container, word, out);
            }
            Unresolved::Arity(command) => errors::arity(command, out),
        }
    }
}

/// Finds the row that a whole request, name first, belongs to, descending into containers, and
/// checks its number of arguments. Whether the command is served depends on the row.
///
/// # Errors
/// There is no such command or subcommand, or it has the wrong number of arguments.
pub fn find(args: &[&[u8]]) -> Result<&'static Command, Unresolved> {
    let named = args.first().and_then(|name| lookup(name));
    let mut found = named.ok_or(Unresolved::Command)?;
    if let Some(word) = args.get(1).filter(|_| found.is_container()) {
        found = found.child(word).ok_or(Unresolved::Subcommand(found))?;
    }
    if !found.accepts(args.len()) {
        return Err(Unresolved::Arity(found));
    }
    Ok(found)
}

/// The same as [`find`], the error line for the client appended to `out`.
pub fn resolve(args: &[&[u8]], out: &mut Vec<u8>) -> Option<&'static Command> {
    find(args).map_err(|why| why.write(args, out)).ok()
}

#[cold]
fn long(name: &[u8]) -> Option<&'static Command> {
    super::command::commands().iter().find(|command| {
        command.name.len() > LONG && command.name.as_bytes().eq_ignore_ascii_case(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::redis::command::commands;
    use proptest::prelude::*;

    #[test]
    fn every_name_is_found_in_any_case() {
        for (at, command) in commands().iter().enumerate() {
            let name = command.name;
            let mixed: Vec<u8> = name
                .bytes()
                .enumerate()
                .map(|(i, b)| {
                    if i % 2 == 0 {
                        b.to_ascii_uppercase()
                    } else {
                        b
                    }
                })
                .collect();
            for asked in [
                name.as_bytes(),
                name.to_ascii_uppercase().as_bytes(),
                &mixed,
            ] {
                assert_eq!(
                    lookup(asked).map(|c| usize::from(c.index())),
                    Some(at),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn near_misses_are_not_found() {
        for asked in [
            &b""[..],
            b"ge",
            b"gett",
            b"get\0",
            b"get ",
            b"json\x0eget",
            b"\xe7et",
            b"g\x05t",
            b"nosuchcommand",
            b"GEORADIUSBYMEMBER_R",
            b"georadiusbymember_rox",
            b"zrangebyscore\0\0\0",
            b"load",
            b"kill",
        ] {
            assert!(lookup(asked).is_none(), "{asked:?}");
        }
    }

    proptest! {
        #[test]
        fn agrees_with_comparing_names(name in proptest::collection::vec(any::<u8>(), 0..24), at in 0..TOP, flips in any::<u32>()) {
            let naive = |name: &[u8]| commands().iter().find(|c| c.name.as_bytes().eq_ignore_ascii_case(name)).map(Command::index);
            prop_assert_eq!(lookup(&name).map(Command::index), naive(&name));
            let near: Vec<u8> = commands()[at].name.bytes().enumerate().map(|(i, b)| if flips >> (i % 32) & 7 == 7 { b ^ 0x20 } else { b }).collect();
            prop_assert_eq!(lookup(&near).map(Command::index), naive(&near));
        }
    }
}
