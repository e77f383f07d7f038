//! The one table of commands.

use crate::proto::Class;

/// Who answers a command.
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
    /// As it stands in a request: names are case-sensitive.
    pub name: &'static str,
    /// Read or write, unless its arguments say otherwise ([`super::call::Call::class`]).
    pub class: Class,
    /// Who answers it.
    pub serve: Serve,
    index: u16,
}

impl Command {
    /// Its place in the table.
    pub fn index(&self) -> u16 {
        self.index
    }
}

const fn row(index: u16, name: &'static str, class: Class, serve: Serve) -> Command {
    Command {
        name,
        class,
        serve,
        index,
    }
}

/// Rows in the table: one more than the greatest [`Command::index`].
pub const COUNT: usize = TABLE.len();

/// Declares the table, and a name for each row.
macro_rules! table {
    ($($constant:ident $name:literal $class:ident $serve:ident,)*) => {
        #[derive(Clone, Copy)]
        #[allow(non_camel_case_types, clippy::upper_case_acronyms, reason = "the names of the rows")]
        enum Row { $($constant,)* }

        $(
            #[doc = concat!("`", $name, "`.")]
            pub static $constant: Command =
                row(Row::$constant as u16, $name, Class::$class, Serve::$serve);
        )*

        static TABLE: [&Command; [$(Row::$constant),*].len()] = [$(&$constant),*];
    };
}

table! {
    GET "get" Read Split,
    GETS "gets" Read Split,
    GAT "gat" Write Split,
    GATS "gats" Write Split,
    SET "set" Write Keyed,
    ADD "add" Write Keyed,
    REPLACE "replace" Write Keyed,
    APPEND "append" Write Keyed,
    PREPEND "prepend" Write Keyed,
    CAS "cas" Write Keyed,
    DELETE "delete" Write Keyed,
    INCR "incr" Write Keyed,
    DECR "decr" Write Keyed,
    TOUCH "touch" Write Keyed,
    META_GET "mg" Read Keyed,
    META_SET "ms" Write Keyed,
    META_DELETE "md" Write Keyed,
    META_ARITHMETIC "ma" Write Keyed,
    META_NOOP "mn" Read Proxy,
    VERSION "version" Read LocalNode,
    STATS "stats" Read LocalNode,
    FLUSH_ALL "flush_all" Write AllNodesGuarded,
    VERBOSITY "verbosity" Read Proxy,
    QUIT "quit" Read Proxy,
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
            assert_eq!(lookup(row.name.as_bytes()).unwrap().index(), row.index());
            assert_eq!(command(row.index()).unwrap().name, row.name);
        }
        assert!(lookup(b"GET").is_none() && command(COUNT as u16).is_none());
    }
}
