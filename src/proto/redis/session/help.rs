//! `HELP` of the commands that have subcommands, restricted to what is served.

use crate::proto::redis::command::Command;
use crate::proto::redis::encode::Reply;

/// One subcommand: its container, what to type, what it does.
type Line = (&'static str, &'static str, &'static str);

#[rustfmt::skip]
const LINES: &[Line] = &[
    ("acl", "WHOAMI", "Return the user of this connection, which is always the default user."),
    ("client", "CACHING (YES|NO)", "Needs tracking, which the proxy does not offer."),
    ("client", "GETNAME", "Return the name of this connection."),
    ("client", "GETREDIR", "Return -1: tracking is never redirected."),
    ("client", "ID", "Return the number of this connection."),
    ("client", "INFO", "Return what is known about this connection."),
    ("client", "KILL <address>", "Close the connection of the client with this address."),
    ("client", "KILL <filter> <value> [<filter> <value> ...]", "Close the connections of this node's clients that all filters match: ID, TYPE, ADDR, LADDR, USER, MAXAGE, SKIPME."),
    ("client", "LIST [TYPE NORMAL|PUBSUB|REPLICA] [ID <id> [<id> ...]]", "Describe the clients of this node."),
    ("client", "NO-EVICT (ON|OFF)", "Accepted; the proxy evicts no clients."),
    ("client", "NO-TOUCH (ON|OFF)", "Accepted; has no effect on the datastore."),
    ("client", "PAUSE <timeout> [WRITE|ALL]", "Let the requests of this node's clients wait for so many milliseconds."),
    ("client", "REPLY (ON|OFF|SKIP)", "Send replies, or none, or none for the next command."),
    ("client", "SETINFO (LIB-NAME|LIB-VER) <value>", "Record the client library's name or version."),
    ("client", "SETNAME <name>", "Name this connection."),
    ("client", "TRACKING OFF", "Accepted; tracking cannot be switched on."),
    ("client", "TRACKINGINFO", "Report that tracking is off."),
    ("client", "UNBLOCK <id> [TIMEOUT|ERROR]", "Return 0: no client is ever blocked."),
    ("client", "UNPAUSE", "End a pause."),
    ("command", "(no subcommand)", "Return details about all commands that are served."),
    ("command", "COUNT", "Return how many there are."),
    ("command", "DOCS [<name> ...]", "Return what the local node's datastore says of commands that are served."),
    ("command", "GETKEYS <request>", "Return the keys of a request."),
    ("command", "GETKEYSANDFLAGS <request>", "Return the keys of a request and what is done to them."),
    ("command", "INFO [<name> ...]", "Return details about commands."),
    ("command", "LIST [FILTERBY (MODULE <name>|ACLCAT <category>|PATTERN <pattern>)]", "Return the names of commands."),
    ("config", "GET <pattern> [<pattern> ...]", "Return parameters of the local node's datastore."),
    ("function", "DELETE <library>", "Delete a library on all nodes."),
    ("function", "DUMP", "Return the local node's libraries in serialized form."),
    ("function", "FLUSH [ASYNC|SYNC]", "Delete all libraries on all nodes."),
    ("function", "KILL", "Stop the function that runs, on all nodes."),
    ("function", "LIST [LIBRARYNAME <pattern>] [WITHCODE]", "Describe the local node's libraries."),
    ("function", "LOAD [REPLACE] <code>", "Create a library on all nodes."),
    ("function", "RESTORE <dump> [FLUSH|APPEND|REPLACE]", "Restore libraries on all nodes."),
    ("function", "STATS", "Describe what runs on the local node."),
    ("latency", "DOCTOR", "Return a report on latency for people, of the local node."),
    ("latency", "GRAPH <event>", "Draw the latency of an event on the local node."),
    ("latency", "HISTOGRAM [<command> ...]", "Return how long commands took on the local node."),
    ("latency", "HISTORY <event>", "Return the samples of an event on the local node."),
    ("latency", "LATEST", "Return the latest samples of all events on the local node."),
    ("memory", "DOCTOR", "Return a report on memory for people, of the local node."),
    ("memory", "MALLOC-STATS", "Return the allocator's statistics on the local node."),
    ("memory", "STATS", "Return the memory use of the local node's datastore."),
    ("memory", "USAGE <key> [SAMPLES <count>]", "Return the bytes a key and its value take."),
    ("object", "ENCODING <key>", "Return how the value is stored."),
    ("object", "FREQ <key>", "Return how often the key is used, under an LFU policy."),
    ("object", "IDLETIME <key>", "Return the seconds since the key was used."),
    ("object", "REFCOUNT <key>", "Return how many references the value has."),
    ("script", "EXISTS <sha1> [<sha1> ...]", "Tell which scripts all nodes know."),
    ("script", "FLUSH [ASYNC|SYNC]", "Forget all scripts on all nodes."),
    ("script", "KILL", "Stop the script that runs, on all nodes."),
    ("script", "LOAD <script>", "Make a script known on all nodes."),
    ("slowlog", "GET [<count>]", "Return the latest slow commands of the local node."),
    ("slowlog", "LEN", "Return how many there are."),
    ("xgroup", "CREATE <key> <group> <id|$> [MKSTREAM] [ENTRIESREAD <n>]", "Create a consumer group."),
    ("xgroup", "CREATECONSUMER <key> <group> <consumer>", "Create a consumer."),
    ("xgroup", "DELCONSUMER <key> <group> <consumer>", "Remove a consumer."),
    ("xgroup", "DESTROY <key> <group>", "Remove a consumer group."),
    ("xgroup", "SETID <key> <group> <id|$> [ENTRIESREAD <n>]", "Set the group's last ID."),
    ("xinfo", "CONSUMERS <key> <group>", "Describe the consumers of a group."),
    ("xinfo", "GROUPS <key>", "Describe the groups of a stream."),
    ("xinfo", "STREAM <key> [FULL [COUNT <count>]]", "Describe a stream."),
];

/// Writes the help of a container in Redis' layout: an array of status lines.
pub(super) fn write(container: &Command, reply: &mut Reply<'_>) {
    let lines = LINES.iter().filter(|(of, _, _)| *of == container.name);
    reply.array(lines.clone().count() * 2 + 3);
    reply.simple(&format!(
        "{} <subcommand> [<arg> [value] [opt] ...]. Subcommands are:",
        container.name.to_ascii_uppercase()
    ));
    for (_, usage, meaning) in lines {
        reply.simple(usage);
        reply.simple(&format!("    {meaning}"));
    }
    reply.simple("HELP");
    reply.simple("    Print this help.");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::redis::command::commands;

    #[test]
    fn every_subcommand_is_explained_and_no_other() {
        for container in commands().iter().filter(|command| command.is_container()) {
            let mut explained: Vec<_> = LINES
                .iter()
                .filter(|(of, usage, _)| *of == container.name && !usage.starts_with('('))
                .map(|(_, usage, _)| usage.split(' ').next().unwrap().to_ascii_lowercase())
                .collect();
            explained.push("help".into());
            explained.sort();
            explained.dedup();
            let served: Vec<_> = container.children().iter().map(|c| c.name).collect();
            assert_eq!(explained, served, "{}", container.name);
        }
    }
}
