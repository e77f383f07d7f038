//! STUB
use crate::mbuf::Chain;
pub fn join(_replies: &[Chain], _keys: &[&[u8]], _piece_of: &[u32]) -> Option<Chain> {
    None
}
pub fn by_key(_reply: &Chain, _keys: &[&[u8]]) -> Option<Vec<Option<Chain>>> {
    None
}
