//! A cluster of real nodes, each before a real redis-server or memcached.

use super::node::Addresses;
use super::{Client, Kind, Node, Setup, Store, TextClient, eventually, pause, resume};
use dynomite::hashkit::{HashKind, hash};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU8, Ordering};

/// What is to be started: a list of racks with their tokens, and keys of the configuration.
#[derive(Clone, Debug)]
pub struct Plan {
    /// For each node its datacenter, rack and tokens.
    places: Vec<(usize, usize, Vec<u32>)>,
    keys: Vec<(String, String)>,
    others: Vec<(usize, PathBuf)>,
    env: Vec<(usize, (String, String))>,
    pools: [i64; 2],
    kind: Kind,
}

impl Plan {
    /// So many datacenters of so many racks of so many nodes, tokens evenly spread.
    pub fn of(dcs: usize, racks: usize, nodes: usize) -> Plan {
        let tokens: Vec<u32> = (0..nodes)
            .map(|n| ((n as u64) * (1 << 32) / nodes as u64) as u32)
            .collect();
        Plan::by_tokens(&vec![vec![&tokens[..]; racks]; dcs])
    }

    /// The tokens of each rack of each datacenter.
    pub fn by_tokens(dcs: &[Vec<&[u32]>]) -> Plan {
        let mut places = Vec::new();
        for (dc, racks) in dcs.iter().enumerate() {
            for (rack, tokens) in racks.iter().enumerate() {
                places.extend(tokens.iter().map(|&token| (dc, rack, vec![token])));
            }
        }
        Plan {
            places,
            keys: Vec::new(),
            others: Vec::new(),
            env: Vec::new(),
            pools: [1, 1],
            kind: Kind::Redis,
        }
    }

    /// Lets each node stand before a memcached, not a redis-server.
    pub fn of_memcached(mut self) -> Plan {
        self.kind = Kind::Memcached;
        self
    }

    /// Lets clients read and write at this level unless they ask for another one.
    pub fn at_level(self, level: &str) -> Plan {
        self.with("read_consistency", level)
            .with("write_consistency", level)
    }

    /// Sets a key of the configuration of every node.
    pub fn with(mut self, key: &str, value: impl ToString) -> Plan {
        self.keys.push((key.to_owned(), value.to_string()));
        self
    }

    /// Gives the node at this place of the list these tokens instead.
    pub fn with_tokens(mut self, node: usize, tokens: &[u32]) -> Plan {
        self.places[node].2 = tokens.to_vec();
        self
    }

    /// So many connections to each peer, near and far.
    pub fn with_connections(mut self, near: u8, far: u8) -> Plan {
        self.pools = [near.into(), far.into()];
        self.with("local_peer_connections", near)
            .with("remote_peer_connections", far)
    }

    /// Lets the node at this place of the list be another program.
    pub fn with_program(mut self, node: usize, program: &Path) -> Plan {
        self.others.push((node, program.to_owned()));
        self
    }

    /// Sets a variable of the environment of the node at this place of the list, and of its datastore.
    pub fn with_env(mut self, node: usize, variable: (String, String)) -> Plan {
        self.env.push((node, variable));
        self
    }

    /// The variables of the environment of the node at this place of the list.
    fn env_of(&self, node: usize) -> Vec<(String, String)> {
        let of_it = self.env.iter().filter(|(n, _)| *n == node);
        of_it.map(|(_, variable)| variable.clone()).collect()
    }

    /// How many nodes it has.
    pub fn len(&self) -> usize {
        self.places.len()
    }

    /// Starts everything, and returns when every node is connected to every other.
    #[track_caller]
    pub fn start(self) -> Cluster {
        let stores: Vec<Store> = at_once(&self.places, |n, _| {
            Store::start_with_env(self.kind, &self.env_of(n))
        });
        let net = next_net();
        let addresses: Vec<Addresses> = (1..=self.places.len() as u8)
            .map(|n| Addresses::free(Ipv4Addr::new(net[0], net[1], net[2], n)))
            .collect();
        let mut members: Vec<Member> = Vec::new();
        for (index, (store, (dc, rack, tokens))) in stores.into_iter().zip(&self.places).enumerate()
        {
            let mut seeds = String::new();
            for (other, at) in addresses.iter().enumerate().filter(|&(n, _)| n != index) {
                let (dc, rack, tokens) = &self.places[other];
                seeds += &format!("\n  - {}:rack{rack}:dc{dc}:{}", at.peers, listed(tokens));
            }
            let other = self.others.iter().find(|(n, _)| *n == index);
            let mut setup = store
                .setup()
                .with_token(listed(tokens))
                .at(addresses[index])
                .with_program(other.map(|(_, path)| &**path))
                .with("datacenter", format!("dc{dc}"))
                .with("rack", format!("rack{rack}"));
            if !seeds.is_empty() {
                setup = setup.with("dyn_seeds", seeds);
            }
            for (key, value) in &self.keys {
                setup = setup.with(key, value);
            }
            for (name, value) in self.env_of(index) {
                setup = setup.with_env(&name, value);
            }
            members.push(Member {
                dc: *dc,
                rack: *rack,
                tokens: tokens.clone(),
                store,
                addresses: addresses[index],
                setup,
                node: None,
            });
        }
        let nodes = at_once(&members, |_, member| member.setup.start());
        for (member, node) in members.iter_mut().zip(nodes) {
            member.node = Some(node);
        }
        let cluster = Cluster {
            members,
            pools: self.pools,
        };
        cluster.await_connected();
        cluster
    }
}

/// One node and its datastore.
#[derive(Debug)]
pub struct Member {
    pub dc: usize,
    pub rack: usize,
    pub tokens: Vec<u32>,
    pub store: Store,
    pub addresses: Addresses,
    setup: Setup,
    node: Option<Node>,
}

impl Member {
    /// The running node.
    #[track_caller]
    pub fn node(&self) -> &Node {
        self.node.as_ref().expect("the node was killed")
    }

    /// Returns true if the node is another program than the one under test.
    pub fn is_other(&self) -> bool {
        self.setup.is_other()
    }

    /// Returns true if the node has not been killed.
    pub fn runs(&self) -> bool {
        self.node.is_some()
    }

    /// Connects to the node.
    #[track_caller]
    pub fn client(&self) -> Client {
        self.node().client()
    }

    /// Connects to the node, to speak memcached's text protocol.
    #[track_caller]
    pub fn text_client(&self) -> TextClient {
        self.node().text_client()
    }

    /// What its datastore holds of a key, as the reply to `get`.
    #[track_caller]
    pub fn held(&self, key: &str) -> String {
        let line = format!("get {key}");
        super::shown(&match &self.store {
            Store::Redis(redis) => redis.client().ask(&line),
            Store::Memcached(memcached) => memcached.client().ask(&line),
        })
    }

    /// Returns true if the node serves what only its own datastore can answer.
    fn serves(&self) -> bool {
        match &self.store {
            Store::Redis(_) => self.client().ask("ping") == b"+PONG\r\n",
            Store::Memcached(_) => self.text_client().ask("stats").starts_with(b"STAT "),
        }
    }

    /// How often its redis-server has run a command since [`Cluster::forget_calls`].
    #[track_caller]
    pub fn calls(&self, command: &str) -> u64 {
        let reply = self.store.client().ask("info commandstats");
        let text = String::from_utf8_lossy(&reply);
        let name = format!("cmdstat_{command}:calls=");
        text.lines()
            .find_map(|line| line.strip_prefix(&name))
            .and_then(|rest| rest.split(',').next())
            .map_or(0, |calls| calls.parse().expect("a number"))
    }
}

/// A running cluster; killed when dropped. Nodes have the numbers of their places in the [`Plan`].
#[derive(Debug)]
pub struct Cluster {
    pub members: Vec<Member>,
    pools: [i64; 2],
}

impl Cluster {
    /// Waits until every node that runs is connected to every other that does.
    #[track_caller]
    pub fn await_connected(&self) {
        let runs = |member: &&Member| member.node.is_some();
        for member in self.members.iter().filter(runs) {
            let expected: i64 = self
                .members
                .iter()
                .filter(runs)
                .filter(|other| !std::ptr::eq(*other, member))
                .map(|other| self.pools[usize::from(other.dc != member.dc)])
                .sum();
            member
                .node()
                .await_stat("peer_connections", |n| n == expected);
        }
    }

    /// Connects to a node.
    #[track_caller]
    pub fn client(&self, node: usize) -> Client {
        self.members[node].client()
    }

    /// Connects to a node, to speak memcached's text protocol.
    #[track_caller]
    pub fn text_client(&self, node: usize) -> TextClient {
        self.members[node].text_client()
    }

    /// The number of the node at this place of a rack.
    pub fn at(&self, dc: usize, rack: usize) -> usize {
        let found = |m: &Member| m.dc == dc && m.rack == rack;
        self.members
            .iter()
            .position(found)
            .expect("a node of that rack")
    }

    /// The owner of a key in a rack: the smallest token not below its hash, else the smallest.
    pub fn owner(&self, dc: usize, rack: usize, key: &str) -> usize {
        let hash = hash(HashKind::Murmur, key.as_bytes());
        let of_rack = |&n: &usize| self.members[n].dc == dc && self.members[n].rack == rack;
        let of_rack = (0..self.members.len()).filter(of_rack);
        let ring: Vec<(u32, usize)> = of_rack
            .flat_map(|n| self.members[n].tokens.iter().map(move |&token| (token, n)))
            .collect();
        let above = ring.iter().filter(|(token, _)| *token >= hash).min();
        above
            .or_else(|| ring.iter().min())
            .expect("a rack of nodes")
            .1
    }

    /// The owners of a key, one in each rack.
    pub fn owners(&self, key: &str) -> Vec<usize> {
        let mut racks: Vec<(usize, usize)> = self.members.iter().map(|m| (m.dc, m.rack)).collect();
        racks.dedup();
        racks
            .iter()
            .map(|&(dc, rack)| self.owner(dc, rack, key))
            .collect()
    }

    /// A key that begins so and belongs to this node in its rack.
    pub fn key_of(&self, node: usize, prefix: &str) -> String {
        let member = &self.members[node];
        (0..)
            .map(|n| format!("{prefix}{n}"))
            .find(|key| self.owner(member.dc, member.rack, key) == node)
            .expect("some key")
    }

    /// Lets the redis-servers count from nothing.
    pub fn forget_calls(&self) {
        for member in &self.members {
            assert_eq!(member.store.client().ask("config resetstat"), b"+OK\r\n");
        }
    }

    /// How often each redis-server has run a command.
    pub fn calls(&self, command: &str) -> Vec<u64> {
        self.members
            .iter()
            .map(|member| member.calls(command))
            .collect()
    }

    /// Waits until the datastores hold this (as a reply) of a key.
    #[track_caller]
    pub fn await_held(&self, key: &str, wanted: &[&str]) {
        let held = || -> Vec<String> { self.members.iter().map(|m| m.held(key)).collect() };
        let deadline = std::time::Instant::now() + super::PATIENCE;
        loop {
            let now = held();
            if now == wanted {
                return;
            }
            assert!(
                std::time::Instant::now() < deadline,
                "{key}: {now:?}, not {wanted:?}"
            );
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
    }

    /// Kills a node, and returns when the others know.
    #[track_caller]
    pub fn kill(&mut self, node: usize) {
        self.members[node].node.take().expect("it runs").kill();
        self.await_connected();
    }

    /// Kills a node.
    #[track_caller]
    pub fn kill_quietly(&mut self, node: usize) {
        self.members[node].node.take().expect("it runs").kill();
    }

    /// Starts a killed node again.
    #[track_caller]
    pub fn start_node(&mut self, node: usize) {
        let member = &mut self.members[node];
        member.node = Some(member.setup.start());
    }

    /// Starts a killed node again, and returns when all are connected.
    #[track_caller]
    pub fn restart(&mut self, node: usize) {
        self.start_node(node);
        self.await_connected();
    }

    /// Sets a key of the configuration a killed node is started with.
    pub fn set(&mut self, node: usize, key: &str, value: &str) {
        let member = &mut self.members[node];
        member.setup = member.setup.clone().with(key, value);
    }

    /// Starts a killed node again as another program, or as the one under test.
    #[track_caller]
    pub fn restart_as(&mut self, node: usize, program: Option<&Path>) {
        let member = &mut self.members[node];
        member.setup = member.setup.clone().with_program(program);
        self.restart(node);
    }

    pub fn pause(&self, node: usize) {
        pause(self.members[node].node().pid());
    }

    pub fn resume(&self, node: usize) {
        resume(self.members[node].node().pid());
    }

    pub fn pause_store(&self, node: usize) {
        pause(self.members[node].store.pid());
    }

    pub fn resume_store(&self, node: usize) {
        resume(self.members[node].store.pid());
    }

    /// Kills a datastore, and returns when its node knows.
    #[track_caller]
    pub fn kill_store(&mut self, node: usize) {
        let member = &mut self.members[node];
        member.store.kill();
        eventually("the node misses its datastore", || !member.serves());
    }

    /// Starts a datastore again, and returns when its node serves from it.
    #[track_caller]
    pub fn restart_store(&mut self, node: usize) {
        self.members[node].store.restart();
        self.await_store(node);
    }

    /// Waits until a node serves from its datastore.
    #[track_caller]
    pub fn await_store(&self, node: usize) {
        eventually("the node serves from its datastore", || {
            self.members[node].serves()
        });
    }
}

fn listed(tokens: &[u32]) -> String {
    let texts: Vec<String> = tokens.iter().map(u32::to_string).collect();
    texts.join(",")
}

/// Does something for each at the same time.
fn at_once<T: Sync, R: Send>(of: &[T], work: impl Fn(usize, &T) -> R + Sync) -> Vec<R> {
    let work = &work;
    std::thread::scope(|scope| {
        let threads: Vec<_> = of
            .iter()
            .enumerate()
            .map(|(n, item)| scope.spawn(move || work(n, item)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().unwrap_or_else(|_| panic!("it did not start")))
            .collect()
    })
}

/// Three bytes of loopback addresses that no other process uses, so that a free port stays free.
pub fn next_net() -> [u8; 3] {
    static NEXT: AtomicU8 = AtomicU8::new(0);
    let [high, low] = (std::process::id() as u16).to_be_bytes();
    [
        127,
        high,
        low ^ NEXT.fetch_add(1, Ordering::Relaxed).rotate_left(4),
    ]
}

/// A new private key of 1024 bits, as the nodes of a cluster share it, in a file of this name.
pub fn new_key(dir: &Path, name: &str) -> PathBuf {
    new_key_of(dir, name, 1024)
}

/// As [`new_key`], with another number of bits.
pub fn new_key_of(dir: &Path, name: &str, bits: u32) -> PathBuf {
    let path = dir.join(name);
    let key = openssl::rsa::Rsa::generate(bits).expect("a key");
    let pem = key.private_key_to_pem().expect("its text");
    std::fs::write(&path, pem).expect("a file in a fresh directory");
    path
}
