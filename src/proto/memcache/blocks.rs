//! The values of a reply to `get` and its kin, one by one.
//!
//! A block is a `VALUE` line with its data and both their ends. Nothing is copied: a block is a view
//! of the reply it stands in.

use super::head::{self, Head, MAX_HEAD_LEN};
use crate::mbuf::Chain;

/// The line behind the last block.
pub const END: &[u8] = b"END\r\n";

/// Walks over the blocks of a reply: each with its key.
#[derive(Debug)]
pub struct Blocks {
    rest: Chain,
}

impl Blocks {
    /// For a complete reply.
    pub fn new(reply: &Chain) -> Blocks {
        let mut rest = Chain::new();
        rest.append_shared(reply);
        Blocks { rest }
    }

    /// What `look` makes of the next block's line; `None` if there is no block.
    fn with_head<R>(&self, look: impl FnOnce(&[u8], &Head) -> R) -> Option<R> {
        let first = self.rest.slices().next()?;
        let mut window;
        let mut line: &[u8] = first;
        let mut head = read(line);
        if head.is_none() && first.len() < self.rest.len() {
            window = [0; MAX_HEAD_LEN];
            let n = self.rest.gather(0, &mut window);
            line = window.get(..n)?;
            head = read(line);
        }
        let head = head.filter(|head| head.block() <= self.rest.len())?;
        Some(look(line, &head))
    }

    /// The next block, if its key is this one.
    pub fn take_key(&mut self, key: &[u8]) -> Option<Chain> {
        let len = self.with_head(|line, head| {
            (line.get(head.key.clone()) == Some(key)).then(|| head.block())
        })??;
        Some(self.rest.split_to(len))
    }

    /// The next block, and what its line says.
    pub(in crate::proto) fn next_with_head(&mut self) -> Option<(Head, Chain)> {
        let head = self.with_head(|_, head| head.clone())?;
        let len = head.block();
        Some((head, self.rest.split_to(len)))
    }

    /// What is left: the line that ends the reply, after the last block.
    pub fn into_rest(self) -> Chain {
        self.rest
    }
}

fn read(line: &[u8]) -> Option<Head> {
    line.starts_with(b"VALUE ")
        .then(|| head::value(line).ok())
        .flatten()
}

impl Iterator for Blocks {
    type Item = (Vec<u8>, Chain);

    fn next(&mut self) -> Option<(Vec<u8>, Chain)> {
        let (key, len) = self.with_head(|line, head| {
            let key = line.get(head.key.clone()).unwrap_or_default();
            (key.to_vec(), head.block())
        })?;
        Some((key, self.rest.split_to(len)))
    }
}

/// Why replies cannot be joined.
#[derive(Debug)]
pub enum Unjoined {
    /// One of them is, or ends with, this line instead of `END`: an error.
    Line(Chain),
    /// One of them has values that it was not asked for, or not in this order.
    Nonsense,
}

/// The values of all pieces in the order of the client's keys, with one `END` behind them. Misses
/// are left out, and a key that is asked for twice has a block for each time, as with memcached.
///
/// `piece_of` says for each of `keys` which of `replies` answers it; a piece's keys are asked for in
/// the client's order.
///
/// # Errors
/// One of the replies is no list of such values.
pub fn join(replies: &[Chain], keys: &[&[u8]], piece_of: &[u32]) -> Result<Chain, Unjoined> {
    let mut pieces: Vec<Blocks> = replies.iter().map(Blocks::new).collect();
    let mut joined = Chain::new();
    for (key, piece) in keys.iter().zip(piece_of) {
        let piece = pieces.get_mut(*piece as usize).ok_or(Unjoined::Nonsense)?;
        if let Some(mut block) = piece.take_key(key) {
            joined.append(&mut block);
        }
    }
    let mut end = Chain::new();
    for piece in pieces {
        end = ending(piece)?;
    }
    if end.is_empty() {
        return Err(Unjoined::Nonsense);
    }
    joined.append(&mut end);
    Ok(joined)
}

/// The `END` behind the last block.
fn ending(piece: Blocks) -> Result<Chain, Unjoined> {
    let rest = piece.into_rest();
    let mut start = [0; 6];
    let n = rest.gather(0, &mut start);
    match start.get(..n).unwrap_or_default() {
        b"END\r\n" => Ok(rest),
        b"" | b"VALUE " => Err(Unjoined::Nonsense),
        _ => Err(Unjoined::Line(rest)),
    }
}

/// The block of each key, or none where it missed, so that each key can be judged by itself. `None`
/// if the reply is no list of values of these keys in this order.
pub fn by_key(reply: &Chain, keys: &[&[u8]]) -> Option<Vec<Option<Chain>>> {
    let mut blocks = Blocks::new(reply);
    let found = keys.iter().map(|key| blocks.take_key(key)).collect();
    ending(blocks).ok().map(|_| found)
}
