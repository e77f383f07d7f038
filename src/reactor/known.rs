//! The addresses that names had, and which of them are of use.
//!
//! A resolver that is out, or hangs, must not keep a broken connection down: the addresses that a name had
//! when it was last looked up are tried instead. And one address that swallows what is sent to it must not
//! keep the others from being tried: an attempt that neither failed nor succeeded in its time is followed by
//! one at the next address.

use crate::config::Endpoint;
use std::collections::HashMap;
use std::net::SocketAddr;

/// Most names that are remembered.
const MOST_NAMES: usize = 4096;

/// Known addresses of names. One entry for each name that has been resolved.
#[derive(Debug, Default)]
pub struct Known(HashMap<Endpoint, Addresses>);

#[derive(Debug, Default)]
struct Addresses {
    /// As they were found last, the resolver's preferred first.
    found: Vec<SocketAddr>,
    /// Address of the latest attempt, and whether it succeeded; `None` while it is under way.
    tried: Option<(SocketAddr, Option<bool>)>,
}

impl Known {
    /// A name has been resolved to these.
    pub fn found(&mut self, endpoint: &Endpoint, addresses: &[SocketAddr]) {
        if self.0.len() >= MOST_NAMES && !self.0.contains_key(endpoint) {
            // Of a cluster whose nodes have had many names; those in use are looked up again.
            self.0.clear();
        }
        let known = self.0.entry(endpoint.clone()).or_default();
        known.found.clear();
        known.found.extend_from_slice(addresses);
    }

    /// The addresses of a name in the order in which they are to be tried: the one that worked last first,
    /// one that never answered last. Empty for a name that was never resolved.
    pub fn order(&self, endpoint: &Endpoint) -> Vec<SocketAddr> {
        let Some(known) = self.0.get(endpoint) else {
            return Vec::new();
        };
        let mut order = known.found.clone();
        let tried = known.tried.and_then(|(addr, ended)| {
            let at = order.iter().position(|other| *other == addr)?;
            Some((at, ended))
        });
        match tried {
            Some((at, Some(true))) => order.rotate_left(at),
            Some((at, None)) => order.rotate_left(at + 1),
            _ => {}
        }
        order
    }

    /// An attempt at this address has begun.
    pub fn trying(&mut self, endpoint: &Endpoint, addr: SocketAddr) {
        if let Some(known) = self.0.get_mut(endpoint) {
            known.tried = Some((addr, None));
        }
    }

    /// The latest attempt has ended.
    pub fn ended(&mut self, endpoint: &Endpoint, well: bool) {
        if let Some((_, ended)) = self
            .0
            .get_mut(endpoint)
            .and_then(|known| known.tried.as_mut())
        {
            *ended = Some(well);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name() -> Endpoint {
        Endpoint::Tcp {
            host: "store".into(),
            port: 1,
        }
    }

    fn addr(n: u8) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, n], 1))
    }

    #[test]
    fn an_address_that_swallows_everything_is_tried_last_the_next_time() {
        let mut known = Known::default();
        assert!(known.order(&name()).is_empty());
        known.found(&name(), &[addr(1), addr(2), addr(3)]);
        assert_eq!(known.order(&name()), [addr(1), addr(2), addr(3)]);
        known.trying(&name(), addr(1));
        assert_eq!(known.order(&name()), [addr(2), addr(3), addr(1)]);
        // It is given up, and the name looked up again.
        known.found(&name(), &[addr(1), addr(2), addr(3)]);
        known.trying(&name(), addr(2));
        assert_eq!(known.order(&name()), [addr(3), addr(1), addr(2)]);
        known.ended(&name(), true);
        assert_eq!(
            known.order(&name()),
            [addr(2), addr(3), addr(1)],
            "it works"
        );
        known.trying(&name(), addr(2));
        known.ended(&name(), false);
        assert_eq!(known.order(&name()), [addr(1), addr(2), addr(3)]);
        // One that is the name's no more says nothing.
        known.trying(&name(), addr(2));
        known.found(&name(), &[addr(4), addr(5)]);
        assert_eq!(known.order(&name()), [addr(4), addr(5)]);
    }
}
