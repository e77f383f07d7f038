//! From the words of the file to [`Settings`]: every value by its key's row, then what needs
//! several keys at once. Everything wrong is reported, in the order of the file, then what is
//! missing.

use super::address::{Endpoint, Listen};
use super::keys::{self, Key, Status};
use super::pool::{INDENTED, Pool};
use super::problem::{MAX_PROBLEMS, Note, Place, Problem};
use super::server::{Datastore, Seed};
use super::settings::Settings;
use super::value_check::check_value;
use super::values::{SecureOption, SeedProvider, StoreKind, digits};
use super::yaml::Word;
use super::{Loaded, Overrides};
use crate::consistency::Consistency;
use crate::hashkit::{MAX_TOKENS, Token, parse_list};
use crate::logging::Level;
use std::collections::{HashMap, HashSet};
use std::time::Duration;

/// Checks the file's pool and makes settings of it.
pub(super) fn check(pool: &Pool, file: &str, cli: &Overrides) -> Result<Loaded, Vec<Problem>> {
    let mut checker = Checker {
        pool,
        given: Vec::new(),
        refused: HashSet::new(),
        problems: Vec::new(),
        more: 0,
        notes: Vec::new(),
    };
    checker.collect(file);
    let settings = checker.settings(cli);
    if checker.more > 0 {
        let more = format!("conf: and {} more problems", checker.more);
        checker.problems.push(Problem::new(more));
    }
    match settings {
        Some(settings) if checker.problems.is_empty() => Ok(Loaded {
            settings,
            places: checker.places_of(&[
                "listen",
                "dyn_listen",
                "stats_listen",
                "servers",
                "pem_key_file",
            ]),
            notes: checker.notes,
        }),
        _ => Err(checker.problems),
    }
}

struct Checker<'a> {
    pool: &'a Pool,
    /// Every value of a known key, in the order of the file.
    given: Vec<(&'static Key, &'a Word)>,
    /// Keys that had a value which was refused.
    refused: HashSet<&'static str>,
    problems: Vec<Problem>,
    /// Problems beyond [`MAX_PROBLEMS`].
    more: usize,
    notes: Vec<Note>,
}

impl<'a> Checker<'a> {
    fn refuse(&mut self, text: String, place: Option<Place>) {
        if self.problems.len() >= MAX_PROBLEMS {
            self.more += 1;
            return;
        }
        self.problems.push(Problem { text, place });
    }

    /// Warns of something that stands at a place.
    fn warn(&mut self, text: impl Into<String>, place: Option<Place>) {
        let text = text.into();
        self.notes
            .push(Note::warn(Problem { text, place }.to_string()));
    }

    /// Goes through the file: known keys, each value by its kind, repetitions.
    fn collect(&mut self, file: &str) {
        let pool = self.pool;
        for word in &pool.beside {
            if word.text == "auto_bootstrap" {
                self.warn(deprecated(&word.text), Some(word.place));
            } else {
                let text =
                    format!("conf: '{file}' has invalid mapping \"key:\" at depth 1, {INDENTED}");
                self.refuse(text, Some(word.place));
            }
        }
        // With the place of the first value.
        let mut seen: HashMap<&'static str, Place> = HashMap::new();
        for entry in &pool.entries {
            let name = &entry.key.text;
            let Some(key) = keys::find(name) else {
                let mut text = format!("conf: directive \"{name}\" is unknown");
                // For those that are only counted nobody reads it.
                if self.problems.len() < MAX_PROBLEMS
                    && let Some(near) = keys::nearest(name)
                {
                    text.push_str(&format!("; did you mean \"{near}\"?"));
                }
                self.refuse(text, Some(entry.key.place));
                continue;
            };
            if matches!(key.status, Status::Deprecated | Status::Older) {
                self.warn(deprecated(key.name), Some(entry.key.place));
            }
            for value in &entry.values {
                let first = match value.text.is_empty() {
                    true => value.place,
                    false => *seen.entry(key.name).or_insert(value.place),
                };
                let checked = if value.text.is_empty() {
                    Err(format!("conf: directive \"{name}\" has an empty value"))
                } else if first != value.place && !key.kind.repeats() {
                    Err(format!(
                        "conf: directive \"{name}\" is a duplicate of line {}",
                        first.line
                    ))
                } else {
                    check_value(key, &value.text)
                        .map_err(|text| format!("{text}; the value is '{}'", shown(&value.text)))
                };
                match checked {
                    Ok(()) => self.given.push((key, value)),
                    Err(text) => {
                        self.refused.insert(key.name);
                        self.refuse(text, Some(value.place));
                    }
                }
            }
        }
    }

    /// The good values of a key.
    fn all(&self, name: &'static str) -> impl DoubleEndedIterator<Item = &'a Word> {
        debug_assert!(keys::find(name).is_some(), "no row for {name}");
        let given = self.given.iter();
        let of_key = given.filter(move |(key, _)| key.name == name);
        of_key.map(|(_, word)| *word)
    }

    /// The last good value of a key.
    fn last(&self, name: &'static str) -> Option<&'a str> {
        self.all(name).next_back().map(|word| word.text.as_str())
    }

    /// The value of a key, or its row's default with a note about it.
    fn text(&mut self, name: &'static str) -> &'a str {
        if let Some(text) = self.last(name) {
            return text;
        }
        let default = keys::find(name).map_or("", |key| key.default);
        if !default.is_empty() {
            let note = format!("setting {name} to default value:{default}");
            self.notes.push(Note::new(Level::Info, note));
        }
        default
    }

    fn number(&mut self, name: &'static str) -> u32 {
        match self.last(name).and_then(digits) {
            Some(number) if number != 0 => number,
            _ => {
                self.zero(name);
                self.given.retain(|(key, _)| key.name != name);
                digits(self.text(name)).unwrap_or(0)
            }
        }
    }

    /// Warns of a 0 that stands for another number, which the original does not say.
    fn zero(&mut self, name: &'static str) {
        let default = keys::find(name).map_or("", |key| key.default);
        if self.last(name).is_some() && !matches!(default, "" | "0") {
            let text =
                format!("conf: directive \"{name}\" is 0, which stands for its default, {default}");
            self.warn(text, self.place(name));
        }
    }

    fn count(&mut self, name: &'static str) -> u8 {
        u8::try_from(self.number(name)).unwrap_or(u8::MAX)
    }

    fn millis(&mut self, name: &'static str) -> Duration {
        Duration::from_millis(self.number(name).into())
    }

    fn flag(&mut self, name: &'static str) -> bool {
        self.text(name) == "true"
    }

    fn consistency(&mut self, name: &'static str) -> Consistency {
        Consistency::from_bytes(self.text(name).as_bytes()).unwrap_or_default()
    }

    /// A listener; `None` if it is not given and has no default.
    fn listen(&mut self, name: &'static str) -> Option<Listen> {
        if let Some(listen) = self.last(name).and_then(|text| Listen::parse(text).ok()) {
            return Some(listen);
        }
        let default = keys::find(name).map_or("", |key| key.default);
        if default.is_empty() {
            self.missing(name);
            return None;
        }
        self.notes.push(Note::new(
            Level::Notice,
            format!("conf: directive \"{name}:\" is missing - using defaults {default}"),
        ));
        Listen::parse(default).ok()
    }

    /// Refuses the absence of a required key, unless it was there and refused already.
    fn missing(&mut self, name: &'static str) {
        if !self.refused.contains(name) {
            self.refuse(format!("conf: directive \"{name}:\" is missing"), None);
        }
    }

    fn settings(&mut self, cli: &Overrides) -> Option<Settings> {
        let listen = self.listen("listen");
        let dyn_listen = self.listen("dyn_listen");
        let stats_listen = self.stats_listen();
        let tokens = self.tokens();
        let datastore = self.datastore();
        let data_store = self.data_store();
        let mbuf_size = self.size("mbuf_size", cli.mbuf_size);
        let max_msgs = self.size("max_msgs", cli.max_msgs);
        let hash_tag = self
            .last("hash_tag")
            .and_then(|tag| <[u8; 2]>::try_from(tag.as_bytes()).ok());
        let mut settings = Settings {
            pool_name: self.pool.name.clone(),
            listen: listen?,
            dyn_listen: dyn_listen?,
            stats_listen: stats_listen?,
            stats_interval: self.millis("stats_interval"),
            datastore: datastore?,
            data_store,
            tokens,
            dyn_seeds: Vec::new(),
            dyn_seed_provider: self.seed_provider(),
            datacenter: self.text("datacenter").to_owned(),
            rack: self.text("rack").to_owned(),
            env: self.text("env").to_owned(),
            enable_gossip: self.flag("enable_gossip") || cli.gossip,
            gos_interval: self.millis("gos_interval"),
            hash: self.text("hash").parse().unwrap_or_default(),
            hash_tag,
            timeout: self.millis("timeout"),
            preconnect: self.flag("preconnect"),
            auto_eject_hosts: self.flag("auto_eject_hosts"),
            server_retry_timeout: self.millis("server_retry_timeout"),
            server_failure_limit: self.number("server_failure_limit"),
            backlog: self.number("backlog"),
            client_connections: self.number("client_connections"),
            datastore_connections: self.count("datastore_connections"),
            local_peer_connections: self.count("local_peer_connections"),
            remote_peer_connections: self.count("remote_peer_connections"),
            secure_server_option: SecureOption::parse(self.text("secure_server_option"))
                .unwrap_or_default(),
            pem_key_file: self.text("pem_key_file").into(),
            recon_key_file: self.text("recon_key_file").into(),
            recon_iv_file: self.text("recon_iv_file").into(),
            read_consistency: self.consistency("read_consistency"),
            write_consistency: self.consistency("write_consistency"),
            read_repairs_enabled: self.flag("read_repairs_enabled"),
            conn_msg_rate: self.number("conn_msg_rate"),
            mbuf_size,
            max_msgs,
        };
        self.names(&settings);
        self.dyn_port(&settings);
        self.addresses(&settings);
        self.without_effect(&settings);
        settings.dyn_seeds = self.seeds(&settings);
        Some(settings)
    }

    /// `stats_listen`, or the older `stats_port` on every address.
    fn stats_listen(&mut self) -> Option<Listen> {
        match self.last("stats_port").and_then(digits) {
            Some(port) if self.last("stats_listen").is_none() && port != 0 => {
                Listen::parse(&format!("0.0.0.0:{port}")).ok()
            }
            _ => self.listen("stats_listen"),
        }
    }

    fn tokens(&mut self) -> Vec<Token> {
        let mut tokens = Vec::new();
        for word in self.all("tokens").collect::<Vec<_>>() {
            for token in parse_list(&word.text).unwrap_or_default() {
                if token.folded {
                    self.warn(folded("tokens", &word.text), Some(word.place));
                }
                tokens.push(token.token);
            }
        }
        if tokens.is_empty() {
            self.missing("tokens");
        } else if tokens.len() > MAX_TOKENS {
            let text = format!("conf: directive \"tokens\" has more than {MAX_TOKENS} tokens");
            self.refuse(text, self.place("tokens"));
        } else if tokens.len() > 1 {
            self.warn("conf: more than one token: nodes that run the C original can crash on learning of this node", self.place("tokens"));
        }
        tokens
    }

    fn datastore(&mut self) -> Option<Datastore> {
        let mut given: Vec<_> = self.all("servers").collect();
        let last = given.pop();
        let Some(datastore) = last.and_then(|word| Datastore::parse(&word.text).ok()) else {
            if !self.refused.contains("servers") {
                let text = format!(
                    "conf: pool '{}' has no datastores: directive \"servers:\" is missing",
                    self.pool.name
                );
                self.refuse(text, None);
            }
            return None;
        };
        if let Some(ignored) = given.first() {
            let texts: Vec<_> = given.iter().map(|word| shown(&word.text)).collect();
            let text = format!(
                "conf: directive \"servers\" has {} entries, but a node has one datastore, only the last is used: {}; ignored: {}",
                given.len() + 1,
                datastore.text,
                shown(&texts.join(", "))
            );
            self.warn(text, Some(ignored.place));
        }
        if digits(&datastore.weight).is_none() {
            let text = format!(
                "conf: directive \"servers\" has a weight that is not a number, it is ignored: {}",
                datastore.text
            );
            self.warn(text, self.place("servers"));
        }
        Some(datastore)
    }

    /// `data_store`, or the older `redis: true | false`.
    fn data_store(&mut self) -> StoreKind {
        match (self.last("data_store"), self.last("redis")) {
            (Some("1"), _) | (None, Some("false")) => StoreKind::Memcache,
            (Some(text), _) if digits(text) == Some(1) => StoreKind::Memcache,
            (None, Some(_)) => StoreKind::Redis,
            _ => {
                self.text("data_store");
                StoreKind::Redis
            }
        }
    }

    fn seed_provider(&mut self) -> SeedProvider {
        let provider = match (self.last("dyn_seed_provider"), self.last("seed_provider")) {
            (None, Some(older)) => older,
            _ => self.text("dyn_seed_provider"),
        };
        SeedProvider::parse(provider).unwrap_or_default()
    }

    /// `mbuf_size` and `max_msgs`: the file, then the command line, then the default.
    fn size(&mut self, name: &'static str, cli: Option<usize>) -> usize {
        let default = keys::find(name).and_then(|key| digits(key.default));
        let (text, size) = match self.last(name).and_then(digits).filter(|n| *n != 0) {
            Some(number) => (format!("YAML provided {name}: {number}"), number as usize),
            None => {
                self.zero(name);
                let size = cli.unwrap_or(default.unwrap_or(0) as usize);
                // The original has two blanks in one of the two lines; tools may look for them.
                let blank = if name == "mbuf_size" { "  " } else { " " };
                (
                    format!("{name} not in YAML: using deprecated way{blank}{size}"),
                    size,
                )
            }
        };
        self.notes.push(Note::new(Level::Always, text));
        size
    }

    /// Warns of names that other nodes cannot write into their lists of seeds. The original takes them.
    fn names(&mut self, settings: &Settings) {
        for (key, name) in [
            ("datacenter", &settings.datacenter),
            ("rack", &settings.rack),
        ] {
            if let Some(letter) = name
                .chars()
                .find(|letter| matches!(letter, ':' | '|' | ' '))
            {
                let text = format!(
                    "conf: directive \"{key}\" has a '{letter}', which separates the fields and entries of \"dyn_seeds\": other nodes cannot name this node; the value is '{}'",
                    shown(name)
                );
                self.warn(text, self.place(key));
            }
        }
    }

    fn dyn_port(&mut self, settings: &Settings) {
        let written = self.last("dyn_port").and_then(digits).filter(|n| *n != 0);
        if let (Some(written), Endpoint::Tcp { port, .. }) = (written, &settings.dyn_listen.target)
            && written != u32::from(*port)
        {
            let text = format!(
                "conf: directive \"dyn_port\" is ignored, peers connect to the port of \"dyn_listen\": {port}"
            );
            self.warn(text, self.place("dyn_port"));
        }
    }

    /// Refuses two listeners in one place, and a datastore that is this node: each request would come
    /// back as another one.
    fn addresses(&mut self, settings: &Settings) {
        let listeners = [
            ("listen", &settings.listen.target),
            ("dyn_listen", &settings.dyn_listen.target),
            ("stats_listen", &settings.stats_listen.target),
        ];
        for (n, (name, address)) in listeners.iter().enumerate() {
            let before = listeners.iter().take(n);
            for (other, _) in before.filter(|(_, other)| address.overlaps(other)) {
                let text = format!(
                    "conf: directive \"{name}\" is where \"{other}\" listens already: {address}"
                );
                self.refuse(text, self.place(name));
            }
            if address.is_reached_at(&settings.datastore.endpoint) {
                let text = format!(
                    "conf: directive \"servers\" is this node itself, see \"{name}\": {}",
                    settings.datastore.text
                );
                self.refuse(text, self.place("servers"));
            }
        }
    }

    /// Where the last good value of a key stands.
    fn place(&self, name: &str) -> Option<Place> {
        let mut all = self.given.iter().filter(|(key, _)| key.name == name);
        all.next_back().map(|(_, word)| word.place)
    }

    /// Where the values of these keys stand, of those that are given.
    fn places_of(&self, names: &[&'static str]) -> Vec<(&'static str, Place)> {
        let given = names.iter();
        given
            .filter_map(|name| Some((*name, self.place(name)?)))
            .collect()
    }

    /// Warns of what an operator would miss who relies on it.
    fn without_effect(&mut self, settings: &Settings) {
        if settings.enable_gossip {
            self.warn("conf: gossip has no effect in this version: name the other nodes in \"dyn_seeds\", or choose a \"dyn_seed_provider\"", self.place("enable_gossip"));
        }
        if settings.read_repairs_enabled {
            self.warn("conf: directive \"read_repairs_enabled\" has no effect in this version: a replica that missed a write keeps its older value", self.place("read_repairs_enabled"));
        }
    }

    /// The seeds without this node and without repetitions.
    fn seeds(&mut self, settings: &Settings) -> Vec<Seed> {
        let mut known = HashSet::new();
        let mut seeds = Vec::new();
        for word in self.all("dyn_seeds").collect::<Vec<_>>() {
            let (text, place) = (word.text.as_str(), Some(word.place));
            let Ok((seed, has_folded)) = Seed::parse(text) else {
                continue;
            };
            if has_folded {
                self.warn(folded("dyn_seeds", text), place);
            }
            let mut tokens = seed.tokens.clone();
            tokens.sort_unstable();
            if tokens.len() > 1 {
                self.warn(format!("conf: directive \"dyn_seeds\" has an entry with more than one token; nodes that run the C original can crash on it: {text}"), place);
            }
            if seed.is_node(&settings.datacenter, &settings.rack, &settings.tokens) {
                let text = format!(
                    "conf: directive \"dyn_seeds\" names this node, the entry is ignored: {text}"
                );
                self.warn(text, place);
            } else if known.insert((seed.endpoint(), seed.rack.clone(), seed.dc.clone(), tokens)) {
                seeds.push(seed);
            } else {
                let text = format!(
                    "conf: directive \"dyn_seeds\" names a node twice, the entry is ignored: {text}"
                );
                self.warn(text, place);
            }
        }
        seeds
    }
}

/// A value as messages quote it: one line, and not all of a long one.
fn shown(text: &str) -> String {
    const MOST: usize = 100;
    let mut letters = text.chars();
    let start: String = letters.by_ref().take(MOST).collect();
    let rest = if letters.next().is_some() { "..." } else { "" };
    format!("{}{rest}", start.escape_debug())
}

fn deprecated(name: &str) -> String {
    format!("******** Field \"{name}\" in the conf file is DEPRECATED *********")
}

fn folded(name: &str, text: &str) -> String {
    format!(
        "conf: directive \"{name}\" has a token above 4294967295, it stands where the C original would place it: {text}"
    )
}
