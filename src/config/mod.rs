//! The configuration: from YAML text and environment variables to checked [`Settings`].
//!
//! | file | content |
//! |---|---|
//! | `table` | the one table of settings |
//! | `keys` | a row of the table |
//! | `yaml`, `pool` | a file's text as nodes with their places, and as the pool of keys |
//! | `value_check`, `check` | the checks: each value by its row, then rules over several keys |
//! | `value`, `values`, `address`, `server` | the types of settings |
//! | `difference` | the differences to another configuration, and the values that can change while a node runs |
//! | `pem` | the key file of encrypted peer connections |
//! | `manual` | the table as parts of manual pages |
//! | `problem` | problems, and notes for the log |
//!
//! The main file, `-c FILE`, is one that the C original can read too. Keys that the original would refuse are in a
//! second file beside it, if there is one: `dynomite.local.yml` for `dynomite.yml`.
//!
//! Nothing here logs or starts anything: lines for the log are returned as [`Note`]s. [`parse`] depends on its
//! text alone; [`load`] also reads files and asks the resolver, as the original does at start, so that a start
//! that must fail fails before anything is bound or daemonized.

mod address;
mod check;
mod difference;
pub mod keys;
pub mod manual;
mod pem;
mod pool;
mod problem;
mod server;
mod table;
mod value;
mod value_check;
mod values;
mod yaml;

pub use address::{Endpoint, Listen, MAX_UNIX_PATH};
pub use difference::{Difference, differences};
pub use pem::{KEY_BITS, KeyFileError, ORIGINAL_BITS, parse_key};
pub use problem::{MAX_PROBLEMS, Note, Place, Problem};
pub use server::{Datastore, Seed};
pub use table::{KEYS, Settings};
pub use value_check::{MAX_MSGS, MBUF_SIZE, check_max_msgs, check_mbuf_size};
pub use values::{SecureOption, SeedProvider, StoreKind, digits};

use check::Layer;
use openssl::pkey::Private;
use openssl::rsa::Rsa;
use pool::Empty;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};
use yaml::Source;

/// Most bytes a configuration file may have; a larger one is refused.
pub const MAX_FILE: usize = 1 << 20;

/// How long a test of the configuration resolves names of seeds; the rest are left out. A resolver that is down
/// takes up to half a minute for each, and a service manager does not wait for several.
const SEED_NAMES: Duration = Duration::from_secs(1);

/// The options of the command line that override the configuration. The numbers have been checked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overrides {
    /// `-m`; the file's `mbuf_size` wins.
    pub mbuf_size: Option<usize>,
    /// `-M`; the file's `max_msgs` wins.
    pub max_msgs: Option<usize>,
    /// `-g`; wins over the file's `enable_gossip: false`.
    pub gossip: bool,
    /// `-x`.
    pub admin_operation: u32,
}

/// Looks up an environment variable.
pub type Variables<'a> = &'a dyn Fn(&str) -> Option<OsString>;

/// A valid configuration.
#[derive(Clone, Debug, PartialEq)]
pub struct Loaded {
    /// The settings.
    pub settings: Settings,
    /// Notes about them, to be logged in this order once the log is open.
    pub notes: Vec<Note>,
    /// Positions in the file of those values that are checked against more than the
    /// file.
    pub places: Vec<(&'static str, Place)>,
    /// The keys in the main file that the C original does not know, and their positions.
    pub new: Vec<(&'static str, Place)>,
    /// The files that have been read.
    pub files: Vec<PathBuf>,
}

impl Loaded {
    /// A problem with the value of a key.
    pub fn problem(&self, key: &str, text: impl Into<String>) -> Problem {
        let place = self.places.iter().find(|(name, _)| *name == key);
        Problem {
            text: text.into(),
            place: place.map(|(_, place)| place.clone()),
        }
    }

    /// The line that says which files have been read.
    pub fn files_line(&self) -> String {
        let names = self.files.iter();
        let names: Vec<_> = names.map(|path| format!("'{}'", path.display())).collect();
        format!("conf: read {}", names.join(" and "))
    }

    /// Warns of each key in the main file at which a node of the C original would not start.
    pub fn refused_by_the_original(&self, path: &Path) -> Vec<Note> {
        let local = local_file(path);
        let warning = |(name, place): &(&str, Place)| {
            let text = format!(
                "conf: the C original refuses a file with directive \"{name}\", which can stand in '{}'",
                local.display()
            );
            Note::warn(Problem::at(text, place.clone()).to_string())
        };
        self.new.iter().map(warning).collect()
    }
}

/// The file that overrides the one at `path`, key by key, if it exists: the same name with `.local` before the
/// suffix.
///
/// ```
/// use dynomite::config::local_file;
/// use std::path::Path;
/// let local = local_file(Path::new("conf/dynomite.yml"));
/// assert_eq!(local, Path::new("conf/dynomite.local.yml"));
/// ```
pub fn local_file(path: &Path) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_owned();
    name.push(".local");
    if let Some(suffix) = path.extension() {
        name.push(".");
        name.push(suffix);
    }
    path.with_file_name(name)
}

/// Reads and checks the file at `path`, its `.local` file and the environment, then the other conditions of a
/// start: the addresses of the listeners resolve, and the key file holds a key if peers are encrypted. The datastore and seeds
/// are not looked up: a container's name may come later, and no node of a cluster could restart while a seed
/// has lost its name. May block in the resolver.
///
/// # Errors
/// All problems of the files; if there are none, the other problems.
pub fn load(
    path: &Path,
    cli: &Overrides,
    variables: Variables<'_>,
) -> Result<Loaded, Vec<Problem>> {
    let mut loaded = read_settings(path, cli, variables)?;
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

/// Warns of the datastore and of seeds whose names do not resolve. For a test of the configuration only: a start that waited for each
/// name would hang while a name server is down, and the node finds out by itself. May block in the resolver
/// for as long as one name takes.
pub fn look_up_others(settings: &Settings) -> Vec<Note> {
    let begun = Instant::now();
    let seeds = settings.dyn_seeds.iter();
    let seeds = seeds.take_while(|_| begun.elapsed() < SEED_NAMES);
    let datastore = std::iter::once(settings.servers.endpoint.clone());
    let names = datastore.chain(seeds.map(Seed::endpoint));
    let unknown = names.filter_map(|endpoint| {
        let error = endpoint.resolve().err()?;
        Some(Note::warn(unresolved(&endpoint, &error)))
    });
    unknown.collect()
}

/// Reads and checks the same again in a running node: as [`load`], but without the resolver, which may
/// block, and from regular files only.
///
/// # Errors
/// All problems.
pub fn reload(
    path: &Path,
    cli: &Overrides,
    variables: Variables<'_>,
) -> Result<Loaded, Vec<Problem>> {
    for path in [path, &local_file(path)] {
        // Opening a pipe would wait for a writer. A missing file is reported when it is opened.
        if std::fs::metadata(path).is_ok_and(|about| !about.is_file()) {
            return Err(vec![Problem::new(format!(
                "conf: failed to open configuration '{}': not a regular file",
                path.display()
            ))]);
        }
    }
    let mut loaded = read_settings(path, cli, variables)?;
    let notes = check_key(&loaded.settings)
        .map_err(|problem| vec![loaded.problem("pem_key_file", problem.text)])?;
    loaded.notes.extend(notes);
    Ok(loaded)
}

/// The settings of the file at `path`, its `.local` file and the environment.
fn read_settings(
    path: &Path,
    cli: &Overrides,
    variables: Variables<'_>,
) -> Result<Loaded, Vec<Problem>> {
    let local_path = local_file(path);
    let mut files = vec![path.to_owned()];
    // A dangling link counts as present, and cannot be read.
    if std::fs::symlink_metadata(&local_path).is_ok() {
        files.push(local_path);
    }
    let several = files.len() > 1;
    let (mut texts, mut problems) = (Vec::new(), Vec::new());
    for (n, path) in files.iter().enumerate() {
        let named = several.then(|| Arc::from(path.display().to_string()));
        match read(path, n == 0).and_then(|bytes| decode(bytes, named.clone())) {
            Ok(text) => texts.push((text, path.display().to_string(), named)),
            Err(problem) => problems.push(problem),
        }
    }
    if !problems.is_empty() {
        return Err(problems);
    }
    let mut sources = texts.iter().map(|(text, name, named)| Source {
        text,
        name,
        named: named.as_ref(),
    });
    let Some(main) = sources.next() else {
        return Err(Vec::new());
    };
    let mut loaded = parse_sources(&main, sources.next().as_ref(), cli, variables)?;
    loaded.files = files;
    Ok(loaded)
}

/// Checks the key file. Without encryption it is not required, but used to decrypt messages of peers.
fn check_key(settings: &Settings) -> Result<Vec<Note>, Problem> {
    let file = &settings.pem_key_file;
    match settings.secure_server_option {
        SecureOption::None => Ok(pem::check_unneeded(file)),
        _ => pem::check(file),
    }
}

/// Returns the key of `pem_key_file`; `None` if it is not required and cannot be read.
///
/// # Errors
/// The key is required and cannot be used. [`load`] has refused that already, unless the file has changed.
pub fn load_key(settings: &Settings) -> Result<Option<Rsa<Private>>, Problem> {
    let key = pem::load(&settings.pem_key_file);
    match settings.secure_server_option {
        SecureOption::None => Ok(key.ok()),
        _ => key.map(Some),
    }
}

/// Checks the text of a configuration file alone; `file` is its name in messages.
///
/// # Errors
/// All problems, in the order of the file, then missing keys; at most
/// [`MAX_PROBLEMS`] and a count of the rest.
pub fn parse(text: &str, file: &str, cli: &Overrides) -> Result<Loaded, Vec<Problem>> {
    let source = Source {
        text,
        name: file,
        named: None,
    };
    parse_sources(&source, None, cli, &|_| None)
}

/// Checks the texts of the main file and of the one that overrides it.
fn parse_sources(
    main: &Source<'_>,
    local: Option<&Source<'_>>,
    cli: &Overrides,
    variables: Variables<'_>,
) -> Result<Loaded, Vec<Problem>> {
    let layer = |source: &Source<'_>, empty: Empty| {
        let mut source = *source;
        source.text = source.text.strip_prefix('\u{feff}').unwrap_or(source.text);
        if source.text.len() > MAX_FILE {
            return Err(vec![Problem::new(format!(
                "conf: '{}' has more than {MAX_FILE} bytes",
                source.name
            ))]);
        }
        Ok(Layer {
            pool: pool::read(&source, empty)?,
            name: source.name.to_owned(),
        })
    };
    let main = layer(main, Empty::Refused);
    let local = local
        .map(|source| layer(source, Empty::Allowed))
        .transpose();
    match (main, local) {
        (Ok(main), Ok(local)) => check::check(&main, local.as_ref(), variables, cli),
        (main, local) => {
            let problems = [main.err(), local.err()];
            Err(problems.into_iter().flatten().flatten().collect())
        }
    }
}

/// The line that says whether a configuration is valid; also the last line of a start that
/// fails because it is not.
pub fn verdict(path: &Path, valid: bool) -> String {
    let word = if valid { "valid" } else { "invalid" };
    format!(
        "dynomite: configuration file '{}' syntax is {word}",
        path.display()
    )
}

/// Reads a file, at most one byte more than [`MAX_FILE`], which is enough to refuse it.
fn read(path: &Path, is_main: bool) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let file = File::open(path);
    let read = file.and_then(|file| file.take(MAX_FILE as u64 + 1).read_to_end(&mut bytes));
    match read {
        Ok(_) => Ok(bytes),
        Err(error) => {
            let looked = match (path.is_relative(), std::env::current_dir()) {
                (true, Ok(dir)) if is_main => {
                    format!("; it was looked for in {}, -c names another", dir.display())
                }
                _ => String::new(),
            };
            Err(Problem::new(format!(
                "conf: failed to open configuration '{}': {}{looked}",
                path.display(),
                strerror(&error)
            )))
        }
    }
}

/// Decodes UTF-8, or UTF-16 with a byte order mark. `named` is the file's name, if places have to name it.
fn decode(bytes: Vec<u8>, named: Option<Arc<str>>) -> Result<String, Problem> {
    let text = match bytes.as_slice() {
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        _ => {
            return String::from_utf8(bytes).map_err(|error| {
                let end = error.utf8_error().valid_up_to();
                let good = error.as_bytes().get(..end).unwrap_or_default();
                let place = Place::after(&String::from_utf8_lossy(good), named);
                not_utf(Some(place))
            });
        }
    };
    text.ok_or_else(|| not_utf(None))
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
