//! Whether a node's bookkeeping agrees with itself.
//!
//! Much of what a node knows stands in two places, so that it need not be counted over and over: how many
//! requests of a queue have expired beside the queue, who waits beside the list of those who wait.
//! [`Node::check`] counts it all, for simulators and fuzz targets to call after each step. A running node does
//! not; where it comes upon a contradiction by itself, it counts it, says so, and leaves what it was about to
//! do undone ([`Node::contradiction`]).

use super::Node;
use super::front::{Front, Reading};
use super::ids::{FrontId, JudgeId};
use super::msg::{Flags, Msg};
use super::timers::Timer;
use crate::log_at;
use std::collections::HashMap;

impl Node {
    /// Takes note of a contradiction in the node's own bookkeeping, which is a bug. Whatever was about to be
    /// done is not: a client that gets no answer is better off than one that gets somebody else's.
    #[cold]
    pub(super) fn contradiction(&mut self, what: &'static str) {
        self.stats.own.contradictions += 1;
        log_at!(
            Alert,
            "internal error: {what}. Please report this with the log lines before it"
        );
    }

    /// Whether the node's bookkeeping agrees with itself, as it must between two turns.
    ///
    /// Costs time in proportion to all that is under way.
    ///
    /// # Errors
    /// The first contradiction found, in words.
    pub fn check(&self) -> Result<(), String> {
        if self.stats.own.contradictions > 0 {
            return Err("the node has come upon a contradiction by itself".into());
        }
        Audit(self).run()
    }

    /// Counts a request as overdue that is not. For simulators and fuzz targets, to see that they would notice.
    #[doc(hidden)]
    pub fn miscount(&mut self) {
        if let Some(upstream) = self.upstreams.iter_mut().next() {
            upstream.overdue[0].count += 1;
            upstream.overdue[0].since = u64::MAX / 4;
        }
    }
}

/// A look at all of a node's bookkeeping.
struct Audit<'a>(&'a Node);

impl Audit<'_> {
    fn run(&self) -> Result<(), String> {
        self.check_upstreams()?;
        self.check_fronts()?;
        self.check_msgs()?;
        self.check_timers()?;
        self.check_gauges()
    }

    fn check_upstreams(&self) -> Result<(), String> {
        for (slot, upstream) in self.0.upstreams.slots().zip(self.0.upstreams.iter()) {
            let of = |why: String| format!("{}: {why}", upstream.id);
            if let Some(why) = upstream.contradiction(&self.0.flight.msgs) {
                return Err(of(why));
            }
            let due = self.0.upstream_deadline(slot);
            // A second attempt at a read may be the next to be due that stands behind younger requests. It has a timer of
            // its own, and what is due on upstreams is looked at when either is.
            let noted = self.0.timers.first(&[Timer::Upstreams, Timer::Retries]);
            if due.is_some_and(|at| noted.is_none_or(|noted| at < noted)) {
                return Err(of(format!(
                    "due at {due:?}, before {noted:?}, the earliest"
                )));
            }
            if upstream.listed.is_listed() && !self.0.out.lists(upstream.id) {
                return Err(of("to be flushed, and in no list of such".into()));
            }
            if upstream.is_backlogged() && !self.0.upstreams.is_noted(slot) {
                return Err(of("its backlog is large, and in no list of such".into()));
            }
            if !upstream.anew.is_empty() && !upstream.anew.is_awaited() {
                return Err(of("requests are parked, and nothing is awaited".into()));
            }
        }
        let noted = self.0.timers.at(Timer::Retries);
        match self.0.flight.retries.next_us() {
            Some(at) if noted.is_none_or(|noted| at < noted) => {
                Err("a second attempt is due earlier".into())
            }
            _ => Ok(()),
        }
    }

    fn check_fronts(&self) -> Result<(), String> {
        for (key, front) in self.0.fronts.iter() {
            self.check_front(key, front)
                .map_err(|why| format!("{}: {why}", front.id))?;
        }
        Ok(())
    }

    fn check_front(&self, key: FrontId, front: &Front) -> Result<(), String> {
        let (mut count, mut tail, mut waiting) = (0, None, 0);
        for (entry, msg) in front.queue.iter(&self.0.flight.msgs) {
            if msg.front() != Some(key) {
                return Err("a message in its queue is another's".into());
            }
            if msg.is_answered() {
                if count == 0 {
                    return Err("its oldest request is answered, and it is not told".into());
                }
                waiting += msg.reply.len();
            }
            (count, tail) = (count + 1, Some(entry));
        }
        if count != front.queue.len() || tail != front.queue.tail() {
            return Err(format!(
                "{count} messages in a queue of {}",
                front.queue.len()
            ));
        }
        if waiting != front.waiting {
            let noted = front.waiting;
            return Err(format!(
                "{waiting} bytes of replies wait, and {noted} are noted"
            ));
        }
        if front.listed.is_listed() && !self.0.out.lists(front.id) {
            return Err("to be flushed, and in no list of such".into());
        }
        let is_woken = match front.reading {
            Reading::On | Reading::Off => true,
            Reading::Full => !front.has_drained(),
            Reading::Waiting => self.0.pressure.is_awaited_by(front.id),
            Reading::Ordered => {
                front.steps.is_some()
                    || !front.may_ask_on()
                    || self.0.client_pause.is_some()
                    || self.0.in_order.contains(&front.id)
            }
        };
        match is_woken {
            true => Ok(()),
            false => Err(format!("{:?}, and nothing lets it go on", front.reading)),
        }
    }

    /// Each message stands where it says, and each judge waits for what is still to come.
    fn check_msgs(&self) -> Result<(), String> {
        let mut parts: HashMap<JudgeId, u16> = HashMap::new();
        let (mut queued, mut awaited, mut judged) = (0, 0, 0);
        for (key, msg) in self.0.flight.msgs.iter() {
            if msg.is_over() {
                return Err(format!(
                    "nobody needs message {key:?}, and it is kept: {msg:?}"
                ));
            }
            queued += u64::from(msg.flags.has(Flags::QUEUED));
            awaited += u64::from(msg.front().is_some());
            judged += usize::from(msg.judge.is_some());
            if let Some(parent) = msg.parent() {
                let parent = self.0.flight.get(parent);
                let Some(judge) = parent.and_then(|parent| parent.judge) else {
                    return Err(format!("message {key:?} is a part of none: {msg:?}"));
                };
                *parts.entry(judge).or_default() += 1;
            }
        }
        let in_queues: u64 = self
            .0
            .upstreams
            .iter()
            .map(|of| u64::from(of.queue.len()))
            .sum();
        let parked: usize = self.0.upstreams.iter().map(|of| of.anew.len()).sum();
        let is_parked = |msg: &Msg| msg.flags.has(Flags::PARKED);
        let noted = self
            .0
            .flight
            .msgs
            .iter()
            .filter(|(_, msg)| is_parked(msg))
            .count();
        if noted != parked {
            return Err(format!(
                "{noted} messages are parked, and {parked} stand in queues"
            ));
        }
        if queued != in_queues + self.0.parked_writes.len().0 as u64 {
            return Err(format!(
                "{queued} messages are sent, and {in_queues} stand in queues"
            ));
        }
        let in_fronts: u64 = self
            .0
            .fronts
            .iter()
            .map(|(_, of)| u64::from(of.queue.len()))
            .sum();
        let aside = self.0.parked_writes.aside() as u64;
        if !(in_fronts..=in_fronts + aside).contains(&awaited) {
            return Err(format!(
                "{awaited} messages are awaited, and {in_fronts} stand in queues"
            ));
        }
        let (mut count, mut answered) = (0, 0);
        for (place, missing, done) in self.0.flight.judges.iter() {
            let parts = parts.get(&place).copied().unwrap_or(0);
            if parts != missing {
                return Err(format!(
                    "{parts} parts are under way, and {missing} awaited"
                ));
            }
            count += 1;
            answered += usize::from(done);
        }
        if (count, answered) != (judged, self.0.flight.judges.answered()) {
            return Err(format!(
                "{count} judges for {judged} messages, {answered} of them answered"
            ));
        }
        Ok(())
    }

    /// What has a time limit has a timer.
    fn check_timers(&self) -> Result<(), String> {
        if self.0.timers.at(Timer::ParkedWrites) != self.0.parked_writes.next_us() {
            return Err("the oldest held write has no timer".into());
        }
        for (timer, runs) in [
            (Timer::Members, self.0.prepared.is_some()),
            (Timer::ClientPause, self.0.client_pause.is_some()),
            (Timer::Sweep, true),
        ] {
            if self.0.timers.is_set(timer) != runs {
                return Err(format!("{timer:?} is needed: {runs}, and set: {}", !runs));
            }
        }
        Ok(())
    }

    /// What is shown is what is there.
    fn check_gauges(&self) -> Result<(), String> {
        let peers = self
            .0
            .upstreams
            .iter()
            .filter(|of| !of.is_store() && of.is_up());
        let pool = &self.0.stats.pool;
        let shown = [
            pool.client_connections,
            pool.dnode_client_connections,
            pool.peer_connections,
        ];
        let there = [
            self.0.fronts.clients.len() as u64,
            self.0.fronts.peers.len() as u64,
            peers.count() as u64,
        ];
        match shown == there {
            true => Ok(()),
            false => Err(format!("connections: {there:?}, and {shown:?} are shown")),
        }
    }
}
