//! One value by its key's row, without a look at any other.

use super::address::Listen;
use super::keys::{Key, Kind};
use super::server::{Datastore, Seed};
use super::values::{SecureOption, SeedProvider, digits};
use crate::consistency::Consistency;
use crate::hashkit::{HashKind, parse_list};

/// Bytes of a buffer: least, most, and what they are a multiple of.
pub const MBUF_SIZE: (u32, u32, u32) = (512, 512_000, 16);
/// Messages held: least and most.
pub const MAX_MSGS: (u32, u32) = (100_000, 1_000_000);

/// Checks one value by its key's row. An error is the whole text of the problem.
pub(super) fn check_value(key: &Key, text: &str) -> Result<(), String> {
    let name = key.name;
    let about = |words: String| format!("conf: directive \"{name}\" {words}");
    let number = || digits(text).ok_or_else(|| about(not_a_number(text)));
    match key.kind {
        Kind::Number => {
            let number = number()?;
            match name {
                "mbuf_size" if number != 0 => check_mbuf_size(number)
                    .map_err(|words| format!("mbuf_size: mbuf {words}")),
                "max_msgs" if number != 0 => {
                    check_max_msgs(number).map_err(|words| format!("max_msgs: {words}"))
                }
                "data_store" if number > 1 => Err(format!(
                    "Invalid datastore in conf file: \"{name}\" must be 0 (redis) or 1 (memcache)"
                )),
                "stats_port" if number > 65535 => {
                    Err(about("has an invalid value: a port is at most 65535".to_owned()))
                }
                _ => Ok(()),
            }
        }
        Kind::Count => match number()? {
            0..=255 => Ok(()),
            _ => Err(about("must be between 1 and 255".to_owned())),
        },
        Kind::Bool => match text {
            "true" | "false" => Ok(()),
            _ => Err(about("is not \"true\" or \"false\"".to_owned())),
        },
        Kind::Listen => Listen::parse(text).map(drop).map_err(about),
        Kind::Server => Datastore::parse(text).map(drop).map_err(about),
        Kind::Seeds => Seed::parse(text).map(drop).map_err(about),
        Kind::Tokens => parse_list(text)
            .map(drop)
            .map_err(|error| about(error.to_string())),
        Kind::Hash => match text.parse::<HashKind>() {
            Ok(HashKind::Murmur3) => Err(about(
                "is not a valid hash: murmur3 is a name the C original knows but never computes, every key goes to one node; use murmur".to_owned(),
            )),
            Ok(_) => Ok(()),
            Err(error) => Err(about(error.to_string())),
        },
        Kind::HashTag if text.len() == 2 => Ok(()),
        Kind::HashTag => Err(about(
            "is not a valid hash tag string with two characters".to_owned(),
        )),
        Kind::Consistency if Consistency::from_bytes(text.as_bytes()).is_some() => Ok(()),
        Kind::Consistency => Err(format!(
            "conf: directive \"{name}:\"must be one of 'DC_ONE' 'DC_QUORUM' 'DC_SAFE_QUORUM' 'DC_EACH_SAFE_QUORUM'"
        )),
        Kind::Secure if SecureOption::parse(text).is_some() => Ok(()),
        Kind::Secure => Err(format!(
            "conf: directive \"{name}:\"must be one of 'none' 'rack' 'datacenter' 'all'"
        )),
        Kind::Provider if SeedProvider::parse(text).is_some() => Ok(()),
        Kind::Provider => Err(about(
            "must be one of 'simple_provider' 'florida_provider' 'dns_provider' 'file_provider'"
                .to_owned(),
        )),
        Kind::Text | Kind::Any => Ok(()),
    }
}

/// Why a text is none of the numbers that [`digits`] reads.
pub fn not_a_number(text: &str) -> String {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("is too large a number, the largest is {}", i32::MAX)
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
