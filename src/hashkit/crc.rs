//! The original's CRC-16; CRC-32 comes from a crate.

/// The table of CRC-16/XMODEM (polynomial 0x1021, not reflected), made at compile time.
const TABLE: [u32; 256] = {
    let mut table = [0; 256];
    let mut i = 0;
    while i < 256 {
        let mut crc = (i as u16) << 8;
        let mut bit = 0;
        while bit < 8 {
            crc = if crc & 0x8000 != 0 {
                (crc << 1) ^ 0x1021
            } else {
                crc << 1
            };
            bit += 1;
        }
        table[i] = crc as u32;
        i += 1;
    }
    table
};

/// CRC-16/XMODEM from 0 over a 32-bit accumulator that is never cut to 16 bits, as the original
/// keeps it: the result is not a CRC-16 but it is what every node of a cluster computes.
pub fn crc16(key: &[u8]) -> u32 {
    key.iter().fold(0u32, |crc, byte| {
        // The index is one byte and the table has 256 entries.
        let index = ((crc >> 8) as u8 ^ byte) as usize;
        (crc << 8) ^ TABLE[index]
    })
}
