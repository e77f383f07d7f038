//! The life of a connection, and how it is lost.

/// The life of a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::node) enum State {
    /// Not wanted yet: the first request connects (`preconnect: false`).
    Idle,
    /// Being made since this time, in µs. Requests for the datastore wait for the first attempt; later ones fail at
    /// once, so that a datastore that is gone costs clients nothing but an error.
    Connecting { since: u64, first: bool },
    /// Connected. The node's own question is on its way; other requests wait until it is answered.
    Handshake,
    /// In use.
    Up,
    /// Lost; tried again at this time, in µs.
    Down { retry_at: u64 },
    /// It led to a node that is no member any more; its slot is free.
    Gone,
}

impl State {
    /// Returns true if there is a connection: bytes can be read and written.
    #[inline]
    pub fn is_connected(self) -> bool {
        matches!(self, State::Handshake | State::Up)
    }
}

/// Why a connection is given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::node) enum Loss {
    /// The other end closed it.
    Eof,
    /// It was silent for too long.
    TimedOut,
    /// Reading, writing or connecting failed.
    Error,
    /// An operator wants it to be made anew.
    Asked,
    /// It brought bytes that are no reply, or a reply to no request: the other end cannot be trusted.
    Nonsense,
}
