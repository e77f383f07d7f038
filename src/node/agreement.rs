//! What nodes of one cluster have to agree on, and what does not match.
//!
//! A [`Finding`] is one thing that does not match between this node and one peer, or the reason why there
//! is no connection to it, in a sentence for the operator. Findings are shown in the log when they come
//! and go, in `/readyz` as warnings, in `/peers`, and in `/metrics` by their [`Setting`].
//!
//! # When a node is not ready
//!
//! A difference is seen from both sides, and only one of them is wrong. So a node fails its readiness
//! check `agreement` only if both are true:
//!
//! 1. it contradicts another node about where keys are ([`Setting::misplaces`]): a peer says that it has
//!    other tokens, another rack or datacenter than this node lists it with, or hashes keys in another way,
//!    or a peer lists this node with other ones than it has; and
//! 2. the nodes that place keys as this one does are less than half of all whose card is known.
//!
//! A token mistyped in one node's `dyn_seeds` or `tokens` takes out that node and no other. Where two
//! halves disagree, as in a cluster of two, no node can know which is right: all stay ready, and report it
//! loudly. Members that are added or removed one configuration at a time are in no contradiction, so a
//! rolling change that waits for each node to be ready goes through; a rolling change of `hash` does not,
//! and must not, because keys would be lost.

use crate::cluster::member::Member;
use crate::hashkit::Token;
use crate::proto::dnode::Card;
use crate::proto::dnode::card::Field;

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// There is no connection.
    Connection,
    /// What answers at the address in `dyn_seeds` is no node's `dyn_listen`.
    Address,
    /// The peer is of another datacenter than it is listed with.
    Datacenter,
    /// Of another rack.
    Rack,
    /// It has other tokens, or one of another node's.
    Tokens,
    /// `hash`.
    Hash,
    /// `hash_tag`.
    HashTag,
    /// `mbuf_size`.
    MbufSize,
    /// `data_store`.
    DataStore,
    /// `secure_server_option`, or encryption that one side requires and the other does not use.
    Secure,
    /// `pem_key_file`.
    Pem,
    /// The members it sees.
    Ring,
    /// Its clock.
    Clock,
}

impl Setting {
    /// Its name in `/peers`, `/readyz` and in the label `setting` of metrics.
    pub fn name(self) -> &'static str {
        match self {
            Setting::Connection => "connection",
            Setting::Address => "address",
            Setting::Clock => "clock",
            Setting::Datacenter => Field::Datacenter.name(),
            Setting::Rack => Field::Rack.name(),
            Setting::Tokens => Field::Tokens.name(),
            Setting::Hash => Field::Hash.name(),
            Setting::HashTag => Field::HashTag.name(),
            Setting::MbufSize => Field::MbufSize.name(),
            Setting::DataStore => Field::DataStore.name(),
            Setting::Secure => Field::Secure.name(),
            Setting::Pem => Field::Pem.name(),
            Setting::Ring => Field::Ring.name(),
        }
    }

    /// Returns true if nodes that differ in it look for one key on different nodes.
    pub fn misplaces(self) -> bool {
        matches!(
            self,
            Setting::Datacenter
                | Setting::Rack
                | Setting::Tokens
                | Setting::Hash
                | Setting::HashTag
                | Setting::DataStore
        )
    }
}

/// One thing that does not match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub setting: Setting,
    /// A sentence about the peer, without its name and without a full stop.
    pub text: String,
}

impl Finding {
    pub(super) fn new(setting: Setting, text: impl Into<String>) -> Finding {
        Finding {
            setting,
            text: text.into(),
        }
    }
}

/// A finding, and the node it is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The peer's address, or where it has connected from; empty if it is about several.
    pub peer: String,
    /// Its datacenter and rack, as far as they are known.
    pub dc: String,
    /// See `dc`.
    pub rack: String,
    /// What does not match.
    pub finding: Finding,
}

/// Tokens as a card has them: in ascending order.
pub(super) fn listed(tokens: &[Token]) -> String {
    let mut tokens = tokens.to_vec();
    tokens.sort_unstable();
    let texts: Vec<String> = tokens.iter().map(ToString::to_string).collect();
    texts.join(",")
}

/// A list that is shown to people: not more of it than they will read.
pub(super) fn short(text: &str) -> String {
    const LONGEST: usize = 60;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// What does not match between this node and a peer that it lists so.
pub(super) fn differences(mine: &Card, theirs: &Card, member: &Member) -> Vec<Finding> {
    let mut found = place_differences(theirs, member);
    let says = |field| theirs.get(field).zip(mine.get(field));
    let differ = |field| says(field).filter(|(there, here)| there != here);
    let or_none = |text: &str| match text {
        "" => "not set".to_owned(),
        text => format!("'{text}'"),
    };
    let lost = "keys written by way of one node are not found by way of the other";
    for (setting, field, harm) in [
        (Setting::Hash, Field::Hash, lost),
        (Setting::HashTag, Field::HashTag, lost),
        (
            Setting::DataStore,
            Field::DataStore,
            "they cannot read each other's requests",
        ),
        (
            Setting::Secure,
            Field::Secure,
            "one of both directions may be in clear",
        ),
    ] {
        if let Some((there, here)) = differ(field) {
            let (there, here) = (or_none(there), or_none(here));
            let name = field.name();
            let text = format!("its {name} is {there}, here it is {here}: {harm}");
            found.push(Finding::new(setting, text));
        }
    }
    let encrypts = |card: &Card| card.get(Field::Secure).is_some_and(|word| word != "none");
    if let Some((there, here)) = differ(Field::MbufSize)
        && (encrypts(mine) || encrypts(theirs))
    {
        let text = format!(
            "its mbuf_size is {there}, here it is {here}: encrypted messages of more than one buffer cannot be read"
        );
        found.push(Finding::new(Setting::MbufSize, text));
    }
    if let Some((there, here)) = differ(Field::Pem)
        && !there.is_empty()
        && !here.is_empty()
    {
        let text = format!(
            "the key in its pem_key_file is another one ({there}, here {here}): encrypted connections between the two fail"
        );
        found.push(Finding::new(Setting::Pem, text));
    }
    found
}

/// What a peer says of its place, and how it is listed here.
fn place_differences(theirs: &Card, member: &Member) -> Vec<Finding> {
    let mut found = Vec::new();
    let (dc, rack) = (theirs.get(Field::Datacenter), theirs.get(Field::Rack));
    let differs = |there: Option<&str>, here: &str| there.is_some_and(|there| there != here);
    if (dc, rack) == (Some(&member.rack), Some(&member.dc)) && member.rack != member.dc {
        let text = format!(
            "it says that it is in rack '{}' of datacenter '{}', this node lists it with the two swapped: an entry of dyn_seeds is HOST:PORT:RACK:DATACENTER:TOKENS",
            member.dc, member.rack
        );
        found.push(Finding::new(Setting::Datacenter, text.clone()));
        found.push(Finding::new(Setting::Rack, text));
    } else {
        for (setting, there, here) in [
            (Setting::Datacenter, dc, &member.dc),
            (Setting::Rack, rack, &member.rack),
        ] {
            if differs(there, here) {
                let (name, there) = (setting.name(), there.unwrap_or_default());
                let text = format!(
                    "it says that its {name} is '{there}', this node lists it with '{here}'"
                );
                found.push(Finding::new(setting, text));
            }
        }
    }
    let here = listed(&member.tokens);
    if let Some(there) = theirs.get(Field::Tokens).filter(|there| *there != here) {
        let text = format!(
            "it says that its tokens are {}, this node lists it with {}: keys are looked for on the wrong node",
            short(there),
            short(&here)
        );
        found.push(Finding::new(Setting::Tokens, text));
    }
    found
}

/// How a peer lists this node, if that is not what this node is.
pub(super) fn listed_wrongly(mine: &Card, theirs: &Card) -> Option<Finding> {
    [
        (
            Setting::Datacenter,
            Field::YourDatacenter,
            Field::Datacenter,
        ),
        (Setting::Rack, Field::YourRack, Field::Rack),
        (Setting::Tokens, Field::YourTokens, Field::Tokens),
    ]
    .into_iter()
    .find_map(|(setting, yours, own)| {
        let (there, here) = theirs.get(yours).zip(mine.get(own))?;
        (there != here).then(|| {
            let (name, there, here) = (own.name(), short(there), short(here));
            let text = format!("it lists this node with {name} '{there}' instead of '{here}'");
            Finding::new(setting, text)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Endpoint;
    use crate::hashkit::parse_list;

    fn member(dc: &str, rack: &str, tokens: &str) -> Member {
        let tokens = parse_list(tokens).unwrap();
        Member {
            name: "h".into(),
            endpoint: Endpoint::Tcp {
                host: "h".into(),
                port: 8101,
            },
            dc: dc.into(),
            rack: rack.into(),
            tokens: tokens.iter().map(|text| text.token).collect(),
        }
    }

    fn card(text: &str) -> Card {
        Card::parse(text.replace("; ", "\n").as_bytes())
    }

    const BASE: &str = "datacenter d; rack r; tokens 1,2; hash murmur; hash_tag ; mbuf_size 16384; data_store redis; secure_server_option none; pem_key_file ";

    fn found(theirs: &str, mine: &str, listed: &Member) -> Vec<(Setting, String)> {
        let card = |more: &str| card(&format!("{BASE}; {more}"));
        differences(&card(mine), &card(theirs), listed)
            .into_iter()
            .map(|finding| (finding.setting, finding.text))
            .collect()
    }

    #[test]
    fn every_difference_is_named_with_both_values() {
        use Setting::{DataStore, Datacenter, Hash, HashTag, MbufSize, Pem, Rack, Secure, Tokens};
        let listed = member("d", "r", "2,1");
        for (theirs, mine, expected) in [
            ("", "", vec![]),
            ("tokens 1,3", "", vec![(Tokens, ["1,3", "1,2"])]),
            ("hash md5", "", vec![(Hash, ["md5", "murmur"])]),
            ("hash_tag {}", "", vec![(HashTag, ["'{}'", "not set"])]),
            (
                "data_store memcache",
                "",
                vec![(DataStore, ["memcache", "redis"])],
            ),
            ("rack q", "", vec![(Rack, ["'q'", "'r'"])]),
            ("datacenter e", "", vec![(Datacenter, ["'e'", "'d'"])]),
            (
                "datacenter r; rack d",
                "",
                vec![(Datacenter, ["swapped", ""]), (Rack, ["swapped", ""])],
            ),
            // In clear the size of a buffer is each node's own business.
            ("mbuf_size 512", "", vec![]),
            (
                "mbuf_size 512; secure_server_option all",
                "secure_server_option all",
                vec![(MbufSize, ["512", "16384"])],
            ),
            (
                "secure_server_option all; pem_key_file a",
                "",
                vec![(Secure, ["'all'", "'none'"])],
            ),
            (
                "pem_key_file a",
                "pem_key_file b",
                vec![(Pem, ["(a", "here b)"])],
            ),
        ] {
            let found = found(theirs, mine, &listed);
            let settings: Vec<_> = found.iter().map(|(setting, _)| *setting).collect();
            let wanted: Vec<_> = expected.iter().map(|(setting, _)| *setting).collect();
            assert_eq!(settings, wanted, "{theirs}");
            for ((_, text), (_, words)) in found.iter().zip(&expected) {
                assert!(words.iter().all(|word| text.contains(word)), "{text}");
            }
        }
    }

    #[test]
    fn what_a_card_does_not_tell_is_no_difference() {
        let mine = card(BASE);
        assert_eq!(
            differences(&mine, &Card::default(), &member("d", "r", "1")),
            []
        );
        assert_eq!(listed_wrongly(&mine, &Card::default()), None);
    }

    #[test]
    fn a_node_sees_that_it_is_listed_wrongly() {
        let mine = card(BASE);
        let right = card("your_datacenter d; your_rack r; your_tokens 1,2");
        assert_eq!(listed_wrongly(&mine, &right), None);
        let wrong = card("your_datacenter d; your_rack r; your_tokens 1,4");
        let text = listed_wrongly(&mine, &wrong).unwrap().text;
        assert_eq!(
            text,
            "it lists this node with tokens '1,4' instead of '1,2'"
        );
    }
}
