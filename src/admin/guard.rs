//! Permission to change the node over HTTP.
//!
//! The endpoint knows no passwords, and the C original lets every client that reaches it change
//! anything by `GET`. Here a change must come from this machine, unless the operator allows others,
//! and never from a browser on behalf of another site's page: browsers reach `localhost` too.
//!
//! - A page can have any browser send a `GET`, by an image for example, and can make it leave out where it
//!   comes from. So a change by `GET`, which the original's tools use, is refused as soon as anything
//!   shows a browser: `Origin`, `Referer`, any `Sec-Fetch` field (W3C Fetch Metadata), or a browser's
//!   `User-Agent`. Browsers change by `POST`, and only from a page of this node itself.
//! - A hostile page can make its own host name resolve to this machine. So the node must be called by
//!   an address, `localhost`, or exactly the machine's name, with or without its domain; in `Host` and
//!   in the target alike.
//! - Filters in front of the port look at the path as it is written. So that must be the exact one.

use super::request::{Method, Request};
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The operator's policy for changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// They are accepted from other machines.
    pub remote: bool,
    /// A `GET` of an unknown path is answered `200` and `OK`, as by the original.
    pub lenient: bool,
}

/// The sender of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The address at the other end; nothing for a Unix socket.
    pub addr: Option<SocketAddr>,
    /// True if that is on this machine.
    pub is_local: bool,
}

impl Caller {
    /// The sender of requests on a connection from `addr` to `local`; `None` for Unix sockets. Loopback
    /// addresses are on this machine, and so is an address that is both ends of the connection.
    pub fn new(addr: Option<SocketAddr>, local: Option<SocketAddr>) -> Caller {
        let ip = |addr: SocketAddr| addr.ip().to_canonical();
        Caller {
            addr,
            is_local: addr.is_none_or(|addr| {
                ip(addr).is_loopback() || local.is_some_and(|local| ip(local) == ip(addr))
            }),
        }
    }

    /// The address at the other end without its port.
    pub fn ip(&self) -> Option<IpAddr> {
        self.addr.map(|addr| addr.ip().to_canonical())
    }
}

impl fmt::Display for Caller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.addr {
            Some(addr) => addr.fmt(f),
            None => f.write_str("a Unix socket"),
        }
    }
}

const FOREIGN_PAGE: &str = "a page of another site may not change this node";

/// Returns why this request may not change the node; `None` if it may. `host_name` is the machine's.
pub fn refusal(
    request: &Request,
    caller: &Caller,
    policy: Policy,
    host_name: &str,
) -> Option<&'static str> {
    if !policy.remote && !caller.is_local {
        return Some("changes are accepted from this machine only, see DYNOMITE_REMOTE_ADMIN");
    }
    if !request.is_plain_path || request.method == Method::Get && request.query.is_some() {
        return Some("a change is asked for by its exact path, without escapes or a query");
    }
    let from_browser = request.is_browser || request.origin.is_some() || request.referer.is_some();
    if request.method == Method::Get && from_browser {
        return Some("a browser changes this node by POST only");
    }
    if let Some(site) = &request.fetch_site
        && !matches!(site.as_str(), "same-origin" | "none")
    {
        return Some(FOREIGN_PAGE);
    }
    let own = request.host.as_deref();
    let is_own_page = |url: &str, exactly: bool| {
        let rest = url.strip_prefix("http://");
        let site = rest.map(|rest| match rest.split_once('/') {
            Some((site, _)) if !exactly => site,
            _ => rest,
        });
        site.is_some() && site == own
    };
    let is_foreign =
        |url: &Option<String>, exactly| url.as_ref().is_some_and(|url| !is_own_page(url, exactly));
    if is_foreign(&request.origin, true) || is_foreign(&request.referer, false) {
        return Some(FOREIGN_PAGE);
    }
    if request.authority.is_some() && own.is_some() && request.authority.as_deref() != own {
        return Some("Host and target name different servers");
    }
    let mut names = [own, request.authority.as_deref()].into_iter().flatten();
    let is_strange = names.any(|name| !is_own_name(name, host_name));
    is_strange.then_some("call this node by an address, its host name or localhost")
}

/// Returns true if a `Host` is an address, `localhost`, or exactly the machine's name, with its domain if it has
/// one or without. An attacker can make any other name resolve to this machine.
fn is_own_name(host: &str, host_name: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    let alone = host_name.split('.').next().unwrap_or_default();
    let is = |own: &str| !own.is_empty() && name.eq_ignore_ascii_case(own);
    name.is_empty()
        || bare.unwrap_or(name).parse::<IpAddr>().is_ok()
        || is("localhost")
        || is(host_name)
        || is(alone)
}

#[cfg(test)]
mod tests {
    use super::super::request::Method;
    use super::*;

    fn caller(addr: &str, local: &str) -> Caller {
        Caller::new(addr.parse().ok(), local.parse().ok())
    }

    fn asked(fields: &[(&str, &str)]) -> Request {
        let field = |wanted: &str| {
            let found = fields.iter().find(|(name, _)| *name == wanted);
            found.map(|(_, value)| (*value).to_owned())
        };
        Request {
            method: Method::Post,
            path: "/state/standby".into(),
            query: None,
            keep_alive: true,
            content_length: 0,
            expects_continue: false,
            host: field("host"),
            origin: field("origin"),
            fetch_site: field("site"),
            referer: field("referer"),
            is_browser: field("site").is_some() || field("browser").is_some(),
            authority: field("authority"),
            is_plain_path: true,
        }
    }

    #[test]
    fn changes_come_from_this_machine_unless_configured() {
        let (near, far) = (
            Policy::default(),
            Policy {
                remote: true,
                lenient: false,
            },
        );
        for (addr, local, is_local) in [
            ("127.0.0.1:5", "127.0.0.1:22222", true),
            ("127.3.2.1:5", "0.0.0.0:22222", true),
            ("[::1]:5", "[::1]:22222", true),
            ("[::ffff:127.0.0.1]:5", "[::]:22222", true),
            ("", "", true),
            ("10.0.0.5:5", "10.0.0.5:22222", true),
            ("10.0.0.6:5", "10.0.0.5:22222", false),
            ("[2001:db8::1]:5", "[2001:db8::2]:22222", false),
        ] {
            let caller = caller(addr, local);
            assert_eq!(caller.is_local, is_local, "{addr}");
            let refused = refusal(&asked(&[]), &caller, near, "");
            assert_eq!(refused.is_none(), is_local, "{addr}: {refused:?}");
            assert_eq!(refusal(&asked(&[]), &caller, far, ""), None);
        }
    }

    #[test]
    fn a_browser_cannot_be_tricked_into_a_change() {
        let caller = caller("127.0.0.1:5", "127.0.0.1:22222");
        for (fields, passes) in [
            (&[][..], true),
            (&[("host", "127.0.0.1:22222")], true),
            (&[("host", "[::1]:22222")], true),
            (&[("host", "localhost")], true),
            (&[("host", "Node-1:22222")], true),
            // A name that was made to resolve to this machine.
            (&[("host", "evil.example:22222")], false),
            (&[("host", "node-1evil.example")], false),
            (&[("host", "node-1.evil.example:22222")], false),
            (&[("host", "node-1.")], false),
            // The target says something else, or the same.
            (
                &[("host", "localhost"), ("authority", "evil.example")],
                false,
            ),
            (&[("host", "localhost"), ("authority", "127.0.0.1")], false),
            (&[("authority", "evil.example")], false),
            (&[("host", "localhost"), ("authority", "localhost")], true),
            // A page, by where it is.
            (
                &[
                    ("host", "127.0.0.1:22222"),
                    ("referer", "http://evil.example/page"),
                ],
                false,
            ),
            (
                &[
                    ("host", "127.0.0.1:22222"),
                    ("referer", "http://127.0.0.1:22222/help"),
                ],
                true,
            ),
            (
                &[
                    ("host", "127.0.0.1"),
                    ("referer", "http://127.0.0.1.evil.example/"),
                ],
                false,
            ),
            (&[("host", "localhost.evil.example")], false),
            (&[("host", "127.0.0.1.evil.example")], false),
            // What browsers add.
            (
                &[
                    ("host", "localhost:22222"),
                    ("origin", "http://localhost:22222"),
                ],
                true,
            ),
            (
                &[
                    ("host", "localhost:22222"),
                    ("origin", "http://localhost:8080"),
                ],
                false,
            ),
            (
                &[
                    ("host", "localhost:22222"),
                    ("origin", "https://evil.example"),
                ],
                false,
            ),
            (&[("host", "localhost:22222"), ("origin", "null")], false),
            (&[("origin", "http://localhost")], false),
            (&[("host", "localhost"), ("site", "cross-site")], false),
            (&[("host", "localhost"), ("site", "same-site")], false),
            (&[("host", "localhost"), ("site", "none")], true),
            (&[("host", "localhost"), ("site", "same-origin")], true),
        ] {
            let refused = refusal(&asked(fields), &caller, Policy::default(), "node-1");
            assert_eq!(refused.is_none(), passes, "{fields:?}: {refused:?}");
        }
        // By `GET` a browser changes nothing, whatever page it shows.
        for (fields, passes) in [
            (&[("host", "localhost")][..], true),
            (&[("host", "localhost"), ("site", "none")], false),
            (&[("host", "localhost"), ("browser", "")], false),
            (
                &[("host", "localhost"), ("origin", "http://localhost")],
                false,
            ),
            (
                &[("host", "127.0.0.1"), ("referer", "http://evil.example/")],
                false,
            ),
            (
                &[("host", "localhost"), ("referer", "http://localhost/")],
                false,
            ),
        ] {
            let request = Request {
                method: Method::Get,
                ..asked(fields)
            };
            let refused = refusal(&request, &caller, Policy::default(), "node-1");
            assert_eq!(refused.is_none(), passes, "GET {fields:?}: {refused:?}");
        }
        let escaped = Request {
            is_plain_path: false,
            ..asked(&[])
        };
        assert!(refusal(&escaped, &caller, Policy::default(), "").is_some());
        // A machine that is named with its domain is called without it, too.
        let asked_of = |host| asked(&[("host", host)]);
        for (host, passes) in [
            ("node-1.example.com", true),
            ("node-1:22222", true),
            ("node-1.evil.example", false),
            ("example.com", false),
        ] {
            let own = "Node-1.example.com";
            let refused = refusal(&asked_of(host), &caller, Policy::default(), own);
            assert_eq!(refused.is_none(), passes, "{host}: {refused:?}");
        }
        // A machine without a name is not called by just any.
        let named = asked(&[("host", "evil.example")]);
        assert!(refusal(&named, &caller, Policy::default(), "").is_some());
    }
}
