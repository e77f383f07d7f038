//! Requests that a C node does not know, rewritten for it.
//!
//! A C node closes the connection at a request its parser does not know. A request that can be expressed in commands it
//! knows is sent so, on the same connection in the same order, and the reply is turned into the one to
//! the client's own request; any other request gets an error here.

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

/// The form in which a C node gets a request.
pub(super) enum LegacyRewrite {
    /// The request, unchanged.
    AsItStands,
    /// Several requests: extra ones whose replies are not awaited, the one whose reply is the answer, and more extra
    /// ones.
    Requests {
        before: Vec<Chain>,
        request: Chain,
        after: Vec<Chain>,
    },
    /// One request in other words, with the same reply.
    Reworded(Chain),
    /// Nothing: this error line is the answer.
    Refused(&'static str),
}

impl Node {
    /// Rewrites a request with this row in the table of commands for a C node.
    pub(super) fn legacy_rewrite(&self, row: u16, raw: Raw<'_>, now: Now) -> LegacyRewrite {
        match self.options.store {
            StoreKind::Redis => self.legacy_redis(row, raw),
            StoreKind::Memcache => self.legacy_memcache(raw, now),
        }
    }

    fn legacy_redis(&self, row: u16, raw: Raw<'_>) -> LegacyRewrite {
        let Some(command) = command(row) else {
            return LegacyRewrite::AsItStands;
        };
        raw.with_bytes(|bytes| {
            let args: Vec<&[u8]> = request::arguments(bytes).collect();
            let first = args.get(1).copied().unwrap_or_default();
            if legacy::redis::is_plain(command, args.len(), first, legacy::redis::LONGEST_KEY) {
                return LegacyRewrite::AsItStands;
            }
            if let Some(words) = legacy::redis::with_key(command, &args) {
                let mut text = Vec::new();
                encode::command(&mut text, &words);
                let mut other = Chain::new();
                self.pool.copy(&text, &mut other);
                return LegacyRewrite::Reworded(other);
            }
            match legacy::redis::form(command, &args, legacy::redis::LONGEST_KEY) {
                legacy::redis::Form::Plain => LegacyRewrite::AsItStands,
                legacy::redis::Form::Refused(refusal) => LegacyRewrite::Refused(refusal.line()),
                legacy::redis::Form::Carried(carrier) => {
                    let mut text = Vec::new();
                    carrier.encode(&args, &mut text);
                    let mut request = Chain::new();
                    self.pool.copy(&text, &mut request);
                    LegacyRewrite::Requests {
                        before: Vec::new(),
                        request,
                        after: Vec::new(),
                    }
                }
            }
        })
    }

    fn legacy_memcache(&self, raw: Raw<'_>, now: Now) -> LegacyRewrite {
        let line = first_line(raw);
        let Outcome::Call(call) = line::read(&line) else {
            return LegacyRewrite::AsItStands;
        };
        let mut text = Vec::new();
        let (calls, answer) = match legacy::memcache::form(&call, now.unix_secs(), &mut text) {
            legacy::memcache::Form::Plain => return LegacyRewrite::AsItStands,
            legacy::memcache::Form::Refused(refusal) => {
                return LegacyRewrite::Refused(refusal.line());
            }
            legacy::memcache::Form::Translated { calls, answer } => (calls, answer),
        };
        let written = calls
            .iter()
            .map(|call| self.rewritten(call, line.len(), raw));
        let mut before: Vec<Chain> = written.collect();
        let after = before.split_off((answer + 1).min(before.len()));
        match before.pop() {
            Some(request) => LegacyRewrite::Requests {
                before,
                request,
                after,
            },
            None => LegacyRewrite::AsItStands,
        }
    }

    /// Sends a peer an extra request, whose reply is not awaited.
    pub(super) fn send_extra(
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

    /// Notes that a C node was sent this request in other words.
    pub(super) fn note_rewritten(&mut self, entry: ReqId, raw: Raw<'_>) {
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
