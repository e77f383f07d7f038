//! The server's command line: the options of the C original, read as it reads them.
//!
//! GNU conventions: options and operands mix, operands are ignored, `--` ends the options, short
//! options bundle and take attached values, long ones may be abbreviated. The first thing wrong,
//! from left to right, is a [`Failure`], even after `-h`. Numbers are decimal digits up to
//! 2147483647. Arguments must be UTF-8.
//!
//! Nothing is printed and nothing is read here; what was asked for comes back as a [`Command`].
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

/// What an option's value is.
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

/// What the command line asks for.
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
        /// What the command line says about it.
        overrides: Overrides,
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
    /// What to log about the options once the log is open.
    pub notes: Vec<Note>,
}

impl Options {
    /// What the options say about the configuration.
    pub fn overrides(&self) -> Overrides {
        Overrides {
            mbuf_size: self.mbuf_size,
            max_msgs: self.max_msgs,
            gossip: self.gossip,
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
            let level =
                config::digits(&text).ok_or_else(|| fails("option -v requires a number"))?;
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
                .ok_or_else(|| fails("option -x requires a non-zero positive number"))?;
        }
        if let Some(text) = found.opt_str("m") {
            let size = non_zero('m', &text)?;
            config::check_mbuf_size(size)
                .map_err(|words| fails(format!("mbuf {}", chunk_words(&words))))?;
            options.mbuf_size = Some(size as usize);
            options.notes.push(Note::warn("-m or --mbuf-size command line arguments has been deprecated. Use configuration file."));
        }
        if let Some(text) = found.opt_str("M") {
            let number = non_zero('M', &text)?;
            config::check_max_msgs(number).map_err(fails)?;
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
        .ok_or_else(|| fails(format!("option -{letter} requires a non-zero number")))
}

fn fails(words: impl fmt::Display) -> Failure {
    Failure {
        message: format!("dynomite: {words}"),
    }
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
mod tests {
    use super::*;

    fn line(text: &str) -> Result<Command, Failure> {
        // `''` is an empty word.
        let word = |word: &str| OsString::from(if word == "''" { "" } else { word });
        parse(text.split_whitespace().map(word))
    }

    fn serve(text: &str) -> Options {
        match line(text) {
            Ok(Command::Serve(options)) => options,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn mistakes_have_the_originals_words() {
        for (text, words) in [
            ("-z", "invalid option -- 'z'"),
            ("-tz", "invalid option -- 'z'"),
            ("-y", "invalid option -- 'y'"),
            ("--bogus", "invalid option -- 'bogus'"),
            ("--bogus=1", "invalid option -- 'bogus'"),
            ("--admin-param=1", "invalid option -- 'admin-param'"),
            ("--ver", "invalid option -- 'ver'"),
            ("--v", "invalid option -- 'v'"),
            ("--m", "invalid option -- 'm'"),
            ("--help=1", "invalid option -- 'help'"),
            ("-h -z", "invalid option -- 'z'"),
            ("-o", "option -o requires a file name"),
            ("-c", "option -c requires a file name"),
            ("-p", "option -p requires a file name"),
            ("--conf-file", "option -c requires a file name"),
            ("-v", "option -v requires a number"),
            ("-tv", "option -v requires a number"),
            ("-m", "option -m requires a number"),
            ("-M", "option -M requires a number"),
            ("-x", "invalid option -- 'x'"),
            ("--admin-operation", "invalid option -- 'x'"),
            ("-v abc", "option -v requires a number"),
            ("-v abc -z", "option -v requires a number"),
            ("-z -v abc", "invalid option -- 'z'"),
            ("-v -5", "option -v requires a number"),
            ("-v 1 -v x -v 2", "option -v requires a number"),
            ("-v ''", "option -v requires a number"),
            ("-v3000000000", "option -v requires a number"),
            ("-v 99999999999", "option -v requires a number"),
            ("-m 0", "option -m requires a non-zero number"),
            ("-m abc", "option -m requires a non-zero number"),
            (
                "-m 511",
                "mbuf chunk size must be between 512 and 512000 bytes",
            ),
            (
                "-m 512001",
                "mbuf chunk size must be between 512 and 512000 bytes",
            ),
            ("-m 513", "mbuf chunk size must be a multiple of 16"),
            ("-M 0", "option -M requires a non-zero number"),
            ("-M --output=x", "option -M requires a non-zero number"),
            (
                "-M 1",
                "max allocated messages buffer must be between 100000 and 1000000 messages",
            ),
            ("-x abc", "option -x requires a non-zero positive number"),
            ("-x -1", "option -x requires a non-zero positive number"),
            ("-s 22222", "option -s was removed; use \"stats_listen:\""),
            ("-s22222", "option -s was removed; use \"stats_listen:\""),
            ("-i", "option -i was removed; use \"stats_interval:\""),
            ("-a x", "option -a was removed; use \"stats_listen:\""),
            (
                "--stats-port=1",
                "option --stats-port was removed; use \"stats_listen:\"",
            ),
        ] {
            let expected = format!("dynomite: {words}");
            assert_eq!(line(text).map_err(|f| f.message), Err(expected), "{text}");
        }
    }

    #[test]
    fn information_wins_over_a_test_and_a_start() {
        let info = |help, version, describe| {
            Ok(Command::Info {
                help,
                version,
                describe,
            })
        };
        for (text, expected) in [
            ("-h", info(true, false, false)),
            ("-?", info(true, false, false)),
            ("--help", info(true, false, false)),
            ("-V", info(false, true, false)),
            ("-tV", info(false, true, false)),
            ("extra -V", info(false, true, false)),
            ("-hD", info(true, false, true)),
            ("--desc --vers", info(false, true, true)),
            ("-v 99999 -V", info(false, true, false)),
        ] {
            assert_eq!(line(text), expected, "{text}");
        }
    }

    #[test]
    fn a_test_takes_the_file_and_what_overrides_it() {
        assert_eq!(
            line("-t -d -c f -p q -m1024 -g"),
            Ok(Command::Test {
                conf_file: "f".into(),
                overrides: Overrides {
                    mbuf_size: Some(1024),
                    max_msgs: None,
                    gossip: true
                }
            })
        );
    }

    #[test]
    fn options_of_a_start() {
        assert_eq!(serve(""), Options::default());
        assert_eq!(serve("-- -V"), Options::default());
        assert_eq!(serve("a - b"), Options::default());
        assert_eq!(serve("-x 0"), Options::default());
        let given = Options {
            daemonize: true,
            verbosity: 6,
            output: Some("/o".into()),
            conf_file: "/c".into(),
            pid_file: Some("/p".into()),
            admin_operation: 2,
            gossip: true,
            ..Options::default()
        };
        for text in [
            "-d -v 6 -o /o -c /c -p /p -x 2 -g",
            "-dgv6 -o/o -c/c -p/p -x2",
            "--daemonize --verbosity=6 --output /o --conf-file=/c --pid-file=/p --admin-operation=2 --gossip",
            "--da --verb=6 --o=/o --c /c --p /p x --admin=2 --g -- -v 9",
        ] {
            assert_eq!(serve(text), given, "{text}");
        }
        assert_eq!(serve("-v 12").verbosity, 11);
        assert_eq!(serve("-v 2147483647").verbosity, 11);
        assert_eq!(serve("-v3 -v4").verbosity, 4);
        assert_eq!(serve("-o ''").output, None);
        // What follows an option that takes a value is its value, whatever it looks like.
        assert_eq!(serve("-o -x").output, Some("-x".into()));
        assert_eq!(serve("-o --").output, Some("--".into()));
    }

    #[test]
    fn deprecated_sizes_still_work_and_say_so() {
        let options = serve("-d -c /apps/dynomite/conf/dynomite.yml -m16384 -M300000 --output=/l");
        assert_eq!(
            (options.mbuf_size, options.max_msgs),
            (Some(16384), Some(300_000))
        );
        assert_eq!(options.notes.len(), 2);
        assert!(options.notes.iter().all(|n| n.text.contains("deprecated")));
    }

    #[test]
    fn words_that_are_not_utf8_are_refused() {
        use std::os::unix::ffi::OsStringExt;
        let word = OsString::from_vec(vec![b'-', b'o', 0xff]);
        let failure = parse([word].into_iter()).unwrap_err();
        assert!(failure.message.contains("not valid UTF-8"), "{failure}");
    }

    #[test]
    fn the_usage_names_every_option_in_aligned_columns() {
        let text = usage();
        assert!(
            text.contains("\n  -h, --help              : this help\n"),
            "{text}"
        );
        assert!(
            text.contains(
                "\n  -x, --admin-operation=N : set size of admin operation (default: 0)\n"
            ),
            "{text}"
        );
        let rows: Vec<&str> = text.lines().filter(|l| l.starts_with("  -")).collect();
        assert_eq!(rows.len(), OPTIONS.len());
        assert!(rows.iter().all(|row| row.find(" : ") == Some(25)), "{text}");
        assert!(version_line().starts_with("This is dynomite-v"));
        assert!(version_line().ends_with("\n\n"));
    }
}
