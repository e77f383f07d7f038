//! What a user, an operator or a peer notices of the program: each test against real processes, files or bytes on the
//! wire. One binary, because each one more links the whole program again.

mod admin_live;
mod client_trouble;
mod clients;
mod cluster;
mod common;
mod config_any_text;
mod config_cases;
mod config_files;
mod crowds;
mod dnode;
mod hash_tool;
mod hostile;
mod idle_closed;
mod manual;
mod matrix;
mod membership;
mod memcache_binary;
mod memcache_cluster;
mod memcache_matrix;
mod memcache_pipelines;
mod mixed;
mod process_life;
mod random_pipelines;
mod store_trouble;
mod troubleshooting;
