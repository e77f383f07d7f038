//! Dynomite: Dynamo-style replication and sharding in front of Redis and Memcached.
//!
//! # The map
//!
//! Each room may use the rooms above it and nothing below it.
//!
//! | room | what lives there |
//! |---|---|
//! | [`sys`] | every call that needs `unsafe`: to the operating system, and to a port of C's YAML parser |
//! | [`clock`], [`logging`] | what time it is, as an argument; the log gate |
//! | [`mbuf`] | the pool of fixed-size buffers, shared slices of them, chains of slices |
//! | [`consistency`] | the four consistency levels |
//! | [`hashkit`] | hash functions and ring tokens |
//! | [`stats`] | the one table of metrics, histograms, and what renders them |
//! | [`config`] | the one table of keys; YAML text to checked settings |
//! | [`proto`] | bytes to messages and back |
//! | [`cluster`] | datacenters, racks, tokens, where a request goes and how its replies are judged |
//! | [`node`] | one node as a pure state machine: no sockets, no clocks |
//! | [`driver`] | the one turn of the loop, for sockets and for simulated links |
//! | [`admin`] | the HTTP endpoint on the stats port |
//! | [`seeds`] | where lists of other nodes come from: HTTP, DNS, a file |
//! | [`process`] | log sink, signals, daemon, pid file, limits, readiness |
//! | [`reactor`] | the driver's world in production: epoll, `io_uring`, listeners, sockets |
//! | [`startup`] | what a start needs, read and checked; `-t` |
//! | [`cli`] | the command line |
//! | [`troubleshooting`] | every error text, what it means and what to do: the table behind a manual page |
//!
//! [`architecture`] follows a request through the types of these rooms.

#[cfg(doc)]
pub mod architecture;

pub mod admin;
pub mod cli;
pub mod clock;
pub mod cluster;
pub mod config;
pub mod consistency;
pub mod driver;
pub mod hashkit;
pub mod logging;
pub mod mbuf;
pub mod node;
pub mod process;
pub mod proto;
pub mod reactor;
pub mod seeds;
pub mod startup;
pub mod stats;
pub mod sys;
pub mod troubleshooting;
