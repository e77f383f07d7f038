//! Failures between the client and its answer, in the words of each protocol.
//!
//! The words are the C original's, which clients and their operators match on: `-ERR <source>
//! <text>` for Redis, `SERVER_ERROR <source> <text>` for memcached. Where it has none, or only closes
//! the connection, they are the datastore's own.

use super::memcache;
use crate::config::StoreKind;
use crate::mbuf::Raw;
use crate::stats::ErrorWord;

/// A failure's line for memcached: the same words, unless there are others.
macro_rules! memcache_line {
    ($text:literal) => {
        concat!("SERVER_ERROR ", $text, "\r\n")
    };
    ($text:literal, $own:literal) => {
        concat!($own, "\r\n")
    };
}

/// Declares the failures, each with its words.
macro_rules! failures {
    ($($(#[$about:meta])* $name:ident($text:literal $(, $own:literal)?),)*) => {
        /// A failure that has one error line in each protocol.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Failure {
            $($(#[$about])* $name,)*
        }

        impl Failure {
            /// All there are.
            pub const ALL: &[Failure] = &[$(Failure::$name),*];

            /// The error line, complete with CR LF.
            pub fn line(self, store: StoreKind) -> &'static str {
                match (self, store) {
                    $(
                        (Failure::$name, StoreKind::Redis) => concat!("-ERR ", $text, "\r\n"),
                        (Failure::$name, StoreKind::Memcache) => memcache_line!($text $(, $own)?),
                    )*
                }
            }
        }
    };
}

failures! {
    /// No usable datastore connection; it closed, timed out, or its reply could not be parsed.
    StorageRefused("Storage: Datastore refused connection"),
    /// The owner is remote and there is no connection to it.
    PeerNotConnected("Peer: Peer Node is not connected"),
    /// The connection to the peer broke while the request was outstanding.
    PeerRefused("Peer: Peer Node refused connection"),
    /// The peer is marked down.
    PeerDown("Peer: Peer Node is down"),
    /// Replicas did not agree.
    NoQuorum("Dynomite: Failed to achieve Quorum"),
    /// A request by several keys is too large to be split.
    PayloadTooLarge("Dynomite: MSET/MGET/SCAN payload too large"),
    /// The node is in a state in which it does not serve this.
    StateForbids("Dynomite: Dynomite's current state does not allow this request"),
    /// Not allowed, or not for this node's keys, in admin mode.
    AdminMode("Dynomite: Invalid request in Dynomite's admin mode"),
    /// Something the proxy has no better words for.
    Internal("unknown: Unknown Error"),
    /// All memory is held, and this client holds the most.
    OutOfBuffers("Dynomite: out of buffers"),
    /// There are as many clients as there may be.
    TooManyClients("max number of clients reached", "ERROR Too many open connections"),
    /// A request that was begun has not been completed.
    NotInTime(
        "Protocol error: request not completed in time",
        "CLIENT_ERROR request not completed in time"
    ),
}

/// Returns true if a reply that begins with these bytes, at least [`memcache::reply::ERROR_WORD`] unless it is
/// shorter, says that the request was not carried out, for a reason that another replica may not have.
#[inline]
pub fn is_error(store: StoreKind, start: &[u8]) -> bool {
    match store {
        StoreKind::Redis => start.first() == Some(&b'-'),
        StoreKind::Memcache => memcache::reply::is_error(start),
    }
}

/// Returns true if a reply says that the request was not carried out ([`is_error`]).
#[inline]
pub fn is_error_reply(store: StoreKind, reply: Raw<'_>) -> bool {
    match store {
        StoreKind::Redis => reply.first_byte() == Some(b'-'),
        StoreKind::Memcache => {
            let mut start = [0; memcache::reply::ERROR_WORD];
            is_error(store, reply.start(&mut start))
        }
    }
}

/// The state of the datastore that an error reply with these first bytes reports.
pub fn error_word(store: StoreKind, start: &[u8]) -> ErrorWord {
    let (text, own): (&[u8], &[u8]) = match store {
        StoreKind::Redis => (
            start.strip_prefix(b"-").unwrap_or_default(),
            b"ERR Storage:",
        ),
        StoreKind::Memcache => (start, b"SERVER_ERROR Storage:"),
    };
    if text.starts_with(own) {
        return ErrorWord::Storage;
    }
    if store == StoreKind::Memcache {
        const WORDS: &[u8] = b"SERVER_ERROR out of memory";
        let words = text.get(..WORDS.len()).unwrap_or_default();
        return match words.eq_ignore_ascii_case(WORDS) {
            true => ErrorWord::Oom,
            false => ErrorWord::Other,
        };
    }
    let end = |byte: &u8| matches!(byte, b' ' | b'\r');
    let word = text.split(end).next().unwrap_or_default();
    let known = ErrorWord::ALL.into_iter();
    let known = known.filter(|word| !matches!(word, ErrorWord::Storage | ErrorWord::Other));
    known
        .into_iter()
        .find(|known| known.name().as_bytes() == word)
        .unwrap_or(ErrorWord::Other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn error_replies_are_known_by_their_word() {
        use ErrorWord::{Busy, Loading, Oom, Other, ReadOnly, Storage};
        use StoreKind::{Memcache, Redis};
        for (store, text, word) in [
            (
                Redis,
                "-OOM command not allowed when used memory > 'maxmemory'.\r\n",
                Oom,
            ),
            (
                Redis,
                "-READONLY You can't write against a read only replica.\r\n",
                ReadOnly,
            ),
            (Redis, "-LOADING\r\n", Loading),
            (Redis, "-BUSY Redis is busy running a script.\r\n", Busy),
            (Redis, "-BUSYKEY Target key name already exists.\r\n", Other),
            (Redis, "-ERR syntax error\r\n", Other),
            (Redis, "-other\r\n", Other),
            (Redis, "-Storage\r\n", Other),
            (Redis, "-", Other),
            (Redis, Failure::StorageRefused.line(Redis), Storage),
            (Memcache, Failure::StorageRefused.line(Memcache), Storage),
            (
                Memcache,
                "SERVER_ERROR out of memory storing object\r\n",
                Oom,
            ),
            (
                Memcache,
                "SERVER_ERROR object too large for cache\r\n",
                Other,
            ),
            (Memcache, "ERROR\r\n", Other),
        ] {
            assert_eq!(error_word(store, text.as_bytes()), word, "{text}");
        }
    }

    #[test]
    fn every_failure_is_one_line_and_an_error() {
        for failure in Failure::ALL {
            for store in [StoreKind::Redis, StoreKind::Memcache] {
                let line = failure.line(store).as_bytes();
                let body = line.strip_suffix(b"\r\n").unwrap();
                assert!(
                    !body.contains(&b'\n') && !body.contains(&b'\r'),
                    "{failure:?}"
                );
                let client = line.starts_with(b"CLIENT_ERROR");
                assert_eq!(is_error(store, line), !client, "{failure:?}");
            }
        }
    }
}
