//! What a `GOSSIP_SYN` says: a list of nodes.
//!
//! `dc$rack$token,timestamp,state,address`, records joined by `|`, nothing at the end. There is no
//! port. C nodes announce themselves with one record while joining, and often with none at all
//! (they reuse the buffer before it is sent); a record without its commas or dollar signs kills
//! them. Here a payload is taken whole or refused whole.

use crate::hashkit::Token;
use std::fmt;

/// Most records in one message.
pub const MAX_RECORDS: usize = 10_000;
/// Longest datacenter, rack, token or address in bytes.
pub const MAX_TEXT: usize = 255;

/// What a node is said to be doing (the original's `dyn_state`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// 0, starting.
    Init,
    /// 1, serves nothing.
    Standby,
    /// 2, takes writes.
    WritesOnly,
    /// 3, catching up.
    Resuming,
    /// 4, serves everything.
    Normal,
    /// 7, announcing itself.
    Joining,
    /// 8, not reachable.
    Down,
    /// 11, to be connected anew.
    Reset,
    /// 12, and every number without a meaning here.
    Unknown,
}

impl State {
    const NUMBERS: [(u32, State); 9] = [
        (0, State::Init),
        (1, State::Standby),
        (2, State::WritesOnly),
        (3, State::Resuming),
        (4, State::Normal),
        (7, State::Joining),
        (8, State::Down),
        (11, State::Reset),
        (12, State::Unknown),
    ];

    /// The number on the wire.
    pub fn number(self) -> u32 {
        Self::NUMBERS
            .iter()
            .find(|(_, state)| *state == self)
            .map_or(12, |(number, _)| *number)
    }

    /// The state of a number.
    pub fn from_number(number: u32) -> State {
        Self::NUMBERS
            .iter()
            .find(|(known, _)| *known == number)
            .map_or(State::Unknown, |(_, state)| *state)
    }
}

/// One node, as told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// Its datacenter.
    pub dc: &'a str,
    /// Its rack.
    pub rack: &'a str,
    /// Its first token.
    pub token: Token,
    /// When it was last heard of, by its own clock, in seconds since 1970.
    pub timestamp: u64,
    /// What it does.
    pub state: State,
    /// Its name or address, without a port.
    pub address: &'a str,
}

/// Why a payload is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Which record, from 0.
    pub record: usize,
    /// What is wrong with it.
    pub what: &'static str,
}

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "gossip record {}: {}", self.record, self.what)
    }
}

impl std::error::Error for Malformed {}

/// Reads a payload. An empty one has no records.
///
/// # Errors
/// A record that is not exactly as described above: a part that is missing, empty, longer than
/// [`MAX_TEXT`], not printable ASCII, or a number that is none; or more than [`MAX_RECORDS`].
pub fn parse(payload: &[u8]) -> Result<Vec<Record<'_>>, Malformed> {
    if payload.is_empty() {
        return Ok(Vec::new());
    }
    let mut records = Vec::new();
    for (at, text) in payload.split(|&byte| byte == b'|').enumerate() {
        let malformed = |what| Malformed { record: at, what };
        if at == MAX_RECORDS {
            return Err(malformed("too many records"));
        }
        let text = std::str::from_utf8(text).map_err(|_| malformed("not ASCII"))?;
        records.push(record(text).map_err(malformed)?);
    }
    Ok(records)
}

fn record(text: &str) -> Result<Record<'_>, &'static str> {
    if !text.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err("not printable ASCII");
    }
    let (place, rest) = text.split_once(',').ok_or("no comma")?;
    let [dc, rack, token] = parts(place, '$').ok_or("not dc$rack$token")?;
    let [timestamp, state, address] = parts(rest, ',').ok_or("not timestamp,state,address")?;
    let digits = token.strip_prefix('-').unwrap_or(token);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("token is not a number");
    }
    Ok(Record {
        dc,
        rack,
        token: Token::parse_original(token),
        timestamp: decimal(timestamp).ok_or("timestamp is not a number")?,
        state: State::from_number(
            decimal(state)
                .and_then(|n| u32::try_from(n).ok())
                .ok_or("state is not a number")?,
        ),
        address,
    })
}

/// Exactly three parts of acceptable length.
fn parts(text: &str, by: char) -> Option<[&str; 3]> {
    let mut parts = text.split(by);
    let three = [parts.next()?, parts.next()?, parts.next()?];
    let fine = three
        .iter()
        .all(|part| (1..=MAX_TEXT).contains(&part.len()))
        && parts.next().is_none();
    fine.then_some(three)
}

/// A number without a sign, which `parse` alone would take.
fn decimal(text: &str) -> Option<u64> {
    text.bytes()
        .all(|byte| byte.is_ascii_digit())
        .then(|| text.parse().ok())?
}

/// Appends a payload. The parts must not contain `$`, `,` or `|`, which the configuration refuses.
pub fn encode<'a>(records: impl IntoIterator<Item = Record<'a>>, out: &mut Vec<u8>) {
    for (
        at,
        Record {
            dc,
            rack,
            token,
            timestamp,
            state,
            address,
        },
    ) in records.into_iter().enumerate()
    {
        if at > 0 {
            out.push(b'|');
        }
        let state = state.number();
        out.extend_from_slice(
            format!("{dc}${rack}${token},{timestamp},{state},{address}").as_bytes(),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn malformed_records_are_named() {
        for (text, record, what) in [
            ("hello", 0, "no comma"),
            (",,,", 0, "not dc$rack$token"),
            ("dc1$rack1$1,2,4", 0, "not timestamp,state,address"),
            ("dc1$rack1$1,2,4,a,b", 0, "not timestamp,state,address"),
            ("dc1$rack1,2,4,a", 0, "not dc$rack$token"),
            ("dc1$rack1$1$2,2,4,a", 0, "not dc$rack$token"),
            ("$rack1$1,2,4,a", 0, "not dc$rack$token"),
            ("dc1$rack1$x,2,4,a", 0, "token is not a number"),
            ("dc1$rack1$-,2,4,a", 0, "token is not a number"),
            ("dc1$rack1$1,-2,4,a", 0, "timestamp is not a number"),
            ("dc1$rack1$1,+2,4,a", 0, "timestamp is not a number"),
            (
                "dc1$rack1$1,99999999999999999999,4,a",
                0,
                "timestamp is not a number",
            ),
            ("dc1$rack1$1,2,x,a", 0, "state is not a number"),
            ("dc1$rack1$1,2,4,", 0, "not timestamp,state,address"),
            ("dc 1$rack1$1,2,4,a", 0, "not printable ASCII"),
            ("dc1$rack1$1,2,4,a|", 1, "no comma"),
            ("d$r$1,2,4,a|d$r$1,2,a", 1, "not timestamp,state,address"),
        ] {
            assert_eq!(
                parse(text.as_bytes()),
                Err(Malformed { record, what }),
                "{text}"
            );
        }
        assert!(parse(b"dc1$rack1$1,2,4,\xff").is_err());
        let long = format!("dc1$rack1$1,2,4,{}", "a".repeat(MAX_TEXT + 1));
        assert!(parse(long.as_bytes()).is_err());
        let many = vec!["d$r$1,2,4,a"; MAX_RECORDS + 1].join("|");
        assert_eq!(parse(many.as_bytes()).unwrap_err().what, "too many records");
    }

    #[test]
    fn nothing_says_nothing() {
        assert_eq!(parse(b""), Ok(vec![]));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            places in proptest::collection::vec(("[a-z0-9_.-]{1,9}", "[a-z0-9]{1,9}", any::<u32>(), any::<u64>(), 0usize..9, "[a-z0-9.:]{1,20}"), 0..5),
        ) {
            let records: Vec<_> = places.iter().map(|(dc, rack, token, timestamp, state, address)| Record {
                dc, rack, token: Token::parse_original(&token.to_string()), timestamp: *timestamp,
                state: State::NUMBERS[*state].1, address,
            }).collect();
            let mut text = Vec::new();
            encode(records.iter().copied(), &mut text);
            prop_assert_eq!(parse(&text), Ok(records));
        }

        #[test]
        fn junk_is_refused_quietly(junk in "[a-c$,|0-9-]{0,60}", bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = parse(junk.as_bytes());
            let _ = parse(&bytes);
        }
    }
}
