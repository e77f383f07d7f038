//! The world of one run: virtual time, one machine with a node, its clients and its datastore.
//!
//! A run is a number of steps. In each, some of the models do a little, time passes, the machine has a turn,
//! and everything that must always be true is looked at. Nothing in it depends on anything but the seed.

use crate::sim::client::{Client, View};
use crate::sim::link::Link;
use crate::sim::machine::{Machine, MachineCanary};
use crate::sim::random::Random;
use crate::sim::seeds::Total;
use crate::sim::store::{Store, StoreCanary};
use dynomite::clock::Now;
use dynomite::cluster::topology::Topology;
use dynomite::config::{Endpoint, StoreKind};
use dynomite::node::{Node, Options, limits};
use std::sync::Arc;

/// Steps in which anything may happen.
const STEPS: usize = 350;
/// Steps in which everything must come to rest.
const REST_STEPS: usize = 20_000;
/// How late the machine may be with a deadline, in µs.
const LATENESS: u64 = 10_000;
/// Lines of trace that are shown.
const SHOWN: usize = 2000;

/// What is broken on purpose.
#[derive(Clone, Copy, Debug, Default)]
pub struct Canary {
    pub store: Option<StoreCanary>,
    pub machine: Option<MachineCanary>,
    /// What the datastore then is; either, if nothing is broken.
    pub kind: Option<StoreKind>,
}

/// What a run did, to see that the runs together do enough.
#[derive(Clone, Copy, Debug, Default)]
struct Counts {
    executed: u64,
    timed_out: u64,
    lost_stores: u64,
    paused: u64,
    protocol_errors: u64,
    out_of_memory: u64,
    late: u64,
}

impl Counts {
    fn numbers(&mut self) -> [&mut u64; 7] {
        [
            &mut self.executed,
            &mut self.timed_out,
            &mut self.lost_stores,
            &mut self.paused,
            &mut self.protocol_errors,
            &mut self.out_of_memory,
            &mut self.late,
        ]
    }
}

/// The same in front of each datastore.
#[derive(Clone, Copy, Debug, Default)]
pub struct Summary {
    redis: Counts,
    memcache: Counts,
}

impl Total for Summary {
    fn add(&mut self, other: &Summary) {
        let mut other = *other;
        let sums = [&mut self.redis, &mut self.memcache];
        for (sum, one) in sums
            .into_iter()
            .zip([&mut other.redis, &mut other.memcache])
        {
            for (sum, one) in sum.numbers().into_iter().zip(one.numbers()) {
                *sum += *one;
            }
        }
    }

    fn did_everything(&self) -> bool {
        let mut all = *self;
        let mut numbers = all
            .redis
            .numbers()
            .into_iter()
            .chain(all.memcache.numbers());
        numbers.all(|number| *number > 0)
    }
}

pub struct World {
    seed: u64,
    now: Now,
    random: Random,
    links: Vec<Link>,
    machine: Machine,
    options: Options,
    clients: Vec<Client>,
    client_count: usize,
    store: Store,
    /// Memory is so tight that requests may be refused for it.
    tight: bool,
    /// The datastore never misbehaves and is never slow.
    calm: bool,
    draining: bool,
    /// Everybody behaves.
    resting: bool,
    trace: Vec<String>,
    tracing: bool,
}

impl World {
    pub fn new(seed: u64, canary: Canary, tracing: bool) -> World {
        let mut random = Random::new(seed);
        let random = &mut random;
        let calm = random.chance(250) || canary.store.is_some() || canary.machine.is_some();
        let kind = canary.kind.unwrap_or(match random.chance(333) {
            true => StoreKind::Memcache,
            false => StoreKind::Redis,
        });
        let mbuf_size = random.pick(&[512, 512, 2048, 16_384]);
        let max_msgs = random.pick(&[20, 300, 200_000, 200_000]);
        let options = Options {
            listen: "127.0.0.1:8102".into(),
            store: kind,
            timeout_us: match calm {
                true => 100_000_000,
                false => random.pick(&[50_000, 400_000, 5_000_000]),
            },
            retry_ceiling_us: random.pick(&[1_000_000, 30_000_000]),
            datastore_connections: random.pick(&[1, 1, 1, 2, 3]),
            preconnect: random.chance(500),
            client_connections: random.pick(&[0, 0, 3]),
            max_msgs,
            mbuf_size,
            ..Options::default()
        };
        let now = Now {
            mono_us: 1 + random.below(1_000_000) as u64,
            wall_us: 1_700_000_000_000_000,
        };
        let mut store = Store::new(random.fork(), calm, kind);
        if let Some(canary) = canary.store {
            store.break_on_purpose(canary);
        }
        let mut machine = Machine::new(
            Node::new(options.clone(), Arc::new(Topology::alone()), now),
            random.fork(),
            tracing,
        );
        machine.canary = canary.machine;
        World {
            seed,
            now,
            links: Vec::new(),
            machine,
            tight: max_msgs * mbuf_size < 8 << 20,
            options,
            clients: Vec::new(),
            client_count: random.between(1, 12),
            store,
            calm,
            draining: false,
            resting: false,
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
                "{}\nseed {}, at {} µs: {why}\n{:?}\nrun again: SIM_SEED={} make sim",
                self.trace[from..].join("\n"),
                self.seed,
                self.now.mono_us,
                self.options,
                self.seed
            )
        })
    }

    fn live(&mut self) -> Result<Summary, String> {
        self.machine.driver.node.start(self.now);
        for _ in 0..STEPS {
            self.step()?;
        }
        if self.random.chance(300) {
            self.note(|| "drain".into());
            self.draining = true;
            self.machine.driver.node.drain(self.now);
            return self.drain();
        }
        self.rest()
    }

    fn note(&mut self, text: impl FnOnce() -> String) {
        if self.tracing {
            let line = format!("{:>12} {}", self.now.mono_us, text());
            self.trace.push(line);
        }
    }

    fn step(&mut self) -> Result<(), String> {
        if self.clients.len() < self.client_count && self.random.chance(100) {
            self.new_client();
        }
        for _ in 0..self.random.between(0, 4) {
            self.act()?;
        }
        self.pass_time();
        self.turn()
    }

    fn new_client(&mut self) {
        let room = self.random.pick(&[1, 30, 1000, 200_000, 4_000_000]);
        self.links.push(Link::new(room, self.random.fork()));
        let link = self.links.len() - 1;
        self.machine.backlog.push(link);
        let number = self.clients.len() as u32;
        let client = Client::new(self.random.fork(), number, link, self.options.store);
        self.clients.push(client);
    }

    /// One of the models, or the network, does a little.
    fn act(&mut self) -> Result<(), String> {
        let text = match self.random.below(10) {
            0..=3 if !self.clients.is_empty() => {
                let at = self.random.below(self.clients.len());
                let client = &mut self.clients[at];
                client.act(&mut self.links[client.link])
            }
            4..=6 => self
                .store
                .act(&mut self.links, self.now.wall_us / 1_000_000)?,
            _ => {
                self.deliver();
                None
            }
        };
        if let Some(text) = text {
            self.note(|| text);
        }
        if let Some(text) =
            self.store
                .brood(self.now.mono_us, self.options.timeout_us, &mut self.links)
        {
            self.note(|| text);
        }
        Ok(())
    }

    /// Lets some of what is on its way arrive.
    fn deliver(&mut self) {
        for link in &mut self.links {
            if !link.closed && link.has_flight() && self.random.chance(700) {
                let n = match self.random.below(3) {
                    0 => 1,
                    1 => self.random.between(1, 1000),
                    _ => 1_000_000,
                };
                link.deliver(n);
            }
        }
    }

    fn pass_time(&mut self) {
        let most = match self.random.below(100) {
            0..=79 => 300,
            80..=95 => 20_000,
            _ if self.calm => 20_000,
            96..=98 => 500_000,
            _ => 5_000_000,
        };
        let passed = self.random.below(most) as u64;
        let deadline = self.machine.driver.node.next_deadline();
        let late = deadline + self.random.below(LATENESS as usize) as u64;
        let mono_us = (self.now.mono_us + passed).min(late.max(self.now.mono_us));
        self.now.wall_us += mono_us - self.now.mono_us;
        self.now.mono_us = mono_us;
    }

    /// The machine has a turn; then everything is looked at.
    fn turn(&mut self) -> Result<(), String> {
        let (now, store, random) = (self.now, &self.store, &mut self.random);
        let resting = self.resting;
        let mut dial = |_: Option<&Endpoint>, links: &mut Vec<Link>| {
            let room = match resting {
                true => 1 << 30,
                false => random.pick(&[50, 2000, 4_000_000]),
            };
            links.push(Link::new(room, random.fork()));
            (links.len() - 1, store.accepts())
        };
        let turned = self.machine.turn(now, &mut self.links, &mut dial);
        if self.random.chance(300) {
            for link in self.machine.finish_attempts(now, &mut self.links) {
                self.store.connected(link);
            }
        }
        for text in std::mem::take(&mut self.machine.trace) {
            self.note(|| text);
        }
        turned?;
        self.look()
    }

    /// What must be true after every step.
    fn look(&mut self) -> Result<(), String> {
        let view = View {
            now: self.now.mono_us,
            calm: self.calm,
            draining: self.draining,
            tight: self.tight,
            ledger: &self.store.mind.ledger,
        };
        let patience = self.options.timeout_us + LATENESS;
        for client in &mut self.clients {
            if client.gone {
                continue;
            }
            let link = &mut self.links[client.link];
            let number = client.number;
            let of = |why: String| format!("client {number}: {why}");
            let of = &of;
            if link.refused {
                client.refused();
                continue;
            }
            client.judge(link, &view).map_err(of)?;
            if link.closed {
                client.closed(link, &view).map_err(of)?;
            } else if !link.blocked
                && !link.edges.any()
                && !link.is_reset()
                && let Some(why) = client.overdue(view.now, patience)
            {
                return Err(of(why));
            }
        }
        let deadline = self.machine.driver.node.next_deadline();
        if deadline <= self.now.mono_us
            && self.machine.canary.is_none()
            && !self.machine.driver.node.is_drained()
        {
            return Err(format!("the next deadline, {deadline}, is past"));
        }
        self.look_at_memory()
    }

    /// Memory is bounded: by the limit, what one read brings, and what the datastore answered already.
    fn look_at_memory(&mut self) -> Result<(), String> {
        if !self.random.chance(60) {
            return Ok(());
        }
        let memory = self.machine.driver.node.operator().memory();
        let in_use = (memory.alloc_mbufs - memory.free_mbufs) as usize;
        let msgs = (memory.alloc_msgs - memory.free_msgs) as usize;
        let answered: usize = self
            .clients
            .iter()
            .filter(|client| !client.gone)
            .map(|client| client.answered_blocks(&self.store.mind.ledger, self.options.mbuf_size))
            .sum();
        let connections = self.machine.clients() + self.options.datastore_connections;
        // A reply on its way in, whether its client is still there or not: two long bulks at most.
        let arriving = self.options.datastore_connections
            * (2 * self.store.mind.longest / self.options.mbuf_size + 4);
        let bound =
            self.options.max_msgs.max(16) + 32 + 3 * connections + msgs + answered + arriving;
        if in_use > bound {
            return Err(format!("{in_use} blocks in use, at most {bound} expected"));
        }
        Ok(())
    }

    /// From now on everybody behaves.
    fn calm_down(&mut self) {
        self.resting = true;
        self.store.calm_down();
        for client in &mut self.clients {
            client.calm_down();
        }
        for link in &mut self.links {
            link.room = 1 << 30;
            link.take(0);
        }
    }

    /// The node shuts down: everything it has read is answered, and then it is done, in time.
    fn drain(&mut self) -> Result<Summary, String> {
        self.machine.backlog.clear();
        let latest = self.now.mono_us + limits::DRAIN_US + LATENESS;
        loop {
            for _ in 0..self.random.between(0, 4) {
                self.act()?;
            }
            self.pass_time();
            self.turn()?;
            if self.machine.driver.node.is_drained() {
                break;
            }
            if self.now.mono_us > latest {
                return Err(format!("still draining: {}", self.waiting()));
            }
        }
        match self.machine.clients() {
            0 => Ok(self.summary()),
            n => Err(format!("drained, and {n} connections are open")),
        }
    }

    fn waiting(&self) -> String {
        let lines: Vec<_> = self
            .clients
            .iter()
            .filter(|client| !client.gone)
            .map(Client::describe)
            .collect();
        lines.join("\n")
    }

    /// Everybody behaves: everything is answered, every client ends, nothing is left.
    fn rest(&mut self) -> Result<Summary, String> {
        self.note(|| "everybody behaves".into());
        self.calm_down();
        let latest = self.now.mono_us + 200_000_000;
        for _ in 0..REST_STEPS {
            if self.clients.iter().all(|client| client.gone) && self.machine.clients() == 0 {
                break;
            }
            for _ in 0..6 {
                self.act()?;
            }
            self.pass_time();
            let quiet = !self.machine.is_busy()
                && self.store.is_idle(&self.links)
                && self.clients.iter().all(|client| {
                    let link = &self.links[client.link];
                    client.gone
                        || client.is_quiet()
                            && !link.has_flight()
                            && !link.edges.any()
                            && link.waiting == 0
                });
            if quiet {
                let deadline = self.machine.driver.node.next_deadline();
                self.now.wall_us += deadline.saturating_sub(self.now.mono_us);
                self.now.mono_us = self.now.mono_us.max(deadline);
            }
            self.turn()?;
            if self.now.mono_us > latest {
                break;
            }
        }
        if self.clients.iter().any(|client| !client.gone) || self.machine.clients() > 0 {
            return Err(format!(
                "does not come to rest, {} connections of clients open:\n{}",
                self.machine.clients(),
                self.waiting()
            ));
        }
        for _ in 0..200 {
            for _ in 0..4 {
                self.act()?;
            }
            self.now.mono_us += 500_000;
            self.now.wall_us += 500_000;
            self.turn()?;
        }
        self.at_rest()
    }

    /// What must be true when nothing is under way.
    fn at_rest(&mut self) -> Result<Summary, String> {
        let stats = self.machine.driver.node.operator().stats(self.now);
        let memory = self.machine.driver.node.operator().memory();
        let gauges = [
            ("client_connections", stats.pool.client_connections),
            ("in_queue", stats.server.in_queue),
            ("in_queue_bytes", stats.server.in_queue_bytes),
            ("out_queue", stats.server.out_queue),
            ("out_queue_bytes", stats.server.out_queue_bytes),
            ("messages", memory.alloc_msgs - memory.free_msgs),
        ];
        if let Some((name, value)) = gauges.iter().find(|(_, value)| *value > 0) {
            return Err(format!("at rest, {name} is {value}"));
        }
        // The one that all connections read into, and the one for texts made by the node.
        let in_use = memory.alloc_mbufs - memory.free_mbufs;
        if in_use > 2 {
            return Err(format!("at rest, {in_use} blocks are in use"));
        }
        if memory.free_mbufs > 64 {
            return Err(format!("at rest, {} blocks are kept", memory.free_mbufs));
        }
        for client in &self.clients {
            client.check_unheard(&self.store.mind.ledger, self.calm && !self.tight)?;
            if let Some((first, second)) = client.disorder(&self.store.mind.ledger) {
                return Err(format!("{second:?} was executed before {first:?}"));
            }
        }
        Ok(self.summary())
    }

    fn summary(&mut self) -> Summary {
        let stats = self.machine.driver.node.operator().stats(self.now);
        let counts = Counts {
            executed: self.store.mind.ledger.done.len() as u64,
            timed_out: stats.own.requests_timedout,
            lost_stores: stats.pool.server_ejects,
            paused: stats.own.reads_paused,
            protocol_errors: stats.own.protocol_errors,
            out_of_memory: stats.own.memory_limit_hits,
            late: stats.own.late_replies_dropped,
        };
        let mut summary = Summary::default();
        match self.options.store {
            StoreKind::Redis => summary.redis = counts,
            StoreKind::Memcache => summary.memcache = counts,
        }
        summary
    }
}
