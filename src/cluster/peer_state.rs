//! The state of a node, and the requests it serves in that state.

use crate::proto::Class;

/// The state of a node, by the original's names. Only the local node's state has an effect, and
/// only where a request is about to enter its datastore, from a client or a peer: a node in any
/// state goes on coordinating. Whether a peer gets requests depends on its connection and on whether an
/// operator took it down, not on its state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum PeerState {
    /// Before anything is set up.
    #[default]
    Init,
    /// Not in use: the data is being copied.
    Standby,
    /// Writes are collected while the data is being copied.
    WritesOnly,
    /// The collected writes are being applied.
    Resuming,
    /// In use.
    Normal,
    /// Waiting for the first round of gossip.
    Joining,
    /// Of a peer: no connection.
    Down,
    /// Of a peer: its connections are to be made anew.
    Reset,
    /// Of a peer: no state was received.
    Unknown,
}

/// How a request for the local datastore is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Gate {
    /// It is sent.
    Serve,
    /// It is answered with the error "current state does not allow this request".
    Refuse,
    /// It is parked, without a time limit, until the state serves writes; then the parked
    /// requests go first, in order. The caller limits their number and refuses the others.
    Hold,
}

struct Row {
    state: PeerState,
    /// The number in gossip.
    number: u8,
    name: &'static str,
    reads: Gate,
    writes: Gate,
}

/// Every state. Two gates differ from the original's. Writes parked in `WRITES_ONLY` have no time
/// limit (there the datastore connection is closed over them, and all are lost). `JOINING` serves
/// (there requests hang until their time is up, though the node has nothing to wait for). The
/// states that only peers can have refuse.
#[rustfmt::skip]
const ROWS: [Row; 9] = {
    use Gate::{Hold, Refuse, Serve};
    use PeerState::*;
    const fn row(state: PeerState, number: u8, name: &'static str, reads: Gate, writes: Gate) -> Row {
        Row { state, number, name, reads, writes }
    }
    [
        row(Init,       0,  "INIT",        Refuse, Refuse),
        row(Standby,    1,  "STANDBY",     Refuse, Refuse),
        row(WritesOnly, 2,  "WRITES_ONLY", Refuse, Hold),
        row(Resuming,   3,  "RESUMING",    Refuse, Serve),
        row(Normal,     4,  "NORMAL",      Serve,  Serve),
        row(Joining,    7,  "JOINING",     Serve,  Serve),
        row(Down,       8,  "DOWN",        Refuse, Refuse),
        row(Reset,      11, "RESET",       Refuse, Refuse),
        row(Unknown,    12, "Unknown",     Refuse, Refuse),
    ]
};

impl PeerState {
    /// Every state, by number.
    pub fn all() -> impl Iterator<Item = PeerState> {
        ROWS.iter().map(|row| row.state)
    }

    fn row(self) -> Option<&'static Row> {
        ROWS.iter().find(|row| row.state == self)
    }

    /// Its number in the statistics: the original's in gossip.
    pub fn number(self) -> u8 {
        self.row().map_or(0, |row| row.number)
    }

    /// Its name in `/state/get_state`.
    pub fn name(self) -> &'static str {
        self.row().map_or("INVALID STATE", |row| row.name)
    }

    /// Returns how requests of this class are treated while the local node is in this state.
    pub fn gate(self, class: Class) -> Gate {
        self.row().map_or(Gate::Refuse, |row| match class {
            Class::Read => row.reads,
            Class::Write => row.writes,
        })
    }
}

impl std::fmt::Display for PeerState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_numbers_are_the_originals() {
        let found: Vec<(u8, &str)> = PeerState::all()
            .map(|state| (state.number(), state.name()))
            .collect();
        let expected = [
            (0, "INIT"),
            (1, "STANDBY"),
            (2, "WRITES_ONLY"),
            (3, "RESUMING"),
            (4, "NORMAL"),
            (7, "JOINING"),
            (8, "DOWN"),
            (11, "RESET"),
            (12, "Unknown"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn states_open_and_close_the_datastore() {
        use Gate::{Hold, Refuse, Serve};
        for (state, reads, writes) in [
            (PeerState::Normal, Serve, Serve),
            (PeerState::Standby, Refuse, Refuse),
            (PeerState::WritesOnly, Refuse, Hold),
            (PeerState::Resuming, Refuse, Serve),
            (PeerState::Joining, Serve, Serve),
            (PeerState::Down, Refuse, Refuse),
        ] {
            let gates = (state.gate(Class::Read), state.gate(Class::Write));
            assert_eq!(gates, (reads, writes), "{state}");
        }
    }
}
