//! One provider's list of nodes.
//!
//! Entries are `host:port:rack:dc:token[,token…]`, between them `|` or line ends. A list counts as a
//! whole: one bad entry and none of it is used, since half a list moves the ownership of keys.
//! (The original takes what it cannot read for token 0.)

use crate::cluster::member::{MAX_NODES, Member};
use crate::config::Seed;
use crate::hashkit::Token;
use std::collections::HashMap;
use std::fmt;

/// Most bytes of a list.
pub const MAX_LIST: usize = 1 << 20;

/// Most characters of an entry that are repeated in a message.
const SHOWN: usize = 120;

/// Why a list is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refused {
    /// More than [`MAX_LIST`] bytes.
    TooLong,
    /// More than [`MAX_NODES`] entries.
    TooMany,
    /// No entry at all.
    Empty,
    /// This entry is malformed, and how.
    Entry(String, String),
    /// Two entries claim one token of one rack.
    Twice(String, String),
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::TooLong => write!(f, "it has more than {MAX_LIST} bytes"),
            Refused::TooMany => write!(f, "it has more than {MAX_NODES} entries"),
            Refused::Empty => f.write_str("it is empty"),
            Refused::Entry(entry, words) => write!(f, "entry '{entry}' {words}"),
            Refused::Twice(first, second) => write!(
                f,
                "entries '{first}' and '{second}' are the same datacenter, rack and token"
            ),
        }
    }
}

impl std::error::Error for Refused {}

/// Reads a list. The entry of this node itself, recognized by datacenter, rack and token, is left out,
/// whatever its address.
///
/// # Errors
/// What is wrong with the list; then no part of it may be used.
///
/// ```
/// use dynomite::cluster::{member::Member, seeds::read, topology::Topology};
/// let me = Topology::alone().nodes()[0].member.clone();
/// let list = read("10.0.0.2:8101:r2:dc1:0|10.0.0.3:8101:r2:dc1:7,9\n", &me).unwrap();
/// assert_eq!(list.len(), 2);
/// assert!(read("10.0.0.2:8101:r2:dc1:0\n10.0.0.3:8101:r2:dc1:x", &me).is_err());
/// ```
pub fn read(text: &str, me: &Member) -> Result<Vec<Member>, Refused> {
    if text.len() > MAX_LIST {
        return Err(Refused::TooLong);
    }
    let mut claimed: HashMap<(String, String, Token), &str> = HashMap::new();
    let mut members = Vec::new();
    let mut entries = 0;
    for entry in text.split(['|', '\n', '\r']).map(str::trim) {
        if entry.is_empty() {
            continue;
        }
        entries += 1;
        if entries > MAX_NODES {
            return Err(Refused::TooMany);
        }
        let seed = seed(entry).map_err(|words| Refused::Entry(shown(entry), words))?;
        for token in &seed.tokens {
            let place = (seed.dc.clone(), seed.rack.clone(), *token);
            if let Some(first) = claimed.insert(place, entry) {
                return Err(Refused::Twice(shown(first), shown(entry)));
            }
        }
        if seed.is_node(&me.dc, &me.rack, &me.tokens) {
            continue;
        }
        if is_wildcard(&seed.host) {
            let words = "has no address that a node can be reached at".to_owned();
            return Err(Refused::Entry(shown(entry), words));
        }
        members.push(Member::from(&seed));
    }
    if entries == 0 {
        return Err(Refused::Empty);
    }
    Ok(members)
}

/// One entry. Stricter than `dyn_seeds`: no name behind a blank, since a list with blanks between
/// its entries would silently lose nodes.
fn seed(entry: &str) -> Result<Seed, String> {
    if entry.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err("has a blank or a control character in it".to_owned());
    }
    let (seed, _) = Seed::parse(entry)?;
    let is_of_hosts = |c: char| c.is_ascii_alphanumeric() || ".-_:%".contains(c);
    if !seed.host.chars().all(is_of_hosts) {
        return Err("has a host that is neither a name nor an address".to_owned());
    }
    Ok(seed)
}

/// Returns true if a host is every address of the machine that looks at it.
fn is_wildcard(host: &str) -> bool {
    host.parse::<std::net::IpAddr>()
        .is_ok_and(|ip| ip.is_unspecified())
}

/// An entry as shown in a message: one line, cut if it is long.
fn shown(entry: &str) -> String {
    let mut text: String = entry.chars().take(SHOWN).collect();
    if text.len() < entry.len() {
        text.push('…');
    }
    text.escape_debug().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Endpoint;

    fn me() -> Member {
        Member {
            name: "me".into(),
            endpoint: Endpoint::Tcp {
                host: "10.0.0.1".into(),
                port: 8101,
            },
            dc: "dc1".into(),
            rack: "r1".into(),
            tokens: vec![Token::of_hash(9), Token::of_hash(7)],
        }
    }

    fn told(text: &str) -> Vec<String> {
        let list = read(text, &me()).unwrap_or_else(|error| panic!("{text:?}: {error}"));
        list.iter()
            .map(|member| {
                let tokens: Vec<String> = member.tokens.iter().map(Token::to_string).collect();
                format!("{member} {}", tokens.join(","))
            })
            .collect()
    }

    #[test]
    fn item_1_and_5_every_separator_and_all_tokens() {
        let both = ["a:8101 r2:dc1 5", "[::1]:8102 r1:dc2 2,1"];
        for text in [
            "a:8101:r2:dc1:5|::1:8102:r1:dc2:1,2",
            "|a:8101:r2:dc1:5||[::1]:8102:r1:dc2:1,2|",
            "a:8101:r2:dc1:5\n::1:8102:r1:dc2:1,2\n",
            " a:8101:r2:dc1:5 \r\n\r\n::1:8102:r1:dc2:1,2\r\n",
            "a:8101:r2:dc1:5|\r\n\t::1:8102:r1:dc2:1,2\t",
        ] {
            assert_eq!(told(text), both, "{text:?}");
        }
    }

    #[test]
    fn item_6_one_bad_entry_refuses_the_whole_list() {
        for (bad, words) in [
            (
                "b:8101:r2:dc1",
                "entry 'b:8101:r2:dc1' has an invalid format",
            ),
            ("b:8101:r2:dc1:", "empty token"),
            ("b:8101:r2:dc1:abc", "not a decimal"),
            ("b:8101:r2:dc1:5,", "empty token"),
            ("b:8101:r2:dc1:-5", "not a decimal"),
            ("b:8101::dc1:5", "invalid format"),
            ("b:8101:r2::5", "invalid format"),
            ("b:0:r2:dc1:5", "invalid port"),
            ("b:xx:r2:dc1:5", "invalid port"),
            ("b:99999:r2:dc1:5", "invalid port"),
            (":8101:r2:dc1:5", "host name is empty"),
            ("0.0.0.0:8101:r2:dc1:5", "no address"),
            ("::1:8101:r2:dc1:5 b:8101:r2:dc1:6", "a blank"),
            (
                "b\u{1b}:8101:r2:dc1:5",
                "'b\\u{1b}:8101:r2:dc1:5' has a blank or a control",
            ),
            ("<b>:8101:r2:dc1:5", "neither a name nor an address"),
            ("[{\"token\":\"5\"}]", "invalid format"),
        ] {
            for text in [bad.to_owned(), format!("a:8101:r3:dc1:5|{bad}")] {
                let error = read(&text, &me()).unwrap_err().to_string();
                assert!(error.contains(words), "{text}: {error}");
                assert!(!error.contains(char::is_control), "{error:?}");
            }
        }
        for empty in ["", "\r\n", "||", " | \n"] {
            assert_eq!(read(empty, &me()), Err(Refused::Empty), "{empty:?}");
        }
    }

    #[test]
    fn item_6_two_entries_for_one_place_refuse_the_list() {
        for text in [
            "a:8101:r2:dc1:5|b:8101:r2:dc1:5",
            "a:8101:r2:dc1:5|a:8101:r2:dc1:5",
            "a:8101:r2:dc1:5,6|b:8101:r2:dc1:4,5",
            "a:8101:r1:dc1:7|b:8101:r1:dc1:7",
        ] {
            let error = read(text, &me()).unwrap_err();
            assert!(matches!(error, Refused::Twice(..)), "{text}: {error}");
        }
        // The same token elsewhere is another replica.
        let names = "a:8101:r2:dc1:5|b:8101:r3:dc1:5|c:8101:r2:dc2:5";
        assert_eq!(told(names).len(), 3);
    }

    #[test]
    fn item_10_this_node_is_left_out_under_any_spelling() {
        for own in [
            "10.0.0.1:8101:r1:dc1:7,9",
            "elsewhere.example:1:r1:dc1:9,7",
            "0.0.0.0:8101:r1:dc1:9",
            "::1:8101:r1:dc1:0007",
            "h:1:r1:dc1:7,8",
        ] {
            assert_eq!(told(&format!("{own}|a:8101:r2:dc1:9")), ["a:8101 r2:dc1 9"]);
            assert_eq!(told(own), [""; 0], "{own}");
        }
        // Twins of other racks and datacenters are others.
        assert_eq!(
            told("10.0.0.1:8101:r1:dc2:9|10.0.0.1:8101:r2:dc1:9").len(),
            2
        );
    }

    #[test]
    fn there_are_limits() {
        let long = "x".repeat(MAX_LIST + 1);
        assert_eq!(read(&long, &me()), Err(Refused::TooLong));
        let list = |n: usize| -> String { (0..n).map(|n| format!("h:1:r2:d:{n}\n")).collect() };
        assert_eq!(
            read(&list(MAX_NODES), &me()).map(|l| l.len()),
            Ok(MAX_NODES)
        );
        assert_eq!(read(&list(MAX_NODES + 1), &me()), Err(Refused::TooMany));
        let error = read(&"y".repeat(5000), &me()).unwrap_err().to_string();
        assert!(error.len() < 1000, "{error}");
    }
}
