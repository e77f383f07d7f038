//! Numbers, booleans and names with a fixed set of values.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

/// The largest number in a configuration.
pub const MAX_NUMBER: u32 = i32::MAX as u32;

/// Decimal digits without sign, space or prefix, at most 2147483647; else `None`.
///
/// ```
/// use dynomite::config::digits;
/// assert_eq!(digits("0042"), Some(42));
/// assert_eq!(digits("2147483648"), None);
/// assert_eq!(digits("+1"), None);
/// assert_eq!(digits(""), None);
/// ```
pub fn digits(text: &str) -> Option<u32> {
    let number = text.bytes().try_fold(0u32, |number, byte| {
        let digit = byte.is_ascii_digit().then(|| u32::from(byte - b'0'))?;
        number
            .checked_mul(10)?
            .checked_add(digit)
            .filter(|number| *number <= MAX_NUMBER)
    })?;
    (!text.is_empty()).then_some(number)
}

/// The address of a name server: `address`, `address:port` or `[address]:port`.
pub fn name_server(text: &str) -> Option<SocketAddr> {
    const PORT: u16 = 53;
    let alone = || text.parse::<IpAddr>().ok();
    text.parse()
        .ok()
        .or_else(|| alone().map(|address| SocketAddr::new(address, PORT)))
}

/// The protocol of the datastore (`data_store:`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum StoreKind {
    /// Redis, 0.
    #[default]
    Redis,
    /// Memcached, 1.
    Memcache,
}

impl StoreKind {
    /// The original's word for it in the log.
    pub fn name(self) -> &'static str {
        match self {
            StoreKind::Redis => "redis",
            StoreKind::Memcache => "memcache",
        }
    }
}

/// The source of further nodes (`dyn_seed_provider:`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SeedProvider {
    /// Nowhere: only `dyn_seeds`.
    #[default]
    Simple,
    /// An HTTP server.
    Florida,
    /// TXT records.
    Dns,
    /// A file.
    File,
}

impl SeedProvider {
    /// The exact word. (The original compares a prefix, and takes any other word for
    /// `simple_provider`, so that a misspelt one discovers nothing.)
    pub fn parse(text: &str) -> Option<SeedProvider> {
        [
            SeedProvider::Simple,
            SeedProvider::Florida,
            SeedProvider::Dns,
            SeedProvider::File,
        ]
        .into_iter()
        .find(|provider| provider.name() == text)
    }

    /// The word in the file.
    pub fn name(self) -> &'static str {
        match self {
            SeedProvider::Simple => "simple_provider",
            SeedProvider::Florida => "florida_provider",
            SeedProvider::Dns => "dns_provider",
            SeedProvider::File => "file_provider",
        }
    }
}

/// The peers to which connections are encrypted (`secure_server_option:`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SecureOption {
    /// None of them.
    #[default]
    None,
    /// Those in other racks.
    Rack,
    /// Those in other datacenters.
    Datacenter,
    /// All of them.
    All,
}

impl SecureOption {
    /// The whole word in any case. (The original compares a prefix, and takes a misspelt word for
    /// `none`, which turns encryption off.)
    pub fn parse(text: &str) -> Option<SecureOption> {
        [
            SecureOption::None,
            SecureOption::Rack,
            SecureOption::Datacenter,
            SecureOption::All,
        ]
        .into_iter()
        .find(|option| option.name().eq_ignore_ascii_case(text))
    }

    /// The word in the file.
    pub fn name(self) -> &'static str {
        match self {
            SecureOption::None => "none",
            SecureOption::Rack => "rack",
            SecureOption::Datacenter => "datacenter",
            SecureOption::All => "all",
        }
    }
}

impl fmt::Display for SecureOption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
