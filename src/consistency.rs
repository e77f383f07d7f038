//! Consistency levels: how many replicas must answer before a client is answered.

use std::fmt;
use std::str::FromStr;

/// A consistency level, by the original's names.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Consistency {
    /// One replica of the local datacenter.
    #[default]
    DcOne,
    /// A majority of the local datacenter's racks; if they disagree, one answer all the same.
    DcQuorum,
    /// A majority of the local datacenter's racks that agree.
    DcSafeQuorum,
    /// An agreeing majority in every datacenter.
    DcEachSafeQuorum,
}

/// Not one of the four level names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct UnknownConsistency;

impl fmt::Display for UnknownConsistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("invalid consistency")
    }
}

impl std::error::Error for UnknownConsistency {}

impl Consistency {
    /// Every level, weakest first.
    pub const ALL: [Consistency; 4] = [
        Consistency::DcOne,
        Consistency::DcQuorum,
        Consistency::DcSafeQuorum,
        Consistency::DcEachSafeQuorum,
    ];

    /// Its name in upper case.
    pub const fn name(self) -> &'static str {
        match self {
            Consistency::DcOne => "DC_ONE",
            Consistency::DcQuorum => "DC_QUORUM",
            Consistency::DcSafeQuorum => "DC_SAFE_QUORUM",
            Consistency::DcEachSafeQuorum => "DC_EACH_SAFE_QUORUM",
        }
    }

    /// The level of this name, the whole word in any case of letters.
    pub fn from_bytes(word: &[u8]) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|level| level.name().as_bytes().eq_ignore_ascii_case(word))
    }
}

impl FromStr for Consistency {
    type Err = UnknownConsistency;

    fn from_str(word: &str) -> Result<Self, UnknownConsistency> {
        Self::from_bytes(word.as_bytes()).ok_or(UnknownConsistency)
    }
}

impl fmt::Display for Consistency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_words_in_any_case() {
        for level in Consistency::ALL {
            assert_eq!(level.to_string().to_lowercase().parse(), Ok(level));
            assert_eq!(level.to_string().parse(), Ok(level));
        }
        for word in ["", "DC_", "DC_ONEXYZ", "DC_ONE ", "quorum"] {
            assert_eq!(
                word.parse::<Consistency>(),
                Err(UnknownConsistency),
                "{word}"
            );
        }
    }
}
