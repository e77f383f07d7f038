//! The mismatches between this node and others, as its operator sees them.

use super::Operator;
use super::health::Check;
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::cluster::skew::Skew;
use crate::node::agreement::{Finding, Setting, Warning, listed, listed_wrongly, short};
use crate::node::card::placement_of;
use crate::node::upstream::{State, Upstream};
use crate::proto::dnode::Card;
use crate::proto::dnode::card::Field;

impl Operator<'_> {
    /// The card of a peer, of whichever connection has one.
    pub fn card_of(&self, node: NodeId) -> Option<&Card> {
        let upstreams = self.0.upstreams.to(node);
        upstreams
            .iter()
            .find_map(|peer| peer.exchange.card.as_deref())
    }

    /// This node's own card.
    pub fn own_card(&self) -> &Card {
        &self.0.cards.own
    }

    /// By how much a peer's clock is ahead of this node's, and how far that may be wrong, both in µs.
    pub(super) fn clock_of(&self, node: NodeId, now: Now) -> Option<(i64, u64)> {
        let upstreams = self.0.upstreams.to(node);
        let skews = upstreams.iter().filter_map(|peer| peer.exchange.skew);
        let best = skews.min_by_key(Skew::error_us)?;
        Some((best.offset_us(now), best.error_us()))
    }

    /// What does not match between this node and each of a peer's connections, each thing once.
    pub(super) fn findings(&self, node: NodeId) -> Vec<Finding> {
        let mut found: Vec<Finding> = Vec::new();
        let upstreams = self.0.upstreams.to(node);
        for upstream in upstreams.iter().filter(|upstream| !upstream.is_store()) {
            for finding in upstream.exchange.all_findings() {
                if !found.iter().any(|known| known.setting == finding.setting) {
                    found.push(finding.clone());
                }
            }
        }
        found.extend(self.shared_token(node));
        found
    }

    /// The peer has a token that another node of its rack has, too.
    fn shared_token(&self, id: NodeId) -> Option<Finding> {
        let topology = &self.0.topology;
        let node = topology.node(id)?;
        let rack = topology.rack(node.rack)?;
        let others = rack.nodes.iter().filter(|other| **other != id);
        let others = others.filter_map(|other| topology.node(*other));
        others
            .flat_map(|other| other.member.tokens.iter().map(move |token| (other, token)))
            .find(|(_, token)| node.member.tokens.contains(token))
            .map(|(other, token)| {
                let text = format!(
                    "it has token {token}, and so has {}: only one of them gets the keys",
                    other.member
                );
                Finding::new(Setting::Tokens, text)
            })
    }

    /// Everything that does not match anywhere, for the operator.
    pub fn warnings(&self) -> Vec<Warning> {
        let mut all = Vec::new();
        let nodes = (0..).map(NodeId).zip(self.0.topology.nodes()).skip(1);
        for (id, node) in nodes {
            all.extend(self.findings(id).into_iter().map(|finding| Warning {
                peer: node.member.endpoint.to_string(),
                dc: node.member.dc.clone(),
                rack: node.member.rack.clone(),
                finding,
            }));
        }
        all.extend(self.inbound_warnings());
        all.extend(self.lost_dcs().map(|(dc, nodes)| {
            let text = format!("none of its {nodes} nodes can be reached");
            Warning {
                peer: String::new(),
                dc,
                rack: String::new(),
                finding: Finding::new(Setting::Connection, text),
            }
        }));
        all
    }

    /// What nodes that have connected to this one say of it, each of them once.
    fn inbound_warnings(&self) -> Vec<Warning> {
        let mut all: Vec<Warning> = Vec::new();
        for (_, peer) in &self.0.fronts.peers {
            let Some(card) = &peer.card else { continue };
            let text = |field| card.get(field).unwrap_or_default().to_owned();
            let finding = match listed_wrongly(&self.0.cards.own, card) {
                Some(finding) => finding,
                None if self.is_member(card) => continue,
                None => Finding::new(
                    Setting::Ring,
                    format!(
                        "it has connected to this node, which lists no member with its datacenter, rack and tokens ({}) in dyn_seeds",
                        short(card.get(Field::Tokens).unwrap_or_default())
                    ),
                ),
            };
            let warning = Warning {
                peer: peer
                    .front
                    .addr
                    .map_or_else(String::new, |addr| addr.ip().to_string()),
                dc: text(Field::Datacenter),
                rack: text(Field::Rack),
                finding,
            };
            if !all.contains(&warning) {
                all.push(warning);
            }
        }
        all
    }

    /// Returns true if a card is that of a member, as it is listed here.
    fn is_member(&self, card: &Card) -> bool {
        let Some(tokens) = card.get(Field::Tokens) else {
            return true;
        };
        let mut nodes = self.0.topology.nodes().iter().map(|node| &node.member);
        nodes.any(|member| {
            card.get(Field::Datacenter) == Some(&member.dc)
                && card.get(Field::Rack) == Some(&member.rack)
                && listed(&member.tokens) == tokens
        })
    }

    /// Datacenters none of whose nodes can be reached, with the number of those nodes.
    fn lost_dcs(&self) -> impl Iterator<Item = (String, usize)> {
        self.0.topology.dcs().iter().filter_map(|dc| {
            let racks = dc.racks().filter_map(|rack| self.0.topology.rack(rack));
            let nodes: Vec<NodeId> = racks
                .flat_map(|rack| rack.nodes.iter().copied())
                .filter(|node| *node != NodeId::ME)
                .collect();
            let is_down = |upstream: &Upstream| {
                matches!(upstream.state, State::Down { .. }) || upstream.exchange.trouble.is_some()
            };
            let is_lost = |node: &NodeId| {
                let all = self.0.upstreams.to(*node);
                !all.is_empty() && all.iter().all(is_down)
            };
            (!nodes.is_empty() && nodes.iter().all(is_lost)).then(|| (dc.name.clone(), nodes.len()))
        })
    }

    /// How many connected nodes list this one otherwise than it is, or are no members here.
    pub(super) fn inbound_mismatches(&self) -> [u64; 2] {
        let mut counts = [0; 2];
        for warning in self.inbound_warnings() {
            counts[usize::from(warning.finding.setting == Setting::Ring)] += 1;
        }
        counts
    }

    /// The readiness check `agreement`.
    pub(super) fn agreement(&self) -> Check {
        Check {
            name: "agreement",
            trouble: self.is_outvoted(),
        }
    }

    /// Why this node is taken to be the one that is wrong, if it is.
    pub(super) fn is_outvoted(&self) -> Option<String> {
        let mine = placement_of(&self.0.cards.own)?;
        let cards =
            (1..self.0.topology.nodes().len() as u16).filter_map(|node| self.card_of(NodeId(node)));
        let places: Vec<_> = cards.filter_map(placement_of).collect();
        let all = places.len() + 1;
        let alike = places.iter().filter(|place| **place == mine).count() + 1;
        if 2 * alike >= all {
            return None;
        }
        let divides = self.0.topology.needs_hash();
        let counts = |warning: &&Warning| match warning.finding.setting {
            // Where no rack divides the keys every node of it has them all.
            Setting::Tokens | Setting::Hash | Setting::HashTag => divides,
            setting => setting.misplaces(),
        };
        let warnings = self.warnings();
        let first = warnings.iter().find(counts)?;
        Some(format!(
            "this node looks for keys elsewhere than {} of the {} other nodes whose settings are known: {} ({}, {}): {}",
            all - alike,
            all - 1,
            first.peer,
            first.rack,
            first.dc,
            first.finding.text
        ))
    }
}
