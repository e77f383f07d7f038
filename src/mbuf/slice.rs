//! A block, its writer, and counted views of what was written.

use super::pool::Inner;
use std::alloc::{Layout, alloc_zeroed, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ops::Deref;
use std::ptr::{self, NonNull};
use std::rc::Rc;

/// The head of a block; `capacity` data bytes follow it in the same allocation.
#[repr(C, align(16))]
pub(super) struct Block {
    /// Writers and slices that refer to this block. Zero only on the pool's free list.
    refs: Cell<u32>,
    capacity: u32,
    /// The pool, as a raw counted `Rc`; null only on the free list.
    pool: Cell<*const Inner>,
}

impl Block {
    fn layout(capacity: usize) -> Layout {
        let head = Layout::new::<Block>();
        let Ok(layout) = Layout::from_size_align(head.size() + capacity, head.align()) else {
            // `Pool::new` allows at most 2^30.
            unreachable!("block of {capacity} bytes")
        };
        layout
    }

    pub(super) fn allocate(capacity: usize) -> NonNull<Block> {
        let layout = Self::layout(capacity);
        // SAFETY: the layout is not of size zero: it includes the head.
        let raw = unsafe { alloc_zeroed(layout) }.cast::<Block>();
        let Some(block) = NonNull::new(raw) else {
            handle_alloc_error(layout)
        };
        let head = Block {
            refs: Cell::new(0),
            capacity: capacity as u32,
            pool: Cell::new(ptr::null()),
        };
        // SAFETY: freshly allocated, large enough and aligned for a `Block`, not shared yet.
        unsafe { block.write(head) };
        block
    }

    /// Frees a block that is on no list and has no references.
    pub(super) fn deallocate(block: NonNull<Block>, capacity: usize) {
        // SAFETY: it came from `allocate` with the same capacity (one pool, one capacity), and the
        // caller took it off the free list, so no writer or slice refers to it.
        unsafe { dealloc(block.as_ptr().cast(), Self::layout(capacity)) };
    }

    /// The first data byte.
    fn data(block: NonNull<Block>) -> *mut u8 {
        // SAFETY: the data begins right behind the head, inside the same allocation.
        unsafe { block.as_ptr().add(1).cast() }
    }
}

/// Adds a reference.
#[inline]
fn retain(block: NonNull<Block>) {
    // SAFETY: callers hold a reference, so the block is alive; `Cell` is fine on one thread, and
    // `NonNull` makes writers and slices neither `Send` nor `Sync`.
    let refs = unsafe { &block.as_ref().refs };
    // A wrap would need 2^32 live slices of one block: 64 GiB of slices.
    refs.set(refs.get() + 1);
}

/// Drops a reference, and gives the block back when it was the last.
#[inline]
fn release(block: NonNull<Block>) {
    // SAFETY: as in `retain`; the caller's own reference keeps the block alive until here.
    let head = unsafe { block.as_ref() };
    let left = head.refs.get() - 1;
    head.refs.set(left);
    if left == 0 {
        let pool = head.pool.replace(ptr::null());
        // SAFETY: `adopt` stored the pointer of a counted `Rc` here, given up exactly once: the count
        // is zero now and only `adopt` makes it rise again.
        let pool = unsafe { Rc::from_raw(pool) };
        pool.release(block);
    }
}

/// The unwritten end of a block.
pub struct Writer {
    block: NonNull<Block>,
    position: u32,
}

impl Writer {
    /// Takes a block off the free list into use.
    pub(super) fn adopt(block: NonNull<Block>, pool: Rc<Inner>) -> Self {
        // SAFETY: the pool owns free blocks alone.
        let head = unsafe { block.as_ref() };
        debug_assert_eq!(head.refs.get(), 0);
        head.refs.set(1);
        head.pool.set(Rc::into_raw(pool));
        Writer { block, position: 0 }
    }

    /// Starts over at the beginning of the block if no slice of it is left.
    #[inline]
    pub fn rewind_if_alone(&mut self) {
        if self.is_alone() {
            self.position = 0;
        }
    }

    /// Returns true if no slice of the block is left.
    #[inline]
    pub(super) fn is_alone(&self) -> bool {
        // SAFETY: this writer's own reference keeps the block alive.
        unsafe { self.block.as_ref() }.refs.get() == 1
    }

    /// Bytes that can still be written.
    #[inline]
    pub fn room(&self) -> usize {
        // SAFETY: as above.
        (unsafe { self.block.as_ref() }.capacity - self.position) as usize
    }

    /// The bytes that can still be written.
    #[inline]
    pub fn spare(&mut self) -> &mut [u8] {
        let room = self.room();
        // SAFETY: inside the allocation, initialised (zeroed at birth), and beyond every slice:
        // slices end at or before `position`, and there is one writer per block.
        unsafe {
            std::slice::from_raw_parts_mut(
                Block::data(self.block).add(self.position as usize),
                room,
            )
        }
    }

    /// Turns the next `n` spare bytes into a slice. `n` beyond the room is cut to it.
    #[inline]
    pub fn commit(&mut self, n: usize) -> Slice {
        let n = n.min(self.room()) as u32;
        retain(self.block);
        let slice = Slice {
            block: self.block,
            offset: self.position,
            len: n,
        };
        self.position += n;
        slice
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        release(self.block);
    }
}

/// A counted view of written bytes.
pub struct Slice {
    block: NonNull<Block>,
    offset: u32,
    len: u32,
}

impl Slice {
    /// Returns true if `next` begins where `self` ends, in the same block.
    #[inline]
    pub fn touches(&self, next: &Slice) -> bool {
        self.block == next.block && self.offset + self.len == next.offset
    }

    /// Returns true if both are views of one block.
    #[inline]
    pub(super) fn shares_block(&self, other: &Slice) -> bool {
        self.block == other.block
    }

    /// Returns true if byte `from` of `parent` is the byte after this slice's last.
    #[inline]
    pub(super) fn continues_in(&self, parent: &Slice, from: usize) -> bool {
        self.block == parent.block
            && (self.offset + self.len) as usize == parent.offset as usize + from
    }

    /// Grows over the next `n` bytes, which another slice of the block must cover at this moment.
    #[inline]
    pub(super) fn extend(&mut self, n: usize) {
        self.len += n as u32;
    }

    /// A view of bytes `from..to` of this one; both are cut to its length.
    #[inline]
    pub fn sub(&self, from: usize, to: usize) -> Slice {
        let to = to.min(self.len as usize);
        let from = from.min(to);
        retain(self.block);
        Slice {
            block: self.block,
            offset: self.offset + from as u32,
            len: (to - from) as u32,
        }
    }

    /// Drops the first `n` bytes.
    #[inline]
    pub fn advance(&mut self, n: usize) {
        let n = (n as u32).min(self.len);
        self.offset += n;
        self.len -= n;
    }

    /// Drops everything from byte `n` on.
    #[inline]
    pub fn truncate(&mut self, n: usize) {
        self.len = self.len.min(n as u32);
    }

    /// Runs `f` on the pool of this slice's block.
    pub(super) fn with_pool<T>(&self, f: impl FnOnce(&Inner) -> T) -> T {
        // SAFETY: while a reference exists, `pool` is the pointer of a counted `Rc`.
        f(unsafe { &*self.block.as_ref().pool.get() })
    }
}

impl Deref for Slice {
    type Target = [u8];

    #[inline]
    fn deref(&self) -> &[u8] {
        // SAFETY: inside the allocation, written (or zeroed) before this slice was made, and never
        // written again while it lives: a writer only writes beyond every slice.
        unsafe {
            std::slice::from_raw_parts(
                Block::data(self.block).add(self.offset as usize),
                self.len as usize,
            )
        }
    }
}

impl Clone for Slice {
    fn clone(&self) -> Self {
        self.sub(0, self.len as usize)
    }
}

impl Drop for Slice {
    #[inline]
    fn drop(&mut self) {
        release(self.block);
    }
}

impl std::fmt::Debug for Slice {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Slice({} bytes)", self.len)
    }
}

#[cfg(test)]
mod tests {
    use crate::mbuf::Pool;

    #[test]
    fn a_writer_alone_with_its_block_starts_over() {
        let pool = Pool::new(1024, 1 << 20);
        let mut writer = pool.writer();
        writer.spare()[..3].copy_from_slice(b"abc");
        let slice = writer.commit(3);
        writer.rewind_if_alone();
        assert_eq!(writer.room(), 1021, "a slice is left: no rewind");
        assert_eq!(&slice[..], b"abc");
        drop(slice);
        writer.rewind_if_alone();
        assert_eq!(writer.room(), 1024);
    }

    #[test]
    fn slices_outlive_writer_and_pool_handle() {
        let pool = Pool::new(1024, 1 << 20);
        let mut writer = pool.writer();
        writer.spare()[..6].copy_from_slice(b"abcdef");
        let whole = writer.commit(6);
        let part = whole.sub(2, 4);
        drop((pool, writer, whole));
        assert_eq!(&part[..], b"cd");
    }
}
