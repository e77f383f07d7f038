//! How the replies of two replicas are compared.

use crate::mbuf::Raw;
use crate::proto::redis::alike::Alike;
use crate::proto::redis::command::Command;
use crate::proto::redis::request;
use crate::proto::{self, redis};

/// What of two replies has to be equal.
#[derive(Clone, Copy)]
pub(in crate::node) enum Compare {
    /// What the command's row says.
    Redis(Alike),
    /// What they say of values, but for what is each replica's own.
    Memcache,
}

impl Compare {
    pub(super) fn digest(self, raw: Raw<'_>) -> u64 {
        match self {
            Compare::Redis(alike) => redis::digest::digest(raw.pieces(), alike),
            Compare::Memcache => proto::memcache::varying::digest(raw.pieces()),
        }
    }
}

/// The values of a reply that may be judged one by one.
pub(in crate::node) enum Lists {
    No,
    /// Arrays of RESP.
    Arrays,
    /// Values of memcached for these keys.
    Values(Vec<Vec<u8>>),
}

/// How replies to a request to Redis are compared.
pub(in crate::node) fn rules(row: Option<&Command>, request: Raw<'_>) -> (Compare, Lists) {
    let alike = match row.map_or(Alike::Bytes, |row| row.alike) {
        Alike::Sort => request.with_bytes(|bytes| {
            let args: Vec<&[u8]> = request::arguments(bytes).collect();
            Alike::Sort.of(&args)
        }),
        alike => alike,
    };
    let lists = match alike {
        Alike::Values => Lists::Arrays,
        _ => Lists::No,
    };
    (Compare::Redis(alike), lists)
}
