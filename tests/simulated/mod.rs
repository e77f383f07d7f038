//! What the simulators of one node and of whole clusters have in common: models of the network, of the
//! machine a node runs on and of datastores, written apart from the program's own code, so that a
//! mistake there is not repeated here.
//!
//! | file | noun |
//! |---|---|
//! | `random` | chance that a number fixes |
//! | `seeds` | the worlds that are run |
//! | `link` | a connection in memory |
//! | `network` | what lies between the ends of connections |
//! | `plan` | the nodes of a cluster, and the owners of keys |
//! | `machine` | a node with its sockets and its event loop |
//! | `leftovers` | what a node still holds when nothing is under way |
//! | `server` | a datastore's connections, its moods and what is broken in it on purpose |
//! | `resp` | the protocol of Redis |
//! | `memcached` | a memcached: its protocol and what it keeps |
//! | `tag` | keys that say which request they belong to |

pub mod leftovers;
pub mod link;
pub mod machine;
pub mod memcached;
pub mod network;
pub mod plan;
pub mod random;
pub mod resp;
pub mod seeds;
pub mod server;
pub mod tag;
