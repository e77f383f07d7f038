//! Requests in a form that has the same effect on every replica.
//!
//! Versions belong to one memcached, so a compare-and-swap is run by the one that gave the version
//! ([`with_unique`]); if it was done, the others get the same request without the comparison ([`effect`]).
//!
//! Expiration times stay as they are. memcached knows whole seconds only, which begin whenever it was started:
//! one that counts from now is exact in the second of the memcached that counts it, and in no other. A moment
//! worked out here would be off by up to two seconds, and by as much as this machine's clock is.
//!
//! The client sees no difference: a rewritten request has the reply of the original one. New words
//! are written to a text that the caller owns, so that a [`Call`] can stay a view.

use super::call::{Body, Call, Meta};
use super::reply_line::code;
use super::{command, number};

/// The request as the replica whose version it names is asked first: an `ms` that compares versions loses its
/// flag `I`, which has it stored as a stale item if its version is an older one. Which of both happened
/// the reply would not say. `None` if it has no such flag; see [`stale`].
pub fn strict<'a>(call: &Call<'a>) -> Option<Call<'a>> {
    let Body::Meta(meta) = &call.body else {
        return None;
    };
    let has = |letter| meta.token(letter).is_some();
    if meta.len.is_none() || !has(b'C') || !has(b'I') {
        return None;
    }
    let mut strict = call.clone();
    if let Body::Meta(meta) = &mut strict.body {
        meta.flags.retain(|flag| flag.first() != Some(&b'I'));
    }
    Some(strict)
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

/// Returns true if one replica has to run the request before its effect on the others is known.
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

/// The effect of a request that [`needs_one`], for replicas that have not run it, by the reply of the
/// one that has. `None` if it changed nothing.
///
/// A replica that is in the state of the first one gives the same reply to it, in all that
/// [counts](super::varying).
pub fn effect<'a>(call: &Call<'a>, reply: &[u8]) -> Option<Call<'a>> {
    if !needs_one(call) || !is_done(reply) {
        return None;
    }
    let mut effect = call.clone();
    match &mut effect.body {
        Body::Store { unique, .. } => {
            *unique = None;
            effect.command = &command::SET;
        }
        Body::Meta(meta) => {
            let stores = meta.len.is_some();
            // To replace is to set, as it is known that something was there.
            meta.flags.retain(|flag| {
                !(flag.starts_with(b"C") || stores && matches!(*flag, b"I" | b"MR"))
            });
        }
        _ => return None,
    }
    Some(effect)
}

/// Returns true if a reply to a request that [`needs_one`] says that it was carried out.
fn is_done(reply: &[u8]) -> bool {
    matches!(code(reply), b"STORED" | b"HD" | b"VA")
}

/// A version that is older than that of any item which was written twice.
pub const OLDEST: u64 = 1;

/// The effect of an `ms` with the flags `C` and `I`, whose version is known to be an older one, for replicas that
/// have not run it: it has stored a stale item. `None` if it changed nothing.
///
/// The item that it is stored over is there in its second version at least, on any replica that has seen both
/// writes, so that [`OLDEST`] is an older version everywhere. The item lives as long as the one before.
pub fn stale<'a>(call: &Call<'a>, reply: &[u8], text: &'a mut Vec<u8>) -> Option<Call<'a>> {
    is_done(reply).then(|| with_unique(call, OLDEST, text))
}

/// Returns true if a request was made by [`stale`].
pub fn is_stale(call: &Call<'_>) -> bool {
    strict(call).is_some() && unique(call) == Some(OLDEST)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::memcache::against_memcached::{call, shown};

    #[test]
    fn a_comparison_is_strict_first_and_stores_a_stale_item_only_then() {
        for (text, first) in [
            ("ms k 5 C7 I OI", Some("ms k 5 C7 OI")),
            ("ms k 5 I T10 C7", Some("ms k 5 T10 C7")),
            ("ms k 5 I", None),
            ("ms k 5 C7 OI", None),
            ("md k C7 I", None),
        ] {
            let found = strict(&call(text)).map(|call| shown(&call));
            assert_eq!(found.as_deref(), first, "{text}");
        }
        let original = call("ms k 5 I T10 C7 F3");
        let mut words = Vec::new();
        let effect = stale(&original, b"HD\r\n", &mut words).expect("it was done");
        assert_eq!(shown(&effect), "ms k 5 I T10 C1 F3");
        assert!(is_stale(&effect) && !is_stale(&original));
        assert_eq!(stale(&original, b"EX\r\n", &mut Vec::new()), None);
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
}
