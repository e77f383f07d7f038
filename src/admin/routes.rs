//! The one table of routes.
//!
//! A route is a row of [`ROUTES`]; finding it, 404, 405 with `Allow` and `HEAD` follow from the
//! row. A handler gets a [`Call`] and reaches the node through [`Control`], which gains a method
//! per thing a new route needs.
//!
//! A route that changes something is marked `mutating` and never answers `HEAD`: what only looks
//! must not act.

use super::Control;
use super::request::{Method, Refusal, Request};
use super::response::{Response, Status};
use crate::clock::Now;

/// One route.
pub struct Route {
    /// The whole path; or, ending in `/*`, a prefix whose non-empty remainder becomes
    /// [`Call::rest`].
    pub pattern: &'static str,
    /// What may be done with it; anything else is 405.
    pub methods: &'static [Method],
    /// Whether it changes the node.
    pub mutating: bool,
    /// What it is for, in one line.
    pub help: &'static str,
    /// What it does.
    pub handler: fn(&mut Call<'_>) -> Response,
}

/// What a handler is given.
pub struct Call<'a> {
    /// The node.
    pub control: &'a mut dyn Control,
    /// The time.
    pub now: Now,
    /// What stands for `*` in the pattern, percent-decoded; empty without one.
    pub rest: &'a str,
    /// The query, as it came.
    pub query: Option<&'a str>,
    /// The body, at most [`MAX_BODY`](super::request::MAX_BODY) bytes.
    pub body: &'a [u8],
}

const READ: &[Method] = &[Method::Get, Method::Head];

/// All routes; the first that matches is taken.
pub const ROUTES: &[Route] = &[
    Route {
        pattern: "/",
        methods: READ,
        mutating: false,
        help: "the same as /info",
        handler: info,
    },
    Route {
        pattern: "/info",
        methods: READ,
        mutating: false,
        help: "all metrics, as JSON",
        handler: info,
    },
    Route {
        pattern: "/ping",
        methods: READ,
        mutating: false,
        help: "OK while the node turns",
        handler: ping,
    },
    Route {
        pattern: "/help",
        methods: READ,
        mutating: false,
        help: "the list of paths",
        handler: help,
    },
];

fn info(call: &mut Call<'_>) -> Response {
    Response::legacy(call.control.info(call.now))
}

fn ping(_: &mut Call<'_>) -> Response {
    Response::legacy("OK\r\n")
}

fn help(_: &mut Call<'_>) -> Response {
    Response::legacy(HELP)
}

/// The C original's text, to the byte.
const HELP: &str = "\
/info
/help
/ping
/cluster_describe
/setloglevel/<0-11>
/loglevelup
/logleveldown
/historeset
/get_consistency
/set_consistency/<read|write>/<dc_one|dc_quorum|dc_safe_quorum>
/get_timeout_factor
/set_timeout_factor/<1-10>
/peer/<up|down|reset>
/state/<get_state|standby|writes_only|normal|resuming>

";

/// Answers a complete request from `routes`.
pub fn answer(
    routes: &[Route],
    request: &Request,
    body: &[u8],
    now: Now,
    control: &mut dyn Control,
) -> Response {
    let found = routes
        .iter()
        .find_map(|route| Some((route, rest(route.pattern, &request.path)?)));
    let Some((route, rest)) = found else {
        return Response::refusal(Refusal(
            Status::NOT_FOUND,
            "there is no such path, see /help",
        ));
    };
    if !route.methods.contains(&request.method) {
        let refusal = Refusal(
            Status::METHOD_NOT_ALLOWED,
            "this path does not take this method",
        );
        return Response {
            allow: route.methods,
            ..Response::refusal(refusal)
        };
    }
    (route.handler)(&mut Call {
        control,
        now,
        rest,
        query: request.query.as_deref(),
        body,
    })
}

/// What of `path` stands for the pattern's `*`, if it matches.
fn rest<'a>(pattern: &str, path: &'a str) -> Option<&'a str> {
    match pattern.strip_suffix('*') {
        Some(prefix) => path.strip_prefix(prefix).filter(|rest| !rest.is_empty()),
        None => (path == pattern).then_some(""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A node that counts how often it was asked.
    struct Node(u32);

    impl Control for Node {
        fn info(&mut self, now: Now) -> String {
            self.0 += 1;
            format!("{{\"at\":{}}}\n", now.unix_secs())
        }
    }

    const NOW: Now = Now {
        mono_us: 0,
        wall_us: 7_000_000,
    };

    fn ask(routes: &[Route], method: Method, path: &str, node: &mut Node) -> Response {
        let request = Request {
            method,
            path: path.into(),
            query: None,
            keep_alive: true,
            content_length: 0,
            expects_continue: false,
        };
        answer(routes, &request, b"", NOW, node)
    }

    #[test]
    fn each_route_has_the_originals_body() {
        let mut node = Node(0);
        for (path, body) in [
            ("/", "{\"at\":7}\n"),
            ("/info", "{\"at\":7}\n"),
            ("/ping", "OK\r\n"),
            ("/help", HELP),
        ] {
            for method in [Method::Get, Method::Head] {
                assert_eq!(
                    ask(ROUTES, method, path, &mut node),
                    Response::legacy(body),
                    "{path}"
                );
            }
        }
        assert_eq!(HELP.len(), 300);
        assert!(HELP.ends_with("resuming>\n\n"));
    }

    #[test]
    fn other_methods_and_paths_do_nothing() {
        let mut node = Node(0);
        for path in ["/info/", "/INFO", "/inf", "/infox", "*", "/peer/down/x", ""] {
            let response = ask(ROUTES, Method::Get, path, &mut node);
            assert_eq!(response.status, Status::NOT_FOUND, "{path}");
            assert_eq!(response.body.iter().filter(|&&b| b == b'\n').count(), 1);
        }
        for method in [Method::Post, Method::Other] {
            let response = ask(ROUTES, method, "/info", &mut node);
            assert_eq!(
                (response.status, response.allow),
                (Status::METHOD_NOT_ALLOWED, READ)
            );
        }
        assert_eq!(node.0, 0);
    }

    #[test]
    fn the_rest_of_a_path_is_handed_over() {
        let routes = [Route {
            pattern: "/peer/down/*",
            methods: &[Method::Post],
            mutating: true,
            help: "",
            handler: |call| Response::legacy(call.rest),
        }];
        let mut node = Node(0);
        assert_eq!(
            ask(&routes, Method::Post, "/peer/down/a/b", &mut node),
            Response::legacy("a/b")
        );
        assert_eq!(
            ask(&routes, Method::Post, "/peer/down/", &mut node).status,
            Status::NOT_FOUND
        );
    }

    #[test]
    fn no_route_is_unreachable_unexplained_or_changes_what_only_looks() {
        for (index, route) in ROUTES.iter().enumerate() {
            assert!(
                route.pattern.starts_with('/') && !route.help.is_empty(),
                "{}",
                route.pattern
            );
            assert!(!route.methods.is_empty() && !route.methods.contains(&Method::Other));
            assert!(
                !(route.mutating && route.methods.contains(&Method::Head)),
                "{}",
                route.pattern
            );
            assert!(
                ROUTES[..index]
                    .iter()
                    .all(|before| before.pattern != route.pattern)
            );
        }
    }
}
