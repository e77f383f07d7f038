//! The statuses of responses, and their texts.

/// The result of a request. Numbers are those of memcached's document on the binary protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It was carried out.
    Success,
    /// There is no such item.
    NotFound,
    /// There is such an item, or it has another version.
    Exists,
    /// The value is larger than memcached takes.
    TooLarge,
    /// Extras, key or value are not those of the command.
    Invalid,
    /// There is nothing to be appended to.
    NotStored,
    /// The value is no number.
    NotANumber,
    /// There is no such command.
    UnknownCommand,
    /// memcached has no memory for it.
    OutOfMemory,
    /// Not served by this program, or not to be passed on to a peer.
    NotSupported,
    /// None of memcached's.
    Internal,
    /// A node or a datastore could not be reached, took too long, or no quorum was found.
    TemporaryFailure,
}

impl Status {
    /// The number in a response.
    pub fn code(self) -> u16 {
        match self {
            Status::Success => 0x00,
            Status::NotFound => 0x01,
            Status::Exists => 0x02,
            Status::TooLarge => 0x03,
            Status::Invalid => 0x04,
            Status::NotStored => 0x05,
            Status::NotANumber => 0x06,
            Status::UnknownCommand => 0x81,
            Status::OutOfMemory => 0x82,
            Status::NotSupported => 0x83,
            Status::Internal => 0x84,
            Status::TemporaryFailure => 0x86,
        }
    }

    /// The value of a response with this status, as memcached 1.6.18 has it.
    pub fn text(self) -> &'static [u8] {
        match self {
            Status::Success => b"",
            Status::NotFound => b"Not found",
            Status::Exists => b"Data exists for key.",
            Status::TooLarge => b"Too large.",
            Status::Invalid => b"Invalid arguments",
            Status::NotStored => b"Not stored.",
            Status::NotANumber => b"Non-numeric server-side value for incr or decr",
            Status::UnknownCommand => b"Unknown command",
            Status::OutOfMemory => b"Out of memory",
            Status::NotSupported => b"Not supported",
            Status::Internal => b"Internal error",
            Status::TemporaryFailure => b"Temporary failure",
        }
    }
}
