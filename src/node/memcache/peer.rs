//! What a peer asks for.
//!
//! A C coordinator forwards a line as its client wrote it, `noreply` included, and expects an answer
//! to it no more than its client does.

use super::client::{is_too_long, quiet_flags};
use crate::clock::Now;
use crate::hashkit::Token;
use crate::mbuf::Raw;
use crate::node::Node;
use crate::node::ask::Ask;
use crate::node::ids::FrontId;
use crate::node::msg::Flags;
use crate::node::plan;
use crate::proto::memcache::call::Quiet;
use crate::proto::memcache::command::Serve;
use crate::proto::memcache::errors;
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
        match request.kind {
            Kind::Direct {
                command, key: span, ..
            } => {
                let token = if forward {
                    self.token_of(raw, span)
                } else {
                    Token::default()
                };
                let cx = self.plan_cx(self.peer_asker(key, forward));
                let route = plan::memcache::route(&cx, command, command.class, false);
                let ask = Ask { route, token, raw };
                if let Some(entry) = self.enqueue_peer(key, now, id, Some(&ask), raw.len()) {
                    self.place_peer(entry, key, now, forward, &ask);
                }
            }
            Kind::Line => {
                let line = request.line as usize;
                raw.with_first(line, |text| {
                    self.serve_peer_line(key, now, id, forward, text, raw);
                });
            }
            Kind::BadChunk { silent } => {
                self.tell_peer(key, now, id, errors::BAD_CHUNK.as_bytes(), silent)
            }
            Kind::TooLarge { silent } => {
                self.tell_peer(key, now, id, errors::TOO_LARGE.as_bytes(), silent)
            }
            // No payload, says the decoder.
            Kind::Skipped => {}
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
        let call = match line::read(line) {
            Outcome::Call(call) => call,
            Outcome::Answer { text, silent } => {
                return self.tell_peer(key, now, id, &text, silent);
            }
            Outcome::Quit => return self.tell_peer(key, now, id, errors::ERROR.as_bytes(), false),
        };
        if call.command.serve == Serve::AllNodesGuarded && !self.options.enable_flush {
            let silent = call.quiet == Quiet::All;
            return self.tell_peer(key, now, id, errors::FLUSH_DISABLED.as_bytes(), silent);
        }
        // Where all keys are for one node, the first says which.
        let counted = if forward { usize::MAX } else { 1 };
        let keys = call.keys().take(counted);
        let tokens: Vec<Token> = keys.map(|key| self.token(&key)).collect();
        let chain = self.rewritten(&call, line.len(), raw);
        let cx = self.plan_cx(self.peer_asker(key, forward));
        let mut route = plan::memcache::route(&cx, call.command, call.class(), false);
        route.flags = route.flags.with(quiet_flags(call.quiet));
        let has_one_owner = cx.have_one_owner(&route, &tokens);
        let ask = Ask {
            route,
            token: tokens.first().copied().unwrap_or_default(),
            raw: Raw::from(&chain),
        };
        if is_too_long(&call, &ask) {
            // No node of ours sends it.
            return self.tell_peer(key, now, id, errors::LINE_TOO_LONG.as_bytes(), false);
        }
        let Some(entry) = self.enqueue_peer(key, now, id, Some(&ask), ask.raw.len()) else {
            return;
        };
        if !has_one_owner {
            self.send_forwarded_gets(entry, key, now, &ask, &call, &tokens);
        } else {
            self.place_peer(entry, key, now, forward, &ask);
        }
    }

    /// Answers a peer's request here, unless it wants no answer.
    fn tell_peer(&mut self, key: FrontId, now: Now, id: u64, text: &[u8], silent: bool) {
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
