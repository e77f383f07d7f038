//! Commands about all clients of the node: `CLIENT LIST`, `INFO`, `KILL`, `PAUSE`,
//! `UNPAUSE` and `UNBLOCK`, as far as the words of a request decide. The node knows its clients.
//!
//! Error texts are Redis 7.0.15's; `MAXAGE` is of 7.4.

use std::collections::HashSet;

use super::push;
use crate::proto::redis::errors;
use crate::proto::redis::keys::integer;

/// The commands about the clients of a node, which a session alone cannot answer: a handler of the command
/// table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AboutClients {
    Info,
    Kill,
    List,
    Pause,
    Unblock,
    Unpause,
}

/// Which clients a request means. All conditions must hold.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Filter {
    ids: Option<HashSet<u64>>,
    addr: Option<Vec<u8>>,
    laddr: Option<Vec<u8>>,
    /// At least so old, in seconds.
    age: Option<u64>,
    /// A kind of client that there is not: a replica, a subscriber.
    matches_none: bool,
    /// The client that asks is not meant.
    pub skips_me: bool,
}

/// The properties of a client that filters check.
#[derive(Clone, Copy, Debug)]
pub struct Facts<'a> {
    /// `CLIENT ID`.
    pub id: u64,
    /// The client's address.
    pub addr: &'a str,
    /// Our end of its connection.
    pub laddr: &'a str,
    /// Seconds since it connected.
    pub age: u64,
}

impl Filter {
    /// Returns true if this client is meant, `skips_me` not considered.
    pub fn takes(&self, facts: &Facts<'_>) -> bool {
        let is = |wanted: &Option<Vec<u8>>, text: &str| {
            wanted
                .as_ref()
                .is_none_or(|wanted| wanted == text.as_bytes())
        };
        !self.matches_none
            && self.ids.as_ref().is_none_or(|ids| ids.contains(&facts.id))
            && is(&self.addr, facts.addr)
            && is(&self.laddr, facts.laddr)
            && self.age.is_none_or(|age| facts.age >= age)
    }

    /// Of `CLIENT LIST [TYPE kind | ID id ...]`; `options` is what follows `LIST`. `None`: an error line
    /// has been appended to `out`.
    pub fn of_list(options: &[&[u8]], out: &mut Vec<u8>) -> Option<Filter> {
        let mut filter = Filter::default();
        match options {
            [] => {}
            [word, kind] if word.eq_ignore_ascii_case(b"type") => filter.kind(kind, out)?,
            [word, ids @ ..] if word.eq_ignore_ascii_case(b"id") && !ids.is_empty() => {
                let ids: Option<Vec<i64>> = ids.iter().map(|id| integer(id)).collect();
                let Some(ids) = ids else {
                    push(out, "-ERR Invalid client ID\r\n");
                    return None;
                };
                let ids = ids.into_iter().filter_map(|id| u64::try_from(id).ok());
                filter.ids = Some(ids.collect());
            }
            _ => {
                push(out, errors::SYNTAX);
                return None;
            }
        }
        Some(filter)
    }

    /// Of `CLIENT KILL` in its new form; `options` is what follows `KILL`. `None`: an error line has been
    /// appended to `out`.
    pub fn of_kill(mut options: &[&[u8]], out: &mut Vec<u8>) -> Option<Filter> {
        let mut filter = Filter {
            skips_me: true,
            ..Filter::default()
        };
        while let [word, rest @ ..] = options {
            let is = |name: &str| word.eq_ignore_ascii_case(name.as_bytes());
            let [value, others @ ..] = rest else {
                push(out, errors::SYNTAX);
                return None;
            };
            options = others;
            let above_zero = |bad: &str, small: &str, out: &mut Vec<u8>| {
                let number = integer(value);
                if let Some(number @ 1..) = number {
                    return u64::try_from(number).ok();
                }
                push(out, if number.is_none() { bad } else { small });
                None
            };
            if is("id") {
                let wrong = "-ERR client-id should be greater than 0\r\n";
                let id = above_zero(wrong, wrong, out)?;
                filter.ids = Some(HashSet::from([id]));
            } else if is("maxage") {
                filter.age = Some(above_zero(
                    "-ERR maxage is not an integer or out of range\r\n",
                    "-ERR maxage should be greater than 0\r\n",
                    out,
                )?);
            } else if is("type") {
                filter.kind(value, out)?;
            } else if is("addr") {
                filter.addr = Some(value.to_vec());
            } else if is("laddr") {
                filter.laddr = Some(value.to_vec());
            } else if is("user") {
                if *value != b"default" {
                    push(out, "-ERR No such user '");
                    errors::push_quoted(value, out);
                    push(out, "'\r\n");
                    return None;
                }
            } else if is("skipme") && value.eq_ignore_ascii_case(b"yes") {
                filter.skips_me = true;
            } else if is("skipme") && value.eq_ignore_ascii_case(b"no") {
                filter.skips_me = false;
            } else {
                push(out, errors::SYNTAX);
                return None;
            }
        }
        Some(filter)
    }

    /// Of `CLIENT KILL address`, which may mean the client itself.
    pub fn of_address(addr: &[u8]) -> Filter {
        Filter {
            addr: Some(addr.to_vec()),
            ..Filter::default()
        }
    }

    fn kind(&mut self, kind: &[u8], out: &mut Vec<u8>) -> Option<()> {
        match kind.to_ascii_lowercase().as_slice() {
            b"normal" => self.matches_none = false,
            b"master" | b"replica" | b"slave" | b"pubsub" => self.matches_none = true,
            _ => {
                push(out, "-ERR Unknown client type '");
                errors::push_quoted(kind, out);
                push(out, "'\r\n");
                return None;
            }
        }
        Some(())
    }
}

/// The pause that a `CLIENT PAUSE` requests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Pause {
    /// For how long, in milliseconds.
    pub ms: u64,
    /// Only writes wait.
    pub writes_only: bool,
}

impl Pause {
    /// `options` is what follows `PAUSE`. `None`: an error line has been appended to `out`.
    pub fn of(options: &[&[u8]], out: &mut Vec<u8>) -> Option<Pause> {
        let writes_only = match options {
            [_] => Some(false),
            [_, mode] if mode.eq_ignore_ascii_case(b"all") => Some(false),
            [_, mode] if mode.eq_ignore_ascii_case(b"write") => Some(true),
            [_, _] => {
                push(out, "-ERR CLIENT PAUSE mode must be WRITE or ALL\r\n");
                None
            }
            _ => {
                push(
                    out,
                    "-ERR unknown subcommand or wrong number of arguments for 'pause'. Try CLIENT HELP.\r\n",
                );
                None
            }
        }?;
        let text = match options.first().and_then(|text| integer(text)) {
            Some(ms @ 0..) => {
                let ms = u64::try_from(ms).ok()?;
                return Some(Pause { ms, writes_only });
            }
            Some(_) => "-ERR timeout is negative\r\n",
            None => "-ERR timeout is not an integer or out of range\r\n",
        };
        push(out, text);
        None
    }
}

/// The answer to `CLIENT UNBLOCK id [TIMEOUT|ERROR]`, of which `options` is what follows `UNBLOCK`: no
/// client is ever blocked.
pub fn unblock(options: &[&[u8]], out: &mut Vec<u8>) {
    let is_reason =
        |word: &[u8]| word.eq_ignore_ascii_case(b"timeout") || word.eq_ignore_ascii_case(b"error");
    match options {
        [_, word] if !is_reason(word) => push(
            out,
            "-ERR CLIENT UNBLOCK reason should be TIMEOUT or ERROR\r\n",
        ),
        [id] | [id, _] if integer(id).is_some() => push(out, ":0\r\n"),
        [_] | [_, _] => push(out, errors::NOT_AN_INTEGER),
        _ => push(
            out,
            "-ERR unknown subcommand or wrong number of arguments for 'unblock'. Try CLIENT HELP.\r\n",
        ),
    }
}
