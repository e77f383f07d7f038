//! The offset of a peer's clock from this node's.
//!
//! A question and its answer give one sample: the answer names the peer's wall clock, and was given some
//! time between the two. So the middle of both is wrong by half of their distance at most (NTP's and
//! Cristian's rule). What is kept is the peer's wall clock against this node's monotonic one, so that a
//! step of this node's own wall clock shows at once.

use crate::clock::Now;

/// Offset of a peer's clock beyond which expiry times by this node's clock do harm, in µs.
pub const TOLERANCE_US: u64 = 1_000_000;
/// A clock that was off counts as right again from here on, in µs.
const RECOVERED_US: u64 = TOLERANCE_US / 2;
/// The most that two clocks drift apart: one part in this many.
const DRIFT: u64 = 5_000;

/// A measurement of a peer's clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Skew {
    /// The peer's wall clock less this node's monotonic one, in µs.
    ahead: i64,
    /// The error of that, in µs.
    error: u64,
    /// When it was measured, in µs of the monotonic clock.
    at: u64,
}

impl Skew {
    /// One sample: asked and answered at these times of the monotonic clock, and the peer's wall clock in
    /// the answer; all in µs.
    pub fn of(asked: u64, answered: u64, wall_us: u64) -> Skew {
        let trip = answered.saturating_sub(asked);
        let middle = asked.saturating_add(trip / 2);
        Skew {
            // A peer may claim any time.
            ahead: (wall_us as i64).saturating_sub(middle as i64),
            error: trip.div_ceil(2),
            at: answered,
        }
    }

    /// Combines two samples: the more precise of both, unless the later one contradicts the
    /// earlier. Then a clock was set, and the later one counts.
    #[must_use]
    pub fn and(self, later: Skew) -> Skew {
        let aged = self.error + later.at.saturating_sub(self.at) / DRIFT;
        let apart = self.ahead.abs_diff(later.ahead);
        let agree = apart <= aged.saturating_add(later.error);
        if agree && aged < later.error {
            return Skew {
                error: aged,
                at: later.at,
                ..self
            };
        }
        later
    }

    /// Returns by how much the peer's clock is ahead of this node's, in µs; negative if it is behind.
    pub fn offset_us(&self, now: Now) -> i64 {
        let here = (now.wall_us as i64).saturating_sub(now.mono_us as i64);
        self.ahead.saturating_sub(here)
    }

    /// The error of that, in µs.
    pub fn error_us(&self) -> u64 {
        self.error
    }

    /// Returns true if the peer's clock is off by more than [`TOLERANCE_US`], beyond the error of measurement.
    /// `was_off`: it was so before; then it has to come nearer than half of that to be right again.
    pub fn is_off(&self, now: Now, was_off: bool) -> bool {
        let limit = if was_off { RECOVERED_US } else { TOLERANCE_US };
        self.offset_us(now).unsigned_abs() > limit.saturating_add(self.error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const NOW: Now = Now {
        mono_us: 10_000_000,
        wall_us: 1_700_000_000_000_000,
    };

    /// A sample taken at `NOW` of a clock that is ahead by so much, with a round trip of so much.
    fn sample(ahead: i64, trip: u64) -> Skew {
        let wall = NOW.wall_us as i64 + ahead - trip as i64 / 2;
        Skew::of(NOW.mono_us - trip, NOW.mono_us, wall as u64)
    }

    #[test]
    fn two_minutes_are_seen_either_way() {
        for ahead in [-120_000_000, 120_000_000] {
            let skew = sample(ahead, 3000);
            assert_eq!(skew.offset_us(NOW), ahead);
            assert!(skew.is_off(NOW, false));
        }
        assert!(!sample(900_000, 3000).is_off(NOW, false));
        assert!(sample(900_000, 3000).is_off(NOW, true));
        assert!(!sample(400_000, 3000).is_off(NOW, true));
        // Slow answers prove nothing.
        assert!(!sample(1_500_000, 2_000_000).is_off(NOW, false));
    }

    #[test]
    fn the_more_precise_sample_is_kept_until_a_clock_is_set() {
        let (near, far) = (sample(5_000, 1000), sample(60_000, 400_000));
        assert_eq!(near.and(far).offset_us(NOW), 5_000);
        assert_eq!(far.and(near).offset_us(NOW), 5_000);
        let set = sample(10_000_000, 400_000);
        assert_eq!(near.and(set).offset_us(NOW), 10_000_000);
        // The error of a sample grows each second, so a later one replaces it in the end.
        let day = 86_400_000_000;
        let later = Now {
            mono_us: NOW.mono_us + day,
            wall_us: NOW.wall_us + day,
        };
        let fresh = Skew::of(
            later.mono_us - 100_000,
            later.mono_us,
            later.wall_us - 50_000,
        );
        assert_eq!(near.and(fresh).offset_us(later), 0);
    }

    #[test]
    fn a_step_of_our_own_clock_shows_at_once() {
        let skew = sample(0, 1000);
        let stepped = Now {
            wall_us: NOW.wall_us + 3_000_000,
            ..NOW
        };
        assert_eq!(skew.offset_us(stepped), -3_000_000);
    }

    proptest! {
        /// Wherever in the round trip the answer was given, the truth is within the error.
        #[test]
        fn the_truth_is_within_the_error(ahead in -1_000_000_000i64..1_000_000_000, trip in 0u64..5_000_000, at in 0.0..=1.0f64) {
            let asked = NOW.mono_us;
            let answered_there = NOW.wall_us as i64 + (trip as f64 * at) as i64 + ahead;
            let skew = Skew::of(asked, asked + trip, answered_there as u64);
            let wrong = skew.offset_us(NOW).abs_diff(ahead);
            prop_assert!(wrong <= skew.error_us() + 1);
        }

        #[test]
        fn no_clock_does_harm(a in any::<u64>(), b in any::<u64>(), wall in any::<u64>(), mono_us in any::<u64>(), wall_us in any::<u64>()) {
            let now = Now { mono_us, wall_us };
            let skew = Skew::of(a, b, wall).and(Skew::of(b, a, wall));
            let _ = (skew.offset_us(now), skew.is_off(now, false));
        }
    }
}
