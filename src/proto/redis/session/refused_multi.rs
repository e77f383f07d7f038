//! What a client sends behind a `MULTI` that was refused.
//!
//! Client libraries send `MULTI`, the commands and `EXEC` in one go: when they learn that `MULTI` was refused,
//! all the rest is here. Redis would run it, command by command; but whoever is told that there is no
//! transaction must be able to rely on nothing having been done. So it is refused too:
//!
//! | comes | its answer | afterwards |
//! |---|---|---|
//! | `EXEC` | Redis' `EXECABORT` | all is served again |
//! | `DISCARD`, `RESET`, `QUIT` | as ever | all is served again |
//! | `MULTI` | as ever | the same once more |
//! | any other | an error | |
//! | any other, after [`PATIENCE_US`] | an error | the connection closes |
//! | nothing for [`SILENCE_US`] after the refusal was sent, then any other | as ever | all is served again |
//!
//! The last two are for those who wait for the answer to `MULTI`, take it for what it is and never send the
//! rest: the connection may go back to a pool, or its user be a person.

use super::Session;
use crate::clock::Now;

/// How long a client may go on without ending its transaction, in µs.
pub const PATIENCE_US: u64 = 5_000_000;
/// A client that has sent nothing for so long, in µs, and to which nothing was sent, has read the refusal.
pub const SILENCE_US: u64 = 1_000_000;

impl Session {
    /// Takes note that a `MULTI` is refused now.
    pub fn multi_refused(&mut self, now: Now) {
        self.refused_multi = Some(now.mono_us);
    }

    /// Returns true if a transaction may still be coming in whose `MULTI` was refused.
    #[inline]
    pub fn is_behind_multi(&self) -> bool {
        self.refused_multi.is_some()
    }

    /// Records that the client, all of whose requests are answered, has neither sent nor received anything for this many µs.
    #[inline]
    pub fn was_silent(&mut self, us: u64) {
        if us >= SILENCE_US {
            self.refused_multi = None;
        }
    }

    /// Takes note that the transaction has ended.
    pub fn transaction_over(&mut self) {
        self.refused_multi = None;
    }

    /// Returns true if the client has gone on for too long without ending its transaction: then the connection
    /// closes.
    pub fn is_multi_overdue(&self, now: Now) -> bool {
        let since = self.refused_multi;
        since.is_some_and(|since| now.mono_us.saturating_sub(since) >= PATIENCE_US)
    }
}
