//! The pool of blocks.

use super::Chain;
use super::slice::{Block, Slice, Writer};
use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::ptr::NonNull;
use std::rc::Rc;

/// Free blocks kept whatever happens, so that a quiet moment does not cost the next burst its warm
/// memory. In blocks; with the default size, 256 KiB.
const KEEP_FREE: usize = 16;
/// Spare slice queues kept for [`Chain`]s.
const KEEP_QUEUES: usize = 64;
/// A slice queue that grew beyond this many entries is freed instead of kept.
const QUEUE_KEPT_CAPACITY: usize = 1024;

/// A handle on the pool; clones share it.
#[derive(Clone)]
pub struct Pool {
    inner: Rc<Inner>,
    /// The block into which the proxy writes text of its own. Beside `inner`, not in it: a
    /// writer keeps its pool alive, and must not be kept alive by it in turn.
    scratch: Rc<RefCell<Option<Writer>>>,
    /// The same for bytes that have to wait, so that they do not keep a mostly finished block in use.
    leftovers: Rc<RefCell<Option<Writer>>>,
}

pub(super) struct Inner {
    capacity: usize,
    limit_blocks: usize,
    free: RefCell<Vec<NonNull<Block>>>,
    /// Fewest free blocks since the last trim: these were not needed.
    idle_blocks: Cell<usize>,
    in_use: Cell<usize>,
    peak: Cell<usize>,
    #[expect(
        clippy::vec_box,
        reason = "chains hold the box; unboxing would allocate again"
    )]
    queues: RefCell<Vec<Box<VecDeque<Slice>>>>,
}

impl Pool {
    /// A pool of blocks of `capacity` bytes each (64 to 2^30), which reports pressure once `limit_bytes`
    /// are in use.
    pub fn new(capacity: usize, limit_bytes: usize) -> Self {
        // Offsets inside a block are 32 bits.
        let capacity = capacity.clamp(64, 1 << 30);
        let inner = Inner {
            capacity,
            limit_blocks: (limit_bytes / capacity).max(16),
            free: RefCell::new(Vec::new()),
            idle_blocks: Cell::new(0),
            in_use: Cell::new(0),
            peak: Cell::new(0),
            queues: RefCell::new(Vec::new()),
        };
        Pool {
            inner: Rc::new(inner),
            scratch: Rc::default(),
            leftovers: Rc::default(),
        }
    }

    /// Bytes one block holds.
    pub fn block_size(&self) -> usize {
        self.inner.capacity
    }

    /// Blocks that hold data or wait for it.
    pub fn in_use(&self) -> usize {
        self.inner.in_use.get()
    }

    /// The most blocks that were ever in use at once.
    pub fn peak(&self) -> usize {
        self.inner.peak.get()
    }

    /// Blocks that may be in use before no more should be read from clients.
    pub fn limit(&self) -> usize {
        self.inner.limit_blocks
    }

    /// Returns true if less than three eighths of the limit are in use.
    #[inline]
    pub fn is_ample(&self) -> bool {
        self.inner.in_use.get() < self.inner.limit_blocks / 8 * 3
    }

    /// Blocks on the free list.
    pub fn free(&self) -> usize {
        self.inner.free.borrow().len()
    }

    /// Returns true if so much is in use that no more should be read from clients.
    pub fn is_strained(&self) -> bool {
        self.inner.in_use.get() >= self.inner.limit_blocks
    }

    /// Returns true if twice the limit is in use.
    pub fn is_overfull(&self) -> bool {
        self.inner.in_use.get() >= self.inner.limit_blocks.saturating_mul(2)
    }

    /// An empty block with its writer.
    pub fn writer(&self) -> Writer {
        let inner = &self.inner;
        let mut free = inner.free.borrow_mut();
        let block = match free.pop() {
            Some(block) => {
                inner
                    .idle_blocks
                    .set(inner.idle_blocks.get().min(free.len()));
                block
            }
            None => Block::allocate(inner.capacity),
        };
        let in_use = inner.in_use.get() + 1;
        inner.in_use.set(in_use);
        inner.peak.set(inner.peak.get().max(in_use));
        Writer::adopt(block, Rc::clone(&self.inner))
    }

    /// Copies text made by the proxy (replies, headers) and hands it out as slices in `out`.
    pub fn copy(&self, bytes: &[u8], out: &mut Chain) {
        self.copy_into(&self.scratch, bytes, out);
    }

    /// Copies bytes that may have to wait to where they lie beside others that do, and hands them out as
    /// slices in `out`.
    pub fn stow(&self, bytes: &[u8], out: &mut Chain) {
        self.copy_into(&self.leftovers, bytes, out);
    }

    fn copy_into(&self, block: &RefCell<Option<Writer>>, mut bytes: &[u8], out: &mut Chain) {
        let mut scratch = block.borrow_mut();
        while !bytes.is_empty() {
            let writer = scratch.get_or_insert_with(|| self.writer());
            writer.rewind_if_alone();
            let spare = writer.spare();
            if spare.is_empty() {
                *scratch = None;
                continue;
            }
            let n = spare.len().min(bytes.len());
            spare[..n].copy_from_slice(&bytes[..n]);
            out.push(writer.commit(n));
            bytes = &bytes[n..];
        }
    }

    /// Gives blocks that were not needed since the last call back to the allocator, but for a small
    /// reserve. Returns how many bytes were given back. To be called about once a second.
    pub fn trim(&self) -> usize {
        self.leftovers
            .borrow_mut()
            .take_if(|writer| writer.is_alone());
        let inner = &self.inner;
        let mut free = inner.free.borrow_mut();
        let surplus = inner
            .idle_blocks
            .get()
            .saturating_sub(KEEP_FREE)
            .min(free.len());
        // The oldest free blocks are at the bottom; the warm ones stay.
        for block in free.drain(..surplus) {
            Block::deallocate(block, inner.capacity);
        }
        if surplus > 0 {
            free.shrink_to(KEEP_FREE);
        }
        inner.idle_blocks.set(free.len());
        surplus * inner.capacity
    }
}

impl Inner {
    /// Takes back a block without references.
    pub(super) fn release(&self, block: NonNull<Block>) {
        self.in_use.set(self.in_use.get() - 1);
        self.free.borrow_mut().push(block);
    }

    #[expect(
        clippy::box_collection,
        reason = "chains hold the box; unboxing would allocate again"
    )]
    pub(super) fn take_queue(&self) -> Box<VecDeque<Slice>> {
        self.queues.borrow_mut().pop().unwrap_or_default()
    }

    #[expect(
        clippy::box_collection,
        reason = "chains hold the box; unboxing would allocate again"
    )]
    pub(super) fn keep_queue(&self, queue: Box<VecDeque<Slice>>) {
        debug_assert!(queue.is_empty());
        let mut queues = self.queues.borrow_mut();
        if queues.len() < KEEP_QUEUES && queue.capacity() <= QUEUE_KEPT_CAPACITY {
            queues.push(queue);
        }
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        for block in self.free.get_mut().drain(..) {
            Block::deallocate(block, self.capacity);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_come_back_and_surplus_is_given_up() {
        let pool = Pool::new(1024, 1 << 20);
        let writers: Vec<_> = (0..200).map(|_| pool.writer()).collect();
        assert_eq!((pool.in_use(), pool.free()), (200, 0));
        drop(writers);
        assert_eq!((pool.in_use(), pool.free(), pool.peak()), (0, 200, 200));
        pool.trim();
        assert_eq!(pool.free(), 200, "needed within the period: kept");
        assert_eq!(pool.trim(), (200 - KEEP_FREE) * 1024);
        assert_eq!(pool.free(), KEEP_FREE);
    }

    #[test]
    fn pressure_rises_at_the_limit() {
        let pool = Pool::new(1024, 100 * 1024);
        let mut writers: Vec<_> = (0..99).map(|_| pool.writer()).collect();
        assert!(!pool.is_strained() && !pool.is_ample());
        writers.push(pool.writer());
        assert!(pool.is_strained() && !pool.is_overfull());
        writers.extend((0..100).map(|_| pool.writer()));
        assert!(pool.is_overfull());
        writers.truncate(30);
        assert!(!pool.is_strained() && pool.is_ample());
    }

    #[test]
    fn copied_text_longer_than_a_block_spans_blocks() {
        let pool = Pool::new(64, 1 << 20);
        let text: Vec<u8> = (0..1000).map(|i| i as u8).collect();
        let mut out = Chain::new();
        pool.copy(&text, &mut out);
        assert_eq!(out.to_vec(), text);
    }
}
