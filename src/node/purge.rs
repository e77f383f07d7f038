//! Admin mode: a node that is fed every key with `DEL` removes from its datastore only what it owns
//! (the original's `-x 1`).

use super::Node;
use super::ask::Ask;
use super::ids::FrontId;
use crate::clock::Now;
use crate::hashkit::Token;
use crate::proto::Failure;
use crate::proto::redis::command::Command;
use crate::proto::redis::resp3;

impl Node {
    /// Whether a request is one that admin mode keeps from being replicated.
    pub(super) fn is_purge(&self, command: &Command) -> bool {
        self.options.admin_operation == 1 && command.purges
    }

    /// Deletes keys in this node's datastore, if this node owns them all; else deletes nothing.
    pub(super) fn purge(
        &mut self,
        key: FrontId,
        now: Now,
        form: resp3::Form,
        ask: &Ask<'_>,
        tokens: &[Token],
    ) {
        if !tokens.iter().all(|token| self.topology.is_mine(*token)) {
            let line = Failure::AdminMode.line(self.options.store);
            return self.answer(key, now, line.as_bytes(), false);
        }
        if let Some(entry) = self.enqueue(key, now, form, ask, ask.raw.len()) {
            self.count_request(ask);
            self.send_to_store(entry, Some(key), now, ask.raw);
        }
    }
}
