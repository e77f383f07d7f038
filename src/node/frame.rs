//! One request as its peers get it: a header in front of the client's bytes.
//!
//! Every replica of a request gets the same id, so nodes of one datacenter get the same header: the
//! message is written once and the slices are shared. A small payload is copied behind its header,
//! because then the messages of a whole batch lie side by side and leave as one `iovec`; a large one
//! is not.

use crate::mbuf::{Chain, Pool, Raw};
use crate::proto::dnode::{
    Cipher, Data, Header, Kind, MAX_ENCODED, MAX_PLAIN, VERSION, WANTS_RESP3, WrappedKey,
};

/// Payloads up to this many bytes are copied behind their header. Measured: below, an `iovec` costs
/// more than the copy.
const COPIED: usize = 1024;

/// The messages one request becomes, made when the first peer needs them.
pub(super) struct Frames<'a> {
    pub id: u64,
    pub raw: Raw<'a>,
    /// In clear: type 3 and type 4, each to another datacenter and within this one, each for a reply in RESP2
    /// and in RESP3.
    plain: [Option<Chain>; 8],
}

impl<'a> Frames<'a> {
    /// For a request whose messages get this id.
    pub fn new(id: u64, raw: Raw<'a>) -> Frames<'a> {
        Frames {
            id,
            raw,
            plain: [const { None }; 8],
        }
    }

    /// The message in clear, with this header but for its length.
    pub fn plain(&mut self, header: Header, pool: &Pool) -> &Chain {
        let place = usize::from(header.version & WANTS_RESP3 != 0) * 4
            + usize::from(header.kind == Kind::Forward) * 2
            + usize::from(header.same_dc);
        let raw = self.raw;
        self.plain[place].get_or_insert_with(|| {
            let mut out = Chain::new();
            plain(header, raw, pool, &mut out);
            out
        })
    }
}

/// The header of a message of this implementation within a datacenter; its length is filled in when
/// it is written.
pub(super) fn header(kind: Kind, id: u64) -> Header {
    Header {
        version: VERSION,
        ..Header::new(kind, id, 0)
    }
}

/// Appends a message in clear to `out`.
pub(super) fn plain(header: Header, raw: Raw<'_>, pool: &Pool, out: &mut Chain) {
    let header = Header {
        payload_len: raw.len() as u64,
        ..header
    };
    let mut room = [0; MAX_PLAIN];
    pool.copy(header.encode(Data::None, &mut room), out);
    if raw.len() <= COPIED {
        raw.pieces().for_each(|piece| pool.copy(piece, out));
    } else {
        raw.append_to(out);
    }
}

/// Appends an encrypted message to `out`, with the wrapped session key if it is the connection's
/// first. `false` if OpenSSL fails; `out` is of no use then.
pub(super) fn sealed(
    header: Header,
    raw: Raw<'_>,
    cipher: &mut Cipher,
    key: Option<&WrappedKey>,
    pool: &Pool,
    out: &mut Chain,
) -> bool {
    let mut payload = Chain::new();
    raw.append_to(&mut payload);
    let payload_len = cipher.encrypted_len(payload.len()) as u64;
    let header = Header {
        encrypted: true,
        payload_len,
        ..header
    };
    if let Some(key) = key {
        let mut room = [0; MAX_ENCODED];
        pool.copy(header.encode(Data::Key(key), &mut room), out);
    } else {
        let mut room = [0; MAX_PLAIN];
        pool.copy(header.encode(Data::None, &mut room), out);
    }
    cipher.encrypt(&payload, pool, out).is_ok()
}
