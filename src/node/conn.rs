//! What a node and its driver call a connection, and what they ask of each other.

use std::fmt;
use std::net::SocketAddr;

/// What kind of connection an id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    /// A client, accepted on `listen`.
    Client,
    /// The datastore, connected to.
    Store,
    /// A peer, accepted on `dyn_listen`.
    DnodeClient,
    /// A peer, connected to.
    Peer,
}

/// Names a connection between the node and its driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ConnId {
    /// What it is.
    pub kind: Kind,
    /// Its place among connections of its kind; reused.
    pub key: u32,
    /// Tells it from earlier ones in the same place.
    pub generation: u32,
}

impl ConnId {
    /// The name of an accepted connection in the log: `<CONN_CLIENT 3 #17 from '10.0.0.1:40000'>`,
    /// the original's form with our place and number for its address and descriptor. Without an
    /// address, as over a Unix socket, there is no `from`.
    pub fn log_name(self, from: Option<SocketAddr>) -> LogName {
        LogName { id: self, from }
    }
}

impl fmt::Display for ConnId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.log_name(None).fmt(f)
    }
}

/// A connection as the log names it: [`ConnId::log_name`].
#[derive(Clone, Copy, Debug)]
pub struct LogName {
    id: ConnId,
    from: Option<SocketAddr>,
}

impl fmt::Display for LogName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.id.kind {
            Kind::Client => "CONN_CLIENT",
            Kind::Store => "CONN_SERVER",
            Kind::DnodeClient => "CONN_PEER_CLIENT",
            Kind::Peer => "CONN_PEER_SERVER",
        };
        write!(f, "<{kind} {} #{}", self.id.key, self.id.generation)?;
        if let Some(from) = self.from {
            write!(f, " from '{from}'")?;
        }
        f.write_str(">")
    }
}

/// What the driver is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// Connect to [`super::Node::endpoint`] of this id; report by [`super::Node::connected`] or [`super::Node::broken`].
    Connect(ConnId),
    /// Close the socket; the node has forgotten the connection. No report.
    Close(ConnId),
    /// Read from this connection again: an earlier `receive` said [`Next::Paused`].
    Resume(ConnId),
}

/// What the reader of a connection should do next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Wait until there is something to read.
    Wait,
    /// There may be more: read again, after others have had their turn.
    Again,
    /// Do not read until [`Action::Resume`].
    Paused,
}
