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
    key("listen", Listen, "", "", Live, Restart, "The address for clients; required."),
    key("dyn_listen", Listen, "", "", Live, Restart, "The address for other nodes; required. The text before the last colon is this node's name for its peers."),
    key("stats_listen", Listen, "0.0.0.0:22222", "", Live, Restart, "The address for statistics and administration over HTTP. Anybody who reaches it can read; see dynomite-security(7)."),
    key("stats_interval", Number, "30000", "milliseconds", Inert, Nothing, "Accepted for old files. Statistics are always current."),
    key("servers", Server, "", "", Live, Restart, "The one datastore of this node; required. The weight is required and has no effect."),
    key("data_store", Number, "0", "0 or 1", Live, Restart, "The datastore's protocol: 0 for Redis, 1 for memcached."),
    key("tokens", Tokens, "", "0 to 4294967295", Live, Restart, "This node's position on its rack's ring; required. Give one token as long as any node runs the C original."),
    key("dyn_seeds", Seeds, "", "", Live, Reload, "The other nodes that are known from the start. The entry with this node's own datacenter, rack and token is ignored."),
    key("dyn_seed_provider", Provider, "simple_provider", "", Live, Restart, "The source of further nodes, asked again and again while the node runs: none (simple_provider), HTTP (florida_provider), DNS (dns_provider) or a file (file_provider, which the C original does not know). See ENVIRONMENT and SEEDS in dynomite(8). The nodes in dyn_seeds stay in addition."),
    key("datacenter", Text, "localdc", "", Live, Restart, "The datacenter of this node."),
    key("rack", Text, "localrack", "", Live, Restart, "The rack of this node. Each rack holds a full copy of the data."),
    key("env", Text, "aws", "", Live, Restart, "Selects the environment variables with this node's public name and address. If the value starts with aws, EC2_PUBLIC_HOSTNAME and EC2_PUBLIC_IPV4 win over PUBLIC_HOSTNAME and PUBLIC_IPV4; with any other value the reverse."),
    key("enable_gossip", Bool, "false", "", Inert, Nothing, "Accepted, with a warning if true, like the option -g. This version has no gossip, and ignores that of other nodes."),
    key("gos_interval", Number, "30000", "milliseconds", Inert, Nothing, "Accepted for old files. There is no gossip; DYNOMITE_SEEDS_INTERVAL_MS sets how often a seeds provider is asked, see dynomite(8)."),
    key("hash", Hash, "murmur", "one_at_a_time, md5, crc16, crc32, crc32a, fnv1_64, fnv1a_64, fnv1_32, fnv1a_32, hsieh, murmur or jenkins", Live, Restart, "The hash that turns a key into a position on the ring. Must be the same on every node."),
    key("hash_tag", HashTag, "", "", Live, Restart, "An opening and a closing character. Only the part of a key between them is hashed, which keeps keys together. Must be the same on every node."),
    key("timeout", Number, "5000", "milliseconds", Live, Reload, "How long the datastore may take to answer a request. Peers have longer, see PEERS in dynomite(8)."),
    key("preconnect", Bool, "true", "", Live, Restart, "Connect to the datastore before clients are accepted."),
    key("auto_eject_hosts", Bool, "true", "", Inert, Nothing, "Accepted for old files. A failed datastore is always retried, with growing pauses."),
    key("server_retry_timeout", Number, "10000", "milliseconds", Live, Reload, "The longest pause between two attempts to reach the datastore. Pauses grow from 1 second by doubling."),
    key("server_failure_limit", Number, "3", "failures", Inert, Nothing, "Accepted for old files, together with auto_eject_hosts."),
    key("backlog", Number, "512", "connections", Live, Restart, "How many connections the kernel queues for each listener until they are accepted."),
    key("client_connections", Number, "0", "connections", Live, Reload, "The largest number of clients at a time. 0 means no limit."),
    key("datastore_connections", Count, "1", "connections", Live, Restart, "Connections to the datastore."),
    key("local_peer_connections", Count, "1", "connections", Live, Restart, "Connections to each peer in this datacenter."),
    key("remote_peer_connections", Count, "1", "connections", Live, Restart, "Connections to each peer in another datacenter."),
    key("secure_server_option", Secure, "none", "", Live, Restart, "The peers to encrypt to: none, those in other racks, those in other datacenters, or all. Must be the same on every node."),
    key("pem_key_file", Text, "conf/dynomite.pem", "", Live, Restart, "The RSA private key that wraps the session keys between peers; the same file on every node. 1024 bits while any node runs the C original, else 2048 to 4096. With secure_server_option none it is optional, and used to read what peers send encrypted. Relative to the working directory."),
    key("recon_key_file", Text, "conf/recon_key.pem", "", Inert, Nothing, "Accepted for old files. Never read."),
    key("recon_iv_file", Text, "conf/recon_iv.pem", "", Inert, Nothing, "Accepted for old files. Never read."),
    key("read_consistency", Consistency, "DC_ONE", "", Live, Reload, "How many replicas must answer a read, in any case of letters; see dynomite-consistency(7)."),
    key("write_consistency", Consistency, "DC_ONE", "", Live, Reload, "How many replicas must answer a write, in any case of letters; see dynomite-consistency(7)."),
    key("read_repairs_enabled", Bool, "false", "", Inert, Nothing, "Accepted, with a warning if true. This version does not repair replicas that have an older value."),
    key("conn_msg_rate", Number, "50000", "messages per second", Live, Reload, "The largest number of messages to one peer in another datacenter, for each connection."),
    key("mbuf_size", Number, "16384", "bytes, 512 to 512000, a multiple of 16", Live, Restart, "The size of a buffer; overrides the option -m. Must be the same on all nodes that encrypt to each other, and on all nodes beside nodes of the C original."),
    key("max_msgs", Number, "200000", "messages, 100000 to 1000000", Live, Restart, "The largest number of messages under way; overrides the option -M. Together with mbuf_size it limits memory, see dynomite-tuning(7)."),
    key("dyn_read_timeout", Number, "10000", "milliseconds", Inert, Nothing, "Accepted for old files. Use timeout."),
    key("dyn_write_timeout", Number, "10000", "milliseconds", Inert, Nothing, "Accepted for old files. Use timeout."),
    key("dyn_port", Number, "0", "", Inert, Nothing, "Accepted for old files. dyn_listen has the port."),
    key("dyn_connections", Number, "100", "connections", Inert, Nothing, "Accepted for old files."),
    key("distribution", Any, "", "", Deprecated, Nothing, "Ignored with a warning. There is one distribution."),
    key("server_connections", Any, "", "", Deprecated, Nothing, "Ignored with a warning. Use datastore_connections."),
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
