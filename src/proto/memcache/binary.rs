//! STUB
pub fn refusal(_header: &[u8]) -> Vec<u8> {
    Vec::new()
}
