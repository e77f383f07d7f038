//! Merges replies that are lists of values, position by position.
//!
//! When the replies to an `MGET` disagree as wholes, each of their positions may still have a
//! majority: the answer is then put together from several replies. As the original does it, but
//! only for lists; a number or a status is judged as a whole.

use super::quorum::quorum_of;
use crate::consistency::Consistency;

/// Result of a merge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Merge {
    /// Every position has a majority.
    Agreed,
    /// Some have none and got the first reply's value (`DC_QUORUM`). Counts as a non-quorum reply
    /// in the statistics.
    Partly,
    /// Some have none, which the level does not allow; or there is nothing to merge: no quorum of
    /// replies, or replies of different lengths. The client gets the verdict on the wholes.
    Impossible,
}

/// Chooses for every position the reply to take its value from: the earliest of those that are a
/// majority there.
///
/// `expected` is how many replies could have come, and a majority is one of those; `replies` are
/// the good ones in order of arrival, each as the digests of its values ([`crate::hashkit::digest`]).
/// `chosen` is filled with indexes into `replies`, one for each position; unless the merge is
/// [`Merge::Impossible`] it is as long as the replies.
pub fn merge(
    level: Consistency,
    expected: usize,
    replies: &[&[u64]],
    chosen: &mut Vec<u16>,
) -> Merge {
    chosen.clear();
    let quorum = quorum_of(expected);
    let Some(first) = replies.first() else {
        return Merge::Impossible;
    };
    if replies.len() < quorum || replies.iter().any(|reply| reply.len() != first.len()) {
        return Merge::Impossible;
    }
    let lenient = matches!(level, Consistency::DcOne | Consistency::DcQuorum);
    let mut outcome = Merge::Agreed;
    for position in 0..first.len() {
        match majority(replies, position, quorum) {
            Some(reply) => chosen.push(reply),
            None if lenient => {
                chosen.push(0);
                outcome = Merge::Partly;
            }
            None => return Merge::Impossible,
        }
    }
    outcome
}

/// The earliest reply whose value at this position is one of a quorum of equal ones.
fn majority(replies: &[&[u64]], position: usize, quorum: usize) -> Option<u16> {
    let value = |reply: &&[u64]| reply.get(position).copied();
    let is_majority = |wanted: Option<u64>| {
        let equal = replies.iter().filter(|reply| value(reply) == wanted);
        equal.count() >= quorum
    };
    replies
        .iter()
        .zip(0..)
        .find(|(reply, _)| is_majority(value(reply)))
        .map(|(_, index)| index)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The merged list and how it went; values are letters.
    fn merged(level: Consistency, expected: usize, replies: &[&str]) -> (String, Merge) {
        let digests: Vec<Vec<u64>> = replies
            .iter()
            .map(|reply| reply.bytes().map(u64::from).collect())
            .collect();
        let digests: Vec<&[u64]> = digests.iter().map(Vec::as_slice).collect();
        let mut chosen = vec![99; 3];
        let outcome = merge(level, expected, &digests, &mut chosen);
        let value = |(position, reply): (usize, &u16)| {
            let text = replies[usize::from(*reply)];
            char::from(text.as_bytes()[position])
        };
        (chosen.iter().enumerate().map(value).collect(), outcome)
    }

    #[test]
    fn each_position_has_its_own_majority() {
        use Consistency::{DcEachSafeQuorum, DcQuorum, DcSafeQuorum};
        use Merge::{Agreed, Impossible, Partly};
        let majorities = ["axp", "bxq", "byp"];
        for (level, expected, replies, text, outcome) in [
            (DcQuorum, 3, &majorities[..], "bxp", Agreed),
            (DcSafeQuorum, 3, &majorities, "bxp", Agreed),
            (DcEachSafeQuorum, 3, &majorities, "bxp", Agreed),
            // Position 0 has no majority.
            (DcQuorum, 3, &["ax", "bx", "cy"], "ax", Partly),
            (DcSafeQuorum, 3, &["ax", "bx", "cy"], "", Impossible),
            // Two of three came: a majority of three is both of them.
            (DcQuorum, 3, &["ax", "ay"], "ax", Partly),
            (DcSafeQuorum, 3, &["ax", "ax"], "ax", Agreed),
            // Two pairs are no majority of four.
            (DcQuorum, 4, &["a", "a", "b", "b"], "a", Partly),
            (DcSafeQuorum, 5, &["b", "a", "a", "b", "a"], "a", Agreed),
            // Nothing to merge.
            (DcQuorum, 3, &["ax"], "", Impossible),
            (DcQuorum, 3, &["ax", "axz", "ax"], "", Impossible),
            (DcQuorum, 1, &[], "", Impossible),
            (DcSafeQuorum, 2, &["", ""], "", Agreed),
        ] {
            let (found, how) = merged(level, expected, replies);
            assert_eq!(how, outcome, "{level} {replies:?}");
            if how != Impossible {
                assert_eq!(found, text, "{level} {replies:?}");
            }
        }
    }

    #[test]
    fn merging_agrees_with_counting() {
        // Every list of three replies of two positions out of three letters.
        let letters = ["a", "b", "c"];
        let pairs: Vec<String> = letters
            .iter()
            .flat_map(|x| letters.iter().map(move |y| format!("{x}{y}")))
            .collect();
        for x in &pairs {
            for y in &pairs {
                for z in &pairs {
                    let replies = [x.as_str(), y, z];
                    let at = |position: usize| {
                        let column = replies.map(|reply| reply.as_bytes()[position]);
                        let common =
                            |value: &&u8| column.iter().filter(|other| other == value).count() >= 2;
                        column.iter().find(common).map(|value| char::from(*value))
                    };
                    let expected: Option<String> = (0..2).map(at).collect();
                    let (found, how) = merged(Consistency::DcSafeQuorum, 3, &replies);
                    match expected {
                        Some(text) => assert_eq!((found, how), (text, Merge::Agreed)),
                        None => assert_eq!(how, Merge::Impossible, "{replies:?}"),
                    }
                }
            }
        }
    }
}
