//! Scripts are on all nodes.

use super::expect;
use crate::common::Plan;
use crate::common::eventually;

const SHA: &str = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";

#[test]
fn script_load_reaches_every_node_that_lives() {
    let mut cluster = Plan::of(2, 2, 2).start();
    let load = |client: &mut super::Client, text: &str| {
        client.ask_args(&[b"script", b"load", text.as_bytes()])
    };
    let mut client = cluster.client(0);
    let reply = load(&mut client, "return 1");
    assert_eq!(super::shown(&reply), super::bulk(SHA));
    for member in &cluster.members {
        let exists = format!("script exists {SHA}");
        eventually("every store has the script", || {
            member.store.client().ask(&exists) == b"*1\r\n:1\r\n"
        });
    }
    // The owner of the key can run it.
    for n in 0..8 {
        expect(&mut client, &format!("evalsha {SHA} 1 k{n}"), ":1\r\n");
    }
    // A dead node in another datacenter is none of the client's business; a dead rack mate is: a
    // script that only some nodes have fails later and elsewhere. Every node that is up has it all the same.
    cluster.kill(6);
    let reply = load(&mut client, "return 2");
    assert_eq!(&reply[..5], b"$40\r\n", "{}", super::shown(&reply));
    let sha = String::from_utf8_lossy(&reply[5..45]).into_owned();
    cluster.kill(1);
    let reply = load(&mut client, "return 2");
    assert_eq!(
        super::shown(&reply),
        "-ERR Peer: Peer Node is not connected\\r\\n"
    );
    for (n, member) in cluster.members.iter().enumerate() {
        if n == 1 || n == 6 {
            continue;
        }
        let exists = format!("script exists {sha}");
        eventually("every store that is reached has the script", || {
            member.store.client().ask(&exists) == b"*1\r\n:1\r\n"
        });
    }
    client.expect_open();
    cluster.client(0).expect_open();
    expect(
        &mut client,
        "script flush",
        "-ERR Peer: Peer Node is not connected\r\n",
    );
    let exists = format!("script exists {sha}");
    eventually("this node's store has forgotten it all the same", || {
        cluster.members[0].store.client().ask(&exists) == b"*1\r\n:0\r\n"
    });
}

/// The write was silently missing in the rack whose datastore had been restarted.
#[test]
fn a_datastore_that_has_lost_its_scripts_still_runs_them() {
    let cluster = Plan::of(2, 2, 1).start();
    let script = b"return redis.call('incr',KEYS[1])";
    let mut client = cluster.client(0);
    let reply = client.ask_args(&[b"script", b"load", script]);
    let sha = String::from_utf8_lossy(&reply[5..45]).into_owned();
    for member in &cluster.members {
        let exists = format!("script exists {sha}");
        eventually("every store has the script", || {
            member.store.client().ask(&exists) == b"*1\r\n:1\r\n"
        });
    }
    for (n, member) in (1..).zip(&cluster.members) {
        member.store.client().ask("script flush");
        expect(
            &mut client,
            &format!("evalsha {sha} 1 k"),
            &format!(":{n}\r\n"),
        );
        for member in &cluster.members {
            let value = format!("$1\r\n{n}\r\n");
            eventually("every rack has counted", || {
                member.store.client().ask("get k") == value.as_bytes()
            });
        }
    }
}
