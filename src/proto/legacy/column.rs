//! How the original treats a command of Redis: a column of the command table.

/// How many arguments, name included, the original takes a command with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// It does not know the command, or must not be sent it.
    Nothing,
    Exactly(u8),
    AtLeast(u8),
    Between(u8, u8),
    /// At least three, an odd number.
    Pairs,
    /// At least four, with the number of keys in decimal digits.
    Script,
}

/// Which replies of a command have an array inside an array, which a C node can only read in the last place.
/// (It hands the rest to another client.)
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nests {
    Never,
    /// With this many arguments or more.
    From(u8),
    /// With a word that asks for more than members (`GEORADIUS`).
    WithWords,
    /// Any: it is a client's script.
    Script,
}

/// Which nulls the reply of a carried request has: to a script the null bulk string and the null array are the
/// same, so that must be known from the command; and integers are numbers of 53 bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NullRule {
    Bulk,
    /// The null array with this many arguments or more, else the null bulk string.
    ArrayFrom(u8),
    /// With this many arguments nulls of both kinds, so it cannot be carried; else the null bulk string.
    BothWith(u8),
    /// The null bulk string; fields of more than 53 bits cannot be carried (`BITFIELD`).
    Fields,
}

/// How the original treats a command: a column of the command table. Without it, the original does not know
/// the command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Legacy {
    pub(super) takes: Takes,
    pub(super) nests: Nests,
    pub(super) nulls: NullRule,
    pub(super) reads: bool,
}

impl Legacy {
    /// The value for most commands that the original does not know.
    pub const UNKNOWN: Legacy = Legacy::takes(Takes::Nothing);

    /// A command that the original takes with this many arguments.
    pub const fn takes(takes: Takes) -> Legacy {
        Legacy {
            takes,
            nests: match takes {
                Takes::Script => Nests::Script,
                _ => Nests::Never,
            },
            nulls: NullRule::Bulk,
            reads: false,
        }
    }

    /// It may have a reply with arrays inside an array, from this many arguments on.
    pub const fn nests_from(mut self, argc: u8) -> Legacy {
        self.nests = Nests::From(argc);
        self
    }

    /// The same with one of the words `WITHCOORD`, `WITHDIST`, `WITHHASH`.
    pub const fn nests_with_words(mut self) -> Legacy {
        self.nests = Nests::WithWords;
        self
    }

    /// Carried, its null is the null array from this many arguments on.
    pub const fn null_array_from(mut self, argc: u8) -> Legacy {
        self.nulls = NullRule::ArrayFrom(argc);
        self
    }

    /// With this many arguments its reply has nulls of both kinds.
    pub const fn both_nulls_with(mut self, argc: u8) -> Legacy {
        self.nulls = NullRule::BothWith(argc);
        self
    }

    /// Its arguments name the width of integers.
    pub const fn fields(mut self) -> Legacy {
        self.nulls = NullRule::Fields;
        self
    }

    /// The original takes it for a read, for any arguments.
    pub const fn as_read(mut self) -> Legacy {
        self.reads = true;
        self
    }
}
