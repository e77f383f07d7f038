//! The requests that are counted.

use crate::in_memory::{Replies, Rig, Setup};
use dynomite::config::StoreKind::{self, Memcache, Redis};
use dynomite::consistency::Consistency::{self, DcOne, DcQuorum};
use std::hint::black_box;

/// How many requests a client sends at a time.
pub const DEPTHS: [usize; 2] = [1, 16];

/// Turns before counting begins, and turns that are counted, by depth.
const WARM_UP: usize = 64;
const fn turns(depth: usize) -> usize {
    match depth {
        1 => 128,
        _ => 16,
    }
}

/// How many requests are counted.
pub const fn requests(depth: usize) -> usize {
    turns(depth) * depth
}

/// Time from one turn to the next, in µs: little enough that no housekeeping falls into a case.
const TURN_US: u64 = 100;

/// A request that is counted.
pub struct Case {
    pub name: &'static str,
    store: StoreKind,
    racks: usize,
    nodes: usize,
    level: Consistency,
    /// In it, `{mine}` stands for a key of this node and `{other}` for another node's.
    request: &'static str,
    replies: Replies<'static>,
    answer: &'static str,
    /// By what factor the count may exceed its reference.
    pub margin: f64,
}

/// Cases that must cost the same, and by what factor the second, the larger cluster, may cost more. A key is looked up
/// in the ring of each rack, whose cost grows with the logarithm of its nodes.
pub const FLAT: &[(&str, &str, f64)] = &[
    ("GET, 2 nodes", "GET, 100 nodes", 1.03),
    ("GET, 2 nodes", "GET, 300 nodes", 1.03),
    ("SET, 2 nodes", "SET, 100 nodes", 1.03),
    ("SET, 2 nodes", "SET, 300 nodes", 1.03),
    (
        "GET of another node, 2 nodes",
        "GET of another node, 300 nodes",
        1.03,
    ),
    (
        "MGET of 2 nodes, 2 nodes",
        "MGET of 2 nodes, 300 nodes",
        1.10,
    ),
    (
        "GET at DC_QUORUM, 3 nodes",
        "GET at DC_QUORUM, 300 nodes",
        1.06,
    ),
    (
        "SET at DC_QUORUM, 3 nodes",
        "SET at DC_QUORUM, 300 nodes",
        1.06,
    ),
    ("memcached get, 2 nodes", "memcached get, 300 nodes", 1.03),
];

const GET: &str = "*2\r\n$3\r\nGET\r\n$9\r\n{mine}\r\n";
const GET_OTHER: &str = "*2\r\n$3\r\nGET\r\n$9\r\n{other}\r\n";
const SET: &str = "*3\r\n$3\r\nSET\r\n$9\r\n{mine}\r\n$100\r\n0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\r\n";
const SET_EX: &str = "*5\r\n$3\r\nSET\r\n$9\r\n{mine}\r\n$5\r\nvalue\r\n$2\r\nEX\r\n$3\r\n100\r\n";
const ZRANGE: &str =
    "*5\r\n$6\r\nZRANGE\r\n$9\r\n{mine}\r\n$1\r\n0\r\n$1\r\n1\r\n$10\r\nWITHSCORES\r\n";
const MGET_MINE: &str = "*3\r\n$4\r\nMGET\r\n$9\r\n{mine}\r\n$9\r\n{mine}\r\n";
const MGET: &str = "*3\r\n$4\r\nMGET\r\n$9\r\n{mine}\r\n$9\r\n{other}\r\n";
const VALUE: &str = "$100\r\n0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789\r\n";
const OK: &str = "+OK\r\n";
const SCORES: &str = "*4\r\n$1\r\na\r\n$1\r\n1\r\n$1\r\nb\r\n$1\r\n2\r\n";
const ONE: &str = "*1\r\n$5\r\nvalue\r\n";
const TWO: &str = "*2\r\n$5\r\nvalue\r\n$5\r\nvalue\r\n";
const TEXT_GET: &str = "get {mine}\r\n";
const TEXT_SET: &str = "set {mine} 0 0 5\r\nvalue\r\n";
const FOUND: &str = "VALUE key 0 5\r\nvalue\r\nEND\r\n";
const STORED: &str = "STORED\r\n";

/// A case whose answer is the datastores' reply.
const fn case(
    name: &'static str,
    (racks, nodes): (usize, usize),
    request: &'static str,
    replies: Replies<'static>,
    answer: &'static str,
) -> Case {
    Case {
        name,
        store: Redis,
        racks,
        nodes,
        level: DcOne,
        request,
        replies,
        answer,
        margin: 1.03,
    }
}

/// It allocates memory, and what that costs depends on what was allocated before.
const fn allocates(case: Case) -> Case {
    Case {
        margin: 1.10,
        ..case
    }
}

const fn quorum(case: Case) -> Case {
    Case {
        level: DcQuorum,
        ..case
    }
}

const fn memcached(case: Case) -> Case {
    Case {
        store: Memcache,
        ..case
    }
}

/// The same reply to every request.
const fn always<const N: usize>(
    reply: &'static [(&'static [u8], &'static [u8]); N],
) -> Replies<'static> {
    reply
}

const VALUE_ALWAYS: Replies<'static> = always(&[(b"", VALUE.as_bytes())]);
const OK_ALWAYS: Replies<'static> = always(&[(b"", OK.as_bytes())]);
const SCORES_ALWAYS: Replies<'static> = always(&[(b"", SCORES.as_bytes())]);
const VALUES: Replies<'static> = &[(b"*2", ONE.as_bytes()), (b"*3", TWO.as_bytes())];
const FOUND_ALWAYS: Replies<'static> = always(&[(b"", FOUND.as_bytes())]);
const STORED_ALWAYS: Replies<'static> = always(&[(b"", STORED.as_bytes())]);

/// All of them.
pub const CASES: &[Case] = &[
    case("GET, 1 node", (1, 1), GET, VALUE_ALWAYS, VALUE),
    case("GET, 2 nodes", (1, 2), GET, VALUE_ALWAYS, VALUE),
    case("GET, 100 nodes", (1, 100), GET, VALUE_ALWAYS, VALUE),
    case("GET, 300 nodes", (1, 300), GET, VALUE_ALWAYS, VALUE),
    case("SET, 1 node", (1, 1), SET, OK_ALWAYS, OK),
    case("SET, 2 nodes", (1, 2), SET, OK_ALWAYS, OK),
    case("SET, 100 nodes", (1, 100), SET, OK_ALWAYS, OK),
    case("SET, 300 nodes", (1, 300), SET, OK_ALWAYS, OK),
    case(
        "GET of another node, 2 nodes",
        (1, 2),
        GET_OTHER,
        VALUE_ALWAYS,
        VALUE,
    ),
    case(
        "GET of another node, 300 nodes",
        (1, 300),
        GET_OTHER,
        VALUE_ALWAYS,
        VALUE,
    ),
    case("SET EX, 1 node", (1, 1), SET_EX, OK_ALWAYS, OK),
    allocates(case("SET EX, 3 racks", (3, 1), SET_EX, OK_ALWAYS, OK)),
    case(
        "ZRANGE WITHSCORES, 1 node",
        (1, 1),
        ZRANGE,
        SCORES_ALWAYS,
        SCORES,
    ),
    case("MGET, 1 node", (1, 1), MGET_MINE, VALUES, TWO),
    allocates(case("MGET of 2 nodes, 2 nodes", (1, 2), MGET, VALUES, TWO)),
    allocates(case(
        "MGET of 2 nodes, 300 nodes",
        (1, 300),
        MGET,
        VALUES,
        TWO,
    )),
    quorum(case(
        "GET at DC_QUORUM, 3 nodes",
        (3, 1),
        GET,
        VALUE_ALWAYS,
        VALUE,
    )),
    quorum(case(
        "GET at DC_QUORUM, 300 nodes",
        (3, 100),
        GET,
        VALUE_ALWAYS,
        VALUE,
    )),
    quorum(case(
        "SET at DC_QUORUM, 3 nodes",
        (3, 1),
        SET,
        OK_ALWAYS,
        OK,
    )),
    quorum(case(
        "SET at DC_QUORUM, 300 nodes",
        (3, 100),
        SET,
        OK_ALWAYS,
        OK,
    )),
    memcached(case(
        "memcached get, 1 node",
        (1, 1),
        TEXT_GET,
        FOUND_ALWAYS,
        FOUND,
    )),
    memcached(case(
        "memcached get, 2 nodes",
        (1, 2),
        TEXT_GET,
        FOUND_ALWAYS,
        FOUND,
    )),
    memcached(case(
        "memcached get, 300 nodes",
        (1, 300),
        TEXT_GET,
        FOUND_ALWAYS,
        FOUND,
    )),
    memcached(case(
        "memcached set, 1 node",
        (1, 1),
        TEXT_SET,
        STORED_ALWAYS,
        STORED,
    )),
    memcached(case(
        "memcached set, 3 racks",
        (3, 1),
        TEXT_SET,
        STORED_ALWAYS,
        STORED,
    )),
];

/// Runs all cases, to be counted from outside.
pub fn run() {
    for case in CASES {
        for depth in DEPTHS {
            case.run(depth);
        }
    }
}

impl Case {
    fn run(&self, depth: usize) {
        let mut rig = Rig::new(Setup {
            store: self.store,
            racks: self.racks,
            nodes: self.nodes,
            level: self.level,
            clients: 1,
        });
        let mut request = self.request.replace("{mine}", &rig.key(true));
        if request.contains("{other}") {
            request = request.replace("{other}", &rig.key(false));
        }
        let requests = request.repeat(depth);
        let answers = self.answer.repeat(depth);
        let mut turn = || {
            rig.round(TURN_US, requests.as_bytes(), self.replies);
            rig.take_answers(|answer| {
                assert_eq!(String::from_utf8_lossy(answer), answers, "{}", self.name);
            });
        };
        (0..WARM_UP).for_each(|_| turn());
        begin_counting();
        (0..turns(depth)).for_each(|_| turn());
        end_counting();
    }
}

/// Where callgrind begins to count.
#[inline(never)]
fn begin_counting() {
    black_box("begin");
}

/// Where callgrind writes down what it has counted.
#[inline(never)]
fn end_counting() {
    black_box("end");
}
