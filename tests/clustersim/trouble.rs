//! What goes wrong in a world: nodes stop, crash and vanish, connections break and fall silent, datastores
//! stall and die.

use crate::clustersim::machine::{Machine, MachineCanary};
use crate::clustersim::network::Far;
use crate::clustersim::world::{Canary, World};
use dynomite::node::Node;

impl World {
    pub fn switch_on(&mut self, node: usize) {
        self.note(|| format!("node {node} begins"));
        let topology = match self.canary == Some(Canary::Misled) && node == 0 {
            true => self.plan.misled(node, &mut self.random),
            false => self.plan.topology(node, &mut self.random),
        };
        let mut new = Node::new(self.options[node].clone(), topology, self.now);
        new.start(self.now);
        let mut machine = Machine::new(new, self.random.fork(), self.tracing);
        machine.canary = match self.canary {
            Some(Canary::Miscounts) => Some(MachineCanary::Miscounts),
            _ => None,
        };
        self.machines[node] = Some(machine);
        self.tell(node);
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

    /// A node that was stopped and has ended is off.
    pub fn stop_if_drained(&mut self, node: usize) {
        let machine = self.machines[node].as_ref();
        if machine.is_some_and(|machine| machine.driver.node.is_drained()) {
            self.switch_off(node);
            self.back_at[node] = self.now.mono_us + self.random.below(1_000_000) as u64;
        }
    }

    /// Things go wrong.
    pub fn brood(&mut self) {
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
                // Silently, until it is back.
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
                    && !machine.driver.node.is_draining()
                {
                    self.disturbed = true;
                    machine.driver.node.drain(self.now);
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

    /// Returns true if something may go wrong with a node.
    pub fn is_victim(&self, node: usize) -> bool {
        let place = &self.plan.nodes[node];
        self.victim
            .is_none_or(|victim| victim == (place.dc, place.rack))
    }
}
