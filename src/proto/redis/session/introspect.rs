//! `COMMAND`: the command table for clients, restricted to served commands.

use super::{Asked, Effect, Session};
use crate::proto::redis::command::{Command, commands};
use crate::proto::redis::encode::Reply;
use crate::proto::redis::errors;
use crate::proto::redis::flags::{cat, flag};
use crate::proto::redis::keys::{self, Begin, Find, Key, KeySpec, KeysError, legacy_range};
use crate::proto::redis::lookup::lookup;

/// `COMMAND` without a subcommand.
pub fn all(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    describe_all(&mut session.reply(asked.out));
    Effect::Reply
}

/// `COMMAND COUNT`.
pub fn count(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    session.reply(asked.out).integer(served().count() as i64);
    Effect::Reply
}

/// `COMMAND LIST`.
pub fn list(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    let filter = asked.args.get(2..).unwrap_or_default();
    list_by(filter, &mut session.reply(asked.out));
    Effect::Reply
}

/// `COMMAND INFO`.
pub fn info(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    let names = asked.args.get(2..).unwrap_or_default();
    let mut reply = session.reply(asked.out);
    if names.is_empty() {
        describe_all(&mut reply);
        return Effect::Reply;
    }
    reply.array(names.len());
    for name in names {
        match find(name) {
            Some(command) => describe(command, &mut reply),
            None => reply.null(),
        }
    }
    Effect::Reply
}

/// `COMMAND GETKEYS`.
pub fn get_keys(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    let request = asked.args.get(2..).unwrap_or_default();
    keys_of(request, false, &mut session.reply(asked.out));
    Effect::Reply
}

/// `COMMAND GETKEYSANDFLAGS`.
pub fn get_keys_and_flags(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    let request = asked.args.get(2..).unwrap_or_default();
    keys_of(request, true, &mut session.reply(asked.out));
    Effect::Reply
}

fn describe_all(reply: &mut Reply<'_>) {
    reply.array(served().count());
    for command in served() {
        describe(command, reply);
    }
}

fn served() -> impl Iterator<Item = &'static Command> {
    commands().iter().filter(|command| command.is_served())
}

/// A served command by its name, a subcommand as `config|get`.
fn find(name: &[u8]) -> Option<&'static Command> {
    let mut words = name.splitn(2, |&b| b == b'|');
    let mut found = lookup(words.next()?)?;
    if let Some(word) = words.next() {
        found = found.child(word)?;
    }
    found.is_served().then_some(found)
}

fn list_by(filter: &[&[u8]], reply: &mut Reply<'_>) {
    let keep: Box<dyn Fn(&Command) -> bool> = match filter {
        [] => Box::new(|_| true),
        [by, kind, what] if by.eq_ignore_ascii_case(b"filterby") => {
            if kind.eq_ignore_ascii_case(b"module") {
                Box::new(|_| false)
            } else if kind.eq_ignore_ascii_case(b"aclcat") {
                let bit = cat::NAMES
                    .iter()
                    .position(|name| name.as_bytes().eq_ignore_ascii_case(what));
                let mask = bit.map_or(0, |bit| 1 << bit);
                Box::new(move |command| command.categories & mask != 0)
            } else if kind.eq_ignore_ascii_case(b"pattern") {
                let pattern = what.to_ascii_lowercase();
                Box::new(move |command| matches(&pattern, command.full_name().as_bytes()))
            } else {
                return reply.out().extend_from_slice(errors::SYNTAX.as_bytes());
            }
        }
        _ => return reply.out().extend_from_slice(errors::SYNTAX.as_bytes()),
    };
    let all = served().flat_map(|command| std::iter::once(command).chain(command.children()));
    let names = all.filter(|c| c.is_served() && keep(c));
    let names: Vec<String> = names.map(Command::full_name).collect();
    reply.array(names.len());
    for name in names {
        reply.bulk(name);
    }
}

/// Redis' glob match: `*`, `?`, sets of bytes in brackets, and a backslash before a byte meant as it is.
/// Takes time in proportion to the product of the lengths.
fn matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry = None;
    loop {
        let step = match (pattern.get(p), text.get(t)) {
            (None, None) => return true,
            (Some(b'*'), _) => {
                retry = Some((p + 1, t));
                p += 1;
                continue;
            }
            (Some(b'?'), Some(_)) => Some(1),
            (Some(b'['), Some(have)) => in_set(pattern.get(p + 1..).unwrap_or_default(), *have),
            (Some(b'\\'), Some(have)) if pattern.get(p + 1) == Some(have) => Some(2),
            (Some(want), Some(have)) if want == have && *want != b'\\' => Some(1),
            _ => None,
        };
        match (step, retry) {
            (Some(step), _) => {
                p += step;
                t += 1;
            }
            (None, Some((after, from))) if from < text.len() => {
                retry = Some((after, from + 1));
                p = after;
                t = from + 1;
            }
            (None, _) => return false,
        }
    }
}

/// Returns true if a set of bytes, whose opening bracket is before `set`, has this one; with its length,
/// brackets included. One that is not closed ends with the pattern.
fn in_set(set: &[u8], have: u8) -> Option<usize> {
    let negated = set.first() == Some(&b'^');
    let mut at = usize::from(negated);
    let mut found = false;
    let closed = loop {
        match set.get(at..).unwrap_or_default() {
            [] => break 0,
            [b']', ..] => break 1,
            [b'\\', byte, ..] => {
                found |= *byte == have;
                at += 2;
            }
            [from, b'-', to, ..] => {
                found |= (*from.min(to)..=*from.max(to)).contains(&have);
                at += 3;
            }
            [byte, ..] => {
                found |= *byte == have;
                at += 1;
            }
        }
    };
    (found != negated).then_some(1 + at + closed)
}

fn keys_of(request: &[&[u8]], with_flags: bool, reply: &mut Reply<'_>) {
    let error = |reply: &mut Reply<'_>, text: &str| {
        reply.out().extend_from_slice(b"-ERR ");
        reply.out().extend_from_slice(text.as_bytes());
        reply.out().extend_from_slice(b"\r\n");
    };
    let found = request.first().and_then(|name| lookup(name));
    let found = match (found, request.get(1)) {
        (Some(container), Some(word)) if container.is_container() => container.child(word),
        (found, _) => found,
    };
    let Some(command) = found.filter(|command| command.is_served()) else {
        return error(reply, "Invalid command specified");
    };
    if command.specs.is_empty() {
        return error(reply, "The command has no key arguments");
    }
    if !command.accepts(request.len()) {
        return error(reply, "Invalid number of arguments specified for command");
    }
    let mut keys = Vec::new();
    match command.keys(request, &mut keys) {
        // A script may say that it has none.
        Ok(()) | Err(KeysError::Zero) => {}
        Err(_) => return error(reply, "Invalid arguments specified for command"),
    }
    reply.array(keys.len());
    for Key { index, flags } in keys {
        let name = request.get(index).copied().unwrap_or_default();
        if with_flags {
            reply.array(2);
            reply.bulk(name);
            words(
                command.key_use.settle(flags, request).into(),
                &keys::flag::NAMES,
                "",
                reply,
            );
        } else {
            reply.bulk(name);
        }
    }
}

/// The ten elements of `COMMAND INFO`. Of the hints those are given that hold behind a proxy.
fn describe(command: &Command, reply: &mut Reply<'_>) {
    let (first, last, step) = legacy_range(command.specs);
    reply.array(10);
    reply.bulk(command.full_name());
    reply.integer(command.arity.into());
    words(command.flags, &flag::NAMES, "", reply);
    reply.integer(first.into());
    reply.integer(last.into());
    reply.integer(step.into());
    words(command.categories, &cat::NAMES, "@", reply);
    let hints = [
        (command.nondeterministic, "nondeterministic_output"),
        (command.unordered, "nondeterministic_output_order"),
    ];
    let hints = hints.iter().filter(|(holds, _)| *holds);
    reply.set(hints.clone().count());
    for (_, hint) in hints {
        reply.bulk(hint);
    }
    reply.set(command.specs.len());
    for spec in command.specs {
        describe_spec(spec, reply);
    }
    let children: Vec<_> = command
        .children()
        .iter()
        .filter(|c| c.is_served())
        .collect();
    reply.set(children.len());
    for child in children {
        describe(child, reply);
    }
}

/// The names of the bits that are set, as a set of status lines.
fn words(bits: u32, names: &[&str], before: &str, reply: &mut Reply<'_>) {
    let set = |(bit, _): &(usize, &&str)| bits >> bit & 1 != 0;
    reply.set(names.iter().enumerate().filter(set).count());
    for (_, name) in names.iter().enumerate().filter(set) {
        reply.simple(&format!("{before}{name}"));
    }
}

fn describe_spec(spec: &KeySpec, reply: &mut Reply<'_>) {
    let kind = |kind: &str, fields: usize, reply: &mut Reply<'_>| {
        reply.map(2);
        reply.bulk("type");
        reply.bulk(kind);
        reply.bulk("spec");
        reply.map(fields);
    };
    let field = |name: &str, value: i64, reply: &mut Reply<'_>| {
        reply.bulk(name);
        reply.integer(value);
    };
    reply.map(3);
    reply.bulk("flags");
    words(spec.flags.into(), &keys::flag::NAMES, "", reply);
    reply.bulk("begin_search");
    match spec.begin {
        Begin::Index(at) => {
            kind("index", 1, reply);
            field("index", at.into(), reply);
        }
        Begin::Keyword(word, from) => {
            kind("keyword", 2, reply);
            reply.bulk("keyword");
            reply.bulk(word);
            field("startfrom", from.into(), reply);
        }
        Begin::Unknown => kind("unknown", 0, reply),
    }
    reply.bulk("find_keys");
    match spec.find {
        Find::Range { last, step, limit } => {
            kind("range", 3, reply);
            field("lastkey", last.into(), reply);
            field("keystep", step.into(), reply);
            field("limit", limit.into(), reply);
        }
        Find::KeyNum { step } => {
            kind("keynum", 3, reply);
            field("keynumidx", 0, reply);
            field("firstkey", 1, reply);
            field("keystep", step.into(), reply);
        }
        Find::Unknown => kind("unknown", 0, reply),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        for (pattern, text, want) in [
            ("*", "get", true),
            ("geo*", "geoadd", true),
            ("geo*", "get", false),
            ("*set", "getset", true),
            ("*e*s*t", "mset", false),
            ("*e*t", "mset", true),
            ("g?t", "get", true),
            ("g?t", "gt", false),
            ("", "", true),
            ("", "a", false),
            ("\\*", "a", false),
            ("\\a", "a", true),
            ("a**b", "ab", true),
            ("[gs]et", "get", true),
            ("[gs]et", "let", false),
            ("[^g]et", "set", true),
            ("[^g]et", "get", false),
            ("[a-h]et", "get", true),
            ("[h-a]et", "get", true),
            ("[a-f]et", "get", false),
            ("*[t]", "get", true),
            ("ge[t", "get", true),
            ("[\\]g]et", "get", true),
            ("[]get", "get", false),
            ("**", "", true),
        ] {
            assert_eq!(
                matches(pattern.as_bytes(), text.as_bytes()),
                want,
                "{pattern} {text}"
            );
        }
    }
}
