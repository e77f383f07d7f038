//! Lists of other nodes that are learned while the node runs.
//!
//! A list is text from a provider ([`crate::seeds`] asks for it). It names all nodes that there should
//! be; [`Desired`] turns successive lists into the members of this node, with safeguards
//! against a bad list that would take a cluster apart.
//!
//! | file | noun |
//! |---|---|
//! | `list` | one list: read and checked as a whole |
//! | `desired` | the members that this node should have |

mod desired;
mod list;

pub use desired::{Decision, Desired, GRACE};
pub use list::{MAX_LIST, Refused, read};
