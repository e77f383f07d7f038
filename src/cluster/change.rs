//! The differences between two lists of members.

use super::member::Member;
use std::fmt;

/// One difference. A member is identified by datacenter, rack and tokens; its address may change.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It was not in the list.
    Added(Member),
    /// It is no longer in the list.
    Removed(Member),
    /// It has another address, or another name.
    Moved {
        /// The member before the change.
        from: Member,
        /// The member after the change.
        to: Member,
    },
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Change::Added(member) => write!(f, "{member} joins"),
            Change::Removed(member) => write!(f, "{member} leaves"),
            Change::Moved { from, to } => write!(f, "{from} is now at {}", to.endpoint),
        }
    }
}

/// Returns true if two members are the same node, perhaps at two addresses.
pub fn is_same(one: &Member, other: &Member) -> bool {
    one.dc == other.dc && one.rack == other.rack && one.tokens == other.tokens
}

/// Returns the changes that turn the first list into the second: removed members in the order of the first
/// list, then added and moved members in the order of the second.
pub fn changes(before: &[Member], after: &[Member]) -> Vec<Change> {
    let gone = before
        .iter()
        .filter(|old| !after.iter().any(|new| is_same(old, new)));
    let new = after.iter().filter_map(|new| {
        let mut twins = before.iter().filter(|old| is_same(old, new));
        if twins.clone().any(|old| old == new) {
            return None;
        }
        Some(match twins.next() {
            Some(old) => Change::Moved {
                from: old.clone(),
                to: new.clone(),
            },
            None => Change::Added(new.clone()),
        })
    });
    gone.cloned().map(Change::Removed).chain(new).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Endpoint;
    use crate::hashkit::Token;

    fn member(host: &str, rack: &str, token: u32) -> Member {
        Member {
            name: host.to_owned(),
            endpoint: Endpoint::Tcp {
                host: host.to_owned(),
                port: 8101,
            },
            dc: "dc".to_owned(),
            rack: rack.to_owned(),
            tokens: vec![Token::of_hash(token)],
        }
    }

    #[test]
    fn a_member_is_known_by_rack_and_token() {
        let before = [
            member("a", "r1", 1),
            member("b", "r1", 2),
            member("c", "r2", 1),
        ];
        let after = [
            member("a", "r1", 1),
            member("d", "r2", 1),
            member("b", "r2", 2),
        ];
        assert_eq!(
            changes(&before, &after),
            [
                Change::Removed(before[1].clone()),
                Change::Moved {
                    from: before[2].clone(),
                    to: after[1].clone()
                },
                Change::Added(after[2].clone()),
            ]
        );
        assert_eq!(changes(&before, &before), []);
        let turned: Vec<Member> = before.iter().rev().cloned().collect();
        assert_eq!(changes(&before, &turned), [], "the order does not matter");
    }
}
