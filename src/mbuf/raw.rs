//! The bytes of one message, passed on without a copy.

use super::{Chain, Slice};

/// The bytes of one message, wherever they are.
#[derive(Clone, Copy, Debug)]
pub enum Raw<'a> {
    /// In one piece: a slice, from and to.
    Whole(&'a Slice, usize, usize),
    /// In several.
    Spread(&'a Chain),
}

impl<'a> From<&'a Chain> for Raw<'a> {
    fn from(chain: &'a Chain) -> Raw<'a> {
        match chain.as_contiguous() {
            Some(slice) => Raw::Whole(slice, 0, slice.len()),
            None => Raw::Spread(chain),
        }
    }
}

impl Raw<'_> {
    /// No bytes.
    pub const EMPTY: Raw<'static> = Raw::Spread(const { &Chain::new() });

    /// How many bytes there are.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Raw::Whole(_, from, to) => to - from,
            Raw::Spread(chain) => chain.len(),
        }
    }

    /// Returns true if there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Runs `f` on the first `n` bytes in one piece; copies them if they are in several.
    pub fn with_first<T>(&self, n: usize, f: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Raw::Whole(slice, from, _) => f(slice.get(*from..from + n).unwrap_or(&[])),
            Raw::Spread(chain) => {
                let mut first = vec![0; n.min(chain.len())];
                chain.gather(0, &mut first);
                f(&first)
            }
        }
    }

    /// Runs `f` on each piece of the bytes behind the first `n`.
    pub fn with_from(&self, mut n: usize, mut f: impl FnMut(&[u8])) {
        for piece in self.pieces() {
            f(piece.get(n..).unwrap_or_default());
            n = n.saturating_sub(piece.len());
        }
    }

    /// Appends all bytes but the first `n` to `out`, copying nothing.
    pub fn append_from(&self, n: usize, out: &mut Chain) {
        match self {
            Raw::Whole(slice, from, to) => out.push_range(slice, from + n, *to),
            Raw::Spread(chain) => {
                let mut rest = Chain::new();
                rest.append_shared(chain);
                rest.advance(n);
                out.append(&mut rest);
            }
        }
    }

    /// The first byte.
    #[inline]
    pub fn first_byte(&self) -> Option<u8> {
        match self {
            Raw::Whole(slice, from, _) => slice.get(*from).copied(),
            Raw::Spread(chain) => chain.first_byte(),
        }
    }

    /// The first bytes, as many as there are and as fit into `room`.
    pub fn start<'r>(&'r self, room: &'r mut [u8]) -> &'r [u8] {
        match self {
            Raw::Whole(slice, from, to) => {
                let to = (*to).min(from + room.len());
                slice.get(*from..to).unwrap_or(&[])
            }
            Raw::Spread(chain) => {
                let n = chain.gather(0, room);
                room.get(..n).unwrap_or(&[])
            }
        }
    }

    /// Appends the bytes to `out`, copying nothing.
    #[inline]
    pub fn append_to(&self, out: &mut Chain) {
        match self {
            Raw::Whole(slice, from, to) => out.push_range(slice, *from, *to),
            Raw::Spread(chain) => out.append_shared(chain),
        }
    }

    /// Runs `f` on the bytes in one piece; copies them if they are in several.
    pub fn with_bytes<T>(&self, f: impl FnOnce(&[u8]) -> T) -> T {
        match self {
            Raw::Whole(slice, from, to) => f(slice.get(*from..*to).unwrap_or(&[])),
            Raw::Spread(chain) => f(&chain.to_vec()),
        }
    }

    /// The pieces, first to last.
    pub fn pieces(&self) -> impl Iterator<Item = &[u8]> + Clone {
        let (whole, spread) = match self {
            Raw::Whole(slice, from, to) => (slice.get(*from..*to), None),
            Raw::Spread(chain) => (None, Some(chain)),
        };
        whole.into_iter().chain(
            spread
                .into_iter()
                .flat_map(|chain| chain.slices().map(|slice| &slice[..])),
        )
    }
}
