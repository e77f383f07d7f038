//! A datastore that is busy with a script, and the replies to requests meanwhile.
//!
//! A script that runs for longer than Redis' `busy-reply-threshold` makes Redis answer `BUSY` to everybody,
//! but not on the connection the script came on: there it reads nothing until the script has ended. That
//! connection is the one all clients share, so the node asks for them: when the oldest request of a
//! datastore connection is a script that has been without an answer for a while, it sends `PING` on a
//! connection of its own ([`super::side`]), again and again while the script runs. While the answer is
//! `BUSY`
//!
//! | request | gets |
//! |---|---|
//! | one that comes now, but for those that may run beside a script | Redis' `BUSY` line at once; it is not sent |
//! | one that waits behind the script | that line in place of an error of the node's when its time is over; it may still be run when the script has ended, as any request that takes too long |
//! | the script itself | the error of any request that takes too long |
//!
//! and the connection does not count as dead, however long it says nothing. A read at `DC_ONE` goes to
//! another rack instead, if it may. The first byte on the script's connection ends this, and so does any
//! other answer to `PING`. Redis itself answers nothing to anybody before `busy-reply-threshold`.

use super::Node;
use super::flight::lost::{Fate, Lost};
use super::flight::waiter::{Task, Waiter};
use super::ids::{ReqId, SlotId};
use super::msg::{Flags, Msg, NO_COMMAND};
use super::timers::Timer;
use crate::clock::Now;
use crate::cluster::id::NodeId;
use crate::log_at;
use crate::mbuf::{Chain, Raw};
use crate::proto::redis::command::{Command, command};

/// How Redis' answer begins while a script runs. (`-BUSYGROUP` and `-BUSYKEY` are something else.)
const BUSY: &[u8] = b"-BUSY ";
/// The longest such line that is repeated to clients, in bytes.
const LONGEST: usize = 512;
/// The longest time between two questions, in µs; else it is a quarter of `timeout`.
const PATIENCE_US: u64 = 1_000_000;
/// The shortest, in µs.
const HASTE_US: u64 = 10_000;

/// What is known of scripts that keep the datastore busy.
#[derive(Debug, Default)]
pub(super) struct Busy {
    /// The question is under way.
    asked: bool,
    /// The slot of the connection that the script came on.
    slot: Option<SlotId>,
    /// What Redis says; empty while it is not busy.
    line: Vec<u8>,
}

impl Busy {
    /// Returns true if the datastore was busy when it was last asked.
    #[inline]
    pub fn is_on(&self) -> bool {
        !self.line.is_empty()
    }

    /// Why the datastore does not serve, while a script keeps it busy.
    pub fn trouble(&self) -> Option<String> {
        let line = String::from_utf8_lossy(&self.line);
        let line = line.trim_end().trim_start_matches('-');
        self.is_on().then(|| format!("answers {line}"))
    }
}

/// Returns true if a reply says that a script keeps the datastore from serving anything else.
pub(super) fn is_busy_line(raw: Raw<'_>) -> bool {
    raw.start(&mut [0; BUSY.len()]) == BUSY
}

impl Node {
    /// How long a script runs before the node asks whether the datastore is busy, in µs.
    fn busy_patience(&self) -> u64 {
        (self.options.timeout_us / 4).clamp(HASTE_US, PATIENCE_US)
    }

    /// Notes that a request which may be a script is about to be sent.
    pub(super) fn watch_script(&mut self, command: &Command, now: Now) {
        if command.runs_script() {
            let at = now.mono_us + self.busy_patience();
            self.timers.advance(Timer::Scripts, at);
        }
    }

    /// Asks whether the datastore is busy if a script keeps a connection waiting.
    pub(super) fn look_for_scripts(&mut self, now: Now) {
        let stores = self.upstreams.slots_of(NodeId::ME);
        let since = now.mono_us.saturating_sub(self.busy_patience() / 2);
        let blocked = stores
            .clone()
            .find(|&slot| self.waits_for_script(slot, since));
        if let Some(slot) = blocked
            && !self.busy.asked
        {
            self.busy.slot = Some(slot);
            self.ask_if_busy(now);
        }
        let mut stores = stores.filter_map(|slot| self.upstreams.get(slot));
        let under_way = stores.any(|store| !store.queue.is_empty());
        let next = now.mono_us + self.busy_patience();
        let next = under_way.then_some(next);
        self.timers.set_or_stop(Timer::Scripts, next);
    }

    /// Returns true if the oldest request of a connection is a script, which has been written, and nothing
    /// has come since this time.
    fn waits_for_script(&self, slot: SlotId, since: u64) -> bool {
        let Some(store) = self.upstreams.get(slot) else {
            return false;
        };
        let head = store.queue.head();
        let head = head.and_then(|entry| self.flight.get(entry));
        store.is_up()
            && store.heard <= since
            && head.is_some_and(|msg| {
                msg.end <= store.written && command(msg.command).is_some_and(Command::runs_script)
            })
    }

    fn ask_if_busy(&mut self, now: Now) {
        let mut ping = Chain::new();
        self.pool.copy(b"*1\r\n$4\r\nPING\r\n", &mut ping);
        let waiter = Waiter::Task(Task::Busy);
        let msg = Msg::new(waiter, NO_COMMAND, ping.len(), now.mono_us);
        let entry = self.flight.insert(msg);
        self.busy.asked = true;
        self.send_aside(entry, now, Raw::from(&ping));
    }

    /// The node's own question was lost with its connection.
    pub(super) fn busy_unheard(&mut self) {
        self.busy.asked = false;
    }

    /// Takes in the reply to the node's own question.
    pub(super) fn hear_busy(&mut self, now: Now, raw: Raw<'_>) {
        self.busy.asked = false;
        let since = now.mono_us;
        let slot = self.busy.slot;
        let blocked = slot.filter(|&slot| self.waits_for_script(slot, since));
        let Some(slot) = blocked.filter(|_| is_busy_line(raw)) else {
            return self.end_busy();
        };
        // The datastore has spoken, if only elsewhere.
        if let Some(store) = self.upstreams.get_mut(slot) {
            store.heard = now.mono_us;
        }
        if self.busy.is_on() {
            return;
        }
        let line = match raw.len() <= LONGEST {
            true => raw.with_bytes(<[u8]>::to_vec),
            false => [BUSY, b"Redis is busy running a script\r\n"].concat(),
        };
        self.busy.line = line;
        log_at!(
            Warn,
            "the datastore is busy running a script: other requests are refused until it ends or SCRIPT KILL or FUNCTION KILL ends it"
        );
        self.regate();
    }

    /// The datastore serves requests again, or its state is unknown.
    pub(super) fn end_busy(&mut self) {
        if self.busy.is_on() {
            self.busy.line.clear();
            log_at!(Notice, "the datastore is no longer busy running a script");
            self.regate();
        }
    }

    /// Something has come on a connection to the datastore.
    #[inline]
    pub(super) fn store_spoke(&mut self, slot: SlotId) {
        if self.busy.is_on() && self.busy.slot == Some(slot) {
            self.end_busy();
        }
    }

    /// A connection to the datastore is lost.
    pub(super) fn forget_busy(&mut self, slot: SlotId) {
        if self.upstreams.is_side(slot) || self.busy.slot == Some(slot) {
            self.end_busy();
        }
    }

    /// Answers a request that the datastore is too busy for. Returns false if it may be sent.
    pub(super) fn refuses_as_busy(&mut self, entry: ReqId, now: Now) -> bool {
        let Some(msg) = self.flight.get(entry).filter(|_| self.busy.is_on()) else {
            return false;
        };
        if msg.flags.has(Flags::BESIDE_SCRIPTS) {
            return false;
        }
        if self.flight.lost(entry, Lost::Refused) != Fate::Awaited {
            return true;
        }
        if !self.fail_over(entry, now, NodeId::ME) {
            self.answer_busy(entry, now);
        }
        true
    }

    /// Answers a request that has waited too long behind a script. Returns false if it has not.
    pub(super) fn expires_as_busy(&mut self, slot: SlotId, entry: ReqId, now: Now) -> bool {
        let store = self.upstreams.get(slot);
        let first = store.and_then(|store| store.queue.head());
        if !self.busy.is_on() || self.busy.slot != Some(slot) || first == Some(entry) {
            return false;
        }
        if !self.fail_over(entry, now, NodeId::ME) {
            self.answer_busy(entry, now);
        }
        true
    }

    fn answer_busy(&mut self, entry: ReqId, now: Now) {
        let mut line = Chain::new();
        self.pool.copy(&self.busy.line, &mut line);
        if let Some(msg) = self.flight.get_mut(entry) {
            // Nor does the answer wait for the script's.
            msg.flags = msg.flags.with(Flags::BESIDE_SCRIPTS);
        }
        self.finish_raw(entry, now, Raw::from(&line));
    }
}
