//! Keys that must not appear in a reply as memcached would write them.
//!
//! A key that is asked for in base64 (flag `b`) may hold any bytes. memcached returns it (flag `k`) in
//! base64 only if the item was made by `ms` and never by anything else since: one that `mg` or `ma` has
//! made (flag `N`), or that grew, it returns as it is stored (memcached 1.6.18, observed). With CR or LF in it
//! the line ends there, and the rest is taken for the reply to another request. So such a key is
//! not requested; the node adds it itself.

use super::base64;
use super::call::{Body, Call};
use super::head::MAX_HEAD_LEN;
use super::reply_line::ReplyLine;
use crate::mbuf::Chain;
use memchr::memchr2;

/// The key's words of a reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Naming {
    /// The words for the key, as memcached writes them.
    words: Vec<u8>,
    /// The letters of the flags in front of `k`: their words precede the key's.
    before: Vec<u8>,
}

impl Naming {
    /// The request without its flag `k`, and the words for its reply; `None` if memcached can get the
    /// request unchanged.
    ///
    /// `odd`: also for keys with other control bytes or blanks.
    pub fn apart<'a>(call: &Call<'a>, odd: bool) -> Option<(Call<'a>, Naming)> {
        let Body::Meta(meta) = &call.body else {
            return None;
        };
        if meta.token(b'k').is_none() || !meta.is_base64() {
            return None;
        }
        let key = base64::decode(meta.key)?;
        if odd {
            key.iter().find(|byte| **byte <= b' ')?;
        } else {
            memchr2(b'\r', b'\n', &key)?;
        }
        let letters = meta.flags.iter().filter_map(|flag| flag.first().copied());
        let naming = Naming {
            words: [b" k", &base64::encode(&key)[..], b" b"].concat(),
            before: letters.take_while(|letter| *letter != b'k').collect(),
        };
        let mut meta = meta.clone();
        meta.flags.retain(|flag| flag.first() != Some(&b'k'));
        let body = Body::Meta(meta);
        Some((
            Call {
                body,
                ..call.clone()
            },
            naming,
        ))
    }

    /// The reply with its key, in two: the beginning of its line, and the rest. A line without a key, as
    /// that of an error, is unchanged.
    pub fn with_key(&self, reply: &Chain) -> (Vec<u8>, Chain) {
        let mut rest = Chain::new();
        rest.append_shared(reply);
        let mut start = vec![0; reply.len().min(MAX_HEAD_LEN)];
        reply.gather(0, &mut start);
        let Some(place) = self.place(&start) else {
            return (Vec::new(), rest);
        };
        start.truncate(place);
        start.extend_from_slice(&self.words);
        rest.advance(place);
        (start, rest)
    }

    /// The place of the key's words in the reply's first line.
    fn place(&self, start: &[u8]) -> Option<usize> {
        let line = ReplyLine::of(start);
        if !matches!(line.code(), b"VA" | b"HD" | b"EN" | b"NF" | b"NS" | b"EX") {
            return None;
        }
        let mut flags = line.flags();
        let mut place = flags.end;
        while let Some(flag) = flags.next()
            && flag
                .first()
                .is_some_and(|letter| self.before.contains(letter))
        {
            place = flags.end;
        }
        Some(place)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mbuf::Pool;
    use crate::proto::memcache::against_memcached::{call, shown};

    /// `a`, CR LF, `b`.
    const KEY: &str = "YQ0KYg==";

    #[test]
    fn only_a_key_that_ends_a_line_is_kept_from_memcached() {
        for (line, sent) in [
            ("mg KEY b k v", Some("mg KEY b v")),
            ("mg KEY k b", Some("mg KEY b")),
            ("ms KEY 2 T0 b k c", Some("ms KEY 2 T0 b c")),
            ("ma KEY b N0 k", Some("ma KEY b N0")),
            ("mg Cg== b k", Some("mg Cg== b")),
            ("mg DQ== b k", Some("mg DQ== b")),
            ("mg KEY b v", None),
            ("mg KEY k v", None),
            ("mg YWJj b k v", None),
            // A blank, NUL: the line goes on.
            ("mg YSBi b k v", None),
            ("mg AAA= b k v", None),
            ("get KEY", None),
        ] {
            let line = line.replace("KEY", KEY);
            let original = call(&line);
            let found = Naming::apart(&original, false).map(|(call, _)| shown(&call));
            let sent = sent.map(|sent| sent.replace("KEY", KEY));
            assert_eq!(found, sent, "{line}");
        }
    }

    #[test]
    fn the_key_stands_where_it_was_asked_for() {
        for (line, reply, told) in [
            ("mg KEY b k v", "VA 2\r\nxy\r\n", "VA 2 KEY\r\nxy\r\n"),
            (
                "mg KEY b s k v f",
                "VA 2 s2 f0\r\nk \r\n",
                "VA 2 s2 KEY f0\r\nk \r\n",
            ),
            ("mg KEY b k s", "HD s2 W Z\r\n", "HD KEY s2 W Z\r\n"),
            ("mg KEY b k", "HD W\r\n", "HD KEY W\r\n"),
            ("mg KEY Ok b k", "EN Ok\r\n", "EN Ok KEY\r\n"),
            ("mg KEY b k t Ok", "EN Ok\r\n", "EN KEY Ok\r\n"),
            ("mg KEY t b k c", "HD t-1 c5\r\n", "HD t-1 KEY c5\r\n"),
            ("ms KEY 2 c k b", "NS c0\r\n", "NS c0 KEY\r\n"),
            ("ms KEY 2 k b", "HD\r\n", "HD KEY\r\n"),
            ("md KEY b k O1", "NF O1\r\n", "NF KEY O1\r\n"),
            ("ma KEY b k v", "VA 1\r\n5\r\n", "VA 1 KEY\r\n5\r\n"),
            ("md KEY b k C5", "EX\r\n", "EX KEY\r\n"),
            ("mg KEY b k", "SERVER_ERROR x\r\n", "SERVER_ERROR x\r\n"),
            ("ma KEY b k", "CLIENT_ERROR x\r\n", "CLIENT_ERROR x\r\n"),
            ("ma KEY b k", "ERROR\r\n", "ERROR\r\n"),
        ] {
            let line = line.replace("KEY", KEY);
            let (_, naming) = Naming::apart(&call(&line), true).expect(&line);
            let pool = Pool::new(512, 1 << 20);
            let mut chain = Chain::new();
            pool.copy(reply.as_bytes(), &mut chain);
            let (mut all, rest) = naming.with_key(&chain);
            all.extend(rest.to_vec());
            let told = told.replace("KEY", &format!("k{KEY} b"));
            assert_eq!(String::from_utf8(all).expect("text"), told, "{line}");
        }
    }
}
