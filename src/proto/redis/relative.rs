//! Absolute times made relative again, for a datastore whose clock does not keep step.
//!
//! The opposite of [`absolute`](super::rewrite::absolute), and only of what that writes: a time that the
//! client itself has named as a moment stays one.

use super::command::Command;
use super::expiry::Expiry;
use super::keys::integer;
use super::lookup::lookup;
use super::rewrite::Rewritten;
use std::borrow::Cow;

/// The request with times that count from `now_ms`, milliseconds since the Unix epoch, in place of absolute
/// ones. `None` if it is not what [`absolute`](super::rewrite::absolute) writes.
///
/// A moment that has passed meanwhile is one millisecond from now where Redis takes nothing less.
pub fn relative<'a>(command: &Command, args: &[&'a [u8]], now_ms: u64) -> Option<Rewritten<'a>> {
    let now = i64::try_from(now_ms).ok()?;
    let left = |text: &[u8]| integer(text)?.checked_sub(now);
    let soon = |text: &[u8]| left(text).map(|left| left.max(1));
    match command.expiry {
        Expiry::Moment { after } => changed(after, args, 2, left(args.get(2)?)?, None),
        Expiry::Options { name, from, .. } => with_option(name, args, from.of(args)?, soon),
        Expiry::Payload { name } => {
            let at = option(args, 4, b"ABSTTL")?;
            let mut restored = changed(name, args, 2, soon(args.get(2)?)?, None)?;
            restored.words.remove(at);
            Some(restored)
        }
        Expiry::None | Expiry::After { .. } | Expiry::Value { .. } => None,
    }
}

/// `PXAT` among the options, which begin at `from`, as `PX` with the time that is left.
fn with_option<'a>(
    name: &'static str,
    args: &[&'a [u8]],
    from: usize,
    left: impl Fn(&[u8]) -> Option<i64>,
) -> Option<Rewritten<'a>> {
    let at = option(args, from, b"PXAT")?;
    let time = left(args.get(at + 1)?)?;
    changed(name, args, at + 1, time, Some((at, b"PX")))
}

/// The place of a word among the options, which begin at `from`.
fn option(args: &[&[u8]], from: usize, word: &[u8]) -> Option<usize> {
    let options = args.iter().enumerate().skip(from);
    let mut found = options.filter(|(_, option)| option.eq_ignore_ascii_case(word));
    found.next().map(|(at, _)| at)
}

/// The arguments under another name, with another time at `place`, and another word.
fn changed<'a>(
    name: &'static str,
    args: &[&'a [u8]],
    place: usize,
    time: i64,
    word: Option<(usize, &'static [u8])>,
) -> Option<Rewritten<'a>> {
    let mut words: Vec<Cow<'a, [u8]>> = args.iter().map(|arg| Cow::Borrowed(*arg)).collect();
    *words.first_mut()? = Cow::Borrowed(name.as_bytes());
    *words.get_mut(place)? = Cow::Owned(time.to_string().into_bytes());
    if let Some((at, word)) = word {
        *words.get_mut(at)? = Cow::Borrowed(word);
    }
    Some(Rewritten {
        command: lookup(name.as_bytes())?,
        words,
    })
}

#[cfg(test)]
mod tests {
    use super::super::lookup::resolve;
    use super::super::rewrite::absolute;
    use super::*;

    const NOW: u64 = 1_700_000_000_000;

    fn there_and_back(line: &str, later_ms: u64) -> Option<String> {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let command = resolve(&args, &mut Vec::new()).unwrap();
        let there = absolute(command, &args, NOW).expect("it has a relative time");
        let words = there.words();
        let args: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
        let back = relative(there.command, &args, NOW + later_ms)?;
        Some(back.line())
    }

    /// Every form in which a time is made absolute can be turned back into the client's form.
    #[test]
    fn what_was_made_absolute_becomes_relative() {
        for (line, expected) in [
            ("EXPIRE k 10", "PEXPIRE k 10000"),
            ("EXPIRE k -1 GT", "PEXPIRE k -1000 GT"),
            ("PEXPIRE k 7 NX", "PEXPIRE k 7 NX"),
            ("SETEX k 10 v", "SET k v PX 10000"),
            ("PSETEX k 10 PXAT", "SET k PXAT PX 10"),
            ("SET pxat pxat NX EX 3 GET", "SET pxat pxat NX PX 3000 GET"),
            ("GETEX pxat EX 10", "GETEX pxat PX 10000"),
            ("HEXPIRE k 10 FIELDS 1 f", "HPEXPIRE k 10000 FIELDS 1 f"),
            ("HGETEX k EX 10 FIELDS 1 f", "HGETEX k PX 10000 FIELDS 1 f"),
            (
                "HSETEX k EX 10 FIELDS 1 f v",
                "HSETEX k PX 10000 FIELDS 1 f v",
            ),
            ("MSETEX 1 pxat pxat EX 10", "MSETEX 1 pxat pxat PX 10000"),
            ("RESTORE k 10 ABSTTL REPLACE", "RESTORE k 10 ABSTTL REPLACE"),
        ] {
            assert_eq!(there_and_back(line, 0).as_deref(), Some(expected), "{line}");
        }
        assert_eq!(
            there_and_back("SETEX k 10 v", 400).as_deref(),
            Some("SET k v PX 9600")
        );
        assert_eq!(
            there_and_back("PSETEX k 10 v", 400).as_deref(),
            Some("SET k v PX 1")
        );
        assert_eq!(
            there_and_back("PEXPIRE k 10", 400).as_deref(),
            Some("PEXPIRE k -390")
        );
    }

    #[test]
    fn anything_else_stays() {
        for line in [
            "EXPIREAT k 1",
            "SET k v",
            "SET k v PX 1",
            "SET k PXAT",
            "GETEX k",
            "RESTORE k 1 v",
            "GET PXAT",
            "PEXPIREAT k x",
        ] {
            let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let command = resolve(&args, &mut Vec::new()).unwrap();
            assert!(relative(command, &args, NOW).is_none(), "{line}");
        }
    }
}
