//! How long to wait before connecting again.

use std::time::Duration;

/// The longest wait before another attempt to reach a peer.
pub const PEER_CEILING: Duration = Duration::from_secs(10);

const FIRST_SECS: u64 = 1;

/// Waits of 1, 2, 4, … seconds up to a ceiling, as the original's (attempts on a dead peer were
/// seen at 0, 1, 3, 7, 15 and 25 seconds).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Backoff {
    next_secs: u64,
    ceiling_secs: u64,
}

impl Backoff {
    /// With this ceiling, in whole seconds rounded down, at least one: [`PEER_CEILING`] for peers,
    /// `server_retry_timeout` for the datastore.
    pub fn new(ceiling: Duration) -> Backoff {
        Backoff {
            next_secs: FIRST_SECS,
            ceiling_secs: ceiling.as_secs().max(FIRST_SECS),
        }
    }

    /// The wait after a failure; the next one is twice as long, up to the ceiling.
    pub fn failed(&mut self) -> Duration {
        let wait = self.next_secs;
        self.next_secs = wait.saturating_mul(2).min(self.ceiling_secs);
        Duration::from_secs(wait)
    }

    /// After a success: back to the first wait.
    pub fn succeeded(&mut self) {
        self.next_secs = FIRST_SECS;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_the_ceiling() {
        for (ceiling_ms, expected) in [
            (10_000, [1, 2, 4, 8, 10, 10]),
            (3_999, [1, 2, 3, 3, 3, 3]),
            (999, [1, 1, 1, 1, 1, 1]),
            (0, [1, 1, 1, 1, 1, 1]),
        ] {
            let mut backoff = Backoff::new(Duration::from_millis(ceiling_ms));
            for _ in 0..2 {
                let waits = expected.map(|_| backoff.failed().as_secs());
                assert_eq!(waits, expected, "{ceiling_ms}");
                backoff.succeeded();
            }
        }
    }
}
