//! Requests and responses of memcached's binary protocol.

use crate::common::Client;

/// Bytes of a header.
pub const HEADER: usize = 24;

/// One request.
#[derive(Clone, Debug, Default)]
pub struct Request {
    pub opcode: u8,
    pub extras: Vec<u8>,
    pub key: Vec<u8>,
    pub value: Vec<u8>,
    pub opaque: u32,
    pub unique: u64,
}

impl Request {
    pub fn bytes(&self) -> Vec<u8> {
        let body = self.extras.len() + self.key.len() + self.value.len();
        [
            &[0x80, self.opcode][..],
            &(self.key.len() as u16).to_be_bytes(),
            &[self.extras.len() as u8, 0, 0, 0],
            &(body as u32).to_be_bytes(),
            &self.opaque.to_be_bytes(),
            &self.unique.to_be_bytes(),
            &self.extras,
            &self.key,
            &self.value,
        ]
        .concat()
    }
}

/// One response: its bytes, with the version apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    pub bytes: Vec<u8>,
    pub unique: u64,
}

impl Response {
    /// Bytes of the body behind this header.
    pub fn body_of(header: &[u8]) -> usize {
        u32::from_be_bytes(header[8..12].try_into().unwrap()) as usize
    }

    pub fn of(mut bytes: Vec<u8>) -> Response {
        let unique = u64::from_be_bytes(bytes[16..24].try_into().unwrap());
        bytes[16..24].fill(0);
        Response { bytes, unique }
    }

    pub fn opaque(&self) -> u32 {
        u32::from_be_bytes(self.bytes[12..16].try_into().unwrap())
    }

    pub fn status(&self) -> u16 {
        u16::from_be_bytes(self.bytes[6..8].try_into().unwrap())
    }
}

/// The next response; `None` at the end of the stream.
pub fn response(client: &mut Client) -> Option<Response> {
    let mut bytes = client.try_take(HEADER).ok()?;
    assert_eq!(bytes[0], 0x81, "{}", bytes.escape_ascii());
    bytes.extend(client.try_take(Response::body_of(&bytes)).expect("a body"));
    Some(Response::of(bytes))
}

/// The response to a request.
pub fn ask(client: &mut Client, request: &Request) -> Response {
    client.send(&request.bytes());
    response(client).expect("an answer")
}

pub fn set(key: &[u8], value: &[u8]) -> Request {
    Request {
        opcode: 0x01,
        key: key.to_vec(),
        value: value.to_vec(),
        extras: vec![0; 8],
        ..Request::default()
    }
}

pub fn get(key: &[u8]) -> Request {
    Request {
        key: key.to_vec(),
        ..Request::default()
    }
}
