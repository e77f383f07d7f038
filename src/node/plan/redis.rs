//! The plan of a request to Redis.

use super::{Asker, Fanout, Keys, Plan, PlanCx, Route, StoreReply, Why, Words};
use crate::cluster::route::Routing;
use crate::hashkit::{self, Token};
use crate::node::flight::judge::join::CURSOR_BITS;
use crate::node::limits;
use crate::node::msg::Flags;
use crate::proto::Class;
use crate::proto::redis::command::{Command, Serve, Transaction};
use crate::proto::redis::flags::cat;
use crate::proto::redis::inline;
use crate::proto::redis::join::JoinRule;
use crate::proto::redis::keys::KeysError;
use crate::proto::redis::lookup::{find, lookup};
use crate::proto::redis::resp3::{Form, form};
use crate::proto::redis::{effect, errors};

/// The plan of a request of `argc` arguments if its command alone decides it; `None` if the arguments have to be
/// looked at.
#[inline]
pub(in crate::node) fn at_sight(
    cx: &PlanCx<'_>,
    command: Option<&'static Command>,
    argc: u32,
) -> Option<Plan> {
    let found = command.and_then(|command| Some((command, cx.sights.plan(cx, command, argc)?)));
    if argc > limits::ARGUMENTS {
        return Some(oversized(cx, found));
    }
    found.map(|(_, plan)| plan)
}

/// The plan of a request with more arguments than are looked at.
#[cold]
fn oversized(cx: &PlanCx<'_>, found: Option<(&'static Command, Plan)>) -> Plan {
    let passes = |command: &Command| match cx.asker {
        Asker::Client { .. } => cx.facts.alone && command.fixed_form().is_some(),
        Asker::Peer { .. } => true,
    };
    match found {
        Some((command, plan)) if passes(command) => plan,
        _ => Plan::Refuse(Why::Line(errors::TOO_MANY_ARGUMENTS)),
    }
}

/// The plan of a request whose arguments are these, name first. Its keys are put into `keys`.
pub(in crate::node) fn plan(cx: &PlanCx<'_>, args: &[&[u8]], keys: &mut Keys) -> Plan {
    keys.clear();
    if let Asker::Client { behind_multi, .. } = cx.asker {
        // A browser tricked into speaking to us.
        if args.first().is_some_and(|name| inline::is_http(name)) {
            return Plan::Refuse(Why::Http);
        }
        if behind_multi {
            match transaction_of(args) {
                Transaction::None => return Plan::Refuse(Why::BehindMulti),
                Transaction::Runs => return Plan::Refuse(Why::Line(errors::EXEC_ABORT)),
                Transaction::Begins | Transaction::Ends => {}
            }
        }
    }
    let command = match find(args) {
        Ok(command) => command,
        Err(why) => return Plan::Refuse(Why::Unresolved(why)),
    };
    let refined = command.refine(args);
    match (refined.serve, cx.asker) {
        (Serve::Proxy, Asker::Client { .. }) => return Plan::Session(command),
        (serve, _) if is_routed(cx, serve) => {}
        (serve, _) => return Plan::Refuse(Why::Unserved(command, serve.why())),
    }
    if let Err(error) = command.keys(args, &mut keys.keys)
        && !serves_keyless(cx, command, error)
    {
        return of_wrong_keys(cx, command, error);
    }
    let found = keys.keys.iter().filter_map(|key| args.get(key.index));
    let route = |form| route(cx, command, refined.class, form);
    match cx.asker {
        Asker::Client { .. } => {
            keys.tokens.extend(found.map(|key| cx.token(key)));
            of_client(
                cx,
                command,
                refined.serve,
                route(form(command, args)),
                args,
                keys,
            )
        }
        Asker::Peer { forward, is_modern } => {
            // Where all keys are for this node, the first says where they are.
            let counted = if forward { usize::MAX } else { 1 };
            keys.tokens
                .extend(found.take(counted).map(|key| cx.token(key)));
            let route = route(Form::Plain);
            let plan = of_peer(cx, route, forward);
            match plan {
                Plan::Keyed(..) if cx.have_one_owner(&route, &keys.tokens) => plan,
                Plan::Keyed(..) if refined.serve == Serve::Split => Plan::Split(route),
                // Run where its first key belongs, RENAME would lose the value, and SUNIONSTORE replace one by less.
                Plan::Keyed(..) if is_modern => {
                    Plan::Refuse(Why::Line(errors::spans_nodes(command)))
                }
                // A C node runs it there too, in its own datacenter.
                plan => plan,
            }
        }
    }
}

/// The part that a request, name first, has in a transaction.
pub(in crate::node) fn transaction_of(args: &[&[u8]]) -> Transaction {
    let command = args.first().and_then(|name| lookup(name));
    command.map_or(Transaction::None, |command| command.transaction)
}

/// The plan of a client's request that is served and has these keys.
fn of_client(
    cx: &PlanCx<'_>,
    command: &'static Command,
    serve: Serve,
    route: Route,
    args: &[&[u8]],
    keys: &Keys,
) -> Plan {
    let tokens = keys.tokens.as_slice();
    if cx.is_purge(command.purges) {
        return cx.purge(route, tokens);
    }
    if !cx.have_one_owner(&route, tokens) {
        return match serve {
            Serve::Split => Plan::Split(route),
            _ => Plan::Refuse(Why::Line(errors::spans_nodes(command))),
        };
    }
    if let Some(option) = stray_pattern(cx, command, &route, args, keys.first()) {
        return Plan::Refuse(Why::PatternSpansNodes(option));
    }
    if !is_by_key(serve) {
        return match is_fanned_out(cx, serve) {
            true => fan_out(cx, command, serve, route, args),
            false => Plan::Store(route, store_reply(command, args)),
        };
    }
    if !cx.facts.replicated || command.replicates_as_is(args.len()) {
        return Plan::Keyed(route, Words::AsTheyAre);
    }
    match effect::has_effect(command, args) {
        true => Plan::TwoStep(route),
        false => Plan::Keyed(route, Words::AbsoluteTimes),
    }
}

/// The plan of a peer's request whose keys, if any, have one owner.
pub(super) fn of_peer(cx: &PlanCx<'_>, route: Route, forward: bool) -> Plan {
    let by_key = matches!(route.routing, Routing::Normal | Routing::OwnRackOnly);
    match forward && !cx.facts.alone && by_key {
        true => Plan::Keyed(route, Words::AsTheyAre),
        false => Plan::Store(route, StoreReply::AsItIs),
    }
}

/// The plan of a request whose keys cannot be found. Some every datastore refuses for their number of keys: the
/// local one says why, if the row leaves that to it, for `FCALL` looks for the function first, and an older Redis does
/// not know the command at all.
fn of_wrong_keys(cx: &PlanCx<'_>, command: &'static Command, error: KeysError) -> Plan {
    let is_refused = match error {
        KeysError::NotAnInteger | KeysError::Negative | KeysError::TooMany => true,
        // A script runs without keys.
        KeysError::Zero => command.categories & cat::SCRIPTING == 0,
        _ => false,
    };
    if is_refused && command.store_refuses && matches!(cx.asker, Asker::Client { .. }) {
        let route = Route {
            routing: Routing::LocalNode,
            ..route(cx, command, Class::Read, Form::Plain)
        };
        return Plan::Store(route, StoreReply::AsItIs);
    }
    Plan::Refuse(Why::Keys(command, error))
}

/// How a request with this command is placed and counted.
pub(super) fn route(cx: &PlanCx<'_>, command: &Command, class: Class, form: Form) -> Route {
    Route {
        row: command.index(),
        routing: match command.serve {
            Serve::LocalNode | Serve::RackNodes => Routing::LocalNode,
            Serve::AllNodes | Serve::AllNodesGuarded => Routing::AllNodes,
            _ if command.own_rack => Routing::OwnRackOnly,
            _ => Routing::Normal,
        },
        counted: command.counted,
        class,
        level: cx.level(class),
        flags: match command.runs_beside_scripts() {
            true => Flags::BESIDE_SCRIPTS,
            false => Flags::default(),
        },
        form,
    }
}

/// Returns true if this kind of command is sent to the owners of its keys.
pub(super) fn is_by_key(serve: Serve) -> bool {
    matches!(serve, Serve::Keyed | Serve::Split | Serve::SameNode)
}

/// Returns true if this kind of command is forwarded to a datastore.
pub(super) fn is_routed(cx: &PlanCx<'_>, serve: Serve) -> bool {
    match serve {
        Serve::Keyed
        | Serve::Split
        | Serve::SameNode
        | Serve::LocalNode
        | Serve::RackNodes
        | Serve::AllNodes => true,
        Serve::AllNodesGuarded => cx.options.enable_flush,
        Serve::Proxy | Serve::Refused(_) => false,
    }
}

/// Returns true if this kind of command is answered by several nodes together.
fn is_fanned_out(cx: &PlanCx<'_>, serve: Serve) -> bool {
    match serve {
        // With one node in each rack, this one is all of it.
        Serve::RackNodes => {
            cx.facts.needs_hash && !cx.options.local_scan && cx.options.admin_operation == 0
        }
        Serve::AllNodes | Serve::AllNodesGuarded => !cx.facts.alone,
        _ => false,
    }
}

/// Returns true if the place of a direct command depends on nothing, or on its first argument alone.
pub(super) fn is_placed_by_first(cx: &PlanCx<'_>, command: &Command) -> bool {
    !cx.facts.needs_hash
        || match command.serve {
            Serve::Keyed => command.first_key == 1,
            Serve::LocalNode => true,
            Serve::RackNodes => !is_fanned_out(cx, command.serve),
            _ => false,
        }
}

/// Returns true if a request is a script without keys, and every rack is one node: then it matters to none
/// of them that nothing says which node of a rack is to run it.
pub(super) fn serves_keyless(cx: &PlanCx<'_>, command: &Command, error: KeysError) -> bool {
    error == KeysError::Zero && command.runs_script() && !cx.facts.needs_hash
}

/// The option with a pattern from which the datastore would make keys that other nodes own: it would look for them
/// in vain, and answer, or store, as if they did not exist.
///
/// A pattern is fit if every key made from it has the same hash tag, and that tag's owner is the owner of the
/// request's own keys in every rack that may see the request.
fn stray_pattern(
    cx: &PlanCx<'_>,
    command: &Command,
    route: &Route,
    args: &[&[u8]],
    own: Token,
) -> Option<&'static str> {
    if !command.has_patterns || !cx.facts.needs_hash {
        return None;
    }
    let is_fit = |prefix: &[u8]| {
        let tag = hashkit::tag_of(prefix, cx.options.hash_tag);
        tag.is_some() && cx.have_one_owner(route, &[own, cx.token(prefix)])
    };
    let mut patterns = command.patterns(args);
    let stray = patterns.find(|pattern| !is_fit(pattern.prefix))?;
    Some(stray.option)
}

/// How the reply of the local datastore becomes the client's, if a command asks it for something of its own.
fn store_reply(command: &Command, args: &[&[u8]]) -> StoreReply {
    match command.join {
        JoinRule::Settings => StoreReply::Settings,
        JoinRule::Docs => {
            let names = args.get(2..).unwrap_or_default();
            let is_own = |name: &&[u8]| lookup(name).is_some_and(|row| row.summary().is_some());
            StoreReply::Docs {
                with_own: names.is_empty() || names.iter().any(is_own),
            }
        }
        _ => StoreReply::AsItIs,
    }
}

/// The plan of a client's request that several nodes answer together.
fn fan_out(cx: &PlanCx<'_>, command: &Command, serve: Serve, route: Route, args: &[&[u8]]) -> Plan {
    if command.join == JoinRule::Cursor {
        return match go_on_at(cx, args.get(1).copied().unwrap_or_default()) {
            Some(fanout) => Plan::Fanout(route, fanout),
            None => Plan::Refuse(Why::Line(errors::INVALID_CURSOR)),
        };
    }
    // What only asks needs one copy of the data, what changes something all.
    let (routing, fanout) = match (route.class, serve) {
        (_, Serve::AllNodesGuarded) => (Routing::AllNodes, Fanout::Everywhere),
        (Class::Read, _) => (Routing::AllNodesOwnRack, Fanout::Rack),
        (Class::Write, _) => (Routing::AllNodes, Fanout::Cluster),
    };
    Plan::Fanout(Route { routing, ..route }, fanout)
}

/// The node of this rack that a cursor belongs to.
fn go_on_at(cx: &PlanCx<'_>, cursor: &[u8]) -> Option<Fanout> {
    // Decimal digits of at most 64 bits.
    if !cursor.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let cursor: u64 = std::str::from_utf8(cursor).ok()?.parse().ok()?;
    let place = u16::try_from(cursor >> CURSOR_BITS).ok()?;
    let owners = cx.topology.rack(cx.topology.my_rack())?.ring.owners();
    Some(Fanout::Cursor {
        node: *owners.get(usize::from(place))?,
        place,
        of: owners.len() as u16,
        inner: cursor & ((1 << CURSOR_BITS) - 1),
    })
}
