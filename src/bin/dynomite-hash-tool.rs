//! `dynomite-hash-tool`: reads keys, one to a line, and writes the ring position of each.
//!
//! A key is a line without its line feed and nothing else taken off: a carriage return belongs to
//! it, a last line without a line feed counts, an empty line is the empty key. Positions are
//! decimal, 0 to 4294967295. Keys are read and written one at a time and may have at most 512 MiB,
//! which is also the longest Redis takes.
//!
//! Exit status: 0; 1 if a file cannot be opened, read or written; 22 for a bad command line.

use dynomite::cli::words::{self, Refusal, Shape};
use dynomite::hashkit::{HASHES, HashKind, hash};
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Read, Write};
use std::process::ExitCode;

/// Most bytes of a key.
const MAX_KEY: u64 = 512 << 20;

const BAD_COMMAND_LINE: u8 = 22;

const OPTIONS: [Shape; 5] = [
    shape('h', "help", false),
    shape('k', "outputkey", false),
    shape('i', "keyfile", true),
    shape('o', "tokenfile", true),
    // Without a letter: getopts and the original know none for it.
    shape('\0', "hash", true),
];

const fn shape(short: char, long: &'static str, takes_value: bool) -> Shape {
    Shape {
        short,
        long,
        takes_value,
    }
}

/// The command given by the command line.
#[derive(Default)]
struct Job {
    help: bool,
    output_key: bool,
    key_file: Option<String>,
    token_file: Option<String>,
    hash: HashKind,
}

fn main() -> ExitCode {
    let job = match read_command_line(std::env::args_os().skip(1)) {
        Ok(job) => job,
        Err(words) => {
            eprintln!("dynomite-hash-tool: {words}");
            return ExitCode::from(BAD_COMMAND_LINE);
        }
    };
    let done = if job.help {
        io::stdout()
            .write_all(usage().as_bytes())
            .map_err(|error| format!("could not write: {error}"))
    } else {
        run(&job)
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(words) => {
            eprintln!("dynomite-hash-tool: {words}");
            ExitCode::FAILURE
        }
    }
}

fn read_command_line(args: impl Iterator<Item = OsString>) -> Result<Job, String> {
    let mut grammar = getopts::Options::new();
    grammar
        .optflagmulti("h", "help", "")
        .optflagmulti("k", "outputkey", "")
        .optmulti("i", "keyfile", "", "")
        .optmulti("o", "tokenfile", "", "")
        .optmulti("", "hash", "", "");
    let invalid = |name: &str| format!("invalid option -- '{name}'");
    let mut job = Job::default();
    for piece in words::pieces(args, &OPTIONS) {
        let piece = piece.map_err(|refusal| match refusal {
            Refusal::Long(name) => invalid(&name),
            Refusal::NotUtf8(word) => format!("argument '{word}' is not valid UTF-8"),
        })?;
        let found = grammar.parse(&piece).map_err(|fail| match fail {
            getopts::Fail::ArgumentMissing(name) => format!("option {name} requires a value"),
            getopts::Fail::UnrecognizedOption(name)
            | getopts::Fail::UnexpectedArgument(name)
            | getopts::Fail::OptionMissing(name)
            | getopts::Fail::OptionDuplicated(name) => invalid(&name),
        })?;
        let file = |name| found.opt_str(name);
        job.help |= found.opt_present("h");
        job.output_key |= found.opt_present("k");
        job.key_file = file("i").or(job.key_file);
        job.token_file = file("o").or(job.token_file);
        if let Some(name) = found.opt_str("hash") {
            job.hash = name
                .parse()
                .ok()
                .filter(|kind| *kind != HashKind::Murmur3)
                .ok_or_else(|| format!("'{name}' is not a hash this tool computes"))?;
        }
    }
    Ok(job)
}

fn run(job: &Job) -> Result<(), String> {
    let named = |file: &Option<String>| file.clone().filter(|name| name != "-");
    let input: Box<dyn Read> = match named(&job.key_file) {
        Some(name) => Box::new(
            File::open(&name)
                .map_err(|error| format!("could not open input stream '{name}': {error}"))?,
        ),
        None => Box::new(io::stdin()),
    };
    let output: Box<dyn Write> = match named(&job.token_file) {
        Some(name) => Box::new(
            File::create(&name)
                .map_err(|error| format!("could not open output stream '{name}': {error}"))?,
        ),
        None => Box::new(io::stdout()),
    };
    let mut keys = BufReader::new(input);
    let mut tokens = BufWriter::new(output);
    let mut key = Vec::new();
    while next_key(&mut keys, &mut key)? {
        write_token(&mut tokens, &key, job).map_err(|error| format!("could not write: {error}"))?;
    }
    tokens
        .flush()
        .map_err(|error| format!("could not write: {error}"))
}

/// Reads the next key into `key`; `false` at the end of the input.
fn next_key(keys: &mut impl BufRead, key: &mut Vec<u8>) -> Result<bool, String> {
    key.clear();
    // One byte more than a key, for its line feed.
    keys.take(MAX_KEY + 1)
        .read_until(b'\n', key)
        .map_err(|error| format!("could not read: {error}"))?;
    if key.is_empty() {
        return Ok(false);
    }
    if key.last() == Some(&b'\n') {
        key.pop();
    } else if key.len() as u64 > MAX_KEY {
        return Err(format!("a key has more than {MAX_KEY} bytes"));
    }
    Ok(true)
}

fn write_token(tokens: &mut impl Write, key: &[u8], job: &Job) -> io::Result<()> {
    if job.output_key {
        tokens.write_all(b"KEY:")?;
        tokens.write_all(key)?;
        tokens.write_all(b"\n")?;
    }
    writeln!(tokens, "{}", hash(job.hash, key))
}

fn usage() -> String {
    let names: Vec<&str> = HASHES
        .iter()
        .filter(|(_, kind)| *kind != HashKind::Murmur3)
        .map(|(name, _)| *name)
        .collect();
    format!(
        "\
Usage: dynomite-hash-tool [-hk] [-i key file] [-o token file] [--hash=NAME]

Reads keys, one to a line, and writes the token of each, one to a line.

Options:
  -h, --help             : this help
  -k, --outputkey        : write each key, as KEY:<key>, before its token
  -i, --keyfile=F        : set file of keys (default: -, stdin)
  -o, --tokenfile=F      : set file of tokens (default: -, stdout)
      --hash=NAME        : set hash (default: {})

Hashes: {}
",
        HashKind::default(),
        names.join(" ")
    )
}
