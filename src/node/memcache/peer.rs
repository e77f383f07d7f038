//! A peer's requests, planned ([`crate::node::plan`]) and carried out here.
//!
//! A C coordinator forwards a line as its client wrote it, `noreply` included, and expects an answer
//! to it no more than its client does.

use crate::clock::Now;
use crate::hashkit::Token;
use crate::mbuf::Raw;
use crate::node::Node;
use crate::node::ask::Ask;
use crate::node::ids::FrontId;
use crate::node::msg::Flags;
use crate::node::plan::{self, Plan, Why};
use crate::proto::memcache::call::Quiet;
use crate::proto::memcache::line::{self, Outcome};
use crate::proto::memcache::request::{Kind, Request};

impl Node {
    /// Serves one request of a peer, which is to be sent to the owners of its key in this datacenter
    /// or, if not `forward`, to this node's datastore.
    pub(in crate::node) fn serve_peer_memcache(
        &mut self,
        key: FrontId,
        now: Now,
        id: u64,
        forward: bool,
        request: Request,
        raw: Raw<'_>,
    ) {
        let cx = self.plan_cx(self.peer_asker(key, forward));
        let plan = plan::memcache::at_sight(&cx, &request.kind);
        match (plan, request.kind) {
            (Some(Plan::Keyed(route, _)), Kind::Direct { key: span, .. }) => {
                let token = self.token_of(raw, span);
                self.serve_peer_ask(key, now, id, true, &Ask { route, token, raw });
            }
            (Some(Plan::Store(route, _)), _) => {
                let token = Token::default();
                self.serve_peer_ask(key, now, id, false, &Ask { route, token, raw });
            }
            (
                Some(Plan::Refuse(Why::Line(line))),
                Kind::BadChunk { silent } | Kind::TooLarge { silent },
            ) => {
                self.reply_to_peer(key, now, id, line.as_bytes(), silent);
            }
            // No payload, says the decoder.
            (_, Kind::Skipped) => {}
            _ => raw.with_first(request.line as usize, |line| {
                self.serve_peer_line(key, now, id, forward, line, raw);
            }),
        }
    }

    fn serve_peer_line(
        &mut self,
        key: FrontId,
        now: Now,
        id: u64,
        forward: bool,
        line: &[u8],
        raw: Raw<'_>,
    ) {
        let outcome = line::read(line);
        let mut keys = std::mem::take(&mut self.keys);
        let cx = self.plan_cx(self.peer_asker(key, forward));
        let plan = plan::memcache::plan(&cx, &outcome, &mut keys);
        match (plan, outcome) {
            (Plan::Answer, Outcome::Answer { text, silent }) => {
                self.reply_to_peer(key, now, id, &text, silent);
            }
            (Plan::Refuse(Why::Line(line)), outcome) => {
                let silent = matches!(&outcome, Outcome::Call(call) if call.quiet == Quiet::All);
                self.reply_to_peer(key, now, id, line.as_bytes(), silent);
            }
            (
                Plan::Keyed(route, _) | Plan::Store(route, _) | Plan::Split(route),
                Outcome::Call(call),
            ) => {
                let chain = self.rewritten(&call, line.len(), raw);
                let ask = Ask {
                    route,
                    token: keys.first(),
                    raw: Raw::from(&chain),
                };
                if let Plan::Split(_) = plan {
                    self.split_forwarded_get(key, now, id, &ask, &call, &keys.tokens);
                } else {
                    let forward = matches!(plan, Plan::Keyed(..));
                    self.serve_peer_ask(key, now, id, forward, &ask);
                }
            }
            // A peer's request has no such plan.
            _ => {}
        }
        self.keys = keys;
    }

    /// Answers a peer's request here, unless it wants no answer.
    fn reply_to_peer(&mut self, key: FrontId, now: Now, id: u64, text: &[u8], silent: bool) {
        if let Some(entry) = self.enqueue_peer(key, now, id, None, 0) {
            if let Some(msg) = self.flight.get_mut(entry)
                && silent
            {
                msg.flags = msg.flags.with(Flags::SILENT);
            }
            self.finish(entry, now, text);
        }
    }
}
