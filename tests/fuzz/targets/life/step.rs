//! The steps of a story.

use super::client::Client;
use super::store::How;
use super::story::Story;
use super::world::World;
use crate::simulated::network::Far;
use dynomite::cluster::id::NodeId;
use dynomite::consistency::Consistency;
use dynomite::node::operator::SETTABLE;
use dynomite::proto::Class;
use dynomite::proto::dnode::{Data, Header, Kind};

/// Clients of a story, at most.
const CLIENTS: usize = 12;
/// Time that passes in one step, at most, in µs.
const LONGEST: u64 = 120_000_000;

impl World {
    /// Carries out the next step of the story, then [`flow`](World::flow).
    pub fn step(&mut self, story: &mut Story<'_>) -> Result<(), String> {
        let step = story.below(32);
        self.note(|| format!("step {step}"));
        match step {
            0 | 1 => self.client_connects(story),
            2..=8 => self.client_sends_requests(story),
            9 => self.client_sends_raw(story),
            10 => self.client_changes(story),
            11..=14 => self.store_answers(story)?,
            15 | 16 => self.store_changes(story),
            17 => self.store_sends_raw(story),
            18..=21 => self.time_passes(story),
            22 | 23 => self.network_changes(story),
            24 => self.peer_link_gets_forged_bytes(story),
            25 => self.stranger_connects(story),
            26 | 27 => self.operator_changes(story),
            28 => self.members_change(story)?,
            29 => self.node_changes(story),
            30 => self.rounds = story.below(4),
            // The wall clock jumps.
            _ => {
                self.now.wall_us =
                    1_600_000_000_000_000 + u64::from(story.byte()) * 1_000_000_000_000
            }
        }
        self.flow()
    }

    fn node(&self, story: &mut Story<'_>) -> usize {
        story.below(self.machines.len())
    }

    fn client_connects(&mut self, story: &mut Story<'_>) {
        let node = self.node(story);
        let room = story.pick(&[200_000, 200_000, 4000, 500]);
        if self.clients.len() < CLIENTS
            && let Some(link) = self.connect(node, room, false)
        {
            let number = self.clients.len() as u32;
            let client = Client::new(number, node, link, self.kind);
            self.clients.push(client);
        }
    }

    fn client(&mut self, story: &mut Story<'_>) -> Option<&mut Client> {
        let at = story.below(self.clients.len().max(1));
        self.clients.get_mut(at).filter(|client| !client.gone)
    }

    /// A client sends requests, or all but the last bytes of them.
    fn client_sends_requests(&mut self, story: &mut Story<'_>) {
        let Some(client) = self.client(story) else {
            return;
        };
        client.ask(story);
        let kept = match story.below(4) {
            0 => story.below(40).min(client.unsent.len()),
            _ => 0,
        };
        let rest = client.unsent.split_off(client.unsent.len() - kept);
        let bytes = std::mem::replace(&mut client.unsent, rest);
        let link = client.link;
        self.network.links[link].flight.push(&bytes);
    }

    fn client_sends_raw(&mut self, story: &mut Story<'_>) {
        let Some(client) = self.client(story) else {
            return;
        };
        client.send_raw(story.bytes());
        let (bytes, link) = (std::mem::take(&mut client.unsent), client.link);
        self.network.links[link].flight.push(&bytes);
    }

    fn client_changes(&mut self, story: &mut Story<'_>) {
        let Some(client) = self.client(story) else {
            return;
        };
        let what = story.below(4);
        let link = client.link;
        match what {
            0 | 1 => client.reads = !client.reads,
            2 => self.network.links[link].reset(),
            _ => self.network.links[link].fin_sent = true,
        }
    }

    fn store_answers(&mut self, story: &mut Story<'_>) -> Result<(), String> {
        let node = self.node(story);
        let conn = story.below(2);
        let how = match story.byte() {
            byte @ 0..=99 => How::Wrong(byte.into()),
            100..=129 => How::InPart,
            _ => How::Right,
        };
        let secs = self.now.unix_secs();
        let links = &mut self.network.links;
        self.stores[node].answer_one(conn, how, links, secs)?;
        Ok(())
    }

    fn store_changes(&mut self, story: &mut Story<'_>) {
        let node = self.node(story);
        let store = &mut self.stores[node];
        match story.below(8) {
            0..=2 => store.answers_at_once = !store.answers_at_once,
            3 => store.accepts = Some(true),
            4 => store.accepts = Some(false),
            5 => store.accepts = None,
            what => {
                if let Some(link) = store.link(story.below(2)) {
                    let link = &mut self.network.links[link];
                    match what {
                        6 => link.fin_sent = true,
                        _ => link.reset(),
                    }
                }
            }
        }
    }

    fn store_sends_raw(&mut self, story: &mut Story<'_>) {
        let node = self.node(story);
        if let Some(link) = self.stores[node].link(story.below(2)) {
            self.forged = true;
            self.network.links[link].flight.push(story.bytes());
        }
    }

    fn time_passes(&mut self, story: &mut Story<'_>) {
        let byte = story.byte();
        let us = match byte {
            // To the next deadline, when the node has something to do.
            0..=99 => self.deadline().saturating_sub(self.now.mono_us),
            _ => 1 << (byte % 28),
        };
        self.pass_time(us.min(LONGEST));
    }

    /// An open link between nodes.
    fn peer_link(&self, story: &mut Story<'_>) -> Option<usize> {
        let links = (0..self.network.links.len()).filter(|&link| {
            let is_open = !self.network.links[link].closed;
            is_open && matches!(self.network.far[link], Far::Node(_))
        });
        let links: Vec<usize> = links.collect();
        let at = story.below(links.len().max(1));
        links.get(at).copied()
    }

    fn network_changes(&mut self, story: &mut Story<'_>) {
        let Some(link) = self.peer_link(story) else {
            return;
        };
        match story.below(4) {
            0 => self.network.cut(link),
            1 => self.network.silent.clear(),
            _ => self.network.silent.push((link, u64::MAX)),
        }
    }

    fn frame(story: &mut Story<'_>) -> Vec<u8> {
        let kinds = [
            Kind::Request,
            Kind::Forward,
            Kind::Reply,
            Kind::Gossip,
            Kind::Card,
        ];
        let shape = story.byte();
        let id = story.byte().into();
        let payload = story.bytes();
        let kind = kinds[usize::from(shape) % kinds.len()];
        let mut header = Header::new(kind, id, payload.len());
        header.version = 1 + u32::from(shape >> 4 & 3);
        header.same_dc = shape & 64 == 0;
        let data = match kind {
            Kind::Gossip => Data::Gossip,
            _ => Data::None,
        };
        let mut room = [0; 512];
        [header.encode(data, &mut room), payload].concat()
    }

    /// Bytes that no node has sent arrive on a link between nodes.
    fn peer_link_gets_forged_bytes(&mut self, story: &mut Story<'_>) {
        let Some(link) = self.peer_link(story) else {
            return;
        };
        self.forged = true;
        let bytes = match story.below(3) {
            0 => story.bytes().to_vec(),
            _ => World::frame(story),
        };
        self.network.links[link].flight.push(&bytes);
    }

    /// A stranger connects to `dyn_listen`, sends bytes and stays connected.
    fn stranger_connects(&mut self, story: &mut Story<'_>) {
        let node = self.node(story);
        if self.network.links.len() < 100
            && let Some(link) = self.connect(node, 1000, true)
        {
            self.forged = true;
            let frames = story.below(4);
            let mut bytes = Vec::new();
            for _ in 0..frames {
                bytes.extend(World::frame(story));
            }
            if frames == 0 {
                bytes.extend_from_slice(story.bytes());
            }
            let link = &mut self.network.links[link];
            link.flight.push(&bytes);
            link.fin_sent = story.byte() > 200;
        }
    }

    fn operator_changes(&mut self, story: &mut Story<'_>) {
        let node = self.node(story);
        let now = self.now;
        let Some(machine) = &mut self.machines[node] else {
            return;
        };
        let mut node = machine.driver.node.operator();
        let peers = node.topology().nodes().len();
        let peer = NodeId(story.below(peers) as u16);
        match story.below(9) {
            0 => _ = node.set_consistency(Class::Read, story.pick(&Consistency::ALL)),
            1 => _ = node.set_consistency(Class::Write, story.pick(&Consistency::ALL)),
            2 => _ = node.set_timeout_factor(story.below(11) as u32),
            3 | 4 => _ = node.set_state(story.pick(&SETTABLE), now),
            5 => _ = node.bar_peer(peer, true),
            6 => _ = node.bar_peer(peer, false),
            7 => node.renew_peer(peer, now),
            _ => {
                node.reset_histograms();
                _ = node.stats(now);
            }
        }
    }

    /// A node leaves, comes back or moves. All nodes learn of it, or only some.
    fn members_change(&mut self, story: &mut Story<'_>) -> Result<(), String> {
        let node = self.node(story);
        if !self.plan.is_member(node) {
            self.plan.set_member(node, true);
        } else if self.plan.can_leave(node) && story.below(2) == 0 {
            self.plan.set_member(node, false);
        } else {
            self.switch_off(node);
            self.plan.move_away(node);
            self.switch_on(node);
        }
        let skips = story.byte();
        for other in 0..self.machines.len() {
            if skips >> other & 1 == 0 {
                self.set_members_of(other)?;
            }
        }
        Ok(())
    }

    /// Gives a node the present list of members.
    pub fn set_members_of(&mut self, node: usize) -> Result<(), String> {
        let others = self.plan.others(node, &mut self.random);
        if let Some(machine) = &mut self.machines[node] {
            let mut operator = machine.driver.node.operator();
            let changed = operator.set_members(others, self.now);
            changed.map_err(|why| format!("node {node} refuses the members: {why}"))?;
        }
        Ok(())
    }

    /// A node drains, crashes, or starts again.
    fn node_changes(&mut self, story: &mut Story<'_>) {
        let node = self.node(story);
        let now = self.now;
        match (&mut self.machines[node], story.below(2)) {
            (None, _) => self.switch_on(node),
            (Some(machine), 0) => machine.driver.node.drain(now),
            (Some(_), _) => self.switch_off(node),
        }
    }
}
