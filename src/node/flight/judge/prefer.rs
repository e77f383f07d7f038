//! Whose versions a client is told, at the levels that ask several replicas.
//!
//! The replicas that agree have the value, but the version in each reply is its replica's own. For two
//! clients never to hold the same value with versions of two replicas, every node of a datacenter tells
//! those of the first rack that has one, in the racks' order; its reply is waited for, but not again while nothing comes
//! from there. Where that rack has
//! another value than a majority, being ahead of it or behind, its reply is the answer all the same, as
//! one without a quorum; or none is, at the levels that insist on one. That a majority has nothing is an
//! answer without versions.

use crate::cluster::quorum::Reply;

/// The replies to one request so far, by part: parts stand in the order of racks.
#[derive(Debug, Default)]
pub(in crate::node::flight) struct Preference(Vec<Option<Noted>>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Noted {
    reply: Reply,
    /// It has no value, so no version.
    is_miss: bool,
}

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::node::flight) enum Told {
    /// Nothing yet: another reply has to be waited for.
    Wait,
    /// This part's reply, which a quorum agrees with.
    Agreed(u16),
    /// This part's, though no quorum agrees with it.
    Alone(u16),
}

impl Preference {
    /// Forgets all replies, for a request of so many parts.
    pub fn reset(&mut self, parts: usize) {
        self.0.clear();
        self.0.resize(parts, None);
    }

    /// Takes note of a part's reply.
    pub fn note(&mut self, part: u16, reply: Reply, is_miss: bool) {
        if let Some(place) = self.0.get_mut(usize::from(part)) {
            *place = Some(Noted { reply, is_miss });
        }
    }

    /// What is told in place of the reply of `target`, which a quorum has `agreed` with, or not.
    pub fn told(&self, target: u16, agreed: bool) -> Told {
        let wanted = self.0.get(usize::from(target)).copied().flatten();
        if agreed && wanted.is_some_and(|noted| noted.is_miss) {
            return Told::Agreed(target);
        }
        for (part, noted) in (0..).zip(&self.0) {
            match *noted {
                None => return Told::Wait,
                Some(noted) if noted.is_miss || noted.reply == Reply::Error => {}
                good if agreed && good == wanted => return Told::Agreed(part),
                Some(_) => return Told::Alone(part),
            }
        }
        Told::Alone(target)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_rack_that_answers_gives_the_version() {
        let mut replies = Preference::default();
        replies.reset(3);
        replies.note(2, Reply::Good(7), false);
        replies.note(1, Reply::Good(7), false);
        assert_eq!(replies.told(2, true), Told::Wait);
        replies.note(0, Reply::Good(8), false);
        assert_eq!(replies.told(2, true), Told::Alone(0), "it is ahead");
        for (reply, is_miss) in [(Reply::Error, false), (Reply::Good(9), true)] {
            replies.note(0, reply, is_miss);
            assert_eq!(replies.told(2, true), Told::Agreed(1));
            assert_eq!(replies.told(2, false), Told::Alone(1));
        }
    }

    #[test]
    fn that_a_majority_has_nothing_needs_no_version() {
        let mut replies = Preference::default();
        replies.reset(3);
        replies.note(2, Reply::Good(7), true);
        replies.note(1, Reply::Good(7), true);
        assert_eq!(replies.told(2, true), Told::Agreed(2));
    }
}
