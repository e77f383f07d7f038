//! The changes that can be made over HTTP. Each replies as the C original does and returns a line for the
//! log with the old and the new value; anything else is refused and changes nothing.

use super::response::Status;
use super::routes::Call;
use crate::cluster::id::NodeId;
use crate::cluster::peer_state::PeerState;
use crate::cluster::timeout::FACTORS;
use crate::consistency::Consistency;
use crate::logging;
use crate::node::Operator;
use crate::node::operator::SETTABLE;
use crate::proto::Class;
use std::borrow::Cow;

/// A change that was made.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    /// The line for the log: what was changed, the old and the new value.
    pub what: String,
    /// The body of the response.
    pub body: Cow<'static, str>,
}

/// A change that was not made: the status, and a reason of one line.
#[derive(Debug, PartialEq, Eq)]
pub struct Denied(pub Status, pub String);

/// The result of a request for a change.
pub type Outcome = Result<Change, Denied>;

fn made(what: String) -> Outcome {
    let body = Cow::Borrowed("OK\r\n");
    Ok(Change { what, body })
}

fn bad(why: &str) -> Outcome {
    Err(Denied(Status::BAD_REQUEST, why.to_owned()))
}

/// Digits only; larger numbers count as the largest.
fn number(text: &str) -> Option<u32> {
    if text.is_empty() || !text.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u32::MAX))
}

fn set_level(level: u8) -> Outcome {
    let old = logging::level();
    let new = logging::set_level(level);
    made(format!("log level {old} -> {new}"))
}

/// `/setloglevel/<n>`: above 11 is 11.
pub fn log_level(call: &mut Call<'_>) -> Outcome {
    match number(call.rest) {
        Some(level) => set_level(u8::try_from(level).unwrap_or(u8::MAX)),
        None => bad("the log level is a number from 0 to 11"),
    }
}

/// `/loglevelup`.
pub fn log_level_up(_: &mut Call<'_>) -> Outcome {
    set_level(logging::level().saturating_add(1))
}

/// `/logleveldown`.
pub fn log_level_down(_: &mut Call<'_>) -> Outcome {
    set_level(logging::level().saturating_sub(1))
}

/// `/historeset`.
pub fn reset_histograms(call: &mut Call<'_>) -> Outcome {
    call.control.operator().reset_histograms();
    made("histograms cleared".to_owned())
}

/// `/set_consistency/<read|write>/<level>`.
pub fn consistency(call: &mut Call<'_>) -> Outcome {
    let (access, level) = call.rest.split_once('/').unwrap_or((call.rest, ""));
    let access_of = match access {
        "read" => Class::Read,
        "write" => Class::Write,
        _ => return bad("it is /set_consistency/read/... or /set_consistency/write/..."),
    };
    let Ok(level) = level.parse::<Consistency>() else {
        return bad("the level is dc_one, dc_quorum, dc_safe_quorum or dc_each_safe_quorum");
    };
    let old = call.control.operator().set_consistency(access_of, level);
    made(format!("{access} consistency {old} -> {level}"))
}

/// `/set_timeout_factor/<n>`: taken into 1 to 10.
pub fn timeout_factor(call: &mut Call<'_>) -> Outcome {
    let Some(factor) = number(call.rest) else {
        return bad("the timeout factor is a number from 1 to 10");
    };
    let factor = factor.clamp(*FACTORS.start(), *FACTORS.end());
    let old = call.control.operator().set_timeout_factor(factor);
    made(format!("timeout factor {old} -> {factor}"))
}

/// `/state/<word>`: one of the settable states in lower case.
pub fn state(call: &mut Call<'_>) -> Outcome {
    let named = |state: &&PeerState| state.name().to_ascii_lowercase() == call.rest;
    let Some(&state) = SETTABLE.iter().find(named) else {
        return bad("the state is standby, writes_only, resuming or normal");
    };
    match call.control.operator().set_state(state, call.now) {
        Some(old) => made(format!("state {old} -> {state}")),
        None => bad("this state cannot be set"),
    }
}

/// `/reload`: as SIGHUP does. Answers with one line for each difference from the configuration before.
pub fn reload(call: &mut Call<'_>) -> Outcome {
    match call.control.reload(call.now) {
        Ok(lines) => Ok(Change {
            what: "configuration read again".to_owned(),
            body: lines
                .iter()
                .map(|line| format!("{line}\r\n"))
                .chain(["OK\r\n".to_owned()])
                .collect::<String>()
                .into(),
        }),
        Err(problems) => Err(Denied(Status::CONFLICT, problems.join("; "))),
    }
}

/// `/read_repairs/<enable|disable>`: there are none to switch.
pub fn read_repairs(call: &mut Call<'_>) -> Outcome {
    match call.rest {
        "enable" => Err(Denied(
            Status::NOT_IMPLEMENTED,
            "Read Repairs: DISABLED (this version has none)".to_owned(),
        )),
        "disable" => Ok(Change {
            what: "read repairs DISABLED -> DISABLED".to_owned(),
            body: Cow::Borrowed("Read Repairs: DISABLED\r\n"),
        }),
        _ => bad("it is /read_repairs/enable or /read_repairs/disable"),
    }
}

/// `/peer/<down|up|reset>/<name>`, where the name is a host, `host:port`, a seed's name,
/// `dc/rack/token`, or `all` for every peer.
pub fn peer(call: &mut Call<'_>) -> Outcome {
    let (verb, name) = call.rest.split_once('/').unwrap_or((call.rest, ""));
    if !matches!(verb, "down" | "up" | "reset") || name.is_empty() {
        return bad("it is /peer/down/<name>, /peer/up/<name> or /peer/reset/<name>");
    }
    let mut node = call.control.operator();
    let peers = find(&node, name)?;
    let mut lines = Vec::new();
    for peer in peers {
        let before = node.peer_state(peer);
        let address = node
            .topology()
            .node(peer)
            .map(|node| node.member.to_string())
            .unwrap_or_default();
        match verb {
            "down" | "up" => {
                let barred = node.bar_peer(peer, verb == "down");
                let word = |barred| if barred { "barred" } else { "free" };
                lines.push(format!(
                    "peer {address} {} -> {}",
                    word(barred),
                    word(verb == "down")
                ));
            }
            _ => {
                node.renew_peer(peer, call.now);
                lines.push(format!("peer {address} {before} -> {}", PeerState::Reset));
            }
        }
    }
    made(lines.join(", "))
}

/// The peers of this name: one, or `all`.
fn find(node: &Operator<'_>, name: &str) -> Result<Vec<NodeId>, Denied> {
    let nodes = node.topology().nodes();
    let is_named = |member: &crate::cluster::member::Member| {
        let endpoint = member.endpoint.to_string();
        let host = match &member.endpoint {
            crate::config::Endpoint::Tcp { host, .. } => host.as_str(),
            crate::config::Endpoint::Unix(_) => endpoint.as_str(),
        };
        let placed = |token: &crate::hashkit::Token| {
            format!("{}/{}/{token}", member.dc, member.rack) == name
        };
        [member.name.as_str(), host, endpoint.as_str()].contains(&name)
            || member.tokens.iter().any(placed)
    };
    let peers = (0..).map(NodeId).zip(nodes).skip(1);
    let found: Vec<NodeId> = peers
        .filter(|(_, node)| name == "all" || is_named(&node.member))
        .map(|(id, _)| id)
        .collect();
    let denied = |status, why: &str| Err(Denied(status, why.to_owned()));
    match found.len() {
        0 if nodes.first().is_some_and(|me| is_named(&me.member)) => denied(
            Status::BAD_REQUEST,
            "that is this node itself, whose state is set by /state/...",
        ),
        0 => denied(Status::NOT_FOUND, "there is no such peer"),
        1 => Ok(found),
        _ if name == "all" => Ok(found),
        _ => denied(
            Status::CONFLICT,
            "several peers have this name: use host:port or dc/rack/token",
        ),
    }
}
