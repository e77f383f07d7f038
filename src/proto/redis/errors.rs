//! Error lines: those of Redis 7.0 for what the proxy checks in its stead, and those of Dynomite's own
//! that only Redis clients get; the others are [`Failure`](crate::proto::Failure).
//!
//! Clients match on these texts. Jedis and Lettuce tolerate a command they probe for only when its
//! error contains the word *unknown*, so every refusal does. Bytes of a client that go into a line
//! are cut after 128 bytes and have CR and LF replaced by spaces, as in Redis.

use super::command::Command;
use super::flags::cat;
use super::keys::KeysError;
use super::refusal::Why;

/// The remedy for keys of several nodes.
macro_rules! share_a_tag {
    () => {
        "Keys with the same hash tag are on one node: see hash_tag in dynomite.yml(5)."
    };
}
const SHARE_A_TAG: &str = share_a_tag!();

/// A script's keys belong to several nodes.
pub const SCRIPT_SPANS_NODES: &str = concat!(
    "-ERR Dynomite: Keys in the script cannot span multiple nodes. ",
    share_a_tag!(),
    "\r\n"
);
/// A script without keys cannot be routed where a rack has several nodes. The original's text, and why.
pub const SCRIPT_WITHOUT_KEYS: &str = "-ERR Dynomite: EVAL/EVALSHA requires at least 1 key, because a rack has several nodes and only a key says which one runs the script\r\n";
/// A level that `dyno_config:conn_consistency` does not know; the connection is closed after it.
pub const BAD_CONSISTENCY: &str = "-ERR Dynomite: invalid consistency: the levels are DC_ONE, DC_QUORUM, DC_SAFE_QUORUM and DC_EACH_SAFE_QUORUM\r\n";
/// Keys of one request belong to several nodes.
pub const CROSSSLOT: &str = concat!(
    "-CROSSSLOT Keys in request don't hash to the same node. ",
    share_a_tag!(),
    "\r\n"
);

/// A request for another database than number 0. Begins with Redis' words.
pub const OTHER_DATABASE: &str =
    "-ERR DB index is out of range: Dynomite serves database 0 only\r\n";
/// A request with more arguments than `node::limits::ARGUMENTS`.
pub const TOO_MANY_ARGUMENTS: &str = "-ERR Dynomite: too many arguments: a request that is split, rewritten or sent to another node has at most 1048576\r\n";
/// The error for commands behind a refused `MULTI`.
pub const BEHIND_REFUSED_MULTI: &str = "-ERR Dynomite: not run, because it follows a MULTI that was refused: transactions are not supported\r\n";
/// The answer to an `EXEC` behind a `MULTI` that was refused, in the form Redis gives a reason in.
pub const EXEC_ABORT: &str =
    "-EXECABORT Transaction discarded because of: transactions are not supported by Dynomite\r\n";

/// Answered to cluster commands, so that clients stay in standalone mode.
pub const CLUSTER_DISABLED: &str = "-ERR This instance has cluster support disabled\r\n";
/// Redis' generic syntax error.
pub const SYNTAX: &str = "-ERR syntax error\r\n";
/// Redis' complaint about a cursor that is none.
pub const INVALID_CURSOR: &str = "-ERR invalid cursor\r\n";
/// Redis' generic complaint about a number.
pub const NOT_AN_INTEGER: &str = "-ERR value is not an integer or out of range\r\n";

/// Array header that is no number or too large; the connection is closed after it.
pub const BAD_MULTIBULK: &str = "-ERR Protocol error: invalid multibulk length\r\n";
/// Bulk header that is no number, negative or too large; closed after it.
pub const BAD_BULK: &str = "-ERR Protocol error: invalid bulk length\r\n";
/// An array header of more than 64 KB; closed after it.
pub const LONG_MULTIBULK: &str = "-ERR Protocol error: too big mbulk count string\r\n";
/// A bulk header of more than 64 KB; closed after it.
pub const LONG_BULK: &str = "-ERR Protocol error: too big bulk count string\r\n";
/// A request of more than 1 GiB; closed after it.
pub const LONG_REQUEST: &str = "-ERR Protocol error: too big request\r\n";
/// An inline command of more than 64 KB; closed after it.
pub const LONG_INLINE: &str = "-ERR Protocol error: too big inline request\r\n";
/// An inline command with an open quote; closed after it.
pub const UNBALANCED_QUOTES: &str = "-ERR Protocol error: unbalanced quotes in request\r\n";
/// A payload that is longer than its header said (Redis does not look); closed after it.
pub const NO_BULK_END: &str = "-ERR Protocol error: expected CRLF after bulk payload\r\n";

/// The error for a request whose keys belong to several nodes: scripts the original's text, other
/// commands that of Redis Cluster.
pub fn spans_nodes(command: &Command) -> &'static str {
    if command.categories & cat::SCRIPTING != 0 {
        SCRIPT_SPANS_NODES
    } else {
        CROSSSLOT
    }
}

/// `SORT` would read keys that other nodes may own; `option` is `BY` or `GET`. Redis Cluster's words.
pub fn pattern_spans_nodes(option: &str, out: &mut Vec<u8>) {
    let text = format!(
        "-ERR {option} option of SORT denied in Cluster mode when keys formed by the pattern may be in different slots. {SHARE_A_TAG}\r\n"
    );
    out.extend_from_slice(text.as_bytes());
}

/// Most bytes of a client's input that an error line quotes.
const QUOTED: usize = 128;

/// An element of a request is not a bulk string; the connection is closed after it. `got` is the
/// byte found in place of `$`.
pub fn expected_bulk(got: u8, out: &mut Vec<u8>) {
    out.extend_from_slice(b"-ERR Protocol error: expected '$', got '");
    // Redis prints the byte as it is, which would end the line early here.
    push_quoted(&[got], out);
    out.extend_from_slice(b"'\r\n");
}

/// No such command. `args` is the whole request, name first.
pub fn unknown_command(args: &[&[u8]], out: &mut Vec<u8>) {
    let (name, rest) = args
        .split_first()
        .map_or((&b""[..], args), |(n, r)| (*n, r));
    out.extend_from_slice(b"-ERR unknown command '");
    push_quoted(name, out);
    out.extend_from_slice(b"', with args beginning with: ");
    let start = out.len();
    for arg in rest {
        let used = out.len() - start;
        if used >= QUOTED {
            break;
        }
        out.push(b'\'');
        push_text(arg, QUOTED - used, out);
        out.extend_from_slice(b"' ");
    }
    out.extend_from_slice(b"\r\n");
}

/// No such subcommand, or one that is not served. `word` is the subcommand as the client sent it.
pub fn unknown_subcommand(container: &Command, word: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(b"-ERR unknown subcommand '");
    push_quoted(word, out);
    out.extend_from_slice(b"'. Try ");
    out.extend(container.name.bytes().map(|b| b.to_ascii_uppercase()));
    out.extend_from_slice(b" HELP.\r\n");
}

/// The wrong number of arguments for a command or subcommand.
pub fn arity(command: &Command, out: &mut Vec<u8>) {
    out.extend_from_slice(b"-ERR wrong number of arguments for '");
    push_name(command, out);
    out.extend_from_slice(b"' command\r\n");
}

/// A command of Redis that is not served. `why` is the reason for this request, which for `XREAD` depends on
/// its arguments.
pub fn refused(command: &Command, why: Why, out: &mut Vec<u8>) {
    if why == Why::Blocking && command.is_served() {
        out.extend_from_slice(b"-ERR unknown option 'block' for '");
    } else {
        out.extend_from_slice(b"-ERR unknown command '");
    }
    push_name(command, out);
    out.extend_from_slice(b"': ");
    out.extend_from_slice(why.text().as_bytes());
    out.extend_from_slice(b"\r\n");
}

/// The error of Redis for an invalid number of keys, in commands that are no scripts: a column of the command
/// table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NumKeys {
    /// It is not an integer.
    Integer,
    /// It is not above zero.
    Positive,
    /// The same, and there is a text for more keys than arguments.
    PositiveAndPresent,
    /// It is bad (`FCALL`).
    Function,
}

/// The keys of a request cannot be found: the words Redis has for it in this command, but for
/// scripts without keys, which Redis runs and a proxy cannot always route.
pub fn keys(command: &Command, error: KeysError, out: &mut Vec<u8>) {
    const POSITIVE: &str = "-ERR numkeys should be greater than 0\r\n";
    const TOO_MANY: &str = "-ERR Number of keys can't be greater than number of args\r\n";
    let script = command.categories & cat::SCRIPTING != 0;
    let present = command.num_keys == NumKeys::PositiveAndPresent;
    let positive = present || command.num_keys == NumKeys::Positive;
    let text = match error {
        KeysError::NotAnInteger if positive => POSITIVE,
        KeysError::NotAnInteger if command.num_keys == NumKeys::Function => {
            "-ERR Bad number of keys provided\r\n"
        }
        KeysError::NotAnInteger => NOT_AN_INTEGER,
        KeysError::Negative if script => "-ERR Number of keys can't be negative\r\n",
        KeysError::Zero if script => SCRIPT_WITHOUT_KEYS,
        KeysError::Negative | KeysError::Zero if positive => POSITIVE,
        KeysError::Negative | KeysError::Zero => {
            out.extend_from_slice(b"-ERR at least 1 input key is needed for '");
            push_name(command, out);
            "' command\r\n"
        }
        KeysError::TooMany if script || present => TOO_MANY,
        KeysError::TooMany | KeysError::Syntax => SYNTAX,
        KeysError::OtherDatabase => OTHER_DATABASE,
        KeysError::Unbalanced => {
            "-ERR Unbalanced XREAD list of streams: for each stream key an ID or '$' must be specified.\r\n"
        }
    };
    out.extend_from_slice(text.as_bytes());
}

fn push_name(command: &Command, out: &mut Vec<u8>) {
    if let Some(parent) = command.parent() {
        out.extend_from_slice(parent.name.as_bytes());
        out.push(b'|');
    }
    out.extend_from_slice(command.name.as_bytes());
}

/// Appends at most [`QUOTED`] bytes of a client's input, made fit for an error line.
pub(super) fn push_quoted(text: &[u8], out: &mut Vec<u8>) {
    push_text(text, QUOTED, out);
}

/// Redis prints C strings here, so text ends at a NUL.
fn push_text(text: &[u8], most: usize, out: &mut Vec<u8>) {
    let text = text.split(|&b| b == 0).next().unwrap_or_default();
    out.extend(text.iter().take(most).map(|&b| match b {
        b'\r' | b'\n' => b' ',
        other => other,
    }));
}
