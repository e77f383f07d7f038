//! The one table of opcodes.

use super::header::Header;

/// The operation of a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    /// Reads an item.
    Get,
    /// Reads an item, and gives it another time to live.
    GetAndTouch,
    /// Gives an item another time to live.
    Touch,
    /// Stores an item.
    Store(Mode),
    /// Adds to an item's value.
    Join(Mode),
    /// Deletes an item.
    Delete,
    /// Counts up or down.
    Arithmetic(Mode),
    /// Deletes all items.
    Flush,
    /// Tells the version of the datastore.
    Version,
    /// Tells statistics.
    Stat,
    /// Does nothing.
    Noop,
    /// Ends the connection.
    Quit,
    /// Asks for a password, which memcached does not want here either.
    Sasl,
    /// Nothing that memcached knows.
    Unknown,
}

/// The mode of a meta command: the letter behind `M`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Stores whether or not the item exists.
    Set,
    /// Stores where there is nothing.
    Add,
    /// Stores where there is something.
    Replace,
    /// Behind the value.
    Append,
    /// In front of the value.
    Prepend,
    /// Up.
    Increment,
    /// Down.
    Decrement,
}

/// One opcode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opcode {
    /// The code in a request.
    pub code: u8,
    /// As documents name it.
    pub name: &'static str,
    /// Its operation.
    pub op: Op,
    /// True if the normal result is not answered: a miss of one that reads, a success of the others.
    pub quiet: bool,
    /// True if the response repeats the key.
    pub keyed: bool,
}

const fn row(code: u8, name: &'static str, op: Op, quiet: bool, keyed: bool) -> Opcode {
    Opcode {
        code,
        name,
        op,
        quiet,
        keyed,
    }
}

/// In the order of their codes.
pub static TABLE: [Opcode; 0x25] = [
    row(0x00, "get", Op::Get, false, false),
    row(0x01, "set", Op::Store(Mode::Set), false, false),
    row(0x02, "add", Op::Store(Mode::Add), false, false),
    row(0x03, "replace", Op::Store(Mode::Replace), false, false),
    row(0x04, "delete", Op::Delete, false, false),
    row(0x05, "incr", Op::Arithmetic(Mode::Increment), false, false),
    row(0x06, "decr", Op::Arithmetic(Mode::Decrement), false, false),
    row(0x07, "quit", Op::Quit, false, false),
    row(0x08, "flush", Op::Flush, false, false),
    row(0x09, "getq", Op::Get, true, false),
    row(0x0a, "noop", Op::Noop, false, false),
    row(0x0b, "version", Op::Version, false, false),
    row(0x0c, "getk", Op::Get, false, true),
    row(0x0d, "getkq", Op::Get, true, true),
    row(0x0e, "append", Op::Join(Mode::Append), false, false),
    row(0x0f, "prepend", Op::Join(Mode::Prepend), false, false),
    row(0x10, "stat", Op::Stat, false, false),
    row(0x11, "setq", Op::Store(Mode::Set), true, false),
    row(0x12, "addq", Op::Store(Mode::Add), true, false),
    row(0x13, "replaceq", Op::Store(Mode::Replace), true, false),
    row(0x14, "deleteq", Op::Delete, true, false),
    row(0x15, "incrq", Op::Arithmetic(Mode::Increment), true, false),
    row(0x16, "decrq", Op::Arithmetic(Mode::Decrement), true, false),
    row(0x17, "quitq", Op::Quit, true, false),
    row(0x18, "flushq", Op::Flush, true, false),
    row(0x19, "appendq", Op::Join(Mode::Append), true, false),
    row(0x1a, "prependq", Op::Join(Mode::Prepend), true, false),
    row(0x1b, "verbosity", Op::Unknown, false, false),
    row(0x1c, "touch", Op::Touch, false, false),
    row(0x1d, "gat", Op::GetAndTouch, false, false),
    row(0x1e, "gatq", Op::GetAndTouch, true, false),
    row(0x1f, "", Op::Unknown, false, false),
    row(0x20, "sasl list mechs", Op::Sasl, false, false),
    row(0x21, "sasl auth", Op::Sasl, false, false),
    row(0x22, "sasl step", Op::Sasl, false, false),
    row(0x23, "gatk", Op::GetAndTouch, false, true),
    row(0x24, "gatkq", Op::GetAndTouch, true, true),
];

/// The row of an opcode; `None` for those that memcached does not know.
pub fn lookup(code: u8) -> Option<&'static Opcode> {
    TABLE
        .get(usize::from(code))
        .filter(|row| row.op != Op::Unknown)
}

impl Opcode {
    /// Returns true if requests with this opcode are carried out.
    pub fn is_served(&self) -> bool {
        !matches!(self.op, Op::Sasl | Op::Unknown)
    }

    /// Returns true if the lengths in a header are those of the command.
    pub fn fits(&self, header: &Header) -> bool {
        let Some(value) = header.value() else {
            return false;
        };
        let (has_key, has_value) = (header.key > 0, value > 0);
        match self.op {
            Op::Get | Op::Delete => header.extras == 0 && has_key && !has_value,
            Op::GetAndTouch | Op::Touch => header.extras == 4 && has_key && !has_value,
            Op::Store(_) => header.extras == 8 && has_key,
            Op::Join(_) => header.extras == 0 && has_key,
            Op::Arithmetic(_) => header.extras == 20 && has_key && !has_value,
            Op::Flush => matches!(header.extras, 0 | 4) && !has_key && !has_value,
            Op::Version | Op::Noop | Op::Quit => header.body == 0,
            Op::Stat => header.extras == 0 && !has_value,
            Op::Sasl if self.code == 0x20 => header.body == 0,
            Op::Sasl => header.extras == 0 && has_key,
            Op::Unknown => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_stands_in_its_place() {
        for (row, code) in TABLE.iter().zip(0..) {
            assert_eq!(row.code, code, "{}", row.name);
            assert_eq!(lookup(code).is_some(), row.op != Op::Unknown);
            assert_eq!(row.quiet, row.name.ends_with('q'), "{}", row.name);
        }
        assert_eq!(lookup(0x25), None);
    }
}
