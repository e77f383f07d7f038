//! The order of a client's writes where one of them takes two steps.
//!
//! A write in two steps ([`super::replicate`]) reaches most replicas only when its first step is done. What
//! the same client asks behind it must not get there before: of `SPOP s` and `SADD s m` in one pipeline,
//! `m` being what is popped, the member would stay on one replica and be gone on the others, for good. So
//! the client's next request waits, and all that comes behind it, until the second step is on its way:
//!
//! | request behind the first step | waits |
//! |---|---|
//! | answered by this node itself | no |
//! | by other keys | no |
//! | another write in two steps | no: both take the same way to the owner and back, and so do their second steps |
//! | a read of one replica | no: it comes to the owner in this rack behind the first step |
//! | any other of the same key, or of all keys; of memcached, any | yes |
//!
//! Requests behind one that waits wait too. The client's answers leave in order all the same, so
//! that waiting delays none of those before. Requests of other clients are not held up: as ever, between
//! clients there is no order.

use super::client::ClientProtocol;
use super::front::Reading;
use super::ids::FrontId;
use super::plan::order::Overtakes;
use super::plan::{Keys, redis};
use super::{ConnId, Node};
use crate::clock::Now;
use crate::hashkit::digest::digest;
use crate::mbuf::Raw;

/// The mark of all keys.
pub(super) const ALL: u64 = 0;

/// The mark of a key: keys with different marks are different, and almost all with one mark are the same.
pub(super) fn mark_of(key: &[u8]) -> u64 {
    digest(std::iter::once(key)).max(ALL + 1)
}

/// A first step under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    front: ConnId,
    mark: u64,
}

impl Node {
    /// A front's write of the key with this mark has begun its first step. Give what is returned to
    /// [`Node::step_ends`].
    pub(super) fn step_begins(&mut self, key: FrontId, mark: u64) -> Option<Begun> {
        let front = self.fronts.get_mut(key)?;
        front.steps.get_or_insert_default().push(mark);
        let front = front.id;
        Some(Begun { front, mark })
    }

    /// The second step of a front's write is on its way, or there is none.
    pub(super) fn step_ends(&mut self, begun: Option<Begun>) {
        let Some(Begun { front: id, mark }) = begun else {
            return;
        };
        let front = self.fronts.get_mut(FrontId::of(id));
        let Some(front) = front.filter(|front| front.id == id) else {
            return;
        };
        if let Some(marks) = front.steps.as_deref_mut()
            && let Some(at) = marks.iter().position(|other| *other == mark)
        {
            marks.swap_remove(at);
            if marks.is_empty() {
                front.steps = None;
            }
        }
        if front.reading == Reading::Ordered {
            self.in_order.push(id);
        }
    }

    /// Returns true if a client's request waits for its writes in two steps, or for as many replies as it may await
    /// at a time ([`limits::CLIENT_SHARE`](super::limits::CLIENT_SHARE)). The client is then not read any more.
    #[inline]
    pub(super) fn awaits_order<P: ClientProtocol>(
        &mut self,
        key: FrontId,
        request: &P::Message,
        raw: Raw<'_>,
    ) -> bool {
        let client = self.fronts.client(key);
        let awaits = client.is_some_and(|client| client.front.awaits_its_share());
        if awaits && P::may_wait(request, raw) {
            self.hold_in_order(key);
            return true;
        }
        // In a single rack there is no second step.
        if !self.facts.replicated && self.client_pause.is_none() {
            return false;
        }
        let has_steps = client.is_some_and(|client| client.front.steps.is_some());
        let waits = has_steps && P::awaits_steps(self, key, request, raw)
            || self.client_pause.is_some() && P::awaits_pause(self, key, request, raw);
        if !waits {
            return false;
        }
        self.hold_in_order(key);
        true
    }

    /// Stops reading a client until its next request, which has been read, may go on.
    fn hold_in_order(&mut self, key: FrontId) {
        if let Some(front) = self.fronts.get_mut(key) {
            front.reading = Reading::Ordered;
            front.was_paused = true;
        }
    }

    /// Returns true if a client's request to Redis could overtake a write in two steps.
    pub(super) fn overtakes(&self, key: FrontId, args: &[&[u8]]) -> bool {
        let Some(asker) = self.client_asker(key) else {
            return false;
        };
        let mut keys = Keys::default();
        let plan = redis::plan(&self.plan_cx(asker), args, &mut keys);
        match plan.overtakes(&keys) {
            Overtakes::Nothing => false,
            Overtakes::AllKeys => true,
            Overtakes::ItsKeys => {
                let front = self.fronts.get(key);
                let marks = front.and_then(|front| front.steps.as_deref());
                let marks = marks.map(Vec::as_slice).unwrap_or_default();
                let mut keys = keys.keys.iter().filter_map(|key| args.get(key.index));
                keys.any(|key| marks.contains(&mark_of(key)))
            }
        }
    }

    /// Goes on with the clients that need not wait any more.
    pub(super) fn go_on_in_order(&mut self, now: Now) {
        while let Some(id) = self.in_order.pop() {
            let key = FrontId::of(id);
            let front = self.fronts.get_mut(key).filter(|front| front.id == id);
            let Some(front) = front.filter(|front| front.reading == Reading::Ordered) else {
                continue;
            };
            front.reading = Reading::On;
            let data = front.inbound.take();
            self.serve_data(key, now, data, false);
            let front = self.fronts.get(key).filter(|front| front.id == id);
            if front.is_some_and(|front| front.reading == Reading::On) {
                self.out.resume(id);
            }
        }
    }
}
