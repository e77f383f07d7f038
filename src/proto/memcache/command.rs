//! The one table of commands.

use super::line::{self, Reader};
use super::meta::Verb;
use crate::proto::Class;

/// The server of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Serve {
    /// The owner of its one key.
    Keyed,
    /// The owners of its keys, each with its share; the values are joined.
    Split,
    /// The datastore of the node that was asked.
    LocalNode,
    /// The datastores of all nodes, if the operator allowed it; refused otherwise.
    AllNodesGuarded,
    /// The proxy itself.
    Proxy,
}

/// One command.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// The name in a request; names are case-sensitive.
    pub name: &'static str,
    /// Read or write, unless it depends on the arguments ([`super::call::Call::class`]).
    pub class: Class,
    /// Its server.
    pub serve: Serve,
    /// Which meta command it is, if it is one.
    pub meta: Option<Verb>,
    /// A retrieval whose reply contains the versions of values.
    pub tells_versions: bool,
    /// A storage command that names the version which is to be replaced.
    pub compares: bool,
    /// A storage command whose expiration time is read and has no effect.
    pub ignores_exptime: bool,
    /// In admin mode (the original's `-x 1`) it removes from the local datastore what this node owns.
    pub purges: bool,
    pub(super) read: Reader,
    index: u16,
}

/// A row; the builder functions below add its special properties.
const fn row(index: u16, name: &'static str, class: Class, serve: Serve, read: Reader) -> Command {
    Command {
        name,
        class,
        serve,
        meta: None,
        tells_versions: false,
        compares: false,
        ignores_exptime: false,
        purges: false,
        read,
        index,
    }
}

impl Command {
    /// Its place in the table.
    pub fn index(&self) -> u16 {
        self.index
    }

    const fn meta(mut self, verb: Verb) -> Self {
        self.meta = Some(verb);
        self
    }

    const fn tells_versions(mut self) -> Self {
        self.tells_versions = true;
        self
    }

    const fn compares(mut self) -> Self {
        self.compares = true;
        self
    }

    const fn purges(mut self) -> Self {
        self.purges = true;
        self
    }

    const fn ignores_exptime(mut self) -> Self {
        self.ignores_exptime = true;
        self
    }
}

impl PartialEq for Command {
    fn eq(&self, other: &Command) -> bool {
        self.index == other.index
    }
}

impl Eq for Command {}

/// Rows in the table: one more than the greatest [`Command::index`].
pub const COUNT: usize = TABLE.len();

/// Declares the table, and a name for each row. Columns: name, class, how it is served, how its line is read;
/// then what else is special.
macro_rules! table {
    ($($constant:ident $name:literal $class:ident $serve:ident $read:ident $(.$column:ident($($value:expr)?))*,)*) => {
        #[derive(Clone, Copy)]
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "the names of the rows")]
        enum Row { $($constant,)* }

        $(
            #[doc = concat!("`", $name, "`.")]
            pub static $constant: Command =
                row(Row::$constant as u16, $name, Class::$class, Serve::$serve, line::$read)
                    $(.$column($($value)?))*;
        )*

        static TABLE: [&Command; [$(Row::$constant),*].len()] = [$(&$constant),*];
    };
}

table! {
    GET "get" Read Split retrieval,
    GETS "gets" Read Split retrieval.tells_versions(),
    GAT "gat" Write Split touching_retrieval,
    GATS "gats" Write Split touching_retrieval.tells_versions(),
    SET "set" Write Keyed storage,
    ADD "add" Write Keyed storage,
    REPLACE "replace" Write Keyed storage,
    APPEND "append" Write Keyed storage.ignores_exptime(),
    PREPEND "prepend" Write Keyed storage.ignores_exptime(),
    CAS "cas" Write Keyed storage.compares(),
    DELETE "delete" Write Keyed delete.purges(),
    INCR "incr" Write Keyed arithmetic,
    DECR "decr" Write Keyed arithmetic,
    TOUCH "touch" Write Keyed touch,
    META_GET "mg" Read Keyed meta_get.meta(Verb::Get),
    META_SET "ms" Write Keyed meta_set.meta(Verb::Set),
    META_DELETE "md" Write Keyed meta_delete.meta(Verb::Delete),
    META_ARITHMETIC "ma" Write Keyed meta_arithmetic.meta(Verb::Arithmetic),
    META_NOOP "mn" Read Proxy meta_noop,
    VERSION "version" Read LocalNode version,
    STATS "stats" Read LocalNode stats,
    FLUSH_ALL "flush_all" Write AllNodesGuarded flush,
    VERBOSITY "verbosity" Read Proxy verbosity,
    QUIT "quit" Read Proxy quit,
}

/// The row with this index.
pub fn command(index: u16) -> Option<&'static Command> {
    TABLE.get(usize::from(index)).copied()
}

/// The command of this name, exactly as written.
pub fn lookup(name: &[u8]) -> Option<&'static Command> {
    TABLE
        .iter()
        .copied()
        .find(|command| command.name.as_bytes() == name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_found_by_its_name_and_by_its_index() {
        for row in TABLE {
            assert_eq!(
                row.meta.is_some(),
                row.name.len() == 2 && row.serve == Serve::Keyed
            );
            assert_eq!(lookup(row.name.as_bytes()).unwrap().index(), row.index());
            assert_eq!(command(row.index()).unwrap().name, row.name);
        }
        assert!(lookup(b"GET").is_none() && command(COUNT as u16).is_none());
    }
}
