//! The world of one run: virtual time, machines with a node each, their datastores, their clients and the
//! network.
//!
//! A run is a number of steps. In each, some of the models do a little, time passes, machines have a turn,
//! and everything that must always be true is looked at. Nothing in it depends on anything but the seed.

use crate::clustersim::client::Client;
use crate::clustersim::judge;
use crate::clustersim::link::Link;
use crate::clustersim::machine::Machine;
use crate::clustersim::network::{Far, Network};
use crate::clustersim::plan::Plan;
use crate::clustersim::random::Random;
use crate::clustersim::server::ServerCanary;
use crate::clustersim::shifts::Shifts;
use crate::clustersim::store::{Store, StoreCanary};
use crate::clustersim::summary::{Counts, Summary};
use crate::clustersim::versions::Versions;
use dynomite::clock::Now;
use dynomite::config::{Endpoint, SecureOption, StoreKind};
use dynomite::consistency::Consistency;
use dynomite::node::Options;
use dynomite::proto::dnode::KeyPair;
use std::rc::Rc;
use std::sync::OnceLock;

/// Steps in which anything may happen.
const STEPS: usize = 100;
/// How late a machine may be with a deadline, in µs.
pub const LATENESS: u64 = 10_000;
/// Lines of trace that are shown.
const SHOWN: usize = 1500;

/// What is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    Store(StoreCanary),
    /// The network drops a message silently.
    LosesMessages,
    /// One node has wrong tokens in its list.
    Misled,
    /// One node does not get the changed list of members.
    IsNotTold,
    /// Nodes count a request as overdue that is not.
    Miscounts,
}

impl Canary {
    /// Those that can be there with a datastore.
    pub fn all(kind: StoreKind) -> Vec<Canary> {
        let servers = ServerCanary::ALL.map(StoreCanary::Server);
        let mut all: Vec<Canary> = servers.map(Canary::Store).to_vec();
        all.extend([
            Canary::Store(StoreCanary::Lies),
            Canary::LosesMessages,
            Canary::Misled,
            Canary::IsNotTold,
            Canary::Miscounts,
        ]);
        if kind == StoreKind::Memcache {
            all.extend([
                Canary::Store(StoreCanary::IsQuietAsTold),
                Canary::Store(StoreCanary::IgnoresVersions),
            ]);
        }
        all
    }
}

pub struct World {
    pub seed: u64,
    pub kind: StoreKind,
    pub now: Now,
    pub random: Random,
    pub plan: Plan,
    pub network: Network,
    /// `None` while it is switched off.
    pub machines: Vec<Option<Machine>>,
    /// When a machine that is off comes back.
    pub back_at: Vec<u64>,
    pub options: Vec<Options>,
    pub failover: Vec<bool>,
    pub stores: Vec<Store>,
    pub clients: Vec<Client>,
    pub client_count: usize,
    pub versions: Versions,
    /// Nothing ever breaks.
    pub calm: bool,
    pub disturbed: bool,
    /// The only rack in which anything goes wrong, if it is not all of them.
    pub victim: Option<(usize, usize)>,
    pub resting: bool,
    /// Members change.
    pub shifting: bool,
    pub shifts: Shifts,
    pub canary: Option<Canary>,
    pub so_far: Counts,
    pub trace: Vec<String>,
    pub tracing: bool,
}

/// One RSA key for all worlds: making one takes longer than many worlds.
fn key_pair() -> Rc<KeyPair> {
    static PEM: OnceLock<Vec<u8>> = OnceLock::new();
    let pem = PEM.get_or_init(|| {
        let key = openssl::rsa::Rsa::generate(1024).unwrap();
        key.private_key_to_pem().unwrap()
    });
    Rc::new(KeyPair::from_pem(pem).unwrap())
}

impl World {
    /// The world of a number; with something broken on purpose, and the datastore that then is there.
    pub fn new(seed: u64, canary: Option<(Canary, StoreKind)>, tracing: bool) -> World {
        let mut random = Random::new(seed);
        let random = &mut random;
        let kind = match random.chance(333) {
            true => StoreKind::Memcache,
            false => StoreKind::Redis,
        };
        let kind = canary.map_or(kind, |(_, kind)| kind);
        let canary = canary.map(|(canary, _)| canary);
        let mut plan = Plan::new(random);
        let calm = random.chance(300) || canary.is_some();
        let is_shifting = match canary {
            Some(canary) => canary == Canary::IsNotTold,
            None => calm && random.chance(300),
        };
        let shifting = is_shifting && plan.nodes.len() > 1;
        if shifting {
            plan.add_spare(random);
        }
        let secure = match random.chance(40) {
            true => random.pick(&[
                SecureOption::All,
                SecureOption::Rack,
                SecureOption::Datacenter,
            ]),
            false => SecureOption::None,
        };
        let place = &plan.nodes[random.below(plan.nodes.len())];
        let victim = (!calm && random.chance(300)).then_some((place.dc, place.rack));
        let patient = calm || victim.is_some();
        let timeout_us = match patient {
            true => 100_000_000,
            false => random.pick(&[50_000, 400_000, 5_000_000]),
        };
        let tight = random.chance(100);
        // Encrypted data comes in pieces of this size: as with the original, all nodes must agree on it.
        let mbuf_size = random.pick(&[512, 2048, 16_384]);
        let options: Vec<Options> = (0..plan.nodes.len())
            .map(|node| Options {
                listen: format!("n{node}:8102"),
                store: kind,
                timeout_us,
                retry_ceiling_us: random.pick(&[1_000_000, 10_000_000]),
                datastore_connections: random.pick(&[1, 1, 2]),
                local_peer_connections: random.pick(&[1, 1, 2]),
                remote_peer_connections: random.pick(&[1, 1, 3]),
                preconnect: random.chance(700),
                max_msgs: if tight { 20 } else { 200_000 },
                mbuf_size: match secure {
                    _ if tight && patient => 16_384,
                    SecureOption::None => random.pick(&[512, 2048, 16_384]),
                    _ => mbuf_size,
                },
                hash_tag: Some(*b"{}"),
                read_consistency: random.pick(&Consistency::ALL),
                write_consistency: random.pick(&Consistency::ALL),
                conn_msg_rate: random.pick(&[50, 50_000, 50_000]),
                secure_server_option: secure,
                key_pair: (secure != SecureOption::None).then(key_pair),
                read_failover: random.chance(700),
                ..Options::default()
            })
            .collect();
        let mut world = World::of(plan, options, calm, random, tracing);
        world.seed = seed;
        world.victim = victim;
        world.shifting = shifting;
        world.so_far.shifting = shifting.into();
        for (store, place) in world.stores.iter_mut().zip(&world.plan.nodes) {
            if victim.is_some_and(|victim| victim != (place.dc, place.rack)) {
                store.be_calm();
            }
        }
        if tracing {
            world.stores.iter_mut().for_each(Store::trace);
        }
        world.so_far.partial = victim.is_some().into();
        world.canary = canary;
        world.network.loses = canary == Some(Canary::LosesMessages);
        world.so_far.sealed = (secure != SecureOption::None).into();
        if let Some(Canary::Store(canary)) = canary {
            world
                .stores
                .iter_mut()
                .for_each(|store| store.break_on_purpose(canary));
        }
        world
    }

    /// A cluster whose nodes are all off.
    pub fn of(
        plan: Plan,
        options: Vec<Options>,
        calm: bool,
        random: &mut Random,
        tracing: bool,
    ) -> World {
        let now = Now {
            mono_us: 1 + random.below(1_000_000) as u64,
            wall_us: 1_700_000_000_000_000,
        };
        let kind = options[0].store;
        World {
            seed: 0,
            kind,
            now,
            network: Network::default(),
            machines: plan.nodes.iter().map(|_| None).collect(),
            back_at: vec![0; plan.nodes.len()],
            failover: options
                .iter()
                .map(|options| options.read_failover)
                .collect(),
            stores: (0..plan.nodes.len())
                .map(|node| Store::new(node, random.fork(), calm, kind))
                .collect(),
            options,
            plan,
            clients: Vec::new(),
            client_count: random.between(1, 8),
            versions: Versions::default(),
            calm,
            disturbed: false,
            victim: None,
            resting: false,
            shifting: false,
            shifts: Shifts::default(),
            canary: None,
            so_far: Counts {
                calm: calm.into(),
                ..Counts::default()
            },
            trace: Vec::new(),
            tracing,
            random: random.fork(),
        }
    }

    /// Runs to the end. The error says what was wrong, and how to repeat the run.
    pub fn run(mut self) -> Result<Summary, String> {
        self.live().map_err(|why| {
            let from = self.trace.len().saturating_sub(SHOWN);
            format!(
                "{}\nseed {}, at {} µs: {why}\n{:#?}\n{:?}\nrun again: SIM_SEED={} make sim",
                self.trace[from..].join("\n"),
                self.seed,
                self.now.mono_us,
                self.plan,
                self.options,
                self.seed
            )
        })
    }

    fn live(&mut self) -> Result<Summary, String> {
        for node in 0..self.machines.len() {
            if !self.plan.is_member(node) {
                continue;
            }
            if self.is_patient() || self.random.chance(900) {
                self.switch_on(node);
            } else {
                self.disturbed = true;
                self.back_at[node] = self.now.mono_us + self.random.below(10_000_000) as u64;
            }
        }
        if self.is_patient() {
            // Requests before the nodes know each other get an error.
            self.wait_for_mesh()?;
        }
        self.disturbed |= !self.calm;
        for _ in 0..STEPS {
            self.step()?;
        }
        self.rest()
    }

    /// Returns true if everything has time enough, so that only broken parts fail.
    pub fn is_patient(&self) -> bool {
        self.calm || self.victim.is_some()
    }

    pub fn note(&mut self, text: impl FnOnce() -> String) {
        if self.tracing {
            let line = format!("{:>12} {}", self.now.mono_us, text());
            self.trace.push(line);
        }
    }

    /// Takes over what a node has counted.
    pub fn remember(&mut self, machine: &mut Machine) {
        let stats = machine.driver.node.operator().stats(self.now);
        let sum = &mut self.so_far;
        sum.timed_out += stats.own.requests_timedout;
        sum.lost_stores += stats.pool.server_ejects;
        sum.lost_peers += stats.pool.peer_ejects;
        sum.failovers += stats.own.read_failovers;
        sum.disagreements +=
            stats.pool.client_non_quorum_r_responses + stats.pool.client_non_quorum_w_responses;
        sum.paused += stats.own.reads_paused;
        sum.late += stats.own.late_replies_dropped;
    }

    pub fn wait_for_mesh(&mut self) -> Result<(), String> {
        for _ in 0..300 {
            if self.is_meshed() && self.have_answered() {
                return Ok(());
            }
            for _ in 0..3 {
                self.deliver();
                self.let_stores_act()?;
            }
            self.pass_time(1000);
            self.turns(true)?;
        }
        Err("the nodes do not find each other".into())
    }

    fn step(&mut self) -> Result<(), String> {
        if self.clients.len() < self.client_count && self.random.chance(150) {
            self.new_client();
        }
        for _ in 0..self.random.between(1, 4) {
            self.act()?;
        }
        if !self.calm && !self.resting {
            self.brood();
        }
        if self.shifting {
            self.shift()?;
        }
        let most = match self.random.below(100) {
            0..=79 => 300,
            80..=95 => 20_000,
            _ if self.calm => 20_000,
            96..=98 => 500_000,
            _ => 5_000_000,
        };
        self.pass_time(most);
        self.turns(false)
    }

    fn new_client(&mut self) {
        let node = self.random.below(self.machines.len());
        let room = self.random.pick(&[100, 1000, 200_000]);
        if self.shifting && !self.is_at_home(node) {
            return;
        }
        let Some(machine) = &mut self.machines[node] else {
            return;
        };
        let link = Link::new(room, self.random.fork());
        let link = self.network.add(link, Far::Client, node);
        machine.backlog.push(link);
        let number = self.clients.len() as u32;
        let options = &self.options[node];
        let levels = [options.read_consistency, options.write_consistency];
        let random = self.random.fork();
        let client = Client::new(random, number, node, link, levels, self.kind);
        self.clients.push(client);
    }

    /// One of the models, or the network, does a little.
    fn act(&mut self) -> Result<(), String> {
        match self.random.below(10) {
            0..=2 if !self.clients.is_empty() => {
                let at = self.random.below(self.clients.len());
                let client = &mut self.clients[at];
                if let Some(text) = client.act(&mut self.network.links[client.link]) {
                    self.note(|| text);
                }
            }
            3..=5 => self.let_stores_act()?,
            _ => self.deliver(),
        }
        Ok(())
    }

    pub fn let_stores_act(&mut self) -> Result<(), String> {
        let secs = self.now.wall_us / 1_000_000;
        for node in 0..self.stores.len() {
            if self.random.chance(300) {
                continue;
            }
            if let Some(text) = self.stores[node].act(&mut self.network.links, &self.plan, secs)? {
                self.note(|| text);
            }
        }
        Ok(())
    }

    /// Lets some of what is on its way arrive.
    pub fn deliver(&mut self) {
        for link in 0..self.network.links.len() {
            if self.random.chance(700) {
                self.network.carry(link, &mut self.random, self.resting);
            }
            let end = &mut self.network.links[link];
            if !end.closed && end.has_flight() && self.random.chance(700) {
                let n = match self.random.below(4) {
                    0 => self.random.between(1, 100),
                    _ => 1_000_000,
                };
                end.deliver(n);
            }
        }
    }

    /// When the first machine has something to do.
    pub fn deadline(&self) -> u64 {
        let machines = self.machines.iter().flatten();
        let deadlines = machines.map(|machine| machine.driver.node.next_deadline());
        deadlines.min().unwrap_or(self.now.mono_us + 1_000_000)
    }

    pub fn pass_time(&mut self, most: usize) {
        let passed = self.random.below(most) as u64;
        let late = self.deadline() + self.random.below(LATENESS as usize) as u64;
        self.set_time((self.now.mono_us + passed).min(late));
    }

    pub fn set_time(&mut self, mono_us: u64) {
        let passed = mono_us.saturating_sub(self.now.mono_us);
        self.now.wall_us += passed;
        self.now.mono_us += passed;
    }

    /// Machines have a turn; then everything is looked at.
    pub fn turns(&mut self, all: bool) -> Result<(), String> {
        for node in 0..self.machines.len() {
            let Some(machine) = &self.machines[node] else {
                continue;
            };
            let due = machine.driver.node.next_deadline() <= self.now.mono_us;
            if all || due || self.random.chance(600) {
                self.turn(node)
                    .map_err(|why| format!("node {node}: {why}"))?;
            }
        }
        self.look()
    }

    fn turn(&mut self, node: usize) -> Result<(), String> {
        let Some(mut machine) = self.machines[node].take() else {
            return Ok(());
        };
        let now = self.now;
        let resting = self.resting;
        let (stores, machines, plan) = (&self.stores, &self.machines, &self.plan);
        let shifts = &self.shifts;
        let mut stray = None;
        let (far, owner) = (&mut self.network.far, &mut self.network.node);
        let random = &mut self.random;
        let mut dial = |endpoint: Option<&Endpoint>, links: &mut Vec<Link>| {
            let room = match resting {
                true => 1 << 30,
                false => random.pick(&[200, 5000, 4_000_000]),
            };
            links.push(Link::new(room, random.fork()));
            owner.push(node);
            let there = endpoint.zip(endpoint.and_then(Plan::node_at));
            let is_there = there.is_some_and(|(endpoint, other)| plan.is_at(other, endpoint));
            far.push(match there {
                None => Far::Store,
                Some((_, other)) if is_there => Far::Dialled(other),
                Some(_) => Far::Nobody,
            });
            if let Some((endpoint, _)) = there
                && !shifts.may_dial(node, endpoint, now.mono_us)
            {
                stray = Some(format!("connects to {endpoint}, which has left"));
            }
            let there = there.map(|(_, other)| other);
            let answer = match there {
                None => stores[node].server.accepts(),
                Some(_) if !is_there => Some(false),
                Some(other) if machines[other].is_some() => Some(true),
                Some(_) if resting || random.chance(700) => Some(false),
                Some(_) => None,
            };
            (links.len() - 1, answer)
        };
        let turned = machine.turn(now, &mut self.network.links, &mut dial);
        let made = match resting || self.random.chance(400) {
            true => machine.finish_attempts(now, &mut self.network.links),
            false => Vec::new(),
        };
        for text in std::mem::take(&mut machine.trace) {
            self.note(|| format!("node {node} {text}"));
        }
        self.machines[node] = Some(machine);
        for link in made {
            self.join(node, link);
        }
        turned?;
        if let Some(why) = stray {
            return Err(why);
        }
        let Some(machine) = &self.machines[node] else {
            return Ok(());
        };
        let deadline = machine.driver.node.next_deadline();
        match deadline <= now.mono_us && !machine.driver.node.is_drained() {
            true => Err(format!("the next deadline, {deadline}, is past")),
            false => Ok(()),
        }
    }

    /// A connection that a node asked for is made: gives it its other end.
    fn join(&mut self, node: usize, near: usize) {
        match self.network.far[near] {
            Far::Store => self.stores[node].server.connected(near),
            Far::Dialled(other) => match &mut self.machines[other] {
                Some(machine) => {
                    let room = self.network.links[near].room;
                    let end = Link::new(room, self.random.fork());
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

    /// What must be true after every step.
    fn look(&mut self) -> Result<(), String> {
        let world = judge::World {
            kind: self.kind,
            now: self.now.mono_us,
            disturbed: self.disturbed,
            victim: self.victim,
            shifting: self.shifting,
            tight: self.options[0].max_msgs < 1000,
            plan: &self.plan,
            stores: &self.stores,
            timeout_us: self.options[0].timeout_us,
            lateness: LATENESS,
            failover: &self.failover,
        };
        for client in &mut self.clients {
            if !client.gone {
                let link = &mut self.network.links[client.link];
                client
                    .judge(link, &world, &mut self.versions)
                    .map_err(|why| format!("client {}: {why}", client.number))?;
            }
        }
        self.look_at_memory()
    }

    /// Memory is bounded by what is under way.
    fn look_at_memory(&mut self) -> Result<(), String> {
        let most = self.clients.iter().map(Client::unanswered).sum::<usize>() * 40;
        if !self.random.chance(60) || self.resting || self.clients.iter().any(|c| c.gone) {
            return Ok(());
        }
        for (node, machine) in self.machines.iter_mut().enumerate() {
            let Some(machine) = machine else { continue };
            let memory = machine.driver.node.operator().memory();
            let msgs = (memory.alloc_msgs - memory.free_msgs) as usize;
            // Probes of peers, and copies whose reply is not awaited.
            let bound = most + 4 * self.plan.nodes.len() + 200;
            if self.calm && msgs > bound {
                return Err(format!("node {node}: {msgs} messages, expected {bound}"));
            }
        }
        Ok(())
    }
}
