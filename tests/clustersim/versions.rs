//! Versions of items, as clients see them: a mark of the node they are from, and the number the
//! memcached there has given.

use crate::clustersim::judge::{Asked, World};
use crate::clustersim::memcached::Answer;
use crate::clustersim::store::told;
use crate::clustersim::tag::Tag;
use std::collections::HashMap;

/// Bits of a version that are the memcached's own.
const OWN_BITS: u32 = 48;
/// A version that no datastore gives.
pub const NOBODYS: u64 = 1 << 40;
/// The version shown for a replica that has left.
const VOID: u64 = u64::MAX;

/// What all clients together know of versions.
#[derive(Default)]
pub struct Versions {
    /// Nodes by their marks.
    marks: HashMap<u64, usize>,
    /// The client that has swapped an item of a version.
    won: HashMap<(String, u64), Tag>,
}

impl Versions {
    /// A client at a node received a version: it must be that of a replica which gave this value, and
    /// have that node's mark.
    pub fn told(
        &mut self,
        asked: &Asked,
        name: &str,
        answer: &Answer,
        node: usize,
        world: &World<'_>,
    ) -> Result<(), String> {
        if answer.unique == VOID && world.shifting {
            return Ok(());
        }
        let (mark, own) = (
            answer.unique >> OWN_BITS,
            answer.unique & ((1 << OWN_BITS) - 1),
        );
        let dc = world.plan.nodes[node].dc;
        let value = told(&answer.outcome);
        let gave = |at: &usize| {
            let done = world.stores[*at].done(asked.tag, name);
            done.is_some_and(|done| done.unique == own && done.reply == value)
        };
        let owners = world.plan.owners_ever(dc, name).into_iter();
        let givers: Vec<usize> = owners.filter(gave).collect();
        if givers.is_empty() {
            return Err(format!("no replica gave version {own} of {name}"));
        }
        if world.plan.nodes.len() == 1 {
            return match mark {
                0 => Ok(()),
                _ => Err("marked, although there is one node".into()),
            };
        }
        match self.marks.get(&mark) {
            // A node that the others have left, or not joined yet, is no cluster: it marks none.
            _ if mark == 0 && world.plan.was_alone(node) => Ok(()),
            _ if mark == 0 => Err("a version without a mark".into()),
            Some(node) if givers.contains(node) => Ok(()),
            Some(node) => Err(format!("that mark is the one of node {node}")),
            None => {
                if let [node] = givers[..] {
                    self.marks.insert(mark, node);
                }
                Ok(())
            }
        }
    }

    /// A compare-and-swap was done: the only one with this version.
    pub fn won(&mut self, asked: &Asked) -> Result<(), String> {
        let key = (asked.names[0].clone(), asked.unique);
        match self.won.insert(key, asked.tag) {
            None => Ok(()),
            Some(other) => Err(format!("{other:?} has swapped the same version")),
        }
    }
}
