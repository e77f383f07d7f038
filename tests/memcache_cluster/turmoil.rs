//! Nodes and memcacheds are killed, paused and resumed at random while clients go on: each request is
//! answered once and in order, with what its key has held or with one of the documented errors.
//! `DYNOMITE_CHAOS_SEED` repeats a run's order of events, `DYNOMITE_LONG_TESTS` makes it longer.

use super::{LEVELS, await_everywhere};
use crate::common::{Chance, Cluster, Plan, TextClient, eventually, shown, value};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

const ERRORS: [&str; 4] = [
    "SERVER_ERROR Peer: Peer Node is not connected\\r\\n",
    "SERVER_ERROR Peer: Peer Node refused connection\\r\\n",
    "SERVER_ERROR Storage: Datastore refused connection\\r\\n",
    "SERVER_ERROR Dynomite: Failed to achieve Quorum\\r\\n",
];

#[test]
fn three_racks_in_turmoil() {
    for level in LEVELS {
        turmoil(Plan::of(1, 3, 1), level);
    }
}

#[test]
fn two_datacenters_in_turmoil() {
    for level in ["dc_one", "dc_quorum"] {
        turmoil(Plan::of(2, 2, 2), level);
    }
}

fn turmoil(plan: Plan, level: &str) {
    let long = std::env::var_os("DYNOMITE_LONG_TESTS").is_some();
    let mut random = Chance::of_this_run(1);
    let mut cluster = plan
        .of_memcached()
        .at_level(level)
        .with("timeout", 300)
        .start();
    // The coordinators live; what is behind and beside them does not always.
    let coordinators = [0, cluster.members.len() - 1];
    let stop = AtomicBool::new(false);
    let done = AtomicU64::new(0);
    let clients: Vec<(String, TextClient)> = (0..4)
        .map(|n| (format!("c{n}"), cluster.text_client(coordinators[n % 2])))
        .collect();
    std::thread::scope(|scope| {
        let (stop, done) = (&stop, &done);
        let threads: Vec<_> = clients
            .into_iter()
            .map(|(name, client)| scope.spawn(move || ask_on(client, &name, stop, done)))
            .collect();
        for _ in 0..if long { 200 } else { 12 } {
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
        3 => {
            cluster.members[node].store.kill();
            cluster.members[node].store.restart();
        }
        4..=6 => cluster.pause_store(node),
        _ => (0..cluster.members.len()).for_each(|node| cluster.resume_store(node)),
    }
}

/// Asks and checks until it is stopped.
fn ask_on(mut client: TextClient, name: &str, stop: &AtomicBool, done: &AtomicU64) {
    let mut round = 0;
    while !stop.load(Ordering::Relaxed) {
        round += 1;
        let mut requests = String::new();
        let mut kinds = Vec::new();
        for n in 0..6 {
            let (key, next) = (format!("{name}k{n}"), format!("{name}k{}", (n + 1) % 6));
            let text = format!("{key}.{round}");
            let len = text.len();
            let lines = [
                format!("set {key} 0 0 {len}\r\n{text}"),
                format!("get {key}"),
                format!("set {key} 0 0 {len} noreply\r\n{text}\r\nget {key} {next}"),
                format!("mg {key} v k O{round}"),
                format!("md {key}nope O{round}"),
                "mn".to_owned(),
            ];
            for (kind, line) in lines.iter().enumerate() {
                requests += line;
                requests += "\r\n";
                kinds.push((kind, key.clone(), next.clone(), line.clone()));
            }
        }
        client.send(requests.as_bytes());
        for (kind, key, next, line) in kinds {
            let reply = shown(&client.reply());
            // Any value that this client once wrote there, or nothing.
            let right = match kind {
                0 => reply == "STORED\\r\\n",
                1 => reply == "END\\r\\n" || is_value(&reply, &key),
                2 => {
                    let rest = reply.strip_suffix("END\\r\\n").unwrap_or("?");
                    rest.is_empty()
                        || (rest.starts_with(&format!("VALUE {key} 0 "))
                            && rest.contains(&format!("\\n{key}.")))
                        || is_value(&reply, &next)
                }
                3 => {
                    reply == "EN\\r\\n"
                        || (reply.starts_with("VA ")
                            && reply.contains(&format!(" k{key} O{round}\\r\\n{key}.")))
                }
                4 => reply == format!("NF O{round}\\r\\n"),
                _ => reply == "MN\\r\\n",
            };
            let excused = kind < 5 && ERRORS.contains(&reply.as_str());
            assert!(right || excused, "{line}: {reply}");
        }
        done.fetch_add(36, Ordering::Relaxed);
    }
}

fn is_value(reply: &str, key: &str) -> bool {
    reply.starts_with(&format!("VALUE {key} 0 "))
        && reply.contains(&format!("\\r\\n{key}."))
        && reply.ends_with("\\r\\nEND\\r\\n")
}

/// Everything comes back, and works.
fn settle(cluster: &mut Cluster) {
    cluster.recover();
    for through in 0..cluster.members.len() {
        let key = format!("settled{through}");
        let mut client = cluster.text_client(through);
        eventually("it is served again", || {
            client.ask(&format!("set {key} 0 0 3\r\nyes")) == b"STORED\r\n"
        });
        await_everywhere(cluster, &key, &value(&key, "yes"));
    }
    cluster.await_rest();
}
