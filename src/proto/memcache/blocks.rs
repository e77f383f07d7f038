//! The values of a reply to `get` and its kin, one by one.
//!
//! A block is a `VALUE` line with its data and both their ends. Nothing is copied: a block is a view
//! of its reply.

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

    /// Applies `look` to the next block's line; `None` if there is no block.
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

    /// The next block and its head.
    pub(in crate::proto) fn next_with_head(&mut self) -> Option<(Head, Chain)> {
        let head = self.with_head(|_, head| head.clone())?;
        let len = head.block();
        Some((head, self.rest.split_to(len)))
    }

    /// The rest of the reply: after the last block, the line that ends it.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mbuf::Pool;
    use proptest::prelude::*;
    use std::collections::HashMap;

    /// The bytes as a chain of slices of at most `cut` bytes, none of which touch.
    fn chain(pool: &Pool, bytes: &[u8], cut: usize) -> Chain {
        let mut chain = Chain::new();
        for piece in bytes.chunks(cut) {
            let mut writer = pool.writer();
            writer.spare()[..piece.len()].copy_from_slice(piece);
            chain.push(writer.commit(piece.len()));
        }
        chain
    }

    fn one(text: &str) -> Chain {
        chain(&Pool::new(512, 1 << 20), text.as_bytes(), 512)
    }

    fn shown(joined: Result<Chain, Unjoined>) -> String {
        match joined {
            Ok(chain) => String::from_utf8(chain.to_vec()).unwrap(),
            Err(Unjoined::Line(line)) => {
                format!("line {}", String::from_utf8(line.to_vec()).unwrap())
            }
            Err(Unjoined::Nonsense) => "nonsense".to_owned(),
        }
    }

    #[test]
    fn values_are_joined_in_the_clients_order() {
        let replies = [
            one("VALUE a 0 1\r\n1\r\nVALUE c 5 3 77\r\nEND\r\nEND\r\n"),
            one("VALUE b 0 1\r\n2\r\nVALUE b 0 1\r\n2\r\nEND\r\n"),
        ];
        let keys = [&b"a"[..], b"b", b"c", b"miss", b"b"];
        assert_eq!(
            shown(join(&replies, &keys, &[0, 1, 0, 1, 1])),
            "VALUE a 0 1\r\n1\r\nVALUE b 0 1\r\n2\r\nVALUE c 5 3 77\r\nEND\r\nVALUE b 0 1\r\n2\r\nEND\r\n"
        );
        assert_eq!(shown(join(&[one("END\r\n")], &keys, &[0; 5])), "END\r\n");
    }

    #[test]
    fn an_error_of_one_piece_is_found() {
        let end = one("END\r\n");
        let copy = |chain: &Chain| {
            let mut copy = Chain::new();
            copy.append_shared(chain);
            copy
        };
        for (other, expected) in [
            ("SERVER_ERROR x\r\n", "line SERVER_ERROR x\r\n"),
            (
                "VALUE b 0 1\r\n2\r\nSERVER_ERROR x\r\n",
                "line SERVER_ERROR x\r\n",
            ),
            ("NOT_FOUND\r\n", "line NOT_FOUND\r\n"),
            ("VALUE other 0 1\r\n2\r\nEND\r\n", "nonsense"),
            ("VALUE b 0 10\r\n2\r\nEND\r\n", "nonsense"),
            ("", "nonsense"),
        ] {
            let replies = [copy(&end), one(other)];
            let joined = join(&replies, &[b"a", b"b"], &[0, 1]);
            assert_eq!(shown(joined), expected, "{other}");
        }
        assert_eq!(shown(join(&[], &[], &[])), "nonsense");
        assert_eq!(shown(join(&[end], &[b"a"], &[1])), "nonsense");
    }

    #[test]
    fn each_key_can_be_judged_by_itself() {
        let reply = one("VALUE b 0 1\r\n2\r\nVALUE a 0 1\r\n1\r\nEND\r\n");
        let found = by_key(&reply, &[b"a", b"b", b"c", b"a"]).unwrap();
        let found: Vec<_> = found
            .iter()
            .map(|block| block.as_ref().map(|block| block.to_vec()))
            .collect();
        let [a, b] = ["VALUE a 0 1\r\n1\r\n", "VALUE b 0 1\r\n2\r\n"];
        let expected = [None, Some(b), None, Some(a)];
        assert_eq!(
            found,
            expected.map(|block| block.map(|block| block.as_bytes().to_vec()))
        );
        for reply in ["SERVER_ERROR x\r\n", "VALUE z 0 1\r\n2\r\nEND\r\n"] {
            assert!(by_key(&one(reply), &[b"a"]).is_none(), "{reply}");
        }
    }

    proptest! {
        /// A memcached per piece, told in the simplest words.
        #[test]
        fn joins_like_one_memcached(
            items in proptest::collection::hash_map("[a-f]{1,2}", proptest::collection::vec(any::<u8>(), 0..80), 0..20),
            keys in proptest::collection::vec("[a-f]{1,2}", 1..30),
            pieces in 1usize..5,
            cut in 1usize..120,
        ) {
            let get = |keys: &[&String]| {
                let mut reply = Vec::new();
                for key in keys {
                    if let Some(data) = items.get(*key) {
                        reply.extend_from_slice(format!("VALUE {key} 0 {}\r\n", data.len()).as_bytes());
                        reply.extend_from_slice(data);
                        reply.extend_from_slice(b"\r\n");
                    }
                }
                reply.extend_from_slice(END);
                reply
            };
            let pool = Pool::new(128, 1 << 20);
            let owner = |key: &String| usize::from(key.as_bytes()[0]) % pieces;
            let replies: Vec<Chain> = (0..pieces)
                .map(|piece| {
                    let its: Vec<&String> = keys.iter().filter(|key| owner(key) == piece).collect();
                    chain(&pool, &get(&its), cut)
                })
                .collect();
            let piece_of: Vec<u32> = keys.iter().map(|key| owner(key) as u32).collect();
            let names: Vec<&[u8]> = keys.iter().map(|key| key.as_bytes()).collect();
            let expected = get(&keys.iter().collect::<Vec<_>>());
            prop_assert_eq!(join(&replies, &names, &piece_of).unwrap().to_vec(), expected.clone());

            let whole = chain(&pool, &expected, cut);
            let by_key = by_key(&whole, &names).unwrap();
            for (key, block) in keys.iter().zip(&by_key) {
                prop_assert_eq!(block.is_some(), items.contains_key(key));
            }
            let mut counts: HashMap<Vec<u8>, usize> = HashMap::new();
            for (key, block) in Blocks::new(&whole) {
                *counts.entry(key.clone()).or_default() += 1;
                let data = &items[std::str::from_utf8(&key).unwrap()];
                prop_assert!(block.to_vec().ends_with(&[data.as_slice(), b"\r\n"].concat()));
            }
            for (key, count) in counts {
                let times = names.iter().filter(|name| **name == key).count();
                prop_assert_eq!(count, times);
            }
        }
    }
}
