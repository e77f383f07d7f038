//! What the node itself asks its datastore for: who is told of the reply.

use super::Node;
use super::flight::waiter::Task;
use super::ids::SlotId;
use crate::clock::Now;
use crate::mbuf::Raw;
use crate::proto::failure;

impl Node {
    /// The reply to a task's request has come, on this connection.
    pub(super) fn task_answered(&mut self, task: Task, slot: SlotId, now: Now, raw: Raw<'_>) {
        match task {
            Task::Busy => self.hear_busy(now, raw),
            Task::Resp3On | Task::Resp3Off => {
                let is_error = failure::is_error_reply(self.options.store, raw);
                self.hear_hello(slot, task, is_error);
            }
            // Taken before it is counted as a reply.
            Task::StoreProbe => {}
        }
    }

    /// A task's request will have no reply.
    pub(super) fn task_lost(&mut self, task: Task) {
        match task {
            Task::Busy => self.busy_unheard(),
            Task::StoreProbe => self.probe_unheard(),
            // It is the connection's own state, which is gone with it.
            Task::Resp3On | Task::Resp3Off => {}
        }
    }
}
