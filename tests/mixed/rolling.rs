//! One node after the other is replaced, while clients go on.

use super::{at_level, bulk, mixed, other};
use crate::common::{Client, Cluster, Plan, eventually, new_key, shown, words};
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Which requests the clients send.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Load {
    /// Also some with several keys.
    Split,
    /// With one key only.
    Single,
}

/// Writes and reads at one node until it is stopped, one by one and several at once. Returns what went wrong. `excused` replies are
/// not wrong.
fn load(
    mut client: Client,
    load: Load,
    name: &str,
    excused: &[&str],
    stop: &AtomicBool,
    done: &AtomicU64,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut n = 0;
    while !stop.load(Ordering::Relaxed) {
        n += 1;
        let key = format!("{name}:{}", n % 50);
        let pair = format!(
            "*2\\r\\n{}{}",
            bulk(&format!("a{n}")),
            bulk(&format!("b{n}"))
        );
        let ok = || "+OK\\r\\n".to_owned();
        let single = [
            (format!("set {key} {n}"), ok()),
            (format!("get {key}"), bulk(&n.to_string())),
            (
                format!("append {key} x"),
                format!(":{}\\r\\n", n.to_string().len() + 1),
            ),
        ];
        let split = [
            (format!("mset {key} a{n} {key}x b{n}"), ok()),
            (format!("mget {key} {key}x"), pair),
            (format!("exists {key} {key}x"), ":2\\r\\n".to_owned()),
        ];
        let split = split.into_iter().filter(|_| load == Load::Split);
        let lines: Vec<(String, String)> = single.into_iter().chain(split).collect();
        let at_once = n % 2 == 0;
        if at_once {
            let all = lines.iter().flat_map(|(line, _)| words(line));
            client.send(&all.collect::<Vec<u8>>());
        }
        let mut is_excused = false;
        for (line, wanted) in lines {
            if at_once {
                let reply = shown(&client.reply());
                is_excused |= excused.contains(&reply.as_str());
                if reply != wanted && !is_excused {
                    wrong.push(format!("{line}, behind others: {reply}"));
                }
                continue;
            }
            let reply = shown(&client.ask(&line));
            if excused.contains(&reply.as_str()) {
                break;
            }
            if reply != wanted {
                wrong.push(format!("{line}: {reply}"));
            }
        }
        done.fetch_add(1, Ordering::Relaxed);
    }
    wrong
}

/// What a client may hear whose rack has lost an owner.
const OWNER_AWAY: [&str; 2] = [
    "-ERR Peer: Peer Node is not connected\\r\\n",
    "-ERR Peer: Peer Node refused connection\\r\\n",
];

/// Replaces one node under the load of clients at the others.
fn replace(
    cluster: &mut Cluster,
    node: usize,
    program: Option<&Path>,
    level: &str,
    kind: Load,
) -> Vec<String> {
    let (stop, done) = (AtomicBool::new(false), AtomicU64::new(0));
    let rack = |n: usize| (cluster.members[n].dc, cluster.members[n].rack);
    let clients: Vec<(usize, bool, Client)> = (0..cluster.members.len())
        .filter(|&n| n != node)
        .map(|n| (n, rack(n) == rack(node), at_level(cluster.client(n), level)))
        .collect();
    let mut wrong = Vec::new();
    std::thread::scope(|scope| {
        let (stop, done) = (&stop, &done);
        let threads: Vec<_> = clients
            .into_iter()
            .map(|(n, mate, client)| {
                let excused = if mate { &OWNER_AWAY[..] } else { &[] };
                let name = format!("{node}.{n}");
                scope.spawn(move || load(client, kind, &name, excused, stop, done))
            })
            .collect();
        let some_more = |times: u64| {
            let goal = done.load(Ordering::Relaxed) + times;
            eventually("the load goes on", || {
                done.load(Ordering::Relaxed) > goal || threads.iter().any(|t| t.is_finished())
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
                Err(_) => wrong.push("a connection broke".to_owned()),
            }
        }
    });
    wrong
}

/// The original's nodes one by one by ours, and back.
fn drill(plan: Plan, level: &str, kind: Load) {
    let Some(program) = other() else { return };
    let nodes: Vec<usize> = (0..plan.len()).collect();
    let mut cluster = mixed(plan, &nodes, &program).start();
    let mut wrong = Vec::new();
    for (to, program) in [("ours", None), ("theirs", Some(&*program))] {
        for &node in &nodes {
            let said = replace(&mut cluster, node, program, level, kind);
            wrong.extend(
                said.into_iter()
                    .take(5)
                    .map(|line| format!("{node} becomes {to}: {line}")),
            );
            let version = cluster.members[node].node().info()["version"].to_string();
            assert_eq!(
                version.contains(env!("CARGO_PKG_VERSION")),
                to == "ours",
                "{version}"
            );
        }
        // What is written now is everywhere.
        for key in 0..40 {
            let (through, key) = (key % nodes.len(), format!("after:{key}"));
            super::expect(
                &mut cluster.client(through),
                &format!("set {key} {to}"),
                "+OK\r\n",
            );
            let (owners, held) = (cluster.owners(&key), bulk(to));
            for &owner in &owners {
                eventually("each owner has it", || {
                    cluster.members[owner].held(&key) == held
                });
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn three_racks_are_replaced_without_an_error_at_quorum() {
    drill(Plan::of(1, 3, 1), "dc_safe_quorum", Load::Split);
}

#[test]
fn six_nodes_of_two_datacenters_and_uneven_racks_are_replaced() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let key = new_key(dir.path(), "shared");
    let (one, two) = (
        vec![&[0][..], &[100, 1 << 31]],
        vec![&[1 << 30, 3 << 30][..], &[7]],
    );
    let plan = Plan::by_tokens(&[one, two])
        .with("secure_server_option", "datacenter")
        .with("pem_key_file", key.display());
    drill(plan, "dc_one", Load::Single);
}
