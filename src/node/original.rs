//! What a C node is asked instead of what it does not know.
//!
//! A C node closes the connection at a request its parser does not know. What can be said in words it
//! knows is said so, on the same connection in the same order, and its reply is turned into the one to
//! the client's own request; what cannot be said gets an error here.

use super::Node;
use super::flight::waiter::Waiter;
use super::frame::Frames;
use super::ids::{ReqId, SlotId};
use super::memcache::first_line;
use super::msg::{Flags, Msg};
use crate::clock::Now;
use crate::config::StoreKind;
use crate::log_at;
use crate::mbuf::{Chain, Raw};
use crate::proto::Failure;
use crate::proto::memcache::line::{self, Outcome};
use crate::proto::redis::command::command;
use crate::proto::redis::{encode, request};
use crate::proto::{dnode, legacy};

/// What is sent to a C node in place of a request.
pub(super) enum Instead {
    /// The request as it stands.
    Itself,
    /// These: requests whose replies nobody waits for, the one that has the answer, and more such.
    Requests {
        before: Vec<Chain>,
        this: Chain,
        after: Vec<Chain>,
    },
    /// This, which has the same reply.
    Reworded(Chain),
    /// Nothing; this is the answer.
    Refused(&'static str),
}

impl Node {
    /// What is sent to a C node in place of a request with this row in the table of commands.
    pub(super) fn instead(&self, row: u16, raw: Raw<'_>, now: Now) -> Instead {
        match self.options.store {
            StoreKind::Redis => self.instead_of_redis(row, raw),
            StoreKind::Memcache => self.instead_of_memcache(raw, now),
        }
    }

    fn instead_of_redis(&self, row: u16, raw: Raw<'_>) -> Instead {
        let Some(command) = command(row) else {
            return Instead::Itself;
        };
        raw.with_bytes(|bytes| {
            let args: Vec<&[u8]> = request::arguments(bytes).collect();
            let first = args.get(1).copied().unwrap_or_default();
            if legacy::redis::is_plain(command, args.len(), first, legacy::redis::LONGEST_KEY) {
                return Instead::Itself;
            }
            if let Some(words) = legacy::redis::with_key(command, &args) {
                let mut text = Vec::new();
                encode::command(&mut text, &words);
                let mut other = Chain::new();
                self.pool.copy(&text, &mut other);
                return Instead::Reworded(other);
            }
            match legacy::redis::form(command, &args, legacy::redis::LONGEST_KEY) {
                legacy::redis::Form::Plain => Instead::Itself,
                legacy::redis::Form::Refused(refusal) => Instead::Refused(refusal.line()),
                legacy::redis::Form::Carried(carrier) => {
                    let mut text = Vec::new();
                    carrier.encode(&args, &mut text);
                    let mut this = Chain::new();
                    self.pool.copy(&text, &mut this);
                    Instead::Requests {
                        before: Vec::new(),
                        this,
                        after: Vec::new(),
                    }
                }
            }
        })
    }

    fn instead_of_memcache(&self, raw: Raw<'_>, now: Now) -> Instead {
        let line = first_line(raw);
        let Outcome::Call(call) = line::read(&line) else {
            return Instead::Itself;
        };
        let mut text = Vec::new();
        let (calls, answer) = match legacy::memcache::form(&call, now.unix_secs(), &mut text) {
            legacy::memcache::Form::Plain => return Instead::Itself,
            legacy::memcache::Form::Refused(refusal) => return Instead::Refused(refusal.line()),
            legacy::memcache::Form::Translated { calls, answer } => (calls, answer),
        };
        let written = calls
            .iter()
            .map(|call| self.rewritten(call, line.len(), raw));
        let mut before: Vec<Chain> = written.collect();
        let after = before.split_off((answer + 1).min(before.len()));
        match before.pop() {
            Some(this) => Instead::Requests {
                before,
                this,
                after,
            },
            None => Instead::Itself,
        }
    }

    /// Sends a request to a peer beside another one; nobody waits for its reply.
    pub(super) fn send_beside(
        &mut self,
        slot: SlotId,
        now: Now,
        kind: dnode::Kind,
        request: &Chain,
    ) {
        let id = self.next_wire_id();
        let mut msg = Msg::new(
            Waiter::Nobody,
            super::msg::NO_COMMAND,
            request.len(),
            now.mono_us,
        );
        msg.flags = Flags::WRITE;
        let entry = self.flight.insert(msg);
        let mut frames = Frames::new(id, Raw::from(request));
        self.send_to_peer(slot, entry, now, kind, &mut frames);
    }

    /// Notes that a C node answers something else than this request.
    pub(super) fn note_instead(&mut self, entry: ReqId, raw: Raw<'_>) {
        let Some(msg) = self.flight.get_mut(entry) else {
            return;
        };
        msg.flags = msg.flags.with(Flags::CARRIED);
        // The reply is understood by the request.
        if self.options.store == StoreKind::Memcache && !msg.flags.has(Flags::KEPT) {
            self.pool.copy(&first_line(raw), &mut msg.reply);
        }
    }

    /// Answers a request that a C node was asked in other words; `request` is how it began, unless it
    /// was to Redis.
    pub(super) fn finish_carried(&mut self, entry: ReqId, now: Now, request: &Chain, raw: Raw<'_>) {
        let mut reply = Chain::new();
        raw.append_to(&mut reply);
        let understood = match self.options.store {
            StoreKind::Redis => legacy::carrier::unwrap(reply).map_err(|reason| reason.to_string()),
            StoreKind::Memcache => match line::read(&first_line(Raw::from(request))) {
                Outcome::Call(call) => {
                    legacy::memcache::reply(&call, &reply, &self.pool).map_err(str::to_owned)
                }
                Outcome::Answer { .. } | Outcome::Quit => Ok(reply),
            },
        };
        match understood {
            Ok(reply) => self.finish_raw(entry, now, Raw::from(&reply)),
            Err(reason) => {
                log_at!(
                    Warn,
                    "the reply of a C node to a rewritten request cannot be used: {reason}"
                );
                self.finish_failed(entry, now, Failure::Internal);
            }
        }
    }
}
