//! A request that has been understood.

use super::command::Command;

/// One request, as it goes to a datastore: in canonical form, never with `noreply` or the meta flag
/// `q`, so that each is answered exactly once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call<'a> {
    /// Its row.
    pub command: &'static Command,
    /// What it asks for.
    pub body: Body<'a>,
    /// What of the answer the client does not want.
    pub quiet: Quiet,
}

/// What of an answer a client does not want to hear.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Quiet {
    /// It wants to hear everything.
    #[default]
    No,
    /// `noreply`: nothing.
    All,
    /// The meta flag `q`: not what is normal for the command.
    Nominal,
}

/// What a request asks for. Lines are told without their data block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body<'a> {
    /// `get`, `gets`, `gat`, `gats`.
    Get {
        /// `gat` and `gats`: the new expiration time.
        exptime: Option<i32>,
        /// At least one, each of 1 to 250 bytes.
        keys: Vec<&'a [u8]>,
    },
    /// `set`, `add`, `replace`, `append`, `prepend`, `cas`.
    Store {
        key: &'a [u8],
        flags: u32,
        exptime: i32,
        /// Bytes of the value, without the CR LF behind it.
        len: u32,
        /// `cas`: the version that is to be replaced.
        unique: Option<u64>,
    },
    /// `delete`.
    Delete { key: &'a [u8] },
    /// `incr`, `decr`.
    Arithmetic { key: &'a [u8], delta: u64 },
    /// `touch`.
    Touch { key: &'a [u8], exptime: i32 },
    /// `mg`, `ms`, `md`, `ma`.
    Meta(Meta<'a>),
    /// `version`, `stats`: the words after the name.
    Words(Vec<&'a [u8]>),
    /// `flush_all`.
    Flush { delay: Option<i32> },
}

/// A meta command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meta<'a> {
    /// As it stands in the line: in base64 if there is a flag `b`.
    pub key: &'a [u8],
    /// `ms`: bytes of the value, without the CR LF behind it.
    pub len: Option<u32>,
    /// Each with its token, in the client's order, without `q`. No letter stands twice.
    pub flags: Vec<&'a [u8]>,
}

impl PartialEq for Command {
    fn eq(&self, other: &Command) -> bool {
        self.index() == other.index()
    }
}

impl Eq for Command {}
