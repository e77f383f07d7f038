//! A queue of slices.

use super::{Pool, Slice};
use std::collections::VecDeque;
use std::io::IoSlice;

/// Slices that a chain may have in any case before it counts as scattered.
const MANY_SLICES: usize = 256;

/// Bytes in order, as slices; neighbours in one block merge.
///
/// An empty chain owns no memory: the queue behind the first slice is borrowed from the pool's
/// spares and returned when the chain has been emptied, so ten thousand idle connections cost
/// nothing here and a busy one allocates nothing.
#[derive(Default)]
pub struct Chain {
    first: Option<Slice>,
    #[expect(
        clippy::box_collection,
        reason = "8 bytes in a chain that has one slice, instead of 32"
    )]
    rest: Option<Box<VecDeque<Slice>>>,
    len: usize,
}

impl Chain {
    /// An empty chain.
    pub const fn new() -> Self {
        Chain {
            first: None,
            rest: None,
            len: 0,
        }
    }

    /// Bytes in the chain.
    #[inline]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Returns true if there is no byte in the chain.
    #[inline]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// The last slice.
    #[inline]
    fn last_mut(&mut self) -> Option<&mut Slice> {
        match &mut self.rest {
            Some(rest) if !rest.is_empty() => rest.back_mut(),
            _ => self.first.as_mut(),
        }
    }

    /// Appends a slice.
    #[inline]
    pub fn push(&mut self, slice: Slice) {
        if slice.is_empty() {
            return;
        }
        self.len += slice.len();
        match self.last_mut() {
            Some(last) if last.touches(&slice) => last.extend(slice.len()),
            _ => self.push_apart(slice),
        }
    }

    /// Appends bytes `from..to` of `parent`, both cut to its length; where they continue the last slice
    /// this touches no count.
    #[inline]
    pub fn push_range(&mut self, parent: &Slice, from: usize, to: usize) {
        // Not only asserted: the last slice must never grow over bytes that `parent` does not see.
        let to = to.min(parent.len());
        let from = from.min(to);
        if let Some(last) = self.last_mut()
            && last.continues_in(parent, from)
        {
            last.extend(to - from);
            self.len += to - from;
        } else {
            self.push(parent.sub(from, to));
        }
    }

    #[inline]
    fn push_apart(&mut self, slice: Slice) {
        if self.first.is_none() {
            self.first = Some(slice);
        } else {
            self.push_behind(slice);
        }
    }

    /// Appends a slice behind the first.
    #[inline(never)]
    fn push_behind(&mut self, slice: Slice) {
        let rest = self
            .rest
            .get_or_insert_with(|| slice.with_pool(|pool| pool.take_queue()));
        rest.push_back(slice);
    }

    /// Moves everything in `other` to the end of this chain.
    #[inline]
    pub fn append(&mut self, other: &mut Chain) {
        if self.is_empty() {
            std::mem::swap(self, other);
        } else if !other.is_empty() {
            self.append_behind(other);
        }
    }

    #[inline(never)]
    fn append_behind(&mut self, other: &mut Chain) {
        while let Some(slice) = other.pop() {
            self.push(slice);
        }
    }

    /// Appends views of everything in `other`, which keeps its own.
    pub fn append_shared(&mut self, other: &Chain) {
        for slice in other.slices() {
            self.push_range(slice, 0, slice.len());
        }
    }

    /// Takes the first slice.
    #[inline]
    pub fn pop(&mut self) -> Option<Slice> {
        let slice = self.first.take()?;
        self.len -= slice.len();
        if self.rest.is_some() {
            self.settle(&slice);
        }
        Some(slice)
    }

    /// Refills `first`, and returns the queue when it is empty. `gone` is a slice of the same pool.
    #[inline(never)]
    fn settle(&mut self, gone: &Slice) {
        if let Some(rest) = &mut self.rest {
            self.first = rest.pop_front();
            if rest.is_empty()
                && let Some(rest) = self.rest.take()
            {
                gone.with_pool(|pool| pool.keep_queue(rest));
            }
        }
    }

    /// Drops the first `n` bytes, or all there are.
    #[inline]
    pub fn advance(&mut self, mut n: usize) {
        while n > 0 {
            let Some(first) = &mut self.first else { return };
            if n < first.len() {
                first.advance(n);
                self.len -= n;
                return;
            }
            n -= first.len();
            self.pop();
        }
    }

    /// Takes the first `n` bytes (or all there are) as a chain of their own.
    pub fn split_to(&mut self, mut n: usize) -> Chain {
        let mut head = Chain::new();
        while n > 0 {
            let Some(first) = &mut self.first else { break };
            if n < first.len() {
                head.push(first.sub(0, n));
                first.advance(n);
                self.len -= n;
                break;
            }
            n -= first.len();
            if let Some(slice) = self.pop() {
                head.push(slice);
            }
        }
        head
    }

    /// Drops everything.
    #[inline]
    pub fn clear(&mut self) {
        while self.pop().is_some() {}
    }

    /// The slices, first to last.
    pub fn slices(&self) -> impl Iterator<Item = &Slice> + Clone {
        self.first
            .iter()
            .chain(self.rest.iter().flat_map(|rest| rest.iter()))
    }

    /// The only slice, if there is exactly one.
    #[inline]
    pub fn as_contiguous(&self) -> Option<&Slice> {
        match &self.rest {
            Some(rest) if !rest.is_empty() => None,
            _ => self.first.as_ref(),
        }
    }

    /// Fills `out` with the first slices, for a gathering write. Returns how many were filled.
    pub fn io_slices<'a>(&'a self, out: &mut [IoSlice<'a>]) -> usize {
        let mut n = 0;
        for (slot, slice) in out.iter_mut().zip(self.slices()) {
            *slot = IoSlice::new(slice);
            n += 1;
        }
        n
    }

    /// Copies bytes from offset `from` on into `out`, as many as there are and fit. Returns how many.
    #[inline]
    pub fn gather(&self, from: usize, out: &mut [u8]) -> usize {
        match self.is_empty() {
            true => 0,
            false => self.gather_slices(from, out),
        }
    }

    fn gather_slices(&self, mut from: usize, out: &mut [u8]) -> usize {
        let mut filled = 0;
        for slice in self.slices() {
            if from >= slice.len() {
                from -= slice.len();
                continue;
            }
            let n = (slice.len() - from).min(out.len() - filled);
            out[filled..filled + n].copy_from_slice(&slice[from..from + n]);
            filled += n;
            from = 0;
            if filled == out.len() {
                break;
            }
        }
        filled
    }

    /// All bytes, copied.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut out = vec![0; self.len];
        self.gather(0, &mut out);
        out
    }

    /// The first byte.
    pub fn first_byte(&self) -> Option<u8> {
        self.first.as_ref().and_then(|slice| slice.first().copied())
    }

    /// Copies the bytes to where they pin no block of their own, if there are at most `limit` of them.
    pub fn compact(&mut self, limit: usize, pool: &Pool) {
        if self.len == 0 || self.len > limit {
            return;
        }
        let mut dense = Chain::new();
        for slice in self.slices() {
            pool.stow(slice, &mut dense);
        }
        *self = dense;
    }

    /// Blocks that the bytes keep in use, those of neighbouring slices counted once.
    pub fn blocks(&self) -> usize {
        let others = self.slices().zip(self.slices().skip(1));
        let changes = others.filter(|(slice, next)| !slice.shares_block(next));
        usize::from(!self.is_empty()) + changes.count()
    }

    /// Returns true if the bytes are spread over so many blocks, and each is so little of its block, that they
    /// should be [packed](Chain::pack).
    #[inline]
    pub fn is_scattered(&self, pool: &Pool) -> bool {
        let slices = self.slice_count();
        slices > MANY_SLICES && (slices - MANY_SLICES) * pool.block_size() > 4 * self.len
    }

    /// Copies slices that are little of their blocks to where they lie side by side, so that they keep no
    /// block of their own in use. The others stay where they are.
    pub fn pack(&mut self, pool: &Pool) {
        let small = pool.block_size() / 4;
        if self.slices().all(|slice| slice.len() >= small) {
            return;
        }
        let mut packed = Chain::new();
        while let Some(slice) = self.pop() {
            match slice.len() < small {
                true => pool.stow(&slice, &mut packed),
                false => packed.push(slice),
            }
        }
        *self = packed;
    }

    /// How many slices the bytes are spread over.
    pub fn slice_count(&self) -> usize {
        usize::from(self.first.is_some()) + self.rest.as_ref().map_or(0, |rest| rest.len())
    }
}

impl Drop for Chain {
    #[inline]
    fn drop(&mut self) {
        if self.rest.is_some() {
            self.clear();
        }
    }
}

impl std::fmt::Debug for Chain {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Chain({} bytes in {} slices)",
            self.len,
            self.slice_count()
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn neighbours_merge_and_strangers_do_not() {
        let pool = Pool::new(1024, 1 << 20);
        let mut writer = pool.writer();
        writer.spare()[..9].copy_from_slice(b"aaabbbccc");
        let whole = writer.commit(9);
        let mut chain = Chain::new();
        chain.push(whole.sub(0, 3));
        chain.push_range(&whole, 3, 6);
        assert_eq!((chain.slice_count(), chain.len()), (1, 6));
        chain.push(whole.sub(0, 3));
        assert_eq!((chain.slice_count(), chain.len()), (2, 9));
        assert_eq!(chain.to_vec(), b"aaabbbaaa");
    }

    #[test]
    fn small_slices_are_packed_and_large_ones_stay() {
        let pool = Pool::new(1024, 1 << 20);
        let mut chain = Chain::new();
        let mut expected = Vec::new();
        for n in 0..600_usize {
            let mut writer = pool.writer();
            let len = if n == 300 { 900 } else { 10 };
            writer.spare()[..len].fill(n as u8);
            chain.push(writer.commit(len));
            expected.extend(std::iter::repeat_n(n as u8, len));
        }
        assert_eq!((chain.blocks(), pool.in_use()), (600, 600));
        assert!(chain.is_scattered(&pool));
        chain.pack(&pool);
        assert_eq!(chain.to_vec(), expected);
        assert!(!chain.is_scattered(&pool));
        assert!(
            chain.blocks() <= 10 && pool.in_use() <= 10,
            "{}",
            pool.in_use()
        );
    }

    #[test]
    fn a_range_beyond_its_parent_is_cut() {
        let pool = Pool::new(64, 1 << 20);
        let mut writer = pool.writer();
        writer.spare()[..6].copy_from_slice(b"abcdef");
        let whole = writer.commit(6);
        let part = whole.sub(0, 4);
        let mut chain = Chain::new();
        chain.push_range(&part, 0, 2);
        chain.push_range(&part, 2, 1000);
        assert_eq!(chain.to_vec(), b"abcd");
        chain.push_range(&part, 9, 1);
        chain.push_range(&part, 3, 2);
        assert_eq!((chain.len(), chain.to_vec()), (4, b"abcd".to_vec()));
    }

    proptest! {
        /// After any operations a chain holds the same bytes as a plain vector.
        #[test]
        fn behaves_like_a_vector(ops in proptest::collection::vec((0u8..5, 0usize..300), 1..60)) {
            let pool = Pool::new(128, 1 << 20);
            let mut chain = Chain::new();
            let mut model: Vec<u8> = Vec::new();
            let mut next = 0u8;
            for (op, n) in ops {
                match op {
                    0 | 1 => {
                        let text: Vec<u8> = (0..n).map(|_| { next = next.wrapping_add(1); next }).collect();
                        pool.copy(&text, &mut chain);
                        model.extend_from_slice(&text);
                    }
                    2 => {
                        chain.advance(n);
                        model.drain(..n.min(model.len()));
                    }
                    3 => {
                        let mut head = chain.split_to(n);
                        let expected: Vec<u8> = model.drain(..n.min(model.len())).collect();
                        prop_assert_eq!(head.to_vec(), expected.clone());
                        head.append(&mut chain);
                        chain = head;
                        model = [expected, model].concat();
                    }
                    _ => {
                        let mut copy = Chain::new();
                        copy.append_shared(&chain);
                        prop_assert_eq!(copy.to_vec(), model.clone());
                    }
                }
                prop_assert_eq!(chain.len(), model.len());
                prop_assert_eq!(chain.to_vec(), model.clone());
            }
            drop(chain);
            prop_assert!(pool.in_use() <= 1, "only the scratch block may remain");
        }
    }
}
