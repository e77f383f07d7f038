//! The one table of settings.
//!
//! A row is the whole definition of a setting: its key, its type in [`Settings`], how its text is read,
//! its default, its unit, whether the C original knows it, when a change takes effect, and its help. The
//! field, the environment variable, the checks, the comparison at a reload, the suggestions for unknown keys
//! and the manual pages come from the row. A new setting is a row here and its use.
//!
//! A file that holds a [`New`] key cannot be loaded by the C original, so a new key needs a default that
//! leaves an unchanged file's behaviour alone. A key that a [`Reload`] changes needs its row in
//! `reactor/reload.rs`, too: without it nothing compiles.

use super::Overrides;
use super::address::Listen;
use super::check::Checker;
use super::keys::Effect::{Nothing, Reload, Restart};
// The kinds of listeners and of consistency levels have the names of their types.
use super::keys::Kind::{
    Any, Bool, Consistency as Level, Count, Hash, HashTag, Listen as Address, NameServer, Number,
    Port, Provider, Range, Secure, Seeds, Server, Text, Tokens,
};
use super::keys::Status::{Deprecated, Inert, Live, New, Older};
use super::keys::{Field, Key, stands_for, without_setting};
use super::server::{Datastore, Seed};
use super::value::Value;
use super::values::{MAX_NUMBER, SecureOption, SeedProvider, StoreKind, digits};
use crate::consistency::Consistency;
use crate::hashkit::{HashKind, Token};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

macro_rules! settings {
    (
        $($name:ident: $type:ty = $kind:expr, $default:literal, $unit:literal, $status:expr, $effect:expr, $help:literal;)*
        ---
        $($other:expr;)*
    ) => {
        /// Everything a node is told by its configuration files, its environment and its command line. Fields
        /// have the names of their keys.
        #[derive(Clone, Debug, PartialEq)]
        pub struct Settings {
            /// The root key of the file; a name in messages and statistics only.
            pub pool_name: String,
            /// The number behind `-x`: above 0 no peer is connected to; at 1 `DEL` is not replicated, and done
            /// only if this node owns the keys.
            pub admin_operation: u32,
            $(#[doc = $help] pub $name: $type,)*
        }

        /// Every key: those with a setting, the original's 42 before ours; then those that are only read.
        /// Defaults are the original's since v0.5.8, not the stale ones of its README.
        pub const KEYS: &[Key] = &[
            $(Key {
                name: stringify!($name),
                kind: $kind,
                default: $default,
                unit: $unit,
                status: $status,
                effect: $effect,
                help: $help,
                field: Some(Field {
                    text: |settings| Value::text(&settings.$name),
                    copy: |to, from| to.$name.clone_from(&from.$name),
                }),
                stands_for: None,
            },)*
            $($other,)*
        ];

        impl Settings {
            /// Reads the value of every row; `None` if a required one is missing or refused.
            pub(super) fn read(values: &mut Checker<'_>, cli: &Overrides) -> Option<Settings> {
                $(let $name = <$type as Value>::read(values, stringify!($name));)*
                Some(Settings {
                    pool_name: values.pool_name.clone(),
                    admin_operation: cli.admin_operation,
                    $($name: $name?,)*
                })
            }
        }
    };
}

#[rustfmt::skip]
settings! {
    listen: Listen = Address, "", "", Live, Restart, "The address for clients; required.";
    dyn_listen: Listen = Address, "", "", Live, Restart, "The address for other nodes; required. The text before the last colon is this node's name for its peers.";
    stats_listen: Listen = Address, "0.0.0.0:22222", "", Live, Restart, "The address for statistics and administration over HTTP. Anybody who reaches it can read; see dynomite-security(7).";
    stats_interval: Duration = Number, "30000", "milliseconds", Inert, Nothing, "Accepted for old files. Statistics are always current.";
    servers: Datastore = Server, "", "", Live, Restart, "The one datastore of this node; required. The weight is required and has no effect.";
    data_store: StoreKind = Number, "0", "0 or 1", Live, Restart, "The datastore's protocol: 0 for Redis, 1 for memcached.";
    tokens: Vec<Token> = Tokens, "", "0 to 4294967295", Live, Restart, "This node's position on its rack's ring; required. Give one token as long as any node runs the C original.";
    dyn_seeds: Vec<Seed> = Seeds, "", "", Live, Reload, "The other nodes that are known from the start. The entry with this node's own datacenter, rack and token is ignored.";
    dyn_seed_provider: SeedProvider = Provider, "simple_provider", "", Live, Restart, "The source of further nodes, asked again and again while the node runs: none (simple_provider), HTTP (florida_provider), DNS (dns_provider) or a file (file_provider, which the C original does not know). See SEEDS in dynomite(8). The nodes in dyn_seeds stay in addition.";
    datacenter: String = Text, "localdc", "", Live, Restart, "The datacenter of this node.";
    rack: String = Text, "localrack", "", Live, Restart, "The rack of this node. Each rack holds a full copy of the data.";
    env: String = Text, "aws", "", Live, Restart, "Selects the environment variables with this node's public name and address. If the value starts with aws, EC2_PUBLIC_HOSTNAME and EC2_PUBLIC_IPV4 win over PUBLIC_HOSTNAME and PUBLIC_IPV4; with any other value the reverse.";
    enable_gossip: bool = Bool, "false", "", Inert, Nothing, "Accepted, with a warning if true, like the option -g. This version has no gossip, and ignores that of other nodes.";
    gos_interval: Duration = Number, "30000", "milliseconds", Inert, Nothing, "Accepted for old files. There is no gossip; seeds_interval_ms sets how often a seeds provider is asked.";
    hash: HashKind = Hash, "murmur", "one_at_a_time, md5, crc16, crc32, crc32a, fnv1_64, fnv1a_64, fnv1_32, fnv1a_32, hsieh, murmur or jenkins", Live, Restart, "The hash that turns a key into a position on the ring. Must be the same on every node.";
    hash_tag: Option<[u8; 2]> = HashTag, "", "", Live, Restart, "An opening and a closing character. Only the part of a key between them is hashed, which keeps keys together. Must be the same on every node.";
    timeout: Duration = Number, "5000", "milliseconds", Live, Reload, "How long the datastore may take to answer a request. Peers have longer, see PEERS in dynomite(8).";
    preconnect: bool = Bool, "true", "", Live, Restart, "Connect to the datastore before clients are accepted.";
    auto_eject_hosts: bool = Bool, "true", "", Inert, Nothing, "Accepted for old files. A failed datastore is always retried, with growing pauses.";
    server_retry_timeout: Duration = Number, "10000", "milliseconds", Live, Reload, "The longest pause between two attempts to reach the datastore. Pauses grow from 1 second by doubling.";
    server_failure_limit: u32 = Number, "3", "failures", Inert, Nothing, "Accepted for old files, together with auto_eject_hosts.";
    backlog: u32 = Number, "512", "connections", Live, Restart, "How many connections the kernel queues for each listener until they are accepted.";
    client_connections: u32 = Number, "0", "connections", Live, Reload, "The largest number of clients at a time. 0 means no limit.";
    datastore_connections: u8 = Count, "1", "connections", Live, Restart, "Connections to the datastore.";
    local_peer_connections: u8 = Count, "1", "connections", Live, Restart, "Connections to each peer in this datacenter.";
    remote_peer_connections: u8 = Count, "1", "connections", Live, Restart, "Connections to each peer in another datacenter.";
    secure_server_option: SecureOption = Secure, "none", "", Live, Restart, "The peers to encrypt to: none, those in other racks, those in other datacenters, or all. Must be the same on every node.";
    pem_key_file: PathBuf = Text, "conf/dynomite.pem", "", Live, Restart, "The RSA private key that wraps the session keys between peers; the same file on every node. 1024 bits while any node runs the C original, else 2048 to 4096. With secure_server_option none it is optional, and used to read what peers send encrypted. Relative to the working directory.";
    recon_key_file: PathBuf = Text, "conf/recon_key.pem", "", Inert, Nothing, "Accepted for old files. Never read.";
    recon_iv_file: PathBuf = Text, "conf/recon_iv.pem", "", Inert, Nothing, "Accepted for old files. Never read.";
    read_consistency: Consistency = Level, "DC_ONE", "", Live, Reload, "How many replicas must answer a read, in any case of letters; see dynomite-consistency(7).";
    write_consistency: Consistency = Level, "DC_ONE", "", Live, Reload, "How many replicas must answer a write, in any case of letters; see dynomite-consistency(7).";
    read_repairs_enabled: bool = Bool, "false", "", Inert, Nothing, "Accepted, with a warning if true. This version does not repair replicas that have an older value.";
    conn_msg_rate: u32 = Number, "50000", "messages per second", Live, Reload, "The largest number of messages to one peer in another datacenter, for each connection.";
    mbuf_size: usize = Number, "16384", "bytes, 512 to 512000, a multiple of 16", Live, Restart, "The size of a buffer; overrides the option -m. Must be the same on all nodes that encrypt to each other, and on all nodes beside nodes of the C original.";
    max_msgs: usize = Number, "200000", "messages, 100000 to 1000000", Live, Restart, "The largest number of messages under way; overrides the option -M. Together with mbuf_size it limits memory, see dynomite-tuning(7).";
    local_scan: bool = Bool, "false", "", New, Reload, "If true, SCAN, KEYS, DBSIZE and RANDOMKEY ask only the datastore of this node, as in the C original. If false, all nodes of this rack answer together; a cursor of SCAN then carries the number of its node in its upper 16 bits and is valid on every node of the rack.";
    enable_flush: bool = Bool, "false", "", New, Reload, "If true, FLUSHALL, FLUSHDB and memcached's flush_all empty every node of every rack and datacenter; the reply is OK only if all nodes did so, and each must have this set. If false, they are refused.";
    read_failover: bool = Bool, "true", "", New, Reload, "If true, the other racks of the datacenter are asked in order, while the time for the request lasts, when the owner of a read at DC_ONE in this rack cannot answer. If false, the read fails.";
    refuse_plaintext: bool = Bool, "false", "", New, Restart, "If true, a peer that sends an unencrypted message is closed; for clusters in which every node has secure_server_option all. If false, it is served, as by the C original.";
    remote_admin: bool = Bool, "false", "", New, Restart, "If true, the statistics port accepts changes from other machines. If false, from this machine only.";
    unknown_paths_ok: bool = Bool, "false", "", New, Restart, "If true, an unknown path on the statistics port is answered with 200 and OK, as by the C original. If false, with 404.";
    io_uring: bool = Bool, "true", "", New, Restart, "If true, many clients are read and written with one system call (io_uring) if the kernel is Linux 6.1 or later and allows it. If false, with one system call for each. The log says at start which is used.";
    log_severity: bool = Bool, "false", "", New, Restart, "If true, each line of a log file has its severity before the message: error, warning, info or debug. If false, lines are those of the C original, which scripts may match. The journal has the severity in any case.";
    seeds_interval_ms: Duration = Range(1, MAX_NUMBER), "30000", "milliseconds", New, Restart, "The time between two requests to the seeds provider.";
    seeds_grace_ms: Duration = Range(0, MAX_NUMBER), "120000", "milliseconds", New, Restart, "How long a node stays in the cluster after the list of the seeds provider no longer names it.";
    dns_name: String = Text, "_dynomite.ec2-internal", "", New, Restart, "For dns_provider: the name whose TXT records list the nodes. All records count, in any order; the strings of a record are joined.";
    dns_type: String = Text, "TXT", "", New, Nothing, "The type A has no effect, since an address does not name a rack.";
    dns_server: Option<SocketAddr> = NameServer, "", "", New, Restart, "For dns_provider: the name server to ask, instead of those in resolv.conf(5).";
    florida_ip: String = Text, "127.0.0.1", "", New, Restart, "For florida_provider: the HTTP server's address or name. The node waits two seconds for the connection and five for the answer.";
    florida_port: u16 = Port, "8080", "", New, Restart, "For florida_provider: the HTTP server's port.";
    florida_request: String = Text, "/REST/v1/admin/get_seeds", "", New, Restart, "For florida_provider: the path to ask for if it begins with a slash; otherwise the whole request to send.";
    seeds_file: PathBuf = Text, "/etc/dynomite/seeds.list", "", New, Restart, "For file_provider: the file with the list. The node reads it again when it changes. Lines that begin with # are ignored.";
    ---
    without_setting("dyn_read_timeout", Number, "10000", "milliseconds", Inert, "Accepted for old files. Use timeout.");
    without_setting("dyn_write_timeout", Number, "10000", "milliseconds", Inert, "Accepted for old files. Use timeout.");
    without_setting("dyn_port", Number, "0", "", Inert, "Accepted for old files. dyn_listen has the port.");
    without_setting("dyn_connections", Number, "100", "connections", Inert, "Accepted for old files.");
    without_setting("distribution", Any, "", "", Deprecated, "Ignored with a warning. There is one distribution.");
    without_setting("server_connections", Any, "", "", Deprecated, "Ignored with a warning. Use datastore_connections.");
    stands_for("redis", Bool, "", "data_store", |text| match text { "true" => Some("0".to_owned()), _ => Some("1".to_owned()) }, "Versions before 0.5: true is data_store 0, false is data_store 1.");
    without_setting("dyn_secure_listen", Any, "", "", Older, "Ignored with a warning.");
    stands_for("stats_port", Number, "", "stats_listen", |text| digits(text).filter(|port| *port != 0).map(|port| format!("0.0.0.0:{port}")), "The same as stats_listen on 0.0.0.0 and this port.");
    stands_for("seed_provider", Provider, "", "dyn_seed_provider", |text| Some(text.to_owned()), "The same as dyn_seed_provider.");
    without_setting("auto_bootstrap", Any, "", "", Older, "Ignored with a warning, also beside the pool.");
}
