//! Members that come, go and move while clients are served.

use crate::clustersim::world::{Canary, LATENESS, World};
use dynomite::config::Endpoint;
use std::collections::BTreeMap;

/// How long a node may use its old list after it got a new one, in µs.
const PREPARATION: u64 = 2_000_000;
/// How long a leaving node stays after all others have the new list, in µs.
const FAREWELL: u64 = 5_000_000;

/// What nodes know of changes.
#[derive(Default)]
pub struct Shifts {
    /// Changes there have been.
    count: usize,
    /// The nodes that do not have the latest list yet.
    untold: Vec<usize>,
    /// When the last one got it.
    all_told: u64,
    /// By node: when it got its list, and the list.
    lists: BTreeMap<usize, (u64, Vec<Endpoint>)>,
}

impl Shifts {
    /// Returns true if a node may try to connect to an endpoint.
    pub fn may_dial(&self, node: usize, endpoint: &Endpoint, now: u64) -> bool {
        self.lists
            .get(&node)
            .is_none_or(|(at, list)| list.contains(endpoint) || now <= at + PREPARATION + LATENESS)
    }
}

impl World {
    /// Takes note that a node knows the members as they are now.
    pub fn tell(&mut self, node: usize) {
        let others = self.plan.others(node, &mut self.random);
        let list = others.into_iter().map(|member| member.endpoint).collect();
        let is_new = !self.shifts.lists.contains_key(&node);
        let at = if is_new { 0 } else { self.now.mono_us };
        self.shifts.lists.insert(node, (at, list));
        self.shifts.untold.retain(|other| *other != node);
        self.shifts.all_told = self.now.mono_us;
    }

    /// Returns true if a node is a member and has all its connections, so that clients may come.
    pub fn is_at_home(&mut self, node: usize) -> bool {
        let (now, wanted) = (self.now, self.wanted_peers(node));
        let Some(machine) = &mut self.machines[node] else {
            return false;
        };
        let known = machine
            .driver
            .node
            .operator()
            .stats(now)
            .pool
            .peer_connections;
        self.plan.is_member(node) && machine.peers() == wanted && known == wanted as u64
    }

    /// Gives a node the latest list, or changes the list.
    pub fn shift(&mut self) -> Result<(), String> {
        if !self.shifts.untold.is_empty() {
            let at = self.random.below(self.shifts.untold.len());
            return match self.random.chance(300) {
                true => self.tell_and_set(self.shifts.untold[at]),
                false => Ok(()),
            };
        }
        if self.shifts.count == 3 || !self.random.chance(50) {
            return Ok(());
        }
        let node = self.random.below(self.machines.len());
        let place = &self.plan.nodes[node];
        let place = (place.dc, place.rack);
        if !self.plan.was_member(node) {
            self.note(|| format!("node {node} joins"));
            self.plan.set_member(node, true);
            self.switch_on(node);
        } else if self.plan.can_leave(node) && self.random.chance(500) {
            self.note(|| format!("node {node} leaves"));
            self.plan.set_member(node, false);
        } else if self.plan.is_member(node) && self.victim.is_none_or(|victim| victim == place) {
            self.note(|| format!("node {node} moves"));
            self.victim = Some(place);
            self.switch_off(node);
            self.plan.move_away(node);
            self.shifts.lists.remove(&node);
            self.switch_on(node);
        } else {
            return Ok(());
        }
        self.shifts.count += 1;
        let members = (0..self.machines.len()).filter(|&other| other != node);
        self.shifts.untold = members
            .filter(|&other| self.plan.is_member(other))
            .collect();
        Ok(())
    }

    fn tell_and_set(&mut self, node: usize) -> Result<(), String> {
        let members = self.plan.others(node, &mut self.random);
        if let Some(machine) = &mut self.machines[node]
            && !(self.canary == Some(Canary::IsNotTold) && node == 0)
        {
            let changed = machine
                .driver
                .node
                .operator()
                .set_members(members, self.now);
            changed.map_err(|why| format!("node {node} refuses the members: {why}"))?;
        }
        self.note(|| format!("node {node} is told"));
        self.tell(node);
        Ok(())
    }

    /// At rest: every node has the latest list, and nodes that have left are switched off.
    pub fn settle_members(&mut self) -> Result<(), String> {
        while let Some(&node) = self.shifts.untold.first() {
            self.tell_and_set(node)?;
        }
        for node in 0..self.machines.len() {
            let over = self.now.mono_us > self.shifts.all_told + FAREWELL;
            let served = self
                .clients
                .iter()
                .any(|client| client.node == node && !client.gone);
            if !self.plan.is_member(node)
                && over
                && !served
                && let Some(mut machine) = self.machines[node].take()
            {
                self.note(|| format!("node {node} is off"));
                self.remember(&mut machine);
                machine.fail(&mut self.network.links);
            }
        }
        Ok(())
    }
}
