//! How the replies of several nodes, or to the pieces of a request, become one: a column of the command table.
//!
//! Mostly Redis' own advice for clusters (its command tips `response_policy`); `SCAN` and `RANDOMKEY` are ours.
//! The joining itself is done by the node, which knows how many replies there are.

/// How replies become one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum JoinRule {
    /// Each is the same, a status or a name: the first.
    Same,
    /// A number each: their sum.
    Sum,
    /// A list each: one after the other.
    Lists,
    /// A list each, with a value for each key of a piece: the values in the order of the request's keys.
    Values,
    /// A list of 0 and 1 each: at every position the least.
    And,
    /// A key or nil each: one of the keys, by chance.
    AnyKey,
    /// A status or an error each: one success is enough.
    OneSuccess,
    /// Only one node is asked, the one that the cursor in the request belongs to; its number goes into the
    /// cursor of the reply.
    Cursor,
    /// Only the local datastore is asked: its parameters, some of which are others behind a proxy.
    Settings,
    /// Only the local datastore is asked, about its own commands; not all of them are served.
    Docs,
}
