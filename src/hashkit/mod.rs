//! Hash functions over keys, and the ring tokens they are compared with; and [`digest`], by which replies are
//! compared, which never leaves the process.
//!
//! Every node of a cluster must hash a key to the same 32-bit position, so each function here gives
//! exactly what the C original gives, its oddities included; `tests/data/hash-vectors.json` holds
//! values the original computed, and the tests compare all of them.
//!
//! | name | what it is |
//! |---|---|
//! | `one_at_a_time` | Jenkins' one-at-a-time; bytes from 0x80 up are sign-extended (the original's plain `char` on x86-64) |
//! | `md5` | bytes 0 to 3 of the MD5 digest, little-endian |
//! | `crc16` | CRC-16/XMODEM whose accumulator is never cut to 16 bits |
//! | `crc32` | bits 16 to 30 of CRC-32: only 15 bits, so on a ring over 2^32 one node owns every key |
//! | `crc32a` | CRC-32 (zlib) in full |
//! | `fnv1_64`, `fnv1a_64` | low half of the 64-bit FNV hashes |
//! | `fnv1_32`, `fnv1a_32` | the 32-bit FNV hashes |
//! | `hsieh` | SuperFastHash started from 0 instead of the length |
//! | `murmur` | MurmurHash2, 32 bits, seed 0xdeadbeef times the length; the default |
//! | `jenkins` | lookup3 `hashlittle` with initial value 13 |
//! | `murmur3` | a name only: the original never computed it, see [`HashKind::Murmur3`] |

mod crc;
pub mod digest;
mod fnv;
mod hsieh;
mod jenkins;
mod murmur;
mod one_at_a_time;
mod tag;
mod token;

pub use tag::{tag_of, tagged};
pub use token::{MAX_TOKENS, Signum, Token, TokenError, TokenText, parse_list};

/// A hash function by the name it has in the configuration file (`hash:`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum HashKind {
    /// Jenkins' one-at-a-time.
    OneAtATime,
    /// The first four bytes of MD5.
    Md5,
    /// The original's CRC-16.
    Crc16,
    /// Fifteen bits of CRC-32.
    Crc32,
    /// CRC-32.
    Crc32a,
    /// 64-bit FNV-1, low half.
    Fnv1_64,
    /// 64-bit FNV-1a, low half.
    Fnv1a64,
    /// 32-bit FNV-1.
    Fnv1_32,
    /// 32-bit FNV-1a.
    Fnv1a32,
    /// SuperFastHash.
    Hsieh,
    /// MurmurHash2.
    #[default]
    Murmur,
    /// lookup3.
    Jenkins,
    /// Known by name only. The original accepts it and then leaves the position unset, which sends
    /// every key to the lowest token of a rack. The configuration refuses it, because any working
    /// placement under this name would disagree with the original's nodes.
    Murmur3,
}

/// Every kind with its name, in the original's order.
pub const HASHES: [(&str, HashKind); 13] = [
    ("one_at_a_time", HashKind::OneAtATime),
    ("md5", HashKind::Md5),
    ("crc16", HashKind::Crc16),
    ("crc32", HashKind::Crc32),
    ("crc32a", HashKind::Crc32a),
    ("fnv1_64", HashKind::Fnv1_64),
    ("fnv1a_64", HashKind::Fnv1a64),
    ("fnv1_32", HashKind::Fnv1_32),
    ("fnv1a_32", HashKind::Fnv1a32),
    ("hsieh", HashKind::Hsieh),
    ("murmur", HashKind::Murmur),
    ("jenkins", HashKind::Jenkins),
    ("murmur3", HashKind::Murmur3),
];

/// The name is not one of [`HASHES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownHash;

impl std::fmt::Display for UnknownHash {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("is not a valid hash")
    }
}

impl std::error::Error for UnknownHash {}

impl std::str::FromStr for HashKind {
    type Err = UnknownHash;

    /// The exact lower-case name; anything else is [`UnknownHash`]. `murmur3` is a name too.
    fn from_str(name: &str) -> Result<HashKind, UnknownHash> {
        HASHES
            .iter()
            .find(|(known, _)| *known == name)
            .map(|(_, kind)| *kind)
            .ok_or(UnknownHash)
    }
}

impl HashKind {
    /// The name in the configuration file.
    pub fn name(self) -> &'static str {
        HASHES
            .iter()
            .find(|(_, kind)| *kind == self)
            .map_or("murmur", |(name, _)| name)
    }
}

impl std::fmt::Display for HashKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}

/// The ring position of `key` under `kind`, 0 to 4294967295.
///
/// The empty key has no position in the original for `hsieh` and `jenkins` (it never hashes one);
/// here it is 0. `murmur3` is 0 for every key, see [`HashKind::Murmur3`].
#[inline]
pub fn hash(kind: HashKind, key: &[u8]) -> u32 {
    match kind {
        HashKind::Murmur => murmur::murmur2(key),
        HashKind::OneAtATime => one_at_a_time::one_at_a_time(key),
        HashKind::Md5 => md5(key),
        HashKind::Crc16 => crc::crc16(key),
        HashKind::Crc32 => (crc32fast::hash(key) >> 16) & 0x7fff,
        HashKind::Crc32a => crc32fast::hash(key),
        HashKind::Fnv1_64 => fnv::fnv1_64(key) as u32,
        HashKind::Fnv1a64 => fnv::fnv1a_64(key) as u32,
        HashKind::Fnv1_32 => fnv::fnv1_32(key),
        HashKind::Fnv1a32 => fnv::fnv1a_32(key),
        HashKind::Hsieh => hsieh::super_fast_hash(key),
        HashKind::Jenkins => jenkins::hashlittle(key),
        HashKind::Murmur3 => 0,
    }
}

/// The first four bytes of the MD5 digest, little-endian. Where OpenSSL refuses MD5 (a FIPS-only
/// provider) the position is 0 for every key.
fn md5(key: &[u8]) -> u32 {
    openssl::hash::hash(openssl::hash::MessageDigest::md5(), key)
        .ok()
        .and_then(|digest| digest.first_chunk::<4>().copied())
        .map_or(0, u32::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_both_ways_and_are_exact() {
        for (name, kind) in HASHES {
            assert_eq!(name.parse(), Ok(kind));
            assert_eq!(kind.name(), name);
        }
        for wrong in ["", "MURMUR", "murmur ", "Md5", "sha1"] {
            assert_eq!(wrong.parse::<HashKind>(), Err(UnknownHash), "{wrong:?}");
        }
    }

    #[test]
    fn positions_are_the_originals() {
        let file: serde_json::Value =
            serde_json::from_str(include_str!("../../tests/data/hash-vectors.json")).unwrap();
        let mut compared = 0;
        for vector in file["vectors"].as_array().unwrap() {
            let hex = vector["key_hex"].as_str().unwrap();
            let key: Vec<u8> = (0..hex.len())
                .step_by(2)
                .map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap())
                .collect();
            for (name, expected) in vector["token"].as_object().unwrap() {
                let kind: HashKind = name.parse().unwrap();
                // null: the original has no value for the empty key here; ours is 0.
                let expected = expected.as_u64().unwrap_or(0);
                assert_eq!(
                    u64::from(hash(kind, &key)),
                    expected,
                    "{name} of {}",
                    vector["label"]
                );
                compared += 1;
            }
        }
        assert!(compared >= 12 * 20, "only {compared} values compared");
    }
}
