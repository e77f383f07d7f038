//! What a client sees of each fault at each level: one datacenter of three racks of one node, asked
//! through the first.
//!
//! The rows are those of a table measured on the C original, with what differs on purpose: a read at
//! `DC_ONE` whose own datastore is down is served by another rack, and a request that takes too long
//! does not take its connection with it. Which of several values counts as the first one at
//! `DC_QUORUM` depends on which reply comes first, so each of them is right.
//!
//! Rows in which a write has to wait for a peer that does not answer take 20 s and more; they run if
//! `DYNOMITE_LONG_TESTS` is set.

use super::{at_level, bulk};
use crate::common::{Fault, Plan, check_all, eventually, shown};
use Cell::{Either, Error, First, Value};
use Fault::{KillNode, KillStore, PauseNode, PauseStore};

const LEVELS: [&str; 3] = ["dc_one", "dc_quorum", "dc_safe_quorum"];

/// So long that what waits for it fails the test.
const CALM: u32 = 60_000;
/// For the rows in which something has to expire.
const SHORT: u32 = 500;

const NOT_CONNECTED: &str = "-ERR Peer: Peer Node is not connected\r\n";
const REFUSED: &str = "-ERR Peer: Peer Node refused connection\r\n";
const STORAGE: &str = "-ERR Storage: Datastore refused connection\r\n";
const QUORUM: &str = "-ERR Dynomite: Failed to achieve Quorum\r\n";
const WRONG: &str = "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n";

/// In place of a value: the key is a list.
const LIST: &str = "list";

/// What a request is answered.
#[derive(Clone, Copy, Debug)]
enum Cell {
    /// What a datastore answers that holds this value.
    Value(&'static str),
    /// What one of those answers that hold these values.
    First(&'static [&'static str]),
    /// This line.
    Error(&'static str),
    /// One of these lines.
    Either(&'static [&'static str]),
}

struct Row {
    name: &'static str,
    timeout: u32,
    /// What the datastores hold before the faults.
    values: [&'static str; 3],
    faults: &'static [Fault],
    /// By level; `None` is not asked.
    reads: Option<[Cell; 3]>,
    writes: Option<[Cell; 3]>,
    long: bool,
}

const SAME: [&str; 3] = ["a"; 3];
const OK: Option<[Cell; 3]> = Some([Value("a"); 3]);

const fn row(
    name: &'static str,
    timeout: u32,
    values: [&'static str; 3],
    faults: &'static [Fault],
    reads: Option<[Cell; 3]>,
    writes: Option<[Cell; 3]>,
) -> Row {
    Row {
        name,
        timeout,
        values,
        faults,
        reads,
        writes,
        long: false,
    }
}

/// The same replies to reads and writes.
const fn both(
    name: &'static str,
    timeout: u32,
    values: [&'static str; 3],
    faults: &'static [Fault],
    cells: [Cell; 3],
) -> Row {
    row(name, timeout, values, faults, Some(cells), Some(cells))
}

/// Everything but `DC_ONE` fails so.
const fn quorum(error: &'static str) -> [Cell; 3] {
    [Value("a"), Error(error), Error(error)]
}

const fn long(row: Row) -> Row {
    Row { long: true, ..row }
}

#[rustfmt::skip]
const TABLE: &[Row] = &[
    both("nothing", CALM, SAME, &[], [Value("a"); 3]),
    both("another node killed", CALM, SAME, &[KillNode(1)], [Value("a"); 3]),
    both("another node paused", CALM, SAME, &[PauseNode(2)], [Value("a"); 3]),
    both("another store killed", CALM, SAME, &[KillStore(1)], [Value("a"); 3]),
    both("another store paused", CALM, SAME, &[PauseStore(2)], [Value("a"); 3]),
    both("both others killed", CALM, SAME, &[KillNode(1), KillNode(2)], quorum(NOT_CONNECTED)),
    row("both others paused", SHORT, SAME, &[PauseNode(1), PauseNode(2)], Some(quorum(REFUSED)), None),
    long(row("both others paused, writes", SHORT, SAME, &[PauseNode(1), PauseNode(2)], None, Some(quorum(REFUSED)))),
    both("both other stores killed", CALM, SAME, &[KillStore(1), KillStore(2)], quorum(STORAGE)),
    both("both other stores paused", SHORT, SAME, &[PauseStore(1), PauseStore(2)], quorum(STORAGE)),
    row("own store killed", CALM, SAME, &[KillStore(0)], OK, Some([Error(STORAGE), Value("a"), Value("a")])),
    row("own store paused", SHORT, SAME, &[PauseStore(0)], OK, Some([Error(STORAGE), Value("a"), Value("a")])),
    both("own and another node's store killed", CALM, SAME, &[KillStore(0), KillStore(2)], [Error(STORAGE); 3]).but_read(Value("a")),
    both("A B B", CALM, ["a", "bb", "bb"], &[], [Value("a"), Value("bb"), Value("bb")]),
    both("A B A", CALM, ["a", "bb", "a"], &[], [Value("a"); 3]),
    both("A A B", CALM, ["a", "a", "bb"], &[], [Value("a"); 3]),
    both("A B C", CALM, ["a", "bb", "ccc"], &[], [Value("a"), First(&["a", "bb", "ccc"]), Error(QUORUM)]),
    both("A a a: case counts", CALM, ["A1", "a1", "a1"], &[], [Value("A1"), Value("a1"), Value("a1")]),
    both("A B, third killed", CALM, ["a", "bb", "bb"], &[KillNode(2)], [Value("a"), First(&["a", "bb"]), Error(QUORUM)]),
    row("A B, third paused", SHORT, ["a", "bb", "bb"], &[PauseNode(2)], Some([Value("a"), First(&["a", "bb"]), Error(QUORUM)]), None),
    long(row("A B, third paused, writes", SHORT, ["a", "bb", "bb"], &[PauseNode(2)], None, Some([Value("a"), First(&["a", "bb"]), Error(QUORUM)]))),
    both("WRONGTYPE here only", CALM, [LIST, "b", "b"], &[], [Error(WRONG), Value("b"), Value("b")]),
    both("WRONGTYPE in the two others", CALM, ["a", LIST, LIST], &[], quorum(WRONG)),
    both("WRONGTYPE everywhere", CALM, [LIST, LIST, LIST], &[], [Error(WRONG); 3]),
    both("WRONGTYPE in one, another's store killed", CALM, ["a", LIST, "a"], &[KillStore(2)], [Value("a"), Either(&[WRONG, STORAGE]), Either(&[WRONG, STORAGE])]),
];

impl Row {
    /// The same, but that a read at `DC_ONE` is served.
    const fn but_read(mut self, cell: Cell) -> Row {
        if let Some([_, quorum, safe]) = self.reads {
            self.reads = Some([cell, quorum, safe]);
        }
        self
    }
}

#[test]
fn every_fault_at_every_level() {
    let long = std::env::var_os("DYNOMITE_LONG_TESTS").is_some();
    let rows: Vec<&Row> = TABLE.iter().filter(|row| long || !row.long).collect();
    check_all(rows.into_iter(), check);
}

/// Puts a row's values in place, lets its faults happen, asks, and undoes the faults. Returns what was
/// not as it should be.
fn check(row: &Row) -> Vec<String> {
    let mut cluster = Plan::of(1, 3, 1).with("timeout", row.timeout).start();
    for (member, value) in cluster.members.iter().zip(row.values) {
        let mut store = member.store.client();
        for key in ["r", "w"]
            .iter()
            .flat_map(|op| LEVELS.map(|level| format!("{op}:{level}")))
        {
            store.ask(&match value {
                LIST => format!("rpush {key} x"),
                value => format!("set {key} {value}"),
            });
        }
    }
    let mut clients = LEVELS.map(|level| at_level(cluster.client(0), level));
    for fault in row.faults {
        fault.inflict(&mut cluster);
    }
    let mut wrong = Vec::new();
    for (cells, write) in [(row.reads, false), (row.writes, true)] {
        let Some(cells) = cells else { continue };
        for ((cell, level), client) in cells.into_iter().zip(LEVELS).zip(clients.iter_mut()) {
            let line = match write {
                true => format!("append w:{level} ."),
                false => format!("get r:{level}"),
            };
            let reply = shown(&client.ask(&line));
            if !allowed(cell, write).contains(&reply) {
                wrong.push(format!("{}: {line}: {reply}, not {cell:?}", row.name));
            }
        }
    }
    for fault in row.faults {
        fault.undo(&mut cluster);
    }
    cluster.await_connected();
    for member in 0..3 {
        cluster.await_store(member);
    }
    for (level, mut client) in LEVELS.into_iter().zip(clients) {
        // A peer that was paused may need a moment to answer what it was sent before.
        eventually("the connection that saw the fault serves again", || {
            client.ask(&format!("set {level} back")) == b"+OK\r\n"
                && shown(&client.ask(&format!("get {level}"))) == bulk("back")
        });
        cluster.await_held(level, &[bulk("back").as_str(); 3]);
    }
    wrong
}

/// The replies a cell allows.
fn allowed(cell: Cell, write: bool) -> Vec<String> {
    let of = |value: &str| match write {
        true => format!(":{}\\r\\n", value.len() + 1),
        false => bulk(value),
    };
    match cell {
        Value(value) => vec![of(value)],
        First(values) => values.iter().map(|value| of(value)).collect(),
        Error(line) => vec![shown(line.as_bytes())],
        Either(lines) => lines.iter().map(|line| shown(line.as_bytes())).collect(),
    }
}
