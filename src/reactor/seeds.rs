//! From lists of nodes to the members of the node.

use super::poller::Poller;
use crate::clock::Now;
use crate::cluster::change::{Change, changes};
use crate::cluster::member::Member;
use crate::cluster::seeds::{Decision, Desired};
use crate::config::{Note, Settings};
use crate::log_at;
use crate::logging;
use crate::node::Operator;
use crate::seeds::Provider;
use crate::stats::OwnStats;
use mio::Waker;
use std::io;
use std::sync::Arc;
use std::time::Duration;

/// How long a start waits for the first list. A node that serves before it knows the others takes
/// every key for its own; one that does not serve because nobody knows of others is of no use either.
const FIRST_LIST: Duration = Duration::from_secs(2);

/// The desired members, and the provider that lists them.
pub(super) struct Seeds {
    desired: Desired,
    poller: Option<Poller>,
    /// Counts from before the node existed.
    early: OwnStats,
}

impl Seeds {
    /// Begins to ask, and waits a little for the first list.
    pub fn start(
        settings: &Settings,
        provider: Option<Provider>,
        waker: Arc<Waker>,
        now: Now,
    ) -> io::Result<Seeds> {
        let me = Member::me(settings);
        let fixed: Vec<Member> = settings.dyn_seeds.iter().map(Member::from).collect();
        let grace = provider.as_ref().map_or(Duration::ZERO, |p| p.grace);
        let mut desired = Desired::new(me.clone(), fixed.clone(), grace);
        let poller = provider
            .map(|provider| Poller::start(provider, me, waker))
            .transpose()?;
        let mut early = OwnStats::default();
        if let Some(list) = poller.as_ref().and_then(|poller| poller.wait(FIRST_LIST)) {
            let decision = desired.listed(list, now.mono_us);
            tell(&decision.notes);
            early.seed_lists_refused += u64::from(decision.refused);
            for change in changes(&fixed, desired.members()) {
                account(&change, &mut early);
            }
        }
        Ok(Seeds {
            desired,
            poller,
            early,
        })
    }

    /// The members now, without this node.
    pub fn members(&self) -> Vec<Member> {
        self.desired.members().to_vec()
    }

    /// Takes other seeds of the configuration.
    ///
    /// # Errors
    /// Why nothing is changed.
    pub fn reconfigure(&mut self, settings: &Settings) -> Result<Option<Vec<Member>>, String> {
        let fixed = settings.dyn_seeds.iter().map(Member::from).collect();
        self.desired.reconfigure(fixed)
    }
}

impl Seeds {
    /// Adds what was counted before the node existed to its statistics.
    pub fn count_early(&mut self, node: &mut Operator<'_>) {
        let early = std::mem::take(&mut self.early);
        let own = node.own_stats();
        own.seed_lists_refused += early.seed_lists_refused;
        own.members_added += early.members_added;
        own.members_removed += early.members_removed;
        own.members_moved += early.members_moved;
    }

    /// Applies the provider's answers.
    pub fn take_lists(&mut self, node: &mut Operator<'_>, now: Now) {
        while let Some(list) = self.poller.as_ref().and_then(Poller::next) {
            if node.is_draining() {
                continue;
            }
            let Decision {
                apply,
                refused,
                notes,
            } = self.desired.listed(list, now.mono_us);
            tell(&notes);
            node.own_stats().seed_lists_refused += u64::from(refused);
            if let Some(members) = apply {
                change_members(node, members, now);
            }
        }
    }
}

/// Lets the node have other members. Logs and counts each change.
pub(super) fn change_members(node: &mut Operator<'_>, members: Vec<Member>, now: Now) {
    match node.set_members(members, now) {
        Ok(changes) => {
            for change in &changes {
                account(change, node.own_stats());
            }
        }
        // The list has been checked for all of it.
        Err(error) => log_at!(Alert, "seeds: the members stay as they are: {error}"),
    }
}

/// Logs and counts a change.
fn account(change: &Change, own: &mut OwnStats) {
    log_at!(Notice, "seeds: {change}");
    *match change {
        Change::Added(_) => &mut own.members_added,
        Change::Removed(_) => &mut own.members_removed,
        Change::Moved { .. } => &mut own.members_moved,
    } += 1;
}

/// Logs the notes.
pub(super) fn tell(notes: &[Note]) {
    for note in notes.iter().filter(|note| logging::enabled(note.level)) {
        log::log!(note.level.to_log(), "{}", note.text);
    }
}
