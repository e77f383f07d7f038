//! Replies of a memcached.

use dynomite::mbuf::{Chain, Pool};
use dynomite::proto::memcache::blocks::{Blocks, by_key, join};
use dynomite::proto::memcache::reply::{Parser, is_error};
use dynomite::proto::memcache::unique::mark;
use dynomite::proto::memcache::varying::counted;

use super::{pieces, replies};

/// Words of memcached's replies.
pub const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"VALUE ",
    b"VALUE k 0 5\r\nabcde\r\n",
    b"VALUE k 0 1 77\r\nx\r\n",
    b"END\r\n",
    b"STAT ",
    b"VA 2 ",
    b"HD ",
    b"EN\r\n",
    b"STORED\r\n",
    b"NOT_FOUND\r\n",
    b"SERVER_ERROR ",
    b"CLIENT_ERROR ",
    b"ERROR\r\n",
    b" c5",
    b" t-1",
    b" l5",
    b" 0",
    b"18446744073709551615",
    b"4294967296",
    b"1073741825",
    b"VERSION 1.6.18\r\n",
];

/// A row of replies: found alike however they arrive, and then taken apart.
pub fn all(input: &[u8]) {
    let mut at = 0;
    for length in replies::lengths::<Parser>(input) {
        let reply = &input[at..at + length];
        is_error(reply);
        take_apart(reply);
        at += length;
    }
    // Not a reply, perhaps; it has to survive that.
    take_apart(input);
}

fn take_apart(reply: &[u8]) {
    let pool = Pool::new(64, usize::MAX);
    let mut chain = Chain::new();
    for piece in pieces::cut(reply) {
        pieces::push(&pool, &mut chain, piece);
    }
    let pieces = |chain: &Chain| {
        let slices: Vec<&[u8]> = chain.slices().map(|slice| &slice[..]).collect();
        counted(slices.into_iter())
            .map(<[u8]>::to_vec)
            .collect::<Vec<_>>()
            .concat()
    };
    let counts: Vec<u8> = counted(std::iter::once(reply)).collect::<Vec<_>>().concat();
    assert_eq!(pieces(&chain), counts, "cut up, something else counts");
    let marked = mark(&chain, 7, &pool);
    assert_eq!(pieces(&marked), counts, "a mark counts");
    assert_eq!(mark(&chain, 0, &pool).to_vec(), reply);

    let blocks: Vec<(Vec<u8>, Chain)> = Blocks::new(&chain).collect();
    let keys: Vec<&[u8]> = blocks.iter().map(|(key, _)| key.as_slice()).collect();
    let piece_of = vec![0; keys.len()];
    if let Ok(joined) = join(std::slice::from_ref(&chain), &keys, &piece_of) {
        assert_eq!(joined.to_vec(), reply, "one reply is joined to itself");
        assert!(by_key(&chain, &keys).is_some_and(|found| found.iter().all(Option::is_some)));
    }
}
