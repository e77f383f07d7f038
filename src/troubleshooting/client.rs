//! Error replies of a node's own.

use super::{Row, row};

/// To clients of either datastore: behind `-ERR ` for Redis, behind `SERVER_ERROR ` for memcached.
pub const COMMON: &[Row] = &[
    row(
        "Storage: Datastore refused connection",
        "The datastore of the key's owner is not connected, closed the connection, or did not answer within timeout. A write may have been executed.",
        "Look at the datastore of the node that logs the timeout or the lost connection: is it running, overloaded, or busy with a slow command?",
    ),
    row(
        "Peer: Peer Node is not connected",
        "The key's owner is another node, and this node has no connection to it.",
        "See /readyz and the log of this node for the peer, and whether the peer runs and its dyn_listen can be reached.",
    ),
    row(
        "Peer: Peer Node refused connection",
        "The connection to the key's owner broke, or the owner did not answer in time. A write may have been executed.",
        "The same; if it recurs while the peer runs, compare the peer's datastore latency with timeout.",
    ),
    row(
        "Peer: Peer Node is down",
        "An operator has set the peer down with /peer/down.",
        "POST /peer/up/NAME when the peer may have requests again.",
    ),
    row(
        "Dynomite: Failed to achieve Quorum",
        "Fewer than a majority of the racks gave the same reply. A write may have reached some racks.",
        "See which racks are away (/readyz). If all are there, the replicas differ: write the key again, or read it at DC_QUORUM.",
    ),
    row(
        "Dynomite: MSET/MGET/SCAN payload too large",
        "A request with many keys cannot be divided because its pieces are too large or too many.",
        "Send fewer keys at a time.",
    ),
    row(
        "Dynomite: Dynomite's current state does not allow this request",
        "The node is in the state standby, writes_only or resuming, or holds as many writes as it may.",
        "An operator or a sidecar set the state: see /state/get_state.",
    ),
    row(
        "Dynomite: Invalid request in Dynomite's admin mode",
        "The node was started with -x and the key belongs to another node.",
        "Use another node; this one serves dynomite-purge.",
    ),
    row(
        "Dynomite: out of buffers",
        "Memory was at its limit, and this client held the most of it.",
        "Send smaller requests, read replies sooner, or raise max_msgs.",
    ),
    row(
        "unknown: Unknown Error",
        "The node could not put a reply together, for example from replies of several nodes that do not fit each other.",
        "Look at the log for the same time; report it if the datastores' replies were right.",
    ),
    row(
        "max number of clients reached",
        "client_connections is reached. To memcached clients the text is 'ERROR Too many open connections'.",
        "Use fewer connections in the clients' pools, or raise client_connections.",
    ),
    row(
        "Protocol error: request not completed in time",
        "The client began a request and sent nothing more for 30 seconds. The connection is closed.",
        "Look for a stalled client or a broken network path.",
    ),
    row(
        "Dynomite: command is unknown to a peer that runs the original Dynomite",
        "The key's owner is a C node, which does not know the command.",
        "Upgrade that node, or use another command.",
    ),
];

/// To clients of Redis only.
pub const REDIS: &[Row] = &[
    row(
        "CROSSSLOT Keys in request don't hash to the same node. Keys with the same hash tag are on one node: see hash_tag in dynomite.yml(5).",
        "The keys of a command belong to several nodes of a rack.",
        "Give them a common hash tag and configure hash_tag on all nodes, or send one command for each key.",
    ),
    row(
        "Dynomite: Keys in the script cannot span multiple nodes. Keys with the same hash tag are on one node: see hash_tag in dynomite.yml(5).",
        "The same for a script or function.",
        "The same.",
    ),
    row(
        "BY option of SORT denied in Cluster mode when keys formed by the pattern may be in different slots. Keys with the same hash tag are on one node: see hash_tag in dynomite.yml(5).",
        "SORT or SORT_RO would read keys that other nodes own, and would take them for missing. The same text with GET concerns the GET option.",
        "Put the hash tag of the sorted key in front of the pattern's asterisk, as in SORT {user1}ids BY {user1}weight_*, or sort in the client.",
    ),
    row(
        "DB index is out of range: Dynomite serves database 0 only",
        "SELECT or COPY names another database. Behind SELECT the connection is closed, because the client would go on in database 0.",
        "Configure database 0 in the client; tell applications apart by a prefix of their keys.",
    ),
    row(
        "Dynomite: too many arguments: a request that is split, rewritten or sent to another node has at most 1048576",
        "The request has more arguments than a node looks at, or than a peer takes.",
        "Divide the request.",
    ),
    row(
        "Dynomite: EVAL/EVALSHA requires at least 1 key, because a rack has several nodes and only a key says which one runs the script",
        "A script without keys has no owner, so the node cannot tell where to run it. Where every rack is one node, such scripts run.",
        "Name a key that the script uses.",
    ),
    row(
        "BUSY Redis is busy running a script. ...",
        "A script or function runs for longer than Redis' busy-reply-threshold. If the reply came at once, the request was not run; if it came after timeout, it may still run when the script ends.",
        "Wait, or end the script with SCRIPT KILL or FUNCTION KILL through any node.",
    ),
    row(
        "Dynomite: invalid consistency: the levels are DC_ONE, DC_QUORUM, DC_SAFE_QUORUM and DC_EACH_SAFE_QUORUM",
        "DYNO_CONFIG:CONN_CONSISTENCY has an unknown level. The connection is closed, because the client would go on at a level that it did not ask for.",
        "Use one of these levels.",
    ),
    row(
        "Dynomite: not run, because it follows a MULTI that was refused: transactions are not supported",
        "The client began a transaction. Nothing up to EXEC or DISCARD is run.",
        "Turn transactions off in the client, for example transaction=False for pipelines of redis-py.",
    ),
    row(
        "EXECABORT Transaction discarded because of: transactions are not supported by Dynomite",
        "EXEC after a refused MULTI.",
        "The same.",
    ),
    row(
        "unknown command '...': blocking commands are not supported by Dynomite",
        "The command waits for data, for which no connection can be shared. XREAD and XREADGROUP with BLOCK are refused with \"unknown option 'block'\".",
        "Poll with the command that does not block.",
    ),
    row(
        "unknown command '...': transactions are not supported by Dynomite",
        "MULTI, EXEC, WATCH and DISCARD are not served.",
        "Use a script with keys of one node.",
    ),
    row(
        "unknown command '...': publish/subscribe is not supported by Dynomite",
        "Messages are not passed between nodes.",
        "Use a separate Redis for messages.",
    ),
    row(
        "unknown command '...': emptying all nodes is not enabled in Dynomite; start the nodes with DYNOMITE_ENABLE_FLUSH=1 to enable it",
        "FLUSHALL and FLUSHDB would empty every node of every datacenter.",
        "Set DYNOMITE_ENABLE_FLUSH=1 on all nodes if you want that.",
    ),
    row(
        "unknown command '...': not supported by Dynomite",
        "The command is of no use, or harmful, behind a proxy.",
        "Send it to the datastore itself if you need it.",
    ),
    row(
        "Dynomite: key is empty or too long for a peer that runs the original Dynomite",
        "C nodes misread such keys.",
        "Upgrade that node, or use other keys.",
    ),
    row(
        "Dynomite: reply of this command is unknown to a peer that runs the original Dynomite",
        "The key's owner is a C node, which cannot read the reply that its Redis would give.",
        "Upgrade that node, or use another command.",
    ),
    row(
        "Protocol error: invalid multibulk length",
        "The client sent something that is not Redis' protocol. The connection is closed.",
        "See that the client speaks Redis to this port, without TLS.",
    ),
    row(
        "Protocol error: invalid bulk length",
        "The same, or an argument is longer than 512 MiB.",
        "The same.",
    ),
    row(
        "Protocol error: too big mbulk count string",
        "An array header has no end.",
        "The same.",
    ),
    row(
        "Protocol error: too big bulk count string",
        "An argument's header has no end.",
        "The same.",
    ),
    row(
        "Protocol error: too big request",
        "A request has more than 1 GiB.",
        "Divide it.",
    ),
    row(
        "Protocol error: too big inline request",
        "A line that is no array has more than 64 KB.",
        "Send arrays, as every library does.",
    ),
    row(
        "Protocol error: unbalanced quotes in request",
        "An inline command has an open quote.",
        "Close the quote.",
    ),
    row(
        "Protocol error: expected CRLF after bulk payload",
        "An argument is longer than its header says.",
        "The client counts characters instead of bytes, or mixes two requests.",
    ),
    row(
        "Protocol error: expected '$', got '...'",
        "An element of a request is not a bulk string.",
        "See that the client speaks Redis to this port.",
    ),
];

/// To clients of memcached only.
pub const MEMCACHED: &[Row] = &[
    row(
        "CLIENT_ERROR flush_all is disabled; start the nodes with DYNOMITE_ENABLE_FLUSH=1 to enable it",
        "flush_all would empty every node of every datacenter.",
        "Set DYNOMITE_ENABLE_FLUSH=1 on all nodes if you want that.",
    ),
    row(
        "CLIENT_ERROR stats ... is not served by Dynomite",
        "This form of stats changes something, or asks for what one memcached only knows.",
        "Ask the memcached itself.",
    ),
    row(
        "Dynomite: key is not fit for a peer that runs the original Dynomite",
        "C nodes misread such keys.",
        "Upgrade that node, or use other keys.",
    ),
    row(
        "Not supported: a key with spaces or control bytes is longer than 186 bytes",
        "To clients of the binary protocol, with status 0x83. Such a key is sent to memcached in base64, which takes at most 250 letters.",
        "Use shorter keys, or keys without spaces and control bytes.",
    ),
];
