//! The time limit of a request, by the distance of its target.
//!
//! The original's numbers (measured on it): what the requester grants a peer is more than the peer
//! grants its own datastore, so that the peer's error arrives before the requester gives up.

use super::topology::Distance;
use crate::proto::Class;
use std::time::Duration;

/// Smallest and largest timeout factor (`/set_timeout_factor/…`).
pub const FACTORS: std::ops::RangeInclusive<u32> = 1..=10;

/// Milliseconds granted beyond `timeout`: the distance, for a read, for a write.
const ALLOWANCES: [(Distance, u64, u64); 4] = [
    (Distance::Me, 0, 0),
    (Distance::SameRack, 200, 20_200),
    (Distance::SameDc, 200, 20_200),
    (Distance::OtherDc, 5_000, 25_000),
];

/// The time from placing a request on a connection to giving up on its reply: `timeout` and what
/// the distance adds, times the factor, which is taken into [`FACTORS`].
pub fn request_timeout(
    timeout: Duration,
    factor: u32,
    distance: Distance,
    class: Class,
) -> Duration {
    let allowance = ALLOWANCES
        .iter()
        .find(|(row, _, _)| *row == distance)
        .map_or(0, |(_, read, write)| match class {
            Class::Read => *read,
            Class::Write => *write,
        });
    timeout
        .saturating_add(Duration::from_millis(allowance))
        .saturating_mul(factor.clamp(*FACTORS.start(), *FACTORS.end()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_the_originals() {
        for (distance, read, write) in [
            (Distance::Me, 500, 500),
            (Distance::SameRack, 700, 20_700),
            (Distance::SameDc, 700, 20_700),
            (Distance::OtherDc, 5_500, 25_500),
        ] {
            for (factor, times) in [(1, 1), (3, 3), (10, 10), (0, 1), (11, 10)] {
                let wait = |class| {
                    let timeout = Duration::from_millis(500);
                    request_timeout(timeout, factor, distance, class).as_millis()
                };
                assert_eq!(wait(Class::Read), read * times, "{distance:?} x{factor}");
                assert_eq!(wait(Class::Write), write * times, "{distance:?} x{factor}");
            }
        }
        let long = request_timeout(Duration::MAX, 10, Distance::OtherDc, Class::Write);
        assert_eq!(long, Duration::MAX);
    }
}
