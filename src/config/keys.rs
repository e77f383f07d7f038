//! The row of a key in the table of settings, and finding a row by name.

use super::table::{KEYS, Settings};
use super::values::MAX_NUMBER;
use Kind::{
    Any, Bool, Consistency, Count, Hash, HashTag, Listen, NameServer, Number, Port, Provider,
    Range, Secure, Seeds, Server, Text, Tokens,
};

/// How a key's text is read. Text is what the file holds: quoting never matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Decimal digits, 0 to 2147483647; 0 means the default.
    Number,
    /// Decimal digits, 0 to 255; 0 means the default.
    Count,
    /// Decimal digits, from the first to the second number.
    Range(u32, u32),
    /// A port of TCP.
    Port,
    /// Exactly `true` or `false`.
    Bool,
    /// Any text.
    Text,
    /// `host:port` or the path of a Unix socket.
    Listen,
    /// `host:port:weight [name]` or `/path:weight [name]`.
    Server,
    /// `address` or `address:port`.
    NameServer,
    /// `host:port:rack:dc:tokens [name]`.
    Seeds,
    /// Decimal numbers with commas between them.
    Tokens,
    /// The name of a hash.
    Hash,
    /// Two bytes.
    HashTag,
    /// The name of a consistency.
    Consistency,
    /// Which peers to encrypt towards.
    Secure,
    /// The name of a provider of seeds.
    Provider,
    /// Not checked.
    Any,
}

impl Kind {
    /// Its description in the manual.
    pub fn words(self) -> &'static str {
        match self {
            Number => "number",
            Count => "number from 1 to 255",
            Range(0, MAX_NUMBER) => "number, 0 too",
            Range(..) => "number from 1",
            Port => "number from 1 to 65535",
            Bool => "true or false",
            Text => "text",
            Listen => "host:port or /path",
            Server => "host:port:weight [name] or /path:weight [name]",
            NameServer => "address or address:port",
            Seeds => "list of host:port:rack:dc:tokens [name]",
            Tokens => "number, or several with commas",
            Hash => "name of a hash",
            HashTag => "two characters",
            Consistency => "DC_ONE, DC_QUORUM, DC_SAFE_QUORUM or DC_EACH_SAFE_QUORUM",
            Secure => "none, rack, datacenter or all",
            Provider => "simple_provider, florida_provider, dns_provider or file_provider",
            Any => "anything",
        }
    }

    /// Returns true if the key may occur more than once.
    pub fn repeats(self) -> bool {
        matches!(self, Server | Seeds | Tokens | Any)
    }
}

/// How a key is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    /// It is honoured.
    Live,
    /// It is checked and then has no effect, as in the original.
    Inert,
    /// It is honoured, and the C original refuses a file that has it.
    New,
    /// The original's last version warns and ignores it.
    Deprecated,
    /// Only versions before the original's last knew it; read with a warning.
    Older,
}

/// When a change of a key in the file takes effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// At the next reload.
    Reload,
    /// At the next start; a reload says so.
    Restart,
    /// Never: the key does nothing.
    Nothing,
}

/// One configuration key.
#[derive(Clone, Copy, Debug)]
pub struct Key {
    /// The name in the file; case matters.
    pub name: &'static str,
    /// How its text is read.
    pub kind: Kind,
    /// The text it has when it is not given; empty where there is none.
    pub default: &'static str,
    /// The unit of a number, or its range in words; may be empty.
    pub unit: &'static str,
    /// How it is treated.
    pub status: Status,
    /// When a change of it takes effect.
    pub effect: Effect,
    /// For operators: what the key does.
    pub help: &'static str,
    /// Its setting; none for a key that is only read.
    pub field: Option<Field>,
    /// The key of which it is an older name.
    pub stands_for: Option<StandsFor>,
}

/// Functions of a key's row for its setting.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The value as the file would have it: two ways to write the same are the same text.
    pub text: fn(&Settings) -> String,
    /// Takes the value from other settings.
    pub copy: fn(&mut Settings, &Settings),
}

/// The key of which an older one is another name, and its value for one of the older key's.
#[derive(Clone, Copy, Debug)]
pub struct StandsFor {
    /// The key.
    pub name: &'static str,
    /// Its value; none if the older key's counts as absent.
    pub value: fn(&str) -> Option<String>,
}

/// A key that is read, checked and has no setting.
pub(super) const fn without_setting(
    name: &'static str,
    kind: Kind,
    default: &'static str,
    unit: &'static str,
    status: Status,
    help: &'static str,
) -> Key {
    Key {
        name,
        kind,
        default,
        unit,
        status,
        effect: Effect::Nothing,
        help,
        field: None,
        stands_for: None,
    }
}

/// A key of older versions that stands for another one.
pub(super) const fn stands_for(
    name: &'static str,
    kind: Kind,
    unit: &'static str,
    other: &'static str,
    value: fn(&str) -> Option<String>,
    help: &'static str,
) -> Key {
    let mut key = without_setting(name, kind, "", unit, Status::Older, help);
    key.effect = Effect::Restart;
    key.stands_for = Some(StandsFor { name: other, value });
    key
}

impl Key {
    /// The name of the key whose setting this one gives.
    pub fn effective_name(&self) -> &'static str {
        self.stands_for.map_or(self.name, |other| other.name)
    }

    /// The environment variable that sets the key: `DYNOMITE_` and the name in capitals, for the keys that the C
    /// original does not know. Such a key can be set without any file that the original would refuse.
    pub fn variable(&self) -> Option<String> {
        let is_new = self.status == Status::New;
        is_new.then(|| format!("DYNOMITE_{}", self.name.to_ascii_uppercase()))
    }
}

/// The row of a key, by its exact name.
pub fn find(name: &str) -> Option<&'static Key> {
    KEYS.iter().find(|key| key.name == name)
}

/// The known key that `name` was probably meant to be: a different case, or few typing errors.
/// `None` when nothing is near.
pub fn nearest(name: &str) -> Option<&'static str> {
    // The cost grows with the product of the lengths, and no key is longer than this by far.
    if name.len() > 64 {
        return None;
    }
    let name = name.to_ascii_lowercase().replace('-', "_");
    KEYS.iter()
        .map(|key| (distance(&name, key.name), key))
        .filter(|(distance, key)| *distance <= key.name.len() / 3)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, key)| key.name)
}

/// Levenshtein distance in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut diagonal = i;
        let mut left = i + 1;
        if let Some(first) = row.first_mut() {
            *first = left;
        }
        for (y, above) in b.bytes().zip(row.iter_mut().skip(1)) {
            let best = (diagonal + usize::from(x != y))
                .min(left + 1)
                .min(*above + 1);
            diagonal = std::mem::replace(above, best);
            left = best;
        }
    }
    row.last().copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_holds_the_originals_42_keys_once_each() {
        let mut names: Vec<_> = KEYS.iter().map(|key| key.name).collect();
        let is_original = |key: &&Key| !matches!(key.status, Status::Older | Status::New);
        assert_eq!(KEYS.iter().filter(is_original).count(), 42);
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), KEYS.len());
    }

    #[test]
    fn the_row_of_hash_names_every_hash_that_is_accepted() {
        let words = find("hash").map_or("", |key| key.unit);
        let named: Vec<&str> = words.split([',', ' ']).collect();
        for (name, kind) in crate::hashkit::HASHES {
            let accepted = kind != crate::hashkit::HashKind::Murmur3;
            assert_eq!(named.contains(&name), accepted, "{name}");
        }
    }

    #[test]
    fn suggestions_are_near_or_none() {
        for (wrong, right) in [
            ("Timeout", Some("timeout")),
            ("timeuot", Some("timeout")),
            ("dyn_seed", Some("dyn_seeds")),
            ("read-consistency", Some("read_consistency")),
            ("bogus_key", None),
            ("", None),
        ] {
            assert_eq!(nearest(wrong), right, "{wrong:?}");
        }
        assert_eq!(distance("kitten", "sitting"), 3);
        assert_eq!(distance("", "abc"), 3);
        assert_eq!(distance("abc", ""), 3);
    }
}
