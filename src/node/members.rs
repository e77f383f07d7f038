//! The members of the cluster, changed while requests are under way.
//!
//! A change has two steps. First the node connects to the peers that are new or have a new address;
//! all requests still go by the old list. When the handshake with each of them is over, or after
//! [`PREPARATION_US`], the new list takes the place of the old one, from one request to the next. A
//! peer that is in both lists at one address keeps its connections and what is under way on them.
//! Connections that lead to no member any more take no new requests, and are closed when the last
//! reply has come. A change that comes while another is being prepared takes its place: what was
//! connected to for that one is kept if it is in the new list.
//!
//! Numbers of nodes, racks and datacenters are those of one topology. What outlives the change and
//! names a node by its number is translated here: upstreams, and the first steps of writes in two.

use super::ids::{SlotId, Slots};
use super::plan::{Facts, Sights};
use super::timers::Timer;
use super::upstream::{NOBODY, State, known_link};
use super::{Marks, Node};
use crate::clock::Now;
use crate::cluster::change::{Change, changes};
use crate::cluster::member::{Member, TopologyError};
use crate::cluster::topology::{self, Topology};
use crate::config::StoreKind;
use crate::log_at;
use std::sync::Arc;

/// How long new peers are waited for before requests go by the new list all the same, in µs.
const PREPARATION_US: u64 = 2_000_000;

/// The next topology, while its new peers are connected to.
pub(super) struct Prepared {
    pub topology: Arc<Topology>,
    /// For each of its nodes, which upstreams lead to it.
    pub links: Vec<Slots>,
    /// Upstreams that are new.
    new: Vec<SlotId>,
    /// When the pending topology was first proposed, in µs.
    since: u64,
}

impl Prepared {
    /// The connections that lead to a node already, if there are any.
    fn link_to(&self, node: &topology::Node) -> Option<Slots> {
        known_link(&self.topology, &self.links, node)
    }
}

impl Node {
    /// The members besides this node are these from now on: says what is different. Nothing is done if
    /// nothing is. Requests go by the new list when its new peers are connected, or after two seconds; four,
    /// if the list changes again meanwhile.
    ///
    /// # Errors
    /// The list is no cluster; the old one stays.
    pub(super) fn set_members(
        &mut self,
        seeds: Vec<Member>,
        now: Now,
    ) -> Result<Vec<Change>, TopologyError> {
        let latest = self.prepared.as_ref().map(|prepared| &prepared.topology);
        let latest = Arc::clone(latest.unwrap_or(&self.topology));
        let before: Vec<Member> = members(&latest).cloned().collect();
        let Some(me) = before.first().cloned() else {
            return Ok(Vec::new());
        };
        let built = latest.succeed(me, seeds)?;
        let after: Vec<Member> = members(&built.topology).cloned().collect();
        let changes = changes(&before, &after);
        if changes.is_empty() {
            return Ok(changes);
        }
        for warning in &built.warnings {
            log_at!(Warn, "{warning}");
        }
        let earlier = self.prepared.take();
        let mut new = Vec::new();
        let links = built.topology.nodes().iter().map(|node| {
            let known = self.upstreams.link_to(&self.topology, node);
            known.unwrap_or_else(|| {
                let begun = earlier.as_ref().and_then(|earlier| earlier.link_to(node));
                let slots = begun.unwrap_or_else(|| self.make_link(node, now));
                new.extend(slots.clone());
                slots
            })
        });
        let links = links.collect();
        let since = earlier.map_or(now.mono_us, |earlier| earlier.since);
        let until = (now.mono_us + PREPARATION_US).min(since + 2 * PREPARATION_US);
        self.prepared = Some(Prepared {
            topology: Arc::new(built.topology),
            links,
            new,
            since,
        });
        self.look_at_members();
        self.timers.set(Timer::Members, until);
        self.switch_if_prepared(now);
        self.retire();
        Ok(changes)
    }

    /// Connections to a node that is new, which are made unless in admin mode.
    fn make_link(&mut self, node: &topology::Node, now: Now) -> Slots {
        let count = self.options.connections(node.distance);
        let slots = self.upstreams.add(&self.options, NOBODY, node, count, now);
        if self.options.admin_operation == 0 {
            slots
                .clone()
                .for_each(|slot| self.connect_upstream(slot, now, true));
        }
        slots
    }

    /// Lets the prepared topology take the place of the old one, if nothing is to be waited for.
    #[inline]
    pub(super) fn switch_if_prepared(&mut self, now: Now) {
        let Some(prepared) = &self.prepared else {
            return;
        };
        let waits = |slot: &SlotId| {
            let upstream = self.upstreams.get(*slot);
            upstream
                .is_some_and(|upstream| upstream.is_underway() && self.options.admin_operation == 0)
        };
        if self.timers.is_due(Timer::Members, now) || !prepared.new.iter().any(waits) {
            self.switch();
        }
    }

    /// Lets the prepared topology take the place of the old one.
    fn switch(&mut self) {
        let Some(Prepared {
            topology, links, ..
        }) = self.prepared.take()
        else {
            return;
        };
        self.timers.stop(Timer::Members);
        let translate = self.upstreams.relink(links);
        self.flight.judges.translate(translate);
        self.topology = topology;
        self.look_at_topology();
        log_at!(
            Notice,
            "requests go by version {} of the members: {} nodes in {} racks of {} datacenters",
            self.topology.version(),
            self.topology.nodes().len(),
            self.topology.racks().len(),
            self.topology.dcs().len()
        );
        self.retire();
    }

    /// Works out what depends on the topology alone.
    pub(super) fn look_at_topology(&mut self) {
        self.facts = Facts::new(&self.topology, &self.options);
        self.look_at_commands();
        self.marks = Marks::new(&self.topology);
        self.look_at_members();
        self.renew_card();
    }

    /// Works out what commands alone say of their requests, which depends on the topology and on options.
    pub(super) fn look_at_commands(&mut self) {
        if self.options.store == StoreKind::Redis {
            self.sights = Sights::new(&self.topology, &self.options);
        }
    }

    /// Closes connections that lead to no member and on which nothing is under way.
    pub(super) fn retire(&mut self) {
        for slot in self.upstreams.slots() {
            let idle = self
                .upstreams
                .get(slot)
                .is_some_and(|upstream| upstream.state != State::Gone && upstream.is_idle());
            if idle && self.is_retired(slot) {
                self.close_retired(slot);
            }
        }
    }

    /// Returns true if a connection leads to no member, now and in the topology to come.
    pub(super) fn is_retired(&self, slot: SlotId) -> bool {
        let upstream = self.upstreams.get(slot);
        let prepared = self.prepared.as_ref();
        upstream.is_some_and(|upstream| upstream.node == NOBODY)
            && !prepared.is_some_and(|prepared| prepared.new.contains(&slot))
    }
}

/// The members of a topology, this node first.
fn members(topology: &Topology) -> impl Iterator<Item = &Member> {
    topology.nodes().iter().map(|node| &node.member)
}
