//! The configuration file: from YAML text to checked [`Settings`].
//!
//! | file | what |
//! |---|---|
//! | `keys` | the one table of keys |
//! | `yaml`, `pool` | the file's text as nodes with their places, and as the pool of keys |
//! | `value_check`, `check` | each value by its row, then what needs several keys |
//! | `address`, `server`, `values` | what values mean |
//! | `settings` | the result |
//! | `difference` | what is another in a second result, and what of it can change while a node runs |
//! | `pem` | the key file of encrypted peer connections |
//! | `manual` | the table as manual page and Markdown |
//! | `problem` | what is wrong, and what is worth logging |
//!
//! Nothing here logs or starts anything: what should be logged comes back as [`Note`]s. [`parse`] is a function of its text alone; [`load`] also reads files and asks the
//! resolver, as the original does at start, so that a start that must fail fails before anything
//! is bound or daemonized.

mod address;
mod check;
mod difference;
pub mod keys;
pub mod manual;
mod pem;
mod pool;
mod problem;
mod server;
mod settings;
mod value_check;
mod values;
mod yaml;

pub use address::{Endpoint, Listen, MAX_UNIX_PATH};
pub use difference::{Difference, differences};
pub use keys::KEYS;
pub use pem::{KEY_BITS, KeyFileError, ORIGINAL_BITS, parse_key};
pub use problem::{MAX_PROBLEMS, Note, Place, Problem};
pub use server::{Datastore, Seed};
pub use settings::Settings;
pub use value_check::{MAX_MSGS, MBUF_SIZE, check_max_msgs, check_mbuf_size};
pub use values::{SecureOption, SeedProvider, StoreKind, digits};

use openssl::pkey::Private;
use openssl::rsa::Rsa;
use std::borrow::Cow;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::time::{Duration, Instant};

/// Most bytes a configuration file may have; a larger one is refused.
pub const MAX_FILE: usize = 1 << 20;

/// How long a test asks for the names of seeds; those after that are left out. A resolver that is down
/// takes up to half a minute for each, and a service manager does not wait for several.
const SEED_NAMES: Duration = Duration::from_secs(1);

/// What the command line says about the configuration. The numbers have been checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `-m`; the file's `mbuf_size` wins.
    pub mbuf_size: Option<usize>,
    /// `-M`; the file's `max_msgs` wins.
    pub max_msgs: Option<usize>,
    /// `-g`; wins over the file's `enable_gossip: false`.
    pub gossip: bool,
}

/// A configuration that may be used.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// What to log about them once the log is open, in order.
    pub notes: Vec<Note>,
    /// Where the values of some keys stand in the file: of those that are checked against more than the
    /// file.
    pub places: Vec<(&'static str, Place)>,
}

impl Loaded {
    /// A problem with the value of a key.
    pub fn problem(&self, key: &str, text: impl Into<String>) -> Problem {
        let place = self.places.iter().find(|(name, _)| *name == key);
        Problem {
            text: text.into(),
            place: place.map(|(_, place)| *place),
        }
    }
}

/// Reads and checks the file at `path`, then what a start needs besides it: the addresses of the
/// listeners resolve, and the key file holds a key if peers are encrypted. The datastore and seeds
/// are not looked up: a container's name may come later, and no node of a cluster could restart while a seed
/// has lost its name. May block in the resolver.
///
/// # Errors
/// Everything that is wrong with the file; or, if nothing is, everything else that is.
pub fn load(path: &Path, cli: &Overrides) -> Result<Loaded, Vec<Problem>> {
    let mut loaded = read_settings(path, cli)?;
    let settings = &loaded.settings;
    let mut problems = Vec::new();
    for (key, endpoint) in [
        ("listen", &settings.listen.target),
        ("dyn_listen", &settings.dyn_listen.target),
        ("stats_listen", &settings.stats_listen.target),
    ] {
        if let Err(error) = endpoint.resolve() {
            problems.push(Problem::new(unresolved(endpoint, &error)));
            let text = format!("conf: directive \"{key}\" has an invalid value: '{endpoint}'");
            problems.push(loaded.problem(key, text));
        }
    }
    match check_key(settings) {
        Ok(notes) => loaded.notes.extend(notes),
        Err(problem) => problems.push(loaded.problem("pem_key_file", problem.text)),
    }
    if problems.is_empty() {
        Ok(loaded)
    } else {
        Err(problems)
    }
}

/// Warns of the datastore and of seeds whose names do not resolve. That is for a test to look at: a start that waited for each
/// could not end while a name server is away, and the node finds out by itself. May block in the resolver
/// for as long as that takes for one name.
pub fn look_up_others(settings: &Settings) -> Vec<Note> {
    let begun = Instant::now();
    let seeds = settings.dyn_seeds.iter();
    let seeds = seeds.take_while(|_| begun.elapsed() < SEED_NAMES);
    let datastore = std::iter::once(settings.datastore.endpoint.clone());
    let names = datastore.chain(seeds.map(Seed::endpoint));
    let unknown = names.filter_map(|endpoint| {
        let error = endpoint.resolve().err()?;
        Some(Note::warn(unresolved(&endpoint, &error)))
    });
    unknown.collect()
}

/// Reads and checks the file at `path` again, for a node that runs: as [`load`], but the resolver is
/// not asked, which may block, and the file must be one that can be read twice.
///
/// # Errors
/// Everything that is wrong.
pub fn reload(path: &Path, cli: &Overrides) -> Result<Loaded, Vec<Problem>> {
    // Opening a pipe would wait for somebody to write to it. What is not there is told by opening.
    if std::fs::metadata(path).is_ok_and(|about| !about.is_file()) {
        return Err(vec![Problem::new(format!(
            "conf: failed to open configuration '{}': not a regular file",
            path.display()
        ))]);
    }
    let mut loaded = read_settings(path, cli)?;
    let notes = check_key(&loaded.settings)
        .map_err(|problem| vec![loaded.problem("pem_key_file", problem.text)])?;
    loaded.notes.extend(notes);
    Ok(loaded)
}

/// What the file at `path` alone says.
fn read_settings(path: &Path, cli: &Overrides) -> Result<Loaded, Vec<Problem>> {
    let file = path.display().to_string();
    let bytes = read(path).map_err(|error| {
        let reason = strerror(&error);
        let looked = match (path.is_relative(), std::env::current_dir()) {
            (true, Ok(dir)) => {
                format!("; it was looked for in {}, -c names another", dir.display())
            }
            _ => String::new(),
        };
        vec![Problem::new(format!(
            "conf: failed to open configuration '{file}': {reason}{looked}"
        ))]
    })?;
    let text = decode(&bytes).map_err(|problem| vec![problem])?;
    parse(&text, &file, cli)
}

/// The key file. Without encryption it is not needed, but used for what peers send encrypted.
fn check_key(settings: &Settings) -> Result<Vec<Note>, Problem> {
    let file = &settings.pem_key_file;
    match settings.secure_server_option {
        SecureOption::None => Ok(pem::check_unneeded(file)),
        _ => pem::check(file),
    }
}

/// The key of encrypted connections: that of `pem_key_file`, or none where it is not needed and cannot
/// be read.
///
/// # Errors
/// It is needed and cannot be used. [`load`] has refused that already, unless the file has changed.
pub fn load_key(settings: &Settings) -> Result<Option<Rsa<Private>>, Problem> {
    let key = pem::load(&settings.pem_key_file);
    match settings.secure_server_option {
        SecureOption::None => Ok(key.ok()),
        _ => key.map(Some),
    }
}

/// Checks the text of a configuration file; `file` is its name in messages.
///
/// # Errors
/// Everything that is wrong, in the order of the file, then what is missing; at most
/// [`MAX_PROBLEMS`] and a count of the rest.
pub fn parse(text: &str, file: &str, cli: &Overrides) -> Result<Loaded, Vec<Problem>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.len() > MAX_FILE {
        return Err(vec![Problem::new(format!(
            "conf: '{file}' has more than {MAX_FILE} bytes"
        ))]);
    }
    let pool = pool::read(text, file)?;
    check::check(&pool, file, cli)
}

/// The line that says whether a configuration can be used; also the last word of a start that
/// fails because it cannot.
pub fn verdict(path: &Path, valid: bool) -> String {
    let word = if valid { "valid" } else { "invalid" };
    format!(
        "dynomite: configuration file '{}' syntax is {word}",
        path.display()
    )
}

/// At most one byte more than [`MAX_FILE`], which is enough to refuse it.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?
        .take(MAX_FILE as u64 + 1)
        .read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// UTF-8, or UTF-16 with a byte order mark.
fn decode(bytes: &[u8]) -> Result<Cow<'_, str>, Problem> {
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => {
            return std::str::from_utf8(bytes)
                .map(Cow::Borrowed)
                .map_err(|error| {
                    let good = bytes.get(..error.valid_up_to()).unwrap_or_default();
                    not_utf(Some(Place::after(&String::from_utf8_lossy(good))))
                });
        }
    };
    text.map(Cow::Owned).ok_or_else(|| not_utf(None))
}

fn utf16(bytes: &[u8], unit: fn([u8; 2]) -> u16) -> Option<String> {
    let (units, odd) = bytes.as_chunks::<2>();
    let text = char::decode_utf16(units.iter().map(|pair| unit(*pair)))
        .collect::<Result<String, _>>()
        .ok()?;
    odd.is_empty().then_some(text)
}

fn not_utf(place: Option<Place>) -> Problem {
    Problem {
        text: "conf: failed (err 2) to get the next yaml document: invalid UTF-8 or UTF-16"
            .to_owned(),
        place,
    }
}

/// The operating system's words for an error, without the number Rust adds.
fn strerror(error: &io::Error) -> String {
    let words = error.to_string();
    match words.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => words,
    }
}

fn unresolved(endpoint: &Endpoint, error: &io::Error) -> String {
    let words = strerror(error);
    let words = words
        .strip_prefix("failed to lookup address information: ")
        .unwrap_or(&words);
    match endpoint {
        Endpoint::Tcp { host, port } => {
            format!("address resolution of node '{host}' service '{port}' failed: {words}")
        }
        Endpoint::Unix(path) => format!("'{}' cannot be used: {words}", path.display()),
    }
}
