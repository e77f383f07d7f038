//! The members that follow from the configuration and from a provider's lists.
//!
//! | a list | consequence |
//! |---|---|
//! | names a node that is not known | the node is a member at once |
//! | names a known node at another address | the address is another at once |
//! | does not name a known node | the node stays for [`GRACE`]; it goes when a good list comes after that time and none in between has named it |
//! | would take away more than half of the other nodes, counted with those that are to go anyway | is refused, all of it |
//! | is malformed, empty, or could not be had | is refused; the last good one stays in force |
//! | says the same, in any order | nothing |
//!
//! A list never removes nodes of `dyn_seeds`; it may move them. Each decision is logged
//! once, and again only when it changes.

use super::list::Refused;
use crate::cluster::member::{Member, check};
use crate::config::{Endpoint, Note};
use crate::hashkit::Token;
use crate::logging::Level;
use std::collections::HashMap;
use std::time::Duration;

/// How long a node that is no longer listed stays.
pub const GRACE: Duration = Duration::from_secs(120);

/// The consequence of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    /// The members are these from now on; `None` leaves them as they are.
    pub apply: Option<Vec<Member>>,
    /// The list was refused.
    pub refused: bool,
    /// What to log.
    pub notes: Vec<Note>,
}

/// The members that this node should have. Times are µs of a clock that never goes backwards.
#[derive(Clone, Debug)]
pub struct Desired {
    me: Member,
    /// Those of the configuration.
    fixed: Vec<Member>,
    /// Those of the last good list.
    listed: Vec<Member>,
    /// All of them now, in the order in which they came.
    members: Vec<Member>,
    /// Members that are no longer listed, and since when.
    leaving: Vec<(Member, u64)>,
    grace_us: u64,
    /// Why the last list was refused.
    complaint: Option<String>,
    /// True if a good list has been received.
    has_list: bool,
}

impl Desired {
    /// With the members of the configuration only.
    pub fn new(me: Member, fixed: Vec<Member>, grace: Duration) -> Desired {
        Desired {
            me,
            members: fixed.clone(),
            fixed,
            listed: Vec::new(),
            leaving: Vec::new(),
            grace_us: grace.as_micros() as u64,
            complaint: None,
            has_list: false,
        }
    }

    /// The members now, without this node, in the order in which they came.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// Applies a provider's list, or the reason why there is none, as [`read`](super::read) returns it.
    pub fn listed(&mut self, list: Result<Vec<Member>, String>, now_us: u64) -> Decision {
        let listed = match list {
            Ok(listed) => listed,
            Err(why) => return self.refuse(Level::Error, why),
        };
        let quiet = self.has_list && self.complaint.is_none() && self.leaving.is_empty();
        if quiet && listed == self.listed {
            return Decision::default();
        }
        let target = union(&self.fixed, &listed);
        let still = Matches::of(&self.members, &target);
        if let Some(why) = self.loses_too_many(still.gone()) {
            return self.refuse(Level::Alert, why);
        }
        let mut notes = Vec::new();
        let mut leaving = Vec::new();
        let mut next = Vec::new();
        for (member, found) in self.members.iter().zip(&still.found) {
            let known = self.leaving.iter().find(|(gone, _)| gone == member);
            match (found, known) {
                (Some(_), None) => {}
                (Some(_), Some(_)) => notes.push(Note::new(
                    Level::Notice,
                    format!("seeds: {member} is listed again and stays"),
                )),
                (None, Some((_, since))) if now_us >= since.saturating_add(self.grace_us) => {
                    continue;
                }
                (None, Some(same)) => leaving.push(same.clone()),
                (None, None) if self.grace_us == 0 => continue,
                (None, None) => {
                    let secs = self.grace_us.div_ceil(1_000_000);
                    notes.push(Note::warn(format!(
                        "seeds: {member} is no longer listed, it is removed if that is so for {secs} s"
                    )));
                    leaving.push((member.clone(), now_us));
                }
            }
            next.push((member, *found));
        }
        let next = merged(next, &target);
        if let Err(why) = self.is_cluster(&next) {
            return self.refuse(Level::Error, why);
        }
        if self.complaint.take().is_some() {
            notes.push(Note::new(
                Level::Notice,
                "seeds: the list is good again".to_owned(),
            ));
        }
        if !std::mem::replace(&mut self.has_list, true) {
            let text = format!("seeds: the first list has {} other nodes", listed.len());
            notes.push(Note::new(Level::Notice, text));
        }
        self.leaving = leaving;
        self.listed = listed;
        Decision {
            apply: self.become_members(next),
            refused: false,
            notes,
        }
    }

    /// Replaces the members of the configuration. Nodes that only the old configuration had are removed
    /// at once: an edit of the file is deliberate.
    ///
    /// # Errors
    /// Nothing is changed: the list would remove more than half of the other nodes at once, or
    /// cannot form a cluster.
    pub fn reconfigure(&mut self, fixed: Vec<Member>) -> Result<Option<Vec<Member>>, String> {
        let target = union(&fixed, &self.listed);
        let still = Matches::of(&self.members, &target);
        let mut gone = 0;
        let mut next = Vec::new();
        for (member, found) in self.members.iter().zip(&still.found) {
            let leaves = self.leaving.iter().any(|(leaving, _)| leaving == member);
            if found.is_some() || leaves {
                next.push((member, *found));
            } else {
                gone += 1;
            }
        }
        if let Some(why) = self.loses_too_many(gone) {
            return Err(why);
        }
        let next = merged(next, &target);
        self.is_cluster(&next)?;
        self.fixed = fixed;
        Ok(self.become_members(next))
    }

    /// Returns the complaint if a list may not remove this many members.
    fn loses_too_many(&self, gone: usize) -> Option<String> {
        let all = self.members.len();
        (gone * 2 > all).then(|| {
            format!(
                "it would remove {gone} of {all} other nodes, more than half: remove them in smaller steps, or restart this node"
            )
        })
    }

    fn is_cluster(&self, members: &[Member]) -> Result<(), String> {
        let mut all = vec![self.me.clone()];
        all.extend_from_slice(members);
        check(&all).map_err(|error| error.to_string())
    }

    fn become_members(&mut self, next: Vec<Member>) -> Option<Vec<Member>> {
        (next != self.members).then(|| {
            self.members = next.clone();
            next
        })
    }

    /// Keeps the last good list in force. Logged once for each reason.
    fn refuse(&mut self, level: Level, why: String) -> Decision {
        let mut notes = Vec::new();
        if self.complaint.as_ref() != Some(&why) {
            let kept = match self.has_list {
                true => "the last good one stays in force",
                false => "only the nodes of dyn_seeds are known",
            };
            let text = format!("seeds: the list is not used, {kept}: {why}");
            notes.push(Note::new(level, text));
            self.complaint = Some(why);
        }
        Decision {
            apply: None,
            refused: true,
            notes,
        }
    }
}

impl From<Refused> for String {
    fn from(refused: Refused) -> String {
        refused.to_string()
    }
}

type Place<'a> = (&'a str, &'a str, Token);

fn places(member: &Member) -> impl Iterator<Item = Place<'_>> {
    let place = |token| (member.dc.as_str(), member.rack.as_str(), token);
    member.tokens.iter().copied().map(place)
}

fn index(members: &[Member]) -> HashMap<Place<'_>, usize> {
    let numbered = members.iter().enumerate();
    numbered
        .flat_map(|(n, member)| places(member).map(move |place| (place, n)))
        .collect()
}

/// For each member the one of another list that has a token of its, in the same rack.
struct Matches {
    found: Vec<Option<usize>>,
}

impl Matches {
    fn of(members: &[Member], others: &[Member]) -> Matches {
        let index = index(others);
        let find = |member| places(member).find_map(|place| index.get(&place).copied());
        Matches {
            found: members.iter().map(find).collect(),
        }
    }

    fn gone(&self) -> usize {
        self.found.iter().filter(|found| found.is_none()).count()
    }
}

/// The union of both. For a node in both, the list is newer, except for the name, which
/// only the configuration can give.
fn union(fixed: &[Member], listed: &[Member]) -> Vec<Member> {
    let mut listed = listed.to_vec();
    let known = Matches::of(fixed, &listed).found;
    let mut all = Vec::new();
    for (member, known) in fixed.iter().zip(known) {
        match known.and_then(|at| listed.get_mut(at)) {
            None => all.push(member.clone()),
            Some(newer) if !is_named_by_host(member) => newer.name = member.name.clone(),
            Some(_) => {}
        }
    }
    all.append(&mut listed);
    all
}

fn is_named_by_host(member: &Member) -> bool {
    matches!(&member.endpoint, Endpoint::Tcp { host, .. } if *host == member.name)
}

/// The members that stay, as the target has them, then its others.
fn merged(staying: Vec<(&Member, Option<usize>)>, target: &[Member]) -> Vec<Member> {
    let mut placed = vec![false; target.len()];
    let mut next = Vec::new();
    for (member, found) in staying {
        let Some(at) = found else {
            next.push(member.clone());
            continue;
        };
        // Two old members may have become one.
        if let (Some(done), Some(now)) = (placed.get_mut(at), target.get(at))
            && !std::mem::replace(done, true)
        {
            next.push(now.clone());
        }
    }
    let new = target.iter().zip(placed).filter(|(_, placed)| !placed);
    next.extend(new.map(|(member, _)| member.clone()));
    next
}

#[cfg(test)]
mod tests;
