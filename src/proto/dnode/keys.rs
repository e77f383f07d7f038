//! The keys of encrypted connections: the RSA key all nodes share, the AES key of one connection.
//!
//! No `Debug` here prints a byte of a key; the original logged session keys at every level.

use super::header::WRAPPED_LEN;
use openssl::error::ErrorStack;
use openssl::pkey::Private;
use openssl::rsa::{Padding, Rsa};
use std::fmt;

/// Bytes that travel as a session key. The first 16 are used, the others are not.
pub const SESSION_KEY_LEN: usize = 32;
/// The only RSA modulus C nodes can exchange session keys with, in bits: a larger one overflows a
/// buffer of theirs.
pub const RSA_BITS: u32 = 1024;

/// Why a key file cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyFileError {
    /// It holds no RSA private key in PEM form, or one with a pass phrase.
    Unreadable,
    /// The key's modulus has this many bits instead of [`RSA_BITS`].
    Bits(u32),
}

impl fmt::Display for KeyFileError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyFileError::Unreadable => f.write_str("no RSA private key without a pass phrase"),
            KeyFileError::Bits(bits) => {
                write!(
                    f,
                    "RSA key has {bits} bits, peers can exchange session keys with {RSA_BITS} only"
                )
            }
        }
    }
}

impl std::error::Error for KeyFileError {}

/// The RSA private key that all nodes of a cluster share (`pem_key_file`).
pub struct KeyPair {
    rsa: Rsa<Private>,
}

impl KeyPair {
    /// Reads a key in PEM form, PKCS#1 or PKCS#8.
    ///
    /// # Errors
    /// No such key, or not of [`RSA_BITS`] bits.
    pub fn from_pem(pem: &[u8]) -> Result<KeyPair, KeyFileError> {
        // Without a callback OpenSSL would ask the terminal for a pass phrase.
        let rsa = Rsa::private_key_from_pem_callback(pem, |_| Ok(0))
            .map_err(|_| KeyFileError::Unreadable)?;
        match rsa.size() * 8 {
            RSA_BITS => Ok(KeyPair { rsa }),
            bits => Err(KeyFileError::Bits(bits)),
        }
    }

    /// Encrypts a session key with the public half: RSAES-OAEP, SHA-1 for hash and mask, no label.
    /// Each time the result is another.
    ///
    /// # Errors
    /// OpenSSL's, which has no reason to fail here but lack of memory or randomness.
    pub fn wrap(&self, key: &SessionKey) -> Result<[u8; WRAPPED_LEN], ErrorStack> {
        let mut out = [0; WRAPPED_LEN];
        self.rsa
            .public_encrypt(&key.0, &mut out, Padding::PKCS1_OAEP)?;
        Ok(out)
    }

    /// Decrypts what a node that shares the key has wrapped; `None` if this key cannot, or what it
    /// gives is not [`SESSION_KEY_LEN`] long.
    pub fn unwrap(&self, wrapped: &[u8; WRAPPED_LEN]) -> Option<SessionKey> {
        let mut out = [0; WRAPPED_LEN];
        let len = self
            .rsa
            .private_decrypt(wrapped, &mut out, Padding::PKCS1_OAEP)
            .ok()?;
        SessionKey::from_slice(out.get(..len)?)
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyPair(not shown)")
    }
}

/// The key of one connection, chosen by the requester.
#[derive(Clone)]
pub struct SessionKey([u8; SESSION_KEY_LEN]);

impl SessionKey {
    /// A key made of these bytes, which must come from a generator fit for keys.
    pub fn new(bytes: [u8; SESSION_KEY_LEN]) -> SessionKey {
        SessionKey(bytes)
    }

    /// A key from OpenSSL's generator.
    ///
    /// # Errors
    /// The generator's.
    pub fn random() -> Result<SessionKey, ErrorStack> {
        let mut bytes = [0; SESSION_KEY_LEN];
        openssl::rand::rand_bytes(&mut bytes)?;
        Ok(SessionKey(bytes))
    }

    fn from_slice(bytes: &[u8]) -> Option<SessionKey> {
        bytes.try_into().ok().map(SessionKey)
    }

    /// The AES key, which is the initialisation vector as well.
    pub(super) fn aes(&self) -> [u8; 16] {
        let mut key = [0; 16];
        for (to, from) in key.iter_mut().zip(&self.0) {
            *to = *from;
        }
        key
    }
}

impl fmt::Debug for SessionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SessionKey(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pem(bits: u32) -> Vec<u8> {
        Rsa::generate(bits).unwrap().private_key_to_pem().unwrap()
    }

    #[test]
    fn what_one_node_wraps_another_with_the_same_key_unwraps() {
        let pem = pem(1024);
        let (one, other) = (
            KeyPair::from_pem(&pem).unwrap(),
            KeyPair::from_pem(&pem).unwrap(),
        );
        let key = SessionKey::random().unwrap();
        assert_eq!(other.unwrap(&one.wrap(&key).unwrap()).unwrap().0, key.0);
    }

    /// OAEP with SHA-1 as any other program would do it.
    #[test]
    fn wrapping_is_oaep_with_sha1() {
        use openssl::encrypt::Decrypter;
        use openssl::hash::MessageDigest;
        let rsa = Rsa::generate(1024).unwrap();
        let pair = KeyPair::from_pem(&rsa.private_key_to_pem().unwrap()).unwrap();
        let wrapped = pair.wrap(&SessionKey::new([7; 32])).unwrap();
        let pkey = openssl::pkey::PKey::from_rsa(rsa).unwrap();
        let mut decrypter = Decrypter::new(&pkey).unwrap();
        decrypter.set_rsa_padding(Padding::PKCS1_OAEP).unwrap();
        decrypter.set_rsa_oaep_md(MessageDigest::sha1()).unwrap();
        decrypter.set_rsa_mgf1_md(MessageDigest::sha1()).unwrap();
        let mut out = vec![0; decrypter.decrypt_len(&wrapped).unwrap()];
        let len = decrypter.decrypt(&wrapped, &mut out).unwrap();
        assert_eq!(out[..len], [7; 32]);
    }

    #[test]
    fn another_nodes_key_is_of_no_use() {
        let (one, other) = (
            KeyPair::from_pem(&pem(1024)).unwrap(),
            KeyPair::from_pem(&pem(1024)).unwrap(),
        );
        assert!(
            other
                .unwrap(&one.wrap(&SessionKey::new([1; 32])).unwrap())
                .is_none()
        );
        assert!(one.unwrap(&[0; WRAPPED_LEN]).is_none());
        assert!(one.unwrap(&[0xff; WRAPPED_LEN]).is_none());
    }

    #[test]
    fn only_1024_bits_and_only_keys() {
        for bits in [512, 2048] {
            assert_eq!(
                KeyPair::from_pem(&pem(bits)).unwrap_err(),
                KeyFileError::Bits(bits)
            );
        }
        let rsa = Rsa::generate(1024).unwrap();
        let pkcs8 = openssl::pkey::PKey::from_rsa(rsa.clone())
            .unwrap()
            .private_key_to_pem_pkcs8()
            .unwrap();
        assert!(KeyPair::from_pem(&pkcs8).is_ok());
        let locked = rsa
            .private_key_to_pem_passphrase(openssl::symm::Cipher::aes_128_cbc(), b"secret")
            .unwrap();
        let public = rsa.public_key_to_pem().unwrap();
        for text in [&b"hello"[..], b"", &locked, &public] {
            assert_eq!(
                KeyPair::from_pem(text).unwrap_err(),
                KeyFileError::Unreadable
            );
        }
    }

    #[test]
    fn debug_shows_no_key() {
        let pair = KeyPair::from_pem(&pem(1024)).unwrap();
        let text = format!("{pair:?} {:?}", SessionKey::new([0x41; 32]));
        assert_eq!(text, "KeyPair(not shown) SessionKey(not shown)");
    }
}
