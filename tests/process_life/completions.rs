//! Shell completions have the options that the programs have.

use crate::process_life::process::{DYNOMITE, run};
use crate::process_life::service::has;
use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

const HASH_TOOL: &str = env!("CARGO_BIN_EXE_dynomite-hash-tool");

fn completion(name: &str) -> String {
    let path = format!("{}/contrib/completions/{name}", env!("CARGO_MANIFEST_DIR"));
    fs::read_to_string(path).unwrap()
}

/// Letter (if it has one), name, and whether a value follows: of every option in the help.
fn options(program: &str) -> Vec<(Option<char>, String, bool)> {
    let outcome = run(Command::new(program).arg("--help"));
    let help = outcome.stdout + &outcome.stderr;
    let options: Vec<_> = help
        .lines()
        .filter_map(|line| {
            let (names, _) = line.strip_prefix("  ")?.split_once(" : ")?;
            let (letter, long) = names.split_once("--")?;
            let letter = letter
                .trim()
                .strip_prefix('-')
                .and_then(|l| l.chars().next());
            let (long, value) = match long.trim().split_once('=') {
                Some((long, _)) => (long, true),
                None => (long.trim(), false),
            };
            Some((letter, long.to_owned(), value))
        })
        .collect();
    assert!(options.len() >= 5, "{help}");
    options
}

/// The words that a bash completion offers for a command line that ends in `line`'s last word.
fn offered(program: &str, line: &[&str]) -> BTreeSet<String> {
    let path = format!(
        "{}/contrib/completions/{program}.bash",
        env!("CARGO_MANIFEST_DIR")
    );
    let script = "source \"$0\"; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); \
                  _${1//-/_}; printf '%s\\n' \"${COMPREPLY[@]}\"";
    let outcome = run(Command::new("bash")
        .args(["-c", script, &path, program])
        .args(line));
    assert_eq!(
        (outcome.code(), &*outcome.stderr),
        (Some(0), ""),
        "{line:?}"
    );
    outcome
        .stdout
        .split_whitespace()
        .map(str::to_owned)
        .collect()
}

#[test]
fn bash_offers_every_option_and_no_other() {
    if !has("bash") {
        eprintln!("skipped: there is no bash");
        return;
    }
    for (name, program) in [("dynomite", DYNOMITE), ("dynomite-hash-tool", HASH_TOOL)] {
        let mut expected = BTreeSet::new();
        for (letter, long, value) in options(program) {
            expected.extend(letter.map(|letter| format!("-{letter}")));
            expected.insert(format!("--{long}{}", if value { "=" } else { "" }));
        }
        assert_eq!(offered(name, &[""]), expected, "{name}");
    }
    let words = |text: &str| text.split(' ').map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(offered("dynomite", &["--des"]), words("--describe-stats"));
    assert_eq!(offered("dynomite", &["-v", "1"]), words("1 10 11"));
    assert_eq!(
        offered("dynomite", &["--verbosity", "=", "1"]),
        words("1 10 11")
    );
    assert_eq!(offered("dynomite", &["--verbosity", "="]).len(), 12);
    assert!(offered("dynomite", &["-c", "/etc/passw"]).contains("/etc/passwd"));
    assert_eq!(
        offered("dynomite-hash-tool", &["--hash", "=", "mu"]),
        words("murmur")
    );
}

#[test]
fn zsh_and_fish_know_every_option_and_no_other() {
    for (name, program) in [("dynomite", DYNOMITE), ("dynomite-hash-tool", HASH_TOOL)] {
        let (zsh, fish) = (
            completion(&format!("_{name}")),
            completion(&format!("{name}.fish")),
        );
        let rows: Vec<&str> = fish.lines().filter(|line| line.contains(" -l ")).collect();
        let options = options(program);
        assert_eq!(rows.len(), options.len(), "{name} in fish");
        let specs = zsh.lines().filter(|line| line.starts_with("    '")).count();
        assert_eq!(specs, options.len(), "{name} in zsh");
        for (letter, long, value) in options {
            let names = letter.map_or(String::new(), |letter| format!("-s {letter} "));
            let row = rows
                .iter()
                .find(|row| row.contains(&format!(" {names}-l {long} ")))
                .unwrap_or_else(|| panic!("{name} --{long} in fish"));
            assert_eq!(row.contains(" -r ") || row.contains(" -x "), value, "{row}");
            let spec = match (letter, value) {
                (Some(letter), true) => format!("{{-{letter}+,--{long}=}}"),
                (Some(letter), false) => format!("{{-{letter},--{long}}}"),
                (None, _) => format!("'--{long}=["),
            };
            assert!(zsh.contains(&spec), "{name}: {spec} in zsh");
        }
    }
}

#[test]
fn every_shell_offers_the_hashes_of_the_tool() {
    let help = run(Command::new(HASH_TOOL).arg("--help")).stdout;
    let (_, names) = help.rsplit_once("Hashes: ").unwrap();
    let names = names.trim();
    for file in ["_dynomite-hash-tool", "dynomite-hash-tool.fish"] {
        assert!(completion(file).contains(names), "{file}: {names}");
    }
    let expected = names.split(' ').map(str::to_owned).collect();
    if has("bash") {
        assert_eq!(offered("dynomite-hash-tool", &["--hash", "="]), expected);
    }
}

#[test]
fn shells_can_read_them() {
    for (shell, file) in [
        ("bash", "dynomite.bash"),
        ("bash", "dynomite-hash-tool.bash"),
        ("zsh", "_dynomite"),
        ("zsh", "_dynomite-hash-tool"),
        ("fish", "dynomite.fish"),
        ("fish", "dynomite-hash-tool.fish"),
    ] {
        if !has(shell) {
            eprintln!("skipped: there is no {shell}");
            continue;
        }
        let path = format!("{}/contrib/completions/{file}", env!("CARGO_MANIFEST_DIR"));
        let outcome = run(Command::new(shell).arg("-n").arg(path));
        assert_eq!((outcome.code(), &*outcome.stderr), (Some(0), ""), "{file}");
    }
}
