//! The one table of configuration keys.
//!
//! Reading, checking, defaults, the suggestions for unknown keys, the manual page and the tests all
//! come from these rows. A new key is a new row here and a field in [`Settings`](super::Settings).
//! A file that holds a key the C original does not know cannot be loaded by it, so a new key must
//! have a default that leaves an unchanged file's behaviour alone.

use Effect::{Nothing, Reload, Restart};
use Kind::{
    Any, Bool, Consistency, Count, Hash, HashTag, Listen, Number, Provider, Secure, Seeds, Server,
    Text, Tokens,
};
use Status::{Deprecated, Inert, Live, Older};

/// How a key's text is read. Text is what the file holds: quoting never matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Decimal digits, 0 to 2147483647; 0 means the default.
    Number,
    /// Decimal digits, 0 to 255; 0 means the default.
    Count,
    /// Exactly `true` or `false`.
    Bool,
    /// Any text.
    Text,
    /// `host:port` or the path of a Unix socket.
    Listen,
    /// `host:port:weight [name]` or `/path:weight [name]`.
    Server,
    /// `host:port:rack:dc:tokens [name]`.
    Seeds,
    /// Decimal numbers with commas between them.
    Tokens,
    /// The name of a hash.
    Hash,
    /// Two bytes.
    HashTag,
    /// The name of a consistency.
    Consistency,
    /// Which peers to encrypt towards.
    Secure,
    /// The name of a provider of seeds.
    Provider,
    /// Not looked at.
    Any,
}

impl Kind {
    /// What the manual calls it.
    pub fn words(self) -> &'static str {
        match self {
            Number => "number",
            Count => "number from 1 to 255",
            Bool => "true or false",
            Text => "text",
            Listen => "host:port or /path",
            Server => "host:port:weight [name] or /path:weight [name]",
            Seeds => "list of host:port:rack:dc:tokens [name]",
            Tokens => "number, or several with commas",
            Hash => "name of a hash",
            HashTag => "two characters",
            Consistency => "DC_ONE, DC_QUORUM, DC_SAFE_QUORUM or DC_EACH_SAFE_QUORUM",
            Secure => "none, rack, datacenter or all",
            Provider => "simple_provider, florida_provider, dns_provider or file_provider",
            Any => "anything",
        }
    }

    /// Whether the key may occur more than once.
    pub fn repeats(self) -> bool {
        matches!(self, Server | Seeds | Tokens | Any)
    }
}

/// What a key does today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is honoured.
    Live,
    /// It is checked and then has no effect, as in the original.
    Inert,
    /// The original's last version warns and ignores it.
    Deprecated,
    /// Only versions before the original's last knew it; read with a warning.
    Older,
}

/// When a change of a key in the file takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// At the next reload.
    Reload,
    /// At the next start; a reload says so.
    Restart,
    /// Never: the key does nothing.
    Nothing,
}

/// One configuration key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The name in the file; case matters.
    pub name: &'static str,
    /// How its text is read.
    pub kind: Kind,
    /// The text it has when it is not given; empty where there is none.
    pub default: &'static str,
    /// The unit of a number, or its range in words; may be empty.
    pub unit: &'static str,
    /// What it does today.
    pub status: Status,
    /// When a change of it takes effect.
    pub effect: Effect,
    /// One sentence for operators.
    pub help: &'static str,
}

const fn key(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    unit: &'static str,
    status: Status,
    effect: Effect,
    help: &'static str,
) -> Key {
    Key {
        name,
        kind,
        default,
        unit,
        status,
        effect,
        help,
    }
}

/// Every key: first the 42 of the original's last version, then those of older versions.
/// Defaults are the original's since v0.5.8, not the stale ones of its README.
#[rustfmt::skip]
pub const KEYS: &[Key] = &[
    key("listen", Listen, "", "", Live, Restart, "Where clients connect; required."),
    key("dyn_listen", Listen, "", "", Live, Restart, "Where the other nodes connect; required. The text before the last colon names this node to its peers."),
    key("stats_listen", Listen, "0.0.0.0:22222", "", Live, Restart, "Where statistics and administration are served over HTTP."),
    key("stats_interval", Number, "30000", "milliseconds", Inert, Nothing, "Accepted for old files; statistics are always those of the moment at which they are asked for."),
    key("servers", Server, "", "", Live, Restart, "The one datastore behind this node; required. The weight is required but has no effect."),
    key("data_store", Number, "0", "0 or 1", Live, Restart, "What the datastore speaks: 0 for Redis, 1 for Memcached."),
    key("tokens", Tokens, "", "0 to 4294967295", Live, Restart, "This node's position on its rack's ring; required. Give one token as long as any node runs the C original."),
    key("dyn_seeds", Seeds, "", "", Live, Reload, "The other nodes known from the start. An entry with the datacenter, rack and token of this node is this node itself and ignored."),
    key("dyn_seed_provider", Provider, "simple_provider", "", Live, Restart, "Where further nodes are learned from, again and again while the node runs: nowhere (simple_provider), HTTP (florida_provider), DNS (dns_provider) or a file (file_provider, which the C original does not know); see the environment variables in dynomite(8). The nodes of dyn_seeds stay known besides."),
    key("datacenter", Text, "localdc", "", Live, Restart, "The datacenter this node stands in."),
    key("rack", Text, "localrack", "", Live, Restart, "The rack this node stands in; each rack holds one full copy of the data."),
    key("env", Text, "aws", "", Live, Restart, "Which environment variables tell this node's own addresses: with a value that starts with aws EC2_PUBLIC_HOSTNAME and EC2_PUBLIC_IPV4 come first, then those without EC2_; with any other value the other way round."),
    key("enable_gossip", Bool, "false", "", Inert, Nothing, "Accepted, with a warning if it is true, as is the option -g: this version has no gossip, and what other nodes gossip changes nothing."),
    key("gos_interval", Number, "30000", "milliseconds", Inert, Nothing, "Accepted for old files; there is no gossip, and how often a provider of seeds is asked says DYNOMITE_SEEDS_INTERVAL_MS, see dynomite(8)."),
    key("hash", Hash, "murmur", "one_at_a_time, md5, crc16, crc32, crc32a, fnv1_64, fnv1a_64, fnv1_32, fnv1a_32, hsieh, murmur or jenkins", Live, Restart, "How a key becomes a position on the ring; must be the same on every node."),
    key("hash_tag", HashTag, "", "", Live, Restart, "An opening and a closing character; only the part of a key between them is hashed."),
    key("timeout", Number, "5000", "milliseconds", Live, Reload, "How long a request may take, and the base of the longer time allowed to peers."),
    key("preconnect", Bool, "true", "", Live, Restart, "Whether to connect to the datastore before clients are let in."),
    key("auto_eject_hosts", Bool, "true", "", Inert, Nothing, "Accepted for old files; a failed server is retried with a growing pause whatever this says."),
    key("server_retry_timeout", Number, "10000", "milliseconds", Live, Reload, "Longest pause between two attempts to reach the datastore; pauses grow 1, 2, 4 and so on seconds up to it."),
    key("server_failure_limit", Number, "3", "failures", Inert, Nothing, "Accepted for old files, together with auto_eject_hosts."),
    key("backlog", Number, "512", "connections", Live, Restart, "How many connections the kernel may queue before they are accepted, for clients and for peers."),
    key("client_connections", Number, "0", "connections", Live, Reload, "Most clients at a time; 0 means no limit."),
    key("datastore_connections", Count, "1", "connections", Live, Restart, "Connections to the datastore."),
    key("local_peer_connections", Count, "1", "connections", Live, Restart, "Connections to each peer in this datacenter."),
    key("remote_peer_connections", Count, "1", "connections", Live, Restart, "Connections to each peer in another datacenter."),
    key("secure_server_option", Secure, "none", "", Live, Restart, "Which peers to encrypt towards: none, those in other racks, those in other datacenters, or all. Must be the same on every node."),
    key("pem_key_file", Text, "conf/dynomite.pem", "", Live, Restart, "RSA private key that wraps the session keys between peers, the same file on every node; with secure_server_option none it may be missing, and is used for what peers send encrypted if it is there. Relative to the working directory."),
    key("recon_key_file", Text, "conf/recon_key.pem", "", Inert, Nothing, "Accepted for old files; never read."),
    key("recon_iv_file", Text, "conf/recon_iv.pem", "", Inert, Nothing, "Accepted for old files; never read."),
    key("read_consistency", Consistency, "DC_ONE", "", Live, Reload, "How many replicas must answer a read; any case."),
    key("write_consistency", Consistency, "DC_ONE", "", Live, Reload, "How many replicas must answer a write; any case."),
    key("read_repairs_enabled", Bool, "false", "", Inert, Nothing, "Accepted, with a warning if it is true: this version does not repair replicas that answer an older value."),
    key("conn_msg_rate", Number, "50000", "messages per second", Live, Reload, "Most messages to one peer in another datacenter, for each connection."),
    key("mbuf_size", Number, "16384", "bytes, 512 to 512000, a multiple of 16", Live, Restart, "Size of one buffer; wins over the option -m. The same on all nodes that encrypt to each other."),
    key("max_msgs", Number, "200000", "messages, 100000 to 1000000", Live, Restart, "Most messages held at a time; wins over the option -M."),
    key("dyn_read_timeout", Number, "10000", "milliseconds", Inert, Nothing, "Accepted for old files; timeout governs reads."),
    key("dyn_write_timeout", Number, "10000", "milliseconds", Inert, Nothing, "Accepted for old files; timeout governs writes."),
    key("dyn_port", Number, "0", "", Inert, Nothing, "Accepted for old files; dyn_listen holds the port."),
    key("dyn_connections", Number, "100", "connections", Inert, Nothing, "Accepted for old files."),
    key("distribution", Any, "", "", Deprecated, Nothing, "Ignored with a warning: there is one distribution."),
    key("server_connections", Any, "", "", Deprecated, Nothing, "Ignored with a warning: see datastore_connections."),
    key("redis", Bool, "", "", Older, Restart, "Versions before 0.5: true is data_store 0, false is data_store 1."),
    key("dyn_secure_listen", Any, "", "", Older, Nothing, "Ignored with a warning."),
    key("stats_port", Number, "", "", Older, Restart, "The same as stats_listen on 0.0.0.0 and this port."),
    key("seed_provider", Provider, "", "", Older, Restart, "The same as dyn_seed_provider."),
    key("auto_bootstrap", Any, "", "", Older, Nothing, "Ignored with a warning, also beside the pool."),
];

/// The row of a key, by its exact name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The known key that `name` was probably meant to be: a different case, or few typing errors.
/// `None` when nothing is near.
pub fn nearest(name: &str) -> Option<&'static str> {
    // The cost grows with the product of the lengths, and no key is longer than this by far.
    if name.len() > 64 {
        return None;
    }
    let name = name.to_ascii_lowercase().replace('-', "_");
    KEYS.iter()
        .map(|key| (distance(&name, key.name), key))
        .filter(|(distance, key)| *distance <= key.name.len() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, key)| key.name)
}

/// Levenshtein distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (y, above) in b.bytes().zip(row.iter_mut().skip(1)) {
            let best = (diagonal + usize::from(x != y))
                .min(left + 1)
                .min(*above + 1);
            diagonal = std::mem::replace(above, best);
            left = best;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_the_originals_42_keys_once_each() {
        let mut names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
        assert_eq!(KEYS.iter().filter(|key| key.status != Older).count(), 42);
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KEYS.len());
    }

    #[test]
    fn the_row_of_hash_names_every_hash_that_is_accepted() {
        let words = find("hash").map_or("", |key| key.unit);
        let named: Vec<&str> = words.split([',', ' ']).collect();
        for (name, kind) in crate::hashkit::HASHES {
            let accepted = kind != crate::hashkit::HashKind::Murmur3;
            assert_eq!(named.contains(&name), accepted, "{name}");
        }
    }

    #[test]
    fn suggestions_are_near_or_none() {
        for (wrong, right) in [
            ("Timeout", Some("timeout")),
            ("timeuot", Some("timeout")),
            ("dyn_seed", Some("dyn_seeds")),
            ("read-consistency", Some("read_consistency")),
            ("bogus_key", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong), right, "{wrong:?}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
    }
}
