//! Resource limits at start.

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
/// If it cannot be raised the answer is what is in force.
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
