//! The types that settings have: how each is made of a key's values, and written as the file would have it.

use super::address::Listen;
use super::check::Checker;
use super::keys;
use super::problem::Note;
use super::server::{Datastore, Seed};
use super::values::{SecureOption, SeedProvider, StoreKind, name_server};
use crate::consistency::Consistency;
use crate::hashkit::{HashKind, Token};
use crate::logging::Level;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// The type of a setting.
pub(super) trait Value: Sized {
    /// The value of a key: the given one or the default. `None` if it is required and missing, or refused;
    /// the problem has been reported then.
    fn read(values: &mut Checker<'_>, name: &'static str) -> Option<Self>;

    /// The text of the value; the same for two ways to write the same.
    fn text(&self) -> String;
}

impl Value for bool {
    fn read(values: &mut Checker<'_>, name: &'static str) -> Option<bool> {
        Some(values.text(name) == "true")
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Value for u32 {
    fn read(values: &mut Checker<'_>, name: &'static str) -> Option<u32> {
        Some(values.number(name))
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Value for u16 {
    fn read(values: &mut Checker<'_>, name: &'static str) -> Option<u16> {
        u16::try_from(values.number(name)).ok()
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

impl Value for u8 {
    fn read(values: &mut Checker<'_>, name: &'static str) -> Option<u8> {
        u8::try_from(values.number(name)).ok()
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

/// A number of bytes or of messages, whose default may come from the command line.
impl Value for usize {
    fn read(values: &mut Checker<'_>, name: &'static str) -> Option<usize> {
        Some(values.size(name))
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

/// Milliseconds.
impl Value for Duration {
    fn read(values: &mut Checker<'_>, name: &'static str) -> Option<Duration> {
        Some(Duration::from_millis(values.number(name).into()))
    }

    fn text(&self) -> String {
        self.as_millis().to_string()
    }
}

impl Value for String {
    fn read(values: &mut Checker<'_>, name: &'static str) -> Option<String> {
        Some(values.text(name))
    }

    fn text(&self) -> String {
        self.clone()
    }
}

impl Value for PathBuf {
    fn read(values: &mut Checker<'_>, name: &'static str) -> Option<PathBuf> {
        Some(values.text(name).into())
    }

    fn text(&self) -> String {
        self.display().to_string()
    }
}

impl Value for Listen {
    fn read(values: &mut Checker<'_>, name: &'static str) -> Option<Listen> {
        if let Some(listen) = values.last(name).and_then(|text| Listen::parse(text).ok()) {
            return Some(listen);
        }
        let default = keys::find(name).map_or("", |key| key.default);
        if default.is_empty() {
            values.missing(name);
            return None;
        }
        values.note(Note::new(
            Level::Notice,
            format!("conf: directive \"{name}:\" is missing - using defaults {default}"),
        ));
        Listen::parse(default).ok()
    }

    fn text(&self) -> String {
        self.text.clone()
    }
}

impl Value for Datastore {
    fn read(values: &mut Checker<'_>, _: &'static str) -> Option<Datastore> {
        values.datastore()
    }

    fn text(&self) -> String {
        self.text.clone()
    }
}

impl Value for StoreKind {
    fn read(values: &mut Checker<'_>, name: &'static str) -> Option<StoreKind> {
        Some(match values.number(name) {
            0 => StoreKind::Redis,
            _ => StoreKind::Memcache,
        })
    }

    fn text(&self) -> String {
        (*self as u8).to_string()
    }
}

impl Value for Vec<Token> {
    fn read(values: &mut Checker<'_>, _: &'static str) -> Option<Vec<Token>> {
        Some(values.tokens())
    }

    fn text(&self) -> String {
        let texts: Vec<String> = self.iter().rev().map(ToString::to_string).collect();
        texts.join(",")
    }
}

impl Value for Vec<Seed> {
    fn read(values: &mut Checker<'_>, _: &'static str) -> Option<Vec<Seed>> {
        Some(values.seeds())
    }

    fn text(&self) -> String {
        let texts: Vec<&str> = self.iter().map(|seed| &*seed.text).collect();
        texts.join(" | ")
    }
}

impl Value for SeedProvider {
    fn read(values: &mut Checker<'_>, name: &'static str) -> Option<SeedProvider> {
        SeedProvider::parse(&values.text(name))
    }

    fn text(&self) -> String {
        self.name().to_owned()
    }
}

impl Value for HashKind {
    fn read(values: &mut Checker<'_>, name: &'static str) -> Option<HashKind> {
        values.text(name).parse().ok()
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

/// An opening and a closing character.
impl Value for Option<[u8; 2]> {
    fn read(values: &mut Checker<'_>, name: &'static str) -> Option<Option<[u8; 2]>> {
        let tag = values.text(name);
        Some(<[u8; 2]>::try_from(tag.as_bytes()).ok())
    }

    fn text(&self) -> String {
        let tag = self.unwrap_or_default();
        String::from_utf8_lossy(&tag).trim_matches('\0').to_owned()
    }
}

impl Value for SecureOption {
    fn read(values: &mut Checker<'_>, name: &'static str) -> Option<SecureOption> {
        SecureOption::parse(&values.text(name))
    }

    fn text(&self) -> String {
        self.name().to_owned()
    }
}

impl Value for Consistency {
    fn read(values: &mut Checker<'_>, name: &'static str) -> Option<Consistency> {
        Consistency::from_bytes(values.text(name).as_bytes())
    }

    fn text(&self) -> String {
        self.to_string()
    }
}

/// A name server; none stands for those of the system.
impl Value for Option<SocketAddr> {
    fn read(values: &mut Checker<'_>, name: &'static str) -> Option<Option<SocketAddr>> {
        Some(name_server(&values.text(name)))
    }

    fn text(&self) -> String {
        self.map(|address| address.to_string()).unwrap_or_default()
    }
}
