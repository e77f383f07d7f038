//! STUB
use crate::mbuf::{Chain, Pool};
pub fn split(id: u64) -> (u16, u64) {
    ((id >> 48) as u16, id & ((1 << 48) - 1))
}
pub fn mark(_reply: &Chain, _mark: u16, _pool: &Pool) -> Chain {
    Chain::new()
}
