//! The end of a run: everybody behaves, everything comes to rest, and what is left is looked at.

use crate::clustersim::client::Client;
use crate::clustersim::judge;
use crate::clustersim::leftovers::leftovers;
use crate::clustersim::network::Far;
use crate::clustersim::summary::Summary;
use crate::clustersim::world::World;
use dynomite::config::StoreKind;
use dynomite::consistency::Consistency;
use std::collections::HashMap;

/// Steps in which everything must come to rest.
const REST_STEPS: usize = 5_000;

impl World {
    /// Everybody behaves, and everything comes to rest.
    pub fn rest(&mut self) -> Result<Summary, String> {
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
            if self.machines[node].is_none() && self.plan.is_member(node) {
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
                if self.machines[node].is_none() && self.plan.is_member(node) {
                    self.switch_on(node);
                }
            }
            self.settle_members()?;
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

    /// Returns true if nothing happens until time passes.
    pub fn is_quiet(&self) -> bool {
        let links = &self.network.links;
        self.clients.iter().all(|c| c.gone || c.is_quiet())
            && self.stores.iter().all(|store| store.server.is_idle(links))
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

    pub fn is_quiescent(&mut self) -> bool {
        let mut machines = self.machines.iter_mut().flatten();
        let no_messages = machines.all(|machine| {
            let memory = machine.driver.node.operator().memory();
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
            for (name, value) in leftovers(machine, self.now) {
                found.push((node, format!("at rest, {name} is {value}")));
            }
        }
        found
    }

    /// What must be true when nothing is under way.
    pub fn at_rest(&mut self) -> Result<Summary, String> {
        for client in &self.clients {
            let writes = client.sent.iter().filter(|asked| {
                // Its effect decides whether other replicas get it.
                asked.what.is_write() && !asked.is_in_two_steps()
            });
            let home = &self.plan.nodes[client.node];
            if self.is_patient() && self.victim != Some((home.dc, home.rack)) {
                for asked in writes.chain(&client.swapped) {
                    self.is_everywhere(asked, home.dc, client.link)?;
                }
                if !self.shifting {
                    self.is_in_order(client, home.dc)?;
                }
            }
        }
        if self.calm && !self.shifting && self.kind == StoreKind::Memcache {
            self.are_equal()?;
        }
        for node in 0..self.machines.len() {
            if let Some(mut machine) = self.machines[node].take() {
                self.remember(&mut machine);
            }
        }
        let mut sum = self.so_far;
        for client in &self.clients {
            sum.answered += client.answered as u64;
            sum.errors += client.errors as u64;
        }
        let swapped = self.clients.iter().map(|client| client.swapped.len()).sum();
        Ok(Summary::of(self.kind, sum, swapped))
    }

    /// Whether the stores of the client's datacenter ran its requests for each key in their order.
    pub fn is_in_order(&self, client: &Client, home: usize) -> Result<(), String> {
        let mut latest: HashMap<(usize, &str), (u64, &judge::Asked)> = HashMap::new();
        // The second step of what is done in two may come later.
        let one_step = |asked: &&judge::Asked| !asked.is_in_two_steps();
        // A read that is lost in the rack that breaks is sent again, to another, later.
        let may_be_again = |asked: &judge::Asked| {
            asked.what == judge::What::Gets && self.victim.is_some_and(|(dc, _)| dc == home)
        };
        for asked in client.sent.iter().filter(one_step) {
            if may_be_again(asked) {
                continue;
            }
            for name in &asked.names {
                for owner in self.plan.owners(home, name) {
                    let done = self.stores[owner].done(asked.tag, name);
                    let Some(order) = done.map(|done| done.order) else {
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

    /// Whether all replicas of a memcached's item are equal that one client alone has changed, and in
    /// an order it could know.
    fn are_equal(&self) -> Result<(), String> {
        let secs = self.now.wall_us / 1_000_000;
        for client in &self.clients {
            let own = format!("o{}x", client.number);
            let pipelines = client.depth > 1;
            let sent = client.sent.iter().filter(|asked| asked.what.is_write());
            let names = sent.clone().flat_map(|asked| &asked.names);
            for name in names.filter(|name| name.starts_with(&own)) {
                // The form that other replicas get when it is done may come behind later requests.
                let mut swaps = sent.clone().filter(|asked| asked.what == judge::What::Cas);
                if pipelines && swaps.any(|asked| asked.names.contains(name)) {
                    continue;
                }
                let dcs = 0..self.plan.racks.len();
                let owners = dcs.flat_map(|dc| self.plan.owners(dc, name));
                let kept: Vec<_> = owners
                    .map(|at| (at, self.stores[at].peek(name, secs)))
                    .collect();
                if kept.iter().any(|(_, value)| *value != kept[0].1) {
                    return Err(format!("replicas of {name} differ: {kept:?}"));
                }
            }
        }
        Ok(())
    }

    /// Whether a write has reached all its owners that nothing happened to, or, if its client broke
    /// off, all or none.
    pub fn is_everywhere(
        &self,
        asked: &judge::Asked,
        home: usize,
        link: usize,
    ) -> Result<(), String> {
        let each = asked.level == Consistency::DcEachSafeQuorum;
        for name in &asked.names {
            let racks = (0..self.plan.racks.len())
                // What goes to another datacenter may have gone by way of the rack that is broken.
                .filter(|&dc| each || dc == home || self.victim.is_none_or(|(at, _)| at != dc))
                .flat_map(|dc| (0..self.plan.racks[dc]).map(move |rack| (dc, rack)))
                .filter(|&place| self.victim != Some(place));
            let done: Vec<(usize, bool)> = racks
                .map(|(dc, rack)| {
                    let owners = self.plan.owners_in(dc, rack, name);
                    let done = |&at: &usize| self.stores[at].answered(asked.tag, name).is_some();
                    (owners[0], owners.iter().any(done))
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

    /// Returns true if every peer that a node is connected to has said what it is: until then the node sends
    /// it nothing.
    pub fn have_answered(&mut self) -> bool {
        let now = self.now;
        self.machines.iter_mut().flatten().all(|machine| {
            let known = machine
                .driver
                .node
                .operator()
                .stats(now)
                .pool
                .peer_connections;
            known == machine.peers() as u64
        })
    }

    /// Returns true if every node has all its connections to its peers.
    pub fn is_meshed(&self) -> bool {
        let plan = &self.plan;
        self.machines
            .iter()
            .enumerate()
            .all(|(me, machine)| match machine {
                Some(machine) => machine.peers() == self.wanted_peers(me),
                None => !plan.is_member(me),
            })
    }

    /// How many connections to peers a node has when it has them all.
    pub fn wanted_peers(&self, me: usize) -> usize {
        let plan = &self.plan;
        let others = (0..plan.nodes.len()).filter(|&n| n != me && plan.is_member(n));
        let wanted = others.map(|n| match plan.nodes[n].dc == plan.nodes[me].dc {
            true => self.options[me].local_peer_connections,
            false => self.options[me].remote_peer_connections,
        });
        wanted.sum()
    }
}
