//! One node after the other is replaced, while clients go on.

use super::common::{Client, Cluster, Plan, eventually, shown};
use super::{at_level, bulk, mixed, other};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Writes and reads at one node until told to stop. Returns what went wrong.
fn load(mut client: Client, name: &str, stop: &AtomicBool, done: &AtomicU64) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        n += 1;
        let key = format!("{name}:{}", n % 50);
        for (line, wanted) in [
            (format!("set {key} {n}"), "+OK\\r\\n".to_owned()),
            (format!("get {key}"), bulk(&n.to_string())),
            (
                format!("mset {key} a{n} {key}x b{n}"),
                "+OK\\r\\n".to_owned(),
            ),
            (
                format!("mget {key} {key}x"),
                format!(
                    "*2\\r\\n{}{}",
                    bulk(&format!("a{n}")),
                    bulk(&format!("b{n}"))
                ),
            ),
            (format!("del {key} {key}x"), String::new()),
        ] {
            let reply = shown(&client.ask(&line));
            // How many there were differs where a replica was away, and is an error then: one of the
            // replicas that are left may have been the one.
            if !wanted.is_empty() && reply != wanted {
                wrong.push(format!("{line}: {reply}"));
            }
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
    wrong
}

/// Replaces one node under the load of clients at the others.
fn replace(
    cluster: &mut Cluster,
    node: usize,
    program: Option<&std::path::Path>,
    level: &str,
) -> Vec<String> {
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let clients: Vec<(usize, Client)> = (0..cluster.members.len())
        .filter(|&n| n != node)
        .map(|n| (n, at_level(cluster.client(n), level)))
        .collect();
    let mut wrong = Vec::new();
    std::thread::scope(|scope| {
        let (stop, done) = (&stop, &done);
        let threads: Vec<_> = clients
            .into_iter()
            .map(|(n, client)| {
                scope.spawn(move || load(client, &format!("{node}.{n}"), stop, done))
            })
            .collect();
        let some_more = |times: u64| {
            let goal = done.load(Ordering::Relaxed) + times;
            eventually("the load goes on", || {
                done.load(Ordering::Relaxed) > goal
                    || threads.iter().any(|thread| thread.is_finished())
            });
        };
        some_more(50);
        cluster.kill(node);
        some_more(50);
        cluster.restart_as(node, program);
        some_more(50);
        stop.store(true, Ordering::Relaxed);
        for thread in threads {
            match thread.join() {
                Ok(said) => wrong.extend(said),
                Err(_) => wrong.push(format!("a connection broke while {node} was replaced")),
            }
        }
    });
    wrong
}

/// The original's nodes one by one by ours, and back.
fn drill(plan: Plan, level: &str) {
    let Some(program) = other() else { return };
    let nodes: Vec<usize> = (0..plan.len()).collect();
    let mut cluster = mixed(plan, &nodes, &program).start();
    let mut wrong = Vec::new();
    for (to, program) in [("ours", None), ("theirs", Some(&*program))] {
        for &node in &nodes {
            let said = replace(&mut cluster, node, program, level);
            wrong.extend(
                said.into_iter()
                    .take(5)
                    .map(|line| format!("{node} becomes {to}: {line}")),
            );
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn three_racks_are_replaced_without_an_error_at_quorum() {
    drill(Plan::of(1, 3, 1), "dc_safe_quorum");
}
