//! Commands about the client's own connection, each by itself: the handlers of the command table.

use super::{Asked, Effect, ReplyMode, Session, fit_name};
use crate::consistency::Consistency;
use crate::proto::redis::errors;
use crate::proto::redis::keys::integer;

const NO_PASSWORD: &str = "-ERR AUTH <password> called without any password configured for the default user. Are you sure your configuration is correct?\r\n";
const WRONG_PASSWORD: &str = "-WRONGPASS invalid username-password pair or user is disabled.\r\n";

/// `HELLO [protocol [AUTH user password] [SETNAME name]]`. Nothing changes unless all of it is right.
pub fn hello(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    let mut resp3 = session.resp3;
    if let Some(version) = asked.args.get(1) {
        match integer(version) {
            Some(2) => resp3 = false,
            Some(3) => resp3 = true,
            Some(_) => return refuse(asked, "-NOPROTO unsupported protocol version\r\n"),
            None => {
                return refuse(
                    asked,
                    "-ERR Protocol version is not an integer or out of range\r\n",
                );
            }
        }
    }
    let (mut user, mut name) = (None, None);
    let mut options = asked.args.get(2..).unwrap_or_default();
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
                asked.push("-ERR Syntax error in HELLO option '");
                errors::push_quoted(word, asked.out);
                return refuse(asked, "'\r\n");
            }
        };
    }
    if user.is_some_and(|user| user != b"default") {
        return refuse(asked, WRONG_PASSWORD);
    }
    if let Some(name) = name {
        match fit_name(name) {
            Ok(()) => session.names_mut().name = name.to_vec(),
            Err(text) => return refuse(asked, text),
        }
    }
    session.resp3 = resp3;
    let mut reply = session.reply(asked.out);
    reply.map(7);
    for (key, value) in [
        ("server", "redis"),
        ("version", asked.context.store_version),
    ] {
        reply.bulk(key);
        reply.bulk(value);
    }
    reply.bulk("proto");
    reply.integer(if resp3 { 3 } else { 2 });
    reply.bulk("id");
    reply.integer(session.id as i64);
    // Standalone, or clients that know about clusters begin to ask for slots.
    for (key, value) in [("mode", "standalone"), ("role", "master")] {
        reply.bulk(key);
        reply.bulk(value);
    }
    reply.bulk("modules");
    reply.array(0);
    Effect::NamesVersion
}

/// Writes a line that is all there is to say.
fn refuse(asked: &mut Asked<'_>, line: &str) -> Effect {
    asked.push(line);
    Effect::Reply
}

/// `RESET`. It ends the silence of `CLIENT REPLY OFF`, and is answered although it came in it.
pub fn reset(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    let was_off = session.mode == ReplyMode::Off;
    *session = Session::new(session.id);
    session.reply(asked.out).simple("RESET");
    if was_off {
        Effect::Always
    } else {
        Effect::Reply
    }
}

/// `QUIT`.
pub fn quit(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    session.reply(asked.out).ok();
    Effect::Close
}

/// `DYNO_CONFIG:CONN_CONSISTENCY level`.
///
/// A client that overlooks the refusal of a level would go on at one that it did not ask for, so the connection
/// closes, as the original's does.
pub fn consistency(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    let Some(level) = Consistency::from_bytes(asked.arg(1)) else {
        asked.push(errors::BAD_CONSISTENCY);
        return Effect::Close;
    };
    session.consistency = Some(level);
    ok(session, asked)
}

/// Commands that need nothing but a yes: nothing is ever watched.
pub fn ok(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    session.reply(asked.out).ok();
    Effect::Reply
}

/// `ECHO text`.
pub fn echo(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    let text = asked.arg(1);
    session.reply(asked.out).bulk(text);
    Effect::Reply
}

/// `TIME`.
pub fn time(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    let now = asked.context.now;
    let mut buffer = itoa::Buffer::new();
    let mut reply = session.reply(asked.out);
    reply.array(2);
    reply.bulk(buffer.format(now.unix_secs()));
    reply.bulk(buffer.format(now.wall_us % 1_000_000));
    Effect::Reply
}

/// `SELECT database`: there is one, number 0.
///
/// A client that does not look at the refusal (many client libraries select their database when they
/// connect and ignore the reply) would go on in database 0, among the keys of others. So the connection
/// closes, as the original's does.
pub fn select(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    let text = match integer(asked.arg(1)) {
        Some(0) => return ok(session, asked),
        Some(number) if i32::try_from(number).is_ok() => errors::OTHER_DATABASE,
        Some(_) => "-ERR value is out of range, value must between -2147483648 and 2147483647\r\n",
        None => errors::NOT_AN_INTEGER,
    };
    asked.push(text);
    Effect::Close
}

/// `AUTH [user] password`. No password is configured: the default user may come in with any, as in Redis.
pub fn auth(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    match asked.args {
        [_, _] => refuse(asked, NO_PASSWORD),
        [_, b"default", _] => ok(session, asked),
        [_, _, _] => refuse(asked, WRONG_PASSWORD),
        _ => refuse(asked, errors::SYNTAX),
    }
}

/// `UNSUBSCRIBE [channel ...]` and the like: a message for each channel, or one without a channel. Messages
/// are not replies, so they are delivered also to a client that wants none.
pub fn unsubscribe(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    let mut reply = session.reply(asked.out);
    let mut message = |channel: Option<&[u8]>| {
        reply.push(3);
        reply.bulk(asked.command.name);
        match channel {
            Some(channel) => reply.bulk(channel),
            None => reply.null(),
        }
        reply.integer(0);
    };
    match asked.args.get(1..) {
        None | Some([]) => message(None),
        Some(channels) => channels.iter().for_each(|channel| message(Some(channel))),
    }
    Effect::Always
}

/// `WAIT replicas timeout`. No replica ever acknowledges to a proxy.
pub fn wait(_: &mut Session, asked: &mut Asked<'_>) -> Effect {
    let text = match (integer(asked.arg(1)), integer(asked.arg(2))) {
        (None, _) => errors::NOT_AN_INTEGER,
        (_, None) => "-ERR timeout is not an integer or out of range\r\n",
        (_, Some(..0)) => "-ERR timeout is negative\r\n",
        _ => ":0\r\n",
    };
    refuse(asked, text)
}

/// `LOLWUT`.
pub fn lolwut(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    let text = format!("Redis ver. {}\n", asked.context.store_version);
    session.reply(asked.out).text(&text);
    Effect::Reply
}

/// Commands of Redis Cluster, so that clients stay in standalone mode.
pub fn cluster_disabled(_: &mut Session, asked: &mut Asked<'_>) -> Effect {
    refuse(asked, errors::CLUSTER_DISABLED)
}

/// `ACL WHOAMI`.
pub fn whoami(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    session.reply(asked.out).bulk("default");
    Effect::Reply
}
