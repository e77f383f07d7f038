//! The form of a command's expiry time: a column of the command table.
//!
//! A time counts from now or is a moment. [`rewrite`](super::rewrite) makes moments of times that count from
//! now, [`relative`](super::relative) the reverse.

use super::keys::integer;

/// One second and one millisecond in milliseconds.
pub(super) const SECOND: i64 = 1000;
pub(super) const MILLISECOND: i64 = 1;

/// The form of a command's expiry time. Names are those in a rewritten request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Expiry {
    /// It does not, or cannot be rewritten.
    None,
    /// `EXPIRE key time …`: argument 2 counts from now.
    After {
        /// In units of this many milliseconds.
        unit: i64,
        /// The command that takes a moment, in milliseconds, instead.
        moment: &'static str,
        /// A time below zero is a moment that has passed, and no error.
        may_be_past: bool,
    },
    /// `PEXPIREAT key moment …`, in milliseconds.
    Moment {
        /// The command that takes a time from now, in milliseconds, instead.
        after: &'static str,
    },
    /// `SETEX key time value`, in units of this many milliseconds: a `SET` with options.
    Value { unit: i64 },
    /// `EX`, `PX` or `PXAT` among the options.
    Options {
        name: &'static str,
        /// Where they begin.
        from: Begin,
        /// A Redis that knows the command may not know `PXAT`: `SET` has it since 6.2.
        recent: bool,
    },
    /// `RESTORE key time payload …`, in milliseconds, with `ABSTTL` (since 5.0) if it is a moment.
    Payload { name: &'static str },
}

/// Where the options of a command begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Begin {
    /// At this argument.
    At(usize),
    /// Behind the pairs that argument 1 counts (`MSETEX`).
    BehindPairs,
}

impl Begin {
    /// The place of the time in a request; `None` if it has none.
    pub(super) fn of(self, args: &[&[u8]]) -> Option<usize> {
        match self {
            Begin::At(place) => Some(place),
            Begin::BehindPairs => {
                let pairs = usize::try_from(integer(args.get(1)?)?).ok()?;
                pairs.checked_mul(2)?.checked_add(2)
            }
        }
    }
}

impl Expiry {
    /// `EX`, `PX` or `PXAT` among the options of a command that has always known them.
    pub(super) const fn options(name: &'static str, from: Begin) -> Expiry {
        Expiry::Options {
            name,
            from,
            recent: false,
        }
    }
}
