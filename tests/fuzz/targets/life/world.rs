//! The world of a story: nodes, the network between them, their datastores and clients.

use super::Canary;
use super::client::Client;
use super::store::Store;
use crate::simulated::link::Link;
use crate::simulated::machine::{Machine, MachineCanary};
use crate::simulated::network::{Far, Network};
use crate::simulated::plan::Plan;
use crate::simulated::random::Random;
use dynomite::clock::Now;
use dynomite::config::{Endpoint, StoreKind};
use dynomite::consistency::Consistency;
use dynomite::driver::Fault;
use dynomite::node::{Node, Options};

/// Rounds after which everything has arrived, unless messages go in circles.
const ROUNDS: usize = 5_000;

pub struct World {
    pub kind: StoreKind,
    pub now: Now,
    pub random: Random,
    pub plan: Plan,
    pub network: Network,
    /// `None` while it is off.
    pub machines: Vec<Option<Machine>>,
    options: Vec<Options>,
    pub stores: Vec<Store>,
    pub clients: Vec<Client>,
    /// Rounds in a step; 0: until nothing moves.
    pub rounds: usize,
    /// The story has put any bytes into a connection of a datastore or a peer.
    pub forged: bool,
    canary: Option<Canary>,
    /// Prints each event, for a single input.
    tracing: bool,
}

/// Clusters: for each datacenter, for each rack, the number of nodes.
const SHAPES: [&[&[usize]]; 6] = [
    &[&[1]],
    &[&[1, 1]],
    &[&[1, 1, 1]],
    &[&[2, 1]],
    &[&[1, 1], &[1]],
    &[&[2]],
];

impl World {
    /// A world whose nodes have started.
    pub fn new(kind: StoreKind, [shape, habits, seed]: [u8; 3], canary: Option<Canary>) -> World {
        let plan = Plan::of(SHAPES[usize::from(shape) % SHAPES.len()]);
        let levels = Consistency::ALL;
        let level = |byte: u8| levels[usize::from(byte) % levels.len()];
        let is_tight = habits & 0x80 != 0;
        let options = Options {
            store: kind,
            timeout_us: [400_000, 5_000_000][usize::from(habits & 1)],
            datastore_connections: 1 + usize::from(habits >> 1 & 1),
            mbuf_size: [512, 16_384][usize::from(habits >> 2 & 1)],
            max_msgs: if is_tight { 40 } else { 200_000 },
            hash_tag: Some(*b"{}"),
            read_consistency: level(shape >> 4),
            write_consistency: level(shape >> 6 | habits >> 3 & 4),
            read_failover: habits & 8 != 0,
            enable_flush: habits & 16 != 0,
            conn_msg_rate: if habits & 64 != 0 { 50 } else { 50_000 },
            ..Options::default()
        };
        let count = plan.nodes.len();
        let options = (0..count).map(|node| Options {
            listen: format!("n{node}:8102"),
            ..options.clone()
        });
        let mut world = World {
            kind,
            now: Now {
                mono_us: 1_000_000,
                wall_us: 1_700_000_000_000_000,
            },
            random: Random::new(seed.into()),
            network: Network::default(),
            machines: (0..count).map(|_| None).collect(),
            options: options.collect(),
            stores: (0..count).map(|_| Store::new(kind, canary)).collect(),
            plan,
            clients: Vec::new(),
            rounds: 0,
            forged: false,
            canary,
            tracing: std::env::var_os("FUZZ_INPUT").is_some(),
        };
        for node in 0..count {
            world.switch_on(node);
        }
        world
    }

    pub fn note(&self, text: impl FnOnce() -> String) {
        if self.tracing {
            println!("{:>12} {}", self.now.mono_us, text());
        }
    }

    pub fn switch_on(&mut self, node: usize) {
        let topology = self.plan.topology(node, &mut self.random);
        let mut new = Node::new(self.options[node].clone(), topology, self.now);
        new.start(self.now);
        let mut machine = Machine::new(new, self.random.fork(), self.tracing);
        machine.canary = match self.canary {
            Some(Canary::Miscounts) => Some(MachineCanary::Miscounts),
            Some(Canary::NeverTicks) => Some(MachineCanary::Fault(Fault::NeverTicks)),
            _ => None,
        };
        self.machines[node] = Some(machine);
    }

    pub fn switch_off(&mut self, node: usize) {
        if let Some(machine) = self.machines[node].take() {
            machine.fail(&mut self.network.links);
        }
    }

    /// Connects a client or a stranger to a node. Returns the link.
    pub fn connect(&mut self, node: usize, room: usize, is_peer: bool) -> Option<usize> {
        let machine = self.machines[node].as_mut()?;
        let link = Link::new(room, self.random.fork());
        let link = self.network.add(link, Far::Client, node);
        match is_peer {
            true => machine.peer_backlog.push(link),
            false => machine.backlog.push(link),
        }
        Some(link)
    }

    pub fn pass_time(&mut self, us: u64) {
        self.now.mono_us += us;
        self.now.wall_us += us;
    }

    /// The earliest deadline of all nodes.
    pub fn deadline(&self) -> u64 {
        let machines = self.machines.iter().flatten();
        let deadlines = machines.map(|machine| machine.driver.node.next_deadline());
        deadlines.min().unwrap_or(self.now.mono_us)
    }

    /// Moves bytes and runs turns until nothing moves any more, or for [`rounds`](World::rounds) rounds.
    pub fn flow(&mut self) -> Result<(), String> {
        let rounds = if self.rounds == 0 {
            ROUNDS
        } else {
            self.rounds
        };
        for _ in 0..rounds {
            let mut moves = false;
            for link in 0..self.network.links.len() {
                moves |= self.network.carry(link, &mut self.random, true);
                let end = &mut self.network.links[link];
                if !end.closed && end.has_flight() && !self.network.is_silent(link) {
                    self.network.links[link].deliver(usize::MAX);
                    moves = true;
                }
            }
            for node in 0..self.machines.len() {
                self.turn(node)
                    .map_err(|why| format!("node {node}: {why}"))?;
                let links = &mut self.network.links;
                let acted = self.stores[node].act(links, self.now.unix_secs());
                moves |= acted.map_err(|why| format!("datastore {node}: {why}"))?;
            }
            self.look()?;
            let links = self.network.links.iter();
            let has_edges = links
                .into_iter()
                .any(|link| !link.closed && link.edges.any());
            let is_busy = self.machines.iter().flatten().any(Machine::is_busy);
            if !(moves || has_edges || is_busy) {
                return Ok(());
            }
        }
        match self.rounds {
            0 => {
                let links = self.network.links.iter().enumerate();
                let links = links
                    .filter(|(_, link)| !link.closed && (link.edges.any() || link.has_flight()));
                let links: Vec<_> = links
                    .map(|(at, link)| (at, self.network.far[at], link.edges))
                    .collect();
                Err(format!("does not come to rest: {links:?}"))
            }
            _ => Ok(()),
        }
    }

    fn turn(&mut self, node: usize) -> Result<(), String> {
        let Some(mut machine) = self.machines[node].take() else {
            return Ok(());
        };
        let (stores, machines, plan) = (&self.stores, &self.machines, &self.plan);
        let (far, owner) = (&mut self.network.far, &mut self.network.node);
        let random = &mut self.random;
        let mut dial = |endpoint: Option<&Endpoint>, links: &mut Vec<Link>| {
            links.push(Link::new(4_000_000, random.fork()));
            owner.push(node);
            let there = endpoint.zip(endpoint.and_then(Plan::node_at));
            let (end, answer) = match there {
                None => (Far::Store, stores[node].accepts),
                Some((endpoint, other)) if plan.is_at(other, endpoint) => {
                    (Far::Dialled(other), Some(machines[other].is_some()))
                }
                Some(_) => (Far::Nobody, Some(false)),
            };
            far.push(end);
            (links.len() - 1, answer)
        };
        let turned = machine.turn(self.now, &mut self.network.links, &mut dial);
        let made = machine.finish_attempts(self.now, &mut self.network.links);
        for line in machine.trace.drain(..) {
            println!("{:>12} node {node}: {line}", self.now.mono_us);
        }
        self.machines[node] = Some(machine);
        for link in made {
            self.join(node, link);
        }
        turned?;
        let Some(machine) = &self.machines[node] else {
            return Ok(());
        };
        if machine.driver.node.is_drained() {
            self.switch_off(node);
            return Ok(());
        }
        match machine.driver.node.next_deadline() {
            past if past <= self.now.mono_us => Err(format!("the next deadline, {past}, is past")),
            _ => Ok(()),
        }
    }

    /// Gives a new connection its other end.
    fn join(&mut self, node: usize, near: usize) {
        match self.network.far[near] {
            Far::Store => self.stores[node].connected(near),
            Far::Dialled(other) => match &mut self.machines[other] {
                Some(machine) => {
                    let end = Link::new(4_000_000, self.random.fork());
                    let end = self.network.add(end, Far::Node(near), other);
                    self.network.far[near] = Far::Node(end);
                    machine.peer_backlog.push(end);
                }
                None => self.network.links[near].reset(),
            },
            Far::Nobody => self.network.links[near].reset(),
            Far::Client | Far::Node(_) => {}
        }
    }

    fn look(&mut self) -> Result<(), String> {
        for at in 0..self.clients.len() {
            let client = &mut self.clients[at];
            let link = &mut self.network.links[client.link];
            client.look(link, self.forged, self.canary).map_err(|why| {
                let who = self.clients[at].describe();
                format!("{why}: {who}")
            })?;
        }
        Ok(())
    }
}
