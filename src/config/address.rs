//! Addresses to listen on and to connect to.

use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};

/// Longest path of a Unix socket in bytes: 108 with the closing zero (Linux, unix(7)).
pub const MAX_UNIX_PATH: usize = 107;

/// A TCP address by name, or a Unix socket by path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// A host, which may be a name, an IPv4 or an IPv6 address without brackets; a port, 1 to 65535.
    Tcp {
        /// The host.
        host: String,
        /// The port.
        port: u16,
    },
    /// The path of a Unix socket, at most [`MAX_UNIX_PATH`] bytes.
    Unix(PathBuf),
}

impl Endpoint {
    /// All addresses the host name has now, the preferred first. A Unix socket has none: the list
    /// is empty. Blocks for as long as the system's resolver does; call it again on reconnecting.
    ///
    /// # Errors
    /// The resolver's, also when it knows the name but no address.
    pub fn resolve(&self) -> io::Result<Vec<SocketAddr>> {
        let Endpoint::Tcp { host, port } = self else {
            return Ok(Vec::new());
        };
        let addresses: Vec<_> = (host.as_str(), *port).to_socket_addrs()?.collect();
        if addresses.is_empty() {
            return Err(io::Error::new(
                io::ErrorKind::NotFound,
                "No address associated with hostname",
            ));
        }
        Ok(addresses)
    }
}

impl Endpoint {
    /// Returns true if listening on both at a time is impossible. Names are compared as text.
    pub(super) fn overlaps(&self, other: &Endpoint) -> bool {
        let (Endpoint::Tcp { port: one, .. }, Endpoint::Tcp { port: two, .. }) = (self, other)
        else {
            return self == other;
        };
        one == two && (self == other || self.is_wildcard() || other.is_wildcard())
    }

    /// Returns true if a listener on this address answers at the other one, as far as that is known without
    /// the list of this machine's addresses.
    pub(super) fn is_reached_at(&self, other: &Endpoint) -> bool {
        match other {
            Endpoint::Tcp { host, .. } => {
                let ip = host.parse::<IpAddr>().ok();
                let near = host == "localhost" || ip.is_some_and(|ip| ip.is_loopback());
                self.overlaps(other) && (self == other || near || other.is_wildcard())
            }
            Endpoint::Unix(_) => self == other,
        }
    }

    fn is_wildcard(&self) -> bool {
        match self {
            Endpoint::Tcp { host, .. } => {
                let ip = host.parse::<IpAddr>();
                ip.is_ok_and(|ip| ip.is_unspecified())
            }
            Endpoint::Unix(_) => false,
        }
    }
}

impl fmt::Display for Endpoint {
    /// `host:port`, the host in brackets if it holds colons; or the path.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Endpoint::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Endpoint::Tcp { host, port } => write!(f, "{host}:{port}"),
            Endpoint::Unix(path) => path.display().fmt(f),
        }
    }
}

/// An address to listen on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listen {
    /// As it was written.
    pub text: String,
    /// The parsed address.
    pub target: Endpoint,
}

impl Listen {
    /// The part of the text before the last colon: the name a node has for its peers. The whole
    /// text for a Unix socket.
    pub fn name(&self) -> &str {
        match &self.target {
            Endpoint::Tcp { .. } => self.text.rsplit_once(':').map_or("", |(name, _)| name),
            Endpoint::Unix(_) => &self.text,
        }
    }

    /// Reads `host:port`, split at the last colon, with or without brackets around an IPv6 host;
    /// or `/path`. An error is the original's words for it, after `directive "<key>" `.
    pub fn parse(text: &str) -> Result<Listen, String> {
        let target = if text.starts_with('/') {
            Endpoint::Unix(unix_path(text)?)
        } else {
            let (host, port) = text
                .rsplit_once(':')
                .ok_or("has an invalid \"hostname:port\" format string")?;
            let port =
                parse_port(port).ok_or("has an invalid port in \"hostname:port\" format string")?;
            Endpoint::Tcp {
                host: parse_host(host)?,
                port,
            }
        };
        Ok(Listen {
            text: text.to_owned(),
            target,
        })
    }
}

/// The path of a Unix socket, checked for length.
pub(super) fn unix_path(text: &str) -> Result<PathBuf, String> {
    if text.len() > MAX_UNIX_PATH {
        return Err(format!(
            "has an invalid value: a socket's path has at most {MAX_UNIX_PATH} bytes"
        ));
    }
    Ok(Path::new(text).to_owned())
}

/// Digits only, 1 to 65535.
pub(super) fn parse_port(text: &str) -> Option<u16> {
    // At most five digits, but leading zeros are harmless.
    super::values::digits(text)
        .and_then(|port| u16::try_from(port).ok())
        .filter(|port| *port != 0)
}

/// A host without the brackets an IPv6 address may have. `*` and nothing are not hosts: what they
/// mean would be up to the resolver.
pub(super) fn parse_host(text: &str) -> Result<String, String> {
    let host = text
        .strip_prefix('[')
        .and_then(|rest| rest.strip_suffix(']'))
        .unwrap_or(text);
    match host {
        "" => Err("has an invalid value: the host name is empty".to_owned()),
        "*" => Err("has an invalid value: \"*\" is not a host, use 0.0.0.0".to_owned()),
        _ => Ok(host.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tcp(host: &str, port: u16) -> Result<Endpoint, String> {
        Ok(Endpoint::Tcp {
            host: host.to_owned(),
            port,
        })
    }

    #[test]
    fn listen_addresses() {
        let format = || Err("has an invalid \"hostname:port\" format string".to_owned());
        let port = || Err("has an invalid port in \"hostname:port\" format string".to_owned());
        for (text, expected) in [
            ("127.0.0.1:8102", tcp("127.0.0.1", 8102)),
            ("name:1", tcp("name", 1)),
            ("::1:8102", tcp("::1", 8102)),
            ("[::1]:8102", tcp("::1", 8102)),
            ("/tmp/s", Ok(Endpoint::Unix("/tmp/s".into()))),
            ("127.0.0.1", format()),
            ("h:0", port()),
            ("h:65536", port()),
            ("h:99999999999999999999", port()),
            ("h:abc", port()),
            ("h:", port()),
            ("h: 1", port()),
            ("h:+1", port()),
        ] {
            assert_eq!(Listen::parse(text).map(|l| l.target), expected, "{text:?}");
        }
        for text in [":8102", "*:8102", &format!("/{}", "p".repeat(107))] {
            let words = Listen::parse(text).unwrap_err();
            assert!(words.starts_with("has an invalid value"), "{text}: {words}");
        }
        assert!(Listen::parse(&format!("/{}", "p".repeat(106))).is_ok());
    }

    #[test]
    fn a_node_is_named_by_its_listener() {
        let name = |text| Listen::parse(text).unwrap().name().to_owned();
        assert_eq!(name("10.0.0.1:8101"), "10.0.0.1");
        assert_eq!(name("::1:8101"), "::1");
        assert_eq!(name("/run/d.sock"), "/run/d.sock");
    }

    #[test]
    fn addresses_resolve_again_and_again() {
        let local = Endpoint::Tcp {
            host: "127.0.0.1".to_owned(),
            port: 7,
        };
        for _ in 0..2 {
            assert_eq!(local.resolve().unwrap(), ["127.0.0.1:7".parse().unwrap()]);
        }
        assert!(Endpoint::Unix("/x".into()).resolve().unwrap().is_empty());
        assert_eq!(tcp("::1", 7).unwrap().to_string(), "[::1]:7");
    }
}
