//! What the integration tests share: a real redis-server or memcached, the program under test, clients that see
//! every byte, and a datastore that a test plays itself.
//!
//! Nothing here sleeps to wait for something, and no port is fixed: the program is ready when it says
//! so over `NOTIFY_SOCKET`, and everything else is awaited by reading. Reads give up after
//! [`PATIENCE`], so that a test fails where it would hang.

mod client;
mod clock;
mod cluster;
mod fake_store;
pub mod frames;
pub mod install;
mod memcached;
mod node;
mod process;
pub mod random;
mod redis;
mod store;
pub mod stream;
mod text_client;
mod trouble;
mod wire;

pub use client::{Client, Transcript};
pub use clock::WrongClock;
pub use cluster::{Cluster, Plan, new_key, new_key_of, next_net};
pub use fake_store::{FakeStore, StoreConn};
pub use memcached::Memcached;
pub use node::{Addresses, Node, Setup};
pub use process::{eventually, pause, resume, signal};
pub use redis::Redis;
pub use store::{Kind, Store};
pub use text_client::{TextClient, value, values, without_ids};
pub use trouble::{Chance, Fault, check_all};
pub use wire::{bytes, command, shown, words};

use std::time::Duration;

/// How long anything may take before a test fails.
pub const PATIENCE: Duration = Duration::from_secs(30);
