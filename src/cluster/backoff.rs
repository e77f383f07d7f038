//! The wait before another attempt to connect.

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
    /// A series of waits up to `ceiling` (whole seconds, rounded down, at least one): [`PEER_CEILING`] for peers,
    /// `server_retry_timeout` for the datastore.
    pub fn new(ceiling: Duration) -> Backoff {
        Backoff {
            next_secs: FIRST_SECS,
            ceiling_secs: ceiling.as_secs().max(FIRST_SECS),
        }
    }

    /// Returns the wait after a failure; the next one is twice as long, up to the ceiling. `noise` shortens
    /// it by up to an eighth, so that nodes do not all reconnect to a peer at the same moment; 0 shortens
    /// nothing.
    pub fn failed(&mut self, noise: u64) -> Duration {
        let wait = Duration::from_secs(self.next_secs);
        self.next_secs = self.next_secs.saturating_mul(2).min(self.ceiling_secs);
        let eighth = wait.as_millis() as u64 / 8;
        wait - Duration::from_millis(noise % (eighth + 1))
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
                let waits = expected.map(|_| backoff.failed(0).as_secs());
                assert_eq!(waits, expected, "{ceiling_ms}");
                backoff.succeeded();
            }
        }
    }

    #[test]
    fn noise_shortens_by_an_eighth_at_most() {
        for noise in [0, 1, 124, 125, 126, 1_000_003, u64::MAX] {
            let mut backoff = Backoff::new(PEER_CEILING);
            for whole in [1_000, 2_000, 4_000, 8_000, 10_000] {
                let wait = backoff.failed(noise).as_millis();
                assert!((whole * 7 / 8..=whole).contains(&wait), "{noise}: {wait}");
            }
        }
        let waits: std::collections::HashSet<_> = (0..100)
            .map(|noise| Backoff::new(PEER_CEILING).failed(noise))
            .collect();
        assert_eq!(waits.len(), 100);
    }
}
