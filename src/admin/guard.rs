//! Who may change the node over HTTP.
//!
//! The endpoint knows no passwords, and the C original lets everybody who reaches it change
//! anything by `GET`. Here a change must come from this machine, unless the operator says otherwise,
//! and never from a browser on behalf of another site's page: browsers reach `localhost` too. They
//! name the page's origin (`Origin`, RFC 6454; `Sec-Fetch-Site`, W3C Fetch Metadata), but not always,
//! and a hostile page can make its own host name resolve to this machine; so the node must be
//! called by a name that no stranger can give it.

use super::request::Request;
use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// What the operator has said about changes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    /// They are accepted from other machines.
    pub remote: bool,
    /// A `GET` of an unknown path is answered `200` and `OK`, as by the original.
    pub lenient: bool,
}

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caller {
    /// The address at the other end; nothing for a Unix socket.
    pub addr: Option<SocketAddr>,
    /// Whether that is on this machine.
    pub is_local: bool,
}

impl Caller {
    /// Whoever connected from `addr` to `local`; `None` for Unix sockets. On this machine are
    /// loopback addresses, and an address that is both ends of the connection.
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

/// Why this request may not change the node, if it may not. `host_name` is the machine's.
pub fn refusal(
    request: &Request,
    caller: &Caller,
    policy: Policy,
    host_name: &str,
) -> Option<&'static str> {
    if !policy.remote && !caller.is_local {
        return Some("changes are accepted from this machine only, see DYNOMITE_REMOTE_ADMIN");
    }
    if let Some(site) = &request.fetch_site
        && !matches!(site.as_str(), "same-origin" | "none")
    {
        return Some(FOREIGN_PAGE);
    }
    if let Some(origin) = &request.origin {
        let own = request.host.as_deref();
        if origin.strip_prefix("http://") != own || own.is_none() {
            return Some(FOREIGN_PAGE);
        }
    }
    match &request.host {
        Some(host) if !is_own_name(host, host_name) => {
            Some("call this node by an address, its host name or localhost")
        }
        _ => None,
    }
}

/// Whether a `Host` is an address, `localhost`, or the machine's name, alone or with a domain. A name
/// without a domain is nobody's who is not on this network.
fn is_own_name(host: &str, host_name: &str) -> bool {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => host,
    };
    let bare = name.trim_start_matches('[').trim_end_matches(']');
    let (name, host_name) = (name.to_ascii_lowercase(), host_name.to_ascii_lowercase());
    let is_own = |own: &str| {
        let rest = name.strip_prefix(own).filter(|_| !own.is_empty());
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    };
    let alone = host_name.split('.').next().unwrap_or_default();
    bare.parse::<IpAddr>().is_ok()
        || name == "localhost"
        || name.is_empty()
        || name == alone
        || is_own(&host_name)
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
            (&[("host", "node-1.example.com:22222")], true),
            // A name that was made to resolve to this machine.
            (&[("host", "evil.example:22222")], false),
            (&[("host", "node-1evil.example")], false),
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
