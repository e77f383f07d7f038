//! Of replies that agree, the one whose versions the client is told.
//!
//! Any of them has the value, but the version in it is its replica's own. For all nodes of a
//! datacenter to name the same replica, it is that of the first rack that is among them, and those
//! before it are waited for.

use crate::cluster::quorum::Reply;

/// The replies to one request so far, by part: parts stand in the order of racks.
#[derive(Debug)]
pub(super) struct Preference(Vec<Option<Reply>>);

impl Preference {
    /// For a request of so many parts.
    pub fn of(parts: usize) -> Preference {
        Preference(vec![None; parts])
    }

    /// Takes note of a part's reply.
    pub fn note(&mut self, part: u16, reply: Reply) {
        if let Some(place) = self.0.get_mut(usize::from(part)) {
            *place = Some(reply);
        }
    }

    /// The part whose reply is told in place of `target`'s, which a quorum agrees with, or nobody: then
    /// the first good one is. `None` if another one has to be waited for.
    pub fn part(&self, target: u16, agreed: bool) -> Option<u16> {
        let wanted = self.0.get(usize::from(target)).copied().flatten();
        for (part, reply) in (0..).zip(&self.0) {
            match *reply {
                None => return None,
                Some(Reply::Error) => {}
                Some(Reply::Good(_)) if !agreed => return Some(part),
                good if good == wanted => return Some(part),
                Some(Reply::Good(_)) => {}
            }
        }
        Some(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_that_agrees_is_waited_for() {
        let mut replies = Preference::of(3);
        replies.note(2, Reply::Good(7));
        replies.note(1, Reply::Good(7));
        assert_eq!(replies.part(2, true), None, "the first may agree");
        replies.note(0, Reply::Good(8));
        assert_eq!(replies.part(2, true), Some(1));
        assert_eq!(replies.part(2, false), Some(0));
        replies.note(0, Reply::Error);
        assert_eq!(replies.part(2, false), Some(1));
    }
}
