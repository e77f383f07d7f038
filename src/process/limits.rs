//! Resource limits at start, and the node's own limits in one line for the log.

use crate::config::Settings;
use crate::node::limits as node;
use crate::sys::{self, Limit, Resource};

/// Asks for core dumps of any size, as far as the process may; failure is of no consequence.
pub fn raise_core() {
    let endless = Limit {
        soft: u64::MAX,
        hard: u64::MAX,
    };
    if sys::set_limit(Resource::Core, endless).is_err()
        && let Ok(Limit { hard, .. }) = sys::limit(Resource::Core)
    {
        let _ = sys::set_limit(Resource::Core, Limit { soft: hard, hard });
    }
}

/// Raises the number of open descriptors to the hard limit and returns how many may be open.
/// If it cannot be raised, returns the limit in force.
pub fn raise_nofile() -> u64 {
    let Ok(limit) = sys::limit(Resource::Nofile) else {
        // POSIX guarantees so many, and nothing is known of more.
        return 20;
    };
    let wanted = Limit {
        soft: limit.hard,
        hard: limit.hard,
    };
    match sys::set_limit(Resource::Nofile, wanted) {
        Ok(()) => wanted.soft,
        Err(_) => limit.soft,
    }
}

/// The most that a node with these settings may hold, as one line of the log: it shows an operator
/// how much memory to provide. `files` as of [`raise_nofile`].
pub fn summary(settings: &Settings, files: u64) -> String {
    let clients = match settings.client_connections {
        0 => "any number of clients".to_owned(),
        limit => format!("{limit} clients"),
    };
    let (mbuf_size, max_msgs) = (settings.mbuf_size, settings.max_msgs);
    let mib = |bytes: usize| bytes >> 20;
    format!(
        "limits: {files} open files; {clients}; {max_msgs} requests under way; \
         {} MiB of buffers ({max_msgs} messages of {mbuf_size} bytes); for each client {} requests \
         under way and {} MiB of replies it has not read, closed at {} MiB; for each datastore \
         connection {} MiB of requests to be sent",
        mib(max_msgs.saturating_mul(mbuf_size)),
        node::CLIENT_MSGS,
        mib(node::CLIENT_OUT),
        mib(node::CLIENT_OUT_MAX),
        mib(node::UPSTREAM_QUEUE),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let raised = raise_nofile();
        let now = sys::limit(Resource::Nofile).unwrap();
        assert_eq!((now.soft, now.hard), (raised, raised));
    }
}
