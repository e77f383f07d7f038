//! Buffers: where bytes live between a read and a write.
//!
//! A [`Pool`] hands out blocks of one size (`mbuf_size`). A [`Writer`] holds a block's unwritten end;
//! what it commits becomes a [`Slice`]: a counted view that is never written again. A [`Chain`] is a
//! queue of slices, and slices that touch merge, so a batch of messages that arrived in one read
//! leaves as one `iovec` however many messages it holds.
//!
//! # What is always true
//!
//! - A block belongs to its pool and lives until the last writer or slice of it is dropped; then it
//!   returns to the pool's free list. Counts are plain integers: nothing here crosses a thread.
//! - A block has at most one writer. Bytes below the writer's position are immutable while a slice
//!   sees them; bytes at and above it are seen by the writer only. A writer that is alone with its
//!   block starts over at its beginning, so a quiet connection keeps reusing warm memory.
//! - Blocks are zeroed when they are made, so no byte is ever uninitialised.
//! - Splitting or cloning a slice costs one increment, joining neighbours one decrement; no byte of a
//!   message is moved. Copies happen in four named places only: [`Pool::copy`] (text made here),
//!   [`Chain::gather`] (a key or header that straddles two blocks), [`Inbound`] (the few bytes of an
//!   unfinished message, so that it neither pins a block nor arrives in crumbs) and [`Pool::stow`] (the
//!   few bytes of a block that have to wait while the rest of the block is finished).
//! - The pool's limit is soft: it is checked before more is read from clients, never in the middle of a
//!   reply. [`Pool::trim`] frees the blocks that the last period did not need.

mod chain;
mod inbound;
mod pool;
mod raw;
mod slice;

pub use chain::Chain;
pub use inbound::{Fill, Inbound};
pub use pool::Pool;
pub use raw::Raw;
pub use slice::{Slice, Writer};
