//! The manual pages and the README say what the program does.
//!
//! `DYNOMITE_WRITE_MANUAL=1 cargo test --test manual` writes the generated parts anew.

use dynomite::config::manual::{MARKDOWN_MARKS, ROFF_MARKS, markdown, roff};
use dynomite::config::{KEYS, keys::Status};
use std::path::PathBuf;

/// Compares the part of a file between two marks with what the table of keys says, or writes it.
fn generated(path: &[&str], marks: (&str, &str), keys: &str) {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR")].iter().chain(path).collect();
    let text = std::fs::read_to_string(&path).unwrap();
    let (begin, end) = marks;
    let (before, rest) = text.split_once(begin).expect("the mark before the keys");
    let (found, after) = rest.split_once(end).expect("the mark after the keys");
    if std::env::var_os("DYNOMITE_WRITE_MANUAL").is_some() {
        std::fs::write(path, format!("{before}{begin}\n{keys}{end}{after}")).unwrap();
        return;
    }
    assert_eq!(
        found.trim_start(),
        keys,
        "run: DYNOMITE_WRITE_MANUAL=1 cargo test --test manual"
    );
}

#[test]
fn the_keys_in_the_manual_are_those_of_the_table() {
    generated(&["man", "dynomite.yml.5"], ROFF_MARKS, &roff());
}

#[test]
fn the_keys_in_the_readme_are_those_of_the_table() {
    generated(&["README.md"], MARKDOWN_MARKS, &markdown());
}

#[test]
fn every_key_stands_in_the_tables_for_readers() {
    let (roff, markdown) = (roff(), markdown());
    for key in KEYS {
        assert!(
            roff.contains(&format!("\n.B {}\n", key.name)),
            "{}",
            key.name
        );
        let row = format!("| `{}` |", key.name);
        assert_eq!(markdown.contains(&row), key.status == Status::Live, "{row}");
    }
    let columns = |line: &str| line.matches('|').count();
    assert!(
        markdown.lines().all(|line| columns(line) == 5),
        "{markdown}"
    );
}

#[test]
fn every_option_stands_in_the_manual() {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "man", "dynomite.8"]
        .iter()
        .collect();
    let text = std::fs::read_to_string(path).unwrap();
    let plain = text.replace("\\-", "-");
    for line in dynomite::cli::usage().lines() {
        let Some((options, _)) = line.split_once(" : ").or(line.split_once(": ")) else {
            continue;
        };
        for word in options
            .split([' ', ',', '='])
            .filter(|w| w.starts_with('-'))
        {
            assert!(plain.contains(word), "{word} is not in dynomite(8)");
        }
    }
}

#[test]
fn every_switch_stands_in_the_manual() {
    let path: PathBuf = [env!("CARGO_MANIFEST_DIR"), "man", "dynomite.8"]
        .iter()
        .collect();
    let manual = std::fs::read_to_string(path).unwrap();
    for (name, _) in dynomite::node::switches::SWITCHES {
        assert!(manual.contains(&format!("\n.B {name}\n")), "{name}");
    }
}
