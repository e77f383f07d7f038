//! Nodes that can come, go and move, and the file their lists of seeds are read from.

use crate::common::{Addresses, Client, Node, Redis, Setup, eventually, next_net, shown};
use dynomite::hashkit::{HashKind, hash};
use std::net::Ipv4Addr;
use std::path::PathBuf;

/// Between two looks at the list, and how long a node stays that is no longer listed, in ms.
pub const INTERVAL: u32 = 20;

/// A place in the cluster: datacenter, rack and token, a redis-server, and a node while there is one.
pub struct Spot {
    pub dc: &'static str,
    pub rack: &'static str,
    pub token: u32,
    pub store: Redis,
    pub at: Addresses,
    pub node: Option<Node>,
}

/// Places, and the list of those that are in the cluster.
pub struct World {
    dir: tempfile::TempDir,
    net: [u8; 3],
    next: u8,
    pub spots: Vec<Spot>,
    grace: u32,
}

impl World {
    pub fn new() -> World {
        let world = World {
            dir: tempfile::tempdir().expect("a temporary directory"),
            net: next_net(),
            next: 1,
            spots: Vec::new(),
            grace: 0,
        };
        std::fs::write(world.file(), "# nobody yet\n").expect("a file in a fresh directory");
        world
    }

    /// How long a node stays that is no longer listed, in ms.
    pub fn with_grace(mut self, grace: u32) -> World {
        self.grace = grace;
        self
    }

    /// The list of seeds.
    pub fn file(&self) -> PathBuf {
        self.dir.path().join("seeds.list")
    }

    fn address(&mut self) -> Addresses {
        let [a, b, c] = self.net;
        self.next += 1;
        Addresses::free(Ipv4Addr::new(a, b, c, self.next))
    }

    /// A place where nothing runs but a redis-server. Returns its number.
    pub fn spot(&mut self, dc: &'static str, rack: &'static str, token: u32) -> usize {
        let at = self.address();
        self.spots.push(Spot {
            dc,
            rack,
            token,
            store: Redis::start(),
            at,
            node: None,
        });
        self.spots.len() - 1
    }

    /// What a node at this place is started with.
    pub fn setup(&self, n: usize) -> Setup {
        let spot = &self.spots[n];
        Setup::before(&spot.store)
            .with_token(spot.token)
            .at(spot.at)
            .with("datacenter", spot.dc)
            .with("rack", spot.rack)
            .with("dyn_seed_provider", "file_provider")
            .with_env("DYNOMITE_SEEDS_FILE", self.file().display())
            .with_env("DYNOMITE_SEEDS_INTERVAL_MS", INTERVAL)
            .with_env("DYNOMITE_SEEDS_GRACE_MS", self.grace)
    }

    /// Starts the node at this place.
    #[track_caller]
    pub fn start(&mut self, n: usize) {
        let node = self.setup(n).start();
        self.spots[n].node = Some(node);
    }

    /// Starts the node of a place at another address beside the one that runs, which is returned.
    #[track_caller]
    pub fn start_elsewhere(&mut self, n: usize) -> Option<Node> {
        self.spots[n].at = self.address();
        let old = self.spots[n].node.take();
        self.start(n);
        old
    }

    /// The entry of a place.
    pub fn entry(&self, n: usize) -> String {
        let Spot {
            dc,
            rack,
            token,
            at,
            ..
        } = &self.spots[n];
        format!("{}:{rack}:{dc}:{token}", at.peers)
    }

    /// Lets the cluster be these places, for all nodes.
    pub fn list(&self, nodes: &[usize]) {
        let lines: Vec<String> = nodes.iter().map(|&n| self.entry(n)).collect();
        self.write(&(lines.join("\n") + "\n"));
    }

    /// Writes the list as one does: beside it, then in its place.
    pub fn write(&self, text: &str) {
        let new = self.dir.path().join("new");
        std::fs::write(&new, text).expect("a file in a directory of ours");
        std::fs::rename(new, self.file()).expect("a file in a directory of ours");
    }

    /// Places, started as one cluster and connected to each other.
    #[track_caller]
    pub fn with_cluster(mut self, places: &[(&'static str, &'static str, u32)]) -> World {
        let all: Vec<usize> = places
            .iter()
            .map(|&(dc, rack, token)| self.spot(dc, rack, token))
            .collect();
        self.list(&all);
        for &n in &all {
            self.start(n);
        }
        for &n in &all {
            self.node(n)
                .await_stat("peer_connections", |peers| peers == all.len() as i64 - 1);
        }
        self
    }

    #[track_caller]
    pub fn node(&self, n: usize) -> &Node {
        self.spots[n].node.as_ref().expect("it was started")
    }

    #[track_caller]
    pub fn client(&self, n: usize) -> Client {
        self.node(n).client()
    }

    /// Waits until a node has logged this text.
    #[track_caller]
    pub fn logged(&self, n: usize, text: &str) {
        logged(self.node(n), text);
    }

    /// Waits until requests of these nodes go by the members of a version that has so many nodes.
    #[track_caller]
    pub fn await_nodes(&self, of: &[usize], nodes: usize) {
        for &n in of {
            let words = format!("of the members: {nodes} nodes in ");
            eventually("requests go by the new list", || {
                let log = self.node(n).log();
                let last = log.lines().rfind(|line| line.contains("of the members: "));
                last.is_some_and(|line| line.contains(&words))
            });
        }
    }

    /// What the redis-server of a place holds of a key, as a reply.
    pub fn held(&self, n: usize, key: &str) -> String {
        shown(&self.spots[n].store.client().ask(&format!("get {key}")))
    }

    /// Waits until the redis-server of a place holds this of a key.
    #[track_caller]
    pub fn await_held(&self, n: usize, key: &str, value: &str) {
        let wanted = format!("${}\\r\\n{value}\\r\\n", value.len());
        eventually("the key is there", || self.held(n, key) == wanted);
    }
}

/// A key that begins so and belongs to the token, of these tokens of a rack.
pub fn key_of(token: u32, tokens: &[u32], prefix: &str) -> String {
    let owner = |key: &str| {
        let hash = hash(HashKind::Murmur, key.as_bytes());
        let above = tokens.iter().filter(|token| **token >= hash).min();
        *above.or(tokens.iter().min()).expect("a token")
    };
    (0..)
        .map(|n| format!("{prefix}{n}"))
        .find(|key| owner(key) == token)
        .expect("some key")
}

/// Waits until a node has logged this text.
#[track_caller]
pub fn logged(node: &Node, text: &str) {
    node.await_log(text);
}
