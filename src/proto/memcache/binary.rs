//! The binary protocol, which is not served: how a client is told so in its own terms.
//!
//! Layout and numbers are those of memcached's document on the binary protocol.

/// The first byte of a request.
pub const MAGIC: u8 = 0x80;
/// Bytes of a header, of requests and of responses.
pub const HEADER: usize = 24;

const RESPONSE: u8 = 0x81;
/// The status "Not supported".
const NOT_SUPPORTED: [u8; 2] = [0x00, 0x83];
const TEXT: &[u8] = b"Not supported";

/// The response to the request with this header, after which the connection is to be closed. A header that
/// was cut short is answered as if the rest were zeros.
pub fn refusal(header: &[u8]) -> Vec<u8> {
    let mut out = vec![0; HEADER];
    let mut put = |at: usize, bytes: &[u8]| {
        if let Some(room) = out.get_mut(at..at + bytes.len()) {
            room.copy_from_slice(bytes);
        }
    };
    put(0, &[RESPONSE, header.get(1).copied().unwrap_or_default()]);
    put(6, &NOT_SUPPORTED);
    put(8, &(TEXT.len() as u32).to_be_bytes());
    put(12, header.get(12..16).unwrap_or_default());
    out.extend_from_slice(TEXT);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_names_the_request_it_answers() {
        let mut header = [0; HEADER];
        header[..4].copy_from_slice(&[MAGIC, 0x0a, 0, 0]);
        header[12..16].copy_from_slice(b"opaq");
        let expected = [
            &b"\x81\x0a\0\0\0\0\0\x83\0\0\0\x0dopaq\0\0\0\0\0\0\0\0"[..],
            b"Not supported",
        ]
        .concat();
        assert_eq!(refusal(&header), expected);
        assert_eq!(refusal(b"").len(), HEADER + TEXT.len());
    }
}
