//! Error replies of a datastore that describe the state of the datastore rather than a fault of the request.
//! `/metrics`, the log and `/readyz` name them by their first word.

/// Why a datastore refused a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorWord {
    /// Redis' `OOM`, memcached's `SERVER_ERROR out of memory`: writes are refused.
    Oom,
    /// `READONLY`: the datastore is a replica; writes are refused.
    ReadOnly,
    /// `MISCONF`: it cannot save its data; writes are refused.
    Misconf,
    /// `NOREPLICAS`: it has fewer replicas than it is to have; writes are refused.
    NoReplicas,
    /// `NOAUTH`: it wants a password.
    NoAuth,
    /// `NOPERM`: its access list forbids the command or the key.
    NoPerm,
    /// `LOADING`: it reads its data from disk.
    Loading,
    /// `MASTERDOWN`: it is a replica that has lost its master and must not serve old data.
    MasterDown,
    /// `BUSY`: it runs a script that does not end.
    Busy,
    /// `CLUSTERDOWN`: it is in cluster mode, and its cluster is down.
    ClusterDown,
    /// `MOVED`: it is in cluster mode, and another one has the key.
    Moved,
    /// `ERR Storage:`, `SERVER_ERROR Storage:`: a peer could not reach its datastore.
    Storage,
    /// Any other: most often the fault is in the request.
    Other,
}

impl ErrorWord {
    /// How many there are.
    pub const COUNT: usize = 13;
    /// All of them, in the order in which they are counted.
    pub const ALL: [ErrorWord; Self::COUNT] = [
        ErrorWord::Oom,
        ErrorWord::ReadOnly,
        ErrorWord::Misconf,
        ErrorWord::NoReplicas,
        ErrorWord::NoAuth,
        ErrorWord::NoPerm,
        ErrorWord::Loading,
        ErrorWord::MasterDown,
        ErrorWord::Busy,
        ErrorWord::ClusterDown,
        ErrorWord::Moved,
        ErrorWord::Storage,
        ErrorWord::Other,
    ];

    /// The word as the reply has it, and the value of the label `error`.
    pub fn name(self) -> &'static str {
        match self {
            ErrorWord::Oom => "OOM",
            ErrorWord::ReadOnly => "READONLY",
            ErrorWord::Misconf => "MISCONF",
            ErrorWord::NoReplicas => "NOREPLICAS",
            ErrorWord::NoAuth => "NOAUTH",
            ErrorWord::NoPerm => "NOPERM",
            ErrorWord::Loading => "LOADING",
            ErrorWord::MasterDown => "MASTERDOWN",
            ErrorWord::Busy => "BUSY",
            ErrorWord::ClusterDown => "CLUSTERDOWN",
            ErrorWord::Moved => "MOVED",
            ErrorWord::Storage => "Storage",
            ErrorWord::Other => "other",
        }
    }

    /// Returns true if a datastore that answers this serves no reads either: reads go to another rack, and
    /// the node is not ready.
    pub fn refuses_reads(self) -> bool {
        matches!(
            self,
            ErrorWord::NoAuth | ErrorWord::Loading | ErrorWord::MasterDown | ErrorWord::Busy
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_counted_in_its_own_place() {
        for (place, word) in ErrorWord::ALL.into_iter().enumerate() {
            assert_eq!(word as usize, place, "{word:?}");
        }
    }
}
