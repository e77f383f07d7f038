//! The FNV hashes (Fowler, Noll, Vo; public domain).

const PRIME_32: u32 = 0x0100_0193;
const OFFSET_32: u32 = 0x811c_9dc5;
const PRIME_64: u64 = 0x0100_0000_01b3;
const OFFSET_64: u64 = 0xcbf2_9ce4_8422_2325;

/// FNV-1, 32 bits: multiply, then mix the byte in.
pub fn fnv1_32(key: &[u8]) -> u32 {
    key.iter().fold(OFFSET_32, |h, byte| {
        h.wrapping_mul(PRIME_32) ^ u32::from(*byte)
    })
}

/// FNV-1a, 32 bits: mix the byte in, then multiply.
pub fn fnv1a_32(key: &[u8]) -> u32 {
    key.iter().fold(OFFSET_32, |h, byte| {
        (h ^ u32::from(*byte)).wrapping_mul(PRIME_32)
    })
}

/// FNV-1, 64 bits.
pub fn fnv1_64(key: &[u8]) -> u64 {
    key.iter().fold(OFFSET_64, |h, byte| {
        h.wrapping_mul(PRIME_64) ^ u64::from(*byte)
    })
}

/// FNV-1a, 64 bits.
pub fn fnv1a_64(key: &[u8]) -> u64 {
    key.iter().fold(OFFSET_64, |h, byte| {
        (h ^ u64::from(*byte)).wrapping_mul(PRIME_64)
    })
}
