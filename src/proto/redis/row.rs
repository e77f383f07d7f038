//! How a row of the command table is written: name, arity, how it is served, its keys, Redis' flags and those
//! ACL categories that do not follow from the flags; then, by functions, its special properties.

use super::alike::Alike;
use super::command::{Children, Class, Command, Replicate, Script, Serve, Transaction};
use super::errors::NumKeys;
use super::expiry::Expiry;
use super::flags::{cat, flag};
use super::join::JoinRule;
use super::keys::{Finder, KeySpec, KeyUse, legacy_range};
use super::req_stats::{ReqStats, stats};
use super::resp3::{Form, FormRule};
use super::session::clients::AboutClients;
use super::session::help::Help;
use super::session::{Answer, Handler};
use crate::proto::legacy::column::Legacy;

/// A row; the builder functions below add its special properties.
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
            | Serve::RackNodes
            | Serve::AllNodes
            | Serve::AllNodesGuarded
    );
    let asks = matches!(serve, Serve::LocalNode | Serve::RackNodes | Serve::Proxy);
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
        store_refuses: false,
        has_patterns: false,
        own_rack: false,
        nondeterministic: false,
        unordered: false,
        alike: Alike::Bytes,
        replicate: Replicate::AsIs,
        legacy: Legacy::UNKNOWN,
        join: JoinRule::Same,
        transaction: Transaction::None,
        script: Script::None,
        num_keys: NumKeys::Integer,
        counted: true,
        may_replicate: false,
        purges: false,
        stat: ReqStats::of(if to_store { stats::OTHER } else { 0 }),
        flags,
        categories: categories | implied(flags, categories),
        specs,
        help: &[],
        key_use: KeyUse::Fixed,
        expiry: Expiry::None,
        finder: Finder::Specs,
        handler: Handler::None,
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
        self.stat = ReqStats::of(columns);
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

    pub(super) const fn store_refuses(mut self) -> Self {
        self.store_refuses = true;
        self
    }

    pub(super) const fn patterns_in_args(mut self) -> Self {
        self.has_patterns = true;
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

    /// The parts of its replies that are compared; called last.
    pub(super) const fn alike(mut self, alike: Alike) -> Self {
        self.alike = alike;
        self
    }

    pub(super) const fn unordered(mut self) -> Self {
        self.unordered = true;
        self.alike(Alike::Groups(1))
    }

    /// Nondeterministic, and more often than not: a time that is left, an element drawn by chance.
    pub(super) const fn incomparable(self) -> Self {
        self.alike(Alike::Kind).nondeterministic()
    }

    pub(super) const fn replicate(mut self, how: Replicate) -> Self {
        self.replicate = how;
        self
    }

    pub(super) const fn key_use(mut self, key_use: KeyUse) -> Self {
        self.key_use = key_use;
        self
    }

    pub(super) const fn expiry(mut self, expiry: Expiry) -> Self {
        self.expiry = expiry;
        self
    }

    pub(super) const fn legacy(mut self, legacy: Legacy) -> Self {
        self.legacy = legacy;
        self
    }

    pub(super) const fn join(mut self, rule: JoinRule) -> Self {
        self.join = rule;
        self
    }

    pub(super) const fn transaction(mut self, part: Transaction) -> Self {
        self.transaction = part;
        self
    }

    pub(super) const fn script(mut self, script: Script) -> Self {
        self.script = script;
        self
    }

    pub(super) const fn num_keys(mut self, words: NumKeys) -> Self {
        self.num_keys = words;
        self
    }

    pub(super) const fn not_counted(mut self) -> Self {
        self.counted = false;
        self
    }

    pub(super) const fn may_replicate(mut self) -> Self {
        self.may_replicate = true;
        self
    }

    pub(super) const fn purges(mut self) -> Self {
        self.purges = true;
        self
    }

    /// Answered by the session of the client that asks.
    pub(super) const fn by(mut self, answer: Answer) -> Self {
        self.handler = Handler::Session(answer);
        self
    }

    /// Answered by the node, which knows its clients.
    pub(super) const fn about(mut self, command: AboutClients) -> Self {
        self.handler = Handler::Node(command);
        self
    }

    pub(super) const fn help(mut self, lines: &'static [Help]) -> Self {
        self.help = lines;
        self
    }

    pub(super) const fn subcommands(mut self, rows: &'static [Command]) -> Self {
        self.children = Children::Declared(rows);
        self
    }
}
