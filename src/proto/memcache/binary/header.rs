//! The 24 bytes in front of each request and response.

use super::MAGIC;
use super::status::Status;

/// Bytes of a header.
pub const LEN: usize = 24;
/// The first byte of a response.
const RESPONSE: u8 = 0x81;

/// The header of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Which command it is.
    pub opcode: u8,
    /// Bytes of the key.
    pub key: u16,
    /// Bytes of the extras, in front of the key.
    pub extras: u8,
    /// Bytes of extras, key and value together.
    pub body: u32,
    /// Repeated in the response.
    pub opaque: u32,
    /// The version that the item must have; 0 for any.
    pub unique: u64,
}

impl Header {
    /// Reads the first [`LEN`] bytes of a request; `None` if they are none.
    pub fn read(bytes: &[u8; LEN]) -> Option<Header> {
        let [
            magic,
            opcode,
            k0,
            k1,
            extras,
            _data_type,
            _vbucket_high,
            _vbucket_low,
            b0,
            b1,
            b2,
            b3,
            o0,
            o1,
            o2,
            o3,
            unique @ ..,
        ] = *bytes;
        (magic == MAGIC).then(|| Header {
            opcode,
            key: u16::from_be_bytes([k0, k1]),
            extras,
            body: u32::from_be_bytes([b0, b1, b2, b3]),
            opaque: u32::from_be_bytes([o0, o1, o2, o3]),
            unique: u64::from_be_bytes(unique),
        })
    }

    /// Bytes of the value, behind the key; `None` if extras and key are longer than the body.
    pub fn value(&self) -> Option<u32> {
        let before = u32::from(self.key) + u32::from(self.extras);
        self.body.checked_sub(before)
    }
}

/// The header of a response.
#[derive(Clone, Copy, Debug)]
pub struct Response {
    /// As in the request.
    pub opcode: u8,
    /// As in the request.
    pub opaque: u32,
    /// The result of the request.
    pub status: Status,
    /// Bytes of the extras.
    pub extras: u8,
    /// Bytes of the key.
    pub key: u16,
    /// Bytes of the value.
    pub value: u32,
    /// The item's version; 0 for none.
    pub unique: u64,
}

impl Response {
    /// One without a body.
    pub fn new(opcode: u8, opaque: u32, status: Status) -> Response {
        Response {
            opcode,
            opaque,
            status,
            extras: 0,
            key: 0,
            value: 0,
            unique: 0,
        }
    }

    /// Its bytes.
    pub fn bytes(&self) -> [u8; LEN] {
        let [k0, k1] = self.key.to_be_bytes();
        let [s0, s1] = self.status.code().to_be_bytes();
        let body = self
            .value
            .saturating_add(u32::from(self.key) + u32::from(self.extras));
        let [b0, b1, b2, b3] = body.to_be_bytes();
        let [o0, o1, o2, o3] = self.opaque.to_be_bytes();
        let [u0, u1, u2, u3, u4, u5, u6, u7] = self.unique.to_be_bytes();
        [
            RESPONSE,
            self.opcode,
            k0,
            k1,
            self.extras,
            0,
            s0,
            s1,
            b0,
            b1,
            b2,
            b3,
            o0,
            o1,
            o2,
            o3,
            u0,
            u1,
            u2,
            u3,
            u4,
            u5,
            u6,
            u7,
        ]
    }
}
