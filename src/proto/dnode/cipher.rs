//! Encrypting and decrypting payloads.
//!
//! AES-128-CBC with PKCS#7 padding; the key is the initialisation vector as well. A payload is cut
//! into pieces of `mbuf_size - 64` bytes of plaintext (what one receive buffer of a 64-bit C node
//! holds), each a CBC stream of its own, and the last one shorter. Nothing on the wire says where
//! pieces end, so all nodes must have the same `mbuf_size`. This hides payloads from casual eyes and
//! no more: equal payloads look equal, nothing is authenticated.

use super::broken::Broken;
use super::keys::SessionKey;
use super::payload::Payload;
use crate::mbuf::{Chain, Pool};
use crate::proto::Parse;
use crate::proto::legacy::pieces::{self, Sealed};
use openssl::cipher::Cipher as Algorithm;
use openssl::cipher_ctx::CipherCtx;
use openssl::error::ErrorStack;

/// Bytes of an AES block.
pub(in crate::proto) const BLOCK: usize = 16;
/// The head of a C node's buffer: its room is this much less than its size.
const BUFFER_HEAD: usize = 64;
/// Smallest `mbuf_size` there is.
const SMALLEST_BUFFER: usize = 512;

/// One connection's session key, ready for use.
pub struct Cipher {
    iv: [u8; BLOCK],
    encrypt: CipherCtx,
    decrypt: CipherCtx,
    /// Plaintext bytes of a full piece.
    piece: usize,
    /// The piece at work. Its capacity stays.
    scratch: Vec<u8>,
}

impl Cipher {
    /// Prepares a session key. `mbuf_size` is the cluster's, in bytes, a multiple of 16 (anything
    /// else is rounded down) and at least 512.
    ///
    /// # Errors
    /// OpenSSL's.
    pub fn new(key: &SessionKey, mbuf_size: usize) -> Result<Cipher, ErrorStack> {
        let iv = key.aes();
        let algorithm = Algorithm::aes_128_cbc();
        let mut encrypt = CipherCtx::new()?;
        encrypt.encrypt_init(Some(algorithm), Some(&iv), Some(&iv))?;
        encrypt.set_padding(false);
        let mut decrypt = CipherCtx::new()?;
        decrypt.decrypt_init(Some(algorithm), Some(&iv), Some(&iv))?;
        decrypt.set_padding(false);
        let piece = mbuf_size.max(SMALLEST_BUFFER) / BLOCK * BLOCK - BUFFER_HEAD;
        Ok(Cipher {
            iv,
            encrypt,
            decrypt,
            piece,
            scratch: Vec::new(),
        })
    }

    /// Length of the ciphertext of `len` bytes.
    pub fn encrypted_len(&self, len: usize) -> usize {
        let (full, rest) = match (len / self.piece, len % self.piece) {
            // No empty piece behind the last full one, but an empty payload is one empty piece.
            (full, 0) if full > 0 => (full - 1, self.piece),
            other => other,
        };
        full * (self.piece + BLOCK) + (rest / BLOCK + 1) * BLOCK
    }

    /// Appends the ciphertext of `plain` to `out`: exactly [`Cipher::encrypted_len`] bytes.
    ///
    /// # Errors
    /// OpenSSL's; `out` may then hold a part and is of no use.
    pub fn encrypt(
        &mut self,
        plain: &Chain,
        pool: &Pool,
        out: &mut Chain,
    ) -> Result<(), ErrorStack> {
        let mut from = 0;
        loop {
            let len = self.piece.min(plain.len() - from);
            let pad = BLOCK - len % BLOCK;
            self.scratch.clear();
            self.scratch.resize(len + pad + BLOCK, pad as u8);
            plain.gather(from, self.scratch.get_mut(..len).unwrap_or_default());
            self.encrypt.encrypt_init(None, None, Some(&self.iv))?;
            let done = self
                .encrypt
                .cipher_update_inplace(&mut self.scratch, len + pad)?;
            pool.copy(self.scratch.get(..done).unwrap_or_default(), out);
            from += len;
            if from == plain.len() {
                return Ok(());
            }
        }
    }

    /// Decrypts a whole payload and makes sure that it is one. `parser` must be idle.
    ///
    /// Pieces are expected where a correct sender cuts. C nodes cut earlier where a length line, a
    /// command name or a key would straddle two buffers, and begin what they relay with a piece of
    /// no plaintext, or a short one; such payloads are put together by search ([`pieces`]).
    ///
    /// # Errors
    /// It cannot be decrypted to a payload, or OpenSSL fails.
    pub fn decrypt<P: Payload>(
        &mut self,
        body: &Chain,
        parser: &P,
        pool: &Pool,
    ) -> Result<(Chain, P::Shape), Broken> {
        if let Some(plain) = self.regular(body, pool)?
            && let Parse::Complete(message) = parser.clone().find(&plain)
            && P::len(&message) == plain.len()
        {
            return Ok((plain, P::shape(&message)));
        }
        let cipher = body.to_vec();
        let mut stream = cipher.clone();
        stream.resize(cipher.len() + BLOCK, 0);
        self.decrypt_piece(&mut stream)?;
        let sealed = Sealed {
            cipher: &cipher,
            stream: &stream,
            iv: &self.iv,
            full: self.piece + BLOCK,
        };
        let (plain, shape) = pieces::assemble(parser, &sealed).ok_or(Broken::Decrypt)?;
        let mut out = Chain::new();
        pool.copy(&plain, &mut out);
        Ok((out, shape))
    }

    /// Decrypts a payload of any bytes, which is no message of the datastore.
    ///
    /// # Errors
    /// A padding is wrong, or OpenSSL fails.
    pub fn decrypt_any(&mut self, body: &Chain, pool: &Pool) -> Result<Chain, Broken> {
        self.regular(body, pool)?.ok_or(Broken::Decrypt)
    }

    /// Decrypts pieces of the regular length; `None` if a padding is wrong.
    fn regular(&mut self, body: &Chain, pool: &Pool) -> Result<Option<Chain>, Broken> {
        let mut out = Chain::new();
        let full = self.piece + BLOCK;
        let mut from = 0;
        while from < body.len() {
            let len = full.min(body.len() - from);
            let mut scratch = std::mem::take(&mut self.scratch);
            scratch.clear();
            scratch.resize(len + BLOCK, 0);
            body.gather(from, scratch.get_mut(..len).unwrap_or_default());
            let done = self.decrypt_piece(&mut scratch);
            self.scratch = scratch;
            done?;
            let piece = self.scratch.get(..len).unwrap_or_default();
            if out.is_empty() && piece.first_chunk() == Some(&[BLOCK as u8; BLOCK]) {
                // An empty piece in front: no payload begins with these bytes.
                from += BLOCK;
                continue;
            }
            match unpadded(piece) {
                Some(plain) if len < full || plain.len() == self.piece => {
                    pool.copy(plain, &mut out)
                }
                _ => return Ok(None),
            }
            from += len;
        }
        Ok(Some(out))
    }

    /// Decrypts `data` in place as one stream, but for its last [`BLOCK`] bytes, which are there
    /// because OpenSSL's wrapper asks for the room.
    fn decrypt_piece(&mut self, data: &mut [u8]) -> Result<(), Broken> {
        let len = data.len() - BLOCK;
        self.decrypt
            .decrypt_init(None, None, Some(&self.iv))
            .and_then(|()| self.decrypt.cipher_update_inplace(data, len))
            .map_err(|_| Broken::Library)?;
        Ok(())
    }
}

impl std::fmt::Debug for Cipher {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Cipher(key not shown, pieces of {} bytes)", self.piece)
    }
}

/// A piece without its padding; `None` if that is wrong.
pub(in crate::proto) fn unpadded(piece: &[u8]) -> Option<&[u8]> {
    let pad = usize::from(*piece.last()?);
    if !(1..=BLOCK).contains(&pad) {
        return None;
    }
    let (plain, padding) = piece.split_at_checked(piece.len().checked_sub(pad)?)?;
    padding
        .iter()
        .all(|&byte| usize::from(byte) == pad)
        .then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn padding_is_checked_in_full() {
        assert_eq!(unpadded(b"abc\x01"), Some(&b"abc"[..]));
        assert_eq!(unpadded(&[16; 16]), Some(&b""[..]));
        for bad in [
            &b""[..],
            b"abc\x00",
            b"abc\x11",
            b"\x02",
            b"abc\x03\x02",
            b"\x03\x03",
        ] {
            assert_eq!(unpadded(bad), None, "{bad:?}");
        }
    }
}
