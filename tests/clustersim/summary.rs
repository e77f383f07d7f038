//! What runs did.

use crate::clustersim::seeds::Total;
use dynomite::config::StoreKind;

/// What a run did, to see that the runs together do enough.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    pub answered: u64,
    pub errors: u64,
    pub timed_out: u64,
    pub lost_stores: u64,
    pub lost_peers: u64,
    pub failovers: u64,
    pub disagreements: u64,
    pub paused: u64,
    pub crashes: u64,
    pub sealed: u64,
    pub late: u64,
    pub calm: u64,
    pub partial: u64,
    pub shifting: u64,
}

impl Counts {
    fn numbers(&mut self) -> [&mut u64; 14] {
        [
            &mut self.answered,
            &mut self.errors,
            &mut self.timed_out,
            &mut self.lost_stores,
            &mut self.lost_peers,
            &mut self.failovers,
            &mut self.disagreements,
            &mut self.paused,
            &mut self.crashes,
            &mut self.sealed,
            &mut self.late,
            &mut self.calm,
            &mut self.partial,
            &mut self.shifting,
        ]
    }
}

/// The same in front of each datastore, and what only memcached has.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    redis: Counts,
    memcache: Counts,
    /// Compare-and-swaps that were done.
    swapped: u64,
}

impl Summary {
    pub fn of(kind: StoreKind, counts: Counts, swapped: usize) -> Summary {
        let mut summary = Summary {
            swapped: swapped as u64,
            ..Summary::default()
        };
        match kind {
            StoreKind::Redis => summary.redis = counts,
            StoreKind::Memcache => summary.memcache = counts,
        }
        summary
    }

    fn numbers(&mut self) -> impl Iterator<Item = &mut u64> {
        let counts = [&mut self.redis, &mut self.memcache];
        let counts = counts.into_iter().flat_map(Counts::numbers);
        counts.chain([&mut self.swapped])
    }
}

impl Total for Summary {
    fn add(&mut self, other: &Summary) {
        let mut other = *other;
        for (sum, one) in self.numbers().zip(other.numbers()) {
            *sum += *one;
        }
    }

    fn did_everything(&self) -> bool {
        let mut all = *self;
        all.numbers().all(|number| *number > 0)
    }
}
