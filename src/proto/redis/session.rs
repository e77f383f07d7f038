//! One client's connection state, and the commands the proxy answers itself.
//!
//! A request never changes state in the datastore's connection, which all clients share; what Redis
//! keeps per connection (name, protocol, `CLIENT REPLY`) is kept here. Texts are Redis 7.0.15's, so
//! that client libraries find what they expect when they connect.

pub(super) mod client;
pub mod clients;
pub(super) mod connection;
pub(super) mod help;
pub(super) mod introspect;
pub mod refused_multi;

pub use client::Figures;

use self::clients::AboutClients;
use super::command::Command;
use super::encode::Reply;
use super::errors;
use crate::clock::Now;
use crate::consistency::Consistency;

/// The version that is reported until the datastore's own is known.
pub const DEFAULT_VERSION: &str = "7.0.15";
/// The longest name or library name a client may set, in bytes; a longer one is refused.
pub const MAX_NAME: usize = 1024;

const BAD_NAME: &str =
    "-ERR Client names cannot contain spaces, newlines or special characters.\r\n";
const LONG_NAME: &str = "-ERR Client names cannot be longer than 1024 bytes\r\n";

/// The facts about the node that answers depend on.
#[derive(Clone, Copy, Debug)]
pub struct Context<'a> {
    /// The time of this turn.
    pub now: Now,
    /// The datastore's version, or [`DEFAULT_VERSION`].
    pub store_version: &'a str,
}

/// The caller's action after [`Session::answer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Deliver the output, if there is any.
    Reply,
    /// Deliver the output even if the client wants no replies.
    Always,
    /// The same as [`Effect::Reply`]; the output names the datastore's version.
    NamesVersion,
    /// Deliver the output, if there is any, after all earlier replies; then close.
    Close,
}

/// A request that a session answers.
pub(super) struct Asked<'a> {
    /// Its row: that of the subcommand if there is one.
    pub command: &'static Command,
    /// The whole request, name first, whose number the row accepts.
    pub args: &'a [&'a [u8]],
    pub context: &'a Context<'a>,
    /// The reply is appended here.
    pub out: &'a mut Vec<u8>,
}

impl<'a> Asked<'a> {
    /// An argument, empty if it is not there.
    fn arg(&self, at: usize) -> &'a [u8] {
        self.args.get(at).copied().unwrap_or_default()
    }

    /// Writes a line that is complete, or a part of one.
    fn push(&mut self, text: &str) {
        push(self.out, text);
    }
}

/// Answers one command in the client's protocol.
pub(super) type Answer = fn(&mut Session, &mut Asked<'_>) -> Effect;

/// The handler of a command that the proxy serves itself: a column of the command table.
#[derive(Clone, Copy, Debug)]
pub(super) enum Handler {
    /// Nothing.
    None,
    /// The session of the client that asks.
    Session(Answer),
    /// The node, which knows all its clients.
    Node(AboutClients),
}

/// The replies that the client wants (`CLIENT REPLY`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum ReplyMode {
    #[default]
    On,
    Off,
    SkipNext,
}

/// Settings that few clients use.
#[derive(Clone, Debug, Default)]
struct Names {
    name: Vec<u8>,
    lib_name: Vec<u8>,
    lib_ver: Vec<u8>,
}

/// One client's connection state. A few dozen bytes unless the client names itself.
#[derive(Clone, Debug)]
pub struct Session {
    /// The number that `CLIENT ID` returns.
    pub id: u64,
    /// The client sent `HELLO 3`: replies go through [`super::resp3`].
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

    /// Returns true if the reply to the next request is to be delivered. Call it exactly once, in order,
    /// for each request that does not go to [`Session::answer`], an erroneous one included; drop
    /// that request's reply if it returns `false`.
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

    /// Answers a request whose row says [`Serve::Proxy`](super::command::Serve::Proxy) and which is not about
    /// the node's clients ([`Command::about_clients`]).
    ///
    /// `command` is the row of the subcommand if there is one; `args` is the whole request, name
    /// first, whose number the row accepts. The reply is appended to `out` in the client's
    /// protocol. A command that is not the session's to answer is refused.
    pub fn answer(
        &mut self,
        command: &'static Command,
        args: &[&[u8]],
        context: &Context<'_>,
        out: &mut Vec<u8>,
    ) -> Effect {
        let start = out.len();
        let quiet = !self.wants_reply();
        let effect = match command.handler {
            Handler::Session(answer) => answer(
                self,
                &mut Asked {
                    command,
                    args,
                    context,
                    out,
                },
            ),
            Handler::None | Handler::Node(_) => {
                errors::refused(command, command.serve.why(), out);
                Effect::Reply
            }
        };
        if !quiet || effect == Effect::Always {
            return effect;
        }
        out.truncate(start);
        match effect {
            Effect::Close => Effect::Close,
            _ => Effect::Reply,
        }
    }

    /// A writer of replies in the client's protocol.
    fn reply<'a>(&self, out: &'a mut Vec<u8>) -> Reply<'a> {
        Reply::new(out, self.resp3)
    }

    fn names_mut(&mut self) -> &mut Names {
        self.names.get_or_insert_default()
    }
}

fn push(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

/// Returns true if a text may be a client's name: printable ASCII without blanks.
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

#[cfg(test)]
mod tests;
