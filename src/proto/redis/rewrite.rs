//! Writes in a form that has the same effect on every replica.
//!
//! Replicas that each run `EXPIRE k 10` when it reaches them end up with different times, and after
//! `SPOP` with different members. So a write that goes to several is rewritten first, if its row says
//! so ([`Replicate`]): relative times become absolute ([`absolute`]), and where only a datastore knows
//! what a request does, one of them runs it, and its reply becomes a request for the others
//! ([`super::effect`]). Redis does the same towards its own replicas.
//!
//! The client sees no difference: a rewritten request has the reply of the original one, and one that
//! Redis would refuse is left as it is, because its error names the command.

use super::command::{Command, Replicate};
use super::encode;
use super::expiry::{Expiry, MILLISECOND, SECOND};
use super::keys::integer;
use super::lookup::lookup;
use std::borrow::Cow;

/// A rewritten request.
#[derive(Debug)]
pub struct Rewritten<'a> {
    /// The command's row.
    pub command: &'static Command,
    /// All arguments, name first.
    pub words: Vec<Cow<'a, [u8]>>,
}

impl<'a> Rewritten<'a> {
    pub(super) fn new(
        name: &'static str,
        rest: impl IntoIterator<Item = Cow<'a, [u8]>>,
    ) -> Option<Self> {
        let mut words = vec![Cow::Borrowed(name.as_bytes())];
        words.extend(rest);
        Some(Rewritten {
            command: lookup(name.as_bytes())?,
            words,
        })
    }
}

#[cfg(test)]
impl Rewritten<'_> {
    /// The request as one line.
    pub(super) fn line(&self) -> String {
        let words = self.words.iter().map(|word| String::from_utf8_lossy(word));
        words.collect::<Vec<_>>().join(" ")
    }
}

/// A request with an absolute time in place of one that counted from now. It refers to the words of the original.
#[derive(Debug)]
pub struct Absolute<'a> {
    /// The command's row.
    pub command: &'static Command,
    name: &'static str,
    /// Words of the original behind the name.
    before: &'a [&'a [u8]],
    /// The time, and words that go with it.
    time: [Word<'a>; 3],
    /// Words of the original behind those.
    after: &'a [&'a [u8]],
}

/// A word in the place of one of the original.
#[derive(Clone, Copy, Debug)]
enum Word<'a> {
    Nothing,
    Text(&'a [u8]),
    /// Milliseconds since the Unix epoch.
    Time(i64),
}

impl<'a> Absolute<'a> {
    fn new(
        name: &'static str,
        before: &'a [&'a [u8]],
        time: [Word<'a>; 3],
        after: &'a [&'a [u8]],
    ) -> Option<Self> {
        Some(Absolute {
            command: lookup(name.as_bytes())?,
            name,
            before,
            time,
            after,
        })
    }

    /// How many words it has.
    fn len(&self) -> usize {
        let time = self.time.iter();
        let time = time.filter(|word| !matches!(word, Word::Nothing)).count();
        1 + self.before.len() + time + self.after.len()
    }

    /// Appends the request to `out`.
    pub fn write(&self, out: &mut Vec<u8>) {
        encode::array(out, self.len());
        encode::bulk(out, self.name.as_bytes());
        self.before.iter().for_each(|word| encode::bulk(out, word));
        for word in self.time {
            match word {
                Word::Nothing => {}
                Word::Text(text) => encode::bulk(out, text),
                Word::Time(at) => encode::bulk(out, itoa::Buffer::new().format(at).as_bytes()),
            }
        }
        self.after.iter().for_each(|word| encode::bulk(out, word));
    }

    /// Returns true if a Redis that knows the original may not know this: `SET` has `PXAT` since 6.2, `RESTORE` has
    /// `ABSTTL` since 5.0.
    pub fn is_recent(&self) -> bool {
        matches!(
            self.command.expiry,
            Expiry::Options { recent: true, .. } | Expiry::Payload { .. }
        )
    }

    /// Returns true if there are words of the client's beside key, value and time, which may be wrong.
    pub fn has_options(&self) -> bool {
        self.len() > 5
    }

    /// All words, name first.
    #[cfg(test)]
    pub(super) fn words(&self) -> Vec<Vec<u8>> {
        let mut text = Vec::new();
        self.write(&mut text);
        let words = super::request::arguments(&text);
        words.map(<[u8]>::to_vec).collect()
    }
}

/// The request with absolute times in place of those that count from `now_ms`, milliseconds since the
/// Unix epoch. `None` if there is none, or none that Redis takes.
pub fn absolute<'a>(command: &Command, args: &'a [&'a [u8]], now_ms: u64) -> Option<Absolute<'a>> {
    let Replicate::Absolute(least) = command.replicate else {
        return None;
    };
    if args.len() < usize::from(least) {
        return None;
    }
    let now = i64::try_from(now_ms).ok()?;
    match command.expiry {
        Expiry::After {
            unit,
            moment,
            may_be_past,
        } => expire(moment, args, now, unit, may_be_past),
        Expiry::Value { unit } => set_for(args, now, unit),
        Expiry::Options { name, from, .. } => with_options(name, args, from.of(args)?, now),
        Expiry::Payload { name } => restore(name, args, now),
        Expiry::None | Expiry::Moment { .. } => None,
    }
}

/// When `text` units from `now` will be; `None` if that is no time.
fn moment(text: &[u8], now: i64, unit: i64) -> Option<i64> {
    integer(text)?.checked_mul(unit)?.checked_add(now)
}

/// The same for a value that must be in the future.
fn later(text: &[u8], now: i64, unit: i64) -> Option<i64> {
    moment(text, now, unit).filter(|at| *at > now)
}

/// `EXPIRE key seconds [condition]`, `HEXPIRE key seconds [condition] FIELDS …`, by the name that takes a
/// moment. A time in the past is one: the key, or the fields, are removed; of fields one below zero is an
/// error.
fn expire<'a>(
    name: &'static str,
    args: &'a [&'a [u8]],
    now: i64,
    unit: i64,
    may_be_past: bool,
) -> Option<Absolute<'a>> {
    let [_, _, time, conditions @ ..] = args else {
        return None;
    };
    if !may_be_past && integer(time)? < 0 {
        return None;
    }
    let at = Word::Time(moment(time, now, unit)?);
    let time = [at, Word::Nothing, Word::Nothing];
    Absolute::new(name, args.get(1..2)?, time, conditions)
}

/// `SETEX key seconds value`.
fn set_for<'a>(args: &'a [&'a [u8]], now: i64, unit: i64) -> Option<Absolute<'a>> {
    let [_, _, time, value] = args else {
        return None;
    };
    let at = Word::Time(later(time, now, unit)?);
    let time = [Word::Text(value), Word::Text(b"PXAT"), at];
    Absolute::new("SET", args.get(1..2)?, time, &[])
}

/// `RESTORE key milliseconds payload [options]`; 0 is no time. The word that makes the time absolute comes
/// before the options, so that what is wrong with them stays what it is.
fn restore<'a>(name: &'static str, args: &'a [&'a [u8]], now: i64) -> Option<Absolute<'a>> {
    let [_, _, time, payload, options @ ..] = args else {
        return None;
    };
    let is_absolute = |word: &&[u8]| word.eq_ignore_ascii_case(b"absttl");
    if options.iter().any(is_absolute) {
        return None;
    }
    let at = Word::Time(later(time, now, MILLISECOND)?);
    let time = [at, Word::Text(payload), Word::Text(b"ABSTTL")];
    Absolute::new(name, args.get(1..2)?, time, options)
}

/// Options beside the time, of any of these commands: one of another command is an error all the same.
const ALONE: &[&str] = &["nx", "xx", "get", "fnx", "fxx", "enx", "saturate"];
/// Options that have a value.
const WITH_VALUE: &[&str] = &[
    "ifeq", "ifne", "ifdeq", "ifdne", "byfloat", "byint", "lbound", "ubound",
];

/// `SET`, `GETEX` and the like: `EX` or `PX` among the options, which begin at `from`.
fn with_options<'a>(
    name: &'static str,
    args: &'a [&'a [u8]],
    from: usize,
    now: i64,
) -> Option<Absolute<'a>> {
    let mut found = None;
    let mut at = from;
    while let Some(word) = args.get(at) {
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        let unit = if is("ex") {
            SECOND
        } else if is("px") {
            MILLISECOND
        } else if ALONE.iter().any(|name| is(name)) {
            at += 1;
            continue;
        } else if WITH_VALUE.iter().any(|name| is(name)) {
            at += 2;
            continue;
        } else if is("fields") {
            // Names of fields, and their values, are no options.
            break;
        } else {
            // Another way to say when, or an error.
            return None;
        };
        // Of two times the last holds, or it is an error.
        if found.is_some() {
            return None;
        }
        found = Some((at, later(args.get(at + 1)?, now, unit)?));
        at += 2;
    }
    let (place, time) = found?;
    let words = [Word::Text(b"PXAT"), Word::Time(time), Word::Nothing];
    Absolute::new(name, args.get(1..place)?, words, args.get(place + 2..)?)
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::proto::redis::lookup::resolve;
    use proptest::prelude::*;

    const NOW: u64 = 1_700_000_000_000;

    fn rewritten(line: &str) -> Option<String> {
        let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
        let command = resolve(&args, &mut Vec::new()).unwrap();
        let rewritten = absolute(command, &args, NOW)?;
        assert_eq!(
            rewritten.command.name.as_bytes(),
            rewritten.words()[0].to_ascii_lowercase()
        );
        let words = rewritten.words();
        Some(String::from_utf8_lossy(&words.join(&b' ')).into_owned())
    }

    #[test]
    fn relative_times_become_absolute() {
        for (line, expected) in [
            ("EXPIRE k 10", "PEXPIREAT k 1700000010000"),
            ("pexpire k 10", "PEXPIREAT k 1700000000010"),
            ("expire k -1 GT", "PEXPIREAT k 1699999999000 GT"),
            ("EXPIRE k 0", "PEXPIREAT k 1700000000000"),
            ("EXPIRE k 5 NX XX", "PEXPIREAT k 1700000005000 NX XX"),
            ("SETEX k 10 v", "SET k v PXAT 1700000010000"),
            ("psetex k 10 v", "SET k v PXAT 1700000000010"),
            ("set k v ex 10", "SET k v PXAT 1700000010000"),
            ("SET k v NX PX 10 GET", "SET k v NX PXAT 1700000000010 GET"),
            ("SET ex ex ex 1", "SET ex ex PXAT 1700000001000"),
            ("GETEX k EX 10", "GETEX k PXAT 1700000010000"),
            ("getex k px 1", "GETEX k PXAT 1700000000001"),
            (
                "SET k v IFEQ ex EX 10",
                "SET k v IFEQ ex PXAT 1700000010000",
            ),
            (
                "HEXPIRE k 10 FIELDS 1 f",
                "HPEXPIREAT k 1700000010000 FIELDS 1 f",
            ),
            (
                "hpexpire k 0 NX fields 2 f g",
                "HPEXPIREAT k 1700000000000 NX fields 2 f g",
            ),
            (
                "HGETEX k EX 10 FIELDS 1 px",
                "HGETEX k PXAT 1700000010000 FIELDS 1 px",
            ),
            (
                "hsetex k FNX px 5 FIELDS 2 ex 10 px 20",
                "HSETEX k FNX PXAT 1700000000005 FIELDS 2 ex 10 px 20",
            ),
            (
                "INCREX k BYINT 5 UBOUND 9 SATURATE EX 10 ENX",
                "INCREX k BYINT 5 UBOUND 9 SATURATE PXAT 1700000010000 ENX",
            ),
            (
                "MSETEX 2 ex 1 px 2 NX EX 10",
                "MSETEX 2 ex 1 px 2 NX PXAT 1700000010000",
            ),
            ("restore k 10 p", "RESTORE k 1700000000010 p ABSTTL"),
            (
                "RESTORE k 10 p REPLACE IDLETIME",
                "RESTORE k 1700000000010 p ABSTTL REPLACE IDLETIME",
            ),
        ] {
            assert_eq!(rewritten(line).as_deref(), Some(expected), "{line}");
        }
    }

    #[test]
    fn what_is_absolute_or_wrong_stays() {
        for line in [
            "EXPIREAT k 10",
            "PEXPIREAT k 10",
            "EXPIRE k ten",
            "EXPIRE k 010",
            "EXPIRE k 9223372036854775807",
            "PEXPIRE k 9223372036854775807",
            "SETEX k 0 v",
            "SETEX k -1 v",
            "SETEX k 1.5 v",
            "SETEX k 9223372036854775807 v",
            "PSETEX k 9223372036854775807 v",
            "SET k v",
            "SET k v NX",
            "SET k v EX",
            "SET k v EX 0",
            "SET k v EX x",
            "SET k v KEEPTTL",
            "SET k v EX 10 KEEPTTL",
            "SET k v EXAT 10",
            "SET k v EX 10 PX 10",
            "SET k v EX 10 bogus",
            "GETEX k",
            "GETEX k PERSIST",
            "HEXPIRE k -1 FIELDS 1 f",
            "HGETEX k PERSIST FIELDS 1 f",
            "HSETEX k FIELDS 2 ex 10 px 20",
            "HSETEX k KEEPTTL FIELDS 1 ex 10",
            "MSETEX 2 ex 1 px 2 NX",
            "MSETEX 9 ex 1 px 2 EX 10",
            "INCREX k ENX BYINT 1",
            "GETEX k EX",
            "RESTORE k 0 p",
            "RESTORE k -1 p REPLACE",
            "RESTORE k x p",
            "RESTORE k 10 p REPLACE absttl",
            "GET k",
        ] {
            assert_eq!(rewritten(line), None, "{line}");
        }
    }

    pub fn word() -> impl Strategy<Value = Vec<u8>> {
        let known = prop::sample::select(vec![
            "EX",
            "px",
            "NX",
            "xx",
            "GET",
            "KEEPTTL",
            "PXAT",
            "10",
            "-1",
            "0",
            "9223372036854775807",
            "*",
            "5-*",
            "MAXLEN",
            "~",
            "LIMIT",
            "NOMKSTREAM",
        ]);
        prop_oneof![
            known.prop_map(|word| word.as_bytes().to_vec()),
            prop::collection::vec(any::<u8>(), 0..4),
        ]
    }

    proptest! {
        /// What is rewritten keeps its key, is accepted by its command, and holds nothing relative.
        #[test]
        fn rewriting_is_done_at_once(
            name in prop::sample::select(vec!["EXPIRE", "PEXPIRE", "SETEX", "PSETEX", "SET", "GETEX", "RESTORE", "HEXPIRE", "HSETEX", "INCREX"]),
            rest in prop::collection::vec(word(), 1..7),
        ) {
            let mut args = vec![name.as_bytes()];
            args.extend(rest.iter().map(Vec::as_slice));
            let command = resolve(&args, &mut Vec::new());
            prop_assume!(command.is_some());
            if let Some(found) = absolute(command.unwrap(), &args, NOW) {
                let words = found.words();
                prop_assert_eq!(&*words[1], args[1]);
                prop_assert!(found.command.accepts(words.len()));
                let again: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
                prop_assert!(absolute(found.command, &again, NOW).is_none());
            }
        }
    }
}
