//! A connection that was lost while nothing was under way on it, made anew at once.
//!
//! Datastores close idle connections (Redis' `timeout`, memcached's `idle_timeout`, `CLIENT KILL`), and so do
//! balancers on the way. That is no failure: the connection is made anew at once, and requests wait for it, so that
//! none is refused and no copy lost. Only if that attempt fails, others follow at longer and longer intervals, and
//! requests fail meanwhile.
//!
//! | what was lost | is made anew at once |
//! |---|---|
//! | a connection on which a request has been answered, or that was there for [`limits::WORKED_US`] | yes |
//! | any other: an address that accepts connections only to close them must not keep the node busy | no |
//! | one on which a request was written that has no reply yet | no |
//! | one that was given up for its silence, or for bytes that are no reply | no |
//!
//! A request that was written and not answered may have been run. It gets an error, and is never sent again to
//! the same node; a `DC_ONE` read goes on to another rack ([`failover`](crate::node::failover)). One of which nothing was
//! written goes out on a datastore's new connection, in its place.
//!
//! The requests that a peer understands depend on its kind, which is not known before its handshake is over. So requests for a peer are *parked* until then, for as long as a read may take.

use super::connection::Upstream;
use super::state::Loss;
use crate::clock::Now;
use crate::mbuf::{Chain, Raw};
use crate::node::ids::ReqId;
use crate::node::limits;
use crate::node::msg::{Msgs, NO_COMMAND};
use crate::proto::dnode;
use std::collections::VecDeque;

/// A connection's record so far, and the requests that wait for it to be made anew.
#[derive(Default)]
pub(in crate::node) struct Anew {
    /// When the connection was made, in µs.
    since: u64,
    /// It has brought a reply to a request that was not the node's own.
    has_answered: bool,
    /// Since when a lost peer has been awaited, in µs.
    awaited: Option<u64>,
    /// The requests that wait for it, in order.
    parked: VecDeque<Parked>,
    bytes: usize,
}

/// A request for a peer that is awaited.
pub(in crate::node) struct Parked {
    pub entry: ReqId,
    pub kind: dnode::Kind,
    pub request: Chain,
}

impl Anew {
    /// The connection is there.
    pub fn connected(&mut self, now: Now) {
        self.since = now.mono_us;
        self.has_answered = false;
    }

    /// A reply has come to a request by this command.
    #[inline]
    pub fn answered(&mut self, command: u16) {
        self.has_answered |= command != NO_COMMAND;
    }

    /// Returns true if requests wait for the connection, or would.
    pub fn is_awaited(&self) -> bool {
        self.awaited.is_some()
    }

    /// The number of requests that wait.
    pub fn len(&self) -> usize {
        self.parked.len()
    }

    /// Returns true if none waits.
    pub fn is_empty(&self) -> bool {
        self.parked.is_empty()
    }

    /// The bytes of those that wait.
    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl Upstream {
    /// Returns true if the connection has worked and nothing was outstanding on it when it was lost so.
    pub fn is_made_anew(&self, now: Now, loss: Loss) -> bool {
        let is_no_failure = matches!(loss, Loss::Eof | Loss::Error | Loss::Asked);
        let worked = self.anew.has_answered
            || now.mono_us.saturating_sub(self.anew.since) >= limits::WORKED_US;
        let owes_nothing = match self.is_store() {
            true => self.owes_nothing(),
            // Requests that are not written yet were encrypted for the connection that is gone.
            false => self.queue.is_empty(),
        };
        is_no_failure && self.is_up() && worked && owes_nothing
    }

    /// Forgets a connection that is to be made anew. From now on a peer is awaited.
    pub fn await_anew(&mut self, msgs: &mut Msgs, now: Now) {
        self.keep_unwritten(msgs);
        if !self.is_store() {
            self.anew.awaited = Some(now.mono_us);
        }
    }

    /// Parks a request for a peer that is awaited.
    pub fn park(&mut self, entry: ReqId, kind: dnode::Kind, raw: Raw<'_>) {
        let mut request = Chain::new();
        raw.append_to(&mut request);
        if self.anew.parked.is_empty() {
            // Until now there was nothing it could have taken.
            self.flowed = self.flowed.max(self.anew.awaited.unwrap_or(0));
        }
        self.anew.bytes += request.len();
        self.anew.parked.push_back(Parked {
            entry,
            kind,
            request,
        });
    }

    /// Until when parked requests wait, in µs: the oldest for as long as a read may take, which is `granted`.
    pub fn parked_until(&self, granted: u64) -> Option<u64> {
        self.anew.awaited.map(|since| since + granted)
    }

    /// Ends the wait for a peer. Returns the requests that were parked, in order.
    pub fn take_parked(&mut self) -> VecDeque<Parked> {
        self.anew.awaited = None;
        self.anew.bytes = 0;
        std::mem::take(&mut self.anew.parked)
    }
}
