//! What a client sees of each fault at each level: one datacenter of three racks of one node, asked
//! through the first. Never a reply that belongs to another request, never nothing.

use super::await_everywhere;
use crate::common::{Fault, Plan, check_all, eventually, shown, value};
use Fault::{KillNode, KillStore, PauseNode, PauseStore};
use Reply::{Error, Served};

/// So long that what waits for it fails the test.
const CALM: u32 = 60_000;
/// For the rows in which something has to expire.
const SHORT: u32 = 500;

const NOT_CONNECTED: &str = "SERVER_ERROR Peer: Peer Node is not connected\r\n";
const REFUSED: &str = "SERVER_ERROR Peer: Peer Node refused connection\r\n";
const STORAGE: &str = "SERVER_ERROR Storage: Datastore refused connection\r\n";

#[derive(Clone, Copy, Debug)]
enum Reply {
    /// As if nothing had happened.
    Served,
    /// This line.
    Error(&'static str),
}

/// What happens, at which level; what reads and writes are answered, if they are asked.
struct Row {
    timeout: u32,
    level: &'static str,
    faults: &'static [Fault],
    read: Option<Reply>,
    write: Option<Reply>,
}

const fn row(
    level: &'static str,
    timeout: u32,
    faults: &'static [Fault],
    read: Option<Reply>,
    write: Option<Reply>,
) -> Row {
    Row {
        timeout,
        level,
        faults,
        read,
        write,
    }
}

#[rustfmt::skip]
const ROWS: &[Row] = &[
    row("dc_one", CALM, &[KillNode(1)], Some(Served), Some(Served)),
    row("dc_quorum", CALM, &[KillNode(1)], Some(Served), Some(Served)),
    row("dc_safe_quorum", CALM, &[KillNode(2)], Some(Served), Some(Served)),
    row("dc_quorum", CALM, &[PauseNode(2)], Some(Served), Some(Served)),
    row("dc_safe_quorum", CALM, &[KillStore(1)], Some(Served), Some(Served)),
    row("dc_quorum", CALM, &[PauseStore(2)], Some(Served), Some(Served)),
    row("dc_one", CALM, &[KillNode(1), KillNode(2)], Some(Served), Some(Served)),
    row("dc_quorum", CALM, &[KillNode(1), KillNode(2)], Some(Error(NOT_CONNECTED)), Some(Error(NOT_CONNECTED))),
    row("dc_quorum", SHORT, &[PauseNode(1), PauseNode(2)], Some(Error(REFUSED)), None),
    row("dc_safe_quorum", CALM, &[KillStore(1), KillStore(2)], Some(Error(STORAGE)), Some(Error(STORAGE))),
    row("dc_quorum", SHORT, &[PauseStore(1), PauseStore(2)], Some(Error(STORAGE)), Some(Error(STORAGE))),
    row("dc_one", CALM, &[KillStore(0)], Some(Served), Some(Error(STORAGE))),
    row("dc_quorum", CALM, &[KillStore(0)], Some(Served), Some(Served)),
    row("dc_one", SHORT, &[PauseStore(0)], Some(Served), Some(Error(STORAGE))),
    row("dc_one", CALM, &[KillStore(0), KillStore(1), KillStore(2)], Some(Error(STORAGE)), Some(Error(STORAGE))),
];

#[test]
fn every_fault_is_an_answer_of_its_own() {
    check_all(ROWS.iter(), check);
}

/// Lets a row's faults happen, asks, and undoes the faults. Returns what was not as it should be.
fn check(row: &Row) -> Vec<String> {
    let mut cluster = Plan::of(1, 3, 1)
        .of_memcached()
        .at_level(row.level)
        .with("timeout", row.timeout)
        .start();
    for member in &cluster.members {
        let mut store = member.store.memcached().client();
        store.set("r", "a");
        store.set("w", "a");
    }
    let mut client = cluster.text_client(0);
    for fault in row.faults {
        fault.inflict(&mut cluster);
    }
    let mut wrong = Vec::new();
    let held = value("r", "a");
    let several = held.clone();
    let questions = [
        (row.read, "get r", held.as_str()),
        (row.read, "get r nope", several.as_str()),
        (row.read, "mg r v", "VA 1\r\na\r\n"),
        (row.write, "append w 0 0 1\r\n.", "STORED\r\n"),
        (row.write, "ms new 1 O1\r\nx", "HD O1\r\n"),
        (
            row.write,
            "set quiet 0 0 1 noreply\r\nx\r\ntouch w 0",
            "TOUCHED\r\n",
        ),
    ];
    for (reply, line, served) in questions {
        let wanted = match reply {
            None => continue,
            Some(Served) => served,
            Some(Error(line)) => line,
        };
        let said = shown(&client.ask(line));
        // A peer that has been silent for too long is given up.
        let given_up = wanted == REFUSED && said == shown(NOT_CONNECTED.as_bytes());
        if said != shown(wanted.as_bytes()) && !given_up {
            wrong.push(format!(
                "{} after {:?}: {line}: {said}",
                row.level, row.faults
            ));
        }
        // Nothing comes behind it.
        client.expect("mn", "MN\r\n");
    }
    for fault in row.faults {
        fault.undo(&mut cluster);
    }
    cluster.await_connected();
    for member in 0..3 {
        cluster.await_store(member);
    }
    eventually("the connection that saw the fault serves again", || {
        client.ask("set back 0 0 1\r\nx") == b"STORED\r\n"
            && client.ask("get back") == value("back", "x").as_bytes()
    });
    await_everywhere(&cluster, "back", &value("back", "x"));
    wrong
}

/// Asserts that a request to a silent datastore has failed, whichever node noticed first.
#[track_caller]
fn assert_error(reply: &[u8]) {
    let errors = [STORAGE, REFUSED, NOT_CONNECTED];
    let is = errors.iter().any(|error| reply == error.as_bytes());
    assert!(is, "{}", shown(reply));
}

/// Late replies of a memcached that stood go nowhere.
#[test]
fn late_replies_are_nobodys() {
    let cluster = Plan::of(1, 1, 2)
        .of_memcached()
        .with("timeout", SHORT)
        .start();
    let keys = [cluster.key_of(0, "near"), cluster.key_of(1, "far")];
    let mut client = cluster.text_client(0);
    for key in &keys {
        client.set(key, "value");
    }
    for round in 0..3 {
        for node in 0..2 {
            cluster.pause_store(node);
            // Several under way, of several clients, some of which go away.
            let mut others: Vec<_> = (0..4).map(|_| cluster.text_client(0)).collect();
            for other in &mut others {
                for key in &keys {
                    other.send(
                        format!("get {key}\r\nset {key}{round} 0 0 1 noreply\r\nx\r\n").as_bytes(),
                    );
                }
            }
            others.truncate(2);
            assert_error(&client.ask(&format!("get {}", keys[node])));
            client.expect(
                &format!("get {}", keys[1 - node]),
                &value(&keys[1 - node], "value"),
            );
            assert_error(&client.ask(&format!("get {} {}", keys[0], keys[1])));
            cluster.resume_store(node);
            eventually("it is served again", || {
                let reply = client.ask(&format!("get {}", keys[node]));
                let served = reply == value(&keys[node], "value").as_bytes();
                if !served {
                    assert_error(&reply);
                }
                served
            });
            for n in 0..50 {
                for key in &keys {
                    client.expect(
                        &format!("mg {key} v k O{n}"),
                        &format!("VA 5 k{key} O{n}\r\nvalue\r\n"),
                    );
                }
            }
        }
    }
}
