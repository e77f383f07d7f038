//! Versions of values, and the replica they belong to.

use super::answer::first_line;
use crate::clock::Now;
use crate::cluster::id::{NodeId, RackId};
use crate::cluster::member::Member;
use crate::cluster::route::first_rack_candidates;
use crate::cluster::topology::{self, Topology};
use crate::hashkit::{self, HashKind, Token};
use crate::mbuf::{Chain, Raw};
use crate::node::Node;
use crate::node::ask::Ask;
use crate::node::ids::{FrontId, ReqId};
use crate::node::replicate::Rules;
use crate::node::upstream::NOBODY;
use crate::proto::memcache::call::Call;
use crate::proto::memcache::{rewrite, unique};
use std::collections::HashSet;
use std::sync::Arc;

/// The marks of nodes, which every node of the cluster gives alike: numbers from 1 on that follow from
/// datacenter, rack and first token, so that they stay when others come and go. A node that comes is never
/// taken for the one whose keys it gets: what that one's memcached has counted means nothing to its own.
#[derive(Debug, Default)]
pub(in crate::node) struct Marks {
    /// By the number of the node on this one.
    marks: Vec<u16>,
}

impl Marks {
    pub fn new(topology: &Topology) -> Marks {
        let name = |node: &topology::Node| {
            let Member {
                dc, rack, tokens, ..
            } = &node.member;
            let token = tokens.first().map(Token::to_string).unwrap_or_default();
            format!("{dc}\0{rack}\0{token}")
        };
        let mut sorted: Vec<(String, usize)> = topology.nodes().iter().map(name).zip(0..).collect();
        sorted.sort_unstable();
        let mut marks = vec![0; sorted.len()];
        let mut given = HashSet::new();
        for (name, node) in sorted.into_iter().take(usize::from(u16::MAX)) {
            let hash = hashkit::hash(HashKind::Fnv1a32, name.as_bytes());
            let mut mark = (hash % u32::from(u16::MAX)) as u16 + 1;
            while !given.insert(mark) {
                mark = mark % u16::MAX + 1;
            }
            if let Some(place) = marks.get_mut(node) {
                *place = mark;
            }
        }
        Marks { marks }
    }

    /// A node's mark; 0 if it has none.
    fn of(&self, node: NodeId) -> u16 {
        self.marks.get(node.index()).copied().unwrap_or_default()
    }

    /// The owner of a token that has this mark; `None` if the mark is nobody's, or that of a node which does
    /// not own the token, or no longer.
    fn owner(&self, topology: &Topology, mark: u16, token: Token) -> Option<NodeId> {
        let racks = (0..topology.racks().len() as u16).map(RackId);
        racks
            .filter_map(|rack| topology.owner(rack, token))
            .find(|&node| mark > 0 && self.of(node) == mark)
    }
}

impl Node {
    /// Where a version that a client names is from, and how the memcached there knows it. One that this cluster
    /// has not given matches no item: a node that has been alone marks none, and what its memcached has
    /// counted since means nothing to that of another node.
    fn origin(&self, token: Token, version: u64) -> (Option<NodeId>, u64) {
        match unique::split(version) {
            (0, _) => (None, u64::MAX),
            (mark, own) => match self.marks.owner(&self.topology, mark, token) {
                Some(owner) => (Some(owner), own),
                // With its mark it matches nothing.
                None => (None, version),
            },
        }
    }

    /// A request that compares versions, as the key's one owner understands it.
    pub(super) fn for_owner<'a>(
        &self,
        call: &Call<'a>,
        token: Token,
        text: &'a mut Vec<u8>,
    ) -> Call<'a> {
        match rewrite::unique(call) {
            Some(version) => rewrite::with_unique(call, self.origin(token, version).1, text),
            None => call.clone(),
        }
    }

    /// Runs a compare-and-swap on the replica whose version it names, and lets the others know.
    pub(super) fn compare_and_swap(
        &mut self,
        entry: ReqId,
        pin: FrontId,
        now: Now,
        ask: &Ask<'_>,
        call: &Call<'_>,
    ) {
        let topology = Arc::clone(&self.topology);
        let version = rewrite::unique(call).unwrap_or_default();
        let (owner, version) = self.origin(ask.token, version);
        let owner = owner.unwrap_or_else(|| {
            let mut candidates = first_rack_candidates(&topology, ask.token);
            let first = candidates.clone().next().unwrap_or_default();
            let reached = candidates.find(|&node| self.reaches(node, pin, now));
            reached.unwrap_or(first)
        });
        let line = first_line(ask.raw).len();
        let mut text = Vec::new();
        let call = rewrite::with_unique(call, version, &mut text);
        let strict = rewrite::strict(&call);
        let chain = self.rewritten(strict.as_ref().unwrap_or(&call), line, ask.raw);
        let again = strict
            .is_some()
            .then(|| self.rewritten(&call, line, ask.raw));
        let ask = Ask {
            raw: Raw::from(&chain),
            ..*ask
        };
        self.take_first_step(entry, pin, now, &ask, Rules::Memcache, owner, again);
    }

    /// A node's reply with the versions it tells marked as its own. Those of a node that is no
    /// member any more match nothing.
    pub(in crate::node) fn marked(&self, node: NodeId, raw: Raw<'_>) -> Chain {
        let mut reply = Chain::new();
        raw.append_to(&mut reply);
        if node == NOBODY {
            return unique::void(&reply, &self.pool);
        }
        unique::mark(&reply, self.marks.of(node), &self.pool)
    }
}
