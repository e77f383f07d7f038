//! Requests without a key that several nodes answer together.
//!
//! | request | nodes asked | answer |
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
use super::flight::judge::Judge;
use super::flight::judge::join::Join;
use super::frame::Frames;
use super::ids::{FrontId, ReqId};
use super::msg::Msg;
use super::plan::{Fanout, StoreReply, demand};
use crate::clock::Now;
use crate::cluster::id::{DcId, NodeId};
use crate::cluster::route::{Counts, How, Target};
use crate::mbuf::{Chain, Raw};
use crate::proto::redis::command::Command;
use crate::proto::redis::encode;
use crate::proto::redis::join::JoinRule;

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

impl Node {
    /// Sends a client's request to all nodes that have to answer it, or to the one that goes on with
    /// its cursor.
    pub(super) fn fan_out(
        &mut self,
        key: FrontId,
        now: Now,
        ask: &Ask<'_>,
        command: &Command,
        fanout: Fanout,
        args: &[&[u8]],
    ) {
        let Some(entry) = self.enqueue(key, now, ask) else {
            return;
        };
        self.count_request(ask);
        if let Fanout::Cursor {
            node,
            place,
            of,
            inner,
        } = fanout
        {
            let chain = self.with_cursor(args, inner);
            let join = Join::Scan { node: place, of };
            return self.ask_one(entry, key, now, node, Raw::from(&chain), join);
        }
        // The clock's last digits are as good as chance, but the same for all requests of a turn.
        let chance = (now.mono_us << 16 ^ self.next_wire_id()).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let join = join_of(command, chance >> 32);
        self.ask_all(entry, key, now, ask, join, fanout == Fanout::Everywhere);
    }

    /// Sends a client's request to all nodes and joins their replies. Of nodes in other datacenters they count if it is
    /// to be done `everywhere`.
    pub(super) fn ask_all(
        &mut self,
        entry: ReqId,
        key: FrontId,
        now: Now,
        ask: &Ask<'_>,
        join: Join,
        everywhere: bool,
    ) {
        let demand = demand(&self.options, &ask.route, ask.token);
        let mut targets = std::mem::take(&mut self.targets);
        targets.place(&self.topology, &demand, |node| self.reaches(node, key, now));
        let counted: Vec<Target> = targets.to_vec();
        self.targets = targets;
        let (counted, others): (Vec<Target>, Vec<Target>) = counted
            .into_iter()
            .partition(|target| everywhere || self.topology.distance(target.node).is_same_dc());
        let parts = counted.len() as u16;
        self.flight.give_judge(entry, Judge::joining(parts, join));
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

    /// The request with another cursor.
    fn with_cursor(&self, args: &[&[u8]], cursor: u64) -> Chain {
        let cursor = cursor.to_string();
        let mut words = args.to_vec();
        if let Some(word) = words.get_mut(1) {
            *word = cursor.as_bytes();
        }
        let mut text = Vec::new();
        encode::command(&mut text, &words);
        let mut chain = Chain::new();
        self.pool.copy(&text, &mut chain);
        chain
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
        self.flight.give_judge(entry, Judge::joining(1, join));
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

    /// Sends a client's request to the local datastore alone, with `reply` saying what becomes of the reply.
    pub(super) fn ask_here(&mut self, key: FrontId, now: Now, ask: &Ask<'_>, reply: StoreReply) {
        let join = match reply {
            StoreReply::AsItIs => return self.forward(key, now, ask),
            StoreReply::OfPurge => None,
            StoreReply::Settings => Some(Join::Settings),
            StoreReply::Docs { with_own } => Some(Join::Docs { with_own }),
        };
        let Some(entry) = self.enqueue(key, now, ask) else {
            return;
        };
        self.count_request(ask);
        match join {
            Some(join) => self.ask_one(entry, key, now, NodeId::ME, ask.raw, join),
            None => self.send_to_store(entry, Some(key), now, ask.raw),
        }
    }
}
