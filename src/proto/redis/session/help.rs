//! `HELP` of the commands that have subcommands, restricted to served ones.

use super::{Asked, Effect, Session};

/// A line of help: the usage and the effect. A column of the command table.
pub type Help = (&'static str, &'static str);

/// Writes the help of a container in Redis' layout: an array of status lines. First what the container does by
/// itself, then its subcommands.
pub fn write(session: &mut Session, asked: &mut Asked<'_>) -> Effect {
    let Some(container) = asked.command.parent() else {
        return Effect::Reply;
    };
    let rows = std::iter::once(container).chain(container.children());
    let lines = rows.flat_map(|row| row.help);
    let mut reply = session.reply(asked.out);
    reply.array(lines.clone().count() * 2 + 3);
    reply.simple(&format!(
        "{} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        container.name.to_ascii_uppercase()
    ));
    for (usage, meaning) in lines {
        reply.simple(usage);
        reply.simple(&format!("    {meaning}"));
    }
    reply.simple("HELP");
    reply.simple("    Print this help.");
    Effect::Reply
}

#[cfg(test)]
mod tests {
    use crate::proto::redis::command::commands;

    #[test]
    fn every_subcommand_is_explained_by_its_own_name() {
        for child in commands().iter().flat_map(|command| command.children()) {
            let explained = child.help.iter().all(|(usage, meaning)| {
                let word = usage.split(' ').next().unwrap_or_default();
                word.eq_ignore_ascii_case(child.name) && meaning.ends_with('.')
            });
            let is_help = child.name == "help";
            assert!(
                explained && child.help.is_empty() == is_help,
                "{}",
                child.full_name()
            );
        }
    }
}
