//! The key file of encrypted peer connections, checked before anything is started.

use super::problem::{Note, Problem};
use openssl::pkey::Private;
use openssl::rsa::Rsa;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Most bytes a key file may have.
const MAX_BYTES: u64 = 65_536;
/// The only size the C original can exchange session keys with, in bits.
const ORIGINAL_BITS: u32 = 1024;
/// SHA-256 of the public half (DER) of the example key published with the C original.
const PUBLISHED: [u8; 32] = [
    0x75, 0xd8, 0x9d, 0x13, 0x11, 0x07, 0x98, 0xad, 0x2c, 0x27, 0xf4, 0x63, 0xa4, 0x41, 0xfb, 0x12,
    0x8f, 0xde, 0x0d, 0x6a, 0x48, 0x70, 0x24, 0x80, 0x3b, 0xa7, 0x81, 0x99, 0xd2, 0xea, 0x9a, 0x31,
];

/// Reads the RSA private key in `path` (PEM, PKCS#1 or PKCS#8, without a pass phrase, at most
/// 64 KiB). Warns of a size the C original cannot use and of its published example key.
///
/// # Errors
/// The original's words, and the reason: the file does not exist, cannot be read, or holds no such key.
pub fn check(path: &Path) -> Result<Vec<Note>, Problem> {
    let file = path.display();
    let unreadable = |why: &str| {
        Problem::new(format!(
            "Error: could NOT read RSA pem key file at {file}: {why}"
        ))
    };
    let text = read_key_file(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => Problem::new(format!("Error: file {file} does not exist")),
        _ => unreadable(&crate::sys::reason(&error)),
    })?;
    // Without a callback OpenSSL would ask the terminal for a pass phrase.
    let key = Rsa::private_key_from_pem_callback(&text, |_| Ok(0))
        .map_err(|_| unreadable("it holds no RSA private key in PEM without a pass phrase"))?;
    let mut notes = Vec::new();
    let bits = key.size() * 8;
    if bits != ORIGINAL_BITS {
        notes.push(Note::warn(format!(
            "the RSA key in {file} has {bits} bits; nodes that run the C original need one of {ORIGINAL_BITS}"
        )));
    }
    if is_published(&key) {
        notes.push(Note::warn(format!(
            "the RSA key in {file} is the published example key and protects nothing; make your own"
        )));
    }
    Ok(notes)
}

/// The text of a key file, at most 64 KiB of it.
///
/// # Errors
/// The system's, and for what is no regular file: a pipe would be waited for.
pub fn read_key_file(path: &Path) -> io::Result<Vec<u8>> {
    if !std::fs::metadata(path)?.is_file() {
        return Err(io::Error::other("not a regular file"));
    }
    let mut text = Vec::new();
    File::open(path)?.take(MAX_BYTES).read_to_end(&mut text)?;
    Ok(text)
}

fn is_published(key: &Rsa<Private>) -> bool {
    key.public_key_to_der()
        .is_ok_and(|public| openssl::sha::sha256(&public) == PUBLISHED)
}
