//! Bytes into a decoder the way a connection brings them.

use dynomite::mbuf::{Chain, Pool};
use dynomite::proto::dnode::payload::Payload;
use dynomite::proto::dnode::{Broken, Cipher, Decoder, KeyPair, Kind, Security, SessionKey};
use std::rc::Rc;
use std::sync::OnceLock;

/// The `mbuf_size` the recordings were made with.
pub const MBUF: usize = 16_384;

/// What is compared of a message.
#[derive(Debug, PartialEq, Clone)]
pub struct Got {
    pub id: u64,
    pub kind: Kind,
    pub version: u32,
    pub same_dc: bool,
    pub encrypted: bool,
    pub payload: Vec<u8>,
}

/// An RSA key of the test's own.
pub fn key_pair() -> Rc<KeyPair> {
    static PEM: OnceLock<Vec<u8>> = OnceLock::new();
    let pem = PEM.get_or_init(|| {
        openssl::rsa::Rsa::generate(1024)
            .unwrap()
            .private_key_to_pem()
            .unwrap()
    });
    Rc::new(KeyPair::from_pem(pem).unwrap())
}

pub fn security(mbuf_size: usize) -> Security {
    Security {
        key_pair: Some(key_pair()),
        mbuf_size,
        refuse_plaintext: false,
    }
}

/// Appends `bytes` as slices of blocks of their own, as separate reads of a large message would.
pub fn append(pool: &Pool, bytes: &[u8], data: &mut Chain) {
    for piece in bytes.chunks(pool.block_size()) {
        let mut writer = pool.writer();
        writer.spare()[..piece.len()].copy_from_slice(piece);
        data.push(writer.commit(piece.len()));
    }
}

pub fn chain(pool: &Pool, bytes: &[u8]) -> Chain {
    let mut chain = Chain::new();
    append(pool, bytes, &mut chain);
    chain
}

/// Everything the pieces of a stream decode to, and what broke it.
pub fn feed<'a, P: Payload>(
    mut decoder: Decoder<P>,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Got>, Option<Broken>) {
    // Small blocks: every piece gets its own, however short it is.
    let pool = Pool::new(2048, 1 << 30);
    let mut data = Chain::new();
    let mut out = Vec::new();
    for piece in pieces {
        append(&pool, piece, &mut data);
        loop {
            match decoder.next(&mut data, &pool) {
                Ok(Some(message)) => out.push(Got {
                    id: message.id,
                    kind: message.kind,
                    version: message.version,
                    same_dc: message.same_dc,
                    encrypted: message.encrypted,
                    payload: message.payload.to_vec(),
                }),
                Ok(None) => break,
                Err(broken) => {
                    assert_eq!(
                        decoder.next(&mut data, &pool).unwrap_err(),
                        broken,
                        "what is broken stays so"
                    );
                    return (out, Some(broken));
                }
            }
        }
        let missing = decoder.expected(data.len());
        assert!(missing == 0 || !decoder.is_idle());
    }
    (out, None)
}

/// One payload, encrypted by our own cipher.
pub fn encrypt(key: &SessionKey, mbuf_size: usize, plain: &[u8]) -> Vec<u8> {
    let pool = Pool::new(MBUF, 1 << 30);
    let mut cipher = Cipher::new(key, mbuf_size).unwrap();
    let mut out = Chain::new();
    cipher
        .encrypt(&chain(&pool, plain), &pool, &mut out)
        .unwrap();
    assert_eq!(out.len(), cipher.encrypted_len(plain.len()));
    out.to_vec()
}
