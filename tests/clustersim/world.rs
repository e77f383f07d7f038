//! The world of one run: virtual time, machines with a node each, their datastores, their clients and the
//! network.
//!
//! A run is a number of steps. In each, some of the models do a little, time passes, machines have a turn,
//! and everything that must always be true is looked at. Nothing in it depends on anything but the seed.

use crate::client::Client;
use crate::judge;
use crate::link::Link;
use crate::machine::Machine;
use crate::network::{Far, Network};
use crate::plan::Plan;
use crate::random::Random;
use crate::store::{Store, StoreCanary};
use dynomite::clock::Now;
use dynomite::config::{Endpoint, SecureOption};
use dynomite::consistency::Consistency;
use dynomite::node::{Node, Options};
use dynomite::proto::dnode::KeyPair;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::OnceLock;

/// Steps in which anything may happen.
const STEPS: usize = 100;
/// Steps in which everything must come to rest.
const REST_STEPS: usize = 5_000;
/// How late a machine may be with a deadline, in µs.
const LATENESS: u64 = 10_000;
/// Lines of trace that are shown.
const SHOWN: usize = 1500;

/// What is broken on purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    Store(StoreCanary),
    /// The network drops a message and tells nobody.
    LosesMessages,
    /// One node has been told wrong tokens.
    Misled,
}

impl Canary {
    pub const ALL: [Canary; 6] = [
        Canary::Store(StoreCanary::SwapsReplies),
        Canary::Store(StoreCanary::ExecutesTwice),
        Canary::Store(StoreCanary::SkipsReply),
        Canary::Store(StoreCanary::Lies),
        Canary::LosesMessages,
        Canary::Misled,
    ];
}

/// What a run did, to see that the runs together do enough.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    pub answered: usize,
    pub errors: usize,
    pub timed_out: u64,
    pub lost_stores: u64,
    pub lost_peers: u64,
    pub failovers: u64,
    pub disagreements: u64,
    pub paused: u64,
    pub crashes: usize,
    pub sealed: usize,
    pub late: u64,
    pub calm: usize,
    pub partial: usize,
}

impl Summary {
    fn numbers(&mut self) -> [(&'static str, u64); 13] {
        [
            ("answered", self.answered as u64),
            ("errors", self.errors as u64),
            ("timed_out", self.timed_out),
            ("lost_stores", self.lost_stores),
            ("lost_peers", self.lost_peers),
            ("failovers", self.failovers),
            ("disagreements", self.disagreements),
            ("paused", self.paused),
            ("crashes", self.crashes as u64),
            ("sealed", self.sealed as u64),
            ("late", self.late),
            ("calm", self.calm as u64),
            ("partial", self.partial as u64),
        ]
    }

    pub fn add(&mut self, other: &Summary) {
        self.answered += other.answered;
        self.errors += other.errors;
        self.timed_out += other.timed_out;
        self.lost_stores += other.lost_stores;
        self.lost_peers += other.lost_peers;
        self.failovers += other.failovers;
        self.disagreements += other.disagreements;
        self.paused += other.paused;
        self.crashes += other.crashes;
        self.sealed += other.sealed;
        self.late += other.late;
        self.calm += other.calm;
        self.partial += other.partial;
    }

    /// Whether everything that a run can do has been done somewhere.
    pub fn did_everything(mut self) -> bool {
        self.numbers().iter().all(|(_, count)| *count > 0)
    }
}

pub struct World {
    seed: u64,
    pub now: Now,
    random: Random,
    pub plan: Plan,
    pub network: Network,
    /// `None` while it is switched off.
    pub machines: Vec<Option<Machine>>,
    /// When a machine that is off comes back.
    back_at: Vec<u64>,
    options: Vec<Options>,
    failover: Vec<bool>,
    pub stores: Vec<Store>,
    clients: Vec<Client>,
    client_count: usize,
    /// Nothing ever breaks.
    calm: bool,
    disturbed: bool,
    /// The only rack in which anything goes wrong, if it is not all of them.
    victim: Option<(usize, usize)>,
    pub resting: bool,
    canary: Option<Canary>,
    so_far: Summary,
    trace: Vec<String>,
    tracing: bool,
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
    pub fn new(seed: u64, canary: Option<Canary>, tracing: bool) -> World {
        let mut random = Random::new(seed);
        let random = &mut random;
        let plan = Plan::new(random);
        let calm = random.chance(300) || canary.is_some();
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
        for (store, place) in world.stores.iter_mut().zip(&world.plan.nodes) {
            store.calm |= victim.is_some_and(|victim| victim != (place.dc, place.rack));
        }
        world.so_far.partial = victim.is_some().into();
        world.canary = canary;
        world.network.loses = canary == Some(Canary::LosesMessages);
        world.so_far.sealed = (secure != SecureOption::None).into();
        if let Some(Canary::Store(canary)) = canary {
            world
                .stores
                .iter_mut()
                .for_each(|s| s.canary = Some(canary));
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
        World {
            seed: 0,
            now,
            network: Network::default(),
            machines: plan.nodes.iter().map(|_| None).collect(),
            back_at: vec![0; plan.nodes.len()],
            failover: options
                .iter()
                .map(|options| options.read_failover)
                .collect(),
            stores: (0..plan.nodes.len())
                .map(|node| Store::new(node, random.fork(), calm))
                .collect(),
            options,
            plan,
            clients: Vec::new(),
            client_count: random.between(1, 8),
            calm,
            disturbed: false,
            victim: None,
            resting: false,
            canary: None,
            so_far: Summary {
                calm: calm.into(),
                ..Summary::default()
            },
            trace: Vec::new(),
            tracing,
            random: random.fork(),
        }
    }

    /// Runs to the end. The error tells what was not right, and how to see it again.
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
            if self.is_patient() || self.random.chance(900) {
                self.switch_on(node);
            } else {
                self.disturbed = true;
                self.back_at[node] = self.now.mono_us + self.random.below(10_000_000) as u64;
            }
        }
        if self.is_patient() {
            // Whoever asks before the nodes know each other is told so.
            self.wait_for_mesh()?;
        }
        self.disturbed |= !self.calm;
        for _ in 0..STEPS {
            self.step()?;
        }
        self.rest()
    }

    /// Whether time is given to everything, so that nothing fails but what is broken.
    fn is_patient(&self) -> bool {
        self.calm || self.victim.is_some()
    }

    /// Whether something may go wrong with a node.
    fn is_victim(&self, node: usize) -> bool {
        let place = &self.plan.nodes[node];
        self.victim
            .is_none_or(|victim| victim == (place.dc, place.rack))
    }

    fn note(&mut self, text: impl FnOnce() -> String) {
        if self.tracing {
            let line = format!("{:>12} {}", self.now.mono_us, text());
            self.trace.push(line);
        }
    }

    pub fn switch_on(&mut self, node: usize) {
        self.note(|| format!("node {node} begins"));
        let topology = match self.canary == Some(Canary::Misled) && node == 0 {
            true => self.plan.misled(node, &mut self.random),
            false => self.plan.topology(node, &mut self.random),
        };
        let mut new = Node::new(self.options[node].clone(), topology, self.now);
        new.start(self.now);
        self.machines[node] = Some(Machine::new(new, self.random.fork(), self.tracing));
    }

    pub fn switch_off(&mut self, node: usize) {
        self.disturbed = true;
        if let Some(mut machine) = self.machines[node].take() {
            self.note(|| format!("node {node} crashes"));
            self.remember(&mut machine);
            machine.fail(&mut self.network.links);
            self.so_far.crashes += 1;
        }
    }

    /// Takes over what a node has counted.
    fn remember(&mut self, machine: &mut Machine) {
        let stats = machine.node.stats(self.now);
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

    fn wait_for_mesh(&mut self) -> Result<(), String> {
        for _ in 0..300 {
            if self.is_meshed() {
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

    /// Whether every node has all its connections to its peers.
    fn is_meshed(&self) -> bool {
        let plan = &self.plan;
        self.machines.iter().enumerate().all(|(me, machine)| {
            let Some(machine) = machine else {
                return false;
            };
            let others = plan.nodes.iter().enumerate().filter(|(n, _)| *n != me);
            let wanted: usize = others
                .map(|(_, place)| match place.dc == plan.nodes[me].dc {
                    true => self.options[me].local_peer_connections,
                    false => self.options[me].remote_peer_connections,
                })
                .sum();
            machine.peers() == wanted
        })
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
        let Some(machine) = &mut self.machines[node] else {
            return;
        };
        let link = Link::new(room, self.random.fork());
        let link = self.network.add(link, Far::Client, node);
        machine.backlog.push(link);
        let number = self.clients.len() as u32;
        let options = &self.options[node];
        let levels = [options.read_consistency, options.write_consistency];
        self.clients
            .push(Client::new(self.random.fork(), number, node, link, levels));
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
        for node in 0..self.stores.len() {
            if self.random.chance(300) {
                continue;
            }
            if let Some(text) = self.stores[node].act(&mut self.network.links, &self.plan)? {
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

    /// Things go wrong.
    fn brood(&mut self) {
        let now = self.now.mono_us;
        for node in 0..self.stores.len() {
            if let Some(text) = self.stores[node].recover(now) {
                self.note(|| text);
            }
            if self.machines[node].is_none() && self.back_at[node] <= now {
                self.switch_on(node);
            }
            self.stop_if_drained(node);
        }
        self.network.wake(now);
        let node = self.random.below(self.machines.len());
        let timeout = self.options[0].timeout_us.min(5_000_000) as usize;
        match self.random.below(500) {
            0..=15 if !self.is_victim(node) => {}
            0..=9 => {
                let length = self.random.below(4 * timeout) as u64;
                let links = &mut self.network.links;
                let text = self.stores[node].fall_ill(now, length, links);
                self.disturbed = true;
                self.note(|| text);
            }
            10..=12 if self.machines[node].is_some() => {
                self.switch_off(node);
                self.back_at[node] = now + self.random.below(5_000_000) as u64;
            }
            13 if self.machines[node].is_some() => {
                // Nobody is told, until it is back.
                self.switch_off(node);
                self.back_at[node] = now + self.random.below(20_000_000) as u64;
                for link in 0..self.network.links.len() {
                    let near = self.network.node[link] == node;
                    if near && matches!(self.network.far[link], Far::Node(_)) {
                        self.network.silent.push((link, self.back_at[node]));
                    }
                }
            }
            14..=15 => {
                if let Some(machine) = &mut self.machines[node]
                    && !machine.node.is_draining()
                {
                    self.disturbed = true;
                    machine.node.drain(self.now);
                    self.note(|| format!("node {node} is told to stop"));
                }
            }
            16..=35 if !self.network.links.is_empty() => {
                let link = self.random.below(self.network.links.len());
                let Far::Node(other) = self.network.far[link] else {
                    return;
                };
                let ends = [link, other].map(|end| self.network.node[end]);
                if ends.into_iter().any(|node| self.is_victim(node)) {
                    self.disturbed = true;
                    if self.random.chance(500) {
                        self.note(|| format!("link {link} breaks"));
                        self.network.cut(link);
                    } else {
                        let length = self.random.below(10_000_000) as u64;
                        self.note(|| format!("link {link} is silent for {length} µs"));
                        self.network.silent.push((link, now + length));
                    }
                }
            }
            _ => {}
        }
    }

    /// A node that was told to stop, and has, is off.
    fn stop_if_drained(&mut self, node: usize) {
        let machine = self.machines[node].as_ref();
        if machine.is_some_and(|machine| machine.node.is_drained()) {
            self.switch_off(node);
            self.back_at[node] = self.now.mono_us + self.random.below(1_000_000) as u64;
        }
    }

    /// When the first machine has something to do.
    pub fn deadline(&self) -> u64 {
        let machines = self.machines.iter().flatten();
        let deadlines = machines.map(|machine| machine.node.next_deadline());
        deadlines.min().unwrap_or(self.now.mono_us + 1_000_000)
    }

    fn pass_time(&mut self, most: usize) {
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
            let due = machine.node.next_deadline() <= self.now.mono_us;
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
        let (stores, machines) = (&self.stores, &self.machines);
        let (far, owner) = (&mut self.network.far, &mut self.network.node);
        let random = &mut self.random;
        let mut dial = |endpoint: Option<&Endpoint>, links: &mut Vec<Link>| {
            let room = match resting {
                true => 1 << 30,
                false => random.pick(&[200, 5000, 4_000_000]),
            };
            links.push(Link::new(room, random.fork()));
            owner.push(node);
            let there = endpoint.and_then(Plan::node_at);
            far.push(there.map_or(Far::Store, Far::Dialled));
            let answer = match there {
                None => stores[node].accepts(),
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
        let Some(machine) = &self.machines[node] else {
            return Ok(());
        };
        let deadline = machine.node.next_deadline();
        match deadline <= now.mono_us && !machine.node.is_drained() {
            true => Err(format!("the next deadline, {deadline}, is past")),
            false => Ok(()),
        }
    }

    /// A connection that a node asked for is made: gives it its other end.
    fn join(&mut self, node: usize, near: usize) {
        match self.network.far[near] {
            Far::Store => self.stores[node].connected(near),
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
            Far::Client | Far::Node(_) => {}
        }
    }

    /// What must be true after every step.
    fn look(&mut self) -> Result<(), String> {
        let world = judge::World {
            now: self.now.mono_us,
            disturbed: self.disturbed,
            victim: self.victim,
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
                    .judge(link, &world)
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
        for (node, machine) in self.machines.iter().enumerate() {
            let Some(machine) = machine else { continue };
            let memory = machine.node.memory();
            let msgs = (memory.alloc_msgs - memory.free_msgs) as usize;
            // Probes of peers, and copies whose reply nobody waits for.
            let bound = most + 4 * self.plan.nodes.len() + 200;
            if self.calm && msgs > bound {
                return Err(format!("node {node}: {msgs} messages, expected {bound}"));
            }
        }
        Ok(())
    }

    /// Everybody behaves, and everything comes to rest.
    fn rest(&mut self) -> Result<Summary, String> {
        self.note(|| "rest".into());
        self.resting = true;
        self.network.silent.clear();
        for store in &mut self.stores {
            store.calm_down();
        }
        for client in &mut self.clients {
            client.calm_down();
        }
        for link in &mut self.network.links {
            link.room = 1 << 30;
            link.take(0);
        }
        for node in 0..self.machines.len() {
            if self.machines[node].is_none() {
                self.switch_on(node);
            }
        }
        let latest = self.now.mono_us + 60_000_000 + 3 * self.options[0].timeout_us;
        for step in 0.. {
            for at in 0..self.clients.len() {
                let client = &mut self.clients[at];
                client.act(&mut self.network.links[client.link]);
            }
            self.let_stores_act()?;
            self.deliver();
            for node in 0..self.machines.len() {
                self.stop_if_drained(node);
                if self.machines[node].is_none() {
                    self.switch_on(node);
                }
            }
            let quiet = self.is_quiet();
            match quiet {
                true => self.set_time(self.deadline()),
                false => self.pass_time(300),
            }
            self.turns(true)?;
            if quiet && self.clients.iter().all(|c| c.gone) && self.is_quiescent() {
                return self.at_rest();
            }
            if step > REST_STEPS || self.now.mono_us > latest {
                break;
            }
        }
        let mut text = String::from("does not come to rest");
        for client in self.clients.iter().filter(|client| !client.gone) {
            text += &format!("\n{}", client.describe());
        }
        for (node, why) in self.unrest() {
            text += &format!("\nnode {node}: {why}");
        }
        if !self.is_meshed() {
            text += "\nnot every node is connected to every other";
        }
        Err(text)
    }

    /// Whether nothing happens until time passes.
    pub fn is_quiet(&self) -> bool {
        let links = &self.network.links;
        self.clients.iter().all(|c| c.gone || c.is_quiet())
            && self.stores.iter().all(|store| store.is_idle(links))
            && (0..links.len()).all(|at| {
                let link = &links[at];
                let is_node = matches!(self.network.far[at], Far::Node(_));
                let carried = !is_node || link.written.len() == 0 || self.network.is_silent(at);
                link.closed || !link.has_flight() && !link.edges.any() && carried
            })
            && self
                .machines
                .iter()
                .flatten()
                .all(|machine| !machine.is_busy())
    }

    fn is_quiescent(&mut self) -> bool {
        let mut machines = self.machines.iter().flatten();
        let no_messages = machines.all(|machine| {
            let memory = machine.node.memory();
            memory.alloc_msgs == memory.free_msgs
        });
        // The statistics are dear.
        no_messages && self.is_meshed() && self.unrest().is_empty()
    }

    /// What is not zero though nothing is under way.
    pub fn unrest(&mut self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for (node, machine) in self.machines.iter_mut().enumerate() {
            let Some(machine) = machine else { continue };
            let stats = machine.node.stats(self.now);
            let memory = machine.node.memory();
            let pool = &stats.pool;
            let gauges = [
                ("client_connections", pool.client_connections),
                (
                    "peer_connections",
                    pool.peer_connections.abs_diff(machine.peers() as u64),
                ),
                ("in_queue", stats.server.in_queue),
                ("in_queue_bytes", stats.server.in_queue_bytes),
                ("out_queue", stats.server.out_queue),
                ("out_queue_bytes", stats.server.out_queue_bytes),
                ("peer_in_queue", pool.peer_in_queue),
                ("peer_in_queue_bytes", pool.peer_in_queue_bytes),
                ("peer_out_queue", pool.peer_out_queue),
                ("peer_out_queue_bytes", pool.peer_out_queue_bytes),
                ("remote_peer_in_queue", pool.remote_peer_in_queue),
                (
                    "remote_peer_in_queue_bytes",
                    pool.remote_peer_in_queue_bytes,
                ),
                ("remote_peer_out_queue", pool.remote_peer_out_queue),
                (
                    "remote_peer_out_queue_bytes",
                    pool.remote_peer_out_queue_bytes,
                ),
                ("dnode_client_out_queue", pool.dnode_client_out_queue),
                ("messages", memory.alloc_msgs - memory.free_msgs),
                // The one that all connections read into, and the one for texts made by the node.
                (
                    "blocks",
                    (memory.alloc_mbufs - memory.free_mbufs).saturating_sub(2),
                ),
            ];
            for (name, value) in gauges {
                if value > 0 {
                    found.push((node, format!("at rest, {name} is {value}")));
                }
            }
        }
        found
    }

    /// What must be true when nothing is under way.
    fn at_rest(&mut self) -> Result<Summary, String> {
        for client in &self.clients {
            let writes = client.sent.iter().filter(|asked| {
                // Whether others are told of that depends on what it did.
                asked.what.is_write() && asked.what != judge::What::Spop
            });
            let home = &self.plan.nodes[client.node];
            if self.is_patient() && self.victim != Some((home.dc, home.rack)) {
                for asked in writes {
                    self.is_everywhere(asked, home.dc, client.link)?;
                }
                self.is_in_order(client, home.dc)?;
            }
        }
        for node in 0..self.machines.len() {
            if let Some(mut machine) = self.machines[node].take() {
                self.remember(&mut machine);
            }
        }
        let mut sum = self.so_far;
        for client in &self.clients {
            sum.answered += client.answered;
            sum.errors += client.errors;
        }
        Ok(sum)
    }

    /// Whether the stores of the client's datacenter ran its requests for each key in their order.
    fn is_in_order(&self, client: &Client, home: usize) -> Result<(), String> {
        let mut latest: HashMap<(usize, &str), (u64, &judge::Asked)> = HashMap::new();
        // The second step of what is done in two may come later.
        let one_step = |asked: &&judge::Asked| asked.what != judge::What::Spop;
        for asked in client.sent.iter().filter(one_step) {
            for name in &asked.names {
                for owner in self.plan.owners(home, name) {
                    let Some(order) = self.stores[owner].order(asked.tag, name) else {
                        continue;
                    };
                    if self.victim.is_some() && self.is_victim(owner) {
                        continue;
                    }
                    match latest.insert((owner, name), (order, asked)) {
                        Some((before, first)) if before > order => {
                            return Err(format!("store {owner} ran {asked:?} before {first:?}"));
                        }
                        _ => {}
                    }
                }
            }
        }
        Ok(())
    }

    /// Whether a write has reached all its owners that nothing happened to, or, if its client broke
    /// off, all or none.
    fn is_everywhere(&self, asked: &judge::Asked, home: usize, link: usize) -> Result<(), String> {
        let each = asked.level == Consistency::DcEachSafeQuorum;
        for name in &asked.names {
            let racks = (0..self.plan.racks.len())
                // What goes to another datacenter may have gone by way of the rack that is broken.
                .filter(|&dc| each || dc == home || self.victim.is_none_or(|(at, _)| at != dc))
                .flat_map(|dc| (0..self.plan.racks[dc]).map(move |rack| (dc, rack)))
                .filter(|&place| self.victim != Some(place));
            let done: Vec<(usize, bool)> = racks
                .map(|(dc, rack)| self.plan.owner(dc, rack, name))
                .map(|owner| {
                    (
                        owner,
                        self.stores[owner].answered(asked.tag, name).is_some(),
                    )
                })
                .collect();
            let all = done.iter().all(|(_, done)| *done);
            let none = !done.iter().any(|(_, done)| *done);
            if !(all || none && self.network.links[link].is_reset()) {
                return Err(format!("{asked:?} is not everywhere: {name}: {done:?}"));
            }
        }
        Ok(())
    }
}
