//! The keys of encrypted connections: the RSA key all nodes share, the AES key of one connection.
//!
//! No `Debug` here prints a byte of a key; the original logged session keys at every level.

use crate::config::{KEY_BITS, KeyFileError, parse_key};
use openssl::error::ErrorStack;
use openssl::pkey::Private;
use openssl::rsa::{Padding, Rsa};
use std::fmt;
use std::ops::Deref;

/// Bytes that travel as a session key. The first 16 are used, the others are not.
pub const SESSION_KEY_LEN: usize = 32;
/// Most bytes a session key has once the cluster's RSA key has encrypted it: as many as the modulus of
/// the largest key there may be.
pub const MAX_WRAPPED: usize = (KEY_BITS.1 / 8) as usize;

/// A session key as the cluster's RSA key has encrypted it. Its length is that of the RSA key's modulus.
#[derive(Clone)]
pub struct WrappedKey {
    bytes: [u8; MAX_WRAPPED],
    len: usize,
}

impl Deref for WrappedKey {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        self.bytes.get(..self.len).unwrap_or_default()
    }
}

/// The RSA private key that all nodes of a cluster share (`pem_key_file`).
pub struct KeyPair {
    rsa: Rsa<Private>,
}

impl KeyPair {
    /// Of the text of a key file, see [`parse_key`].
    ///
    /// # Errors
    /// It holds no key that can be used.
    pub fn from_pem(pem: &[u8]) -> Result<KeyPair, KeyFileError> {
        parse_key(pem).map(KeyPair::from)
    }

    /// Length in bytes of each session key that this key wraps.
    pub fn wrapped_len(&self) -> usize {
        self.rsa.size() as usize
    }

    /// Encrypts a session key with the public half: RSAES-OAEP, SHA-1 for hash and mask, no label.
    /// Each time the result is another.
    ///
    /// # Errors
    /// OpenSSL's, which has no reason to fail here but lack of memory or randomness.
    pub fn wrap(&self, key: &SessionKey) -> Result<WrappedKey, ErrorStack> {
        let mut bytes = [0; MAX_WRAPPED];
        let len = self
            .rsa
            .public_encrypt(&key.0, &mut bytes, Padding::PKCS1_OAEP)?;
        Ok(WrappedKey { bytes, len })
    }

    /// Decrypts what a node that shares the key has wrapped; `None` if this key cannot, or what it
    /// gives is not [`SESSION_KEY_LEN`] long.
    pub fn unwrap(&self, wrapped: &[u8]) -> Option<SessionKey> {
        let mut out = [0; MAX_WRAPPED];
        let len = self
            .rsa
            .private_decrypt(wrapped, &mut out, Padding::PKCS1_OAEP)
            .ok()?;
        SessionKey::from_slice(out.get(..len)?)
    }
}

impl From<Rsa<Private>> for KeyPair {
    fn from(rsa: Rsa<Private>) -> KeyPair {
        KeyPair { rsa }
    }
}

impl KeyPair {
    /// A fingerprint of the key that reveals nothing of its private half: the first 64 bits of the
    /// SHA-256 of the public key (its `SubjectPublicKeyInfo` in DER), in hexadecimal. Empty if OpenSSL
    /// fails.
    pub fn fingerprint(&self) -> String {
        let public = self.rsa.public_key_to_der().unwrap_or_default();
        let digest = openssl::sha::sha256(&public);
        let bytes = digest.iter().take(if public.is_empty() { 0 } else { 8 });
        bytes.map(|byte| format!("{byte:02x}")).collect()
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
        for bits in [1024, 2048, 4096] {
            let pem = pem(bits);
            let (one, other) = (
                KeyPair::from_pem(&pem).unwrap(),
                KeyPair::from_pem(&pem).unwrap(),
            );
            let key = SessionKey::random().unwrap();
            let wrapped = one.wrap(&key).unwrap();
            assert_eq!(wrapped.len(), bits as usize / 8);
            assert_eq!(wrapped.len(), one.wrapped_len());
            assert_eq!(other.unwrap(&wrapped).unwrap().0, key.0);
        }
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
        assert!(one.unwrap(&[0; 128]).is_none());
        assert!(one.unwrap(&[0xff; 128]).is_none());
        assert!(one.unwrap(&[]).is_none());
        assert!(one.unwrap(&[0; MAX_WRAPPED]).is_none());
    }

    #[test]
    fn debug_shows_no_key() {
        let pair = KeyPair::from_pem(&pem(1024)).unwrap();
        let text = format!("{pair:?} {:?}", SessionKey::new([0x41; 32]));
        assert_eq!(text, "KeyPair(not shown) SessionKey(not shown)");
    }
}
