//! The plan of a request to memcached.

use super::{Asker, Fanout, Keys, Plan, PlanCx, Route, StoreReply, Why, Words};
use crate::cluster::route::Routing;
use crate::consistency::Consistency;
use crate::node::msg::Flags;
use crate::proto::Class;
use crate::proto::memcache::call::{Body, Call, Quiet};
use crate::proto::memcache::command::{Command, Serve};
use crate::proto::memcache::line::Outcome;
use crate::proto::memcache::request::{Kind, Versions};
use crate::proto::memcache::{errors, rewrite};
use crate::proto::redis::resp3::Form;

/// The plan of a request that is not looked at any closer; `None` if its line has to be read.
#[inline]
pub(in crate::node) fn at_sight(cx: &PlanCx<'_>, kind: &Kind) -> Option<Plan> {
    match *kind {
        Kind::Direct {
            command,
            keys,
            versions,
            ..
        } => direct(cx, command, keys, versions),
        Kind::BadChunk { .. } => Some(Plan::Refuse(Why::Line(errors::BAD_CHUNK))),
        Kind::TooLarge { .. } => Some(Plan::Refuse(Why::Line(errors::TOO_LARGE))),
        Kind::Line | Kind::Skipped => None,
    }
}

/// The plan of a request in canonical form, if it goes on unchanged.
#[inline]
fn direct(
    cx: &PlanCx<'_>,
    command: &'static Command,
    keys: u32,
    versions: Versions,
) -> Option<Plan> {
    if let Asker::Peer { forward, .. } = cx.asker
        && (!forward || cx.facts.alone)
    {
        let route = route(cx, command, command.class, false);
        return Some(Plan::Store(route, StoreReply::AsItIs));
    }
    let has_several_owners = keys > 1 && cx.facts.needs_hash;
    let is_client = matches!(cx.asker, Asker::Client { .. });
    let names_version = cx.facts.marks_versions && versions == Versions::Compared;
    let is_purge = cx.facts.needs_inspection && cx.is_purge(command.purges);
    if has_several_owners || is_client && (names_version || is_purge) {
        return None;
    }
    let gets_versions = is_client && cx.facts.marks_versions && versions == Versions::Returned;
    let route = route(cx, command, command.class, gets_versions);
    Some(Plan::Keyed(route, Words::AsTheyAre))
}

/// The plan of a request whose line says this. The tokens of its keys are put into `keys`.
pub(in crate::node) fn plan(cx: &PlanCx<'_>, outcome: &Outcome<'_>, keys: &mut Keys) -> Plan {
    keys.clear();
    let call = match (outcome, cx.asker) {
        (Outcome::Call(call), _) => call,
        (Outcome::Answer { .. }, _) => return Plan::Answer,
        (Outcome::Quit, Asker::Client { .. }) => return Plan::Close,
        (Outcome::Quit, Asker::Peer { .. }) => return Plan::Refuse(Why::Line(errors::ERROR)),
    };
    if call.command.serve == Serve::AllNodesGuarded && !cx.options.enable_flush {
        return Plan::Refuse(Why::Line(errors::FLUSH_DISABLED));
    }
    // Where all keys are for this node, the first says where they are.
    let counted = match cx.asker {
        Asker::Peer { forward: false, .. } => 1,
        _ => usize::MAX,
    };
    let tokens = call.keys().take(counted).map(|key| cx.token(&key));
    keys.tokens.extend(tokens);
    match cx.asker {
        Asker::Client { .. } => of_client(cx, call, keys),
        Asker::Peer { forward, .. } => of_peer(cx, call, keys, forward),
    }
}

fn of_client(cx: &PlanCx<'_>, call: &Call<'_>, keys: &Keys) -> Plan {
    let gets_versions = cx.facts.marks_versions && hands_out_versions(call);
    let route = quiet(route(cx, call.command, call.class(), gets_versions), call);
    let tokens = keys.tokens.as_slice();
    if cx.is_purge(call.command.purges) {
        return cx.purge(route, tokens);
    }
    if tokens.len() > 1 && (call.is_too_long() || !cx.have_one_owner(&route, tokens)) {
        return Plan::Split(route);
    }
    let names_version = rewrite::needs_one(call);
    match call.command.serve {
        Serve::AllNodesGuarded => Plan::Fanout(route, Fanout::Everywhere),
        Serve::LocalNode => Plan::Store(route, StoreReply::AsItIs),
        _ if names_version && cx.facts.replicated => Plan::TwoStep(route),
        _ if names_version && cx.facts.marks_versions => Plan::Keyed(route, Words::OwnersVersion),
        _ => Plan::Keyed(route, Words::AsTheyAre),
    }
}

fn of_peer(cx: &PlanCx<'_>, call: &Call<'_>, keys: &Keys, forward: bool) -> Plan {
    if call.is_too_long() {
        // No node of ours sends it.
        return Plan::Refuse(Why::Line(errors::LINE_TOO_LONG));
    }
    let route = quiet(route(cx, call.command, call.class(), false), call);
    match forward && !cx.facts.alone && route.routing == Routing::Normal {
        false => Plan::Store(route, StoreReply::AsItIs),
        true if cx.have_one_owner(&route, &keys.tokens) => Plan::Keyed(route, Words::AsTheyAre),
        true => Plan::Split(route),
    }
}

/// How a request is placed and counted. `gets_versions`: its reply carries versions of values.
#[inline]
fn route(cx: &PlanCx<'_>, command: &Command, class: Class, gets_versions: bool) -> Route {
    let level = cx.level(class);
    let routing = match command.serve {
        // All nodes of a datacenter ask the same replica.
        _ if gets_versions
            && class == Class::Read
            && cx.facts.replicated
            && level == Consistency::DcOne =>
        {
            Routing::FirstRack
        }
        Serve::LocalNode => Routing::LocalNode,
        Serve::AllNodesGuarded => Routing::AllNodes,
        Serve::Keyed | Serve::Split | Serve::Proxy => Routing::Normal,
    };
    Route {
        row: command.index(),
        routing,
        counted: true,
        class,
        level,
        flags: match gets_versions {
            true => Flags::UNIQUE,
            false => Flags::default(),
        },
        form: Form::default(),
    }
}

/// The same route for a request of whose answers its client does not want to get all.
fn quiet(route: Route, call: &Call<'_>) -> Route {
    let unwanted = match call.quiet {
        Quiet::No => Flags::default(),
        Quiet::All => Flags::SILENT,
        Quiet::Nominal => Flags::QUIET,
    };
    Route {
        flags: route.flags.with(unwanted),
        ..route
    }
}

/// Returns true if the answer carries versions of values.
fn hands_out_versions(call: &Call<'_>) -> bool {
    match &call.body {
        Body::Get { .. } => call.command.tells_versions,
        Body::Meta(meta) => meta.flags.iter().any(|flag| flag.first() == Some(&b'c')),
        _ => false,
    }
}
