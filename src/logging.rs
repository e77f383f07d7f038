//! The log gate: twelve levels in front of the `log` crate's five.
//!
//! Any room may log. A statement names one of the original's levels; the gate is one relaxed atomic
//! load, so a statement that is switched off costs a compare. What passes becomes a `log` record;
//! `process::log_sink` writes it in the original's line format.
//!
//! Errors pass at every level, 0 included (the original hid them at `-v 0`).

use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

/// A log level of the original, by number (`-v N`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[repr(u8)]
pub enum Level {
    /// Written whatever the level is, though no error: the banner, signals, changes made by an
    /// operator.
    Always = 0,
    /// Errors. The original's `LOG_ALERT`; always written here.
    Alert = 1,
    /// `LOG_ERR`.
    Error = 3,
    /// Warnings.
    Warn = 4,
    /// Life of connections, listeners and peers. The default level.
    Notice = 5,
    /// Per-request forwarding, defaults applied.
    Info = 6,
    /// Initialisation details.
    Debug = 7,
    /// Reads, writes, queues, parsing.
    Verb = 8,
    /// Allocation, configuration dump.
    Vverb = 9,
    /// Counters, readiness events.
    Vvverb = 10,
    /// Statistics ticks.
    Pverb = 11,
}

/// The highest level there is; `-v` above it is clamped to it.
pub const MAX_LEVEL: u8 = 11;
/// The level at start unless `-v` says otherwise.
pub const DEFAULT_LEVEL: u8 = 5;

static GATE: AtomicU8 = AtomicU8::new(DEFAULT_LEVEL);
static LOST: AtomicU64 = AtomicU64::new(0);
static REPEATED: AtomicU64 = AtomicU64::new(0);

/// Returns true if a statement at `level` is written now.
#[inline]
pub fn enabled(level: Level) -> bool {
    level <= Level::Alert || level as u8 <= GATE.load(Ordering::Relaxed)
}

/// The level in force, 0 to 11.
pub fn level() -> u8 {
    GATE.load(Ordering::Relaxed)
}

/// Sets the level, clamped to 0..=11. Returns the new level.
pub fn set_level(level: u8) -> u8 {
    let level = level.min(MAX_LEVEL);
    GATE.store(level, Ordering::Relaxed);
    level
}

/// Counts a line that could not be written.
pub fn count_lost() {
    LOST.fetch_add(1, Ordering::Relaxed);
}

/// Counts a line that was held back because its statement repeats itself.
pub fn count_repeated() {
    REPEATED.fetch_add(1, Ordering::Relaxed);
}

/// Lines of this process that were not written: lost, and held back.
pub fn unwritten() -> (u64, u64) {
    (
        LOST.load(Ordering::Relaxed),
        REPEATED.load(Ordering::Relaxed),
    )
}

impl Level {
    /// The level of the `log` record a statement becomes.
    pub fn to_log(self) -> log::Level {
        match self {
            Level::Alert | Level::Error => log::Level::Error,
            Level::Warn => log::Level::Warn,
            // Always written, and mostly good news.
            Level::Always | Level::Notice | Level::Info => log::Level::Info,
            Level::Debug | Level::Verb => log::Level::Debug,
            Level::Vverb | Level::Vvverb | Level::Pverb => log::Level::Trace,
        }
    }
}

/// Logs one line at a [`Level`], by its bare name: `log_at!(Warn, "close {conn}")`.
#[macro_export]
macro_rules! log_at {
    ($level:ident, $($arg:tt)+) => {
        if $crate::logging::enabled($crate::logging::Level::$level) {
            ::log::log!($crate::logging::Level::$level.to_log(), $($arg)+)
        }
    };
}
