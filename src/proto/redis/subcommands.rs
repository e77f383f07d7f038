//! The subcommands that are served. One that Redis knows and that is not here is answered as an
//! unknown subcommand.
//!
//! Columns as in `table.rs`. Argument 0 is the container's name, so a first key at argument 2
//! follows the subcommand. `CLIENT SETINFO` and `NO-TOUCH` are newer than Redis 7.0; client
//! libraries send them when they connect.

use super::alike::Alike;
use super::command::Serve::*;
use super::command::{Command, Script, row};
use super::flags::{cat, flag::*};
use super::join::JoinRule;
use super::key_specs as specs;
use super::resp3::{Form, FormRule::*};

/// `ACL`.
#[rustfmt::skip]
pub(super) const ACL: &[Command] = &[
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, 0),
    row("whoami", 2, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, 0),
];
/// `CLIENT`.
#[rustfmt::skip]
pub(super) const CLIENT: &[Command] = &[
    row("caching", 3, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION),
    row("getname", 2, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION),
    row("getredir", 2, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, cat::CONNECTION),
    row("id", 2, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION),
    row("info", 2, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION).nondeterministic(),
    row("kill", -3, Proxy, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, cat::CONNECTION),
    row("list", -2, Proxy, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, cat::CONNECTION).nondeterministic(),
    row("no-evict", 3, Proxy, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, cat::CONNECTION),
    row("no-touch", 3, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION),
    row("pause", -3, Proxy, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, cat::CONNECTION),
    row("reply", 3, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION),
    row("setinfo", 4, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION),
    row("setname", 3, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION),
    row("tracking", -3, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION),
    row("trackinginfo", 2, Proxy, specs::NONE, NOSCRIPT | LOADING | STALE, cat::CONNECTION),
    row("unblock", -3, Proxy, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, cat::CONNECTION),
    row("unpause", 2, Proxy, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, cat::CONNECTION),
];
/// `COMMAND`.
#[rustfmt::skip]
pub(super) const COMMAND: &[Command] = &[
    row("count", 2, Proxy, specs::NONE, LOADING | STALE, cat::CONNECTION),
    row("docs", -2, LocalNode, specs::NONE, LOADING | STALE, cat::CONNECTION).resp3(Is(Form::Docs)).unordered().join(JoinRule::Docs),
    row("getkeys", -4, Proxy, specs::NONE, LOADING | STALE, cat::CONNECTION),
    row("getkeysandflags", -4, Proxy, specs::NONE, LOADING | STALE, cat::CONNECTION),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, cat::CONNECTION),
    row("info", -2, Proxy, specs::NONE, LOADING | STALE, cat::CONNECTION).unordered(),
    row("list", -2, Proxy, specs::NONE, LOADING | STALE, cat::CONNECTION).unordered(),
];
/// `CONFIG`.
#[rustfmt::skip]
pub(super) const CONFIG: &[Command] = &[
    row("get", -3, LocalNode, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, 0).resp3(Is(Form::Map)).join(JoinRule::Settings),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, 0),
];
/// `FUNCTION`.
#[rustfmt::skip]
pub(super) const FUNCTION: &[Command] = &[
    row("delete", 3, AllNodes, specs::NONE, WRITE | NOSCRIPT, cat::SCRIPTING),
    row("dump", 2, LocalNode, specs::NONE, NOSCRIPT, cat::SCRIPTING),
    row("flush", -2, AllNodes, specs::NONE, WRITE | NOSCRIPT, cat::SCRIPTING),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, cat::SCRIPTING),
    row("kill", 2, AllNodes, specs::NONE, NOSCRIPT | ALLOW_BUSY, cat::SCRIPTING).join(JoinRule::OneSuccess),
    row("list", -2, LocalNode, specs::NONE, NOSCRIPT, cat::SCRIPTING).resp3(Is(Form::Functions)).unordered(),
    row("load", -3, AllNodes, specs::NONE, WRITE | DENYOOM | NOSCRIPT, cat::SCRIPTING),
    row("restore", -3, AllNodes, specs::NONE, WRITE | DENYOOM | NOSCRIPT, cat::SCRIPTING),
    row("stats", 2, LocalNode, specs::NONE, NOSCRIPT | ALLOW_BUSY, cat::SCRIPTING).resp3(Is(Form::FunctionStats)).nondeterministic(),
];
/// `LATENCY`.
#[rustfmt::skip]
pub(super) const LATENCY: &[Command] = &[
    row("doctor", 2, LocalNode, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, 0).resp3(Is(Form::Verbatim)).nondeterministic(),
    row("graph", 3, LocalNode, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, 0).resp3(Is(Form::Verbatim)).nondeterministic(),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, 0),
    row("histogram", -2, LocalNode, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, 0).resp3(Is(Form::Histograms)).nondeterministic(),
    row("history", 3, LocalNode, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, 0).nondeterministic(),
    row("latest", 2, LocalNode, specs::NONE, ADMIN | NOSCRIPT | LOADING | STALE, 0).nondeterministic(),
];
/// `MEMORY`.
#[rustfmt::skip]
pub(super) const MEMORY: &[Command] = &[
    row("doctor", 2, LocalNode, specs::NONE, 0, 0).resp3(Is(Form::Verbatim)).nondeterministic(),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, 0),
    row("malloc-stats", 2, LocalNode, specs::NONE, 0, 0).resp3(Is(Form::Verbatim)).nondeterministic(),
    row("stats", 2, LocalNode, specs::NONE, 0, 0).resp3(Is(Form::MemoryStats)).nondeterministic(),
    row("usage", -3, Keyed, specs::SECOND_INSPECTED, READONLY, 0).alike(Alike::Kind),
];
/// `OBJECT`.
#[rustfmt::skip]
pub(super) const OBJECT: &[Command] = &[
    row("encoding", 3, Keyed, specs::SECOND_INSPECTED, READONLY, cat::KEYSPACE).nondeterministic().alike(Alike::Kind),
    row("freq", 3, Keyed, specs::SECOND_INSPECTED, READONLY, cat::KEYSPACE).incomparable(),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, cat::KEYSPACE),
    row("idletime", 3, Keyed, specs::SECOND_INSPECTED, READONLY, cat::KEYSPACE).incomparable(),
    row("refcount", 3, Keyed, specs::SECOND_INSPECTED, READONLY, cat::KEYSPACE).nondeterministic().alike(Alike::Kind),
];
/// `SCRIPT`.
#[rustfmt::skip]
pub(super) const SCRIPT: &[Command] = &[
    row("exists", -3, AllNodes, specs::NONE, NOSCRIPT, cat::SCRIPTING).reads().join(JoinRule::And),
    row("flush", -2, AllNodes, specs::NONE, NOSCRIPT, cat::SCRIPTING).script(Script::Forgotten),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, cat::SCRIPTING),
    row("kill", 2, AllNodes, specs::NONE, NOSCRIPT | ALLOW_BUSY, cat::SCRIPTING).join(JoinRule::OneSuccess),
    row("load", 3, AllNodes, specs::NONE, NOSCRIPT | STALE, cat::SCRIPTING).script(Script::Text(2)),
];
/// `SLOWLOG`.
#[rustfmt::skip]
pub(super) const SLOWLOG: &[Command] = &[
    row("get", -2, LocalNode, specs::NONE, ADMIN | LOADING | STALE, 0).nondeterministic(),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, 0),
    row("len", 2, LocalNode, specs::NONE, ADMIN | LOADING | STALE, 0).nondeterministic(),
];
/// `XGROUP`.
#[rustfmt::skip]
pub(super) const XGROUP: &[Command] = &[
    row("create", -5, Keyed, specs::SECOND_EXTENDED, WRITE | DENYOOM, cat::STREAM),
    row("createconsumer", 5, Keyed, specs::SECOND_EXTENDED, WRITE | DENYOOM, cat::STREAM),
    row("delconsumer", 5, Keyed, specs::SECOND_REDUCED, WRITE, cat::STREAM),
    row("destroy", 4, Keyed, specs::SECOND_REDUCED, WRITE, cat::STREAM),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, cat::STREAM),
    row("setid", -5, Keyed, specs::SECOND_UPDATED, WRITE, cat::STREAM),
];
/// `XINFO`.
#[rustfmt::skip]
pub(super) const XINFO: &[Command] = &[
    row("consumers", 4, Keyed, specs::SECOND_READ, READONLY, cat::STREAM).resp3(Is(Form::Maps)).incomparable().alike(Alike::CONSUMERS),
    row("groups", 3, Keyed, specs::SECOND_READ, READONLY, cat::STREAM).resp3(Is(Form::Maps)),
    row("help", 2, Proxy, specs::NONE, LOADING | STALE, cat::STREAM),
    row("stream", -3, Keyed, specs::SECOND_READ, READONLY, cat::STREAM).resp3(Is(Form::StreamInfo)).alike(Alike::STREAM),
];
