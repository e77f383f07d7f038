//! STUB
pub const ERROR: &[u8] = b"ERROR\r\n";
pub const BAD_CHUNK: &[u8] = b"CLIENT_ERROR bad data chunk\r\n";
pub const TOO_LARGE: &[u8] = b"SERVER_ERROR object too large for cache\r\n";
pub const FLUSH_DISABLED: &[u8] = b"CLIENT_ERROR flush_all is disabled\r\n";
