//! The table of fuzz targets; what each does is in a file of its own.

mod configuration;
mod http;
mod life;
mod memcache_binary;
mod memcache_reply;
mod memcache_request;
mod node;
mod pieces;
mod replies;
mod resp;
mod resp_reply;
mod resp_request;
mod seeds;

/// A function that must cope with any bytes, and the words that make its inputs interesting.
pub struct Target {
    /// Also the name of its directory of seeds.
    pub name: &'static str,
    /// Panics when something is wrong.
    pub run: fn(&[u8]),
    /// Pieces that the mutator puts in.
    pub words: &'static [&'static [u8]],
}

/// Makes a test of each row, so that the runner names and counts them.
macro_rules! targets {
    ($($name:ident: $run:expr, $words:expr;)*) => {
        /// The names of all targets.
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(#[test] fn $name() { crate::fuzz::run(&Target { name: stringify!($name), run: $run, words: $words }) })*
    };
}

// name (of the test and of the seeds): function, words
targets! {
    resp_request: resp_request::all, resp::WORDS;
    resp_reply: resp_reply::all, resp::WORDS;
    memcache_reply: memcache_reply::all, memcache_reply::WORDS;
    configuration: configuration::text, configuration::WORDS;
    http: http::conversation, http::WORDS;
    memcache_request: memcache_request::all, memcache_request::WORDS;
    memcache_binary: memcache_binary::all, memcache_binary::WORDS;
    seeds: seeds::all, seeds::WORDS;
    node_client: node::client, resp::WORDS;
    node_memcache_client: node::memcache_client, memcache_request::WORDS;
    node_memcache_binary_client: node::memcache_client, memcache_binary::WORDS;
    node_datastore: node::datastore, resp::WORDS;
    node_life: life::redis, life::WORDS;
    node_memcache_life: life::memcached, life::WORDS;
}
