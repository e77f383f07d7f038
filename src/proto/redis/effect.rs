//! The effect of a request, as requests for the replicas that have not run it.
//!
//! Only a datastore knows which members `SPOP` takes and which id `XADD *` gives. One replica runs such a
//! request, and its reply becomes requests with the same effect for the others.

use super::command::{Command, EffectOf, Replicate};
use super::cursor::{Cursor, Head};
use super::encode;
use super::request;
use super::rewrite::Rewritten;
use std::borrow::Cow;

/// Returns true if a datastore has to run the request before its effect is known.
pub fn has_effect(command: &Command, args: &[&[u8]]) -> bool {
    match command.replicate {
        Replicate::Effect(EffectOf::Pop) => true,
        Replicate::Effect(EffectOf::GeneratedId) => stream_id(args).is_some_and(|at| {
            let id = args.get(at).copied().unwrap_or_default();
            id == b"*" || id.ends_with(b"-*")
        }),
        Replicate::AsIs | Replicate::Absolute(_) => false,
    }
}

/// Which argument of `XADD` is the entry's id.
fn stream_id(args: &[&[u8]]) -> Option<usize> {
    let mut at = 2;
    loop {
        let word = args.get(at)?;
        let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
        at += if ["nomkstream", "keepref", "delref", "acked"]
            .iter()
            .any(|name| is(name))
        {
            1
        } else if is("limit") || is("idmpauto") {
            2
        } else if is("idmp") {
            3
        } else if is("maxlen") || is("minid") {
            let exactness = args.get(at + 1).copied().unwrap_or_default();
            if matches!(exactness, b"=" | b"~") {
                3
            } else {
                2
            }
        } else {
            return Some(at);
        };
    }
}

/// Where among the options of `XADD`, which end before its id, those stand by which the same entry is not
/// added twice (`IDMP producer entry`, `IDMPAUTO producer`): with an id of its own it has none.
fn producer(options: &[&[u8]]) -> std::ops::Range<usize> {
    for (at, word) in options.iter().enumerate().skip(2) {
        if word.eq_ignore_ascii_case(b"idmpauto") {
            return at..at + 2;
        }
        if word.eq_ignore_ascii_case(b"idmp") {
            return at..at + 3;
        }
    }
    0..0
}

/// The effect of a request, for replicas that have not run it.
#[derive(Debug)]
pub struct Effect<'a> {
    /// The requests that together do the same; never none.
    pub requests: Vec<Rewritten<'a>>,
    /// The reply to the last of them, of a replica that was in the same state as the one that has run the
    /// original.
    pub reply: Cow<'a, [u8]>,
}

/// Members that one request removes: a datastore must not be held up for long, nor a peer be sent more
/// arguments than it takes.
const MEMBERS: usize = 100_000;

/// The effect of a request that [`has_effect`], by the reply, in RESP2, of the datastore that ran it.
/// `None` if it changed nothing: an error, or nothing was there.
pub fn effect<'a>(command: &Command, args: &[&'a [u8]], reply: &'a [u8]) -> Option<Effect<'a>> {
    let key = Cow::Borrowed(*args.get(1)?);
    if command.replicate == Replicate::Effect(EffectOf::GeneratedId) {
        let (id, place) = (bulk(reply)?, stream_id(args)?);
        let once = producer(args.get(..place)?);
        let words = args.iter().enumerate().skip(1);
        let words = words.filter(|(at, _)| !once.contains(at));
        let words = words.map(|(at, word)| Cow::Borrowed(if at == place { id } else { word }));
        return Some(Effect {
            requests: vec![Rewritten::new("XADD", words)?],
            reply: Cow::Borrowed(reply),
        });
    }
    let members: Vec<&[u8]> = match reply.first()? {
        b'$' => vec![bulk(reply)?],
        b'*' => request::arguments(reply).collect(),
        _ => return None,
    };
    let pieces = members.chunks(MEMBERS);
    let mut count = Vec::new();
    encode::integer(&mut count, pieces.clone().next_back()?.len() as i64);
    let removal = |piece: &[&'a [u8]]| {
        let piece = piece.iter().map(|member| Cow::Borrowed(*member));
        Rewritten::new("SREM", std::iter::once(key.clone()).chain(piece))
    };
    Some(Effect {
        requests: pieces.map(removal).collect::<Option<_>>()?,
        reply: Cow::Owned(count),
    })
}

/// The bytes of a bulk string.
fn bulk(reply: &[u8]) -> Option<&[u8]> {
    let mut cursor = Cursor::of(reply);
    match cursor.head()? {
        Head::Bulk(b'$', len) => cursor.rest().get(..usize::try_from(len).ok()?),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::super::lookup::{lookup, resolve};
    use super::super::rewrite::tests::word;
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_reply_becomes_its_effect() {
        for (line, reply, expected) in [
            ("SPOP s", "$1\r\na\r\n", Some(("SREM s a", ":1\r\n"))),
            (
                "spop s 5",
                "*2\r\n$1\r\na\r\n$2\r\nbb\r\n",
                Some(("SREM s a bb", ":2\r\n")),
            ),
            ("SPOP s", "$-1\r\n", None),
            ("SPOP s 5", "*0\r\n", None),
            ("SPOP s", "-WRONGTYPE x\r\n", None),
            (
                "XADD x * f v",
                "$3\r\n5-1\r\n",
                Some(("XADD x 5-1 f v", "$3\r\n5-1\r\n")),
            ),
            (
                "XADD x 5-* f *",
                "$3\r\n5-0\r\n",
                Some(("XADD x 5-0 f *", "$3\r\n5-0\r\n")),
            ),
            (
                "XADD x NOMKSTREAM MAXLEN ~ 10 LIMIT 5 * f v",
                "$3\r\n5-1\r\n",
                Some((
                    "XADD x NOMKSTREAM MAXLEN ~ 10 LIMIT 5 5-1 f v",
                    "$3\r\n5-1\r\n",
                )),
            ),
            (
                "XADD x minid 3 * f v",
                "$3\r\n5-1\r\n",
                Some(("XADD x minid 3 5-1 f v", "$3\r\n5-1\r\n")),
            ),
            (
                "XADD x KEEPREF IDMP p 7 MAXLEN 9 * idmp v",
                "$3\r\n5-1\r\n",
                Some(("XADD x KEEPREF MAXLEN 9 5-1 idmp v", "$3\r\n5-1\r\n")),
            ),
            (
                "XADD x IDMPAUTO p * f v",
                "$3\r\n5-1\r\n",
                Some(("XADD x 5-1 f v", "$3\r\n5-1\r\n")),
            ),
            ("XADD x NOMKSTREAM * f v", "$-1\r\n", None),
            ("XADD x * f v", "-ERR x\r\n", None),
        ] {
            let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let command = resolve(&args, &mut Vec::new()).unwrap();
            assert!(has_effect(command, &args), "{line}");
            let found = effect(command, &args, reply.as_bytes());
            let found = found.map(|effect| {
                let reply = String::from_utf8(effect.reply.into_owned()).unwrap();
                assert_eq!(effect.requests.len(), 1);
                (effect.requests[0].line(), reply)
            });
            let expected = expected.map(|(line, reply)| (line.to_owned(), reply.to_owned()));
            assert_eq!(found, expected, "{line}");
        }
        for line in [
            "XADD x 5 f v",
            "XADD x 5-1 f *",
            "XADD x MAXLEN 5 5-1 f v",
            "SADD s a",
        ] {
            let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let command = resolve(&args, &mut Vec::new()).unwrap();
            assert!(!has_effect(command, &args), "{line}");
        }
    }

    /// One request for all was more than a peer takes: it closed the connection.
    #[test]
    fn very_many_members_are_removed_piece_by_piece() {
        for (count, pieces, last) in [
            (MEMBERS, 1, MEMBERS),
            (MEMBERS + 1, 2, 1),
            (1_100_000, 11, MEMBERS),
        ] {
            let members: Vec<String> = (0..count).map(|n| n.to_string()).collect();
            let mut reply = Vec::new();
            encode::command(&mut reply, &members);
            let found = effect(
                lookup(b"spop").unwrap(),
                &[b"SPOP", b"s", b"2000000"],
                &reply,
            );
            let found = found.unwrap();
            assert_eq!(found.requests.len(), pieces);
            assert_eq!(found.reply, format!(":{last}\r\n").as_bytes());
            let removed = found.requests.iter().flat_map(|request| {
                assert_eq!(&*request.words[1], b"s");
                request.words[2..].iter().map(|word| &**word)
            });
            assert!(removed.eq(members.iter().map(String::as_bytes)));
        }
    }

    proptest! {
        /// Any members, bytes of all kinds, in any number, are those that are removed.
        #[test]
        fn all_that_was_popped_is_removed(members in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..9), 1..9)) {
            let mut reply = Vec::new();
            encode::command(&mut reply, &members);
            let args = [&b"SPOP"[..], b"s", b"9"];
            let command = lookup(args[0]).unwrap();
            let found = effect(command, &args, &reply).unwrap();
            let removed: Vec<&[u8]> = found.requests[0].words[2..].iter().map(|word| &**word).collect();
            prop_assert_eq!(removed, members);
        }

        #[test]
        fn no_request_or_reply_does_harm(
            name in prop::sample::select(vec!["SPOP", "XADD"]),
            rest in prop::collection::vec(word(), 0..7),
            reply in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let mut args = vec![name.as_bytes()];
            args.extend(rest.iter().map(Vec::as_slice));
            let command = lookup(args[0]).unwrap();
            if has_effect(command, &args) {
                let found = effect(command, &args, &reply);
                prop_assert!(found.is_none_or(|found| &*found.requests[0].words[1] == args[1]));
            }
        }
    }
}
