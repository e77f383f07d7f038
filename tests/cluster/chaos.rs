//! Nodes and redis-servers are killed, paused and resumed at random while clients go on.
//!
//! In all of it, each request is answered once and in order, with a value that its key has had
//! or with one of the documented errors; afterwards everything is served again, nothing is left in a
//! queue and memory is bounded. `DYNOMITE_CHAOS_SEED` repeats a run's order of events (their
//! timing is the machine's), `DYNOMITE_LONG_TESTS` makes it longer.

use super::{at_level, bulk};
use crate::common::{Chance, Client, Cluster, Plan, eventually, shown, words};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const ERRORS: [&str; 4] = [
    "-ERR Peer: Peer Node is not connected\\r\\n",
    "-ERR Peer: Peer Node refused connection\\r\\n",
    "-ERR Storage: Datastore refused connection\\r\\n",
    "-ERR Dynomite: Failed to achieve Quorum\\r\\n",
];

fn is_long() -> bool {
    std::env::var_os("DYNOMITE_LONG_TESTS").is_some()
}

#[test]
fn two_datacenters_in_turmoil() {
    turmoil(Plan::of(2, 2, 2).with("timeout", 300), 1);
}

#[test]
fn three_racks_in_turmoil() {
    turmoil(
        Plan::of(1, 3, 1)
            .with("timeout", 300)
            .with_connections(3, 1),
        2,
    );
}

fn turmoil(plan: Plan, salt: u64) {
    let mut random = Chance::of_this_run(salt);
    let mut cluster = plan.start();
    // The coordinators live; what is behind and beside them does not always.
    let coordinators = [0, cluster.members.len() - 1];
    let stop = AtomicBool::new(false);
    let done = AtomicU64::new(0);
    let clients: Vec<(String, Client)> = [
        "dc_one",
        "dc_quorum",
        "dc_safe_quorum",
        "dc_each_safe_quorum",
    ]
    .iter()
    .flat_map(|level| coordinators.map(|node| (level, node)))
    .map(|(level, node)| {
        (
            format!("{level}{node}"),
            at_level(cluster.client(node), level),
        )
    })
    .collect();
    std::thread::scope(|scope| {
        let (stop, done) = (&stop, &done);
        let threads: Vec<_> = clients
            .into_iter()
            .map(|(name, client)| scope.spawn(move || ask_on(client, &name, stop, done)))
            .collect();
        for _ in 0..if is_long() { 200 } else { 15 } {
            event(&mut cluster, &mut random, &coordinators);
            let goal = done.load(Ordering::Relaxed) + 200;
            eventually("clients are answered", || {
                done.load(Ordering::Relaxed) > goal || threads.iter().any(|t| t.is_finished())
            });
        }
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            thread.join().expect("the client was content");
        }
    });
    settle(&mut cluster);
}

/// One thing happens to one node, and some of what happened before is undone.
fn event(cluster: &mut Cluster, random: &mut Chance, coordinators: &[usize]) {
    let node = random.below(cluster.members.len());
    let lives = coordinators.contains(&node);
    let runs = cluster.members[node].runs();
    match random.below(8) {
        0 if !lives && runs => cluster.kill_quietly(node),
        1 | 2 if !lives && !runs => cluster.start_node(node),
        // A write waits 20 s for a peer that says nothing.
        3 if !lives && runs && is_long() => cluster.pause(node),
        4 | 5 if runs => cluster.resume(node),
        6 => cluster.pause_store(node),
        _ => cluster.resume_store(node),
    }
}

/// Asks and checks until it is stopped.
fn ask_on(mut client: Client, name: &str, stop: &AtomicBool, done: &AtomicU64) {
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        round += 1;
        let mut requests = Vec::new();
        let mut kinds = Vec::new();
        for n in 0..6 {
            let key = format!("{name}:{n}");
            let lines = [
                format!("set {key} {key}.{round}"),
                format!("get {key}"),
                format!("mget {key} {name}:{}", (n + 1) % 6),
                format!("echo {key}.{round}"),
            ];
            for (kind, line) in lines.iter().enumerate() {
                requests.extend(words(line));
                kinds.push((kind, key.clone(), line.clone()));
            }
        }
        client.send(&requests);
        for (kind, key, line) in kinds {
            let reply = shown(&client.reply());
            let right = match kind {
                0 => reply == "+OK\\r\\n",
                // Any value that this client once wrote there, or nothing.
                1 => reply == "$-1\\r\\n" || reply.contains(&format!("\\r\\n{key}.")),
                2 => reply.starts_with("*2\\r\\n"),
                _ => reply == bulk(&format!("{key}.{round}")),
            };
            let excused = kind < 3 && ERRORS.contains(&reply.as_str());
            assert!(right || excused, "{line}: {reply}");
        }
        done.fetch_add(24, Ordering::Relaxed);
    }
}

/// Everything comes back, and works.
fn settle(cluster: &mut Cluster) {
    cluster.recover();
    for through in 0..cluster.members.len() {
        let key = format!("settled{through}");
        let mut client = at_level(cluster.client(through), "dc_each_safe_quorum");
        eventually("it is served again", || {
            client.ask(&format!("set {key} yes")) == b"+OK\r\n"
        });
        for owner in cluster.owners(&key) {
            eventually("each owner has it", || {
                cluster.members[owner].held(&key) == bulk("yes")
            });
        }
    }
    cluster.await_rest();
    for member in &cluster.members {
        let resident = member.node().resident();
        assert!(resident < 200 << 20, "{resident} bytes");
    }
}
