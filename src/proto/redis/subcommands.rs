//! The subcommands that are served. One that Redis knows and that is not here is answered as an
//! unknown subcommand.
//!
//! Columns as in `table.rs`. Argument 0 is the container's name, so a first key at argument 2
//! follows the subcommand. `CLIENT SETINFO` and `NO-TOUCH` are newer than Redis 7.0; client
//! libraries send them when they connect.

use super::alike::Alike;
use super::command::Serve::*;
use super::command::{Command, Script};
use super::flags::{cat, flag::*};
use super::join::JoinRule;
use super::key_specs as specs;
use super::resp3::{Form, FormRule::*};
use super::row::row;
use super::session::clients::AboutClients;
use super::session::{client, connection, help, introspect};
use crate::proto::legacy::column::{Legacy, Takes::*};

/// `ACL`.
#[rustfmt::skip]
pub(super) const ACL: &[Command] = &[
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, 0).by(help::write),
    row("whoami", 2, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, 0).by(connection::whoami).help(&[("WHOAMI", "Return the user of this connection, which is always the default user.")]),
];
/// `CLIENT`.
#[rustfmt::skip]
pub(super) const CLIENT: &[Command] = &[
    row("caching", 3, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION).by(client::caching).help(&[("CACHING (YES|NO)", "Needs tracking, which the proxy does not offer.")]),
    row("getname", 2, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION).by(client::get_name).help(&[("GETNAME", "Return the name of this connection.")]),
    row("getredir", 2, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION).by(client::get_redirection).help(&[("GETREDIR", "Return -1: tracking is never redirected.")]),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, cat::CONNECTION).by(help::write),
    row("id", 2, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION).by(client::id).help(&[("ID", "Return the number of this connection.")]),
    row("info", 2, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION).nondeterministic().about(AboutClients::Info).help(&[("INFO", "Return what is known about this connection.")]),
    row("kill", -3, Proxy, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, cat::CONNECTION).about(AboutClients::Kill).help(&[("KILL <address>", "Close the connection of the client with this address."), ("KILL <filter> <value> [<filter> <value> ...]", "Close the connections of this node's clients that all filters match: ID, TYPE, ADDR, LADDR, USER, MAXAGE, SKIPME.")]),
    row("list", -2, Proxy, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, cat::CONNECTION).nondeterministic().about(AboutClients::List).help(&[("LIST [TYPE NORMAL|PUBSUB|REPLICA] [ID <id> [<id> ...]]", "Describe the clients of this node.")]),
    row("no-evict", 3, Proxy, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, cat::CONNECTION).by(client::no_evict).help(&[("NO-EVICT (ON|OFF)", "Accepted; the proxy evicts no clients.")]),
    row("no-touch", 3, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION).by(client::no_touch).help(&[("NO-TOUCH (ON|OFF)", "Accepted; has no effect on the datastore.")]),
    row("pause", -3, Proxy, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, cat::CONNECTION).about(AboutClients::Pause).help(&[("PAUSE <timeout> [WRITE|ALL]", "Let the requests of this node's clients wait for so many milliseconds.")]),
    row("reply", 3, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION).by(client::reply_mode).help(&[("REPLY (ON|OFF|SKIP)", "Send replies, or none, or none for the next command.")]),
    row("setinfo", 4, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION).by(client::set_info).help(&[("SETINFO (LIB-NAME|LIB-VER) <value>", "Record the client library's name or version.")]),
    row("setname", 3, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION).by(client::set_name).help(&[("SETNAME <name>", "Name this connection.")]),
    row("tracking", -3, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION).by(client::tracking).help(&[("TRACKING OFF", "Accepted; tracking cannot be switched on.")]),
    row("trackinginfo", 2, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION).by(client::tracking_info).help(&[("TRACKINGINFO", "Report that tracking is off.")]),
    row("unblock", -3, Proxy, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, cat::CONNECTION).about(AboutClients::Unblock).help(&[("UNBLOCK <id> [TIMEOUT|ERROR]", "Return 0: no client is ever blocked.")]),
    row("unpause", 2, Proxy, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, cat::CONNECTION).about(AboutClients::Unpause).help(&[("UNPAUSE", "End a pause.")]),
];
/// `COMMAND`.
#[rustfmt::skip]
pub(super) const COMMAND: &[Command] = &[
    row("count", 2, Proxy, specs::NONE, LOADING | STALE, cat::CONNECTION).by(introspect::count).help(&[("COUNT", "Return how many there are.")]),
    row("docs", -2, LocalNode, specs::NONE, LOADING | STALE, cat::CONNECTION).resp3(Is(Form::Docs)).unordered().join(JoinRule::Docs).help(&[("DOCS [<name> ...]", "Return what the local node's datastore says of commands that are served.")]),
    row("getkeys", -4, Proxy, specs::NONE, LOADING | STALE, cat::CONNECTION).by(introspect::get_keys).help(&[("GETKEYS <request>", "Return the keys of a request.")]),
    row("getkeysandflags", -4, Proxy, specs::NONE, LOADING | STALE, cat::CONNECTION).by(introspect::get_keys_and_flags).help(&[("GETKEYSANDFLAGS <request>", "Return the keys of a request and what is done to them.")]),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, cat::CONNECTION).by(help::write),
    row("info", -2, Proxy, specs::NONE, LOADING | STALE, cat::CONNECTION).unordered().by(introspect::info).help(&[("INFO [<name> ...]", "Return details about commands.")]),
    row("list", -2, Proxy, specs::NONE, LOADING | STALE, cat::CONNECTION).unordered().by(introspect::list).help(&[("LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]", "Return the names of commands.")]),
];
/// `CONFIG`.
#[rustfmt::skip]
pub(super) const CONFIG: &[Command] = &[
    row("get", -3, LocalNode, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, 0).resp3(Is(Form::Map)).join(JoinRule::Settings).help(&[("GET <pattern> [<pattern> ...]", "Return parameters of the local node's datastore.")]),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, 0).by(help::write),
];
/// `FUNCTION`.
#[rustfmt::skip]
pub(super) const FUNCTION: &[Command] = &[
    row("delete", 3, AllNodes, specs::NONE, WRITE | NOSCRIPT, cat::SCRIPTING).help(&[("DELETE <library>", "Delete a library on all nodes.")]),
    row("dump", 2, LocalNode, specs::NONE, NOSCRIPT, cat::SCRIPTING).help(&[("DUMP", "Return the local node's libraries in serialized form.")]),
    row("flush", -2, AllNodes, specs::NONE, WRITE | NOSCRIPT, cat::SCRIPTING).help(&[("FLUSH [ASYNC|SYNC]", "Delete all libraries on all nodes.")]),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, cat::SCRIPTING).by(help::write),
    row("kill", 2, AllNodes, specs::NONE, NOSCRIPT | ALLOW_BUSY, cat::SCRIPTING).join(JoinRule::OneSuccess).help(&[("KILL", "Stop the function that runs, on all nodes.")]),
    row("list", -2, LocalNode, specs::NONE, NOSCRIPT, cat::SCRIPTING).resp3(Is(Form::Functions)).unordered().help(&[("LIST [LIBRARYNAME <pattern>] [WITHCODE]", "Describe the local node's libraries.")]),
    row("load", -3, AllNodes, specs::NONE, WRITE | DENYOOM | NOSCRIPT, cat::SCRIPTING).help(&[("LOAD [REPLACE] <code>", "Create a library on all nodes.")]),
    row("restore", -3, AllNodes, specs::NONE, WRITE | DENYOOM | NOSCRIPT, cat::SCRIPTING).help(&[("RESTORE <dump> [FLUSH|APPEND|REPLACE]", "Restore libraries on all nodes.")]),
    row("stats", 2, LocalNode, specs::NONE, NOSCRIPT | ALLOW_BUSY, cat::SCRIPTING).resp3(Is(Form::FunctionStats)).nondeterministic().help(&[("STATS", "Describe what runs on the local node.")]),
];
/// `LATENCY`.
#[rustfmt::skip]
pub(super) const LATENCY: &[Command] = &[
    row("doctor", 2, LocalNode, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, 0).resp3(Is(Form::Verbatim)).nondeterministic().help(&[("DOCTOR", "Return a report on latency for people, of the local node.")]),
    row("graph", 3, LocalNode, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, 0).resp3(Is(Form::Verbatim)).nondeterministic().help(&[("GRAPH <event>", "Draw the latency of an event on the local node.")]),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, 0).by(help::write),
    row("histogram", -2, LocalNode, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, 0).resp3(Is(Form::Histograms)).nondeterministic().help(&[("HISTOGRAM [<command> ...]", "Return how long commands took on the local node.")]),
    row("history", 3, LocalNode, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, 0).nondeterministic().help(&[("HISTORY <event>", "Return the samples of an event on the local node.")]),
    row("latest", 2, LocalNode, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, 0).nondeterministic().help(&[("LATEST", "Return the latest samples of all events on the local node.")]),
];
/// `MEMORY`.
#[rustfmt::skip]
pub(super) const MEMORY: &[Command] = &[
    row("doctor", 2, LocalNode, specs::NONE, 0, 0).resp3(Is(Form::Verbatim)).nondeterministic().help(&[("DOCTOR", "Return a report on memory for people, of the local node.")]),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, 0).by(help::write),
    row("malloc-stats", 2, LocalNode, specs::NONE, 0, 0).resp3(Is(Form::Verbatim)).nondeterministic().help(&[("MALLOC-STATS", "Return the allocator's statistics on the local node.")]),
    row("stats", 2, LocalNode, specs::NONE, 0, 0).resp3(Is(Form::MemoryStats)).nondeterministic().help(&[("STATS", "Return the memory use of the local node's datastore.")]),
    row("usage", -3, Keyed, specs::SECOND_INSPECTED, READONLY, 0).alike(Alike::Kind).help(&[("USAGE <key> [SAMPLES <count>]", "Return the bytes a key and its value take.")]),
];
/// `OBJECT`.
#[rustfmt::skip]
pub(super) const OBJECT: &[Command] = &[
    row("encoding", 3, Keyed, specs::SECOND_INSPECTED, READONLY, cat::KEYSPACE).nondeterministic().alike(Alike::Kind).help(&[("ENCODING <key>", "Return how the value is stored.")]),
    row("freq", 3, Keyed, specs::SECOND_INSPECTED, READONLY, cat::KEYSPACE).incomparable().help(&[("FREQ <key>", "Return how often the key is used, under an LFU policy.")]),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, cat::KEYSPACE).by(help::write),
    row("idletime", 3, Keyed, specs::SECOND_INSPECTED, READONLY, cat::KEYSPACE).incomparable().help(&[("IDLETIME <key>", "Return the seconds since the key was used.")]),
    row("refcount", 3, Keyed, specs::SECOND_INSPECTED, READONLY, cat::KEYSPACE).nondeterministic().alike(Alike::Kind).help(&[("REFCOUNT <key>", "Return how many references the value has.")]),
];
/// `SCRIPT`.
#[rustfmt::skip]
pub(super) const SCRIPT: &[Command] = &[
    row("exists", -3, AllNodes, specs::NONE, NOSCRIPT, cat::SCRIPTING).reads().join(JoinRule::And).help(&[("EXISTS <sha1> [<sha1> ...]", "Tell which scripts all nodes know.")]).legacy(Legacy::takes(Exactly(3))),
    row("flush", -2, AllNodes, specs::NONE, NOSCRIPT, cat::SCRIPTING).script(Script::Forgotten).help(&[("FLUSH [ASYNC|SYNC]", "Forget all scripts on all nodes.")]).legacy(Legacy::takes(Exactly(2))),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, cat::SCRIPTING).by(help::write),
    row("kill", 2, AllNodes, specs::NONE, NOSCRIPT | ALLOW_BUSY, cat::SCRIPTING).join(JoinRule::OneSuccess).help(&[("KILL", "Stop the script that runs, on all nodes.")]).legacy(Legacy::takes(Exactly(2))),
    row("load", 3, AllNodes, specs::NONE, NOSCRIPT | STALE, cat::SCRIPTING).script(Script::Text(2)).help(&[("LOAD <script>", "Make a script known on all nodes.")]).legacy(Legacy::takes(Exactly(3))),
];
/// `SLOWLOG`.
#[rustfmt::skip]
pub(super) const SLOWLOG: &[Command] = &[
    row("get", -2, LocalNode, specs::NONE, ADMIN | LOADING | STALE, 0).nondeterministic().help(&[("GET [<count>]", "Return the latest slow commands of the local node.")]),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, 0).by(help::write),
    row("len", 2, LocalNode, specs::NONE, ADMIN | LOADING | STALE, 0).nondeterministic().help(&[("LEN", "Return how many there are.")]),
];
/// `XGROUP`.
#[rustfmt::skip]
pub(super) const XGROUP: &[Command] = &[
    row("create", -5, Keyed, specs::SECOND_EXTENDED, WRITE | DENYOOM, cat::STREAM).help(&[("CREATE <key> <group> <id|$> [MKSTREAM] [ENTRIESREAD <n>]", "Create a consumer group.")]),
    row("createconsumer", 5, Keyed, specs::SECOND_EXTENDED, WRITE | DENYOOM, cat::STREAM).help(&[("CREATECONSUMER <key> <group> <consumer>", "Create a consumer.")]),
    row("delconsumer", 5, Keyed, specs::SECOND_REDUCED, WRITE, cat::STREAM).help(&[("DELCONSUMER <key> <group> <consumer>", "Remove a consumer.")]),
    row("destroy", 4, Keyed, specs::SECOND_REDUCED, WRITE, cat::STREAM).help(&[("DESTROY <key> <group>", "Remove a consumer group.")]),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, cat::STREAM).by(help::write),
    row("setid", -5, Keyed, specs::SECOND_UPDATED, WRITE, cat::STREAM).help(&[("SETID <key> <group> <id|$> [ENTRIESREAD <n>]", "Set the group's last ID.")]),
];
/// `XINFO`.
#[rustfmt::skip]
pub(super) const XINFO: &[Command] = &[
    row("consumers", 4, Keyed, specs::SECOND_READ, READONLY, cat::STREAM).resp3(Is(Form::Maps)).incomparable().alike(Alike::CONSUMERS).help(&[("CONSUMERS <key> <group>", "Describe the consumers of a group.")]),
    row("groups", 3, Keyed, specs::SECOND_READ, READONLY, cat::STREAM).resp3(Is(Form::Maps)).help(&[("GROUPS <key>", "Describe the groups of a stream.")]),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, cat::STREAM).by(help::write),
    row("stream", -3, Keyed, specs::SECOND_READ, READONLY, cat::STREAM).resp3(Is(Form::StreamInfo)).alike(Alike::STREAM).help(&[("STREAM <key> [FULL [COUNT <count>]]", "Describe a stream.")]),
];
