//! The calls into the node, each in a function of its own that a profiler can see.

use super::pipe::Pipe;
use dynomite::clock::Now;
use dynomite::node::{Action, ConnId, Next, Node};

#[inline(never)]
pub fn receive(node: &mut Node, id: ConnId, now: Now, pipe: &mut Pipe) -> Next {
    node.receive(id, now, pipe)
}

#[inline(never)]
pub fn transmit(node: &mut Node, id: ConnId, now: Now, pipe: &mut Pipe) -> bool {
    node.transmit(id, now, pipe)
}

#[inline(never)]
pub fn end_turn(node: &mut Node, now: Now) {
    node.end_turn(now);
}

#[inline(never)]
pub fn next_action(node: &mut Node) -> Option<Action> {
    node.next_action()
}

#[inline(never)]
pub fn next_dirty(node: &mut Node) -> Option<ConnId> {
    node.next_dirty()
}
