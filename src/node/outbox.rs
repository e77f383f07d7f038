//! What the driver is to do next: connections to make, to close, to read again and to write.

use super::{Action, ConnId};
use std::collections::VecDeque;

/// What the driver is to do, until it asks.
#[derive(Default)]
pub(super) struct Outbox {
    actions: VecDeque<Action>,
    /// Connections that answers wait for, and connections that requests wait for.
    fronts: Vec<ConnId>,
    upstreams: Vec<ConnId>,
}

/// Whether a connection is in the list of those to be written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Listed(bool);

impl Listed {
    /// Returns true if the connection is in the list.
    pub fn is_listed(self) -> bool {
        self.0
    }

    /// Forgets that it is: it is there under an id that it has no longer.
    pub fn forget(&mut self) {
        self.0 = false;
    }
}

impl Outbox {
    /// Has this connection made.
    pub fn connect(&mut self, id: ConnId) {
        self.actions.push_back(Action::Connect(id));
    }

    /// Has this connection's socket closed.
    pub fn close(&mut self, id: ConnId) {
        self.actions.push_back(Action::Close(id));
    }

    /// Has this connection read again.
    pub fn resume(&mut self, id: ConnId) {
        self.actions.push_back(Action::Resume(id));
    }

    /// Has the answers of this connection written.
    #[inline]
    pub fn flush_front(&mut self, listed: &mut Listed, id: ConnId) {
        if !listed.0 {
            listed.0 = true;
            self.fronts.push(id);
        }
    }

    /// Has the requests of this connection written.
    #[inline]
    pub fn flush_upstream(&mut self, listed: &mut Listed, id: ConnId) {
        if !listed.0 {
            listed.0 = true;
            self.upstreams.push(id);
        }
    }

    /// The next thing to be done, the earliest first.
    #[inline]
    pub fn next_action(&mut self) -> Option<Action> {
        self.actions.pop_front()
    }

    /// The next connection with answers to be written; it may be gone.
    #[inline]
    pub fn next_front(&mut self) -> Option<ConnId> {
        self.fronts.pop()
    }

    /// The next connection with requests to be written; it may be gone.
    #[inline]
    pub fn next_upstream(&mut self) -> Option<ConnId> {
        self.upstreams.pop()
    }

    /// Returns true if requests are to be written.
    #[inline]
    pub fn has_upstreams(&self) -> bool {
        !self.upstreams.is_empty()
    }

    /// Returns true if this connection is in one of the lists of those to be written.
    pub fn lists(&self, id: ConnId) -> bool {
        self.fronts.contains(&id) || self.upstreams.contains(&id)
    }

    /// Gives back memory that a crowd of clients needed.
    pub fn shrink(&mut self) {
        self.fronts.shrink_to(64);
    }
}
