//! The checked configuration, as the rest of the program uses it.

use super::address::Listen;
use super::server::{Datastore, Seed};
use super::values::{SecureOption, SeedProvider, StoreKind};
use crate::consistency::Consistency;
use crate::hashkit::{HashKind, Token};
use std::path::PathBuf;
use std::time::Duration;

/// Everything a node is told by its configuration file and command line. Fields have the names of
/// the keys; the table of keys ([`KEYS`](super::KEYS)) says what each means.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The root key of the file; a name in messages and statistics only.
    pub pool_name: String,
    /// Client listener.
    pub listen: Listen,
    /// Peer listener.
    pub dyn_listen: Listen,
    /// Statistics and administration.
    pub stats_listen: Listen,
    /// Without effect.
    pub stats_interval: Duration,
    /// The one datastore.
    pub datastore: Datastore,
    /// What it speaks.
    pub data_store: StoreKind,
    /// This node's tokens, 1 to [`MAX_TOKENS`](crate::hashkit::MAX_TOKENS), in reverse order
    /// within each line of the file; the first is the one announced.
    pub tokens: Vec<Token>,
    /// The other nodes, without this one and without repetitions.
    pub dyn_seeds: Vec<Seed>,
    /// Where further nodes are learned from.
    pub dyn_seed_provider: SeedProvider,
    /// This node's datacenter.
    pub datacenter: String,
    /// This node's rack.
    pub rack: String,
    /// Which environment variables name this node.
    pub env: String,
    /// Gossip, from the file or `-g`. Without effect.
    pub enable_gossip: bool,
    /// Without effect.
    pub gos_interval: Duration,
    /// Never [`HashKind::Murmur3`].
    pub hash: HashKind,
    /// Opening and closing character.
    pub hash_tag: Option<[u8; 2]>,
    /// Request timeout.
    pub timeout: Duration,
    /// Connect to the datastore before listening.
    pub preconnect: bool,
    /// Without effect.
    pub auto_eject_hosts: bool,
    /// Longest pause between attempts to reach the datastore.
    pub server_retry_timeout: Duration,
    /// Without effect.
    pub server_failure_limit: u32,
    /// `listen()` backlog of client and peer listeners.
    pub backlog: u32,
    /// Most clients; 0 is unlimited.
    pub client_connections: u32,
    /// 1 to 255.
    pub datastore_connections: u8,
    /// 1 to 255.
    pub local_peer_connections: u8,
    /// 1 to 255.
    pub remote_peer_connections: u8,
    /// Encryption towards peers.
    pub secure_server_option: SecureOption,
    /// RSA private key; relative to the working directory.
    pub pem_key_file: PathBuf,
    /// Without effect.
    pub recon_key_file: PathBuf,
    /// Without effect.
    pub recon_iv_file: PathBuf,
    /// Consistency of reads at start.
    pub read_consistency: Consistency,
    /// Consistency of writes at start.
    pub write_consistency: Consistency,
    /// Without effect.
    pub read_repairs_enabled: bool,
    /// Messages per second and connection to a remote datacenter's peer.
    pub conn_msg_rate: u32,
    /// Bytes of one buffer: 512 to 512000, a multiple of 16.
    pub mbuf_size: usize,
    /// Most messages held: 100000 to 1000000.
    pub max_msgs: usize,
}
