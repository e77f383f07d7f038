//! Everything that comes and goes in months, over and over: nodes and stores that die, stop and return,
//! clients that connect, ask for much and leave, configurations read again, statistics asked for. At rest
//! afterwards a node has as many descriptors as before, and not more memory.
//!
//! `DYNOMITE_LONG_TESTS` gives the minutes it takes (at least one), without it a few rounds are run.

use crate::common::{Client, Cluster, Node, Plan, command, eventually, signal, words};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// What a node holds at rest.
#[derive(Clone, Copy, Debug)]
struct Held {
    resident: usize,
    files: usize,
}

fn held(node: &Node) -> Held {
    let files = std::fs::read_dir(format!("/proc/{}/fd", node.pid()));
    Held {
        resident: node.resident(),
        files: files.expect("a running process").count(),
    }
}

/// Minutes to go on for.
fn minutes() -> Option<u64> {
    let text = std::env::var("DYNOMITE_LONG_TESTS").ok()?;
    Some(text.parse().unwrap_or(1).max(1))
}

/// Asks for all kinds of things; what is answered while others die is no matter here.
fn ask_on(connect: impl Fn() -> Option<Client>, salt: usize, stop: &AtomicBool, done: &AtomicU64) {
    let large = vec![b'v'; 100_000];
    let mut n = salt;
    while !stop.load(Ordering::Relaxed) {
        let Some(mut client) = connect() else {
            std::thread::yield_now();
            continue;
        };
        // Some stay a while, some leave without reading.
        let stays = n % 7;
        for _ in 0..stays * 10 {
            n += 1;
            let key = format!("k{}", n % 1000);
            let mut all = Vec::new();
            for _ in 0..10 {
                all.extend(words(&format!("set {key} {n}")));
                all.extend(words(&format!("get {key}")));
                all.extend(words(&format!("mget {key} k{} k{}", n % 13, n % 17)));
            }
            all.extend(command(&[b"set", b"large", &large[n % 50_000..]]));
            all.extend(words("get large"));
            if client.try_send(&all).is_err() {
                break;
            }
            let asked = 32;
            if !(0..asked).all(|_| matches!(client.try_reply(), Ok(Some(_)))) {
                break;
            }
            done.fetch_add(asked, Ordering::Relaxed);
        }
        n += 1;
        let _ = client.try_send(&words("get large").repeat(20));
    }
}

/// One of everything that can happen to a cluster whose first node stays.
fn round(cluster: &mut Cluster, n: usize, some_more: &dyn Fn()) {
    let victim = 1 + n % (cluster.members.len() - 1);
    match n % 5 {
        0 => {
            cluster.kill_quietly(victim);
            some_more();
            cluster.start_node(victim);
        }
        1 => {
            cluster.pause(victim);
            some_more();
            cluster.resume(victim);
        }
        2 => {
            cluster.members[victim].store.kill();
            some_more();
            cluster.members[victim].store.restart();
        }
        3 => {
            cluster.pause_store(victim);
            some_more();
            cluster.resume_store(victim);
        }
        _ => {
            let crowd: Vec<_> = (0..300).map(|_| cluster.client(0)).collect();
            some_more();
            drop(crowd);
        }
    }
    for member in cluster.members.iter().filter(|member| member.runs()) {
        let node = member.node();
        signal("-HUP", node.pid());
        assert_eq!(node.get("/metrics").0, 200);
        assert_eq!(node.get("/peer/reset/all").0, 200);
    }
    some_more();
}

/// Waits until everything is connected and nothing is under way.
fn rest(cluster: &Cluster) {
    cluster.await_connected();
    for (number, member) in cluster.members.iter().enumerate() {
        cluster.await_store(number);
        let node = member.node();
        for name in ["client_connections", "peer_in_queue", "peer_out_queue"] {
            node.await_stat(name, |n| n == 0);
        }
        eventually("no message is kept", || {
            node.stat("alloc_msgs") == node.stat("free_msgs")
        });
    }
}

#[test]
fn nothing_grows_however_often_everything_happens() {
    let plan = Plan::of(2, 2, 1).with("timeout", 300);
    let mut cluster = plan.with_connections(2, 2).start();
    let until = minutes().map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
    let mut turns = 0;
    let mut before: Option<Held> = None;
    loop {
        let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
        let addr = cluster.members[0].node().addr;
        std::thread::scope(|scope| {
            let (stop, done) = (&stop, &done);
            for salt in 0..6 {
                scope.spawn(move || ask_on(|| Client::tcp(addr).ok(), salt, stop, done));
            }
            let some_more = || {
                let goal = done.load(Ordering::Relaxed) + 2000;
                eventually("clients are answered", || {
                    done.load(Ordering::Relaxed) > goal
                });
            };
            for _ in 0..5 {
                round(&mut cluster, turns, &some_more);
                turns += 1;
            }
            stop.store(true, Ordering::Relaxed);
        });
        rest(&cluster);
        let now = held(cluster.members[0].node());
        eprintln!("after {turns} turns: {now:?}");
        let Some(before) = before else {
            before = Some(now);
            continue;
        };
        eventually("everything is given back", || {
            let now = held(cluster.members[0].node());
            // What the allocator keeps differs from one moment to the next.
            now.files <= before.files + 2 && now.resident < before.resident + (16 << 20)
        });
        if until.is_none_or(|until| Instant::now() > until) {
            break;
        }
    }
}
