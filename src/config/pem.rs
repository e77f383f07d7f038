//! The key file of encrypted peer connections. [`parse_key`] alone decides which keys can
//! be used, so that a test of the configuration and a start agree.

use super::problem::{Note, Problem};
use crate::logging::Level;
use openssl::pkey::{HasPublic, Private};
use openssl::rsa::Rsa;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Most bytes a key file may have.
const MAX_BYTES: u64 = 65_536;
/// The only size nodes that run the C original can use, in bits: their buffer for a session key that
/// the RSA key has encrypted is that long.
pub const ORIGINAL_BITS: u32 = 1024;
/// The least and the most bits of a key where no node runs the C original. Sizes between
/// [`ORIGINAL_BITS`] and the least are too weak today and of no use to C nodes either.
pub const KEY_BITS: (u32, u32) = (2048, 4096);
/// SHA-256 of the public half (DER, SubjectPublicKeyInfo) of the example key that the C original ships
/// as `conf/dynomite.pem`.
const PUBLISHED: [u8; 32] = [
    0x75, 0xd8, 0x9d, 0x13, 0x11, 0x07, 0x98, 0xad, 0x2c, 0x27, 0xf4, 0x63, 0xa4, 0x41, 0xfb, 0x12,
    0x8f, 0xde, 0x0d, 0x6a, 0x48, 0x70, 0x24, 0x80, 0x3b, 0xa7, 0x81, 0x99, 0xd9, 0xea, 0x2a, 0x31,
];

/// Why a key cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFileError {
    /// The text holds no RSA private key in PEM, or one with a pass phrase.
    Unreadable,
    /// The key has this many bits.
    Bits(u32),
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = KEY_BITS;
        match self {
            KeyFileError::Unreadable => {
                f.write_str("it holds no RSA private key in PEM without a pass phrase")
            }
            KeyFileError::Bits(bits) => write!(
                f,
                "the RSA key has {bits} bits, but must have {ORIGINAL_BITS} where a node runs the C original, else {least} to {most}"
            ),
        }
    }
}

impl std::error::Error for KeyFileError {}

/// Reads an RSA private key: PEM, PKCS#1 or PKCS#8, without a pass phrase, of [`ORIGINAL_BITS`] or of
/// [`KEY_BITS`].
///
/// # Errors
/// There is no such key, or it has another size.
pub fn parse_key(pem: &[u8]) -> Result<Rsa<Private>, KeyFileError> {
    // Without a callback OpenSSL would ask the terminal for a pass phrase.
    let key =
        Rsa::private_key_from_pem_callback(pem, |_| Ok(0)).map_err(|_| KeyFileError::Unreadable)?;
    // Rounded up to whole bytes, as the encrypted session key is.
    let bits = key.size() * 8;
    let (least, most) = KEY_BITS;
    if bits == ORIGINAL_BITS || (least..=most).contains(&bits) {
        Ok(key)
    } else {
        Err(KeyFileError::Bits(bits))
    }
}

/// Reads and checks the key in `path`. Says which nodes cannot use a key of its size, and warns of the
/// example key that the C original publishes.
///
/// # Errors
/// The original's words, and the reason: the file does not exist, cannot be read, or holds no key that
/// can be used.
pub fn check(path: &Path) -> Result<Vec<Note>, Problem> {
    let file = path.display();
    let key = load(path)?;
    let bits = key.size() * 8;
    let mut notes = vec![if bits == ORIGINAL_BITS {
        let (least, _) = KEY_BITS;
        let text = format!(
            "the RSA key in {file} has {bits} bits, as nodes that run the C original need; use {least} bits or more once there are none"
        );
        Note::new(Level::Notice, text)
    } else {
        Note::warn(format!(
            "the RSA key in {file} has {bits} bits: nodes that run the C original cannot talk to this node, they need a key of {ORIGINAL_BITS} bits"
        ))
    }];
    if is_published(&key) {
        notes.push(Note::warn(format!(
            "the RSA key in {file} is the example key published with the C original: everybody has it, and it protects nothing; make your own"
        )));
    }
    Ok(notes)
}

/// Warns of a key file that exists and cannot be used, on a node that does not encrypt: it could not
/// decrypt messages of other nodes.
pub fn check_unneeded(path: &Path) -> Vec<Note> {
    if !path.exists() {
        return Vec::new();
    }
    match load(path) {
        Ok(_) => Vec::new(),
        Err(problem) => vec![Note::warn(format!(
            "{}; nodes that encrypt cannot talk to this node",
            problem.text
        ))],
    }
}

/// The key in the file at `path`.
///
/// # Errors
/// As [`check`].
pub fn load(path: &Path) -> Result<Rsa<Private>, Problem> {
    let file = path.display();
    let unreadable = |why: &dyn fmt::Display| {
        Problem::new(format!(
            "Error: could NOT read RSA pem key file at {file}: {why}"
        ))
    };
    let text = read_key_file(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Problem::new(format!("Error: file {file} does not exist")),
        _ => unreadable(&crate::sys::reason(&error)),
    })?;
    parse_key(&text).map_err(|error| unreadable(&error))
}

/// The text of a key file, at most 64 KiB of it.
///
/// # Errors
/// The system's errors; also if it is not a regular file, because opening a pipe would block.
fn read_key_file(path: &Path) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut text = Vec::new();
    File::open(path)?.take(MAX_BYTES).read_to_end(&mut text)?;
    Ok(text)
}

fn is_published<T: HasPublic>(key: &Rsa<T>) -> bool {
    key.public_key_to_der()
        .is_ok_and(|public| openssl::sha::sha256(&public) == PUBLISHED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use openssl::bn::BigNum;

    /// The modulus of the key in the C original's `conf/dynomite.pem`; its exponent is 65537.
    const PUBLISHED_MODULUS: &str = "\
        A38A33409DDD7FB8596B0AD7CEF37428E627566EA2E9C9F41D28777509113D02\
        5880F29C8CBBD5EA77211B309DB6F4F3CF5A194ABA2D26A15723D49F30FD9073\
        2C5110B6A7FEF7762DBFD611E2D92DCAFD245939DFC94CE9F43EF85872F6FE5C\
        1F8B436FFA34885A0E5A411A8CCD1B1D12B4F093E89A4AEB99FFEDC96E9F49C7";

    /// Two bytes of the fingerprint were wrong, so the warning was never given.
    #[test]
    fn the_published_key_is_recognized_by_its_modulus() {
        let public = |modulus: &str| {
            let exponent = BigNum::from_u32(65_537).unwrap();
            Rsa::from_public_components(BigNum::from_hex_str(modulus).unwrap(), exponent).unwrap()
        };
        assert!(is_published(&public(PUBLISHED_MODULUS)));
        let other = PUBLISHED_MODULUS.replacen("A38A", "A38B", 1);
        assert!(!is_published(&public(&other)));
    }

    fn pem(bits: u32) -> Vec<u8> {
        Rsa::generate(bits).unwrap().private_key_to_pem().unwrap()
    }

    #[test]
    fn the_sizes_that_can_be_used_are_accepted() {
        for bits in [1024, 2048, 4096] {
            assert_eq!(parse_key(&pem(bits)).unwrap().size() * 8, bits);
        }
        for bits in [512, 1536, 2032, 4104] {
            let error = parse_key(&pem(bits)).unwrap_err();
            assert_eq!(error, KeyFileError::Bits(bits));
            assert_eq!(
                error.to_string(),
                format!(
                    "the RSA key has {bits} bits, but must have 1024 where a node runs the C original, else 2048 to 4096"
                )
            );
        }
    }

    #[test]
    fn only_private_keys_without_a_pass_phrase_are_accepted() {
        let rsa = Rsa::generate(1024).unwrap();
        let pkcs8 = openssl::pkey::PKey::from_rsa(rsa.clone())
            .unwrap()
            .private_key_to_pem_pkcs8()
            .unwrap();
        assert!(parse_key(&pkcs8).is_ok());
        let locked = rsa
            .private_key_to_pem_passphrase(openssl::symm::Cipher::aes_128_cbc(), b"secret")
            .unwrap();
        let public = rsa.public_key_to_pem().unwrap();
        for text in [&b"hello"[..], b"", &locked, &public] {
            assert_eq!(parse_key(text).unwrap_err(), KeyFileError::Unreadable);
        }
    }
}
