//! What an operator says about peers.

use crate::admin_live::numbers;
use crate::common::{Plan, eventually};
use std::sync::atomic::{AtomicBool, Ordering};

#[test]
fn a_peer_that_is_down_gets_nothing_until_it_is_up() {
    let cluster = Plan::of(1, 2, 1).start();
    let near = cluster.members[0].node();
    let peer = cluster.members[1].addresses.peers;
    let mut client = near.client();
    near.told(&format!("/peer/down/{peer}"));
    assert_eq!(client.ask("set k 1"), b"+OK\r\n");
    near.told("/peer/up/dc0/rack1/0");
    assert_eq!(client.ask("set l 1"), b"+OK\r\n");
    let one = r"$1\r\n1\r\n";
    cluster.await_held("l", &[one, one]);
    assert_eq!(cluster.members[1].held("k"), r"$-1\r\n");
    let text = near.told("/metrics");
    for line in [
        format!(
            "dynomite_peer_requests_dropped_total{{peer=\"{peer}\",dc=\"dc0\",rack=\"rack1\"}} 1"
        ),
        format!("dynomite_peer_barred{{peer=\"{peer}\",dc=\"dc0\",rack=\"rack1\"}} 0"),
        format!("dynomite_peer_up{{peer=\"{peer}\",dc=\"dc0\",rack=\"rack1\"}} 1"),
    ] {
        assert!(text.contains(&format!("\n{line}\n")), "{line}");
    }
    assert_eq!(near.get("/peer/down/no.such.host").0, 404);
}

#[test]
fn item_25_resets_under_load_fail_no_request_that_can_go_elsewhere() {
    let cluster = Plan::of(1, 3, 1)
        .with("read_consistency", "DC_QUORUM")
        .with("write_consistency", "DC_QUORUM")
        .start();
    let near = cluster.members[0].node();
    let before = numbers(near);
    let stop = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for thread in 0..3 {
            let (near, stop) = (&near, &stop);
            scope.spawn(move || {
                let mut client = near.client();
                let mut n = 0;
                while !stop.load(Ordering::Relaxed) {
                    assert_eq!(client.ask(&format!("set k{thread} {n}")), b"+OK\r\n");
                    let expected = format!("${}\r\n{n}\r\n", n.to_string().len());
                    assert_eq!(client.ask(&format!("get k{thread}")), expected.into_bytes());
                    n += 1;
                }
            });
        }
        for round in 0..20 {
            let peer = cluster.members[1 + round % 2].addresses.peers;
            let accepted = || -> i64 {
                cluster.members[1..]
                    .iter()
                    .map(|m| numbers(m.node())["dnode_client_eof"])
                    .sum()
            };
            let before = accepted();
            near.told(&format!("/peer/reset/{peer}"));
            eventually("the connection was made anew", || {
                accepted() > before && numbers(near)["peer_connections"] == 2
            });
        }
        stop.store(true, Ordering::Relaxed);
    });
    let after = numbers(near);
    for name in ["peer_err", "peer_eof", "peer_timedout", "forward_error"] {
        assert_eq!(after[name], before[name], "{name}");
    }
}
