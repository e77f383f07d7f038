//! What lies between the ends of connections.

use super::link::Link;
use super::random::Random;

/// What is at the other end of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Far {
    Client,
    Store,
    /// A node that has not been reached yet; whether it still is at that address.
    Dialled(usize),
    /// An address that no node has any more.
    Nobody,
    /// Another node's end.
    Node(usize),
}

/// Bytes on their way to one end of a connection between nodes.
const WINDOW: usize = 200_000;

#[derive(Default)]
pub struct Network {
    pub links: Vec<Link>,
    /// What is at the other end of each.
    pub far: Vec<Far>,
    /// The node each belongs to.
    pub node: Vec<usize>,
    /// Links between nodes over which nothing goes until a time.
    pub silent: Vec<(usize, u64)>,
    /// Sometimes a message gets lost silently.
    pub loses: bool,
}

impl Network {
    pub fn add(&mut self, link: Link, far: Far, node: usize) -> usize {
        self.links.push(link);
        self.node.push(node);
        self.far.push(far);
        self.links.len() - 1
    }

    /// Moves what was written at one end of a connection between nodes towards the other end.
    /// Returns whether anything happened.
    pub fn carry(&mut self, from: usize, random: &mut Random, all: bool) -> bool {
        let Far::Node(to) = self.far[from] else {
            return false;
        };
        if self.is_silent(from) {
            return false;
        }
        let space = WINDOW.saturating_sub(self.links[to].unread());
        let (unread_here, closed_there) = (self.links[from].unread(), self.links[to].closed);
        let near = &mut self.links[from];
        let mut bytes: Vec<u8> = near.written.view().to_vec();
        if near.is_reset() {
            let dead = self.links[to].is_reset() || closed_there;
            if !dead {
                self.links[to].reset();
            }
            return !dead;
        }
        if closed_there && !bytes.is_empty() {
            // Its reader is gone.
            near.written.clear();
            if !near.closed {
                near.reset();
            }
            return true;
        }
        if !all && !bytes.is_empty() && random.chance(300) {
            bytes.truncate(random.between(1, bytes.len()));
        }
        bytes.truncate(space);
        let n = bytes.len();
        near.written.drop_front(n);
        near.take(n);
        let (over, hard) = (
            near.closed && near.written.len() == 0,
            near.closed && unread_here > 0,
        );
        if self.loses && n > 0 && random.chance(5) {
            bytes.clear();
        }
        let far = &mut self.links[to];
        if far.is_reset() {
            return false;
        }
        far.flight.push(&bytes);
        if over && hard && !far.closed {
            far.reset();
            return true;
        }
        if over && !far.fin_sent {
            far.fin_sent = true;
            return true;
        }
        n > 0
    }

    /// Returns true if nothing goes over a link, in either direction.
    pub fn is_silent(&self, link: usize) -> bool {
        let ends = self.silent.iter().map(|&(end, _)| end);
        ends.into_iter()
            .any(|end| end == link || self.far[link] == Far::Node(end))
    }

    /// Breaks a connection.
    pub fn cut(&mut self, link: usize) {
        if let Far::Node(other) = self.far[link] {
            self.links[other].reset();
        }
        self.links[link].reset();
    }

    /// Ends silences that are over.
    pub fn wake(&mut self, now: u64) {
        self.silent.retain(|&(_, until)| until > now);
    }
}
