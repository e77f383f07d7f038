//! The header of a message, and its canonical bytes.

use super::keys::MAX_WRAPPED;

/// Room for the longest header without a session key that [`Header::encode`] writes: ten bytes of
/// magic, six numbers of at most twenty digits and punctuation.
pub const MAX_PLAIN: usize = 160;
/// Room for the longest header of all: with a session key.
pub const MAX_ENCODED: usize = MAX_PLAIN + MAX_WRAPPED;
/// The version the C original writes, always.
pub const VERSION_ORIGINAL: u32 = 1;
/// From this version on the sender is no C node and supports more than C nodes. C nodes check no
/// version, in neither direction, and write none but 1.
pub const VERSION_MODERN: u32 = 2;
/// From this version on the sender answers a [card](super::card).
pub const VERSION_CARDS: u32 = 3;
/// The version this implementation writes.
pub const VERSION: u32 = VERSION_CARDS;
/// Added to the version of a request whose reply is wanted in RESP3, as far as only the datastore knows how
/// it looks there: that of a script. Never sent to a C node; a node that does not know it replies in RESP2.
pub const WANTS_RESP3: u32 = 0x100;

/// The kind of a message (the original's `dmsg_type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// 3, `DMSG_REQ`: to be run on the receiver's datastore.
    Request,
    /// 4, `DMSG_REQ_FORWARD`: to be run in all racks of the receiver's datacenter.
    Forward,
    /// 5, `DMSG_RES`: a reply.
    Reply,
    /// 7, `GOSSIP_SYN`: the cluster as the sender knows it; never answered.
    Gossip,
    /// 32: a [card](super::card), in either direction; none is ever sent to a C node.
    Card,
    /// Any other number; none is ever sent by a C node.
    Other(u32),
}

impl Kind {
    /// The number on the wire.
    pub fn number(self) -> u32 {
        match self {
            Kind::Request => 3,
            Kind::Forward => 4,
            Kind::Reply => 5,
            Kind::Gossip => 7,
            Kind::Card => 32,
            Kind::Other(number) => number,
        }
    }

    /// The kind of a number; numbers beyond 32 bits are unknown like the largest.
    #[inline]
    pub fn from_number(number: u64) -> Kind {
        match number {
            3 => Kind::Request,
            4 => Kind::Forward,
            5 => Kind::Reply,
            7 => Kind::Gossip,
            32 => Kind::Card,
            other => Kind::Other(u32::try_from(other).unwrap_or(u32::MAX)),
        }
    }
}

/// The numbers of a header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// A request's id, or that of the request a reply answers. Opaque to the receiver.
    pub id: u64,
    /// The kind of message.
    pub kind: Kind,
    /// True if the payload is encrypted. (The field has four bits; only the value 1 means this.)
    pub encrypted: bool,
    /// [`VERSION_ORIGINAL`] from C nodes, [`VERSION_MODERN`] or more from this implementation.
    pub version: u32,
    /// True if requester and replica are in the same datacenter. A reply has its request's.
    pub same_dc: bool,
    /// Bytes of payload, those of the ciphertext if it is encrypted. As received from C nodes this
    /// may be too large for a plaintext payload.
    pub payload_len: u64,
}

/// The data section of a header to be written.
#[derive(Clone, Copy, Debug)]
pub enum Data<'a> {
    /// `d`, as in all messages but the following.
    None,
    /// `a`, as in plaintext gossip.
    Gossip,
    /// The session key, wrapped; with the first message of an encrypted connection.
    Key(&'a [u8]),
}

impl Header {
    /// The header of a plaintext message between nodes of one datacenter, as a C node writes it;
    /// the starting point for others.
    pub fn new(kind: Kind, id: u64, payload_len: usize) -> Header {
        Header {
            id,
            kind,
            encrypted: false,
            version: VERSION_ORIGINAL,
            same_dc: true,
            payload_len: payload_len as u64,
        }
    }

    /// Writes the canonical header into `out`, byte for byte as a C node does, and returns it. There
    /// must be room for it: [`MAX_PLAIN`], or [`MAX_ENCODED`] with a session key.
    #[inline]
    pub fn encode<'a>(&self, data: Data<'_>, out: &'a mut [u8]) -> &'a [u8] {
        let mut text = Text { out, len: 0 };
        text.push(b"   $2014$ ");
        text.number(self.id);
        text.push(b" ");
        text.number(u64::from(self.kind.number()));
        text.push(if self.encrypted { b" 1 " } else { b" 0 " });
        text.number(u64::from(self.version));
        text.push(if self.same_dc { b" 1 *" } else { b" 0 *" });
        match data {
            Data::None => text.push(b"1 d *"),
            Data::Gossip => text.push(b"1 a *"),
            Data::Key(key) => {
                text.number(key.len() as u64);
                text.push(b" ");
                text.push(key);
                text.push(b" *");
            }
        }
        text.number(self.payload_len);
        text.push(b"\r\n");
        let Text { out, len } = text;
        out.get(..len).unwrap_or_default()
    }
}

/// Text under construction. The caller leaves room for the whole header, so nothing is ever cut.
struct Text<'a> {
    out: &'a mut [u8],
    len: usize,
}

impl Text<'_> {
    #[inline]
    fn push(&mut self, bytes: &[u8]) {
        let end = self.len + bytes.len();
        if let Some(room) = self.out.get_mut(self.len..end) {
            room.copy_from_slice(bytes);
            self.len = end;
        }
    }

    #[inline]
    fn number(&mut self, value: u64) {
        self.push(itoa::Buffer::new().format(value).as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_what_the_original_writes() {
        let mut out = [0; MAX_ENCODED];
        let request = Header::new(Kind::Request, 5, 29);
        assert_eq!(
            request.encode(Data::None, &mut out),
            b"   $2014$ 5 3 0 1 1 *1 d *29\r\n"
        );
        let gossip = Header {
            same_dc: false,
            ..Header::new(Kind::Gossip, 0, 43)
        };
        assert_eq!(
            gossip.encode(Data::Gossip, &mut out),
            b"   $2014$ 0 7 0 1 0 *1 a *43\r\n"
        );
    }

    #[test]
    fn the_longest_header_fits() {
        let mut out = [0; MAX_ENCODED];
        let header = Header {
            id: u64::MAX,
            kind: Kind::Other(u32::MAX),
            encrypted: true,
            version: u32::MAX,
            same_dc: true,
            payload_len: u64::MAX,
        };
        let text = header.encode(Data::Key(&[0xff; MAX_WRAPPED]), &mut out);
        assert!(text.ends_with(b" *18446744073709551615\r\n"));
        let mut out = [0; MAX_PLAIN];
        let text = header.encode(Data::Gossip, &mut out);
        assert!(text.ends_with(b" *18446744073709551615\r\n"));
    }
}
