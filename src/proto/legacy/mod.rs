//! All that exists only because some nodes of a cluster may still run the original, and can be deleted with the
//! last of them, together with the column `legacy` of the Redis table.
//!
//! | part | content |
//! |---|---|
//! | [`mod@column`] | the column of the Redis table: how the original treats each command |
//! | [`redis`], [`memcache`] | the requests that a C node takes, and translations of the others |
//! | `pieces` | the pieces of a ciphertext that a C node has cut elsewhere than at the size of a buffer |
//! | [`carrier`] | the script in which a request travels that a C node does not know |
//!
//! The protocol that both kinds of nodes use (headers, keys, the cipher) is [`dnode`](super::dnode).

pub mod carrier;
pub mod column;
pub mod memcache;
pub(in crate::proto) mod pieces;
pub mod redis;
