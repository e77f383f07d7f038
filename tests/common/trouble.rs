//! What can go wrong with a cluster's nodes and datastores, on purpose; and that nothing is left of it afterwards.

use super::{Cluster, eventually};
use std::sync::Mutex;

/// Something that happens to one node, or to the datastore behind it.
#[derive(Clone, Copy, Debug)]
pub enum Fault {
    KillNode(usize),
    PauseNode(usize),
    KillStore(usize),
    PauseStore(usize),
}

impl Fault {
    pub fn inflict(self, cluster: &mut Cluster) {
        match self {
            Fault::KillNode(node) => cluster.kill(node),
            Fault::PauseNode(node) => cluster.pause(node),
            Fault::KillStore(node) => cluster.kill_store(node),
            Fault::PauseStore(node) => cluster.pause_store(node),
        }
    }

    pub fn undo(self, cluster: &mut Cluster) {
        match self {
            Fault::KillNode(node) => cluster.start_node(node),
            Fault::PauseNode(node) => cluster.resume(node),
            Fault::KillStore(node) => cluster.members[node].store.restart(),
            Fault::PauseStore(node) => cluster.resume_store(node),
        }
    }
}

/// Checks the rows of a table, some at a time; each check returns what was not as it should be.
#[track_caller]
pub fn check_all<Row: Sync>(
    rows: impl Iterator<Item = Row> + Send,
    check: impl Fn(Row) -> Vec<String> + Sync,
) {
    let (rows, failed) = (Mutex::new(rows), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                loop {
                    let Some(row) = rows.lock().ok().and_then(|mut rows| rows.next()) else {
                        return;
                    };
                    let wrong = check(row);
                    if let Ok(mut failed) = failed.lock() {
                        failed.extend(wrong);
                    }
                }
            });
        }
    });
    let failed = failed.into_inner().unwrap_or_default();
    assert!(failed.is_empty(), "\n{}", failed.join("\n"));
}

/// The order of events (xorshift). `DYNOMITE_CHAOS_SEED` repeats the one of another run.
pub struct Chance(u64);

impl Chance {
    /// `salt` is odd, and another one for each test.
    pub fn of_this_run(salt: u64) -> Chance {
        let seed = std::env::var("DYNOMITE_CHAOS_SEED")
            .ok()
            .and_then(|text| text.parse().ok())
            .unwrap_or_else(|| u64::from(std::process::id()));
        eprintln!("DYNOMITE_CHAOS_SEED={seed}");
        Chance(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | salt)
    }

    pub fn below(&mut self, n: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % n as u64) as usize
    }
}

impl Cluster {
    /// Everything that was killed or paused runs again, and all are connected.
    #[track_caller]
    pub fn recover(&mut self) {
        for node in 0..self.members.len() {
            self.resume_store(node);
            if self.members[node].runs() {
                self.resume(node);
            } else {
                self.start_node(node);
            }
        }
        self.await_connected();
        for node in 0..self.members.len() {
            self.await_store(node);
        }
    }

    /// Waits until nothing is left in a queue, and every request that ever was has been forgotten.
    #[track_caller]
    pub fn await_rest(&self) {
        for member in &self.members {
            let node = member.node();
            for queue in [
                "in_queue",
                "out_queue",
                "peer_in_queue",
                "peer_out_queue",
                "remote_peer_in_queue",
                "remote_peer_out_queue",
            ] {
                node.await_stat(queue, |n| n == 0);
            }
            eventually("no message is kept", || {
                node.stat("alloc_msgs") == node.stat("free_msgs")
            });
        }
    }
}
