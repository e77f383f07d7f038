//! The datastore's version, as in the reply to `HELLO`.
//!
//! It is asked for (`INFO server`) by the first `HELLO` after a connection to the datastore was made, and that
//! `HELLO` is answered when the datastore has said it; later ones at once. Nothing is asked of a datastore
//! before any client wants to know, and nothing on behalf of clients that do not. If the datastore cannot say
//! it, the reply has the last version known, or [`DEFAULT_VERSION`].

use super::Node;
use super::flight::judge::Judge;
use super::flight::judge::join::Join;
use super::flight::waiter::Waiter;
use super::ids::{FrontId, SlotId};
use super::msg::{Msg, NO_COMMAND};
use super::upstream::Upstream;
use crate::clock::Now;
use crate::config::StoreKind;
use crate::mbuf::{Chain, Raw};
use crate::proto::redis::encode;
use crate::proto::redis::session::DEFAULT_VERSION;

/// The longest version that is believed, in bytes.
const LONGEST: usize = 64;

/// What is known of it.
#[derive(Debug)]
pub(super) struct Version {
    /// As clients see it.
    pub text: String,
    /// The datastore that is connected now has said so.
    known: bool,
}

impl Default for Version {
    fn default() -> Self {
        Version {
            text: DEFAULT_VERSION.to_owned(),
            known: false,
        }
    }
}

/// The reply to `HELLO` with the version that `INFO server` tells in place of `told`, and that version; as it
/// stands if there is none.
pub(super) fn correct(hello: &[u8], told: &str, info: &[u8]) -> (Vec<u8>, Option<String>) {
    let line = |line: &[u8]| {
        let version = line.strip_prefix(b"redis_version:")?.trim_ascii_end();
        let sound = version.len() <= LONGEST && !version.is_empty();
        (sound && version.iter().all(u8::is_ascii_graphic))
            .then(|| String::from_utf8_lossy(version).into_owned())
    };
    let Some(version) = info.split(|byte| *byte == b'\n').find_map(line) else {
        return (hello.to_vec(), None);
    };
    let field = |version: &str| {
        let mut field = Vec::new();
        encode::bulk(&mut field, b"version");
        encode::bulk(&mut field, version.as_bytes());
        field
    };
    let (old, new) = (field(told), field(&version));
    let corrected = match memchr::memmem::find(hello, &old) {
        Some(at) => {
            let (before, behind) = hello.split_at(at);
            [before, &new, behind.get(old.len()..).unwrap_or_default()].concat()
        }
        None => hello.to_vec(),
    };
    (corrected, Some(version))
}

impl Node {
    /// Asks the datastore for its version before `HELLO` is answered with this reply, if it is not known.
    /// Returns false if the reply may be given unchanged.
    pub(super) fn asks_version(&mut self, key: FrontId, now: Now, hello: &[u8]) -> bool {
        let is_told = !matches!(hello.first(), None | Some(b'-'));
        if self.version.known || !is_told || self.options.store != StoreKind::Redis {
            return false;
        }
        let Some(front) = self.fronts.get_mut(key) else {
            return false;
        };
        let parent = self
            .flight
            .insert(Msg::new(Waiter::front(key), NO_COMMAND, 0, now.mono_us));
        front.queue.push(&mut self.flight.msgs, parent);
        let told = self.version.text.clone();
        let join = Join::Hello(hello.to_vec(), told);
        self.flight.give_judge(parent, Judge::joining(1, join));
        let mut request = Chain::new();
        self.pool
            .copy(b"*2\r\n$4\r\nINFO\r\n$6\r\nserver\r\n", &mut request);
        let waiter = Waiter::Part(parent, 0);
        let msg = Msg::new(waiter, NO_COMMAND, request.len(), now.mono_us);
        let entry = self.flight.insert(msg);
        self.send_to_store(entry, Some(key), now, Raw::from(&request));
        true
    }

    /// The datastore has said its version.
    pub(super) fn note_version(&mut self, text: String) {
        self.version = Version { text, known: true };
    }

    /// A connection is lost: if it led to the datastore, behind the next one there may be another version.
    pub(super) fn forget_version_of(&mut self, slot: SlotId) {
        let is_store = self.upstreams.get(slot).is_some_and(Upstream::is_store);
        self.version.known &= !is_store;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_version_is_corrected() {
        let hello = b"*4\r\n$4\r\n7.0.15\r\n$7\r\nversion\r\n$6\r\n7.0.15\r\n:1\r\n";
        let info = b"$60\r\n# Server\r\nredis_version:8.0.1-rc1\r\nredis_git_sha1:0\r\n\r\n";
        let (corrected, version) = correct(hello, "7.0.15", info);
        assert_eq!(
            corrected.escape_ascii().to_string(),
            b"*4\r\n$4\r\n7.0.15\r\n$7\r\nversion\r\n$9\r\n8.0.1-rc1\r\n:1\r\n"
                .escape_ascii()
                .to_string()
        );
        assert_eq!(version.as_deref(), Some("8.0.1-rc1"));
        let long = format!("redis_version:{}\r\n", "1".repeat(65));
        for nothing in [
            "-NOAUTH x\r\n",
            "",
            "redis_version:\r\n",
            "redis_version:1\t2\r\n",
            &long,
        ] {
            let (same, version) = correct(hello, "7.0.15", nothing.as_bytes());
            assert_eq!((&same[..], version), (&hello[..], None), "{nothing}");
        }
    }
}
