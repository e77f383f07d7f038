//! Histograms: seventeen of them, a handful of instructions per sample.
//!
//! A value is sorted by its highest set bit and the four bits below it: 16 buckets per power of
//! two, so 0 to 31 are exact and above that a bucket is at most 1/16 of its lower edge wide. A
//! percentile answers the middle of its bucket and so is within 1/32 (3.2 %) of the true sample.
//! The C original used steps of 20 % and answered the lower edge; only the unit is a contract.
//!
//! Samples are clamped to [`Histogram::LIMIT`]: 71 minutes for microseconds, 4 GiB for bytes.
//!
//! A reset keeps one count per power of two, which is all that a scrape of
//! `/metrics` shows: [`Histogram::since_start`].

use crate::clock::Now;

/// Bits below the highest one that tell buckets apart.
const SUB_BITS: u32 = 4;
/// Values below 2^(SUB_BITS+1) have a bucket of their own.
const EXACT_SHIFT: u32 = u32::BITS - 1 - SUB_BITS;
/// `EXACT_SHIFT` shifts of 16 buckets on top of the first 32.
const BUCKETS: usize = ((EXACT_SHIFT as usize) << SUB_BITS) + (2 << SUB_BITS);

/// Counts per power of two: the values of bit length 0 (zero alone), 1, 2, … 32.
pub const POWERS: usize = 33;

/// A distribution of samples: 2.2 KiB, no allocation.
#[derive(Clone, Debug)]
pub struct Histogram {
    buckets: [u32; BUCKETS],
    max: u32,
    sum: u64,
    past: SinceStart,
}

/// Samples by the bit length of their values: `counts[n]` are below 2^n and not below 2^(n-1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SinceStart {
    /// How many samples have this bit length.
    pub counts: [u64; POWERS],
    /// All samples together.
    pub sum: u64,
}

impl Default for SinceStart {
    fn default() -> Self {
        SinceStart {
            counts: [0; POWERS],
            sum: 0,
        }
    }
}

impl Default for Histogram {
    fn default() -> Self {
        Histogram {
            buckets: [0; BUCKETS],
            max: 0,
            sum: 0,
            past: SinceStart::default(),
        }
    }
}

impl Histogram {
    /// Larger samples count as this one.
    pub const LIMIT: u64 = u32::MAX as u64;

    /// Adds one sample.
    #[inline]
    pub fn record(&mut self, value: u64) {
        let value = value.min(Self::LIMIT) as u32;
        // The index is below BUCKETS for every u32, which the compiler cannot always see.
        if let Some(bucket) = self.buckets.get_mut(index(value)) {
            *bucket = bucket.saturating_add(1);
        }
        self.sum = self.sum.saturating_add(u64::from(value));
        self.max = self.max.max(value);
    }

    /// How many samples there are.
    pub fn count(&self) -> u64 {
        self.buckets.iter().map(|&n| u64::from(n)).sum()
    }

    /// The largest sample, exact; 0 without samples.
    pub fn max(&self) -> u64 {
        u64::from(self.max)
    }

    /// The arithmetic mean, rounded down; 0 without samples.
    pub fn mean(&self) -> u64 {
        self.sum.checked_div(self.count()).unwrap_or(0)
    }

    /// The sample that `per_mille` thousandths of all samples do not exceed (nearest rank), within
    /// 3.2 % and never above [`Self::max`]; 0 without samples. `per_mille` above 1000 counts as 1000.
    pub fn percentile(&self, per_mille: u32) -> u64 {
        let rank = (u128::from(self.count()) * u128::from(per_mille.min(1000)))
            .div_ceil(1000)
            .max(1);
        let mut seen = 0u128;
        for (index, &n) in self.buckets.iter().enumerate() {
            seen += u128::from(n);
            if seen >= rank {
                return middle(index).min(self.max());
            }
        }
        0
    }

    /// Clears all samples, except for the counts of [`Self::since_start`].
    pub fn reset(&mut self) {
        *self = Histogram {
            past: self.since_start(),
            ..Histogram::default()
        };
    }

    /// All samples since the start, resets included.
    pub fn since_start(&self) -> SinceStart {
        let mut all = self.past.clone();
        all.sum = all.sum.saturating_add(self.sum);
        // Sixteen buckets in a row share a bit length, but for the first sixteen.
        let (small, large) = self.buckets.split_at(1 << SUB_BITS);
        for (value, &n) in small.iter().enumerate() {
            let bits = usize::BITS - value.leading_zeros();
            if let Some(count) = all.counts.get_mut(bits as usize) {
                *count += u64::from(n);
            }
        }
        let longer = all.counts.iter_mut().skip(SUB_BITS as usize + 1);
        for (count, buckets) in longer.zip(large.chunks(1 << SUB_BITS)) {
            *count += buckets.iter().map(|&n| u64::from(n)).sum::<u64>();
        }
        all
    }

    /// Adds the samples of another.
    pub fn absorb(&mut self, other: &Histogram) {
        for (mine, its) in self.buckets.iter_mut().zip(&other.buckets) {
            *mine = mine.saturating_add(*its);
        }
        self.sum = self.sum.saturating_add(other.sum);
        self.max = self.max.max(other.max);
    }
}

/// The bucket of a value.
#[inline]
fn index(value: u32) -> usize {
    let shift = EXACT_SHIFT - (value | 1 << SUB_BITS).leading_zeros();
    ((shift << SUB_BITS) + (value >> shift)) as usize
}

/// The middle of the values that share a bucket, rounded down.
fn middle(index: usize) -> u64 {
    lower(index) + ((1u64 << shift(index)) - 1) / 2
}

/// The smallest of the values that share a bucket.
fn lower(index: usize) -> u64 {
    ((index - (shift(index) << SUB_BITS)) as u64) << shift(index)
}

/// How many low bits a bucket does not tell apart.
fn shift(index: usize) -> usize {
    (index >> SUB_BITS).saturating_sub(1)
}

/// Declares the struct of histograms and the functions that visit each of them.
macro_rules! histograms {
    ($($(#[$doc:meta])* $name:ident,)*) => {
        /// The histograms behind `/info`, cleared together every [`WINDOW_US`].
        #[derive(Clone, Debug, Default)]
        pub struct Histograms {
            $($(#[$doc])* pub $name: Histogram,)*
            window_start_us: u64,
        }

        impl Histograms {
            /// Clears all samples of all histograms (`/historeset`). The window goes on.
            pub fn reset(&mut self) {
                $(self.$name.reset();)*
            }
        }
    };
}

histograms! {
    /// µs from the complete parse of a client's request until its answer is written: requests that change
    /// nothing, and those the node answers itself.
    read_latency,
    /// The same, requests that change data.
    write_latency,
    /// Bytes of each client write request on the wire.
    payload_size,
    /// µs from a request written to a peer in another DC to its response read.
    cross_region_rtt,
    /// The same, peer in the same DC.
    cross_zone_latency,
    /// The same, datastore.
    server_latency,
    /// µs a request waited in the send queue of a peer in another DC.
    cross_region_queue_wait,
    /// The same, peer in the same DC.
    cross_zone_queue_wait,
    /// The same, datastore.
    server_queue_wait,
    /// Requests awaiting their answer on one client connection, at each enqueue and dequeue.
    client_out_queue,
    /// Requests waiting to be sent to the datastore.
    server_in_queue,
    /// Requests sent to the datastore and awaiting their answer.
    server_out_queue,
    /// Requests of a peer awaiting our answer.
    dnode_client_out_queue,
    /// Requests waiting to be sent to a peer in the same DC.
    peer_in_queue,
    /// Requests sent to a peer in the same DC and awaiting their answer.
    peer_out_queue,
    /// Requests sent to a peer in another DC and awaiting their answer.
    remote_peer_out_queue,
    /// Requests waiting to be sent to a peer in another DC.
    remote_peer_in_queue,
}

/// The window the histograms cover: five minutes, as in the C original.
pub const WINDOW_US: u64 = 300 * 1_000_000;

impl Histograms {
    /// Empty; the first window begins at `now`.
    pub fn new(now: Now) -> Histograms {
        Histograms {
            window_start_us: now.mono_us,
            ..Histograms::default()
        }
    }

    /// Clears everything and begins a new window if the current one is over at `now`. Costs a
    /// compare otherwise; call it once per turn or per poll.
    pub fn roll(&mut self, now: Now) {
        if now.mono_us.saturating_sub(self.window_start_us) >= WINDOW_US {
            self.reset();
            self.window_start_us = now.mono_us;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn without_samples_everything_is_zero() {
        let h = Histogram::default();
        assert_eq!(
            [
                h.count(),
                h.max(),
                h.mean(),
                h.percentile(950),
                h.percentile(1000)
            ],
            [0; 5]
        );
    }

    #[test]
    fn one_sample_is_every_answer() {
        for value in [0, 1, 31, 32, 1000, Histogram::LIMIT] {
            let mut h = Histogram::default();
            h.record(value);
            assert_eq!((h.count(), h.max(), h.mean()), (1, value, value));
            let p = h.percentile(999);
            assert!(
                p <= value && value - p <= value / 32,
                "{value} answered {p}"
            );
        }
    }

    #[test]
    fn buckets_follow_each_other_without_gap_or_overlap() {
        assert_eq!(index(0), 0);
        assert_eq!(index(u32::MAX), BUCKETS - 1);
        for power in 0..32 {
            let edge = 1u32 << power;
            for value in [edge.saturating_sub(2), edge - 1, edge] {
                let (here, next) = (index(value), index(value + 1));
                assert!(next == here || next == here + 1, "{value}: {here} {next}");
            }
        }
        for bucket in 0..BUCKETS {
            assert_eq!(index(middle(bucket) as u32), bucket);
        }
    }

    #[test]
    fn a_huge_sample_counts_as_the_limit() {
        let mut h = Histogram::default();
        h.record(u64::MAX);
        assert_eq!((h.max(), h.mean()), (Histogram::LIMIT, Histogram::LIMIT));
    }

    #[test]
    fn the_window_clears_all_after_five_minutes_and_not_before() {
        let at = |mono_us| Now {
            mono_us,
            wall_us: 0,
        };
        let mut all = Histograms::new(at(7));
        all.read_latency.record(5);
        all.remote_peer_in_queue.record(5);
        all.roll(at(7 + WINDOW_US - 1));
        assert_eq!(
            (all.read_latency.count(), all.remote_peer_in_queue.count()),
            (1, 1)
        );
        all.roll(at(7 + WINDOW_US));
        assert_eq!(
            (all.read_latency.count(), all.remote_peer_in_queue.count()),
            (0, 0)
        );
        all.read_latency.record(9);
        all.roll(at(7 + WINDOW_US + 1));
        assert_eq!(all.read_latency.max(), 9);
        all.reset();
        assert_eq!(all.read_latency.max(), 0);
    }

    #[test]
    fn what_was_forgotten_still_counts_since_start() {
        let mut h = Histogram::default();
        let mut counts = [0; POWERS];
        for (power, count) in counts.iter_mut().enumerate() {
            // The smallest and the largest value of this bit length.
            let values = match power {
                0 => [0, 0],
                power => [1u64 << (power - 1), (1u64 << power) - 1],
            };
            for value in values {
                h.record(value);
                *count += 1;
            }
            h.reset();
        }
        let sum = (0..33).map(|p: u32| {
            if p == 0 {
                0
            } else {
                (1u64 << (p - 1)) + (1u64 << p) - 1
            }
        });
        let expected = SinceStart {
            counts,
            sum: sum.sum(),
        };
        assert_eq!(h.since_start(), expected);
        assert_eq!((h.count(), h.max(), h.mean()), (0, 0, 0));
        let mut other = Histogram::default();
        other.record(3);
        h.record(5);
        h.absorb(&other);
        assert_eq!((h.count(), h.max(), h.mean()), (2, 5, 4));
    }

    proptest! {
        /// Against a sorted list of the samples.
        #[test]
        fn percentiles_are_close_to_the_truth(
            mut samples in prop::collection::vec((0u32..32, any::<u32>()).prop_map(|(s, v)| u64::from(v >> s)), 1..300),
            per_mille in 0u32..=1000,
        ) {
            let mut h = Histogram::default();
            for &s in &samples {
                h.record(s);
            }
            samples.sort_unstable();
            let rank = (samples.len() * per_mille as usize).div_ceil(1000).max(1);
            let truth = samples[rank - 1];
            let answer = h.percentile(per_mille);
            prop_assert!(answer.abs_diff(truth) <= truth / 32, "{answer} for {truth}");
            prop_assert_eq!(h.max(), *samples.last().unwrap());
            prop_assert_eq!(h.mean(), samples.iter().sum::<u64>() / samples.len() as u64);
            prop_assert_eq!(h.count(), samples.len() as u64);
        }
    }
}
