//! The datastore behind a node of a cluster.

use super::{Client, Memcached, Redis, Setup};
use std::path::PathBuf;

/// Which datastore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Redis,
    Memcached,
}

/// A redis-server or a memcached; ended when dropped.
#[derive(Debug)]
pub enum Store {
    Redis(Redis),
    Memcached(Memcached),
}

impl Store {
    /// Starts one with these variables in its environment.
    pub fn start_with_env(kind: Kind, env: &[(String, String)]) -> Store {
        match kind {
            Kind::Redis => Store::Redis(Redis::start_with_env(env)),
            Kind::Memcached => Store::Memcached(Memcached::start_with_env(env)),
        }
    }

    /// A node in front of it.
    pub fn setup(&self) -> Setup {
        match self {
            Store::Redis(redis) => Setup::before(redis),
            Store::Memcached(memcached) => Setup::before_memcached(memcached),
        }
    }

    /// The memcached.
    #[track_caller]
    pub fn memcached(&self) -> &Memcached {
        match self {
            Store::Memcached(memcached) => memcached,
            Store::Redis(_) => panic!("this cluster is one of Redis"),
        }
    }

    /// Ends it at once.
    pub fn kill(&mut self) {
        match self {
            Store::Redis(redis) => redis.kill(),
            Store::Memcached(memcached) => memcached.kill(),
        }
    }

    /// Starts it again, empty, where it was.
    pub fn restart(&mut self) {
        match self {
            Store::Redis(redis) => redis.restart(),
            Store::Memcached(memcached) => memcached.restart(),
        }
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        match self {
            Store::Redis(redis) => redis.pid(),
            Store::Memcached(memcached) => memcached.pid(),
        }
    }

    /// Where it listens.
    pub fn socket(&self) -> PathBuf {
        match self {
            Store::Redis(redis) => redis.socket(),
            Store::Memcached(memcached) => memcached.socket(),
        }
    }

    /// Connects to it directly.
    pub fn client(&self) -> Client {
        Client::unix(&self.socket()).expect("the server listens")
    }
}
