//! One value by its key's row, without a look at any other.

use super::address::Listen;
use super::keys::{Key, Kind};
use super::server::{Datastore, Seed};
use super::values::{MAX_NUMBER, SecureOption, SeedProvider, digits, name_server};
use crate::consistency::Consistency;
use crate::hashkit::{HashKind, parse_list};

/// Bytes of a buffer: least, most, and what they are a multiple of.
pub const MBUF_SIZE: (u32, u32, u32) = (512, 512_000, 16);
/// Messages held: least and most.
pub const MAX_MSGS: (u32, u32) = (100_000, 1_000_000);

/// Checks one value by its key's row. An error is the whole text of the problem.
pub(super) fn check_value(key: &Key, text: &str) -> Result<(), String> {
    let name = key.name;
    check_words(key, text).map_err(|words| match key.kind {
        // The original's words.
        Kind::Consistency | Kind::Secure => format!("conf: directive \"{name}:\"{words}"),
        _ => format!("conf: directive \"{name}\" {words}"),
    })?;
    // The original's words for these begin otherwise.
    match (name, digits(text)) {
        ("mbuf_size", Some(number)) if number != 0 => {
            check_mbuf_size(number).map_err(|words| format!("mbuf_size: mbuf {words}"))
        }
        ("max_msgs", Some(number)) if number != 0 => {
            check_max_msgs(number).map_err(|words| format!("max_msgs: {words}"))
        }
        ("data_store", Some(2..)) => Err(format!(
            "Invalid datastore in conf file: \"{name}\" must be 0 (redis) or 1 (memcache)"
        )),
        ("stats_port", Some(65536..)) => Err(format!(
            "conf: directive \"{name}\" has an invalid value: a port is at most 65535"
        )),
        _ => Ok(()),
    }
}

/// Checks one value by its key's row. An error is what comes after the name of the key or variable.
pub(super) fn check_words(key: &Key, text: &str) -> Result<(), String> {
    let number = || digits(text).ok_or_else(|| not_a_number(text));
    let is = |good: bool, words: &str| good.then_some(()).ok_or_else(|| words.to_owned());
    match key.kind {
        Kind::Number => number().map(drop),
        Kind::Count => is(number()? <= 255, "must be between 1 and 255"),
        Kind::Range(least, most) => match digits(text) {
            Some(number) if (least..=most).contains(&number) => Ok(()),
            _ => Err(format!(
                "is not a number of {} from {least} to {most}",
                key.unit
            )),
        },
        Kind::Port => is(
            matches!(digits(text), Some(1..=65535)),
            "is not a port",
        ),
        Kind::Bool => is(
            matches!(text, "true" | "false"),
            "is not \"true\" or \"false\"",
        ),
        Kind::Listen => Listen::parse(text).map(drop),
        Kind::Server => Datastore::parse(text).map(drop),
        Kind::Seeds => Seed::parse(text).map(drop),
        Kind::NameServer => is(name_server(text).is_some(), "is not an address"),
        Kind::Tokens => parse_list(text).map(drop).map_err(|error| error.to_string()),
        Kind::Hash => match text.parse::<HashKind>() {
            Ok(HashKind::Murmur3) => Err(
                "is not a valid hash: murmur3 is a name the C original knows but never computes, every key goes to one node; use murmur".to_owned(),
            ),
            Ok(_) => Ok(()),
            Err(error) => Err(error.to_string()),
        },
        Kind::HashTag => is(
            text.len() == 2,
            "is not a valid hash tag string with two characters",
        ),
        Kind::Consistency => is(
            Consistency::from_bytes(text.as_bytes()).is_some(),
            "must be one of 'DC_ONE' 'DC_QUORUM' 'DC_SAFE_QUORUM' 'DC_EACH_SAFE_QUORUM'",
        ),
        Kind::Secure => is(
            SecureOption::parse(text).is_some(),
            "must be one of 'none' 'rack' 'datacenter' 'all'",
        ),
        Kind::Provider => is(
            SeedProvider::parse(text).is_some(),
            "must be one of 'simple_provider' 'florida_provider' 'dns_provider' 'file_provider'",
        ),
        Kind::Text | Kind::Any => Ok(()),
    }
}

/// Why a text is none of the numbers that [`digits`] reads.
pub fn not_a_number(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("is too large a number, the largest is {MAX_NUMBER}")
    } else {
        "is not a number".to_owned()
    }
}

/// Checks the size of a buffer in bytes. An error is the original's words, which the command line
/// and the file put different words before.
pub fn check_mbuf_size(number: u32) -> Result<(), String> {
    let (least, most, multiple) = MBUF_SIZE;
    if !(least..=most).contains(&number) {
        return Err(format!(
            "chunk size must be between {least} and {most} bytes"
        ));
    }
    if !number.is_multiple_of(multiple) {
        return Err(format!("size must be a multiple of {multiple}"));
    }
    Ok(())
}

/// Checks the number of messages. An error is the original's words.
pub fn check_max_msgs(number: u32) -> Result<(), String> {
    let (least, most) = MAX_MSGS;
    if !(least..=most).contains(&number) {
        return Err(format!(
            "max allocated messages buffer must be between {least} and {most} messages"
        ));
    }
    Ok(())
}
