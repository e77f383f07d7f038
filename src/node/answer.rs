//! From a reply to the client's output, in the order of the client's requests.

use super::client::{Client, Raw, Reading, reply_flags};
use super::msg::{Flags, Msg, NONE};
use super::{Action, Node, limits};
use crate::clock::Now;
use crate::log_at;
use crate::mbuf::Chain;
use crate::proto::redis::resp3;

impl Node {
    /// Answers a request with a reply made here.
    pub(super) fn finish(&mut self, entry: u32, now: Now, reply: &[u8]) {
        let mut chain = Chain::new();
        self.pool.copy(reply, &mut chain);
        self.finish_raw(entry, now, Raw::Spread(&chain));
    }

    /// Answers a request. If it is the client's oldest, the reply goes straight to the output, and
    /// with it what was only waiting for it.
    #[inline]
    pub(super) fn finish_raw(&mut self, entry: u32, now: Now, raw: Raw<'_>) {
        let Some(msg) = self.msgs.get_mut(entry as usize) else {
            return;
        };
        let Some(client) = self.clients.get_mut(msg.client as usize) else {
            return;
        };
        if raw.first_byte() == Some(b'-') {
            self.stats.pool.forward_error += 1;
        }
        if client.queue.head() != Some(entry) || msg.flags.has(Flags::RESP3) {
            if msg.flags.has(Flags::RESP3) && !raw.is_identity(msg.form) {
                let converted = &mut self.converted;
                raw.with_bytes(|reply| resp3::convert(msg.form, reply, converted));
                self.pool.copy(converted, &mut msg.reply);
                converted.clear();
                converted.shrink_to(limits::CONVERTED_KEPT);
            } else {
                raw.append_to(&mut msg.reply);
            }
            msg.flags = msg.flags.with(Flags::DONE);
            if client.queue.head() != Some(entry) {
                return;
            }
        } else {
            if !msg.flags.has(Flags::SILENT) {
                raw.append_to(&mut client.out);
            }
            msg.flags = msg.flags.with(Flags::DONE);
        }
        self.release(now, msg_client(&self.msgs, entry));
    }

    /// Puts every answer that is known and due into the client's output.
    fn release(&mut self, now: Now, key: u32) {
        let Some(client) = self.clients.get_mut(key as usize) else {
            return;
        };
        while let Some(entry) = client.queue.head() {
            let Some(msg) = self
                .msgs
                .get_mut(entry as usize)
                .filter(|msg| msg.flags.has(Flags::DONE))
            else {
                break;
            };
            if !msg.flags.has(Flags::SILENT) {
                client.out.append(&mut msg.reply);
            }
            if msg.flags.has(Flags::LAST) {
                client.reading = Reading::Off;
                client.closing = true;
            }
            self.stats
                .hist
                .latency
                .record(now.mono_us.saturating_sub(msg.start));
            client.queue.pop(&mut self.msgs);
            let Some(msg) = self.msgs.get_mut(entry as usize) else {
                break;
            };
            msg.client = NONE;
            if !msg.flags.has(Flags::AT_STORE) {
                self.msgs.remove(entry as usize);
            }
        }
        if !client.dirty {
            client.dirty = true;
            self.dirty.push(client.id);
        }
        self.resume_if_drained(key);
    }

    /// Answers a client's newest request with a reply made here, in its turn. `last`: the
    /// connection closes behind it.
    pub(super) fn answer(&mut self, key: u32, now: Now, reply: &[u8], last: bool) {
        let Some(client) = self.clients.get_mut(key as usize) else {
            return;
        };
        let flags = reply_flags(&mut client.session);
        self.push_answer(key, now, reply, flags, last);
    }

    /// The same when it is known already how the reply is to be delivered.
    pub(super) fn push_answer(
        &mut self,
        key: u32,
        now: Now,
        reply: &[u8],
        flags: Flags,
        last: bool,
    ) {
        let Some(client) = self.clients.get_mut(key as usize) else {
            return;
        };
        let mut msg = Msg::new(key, 0, now.mono_us);
        msg.flags = flags.with(Flags::DONE);
        if last {
            // Whatever follows is not read; earlier answers still go out.
            msg.flags = msg.flags.with(Flags::LAST);
            client.reading = Reading::Off;
        }
        if reply.first() == Some(&b'-') {
            self.stats.pool.forward_error += 1;
        }
        self.pool.copy(reply, &mut msg.reply);
        let entry = self.msgs.insert(msg) as u32;
        client.queue.push(&mut self.msgs, entry);
        if client.queue.head() == Some(entry) {
            self.release(now, key);
        }
    }

    /// Reads a client again whose own load has drained.
    pub(super) fn resume_if_drained(&mut self, key: u32) {
        let Some(client) = self.clients.get_mut(key as usize) else {
            return;
        };
        if client.reading == Reading::Full && client.has_drained() {
            client.reading = Reading::On;
            self.actions.push_back(Action::Resume(client.id));
        }
        if client.out.len() > limits::CLIENT_OUT_MAX {
            log_at!(Warn, "{} does not read its replies, closing", client.told());
            self.close_client(key, false);
        }
    }

    /// Counts a reply of the datastore, as its request was counted.
    #[inline]
    pub(super) fn count_reply(&mut self, to_write: bool, bytes: u64) {
        let stats = &mut self.stats.server;
        if to_write {
            stats.write_responses += 1;
            stats.write_response_bytes += bytes;
        } else {
            stats.read_responses += 1;
            stats.read_response_bytes += bytes;
        }
    }

    /// Closes a client: what it still waits for is executed, and nobody hears of it.
    pub(super) fn close_client(&mut self, key: u32, orderly: bool) {
        let Some(mut client) = self.clients.try_remove(key as usize) else {
            return;
        };
        let dropped = client.queue.len();
        log_at!(Notice, "close {} Dropped {dropped} requests", client.told());
        let pool = &mut self.stats.pool;
        pool.client_connections -= 1;
        pool.client_dropped_requests += u64::from(dropped);
        if orderly {
            pool.client_eof += 1;
        } else {
            pool.client_err += 1;
        }
        self.abandon(&mut client);
        self.actions.push_back(Action::Close(client.id));
    }

    /// Takes a client's name off the requests it waits for.
    fn abandon(&mut self, client: &mut Client) {
        while let Some(entry) = client.queue.pop(&mut self.msgs) {
            let Some(msg) = self.msgs.get_mut(entry as usize) else {
                continue;
            };
            msg.client = NONE;
            msg.reply.clear();
            if !msg.flags.has(Flags::AT_STORE) {
                self.msgs.remove(entry as usize);
            }
        }
    }
}

/// The client a message belongs to.
fn msg_client(msgs: &super::msg::Msgs, entry: u32) -> u32 {
    msgs.get(entry as usize).map_or(NONE, |msg| msg.client)
}
