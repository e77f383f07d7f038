//! The one table of routes.
//!
//! A route is a row of [`ROUTES`]; finding it, 404, 405 with `Allow`, `HEAD`, `/help`, the permission to
//! change something and the line in the log follow from the row. A handler gets a [`Call`] and
//! reaches the node through [`Control`].
//!
//! A route that changes something takes `GET`, as the original's, and `POST`, and never `HEAD`: a
//! read must not change anything. Each change, and each that is refused, is one line in the log and counted.

use super::changes::{self, Change, Denied};
use super::request::{Method, Refusal, Request};
use super::response::{Response, Status};
use super::{Caller, Control, cluster, guard, health, peers};
use crate::clock::Now;
use crate::log_at;
use crate::proto::Class;
use crate::stats::prometheus;

/// One route.
pub struct Route {
    /// The whole path; or, ending in `/*`, a prefix whose non-empty remainder becomes
    /// [`Call::rest`].
    pub pattern: &'static str,
    /// Its line in `/help`; none if it is empty.
    pub usage: &'static str,
    /// Its purpose, in one line.
    pub help: &'static str,
    /// Its handler.
    pub handler: Handler,
}

/// The handler of a route.
pub enum Handler {
    /// Shows something.
    Show(fn(&mut Call<'_>) -> Response),
    /// Changes something.
    Change(fn(&mut Call<'_>) -> changes::Outcome),
}

/// The arguments of a handler.
pub struct Call<'a> {
    /// The node and its process.
    pub control: &'a mut dyn Control,
    /// The sender of the request.
    pub caller: Caller,
    /// The time.
    pub now: Now,
    /// The part of the path that `*` in the pattern matches, percent-decoded; empty without one.
    pub rest: &'a str,
}

impl Route {
    /// The methods that it accepts; others get 405.
    pub fn methods(&self) -> &'static [Method] {
        match self.handler {
            Handler::Show(_) => &[Method::Get, Method::Head],
            Handler::Change(_) => &[Method::Get, Method::Post],
        }
    }
}

/// All routes; the first that matches is taken. The order of `/help` is the original's as far as the
/// original has them.
#[rustfmt::skip]
pub const ROUTES: &[Route] = {
    use Handler::{Change, Show};
    const fn row(pattern: &'static str, usage: &'static str, help: &'static str, handler: Handler) -> Route {
        Route { pattern, usage, help, handler }
    }
    &[
        row("/", "", "the same as /info", Show(info)),
        row("/info", "/info", "all statistics, as JSON", Show(info)),
        row("/help", "/help", "this list", Show(help)),
        row("/ping", "/ping", "OK", Show(|_| Response::legacy("OK\r\n"))),
        row("/cluster_describe", "/cluster_describe", "the nodes of the cluster, as JSON", Show(cluster::describe)),
        row("/setloglevel/*", "/setloglevel/<0-11>", "set the log level", Change(changes::log_level)),
        row("/loglevelup", "/loglevelup", "raise the log level by one", Change(changes::log_level_up)),
        row("/logleveldown", "/logleveldown", "lower it by one", Change(changes::log_level_down)),
        row("/historeset", "/historeset", "clear the histograms of /info", Change(changes::reset_histograms)),
        row("/get_consistency", "/get_consistency", "the levels of requests whose client has chosen none", Show(consistency)),
        row("/set_consistency/*", "/set_consistency/<read|write>/<dc_one|dc_quorum|dc_safe_quorum|dc_each_safe_quorum>", "change one of them", Change(changes::consistency)),
        row("/get_timeout_factor", "/get_timeout_factor", "what request timeouts are multiplied by", Show(timeout_factor)),
        row("/set_timeout_factor/*", "/set_timeout_factor/<1-10>", "change it", Change(changes::timeout_factor)),
        row("/peer/*", "/peer/<up|down|reset>/<name|all>", "send no requests to a peer, send them again, connect to it anew", Change(changes::peer)),
        row("/state/get_state", "", "the state of this node", Show(state)),
        row("/state/*", "/state/<get_state|standby|writes_only|normal|resuming>", "show it or change it", Change(changes::state)),
        row("/reload", "/reload", "read the configuration again, as SIGHUP does", Change(changes::reload)),
        row("/read_repairs/*", "/read_repairs/<enable|disable>", "read repair, which this version has not", Change(changes::read_repairs)),
        row("/metrics", "/metrics", "all metrics, as Prometheus reads them", Show(metrics)),
        row("/livez", "/livez", "200 while the event loop turns", Show(health::live)),
        row("/readyz", "/readyz", "200 while clients are served, else 503 and why", Show(health::ready)),
        row("/peers", "/peers", "this node's settings and those of its peers, and what does not match, as JSON", Show(peers::peers)),
        row("/get_seeds", "/get_seeds", "the other nodes, as a seed provider tells them", Show(cluster::seeds)),
        row("/REST/v1/admin/get_seeds", "/REST/v1/admin/get_seeds", "the same where florida_provider asks for it", Show(cluster::seeds)),
        row("/REST/v1/admin/cluster_describe", "/REST/v1/admin/cluster_describe", "the nodes, as the Dyno client reads them", Show(cluster::dyno)),
    ]
};

fn info(call: &mut Call<'_>) -> Response {
    Response::legacy(call.control.info(call.now))
}

fn metrics(call: &mut Call<'_>) -> Response {
    Response {
        content_type: prometheus::CONTENT_TYPE,
        ..Response::legacy(call.control.metrics(call.now))
    }
}

/// A line for each route that has one, and an empty line, as the original ends it.
fn help(_: &mut Call<'_>) -> Response {
    let lines = ROUTES.iter().map(|route| route.usage);
    let lines: Vec<&str> = lines.filter(|usage| !usage.is_empty()).collect();
    Response::legacy(format!("{}\n\n", lines.join("\n")))
}

fn consistency(call: &mut Call<'_>) -> Response {
    let node = call.control.operator();
    Response::legacy(format!(
        "Read Consistency: {}\r\nWrite Consistency: {}\r\n",
        node.consistency(Class::Read),
        node.consistency(Class::Write)
    ))
}

fn timeout_factor(call: &mut Call<'_>) -> Response {
    let factor = call.control.operator().timeout_factor();
    Response::legacy(format!("Timeout factor: {factor}\n"))
}

fn state(call: &mut Call<'_>) -> Response {
    Response::legacy(format!("State: {}\n", call.control.operator().state()))
}

/// Answers a complete request from `routes`.
pub fn answer(
    routes: &[Route],
    request: &Request,
    caller: Caller,
    now: Now,
    control: &mut dyn Control,
) -> Response {
    let found = routes
        .iter()
        .find_map(|route| Some((route, rest(route.pattern, &request.path)?)));
    let Some((route, rest)) = found else {
        if request.method == Method::Get && control.policy().lenient {
            return Response::legacy("OK\r\n");
        }
        return Response::refusal(Refusal(
            Status::NOT_FOUND,
            "there is no such path, see /help",
        ));
    };
    if !route.methods().contains(&request.method) {
        let refusal = Refusal(
            Status::METHOD_NOT_ALLOWED,
            "this path does not take this method",
        );
        return Response {
            allow: route.methods(),
            ..Response::refusal(refusal)
        };
    }
    let mut call = Call {
        control,
        caller,
        now,
        rest,
    };
    match route.handler {
        Handler::Show(show) => show(&mut call),
        Handler::Change(change) => changed(request, change, &mut call),
    }
}

/// Makes a change if it is permitted, and logs it.
fn changed(
    request: &Request,
    change: fn(&mut Call<'_>) -> changes::Outcome,
    call: &mut Call<'_>,
) -> Response {
    let (policy, caller) = (call.control.policy(), call.caller);
    let host_name = &call.control.identity().source;
    let outcome = match guard::refusal(request, &caller, policy, host_name) {
        Some(why) => Err(Denied(Status::FORBIDDEN, why.to_owned())),
        None => change(call),
    };
    call.control.operator().count_change(outcome.is_ok());
    match outcome {
        Ok(Change { what, body }) => {
            log_at!(Always, "{what}, asked for by {caller}");
            Response::legacy(body.into_owned())
        }
        Err(Denied(status, why)) => {
            log_at!(
                Warn,
                "{} of {caller} refused: {why}",
                request.path.escape_default()
            );
            Response::reason(status, &why)
        }
    }
}

/// The part of `path` that the pattern's `*` matches, if the path matches.
fn rest<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    match pattern.strip_suffix('*') {
        Some(prefix) => path.strip_prefix(prefix).filter(|rest| !rest.is_empty()),
        None => (path == pattern).then_some(""),
    }
}

#[cfg(test)]
mod tests;
