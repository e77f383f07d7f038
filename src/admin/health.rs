//! `/livez` and `/readyz`: the node's health as JSON, for service managers and load balancers.

use super::response::{Response, Status};
use super::routes::Call;
use crate::node::agreement::Warning;
use crate::node::operator::Check;
use serde_json::{Value, json};

/// `/livez`: 200 whenever it is answered, because the event loop that serves clients answers it.
pub fn live(call: &mut Call<'_>) -> Response {
    let state = call.control.operator().state();
    let uptime = call
        .now
        .mono_us
        .saturating_sub(call.control.identity().started.mono_us);
    Response::json(
        Status::OK,
        &json!({"status": "live", "state": state.name(), "uptime": uptime / 1_000_000}),
    )
}

/// `/readyz`: 200 if clients can connect and be served, else 503; either way all checks, with the reasons of
/// those that fail; and warnings: mismatches between this node and others, which do not keep it
/// from serving.
pub fn ready(call: &mut Call<'_>) -> Response {
    let mut checks = call.control.listener_checks();
    checks.extend(call.control.operator().health(call.now));
    let (status, word) = match checks.iter().all(|check| check.trouble.is_none()) {
        true => (Status::OK, "ready"),
        false => (Status::UNAVAILABLE, "not ready"),
    };
    let checks: Vec<Value> = checks.iter().map(shown).collect();
    let state = call.control.operator().state();
    Response::json(
        status,
        &json!({"status": word, "state": state.name(), "checks": checks, "warnings": warnings(call)}),
    )
}

/// Mismatches between this node and others.
pub(super) fn warnings(call: &mut Call<'_>) -> Vec<Value> {
    let all = call.control.operator().warnings();
    all.iter().map(warning).collect()
}

fn warning(warning: &Warning) -> Value {
    json!({
        "peer": warning.peer,
        "dc": warning.dc,
        "rack": warning.rack,
        "setting": warning.finding.setting.name(),
        "reason": warning.finding.text,
    })
}

fn shown(check: &Check) -> Value {
    match &check.trouble {
        None => json!({"name": check.name, "ok": true}),
        Some(why) => json!({"name": check.name, "ok": false, "reason": why}),
    }
}
