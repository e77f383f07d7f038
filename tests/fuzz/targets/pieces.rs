//! The same bytes, cut up as a network may.

use dynomite::mbuf::{Chain, Pool};

/// Most pieces of one input; more would only repeat what these showed.
const MOST: usize = 4_000;

/// Cuts the input up; the places follow from the bytes, so a failing input fails again.
pub fn cut(input: &[u8]) -> Vec<&[u8]> {
    let mut state = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    let longest = [1, 3, 16, 1_000][(state >> 40) as usize % 4];
    let mut pieces = Vec::new();
    let mut rest = input;
    while !rest.is_empty() && pieces.len() < MOST {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        let length = 1 + (state >> 33) as usize % longest;
        let (piece, next) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = next;
    }
    if !rest.is_empty() {
        pieces.push(rest);
    }
    pieces
}

/// Puts a piece behind a chain, in buffers that nothing else uses.
pub fn push(pool: &Pool, chain: &mut Chain, piece: &[u8]) {
    for part in piece.chunks(pool.block_size()) {
        let mut writer = pool.writer();
        writer.spare()[..part.len()].copy_from_slice(part);
        chain.push(writer.commit(part.len()));
    }
}
