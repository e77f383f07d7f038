//! Requests in a form that has the same effect on every replica.
//!
//! Expiration times that count from now would end at different moments on different replicas, so they
//! are made absolute ([`absolute`]). Some flags of meta commands do what only one memcached can know,
//! so they are left out. Versions belong to one memcached, so a compare-and-swap is run by
//! the one that gave the version ([`with_unique`]); if it was done, the others get the same request
//! without the comparison ([`effect`]).
//!
//! The client sees no difference: a rewritten request has the reply of the original one. New words
//! are written to a text that the caller owns, so that a [`Call`] can stay a view.

use super::call::{Body, Call, Meta};
use super::{command, number};

/// Longest time that counts from now, in seconds: 30 days. A greater one is seconds since the Unix
/// epoch (memcached's protocol.txt, *Expiration times*).
pub const LONGEST_RELATIVE: i32 = 60 * 60 * 24 * 30;
/// A moment in January 1970, as a time that memcached takes for absolute. It puts the same in place of
/// a negative time: long expired.
const LONG_AGO: i32 = LONGEST_RELATIVE + 1;

/// An expiration time without a sign, of the same meaning.
pub fn readable(exptime: i32) -> i32 {
    if exptime < 0 { LONG_AGO } else { exptime }
}

/// Whether an item with this expiration time has expired at `now_secs`, seconds since the Unix epoch.
pub fn is_past(exptime: i32, now_secs: u64) -> bool {
    exptime < 0 || exptime > LONGEST_RELATIVE && u64::from(exptime.unsigned_abs()) <= now_secs
}

/// What to say in place of an expiration time; `None` if it can stay: never, absolute already, or too
/// late for memcached's 32 bits.
fn moment(exptime: i32, now_secs: u64) -> Option<i32> {
    match exptime {
        ..=-1 => Some(LONG_AGO),
        1..=LONGEST_RELATIVE => {
            let at = now_secs.checked_add(u64::from(exptime.unsigned_abs()))?;
            // A clock before February 1970 has no moments that can be told.
            i32::try_from(at).ok().filter(|at| *at > LONGEST_RELATIVE)
        }
        _ => None,
    }
}

/// The request with absolute times in place of those that count from `now_secs`, seconds since the
/// Unix epoch, and of negative ones. `None` if there is none.
///
/// What only compares times (flag `R` of `mg`) stays. `append` and `prepend` ignore theirs, but a peer
/// that runs the original must not see a negative one.
///
/// Beside this, an `ms` that compares versions loses its flag `I`, which has it stored although the
/// version is an older one, but as a stale item that lives as long as the one before. Which of both
/// happened the reply does not say, so the other replicas could not be told: the client is told `EX`.
pub fn absolute<'a>(call: &Call<'a>, now_secs: u64, text: &'a mut Vec<u8>) -> Option<Call<'a>> {
    let body = match &call.body {
        Body::Get { exptime, keys } => Body::Get {
            exptime: Some(moment((*exptime)?, now_secs)?),
            keys: keys.clone(),
        },
        &Body::Store {
            key,
            flags,
            exptime,
            len,
            unique,
        } => Body::Store {
            key,
            flags,
            exptime: if matches!(call.command.name, "append" | "prepend") {
                (exptime < 0).then_some(0)?
            } else {
                moment(exptime, now_secs)?
            },
            len,
            unique,
        },
        &Body::Touch { key, exptime } => Body::Touch {
            key,
            exptime: moment(exptime, now_secs)?,
        },
        Body::Meta(meta) => {
            let strict = strict(call, meta);
            let timed = meta_absolute(strict.as_ref().unwrap_or(meta), now_secs, text);
            Body::Meta(timed.or(strict)?)
        }
        // A negative delay is none.
        &Body::Flush { delay } => Body::Flush {
            delay: Some(moment(delay.filter(|delay| *delay > 0)?, now_secs)?),
        },
        Body::Delete { .. } | Body::Arithmetic { .. } | Body::Words(_) => return None,
    };
    Some(Call {
        body,
        ..call.clone()
    })
}

/// Replaces the token of each flag for which `token` gives another one; `None` if there is none.
fn with_tokens<'a>(
    meta: &Meta<'a>,
    text: &'a mut Vec<u8>,
    token: impl Fn(u8, &[u8]) -> Option<String>,
) -> Option<Meta<'a>> {
    let mut changed = Vec::new();
    for (place, flag) in meta.flags.iter().enumerate() {
        let Some(new) = flag
            .split_first()
            .and_then(|(letter, old)| Some((letter, token(*letter, old)?)))
        else {
            continue;
        };
        let from = text.len();
        text.push(*new.0);
        text.extend_from_slice(new.1.as_bytes());
        changed.push((place, from..text.len()));
    }
    if changed.is_empty() {
        return None;
    }
    let text: &'a [u8] = text;
    let mut meta = meta.clone();
    for (place, range) in changed {
        if let (Some(flag), Some(new)) = (meta.flags.get_mut(place), text.get(range)) {
            *flag = new;
        }
    }
    Some(meta)
}

fn meta_absolute<'a>(meta: &Meta<'a>, now_secs: u64, text: &'a mut Vec<u8>) -> Option<Meta<'a>> {
    with_tokens(meta, text, |letter, token| {
        if !matches!(letter, b'T' | b'N') {
            return None;
        }
        Some(moment(number::signed(token)?, now_secs)?.to_string())
    })
}

/// An `ms` that compares, without its flag `I`; `None` if it has none.
fn strict<'a>(call: &Call<'a>, meta: &Meta<'a>) -> Option<Meta<'a>> {
    let has = |letter| meta.token(letter).is_some();
    if *call.command != command::META_SET || !has(b'C') || !has(b'I') {
        return None;
    }
    let mut strict = meta.clone();
    strict.flags.retain(|flag| flag.first() != Some(&b'I'));
    Some(strict)
}

/// The version that the request compares with; `None` if it compares none. Only the replica that gave
/// it can run such a request.
pub fn unique(call: &Call<'_>) -> Option<u64> {
    match &call.body {
        Body::Store { unique, .. } => *unique,
        Body::Meta(meta) if compares(call) => number::unsigned_long(meta.token(b'C')?),
        _ => None,
    }
}

fn compares(call: &Call<'_>) -> bool {
    [
        &command::META_SET,
        &command::META_DELETE,
        &command::META_ARITHMETIC,
    ]
    .contains(&call.command)
}

/// Whether the request has to be run by one replica before the others can be told what it does.
pub fn needs_one(call: &Call<'_>) -> bool {
    unique(call).is_some()
}

/// A request that [`needs_one`], with another version to compare with.
pub fn with_unique<'a>(call: &Call<'a>, unique: u64, text: &'a mut Vec<u8>) -> Call<'a> {
    let mut changed = call.clone();
    match &mut changed.body {
        Body::Store { unique: place, .. } if place.is_some() => *place = Some(unique),
        Body::Meta(meta) if compares(call) => {
            let other = with_tokens(meta, text, |letter, _| {
                (letter == b'C').then(|| unique.to_string())
            });
            if let Some(other) = other {
                *meta = other;
            }
        }
        _ => {}
    }
    changed
}

/// What a request that [`needs_one`] has done, for replicas that have not run it, by the reply of the
/// one that has. `None` if it changed nothing.
///
/// A replica that is in the state of the first one gives the same reply to it, in all that
/// [counts](super::varying).
pub fn effect<'a>(call: &Call<'a>, reply: &[u8]) -> Option<Call<'a>> {
    if !needs_one(call) {
        return None;
    }
    let done = [&b"STORED\r"[..], b"HD\r", b"HD ", b"VA "];
    if !done.iter().any(|word| reply.starts_with(word)) {
        return None;
    }
    let mut effect = call.clone();
    match &mut effect.body {
        Body::Store { unique, .. } => {
            *unique = None;
            effect.command = &command::SET;
        }
        Body::Meta(meta) => {
            let stores = call.command.name == "ms";
            // To replace is to set, as it is known that something was there.
            meta.flags.retain(|flag| {
                !(flag.starts_with(b"C") || stores && matches!(*flag, b"I" | b"MR"))
            });
        }
        _ => return None,
    }
    Some(effect)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::memcache::against_memcached::{call, shown};
    use proptest::prelude::*;

    const NOW: u64 = 1_700_000_000;

    fn rewritten(text: &str, now: u64) -> Option<String> {
        let mut words = Vec::new();
        absolute(&call(text), now, &mut words).map(|call| shown(&call))
    }

    #[test]
    fn relative_times_become_absolute() {
        for (text, expected) in [
            ("set k 1 10 5", "set k 1 1700000010 5"),
            ("add k 1 2592000 5", "add k 1 1702592000 5"),
            ("replace k 1 1 5", "replace k 1 1700000001 5"),
            ("cas k 1 10 5 77", "cas k 1 1700000010 5 77"),
            ("set k 1 -1 5", "set k 1 2592001 5"),
            ("append k 1 -1 5", "append k 1 0 5"),
            ("gat 10 k l", "gat 1700000010 k l"),
            ("gats -10 k", "gats 2592001 k"),
            ("touch k 10", "touch k 1700000010"),
            ("mg k v T10 N-1 R10", "mg k v T1700000010 N2592001 R10"),
            ("ms k 5 T+10 OT10", "ms k 5 T1700000010 OT10"),
            ("md k I T10", "md k I T1700000010"),
            ("ma k N10 J5", "ma k N1700000010 J5"),
            ("flush_all 10", "flush_all 1700000010"),
            ("ms k 5 C7 I OI", "ms k 5 C7 OI"),
            ("ms k 5 I T10 C7", "ms k 5 T1700000010 C7"),
        ] {
            assert_eq!(rewritten(text, NOW).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn other_times_stay() {
        for text in [
            "set k 1 0 5",
            "set k 1 2592001 5",
            "set k 1 1800000000 5",
            "append k 1 10 5",
            "prepend k 1 0 5",
            "gat 0 k",
            "touch k 2592001",
            "get k",
            "mg k v T0 R10",
            "ms k 5 T99999999999",
            "ms k 5",
            "ms k 5 I",
            "ms k 5 C7 OI",
            "md k C7 I",
            "delete k",
            "incr k 5",
            "flush_all",
            "flush_all 0",
            "flush_all -1",
            "flush_all 2592001",
            "version",
        ] {
            assert_eq!(rewritten(text, NOW), None, "{text}");
        }
        // Clocks that memcached's 32 bits cannot follow, or that have but begun.
        for now in [0, 5, u64::from(i32::MAX.unsigned_abs()), u64::MAX] {
            assert_eq!(rewritten("set k 1 10 5", now), None, "{now}");
            assert!(rewritten("set k 1 -10 5", now).is_some(), "{now}");
        }
    }

    #[test]
    fn a_version_is_replaced_where_it_stands() {
        for (text, expected) in [
            ("cas k 1 0 5 77", "cas k 1 0 5 9"),
            ("ms k 5 F1 C77 OC5", "ms k 5 F1 C9 OC5"),
            ("md k C77", "md k C9"),
            ("set k 1 0 5", "set k 1 0 5"),
            ("mg k C77 v", "mg k C77 v"),
        ] {
            let mut words = Vec::new();
            let original = call(text);
            let changed = with_unique(&original, 9, &mut words);
            assert_eq!(shown(&changed), expected);
            assert_eq!(needs_one(&original), text != expected);
            assert_eq!(unique(&original), needs_one(&original).then_some(77));
        }
    }

    #[test]
    fn what_was_done_is_told_without_the_comparison() {
        for (text, reply, expected) in [
            ("cas k 1 5 5 77", "STORED\r\n", Some("set k 1 5 5")),
            ("cas k 1 5 5 77", "EXISTS\r\n", None),
            ("cas k 1 5 5 77", "NOT_FOUND\r\n", None),
            ("cas k 1 5 5 77", "SERVER_ERROR x\r\n", None),
            ("ms k 5 F1 C7 T5 Ox", "HD Ox\r\n", Some("ms k 5 F1 T5 Ox")),
            ("ms k 5 C7 MR c", "HD c9\r\n", Some("ms k 5 c")),
            ("ms k 5 C7 MA", "HD\r\n", Some("ms k 5 MA")),
            ("ms k 5 C7", "NS\r\n", None),
            ("ms k 5 C7", "EX\r\n", None),
            ("md k C7 I", "HD\r\n", Some("md k I")),
            ("md k C7", "NF\r\n", None),
            ("ma k C7 v D5", "VA 1\r\n5\r\n", Some("ma k v D5")),
            ("ma k C7", "HD\r\n", Some("ma k")),
            ("ma k C7", "CLIENT_ERROR x\r\n", None),
            ("set k 1 5 5", "STORED\r\n", None),
            ("ms k 5", "HD\r\n", None),
        ] {
            let original = call(text);
            let found = effect(&original, reply.as_bytes());
            let found = found.map(|effect| shown(&effect));
            assert_eq!(found.as_deref(), expected, "{text}; {reply}");
        }
    }

    proptest! {
        #[test]
        fn rewriting_is_done_at_once(
            text in prop::sample::select(vec!["set k 1 TIME 5", "gat TIME k", "touch k TIME", "mg k TTIME NTIME", "flush_all TIME"]),
            time in prop_oneof![any::<i32>(), -5..2_592_005i32],
            now in prop_oneof![2_592_000u64..2_000_000_000, any::<u64>()],
        ) {
            let text = text.replace("TIME", &time.to_string());
            if let Some(once) = rewritten(&text, now) {
                prop_assert_eq!(rewritten(&once, now), None, "{}", once);
            }
        }
    }
}
