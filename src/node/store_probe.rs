//! The question to the datastore whether it serves: `PING`, or memcached's `version`.
//!
//! A datastore that loads its data, wants a password, has lost its master or runs a script without end
//! accepts connections, so a connection shows nothing. It is asked once a second while a monitor asks
//! `/readyz`, and while it has been seen to refuse reads; never otherwise. How often `/readyz` is asked
//! does not matter. What `/readyz` says is the last answer, at most a second old; the first time, what
//! ordinary replies have shown.

use super::Node;
use super::flight::waiter::{Task, Waiter};
use super::ids::{ReqId, SlotId};
use super::msg::{Msg, NO_COMMAND};
use super::timers::Timer;
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::config::StoreKind;
use crate::mbuf::{Chain, Raw};
use crate::proto::failure::{self, error_word};

/// Time between two questions, in µs.
const EVERY_US: u64 = 1_000_000;
/// How long it is asked after `/readyz` was asked for, in µs.
const WATCHED_US: u64 = 60_000_000;
/// After how long without an answer the datastore counts as one that does not serve, in µs.
const PATIENCE_US: u64 = 2_000_000;
/// Most bytes of an error reply that are kept.
const SHOWN: usize = 120;

/// What is known of the datastore beyond its connections.
#[derive(Debug, Default)]
pub(super) struct StoreProbe {
    /// The last reply by which it refused reads.
    refusal: Option<String>,
    /// It has not answered the question since then, as of the last look.
    silent_since: Option<u64>,
    /// It is asked until then.
    watched_until: u64,
    /// Since when it has owed an answer to the question, in µs.
    asked: Option<u64>,
}

impl StoreProbe {
    /// Why it does not serve, if that is known.
    pub fn trouble(&self) -> Option<String> {
        let silent = || Some("does not answer".to_owned()).filter(|_| self.silent_since.is_some());
        let refusal = self.refusal.as_ref();
        refusal
            .map(|line| format!("answers {line}"))
            .or_else(silent)
    }
}

impl Node {
    /// A monitor wants to know whether the datastore serves: the datastore is asked for a while.
    pub(super) fn watch_store(&mut self, now: Now) {
        let probe = &mut self.store_probe;
        probe.watched_until = now.mono_us + WATCHED_US;
        if !self.timers.is_set(Timer::Probe) {
            self.timers.set(Timer::Probe, now.mono_us);
        }
        let late = |since: &u64| now.mono_us.saturating_sub(*since) >= PATIENCE_US;
        probe.silent_since = probe.asked.filter(late);
    }

    /// An ordinary reply says that the datastore serves no reads.
    pub(super) fn store_refused(&mut self, raw: Raw<'_>, now: Now) {
        self.store_probe.refusal = Some(shown(raw));
        self.timers.advance(Timer::Probe, now.mono_us + EVERY_US);
    }

    /// Asks the datastore, unless it still owes an answer.
    pub(super) fn probe_store(&mut self, now: Now) {
        let wanted =
            self.store_probe.watched_until > now.mono_us || self.store_probe.refusal.is_some();
        let goes_on = wanted && !self.is_draining();
        let next = goes_on.then(|| now.mono_us + EVERY_US);
        self.timers.set_or_stop(Timer::Probe, next);
        let owed = self.store_probe.asked.is_some();
        let is_up = |slot: &SlotId| {
            let store = self.upstreams.get(*slot);
            store.is_some_and(|store| store.is_up())
        };
        let slot = self.upstreams.slots_of(NodeId::ME).find(is_up);
        // While a script runs the answer is known, and the question would wait behind it.
        let asks = goes_on && !owed && !self.busy.is_on();
        let Some(slot) = slot.filter(|_| asks) else {
            return;
        };
        let question: &[u8] = match self.options.store {
            StoreKind::Redis => b"*1\r\n$4\r\nPING\r\n",
            StoreKind::Memcache => b"version\r\n",
        };
        let mut bytes = Chain::new();
        self.pool.copy(question, &mut bytes);
        let waiter = Waiter::Task(Task::StoreProbe);
        let msg = Msg::new(waiter, NO_COMMAND, bytes.len(), now.mono_us);
        let entry = self.flight.insert(msg);
        self.put_upstream(slot, entry, now, Raw::from(&bytes));
        self.store_probe.asked = Some(now.mono_us);
    }

    /// The question was lost with its connection.
    pub(super) fn probe_unheard(&mut self) {
        self.store_probe.asked = None;
    }

    /// Takes the answer to the question, which is no request that is counted.
    pub(super) fn take_probe_answer(&mut self, slot: SlotId, entry: ReqId, raw: Raw<'_>) {
        let Some(end) = self.flight.get(entry).map(|msg| msg.end) else {
            return;
        };
        self.flight.leave_front(entry);
        if let Some(store) = self.upstreams.get_mut(slot) {
            // Forgets when it was written.
            store.written_at(end);
        }
        let probe = &mut self.store_probe;
        probe.asked = None;
        probe.silent_since = None;
        let refuses = failure::is_error_reply(self.options.store, raw)
            && error_word(self.options.store, raw.start(&mut [0; SHOWN])).refuses_reads();
        probe.refusal = refuses.then(|| shown(raw));
    }
}

/// The first line of an error reply.
fn shown(raw: Raw<'_>) -> String {
    let mut room = [0; SHOWN];
    let start = raw.start(&mut room);
    let line = start.split(|byte| *byte == b'\r').next().unwrap_or(start);
    let line = line.strip_prefix(b"-").unwrap_or(line);
    String::from_utf8_lossy(line).into_owned()
}
