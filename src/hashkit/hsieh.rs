//! SuperFastHash (Paul Hsieh), started from 0.

/// SuperFastHash with the initial value 0 (the published one starts from the length) and unsigned
/// tail bytes. The empty key gives 0.
pub fn super_fast_hash(key: &[u8]) -> u32 {
    let mut h: u32 = 0;
    let (words, tail) = key.as_chunks::<4>();
    for &[a, b, c, d] in words {
        h = h.wrapping_add(u32::from(u16::from_le_bytes([a, b])));
        let mixed = (u32::from(u16::from_le_bytes([c, d])) << 11) ^ h;
        h = (h << 16) ^ mixed;
        h = h.wrapping_add(h >> 11);
    }
    match *tail {
        [a, b, c] => {
            h = h.wrapping_add(u32::from(u16::from_le_bytes([a, b])));
            h ^= h << 16;
            h ^= u32::from(c) << 18;
            h = h.wrapping_add(h >> 11);
        }
        [a, b] => {
            h = h.wrapping_add(u32::from(u16::from_le_bytes([a, b])));
            h ^= h << 11;
            h = h.wrapping_add(h >> 17);
        }
        [a] => {
            h = h.wrapping_add(u32::from(a));
            h ^= h << 10;
            h = h.wrapping_add(h >> 1);
        }
        _ => {}
    }
    h ^= h << 3;
    h = h.wrapping_add(h >> 5);
    h ^= h << 4;
    h = h.wrapping_add(h >> 17);
    h ^= h << 25;
    h.wrapping_add(h >> 6)
}
