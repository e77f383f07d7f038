//! `CLIENT`: what a client may ask and set about its own connection.

use std::fmt::Write;

use super::clients::Facts;
use super::{Effect, MAX_NAME, ReplyMode, Session, fit_name, push};
use crate::proto::redis::command::Command;
use crate::proto::redis::encode::Reply;
use crate::proto::redis::errors;

const NO_TRACKING: &str = "-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled\r\n";

impl Session {
    pub(super) fn client(
        &mut self,
        command: &'static Command,
        args: &[&[u8]],
        out: &mut Vec<u8>,
    ) -> Effect {
        let arg = |at: usize| args.get(at).copied().unwrap_or_default();
        let resp3 = self.resp3;
        match command.name {
            "id" => Reply::new(out, resp3).integer(self.id as i64),
            "getname" => match self.names.as_ref().filter(|names| !names.name.is_empty()) {
                Some(names) => Reply::new(out, resp3).bulk(&names.name),
                None => Reply::new(out, resp3).null(),
            },
            "setname" => match fit_name(arg(2)) {
                Ok(()) => {
                    self.names_mut().name = arg(2).to_vec();
                    Reply::new(out, resp3).ok();
                }
                Err(text) => push(out, text),
            },
            "setinfo" => self.set_info(arg(2), arg(3), out),
            "reply" => return self.reply_mode(arg(2), out),
            "no-evict" => switch(arg(2), &mut self.no_evict, out),
            "no-touch" => switch(arg(2), &mut self.no_touch, out),
            // Invalidation messages would need a datastore connection of the client's own.
            "tracking" if arg(2).eq_ignore_ascii_case(b"on") => {
                if let Some(container) = command.parent() {
                    errors::unknown_subcommand(container, arg(1), out);
                }
            }
            "tracking" if arg(2).eq_ignore_ascii_case(b"off") => Reply::new(out, resp3).ok(),
            "tracking" => push(out, errors::SYNTAX),
            "trackinginfo" => tracking_info(&mut Reply::new(out, resp3)),
            "getredir" => Reply::new(out, resp3).integer(-1),
            "caching" => push(out, NO_TRACKING),
            // The node answers those that are about all clients (`clients::is_about_clients`).
            _ => errors::refused(command, command.serve.why(), out),
        }
        Effect::Reply
    }

    fn reply_mode(&mut self, word: &[u8], out: &mut Vec<u8>) -> Effect {
        if word.eq_ignore_ascii_case(b"on") {
            self.mode = ReplyMode::On;
            Reply::new(out, self.resp3).ok();
            return Effect::Reply;
        }
        if word.eq_ignore_ascii_case(b"off") {
            self.mode = ReplyMode::Off;
        } else if word.eq_ignore_ascii_case(b"skip") {
            if self.mode == ReplyMode::On {
                self.mode = ReplyMode::SkipNext;
            }
        } else {
            push(out, errors::SYNTAX);
            return Effect::Reply;
        }
        Effect::NoReply
    }

    /// `CLIENT SETINFO`, of Redis 7.2; client libraries send it when they connect.
    fn set_info(&mut self, what: &[u8], value: &[u8], out: &mut Vec<u8>) {
        let (name, field): (_, fn(&mut super::Names) -> &mut Vec<u8>) =
            if what.eq_ignore_ascii_case(b"lib-name") {
                ("lib-name", |names| &mut names.lib_name)
            } else if what.eq_ignore_ascii_case(b"lib-ver") {
                ("lib-ver", |names| &mut names.lib_ver)
            } else {
                push(out, "-ERR Unrecognized option '");
                errors::push_quoted(what, out);
                return push(out, "'\r\n");
            };
        if value.len() > MAX_NAME || !value.iter().all(u8::is_ascii_graphic) {
            push(out, "-ERR ");
            push(out, name);
            return push(
                out,
                " cannot contain spaces, newlines or special characters.\r\n",
            );
        }
        *field(self.names_mut()) = value.to_vec();
        Reply::new(out, self.resp3).ok();
    }

    /// Appends the connection in the fields of Redis' `CLIENT LIST`. Those that describe Redis' own
    /// buffers are zero.
    pub fn describe(&self, figures: &Figures<'_>, line: &mut String) {
        let text = |field: fn(&super::Names) -> &Vec<u8>| {
            let bytes = self.names.as_deref().map(field);
            String::from_utf8_lossy(bytes.map_or(&[], |bytes| bytes))
        };
        let mut flags = String::new();
        for (holds, letter) in [
            (figures.is_unix, 'U'),
            (self.no_evict, 'e'),
            (self.no_touch, 'T'),
        ] {
            flags.extend(holds.then_some(letter));
        }
        if flags.is_empty() {
            flags.push('N');
        }
        let Facts {
            id,
            addr,
            laddr,
            age,
        } = figures.facts;
        let (idle, qbuf, omem) = (figures.idle, figures.qbuf, figures.omem);
        let total = qbuf + omem;
        // Writing to a string cannot fail.
        let _ = writeln!(
            line,
            "id={id} addr={addr} laddr={laddr} fd=-1 name={} age={age} idle={idle} flags={flags} db=0 \
             sub=0 psub=0 ssub=0 multi=-1 qbuf={qbuf} qbuf-free=0 argv-mem=0 multi-mem=0 rbs=0 rbp=0 \
             obl={omem} oll=0 omem={omem} tot-mem={total} events=r cmd={} user=default redir=-1 \
             resp={} lib-name={} lib-ver={}",
            text(|names| &names.name),
            figures.command,
            if self.resp3 { 3 } else { 2 },
            text(|names| &names.lib_name),
            text(|names| &names.lib_ver),
        );
    }
}

/// What is known of a connection beside its session.
#[derive(Clone, Copy, Debug)]
pub struct Figures<'a> {
    /// Who it is.
    pub facts: Facts<'a>,
    /// It came over a Unix socket.
    pub is_unix: bool,
    /// The latest command, `NULL` if there was none.
    pub command: &'a str,
    /// Seconds since its last byte arrived.
    pub idle: u64,
    /// Bytes of it that no request has been made of.
    pub qbuf: usize,
    /// Bytes of replies that it has not taken.
    pub omem: usize,
}

fn switch(word: &[u8], flag: &mut bool, out: &mut Vec<u8>) {
    if word.eq_ignore_ascii_case(b"on") {
        *flag = true;
    } else if word.eq_ignore_ascii_case(b"off") {
        *flag = false;
    } else {
        return push(out, errors::SYNTAX);
    }
    Reply::new(out, false).ok();
}

fn tracking_info(reply: &mut Reply<'_>) {
    reply.map(3);
    reply.bulk("flags");
    reply.set(1);
    reply.bulk("off");
    reply.bulk("redirect");
    reply.integer(-1);
    reply.bulk("prefixes");
    reply.array(0);
}
