//! A coordinator that is faster than the C nodes it feeds.
//!
//! A C node has no back-pressure: it reads all that comes, and drops a connection with all that is on it at 20,000
//! unanswered messages or when one has waited for `timeout`. So how fast it is fed is up to its peers.
//!
//! `DYNOMITE_LONG_TESTS=1` runs the load in full, and beside each mixed cluster one of C nodes only.

use super::{mixed, other};
use crate::common::{Client, Cluster, Plan, command, eventually, new_key};
use std::path::Path;
use std::time::{Duration, Instant};

/// Writes by several clients, each with so many on their way at a time.
#[derive(Clone, Copy, Debug)]
struct Load {
    clients: usize,
    writes: usize,
    at_once: usize,
    value: usize,
}

/// What became of a load.
struct Outcome {
    /// Writes a second, until the last one was answered.
    rate: f64,
    /// Keys in each datastore when nothing changes any more.
    keys: Vec<usize>,
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:.0} writes a second, keys {:?}", self.rate, self.keys)
    }
}

impl Load {
    /// How many keys it writes, each once.
    fn total(&self) -> usize {
        self.clients * self.writes
    }

    /// Writes through these nodes in turn, and returns when every write was answered. Every answer must be `+OK`.
    fn run(&self, cluster: &Cluster, through: &[usize]) -> f64 {
        let began = Instant::now();
        let nodes = through.iter().cycle().take(self.clients);
        let clients: Vec<Client> = nodes.map(|&node| cluster.client(node)).collect();
        std::thread::scope(|scope| {
            for (name, client) in clients.into_iter().enumerate() {
                scope.spawn(move || self.write(client, name));
            }
        });
        self.total() as f64 / began.elapsed().as_secs_f64()
    }

    fn write(&self, mut client: Client, name: usize) {
        let value = vec![b'v'; self.value];
        let mut n = 0;
        while n < self.writes {
            let batch = self.at_once.min(self.writes - n);
            let requests = (n..n + batch).flat_map(|n| {
                let key = format!("key:{name}:{n}");
                command(&[b"set", key.as_bytes(), &value])
            });
            client.send(&requests.collect::<Vec<u8>>());
            let replies = client.take(batch * 5);
            assert!(
                replies.chunks(5).all(|reply| reply == b"+OK\r\n"),
                "{}",
                super::shown(&replies)
            );
            n += batch;
        }
    }

    /// Writes through one node, and counts what has arrived when nothing more does.
    fn measure(&self, cluster: &Cluster, through: usize) -> Outcome {
        let rate = self.run(cluster, &[through]);
        let mut keys = sizes(cluster);
        let mut last_change = Instant::now();
        while keys.iter().any(|&n| n < self.total())
            && last_change.elapsed() < Duration::from_secs(3)
        {
            std::thread::sleep(Duration::from_millis(50));
            let now = sizes(cluster);
            if now != keys {
                keys = now;
                last_change = Instant::now();
            }
        }
        Outcome { rate, keys }
    }
}

/// How many keys each datastore holds.
fn sizes(cluster: &Cluster) -> Vec<usize> {
    let size = |reply: Vec<u8>| {
        let text = String::from_utf8_lossy(&reply).into_owned();
        let digits = text.trim_start_matches(':').trim_end();
        digits.parse().expect("a number of keys")
    };
    let members = cluster.members.iter();
    members
        .map(|member| size(member.store.client().ask("dbsize")))
        .collect()
}

/// Returns true if long tests are wanted.
fn is_long() -> bool {
    std::env::var_os("DYNOMITE_LONG_TESTS").is_some()
}

/// Two datacenters of three racks, of which these are C nodes.
fn six(others: &[usize], program: &Path, key: Option<&Path>) -> Cluster {
    let mut plan = Plan::of(2, 3, 1);
    if let Some(key) = key {
        plan = plan
            .with("secure_server_option", "datacenter")
            .with("pem_key_file", key.display());
    }
    mixed(plan, others, program).start()
}

/// Every write that was answered is in every datastore, if not even C nodes alone lose it.
fn overrun(at_once: usize) {
    let Some(program) = other() else { return };
    let dir = tempfile::tempdir().expect("a temporary directory");
    let key = new_key(dir.path(), "shared");
    let load = Load {
        clients: 20,
        writes: if is_long() { 3000 } else { 1500 },
        at_once,
        value: 200,
    };
    let halves = [[1, 3, 5], [1, 2, 4], [1, 2, 3]];
    let halves = halves.iter().take(if is_long() { 3 } else { 1 });
    for key in [None, Some(&*key)] {
        let secured = key.map_or("none", |_| "datacenter");
        let alone = is_long().then(|| {
            let cluster = six(&[0, 1, 2, 3, 4, 5], &program, key);
            let outcome = load.measure(&cluster, 0);
            eprintln!("{at_once} at once, {secured}, C nodes alone: {outcome}");
            outcome
        });
        for others in halves.clone() {
            let cluster = six(others, &program, key);
            let outcome = load.measure(&cluster, 0);
            let told = format!("{at_once} at once, {secured}, C nodes {others:?}: {outcome}");
            eprintln!("{told}");
            for (n, &keys) in outcome.keys.iter().enumerate() {
                let alone = alone.as_ref().map_or(load.total(), |alone| alone.keys[n]);
                assert!(keys >= alone, "{told}, of {}", load.total());
            }
        }
    }
}

#[test]
fn a_fast_coordinator_loses_no_copy_to_c_nodes_one_write_at_a_time() {
    overrun(1);
}

#[test]
fn a_fast_coordinator_loses_no_copy_to_c_nodes_sixteen_writes_at_a_time() {
    overrun(16);
}

#[test]
fn a_fast_coordinator_loses_no_copy_to_c_nodes_fifty_writes_at_a_time() {
    overrun(50);
}

/// It read everything at once when it went on, more than it can answer.
#[test]
fn a_c_node_that_stood_still_for_a_moment_gets_every_copy() {
    let Some(program) = other() else { return };
    let load = Load {
        clients: 20,
        writes: 2000,
        at_once: 50,
        value: 200,
    };
    for racks in [2, 3] {
        // The last rack is a C node that gets its copies from this one, or by way of another C node.
        let (plan, others) = match racks {
            2 => (Plan::of(1, 2, 1), vec![1]),
            _ => (Plan::by_tokens(&[vec![&[0]], vec![&[0], &[0]]]), vec![1, 2]),
        };
        let cluster = mixed(plan, &others, &program).start();
        let stopped = *others.first().expect("a C node");
        cluster.pause(stopped);
        load.run(&cluster, &[0]);
        cluster.resume(stopped);
        let all = vec![load.total(); cluster.members.len()];
        eventually("every copy arrives", || sizes(&cluster) == all);
    }
}

/// Each of them sees only what it has sent itself.
#[test]
fn several_fast_coordinators_lose_no_copy_to_one_c_node() {
    let Some(program) = other() else { return };
    let load = Load {
        clients: 40,
        writes: if is_long() { 1500 } else { 750 },
        at_once: 16,
        value: 200,
    };
    let cluster = six(&[1, 4], &program, None);
    load.run(&cluster, &[0, 2, 3, 5]);
    let all = vec![load.total(); cluster.members.len()];
    eventually("every copy arrives", || sizes(&cluster) == all);
}
