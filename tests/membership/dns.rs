//! `dns_provider` in a running node, against a name server that the test plays.

use crate::common::{Redis, Setup, eventually};
use crate::membership::world::logged;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex};

/// The records, or an error code; `None` is silence.
type Zone = Option<Result<Vec<Vec<String>>, u8>>;

/// A name server with one name.
#[derive(Clone)]
struct Names {
    addr: SocketAddr,
    zone: Arc<Mutex<Zone>>,
    asked: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Names {
    fn new(zone: Zone) -> Names {
        let socket = UdpSocket::bind("127.0.0.1:0").expect("a free port");
        let names = Names {
            addr: socket.local_addr().expect("a bound socket"),
            zone: Arc::new(Mutex::new(zone)),
            asked: Arc::default(),
        };
        let mine = names.clone();
        std::thread::spawn(move || {
            let mut packet = [0; 512];
            while let Ok((n, from)) = socket.recv_from(&mut packet) {
                let question = &packet[..n];
                let zone = mine.zone.lock().expect("a lock").clone();
                mine.asked.lock().expect("a lock").push(question.to_vec());
                if let Some(zone) = zone {
                    let _ = socket.send_to(&answer(question, zone), from);
                }
            }
        });
        names
    }

    fn set(&self, zone: Zone) {
        *self.zone.lock().expect("a lock") = zone;
    }

    fn asked(&self) -> usize {
        self.asked.lock().expect("a lock").len()
    }
}

fn answer(question: &[u8], zone: Result<Vec<Vec<String>>, u8>) -> Vec<u8> {
    let mut packet = question.to_vec();
    packet[2] = 0x81;
    packet[3] = 0x80 | zone.as_ref().err().copied().unwrap_or(0);
    let records = zone.unwrap_or_default();
    packet[7] = records.len() as u8;
    for strings in records {
        let data: Vec<u8> = strings
            .iter()
            .flat_map(|s| [&[s.len() as u8], s.as_bytes()].concat())
            .collect();
        packet.extend(b"\xc0\x0c\0\x10\0\x01\0\0\0\x01");
        packet.extend((data.len() as u16).to_be_bytes());
        packet.extend(data);
    }
    packet
}

fn records(records: &[&[&str]]) -> Zone {
    let owned = |strings: &&[&str]| strings.iter().map(|s| (*s).to_owned()).collect();
    Some(Ok(records.iter().map(owned).collect()))
}

#[test]
fn item_7_records_come_and_turn_and_fail() {
    let (a, b, c) = (
        "127.0.0.1:1:r2:d:1",
        "127.0.0.1:1:r3:d:1",
        "127.0.0.1:1:r4:d:1",
    );
    let both = format!("{a}|{b}");
    let (start, end) = both.split_at(20);
    let names = Names::new(records(&[&[start, end], &[c]]));
    let store = Redis::start();
    let mut node = Setup::before(&store)
        .with("dyn_seed_provider", "dns_provider")
        .with_env("DYNOMITE_DNS_SERVER", names.addr)
        .with_env("DYNOMITE_DNS_NAME", "nodes.example")
        .with_env("DYNOMITE_DNS_TYPE", "A")
        .with_env("DYNOMITE_SEEDS_INTERVAL_MS", 10)
        .with_env("DYNOMITE_SEEDS_GRACE_MS", 0)
        .start();
    assert_eq!(node.stat("members_added"), 3);
    logged(&node, "directive \"dns_type\" is A, which has no effect");
    let question = names.asked.lock().expect("a lock")[0].clone();
    assert!(question.ends_with(b"\x05nodes\x07example\0\0\x10\0\x01"));

    // Records in another order are no change.
    names.set(records(&[&[c], &[start, end]]));
    let before = names.asked();
    eventually("it is asked again", || names.asked() > before + 5);

    for (zone, reason) in [
        (Some(Err(3)), "there is no such name"),
        (Some(Err(2)), "answers with error 2"),
        (records(&[]), "there is no TXT record"),
        (records(&[&["hello"]]), "'hello' has an invalid format"),
        (None, "timed out"),
    ] {
        names.set(zone);
        logged(&node, reason);
        node.expect_alive();
    }
    let moved = c.replace(":1:r4", ":2:r4");
    names.set(records(&[&[&moved], &[a, "|", b]]));
    logged(&node, "r4:d is now at 127.0.0.1:2");
    assert_eq!(node.stat("members_removed"), 0);
    assert_eq!(node.stat("members_added"), 3);
    assert_eq!(node.stat("members_moved"), 1);
}

#[test]
fn a_silent_name_server_holds_up_no_start() {
    let names = Names::new(None);
    let store = Redis::start();
    let mut node = Setup::before(&store)
        .with("dyn_seed_provider", "dns_provider")
        .with_env("DYNOMITE_DNS_SERVER", names.addr)
        .start();
    node.expect_alive();
    assert!(names.asked() >= 1);
    assert!(node.stop().success());
}
