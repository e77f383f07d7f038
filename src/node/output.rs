//! What connections have to say, and how it gets out.

use super::ids::{FrontId, SlotId};
use super::{ConnId, Kind, Node};
use crate::clock::Now;
use crate::mbuf::Chain;
use std::io::{self, IoSlice, Write};

/// Most slices one gathering write takes.
const SLICES_PER_WRITE: usize = 64;

impl Node {
    /// What a connection has to say.
    #[inline]
    fn output(&self, id: ConnId) -> Option<&Chain> {
        match id.kind {
            Kind::Client | Kind::DnodeClient => self
                .fronts
                .get(FrontId::of(id))
                .filter(|front| front.id == id)
                .map(|front| &front.out),
            Kind::Store | Kind::Peer => {
                let upstream = self.upstreams.get(SlotId::of(id))?;
                (upstream.id == id && upstream.state.is_connected()).then_some(&upstream.out)
            }
        }
    }

    /// The bytes that the first write of [`Node::transmit`] is of, if that is of one piece.
    #[inline]
    pub fn first_output(&self, id: ConnId) -> Option<&[u8]> {
        let out = self.output(id).filter(|out| !out.is_empty())?;
        out.as_contiguous().map(|slice| &**slice)
    }

    /// Returns true if a connection has bytes to be written.
    pub fn has_output(&self, id: ConnId) -> bool {
        self.output(id).is_some_and(|out| !out.is_empty())
    }

    /// Writes what a connection has to say, as far as it goes. Returns whether something is left.
    pub fn transmit(&mut self, id: ConnId, now: Now, writer: &mut impl Write) -> bool {
        while let Some(chain) = self.output(id).filter(|out| !out.is_empty()) {
            let result = match chain.as_contiguous() {
                Some(slice) => writer.write(slice),
                None => {
                    let mut parts = [IoSlice::new(&[]); SLICES_PER_WRITE];
                    let n = chain.io_slices(&mut parts);
                    writer.write_vectored(parts.get(..n).unwrap_or(&[]))
                }
            };
            match result {
                Ok(0) => {
                    self.broken(id, now, &io::ErrorKind::WriteZero.into());
                    return false;
                }
                Ok(n) => self.wrote(id, now, n),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.would_block(id, now);
                    return true;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.broken(id, now, &error);
                    return false;
                }
            }
        }
        if matches!(id.kind, Kind::Client | Kind::DnodeClient) && self.knows(id) {
            self.close_if_settled(FrontId::of(id));
        }
        false
    }

    /// Notes that the kernel takes nothing more for now.
    fn would_block(&mut self, id: ConnId, now: Now) {
        if matches!(id.kind, Kind::Client | Kind::DnodeClient)
            && let Some(front) = self.fronts.get_mut(FrontId::of(id))
            && front.stuck == 0
        {
            front.stuck = now.mono_us;
        }
    }

    /// Drops bytes that were written.
    fn wrote(&mut self, id: ConnId, now: Now, n: usize) {
        match id.kind {
            Kind::Client | Kind::DnodeClient => {
                let key = FrontId::of(id);
                if let Some(front) = self.fronts.get_mut(key) {
                    front.out.advance(n);
                    front.taken = now.mono_us;
                    front.stuck = 0;
                }
                self.resume_if_drained(key);
            }
            Kind::Store | Kind::Peer => {
                self.upstream_wrote(SlotId::of(id), now, n);
            }
        }
    }

    /// The next connection to be flushed, whichever way it leads.
    pub fn next_dirty(&mut self) -> Option<ConnId> {
        self.next_dirty_front()
            .or_else(|| self.next_dirty_upstream())
    }

    /// The next connection with answers to be flushed: a client's or a peer's.
    #[inline]
    pub fn next_dirty_front(&mut self) -> Option<ConnId> {
        while let Some(id) = self.out.next_front() {
            let front = self.fronts.get_mut(FrontId::of(id));
            if let Some(front) = front.filter(|front| front.id == id) {
                front.listed.forget();
                return Some(id);
            }
        }
        None
    }

    /// The next connection with requests to be flushed: to the datastore or to a peer.
    #[inline]
    pub fn next_dirty_upstream(&mut self) -> Option<ConnId> {
        while let Some(id) = self.out.next_upstream() {
            let upstream = self.upstreams.get_mut(SlotId::of(id));
            if let Some(upstream) = upstream.filter(|upstream| upstream.id == id) {
                upstream.listed.forget();
                return Some(id);
            }
        }
        None
    }

    /// Returns true if requests are to be flushed.
    #[inline]
    pub fn has_dirty_upstreams(&self) -> bool {
        self.out.has_upstreams()
    }
}
