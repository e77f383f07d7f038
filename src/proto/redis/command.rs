//! The row type of the one command table: the properties of a command.
//!
//! The rows are in `table.rs` and `subcommands.rs`, written as `row.rs` says; here they are joined into one
//! array, so that a command is a small index as well as a reference. Everything that asks about commands is driven
//! from it: parsing, arity, routing, statistics, RESP3 forms, `COMMAND`.

use super::alike::Alike;
use super::errors::NumKeys;
use super::expiry::Expiry;
use super::flags::{cat, flag};
use super::join::JoinRule;
use super::keys::{Finder, KeySpec, KeyUse, legacy_range};
use super::refusal::Why;
use super::req_stats::ReqStats;
use super::resp3::FormRule;
use super::session::Handler;
use super::session::clients::AboutClients;
use super::session::help::Help;
use super::table::ROWS;
pub use crate::proto::Class;
use crate::proto::legacy::column::Legacy;

/// The server of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serve {
    /// The owner of its one key.
    Keyed,
    /// The owners of its keys, each with its share; the replies are joined.
    Split,
    /// The owner of its keys if all have the same one, else `CROSSSLOT`.
    SameNode,
    /// The proxy itself: the row's handler ([`super::session`]).
    Proxy,
    /// The datastore of the node that was asked.
    LocalNode,
    /// The datastores of all nodes of this rack, which together hold all keys.
    RackNodes,
    /// The datastores of all nodes.
    AllNodes,
    /// The datastores of all nodes, if the operator allowed it; refused otherwise.
    AllNodesGuarded,
    /// It is refused.
    Refused(Why),
}

impl Serve {
    /// Why a request that came to this is refused, if it is not served.
    pub fn why(self) -> Why {
        match self {
            Serve::Refused(why) => why,
            Serve::AllNodesGuarded => Why::NotEnabled,
            _ => Why::Unsupported,
        }
    }
}

/// The part of a command in transactions, which are refused ([`super::session::refused_multi`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transaction {
    /// Nothing.
    None,
    /// Begins one.
    Begins,
    /// Ends one without running it.
    Ends,
    /// Ends one by running it.
    Runs,
}

/// The effect of a command on the client's scripts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Script {
    /// Nothing.
    None,
    /// Its text is this argument.
    Text(u8),
    /// Argument 1 is its hash. A datastore that does not know the script is sent the same request under this
    /// name, with the text in place of the hash.
    Hash(&'static str),
    /// All scripts are forgotten.
    Forgotten,
}

/// How a write goes to several replicas, which would not stay equal if each ran the request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replicate {
    /// As it stands.
    AsIs,
    /// With this many arguments or more it may hold a time that counts from now, which is made an
    /// absolute one ([`super::rewrite::absolute`]).
    Absolute(u8),
    /// One replica runs it, and the others get its effect ([`super::effect::effect`]).
    Effect(EffectOf),
}

/// The part of a write's effect that only the datastore knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EffectOf {
    /// Which members it takes out of a set (`SPOP`).
    Pop,
    /// The id of a new entry of a stream (`XADD`), unless the request names it.
    GeneratedId,
}

/// One command, or one subcommand of a container such as `CONFIG`.
///
/// The fields that every request needs are in the first cache line.
#[derive(Clone, Copy, Debug)]
#[repr(C, align(64))]
pub struct Command {
    /// Its reply in RESP3.
    pub(super) form: FormRule,
    /// Lower case; a subcommand's own word without its container's.
    pub name: &'static str,
    /// Redis' flags, bits of [`flag`].
    pub flags: u32,
    pub(super) index: u16,
    /// How it goes to several replicas.
    pub replicate: Replicate,
    /// How a C node treats it.
    pub legacy: Legacy,
    /// Number of arguments with the name, as Redis counts: exact, or at least its negative. A
    /// subcommand's counts both words.
    pub arity: i8,
    /// The first key's place, 0 if there is none or it moves with the arguments.
    pub first_key: u8,
    /// Read or write, when the arguments do not matter (see [`Command::needs_args`]).
    pub class: Class,
    /// The server of the command, if the arguments do not matter.
    pub serve: Serve,
    pub(super) direct: bool,
    pub(super) pairs: bool,
    /// Read from the owner in the local rack only, at every consistency level (the original's
    /// `ROUTING_TOKEN_OWNER_LOCAL_RACK_ONLY`).
    pub own_rack: bool,
    /// It counts as a read or write in the statistics; the original's `PING` does not.
    pub counted: bool,

    /// Where its keys are; see [`Command::keys`].
    pub specs: &'static [KeySpec],
    pub(super) finder: Finder,
    /// Its effect on its keys, where that depends on the arguments.
    pub(super) key_use: KeyUse,
    /// The error of Redis for an invalid number of keys.
    pub num_keys: NumKeys,
    /// ACL categories, bits of [`cat`].
    pub categories: u32,
    /// Which counters it moves.
    pub stat: ReqStats,
    /// Class and server depend on the arguments: ask [`Command::refine`].
    pub needs_args: bool,
    /// A wrong number of keys is the datastore's to refuse: its words depend on its version, or on what it
    /// holds.
    pub store_refuses: bool,
    /// A datastore makes keys from patterns among its arguments: ask [`Command::patterns`].
    pub has_patterns: bool,
    /// Two replicas in the same state may answer differently.
    pub nondeterministic: bool,
    /// Two replicas in the same state may answer the same elements in another order.
    pub unordered: bool,
    /// The parts of two replicas' replies that must be equal for them to agree.
    pub alike: Alike,
    /// How the replies of several nodes, or to its pieces, become one.
    pub join: JoinRule,
    /// The form of its expiry time.
    pub(super) expiry: Expiry,
    /// Its effect on the client's scripts.
    pub script: Script,
    /// Its part in transactions.
    pub transaction: Transaction,
    /// It writes for `CLIENT PAUSE`, although it is a read (Redis' internal flag `CMD_MAY_REPLICATE`).
    pub may_replicate: bool,
    /// In admin mode (the original's `-x 1`) it removes from the local datastore what this node owns.
    pub purges: bool,
    /// The handler, if the proxy answers it.
    pub(super) handler: Handler,
    /// Lines of help: of a subcommand in that of its container, of the container for itself; also of the
    /// command that no datastore can explain ([`Command::summary`]).
    pub(super) help: &'static [Help],
    pub(super) parent: Option<u16>,
    pub(super) children: Children,
}

/// Subcommands: their declaration, then their place in the assembled table.
#[derive(Clone, Copy, Debug)]
pub(super) enum Children {
    Declared(&'static [Command]),
    At(u16, u16),
}

/// The properties of a request that depend on its arguments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refined {
    /// Read or write.
    pub class: Class,
    /// Its server.
    pub serve: Serve,
}

/// How many commands are not subcommands; they come first in the table.
pub(super) const TOP: usize = ROWS.len();

/// Rows in the table, subcommands included: one more than the greatest [`Command::index`].
pub const COUNT: usize = {
    let (mut count, mut i) = (TOP, 0);
    while i < TOP {
        if let Children::Declared(rows) = ROWS[i].children {
            count += rows.len();
        }
        i += 1;
    }
    count
};

pub(super) static TABLE: [Command; COUNT] = {
    let mut table = [ROWS[0]; COUNT];
    let (mut at, mut i) = (TOP, 0);
    while i < TOP {
        table[i] = ROWS[i];
        table[i].index = i as u16;
        table[i].direct = is_direct(&ROWS[i]);
        if let Children::Declared(rows) = ROWS[i].children {
            table[i].children = Children::At(at as u16, rows.len() as u16);
            let mut child = 0;
            while child < rows.len() {
                table[at] = rows[child];
                table[at].index = at as u16;
                table[at].parent = Some(i as u16);
                table[at].children = Children::At(0, 0);
                at += 1;
                child += 1;
            }
        }
        i += 1;
    }
    table
};

const fn is_direct(row: &Command) -> bool {
    let plain = match row.serve {
        Serve::LocalNode | Serve::RackNodes => true,
        Serve::Keyed | Serve::Split | Serve::SameNode => row.first_key > 0,
        _ => false,
    };
    let container = matches!(row.children, Children::Declared([_, ..]));
    plain && !container && !row.needs_args && !row.has_patterns
}

/// Rows of commands that name a script by its hash.
const BY_HASH: usize = {
    let (mut count, mut i) = (0, 0);
    while i < TOP {
        count += matches!(ROWS[i].script, Script::Hash(_)) as usize;
        i += 1;
    }
    count
};
const HASHED: [u16; BY_HASH] = {
    let mut rows = [0; BY_HASH];
    let (mut count, mut i) = (0, 0);
    while i < TOP {
        if matches!(ROWS[i].script, Script::Hash(_)) {
            rows[count] = i as u16;
            count += 1;
        }
        i += 1;
    }
    rows
};

/// Returns true if the command with this [`Command::index`] names a script by its hash ([`Script::Hash`]). The
/// same as its row says, without a look at the row.
#[inline]
pub fn is_by_hash(index: u16) -> bool {
    HASHED.contains(&index)
}

/// The command with this [`Command::index`].
#[inline]
pub fn command(index: u16) -> Option<&'static Command> {
    TABLE.get(usize::from(index))
}

/// Every command that is not a subcommand, in alphabetical order.
pub fn commands() -> &'static [Command] {
    TABLE.get(..TOP).unwrap_or_default()
}

impl Command {
    /// Its place in the table; [`command`] is the way back.
    #[inline]
    pub fn index(&self) -> u16 {
        self.index
    }

    /// The container this is a subcommand of.
    pub fn parent(&self) -> Option<&'static Command> {
        command(self.parent?)
    }

    /// Its name, that of a subcommand behind its container's: `config|get`.
    pub fn full_name(&self) -> String {
        match self.parent() {
            Some(container) => format!("{}|{}", container.name, self.name),
            None => self.name.to_owned(),
        }
    }

    /// The request about the node's clients that it is, if the node answers it.
    pub fn about_clients(&self) -> Option<AboutClients> {
        match self.handler {
            Handler::Node(command) => Some(command),
            Handler::None | Handler::Session(_) => None,
        }
    }

    /// The original's pseudo-command that it is, if no datastore knows it.
    pub fn summary(&self) -> Option<&'static str> {
        let is_own = self.parent.is_none() && !self.is_container();
        let (_, meaning) = self.help.first().filter(|_| is_own)?;
        Some(meaning)
    }

    /// Its subcommands, in alphabetical order; empty for a plain command.
    pub fn children(&self) -> &'static [Command] {
        let Children::At(at, count) = self.children else {
            return &[];
        };
        let (at, count) = (usize::from(at), usize::from(count));
        TABLE.get(at..at + count).unwrap_or_default()
    }

    /// Returns true if it goes to a datastore whatever its arguments are, its first key at
    /// [`Command::first_key`] if it has keys: nothing but their number has to be looked at.
    #[inline]
    pub fn is_direct(&self) -> bool {
        self.direct
    }

    /// Returns true if it runs a script or function of a client's: that may take any time, and only the
    /// datastore knows what the reply is made of.
    #[inline]
    pub fn runs_script(&self) -> bool {
        self.categories & cat::SCRIPTING != 0 && matches!(self.serve, Serve::SameNode)
    }

    /// Returns true if Redis carries it out while a script runs, provided it comes on another connection
    /// (`allow_busy`).
    #[inline]
    pub fn runs_beside_scripts(&self) -> bool {
        self.flags & flag::ALLOW_BUSY != 0
    }

    /// Returns true if the second word of a request belongs to the command.
    #[inline]
    pub fn is_container(&self) -> bool {
        matches!(self.children, Children::At(_, 1..))
    }

    /// The subcommand of this name, in any case of letters.
    pub fn child(&self, name: &[u8]) -> Option<&'static Command> {
        self.children()
            .iter()
            .find(|child| child.name.as_bytes().eq_ignore_ascii_case(name))
    }

    /// Returns true if a request of `argc` arguments, all words of the name included, has the right number
    /// of them.
    #[inline]
    pub fn accepts(&self, argc: usize) -> bool {
        let wanted = usize::from(self.arity.unsigned_abs());
        let enough = if self.arity < 0 {
            argc >= wanted
        } else {
            argc == wanted
        };
        enough && !(self.pairs && argc.is_multiple_of(2))
    }

    /// How many arguments belong to each of its keys, the key included, where all are alike: 2 for `MSET`.
    #[inline]
    pub fn args_per_key(&self) -> usize {
        let (_, _, step) = legacy_range(self.specs);
        usize::from(step.max(1))
    }

    /// Returns true if a request of `argc` arguments goes to all replicas as it stands.
    #[inline]
    pub fn replicates_as_is(&self, argc: usize) -> bool {
        match self.replicate {
            Replicate::AsIs => true,
            Replicate::Absolute(least) => argc < usize::from(least),
            Replicate::Effect(_) => false,
        }
    }

    /// Returns true if the proxy serves it, if only under conditions.
    pub fn is_served(&self) -> bool {
        !matches!(self.serve, Serve::Refused(_) | Serve::AllNodesGuarded)
    }

    /// Looks at the arguments of a command that says [`Command::needs_args`]: `SORT` and
    /// `GEORADIUS` write only with a `STORE`, and then all keys must be on one node; `XREAD` with
    /// `BLOCK` waits. Other commands are what their rows say.
    pub fn refine(&self, args: &[&[u8]]) -> Refined {
        let plain = Refined {
            class: self.class,
            serve: self.serve,
        };
        if !self.needs_args {
            return plain;
        }
        if self.finder == Finder::Streams {
            let serve = if self.blocks(args) {
                Serve::Refused(Why::Blocking)
            } else {
                self.serve
            };
            return Refined { serve, ..plain };
        }
        let mut keys = Vec::new();
        match self.keys(args, &mut keys) {
            Ok(()) if keys.len() == 1 => Refined {
                class: Class::Read,
                serve: Serve::Keyed,
            },
            _ => Refined {
                class: Class::Write,
                serve: Serve::SameNode,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::redis::flags::flag;
    use crate::proto::redis::keys::flag::NOT_KEY;
    use crate::proto::redis::lookup::{lookup, resolve};

    fn every_row() -> impl Iterator<Item = &'static Command> {
        (0..).map_while(command)
    }

    #[test]
    fn indexes_lead_back() {
        for (at, row) in every_row().enumerate() {
            assert_eq!(usize::from(row.index()), at);
            for child in row.children() {
                assert_eq!(child.parent().map(Command::index), Some(row.index()));
            }
        }
        assert_eq!(every_row().count(), COUNT);
        assert!(commands().is_sorted_by_key(|row| row.name));
    }

    #[test]
    fn a_row_routed_by_key_says_where_it_is() {
        for row in every_row().filter(|row| !row.is_container()) {
            let keys = matches!(row.serve, Serve::Keyed | Serve::Split | Serve::SameNode);
            assert_eq!(
                keys,
                row.is_served() && row.specs.iter().any(|spec| spec.flags & NOT_KEY == 0),
                "{}",
                row.name
            );
            if matches!(row.serve, Serve::Keyed | Serve::Split) {
                assert_ne!(row.first_key, 0, "{}", row.name);
            }
        }
    }

    #[test]
    fn what_redis_calls_a_write_is_one() {
        for row in every_row().filter(|row| row.is_served()) {
            if row.flags & flag::WRITE != 0 {
                assert_eq!(row.class, Class::Write, "{}", row.name);
            }
            if row.flags & flag::READONLY != 0 {
                assert_eq!(row.class, Class::Read, "{}", row.name);
            }
        }
    }

    #[test]
    fn requests_are_served_as_their_arguments_say() {
        use Class::*;
        use Serve::*;
        use Why::{Blocking, Unsupported};
        for (line, class, serve) in [
            ("get k", Read, Keyed),
            ("ttl k", Read, Keyed),
            ("pfcount a", Read, SameNode),
            ("set k v", Write, Keyed),
            ("getex k", Write, Keyed),
            ("bitfield k get u8 0", Write, Keyed),
            ("mget a b", Read, Split),
            ("unlink a b", Write, Split),
            ("touch a b", Read, Split),
            ("msetnx a b", Write, SameNode),
            ("sunionstore d a", Write, SameNode),
            ("zunionstore d 1 a", Write, SameNode),
            ("eval s 1 k", Write, SameNode),
            ("eval_ro s 1 k", Read, SameNode),
            ("sort k", Read, Keyed),
            ("sort k by store get store", Read, Keyed),
            ("sort k STORE d", Write, SameNode),
            ("sort k store", Read, Keyed),
            ("georadius k 1 2 3 km withdist", Read, Keyed),
            ("georadius k 1 2 3 km StoreDist d", Write, SameNode),
            ("georadiusbymember k store 3 km", Read, Keyed),
            ("georadiusbymember k m 3 km store d", Write, SameNode),
            ("xread streams block 0", Read, SameNode),
            ("xread block 0 streams a 0", Read, Refused(Blocking)),
            ("xreadgroup group block c streams a >", Write, SameNode),
            (
                "xreadgroup group g c count 1 BLOCK 5 streams a >",
                Write,
                Refused(Blocking),
            ),
            ("ping", Read, LocalNode),
            ("info", Read, LocalNode),
            ("config get x", Read, LocalNode),
            ("memory usage k", Read, Keyed),
            ("xgroup create k g $", Write, Keyed),
            ("script load x", Write, AllNodes),
            ("script exists x", Read, AllNodes),
            ("script help", Read, Proxy),
            ("flushall", Write, AllNodesGuarded),
            ("slaveof a b", Write, Refused(Unsupported)),
            ("json.get k", Read, Keyed),
            ("json.mget a b $", Read, SameNode),
        ] {
            let args: Vec<&[u8]> = line.split(' ').map(str::as_bytes).collect();
            let row = resolve(&args, &mut Vec::new()).unwrap_or_else(|| panic!("{line}"));
            let refined = row.refine(&args);
            assert_eq!((refined.class, refined.serve), (class, serve), "{line}");
        }
    }

    #[test]
    fn what_every_request_needs_of_a_row_is_in_one_cache_line() {
        use std::mem::offset_of;
        let last = offset_of!(Command, counted);
        assert!(last < 64 && offset_of!(Command, specs) >= 64, "{last}");
    }

    /// The columns of each row are consistent.
    #[test]
    fn every_row_has_sensible_columns() {
        for row in every_row() {
            let name = row.full_name();
            let says = |holds: bool, what: &str| assert!(holds, "{name}: {what}");
            let goes_to_stores = matches!(
                row.serve,
                Serve::Keyed
                    | Serve::Split
                    | Serve::SameNode
                    | Serve::LocalNode
                    | Serve::RackNodes
                    | Serve::AllNodes
                    | Serve::AllNodesGuarded
            );
            let only_with_subcommand = row.is_container() && row.arity <= -2;
            says(
                matches!(row.handler, Handler::None)
                    == (row.serve != Serve::Proxy || only_with_subcommand),
                "what the proxy answers has a handler, and nothing else",
            );
            says(
                !matches!(row.serve, Serve::Refused(why) if !Why::OF_ROWS.contains(&why)),
                "its reason to be refused is one for a whole row",
            );
            says(
                row.legacy == Legacy::UNKNOWN || goes_to_stores,
                "only what goes to a datastore may go to a C node",
            );
            says(
                row.replicate == Replicate::AsIs
                    || row.class == Class::Write
                        && matches!(row.serve, Serve::Keyed | Serve::SameNode),
                "only a write by key is rewritten for replicas",
            );
            says(
                !matches!(row.replicate, Replicate::Absolute(_)) || row.expiry != Expiry::None,
                "a time that is made absolute has its place",
            );
            let joins = match row.join {
                JoinRule::Same => true,
                JoinRule::Values => row.serve == Serve::Split && row.alike == Alike::Values,
                JoinRule::Sum => matches!(row.serve, Serve::Split | Serve::RackNodes),
                JoinRule::Lists | JoinRule::AnyKey | JoinRule::Cursor => {
                    row.serve == Serve::RackNodes
                }
                JoinRule::And | JoinRule::OneSuccess => row.serve == Serve::AllNodes,
                JoinRule::Settings | JoinRule::Docs => row.serve == Serve::LocalNode,
            };
            says(joins, "its replies are joined as it is served");
            says(
                row.serve != Serve::RackNodes || row.join != JoinRule::Same,
                "a node answers for its part of the rack only",
            );
            says(
                row.alike == Alike::Bytes
                    || row.class == Class::Read
                    || row.runs_script()
                    || row.needs_args,
                "only replies of reads are compared by less than their bytes",
            );
            if let Expiry::After { moment, .. } = row.expiry {
                let moment = lookup(moment.as_bytes()).map(|row| row.expiry);
                says(
                    matches!(moment, Some(Expiry::Moment { after })
                        if lookup(after.as_bytes()).is_some_and(|row| matches!(row.expiry, Expiry::After { .. }))),
                    "there is a way back from a moment",
                );
            }
            if let Script::Hash(other) = row.script {
                let other = lookup(other.as_bytes()).map(|row| row.script);
                says(other == Some(Script::Text(1)), "a script is sent anew");
            }
            let variable = row
                .specs
                .iter()
                .any(|spec| spec.flags & crate::proto::redis::keys::flag::VARIABLE_FLAGS != 0);
            says(
                !variable || row.key_use != KeyUse::Fixed || !row.is_served(),
                "what is done to a key is settled by the arguments",
            );
            says(
                row.transaction == Transaction::None || row.flags & flag::NOSCRIPT != 0,
                "no script takes part in a transaction",
            );
        }
    }
}
