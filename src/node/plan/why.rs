//! The words of a refusal.

use super::Why;
use crate::proto::redis::errors;

impl Why {
    /// Appends the error line for a request with these arguments.
    pub fn write(self, args: &[&[u8]], out: &mut Vec<u8>) {
        match self {
            Why::Line(line) => out.extend_from_slice(line.as_bytes()),
            Why::Http => {}
            Why::BehindMulti => out.extend_from_slice(errors::BEHIND_REFUSED_MULTI.as_bytes()),
            Why::Unresolved(why) => why.write(args, out),
            Why::Unserved(command, why) => errors::refused(command, why, out),
            Why::Keys(command, error) => errors::keys(command, error, out),
            Why::PatternSpansNodes(option) => errors::pattern_spans_nodes(option, out),
        }
    }
}
