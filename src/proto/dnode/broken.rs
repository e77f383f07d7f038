//! Why a connection cannot be read any further.

use std::fmt;

/// Why a stream of messages cannot be read any further. Nothing that follows can be understood, or
/// may be believed: the connection has to be closed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broken {
    /// A payload that is none, and why.
    Payload(&'static str),
    /// A payload longer than [`super::MAX_PAYLOAD`].
    TooLong,
    /// More than [`super::MAX_GARBAGE`] between two messages that belongs to none.
    Garbage,
    /// An encrypted message, and no key file to read its key with.
    NoKeyFile,
    /// An encrypted message before any session key.
    NoSessionKey,
    /// A session key of another length than this node's RSA key makes it.
    KeyLength {
        /// Its length in bytes.
        len: u32,
        /// The length this node's key makes.
        own: u32,
    },
    /// A session key that our RSA key cannot unwrap.
    KeyUnwrap,
    /// An encrypted payload whose length is not a positive multiple of 16.
    CipherLength(u64),
    /// A payload that could be decrypted in no way.
    Decrypt,
    /// A plaintext message on a connection that must be encrypted.
    Plaintext,
    /// OpenSSL failed.
    Library,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Broken::Payload(why) => write!(f, "payload cannot be parsed: {why}"),
            Broken::TooLong => write!(f, "payload longer than {} bytes", super::MAX_PAYLOAD),
            Broken::Garbage => write!(
                f,
                "more than {} bytes that are no message",
                super::MAX_GARBAGE
            ),
            Broken::NoKeyFile => f.write_str("peer encrypts, but no pem_key_file is in use here"),
            Broken::NoSessionKey => f.write_str("encrypted message without a session key"),
            Broken::KeyLength { len, own } => write!(
                f,
                "session key encrypted by an RSA key of {} bits, the key here has {}: is the peer's pem_key_file the same?",
                len * 8,
                own * 8
            ),
            Broken::KeyUnwrap => {
                f.write_str("session key cannot be unwrapped: is the peer's pem_key_file the same?")
            }
            Broken::CipherLength(len) => write!(
                f,
                "encrypted payload of {len} bytes is not made of whole blocks"
            ),
            Broken::Decrypt => {
                f.write_str("payload cannot be decrypted: is the peer's mbuf_size the same?")
            }
            Broken::Plaintext => f.write_str("plaintext message where encryption is required"),
            Broken::Library => f.write_str("OpenSSL failed"),
        }
    }
}

impl std::error::Error for Broken {}
