//! The bytes that one connection has received and not yet parsed.

use super::{Chain, Pool, Writer};
use std::io::{self, IoSliceMut, Read};

/// Most blocks one read fills when a large message is under way.
const BLOCKS_PER_READ: usize = 16;

/// The receiving end of a connection.
///
/// Most reads go into one block that all connections of a reactor share: the messages of many
/// connections then lie side by side and merge on their way out. What is left of an unfinished
/// message is *small* or *large*:
///
/// - small (up to a quarter of a block, at most 1 KiB): it is copied in front of the bytes the next
///   read brings, so lines and keys are contiguous however a client cuts them;
/// - large: it stays where it is, and the connection reads on into blocks of its own until the
///   message is complete, so a value trickling in costs at most one partly filled block.
#[derive(Default)]
pub struct Inbound {
    unfinished: Chain,
    tail: Option<Writer>,
}

/// Result of one read.
pub struct Fill {
    /// Everything received and not yet consumed, the unfinished message first.
    pub data: Chain,
    /// Bytes this read brought; 0 at the end of the stream.
    pub bytes: usize,
    /// True if the read filled all its room, so that there may be more.
    pub full: bool,
}

impl Inbound {
    /// Reads once. `shared` is the block all connections of this reactor share, `expected` how many
    /// more bytes the unfinished message is known to need (0 if unknown).
    ///
    /// On an error nothing is lost: what was unfinished stays.
    #[inline]
    pub fn fill(
        &mut self,
        pool: &Pool,
        shared: &mut Option<Writer>,
        expected: usize,
        reader: &mut impl Read,
    ) -> io::Result<Fill> {
        if self.unfinished.len() > small_limit(pool) {
            return self.fill_own(pool, expected, reader);
        }
        let writer = match shared {
            Some(writer) => {
                writer.rewind_if_alone();
                if writer.room() < shared_room(pool) {
                    *writer = pool.writer();
                }
                writer
            }
            None => shared.insert(pool.writer()),
        };
        let spare = writer.spare();
        let kept = self.unfinished.gather(0, spare);
        let room = spare.len() - kept;
        let bytes = reader.read(&mut spare[kept..])?;
        self.unfinished.clear();
        let mut data = Chain::new();
        data.push(writer.commit(kept + bytes));
        Ok(Fill {
            data,
            bytes,
            full: bytes == room,
        })
    }

    /// Reads into blocks of this connection's own.
    fn fill_own(
        &mut self,
        pool: &Pool,
        expected: usize,
        reader: &mut impl Read,
    ) -> io::Result<Fill> {
        let blocks = (expected / pool.block_size() + 1).clamp(1, BLOCKS_PER_READ);
        let mut writers: [Option<Writer>; BLOCKS_PER_READ] = Default::default();
        writers[0] = self.tail.take().filter(|tail| tail.room() > 0);
        for slot in writers.iter_mut().take(blocks) {
            slot.get_or_insert_with(|| pool.writer());
        }
        let mut room = 0;
        let mut parts: [IoSliceMut; BLOCKS_PER_READ] =
            std::array::from_fn(|_| IoSliceMut::new(&mut []));
        for (part, writer) in parts.iter_mut().zip(writers.iter_mut().flatten()) {
            let spare = writer.spare();
            room += spare.len();
            *part = IoSliceMut::new(spare);
        }
        let bytes = match reader.read_vectored(&mut parts[..blocks]) {
            Ok(bytes) => bytes,
            Err(error) => {
                self.tail = writers[0].take();
                return Err(error);
            }
        };
        let mut left = bytes;
        for mut writer in writers.into_iter().flatten() {
            let n = left.min(writer.room());
            self.unfinished.push(writer.commit(n));
            left -= n;
            if writer.room() > 0 {
                self.tail = Some(writer);
                break;
            }
        }
        Ok(Fill {
            data: std::mem::take(&mut self.unfinished),
            bytes,
            full: bytes == room,
        })
    }

    /// Keeps the bytes of an unfinished message.
    #[inline]
    pub fn keep(&mut self, rest: Chain, pool: &Pool) {
        if rest.len() <= small_limit(pool) {
            self.tail = None;
        }
        self.unfinished = rest;
    }

    /// Takes the kept bytes out.
    pub fn take(&mut self) -> Chain {
        self.tail = None;
        std::mem::take(&mut self.unfinished)
    }

    /// Bytes of the unfinished message.
    pub fn len(&self) -> usize {
        self.unfinished.len()
    }

    /// Blocks that the unfinished message keeps in use.
    pub fn blocks(&self) -> usize {
        self.unfinished.blocks()
    }

    /// Returns true if there is no unfinished message.
    pub fn is_empty(&self) -> bool {
        self.unfinished.is_empty()
    }

    /// Drops the received bytes, of a connection that is no longer read.
    pub fn clear(&mut self) {
        self.unfinished.clear();
        self.tail = None;
    }

    /// Copies a small unfinished message to where it pins no block, for connections gone quiet.
    pub fn compact(&mut self, pool: &Pool) {
        self.unfinished.compact(small_limit(pool), pool);
    }
}

/// Most bytes of a small unfinished message.
fn small_limit(pool: &Pool) -> usize {
    (pool.block_size() / 4).min(1024)
}

/// Room the shared block must have for another read into it.
fn shared_room(pool: &Pool) -> usize {
    small_limit(pool) + (pool.block_size() / 4).min(3072)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Gives at most `step` bytes per read.
    struct Drip<'a>(&'a [u8], usize);

    impl Read for Drip<'_> {
        fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
            let n = self.0.len().min(self.1).min(out.len());
            out[..n].copy_from_slice(&self.0[..n]);
            self.0 = &self.0[n..];
            Ok(n)
        }
        fn read_vectored(&mut self, parts: &mut [IoSliceMut<'_>]) -> io::Result<usize> {
            let mut total = 0;
            for part in parts {
                let n = part.len().min(self.1 - total);
                total += self.read(&mut part[..n])?;
            }
            Ok(total)
        }
    }

    proptest! {
        /// However reads are cut and however much is consumed after each, no byte is lost, duplicated
        /// or moved.
        #[test]
        fn every_byte_comes_out_once(
            block in 64usize..2000, step in 1usize..3000, keep in 0usize..5000, total in 0usize..20_000,
        ) {
            let text: Vec<u8> = (0..total).map(|i| (i * 7 + i / 251) as u8).collect();
            let pool = Pool::new(block, 1 << 20);
            let (mut inbound, mut shared) = (Inbound::default(), None);
            let mut source = Drip(&text, step);
            let mut out = Vec::new();
            loop {
                let mut fill = inbound.fill(&pool, &mut shared, keep, &mut source).unwrap();
                let ended = fill.bytes == 0;
                let n = if ended { fill.data.len() } else { fill.data.len().saturating_sub(keep) };
                out.extend(fill.data.split_to(n).to_vec());
                inbound.keep(fill.data, &pool);
                if out.len() % 3 == 0 {
                    inbound.compact(&pool);
                }
                if ended {
                    break;
                }
            }
            prop_assert_eq!(out, text);
        }
    }

    #[test]
    fn a_value_that_trickles_in_pins_one_block_beyond_its_size() {
        let pool = Pool::new(1024, 1 << 20);
        let text = vec![7; 10_000];
        let (mut inbound, mut shared) = (Inbound::default(), None);
        let mut source = Drip(&text, 1);
        for _ in 0..text.len() {
            let fill = inbound.fill(&pool, &mut shared, 0, &mut source).unwrap();
            inbound.keep(fill.data, &pool);
        }
        assert_eq!(inbound.len(), 10_000);
        assert!(
            pool.in_use() <= 10_000 / 1024 + 3,
            "{} blocks",
            pool.in_use()
        );
    }
}
