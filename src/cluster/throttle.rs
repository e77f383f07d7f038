//! The limit of messages per second (`conn_msg_rate`).
//!
//! The original limits requests to peers of other datacenters, each connection by itself, and uses
//! a full core while it waits. Here the sender gets the time of the next message and sets a timer.

/// Microseconds in a second: one message costs as many credits, and each microsecond earns as many
/// as the rate.
const SECOND_US: u64 = 1_000_000;

/// A token bucket. It holds one second's worth of messages and is filled steadily, so in any
/// period at most rate × seconds, plus one second's worth, are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Throttle {
    rate: u32,
    credits: u64,
    filled_us: u64,
}

impl Throttle {
    /// A full bucket at time `now_us` (the clock that never goes backwards) for this many messages
    /// a second. A rate of 0 is taken as 1.
    pub fn new(rate: u32, now_us: u64) -> Throttle {
        let rate = rate.max(1);
        Throttle {
            rate,
            credits: u64::from(rate) * SECOND_US,
            filled_us: now_us,
        }
    }

    /// When the next message may leave, as of the last call of [`Throttle::take`].
    pub fn next_us(&self) -> u64 {
        self.filled_us
            + SECOND_US
                .saturating_sub(self.credits)
                .div_ceil(u64::from(self.rate))
    }

    /// Takes one message out.
    ///
    /// # Errors
    /// The time at which there will be one, later than `now_us`.
    pub fn take(&mut self, now_us: u64) -> Result<(), u64> {
        let rate = u64::from(self.rate);
        // More than a second overflows the bucket anyway.
        let elapsed = now_us.saturating_sub(self.filled_us).min(SECOND_US);
        self.credits = (self.credits + elapsed * rate).min(rate * SECOND_US);
        self.filled_us = self.filled_us.max(now_us);
        match self.credits.checked_sub(SECOND_US) {
            Some(rest) => {
                self.credits = rest;
                Ok(())
            }
            None => Err(self.filled_us + (SECOND_US - self.credits).div_ceil(rate)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When messages leave that are sent as early as possible, in milliseconds from the start.
    fn departures(rate: u32, messages: usize) -> Vec<u64> {
        let start = 77;
        let mut now = start;
        let mut throttle = Throttle::new(rate, now);
        let mut sent = Vec::new();
        while sent.len() < messages {
            match throttle.take(now) {
                Ok(()) => sent.push((now - start) / 1000),
                Err(at) => {
                    assert!(at > now, "told to come back at once");
                    now = at;
                }
            }
        }
        sent
    }

    #[test]
    fn a_second_at_once_then_evenly() {
        assert_eq!(departures(5, 9), [0, 0, 0, 0, 0, 200, 400, 600, 800]);
        assert_eq!(departures(1, 3), [0, 1000, 2000]);
        assert_eq!(departures(0, 2), [0, 1000]);
        assert_eq!(departures(3, 6), [0, 0, 0, 333, 666, 1000]);
    }

    #[test]
    fn a_long_rest_fills_the_bucket_once() {
        let mut throttle = Throttle::new(2, 0);
        let mut taken = |now_us| (0..9).take_while(|_| throttle.take(now_us).is_ok()).count();
        assert_eq!(taken(0), 2);
        assert_eq!(taken(u64::MAX / 2), 2);
        // A clock that goes backwards earns nothing and breaks nothing.
        assert_eq!(taken(5), 0);
    }

    #[test]
    fn the_highest_rate_is_no_limit_to_arithmetic() {
        let mut throttle = Throttle::new(u32::MAX, 0);
        assert_eq!(throttle.take(u64::MAX / 4), Ok(()));
    }
}
