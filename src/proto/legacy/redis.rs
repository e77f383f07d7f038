//! Requests and replies between this implementation and a C node in front of Redis.
//!
//! A C replica closes the connection, and so fails everything outstanding on it, when it is sent a
//! command name or a number of arguments its parser does not know, or an empty key, or one longer
//! than a receive buffer. So a request goes to it as it stands only if its row in the command table says so
//! ([`Legacy`](super::column::Legacy)); if not, most can travel inside a script ([`super::carrier`]); what cannot is refused here, with an
//! error line of its own. A C requester in turn cannot read every reply.
//!
//! What the rows say is what the original's parser was seen to take. A few commands are missing on
//! purpose: `QUIT` closes a C node's connection to its datastore, `CONFIG` and the pseudo-command
//! `dyno_config:...` can crash it.

use super::carrier::{Carrier, Nulls};
use super::column::{Nests, NullRule, Takes};
use crate::mbuf::{Chain, Pool};
use crate::proto::redis::command::{Class, Command, Serve};
use crate::proto::redis::flags::flag;

/// Longest key a C node with the default `mbuf_size` takes, in bytes. With the smallest, 512, it
/// is 447.
pub const LONGEST_KEY: usize = 16_319;
/// Most arguments a script can hand on (Lua's stack has 8,000 places).
pub const MAX_CARRIED: usize = 7_000;
/// Widest field of `BITFIELD`, in bits, whose values survive being a Lua number.
const MAX_FIELD: u32 = 53;

/// How a request can be sent to a C node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// It is sent unchanged.
    Plain,
    /// Inside a script; the reply has to be unwrapped.
    Carried(Carrier),
    /// Not at all.
    Refused(Refusal),
}

/// Why a request cannot be sent to a C node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// It knows no such command, or not in this form, and no script may run it.
    Command,
    /// A key is empty or too long.
    Key,
    /// A script could not hand on its reply, or not exactly.
    Reply,
}

impl Refusal {
    /// The error line for the client, complete with CR LF. Clients that probe for a command look
    /// for the word *unknown*.
    pub fn line(self) -> &'static str {
        match self {
            Refusal::Command => {
                "-ERR Dynomite: command is unknown to a peer that runs the original Dynomite\r\n"
            }
            Refusal::Key => {
                "-ERR Dynomite: key is empty or too long for a peer that runs the original Dynomite\r\n"
            }
            Refusal::Reply => {
                "-ERR Dynomite: reply of this command is unknown to a peer that runs the original Dynomite\r\n"
            }
        }
    }
}

/// Returns true if a request can be sent to a C node unchanged, as far as its command, the number of its
/// arguments and its first tell. If not, [`form`] has to look at all of it.
#[inline]
pub fn is_plain(command: &Command, argc: usize, first: &[u8], longest_key: usize) -> bool {
    let count = match command.legacy.takes {
        Takes::Exactly(n) => argc == usize::from(n),
        Takes::AtLeast(n) => argc >= usize::from(n),
        _ => false,
    };
    count
        && command.serve == Serve::Keyed
        && command.is_direct()
        && (1..=longest_key).contains(&first.len())
        && !may_nest(command, argc)
}

/// A script without keys as a C node takes it: with one, which the script does not know of unless it looks at
/// its `KEYS`. Nothing for any other request. Only for a node that runs it itself, or that has no rack of
/// several nodes: there the key would say which of them does.
pub fn with_key<'a>(command: &Command, args: &[&'a [u8]]) -> Option<Vec<&'a [u8]>> {
    let count = std::str::from_utf8(args.get(2)?).ok()?.parse::<u64>();
    if !runs_a_script(command) || count != Ok(0) {
        return None;
    }
    let mut words: Vec<&[u8]> = args.get(..2)?.to_vec();
    words.extend([&b"1"[..], b"-"]);
    words.extend(args.get(3..).unwrap_or_default());
    Some(words)
}

/// How a request, all of whose arguments are given, can be sent to a C node whose longest key is
/// `longest_key`. `command` is the subcommand's row where there is one.
pub fn form(command: &Command, args: &[&[u8]], longest_key: usize) -> Form {
    let mut keys = Vec::new();
    if command.keys(args, &mut keys).is_err() {
        return Form::Refused(Refusal::Command);
    }
    let mut lengths = keys
        .iter()
        .map(|key| args.get(key.index).map_or(0, |key| key.len()));
    if lengths.any(|len| !(1..=longest_key).contains(&len)) {
        return Form::Refused(Refusal::Key);
    }
    if takes(command, args)
        && !taken_for_a_read(command, args)
        && (!nests(command, args) || runs_a_script(command))
    {
        return Form::Plain;
    }
    let to_store = matches!(
        command.refine(args).serve,
        Serve::Keyed
            | Serve::Split
            | Serve::SameNode
            | Serve::LocalNode
            | Serve::RackNodes
            | Serve::AllNodesGuarded
    );
    let barred = flag::NOSCRIPT | flag::PUBSUB | flag::ADMIN;
    if !to_store
        || command.is_container()
        || command.flags & barred != 0
        || args.len() > MAX_CARRIED
    {
        return Form::Refused(Refusal::Command);
    }
    match nulls(command, args) {
        Some(nulls) => Form::Carried(Carrier {
            nulls,
            key: keys.first().map_or(0, |key| key.index),
        }),
        None => Form::Refused(Refusal::Reply),
    }
}

/// Returns true if the original's parser takes the request.
fn takes(command: &Command, args: &[&[u8]]) -> bool {
    let argc = args.len();
    match command.legacy.takes {
        Takes::Nothing => false,
        Takes::Exactly(n) => argc == usize::from(n),
        Takes::AtLeast(n) => argc >= usize::from(n),
        Takes::Between(least, most) => (usize::from(least)..=usize::from(most)).contains(&argc),
        Takes::Pairs => argc >= 3 && argc % 2 == 1,
        Takes::Script => {
            let digits = args.get(2).copied().unwrap_or_default();
            argc >= 4
                && digits.iter().all(u8::is_ascii_digit)
                && matches!(digits.first(), Some(b'1'..=b'9'))
        }
    }
}

/// Returns true if the request writes although a C node takes its command for a read. A script is always
/// taken for a write.
fn taken_for_a_read(command: &Command, args: &[&[u8]]) -> bool {
    command.legacy.reads && command.refine(args).class == Class::Write
}

/// Returns true if the command is a client's script, whose reply may be anything.
fn runs_a_script(command: &Command) -> bool {
    command.legacy.nests == Nests::Script
}

/// Returns true if a reply with an array inside an array is possible, as far as the number of arguments
/// tells.
pub fn may_nest(command: &Command, argc: usize) -> bool {
    match command.legacy.nests {
        Nests::Never => false,
        Nests::From(least) => argc >= usize::from(least),
        Nests::WithWords | Nests::Script => true,
    }
}

/// Returns true if a request the original takes may have a reply that a C node cannot read.
fn nests(command: &Command, args: &[&[u8]]) -> bool {
    let with = |arg: &&[u8]| {
        [&b"withcoord"[..], b"withdist", b"withhash"]
            .iter()
            .any(|word| arg.eq_ignore_ascii_case(word))
    };
    match command.legacy.nests {
        Nests::WithWords => args.iter().any(with),
        _ => may_nest(command, args.len()),
    }
}

/// The script's text for null; `None` if it cannot give the reply as Redis would.
fn nulls(command: &Command, args: &[&[u8]]) -> Option<Nulls> {
    let wide = |arg: &&[u8]| {
        let bits = arg
            .strip_prefix(b"i")
            .or(arg.strip_prefix(b"u"))
            .or(arg.strip_prefix(b"I"))
            .or(arg.strip_prefix(b"U"));
        let bits = bits.and_then(|bits| std::str::from_utf8(bits).ok()?.parse::<u32>().ok());
        bits.is_some_and(|bits| bits > MAX_FIELD)
    };
    match command.legacy.nulls {
        NullRule::ArrayFrom(least) if args.len() >= usize::from(least) => Some(Nulls::Array),
        NullRule::BothWith(argc) if args.len() == usize::from(argc) => None,
        NullRule::Fields if args.iter().any(wide) => None,
        _ => Some(Nulls::Bulk),
    }
}

/// Makes a reply readable for a C requester as far as that costs nothing: it waits for more behind
/// an error of one word, so that gets a space.
pub fn pad_error(mut reply: Chain, pool: &Pool) -> Chain {
    let one_word = reply.first_byte() == Some(b'-')
        && reply
            .slices()
            .all(|slice| memchr::memchr(b' ', slice).is_none());
    if !one_word {
        return reply;
    }
    let mut padded = reply.split_to(reply.len().saturating_sub(2));
    pool.copy(b" ", &mut padded);
    padded.append(&mut reply);
    padded
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::redis::command;
    use crate::proto::redis::lookup::lookup;

    fn asked(request: &str) -> Form {
        let args: Vec<&[u8]> = request
            .split(' ')
            .map(|word| if word == "''" { b"" } else { word.as_bytes() })
            .collect();
        let mut command = lookup(args[0]).unwrap();
        if command.is_container() {
            command = command.child(args[1]).unwrap();
        }
        form(command, &args, LONGEST_KEY)
    }

    #[test]
    fn each_request_goes_in_its_form() {
        let bulk = |key| {
            Form::Carried(Carrier {
                nulls: Nulls::Bulk,
                key,
            })
        };
        let array = |key| {
            Form::Carried(Carrier {
                nulls: Nulls::Array,
                key,
            })
        };
        let refused = Form::Refused;
        for (request, expected) in [
            ("GET k", Form::Plain),
            ("set k v EX 10 GET", Form::Plain),
            ("MSET a 1 b 2", Form::Plain),
            ("MGET a b c", Form::Plain),
            ("PING", Form::Plain),
            ("INFO", Form::Plain),
            ("INFO server", Form::Plain),
            ("KEYS *", Form::Plain),
            ("SCAN 0 COUNT 10", Form::Plain),
            ("SCRIPT LOAD x", Form::Plain),
            ("SCRIPT FLUSH", Form::Plain),
            ("SCRIPT FLUSH ASYNC", refused(Refusal::Command)),
            ("EVAL x 1 k", Form::Plain),
            ("EVAL x 01 k", refused(Refusal::Command)),
            ("EVAL_RO x 1 k", refused(Refusal::Command)),
            ("SORT k", Form::Plain),
            ("SORT k STORE d", bulk(1)),
            ("SUNION a b", Form::Plain),
            ("SUNIONSTORE d a b", bulk(1)),
            ("ZUNIONSTORE d 1 a", bulk(1)),
            ("EXPIRE k 10", Form::Plain),
            ("EXPIRE k 10 NX", bulk(1)),
            ("HSET h f v", Form::Plain),
            ("HSET h f v g w", bulk(1)),
            ("GETEX k", bulk(1)),
            ("UNLINK k", bulk(1)),
            ("HSTRLEN h f", bulk(1)),
            ("OBJECT ENCODING k", bulk(2)),
            ("XADD s * f v", bulk(1)),
            ("XREAD STREAMS s 0", array(2)),
            ("LPOP k", Form::Plain),
            ("LPOP k 2", array(1)),
            ("LMPOP 1 k LEFT", array(2)),
            ("XREAD BLOCK 0 STREAMS s 0", refused(Refusal::Command)),
            ("XPENDING s g", refused(Refusal::Reply)),
            ("XPENDING s g - + 10", bulk(1)),
            ("GEOPOS k a", Form::Plain),
            ("GEOPOS k a b", array(1)),
            ("GEORADIUS k 1 2 3 m", Form::Plain),
            ("GEORADIUS k 1 2 3 m withdist", bulk(1)),
            ("GEORADIUS k 1 2 3 m STORE d", bulk(1)),
            ("BITFIELD k GET u8 0", bulk(1)),
            ("BITFIELD k GET i64 0", refused(Refusal::Reply)),
            ("DBSIZE", bulk(0)),
            ("QUIT", refused(Refusal::Command)),
            ("CONFIG GET maxmemory", refused(Refusal::Command)),
            ("BLPOP k 0", refused(Refusal::Command)),
            ("MULTI", refused(Refusal::Command)),
            ("SUBSCRIBE c", refused(Refusal::Command)),
            ("FCALL f 1 k", refused(Refusal::Command)),
            (
                "dyno_config:conn_consistency dc_one",
                refused(Refusal::Command),
            ),
            ("GET ''", refused(Refusal::Key)),
            ("SET k ''", Form::Plain),
            ("DEL a ''", refused(Refusal::Key)),
        ] {
            assert_eq!(asked(request), expected, "{request}");
        }
        assert_eq!(
            asked(&format!("GET {}", "k".repeat(LONGEST_KEY))),
            Form::Plain
        );
        assert_eq!(
            asked(&format!("GET {}", "k".repeat(LONGEST_KEY + 1))),
            refused(Refusal::Key)
        );
        assert_eq!(
            asked(&format!("TOUCH{}", " k".repeat(MAX_CARRIED))),
            refused(Refusal::Command)
        );
    }

    /// The quick answer is never yes where the thorough one is no.
    #[test]
    fn quick_and_thorough_agree() {
        for command in command::commands() {
            for argc in 2..8 {
                let mut args = vec![command.name.as_bytes()];
                args.resize(argc, b"1");
                if is_plain(command, argc, args[1], LONGEST_KEY) {
                    assert_eq!(
                        form(command, &args, LONGEST_KEY),
                        Form::Plain,
                        "{} {argc}",
                        command.name
                    );
                }
            }
        }
        let get = lookup(b"get").unwrap();
        assert!(is_plain(get, 2, b"k", LONGEST_KEY));
        assert!(!is_plain(get, 2, b"", LONGEST_KEY));
        assert!(!is_plain(get, 2, b"k", 0));
    }

    #[test]
    fn one_word_errors_get_a_space() {
        let pool = Pool::new(512, 1 << 20);
        for (reply, expected) in [
            ("-FOO\r\n", "-FOO \r\n"),
            ("-\r\n", "- \r\n"),
            ("-FOO bar\r\n", "-FOO bar\r\n"),
            ("+OK\r\n", "+OK\r\n"),
            ("$3\r\nabc\r\n", "$3\r\nabc\r\n"),
        ] {
            let mut chain = Chain::new();
            pool.copy(reply.as_bytes(), &mut chain);
            assert_eq!(pad_error(chain, &pool).to_vec(), expected.as_bytes());
        }
    }
}
