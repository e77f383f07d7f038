//! Jenkins' one-at-a-time hash.

/// One-at-a-time over sign-extended bytes: the original reads keys through a plain `char`, which is
/// signed on the machines it ran on, and peers must agree.
pub fn one_at_a_time(key: &[u8]) -> u32 {
    let mut h: u32 = 0;
    for &byte in key {
        h = h.wrapping_add(i32::from(byte as i8) as u32);
        h = h.wrapping_add(h << 10);
        h ^= h >> 6;
    }
    h = h.wrapping_add(h << 3);
    h ^= h >> 11;
    h.wrapping_add(h << 15)
}
