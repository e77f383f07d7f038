//! The server's command line: the options of the C original, read as it reads them.
//!
//! GNU conventions: options and operands mix, operands are ignored, `--` ends the options, short
//! options bundle and take attached values, long ones may be abbreviated. The first thing wrong,
//! from left to right, is a [`Failure`], even after `-h`. Numbers are decimal digits up to
//! 2147483647. Arguments must be UTF-8.
//!
//! Nothing is printed and nothing is read here; the result is a [`Command`].
//! Everything the program prints goes to stderr, as with the original.

pub mod words;

use crate::config::{self, Note, Overrides};
use crate::logging::{DEFAULT_LEVEL, MAX_LEVEL};
use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use words::{Refusal, Shape};

/// The configuration file unless `-c` names another; relative to the working directory.
pub const DEFAULT_CONF_FILE: &str = "conf/dynomite.yml";

/// The kind of an option's value.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    None,
    File,
    Number,
    Operation,
}

struct Row {
    short: char,
    long: &'static str,
    value: Value,
    help: &'static str,
}

const fn row(short: char, long: &'static str, value: Value, help: &'static str) -> Row {
    Row {
        short,
        long,
        value,
        help,
    }
}

/// Every option, in the order of the help.
#[rustfmt::skip]
const OPTIONS: [Row; 13] = [
    row('h', "help", Value::None, "this help"),
    row('V', "version", Value::None, "show version and exit"),
    row('t', "test-conf", Value::None, "test configuration for syntax errors and exit"),
    row('g', "gossip", Value::None, "enable gossip (default: disabled)"),
    row('d', "daemonize", Value::None, "run as a daemon"),
    row('D', "describe-stats", Value::None, "print stats description and exit"),
    row('v', "verbosity", Value::Number, "set logging level (default: 5, min: 0, max: 11)"),
    row('o', "output", Value::File, "set logging file (default: stderr)"),
    row('c', "conf-file", Value::File, "set configuration file (default: conf/dynomite.yml)"),
    row('p', "pid-file", Value::File, "set pid file (default: off)"),
    row('x', "admin-operation", Value::Operation, "set size of admin operation (default: 0)"),
    row('m', "mbuf-size", Value::Number, "deprecated, use mbuf_size in the file (default: 16384 bytes)"),
    row('M', "max-msgs", Value::Number, "deprecated, use max_msgs in the file (default: 200000 messages)"),
];

/// Options of earlier versions and the key that has taken their place.
const REMOVED: [(&str, &str); 6] = [
    ("s", "stats_listen:"),
    ("stats-port", "stats_listen:"),
    ("i", "stats_interval:"),
    ("stats-interval", "stats_interval:"),
    ("a", "stats_listen:"),
    ("stats-addr", "stats_listen:"),
];

/// The command given by the command line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    /// Print and exit 0: the version line always, then the usage, then the statistics.
    Info {
        /// `-h`, `-?`.
        help: bool,
        /// `-V`.
        version: bool,
        /// `-D`.
        describe: bool,
    },
    /// `-t`: test the configuration and exit.
    Test {
        /// The file.
        conf_file: PathBuf,
        /// Settings from the command line.
        overrides: Overrides,
        /// Notes about the options, for the log.
        notes: Vec<Note>,
    },
    /// Run the server.
    Serve(Options),
}

/// How to run the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// `-d`.
    pub daemonize: bool,
    /// `-v`, 0 to 11.
    pub verbosity: u8,
    /// `-o`; none is stderr.
    pub output: Option<PathBuf>,
    /// `-c`.
    pub conf_file: PathBuf,
    /// `-p`.
    pub pid_file: Option<PathBuf>,
    /// `-x`; 0 is off. Not a size, whatever the help has always said.
    pub admin_operation: u32,
    /// `-g`.
    pub gossip: bool,
    /// `-m` in bytes, within its limits.
    pub mbuf_size: Option<usize>,
    /// `-M`, within its limits.
    pub max_msgs: Option<usize>,
    /// Notes about the options, logged once the log is open.
    pub notes: Vec<Note>,
}

impl Options {
    /// The settings that options override.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            mbuf_size: self.mbuf_size,
            max_msgs: self.max_msgs,
            gossip: self.gossip,
            admin_operation: self.admin_operation,
        }
    }
}

impl Default for Options {
    fn default() -> Options {
        Options {
            daemonize: false,
            verbosity: DEFAULT_LEVEL,
            output: None,
            conf_file: DEFAULT_CONF_FILE.into(),
            pid_file: None,
            admin_operation: 0,
            gossip: false,
            mbuf_size: None,
            max_msgs: None,
            notes: Vec::new(),
        }
    }
}

/// A command line that cannot be obeyed: print the message and the usage to stderr and exit 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// One line, without its end.
    pub message: String,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

/// Reads the command line, without the program's name.
///
/// # Errors
/// The first thing that is wrong, in the original's words.
///
/// ```
/// use dynomite::cli::{Command, parse};
/// let command = parse(["-v11", "--conf=/etc/dynomite.yml"].map(Into::into).into_iter());
/// let Ok(Command::Serve(options)) = command else { panic!() };
/// assert_eq!(options.verbosity, 11);
/// ```
pub fn parse(args: impl Iterator<Item = OsString>) -> Result<Command, Failure> {
    let shapes = OPTIONS.map(|row| Shape {
        short: row.short,
        long: row.long,
        takes_value: row.value != Value::None,
    });
    let grammar = grammar();
    let mut asked = Asked::default();
    for piece in words::pieces(args, &shapes) {
        let piece = piece.map_err(refused)?;
        let found = grammar.parse(&piece).map_err(failed)?;
        asked.take(&found)?;
    }
    let Asked {
        help,
        version,
        describe,
        test,
        options,
    } = asked;
    Ok(if help || version || describe {
        Command::Info {
            help,
            version,
            describe,
        }
    } else if test {
        Command::Test {
            overrides: options.overrides(),
            conf_file: options.conf_file,
            notes: options.notes,
        }
    } else {
        Command::Serve(options)
    })
}

#[derive(Default)]
struct Asked {
    help: bool,
    version: bool,
    describe: bool,
    test: bool,
    options: Options,
}

impl Asked {
    /// Takes in one piece of the command line: flags, and at most one option with a value.
    fn take(&mut self, found: &getopts::Matches) -> Result<(), Failure> {
        let options = &mut self.options;
        self.help |= found.opt_present("h") || found.opt_present("?");
        self.version |= found.opt_present("V");
        self.describe |= found.opt_present("D");
        self.test |= found.opt_present("t");
        options.gossip |= found.opt_present("g");
        options.daemonize |= found.opt_present("d");
        let file = |text: String| (!text.is_empty()).then(|| PathBuf::from(text));
        if let Some(text) = found.opt_str("v") {
            let level = config::digits(&text)
                .ok_or_else(|| refuses("option -v requires a number", &text))?;
            options.verbosity = u8::try_from(level).unwrap_or(MAX_LEVEL).min(MAX_LEVEL);
        }
        if let Some(text) = found.opt_str("o") {
            options.output = file(text);
        }
        if let Some(text) = found.opt_str("c") {
            options.conf_file = text.into();
        }
        if let Some(text) = found.opt_str("p") {
            options.pid_file = file(text);
        }
        if let Some(text) = found.opt_str("x") {
            options.admin_operation = config::digits(&text)
                .ok_or_else(|| refuses("option -x requires a non-zero positive number", &text))?;
        }
        if let Some(text) = found.opt_str("m") {
            let size = non_zero('m', &text)?;
            config::check_mbuf_size(size)
                .map_err(|words| refuses(&format!("mbuf {}", chunk_words(&words)), &text))?;
            options.mbuf_size = Some(size as usize);
            options.notes.push(Note::warn("-m or --mbuf-size command line arguments has been deprecated. Use configuration file."));
        }
        if let Some(text) = found.opt_str("M") {
            let number = non_zero('M', &text)?;
            config::check_max_msgs(number).map_err(|words| refuses(&words, &text))?;
            options.max_msgs = Some(number as usize);
            options.notes.push(Note::warn(
                "-M or max-msgs command line argument has been deprecated. Use configuration file.",
            ));
        }
        Ok(())
    }
}

/// The command line says "chunk size" where the file says "size".
fn chunk_words(words: &str) -> String {
    if words.starts_with("chunk") {
        words.to_owned()
    } else {
        format!("chunk {words}")
    }
}

fn non_zero(letter: char, text: &str) -> Result<u32, Failure> {
    config::digits(text)
        .filter(|number| *number != 0)
        .ok_or_else(|| {
            refuses(
                &format!("option -{letter} requires a non-zero number"),
                text,
            )
        })
}

fn fails(words: impl fmt::Display) -> Failure {
    Failure {
        message: format!("dynomite: {words}"),
    }
}

/// The original's words for a value that an option does not take, and the value.
fn refuses(words: &str, value: &str) -> Failure {
    let digits = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    let most = match digits && config::digits(value).is_none() {
        true => format!(" of at most {}", i32::MAX),
        false => String::new(),
    };
    fails(format!("{words}{most}, not '{}'", value.escape_debug()))
}

fn invalid(name: &str) -> Failure {
    let dashes = if name.chars().count() == 1 { "-" } else { "--" };
    match REMOVED.iter().find(|(removed, _)| *removed == name) {
        Some((_, key)) => fails(format!("option {dashes}{name} was removed; use \"{key}\"")),
        None => fails(format!("invalid option -- '{name}'")),
    }
}

fn refused(refusal: Refusal) -> Failure {
    match refusal {
        Refusal::Long(name) => invalid(&name),
        Refusal::NotUtf8(word) => fails(format!("argument '{word}' is not valid UTF-8")),
    }
}

fn failed(fail: getopts::Fail) -> Failure {
    match fail {
        getopts::Fail::ArgumentMissing(name) => {
            let row = OPTIONS
                .iter()
                .find(|row| row.long == name || name == row.short.to_string());
            match row.map(|row| (row.short, row.value)) {
                Some((short, Value::File)) => {
                    fails(format!("option -{short} requires a file name"))
                }
                Some((short, Value::Number)) => fails(format!("option -{short} requires a number")),
                Some((short, _)) => invalid(&short.to_string()),
                None => invalid(&name),
            }
        }
        getopts::Fail::UnrecognizedOption(name)
        | getopts::Fail::UnexpectedArgument(name)
        | getopts::Fail::OptionMissing(name)
        | getopts::Fail::OptionDuplicated(name) => invalid(&name),
    }
}

fn grammar() -> getopts::Options {
    let mut grammar = getopts::Options::new();
    for row in &OPTIONS {
        let short = row.short.to_string();
        match row.value {
            Value::None => grammar.optflagmulti(&short, row.long, row.help),
            _ => grammar.optmulti(&short, row.long, row.help, ""),
        };
    }
    grammar.optflagmulti("?", "", "");
    grammar
}

/// The line that `-h`, `-V` and `-D` begin with, and the empty line after it.
pub fn version_line() -> String {
    format!("This is dynomite-v{}\n\n", env!("CARGO_PKG_VERSION"))
}

/// The usage text; every line ends in a line feed.
pub fn usage() -> String {
    let mut text = "\
Usage: dynomite [-?hVtgdD] [-v verbosity level] [-o output file]
                [-c conf file] [-p pid file] [-x admin operation]
                [-m mbuf size] [-M max messages]

Options:
"
    .to_owned();
    for row in &OPTIONS {
        let long = match row.value {
            Value::None => row.long.to_owned(),
            Value::File => format!("{}=S", row.long),
            Value::Number | Value::Operation => format!("{}=N", row.long),
        };
        text.push_str(&format!("  -{}, --{long:<18}: {}\n", row.short, row.help));
    }
    text
}

#[cfg(test)]
mod tests;
