//! Warnings and alerts in the log of a running node.

use super::{Row, row};

/// Lines of the levels 0 to 4, in alphabetical order of their fixed part.
pub const ROWS: &[Row] = &[
    row(
        "a datastore is older than Redis 6.2: times to live set by SET, SETEX, PSETEX and RESTORE are not made absolute until the next start, so they end a little apart in different racks",
        "The datastore refused an absolute expiry time.",
        "Upgrade Redis, then restart the node.",
    ),
    row(
        "the reply of a C node to a rewritten request cannot be used: ...",
        "A C node was asked for a command inside a script, and its reply was not what the script returns.",
        "Report it with the command; the client got an error.",
    ),
    row(
        "... accept on ... failed: ..., pausing",
        "New connections cannot be accepted, mostly because descriptors have run out.",
        "Raise LimitNOFILE, or look for clients that open too many connections.",
    ),
    row(
        "admin mode ... is on (-x): no peer is connected to...",
        "The node was started with -x and is no member of the cluster.",
        "Restart it without -x when the work is done.",
    ),
    row(
        "... answers nothing, closing",
        "A datastore or peer owes replies and has sent nothing for two timeouts.",
        "Look at that datastore or peer; the node connects again by itself.",
    ),
    row(
        "... sends replies to no request, closing",
        "A peer has sent more than 1000 replies to no request.",
        "See that the address in dyn_seeds is a node of this cluster.",
    ),
    row(
        "cannot encrypt a connection to a peer: ...",
        "The key file is missing or unusable.",
        "Correct pem_key_file and restart the node.",
    ),
    row(
        "... cannot be understood (...), closing",
        "The datastore has sent something that is no reply in its protocol.",
        "See that servers and data_store fit: 0 is Redis, 1 is memcached.",
    ),
    row(
        "close ... Dropped ... outqueue & ... inqueue requests",
        "A connection to the datastore or a peer was lost. Requests not yet written, and requests whose reply was due, have failed.",
        "Once, after a restart of the other end: nothing. Again and again: look at the other end and the network.",
    ),
    row(
        "... connect timed out",
        "A datastore or peer did not accept a connection within timeout.",
        "See that it runs and that no firewall drops packets.",
    ),
    row(
        "... does not read its replies, closing",
        "A client or peer has taken none of its replies for 20 seconds (peers: 60).",
        "Look for a client that hangs or sends without reading.",
    ),
    row(
        "... has ... bytes of replies to take, closing",
        "A client has asked for more than 1 GiB and reads nothing.",
        "Let the client read while it sends.",
    ),
    row(
        "... has fallen silent in the middle of a message, closing",
        "A peer began a message and sent nothing more for a minute.",
        "Look at the network between the nodes.",
    ),
    row(
        "io_uring is no longer used: the kernel accepts nothing from it",
        "The kernel refused to work with io_uring. The node goes on without it.",
        "None; DYNOMITE_IO_URING=0 avoids the attempt.",
    ),
    row(
        "internal error: .... Please report this with the log lines before it",
        "The node found a contradiction in its own bookkeeping, a bug, and left undone what it was about to do. A client may have got no reply.",
        "Report it with the log. A restart of the node clears its state.",
    ),
    row(
        "'...' cannot be resolved (...), going by its last addresses",
        "The resolver does not answer for the name of the datastore or a peer. The node uses the addresses that worked last.",
        "Look at the resolver; the node goes on meanwhile.",
    ),
    row(
        "'...' takes long to resolve, going by its last addresses",
        "The same, for a resolver that hangs.",
        "The same.",
    ),
    row(
        "no thread for the log (...): lines are written by the event loop",
        "The process may not start a thread.",
        "Raise TasksMax or the user's limit of processes.",
    ),
    row(
        "out of buffers: refusing the largest unfinished request, of ...",
        "Memory is at its limit, and nothing under way will free any.",
        "See dynomite-tuning(7) for the memory that the load needs.",
    ),
    row(
        "out of buffers: ... holds the most and is closed",
        "The same; a connection with many unread replies was closed.",
        "Look at that client.",
    ),
    row(
        "a request that needs ... bytes is refused: it is more than three quarters of max_msgs x mbuf_size",
        "A client announced a request that does not fit into the node's memory.",
        "Raise max_msgs, or send smaller values.",
    ),
    row(
        "... is closed to make room: connections from peers are at their limit of ...",
        "All places for connections from peers are taken; the least useful one lost its place. Members keep theirs.",
        "Let only the nodes of the cluster reach dyn_listen.",
    ),
    row(
        "... connections to dyn_listen from addresses of no member are closed: they have said nothing",
        "Many connections from elsewhere are open and send nothing.",
        "The same.",
    ),
    row(
        "... is closed to make room: it has asked for nothing since it connected",
        "client_connections is reached, or descriptors have run out, and a client that never sent a request made room.",
        "Look for clients that open connections without using them, or raise the limit.",
    ),
    row(
        "the datastore is busy running a script: other requests are refused until it ends or SCRIPT KILL or FUNCTION KILL ends it",
        "Redis runs a Lua script or function for longer than its busy-reply-threshold. Clients get Redis' BUSY error.",
        "End it with SCRIPT KILL or FUNCTION KILL through any node, unless it has written already.",
    ),
    row(
        "datastore ... refuses requests: ...",
        "The datastore answers with an error that is no client's fault, for example OOM, READONLY or LOADING. One line for each kind and minute.",
        "See the word in dynomite-alerts(7), DynomiteDatastoreRefuses.",
    ),
    row(
        "peer ... passes on an error of its datastore: ...",
        "The same at another node.",
        "Look at that node's datastore.",
    ),
    row(
        "peer ...: its ... is ..., here it is ...: ...",
        "The settings of this node and of a peer do not match. The line says which, and what harm it does. The same for tokens, rack, datacenter, key file and clock.",
        "Run dynomite-check --cluster, correct the node that differs, and restart it.",
    ),
    row(
        "... of ... refused: ...",
        "A change over the statistics port was not accepted.",
        "Make changes from the same machine with POST, see dynomite(8).",
    ),
    row(
        "... recv failed: ...",
        "Reading from the datastore failed.",
        "See the reason in the line; the node connects again by itself.",
    ),
    row(
        "... refused a connection: their limit is reached",
        "client_connections, or the limit of connections from peers, is reached.",
        "Raise client_connections, or look for clients that open too many.",
    ),
    row(
        "request on ... timedout, timeout was ...",
        "A datastore or peer has not answered a request in time.",
        "Look for slow commands (SLOWLOG GET at the Redis), or raise timeout.",
    ),
    row(
        "seeds: the members stay as they are: ...",
        "The list of the seeds provider was not used.",
        "The line says why; see SEEDS in dynomite(8).",
    ),
    row(
        "... sent an HTTP request, closing",
        "Somebody speaks HTTP to the clients' port, perhaps a browser page.",
        "Use the statistics port for HTTP.",
    ),
    row(
        "... sent what cannot be read (...), closing",
        "A peer has sent something that is no message of the nodes' protocol, or encrypted with another key.",
        "See that pem_key_file and mbuf_size are the same on all nodes, and that only nodes reach dyn_listen.",
    ),
    row(
        "stats connection not accepted: ...",
        "The statistics port could not take a connection.",
        "Look for programs that ask it without closing their connections.",
    ),
];
