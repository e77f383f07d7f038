//! The commands of a story, the wrong replies of its datastores, and words for the mutators.

use crate::simulated::resp;
use dynomite::config::StoreKind;

/// How often a command is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replies {
    One,
    /// One or none: a quiet command.
    AtMostOne,
}

use Replies::{AtMostOne, One};

/// `K` and `L` are keys, `V` is a value.
const REDIS: &[&str] = &[
    "GET K",
    "SET K V",
    "INCR K",
    "MGET K L",
    "MSET K V L V",
    "DEL K L",
    "EXISTS K L",
    "SETEX K 10 V",
    "SET K V PX 1500",
    "GETEX K EX 10",
    "EXPIRE K 10",
    "SADD K V",
    "SMEMBERS K",
    "SPOP K",
    "ZRANGE K 0 -1 WITHSCORES",
    "XADD K * a V",
    "HINCRBYFLOAT K a 1.5",
    "SORT K",
    "EVAL return_1 1 K",
    "EVALSHA 0123456789012345678901234567890123456789 1 K",
    "SCRIPT LOAD return_1",
    "SCRIPT EXISTS 0123456789012345678901234567890123456789",
    "DBSIZE",
    "KEYS *",
    "SCAN 0",
    "RANDOMKEY",
    "FLUSHALL",
    "PING",
    "ECHO V",
    "TIME",
    "HELLO 3",
    "HELLO 2",
    "RESET",
    "CLIENT ID",
    "CLIENT LIST",
    "CLIENT PAUSE 300",
    "CLIENT UNPAUSE",
    "CLIENT KILL TYPE normal",
    "INFO",
    "CONFIG GET maxmemory",
    "COMMAND COUNT",
    "MULTI",
    "EXEC",
    "DISCARD",
    "WATCH K",
    "SELECT 1",
    "QUIT",
    "NONSENSE K",
    "GET",
    "SCRIPT KILL",
    "BLPOP K 1",
];

/// The same; `N` is the length of the value, `|` ends the line.
const MEMCACHE: &[(&str, Replies)] = &[
    ("get K", One),
    ("gets K", One),
    ("get K L", One),
    ("gat 10 K", One),
    ("set K 7 0 N|V", One),
    ("set K 0 10 N|V", One),
    ("add K 0 0 N|V", One),
    ("append K 0 0 N|V", One),
    ("cas K 0 0 N 1|V", One),
    ("incr K 1", One),
    ("delete K", One),
    ("touch K 10", One),
    ("mg K v k t", One),
    ("mg K v q k", AtMostOne),
    ("mg K s v N30 t", One),
    ("ms K N T30|V", One),
    ("ms K N q|V", AtMostOne),
    ("md K", One),
    ("md K q", AtMostOne),
    ("ma K v N0 J5", One),
    ("mn", One),
    ("version", One),
    ("verbosity 1", One),
    ("nonsense", One),
    ("get", One),
    ("touch K", One),
];

/// A request by the number of its command.
pub fn request(
    kind: StoreKind,
    number: usize,
    inline: bool,
    keys: [&str; 2],
    value: &[u8],
) -> (Vec<u8>, Replies) {
    match kind {
        StoreKind::Redis => {
            let text = REDIS[number % REDIS.len()];
            let args: Vec<&[u8]> = text
                .split(' ')
                .map(|word| match word {
                    "K" => keys[0].as_bytes(),
                    "L" => keys[1].as_bytes(),
                    "V" => value,
                    "return_1" => b"return 1",
                    other => other.as_bytes(),
                })
                .collect();
            let is_plain = args.iter().all(|arg| !arg.contains(&b' '));
            let bytes = match inline && is_plain {
                true => [args.join(&b' ').as_slice(), b"\r\n"].concat(),
                false => resp::command(&args),
            };
            (bytes, One)
        }
        StoreKind::Memcache => {
            let (text, replies) = MEMCACHE[number % MEMCACHE.len()];
            let (line, data) = match text.split_once('|') {
                Some((line, _)) => (line, Some(value)),
                None => (text, None),
            };
            let length = value.len().to_string();
            let words: Vec<&str> = line
                .split(' ')
                .map(|word| match word {
                    "K" => keys[0],
                    "L" => keys[1],
                    "N" => &length,
                    other => other,
                })
                .collect();
            let mut bytes = [words.join(" ").as_bytes(), b"\r\n"].concat();
            if let Some(data) = data {
                bytes.extend_from_slice(data);
                bytes.extend_from_slice(b"\r\n");
            }
            (bytes, replies)
        }
    }
}

/// Errors that the node treats specially, and replies of other types.
pub const REDIS_ERRORS: &[&str] = &[
    "-LOADING Redis is loading the dataset in memory\r\n",
    "-BUSY Redis is busy running a script\r\n",
    "-OOM command not allowed\r\n",
    "-READONLY You can't write against a read only replica.\r\n",
    "-MASTERDOWN Link with MASTER is down\r\n",
    "-NOAUTH Authentication required.\r\n",
    "-NOSCRIPT No matching script.\r\n",
    "-WRONGTYPE Operation against a key\r\n",
    "-ERR unknown command 'x'\r\n",
    "-ERR syntax error\r\n",
    "*0\r\n",
    ":7\r\n",
    "$-1\r\n",
    "+QUEUED\r\n",
];

pub const MEMCACHE_ERRORS: &[&str] = &[
    "SERVER_ERROR out of memory storing object\r\n",
    "CLIENT_ERROR bad data chunk\r\n",
    "ERROR\r\n",
    "EN\r\n",
    "NF\r\n",
    "EXISTS\r\n",
    "NOT_STORED\r\n",
    "END\r\n",
    "7\r\n",
    "OK\r\n",
];

/// For the mutators: commands with other numbers of replies, and messages of peers.
pub const WORDS: &[&[u8]] = &[
    b"\r\n",
    b"$-1\r\n",
    b"+OK\r\n",
    b"*2\r\n$3\r\nGET\r\n$1\r\nk\r\n",
    b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n",
    b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$100000\r\n",
    b"CLIENT REPLY OFF\r\n",
    b"CLIENT REPLY SKIP\r\n",
    b"CLIENT REPLY ON\r\n",
    b"SUBSCRIBE k\r\n",
    b"MONITOR\r\n",
    b"get k\r\n",
    b"set k 0 0 1 noreply\r\nv\r\n",
    b"mg k v q\r\n",
    b"VALUE k 0 1\r\nv\r\n",
    b"END\r\n",
    b"STORED\r\n",
    b"\x80\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00k",
    b"   $2014$ 1 3 0 1 1 *1 d *",
    b"   $2014$ 1 4 0 3 0 *1 d *",
    b"   $2014$ 1 5 0 3 1 *1 d *5\r\n+OK\r\n",
];
