//! The card: a node's description of itself for a peer, so that both can detect mismatches.
//!
//! # On the wire
//!
//! Nodes that write version [`VERSION_CARDS`](super::VERSION_CARDS) or more exchange cards in messages
//! of type 32 ([`Kind::Card`](super::Kind::Card)). The node that has made the connection sends its card
//! once the version in the first reply shows that the peer knows cards; the peer answers at once, out of
//! the order of other replies, with its own card and the same id. No C node and no older version of this
//! program is ever sent one.
//!
//! The payload is text: one line `name value` per field, each ended by LF, at most [`MAX_CARD`] bytes. On
//! an encrypted connection it is encrypted like any other payload. Fields may be missing, then nothing is
//! known of them; unknown fields and lines that are no field are skipped. So later versions can say
//! more without a new message type.
//!
//! [`Field`] is the one table of fields.

use std::fmt::Write;

/// Longest card in bytes; a longer one is skipped. Room for the sender's and the receiver's
/// tokens, 1,024 each.
pub const MAX_CARD: usize = 64 << 10;

/// Declares the fields and their names on the wire.
macro_rules! fields {
    ($($(#[$doc:meta])* $field:ident = $name:literal,)*) => {
        /// A field of a card.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Field {
            $($(#[$doc])* $field,)*
        }

        impl Field {
            /// All fields, in the order in which they are written.
            pub const ALL: [Field; [$($name),*].len()] = [$(Field::$field),*];

            /// Its name on the wire, in `/peers` and in messages.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Field::$field => $name,)*
                }
            }
        }
    };
}

fields! {
    /// The version of the program.
    Program = "program",
    /// The node's datacenter.
    Datacenter = "datacenter",
    /// Its rack.
    Rack = "rack",
    /// Its tokens in ascending order, with commas between them.
    Tokens = "tokens",
    /// How it hashes keys.
    Hash = "hash",
    /// The two characters of `hash_tag`; empty without one.
    HashTag = "hash_tag",
    /// Bytes of one buffer, and so of one piece of encrypted data.
    MbufSize = "mbuf_size",
    /// The protocol of its datastore.
    DataStore = "data_store",
    /// Which peers it encrypts to.
    Secure = "secure_server_option",
    /// A fingerprint of the public half of its `pem_key_file`; empty without one.
    Pem = "pem_key_file",
    /// A digest of datacenter, rack and tokens of all members as it sees them, itself included.
    Ring = "ring",
    /// How many members those are.
    Nodes = "nodes",
    /// Where its statistics are, `host:port`; empty over a Unix socket.
    Stats = "stats_listen",
    /// Its wall clock as it wrote the card, in µs since the Unix epoch.
    Clock = "clock",
    /// The datacenter, rack and tokens by which it lists the node that gets the card.
    YourDatacenter = "your_datacenter",
    /// See [`Field::YourDatacenter`].
    YourRack = "your_rack",
    /// See [`Field::YourDatacenter`].
    YourTokens = "your_tokens",
    /// Why it closes the connection; the card has no other field then.
    Refused = "refused",
}

/// A card. A missing field is `None`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Card {
    values: [Option<Box<str>>; Field::ALL.len()],
}

impl Card {
    /// The value of a field.
    pub fn get(&self, field: Field) -> Option<&str> {
        self.values.get(field as usize)?.as_deref()
    }

    /// The card with this value of a field. Control characters, which a line cannot hold, become `?`.
    #[must_use]
    pub fn with(mut self, field: Field, value: impl Into<String>) -> Card {
        let clean = |c: char| if c.is_control() { '?' } else { c };
        if let Some(place) = self.values.get_mut(field as usize) {
            *place = Some(value.into().chars().map(clean).collect());
        }
        self
    }

    /// The fields that are known, with their values.
    pub fn fields(&self) -> impl Iterator<Item = (Field, &str)> {
        Field::ALL
            .into_iter()
            .filter_map(|field| Some((field, self.get(field)?)))
    }

    /// The sender's wall clock, in µs since the Unix epoch.
    pub fn clock_us(&self) -> Option<u64> {
        self.get(Field::Clock)?.parse().ok()
    }

    /// The payload.
    pub fn encode(&self) -> Vec<u8> {
        let mut text = String::new();
        for (field, value) in self.fields() {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "{} {value}", field.name());
        }
        text.into_bytes()
    }

    /// Reads a payload. Fields that this version does not know are skipped; of two lines for one field the
    /// last one counts.
    pub fn parse(payload: &[u8]) -> Card {
        let lines = payload.split(|byte| *byte == b'\n');
        let lines = lines.filter_map(|line| std::str::from_utf8(line).ok());
        lines.fold(Card::default(), |card, line| {
            let (name, value) = line.split_once(' ').unwrap_or((line, ""));
            match Field::ALL.into_iter().find(|field| field.name() == name) {
                Some(field) => card.with(field, value),
                None => card,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_later_version_adds_is_passed_over() {
        let card = Card::parse(
            b"rack r 1\nfuture x\n\xff\xfe\nhash_tag \nring\nclock 12\nnodes 3\nnodes 4\ntokens 1,2",
        );
        let expected = [
            (Field::Rack, "r 1"),
            (Field::Tokens, "1,2"),
            (Field::HashTag, ""),
            (Field::Ring, ""),
            (Field::Nodes, "4"),
            (Field::Clock, "12"),
        ];
        assert_eq!(card.fields().collect::<Vec<_>>(), expected);
        assert_eq!(card.clock_us(), Some(12));
        assert_eq!(Card::parse(b"clock x").clock_us(), None);
    }

    #[test]
    fn a_value_cannot_become_another_field() {
        let card = Card::default().with(Field::Rack, "r\nhash md5");
        assert_eq!(card.encode(), b"rack r?hash md5\n");
    }

    #[test]
    fn the_largest_card_fits() {
        let tokens = vec!["4294967295"; crate::hashkit::MAX_TOKENS].join(",");
        let name = "n".repeat(1000);
        let card = Field::ALL.into_iter().fold(Card::default(), |card, field| {
            card.with(
                field,
                if field.name().contains("tokens") {
                    &tokens
                } else {
                    &name
                },
            )
        });
        assert!(card.encode().len() <= MAX_CARD);
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(values in prop::collection::vec(prop::option::of("[ -~äß]{0,20}"), Field::ALL.len())) {
            let card = Field::ALL.into_iter().zip(values).fold(Card::default(), |card, (field, value)| {
                match value {
                    Some(value) => card.with(field, value),
                    None => card,
                }
            });
            prop_assert_eq!(Card::parse(&card.encode()), card);
        }

        #[test]
        fn junk_is_passed_over(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let again = Card::parse(&bytes);
            prop_assert_eq!(Card::parse(&again.encode()), again);
        }
    }
}
