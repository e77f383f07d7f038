//! The datastore and the seeds: servers as one line of text, read from the right.

use super::address::{Endpoint, parse_host, parse_port, unix_path};
use crate::hashkit::{Token, TokenText, parse_list};
use std::net::{Ipv6Addr, SocketAddrV6};

/// The port at which the datastore's derived name has no port, kept for tools that read the
/// statistics (a convention of libmemcached).
const NAMELESS_PORT: u16 = 11211;

/// The datastore behind this node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datastore {
    /// As it was written.
    pub text: String,
    /// Its name in statistics: the one given, else `host:port`, `host` if the port is 11211, or
    /// the path of a Unix socket.
    pub name: String,
    /// Its address.
    pub endpoint: Endpoint,
    /// The weight's text. Required and without effect.
    pub weight: String,
}

impl Datastore {
    /// Reads `host:port:weight [name]` or `/path:weight [name]`. An error is the original's words,
    /// after `directive "servers" `.
    pub fn parse(text: &str) -> Result<Datastore, String> {
        const FORMAT: &str = "has an invalid \"hostname:port:weight [name]\"or \"/path/unix_socket:weight [name]\" format string";
        let (address, name) = split_name(text);
        let (target, weight) = address.rsplit_once(':').ok_or(FORMAT)?;
        let (endpoint, derived) = if target.starts_with('/') {
            if target.contains(':') {
                return Err(FORMAT.to_owned());
            }
            (Endpoint::Unix(unix_path(target)?), target)
        } else {
            let (host, port) = target.rsplit_once(':').ok_or(FORMAT)?;
            let port = parse_port(port).ok_or(PORT)?;
            let derived = if port == NAMELESS_PORT { host } else { target };
            let host = parse_host(host)?;
            (Endpoint::Tcp { host, port }, derived)
        };
        Ok(Datastore {
            text: text.to_owned(),
            name: name.unwrap_or(derived).to_owned(),
            endpoint,
            weight: weight.to_owned(),
        })
    }
}

/// Lines of a list without their dashes are one text to YAML, and all nodes but the first would be lost
/// as the name of that one. The original loses them.
const TWO_ENTRIES: &str =
    "has several entries in one: each needs a line of its own that begins with a dash";

/// The original uses these words for seeds as well.
const PORT: &str = "has an invalid port in \"hostname:port:weight [name]\" format string";

/// A node of `dyn_seeds`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seed {
    /// As it was written.
    pub text: String,
    /// The name given, up to its last colon; else the host.
    pub name: String,
    /// The host, which may be a name.
    pub host: String,
    /// Its `dyn_listen` port.
    pub port: u16,
    /// Its rack.
    pub rack: String,
    /// Its datacenter.
    pub dc: String,
    /// Its tokens, in reverse order of the text.
    pub tokens: Vec<Token>,
}

impl Seed {
    /// Reads `host:port:rack:dc:tokens [name]`; the flag says that a token was folded (see
    /// [`TokenText`]). An error is the original's words, after `directive "dyn_seeds" `.
    pub fn parse(text: &str) -> Result<(Seed, bool), String> {
        const FORMAT: &str =
            "has an invalid format must match \"hostname:port:rack:dc:tokens [name]\"";
        // The last blank starts the name, so the tokens of a seed have no blanks.
        let (address, name) = split_name(text);
        if name.is_some_and(is_entry) {
            return Err(TWO_ENTRIES.to_owned());
        }
        let mut fields = address.rsplitn(5, ':');
        let mut field = || fields.next().ok_or(FORMAT);
        let (tokens, dc, rack, port, host) = (field()?, field()?, field()?, field()?, field()?);
        if rack.is_empty() || dc.is_empty() {
            return Err(FORMAT.to_owned());
        }
        let port = parse_port(port).ok_or(PORT)?;
        let tokens: Vec<TokenText> = parse_list(tokens).map_err(|error| error.to_string())?;
        let host = parse_host(host)?;
        let name = match name {
            Some(name) => name.rsplit_once(':').map_or(name, |(name, _)| name),
            None => &host,
        };
        let seed = Seed {
            text: text.to_owned(),
            name: name.to_owned(),
            host: host.clone(),
            port,
            rack: rack.to_owned(),
            dc: dc.to_owned(),
            tokens: tokens.iter().map(|text| text.token).collect(),
        };
        Ok((seed, tokens.iter().any(|text| text.folded)))
    }

    /// Returns true if this is the node with these tokens in that rack, whatever its address: a node is
    /// identified by its datacenter, its rack and any of its tokens.
    pub fn is_node(&self, dc: &str, rack: &str, tokens: &[Token]) -> bool {
        let has_one = || self.tokens.iter().any(|token| tokens.contains(token));
        self.dc == dc && self.rack == rack && has_one()
    }

    /// The address of the node.
    pub fn endpoint(&self) -> Endpoint {
        Endpoint::Tcp {
            host: self.host.clone(),
            port: self.port,
        }
    }
}

/// Returns true if the text in the place of a name is the whole entry of another node.
fn is_entry(name: &str) -> bool {
    // Numbers alone may look like an entry.
    let is_address = || name.parse::<Ipv6Addr>().is_ok() || name.parse::<SocketAddrV6>().is_ok();
    Seed::parse(name).is_ok() && !is_address()
}

/// The address and the optional name after the last blank.
fn split_name(text: &str) -> (&str, Option<&str>) {
    match text.rsplit_once(' ') {
        Some((address, name)) if !name.is_empty() => (address.trim_end_matches(' '), Some(name)),
        _ => (text.trim_end_matches(' '), None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datastores_and_their_names() {
        for (text, name, endpoint) in [
            ("127.0.0.1:22122:1", "127.0.0.1:22122", "127.0.0.1:22122"),
            ("127.0.0.1:22122:1 store", "store", "127.0.0.1:22122"),
            ("127.0.0.1:11211:1", "127.0.0.1", "127.0.0.1:11211"),
            ("::1:22122:1", "::1:22122", "[::1]:22122"),
            ("[::1]:22122:1", "[::1]:22122", "[::1]:22122"),
            ("h:22122:", "h:22122", "h:22122"),
            ("/tmp/redis.sock:1", "/tmp/redis.sock", "/tmp/redis.sock"),
            ("/tmp/redis.sock:1 local", "local", "/tmp/redis.sock"),
        ] {
            let datastore = Datastore::parse(text).unwrap_or_else(|e| panic!("{text}: {e}"));
            assert_eq!(datastore.name, name, "{text}");
            assert_eq!(datastore.endpoint.to_string(), endpoint, "{text}");
        }
    }

    #[test]
    fn datastores_refused() {
        for (text, words) in [
            ("h:22122", "\"or \"/path/unix_socket:weight"),
            ("h", "\"or \"/path/unix_socket:weight"),
            ("/tmp/s", "\"or \"/path/unix_socket:weight"),
            ("/tmp/a:b:1", "\"or \"/path/unix_socket:weight"),
            ("h:0:1", "invalid port"),
            ("h:x:1", "invalid port"),
            (":1:1", "invalid value"),
        ] {
            let error = Datastore::parse(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }

    #[test]
    fn seeds() {
        let (seed, folded) = Seed::parse("127.0.0.2:8101:rack2:dc:1383429731").unwrap();
        assert_eq!(
            (&*seed.name, &*seed.host, seed.port),
            ("127.0.0.2", "127.0.0.2", 8101)
        );
        assert_eq!((&*seed.rack, &*seed.dc), ("rack2", "dc"));
        assert_eq!(seed.tokens, [Token::of_hash(1383429731)]);
        assert!(!folded);

        let (seed, _) = Seed::parse("::1:8101:r:d:1,2 node-b:8101").unwrap();
        assert_eq!((&*seed.host, &*seed.name), ("::1", "node-b"));
        assert_eq!(seed.tokens, [Token::of_hash(2), Token::of_hash(1)]);
        assert!(Seed::parse("h:1:r:d:99999999999").unwrap().1);
        for name in ["2001:db8:0:0:0:1:2:3", "[2001:db8::1:2:3:4]:8101", "a:b:c"] {
            assert!(Seed::parse(&format!("h:1:r:d:1 {name}")).is_ok(), "{name}");
        }

        for (text, words) in [
            ("h:8101:r:1", "\"hostname:port:rack:dc:tokens [name]\""),
            ("h:8101::d:1", "\"hostname:port:rack:dc:tokens [name]\""),
            ("h:8101:r::1", "\"hostname:port:rack:dc:tokens [name]\""),
            ("h:8101:r:d:", "empty token"),
            ("h:8101:r:d:x", "not a decimal"),
            ("h:0:r:d:1", "invalid port"),
            (":8101:r:d:1", "invalid value"),
            ("a:8101:r:d:1 b:8101:r:d:2", "several entries in one"),
            ("a:1:r:d:1 b:1:r:d:2 c:1:r:d:3", "several entries in one"),
        ] {
            let error = Seed::parse(text).unwrap_err();
            assert!(error.contains(words), "{text}: {error}");
        }
    }
}
