//! Links within a datacenter that are encrypted: `secure_server_option: rack` and `all`.
//!
//! With these the original compares checksums of nothing at quorum levels, loses copies when it hands an
//! encrypted message on that did not come in one read, and with `all` those that stand behind one for its
//! own rack. So it is not asked for any of that; ours is.

use super::{at_level, bulk, expect, mixed, other};
use crate::common::{Client, Cluster, Plan, eventually, new_key, words};
use std::path::Path;

/// Sizes around the ends of pieces, and large ones.
const SIZES: [usize; 12] = [
    0,
    1,
    16,
    1000,
    16_270,
    16_290,
    16_300,
    16_320,
    32_620,
    32_640,
    40_000,
    1 << 20,
];

fn plan(plan: Plan, option: &str, pem: &Path) -> Plan {
    plan.with("secure_server_option", option)
        .with("pem_key_file", pem.display())
}

fn value(size: usize) -> Vec<u8> {
    (0..size).map(|n| b'a' + (n % 25) as u8).collect()
}

/// Values of all sizes through a client, to all their owners and back.
fn stores_and_reads(cluster: &Cluster, client: &mut Client, name: &str) {
    for size in SIZES {
        let (key, value) = (format!("{name}:{size}"), value(size));
        let set = client.ask_args(&[b"set", key.as_bytes(), &value]);
        assert_eq!(set, b"+OK\r\n", "{key}");
        for owner in cluster.owners(&key) {
            eventually(&format!("{key} is at {owner}"), || {
                cluster.members[owner]
                    .store
                    .client()
                    .ask(&format!("strlen {key}"))
                    == format!(":{size}\r\n").as_bytes()
            });
        }
        let wanted = [format!("${size}\r\n").as_bytes(), &value, b"\r\n"].concat();
        assert!(client.ask(&format!("get {key}")) == wanted, "{key}");
    }
}

/// Many requests in one write.
fn pipelines(cluster: &Cluster, client: &mut Client, name: &str) {
    let lines = (0..2000).flat_map(|n| words(&format!("incr {name}:{}", n % 10)));
    let sender = client.send_aside(vec![lines.collect()]);
    for n in 0..2000 {
        assert_eq!(client.reply(), format!(":{}\r\n", n / 10 + 1).as_bytes());
    }
    sender.join().expect("it sent all");
    for n in 0..10 {
        let key = format!("{name}:{n}");
        for owner in cluster.owners(&key) {
            eventually(&format!("{key} is at {owner}"), || {
                cluster.members[owner].held(&key) == bulk("200")
            });
        }
    }
}

#[test]
fn racks_of_both_programs_write_to_each_other() {
    let Some(program) = other() else { return };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let pem = new_key(dir.path(), "shared");
    for option in ["rack", "all"] {
        for others in [&[0][..], &[1, 2]] {
            let plan = plan(Plan::of(1, 3, 1), option, &pem);
            let mut cluster = mixed(plan, others, &program).start();
            for through in 0..3 {
                let levels: &[&str] = match others.contains(&through) {
                    true => &["dc_one"],
                    false => &["dc_one", "dc_quorum", "dc_safe_quorum"],
                };
                for level in levels {
                    let mut client = at_level(cluster.client(through), level);
                    let name = format!("{level}{through}");
                    stores_and_reads(&cluster, &mut client, &name);
                    pipelines(&cluster, &mut client, &format!("piped{name}"));
                }
            }
            // A new connection has a key of its own.
            for node in [1, 0] {
                cluster.kill(node);
                cluster.restart(node);
            }
            for through in 0..3 {
                let mut client = cluster.client(through);
                let key = format!("again{through}");
                expect(&mut client, &format!("set {key} v"), "+OK\r\n");
                let held = bulk("v");
                cluster.await_held(&key, &[held.as_str(); 3]);
            }
        }
    }
}

#[test]
fn owners_of_both_programs_in_one_rack_are_asked_encrypted() {
    let Some(program) = other() else { return };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let pem = new_key(dir.path(), "shared");
    for others in [[0], [1]] {
        let plan = plan(Plan::of(1, 1, 2), "all", &pem);
        let cluster = mixed(plan, &others, &program).start();
        for through in 0..2 {
            let mut client = cluster.client(through);
            stores_and_reads(&cluster, &mut client, &format!("k{through}"));
            pipelines(&cluster, &mut client, &format!("piped{through}"));
        }
    }
}

#[test]
fn ours_hands_on_in_its_datacenter_what_the_original_would_lose() {
    let Some(program) = other() else { return };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let pem = new_key(dir.path(), "shared");
    for option in ["rack", "all"] {
        // Through the first node of one datacenter to the first of the other, which is ours.
        for others in [&[0, 3][..], &[3], &[0, 1, 3]] {
            let plan = plan(Plan::of(2, 2, 1), option, &pem);
            let cluster = mixed(plan, others, &program).start();
            let mut client = cluster.client(0);
            stores_and_reads(&cluster, &mut client, "k");
            pipelines(&cluster, &mut client, "piped");
        }
    }
}
