//! MurmurHash2, 32 bits (Austin Appleby, public domain), with the original's seed.

const M: u32 = 0x5bd1_e995;

/// MurmurHash2 of `key`, little-endian words, seeded with 0xdeadbeef times the length (modulo 2^32).
#[inline]
pub fn murmur2(key: &[u8]) -> u32 {
    let len = key.len() as u32;
    let mut h = 0xdead_beef_u32.wrapping_mul(len) ^ len;
    let (words, tail) = key.as_chunks::<4>();
    for word in words {
        let mut k = u32::from_le_bytes(*word).wrapping_mul(M);
        k = (k ^ (k >> 24)).wrapping_mul(M);
        h = h.wrapping_mul(M) ^ k;
    }
    if !tail.is_empty() {
        let k = tail
            .iter()
            .rev()
            .fold(0, |k, byte| k << 8 | u32::from(*byte));
        h = (h ^ k).wrapping_mul(M);
    }
    h = (h ^ (h >> 13)).wrapping_mul(M);
    h ^ (h >> 15)
}
