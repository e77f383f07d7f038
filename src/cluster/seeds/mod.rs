//! Lists of other nodes that are learned while the node runs.
//!
//! A list is text from a provider: who asks for it, and how, is not known here. It says which nodes
//! there should be, all of them; [`Desired`] turns one list after the other into the members a node
//! is to have, with what keeps a bad list from taking a cluster apart.
//!
//! | file | noun |
//! |---|---|
//! | `list` | one list: read and checked as a whole |
//! | `desired` | the members there should be |

mod desired;
mod list;

pub use desired::{Decision, Desired, GRACE};
pub use list::{MAX_LIST, Refused, read};
