//! Which `redis_req_*` counters a command moves.
//!
//! The classification is the original's (`src/dyn_client.c`), quirks included: `INCRBY` is not
//! `incr_decr`, most set commands count as `set`, what it did not know is `other`. Its
//! `redis_req_sets` never moved; here the set commands among those in `set` move it as well.

/// The `redis_req_*` counters, as bits of [`ReqStats`].
pub(super) mod stats {
    pub const GET: u16 = 1;
    pub const SET: u16 = 1 << 1;
    pub const DEL: u16 = 1 << 2;
    pub const INCR_DECR: u16 = 1 << 3;
    pub const KEYS: u16 = 1 << 4;
    pub const MGET: u16 = 1 << 5;
    pub const SCAN: u16 = 1 << 6;
    pub const SORT: u16 = 1 << 7;
    pub const LREQM: u16 = 1 << 8;
    pub const SUNION: u16 = 1 << 9;
    pub const PING: u16 = 1 << 10;
    pub const LISTS: u16 = 1 << 11;
    pub const SETS: u16 = 1 << 12;
    pub const HASHES: u16 = 1 << 13;
    pub const SORTEDSETS: u16 = 1 << 14;
    pub const OTHER: u16 = 1 << 15;
}

/// The `redis_req_*` counters a request moves when it is queued to the local datastore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReqStats(u16);

impl ReqStats {
    pub(super) const fn of(columns: u16) -> Self {
        ReqStats(columns)
    }

    /// The counters' names, in the order of their numbers; also their order in `/info`.
    pub const NAMES: [&'static str; 16] = [
        "redis_req_get",
        "redis_req_set",
        "redis_req_del",
        "redis_req_incr_decr",
        "redis_req_keys",
        "redis_req_mget",
        "redis_req_scan",
        "redis_req_sort",
        "redis_req_lreqm",
        "redis_req_sunion",
        "redis_req_ping",
        "redis_req_lists",
        "redis_req_sets",
        "redis_req_hashes",
        "redis_req_sortedsets",
        "redis_req_other",
    ];

    /// The number (0 to 15, an index into [`ReqStats::NAMES`]) of each counter to move. One for
    /// most commands, two for `LREM` and the set commands, three for `SUNION`.
    #[inline]
    pub fn columns(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let column = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            (column < 16).then_some(column)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::redis::command::{Serve, commands};
    use std::collections::BTreeMap;

    const ROWS: &[(&str, &str)] = &[
        ("get", "get"),
        ("del", "del"),
        ("keys", "keys"),
        ("mget", "mget"),
        ("scan", "scan"),
        ("sort", "sort"),
        ("ping", "ping"),
        ("incr_decr", "incr decr"),
        (
            "set",
            "set setbit setex setrange sadd sdiff sdiffstore sinter sinterstore srem sunion sunionstore sscan",
        ),
        (
            "sets",
            "sadd sdiff sdiffstore sinter sinterstore srem sunion sunionstore sscan",
        ),
        ("sunion", "sunion"),
        ("lreqm", "lrem"),
        ("lists", "lrem lrange lset ltrim lindex lpushx"),
        ("hashes", "hset hsetnx hincrby hincrbyfloat"),
        (
            "sortedsets",
            "zadd zinterstore zrange zrangebyscore zrem zrevrange zrevrangebyscore zunionstore zscan zcount zincrby zlexcount zrangebylex zremrangebylex zremrangebyrank zremrangebyscore zrevrangebylex",
        ),
    ];

    #[test]
    fn the_classification_is_the_originals() {
        let mut wanted: BTreeMap<&str, Vec<String>> = BTreeMap::new();
        for (column, names) in ROWS {
            for name in names.split(' ') {
                wanted
                    .entry(name)
                    .or_default()
                    .push(format!("redis_req_{column}"));
            }
        }
        for command in commands() {
            let mut moved: Vec<_> = command
                .stat
                .columns()
                .map(|at| ReqStats::NAMES[at])
                .collect();
            moved.sort_unstable();
            let mut want = wanted.remove(command.name).unwrap_or_default();
            let answered_here = !command.is_served() && command.serve != Serve::AllNodesGuarded
                || command.serve == Serve::Proxy;
            if want.is_empty() && !answered_here {
                want.push("redis_req_other".into());
            }
            want.sort_unstable();
            assert_eq!(moved, want, "{}", command.name);
        }
        assert!(wanted.is_empty(), "not in the table: {wanted:?}");
    }
}
