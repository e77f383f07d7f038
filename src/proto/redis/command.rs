//! What the proxy knows about a command: the row type of the one command table.
//!
//! The rows are in `table.rs` and `subcommands.rs`; here they are joined into one array, so that a
//! command is a small index as well as a reference. Everything that asks about commands is driven
//! from it: parsing, arity, routing, statistics, RESP3 forms, `COMMAND`.

use super::keys::{Finder, KeySpec, legacy_range};
use super::resp3::{Form, FormRule};
use super::table::ROWS;

/// Whether a request changes data. Decides to how many replicas it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Changes nothing: one replica, or a quorum of the local datacenter.
    Read,
    /// Goes to every rack of the local datacenter and one rack of each remote one.
    Write,
}

/// Who answers a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serve {
    /// The owner of its one key.
    Keyed,
    /// The owners of its keys, each with its share; the replies are joined.
    Split,
    /// The owner of its keys if all have the same one, else `CROSSSLOT`.
    SameNode,
    /// The proxy itself ([`super::session::Session::answer`]).
    Proxy,
    /// The datastore of the node that was asked.
    LocalNode,
    /// The datastores of all nodes.
    AllNodes,
    /// The datastores of all nodes, if the operator allowed it; refused otherwise.
    AllNodesGuarded,
    /// Refused: waits for data.
    Blocking,
    /// Refused: part of a transaction.
    Transaction,
    /// Refused: publish and subscribe.
    PubSub,
    /// Refused for other reasons: would harm or mislead behind a proxy.
    Refused,
    /// The original's pseudo-command that sets the connection's consistency level; answered by
    /// [`super::session::Session::answer`].
    ConnConsistency,
}

/// Redis' command flags.
pub mod flag {
    pub const WRITE: u32 = 1;
    pub const READONLY: u32 = 1 << 1;
    pub const DENYOOM: u32 = 1 << 2;
    pub const ADMIN: u32 = 1 << 3;
    pub const PUBSUB: u32 = 1 << 4;
    pub const NOSCRIPT: u32 = 1 << 5;
    pub const BLOCKING: u32 = 1 << 6;
    pub const LOADING: u32 = 1 << 7;
    pub const STALE: u32 = 1 << 8;
    pub const SKIP_MONITOR: u32 = 1 << 9;
    pub const SKIP_SLOWLOG: u32 = 1 << 10;
    pub const ASKING: u32 = 1 << 11;
    pub const FAST: u32 = 1 << 12;
    pub const NO_AUTH: u32 = 1 << 13;
    pub const NO_MANDATORY_KEYS: u32 = 1 << 14;
    pub const NO_ASYNC_LOADING: u32 = 1 << 15;
    pub const NO_MULTI: u32 = 1 << 16;
    pub const MOVABLEKEYS: u32 = 1 << 17;
    pub const ALLOW_BUSY: u32 = 1 << 18;

    /// The names Redis prints, lowest bit first.
    pub const NAMES: [&str; 19] = [
        "write",
        "readonly",
        "denyoom",
        "admin",
        "pubsub",
        "noscript",
        "blocking",
        "loading",
        "stale",
        "skip_monitor",
        "skip_slowlog",
        "asking",
        "fast",
        "no_auth",
        "no_mandatory_keys",
        "no_async_loading",
        "no_multi",
        "movablekeys",
        "allow_busy",
    ];
}

/// ACL categories.
pub mod cat {
    pub const KEYSPACE: u32 = 1;
    pub const READ: u32 = 1 << 1;
    pub const WRITE: u32 = 1 << 2;
    pub const SET: u32 = 1 << 3;
    pub const SORTEDSET: u32 = 1 << 4;
    pub const LIST: u32 = 1 << 5;
    pub const HASH: u32 = 1 << 6;
    pub const STRING: u32 = 1 << 7;
    pub const BITMAP: u32 = 1 << 8;
    pub const HYPERLOGLOG: u32 = 1 << 9;
    pub const GEO: u32 = 1 << 10;
    pub const STREAM: u32 = 1 << 11;
    pub const PUBSUB: u32 = 1 << 12;
    pub const ADMIN: u32 = 1 << 13;
    pub const FAST: u32 = 1 << 14;
    pub const SLOW: u32 = 1 << 15;
    pub const BLOCKING: u32 = 1 << 16;
    pub const DANGEROUS: u32 = 1 << 17;
    pub const CONNECTION: u32 = 1 << 18;
    pub const TRANSACTION: u32 = 1 << 19;
    pub const SCRIPTING: u32 = 1 << 20;

    /// The names Redis prints, lowest bit first.
    pub const NAMES: [&str; 21] = [
        "keyspace",
        "read",
        "write",
        "set",
        "sortedset",
        "list",
        "hash",
        "string",
        "bitmap",
        "hyperloglog",
        "geo",
        "stream",
        "pubsub",
        "admin",
        "fast",
        "slow",
        "blocking",
        "dangerous",
        "connection",
        "transaction",
        "scripting",
    ];
}

/// The `redis_req_*` counters, as bits of [`ReqStats`].
pub(super) mod stats {
    pub const GET: u16 = 1;
    pub const SET: u16 = 1 << 1;
    pub const DEL: u16 = 1 << 2;
    pub const INCR_DECR: u16 = 1 << 3;
    pub const KEYS: u16 = 1 << 4;
    pub const MGET: u16 = 1 << 5;
    pub const SCAN: u16 = 1 << 6;
    pub const SORT: u16 = 1 << 7;
    pub const LREQM: u16 = 1 << 8;
    pub const SUNION: u16 = 1 << 9;
    pub const PING: u16 = 1 << 10;
    pub const LISTS: u16 = 1 << 11;
    pub const SETS: u16 = 1 << 12;
    pub const HASHES: u16 = 1 << 13;
    pub const SORTEDSETS: u16 = 1 << 14;
    pub const OTHER: u16 = 1 << 15;
}

/// The `redis_req_*` counters a request moves when it is queued to the local datastore.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReqStats(u16);

impl ReqStats {
    /// The counters' names, in the order of their numbers; also their order in `/info`.
    pub const NAMES: [&'static str; 16] = [
        "redis_req_get",
        "redis_req_set",
        "redis_req_del",
        "redis_req_incr_decr",
        "redis_req_keys",
        "redis_req_mget",
        "redis_req_scan",
        "redis_req_sort",
        "redis_req_lreqm",
        "redis_req_sunion",
        "redis_req_ping",
        "redis_req_lists",
        "redis_req_sets",
        "redis_req_hashes",
        "redis_req_sortedsets",
        "redis_req_other",
    ];

    /// The number (0 to 15, an index into [`ReqStats::NAMES`]) of each counter to move. One for
    /// most commands, two for `LREM` and the set commands, three for `SUNION`.
    #[inline]
    pub fn columns(self) -> impl Iterator<Item = usize> {
        let mut left = self.0;
        std::iter::from_fn(move || {
            let column = left.trailing_zeros() as usize;
            left &= left.wrapping_sub(1);
            (column < 16).then_some(column)
        })
    }
}

/// One command, or one subcommand of a container such as `CONFIG`.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Lower case; a subcommand's own word without its container's.
    pub name: &'static str,
    /// Number of arguments with the name, as Redis counts: exact, or at least its negative. A
    /// subcommand's counts both words.
    pub arity: i8,
    /// The first key's place, 0 if there is none or it moves with the arguments.
    pub first_key: u8,
    /// Read or write, when the arguments do not matter (see [`Command::needs_args`]).
    pub class: Class,
    /// Who answers it, when the arguments do not matter.
    pub serve: Serve,
    /// Class and server depend on the arguments: ask [`Command::refine`].
    pub needs_args: bool,
    /// Read from the owner in the local rack only, at every consistency level (the original's
    /// `ROUTING_TOKEN_OWNER_LOCAL_RACK_ONLY`).
    pub own_rack: bool,
    /// Two replicas in the same state may answer differently.
    pub nondeterministic: bool,
    /// Two replicas in the same state may answer the same elements in another order.
    pub unordered: bool,
    /// Which counters it moves.
    pub stat: ReqStats,
    /// Redis' flags, bits of [`flag`].
    pub flags: u32,
    /// ACL categories, bits of [`cat`].
    pub categories: u32,
    /// Where its keys are; see [`Command::keys`].
    pub specs: &'static [KeySpec],
    pub(super) finder: Finder,
    pub(super) form: FormRule,
    pairs: bool,
    direct: bool,
    index: u16,
    parent: Option<u16>,
    children: Children,
}

/// Subcommands: where they are declared, then where they stand in the assembled table.
#[derive(Clone, Copy, Debug)]
enum Children {
    Declared(&'static [Command]),
    At(u16, u16),
}

/// What a request turns out to be once its arguments are looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refined {
    /// Read or write.
    pub class: Class,
    /// Who answers it.
    pub serve: Serve,
}

/// A row; the builder functions below say what is special about it.
pub(super) const fn row(
    name: &'static str,
    arity: i8,
    serve: Serve,
    specs: &'static [KeySpec],
    flags: u32,
    categories: u32,
) -> Command {
    let to_store = matches!(
        serve,
        Serve::Keyed
            | Serve::Split
            | Serve::SameNode
            | Serve::LocalNode
            | Serve::AllNodes
            | Serve::AllNodesGuarded
    );
    let asks = matches!(
        serve,
        Serve::LocalNode | Serve::Proxy | Serve::ConnConsistency
    );
    let (first, _, _) = legacy_range(specs);
    Command {
        name,
        arity,
        first_key: first,
        class: if asks || flags & flag::READONLY != 0 {
            Class::Read
        } else {
            Class::Write
        },
        serve,
        needs_args: false,
        own_rack: false,
        nondeterministic: false,
        unordered: false,
        stat: ReqStats(if to_store { stats::OTHER } else { 0 }),
        flags,
        categories: categories | implied(flags, categories),
        specs,
        finder: Finder::Specs,
        form: FormRule::Is(Form::Plain),
        pairs: false,
        direct: false,
        index: 0,
        parent: None,
        children: Children::Declared(&[]),
    }
}

/// The categories that follow from the flags.
const fn implied(flags: u32, categories: u32) -> u32 {
    let mut implied = if flags & flag::FAST != 0 {
        cat::FAST
    } else {
        cat::SLOW
    };
    if flags & flag::WRITE != 0 {
        implied |= cat::WRITE;
    }
    if flags & flag::READONLY != 0 && categories & cat::SCRIPTING == 0 {
        implied |= cat::READ;
    }
    if flags & flag::ADMIN != 0 {
        implied |= cat::ADMIN | cat::DANGEROUS;
    }
    if flags & flag::PUBSUB != 0 {
        implied |= cat::PUBSUB;
    }
    if flags & flag::BLOCKING != 0 {
        implied |= cat::BLOCKING;
    }
    implied
}

impl Command {
    pub(super) const fn stat(mut self, columns: u16) -> Self {
        self.stat = ReqStats(columns);
        self
    }

    pub(super) const fn resp3(mut self, form: FormRule) -> Self {
        self.form = form;
        self
    }

    pub(super) const fn finder(mut self, finder: Finder) -> Self {
        self.finder = finder;
        self
    }

    /// The arguments after the name come in pairs.
    pub(super) const fn pairs(mut self) -> Self {
        self.pairs = true;
        self
    }

    pub(super) const fn own_rack(mut self) -> Self {
        self.own_rack = true;
        self
    }

    pub(super) const fn varies(mut self) -> Self {
        self.needs_args = true;
        self
    }

    pub(super) const fn reads(mut self) -> Self {
        self.class = Class::Read;
        self
    }

    pub(super) const fn nondeterministic(mut self) -> Self {
        self.nondeterministic = true;
        self
    }

    pub(super) const fn unordered(mut self) -> Self {
        self.unordered = true;
        self
    }

    pub(super) const fn subcommands(mut self, rows: &'static [Command]) -> Self {
        self.children = Children::Declared(rows);
        self
    }
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
        Serve::LocalNode => true,
        Serve::Keyed | Serve::Split | Serve::SameNode => row.first_key > 0,
        _ => false,
    };
    let container = matches!(row.children, Children::Declared([_, ..]));
    plain && !container && !row.needs_args
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

    /// Its subcommands, in alphabetical order; empty for a plain command.
    pub fn children(&self) -> &'static [Command] {
        let Children::At(at, count) = self.children else {
            return &[];
        };
        let (at, count) = (usize::from(at), usize::from(count));
        TABLE.get(at..at + count).unwrap_or_default()
    }

    /// Whether it goes to a datastore whatever its arguments are, its first key at
    /// [`Command::first_key`] if it has keys: nothing but their number has to be looked at.
    #[inline]
    pub fn is_direct(&self) -> bool {
        self.direct
    }

    /// Whether the second word of a request belongs to the command.
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

    /// Whether a request of `argc` arguments, all words of the name included, has the right number
    /// of them.
    #[inline]
    pub fn accepts(&self, argc: usize) -> bool {
        let wanted = usize::from(self.arity.unsigned_abs());
        let enough = if self.arity < 0 {
            argc >= wanted
        } else {
            argc == wanted
        };
        enough && !(self.pairs && argc % 2 == 0)
    }

    /// Whether the proxy serves it, if only under conditions.
    pub fn is_served(&self) -> bool {
        !matches!(
            self.serve,
            Serve::Blocking
                | Serve::Transaction
                | Serve::PubSub
                | Serve::Refused
                | Serve::AllNodesGuarded
        )
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
                Serve::Blocking
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
