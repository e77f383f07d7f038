//! What `dynomite -t`, a start and a reload say of a configuration.

use super::{Row, row};

/// Errors, then warnings. Each names the key, and the line and column.
pub const ROWS: &[Row] = &[
    row(
        "conf: failed to open configuration '...': ...",
        "The file is not there, is not a regular file, or the user may not read it.",
        "Check the path behind -c, and the file's owner and mode; the service runs as user dynomite.",
    ),
    row(
        "conf: '...' has more than 1048576 bytes",
        "The file is larger than 1 MiB.",
        "Move the nodes to a seeds provider.",
    ),
    row(
        "conf: failed (err ...) to get the next yaml document: ...",
        "The file is not YAML.",
        "The message names the line; look for tabs, missing colons and indentation there.",
    ),
    row(
        "conf: failed (err 2) to get the next yaml document: invalid UTF-8 or UTF-16",
        "The file is not text in UTF-8.",
        "Save it as UTF-8.",
    ),
    row(
        "conf: ... token (...) is disallowed",
        "The file uses a part of YAML that the configuration does not, such as braces, anchors or tags.",
        "Write keys and values, and lists with a dash for each line.",
    ),
    row(
        "conf: '...' must contain only 1 document; found ... documents",
        "The file has a second '---'.",
        "Remove it.",
    ),
    row(
        "conf: '...' has a depth greater than 2",
        "Something stands indented below a key or in a list that is itself a key and a value, or a list.",
        "Give each key a text, or a list of texts.",
    ),
    row(
        "conf: '...' has invalid mapping \"key:\" at depth 1, ...",
        "A key is not indented below the pool's name.",
        "Indent the keys.",
    ),
    row(
        "conf: directive \"...\" is unknown",
        "No version has had this key.",
        "Correct its name; the message suggests one if there is a similar one.",
    ),
    row(
        "conf: directive \"...\" has an empty value",
        "The key has no value.",
        "Give one, or remove the key.",
    ),
    row(
        "conf: directive \"...\" is a duplicate of line ...",
        "The key is given twice.",
        "Remove one.",
    ),
    row(
        "conf: directive \"...:\" is missing",
        "A required key is not given.",
        "Add the key.",
    ),
    row(
        "conf: directive \"...:\" is missing - using defaults ...",
        "The key is not given, and the default is used.",
        "None, if the default suits you.",
    ),
    row(
        "conf: directive \"...\" is not a number",
        "The value is not written in decimal digits.",
        "Correct the value.",
    ),
    row(
        "conf: directive \"...\" has an invalid value: '...'",
        "The value is not of the form that the key needs.",
        "See the key in dynomite.yml(5).",
    ),
    row(
        "conf: directive \"...:\"must be one of 'DC_ONE' 'DC_QUORUM' 'DC_SAFE_QUORUM' 'DC_EACH_SAFE_QUORUM'",
        "The consistency level is unknown.",
        "Use one of these.",
    ),
    row(
        "conf: directive \"...:\"must be one of 'none' 'rack' 'datacenter' 'all'",
        "The value of secure_server_option is unknown.",
        "Use one of these.",
    ),
    row(
        "conf: directive \"tokens\" has more than 1024 tokens",
        "A node can have 1024 tokens.",
        "Use fewer.",
    ),
    row(
        "conf: pool '...' has no datastores: directive \"servers:\" is missing",
        "servers is not given.",
        "Name the datastore.",
    ),
    row(
        "conf: directive \"...\" is 0, which stands for its default, ...",
        "0 means the default for this key.",
        "Remove the key, or give the value that you want.",
    ),
    row(
        "conf: directive \"...\" has a '...', which separates the fields and entries of \"dyn_seeds\": other nodes cannot name this node; the value is '...'",
        "The name of the datacenter or rack has a colon, a bar or a space in it.",
        "Choose another name.",
    ),
    row(
        "conf: directive \"...\" has an address that this machine does not have: ...",
        "A listener's address belongs to another machine; the start will fail.",
        "Correct the address, or use 0.0.0.0.",
    ),
    row(
        "conf: directive \"...\" has an invalid value: '...' exists and is not a socket",
        "A file stands where the Unix socket should be.",
        "Choose another path, or move the file.",
    ),
    row(
        "Error: could NOT read RSA pem key file at ...: ...",
        "pem_key_file has no usable key; the line says why. Keys have 1024 bits beside nodes of the C original, otherwise 2048 to 4096.",
        "Make a key as dynomite-runbooks(7) says.",
    ),
    row(
        "the RSA key in ... has ... bits: nodes that run the C original cannot talk to this node, they need a key of ... bits",
        "The key is larger than C nodes can use.",
        "Ignore it if no C node is left.",
    ),
    row(
        "the RSA key in ... is the example key published with the C original: everybody has it, and it protects nothing; make your own",
        "Encryption between the nodes is useless with this key.",
        "Rotate the key, see dynomite-runbooks(7).",
    ),
    row(
        "bind on ... to addr '...' failed: ...",
        "A listener cannot be opened: another process listens there, the machine does not have the address, or the user may not use the port. The letter is p for clients, d for peers, m for statistics.",
        "The line names the key; correct it, or end the other process.",
    ),
    row(
        "conf: directive \"...\" is where \"...\" listens already: ...",
        "Two listeners have one address.",
        "Give each its own port.",
    ),
    row(
        "conf: directive \"servers\" is this node itself, see \"...\": ...",
        "The node would be its own datastore.",
        "Name the datastore's port in servers.",
    ),
    row(
        "conf: and ... more problems",
        "The file has more errors than are shown.",
        "Correct those shown first.",
    ),
    row(
        "conf: directive \"servers\" has ... entries, but a node has one datastore, only the last is used: ...; ignored: ...",
        "A node has one datastore.",
        "Remove the others.",
    ),
    row(
        "conf: directive \"servers\" has a weight that is not a number, it is ignored: ...",
        "The weight has no effect.",
        "Write 1.",
    ),
    row(
        "conf: directive \"dyn_port\" is ignored, peers connect to the port of \"dyn_listen\": ...",
        "The key is from an older version.",
        "Remove it, or correct dyn_listen.",
    ),
    row(
        "conf: more than one token: nodes that run the C original can crash on learning of this node",
        "The node has several tokens.",
        "Ignore it if no C node is left; otherwise give one token.",
    ),
    row(
        "conf: directive \"dyn_seeds\" has an entry with more than one token; nodes that run the C original can crash on it: ...",
        "The same for another node.",
        "The same.",
    ),
    row(
        "conf: directive \"dyn_seeds\" names this node, the entry is ignored: ...",
        "The entry has this node's datacenter, rack and token.",
        "None, if the same list is used on all nodes.",
    ),
    row(
        "conf: directive \"dyn_seeds\" names a node twice, the entry is ignored: ...",
        "Two entries have one datacenter, rack and token.",
        "Remove one, or correct its token.",
    ),
    row(
        "conf: directive \"dyn_seeds\": ...",
        "The members in the file cannot take effect at a reload.",
        "The message names the reason.",
    ),
    row(
        "conf: directive \"...\" has a token above 4294967295, it stands where the C original would place it: ...",
        "The token is longer than a position on the ring.",
        "Use a number up to 4294967295.",
    ),
    row(
        "conf: gossip has no effect in this version: name the other nodes in \"dyn_seeds\", or choose a \"dyn_seed_provider\"",
        "enable_gossip or -g is given.",
        "Remove it.",
    ),
    row(
        "conf: directive \"read_repairs_enabled\" has no effect in this version: a replica that missed a write keeps its older value",
        "There is no read repair.",
        "Remove it; see dynomite-consistency(7).",
    ),
    row(
        "conf: the configuration is not read again, nothing is changed",
        "SIGHUP or POST /reload found an error in the file, which the lines before name.",
        "Correct the file and reload again.",
    ),
    row(
        "conf: there is no file to read again",
        "The node was started without a file.",
        "Restart it.",
    ),
    row(
        "conf: directive \"...\" has an invalid value: a port is at most 65535",
        "The number is no port.",
        "Use stats_listen.",
    ),
    row(
        "DYNOMITE_... is ... and has no effect: ...",
        "The value of this environment variable is wrong; the node runs as if the variable were not set.",
        "Correct it, see the key of the same name in dynomite.yml(5), and restart the node.",
    ),
    row(
        "conf: read ...",
        "These files are the configuration, the later over the earlier.",
        "None.",
    ),
    row(
        "conf: '...' overrides ...",
        "The file has these keys, and the main file has them too.",
        "None, if that is wanted.",
    ),
    row(
        "conf: directive \"...\" has no effect, because ... is set",
        "An environment variable of the process wins over the files.",
        "Change the variable and restart the node, or remove one of the two.",
    ),
    row(
        "conf: the C original refuses a file with directive \"...\", which can stand in '...'",
        "The node can use the file; a node of the C original could not.",
        "Move the key into the named file as long as you may go back to the C original.",
    ),
    row(
        "conf: directive \"dns_type\" is A, which has no effect: seeds are asked for in TXT records",
        "An address does not name a rack.",
        "Publish TXT records, see SEEDS in dynomite(8).",
    ),
    row(
        "conf: nothing has changed",
        "SIGHUP or POST /reload found the file as it was.",
        "None.",
    ),
    row(
        "conf: ..., at the next start",
        "A key has changed that cannot change while the node runs.",
        "Restart the node when it suits you.",
    ),
    row(
        "Failed to create conf!!! The node does not start, for the reasons above",
        "The start has failed because of the errors before this line.",
        "Run dynomite -t with the same file.",
    ),
];
