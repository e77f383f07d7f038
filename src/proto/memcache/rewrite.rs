//! Requests in a form that has the same effect on every replica.
//!
//! Expiration times that count from now would end at different moments on different replicas, so they
//! are made absolute ([`absolute`]). Versions belong to one memcached, so a compare-and-swap is run by
//! the one that gave the version ([`with_unique`]); if it was done, the others get the same request
//! without the comparison ([`effect`]).
//!
//! The client sees no difference: a rewritten request has the reply of the original one. New words
//! are written to a text that the caller owns, so that a [`Call`] can stay a view.

use super::call::{Body, Call, Meta};
use super::command;

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
        Body::Meta(meta) => Body::Meta(meta_absolute(meta, now_secs, text)?),
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
        // What is no number is memcached's to refuse.
        let exptime = std::str::from_utf8(token).ok()?.parse().ok()?;
        Some(moment(exptime, now_secs)?.to_string())
    })
}

/// The version that the request compares with; `None` if it compares none. Only the replica that gave
/// it can run such a request.
pub fn unique(call: &Call<'_>) -> Option<u64> {
    match &call.body {
        Body::Store { unique, .. } => *unique,
        Body::Meta(meta) if compares(call) => {
            let token = meta.flags.iter().find_map(|flag| flag.strip_prefix(b"C"))?;
            std::str::from_utf8(token).ok()?.parse().ok()
        }
        _ => None,
    }
}

fn compares(call: &Call<'_>) -> bool {
    matches!(call.command.name, "ms" | "md" | "ma")
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
/// [counts](super::varying). A flag `I` of `ms` is dropped, too: what it does when the version is an
/// older one, to store the value as a stale one, cannot be told from the reply.
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
