//! Requests without a key that several nodes answer together.
//!
//! | request | who is asked | the answer |
//! |---|---|---|
//! | `DBSIZE` | all nodes of this rack, which together hold all keys once | the sum |
//! | `KEYS` | the same | all names, one list |
//! | `RANDOMKEY` | the same | of one node, by chance, of those that have a key; nil if none has |
//! | `CONFIG GET` | this node alone | its datastore's parameters, but for those that are others behind a proxy |
//! | `COMMAND DOCS` | the same | what its datastore says of the commands that are served |
//! | `SCAN` | one node of this rack, by the cursor | its keys, and the cursor that goes on |
//! | `SCRIPT EXISTS` | all nodes of this rack | 1 where all have the script |
//! | `SCRIPT LOAD`, `SCRIPT FLUSH`, `FUNCTION LOAD`, `DELETE`, `FLUSH`, `RESTORE` | all nodes of the cluster | of a node, if all of this datacenter have done it |
//! | `SCRIPT KILL`, `FUNCTION KILL` | the same | `OK` if one of this datacenter had something to kill |
//! | `FLUSHALL`, `FLUSHDB`, if switched on | the same | `OK` if all of the cluster have done it |
//!
//! The first error, or that of a node that cannot be reached, is the answer, and what other nodes have
//! done stays done; but a single key is enough for `RANDOMKEY`, and a single success for `KILL`. If no node
//! has killed anything, `KILL` is answered `UNKILLABLE` if any says so, else with the error of a node that could
//! not be asked, and with `NOTBUSY` only if all say so.
//!
//! A cursor of `SCAN` is that of the node's datastore, with the node's place in this rack's ring in the
//! upper 16 of its 64 bits: any node of the rack can go on with it, as long as the rack has the same
//! members. A place the rack does not have is an invalid cursor. Another rack's nodes would read it
//! differently, unless they have as many nodes and the same data in them.

use super::Node;
use super::ask::Ask;
use super::collect::Collector;
use super::frame::Frames;
use super::ids::{FrontId, ReqId};
use super::join::{CURSOR_BITS, Join};
use super::msg::Msg;
use crate::clock::Now;
use crate::cluster::id::{DcId, NodeId};
use crate::cluster::route::{Counts, Demand, How, Routing, Target};
use crate::mbuf::{Chain, Raw};
use crate::proto::redis::command::{Class, Command, Serve};
use crate::proto::redis::join::JoinRule;
use crate::proto::redis::lookup::lookup;
use crate::proto::redis::{encode, errors, resp3};

/// How the replies to a command are joined; `chance` is any number.
fn join_of(command: &Command, chance: u64) -> Join {
    match command.join {
        JoinRule::Sum => Join::Sum,
        JoinRule::Lists => Join::Lists,
        JoinRule::AnyKey => Join::Any(chance),
        JoinRule::And => Join::And,
        JoinRule::OneSuccess => Join::Kill,
        // The others are not joined here: by key, by cursor, or of one node only.
        _ => Join::Same,
    }
}

/// How the reply of the local datastore is changed, if it is.
pub(super) fn edited(command: &Command, args: &[&[u8]]) -> Option<Join> {
    match command.join {
        JoinRule::Settings => Some(Join::Settings),
        JoinRule::Docs => {
            let names = args.get(2..).unwrap_or_default();
            let is_own = |name: &&[u8]| lookup(name).is_some_and(|row| row.summary().is_some());
            Some(Join::Docs {
                with_own: names.is_empty() || names.iter().any(is_own),
            })
        }
        _ => None,
    }
}

impl Node {
    /// Whether requests served so go to several nodes.
    pub(super) fn is_fanned_out(&self, serve: Serve) -> bool {
        !self.alone
            && match serve {
                Serve::RackNodes => !self.options.local_scan && self.options.admin_operation == 0,
                Serve::AllNodes | Serve::AllNodesGuarded => true,
                _ => false,
            }
    }

    /// Sends a client's request to all nodes that have to answer it, or to the one that goes on with
    /// its cursor.
    pub(super) fn fan_out(
        &mut self,
        key: FrontId,
        now: Now,
        form: resp3::Form,
        ask: &Ask<'_>,
        command: &Command,
        args: &[&[u8]],
    ) {
        if command.join == JoinRule::Cursor {
            return self.scan(key, now, form, ask, args);
        }
        let everywhere = command.serve == Serve::AllNodesGuarded;
        let Some(entry) = self.enqueue(key, now, form, ask, ask.raw.len()) else {
            return;
        };
        self.count_request(ask);
        // The clock's last digits are as good as chance, but the same for all requests of a turn.
        let chance = (now.mono_us << 16 ^ self.next_wire_id()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let join = join_of(command, chance >> 32);
        self.ask_all(entry, key, now, ask, join, everywhere);
    }

    /// Sends a client's request to all nodes and joins their replies: to those of this rack if it
    /// only asks, else to those of the cluster. Of the latter the replies of this datacenter count,
    /// or of all, if it is to be done `everywhere`.
    pub(super) fn ask_all(
        &mut self,
        entry: ReqId,
        key: FrontId,
        now: Now,
        ask: &Ask<'_>,
        join: Join,
        everywhere: bool,
    ) {
        // What only asks needs one copy of the data, what changes something all.
        let routing = match ask.class {
            Class::Read => Routing::AllNodesOwnRack,
            Class::Write => Routing::AllNodes,
        };
        let demand = Demand {
            routing,
            ..self.demand(ask, self.level_of(key, ask.class))
        };
        let mut targets = std::mem::take(&mut self.targets);
        targets.place(&self.topology, &demand, |node| self.reaches(node, key, now));
        let counted: Vec<Target> = targets.to_vec();
        self.targets = targets;
        let (counted, others): (Vec<Target>, Vec<Target>) = counted
            .into_iter()
            .partition(|target| everywhere || self.topology.distance(target.node).is_same_dc());
        let parts = counted.len() as u16;
        self.give_collector(entry, Collector::joining(parts, join));
        let mut frames = Frames::new(self.next_wire_id(), ask.raw);
        for target in &others {
            if let Some(copy) = self.flight.get(entry).map(Msg::copy) {
                self.send_unawaited(copy, key, now, target, &mut frames);
            }
        }
        for (part, target) in (0..).zip(&counted) {
            self.send_part(entry, part, key, now, target, &mut frames);
        }
    }

    /// Asks the node that a cursor belongs to.
    fn scan(&mut self, key: FrontId, now: Now, form: resp3::Form, ask: &Ask<'_>, args: &[&[u8]]) {
        let rack = self.topology.rack(self.topology.my_rack());
        let nodes = rack.map(|rack| rack.ring.owners()).unwrap_or_default();
        let cursor = args.get(1).and_then(|text| cursor(text));
        let place = cursor.and_then(|cursor| u16::try_from(cursor >> CURSOR_BITS).ok());
        let node = place.and_then(|place| nodes.get(usize::from(place)).copied());
        let (Some(cursor), Some(place), Some(node)) = (cursor, place, node) else {
            return self.answer(key, now, errors::INVALID_CURSOR.as_bytes(), false);
        };
        let join = Join::Scan {
            node: place,
            of: nodes.len() as u16,
        };
        let Some(entry) = self.enqueue(key, now, form, ask, ask.raw.len()) else {
            return;
        };
        self.count_request(ask);
        let inner = (cursor & ((1 << CURSOR_BITS) - 1)).to_string();
        let mut words = args.to_vec();
        if let Some(word) = words.get_mut(1) {
            *word = inner.as_bytes();
        }
        let mut text = Vec::new();
        encode::command(&mut text, &words);
        let mut chain = Chain::new();
        self.pool.copy(&text, &mut chain);
        self.ask_one(entry, key, now, node, Raw::from(&chain), join);
    }

    /// Asks one node of this rack, and makes the answer of its reply.
    fn ask_one(
        &mut self,
        entry: ReqId,
        key: FrontId,
        now: Now,
        node: NodeId,
        raw: Raw<'_>,
        join: Join,
    ) {
        self.give_collector(entry, Collector::joining(1, join));
        let target = Target {
            node,
            how: match node {
                NodeId::ME => How::Local,
                _ => How::Request,
            },
            counts: Counts::In(DcId::LOCAL),
            reachable: self.reaches(node, key, now),
            passed_over: 0,
        };
        let mut frames = Frames::new(self.next_wire_id(), raw);
        self.send_part(entry, 0, key, now, &target, &mut frames);
    }

    /// Asks the local datastore for something of its own, of which the client gets what holds for it
    /// ([`edited`]).
    pub(super) fn ask_here(
        &mut self,
        key: FrontId,
        now: Now,
        form: resp3::Form,
        ask: &Ask<'_>,
        join: Join,
    ) {
        let Some(entry) = self.enqueue(key, now, form, ask, ask.raw.len()) else {
            return;
        };
        self.count_request(ask);
        self.ask_one(entry, key, now, NodeId::ME, ask.raw, join);
    }
}

/// A cursor: decimal digits of at most 64 bits.
fn cursor(text: &[u8]) -> Option<u64> {
    if !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(text).ok()?.parse().ok()
}
