//! Keys that a datastore makes from patterns: they must be where the request goes.

use super::Node;
use super::ask::Ask;
use super::ids::FrontId;
use crate::hashkit::{self, Token};
use crate::proto::redis::command::Command;
use crate::proto::redis::errors;

impl Node {
    /// Appends the error line for a request whose datastore would look for keys of other nodes in vain,
    /// and would answer, or store, as if they did not exist. `tokens` are those of the request's own
    /// keys.
    ///
    /// A pattern is fit if every key made from it has the same hash tag, and that tag's owner is the
    /// keys' owner in every rack that may see the request.
    pub(super) fn refuse_patterns(
        &self,
        key: FrontId,
        ask: &Ask<'_>,
        command: &Command,
        args: &[&[u8]],
        tokens: &[Token],
        out: &mut Vec<u8>,
    ) {
        if !command.has_patterns || !self.topology.needs_hash() {
            return;
        }
        let is_fit = |prefix: &[u8]| {
            let tag = hashkit::tag_of(prefix, self.options.hash_tag);
            tag.is_some() && {
                let mut tokens = tokens.to_vec();
                tokens.push(self.token(prefix));
                self.is_one_owner(key, ask, &tokens)
            }
        };
        let stray = command
            .patterns(args)
            .find(|pattern| !is_fit(pattern.prefix));
        if let Some(pattern) = stray {
            errors::pattern_spans_nodes(pattern.option, out);
        }
    }
}
