//! The end of a story: nothing fails any more, every request is answered, and nothing is left over.

use super::world::World;
use crate::simulated::leftovers::leftovers;
use crate::simulated::network::Far;
use dynomite::cluster::id::NodeId;
use dynomite::cluster::peer_state::PeerState;
use dynomite::config::StoreKind;

/// Virtual time that this may take, in µs: longer than any request or pause.
const LONGEST: u64 = 300_000_000;

impl World {
    /// Ends all failures, waits for the missing replies, closes all clients, and waits until the nodes hold
    /// nothing.
    pub fn rest(&mut self) -> Result<(), String> {
        self.end_failures()?;
        let latest = self.now.mono_us + LONGEST;
        while self.clients.iter().any(|client| client.missing() > 0) {
            self.go_on(latest).map_err(|why| {
                let clients = self.clients.iter().filter(|of| of.missing() > 0);
                let clients: Vec<String> = clients.map(|of| of.describe()).collect();
                format!("{why}: {}", clients.join("; "))
            })?;
        }
        for link in 0..self.network.links.len() {
            if self.network.far[link] == Far::Client {
                self.network.links[link].fin_sent = true;
            }
        }
        let latest = self.now.mono_us + LONGEST;
        loop {
            self.flow()?;
            let mut left = Vec::new();
            for (node, machine) in self.machines.iter_mut().enumerate() {
                let Some(machine) = machine else { continue };
                let of_node = leftovers(machine, self.now).into_iter();
                left.extend(of_node.map(|(name, n)| format!("node {node}: {name} {n}")));
            }
            if left.is_empty() {
                return Ok(());
            }
            self.go_on(latest)
                .map_err(|why| format!("{why}: {}", left.join(", ")))?;
        }
    }

    /// Ends all failures and sends the rest of all requests.
    fn end_failures(&mut self) -> Result<(), String> {
        self.rounds = 0;
        self.network.silent.clear();
        for store in &mut self.stores {
            store.answers_at_once = true;
            store.accepts = Some(true);
        }
        for link in &mut self.network.links {
            link.room = 1 << 30;
            link.take(0);
        }
        for client in &mut self.clients {
            client.reads = true;
            let bytes = std::mem::take(&mut client.unsent);
            self.network.links[client.link].flight.push(&bytes);
        }
        for node in 0..self.machines.len() {
            let now = self.now;
            self.set_members_of(node)?;
            // A client may have paused the others for hours.
            if self.kind == StoreKind::Redis
                && let Some(link) = self.connect(node, 1 << 20, false)
            {
                let link = &mut self.network.links[link];
                link.flight.push(b"CLIENT UNPAUSE\r\n");
                link.fin_sent = true;
            }
            let Some(machine) = &mut self.machines[node] else {
                continue;
            };
            let mut node = machine.driver.node.operator();
            node.set_state(PeerState::Normal, now);
            for peer in 0..node.topology().nodes().len() {
                node.bar_peer(NodeId(peer as u16), false);
            }
        }
        self.flow()
    }

    /// Passes time to the next deadline.
    fn go_on(&mut self, latest: u64) -> Result<(), String> {
        if self.now.mono_us > latest {
            return Err("at the end, replies are missing or something is left over".into());
        }
        let us = self.deadline().saturating_sub(self.now.mono_us);
        self.pass_time(us.clamp(1, LONGEST));
        self.flow()
    }
}
