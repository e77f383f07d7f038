//! The dnode protocol.
pub mod broken;
pub mod card;
pub mod cipher;
pub mod decoder;
pub mod header;
pub mod keys;
pub mod payload;
pub mod scan;

pub use broken::Broken;
pub use card::Card;
pub use cipher::Cipher;
pub use decoder::{Decoder, MAX_GARBAGE, MAX_GOSSIP, MAX_PAYLOAD, MAX_SKIP, Message, Security};
pub use header::{
    Data, Header, Kind, MAX_ENCODED, MAX_PLAIN, VERSION, VERSION_CARDS, VERSION_MODERN,
    VERSION_ORIGINAL, WANTS_RESP3,
};
pub use keys::{KeyPair, MAX_WRAPPED, SessionKey, WrappedKey};
