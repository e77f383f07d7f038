//! One client's connection state, and the commands the proxy answers itself.
//!
//! A request never changes state in the datastore's connection, which all clients share; what Redis
//! keeps per connection (name, protocol, `CLIENT REPLY`) is kept here. Texts are Redis 7.0.15's, so
//! that client libraries find what they expect when they connect.

mod client;
pub mod clients;
mod help;
pub(super) mod introspect;
pub mod refused_multi;

pub use client::Figures;

use super::command::Command;
use super::encode::Reply;
use super::errors;
use super::keys::integer;
use super::refusal::Why;
use crate::clock::Now;
use crate::consistency::Consistency;

/// The version that is reported until the datastore's own is known.
pub const DEFAULT_VERSION: &str = "7.0.15";
/// The longest name or library name a client may set, in bytes; a longer one is refused.
pub const MAX_NAME: usize = 1024;

const NO_PASSWORD: &str = "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n";
const WRONG_PASSWORD: &str = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";
const BAD_NAME: &str =
    "-ERR Client names cannot contain spaces, newlines or special characters.\r\n";
const LONG_NAME: &str = "-ERR Client names cannot be longer than 1024 bytes\r\n";

/// What the session needs to know about the world to answer.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The time of this turn.
    pub now: Now,
    /// The datastore's version, or [`DEFAULT_VERSION`].
    pub store_version: &'a str,
}

/// What the caller does after [`Session::answer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Deliver what was written.
    Reply,
    /// Nothing was written and nothing is to be delivered.
    NoReply,
    /// Deliver what was written, if anything, after all earlier replies; then close.
    Close,
    /// Deliver what was written; [`Session::consistency`] is this now.
    Consistency(Consistency),
}

/// Whether the client wants replies (`CLIENT REPLY`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ReplyMode {
    #[default]
    On,
    Off,
    SkipNext,
}

/// What few clients set.
#[derive(Clone, Debug, Default)]
struct Names {
    name: Vec<u8>,
    lib_name: Vec<u8>,
    lib_ver: Vec<u8>,
}

/// One client's connection state. A few dozen bytes unless the client names itself.
#[derive(Clone, Debug)]
pub struct Session {
    /// The number `CLIENT ID` tells.
    pub id: u64,
    /// The client said `HELLO 3`: replies go through [`super::resp3`].
    pub resp3: bool,
    /// The level the client chose for its reads and writes, if it did.
    pub consistency: Option<Consistency>,
    mode: ReplyMode,
    /// When a `MULTI` was refused whose transaction has not ended, in µs.
    refused_multi: Option<u64>,
    no_evict: bool,
    no_touch: bool,
    names: Option<Box<Names>>,
}

impl Session {
    /// A fresh connection's state.
    pub fn new(id: u64) -> Self {
        Session {
            id,
            resp3: false,
            consistency: None,
            mode: ReplyMode::On,
            refused_multi: None,
            no_evict: false,
            no_touch: false,
            names: None,
        }
    }

    /// Whether the reply to the next request is to be delivered. Call it exactly once, in order,
    /// for each request that does not go to [`Session::answer`], an erroneous one included; drop
    /// that request's reply if it says `false`.
    pub fn wants_reply(&mut self) -> bool {
        match self.mode {
            ReplyMode::On => true,
            ReplyMode::Off => false,
            ReplyMode::SkipNext => {
                self.mode = ReplyMode::On;
                false
            }
        }
    }

    /// Answers a request whose row says [`Serve::Proxy`](super::command::Serve::Proxy) or
    /// [`Serve::ConnConsistency`](super::command::Serve::ConnConsistency).
    ///
    /// `command` is the row of the subcommand if there is one; `args` is the whole request, name
    /// first, whose number the row accepts. The reply is appended to `out` in the client's
    /// protocol. A command that is not the proxy's to answer is refused.
    pub fn answer(
        &mut self,
        command: &'static Command,
        args: &[&[u8]],
        context: &Context<'_>,
        out: &mut Vec<u8>,
    ) -> Effect {
        let start = out.len();
        let skipped = self.mode == ReplyMode::SkipNext;
        let quiet = !self.wants_reply();
        let effect = self.dispatch(command, args, context, out);
        // What ends the silence is answered although it arrived in it, and so are messages.
        let loud = match command.parent() {
            None => match command.name {
                "reset" => !skipped,
                name => name.ends_with("unsubscribe"),
            },
            Some(_) => {
                command.is_of("client", "reply")
                    && args
                        .get(2)
                        .is_some_and(|word| word.eq_ignore_ascii_case(b"on"))
            }
        };
        let quiet = quiet && !loud;
        if !quiet {
            return effect;
        }
        out.truncate(start);
        match effect {
            Effect::Close => Effect::Close,
            _ => Effect::NoReply,
        }
    }

    fn dispatch(
        &mut self,
        command: &'static Command,
        args: &[&[u8]],
        context: &Context<'_>,
        out: &mut Vec<u8>,
    ) -> Effect {
        let arg = |at: usize| args.get(at).copied().unwrap_or_default();
        let container = command.parent();
        if let Some(container) = container {
            if command.name == "help" {
                help::write(container, &mut Reply::new(out, self.resp3));
                return Effect::Reply;
            }
            match container.name {
                "client" => return self.client(command, args, out),
                "command" => {
                    introspect::answer(command, args, &mut Reply::new(out, self.resp3));
                    return Effect::Reply;
                }
                _ => {}
            }
        }
        match (container.map(|c| c.name), command.name) {
            (None, "hello") => self.hello(args, context, out),
            (None, "reset") => {
                *self = Session::new(self.id);
                Reply::new(out, false).simple("RESET");
            }
            (None, "quit") => {
                Reply::new(out, self.resp3).ok();
                return Effect::Close;
            }
            (None, "dyno_config:conn_consistency") => match Consistency::from_bytes(arg(1)) {
                Some(level) => {
                    self.consistency = Some(level);
                    Reply::new(out, self.resp3).ok();
                    return Effect::Consistency(level);
                }
                // A client that overlooks it would go on at a level that it did not ask for. The original
                // closes as well.
                None => {
                    push(out, errors::BAD_CONSISTENCY);
                    return Effect::Close;
                }
            },
            (None, "echo") => Reply::new(out, self.resp3).bulk(arg(1)),
            (None, "time") => time(context.now, &mut Reply::new(out, self.resp3)),
            (None, "select") => return select(arg(1), out),
            (None, "auth") => auth(args, out),
            // Nothing is ever watched, and nobody subscribed.
            (None, "unwatch") => Reply::new(out, self.resp3).ok(),
            (None, "unsubscribe" | "punsubscribe" | "sunsubscribe") => {
                unsubscribed(command.name, args, &mut Reply::new(out, self.resp3));
            }
            (None, "wait") => wait(arg(1), arg(2), out),
            (None, "lolwut") => {
                let text = format!("Redis ver. {}\n", context.store_version);
                Reply::new(out, self.resp3).text(&text);
            }
            (None, "command") => introspect::all(&mut Reply::new(out, self.resp3)),
            (None, "cluster" | "asking" | "readonly" | "readwrite") => {
                push(out, errors::CLUSTER_DISABLED);
            }
            (Some("acl"), "whoami") => Reply::new(out, self.resp3).bulk("default"),
            _ => errors::refused(command, Why::Unsupported, out),
        }
        Effect::Reply
    }

    /// `HELLO [protocol [AUTH user password] [SETNAME name]]`. Nothing changes unless all of it is
    /// right.
    fn hello(&mut self, args: &[&[u8]], context: &Context<'_>, out: &mut Vec<u8>) {
        let mut resp3 = self.resp3;
        if let Some(version) = args.get(1) {
            match integer(version) {
                Some(2) => resp3 = false,
                Some(3) => resp3 = true,
                Some(_) => return push(out, "-NOPROTO unsupported protocol version\r\n"),
                None => {
                    return push(
                        out,
                        "-ERR Protocol version is not an integer or out of range\r\n",
                    );
                }
            }
        }
        let (mut user, mut name) = (None, None);
        let mut options = args.get(2..).unwrap_or_default();
        loop {
            options = match options {
                [] => break,
                [word, who, _, rest @ ..] if word.eq_ignore_ascii_case(b"auth") => {
                    user = Some(*who);
                    rest
                }
                [word, chosen, rest @ ..] if word.eq_ignore_ascii_case(b"setname") => {
                    name = Some(*chosen);
                    rest
                }
                [word, ..] => {
                    push(out, "-ERR Syntax error in HELLO option '");
                    errors::push_quoted(word, out);
                    return push(out, "'\r\n");
                }
            };
        }
        if user.is_some_and(|user| user != b"default") {
            return push(out, WRONG_PASSWORD);
        }
        if let Some(name) = name {
            match fit_name(name) {
                Ok(()) => self.names_mut().name = name.to_vec(),
                Err(text) => return push(out, text),
            }
        }
        self.resp3 = resp3;
        let mut reply = Reply::new(out, resp3);
        reply.map(7);
        for (key, value) in [("server", "redis"), ("version", context.store_version)] {
            reply.bulk(key);
            reply.bulk(value);
        }
        reply.bulk("proto");
        reply.integer(if resp3 { 3 } else { 2 });
        reply.bulk("id");
        reply.integer(self.id as i64);
        // Standalone, or clients that know about clusters begin to ask for slots.
        for (key, value) in [("mode", "standalone"), ("role", "master")] {
            reply.bulk(key);
            reply.bulk(value);
        }
        reply.bulk("modules");
        reply.array(0);
    }

    fn names_mut(&mut self) -> &mut Names {
        self.names.get_or_insert_default()
    }
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Whether a text may be a client's name: printable ASCII without blanks.
fn fit_name(name: &[u8]) -> Result<(), &'static str> {
    if name.len() > MAX_NAME {
        return Err(LONG_NAME);
    }
    if name.iter().all(u8::is_ascii_graphic) {
        Ok(())
    } else {
        Err(BAD_NAME)
    }
}

/// A message for each channel, or one without a channel.
fn unsubscribed(name: &str, args: &[&[u8]], reply: &mut Reply<'_>) {
    let mut message = |channel: Option<&[u8]>| {
        reply.push(3);
        reply.bulk(name);
        match channel {
            Some(channel) => reply.bulk(channel),
            None => reply.null(),
        }
        reply.integer(0);
    };
    match args.get(1..) {
        None | Some([]) => message(None),
        Some(channels) => channels.iter().for_each(|channel| message(Some(channel))),
    }
}

fn time(now: Now, reply: &mut Reply<'_>) {
    let mut buffer = itoa::Buffer::new();
    reply.array(2);
    reply.bulk(buffer.format(now.unix_secs()));
    reply.bulk(buffer.format(now.wall_us % 1_000_000));
}

/// There is one database, number 0.
///
/// A client that does not look at the refusal (many client libraries select their database when they
/// connect and ignore the reply) would go on in database 0, among the keys of others. So the connection
/// closes, as the original's does.
fn select(database: &[u8], out: &mut Vec<u8>) -> Effect {
    match integer(database) {
        Some(0) => {
            Reply::new(out, false).ok();
            return Effect::Reply;
        }
        Some(number) if i32::try_from(number).is_ok() => push(out, errors::OTHER_DATABASE),
        Some(_) => push(
            out,
            "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n",
        ),
        None => push(out, errors::NOT_AN_INTEGER),
    }
    Effect::Close
}

/// No password is configured: the default user may come in with any, as in Redis.
fn auth(args: &[&[u8]], out: &mut Vec<u8>) {
    match args {
        [_, _] => push(out, NO_PASSWORD),
        [_, b"default", _] => Reply::new(out, false).ok(),
        [_, _, _] => push(out, WRONG_PASSWORD),
        _ => push(out, errors::SYNTAX),
    }
}

/// No replica ever acknowledges to a proxy.
fn wait(replicas: &[u8], timeout: &[u8], out: &mut Vec<u8>) {
    let text = match (integer(replicas), integer(timeout)) {
        (None, _) => errors::NOT_AN_INTEGER,
        (_, None) => "-ERR timeout is not an integer or out of range\r\n",
        (_, Some(..0)) => "-ERR timeout is negative\r\n",
        _ => ":0\r\n",
    };
    push(out, text);
}

#[cfg(test)]
mod tests;
