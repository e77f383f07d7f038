//! What a reply means to the request it answers.

use crate::hashkit::Token;
use crate::mbuf::{Chain, Raw};
use crate::node::Node;
use crate::node::replicate::Effect;
use crate::proto::memcache::call::is_suppressed;
use crate::proto::memcache::command::command;
use crate::proto::memcache::line::{self, Outcome};
use crate::proto::memcache::reply_line::code;
use crate::proto::memcache::{rewrite, varying};

/// Returns true if a client that asked for quiet does not get this reply.
pub(in crate::node) fn is_nominal(row: u16, raw: Raw<'_>) -> bool {
    command(row).is_some_and(|command| is_suppressed(command, raw.start(&mut [0; 4])))
}

/// Returns true if a reply says that the item has another version.
pub(in crate::node) fn is_other_version(raw: Raw<'_>) -> bool {
    code(raw.start(&mut [0; 3])) == b"EX"
}

/// Returns true if a reply says that there is no value.
pub(in crate::node) fn is_miss(raw: Raw<'_>) -> bool {
    matches!(code(raw.start(&mut [0; 3])), b"END" | b"EN")
}

impl Node {
    /// The effect of a compare-and-swap, read from its reply; `late`: it is known to name an older version.
    pub(in crate::node) fn memcache_effect(
        &self,
        request: &Chain,
        late: bool,
        reply: Raw<'_>,
    ) -> Option<Effect> {
        let line = first_line(Raw::from(request));
        let Outcome::Call(call) = line::read(&line) else {
            return None;
        };
        let (mut room, mut text) = ([0; 8], Vec::new());
        let start = reply.start(&mut room);
        let effect = if late {
            rewrite::stale(&call, start, &mut text)?
        } else {
            rewrite::effect(&call, start)?
        };
        Some(Effect {
            row: effect.command.index(),
            requests: vec![self.rewritten(&effect, line.len(), Raw::from(request))],
            agreed: varying::digest(reply.pieces()),
        })
    }

    /// The token of a request's first key.
    pub(in crate::node) fn memcache_token(&self, raw: Raw<'_>) -> Option<Token> {
        let line = first_line(raw);
        let Outcome::Call(call) = line::read(&line) else {
            return None;
        };
        call.keys().next().map(|key| self.token(&key))
    }
}

/// A request's line.
pub(in crate::node) fn first_line(raw: Raw<'_>) -> Vec<u8> {
    let mut line = Vec::new();
    for piece in raw.pieces() {
        match memchr::memchr(b'\n', piece) {
            Some(end) => {
                line.extend_from_slice(&piece[..=end]);
                break;
            }
            None => line.extend_from_slice(piece),
        }
    }
    line
}
