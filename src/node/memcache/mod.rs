//! What is different about a datastore that is a memcached.
//!
//! | file | noun |
//! |---|---|
//! | `client` | what a client asks for |
//! | `peer` | what a peer asks for |
//! | `many` | a request by several keys: its pieces, and the values they bring |
//! | `answer` | what a reply means to the request it answers |
//! | `unique` | versions of values, and the replica they belong to |
//!
//! # What goes to the datastore
//!
//! A connection to the datastore is shared, so every request on it must be answered exactly once.
//! `noreply` and the meta flag `q` are taken off, and what the client does not want to hear is
//! dropped here. A line that is not in canonical form, and anything replicas would not all understand
//! the same way, is written anew; a value is never copied.
//!
//! # Several racks
//!
//! Times that count from now are made absolute, as for Redis ([`super::replicate`]). `incr`,
//! `append` and their like run once on each replica.
//!
//! A `cas` cannot: the version it names is that of one memcached, and means nothing to the next. So
//! each version that a client is told carries a mark of the node it is from, and `cas` is run
//! there first. If the value was replaced, the other replicas get it as a `set`; if not, they hear
//! nothing of it. A mark of a node that owns the key no more is nobody's, and so matches nothing. (Where there
//! is one rack, versions are the memcached's own: whoever has the key after a change of members may have one of
//! the same number, as where clients choose between several memcacheds themselves.)
//!
//! So that of two clients with one value only one succeeds, all nodes of a datacenter take versions
//! from the same replica: `gets` at `DC_ONE` asks the owner in the first rack that can be reached, and
//! at the other levels the version of the first rack is told, for which its reply is waited for
//! (`prefer`). Clients of two datacenters, or while the first rack comes and goes,
//! can hold versions of two replicas and both succeed. Replicas that get two `set`s from two nodes keep
//! whichever reaches them last, as of any two writes; the replica that gives the versions has the
//! right one.
//!
//! # What is not quite memcached's
//!
//! `ma` with `N` and `q` is quiet also when it has made the item: memcached 1.6 tells that, but its
//! reply does not say so.

mod answer;
mod client;
mod many;
mod peer;
mod unique;

pub(super) use answer::{first_line, is_miss, is_nominal};
pub(super) use many::{joined, lists, merged, value_digest};
pub(super) use unique::Marks;
