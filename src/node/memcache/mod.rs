//! Memcached as the datastore.
//!
//! | file | noun |
//! |---|---|
//! | `client` | a client of the text protocol: its requests, planned and carried out |
//! | `binary` | a client of the binary protocol: its requests in words of the text protocol, and the way back |
//! | `peer` | a peer's requests, planned and carried out |
//! | `many` | a request by several keys: its pieces, and the values they bring |
//! | `answer` | the meaning of replies for the requests they answer |
//! | `unique` | versions of values, and the replica they belong to |
//!
//! # What goes to the datastore
//!
//! A connection to the datastore is shared, so every request on it must be answered exactly once.
//! `noreply` and the meta flag `q` are taken off, and what the client does not want to hear is
//! dropped here. A line that is not in canonical form, and anything replicas would not all understand
//! the same way, is written anew; a value is never copied.
//!
//! # Times
//!
//! An expiration time that counts from now goes to every replica as it stands, and counts from when that replica
//! gets it, as in any memcached: its second is its own, and this node's clock says nothing of it. (A moment
//! worked out here had items live up to a second longer than they should.)
//!
//! # Versions
//!
//! A version means nothing to any other memcached than the one that has counted it. So as soon as there are several
//! nodes, each version that a client gets carries a mark of the node it is from. A mark of a node that
//! does not own the key any more matches nothing; nor does a version without a mark, which a client may have
//! from the time when its node was alone.
//!
//! `incr`, `append` and their like run once on each replica. A `cas` cannot: where there are several racks, it is
//! run first by the replica whose mark it names. If the value was replaced, the other replicas get it as a
//! `set`; if not, they hear nothing of it. An `ms` that is to store a stale item if its version is an older one
//! (flag `I`) is asked for without that flag first; if the version is another one, it is asked for again as it came,
//! and then the other replicas are to store a stale item too ([`rewrite::stale`]).
//!
//! Each replica chooses the client that is to make a stale item anew (`W`): at `DC_ONE`, one client in each rack.
//!
//! So that of two clients with one value only one succeeds, all nodes of a datacenter take versions
//! from the same replica: `gets` at `DC_ONE` asks the owner in the first rack that can be reached, and
//! at the other levels the version of the first rack is told, for which its reply is waited for
//! (`prefer`). Clients of two datacenters, or while the first rack comes and goes,
//! can hold versions of two replicas and both succeed. Replicas that get two `set`s from two nodes keep
//! whichever reaches them last, as of any two writes; the replica that gives the versions has the
//! right one.
//!
//! [`rewrite::stale`]: crate::proto::memcache::rewrite::stale
//!
//! # What is not quite memcached's
//!
//! A C node cannot keep a stale item: it deletes the item instead.
//!
//! `ma` with `N` and `q` is quiet also when it has made the item: memcached 1.6 reports that, but its
//! reply does not say so.

mod answer;
mod binary;
mod client;
mod many;
mod peer;
mod unique;

pub(super) use answer::{first_line, is_miss, is_nominal, is_other_version};
pub(super) use binary::{respond, response};
pub(super) use many::{joined, lists, merged};
pub(super) use unique::Marks;
