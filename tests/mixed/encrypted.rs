//! Links between datacenters that are encrypted.

use super::{at_level, expect, mixed, other};
use crate::common::{Plan, eventually};

#[test]
fn values_of_every_size_cross_an_encrypted_link_in_both_directions() {
    let Some(program) = other() else { return };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let key = crate::common::new_key(dir.path(), "shared");
    for others in [[0, 1], [2, 3], [0, 3], [1, 2]] {
        let plan = Plan::of(2, 2, 1)
            .with("secure_server_option", "datacenter")
            .with("pem_key_file", key.display());
        let cluster = mixed(plan, &others, &program).start();
        let sizes = [0, 1, 15, 16, 17, 1000]
            .into_iter()
            .chain(16_240..16_345)
            .step_by(3)
            .chain(32_600..32_680)
            .step_by(5)
            .chain([65_536, 1 << 20]);
        let sizes: Vec<usize> = sizes.collect();
        for through in [0, 2] {
            let mut client = cluster.client(through);
            for size in &sizes {
                let value: Vec<u8> = (0..*size).map(|n| b'a' + (n % 25) as u8).collect();
                let name = format!("k{through}:{size}");
                assert_eq!(
                    client.ask_args(&[b"set", name.as_bytes(), &value]),
                    b"+OK\r\n"
                );
            }
            for size in &sizes {
                let strlen = format!("strlen k{through}:{size}");
                for member in &cluster.members {
                    eventually(&format!("{size} bytes of {through} arrive"), || {
                        member.store.client().ask(&strlen) == format!(":{size}\r\n").as_bytes()
                    });
                }
            }
        }
        // Another datacenter is asked for values as well, by the nodes that can.
        for through in (0..4).filter(|n| !others.contains(n)) {
            let mut client = at_level(cluster.client(through), "dc_each_safe_quorum");
            for size in &sizes {
                let value: Vec<u8> = (0..*size).map(|n| b'a' + (n % 25) as u8).collect();
                let mut wanted = format!("${size}\r\n").into_bytes();
                wanted.extend(value);
                wanted.extend(b"\r\n");
                assert!(client.ask(&format!("get k0:{size}")) == wanted, "{size}");
            }
            expect(&mut client, &format!("incr n{through}"), ":1\r\n");
        }
        for through in [0, 2] {
            let mut client = cluster.client(through);
            let mut requests = Vec::new();
            for n in 0..2000 {
                requests.extend(crate::common::words(&format!(
                    "incr piped{through}:{}",
                    n % 10
                )));
            }
            client.send(&requests);
            for n in 0..2000 {
                assert_eq!(client.reply(), format!(":{}\r\n", n / 10 + 1).as_bytes());
            }
            for n in 0..10 {
                let held = super::bulk("200");
                cluster.await_held(&format!("piped{through}:{n}"), &[held.as_str(); 4]);
            }
        }
        for member in &cluster.members {
            if let Some(line) = member
                .node()
                .log()
                .lines()
                .find(|line| line.contains("ecryption key"))
            {
                assert!(
                    others
                        .iter()
                        .any(|&n| std::ptr::eq(&cluster.members[n], member)),
                    "{line}"
                );
            }
        }
    }
}

#[test]
fn lists_whose_lengths_fall_on_the_ends_of_pieces_are_read() {
    let Some(program) = other() else { return };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let key = crate::common::new_key(dir.path(), "shared");
    // The other's datacenter writes to ours, and ours reads theirs. What the other cannot read of
    // its own kind is not asked of it: the lists are put into its datastore directly.
    let plan = Plan::of(2, 1, 1)
        .with("secure_server_option", "datacenter")
        .with("pem_key_file", key.display());
    let cluster = mixed(plan, &[1], &program).start();
    let mut ours = at_level(cluster.client(0), "dc_each_safe_quorum");
    let mut theirs = cluster.client(1);
    for size in 1..60 {
        let element = vec![b'e'; size];
        let count = 40_000 / (size + 8);
        let name = format!("list{size}");
        let mut push: Vec<&[u8]> = vec![b"rpush", name.as_bytes()];
        push.extend((0..count).map(|_| &element[..]));
        let pushed = format!(":{count}\r\n");
        assert_eq!(theirs.ask_args(&push), pushed.as_bytes(), "{size}");
        eventually(
            &format!("the list of {size} bytes each arrives here"),
            || {
                cluster.members[0]
                    .store
                    .client()
                    .ask(&format!("llen {name}"))
                    == pushed.as_bytes()
            },
        );
        let reply = ours.ask(&format!("lrange {name} 0 -1"));
        assert!(
            reply.starts_with(format!("*{count}\r\n").as_bytes()),
            "{size}"
        );
    }
}

#[test]
fn small_buffers_cut_alike() {
    let Some(program) = other() else { return };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let key = crate::common::new_key(dir.path(), "shared");
    for size in [512, 1024] {
        let plan = Plan::of(2, 1, 1)
            .with("mbuf_size", size)
            .with("secure_server_option", "datacenter")
            .with("pem_key_file", key.display());
        let cluster = mixed(plan, &[1], &program).start();
        for through in [0, 1] {
            let mut client = cluster.client(through);
            let edges =
                |pieces: usize| (pieces * (size - 64) - 60..pieces * (size - 64) + 20).step_by(3);
            for length in edges(1).chain(edges(2)).chain(edges(3)) {
                let value = vec![b'v'; length];
                let name = format!("k{through}.{length}");
                assert_eq!(
                    client.ask_args(&[b"set", name.as_bytes(), &value]),
                    b"+OK\r\n"
                );
                let there = &cluster.members[1 - through].store;
                eventually(&format!("{length} bytes from {through} arrive"), || {
                    there.client().ask(&format!("strlen {name}"))
                        == format!(":{length}\r\n").as_bytes()
                });
            }
        }
    }
}
