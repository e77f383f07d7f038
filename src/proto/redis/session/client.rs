//! `CLIENT`: queries and settings of a client's own connection. One handler of the command table each.

use std::fmt::Write;

use super::clients::Facts;
use super::{Asked, Effect, MAX_NAME, Names, ReplyMode, Session, fit_name};
use crate::proto::redis::encode::Reply;
use crate::proto::redis::errors;

const NO_TRACKING: &str = "-ERR CLIENT CACHING can be called only when the client is in tracking mode with OPTIN or OPTOUT mode enabled\r\n";

/// `CLIENT ID`.
pub fn id(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    session.reply(asked.out).integer(session.id as i64);
    Effect::Reply
}

/// `CLIENT GETNAME`.
pub fn get_name(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    let mut reply = session.reply(asked.out);
    match &session.names {
        Some(names) if !names.name.is_empty() => reply.bulk(&names.name),
        _ => reply.null(),
    }
    Effect::Reply
}

/// `CLIENT SETNAME name`.
pub fn set_name(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    match fit_name(asked.arg(2)) {
        Ok(()) => {
            session.names_mut().name = asked.arg(2).to_vec();
            session.reply(asked.out).ok();
        }
        Err(text) => asked.push(text),
    }
    Effect::Reply
}

/// `CLIENT SETINFO`, of Redis 7.2; client libraries send it when they connect.
pub fn set_info(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    let (what, value) = (asked.arg(2), asked.arg(3));
    let (name, field): (_, fn(&mut Names) -> &mut Vec<u8>) =
        if what.eq_ignore_ascii_case(b"lib-name") {
            ("lib-name", |names| &mut names.lib_name)
        } else if what.eq_ignore_ascii_case(b"lib-ver") {
            ("lib-ver", |names| &mut names.lib_ver)
        } else {
            asked.push("-ERR Unrecognized option '");
            errors::push_quoted(what, asked.out);
            asked.push("'\r\n");
            return Effect::Reply;
        };
    if value.len() > MAX_NAME || !value.iter().all(u8::is_ascii_graphic) {
        asked.push("-ERR ");
        asked.push(name);
        asked.push(" cannot contain spaces, newlines or special characters.\r\n");
        return Effect::Reply;
    }
    *field(session.names_mut()) = value.to_vec();
    session.reply(asked.out).ok();
    Effect::Reply
}

/// `CLIENT REPLY ON|OFF|SKIP`. The command that ends the silence is answered.
pub fn reply_mode(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    let word = asked.arg(2);
    if word.eq_ignore_ascii_case(b"on") {
        session.mode = ReplyMode::On;
        session.reply(asked.out).ok();
        return Effect::Always;
    }
    if word.eq_ignore_ascii_case(b"off") {
        session.mode = ReplyMode::Off;
    } else if word.eq_ignore_ascii_case(b"skip") {
        if session.mode == ReplyMode::On {
            session.mode = ReplyMode::SkipNext;
        }
    } else {
        asked.push(errors::SYNTAX);
    }
    Effect::Reply
}

/// `CLIENT NO-EVICT ON|OFF`.
pub fn no_evict(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    switch(&mut session.no_evict, asked)
}

/// `CLIENT NO-TOUCH ON|OFF`.
pub fn no_touch(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    switch(&mut session.no_touch, asked)
}

/// `CLIENT TRACKING`, which cannot be switched on: invalidation messages would need a datastore connection of
/// the client's own.
pub fn tracking(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    let word = asked.arg(2);
    if word.eq_ignore_ascii_case(b"on") {
        if let Some(container) = asked.command.parent() {
            errors::unknown_subcommand(container, asked.arg(1), asked.out);
        }
    } else if word.eq_ignore_ascii_case(b"off") {
        session.reply(asked.out).ok();
    } else {
        asked.push(errors::SYNTAX);
    }
    Effect::Reply
}

/// `CLIENT TRACKINGINFO`.
pub fn tracking_info(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    let mut reply = session.reply(asked.out);
    reply.map(3);
    reply.bulk("flags");
    reply.set(1);
    reply.bulk("off");
    reply.bulk("redirect");
    reply.integer(-1);
    reply.bulk("prefixes");
    reply.array(0);
    Effect::Reply
}

/// `CLIENT GETREDIR`.
pub fn get_redirection(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    session.reply(asked.out).integer(-1);
    Effect::Reply
}

/// `CLIENT CACHING`.
pub fn caching(_: &mut Session, asked: &mut Asked<'_>) -> Effect {
    asked.push(NO_TRACKING);
    Effect::Reply
}

impl Session {
    /// Appends the connection in the fields of Redis' `CLIENT LIST`. Those that describe Redis' own
    /// buffers are zero.
    pub fn describe(&self, figures: &Figures<'_>, line: &mut String) {
        let text = |field: fn(&Names) -> &Vec<u8>| {
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

/// The properties of a connection besides its session.
#[derive(Clone, Copy, Debug)]
pub struct Figures<'a> {
    /// Its identity.
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

fn switch(flag: &mut bool, asked: &mut Asked<'_>) -> Effect {
    let word = asked.arg(2);
    let on = word.eq_ignore_ascii_case(b"on");
    if on || word.eq_ignore_ascii_case(b"off") {
        *flag = on;
        Reply::new(asked.out, false).ok();
    } else {
        asked.push(errors::SYNTAX);
    }
    Effect::Reply
}
