//! What is done by the clock, and when next.

use crate::clock::Now;

/// Declares what is done by the clock.
macro_rules! timers {
    ($($(#[$about:meta])* $name:ident,)*) => {
        /// Something that is done by the clock.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Timer {
            $($(#[$about])* $name,)*
        }

        /// How many there are.
        const TIMERS: usize = [$(Timer::$name),*].len();
    };
}

timers! {
    /// Requests that take too long, connections to be made or given up, requests that may leave
    /// ([`super::deadline`]). May be due earlier than anything is.
    Upstreams,
    /// Reads that go on to another rack ([`super::failover`]). May be due earlier than any is.
    Retries,
    /// The oldest write that waits for the node's state ([`super::parked_writes`]).
    ParkedWrites,
    /// The new list of members takes effect ([`super::members`]).
    Members,
    /// Scripts that keep the datastore busy are looked for ([`super::busy`]).
    Scripts,
    /// The datastore is asked whether it serves ([`super::store_probe`]).
    Probe,
    /// The pause of clients ends ([`super::clients`]).
    ClientPause,
    /// Connections that are left while shutting down are closed.
    Drain,
    /// Quiet connections are looked after, and memory is given back.
    Sweep,
}

/// The time that means never.
const NEVER: u64 = u64::MAX;

/// When each [`Timer`] is due, in µs of the monotonic clock.
#[derive(Debug)]
pub(super) struct TimerTable([u64; TIMERS]);

impl Default for TimerTable {
    fn default() -> TimerTable {
        TimerTable([NEVER; TIMERS])
    }
}

impl TimerTable {
    /// When something is due first; `u64::MAX` if nothing ever is.
    #[inline]
    pub fn next(&self) -> u64 {
        self.0.iter().copied().fold(NEVER, u64::min)
    }

    /// When the first of these is due, if one of them is set.
    pub fn first(&self, of: &[Timer]) -> Option<u64> {
        of.iter().filter_map(|timer| self.at(*timer)).min()
    }

    /// When this timer is due, if it is set.
    pub fn at(&self, timer: Timer) -> Option<u64> {
        Some(self.0[timer as usize]).filter(|at| *at != NEVER)
    }

    /// Returns true if it is set.
    #[inline]
    pub fn is_set(&self, timer: Timer) -> bool {
        self.0[timer as usize] != NEVER
    }

    /// Returns true if it is set and its time has come.
    #[inline]
    pub fn is_due(&self, timer: Timer, now: Now) -> bool {
        self.0[timer as usize] <= now.mono_us
    }

    /// Sets it to this time.
    pub fn set(&mut self, timer: Timer, at: u64) {
        self.0[timer as usize] = at;
    }

    /// Sets it to this time, or stops it if there is none.
    pub fn set_or_stop(&mut self, timer: Timer, at: Option<u64>) {
        self.set(timer, at.unwrap_or(NEVER));
    }

    /// Lets it be due at this time at the latest.
    #[inline]
    pub fn advance(&mut self, timer: Timer, at: u64) {
        let place = &mut self.0[timer as usize];
        *place = (*place).min(at);
    }

    /// Stops it.
    pub fn stop(&mut self, timer: Timer) {
        self.set(timer, NEVER);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_earliest_timer_is_the_next() {
        let now = |us| Now {
            mono_us: us,
            wall_us: 0,
        };
        let mut timers = TimerTable::default();
        assert_eq!((timers.next(), timers.at(Timer::Sweep)), (u64::MAX, None));
        timers.set(Timer::Sweep, 30);
        timers.advance(Timer::Probe, 20);
        timers.advance(Timer::Probe, 25);
        assert_eq!((timers.next(), timers.at(Timer::Probe)), (20, Some(20)));
        assert!(!timers.is_due(Timer::Probe, now(19)));
        assert!(timers.is_due(Timer::Probe, now(20)));
        assert!(!timers.is_due(Timer::Drain, now(u64::MAX - 1)));
        timers.stop(Timer::Probe);
        assert_eq!(timers.next(), 30);
        timers.set_or_stop(Timer::Sweep, None);
        assert!(!timers.is_set(Timer::Sweep));
    }
}
