//! The tables of commands as the body of a manual page: the server of each.

use super::Class;
use super::memcache;
use super::redis::command::{Command, Replicate, Serve, command};
use super::redis::flags::cat;
use super::redis::refusal::Why;
use std::fmt::Write;

/// The lines before and after the generated part of dynomite-commands(7).
pub const MARKS: (&str, &str) = (
    ".\\\" The commands below are written from the tables of commands; a test compares them.",
    ".\\\" End of the commands.",
);

/// A way to be served by Redis, its title and the text about it.
type Group = (Serve, &'static str, &'static str);

const GROUPS: &[Group] = &[
    (
        Serve::Keyed,
        "The owner of the key",
        "In every rack that the level asks for.",
    ),
    (
        Serve::Split,
        "The owners of the keys, each with its share",
        "The replies are joined in the client's order.",
    ),
    (
        Serve::SameNode,
        "The owner of the keys, if all have the same one",
        "Otherwise an error: CROSSSLOT, or for scripts their own. A hash tag keeps keys together.",
    ),
    (
        Serve::LocalNode,
        "The datastore of the node that is asked",
        "",
    ),
    (
        Serve::RackNodes,
        "All nodes of the rack, as if they were one",
        "With DYNOMITE_LOCAL_SCAN=1 the datastore of the node that is asked.",
    ),
    (Serve::AllNodes, "All nodes of the cluster", ""),
    (
        Serve::AllNodesGuarded,
        "All nodes of the cluster, if DYNOMITE_ENABLE_FLUSH=1",
        "Otherwise refused.",
    ),
    (
        Serve::Proxy,
        "The node itself",
        "DYNO_CONFIG:CONN_CONSISTENCY sets the consistency level of the connection.",
    ),
];

/// The body of the page in man(7) macros.
pub fn roff() -> String {
    let mut page = ".SH REDIS\n".to_owned();
    let rows: Vec<&Command> = (0u16..).map_while(command).collect();
    let rows: Vec<&&Command> = rows.iter().filter(|row| !row.is_container()).collect();
    let refused = Why::OF_ROWS.map(|why| (Serve::Refused(why), why.title(), why.note()));
    for (serve, title, note) in GROUPS.iter().chain(&refused) {
        let of = |class| {
            let its = rows.iter().filter(|row| row.serve == *serve);
            names(
                its.filter(|row| row.class == class)
                    .map(|row| full_name(row)),
            )
        };
        group(&mut page, title, note, &of(Class::Read), &of(Class::Write));
    }
    let replicated = |wanted: fn(Replicate) -> bool| {
        let its = rows.iter().filter(|row| wanted(row.replicate));
        names(its.map(|row| full_name(row)))
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        page,
        ".SS Writes with a relative expiry\nReplicas whose clock agrees with that of the node that is asked get it as an absolute time, so that the key expires in all racks at once; all others, and C nodes, get it as it is. SET, SETEX, PSETEX and RESTORE stay as they are where a datastore is older than Redis 6.2. See dynomite-consistency(7).\n.PP\n{}",
        replicated(|how| matches!(how, Replicate::Absolute(_)))
    );
    let _ = writeln!(
        page,
        ".SS Writes whose effect a datastore decides\nOne replica runs them; the others get what it did. If clients of several racks add entries to one stream at the same time with generated ids, another rack may miss one of them: a datastore refuses an id that is not greater than the last.\n.PP\n{}",
        replicated(|how| matches!(how, Replicate::Effect(_)))
    );
    let listed = |wanted: fn(&Command) -> bool| {
        let its = rows.iter().filter(|row| wanted(row));
        names(its.map(|row| full_name(row)))
    };
    let _ = writeln!(
        page,
        ".SS Writes that every rack runs by itself\nThe effect may depend on chance, on the clock or on what a datastore holds at the moment. Racks can then differ, without an error. In scripts and functions this concerns SPOP, SRANDMEMBER, HRANDFIELD, ZRANDMEMBER, RANDOMKEY, TIME, XADD with a generated id, relative expiries (SET EX, EXPIRE, SETEX), math.random, and decisions by the order of unordered replies (SMEMBERS, HGETALL, KEYS, SCAN). Draw lots, read the clock and make ids in the client, and pass them as arguments; set expiries with PEXPIREAT. A script does not find keys that it has not declared if another node owns them.\n.PP\n{}",
        listed(|row| {
            let runs = row.categories & cat::SCRIPTING != 0 && row.serve == Serve::SameNode;
            row.class == Class::Write
                && row.is_served()
                && row.replicate == Replicate::AsIs
                && (runs || row.nondeterministic)
        })
    );
    let _ = writeln!(
        page,
        ".SS Patterns that name further keys\nSORT reads a key for each element if BY or GET has an asterisk. Where a rack has several nodes it is refused, unless the part before the asterisk has a hash tag whose owner is the owner of the sorted key.\n.PP\n{}",
        listed(|row| row.has_patterns)
    );
    page.push_str(".SH MEMCACHED\n");
    let rows: Vec<_> = (0u16..).map_while(memcache::command::command).collect();
    for (serve, title, note) in [
        (
            memcache::command::Serve::Keyed,
            "The owner of the key",
            "In every rack that the level asks for. mg writes if it has a flag T or N; with a version to compare (cas, the flag C) the replica that gave it runs it first.",
        ),
        (
            memcache::command::Serve::Split,
            "The owners of the keys, each with its share",
            "The values come in the client's order, with one END.",
        ),
        (
            memcache::command::Serve::LocalNode,
            "The memcached of the node that is asked",
            "Of stats: alone, items, slabs and settings.",
        ),
        (
            memcache::command::Serve::AllNodesGuarded,
            "All nodes of the cluster, if DYNOMITE_ENABLE_FLUSH=1",
            "Otherwise refused.",
        ),
        (memcache::command::Serve::Proxy, "The node itself", ""),
    ] {
        let of = |class| {
            let its = rows.iter().filter(|row| row.serve == serve);
            names(
                its.filter(|row| row.class == class)
                    .map(|row| row.name.to_owned()),
            )
        };
        group(&mut page, title, note, &of(Class::Read), &of(Class::Write));
    }
    page.push_str(".PP\nAll others are answered with ERROR.\n");
    let opcodes = |served: bool| {
        let rows = memcache::binary::opcode::TABLE.iter();
        let its = rows.filter(|row| !row.name.is_empty() && row.is_served() == served);
        names(its.map(|row| row.name.to_owned()))
    };
    // Writing to a string cannot fail.
    let _ = writeln!(
        page,
        ".SS The binary protocol\nA client whose first byte is 0x80 speaks it. Each request goes to the datastores as one of the commands above, and is routed, replicated and refused as that one. All reads return a version, so they are placed like gets. An expiration time after January 2038 means never. A key with spaces or control bytes has at most {} bytes. Failures of the cluster have status 0x86 (temporary failure); requests that are not supported have status 0x83; both carry the text that a client of the text protocol gets.\n.PP\n.B Served:\n{}\n.PP\n.B Answered with status 0x81 (unknown command), as by a memcached without SASL:\n{}",
        memcache::binary::line::MAX_ODD_KEY,
        opcodes(true),
        opcodes(false),
    );
    page
}

/// `CONFIG GET`, `DEL`.
fn full_name(command: &Command) -> String {
    let parent = command.parent().map(|parent| format!("{} ", parent.name));
    (parent.unwrap_or_default() + command.name).to_uppercase()
}

fn names(names: impl Iterator<Item = String>) -> String {
    let mut names: Vec<String> = names.collect();
    names.sort();
    names.join(", ").replace('-', "\\-")
}

fn group(page: &mut String, title: &str, note: &str, reads: &str, writes: &str) {
    if reads.is_empty() && writes.is_empty() {
        return;
    }
    let _ = writeln!(page, ".SS {title}");
    if !note.is_empty() {
        let _ = writeln!(page, "{note}");
    }
    let mut between = if note.is_empty() { "" } else { ".PP\n" };
    for (what, names) in [("Reads", reads), ("Writes", writes)] {
        if !names.is_empty() {
            let _ = writeln!(page, "{between}.B {what}:\n{names}");
            between = ".PP\n";
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::redis::command::commands;

    #[test]
    fn every_way_to_be_served_has_a_group() {
        for row in commands() {
            assert!(
                GROUPS.iter().any(|(serve, ..)| *serve == row.serve)
                    || matches!(row.serve, Serve::Refused(why) if Why::OF_ROWS.contains(&why)),
                "{}",
                row.name
            );
        }
    }
}
