//! The part of the configuration that a node uses.

use crate::cluster::timeout::request_timeout;
use crate::cluster::topology::Distance;
use crate::config::{Endpoint, SecureOption, Settings, StoreKind};
use crate::consistency::Consistency;
use crate::hashkit::HashKind;
use crate::proto::Class;
use crate::proto::dnode::{KeyPair, Security};
use std::rc::Rc;
use std::time::Duration;

/// The part of the configuration that a node uses; fields have the names of the keys where there is
/// one.
#[derive(Clone, Debug)]
pub struct Options {
    /// This node's end of client connections, as in `CLIENT INFO`.
    pub listen: String,
    /// Where our statistics are, for peers and tools; empty over a Unix socket.
    pub stats_listen: String,
    /// The protocol of the datastore (`data_store`).
    pub store: StoreKind,
    /// Where the datastore is.
    pub datastore: Endpoint,
    /// `timeout`, in µs.
    pub timeout_us: u64,
    /// `server_retry_timeout`, in µs.
    pub retry_ceiling_us: u64,
    /// Connections to the datastore, at least 1.
    pub datastore_connections: usize,
    /// Connections to each peer in this datacenter.
    pub local_peer_connections: usize,
    /// Connections to each peer in another datacenter.
    pub remote_peer_connections: usize,
    /// Connect to the datastore at once.
    pub preconnect: bool,
    /// 0 is no limit.
    pub client_connections: usize,
    /// Most requests in flight.
    pub max_msgs: usize,
    /// Bytes of one buffer.
    pub mbuf_size: usize,
    /// How keys are hashed.
    pub hash: HashKind,
    /// Opening and closing character.
    pub hash_tag: Option<[u8; 2]>,
    /// Level of reads whose client has chosen none.
    pub read_consistency: Consistency,
    /// Level of writes whose client has chosen none.
    pub write_consistency: Consistency,
    /// Messages a second to one peer in another datacenter.
    pub conn_msg_rate: u32,
    /// Which peers are spoken to encrypted.
    pub secure_server_option: SecureOption,
    /// The cluster's key, if peers are spoken to encrypted.
    pub key_pair: Option<Rc<KeyPair>>,
    /// A `DC_ONE` read is served by another rack when the owner in this one cannot answer.
    pub read_failover: bool,
    /// `SCAN`, `KEYS`, `DBSIZE` and `RANDOMKEY` ask this node's datastore alone.
    pub local_scan: bool,
    /// `FLUSHALL` and `FLUSHDB` empty every node of the cluster; if not set they are refused.
    pub enable_flush: bool,
    /// A peer whose message is not encrypted is closed.
    pub refuse_plaintext: bool,
    /// The number behind `-x`; see [`Settings::admin_operation`].
    pub admin_operation: u32,
}

impl Default for Options {
    /// The defaults of the configuration file, in front of a Redis on 127.0.0.1:6379.
    fn default() -> Options {
        Options {
            listen: "127.0.0.1:8102".into(),
            stats_listen: "127.0.0.1:22222".into(),
            store: StoreKind::Redis,
            datastore: Endpoint::Tcp {
                host: "127.0.0.1".into(),
                port: 6379,
            },
            timeout_us: 5_000_000,
            retry_ceiling_us: 10_000_000,
            datastore_connections: 1,
            local_peer_connections: 1,
            remote_peer_connections: 1,
            preconnect: true,
            client_connections: 0,
            max_msgs: 200_000,
            mbuf_size: 16_384,
            hash: HashKind::Murmur,
            hash_tag: None,
            read_consistency: Consistency::DcOne,
            write_consistency: Consistency::DcOne,
            conn_msg_rate: 50_000,
            secure_server_option: SecureOption::None,
            key_pair: None,
            read_failover: true,
            local_scan: false,
            enable_flush: false,
            refuse_plaintext: false,
            admin_operation: 0,
        }
    }
}

impl Options {
    /// The options that these settings give. `key_pair` is the content of its `pem_key_file`.
    pub fn new(settings: &Settings, key_pair: Option<Rc<KeyPair>>) -> Options {
        Options {
            listen: settings.listen.target.to_string(),
            stats_listen: match &settings.stats_listen.target {
                Endpoint::Unix(_) => String::new(),
                tcp => tcp.to_string(),
            },
            store: settings.data_store,
            datastore: settings.servers.endpoint.clone(),
            timeout_us: settings.timeout.as_micros() as u64,
            retry_ceiling_us: settings.server_retry_timeout.as_micros() as u64,
            datastore_connections: usize::from(settings.datastore_connections),
            local_peer_connections: usize::from(settings.local_peer_connections),
            remote_peer_connections: usize::from(settings.remote_peer_connections),
            preconnect: settings.preconnect,
            client_connections: settings.client_connections as usize,
            max_msgs: settings.max_msgs,
            mbuf_size: settings.mbuf_size,
            hash: settings.hash,
            hash_tag: settings.hash_tag,
            read_consistency: settings.read_consistency,
            write_consistency: settings.write_consistency,
            conn_msg_rate: settings.conn_msg_rate,
            secure_server_option: settings.secure_server_option,
            key_pair,
            read_failover: settings.read_failover,
            local_scan: settings.local_scan,
            enable_flush: settings.enable_flush,
            refuse_plaintext: settings.refuse_plaintext,
            admin_operation: settings.admin_operation,
        }
    }

    /// How many connections are made to a node of this distance; at least one.
    pub(super) fn connections(&self, distance: Distance) -> usize {
        match distance {
            Distance::Me => self.datastore_connections,
            Distance::OtherDc => self.remote_peer_connections,
            Distance::SameRack | Distance::SameDc => self.local_peer_connections,
        }
        .max(1)
    }

    /// Returns true if connections to nodes of this distance are encrypted.
    pub(super) fn is_secured(&self, distance: Distance) -> bool {
        match self.secure_server_option {
            SecureOption::None => false,
            SecureOption::Datacenter => distance == Distance::OtherDc,
            SecureOption::Rack => matches!(distance, Distance::SameDc | Distance::OtherDc),
            SecureOption::All => distance != Distance::Me,
        }
    }

    /// How long a message may wait on an upstream, in µs: by distance, for reads and for writes.
    pub(super) fn granted(&self, factor: u32) -> [[u64; 2]; 4] {
        let timeout = Duration::from_micros(self.timeout_us);
        [
            Distance::Me,
            Distance::SameRack,
            Distance::SameDc,
            Distance::OtherDc,
        ]
        .map(|distance| {
            [Class::Read, Class::Write]
                .map(|class| request_timeout(timeout, factor, distance, class).as_micros() as u64)
        })
    }

    /// The security settings for decoders of peers' requests.
    pub(super) fn security(&self) -> Security {
        Security {
            key_pair: self.key_pair.clone(),
            mbuf_size: self.mbuf_size,
            refuse_plaintext: self.refuse_plaintext,
        }
    }
}
