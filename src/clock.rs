//! The time, as it is passed through the program.
//!
//! Nothing below the reactor reads a clock: the reactor reads both clocks once per turn and passes
//! the result down, so the same code runs under virtual time in the simulator.

/// One reading of the two clocks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// Microseconds on a clock that never goes backwards; its zero is arbitrary.
    pub mono_us: u64,
    /// Microseconds since the Unix epoch; may jump.
    pub wall_us: u64,
}

impl Now {
    /// Whole seconds since the Unix epoch.
    pub fn unix_secs(self) -> u64 {
        self.wall_us / 1_000_000
    }

    /// Milliseconds since the Unix epoch.
    pub fn unix_millis(self) -> u64 {
        self.wall_us / 1_000
    }
}
