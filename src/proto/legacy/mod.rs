//! All that exists only because some nodes of a cluster may still run the original, and can be deleted with the
//! last of them, together with the column `legacy` of the Redis table.
//!
//! | part | what it knows |
//! |---|---|
//! | [`mod@column`] | what the Redis table says of each command |
//! | [`redis`], [`memcache`] | which requests a C node takes, and how the others are said to it |
//! | [`carrier`] | the script in which a request travels that a C node does not know |
//!
//! What both kinds of nodes say to each other (headers, keys, the cipher) is [`dnode`](super::dnode).

pub mod carrier;
pub mod column;
pub mod memcache;
pub mod redis;
