//! Reading and checking all that a start needs, before anything outside the process is changed.
//!
//! [`check`] is the one function behind `-t` and a start: both refuse the same, for the same reasons,
//! and warn of the same. Two things are not common to both. A test also looks up the seeds' names
//! ([`config::look_up_others`]); a start does not wait for them, and the running node finds out. A start
//! also binds the listeners, which would fail in a test while the node runs.

use crate::cluster::member::Warning;
use crate::cluster::topology::Topology;
use crate::config::{self, Endpoint, Note, Overrides, Problem, Settings, Variables};
use crate::logging::Level;
use crate::seeds::Provider;
use std::net::{IpAddr, TcpListener};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

/// A start that can be tried.
#[derive(Debug)]
pub struct Checked {
    /// The configuration.
    pub settings: Settings,
    /// Where further nodes are learned from; none for `simple_provider`.
    pub provider: Option<Provider>,
    /// Notes to log, in order.
    pub notes: Vec<Note>,
    /// The keys that keep the main file from nodes of the C original: a warning for a test.
    pub refused_by_the_original: Vec<Note>,
    /// The line that says which files have been read, if there are several: for a test.
    pub files_line: Option<String>,
}

/// Reads the configuration at `path` and the environment, which `variables` looks up, and checks all
/// that a start needs of them: the files themselves, the names of listeners and datastore, the key file, the
/// places of the listeners, the cluster that the seeds make. May block in the resolver.
///
/// # Errors
/// Everything for which a start has to be refused.
pub fn check(
    path: &Path,
    overrides: &Overrides,
    variables: Variables<'_>,
) -> Result<Checked, Vec<Problem>> {
    let loaded = config::load(path, overrides, variables)?;
    let settings = &loaded.settings;
    let (mut notes, mut problems) = (Vec::new(), Vec::new());
    for (key, endpoint) in [
        ("listen", &settings.listen.target),
        ("dyn_listen", &settings.dyn_listen.target),
        ("stats_listen", &settings.stats_listen.target),
    ] {
        match place_of(endpoint) {
            Place::Usable => {}
            Place::Elsewhere => {
                let text = format!(
                    "conf: directive \"{key}\" has an address that this machine does not have: {endpoint}"
                );
                notes.push(Note::warn(loaded.problem(key, text).to_string()));
            }
            Place::Taken => {
                let text = format!(
                    "conf: directive \"{key}\" has an invalid value: '{endpoint}' exists and is not a socket"
                );
                problems.push(loaded.problem(key, text));
            }
        }
    }
    match Topology::from_settings(settings) {
        Ok(built) => {
            // The keys that say so have been warned of.
            let is_new = |warning: &&Warning| !matches!(warning, Warning::SeveralTokens { .. });
            let new = built.warnings.iter().filter(is_new);
            notes.extend(new.map(|warning| Note::warn(warning.to_string())));
        }
        Err(error) => problems.push(Problem::new(error.to_string())),
    }
    let (provider, about) = Provider::new(settings);
    notes.extend(about);
    if !problems.is_empty() {
        return Err(problems);
    }
    let files_line = loaded.files_line();
    let refused_by_the_original = loaded.refused_by_the_original(path);
    let mut all = vec![Note::new(Level::Notice, files_line.clone())];
    all.extend(loaded.notes);
    all.append(&mut notes);
    Ok(Checked {
        provider,
        notes: all,
        refused_by_the_original,
        files_line: (loaded.files.len() > 1).then_some(files_line),
        settings: loaded.settings,
    })
}

/// The result of `-t` for the configuration at `path`: the lines for stderr and the exit code, 0 or 1.
/// Warnings and reasons come first, the verdict is the last line. `notes` are those of the command line.
pub fn test(path: &Path, overrides: &Overrides, notes: &[Note]) -> (Vec<String>, i32) {
    let (mut notes, mut problems) = (notes.to_vec(), Vec::new());
    let mut files_line = None;
    match check(path, overrides, &|name| std::env::var_os(name)) {
        Ok(checked) => {
            notes.extend(checked.notes);
            notes.extend(checked.refused_by_the_original);
            notes.extend(config::look_up_others(&checked.settings));
            files_line = checked.files_line;
        }
        Err(found) => problems = found,
    }
    let valid = problems.is_empty();
    let lines = notes
        .iter()
        .filter(|note| note.level == Level::Warn)
        .map(|note| format!("warning: {}", note.text))
        .chain(problems.iter().map(Problem::to_string))
        .chain(files_line)
        .chain([config::verdict(path, valid)])
        .collect();
    (lines, i32::from(!valid))
}

/// Checks whether an address can be listened on, as far as that shows without listening.
enum Place {
    Usable,
    /// None of the addresses belongs to this machine: a start here would fail.
    Elsewhere,
    /// The path of a Unix socket is that of something else.
    Taken,
}

fn place_of(endpoint: &Endpoint) -> Place {
    match endpoint {
        Endpoint::Unix(path) => match std::fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => Place::Taken,
            _ => Place::Usable,
        },
        Endpoint::Tcp { .. } => {
            // A name that does not resolve has been refused already.
            let addresses = endpoint.resolve().unwrap_or_default();
            if addresses.is_empty() || addresses.iter().any(|addr| is_local(addr.ip())) {
                Place::Usable
            } else {
                Place::Elsewhere
            }
        }
    }
}

/// Returns true if this machine has the address: then some port of it can be bound.
fn is_local(ip: IpAddr) -> bool {
    match TcpListener::bind((ip, 0)) {
        Ok(_) => true,
        Err(error) => error.raw_os_error() != Some(libc::EADDRNOTAVAIL),
    }
}
