//! Lines the proxy itself makes for clients: those of memcached 1.6.18 for what it checks in its stead, and
//! Dynomite's own.
//!
//! Clients distinguish three kinds: `ERROR` for an unknown command, `CLIENT_ERROR` for a fault of the
//! request, `SERVER_ERROR` for a fault of the node. Bytes of a client that go into a line are cut after
//! 128 bytes, and control bytes among them are replaced by `?`.

/// No such command, or a wrong number of words.
pub const ERROR: &str = "ERROR\r\n";
/// A malformed number, a key that is too long, and other faults without a text of their own.
pub const BAD_LINE: &str = "CLIENT_ERROR bad command line format\r\n";
/// A value is not followed by CR LF.
pub const BAD_CHUNK: &str = "CLIENT_ERROR bad data chunk\r\n";
/// A value is longer than any memcached takes.
pub const TOO_LARGE: &str = "SERVER_ERROR object too large for cache\r\n";
/// An expiration time is no number.
pub const BAD_EXPTIME: &str = "CLIENT_ERROR invalid exptime argument\r\n";
/// The argument of `incr` or `decr` is no number.
pub const BAD_DELTA: &str = "CLIENT_ERROR invalid numeric delta argument\r\n";
/// Words behind the key of a `delete`.
pub const DELETE_USAGE: &str =
    "CLIENT_ERROR bad command line format.  Usage: delete <key> [noreply]\r\n";
/// More words than a meta command may have, in the words of `mg`.
pub const META_GET_TOO_LONG: &str = "CLIENT_ERROR options flags are too long\r\n";
/// More words than a meta command may have, in the words of the others.
pub const META_TOO_LONG: &str = "CLIENT_ERROR options flags too long\r\n";
/// A meta flag occurs twice, or is no letter.
pub const DUPLICATE_FLAG: &str = "CLIENT_ERROR duplicate flag\r\n";
/// A meta flag that no command knows.
pub const INVALID_FLAG: &str = "CLIENT_ERROR invalid flag\r\n";
/// Anything wrong with the flags of `md` and `ma`.
pub const BAD_FLAGS: &str = "CLIENT_ERROR invalid or duplicate flag\r\n";
/// A base64 key is none.
pub const BAD_BASE64: &str = "CLIENT_ERROR error decoding key\r\n";
/// The number of a meta flag is none.
pub const BAD_TOKEN: &str = "CLIENT_ERROR bad token in command line format\r\n";
/// The token of the meta flag `M` is not one letter.
pub const BAD_MODE_LENGTH: &str = "CLIENT_ERROR incorrect length for M token\r\n";
/// A mode `ms` does not have.
pub const BAD_SET_MODE: &str = "CLIENT_ERROR invalid mode for ms M token\r\n";
/// A mode `ma` does not have.
pub const BAD_ARITHMETIC_MODE: &str = "CLIENT_ERROR invalid mode for ma M token\r\n";
/// The token of the meta flag `J` is no number.
pub const BAD_INITIAL: &str = "CLIENT_ERROR invalid numeric initial value\r\n";
/// The token of the meta flag `D` is no number.
pub const BAD_META_DELTA: &str = "CLIENT_ERROR invalid numeric delta value\r\n";
/// An opaque token of more than 31 bytes.
pub const OPAQUE_TOO_LONG: &str = "CLIENT_ERROR opaque token too long\r\n";
/// A peer's `gat` or `gats` that may not be sent to memcached in one line.
pub const LINE_TOO_LONG: &str = "CLIENT_ERROR line too long\r\n";

/// `flush_all` is not enabled.
pub const FLUSH_DISABLED: &str = "CLIENT_ERROR flush_all is disabled; start the nodes with DYNOMITE_ENABLE_FLUSH=1 to enable it\r\n";

/// Most bytes of a client's input that a line quotes.
const QUOTED: usize = 128;

/// A form of `stats` that changes something or asks for more than one node knows. `word` is what the
/// client sent.
pub fn stats_refused(word: &[u8]) -> Vec<u8> {
    let mut line = b"CLIENT_ERROR stats ".to_vec();
    line.extend(word.iter().take(QUOTED).map(|byte| match byte {
        0..0x20 | 0x7f => b'?',
        other => *other,
    }));
    line.extend_from_slice(b" is not served by Dynomite\r\n");
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_client_sent_cannot_end_a_line_or_fill_it() {
        let word = [b"\r\nSTORED\r\n\0".as_slice(), &[b'x'; 1000]].concat();
        let line = stats_refused(&word);
        assert!(line.starts_with(b"CLIENT_ERROR stats ??STORED???xxx"));
        assert!(line.ends_with(b"xxx is not served by Dynomite\r\n") && line.len() < 200);
        assert_eq!(line.iter().filter(|byte| **byte < b' ').count(), 2);
    }
}
