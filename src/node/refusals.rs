//! Error replies of datastores: counted by their word, here and of each peer, and logged once a minute.
//!
//! A replica that refuses every write would otherwise be noticed by its clients only: at `DC_ONE` not
//! even by those, because another rack's reply is theirs.

use super::Node;
use super::ids::SlotId;
use super::upstream::Upstream;
use crate::clock::Now;
use crate::log_at;
use crate::mbuf::Raw;
use crate::proto::failure::error_word;
use crate::stats::ErrorWord;

/// Least time between two lines about the same word from the same node, in µs.
const MINUTE_US: u64 = 60_000_000;
/// Most bytes of a reply that the log shows.
const SHOWN: usize = 120;

/// The error replies of one node, by their word.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Errors {
    counts: [u64; ErrorWord::COUNT],
    /// When each was last logged, in µs; 0 for never.
    logged_at: [u64; ErrorWord::COUNT],
    /// How many there had been then.
    logged: [u64; ErrorWord::COUNT],
}

impl Errors {
    /// How often each word has come.
    pub fn counts(&self) -> &[u64; ErrorWord::COUNT] {
        &self.counts
    }

    /// Counts one. Returns how many there were since the last line about this word if another line is
    /// due.
    fn note(&mut self, word: ErrorWord, now: Now) -> Option<u64> {
        let place = word as usize;
        let (count, at) = (&mut self.counts[place], &mut self.logged_at[place]);
        *count += 1;
        // What a client does wrong by itself is not worth a line.
        let is_due = *at == 0 || now.mono_us.saturating_sub(*at) >= MINUTE_US;
        if word == ErrorWord::Other || !is_due {
            return None;
        }
        *at = now.mono_us.max(1);
        let since = *count - std::mem::replace(&mut self.logged[place], *count);
        Some(since)
    }
}

impl Node {
    /// Takes note of an error reply that has come on this connection. Returns true if the datastore
    /// behind it serves no reads.
    #[cold]
    pub(super) fn is_read_refused(&mut self, slot: SlotId, now: Now, raw: Raw<'_>) -> bool {
        let refused = self.note_error(slot, raw, now).refuses_reads();
        // On the second connection a script that runs is all it means, see `busy`.
        let serves_requests = self.upstreams.get(slot).is_some_and(Upstream::is_store)
            && !self.upstreams.is_side(slot);
        if refused && serves_requests {
            self.store_refused(raw, now);
        }
        refused
    }

    /// Counts an error reply, and logs it if it is time.
    fn note_error(&mut self, slot: SlotId, raw: Raw<'_>, now: Now) -> ErrorWord {
        let mut room = [0; SHOWN];
        let start = raw.start(&mut room);
        let word = error_word(self.options.store, start);
        let Some(node) = self.upstreams.get(slot).map(|upstream| upstream.node) else {
            return word;
        };
        // Of several connections to a peer the first counts for all.
        let mut slots = self.upstreams.slots_of(node);
        let place = match slots.first() {
            Some(first) if slots.any(|other| other == slot) => first,
            _ => slot,
        };
        let Some(upstream) = self.upstreams.get_mut(place) else {
            return word;
        };
        if upstream.is_store() {
            self.stats.own.store_reply_errors += 1;
            self.stats.store_errors[word as usize] += 1;
        }
        if let Some(count) = upstream.tally.errors_by_word.note(word, now) {
            let line = start.split(|byte| *byte == b'\r').next().unwrap_or(start);
            let line = String::from_utf8_lossy(line.strip_prefix(b"-").unwrap_or(line));
            let who = match self.topology.node(node) {
                Some(peer) if !upstream.is_store() => format!(
                    "peer {} (rack {}, dc {}) passes on an error of its datastore",
                    upstream.endpoint, peer.member.rack, peer.member.dc
                ),
                _ => format!("datastore {} refuses requests", upstream.endpoint),
            };
            let again = match count {
                1 => String::new(),
                more => format!(" ({more} times since the last such line)"),
            };
            log_at!(Warn, "{who}{again}: {}", line.escape_debug());
        }
        word
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_logged_once_a_minute_with_its_count() {
        let at = |seconds: u64| Now {
            mono_us: seconds * 1_000_000,
            wall_us: 0,
        };
        let mut errors = Errors::default();
        assert_eq!(errors.note(ErrorWord::Oom, at(1)), Some(1));
        assert_eq!(errors.note(ErrorWord::Oom, at(2)), None);
        assert_eq!(errors.note(ErrorWord::Loading, at(2)), Some(1));
        assert_eq!(errors.note(ErrorWord::Other, at(2)), None);
        assert_eq!(errors.note(ErrorWord::Oom, at(60)), None);
        assert_eq!(errors.note(ErrorWord::Oom, at(61)), Some(3));
        assert_eq!(errors.counts()[ErrorWord::Oom as usize], 4);
    }
}
