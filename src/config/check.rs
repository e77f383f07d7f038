//! Checks the values of the files and of the environment and makes [`Settings`] of them: each value by its key's
//! row, then the rules that need several keys. All problems are reported, in the order of the files, then missing keys.
//!
//! There are up to three layers, and each overrides those before it, key by key: the main file, which the C
//! original can read too; the `.local` file beside it, for the keys that the original refuses; and the
//! environment. The environment comes last because it belongs to one process: a file that a tool wrote
//! must not undo the settings of a unit or a container, and installations that set variables keep their settings.

use super::address::Endpoint;
use super::keys::{self, Key, Kind, Status};
use super::pool::{INDENTED, Pool};
use super::problem::{MAX_PROBLEMS, Note, Place, Problem};
use super::server::{Datastore, Seed};
use super::table::{KEYS, Settings};
use super::value_check::{check_value, check_words};
use super::values::digits;
use super::{Loaded, Overrides, Variables};
use crate::hashkit::{MAX_TOKENS, Token, parse_list};
use crate::logging::Level;
use std::collections::{HashMap, HashSet};

/// One file.
pub(super) struct Layer {
    /// Its keys.
    pub pool: Pool,
    /// Its name in messages.
    pub name: String,
}

/// Checks the pools of the main file and of the one that overrides it, and the environment, and makes settings
/// of them.
pub(super) fn check(
    main: &Layer,
    local: Option<&Layer>,
    variables: Variables<'_>,
    cli: &Overrides,
) -> Result<Loaded, Vec<Problem>> {
    let mut checker = Checker {
        pool_name: main.pool.name.clone(),
        cli,
        given: Vec::new(),
        refused: HashSet::new(),
        problems: Vec::new(),
        more: 0,
        notes: Vec::new(),
    };
    checker.collect(main);
    let new = checker.given.iter();
    let new: Vec<_> = new
        .filter(|given| given.key.status == Status::New)
        .filter_map(|given| Some((given.key.name, given.place.clone()?)))
        .collect();
    if let Some(local) = local {
        checker.override_by(local);
    }
    checker.collect_variables(variables);
    let settings = checker.settings();
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
            new,
            notes: checker.notes,
            files: Vec::new(),
        }),
        _ => Err(checker.problems),
    }
}

/// A good value of a known key.
struct Given {
    key: &'static Key,
    text: String,
    /// Its position; `None` if it comes from the environment.
    place: Option<Place>,
}

/// The values of all layers, and the problems and notes about them.
pub(super) struct Checker<'a> {
    /// The root key of the main file.
    pub pool_name: String,
    cli: &'a Overrides,
    /// The values in force, in the order of the files.
    given: Vec<Given>,
    /// Keys that had a value which was refused.
    refused: HashSet<&'static str>,
    problems: Vec<Problem>,
    /// Problems beyond [`MAX_PROBLEMS`].
    more: usize,
    notes: Vec<Note>,
}

impl Checker<'_> {
    fn refuse(&mut self, text: String, place: Option<Place>) {
        if self.problems.len() >= MAX_PROBLEMS {
            self.more += 1;
            return;
        }
        self.problems.push(Problem { text, place });
    }

    /// Something to log.
    pub fn note(&mut self, note: Note) {
        self.notes.push(note);
    }

    /// Warns of something at a place.
    fn warn(&mut self, text: impl Into<String>, place: Option<Place>) {
        let text = text.into();
        self.note(Note::warn(Problem { text, place }.to_string()));
    }

    /// Takes the values of a file; they replace the earlier values of the same keys.
    fn override_by(&mut self, layer: &Layer) {
        let entries = layer.pool.entries.iter();
        let keys = entries.filter_map(|entry| keys::find(&entry.key.text));
        let names: HashSet<&str> = keys.map(Key::effective_name).collect();
        let mut overridden: Vec<&str> = Vec::new();
        self.given.retain(|given| {
            let name = given.key.name;
            let stays = !names.contains(name);
            if !stays && !overridden.contains(&name) {
                overridden.push(name);
            }
            stays
        });
        if !overridden.is_empty() {
            let text = format!("conf: '{}' overrides {}", layer.name, overridden.join(", "));
            self.note(Note::new(Level::Notice, text));
        }
        self.collect(layer);
    }

    /// Goes through a file: known keys, each value by its kind, repetitions.
    fn collect(&mut self, layer: &Layer) {
        for word in &layer.pool.beside {
            let place = Some(word.place.clone());
            if word.text == "auto_bootstrap" {
                self.warn(deprecated(&word.text), place);
            } else {
                let text = format!(
                    "conf: '{}' has invalid mapping \"key:\" at depth 1, {INDENTED}",
                    layer.name
                );
                self.refuse(text, place);
            }
        }
        // With the place of the first value.
        let mut seen: HashMap<&'static str, &Place> = HashMap::new();
        let mut older = Vec::new();
        for entry in &layer.pool.entries {
            let name = &entry.key.text;
            let place = || Some(entry.key.place.clone());
            let Some(key) = keys::find(name) else {
                let mut text = format!("conf: directive \"{name}\" is unknown");
                // Further problems are only counted.
                if self.problems.len() < MAX_PROBLEMS
                    && let Some(near) = keys::nearest(name)
                {
                    text.push_str(&format!("; did you mean \"{near}\"?"));
                }
                self.refuse(text, place());
                continue;
            };
            if matches!(key.status, Status::Deprecated | Status::Older) {
                self.warn(deprecated(key.name), place());
            }
            for value in &entry.values {
                let first = match value.text.is_empty() {
                    true => &value.place,
                    false => *seen.entry(key.name).or_insert(&value.place),
                };
                let checked = if value.text.is_empty() {
                    Err(format!("conf: directive \"{name}\" has an empty value"))
                } else if *first != value.place && !key.kind.repeats() {
                    Err(format!(
                        "conf: directive \"{name}\" is a duplicate of line {}",
                        first.line
                    ))
                } else {
                    check_value(key, &value.text)
                        .map_err(|text| format!("{text}; the value is '{}'", shown(&value.text)))
                };
                let place = Some(value.place.clone());
                if let Err(text) = checked {
                    self.refused.insert(key.effective_name());
                    self.refuse(text, place);
                } else if let Some(other) = key.stands_for {
                    older.extend((other.value)(&value.text).map(|text| (other.name, text, place)));
                } else {
                    let text = value.text.clone();
                    self.given.push(Given { key, text, place });
                }
            }
        }
        // The key itself wins over its older name.
        for (name, text, place) in older {
            if let Some(key) = keys::find(name)
                && self.last(name).is_none()
            {
                self.given.push(Given { key, text, place });
            }
        }
    }

    /// Takes the values of environment variables. A wrong one is a warning, and the files count.
    fn collect_variables(&mut self, variables: Variables<'_>) {
        for key in KEYS {
            let Some(variable) = key.variable() else {
                continue;
            };
            let Some(value) = variables(&variable).filter(|value| !value.is_empty()) else {
                continue;
            };
            let words = match (value.to_str(), key.kind) {
                (None, _) => Err("is not UTF-8".to_owned()),
                (Some("1"), Kind::Bool) => Ok("true"),
                (Some("0"), Kind::Bool) => Ok("false"),
                (Some(_), Kind::Bool) => Err("is neither 0 nor 1".to_owned()),
                (Some(text), _) => check_words(key, text).map(|()| text),
            };
            match words {
                Ok(text) => {
                    if let Some(place) = self.place(key.name) {
                        let text = format!(
                            "conf: directive \"{}\" has no effect, because {variable} is set",
                            key.name
                        );
                        let text = Problem::at(text, place).to_string();
                        self.note(Note::new(Level::Notice, text));
                    }
                    self.given.retain(|given| given.key.name != key.name);
                    self.given.push(Given {
                        key,
                        text: text.to_owned(),
                        place: None,
                    });
                }
                Err(words) => self.note(Note::warn(format!(
                    "{variable} {words} and has no effect: {}",
                    shown(&value.to_string_lossy())
                ))),
            }
        }
    }

    /// The good values of a key, in order.
    fn all(&self, name: &'static str) -> impl DoubleEndedIterator<Item = &Given> {
        debug_assert!(keys::find(name).is_some(), "no row for {name}");
        self.given
            .iter()
            .filter(move |given| given.key.name == name)
    }

    /// The last good value of a key.
    pub fn last(&self, name: &'static str) -> Option<&str> {
        self.all(name).next_back().map(|given| given.text.as_str())
    }

    /// The position of the last good value of a key.
    fn place(&self, name: &'static str) -> Option<Place> {
        let last = self.all(name).next_back();
        last.and_then(|given| given.place.clone())
    }

    /// The positions of the values of these keys that come from a file.
    fn places_of(&self, names: &[&'static str]) -> Vec<(&'static str, Place)> {
        let names = names.iter();
        names
            .filter_map(|name| Some((*name, self.place(name)?)))
            .collect()
    }

    /// The value of a key, or its row's default.
    fn given_or_default(&self, name: &'static str) -> &str {
        let default = keys::find(name).map_or("", |key| key.default);
        self.last(name).unwrap_or(default)
    }

    /// The same, with a note about a default that is used.
    pub fn text(&mut self, name: &'static str) -> String {
        let text = self.given_or_default(name).to_owned();
        if !text.is_empty() && self.last(name).is_none() {
            let note = format!("setting {name} to default value:{text}");
            self.note(Note::new(Level::Info, note));
        }
        text
    }

    /// A number; for the keys of the original, 0 stands for the default.
    pub fn number(&mut self, name: &'static str) -> u32 {
        let is_new = keys::find(name).is_some_and(|key| key.status == Status::New);
        match self.last(name).and_then(digits) {
            Some(number) if number != 0 || is_new => number,
            _ => {
                self.warn_of_zero(name);
                self.given.retain(|given| given.key.name != name);
                digits(&self.text(name)).unwrap_or(0)
            }
        }
    }

    /// Warns of a 0 that stands for another number, which the original does not say.
    fn warn_of_zero(&mut self, name: &'static str) {
        let default = keys::find(name).map_or("", |key| key.default);
        if self.last(name).is_some() && !matches!(default, "" | "0") {
            let text =
                format!("conf: directive \"{name}\" is 0, which stands for its default, {default}");
            self.warn(text, self.place(name));
        }
    }

    /// `mbuf_size` or `max_msgs`: the file, then the command line, then the default.
    pub fn size(&mut self, name: &'static str) -> usize {
        let default = keys::find(name).and_then(|key| digits(key.default));
        // The original has two blanks in one of the two lines; tools may look for them.
        let (cli, blank) = match name {
            "mbuf_size" => (self.cli.mbuf_size, "  "),
            _ => (self.cli.max_msgs, " "),
        };
        let (text, size) = match self.last(name).and_then(digits).filter(|n| *n != 0) {
            Some(number) => (format!("YAML provided {name}: {number}"), number as usize),
            None => {
                self.warn_of_zero(name);
                let size = cli.unwrap_or(default.unwrap_or(0) as usize);
                let text = format!("{name} not in YAML: using deprecated way{blank}{size}");
                (text, size)
            }
        };
        self.note(Note::new(Level::Always, text));
        size
    }

    /// Reports a missing required key, unless its value was refused already.
    pub fn missing(&mut self, name: &'static str) {
        if !self.refused.contains(name) {
            self.refuse(format!("conf: directive \"{name}:\" is missing"), None);
        }
    }

    /// The settings, if every one has a value; checks those that depend on each other.
    fn settings(&mut self) -> Option<Settings> {
        let cli = self.cli;
        let mut settings = Settings::read(self, cli)?;
        settings.enable_gossip |= cli.gossip;
        self.names(&settings);
        self.dyn_port(&settings);
        self.addresses(&settings);
        self.without_effect(&settings);
        Some(settings)
    }

    /// This node's tokens.
    pub fn tokens(&mut self) -> Vec<Token> {
        let (mut tokens, mut warnings) = (Vec::new(), Vec::new());
        for given in self.all("tokens") {
            for token in parse_list(&given.text).unwrap_or_default() {
                if token.folded {
                    warnings.push((folded("tokens", &given.text), given.place.clone()));
                }
                tokens.push(token.token);
            }
        }
        for (text, place) in warnings {
            self.warn(text, place);
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

    /// The one datastore.
    pub fn datastore(&mut self) -> Option<Datastore> {
        let given: Vec<_> = self.all("servers").collect();
        let (last, ignored) = match given.split_last() {
            Some((last, ignored)) => (Datastore::parse(&last.text).ok(), ignored),
            None => (None, &[][..]),
        };
        let first = ignored.first().and_then(|given| given.place.clone());
        let texts: Vec<_> = ignored.iter().map(|given| shown(&given.text)).collect();
        let Some(datastore) = last else {
            if !self.refused.contains("servers") {
                let text = format!(
                    "conf: pool '{}' has no datastores: directive \"servers:\" is missing",
                    self.pool_name
                );
                self.refuse(text, None);
            }
            return None;
        };
        if !texts.is_empty() {
            let text = format!(
                "conf: directive \"servers\" has {} entries, but a node has one datastore, only the last is used: {}; ignored: {}",
                texts.len() + 1,
                datastore.text,
                shown(&texts.join(", "))
            );
            self.warn(text, first);
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

    /// The seeds without this node and without repetitions.
    pub fn seeds(&mut self) -> Vec<Seed> {
        let own: Vec<Token> = self
            .all("tokens")
            .flat_map(|given| parse_list(&given.text).unwrap_or_default())
            .map(|token| token.token)
            .collect();
        let dc = self.given_or_default("datacenter");
        let rack = self.given_or_default("rack");
        let mut known = HashSet::new();
        let (mut seeds, mut warnings) = (Vec::new(), Vec::new());
        for given in self.all("dyn_seeds") {
            let text = given.text.as_str();
            let mut warn = |text: String| warnings.push((text, given.place.clone()));
            let Ok((seed, has_folded)) = Seed::parse(text) else {
                continue;
            };
            if has_folded {
                warn(folded("dyn_seeds", text));
            }
            let mut tokens = seed.tokens.clone();
            tokens.sort_unstable();
            if tokens.len() > 1 {
                warn(format!(
                    "conf: directive \"dyn_seeds\" has an entry with more than one token; nodes that run the C original can crash on it: {text}"
                ));
            }
            if seed.is_node(dc, rack, &own) {
                warn(format!(
                    "conf: directive \"dyn_seeds\" names this node, the entry is ignored: {text}"
                ));
            } else if known.insert((seed.endpoint(), seed.rack.clone(), seed.dc.clone(), tokens)) {
                seeds.push(seed);
            } else {
                warn(format!(
                    "conf: directive \"dyn_seeds\" names a node twice, the entry is ignored: {text}"
                ));
            }
        }
        for (text, place) in warnings {
            self.warn(text, place);
        }
        seeds
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

    /// Refuses two listeners on one address, and a datastore that is this node: each request would come
    /// back as a new one.
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
            if address.is_reached_at(&settings.servers.endpoint) {
                let text = format!(
                    "conf: directive \"servers\" is this node itself, see \"{name}\": {}",
                    settings.servers.text
                );
                self.refuse(text, self.place("servers"));
            }
        }
    }

    /// Warns of settings without effect that an operator may rely on.
    fn without_effect(&mut self, settings: &Settings) {
        if settings.enable_gossip {
            self.warn("conf: gossip has no effect in this version: name the other nodes in \"dyn_seeds\", or choose a \"dyn_seed_provider\"", self.place("enable_gossip"));
        }
        if settings.read_repairs_enabled {
            self.warn("conf: directive \"read_repairs_enabled\" has no effect in this version: a replica that missed a write keeps its older value", self.place("read_repairs_enabled"));
        }
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
